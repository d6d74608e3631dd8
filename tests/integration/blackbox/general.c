/* SPDX-License-Identifier: Apache-2.0 */
/* Section 5.4: C_Initialize, C_Finalize, C_GetInfo, C_GetFunctionList. */
#include "blackbox.h"

static unsigned char bytes[256];
static CK_ULONG size = sizeof(bytes);
static CK_OBJECT_HANDLE object = 1;
static CK_ULONG count;
static CK_MECHANISM mechanism = { CKM_SHA256, NULL, 0 };
static CK_ATTRIBUTE attributes[] = { { CKA_LABEL, bytes, 4 } };

#define REFUSED(call) expect(CKR_CRYPTOKI_NOT_INITIALIZED, p11->call)

START_TEST(uninitialized_general)
{
	CK_INFO info;
	CK_SLOT_INFO slot_info;
	CK_TOKEN_INFO token_info;
	CK_MECHANISM_INFO mechanism_info;
	CK_SESSION_INFO session_info;
	CK_SLOT_ID slot;
	CK_SESSION_HANDLE session;

	REFUSED(C_Finalize(NULL));
	REFUSED(C_GetInfo(&info));
	REFUSED(C_GetSlotList(CK_FALSE, NULL, &count));
	REFUSED(C_GetSlotInfo(0, &slot_info));
	REFUSED(C_GetTokenInfo(0, &token_info));
	REFUSED(C_WaitForSlotEvent(CKF_DONT_BLOCK, &slot, NULL));
	REFUSED(C_GetMechanismList(0, NULL, &count));
	REFUSED(C_GetMechanismInfo(0, CKM_SHA256, &mechanism_info));
	REFUSED(C_InitToken(0, bytes, 4, bytes));
	REFUSED(C_InitPIN(1, bytes, 4));
	REFUSED(C_SetPIN(1, bytes, 4, bytes, 4));
	REFUSED(C_OpenSession(0, CKF_SERIAL_SESSION, NULL, NULL, &session));
	REFUSED(C_CloseSession(1));
	REFUSED(C_CloseAllSessions(0));
	REFUSED(C_GetSessionInfo(1, &session_info));
	REFUSED(C_GetOperationState(1, bytes, &size));
	REFUSED(C_SetOperationState(1, bytes, 4, 0, 0));
	REFUSED(C_Login(1, CKU_USER, bytes, 4));
	REFUSED(C_Logout(1));
}
END_TEST

START_TEST(uninitialized_objects)
{
	REFUSED(C_CreateObject(1, attributes, 1, &object));
	REFUSED(C_CopyObject(1, 1, attributes, 1, &object));
	REFUSED(C_DestroyObject(1, 1));
	REFUSED(C_GetObjectSize(1, 1, &size));
	REFUSED(C_GetAttributeValue(1, 1, attributes, 1));
	REFUSED(C_SetAttributeValue(1, 1, attributes, 1));
	REFUSED(C_FindObjectsInit(1, NULL, 0));
	REFUSED(C_FindObjects(1, &object, 1, &count));
	REFUSED(C_FindObjectsFinal(1));
	REFUSED(C_GenerateKey(1, &mechanism, attributes, 1, &object));
	REFUSED(C_GenerateKeyPair(1, &mechanism, attributes, 1, attributes, 1, &object, &object));
	REFUSED(C_WrapKey(1, &mechanism, 1, 2, bytes, &size));
	REFUSED(C_UnwrapKey(1, &mechanism, 1, bytes, 4, attributes, 1, &object));
	REFUSED(C_DeriveKey(1, &mechanism, 1, attributes, 1, &object));
	REFUSED(C_SeedRandom(1, bytes, 4));
	REFUSED(C_GenerateRandom(1, bytes, 4));
}
END_TEST

START_TEST(uninitialized_encrypt_sign)
{
	REFUSED(C_EncryptInit(1, &mechanism, 1));
	REFUSED(C_Encrypt(1, bytes, 4, bytes, &size));
	REFUSED(C_EncryptUpdate(1, bytes, 4, bytes, &size));
	REFUSED(C_EncryptFinal(1, bytes, &size));
	REFUSED(C_DecryptInit(1, &mechanism, 1));
	REFUSED(C_Decrypt(1, bytes, 4, bytes, &size));
	REFUSED(C_DecryptUpdate(1, bytes, 4, bytes, &size));
	REFUSED(C_DecryptFinal(1, bytes, &size));
	REFUSED(C_DigestInit(1, &mechanism));
	REFUSED(C_Digest(1, bytes, 4, bytes, &size));
	REFUSED(C_DigestUpdate(1, bytes, 4));
	REFUSED(C_DigestKey(1, 1));
	REFUSED(C_DigestFinal(1, bytes, &size));
	REFUSED(C_SignInit(1, &mechanism, 1));
	REFUSED(C_Sign(1, bytes, 4, bytes, &size));
	REFUSED(C_SignUpdate(1, bytes, 4));
	REFUSED(C_SignFinal(1, bytes, &size));
	REFUSED(C_SignRecoverInit(1, &mechanism, 1));
	REFUSED(C_SignRecover(1, bytes, 4, bytes, &size));
	REFUSED(C_VerifyInit(1, &mechanism, 1));
	REFUSED(C_Verify(1, bytes, 4, bytes, 4));
	REFUSED(C_VerifyUpdate(1, bytes, 4));
	REFUSED(C_VerifyFinal(1, bytes, 4));
	REFUSED(C_VerifyRecoverInit(1, &mechanism, 1));
	REFUSED(C_VerifyRecover(1, bytes, 4, bytes, &size));
	REFUSED(C_DigestEncryptUpdate(1, bytes, 4, bytes, &size));
	REFUSED(C_DecryptDigestUpdate(1, bytes, 4, bytes, &size));
	REFUSED(C_SignEncryptUpdate(1, bytes, 4, bytes, &size));
	REFUSED(C_DecryptVerifyUpdate(1, bytes, 4, bytes, &size));
	REFUSED(C_GetFunctionStatus(1));
	REFUSED(C_CancelFunction(1));
}
END_TEST

/* Before anything else is looked at: pointers, slots, sessions. */
START_TEST(uninitialized_comes_first)
{
	REFUSED(C_Finalize(bytes));
	REFUSED(C_GetInfo(NULL));
	REFUSED(C_GetSlotList(CK_FALSE, NULL, NULL));
	REFUSED(C_GetSlotInfo(99, NULL));
	REFUSED(C_GetTokenInfo(99, NULL));
	REFUSED(C_WaitForSlotEvent(CKF_DONT_BLOCK, NULL, bytes));
	REFUSED(C_GetMechanismList(99, NULL, NULL));
	REFUSED(C_GetMechanismInfo(99, CKM_SHA256, NULL));
	REFUSED(C_InitToken(99, NULL, 4, NULL));
	REFUSED(C_InitPIN(1, NULL, 4));
	REFUSED(C_SetPIN(1, NULL, 4, NULL, 4));
	REFUSED(C_OpenSession(99, 0, NULL, NULL, NULL));
	REFUSED(C_GetSessionInfo(1, NULL));
	REFUSED(C_GetOperationState(1, NULL, NULL));
	REFUSED(C_SetOperationState(1, NULL, 4, 0, 0));
	REFUSED(C_Login(1, CKU_USER, NULL, 4));
	REFUSED(C_CreateObject(1, NULL, 1, NULL));
	REFUSED(C_CopyObject(1, 1, NULL, 1, NULL));
	REFUSED(C_GetObjectSize(1, 1, NULL));
	REFUSED(C_GetAttributeValue(1, 1, NULL, 1));
	REFUSED(C_SetAttributeValue(1, 1, NULL, 1));
	REFUSED(C_FindObjectsInit(1, NULL, 1));
	REFUSED(C_FindObjects(1, NULL, 1, NULL));
	REFUSED(C_EncryptInit(1, NULL, 1));
	REFUSED(C_Encrypt(1, NULL, 4, NULL, NULL));
	REFUSED(C_DigestInit(1, NULL));
	REFUSED(C_Digest(1, NULL, 4, NULL, NULL));
	REFUSED(C_SignInit(1, NULL, 1));
	REFUSED(C_Sign(1, NULL, 4, NULL, NULL));
	REFUSED(C_GenerateKey(1, NULL, NULL, 1, NULL));
	REFUSED(C_GenerateKeyPair(1, NULL, NULL, 1, NULL, 1, NULL, NULL));
	REFUSED(C_WrapKey(1, NULL, 1, 2, NULL, NULL));
	REFUSED(C_UnwrapKey(1, NULL, 1, NULL, 4, NULL, 1, NULL));
	REFUSED(C_DeriveKey(1, NULL, 1, NULL, 1, NULL));
	REFUSED(C_SeedRandom(1, NULL, 4));
	REFUSED(C_GenerateRandom(1, NULL, 4));
}
END_TEST

START_TEST(function_list)
{
	CK_FUNCTION_LIST *list = NULL;
	void *const *entries;
	size_t total = (sizeof(*list) - offsetof(CK_FUNCTION_LIST, C_Initialize)) / sizeof(void *);

	expect(CKR_OK, p11->C_GetFunctionList(&list));
	ck_assert_ptr_eq(list, p11);
	ck_assert_uint_eq(list->version.major, 2);
	ck_assert_uint_eq(list->version.minor, 40);
	entries = (void *const *)(void *)((char *)list + offsetof(CK_FUNCTION_LIST, C_Initialize));
	for (size_t i = 0; i < total; i++)
		ck_assert_msg(entries[i] != NULL, "entry %zu of the function list is NULL", i);
	expect(CKR_ARGUMENTS_BAD, p11->C_GetFunctionList(NULL));
}
END_TEST

static CK_RV
mutex_any(void *mutex)
{
	(void)mutex;
	return CKR_OK;
}

static CK_RV
mutex_create(void **ret_mutex)
{
	static int made;

	*ret_mutex = &made;
	return CKR_OK;
}

START_TEST(initialize_null)
{
	expect(CKR_OK, p11->C_Initialize(NULL));
	expect(CKR_CRYPTOKI_ALREADY_INITIALIZED, p11->C_Initialize(NULL));
	expect(CKR_OK, p11->C_Finalize(NULL));
}
END_TEST

START_TEST(initialize_reserved)
{
	CK_C_INITIALIZE_ARGS arguments = { .flags = CKF_OS_LOCKING_OK, .pReserved = bytes };
	CK_INFO info;

	expect(CKR_ARGUMENTS_BAD, p11->C_Initialize(&arguments));
	expect(CKR_CRYPTOKI_NOT_INITIALIZED, p11->C_GetInfo(&info));
}
END_TEST

/* All four callbacks or none. _i leaves out each combination but those two. */
START_TEST(initialize_some_callbacks)
{
	CK_C_INITIALIZE_ARGS arguments = { 0 };

	if (_i & 1)
		arguments.CreateMutex = mutex_create;
	if (_i & 2)
		arguments.DestroyMutex = mutex_any;
	if (_i & 4)
		arguments.LockMutex = mutex_any;
	if (_i & 8)
		arguments.UnlockMutex = mutex_any;
	expect(CKR_ARGUMENTS_BAD, p11->C_Initialize(&arguments));
	arguments.flags = CKF_OS_LOCKING_OK;
	expect(CKR_ARGUMENTS_BAD, p11->C_Initialize(&arguments));
}
END_TEST

static CK_RV
initialize_with(bool callbacks, CK_FLAGS flags)
{
	CK_C_INITIALIZE_ARGS arguments = { .flags = flags };

	if (callbacks) {
		arguments.CreateMutex = mutex_create;
		arguments.DestroyMutex = mutex_any;
		arguments.LockMutex = mutex_any;
		arguments.UnlockMutex = mutex_any;
	}
	return p11->C_Initialize(&arguments);
}

/* The four ways of section 5.4, and the flag about threads in each. */
START_TEST(initialize_locking)
{
	CK_FLAGS threads = _i ? CKF_LIBRARY_CANT_CREATE_OS_THREADS : 0;

	expect(CKR_OK, initialize_with(false, threads));
	expect(CKR_OK, p11->C_Finalize(NULL));
	expect(CKR_OK, initialize_with(false, threads | CKF_OS_LOCKING_OK));
	expect(CKR_OK, p11->C_Finalize(NULL));
	expect(CKR_OK, initialize_with(true, threads | CKF_OS_LOCKING_OK));
	expect(CKR_OK, p11->C_Finalize(NULL));
	/* Only the application's own mutexes: whoever locks with others must say so. */
	expect(CKR_CANT_LOCK, initialize_with(true, threads));
}
END_TEST

START_TEST(finalize)
{
	expect(CKR_OK, p11->C_Initialize(NULL));
	expect(CKR_ARGUMENTS_BAD, p11->C_Finalize(bytes));
	expect(CKR_OK, p11->C_Finalize(NULL));
	expect(CKR_CRYPTOKI_NOT_INITIALIZED, p11->C_Finalize(NULL));
}
END_TEST

/* Finalising ends sessions and logins; what was open is not there after a new start. */
START_TEST(finalize_ends_sessions)
{
	CK_SESSION_INFO info;
	CK_SESSION_HANDLE before, after;

	start();
	before = session_user(0);
	stop();
	expect(CKR_CRYPTOKI_NOT_INITIALIZED, p11->C_GetSessionInfo(before, &info));
	start();
	expect(CKR_SESSION_HANDLE_INVALID, p11->C_GetSessionInfo(before, &info));
	after = session_public(0);
	expect(CKR_OK, p11->C_GetSessionInfo(after, &info));
	if (login_required())
		ck_assert_uint_eq(info.state, CKS_RO_PUBLIC_SESSION);
	stop();
}
END_TEST

START_TEST(initialize_many_times)
{
	for (int i = 0; i < 20; i++) {
		start();
		(void)session_public(0);
		stop();
	}
}
END_TEST

/* Padded with blanks and not terminated (section 3.1). */
static void
check_padded(const unsigned char *text, size_t length)
{
	ck_assert_ptr_null(memchr(text, 0, length));
}

START_TEST(get_info)
{
	CK_INFO info;

	expect(CKR_OK, p11->C_GetInfo(&info));
	ck_assert(info.cryptokiVersion.major == 3 ||
	          (info.cryptokiVersion.major == 2 && info.cryptokiVersion.minor == 40));
	check_padded(info.manufacturerID, sizeof(info.manufacturerID));
	check_padded(info.libraryDescription, sizeof(info.libraryDescription));
	ck_assert_uint_eq(info.flags, 0);
	expect(CKR_ARGUMENTS_BAD, p11->C_GetInfo(NULL));
}
END_TEST

Suite *
general_suite(void)
{
	Suite *suite = suite_create("general");
	TCase *tcase = tcase_create("not started");

	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, uninitialized_general);
	tcase_add_test(tcase, uninitialized_objects);
	tcase_add_test(tcase, uninitialized_encrypt_sign);
	tcase_add_test(tcase, uninitialized_comes_first);
	tcase_add_test(tcase, function_list);
	tcase_add_test(tcase, initialize_null);
	tcase_add_test(tcase, initialize_reserved);
	tcase_add_loop_test(tcase, initialize_some_callbacks, 1, 15);
	tcase_add_loop_test(tcase, initialize_locking, 0, 2);
	tcase_add_test(tcase, finalize);
	tcase_add_test(tcase, finalize_ends_sessions);
	tcase_add_test(tcase, initialize_many_times);
	suite_add_tcase(suite, tcase);

	tcase = started_case(suite, "started");
	tcase_add_test(tcase, get_info);
	return suite;
}
