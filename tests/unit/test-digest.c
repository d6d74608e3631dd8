/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "base/buffer.h"
#include "base/openssl.h"
#include "mechanism/digest.h"

#include <stdlib.h>
#include <string.h>

/* The examples of FIPS 180: the hash of "abc". */
static const struct {
	CK_MECHANISM_TYPE type;
	const char *name;
	size_t size;
	const char *abc;
} digests[] = {
	{ CKM_SHA_1, "SHA1", 20, "a9993e364706816aba3e25717850c26c9cd0d89d" },
	{ CKM_SHA224, "SHA224", 28, "23097d223405d8228642a477bda255b32aadbce4bda0b3f7e36c9da7" },
	{ CKM_SHA256, "SHA256", 32,
	  "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" },
	{ CKM_SHA384, "SHA384", 48,
	  "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed"
	  "8086072ba1e7cc2358baeca134c825a7" },
	{ CKM_SHA512, "SHA512", 64,
	  "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
	  "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f" },
};

#define DIGESTS ((int)(sizeof digests / sizeof *digests))

static void
setup(void)
{
	ck_assert_uint_eq(openssl_start(), CKR_OK);
}

START_TEST(known_answers)
{
	unsigned char value[DIGEST_SIZE_MAX];
	struct digest *digest = NULL;
	char *hex;

	ck_assert_uint_eq(digest_size(digests[_i].type), digests[_i].size);
	ck_assert_uint_eq(digest_once(digests[_i].type, "abc", 3, value), CKR_OK);
	hex = hex_dup(value, digests[_i].size);
	ck_assert_str_eq(hex, digests[_i].abc);
	free(hex);

	memset(value, 0, sizeof value);
	ck_assert_uint_eq(digest_new(digests[_i].type, &digest), CKR_OK);
	ck_assert_uint_eq(digest_update(digest, "a", 1), CKR_OK);
	ck_assert_uint_eq(digest_update(digest, NULL, 0), CKR_OK);
	ck_assert_uint_eq(digest_update(digest, "bc", 2), CKR_OK);
	ck_assert_uint_eq(digest_final(digest, value), CKR_OK);
	digest_free(&digest);
	ck_assert_ptr_null(digest);
	digest_free(&digest);
	hex = hex_dup(value, digests[_i].size);
	ck_assert_str_eq(hex, digests[_i].abc);
	free(hex);
}
END_TEST

START_TEST(same_as_openssl)
{
	unsigned char data[1000], value[DIGEST_SIZE_MAX], other[DIGEST_SIZE_MAX];
	struct digest *digest = NULL;
	size_t length;

	for (size_t i = 0; i < sizeof data; i++)
		data[i] = (unsigned char)(i * 7 + 3);
	for (size_t size = 0; size < sizeof data; size += 37) {
		ck_assert_int_eq(EVP_Q_digest(NULL, digests[_i].name, NULL, data, size, other,
		                              &length), 1);
		ck_assert_uint_eq(digest_once(digests[_i].type, size == 0 ? NULL : data, size, value),
		                  CKR_OK);
		ck_assert_mem_eq(value, other, length);
		ck_assert_uint_eq(digest_new(digests[_i].type, &digest), CKR_OK);
		ck_assert_uint_eq(digest_update(digest, data, size / 3), CKR_OK);
		ck_assert_uint_eq(digest_update(digest, data + size / 3, size - size / 3), CKR_OK);
		memset(value, 0, sizeof value);
		ck_assert_uint_eq(digest_final(digest, value), CKR_OK);
		ck_assert_mem_eq(value, other, length);
		digest_free(&digest);
	}
}
END_TEST

START_TEST(room_is_not_exceeded)
{
	unsigned char value[DIGEST_SIZE_MAX + 1];

	memset(value, 0xa5, sizeof value);
	ck_assert_uint_eq(digest_once(digests[_i].type, "abc", 3, value), CKR_OK);
	for (size_t i = digests[_i].size; i < sizeof value; i++)
		ck_assert_uint_eq(value[i], 0xa5);
}
END_TEST

/* A digest that was freed before its end leaves nothing behind (valgrind tells). */
START_TEST(free_midway)
{
	struct digest *digest = NULL;

	ck_assert_uint_eq(digest_new(CKM_SHA256, &digest), CKR_OK);
	ck_assert_uint_eq(digest_update(digest, "abc", 3), CKR_OK);
	digest_free(&digest);
	ck_assert_ptr_null(digest);
}
END_TEST

START_TEST(others_are_invalid)
{
	static const CK_MECHANISM_TYPE types[] = { 0, CKM_MD5, CKM_SHA256_HMAC, CKM_RSA_PKCS,
		                                   CK_UNAVAILABLE_INFORMATION };
	unsigned char value[DIGEST_SIZE_MAX];
	struct digest *digest = NULL;

	for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
		ck_assert_uint_eq(digest_size(types[i]), 0);
		ck_assert_uint_eq(digest_new(types[i], &digest), CKR_MECHANISM_INVALID);
		ck_assert_ptr_null(digest);
		ck_assert_uint_eq(digest_once(types[i], "abc", 3, value), CKR_MECHANISM_INVALID);
	}
}
END_TEST

Suite *
unit_suite(void)
{
	Suite *suite = suite_create("digest");
	TCase *tests = tcase_create("digest");

	tcase_add_checked_fixture(tests, setup, openssl_stop);
	tcase_add_loop_test(tests, known_answers, 0, DIGESTS);
	tcase_add_loop_test(tests, same_as_openssl, 0, DIGESTS);
	tcase_add_loop_test(tests, room_is_not_exceeded, 0, DIGESTS);
	tcase_add_test(tests, free_midway);
	tcase_add_test(tests, others_are_invalid);
	suite_add_tcase(suite, tests);
	return suite;
}
