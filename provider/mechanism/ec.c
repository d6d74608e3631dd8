/* SPDX-License-Identifier: Apache-2.0 */
#include "mechanism/ec.h"

#include "base/openssl.h"
#include "mechanism/public-key-private.h"

#include <string.h>

/* PKCS#11 mechanisms 3.0, section 2.3.6: the hash "should not be longer than 1024 bits". */
#define ECDSA_DATA_MAX 128

/* One set-up serves all: without a hash, OpenSSL takes the leftmost bits of what it gets. */
#define USE_ECDSA 1

static CK_RV
borrow(struct public_key *key, struct prepared **ret_prepared)
{
	EVP_PKEY_CTX *context;

	*ret_prepared = prepared_take(&key->prepared, USE_ECDSA);
	if (*ret_prepared != NULL)
		return CKR_OK;
	context = EVP_PKEY_CTX_new_from_pkey(openssl_context(), key->evp, NULL);
	if (context == NULL)
		return openssl_failure(CKR_HOST_MEMORY);
	if (EVP_PKEY_verify_init(context) != 1) {
		EVP_PKEY_CTX_free(context);
		return openssl_failure(CKR_FUNCTION_FAILED);
	}
	return prepared_new(USE_ECDSA, context, ret_prepared);
}

static CK_RV
data_fits(size_t size)
{
	return size == 0 || size > ECDSA_DATA_MAX ? CKR_DATA_LEN_RANGE : CKR_OK;
}

CK_RV
ecdsa_verify(const struct mechanism_use *use, struct public_key *key, const void *data,
             size_t data_size, const void *signature)
{
	unsigned char der[OPENSSL_ECDSA_DER_MAX];
	struct prepared *prepared;
	size_t der_size = 0;
	CK_RV rv = data_fits(data_size);

	(void)use;
	if (rv != CKR_OK)
		return rv;
	rv = openssl_ecdsa_der(signature, key->signature_size, der, &der_size);
	if (rv != CKR_OK)
		return rv;
	rv = borrow(key, &prepared);
	if (rv != CKR_OK)
		return rv;
	if (EVP_PKEY_verify(prepared->context, der, der_size, data, data_size) != 1) {
		prepared_free(&prepared);
		return openssl_failure(CKR_SIGNATURE_INVALID);
	}
	prepared_put(&key->prepared, &prepared);
	return CKR_OK;
}

/* What is longer than the order is cut to its bytes: not every KMS does (FIPS 186-5, section 6.4). */
CK_RV
ecdsa_plan_sign(const struct mechanism_use *use, const struct public_key *key, const void *data,
                size_t data_size, struct mechanism_plan *ret_plan, struct buffer *ret_block)
{
	size_t order_size = key->signature_size / 2;
	CK_RV rv = data_fits(data_size);

	if (rv != CKR_OK)
		return rv;
	memset(ret_plan, 0, sizeof *ret_plan);
	ret_plan->primitive.mechanism = use->mechanism->primitives[0];
	return buffer_set(ret_block, data, data_size < order_size ? data_size : order_size);
}

/*
 * Newer OpenSSLs let a context verify only once: each verification uses up a copy of the
 * key's, which many threads may copy at a time.
 */
CK_RV
eddsa_verify(struct public_key *key, const void *data, size_t data_size, const void *signature)
{
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	CK_RV rv = CKR_OK;

	if (context == NULL || EVP_MD_CTX_copy_ex(context, key->eddsa) != 1)
		rv = openssl_failure(CKR_HOST_MEMORY);
	else if (EVP_DigestVerify(context, signature, key->signature_size,
	                          data_size == 0 ? (const void *)"" : data, data_size) != 1)
		rv = openssl_failure(CKR_SIGNATURE_INVALID);
	EVP_MD_CTX_free(context);
	return rv;
}

CK_RV
eddsa_plan_sign(const void *data, size_t data_size, struct mechanism_plan *ret_plan,
                struct buffer *ret_block)
{
	memset(ret_plan, 0, sizeof *ret_plan);
	ret_plan->primitive.mechanism = CKM_EDDSA;
	return buffer_set(ret_block, data, data_size);
}
