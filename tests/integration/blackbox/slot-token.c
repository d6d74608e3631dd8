/* SPDX-License-Identifier: Apache-2.0 */
/* Section 5.5: slots, tokens, mechanisms. */
#include "blackbox.h"

#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

#define PIN(pin) (CK_UTF8CHAR *)(pin), strlen(pin)

static CK_SLOT_ID
no_such_slot(void)
{
	CK_SLOT_ID slots[64], id = 0x5a5a5a5a;
	CK_ULONG count = COUNT(slots);

	expect(CKR_OK, p11->C_GetSlotList(CK_FALSE, slots, &count));
	for (CK_ULONG i = 0; i < count; i++)
		ck_assert_uint_ne(slots[i], id);
	return id;
}

START_TEST(slot_list)
{
	CK_SLOT_ID slots[64];
	CK_ULONG count, again, with_token;

	expect(CKR_ARGUMENTS_BAD, p11->C_GetSlotList(CK_FALSE, NULL, NULL));
	expect(CKR_ARGUMENTS_BAD, p11->C_GetSlotList(CK_FALSE, slots, NULL));

	expect(CKR_OK, p11->C_GetSlotList(CK_FALSE, NULL, &count));
	ck_assert_uint_ge(count, 1);
	ck_assert_uint_le(count, COUNT(slots));
	again = count;
	expect(CKR_OK, p11->C_GetSlotList(CK_FALSE, slots, &again));
	ck_assert_uint_eq(again, count);
	again = COUNT(slots);
	expect(CKR_OK, p11->C_GetSlotList(CK_FALSE, slots, &again));
	ck_assert_uint_eq(again, count);
	for (CK_ULONG i = 0; i < count; i++)
		for (CK_ULONG j = 0; j < i; j++)
			ck_assert_uint_ne(slots[i], slots[j]);

	with_token = 0;
	expect(CKR_OK, p11->C_GetSlotList(CK_TRUE, NULL, &with_token));
	ck_assert_uint_ge(with_token, 1);
	ck_assert_uint_le(with_token, count);
}
END_TEST

START_TEST(slot_list_too_small)
{
	CK_SLOT_ID slots[2] = { 0x77, 0x77 };
	CK_ULONG count, needed;

	expect(CKR_OK, p11->C_GetSlotList(CK_FALSE, NULL, &needed));
	count = 0;
	expect(CKR_BUFFER_TOO_SMALL, p11->C_GetSlotList(CK_FALSE, slots, &count));
	ck_assert_uint_eq(count, needed);
	ck_assert_uint_eq(slots[0], 0x77);
}
END_TEST

START_TEST(slot_info)
{
	CK_SLOT_INFO info;

	expect(CKR_OK, p11->C_GetSlotInfo(token_slot, &info));
	ck_assert_uint_ne(info.flags & CKF_TOKEN_PRESENT, 0);
	ck_assert_ptr_null(memchr(info.slotDescription, 0, sizeof(info.slotDescription)));
	ck_assert_ptr_null(memchr(info.manufacturerID, 0, sizeof(info.manufacturerID)));
	expect(CKR_ARGUMENTS_BAD, p11->C_GetSlotInfo(token_slot, NULL));
	expect(CKR_SLOT_ID_INVALID, p11->C_GetSlotInfo(no_such_slot(), &info));
}
END_TEST

START_TEST(token_info)
{
	CK_TOKEN_INFO info;

	expect(CKR_OK, p11->C_GetTokenInfo(token_slot, &info));
	ck_assert_ptr_null(memchr(info.label, 0, sizeof(info.label)));
	ck_assert_ptr_null(memchr(info.manufacturerID, 0, sizeof(info.manufacturerID)));
	ck_assert_ptr_null(memchr(info.model, 0, sizeof(info.model)));
	ck_assert_ptr_null(memchr(info.serialNumber, 0, sizeof(info.serialNumber)));
	ck_assert_uint_ne(info.flags & CKF_TOKEN_INITIALIZED, 0);
	ck_assert_uint_eq(info.flags & CKF_USER_PIN_LOCKED, 0);
	/* Serial number is what a PKCS#11 URI tells tokens apart by. */
	ck_assert_int_ne(memcmp(info.serialNumber, "                ", 16), 0);
	if (info.flags & CKF_LOGIN_REQUIRED)
		ck_assert_uint_ne(info.flags & CKF_USER_PIN_INITIALIZED, 0);
	expect(CKR_ARGUMENTS_BAD, p11->C_GetTokenInfo(token_slot, NULL));
	expect(CKR_SLOT_ID_INVALID, p11->C_GetTokenInfo(no_such_slot(), &info));
}
END_TEST

START_TEST(token_info_counts_sessions)
{
	CK_TOKEN_INFO before, after;

	expect(CKR_OK, p11->C_GetTokenInfo(token_slot, &before));
	(void)session_public(0);
	(void)session_public(CKF_RW_SESSION);
	expect(CKR_OK, p11->C_GetTokenInfo(token_slot, &after));
	if (before.ulSessionCount != CK_UNAVAILABLE_INFORMATION)
		ck_assert_uint_eq(after.ulSessionCount, before.ulSessionCount + 2);
	if (before.ulRwSessionCount != CK_UNAVAILABLE_INFORMATION)
		ck_assert_uint_eq(after.ulRwSessionCount, before.ulRwSessionCount + 1);
}
END_TEST

START_TEST(mechanism_list)
{
	CK_MECHANISM_TYPE types[512];
	CK_ULONG count, again;

	expect(CKR_ARGUMENTS_BAD, p11->C_GetMechanismList(token_slot, NULL, NULL));
	expect(CKR_SLOT_ID_INVALID, p11->C_GetMechanismList(no_such_slot(), NULL, &count));
	expect(CKR_OK, p11->C_GetMechanismList(token_slot, NULL, &count));
	ck_assert_uint_ge(count, 1);
	ck_assert_uint_le(count, COUNT(types));

	again = 0;
	expect(CKR_BUFFER_TOO_SMALL, p11->C_GetMechanismList(token_slot, types, &again));
	ck_assert_uint_eq(again, count);
	again = count - 1;
	expect(CKR_BUFFER_TOO_SMALL, p11->C_GetMechanismList(token_slot, types, &again));
	ck_assert_uint_eq(again, count);
	expect(CKR_OK, p11->C_GetMechanismList(token_slot, types, &again));
	ck_assert_uint_eq(again, count);
	for (CK_ULONG i = 0; i < count; i++)
		for (CK_ULONG j = 0; j < i; j++)
			ck_assert_uint_ne(types[i], types[j]);
}
END_TEST

START_TEST(mechanism_info)
{
	CK_MECHANISM_TYPE types[512];
	CK_ULONG count = COUNT(types);
	CK_MECHANISM_INFO info;

	expect(CKR_OK, p11->C_GetMechanismList(token_slot, types, &count));
	for (CK_ULONG i = 0; i < count; i++) {
		expect(CKR_OK, p11->C_GetMechanismInfo(token_slot, types[i], &info));
		ck_assert_msg((info.flags & ~(CK_FLAGS)CKF_HW) != 0,
		              "mechanism 0x%lx is listed, and for nothing", types[i]);
		ck_assert_msg(info.ulMinKeySize <= info.ulMaxKeySize,
		              "mechanism 0x%lx: key sizes from %lu to %lu", types[i],
		              info.ulMinKeySize, info.ulMaxKeySize);
	}
	expect(CKR_ARGUMENTS_BAD, p11->C_GetMechanismInfo(token_slot, types[0], NULL));
	expect(CKR_MECHANISM_INVALID,
	       p11->C_GetMechanismInfo(token_slot, CKM_VENDOR_DEFINED | 0x7777, &info));
	expect(CKR_SLOT_ID_INVALID, p11->C_GetMechanismInfo(no_such_slot(), types[0], &info));
}
END_TEST

/* Every mechanism that is known and not listed is refused by C_GetMechanismInfo too. */
START_TEST(mechanism_list_is_all)
{
	CK_MECHANISM_TYPE types[512];
	CK_ULONG count = COUNT(types);
	CK_MECHANISM_INFO info;

	expect(CKR_OK, p11->C_GetMechanismList(token_slot, types, &count));
	for (CK_MECHANISM_TYPE type = 0; type < 0x2000; type++) {
		bool listed = false;

		for (CK_ULONG i = 0; i < count; i++)
			listed = listed || types[i] == type;
		if (!listed)
			expect(CKR_MECHANISM_INVALID,
			       p11->C_GetMechanismInfo(token_slot, type, &info));
	}
}
END_TEST

/* A slot that is not there is told before a pointer that is not. */
START_TEST(slot_comes_first)
{
	CK_SLOT_ID none = no_such_slot();

	expect(CKR_SLOT_ID_INVALID, p11->C_GetSlotInfo(none, NULL));
	expect(CKR_SLOT_ID_INVALID, p11->C_GetTokenInfo(none, NULL));
	expect(CKR_SLOT_ID_INVALID, p11->C_GetMechanismList(none, NULL, NULL));
	expect(CKR_SLOT_ID_INVALID, p11->C_GetMechanismInfo(none, CKM_SHA256, NULL));
	expect(CKR_SLOT_ID_INVALID, p11->C_InitToken(none, NULL, 4, NULL));
	expect(CKR_SLOT_ID_INVALID, p11->C_OpenSession(none, CKF_SERIAL_SESSION, NULL, NULL, NULL));
}
END_TEST

START_TEST(wait_for_slot_event)
{
	CK_SLOT_ID slot;

	/* Nothing has happened; or the module tells of no events at all. */
	expect(CKR_NO_EVENT, p11->C_WaitForSlotEvent(CKF_DONT_BLOCK, &slot, NULL));
	expect(CKR_ARGUMENTS_BAD, p11->C_WaitForSlotEvent(CKF_DONT_BLOCK, NULL, NULL));
	expect(CKR_ARGUMENTS_BAD, p11->C_WaitForSlotEvent(CKF_DONT_BLOCK, &slot, &slot));
}
END_TEST

static void *
await_event(void *ret_rv)
{
	CK_SLOT_ID slot;

	*(CK_RV *)ret_rv = p11->C_WaitForSlotEvent(0, &slot, NULL);
	return NULL;
}

/* Section 5.5.4: C_Finalize ends the waiting, also that of several threads. */
START_TEST(wait_until_finalize)
{
	CK_SLOT_ID slot;
	pthread_t threads[3];
	CK_RV rvs[COUNT(threads)];

	start();
	for (size_t i = 0; i < COUNT(threads); i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, await_event, &rvs[i]), 0);
	usleep(200000); /* most of them wait by then; who comes later is refused */
	expect(CKR_NO_EVENT, p11->C_WaitForSlotEvent(CKF_DONT_BLOCK, &slot, NULL));
	stop();
	for (size_t i = 0; i < COUNT(threads); i++) {
		ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
		ck_assert_uint_eq(rvs[i], CKR_CRYPTOKI_NOT_INITIALIZED);
	}
	/* shows C_WaitForSlotEvent: CKR_CRYPTOKI_NOT_INITIALIZED */
}
END_TEST

/* The token is initialised with the command; first comes what the standard checks first. */
START_TEST(init_token)
{
	CK_UTF8CHAR label[33], pin[] = "1234";

	snprintf((char *)label, sizeof(label), "%-32s", token_label);
	expect(CKR_ARGUMENTS_BAD, p11->C_InitToken(token_slot, pin, 4, NULL));
	expect(CKR_ARGUMENTS_BAD, p11->C_InitToken(token_slot, NULL, 4, label));
	expect(CKR_SLOT_ID_INVALID, p11->C_InitToken(no_such_slot(), pin, 4, label));
	(void)session_public(0);
	expect(CKR_SESSION_EXISTS, p11->C_InitToken(token_slot, pin, 4, label));
	expect(CKR_OK, p11->C_CloseAllSessions(token_slot));
	/* One that does it takes the PIN of its security officer. */
	expect_any(p11->C_InitToken(token_slot, PIN("no such PIN"), label),
	           CKR_FUNCTION_NOT_SUPPORTED, CKR_PIN_INCORRECT);
	find_token();
}
END_TEST

/* Only the security officer sets the user's first PIN. */
START_TEST(init_pin)
{
	CK_SESSION_HANDLE reading = session_public(0), session = session_public(CKF_RW_SESSION);

	expect(CKR_ARGUMENTS_BAD, p11->C_InitPIN(session, NULL, 4));
	expect(CKR_SESSION_HANDLE_INVALID, p11->C_InitPIN(session + 1000, PIN("no such PIN")));
	expect(CKR_USER_NOT_LOGGED_IN, p11->C_InitPIN(session, PIN("no such PIN")));
	login(session);
	expect(CKR_USER_NOT_LOGGED_IN, p11->C_InitPIN(session, PIN("no such PIN")));
	expect(CKR_USER_NOT_LOGGED_IN, p11->C_InitPIN(reading, PIN("no such PIN")));
}
END_TEST

START_TEST(set_pin_refused)
{
	CK_SESSION_HANDLE reading = session_public(0), session = session_public(CKF_RW_SESSION);
	static char longest[5000];

	memset(longest, '1', sizeof(longest) - 1);
	expect(CKR_ARGUMENTS_BAD, p11->C_SetPIN(session, NULL, 0, PIN("1234")));
	expect(CKR_ARGUMENTS_BAD, p11->C_SetPIN(session, PIN("1234"), NULL, 0));
	expect(CKR_SESSION_HANDLE_INVALID,
	       p11->C_SetPIN(session + 1000, PIN("no such PIN"), PIN("1234")));
	expect(CKR_SESSION_READ_ONLY, p11->C_SetPIN(reading, PIN(token_pin), PIN(token_pin)));
	/* A PIN that stands in a file is the administrator's to change. */
	if (!login_required()) {
		expect(CKR_FUNCTION_NOT_SUPPORTED,
		       p11->C_SetPIN(session, PIN(token_pin), PIN(token_pin)));
		return;
	}
	expect(CKR_PIN_INCORRECT, p11->C_SetPIN(session, PIN("no such PIN"), PIN("1234")));
	expect(CKR_PIN_LEN_RANGE, p11->C_SetPIN(session, PIN(token_pin), PIN("")));
	expect(CKR_PIN_LEN_RANGE, p11->C_SetPIN(session, PIN(token_pin), PIN(longest)));
	login(session);
}
END_TEST

/* Logged in (_i) and not: section 5.5.9. */
START_TEST(set_pin)
{
	CK_SESSION_HANDLE session = session_public(CKF_RW_SESSION);
	CK_SESSION_INFO info;
	const char *other = "another PIN";

	if (!login_required())
		return;
	if (_i)
		login(session);
	expect(CKR_OK, p11->C_SetPIN(session, PIN(token_pin), PIN(other)));
	expect(CKR_OK, p11->C_GetSessionInfo(session, &info));
	ck_assert_uint_eq(info.state, _i ? CKS_RW_USER_FUNCTIONS : CKS_RW_PUBLIC_SESSION);
	if (_i)
		expect(CKR_OK, p11->C_Logout(session));
	expect(CKR_PIN_INCORRECT, p11->C_Login(session, CKU_USER, PIN(token_pin)));
	expect(CKR_OK, p11->C_Login(session, CKU_USER, PIN(other)));
	expect(CKR_OK, p11->C_SetPIN(session, PIN(other), PIN(token_pin)));
	expect(CKR_OK, p11->C_Logout(session));
	expect(CKR_OK, p11->C_Login(session, CKU_USER, PIN(token_pin)));
}
END_TEST

Suite *
slot_token_suite(void)
{
	Suite *suite = suite_create("slot-token");
	TCase *tcase = started_case(suite, "started");

	tcase_add_test(tcase, slot_list);
	tcase_add_test(tcase, slot_list_too_small);
	tcase_add_test(tcase, slot_info);
	tcase_add_test(tcase, token_info);
	tcase_add_test(tcase, token_info_counts_sessions);
	tcase_add_test(tcase, mechanism_list);
	tcase_add_test(tcase, mechanism_info);
	tcase_add_test(tcase, mechanism_list_is_all);
	tcase_add_test(tcase, slot_comes_first);
	tcase_add_test(tcase, wait_for_slot_event);
	tcase_add_test(tcase, init_token);
	tcase_add_test(tcase, init_pin);
	tcase_add_test(tcase, set_pin_refused);
	tcase_add_loop_test(tcase, set_pin, 0, 2);

	tcase = tcase_create("not started");
	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, wait_until_finalize);
	suite_add_tcase(suite, tcase);
	return suite;
}
