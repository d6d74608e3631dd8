/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Walking the whole registry, in one snapshot of a connection of its own: nobody waits, and
 * memory does not grow with the log.
 *
 * Whether the index is right is told without remembering the log: no row may be older than
 * an entry about the same thing, and the entry that a row points to must say what the row
 * says. A row that no such entry meets is one too many.
 */
#include "registry/internal.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* The rows of one table of the index that were met by the entry they point to. */
struct tally {
	int64_t met;
	int64_t rows;
};

struct walk {
	struct registry *registry;
	struct store *store;
	registry_finding finding;
	void *context;
	int64_t findings;
	int64_t entries;
	int64_t last; /* sequence of the entry before */
	unsigned char hash[CHAIN_HASH_SIZE];
	struct tally versions, keys, tokens, objects;
	struct succession *succession; /* owned; who signs, by the index */
	struct authority *signer;      /* owned; who signs, by the log so far; NULL: one from before the pinned one, who is not known */
	int64_t since;                 /* the last hand-over so far */
	int64_t last_page;             /* up to which entry the pages of the past go that follow it */
	int64_t handovers_met;
};

static void
found(struct walk *walk, int64_t sequence, int64_t object, const char *what)
{
	walk->findings++;
	if (walk->finding != NULL)
		walk->finding(walk->context, sequence, object, what);
}

/* Steps a statement that finds at most one row. CKR_OBJECT_HANDLE_INVALID: none. */
static CK_RV
step_one(struct walk *walk, sqlite3_stmt *statement)
{
	int result = sqlite3_step(statement);

	if (result == SQLITE_ROW)
		return CKR_OK;
	return result == SQLITE_DONE ? CKR_OBJECT_HANDLE_INVALID : store_failure(walk->store, result);
}

/* The row is about the entry at sequence, or about a newer one. */
static void
compare_sequence(struct walk *walk, int64_t row_sequence, int64_t sequence, int64_t object,
                 struct tally *tally)
{
	if (row_sequence == sequence)
		tally->met++;
	else if (row_sequence < sequence)
		found(walk, sequence, object, "the index has an older entry than this one");
}

static bool
row_names(sqlite3_stmt *row, const struct version *version)
{
	const char *name = (const char *)sqlite3_column_text(row, 1);

	return name != NULL && strcmp(name, version->name) == 0 &&
	       sqlite3_column_int64(row, 2) == version->number &&
	       sqlite3_column_type(row, 3) == SQLITE_BLOB &&
	       (size_t)sqlite3_column_bytes(row, 3) == version->id.size &&
	       memcmp(sqlite3_column_blob(row, 3), version->id.data, version->id.size) == 0;
}

static CK_RV
check_version(struct walk *walk, const struct entry *entry, const struct version *version)
{
	sqlite3_stmt *row = NULL;
	const char *state;
	CK_RV rv;

	if (version->object > entry->sequence) {
		found(walk, entry->sequence, version->object, "names an object that comes after it");
		return CKR_OK;
	}
	rv = store_statement(walk->store, VERSION_ROW, &row);
	if (rv != CKR_OK)
		return rv;
	sqlite3_bind_int64(row, 1, version->object);
	rv = step_one(walk, row);
	if (rv == CKR_OBJECT_HANDLE_INVALID) {
		found(walk, entry->sequence, version->object, "the version is missing in the index");
		rv = CKR_OK;
	} else if (rv == CKR_OK) {
		compare_sequence(walk, sqlite3_column_int64(row, 0), entry->sequence, version->object,
		                 &walk->versions);
		if (!row_names(row, version))
			found(walk, entry->sequence, version->object,
			      "the index has another name, number or CKA_ID for the version");
		state = (const char *)sqlite3_column_text(row, 4);
		if (sqlite3_column_int64(row, 0) == entry->sequence &&
		    (state == NULL || strcmp(state, version_state_name(version->state)) != 0))
			found(walk, entry->sequence, version->object,
			      "the index has another state for the version");
	}
	store_done(row);
	return rv;
}

/* name NULL: the token's row. */
static CK_RV
check_record(struct walk *walk, const struct entry *entry, const char *name, struct tally *tally)
{
	sqlite3_stmt *row = NULL;
	CK_RV rv;

	rv = store_statement(walk->store, name == NULL ? TOKEN_READ : KEY_READ, &row);
	if (rv != CKR_OK)
		return rv;
	if (name != NULL)
		sqlite3_bind_text(row, 1, name, -1, SQLITE_STATIC);
	rv = step_one(walk, row);
	if (rv == CKR_OBJECT_HANDLE_INVALID) {
		found(walk, entry->sequence, 0, name == NULL ? "the token is missing in the index" :
		                                               "the key is missing in the index");
		rv = CKR_OK;
	} else if (rv == CKR_OK) {
		compare_sequence(walk, sqlite3_column_int64(row, 0), entry->sequence, 0, tally);
	}
	store_done(row);
	return rv;
}

static CK_RV
check_object(struct walk *walk, const struct entry *entry, const struct object_record *record)
{
	sqlite3_stmt *row = NULL;
	CK_RV rv = store_statement(walk->store, OBJECT_ROW, &row);

	if (rv != CKR_OK)
		return rv;
	sqlite3_bind_int64(row, 1, record->object);
	rv = step_one(walk, row);
	if (rv == CKR_OBJECT_HANDLE_INVALID) {
		found(walk, entry->sequence, record->object, "the object is missing in the index");
		rv = CKR_OK;
	} else if (rv == CKR_OK) {
		compare_sequence(walk, sqlite3_column_int64(row, 0), entry->sequence, record->object,
		                 &walk->objects);
		if (sqlite3_column_int64(row, 0) == entry->sequence &&
		    (sqlite3_column_int(row, 1) != 0) != record->removed)
			found(walk, entry->sequence, record->object,
			      "the index says otherwise whether the object was removed");
	}
	store_done(row);
	return rv;
}

/* believed: the entry is signed by whom it should be. */
static CK_RV
check_handover(struct walk *walk, const struct entry *entry, const struct handover_record *record,
               bool believed)
{
	const struct succession *succession = walk->succession;
	struct authority *signer = NULL;
	bool met = false;
	CK_RV rv;

	for (size_t i = 0; !met && i < succession->handover_count; i++)
		met = succession->handovers[i] == entry->sequence;
	walk->handovers_met += met;
	if (!met)
		found(walk, entry->sequence, 0, "the hand-over is missing in the index");
	walk->since = entry->sequence;
	walk->last_page = page_sequence(entry->sequence, entry->sequence - 1);
	if (!believed)
		return CKR_OK;
	rv = authority_new(record->spki.data, record->spki.size, &signer);
	if (rv == CKR_HOST_MEMORY)
		return rv;
	if (rv != CKR_OK) {
		found(walk, entry->sequence, 0, "hands over to a key that can't be an authority");
		return CKR_OK;
	}
	authority_free(&walk->signer);
	walk->signer = signer;
	return CKR_OK;
}

static CK_RV
compare_page(struct walk *walk, const struct entry *entry, const struct page_record *page)
{
	unsigned char hash[CHAIN_HASH_SIZE];
	struct entry old = { .sequence = 0 };
	size_t count = page->hashes.size / PAGE_HASH_SIZE, place = 0;
	sqlite3_stmt *row = NULL;
	CK_RV rv;

	rv = store_statement(walk->store, ENTRIES_FROM, &row);
	if (rv != CKR_OK)
		return rv;
	sqlite3_bind_int64(row, 1, page->first);
	sqlite3_bind_int64(row, 2, (int64_t)count);
	for (; rv == CKR_OK && place < count && sqlite3_step(row) == SQLITE_ROW; place++) {
		old.sequence = sqlite3_column_int64(row, 0);
		rv = entry_column(row, 1, &old);
		if (rv == CKR_OK)
			rv = entry_hash(&old, hash);
		if (rv == CKR_OK && memcmp(hash, page->hashes.data + place * PAGE_HASH_SIZE,
		                           CHAIN_HASH_SIZE) != 0)
			break;
	}
	store_done(row);
	entry_clear(&old);
	if (rv == CKR_HOST_MEMORY)
		return rv;
	if (place < count)
		found(walk, entry->sequence, 0, "vouches for other entries than those that the log has");
	return CKR_OK;
}

static CK_RV
check_page(struct walk *walk, const struct entry *entry)
{
	struct page_record page;
	CK_RV rv;

	rv = page_read(entry, walk->since, &page);
	if (rv == CKR_OK)
		rv = compare_page(walk, entry, &page);
	page_record_clear(&page);
	if (rv != CKR_DATA_INVALID)
		return rv;
	found(walk, entry->sequence, 0, "is not what vouches for entries before a hand-over");
	return CKR_OK;
}

/* What the succession of authorities needs. */
static CK_RV
check_succession(struct walk *walk, const struct entry *entry, bool believed)
{
	struct handover_record record;
	CK_RV rv;

	rv = handover_record_decode(entry->payload.data, entry->payload.size, &record);
	if (rv == CKR_OK)
		rv = check_handover(walk, entry, &record, believed);
	else if (rv == CKR_DATA_INVALID)
		rv = check_page(walk, entry);
	handover_record_clear(&record);
	return rv;
}

/* Tries the kinds of records, the most frequent first. */
static CK_RV
check_payload(struct walk *walk, const struct entry *entry, bool believed)
{
	struct version *version = NULL;
	struct key_record *key = NULL;
	struct token_record *token = NULL;
	struct object_record *object = NULL;
	CK_RV rv;

	rv = version_decode(entry->payload.data, entry->payload.size, &version);
	if (rv == CKR_OK) {
		rv = check_version(walk, entry, version);
		version_free(&version);
		return rv;
	}
	if (rv == CKR_DATA_INVALID)
		rv = key_record_decode(entry->payload.data, entry->payload.size, &key);
	if (rv == CKR_OK) {
		rv = check_record(walk, entry, key->name, &walk->keys);
		key_record_free(&key);
		return rv;
	}
	if (rv == CKR_DATA_INVALID)
		rv = token_record_decode(entry->payload.data, entry->payload.size, &token);
	if (rv == CKR_OK) {
		rv = check_record(walk, entry, NULL, &walk->tokens);
		token_record_free(&token);
		return rv;
	}
	if (rv == CKR_DATA_INVALID)
		rv = object_record_decode(entry->payload.data, entry->payload.size, &object);
	if (rv == CKR_OK) {
		rv = check_object(walk, entry, object);
		object_record_free(&object);
		return rv;
	}
	return rv == CKR_DATA_INVALID ? check_succession(walk, entry, believed) : rv;
}

/* Those from before the pinned authority's term are chained to it, and vouched for, but their signers are not known. */
static CK_RV
check_signature(struct walk *walk, const struct entry *entry, bool *ret_believed)
{
	CK_RV rv;

	*ret_believed = walk->signer == NULL && entry->sequence == walk->succession->terms[0].since;
	if (walk->signer == NULL)
		return CKR_OK;
	rv = entry_verify(entry, walk->signer);
	*ret_believed = rv == CKR_OK;
	if (rv != CKR_SIGNATURE_INVALID)
		return rv;
	found(walk, entry->sequence, 0, walk->since <= walk->succession->terms[0].since ?
	                                "is not signed by the pinned authority" :
	                                "is not signed by the authority of its time");
	return CKR_OK;
}

static CK_RV
check_entry(struct walk *walk, const struct entry *entry)
{
	bool believed = false, page = entry->sequence <= walk->last_page;
	int64_t findings;
	CK_RV rv;

	if (entry->sequence != walk->last + 1)
		found(walk, entry->sequence, 0, "does not follow the entry before: entries are missing");
	if (memcmp(entry->previous, walk->hash, CHAIN_HASH_SIZE) != 0)
		found(walk, entry->sequence, 0, "the chain is broken: the entry before is not the one it follows");
	rv = entry_hash(entry, walk->hash);
	if (rv != CKR_OK)
		return rv;
	findings = walk->findings;
	rv = check_signature(walk, entry, &believed);
	if (rv != CKR_OK || walk->findings != findings)
		return rv;
	return page ? check_page(walk, entry) : check_payload(walk, entry, believed);
}

/* Who signs the first entry: the pinned authority, unless it is one that was handed over to. */
static CK_RV
walk_begin(struct walk *walk)
{
	struct handovers handovers = { NULL, 0 };
	const struct term *pinned;
	CK_RV rv;

	rv = handovers_read(walk->store, &handovers);
	if (rv == CKR_OK)
		rv = succession_follow(walk->registry->authority, &handovers, &walk->succession);
	handovers_clear(&handovers);
	if (rv != CKR_OK)
		return rv;
	pinned = &walk->succession->terms[0];
	if (pinned->since != 0)
		return CKR_OK;
	return authority_new(authority_spki(pinned->authority)->data,
	                     authority_spki(pinned->authority)->size, &walk->signer);
}

static CK_RV
walk_entries(struct walk *walk)
{
	struct entry entry = { .sequence = 0 };
	sqlite3_stmt *row = NULL;
	int result;
	CK_RV rv;

	rv = store_statement(walk->store, ENTRIES, &row);
	while (rv == CKR_OK && (result = sqlite3_step(row)) != SQLITE_DONE) {
		if (result != SQLITE_ROW) {
			rv = store_failure(walk->store, result);
			break;
		}
		walk->entries++;
		entry.sequence = sqlite3_column_int64(row, 0);
		rv = entry_column(row, 1, &entry);
		if (rv == CKR_OK) {
			rv = check_entry(walk, &entry);
		} else if (rv == CKR_DEVICE_ERROR) {
			found(walk, entry.sequence, 0, "is malformed: not the columns of an entry");
			rv = CKR_OK;
		}
		walk->last = entry.sequence;
	}
	store_done(row);
	entry_clear(&entry);
	return rv;
}

/* What SQLite itself finds: an index of its own that does not match its table. */
static CK_RV
walk_file(struct walk *walk)
{
	sqlite3_stmt *row = NULL;
	int result;
	CK_RV rv;

	rv = store_statement(walk->store, INTEGRITY, &row);
	if (rv != CKR_OK)
		return rv;
	while ((result = sqlite3_step(row)) == SQLITE_ROW) {
		const char *text = (const char *)sqlite3_column_text(row, 0);

		if (text != NULL && strcmp(text, "ok") != 0)
			found(walk, 0, 0, text);
	}
	if (result != SQLITE_DONE)
		rv = store_failure(walk->store, result);
	store_done(row);
	return rv;
}

static CK_RV
walk_head(struct walk *walk)
{
	struct head_row row = { .present = false };
	const char *wrong = NULL;
	CK_RV rv;

	rv = chain_head(walk->store, &row);
	if (rv != CKR_OK)
		return rv;
	rv = head_row_check(&row, succession_current(walk->succession)->authority, &wrong);
	if (rv == CKR_OK && wrong != NULL)
		found(walk, row.head.sequence, 0, wrong);
	else if (rv == CKR_OK && registry_expired(row.head.expires, clock_now()))
		found(walk, row.head.sequence, 0, "the head has expired; run p11-kms refresh");
	head_row_clear(&row);
	return rv;
}

static CK_RV
count_rows(struct walk *walk)
{
	sqlite3_stmt *row = NULL;
	CK_RV rv;

	rv = store_statement(walk->store, COUNT, &row);
	if (rv != CKR_OK)
		return rv;
	rv = step_one(walk, row);
	if (rv == CKR_OK) {
		walk->keys.rows = sqlite3_column_int64(row, 0);
		walk->versions.rows = sqlite3_column_int64(row, 1);
		walk->tokens.rows = sqlite3_column_int64(row, 2);
		walk->objects.rows = sqlite3_column_int64(row, 3);
	}
	store_done(row);
	return rv;
}

/* The row's entry (columns from first on) is a record of that row: else the row is one too many. */
static CK_RV
row_is_met(sqlite3_stmt *row, int first, int64_t object, const char *name, bool *ret_met)
{
	struct entry entry = { .sequence = 0 };
	struct version *version = NULL;
	struct key_record *key = NULL;
	CK_RV rv;

	*ret_met = false;
	rv = entry_column(row, first, &entry);
	if (rv == CKR_OK && name == NULL)
		rv = version_decode(entry.payload.data, entry.payload.size, &version);
	else if (rv == CKR_OK)
		rv = key_record_decode(entry.payload.data, entry.payload.size, &key);
	if (rv == CKR_OK)
		*ret_met = name == NULL ? version->object == object : strcmp(key->name, name) == 0;
	version_free(&version);
	key_record_free(&key);
	entry_clear(&entry);
	return rv == CKR_DEVICE_ERROR || rv == CKR_DATA_INVALID ? CKR_OK : rv;
}

/* Walks the rows of versions (which: VERSION_ROWS) or of keys (KEY_ROWS), for those without an entry. */
static CK_RV
walk_rows(struct walk *walk, enum statement which)
{
	sqlite3_stmt *row = NULL;
	bool met = false;
	int result;
	CK_RV rv;

	rv = store_statement(walk->store, which, &row);
	while (rv == CKR_OK && (result = sqlite3_step(row)) != SQLITE_DONE) {
		int64_t object = which == VERSION_ROWS ? sqlite3_column_int64(row, 0) : 0;
		const char *name = which == KEY_ROWS ? (const char *)sqlite3_column_text(row, 0) : NULL;

		if (result != SQLITE_ROW) {
			rv = store_failure(walk->store, result);
			break;
		}
		rv = row_is_met(row, 2, object, which == KEY_ROWS && name == NULL ? "" : name, &met);
		if (rv == CKR_OK && !met)
			found(walk, sqlite3_column_int64(row, 1), object,
			      which == VERSION_ROWS ? "the index has a version that this entry is not about" :
			                              "the index has a key that this entry is not about");
	}
	store_done(row);
	return rv;
}

static CK_RV
walk_index(struct walk *walk)
{
	CK_RV rv;

	rv = count_rows(walk);
	if (rv == CKR_OK && walk->versions.met != walk->versions.rows)
		rv = walk_rows(walk, VERSION_ROWS);
	if (rv == CKR_OK && walk->keys.met != walk->keys.rows)
		rv = walk_rows(walk, KEY_ROWS);
	if (rv == CKR_OK && walk->objects.met != walk->objects.rows)
		found(walk, 0, 0, "the index has an object that its entry is not about");
	if (rv == CKR_OK && walk->tokens.met != walk->tokens.rows)
		found(walk, 0, 0, "the index has a token that its entry is not about");
	if (rv == CKR_OK && walk->handovers_met != (int64_t)walk->succession->handover_count)
		found(walk, 0, 0, "the index has a hand-over that its entry is not");
	return rv;
}

CK_RV
registry_verify(struct registry *registry, registry_finding finding, void *context,
                int64_t *ret_entries, int64_t *ret_findings)
{
	struct walk walk = { .registry = registry, .finding = finding, .context = context };
	char *why = NULL;
	CK_RV rv;

	rv = store_open(registry->path, registry_read_use(registry), &walk.store, &why);
	if (rv != CKR_OK) {
		log_error("%s", why == NULL ? registry->path : why);
		free(why);
		return rv;
	}
	rv = store_run_plain(walk.store, BEGIN_READ);
	if (rv == CKR_OK)
		rv = walk_file(&walk);
	if (rv == CKR_OK)
		rv = walk_begin(&walk);
	if (rv == CKR_OK)
		rv = walk_entries(&walk);
	if (rv == CKR_OK)
		rv = walk_head(&walk);
	if (rv == CKR_OK)
		rv = walk_index(&walk);
	if (rv == CKR_OK)
		rv = store_run_plain(walk.store, COMMIT);
	store_close(&walk.store);
	succession_release(&walk.succession);
	authority_free(&walk.signer);
	if (rv != CKR_OK)
		return rv;
	*ret_entries = walk.entries;
	*ret_findings = walk.findings;
	return CKR_OK;
}
