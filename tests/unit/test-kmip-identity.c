/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "kms/kmip-identity.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define UUID "1b4e28ba-2fa1-11d2-883f-0016d3cca427"

static const unsigned char uuid_bytes[] = {
	0x1b, 0x4e, 0x28, 0xba, 0x2f, 0xa1, 0x11, 0xd2, 0x88, 0x3f, 0x00, 0x16, 0xd3, 0xcc, 0xa4, 0x27,
};

static void
expect_name(enum kmip_object_type type, const char *id, size_t size, const char *expected)
{
	char *name = kmip_name_of(type, id, size);

	ck_assert_str_eq(name, expected);
	free(name);
}

START_TEST(names_carry_the_id)
{
	expect_name(KMIP_OBJECT_PRIVATE_KEY, "\x0a\xff", 2, "p11-kms:0aff");
	expect_name(KMIP_OBJECT_PUBLIC_KEY, "\x0a\xff", 2, "p11-kms:0aff:public");
}
END_TEST

START_TEST(identifiers_of_others_are_ids_and_back)
{
	struct kmip_object object = { .type = KMIP_OBJECT_PRIVATE_KEY };
	char identifier[KMIP_IDENTIFIER_MAX + 1];
	struct buffer id = BUFFER_INIT;

	strcpy(object.identifier, UUID);
	ck_assert_uint_eq(kmip_id_of(&object, &id), CKR_OK);
	ck_assert(buffer_equal(&id, uuid_bytes, sizeof uuid_bytes));
	ck_assert(kmip_identifier_of(id.data, id.size, identifier));
	ck_assert_str_eq(identifier, UUID);

	/* What is not a UUID in its one form keeps its text. */
	strcpy(object.identifier, "1B4E28BA-2FA1-11D2-883F-0016D3CCA427");
	ck_assert_uint_eq(kmip_id_of(&object, &id), CKR_OK);
	ck_assert(buffer_equal(&id, "uid:1B4E28BA-2FA1-11D2-883F-0016D3CCA427", 40));
	ck_assert(kmip_identifier_of(id.data, id.size, identifier));
	ck_assert_str_eq(identifier, object.identifier);
	strcpy(object.identifier, "7");
	ck_assert_uint_eq(kmip_id_of(&object, &id), CKR_OK);
	ck_assert(buffer_equal(&id, "uid:7", 5));
	ck_assert(kmip_identifier_of("uid:7", 5, identifier));
	ck_assert_str_eq(identifier, "7");
	buffer_clear(&id);
}
END_TEST

START_TEST(other_ids_are_no_identifiers)
{
	char identifier[KMIP_IDENTIFIER_MAX + 1], text[KMIP_IDENTIFIER_MAX + 5];

	ck_assert(!kmip_identifier_of("", 0, identifier));
	ck_assert(!kmip_identifier_of("7", 1, identifier));
	ck_assert(!kmip_identifier_of("uid:", 4, identifier));
	ck_assert(!kmip_identifier_of("uid:\n", 5, identifier));
	ck_assert(!kmip_identifier_of("uid:\0x", 6, identifier));
	memset(text, 'x', sizeof text);
	memcpy(text, "uid:", 4);
	ck_assert(kmip_identifier_of(text, sizeof text - 1, identifier));
	ck_assert_uint_eq(strlen(identifier), KMIP_IDENTIFIER_MAX);
	ck_assert(!kmip_identifier_of(text, sizeof text, identifier));
}
END_TEST

START_TEST(our_own_have_the_id_of_their_name)
{
	struct kmip_object object = { .name = (char *)"p11-kms:0aff" };
	struct buffer id = BUFFER_INIT;

	strcpy(object.identifier, UUID);
	ck_assert_uint_eq(kmip_id_of(&object, &id), CKR_OK);
	ck_assert(buffer_equal(&id, "\x0a\xff", 2));
	/* The Name of one that replaced another is that one's. */
	strcpy(object.replaced, "7");
	ck_assert_uint_eq(kmip_id_of(&object, &id), CKR_OK);
	ck_assert(buffer_equal(&id, uuid_bytes, sizeof uuid_bytes));
	ck_assert(kmip_id_in_name(object.name, &id));
	ck_assert(buffer_equal(&id, "\x0a\xff", 2));
	/* Names that are none. */
	object.replaced[0] = '\0';
	object.name = (char *)"p11-kms:";
	ck_assert_uint_eq(kmip_id_of(&object, &id), CKR_OK);
	ck_assert(buffer_equal(&id, uuid_bytes, sizeof uuid_bytes));
	object.name = (char *)"p11-kms:0af";
	ck_assert_uint_eq(kmip_id_of(&object, &id), CKR_OK);
	ck_assert(buffer_equal(&id, uuid_bytes, sizeof uuid_bytes));
	ck_assert(!kmip_id_in_name(NULL, &id));
	ck_assert(!kmip_id_in_name("0aff", &id));
	buffer_clear(&id);
}
END_TEST

START_TEST(probes_are_known_by_name_or_label)
{
	struct kmip_object object = { .type = KMIP_OBJECT_PRIVATE_KEY };

	ck_assert(!kmip_object_is_probe(&object));
	object.name = (char *)"p11-kms:self-test:rsa";
	ck_assert(kmip_object_is_probe(&object));
	object.name = (char *)"p11-kms:0aff";
	object.label = (char *)"job@1";
	ck_assert(!kmip_object_is_probe(&object));
	object.name = NULL;
	object.label = (char *)"p11-kms self-test";
	ck_assert(kmip_object_is_probe(&object));
}
END_TEST

static void
expect_label(const struct kmip_object *object, const struct kmip_object *original,
             unsigned replacements, const char *expected)
{
	char *label = kmip_label_of(object, original, replacements);

	ck_assert_str_eq(label, expected);
	free(label);
}

START_TEST(labels_count_on)
{
	struct kmip_object object = { .type = KMIP_OBJECT_PRIVATE_KEY }, original = object;

	strcpy(object.identifier, "8");
	strcpy(original.identifier, "7");
	expect_label(&object, &object, 0, "8");
	object.nickname = (char *)"tape key";
	expect_label(&object, &object, 0, "tape key");
	object.label = (char *)"job@3";
	expect_label(&object, &object, 0, "job@3");
	original.label = (char *)"job@3";
	expect_label(&object, &original, 1, "job@4");
	expect_label(&object, &original, 9, "job@12");
	original.label = (char *)"a@b@2";
	expect_label(&object, &original, 1, "a@b@3");
	/* Nothing to count. */
	original.label = (char *)"job@x";
	expect_label(&object, &original, 1, "job@x");
	original.label = (char *)"job@99999999999999999999";
	expect_label(&object, &original, 1, "job@99999999999999999999");
	original.label = (char *)"job";
	expect_label(&object, &original, 1, "job");
}
END_TEST

START_TEST(names_are_remembered_for_each_server)
{
	char identifier[KMIP_IDENTIFIER_MAX + 1], text[32], longest[KMIP_IDENTIFIER_MAX + 2];
	struct kmip_names *names = NULL;
	int a, b;

	ck_assert_uint_eq(kmip_names_new(&names), CKR_OK);
	ck_assert(!kmip_names_get(names, &a, 4, "id", 2, identifier));
	kmip_names_put(names, &a, 4, "id", 2, "one");
	ck_assert(kmip_names_get(names, &a, 4, "id", 2, identifier));
	ck_assert_str_eq(identifier, "one");
	ck_assert(!kmip_names_get(names, &b, 4, "id", 2, identifier));
	ck_assert(!kmip_names_get(names, &a, 3, "id", 2, identifier));
	ck_assert(!kmip_names_get(names, &a, 4, "id\0", 3, identifier));
	kmip_names_put(names, &a, 4, "id", 2, "another");
	ck_assert(kmip_names_get(names, &a, 4, "id", 2, identifier));
	ck_assert_str_eq(identifier, "another");
	kmip_names_remove(names, &a, 4, "id", 2);
	ck_assert(!kmip_names_get(names, &a, 4, "id", 2, identifier));

	/* The last one put is always there, however many came before. */
	for (int i = 0; i < 5000; i++) {
		snprintf(text, sizeof text, "id %d", i);
		kmip_names_put(names, &a, 4, text, strlen(text), text);
		ck_assert(kmip_names_get(names, &a, 4, text, strlen(text), identifier));
		ck_assert_str_eq(identifier, text);
	}
	/* What is too long is not kept. */
	memset(longest, 'x', sizeof longest);
	longest[KMIP_IDENTIFIER_MAX + 1] = '\0';
	kmip_names_put(names, &a, 4, "long", 4, longest);
	ck_assert(!kmip_names_get(names, &a, 4, "long", 4, identifier));
	kmip_names_put(names, &a, 4, longest, 65, "x");
	ck_assert(!kmip_names_get(names, &a, 4, longest, 65, identifier));
	kmip_names_forked(names);
	ck_assert(!kmip_names_get(names, &a, 4, text, strlen(text), identifier));
	kmip_names_free(&names);
	ck_assert_ptr_null(names);
	kmip_names_free(&names);
}
END_TEST

START_TEST(versions_of_a_key_are_one_group)
{
	static const struct {
		const char *label, *group;
	} rows[] = {
		{ "job-42@1", "p11-kms:job-42" }, { "job-42@17", "p11-kms:job-42" },
		{ "a@b@2", "p11-kms:a@b" }, { "a@b", "p11-kms:a@b" }, { "plain", "p11-kms:plain" },
		{ "odd@", "p11-kms:odd@" },
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		char *group = kmip_group_of(rows[i].label);

		ck_assert_str_eq(group, rows[i].group);
		free(group);
	}
}
END_TEST

Suite *
unit_suite(void)
{
	Suite *suite = suite_create("kmip-identity");
	TCase *tests = tcase_create("kmip-identity");

	tcase_add_test(tests, names_carry_the_id);
	tcase_add_test(tests, identifiers_of_others_are_ids_and_back);
	tcase_add_test(tests, other_ids_are_no_identifiers);
	tcase_add_test(tests, our_own_have_the_id_of_their_name);
	tcase_add_test(tests, probes_are_known_by_name_or_label);
	tcase_add_test(tests, labels_count_on);
	tcase_add_test(tests, names_are_remembered_for_each_server);
	tcase_add_test(tests, versions_of_a_key_are_one_group);
	suite_add_tcase(suite, tests);
	return suite;
}
