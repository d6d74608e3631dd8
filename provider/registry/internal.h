/* SPDX-License-Identifier: Apache-2.0 */
/* What registry.c, change.c, intent.c and verify.c share. Private to registry/. */
#ifndef P11_KMS_REGISTRY_INTERNAL_H
#define P11_KMS_REGISTRY_INTERNAL_H

#include "registry/chain.h"
#include "registry/registry.h"
#include "registry/seen.h"
#include "registry/store.h"
#include "registry/succession-read.h"
#include "registry/succession-record.h"

#include <pthread.h>

#define REPORTED_MAX 64
#define PAGES_KEPT 8

/*
 * Added to the "since" of an intent that only its maker can finish, and taken from that of one whose
 * pair is being removed: no time of ours reaches it.
 */
#define INTENT_MARK (INT64_C(1) << 40)

/* A page of the past that was checked: see past.c. */
struct kept_page {
	int64_t sequence; /* of its entry; 0: there is none here */
	size_t count;
	unsigned char hashes[PAGE_ENTRIES][PAGE_HASH_SIZE];
};

struct registry {
	const struct authority *authority; /* the pinned one, borrowed */
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

	/* Who signs, as it was when the log was looked at last. */
	struct succession *succession; /* one reference; NULL: not looked at yet */
	struct kept_page *pages;       /* owned, PAGES_KEPT, of that succession; NULL: none yet */
	size_t next_page;

	/* The head that was checked last, good for its generation. */
	struct registry_head head;
	uint64_t head_generation; /* 0: none */

	/* The highest head that this registry had, as far as this process knows. */
	struct seen_mark mark;
	char *turned_back; /* owned: what was found instead; NULL: nothing */
	bool put_back;     /* on purpose, and about to be accepted: to be turned back is no error */
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
 * Who signs, by the hand-overs of the log as they are now. force: whether or not they seem to
 * be the same as before. Release it. CKR_DEVICE_ERROR also: the one that signed what was seen
 * is not among them (logged once): the registry was turned back. Takes the lock.
 */
MUST_USE CK_RV registry_follow(struct registry *registry, bool force,
                               struct succession **ret_succession);
/*
 * The head's row and who signs, of one moment. Clear and release them. Takes the lock.
 * highest: what was seen before. ret_generation: the registry's at that moment. Fails as
 * registry_follow.
 */
MUST_USE CK_RV registry_read_head(struct registry *registry, const struct highest *highest,
                                  struct head_row *ret_row, struct succession **ret_succession,
                                  uint64_t *ret_generation);
/*
 * The entry is signed by the authority that signs now; or, when it is older than the hand-over
 * to that, vouched for by it. CKR_SIGNATURE_INVALID. Takes the lock.
 */
MUST_USE CK_RV registry_entry_verify(struct registry *registry, const struct entry *entry);
/* The page of the past that an entry is in: its entry's sequence. */
int64_t page_sequence(int64_t since, int64_t sequence);
/* Decodes and checks the page, an entry at its place after the hand-over. CKR_DATA_INVALID: it is none, or not that one. Clear it. */
MUST_USE CK_RV page_read(const struct entry *entry, int64_t since, struct page_record *ret_page);
/* Whether the one that signed what was seen is among those. CKR_DEVICE_ERROR: no (logged once). Takes the lock. */
MUST_USE CK_RV registry_guard_succession(struct registry *registry, const struct highest *highest,
                                         const struct succession *succession);
/*
 * Compares a head that is good (sequence 0: there is none, the log is empty) with the highest
 * one that was seen, and keeps it when it is higher. CKR_DEVICE_ERROR: the registry was
 * turned back (logged once). Takes the lock.
 */
MUST_USE CK_RV registry_guard(struct registry *registry, const struct highest *highest,
                              const struct registry_head *head,
                              const struct succession *succession);
/* Keeps a head that was just committed, and by whom it was signed. Takes the lock. */
void registry_saw(struct registry *registry, const struct registry_head *head,
                  const struct authority *signer);
/* What a second connection, to read, is opened for. */
enum store_use registry_read_use(const struct registry *registry);
/* Brings the generation up to date. Lock held. */
MUST_USE CK_RV registry_generation_locked(struct registry *registry, uint64_t *ret_generation);
/* Ends a write transaction: commits when rv is CKR_OK, else rolls back and returns rv. Lock held. */
MUST_USE CK_RV registry_end_locked(struct registry *registry, CK_RV rv);

#endif
