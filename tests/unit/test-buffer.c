/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "base/buffer.h"

#include <openssl/err.h>

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* Memory that is refused is what some of these tests are about. */
const char *__asan_default_options(void);
const char *
__asan_default_options(void)
{
	return "allocator_may_return_null=1";
}

#define TOO_MUCH ((size_t)PTRDIFF_MAX - 4096)

START_TEST(append_grows)
{
	struct buffer buffer = BUFFER_INIT;
	unsigned char expected[3000];

	for (size_t i = 0; i < sizeof expected; i++) {
		expected[i] = (unsigned char)(i * 7);
		ck_assert_uint_eq(buffer_append(&buffer, &expected[i], 1), CKR_OK);
	}
	ck_assert_uint_eq(buffer.size, sizeof expected);
	ck_assert(buffer_equal(&buffer, expected, sizeof expected));
	ck_assert_uint_eq(buffer_append(&buffer, NULL, 0), CKR_OK);
	ck_assert_uint_eq(buffer.size, sizeof expected);
	buffer_clear(&buffer);
	ck_assert_ptr_null(buffer.data);
	ck_assert_uint_eq(buffer.size, 0);
	ck_assert_uint_eq(buffer.capacity, 0);
	buffer_clear(&buffer);
}
END_TEST

START_TEST(short_memory_leaves_the_buffer_as_it_was)
{
	struct buffer buffer = BUFFER_INIT;
	unsigned char *data;

	ck_assert_uint_eq(buffer_set(&buffer, "abc", 3), CKR_OK);
	data = buffer.data;
	ck_assert_uint_eq(buffer_append(&buffer, "x", SIZE_MAX), CKR_HOST_MEMORY);
	ck_assert_uint_eq(buffer_append(&buffer, "x", TOO_MUCH), CKR_HOST_MEMORY);
	ck_assert_uint_eq(buffer_set(&buffer, "x", TOO_MUCH), CKR_HOST_MEMORY);
	ck_assert_uint_eq(buffer_resize(&buffer, TOO_MUCH), CKR_HOST_MEMORY);
	ck_assert_uint_eq(buffer_resize(&buffer, SIZE_MAX), CKR_HOST_MEMORY);
	ck_assert_ptr_eq(buffer.data, data);
	ck_assert(buffer_equal(&buffer, "abc", 3));
	buffer_clear(&buffer);
}
END_TEST

START_TEST(set_replaces)
{
	struct buffer buffer = BUFFER_INIT;

	ck_assert_uint_eq(buffer_set(&buffer, "first", 5), CKR_OK);
	ck_assert_uint_eq(buffer_set(&buffer, "2nd", 3), CKR_OK);
	ck_assert(buffer_equal(&buffer, "2nd", 3));
	/* Of its own bytes too. */
	ck_assert_uint_eq(buffer_set(&buffer, buffer.data + 1, 2), CKR_OK);
	ck_assert(buffer_equal(&buffer, "nd", 2));
	ck_assert_uint_eq(buffer_set(&buffer, NULL, 0), CKR_OK);
	ck_assert_uint_eq(buffer.size, 0);
	ck_assert_ptr_null(buffer.data);
}
END_TEST

START_TEST(resize_zeroes_what_is_new)
{
	struct buffer buffer = BUFFER_INIT;

	ck_assert_uint_eq(buffer_set(&buffer, "abcd", 4), CKR_OK);
	ck_assert_uint_eq(buffer_resize(&buffer, 2), CKR_OK);
	ck_assert_uint_eq(buffer_resize(&buffer, 5), CKR_OK);
	ck_assert(buffer_equal(&buffer, "ab\0\0\0", 5));
	ck_assert_uint_eq(buffer_resize(&buffer, 500), CKR_OK);
	ck_assert_mem_eq(buffer.data, "ab\0\0\0\0", 6);
	ck_assert_uint_eq(buffer.data[499], 0);
	ck_assert_uint_eq(buffer_resize(&buffer, 0), CKR_OK);
	ck_assert_ptr_null(buffer.data);
}
END_TEST

START_TEST(equal_compares_size_and_bytes)
{
	struct buffer buffer = BUFFER_INIT;

	ck_assert(buffer_equal(&buffer, NULL, 0));
	ck_assert(!buffer_equal(&buffer, "a", 1));
	ck_assert_uint_eq(buffer_set(&buffer, "ab", 2), CKR_OK);
	ck_assert(buffer_equal(&buffer, "ab", 2));
	ck_assert(!buffer_equal(&buffer, "ab", 1));
	ck_assert(!buffer_equal(&buffer, "ab", 3));
	ck_assert(!buffer_equal(&buffer, "aB", 2));
	buffer_clear(&buffer);
}
END_TEST

START_TEST(hexadecimal_goes_both_ways)
{
	struct buffer buffer = BUFFER_INIT;
	unsigned char all[256];
	char *text;

	for (size_t i = 0; i < sizeof all; i++)
		all[i] = (unsigned char)i;
	text = hex_dup(all, sizeof all);
	ck_assert_uint_eq(strlen(text), 512);
	ck_assert_int_eq(strncmp(text, "000102", 6), 0);
	ck_assert_str_eq(text + 506, "fdfeff");
	ck_assert(hex_parse(text, &buffer));
	ck_assert(buffer_equal(&buffer, all, sizeof all));
	free(text);

	text = hex_dup(NULL, 0);
	ck_assert_str_eq(text, "");
	free(text);
	ck_assert(hex_parse("", &buffer));
	ck_assert_uint_eq(buffer.size, 0);
	ck_assert(hex_parse("aBcD", &buffer));
	ck_assert(buffer_equal(&buffer, "\xab\xcd", 2));
	buffer_clear(&buffer);
	ck_assert_ptr_null(hex_dup("x", SIZE_MAX));
	ck_assert_ptr_null(hex_dup("x", TOO_MUCH / 2));
}
END_TEST

START_TEST(what_is_not_hexadecimal_is_refused)
{
	static const char *const bad[] = { "a", "abc", "0g", "g0", " 0", "0 ", "0x12", "ab:cd",
		                           "-1", "\xff\xff", "0\n" };
	struct buffer buffer = BUFFER_INIT;

	ck_assert_uint_eq(buffer_set(&buffer, "kept", 4), CKR_OK);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		ck_assert_msg(!hex_parse(bad[i], &buffer), "%s", bad[i]);
		ck_assert(buffer_equal(&buffer, "kept", 4));
	}
	ck_assert_uint_eq(ERR_peek_error(), 0);
	buffer_clear(&buffer);
}
END_TEST

Suite *
unit_suite(void)
{
	Suite *suite = suite_create("buffer");
	TCase *tcase = tcase_create("buffer");

	tcase_add_test(tcase, append_grows);
	tcase_add_test(tcase, short_memory_leaves_the_buffer_as_it_was);
	tcase_add_test(tcase, set_replaces);
	tcase_add_test(tcase, resize_zeroes_what_is_new);
	tcase_add_test(tcase, equal_compares_size_and_bytes);
	tcase_add_test(tcase, hexadecimal_goes_both_ways);
	tcase_add_test(tcase, what_is_not_hexadecimal_is_refused);
	suite_add_tcase(suite, tcase);
	return suite;
}
