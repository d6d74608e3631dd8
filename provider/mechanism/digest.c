/* SPDX-License-Identifier: Apache-2.0 */
#include "mechanism/digest.h"

#include "base/openssl.h"

#include <openssl/evp.h>
#include <stdlib.h>

struct digest {
	EVP_MD_CTX *context; /* owned */
};

/* The sizes are those of PKCS#11 mechanisms 3.0, sections 2.20 to 2.26. */
size_t
digest_size(CK_MECHANISM_TYPE type)
{
	switch (type) {
	case CKM_SHA_1:
		return 20;
	case CKM_SHA224:
		return 28;
	case CKM_SHA256:
		return 32;
	case CKM_SHA384:
		return 48;
	case CKM_SHA512:
		return 64;
	default:
		return 0;
	}
}

CK_RV
digest_new(CK_MECHANISM_TYPE type, struct digest **ret_digest)
{
	const EVP_MD *md = openssl_digest(type);
	struct digest *digest;
	CK_RV rv = CKR_OK;

	if (md == NULL)
		return CKR_MECHANISM_INVALID;
	digest = calloc(1, sizeof *digest);
	if (digest == NULL)
		return CKR_HOST_MEMORY;
	digest->context = EVP_MD_CTX_new();
	if (digest->context == NULL) {
		rv = openssl_failure(CKR_HOST_MEMORY);
		goto out;
	}
	if (EVP_DigestInit_ex2(digest->context, md, NULL) != 1) {
		rv = openssl_failure(CKR_FUNCTION_FAILED);
		goto out;
	}
	*ret_digest = digest;
	digest = NULL;
out:
	digest_free(&digest);
	return rv;
}

void
digest_free(struct digest **digest)
{
	if (*digest == NULL)
		return;
	EVP_MD_CTX_free((*digest)->context);
	free(*digest);
	*digest = NULL;
}

CK_RV
digest_update(struct digest *digest, const void *data, size_t size)
{
	if (size == 0)
		return CKR_OK;
	if (EVP_DigestUpdate(digest->context, data, size) != 1)
		return openssl_failure(CKR_FUNCTION_FAILED);
	return CKR_OK;
}

CK_RV
digest_final(struct digest *digest, unsigned char *ret_value)
{
	if (EVP_DigestFinal_ex(digest->context, ret_value, NULL) != 1)
		return openssl_failure(CKR_FUNCTION_FAILED);
	return CKR_OK;
}

CK_RV
digest_once(CK_MECHANISM_TYPE type, const void *data, size_t size, unsigned char *ret_value)
{
	const EVP_MD *md = openssl_digest(type);

	if (md == NULL)
		return CKR_MECHANISM_INVALID;
	if (EVP_Digest(size == 0 ? "" : data, size, ret_value, NULL, md, NULL) != 1)
		return openssl_failure(CKR_FUNCTION_FAILED);
	return CKR_OK;
}
