/* SPDX-License-Identifier: Apache-2.0 */
#include "token/key.h"

#include <pthread.h>
#include <stdlib.h>

/*
 * Shards keep threads apart that work on different keys; within one, a scan over a few
 * dozen numbers is faster than any structure over them.
 */
#define SHARDS 16
#define SHARD_KEYS 32

struct cached {
	int64_t object;      /* 0: free */
	uint64_t generation; /* of the registry when the record was last known to be the newest */
	uint64_t used;       /* the shard's tick at the last use */
	struct key *key;     /* one reference */
};

struct shard {
	pthread_mutex_t lock;
	uint64_t tick;
	struct cached cached[SHARD_KEYS];
};

struct key_cache {
	struct registry *registry;
	struct shard shards[SHARDS];
};

static CK_RV
key_load(struct registry *registry, int64_t object, struct key **ret_key)
{
	struct key *key = calloc(1, sizeof *key);
	CK_RV rv;

	if (key == NULL)
		return CKR_HOST_MEMORY;
	rv = registry_version(registry, object, &key->version);
	if (rv != CKR_OK) {
		free(key);
		return rv;
	}
	key->kms.id = key->version->id.data;
	key->kms.id_size = key->version->id.size;
	atomic_init(&key->references, 1);
	*ret_key = key;
	return CKR_OK;
}

CK_RV
key_public(struct key *key, struct public_key **ret_public)
{
	struct public_key *parsed = atomic_load_explicit(&key->public_key, memory_order_acquire);
	struct public_key *first = NULL;
	CK_RV rv;

	if (parsed == NULL) {
		rv = public_key_new(key->version->spki.data, key->version->spki.size, &parsed);
		if (rv != CKR_OK)
			return rv;
		/* Two threads may have parsed it: the first one's stays. */
		if (!atomic_compare_exchange_strong(&key->public_key, &first, parsed)) {
			public_key_free(&parsed);
			parsed = first;
		}
	}
	*ret_public = parsed;
	return CKR_OK;
}

void
key_acquire(struct key *key)
{
	atomic_fetch_add_explicit(&key->references, 1, memory_order_relaxed);
}

void
key_release(struct key **key)
{
	struct key *released = *key;
	struct public_key *public_key;
	struct secret *rejection;

	*key = NULL;
	if (released == NULL ||
	    atomic_fetch_sub_explicit(&released->references, 1, memory_order_acq_rel) != 1)
		return;
	public_key = atomic_load(&released->public_key);
	public_key_free(&public_key);
	rejection = atomic_load(&released->rejection);
	secret_free(&rejection);
	version_free(&released->version);
	free(released);
}

CK_RV
key_cache_new(struct registry *registry, struct key_cache **ret_cache)
{
	struct key_cache *cache = calloc(1, sizeof *cache);

	if (cache == NULL)
		return CKR_HOST_MEMORY;
	cache->registry = registry;
	for (size_t i = 0; i < SHARDS; i++)
		pthread_mutex_init(&cache->shards[i].lock, NULL);
	*ret_cache = cache;
	return CKR_OK;
}

void
key_cache_free(struct key_cache **cache)
{
	if (*cache == NULL)
		return;
	for (size_t i = 0; i < SHARDS; i++) {
		for (size_t j = 0; j < SHARD_KEYS; j++)
			key_release(&(*cache)->shards[i].cached[j].key);
		pthread_mutex_destroy(&(*cache)->shards[i].lock);
	}
	free(*cache);
	*cache = NULL;
}

/* The entry of an object; NULL when it is not cached. */
static struct cached *
shard_find_locked(struct shard *shard, int64_t object)
{
	for (size_t i = 0; i < SHARD_KEYS; i++)
		if (shard->cached[i].object == object)
			return &shard->cached[i];
	return NULL;
}

/* A free entry, else the one that was used least recently. */
static struct cached *
shard_victim_locked(struct shard *shard)
{
	struct cached *oldest = &shard->cached[0];

	for (size_t i = 0; i < SHARD_KEYS; i++) {
		if (shard->cached[i].object == 0)
			return &shard->cached[i];
		if (shard->cached[i].used < oldest->used)
			oldest = &shard->cached[i];
	}
	return oldest;
}

/* Puts key in (with a reference of its own), in the place of what was there. */
static void
shard_store(struct shard *shard, int64_t object, uint64_t generation, struct key *key)
{
	struct key *dropped;
	struct cached *cached;

	pthread_mutex_lock(&shard->lock);
	cached = shard_find_locked(shard, object);
	if (cached == NULL)
		cached = shard_victim_locked(shard);
	dropped = cached->key;
	key_acquire(key);
	cached->object = object;
	cached->generation = generation;
	cached->used = ++shard->tick;
	cached->key = key;
	pthread_mutex_unlock(&shard->lock);
	key_release(&dropped);
}

/* A reference to what is cached, or NULL; *ret_generation tells how fresh it is. */
static struct key *
shard_lookup(struct shard *shard, int64_t object, uint64_t *ret_generation)
{
	struct cached *cached;
	struct key *key = NULL;

	pthread_mutex_lock(&shard->lock);
	cached = shard_find_locked(shard, object);
	if (cached != NULL) {
		key = cached->key;
		key_acquire(key);
		cached->used = ++shard->tick;
		*ret_generation = cached->generation;
	}
	pthread_mutex_unlock(&shard->lock);
	return key;
}

CK_RV
key_cache_get(struct key_cache *cache, int64_t object, uint64_t generation, struct key **ret_key)
{
	struct shard *shard = &cache->shards[(uint64_t)object % SHARDS];
	uint64_t cached_generation = 0;
	struct key *key = shard_lookup(shard, object, &cached_generation);
	int64_t sequence;
	CK_RV rv;

	if (key != NULL && cached_generation == generation) {
		*ret_key = key;
		return CKR_OK;
	}
	if (key != NULL) {
		rv = registry_version_sequence(cache->registry, object, &sequence);
		if (rv != CKR_OK || sequence != key->version->sequence)
			key_release(&key);
		if (rv != CKR_OK)
			return rv;
	}
	if (key == NULL) {
		rv = key_load(cache->registry, object, &key);
		if (rv != CKR_OK)
			return rv;
	}
	shard_store(shard, object, generation, key);
	*ret_key = key;
	return CKR_OK;
}
