/* SPDX-License-Identifier: Apache-2.0 */
#include "token-fixture.h"
#include "unit.h"

#include "token/session.h"

#include <pthread.h>

static struct fixture_token_host host;

static void
set_up(void)
{
	fixture_host_new("session", &host);
}

static void
tear_down(void)
{
	session_close_all(NULL);
	fixture_host_clear(&host);
}

START_TEST(open_and_close)
{
	CK_SESSION_HANDLE handle = CK_INVALID_HANDLE;
	struct session *session;

	ck_assert_uint_eq(session_open(host.token, true, &handle), CKR_OK);
	ck_assert_uint_ne(handle, CK_INVALID_HANDLE);
	ck_assert_uint_eq(host.token->session_count, 1);
	ck_assert_uint_eq(host.token->rw_session_count, 1);
	ck_assert_uint_eq(session_acquire(handle, &session), CKR_OK);
	ck_assert_uint_eq(session->handle, handle);
	ck_assert_ptr_eq(session->token, host.token);
	ck_assert_uint_eq(session_state(session), CKS_RW_PUBLIC_SESSION);
	session_release(session);
	ck_assert_uint_eq(session_close(handle), CKR_OK);
	ck_assert_uint_eq(host.token->session_count, 0);
	ck_assert_uint_eq(host.token->rw_session_count, 0);
	ck_assert_uint_eq(session_close(handle), CKR_SESSION_HANDLE_INVALID);
	ck_assert_uint_eq(session_acquire(handle, &session), CKR_SESSION_HANDLE_INVALID);
}
END_TEST

START_TEST(handles_are_never_reused)
{
	CK_SESSION_HANDLE handles[200];

	for (size_t i = 0; i < 200; i++) {
		ck_assert_uint_eq(session_open(host.token, false, &handles[i]), CKR_OK);
		for (size_t j = 0; j < i; j++)
			ck_assert_uint_ne(handles[i], handles[j]);
		ck_assert_uint_eq(session_close(handles[i]), CKR_OK);
	}
}
END_TEST

START_TEST(handles_that_are_none)
{
	static const CK_SESSION_HANDLE bad[] = { 0, 1, 2, (CK_SESSION_HANDLE)-1, 1UL << 40,
		                                 0x3ffff, 0x40000 };
	struct session *session;

	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		ck_assert_uint_eq(session_acquire(bad[i], &session), CKR_SESSION_HANDLE_INVALID);
}
END_TEST

START_TEST(more_than_a_chunk)
{
	CK_SESSION_HANDLE first, handle;
	struct session *session;

	ck_assert_uint_eq(session_open(host.token, false, &first), CKR_OK);
	for (size_t i = 0; i < 1000; i++)
		ck_assert_uint_eq(session_open(host.token, false, &handle), CKR_OK);
	ck_assert_uint_eq(host.token->session_count, 1001);
	ck_assert_uint_eq(session_acquire(first, &session), CKR_OK);
	session_release(session);
	session_close_all(host.token);
	ck_assert_uint_eq(host.token->session_count, 0);
	ck_assert_uint_eq(session_acquire(first, &session), CKR_SESSION_HANDLE_INVALID);
	ck_assert_uint_eq(session_acquire(handle, &session), CKR_SESSION_HANDLE_INVALID);
}
END_TEST

static void *
open_and_close_often(void *argument)
{
	CK_SESSION_HANDLE handle;
	struct session *session;

	(void)argument;
	for (size_t i = 0; i < 2000; i++) {
		if (session_open(host.token, i % 2 == 0, &handle) != CKR_OK ||
		    session_acquire(handle, &session) != CKR_OK)
			return "open";
		if (session->handle != handle || session->read_write != (i % 2 == 0))
			return "mixed up";
		session_release(session);
		if (session_close(handle) != CKR_OK)
			return "close";
	}
	return NULL;
}

START_TEST(many_threads)
{
	pthread_t threads[4];
	void *failure;

	for (size_t i = 0; i < 4; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, open_and_close_often, NULL), 0);
	for (size_t i = 0; i < 4; i++) {
		pthread_join(threads[i], &failure);
		ck_assert_msg(failure == NULL, "%s", (const char *)failure);
	}
	ck_assert_uint_eq(host.token->session_count, 0);
}
END_TEST

START_TEST(without_a_registry)
{
	CK_SESSION_HANDLE handle = 7;

	host.config.registry = "/nonexistent/registry.db";
	ck_assert_uint_eq(session_open(host.token, false, &handle), CKR_TOKEN_NOT_RECOGNIZED);
	ck_assert_uint_eq(handle, 7);
	ck_assert_uint_eq(host.token->session_count, 0);
	host.config.authority = "/nonexistent/authority.pem";
	token_free(&host.token);
	ck_assert_uint_eq(token_new(&host.config, 3, host.roles, &host.token), CKR_OK);
	ck_assert_uint_eq(session_open(host.token, false, &handle), CKR_TOKEN_NOT_RECOGNIZED);
}
END_TEST

Suite *
unit_suite(void)
{
	Suite *suite = suite_create("session");
	TCase *tests = tcase_create("session");

	tcase_add_checked_fixture(tests, set_up, tear_down);
	tcase_add_test(tests, open_and_close);
	tcase_add_test(tests, handles_are_never_reused);
	tcase_add_test(tests, handles_that_are_none);
	tcase_add_test(tests, more_than_a_chunk);
	tcase_add_test(tests, many_threads);
	tcase_add_test(tests, without_a_registry);
	suite_add_tcase(suite, tests);
	return suite;
}
