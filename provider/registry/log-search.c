/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Looks for a CKA_ID in the log itself. The index can be changed by whoever can write the
 * file; an entry can't be taken out of the log without breaking its chain. The signatures of
 * entries need not be checked for that: the signed head vouches for the hash of them all.
 */
#include "registry/internal.h"

#include "base/log.h"
#include "base/text.h"

#include <stdlib.h>
#include <string.h>

struct log_search {
	struct registry *registry;
	struct store *store;
	const char *needle;
	int64_t last;
	unsigned char hash[CHAIN_HASH_SIZE];
	bool whole; /* the chain, so far */
	bool found;
};

static CK_RV
look_at(struct log_search *search, const struct entry *entry)
{
	if (entry->sequence != search->last + 1 ||
	    memcmp(entry->previous, search->hash, CHAIN_HASH_SIZE) != 0)
		search->whole = false;
	search->last = entry->sequence;
	if (entry->payload.size != 0 &&
	    memmem(entry->payload.data, entry->payload.size, search->needle,
	           strlen(search->needle)) != NULL)
		search->found = true;
	return entry_hash(entry, search->hash);
}

static CK_RV
walk(struct log_search *search)
{
	struct entry entry = { .sequence = 0 };
	sqlite3_stmt *row = NULL;
	int result;
	CK_RV rv;

	rv = store_statement(search->store, ENTRIES, &row);
	while (rv == CKR_OK && search->whole && (result = sqlite3_step(row)) != SQLITE_DONE) {
		if (result != SQLITE_ROW) {
			rv = store_failure(search->store, result);
			break;
		}
		entry.sequence = sqlite3_column_int64(row, 0);
		rv = entry_column(row, 1, &entry);
		if (rv == CKR_OK)
			rv = look_at(search, &entry);
	}
	store_done(row);
	entry_clear(&entry);
	return rv;
}

/* The chain must end in the head, and the head be signed. */
static CK_RV
check_end(struct log_search *search)
{
	struct head_row row = { .present = false };
	struct handovers handovers = { NULL, 0 };
	struct succession *succession = NULL;
	const char *wrong = NULL;
	CK_RV rv;

	rv = chain_head(search->store, &row);
	if (rv != CKR_OK)
		return rv;
	rv = handovers_read(search->store, &handovers);
	if (rv == CKR_OK)
		rv = succession_follow(search->registry->authority, &handovers, &succession);
	if (rv == CKR_OK)
		rv = head_row_check(&row, succession_current(succession)->authority, &wrong);
	if (rv == CKR_OK && (wrong != NULL || row.head.sequence != search->last ||
	                     memcmp(row.head.hash, search->hash, CHAIN_HASH_SIZE) != 0))
		search->whole = false;
	succession_release(&succession);
	handovers_clear(&handovers);
	head_row_clear(&row);
	return rv;
}

static CK_RV
search_store(struct log_search *search)
{
	char *why = NULL;
	CK_RV rv;

	/* A connection of its own: nobody waits for the walk. */
	rv = store_open(search->registry->path, false, &search->store, &why);
	if (rv != CKR_OK) {
		log_error("%s", why == NULL ? search->registry->path : why);
		free(why);
		return rv;
	}
	rv = store_run_plain(search->store, BEGIN_READ);
	if (rv == CKR_OK)
		rv = walk(search);
	if (rv == CKR_OK && search->whole)
		rv = check_end(search);
	store_close(&search->store);
	if (rv == CKR_OK && !search->whole) {
		log_error("%s: the log is not whole, so that it can't be told which pairs are in use; run "
		          "p11-kms verify", search->registry->path);
		rv = CKR_DEVICE_ERROR;
	}
	return rv;
}

CK_RV
registry_log_has_id(struct registry *registry, const void *id, size_t id_size, bool *ret_has)
{
	struct log_search search = { .registry = registry, .whole = true };
	char *hex = hex_dup(id, id_size), *needle = NULL;
	CK_RV rv = CKR_HOST_MEMORY;

	/* Canonical JSON: the ends of both "id" and "authority_id" (doc/registry-format.md). */
	if (hex != NULL)
		needle = text_format("id\":\"%s\"", hex);
	if (needle != NULL) {
		search.needle = needle;
		rv = search_store(&search);
	}
	if (rv == CKR_OK)
		*ret_has = search.found;
	free(needle);
	free(hex);
	return rv;
}
