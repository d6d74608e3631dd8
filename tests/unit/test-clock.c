/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "base/clock.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define DAY INT64_C(86400)

START_TEST(clocks_run)
{
	struct timespec pause = { 0, 20000000 };
	int64_t wall = clock_now();
	int64_t before = clock_monotonic_ms();
	int64_t coarse = clock_coarse_ms();

	ck_assert_int_gt(wall, 1700000000);
	ck_assert_int_le(wall - (int64_t)time(NULL), 0);
	nanosleep(&pause, NULL);
	ck_assert_int_ge(clock_monotonic_ms() - before, 20);
	ck_assert_int_gt(clock_coarse_ms(), coarse);
	/* The same clock, some milliseconds apart. */
	ck_assert_int_le(before - coarse, 100);
	ck_assert_int_ge(before - coarse, 0);
}
END_TEST

START_TEST(deadlines_pass)
{
	struct deadline deadline = deadline_in(5000);
	struct deadline endless = deadline_in(INT64_MAX);

	ck_assert(!deadline_passed(deadline));
	ck_assert_int_gt(deadline_left_ms(deadline), 4000);
	ck_assert_int_le(deadline_left_ms(deadline), 5000);
	ck_assert(!deadline_passed(endless));
	ck_assert_int_gt(deadline_left_ms(endless), INT64_MAX / 2);
	ck_assert(deadline_passed(deadline_in(0)));
	ck_assert(deadline_passed(deadline_in(-10)));
	ck_assert_int_eq(deadline_left_ms(deadline_in(-10)), 0);
}
END_TEST

START_TEST(times_are_written_as_rfc3339)
{
	char text[CLOCK_RFC3339_SIZE];

	clock_format(0, text);
	ck_assert_str_eq(text, "1970-01-01T00:00:00Z");
	clock_format(1772366400, text);
	ck_assert_str_eq(text, "2026-03-01T12:00:00Z");
	clock_format(951782399, text);
	ck_assert_str_eq(text, "2000-02-28T23:59:59Z");
	clock_format(253402300799, text);
	ck_assert_str_eq(text, "9999-12-31T23:59:59Z");
	clock_format(INT64_MAX, text);
	ck_assert_str_eq(text, "9999-12-31T23:59:59Z");
	clock_format(INT64_MIN, text);
	ck_assert_str_eq(text, "1970-01-01T00:00:00Z");
}
END_TEST

START_TEST(times_are_read_strictly)
{
	static const char *const bad[] = {
		"", "2026-03-01", "2026-03-01T12:00:00", "2026-03-01T12:00:00Z ",
		" 2026-03-01T12:00:00Z", "2026-3-01T12:00:00Z", "2026-03-1T12:00:00Z",
		"2026-03-01t12:00:00Z", "2026-03-01T12:00:00z", "2026-03-01 12:00:00Z",
		"2026-02-29T12:00:00Z", "2026-04-31T12:00:00Z", "2026-13-01T12:00:00Z",
		"2026-03-01T24:00:00Z", "2026-03-01T12:60:00Z", "2026-03-01T12:00:60Z",
		"2026-03-01T12:00:00.0Z", "2026-03-01T12:00:00+00:00", "1969-12-31T23:59:59Z",
		"10000-01-01T00:00:00Z", "2026- 3-01T12:00:00Z", "-026-03-01T12:00:00Z",
	};
	int64_t seconds = 77;

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		ck_assert_msg(!clock_parse(bad[i], &seconds), "%s", bad[i]);
	ck_assert_int_eq(seconds, 77);
	ck_assert(clock_parse("2026-03-01T12:00:00Z", &seconds));
	ck_assert_int_eq(seconds, 1772366400);
	ck_assert(clock_parse("1970-01-01T00:00:00Z", &seconds));
	ck_assert_int_eq(seconds, 0);
	ck_assert(clock_parse("2024-02-29T00:00:00Z", &seconds));
	ck_assert(clock_parse("9999-12-31T23:59:59Z", &seconds));
	ck_assert_int_eq(seconds, 253402300799);
}
END_TEST

START_TEST(the_zone_of_the_host_does_not_matter)
{
	int64_t seconds = 0;

	ck_assert_int_eq(setenv("TZ", "America/New_York", 1), 0);
	tzset();
	ck_assert(clock_parse("2026-07-01T12:00:00Z", &seconds));
	ck_assert_int_eq(seconds, 1782907200);
	ck_assert_int_eq(unsetenv("TZ"), 0);
	tzset();
}
END_TEST

START_TEST(durations_are_read)
{
	static const struct {
		const char *text;
		int64_t milliseconds;
	} good[] = {
		{ "never", 0 },        { "0s", 0 },
		{ "1ms", 1 },          { "250ms", 250 },
		{ "5s", 5000 },        { "10m", 600000 },
		{ "24h", DAY * 1000 }, { "90d", 90 * DAY * 1000 },
		{ "2w", 14 * DAY * 1000 }, { "1y", 365 * DAY * 1000 },
		{ "007d", 7 * DAY * 1000 }, { "100y", 36500 * DAY * 1000 },
		{ "36500d", 36500 * DAY * 1000 }, { "3153600000000ms", 36500 * DAY * 1000 },
	};
	static const char *const bad[] = {
		"", "s", "5", "5 s", " 5s", "5s ", "+5s", "-5s", "5S", "5sec", "1h30m", "1.5h",
		"101y", "36501d", "3153600000001ms", "9223372036854775807s", "0x10s", "Never",
		"99999999999999999999999999s", "9223372036854775808ms", "5\xc2\xb5s",
	};
	int64_t milliseconds = 77;
	int64_t seconds = 77;

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		ck_assert_msg(!duration_parse_ms(bad[i], &milliseconds), "%s", bad[i]);
		ck_assert_msg(!duration_parse(bad[i], &seconds), "%s", bad[i]);
	}
	ck_assert_int_eq(milliseconds, 77);
	for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
		ck_assert_msg(duration_parse_ms(good[i].text, &milliseconds), "%s", good[i].text);
		ck_assert_int_eq(milliseconds, good[i].milliseconds);
	}
	ck_assert(!duration_parse("1ms", &seconds));
	ck_assert(!duration_parse("1001ms", &seconds));
	ck_assert_int_eq(seconds, 77);
	ck_assert(duration_parse("2000ms", &seconds));
	ck_assert_int_eq(seconds, 2);
	ck_assert(duration_parse("1y", &seconds));
	ck_assert_int_eq(seconds, 365 * DAY);
}
END_TEST

START_TEST(durations_are_written_shortest)
{
	static const struct {
		int64_t seconds;
		const char *text;
	} cases[] = {
		{ 0, "never" },       { 1, "1s" },         { 59, "59s" },
		{ 60, "1m" },         { 90, "90s" },       { 5400, "90m" },
		{ DAY, "1d" },        { 7 * DAY, "7d" },   { 14 * DAY, "2w" },
		{ 90 * DAY, "90d" },  { 30 * DAY, "30d" }, { 365 * DAY, "1y" },
		{ 36500 * DAY, "100y" }, { 400 * DAY, "400d" },
	};
	char text[32];
	int64_t seconds;

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		duration_format(cases[i].seconds, text, sizeof text);
		ck_assert_str_eq(text, cases[i].text);
		ck_assert(duration_parse(text, &seconds));
		ck_assert_int_eq(seconds, cases[i].seconds);
	}
	duration_format(INT64_MIN, text, sizeof text);
	ck_assert_uint_lt(strlen(text), sizeof text);
	duration_format(90 * DAY, text, 3); /* cut, not past the end */
	ck_assert_str_eq(text, "90");
}
END_TEST

Suite *
unit_suite(void)
{
	Suite *suite = suite_create("clock");
	TCase *tcase = tcase_create("clock");

	tcase_add_test(tcase, clocks_run);
	tcase_add_test(tcase, deadlines_pass);
	tcase_add_test(tcase, times_are_written_as_rfc3339);
	tcase_add_test(tcase, times_are_read_strictly);
	tcase_add_test(tcase, the_zone_of_the_host_does_not_matter);
	tcase_add_test(tcase, durations_are_read);
	tcase_add_test(tcase, durations_are_written_shortest);
	suite_add_tcase(suite, tcase);
	return suite;
}
