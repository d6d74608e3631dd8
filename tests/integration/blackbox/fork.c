/* SPDX-License-Identifier: Apache-2.0 */
/*
 * PKCS#11 2.40 usage guide, section 2.5.2 ("Applications and processes"): a forked child has
 * not called C_Initialize, and may.
 */
#include "blackbox.h"
#include "pair.h"
#include "signing.h"

#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

static void
sign_once(CK_SESSION_HANDLE session)
{
	CK_MECHANISM mechanism = { CKM_ECDSA, NULL, 0 };
	unsigned char digest[32] = { 1 }, signature[SIGNATURE_MAX];
	CK_ULONG size = sizeof(signature);

	expect(CKR_OK, p11->C_SignInit(session, &mechanism, pair_private(session, PAIR_P256)));
	expect(CKR_OK, p11->C_Sign(session, digest, sizeof(digest), signature, &size));
	expect(CKR_OK, p11->C_VerifyInit(session, &mechanism, pair_public(session, PAIR_P256)));
	expect(CKR_OK, p11->C_Verify(session, digest, sizeof(digest), signature, size));
}

/* Runs in the child; what it asserts fails there, and its status tells. */
static bool
in_child(void (*run)(CK_SESSION_HANDLE), CK_SESSION_HANDLE parents)
{
	int status;
	pid_t child = check_fork();

	if (child == 0) {
		run(parents);
		_exit(0);
	}
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static void
child_not_initialized(CK_SESSION_HANDLE parents)
{
	CK_INFO info;
	CK_SESSION_INFO session_info;
	CK_ULONG count;

	expect(CKR_CRYPTOKI_NOT_INITIALIZED, p11->C_GetInfo(&info));
	expect(CKR_CRYPTOKI_NOT_INITIALIZED, p11->C_GetSlotList(CK_TRUE, NULL, &count));
	expect(CKR_CRYPTOKI_NOT_INITIALIZED, p11->C_GetSessionInfo(parents, &session_info));
	expect(CKR_CRYPTOKI_NOT_INITIALIZED, p11->C_FindObjectsInit(parents, NULL, 0));
	expect(CKR_CRYPTOKI_NOT_INITIALIZED, p11->C_Finalize(NULL));
}

static void
child_initializes(CK_SESSION_HANDLE parents)
{
	CK_SESSION_HANDLE session;
	CK_SESSION_INFO info;

	start();
	expect(CKR_SESSION_HANDLE_INVALID, p11->C_GetSessionInfo(parents, &info));
	session = session_public(0);
	expect(CKR_OK, p11->C_GetSessionInfo(session, &info));
	if (login_required())
		ck_assert_uint_eq(info.state, CKS_RO_PUBLIC_SESSION);
	sign_once(session_user(0));
	stop();
}

START_TEST(not_initialized_in_child)
{
	CK_SESSION_HANDLE session = session_user(0);

	ck_assert(in_child(child_not_initialized, session));
	if (pair_offered(PAIR_P256))
		sign_once(session);
}
END_TEST

START_TEST(initializes_in_child)
{
	CK_SESSION_HANDLE session = session_user(0);

	if (!pair_offered(PAIR_P256))
		return;
	sign_once(session);
	ck_assert(in_child(child_initializes, session));
	/* The parent has lost nothing by it. */
	sign_once(session);
	ck_assert(in_child(child_initializes, session));
	sign_once(session);
}
END_TEST

/* A child that only goes away must not take the parent's sessions with it. */
static void
child_leaves(CK_SESSION_HANDLE parents)
{
	(void)parents;
}

START_TEST(child_that_leaves)
{
	CK_SESSION_HANDLE session = session_user(0);

	if (!pair_offered(PAIR_P256))
		return;
	for (int i = 0; i < 3; i++) {
		ck_assert(in_child(child_leaves, session));
		sign_once(session);
	}
}
END_TEST

Suite *
fork_suite(void)
{
	Suite *suite = suite_create("fork");
	TCase *tcase = started_case(suite, "started");

	tcase_add_test(tcase, not_initialized_in_child);
	tcase_add_test(tcase, initializes_in_child);
	tcase_add_test(tcase, child_that_leaves);
	return suite;
}
