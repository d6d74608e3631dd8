/* SPDX-License-Identifier: Apache-2.0 */
/* Takes a pair that is in the KMS already into the registry. */
#ifndef P11_KMS_LIFECYCLE_ADOPT_H
#define P11_KMS_LIFECYCLE_ADOPT_H

#include "lifecycle/lifecycle.h"

struct adoption {
	const char *name;          /* of the key; all borrowed */
	int64_t number;            /* of the version */
	const struct buffer *id;   /* CKA_ID in the KMS */
	unsigned usage;            /* 0: what it proves it can do */
	int64_t rotate_every;      /* of a new key; < 0: the configuration's */
	bool local;                /* CKA_LOCAL: the pair was made inside the KMS */
	bool new_key_only;         /* else one that is there gets this version too */
	bool hidden;               /* it is in the log, and not in the index: see inventory_check */
	bool superseded;           /* a later one is taken in after it: it only processes */
};

/*
 * Looks at the public half, has the private half prove itself, and commits: the current
 * version, unless the key has one of a higher number; then it only processes. One that the KMS says
 * is to be active later (kms_pair_start) is pre-active.
 *
 * CKR_ACTION_PROHIBITED: the id is in the registry already. CKR_OBJECT_HANDLE_INVALID: it is
 * hidden. CKR_ATTRIBUTE_VALUE_INVALID: the name and number are in use, or can't be had, or the
 * algorithm has no such usage.
 * CKR_KEY_HANDLE_INVALID: the KMS has no public half of this id. CKR_PUBLIC_KEY_INVALID: a bad
 * one, or of an algorithm that is not known (logged). CKR_FUNCTION_FAILED: the private half
 * does nothing with it (logged). CKR_KEY_FUNCTION_NOT_PERMITTED: the private half wants a login
 * before each use (CKA_ALWAYS_AUTHENTICATE), which nobody makes here.
 */
MUST_USE CK_RV lifecycle_adopt(struct lifecycle *lifecycle, const struct adoption *adoption,
                               struct deadline deadline, struct version **ret_version);
/*
 * Does all that, but the commit: CKR_OK when there is nothing wrong with the pair. *ret_later, also
 * when it fails: it would be pre-active.
 */
MUST_USE CK_RV lifecycle_adoptable(struct lifecycle *lifecycle, const struct adoption *adoption,
                                   struct deadline deadline, bool *ret_later);
/* Whether the id is in the registry, in any state. */
MUST_USE CK_RV lifecycle_knows(struct lifecycle *lifecycle, const struct buffer *id,
                               bool *ret_known);

#endif
