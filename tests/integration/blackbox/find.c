/* SPDX-License-Identifier: Apache-2.0 */
/* Section 5.7: C_FindObjectsInit, C_FindObjects, C_FindObjectsFinal. */
#include "blackbox.h"
#include "pair.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

START_TEST(order_of_calls)
{
	CK_SESSION_HANDLE session = session_public(0);
	CK_OBJECT_HANDLE object;
	CK_ULONG count;

	expect(CKR_OPERATION_NOT_INITIALIZED, p11->C_FindObjects(session, &object, 1, &count));
	expect(CKR_OPERATION_NOT_INITIALIZED, p11->C_FindObjectsFinal(session));
	expect(CKR_OK, p11->C_FindObjectsInit(session, NULL, 0));
	expect(CKR_OPERATION_ACTIVE, p11->C_FindObjectsInit(session, NULL, 0));
	expect(CKR_OK, p11->C_FindObjects(session, &object, 1, &count));
	expect(CKR_OK, p11->C_FindObjectsFinal(session));
	expect(CKR_OPERATION_NOT_INITIALIZED, p11->C_FindObjects(session, &object, 1, &count));
	expect(CKR_OPERATION_NOT_INITIALIZED, p11->C_FindObjectsFinal(session));
	expect(CKR_OK, p11->C_FindObjectsInit(session, NULL, 0));
	expect(CKR_OK, p11->C_FindObjectsFinal(session));
}
END_TEST

START_TEST(bad_arguments)
{
	CK_SESSION_HANDLE session = session_public(0);
	CK_OBJECT_HANDLE object;
	CK_ULONG count;

	expect(CKR_ARGUMENTS_BAD, p11->C_FindObjectsInit(session, NULL, 1));
	expect(CKR_OK, p11->C_FindObjectsInit(session, NULL, 0));
	expect(CKR_ARGUMENTS_BAD, p11->C_FindObjects(session, NULL, 1, &count));
	expect(CKR_ARGUMENTS_BAD, p11->C_FindObjects(session, &object, 1, NULL));
	/* The search is still there. */
	expect(CKR_OK, p11->C_FindObjects(session, &object, 1, &count));
}
END_TEST

/* The session, then whether there is a search, then the pointers. */
START_TEST(order_of_errors)
{
	CK_SESSION_HANDLE session = session_public(0);

	expect(CKR_SESSION_HANDLE_INVALID, p11->C_FindObjectsInit(session + 1000, NULL, 1));
	expect(CKR_SESSION_HANDLE_INVALID, p11->C_FindObjects(session + 1000, NULL, 1, NULL));
	expect(CKR_OPERATION_NOT_INITIALIZED, p11->C_FindObjects(session, NULL, 1, NULL));
	expect(CKR_OK, p11->C_FindObjectsInit(session, NULL, 0));
	expect(CKR_OPERATION_ACTIVE, p11->C_FindObjectsInit(session, NULL, 1));
}
END_TEST

/* By each attribute that programs search by, alone and together. */
START_TEST(by_attribute)
{
	enum pair_kind kind = (enum pair_kind)_i;
	CK_SESSION_HANDLE session = session_user(0);
	CK_OBJECT_CLASS class = CKO_PUBLIC_KEY;
	CK_KEY_TYPE key_type = pair_key_type(kind);
	CK_BBOOL yes = CK_TRUE;
	CK_ULONG id_size;
	const unsigned char *id = pair_id(kind, &id_size);
	CK_ATTRIBUTE all[] = {
		ATTRIBUTE(CKA_ID, id, id_size),
		ATTRIBUTE(CKA_CLASS, &class, sizeof(class)),
		ATTRIBUTE(CKA_KEY_TYPE, &key_type, sizeof(key_type)),
		ATTRIBUTE(CKA_LABEL, pair_label(kind), strlen(pair_label(kind))),
		ATTRIBUTE(CKA_TOKEN, &yes, sizeof(yes)),
	};
	CK_OBJECT_HANDLE public_key, found[4];

	if (!pair_offered(kind))
		return;
	public_key = pair_public(session, kind);
	ck_assert_uint_eq(find_all(session, all, 1, found, COUNT(found)), 2);
	ck_assert(found[0] == public_key || found[1] == public_key);
	for (CK_ULONG count = 2; count <= COUNT(all); count++) {
		ck_assert_uint_eq(find_all(session, all, count, found, COUNT(found)), 1);
		ck_assert_uint_eq(found[0], public_key);
	}
	ck_assert_uint_eq(find_all(session, all + 3, 1, found, COUNT(found)), 2);
	class = CKO_PRIVATE_KEY;
	ck_assert_uint_eq(find_all(session, all, COUNT(all), found, COUNT(found)), 1);
	ck_assert_uint_ne(found[0], public_key);
}
END_TEST

START_TEST(nothing_matches)
{
	CK_SESSION_HANDLE session = session_user(0);
	CK_OBJECT_CLASS public_class = CKO_PUBLIC_KEY, odd_class = 0x5a5a;
	CK_KEY_TYPE odd_type = CKK_DSA;
	CK_ATTRIBUTE label = ATTRIBUTE(CKA_LABEL, "there is no such label", 22);
	CK_ATTRIBUTE empty_label = ATTRIBUTE(CKA_LABEL, NULL, 0);
	CK_ATTRIBUTE class = ATTRIBUTE(CKA_CLASS, &odd_class, sizeof(odd_class));
	CK_ATTRIBUTE unknown = ATTRIBUTE(CKA_VENDOR_DEFINED | 0x7777, "x", 1);
	CK_ATTRIBUTE pair[] = {
		ATTRIBUTE(CKA_CLASS, &public_class, sizeof(public_class)),
		ATTRIBUTE(CKA_KEY_TYPE, &odd_type, sizeof(odd_type)),
	};
	CK_OBJECT_HANDLE found;

	ck_assert_uint_eq(find_all(session, &label, 1, &found, 1), 0);
	ck_assert_uint_eq(find_all(session, &empty_label, 1, &found, 1), 0);
	ck_assert_uint_eq(find_all(session, &class, 1, &found, 1), 0);
	ck_assert_uint_eq(find_all(session, &unknown, 1, &found, 1), 0);
	ck_assert_uint_eq(find_all(session, pair, 2, &found, 1), 0);
}
END_TEST

/* A value is matched whole: neither its beginning nor more than it is the label. */
START_TEST(label_is_whole)
{
	CK_SESSION_HANDLE session = session_public(0);
	char label[80];
	CK_ATTRIBUTE sought = ATTRIBUTE(CKA_LABEL, label, 0);
	CK_OBJECT_HANDLE found;

	if (!pair_offered(PAIR_P256))
		return;
	memset(label, 0, sizeof(label));
	memcpy(label, pair_label(PAIR_P256), strlen(pair_label(PAIR_P256)));
	sought.ulValueLen = strlen(label) - 1;
	ck_assert_uint_eq(find_all(session, &sought, 1, &found, 1), 0);
	sought.ulValueLen = strlen(label) + 1; /* with the zero */
	ck_assert_uint_eq(find_all(session, &sought, 1, &found, 1), 0);
}
END_TEST

START_TEST(secret_value_finds_nothing)
{
	CK_SESSION_HANDLE session = session_user(0);
	unsigned char value[32] = { 0 };
	CK_ATTRIBUTE sought = ATTRIBUTE(CKA_PRIVATE_EXPONENT, value, sizeof(value));
	CK_OBJECT_HANDLE found;

	ck_assert_uint_eq(find_all(session, &sought, 1, &found, 1), 0);
}
END_TEST

/* The empty template finds all, one at a time as well as many, each object once. */
START_TEST(pages)
{
	CK_SESSION_HANDLE session = session_user(0);
	CK_OBJECT_HANDLE all[256], object;
	CK_ULONG total = find_all(session, NULL, 0, all, COUNT(all)), count, seen = 0;

	ck_assert_uint_ge(total, 2);
	ck_assert_uint_le(total, COUNT(all));
	for (CK_ULONG i = 0; i < total; i++)
		for (CK_ULONG j = 0; j < i; j++)
			ck_assert_uint_ne(all[i], all[j]);
	expect(CKR_OK, p11->C_FindObjectsInit(session, NULL, 0));
	for (;;) {
		bool known = false;

		expect(CKR_OK, p11->C_FindObjects(session, &object, 1, &count));
		if (count == 0)
			break;
		ck_assert_uint_eq(count, 1);
		for (CK_ULONG i = 0; i < total; i++)
			known = known || all[i] == object;
		ck_assert(known);
		seen++;
	}
	ck_assert_uint_eq(seen, total);
	expect(CKR_OK, p11->C_FindObjects(session, &object, 1, &count));
	ck_assert_uint_eq(count, 0);
	expect(CKR_OK, p11->C_FindObjectsFinal(session));
}
END_TEST

/* An object found by one session is the same to another. */
START_TEST(handles_are_shared)
{
	CK_SESSION_HANDLE first = session_user(0), second = session_user(CKF_RW_SESSION);

	if (!pair_offered(PAIR_P256))
		return;
	ck_assert_uint_eq(pair_public(first, PAIR_P256), pair_public(second, PAIR_P256));
	ck_assert_uint_eq(pair_private(first, PAIR_P256), pair_private(second, PAIR_P256));
	ck_assert_uint_eq(attribute_ulong(second, pair_public(first, PAIR_P256), CKA_CLASS),
	                  CKO_PUBLIC_KEY);
}
END_TEST

START_TEST(closing_ends_search)
{
	CK_SESSION_HANDLE session = session_public(0);

	expect(CKR_OK, p11->C_FindObjectsInit(session, NULL, 0));
	expect(CKR_OK, p11->C_CloseSession(session));
	session = session_public(0);
	expect(CKR_OPERATION_NOT_INITIALIZED, p11->C_FindObjectsFinal(session));
}
END_TEST

/* Of the class, by what each says with its attribute; none is found without the class. */
static CK_ULONG
found_of(CK_SESSION_HANDLE session, CK_OBJECT_CLASS class, CK_ATTRIBUTE_TYPE type,
         CK_ULONG *ret_values, CK_ULONG max)
{
	CK_OBJECT_HANDLE objects[512], all[512];
	CK_ATTRIBUTE sought[] = {
		ATTRIBUTE(CKA_CLASS, &class, sizeof(class)), ATTRIBUTE(type, NULL, sizeof(CK_ULONG))
	};
	CK_ULONG count = find_all(session, sought, 1, objects, COUNT(objects));
	CK_ULONG all_count = find_all(session, NULL, 0, all, COUNT(all));
	CK_OBJECT_HANDLE one;

	ck_assert_uint_le(count, max);
	for (CK_ULONG i = 0; i < count; i++) {
		ret_values[i] = attribute_ulong(session, objects[i], type);
		ck_assert_uint_eq(attribute_ulong(session, objects[i], CKA_CLASS), class);
		sought[1].pValue = &ret_values[i];
		ck_assert_uint_eq(find_all(session, sought, 2, &one, 1), 1);
		ck_assert_uint_eq(one, objects[i]);
		for (CK_ULONG j = 0; j < all_count && j < COUNT(all); j++)
			ck_assert_uint_ne(all[j], objects[i]);
	}
	return count;
}

/* Section 4.12: mechanisms are objects, too, for those who ask for them. */
START_TEST(mechanism_objects)
{
	CK_SESSION_HANDLE session = session_user(CKF_RW_SESSION);
	CK_MECHANISM_TYPE types[512], listed[512];
	CK_ULONG count, listed_count = COUNT(listed), j;
	CK_OBJECT_CLASS class = CKO_MECHANISM;
	CK_ATTRIBUTE sought = ATTRIBUTE(CKA_CLASS, &class, sizeof(class));
	CK_OBJECT_HANDLE object;

	if (p11_3 == NULL)
		return;
	expect(CKR_OK, p11->C_GetMechanismList(token_slot, listed, &listed_count));
	count = found_of(session, CKO_MECHANISM, CKA_MECHANISM_TYPE, types, COUNT(types));
	ck_assert_uint_eq(count, listed_count);
	for (CK_ULONG i = 0; i < count; i++) {
		for (j = 0; j < listed_count && listed[j] != types[i]; j++)
			;
		ck_assert_msg(j < listed_count, "mechanism 0x%lx is not listed", types[i]);
	}
	ck_assert_uint_ge(find_all(session, &sought, 1, &object, 1), 1);
	expect(CKR_ACTION_PROHIBITED, p11->C_DestroyObject(session, object));
	expect(CKR_ACTION_PROHIBITED, p11->C_SetAttributeValue(session, object, &sought, 1));
	expect(CKR_KEY_HANDLE_INVALID,
	       p11->C_VerifyInit(session, &(CK_MECHANISM){ CKM_SHA256_RSA_PKCS, NULL, 0 }, object));
}
END_TEST

/* Section 4.14; baseline and extended provider, authentication token. */
START_TEST(profile_objects)
{
	CK_ULONG profiles[16];

	if (p11_3 == NULL)
		return;
	ck_assert_uint_eq(found_of(session_public(0), CKO_PROFILE, CKA_PROFILE_ID, profiles,
	                           COUNT(profiles)), 3);
}
END_TEST

/* Is it in the heap of this process, in use or freed? */
static bool
in_heap(const void *bytes, size_t size)
{
	FILE *maps = fopen("/proc/self/maps", "r");
	int memory = open("/proc/self/mem", O_RDONLY);
	unsigned long start, end;
	unsigned char *copy;
	char line[512];
	bool found = false;
	ssize_t got;

	ck_assert(maps && memory >= 0);
	while (!found && fgets(line, sizeof(line), maps)) {
		if (!strstr(line, "[heap]") || sscanf(line, "%lx-%lx", &start, &end) != 2)
			continue;
		/* Large enough to be mapped elsewhere. */
		copy = malloc(end - start + (1 << 20));
		ck_assert_ptr_nonnull(copy);
		got = pread(memory, copy, end - start, (off_t)start);
		found = got > 0 && memmem(copy, (size_t)got, bytes, size);
		free(copy);
	}
	fclose(maps);
	close(memory);
	return found;
}

/* Who searches for a key by its value leaves it nowhere. */
START_TEST(values_are_wiped)
{
	CK_SESSION_HANDLE session = session_public(0);
	unsigned char value[40]; /* not in the heap, and not as a constant */
	CK_ATTRIBUTE sought[] = { ATTRIBUTE(CKA_LABEL, "sought", 6),
		                  ATTRIBUTE(CKA_VALUE, value, sizeof(value)) };
	CK_OBJECT_HANDLE found;

	for (size_t i = 0; i < sizeof(value); i++)
		value[i] = (unsigned char)(i * 37 + 11);
	expect(CKR_OK, p11->C_FindObjectsInit(session, sought, COUNT(sought)));
	expect(CKR_OK, p11->C_FindObjectsFinal(session));
	ck_assert_uint_eq(find_all(session, sought, COUNT(sought), &found, 1), 0);
	ck_assert(!in_heap(value, sizeof(value)));
}
END_TEST

Suite *
find_suite(void)
{
	Suite *suite = suite_create("find");
	TCase *tcase = started_case(suite, "started");

	tcase_add_test(tcase, order_of_calls);
	tcase_add_loop_test(tcase, by_attribute, 0, PAIR_KINDS);
	tcase_add_test(tcase, nothing_matches);
	tcase_add_test(tcase, label_is_whole);
	tcase_add_test(tcase, secret_value_finds_nothing);
	tcase_add_test(tcase, pages);
	tcase_add_test(tcase, handles_are_shared);
	tcase_add_test(tcase, closing_ends_search);
	tcase_add_test(tcase, mechanism_objects);
	tcase_add_test(tcase, profile_objects);

	/* Of a module in this process: one that is reached from afar leaves its caller's bytes on the way. */
	tcase = started_case(suite, "memory");
	tcase_add_test(tcase, values_are_wiped);

	tcase = started_case(suite, "pointers");
	tcase_add_test(tcase, bad_arguments);
	tcase_add_test(tcase, order_of_errors);
	return suite;
}
