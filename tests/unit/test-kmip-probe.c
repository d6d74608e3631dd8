/* SPDX-License-Identifier: Apache-2.0 */
/* What a server is found to do. */
#include "kmip-calls.h"

#include "unit.h"

static bool
offers(const struct kms_description *description, CK_MECHANISM_TYPE type)
{
	for (size_t i = 0; i < description->primitive_count; i++)
		if (description->primitives[i] == type)
			return true;
	return false;
}

START_TEST(describes_what_the_server_does)
{
	struct kms_description description;
	unsigned objects;

	describe(&description);
	ck_assert_str_eq(description.manufacturer, "Unit Test");
	ck_assert_str_eq(description.model, "KMIP 1.4");
	ck_assert(offers(&description, CKM_RSA_PKCS_KEY_PAIR_GEN));
	ck_assert(offers(&description, CKM_EC_KEY_PAIR_GEN));
	ck_assert(offers(&description, CKM_RSA_PKCS));
	ck_assert(offers(&description, CKM_RSA_PKCS_PSS));
	ck_assert(offers(&description, CKM_RSA_PKCS_OAEP));
	ck_assert(!offers(&description, CKM_P11_KMS_OAEP_SHA1_ONLY));
	ck_assert(offers(&description, CKM_ECDSA));
	ck_assert_uint_eq(description.primitive_count, 6);
	kms_description_clear(&description);
	/* Its own pairs are made once, and are not keys. */
	objects = kmip_fixture_objects();
	ck_assert_uint_eq(objects, 4);
	describe(&description);
	kms_description_clear(&description);
	ck_assert_uint_eq(kmip_fixture_objects(), objects);
}
END_TEST

START_TEST(describes_a_server_that_hashes)
{
	struct kms_description description;

	kmip_fixture.digested = false;
	describe(&description);
	ck_assert(!offers(&description, CKM_RSA_PKCS));
	ck_assert(offers(&description, CKM_SHA256_RSA_PKCS));
	ck_assert(offers(&description, CKM_SHA512_RSA_PKCS));
	ck_assert(!offers(&description, CKM_RSA_PKCS_PSS));
	ck_assert(offers(&description, CKM_SHA384_RSA_PKCS_PSS));
	ck_assert(!offers(&description, CKM_ECDSA));
	ck_assert(offers(&description, CKM_ECDSA_SHA256));
	kms_description_clear(&description);
}
END_TEST

START_TEST(describes_an_older_server)
{
	struct kms_description description;

	kmip_fixture.minor = 2;
	describe(&description);
	ck_assert_str_eq(description.model, "KMIP 1.2");
	ck_assert(!offers(&description, CKM_RSA_PKCS));
	ck_assert(offers(&description, CKM_SHA256_RSA_PKCS));
	ck_assert(offers(&description, CKM_RSA_PKCS_OAEP));
	/* The server takes SHA-1 for the mask, and can't be told otherwise. */
	ck_assert(offers(&description, CKM_P11_KMS_OAEP_SHA1_ONLY));
	kms_description_clear(&description);
}
END_TEST

START_TEST(describes_what_is_missing)
{
	struct kms_description description;

	kmip_fixture.reasons[KMIP_DECRYPT] = KMIP_PERMISSION_DENIED;
	describe(&description);
	ck_assert(offers(&description, CKM_RSA_PKCS));
	ck_assert(!offers(&description, CKM_RSA_PKCS_OAEP));
	ck_assert_uint_eq(description.lack_count, 1);
	ck_assert_str_eq(description.lacks[0],
	                 "does not decrypt with RSA OAEP (Permission Denied); it is not offered");
	kms_description_clear(&description);
	kmip_fixture.reasons[KMIP_SIGN] = KMIP_OPERATION_NOT_SUPPORTED;
	describe(&description);
	ck_assert_uint_eq(description.lack_count, 4);
	ck_assert_uint_eq(description.primitive_count, 2); /* makes pairs that nothing can be done with */
	kms_description_clear(&description);
	ck_assert_uint_eq(kmip_fixture.requests[KMIP_CREATE_KEY_PAIR], 2);
}
END_TEST

/* What a server has no room for just now is not what it can't do: that would be written down. */
START_TEST(a_throttling_server_is_not_described)
{
	static const uint32_t operations[] = {
		KMIP_DISCOVER_VERSIONS, KMIP_QUERY, KMIP_ACTIVATE, KMIP_SIGN, KMIP_DECRYPT,
	};
	struct kms_description description;

	for (size_t i = 0; i < sizeof operations / sizeof *operations; i++) {
		reopen();
		kmip_fixture.requests[operations[i]] = 0;
		kmip_fixture.reasons[operations[i]] = KMIP_SERVER_LIMIT_EXCEEDED;
		ck_assert_uint_eq(kms_describe(kms, soon(), &description), CKR_FUNCTION_FAILED);
		ck_assert_uint_eq(kmip_fixture.requests[operations[i]], 3);
		ck_assert_uint_eq(kms_device_error(kms), KMIP_SERVER_LIMIT_EXCEEDED);
		/* Nor is it passed over, which would be one that fails. */
		kmip_fixture.reasons[operations[i]] = 0;
		describe(&description);
		ck_assert_uint_eq(description.lack_count, 0);
		kms_description_clear(&description);
	}
}
END_TEST

START_TEST(a_version_that_is_too_old_is_refused)
{
	struct kms_description description;

	kmip_fixture.minor = 1;
	ck_assert_uint_eq(kms_describe(kms, soon(), &description), CKR_DEVICE_ERROR);
	ck_assert_uint_eq(kmip_fixture.requests[KMIP_DISCOVER_VERSIONS], 3);
}
END_TEST

START_TEST(a_server_need_not_tell_what_it_is)
{
	static const uint32_t reasons[] = {
		KMIP_OPERATION_NOT_SUPPORTED, KMIP_PERMISSION_DENIED, KMIP_INVALID_FIELD,
		KMIP_GENERAL_FAILURE,
	};
	struct kms_description description;

	for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++) {
		kmip_fixture.reasons[KMIP_QUERY] = reasons[i];
		reopen();
		ck_assert_uint_eq(kms_ping(kms, soon()), CKR_OK);
		describe(&description);
		ck_assert_str_eq(description.manufacturer, "KMIP server");
		ck_assert_str_eq(description.model, "KMIP 1.4");
		ck_assert_uint_eq(description.primitive_count, 6);
		kms_description_clear(&description);
	}
	/* But it must know us: then it finds keys, or finds none. */
	kmip_fixture.reasons[KMIP_LOCATE] = KMIP_PERMISSION_DENIED;
	ck_assert_uint_eq(kms_ping(kms, soon()), CKR_KEY_FUNCTION_NOT_PERMITTED);
	kmip_fixture.reasons[KMIP_QUERY] = KMIP_AUTHENTICATION_NOT_SUCCESSFUL;
	ck_assert_uint_eq(kms_ping(kms, soon()), CKR_DEVICE_ERROR);
}
END_TEST

START_TEST(a_server_need_not_tell_its_versions)
{
	static const uint32_t reasons[] = {
		KMIP_OPERATION_NOT_SUPPORTED, KMIP_PERMISSION_DENIED, KMIP_NOT_AUTHORISED,
	};
	struct kms_description description;

	for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++) {
		kmip_fixture.reasons[KMIP_DISCOVER_VERSIONS] = reasons[i];
		reopen();
		describe(&description);
		ck_assert_str_eq(description.model, "KMIP 1.4");
		kms_description_clear(&description);
	}
}
END_TEST

Suite *
unit_suite(void)
{
	Suite *suite = suite_create("kmip-probe");
	TCase *tests = tcase_create("kmip-probe");

	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_set_timeout(tests, 60);
	tcase_add_test(tests, describes_what_the_server_does);
	tcase_add_test(tests, describes_a_server_that_hashes);
	tcase_add_test(tests, describes_an_older_server);
	tcase_add_test(tests, describes_what_is_missing);
	tcase_add_test(tests, a_throttling_server_is_not_described);
	tcase_add_test(tests, a_version_that_is_too_old_is_refused);
	tcase_add_test(tests, a_server_need_not_tell_what_it_is);
	tcase_add_test(tests, a_server_need_not_tell_its_versions);
	suite_add_tcase(suite, tests);
	return suite;
}
