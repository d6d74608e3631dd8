/* SPDX-License-Identifier: Apache-2.0 */
/* A version that waits for its time, and the others of its key: what looking after it does. */
#include "lifecycle-fixture.h"

#include "lifecycle/upkeep.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define DAY INT64_C(86400)

static struct refresh_summary summary;

static void
look_after(const char *name)
{
	memset(&summary, 0, sizeof summary);
	ck_assert_uint_eq(key_upkeep(lifecycle, name, 0, &summary), CKR_OK);
}

/* A version that began that long ago, by a CKA_START_DATE. */
static struct version *
make_since(const char *name, int64_t ago)
{
	struct create_request request = {
		.name = name, .rotate_every = DAY, .protect_from = clock_now() - ago
	};

	return make_by(&request);
}

static struct version *
make_for_later(const char *name, int64_t in)
{
	struct create_request request = {
		.name = name, .rotate_every = -1, .protect_from = clock_now() + in, .pre_active = true
	};

	return make_by(&request);
}

static void
wait_a_second_past(int64_t moment)
{
	while (clock_now() < moment + 1) {
		struct timespec pause = { 0, 50000000 };

		(void)nanosleep(&pause, NULL);
	}
}

START_TEST(activates_when_the_time_has_come)
{
	struct version *first = make("job", "p-256", 0), *later = make_for_later("job", 2);

	look_after("job");
	ck_assert_uint_eq(summary.activated, 0);
	ck_assert_int_eq(state_of(later), STATE_PRE_ACTIVE);
	ck_assert_int_eq(current_number("job"), 1);
	wait_a_second_past(later->protect_from);
	look_after("job");
	ck_assert_uint_eq(summary.activated, 1);
	ck_assert_int_eq(current_number("job"), 2);
	ck_assert_int_eq(state_of(first), STATE_DEACTIVATED);
	version_free(&first);
	version_free(&later);
}
END_TEST

/* The one that waits is the rotation. */
START_TEST(does_not_rotate_while_another_waits)
{
	struct version *first = make_since("job", 2 * DAY), *later = make_for_later("job", 2);

	look_after("job");
	ck_assert_uint_eq(summary.rotated, 0);
	ck_assert_int_eq(current_number("job"), 1);
	wait_a_second_past(later->protect_from);
	look_after("job");
	ck_assert_uint_eq(summary.activated, 1);
	ck_assert_uint_eq(summary.rotated, 0);
	ck_assert_int_eq(current_number("job"), 2);
	version_free(&first);
	version_free(&later);
}
END_TEST

/* Nothing would be left to protect with until its time comes. */
START_TEST(rotates_when_the_other_comes_too_late)
{
	struct version *first = make_since("job", 2 * DAY), *later = make_for_later("job", 300 * DAY);

	look_after("job");
	ck_assert_uint_eq(summary.rotated, 1);
	ck_assert_int_eq(current_number("job"), 3);
	ck_assert_int_eq(state_of(later), STATE_PRE_ACTIVE);
	version_free(&first);
	version_free(&later);
}
END_TEST

/* It becomes active only when a refresh comes by after its time, and they may be a day apart. */
START_TEST(rotates_when_the_other_comes_hardly_in_time)
{
	struct version *first = make_since("job", 2 * DAY), *later;

	later = make_for_later("job", first->protect_until - clock_now() - DAY / 2);
	look_after("job");
	ck_assert_uint_eq(summary.rotated, 1);
	ck_assert_int_eq(current_number("job"), 3);
	version_free(&first);
	version_free(&later);
}
END_TEST

START_TEST(tells_when_the_time_comes_too_late)
{
	struct version *first = make("job", "p-256", 0), *later = make_for_later("job", 2);
	struct version *third = make("job", "p-256", 0);

	wait_a_second_past(later->protect_from);
	look_after("job");
	ck_assert_uint_eq(summary.activated, 0);
	ck_assert_uint_eq(summary.deactivated, 1);
	ck_assert_int_eq(state_of(later), STATE_DEACTIVATED);
	ck_assert_int_eq(current_number("job"), third->number);
	version_free(&first);
	version_free(&later);
	version_free(&third);
}
END_TEST

START_TEST(ends_overlaps)
{
	struct version *first = make("job", "p-256", 0), *second, *now;

	set_policy("job", "overlap=2s");
	second = make("job", "p-256", 0);
	now = reread(first);
	ck_assert_int_eq(now->state, STATE_ACTIVE);
	ck_assert(!version_is_current(now));
	look_after("job");
	ck_assert_uint_eq(summary.deactivated, 0);
	wait_a_second_past(now->protect_until);
	look_after("job");
	ck_assert_uint_eq(summary.deactivated, 1);
	ck_assert_int_eq(state_of(first), STATE_DEACTIVATED);
	ck_assert_int_eq(state_of(second), STATE_ACTIVE);
	version_free(&now);
	version_free(&first);
	version_free(&second);
}
END_TEST

START_TEST(keeps_so_many_versions)
{
	struct version *versions[5];

	for (int i = 0; i < 5; i++)
		versions[i] = make("job", "p-256", 0);
	ck_assert_uint_eq(lifecycle_compromise(lifecycle, versions[1]->object, "stolen"), CKR_OK);
	set_policy("job", "keep-versions=3");
	look_after("job");
	ck_assert_uint_eq(summary.retired, 2);
	for (int i = 0; i < 5; i++)
		ck_assert_int_eq(state_of(versions[i]), i < 2   ? STATE_DESTROY_PENDING
		                                        : i < 4 ? STATE_DEACTIVATED
		                                                : STATE_ACTIVE);
	/* One that was compromised comes back as that. */
	ck_assert_uint_eq(lifecycle_restore(lifecycle, versions[1]->object), CKR_OK);
	ck_assert_int_eq(state_of(versions[1]), STATE_COMPROMISED);
	/* The signed numbers count, whatever the index says. */
	set_policy("job", "keep-versions=1");
	memset(&summary, 0, sizeof summary);
	ck_assert_uint_eq(key_upkeep(lifecycle, "job", UPKEEP_PUT_BACK, &summary), CKR_OK);
	ck_assert_uint_eq(summary.retired, 0);
	ck_assert_uint_eq(summary.held, 3);
	ck_assert_uint_eq(key_upkeep(lifecycle, "job", UPKEEP_DRY_RUN, &summary), CKR_OK);
	ck_assert_uint_eq(summary.retired, 3);
	ck_assert_int_eq(state_of(versions[3]), STATE_DEACTIVATED);
	for (int i = 0; i < 5; i++)
		version_free(&versions[i]);
}
END_TEST

START_TEST(keeps_for_so_long)
{
	struct version *first = make("job", "p-256", 0), *second = make("job", "p-256", 0);

	set_policy("job", "keep-for=1h");
	look_after("job");
	ck_assert_uint_eq(summary.retired, 0);
	set_policy("job", "keep-for=1s");
	wait_a_second_past(clock_now() + 1);
	look_after("job");
	ck_assert_uint_eq(summary.retired, 1);
	ck_assert_int_eq(state_of(first), STATE_DESTROY_PENDING);
	ck_assert_int_eq(state_of(second), STATE_ACTIVE);
	version_free(&first);
	version_free(&second);
}
END_TEST

Suite *
unit_suite(void)
{
	Suite *suite = suite_create("waiting-version");
	TCase *tests = tcase_create("upkeep");

	tcase_add_checked_fixture(tests, lifecycle_setup, lifecycle_teardown);
	tcase_set_timeout(tests, 120);
	tcase_add_test(tests, activates_when_the_time_has_come);
	tcase_add_test(tests, does_not_rotate_while_another_waits);
	tcase_add_test(tests, rotates_when_the_other_comes_too_late);
	tcase_add_test(tests, rotates_when_the_other_comes_hardly_in_time);
	tcase_add_test(tests, tells_when_the_time_comes_too_late);
	tcase_add_test(tests, ends_overlaps);
	tcase_add_test(tests, keeps_so_many_versions);
	tcase_add_test(tests, keeps_for_so_long);
	suite_add_tcase(suite, tests);
	return suite;
}
