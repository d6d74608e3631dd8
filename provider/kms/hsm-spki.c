/* SPDX-License-Identifier: Apache-2.0 */
#include "kms/hsm-spki.h"

#include "base/openssl.h"

#include <limits.h>
#include <openssl/asn1.h>
#include <openssl/core_names.h>
#include <openssl/param_build.h>
#include <openssl/x509.h>

static CK_RV
encode(EVP_PKEY *key, struct buffer *ret_spki)
{
	unsigned char *der = NULL;
	int size;
	CK_RV rv;

	size = i2d_PUBKEY(key, &der);
	if (size <= 0)
		return openssl_failure(CKR_PUBLIC_KEY_INVALID);
	rv = buffer_set(ret_spki, der, (size_t)size);
	OPENSSL_free(der);
	return rv;
}

/* By OBJECT IDENTIFIER, past the engines of the program: see mechanism/public-key.c. */
#define TYPE_RSA "1.2.840.113549.1.1.1"
#define TYPE_EC "1.2.840.10045.2.1"
#define TYPE_ED25519 "1.3.101.112"
#define TYPE_X25519 "1.3.101.110"

static CK_RV
build(const char *type, OSSL_PARAM *parameters, struct buffer *ret_spki)
{
	EVP_PKEY_CTX *context;
	EVP_PKEY *key = NULL;
	CK_RV rv;

	context = EVP_PKEY_CTX_new_from_name(openssl_context(), type, NULL);
	if (context == NULL || EVP_PKEY_fromdata_init(context) <= 0 ||
	    EVP_PKEY_fromdata(context, &key, EVP_PKEY_PUBLIC_KEY, parameters) <= 0)
		rv = openssl_failure(CKR_PUBLIC_KEY_INVALID);
	else
		rv = encode(key, ret_spki);
	EVP_PKEY_free(key);
	EVP_PKEY_CTX_free(context);
	return rv;
}

CK_RV
hsm_spki_rsa(const struct buffer *modulus, const struct buffer *exponent, struct buffer *ret_spki)
{
	OSSL_PARAM_BLD *builder = NULL;
	OSSL_PARAM *parameters = NULL;
	BIGNUM *n = NULL, *e = NULL;
	CK_RV rv;

	if (modulus->size == 0 || modulus->size > INT_MAX || exponent->size == 0 ||
	    exponent->size > INT_MAX)
		return CKR_PUBLIC_KEY_INVALID;
	n = BN_bin2bn(modulus->data, (int)modulus->size, NULL);
	e = BN_bin2bn(exponent->data, (int)exponent->size, NULL);
	builder = OSSL_PARAM_BLD_new();
	if (n == NULL || e == NULL || builder == NULL ||
	    OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_N, n) <= 0 ||
	    OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_E, e) <= 0 ||
	    (parameters = OSSL_PARAM_BLD_to_param(builder)) == NULL)
		rv = openssl_failure(CKR_HOST_MEMORY);
	else
		rv = build(TYPE_RSA, parameters, ret_spki);
	OSSL_PARAM_free(parameters);
	OSSL_PARAM_BLD_free(builder);
	BN_free(n);
	BN_free(e);
	return rv;
}

/* Bytes of a bare point: 04 X Y for the NIST curves, the 32 bytes of Ed25519 and X25519. */
static size_t
bare_size(const struct algorithm *algorithm)
{
	size_t field = (algorithm->bits + 7) / 8;

	return algorithm->key_type == CKK_EC ? 1 + 2 * field : field;
}

static const char *
curve_type(CK_KEY_TYPE key_type)
{
	if (key_type == CKK_EC)
		return TYPE_EC;
	return key_type == CKK_EC_EDWARDS ? TYPE_ED25519 : TYPE_X25519;
}

static CK_RV
build_ec(const struct algorithm *algorithm, const unsigned char *point, size_t size,
         struct buffer *ret_spki)
{
	OSSL_PARAM parameters[3], *next = parameters;

	if (size != bare_size(algorithm))
		return CKR_PUBLIC_KEY_INVALID;
	if (algorithm->key_type == CKK_EC)
		*next++ = OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME,
		                                           (char *)algorithm->group, 0);
	*next++ = OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, (void *)point, size);
	*next = OSSL_PARAM_construct_end();
	return build(curve_type(algorithm->key_type), parameters, ret_spki);
}

CK_RV
hsm_spki_ec(const struct algorithm *algorithm, const struct buffer *point, struct buffer *ret_spki)
{
	const unsigned char *data = point->data;
	ASN1_OCTET_STRING *inner;
	CK_RV rv;

	/* The size tells them apart; the first byte, 04, is the same. */
	if (point->size == bare_size(algorithm))
		return build_ec(algorithm, point->data, point->size, ret_spki);
	if (point->size == 0 || point->size > LONG_MAX)
		return CKR_PUBLIC_KEY_INVALID;
	inner = d2i_ASN1_OCTET_STRING(NULL, &data, (long)point->size);
	if (inner == NULL)
		return openssl_failure(CKR_PUBLIC_KEY_INVALID);
	if (data != point->data + point->size)
		rv = CKR_PUBLIC_KEY_INVALID;
	else
		rv = build_ec(algorithm, ASN1_STRING_get0_data(inner),
		              (size_t)ASN1_STRING_length(inner), ret_spki);
	ASN1_OCTET_STRING_free(inner);
	return rv;
}
