/* SPDX-License-Identifier: Apache-2.0 */
/* What refresh does with pairs that the KMS holds and the registry does not know. */
#include "lifecycle-fixture.h"

#include "lifecycle/policy.h"
#include "lifecycle/restored.h"

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

static void
set_policy(const char *name, const char *setting)
{
	struct policy_change change = { .given = 0 };
	char *why = NULL;

	ck_assert(policy_parse(setting, &change, &why));
	ck_assert_uint_eq(lifecycle_set_policy(lifecycle, name, &change), CKR_OK);
	policy_change_clear(&change);
}

static void
rotate_times(const char *name, int times)
{
	while (times-- > 0) {
		struct version *version = make(name, "p-256", 0);

		version_free(&version);
	}
}

static enum version_state
state_of_number(const char *name, int64_t number)
{
	struct registry_search search = { .name = name, .number = number, .destroyed = true };
	struct version *version = NULL;
	enum version_state state;
	int64_t object;
	size_t count = 0;

	ck_assert_uint_eq(registry_search(registry, &search, &object, 1, &count), CKR_OK);
	ck_assert_uint_eq(count, 1);
	ck_assert_uint_eq(registry_version(registry, object, &version), CKR_OK);
	state = version->state;
	version_free(&version);
	return state;
}

/* Whatever order the KMS lists pairs in: the newest are kept, and the newest of all is current. */
START_TEST(takes_several_up_in_their_order)
{
	rotate_times("job", 1);
	set_policy("job", "keep-versions=3");
	set_policy("job", "destroy-after=1h");
	host_copy(1);
	set_policy("job", "keep-versions=all");
	rotate_times("job", 7);
	host_turn(1);
	ck_assert_uint_eq(refresh(), CKR_OK);
	ck_assert_uint_eq(summary.taken_up, 7);
	ck_assert_uint_eq(summary.retired, 5);
	ck_assert_uint_eq(summary.failed, 0);
	ck_assert_int_eq(current_number("job"), 8);
	for (int64_t number = 1; number <= 8; number++)
		ck_assert_int_eq(state_of_number("job", number), number == 8  ? STATE_ACTIVE
		                                                 : number > 5 ? STATE_DEACTIVATED
		                                                              : STATE_DESTROY_PENDING);
}
END_TEST

static void
put_backup_back(void)
{
	struct registry_head head;

	/* As verify --accept-restored does it, of a registry that was turned back. */
	host_turn(1);
	ck_assert_uint_eq(registry_head(registry, &head), CKR_OK);
	ck_assert_uint_eq(registry_accept(registry), CKR_OK);
}

/* Its policies may be older than the versions: nothing goes, and nothing comes back, before rebuild. */
START_TEST(holds_back_after_a_backup_was_put_back)
{
	struct registry_head before, after;
	bool put_back = false;
	int64_t number;

	rotate_times("job", 4);
	set_policy("job", "keep-versions=3");
	set_policy("job", "destroy-after=1s");
	host_copy(1);
	rotate_times("job", 3);
	put_backup_back();
	ck_assert_uint_eq(registry_intend(registry, "job", "id-1", 4, false, &number), CKR_OK);
	meddle("UPDATE intents SET since = since - 3600");
	ck_assert_uint_eq(refresh(), CKR_OK);
	ck_assert_uint_eq(summary.taken_up, 0);
	ck_assert_uint_eq(summary.retired, 0);
	ck_assert_uint_eq(summary.undone, 0);
	ck_assert_uint_eq(summary.held, 5); /* the intent, three pairs, and version 1 */
	ck_assert_uint_eq(summary.failed, 0);
	ck_assert_uint_eq(pair_count(), 8);
	ck_assert_uint_eq(rebuild_begin(lifecycle), CKR_OK);
	ck_assert_uint_eq(intent_count(), 0);
	ck_assert_uint_eq(rebuild_end(lifecycle, &put_back), CKR_OK);
	ck_assert(put_back);
	ck_assert_uint_eq(refresh(), CKR_OK);
	ck_assert_uint_eq(summary.held, 0);
	ck_assert_uint_eq(summary.taken_up, 3);
	ck_assert_int_eq(current_number("job"), 7);
	/* The token's record keeps it, and nothing is written for nothing. */
	ck_assert_uint_eq(registry_head(registry, &before), CKR_OK);
	ck_assert_uint_eq(rebuild_end(lifecycle, &put_back), CKR_OK);
	ck_assert(!put_back);
	ck_assert_uint_eq(registry_head(registry, &after), CKR_OK);
	ck_assert_int_eq(before.sequence, after.sequence);
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
	tcase_add_test(tests, takes_several_up_in_their_order);
	tcase_add_test(tests, holds_back_after_a_backup_was_put_back);
	suite_add_tcase(suite, tests);
	return suite;
}
