/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside of mechanism/: OpenSSL contexts that are set up for one use of one key, kept to be
 * borrowed for an operation. Nobody waits: a thread takes a context out of its slot, or
 * makes one when all that fit are out.
 */
#ifndef P11_KMS_MECHANISM_PREPARED_H
#define P11_KMS_MECHANISM_PREPARED_H

#include "base/compiler.h"
#include "base/pkcs11.h"

#include <openssl/evp.h>
#include <stdatomic.h>
#include <stdint.h>

#define PREPARED_SLOTS 8

struct prepared {
	uint64_t use;           /* names the set-up; 0: not to be kept */
	EVP_PKEY_CTX *context;  /* owned: of a public key … */
	EVP_CIPHER_CTX *cipher; /* owned: … or of a secret one; the other is NULL */
};

/* A slot on its own cache line, so that two threads on one key don't slow each other. */
struct prepared_slot {
	_Alignas(64) _Atomic(struct prepared *) item; /* owned */
	_Atomic uint64_t use; /* a hint of what item is for; item's own word counts */
};

struct prepared_store {
	struct prepared_slot slots[PREPARED_SLOTS];
};

/* context is taken, also on failure. */
MUST_USE CK_RV prepared_new(uint64_t use, EVP_PKEY_CTX *context, struct prepared **ret_prepared);
MUST_USE CK_RV prepared_new_cipher(uint64_t use, EVP_CIPHER_CTX *cipher,
                                   struct prepared **ret_prepared);
void prepared_free(struct prepared **prepared);

/* NULL when there is none to borrow; the caller makes one. */
struct prepared *prepared_take(struct prepared_store *store, uint64_t use);
/* Gives a context back after it worked. One that failed is freed instead. */
void prepared_put(struct prepared_store *store, struct prepared **prepared);
/* Frees what is in it; nothing may be out. */
void prepared_store_clear(struct prepared_store *store);

#endif
