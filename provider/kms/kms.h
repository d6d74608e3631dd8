/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The one interface to a key management system. Behind it: hsm.c (an HSM through its own
 * PKCS#11 module) and kmip.c (KMIP servers). Nothing is opened before the first call that
 * needs the KMS.
 *
 * Private-key primitives are named by the standard's mechanisms; hashing and padding are
 * done by the caller: CKM_RSA_PKCS (sign: a DigestInfo), CKM_RSA_PKCS_PSS (a digest),
 * CKM_RSA_X_509 (a block), CKM_RSA_PKCS_OAEP, CKM_ECDSA (a digest; r and s come back),
 * CKM_EDDSA (the message), CKM_ECDH1_DERIVE. A KMS that hashes itself offers whole mechanisms
 * instead (CKM_SHA256_RSA_PKCS, CKM_SHA256_RSA_PKCS_PSS, CKM_ECDSA_SHA256 …): it is sent the
 * message, of at most KMS_MESSAGE_MAX bytes.
 *
 * All may be called by several threads. All obey the deadline between the steps they are
 * made of. Failures common to all: CKR_DEVICE_ERROR (unreachable, breaker open, deadline
 * passed), CKR_FUNCTION_FAILED (throttled, three times), CKR_USER_NOT_LOGGED_IN,
 * CKR_HOST_MEMORY. A login the KMS has lost is renewed, lost sessions and handles are found
 * again, and the call is tried once more; generating and destroying are not.
 */
#ifndef P11_KMS_KMS_KMS_H
#define P11_KMS_KMS_KMS_H

#include "base/algorithm.h"
#include "base/buffer.h"
#include "base/clock.h"
#include "base/compiler.h"
#include "base/config.h"
#include "base/pkcs11.h"
#include "base/secret.h"

#include <stdatomic.h>
#include <stdbool.h>

struct kms; /* opaque */

#define KMS_MESSAGE_MAX ((size_t)256 * 1024)

/*
 * Names a private key in the KMS. Kept by the caller beside what it caches of the key;
 * cached is the backend's (a handle, valid for the generation in its upper half).
 */
struct kms_key {
	const unsigned char *id; /* CKA_ID, borrowed */
	size_t id_size;
	_Atomic uint64_t cached; /* starts 0 */
	bool session; /* not on the token: see kms_generate_session_pair */
};

/* config: kms, pin_source, deadline_ms, keep_pin; borrowed for as long as the kms lives. CKR_ARGUMENTS_BAD: a URI that is not understood (logged). */
MUST_USE CK_RV kms_new(const struct config_token *config, struct kms **ret_kms);
/* Closes its sessions, logs out and finalises what it initialised itself. */
void kms_free(struct kms **kms);
/* In a forked child: forgets the parent's sessions; reconnects at the next call. Keeps the PIN. */
void kms_forked(struct kms *kms);

/*
 * With a pin-source login is made by itself, and kms_login compares pin with it in constant
 * time, without asking the KMS. Else pin goes to the KMS: CKR_PIN_INCORRECT, CKR_PIN_LOCKED,
 * CKR_PIN_LEN_RANGE; and is kept to log in again when keep_pin is set.
 */
MUST_USE CK_RV kms_login(struct kms *kms, const void *pin, size_t pin_size,
                         struct deadline deadline);
/* Forgets the PIN and logs out at the KMS (nothing to do with a pin-source). */
MUST_USE CK_RV kms_logout(struct kms *kms, struct deadline deadline);
/*
 * Changes the user's PIN, who need not be logged in. A PIN that is kept is the new one from
 * then on. CKR_PIN_INCORRECT, CKR_PIN_LOCKED, CKR_PIN_INVALID, CKR_PIN_LEN_RANGE,
 * CKR_TOKEN_WRITE_PROTECTED; CKR_FUNCTION_NOT_SUPPORTED: the PIN is in a pin-source, which is
 * the administrator's to change (logged), or the KMS has none to change (KMIP).
 */
MUST_USE CK_RV kms_set_pin(struct kms *kms, const void *old_pin, size_t old_size,
                           const void *new_pin, size_t new_size, struct deadline deadline);
/*
 * The KMS logs in by itself (pin-source), or knows no PIN: kms_login then takes any. Also while it
 * can't be told, because the client's key can't be read: kms_login then fails, like all else.
 */
bool kms_logs_in_itself(const struct kms *kms);
/*
 * After a CKR_DEVICE_ERROR: why no connection could be made at all, a file that the configuration
 * names being missing, or not to be used. NULL: none is. Caller frees. Asks no KMS.
 */
MUST_USE char *kms_file_why(const struct config_token *config);

struct kms_description {
	char manufacturer[33], model[17], serial[17]; /* without padding */
	CK_MECHANISM_TYPE *primitives; /* owned: see kms_description_clear; also CKM_P11_KMS_OAEP_SHA1_ONLY */
	size_t primitive_count;
	char **lacks; /* owned: what it can't do, and why, as far as it is known; for people: "it …" */
	size_t lack_count;
};

/* Asks the KMS what it is and which private-key mechanisms (above, and the generating ones) it has. No login needed. */
MUST_USE CK_RV kms_describe(struct kms *kms, struct deadline deadline,
                            struct kms_description *ret_description);
void kms_description_clear(struct kms_description *description);

/* What is told of a server: a fact, something that does not work with it, or that it does not answer. */
enum kms_remark { KMS_FACT, KMS_LACK, KMS_FAULT };
/* Called for each; server ("HOST:PORT") and text are borrowed. */
typedef void (*kms_remarked)(void *context, enum kms_remark remark, const char *server,
                             const char *text);
/* Asks each server behind the KMS what it is and has; an HSM has none. CKR_OK when one of them answered. */
MUST_USE CK_RV kms_report(struct kms *kms, struct deadline deadline, kms_remarked remarked,
                          void *context);

/* Can the KMS be reached and are we logged in? */
MUST_USE CK_RV kms_ping(struct kms *kms, struct deadline deadline);

struct kms_pair {
	const struct algorithm *algorithm;
	const unsigned char *id;
	size_t id_size;
	const char *label; /* NAME@VERSION */
	bool decrypt, sign, unwrap, derive;
	/* From when on it shall protect, for other hosts to read: see kms_pair_start; 0: at once. */
	int64_t start;
	unsigned bits; /* RSA, session pairs: of the modulus, in place of the algorithm's; else 0 */
};

/*
 * Makes a token pair: private half sensitive, never extractable. ret_spki: DER
 * SubjectPublicKeyInfo. CKR_MECHANISM_INVALID, CKR_KEY_SIZE_RANGE: the KMS has no such algorithm.
 * CKR_DEVICE_MEMORY: it has no room for a pair, and is not asked again.
 */
MUST_USE CK_RV kms_generate_pair(struct kms *kms, const struct kms_pair *pair,
                                 struct deadline deadline, struct buffer *ret_spki);
/*
 * Makes a pair with CKA_TOKEN false, in a session of its own that stays open for it. pair's id
 * and label are not looked at. RSA may have any number of bits from KMS_SESSION_RSA_MIN that
 * the KMS has (CKR_KEY_SIZE_RANGE). Tried once more like other calls, else as
 * kms_generate_pair. CKR_MECHANISM_INVALID also: a KMS without sessions.
 */
#define KMS_SESSION_RSA_MIN 1024
struct kms_session_key; /* opaque */
MUST_USE CK_RV kms_generate_session_pair(struct kms *kms, const struct kms_pair *pair,
                                         struct deadline deadline, struct buffer *ret_spki,
                                         struct kms_session_key **ret_key);
/*
 * For kms_sign, kms_decrypt and kms_derive; borrowed until kms_session_key_free. A pair that
 * the KMS has lost (it was restarted; we were logged out; this is a child of the process that
 * made it) is gone: CKR_KEY_HANDLE_INVALID.
 */
struct kms_key *kms_session_key_use(struct kms_session_key *key);
/* Destroys both halves and closes their session; before kms_free. Sets NULL; NULL is allowed. */
void kms_session_key_free(struct kms_session_key **key);

/* Reads the public half from the KMS. CKR_KEY_HANDLE_INVALID: none there. */
MUST_USE CK_RV kms_public_key(struct kms *kms, const void *id, size_t id_size,
                              struct deadline deadline, struct buffer *ret_spki);
/*
 * Does the private key work for who is logged in, without a login for each use (CKA_ALWAYS_AUTHENTICATE)?
 * CKR_KEY_FUNCTION_NOT_PERMITTED: it doesn't. CKR_KEY_HANDLE_INVALID: none there.
 */
MUST_USE CK_RV kms_check_private(struct kms *kms, const void *id, size_t id_size,
                                 struct deadline deadline);
/*
 * Is there one pair, or one half of it, with this CKA_ID and label (NULL: any)?
 * CKR_KEY_HANDLE_INVALID: nothing has that CKA_ID. CKR_ACTION_PROHIBITED: several keys have
 * it, or one with another label.
 */
MUST_USE CK_RV kms_find_pair(struct kms *kms, const void *id, size_t id_size, const char *label,
                             struct deadline deadline);
/*
 * Removes both halves; none there is success. CKR_ACTION_PROHIBITED, and nothing removed (logged):
 * what has this CKA_ID is more than one pair, or another pair is found through it.
 */
MUST_USE CK_RV kms_destroy_pair(struct kms *kms, const void *id, size_t id_size,
                                struct deadline deadline);
/* The same for a pair that must also bear this label, so that nothing goes that others have made. CKR_ACTION_PROHIBITED: it doesn't. */
MUST_USE CK_RV kms_destroy_labelled(struct kms *kms, const void *id, size_t id_size,
                                    const char *label, struct deadline deadline);

/*
 * From when on the pair shall protect, as far as the KMS keeps it (CKA_START_DATE): the first moment
 * of that day. *ret_start 0: it does not say, or there is no such pair.
 */
MUST_USE CK_RV kms_pair_start(struct kms *kms, const void *id, size_t id_size,
                              struct deadline deadline, int64_t *ret_start);
/* Whether any key bears this label. *ret_used is false, too, where the KMS can't be asked cheaply. */
MUST_USE CK_RV kms_label_used(struct kms *kms, const char *label, struct deadline deadline,
                              bool *ret_used);
/* The KMS itself may make new versions of keys (KMIP servers can re-key). */
bool kms_makes_versions(const struct kms *kms);

/* Called for each private key in the KMS; all borrowed; anything but CKR_OK ends the walk and is returned. */
typedef CK_RV (*kms_found)(void *context, const void *id, size_t id_size, const char *label,
                           CK_KEY_TYPE key_type);
MUST_USE CK_RV kms_walk(struct kms *kms, struct deadline deadline, kms_found found, void *context);

/*
 * Signs with the primitive. *signature_size: room in, length out. CKR_KEY_HANDLE_INVALID: the
 * KMS has no such key. CKR_DATA_LEN_RANGE, CKR_MECHANISM_INVALID, CKR_MECHANISM_PARAM_INVALID.
 */
MUST_USE CK_RV kms_sign(struct kms *kms, struct kms_key *key, CK_MECHANISM *primitive,
                        const void *data, size_t data_size, struct deadline deadline,
                        unsigned char *ret_signature, size_t *ret_signature_size);
/* Decrypts with the primitive, into secret memory. CKR_ENCRYPTED_DATA_INVALID: one code for every bad ciphertext. */
MUST_USE CK_RV kms_decrypt(struct kms *kms, struct kms_key *key, CK_MECHANISM *primitive,
                           const void *data, size_t data_size, struct deadline deadline,
                           struct secret **ret_plaintext);
/*
 * CKM_ECDH1_DERIVE with CKD_NULL, no shared data and the peer's bare point (04, X, Y; 32 bytes for
 * X25519), which the caller has checked. ret_shared: the whole of Z, as long as the curve's
 * field. Nothing of it stays in the KMS. CKR_MECHANISM_INVALID (the KMS derives nothing),
 * CKR_MECHANISM_PARAM_INVALID, CKR_KEY_HANDLE_INVALID, and the KMS's own codes for a key that
 * is not for this use.
 */
MUST_USE CK_RV kms_derive(struct kms *kms, struct kms_key *key, CK_MECHANISM *primitive,
                          struct deadline deadline, struct secret **ret_shared);

/* The KMS's own code of its last failure, for CK_SESSION_INFO.ulDeviceError. */
CK_ULONG kms_device_error(const struct kms *kms);

#endif
