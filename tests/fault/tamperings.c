/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Random tamperings of a registry, each met by two hosts: one that has seen the newest state,
 * and one that never saw any. What doc/threat-model.md promises must hold:
 *
 *   - nothing crashes or hangs;
 *   - a record is only returned when the authority signed it, and for what was asked for;
 *   - a head is only believed when the authority signed it, and, by the host that has seen the
 *     newest state, only that one;
 *   - what verify does not object to gives the records of some state that there was, whole.
 *
 * tamperings [COUNT [SEED]]: the seed is printed, and makes the same tamperings again.
 */
#include "registry-fixture.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/openssl.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <sqlite3.h>

#define MUST(good) must((good), #good, __LINE__)
#define STATES 8   /* of the registry, from the oldest */
#define OLD 4      /* so many of them have expired */
#define KEYS 4
#define SECONDS 60 /* that one tampering may take */

struct image {
	unsigned char *data;
	size_t size;
};

/* What a host made of a tampered registry; exit status of the child that was the host. */
enum outcome {
	REFUSED = 0,    /* the registry is not opened, or its head not believed: nothing is protected */
	EXPIRED,        /* its head is an old one that has expired: nothing is protected */
	PARTLY,         /* some records are refused; all that are returned are the newest */
	OLDER,          /* a record of an older entry, or an older head that has not expired */
	UNTOUCHED,      /* all is as it should be: what was changed does not matter */
	OUTCOMES,
	WRONG = 100,    /* a promise is broken */
};

static const char *const outcome_names[] = {
	"refused", "refused as expired", "refused in part", "an older state, not expired",
	"without effect",
};

static struct fixture_authority authority;
static struct image states[STATES];
static struct registry_head heads[STATES];
static char folder[] = "/tmp/p11-kms-tamperings-XXXXXX";
static char path[64];
static char *entries[64]; /* payloads, by sequence */
static int64_t entry_count, objects[KEYS];
static uint64_t random_state;

static void
must(bool good, const char *what, int line)
{
	if (good)
		return;
	fprintf(stderr, "tamperings.c:%d: %s (%s)\n", line, what, strerror(errno));
	_exit(99);
}

/* A linear generator: only the spread matters, and that a seed gives the same again. */
static uint64_t
random_below(uint64_t limit)
{
	random_state = random_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (random_state >> 33) % limit;
}

static void
remove_side_files(void)
{
	char name[80];

	snprintf(name, sizeof name, "%s-wal", path);
	(void)unlink(name);
	snprintf(name, sizeof name, "%s-shm", path);
	(void)unlink(name);
}

static void
image_write(const struct image *image)
{
	FILE *file;

	remove_side_files();
	file = fopen(path, "w");
	MUST(file != NULL);
	MUST(fwrite(image->data, 1, image->size, file) == image->size);
	MUST(fclose(file) == 0);
}

static void
image_read(struct image *image)
{
	FILE *file = fopen(path, "r");
	long size;

	MUST(file != NULL && fseek(file, 0, SEEK_END) == 0);
	size = ftell(file);
	MUST(size > 0);
	rewind(file);
	image->size = (size_t)size;
	image->data = malloc(image->size);
	MUST(image->data != NULL && fread(image->data, 1, image->size, file) == image->size);
	MUST(fclose(file) == 0);
}

/* ---- the history ---- */

struct step {
	int number;
	const struct buffer *spki;
};

/* Each state has one more key, or a next version of one. */
static CK_RV
build(struct registry *registry, struct change *change, void *context)
{
	const struct step *step = context;
	char name[16];
	struct version *version, *old = NULL;
	struct key_record *key;
	CK_RV rv = CKR_OK;

	snprintf(name, sizeof name, "key-%d", step->number % KEYS);
	version = fixture_version(name, 1 + step->number / KEYS, (uint64_t)step->number, step->spki);
	version->protect_until = 0;
	key = fixture_key(name);
	if (step->number < KEYS) {
		rv = change_add_key(change, key);
	} else {
		rv = registry_version(registry, objects[step->number % KEYS], &old);
		MUST(rv == CKR_OK);
		old->state = STATE_DEACTIVATED;
		rv = change_add_version(change, old);
	}
	if (rv == CKR_OK)
		rv = change_add_version(change, version);
	if (step->number < KEYS)
		objects[step->number] = version->object;
	version_free(&old);
	version_free(&version);
	key_record_free(&key);
	return rv;
}

static void
remember_entries(void)
{
	sqlite3 *db = NULL;
	sqlite3_stmt *row = NULL;

	MUST(sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL) == SQLITE_OK);
	MUST(sqlite3_prepare_v2(db, "SELECT sequence, CAST(payload AS TEXT) FROM entries", -1, &row,
	                        NULL) == SQLITE_OK);
	while (sqlite3_step(row) == SQLITE_ROW) {
		entry_count++;
		MUST(entry_count < 64 && sqlite3_column_int64(row, 0) == entry_count);
		entries[entry_count] = strdup((const char *)sqlite3_column_text(row, 1));
	}
	sqlite3_finalize(row);
	sqlite3_close(db);
}

static void
make_history(void)
{
	struct registry *registry = fixture_registry(path, &authority);
	struct step step = { 0, authority_spki(authority.authority) };

	for (step.number = 0; step.number < STATES; step.number++) {
		MUST(registry_change(registry, &authority.signer, step.number < OLD ? 1 : 86400, build,
		                     &step) == CKR_OK);
		MUST(registry_head(registry, &heads[step.number]) == CKR_OK);
		/* Closing writes the log into the file, which is then whole by itself. */
		registry_free(&registry);
		image_read(&states[step.number]);
		if (step.number + 1 < STATES) {
			char *why = NULL;

			MUST(registry_open(path, authority.authority, REGISTRY_WRITE, &registry, &why) ==
			     CKR_OK);
		}
	}
	remember_entries();
	sleep(2); /* the old heads expire */
}

/* ---- the tamperings ---- */

static void
tamper_bytes(void)
{
	struct image image = states[STATES - 1], *older = &states[random_below(STATES - 1)];
	unsigned char *copy = malloc(image.size);
	size_t page = 4096, pages = image.size / page;
	size_t from = random_below(pages) * page, to = random_below(pages) * page;

	MUST(copy != NULL);
	memcpy(copy, image.data, image.size);
	image.data = copy;
	switch (random_below(6)) {
	case 0:
		for (uint64_t i = 1 + random_below(8); i > 0; i--)
			copy[random_below(image.size)] ^= (unsigned char)(1U << random_below(8));
		break;
	case 1:
		from = random_below(image.size);
		for (size_t i = 0; i < 1 + random_below(200) && from + i < image.size; i++)
			copy[from + i] = (unsigned char)random_below(256);
		break;
	case 2: /* two pages swapped */
		memcpy(copy + from, states[STATES - 1].data + to, page);
		memcpy(copy + to, states[STATES - 1].data + from, page);
		break;
	case 3: /* a page of another day */
		if (from + page <= older->size)
			memcpy(copy + from, older->data + from, page);
		break;
	case 4:
		image.size = random_below(image.size);
		break;
	default: /* the whole file of another day */
		free(copy);
		image_write(older);
		return;
	}
	image_write(&image);
	free(copy);
}

static void
tamper_sql(const char *sql, ...)
{
	sqlite3 *db = NULL;
	va_list arguments;
	char *text;

	va_start(arguments, sql);
	text = sqlite3_vmprintf(sql, arguments);
	va_end(arguments);
	MUST(text != NULL && sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL) == SQLITE_OK);
	MUST(sqlite3_exec(db, text, NULL, NULL, NULL) == SQLITE_OK);
	sqlite3_free(text);
	sqlite3_close(db);
}

/* Older but whole: entries, head and index of another day, made by hand. */
static void
turn_back(int state)
{
	char old[80];

	snprintf(old, sizeof old, "%s.old", path);
	image_write(&states[state]);
	MUST(rename(path, old) == 0);
	image_write(&states[STATES - 1]);
	tamper_sql("ATTACH %Q AS old; BEGIN; DELETE FROM entries; DELETE FROM head; DELETE FROM "
	           "versions; DELETE FROM keys; INSERT INTO entries SELECT * FROM old.entries; INSERT "
	           "INTO head SELECT * FROM old.head; INSERT INTO versions SELECT * FROM old.versions; "
	           "INSERT INTO keys SELECT * FROM old.keys; COMMIT;", old);
	(void)unlink(old);
}

static void
tamper_rows(void)
{
	static const char *const tables[] = { "entries", "versions", "keys", "head", "token" };
	static const char *const columns[] = { "previous", "payload", "signature" };
	static const char *const fields[] = { "sequence", "hash", "issued", "expires", "signature" };
	int one = 1 + (int)random_below((uint64_t)entry_count);
	int other = 1 + (int)random_below((uint64_t)entry_count);
	int object = (int)objects[random_below(KEYS)];
	const char *column = columns[random_below(3)];

	image_write(&states[STATES - 1]);
	switch (random_below(12)) {
	case 0:
		tamper_sql("CREATE TEMP TABLE t AS SELECT * FROM entries; UPDATE entries SET %s = (SELECT %s "
		           "FROM t WHERE t.sequence = %d) WHERE sequence = %d; UPDATE entries SET %s = (SELECT "
		           "%s FROM t WHERE t.sequence = %d) WHERE sequence = %d;", column, column, one, other,
		           column, column, other, one);
		break;
	case 1:
		tamper_sql("DELETE FROM %s WHERE rowid = %d", tables[random_below(2)], one);
		break;
	case 2:
		tamper_sql("DELETE FROM %s", tables[random_below(5)]);
		break;
	case 3: /* replayed at the end */
		tamper_sql("INSERT INTO entries SELECT (SELECT 1 + max(sequence) FROM entries), previous, "
		           "payload, signature FROM entries WHERE sequence = %d; UPDATE versions SET sequence "
		           "= (SELECT max(sequence) FROM entries) WHERE object = %d", one, object);
		break;
	case 4:
		tamper_sql("UPDATE versions SET sequence = %d WHERE object = %d", one, object);
		break;
	case 5:
		tamper_sql("UPDATE versions SET state = CASE state WHEN 'active' THEN 'deactivated' ELSE "
		           "'active' END");
		break;
	case 6:
		tamper_sql("UPDATE OR IGNORE versions SET name = 'key-%d', number = %d WHERE object = %d",
		           (int)random_below(KEYS), 1 + (int)random_below(9), object);
		break;
	case 7:
		tamper_sql("UPDATE OR IGNORE versions SET object = %d WHERE object = %d", one, object);
		break;
	case 8:
		tamper_sql("UPDATE head SET %s = %s", fields[random_below(5)],
		           random_below(2) == 0 ? "sequence + 1" : "randomblob(64)");
		break;
	case 9:
		tamper_sql("UPDATE entries SET payload = CAST(replace(CAST(payload AS TEXT), '%s', '%s') AS "
		           "BLOB) WHERE sequence = %d", random_below(2) == 0 ? "deactivated" : "key-1",
		           random_below(2) == 0 ? "active" : "key-2", one);
		break;
	case 10:
		tamper_sql("DELETE FROM entries WHERE sequence > %d", one);
		break;
	default:
		turn_back((int)random_below(STATES - 1));
	}
}

/* ---- a host ---- */

static int
wrong(const char *what)
{
	fprintf(stderr, "tamperings: %s\n", what);
	return WRONG;
}

/* Whether the record is what the authority signed as that entry. */
static bool
is_signed(int64_t sequence, CK_RV rv, struct buffer *json)
{
	bool good = rv == CKR_OK && sequence >= 1 && sequence <= entry_count &&
	            strlen(entries[sequence]) == json->size &&
	            memcmp(entries[sequence], json->data, json->size) == 0;

	buffer_clear(json);
	return good;
}

/* The newest entry that begins with the same version. */
static bool
is_newest(const struct version *version)
{
	char object[32];

	snprintf(object, sizeof object, "\"object\":%lld,", (long long)version->object);
	for (int64_t later = version->sequence + 1; later <= entry_count; later++)
		if (strstr(entries[later], object) != NULL)
			return false;
	return true;
}

struct looking {
	struct registry *registry;
	bool refused, older;
	int returned;
};

static bool
look_at_version(struct looking *looking, const char *name, int64_t object)
{
	struct version *version = NULL;
	struct buffer json = BUFFER_INIT;
	bool good;
	CK_RV rv;

	rv = registry_version(looking->registry, object, &version);
	if (rv != CKR_OK) {
		looking->refused = true;
		return true;
	}
	looking->returned++;
	rv = version_encode(version, &json);
	good = is_signed(version->sequence, rv, &json) && version->object == object;
	/* A search is a preselection: callers look at the name. */
	if (strcmp(version->name, name) == 0 && !is_newest(version))
		looking->older = true;
	version_free(&version);
	return good;
}

static bool
look_at_key(struct looking *looking, const char *name)
{
	struct registry_search search = { .name = name, .destroyed = true };
	struct key_record *key = NULL;
	struct buffer json = BUFFER_INIT;
	int64_t found[16];
	size_t count = 0;
	bool good = true;
	CK_RV rv;

	rv = registry_key(looking->registry, name, &key);
	if (rv == CKR_OK) {
		bool any = false;

		MUST(key_record_encode(key, &json) == CKR_OK);
		for (int64_t i = 1; i <= entry_count; i++)
			any |= strlen(entries[i]) == json.size && memcmp(entries[i], json.data, json.size) == 0;
		good = any && strcmp(key->name, name) == 0;
	} else {
		looking->refused = true;
	}
	buffer_clear(&json);
	key_record_free(&key);
	rv = registry_search(looking->registry, &search, found, 16, &count);
	if (rv != CKR_OK)
		looking->refused = true;
	for (size_t i = 0; good && rv == CKR_OK && i < count; i++)
		good = look_at_version(looking, name, found[i]);
	return good;
}

static bool
look_at_all(struct looking *looking)
{
	char name[16];

	for (int i = 0; i < KEYS; i++) {
		snprintf(name, sizeof name, "key-%d", i);
		if (!look_at_key(looking, name))
			return false;
	}
	looking->refused |= looking->returned != STATES;
	return true;
}

/* Which state the head is of; -1: none that there was. */
static int
state_of(const struct registry_head *head)
{
	for (int i = 0; i < STATES; i++)
		if (head->sequence == heads[i].sequence && head->issued == heads[i].issued &&
		    head->expires == heads[i].expires && memcmp(head->hash, heads[i].hash, 32) == 0)
			return i;
	return -1;
}

static CK_RV
build_nothing(struct registry *registry, struct change *change, void *context)
{
	(void)registry;
	(void)change;
	(void)context;
	return CKR_OK;
}

/* A host that has the authority must not go on from what it should refuse. */
static bool
goes_on(void)
{
	struct registry *registry = NULL;
	char *why = NULL;
	bool changed;

	if (registry_open(path, authority.authority, REGISTRY_WRITE, &registry, &why) != CKR_OK)
		return false;
	changed = registry_change(registry, &authority.signer, 3600, build_nothing, NULL) == CKR_OK;
	registry_free(&registry);
	return changed;
}

static int
host(bool has_seen)
{
	struct looking looking = { .returned = 0 };
	struct registry_head head;
	int64_t walked = 0, findings = 0;
	bool objected;
	char *why = NULL;
	int state;

	if (registry_open(path, authority.authority, REGISTRY_READ, &looking.registry, &why) != CKR_OK)
		return has_seen && goes_on() ? wrong("a change of what can't be read") : REFUSED;
	objected = registry_verify(looking.registry, NULL, NULL, &walked, &findings) != CKR_OK ||
	           findings != 0;
	state = registry_head(looking.registry, &head) == CKR_OK ? state_of(&head) : -2;
	if (state == -1)
		return wrong("a head that the authority did not sign");
	if (state >= 0 && has_seen && state != STATES - 1)
		return wrong("an older head, where a newer one was seen");
	if (!look_at_all(&looking))
		return wrong("a record that the authority did not sign, or not for this");
	if (!objected && (state == -2 ? !has_seen : state == STATES - 1 && looking.older))
		return wrong("verify found nothing");
	if (!objected && state == STATES - 1 && looking.refused)
		return wrong("verify found nothing wrong with what is refused");
	registry_free(&looking.registry);
	if (has_seen && state == -2 && goes_on())
		return wrong("the authority host went on from what is refused");
	if (state == -2)
		return REFUSED;
	if (head.expires <= clock_now())
		return EXPIRED;
	if (looking.older || state != STATES - 1)
		return OLDER;
	return looking.refused ? PARTLY : UNTOUCHED;
}

/* In a process of its own, which may crash or hang. */
static int
host_run(bool has_seen)
{
	char state[96];
	int status = 0;
	pid_t child;

	snprintf(state, sizeof state, "%s/seen", folder);
	child = fork();
	MUST(child >= 0);
	if (child == 0) {
		alarm(SECONDS);
		MUST(setenv("XDG_STATE_HOME", has_seen ? state : "/dev/null", 1) == 0);
		log_configure(LOG_LEVEL_ERROR, true); /* not thousands of lines */
		_exit(host(has_seen));
	}
	MUST(waitpid(child, &status, 0) == child);
	if (WIFEXITED(status) && WEXITSTATUS(status) < OUTCOMES)
		return WEXITSTATUS(status);
	if (WIFSIGNALED(status))
		fprintf(stderr, "tamperings: a host ended with signal %d\n", WTERMSIG(status));
	return WRONG;
}

static void
tamper(uint64_t seed)
{
	random_state = seed;
	(void)random_below(2);
	if (random_below(2) == 0)
		tamper_bytes();
	else
		tamper_rows();
}

int
main(int argc, char **argv)
{
	unsigned long count = argc > 1 ? strtoul(argv[1], NULL, 10) : 300;
	uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 10) : (uint64_t)time(NULL);
	unsigned long outcomes[2][OUTCOMES] = { { 0 } }, broken = 0;
	char state[96], command[160];

	setvbuf(stdout, NULL, _IOLBF, 0);
	printf("%lu tamperings, seed %llu\n", count, (unsigned long long)seed);
	MUST(mkdtemp(folder) != NULL);
	snprintf(path, sizeof path, "%s/registry.db", folder);
	snprintf(state, sizeof state, "%s/seen", folder);
	MUST(setenv("XDG_STATE_HOME", state, 1) == 0 && openssl_start() == CKR_OK);
	fixture_authority_new("P-256", &authority);
	make_history();
	for (unsigned long i = 0; i < count; i++) {
		/* The first is one that crashed hosts: no statement could be prepared any more. */
		uint64_t one = argc < 3 && i == 0 ? 8453 : seed + i;

		for (int seen = 0; seen < 2; seen++) {
			int outcome;

			tamper(one * UINT64_C(0x9e3779b97f4a7c15));
			outcome = host_run(seen == 1);
			if (outcome < OUTCOMES) {
				outcomes[seen][outcome]++;
				continue;
			}
			broken++;
			fprintf(stderr, "tamperings: the host that has seen %s broke a promise; again: "
			        "tamperings 1 %llu\n", seen == 1 ? "the newest" : "none",
			        (unsigned long long)one);
		}
	}
	for (int seen = 1; seen >= 0; seen--) {
		printf("a host that has seen %s state:\n", seen == 1 ? "the newest" : "no");
		for (int i = 0; i < OUTCOMES; i++)
			printf("%8lu %s\n", outcomes[seen][i], outcome_names[i]);
	}
	printf("%lu promises broken\n", broken);
	snprintf(command, sizeof command, "rm -rf '%s'", folder);
	fixture_authority_clear(&authority);
	openssl_stop();
	return system(command) != 0 || broken != 0;
}
