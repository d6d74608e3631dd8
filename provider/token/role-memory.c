/* SPDX-License-Identifier: Apache-2.0 */
#include "token/role-memory.h"

#include "mechanism/fingerprint.h"
#include "token/attribute-rule.h"

#include <pthread.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

struct role {
	unsigned char fingerprint[FINGERPRINT_SIZE]; /* first: what the tree is ordered by */
	struct role_memory *memory;                  /* that it is in */
	size_t objects;                              /* that have the value */
	bool wraps, crypts;
	unsigned protection;                         /* that any of them had: attribute-rule.h */
	bool returns;                                /* the value may come back when none has it */
	TAILQ_ENTRY(role) place;                     /* in departed, when none has it */
};

struct role_memory {
	struct secret *salt; /* owned */

	pthread_mutex_t lock; /* guards what follows, and all roles */
	void *tree;           /* of struct role, owned: tsearch(3) */
	TAILQ_HEAD(departed, role) departed; /* in the order in which their last objects went */
	size_t departed_count;
};

CK_RV
role_memory_new(struct role_memory **ret_memory)
{
	struct role_memory *memory = calloc(1, sizeof *memory);
	CK_RV rv;

	if (memory == NULL)
		return CKR_HOST_MEMORY;
	pthread_mutex_init(&memory->lock, NULL);
	TAILQ_INIT(&memory->departed);
	rv = fingerprint_salt_new(&memory->salt);
	if (rv != CKR_OK)
		role_memory_free(&memory);
	else
		*ret_memory = memory;
	return rv;
}

void
role_memory_free(struct role_memory **memory)
{
	if (*memory == NULL)
		return;
	tdestroy((*memory)->tree, free);
	secret_free(&(*memory)->salt);
	pthread_mutex_destroy(&(*memory)->lock);
	free(*memory);
	*memory = NULL;
}

static int
compare(const void *a, const void *b)
{
	return memcmp(a, b, FINGERPRINT_SIZE);
}

/* What is remembered of a value; nothing yet: made takes its place in the tree, and is set NULL. */
static CK_RV
role_get_locked(struct role_memory *memory, struct role **made, struct role **ret_role)
{
	struct role **place = tsearch(*made, &memory->tree, compare);

	if (place == NULL)
		return CKR_HOST_MEMORY;
	*ret_role = *place;
	if (*place == *made)
		*made = NULL;
	return CKR_OK;
}

static void
role_forget_locked(struct role *role)
{
	tdelete(role, &role->memory->tree, compare);
	free(role);
}

/* Its value has an object again. */
static void
role_return_locked(struct role *role)
{
	if (role->place.tqe_prev == NULL)
		return;
	TAILQ_REMOVE(&role->memory->departed, role, place);
	role->place.tqe_prev = NULL;
	role->memory->departed_count--;
}

/* Forgets what need not be remembered, and the one that was left the longest ago when there are too many. */
static void
role_settle_locked(struct role *role)
{
	struct role_memory *memory = role->memory;
	struct role *oldest;

	if (role->objects != 0)
		return;
	role->crypts = false;
	role_return_locked(role);
	if (!role->wraps && (role->protection == 0 || !role->returns)) {
		role_forget_locked(role);
		return;
	}
	TAILQ_INSERT_TAIL(&memory->departed, role, place);
	if (++memory->departed_count <= ROLE_MEMORY_MAX)
		return;
	oldest = TAILQ_FIRST(&memory->departed);
	role_return_locked(oldest);
	role_forget_locked(oldest);
}

/* A random value that was never to be wrapped is nowhere else. */
static bool
may_return(const struct attributes *attributes)
{
	return !attributes_bool(attributes, CKA_LOCAL, false) ||
	       !attributes_bool(attributes, CKA_NEVER_EXTRACTABLE, false);
}

/* One object more is in the role, unless its own don't go with it. */
static CK_RV
role_enter_locked(struct role *role, const struct attributes *attributes)
{
	bool wraps = role->wraps || roles_wrap(attributes);
	bool crypts = role->crypts || roles_crypt(attributes);

	if (roles_conflict(wraps, crypts))
		return CKR_TEMPLATE_INCONSISTENT;
	role->wraps = wraps;
	role->crypts = crypts;
	role->protection |= protection_of(attributes);
	role->returns = role->returns || may_return(attributes);
	role_return_locked(role);
	role->objects++;
	return CKR_OK;
}

static CK_RV
take_locked(struct role_memory *memory, unsigned waived, struct attributes *attributes,
            struct role **made, struct role **ret_role)
{
	struct role *role = NULL;
	CK_RV rv = role_get_locked(memory, made, &role);

	if (rv != CKR_OK)
		return rv;
	if ((role->protection & waived) != 0)
		rv = CKR_TEMPLATE_INCONSISTENT;
	if (rv == CKR_OK)
		rv = protection_add(attributes, role->protection);
	if (rv == CKR_OK)
		rv = role_enter_locked(role, attributes);
	if (rv == CKR_OK)
		*ret_role = role;
	else
		role_settle_locked(role);
	return rv;
}

CK_RV
role_memory_take(struct role_memory *memory, const struct secret *value, unsigned waived,
                 struct attributes *attributes, struct role **ret_role)
{
	struct role *made = calloc(1, sizeof *made);
	CK_RV rv;

	if (made == NULL)
		return CKR_HOST_MEMORY;
	made->memory = memory;
	rv = fingerprint_of(memory->salt, value, made->fingerprint);
	if (rv == CKR_OK) {
		pthread_mutex_lock(&memory->lock);
		rv = take_locked(memory, waived, attributes, &made, ret_role);
		pthread_mutex_unlock(&memory->lock);
	}
	free(made);
	return rv;
}

CK_RV
role_take_over(struct role *role, const struct attributes *attributes, struct role **ret_role)
{
	CK_RV rv;

	pthread_mutex_lock(&role->memory->lock);
	rv = role_enter_locked(role, attributes);
	pthread_mutex_unlock(&role->memory->lock);
	if (rv == CKR_OK)
		*ret_role = role;
	return rv;
}

void
role_drop(struct role **role)
{
	struct role *last = *role;
	struct role_memory *memory;

	*role = NULL;
	if (last == NULL)
		return;
	memory = last->memory;
	pthread_mutex_lock(&memory->lock);
	last->objects--;
	role_settle_locked(last);
	pthread_mutex_unlock(&memory->lock);
}
