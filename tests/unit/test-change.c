/* SPDX-License-Identifier: Apache-2.0 */
#include "registry-fixture.h"
#include "unit.h"

#include "base/openssl.h"
#include "registry/registry.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <sqlite3.h>

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
	snprintf(name, sizeof name, "change-%d-%d.db", (int)getpid(), count++);
	snprintf(path, sizeof path, "%s", unit_path(name));
	registry = fixture_registry(path, &authority);
}

static void
stop(void)
{
	registry_free(&registry);
	fixture_authority_clear(&authority);
	openssl_stop();
}

static const struct buffer *
spki(void)
{
	return authority_spki(authority.authority);
}

static CK_RV
change(registry_build build, void *context)
{
	return registry_change(registry, &authority.signer, 3600, build, context);
}

static int64_t
last_sequence(void)
{
	struct registry_head head;

	ck_assert_uint_eq(registry_head(registry, &head), CKR_OK);
	return head.sequence;
}

static void
assert_unchanged(int64_t sequence)
{
	int64_t findings = -1, entries = 0;

	ck_assert_int_eq(last_sequence(), sequence);
	ck_assert_uint_eq(registry_verify(registry, NULL, NULL, &entries, &findings), CKR_OK);
	ck_assert_int_eq(entries, sequence);
	ck_assert_int_eq(findings, 0);
}

static CK_RV
build_nothing(struct registry *of, struct change *into, void *context)
{
	(void)of;
	(void)into;
	(void)context;
	return CKR_OK;
}

START_TEST(empty_change_makes_a_new_head)
{
	struct registry_head before, after;

	ck_assert_uint_eq(registry_head(registry, &before), CKR_OK);
	ck_assert_uint_eq(registry_change(registry, &authority.signer, 7200, build_nothing, NULL), CKR_OK);
	ck_assert_uint_eq(registry_head(registry, &after), CKR_OK);
	ck_assert_int_eq(after.sequence, before.sequence);
	ck_assert_mem_eq(after.hash, before.hash, sizeof after.hash);
	ck_assert_int_eq(after.expires, after.issued + 7200);
	ck_assert_uint_eq(registry_change(registry, &authority.signer, 0, build_nothing, NULL), CKR_OK);
	ck_assert_uint_eq(registry_head(registry, &after), CKR_OK);
	ck_assert_int_eq(after.expires, RECORD_TIME_MAX);
	ck_assert_uint_eq(registry_change(registry, &authority.signer, INT64_MAX, build_nothing, NULL),
	                  CKR_OK);
	ck_assert_uint_eq(registry_head(registry, &after), CKR_OK);
	ck_assert_int_eq(after.expires, RECORD_TIME_MAX);
}
END_TEST

/* Rotates: the current version is deactivated, the next one is made, in one change. */
static CK_RV
build_rotation(struct registry *of, struct change *into, void *context)
{
	struct version *old = NULL, *new = fixture_version("job-42", 2, 2, spki());
	CK_RV rv = registry_version(of, *(int64_t *)context, &old);

	if (rv == CKR_OK) {
		old->state = STATE_DEACTIVATED;
		rv = change_add_version(into, old);
	}
	if (rv == CKR_OK)
		rv = change_add_version(into, new);
	if (rv == CKR_OK)
		*(int64_t *)context = new->object;
	version_free(&old);
	version_free(&new);
	return rv;
}

START_TEST(rotation_is_one_change)
{
	int64_t first = fixture_add_key(registry, &authority, "job-42", 1), second = first, object = 0;
	struct registry_search search = { .name = "job-42", .active = true };
	struct version *version = NULL;
	size_t count = 0;

	ck_assert_uint_eq(change(build_rotation, &second), CKR_OK);
	ck_assert_int_eq(second, first + 2);
	ck_assert_uint_eq(registry_version(registry, first, &version), CKR_OK);
	ck_assert_int_eq(version->state, STATE_DEACTIVATED);
	ck_assert_int_eq(version->sequence, first + 1);
	ck_assert_int_eq(version->object, first);
	version_free(&version);
	ck_assert_uint_eq(registry_search(registry, &search, &object, 1, &count), CKR_OK);
	ck_assert_uint_eq(count, 1);
	ck_assert_int_eq(object, second);
	assert_unchanged(second);
}
END_TEST

static CK_RV
build_failure(struct registry *of, struct change *into, void *context)
{
	struct key_record *key = fixture_key("lost");
	CK_RV rv = change_add_key(into, key);

	(void)of;
	key_record_free(&key);
	return rv == CKR_OK ? *(CK_RV *)context : rv;
}

START_TEST(failures_of_build_and_signer_change_nothing)
{
	CK_RV fail = CKR_KEY_HANDLE_INVALID;

	ck_assert_uint_eq(change(build_failure, &fail), CKR_KEY_HANDLE_INVALID);
	assert_unchanged(1);
	authority.fail = CKR_USER_NOT_LOGGED_IN;
	fail = CKR_OK;
	ck_assert_uint_eq(change(build_failure, &fail), CKR_USER_NOT_LOGGED_IN);
	authority.fail = CKR_OK;
	assert_unchanged(1);
}
END_TEST

START_TEST(another_signer_changes_nothing)
{
	struct fixture_authority other;

	fixture_authority_new("P-256", &other);
	ck_assert_uint_eq(registry_change(registry, &other.signer, 3600, build_nothing, NULL),
	                  CKR_DEVICE_ERROR);
	fixture_authority_clear(&other);
	assert_unchanged(1);
}
END_TEST

START_TEST(reader_changes_nothing)
{
	bool given_up = false;
	struct registry *reader = NULL;
	int64_t number = 0;
	char *why = NULL;

	ck_assert_uint_eq(registry_open(path, authority.authority, REGISTRY_READ, &reader, &why), CKR_OK);
	ck_assert_uint_eq(registry_change(reader, &authority.signer, 1, build_nothing, NULL),
	                  CKR_TOKEN_WRITE_PROTECTED);
	ck_assert_uint_eq(registry_intend(reader, &(struct intention){
		.name = "x", .id = "id", .id_size = 2
	}, &number), CKR_TOKEN_WRITE_PROTECTED);
	ck_assert_uint_eq(registry_intent_remove(reader, "id", 2), CKR_TOKEN_WRITE_PROTECTED);
	ck_assert_uint_eq(registry_intent_give_up(reader, "id", 2, &given_up),
	                  CKR_TOKEN_WRITE_PROTECTED);
	ck_assert_uint_eq(registry_intent_take_back(reader, "x", 1, "id", 2, &given_up),
	                  CKR_TOKEN_WRITE_PROTECTED);
	registry_free(&reader);
	assert_unchanged(1);
}
END_TEST

static CK_RV
build_key_only(struct registry *of, struct change *into, void *context)
{
	CK_RV ok = CKR_OK;

	(void)context;
	return build_failure(of, into, &ok);
}

START_TEST(first_entry_is_the_token)
{
	struct registry *empty = NULL;
	char other[600], *why = NULL;

	snprintf(other, sizeof other, "%s.empty", path);
	ck_assert_uint_eq(registry_create(other, authority.authority, &empty, &why), CKR_OK);
	ck_assert_uint_eq(registry_change(empty, &authority.signer, 1, build_nothing, NULL),
	                  CKR_DATA_INVALID);
	ck_assert_uint_eq(registry_change(empty, &authority.signer, 1, build_key_only, NULL),
	                  CKR_DATA_INVALID);
	registry_free(&empty);
	ck_assert_int_eq(fixture_sql_number(other, "SELECT count(*) FROM entries"), 0);
}
END_TEST

/* One version that is added; what the change returns and what became of the struct. */
struct single {
	struct version *version;
	CK_RV rv;
};

static CK_RV
build_single(struct registry *of, struct change *into, void *context)
{
	struct single *single = context;

	(void)of;
	single->rv = change_add_version(into, single->version);
	return single->rv;
}

START_TEST(what_is_in_use_is_refused)
{
	int64_t object = fixture_add_key(registry, &authority, "job-42", 1);
	struct single single = { .rv = CKR_OK };

	single.version = fixture_version("other", 1, 1, spki()); /* the CKA_ID */
	ck_assert_uint_eq(change(build_single, &single), CKR_ATTRIBUTE_VALUE_INVALID);
	version_free(&single.version);
	single.version = fixture_version("job-42", 1, 2, spki()); /* name and number */
	ck_assert_uint_eq(change(build_single, &single), CKR_ATTRIBUTE_VALUE_INVALID);
	version_free(&single.version);
	assert_unchanged(object);
}
END_TEST

START_TEST(later_entry_must_be_of_the_same_version)
{
	int64_t object = fixture_add_key(registry, &authority, "job-42", 1);
	struct single single = { .rv = CKR_OK };
	static const struct {
		const char *name;
		int64_t number, object;
		uint64_t seed;
	} wrong[] = {
		{ "job-43", 1, 3, 1 }, { "job-42", 2, 3, 1 }, { "job-42", 1, 3, 2 }, { "job-42", 1, 2, 1 },
		{ "job-42", 1, 99, 1 },
	};

	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		single.version = fixture_version(wrong[i].name, wrong[i].number, wrong[i].seed, spki());
		single.version->object = wrong[i].object;
		ck_assert_uint_eq(change(build_single, &single), CKR_DATA_INVALID);
		version_free(&single.version);
	}
	assert_unchanged(object);
}
END_TEST

START_TEST(refused_record_leaves_the_version_as_it_was)
{
	struct single single = { .rv = CKR_OK };

	single.version = fixture_version("job-42", 0, 1, spki()); /* versions count from 1 */
	ck_assert_uint_eq(change(build_single, &single), CKR_DATA_INVALID);
	ck_assert_uint_eq(single.rv, CKR_DATA_INVALID);
	ck_assert_int_eq(single.version->object, 0);
	ck_assert_int_eq(single.version->sequence, 0);
	version_free(&single.version);
	assert_unchanged(1);
}
END_TEST

/* Each of the first tries is overtaken by another connection's commit. */
struct race {
	struct registry *rival;
	struct version *version; /* the same struct at every try */
	int tries, overtaken;
};

static CK_RV
build_race(struct registry *of, struct change *into, void *context)
{
	struct race *race = context;
	char name[32];
	CK_RV rv;

	(void)of;
	rv = change_add_version(into, race->version);
	if (race->tries++ < race->overtaken) {
		snprintf(name, sizeof name, "rival-%d", race->tries);
		(void)fixture_add_key(race->rival, &authority, name, (uint64_t)(1000 + race->tries));
	}
	return rv;
}

START_TEST(overtaken_change_is_built_again)
{
	struct race race = { .overtaken = 3 };
	struct version *version = NULL;
	char *why = NULL;

	ck_assert_uint_eq(registry_open(path, authority.authority, REGISTRY_WRITE, &race.rival, &why),
	                  CKR_OK);
	race.version = fixture_version("job-42", 1, 1, spki());
	ck_assert_uint_eq(change(build_race, &race), CKR_OK);
	ck_assert_int_eq(race.tries, 4);
	ck_assert_int_eq(race.version->object, 1 + 3 * 2 + 1);
	ck_assert_uint_eq(registry_version(registry, race.version->object, &version), CKR_OK);
	version_free(&version);
	version_free(&race.version);
	registry_free(&race.rival);
	assert_unchanged(8);
}
END_TEST

START_TEST(change_that_is_always_overtaken_gives_up)
{
	struct race race = { .overtaken = 1000 };
	char *why = NULL;

	ck_assert_uint_eq(registry_open(path, authority.authority, REGISTRY_WRITE, &race.rival, &why),
	                  CKR_OK);
	race.version = fixture_version("job-42", 1, 1, spki());
	ck_assert_uint_eq(change(build_race, &race), CKR_FUNCTION_FAILED);
	ck_assert_int_eq(race.tries, 50);
	version_free(&race.version);
	registry_free(&race.rival);
}
END_TEST

/* No lock is held while the KMS signs: another connection writes meanwhile. */
static CK_RV
sign_slowly(void *context, const struct term *term, const void *message, size_t size,
            struct buffer *ret_signature)
{
	struct registry **rival = context;
	struct registry_head head;

	ck_assert_uint_eq(registry_head(registry, &head), CKR_OK);
	if (*rival != NULL) {
		struct registry *once = *rival;

		*rival = NULL;
		(void)fixture_add_key(once, &authority, "meanwhile", 500);
		registry_free(&once);
	}
	return fixture_sign(&authority, term, message, size, ret_signature);
}

START_TEST(nothing_is_locked_while_signing)
{
	struct registry *rival = NULL;
	struct signer slow = { sign_slowly, &rival };
	char *why = NULL;

	ck_assert_uint_eq(registry_open(path, authority.authority, REGISTRY_WRITE, &rival, &why), CKR_OK);
	ck_assert_uint_eq(registry_change(registry, &slow, 3600, build_key_only, NULL), CKR_OK);
	assert_unchanged(4);
}
END_TEST

START_TEST(two_processes_lose_nothing)
{
	enum { EACH = 12 };
	pid_t children[2];
	int64_t keys = 0, versions = 0;

	for (int i = 0; i < 2; i++) {
		children[i] = fork();
		ck_assert_int_ge(children[i], 0);
		if (children[i] == 0) {
			struct registry *own = NULL;
			char *why = NULL, name[32];

			registry_abandon(&registry);
			if (registry_open(path, authority.authority, REGISTRY_WRITE, &own, &why) != CKR_OK)
				_exit(1);
			for (int n = 0; n < EACH; n++) {
				snprintf(name, sizeof name, "key-%d-%d", i, n);
				(void)fixture_add_key(own, &authority, name, (uint64_t)(100 * i + n + 1));
			}
			_exit(0);
		}
	}
	for (int i = 0; i < 2; i++) {
		int status = 1;

		ck_assert_int_eq(waitpid(children[i], &status, 0), children[i]);
		ck_assert_int_eq(status, 0);
	}
	ck_assert_uint_eq(registry_count(registry, &keys, &versions), CKR_OK);
	ck_assert_int_eq(keys, 2 * EACH);
	assert_unchanged(1 + 2 * 2 * EACH);
}
END_TEST

/* In a mount namespace of its own: a small file system, filled up. 77: may not make one. */
static int
change_on_a_full_disk(void)
{
	char folder[600], file[700];
	struct registry *small = NULL;
	struct registry_head head;
	char block[4096] = { 0 };
	FILE *filler;
	CK_RV rv;

	snprintf(folder, sizeof folder, "%s.small", path);
	if (mkdir(folder, 0755) != 0)
		return 1;
	if (unshare(CLONE_NEWNS) != 0 || mount("none", "/", "none", MS_REC | MS_PRIVATE, NULL) != 0 ||
	    mount("none", folder, "tmpfs", 0, "size=1m") != 0)
		return 77;
	snprintf(file, sizeof file, "%s/r.db", folder);
	small = fixture_registry(file, &authority);
	snprintf(file, sizeof file, "%s/filler", folder);
	filler = fopen(file, "w");
	if (filler == NULL)
		return 2;
	setbuf(filler, NULL);
	while (fwrite(block, 1, sizeof block, filler) == sizeof block)
		continue;
	(void)fclose(filler);
	rv = CKR_OK;
	for (int i = 0; rv == CKR_OK && i < 2000; i++) /* until the room inside its files is used up */
		rv = registry_change(small, &authority.signer, 3600, build_key_only, NULL);
	if (rv != CKR_DEVICE_MEMORY)
		return 3;
	if (registry_head(small, &head) != CKR_OK)
		return 4;
	if (unlink(file) != 0 ||
	    registry_change(small, &authority.signer, 3600, build_nothing, NULL) != CKR_OK)
		return 5;
	registry_free(&small);
	return 0;
}

START_TEST(full_disk_is_device_memory)
{
	int status = 1;
	pid_t child = fork();

	ck_assert_int_ge(child, 0);
	if (child == 0) {
		registry_abandon(&registry);
		_exit(change_on_a_full_disk());
	}
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert(WIFEXITED(status));
	ck_assert_msg(WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == 77, "%d", WEXITSTATUS(status));
	assert_unchanged(1);
}
END_TEST

static CK_RV
build_intended(struct registry *changed, struct change *change_made, void *context)
{
	change_intended(change_made);
	return build_single(changed, change_made, context);
}

static bool
give_up(const char *id)
{
	bool given_up = false;

	ck_assert_uint_eq(registry_intent_give_up(registry, id, strlen(id), &given_up), CKR_OK);
	return given_up;
}

static bool
give_up_version(const struct version *version)
{
	bool given_up = false;

	ck_assert_uint_eq(registry_intent_give_up(registry, version->id.data, version->id.size, &given_up),
	                  CKR_OK);
	return given_up;
}

static void
meddle(const char *sql)
{
	sqlite3 *database;

	ck_assert_int_eq(sqlite3_open(path, &database), SQLITE_OK);
	ck_assert_int_eq(sqlite3_exec(database, sql, NULL, NULL, NULL), SQLITE_OK);
	ck_assert_int_eq(sqlite3_close(database), SQLITE_OK);
}

/* Whoever gave an intent up may destroy the pair: no commit may come after that. */
START_TEST(what_was_given_up_is_not_committed)
{
	struct version *version = fixture_version("job-42", 1, 1, spki());
	struct single single = { version, CKR_OK };
	struct intent *intents = NULL;
	int64_t number = 0;
	size_t count = 0;

	ck_assert_uint_eq(change(build_intended, &single), CKR_FUNCTION_CANCELED);
	assert_unchanged(1);
	version->object = 0;
	ck_assert_uint_eq(registry_intend(registry, &(struct intention){
		.name = "job-42", .id = version->id.data, .id_size = version->id.size, .undo_only = true
	}, &number), CKR_OK);
	/* It is another's to commit. */
	ck_assert_uint_eq(change(build_single, &single), CKR_ACTION_PROHIBITED);
	assert_unchanged(1);
	version->object = 0;
	ck_assert_uint_eq(registry_intents(registry, &intents, &count), CKR_OK);
	ck_assert(intents[0].undo_only && !intents[0].given_up);
	ck_assert_int_lt(intents[0].since, INT64_C(1) << 40);
	intents_free(intents, count);
	ck_assert(give_up_version(version));
	ck_assert_uint_eq(registry_intents(registry, &intents, &count), CKR_OK);
	ck_assert(intents[0].given_up && intents[0].removing && !intents[0].undo_only);
	ck_assert_int_gt(intents[0].since, 1000000000);
	intents_free(intents, count);
	ck_assert_uint_eq(change(build_intended, &single), CKR_FUNCTION_CANCELED);
	assert_unchanged(1);
	ck_assert(!give_up("other"));
	version_free(&version);
}
END_TEST

/* Times that nobody of us wrote. */
START_TEST(any_time_can_be_given_up)
{
	static const char *const times[] = { "0", "-9223372036854775808", "9223372036854775807",
	                                     "1099511627776", "'x'" };
	struct intent *intents = NULL;
	char sql[128];
	size_t count = 0;

	snprintf(sql, sizeof sql, "INSERT INTO intents VALUES (CAST('id' AS BLOB), 'x', 1, %s)", times[_i]);
	meddle(sql);
	ck_assert(give_up("id"));
	ck_assert(give_up("id"));
	ck_assert_uint_eq(registry_intents(registry, &intents, &count), CKR_OK);
	ck_assert_uint_eq(count, 1);
	ck_assert(intents[0].given_up && intents[0].removing);
	intents_free(intents, count);
}
END_TEST

START_TEST(its_maker_takes_an_intent_back)
{
	struct version *version = fixture_version("job-42", 1, 1, spki());
	struct single single = { version, CKR_OK };
	const struct buffer *id = &version->id;
	int64_t number = 0;
	bool given_up = false;

	ck_assert_uint_eq(registry_intent_take_back(registry, "job-42", 1, id->data, id->size, &given_up),
	                  CKR_OK);
	ck_assert(given_up);
	ck_assert_uint_eq(change(build_single, &single), CKR_ACTION_PROHIBITED);
	version->object = 0;
	ck_assert_uint_eq(change(build_intended, &single), CKR_FUNCTION_CANCELED);
	ck_assert_uint_eq(registry_intent_remove(registry, id->data, id->size), CKR_OK);
	ck_assert_uint_eq(registry_intend(registry, &(struct intention){
		.name = "job-42", .id = id->data, .id_size = id->size
	}, &number), CKR_OK);
	ck_assert_uint_eq(registry_intent_take_back(registry, "job-42", 1, id->data, id->size, &given_up),
	                  CKR_OK);
	ck_assert(given_up);
	ck_assert_uint_eq(registry_intent_remove(registry, id->data, id->size), CKR_OK);
	version->object = 0;
	ck_assert_uint_eq(change(build_single, &single), CKR_OK);
	ck_assert_uint_eq(registry_intent_take_back(registry, "job-42", 1, id->data, id->size, &given_up),
	                  CKR_OK);
	ck_assert(!given_up);
	version_free(&version);
}
END_TEST

START_TEST(intents_reserve_and_go_with_the_commit)
{
	struct version *version = fixture_version("job-42", 1, 1, spki());
	struct single single = { version, CKR_OK };
	struct intent *intents = NULL;
	int64_t number = 0;
	size_t count = 0;

	ck_assert_uint_eq(registry_intend(registry, &(struct intention){
		.name = "job-42", .id = version->id.data, .id_size = version->id.size
	}, &number), CKR_OK);
	ck_assert_int_eq(number, 1);
	ck_assert_uint_eq(registry_intend(registry, &(struct intention){
		.name = "job-42", .id = "other", .id_size = 5
	}, &number), CKR_OK);
	ck_assert_int_eq(number, 2);
	ck_assert_uint_eq(registry_intend(registry, &(struct intention){
		.name = "x", .id = "other", .id_size = 5
	}, &number), CKR_ATTRIBUTE_VALUE_INVALID);
	ck_assert_uint_eq(registry_intend(registry, &(struct intention){
		.name = "x@1", .id = "y", .id_size = 1
	}, &number), CKR_ATTRIBUTE_VALUE_INVALID);
	ck_assert_uint_eq(registry_intend(registry, &(struct intention){
		.name = "x", .id = "", .id_size = 0
	}, &number), CKR_ATTRIBUTE_VALUE_INVALID);
	ck_assert_uint_eq(registry_intents(registry, &intents, &count), CKR_OK);
	ck_assert_uint_eq(count, 2);
	ck_assert_str_eq(intents[0].name, "job-42");
	ck_assert_int_gt(intents[0].since, 0);
	intents_free(intents, count);

	ck_assert_uint_eq(change(build_intended, &single), CKR_OK);
	ck_assert_uint_eq(registry_intents(registry, &intents, &count), CKR_OK);
	ck_assert_uint_eq(count, 1);
	ck_assert_int_eq(intents[0].number, 2);
	ck_assert(buffer_equal(&intents[0].id, "other", 5));
	intents_free(intents, count);

	ck_assert_uint_eq(registry_intent_remove(registry, "other", 5), CKR_OK);
	ck_assert_uint_eq(registry_intent_remove(registry, "other", 5), CKR_OK);
	ck_assert_uint_eq(registry_intents(registry, &intents, &count), CKR_OK);
	ck_assert_uint_eq(count, 0);
	intents_free(intents, count);
	/* The id is now a version's. */
	ck_assert_uint_eq(registry_intend(registry, &(struct intention){
		.name = "x", .id = version->id.data, .id_size = version->id.size
	}, &number), CKR_ATTRIBUTE_VALUE_INVALID);
	ck_assert_uint_eq(registry_intend(registry, &(struct intention){
		.name = "job-42", .id = "third", .id_size = 5
	}, &number), CKR_OK);
	ck_assert_int_eq(number, 2);
	version_free(&version);
}
END_TEST

Suite *
unit_suite(void)
{
	Suite *suite = suite_create("change");
	TCase *tests = tcase_create("change");

	tcase_add_checked_fixture(tests, start, stop);
	tcase_add_test(tests, empty_change_makes_a_new_head);
	tcase_add_test(tests, rotation_is_one_change);
	tcase_add_test(tests, failures_of_build_and_signer_change_nothing);
	tcase_add_test(tests, another_signer_changes_nothing);
	tcase_add_test(tests, reader_changes_nothing);
	tcase_add_test(tests, first_entry_is_the_token);
	tcase_add_test(tests, what_is_in_use_is_refused);
	tcase_add_test(tests, later_entry_must_be_of_the_same_version);
	tcase_add_test(tests, refused_record_leaves_the_version_as_it_was);
	tcase_add_test(tests, overtaken_change_is_built_again);
	tcase_add_test(tests, change_that_is_always_overtaken_gives_up);
	tcase_add_test(tests, nothing_is_locked_while_signing);
	tcase_add_test(tests, two_processes_lose_nothing);
	tcase_add_test(tests, full_disk_is_device_memory);
	tcase_add_test(tests, intents_reserve_and_go_with_the_commit);
	tcase_add_test(tests, what_was_given_up_is_not_committed);
	tcase_add_loop_test(tests, any_time_can_be_given_up, 0, 5);
	tcase_add_test(tests, its_maker_takes_an_intent_back);
	tcase_set_timeout(tests, 120);
	suite_add_tcase(suite, tests);
	return suite;
}
