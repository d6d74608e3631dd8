/* SPDX-License-Identifier: Apache-2.0 */
/* Searches, the objects they find, and the cache of keys behind them. */
#include "token-fixture.h"
#include "unit.h"

#include "p11-kms/p11-kms.h"
#include "token/find.h"
#include "token/handle.h"
#include "token/object.h"

#include <sqlite3.h>
#include <stdio.h>
#include <string.h>

static struct fixture_token_host host;

/* What SQLite does in this process: statements that were run, and rows of tables that were read. */
static size_t statements, rows;

static int
count_work(unsigned what, void *context, void *statement, void *more)
{
	const char *sql = sqlite3_sql(statement); /* NULL: SQLite's own, of the schema */

	(void)context;
	(void)more;
	if (what == SQLITE_TRACE_STMT)
		statements++;
	else if (sql == NULL || strncmp(sql, "PRAGMA", 6) != 0)
		rows++;
	return 0;
}

/* For each connection that is opened from then on. */
static int
count_from_now_on(sqlite3 *db, char **message, const void *routines)
{
	(void)message;
	(void)routines;
	return sqlite3_trace_v2(db, SQLITE_TRACE_STMT | SQLITE_TRACE_ROW, count_work, NULL);
}

static CK_OBJECT_CLASS public_class = CKO_PUBLIC_KEY;
static CK_BBOOL no = CK_FALSE;

static void
set_up(void)
{
	fixture_host_new("find", &host);
	ck_assert_int_eq(sqlite3_auto_extension((void (*)(void))count_from_now_on), SQLITE_OK);
	ck_assert_uint_eq(token_open(host.token), CKR_OK);
}

static void
tear_down(void)
{
	fixture_host_clear(&host);
	sqlite3_reset_auto_extension();
}

/* All handles that a template finds, fetched in pieces of the given size. */
static CK_ULONG
find_all(CK_ATTRIBUTE *template, CK_ULONG count, CK_ULONG piece, CK_OBJECT_HANDLE *ret_handles,
         CK_ULONG max)
{
	struct find *find = NULL;
	CK_ULONG total = 0, found;

	ck_assert_uint_eq(find_new(host.token, template, count, &find), CKR_OK);
	do {
		ck_assert_uint_le(total + piece, max);
		ck_assert_uint_eq(find_next(find, ret_handles + total, piece, &found), CKR_OK);
		ck_assert_uint_le(found, piece);
		total += found;
	} while (found != 0);
	find_free(&find);
	return total;
}

static CK_ULONG
find_label(const char *label, CK_OBJECT_HANDLE *ret_handle)
{
	CK_ATTRIBUTE template = { CKA_LABEL, (void *)label, strlen(label) };
	CK_OBJECT_HANDLE handles[8];
	CK_ULONG count = find_all(&template, 1, 4, handles, 8);

	if (count != 0)
		*ret_handle = handles[0];
	return count;
}

/* C_FindObjectsInit, again and again, in a program that runs on. */
static void
poll_often(size_t times)
{
	CK_ATTRIBUTE template = { CKA_LABEL, "a", 1 };

	for (size_t i = 0; i < times; i++) {
		struct find *find = NULL;

		ck_assert_uint_eq(find_new(host.token, &template, 1, &find), CKR_OK);
		find_free(&find);
	}
}

START_TEST(beginning_a_search_reads_no_row_while_nothing_changes)
{
	CK_OBJECT_HANDLE handle;
	size_t once;

	(void)fixture_host_version(&host, "a", 1, 1, STATE_ACTIVE);
	ck_assert_uint_eq(find_label("a", &handle), 1);
	statements = rows = 0;
	poll_often(100);
	ck_assert_uint_eq(statements, 100); /* PRAGMA data_version: no table is looked at */
	ck_assert_uint_eq(rows, 0);
	for (uint64_t i = 0; i < 50; i++) {
		char name[16];

		snprintf(name, sizeof name, "more-%d", (int)i);
		(void)fixture_host_version(&host, name, 1, 100 + i, STATE_ACTIVE);
	}
	/* Once after the changes the head is read: this counting sees it. */
	statements = rows = 0;
	poll_often(1);
	ck_assert_uint_gt(rows, 0);
	once = statements;
	poll_often(100);
	ck_assert_uint_eq(statements, once + 100);
	statements = rows = 0;
	poll_often(1000);
	ck_assert_uint_eq(statements, 1000);
	ck_assert_uint_eq(rows, 0);
}
END_TEST

/* Finding the same key again: the index, and that its entry is still the newest; no entry is read. */
START_TEST(a_search_costs_the_same_however_many_keys_there_are)
{
	size_t few_statements, few_rows;
	CK_OBJECT_HANDLE handle;

	(void)fixture_host_version(&host, "a", 1, 1, STATE_ACTIVE);
	ck_assert_uint_eq(find_label("a", &handle), 1);
	statements = rows = 0;
	ck_assert_uint_eq(find_label("a", &handle), 1);
	few_statements = statements;
	few_rows = rows;
	ck_assert_uint_le(few_rows, 2);
	for (uint64_t i = 0; i < 100; i++) {
		char name[16];

		snprintf(name, sizeof name, "more-%d", (int)i);
		(void)fixture_host_version(&host, name, 1, 100 + i, STATE_ACTIVE);
	}
	ck_assert_uint_eq(find_label("a", &handle), 1);
	statements = rows = 0;
	ck_assert_uint_eq(find_label("a", &handle), 1);
	ck_assert_uint_eq(statements, few_statements);
	ck_assert_uint_eq(rows, few_rows);
}
END_TEST

START_TEST(newest_first)
{
	CK_OBJECT_HANDLE handles[16];
	int64_t a = fixture_host_version(&host, "a", 1, 1, STATE_ACTIVE);
	int64_t b = fixture_host_version(&host, "b", 1, 2, STATE_ACTIVE);
	int64_t c = fixture_host_version(&host, "c", 1, 3, STATE_ACTIVE);

	for (CK_ULONG piece = 1; piece <= 4; piece++) {
		ck_assert_uint_eq(find_all(NULL, 0, piece, handles, 16), 3);
		ck_assert_uint_eq(handles[0], handle_join(c, CKO_PUBLIC_KEY));
		ck_assert_uint_eq(handles[1], handle_join(b, CKO_PUBLIC_KEY));
		ck_assert_uint_eq(handles[2], handle_join(a, CKO_PUBLIC_KEY));
	}
}
END_TEST

START_TEST(label_is_the_current_version)
{
	int64_t old = fixture_host_version(&host, "job", 1, 1, STATE_DEACTIVATED);
	int64_t current = fixture_host_version(&host, "job", 2, 2, STATE_ACTIVE);
	CK_OBJECT_HANDLE handle = 0;

	ck_assert_uint_eq(find_label("job", &handle), 1);
	ck_assert_uint_eq(handle, handle_join(current, CKO_PUBLIC_KEY));
	ck_assert_uint_eq(find_label("job@1", &handle), 1);
	ck_assert_uint_eq(handle, handle_join(old, CKO_PUBLIC_KEY));
	ck_assert_uint_eq(find_label("job@2", &handle), 0); /* it goes by its name */
	ck_assert_uint_eq(find_label("job@3", &handle), 0);
	ck_assert_uint_eq(find_label("jo", &handle), 0);
	ck_assert_uint_eq(find_label("job@x", &handle), 0);
	ck_assert_uint_eq(find_label("", &handle), 0);
}
END_TEST

START_TEST(a_label_with_a_zero_byte)
{
	CK_ATTRIBUTE template = { CKA_LABEL, "job\0x", 5 };
	CK_OBJECT_HANDLE handles[8];

	fixture_host_version(&host, "job", 1, 1, STATE_ACTIVE);
	ck_assert_uint_eq(find_all(&template, 1, 4, handles, 8), 0);
}
END_TEST

START_TEST(states_that_are_not_shown)
{
	CK_OBJECT_HANDLE handles[16], handle;

	fixture_host_version(&host, "p", 1, 1, STATE_PRE_ACTIVE);
	fixture_host_version(&host, "d", 1, 2, STATE_DESTROY_PENDING);
	fixture_host_version(&host, "x", 1, 3, STATE_DESTROYED);
	fixture_host_version(&host, "c", 1, 4, STATE_COMPROMISED);
	ck_assert_uint_eq(find_all(NULL, 0, 4, handles, 16), 1);
	ck_assert_uint_eq(find_label("d@1", &handle), 0);
	ck_assert_uint_eq(find_label("c@1", &handle), 1);
}
END_TEST

START_TEST(templates_that_match_nothing)
{
	CK_OBJECT_CLASS secret = CKO_SECRET_KEY;
	CK_ATTRIBUTE by_class = { CKA_CLASS, &secret, sizeof secret };
	CK_ATTRIBUTE session_only = { CKA_TOKEN, &no, sizeof no };
	CK_ATTRIBUTE empty_id = { CKA_ID, NULL, 0 };
	CK_ATTRIBUTE unknown = { 0x7fffffff, NULL, 0 };
	CK_ATTRIBUTE sensitive = { CKA_PRIVATE_EXPONENT, "x", 1 };
	CK_ATTRIBUTE odd_size = { CKA_CLASS, &secret, 3 };
	CK_OBJECT_HANDLE handles[8];

	fixture_host_version(&host, "job", 1, 1, STATE_ACTIVE);
	ck_assert_uint_eq(find_all(&by_class, 1, 4, handles, 8), 0);
	ck_assert_uint_eq(find_all(&session_only, 1, 4, handles, 8), 0);
	ck_assert_uint_eq(find_all(&empty_id, 1, 4, handles, 8), 0);
	ck_assert_uint_eq(find_all(&unknown, 1, 4, handles, 8), 0);
	ck_assert_uint_eq(find_all(&sensitive, 1, 4, handles, 8), 0);
	ck_assert_uint_eq(find_all(&odd_size, 1, 4, handles, 8), 0);
}
END_TEST

START_TEST(malformed_templates)
{
	CK_ATTRIBUTE hollow = { CKA_LABEL, NULL, 4 };
	struct find *find = NULL;

	ck_assert_uint_eq(find_new(host.token, NULL, 1, &find), CKR_ARGUMENTS_BAD);
	ck_assert_uint_eq(find_new(host.token, &hollow, 1, &find), CKR_ATTRIBUTE_VALUE_INVALID);
	ck_assert_ptr_null(find);
}
END_TEST

START_TEST(a_running_search_sees_no_newer_versions)
{
	struct find *find = NULL;
	CK_OBJECT_HANDLE handle;
	CK_ULONG count;
	char name[16];

	for (int i = 0; i < 100; i++) {
		snprintf(name, sizeof name, "k%d", i);
		fixture_host_version(&host, name, 1, (uint64_t)i, STATE_ACTIVE);
	}
	ck_assert_uint_eq(find_new(host.token, NULL, 0, &find), CKR_OK);
	ck_assert_uint_eq(find_next(find, &handle, 1, &count), CKR_OK);
	fixture_host_version(&host, "late", 1, 1000, STATE_ACTIVE);
	for (int i = 1; i < 100; i++) {
		ck_assert_uint_eq(find_next(find, &handle, 1, &count), CKR_OK);
		ck_assert_uint_eq(count, 1);
	}
	ck_assert_uint_eq(find_next(find, &handle, 1, &count), CKR_OK);
	ck_assert_uint_eq(count, 0);
	find_free(&find);
	ck_assert_uint_eq(find_label("late", &handle), 1);
}
END_TEST

START_TEST(a_change_is_seen_by_the_next_search)
{
	struct version *version;
	struct key *key = NULL;
	CK_OBJECT_HANDLE handle = 0;
	int64_t object = fixture_host_version(&host, "job", 1, 1, STATE_ACTIVE);

	ck_assert_uint_eq(find_label("job", &handle), 1);
	ck_assert_uint_eq(registry_version(host.registry, object, &version), CKR_OK);
	fixture_host_version(&host, "other", 1, 2, STATE_ACTIVE);
	ck_assert_uint_eq(token_poll(host.token, true), CKR_OK);
	ck_assert_uint_eq(token_key(host.token, object, &key), CKR_OK);
	ck_assert_int_eq(key->version->sequence, version->sequence);
	key_release(&key);
	version_free(&version);
}
END_TEST

/* Changes the bytes of an entry behind the registry's back. */
static void
tamper(int64_t sequence)
{
	char sql[160];
	sqlite3 *database;

	snprintf(sql, sizeof sql,
	         "UPDATE entries SET payload = CAST(replace(CAST(payload AS TEXT), "
	         "'\"local\":true', '\"local\":false') AS BLOB) WHERE sequence = %lld",
	         (long long)sequence);
	ck_assert_int_eq(sqlite3_open(host.registry_path, &database), SQLITE_OK);
	ck_assert_int_eq(sqlite3_exec(database, sql, NULL, NULL, NULL), SQLITE_OK);
	ck_assert_int_eq(sqlite3_changes(database), 1);
	sqlite3_close(database);
}

START_TEST(a_tampered_version_is_passed_over)
{
	int64_t good = fixture_host_version(&host, "good", 1, 1, STATE_ACTIVE);
	int64_t bad = fixture_host_version(&host, "bad", 1, 2, STATE_ACTIVE);
	CK_OBJECT_HANDLE handles[8];
	struct object object;

	tamper(bad);
	ck_assert_uint_eq(find_all(NULL, 0, 4, handles, 8), 1);
	ck_assert_uint_eq(handles[0], handle_join(good, CKO_PUBLIC_KEY));
	ck_assert_uint_eq(object_get(host.token, handle_join(bad, CKO_PUBLIC_KEY), &object),
	                  CKR_DEVICE_ERROR);
}
END_TEST

START_TEST(attributes)
{
	int64_t number = fixture_host_version(&host, "job", 7, 1, STATE_ACTIVE);
	CK_ULONG class = 0, version = 0, state = 0;
	CK_BBOOL token = 9, private = 9;
	char label[8], small[2];
	CK_ATTRIBUTE template[] = {
		{ CKA_CLASS, &class, sizeof class },
		{ CKA_TOKEN, &token, sizeof token },
		{ CKA_PRIVATE, &private, sizeof private },
		{ CKA_LABEL, label, sizeof label },
		{ CKA_P11_KMS_VERSION, &version, sizeof version },
		{ CKA_P11_KMS_STATE, &state, sizeof state },
		{ CKA_ID, NULL, 0 },
	};
	CK_ATTRIBUTE failing[] = {
		{ CKA_LABEL, small, sizeof small },
		{ CKA_VALUE, small, sizeof small },
		{ CKA_CLASS, &class, sizeof class },
	};
	struct object object;

	ck_assert_uint_eq(object_get(host.token, handle_join(number, CKO_PUBLIC_KEY), &object),
	                  CKR_OK);
	ck_assert_uint_eq(object_attributes(&object, template, 7), CKR_OK);
	ck_assert_uint_eq(class, public_class);
	ck_assert_uint_eq(token, CK_TRUE);
	ck_assert_uint_eq(private, CK_FALSE);
	ck_assert_uint_eq(template[3].ulValueLen, 3);
	ck_assert_mem_eq(label, "job", 3);
	ck_assert_uint_eq(version, 7);
	ck_assert_uint_eq(state, CKS_P11_KMS_ACTIVE);
	ck_assert_uint_eq(template[6].ulValueLen, 16);
	/* The first failure is the result, and what can be told is told. */
	class = 0;
	ck_assert_uint_eq(object_attributes(&object, failing, 3), CKR_BUFFER_TOO_SMALL);
	ck_assert_uint_eq(failing[0].ulValueLen, CK_UNAVAILABLE_INFORMATION);
	ck_assert_uint_eq(failing[1].ulValueLen, CK_UNAVAILABLE_INFORMATION);
	ck_assert_uint_eq(failing[2].ulValueLen, sizeof class);
	ck_assert_uint_eq(class, public_class);
	object_release(&object);
}
END_TEST

START_TEST(handles_of_nothing)
{
	int64_t number = fixture_host_version(&host, "job", 1, 1, STATE_ACTIVE);
	struct object object;

	ck_assert_uint_eq(object_get(host.token, CK_INVALID_HANDLE, &object),
	                  CKR_OBJECT_HANDLE_INVALID);
	ck_assert_uint_eq(object_get(host.token, handle_join(number + 1, CKO_PUBLIC_KEY), &object),
	                  CKR_OBJECT_HANDLE_INVALID);
	/* There is no private half where there is no KMS. */
	ck_assert_uint_eq(object_get(host.token, handle_join(number, CKO_PRIVATE_KEY), &object),
	                  CKR_OBJECT_HANDLE_INVALID);
	/* The key record before it in the log is no version. */
	ck_assert_uint_eq(object_get(host.token, handle_join(number - 1, CKO_PUBLIC_KEY), &object),
	                  CKR_OBJECT_HANDLE_INVALID);
}
END_TEST

START_TEST(the_cache_holds_more_keys_than_its_size)
{
	CK_OBJECT_HANDLE handles[2048];
	char name[16];

	for (int i = 0; i < 700; i++) {
		snprintf(name, sizeof name, "k%d", i);
		fixture_host_version(&host, name, 1, (uint64_t)i, STATE_ACTIVE);
	}
	for (int round = 0; round < 2; round++)
		ck_assert_uint_eq(find_all(NULL, 0, 100, handles, 2048), 700);
}
END_TEST

Suite *
unit_suite(void)
{
	Suite *suite = suite_create("find");
	TCase *tests = tcase_create("find");

	tcase_add_checked_fixture(tests, set_up, tear_down);
	tcase_set_timeout(tests, 60);
	tcase_add_test(tests, beginning_a_search_reads_no_row_while_nothing_changes);
	tcase_add_test(tests, a_search_costs_the_same_however_many_keys_there_are);
	tcase_add_test(tests, newest_first);
	tcase_add_test(tests, label_is_the_current_version);
	tcase_add_test(tests, a_label_with_a_zero_byte);
	tcase_add_test(tests, states_that_are_not_shown);
	tcase_add_test(tests, templates_that_match_nothing);
	tcase_add_test(tests, malformed_templates);
	tcase_add_test(tests, a_running_search_sees_no_newer_versions);
	tcase_add_test(tests, a_change_is_seen_by_the_next_search);
	tcase_add_test(tests, a_tampered_version_is_passed_over);
	tcase_add_test(tests, attributes);
	tcase_add_test(tests, handles_of_nothing);
	tcase_add_test(tests, the_cache_holds_more_keys_than_its_size);
	suite_add_tcase(suite, tests);
	return suite;
}
