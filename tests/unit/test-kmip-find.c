/* SPDX-License-Identifier: Apache-2.0 */
/* Objects of a KMIP server, found and listed. */
#include "kmip-calls.h"

#include "unit.h"

#include "base/secret.h"

#include <stdio.h>
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

/* What the server called the pair that it made the n-th. */
static struct kms_key
key_by_identifier(unsigned n, char *text)
{
	sprintf(text, "uid:object-%u", 2 * n);
	return (struct kms_key){ (const unsigned char *)text, strlen(text), 0, false };
}

static CK_RV
sign_by_identifier(unsigned n)
{
	char text[64];
	struct kms_key key = key_by_identifier(n, text);

	return sign_with(&key, CKM_RSA_PKCS, NULL, 0, digest_info, sizeof digest_info);
}

static CK_RV
destroy_by_identifier(unsigned n)
{
	char text[64];
	struct kms_key key = key_by_identifier(n, text);

	return kms_destroy_pair(kms, key.id, key.id_size, soon());
}

/* Labels as they are listed, in the order of the server's objects. */
struct labels {
	char text[1024];
	bool first_has_id; /* the one whose CKA_ID is id */
};

static CK_RV
take_label(void *context, const void *found_id, size_t size, const char *label,
           CK_KEY_TYPE key_type)
{
	struct labels *labels = context;

	(void)key_type;
	labels->first_has_id |= labels->text[0] == '\0' && size == sizeof id &&
	                        memcmp(found_id, id, size) == 0;
	strcat(labels->text, label);
	strcat(labels->text, " ");
	return CKR_OK;
}

static void
expect_labels(const char *expected)
{
	struct labels labels = { .text = "" };

	ck_assert_uint_eq(kms_walk(kms, soon(), take_label, &labels), CKR_OK);
	ck_assert_str_eq(labels.text, expected);
	ck_assert(labels.first_has_id);
}

START_TEST(what_replaced_a_pair_is_not_destroyed_before_it)
{
	generate("rsa-2048");
	kmip_fixture_rekey();
	kmip_fixture_rekey();
	reopen();
	expect_labels("job@1 job@2 job@3 ");
	/* The Name of the first has gone to the last: through that, and the links, it is found. */
	ck_assert_uint_eq(destroy_by_identifier(2), CKR_ACTION_PROHIBITED);
	ck_assert_uint_eq(destroy_by_identifier(1), CKR_ACTION_PROHIBITED);
	ck_assert_uint_eq(kmip_fixture_objects(), 6);
	reopen();
	ck_assert_uint_eq(sign(), CKR_OK);
	ck_assert_uint_eq(kms_destroy_pair(kms, id, sizeof id, soon()), CKR_OK);
	ck_assert_uint_eq(kmip_fixture_objects(), 4);
	ck_assert_uint_eq(destroy_by_identifier(2), CKR_OK);
	ck_assert_uint_eq(sign_by_identifier(1), CKR_OK);
	ck_assert_uint_eq(destroy_by_identifier(1), CKR_OK);
	ck_assert_uint_eq(kmip_fixture_objects(), 0);
}
END_TEST

START_TEST(what_a_destroyed_pair_replaced_is_listed_as_it_is_found)
{
	kmip_fixture.remembers = true;
	generate("rsa-2048");
	kmip_fixture_rekey();
	kmip_fixture_destroy("object-2");
	reopen();
	ck_assert_uint_eq(sign(), CKR_OK);
	expect_labels("job@1 ");
}
END_TEST

START_TEST(each_object_is_read_once_for_a_list)
{
	unsigned pairs = 12, requests;

	generate("rsa-2048");
	for (unsigned i = 1; i < pairs; i++)
		kmip_fixture_rekey();
	requests = kmip_fixture.requests[KMIP_GET_ATTRIBUTES];
	expect_labels("job@1 job@2 job@3 job@4 job@5 job@6 job@7 job@8 job@9 job@10 job@11 job@12 ");
	requests = kmip_fixture.requests[KMIP_GET_ATTRIBUTES] - requests;
	ck_assert_uint_le(requests, pairs + 1); /* the first is not known for one that was replaced */
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
	tcase_add_test(tests, what_replaced_a_pair_is_not_destroyed_before_it);
	tcase_add_test(tests, what_a_destroyed_pair_replaced_is_listed_as_it_is_found);
	tcase_add_test(tests, each_object_is_read_once_for_a_list);
	suite_add_tcase(suite, tests);
	return suite;
}
