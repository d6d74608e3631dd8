/* SPDX-License-Identifier: Apache-2.0 */
#include "token/object-table.h"

#include "base/log.h"
#include "token/handle.h"
#include "token/role-memory.h"
#include "token/token.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct object_table {
	const struct token *token; /* borrowed */
	struct role_memory *roles; /* borrowed */

	pthread_rwlock_t lock; /* guards all that follows */
	struct plain_object **list; /* references, owned, by ascending handle */
	size_t count, capacity;
	int64_t last; /* number of the newest handle */
};

CK_RV
object_table_new(const struct token *token, struct role_memory *roles,
                 struct object_table **ret_table)
{
	struct object_table *table = calloc(1, sizeof *table);

	if (table == NULL)
		return CKR_HOST_MEMORY;
	table->token = token;
	table->roles = roles;
	pthread_rwlock_init(&table->lock, NULL);
	*ret_table = table;
	return CKR_OK;
}

void
object_table_free(struct object_table **table)
{
	if (*table == NULL)
		return;
	for (size_t i = 0; i < (*table)->count; i++)
		plain_object_release(&(*table)->list[i]);
	free((*table)->list);
	pthread_rwlock_destroy(&(*table)->lock);
	free(*table);
	*table = NULL;
}

/* Where a handle is, or would be. */
static size_t
position_locked(const struct object_table *table, CK_OBJECT_HANDLE handle)
{
	size_t low = 0, high = table->count, middle;

	while (low < high) {
		middle = low + (high - low) / 2;
		if (table->list[middle]->handle < handle)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* NULL: not there. */
static struct plain_object **
place_locked(const struct object_table *table, CK_OBJECT_HANDLE handle)
{
	size_t position = position_locked(table, handle);

	if (position == table->count || table->list[position]->handle != handle)
		return NULL;
	return &table->list[position];
}

static CK_RV
reserve_locked(struct object_table *table)
{
	size_t capacity = table->capacity + 32 + table->capacity / 2;
	struct plain_object **list;

	if (table->count < table->capacity)
		return CKR_OK;
	list = reallocarray(table->list, capacity, sizeof *list);
	if (list == NULL)
		return CKR_HOST_MEMORY;
	table->list = list;
	table->capacity = capacity;
	return CKR_OK;
}

/*
 * May it be in the table, in the place of old (NULL: beside all others)? Asked under the lock, so
 * that neither a logout nor another object of the same value can come between.
 */
static CK_RV
admit_locked(struct object_table *table, const struct plain_object *old, struct plain_object *object)
{
	const struct secret *value = object->material != NULL ? object->material->value : NULL;
	CK_RV rv = CKR_OK;

	if (plain_object_private(object) && token_hides_private(table->token))
		return CKR_USER_NOT_LOGGED_IN;
	if (value != NULL && old != NULL)
		rv = role_take_over(old->role, &object->attributes, &object->role);
	else if (value != NULL)
		rv = role_memory_take(table->roles, value, object->waived, &object->attributes,
		                      &object->role);
	if (rv == CKR_TEMPLATE_INCONSISTENT)
		log_info("token %s: a key of this value has been in another role, or was protected "
		         "better", table->token->config->name);
	return rv;
}

CK_RV
object_table_add(struct object_table *table, struct plain_object **object,
                 CK_OBJECT_HANDLE *ret_handle)
{
	CK_RV rv;

	pthread_rwlock_wrlock(&table->lock);
	rv = reserve_locked(table);
	if (rv == CKR_OK)
		rv = admit_locked(table, NULL, *object);
	if (rv != CKR_OK)
		goto out;
	(*object)->handle = handle_of_session(++table->last);
	*ret_handle = (*object)->handle;
	table->list[table->count++] = *object;
	*object = NULL;
out:
	pthread_rwlock_unlock(&table->lock);
	plain_object_release(object);
	return rv;
}

CK_RV
object_table_get(struct object_table *table, CK_OBJECT_HANDLE handle,
                 struct plain_object **ret_object)
{
	struct plain_object **place;
	CK_RV rv = CKR_OBJECT_HANDLE_INVALID;

	pthread_rwlock_rdlock(&table->lock);
	place = place_locked(table, handle);
	if (place != NULL) {
		plain_object_acquire(*place);
		*ret_object = *place;
		rv = CKR_OK;
	}
	pthread_rwlock_unlock(&table->lock);
	return rv;
}

struct plain_object *
object_table_before(struct object_table *table, CK_OBJECT_HANDLE below)
{
	struct plain_object *object = NULL;
	size_t position;

	pthread_rwlock_rdlock(&table->lock);
	position = below == 0 ? table->count : position_locked(table, below);
	if (position > 0) {
		object = table->list[position - 1];
		plain_object_acquire(object);
	}
	pthread_rwlock_unlock(&table->lock);
	return object;
}

CK_RV
object_table_replace(struct object_table *table, const struct plain_object *old,
                     struct plain_object **object)
{
	struct plain_object **place, *gone = NULL;
	CK_RV rv = CKR_OBJECT_HANDLE_INVALID;

	pthread_rwlock_wrlock(&table->lock);
	place = place_locked(table, old->handle);
	if (place != NULL && *place == old)
		rv = admit_locked(table, old, *object);
	if (rv == CKR_OK) {
		(*object)->handle = old->handle;
		gone = *place;
		*place = *object;
		*object = NULL;
	}
	pthread_rwlock_unlock(&table->lock);
	plain_object_release(&gone);
	plain_object_release(object);
	return rv;
}

CK_RV
object_table_remove(struct object_table *table, CK_OBJECT_HANDLE handle)
{
	struct plain_object **place, *gone = NULL;

	pthread_rwlock_wrlock(&table->lock);
	place = place_locked(table, handle);
	if (place != NULL) {
		gone = *place;
		table->count--;
		memmove(place, place + 1,
		        (size_t)(table->list + table->count - place) * sizeof *place);
	}
	pthread_rwlock_unlock(&table->lock);
	if (gone == NULL)
		return CKR_OBJECT_HANDLE_INVALID;
	plain_object_release(&gone);
	return CKR_OK;
}

/* Drops the objects of one owner, or (owner 0) the private ones. */
static void
table_sweep(struct object_table *table, CK_SESSION_HANDLE owner)
{
	struct plain_object *object, *gone = NULL;
	size_t kept = 0;

	pthread_rwlock_wrlock(&table->lock);
	for (size_t i = 0; i < table->count; i++) {
		object = table->list[i];
		if (owner != 0 ? object->owner == owner : plain_object_private(object)) {
			object->next_gone = gone;
			gone = object;
		} else {
			table->list[kept++] = object;
		}
	}
	table->count = kept;
	pthread_rwlock_unlock(&table->lock);
	/* A pair is let go of in the KMS: no lock is held meanwhile. */
	while (gone != NULL) {
		object = gone;
		gone = object->next_gone;
		plain_object_release(&object);
	}
}

void
object_table_close(struct object_table *table, CK_SESSION_HANDLE owner)
{
	table_sweep(table, owner);
}

void
object_table_logout(struct object_table *table)
{
	table_sweep(table, 0);
}
