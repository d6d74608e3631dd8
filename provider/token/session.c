/* SPDX-License-Identifier: Apache-2.0 */
#include "token/session.h"

#include "token/find.h"

#include <limits.h>
#include <pthread.h>
#include <stdlib.h>

/*
 * A handle is generation << INDEX_BITS | index + 1. Places come in chunks, made when first
 * needed and kept.
 */
#define INDEX_BITS 18
#define INDEX_MASK ((1UL << INDEX_BITS) - 1)
#define CHUNK_PLACES 256
#define CHUNKS 1023 /* index + 1 must fit into INDEX_BITS */

struct place {
	struct session session; /* first: a session is turned back into its place */
	pthread_mutex_t lock;   /* guards all of the place but next_free */
	CK_ULONG generation;    /* grows with every session that had this place */
	bool open;
	size_t next_free;       /* guarded by table_lock; index + 1 of the next free place */
};

static pthread_mutex_t table_lock = PTHREAD_MUTEX_INITIALIZER;
static _Atomic(struct place *) chunks[CHUNKS];
static size_t chunk_count; /* guarded by table_lock, as is */
static size_t first_free;  /* index + 1 of a free place, 0: none */

static struct place *
place_at(size_t index)
{
	struct place *chunk = NULL;

	if (index / CHUNK_PLACES < CHUNKS)
		chunk = atomic_load_explicit(&chunks[index / CHUNK_PLACES], memory_order_acquire);
	return chunk != NULL ? &chunk[index % CHUNK_PLACES] : NULL;
}

static CK_RV
table_grow_locked(void)
{
	struct place *chunk;
	size_t base = chunk_count * CHUNK_PLACES;

	if (chunk_count == CHUNKS)
		return CKR_SESSION_COUNT;
	chunk = calloc(CHUNK_PLACES, sizeof *chunk);
	if (chunk == NULL)
		return CKR_HOST_MEMORY;
	for (size_t i = CHUNK_PLACES; i-- > 0;) {
		pthread_mutex_init(&chunk[i].lock, NULL);
		chunk[i].next_free = first_free;
		first_free = base + i + 1;
	}
	atomic_store_explicit(&chunks[chunk_count], chunk, memory_order_release);
	chunk_count++;
	return CKR_OK;
}

static CK_RV
place_take(size_t *ret_index)
{
	CK_RV rv = CKR_OK;

	pthread_mutex_lock(&table_lock);
	if (first_free == 0)
		rv = table_grow_locked();
	if (rv == CKR_OK) {
		*ret_index = first_free - 1;
		first_free = place_at(*ret_index)->next_free;
	}
	pthread_mutex_unlock(&table_lock);
	return rv;
}

static void
place_give_back(size_t index)
{
	pthread_mutex_lock(&table_lock);
	place_at(index)->next_free = first_free;
	first_free = index + 1;
	pthread_mutex_unlock(&table_lock);
}

CK_RV
session_open(struct token *token, bool read_write, CK_SESSION_HANDLE *ret_handle)
{
	struct place *place;
	size_t index;
	CK_RV rv = token_open(token);

	if (rv != CKR_OK)
		return rv;
	rv = place_take(&index);
	if (rv != CKR_OK)
		return rv;
	place = place_at(index);
	pthread_mutex_lock(&place->lock);
	place->generation = (place->generation + 1) & (ULONG_MAX >> INDEX_BITS);
	place->session = (struct session) {
		.handle = place->generation << INDEX_BITS | (index + 1),
		.token = token,
		.read_write = read_write,
	};
	place->open = true;
	*ret_handle = place->session.handle;
	pthread_mutex_unlock(&place->lock);

	pthread_mutex_lock(&token->lock);
	token->session_count++;
	if (read_write)
		token->rw_session_count++;
	pthread_mutex_unlock(&token->lock);
	return CKR_OK;
}

/* Ends what the session was doing. The caller holds its lock. */
static void
place_close_locked(struct place *place)
{
	find_free(&place->session.find);
	for (size_t i = 0; i < OPERATION_KINDS; i++)
		operation_free(&place->session.operations[i]);
	for (size_t i = 0; i < MESSAGE_KINDS; i++)
		message_free(&place->session.messages[i]);
	place->open = false;
}

CK_RV
session_close(CK_SESSION_HANDLE handle)
{
	struct session *session;
	struct token *token;
	bool read_write;
	CK_RV rv = session_acquire(handle, &session);

	if (rv != CKR_OK)
		return rv;
	token = session->token;
	read_write = session->read_write;
	place_close_locked((struct place *)session);
	session_release(session);
	object_table_close(token->objects, handle);
	place_give_back((handle & INDEX_MASK) - 1);
	token_left(token, read_write);
	return CKR_OK;
}

void
session_close_all(struct token *token)
{
	CK_SESSION_HANDLE handle;
	struct place *place;

	for (size_t index = 0; (place = place_at(index)) != NULL; index++) {
		pthread_mutex_lock(&place->lock);
		handle = place->open && (token == NULL || place->session.token == token)
		                 ? place->session.handle : CK_INVALID_HANDLE;
		pthread_mutex_unlock(&place->lock);
		/* Someone else may close it first: that is as good. */
		if (handle != CK_INVALID_HANDLE && session_close(handle) != CKR_OK)
			continue;
	}
}

void
session_table_reset(void)
{
	struct place *place;

	pthread_mutex_init(&table_lock, NULL);
	first_free = 0;
	for (size_t index = chunk_count * CHUNK_PLACES; index-- > 0;) {
		place = place_at(index);
		pthread_mutex_init(&place->lock, NULL);
		place->open = false; /* what it held belongs to the parent's state: left alone */
		place->next_free = first_free;
		first_free = index + 1;
	}
}

CK_RV
session_acquire(CK_SESSION_HANDLE handle, struct session **ret_session)
{
	size_t index = handle & INDEX_MASK;
	struct place *place = index != 0 ? place_at(index - 1) : NULL;

	if (place == NULL)
		return CKR_SESSION_HANDLE_INVALID;
	pthread_mutex_lock(&place->lock);
	if (!place->open || place->session.handle != handle) {
		pthread_mutex_unlock(&place->lock);
		return CKR_SESSION_HANDLE_INVALID;
	}
	*ret_session = &place->session;
	return CKR_OK;
}

void
session_release(struct session *session)
{
	pthread_mutex_unlock(&((struct place *)session)->lock);
}

CK_STATE
session_state(const struct session *session)
{
	if (session->token->logged_in)
		return session->read_write ? CKS_RW_USER_FUNCTIONS : CKS_RO_USER_FUNCTIONS;
	return session->read_write ? CKS_RW_PUBLIC_SESSION : CKS_RO_PUBLIC_SESSION;
}
