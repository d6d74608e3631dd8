/* SPDX-License-Identifier: Apache-2.0 */
/* Preselection from the index. Nothing here is checked: what is found is read with registry_version. */
#include "registry/internal.h"

#include <stdlib.h>
#include <string.h>

/* The statement that the most selective member asks for. */
static enum statement
search_statement(const struct registry_search *search)
{
	if (search->id != NULL)
		return SEARCH_ID;
	if (search->name == NULL)
		return SEARCH_ALL;
	if (search->number != 0)
		return SEARCH_NUMBER;
	return search->active ? SEARCH_NAME_ACTIVE : SEARCH_NAME;
}

static void
search_bind(const struct registry_search *search, enum statement which, size_t max,
            sqlite3_stmt *statement)
{
	sqlite3_bind_int64(statement, 1, search->before == 0 ? INT64_MAX : search->before);
	sqlite3_bind_int(statement, 2, search->active);
	sqlite3_bind_int(statement, 3, search->destroyed);
	sqlite3_bind_int64(statement, 4, max > INT32_MAX ? INT32_MAX : (int64_t)max);
	if (which == SEARCH_ID)
		sqlite3_bind_blob(statement, 5, search->id, (int)search->id_size, SQLITE_STATIC);
	else if (which != SEARCH_ALL)
		sqlite3_bind_text(statement, 5, search->name, -1, SQLITE_STATIC);
	sqlite3_bind_int64(statement, 6, search->number);
	if (which == SEARCH_ID && search->name != NULL)
		sqlite3_bind_text(statement, 7, search->name, -1, SQLITE_STATIC);
}

/* The numbers that a statement gives, at most max of them; done with it. */
static CK_RV
objects_read(struct store *store, sqlite3_stmt *statement, int64_t *ret_objects, size_t max,
             size_t *ret_count)
{
	int result = SQLITE_ROW;
	size_t count = 0;
	CK_RV rv = CKR_OK;

	while (count < max && (result = sqlite3_step(statement)) == SQLITE_ROW)
		ret_objects[count++] = sqlite3_column_int64(statement, 0);
	if (result != SQLITE_ROW && result != SQLITE_DONE)
		rv = store_failure(store, result);
	store_done(statement);
	if (rv == CKR_OK)
		*ret_count = count;
	return rv;
}

CK_RV
registry_search(struct registry *registry, const struct registry_search *search,
                int64_t *ret_objects, size_t max, size_t *ret_count)
{
	enum statement which = search_statement(search);
	sqlite3_stmt *statement = NULL;
	CK_RV rv;

	if (search->id_size > RECORD_ID_MAX) {
		*ret_count = 0;
		return CKR_OK;
	}
	(void)pthread_mutex_lock(&registry->lock);
	rv = store_statement(registry->store, which, &statement);
	if (rv == CKR_OK) {
		search_bind(search, which, max, statement);
		rv = objects_read(registry->store, statement, ret_objects, max, ret_count);
	}
	(void)pthread_mutex_unlock(&registry->lock);
	return rv;
}

CK_RV
registry_search_objects(struct registry *registry, const struct registry_object_search *search,
                        int64_t *ret_objects, size_t max, size_t *ret_count)
{
	enum statement which = search->id != NULL      ? SEARCH_OBJECTS_ID
	                       : search->label != NULL ? SEARCH_OBJECTS_LABEL
	                                               : SEARCH_OBJECTS;
	sqlite3_stmt *statement = NULL;
	CK_RV rv;

	if (search->label_size > INT32_MAX || search->id_size > INT32_MAX) {
		*ret_count = 0;
		return CKR_OK;
	}
	(void)pthread_mutex_lock(&registry->lock);
	rv = store_statement(registry->store, which, &statement);
	if (rv == CKR_OK) {
		sqlite3_bind_int64(statement, 1, search->before == 0 ? INT64_MAX : search->before);
		sqlite3_bind_int64(statement, 2, max > INT32_MAX ? INT32_MAX : (int64_t)max);
		if (search->class != NULL)
			sqlite3_bind_int64(statement, 3, (sqlite3_int64)*search->class);
		if (search->label != NULL)
			store_bind_bytes(statement, 4, search->label, search->label_size);
		if (search->id != NULL)
			store_bind_bytes(statement, 5, search->id, search->id_size);
		rv = objects_read(registry->store, statement, ret_objects, max, ret_count);
	}
	(void)pthread_mutex_unlock(&registry->lock);
	return rv;
}

CK_RV
registry_uncertified(struct registry *registry, int64_t after, int64_t *ret_objects, size_t max,
                     size_t *ret_count)
{
	sqlite3_stmt *statement = NULL;
	CK_RV rv;

	(void)pthread_mutex_lock(&registry->lock);
	rv = store_statement(registry->store, UNCERTIFIED, &statement);
	if (rv == CKR_OK) {
		sqlite3_bind_int64(statement, 1, after);
		sqlite3_bind_int64(statement, 2, max > INT32_MAX ? INT32_MAX : (int64_t)max);
		rv = objects_read(registry->store, statement, ret_objects, max, ret_count);
	}
	(void)pthread_mutex_unlock(&registry->lock);
	return rv;
}

static CK_RV
actives_read(struct store *store, sqlite3_stmt *statement, struct active **actives, size_t *count)
{
	int result;
	CK_RV rv;

	while ((result = sqlite3_step(statement)) == SQLITE_ROW) {
		struct active *active;
		const void *id;

		if (sqlite3_column_type(statement, 1) != SQLITE_BLOB)
			continue; /* no CKA_ID: whoever reads the version finds out */
		/* Doubled when it is full, which it is at each power of two. */
		if ((*count & (*count - 1)) == 0) {
			struct active *grown = reallocarray(*actives, *count == 0 ? 1 : 2 * *count,
			                                    sizeof *grown);

			if (grown == NULL)
				return CKR_HOST_MEMORY;
			*actives = grown;
		}
		active = &(*actives)[(*count)++];
		*active = (struct active){ sqlite3_column_int64(statement, 0), BUFFER_INIT };
		id = sqlite3_column_blob(statement, 1);
		rv = buffer_set(&active->id, id, (size_t)sqlite3_column_bytes(statement, 1));
		if (rv != CKR_OK)
			return rv;
	}
	return result == SQLITE_DONE ? CKR_OK : store_failure(store, result);
}

CK_RV
registry_actives(struct registry *registry, struct active **ret_actives, size_t *ret_count)
{
	sqlite3_stmt *statement = NULL;
	struct active *actives = NULL;
	size_t count = 0;
	CK_RV rv;

	(void)pthread_mutex_lock(&registry->lock);
	rv = store_statement(registry->store, ACTIVES, &statement);
	if (rv == CKR_OK) {
		rv = actives_read(registry->store, statement, &actives, &count);
		store_done(statement);
	}
	(void)pthread_mutex_unlock(&registry->lock);
	if (rv != CKR_OK) {
		actives_free(actives, count);
		return rv;
	}
	*ret_actives = actives;
	*ret_count = count;
	return CKR_OK;
}

void
actives_free(struct active *actives, size_t count)
{
	for (size_t i = 0; i < count; i++)
		buffer_clear(&actives[i].id);
	free(actives);
}

static CK_RV
names_read(struct store *store, sqlite3_stmt *statement, char **ret_names, size_t max,
           size_t *count)
{
	int result = SQLITE_ROW;

	while (*count < max && (result = sqlite3_step(statement)) == SQLITE_ROW) {
		const char *name = (const char *)sqlite3_column_text(statement, 0);

		ret_names[*count] = strdup(name == NULL ? "" : name);
		if (ret_names[*count] == NULL)
			return CKR_HOST_MEMORY;
		(*count)++;
	}
	if (result != SQLITE_ROW && result != SQLITE_DONE)
		return store_failure(store, result);
	return CKR_OK;
}

CK_RV
registry_key_names(struct registry *registry, const char *after, char **ret_names, size_t max,
                   size_t *ret_count)
{
	sqlite3_stmt *statement = NULL;
	size_t count = 0;
	CK_RV rv;

	(void)pthread_mutex_lock(&registry->lock);
	rv = store_statement(registry->store, KEY_NAMES, &statement);
	if (rv == CKR_OK) {
		sqlite3_bind_text(statement, 1, after == NULL ? "" : after, -1, SQLITE_STATIC);
		sqlite3_bind_int64(statement, 2, max > INT32_MAX ? INT32_MAX : (int64_t)max);
		rv = names_read(registry->store, statement, ret_names, max, &count);
		store_done(statement);
	}
	(void)pthread_mutex_unlock(&registry->lock);
	if (rv != CKR_OK) {
		while (count > 0)
			free(ret_names[--count]);
		return rv;
	}
	*ret_count = count;
	return CKR_OK;
}

static CK_RV
due_read(struct store *store, sqlite3_stmt *statement, char ***names, size_t *count)
{
	int result;

	while ((result = sqlite3_step(statement)) == SQLITE_ROW) {
		const char *name = (const char *)sqlite3_column_text(statement, 0);

		/* Doubled when it is full, which it is at each power of two. */
		if ((*count & (*count - 1)) == 0) {
			char **grown = reallocarray(*names, *count == 0 ? 1 : 2 * *count, sizeof *grown);

			if (grown == NULL)
				return CKR_HOST_MEMORY;
			*names = grown;
		}
		(*names)[*count] = strdup(name == NULL ? "" : name);
		if ((*names)[*count] == NULL)
			return CKR_HOST_MEMORY;
		++*count;
	}
	return result == SQLITE_DONE ? CKR_OK : store_failure(store, result);
}

CK_RV
registry_due(struct registry *registry, int64_t now, char ***ret_names, size_t *ret_count)
{
	sqlite3_stmt *statement = NULL;
	char **names = NULL;
	size_t count = 0;
	CK_RV rv;

	(void)pthread_mutex_lock(&registry->lock);
	rv = store_statement(registry->store, DUE, &statement);
	if (rv == CKR_OK) {
		sqlite3_bind_int64(statement, 1, now);
		rv = due_read(registry->store, statement, &names, &count);
		store_done(statement);
	}
	(void)pthread_mutex_unlock(&registry->lock);
	if (rv != CKR_OK) {
		names_free(names, count);
		return rv;
	}
	*ret_names = names;
	*ret_count = count;
	return CKR_OK;
}

void
names_free(char **names, size_t count)
{
	while (count > 0)
		free(names[--count]);
	free(names);
}

CK_RV
registry_count(struct registry *registry, int64_t *ret_keys, int64_t *ret_versions)
{
	sqlite3_stmt *statement = NULL;
	int result;
	CK_RV rv;

	(void)pthread_mutex_lock(&registry->lock);
	rv = store_statement(registry->store, COUNT, &statement);
	if (rv == CKR_OK) {
		result = sqlite3_step(statement);
		if (result == SQLITE_ROW) {
			*ret_keys = sqlite3_column_int64(statement, 0);
			*ret_versions = sqlite3_column_int64(statement, 1);
		} else {
			rv = store_failure(registry->store, result);
		}
		store_done(statement);
	}
	(void)pthread_mutex_unlock(&registry->lock);
	return rv;
}
