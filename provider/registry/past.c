/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who signs the registry, and whether an entry is his word. Entries from before the last
 * hand-over are not believed for their signature: the authority that made it may have been
 * replaced because it was stolen. The one that signs now has vouched for their chain hashes,
 * in pages that follow the hand-over, PAGE_ENTRIES in each: so the page that an entry is in is
 * found by counting.
 */
#include "registry/internal.h"

#include <stdlib.h>
#include <string.h>

int64_t
page_sequence(int64_t since, int64_t sequence)
{
	/* A file may hold any number; none that is real comes near this. */
	if (since > INT64_MAX / 2 || sequence > INT64_MAX / 2)
		return INT64_MAX;
	return since + 1 + (sequence - 1) / PAGE_ENTRIES;
}

CK_RV
page_read(const struct entry *entry, int64_t since, struct page_record *ret_page)
{
	int64_t first, count;
	CK_RV rv;

	rv = page_record_decode(entry->payload.data, entry->payload.size, ret_page);
	if (rv != CKR_OK)
		return rv;
	if (entry->sequence <= since || entry->sequence - since - 1 > since / PAGE_ENTRIES)
		return CKR_DATA_INVALID;
	first = 1 + (entry->sequence - since - 1) * PAGE_ENTRIES;
	count = since - first < PAGE_ENTRIES ? since - first : PAGE_ENTRIES; /* the hand-over has its own signature */
	if (count < 1 || ret_page->first != first ||
	    ret_page->hashes.size != (size_t)count * PAGE_HASH_SIZE)
		return CKR_DATA_INVALID;
	return CKR_OK;
}

/* Hand-overs as they are now, unless force is false and they are where they were: then the succession that was made of them. Lock held. */
static CK_RV
look_locked(struct registry *registry, bool force, struct handovers *ret_handovers,
            struct succession **ret_same)
{
	bool unmoved = false;
	CK_RV rv = CKR_OK;

	if (!force && registry->succession != NULL)
		rv = handovers_unmoved(registry->store, registry->succession, &unmoved);
	if (rv == CKR_OK && unmoved)
		*ret_same = succession_acquire(registry->succession);
	else if (rv == CKR_OK)
		rv = handovers_read(registry->store, ret_handovers);
	return rv;
}

/* Pages of another hand-over are of no use any more. */
static void
adopt(struct registry *registry, struct succession *succession)
{
	struct succession *old;

	(void)pthread_mutex_lock(&registry->lock);
	old = registry->succession;
	registry->succession = succession_acquire(succession);
	free(registry->pages);
	registry->pages = NULL;
	(void)pthread_mutex_unlock(&registry->lock);
	succession_release(&old);
}

/* Another thread may do the same at the same time: both find the same. */
static CK_RV
settle(struct registry *registry, const struct highest *highest,
       const struct handovers *handovers, struct succession **ret_succession)
{
	struct succession *succession = NULL, *kept = NULL;
	bool same;
	CK_RV rv;

	rv = succession_follow(registry->authority, handovers, &succession);
	if (rv != CKR_OK)
		return rv;
	/* Before anything is believed on its word. */
	rv = registry_guard_succession(registry, highest, succession);
	if (rv != CKR_OK) {
		succession_release(&succession);
		return rv;
	}
	(void)pthread_mutex_lock(&registry->lock);
	same = registry->succession != NULL && succession_equal(registry->succession, succession) &&
	       handovers_match(handovers, registry->succession);
	if (same)
		kept = succession_acquire(registry->succession);
	(void)pthread_mutex_unlock(&registry->lock);
	if (same) {
		succession_release(&succession);
		succession = kept;
	} else {
		adopt(registry, succession);
	}
	*ret_succession = succession;
	return CKR_OK;
}

CK_RV
registry_follow(struct registry *registry, bool force, struct succession **ret_succession)
{
	struct highest highest = registry_highest(registry);
	struct handovers handovers = { NULL, 0 };
	struct succession *succession = NULL;
	CK_RV rv;

	(void)pthread_mutex_lock(&registry->lock);
	rv = look_locked(registry, force, &handovers, &succession);
	(void)pthread_mutex_unlock(&registry->lock);
	if (rv == CKR_OK && succession == NULL)
		rv = settle(registry, &highest, &handovers, &succession);
	handovers_clear(&handovers);
	if (rv == CKR_OK)
		*ret_succession = succession;
	return rv;
}

/* One transaction: a hand-over may be committed at any moment. */
static CK_RV
read_head_locked(struct registry *registry, struct head_row *row, struct handovers *handovers,
                 struct succession **ret_same, uint64_t *ret_generation)
{
	CK_RV rv, end;

	rv = registry_generation_locked(registry, ret_generation);
	if (rv != CKR_OK)
		return rv;
	rv = store_run_plain(registry->store, BEGIN_READ);
	if (rv != CKR_OK)
		return rv;
	rv = look_locked(registry, false, handovers, ret_same);
	if (rv == CKR_OK)
		rv = chain_head(registry->store, row);
	end = store_run_plain(registry->store, COMMIT);
	if (rv == CKR_OK && end != CKR_OK) {
		head_row_clear(row);
		rv = end;
	}
	return rv;
}

CK_RV
registry_read_head(struct registry *registry, const struct highest *highest,
                   struct head_row *ret_row, struct succession **ret_succession,
                   uint64_t *ret_generation)
{
	struct head_row row = { .present = false };
	struct handovers handovers = { NULL, 0 };
	struct succession *succession = NULL;
	CK_RV rv;

	(void)pthread_mutex_lock(&registry->lock);
	rv = read_head_locked(registry, &row, &handovers, &succession, ret_generation);
	(void)pthread_mutex_unlock(&registry->lock);
	if (rv == CKR_OK && succession == NULL)
		rv = settle(registry, highest, &handovers, &succession);
	handovers_clear(&handovers);
	if (rv == CKR_OK) {
		*ret_row = row;
		*ret_succession = succession;
		return CKR_OK;
	}
	succession_release(&succession);
	head_row_clear(&row);
	return rv;
}

CK_RV
registry_succession(struct registry *registry, struct succession **ret_succession)
{
	return registry_follow(registry, false, ret_succession);
}

static CK_RV
hash_compare(const struct entry *entry, const unsigned char *vouched)
{
	unsigned char hash[CHAIN_HASH_SIZE];
	CK_RV rv = entry_hash(entry, hash);

	if (rv == CKR_OK && memcmp(hash, vouched, CHAIN_HASH_SIZE) != 0)
		rv = CKR_SIGNATURE_INVALID;
	return rv;
}

/* The hash that a page which was checked before has for the entry. False: it is not kept. */
static bool
page_kept(struct registry *registry, const struct succession *succession, int64_t sequence,
          size_t place, unsigned char *ret_hash)
{
	bool found = false;

	(void)pthread_mutex_lock(&registry->lock);
	for (size_t i = 0; registry->succession == succession && registry->pages != NULL && !found &&
	                   i < PAGES_KEPT; i++) {
		const struct kept_page *page = &registry->pages[i];

		found = page->sequence == sequence && place < page->count;
		if (found)
			memcpy(ret_hash, page->hashes[place], PAGE_HASH_SIZE);
	}
	(void)pthread_mutex_unlock(&registry->lock);
	return found;
}

static void
page_keep(struct registry *registry, const struct succession *succession, int64_t sequence,
          const struct page_record *page)
{
	struct kept_page *kept;

	(void)pthread_mutex_lock(&registry->lock);
	if (registry->pages == NULL)
		registry->pages = calloc(PAGES_KEPT, sizeof *registry->pages);
	if (registry->pages != NULL && registry->succession == succession) {
		kept = &registry->pages[registry->next_page];
		registry->next_page = (registry->next_page + 1) % PAGES_KEPT;
		kept->sequence = sequence;
		kept->count = page->hashes.size / PAGE_HASH_SIZE;
		memcpy(kept->hashes, page->hashes.data, page->hashes.size);
	}
	(void)pthread_mutex_unlock(&registry->lock);
}

/* An entry before the hand-over: as the page has it that the current authority signed. */
static CK_RV
past_verify(struct registry *registry, const struct succession *succession,
            const struct entry *entry)
{
	const struct term *term = succession_current(succession);
	int64_t sequence = page_sequence(term->since, entry->sequence);
	size_t place = (size_t)((entry->sequence - 1) % PAGE_ENTRIES);
	struct entry page_entry = { .sequence = 0 };
	struct page_record page = { .first = 0 };
	unsigned char vouched[PAGE_HASH_SIZE];
	CK_RV rv;

	if (entry->sequence < 1 || entry->sequence >= term->since)
		return CKR_SIGNATURE_INVALID;
	if (page_kept(registry, succession, sequence, place, vouched))
		return hash_compare(entry, vouched);
	(void)pthread_mutex_lock(&registry->lock);
	rv = chain_entry(registry->store, sequence, &page_entry);
	(void)pthread_mutex_unlock(&registry->lock);
	if (rv == CKR_OK)
		rv = entry_verify(&page_entry, term->authority);
	if (rv == CKR_OK)
		rv = page_read(&page_entry, term->since, &page);
	if (rv == CKR_OK) {
		page_keep(registry, succession, sequence, &page);
		rv = hash_compare(entry, page.hashes.data + place * PAGE_HASH_SIZE);
	} else if (rv == CKR_OBJECT_HANDLE_INVALID || rv == CKR_DATA_INVALID ||
	           rv == CKR_DEVICE_ERROR || rv == CKR_SIGNATURE_INVALID) {
		registry_report(registry, sequence, "is not what vouches for entries before a hand-over");
		rv = CKR_SIGNATURE_INVALID;
	}
	page_record_clear(&page);
	entry_clear(&page_entry);
	return rv;
}

static CK_RV
verify_by(struct registry *registry, const struct succession *succession,
          const struct entry *entry)
{
	const struct term *term = succession_current(succession);

	if (term->since == 0 || entry->sequence > term->since)
		return entry_verify(entry, term->authority);
	return past_verify(registry, succession, entry);
}

CK_RV
registry_entry_verify(struct registry *registry, const struct entry *entry)
{
	struct succession *succession = NULL, *now = NULL;
	CK_RV rv;

	(void)pthread_mutex_lock(&registry->lock);
	if (registry->succession != NULL)
		succession = succession_acquire(registry->succession);
	(void)pthread_mutex_unlock(&registry->lock);
	rv = succession != NULL ? CKR_OK : registry_follow(registry, false, &succession);
	if (rv != CKR_OK)
		return rv;
	rv = verify_by(registry, succession, entry);
	/* Perhaps it was handed over since the log was looked at last. */
	if (rv == CKR_SIGNATURE_INVALID) {
		rv = registry_follow(registry, true, &now);
		if (rv == CKR_OK)
			rv = now == succession ? CKR_SIGNATURE_INVALID : verify_by(registry, now, entry);
		succession_release(&now);
	}
	succession_release(&succession);
	return rv;
}
