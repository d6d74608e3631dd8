/* SPDX-License-Identifier: Apache-2.0 */
#include "lifecycle-fixture.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DAY INT64_C(86400)

static struct refresh_summary summary;

static CK_RV
refresh(bool dry_run)
{
	memset(&summary, 0, sizeof summary);
	return lifecycle_refresh(lifecycle, dry_run, NULL, NULL, &summary);
}

#define ASSERT_SUMMARY(is_finished, is_undone, is_rotated, is_purged, is_failed) \
	do {                                                    \
		ck_assert_uint_eq(summary.finished, is_finished); \
		ck_assert_uint_eq(summary.undone, is_undone);     \
		ck_assert_uint_eq(summary.rotated, is_rotated);   \
		ck_assert_uint_eq(summary.purged, is_purged);     \
		ck_assert_uint_eq(summary.failed, is_failed);     \
	} while (0)

/* A key whose interval passed yesterday. */
static struct version *
make_due(const char *name)
{
	struct create_request request = {
		.name = name, .rotate_every = DAY, .protect_from = clock_now() - 2 * DAY
	};

	return make_by(&request);
}

/* What a creation that was killed leaves; with_pair: killed after the pair was made. */
static void
leave_intent(const char *name, const void *id, size_t id_size, const char *algorithm,
             bool with_pair)
{
	struct kms_pair pair = {
		.algorithm = algorithm_by_name(algorithm), .id = id, .id_size = id_size, .sign = true,
	};
	struct buffer spki = BUFFER_INIT;
	int64_t number;
	char label[64];

	pair.derive = pair.algorithm->key_type == CKK_EC;
	ck_assert_uint_eq(registry_intend(registry, &(struct intention){
		.name = name, .id = id, .id_size = id_size
	}, &number), CKR_OK);
	snprintf(label, sizeof label, "%s@%d", name, (int)number);
	pair.label = label;
	if (with_pair)
		ck_assert_uint_eq(kms_generate_pair(kms, &pair, patiently(), &spki), CKR_OK);
	buffer_clear(&spki);
}

static void
age_intents(void)
{
	meddle("UPDATE intents SET since = since - 3600");
}

START_TEST(signs_a_new_head)
{
	struct registry_head before, after;

	ck_assert_uint_eq(registry_head(registry, &before), CKR_OK);
	kms_config.expires_after = 30 * DAY;
	ck_assert_uint_eq(refresh(false), CKR_OK);
	ASSERT_SUMMARY(0, 0, 0, 0, 0);
	ck_assert_uint_eq(registry_head(registry, &after), CKR_OK);
	ck_assert_int_eq(after.sequence, before.sequence);
	ck_assert_int_gt(after.expires, before.expires + 20 * DAY);
}
END_TEST

START_TEST(dry_run_changes_nothing)
{
	struct registry_head before, after;
	struct version *due = make_due("job"), *destroyed;

	kms_config.destroy_after = 0;
	destroyed = make("old", "p-256", 0);
	ck_assert_uint_eq(lifecycle_destroy(lifecycle, destroyed->object), CKR_OK);
	leave_intent("job", "id-1", 4, "p-256", true);
	leave_intent("new", "id-2", 4, "p-256", false);
	age_intents();
	/* This one may still be going on: refresh would leave it alone. */
	leave_intent("young", "id-3", 4, "p-256", false);
	ck_assert_uint_eq(registry_head(registry, &before), CKR_OK);
	ck_assert_uint_eq(refresh(true), CKR_OK);
	ASSERT_SUMMARY(1, 1, 1, 1, 0);
	ck_assert_uint_eq(registry_head(registry, &after), CKR_OK);
	ck_assert_int_eq(after.sequence, before.sequence);
	ck_assert_int_eq(after.expires, before.expires);
	ck_assert_uint_eq(intent_count(), 3);
	version_free(&due);
	version_free(&destroyed);
}
END_TEST

START_TEST(rotates_what_is_due_once)
{
	struct version *due = make_due("due"), *fresh = make("fresh", "p-256", 0), *never;
	struct create_request request = {
		.name = "never", .rotate_every = 0, .protect_from = clock_now() - 900 * DAY
	};

	never = make_by(&request);
	ck_assert_uint_eq(refresh(false), CKR_OK);
	ASSERT_SUMMARY(0, 0, 1, 0, 0);
	ck_assert_int_eq(current_number("due"), 2);
	ck_assert_int_eq(current_number("fresh"), 1);
	ck_assert_int_eq(current_number("never"), 1);
	ck_assert_int_eq(state_of(due), STATE_DEACTIVATED);
	ck_assert_uint_eq(refresh(false), CKR_OK);
	ASSERT_SUMMARY(0, 0, 0, 0, 0);
	version_free(&due);
	version_free(&fresh);
	version_free(&never);
}
END_TEST

/* An intent that is to be young for ever does not keep a key from being rotated. */
START_TEST(rotates_in_spite_of_a_forged_intent)
{
	static const char *const times[] = {
		"strftime('%s', 'now') + 315360000", "strftime('%s', 'now') + 70",
		"1099511627776 + strftime('%s', 'now') + 3600", "-strftime('%s', 'now') - 3600",
	};
	struct version *due = make_due("due");
	char sql[256];

	snprintf(sql, sizeof sql, "INSERT INTO intents SELECT x'aabbcc', 'due', 7, %s", times[_i]);
	meddle(sql);
	ck_assert_uint_eq(refresh(false), CKR_OK);
	ASSERT_SUMMARY(0, 1, 1, 0, 0);
	ck_assert_uint_eq(intent_count(), 0);
	version_free(&due);
}
END_TEST

static size_t steps, last_done, last_total;

/* context: how many steps may be made, NULL all. */
static bool
count_step(void *context, size_t done, size_t total)
{
	steps++;
	last_done = done;
	last_total = total;
	return context == NULL || done < *(size_t *)context;
}

/* It can be stopped between two keys, and the next one goes on. */
START_TEST(looks_after_what_is_due_among_many_keys)
{
	size_t most = 3;
	char name[16];

	for (int i = 0; i < 66; i++) {
		struct version *version;

		snprintf(name, sizeof name, "key-%02d", i);
		version = i % 10 == 0 ? make_due(name) : make(name, "p-256", 0);
		version_free(&version);
	}
	ck_assert_uint_eq(lifecycle_refresh(lifecycle, false, count_step, &most, &summary), CKR_OK);
	ASSERT_SUMMARY(0, 0, 3, 0, 0);
	ck_assert_uint_eq(summary.left, 4);
	ck_assert_uint_eq(last_done, 3);
	ck_assert_uint_eq(last_total, 7);
	steps = 0;
	ck_assert_uint_eq(lifecycle_refresh(lifecycle, false, count_step, NULL, &summary), CKR_OK);
	ASSERT_SUMMARY(0, 0, 4, 0, 0);
	ck_assert_uint_eq(summary.left, 0);
	ck_assert_uint_eq(steps, 5); /* before each, and at the end */
	ck_assert_uint_eq(last_done, 4);
	ck_assert_uint_eq(last_total, 4);
}
END_TEST

START_TEST(finishes_an_interrupted_rotation)
{
	struct version *first = make("job", "p-256", 0), *second = NULL;
	struct registry_search search = { .name = "job", .number = 2 };
	int64_t object;
	size_t count;

	leave_intent("job", "id-1", 4, "p-256", true);
	ck_assert_uint_eq(refresh(false), CKR_OK);
	ASSERT_SUMMARY(0, 0, 0, 0, 0); /* it may still be going on */
	age_intents();
	ck_assert_uint_eq(refresh(false), CKR_OK);
	ASSERT_SUMMARY(1, 0, 0, 0, 0);
	ck_assert_int_eq(current_number("job"), 2);
	ck_assert_int_eq(state_of(first), STATE_DEACTIVATED);
	ck_assert_uint_eq(registry_search(registry, &search, &object, 1, &count), CKR_OK);
	ck_assert_uint_eq(count, 1);
	ck_assert_uint_eq(registry_version(registry, object, &second), CKR_OK);
	ck_assert(buffer_equal(&second->id, "id-1", 4));
	ck_assert_ptr_eq(second->algorithm, algorithm_by_name("p-256"));
	ck_assert_int_eq(second->protect_until, second->protect_from + 97 * DAY);
	ck_assert_uint_eq(intent_count(), 0);
	version_free(&first);
	version_free(&second);
}
END_TEST

/* Its removal had begun. */
START_TEST(undoes_what_was_given_up)
{
	struct version *first = make("job", "p-256", 0);
	bool given_up = false;

	leave_intent("job", "id-1", 4, "p-256", true);
	ck_assert_uint_eq(registry_intent_give_up(registry, "id-1", 4, &given_up), CKR_OK);
	ck_assert(given_up);
	ck_assert_uint_eq(refresh(false), CKR_OK);
	ASSERT_SUMMARY(0, 0, 0, 0, 0); /* the KMS may still be at it */
	meddle("UPDATE intents SET since = since + 3600");
	ck_assert_uint_eq(refresh(false), CKR_OK);
	ASSERT_SUMMARY(0, 1, 0, 0, 0);
	ck_assert_int_eq(current_number("job"), 1);
	ck_assert_uint_eq(pair_count(), 2); /* the authority, the version */
	version_free(&first);
}
END_TEST

/*
 * A host that can't keep what it has seen may look at an older registry, into which an intent
 * for a newer version was written: its pair stays, and is not taken up either.
 */
START_TEST(who_remembers_nothing_removes_nothing)
{
	struct version *first = make("job", "p-256", 0);
	bool given_up;

	leave_intent("job", "id-1", 4, "p-256", true);
	ck_assert_uint_eq(registry_intent_give_up(registry, "id-1", 4, &given_up), CKR_OK);
	leave_intent("job", "none", 4, "p-256", false);
	ck_assert_uint_eq(registry_intent_give_up(registry, "none", 4, &given_up), CKR_OK);
	meddle("UPDATE intents SET since = -1099511627776 - 1000");
	lifecycle_end();
	ck_assert_int_eq(setenv("XDG_STATE_HOME", "/dev/null/nowhere", 1), 0);
	lifecycle_begin();
	for (int i = 0; i < 2; i++) {
		ck_assert_uint_eq(refresh(false), CKR_OK);
		ASSERT_SUMMARY(0, i == 0 ? 1 : 0, 0, 0, 0); /* the one without a pair */
		ck_assert_uint_eq(summary.kept, 1);
		ck_assert_uint_eq(pair_count(), 3);
		ck_assert_uint_eq(intent_count(), 1);
		ck_assert_int_eq(current_number("job"), 1);
	}
	version_free(&first);
}
END_TEST

/* It was to do something else, which the pair does not tell; another host may have taken it up. */
START_TEST(keeps_what_only_its_maker_can_finish)
{
	struct version *first = make("job", "p-256", 0);

	leave_intent("job", "id-1", 4, "p-256", true);
	meddle("UPDATE intents SET since = since + 1099511627776");
	ck_assert_uint_eq(refresh(false), CKR_OK);
	ASSERT_SUMMARY(0, 0, 0, 0, 0); /* it may still be going on */
	age_intents();
	ck_assert_uint_eq(refresh(false), CKR_OK);
	ASSERT_SUMMARY(1, 0, 0, 0, 0);
	ck_assert_uint_eq(pair_count(), 3);
	ck_assert_uint_eq(intent_count(), 0);
	ck_assert_int_eq(current_number("job"), 1); /* the other only processes */
	version_free(&first);
}
END_TEST

START_TEST(undoes_what_can_not_be_finished)
{
	struct version *first = make("job", "p-256", 0), *second = NULL;
	struct buffer spki = BUFFER_INIT;

	leave_intent("new", "new", 3, "p-256", true);       /* its policy is not known */
	leave_intent("job", "none", 4, "p-256", false);     /* killed before the pair */
	leave_intent("job", "old", 3, "p-256", true);       /* a later version is there: it only processes */
	second = make("job", "p-256", 0);
	age_intents();
	ck_assert_uint_eq(refresh(false), CKR_OK);
	ASSERT_SUMMARY(1, 2, 0, 0, 0);
	ck_assert_uint_eq(intent_count(), 0);
	ck_assert_int_eq(current_number("job"), second->number);
	ck_assert_uint_eq(kms_public_key(kms, "new", 3, soon(), &spki), CKR_KEY_HANDLE_INVALID);
	ck_assert_uint_eq(kms_public_key(kms, "old", 3, soon(), &spki), CKR_OK);
	ck_assert_uint_eq(pair_count(), 4); /* the authority, three versions */
	buffer_clear(&spki);
	version_free(&first);
	version_free(&second);
}
END_TEST

/* The pair was made without the key's usage (here: RSA that only signs): it proves nothing. */
START_TEST(undoes_what_does_not_prove_itself)
{
	struct version *first = make("job", "rsa-2048", USAGE_DECRYPT);

	leave_intent("job", "id-1", 4, "rsa-2048", true);
	age_intents();
	ck_assert_uint_eq(refresh(false), CKR_OK);
	ASSERT_SUMMARY(0, 1, 0, 0, 0);
	ck_assert_int_eq(current_number("job"), 1);
	version_free(&first);
}
END_TEST

/* An intent whose commit came through after all: the pair must stay. */
START_TEST(keeps_the_pair_of_a_version)
{
	struct version *version = make("job", "p-256", 0);
	struct buffer spki = BUFFER_INIT;
	char sql[256], *hex = hex_dup(version->id.data, version->id.size);

	snprintf(sql, sizeof sql, "INSERT INTO intents (id, name, number, since) "
	         "VALUES (x'%s', 'job', 1, 1)", hex);
	meddle(sql);
	ck_assert_uint_eq(refresh(false), CKR_OK);
	ck_assert_uint_eq(summary.untrue, 0); /* only late */
	ck_assert_uint_eq(intent_count(), 0);
	ck_assert_uint_eq(kms_public_key(kms, version->id.data, version->id.size, soon(), &spki),
	                  CKR_OK);
	ck_assert_int_eq(state_of(version), STATE_ACTIVE);
	buffer_clear(&spki);
	free(hex);
	version_free(&version);
}
END_TEST

/* Writes what anybody who can write the file could: an intent for the pair with this CKA_ID. */
static void
forge_intent(const struct buffer *id, const char *name, int number)
{
	char *hex = hex_dup(id->data, id->size), sql[512];

	snprintf(sql, sizeof sql, "INSERT INTO intents (id, name, number, since) "
	         "VALUES (x'%s', '%s', %d, 1)", hex, name, number);
	meddle(sql);
	free(hex);
}

static bool
private_key_is_there(const struct buffer *id)
{
	CK_RV rv = kms_find_pair(kms, id->data, id->size, NULL, soon());

	ck_assert(rv == CKR_OK || rv == CKR_KEY_HANDLE_INVALID);
	return rv == CKR_OK;
}

START_TEST(keeps_the_authority_from_a_forged_intent)
{
	const struct buffer *id = &lifecycle->token->authority_id;
	struct version *version = make("job", "p-256", USAGE_SIGN);

	forge_intent(id, "zzz", 1);
	ck_assert_uint_eq(refresh(true), CKR_OK);
	ASSERT_SUMMARY(0, 0, 0, 0, 0);
	ck_assert_uint_eq(summary.untrue, 1);
	ck_assert_uint_eq(intent_count(), 1);
	ck_assert_uint_eq(refresh(false), CKR_OK);
	ASSERT_SUMMARY(0, 0, 0, 0, 0);
	ck_assert_uint_eq(summary.untrue, 1);
	ck_assert(private_key_is_there(id));
	ck_assert_uint_eq(intent_count(), 0);
	/* Nor does it become a version, which an application could sign with. */
	forge_intent(id, "job", 2);
	ck_assert_uint_eq(refresh(false), CKR_OK);
	ASSERT_SUMMARY(0, 0, 0, 0, 0);
	ck_assert_uint_eq(summary.untrue, 1);
	ck_assert_int_eq(current_number("job"), 1);
	version_free(&version);
}
END_TEST

/* Of a version whose row was taken out of the index, the log still tells. */
START_TEST(keeps_what_the_log_knows)
{
	struct version *version = make("job", "p-256", 0);

	meddle("DELETE FROM versions");
	forge_intent(&version->id, "job", 1);
	ck_assert_uint_eq(refresh(false), CKR_OK);
	ASSERT_SUMMARY(0, 0, 0, 0, 1); /* nor is it taken up again */
	ck_assert_int_eq(current_number("job"), 0);
	ck_assert(private_key_is_there(&version->id));
	ck_assert_uint_eq(intent_count(), 0);
	version_free(&version);
}
END_TEST

/* A log that entries are missing from tells nothing: then nothing is touched. */
START_TEST(keeps_all_when_the_log_is_not_whole)
{
	struct version *version = make("job", "p-256", 0), *other = make("other", "p-256", 0);
	char sql[128];

	snprintf(sql, sizeof sql, "DELETE FROM entries WHERE sequence = %d; DELETE FROM versions",
	         (int)version->object);
	meddle(sql);
	forge_intent(&version->id, "job", 1);
	ck_assert_uint_eq(refresh(false), CKR_OK);
	ASSERT_SUMMARY(0, 0, 0, 0, 3); /* the log, the intent, and the other pair, which is not taken up */
	ck_assert_int_eq(current_number("other"), 0);
	ck_assert(private_key_is_there(&version->id));
	ck_assert_uint_eq(intent_count(), 1);
	version_free(&version);
	version_free(&other);
}
END_TEST

/* Keys of others are not labelled NAME@NUMBER of the intent. */
START_TEST(keeps_the_keys_of_others)
{
	struct version *version = make("job", "p-256", 0);
	struct kms_pair pair = {
		.algorithm = algorithm_by_name("p-256"), .id = (const unsigned char *)"id-1", .id_size = 4,
		.sign = true, .derive = true, .label = "theirs",
	};
	struct buffer spki = BUFFER_INIT, id = { (unsigned char *)"id-1", 4, 4 };

	ck_assert_uint_eq(kms_generate_pair(kms, &pair, soon(), &spki), CKR_OK);
	forge_intent(&id, "job", 2);
	ck_assert_uint_eq(refresh(false), CKR_OK);
	ASSERT_SUMMARY(0, 0, 0, 0, 0);
	ck_assert_uint_eq(summary.untrue, 1);
	ck_assert(private_key_is_there(&id));
	ck_assert_uint_eq(intent_count(), 0);
	ck_assert_int_eq(current_number("job"), 1);
	buffer_clear(&spki);
	version_free(&version);
}
END_TEST

START_TEST(destroys_and_restores)
{
	struct version *version = make("job", "p-256", 0), *next;

	ck_assert_uint_eq(lifecycle_restore(lifecycle, version->object), CKR_ACTION_PROHIBITED);
	ck_assert_uint_eq(lifecycle_destroy(lifecycle, version->object), CKR_OK);
	ck_assert_int_eq(state_of(version), STATE_DESTROY_PENDING);
	ck_assert_int_eq(current_number("job"), 0);
	ck_assert_uint_eq(lifecycle_destroy(lifecycle, version->object), CKR_OBJECT_HANDLE_INVALID);
	ck_assert_uint_eq(lifecycle_restore(lifecycle, version->object), CKR_OK);
	ck_assert_int_eq(state_of(version), STATE_ACTIVE);
	/* With another current one it comes back without protecting. */
	ck_assert_uint_eq(lifecycle_destroy(lifecycle, version->object), CKR_OK);
	next = make("job", "p-256", 0);
	ck_assert_int_eq(next->number, 2);
	ck_assert_uint_eq(lifecycle_restore(lifecycle, version->object), CKR_OK);
	ck_assert_int_eq(state_of(version), STATE_DEACTIVATED);
	ck_assert_int_eq(current_number("job"), 2);
	ck_assert_uint_eq(lifecycle_destroy(lifecycle, 999), CKR_OBJECT_HANDLE_INVALID);
	ck_assert_uint_eq(lifecycle_restore(lifecycle, 999), CKR_OBJECT_HANDLE_INVALID);
	version_free(&version);
	version_free(&next);
}
END_TEST

START_TEST(purges_past_the_grace)
{
	struct version *kept = make("kept", "p-256", 0), *gone;
	struct buffer spki = BUFFER_INIT;

	kms_config.destroy_after = 0; /* a key keeps the grace it was made with */
	gone = make("gone", "p-256", 0);
	ck_assert_uint_eq(lifecycle_destroy(lifecycle, kept->object), CKR_OK);
	ck_assert_uint_eq(lifecycle_destroy(lifecycle, gone->object), CKR_OK);
	ck_assert_uint_eq(lifecycle_restore(lifecycle, gone->object), CKR_ACTION_PROHIBITED);
	ck_assert_uint_eq(refresh(false), CKR_OK);
	ASSERT_SUMMARY(0, 0, 0, 1, 0);
	ck_assert_int_eq(state_of(gone), STATE_DESTROYED);
	ck_assert_int_eq(state_of(kept), STATE_DESTROY_PENDING);
	ck_assert_uint_eq(kms_public_key(kms, gone->id.data, gone->id.size, soon(), &spki),
	                  CKR_KEY_HANDLE_INVALID);
	ck_assert_uint_eq(kms_public_key(kms, kept->id.data, kept->id.size, soon(), &spki), CKR_OK);
	ck_assert_uint_eq(refresh(false), CKR_OK);
	ASSERT_SUMMARY(0, 0, 0, 0, 0);
	buffer_clear(&spki);
	version_free(&kept);
	version_free(&gone);
}
END_TEST

/* Hidden ones among many that are shown: the two walks keep in step over their pages. */
START_TEST(purges_among_many)
{
	struct version *version;
	char name[16];

	kms_config.destroy_after = 0;
	for (int i = 0; i < 68; i++) {
		snprintf(name, sizeof name, "key-%d", i);
		version = make(name, "p-256", 0);
		if (i < 3 || i == 63 || i == 67)
			ck_assert_uint_eq(lifecycle_destroy(lifecycle, version->object), CKR_OK);
		version_free(&version);
	}
	ck_assert_uint_eq(refresh(false), CKR_OK);
	ASSERT_SUMMARY(0, 0, 0, 5, 0);
}
END_TEST

/* The HSM lost a mechanism with an update of its firmware. */
static CK_RV
info_without_pss(CK_SLOT_ID slot, CK_MECHANISM_TYPE type, CK_MECHANISM_INFO *info)
{
	if (type == CKM_RSA_PKCS_PSS)
		return CKR_MECHANISM_INVALID;
	return softhsm_original.C_GetMechanismInfo(slot, type, info);
}

START_TEST(updates_the_token_record)
{
	int64_t created = lifecycle->token->created;
	struct token_record *token = NULL;

	ck_assert(token_record_has(lifecycle->token, CKM_RSA_PKCS_PSS));
	softhsm_functions()->C_GetMechanismInfo = info_without_pss;
	ck_assert_uint_eq(refresh(false), CKR_OK);
	softhsm_functions()->C_GetMechanismInfo = softhsm_original.C_GetMechanismInfo;
	ck_assert_uint_eq(registry_token(registry, &token), CKR_OK);
	ck_assert(!token_record_has(token, CKM_RSA_PKCS_PSS));
	ck_assert(token_record_has(token, CKM_ECDSA));
	ck_assert_int_eq(token->created, created);
	token_record_free(&token);
}
END_TEST

#define HOSTS 4

static void *
refresh_in_thread(void *context)
{
	struct refresh_summary *own = context;
	struct registry *other = NULL;
	struct lifecycle *opened = NULL;
	char *why = NULL;

	ck_assert_uint_eq(registry_open(kms_config.registry, authority, REGISTRY_WRITE, &other,
	                                &why), CKR_OK);
	ck_assert_uint_eq(lifecycle_open(&kms_config, kms, other, authority, &opened), CKR_OK);
	ck_assert_uint_eq(lifecycle_refresh(opened, false, NULL, NULL, own), CKR_OK);
	lifecycle_free(&opened);
	registry_free(&other);
	return NULL;
}

/* Several at once: each key rotates once, the version is purged once, nothing is left over. */
START_TEST(refreshes_may_cross)
{
	struct refresh_summary own[HOSTS] = { { 0 } }, all = { 0 };
	pthread_t threads[HOSTS];
	struct version *gone;
	char name[16];

	for (int i = 0; i < 6; i++) {
		struct version *version;

		snprintf(name, sizeof name, "key-%d", i);
		version = make_due(name);
		version_free(&version);
	}
	kms_config.destroy_after = 0;
	gone = make("gone", "p-256", 0);
	ck_assert_uint_eq(lifecycle_destroy(lifecycle, gone->object), CKR_OK);
	for (size_t i = 0; i < HOSTS; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, refresh_in_thread, &own[i]), 0);
	for (size_t i = 0; i < HOSTS; i++) {
		ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
		all.rotated += own[i].rotated;
		all.purged += own[i].purged;
	}
	/* SoftHSM fails now and then while another thread destroys: the next refresh mends it. */
	age_intents();
	ck_assert_uint_eq(refresh(false), CKR_OK);
	ck_assert_uint_eq(summary.failed, 0);
	ck_assert_uint_eq(all.rotated + summary.rotated + summary.finished, 6);
	ck_assert_uint_eq(all.purged + summary.purged, 1);
	for (int i = 0; i < 6; i++) {
		snprintf(name, sizeof name, "key-%d", i);
		ck_assert_int_ge(current_number(name), 2); /* a number that was given up may be passed over */
	}
	ck_assert_uint_eq(pair_count(), 1 + 6 + 6);
	ck_assert_uint_eq(intent_count(), 0);
	version_free(&gone);
}
END_TEST

static CK_RV
generate_fails(CK_SESSION_HANDLE session, CK_MECHANISM *mechanism, CK_ATTRIBUTE *public,
               CK_ULONG public_count, CK_ATTRIBUTE *private, CK_ULONG private_count,
               CK_OBJECT_HANDLE *public_key, CK_OBJECT_HANDLE *private_key)
{
	(void)session;
	(void)mechanism;
	(void)public;
	(void)public_count;
	(void)private;
	(void)private_count;
	(void)public_key;
	(void)private_key;
	return CKR_FUNCTION_FAILED;
}

/* One that fails does not keep the rest from being done. */
START_TEST(goes_on_after_a_failure)
{
	struct version *due = make_due("due"), *gone;

	kms_config.destroy_after = 0;
	gone = make("gone", "p-256", 0);
	ck_assert_uint_eq(lifecycle_destroy(lifecycle, gone->object), CKR_OK);
	softhsm_functions()->C_GenerateKeyPair = generate_fails;
	ck_assert_uint_eq(refresh(false), CKR_OK);
	softhsm_functions()->C_GenerateKeyPair = softhsm_original.C_GenerateKeyPair;
	ASSERT_SUMMARY(0, 0, 0, 1, 1);
	ck_assert_int_eq(state_of(gone), STATE_DESTROYED);
	ck_assert_int_eq(current_number("due"), 1);
	version_free(&due);
	version_free(&gone);
}
END_TEST

static unsigned asked;

static CK_RV
count_token_info(CK_SLOT_ID slot, CK_TOKEN_INFO *info)
{
	asked++;
	return softhsm_original.C_GetTokenInfo(slot, info);
}

/* Many broken keys are not as many questions whether the KMS is there. */
START_TEST(asks_the_kms_once_for_many_broken_keys)
{
	char name[16];

	for (int i = 0; i < 12; i++) {
		struct version *version;

		snprintf(name, sizeof name, "key-%d", i);
		version = make_due(name);
		version_free(&version);
	}
	meddle("UPDATE entries SET signature = zeroblob(length(signature)) WHERE sequence IN"
	       " (SELECT sequence FROM keys)");
	softhsm_functions()->C_GetTokenInfo = count_token_info;
	asked = 0;
	ck_assert_uint_eq(refresh(false), CKR_OK);
	softhsm_functions()->C_GetTokenInfo = softhsm_original.C_GetTokenInfo;
	ck_assert_uint_ge(summary.failed, 12);
	ck_assert_uint_lt(asked, 6);
}
END_TEST

START_TEST(fails_without_the_kms)
{
	kms_reopen(true);
	lifecycle_end();
	lifecycle_begin();
	kms_free(&kms);
	softhsm_unplug();
	ck_assert_uint_eq(kms_new(&kms_config, &kms), CKR_OK);
	lifecycle->kms = kms;
	ck_assert_uint_eq(refresh(false), CKR_DEVICE_ERROR);
	softhsm_plug();
}
END_TEST

Suite *
unit_suite(void)
{
	Suite *suite = suite_create("lifecycle-refresh");
	TCase *tests = tcase_create("refresh");

	tcase_add_checked_fixture(tests, lifecycle_setup, lifecycle_teardown);
	tcase_set_timeout(tests, 120);
	tcase_add_test(tests, signs_a_new_head);
	tcase_add_test(tests, dry_run_changes_nothing);
	tcase_add_test(tests, rotates_what_is_due_once);
	tcase_add_loop_test(tests, rotates_in_spite_of_a_forged_intent, 0, 4);
	tcase_add_test(tests, looks_after_what_is_due_among_many_keys);
	tcase_add_test(tests, finishes_an_interrupted_rotation);
	tcase_add_test(tests, undoes_what_was_given_up);
	tcase_add_test(tests, who_remembers_nothing_removes_nothing);
	tcase_add_test(tests, keeps_what_only_its_maker_can_finish);
	tcase_add_test(tests, undoes_what_can_not_be_finished);
	tcase_add_test(tests, undoes_what_does_not_prove_itself);
	tcase_add_test(tests, keeps_the_pair_of_a_version);
	tcase_add_test(tests, keeps_the_authority_from_a_forged_intent);
	tcase_add_test(tests, keeps_what_the_log_knows);
	tcase_add_test(tests, keeps_all_when_the_log_is_not_whole);
	tcase_add_test(tests, keeps_the_keys_of_others);
	tcase_add_test(tests, destroys_and_restores);
	tcase_add_test(tests, purges_past_the_grace);
	tcase_add_test(tests, purges_among_many);
	tcase_add_test(tests, updates_the_token_record);
	tcase_add_test(tests, refreshes_may_cross);
	tcase_add_test(tests, goes_on_after_a_failure);
	tcase_add_test(tests, asks_the_kms_once_for_many_broken_keys);
	tcase_add_test(tests, fails_without_the_kms);
	suite_add_tcase(suite, tests);
	return suite;
}
