/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "base/date.h"
#include "token/text.h"

#include <string.h>

START_TEST(pad)
{
	unsigned char field[8];

	text_pad(field, sizeof field, "abc");
	ck_assert_mem_eq(field, "abc     ", 8);
	text_pad(field, sizeof field, "");
	ck_assert_mem_eq(field, "        ", 8);
	text_pad(field, sizeof field, "12345678");
	ck_assert_mem_eq(field, "12345678", 8);
	text_pad(field, sizeof field, "123456789");
	ck_assert_mem_eq(field, "12345678", 8);
}
END_TEST

START_TEST(pad_cuts_between_characters)
{
	unsigned char field[8];

	text_pad(field, sizeof field, "1234567\xc3\xa4"); /* a two-byte character at the edge */
	ck_assert_mem_eq(field, "1234567 ", 8);
	text_pad(field, sizeof field, "12345\xe2\x82\xac");
	ck_assert_mem_eq(field, "12345\xe2\x82\xac", 8);
}
END_TEST

START_TEST(dates)
{
	CK_DATE date;
	int64_t seconds = 0;

	date_from_time(1772366400, &date); /* 2026-03-01T12:00:00Z */
	ck_assert_mem_eq(&date, "20260301", 8);
	ck_assert(date_to_time(&date, &seconds));
	ck_assert_int_eq(seconds, 1772323200); /* midnight */
}
END_TEST

START_TEST(dates_that_are_none)
{
	static const char *const bad[] = {
		"20260229", "20261301", "20260100", "2026030 ", "0x260301", "        ", "20260431",
	};
	CK_DATE date;
	int64_t seconds = 7;

	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		memcpy(&date, bad[i], sizeof date);
		ck_assert_msg(!date_to_time(&date, &seconds), "%s", bad[i]);
	}
	ck_assert_int_eq(seconds, 7);
}
END_TEST

Suite *
unit_suite(void)
{
	Suite *suite = suite_create("text");
	TCase *tests = tcase_create("text");

	tcase_add_test(tests, pad);
	tcase_add_test(tests, pad_cuts_between_characters);
	tcase_add_test(tests, dates);
	tcase_add_test(tests, dates_that_are_none);
	suite_add_tcase(suite, tests);
	return suite;
}
