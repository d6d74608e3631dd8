/* SPDX-License-Identifier: Apache-2.0 */
/* The rows of the index that the entries of a change get. */
#include "registry/change.h"

#include "base/log.h"

#include <inttypes.h>

/* Of a pair that is in the log now. Whoever gave it up meanwhile may be destroying the pair. */
static CK_RV
intent_use(struct store *store, const struct buffer *id, enum intended intended)
{
	sqlite3_stmt *statement = NULL;
	int64_t others = 0;
	CK_RV rv;

	rv = store_statement(store, intended != INTENDED_NOT ? INTENT_USE : INTENT_COUNT, &statement);
	if (rv != CKR_OK)
		return rv;
	sqlite3_bind_blob(statement, 1, id->data, (int)id->size, SQLITE_STATIC);
	if (intended != INTENDED_NOT) {
		sqlite3_bind_int64(statement, 2, intended == INTENDED_FAILED ? 1 - INTENT_MARK : 0);
		rv = store_run(store, statement);
		return rv == CKR_OK && sqlite3_changes(store->db) != 1 ? CKR_FUNCTION_CANCELED : rv;
	}
	rv = store_number(store, statement, &others);
	return rv == CKR_OK && others != 0 ? CKR_ACTION_PROHIBITED : rv;
}

static CK_RV
index_version(struct store *store, const struct addition *addition, enum intended intended)
{
	sqlite3_stmt *statement = NULL;
	CK_RV rv;

	rv = store_statement(store, addition->first ? VERSION_INSERT : VERSION_UPDATE, &statement);
	if (rv != CKR_OK)
		return rv;
	sqlite3_bind_int64(statement, 1, addition->object);
	sqlite3_bind_int64(statement, 2, addition->entry.sequence);
	sqlite3_bind_text(statement, 3, addition->name, -1, SQLITE_STATIC);
	sqlite3_bind_int64(statement, 4, addition->number);
	sqlite3_bind_blob(statement, 5, addition->id.data, (int)addition->id.size, SQLITE_STATIC);
	sqlite3_bind_text(statement, 6, version_state_name(addition->state), -1, SQLITE_STATIC);
	rv = store_run(store, statement);
	if (rv != CKR_OK)
		return rv;
	/* An update must find its row: same name, number and CKA_ID, an older entry. */
	if (sqlite3_changes(store->db) != 1) {
		log_error("%s: there is no version %s@%" PRId64 " that entry %" PRId64 " could follow",
		          store->path, addition->name, addition->number, addition->entry.sequence);
		return CKR_DATA_INVALID;
	}
	return addition->first ? intent_use(store, &addition->id, intended) : CKR_OK;
}

static CK_RV
index_record(struct store *store, const struct addition *addition)
{
	sqlite3_stmt *statement = NULL;
	CK_RV rv;

	rv = store_statement(store, addition->kind == ADDITION_KEY ? KEY_WRITE : TOKEN_WRITE, &statement);
	if (rv != CKR_OK)
		return rv;
	if (addition->kind == ADDITION_KEY) {
		sqlite3_bind_text(statement, 1, addition->name, -1, SQLITE_STATIC);
		sqlite3_bind_int64(statement, 2, addition->entry.sequence);
	} else {
		sqlite3_bind_int64(statement, 1, addition->entry.sequence);
	}
	return store_run(store, statement);
}

static CK_RV
index_object(struct store *store, const struct addition *addition)
{
	sqlite3_stmt *statement = NULL;
	CK_RV rv = store_statement(store, addition->first ? OBJECT_INSERT : OBJECT_UPDATE, &statement);

	if (rv != CKR_OK)
		return rv;
	sqlite3_bind_int64(statement, 1, addition->object);
	sqlite3_bind_int64(statement, 2, addition->entry.sequence);
	sqlite3_bind_int(statement, 3, addition->removed);
	sqlite3_bind_int64(statement, 4, (sqlite3_int64)addition->class);
	store_bind_bytes(statement, 5, addition->label.data, addition->label.size);
	store_bind_bytes(statement, 6, addition->id.data, addition->id.size);
	rv = store_run(store, statement);
	if (rv == CKR_OK && sqlite3_changes(store->db) != 1) {
		log_error("%s: there is no object %" PRId64 " that entry %" PRId64 " could follow",
		          store->path, addition->object, addition->entry.sequence);
		rv = CKR_DATA_INVALID;
	}
	return rv;
}

static CK_RV
index_handover(struct store *store, const struct addition *addition, enum intended intended)
{
	sqlite3_stmt *statement = NULL;
	CK_RV rv;

	rv = store_run_plain(store, HANDOVER_TABLE_MAKE);
	if (rv == CKR_OK)
		rv = store_statement(store, HANDOVER_INSERT, &statement);
	if (rv != CKR_OK)
		return rv;
	sqlite3_bind_int64(statement, 1, addition->entry.sequence);
	rv = store_run(store, statement);
	return rv == CKR_OK ? intent_use(store, &addition->id, intended) : rv;
}

CK_RV
index_addition(struct store *store, const struct addition *addition, enum intended intended)
{
	switch (addition->kind) {
	case ADDITION_VERSION:
		return index_version(store, addition, intended);
	case ADDITION_OBJECT:
		return index_object(store, addition);
	case ADDITION_HANDOVER:
		return index_handover(store, addition, intended);
	case ADDITION_PAGE:
		return CKR_OK; /* found by counting */
	default:
		return index_record(store, addition);
	}
}
