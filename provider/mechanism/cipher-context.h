/* SPDX-License-Identifier: Apache-2.0 */
/* Inside of mechanism/: OpenSSL's contexts of AES, and what all ciphers do with them. */
#ifndef P11_KMS_MECHANISM_CIPHER_CONTEXT_H
#define P11_KMS_MECHANISM_CIPHER_CONTEXT_H

#include "base/compiler.h"
#include "base/pkcs11.h"
#include "base/secret.h"
#include "mechanism/cipher-parameter.h"
#include "mechanism/prepared.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct iv_count;

struct cipher_store {
	struct prepared_store prepared;
	_Atomic(struct iv_count *) count; /* of the key's value, borrowed; NULL: not looked up yet */
};

/*
 * A context that has the key and the sizes, but no IV yet: from the store, or a new one.
 * store may be NULL. CKR_KEY_SIZE_RANGE, CKR_HOST_MEMORY.
 */
MUST_USE CK_RV context_borrow(struct cipher_store *store, enum cipher_mode mode, bool encrypt,
                              size_t iv_size, size_t tag_size, const struct secret *key,
                              struct prepared **ret_prepared);
/* Back to the store after it worked; freed when there is none. */
void context_return(struct cipher_store *store, struct prepared **prepared);

/* Makes it ready for the first byte. iv is NULL for ECB. */
MUST_USE CK_RV context_start(EVP_CIPHER_CTX *context, const unsigned char *iv);
/* Any size. in and out: the same, or apart. The context gives *ret_size bytes. */
MUST_USE CK_RV context_update(EVP_CIPHER_CTX *context, const unsigned char *in, size_t in_size,
                              unsigned char *out, size_t *ret_size);

/*
 * in as it is, or a copy of it, where writing out would change what is still to be read.
 * same_works: not when in and out begin at one address.
 */
MUST_USE CK_RV input_apart(const void *in, size_t in_size, const unsigned char *out,
                           size_t out_size, bool same_works, struct secret **ret_copy,
                           const unsigned char **ret_in);

#endif
