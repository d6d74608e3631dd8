/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A token that says of itself that it can't be written (CKF_WRITE_PROTECTED, section 3.2): it
 * has a data object on it, for the tests to try. Nothing is asked here of any other token.
 */
#include "blackbox.h"

static CK_BBOOL yes = CK_TRUE, no = CK_FALSE;
static CK_OBJECT_CLASS data = CKO_DATA;

#define IS(type, variable) ATTRIBUTE(type, &(variable), sizeof(variable))

START_TEST(data_objects)
{
	CK_SESSION_HANDLE session = session_public(CKF_RW_SESSION);
	CK_ATTRIBUTE template[] = { IS(CKA_CLASS, data), IS(CKA_TOKEN, no), IS(CKA_PRIVATE, no) };
	CK_ATTRIBUTE label = ATTRIBUTE(CKA_LABEL, "x", 1), on_token = IS(CKA_TOKEN, yes);
	CK_OBJECT_HANDLE passing, stored, other;

	if (!(token_flags & CKF_WRITE_PROTECTED))
		return;
	expect(CKR_OK, p11->C_CreateObject(session, template, COUNT(template), &passing));
	template[1] = on_token;
	ck_assert_uint_eq(find_all(session, template, 2, &stored, 1), 1);
	expect(CKR_TOKEN_WRITE_PROTECTED,
	       p11->C_CreateObject(session, template, COUNT(template), &other));
	expect(CKR_TOKEN_WRITE_PROTECTED, p11->C_CopyObject(session, passing, &on_token, 1, &other));
	expect(CKR_TOKEN_WRITE_PROTECTED, p11->C_CopyObject(session, stored, &label, 1, &other));
	expect(CKR_TOKEN_WRITE_PROTECTED, p11->C_SetAttributeValue(session, stored, &label, 1));
	expect(CKR_TOKEN_WRITE_PROTECTED, p11->C_DestroyObject(session, stored));
	ck_assert_uint_eq(find_all(session, template, 2, &stored, 1), 1);
}
END_TEST

/* A token that has nobody to log in to. */
START_TEST(pins)
{
	CK_SESSION_HANDLE session = session_public(CKF_RW_SESSION);
	CK_UTF8CHAR pin[] = "1234";

	if (!(token_flags & CKF_WRITE_PROTECTED) || (token_flags & CKF_USER_PIN_INITIALIZED))
		return;
	expect(CKR_USER_PIN_NOT_INITIALIZED, p11->C_Login(session, CKU_USER, pin, 4));
	expect(CKR_TOKEN_WRITE_PROTECTED, p11->C_SetPIN(session, pin, 4, pin, 4));
}
END_TEST

Suite *
write_protected_suite(void)
{
	Suite *suite = suite_create("write-protected");
	TCase *tcase = started_case(suite, "started");

	tcase_add_test(tcase, data_objects);
	tcase_add_test(tcase, pins);
	return suite;
}
