/* SPDX-License-Identifier: Apache-2.0 */
/* Secret keys under secret keys. */
#include "mechanism/wrap.h"

#include "base/openssl.h"

#include <openssl/evp.h>

#define HALF 8 /* RFC 3394 and 5649 count in halves of a block */

bool
wrap_secret_offers(CK_MECHANISM_TYPE type)
{
	return type == CKM_AES_KEY_WRAP || type == CKM_AES_KEY_WRAP_KWP;
}

/* Section 2.14.1: none, and the RFC's own is taken, or an IV of the RFC's size. */
static CK_RV
key_wrap_iv(const CK_MECHANISM *mechanism, const unsigned char **ret_iv)
{
	size_t size = mechanism->mechanism == CKM_AES_KEY_WRAP ? 8 : 4;

	*ret_iv = mechanism->ulParameterLen == 0 ? NULL : mechanism->pParameter;
	if (mechanism->ulParameterLen != 0 &&
	    (mechanism->ulParameterLen != size || mechanism->pParameter == NULL))
		return CKR_MECHANISM_PARAM_INVALID;
	return CKR_OK;
}

CK_RV
wrap_secret_size(const CK_MECHANISM *mechanism, size_t value_size, size_t *ret_size)
{
	const unsigned char *iv;
	CK_RV rv;

	if (!wrap_secret_offers(mechanism->mechanism))
		return CKR_MECHANISM_INVALID;
	rv = key_wrap_iv(mechanism, &iv);
	if (rv != CKR_OK)
		return rv;
	if (value_size == 0 || value_size > WRAP_SIZE_MAX)
		return CKR_KEY_SIZE_RANGE;
	/* RFC 3394, section 2: two halves or more. RFC 5649 pads. */
	if (mechanism->mechanism == CKM_AES_KEY_WRAP &&
	    (value_size % HALF != 0 || value_size < 2 * HALF))
		return CKR_KEY_SIZE_RANGE;
	*ret_size = (value_size + HALF - 1) / HALF * HALF + HALF;
	return CKR_OK;
}

/* ret_data: room for what comes out; when unwrapping, for as much as goes in. */
static CK_RV
key_wrap(const CK_MECHANISM *mechanism, bool wrap, const struct secret *key, const void *data,
         size_t size, unsigned char *ret_data, size_t *ret_size)
{
	CK_RV failed = wrap ? CKR_FUNCTION_FAILED : CKR_WRAPPED_KEY_INVALID;
	enum openssl_mode mode = mechanism->mechanism == CKM_AES_KEY_WRAP ? OPENSSL_WRAP
	                                                                  : OPENSSL_WRAP_PAD;
	const EVP_CIPHER *cipher = openssl_cipher(mode, secret_size(key));
	EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
	const unsigned char *iv;
	int given = 0;
	CK_RV rv = key_wrap_iv(mechanism, &iv);

	if (rv != CKR_OK)
		goto out;
	rv = CKR_OK;
	if (cipher == NULL || context == NULL) {
		rv = openssl_failure(CKR_HOST_MEMORY);
		goto out;
	}
	EVP_CIPHER_CTX_set_flags(context, EVP_CIPHER_CTX_FLAG_WRAP_ALLOW);
	if (EVP_CipherInit_ex2(context, cipher, secret_bytes(key), iv, wrap, NULL) != 1 ||
	    EVP_CipherUpdate(context, ret_data, &given, data, (int)size) != 1 || given <= 0)
		rv = openssl_failure(failed);
	else
		*ret_size = (size_t)given;
out:
	EVP_CIPHER_CTX_free(context);
	return rv;
}

static bool
is_aes_key(const struct secret *key)
{
	return secret_size(key) == 16 || secret_size(key) == 24 || secret_size(key) == 32;
}

CK_RV
wrap_secret(const CK_MECHANISM *mechanism, const struct secret *key, const struct secret *value,
            struct buffer *ret_wrapped)
{
	struct buffer wrapped = BUFFER_INIT;
	size_t size = 0;
	CK_RV rv = wrap_secret_size(mechanism, secret_size(value), &size);

	if (rv != CKR_OK)
		return rv;
	if (!is_aes_key(key))
		return CKR_WRAPPING_KEY_SIZE_RANGE;
	rv = buffer_resize(&wrapped, size);
	if (rv == CKR_OK)
		rv = key_wrap(mechanism, true, key, secret_bytes(value), secret_size(value),
		              wrapped.data, &size);
	if (rv != CKR_OK) {
		buffer_clear(&wrapped);
		return rv;
	}
	buffer_clear(ret_wrapped);
	*ret_wrapped = wrapped;
	return CKR_OK;
}

/* Can anything be wrapped to this size? */
static bool
wrapped_size_valid(CK_MECHANISM_TYPE type, size_t size)
{
	size_t least = type == CKM_AES_KEY_WRAP ? 3 * HALF : 2 * HALF;

	return size % HALF == 0 && size >= least && size <= WRAP_SIZE_MAX + HALF;
}

CK_RV
unwrap_secret(const CK_MECHANISM *mechanism, const struct secret *key, const void *wrapped,
              size_t size, struct secret **ret_value)
{
	struct secret *value = NULL;
	size_t value_size = 0;
	CK_RV rv;

	/* The parameter comes before the data. */
	rv = wrap_secret_size(mechanism, 2 * HALF, &value_size);
	if (rv != CKR_OK)
		return rv;
	if (!is_aes_key(key))
		return CKR_UNWRAPPING_KEY_SIZE_RANGE;
	if (!wrapped_size_valid(mechanism->mechanism, size))
		return CKR_WRAPPED_KEY_LEN_RANGE;
	rv = secret_new(size, &value);
	if (rv == CKR_OK)
		rv = key_wrap(mechanism, false, key, wrapped, size, secret_data(value),
		              &value_size);
	if (rv == CKR_OK) {
		secret_truncate(value, value_size);
		*ret_value = value;
		value = NULL;
	}
	secret_free(&value);
	return rv;
}
