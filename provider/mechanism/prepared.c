/* SPDX-License-Identifier: Apache-2.0 */
#include "mechanism/prepared.h"

#include <pthread.h>
#include <stdlib.h>

CK_RV
prepared_new(uint64_t use, EVP_PKEY_CTX *context, struct prepared **ret_prepared)
{
	struct prepared *prepared = calloc(1, sizeof *prepared);

	if (prepared == NULL) {
		EVP_PKEY_CTX_free(context);
		return CKR_HOST_MEMORY;
	}
	prepared->use = use;
	prepared->context = context;
	*ret_prepared = prepared;
	return CKR_OK;
}

CK_RV
prepared_new_cipher(uint64_t use, EVP_CIPHER_CTX *cipher, struct prepared **ret_prepared)
{
	struct prepared *prepared = calloc(1, sizeof *prepared);

	if (prepared == NULL) {
		EVP_CIPHER_CTX_free(cipher);
		return CKR_HOST_MEMORY;
	}
	prepared->use = use;
	prepared->cipher = cipher;
	*ret_prepared = prepared;
	return CKR_OK;
}

void
prepared_free(struct prepared **prepared)
{
	if (*prepared == NULL)
		return;
	EVP_PKEY_CTX_free((*prepared)->context);
	EVP_CIPHER_CTX_free((*prepared)->cipher); /* wipes */
	free(*prepared);
	*prepared = NULL;
}

/* Where a thread begins to look: mostly another slot than the next thread's. */
static size_t
first_slot(void)
{
	uint64_t mixed = (uint64_t)(uintptr_t)pthread_self() * UINT64_C(0x9E3779B97F4A7C15);

	return (size_t)(mixed >> 32) % PREPARED_SLOTS;
}

struct prepared *
prepared_take(struct prepared_store *store, uint64_t use)
{
	size_t first = first_slot();
	struct prepared_slot *slot;
	struct prepared *prepared;

	for (size_t i = 0; i < PREPARED_SLOTS; i++) {
		slot = &store->slots[(first + i) % PREPARED_SLOTS];
		if (atomic_load_explicit(&slot->use, memory_order_relaxed) != use)
			continue;
		prepared = atomic_exchange_explicit(&slot->item, NULL, memory_order_acq_rel);
		if (prepared == NULL)
			continue;
		if (prepared->use == use)
			return prepared;
		prepared_put(store, &prepared); /* the hint was old */
	}
	return NULL;
}

void
prepared_put(struct prepared_store *store, struct prepared **prepared)
{
	size_t first = first_slot();
	uint64_t use = (*prepared)->use;
	struct prepared_slot *slot;
	struct prepared *empty;

	if (use == 0) {
		prepared_free(prepared);
		return;
	}
	for (size_t i = 0; i < PREPARED_SLOTS; i++) {
		slot = &store->slots[(first + i) % PREPARED_SLOTS];
		empty = NULL;
		if (atomic_compare_exchange_strong_explicit(&slot->item, &empty, *prepared,
		                                            memory_order_acq_rel,
		                                            memory_order_relaxed)) {
			atomic_store_explicit(&slot->use, use, memory_order_relaxed);
			*prepared = NULL;
			return;
		}
	}
	/* All full: what is wanted now pushes out what some other use has left there. */
	slot = &store->slots[(first + use) % PREPARED_SLOTS];
	*prepared = atomic_exchange_explicit(&slot->item, *prepared, memory_order_acq_rel);
	atomic_store_explicit(&slot->use, use, memory_order_relaxed);
	prepared_free(prepared);
}

void
prepared_store_clear(struct prepared_store *store)
{
	struct prepared *prepared;

	for (size_t i = 0; i < PREPARED_SLOTS; i++) {
		prepared = atomic_exchange(&store->slots[i].item, NULL);
		prepared_free(&prepared);
	}
}
