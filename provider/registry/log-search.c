/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Looks for a CKA_ID, or a key's newest policy, in the log itself. The index can be changed by
 * whoever can write the file; an entry can't be taken out of the log without breaking its
 * chain. The signatures of entries need not be checked for that: the signed head vouches for the
 * hash of them all.
 */
#include "registry/internal.h"

#include "base/log.h"
#include "base/text.h"

#include <stdlib.h>
#include <string.h>

#include <jansson.h>

/* One of the CKA_IDs that are looked for. */
struct wanted {
	char *hex;   /* owned */
	size_t place; /* among those that the caller asked for */
	bool found;
	int64_t version; /* the newest entry of a version that has it; 0: none */
};

struct log_search {
	struct registry *registry;
	struct store *store;
	const char *needle; /* of policies; NULL: none, the chain is all that is looked at */
	struct wanted *wanted; /* CKA_IDs that are looked for, by their hexadecimal digits; borrowed */
	size_t wanted_count;
	int64_t last;
	unsigned char hash[CHAIN_HASH_SIZE];
	bool whole; /* the chain, so far */
	bool policies;        /* the needle is a name: of key records only, in a log whole or not */
	bool recovery;        /* one of those names a recovery key */
	struct buffer policy; /* the newest of those, owned */
};

/* No string of canonical JSON has these in it: its quotes are escaped there. The first: the end of both "id" and "authority_id". */
#define ID_NEEDLE "id\":\""
#define VERSION_NEEDLE "\"type\":\"version\""
#define POLICY_NEEDLE "\"type\":\"key\""
#define RECOVERY_NEEDLE "\"recovery\":"

static bool
has(const struct entry *entry, const char *needle)
{
	return entry->payload.size != 0 &&
	       memmem(entry->payload.data, entry->payload.size, needle, strlen(needle)) != NULL;
}

static int
wanted_compare(const void *a, const void *b)
{
	const struct wanted *left = a, *right = b;

	return strcmp(left->hex, right->hex);
}

/* The CKA_ID that the entry is about, if it is one of those: each record has one at most. */
static void
look_for_id(struct log_search *search, const struct entry *entry)
{
	char hex[2 * RECORD_ID_MAX + 1];
	struct wanted key = { .hex = hex }, *met;
	const char *payload = (const char *)entry->payload.data, *end, *at;

	if (search->wanted_count == 0 || entry->payload.size == 0)
		return;
	end = payload + entry->payload.size;
	at = memmem(payload, entry->payload.size, ID_NEEDLE, strlen(ID_NEEDLE));
	if (at == NULL)
		return;
	at += strlen(ID_NEEDLE);
	for (size_t i = 0; at + i < end && i < sizeof hex; i++) {
		hex[i] = at[i];
		if (at[i] == '"') {
			hex[i] = '\0';
			met = bsearch(&key, search->wanted, search->wanted_count, sizeof key, wanted_compare);
			/* One that is asked for twice is found at any of its places. */
			if (met != NULL) {
				met->found = true;
				met->version = has(entry, VERSION_NEEDLE) ? entry->sequence : met->version;
			}
			return;
		}
	}
}

static CK_RV
look_at(struct log_search *search, const struct entry *entry)
{
	CK_RV rv = CKR_OK;

	if (entry->sequence != search->last + 1 ||
	    memcmp(entry->previous, search->hash, CHAIN_HASH_SIZE) != 0)
		search->whole = false;
	search->last = entry->sequence;
	look_for_id(search, entry);
	if (search->needle != NULL && has(entry, search->needle) && has(entry, POLICY_NEEDLE)) {
		search->recovery = search->recovery || has(entry, RECOVERY_NEEDLE);
		rv = buffer_set(&search->policy, entry->payload.data, entry->payload.size);
	}
	return rv == CKR_OK ? entry_hash(entry, search->hash) : rv;
}

static CK_RV
walk(struct log_search *search)
{
	struct entry entry = { .sequence = 0 };
	sqlite3_stmt *row = NULL;
	int result;
	CK_RV rv;

	rv = store_statement(search->store, ENTRIES, &row);
	while (rv == CKR_OK && (search->whole || search->policies) &&
	       (result = sqlite3_step(row)) != SQLITE_DONE) {
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
	rv = store_open(search->registry->path, registry_read_use(search->registry),
	                &search->store, &why);
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
	if (rv == CKR_OK && !search->whole && !search->policies) {
		log_error("%s: the log is not whole: entries were changed or taken out; run p11-kms verify",
		          search->registry->path);
		rv = CKR_DEVICE_ERROR;
	}
	return rv;
}

CK_RV
registry_check_chain(struct registry *registry)
{
	struct log_search search = { .registry = registry, .whole = true };

	return search_store(&search);
}

static void
wanted_free(struct wanted *wanted, size_t count)
{
	for (size_t i = 0; i < count; i++)
		free(wanted[i].hex);
	free(wanted);
}

CK_RV
registry_log_find_ids(struct registry *registry, const struct buffer *const *ids, size_t count,
                      bool *ret_has)
{
	struct log_search search = { .registry = registry, .whole = true };
	struct wanted *wanted = calloc(count == 0 ? 1 : count, sizeof *wanted);
	CK_RV rv = wanted == NULL ? CKR_HOST_MEMORY : CKR_OK;

	for (size_t i = 0; rv == CKR_OK && i < count; i++) {
		wanted[i].place = i;
		wanted[i].hex = hex_dup(ids[i]->data, ids[i]->size);
		if (wanted[i].hex == NULL)
			rv = CKR_HOST_MEMORY;
	}
	if (rv == CKR_OK) {
		qsort(wanted, count, sizeof *wanted, wanted_compare);
		search.wanted = wanted;
		search.wanted_count = count;
		rv = search_store(&search);
	}
	for (size_t i = 0; rv == CKR_OK && i < count; i++) {
		const struct wanted *met = bsearch(&wanted[i], wanted, count, sizeof *wanted, wanted_compare);

		ret_has[wanted[i].place] = met->found;
	}
	wanted_free(wanted, wanted == NULL ? 0 : count);
	return rv;
}

CK_RV
registry_log_has_id(struct registry *registry, const void *id, size_t id_size, bool *ret_has)
{
	const struct buffer wanted = { (unsigned char *)id, id_size, id_size }; /* borrowed */
	const struct buffer *const ids[] = { &wanted };

	return registry_log_find_ids(registry, ids, 1, ret_has);
}

/*
 * Its bytes: what is signed again as it was is as good. Of a log that is not whole the last one
 * can't be told: one broken entry costs no other key anything, but where there ever was a
 * recovery key none is guessed at.
 */
static CK_RV
policy_is_newest(struct registry *registry, const struct key_record *key, const char *needle,
                 bool *ret_newest)
{
	struct log_search search = {
		.registry = registry, .needle = needle, .whole = true, .policies = true
	};
	struct buffer payload = BUFFER_INIT;
	CK_RV rv = search_store(&search);

	if (rv == CKR_OK)
		rv = key_record_encode(key, &payload);
	if (rv == CKR_OK)
		*ret_newest = search.whole ? buffer_equal(&search.policy, payload.data, payload.size)
		                           : key->recovery.size == 0 && !search.recovery;
	buffer_clear(&search.policy);
	buffer_clear(&payload);
	return rv;
}

/* What a record of that key has in it. Caller frees. NULL: no memory. */
static char *
name_needle(const char *name)
{
	json_t *text = json_string(name);
	char *quoted = text == NULL ? NULL : json_dumps(text, JSON_ENCODE_ANY);
	char *needle = quoted == NULL ? NULL : text_format("\"name\":%s", quoted);

	free(quoted);
	json_decref(text);
	return needle;
}

CK_RV
registry_key_newest(struct registry *registry, const char *name, struct key_record **ret_key)
{
	char *needle = name_needle(name);
	struct key_record *key = NULL;
	bool newest = false;
	CK_RV rv = needle == NULL ? CKR_HOST_MEMORY : CKR_OK;

	/* A policy that is set between the two looks is no contradiction. */
	for (int tries = 0; rv == CKR_OK && !newest && tries < 3; tries++) {
		key_record_free(&key);
		rv = registry_key(registry, name, &key);
		if (rv == CKR_OK)
			rv = policy_is_newest(registry, key, needle, &newest);
	}
	free(needle);
	if (rv == CKR_OK && !newest) {
		log_error("%s: it can't be told that the index has the newest policy of the key %s, so that it "
		          "is not used; run p11-kms verify, and find out who has changed the registry's file",
		          registry->path, name);
		rv = CKR_DEVICE_ERROR;
	}
	if (rv == CKR_OK)
		*ret_key = key;
	else
		key_record_free(&key);
	return rv;
}

/* Both are the newest that the log, which must be whole, has of them. */
static CK_RV
both_are_newest(struct registry *registry, const struct version *version,
                const struct key_record *key, bool *ret_newest)
{
	struct wanted wanted = { .hex = hex_dup(version->id.data, version->id.size) };
	struct log_search search = {
		.registry = registry, .needle = name_needle(key->name), .wanted = &wanted,
		.wanted_count = 1, .whole = true
	};
	struct buffer payload = BUFFER_INIT;
	CK_RV rv = wanted.hex == NULL || search.needle == NULL ? CKR_HOST_MEMORY : CKR_OK;

	if (rv == CKR_OK)
		rv = search_store(&search);
	if (rv == CKR_OK)
		rv = key_record_encode(key, &payload);
	if (rv == CKR_OK)
		*ret_newest = wanted.version == version->sequence &&
		              buffer_equal(&search.policy, payload.data, payload.size);
	buffer_clear(&search.policy);
	buffer_clear(&payload);
	free((char *)search.needle);
	free(wanted.hex);
	return rv;
}

CK_RV
registry_version_newest(struct registry *registry, int64_t object, struct version **ret_version,
                        struct key_record **ret_key)
{
	struct version *version = NULL;
	struct key_record *key = NULL;
	bool newest = false;
	CK_RV rv = CKR_OK;

	/* What is committed between the looks is no contradiction. */
	for (int tries = 0; rv == CKR_OK && !newest && tries < 3; tries++) {
		version_free(&version);
		key_record_free(&key);
		rv = registry_version(registry, object, &version);
		if (rv == CKR_OK)
			rv = registry_key(registry, version->name, &key);
		if (rv == CKR_OK)
			rv = both_are_newest(registry, version, key, &newest);
	}
	if (rv == CKR_OK && !newest) {
		log_error("%s: the index has an older entry of %s@%lld, or an older policy of the key, than the "
		          "log; run p11-kms verify, and find out who has changed the registry's file",
		          registry->path, version->name, (long long)version->number);
		rv = CKR_DEVICE_ERROR;
	}
	if (rv == CKR_OK) {
		*ret_version = version;
		*ret_key = key;
	} else {
		version_free(&version);
		key_record_free(&key);
	}
	return rv;
}
