/* SPDX-License-Identifier: Apache-2.0 */
/* Certificates that the KMS signs, and those that are kept beside versions. */
#include "lifecycle-fixture.h"

#include "lifecycle/certificate.h"

#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>

static const struct certificate_wish plain = { .from = 1000000000, .until = CERTIFICATE_NEVER };

static CK_RV
try_make(const struct version *version, bool pss, struct buffer *ret_der)
{
	char *why = NULL;
	CK_RV rv = version_certificate_make(lifecycle, version, &plain, pss, patiently(), ret_der,
	                                    &why);

	ck_assert_ptr_null(why);
	return rv;
}

static void
check_signed(const struct buffer *der)
{
	const unsigned char *at = der->data;
	X509 *certificate = d2i_X509(NULL, &at, (long)der->size);

	ck_assert_ptr_nonnull(certificate);
	ck_assert_int_eq(X509_self_signed(certificate, 1), 1);
	X509_free(certificate);
}

static CK_RV
kept(const struct version *version, struct buffer *ret_der)
{
	return version_certificate(registry, version, ret_der);
}

START_TEST(makes_and_keeps)
{
	struct version *version = make("job", "p-256", 0), *other = make("other", "p-256", 0);
	struct buffer first = BUFFER_INIT, second = BUFFER_INIT, found = BUFFER_INIT;

	ck_assert_uint_eq(try_make(version, false, &first), CKR_OK);
	ck_assert_uint_eq(try_make(version, false, &second), CKR_OK);
	check_signed(&first);
	ck_assert(!buffer_equal(&first, second.data, second.size)); /* serial numbers */
	ck_assert_uint_eq(kept(version, &found), CKR_OBJECT_HANDLE_INVALID);
	ck_assert_uint_eq(version_certificate_keep(lifecycle, version, first.data, first.size), CKR_OK);
	ck_assert_uint_eq(kept(version, &found), CKR_OK);
	ck_assert(buffer_equal(&found, first.data, first.size));
	ck_assert_uint_eq(version_certificate_keep(lifecycle, version, second.data, second.size),
	                  CKR_OK);
	ck_assert_uint_eq(kept(version, &found), CKR_OK);
	ck_assert(buffer_equal(&found, second.data, second.size));
	ck_assert_uint_eq(kept(other, &found), CKR_OBJECT_HANDLE_INVALID);
	ck_assert_uint_eq(version_certificate_keep(lifecycle, other, first.data, first.size),
	                  CKR_PUBLIC_KEY_INVALID);
	ck_assert_uint_eq(version_certificate_keep(lifecycle, version, first.data, first.size - 1),
	                  CKR_ATTRIBUTE_VALUE_INVALID);
	ck_assert_uint_eq(kept(other, &found), CKR_OBJECT_HANDLE_INVALID);
	buffer_clear(&first);
	buffer_clear(&second);
	buffer_clear(&found);
	version_free(&version);
	version_free(&other);
}
END_TEST

START_TEST(what_can_not_be_made)
{
	struct version *rsa = make("rsa", "rsa-2048", 0);
	struct version *decrypts = make("decrypts", "rsa-2048", USAGE_DECRYPT);
	struct version *p256 = make("p256", "p-256", USAGE_SIGN);
	const CK_MECHANISM_TYPE none[] = { CKM_ECDSA }, pss[] = { CKM_SHA256_RSA_PKCS_PSS };
	const char *bad = "no DNS name at all";
	struct certificate_wish wish = plain;
	struct buffer der = BUFFER_INIT;
	char *why = NULL;

	ck_assert_uint_eq(try_make(decrypts, false, &der), CKR_KEY_FUNCTION_NOT_PERMITTED);
	ck_assert_uint_eq(try_make(p256, true, &der), CKR_MECHANISM_INVALID);
	ck_assert_uint_eq(try_make(rsa, true, &der), CKR_OK);
	ck_assert_uint_eq(mechanism_list_set(&p256->mechanisms, none, 1), CKR_OK);
	ck_assert_uint_eq(try_make(p256, false, &der), CKR_MECHANISM_INVALID);
	ck_assert_uint_eq(mechanism_list_set(&rsa->mechanisms, pss, 1), CKR_OK);
	ck_assert_uint_eq(try_make(rsa, false, &der), CKR_OK);
	wish.dns = &bad;
	wish.dns_count = 1;
	ck_assert_uint_eq(version_certificate_make(lifecycle, rsa, &wish, false, patiently(), &der,
	                                           &why), CKR_ARGUMENTS_BAD);
	ck_assert_ptr_nonnull(why);
	free(why);
	buffer_clear(&der);
	version_free(&rsa);
	version_free(&decrypts);
	version_free(&p256);
}
END_TEST

/* A KMS that signs with another key than the version's. */
START_TEST(wrong_key_in_the_kms)
{
	struct version *version = make("job", "p-256", 0), *other = make("other", "p-256", 0);
	struct buffer der = BUFFER_INIT;

	ck_assert_uint_eq(buffer_set(&version->id, other->id.data, other->id.size), CKR_OK);
	ck_assert_uint_eq(try_make(version, false, &der), CKR_FUNCTION_FAILED);
	ck_assert_uint_eq(der.size, 0);
	version_free(&version);
	version_free(&other);
}
END_TEST

static int64_t
uncertified(void)
{
	int64_t objects[8];
	size_t count = 0;

	ck_assert_uint_eq(registry_uncertified(registry, 0, objects, 8, &count), CKR_OK);
	return (int64_t)count;
}

START_TEST(self_signed)
{
	struct version *early = make("early", "p-256", 0), *version, *decrypts;
	struct buffer der = BUFFER_INIT, again = BUFFER_INIT;
	struct refresh_summary summary;

	ck_assert_int_eq(uncertified(), 1);
	version_certify(lifecycle, early, patiently()); /* not asked for */
	ck_assert_uint_eq(kept(early, &der), CKR_OBJECT_HANDLE_INVALID);
	kms_config.self_signed = true;
	version = make("job", "p-256", 0);
	ck_assert_uint_eq(kept(version, &der), CKR_OK);
	check_signed(&der);
	ck_assert_uint_eq(version_certify_once(lifecycle, version, patiently()),
	                  CKR_ACTION_PROHIBITED);
	decrypts = make("decrypts", "rsa-2048", USAGE_DECRYPT);
	ck_assert_uint_eq(kept(decrypts, &again), CKR_OBJECT_HANDLE_INVALID);
	ck_assert_int_eq(uncertified(), 1);
	ck_assert_uint_eq(lifecycle_refresh(lifecycle, true, NULL, NULL, &summary), CKR_OK);
	ck_assert_uint_eq(summary.certified, 1);
	ck_assert_uint_eq(lifecycle_refresh(lifecycle, false, NULL, NULL, &summary), CKR_OK);
	ck_assert_uint_eq(summary.certified, 1);
	ck_assert_uint_eq(summary.failed, 0);
	ck_assert_uint_eq(kept(early, &again), CKR_OK);
	ck_assert_uint_eq(kept(version, &again), CKR_OK);
	ck_assert(buffer_equal(&again, der.data, der.size)); /* the one that was there */
	ck_assert_uint_eq(lifecycle_refresh(lifecycle, false, NULL, NULL, &summary), CKR_OK);
	ck_assert_uint_eq(summary.certified, 0);
	buffer_clear(&der);
	buffer_clear(&again);
	version_free(&early);
	version_free(&version);
	version_free(&decrypts);
	kms_config.self_signed = false;
}
END_TEST

/* No new trust in a key that others may have. */
START_TEST(not_for_compromised_ones)
{
	struct version *version = make("job", "p-256", 0), *now;

	ck_assert_uint_eq(lifecycle_compromise(lifecycle, version->object, "lost"), CKR_OK);
	now = reread(version);
	kms_config.self_signed = true;
	ck_assert_int_eq(uncertified(), 0);
	ck_assert_uint_eq(version_certify_once(lifecycle, now, patiently()), CKR_ACTION_PROHIBITED);
	kms_config.self_signed = false;
	version_free(&version);
	version_free(&now);
}
END_TEST

Suite *
unit_suite(void)
{
	Suite *suite = suite_create("version-certificate");
	TCase *tests = tcase_create("version-certificate");

	tcase_add_checked_fixture(tests, lifecycle_setup, lifecycle_teardown);
	tcase_set_timeout(tests, 300);
	tcase_add_test(tests, makes_and_keeps);
	tcase_add_test(tests, what_can_not_be_made);
	tcase_add_test(tests, wrong_key_in_the_kms);
	tcase_add_test(tests, self_signed);
	tcase_add_test(tests, not_for_compromised_ones);
	suite_add_tcase(suite, tests);
	return suite;
}
