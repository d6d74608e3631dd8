/* SPDX-License-Identifier: Apache-2.0 */
/* Signing and decrypting with a KMIP server. */
#include "kmip-calls.h"

#include "unit.h"

#include "base/secret.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

START_TEST(refuses_what_can_not_be_sent)
{
	static const unsigned char digest[33];
	struct kms_key key = KEY;
	struct secret *plaintext = NULL;
	CK_MECHANISM raw = { CKM_RSA_X_509, NULL, 0 };

	generate("rsa-2048");
	ck_assert_uint_eq(sign_with(&key, CKM_RSA_PKCS, NULL, 0, digest, 33), CKR_DATA_INVALID);
	ck_assert_uint_eq(sign_with(&key, CKM_ECDSA, NULL, 0, digest, 33), CKR_DATA_LEN_RANGE);
	ck_assert_uint_eq(sign_with(&key, CKM_RSA_X_509, NULL, 0, digest, 33), CKR_MECHANISM_INVALID);
	ck_assert_uint_eq(sign_with(&key, CKM_RSA_PKCS_PSS, NULL, 0, digest, 32),
	                  CKR_MECHANISM_PARAM_INVALID);
	ck_assert_uint_eq(kms_decrypt(kms, &key, &raw, digest, 33, soon(), &plaintext),
	                  CKR_MECHANISM_INVALID);
	ck_assert_uint_eq(decrypt_with(CKM_MD5, CKG_MGF1_SHA1, digest, 33, &plaintext),
	                  CKR_MECHANISM_PARAM_INVALID);
	ck_assert_uint_eq(kmip_fixture.requests[KMIP_SIGN] + kmip_fixture.requests[KMIP_DECRYPT], 0);
}
END_TEST

START_TEST(refusals_have_their_codes)
{
	static const struct {
		uint32_t operation, reason;
		CK_RV sign, decrypt;
	} rows[] = {
		{ KMIP_SIGN, KMIP_PERMISSION_DENIED, CKR_KEY_FUNCTION_NOT_PERMITTED, 0 },
		{ KMIP_SIGN, KMIP_INVALID_FIELD, CKR_MECHANISM_INVALID, 0 },
		{ KMIP_SIGN, KMIP_OPERATION_NOT_SUPPORTED, CKR_MECHANISM_INVALID, 0 },
		{ KMIP_SIGN, KMIP_ITEM_NOT_FOUND, CKR_KEY_HANDLE_INVALID, 0 },
		{ KMIP_SIGN, KMIP_GENERAL_FAILURE, CKR_DEVICE_ERROR, 0 },
		{ KMIP_SIGN, KMIP_AUTHENTICATION_NOT_SUCCESSFUL, CKR_DEVICE_ERROR, 0 },
		{ KMIP_DECRYPT, KMIP_PERMISSION_DENIED, 0, CKR_KEY_FUNCTION_NOT_PERMITTED },
		{ KMIP_DECRYPT, KMIP_OPERATION_NOT_SUPPORTED, 0, CKR_FUNCTION_NOT_SUPPORTED },
		{ KMIP_DECRYPT, KMIP_INVALID_FIELD, 0, CKR_ENCRYPTED_DATA_INVALID },
		{ KMIP_DECRYPT, KMIP_CRYPTOGRAPHIC_FAILURE, 0, CKR_ENCRYPTED_DATA_INVALID },
		{ KMIP_DECRYPT, KMIP_GENERAL_FAILURE, 0, CKR_ENCRYPTED_DATA_INVALID },
		{ KMIP_DECRYPT, KMIP_ITEM_NOT_FOUND, 0, CKR_KEY_HANDLE_INVALID },
	};
	struct secret *plaintext = NULL;
	unsigned char ciphertext[256];
	size_t size;

	generate("rsa-2048");
	size = encrypt_oaep(EVP_sha1(), "secret", 6, ciphertext);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		kmip_fixture.reasons[rows[i].operation] = rows[i].reason;
		if (rows[i].operation == KMIP_SIGN)
			ck_assert_uint_eq(sign(), rows[i].sign);
		else
			ck_assert_uint_eq(decrypt_with(CKM_SHA_1, CKG_MGF1_SHA1, ciphertext, size, &plaintext),
			                  rows[i].decrypt);
		kmip_fixture.reasons[rows[i].operation] = 0;
		/* A refusal never opens the breaker. */
		ck_assert_uint_eq(kms_ping(kms, soon()), CKR_OK);
	}
	ciphertext[0] ^= 1;
	ck_assert_uint_eq(decrypt_with(CKM_SHA_1, CKG_MGF1_SHA1, ciphertext, size, &plaintext),
	                  CKR_ENCRYPTED_DATA_INVALID);
	ck_assert_ptr_null(plaintext);
	kmip_fixture.reasons[KMIP_SIGN] = KMIP_GENERAL_FAILURE;
	ck_assert_uint_eq(sign(), CKR_DEVICE_ERROR);
	ck_assert_uint_eq(kms_device_error(kms), KMIP_GENERAL_FAILURE);
}
END_TEST

START_TEST(a_plaintext_is_data_or_nothing)
{
	struct secret *plaintext = NULL;
	unsigned char ciphertext[256];
	size_t size;

	generate("rsa-2048");
	size = encrypt_oaep(EVP_sha1(), "secret", 6, ciphertext);
	kmip_fixture.plaintext = KMIP_PLAINTEXT_TEXT;
	ck_assert_uint_eq(decrypt_with(CKM_SHA_1, CKG_MGF1_SHA1, ciphertext, size, &plaintext),
	                  CKR_DEVICE_ERROR);
	ck_assert_ptr_null(plaintext);
	kmip_fixture.plaintext = KMIP_PLAINTEXT_ABSENT;
	reopen();
	ck_assert_uint_eq(decrypt_with(CKM_SHA_1, CKG_MGF1_SHA1, ciphertext, size, &plaintext),
	                  CKR_OK);
	ck_assert_uint_eq(secret_size(plaintext), 0);
	secret_free(&plaintext);
}
END_TEST

/* So often is it asked until it fails, or does not. */
static void
expect_requests(enum kmip_operation operation, unsigned failing, unsigned requests, CK_RV expected)
{
	struct secret *plaintext = NULL;
	unsigned char ciphertext[256];
	size_t size = encrypt_oaep(EVP_sha1(), "secret", 6, ciphertext);
	CK_RV rv;

	kmip_fixture.requests[operation] = 0;
	kmip_fixture.failing = failing;
	rv = operation == KMIP_SIGN
	     ? sign() : decrypt_with(CKM_SHA_1, CKG_MGF1_SHA1, ciphertext, size, &plaintext);
	ck_assert_uint_eq(rv, expected);
	ck_assert_uint_eq(kmip_fixture.requests[operation], requests);
	kmip_fixture.failing = 0;
	secret_free(&plaintext);
}

START_TEST(a_server_that_is_out_of_order_is_not_the_last_word)
{
	char uri[256];

	generate("rsa-2048");
	expect_requests(KMIP_DECRYPT, 1, 1, CKR_ENCRYPTED_DATA_INVALID);
	expect_requests(KMIP_SIGN, 1, 1, CKR_DEVICE_ERROR);
	/* The same server twice stands for a cluster, with one that nobody listens at between. */
	snprintf(uri, sizeof uri, "%s,127.0.0.1:1,%s", kmip_fixture.config.kms,
	         kmip_fixture.config.kms + strlen("kmip://"));
	free(kmip_fixture.config.kms);
	kmip_fixture.config.kms = strdup(uri);
	reopen();
	expect_requests(KMIP_DECRYPT, 1, 2, CKR_OK);
	expect_requests(KMIP_SIGN, 1, 2, CKR_OK);
	/* But once only, and not for a reason that is given. */
	expect_requests(KMIP_DECRYPT, 9, 2, CKR_ENCRYPTED_DATA_INVALID);
	expect_requests(KMIP_SIGN, 9, 2, CKR_DEVICE_ERROR);
	kmip_fixture.reasons[KMIP_DECRYPT] = KMIP_CRYPTOGRAPHIC_FAILURE;
	expect_requests(KMIP_DECRYPT, 0, 1, CKR_ENCRYPTED_DATA_INVALID);
	kmip_fixture.reasons[KMIP_DECRYPT] = KMIP_PERMISSION_DENIED;
	expect_requests(KMIP_DECRYPT, 0, 1, CKR_KEY_FUNCTION_NOT_PERMITTED);
	ck_assert_uint_eq(kms_ping(kms, soon()), CKR_OK);
}
END_TEST

Suite *
unit_suite(void)
{
	Suite *suite = suite_create("kmip-crypto");
	TCase *tests = tcase_create("kmip-crypto");

	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_set_timeout(tests, 60);
	tcase_add_test(tests, refuses_what_can_not_be_sent);
	tcase_add_test(tests, refusals_have_their_codes);
	tcase_add_test(tests, a_plaintext_is_data_or_nothing);
	tcase_add_test(tests, a_server_that_is_out_of_order_is_not_the_last_word);
	suite_add_tcase(suite, tests);
	return suite;
}
