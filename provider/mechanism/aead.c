/* SPDX-License-Identifier: Apache-2.0 */
#include "mechanism/aead.h"

#include "base/openssl.h"

#include <limits.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <string.h>

CK_RV
aead_start(struct aead *aead, const unsigned char *iv, const void *aad, size_t aad_size)
{
	int given;
	CK_RV rv = context_start(aead->context, iv);

	if (rv != CKR_OK)
		return rv;
	/* OpenSSL's CCM takes the data at once, in an int. */
	if (aead->mode == CIPHER_CCM && aead->limit > INT_MAX)
		return aead->encrypt ? CKR_DATA_LEN_RANGE : CKR_ENCRYPTED_DATA_LEN_RANGE;
	if (aead->mode == CIPHER_CCM &&
	    EVP_CipherUpdate(aead->context, NULL, &given, NULL, (int)aead->limit) != 1)
		return openssl_failure(CKR_FUNCTION_FAILED);
	if (aad_size > 0 &&
	    EVP_CipherUpdate(aead->context, NULL, &given, aad, (int)aad_size) != 1)
		return openssl_failure(CKR_FUNCTION_FAILED);
	return CKR_OK;
}

void
aead_clear(struct aead *aead)
{
	buffer_clear(&aead->held);
	secret_free(&aead->plain);
	aead->total = 0;
}

bool
aead_streams(const struct aead *aead)
{
	return aead->encrypt && aead->mode == CIPHER_GCM;
}

CK_RV
aead_hold(struct aead *aead, const void *in, size_t size)
{
	CK_RV rv = CKR_OK;

	if (size == 0)
		return CKR_OK;
	if (!aead->encrypt)
		rv = buffer_append(&aead->held, in, size);
	else if (aead->plain == NULL)
		rv = secret_new((size_t)aead->limit, &aead->plain);
	if (rv != CKR_OK)
		return rv;
	if (aead->encrypt)
		memcpy(secret_data(aead->plain) + aead->total, in, size);
	aead->total += size;
	return CKR_OK;
}

const unsigned char *
aead_held(const struct aead *aead)
{
	static const unsigned char nothing[1];

	if (aead->plain != NULL)
		return secret_bytes(aead->plain);
	return aead->held.data != NULL ? aead->held.data : nothing;
}

/* False: OpenSSL has failed, or CCM has found the tag wrong. */
static bool
data(struct aead *aead, const unsigned char *in, size_t size, unsigned char *out)
{
	unsigned char nothing[1] = { 0 };
	size_t given;

	/* An empty message needs a call all the same, which EVP_CipherUpdate does not make. */
	if (size == 0 && aead->mode == CIPHER_CCM)
		return EVP_Cipher(aead->context, nothing, nothing, 0) >= 0;
	return size == 0 || context_update(aead->context, in, size, out, &given) == CKR_OK;
}

CK_RV
aead_seal(struct aead *aead, const unsigned char *in, size_t size, unsigned char *out,
          unsigned char *ret_tag)
{
	unsigned char nothing[CIPHER_BLOCK];
	int given;

	if (!data(aead, in, size, out) ||
	    EVP_CipherFinal_ex(aead->context, nothing, &given) != 1 ||
	    EVP_CIPHER_CTX_ctrl(aead->context, EVP_CTRL_AEAD_GET_TAG, (int)aead->tag_size,
	                        ret_tag) != 1)
		return openssl_failure(CKR_FUNCTION_FAILED);
	return CKR_OK;
}

CK_RV
aead_open(struct aead *aead, const unsigned char *in, size_t size, unsigned char *out,
          const unsigned char *tag)
{
	unsigned char expected[CIPHER_TAG_MAX], nothing[CIPHER_BLOCK];
	int given;

	memcpy(expected, tag, aead->tag_size);
	if (EVP_CIPHER_CTX_ctrl(aead->context, EVP_CTRL_AEAD_SET_TAG, (int)aead->tag_size,
	                        expected) != 1)
		return openssl_failure(CKR_FUNCTION_FAILED);
	/* CCM checks the tag with the data, GCM at the end. */
	if (data(aead, in, size, out) && (aead->mode == CIPHER_CCM ||
	    EVP_CipherFinal_ex(aead->context, nothing, &given) == 1))
		return CKR_OK;
	if (size > 0)
		OPENSSL_cleanse(out, size);
	return openssl_failure(CKR_ENCRYPTED_DATA_INVALID);
}
