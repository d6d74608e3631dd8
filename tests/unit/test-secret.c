/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "base/secret.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

START_TEST(new_is_zeroed_and_writable)
{
	static const unsigned char zeros[10000];
	struct secret *secret = NULL;

	ck_assert_uint_eq(secret_new(sizeof zeros, &secret), CKR_OK);
	ck_assert_uint_eq(secret_size(secret), sizeof zeros);
	ck_assert_mem_eq(secret_bytes(secret), zeros, sizeof zeros);
	memset(secret_data(secret), 0x5a, sizeof zeros);
	ck_assert_uint_eq(secret_bytes(secret)[sizeof zeros - 1], 0x5a);
	secret_free(&secret);
	ck_assert_ptr_null(secret);
	secret_free(&secret);
}
END_TEST

START_TEST(nothing_is_a_secret_too)
{
	struct secret *secret = NULL;

	ck_assert_uint_eq(secret_new(0, &secret), CKR_OK);
	ck_assert_uint_eq(secret_size(secret), 0);
	ck_assert_ptr_nonnull(secret_data(secret));
	ck_assert(secret_equal(secret, NULL, 0));
	ck_assert(!secret_equal(secret, "a", 1));
	secret_truncate(secret, 0);
	secret_free(&secret);
	ck_assert_uint_eq(secret_dup(NULL, 0, &secret), CKR_OK);
	ck_assert_uint_eq(secret_size(secret), 0);
	secret_free(&secret);
}
END_TEST

START_TEST(too_much_is_refused)
{
	struct secret *secret = NULL;

	ck_assert_uint_eq(secret_new(SIZE_MAX, &secret), CKR_HOST_MEMORY);
	ck_assert_uint_eq(secret_new(SIZE_MAX / 2, &secret), CKR_HOST_MEMORY);
	ck_assert_uint_eq(secret_dup("x", SIZE_MAX / 2, &secret), CKR_HOST_MEMORY);
	ck_assert_ptr_null(secret);
}
END_TEST

START_TEST(equal_is_equal)
{
	struct secret *secret = NULL;

	ck_assert_uint_eq(secret_dup("1234", 4, &secret), CKR_OK);
	ck_assert(secret_equal(secret, "1234", 4));
	ck_assert(!secret_equal(secret, "1235", 4));
	ck_assert(!secret_equal(secret, "123", 3));
	ck_assert(!secret_equal(secret, "12345", 5));
	ck_assert(!secret_equal(secret, NULL, 0));
	secret_free(&secret);
}
END_TEST

START_TEST(truncate_wipes)
{
	struct secret *secret = NULL;
	unsigned char *data;

	ck_assert_uint_eq(secret_dup("abcdef", 6, &secret), CKR_OK);
	data = secret_data(secret);
	secret_truncate(secret, 100);
	ck_assert_uint_eq(secret_size(secret), 6);
	secret_truncate(secret, 2);
	ck_assert_uint_eq(secret_size(secret), 2);
	ck_assert_mem_eq(data, "ab\0\0\0\0", 6);
	ck_assert(secret_equal(secret, "ab", 2));
	secret_free(&secret);
}
END_TEST

/* What /proc/self/smaps says of the mapping at data: "dd" (no dump) among its flags. */
START_TEST(core_dumps_leave_it_out)
{
	struct secret *secret = NULL;
	FILE *maps;
	char line[512];
	unsigned long first, past;
	unsigned long at;
	bool inside = false;
	bool told = false;

	ck_assert_uint_eq(secret_dup("1234", 4, &secret), CKR_OK);
	at = (unsigned long)(uintptr_t)secret_data(secret);
	ck_assert_uint_eq(at % (unsigned long)sysconf(_SC_PAGESIZE), 0);
	maps = fopen("/proc/self/smaps", "r");
	ck_assert_ptr_nonnull(maps);
	while (fgets(line, sizeof line, maps) != NULL) {
		if (sscanf(line, "%lx-%lx ", &first, &past) == 2)
			inside = first <= at && at < past;
		if (!inside || strncmp(line, "VmFlags:", 8) != 0)
			continue;
		told = true;
		ck_assert_msg(strstr(line, " dd") != NULL, "%s", line);
	}
	fclose(maps);
	ck_assert(told);
	secret_free(&secret);
}
END_TEST

Suite *
unit_suite(void)
{
	Suite *suite = suite_create("secret");
	TCase *tcase = tcase_create("secret");

	tcase_add_test(tcase, new_is_zeroed_and_writable);
	tcase_add_test(tcase, nothing_is_a_secret_too);
	tcase_add_test(tcase, too_much_is_refused);
	tcase_add_test(tcase, equal_is_equal);
	tcase_add_test(tcase, truncate_wipes);
	tcase_add_test(tcase, core_dumps_leave_it_out);
	suite_add_tcase(suite, tcase);
	return suite;
}
