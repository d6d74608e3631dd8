/* SPDX-License-Identifier: Apache-2.0 */
/* What registry.c, change.c, intent.c and verify.c share. Private to registry/. */
#ifndef P11_KMS_REGISTRY_INTERNAL_H
#define P11_KMS_REGISTRY_INTERNAL_H

#include "registry/chain.h"
#include "registry/registry.h"
#include "registry/seen.h"
#include "registry/store.h"

#include <pthread.h>

#define REPORTED_MAX 64

struct registry {
	const struct authority *authority; /* borrowed */
	enum registry_mode mode;
	char *path;        /* owned, as given */
	struct seen *seen; /* owned; needs no lock */

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

	/* The highest head that this registry had, as far as this process knows. */
	struct seen_mark mark;
	char *turned_back; /* owned: what was found instead; NULL: nothing */
	bool anew;         /* just made: its first change makes void what was seen before */

	/* Broken entries (and heads) that have been logged: each is told once. */
	int64_t reported[REPORTED_MAX];
	size_t reported_count;
	bool reported_more; /* that there are more of them was logged too */
};

/* Logs that the entry is broken, once for each sequence. Takes the lock. */
void registry_report(struct registry *registry, int64_t sequence, const char *what);
/* Logs once for each number: entries have theirs, heads those below 0. Takes the lock. */
MUST_USE bool registry_report_once(struct registry *registry, int64_t number);
/*
 * The highest head that was seen. To be asked for before the head it is compared with is
 * read: what others commit and see in between is then no contradiction. where: the file that
 * has it, NULL: this process. Takes the lock.
 */
struct highest {
	struct seen_mark mark;
	const char *where; /* borrowed from registry->seen */
};

struct highest registry_highest(struct registry *registry);
/*
 * Compares a head that is good (sequence 0: there is none, the log is empty) with the highest
 * one that was seen, and keeps it when it is higher. CKR_DEVICE_ERROR: the registry was
 * turned back (logged once). Takes the lock.
 */
MUST_USE CK_RV registry_guard(struct registry *registry, const struct highest *highest,
                              const struct registry_head *head);
/* Keeps a head that was just committed. Takes the lock. */
void registry_saw(struct registry *registry, const struct registry_head *head);
/* Brings the generation up to date. Lock held. */
MUST_USE CK_RV registry_generation_locked(struct registry *registry, uint64_t *ret_generation);
/* Ends a write transaction: commits when rv is CKR_OK, else rolls back and returns rv. Lock held. */
MUST_USE CK_RV registry_end_locked(struct registry *registry, CK_RV rv);

#endif
