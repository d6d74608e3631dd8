/* SPDX-License-Identifier: Apache-2.0 */
/* Reading records: a row of the index, the entry it points to, the entry's signature, its record. */
#include "registry/internal.h"

#include <stdlib.h>
#include <string.h>

/* What the index says of one record. */
struct index_row {
	struct entry entry;
	bool malformed; /* the entry is missing, or its columns are no entry */
	char *name;
	int64_t number;
	struct buffer id;
	char *state;
};

static void
index_row_clear(struct index_row *row)
{
	entry_clear(&row->entry);
	buffer_clear(&row->id);
	free(row->name);
	free(row->state);
	memset(row, 0, sizeof *row);
}

static char *
column_text_dup(sqlite3_stmt *row, int column)
{
	const char *text = (const char *)sqlite3_column_text(row, column);

	return strdup(text == NULL ? "" : text);
}

/*
 * Columns 1 to 4 of VERSION_READ. A CKA_ID that is no BLOB is none: SQLite's types are per value, and
 * reading one as another may move it.
 */
static CK_RV
version_columns(sqlite3_stmt *statement, struct index_row *row)
{
	const void *id;

	row->name = column_text_dup(statement, 1);
	row->number = sqlite3_column_int64(statement, 2);
	row->state = column_text_dup(statement, 4);
	if (row->name == NULL || row->state == NULL)
		return CKR_HOST_MEMORY;
	if (sqlite3_column_type(statement, 3) != SQLITE_BLOB)
		return CKR_OK;
	id = sqlite3_column_blob(statement, 3);
	return buffer_set(&row->id, id, (size_t)sqlite3_column_bytes(statement, 3));
}

/* Steps once and copies the row; the entry's columns begin at entry_column_first. */
static CK_RV
row_read(struct store *store, sqlite3_stmt *statement, int entry_first, struct index_row *row)
{
	int result = sqlite3_step(statement);
	CK_RV rv = CKR_OK;

	if (result == SQLITE_DONE)
		return CKR_OBJECT_HANDLE_INVALID;
	if (result != SQLITE_ROW)
		return store_failure(store, result);
	row->entry.sequence = sqlite3_column_int64(statement, 0);
	if (entry_first > 1)
		rv = version_columns(statement, row);
	if (rv != CKR_OK)
		return rv;
	rv = entry_column(statement, entry_first, &row->entry);
	if (rv != CKR_DEVICE_ERROR)
		return rv;
	row->malformed = true;
	return CKR_OK;
}

/* Locks, binds object or name (or neither) to ?1, reads one row. */
static CK_RV
index_row_read(struct registry *registry, enum statement which, int64_t object, const char *name,
               int entry_first, struct index_row *row)
{
	sqlite3_stmt *statement = NULL;
	CK_RV rv;

	memset(row, 0, sizeof *row);
	(void)pthread_mutex_lock(&registry->lock);
	rv = store_statement(registry->store, which, &statement);
	if (rv == CKR_OK) {
		if (object != 0)
			sqlite3_bind_int64(statement, 1, object);
		if (name != NULL)
			sqlite3_bind_text(statement, 1, name, -1, SQLITE_STATIC);
		rv = row_read(registry->store, statement, entry_first, row);
		store_done(statement);
	}
	(void)pthread_mutex_unlock(&registry->lock);
	if (rv != CKR_OK)
		index_row_clear(row);
	return rv;
}

/* The entry is there and signed by the authority. */
static CK_RV
index_row_verify(struct registry *registry, const struct index_row *row)
{
	CK_RV rv;

	if (row->malformed) {
		registry_report(registry, row->entry.sequence, "is in the index, but missing or malformed");
		return CKR_DEVICE_ERROR;
	}
	rv = registry_entry_verify(registry, &row->entry);
	if (rv == CKR_SIGNATURE_INVALID) {
		registry_report(registry, row->entry.sequence, "is not signed by the pinned authority");
		return CKR_DEVICE_ERROR;
	}
	return rv;
}

/* After decoding gave rv: a signed record that can't be read, or is another than the index says. */
static CK_RV
index_row_decoded(struct registry *registry, const struct index_row *row, CK_RV rv, bool matches)
{
	if (rv == CKR_DATA_INVALID)
		registry_report(registry, row->entry.sequence, "is not the kind of record the index says");
	else if (rv == CKR_OK && !matches)
		registry_report(registry, row->entry.sequence, "is not what the index says of it");
	if (rv == CKR_DATA_INVALID || (rv == CKR_OK && !matches))
		return CKR_DEVICE_ERROR;
	return rv;
}

CK_RV
registry_version(struct registry *registry, int64_t object, struct version **ret_version)
{
	struct version *version = NULL;
	struct index_row row;
	bool matches = false;
	CK_RV rv;

	if (object < 1)
		return CKR_OBJECT_HANDLE_INVALID;
	rv = index_row_read(registry, VERSION_READ, object, NULL, 5, &row);
	if (rv != CKR_OK)
		return rv;
	rv = index_row_verify(registry, &row);
	if (rv != CKR_OK)
		goto out;
	rv = version_decode(row.entry.payload.data, row.entry.payload.size, &version);
	if (rv == CKR_OK)
		matches = version->object == object && version->number == row.number &&
		          strcmp(version->name, row.name) == 0 &&
		          buffer_equal(&version->id, row.id.data, row.id.size) &&
		          strcmp(version_state_name(version->state), row.state) == 0;
	rv = index_row_decoded(registry, &row, rv, matches);
	if (rv != CKR_OK)
		goto out;
	version->sequence = row.entry.sequence;
	*ret_version = version;
	version = NULL;
out:
	version_free(&version);
	index_row_clear(&row);
	return rv;
}

CK_RV
registry_version_sequence(struct registry *registry, int64_t object, int64_t *ret_sequence)
{
	sqlite3_stmt *statement = NULL;
	int result;
	CK_RV rv;

	(void)pthread_mutex_lock(&registry->lock);
	rv = store_statement(registry->store, VERSION_SEQUENCE, &statement);
	if (rv == CKR_OK) {
		sqlite3_bind_int64(statement, 1, object);
		result = sqlite3_step(statement);
		if (result == SQLITE_ROW)
			*ret_sequence = sqlite3_column_int64(statement, 0);
		else if (result == SQLITE_DONE)
			rv = CKR_OBJECT_HANDLE_INVALID;
		else
			rv = store_failure(registry->store, result);
		store_done(statement);
	}
	(void)pthread_mutex_unlock(&registry->lock);
	return rv;
}

CK_RV
registry_key(struct registry *registry, const char *name, struct key_record **ret_key)
{
	struct key_record *key = NULL;
	struct index_row row;
	CK_RV rv;

	rv = index_row_read(registry, KEY_READ, 0, name, 1, &row);
	if (rv != CKR_OK)
		return rv;
	rv = index_row_verify(registry, &row);
	if (rv != CKR_OK)
		goto out;
	rv = key_record_decode(row.entry.payload.data, row.entry.payload.size, &key);
	rv = index_row_decoded(registry, &row, rv, rv == CKR_OK && strcmp(key->name, name) == 0);
	if (rv != CKR_OK)
		goto out;
	*ret_key = key;
	key = NULL;
out:
	key_record_free(&key);
	index_row_clear(&row);
	return rv;
}

CK_RV
registry_token(struct registry *registry, struct token_record **ret_token)
{
	struct index_row row;
	CK_RV rv;

	rv = index_row_read(registry, TOKEN_READ, 0, NULL, 1, &row);
	if (rv != CKR_OK)
		return rv;
	rv = index_row_verify(registry, &row);
	if (rv == CKR_OK) {
		rv = token_record_decode(row.entry.payload.data, row.entry.payload.size, ret_token);
		rv = index_row_decoded(registry, &row, rv, true);
	}
	index_row_clear(&row);
	return rv;
}

CK_RV
registry_object(struct registry *registry, int64_t object, struct object_record **ret_record)
{
	struct object_record *record = NULL;
	struct index_row row;
	CK_RV rv;

	if (object < 1)
		return CKR_OBJECT_HANDLE_INVALID;
	rv = index_row_read(registry, OBJECT_READ, object, NULL, 1, &row);
	if (rv != CKR_OK)
		return rv;
	rv = index_row_verify(registry, &row);
	if (rv == CKR_OK) {
		rv = object_record_decode(row.entry.payload.data, row.entry.payload.size, &record);
		rv = index_row_decoded(registry, &row, rv,
		                       rv == CKR_OK && record->object == object && !record->removed);
	}
	if (rv == CKR_OK) {
		*ret_record = record;
		record = NULL;
	}
	object_record_free(&record);
	index_row_clear(&row);
	return rv;
}
