/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The policy of a key: what its next versions are, how long they protect and are kept. It is
 * signed with the key's record.
 */
#ifndef P11_KMS_LIFECYCLE_POLICY_H
#define P11_KMS_LIFECYCLE_POLICY_H

#include "lifecycle/lifecycle.h"

enum policy_setting {
	POLICY_ALGORITHM = 1,
	POLICY_USAGE = 2,
	POLICY_ROTATE_EVERY = 4,
	POLICY_OVERLAP = 8,
	POLICY_KEEP_VERSIONS = 16,
	POLICY_KEEP_FOR = 32,
	POLICY_DESTROY_AFTER = 64,
	POLICY_MECHANISMS = 128,
	POLICY_RECOVERY = 256,
};

/* What is to be changed; the rest stays. */
struct policy_change {
	unsigned given; /* enum policy_setting, ored */
	const struct algorithm *algorithm;
	unsigned usage;
	int64_t rotate_every, overlap, keep_versions, keep_for, destroy_after; /* as in key_record */
	struct mechanism_list mechanisms;
	struct buffer recovery;
};

void policy_change_clear(struct policy_change *change);

/*
 * Takes "NAME=VALUE" in. On failure *ret_why (caller frees; NULL: out of memory) says what is
 * wrong and what to write.
 */
MUST_USE bool policy_parse(const char *setting, struct policy_change *change, char **ret_why);

/* Into the record. CKR_ATTRIBUTE_VALUE_INVALID: a usage that the algorithm does not have. */
MUST_USE CK_RV policy_apply(const struct policy_change *change, struct key_record *key);

/*
 * Changes the policy of a key. The allowed mechanisms, and how long it protects, are those of
 * its current version (and of one that is still to be active) at once; the rest counts from the
 * next version on. CKR_OBJECT_HANDLE_INVALID: no such key; CKR_ATTRIBUTE_VALUE_INVALID as above.
 */
MUST_USE CK_RV lifecycle_set_policy(struct lifecycle *lifecycle, const char *name,
                                    const struct policy_change *change);

#endif
