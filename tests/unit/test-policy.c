/* SPDX-License-Identifier: Apache-2.0 */
/* The policy of a key: as it is written, what it can't be, and what of it counts at once. */
#include "lifecycle-fixture.h"
#include "registry-fixture.h"

#include "lifecycle/create.h"
#include "lifecycle/policy.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DAY INT64_C(86400)
#define COUNT(array) (sizeof (array) / sizeof *(array))

static struct policy_change
parsed(const char *text)
{
	struct policy_change change = { .given = 0 };
	char *why = NULL;

	ck_assert_msg(policy_parse(text, &change, &why), "%s: %s", text, why);
	ck_assert_ptr_null(why);
	return change;
}

START_TEST(durations_and_numbers)
{
	static const struct {
		const char *text;
		unsigned given;
		size_t offset;
		int64_t value;
	} rows[] = {
#define ROW(text, given, member, value) { text, given, offsetof(struct policy_change, member), value }
		ROW("rotate-every=30d", POLICY_ROTATE_EVERY, rotate_every, 30 * DAY),
		ROW("rotate-every=never", POLICY_ROTATE_EVERY, rotate_every, 0),
		ROW("overlap=0s", POLICY_OVERLAP, overlap, 0),
		ROW("overlap=2h", POLICY_OVERLAP, overlap, 7200),
		ROW("keep-versions=1", POLICY_KEEP_VERSIONS, keep_versions, 1),
		ROW("keep-versions=1000000", POLICY_KEEP_VERSIONS, keep_versions, 1000000),
		ROW("keep-versions=all", POLICY_KEEP_VERSIONS, keep_versions, 0),
		ROW("keep-for=1y", POLICY_KEEP_FOR, keep_for, 365 * DAY),
		ROW("keep-for=forever", POLICY_KEEP_FOR, keep_for, 0),
		ROW("destroy-after=0s", POLICY_DESTROY_AFTER, destroy_after, 0),
		ROW("destroy-after=1w", POLICY_DESTROY_AFTER, destroy_after, 7 * DAY),
#undef ROW
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct policy_change change = parsed(rows[i].text);
		int64_t value;

		memcpy(&value, (char *)&change + rows[i].offset, sizeof value);
		ck_assert_uint_eq(change.given, rows[i].given);
		ck_assert_msg(value == rows[i].value, "%s: %lld", rows[i].text, (long long)value);
		policy_change_clear(&change);
	}
}
END_TEST

START_TEST(words)
{
	struct policy_change change = parsed("algorithm=p-384");

	ck_assert_ptr_eq(change.algorithm, algorithm_by_name("p-384"));
	policy_change_clear(&change);
	ck_assert_uint_eq(change.given, 0);
	change = parsed("usage=sign,derive");
	ck_assert_uint_eq(change.usage, USAGE_SIGN | USAGE_DERIVE);
	policy_change_clear(&change);
	change = parsed("mechanisms=CKM_SHA256_RSA_PKCS,RSA-PKCS-OAEP");
	ck_assert_uint_eq(change.mechanisms.count, 2);
	policy_change_clear(&change);
	change = parsed("mechanisms=all");
	ck_assert_uint_eq(change.given, POLICY_MECHANISMS);
	ck_assert_uint_eq(change.mechanisms.count, 0);
	policy_change_clear(&change);
	change = parsed("recovery=none");
	ck_assert_uint_eq(change.given, POLICY_RECOVERY);
	ck_assert_uint_eq(change.recovery.size, 0);
	policy_change_clear(&change);
}
END_TEST

START_TEST(what_can_not_be_read_says_what_to_write)
{
	static const char *const rows[][2] = {
		{ "", "NAME=VALUE" },
		{ "rotate-every", "NAME=VALUE" },
		{ "=30d", "NAME=VALUE" },
		{ "rotate=30d", "rotate-every" },
		{ "rotate-every-so=30d", "NAME=VALUE" },
		{ "rotate-every=", "such as 30d" },
		{ "rotate-every=30", "or never" },
		{ "rotate-every=0s", "or never" },
		{ "rotate-every=-1d", "such as 30d" },
		{ "rotate-every=30d ", "such as 30d" },
		{ "rotate-every=500ms", "such as 30d" },
		{ "rotate-every=101y", "such as 30d" },
		{ "overlap=never", "such as 30d" },
		{ "keep-for=never", "or forever" },
		{ "keep-for=0s", "or forever" },
		{ "destroy-after=never", "such as 30d" },
		{ "keep-versions=0", "or all" },
		{ "keep-versions=-1", "or all" },
		{ "keep-versions=2x", "or all" },
		{ "keep-versions=1000001", "or all" },
		{ "keep-versions=99999999999999999999", "or all" },
		{ "algorithm=rsa-1024", "is not known" },
		{ "usage=", "is made of" },
		{ "usage=encrypt", "is made of" },
		{ "mechanisms=", "is no mechanism" },
		{ "mechanisms=RSA-PKCS-OAEP,", "is no mechanism" },
		{ "mechanisms=CKM_", "is no mechanism" },
		{ "mechanisms=RSA-PKCS-OAE", "is no mechanism" },
		{ "recovery=", "or none" },
		{ "recovery=/nonexistent/key.pem", "/nonexistent/key.pem" },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct policy_change change = { .given = 0 };
		char *why = NULL;

		ck_assert_msg(!policy_parse(rows[i][0], &change, &why), "%s", rows[i][0]);
		ck_assert_msg(why != NULL && strstr(why, rows[i][1]) != NULL, "%s: %s", rows[i][0], why);
		free(why);
		policy_change_clear(&change);
	}
}
END_TEST

START_TEST(nothing_is_given_twice)
{
	struct policy_change change = parsed("overlap=1h");
	char *why = NULL;

	ck_assert(policy_parse("keep-versions=3", &change, &why));
	ck_assert(!policy_parse("overlap=2h", &change, &why));
	ck_assert_ptr_nonnull(strstr(why, "twice"));
	ck_assert_int_eq(change.overlap, 3600);
	ck_assert_uint_eq(change.given, POLICY_OVERLAP | POLICY_KEEP_VERSIONS);
	free(why);
	policy_change_clear(&change);
}
END_TEST

/* What is not given stays. */
START_TEST(applies_what_is_given)
{
	struct policy_change change = { .given = POLICY_OVERLAP, .overlap = 7, .keep_versions = 9 };
	struct key_record *key = fixture_key("job");
	int64_t rotate_every = key->rotate_every, keep_versions = key->keep_versions;

	ck_assert_uint_eq(policy_apply(&change, key), CKR_OK);
	ck_assert_int_eq(key->overlap, 7);
	ck_assert_int_eq(key->keep_versions, keep_versions);
	ck_assert_int_eq(key->rotate_every, rotate_every);
	key_record_free(&key);
}
END_TEST

START_TEST(a_usage_fits_its_algorithm)
{
	static const struct {
		const char *before;
		unsigned usage;
		const char *algorithm; /* NULL: not given */
		unsigned given;        /* 0: not given */
		unsigned expected;     /* 0: refused */
	} rows[] = {
		{ "rsa-2048", USAGE_DECRYPT | USAGE_SIGN, "p-256", 0, USAGE_SIGN },
		{ "rsa-2048", USAGE_DECRYPT | USAGE_SIGN, "rsa-4096", 0, USAGE_DECRYPT | USAGE_SIGN },
		{ "rsa-2048", USAGE_DECRYPT, "ed25519", 0, USAGE_SIGN },
		{ "rsa-2048", USAGE_DECRYPT, "p-256", USAGE_DERIVE, USAGE_DERIVE },
		{ "rsa-2048", USAGE_DECRYPT, NULL, USAGE_SIGN, USAGE_SIGN },
		{ "rsa-2048", USAGE_DECRYPT, "p-256", USAGE_DECRYPT, 0 },
		{ "p-256", USAGE_SIGN, NULL, USAGE_DECRYPT, 0 },
		{ "p-256", USAGE_SIGN, NULL, USAGE_SIGN | USAGE_UNWRAP, 0 },
		{ "ed25519", USAGE_SIGN, NULL, USAGE_DERIVE, 0 },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct policy_change change = { .given = 0, .usage = rows[i].given };
		struct key_record *key = fixture_key("job");
		CK_RV rv;

		key->algorithm = algorithm_by_name(rows[i].before);
		key->usage = rows[i].usage;
		change.algorithm = rows[i].algorithm == NULL ? NULL : algorithm_by_name(rows[i].algorithm);
		change.given = (rows[i].algorithm != NULL ? POLICY_ALGORITHM : 0U) |
		               (rows[i].given != 0 ? POLICY_USAGE : 0U);
		rv = policy_apply(&change, key);
		ck_assert_msg(rv == (rows[i].expected == 0 ? CKR_ATTRIBUTE_VALUE_INVALID : CKR_OK),
		              "row %zu: 0x%lx", i, rv);
		if (rv == CKR_OK)
			ck_assert_uint_eq(key->usage, rows[i].expected);
		key_record_free(&key);
	}
}
END_TEST

static void
set(const char *name, const char *text)
{
	struct policy_change change = parsed(text);

	ck_assert_uint_eq(lifecycle_set_policy(lifecycle, name, &change), CKR_OK);
	policy_change_clear(&change);
}

static struct version *
schedule(const char *name)
{
	struct create_request request = {
		.name = name, .rotate_every = -1, .protect_from = clock_now() + DAY, .pre_active = true,
	};

	return make_by(&request);
}

START_TEST(mechanisms_count_at_once_for_what_protects)
{
	struct version *old = make("job", "p-256", 0), *current = make("job", "p-256", 0), *now;
	struct version *later = schedule("job"), *other = make("other", "p-256", 0), *next;

	set("job", "mechanisms=ECDSA");
	now = reread(current);
	ck_assert_uint_eq(now->mechanisms.count, 1);
	ck_assert(version_allows(now, CKM_ECDSA));
	ck_assert(!version_allows(now, CKM_ECDSA_SHA256));
	version_free(&now);
	now = reread(later);
	ck_assert(!version_allows(now, CKM_ECDSA_SHA256));
	version_free(&now);
	/* What was signed and encrypted is verified and decrypted as before. */
	now = reread(old);
	ck_assert(version_allows(now, CKM_ECDSA_SHA256));
	version_free(&now);
	now = reread(other);
	ck_assert(version_allows(now, CKM_ECDSA_SHA256));
	version_free(&now);
	next = make("job", "p-256", 0);
	ck_assert(!version_allows(next, CKM_ECDSA_SHA256));
	version_free(&next);
	version_free(&old);
	version_free(&current);
	version_free(&later);
	version_free(&other);
}
END_TEST

START_TEST(a_new_interval_counts_at_once)
{
	struct version *old = make("job", "p-256", 0), *current = make("job", "p-256", 0), *now;
	struct version *later = schedule("job");
	int64_t old_until;

	now = reread(old);
	old_until = now->protect_until;
	version_free(&now);
	set("job", "rotate-every=10d");
	now = reread(current);
	ck_assert_int_eq(now->protect_until,
	                 now->protect_from + 10 * DAY + kms_config.expires_after);
	version_free(&now);
	now = reread(later);
	ck_assert_int_eq(now->protect_until,
	                 now->protect_from + 10 * DAY + kms_config.expires_after);
	version_free(&now);
	now = reread(old);
	ck_assert_int_eq(now->protect_until, old_until);
	version_free(&now);
	set("job", "rotate-every=never");
	now = reread(current);
	ck_assert_int_eq(now->protect_until, 0);
	version_free(&now);
	version_free(&old);
	version_free(&current);
	version_free(&later);
}
END_TEST

/* However short it is: first there must be a refresh that rotates. */
START_TEST(a_short_interval_leaves_time_to_rotate)
{
	struct version *version = make("job", "p-256", 0), *now;
	int64_t before;

	sleep(2);
	before = clock_now();
	set("job", "rotate-every=1s");
	now = reread(version);
	ck_assert_int_ge(now->protect_until, before + kms_config.expires_after);
	ck_assert_int_le(now->protect_until, clock_now() + kms_config.expires_after);
	ck_assert(version_protects(now, clock_now()));
	version_free(&now);
	version_free(&version);
}
END_TEST

START_TEST(the_rest_counts_from_the_next_version_on)
{
	struct version *version = make("job", "p-256", 0), *now, *next;
	struct create_request request = { .name = "job", .rotate_every = -1, .rotation_only = true };
	struct key_record *key = NULL;

	set("job", "algorithm=p-384");
	set("job", "overlap=1h");
	set("job", "keep-for=1y");
	now = reread(version);
	ck_assert_int_eq(now->sequence, version->sequence);
	version_free(&now);
	next = make_by(&request);
	ck_assert_ptr_eq(next->algorithm, algorithm_by_name("p-384"));
	ck_assert_int_eq(state_of(version), STATE_ACTIVE); /* in its overlap */
	ck_assert_uint_eq(registry_key(registry, "job", &key), CKR_OK);
	ck_assert_int_eq(key->overlap, 3600);
	ck_assert_int_eq(key->keep_for, 365 * DAY);
	key_record_free(&key);
	version_free(&next);
	version_free(&version);
}
END_TEST

START_TEST(refuses_what_can_not_be)
{
	struct policy_change change = parsed("usage=decrypt");
	struct version *version = make("job", "p-256", 0);
	struct registry_head before, after;

	ck_assert_uint_eq(registry_head(registry, &before), CKR_OK);
	ck_assert_uint_eq(lifecycle_set_policy(lifecycle, "nothing", &change),
	                  CKR_OBJECT_HANDLE_INVALID);
	ck_assert_uint_eq(lifecycle_set_policy(lifecycle, "job", &change),
	                  CKR_ATTRIBUTE_VALUE_INVALID);
	ck_assert_uint_eq(registry_head(registry, &after), CKR_OK);
	ck_assert_int_eq(after.sequence, before.sequence);
	policy_change_clear(&change);
	version_free(&version);
}
END_TEST

Suite *
unit_suite(void)
{
	Suite *suite = suite_create("policy");
	TCase *text = tcase_create("text"), *changes = tcase_create("changes");

	tcase_add_test(text, durations_and_numbers);
	tcase_add_test(text, words);
	tcase_add_test(text, what_can_not_be_read_says_what_to_write);
	tcase_add_test(text, nothing_is_given_twice);
	tcase_add_test(text, applies_what_is_given);
	tcase_add_test(text, a_usage_fits_its_algorithm);
	suite_add_tcase(suite, text);
	tcase_add_checked_fixture(changes, lifecycle_setup, lifecycle_teardown);
	tcase_set_timeout(changes, 60);
	tcase_add_test(changes, mechanisms_count_at_once_for_what_protects);
	tcase_add_test(changes, a_new_interval_counts_at_once);
	tcase_add_test(changes, a_short_interval_leaves_time_to_rotate);
	tcase_add_test(changes, the_rest_counts_from_the_next_version_on);
	tcase_add_test(changes, refuses_what_can_not_be);
	suite_add_tcase(suite, changes);
	return suite;
}
