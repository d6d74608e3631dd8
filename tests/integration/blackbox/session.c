/* SPDX-License-Identifier: Apache-2.0 */
/* Section 5.6: sessions. */
#include "blackbox.h"

START_TEST(open_arguments)
{
	CK_SESSION_HANDLE session;

	expect(CKR_ARGUMENTS_BAD,
	       p11->C_OpenSession(token_slot, CKF_SERIAL_SESSION, NULL, NULL, NULL));
	expect(CKR_SESSION_PARALLEL_NOT_SUPPORTED,
	       p11->C_OpenSession(token_slot, 0, NULL, NULL, &session));
	expect(CKR_SESSION_PARALLEL_NOT_SUPPORTED,
	       p11->C_OpenSession(token_slot, CKF_RW_SESSION, NULL, NULL, &session));
	expect(CKR_OK, p11->C_OpenSession(token_slot, CKF_SERIAL_SESSION, NULL, NULL, &session));
	expect(CKR_SLOT_ID_INVALID,
	       p11->C_OpenSession(0x5a5a5a5a, CKF_SERIAL_SESSION, NULL, NULL, &session));
}
END_TEST

START_TEST(session_info)
{
	CK_SESSION_HANDLE session = session_public(0);
	CK_SESSION_HANDLE writing = session_public(CKF_RW_SESSION);
	CK_SESSION_INFO info;

	expect(CKR_OK, p11->C_GetSessionInfo(session, &info));
	ck_assert_uint_eq(info.slotID, token_slot);
	ck_assert_uint_eq(info.flags, CKF_SERIAL_SESSION);
	ck_assert_uint_eq(info.ulDeviceError, 0);
	if (login_required())
		ck_assert_uint_eq(info.state, CKS_RO_PUBLIC_SESSION);
	expect(CKR_OK, p11->C_GetSessionInfo(writing, &info));
	ck_assert_uint_eq(info.slotID, token_slot);
	ck_assert_uint_eq(info.flags, CKF_SERIAL_SESSION | CKF_RW_SESSION);
	if (login_required())
		ck_assert_uint_eq(info.state, CKS_RW_PUBLIC_SESSION);
	expect(CKR_ARGUMENTS_BAD, p11->C_GetSessionInfo(session, NULL));
}
END_TEST

static const CK_SESSION_HANDLE never_opened[] = { CK_INVALID_HANDLE, 0x5a5a5a5a, ~0UL };

START_TEST(invalid_handle)
{
	CK_SESSION_HANDLE session = never_opened[_i];
	CK_SESSION_INFO info;
	CK_OBJECT_HANDLE object;
	CK_ULONG count;
	unsigned char bytes[64];

	(void)session_public(0);
	expect(CKR_SESSION_HANDLE_INVALID, p11->C_GetSessionInfo(session, &info));
	expect(CKR_SESSION_HANDLE_INVALID, p11->C_CloseSession(session));
	expect(CKR_SESSION_HANDLE_INVALID,
	       p11->C_Login(session, CKU_USER, (CK_UTF8CHAR_PTR)token_pin, strlen(token_pin)));
	expect(CKR_SESSION_HANDLE_INVALID, p11->C_Logout(session));
	expect(CKR_SESSION_HANDLE_INVALID, p11->C_FindObjectsInit(session, NULL, 0));
	expect(CKR_SESSION_HANDLE_INVALID, p11->C_FindObjects(session, &object, 1, &count));
	expect(CKR_SESSION_HANDLE_INVALID, p11->C_FindObjectsFinal(session));
	expect(CKR_SESSION_HANDLE_INVALID, p11->C_DestroyObject(session, 1));
	expect(CKR_SESSION_HANDLE_INVALID, p11->C_GenerateRandom(session, bytes, sizeof(bytes)));
}
END_TEST

START_TEST(invalid_handle_operations)
{
	CK_SESSION_HANDLE session = never_opened[_i];
	CK_MECHANISM mechanism = { CKM_SHA256, NULL, 0 };
	unsigned char bytes[64];
	CK_ULONG size = sizeof(bytes);
	CK_ATTRIBUTE label = ATTRIBUTE(CKA_LABEL, bytes, sizeof(bytes));
	CK_OBJECT_HANDLE object;

	expect(CKR_SESSION_HANDLE_INVALID, p11->C_GetAttributeValue(session, 1, &label, 1));
	expect(CKR_SESSION_HANDLE_INVALID, p11->C_EncryptInit(session, &mechanism, 1));
	expect(CKR_SESSION_HANDLE_INVALID, p11->C_Encrypt(session, bytes, 1, bytes, &size));
	expect(CKR_SESSION_HANDLE_INVALID, p11->C_DecryptInit(session, &mechanism, 1));
	expect(CKR_SESSION_HANDLE_INVALID, p11->C_Decrypt(session, bytes, 1, bytes, &size));
	expect(CKR_SESSION_HANDLE_INVALID, p11->C_SignInit(session, &mechanism, 1));
	expect(CKR_SESSION_HANDLE_INVALID, p11->C_Sign(session, bytes, 1, bytes, &size));
	expect(CKR_SESSION_HANDLE_INVALID, p11->C_SignUpdate(session, bytes, 1));
	expect(CKR_SESSION_HANDLE_INVALID, p11->C_SignFinal(session, bytes, &size));
	expect(CKR_SESSION_HANDLE_INVALID, p11->C_VerifyInit(session, &mechanism, 1));
	expect(CKR_SESSION_HANDLE_INVALID, p11->C_Verify(session, bytes, 1, bytes, 1));
	expect(CKR_SESSION_HANDLE_INVALID, p11->C_VerifyUpdate(session, bytes, 1));
	expect(CKR_SESSION_HANDLE_INVALID, p11->C_VerifyFinal(session, bytes, 1));
	expect(CKR_SESSION_HANDLE_INVALID, p11->C_DigestInit(session, &mechanism));
	expect(CKR_SESSION_HANDLE_INVALID, p11->C_Digest(session, bytes, 1, bytes, &size));
	expect(CKR_SESSION_HANDLE_INVALID, p11->C_DigestUpdate(session, bytes, 1));
	expect(CKR_SESSION_HANDLE_INVALID, p11->C_DigestFinal(session, bytes, &size));
	expect(CKR_SESSION_HANDLE_INVALID,
	       p11->C_GenerateKeyPair(session, &mechanism, &label, 1, &label, 1, &object, &object));
}
END_TEST

START_TEST(close_session)
{
	CK_SESSION_HANDLE session = session_public(0);
	CK_SESSION_INFO info;

	expect(CKR_OK, p11->C_CloseSession(session));
	expect(CKR_SESSION_HANDLE_INVALID, p11->C_GetSessionInfo(session, &info));
	expect(CKR_SESSION_HANDLE_INVALID, p11->C_CloseSession(session));
}
END_TEST

/* A program that kept a handle too long must be told, not be given another's session. */
START_TEST(closed_handle_stays_closed)
{
	CK_SESSION_HANDLE closed[50], reopened;
	CK_SESSION_INFO info;

	for (size_t i = 0; i < COUNT(closed); i++) {
		closed[i] = session_public(0);
		expect(CKR_OK, p11->C_CloseSession(closed[i]));
		for (size_t j = 0; j < i; j++)
			ck_assert_uint_ne(closed[i], closed[j]);
	}
	for (int i = 0; i < 500; i++) {
		reopened = session_public(i % 2 ? CKF_RW_SESSION : 0);
		for (size_t j = 0; j < COUNT(closed); j++)
			ck_assert_uint_ne(reopened, closed[j]);
	}
	for (size_t i = 0; i < COUNT(closed); i++)
		expect(CKR_SESSION_HANDLE_INVALID,
		       p11->C_GetSessionInfo(closed[i], &info));
}
END_TEST

START_TEST(close_all)
{
	CK_SESSION_HANDLE first = session_user(0), second = session_public(CKF_RW_SESSION);
	CK_SESSION_INFO info;

	expect(CKR_SLOT_ID_INVALID, p11->C_CloseAllSessions(0x5a5a5a5a));
	expect(CKR_OK, p11->C_GetSessionInfo(first, &info));
	expect(CKR_OK, p11->C_CloseAllSessions(token_slot));
	expect(CKR_SESSION_HANDLE_INVALID, p11->C_GetSessionInfo(first, &info));
	expect(CKR_SESSION_HANDLE_INVALID, p11->C_GetSessionInfo(second, &info));
	expect(CKR_OK, p11->C_CloseAllSessions(token_slot));
	/* With the last session the login is over. */
	first = session_public(0);
	expect(CKR_OK, p11->C_GetSessionInfo(first, &info));
	if (login_required())
		ck_assert_uint_eq(info.state, CKS_RO_PUBLIC_SESSION);
}
END_TEST

START_TEST(close_last_logs_out)
{
	CK_SESSION_HANDLE first = session_user(0), second = session_public(0);
	CK_SESSION_INFO info;

	expect(CKR_OK, p11->C_CloseSession(first));
	expect(CKR_OK, p11->C_GetSessionInfo(second, &info));
	if (login_required())
		ck_assert_uint_eq(info.state, CKS_RO_USER_FUNCTIONS);
	expect(CKR_OK, p11->C_CloseSession(second));
	second = session_public(0);
	expect(CKR_OK, p11->C_GetSessionInfo(second, &info));
	if (login_required())
		ck_assert_uint_eq(info.state, CKS_RO_PUBLIC_SESSION);
}
END_TEST

/* One session's search or digest is no other's. */
START_TEST(operations_are_apart)
{
	CK_SESSION_HANDLE first = session_public(0), second = session_public(0);
	CK_MECHANISM mechanism = { CKM_SHA256, NULL, 0 };
	CK_OBJECT_HANDLE object;
	CK_ULONG count;

	expect(CKR_OK, p11->C_FindObjectsInit(first, NULL, 0));
	expect(CKR_OPERATION_NOT_INITIALIZED, p11->C_FindObjects(second, &object, 1, &count));
	expect(CKR_OK, p11->C_FindObjectsInit(second, NULL, 0));
	expect(CKR_OK, p11->C_FindObjectsFinal(first));
	expect(CKR_OK, p11->C_FindObjects(second, &object, 1, &count));
	expect(CKR_OK, p11->C_FindObjectsFinal(second));
	if (!mechanism_offers(CKM_SHA256, CKF_DIGEST))
		return;
	expect(CKR_OK, p11->C_DigestInit(first, &mechanism));
	expect(CKR_OK, p11->C_DigestInit(second, &mechanism));
	expect(CKR_OK, p11->C_CloseSession(first));
	expect(CKR_OK, p11->C_DigestUpdate(second, (CK_BYTE_PTR) "abc", 3));
}
END_TEST

/* A search may run beside an operation of the same session (section 5.7 and following). */
START_TEST(search_beside_digest)
{
	CK_SESSION_HANDLE session = session_public(0);
	CK_MECHANISM mechanism = { CKM_SHA256, NULL, 0 };
	unsigned char value[64];
	CK_OBJECT_HANDLE object;
	CK_ULONG count, size = sizeof(value);

	if (!mechanism_offers(CKM_SHA256, CKF_DIGEST))
		return;
	expect(CKR_OK, p11->C_FindObjectsInit(session, NULL, 0));
	expect_any(p11->C_DigestInit(session, &mechanism), CKR_OK, CKR_OPERATION_ACTIVE);
	if (p11->C_Digest(session, (CK_BYTE_PTR) "abc", 3, value, &size) == CKR_OK)
		ck_assert_uint_eq(size, 32);
	expect(CKR_OK, p11->C_FindObjects(session, &object, 1, &count));
	expect(CKR_OK, p11->C_FindObjectsFinal(session));
}
END_TEST

static const unsigned char abc_sha256[32] = {
	0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01, 0xcf, 0xea, 0x41, 0x41, 0x40, 0xde, 0x5d, 0xae, 0x22, 0x23,
	0xb0, 0x03, 0x61, 0xa3, 0x96, 0x17, 0x7a, 0x9c, 0xb4, 0x10, 0xff, 0x61, 0xf2, 0x00, 0x15, 0xad,
};

static unsigned char state[100000];

/* Begins a digest in the session; 0: the module saves none. */
static CK_ULONG
save_digest(CK_SESSION_HANDLE session, const char *text)
{
	CK_MECHANISM sha256 = { CKM_SHA256, NULL, 0 };
	CK_ULONG size = sizeof(state);

	expect(CKR_OK, p11->C_DigestInit(session, &sha256));
	expect(CKR_OK, p11->C_DigestUpdate(session, (CK_BYTE_PTR)text, strlen(text)));
	return p11->C_GetOperationState(session, state, &size) == CKR_OK ? size : 0;
}

/* Saved, and gone on with in the same session, in another, and more than once. */
START_TEST(operation_state)
{
	CK_SESSION_HANDLE session = session_public(0), other = session_public(0);
	unsigned char value[32];
	CK_ULONG size, saved = save_digest(session, "ab");

	if (saved == 0)
		return;
	expect(CKR_OK, p11->C_GetOperationState(session, NULL, &size));
	ck_assert_uint_eq(size, saved);
	size--;
	expect(CKR_BUFFER_TOO_SMALL, p11->C_GetOperationState(session, state, &size));
	ck_assert_uint_eq(size, saved);
	expect(CKR_OK, p11->C_DigestUpdate(session, (CK_BYTE_PTR) "and on", 6));
	for (int i = 0; i < 2; i++) {
		CK_SESSION_HANDLE here = i ? other : session;

		expect(CKR_OK, p11->C_SetOperationState(here, state, saved, 0, 0));
		expect(CKR_OK, p11->C_DigestUpdate(here, (CK_BYTE_PTR) "c", 1));
		size = sizeof(value);
		expect(CKR_OK, p11->C_DigestFinal(here, value, &size));
		ck_assert_mem_eq(value, abc_sha256, sizeof(value));
	}
}
END_TEST

/* What is going on when a state is restored is cancelled; what is refused cancels nothing. */
START_TEST(operation_state_cancels)
{
	CK_SESSION_HANDLE session = session_public(0);
	CK_MECHANISM sha1 = { CKM_SHA_1, NULL, 0 };
	CK_OBJECT_HANDLE object;
	unsigned char value[32];
	CK_ULONG size = sizeof(value), count, saved = save_digest(session, "abc");

	if (saved == 0)
		return;
	expect(CKR_OK, p11->C_DigestFinal(session, value, &size));
	expect(CKR_OK, p11->C_FindObjectsInit(session, NULL, 0));
	expect(CKR_OK, p11->C_DigestInit(session, &sha1));
	expect(CKR_SAVED_STATE_INVALID, p11->C_SetOperationState(session, state, saved - 1, 0, 0));
	expect(CKR_OK, p11->C_FindObjects(session, &object, 1, &count));
	expect(CKR_OK, p11->C_SetOperationState(session, state, saved, 0, 0));
	expect(CKR_OPERATION_NOT_INITIALIZED, p11->C_FindObjects(session, &object, 1, &count));
	size = sizeof(value);
	expect(CKR_OK, p11->C_DigestFinal(session, value, &size));
	ck_assert_mem_eq(value, abc_sha256, sizeof(value));
}
END_TEST

START_TEST(operation_state_damaged)
{
	CK_SESSION_HANDLE session = session_public(0), writing = session_public(CKF_RW_SESSION);
	CK_ULONG saved = save_digest(session, "abc");

	if (saved == 0)
		return;
	for (CK_ULONG i = 0; i < saved; i++) {
		state[i] ^= 0x10;
		expect(CKR_SAVED_STATE_INVALID, p11->C_SetOperationState(session, state, saved, 0, 0));
		state[i] ^= 0x10;
	}
	for (CK_ULONG size = 0; size < saved; size++)
		expect(CKR_SAVED_STATE_INVALID, p11->C_SetOperationState(session, state, size, 0, 0));
	expect(CKR_SAVED_STATE_INVALID, p11->C_SetOperationState(session, state, saved + 1, 0, 0));
	/* Of a session in another state. */
	expect(CKR_SAVED_STATE_INVALID, p11->C_SetOperationState(writing, state, saved, 0, 0));
	/* A digest has no key. */
	expect(CKR_KEY_NOT_NEEDED, p11->C_SetOperationState(session, state, saved, 1, 0));
	expect(CKR_KEY_NOT_NEEDED, p11->C_SetOperationState(session, state, saved, 0, 1));
	expect(CKR_OK, p11->C_SetOperationState(session, state, saved, 0, 0));
}
END_TEST

START_TEST(operation_state_refused)
{
	CK_SESSION_HANDLE session = session_public(0);
	CK_MECHANISM sha256 = { CKM_SHA256, NULL, 0 };
	CK_ULONG size = sizeof(state);

	if (save_digest(session_public(0), "abc") == 0) {
		expect_any(p11->C_GetOperationState(session, state, &size),
		           CKR_OPERATION_NOT_INITIALIZED, CKR_STATE_UNSAVEABLE,
		           CKR_FUNCTION_NOT_SUPPORTED);
		return;
	}
	expect(CKR_OPERATION_NOT_INITIALIZED, p11->C_GetOperationState(session, state, NULL));
	expect(CKR_ARGUMENTS_BAD, p11->C_SetOperationState(session, NULL, 16, 0, 0));
	expect(CKR_SESSION_HANDLE_INVALID, p11->C_GetOperationState(session + 1000, state, &size));
	expect(CKR_SESSION_HANDLE_INVALID,
	       p11->C_SetOperationState(session + 1000, state, size, 0, 0));
	expect(CKR_OPERATION_NOT_INITIALIZED, p11->C_GetOperationState(session, state, &size));
	/* A search is no cryptographic operation. */
	expect(CKR_OK, p11->C_FindObjectsInit(session, NULL, 0));
	expect(CKR_OPERATION_NOT_INITIALIZED, p11->C_GetOperationState(session, state, &size));
	/* Longer than what is kept. */
	expect(CKR_OK, p11->C_DigestInit(session, &sha256));
	expect(CKR_ARGUMENTS_BAD, p11->C_GetOperationState(session, state, NULL));
	for (int i = 0; i < 8; i++)
		expect(CKR_OK, p11->C_DigestUpdate(session, state, sizeof(state)));
	expect(CKR_STATE_UNSAVEABLE, p11->C_GetOperationState(session, state, &size));
}
END_TEST

/* A digest of a key can't be saved: keys stay where they are. */
START_TEST(operation_state_of_a_key)
{
	CK_SESSION_HANDLE session = session_public(0);
	CK_MECHANISM generate = { CKM_GENERIC_SECRET_KEY_GEN, NULL, 0 };
	CK_BBOOL no = CK_FALSE;
	CK_ULONG length = 32, size = sizeof(state);
	CK_ATTRIBUTE template[] = {
		ATTRIBUTE(CKA_VALUE_LEN, &length, sizeof(length)),
		ATTRIBUTE(CKA_TOKEN, &no, sizeof(no)),
		ATTRIBUTE(CKA_PRIVATE, &no, sizeof(no)),
	};
	CK_OBJECT_HANDLE key;

	if (save_digest(session, "abc") == 0 ||
	    !mechanism_offers(CKM_GENERIC_SECRET_KEY_GEN, CKF_GENERATE))
		return;
	expect(CKR_OK, p11->C_GenerateKey(session, &generate, template, COUNT(template), &key));
	expect(CKR_OK, p11->C_DigestKey(session, key));
	expect(CKR_STATE_UNSAVEABLE, p11->C_GetOperationState(session, state, &size));
	expect(CKR_OK, p11->C_DigestUpdate(session, (CK_BYTE_PTR) "c", 1));
	expect(CKR_STATE_UNSAVEABLE, p11->C_GetOperationState(session, state, &size));
}
END_TEST

Suite *
session_suite(void)
{
	Suite *suite = suite_create("session");
	TCase *tcase = started_case(suite, "started");

	tcase_add_test(tcase, open_arguments);
	tcase_add_test(tcase, session_info);
	tcase_add_loop_test(tcase, invalid_handle, 0, COUNT(never_opened));
	tcase_add_loop_test(tcase, invalid_handle_operations, 0, COUNT(never_opened));
	tcase_add_test(tcase, close_session);
	tcase_add_test(tcase, closed_handle_stays_closed);
	tcase_add_test(tcase, close_all);
	tcase_add_test(tcase, close_last_logs_out);
	tcase_add_test(tcase, operations_are_apart);
	tcase_add_test(tcase, search_beside_digest);
	tcase_add_test(tcase, operation_state);
	tcase_add_test(tcase, operation_state_cancels);
	tcase_add_test(tcase, operation_state_damaged);
	tcase_add_test(tcase, operation_state_refused);
	tcase_add_test(tcase, operation_state_of_a_key);
	return suite;
}
