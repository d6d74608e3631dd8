/* SPDX-License-Identifier: Apache-2.0 */
/* What a refresh does for one key: what its policy says is due, and nothing else. */
#include "lifecycle-fixture.h"

#include "lifecycle/policy.h"

#include <string.h>
#include <unistd.h>

#define DAY INT64_C(86400)

static struct refresh_summary summary;

static void
refresh(bool dry_run)
{
	memset(&summary, 0, sizeof summary);
	ck_assert_uint_eq(lifecycle_refresh(lifecycle, dry_run, NULL, NULL, &summary), CKR_OK);
	ck_assert_uint_eq(summary.failed, 0);
}

/* The same by a dry run, which changes nothing, then in earnest, then never again. */
#define REFRESH(counter, expected)                     \
	do {                                               \
		refresh(true);                                 \
		ck_assert_uint_eq(summary.counter, expected);  \
		refresh(false);                                \
		ck_assert_uint_eq(summary.counter, expected);  \
		refresh(false);                                \
		ck_assert_uint_eq(summary.counter, 0);         \
	} while (0)

/* A key, of which nothing but what is given here is ever due. */
static struct version *
make_key(const char *name, const struct policy_change *policy)
{
	struct create_request request = { .name = name, .rotate_every = 0, .policy = policy };

	return make_by(&request);
}

static struct version *
rotate(const char *name)
{
	struct create_request request = { .name = name, .rotate_every = -1, .rotation_only = true };

	return make_by(&request);
}

/* Its next version, which waits until then. */
static struct version *
schedule(const char *name, int64_t protect_from)
{
	struct create_request request = {
		.name = name, .rotate_every = 0, .protect_from = protect_from, .pre_active = true,
	};

	return make_by(&request);
}

static void
assert_state(struct version *version, enum version_state state)
{
	ck_assert_str_eq(version_state_name(state_of(version)), version_state_name(state));
}

START_TEST(activates_what_has_come_of_time)
{
	struct version *due = schedule("due", clock_now() - 10);
	struct version *waits = schedule("waits", clock_now() + DAY);

	assert_state(due, STATE_PRE_ACTIVE);
	ck_assert_int_eq(current_number("due"), 0);
	REFRESH(activated, 1);
	assert_state(due, STATE_ACTIVE);
	assert_state(waits, STATE_PRE_ACTIVE);
	ck_assert_int_eq(current_number("due"), 1);
	ck_assert_int_eq(current_number("waits"), 0);
	version_free(&due);
	version_free(&waits);
}
END_TEST

START_TEST(of_several_the_newest_is_current)
{
	struct version *first = make_key("job", NULL);
	struct version *second = schedule("job", clock_now() - 20);
	struct version *third = schedule("job", clock_now() - 10);

	ck_assert_int_eq(current_number("job"), 1);
	REFRESH(activated, 2);
	ck_assert_int_eq(current_number("job"), 3);
	assert_state(first, STATE_DEACTIVATED);
	assert_state(second, STATE_DEACTIVATED);
	assert_state(third, STATE_ACTIVE);
	version_free(&first);
	version_free(&second);
	version_free(&third);
}
END_TEST

START_TEST(what_it_supersedes_has_its_overlap)
{
	struct policy_change policy = { .given = POLICY_OVERLAP, .overlap = DAY };
	struct version *first = make_key("job", &policy), *now;
	struct version *second = schedule("job", clock_now() - 10);

	REFRESH(activated, 1);
	now = reread(first);
	ck_assert_int_eq(now->state, STATE_ACTIVE);
	ck_assert_int_ne(now->superseded, 0);
	ck_assert(version_protects(now, clock_now() + DAY - 60));
	ck_assert(!version_protects(now, clock_now() + DAY + 60));
	assert_state(second, STATE_ACTIVE);
	ck_assert_int_eq(current_number("job"), 2);
	version_free(&now);
	version_free(&first);
	version_free(&second);
}
END_TEST

START_TEST(an_overlap_ends)
{
	struct policy_change policy = { .given = POLICY_OVERLAP, .overlap = 2 };
	struct version *first = make_key("job", &policy), *second = rotate("job"), *now;

	refresh(false);
	ck_assert_uint_eq(summary.deactivated, 0);
	assert_state(first, STATE_ACTIVE);
	sleep(3);
	REFRESH(deactivated, 1);
	now = reread(first);
	ck_assert_int_eq(now->state, STATE_DEACTIVATED);
	ck_assert_int_eq(now->superseded, 0);
	assert_state(second, STATE_ACTIVE);
	version_free(&now);
	version_free(&first);
	version_free(&second);
}
END_TEST

START_TEST(keeps_as_many_as_the_policy_says)
{
	struct policy_change policy = { .given = POLICY_KEEP_VERSIONS, .keep_versions = 2 };
	struct version *versions[4], *now;

	versions[0] = make_key("job", &policy);
	for (size_t i = 1; i < 4; i++)
		versions[i] = rotate("job");
	ck_assert_uint_eq(lifecycle_compromise(lifecycle, versions[0]->object, "sold"), CKR_OK);
	REFRESH(retired, 2);
	assert_state(versions[3], STATE_ACTIVE);
	assert_state(versions[2], STATE_DEACTIVATED);
	assert_state(versions[1], STATE_DESTROY_PENDING);
	now = reread(versions[0]);
	ck_assert_int_eq(now->state, STATE_DESTROY_PENDING);
	/* Restored, it would be compromised again. */
	ck_assert_int_eq(now->before, STATE_COMPROMISED);
	ck_assert_str_eq(now->reason, "no longer kept, by the key's policy");
	version_free(&now);
	for (size_t i = 0; i < 4; i++)
		version_free(&versions[i]);
}
END_TEST

/* What is gone, or not there yet, is not among those that are kept. */
START_TEST(counts_what_can_be_used)
{
	struct policy_change policy = { .given = POLICY_KEEP_VERSIONS, .keep_versions = 2 };
	struct version *first = make_key("job", &policy), *second = rotate("job");
	struct version *third = rotate("job"), *later;

	ck_assert_uint_eq(lifecycle_destroy(lifecycle, second->object), CKR_OK);
	later = schedule("job", clock_now() + DAY);
	REFRESH(retired, 0);
	assert_state(first, STATE_DEACTIVATED);
	assert_state(third, STATE_ACTIVE);
	assert_state(later, STATE_PRE_ACTIVE);
	version_free(&first);
	version_free(&second);
	version_free(&third);
	version_free(&later);
}
END_TEST

START_TEST(never_retires_what_protects)
{
	struct policy_change policy = {
		.given = POLICY_KEEP_VERSIONS | POLICY_KEEP_FOR | POLICY_OVERLAP, .keep_versions = 1,
		.keep_for = 1, .overlap = DAY,
	};
	struct version *first = make_key("job", &policy), *second = rotate("job");

	sleep(2);
	REFRESH(retired, 0);
	assert_state(first, STATE_ACTIVE);
	assert_state(second, STATE_ACTIVE);
	version_free(&first);
	version_free(&second);
}
END_TEST

START_TEST(keeps_as_long_as_the_policy_says)
{
	struct policy_change policy = { .given = POLICY_KEEP_FOR, .keep_for = 2 };
	struct version *first = make_key("job", &policy), *second = rotate("job");

	refresh(false);
	ck_assert_uint_eq(summary.retired, 0);
	sleep(3);
	REFRESH(retired, 1);
	assert_state(first, STATE_DESTROY_PENDING);
	assert_state(second, STATE_ACTIVE);
	version_free(&first);
	version_free(&second);
}
END_TEST

/* Without any grace the pair goes with the same refresh. */
START_TEST(purges_what_it_retires)
{
	struct policy_change policy = {
		.given = POLICY_KEEP_VERSIONS | POLICY_DESTROY_AFTER, .keep_versions = 1, .destroy_after = 0,
	};
	struct version *first = make_key("job", &policy), *second = rotate("job");
	size_t pairs = pair_count();

	refresh(false);
	ck_assert_uint_eq(summary.retired, 1);
	ck_assert_uint_eq(summary.purged, 1);
	assert_state(first, STATE_DESTROYED);
	assert_state(second, STATE_ACTIVE);
	ck_assert_uint_eq(pair_count(), pairs - 1);
	version_free(&first);
	version_free(&second);
}
END_TEST

/* A key whose interval passed yesterday. */
static struct version *
make_due(const char *name)
{
	struct create_request request = {
		.name = name, .rotate_every = DAY, .protect_from = clock_now() - 2 * DAY
	};

	return make_by(&request);
}

/* Somebody wanted it so: that a key has no current version is not for a timer to mend. */
START_TEST(rotates_no_key_without_a_current_version)
{
	struct version *destroyed = make_due("destroyed"), *ended = make_due("ended");

	ck_assert_uint_eq(lifecycle_destroy(lifecycle, destroyed->object), CKR_OK);
	ck_assert_uint_eq(lifecycle_deactivate(lifecycle, ended->object), CKR_OK);
	REFRESH(rotated, 0);
	ck_assert_int_eq(current_number("destroyed"), 0);
	ck_assert_int_eq(current_number("ended"), 0);
	version_free(&destroyed);
	version_free(&ended);
}
END_TEST

START_TEST(rotates_no_key_that_is_being_rotated)
{
	struct version *due = make_due("due"), *other = make_due("other");

	meddle("INSERT INTO intents (id, name, number, since)"
	       " VALUES (x'99', 'due', 2, CAST(strftime('%s') AS INTEGER))");
	refresh(false);
	ck_assert_uint_eq(summary.rotated, 1);
	ck_assert_int_eq(current_number("due"), 1);
	ck_assert_int_eq(current_number("other"), 2);
	meddle("DELETE FROM intents");
	REFRESH(rotated, 1);
	ck_assert_int_eq(current_number("due"), 2);
	version_free(&due);
	version_free(&other);
}
END_TEST

Suite *
unit_suite(void)
{
	Suite *suite = suite_create("upkeep");
	TCase *tests = tcase_create("upkeep");

	tcase_add_checked_fixture(tests, lifecycle_setup, lifecycle_teardown);
	tcase_set_timeout(tests, 60);
	tcase_add_test(tests, activates_what_has_come_of_time);
	tcase_add_test(tests, of_several_the_newest_is_current);
	tcase_add_test(tests, what_it_supersedes_has_its_overlap);
	tcase_add_test(tests, an_overlap_ends);
	tcase_add_test(tests, keeps_as_many_as_the_policy_says);
	tcase_add_test(tests, counts_what_can_be_used);
	tcase_add_test(tests, never_retires_what_protects);
	tcase_add_test(tests, keeps_as_long_as_the_policy_says);
	tcase_add_test(tests, purges_what_it_retires);
	tcase_add_test(tests, rotates_no_key_without_a_current_version);
	tcase_add_test(tests, rotates_no_key_that_is_being_rotated);
	suite_add_tcase(suite, tests);
	return suite;
}
