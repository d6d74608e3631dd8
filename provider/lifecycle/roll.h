/* SPDX-License-Identifier: Apache-2.0 */
/* The versions that protect, called over while the KMS lists its pairs: whose pair is missing? */
#ifndef P11_KMS_LIFECYCLE_ROLL_H
#define P11_KMS_LIFECYCLE_ROLL_H

#include "lifecycle/lifecycle.h"

struct roll {
	struct active *actives; /* owned; by their ids */
	bool *met;              /* owned; of each */
	size_t count;
};

/* Before the KMS lists: what is made in between is not missed. Caller: roll_clear. */
MUST_USE CK_RV roll_read(struct registry *registry, struct roll *ret_roll);
void roll_meet(struct roll *roll, const void *id, size_t id_size);
/*
 * After that: logs those that were not met, the first of them by name. Returns how many of them are
 * current, which a rotation ends.
 */
unsigned roll_missing(const struct roll *roll, struct lifecycle *lifecycle);
void roll_clear(struct roll *roll);

#endif
