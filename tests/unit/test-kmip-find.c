/* SPDX-License-Identifier: Apache-2.0 */
/* Objects of a KMIP server, found and listed. */
#include "kmip-calls.h"

#include "unit.h"

#include "base/secret.h"

#include <string.h>

struct walked {
	unsigned count;
	CK_RV answer;
};

static CK_RV
walk_found(void *context, const void *found_id, size_t size, const char *label,
           CK_KEY_TYPE key_type)
{
	struct walked *walked = context;

	walked->count++;
	ck_assert_uint_eq(size, sizeof id);
	ck_assert_int_eq(memcmp(found_id, id, size), 0);
	ck_assert_str_eq(label, "job@1");
	ck_assert_uint_eq(key_type, CKK_EC);
	return walked->answer;
}

START_TEST(an_identifier_that_is_no_longer_good_is_looked_for_again)
{
	generate("rsa-2048");
	ck_assert_uint_eq(sign(), CKR_OK);
	ck_assert_uint_eq(kmip_fixture.requests[KMIP_LOCATE], 1); /* before it was made */
	kmip_fixture_rename();
	ck_assert_uint_eq(sign(), CKR_OK);
	ck_assert_uint_eq(kmip_fixture.requests[KMIP_LOCATE], 2);
	ck_assert_uint_eq(sign(), CKR_OK);
	ck_assert_uint_eq(kmip_fixture.requests[KMIP_LOCATE], 2);
	kmip_fixture_rename();
	buffer_clear(&spki);
	ck_assert_uint_eq(kms_public_key(kms, id, sizeof id, soon(), &spki), CKR_OK);
	ck_assert_uint_gt(spki.size, 0);
}
END_TEST

START_TEST(keys_that_are_not_there)
{
	struct kms_key other = { (const unsigned char *)"other", 5, 0, false };
	struct secret *plaintext = NULL;

	ck_assert_uint_eq(kms_public_key(kms, id, sizeof id, soon(), &spki), CKR_KEY_HANDLE_INVALID);
	ck_assert_uint_eq(sign(), CKR_KEY_HANDLE_INVALID);
	ck_assert_uint_eq(sign_with(&other, CKM_RSA_PKCS, NULL, 0, digest_info, sizeof digest_info),
	                  CKR_KEY_HANDLE_INVALID);
	ck_assert_uint_eq(decrypt_with(CKM_SHA_1, CKG_MGF1_SHA1, digest_info, 51, &plaintext),
	                  CKR_KEY_HANDLE_INVALID);
}
END_TEST

START_TEST(lists_keys_and_no_more)
{
	struct walked walked = { 0, CKR_OK };
	struct kms_description description;

	ck_assert_uint_eq(kms_walk(kms, soon(), walk_found, &walked), CKR_OK);
	ck_assert_uint_eq(walked.count, 0);
	describe(&description); /* with its own pairs */
	kms_description_clear(&description);
	generate("p-256");
	ck_assert_uint_eq(kms_walk(kms, soon(), walk_found, &walked), CKR_OK);
	ck_assert_uint_eq(walked.count, 1);
	walked.answer = CKR_CANCEL;
	ck_assert_uint_eq(kms_walk(kms, soon(), walk_found, &walked), CKR_CANCEL);
	ck_assert_uint_eq(kms_destroy_pair(kms, id, sizeof id, soon()), CKR_OK);
	walked.count = 0;
	ck_assert_uint_eq(kms_walk(kms, soon(), walk_found, &walked), CKR_OK);
	ck_assert_uint_eq(walked.count, 0);
}
END_TEST

Suite *
unit_suite(void)
{
	Suite *suite = suite_create("kmip-find");
	TCase *tests = tcase_create("kmip-find");

	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_set_timeout(tests, 60);
	tcase_add_test(tests, an_identifier_that_is_no_longer_good_is_looked_for_again);
	tcase_add_test(tests, keys_that_are_not_there);
	tcase_add_test(tests, lists_keys_and_no_more);
	suite_add_tcase(suite, tests);
	return suite;
}
