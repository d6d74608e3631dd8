/* SPDX-License-Identifier: Apache-2.0 */
/* A kms beside others: threads, children, and a program that uses the same HSM module itself. */
#include "kms-fixture.h"

#include <p11-kit/p11-kit.h>
#include <pthread.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define THREADS 8

static CK_FUNCTION_LIST *program; /* the module, as the program uses it */
static CK_SESSION_HANDLE program_session;

static void
setup(void)
{
	kms_setup();
	kms_generate("p-256");
	kms_reopen(true);
	program = softhsm_functions();
}

static void
open_program_session(void)
{
	ck_assert_uint_eq(program->C_OpenSession(softhsm_slot(SOFTHSM_LABEL), CKF_SERIAL_SESSION,
	                                         NULL, NULL, &program_session),
	                  CKR_OK);
}

static CK_RV
program_login(void)
{
	return program->C_Login(program_session, CKU_USER, (CK_UTF8CHAR *)SOFTHSM_PIN,
	                        strlen(SOFTHSM_PIN));
}

static CK_STATE
program_state(void)
{
	CK_SESSION_INFO info;

	ck_assert_uint_eq(program->C_GetSessionInfo(program_session, &info), CKR_OK);
	return info.state;
}

static void *
sign_often(void *context)
{
	struct kms_key *key = context;
	int i;

	for (i = 0; i < 100; i++)
		ck_assert_uint_eq(sign_p256(kms, key), CKR_OK);
	return NULL;
}

START_TEST(threads_share_one_key)
{
	struct kms_key key = KMS_KEY;
	pthread_t threads[THREADS];
	int i;

	for (i = 0; i < THREADS; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, sign_often, &key), 0);
	for (i = 0; i < THREADS; i++)
		ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
}
END_TEST

static unsigned logins;

static CK_RV
counting_login(CK_SESSION_HANDLE session, CK_USER_TYPE user, CK_UTF8CHAR *pin, CK_ULONG size)
{
	CK_RV rv;

	__atomic_add_fetch(&logins, 1, __ATOMIC_SEQ_CST);
	rv = softhsm_original.C_Login(session, user, pin, size);
	usleep(20000);
	return rv;
}

static void *
fail_to_sign(void *context)
{
	ck_assert_uint_eq(sign_p256(kms, context), CKR_USER_NOT_LOGGED_IN);
	return NULL;
}

START_TEST(threads_try_a_wrong_pin_once)
{
	struct kms_key key = KMS_KEY;
	pthread_t threads[THREADS];
	int i;

	program->C_Login = counting_login;
	write_pin("9999");
	for (i = 0; i < THREADS; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, fail_to_sign, &key), 0);
	for (i = 0; i < THREADS; i++)
		ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
	ck_assert_uint_eq(logins, 1);
}
END_TEST

static void *
sign_through_losses(void *context)
{
	int64_t end = clock_monotonic_ms() + 2000;

	while (clock_monotonic_ms() < end) {
		/* While others lose and renew the connection a call may fail, but no other way. */
		CK_RV rv = sign_p256(kms, context);

		ck_assert_msg(rv == CKR_OK || rv == CKR_DEVICE_ERROR, "0x%lx", rv);
	}
	return NULL;
}

START_TEST(threads_survive_losses)
{
	struct kms_key key = KMS_KEY;
	pthread_t threads[4];
	int i;

	for (i = 0; i < 4; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, sign_through_losses, &key), 0);
	for (i = 0; i < 3; i++) {
		usleep(200000);
		softhsm_unplug();
		usleep(300000);
		softhsm_plug();
	}
	for (i = 0; i < 4; i++)
		ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
	sign_within_2s(kms, &key);
}
END_TEST

START_TEST(leaves_a_module_as_the_program_initialised_it)
{
	struct kms_key key = KMS_KEY;

	ck_assert_uint_eq(program->C_Initialize(NULL), CKR_OK);
	open_program_session();
	ck_assert_uint_eq(sign_p256(kms, &key), CKR_OK);
	kms_free(&kms);
	/* Our login has gone with our sessions; or would have, were there not theirs. */
	(void)program_state();
	ck_assert_uint_eq(program->C_Finalize(NULL), CKR_OK);
}
END_TEST

START_TEST(leaves_a_module_that_the_program_came_to_later)
{
	struct kms_key key = KMS_KEY;

	ck_assert_uint_eq(sign_p256(kms, &key), CKR_OK);
	ck_assert_uint_eq(program->C_Initialize(NULL), CKR_CRYPTOKI_ALREADY_INITIALIZED);
	open_program_session();
	ck_assert_uint_eq(program_login(), CKR_USER_ALREADY_LOGGED_IN);
	kms_free(&kms);
	ck_assert_uint_eq(program_state(), CKS_RO_USER_FUNCTIONS);
	ck_assert_uint_eq(program->C_Finalize(NULL), CKR_OK);
}
END_TEST

START_TEST(uses_the_programs_login_and_leaves_it)
{
	struct kms_key key = KMS_KEY;

	kms_reopen(false);
	ck_assert_uint_eq(program->C_Initialize(NULL), CKR_OK);
	open_program_session();
	ck_assert_uint_eq(program_login(), CKR_OK);
	ck_assert_uint_eq(kms_login(kms, SOFTHSM_PIN, strlen(SOFTHSM_PIN), soon()), CKR_OK);
	ck_assert_uint_eq(sign_p256(kms, &key), CKR_OK);
	ck_assert_uint_eq(kms_logout(kms, soon()), CKR_OK);
	ck_assert_uint_eq(sign_p256(kms, &key), CKR_USER_NOT_LOGGED_IN);
	ck_assert_uint_eq(program_state(), CKS_RO_USER_FUNCTIONS);
	kms_free(&kms);
	ck_assert_uint_eq(program_state(), CKS_RO_USER_FUNCTIONS);
	ck_assert_uint_eq(program->C_Finalize(NULL), CKR_OK);
}
END_TEST

START_TEST(logs_in_when_the_program_logs_out)
{
	struct kms_key key = KMS_KEY;

	ck_assert_uint_eq(program->C_Initialize(NULL), CKR_OK);
	open_program_session();
	ck_assert_uint_eq(program_login(), CKR_OK);
	ck_assert_uint_eq(sign_p256(kms, &key), CKR_OK);
	ck_assert_uint_eq(program->C_Logout(program_session), CKR_OK);
	ck_assert_uint_eq(sign_p256(kms, &key), CKR_OK);
	kms_free(&kms);
	ck_assert_uint_eq(program->C_Finalize(NULL), CKR_OK);
}
END_TEST

START_TEST(recovers_when_the_program_finalises)
{
	struct kms_key key = KMS_KEY;
	int i;

	/* Begun by the program or by us, ended by the program; twice. */
	if (_i == 0)
		ck_assert_uint_eq(program->C_Initialize(NULL), CKR_OK);
	for (i = 0; i < 2; i++) {
		ck_assert_uint_eq(sign_p256(kms, &key), CKR_OK);
		ck_assert_uint_eq(program->C_Finalize(NULL), CKR_OK);
	}
	ck_assert_uint_eq(sign_p256(kms, &key), CKR_OK);
	/* And initialises again, before we notice: it is the program's from now on. */
	ck_assert_uint_eq(program->C_Finalize(NULL), CKR_OK);
	ck_assert_uint_eq(program->C_Initialize(NULL), CKR_OK);
	open_program_session();
	ck_assert_uint_eq(sign_p256(kms, &key), CKR_OK);
	(void)program_state();
}
END_TEST

START_TEST(shares_a_module_with_another_user_of_p11_kit)
{
	CK_FUNCTION_LIST *other;
	struct kms_key key = KMS_KEY;
	CK_INFO info;

	other = p11_kit_module_load(softhsm_module(), 0);
	ck_assert_ptr_nonnull(other);
	/* Who comes first, and who goes first. */
	if ((_i & 1) != 0)
		ck_assert_uint_eq(p11_kit_module_initialize(other), CKR_OK);
	ck_assert_uint_eq(sign_p256(kms, &key), CKR_OK);
	if ((_i & 1) == 0)
		ck_assert_uint_eq(p11_kit_module_initialize(other), CKR_OK);
	if ((_i & 2) != 0) {
		ck_assert_uint_eq(p11_kit_module_finalize(other), CKR_OK);
		ck_assert_uint_eq(sign_p256(kms, &key), CKR_OK);
		kms_free(&kms);
	} else {
		kms_free(&kms);
		ck_assert_uint_eq(program->C_GetInfo(&info), CKR_OK);
		ck_assert_uint_eq(p11_kit_module_finalize(other), CKR_OK);
	}
	ck_assert_uint_eq(program->C_GetInfo(&info), CKR_CRYPTOKI_NOT_INITIALIZED);
	p11_kit_module_release(other);
}
END_TEST

/* In the child of a fork no assertion may end the test: its result is the exit status. */
static int
status_of_child(pid_t pid)
{
	int status;

	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

START_TEST(works_in_a_child)
{
	struct kms_key key = KMS_KEY;
	int result;
	pid_t pid;

	/* With sessions to inherit, or with none. */
	if (_i == 0)
		ck_assert_uint_eq(sign_p256(kms, &key), CKR_OK);
	pid = fork();
	if (pid == 0) {
		kms_forked(kms);
		result = sign_p256(kms, &key) == CKR_OK ? 0 : 1;
		if (sign_p256(kms, &key) != CKR_OK)
			result |= 2;
		kms_free(&kms);
		_exit(result);
	}
	ck_assert_int_eq(status_of_child(pid), 0);
	/* The parent's sessions and login are as they were. */
	ck_assert_uint_eq(sign_p256(kms, &key), CKR_OK);
}
END_TEST

START_TEST(keeps_the_pin_in_a_child)
{
	struct kms_key key = KMS_KEY;
	pid_t pid;

	kms_reopen(false);
	ck_assert_uint_eq(kms_login(kms, SOFTHSM_PIN, strlen(SOFTHSM_PIN), soon()), CKR_OK);
	pid = fork();
	if (pid == 0) {
		kms_forked(kms);
		_exit(sign_p256(kms, &key) == CKR_OK ? 0 : 1);
	}
	ck_assert_int_eq(status_of_child(pid), 0);
}
END_TEST

/* Takes the token away and gives it back. */
static int
recover(struct kms_key *key)
{
	int64_t end = clock_monotonic_ms() + 2000;

	if (sign_p256(kms, key) != CKR_OK)
		return 1;
	softhsm_unplug();
	if (sign_p256(kms, key) != CKR_DEVICE_ERROR)
		return 2;
	softhsm_plug();
	while (sign_p256(kms, key) != CKR_OK)
		if (clock_monotonic_ms() > end)
			return 3;
	return 0;
}

START_TEST(recovers_in_a_child)
{
	struct kms_key key = KMS_KEY;
	CK_INFO info;
	int result;
	pid_t pid;

	ck_assert_uint_eq(sign_p256(kms, &key), CKR_OK);
	pid = fork();
	if (pid == 0) {
		kms_forked(kms);
		result = recover(&key);
		kms_free(&kms);
		if (result == 0 && program->C_GetInfo(&info) != CKR_CRYPTOKI_NOT_INITIALIZED)
			result = 4;
		_exit(result);
	}
	ck_assert_int_eq(status_of_child(pid), 0);
}
END_TEST

START_TEST(leaves_the_programs_module_in_a_child)
{
	struct kms_key key = KMS_KEY;
	CK_SESSION_INFO info;
	pid_t pid;

	ck_assert_uint_eq(program->C_Initialize(NULL), CKR_OK);
	open_program_session();
	ck_assert_uint_eq(sign_p256(kms, &key), CKR_OK);
	pid = fork();
	if (pid == 0) {
		kms_forked(kms);
		if (sign_p256(kms, &key) != CKR_OK)
			_exit(1);
		_exit(program->C_GetSessionInfo(program_session, &info) == CKR_OK ? 0 : 2);
	}
	ck_assert_int_eq(status_of_child(pid), 0);
	kms_free(&kms);
	ck_assert_uint_eq(program->C_Finalize(NULL), CKR_OK);
}
END_TEST

START_TEST(two_share_a_token)
{
	struct kms_key key = KMS_KEY, other_key = KMS_KEY;
	struct kms *other = kms_open_other(SOFTHSM_LABEL);

	ck_assert_uint_eq(sign_p256(kms, &key), CKR_OK);
	ck_assert_uint_eq(sign_p256(other, &other_key), CKR_OK);
	kms_free(&kms);
	ck_assert_uint_eq(sign_p256(other, &other_key), CKR_OK);
	kms_free(&other);
}
END_TEST

Suite *
unit_suite(void)
{
	Suite *suite = suite_create("kms sharing");
	TCase *tcase = tcase_create("hsm");

	tcase_add_checked_fixture(tcase, setup, kms_teardown);
	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, threads_share_one_key);
	tcase_add_test(tcase, threads_try_a_wrong_pin_once);
	tcase_add_test(tcase, threads_survive_losses);
	tcase_add_test(tcase, leaves_a_module_as_the_program_initialised_it);
	tcase_add_test(tcase, leaves_a_module_that_the_program_came_to_later);
	tcase_add_test(tcase, uses_the_programs_login_and_leaves_it);
	tcase_add_test(tcase, logs_in_when_the_program_logs_out);
	tcase_add_loop_test(tcase, recovers_when_the_program_finalises, 0, 2);
	tcase_add_loop_test(tcase, shares_a_module_with_another_user_of_p11_kit, 0, 4);
	tcase_add_loop_test(tcase, works_in_a_child, 0, 2);
	tcase_add_test(tcase, keeps_the_pin_in_a_child);
	tcase_add_test(tcase, recovers_in_a_child);
	tcase_add_test(tcase, leaves_the_programs_module_in_a_child);
	tcase_add_test(tcase, two_share_a_token);
	suite_add_tcase(suite, tcase);
	return suite;
}
