/* SPDX-License-Identifier: Apache-2.0 */
/* Pairs made and destroyed in a KMIP server. */
#include "kmip-calls.h"

#include "kmip-objects.h"
#include "unit.h"

#include "base/secret.h"

#include <string.h>

START_TEST(makes_and_uses_an_rsa_pair)
{
	CK_RSA_PKCS_PSS_PARAMS pss = { CKM_SHA256, CKG_MGF1_SHA256, 20 };
	static const unsigned char digest[32];
	unsigned char ciphertext[256];
	struct secret *plaintext = NULL;
	struct kms_key key = KEY;
	struct buffer again = BUFFER_INIT;
	size_t size;

	generate("rsa-2048");
	ck_assert_uint_eq(kms_public_key(kms, id, sizeof id, soon(), &again), CKR_OK);
	ck_assert(buffer_equal(&spki, again.data, again.size));
	ck_assert_uint_eq(sign(), CKR_OK);
	ck_assert_int_eq(kmip_fixture.last_salt, -1);
	ck_assert_uint_eq(sign_with(&key, CKM_RSA_PKCS_PSS, &pss, sizeof pss, digest, 32), CKR_OK);
	ck_assert_int_eq(kmip_fixture.last_salt, 20);
	ck_assert_uint_eq(sign_with(&key, CKM_SHA384_RSA_PKCS, NULL, 0, "message", 7), CKR_OK);
	size = encrypt_oaep(EVP_sha256(), "secret", 6, ciphertext);
	ck_assert_uint_eq(decrypt_with(CKM_SHA256, CKG_MGF1_SHA256, ciphertext, size, &plaintext),
	                  CKR_OK);
	ck_assert(secret_equal(plaintext, "secret", 6));
	secret_free(&plaintext);
	size = encrypt_oaep(EVP_sha1(), "", 0, ciphertext);
	ck_assert_uint_eq(decrypt_with(CKM_SHA_1, CKG_MGF1_SHA1, ciphertext, size, &plaintext),
	                  CKR_OK);
	ck_assert_uint_eq(secret_size(plaintext), 0);
	secret_free(&plaintext);
	/* The same CKA_ID is not given twice. */
	ck_assert_uint_eq(try_generate("rsa-2048"), CKR_DEVICE_ERROR);
	ck_assert_uint_eq(kmip_fixture_objects(), 2);
	ck_assert_uint_eq(kms_destroy_pair(kms, id, sizeof id, soon()), CKR_OK);
	ck_assert_uint_eq(kmip_fixture_objects(), 0);
	ck_assert_uint_eq(kms_destroy_pair(kms, id, sizeof id, soon()), CKR_OK);
	buffer_clear(&again);
}
END_TEST

START_TEST(makes_and_uses_an_ec_pair)
{
	struct kms_key key = KEY;
	CK_MECHANISM mechanism = { CKM_ECDSA, NULL, 0 };
	static const unsigned char digest[32];
	unsigned char signature[256];
	size_t size = sizeof signature;

	generate("p-256");
	ck_assert_uint_eq(kms_sign(kms, &key, &mechanism, digest, 32, soon(), signature, &size),
	                  CKR_OK);
	ck_assert_uint_eq(size, 64);
	ck_assert_uint_eq(sign_with(&key, CKM_ECDSA_SHA256, NULL, 0, "message", 7), CKR_OK);
	buffer_clear(&spki);
	ck_assert_uint_eq(try_generate("ed25519"), CKR_MECHANISM_INVALID);
}
END_TEST

START_TEST(pairs_that_the_server_does_not_make)
{
	static const struct {
		uint32_t reason;
		CK_RV rv;
	} rows[] = {
		{ KMIP_INVALID_FIELD, CKR_MECHANISM_INVALID },
		{ KMIP_OPERATION_NOT_SUPPORTED, CKR_MECHANISM_INVALID },
		{ KMIP_GENERAL_FAILURE, CKR_MECHANISM_INVALID },
		{ KMIP_PERMISSION_DENIED, CKR_KEY_FUNCTION_NOT_PERMITTED },
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		kmip_fixture.reasons[KMIP_CREATE_KEY_PAIR] = rows[i].reason;
		ck_assert_uint_eq(try_generate("rsa-2048"), rows[i].rv);
	}
	ck_assert_uint_eq(kmip_fixture_objects(), 0);
	/* Twice with less, when it does not say why. */
	kmip_fixture.requests[KMIP_CREATE_KEY_PAIR] = 0;
	kmip_fixture.reasons[KMIP_CREATE_KEY_PAIR] = KMIP_GENERAL_FAILURE;
	ck_assert_uint_eq(try_generate("rsa-2048"), CKR_MECHANISM_INVALID);
	ck_assert_uint_eq(kmip_fixture.requests[KMIP_CREATE_KEY_PAIR], 3);
}
END_TEST

START_TEST(attributes_that_the_server_does_not_know_are_left_out)
{
	static const struct {
		int minor;
		bool sealing, groups;
		unsigned requests;
	} rows[] = {
		{ 4, true, true, 1 }, { 4, true, false, 4 }, { 4, false, true, 3 },
		{ 4, false, false, 6 }, { 2, false, true, 1 }, { 2, false, false, 2 },
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		kmip_fixture.minor = rows[i].minor;
		kmip_fixture.sealing = rows[i].sealing;
		kmip_fixture.groups = rows[i].groups;
		reopen();
		kmip_fixture.requests[KMIP_CREATE_KEY_PAIR] = 0;
		generate("rsa-2048");
		ck_assert_uint_eq(kmip_fixture.requests[KMIP_CREATE_KEY_PAIR], rows[i].requests);
		ck_assert_str_eq(kmip_objects_group(), rows[i].groups ? "p11-kms:job" : "");
		ck_assert_uint_eq(kms_destroy_pair(kms, id, sizeof id, soon()), CKR_OK);
		/* And are not tried again. */
		buffer_clear(&spki);
		generate("rsa-2048");
		ck_assert_uint_eq(kmip_fixture.requests[KMIP_CREATE_KEY_PAIR], rows[i].requests + 1);
		ck_assert_uint_eq(kms_destroy_pair(kms, id, sizeof id, soon()), CKR_OK);
		buffer_clear(&spki);
	}
}
END_TEST

/* A server that does not say why may mean anything by it: the seal is the last thing to go. */
START_TEST(a_refusal_without_a_reason_does_not_cost_the_seal)
{
	static const struct {
		int minor;
		bool sealing, groups;
		unsigned requests; /* each time: nothing is learned from them */
	} rows[] = {
		{ 4, true, false, 2 }, { 4, false, true, 3 }, { 4, false, false, 3 }, { 2, false, false, 2 },
	};

	kmip_fixture.unknown = KMIP_GENERAL_FAILURE;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		kmip_fixture.minor = rows[i].minor;
		kmip_fixture.sealing = rows[i].sealing;
		kmip_fixture.groups = rows[i].groups;
		reopen();
		for (int j = 0; j < 2; j++) {
			kmip_fixture.requests[KMIP_CREATE_KEY_PAIR] = 0;
			generate("rsa-2048");
			ck_assert_uint_eq(kmip_fixture.requests[KMIP_CREATE_KEY_PAIR], rows[i].requests);
			ck_assert(kmip_fixture.sealed == rows[i].sealing);
			ck_assert_uint_eq(kms_destroy_pair(kms, id, sizeof id, soon()), CKR_OK);
			buffer_clear(&spki);
		}
		/* One failure is not for ever. */
		kmip_fixture.sealing = kmip_fixture.groups = true;
		generate("rsa-2048");
		ck_assert(kmip_fixture.sealed == (rows[i].minor >= 4));
		ck_assert_str_eq(kmip_objects_group(), "p11-kms:job");
		ck_assert_uint_eq(kms_destroy_pair(kms, id, sizeof id, soon()), CKR_OK);
		buffer_clear(&spki);
	}
}
END_TEST

START_TEST(answers_about_other_objects_are_none)
{
	static const uint32_t operations[] = { KMIP_SIGN, KMIP_DECRYPT, KMIP_GET,
		                               KMIP_GET_ATTRIBUTES, KMIP_ACTIVATE, KMIP_REVOKE,
		                               KMIP_DESTROY };
	struct secret *plaintext = NULL;
	unsigned char ciphertext[256];
	size_t size;

	for (size_t i = 0; i < sizeof operations / sizeof *operations; i++) {
		CK_RV rv = CKR_OK;

		generate("rsa-2048");
		size = encrypt_oaep(EVP_sha1(), "secret", 6, ciphertext);
		kmip_fixture.mistaken = operations[i];
		buffer_clear(&spki);
		switch (operations[i]) {
		case KMIP_SIGN:
			rv = sign();
			break;
		case KMIP_DECRYPT:
			rv = decrypt_with(CKM_SHA_1, CKG_MGF1_SHA1, ciphertext, size, &plaintext);
			break;
		case KMIP_GET:
			rv = kms_public_key(kms, id, sizeof id, soon(), &spki);
			break;
		case KMIP_ACTIVATE:
			ck_assert_uint_eq(kms_destroy_pair(kms, id, sizeof id, soon()), CKR_OK);
			rv = try_generate("rsa-2048");
			break;
		default:
			rv = kms_destroy_pair(kms, id, sizeof id, soon());
			break;
		}
		ck_assert_uint_eq(rv, CKR_DEVICE_ERROR);
		ck_assert_ptr_null(plaintext);
		ck_assert_uint_eq(spki.size, 0);
		kmip_fixture.mistaken = 0;
		reopen();
		ck_assert_uint_eq(kms_destroy_pair(kms, id, sizeof id, soon()), CKR_OK);
	}
}
END_TEST

START_TEST(a_destroy_that_does_nothing_is_no_success)
{
	generate("rsa-2048");
	kmip_fixture.idle = true;
	ck_assert_uint_eq(kms_destroy_pair(kms, id, sizeof id, soon()), CKR_DEVICE_ERROR);
	ck_assert_uint_eq(kmip_fixture_objects(), 2);
	/* The server is well otherwise. */
	for (int i = 0; i < 3; i++)
		ck_assert_uint_eq(kms_destroy_pair(kms, id, sizeof id, soon()), CKR_DEVICE_ERROR);
	ck_assert_uint_eq(kms_ping(kms, soon()), CKR_OK);
	kmip_fixture.idle = false;
	ck_assert_uint_eq(kms_destroy_pair(kms, id, sizeof id, soon()), CKR_OK);
	ck_assert_uint_eq(kmip_fixture_objects(), 0);
}
END_TEST

/* The pair is there, and not ready: another one would be one too many. */
START_TEST(a_throttled_activation_is_told)
{
	kmip_fixture.reasons[KMIP_ACTIVATE] = KMIP_SERVER_LIMIT_EXCEEDED;
	ck_assert_uint_eq(try_generate("rsa-2048"), CKR_DEVICE_MEMORY);
	ck_assert_uint_eq(kmip_fixture.requests[KMIP_ACTIVATE], 1);
	ck_assert_uint_eq(kmip_fixture.requests[KMIP_CREATE_KEY_PAIR], 1);
	ck_assert_uint_eq(kms_destroy_pair(kms, id, sizeof id, soon()), CKR_OK);
	ck_assert_uint_eq(kmip_fixture_objects(), 0);
}
END_TEST

START_TEST(a_throttled_destruction_is_tried_three_times)
{
	static const uint32_t operations[] = { KMIP_REVOKE, KMIP_DESTROY };

	generate("rsa-2048");
	for (size_t i = 0; i < sizeof operations / sizeof *operations; i++) {
		kmip_fixture.requests[operations[i]] = 0;
		kmip_fixture.reasons[operations[i]] = KMIP_SERVER_LIMIT_EXCEEDED;
		ck_assert_uint_eq(kms_destroy_pair(kms, id, sizeof id, soon()), CKR_FUNCTION_FAILED);
		ck_assert_uint_eq(kmip_fixture.requests[operations[i]], 3);
		ck_assert_uint_eq(kmip_fixture_objects(), 2);
		kmip_fixture.reasons[operations[i]] = 0;
	}
	ck_assert_uint_eq(kms_destroy_pair(kms, id, sizeof id, soon()), CKR_OK);
	ck_assert_uint_eq(kmip_fixture_objects(), 0);
}
END_TEST

START_TEST(both_halves_of_a_pair_of_others_are_destroyed)
{
	static const char other[] = "uid:object-0";

	generate("rsa-2048");
	kmip_fixture_disown();
	reopen();
	ck_assert_uint_eq(kms_destroy_pair(kms, other, strlen(other), soon()), CKR_OK);
	ck_assert_uint_eq(kmip_fixture_objects(), 0);
}
END_TEST

/* The private half goes last: through it the other is found, also after an interruption. */
START_TEST(a_destruction_that_was_interrupted_is_finished)
{
	static const char other[] = "uid:object-0";

	generate("rsa-2048");
	kmip_fixture_disown();
	reopen();
	kmip_fixture.sacred = "object-1";
	ck_assert_uint_eq(kms_destroy_pair(kms, other, strlen(other), soon()),
	                  CKR_KEY_FUNCTION_NOT_PERMITTED);
	kmip_fixture.sacred = NULL;
	ck_assert_uint_eq(kms_destroy_pair(kms, other, strlen(other), soon()), CKR_OK);
	ck_assert_uint_eq(kmip_fixture_objects(), 0);
}
END_TEST

/* teardown looks whether a private key was fetched. */
START_TEST(identifiers_that_a_server_mistakes_are_not_used)
{
	kmip_fixture.told = KMIP_TOLD_PRIVATE_TWICE;
	ck_assert_uint_eq(try_generate("rsa-2048"), CKR_DEVICE_ERROR);
	ck_assert_uint_eq(kmip_fixture.requests[KMIP_GET], 0);
	reopen();
	ck_assert_uint_eq(kms_destroy_pair(kms, id, sizeof id, soon()), CKR_OK);
	kmip_fixture.told = KMIP_TOLD_SWAPPED;
	ck_assert_uint_eq(try_generate("rsa-2048"), CKR_PUBLIC_KEY_INVALID);
	ck_assert_uint_eq(kmip_fixture.requests[KMIP_GET], 0);
	/* What was made is found by its Names. */
	ck_assert_uint_eq(sign(), CKR_OK);
	ck_assert_uint_eq(kms_destroy_pair(kms, id, sizeof id, soon()), CKR_OK);
	ck_assert_uint_eq(kmip_fixture_objects(), 0);
}
END_TEST

Suite *
unit_suite(void)
{
	Suite *suite = suite_create("kmip-pair");
	TCase *tests = tcase_create("kmip-pair");

	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_set_timeout(tests, 60);
	tcase_add_test(tests, makes_and_uses_an_rsa_pair);
	tcase_add_test(tests, makes_and_uses_an_ec_pair);
	tcase_add_test(tests, pairs_that_the_server_does_not_make);
	tcase_add_test(tests, attributes_that_the_server_does_not_know_are_left_out);
	tcase_add_test(tests, a_refusal_without_a_reason_does_not_cost_the_seal);
	tcase_add_test(tests, answers_about_other_objects_are_none);
	tcase_add_test(tests, a_destroy_that_does_nothing_is_no_success);
	tcase_add_test(tests, a_throttled_activation_is_told);
	tcase_add_test(tests, a_throttled_destruction_is_tried_three_times);
	tcase_add_test(tests, both_halves_of_a_pair_of_others_are_destroyed);
	tcase_add_test(tests, a_destruction_that_was_interrupted_is_finished);
	tcase_add_test(tests, identifiers_that_a_server_mistakes_are_not_used);
	suite_add_tcase(suite, tests);
	return suite;
}
