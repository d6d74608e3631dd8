/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Random changes of the index, of intents and notes (all that is not signed), each met by an
 * authority host's refresh. Whatever they are, none of these happens:
 *
 *   - a pair of a version that is not due is removed from the KMS;
 *   - a new entry is signed by which a version protects that was compromised or destroyed.
 *
 * P11_KMS_TAMPERINGS, P11_KMS_SEED: how many, and which; the seed is told when one fails.
 */
#include "lifecycle-fixture.h"


#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sqlite3.h>

#define VERSIONS_MAX 16

static uint64_t random_state;
static char *ids[VERSIONS_MAX]; /* hexadecimal, of all pairs that must stay */
static size_t id_count;
static char *stolen, *gone;     /* of those, what must not protect */
static int64_t image_head;

/* A linear generator: only the spread matters, and that a seed gives the same again. */
static unsigned
random_below(unsigned limit)
{
	random_state = random_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (unsigned)((random_state >> 33) % limit);
}

static char *
add(const char *name)
{
	struct version *version = make(name, "p-256", 0);
	char *id = hex_dup(version->id.data, version->id.size);

	ck_assert_ptr_nonnull(id);
	ids[id_count++] = id;
	version_free(&version);
	return id;
}

static int64_t
object_of(const char *name, int64_t number)
{
	struct registry_search search = { .name = name, .number = number, .destroyed = true };
	int64_t object = 0;
	size_t count = 0;

	ck_assert_uint_eq(registry_search(registry, &search, &object, 1, &count), CKR_OK);
	ck_assert_uint_eq(count, 1);
	return object;
}

/* Each kind of what can be turned back: states, moves that were undone, policies. */
static void
make_history(void)
{
	struct registry_head head;

	id_count = 0;
	(void)add("kept");
	set_policy("kept", "keep-versions=1");
	set_policy("kept", "destroy-after=0s");
	set_policy("kept", "keep-versions=all");
	(void)add("kept");
	(void)add("kept");
	set_policy("kept", "destroy-after=30d");
	stolen = add("stolen");
	ck_assert_uint_eq(lifecycle_compromise(lifecycle, object_of("stolen", 1), "stolen"), CKR_OK);
	gone = add("gone");
	(void)add("gone");
	ck_assert_uint_eq(lifecycle_destroy(lifecycle, object_of("gone", 1)), CKR_OK);
	(void)add("restored");
	ck_assert_uint_eq(lifecycle_destroy(lifecycle, object_of("restored", 1)), CKR_OK);
	ck_assert_uint_eq(lifecycle_restore(lifecycle, object_of("restored", 1)), CKR_OK);
	set_policy("restored", "destroy-after=0s");
	ck_assert_uint_eq(registry_head(registry, &head), CKR_OK);
	image_head = head.sequence;
}

/* One that breaks a rule of the tables does nothing. */
static void
run(const char *format, ...)
{
	va_list arguments;
	sqlite3 *database;
	char *sql;

	va_start(arguments, format);
	sql = sqlite3_vmprintf(format, arguments);
	va_end(arguments);
	ck_assert_int_eq(sqlite3_open(kms_config.registry, &database), SQLITE_OK);
	(void)sqlite3_exec(database, sql, NULL, NULL, NULL);
	ck_assert_int_eq(sqlite3_close(database), SQLITE_OK);
	sqlite3_free(sql);
}

static int64_t
number(const char *format, ...)
{
	va_list arguments;
	sqlite3_stmt *row;
	sqlite3 *database;
	int64_t result;
	char *sql;

	va_start(arguments, format);
	sql = sqlite3_vmprintf(format, arguments);
	va_end(arguments);
	ck_assert_int_eq(sqlite3_open(kms_config.registry, &database), SQLITE_OK);
	ck_assert_int_eq(sqlite3_prepare_v2(database, sql, -1, &row, NULL), SQLITE_OK);
	ck_assert_int_eq(sqlite3_step(row), SQLITE_ROW);
	result = sqlite3_column_int64(row, 0);
	sqlite3_finalize(row);
	ck_assert_int_eq(sqlite3_close(database), SQLITE_OK);
	sqlite3_free(sql);
	return result;
}

static void
tamper(void)
{
	static const char *const names[] = { "kept", "stolen", "gone", "restored" };
	static const char *const states[] = {
		"pre-active", "active", "deactivated", "compromised", "destroy-pending", "destroyed",
	};
	const char *id = ids[random_below((unsigned)id_count)];
	const char *name = names[random_below(4)];
	unsigned any = random_below(1000);

	switch (random_below(8)) {
	case 0:
		run("DELETE FROM versions WHERE id = x'%s'", id);
		break;
	case 1:
		run("DELETE FROM versions WHERE name = %Q", name);
		break;
	case 2: /* an older entry of the same version, with the state that it has */
		run("UPDATE versions SET (sequence, state) = (SELECT sequence,"
		    " json_extract(CAST(payload AS TEXT), '$.state') FROM entries"
		    " WHERE instr(CAST(payload AS TEXT), '\"id\":\"%s\"') ORDER BY (sequence * 7919 + %u) %% 101"
		    " LIMIT 1) WHERE id = x'%s'", id, any, id);
		break;
	case 3: /* an older policy */
		run("UPDATE keys SET sequence = (SELECT sequence FROM entries WHERE"
		    " instr(CAST(payload AS TEXT), '\"type\":\"key\"') AND"
		    " instr(CAST(payload AS TEXT), '\"name\":\"%s\"') ORDER BY (sequence * 7919 + %u) %% 101"
		    " LIMIT 1) WHERE name = %Q", name, any, name);
		break;
	case 4:
		run("UPDATE versions SET state = %Q WHERE id = x'%s'", states[random_below(6)], id);
		break;
	case 5:
		run("INSERT OR REPLACE INTO intents SELECT x'%s', %Q, %u, %u * (1 + %u * ((1 << 40) - 1)) *"
		    " (1 - 2 * %u)", id, name, 1 + any % 4, 1 + any, random_below(2), random_below(2));
		break;
	case 6:
		run("INSERT OR REPLACE INTO notes SELECT 'waits-since', id, strftime('%%s', 'now') - 3600"
		    " FROM versions");
		break;
	default:
		run("UPDATE versions SET number = number + %u WHERE id = x'%s'", 1 + any % 3, id);
		break;
	}
}

static void
check(uint64_t seed)
{
	for (size_t i = 0; i < id_count; i++) {
		struct buffer id = BUFFER_INIT;

		ck_assert(hex_parse(ids[i], &id));
		ck_assert_msg(kms_find_pair(kms, id.data, id.size, NULL, soon()) == CKR_OK,
		              "seed %llu: a pair is gone", (unsigned long long)seed);
		buffer_clear(&id);
	}
	for (int i = 0; i < 2; i++)
		ck_assert_msg(number("SELECT count(*) FROM entries WHERE sequence > %lld AND"
		                     " instr(CAST(payload AS TEXT), '\"id\":\"%s\"') AND"
		                     " (instr(CAST(payload AS TEXT), '\"state\":\"active\"') OR"
		                     " instr(CAST(payload AS TEXT), '\"state\":\"pre-active\"'))",
		                     (long long)image_head, i == 0 ? stolen : gone) == 0,
		              "seed %llu: %s@1 protects again", (unsigned long long)seed,
		              i == 0 ? "stolen" : "gone");
}

static unsigned
setting(const char *name, unsigned usual)
{
	const char *text = getenv(name);

	return text == NULL ? usual : (unsigned)strtoul(text, NULL, 10);
}

START_TEST(refresh_destroys_nothing_and_brings_nothing_back)
{
	unsigned count = setting("P11_KMS_TAMPERINGS", 60);
	uint64_t first = setting("P11_KMS_SEED", 1);
	char image[256], state[256];

	make_history();
	snprintf(image, sizeof image, "%s", softhsm_path("image.db"));
	run("VACUUM INTO %Q", image);
	for (uint64_t seed = first; seed < first + count; seed++) {
		struct refresh_summary summary;
		CK_RV rv;

		random_state = seed * UINT64_C(0x9e3779b97f4a7c15);
		lifecycle_end();
		/* What was seen of it counts from here on. */
		snprintf(state, sizeof state, "%s-%llu", softhsm_path("state"), (unsigned long long)seed);
		ck_assert_int_eq(setenv("XDG_STATE_HOME", state, 1), 0);
		run("DELETE FROM versions; DELETE FROM keys; DELETE FROM entries; DELETE FROM head;"
		    " DELETE FROM objects; DELETE FROM token; DELETE FROM intents; DELETE FROM notes;"
		    " ATTACH %Q AS image; INSERT INTO entries SELECT * FROM image.entries;"
		    " INSERT INTO versions SELECT * FROM image.versions; INSERT INTO keys SELECT * FROM image.keys;"
		    " INSERT INTO head SELECT * FROM image.head; INSERT INTO token SELECT * FROM image.token;"
		    " INSERT INTO objects SELECT * FROM image.objects;", image);
		ck_assert_int_eq(number("SELECT max(sequence) FROM entries"), image_head);
		for (unsigned times = 1 + random_below(4); times > 0; times--)
			tamper();
		lifecycle_begin();
		for (int times = 0; times < 2; times++) {
			rv = lifecycle_refresh(lifecycle, false, NULL, NULL, &summary);
			ck_assert(rv == CKR_OK || rv == CKR_DEVICE_ERROR);
			run("UPDATE notes SET time = time - 3600");
			run("UPDATE intents SET since = since - 3600 WHERE since > 3600");
		}
		check(seed);
	}
	for (size_t i = 0; i < id_count; i++)
		free(ids[i]);
}
END_TEST

Suite *
unit_suite(void)
{
	Suite *suite = suite_create("tampered-refresh");
	TCase *tests = tcase_create("tampered-refresh");

	tcase_add_checked_fixture(tests, lifecycle_setup, lifecycle_teardown);
	tcase_set_timeout(tests, 600);
	tcase_add_test(tests, refresh_destroys_nothing_and_brings_nothing_back);
	suite_add_tcase(suite, tests);
	return suite;
}
