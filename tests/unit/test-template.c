/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "token/template.h"

#include <string.h>

static CK_BBOOL yes = CK_TRUE;
static CK_BBOOL no = CK_FALSE;
static CK_BBOOL odd = 0x55;
static CK_ULONG number = 4711;

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

START_TEST(check_accepts)
{
	CK_ATTRIBUTE template[] = {
		{ CKA_TOKEN, &yes, sizeof yes },
		{ CKA_LABEL, NULL, 0 },
		{ CKA_TOKEN, &yes, sizeof yes }, /* twice, but the same */
	};

	ck_assert_uint_eq(template_check(NULL, 0), CKR_OK);
	ck_assert_uint_eq(template_check(template, 0), CKR_OK);
	ck_assert_uint_eq(template_check(template, COUNT(template)), CKR_OK);
}
END_TEST

START_TEST(check_refuses)
{
	CK_ATTRIBUTE twice[] = {
		{ CKA_TOKEN, &yes, sizeof yes }, { CKA_TOKEN, &no, sizeof no } };
	CK_ATTRIBUTE hollow[] = { { CKA_LABEL, NULL, 3 } };
	CK_ATTRIBUTE unavailable[] = { { CKA_LABEL, &yes, CK_UNAVAILABLE_INFORMATION } };

	ck_assert_uint_eq(template_check(NULL, 1), CKR_ARGUMENTS_BAD);
	ck_assert_uint_eq(template_check(twice, 2), CKR_TEMPLATE_INCONSISTENT);
	ck_assert_uint_eq(template_check(hollow, 1), CKR_ATTRIBUTE_VALUE_INVALID);
	ck_assert_uint_eq(template_check(unavailable, 1), CKR_ATTRIBUTE_VALUE_INVALID);
}
END_TEST

START_TEST(values)
{
	CK_ATTRIBUTE template[] = {
		{ CKA_TOKEN, &yes, sizeof yes },
		{ CKA_SIGN, &odd, sizeof odd },
		{ CKA_ENCRYPT, &no, sizeof no },
		{ CKA_MODULUS_BITS, &number, sizeof number },
		{ CKA_VERIFY, &number, sizeof number },
		{ CKA_CLASS, &yes, sizeof yes },
	};
	CK_ULONG value = 1;
	bool flag = false;

	ck_assert_uint_eq(template_bool(template, COUNT(template), CKA_TOKEN, &flag), CKR_OK);
	ck_assert(flag);
	ck_assert_uint_eq(template_bool(template, COUNT(template), CKA_ENCRYPT, &flag), CKR_OK);
	ck_assert(!flag);
	ck_assert_uint_eq(template_bool(template, COUNT(template), CKA_SIGN, &flag), CKR_OK);
	ck_assert(flag); /* anything but 0 */
	ck_assert_uint_eq(template_bool(template, COUNT(template), CKA_WRAP, &flag), CKR_OK);
	ck_assert(flag); /* absent: left alone */
	ck_assert_uint_eq(template_bool(template, COUNT(template), CKA_VERIFY, &flag),
	                  CKR_ATTRIBUTE_VALUE_INVALID);
	ck_assert_uint_eq(template_ulong(template, COUNT(template), CKA_MODULUS_BITS, &value),
	                  CKR_OK);
	ck_assert_uint_eq(value, 4711);
	ck_assert_uint_eq(template_ulong(template, COUNT(template), CKA_KEY_TYPE, &value), CKR_OK);
	ck_assert_uint_eq(value, 4711);
	ck_assert_uint_eq(template_ulong(template, COUNT(template), CKA_CLASS, &value),
	                  CKR_ATTRIBUTE_VALUE_INVALID);
	ck_assert_ptr_eq(template_find(template, COUNT(template), CKA_SIGN), &template[1]);
	ck_assert_ptr_null(template_find(template, COUNT(template), CKA_ID));
}
END_TEST

START_TEST(dup_is_deep)
{
	char label[] = "job-42";
	CK_ATTRIBUTE template[] = {
		{ CKA_LABEL, label, 6 }, { CKA_ID, NULL, 0 }, { CKA_TOKEN, &yes, sizeof yes } };
	CK_ATTRIBUTE *copy = &template[0];

	ck_assert_uint_eq(template_dup(template, 0, &copy), CKR_OK);
	ck_assert_ptr_null(copy);
	ck_assert_uint_eq(template_dup(template, COUNT(template), &copy), CKR_OK);
	label[0] = 'X';
	ck_assert_uint_eq(copy[0].ulValueLen, 6);
	ck_assert_mem_eq(copy[0].pValue, "job-42", 6);
	ck_assert_uint_eq(copy[1].ulValueLen, 0);
	ck_assert_uint_eq(copy[2].type, CKA_TOKEN);
	ck_assert_uint_eq(*(CK_BBOOL *)copy[2].pValue, CK_TRUE);
	template_free(&copy, COUNT(template));
	ck_assert_ptr_null(copy);
	template_free(&copy, 0);
}
END_TEST

START_TEST(dup_refuses_sizes_that_overflow)
{
	CK_ATTRIBUTE huge = { CKA_LABEL, &yes, (CK_ULONG)-2 };
	CK_ATTRIBUTE *copy = NULL;

	ck_assert_uint_eq(template_dup(&huge, 1, &copy), CKR_HOST_MEMORY);
	ck_assert_uint_eq(template_dup(&huge, (CK_ULONG)-1 / 2, &copy), CKR_HOST_MEMORY);
	ck_assert_ptr_null(copy);
}
END_TEST

Suite *
unit_suite(void)
{
	Suite *suite = suite_create("template");
	TCase *tests = tcase_create("template");

	tcase_add_test(tests, check_accepts);
	tcase_add_test(tests, check_refuses);
	tcase_add_test(tests, values);
	tcase_add_test(tests, dup_is_deep);
	tcase_add_test(tests, dup_refuses_sizes_that_overflow);
	suite_add_tcase(suite, tests);
	return suite;
}
