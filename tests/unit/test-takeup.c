/* SPDX-License-Identifier: Apache-2.0 */
/* What refresh does with pairs that the KMS holds and the registry does not know. */
#include "lifecycle-fixture.h"

#include "lifecycle/restored.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct refresh_summary summary;

static CK_RV
refresh(void)
{
	memset(&summary, 0, sizeof summary);
	return lifecycle_refresh(lifecycle, false, NULL, NULL, &summary);
}

static void
age_notes(void)
{
	meddle("UPDATE notes SET time = time - 3600 WHERE kind = 'waits-since'");
}

/* The first one meets the pairs that are strange to it, the second, later, takes them up. */
static void
refresh_and_again(void)
{
	ck_assert_uint_eq(refresh(), CKR_OK);
	ck_assert_uint_eq(summary.taken_up, 0);
	age_notes();
	ck_assert_uint_eq(refresh(), CKR_OK);
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
	refresh_and_again();
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
	ck_assert_uint_eq(registry_intend(registry, &(struct intention){
		.name = "job", .id = "id-1", .id_size = 4
	}, &number), CKR_OK);
	meddle("UPDATE intents SET since = since - 3600");
	ck_assert_uint_eq(refresh(), CKR_OK);
	ck_assert_uint_eq(summary.taken_up, 0);
	ck_assert_uint_eq(summary.retired, 0);
	ck_assert_uint_eq(summary.undone, 0);
	ck_assert_uint_eq(summary.held, 5); /* the intent, three pairs, and version 1 */
	ck_assert_uint_eq(summary.waiting, 0);
	age_notes();
	ck_assert_uint_eq(refresh(), CKR_OK);
	ck_assert_uint_eq(summary.held, 5);
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

/* Who sees only later that a backup was put back, and a rebuild made up for it, needs no other. */
START_TEST(holds_nothing_back_when_rebuild_has_run)
{
	struct lifecycle *own_lifecycle = NULL;
	struct registry *own = NULL;
	struct registry_head head;
	bool put_back = false;
	char *why = NULL;

	rotate_times("job", 1);
	host_copy(1);
	rotate_times("job", 1);
	put_backup_back();
	ck_assert_int_eq(setenv("XDG_STATE_HOME", softhsm_path("another-user"), 1), 0);
	ck_assert_uint_eq(registry_open(softhsm_path("host-1.db"), authority, REGISTRY_WRITE, &own, &why),
	                  CKR_OK);
	ck_assert_uint_eq(registry_head(own, &head), CKR_OK);
	sleep(2);
	ck_assert_uint_eq(rebuild_end(lifecycle, &put_back), CKR_OK);
	ck_assert(put_back);
	sleep(2);
	ck_assert_uint_eq(registry_accept(own), CKR_OK);
	ck_assert_uint_eq(lifecycle_open(&kms_config, kms, own, authority, &own_lifecycle), CKR_OK);
	ck_assert_uint_eq(lifecycle_refresh(own_lifecycle, false, NULL, NULL, &summary), CKR_OK);
	ck_assert_uint_eq(summary.held, 0);
	ck_assert_uint_eq(summary.waiting, 1);
	lifecycle_free(&own_lifecycle);
	registry_free(&own);
}
END_TEST

/* It may be in the making still, on the host that has its intent. */
START_TEST(waits_before_it_takes_up)
{
	rotate_times("job", 1);
	host_copy(1);
	rotate_times("job", 1);
	host_turn(1);
	for (int i = 0; i < 2; i++) {
		ck_assert_uint_eq(refresh(), CKR_OK);
		ck_assert_uint_eq(summary.waiting, 1);
		ck_assert_uint_eq(summary.taken_up, 0);
		ck_assert_uint_eq(summary.failed, 0);
	}
	/* Nothing that is written there hastens it. */
	meddle("UPDATE notes SET time = 0");
	ck_assert_uint_eq(refresh(), CKR_OK);
	ck_assert_uint_eq(summary.waiting, 1);
	meddle("UPDATE notes SET time = time + 1000000");
	ck_assert_uint_eq(refresh(), CKR_OK);
	ck_assert_uint_eq(summary.waiting, 1);
	meddle("UPDATE notes SET time = time - 119");
	ck_assert_uint_eq(refresh(), CKR_OK);
	ck_assert_uint_eq(summary.waiting, 1);
	/* A look alone is none. */
	meddle("DELETE FROM notes");
	ck_assert_uint_eq(lifecycle_refresh(lifecycle, true, NULL, NULL, &summary), CKR_OK);
	ck_assert_uint_eq(summary.waiting, 1);
	age_notes();
	ck_assert_uint_eq(refresh(), CKR_OK);
	ck_assert_uint_eq(summary.waiting, 1);
	age_notes();
	ck_assert_uint_eq(refresh(), CKR_OK);
	ck_assert_uint_eq(summary.waiting, 0);
	ck_assert_uint_eq(summary.taken_up, 1);
	ck_assert_int_eq(current_number("job"), 2);
}
END_TEST

/* A registry of before there were notes gets their table. */
START_TEST(waits_with_an_older_registry)
{
	rotate_times("job", 1);
	host_copy(1);
	rotate_times("job", 1);
	host_turn(1);
	meddle("DROP TABLE notes");
	ck_assert_uint_eq(lifecycle_refresh(lifecycle, true, NULL, NULL, &summary), CKR_OK);
	ck_assert_uint_eq(summary.waiting, 1);
	refresh_and_again();
	ck_assert_uint_eq(summary.taken_up, 1);
}
END_TEST

#define JUNE_2100 INT64_C(4115577600) /* 2100-06-02T00:00:00Z */

/* Made to be active later, it is so on each host: its start date is in the HSM. */
START_TEST(takes_up_what_is_to_be_active_later)
{
	struct create_request request = {
		.name = "job", .rotate_every = -1, .protect_from = JUNE_2100 - 100, .pre_active = true,
	};
	struct version *later, *taken;
	struct registry_search search = { .name = "job", .number = 2 };
	int64_t object;
	size_t count;

	rotate_times("job", 1);
	host_copy(1);
	later = make_by(&request);
	ck_assert_int_eq(later->protect_from, JUNE_2100 - 100);
	host_turn(1);
	refresh_and_again();
	ck_assert_uint_eq(summary.taken_up, 1);
	ck_assert_int_eq(current_number("job"), 1);
	ck_assert_uint_eq(registry_search(registry, &search, &object, 1, &count), CKR_OK);
	ck_assert_uint_eq(registry_version(registry, object, &taken), CKR_OK);
	ck_assert_int_eq(taken->state, STATE_PRE_ACTIVE);
	ck_assert_int_eq(taken->protect_from, JUNE_2100);
	ck_assert_int_gt(taken->protect_until, JUNE_2100);
	version_free(&taken);
	version_free(&later);
}
END_TEST

static CK_RV
generate_undated(CK_SESSION_HANDLE session, CK_MECHANISM *mechanism, CK_ATTRIBUTE *public,
                 CK_ULONG public_count, CK_ATTRIBUTE *private, CK_ULONG private_count,
                 CK_OBJECT_HANDLE *public_key, CK_OBJECT_HANDLE *private_key)
{
	for (CK_ULONG i = 0; i < public_count; i++) {
		if (public[i].type == CKA_START_DATE)
			return CKR_ATTRIBUTE_TYPE_INVALID;
	}
	return softhsm_original.C_GenerateKeyPair(session, mechanism, public, public_count, private,
	                                          private_count, public_key, private_key);
}

START_TEST(makes_it_without_the_date_where_the_hsm_has_none)
{
	struct create_request request = {
		.name = "job", .rotate_every = -1, .protect_from = JUNE_2100, .pre_active = true,
	};
	struct version *later;
	int64_t start = 7;

	softhsm_functions()->C_GenerateKeyPair = generate_undated;
	later = make_by(&request);
	softhsm_functions()->C_GenerateKeyPair = softhsm_original.C_GenerateKeyPair;
	ck_assert_int_eq(later->state, STATE_PRE_ACTIVE);
	ck_assert_uint_eq(kms_pair_start(kms, later->id.data, later->id.size, soon(), &start), CKR_OK);
	ck_assert_int_eq(start, 0);
	version_free(&later);
}
END_TEST

/* What a creation leaves that was killed after its pair was made. */
static void
leave_pair(const char *id, int64_t protect_from, bool undo_only, bool dated)
{
	struct kms_pair pair = {
		.algorithm = algorithm_by_name("p-256"), .id = (const unsigned char *)id,
		.id_size = strlen(id), .sign = true, .derive = true, .start = dated ? protect_from : 0,
	};
	struct buffer spki = BUFFER_INIT;
	char label[32];
	int64_t number;

	ck_assert_uint_eq(registry_intend(registry, &(struct intention){
		.name = "job", .id = id, .id_size = strlen(id), .undo_only = undo_only,
		.protect_from = protect_from,
	}, &number), CKR_OK);
	snprintf(label, sizeof label, "job@%d", (int)number);
	pair.label = label;
	ck_assert_uint_eq(kms_generate_pair(kms, &pair, patiently(), &spki), CKR_OK);
	meddle("UPDATE intents SET since = since - 3600");
	buffer_clear(&spki);
}

static void
assert_pre_active(int64_t number, int64_t from)
{
	struct registry_search search = { .name = "job", .number = number };
	struct version *version = NULL;
	int64_t object;
	size_t count = 0;

	ck_assert_uint_eq(registry_search(registry, &search, &object, 1, &count), CKR_OK);
	ck_assert_uint_eq(count, 1);
	ck_assert_uint_eq(registry_version(registry, object, &version), CKR_OK);
	ck_assert_int_eq(version->state, STATE_PRE_ACTIVE);
	ck_assert_int_eq(version->protect_from, from);
	version_free(&version);
}

/* Another host may have taken it up, and must not lose it: it is what it was to be. */
START_TEST(finishes_what_was_to_be_active_later)
{
	rotate_times("job", 1);
	leave_pair("id-2", JUNE_2100 - 100, true, true);
	ck_assert_uint_eq(refresh(), CKR_OK);
	ck_assert_uint_eq(summary.finished, 1);
	ck_assert_uint_eq(summary.undone, 0);
	assert_pre_active(2, JUNE_2100 - 100);
	/* An HSM without dates: the intent tells. */
	leave_pair("id-3", JUNE_2100 - 100, true, false);
	ck_assert_uint_eq(refresh(), CKR_OK);
	assert_pre_active(3, JUNE_2100 - 100);
	/* The intent is not signed: it hastens nothing. */
	leave_pair("id-4", JUNE_2100, true, true);
	meddle("UPDATE notes SET time = 1000 WHERE kind = 'protect-from'");
	ck_assert_uint_eq(refresh(), CKR_OK);
	assert_pre_active(4, JUNE_2100);
	leave_pair("id-5", JUNE_2100, true, true);
	meddle("DELETE FROM notes");
	ck_assert_uint_eq(refresh(), CKR_OK);
	assert_pre_active(5, JUNE_2100);
	ck_assert_int_eq(current_number("job"), 1);
	/* Its time has come while nobody looked. */
	leave_pair("id-6", clock_now() - 10, true, false);
	ck_assert_uint_eq(refresh(), CKR_OK);
	ck_assert_uint_eq(summary.activated, 1);
	ck_assert_int_eq(current_number("job"), 6);
	ck_assert_uint_eq(pair_count(), 7);
	ck_assert_uint_eq(intent_count(), 0);
}
END_TEST

/* The maker was told that it failed, and could not remove what the KMS had made. */
static void
leave_given_up(const char *id)
{
	bool given_up = false;

	leave_pair(id, 0, false, false);
	ck_assert_uint_eq(registry_intent_take_back(registry, "job", 2, id, strlen(id), &given_up),
	                  CKR_OK);
	ck_assert(given_up);
}

/* Another host took it up, and encrypts to it: its maker's refresh must not remove it. */
START_TEST(keeps_what_was_given_up_and_taken_up_elsewhere)
{
	rotate_times("job", 1);
	host_copy(1);
	leave_given_up("id-2");
	host_turn(1);
	refresh_and_again();
	ck_assert_uint_eq(summary.taken_up, 1);
	ck_assert_int_eq(current_number("job"), 2);
	host_turn(0);
	ck_assert_uint_eq(refresh(), CKR_OK);
	ck_assert_uint_eq(summary.finished, 0); /* its maker may be removing it still */
	meddle("UPDATE intents SET since = since + 3600");
	ck_assert_uint_eq(lifecycle_refresh(lifecycle, true, NULL, NULL, &summary), CKR_OK);
	ck_assert_uint_eq(summary.finished, 1);
	ck_assert_uint_eq(refresh(), CKR_OK);
	ck_assert_uint_eq(summary.finished, 1);
	ck_assert_uint_eq(summary.undone, 0);
	ck_assert_int_eq(state_of_number("job", 2), STATE_DEACTIVATED);
	ck_assert_int_eq(current_number("job"), 1);
	ck_assert_uint_eq(intent_count(), 0);
	ck_assert_uint_eq(pair_count(), 3);
}
END_TEST

/* What a refresh began to remove is removed, even when there is such a key meanwhile. */
START_TEST(removes_what_it_began_to_remove)
{
	bool given_up = false;

	rotate_times("job", 1);
	leave_pair("id-2", 0, false, false);
	ck_assert_uint_eq(registry_intent_give_up(registry, "id-2", 4, &given_up), CKR_OK);
	ck_assert(given_up);
	ck_assert_uint_eq(registry_intent_take_back(registry, "job", 2, "id-2", 4, &given_up), CKR_OK);
	ck_assert(given_up);
	meddle("UPDATE intents SET since = since + 3600");
	ck_assert_uint_eq(refresh(), CKR_OK);
	ck_assert_uint_eq(summary.finished, 0);
	ck_assert_uint_eq(summary.undone, 1);
	ck_assert_uint_eq(intent_count(), 0);
	ck_assert_uint_eq(pair_count(), 2);
}
END_TEST

/* One that came late, of a lower number, is never the current one, and does not turn the policy back. */
START_TEST(keeps_the_newer_policy)
{
	struct key_record *key = NULL;
	struct version *version;

	rotate_times("job", 1);
	host_copy(1);
	version = make("job", "p-256", 0);
	version_free(&version);
	host_turn(1);
	version = make("job", "rsa-2048", USAGE_DECRYPT);
	ck_assert_int_eq(version->number, 3); /* the HSM has job@2 */
	ck_assert_uint_eq(lifecycle_destroy(lifecycle, version->object), CKR_OK);
	refresh_and_again();
	ck_assert_uint_eq(summary.taken_up, 1);
	ck_assert_int_eq(state_of_number("job", 2), STATE_DEACTIVATED);
	ck_assert_int_eq(current_number("job"), 0);
	ck_assert_uint_eq(registry_key(registry, "job", &key), CKR_OK);
	ck_assert_str_eq(key->algorithm->name, "rsa-2048");
	ck_assert_uint_eq(key->usage, USAGE_DECRYPT);
	key_record_free(&key);
	version_free(&version);
}
END_TEST

/* Another host destroyed it for good: encrypting to it is encrypting to nobody. */
START_TEST(misses_pairs_of_versions_that_protect)
{
	struct version *gone, *there, *old, *next;

	old = make("old", "p-256", 0);
	next = make("old", "p-256", 0);
	gone = make("gone", "p-256", 0);
	there = make("there", "p-256", 0);
	ck_assert_uint_eq(kms_destroy_pair(kms, gone->id.data, gone->id.size, soon()), CKR_OK);
	ck_assert_uint_eq(kms_destroy_pair(kms, old->id.data, old->id.size, soon()), CKR_OK);
	ck_assert_uint_eq(refresh(), CKR_OK);
	ck_assert_uint_eq(summary.missing, 1);
	ck_assert_uint_eq(summary.failed, 0);
	ck_assert_int_eq(state_of(gone), STATE_ACTIVE);
	ck_assert_uint_eq(lifecycle_refresh(lifecycle, true, NULL, NULL, &summary), CKR_OK);
	ck_assert_uint_eq(summary.missing, 1);
	version_free(&gone);
	version_free(&there);
	version_free(&old);
	version_free(&next);
}
END_TEST

/* Rotated as advised, that of a version in its overlap is told, and fails nothing any more. */
START_TEST(does_not_miss_what_was_rotated_away)
{
	struct version *old = make("job", "p-256", 0), *next;

	set_policy("job", "overlap=30d");
	ck_assert_uint_eq(kms_destroy_pair(kms, old->id.data, old->id.size, soon()), CKR_OK);
	ck_assert_uint_eq(refresh(), CKR_OK);
	ck_assert_uint_eq(summary.missing, 1);
	next = make("job", "p-256", 0);
	ck_assert_int_eq(state_of(old), STATE_ACTIVE);
	ck_assert_uint_eq(refresh(), CKR_OK);
	ck_assert_uint_eq(summary.missing, 0);
	ck_assert_uint_eq(summary.failed, 0);
	version_free(&old);
	version_free(&next);
}
END_TEST

/* context: how many steps may be made. */
static bool
some_steps(void *context, size_t done, size_t total)
{
	ck_assert_uint_le(done, total);
	return done < *(size_t *)context;
}

/* It can be stopped between two pairs, too, and tells what is left: here a key to be rotated as well. */
START_TEST(stops_between_two_pairs)
{
	struct create_request request = {
		.name = "due", .rotate_every = 60, .protect_from = clock_now() - 100
	};
	struct version *due;
	size_t most = 2;

	kms_config.self_signed = true;
	rotate_times("job", 1);
	host_copy(1);
	rotate_times("job", 5);
	host_turn(1);
	ck_assert_uint_eq(refresh(), CKR_OK);
	age_notes();
	due = make_by(&request);
	ck_assert_uint_eq(lifecycle_refresh(lifecycle, false, some_steps, &most, &summary), CKR_OK);
	ck_assert_uint_eq(summary.taken_up, 2);
	ck_assert_uint_eq(summary.rotated, 0);
	/* Three pairs, the key, and certificates for the two that were taken up. */
	ck_assert_uint_eq(summary.left, 3 + 1 + 2);
	ck_assert_int_eq(current_number("job"), 3);
	ck_assert_uint_eq(refresh(), CKR_OK);
	ck_assert_uint_eq(summary.taken_up, 3);
	ck_assert_uint_eq(summary.rotated, 1);
	ck_assert_uint_eq(summary.left, 0);
	ck_assert_int_eq(current_number("job"), 6);
	version_free(&due);
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
	tcase_add_test(tests, holds_nothing_back_when_rebuild_has_run);
	tcase_add_test(tests, waits_before_it_takes_up);
	tcase_add_test(tests, waits_with_an_older_registry);
	tcase_add_test(tests, takes_up_what_is_to_be_active_later);
	tcase_add_test(tests, makes_it_without_the_date_where_the_hsm_has_none);
	tcase_add_test(tests, finishes_what_was_to_be_active_later);
	tcase_add_test(tests, keeps_what_was_given_up_and_taken_up_elsewhere);
	tcase_add_test(tests, removes_what_it_began_to_remove);
	tcase_add_test(tests, keeps_the_newer_policy);
	tcase_add_test(tests, misses_pairs_of_versions_that_protect);
	tcase_add_test(tests, does_not_miss_what_was_rotated_away);
	tcase_add_test(tests, stops_between_two_pairs);
	suite_add_tcase(suite, tests);
	return suite;
}
