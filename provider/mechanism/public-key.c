/* SPDX-License-Identifier: Apache-2.0 */
#include "mechanism/public-key.h"

#include "base/openssl.h"
#include "mechanism/public-key-private.h"

#include <openssl/asn1.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/param_build.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define RSA_BITS_MIN 1024
#define RSA_BITS_MAX 16384 /* OpenSSL computes with no larger ones */

/*
 * Types go by their OBJECT IDENTIFIER: a plain name has an old numeric id as well, by which
 * OpenSSL asks the program's engines first, and one that registers itself for all keys
 * (libp11's does) can't make keys from parameters.
 */
#define TYPE_RSA "1.2.840.113549.1.1.1"
#define TYPE_EC "1.2.840.10045.2.1"
#define TYPE_ED25519 "1.3.101.112"
#define TYPE_X25519 "1.3.101.110"

static CK_RV
evp_from_params(const char *type, OSSL_PARAM *params, EVP_PKEY **ret_evp)
{
	EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(openssl_context(), type, NULL);
	EVP_PKEY *evp = NULL;
	CK_RV rv = CKR_OK;

	if (context == NULL)
		return openssl_failure(CKR_HOST_MEMORY);
	if (EVP_PKEY_fromdata_init(context) != 1 ||
	    EVP_PKEY_fromdata(context, &evp, EVP_PKEY_PUBLIC_KEY, params) != 1)
		rv = openssl_failure(CKR_PUBLIC_KEY_INVALID);
	else
		*ret_evp = evp;
	EVP_PKEY_CTX_free(context);
	return rv;
}

static CK_RV
evp_rsa(const struct spki_parts *parts, EVP_PKEY **ret_evp)
{
	BIGNUM *modulus = BN_bin2bn(parts->modulus.data, (int)parts->modulus.size, NULL);
	BIGNUM *exponent = BN_bin2bn(parts->exponent.data, (int)parts->exponent.size, NULL);
	OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
	OSSL_PARAM *params = NULL;
	CK_RV rv;

	if (modulus == NULL || exponent == NULL || build == NULL ||
	    OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_N, modulus) != 1 ||
	    OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_E, exponent) != 1) {
		rv = openssl_failure(CKR_HOST_MEMORY);
		goto out;
	}
	params = OSSL_PARAM_BLD_to_param(build);
	if (params == NULL) {
		rv = openssl_failure(CKR_HOST_MEMORY);
		goto out;
	}
	rv = evp_from_params(TYPE_RSA, params, ret_evp);
out:
	OSSL_PARAM_free(params);
	OSSL_PARAM_BLD_free(build);
	BN_free(exponent);
	BN_free(modulus);
	return rv;
}

static const char *
curve_type(CK_KEY_TYPE key_type)
{
	if (key_type == CKK_EC)
		return TYPE_EC;
	return key_type == CKK_EC_EDWARDS ? TYPE_ED25519 : TYPE_X25519;
}

static CK_RV
evp_curve(const struct spki_parts *parts, EVP_PKEY **ret_evp)
{
	const char *group = parts->algorithm->group;
	OSSL_PARAM params[3], *at = params;

	if (parts->key_type == CKK_EC)
		*at++ = OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME,
		                                         (char *)(uintptr_t)group, 0);
	*at++ = OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, parts->point.data,
	                                          parts->point.size);
	*at = OSSL_PARAM_construct_end();
	return evp_from_params(curve_type(parts->key_type), params, ret_evp);
}

CK_RV
public_key_to_evp(const struct spki_parts *parts, EVP_PKEY **ret_evp)
{
	return parts->key_type == CKK_RSA ? evp_rsa(parts, ret_evp) : evp_curve(parts, ret_evp);
}

/* Numbers that no RSA key can have are refused here, weak ones by public_key_check. */
static bool
rsa_usable(const struct public_key *key)
{
	const struct buffer *modulus = &key->parts.modulus;
	const struct buffer *exponent = &key->parts.exponent;

	return key->bits >= RSA_BITS_MIN && key->bits <= RSA_BITS_MAX &&
	       (modulus->data[modulus->size - 1] & 1) == 1 &&
	       (exponent->data[exponent->size - 1] & 1) == 1 && exponent->size <= modulus->size &&
	       (exponent->size > 1 || exponent->data[0] > 1);
}

static size_t
signature_size(const struct public_key *key)
{
	switch (key->parts.key_type) {
	case CKK_RSA:
		return key->parts.modulus.size;
	case CKK_EC:
		/* r and s, each as long as the order, which is as long as the field (P-256 to P-521). */
		return 2 * (((size_t)key->bits + 7) / 8);
	case CKK_EC_EDWARDS:
		return 64; /* RFC 8032, section 5.1.6 */
	default:
		return 0; /* X25519 signs nothing */
	}
}

static CK_RV
eddsa_new(EVP_PKEY *evp, EVP_MD_CTX **ret_context)
{
	EVP_MD_CTX *context = EVP_MD_CTX_new();

	if (context == NULL)
		return openssl_failure(CKR_HOST_MEMORY);
	if (EVP_DigestVerifyInit_ex(context, NULL, NULL, openssl_context(), NULL, evp, NULL) != 1) {
		EVP_MD_CTX_free(context);
		return openssl_failure(CKR_FUNCTION_FAILED);
	}
	*ret_context = context;
	return CKR_OK;
}

CK_RV
public_key_new(const void *spki, size_t size, struct public_key **ret_key)
{
	struct public_key *key = NULL;
	CK_RV rv;

	/* The slots of prepared contexts stand on cache lines of their own. */
	if (posix_memalign((void **)&key, _Alignof(struct public_key), sizeof *key) != 0)
		return CKR_HOST_MEMORY;
	memset(key, 0, sizeof *key);
	rv = spki_parse(spki, size, &key->parts);
	if (rv != CKR_OK)
		goto out;
	rv = public_key_to_evp(&key->parts, &key->evp);
	if (rv != CKR_OK)
		goto out;
	key->bits = key->parts.key_type == CKK_RSA ? (unsigned)EVP_PKEY_get_bits(key->evp)
	                                           : key->parts.algorithm->bits;
	if (key->parts.key_type == CKK_RSA && !rsa_usable(key)) {
		rv = CKR_PUBLIC_KEY_INVALID;
		goto out;
	}
	key->signature_size = signature_size(key);
	if (key->parts.key_type == CKK_EC_EDWARDS) {
		rv = eddsa_new(key->evp, &key->eddsa);
		if (rv != CKR_OK)
			goto out;
	}
	rv = buffer_set(&key->spki, spki, size);
	if (rv != CKR_OK)
		goto out;
	*ret_key = key;
	key = NULL;
out:
	public_key_free(&key);
	return rv;
}

void
public_key_free(struct public_key **key)
{
	if (*key == NULL)
		return;
	prepared_store_clear(&(*key)->prepared);
	EVP_MD_CTX_free((*key)->eddsa);
	EVP_PKEY_free((*key)->evp);
	spki_parts_clear(&(*key)->parts);
	buffer_clear(&(*key)->spki);
	free(*key);
	*key = NULL;
}

CK_KEY_TYPE
public_key_type(const struct public_key *key)
{
	return key->parts.key_type;
}

unsigned
public_key_bits(const struct public_key *key)
{
	return key->bits;
}

size_t
public_key_signature_size(const struct public_key *key)
{
	return key->signature_size;
}

EVP_PKEY *
public_key_evp(const struct public_key *key)
{
	return key->evp;
}

static CK_RV
rsa_attribute(const struct public_key *key, CK_ATTRIBUTE_TYPE type, struct buffer *ret_value)
{
	CK_ULONG bits = key->bits;

	switch (type) {
	case CKA_MODULUS:
		return buffer_set(ret_value, key->parts.modulus.data, key->parts.modulus.size);
	case CKA_MODULUS_BITS:
		return buffer_set(ret_value, &bits, sizeof bits);
	case CKA_PUBLIC_EXPONENT:
		return buffer_set(ret_value, key->parts.exponent.data, key->parts.exponent.size);
	default:
		return CKR_ATTRIBUTE_TYPE_INVALID;
	}
}

/* PKCS#11 mechanisms 3.0, section 2.3.3: the point in a DER OCTET STRING. */
static CK_RV
point_wrap(const struct buffer *point, struct buffer *ret_value)
{
	ASN1_OCTET_STRING *string = ASN1_OCTET_STRING_new();
	unsigned char *der = NULL;
	CK_RV rv;
	int size;

	if (string == NULL ||
	    ASN1_OCTET_STRING_set(string, point->data, (int)point->size) != 1 ||
	    (size = i2d_ASN1_OCTET_STRING(string, &der)) <= 0) {
		rv = openssl_failure(CKR_HOST_MEMORY);
		goto out;
	}
	rv = buffer_set(ret_value, der, (size_t)size);
out:
	OPENSSL_free(der);
	ASN1_OCTET_STRING_free(string);
	return rv;
}

static CK_RV
curve_attribute(const struct public_key *key, CK_ATTRIBUTE_TYPE type, struct buffer *ret_value)
{
	const struct algorithm *algorithm = key->parts.algorithm;

	switch (type) {
	case CKA_EC_PARAMS:
		return buffer_set(ret_value, algorithm->ec_params, algorithm->ec_params_size);
	case CKA_EC_POINT:
		return point_wrap(&key->parts.point, ret_value);
	default:
		return CKR_ATTRIBUTE_TYPE_INVALID;
	}
}

CK_RV
public_key_attribute(const struct public_key *key, CK_ATTRIBUTE_TYPE type,
                     struct buffer *ret_value)
{
	if (type == CKA_PUBLIC_KEY_INFO)
		return buffer_set(ret_value, key->spki.data, key->spki.size);
	return key->parts.key_type == CKK_RSA ? rsa_attribute(key, type, ret_value)
	                                      : curve_attribute(key, type, ret_value);
}
