/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A hand-over as part of a change: its entry, and the pages in which the new authority vouches
 * for all that was before. They come from a walk over the log that must end in the head which
 * the change follows: what the old authority signed and this host has seen.
 */
#include "registry/change.h"

#include "base/log.h"

#include <stdlib.h>
#include <string.h>

struct vouching {
	struct change *change;
	struct store *store; /* a connection of its own: nobody waits for the walk */
	int64_t last;
	unsigned char hash[CHAIN_HASH_SIZE];
	struct page_record page;
};

static CK_RV
page_add(struct vouching *vouching)
{
	struct addition addition = { .kind = ADDITION_PAGE };
	CK_RV rv;

	rv = page_record_encode(&vouching->page, &addition.entry.payload);
	if (rv != CKR_OK)
		return rv;
	buffer_clear(&vouching->page.hashes);
	return change_take(vouching->change, &addition);
}

/* CKR_DEVICE_ERROR: it does not follow the entry before. */
static CK_RV
vouch(struct vouching *vouching, const struct entry *entry)
{
	CK_RV rv;

	if (entry->sequence != vouching->last + 1 ||
	    memcmp(entry->previous, vouching->hash, CHAIN_HASH_SIZE) != 0)
		return CKR_DEVICE_ERROR;
	rv = entry_hash(entry, vouching->hash);
	if (rv != CKR_OK)
		return rv;
	vouching->last = entry->sequence;
	if (vouching->page.hashes.size == 0)
		vouching->page.first = entry->sequence;
	rv = buffer_append(&vouching->page.hashes, vouching->hash, CHAIN_HASH_SIZE);
	if (rv == CKR_OK && vouching->page.hashes.size == PAGE_ENTRIES * PAGE_HASH_SIZE)
		rv = page_add(vouching);
	return rv;
}

static CK_RV
walk(struct vouching *vouching)
{
	const struct registry_head *follows = &vouching->change->follows;
	struct entry entry = { .sequence = 0 };
	sqlite3_stmt *row = NULL;
	int result = SQLITE_DONE;
	CK_RV rv;

	rv = store_statement(vouching->store, ENTRIES, &row);
	while (rv == CKR_OK && vouching->last < follows->sequence &&
	       (result = sqlite3_step(row)) == SQLITE_ROW) {
		entry.sequence = sqlite3_column_int64(row, 0);
		rv = entry_column(row, 1, &entry);
		if (rv == CKR_OK)
			rv = vouch(vouching, &entry);
	}
	if (rv == CKR_OK && result != SQLITE_ROW && result != SQLITE_DONE)
		rv = store_failure(vouching->store, result);
	store_done(row);
	entry_clear(&entry);
	if (rv == CKR_OK && (vouching->last != follows->sequence ||
	                     memcmp(vouching->hash, follows->hash, CHAIN_HASH_SIZE) != 0))
		rv = CKR_DEVICE_ERROR;
	return rv;
}

static CK_RV
add_pages(struct registry *registry, struct change *change)
{
	struct vouching vouching = { .change = change };
	char *why = NULL;
	CK_RV rv;

	rv = store_open(registry->path, registry_read_use(registry), &vouching.store, &why);
	if (rv != CKR_OK) {
		log_error("%s", why == NULL ? registry->path : why);
		free(why);
		return rv;
	}
	rv = walk(&vouching);
	if (rv == CKR_OK && vouching.page.hashes.size != 0)
		rv = page_add(&vouching);
	store_close(&vouching.store);
	page_record_clear(&vouching.page);
	if (rv == CKR_DEVICE_ERROR)
		log_error("%s: the log is not whole up to its head, so that no new authority can vouch for "
		          "it; run p11-kms verify, and put a backup back", registry->path);
	return rv;
}

/* As the new one's signer and the checks of its signatures need it. */
static CK_RV
successor_new(const struct handover_record *record, int64_t since, struct term **ret_term)
{
	struct term *term = calloc(1, sizeof *term);
	CK_RV rv;

	if (term == NULL)
		return CKR_HOST_MEMORY;
	term->since = since;
	term->created = record->created;
	rv = authority_new(record->spki.data, record->spki.size, &term->authority);
	if (rv == CKR_OK)
		rv = buffer_set(&term->id, record->id.data, record->id.size);
	if (rv != CKR_OK) {
		authority_free(&term->authority);
		free(term);
		return rv;
	}
	*ret_term = term;
	return CKR_OK;
}

CK_RV
change_add_handover(struct registry *registry, struct change *change,
                    const struct handover_record *record)
{
	struct addition addition = { .kind = ADDITION_HANDOVER };
	CK_RV rv;

	if (change->now.count != 0 || change->follows.sequence == 0 ||
	    change->succession->handover_count >= HANDOVERS_MAX)
		return CKR_DATA_INVALID;
	rv = handover_record_encode(record, &addition.entry.payload);
	if (rv == CKR_OK)
		rv = successor_new(record, change_next(change), &addition.successor);
	if (rv == CKR_OK)
		rv = buffer_set(&addition.id, record->id.data, record->id.size);
	if (rv != CKR_OK) {
		addition_clear(&addition);
		return rv;
	}
	rv = change_take(change, &addition);
	return rv == CKR_OK ? add_pages(registry, change) : rv;
}
