/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ELLIPSIS "\xe2\x80\xa6"

static char told[65536];
static int saved_stderr;

/* Between these two, stderr goes into told. */
static void
listen_begin(void)
{
	int file = open(unit_path("stderr"), O_CREAT | O_TRUNC | O_RDWR | O_APPEND, 0600);

	ck_assert_int_ge(file, 0);
	saved_stderr = dup(STDERR_FILENO);
	ck_assert_int_ge(dup2(file, STDERR_FILENO), 0);
	close(file);
}

static const char *
listen_end(void)
{
	FILE *file = fopen(unit_path("stderr"), "r");
	size_t size;

	dup2(saved_stderr, STDERR_FILENO);
	close(saved_stderr);
	ck_assert_ptr_nonnull(file);
	size = fread(told, 1, sizeof told - 1, file);
	told[size] = '\0';
	fclose(file);
	return told;
}

static void
reset(void)
{
	unsetenv("P11_KMS_LOG");
	log_configure(LOG_LEVEL_WARNING, false);
}

START_TEST(levels_have_names)
{
	enum log_level level = LOG_LEVEL_DEBUG;

	ck_assert(log_level_parse("error", &level));
	ck_assert_int_eq(level, LOG_LEVEL_ERROR);
	ck_assert(log_level_parse("warning", &level));
	ck_assert_int_eq(level, LOG_LEVEL_WARNING);
	ck_assert(log_level_parse("info", &level));
	ck_assert_int_eq(level, LOG_LEVEL_INFO);
	ck_assert(log_level_parse("debug", &level));
	ck_assert_int_eq(level, LOG_LEVEL_DEBUG);
	ck_assert(!log_level_parse("Error", &level));
	ck_assert(!log_level_parse("", &level));
	ck_assert(!log_level_parse("debug ", &level));
	ck_assert_int_eq(level, LOG_LEVEL_DEBUG);
}
END_TEST

START_TEST(warning_is_the_default)
{
	ck_assert(log_wants(LOG_LEVEL_ERROR));
	ck_assert(log_wants(LOG_LEVEL_WARNING));
	ck_assert(!log_wants(LOG_LEVEL_INFO));
	ck_assert(!log_wants(LOG_LEVEL_DEBUG));
	listen_begin();
	log_error("one %d", 1);
	log_warning("two %s", "2");
	log_info("three");
	log_debug("four");
	ck_assert_str_eq(listen_end(), "p11-kms: error: one 1\np11-kms: warning: two 2\n");
}
END_TEST

START_TEST(the_level_decides)
{
	log_configure(LOG_LEVEL_DEBUG, false);
	listen_begin();
	log_info("three");
	log_debug("four");
	ck_assert_str_eq(listen_end(), "p11-kms: info: three\np11-kms: debug: four\n");
	log_configure(LOG_LEVEL_ERROR, false);
	listen_begin();
	log_warning("two");
	ck_assert_str_eq(listen_end(), "");
}
END_TEST

START_TEST(the_environment_outranks)
{
	setenv("P11_KMS_LOG", "info", 1);
	log_configure(LOG_LEVEL_ERROR, false);
	ck_assert(log_wants(LOG_LEVEL_INFO));
	ck_assert(!log_wants(LOG_LEVEL_DEBUG));
	setenv("P11_KMS_LOG", "error", 1);
	log_configure(LOG_LEVEL_DEBUG, false);
	ck_assert(!log_wants(LOG_LEVEL_WARNING));
	setenv("P11_KMS_LOG", "nonsense", 1);
	log_configure(LOG_LEVEL_INFO, false);
	ck_assert(log_wants(LOG_LEVEL_INFO));
	ck_assert(!log_wants(LOG_LEVEL_DEBUG));
}
END_TEST

START_TEST(a_line_stays_one_line)
{
	listen_begin();
	log_error("%s", "a\nb\r\t\x1b[31m\x7f");
	log_error("%s", "gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x94\x91");
	log_error("%s", "\xff\xc3(\xc0\x80\xed\xa0\x80\xc2\x9b\xc3");
	ck_assert_str_eq(listen_end(),
	                 "p11-kms: error: a\\x0ab\\x0d\\x09\\x1b[31m\\x7f\n"
	                 "p11-kms: error: gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x94\x91\n"
	                 "p11-kms: error: \\xff\\xc3(\\xc0\\x80\\xed\\xa0\\x80\\xc2\\x9b\\xc3\n");
}
END_TEST

/* Every length around the limit, of bytes, characters and escapes: cut whole or not at all. */
START_TEST(long_lines_are_cut)
{
	static const char *const units[] = { "x", "\xc3\xbc", "\xf0\x9f\x94\x91", "\n" };
	static const char *const shown[] = { "x", "\xc3\xbc", "\xf0\x9f\x94\x91", "\\x0a" };
	char text[3000];

	for (size_t unit = 0; unit < 4; unit++)
		for (size_t count = 230; count < 1010; count++) {
			const char *line, *at;
			size_t shown_size = strlen(shown[unit]);
			size_t seen = 0;

			text[0] = '\0';
			if (count * strlen(units[unit]) >= sizeof text)
				break;
			for (size_t i = 0; i < count; i++)
				memcpy(text + i * strlen(units[unit]), units[unit],
				       strlen(units[unit]) + 1);
			listen_begin();
			log_error("%s", text);
			line = listen_end();
			ck_assert_uint_le(strlen(line), 1001);
			ck_assert_int_eq(line[strlen(line) - 1], '\n');
			at = line + strlen("p11-kms: error: ");
			for (; strncmp(at, shown[unit], shown_size) == 0; at += shown_size)
				seen++;
			if (seen == count) {
				ck_assert_str_eq(at, "\n");
				continue;
			}
			ck_assert_str_eq(at, ELLIPSIS "\n");
			ck_assert_uint_gt(strlen(line), 990);
		}
}
END_TEST

START_TEST(errno_is_preserved)
{
	listen_begin();
	errno = EBADMSG;
	log_error("%s", "x");
	ck_assert_int_eq(errno, EBADMSG);
	close(STDERR_FILENO);
	log_error("%s", "nobody hears");
	ck_assert_int_eq(errno, EBADMSG);
	dup2(saved_stderr, STDERR_FILENO);
	listen_end();
}
END_TEST

START_TEST(syslog_is_not_stderr)
{
	log_configure(LOG_LEVEL_INFO, true);
	listen_begin();
	errno = EBADMSG;
	log_info("to the system's log");
	ck_assert_int_eq(errno, EBADMSG);
	ck_assert_str_eq(listen_end(), "");
}
END_TEST

START_TEST(return_values_have_names)
{
	ck_assert_str_eq(ckr_name(CKR_OK), "CKR_OK");
	ck_assert_str_eq(ckr_name(CKR_DEVICE_ERROR), "CKR_DEVICE_ERROR");
	ck_assert_str_eq(ckr_name(CKR_FUNCTION_REJECTED), "CKR_FUNCTION_REJECTED");
	ck_assert_str_eq(ckr_name(0x202UL), "CKR_OPERATION_CANCEL_FAILED");
	ck_assert_str_eq(ckr_name(0x80000042UL), "CKR_0x80000042");
	ck_assert_str_eq(ckr_name(~0UL), "CKR_0xffffffffffffffff");
}
END_TEST

Suite *
unit_suite(void)
{
	Suite *suite = suite_create("log");
	TCase *tcase = tcase_create("log");

	tcase_add_checked_fixture(tcase, reset, reset);
	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, levels_have_names);
	tcase_add_test(tcase, warning_is_the_default);
	tcase_add_test(tcase, the_level_decides);
	tcase_add_test(tcase, the_environment_outranks);
	tcase_add_test(tcase, a_line_stays_one_line);
	tcase_add_test(tcase, long_lines_are_cut);
	tcase_add_test(tcase, errno_is_preserved);
	tcase_add_test(tcase, syslog_is_not_stderr);
	tcase_add_test(tcase, return_values_have_names);
	suite_add_tcase(suite, tcase);
	return suite;
}
