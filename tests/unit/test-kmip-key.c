/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "base/openssl.h"
#include "kms/kmip-key.h"
#include "pair.h"

#include <openssl/core_names.h>
#include <openssl/x509.h>

#include <stdlib.h>
#include <string.h>

static struct pair rsa, ec;
static struct ttlv_writer writer;
static struct buffer spki;

static void
setup(void)
{
	ck_assert_uint_eq(openssl_start(), CKR_OK);
	pair_make("rsa-2048", &rsa);
	pair_make("p-384", &ec);
	writer = (struct ttlv_writer)TTLV_WRITER_INIT;
	spki = (struct buffer)BUFFER_INIT;
}

static void
teardown(void)
{
	ttlv_clear(&writer);
	buffer_clear(&spki);
	pair_clear(&rsa);
	pair_clear(&ec);
	openssl_stop();
}

static void
open_answer(uint32_t object_type, uint32_t tag, uint32_t format)
{
	ttlv_clear(&writer);
	ttlv_open(&writer, KMIP_RESPONSE_PAYLOAD);
	ttlv_enumeration(&writer, KMIP_OBJECT_TYPE, object_type);
	ttlv_open(&writer, tag);
	ttlv_open(&writer, KMIP_KEY_BLOCK);
	ttlv_enumeration(&writer, KMIP_KEY_FORMAT_TYPE, format);
	ttlv_open(&writer, KMIP_KEY_VALUE);
}

static CK_RV
parse_answer(void)
{
	struct ttlv payload;

	while (writer.depth > 0)
		ttlv_close(&writer);
	ck_assert_uint_eq(ttlv_finish(&writer), CKR_OK);
	ck_assert(ttlv_parse(writer.bytes.data, writer.bytes.size, &payload));
	return kmip_key_parse(&payload, &spki);
}

static CK_RV
parse_bytes(uint32_t format, const void *data, size_t size)
{
	open_answer(KMIP_OBJECT_PUBLIC_KEY, KMIP_PUBLIC_KEY, format);
	ttlv_bytes(&writer, KMIP_KEY_MATERIAL, data, size);
	return parse_answer();
}

/* Written by hand, as a Big Integer has no place in the requests we make: with the sign's zero, in eights. */
static void
big_integer(uint32_t tag, EVP_PKEY *key, const char *name, bool negative)
{
	unsigned char bytes[264] = { 0 };
	BIGNUM *number = NULL;
	size_t size, at = writer.bytes.size;

	ck_assert_int_eq(EVP_PKEY_get_bn_param(key, name, &number), 1);
	size = ((size_t)BN_num_bytes(number) / 8 + 1) * 8;
	ck_assert_int_eq(BN_bn2binpad(number, bytes, (int)size), (int)size);
	BN_free(number);
	if (negative)
		bytes[0] = 0x80;
	ttlv_bytes(&writer, tag, bytes, size);
	writer.bytes.data[at + 3] = TTLV_BIG_INTEGER;
}

START_TEST(subject_public_key_infos)
{
	ck_assert_uint_eq(parse_bytes(KMIP_FORMAT_X509, rsa.spki.data, rsa.spki.size), CKR_OK);
	ck_assert(buffer_equal(&spki, rsa.spki.data, rsa.spki.size));
	ck_assert_uint_eq(parse_bytes(KMIP_FORMAT_X509, ec.spki.data, ec.spki.size), CKR_OK);
	ck_assert(buffer_equal(&spki, ec.spki.data, ec.spki.size));
}
END_TEST

START_TEST(pkcs1_is_the_same_key)
{
	unsigned char *der = NULL;
	int size = i2d_PublicKey(rsa.evp, &der);

	ck_assert_int_gt(size, 0);
	ck_assert_uint_eq(parse_bytes(KMIP_FORMAT_PKCS1, der, (size_t)size), CKR_OK);
	ck_assert(buffer_equal(&spki, rsa.spki.data, rsa.spki.size));
	/* Some servers name the wrong format. */
	ck_assert_uint_eq(parse_bytes(KMIP_FORMAT_X509, der, (size_t)size), CKR_OK);
	ck_assert(buffer_equal(&spki, rsa.spki.data, rsa.spki.size));
	OPENSSL_free(der);
}
END_TEST

START_TEST(compressed_points_are_the_same_key)
{
	unsigned char *der = NULL;
	int size;

	ck_assert_int_eq(EVP_PKEY_set_utf8_string_param(
	                         ec.evp, OSSL_PKEY_PARAM_EC_POINT_CONVERSION_FORMAT, "compressed"), 1);
	size = i2d_PUBKEY(ec.evp, &der);
	ck_assert_int_gt(size, 0);
	ck_assert_uint_lt((size_t)size, ec.spki.size);
	ck_assert_uint_eq(parse_bytes(KMIP_FORMAT_X509, der, (size_t)size), CKR_OK);
	ck_assert(buffer_equal(&spki, ec.spki.data, ec.spki.size));
	OPENSSL_free(der);
}
END_TEST

START_TEST(transparent_rsa)
{
	for (int negative = 0; negative <= 1; negative++) {
		open_answer(KMIP_OBJECT_PUBLIC_KEY, KMIP_PUBLIC_KEY, KMIP_FORMAT_TRANSPARENT_RSA);
		ttlv_open(&writer, KMIP_KEY_MATERIAL);
		big_integer(KMIP_MODULUS, rsa.evp, OSSL_PKEY_PARAM_RSA_N, negative == 1);
		big_integer(KMIP_PUBLIC_EXPONENT, rsa.evp, OSSL_PKEY_PARAM_RSA_E, false);
		ck_assert_uint_eq(parse_answer(), negative == 1 ? CKR_PUBLIC_KEY_INVALID : CKR_OK);
		ck_assert(buffer_equal(&spki, rsa.spki.data, rsa.spki.size));
	}
	/* Half of it, and of another type. */
	open_answer(KMIP_OBJECT_PUBLIC_KEY, KMIP_PUBLIC_KEY, KMIP_FORMAT_TRANSPARENT_RSA);
	ttlv_open(&writer, KMIP_KEY_MATERIAL);
	big_integer(KMIP_MODULUS, rsa.evp, OSSL_PKEY_PARAM_RSA_N, false);
	ck_assert_uint_eq(parse_answer(), CKR_PUBLIC_KEY_INVALID);
	open_answer(KMIP_OBJECT_PUBLIC_KEY, KMIP_PUBLIC_KEY, KMIP_FORMAT_TRANSPARENT_RSA);
	ttlv_open(&writer, KMIP_KEY_MATERIAL);
	ttlv_bytes(&writer, KMIP_MODULUS, "\x01\x02\x03", 3);
	ttlv_bytes(&writer, KMIP_PUBLIC_EXPONENT, "\x03", 1);
	ck_assert_uint_eq(parse_answer(), CKR_PUBLIC_KEY_INVALID);
}
END_TEST

static CK_RV
parse_transparent_ec(uint32_t curve, const void *point, size_t size)
{
	open_answer(KMIP_OBJECT_PUBLIC_KEY, KMIP_PUBLIC_KEY, KMIP_FORMAT_TRANSPARENT_EC);
	ttlv_open(&writer, KMIP_KEY_MATERIAL);
	ttlv_enumeration(&writer, KMIP_RECOMMENDED_CURVE, curve);
	ttlv_bytes(&writer, KMIP_Q_STRING, point, size);
	return parse_answer();
}

START_TEST(transparent_ec)
{
	const unsigned char *point = ec.spki.data + ec.spki.size - 97;

	ck_assert_uint_eq(parse_transparent_ec(KMIP_P_384, point, 97), CKR_OK);
	ck_assert(buffer_equal(&spki, ec.spki.data, ec.spki.size));
	ck_assert_uint_eq(parse_transparent_ec(KMIP_P_384, point, 96), CKR_PUBLIC_KEY_INVALID);
	ck_assert_uint_eq(parse_transparent_ec(KMIP_P_256, point, 97), CKR_PUBLIC_KEY_INVALID);
	ck_assert_uint_eq(parse_transparent_ec(1, point, 97), CKR_PUBLIC_KEY_INVALID);
	ck_assert_uint_eq(parse_transparent_ec(KMIP_P_384, "", 0), CKR_PUBLIC_KEY_INVALID);
}
END_TEST

START_TEST(what_is_not_a_public_key_is_refused)
{
	unsigned char more[1024];

	ck_assert_uint_eq(parse_bytes(KMIP_FORMAT_X509, "", 0), CKR_PUBLIC_KEY_INVALID);
	ck_assert_uint_eq(parse_bytes(KMIP_FORMAT_X509, "\x30\x82\xff\xff", 4),
	                  CKR_PUBLIC_KEY_INVALID);
	ck_assert_uint_eq(parse_bytes(KMIP_FORMAT_X509, rsa.spki.data, rsa.spki.size - 1),
	                  CKR_PUBLIC_KEY_INVALID);
	memcpy(more, rsa.spki.data, rsa.spki.size);
	more[rsa.spki.size] = 0;
	ck_assert_uint_eq(parse_bytes(KMIP_FORMAT_X509, more, rsa.spki.size + 1),
	                  CKR_PUBLIC_KEY_INVALID);
	/* A private key, whatever it is called. */
	open_answer(KMIP_OBJECT_PRIVATE_KEY, KMIP_PUBLIC_KEY, KMIP_FORMAT_X509);
	ttlv_bytes(&writer, KMIP_KEY_MATERIAL, rsa.spki.data, rsa.spki.size);
	ck_assert_uint_eq(parse_answer(), CKR_PUBLIC_KEY_INVALID);
	open_answer(KMIP_OBJECT_PUBLIC_KEY, 0x420064, KMIP_FORMAT_X509);
	ttlv_bytes(&writer, KMIP_KEY_MATERIAL, rsa.spki.data, rsa.spki.size);
	ck_assert_uint_eq(parse_answer(), CKR_PUBLIC_KEY_INVALID);
	/* No material, and of a strange type. */
	open_answer(KMIP_OBJECT_PUBLIC_KEY, KMIP_PUBLIC_KEY, KMIP_FORMAT_X509);
	ck_assert_uint_eq(parse_answer(), CKR_PUBLIC_KEY_INVALID);
	open_answer(KMIP_OBJECT_PUBLIC_KEY, KMIP_PUBLIC_KEY, KMIP_FORMAT_X509);
	ttlv_integer(&writer, KMIP_KEY_MATERIAL, 1);
	ck_assert_uint_eq(parse_answer(), CKR_PUBLIC_KEY_INVALID);
	ck_assert_uint_eq(spki.size, 0);
}
END_TEST

START_TEST(curves_have_numbers)
{
	ck_assert_uint_eq(kmip_curve_of(algorithm_by_name("p-256")), KMIP_P_256);
	ck_assert_uint_eq(kmip_curve_of(algorithm_by_name("p-521")), KMIP_P_521);
	ck_assert_uint_eq(kmip_curve_of(algorithm_by_name("ed25519")), 0);
	ck_assert_uint_eq(kmip_curve_of(algorithm_by_name("rsa-2048")), 0);
}
END_TEST

Suite *
unit_suite(void)
{
	Suite *suite = suite_create("kmip-key");
	TCase *tests = tcase_create("kmip-key");

	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_set_timeout(tests, 30);
	tcase_add_test(tests, subject_public_key_infos);
	tcase_add_test(tests, pkcs1_is_the_same_key);
	tcase_add_test(tests, compressed_points_are_the_same_key);
	tcase_add_test(tests, transparent_rsa);
	tcase_add_test(tests, transparent_ec);
	tcase_add_test(tests, what_is_not_a_public_key_is_refused);
	tcase_add_test(tests, curves_have_numbers);
	suite_add_tcase(suite, tests);
	return suite;
}
