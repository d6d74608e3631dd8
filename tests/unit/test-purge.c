/* SPDX-License-Identifier: Apache-2.0 */
/* What is destroyed for good, and what somebody who can write the registry can't have destroyed. */
#include "lifecycle-fixture.h"

#include "lifecycle/policy.h"
#include "lifecycle/purge.h"

#include <stdio.h>

static int64_t
last_entry(void)
{
	struct registry_head head;

	ck_assert_uint_eq(registry_head(registry, &head), CKR_OK);
	return head.sequence;
}

START_TEST(purges_what_is_due)
{
	struct version *due = make("due", "p-256", 0), *early = make("early", "p-256", 0);

	set_policy("due", "destroy-after=0s");
	ck_assert_uint_eq(version_purge(lifecycle, due->object), CKR_ACTION_PROHIBITED);
	ck_assert_uint_eq(lifecycle_destroy(lifecycle, due->object), CKR_OK);
	ck_assert_uint_eq(lifecycle_destroy(lifecycle, early->object), CKR_OK);
	ck_assert_uint_eq(version_purge(lifecycle, early->object), CKR_ACTION_PROHIBITED);
	ck_assert_uint_eq(version_purge(lifecycle, due->object), CKR_OK);
	ck_assert_int_eq(state_of(due), STATE_DESTROYED);
	ck_assert_uint_eq(pair_count(), 2);
	ck_assert_uint_eq(version_purge(lifecycle, due->object), CKR_ACTION_PROHIBITED);
	ck_assert_uint_eq(version_purge(lifecycle, 999), CKR_OBJECT_HANDLE_INVALID);
	/* On demand, whatever is left of its grace. */
	ck_assert_uint_eq(lifecycle_purge(lifecycle, early->object), CKR_OK);
	ck_assert_int_eq(state_of(early), STATE_DESTROYED);
	ck_assert_uint_eq(pair_count(), 1);
	version_free(&due);
	version_free(&early);
}
END_TEST

/* The index is changed after the registry was found good: it is pointed to what was once signed. */
START_TEST(keeps_what_the_log_says_is_restored)
{
	struct version *version = make("job", "p-256", 0);
	int64_t doomed;
	char sql[256];

	ck_assert_uint_eq(lifecycle_destroy(lifecycle, version->object), CKR_OK);
	doomed = last_entry();
	ck_assert_uint_eq(lifecycle_restore(lifecycle, version->object), CKR_OK);
	set_policy("job", "destroy-after=0s");
	atomic_store(&lifecycle->log_checked, true);
	snprintf(sql, sizeof sql, "UPDATE versions SET sequence = %lld, state = 'destroy-pending'",
	         (long long)doomed);
	meddle(sql);
	ck_assert_uint_eq(version_purge(lifecycle, version->object), CKR_DEVICE_ERROR);
	ck_assert_uint_eq(lifecycle_purge(lifecycle, version->object), CKR_DEVICE_ERROR);
	ck_assert_uint_eq(pair_count(), 2);
	version_free(&version);
}
END_TEST

START_TEST(keeps_what_the_newest_policy_keeps)
{
	struct version *version = make("job", "p-256", 0);
	int64_t hasty;
	char sql[256];

	set_policy("job", "destroy-after=0s");
	hasty = last_entry();
	set_policy("job", "destroy-after=30d");
	ck_assert_uint_eq(lifecycle_destroy(lifecycle, version->object), CKR_OK);
	atomic_store(&lifecycle->log_checked, true);
	/* The policy's own change may have written the version, too: the key's entry is the one that says it. */
	snprintf(sql, sizeof sql, "UPDATE keys SET sequence = (SELECT max(sequence) FROM entries WHERE"
	         " sequence <= %lld AND instr(CAST(payload AS TEXT), '\"type\":\"key\"'))",
	         (long long)hasty);
	meddle(sql);
	ck_assert_uint_eq(version_purge(lifecycle, version->object), CKR_DEVICE_ERROR);
	ck_assert_uint_eq(pair_count(), 2);
	ck_assert_int_eq(state_of(version), STATE_DESTROY_PENDING);
	version_free(&version);
}
END_TEST

static CK_RV
destroy_and_break_log(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object)
{
	meddle("UPDATE entries SET payload = CAST('{}' AS BLOB) WHERE sequence = 2");
	return softhsm_original.C_DestroyObject(session, object);
}

/* The log may be long: it is walked once for a version, before its pair goes, and not again after that. */
START_TEST(walks_the_log_once)
{
	struct version *other = make("other", "p-256", 0), *version = make("job", "p-256", 0);

	set_policy("job", "destroy-after=0s");
	ck_assert_uint_eq(lifecycle_destroy(lifecycle, version->object), CKR_OK);
	softhsm_functions()->C_DestroyObject = destroy_and_break_log;
	ck_assert_uint_eq(version_purge(lifecycle, version->object), CKR_OK);
	softhsm_functions()->C_DestroyObject = softhsm_original.C_DestroyObject;
	ck_assert_int_eq(state_of(version), STATE_DESTROYED);
	ck_assert_uint_eq(pair_count(), 2);
	version_free(&version);
	version_free(&other);
}
END_TEST

Suite *
unit_suite(void)
{
	Suite *suite = suite_create("purge");
	TCase *tests = tcase_create("purge");

	tcase_add_checked_fixture(tests, lifecycle_setup, lifecycle_teardown);
	tcase_set_timeout(tests, 120);
	tcase_add_test(tests, purges_what_is_due);
	tcase_add_test(tests, keeps_what_the_log_says_is_restored);
	tcase_add_test(tests, keeps_what_the_newest_policy_keeps);
	tcase_add_test(tests, walks_the_log_once);
	suite_add_tcase(suite, tests);
	return suite;
}
