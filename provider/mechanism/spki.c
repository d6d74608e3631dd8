/* SPDX-License-Identifier: Apache-2.0 */
/*
 * OpenSSL's own d2i_PUBKEY costs 100 to 200 µs a key, for it asks its providers for a
 * decoder each time. These two templates, for OpenSSL's ASN.1 code, cost a few.
 */
#include "mechanism/spki.h"

#include "base/openssl.h"
#include "mechanism/public-key.h"

#include <openssl/asn1t.h>
#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/objects.h>
#include <openssl/x509.h>

#define SPKI_SIZE_MAX 8192 /* RSA of 16384 bits needs under 4200 */
#define POINT_25519_SIZE 32 /* RFC 8032, section 5.1.5; RFC 7748, section 5 */
#define UNUSED_BITS 7 /* where an ASN1_BIT_STRING's flags count the bits its last byte has too many */

typedef struct {
	X509_ALGOR *algorithm;
	ASN1_BIT_STRING *key;
} SPKI;

ASN1_SEQUENCE(SPKI) = {
	ASN1_SIMPLE(SPKI, algorithm, X509_ALGOR),
	ASN1_SIMPLE(SPKI, key, ASN1_BIT_STRING),
} static_ASN1_SEQUENCE_END(SPKI)

/* RSAPublicKey: RFC 8017, appendix A.1.1. */
typedef struct {
	ASN1_INTEGER *modulus;
	ASN1_INTEGER *exponent;
} RSA_NUMBERS;

ASN1_SEQUENCE(RSA_NUMBERS) = {
	ASN1_SIMPLE(RSA_NUMBERS, modulus, ASN1_INTEGER),
	ASN1_SIMPLE(RSA_NUMBERS, exponent, ASN1_INTEGER),
} static_ASN1_SEQUENCE_END(RSA_NUMBERS)

static SPKI *
spki_decode(const void *der, size_t size)
{
	const unsigned char *at = der;

	return (SPKI *)ASN1_item_d2i(NULL, &at, (long)size, ASN1_ITEM_rptr(SPKI));
}

static void
spki_free(SPKI *spki)
{
	ASN1_item_free((ASN1_VALUE *)spki, ASN1_ITEM_rptr(SPKI));
}

static RSA_NUMBERS *
numbers_decode(const ASN1_STRING *der)
{
	const unsigned char *at = ASN1_STRING_get0_data(der);

	return (RSA_NUMBERS *)ASN1_item_d2i(NULL, &at, ASN1_STRING_length(der),
	                                    ASN1_ITEM_rptr(RSA_NUMBERS));
}

static void
numbers_free(RSA_NUMBERS *numbers)
{
	ASN1_item_free((ASN1_VALUE *)numbers, ASN1_ITEM_rptr(RSA_NUMBERS));
}

/*
 * Encodes and compares or appends. Comparing keeps BER, trailing bytes and stray bits out,
 * which the decoder lets pass: a key has one spelling.
 */
static CK_RV
item_encode(const void *value, const ASN1_ITEM *item, struct buffer *ret_der)
{
	unsigned char *der = NULL;
	int size = ASN1_item_i2d((const ASN1_VALUE *)value, &der, item);
	CK_RV rv;

	if (size <= 0)
		return openssl_failure(CKR_HOST_MEMORY);
	rv = buffer_set(ret_der, der, (size_t)size);
	OPENSSL_free(der);
	return rv;
}

static CK_RV
item_same(const void *value, const ASN1_ITEM *item, const void *der, size_t size)
{
	struct buffer again = BUFFER_INIT;
	CK_RV rv = item_encode(value, item, &again);

	if (rv == CKR_OK && !buffer_equal(&again, der, size))
		rv = CKR_PUBLIC_KEY_INVALID;
	buffer_clear(&again);
	return rv;
}

static CK_RV
integer_copy(const ASN1_INTEGER *integer, struct buffer *ret_value)
{
	const unsigned char *data = ASN1_STRING_get0_data(integer);
	size_t size = (size_t)ASN1_STRING_length(integer);

	while (size > 0 && *data == 0) {
		data++;
		size--;
	}
	if (size == 0 || ASN1_STRING_type(integer) != V_ASN1_INTEGER)
		return CKR_PUBLIC_KEY_INVALID;
	return buffer_set(ret_value, data, size);
}

static CK_RV
parse_rsa(const SPKI *spki, struct spki_parts *parts)
{
	RSA_NUMBERS *numbers = numbers_decode(spki->key);
	CK_RV rv;

	if (numbers == NULL)
		return openssl_failure(CKR_PUBLIC_KEY_INVALID);
	rv = item_same(numbers, ASN1_ITEM_rptr(RSA_NUMBERS), ASN1_STRING_get0_data(spki->key),
	               (size_t)ASN1_STRING_length(spki->key));
	if (rv != CKR_OK)
		goto out;
	rv = integer_copy(numbers->modulus, &parts->modulus);
	if (rv != CKR_OK)
		goto out;
	rv = integer_copy(numbers->exponent, &parts->exponent);
	parts->key_type = CKK_RSA;
out:
	numbers_free(numbers);
	return rv;
}

static CK_RV
parse_point(const SPKI *spki, const struct algorithm *algorithm, struct spki_parts *parts)
{
	const unsigned char *point = ASN1_STRING_get0_data(spki->key);
	size_t size = (size_t)ASN1_STRING_length(spki->key);

	if (algorithm == NULL || size != spki_point_size(algorithm))
		return CKR_PUBLIC_KEY_INVALID;
	if (algorithm->key_type == CKK_EC && point[0] != POINT_CONVERSION_UNCOMPRESSED)
		return CKR_PUBLIC_KEY_INVALID;
	parts->key_type = algorithm->key_type;
	parts->algorithm = algorithm;
	return buffer_set(&parts->point, point, size);
}

/* RFC 5480, section 2.1.1: the curve by its name only. */
static const struct algorithm *
algorithm_of_curve(int type, const void *value)
{
	unsigned char *der = NULL;
	const struct algorithm *algorithm = NULL;
	int size;

	if (type != V_ASN1_OBJECT)
		return NULL;
	size = i2d_ASN1_OBJECT(value, &der);
	if (size > 0)
		algorithm = algorithm_ec(CKK_EC, der, (size_t)size);
	OPENSSL_free(der);
	return algorithm;
}

static CK_RV
parse_parts(const SPKI *spki, struct spki_parts *parts)
{
	const ASN1_OBJECT *object;
	const void *value;
	int type;

	X509_ALGOR_get0(&object, &type, &value, spki->algorithm);
	switch (OBJ_obj2nid(object)) {
	case NID_rsaEncryption:
		/* RFC 3279, section 2.3.1: NULL; some leave it out. */
		if (type != V_ASN1_NULL && type != V_ASN1_UNDEF)
			return CKR_PUBLIC_KEY_INVALID;
		return parse_rsa(spki, parts);
	case NID_X9_62_id_ecPublicKey:
		return parse_point(spki, algorithm_of_curve(type, value), parts);
	/* RFC 8410, section 3: the object identifier alone, no parameters. */
	case NID_ED25519:
	case NID_X25519:
		if (type != V_ASN1_UNDEF)
			return CKR_PUBLIC_KEY_INVALID;
		return parse_point(spki, algorithm_by_name(OBJ_obj2nid(object) == NID_ED25519
		                                                   ? "ed25519" : "x25519"), parts);
	default:
		return CKR_PUBLIC_KEY_INVALID;
	}
}

CK_RV
spki_parse(const void *spki, size_t size, struct spki_parts *ret_parts)
{
	struct spki_parts parts = { .key_type = CKK_RSA };
	SPKI *decoded;
	CK_RV rv;

	if (size == 0 || size > SPKI_SIZE_MAX)
		return CKR_PUBLIC_KEY_INVALID;
	decoded = spki_decode(spki, size);
	if (decoded == NULL)
		return openssl_failure(CKR_PUBLIC_KEY_INVALID);
	rv = item_same(decoded, ASN1_ITEM_rptr(SPKI), spki, size);
	if (rv != CKR_OK)
		goto out;
	if ((decoded->key->flags & UNUSED_BITS) != 0) {
		rv = CKR_PUBLIC_KEY_INVALID;
		goto out;
	}
	rv = parse_parts(decoded, &parts);
	if (rv != CKR_OK)
		goto out;
	*ret_parts = parts;
out:
	if (rv != CKR_OK)
		spki_parts_clear(&parts);
	spki_free(decoded);
	return rv;
}

void
spki_parts_clear(struct spki_parts *parts)
{
	buffer_clear(&parts->modulus);
	buffer_clear(&parts->exponent);
	buffer_clear(&parts->point);
}

size_t
spki_point_size(const struct algorithm *algorithm)
{
	if (algorithm->key_type != CKK_EC)
		return POINT_25519_SIZE;
	return 1 + 2 * (((size_t)algorithm->bits + 7) / 8);
}

/* An algorithm, its parameter (of an ASN.1 type: a curve where that is OBJECT) and the key's bytes. */
static CK_RV
spki_encode(int algorithm, int type, int curve, unsigned char *key, size_t key_size,
            struct buffer *ret_spki)
{
	/* OpenSSL's own, never freed: who owns it does not matter. */
	ASN1_OBJECT *parameter = type == V_ASN1_OBJECT ? OBJ_nid2obj(curve) : NULL;
	SPKI *spki = (SPKI *)ASN1_item_new(ASN1_ITEM_rptr(SPKI));
	CK_RV rv;

	if (spki == NULL)
		return openssl_failure(CKR_HOST_MEMORY);
	if (X509_ALGOR_set0(spki->algorithm, OBJ_nid2obj(algorithm), type, parameter) != 1 ||
	    ASN1_BIT_STRING_set(spki->key, key, (int)key_size) != 1) {
		rv = openssl_failure(CKR_HOST_MEMORY);
		goto out;
	}
	/* Whole bytes: else trailing zero bits would be taken for padding (X.690, 11.2.2). */
	spki->key->flags |= ASN1_STRING_FLAG_BITS_LEFT;
	rv = item_encode(spki, ASN1_ITEM_rptr(SPKI), ret_spki);
out:
	spki_free(spki);
	return rv;
}

static CK_RV
integer_set(ASN1_INTEGER *integer, const void *data, size_t size)
{
	BIGNUM *number;
	CK_RV rv = CKR_OK;

	if (size == 0 || size > SPKI_SIZE_MAX)
		return CKR_PUBLIC_KEY_INVALID;
	number = BN_bin2bn(data, (int)size, NULL);
	if (number == NULL)
		return openssl_failure(CKR_HOST_MEMORY);
	if (BN_is_zero(number))
		rv = CKR_PUBLIC_KEY_INVALID;
	else if (BN_to_ASN1_INTEGER(number, integer) == NULL)
		rv = openssl_failure(CKR_HOST_MEMORY);
	BN_free(number);
	return rv;
}

CK_RV
spki_from_rsa(const void *modulus, size_t modulus_size, const void *exponent, size_t exponent_size,
              struct buffer *ret_spki)
{
	RSA_NUMBERS *numbers = (RSA_NUMBERS *)ASN1_item_new(ASN1_ITEM_rptr(RSA_NUMBERS));
	struct buffer key = BUFFER_INIT;
	CK_RV rv;

	if (numbers == NULL)
		return openssl_failure(CKR_HOST_MEMORY);
	rv = integer_set(numbers->modulus, modulus, modulus_size);
	if (rv != CKR_OK)
		goto out;
	rv = integer_set(numbers->exponent, exponent, exponent_size);
	if (rv != CKR_OK)
		goto out;
	rv = item_encode(numbers, ASN1_ITEM_rptr(RSA_NUMBERS), &key);
	if (rv != CKR_OK)
		goto out;
	rv = spki_encode(NID_rsaEncryption, V_ASN1_NULL, NID_undef, key.data, key.size, ret_spki);
out:
	buffer_clear(&key);
	numbers_free(numbers);
	return rv;
}

/*
 * PKCS#11 mechanisms 3.0, section 2.3.3: CKA_EC_POINT is a DER OCTET STRING; older modules
 * give the bare point. Both may begin with 04: the size tells.
 */
static CK_RV
point_unwrap(const struct algorithm *algorithm, const void *ec_point, size_t size,
             struct buffer *ret_point)
{
	const unsigned char *at = ec_point;
	ASN1_OCTET_STRING *string = NULL;
	size_t want = spki_point_size(algorithm);
	CK_RV rv = CKR_PUBLIC_KEY_INVALID;

	if (size == want)
		return buffer_set(ret_point, ec_point, size);
	if (size < want || size > SPKI_SIZE_MAX)
		return CKR_PUBLIC_KEY_INVALID;
	string = d2i_ASN1_OCTET_STRING(NULL, &at, (long)size);
	if (string == NULL)
		return openssl_failure(CKR_PUBLIC_KEY_INVALID);
	if (at == (const unsigned char *)ec_point + size &&
	    (size_t)ASN1_STRING_length(string) == want)
		rv = buffer_set(ret_point, ASN1_STRING_get0_data(string), want);
	ASN1_OCTET_STRING_free(string);
	return rv;
}

/* CKA_EC_PARAMS of a curve is its object identifier. */
static int
curve_nid(const struct algorithm *algorithm)
{
	const unsigned char *at = algorithm->ec_params;
	ASN1_OBJECT *curve = d2i_ASN1_OBJECT(NULL, &at, (long)algorithm->ec_params_size);
	int nid = OBJ_obj2nid(curve);

	ASN1_OBJECT_free(curve);
	return nid;
}

CK_RV
spki_from_ec(const struct algorithm *algorithm, const void *ec_point, size_t size,
             struct buffer *ret_spki)
{
	struct buffer point = BUFFER_INIT;
	CK_RV rv = point_unwrap(algorithm, ec_point, size, &point);

	if (rv != CKR_OK)
		return rv;
	if (algorithm->key_type != CKK_EC)
		rv = spki_encode(curve_nid(algorithm), V_ASN1_UNDEF, NID_undef, point.data, point.size,
		                 ret_spki);
	else if (point.data[0] == POINT_CONVERSION_UNCOMPRESSED)
		rv = spki_encode(NID_X9_62_id_ecPublicKey, V_ASN1_OBJECT, curve_nid(algorithm),
		                 point.data, point.size, ret_spki);
	else
		rv = CKR_PUBLIC_KEY_INVALID;
	buffer_clear(&point);
	return rv;
}
