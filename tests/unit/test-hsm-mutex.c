/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "kms/hsm-mutex.h"

#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

static CK_C_INITIALIZE_ARGS functions;
static void *mutex;
static int counter;

static void
setup(void)
{
	hsm_mutex_arguments(&functions);
	mutex = NULL;
	counter = 0;
	ck_assert_uint_eq(functions.CreateMutex(&mutex), CKR_OK);
	ck_assert_ptr_nonnull(mutex);
}

static void
teardown(void)
{
	ck_assert_uint_eq(functions.DestroyMutex(mutex), CKR_OK);
}

static void *
count(void *context)
{
	int i;

	(void)context;
	for (i = 0; i < 10000; i++) {
		ck_assert_uint_eq(functions.LockMutex(mutex), CKR_OK);
		counter++;
		ck_assert_uint_eq(functions.UnlockMutex(mutex), CKR_OK);
	}
	return NULL;
}

START_TEST(excludes)
{
	pthread_t threads[4];
	int i;

	for (i = 0; i < 4; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, count, NULL), 0);
	for (i = 0; i < 4; i++)
		ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
	ck_assert_int_eq(counter, 40000);
}
END_TEST

START_TEST(refuses_null)
{
	ck_assert_uint_eq(functions.CreateMutex(NULL), CKR_ARGUMENTS_BAD);
	ck_assert_uint_eq(functions.DestroyMutex(NULL), CKR_MUTEX_BAD);
	ck_assert_uint_eq(functions.LockMutex(NULL), CKR_MUTEX_BAD);
	ck_assert_uint_eq(functions.UnlockMutex(NULL), CKR_MUTEX_BAD);
	ck_assert(functions.pReserved == NULL);
}
END_TEST

/* Takes the mutex in a thread of its own, and keeps it until told. */
static pthread_barrier_t barrier;

static void *
hold(void *context)
{
	(void)context;
	ck_assert_uint_eq(functions.LockMutex(mutex), CKR_OK);
	pthread_barrier_wait(&barrier);
	pthread_barrier_wait(&barrier);
	ck_assert_uint_eq(functions.UnlockMutex(mutex), CKR_OK);
	return NULL;
}

static int
use_in_child(void)
{
	/* A hang is the failure that is looked for. */
	alarm(10);
	hsm_mutex_forked();
	if (functions.LockMutex(mutex) != CKR_OK || functions.UnlockMutex(mutex) != CKR_OK)
		return 1;
	return functions.DestroyMutex(mutex) == CKR_OK ? 0 : 2;
}

START_TEST(is_free_in_a_child)
{
	pthread_t thread;
	int status;
	pid_t pid;

	pthread_barrier_init(&barrier, NULL, 2);
	ck_assert_int_eq(pthread_create(&thread, NULL, hold, NULL), 0);
	pthread_barrier_wait(&barrier);
	pid = fork();
	if (pid == 0)
		_exit(use_in_child());
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
	pthread_barrier_wait(&barrier);
	ck_assert_int_eq(pthread_join(thread, NULL), 0);
	pthread_barrier_destroy(&barrier);
}
END_TEST

START_TEST(is_destroyed_in_a_child_though_held)
{
	pthread_t thread;
	int status;
	pid_t pid;

	pthread_barrier_init(&barrier, NULL, 2);
	ck_assert_int_eq(pthread_create(&thread, NULL, hold, NULL), 0);
	pthread_barrier_wait(&barrier);
	pid = fork();
	if (pid == 0) {
		hsm_mutex_forked();
		_exit(functions.DestroyMutex(mutex) == CKR_OK ? 0 : 1);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
	pthread_barrier_wait(&barrier);
	ck_assert_int_eq(pthread_join(thread, NULL), 0);
	pthread_barrier_destroy(&barrier);
}
END_TEST

Suite *
unit_suite(void)
{
	Suite *suite = suite_create("hsm-mutex");
	TCase *tcase = tcase_create("hsm-mutex");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, excludes);
	tcase_add_test(tcase, refuses_null);
	tcase_add_test(tcase, is_free_in_a_child);
	tcase_add_test(tcase, is_destroyed_in_a_child_though_held);
	suite_add_tcase(suite, tcase);
	return suite;
}
