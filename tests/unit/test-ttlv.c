/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "kms/ttlv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TAG 0x420020u

static struct buffer message;

static void
setup(void)
{
	message = (struct buffer)BUFFER_INIT;
}

static void
teardown(void)
{
	buffer_clear(&message);
}

/* The message that the hexadecimal text stands for, and whether it may be read. */
static bool
parses(const char *hex, struct ttlv *ret_root)
{
	ck_assert(hex_parse(hex, &message));
	return ttlv_parse(message.data, message.size, ret_root);
}

/* A structure around the item's bytes. */
static bool
accepts(const char *item)
{
	struct ttlv root;
	char hex[512];

	snprintf(hex, sizeof hex, "4200780100000%03zx%s", strlen(item) / 2, item);
	return parses(hex, &root);
}

static void
expect(struct ttlv_writer *writer, const char *hex)
{
	char *written;

	ck_assert_uint_eq(ttlv_finish(writer), CKR_OK);
	written = hex_dup(writer->bytes.data, writer->bytes.size);
	ck_assert_str_eq(written, hex);
	free(written);
	ttlv_clear(writer);
}

/* KMIP 1.4, section 9.1.2, has these as its examples. */
START_TEST(writes_as_the_standard_says)
{
	struct ttlv_writer writer = TTLV_WRITER_INIT;

	ttlv_integer(&writer, TAG, 8);
	expect(&writer, "42002002000000040000000800000000");
	ttlv_enumeration(&writer, TAG, 255);
	expect(&writer, "4200200500000004000000ff00000000");
	ttlv_boolean(&writer, TAG, true);
	expect(&writer, "42002006000000080000000000000001");
	ttlv_text(&writer, TAG, "Hello World");
	expect(&writer, "420020070000000b48656c6c6f20576f726c640000000000");
	ttlv_bytes(&writer, TAG, "\x01\x02\x03", 3);
	expect(&writer, "42002008000000030102030000000000");
	ttlv_open(&writer, TAG);
	ttlv_enumeration(&writer, 0x420004, 254);
	ttlv_integer(&writer, 0x420005, 255);
	ttlv_close(&writer);
	expect(&writer, "42002001000000204200040500000004000000fe00000000"
	                "4200050200000004000000ff00000000");
}
END_TEST

START_TEST(writes_what_is_negative_or_empty)
{
	struct ttlv_writer writer = TTLV_WRITER_INIT;

	ttlv_integer(&writer, TAG, -2);
	expect(&writer, "4200200200000004fffffffe00000000");
	ttlv_bytes(&writer, TAG, NULL, 0);
	expect(&writer, "4200200800000000");
	ttlv_bytes(&writer, TAG, "12345678", 8);
	expect(&writer, "42002008000000083132333435363738");
	ttlv_open(&writer, TAG);
	ttlv_close(&writer);
	expect(&writer, "4200200100000000");
}
END_TEST

START_TEST(writing_fails_and_stays_failed)
{
	struct ttlv_writer writer = TTLV_WRITER_INIT;

	ttlv_open(&writer, TAG);
	ck_assert_uint_eq(ttlv_finish(&writer), CKR_GENERAL_ERROR);
	ttlv_close(&writer);
	ck_assert_uint_eq(ttlv_finish(&writer), CKR_GENERAL_ERROR);
	ttlv_clear(&writer);

	ttlv_close(&writer);
	ck_assert_uint_eq(ttlv_finish(&writer), CKR_GENERAL_ERROR);
	ttlv_clear(&writer);

	for (int i = 0; i <= TTLV_DEPTH_MAX; i++)
		ttlv_open(&writer, TAG);
	ck_assert_uint_eq(ttlv_finish(&writer), CKR_GENERAL_ERROR);
	ttlv_clear(&writer);

	ttlv_bytes(&writer, TAG, "", (size_t)INT32_MAX + 1);
	ttlv_integer(&writer, TAG, 1);
	ck_assert_uint_eq(ttlv_finish(&writer), CKR_GENERAL_ERROR);
	ck_assert_uint_eq(writer.bytes.size, 0);
	ttlv_clear(&writer);
}
END_TEST

START_TEST(reads_what_was_written)
{
	struct ttlv_writer writer = TTLV_WRITER_INIT;
	const unsigned char *bytes = NULL;
	struct ttlv root, inner, item;
	uint32_t enumeration = 0;
	int32_t integer = 0;
	char *text = NULL;
	size_t size = 0;

	ttlv_open(&writer, TAG);
	ttlv_integer(&writer, 0x420001, -5);
	ttlv_enumeration(&writer, 0x420002, 0x80000001u);
	ttlv_open(&writer, 0x420003);
	ttlv_text(&writer, 0x420004, "Gr\xc3\xbc\xc3\x9f" "e");
	ttlv_bytes(&writer, 0x420005, "\0\1", 2);
	ttlv_bytes(&writer, 0x420005, "second", 6);
	ttlv_boolean(&writer, 0x420006, true);
	ttlv_close(&writer);
	ttlv_close(&writer);
	ck_assert_uint_eq(ttlv_finish(&writer), CKR_OK);

	ck_assert(ttlv_parse(writer.bytes.data, writer.bytes.size, &root));
	ck_assert_uint_eq(root.tag, TAG);
	ck_assert(ttlv_get_integer(&root, 0x420001, &integer));
	ck_assert_int_eq(integer, -5);
	ck_assert(ttlv_get_enumeration(&root, 0x420002, &enumeration));
	ck_assert_uint_eq(enumeration, 0x80000001u);
	ck_assert(ttlv_get_structure(&root, 0x420003, &inner));
	ck_assert(ttlv_first(&inner, &item));
	ck_assert(ttlv_is_text(&item, "Gr\xc3\xbc\xc3\x9f" "e"));
	ck_assert(!ttlv_is_text(&item, "Gr\xc3\xbc\xc3\x9f"));
	ck_assert(ttlv_text_dup(&item, 7, &text));
	ck_assert_str_eq(text, "Gr\xc3\xbc\xc3\x9f" "e");
	free(text);
	ck_assert(!ttlv_text_dup(&item, 6, &text));
	ck_assert(ttlv_get_bytes(&inner, 0x420005, &bytes, &size));
	ck_assert_uint_eq(size, 2);
	ck_assert_int_eq(memcmp(bytes, "\0\1", 2), 0);
	ck_assert(ttlv_next(&inner, &item));
	ck_assert(ttlv_next(&inner, &item));
	ck_assert_uint_eq(item.size, 6);
	ck_assert(ttlv_next(&inner, &item));
	ck_assert_int_eq(item.type, TTLV_BOOLEAN);
	ck_assert_int_eq(memcmp(item.value, "\0\0\0\0\0\0\0\1", 8), 0);
	ck_assert(!ttlv_next(&inner, &item));
	ttlv_clear(&writer);
}
END_TEST

START_TEST(other_types_and_tags_are_not_found)
{
	const unsigned char *bytes;
	struct ttlv root, item;
	uint32_t enumeration;
	int32_t integer;
	size_t size;
	char *text;

	ck_assert(parses("4200200100000020"
	                 "4200040500000004000000fe00000000"
	                 "4200050200000004000000ff00000000", &root));
	ck_assert(!ttlv_get_integer(&root, 0x420004, &integer));
	ck_assert(!ttlv_get_integer(&root, 0x420006, &integer));
	ck_assert(!ttlv_get_enumeration(&root, 0x420005, &enumeration));
	ck_assert(!ttlv_get_structure(&root, 0x420005, &item));
	ck_assert(!ttlv_get_bytes(&root, 0x420005, &bytes, &size));
	ck_assert(ttlv_find(&root, 0x420005, &item));
	ck_assert(!ttlv_is_text(&item, ""));
	ck_assert(!ttlv_text_dup(&item, 100, &text));
	ck_assert(!ttlv_first(&item, &root)); /* not a structure */
}
END_TEST

START_TEST(texts_with_control_characters_are_not_copied)
{
	struct ttlv root, item;
	char *text;

	ck_assert(parses("4200200100000010420004070000000361006200" "00000000", &root));
	ck_assert(ttlv_first(&root, &item));
	ck_assert(!ttlv_text_dup(&item, 100, &text)); /* a NUL */
	ck_assert(parses("42002001000000104200040700000003610a620000000000", &root));
	ck_assert(ttlv_first(&root, &item));
	ck_assert(!ttlv_text_dup(&item, 100, &text));
	ck_assert(parses("4200200100000010420004070000000361ff620000000000", &root));
	ck_assert(ttlv_first(&root, &item));
	ck_assert(!ttlv_text_dup(&item, 100, &text)); /* not UTF-8 */
}
END_TEST

START_TEST(every_type_has_its_length)
{
	ck_assert(accepts("42002002000000040000000800000000"));
	ck_assert(!accepts("4200200200000005000000080000000000"));
	ck_assert(!accepts("42002002000000080000000800000000"));
	ck_assert(!accepts("4200200200000000"));
	ck_assert(accepts("42002003000000080000000000000001"));
	ck_assert(!accepts("42002003000000040000000000000000"));
	ck_assert(accepts("42002004000000080000000000000001"));
	ck_assert(!accepts("42002004000000040000000000000000"));
	ck_assert(!accepts("4200200400000000"));
	ck_assert(!accepts("42002005000000080000000000000001"));
	ck_assert(accepts("42002006000000080000000000000000"));
	ck_assert(!accepts("42002006000000080000000000000002"));
	ck_assert(!accepts("42002006000000080100000000000001"));
	ck_assert(!accepts("42002006000000040000000100000000"));
	ck_assert(accepts("42002009000000080000000047da67f8"));
	ck_assert(!accepts("42002009000000040000000000000000"));
	ck_assert(accepts("4200200a00000004000d2f0000000000"));
	ck_assert(!accepts("4200200a00000008000d2f0000000000"));
	ck_assert(accepts("4200200700000000"));
	ck_assert(accepts("4200200800000000"));
	ck_assert(!accepts("4200200000000000"));
	ck_assert(!accepts("4200200b000000080000000000000000"));
	ck_assert(!accepts("420020ff00000000"));
}
END_TEST

START_TEST(lengths_stay_inside)
{
	struct ttlv root;

	/* The item reaches past its structure, the structure past the message. */
	ck_assert(!accepts("42002008000000093132333435363738"));
	ck_assert(!accepts("4200200800000010" "3132333435363738"));
	ck_assert(!accepts("42002008ffffffff3132333435363738"));
	ck_assert(!accepts("42002001fffffff8"));
	ck_assert(!accepts("42002001000000103132333435363738"));
	ck_assert(!accepts("420020")); /* half a header */
	ck_assert(!parses("", &root));
	ck_assert(!parses("42007801", &root));
	ck_assert(!parses("4200780100000008", &root));
	/* Not a multiple of 8. */
	ck_assert(!parses("420078010000000442002008", &root));
	/* Something behind it. */
	ck_assert(parses("4200780100000000", &root));
	ck_assert(!parses("420078010000000000", &root));
	ck_assert(!parses("42007801000000004200780100000000", &root));
	/* Not a structure. */
	ck_assert(!parses("42007802000000040000000800000000", &root));
}
END_TEST

START_TEST(padding_is_zero)
{
	ck_assert(accepts("42002008000000033132330000000000"));
	ck_assert(!accepts("42002008000000033132330000000001"));
	ck_assert(!accepts("42002008000000033132333400000000"));
	ck_assert(!accepts("42002002000000040000000800000001"));
	ck_assert(!accepts("4200200800000003313233")); /* cut off */
}
END_TEST

/* So many structures, each within the one before. */
static bool
accepts_depth(unsigned depth)
{
	unsigned char bytes[64 * 8] = { 0 };
	struct ttlv root;

	for (unsigned i = 0; i < depth; i++) {
		unsigned char *header = bytes + (size_t)i * 8;
		unsigned size = (depth - i - 1) * 8;

		header[0] = 0x42;
		header[3] = TTLV_STRUCTURE;
		header[6] = (unsigned char)(size >> 8);
		header[7] = (unsigned char)(size & 0xff);
	}
	return ttlv_parse(bytes, (size_t)depth * 8, &root);
}

START_TEST(nesting_ends)
{
	ck_assert(accepts_depth(1));
	ck_assert(accepts_depth(TTLV_DEPTH_MAX));
	ck_assert(!accepts_depth(TTLV_DEPTH_MAX + 1));
	ck_assert(!accepts_depth(60));
}
END_TEST

START_TEST(a_message_tells_its_size)
{
	static const unsigned char good[] = { 0x42, 0, 0x7b, 1, 0, 0, 1, 0 };
	static const unsigned char odd[] = { 0x42, 0, 0x7b, 1, 0, 0, 1, 1 };
	static const unsigned char huge[] = { 0x42, 0, 0x7b, 1, 0x05, 0xf5, 0xe1, 0 };
	static const unsigned char most[] = { 0x42, 0, 0x7b, 1, 0xff, 0xff, 0xff, 0xf8 };
	static const unsigned char other[] = { 0x42, 0, 0x78, 1, 0, 0, 1, 0 };
	static const unsigned char integer[] = { 0x42, 0, 0x7b, 2, 0, 0, 1, 0 };
	static const unsigned char http[] = { 'H', 'T', 'T', 'P', '/', '1', '.', '1' };
	size_t size = 0;

	ck_assert(ttlv_message_size(good, 0x42007b, 264, &size));
	ck_assert_uint_eq(size, 264);
	ck_assert(!ttlv_message_size(good, 0x42007b, 263, &size));
	ck_assert(!ttlv_message_size(good, 0x42007b, 0, &size));
	ck_assert(!ttlv_message_size(odd, 0x42007b, 10000, &size));
	ck_assert(!ttlv_message_size(huge, 0x42007b, 4 * 1024 * 1024, &size));
	ck_assert(!ttlv_message_size(most, 0x42007b, 4 * 1024 * 1024, &size));
	ck_assert(!ttlv_message_size(other, 0x42007b, 10000, &size));
	ck_assert(!ttlv_message_size(integer, 0x42007b, 10000, &size));
	ck_assert(!ttlv_message_size(http, 0x42007b, 10000, &size));
}
END_TEST

Suite *
unit_suite(void)
{
	Suite *suite = suite_create("ttlv");
	TCase *tests = tcase_create("ttlv");

	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_test(tests, writes_as_the_standard_says);
	tcase_add_test(tests, writes_what_is_negative_or_empty);
	tcase_add_test(tests, writing_fails_and_stays_failed);
	tcase_add_test(tests, reads_what_was_written);
	tcase_add_test(tests, other_types_and_tags_are_not_found);
	tcase_add_test(tests, texts_with_control_characters_are_not_copied);
	tcase_add_test(tests, every_type_has_its_length);
	tcase_add_test(tests, lengths_stay_inside);
	tcase_add_test(tests, padding_is_zero);
	tcase_add_test(tests, nesting_ends);
	tcase_add_test(tests, a_message_tells_its_size);
	suite_add_tcase(suite, tests);
	return suite;
}
