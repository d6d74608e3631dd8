/* SPDX-License-Identifier: Apache-2.0 */
#include "kms/kmip-names.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define ID_MAX 64 /* longer CKA_IDs are looked for each time */
#define SETS 64
#define WAYS 4

struct entry {
	const void *owner; /* NULL: free */
	uint32_t type;
	size_t id_size;
	unsigned char id[ID_MAX];
	char identifier[KMIP_IDENTIFIER_MAX + 1];
};

struct kmip_names {
	pthread_mutex_t lock;
	struct entry entries[SETS][WAYS]; /* in each set the last used first */
};

CK_RV
kmip_names_new(struct kmip_names **ret_names)
{
	struct kmip_names *names = calloc(1, sizeof *names);

	if (names == NULL)
		return CKR_HOST_MEMORY;
	pthread_mutex_init(&names->lock, NULL);
	*ret_names = names;
	return CKR_OK;
}

void
kmip_names_free(struct kmip_names **names)
{
	if (*names == NULL)
		return;
	pthread_mutex_destroy(&(*names)->lock);
	free(*names);
	*names = NULL;
}

void
kmip_names_forked(struct kmip_names *names)
{
	pthread_mutex_init(&names->lock, NULL);
	/* Another thread of the parent may have been in the middle of an entry. */
	memset(names->entries, 0, sizeof names->entries);
}

/* FNV-1a: spreads ids that count as well as random ones. */
static struct entry *
set_of(struct kmip_names *names, uint32_t type, const unsigned char *id, size_t id_size)
{
	uint32_t hash = 2166136261u ^ type;

	for (size_t i = 0; i < id_size; i++)
		hash = (hash ^ id[i]) * 16777619u;
	return names->entries[hash % SETS];
}

/* Its place in the set, WAYS: it is not there. */
static size_t
find_locked(const struct entry *set, const void *owner, uint32_t type, const void *id,
            size_t id_size)
{
	size_t way;

	for (way = 0; way < WAYS; way++)
		if (set[way].owner == owner && set[way].type == type && set[way].id_size == id_size &&
		    memcmp(set[way].id, id, id_size) == 0)
			break;
	return way;
}

static void
move_to_front_locked(struct entry *set, size_t way)
{
	struct entry entry = set[way];

	memmove(set + 1, set, way * sizeof *set);
	set[0] = entry;
}

bool
kmip_names_get(struct kmip_names *names, const void *owner, uint32_t type, const void *id,
               size_t id_size, char *ret_identifier)
{
	struct entry *set = set_of(names, type, id, id_size);
	size_t way;

	if (id_size > ID_MAX)
		return false;
	pthread_mutex_lock(&names->lock);
	way = find_locked(set, owner, type, id, id_size);
	if (way < WAYS) {
		move_to_front_locked(set, way);
		strcpy(ret_identifier, set[0].identifier);
	}
	pthread_mutex_unlock(&names->lock);
	return way < WAYS;
}

void
kmip_names_put(struct kmip_names *names, const void *owner, uint32_t type, const void *id,
               size_t id_size, const char *identifier)
{
	struct entry *set = set_of(names, type, id, id_size);
	size_t way;

	if (id_size > ID_MAX || strlen(identifier) > KMIP_IDENTIFIER_MAX)
		return;
	pthread_mutex_lock(&names->lock);
	way = find_locked(set, owner, type, id, id_size);
	move_to_front_locked(set, way < WAYS ? way : WAYS - 1);
	set[0].owner = owner;
	set[0].type = type;
	set[0].id_size = id_size;
	memcpy(set[0].id, id, id_size);
	strcpy(set[0].identifier, identifier);
	pthread_mutex_unlock(&names->lock);
}

void
kmip_names_remove(struct kmip_names *names, const void *owner, uint32_t type, const void *id,
                  size_t id_size)
{
	struct entry *set = set_of(names, type, id, id_size);
	size_t way;

	if (id_size > ID_MAX)
		return;
	pthread_mutex_lock(&names->lock);
	way = find_locked(set, owner, type, id, id_size);
	if (way < WAYS)
		memset(&set[way], 0, sizeof set[way]);
	pthread_mutex_unlock(&names->lock);
}
