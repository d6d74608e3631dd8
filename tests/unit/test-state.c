/* SPDX-License-Identifier: Apache-2.0 */
/* The moves between the states of a version, and what the two that end its protecting do. */
#include "lifecycle-fixture.h"

#include "lifecycle/policy.h"
#include "lifecycle/state.h"

#include <stdlib.h>
#include <string.h>

#define DAY INT64_C(86400)

/* As the table of the manual has it. */
static const struct {
	enum version_state state;
	const char *moves;
} rows[] = {
	{ STATE_PRE_ACTIVE, "compromise, destroy" },
	{ STATE_ACTIVE, "deactivate, compromise, destroy" },
	{ STATE_DEACTIVATED, "compromise, destroy" },
	{ STATE_COMPROMISED, "destroy" },
	{ STATE_DESTROY_PENDING, "restore, purge" },
	{ STATE_DESTROYED, "" },
};

static const struct {
	enum move move;
	const char *word;
} moves[] = {
	{ MOVE_DEACTIVATE, "deactivate" }, { MOVE_COMPROMISE, "compromise" },
	{ MOVE_DESTROY, "destroy" },       { MOVE_RESTORE, "restore" },
	{ MOVE_PURGE, "purge" },
};

START_TEST(each_state_says_what_can_be_done_with_it)
{
	char text[MOVES_TEXT_SIZE];

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		moves_text(rows[i].state, text);
		ck_assert_str_eq(text, rows[i].moves);
	}
}
END_TEST

START_TEST(and_allows_just_that)
{
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		for (size_t m = 0; m < sizeof moves / sizeof *moves; m++)
			ck_assert_msg(state_allows(rows[i].state, moves[m].move) ==
			              (strstr(rows[i].moves, moves[m].word) != NULL), "%s, %s",
			              version_state_name(rows[i].state), moves[m].word);
		ck_assert(!state_allows(rows[i].state, (enum move)99));
	}
}
END_TEST

START_TEST(deactivating_ends_its_protecting)
{
	struct version *version = make("job", "p-256", 0), *now;
	int64_t began = clock_now();

	ck_assert_int_gt(version->protect_until, began + DAY);
	ck_assert_uint_eq(lifecycle_deactivate(lifecycle, version->object), CKR_OK);
	now = reread(version);
	ck_assert_int_eq(now->state, STATE_DEACTIVATED);
	ck_assert_int_ge(now->state_since, began);
	ck_assert_int_eq(now->protect_until, now->state_since);
	ck_assert_ptr_null(now->reason);
	ck_assert(!version_protects(now, clock_now()));
	ck_assert(version_visible(now));
	ck_assert_int_eq(current_number("job"), 0);
	version_free(&now);
	version_free(&version);
}
END_TEST

/* One whose period was over is not said to have protected until now. */
START_TEST(a_period_that_is_over_stays_as_it_was)
{
	struct create_request request = {
		.name = "job", .rotate_every = -1, .protect_from = clock_now() - 2 * DAY,
		.protect_until = clock_now() - DAY,
	};
	struct version *version = make_by(&request), *now;

	ck_assert_uint_eq(lifecycle_deactivate(lifecycle, version->object), CKR_OK);
	now = reread(version);
	ck_assert_int_eq(now->protect_until, version->protect_until);
	version_free(&now);
	version_free(&version);
}
END_TEST

START_TEST(one_without_end_ends)
{
	struct create_request request = { .name = "job", .rotate_every = 0 };
	struct version *version = make_by(&request), *now;

	ck_assert_int_eq(version->protect_until, 0);
	ck_assert_uint_eq(lifecycle_compromise(lifecycle, version->object, "sold"), CKR_OK);
	now = reread(version);
	ck_assert_int_eq(now->protect_until, now->state_since);
	version_free(&now);
	version_free(&version);
}
END_TEST

START_TEST(compromising_keeps_the_reason)
{
	struct version *version = make("job", "p-256", 0), *now;

	ck_assert_uint_eq(lifecycle_deactivate(lifecycle, version->object), CKR_OK);
	ck_assert_uint_eq(lifecycle_compromise(lifecycle, version->object, "the disk was sold"), CKR_OK);
	now = reread(version);
	ck_assert_int_eq(now->state, STATE_COMPROMISED);
	ck_assert_str_eq(now->reason, "the disk was sold");
	ck_assert(version_visible(now));
	ck_assert(!version_protects(now, clock_now()));
	version_free(&now);
	/* The first reason stays: it is not compromised a second time. */
	ck_assert_uint_eq(lifecycle_compromise(lifecycle, version->object, "again"),
	                  CKR_ACTION_PROHIBITED);
	ck_assert_uint_eq(lifecycle_deactivate(lifecycle, version->object), CKR_ACTION_PROHIBITED);
	now = reread(version);
	ck_assert_str_eq(now->reason, "the disk was sold");
	version_free(&now);
	version_free(&version);
}
END_TEST

/* In its overlap it is active still. */
START_TEST(a_superseded_version_ends_at_once)
{
	struct policy_change policy = { .given = POLICY_OVERLAP, .overlap = DAY };
	struct create_request request = { .name = "job", .rotate_every = -1, .policy = &policy };
	struct version *first = make_by(&request), *second = make("job", "p-256", 0), *now;

	now = reread(first);
	ck_assert_int_eq(now->state, STATE_ACTIVE);
	ck_assert_int_ne(now->superseded, 0);
	version_free(&now);
	ck_assert_uint_eq(lifecycle_deactivate(lifecycle, first->object), CKR_OK);
	now = reread(first);
	ck_assert_int_eq(now->state, STATE_DEACTIVATED);
	ck_assert_int_eq(now->superseded, 0);
	ck_assert_int_le(now->protect_until, clock_now());
	ck_assert_int_eq(current_number("job"), 2);
	version_free(&now);
	version_free(&first);
	version_free(&second);
}
END_TEST

START_TEST(what_is_not_active_can_not_be_deactivated)
{
	struct create_request request = {
		.name = "later", .rotate_every = -1, .protect_from = clock_now() + DAY, .pre_active = true,
	};
	struct version *later = make_by(&request), *gone = make("gone", "p-256", 0);

	ck_assert_uint_eq(lifecycle_deactivate(lifecycle, later->object), CKR_ACTION_PROHIBITED);
	ck_assert_int_eq(state_of(later), STATE_PRE_ACTIVE);
	ck_assert_uint_eq(lifecycle_compromise(lifecycle, later->object, "sold"), CKR_OK);
	ck_assert_int_eq(state_of(later), STATE_COMPROMISED);
	ck_assert_uint_eq(lifecycle_destroy(lifecycle, gone->object), CKR_OK);
	ck_assert_uint_eq(lifecycle_deactivate(lifecycle, gone->object), CKR_ACTION_PROHIBITED);
	ck_assert_uint_eq(lifecycle_compromise(lifecycle, gone->object, "sold"), CKR_ACTION_PROHIBITED);
	ck_assert_int_eq(state_of(gone), STATE_DESTROY_PENDING);
	ck_assert_uint_eq(lifecycle_purge(lifecycle, gone->object), CKR_OK);
	ck_assert_uint_eq(lifecycle_deactivate(lifecycle, gone->object), CKR_ACTION_PROHIBITED);
	ck_assert_uint_eq(lifecycle_compromise(lifecycle, gone->object, "sold"), CKR_ACTION_PROHIBITED);
	ck_assert_int_eq(state_of(gone), STATE_DESTROYED);
	version_free(&later);
	version_free(&gone);
}
END_TEST

START_TEST(bad_requests)
{
	struct version *version = make("job", "p-256", 0);
	char longest[RECORD_REASON_MAX + 2];

	memset(longest, 'x', sizeof longest);
	longest[RECORD_REASON_MAX + 1] = '\0';
	ck_assert_uint_eq(lifecycle_deactivate(lifecycle, version->object + 1000),
	                  CKR_OBJECT_HANDLE_INVALID);
	ck_assert_uint_eq(lifecycle_compromise(lifecycle, version->object + 1000, "sold"),
	                  CKR_OBJECT_HANDLE_INVALID);
	ck_assert_uint_eq(lifecycle_compromise(lifecycle, version->object, ""),
	                  CKR_ATTRIBUTE_VALUE_INVALID);
	ck_assert_uint_eq(lifecycle_compromise(lifecycle, version->object, "a\nb"),
	                  CKR_ATTRIBUTE_VALUE_INVALID);
	ck_assert_uint_eq(lifecycle_compromise(lifecycle, version->object, longest),
	                  CKR_ATTRIBUTE_VALUE_INVALID);
	ck_assert_int_eq(state_of(version), STATE_ACTIVE);
	longest[RECORD_REASON_MAX] = '\0';
	ck_assert_uint_eq(lifecycle_compromise(lifecycle, version->object, longest), CKR_OK);
	version_free(&version);
}
END_TEST

Suite *
unit_suite(void)
{
	Suite *suite = suite_create("state");
	TCase *table = tcase_create("table"), *changes = tcase_create("changes");

	tcase_add_test(table, each_state_says_what_can_be_done_with_it);
	tcase_add_test(table, and_allows_just_that);
	suite_add_tcase(suite, table);
	tcase_add_checked_fixture(changes, lifecycle_setup, lifecycle_teardown);
	tcase_set_timeout(changes, 60);
	tcase_add_test(changes, deactivating_ends_its_protecting);
	tcase_add_test(changes, a_period_that_is_over_stays_as_it_was);
	tcase_add_test(changes, one_without_end_ends);
	tcase_add_test(changes, compromising_keeps_the_reason);
	tcase_add_test(changes, a_superseded_version_ends_at_once);
	tcase_add_test(changes, what_is_not_active_can_not_be_deactivated);
	tcase_add_test(changes, bad_requests);
	suite_add_tcase(suite, changes);
	return suite;
}
