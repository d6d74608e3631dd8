/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/note.h"

#include "base/clock.h"
#include "registry/internal.h"

#include <stdlib.h>

/* No refresh is as rare as that: who says so has written it by hand. */
#define WAITING_MAX (INT64_C(366) * 86400)

static const char *const kinds[] = {
	[NOTE_WAITS_SINCE] = "waits-since", [NOTE_PROTECT_FROM] = "protect-from",
};

CK_RV
note_read(struct store *store, enum note_kind kind, const void *id, size_t id_size,
          int64_t *ret_time)
{
	sqlite3_stmt *statement = NULL;
	bool exists = false;
	int result;
	CK_RV rv = store_has_table(store, NOTE_TABLE, &exists);

	*ret_time = 0;
	if (rv == CKR_OK && exists)
		rv = store_statement(store, NOTE_READ, &statement);
	if (rv != CKR_OK || !exists)
		return rv;
	sqlite3_bind_text(statement, 1, kinds[kind], -1, SQLITE_STATIC);
	store_bind_bytes(statement, 2, id, id_size);
	result = sqlite3_step(statement);
	if (result == SQLITE_ROW)
		*ret_time = sqlite3_column_int64(statement, 0);
	else if (result != SQLITE_DONE)
		rv = store_failure(store, result);
	store_done(statement);
	return rv;
}

CK_RV
note_write(struct store *store, enum note_kind kind, const void *id, size_t id_size, int64_t time)
{
	sqlite3_stmt *statement = NULL;
	CK_RV rv = store_run_plain(store, NOTE_TABLE_MAKE);

	if (rv == CKR_OK)
		rv = store_statement(store, NOTE_INSERT, &statement);
	if (rv != CKR_OK)
		return rv;
	sqlite3_bind_text(statement, 1, kinds[kind], -1, SQLITE_STATIC);
	store_bind_bytes(statement, 2, id, id_size);
	sqlite3_bind_int64(statement, 3, time);
	return store_run(store, statement);
}

CK_RV
notes_clear(struct store *store, enum note_kind kind)
{
	sqlite3_stmt *statement = NULL;
	bool exists = false;
	CK_RV rv = store_has_table(store, NOTE_TABLE, &exists);

	if (rv == CKR_OK && exists)
		rv = store_statement(store, kind == NOTE_PROTECT_FROM ? NOTES_OF_INTENTS : NOTES_CLEAR,
		                     &statement);
	if (rv != CKR_OK || !exists)
		return rv;
	sqlite3_bind_text(statement, 1, kinds[kind], -1, SQLITE_STATIC);
	return store_run(store, statement);
}

static CK_RV
waiting_read(struct store *store, const struct buffer *const *ids, size_t count, int64_t *ret_since)
{
	int64_t now = clock_now();
	CK_RV rv = CKR_OK;

	for (size_t i = 0; rv == CKR_OK && i < count; i++) {
		rv = note_read(store, NOTE_WAITS_SINCE, ids[i]->data, ids[i]->size, &ret_since[i]);
		if (ret_since[i] > now || ret_since[i] < now - WAITING_MAX)
			ret_since[i] = now;
	}
	return rv;
}

/* Inside a write transaction. */
static CK_RV
waiting_write(struct store *store, const struct buffer *const *ids, size_t count,
              int64_t *ret_since)
{
	CK_RV rv = waiting_read(store, ids, count, ret_since);

	if (rv == CKR_OK)
		rv = notes_clear(store, NOTE_WAITS_SINCE);
	for (size_t i = 0; rv == CKR_OK && i < count; i++)
		rv = note_write(store, NOTE_WAITS_SINCE, ids[i]->data, ids[i]->size, ret_since[i]);
	return rv;
}

CK_RV
registry_waiting(struct registry *registry, const struct buffer *const *ids, size_t count,
                 bool keep, int64_t *ret_since)
{
	CK_RV rv;

	if (keep && registry->mode != REGISTRY_WRITE)
		return CKR_TOKEN_WRITE_PROTECTED;
	(void)pthread_mutex_lock(&registry->lock);
	if (keep) {
		rv = store_run_plain(registry->store, BEGIN_WRITE);
		if (rv == CKR_OK) {
			rv = waiting_write(registry->store, ids, count, ret_since);
			rv = registry_end_locked(registry, rv);
		}
	} else {
		rv = waiting_read(registry->store, ids, count, ret_since);
	}
	(void)pthread_mutex_unlock(&registry->lock);
	return rv;
}
