/* SPDX-License-Identifier: Apache-2.0 */
/* The registry between processes, users and threads: killed writers, readers without rights, forks. */
#include "registry-fixture.h"
#include "unit.h"

#include "base/openssl.h"
#include "registry/registry.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <sqlite3.h>

#define NOBODY 65534
#define DMS_BYTE 128 /* of the -shm file: every process that uses it holds a lock there */

static struct fixture_authority authority;
static char folder[256], path[512];

static void
start(void)
{
	static int count;
	char name[32];

	ck_assert_uint_eq(openssl_start(), CKR_OK);
	fixture_authority_new("P-256", &authority);
	snprintf(name, sizeof name, "sharing-%d-%d", (int)getpid(), count++);
	snprintf(folder, sizeof folder, "%s", unit_path(name));
	ck_assert_int_eq(mkdir(folder, 0755), 0);
	ck_assert_int_eq(chmod(folder, 0755), 0);
	ck_assert_int_eq(chmod(unit_path(""), 0755), 0); /* mkdtemp's is for its owner only */
	snprintf(path, sizeof path, "%s/registry.db", folder);
}

static void
stop(void)
{
	fixture_authority_clear(&authority);
	openssl_stop();
}

/* Runs work in a child; its result is the exit status. */
static int
in_child(int (*work)(void))
{
	int status = 0;
	pid_t child = fork();

	ck_assert_int_ge(child, 0);
	if (child == 0)
		_exit(work());
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_msg(WIFEXITED(status), "status %d", status);
	return WEXITSTATUS(status);
}

/* As a user who may only read; true when we can become one. */
static bool
become_nobody(void)
{
	return geteuid() != 0 ||
	       (setgroups(0, NULL) == 0 && setresgid(NOBODY, NOBODY, NOBODY) == 0 &&
	        setresuid(NOBODY, NOBODY, NOBODY) == 0);
}

/* Opens, reads the head, the token and the newest version of job-42. 0 when all could be read. */
static int
read_all(void)
{
	struct registry_search search = { .name = "job-42", .active = true };
	struct registry *registry = NULL;
	struct registry_head head;
	struct version *version = NULL;
	int64_t object = 0;
	size_t count = 0;
	char *why = NULL;
	int failed = 0;

	if (registry_open(path, authority.authority, REGISTRY_READ, &registry, &why) != CKR_OK) {
		fprintf(stderr, "%s\n", why);
		free(why);
		return 1;
	}
	if (registry_head(registry, &head) != CKR_OK)
		failed = 2;
	else if (registry_search(registry, &search, &object, 1, &count) != CKR_OK || count != 1)
		failed = 3;
	else if (registry_version(registry, object, &version) != CKR_OK)
		failed = 4;
	version_free(&version);
	registry_free(&registry);
	return failed;
}

static int
read_all_as_nobody(void)
{
	return become_nobody() ? read_all() : 90;
}

static int
write_as_nobody(void)
{
	struct registry *registry = NULL;
	char *why = NULL;
	bool right;

	if (!become_nobody())
		return 90;
	right = registry_open(path, authority.authority, REGISTRY_WRITE, &registry, &why) ==
	                CKR_TOKEN_WRITE_PROTECTED &&
	        why != NULL && strstr(why, path) != NULL;
	free(why);
	if (!right)
		return 1;
	right = registry_create(unit_path("sharing-none.db"), authority.authority, &registry, &why) ==
	                CKR_TOKEN_WRITE_PROTECTED &&
	        why != NULL;
	free(why);
	return right ? 0 : 2;
}

static struct registry *
registry_with_a_key(void)
{
	struct registry *registry = fixture_registry(path, &authority);

	(void)fixture_add_key(registry, &authority, "job-42", 42);
	return registry;
}

START_TEST(nobody_reads_beside_a_writer_and_after_it)
{
	struct registry *registry = registry_with_a_key();

	ck_assert_int_eq(in_child(read_all_as_nobody), 0);
	registry_free(&registry);
	ck_assert_int_eq(in_child(read_all_as_nobody), 0);
	ck_assert_int_eq(in_child(read_all), 0); /* as the owner, who is the first again */
	ck_assert_int_eq(in_child(read_all_as_nobody), 0);
}
END_TEST

START_TEST(nobody_does_not_write)
{
	struct registry *registry;

	if (geteuid() != 0)
		return;
	registry = registry_with_a_key();
	registry_free(&registry);
	ck_assert_int_eq(in_child(write_as_nobody), 0);
}
END_TEST

START_TEST(nobody_reads_a_copy_without_side_files)
{
	struct registry *registry = registry_with_a_key();
	char file[600];

	registry_free(&registry);
	snprintf(file, sizeof file, "%s-wal", path);
	ck_assert_int_eq(unlink(file), 0);
	snprintf(file, sizeof file, "%s-shm", path);
	ck_assert_int_eq(unlink(file), 0);
	ck_assert_int_eq(in_child(read_all_as_nobody), 0);
	if (geteuid() == 0)
		ck_assert_int_ne(access(file, F_OK), 0);
}
END_TEST

/* With the log there, but not the index over it: nothing to be read safely, and said so. */
static int
open_says_side_files(void)
{
	struct registry *registry = NULL;
	char *why = NULL;
	bool right;

	if (!become_nobody())
		return 90;
	right = registry_open(path, authority.authority, REGISTRY_READ, &registry, &why) ==
	                CKR_FUNCTION_FAILED &&
	        why != NULL && strstr(why, "side files") != NULL;
	free(why);
	return right ? 0 : 1;
}

START_TEST(nobody_is_told_of_half_the_side_files)
{
	struct registry *registry;
	char file[600];

	if (geteuid() != 0)
		return;
	registry = registry_with_a_key();
	registry_free(&registry);
	snprintf(file, sizeof file, "%s-shm", path);
	ck_assert_int_eq(unlink(file), 0);
	ck_assert_int_eq(in_child(open_says_side_files), 0);
}
END_TEST

/* A writer inside its transaction, pages written to the log but not committed, until it is killed. */
static void
write_and_hang(int ready)
{
	sqlite3 *db = NULL;
	int persist = 1;

	if (sqlite3_open(path, &db) != SQLITE_OK ||
	    sqlite3_file_control(db, "main", SQLITE_FCNTL_PERSIST_WAL, &persist) != SQLITE_OK ||
	    sqlite3_exec(db, "PRAGMA cache_size = 2; PRAGMA cache_spill = 1; BEGIN IMMEDIATE;"
	                     "DELETE FROM versions;"
	                     "UPDATE head SET hash = zeroblob(32);"
	                     "WITH RECURSIVE n(i) AS (SELECT 1000 UNION ALL SELECT i + 1 FROM n WHERE i < 3000)"
	                     " INSERT INTO entries SELECT i, zeroblob(32), zeroblob(1000), zeroblob(64) FROM n",
	                 NULL, NULL, NULL) != SQLITE_OK)
		_exit(1);
	if (write(ready, "r", 1) != 1)
		_exit(2);
	for (;;)
		pause();
}

static pid_t
hanging_writer(void)
{
	int ready[2];
	char byte;
	pid_t child;

	ck_assert_int_eq(pipe(ready), 0);
	child = fork();
	ck_assert_int_ge(child, 0);
	if (child == 0)
		write_and_hang(ready[1]);
	close(ready[1]);
	ck_assert_int_eq(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	return child;
}

static void
kill_child(pid_t child)
{
	int status;

	ck_assert_int_eq(kill(child, SIGKILL), 0);
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert(WIFSIGNALED(status));
}

START_TEST(writer_killed_in_its_transaction_shuts_nobody_out)
{
	struct registry *registry = registry_with_a_key(), *attached = NULL;
	char *why = NULL;
	pid_t writer;

	registry_free(&registry);
	if (_i == 1) /* beside a reader that stays */
		ck_assert_uint_eq(registry_open(path, authority.authority, REGISTRY_READ, &attached, &why),
		                  CKR_OK);
	writer = hanging_writer();
	ck_assert_int_eq(in_child(read_all_as_nobody), 0);
	kill_child(writer);
	ck_assert_int_eq(in_child(read_all_as_nobody), 0);
	ck_assert_int_eq(in_child(read_all_as_nobody), 0);
	ck_assert_int_eq(in_child(read_all), 0);

	/* And the next writer goes on where the last commit was. */
	ck_assert_uint_eq(registry_open(path, authority.authority, REGISTRY_WRITE, &registry, &why),
	                  CKR_OK);
	ck_assert_int_eq(fixture_add_key(registry, &authority, "next", 43), 5);
	ck_assert_int_eq(in_child(read_all_as_nobody), 0);
	registry_free(&registry);
	registry_free(&attached);
}
END_TEST

static CK_RV
build_nothing(struct registry *registry, struct change *change, void *context)
{
	(void)registry;
	(void)change;
	(void)context;
	return CKR_OK;
}

static void
commit_for_ever(void)
{
	struct registry *registry = NULL;
	char *why = NULL;

	if (registry_open(path, authority.authority, REGISTRY_WRITE, &registry, &why) != CKR_OK)
		_exit(1);
	for (;;) {
		if (registry_change(registry, &authority.signer, 3600, build_nothing, NULL) != CKR_OK)
			_exit(2);
	}
}

START_TEST(writer_killed_at_any_moment_shuts_nobody_out)
{
	struct registry *registry = registry_with_a_key();

	registry_free(&registry);
	for (int i = 0; i < 25; i++) {
		pid_t child = fork();

		ck_assert_int_ge(child, 0);
		if (child == 0)
			commit_for_ever();
		usleep((useconds_t)(2000 + i * 1700));
		kill_child(child);
		ck_assert_int_eq(in_child(read_all_as_nobody), 0);
	}
}
END_TEST

/* Locked past the busy timeout. */
START_TEST(locked_registry_is_read_but_not_changed)
{
	struct registry *registry = registry_with_a_key();
	pid_t writer = hanging_writer();
	int64_t number;

	ck_assert_int_eq(read_all(), 0);
	ck_assert_uint_eq(registry_change(registry, &authority.signer, 3600, build_nothing, NULL),
	                  CKR_FUNCTION_FAILED);
	ck_assert_uint_eq(registry_intend(registry, &(struct intention){
		.name = "x", .id = "id", .id_size = 2
	}, &number), CKR_FUNCTION_FAILED);
	kill_child(writer);
	ck_assert_uint_eq(registry_change(registry, &authority.signer, 3600, build_nothing, NULL),
	                  CKR_OK);
	registry_free(&registry);
}
END_TEST

START_TEST(replaced_file_is_followed)
{
	struct registry *registry = registry_with_a_key(), *reader = NULL, *other;
	char first[512], moved[600], *why = NULL;
	int64_t keys = 0, versions = 0;
	uint64_t was = 0, is = 0;

	ck_assert_uint_eq(registry_open(path, authority.authority, REGISTRY_READ, &reader, &why), CKR_OK);
	ck_assert_uint_eq(registry_generation(reader, &was), CKR_OK);
	registry_free(&registry);

	/* Another registry is made elsewhere and put in its place. */
	snprintf(first, sizeof first, "%s", path);
	snprintf(path, sizeof path, "%s/other.db", folder);
	other = registry_with_a_key();
	(void)fixture_add_key(other, &authority, "more", 43);
	registry_free(&other);
	fixture_sql(path, "PRAGMA wal_checkpoint(TRUNCATE)");
	for (int i = 0; i < 2; i++) {
		snprintf(moved, sizeof moved, "%s%s", first, i == 0 ? "-wal" : "-shm");
		ck_assert_int_eq(unlink(moved), 0);
	}
	ck_assert_int_eq(rename(path, first), 0);

	ck_assert_uint_eq(registry_generation(reader, &is), CKR_OK);
	ck_assert_uint_gt(is, was);
	ck_assert_uint_eq(registry_count(reader, &keys, &versions), CKR_OK);
	ck_assert_int_eq(keys, 2);

	/* Gone altogether: what is open goes on. */
	ck_assert_int_eq(unlink(first), 0);
	ck_assert_uint_eq(registry_generation(reader, &was), CKR_OK);
	ck_assert_uint_eq(was, is);
	registry_free(&reader);
}
END_TEST

/* A reader of a still copy sees that it is replaced, and that a writer has come. */
static int
still_reader_follows(void)
{
	struct registry *registry = NULL;
	uint64_t was = 0, is = 0;
	int64_t keys = 0, versions = 0;
	char *why = NULL;
	struct timespec times[2] = { { 0, UTIME_NOW }, { 0, UTIME_NOW } };

	if (seteuid(NOBODY) != 0 ||
	    registry_open(path, authority.authority, REGISTRY_READ, &registry, &why) != CKR_OK ||
	    registry_generation(registry, &was) != CKR_OK)
		return 1;
	if (registry_generation(registry, &is) != CKR_OK || is != was)
		return 2;
	if (seteuid(0) != 0 || utimensat(AT_FDCWD, path, times, 0) != 0 || seteuid(NOBODY) != 0)
		return 3;
	if (registry_generation(registry, &is) != CKR_OK || is == was)
		return 4;
	if (seteuid(0) != 0)
		return 5;
	registry_free(&registry);
	if (registry_open(path, authority.authority, REGISTRY_WRITE, &registry, &why) != CKR_OK)
		return 6;
	(void)fixture_add_key(registry, &authority, "more", 44);
	registry_free(&registry);
	if (seteuid(NOBODY) != 0 ||
	    registry_open(path, authority.authority, REGISTRY_READ, &registry, &why) != CKR_OK ||
	    registry_count(registry, &keys, &versions) != CKR_OK || keys != 2)
		return 7;
	registry_free(&registry);
	return 0;
}

START_TEST(still_copy_is_followed)
{
	struct registry *registry;
	char file[600];

	if (geteuid() != 0)
		return;
	registry = registry_with_a_key();
	registry_free(&registry);
	snprintf(file, sizeof file, "%s-wal", path);
	ck_assert_int_eq(unlink(file), 0);
	snprintf(file, sizeof file, "%s-shm", path);
	ck_assert_int_eq(unlink(file), 0);
	ck_assert_int_eq(in_child(still_reader_follows), 0);
}
END_TEST

/* Some other process holds SQLite's lock of all who use the shared index. */
static bool
index_is_held(pid_t by)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = DMS_BYTE, .l_len = 1 };
	char file[600];
	int descriptor;
	bool held;

	snprintf(file, sizeof file, "%s-shm", path);
	descriptor = open(file, O_RDWR | O_CLOEXEC);
	ck_assert_int_ge(descriptor, 0);
	ck_assert_int_eq(fcntl(descriptor, F_GETLK, &lock), 0);
	held = lock.l_type != F_UNLCK && lock.l_pid == by;
	close(descriptor); /* this process has no connection of its own that would lose its locks */
	return held;
}

struct pipes {
	int to_child[2], to_parent[2];
};

static bool
tell(int descriptor)
{
	return write(descriptor, "x", 1) == 1;
}

static bool
wait_for(int descriptor)
{
	char byte;

	return read(descriptor, &byte, 1) == 1;
}

/* The grandchild: abandons what it inherited, opens its own, reads before and after a change. */
static int
after_fork(struct registry *inherited, const struct pipes *pipes)
{
	struct registry *registry = inherited;
	int64_t keys = 0, versions = 0;
	char *why = NULL;

	registry_abandon(&registry);
	if (registry != NULL ||
	    registry_open(path, authority.authority, REGISTRY_READ, &registry, &why) != CKR_OK ||
	    registry_count(registry, &keys, &versions) != CKR_OK || keys != 1)
		return 1;
	if (!tell(pipes->to_parent[1]) || !wait_for(pipes->to_child[0]))
		return 2;
	if (registry_count(registry, &keys, &versions) != CKR_OK || keys != 2)
		return 3;
	registry_free(&registry);
	return 0;
}

/* The child: opens, forks, and ends with its connection open, like a program that becomes a daemon. */
static void
open_and_fork(enum registry_mode mode, const struct pipes *pipes)
{
	struct registry *registry = NULL;
	int64_t keys = 0, versions = 0;
	char *why = NULL;
	pid_t child;
	char status;

	if (registry_open(path, authority.authority, mode, &registry, &why) != CKR_OK ||
	    registry_count(registry, &keys, &versions) != CKR_OK)
		_exit(1);
	child = fork();
	if (child != 0)
		_exit(child > 0 ? 0 : 2);
	/* By itself: what its parent wrote could come after its own first byte. */
	child = getpid();
	if (write(pipes->to_parent[1], &child, sizeof child) != (ssize_t)sizeof child)
		_exit(4);
	status = (char)after_fork(registry, pipes);
	_exit(write(pipes->to_parent[1], &status, 1) == 1 ? 0 : 3);
}

START_TEST(child_of_a_fork_has_its_own_locks)
{
	struct registry *registry = registry_with_a_key();
	struct pipes pipes;
	pid_t child, grandchild = 0;
	char *why = NULL;
	char status = 99;
	int ended;

	registry_free(&registry);
	ck_assert_int_eq(pipe(pipes.to_child), 0);
	ck_assert_int_eq(pipe(pipes.to_parent), 0);
	child = fork();
	ck_assert_int_ge(child, 0);
	if (child == 0)
		open_and_fork(_i == 0 ? REGISTRY_READ : REGISTRY_WRITE, &pipes);
	ck_assert_int_eq(waitpid(child, &ended, 0), child);
	ck_assert_int_eq(ended, 0);
	ck_assert_int_eq(read(pipes.to_parent[0], &grandchild, sizeof grandchild), sizeof grandchild);
	ck_assert(wait_for(pipes.to_parent[0]));
	ck_assert(index_is_held(grandchild));

	/* The first to come would shrink the shared index under a process that holds no lock. */
	ck_assert_uint_eq(registry_open(path, authority.authority, REGISTRY_WRITE, &registry, &why),
	                  CKR_OK);
	(void)fixture_add_key(registry, &authority, "more", 44);
	registry_free(&registry);
	ck_assert(tell(pipes.to_child[1]));
	ck_assert_int_eq(read(pipes.to_parent[0], &status, 1), 1);
	ck_assert_int_eq(status, 0);
	for (int i = 0; i < 2; i++) {
		close(pipes.to_child[i]);
		close(pipes.to_parent[i]);
	}
}
END_TEST

START_TEST(abandoning_leaves_the_parent_its_connection)
{
	struct registry *registry = registry_with_a_key();
	struct version *version = NULL;
	int status = 0;
	pid_t child = fork();

	ck_assert_int_ge(child, 0);
	if (child == 0) {
		registry_abandon(&registry);
		registry_abandon(&registry); /* NULL is allowed */
		_exit(registry == NULL ? read_all() : 9);
	}
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_int_eq(status, 0);
	ck_assert_uint_eq(registry_version(registry, 3, &version), CKR_OK);
	version_free(&version);
	ck_assert_int_eq(fixture_add_key(registry, &authority, "more", 44), 5);
	registry_free(&registry);
}
END_TEST

struct crowd {
	struct registry *registry;
	atomic_uint wrong, stop;
};

static void *
read_often(void *context)
{
	struct crowd *crowd = context;
	struct registry_search search = { .name = "job-42", .active = true };

	while (atomic_load(&crowd->stop) == 0) {
		struct registry_head head;
		struct version *version = NULL;
		int64_t object = 0;
		uint64_t generation = 0;
		size_t count = 0;

		if (registry_generation(crowd->registry, &generation) != CKR_OK ||
		    registry_head(crowd->registry, &head) != CKR_OK ||
		    registry_search(crowd->registry, &search, &object, 1, &count) != CKR_OK || count != 1 ||
		    registry_version(crowd->registry, object, &version) != CKR_OK)
			atomic_fetch_add(&crowd->wrong, 1);
		version_free(&version);
	}
	return NULL;
}

START_TEST(threads_read_while_one_writes)
{
	struct crowd crowd = { .registry = registry_with_a_key() };
	pthread_t threads[4];

	for (size_t i = 0; i < 4; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, read_often, &crowd), 0);
	for (int i = 0; i < 30; i++) {
		char name[16];

		snprintf(name, sizeof name, "key-%d", i);
		(void)fixture_add_key(crowd.registry, &authority, name, (uint64_t)(100 + i));
	}
	atomic_store(&crowd.stop, 1);
	for (size_t i = 0; i < 4; i++)
		ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
	ck_assert_uint_eq(atomic_load(&crowd.wrong), 0);
	registry_free(&crowd.registry);
}
END_TEST

Suite *
unit_suite(void)
{
	Suite *suite = suite_create("registry-sharing");
	TCase *tests = tcase_create("registry-sharing");

	tcase_add_checked_fixture(tests, start, stop);
	tcase_add_test(tests, nobody_reads_beside_a_writer_and_after_it);
	tcase_add_test(tests, nobody_does_not_write);
	tcase_add_test(tests, nobody_reads_a_copy_without_side_files);
	tcase_add_test(tests, nobody_is_told_of_half_the_side_files);
	tcase_add_loop_test(tests, writer_killed_in_its_transaction_shuts_nobody_out, 0, 2);
	tcase_add_test(tests, writer_killed_at_any_moment_shuts_nobody_out);
	tcase_add_test(tests, locked_registry_is_read_but_not_changed);
	tcase_add_test(tests, replaced_file_is_followed);
	tcase_add_test(tests, still_copy_is_followed);
	tcase_add_loop_test(tests, child_of_a_fork_has_its_own_locks, 0, 2);
	tcase_add_test(tests, abandoning_leaves_the_parent_its_connection);
	tcase_add_test(tests, threads_read_while_one_writes);
	tcase_set_timeout(tests, 120);
	suite_add_tcase(suite, tests);
	return suite;
}
