/* SPDX-License-Identifier: Apache-2.0 */
/* Secret keys under secret keys. */
#include "mechanism/wrap.h"

#include "base/openssl.h"
#include "mechanism/cipher.h"

#include <openssl/crypto.h>
#include <string.h>

#define BLOCK 16
#define HALF 8 /* RFC 3394 and 5649 count in halves of a block */

bool
wrap_secret_offers(CK_MECHANISM_TYPE type)
{
	return type == CKM_AES_KEY_WRAP || type == CKM_AES_KEY_WRAP_KWP || type == CKM_AES_CBC ||
	       type == CKM_AES_CBC_PAD || type == CKM_AES_GCM;
}

static size_t
round_up(size_t size, size_t unit)
{
	return (size + unit - 1) / unit * unit;
}

static bool
is_key_wrap(CK_MECHANISM_TYPE type)
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

static CK_RV
tag_size_of(const CK_MECHANISM *mechanism, size_t *ret_size)
{
	struct cipher *cipher = NULL;
	struct secret *key = NULL;
	CK_RV rv = secret_new(BLOCK, &key);

	/* A key of zeros: what there is to know is in the parameter. */
	if (rv == CKR_OK)
		rv = cipher_new(mechanism, true, key, NULL, &cipher);
	if (rv == CKR_OK)
		*ret_size = cipher_single_size(cipher, 0);
	cipher_free(&cipher);
	secret_free(&key);
	return rv;
}

CK_RV
wrap_secret_size(const CK_MECHANISM *mechanism, size_t value_size, size_t *ret_size)
{
	const unsigned char *iv;
	size_t size = 0;
	CK_RV rv = CKR_OK;

	if (!wrap_secret_offers(mechanism->mechanism))
		return CKR_MECHANISM_INVALID;
	if (is_key_wrap(mechanism->mechanism))
		rv = key_wrap_iv(mechanism, &iv);
	else
		rv = tag_size_of(mechanism, &size);
	if (rv != CKR_OK)
		return rv;
	if (value_size == 0 || value_size > WRAP_SIZE_MAX)
		return CKR_KEY_SIZE_RANGE;
	switch (mechanism->mechanism) {
	case CKM_AES_KEY_WRAP:
		/* RFC 3394, section 2: two halves or more. */
		if (value_size % HALF != 0 || value_size < 2 * HALF)
			return CKR_KEY_SIZE_RANGE;
		size = value_size + HALF;
		break;
	case CKM_AES_KEY_WRAP_KWP:
		size = round_up(value_size, HALF) + HALF;
		break;
	case CKM_AES_CBC:
		size = round_up(value_size, BLOCK);
		break;
	case CKM_AES_CBC_PAD:
		size = round_up(value_size + 1, BLOCK);
		break;
	default:
		size += value_size; /* the tag's */
		break;
	}
	*ret_size = size;
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

/* Once through a cipher, which has been made for this. */
static CK_RV
cipher_once(const CK_MECHANISM *mechanism, bool encrypt, const struct secret *key,
            const void *data, size_t size, unsigned char *ret_data, size_t room,
            size_t *ret_size)
{
	struct cipher *cipher = NULL;
	CK_RV rv = cipher_new(mechanism, encrypt, key, NULL, &cipher);

	if (rv == CKR_OK)
		rv = cipher_single(cipher, data, size, ret_data, room, ret_size);
	cipher_free(&cipher);
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
	struct secret *padded = NULL;
	size_t size = 0;
	CK_RV rv = wrap_secret_size(mechanism, secret_size(value), &size);

	if (rv != CKR_OK)
		return rv;
	if (!is_aes_key(key))
		return CKR_WRAPPING_KEY_SIZE_RANGE;
	rv = buffer_resize(&wrapped, size);
	if (rv != CKR_OK)
		goto out;
	if (is_key_wrap(mechanism->mechanism)) {
		rv = key_wrap(mechanism, true, key, secret_bytes(value), secret_size(value),
		              wrapped.data, &size);
	} else if (mechanism->mechanism == CKM_AES_CBC) {
		rv = secret_new(size, &padded); /* zeros */
		if (rv != CKR_OK)
			goto out;
		memcpy(secret_data(padded), secret_bytes(value), secret_size(value));
		rv = cipher_once(mechanism, true, key, secret_bytes(padded), size, wrapped.data,
		                 size, &size);
	} else {
		rv = cipher_once(mechanism, true, key, secret_bytes(value), secret_size(value),
		                 wrapped.data, size, &size);
	}
	if (rv != CKR_OK)
		goto out;
	buffer_clear(ret_wrapped);
	*ret_wrapped = wrapped;
	wrapped = (struct buffer)BUFFER_INIT;
out:
	secret_free(&padded);
	buffer_clear(&wrapped);
	return rv;
}

/* Can anything be wrapped to this size? The size of a tag is the cipher's to know. */
static bool
wrapped_size_valid(CK_MECHANISM_TYPE type, size_t size)
{
	if (size == 0 || size > WRAP_SIZE_MAX + 2 * BLOCK)
		return false;
	switch (type) {
	case CKM_AES_KEY_WRAP:
		return size % HALF == 0 && size >= 3 * HALF;
	case CKM_AES_KEY_WRAP_KWP:
		return size % HALF == 0 && size >= 2 * HALF;
	case CKM_AES_GCM:
		return true;
	default:
		return size % BLOCK == 0;
	}
}

static CK_RV
unwrap_failure(CK_RV rv)
{
	if (rv == CKR_ENCRYPTED_DATA_LEN_RANGE)
		return CKR_WRAPPED_KEY_LEN_RANGE;
	return rv == CKR_ENCRYPTED_DATA_INVALID ? CKR_WRAPPED_KEY_INVALID : rv;
}

CK_RV
unwrap_secret(const CK_MECHANISM *mechanism, const struct secret *key, const void *wrapped,
              size_t size, struct secret **ret_value)
{
	struct secret *value = NULL;
	size_t value_size = 0;
	CK_RV rv;

	/* The parameter comes before the data. */
	rv = wrap_secret_size(mechanism, BLOCK, &value_size);
	if (rv != CKR_OK)
		return rv;
	if (!is_aes_key(key))
		return CKR_UNWRAPPING_KEY_SIZE_RANGE;
	if (!wrapped_size_valid(mechanism->mechanism, size))
		return CKR_WRAPPED_KEY_LEN_RANGE;
	rv = secret_new(size, &value);
	if (rv != CKR_OK)
		return rv;
	if (is_key_wrap(mechanism->mechanism))
		rv = key_wrap(mechanism, false, key, wrapped, size, secret_data(value),
		              &value_size);
	else
		rv = unwrap_failure(cipher_once(mechanism, false, key, wrapped, size,
		                                secret_data(value), size, &value_size));
	/* Nothing is no key. */
	if (rv == CKR_OK && value_size == 0)
		rv = CKR_WRAPPED_KEY_INVALID;
	if (rv == CKR_OK) {
		secret_truncate(value, value_size);
		*ret_value = value;
		value = NULL;
	}
	secret_free(&value);
	return rv;
}
