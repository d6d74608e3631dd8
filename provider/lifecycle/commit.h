/* SPDX-License-Identifier: Apache-2.0 */
/* Puts a version, whose pair is made and proven, into the registry. */
#ifndef P11_KMS_LIFECYCLE_COMMIT_H
#define P11_KMS_LIFECYCLE_COMMIT_H

#include "lifecycle/lifecycle.h"
#include "lifecycle/policy.h"

struct commit {
	struct version *version; /* borrowed; gets its object, sequence, state and period */
	int64_t protect_until;   /* of the version while it is active; 0 without end */
	int64_t rotate_every;    /* of the key, when this is its first version */
	bool keep_policy;        /* a key that is there keeps its algorithm and usage */
	const struct policy_change *policy; /* of it too, over the configuration's; may be NULL */
	bool pre_active;         /* it becomes the current one later, at protect_from */
	bool superseded;         /* it is not, and never becomes, the current one */
	bool new_key_only;       /* CKR_ATTRIBUTE_VALUE_INVALID when the key is there */
	bool rotation_only;      /* CKR_OBJECT_HANDLE_INVALID when it is not */
	bool found;              /* a pair that was found: when a later number is there, it is superseded, and the policy kept */
	bool intended;           /* CKR_FUNCTION_CANCELED when its intent is gone, or was given up */
	bool failed;             /* intended; its maker gave it up */
	int64_t replaces;        /* CKR_ACTION_PROHIBITED when this isn't the current one; 0: any */
};

/*
 * In one change: the key's record (when it is new, or takes over the version's algorithm and
 * usage), the version that was current superseded, the new one active. When one of a later
 * number is current already (two creations crossed) the new one is deactivated instead.
 * CKR_ACTION_PROHIBITED: the id is in the registry already, or is of an intent and not intended.
 */
MUST_USE CK_RV version_commit(struct lifecycle *lifecycle, struct commit *commit);

/*
 * Makes a pre-active version whose time has come the current one; *ret_current: false, a later one
 * is, and it only processes. CKR_ACTION_PROHIBITED: it is not pre-active (any more).
 */
MUST_USE CK_RV version_activate(struct lifecycle *lifecycle, int64_t object, bool *ret_current);

/* Ends the time of a version that was current, by the key's overlap; nothing when it was superseded and still protects. */
MUST_USE CK_RV version_supersede(struct change *change, struct version *old, int64_t overlap,
                                 int64_t now);

/* The current version of a key; *ret_version NULL and CKR_OK when it has none. Caller frees. */
MUST_USE CK_RV version_current(struct registry *registry, const char *name,
                               struct version **ret_version);
/* Whether the key has a version of this number or a later one, in any state. */
MUST_USE CK_RV version_number_taken(struct registry *registry, const char *name, int64_t number,
                                    bool *ret_taken);

#endif
