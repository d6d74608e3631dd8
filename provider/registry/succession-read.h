/* SPDX-License-Identifier: Apache-2.0 */
/* Hand-overs as the store has them, and the succession that follows from them. Private to registry/. */
#ifndef P11_KMS_REGISTRY_SUCCESSION_READ_H
#define P11_KMS_REGISTRY_SUCCESSION_READ_H

#include "registry/chain.h"
#include "registry/store.h"
#include "registry/succession.h"

/* The entries that the index says are hand-overs, in order. Unchecked. */
struct handovers {
	struct entry *entries; /* owned */
	size_t count;
};

/* Needs the registry's lock. Caller: handovers_clear. */
MUST_USE CK_RV handovers_read(struct store *store, struct handovers *ret_handovers);
void handovers_clear(struct handovers *handovers);
/* Whether the index has its hand-overs where they were when the succession was made, without reading them. Needs the lock. */
MUST_USE CK_RV handovers_unmoved(struct store *store, const struct succession *succession,
                                 bool *ret_unmoved);
/* The succession was made of hand-overs at the same places. NULL: no. */
bool handovers_match(const struct handovers *handovers, const struct succession *succession);

/* From the pinned authority on, as far as each has signed the hand-over to the next. CKR_HOST_MEMORY. */
MUST_USE CK_RV succession_follow(const struct authority *pinned, const struct handovers *handovers,
                                 struct succession **ret_succession);
/* The same authorities since the same entries. */
bool succession_equal(const struct succession *a, const struct succession *b);

#endif
