/* SPDX-License-Identifier: Apache-2.0 */
/* What registry.c, change.c, intent.c and verify.c share. Private to registry/. */
#ifndef P11_KMS_REGISTRY_INTERNAL_H
#define P11_KMS_REGISTRY_INTERNAL_H

#include "registry/chain.h"
#include "registry/registry.h"
#include "registry/store.h"

#include <pthread.h>

#define REPORTED_MAX 64

struct registry {
	const struct authority *authority; /* borrowed */
	enum registry_mode mode;
	char *path; /* owned, as given */

	/*
	 * Guards all below. Held while SQLite works, never while a signature is checked or
	 * made, or a record is decoded.
	 */
	pthread_mutex_t lock;
	struct store *store;

	uint64_t generation;  /* grows by one at each change seen, or made */
	int64_t data_version; /* SQLite's, when generation was last brought up to date */

	/* The head that was checked last, good for its generation. */
	struct registry_head head;
	uint64_t head_generation; /* 0: none */

	/* Broken entries (and heads) that have been logged: each is told once. */
	int64_t reported[REPORTED_MAX];
	size_t reported_count;
};

/* Logs that the entry is broken, once for each sequence. Takes the lock. */
void registry_report(struct registry *registry, int64_t sequence, const char *what);
/* Brings the generation up to date. Lock held. */
MUST_USE CK_RV registry_generation_locked(struct registry *registry, uint64_t *ret_generation);
/* Ends a write transaction: commits when rv is CKR_OK, else rolls back and returns rv. Lock held. */
MUST_USE CK_RV registry_end_locked(struct registry *registry, CK_RV rv);

#endif
