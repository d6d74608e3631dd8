/* SPDX-License-Identifier: Apache-2.0 */
/* The key pairs that the KMS holds, as far as their private halves tell of them. */
#ifndef P11_KMS_LIFECYCLE_INVENTORY_H
#define P11_KMS_LIFECYCLE_INVENTORY_H

#include "base/buffer.h"
#include "kms/kms.h"

struct inventory_pair {
	struct buffer id; /* owned, as all that follow */
	char *label;      /* "" when it has none */
	char *name;       /* of a label NAME@NUMBER, as create gives them; else NULL */
	int64_t number;
};

struct inventory {
	struct inventory_pair *pairs;
	size_t count;
};

/* By name, the highest number first; then those without. Authorities, and pairs without an id, are left out. Caller: inventory_clear. */
MUST_USE CK_RV inventory_read(struct kms *kms, struct deadline deadline,
                              struct inventory *ret_inventory);
void inventory_clear(struct inventory *inventory);

#endif
