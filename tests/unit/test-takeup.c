/* SPDX-License-Identifier: Apache-2.0 */
/* What refresh does with pairs that the KMS holds and the registry does not know. */
#include "lifecycle-fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct refresh_summary summary;

static CK_RV
refresh(void)
{
	memset(&summary, 0, sizeof summary);
	return lifecycle_refresh(lifecycle, false, NULL, NULL, &summary);
}

/* Versions of the key that the registry shows in that state. */
static size_t
count_state(const char *name, enum version_state state)
{
	struct registry_search search = { .name = name, .destroyed = true };
	int64_t objects[32];
	size_t count = 0, met = 0;

	ck_assert_uint_eq(registry_search(registry, &search, objects, 32, &count), CKR_OK);
	for (size_t i = 0; i < count; i++) {
		struct version *version = NULL;

		ck_assert_uint_eq(registry_version(registry, objects[i], &version), CKR_OK);
		met += version->state == state;
		version_free(&version);
	}
	return met;
}

/* Hidden from the index, they are not made versions again, as what they were before. */
START_TEST(takes_up_nothing_that_the_log_has)
{
	struct version *stolen = make("stolen", "p-256", 0), *gone = make("gone", "p-256", 0);
	struct version *next = make("gone", "p-256", 0);

	ck_assert_uint_eq(lifecycle_compromise(lifecycle, stolen->object, "stolen"), CKR_OK);
	ck_assert_uint_eq(lifecycle_destroy(lifecycle, gone->object), CKR_OK);
	meddle("DELETE FROM versions WHERE name = 'stolen' OR (name = 'gone' AND number = 1)");
	ck_assert_uint_eq(refresh(), CKR_OK);
	ck_assert_uint_eq(summary.taken_up, 0);
	ck_assert_uint_eq(summary.failed, 2);
	ck_assert_int_eq(current_number("stolen"), 0);
	ck_assert_uint_eq(count_state("gone", STATE_ACTIVE), 1);
	ck_assert_uint_eq(count_state("gone", STATE_DEACTIVATED), 0);
	ck_assert_uint_eq(pair_count(), 4);
	version_free(&stolen);
	version_free(&gone);
	version_free(&next);
}
END_TEST

Suite *
unit_suite(void)
{
	Suite *suite = suite_create("takeup");
	TCase *tests = tcase_create("takeup");

	tcase_add_checked_fixture(tests, lifecycle_setup, lifecycle_teardown);
	tcase_set_timeout(tests, 120);
	tcase_add_test(tests, takes_up_nothing_that_the_log_has);
	suite_add_tcase(suite, tests);
	return suite;
}
