/* SPDX-License-Identifier: Apache-2.0 */
#include "registry-fixture.h"
#include "unit.h"

#include "base/clock.h"
#include "base/openssl.h"
#include "registry/registry.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sqlite3.h>

static struct fixture_authority authority;
static char path[512]; /* a registry that does not exist yet */

static void
start(void)
{
	static int count;
	char name[32];

	ck_assert_uint_eq(openssl_start(), CKR_OK);
	fixture_authority_new("P-256", &authority);
	snprintf(name, sizeof name, "registry-%d-%d.db", (int)getpid(), count++);
	snprintf(path, sizeof path, "%s", unit_path(name));
}

static void
stop(void)
{
	fixture_authority_clear(&authority);
	openssl_stop();
}

static struct registry *
open_registry(enum registry_mode mode)
{
	struct registry *registry = NULL;
	char *why = NULL;
	CK_RV rv = registry_open(path, authority.authority, mode, &registry, &why);

	ck_assert_msg(rv == CKR_OK, "%s", why);
	return registry;
}

static void
assert_not_opened(const char *file, enum registry_mode mode, CK_RV wanted, const char *reason)
{
	struct registry *registry = NULL;
	char *why = NULL;

	ck_assert_uint_eq(registry_open(file, authority.authority, mode, &registry, &why), wanted);
	ck_assert_ptr_null(registry);
	ck_assert_ptr_nonnull(why);
	ck_assert_msg(strstr(why, reason) != NULL, "%s", why);
	ck_assert_msg(strstr(why, file) != NULL, "%s", why);
	free(why);
}

START_TEST(create_makes_a_file_for_all_to_read)
{
	static const char *const endings[] = { "", "-wal", "-shm" };
	mode_t mask = umask(077);
	struct registry *registry;
	char file[600];
	struct stat status;

	registry = fixture_registry(path, &authority);
	umask(mask);
	for (size_t i = 0; i < 3; i++) {
		snprintf(file, sizeof file, "%s%s", path, endings[i]);
		ck_assert_int_eq(stat(file, &status), 0);
		ck_assert_uint_eq(status.st_mode & 07777, 0644);
	}
	/* The side files stay: without them who may not make files is shut out. */
	registry_free(&registry);
	ck_assert_ptr_null(registry);
	for (size_t i = 0; i < 3; i++) {
		snprintf(file, sizeof file, "%s%s", path, endings[i]);
		ck_assert_int_eq(stat(file, &status), 0);
	}
	registry_free(&registry);
}
END_TEST

START_TEST(create_touches_no_file_that_is_there)
{
	struct registry *registry = fixture_registry(path, &authority), *other = NULL;
	char *why = NULL;
	char log[600];

	ck_assert_uint_eq(registry_create(path, authority.authority, &other, &why), CKR_FUNCTION_FAILED);
	ck_assert_ptr_null(other);
	ck_assert_msg(strstr(why, path) != NULL, "%s", why);
	free(why);
	registry_free(&registry);

	/* Nor does it start on the log of a registry that is gone. */
	ck_assert_int_eq(unlink(path), 0);
	ck_assert_uint_eq(registry_create_anew(path, authority.authority, &other, &why),
	                  CKR_FUNCTION_FAILED);
	snprintf(log, sizeof log, "%s-wal", path);
	ck_assert_msg(strstr(why, log) != NULL, "%s", why);
	free(why);
	ck_assert_int_ne(access(path, F_OK), 0);
	ck_assert_int_eq(unlink(log), 0);
	ck_assert_uint_eq(registry_create_anew(path, authority.authority, &other, &why), CKR_OK);
	registry_free(&other);
}
END_TEST

START_TEST(create_needs_a_folder)
{
	struct registry *registry = NULL;
	char *why = NULL;

	ck_assert_uint_eq(registry_create("/nonexistent/r.db", authority.authority, &registry, &why),
	                  CKR_FUNCTION_FAILED);
	ck_assert_ptr_nonnull(strstr(why, "/nonexistent/r.db"));
	free(why);
}
END_TEST

START_TEST(open_refuses_what_is_no_registry)
{
	char link_path[600];
	FILE *file;

	assert_not_opened(path, REGISTRY_READ, CKR_FUNCTION_FAILED, "p11-kms init");
	ck_assert_int_eq(access(path, F_OK), -1);
	assert_not_opened("/nonexistent/r.db", REGISTRY_READ, CKR_FUNCTION_FAILED, "No such file");
	ck_assert_int_eq(mkdir(path, 0700), 0);
	assert_not_opened(path, REGISTRY_READ, CKR_FUNCTION_FAILED, "is not a file");
	ck_assert_int_eq(rmdir(path), 0);

	file = fopen(path, "w"); /* empty is an empty database to SQLite */
	ck_assert_ptr_nonnull(file);
	assert_not_opened(path, REGISTRY_WRITE, CKR_DEVICE_ERROR, "not a registry");
	for (int i = 0; i < 2000; i++)
		fputs("this is no database\n", file);
	ck_assert_int_eq(fclose(file), 0);
	assert_not_opened(path, REGISTRY_READ, CKR_DEVICE_ERROR, "not a registry");
	ck_assert_int_eq(unlink(path), 0);

	file = fopen(path, "w");
	ck_assert_ptr_nonnull(file);
	ck_assert_int_eq(fclose(file), 0);
	fixture_sql(path, "CREATE TABLE foreigner (x)");
	assert_not_opened(path, REGISTRY_READ, CKR_DEVICE_ERROR, "not a registry");
	snprintf(link_path, sizeof link_path, "%s.link", path);
	ck_assert_int_eq(symlink(path, link_path), 0);
	assert_not_opened(link_path, REGISTRY_READ, CKR_FUNCTION_FAILED, "symbolic link");
}
END_TEST

START_TEST(open_refuses_a_newer_format)
{
	struct registry *registry = fixture_registry(path, &authority);

	registry_free(&registry);
	fixture_sql(path, "PRAGMA user_version = 2");
	assert_not_opened(path, REGISTRY_READ, CKR_DEVICE_ERROR, "install a newer");
	assert_not_opened(path, REGISTRY_WRITE, CKR_DEVICE_ERROR, "install a newer");
}
END_TEST

START_TEST(open_follows_links_to_the_folder)
{
	struct registry *registry = fixture_registry(path, &authority);
	char link_path[600], through[700], *why = NULL;
	char *slash = strrchr(path, '/');

	registry_free(&registry);
	snprintf(link_path, sizeof link_path, "%s.folder", path);
	snprintf(through, sizeof through, "%s/%s", link_path, slash + 1);
	*slash = '\0';
	ck_assert_int_eq(symlink(path, link_path), 0);
	ck_assert_uint_eq(registry_open(through, authority.authority, REGISTRY_READ, &registry, &why),
	                  CKR_OK);
	registry_free(&registry);
}
END_TEST

START_TEST(records_are_read)
{
	struct registry *registry = fixture_registry(path, &authority);
	int64_t object = fixture_add_key(registry, &authority, "job-42", 7), sequence = 0;
	struct version *version = NULL;
	struct key_record *key = NULL;
	struct token_record *token = NULL;

	registry_free(&registry);
	registry = open_registry(REGISTRY_READ);
	ck_assert_uint_eq(registry_version(registry, object, &version), CKR_OK);
	ck_assert_int_eq(version->object, object);
	ck_assert_int_eq(version->sequence, object);
	ck_assert_str_eq(version->name, "job-42");
	ck_assert_uint_eq(registry_version_sequence(registry, object, &sequence), CKR_OK);
	ck_assert_int_eq(sequence, object);
	ck_assert_uint_eq(registry_key(registry, "job-42", &key), CKR_OK);
	ck_assert_int_eq(key->rotate_every, 90 * 86400);
	ck_assert_uint_eq(registry_token(registry, &token), CKR_OK);
	ck_assert_str_eq(token->model, "fixture");
	version_free(&version);
	key_record_free(&key);
	token_record_free(&token);

	ck_assert_uint_eq(registry_version(registry, 1, &version), CKR_OBJECT_HANDLE_INVALID);
	ck_assert_uint_eq(registry_version(registry, 0, &version), CKR_OBJECT_HANDLE_INVALID);
	ck_assert_uint_eq(registry_version(registry, -1, &version), CKR_OBJECT_HANDLE_INVALID);
	ck_assert_uint_eq(registry_version(registry, object + 1, &version), CKR_OBJECT_HANDLE_INVALID);
	ck_assert_uint_eq(registry_version_sequence(registry, object + 1, &sequence),
	                  CKR_OBJECT_HANDLE_INVALID);
	ck_assert_uint_eq(registry_key(registry, "job", &key), CKR_OBJECT_HANDLE_INVALID);
	ck_assert_ptr_null(version);
	ck_assert_ptr_null(key);
	registry_free(&registry);
}
END_TEST

START_TEST(empty_registry_has_nothing)
{
	struct registry *registry = NULL;
	struct registry_head head;
	struct token_record *token = NULL;
	struct registry_search search = { .name = "x" };
	int64_t object = 0, keys = -1, versions = -1;
	size_t count = 9;
	char *why = NULL;

	ck_assert_uint_eq(registry_create(path, authority.authority, &registry, &why), CKR_OK);
	ck_assert_uint_eq(registry_token(registry, &token), CKR_OBJECT_HANDLE_INVALID);
	ck_assert_uint_eq(registry_head(registry, &head), CKR_DEVICE_ERROR);
	ck_assert_uint_eq(registry_search(registry, &search, &object, 1, &count), CKR_OK);
	ck_assert_uint_eq(count, 0);
	ck_assert_uint_eq(registry_count(registry, &keys, &versions), CKR_OK);
	ck_assert_int_eq(keys, 0);
	ck_assert_int_eq(versions, 0);
	registry_free(&registry);
}
END_TEST

START_TEST(head_tells_the_end_of_the_log)
{
	struct registry *registry = fixture_registry(path, &authority);
	struct registry_head head, again;

	ck_assert_uint_eq(registry_head(registry, &head), CKR_OK);
	ck_assert_int_eq(head.sequence, 1);
	ck_assert_int_le(head.issued, clock_now());
	ck_assert_int_eq(head.expires, head.issued + 3600);
	(void)fixture_add_key(registry, &authority, "job-42", 7);
	ck_assert_uint_eq(registry_head(registry, &again), CKR_OK);
	ck_assert_int_eq(again.sequence, 3);
	ck_assert_mem_ne(again.hash, head.hash, sizeof head.hash);
	registry_free(&registry);
}
END_TEST

/* Each leaves the log and what it says as it was, and the head broken. */
static const char *const head_faults[] = {
	"DELETE FROM head",
	"UPDATE head SET sequence = sequence - 1",
	"UPDATE head SET sequence = sequence + 1",
	"UPDATE head SET sequence = 'x'",
	"UPDATE head SET expires = expires + 1",
	"UPDATE head SET issued = issued - 1",
	"UPDATE head SET hash = zeroblob(32)",
	"UPDATE head SET hash = zeroblob(31)",
	"UPDATE head SET hash = 'text'",
	"UPDATE head SET signature = zeroblob(64)",
	"UPDATE head SET signature = x''",
	"UPDATE head SET signature = zeroblob(100000)",
	"INSERT INTO entries SELECT 99, previous, payload, signature FROM entries WHERE sequence = 1",
	"DELETE FROM entries WHERE sequence = (SELECT max(sequence) FROM entries)",
};

#define HEAD_FAULT_COUNT ((int)(sizeof head_faults / sizeof *head_faults))

static CK_RV
build_nothing(struct registry *registry, struct change *change, void *context)
{
	(void)registry;
	(void)change;
	++*(int *)context;
	return CKR_OK;
}

/* A last entry that is not signed is broken by itself, as any other would be. */
START_TEST(broken_last_entry_stops_nothing_else)
{
	struct registry *registry = fixture_registry(path, &authority);
	int64_t object = fixture_add_key(registry, &authority, "job-42", 7);
	int64_t last = fixture_add_key(registry, &authority, "last", 8);
	struct version *version = NULL;
	struct registry_head head;
	int built = 0;

	fixture_sql(path, "UPDATE entries SET previous = zeroblob(32) WHERE sequence = "
	            "(SELECT max(sequence) FROM entries)");
	ck_assert_uint_eq(registry_head(registry, &head), CKR_OK);
	ck_assert_uint_eq(registry_version(registry, last, &version), CKR_DEVICE_ERROR);
	ck_assert_uint_eq(registry_change(registry, &authority.signer, 3600, build_nothing, &built),
	                  CKR_OK);
	ck_assert_int_eq(built, 1);
	ck_assert_uint_eq(registry_version(registry, object, &version), CKR_OK);
	version_free(&version);
	registry_free(&registry);
}
END_TEST

START_TEST(broken_head_stops_changes_not_reading)
{
	struct registry *registry = fixture_registry(path, &authority);
	int64_t object = fixture_add_key(registry, &authority, "job-42", 7);
	struct version *version = NULL;
	struct registry_head head;
	int built = 0;

	(void)fixture_add_key(registry, &authority, "last", 8);
	ck_assert_uint_eq(registry_head(registry, &head), CKR_OK);
	fixture_sql(path, "%s", head_faults[_i]);
	ck_assert_uint_eq(registry_head(registry, &head), CKR_DEVICE_ERROR);
	ck_assert_uint_eq(registry_change(registry, &authority.signer, 3600, build_nothing, &built),
	                  CKR_DEVICE_ERROR);
	ck_assert_int_eq(built, 0);
	ck_assert_uint_eq(registry_version(registry, object, &version), CKR_OK);
	version_free(&version);
	registry_free(&registry);
}
END_TEST

START_TEST(entry_with_any_bit_changed_is_refused_alone)
{
	static const char *const columns[] = { "payload", "signature", "previous" };
	struct registry *registry = fixture_registry(path, &authority);
	int64_t before = fixture_add_key(registry, &authority, "before", 1);
	int64_t object = fixture_add_key(registry, &authority, "job-42", 2);
	int64_t after = fixture_add_key(registry, &authority, "after", 3);
	struct version *version = NULL;
	sqlite3_blob *blob = NULL;
	sqlite3 *db = NULL;
	unsigned char byte;

	ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
	ck_assert_int_eq(sqlite3_exec(db, "PRAGMA synchronous = OFF", NULL, NULL, NULL), SQLITE_OK);
	ck_assert_int_eq(sqlite3_blob_open(db, "main", "entries", columns[_i], object, 1, &blob),
	                 SQLITE_OK);
	for (int bit = 0; bit < 8 * sqlite3_blob_bytes(blob); bit++) {
		ck_assert_int_eq(sqlite3_blob_read(blob, &byte, 1, bit / 8), SQLITE_OK);
		byte ^= (unsigned char)(1 << bit % 8);
		ck_assert_int_eq(sqlite3_blob_write(blob, &byte, 1, bit / 8), SQLITE_OK);
		/* The write is committed, and the blob's transaction begun anew. */
		ck_assert_int_eq(sqlite3_blob_reopen(blob, object), SQLITE_OK);
		ck_assert_int_eq(sqlite3_blob_close(blob), SQLITE_OK);
		ck_assert_uint_eq(registry_version(registry, object, &version), CKR_DEVICE_ERROR);
		ck_assert_ptr_null(version);
		ck_assert_int_eq(sqlite3_blob_open(db, "main", "entries", columns[_i], object, 1, &blob),
		                 SQLITE_OK);
		byte ^= (unsigned char)(1 << bit % 8);
		ck_assert_int_eq(sqlite3_blob_write(blob, &byte, 1, bit / 8), SQLITE_OK);
	}
	byte ^= 1;
	ck_assert_int_eq(sqlite3_blob_write(blob, &byte, 1, sqlite3_blob_bytes(blob) - 1), SQLITE_OK);
	ck_assert_int_eq(sqlite3_blob_close(blob), SQLITE_OK);
	ck_assert_int_eq(sqlite3_close(db), SQLITE_OK);
	ck_assert_uint_eq(registry_version(registry, object, &version), CKR_DEVICE_ERROR);
	ck_assert_uint_eq(registry_version(registry, before, &version), CKR_OK);
	version_free(&version);
	ck_assert_uint_eq(registry_version(registry, after, &version), CKR_OK);
	version_free(&version);
	registry_free(&registry);
}
END_TEST

/* The index lies about job-42, whose entries are 2 (key) and 3 (version); other's are 4 and 5. */
static const char *const index_faults[] = {
	"UPDATE versions SET sequence = 5 WHERE object = 3",
	"UPDATE versions SET sequence = 2 WHERE object = 3",
	"UPDATE versions SET sequence = 1 WHERE object = 3",
	"UPDATE versions SET sequence = 99 WHERE object = 3",
	"UPDATE versions SET sequence = -1 WHERE object = 3",
	"UPDATE versions SET name = 'job-43' WHERE object = 3",
	"UPDATE versions SET name = x'00' WHERE object = 3",
	"UPDATE versions SET number = 2 WHERE object = 3",
	"UPDATE versions SET id = x'01' WHERE object = 3",
	"UPDATE versions SET id = x'' WHERE object = 3",
	"UPDATE versions SET id = CAST(id AS TEXT) WHERE object = 3",
	"UPDATE versions SET state = 'deactivated' WHERE object = 3",
	"UPDATE versions SET state = '' WHERE object = 3",
	"DELETE FROM entries WHERE sequence = 3",
	"UPDATE entries SET payload = '{}' WHERE sequence = 3",
	"UPDATE entries SET payload = 7 WHERE sequence = 3",
	"UPDATE entries SET payload = zeroblob(65537) WHERE sequence = 3",
	"UPDATE entries SET previous = zeroblob(33) WHERE sequence = 3",
	"UPDATE entries SET signature = 'abc' WHERE sequence = 3",
	"UPDATE entries SET (previous, payload, signature) ="
	" (SELECT previous, payload, signature FROM entries WHERE sequence = 5) WHERE sequence = 3",
};

#define INDEX_FAULT_COUNT ((int)(sizeof index_faults / sizeof *index_faults))

START_TEST(index_is_not_believed)
{
	struct registry *registry = fixture_registry(path, &authority);
	struct version *version = NULL;

	ck_assert_int_eq(fixture_add_key(registry, &authority, "job-42", 7), 3);
	ck_assert_int_eq(fixture_add_key(registry, &authority, "other", 8), 5);
	fixture_sql(path, "%s", index_faults[_i]);
	ck_assert_uint_eq(registry_version(registry, 3, &version), CKR_DEVICE_ERROR);
	ck_assert_ptr_null(version);
	ck_assert_uint_eq(registry_version(registry, 5, &version), CKR_OK);
	version_free(&version);
	registry_free(&registry);
}
END_TEST

START_TEST(key_and_token_are_checked_too)
{
	struct registry *registry = fixture_registry(path, &authority);
	struct key_record *key = NULL;
	struct token_record *token = NULL;

	(void)fixture_add_key(registry, &authority, "job-42", 7);
	(void)fixture_add_key(registry, &authority, "other", 8);
	fixture_sql(path, "UPDATE keys SET sequence = 4 WHERE name = 'job-42'");
	ck_assert_uint_eq(registry_key(registry, "job-42", &key), CKR_DEVICE_ERROR);
	fixture_sql(path, "UPDATE keys SET sequence = 3 WHERE name = 'job-42'");
	ck_assert_uint_eq(registry_key(registry, "job-42", &key), CKR_DEVICE_ERROR);
	fixture_sql(path, "UPDATE token SET sequence = 2");
	ck_assert_uint_eq(registry_token(registry, &token), CKR_DEVICE_ERROR);
	fixture_sql(path, "UPDATE token SET sequence = 1;"
	            "UPDATE entries SET signature = zeroblob(64) WHERE sequence = 1");
	ck_assert_uint_eq(registry_token(registry, &token), CKR_DEVICE_ERROR);
	ck_assert_ptr_null(key);
	ck_assert_ptr_null(token);
	registry_free(&registry);
}
END_TEST

START_TEST(another_authority_reads_nothing)
{
	struct registry *registry = fixture_registry(path, &authority);
	int64_t object = fixture_add_key(registry, &authority, "job-42", 7);
	struct fixture_authority other;
	struct version *version = NULL;
	struct registry_head head;
	char *why = NULL;

	registry_free(&registry);
	fixture_authority_new("P-256", &other);
	ck_assert_uint_eq(registry_open(path, other.authority, REGISTRY_READ, &registry, &why), CKR_OK);
	ck_assert_uint_eq(registry_version(registry, object, &version), CKR_DEVICE_ERROR);
	ck_assert_uint_eq(registry_head(registry, &head), CKR_DEVICE_ERROR);
	registry_free(&registry);
	fixture_authority_clear(&other);
}
END_TEST

/* The schema's code is not run: a trigger, or a view in the place of a table. */
START_TEST(schema_of_others_does_nothing)
{
	struct registry *registry = fixture_registry(path, &authority);
	struct version *version = NULL;
	int64_t object;

	registry_free(&registry);
	fixture_sql(path, "CREATE TRIGGER t AFTER INSERT ON entries BEGIN DELETE FROM token; END");
	registry = open_registry(REGISTRY_WRITE);
	object = fixture_add_key(registry, &authority, "job-42", 7);
	ck_assert_int_eq(fixture_sql_number(path, "SELECT count(*) FROM token"), 1);
	registry_free(&registry);
	fixture_sql(path, "DROP TRIGGER t; ALTER TABLE versions RENAME TO v;"
	            "CREATE VIEW versions AS SELECT * FROM v");
	registry = open_registry(REGISTRY_READ);
	ck_assert_uint_eq(registry_version(registry, object, &version), CKR_DEVICE_ERROR);
	registry_free(&registry);
}
END_TEST

START_TEST(damaged_file_is_a_device_error)
{
	struct registry *registry = fixture_registry(path, &authority);
	struct version *version = NULL;
	int64_t object = 0, page;
	FILE *file;
	CK_RV rv;

	for (int i = 0; i < 60; i++) {
		char name[16];

		snprintf(name, sizeof name, "key-%d", i);
		object = fixture_add_key(registry, &authority, name, (uint64_t)i);
	}
	registry_free(&registry);
	fixture_sql(path, "PRAGMA wal_checkpoint(TRUNCATE)"); /* all is in the file itself now */
	page = fixture_sql_number(path, "SELECT rootpage FROM sqlite_schema WHERE name = 'entries'");
	file = fopen(path, "r+");
	ck_assert_ptr_nonnull(file);
	ck_assert_int_eq(fseek(file, (long)(page - 1) * 4096, SEEK_SET), 0);
	for (int i = 0; i < 4096; i++)
		fputc(0x5a, file);
	ck_assert_int_eq(fclose(file), 0);
	registry = open_registry(REGISTRY_READ);
	rv = registry_version(registry, object, &version);
	ck_assert_uint_eq(rv, CKR_DEVICE_ERROR);
	registry_free(&registry);
}
END_TEST

START_TEST(generation_grows_with_every_change)
{
	struct registry *writer = fixture_registry(path, &authority);
	struct registry *reader = open_registry(REGISTRY_READ);
	uint64_t was = 0, is = 0;
	int64_t number;

	ck_assert_uint_eq(registry_generation(reader, &was), CKR_OK);
	ck_assert_uint_ge(was, 1);
	ck_assert_uint_eq(registry_generation(reader, &is), CKR_OK);
	ck_assert_uint_eq(is, was);
	(void)fixture_add_key(writer, &authority, "job-42", 7);
	ck_assert_uint_eq(registry_generation(reader, &is), CKR_OK);
	ck_assert_uint_gt(is, was);

	/* Also for the connection that made it. */
	ck_assert_uint_eq(registry_generation(writer, &was), CKR_OK);
	ck_assert_uint_eq(registry_generation(writer, &is), CKR_OK);
	ck_assert_uint_eq(is, was);
	(void)fixture_add_key(writer, &authority, "job-43", 8);
	ck_assert_uint_eq(registry_generation(writer, &is), CKR_OK);
	ck_assert_uint_gt(is, was);
	was = is;
	ck_assert_uint_eq(registry_intend(writer, &(struct intention){
		.name = "job-44", .id = "x", .id_size = 1
	}, &number), CKR_OK);
	ck_assert_uint_eq(registry_generation(writer, &is), CKR_OK);
	ck_assert_uint_gt(is, was);
	registry_free(&reader);
	registry_free(&writer);
}
END_TEST

/* SQLite's types are per value: what is no BLOB is no CKA_ID. */
START_TEST(an_intent_without_a_cka_id_is_none)
{
	struct registry *writer = fixture_registry(path, &authority);
	struct intent *intents = NULL;
	size_t count = 7;

	fixture_sql(path, "INSERT INTO intents VALUES ('abc', 'job', 2, 1), (5, 'job', 3, 1),"
	            " (x'616263', 'job', 4, 1)");
	ck_assert_uint_eq(registry_intents(writer, &intents, &count), CKR_OK);
	ck_assert_uint_eq(count, 1);
	ck_assert_int_eq(intents[0].number, 4);
	intents_free(intents, count);
	registry_free(&writer);
}
END_TEST

Suite *
unit_suite(void)
{
	Suite *suite = suite_create("registry");
	TCase *tests = tcase_create("registry");

	tcase_add_checked_fixture(tests, start, stop);
	tcase_add_test(tests, create_makes_a_file_for_all_to_read);
	tcase_add_test(tests, create_touches_no_file_that_is_there);
	tcase_add_test(tests, create_needs_a_folder);
	tcase_add_test(tests, open_refuses_what_is_no_registry);
	tcase_add_test(tests, open_refuses_a_newer_format);
	tcase_add_test(tests, open_follows_links_to_the_folder);
	tcase_add_test(tests, records_are_read);
	tcase_add_test(tests, empty_registry_has_nothing);
	tcase_add_test(tests, head_tells_the_end_of_the_log);
	tcase_add_test(tests, broken_last_entry_stops_nothing_else);
	tcase_add_loop_test(tests, broken_head_stops_changes_not_reading, 0, HEAD_FAULT_COUNT);
	tcase_add_loop_test(tests, entry_with_any_bit_changed_is_refused_alone, 0, 3);
	tcase_add_loop_test(tests, index_is_not_believed, 0, INDEX_FAULT_COUNT);
	tcase_add_test(tests, key_and_token_are_checked_too);
	tcase_add_test(tests, another_authority_reads_nothing);
	tcase_add_test(tests, schema_of_others_does_nothing);
	tcase_add_test(tests, damaged_file_is_a_device_error);
	tcase_add_test(tests, generation_grows_with_every_change);
	tcase_add_test(tests, an_intent_without_a_cka_id_is_none);
	tcase_set_timeout(tests, 120);
	suite_add_tcase(suite, tests);
	return suite;
}
