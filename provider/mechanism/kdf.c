/* SPDX-License-Identifier: Apache-2.0 */
#include "mechanism/kdf.h"

#include "base/openssl.h"
#include "mechanism/ecdh.h"
#include "mechanism/public-key-private.h"
#include "mechanism/spki.h"

#include <openssl/core_names.h>
#include <openssl/kdf.h>
#include <string.h>

/* 0: CKD_NULL, which hashes nothing. */
static const struct {
	CK_ULONG kdf;
	CK_MECHANISM_TYPE digest;
} kdfs[] = {
	{ CKD_NULL, 0 },
	{ CKD_SHA1_KDF, CKM_SHA_1 },
	{ CKD_SHA224_KDF, CKM_SHA224 },
	{ CKD_SHA256_KDF, CKM_SHA256 },
	{ CKD_SHA384_KDF, CKM_SHA384 },
	{ CKD_SHA512_KDF, CKM_SHA512 },
};

static bool
kdf_find(CK_ULONG kdf, CK_MECHANISM_TYPE *ret_digest)
{
	for (size_t i = 0; i < sizeof kdfs / sizeof *kdfs; i++)
		if (kdfs[i].kdf == kdf) {
			*ret_digest = kdfs[i].digest;
			return true;
		}
	return false;
}

bool
kdf_offers(CK_ULONG kdf)
{
	CK_MECHANISM_TYPE digest;

	return kdf_find(kdf, &digest);
}

/* The curve of X25519 has points of small order, on any of which nobody agrees. */
static CK_RV
agreeable(const struct spki_parts *parts, EVP_PKEY *evp)
{
	struct buffer point = BUFFER_INIT;
	struct secret *shared = NULL;
	CK_RV rv;

	if (parts->key_type == CKK_EC)
		return CKR_OK;
	rv = ecdh_challenge(evp, &point, &shared);
	secret_free(&shared);
	buffer_clear(&point);
	return rv;
}

CK_RV
ecdh_peer_check(const struct algorithm *algorithm, const void *point, size_t size,
                struct buffer *ret_raw_point)
{
	struct buffer spki = BUFFER_INIT;
	struct spki_parts parts = { .key_type = CKK_EC };
	EVP_PKEY *evp = NULL;
	CK_RV rv;

	if (algorithm->key_type != CKK_EC && algorithm->key_type != CKK_EC_MONTGOMERY)
		return CKR_KEY_TYPE_INCONSISTENT;
	if (point == NULL)
		return CKR_MECHANISM_PARAM_INVALID;
	rv = spki_from_ec(algorithm, point, size, &spki);
	if (rv == CKR_OK)
		rv = spki_parse(spki.data, spki.size, &parts);
	/* OpenSSL makes no key of a point that is not on the curve. */
	if (rv == CKR_OK)
		rv = public_key_to_evp(&parts, &evp);
	if (rv == CKR_OK)
		rv = agreeable(&parts, evp);
	if (rv == CKR_OK)
		rv = buffer_set(ret_raw_point, parts.point.data, parts.point.size);
	EVP_PKEY_free(evp);
	spki_parts_clear(&parts);
	buffer_clear(&spki);
	return rv == CKR_PUBLIC_KEY_INVALID ? CKR_MECHANISM_PARAM_INVALID : rv;
}

CK_RV
ecdh_use_init(const CK_MECHANISM *mechanism, const struct algorithm *algorithm,
              struct ecdh_use *ret_use)
{
	struct ecdh_use use = { .shared_info = BUFFER_INIT, .peer = BUFFER_INIT };
	CK_ECDH1_DERIVE_PARAMS parameter;
	CK_RV rv;

	if (mechanism->mechanism != CKM_ECDH1_DERIVE)
		return CKR_MECHANISM_INVALID;
	if (mechanism->pParameter == NULL || mechanism->ulParameterLen != sizeof parameter)
		return CKR_MECHANISM_PARAM_INVALID;
	memcpy(&parameter, mechanism->pParameter, sizeof parameter);
	if (!kdf_offers(parameter.kdf) || parameter.ulSharedDataLen > KDF_SIZE_MAX)
		return CKR_MECHANISM_PARAM_INVALID;
	/* Section 2.3.17: CKD_NULL has no shared data. */
	if (parameter.ulSharedDataLen > 0 &&
	    (parameter.pSharedData == NULL || parameter.kdf == CKD_NULL))
		return CKR_MECHANISM_PARAM_INVALID;
	use.kdf = parameter.kdf;
	rv = ecdh_peer_check(algorithm, parameter.pPublicData, parameter.ulPublicDataLen,
	                     &use.peer);
	if (rv == CKR_OK)
		rv = buffer_set(&use.shared_info, parameter.pSharedData,
		                parameter.ulSharedDataLen);
	if (rv != CKR_OK)
		ecdh_use_clear(&use);
	else
		*ret_use = use;
	return rv;
}

void
ecdh_use_clear(struct ecdh_use *use)
{
	buffer_clear(&use->shared_info);
	buffer_clear(&use->peer);
	memset(use, 0, sizeof *use);
}

static CK_RV
x963(CK_MECHANISM_TYPE digest, const struct secret *shared, const void *info, size_t info_size,
     struct secret *key)
{
	EVP_KDF *kdf = openssl_x963kdf();
	EVP_KDF_CTX *context = kdf == NULL ? NULL : EVP_KDF_CTX_new(kdf);
	const char *name = EVP_MD_get0_name(openssl_digest(digest));
	OSSL_PARAM params[4], *at = params;
	CK_RV rv = CKR_OK;

	if (context == NULL)
		return openssl_failure(CKR_HOST_MEMORY);
	*at++ = OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, (char *)(uintptr_t)name,
	                                         0);
	*at++ = OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY,
	                                          (void *)(uintptr_t)secret_bytes(shared),
	                                          secret_size(shared));
	if (info_size > 0)
		*at++ = OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO,
		                                          (void *)(uintptr_t)info, info_size);
	*at = OSSL_PARAM_construct_end();
	if (EVP_KDF_derive(context, secret_data(key), secret_size(key), params) != 1)
		rv = openssl_failure(CKR_FUNCTION_FAILED);
	EVP_KDF_CTX_free(context); /* wipes */
	return rv;
}

CK_RV
kdf_derive(CK_ULONG kdf, const struct secret *shared, const void *shared_info,
           size_t shared_info_size, size_t length, struct secret **ret_key)
{
	size_t shared_size = secret_size(shared);
	CK_MECHANISM_TYPE digest;
	struct secret *key = NULL;
	CK_RV rv;

	if (!kdf_find(kdf, &digest) || shared_info_size > KDF_SIZE_MAX ||
	    (shared_info_size > 0 && (shared_info == NULL || digest == 0)))
		return CKR_MECHANISM_PARAM_INVALID;
	if (length == 0 || length > KDF_SIZE_MAX || shared_size == 0 ||
	    (digest == 0 && length > shared_size))
		return CKR_KEY_SIZE_RANGE;
	if (digest == 0)
		return secret_dup(secret_bytes(shared) + (shared_size - length), length, ret_key);
	rv = secret_new(length, &key);
	if (rv == CKR_OK)
		rv = x963(digest, shared, shared_info, shared_info_size, key);
	if (rv != CKR_OK)
		secret_free(&key);
	else
		*ret_key = key;
	return rv;
}
