/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "kms/breaker.h"

static struct breaker breaker;

static void
setup(void)
{
	breaker_init(&breaker);
}

static void
teardown(void)
{
	breaker_destroy(&breaker);
}

/* One call: is it let through, and does its end change the breaker? */
static void
call_at(int64_t now, enum breaker_outcome outcome, bool changes)
{
	ck_assert(breaker_admit(&breaker, now));
	ck_assert_int_eq(breaker_report(&breaker, outcome, now), changes);
}

static void
open_at(int64_t now)
{
	call_at(now, BREAKER_FAILED, false);
	call_at(now, BREAKER_FAILED, false);
	call_at(now, BREAKER_FAILED, true);
}

START_TEST(stays_closed_below_three_failures)
{
	call_at(0, BREAKER_FAILED, false);
	call_at(1, BREAKER_FAILED, false);
	ck_assert(breaker_admit(&breaker, 2));
}
END_TEST

START_TEST(counts_failures_in_a_row_only)
{
	call_at(0, BREAKER_FAILED, false);
	call_at(1, BREAKER_FAILED, false);
	call_at(2, BREAKER_ANSWERED, false);
	call_at(3, BREAKER_FAILED, false);
	call_at(4, BREAKER_FAILED, false);
	ck_assert(breaker_admit(&breaker, 5));
}
END_TEST

START_TEST(opens_after_three_failures)
{
	open_at(100);
	ck_assert(!breaker_admit(&breaker, 100));
	ck_assert(!breaker_admit(&breaker, 100 + BREAKER_OPEN_MS - 1));
}
END_TEST

START_TEST(opens_at_once_when_too_late)
{
	call_at(100, BREAKER_TOO_LATE, true);
	ck_assert(!breaker_admit(&breaker, 101));
}
END_TEST

START_TEST(lets_one_probe_through)
{
	open_at(0);
	ck_assert(breaker_admit(&breaker, BREAKER_OPEN_MS));
	ck_assert(!breaker_admit(&breaker, BREAKER_OPEN_MS));
	/* Not even later: the probe has not come back. */
	ck_assert(!breaker_admit(&breaker, 100 * BREAKER_OPEN_MS));
}
END_TEST

START_TEST(closes_when_the_probe_is_answered)
{
	open_at(0);
	call_at(BREAKER_OPEN_MS, BREAKER_ANSWERED, true);
	ck_assert(breaker_admit(&breaker, BREAKER_OPEN_MS));
	ck_assert(breaker_admit(&breaker, BREAKER_OPEN_MS));
	/* And from the start: three more failures are needed. */
	call_at(BREAKER_OPEN_MS, BREAKER_FAILED, false);
	ck_assert(breaker_admit(&breaker, BREAKER_OPEN_MS));
}
END_TEST

START_TEST(opens_again_when_the_probe_fails)
{
	open_at(0);
	call_at(BREAKER_OPEN_MS, BREAKER_FAILED, false);
	ck_assert(!breaker_admit(&breaker, 2 * BREAKER_OPEN_MS - 1));
	call_at(2 * BREAKER_OPEN_MS, BREAKER_TOO_LATE, false);
	ck_assert(!breaker_admit(&breaker, 3 * BREAKER_OPEN_MS - 1));
	call_at(3 * BREAKER_OPEN_MS, BREAKER_ANSWERED, true);
}
END_TEST

START_TEST(probes_again_at_once_when_the_probe_asked_nothing)
{
	open_at(0);
	call_at(BREAKER_OPEN_MS, BREAKER_UNASKED, false);
	call_at(BREAKER_OPEN_MS, BREAKER_ANSWERED, true);
}
END_TEST

START_TEST(unasked_calls_count_for_nothing)
{
	call_at(0, BREAKER_FAILED, false);
	call_at(0, BREAKER_FAILED, false);
	call_at(0, BREAKER_UNASKED, false);
	call_at(0, BREAKER_FAILED, true);
}
END_TEST

START_TEST(stragglers_do_not_put_the_probe_off)
{
	/* Four are under way when the server goes; the last comes back late. */
	int i;

	for (i = 0; i < 4; i++)
		ck_assert(breaker_admit(&breaker, 0));
	breaker_report(&breaker, BREAKER_FAILED, 10);
	breaker_report(&breaker, BREAKER_FAILED, 10);
	ck_assert(breaker_report(&breaker, BREAKER_FAILED, 10));
	ck_assert(!breaker_report(&breaker, BREAKER_TOO_LATE, 900));
	ck_assert(breaker_admit(&breaker, 10 + BREAKER_OPEN_MS));
}
END_TEST

START_TEST(a_late_answer_closes)
{
	ck_assert(breaker_admit(&breaker, 0));
	open_at(0);
	ck_assert(breaker_report(&breaker, BREAKER_ANSWERED, 1));
	ck_assert(breaker_admit(&breaker, 1));
}
END_TEST

Suite *
unit_suite(void)
{
	Suite *suite = suite_create("breaker");
	TCase *tcase = tcase_create("breaker");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, stays_closed_below_three_failures);
	tcase_add_test(tcase, counts_failures_in_a_row_only);
	tcase_add_test(tcase, opens_after_three_failures);
	tcase_add_test(tcase, opens_at_once_when_too_late);
	tcase_add_test(tcase, lets_one_probe_through);
	tcase_add_test(tcase, closes_when_the_probe_is_answered);
	tcase_add_test(tcase, opens_again_when_the_probe_fails);
	tcase_add_test(tcase, probes_again_at_once_when_the_probe_asked_nothing);
	tcase_add_test(tcase, unasked_calls_count_for_nothing);
	tcase_add_test(tcase, stragglers_do_not_put_the_probe_off);
	tcase_add_test(tcase, a_late_answer_closes);
	suite_add_tcase(suite, tcase);
	return suite;
}
