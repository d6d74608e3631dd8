/* SPDX-License-Identifier: Apache-2.0 */
#include "mechanism/cipher-context.h"

#include "base/openssl.h"
#include "mechanism/cipher.h"
#include "mechanism/iv-count.h"

#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

/* OpenSSL counts in int. Whole blocks, so that what it holds back stays the same. */
#define PIECE_MAX ((size_t)1 << 30)

CK_RV
cipher_store_new(struct cipher_store **ret_store)
{
	struct cipher_store *store = NULL;

	/* The slots stand on cache lines of their own. */
	if (posix_memalign((void **)&store, _Alignof(struct cipher_store), sizeof *store) != 0)
		return CKR_HOST_MEMORY;
	memset(store, 0, sizeof *store);
	*ret_store = store;
	return CKR_OK;
}

void
cipher_store_free(struct cipher_store **store)
{
	if (*store == NULL)
		return;
	prepared_store_clear(&(*store)->prepared);
	free(*store);
	*store = NULL;
}

void
cipher_forked(void)
{
	iv_count_forked();
}

static enum openssl_mode
openssl_mode_of(enum cipher_mode mode)
{
	switch (mode) {
	case CIPHER_ECB:
		return OPENSSL_ECB;
	case CIPHER_CTR:
		return OPENSSL_CTR;
	case CIPHER_GCM:
		return OPENSSL_GCM;
	case CIPHER_CCM:
		return OPENSSL_CCM;
	default:
		return OPENSSL_CBC;
	}
}

/* The sizes go in before the key: CCM makes its first block from them then. */
static bool
set_up(EVP_CIPHER_CTX *context, const EVP_CIPHER *cipher, enum cipher_mode mode, bool encrypt,
       size_t iv_size, size_t tag_size, const struct secret *key)
{
	if (EVP_CipherInit_ex2(context, cipher, NULL, NULL, encrypt, NULL) != 1)
		return false;
	if ((mode == CIPHER_GCM || mode == CIPHER_CCM) &&
	    EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_IVLEN, (int)iv_size, NULL) != 1)
		return false;
	if (mode == CIPHER_CCM &&
	    EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, (int)tag_size, NULL) != 1)
		return false;
	return EVP_CipherInit_ex2(context, NULL, secret_bytes(key), NULL, encrypt, NULL) == 1 &&
	       EVP_CIPHER_CTX_set_padding(context, mode == CIPHER_CBC_PAD) == 1;
}

CK_RV
context_borrow(struct cipher_store *store, enum cipher_mode mode, bool encrypt, size_t iv_size,
               size_t tag_size, const struct secret *key, struct prepared **ret_prepared)
{
	/*
	 * What the set-up depends on; the tag of GCM can be of any size. What differs most is
	 * last: a full store chooses the slot by it.
	 */
	uint64_t use = (uint64_t)iv_size << 16 |
	               (uint64_t)(mode == CIPHER_CCM ? tag_size : 0) << 8 |
	               (uint64_t)mode << 1 | (uint64_t)encrypt;
	const EVP_CIPHER *cipher;
	EVP_CIPHER_CTX *context;
	size_t key_size = secret_size(key);

	if (key_size != 16 && key_size != 24 && key_size != 32)
		return CKR_KEY_SIZE_RANGE;
	*ret_prepared = store == NULL ? NULL : prepared_take(&store->prepared, use);
	if (*ret_prepared != NULL)
		return CKR_OK;
	cipher = openssl_cipher(openssl_mode_of(mode), key_size);
	context = cipher == NULL ? NULL : EVP_CIPHER_CTX_new();
	if (context == NULL)
		return openssl_failure(CKR_HOST_MEMORY);
	if (!set_up(context, cipher, mode, encrypt, iv_size, tag_size, key)) {
		EVP_CIPHER_CTX_free(context);
		return openssl_failure(CKR_FUNCTION_FAILED);
	}
	return prepared_new_cipher(use, context, ret_prepared);
}

void
context_return(struct cipher_store *store, struct prepared **prepared)
{
	if (store == NULL)
		prepared_free(prepared);
	else
		prepared_put(&store->prepared, prepared);
}

CK_RV
context_start(EVP_CIPHER_CTX *context, const unsigned char *iv)
{
	if (EVP_CipherInit_ex2(context, NULL, NULL, iv, -1, NULL) != 1)
		return openssl_failure(CKR_FUNCTION_FAILED);
	return CKR_OK;
}

CK_RV
context_update(EVP_CIPHER_CTX *context, const unsigned char *in, size_t in_size,
               unsigned char *out, size_t *ret_size)
{
	size_t piece, done = 0;
	int given;

	while (in_size > 0) {
		piece = in_size < PIECE_MAX ? in_size : PIECE_MAX;
		if (EVP_CipherUpdate(context, out + done, &given, in, (int)piece) != 1)
			return openssl_failure(CKR_FUNCTION_FAILED);
		done += (size_t)given;
		in += piece;
		in_size -= piece;
	}
	*ret_size = done;
	return CKR_OK;
}

CK_RV
input_apart(const void *in, size_t in_size, const unsigned char *out, size_t out_size,
            bool same_works, struct secret **ret_copy, const unsigned char **ret_in)
{
	uintptr_t in_at = (uintptr_t)in, out_at = (uintptr_t)out;
	CK_RV rv;

	*ret_in = in;
	if (in_size == 0 || out_size == 0 || (in_at == out_at && same_works) ||
	    in_at + in_size <= out_at || out_at + out_size <= in_at)
		return CKR_OK;
	rv = secret_dup(in, in_size, ret_copy);
	if (rv == CKR_OK)
		*ret_in = secret_bytes(*ret_copy);
	return rv;
}
