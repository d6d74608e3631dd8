/* SPDX-License-Identifier: Apache-2.0 */
/* The key pairs that the KMS holds, as far as their private halves tell of them. */
#ifndef P11_KMS_LIFECYCLE_INVENTORY_H
#define P11_KMS_LIFECYCLE_INVENTORY_H

#include "base/buffer.h"
#include "kms/kms.h"
#include "registry/registry.h"

struct inventory_pair {
	struct buffer id; /* owned, as all that follow */
	char *label;      /* "" when it has none */
	char *name;       /* of a label NAME@NUMBER, as create gives them; else NULL */
	int64_t number;
	bool hidden;      /* see inventory_check */
};

struct inventory {
	struct inventory_pair *pairs;
	size_t count;
};

/* By name, the highest number first; then those without. Authorities, and pairs without an id, are left out. Caller: inventory_clear. */
MUST_USE CK_RV inventory_read(struct kms *kms, struct deadline deadline,
                              struct inventory *ret_inventory);
/*
 * Finds the pairs whose CKA_ID is in the registry's log and not in its index: versions that
 * somebody has hidden, and that must not be taken in as if they were new. CKR_DEVICE_ERROR: the log
 * is not whole, so that it can't be told (logged).
 */
MUST_USE CK_RV inventory_check(struct inventory *inventory, struct registry *registry);
void inventory_clear(struct inventory *inventory);

#endif
