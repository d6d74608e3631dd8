/* SPDX-License-Identifier: Apache-2.0 */
#include "mechanism/ecdh.h"

#include "base/openssl.h"

#include <openssl/core_names.h>

#define POINT_SIZE_MAX 133 /* 04, X, Y of P-521 */

static CK_RV
ephemeral_new(EVP_PKEY *key, EVP_PKEY **ret_ephemeral)
{
	EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_pkey(openssl_context(), key, NULL);
	CK_RV rv = CKR_OK;

	if (context == NULL || EVP_PKEY_keygen_init(context) != 1 ||
	    EVP_PKEY_generate(context, ret_ephemeral) != 1)
		rv = openssl_failure(CKR_FUNCTION_FAILED);
	EVP_PKEY_CTX_free(context);
	return rv;
}

static CK_RV
point_of(EVP_PKEY *key, struct buffer *ret_point)
{
	unsigned char point[POINT_SIZE_MAX];
	size_t size;

	if (EVP_PKEY_get_octet_string_param(key, OSSL_PKEY_PARAM_PUB_KEY, point, sizeof point,
	                                    &size) != 1)
		return openssl_failure(CKR_FUNCTION_FAILED);
	return buffer_set(ret_point, point, size);
}

static CK_RV
agree(EVP_PKEY *own, EVP_PKEY *peer, struct secret **ret_shared)
{
	EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_pkey(openssl_context(), own, NULL);
	struct secret *shared = NULL;
	size_t size = 0;
	CK_RV rv;

	if (context == NULL || EVP_PKEY_derive_init(context) != 1) {
		rv = openssl_failure(CKR_HOST_MEMORY);
		goto out;
	}
	if (EVP_PKEY_derive_set_peer(context, peer) != 1 ||
	    EVP_PKEY_derive(context, NULL, &size) != 1) {
		rv = openssl_failure(CKR_PUBLIC_KEY_INVALID);
		goto out;
	}
	rv = secret_new(size, &shared);
	/* Where all that comes out is zero, OpenSSL fails. */
	if (rv == CKR_OK && EVP_PKEY_derive(context, secret_data(shared), &size) != 1)
		rv = openssl_failure(CKR_PUBLIC_KEY_INVALID);
	if (rv != CKR_OK)
		goto out;
	*ret_shared = shared;
	shared = NULL;
out:
	secret_free(&shared);
	EVP_PKEY_CTX_free(context);
	return rv;
}

CK_RV
ecdh_challenge(EVP_PKEY *key, struct buffer *ret_point, struct secret **ret_shared)
{
	struct buffer point = BUFFER_INIT;
	EVP_PKEY *ephemeral = NULL;
	CK_RV rv = ephemeral_new(key, &ephemeral);

	if (rv == CKR_OK)
		rv = point_of(ephemeral, &point);
	if (rv == CKR_OK)
		rv = agree(ephemeral, key, ret_shared);
	if (rv == CKR_OK) {
		buffer_clear(ret_point);
		*ret_point = point;
	} else {
		buffer_clear(&point);
	}
	EVP_PKEY_free(ephemeral);
	return rv;
}
