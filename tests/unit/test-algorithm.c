/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "base/algorithm.h"

#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/objects.h>

#include <string.h>

START_TEST(names_are_found)
{
	static const char *const names[] = { "rsa-2048", "rsa-3072", "rsa-4096", "p-256",
		                             "p-384",    "p-521",    "ed25519",  "x25519" };
	size_t count = sizeof names / sizeof *names;

	for (size_t i = 0; i < count; i++) {
		ck_assert_str_eq(algorithm_at(i)->name, names[i]);
		ck_assert_ptr_eq(algorithm_by_name(names[i]), algorithm_at(i));
	}
	ck_assert_ptr_null(algorithm_at(count));
	ck_assert_ptr_null(algorithm_at((size_t)-1));
	ck_assert_ptr_null(algorithm_by_name("rsa-1024"));
	ck_assert_ptr_null(algorithm_by_name("RSA-2048"));
	ck_assert_ptr_null(algorithm_by_name(""));
}
END_TEST

START_TEST(rsa_is_found_by_bits)
{
	ck_assert_str_eq(algorithm_rsa(2048)->name, "rsa-2048");
	ck_assert_str_eq(algorithm_rsa(4096)->name, "rsa-4096");
	ck_assert_uint_eq(algorithm_rsa(3072)->generate, CKM_RSA_PKCS_KEY_PAIR_GEN);
	ck_assert_ptr_null(algorithm_rsa(1024));
	ck_assert_ptr_null(algorithm_rsa(256)); /* p-256's */
	ck_assert_ptr_null(algorithm_rsa(0));
}
END_TEST

/* The constants of the table against OpenSSL's own encoding. */
START_TEST(params_are_what_openssl_encodes)
{
	static const char *const oids[] = { "1.2.840.10045.3.1.7", "1.3.132.0.34", "1.3.132.0.35",
		                            "1.3.101.112", "1.3.101.110" };

	for (size_t i = 0; i < 5; i++) {
		const struct algorithm *algorithm = algorithm_at(3 + i);
		ASN1_OBJECT *object = OBJ_txt2obj(oids[i], 1);
		unsigned char *der = NULL;
		int size = i2d_ASN1_OBJECT(object, &der);

		ck_assert_int_gt(size, 0);
		ck_assert_uint_eq(algorithm->ec_params_size, (size_t)size);
		ck_assert_mem_eq(algorithm->ec_params, der, (size_t)size);
		ck_assert_ptr_eq(algorithm_ec(algorithm->key_type, der, (size_t)size), algorithm);
		OPENSSL_free(der);
		ASN1_OBJECT_free(object);
	}
}
END_TEST

START_TEST(groups_are_what_openssl_calls_them)
{
	for (size_t i = 3; i < 6; i++) {
		EVP_PKEY *key = EVP_EC_gen(algorithm_at(i)->group);
		char group[32];
		size_t size;

		ck_assert_ptr_nonnull(key);
		ck_assert_int_eq(EVP_PKEY_get_group_name(key, group, sizeof group, &size), 1);
		ck_assert_str_eq(group, algorithm_at(i)->group);
		ck_assert_int_eq(EVP_PKEY_get_bits(key), (int)algorithm_at(i)->bits);
		EVP_PKEY_free(key);
	}
}
END_TEST

START_TEST(ed25519_has_three_names)
{
	static const unsigned char name[] = "\x13\x0c" "edwards25519";
	static const unsigned char gnu[] = "\x06\x09\x2b\x06\x01\x04\x01\xda\x47\x0f\x01";
	static const unsigned char oid[] = "\x06\x03\x2b\x65\x70";
	const struct algorithm *ed25519 = algorithm_by_name("ed25519");

	ck_assert_ptr_eq(algorithm_ec(CKK_EC_EDWARDS, name, sizeof name - 1), ed25519);
	ck_assert_ptr_eq(algorithm_ec(CKK_EC_EDWARDS, gnu, sizeof gnu - 1), ed25519);
	ck_assert_ptr_eq(algorithm_ec(CKK_EC_EDWARDS, oid, sizeof oid - 1), ed25519);
	ck_assert_uint_eq(ed25519->bits, 255);
	/* Not under another key type, nor cut, nor with more behind. */
	ck_assert_ptr_null(algorithm_ec(CKK_EC, name, sizeof name - 1));
	ck_assert_ptr_null(algorithm_ec(CKK_EC, oid, sizeof oid - 1));
	ck_assert_ptr_null(algorithm_ec(CKK_EC_EDWARDS, oid, sizeof oid - 2));
	ck_assert_ptr_null(algorithm_ec(CKK_EC_EDWARDS, oid, sizeof oid));
	ck_assert_ptr_null(algorithm_ec(CKK_EC_EDWARDS, "", 0));
	ck_assert_ptr_null(algorithm_ec(CKK_EC_EDWARDS, NULL, 0));
	ck_assert_ptr_null(algorithm_ec(CKK_RSA, NULL, 0));
}
END_TEST

START_TEST(x25519_has_four_names)
{
	static const unsigned char name[] = "\x13\x0a" "curve25519";
	static const unsigned char opensc[] = "\x13\x0b" "curve25519";
	static const unsigned char cryptlib[] = "\x06\x0a\x2b\x06\x01\x04\x01\x97\x55\x01\x05\x01";
	static const unsigned char oid[] = "\x06\x03\x2b\x65\x6e";
	const struct algorithm *x25519 = algorithm_by_name("x25519");

	ck_assert_ptr_eq(algorithm_ec(CKK_EC_MONTGOMERY, name, sizeof name - 1), x25519);
	ck_assert_ptr_eq(algorithm_ec(CKK_EC_MONTGOMERY, opensc, sizeof opensc - 1), x25519);
	ck_assert_ptr_eq(algorithm_ec(CKK_EC_MONTGOMERY, cryptlib, sizeof cryptlib - 1), x25519);
	ck_assert_ptr_eq(algorithm_ec(CKK_EC_MONTGOMERY, oid, sizeof oid - 1), x25519);
	ck_assert_uint_eq(x25519->bits, 255);
	ck_assert_ptr_null(algorithm_ec(CKK_EC_EDWARDS, name, sizeof name - 1));
	ck_assert_ptr_null(algorithm_ec(CKK_EC_EDWARDS, oid, sizeof oid - 1));
	ck_assert_ptr_null(algorithm_ec(CKK_EC_MONTGOMERY, name, sizeof name - 2));
}
END_TEST

Suite *
unit_suite(void)
{
	Suite *suite = suite_create("algorithm");
	TCase *tcase = tcase_create("algorithm");

	tcase_add_test(tcase, names_are_found);
	tcase_add_test(tcase, rsa_is_found_by_bits);
	tcase_add_test(tcase, params_are_what_openssl_encodes);
	tcase_add_test(tcase, groups_are_what_openssl_calls_them);
	tcase_add_test(tcase, ed25519_has_three_names);
	tcase_add_test(tcase, x25519_has_four_names);
	suite_add_tcase(suite, tcase);
	return suite;
}
