/* SPDX-License-Identifier: Apache-2.0 */
/* Secret keys under public RSA keys, and the way back of CKM_RSA_AES_KEY_WRAP. */
#include "mechanism/wrap.h"

#include "base/openssl.h"

#include <openssl/rand.h>
#include <string.h>

bool
wrap_public_offers(CK_MECHANISM_TYPE type)
{
	return type == CKM_RSA_PKCS || type == CKM_RSA_PKCS_OAEP || type == CKM_RSA_AES_KEY_WRAP;
}

/* What an encryption calls the key, a wrapping calls the wrapping key. */
static CK_RV
wrapping_failure(CK_RV rv)
{
	if (rv == CKR_KEY_TYPE_INCONSISTENT)
		return CKR_WRAPPING_KEY_TYPE_INCONSISTENT;
	if (rv == CKR_KEY_SIZE_RANGE)
		return CKR_WRAPPING_KEY_SIZE_RANGE;
	return rv == CKR_DATA_LEN_RANGE ? CKR_KEY_SIZE_RANGE : rv;
}

static CK_RV
unwrapping_failure(CK_RV rv)
{
	if (rv == CKR_KEY_TYPE_INCONSISTENT)
		return CKR_UNWRAPPING_KEY_TYPE_INCONSISTENT;
	return rv == CKR_KEY_SIZE_RANGE ? CKR_UNWRAPPING_KEY_SIZE_RANGE : rv;
}

/*
 * Section 2.1.19: the size of the AES key, and the parameter of OAEP. For other mechanisms
 * the mechanism is its own inner one, and there is no AES key.
 */
static CK_RV
inner_init(const CK_MECHANISM *mechanism, CK_FLAGS flag, const struct public_key *key,
           struct mechanism_use *ret_use, size_t *ret_aes_size)
{
	struct rsa_aes_key_wrap_params parameter;
	CK_MECHANISM oaep = { CKM_RSA_PKCS_OAEP, NULL, sizeof(CK_RSA_PKCS_OAEP_PARAMS) };

	if (mechanism->mechanism != CKM_RSA_AES_KEY_WRAP) {
		*ret_aes_size = 0;
		return mechanism_use_init(mechanism, flag, key, ret_use);
	}
	if (mechanism->pParameter == NULL || mechanism->ulParameterLen != sizeof parameter)
		return CKR_MECHANISM_PARAM_INVALID;
	memcpy(&parameter, mechanism->pParameter, sizeof parameter);
	if (parameter.ulAESKeyBits != 128 && parameter.ulAESKeyBits != 192 &&
	    parameter.ulAESKeyBits != 256)
		return CKR_MECHANISM_PARAM_INVALID;
	oaep.pParameter = parameter.pOAEPParams;
	*ret_aes_size = parameter.ulAESKeyBits / 8;
	return mechanism_use_init(&oaep, flag, key, ret_use);
}

static const CK_MECHANISM kwp = { CKM_AES_KEY_WRAP_KWP, NULL, 0 };

/* The size of the second part, or, with no AES key, whether the value fits into the first. */
static CK_RV
rest_size(const struct mechanism_use *use, const struct public_key *key, size_t aes_size,
          size_t value_size, size_t *ret_size)
{
	size_t first = aes_size != 0 ? aes_size : value_size;

	*ret_size = 0;
	if (value_size == 0)
		return CKR_KEY_SIZE_RANGE;
	if (first > mechanism_input_max(use, key))
		return aes_size != 0 ? CKR_WRAPPING_KEY_SIZE_RANGE : CKR_KEY_SIZE_RANGE;
	return aes_size == 0 ? CKR_OK : wrap_secret_size(&kwp, value_size, ret_size);
}

CK_RV
wrap_public_size(const CK_MECHANISM *mechanism, const struct public_key *key, size_t value_size,
                 size_t *ret_size)
{
	struct mechanism_use use;
	size_t aes_size, rest;
	CK_RV rv;

	if (!wrap_public_offers(mechanism->mechanism))
		return CKR_MECHANISM_INVALID;
	rv = inner_init(mechanism, CKF_ENCRYPT, key, &use, &aes_size);
	if (rv != CKR_OK)
		return wrapping_failure(rv);
	rv = rest_size(&use, key, aes_size, value_size, &rest);
	if (rv == CKR_OK)
		*ret_size = mechanism_output_size(&use, key) + rest;
	mechanism_use_clear(&use);
	return rv;
}

/* The second part, under a new AES key, which the first part is to hold. */
static CK_RV
wrap_rest(size_t aes_size, const struct secret *value, struct secret **ret_aes_key,
          struct buffer *ret_rest)
{
	struct secret *aes_key = NULL;
	CK_RV rv = secret_new(aes_size, &aes_key);

	if (rv != CKR_OK)
		return rv;
	if (RAND_priv_bytes_ex(openssl_context(), secret_data(aes_key), aes_size, 0) != 1)
		rv = openssl_failure(CKR_FUNCTION_FAILED);
	if (rv == CKR_OK)
		rv = wrap_secret(&kwp, aes_key, value, ret_rest);
	if (rv != CKR_OK)
		secret_free(&aes_key);
	else
		*ret_aes_key = aes_key;
	return rv;
}

CK_RV
wrap_public(const CK_MECHANISM *mechanism, struct public_key *key, const struct secret *value,
            struct buffer *ret_wrapped)
{
	struct buffer wrapped = BUFFER_INIT, rest = BUFFER_INIT;
	struct secret *aes_key = NULL;
	const struct secret *first;
	struct mechanism_use use;
	size_t aes_size, size;
	CK_RV rv;

	if (!wrap_public_offers(mechanism->mechanism))
		return CKR_MECHANISM_INVALID;
	rv = inner_init(mechanism, CKF_ENCRYPT, key, &use, &aes_size);
	if (rv != CKR_OK)
		return wrapping_failure(rv);
	rv = rest_size(&use, key, aes_size, secret_size(value), &size);
	if (rv == CKR_OK && aes_size != 0)
		rv = wrap_rest(aes_size, value, &aes_key, &rest);
	if (rv == CKR_OK)
		rv = buffer_resize(&wrapped, mechanism_output_size(&use, key));
	if (rv != CKR_OK)
		goto out;
	first = aes_key != NULL ? aes_key : value;
	rv = wrapping_failure(mechanism_encrypt(&use, key, secret_bytes(first),
	                                        secret_size(first), wrapped.data));
	if (rv == CKR_OK)
		rv = buffer_append(&wrapped, rest.data, rest.size);
	if (rv != CKR_OK)
		goto out;
	buffer_clear(ret_wrapped);
	*ret_wrapped = wrapped;
	wrapped = (struct buffer)BUFFER_INIT;
out:
	secret_free(&aes_key);
	buffer_clear(&rest);
	buffer_clear(&wrapped);
	mechanism_use_clear(&use);
	return rv;
}

CK_RV
rsa_aes_split(const CK_MECHANISM *mechanism, const struct public_key *key, size_t wrapped_size,
              struct mechanism_use *ret_oaep, size_t *ret_first)
{
	struct mechanism_use use;
	size_t aes_size, first;
	CK_RV rv;

	if (mechanism->mechanism != CKM_RSA_AES_KEY_WRAP)
		return CKR_MECHANISM_INVALID;
	rv = inner_init(mechanism, CKF_DECRYPT, key, &use, &aes_size);
	if (rv != CKR_OK)
		return unwrapping_failure(rv);
	first = mechanism_output_size(&use, key);
	if (aes_size > mechanism_input_max(&use, key))
		rv = CKR_UNWRAPPING_KEY_SIZE_RANGE;
	else if (wrapped_size <= first)
		rv = CKR_WRAPPED_KEY_LEN_RANGE;
	if (rv != CKR_OK) {
		mechanism_use_clear(&use);
		return rv;
	}
	*ret_oaep = use;
	*ret_first = first;
	return CKR_OK;
}

CK_RV
rsa_aes_unwrap(const CK_MECHANISM *mechanism, const struct secret *aes_key, const void *rest,
               size_t rest_size_given, struct secret **ret_value)
{
	struct rsa_aes_key_wrap_params parameter;

	if (mechanism->mechanism != CKM_RSA_AES_KEY_WRAP)
		return CKR_MECHANISM_INVALID;
	if (mechanism->pParameter == NULL || mechanism->ulParameterLen != sizeof parameter)
		return CKR_MECHANISM_PARAM_INVALID;
	memcpy(&parameter, mechanism->pParameter, sizeof parameter);
	if (secret_size(aes_key) * 8 != parameter.ulAESKeyBits)
		return CKR_WRAPPED_KEY_INVALID;
	return unwrap_secret(&kwp, aes_key, rest, rest_size_given, ret_value);
}
