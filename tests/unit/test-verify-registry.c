/* SPDX-License-Identifier: Apache-2.0 */
#include "registry-fixture.h"
#include "unit.h"

#include "base/openssl.h"
#include "registry/registry.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define KEYS 6 /* entries: 1 the token; 2i a key, 2i + 1 its version, for i from 1 */
#define ENTRIES (1 + 2 * KEYS)

static struct fixture_authority authority;
static char path[512];
static struct registry *registry;

static void
start(void)
{
	static int count;
	char name[32];

	ck_assert_uint_eq(openssl_start(), CKR_OK);
	fixture_authority_new("P-256", &authority);
	snprintf(name, sizeof name, "verify-%d-%d.db", (int)getpid(), count++);
	snprintf(path, sizeof path, "%s", unit_path(name));
	registry = fixture_registry(path, &authority);
	for (int i = 1; i <= KEYS; i++) {
		snprintf(name, sizeof name, "key-%d", i);
		(void)fixture_add_key(registry, &authority, name, (uint64_t)i);
	}
}

static void
stop(void)
{
	registry_free(&registry);
	fixture_authority_clear(&authority);
	openssl_stop();
}

struct wanted {
	int64_t sequence;
	const char *text;
	bool met;
};

static void
look_for(void *context, int64_t sequence, int64_t object, const char *what)
{
	struct wanted *wanted = context;

	(void)object;
	if (sequence == wanted->sequence && strstr(what, wanted->text) != NULL)
		wanted->met = true;
}

START_TEST(whole_registry_has_no_findings)
{
	int64_t entries = 0, findings = -1;

	ck_assert_uint_eq(registry_verify(registry, NULL, NULL, &entries, &findings), CKR_OK);
	ck_assert_int_eq(entries, ENTRIES);
	ck_assert_int_eq(findings, 0);
}
END_TEST

/* What is done to the file, and the finding that must come of it. */
static const struct {
	const char *sql;
	int64_t sequence;
	const char *text;
} faults[] = {
	{ "DELETE FROM entries WHERE sequence = 6", 7, "entries are missing" },
	{ "DELETE FROM entries WHERE sequence = 6", 7, "chain is broken" },
	{ "DELETE FROM entries WHERE sequence = 6", 6, "a key that this entry is not about" },
	{ "DELETE FROM entries WHERE sequence = 7", 7, "a version that this entry is not about" },
	{ "DELETE FROM entries WHERE sequence = 1", 2, "entries are missing" },
	{ "DELETE FROM entries WHERE sequence = 13", 13, "not about the last entry" },
	{ "UPDATE entries SET sequence = 20 WHERE sequence = 13", 20, "entries are missing" },
	{ "UPDATE entries SET previous = zeroblob(32) WHERE sequence = 5", 5, "chain is broken" },
	{ "UPDATE entries SET previous = zeroblob(32) WHERE sequence = 5", 5, "not signed" },
	{ "UPDATE entries SET previous = zeroblob(32) WHERE sequence = 5", 6, "chain is broken" },
	{ "UPDATE entries SET signature = zeroblob(64) WHERE sequence = 5", 5, "not signed" },
	{ "UPDATE entries SET payload = CAST('{}' AS BLOB) WHERE sequence = 5", 5, "not signed" },
	{ "UPDATE entries SET payload = 'text' WHERE sequence = 5", 5, "malformed" },
	{ "UPDATE entries SET previous = x'00' WHERE sequence = 5", 5, "malformed" },
	{ "UPDATE entries SET (previous, payload, signature) = (SELECT previous, payload, signature"
	  " FROM entries WHERE sequence = 7) WHERE sequence = 5", 5, "not signed" },
	{ "UPDATE versions SET sequence = 2 WHERE object = 5", 5, "an older entry" },
	{ "UPDATE versions SET sequence = 7 WHERE object = 5", 7, "a version that this entry is not about" },
	{ "UPDATE versions SET sequence = 99 WHERE object = 5", 99, "a version that this entry is not about" },
	{ "UPDATE versions SET name = 'x' WHERE object = 5", 5, "another name" },
	{ "UPDATE versions SET number = 7 WHERE object = 5", 5, "another name" },
	{ "UPDATE versions SET id = x'00' WHERE object = 5", 5, "another name" },
	{ "UPDATE versions SET id = 'text' WHERE object = 5", 5, "another name" },
	{ "UPDATE versions SET state = 'destroyed' WHERE object = 5", 5, "another state" },
	{ "DELETE FROM versions WHERE object = 5", 5, "missing in the index" },
	{ "INSERT INTO versions VALUES (6, 7, 'x', 1, x'00', 'active')", 7,
	  "a version that this entry is not about" },
	{ "DELETE FROM keys WHERE name = 'key-2'", 4, "missing in the index" },
	{ "UPDATE keys SET sequence = 1 WHERE name = 'key-2'", 4, "an older entry" },
	{ "UPDATE keys SET sequence = 6 WHERE name = 'key-2'", 6, "a key that this entry is not about" },
	{ "INSERT INTO keys VALUES ('x', 4)", 4, "a key that this entry is not about" },
	{ "DELETE FROM token", 1, "missing in the index" },
	{ "UPDATE token SET sequence = 2", 0, "a token that its entry is not about" },
	{ "DELETE FROM head", 0, "missing or malformed" },
	{ "UPDATE head SET expires = expires + 1", 13, "the head is not signed" },
	{ "UPDATE head SET hash = x'00'", 13, "missing or malformed" },
};

#define FAULT_COUNT ((int)(sizeof faults / sizeof *faults))

START_TEST(fault_is_found)
{
	struct wanted wanted = { faults[_i].sequence, faults[_i].text, false };
	int64_t entries = 0, findings = 0;

	fixture_sql(path, "%s", faults[_i].sql);
	ck_assert_uint_eq(registry_verify(registry, look_for, &wanted, &entries, &findings), CKR_OK);
	ck_assert_int_gt(findings, 0);
	ck_assert_msg(wanted.met, "%s: no \"%s\"", faults[_i].sql, faults[_i].text);
}
END_TEST

static CK_RV
build_nothing(struct registry *of, struct change *change, void *context)
{
	(void)of;
	(void)change;
	(void)context;
	return CKR_OK;
}

START_TEST(expired_head_is_found)
{
	struct wanted wanted = { ENTRIES, "expired", false };
	int64_t entries = 0, findings = 0;

	ck_assert_uint_eq(registry_change(registry, &authority.signer, 1, build_nothing, NULL), CKR_OK);
	sleep(2);
	ck_assert_uint_eq(registry_verify(registry, look_for, &wanted, &entries, &findings), CKR_OK);
	ck_assert_int_eq(findings, 1);
	ck_assert(wanted.met);
}
END_TEST

START_TEST(verify_sees_what_was_committed_since)
{
	int64_t entries = 0, findings = -1;

	(void)fixture_add_key(registry, &authority, "more", 99);
	ck_assert_uint_eq(registry_verify(registry, NULL, NULL, &entries, &findings), CKR_OK);
	ck_assert_int_eq(entries, ENTRIES + 2);
	ck_assert_int_eq(findings, 0);
}
END_TEST

START_TEST(vanished_file_can_not_be_walked)
{
	int64_t entries = -7, findings = -7;

	ck_assert_int_eq(unlink(path), 0);
	ck_assert_uint_eq(registry_verify(registry, NULL, NULL, &entries, &findings), CKR_FUNCTION_FAILED);
	ck_assert_int_eq(entries, -7);
	ck_assert_int_eq(findings, -7);
}
END_TEST

static size_t
search(const struct registry_search *search, int64_t *objects, size_t max)
{
	size_t count = 0;

	ck_assert_uint_eq(registry_search(registry, search, objects, max, &count), CKR_OK);
	return count;
}

START_TEST(searches_give_the_newest_first_in_pages)
{
	struct registry_search all = { .name = NULL };
	int64_t objects[KEYS], page[2], last = INT64_MAX;
	size_t count, seen = 0;

	count = search(&all, objects, KEYS);
	ck_assert_uint_eq(count, KEYS);
	ck_assert_int_eq(objects[0], ENTRIES);
	while ((count = search(&all, page, 2)) > 0) {
		for (size_t i = 0; i < count; i++) {
			ck_assert_int_lt(page[i], last);
			ck_assert_int_eq(page[i], objects[seen++]);
			last = page[i];
		}
		all.before = last;
	}
	ck_assert_uint_eq(seen, KEYS);
}
END_TEST

/* A version that came late, of a lower number, is not the newest. */
START_TEST(searches_of_a_key_go_by_its_numbers)
{
	static const int numbers[] = { 2, 6, 3, 5, 4 };
	struct registry_search by_name = { .name = "key-2" };
	int64_t objects[8], page[2];
	size_t count, seen = 0;

	for (int active = 0; active < 2; active++) {
		fixture_sql(path, "DELETE FROM versions WHERE object >= 100");
		for (int i = 0; i < 5; i++)
			fixture_sql(path, "INSERT INTO versions SELECT %d, sequence, name, %d, x'0%d', 'active'"
			            " FROM versions WHERE object = 5", 100 + i, numbers[i], i);
		by_name = (struct registry_search){ .name = "key-2", .active = active != 0 };
		ck_assert_uint_eq(search(&by_name, objects, 8), 6);
		ck_assert_int_eq(objects[0], 101);
		ck_assert_int_eq(objects[1], 103);
		ck_assert_int_eq(objects[2], 104);
		ck_assert_int_eq(objects[3], 102);
		ck_assert_int_eq(objects[4], 100);
		ck_assert_int_eq(objects[5], 5);
		seen = 0;
		while ((count = search(&by_name, page, 2)) > 0) {
			for (size_t i = 0; i < count; i++)
				ck_assert_int_eq(page[i], objects[seen++]);
			by_name.before = page[count - 1];
		}
		ck_assert_uint_eq(seen, 6);
		by_name.before = 99; /* there is no such row */
		ck_assert_uint_eq(search(&by_name, page, 2), 0);
	}
}
END_TEST

START_TEST(searches_keep_to_what_is_asked)
{
	static const unsigned char id[16] = { 0xc0, 0xde, [8] = 2 };
	struct registry_search by_id = { .id = id, .id_size = sizeof id };
	struct registry_search by_name = { .name = "key-2" };
	int64_t object = 0;

	ck_assert_uint_eq(search(&by_id, &object, 1), 1);
	ck_assert_int_eq(object, 5);
	by_id.name = "key-3";
	ck_assert_uint_eq(search(&by_id, &object, 1), 0);
	by_id.name = "key-2";
	ck_assert_uint_eq(search(&by_id, &object, 1), 1);
	by_id.number = 2;
	ck_assert_uint_eq(search(&by_id, &object, 1), 0);
	by_id = (struct registry_search){ .id = "x", .id_size = 1 };
	ck_assert_uint_eq(search(&by_id, &object, 1), 0);
	by_id.id_size = 300;
	ck_assert_uint_eq(search(&by_id, &object, 1), 0);

	ck_assert_uint_eq(search(&by_name, &object, 1), 1);
	by_name.number = 1;
	ck_assert_uint_eq(search(&by_name, &object, 1), 1);
	by_name.number = 2;
	ck_assert_uint_eq(search(&by_name, &object, 1), 0);
	by_name = (struct registry_search){ .name = "key-2", .active = true };
	fixture_sql(path, "UPDATE versions SET state = 'deactivated' WHERE object = 5");
	ck_assert_uint_eq(search(&by_name, &object, 1), 0);
	by_name.active = false;
	ck_assert_uint_eq(search(&by_name, &object, 1), 1);
	fixture_sql(path, "UPDATE versions SET state = 'destroy-pending' WHERE object = 5");
	ck_assert_uint_eq(search(&by_name, &object, 1), 0);
	by_name.destroyed = true;
	ck_assert_uint_eq(search(&by_name, &object, 1), 1);
	ck_assert_uint_eq(search(&by_name, &object, 0), 0);
}
END_TEST

START_TEST(key_names_come_in_order_and_pages)
{
	char *names[KEYS] = { NULL };
	size_t count = 0;

	ck_assert_uint_eq(registry_key_names(registry, NULL, names, 4, &count), CKR_OK);
	ck_assert_uint_eq(count, 4);
	ck_assert_str_eq(names[0], "key-1");
	ck_assert_uint_eq(registry_key_names(registry, names[3], names + 4, 2, &count), CKR_OK);
	ck_assert_uint_eq(count, 2);
	ck_assert_str_eq(names[5], "key-6");
	for (int i = 0; i < KEYS; i++)
		free(names[i]);
	ck_assert_uint_eq(registry_key_names(registry, "key-6", names, 4, &count), CKR_OK);
	ck_assert_uint_eq(count, 0);
}
END_TEST

Suite *
unit_suite(void)
{
	Suite *suite = suite_create("verify-registry");
	TCase *tests = tcase_create("verify-registry");

	tcase_add_checked_fixture(tests, start, stop);
	tcase_add_test(tests, whole_registry_has_no_findings);
	tcase_add_loop_test(tests, fault_is_found, 0, FAULT_COUNT);
	tcase_add_test(tests, expired_head_is_found);
	tcase_add_test(tests, verify_sees_what_was_committed_since);
	tcase_add_test(tests, vanished_file_can_not_be_walked);
	tcase_add_test(tests, searches_give_the_newest_first_in_pages);
	tcase_add_test(tests, searches_of_a_key_go_by_its_numbers);
	tcase_add_test(tests, searches_keep_to_what_is_asked);
	tcase_add_test(tests, key_names_come_in_order_and_pages);
	tcase_set_timeout(tests, 120);
	suite_add_tcase(suite, tests);
	return suite;
}
