/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Functions that a module may do without: they answer CKR_FUNCTION_NOT_SUPPORTED (section
 * 5.1.5), or what they must if they are there; never a crash, whatever they are passed.
 */
#include "blackbox.h"
#include "pair.h"

static unsigned char bytes[512];
static CK_ULONG size;
static CK_OBJECT_HANDLE object;
static CK_MECHANISM nothing = { CKM_VENDOR_DEFINED | 0x7777, NULL, 0 };
static CK_ATTRIBUTE label = ATTRIBUTE(CKA_LABEL, "x", 1);

START_TEST(dual)
{
	CK_SESSION_HANDLE session = session_user(0);

	size = sizeof(bytes);
	expect_any(p11->C_DigestEncryptUpdate(session, bytes, 1, bytes, &size),
	           CKR_FUNCTION_NOT_SUPPORTED, CKR_OPERATION_NOT_INITIALIZED);
	expect_any(p11->C_DecryptDigestUpdate(session, bytes, 1, bytes, &size),
	           CKR_FUNCTION_NOT_SUPPORTED, CKR_OPERATION_NOT_INITIALIZED);
	expect_any(p11->C_SignEncryptUpdate(session, bytes, 1, bytes, &size),
	           CKR_FUNCTION_NOT_SUPPORTED, CKR_OPERATION_NOT_INITIALIZED);
	expect_any(p11->C_DecryptVerifyUpdate(session, bytes, 1, bytes, &size),
	           CKR_FUNCTION_NOT_SUPPORTED, CKR_OPERATION_NOT_INITIALIZED);
}
END_TEST

START_TEST(parallel)
{
	CK_SESSION_HANDLE session = session_user(0);

	expect(CKR_FUNCTION_NOT_PARALLEL, p11->C_GetFunctionStatus(session));
	expect(CKR_FUNCTION_NOT_PARALLEL, p11->C_CancelFunction(session));
	expect(CKR_SESSION_HANDLE_INVALID, p11->C_GetFunctionStatus(session + 1000));
	expect(CKR_SESSION_HANDLE_INVALID, p11->C_CancelFunction(session + 1000));
}
END_TEST

START_TEST(secret_keys)
{
	CK_SESSION_HANDLE session = session_user(0);

	size = sizeof(bytes);
	expect_any(p11->C_GenerateKey(session, &nothing, &label, 1, &object),
	           CKR_FUNCTION_NOT_SUPPORTED, CKR_MECHANISM_INVALID);
	expect_any(p11->C_WrapKey(session, &nothing, 1, 2, bytes, &size),
	           CKR_FUNCTION_NOT_SUPPORTED, CKR_MECHANISM_INVALID,
	           CKR_WRAPPING_KEY_HANDLE_INVALID, CKR_KEY_HANDLE_INVALID,
	           CKR_OBJECT_HANDLE_INVALID);
	expect_any(p11->C_UnwrapKey(session, &nothing, 1, bytes, 8, &label, 1, &object),
	           CKR_FUNCTION_NOT_SUPPORTED, CKR_MECHANISM_INVALID,
	           CKR_UNWRAPPING_KEY_HANDLE_INVALID, CKR_KEY_HANDLE_INVALID,
	           CKR_OBJECT_HANDLE_INVALID);
	expect_any(p11->C_DeriveKey(session, &nothing, 1, &label, 1, &object),
	           CKR_FUNCTION_NOT_SUPPORTED, CKR_MECHANISM_INVALID, CKR_KEY_HANDLE_INVALID,
	           CKR_OBJECT_HANDLE_INVALID);
	expect_any(p11->C_DigestKey(session, 1), CKR_FUNCTION_NOT_SUPPORTED,
	           CKR_OPERATION_NOT_INITIALIZED);
}
END_TEST

/* Not supported means not offered either: no flag without its function. */
START_TEST(flags_agree)
{
	static const CK_FLAGS unsupported[] = { CKF_SIGN_RECOVER, CKF_VERIFY_RECOVER, CKF_GENERATE,
		                                CKF_WRAP, CKF_UNWRAP, CKF_DERIVE };
	CK_SESSION_HANDLE session = session_user(0);
	CK_MECHANISM_TYPE types[512];
	CK_ULONG count = COUNT(types);
	CK_RV rv[COUNT(unsupported)];

	size = sizeof(bytes);
	rv[0] = p11->C_SignRecoverInit(session, &nothing, 1);
	rv[1] = p11->C_VerifyRecoverInit(session, &nothing, 1);
	rv[2] = p11->C_GenerateKey(session, &nothing, &label, 1, &object);
	rv[3] = p11->C_WrapKey(session, &nothing, 1, 2, bytes, &size);
	rv[4] = p11->C_UnwrapKey(session, &nothing, 1, bytes, 8, &label, 1, &object);
	rv[5] = p11->C_DeriveKey(session, &nothing, 1, &label, 1, &object);
	expect(CKR_OK, p11->C_GetMechanismList(token_slot, types, &count));
	for (CK_ULONG i = 0; i < count; i++)
		for (size_t j = 0; j < COUNT(unsupported); j++)
			ck_assert_msg(rv[j] != CKR_FUNCTION_NOT_SUPPORTED ||
			                      !mechanism_offers(types[i], unsupported[j]),
			              "mechanism 0x%lx is offered for 0x%lx, which is not there",
			              types[i], unsupported[j]);
}
END_TEST

/* Pointers that can't be right, to functions that are there or not. */
START_TEST(null_pointers)
{
	CK_SESSION_HANDLE session = session_user(0);

	(void)p11->C_SignRecoverInit(session, NULL, 0);
	(void)p11->C_SignRecover(session, NULL, 8, NULL, NULL);
	(void)p11->C_VerifyRecoverInit(session, NULL, 0);
	(void)p11->C_VerifyRecover(session, NULL, 8, NULL, NULL);
	(void)p11->C_DigestEncryptUpdate(session, NULL, 8, NULL, NULL);
	(void)p11->C_DecryptDigestUpdate(session, NULL, 8, NULL, NULL);
	(void)p11->C_SignEncryptUpdate(session, NULL, 8, NULL, NULL);
	(void)p11->C_DecryptVerifyUpdate(session, NULL, 8, NULL, NULL);
	(void)p11->C_GenerateKey(session, NULL, NULL, 8, NULL);
	(void)p11->C_WrapKey(session, NULL, 0, 0, NULL, NULL);
	(void)p11->C_UnwrapKey(session, NULL, 0, NULL, 8, NULL, 8, NULL);
	(void)p11->C_DeriveKey(session, NULL, 0, NULL, 8, NULL);
	(void)p11->C_GetOperationState(session, NULL, NULL);
	(void)p11->C_SetOperationState(session, NULL, 8, 0, 0);
	(void)p11->C_CopyObject(session, 0, NULL, 8, NULL);
	(void)p11->C_SetPIN(session, NULL, 8, NULL, 8);
	(void)p11->C_InitPIN(session, NULL, 8);
	(void)p11->C_SeedRandom(session, NULL, 8);
	(void)p11->C_WaitForSlotEvent(CKF_DONT_BLOCK, NULL, NULL);
}
END_TEST

Suite *
not_supported_suite(void)
{
	Suite *suite = suite_create("not-supported");
	TCase *tcase = started_case(suite, "started");

	tcase_add_test(tcase, dual);
	tcase_add_test(tcase, parallel);
	tcase_add_test(tcase, secret_keys);
	tcase_add_test(tcase, flags_agree);
	tcase_add_test(tcase, null_pointers);
	return suite;
}
