/* SPDX-License-Identifier: Apache-2.0 */
/* Intents: what is about to be made in the KMS. Kept by the same file, beside the log. */
#include "registry/internal.h"

#include "base/clock.h"
#include "registry/note.h"

#include <stdlib.h>
#include <string.h>

/* Inside a write transaction, as what follows. */
static CK_RV
check_id(struct store *store, const struct intention *intention)
{
	sqlite3_stmt *statement = NULL;
	int64_t in_use = 0;
	CK_RV rv;

	rv = store_statement(store, ID_IN_USE, &statement);
	if (rv != CKR_OK)
		return rv;
	sqlite3_bind_blob(statement, 1, intention->id, (int)intention->id_size, SQLITE_STATIC);
	rv = store_number(store, statement, &in_use);
	return rv == CKR_OK && in_use != 0 ? CKR_ATTRIBUTE_VALUE_INVALID : rv;
}

static CK_RV
intend(struct store *store, const struct intention *intention, int64_t *ret_number)
{
	sqlite3_stmt *statement = NULL;
	CK_RV rv;

	rv = check_id(store, intention);
	if (rv == CKR_OK)
		rv = store_statement(store, NEXT_NUMBER, &statement);
	if (rv != CKR_OK)
		return rv;
	sqlite3_bind_text(statement, 1, intention->name, -1, SQLITE_STATIC);
	rv = store_number(store, statement, ret_number);
	if (rv != CKR_OK)
		return rv;
	if (*ret_number < intention->least)
		*ret_number = intention->least;

	/* Those of intents that are gone; one of them may have had this CKA_ID. */
	rv = notes_clear(store, NOTE_PROTECT_FROM);
	if (rv == CKR_OK && intention->protect_from != 0)
		rv = note_write(store, NOTE_PROTECT_FROM, intention->id, intention->id_size,
		                intention->protect_from);
	if (rv == CKR_OK)
		rv = store_statement(store, INTENT_INSERT, &statement);
	if (rv != CKR_OK)
		return rv;
	sqlite3_bind_blob(statement, 1, intention->id, (int)intention->id_size, SQLITE_STATIC);
	sqlite3_bind_text(statement, 2, intention->name, -1, SQLITE_STATIC);
	sqlite3_bind_int64(statement, 3, *ret_number);
	sqlite3_bind_int64(statement, 4, clock_now() + (intention->undo_only ? INTENT_MARK : 0));
	return store_run(store, statement);
}

static CK_RV
intend_alone(struct registry *registry, const struct intention *intention, int64_t *ret_number)
{
	int64_t number = 0;
	CK_RV rv;

	if (registry->mode != REGISTRY_WRITE)
		return CKR_TOKEN_WRITE_PROTECTED;
	if (intention->id_size < 1 || intention->id_size > RECORD_ID_MAX)
		return CKR_ATTRIBUTE_VALUE_INVALID;
	(void)pthread_mutex_lock(&registry->lock);
	rv = store_run_plain(registry->store, BEGIN_WRITE);
	if (rv == CKR_OK) {
		rv = intend(registry->store, intention, &number);
		rv = registry_end_locked(registry, rv);
	}
	(void)pthread_mutex_unlock(&registry->lock);
	if (rv == CKR_OK)
		*ret_number = number;
	return rv;
}

CK_RV
registry_intend(struct registry *registry, const struct intention *intention, int64_t *ret_number)
{
	if (registry->mode == REGISTRY_WRITE &&
	    !record_name_valid(intention->name, strlen(intention->name)))
		return CKR_ATTRIBUTE_VALUE_INVALID;
	return intend_alone(registry, intention, ret_number);
}

/* No key has an empty name. */
CK_RV
registry_intend_authority(struct registry *registry, const void *id, size_t id_size,
                          int64_t number, int64_t *ret_number)
{
	struct intention intention = {
		.name = "", .id = id, .id_size = id_size, .least = number, .undo_only = true
	};

	return intend_alone(registry, &intention, ret_number);
}

bool
intent_is_authority(const struct intent *intent)
{
	return intent->name[0] == '\0';
}

static CK_RV
intent_columns(struct store *store, sqlite3_stmt *row, struct intent *intent)
{
	const char *name = (const char *)sqlite3_column_text(row, 1);
	const void *id = sqlite3_column_blob(row, 0);
	CK_RV rv;

	rv = buffer_set(&intent->id, id, (size_t)sqlite3_column_bytes(row, 0));
	if (rv != CKR_OK)
		return rv;
	intent->name = strdup(name == NULL ? "" : name);
	intent->number = sqlite3_column_int64(row, 2);
	intent->since = sqlite3_column_int64(row, 3);
	intent->given_up = intent->since < 0;
	intent->removing = intent->since <= -INTENT_MARK;
	if (intent->given_up)
		intent->since = intent->since == INT64_MIN ? 0 : -intent->since;
	intent->undo_only = !intent->given_up && intent->since >= INTENT_MARK;
	intent->since %= INTENT_MARK;
	if (intent->name == NULL)
		return CKR_HOST_MEMORY;
	rv = note_read(store, NOTE_PROTECT_FROM, intent->id.data, intent->id.size,
	               &intent->protect_from);
	if (intent->protect_from < 0 || intent->protect_from > RECORD_TIME_MAX)
		intent->protect_from = 0;
	return rv;
}

static CK_RV
intents_read(struct store *store, sqlite3_stmt *statement, struct intent **intents, size_t *count)
{
	int result;
	CK_RV rv;

	while ((result = sqlite3_step(statement)) == SQLITE_ROW) {
		struct intent *grown;

		if (sqlite3_column_type(statement, 0) != SQLITE_BLOB)
			continue; /* written by hand: it names no pair */
		grown = reallocarray(*intents, *count + 1, sizeof **intents);
		if (grown == NULL)
			return CKR_HOST_MEMORY;
		*intents = grown;
		memset(&grown[*count], 0, sizeof *grown);
		(*count)++;
		rv = intent_columns(store, statement, &grown[*count - 1]);
		if (rv != CKR_OK)
			return rv;
	}
	return result == SQLITE_DONE ? CKR_OK : store_failure(store, result);
}

CK_RV
registry_intents(struct registry *registry, struct intent **ret_intents, size_t *ret_count)
{
	sqlite3_stmt *statement = NULL;
	struct intent *intents = NULL;
	size_t count = 0;
	CK_RV rv;

	(void)pthread_mutex_lock(&registry->lock);
	rv = store_statement(registry->store, INTENT_READ, &statement);
	if (rv == CKR_OK) {
		rv = intents_read(registry->store, statement, &intents, &count);
		store_done(statement);
	}
	(void)pthread_mutex_unlock(&registry->lock);
	if (rv != CKR_OK) {
		intents_free(intents, count);
		return rv;
	}
	*ret_intents = intents;
	*ret_count = count;
	return CKR_OK;
}

void
intents_free(struct intent *intents, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		free(intents[i].name);
		buffer_clear(&intents[i].id);
	}
	free(intents);
}

/* Runs it for that CKA_ID, ?2 being the time, and tells whether there was one. Lock held. */
static CK_RV
intent_change_locked(struct registry *registry, enum statement which, const void *id,
                     size_t id_size, bool *ret_changed)
{
	sqlite3_stmt *statement = NULL;
	CK_RV rv;

	rv = store_statement(registry->store, which, &statement);
	if (rv != CKR_OK)
		return rv;
	sqlite3_bind_blob(statement, 1, id, (int)id_size, SQLITE_STATIC);
	if (sqlite3_bind_parameter_count(statement) > 1)
		sqlite3_bind_int64(statement, 2, clock_now());
	rv = store_run(registry->store, statement);
	if (rv == CKR_OK)
		*ret_changed = sqlite3_changes(registry->store->db) != 0;
	return rv;
}

static CK_RV
intent_change(struct registry *registry, enum statement which, const void *id, size_t id_size,
              bool *ret_changed)
{
	CK_RV rv;

	if (registry->mode != REGISTRY_WRITE)
		return CKR_TOKEN_WRITE_PROTECTED;
	*ret_changed = false;
	if (id_size > RECORD_ID_MAX)
		return CKR_OK;
	(void)pthread_mutex_lock(&registry->lock);
	rv = intent_change_locked(registry, which, id, id_size, ret_changed);
	registry->generation++;
	(void)pthread_mutex_unlock(&registry->lock);
	return rv;
}

CK_RV
registry_intent_give_up(struct registry *registry, const void *id, size_t id_size,
                        bool *ret_given_up)
{
	return intent_change(registry, INTENT_GIVE_UP, id, id_size, ret_given_up);
}

/* Inside a write transaction. */
static CK_RV
take_back(struct registry *registry, const char *name, int64_t number, const void *id,
          size_t id_size, bool *ret_given_up)
{
	sqlite3_stmt *statement = NULL;
	CK_RV rv;

	rv = intent_change_locked(registry, INTENT_FAIL, id, id_size, ret_given_up);
	if (rv != CKR_OK || *ret_given_up)
		return rv;
	rv = store_statement(registry->store, INTENT_TAKE_BACK, &statement);
	if (rv != CKR_OK)
		return rv;
	sqlite3_bind_blob(statement, 1, id, (int)id_size, SQLITE_STATIC);
	sqlite3_bind_text(statement, 2, name, -1, SQLITE_STATIC);
	sqlite3_bind_int64(statement, 3, number);
	sqlite3_bind_int64(statement, 4, clock_now());
	rv = store_run(registry->store, statement);
	if (rv == CKR_OK)
		*ret_given_up = sqlite3_changes(registry->store->db) != 0;
	return rv;
}

CK_RV
registry_intent_take_back(struct registry *registry, const char *name, int64_t number,
                          const void *id, size_t id_size, bool *ret_given_up)
{
	bool given_up = false;
	CK_RV rv;

	if (registry->mode != REGISTRY_WRITE)
		return CKR_TOKEN_WRITE_PROTECTED;
	(void)pthread_mutex_lock(&registry->lock);
	rv = store_run_plain(registry->store, BEGIN_WRITE);
	if (rv == CKR_OK) {
		rv = take_back(registry, name, number, id, id_size, &given_up);
		rv = registry_end_locked(registry, rv);
	}
	(void)pthread_mutex_unlock(&registry->lock);
	if (rv == CKR_OK)
		*ret_given_up = given_up;
	return rv;
}

CK_RV
registry_intent_remove(struct registry *registry, const void *id, size_t id_size)
{
	bool removed;

	return intent_change(registry, INTENT_DELETE, id, id_size, &removed);
}
