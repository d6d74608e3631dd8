/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What happens to keys: made, rotated, destroyed, kept in order. The command and the
 * module both call this, so a key made by C_GenerateKeyPair lives the same life.
 *
 * Each call writes what it did to the log (info). Failures as in kms.h and registry.h.
 */
#ifndef P11_KMS_LIFECYCLE_LIFECYCLE_H
#define P11_KMS_LIFECYCLE_LIFECYCLE_H

#include "base/clock.h"
#include "base/compiler.h"
#include "base/config.h"
#include "kms/kms.h"
#include "registry/registry.h"

#include <stdatomic.h>

/*
 * One token's keys, open for change. Several threads may use it: nothing in it changes but
 * the KMS's handle of the authority, and log_checked.
 */
struct lifecycle {
	const struct config_token *config; /* borrowed, all four */
	struct kms *kms;
	struct registry *registry; /* opened to write */
	const struct authority *authority; /* the pinned one */
	struct token_record *token; /* owned, as it was when this was opened */
	struct authority_signer *signer; /* owned: lifecycle/authority-signer.h */
	atomic_bool log_checked; /* the whole log: before anything is destroyed for good */
};

/*
 * Reads the token record and looks whether the KMS's authority is the pinned one, or the one
 * that this handed over to.
 * CKR_OBJECT_HANDLE_INVALID: the registry is empty (init was not run). CKR_DEVICE_ERROR also
 * when the KMS has another authority, or none (logged).
 */
MUST_USE CK_RV lifecycle_open(const struct config_token *config, struct kms *kms,
                              struct registry *registry, const struct authority *authority,
                              struct lifecycle **ret_lifecycle);
void lifecycle_free(struct lifecycle **lifecycle);

/*
 * init: makes the authority in the KMS, the pinned file and the registry with its token
 * record. A second run finishes what a crash left, and is success when all is there;
 * *ret_made is then false. On failure *ret_why (caller frees; NULL when the code says it all)
 * says what is in the way. CKR_ARGUMENTS_BAD: a file of the configuration, or a registry that is
 * missing although the KMS holds versions, unless it is to be begun anew beside them.
 * CKR_KEY_HANDLE_INVALID: the KMS does not hold the pinned authority.
 */
MUST_USE CK_RV lifecycle_init(const struct config_token *config, struct kms *kms, bool anew,
                              struct deadline deadline, bool *ret_made, char **ret_why);

/*
 * For calls that wait for no application (commands, timers), and for making pairs: an HSM may
 * take long for that. The token's own deadline where that is longer.
 */
#define LIFECYCLE_DEADLINE_MS 30000
static inline struct deadline
deadline_patient(const struct config_token *config)
{
	return deadline_in(config->deadline_ms > LIFECYCLE_DEADLINE_MS ? config->deadline_ms
	                                                               : LIFECYCLE_DEADLINE_MS);
}

struct policy_change; /* lifecycle/policy.h */

struct create_request {
	const char *name;                  /* NULL: the hexadecimal id */
	const struct algorithm *algorithm; /* NULL: the key's own, else the configuration's */
	unsigned usage;                    /* 0: the key's own, else decrypt|sign|unwrap for RSA, sign (and derive) for EC, derive for X25519 */
	const void *id;                    /* NULL: 16 random bytes */
	size_t id_size;
	int64_t rotate_every;              /* of a new key; < 0: the configuration's */
	const void *subject;               /* CKA_SUBJECT, may be NULL */
	size_t subject_size;
	int64_t protect_from;              /* CKA_START_DATE; 0: now */
	int64_t protect_until;             /* CKA_END_DATE; 0: by the policy */
	bool pre_active;                   /* it is not active before protect_from: refresh makes it so */
	const struct policy_change *policy; /* of a new key, over the configuration's; may be NULL */
	bool new_key_only;                 /* refuse a name in use: CKR_ATTRIBUTE_VALUE_INVALID */
	bool rotation_only;                /* refuse a name not in use: CKR_OBJECT_HANDLE_INVALID */
};

/*
 * The next version of a key (the first one makes the key): intent, generate, read back,
 * check, prove, commit; the version that was current is deactivated in the same commit.
 * CKR_ATTRIBUTE_VALUE_INVALID: name, id, usage or period not allowed or in use.
 * CKR_OBJECT_HANDLE_INVALID: rotation_only and no such key. CKR_PUBLIC_KEY_INVALID: the KMS
 * gave a bad one. CKR_FUNCTION_FAILED: the private half did not prove itself.
 */
MUST_USE CK_RV lifecycle_create(struct lifecycle *lifecycle, const struct create_request *request,
                                struct deadline deadline, struct version **ret_version);

/* Makes a version destroy-pending; when it was the current one the key has none until it is rotated. CKR_OBJECT_HANDLE_INVALID: no such version, or not one that an application sees. */
MUST_USE CK_RV lifecycle_destroy(struct lifecycle *lifecycle, int64_t object);
/*
 * Undoes that while the grace lasts. The version becomes the current one again when its
 * protect period is not over and the key has no other, else it only processes.
 * CKR_OBJECT_HANDLE_INVALID: no such version. CKR_ACTION_PROHIBITED: not destroy-pending, or
 * its grace is over.
 */
MUST_USE CK_RV lifecycle_restore(struct lifecycle *lifecycle, int64_t object);
/* Ends its protecting. CKR_OBJECT_HANDLE_INVALID: no such version; CKR_ACTION_PROHIBITED: not active (lifecycle/state.h). */
MUST_USE CK_RV lifecycle_deactivate(struct lifecycle *lifecycle, int64_t object);
/* The same for one whose private half is no secret any more. CKR_ATTRIBUTE_VALUE_INVALID: no reason that a record can hold (record_reason_valid). */
MUST_USE CK_RV lifecycle_compromise(struct lifecycle *lifecycle, int64_t object, const char *reason);
/*
 * Destroys a destroy-pending version at once, whatever is left of its grace.
 * CKR_OBJECT_HANDLE_INVALID, CKR_ACTION_PROHIBITED as above. CKR_FUNCTION_FAILED: the KMS has
 * reasons to keep the pair (logged; kms_destroy_pair). When the KMS fails, or has such reasons, a
 * later refresh removes the pair.
 */
MUST_USE CK_RV lifecycle_purge(struct lifecycle *lifecycle, int64_t object);
/* When a destroy-pending version will be purged. */
int64_t lifecycle_purge_time(const struct key_record *key, const struct version *version);

struct refresh_summary {
	unsigned finished;    /* pairs a crash left that are now versions */
	unsigned undone;      /* pairs a crash left that were removed */
	unsigned kept;        /* such that stay for another host: this one can't keep what it has seen */
	unsigned untrue;      /* what was said of such pairs, and is not so: somebody has changed the registry's file */
	unsigned taken_up;    /* versions that other hosts made */
	unsigned waiting;     /* such that a later refresh takes up: they were not there long enough */
	unsigned missing;     /* versions that protect, and whose pair the KMS does not hold (any more) */
	unsigned activated;   /* pre-active versions whose time had come */
	unsigned rotated;
	unsigned deactivated; /* superseded versions whose overlap is over */
	unsigned retired;     /* versions that the policy does not keep: destroy-pending now */
	unsigned purged;      /* versions past their grace, destroyed in the KMS */
	unsigned certified;   /* versions that a certificate was made for */
	unsigned held;        /* what must wait for `rebuild`: a backup of the registry was put back */
	unsigned failed;      /* what could not be done, each logged */
	unsigned left;        /* keys, pairs and versions that there was something to do about, when it was told to stop */
};

/* done of total, for a bar; may be NULL. False: stop here, the next refresh goes on. */
typedef bool (*refresh_progress)(void *context, size_t done, size_t total);
/* dry_run: counts only, without proof of what another host made. */
MUST_USE CK_RV lifecycle_refresh(struct lifecycle *lifecycle, bool dry_run,
                                 refresh_progress progress, void *context,
                                 struct refresh_summary *ret_summary);

/* When the key's current version is due, 0 never. */
int64_t lifecycle_next_rotation(const struct key_record *key, const struct version *current);

/*
 * Signs and verifies, encrypts and decrypts random data, and agrees (ECDH), with both halves, as the usage asks.
 * CKR_FUNCTION_FAILED: the private half did not prove itself (logged).
 */
MUST_USE CK_RV lifecycle_prove(struct kms *kms, const struct token_record *token, unsigned usage,
                               const void *id, size_t id_size, const struct buffer *spki,
                               struct deadline deadline);
/* The same of a pair that was made elsewhere: what of usage it can do. CKR_FUNCTION_FAILED: nothing (not logged). */
MUST_USE CK_RV lifecycle_try(struct kms *kms, const struct token_record *token, unsigned usage,
                             const void *id, size_t id_size, const struct buffer *spki,
                             struct deadline deadline, unsigned *ret_usage);

/*
 * A new authority takes over: intent, generate, read back, prove, commit the hand-over. Hosts
 * follow by themselves. The old pair stays in the KMS. CKR_ACTION_PROHIBITED: another host
 * handed over at the same time; CKR_FUNCTION_FAILED, CKR_PUBLIC_KEY_INVALID: the KMS made a bad
 * pair. Nothing is left of it then, or refresh removes it.
 */
MUST_USE CK_RV lifecycle_rotate_authority(struct lifecycle *lifecycle, struct deadline deadline);
/* Called for each pair that is, or would be, removed: its CKA_ID. May be NULL. */
typedef void (*authority_purged)(void *context, const struct buffer *id);
/* Removes the pairs of former authorities of this registry from the KMS, as far as they are there. */
MUST_USE CK_RV lifecycle_purge_authorities(struct lifecycle *lifecycle, bool dry_run,
                                           authority_purged purged, void *context);

/*
 * init's steps for a registry that is lost: the pinned file is written again when it is lost
 * too and the KMS holds authorities of this token, the registry is begun anew, with the
 * hand-overs from the pinned one to the later ones that the KMS holds. One that is there stays
 * as it is. dry_run: nothing is written; would it be? Failures as of lifecycle_init.
 */
MUST_USE CK_RV lifecycle_recover(const struct config_token *config, struct kms *kms, bool dry_run,
                                 struct deadline deadline, bool *ret_made, char **ret_why);

#endif
