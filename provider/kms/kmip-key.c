/* SPDX-License-Identifier: Apache-2.0 */
#include "kms/kmip-key.h"

#include "base/algorithm.h"
#include "base/log.h"
#include "base/openssl.h"
#include "kms/hsm-spki.h"
#include "kms/kmip-object.h"

#include <openssl/core_names.h>
#include <openssl/decoder.h>
#include <openssl/x509.h>

#include <limits.h>
#include <string.h>

#define KEY_SIZE_MAX 65536

static const struct {
	const char *algorithm;
	uint32_t curve;
} curves[] = {
	{ "p-256", KMIP_P_256 },
	{ "p-384", KMIP_P_384 },
	{ "p-521", KMIP_P_521 },
};

#define CURVE_COUNT (sizeof curves / sizeof *curves)

uint32_t
kmip_curve_of(const struct algorithm *algorithm)
{
	for (size_t i = 0; i < CURVE_COUNT; i++)
		if (strcmp(curves[i].algorithm, algorithm->name) == 0)
			return curves[i].curve;
	return 0;
}

/* Points uncompressed, whichever way they came. */
static CK_RV
encode(EVP_PKEY *key, struct buffer *ret_spki)
{
	unsigned char *der = NULL;
	int size;
	CK_RV rv;

	if (EVP_PKEY_is_a(key, "EC") &&
	    EVP_PKEY_set_utf8_string_param(key, OSSL_PKEY_PARAM_EC_POINT_CONVERSION_FORMAT,
	                                   "uncompressed") != 1)
		return openssl_failure(CKR_PUBLIC_KEY_INVALID);
	size = i2d_PUBKEY(key, &der);
	if (size <= 0)
		return openssl_failure(CKR_PUBLIC_KEY_INVALID);
	rv = buffer_set(ret_spki, der, (size_t)size);
	OPENSSL_free(der);
	return rv;
}

/* structure: "SubjectPublicKeyInfo", or "type-specific" for PKCS#1. NULL: it is not that. */
static EVP_PKEY *
decode(const unsigned char *data, size_t size, const char *structure, const char *type)
{
	OSSL_DECODER_CTX *decoder;
	EVP_PKEY *key = NULL;

	decoder = OSSL_DECODER_CTX_new_for_pkey(&key, "DER", structure, type, EVP_PKEY_PUBLIC_KEY,
	                                        openssl_context(), NULL);
	if (decoder == NULL || OSSL_DECODER_from_data(decoder, &data, &size) != 1 || size != 0) {
		EVP_PKEY_free(key);
		key = NULL;
	}
	OSSL_DECODER_CTX_free(decoder);
	return key;
}

/* The format that the server names is not relied on: some name the wrong one. */
static CK_RV
parse_der(const unsigned char *data, size_t size, struct buffer *ret_spki)
{
	EVP_PKEY *key;
	CK_RV rv;

	if (size == 0 || size > KEY_SIZE_MAX)
		return CKR_PUBLIC_KEY_INVALID;
	key = decode(data, size, "SubjectPublicKeyInfo", NULL);
	if (key == NULL)
		key = decode(data, size, "type-specific", "RSA");
	if (key == NULL)
		return openssl_failure(CKR_PUBLIC_KEY_INVALID);
	/* What failed on the way to success. */
	(void)openssl_failure(CKR_OK);
	rv = encode(key, ret_spki);
	EVP_PKEY_free(key);
	return rv;
}

/* A Big Integer is signed. */
static bool
get_number(const struct ttlv *material, uint32_t tag, struct buffer *ret_number)
{
	struct ttlv item;

	return ttlv_find(material, tag, &item) && item.type == TTLV_BIG_INTEGER &&
	       item.size <= KEY_SIZE_MAX && (item.value[0] & 0x80) == 0 &&
	       buffer_set(ret_number, item.value, item.size) == CKR_OK;
}

static CK_RV
parse_rsa(const struct ttlv *material, struct buffer *ret_spki)
{
	struct buffer modulus = BUFFER_INIT, exponent = BUFFER_INIT;
	CK_RV rv = CKR_PUBLIC_KEY_INVALID;

	if (get_number(material, KMIP_MODULUS, &modulus) &&
	    get_number(material, KMIP_PUBLIC_EXPONENT, &exponent))
		rv = hsm_spki_rsa(&modulus, &exponent, ret_spki);
	buffer_clear(&modulus);
	buffer_clear(&exponent);
	return rv;
}

static CK_RV
parse_ec(const struct ttlv *material, struct buffer *ret_spki)
{
	struct buffer point = BUFFER_INIT;
	const unsigned char *data;
	uint32_t curve;
	size_t size, i = 0;
	CK_RV rv;

	if (!ttlv_get_enumeration(material, KMIP_RECOMMENDED_CURVE, &curve) ||
	    !ttlv_get_bytes(material, KMIP_Q_STRING, &data, &size))
		return CKR_PUBLIC_KEY_INVALID;
	while (i < CURVE_COUNT && curves[i].curve != curve)
		i++;
	if (i == CURVE_COUNT)
		return CKR_PUBLIC_KEY_INVALID;
	rv = buffer_set(&point, data, size);
	if (rv == CKR_OK)
		rv = hsm_spki_ec(algorithm_by_name(curves[i].algorithm), &point, ret_spki);
	buffer_clear(&point);
	return rv;
}

CK_RV
kmip_key_parse(const struct ttlv *payload, struct buffer *ret_spki)
{
	struct ttlv key, block, value, material;
	uint32_t type;

	if (!ttlv_get_enumeration(payload, KMIP_OBJECT_TYPE, &type) ||
	    type != KMIP_OBJECT_PUBLIC_KEY ||
	    !ttlv_get_structure(payload, KMIP_PUBLIC_KEY, &key) ||
	    !ttlv_get_structure(&key, KMIP_KEY_BLOCK, &block) ||
	    !ttlv_get_structure(&block, KMIP_KEY_VALUE, &value) ||
	    !ttlv_find(&value, KMIP_KEY_MATERIAL, &material))
		return CKR_PUBLIC_KEY_INVALID;
	if (material.type == TTLV_BYTE_STRING)
		return parse_der(material.value, material.size, ret_spki);
	if (material.type != TTLV_STRUCTURE)
		return CKR_PUBLIC_KEY_INVALID;
	if (ttlv_find(&material, KMIP_MODULUS, &key))
		return parse_rsa(&material, ret_spki);
	return parse_ec(&material, ret_spki);
}

/* Whatever a server named it as: no private key is ever asked for. */
static CK_RV
check_public(struct kmip_session *session, const char *identifier)
{
	struct kmip_object object;
	CK_RV rv;

	rv = kmip_object_read(session, identifier, &object);
	if (rv != CKR_OK)
		return rv;
	if (object.type != KMIP_OBJECT_PUBLIC_KEY) {
		log_error("token %s: KMIP server %s: what it names as a public key is none",
		          session->kmip->config->name, session->server->name);
		rv = CKR_PUBLIC_KEY_INVALID;
	}
	kmip_object_clear(&object);
	return rv;
}

CK_RV
kmip_key_get(struct kmip_session *session, const char *identifier, struct buffer *ret_spki)
{
	struct kmip_answer answer;
	CK_RV rv;

	rv = check_public(session, identifier);
	if (rv != CKR_OK)
		return rv;
	/* No format is asked for: servers that can't convert would refuse. */
	(void)kmip_session_request_on(session, KMIP_GET, identifier);
	rv = kmip_session_call(session, KMIP_GET, &answer);
	if (rv == CKR_OK) {
		rv = kmip_key_parse(&answer.payload, ret_spki);
		if (rv == CKR_PUBLIC_KEY_INVALID)
			log_error("token %s: KMIP server %s: what it gives as a public key is none, or in a "
			          "form that is not known", session->kmip->config->name,
			          session->server->name);
	}
	kmip_answer_clear(&answer);
	return rv;
}
