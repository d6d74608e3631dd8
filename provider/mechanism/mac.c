/* SPDX-License-Identifier: Apache-2.0 */
#include "mechanism/mac.h"

#include "base/openssl.h"
#include "mechanism/digest.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define CMAC_SIZE 16

struct mac {
	EVP_MAC_CTX *context; /* owned, has the key */
	size_t whole;         /* bytes that the function gives */
	size_t size;          /* of them that are wanted */
};

static const struct kind {
	CK_MECHANISM_TYPE type;
	CK_MECHANISM_TYPE digest; /* of HMAC; 0: CMAC */
	bool general;
} kinds[] = {
	{ CKM_SHA_1_HMAC, CKM_SHA_1, false },   { CKM_SHA_1_HMAC_GENERAL, CKM_SHA_1, true },
	{ CKM_SHA224_HMAC, CKM_SHA224, false }, { CKM_SHA224_HMAC_GENERAL, CKM_SHA224, true },
	{ CKM_SHA256_HMAC, CKM_SHA256, false }, { CKM_SHA256_HMAC_GENERAL, CKM_SHA256, true },
	{ CKM_SHA384_HMAC, CKM_SHA384, false }, { CKM_SHA384_HMAC_GENERAL, CKM_SHA384, true },
	{ CKM_SHA512_HMAC, CKM_SHA512, false }, { CKM_SHA512_HMAC_GENERAL, CKM_SHA512, true },
	{ CKM_AES_CMAC, 0, false },             { CKM_AES_CMAC_GENERAL, 0, true },
};

static const struct kind *
kind_find(CK_MECHANISM_TYPE type)
{
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
		if (kinds[i].type == type)
			return &kinds[i];
	return NULL;
}

bool
mac_offers(CK_MECHANISM_TYPE type)
{
	return kind_find(type) != NULL;
}

/* CK_MAC_GENERAL_PARAMS: a CK_ULONG, of any alignment. */
static CK_RV
read_size(const CK_MECHANISM *mechanism, bool general, size_t whole, size_t *ret_size)
{
	CK_ULONG size;

	if (!general) {
		*ret_size = whole;
		return mechanism->ulParameterLen == 0 ? CKR_OK : CKR_MECHANISM_PARAM_INVALID;
	}
	if (mechanism->pParameter == NULL || mechanism->ulParameterLen != sizeof size)
		return CKR_MECHANISM_PARAM_INVALID;
	memcpy(&size, mechanism->pParameter, sizeof size);
	if (size == 0 || size > whole)
		return CKR_MECHANISM_PARAM_INVALID;
	*ret_size = size;
	return CKR_OK;
}

static CK_RV
set_up(struct mac *mac, const struct kind *kind, const struct secret *key)
{
	bool hmac = kind->digest != 0;
	EVP_MAC *function = openssl_mac(hmac ? OPENSSL_HMAC : OPENSSL_CMAC);
	const char *name;
	OSSL_PARAM params[2];
	const EVP_CIPHER *cipher = NULL;

	if (hmac) {
		name = EVP_MD_get0_name(openssl_digest(kind->digest));
		params[0] = OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST,
		                                             (char *)(uintptr_t)name, 0);
	} else {
		cipher = openssl_cipher(OPENSSL_CBC, secret_size(key));
		if (cipher == NULL)
			return openssl_failure(CKR_HOST_MEMORY);
		name = EVP_CIPHER_get0_name(cipher);
		params[0] = OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_CIPHER,
		                                             (char *)(uintptr_t)name, 0);
	}
	params[1] = OSSL_PARAM_construct_end();
	mac->context = function == NULL ? NULL : EVP_MAC_CTX_new(function);
	if (mac->context == NULL)
		return openssl_failure(CKR_HOST_MEMORY);
	if (EVP_MAC_init(mac->context, secret_bytes(key), secret_size(key), params) != 1)
		return openssl_failure(CKR_FUNCTION_FAILED);
	return CKR_OK;
}

CK_RV
mac_new(const CK_MECHANISM *mechanism, const struct secret *key, struct mac **ret_mac)
{
	const struct kind *kind = kind_find(mechanism->mechanism);
	size_t key_size = secret_size(key), size = 0, whole;
	struct mac *mac;
	CK_RV rv;

	if (kind == NULL)
		return CKR_MECHANISM_INVALID;
	whole = kind->digest != 0 ? digest_size(kind->digest) : CMAC_SIZE;
	rv = read_size(mechanism, kind->general, whole, &size);
	if (rv != CKR_OK)
		return rv;
	if (kind->digest != 0 ? key_size == 0 : key_size != 16 && key_size != 24 && key_size != 32)
		return CKR_KEY_SIZE_RANGE;
	mac = calloc(1, sizeof *mac);
	if (mac == NULL)
		return CKR_HOST_MEMORY;
	mac->whole = whole;
	mac->size = size;
	rv = set_up(mac, kind, key);
	if (rv != CKR_OK)
		mac_free(&mac);
	else
		*ret_mac = mac;
	return rv;
}

void
mac_free(struct mac **mac)
{
	if (*mac == NULL)
		return;
	EVP_MAC_CTX_free((*mac)->context); /* wipes */
	free(*mac);
	*mac = NULL;
}

size_t
mac_size(const struct mac *mac)
{
	return mac->size;
}

CK_RV
mac_update(struct mac *mac, const void *data, size_t size)
{
	if (size == 0)
		return CKR_OK;
	if (EVP_MAC_update(mac->context, data, size) != 1)
		return openssl_failure(CKR_FUNCTION_FAILED);
	return CKR_OK;
}

CK_RV
mac_final(struct mac *mac, unsigned char *ret_value)
{
	unsigned char whole[MAC_SIZE_MAX];
	size_t size = 0;

	if (EVP_MAC_final(mac->context, whole, &size, sizeof whole) != 1 || size != mac->whole)
		return openssl_failure(CKR_FUNCTION_FAILED);
	memcpy(ret_value, whole, mac->size);
	OPENSSL_cleanse(whole, sizeof whole);
	return CKR_OK;
}

CK_RV
mac_verify(struct mac *mac, const void *value, size_t size)
{
	unsigned char expected[MAC_SIZE_MAX];
	CK_RV rv;

	if (size != mac->size)
		return CKR_SIGNATURE_LEN_RANGE;
	rv = mac_final(mac, expected);
	if (rv != CKR_OK)
		return rv;
	if (CRYPTO_memcmp(expected, value, size) != 0)
		rv = CKR_SIGNATURE_INVALID;
	OPENSSL_cleanse(expected, sizeof expected);
	return rv;
}
