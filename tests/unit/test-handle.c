/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "token/handle.h"

START_TEST(handle_round_trip)
{
	static const int64_t objects[] = { 1, 2, 255, 1000000, INT64_MAX >> 3 };
	static const CK_OBJECT_CLASS classes[] = { CKO_PUBLIC_KEY, CKO_PRIVATE_KEY };
	CK_OBJECT_CLASS class;
	int64_t object;

	for (size_t i = 0; i < sizeof objects / sizeof objects[0]; i++) {
		for (size_t j = 0; j < 2; j++) {
			CK_OBJECT_HANDLE handle = handle_join(objects[i], classes[j]);

			ck_assert_uint_ne(handle, CK_INVALID_HANDLE);
			ck_assert(handle_split(handle, &object, &class));
			ck_assert_int_eq(object, objects[i]);
			ck_assert_uint_eq(class, classes[j]);
		}
	}
}
END_TEST

START_TEST(handle_of_what_is_no_half)
{
	static const CK_MECHANISM_TYPE types[] = { CKM_RSA_PKCS_KEY_PAIR_GEN, CKM_RSA_PKCS,
		                                   CKM_AES_GCM, CKM_VENDOR_DEFINED | 1 };
	CK_OBJECT_CLASS class;
	CK_MECHANISM_TYPE type;
	CK_ULONG profile;
	int64_t object;

	for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
		CK_OBJECT_HANDLE handle = handle_of_mechanism(types[i]);

		ck_assert_uint_ne(handle, CK_INVALID_HANDLE);
		ck_assert(handle_is_mechanism(handle, &type));
		ck_assert_uint_eq(type, types[i]);
		ck_assert(!handle_split(handle, &object, &class));
		ck_assert(!handle_is_profile(handle, &profile));
		ck_assert(!handle_is_stored(handle, &object));
		ck_assert(!handle_is_session(handle));
	}
	ck_assert(!handle_is_mechanism(handle_of_profile(1), &type));
	ck_assert(!handle_is_mechanism(5, &type)); /* no mechanism */
	ck_assert(handle_is_profile(handle_of_profile(3), &profile));
	ck_assert_uint_eq(profile, 3);
}
END_TEST

START_TEST(handle_halves_differ)
{
	ck_assert_uint_ne(handle_join(7, CKO_PUBLIC_KEY), handle_join(7, CKO_PRIVATE_KEY));
	ck_assert_uint_ne(handle_join(7, CKO_PUBLIC_KEY), handle_join(8, CKO_PUBLIC_KEY));
}
END_TEST

START_TEST(handle_refuses_what_is_none)
{
	CK_OBJECT_CLASS class = 99;
	int64_t object = 99;

	ck_assert(!handle_split(CK_INVALID_HANDLE, &object, &class));
	ck_assert(!handle_split(1, &object, &class));       /* no object */
	ck_assert(!handle_split(8, &object, &class));       /* no class */
	ck_assert(!handle_split(8 | 7, &object, &class));   /* no such class */
	ck_assert_int_eq(object, 99);
	ck_assert_uint_eq(class, 99);
}
END_TEST

Suite *
unit_suite(void)
{
	Suite *suite = suite_create("handle");
	TCase *tests = tcase_create("handle");

	tcase_add_test(tests, handle_round_trip);
	tcase_add_test(tests, handle_of_what_is_no_half);
	tcase_add_test(tests, handle_halves_differ);
	tcase_add_test(tests, handle_refuses_what_is_none);
	suite_add_tcase(suite, tests);
	return suite;
}
