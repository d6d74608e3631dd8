/* SPDX-License-Identifier: Apache-2.0 */
/* Section 5.6: C_Login, C_Logout. */
#include "blackbox.h"
#include "pair.h"

static CK_RV
try_login(CK_SESSION_HANDLE session, CK_USER_TYPE user, const char *pin)
{
	return p11->C_Login(session, user, (CK_UTF8CHAR_PTR)pin, strlen(pin));
}

static CK_STATE
state(CK_SESSION_HANDLE session)
{
	CK_SESSION_INFO info;

	expect(CKR_OK, p11->C_GetSessionInfo(session, &info));
	return info.state;
}

START_TEST(right_pin)
{
	CK_SESSION_HANDLE reading = session_public(0), writing = session_public(CKF_RW_SESSION);

	expect(CKR_OK, try_login(reading, CKU_USER, token_pin));
	/* One login for all sessions of the application. */
	ck_assert_uint_eq(state(reading), CKS_RO_USER_FUNCTIONS);
	ck_assert_uint_eq(state(writing), CKS_RW_USER_FUNCTIONS);
	ck_assert_uint_eq(state(session_public(0)), CKS_RO_USER_FUNCTIONS);
	expect(CKR_USER_ALREADY_LOGGED_IN, try_login(reading, CKU_USER, token_pin));
	expect(CKR_USER_ALREADY_LOGGED_IN, try_login(writing, CKU_USER, token_pin));
	expect(CKR_OK, p11->C_Logout(writing));
	if (login_required()) {
		ck_assert_uint_eq(state(reading), CKS_RO_PUBLIC_SESSION);
		ck_assert_uint_eq(state(writing), CKS_RW_PUBLIC_SESSION);
	}
	expect(CKR_OK, try_login(writing, CKU_USER, token_pin));
}
END_TEST

START_TEST(wrong_pin)
{
	CK_SESSION_HANDLE session = session_public(0);

	expect(CKR_PIN_INCORRECT, try_login(session, CKU_USER, "no such PIN"));
	if (login_required())
		ck_assert_uint_eq(state(session), CKS_RO_PUBLIC_SESSION);
	/* A wrong PIN is forgotten: the right one works after it. */
	expect(CKR_OK, try_login(session, CKU_USER, token_pin));
}
END_TEST

START_TEST(wrong_pin_lengths)
{
	CK_SESSION_HANDLE session = session_public(0);
	char longer[64];
	static char longest[5000];

	expect_any(p11->C_Login(session, CKU_USER, (CK_UTF8CHAR_PTR)token_pin, 0),
	           CKR_PIN_INCORRECT, CKR_PIN_LEN_RANGE);
	expect_any(p11->C_Login(session, CKU_USER, (CK_UTF8CHAR_PTR)token_pin,
	                        strlen(token_pin) - 1),
	           CKR_PIN_INCORRECT, CKR_PIN_LEN_RANGE);
	memset(longer, '1', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = 0;
	memcpy(longer, token_pin, strlen(token_pin));
	expect_any(try_login(session, CKU_USER, longer), CKR_PIN_INCORRECT, CKR_PIN_LEN_RANGE);
	memset(longest, '1', sizeof(longest) - 1);
	expect_any(try_login(session, CKU_USER, longest), CKR_PIN_INCORRECT, CKR_PIN_LEN_RANGE);
	expect(CKR_OK, try_login(session, CKU_USER, token_pin));
}
END_TEST

START_TEST(null_pin)
{
	CK_SESSION_HANDLE session = session_public(0);

	/* NULL asks for the token's own PIN pad, which needs one. */
	if (!(token_flags & CKF_PROTECTED_AUTHENTICATION_PATH))
		expect(CKR_ARGUMENTS_BAD, p11->C_Login(session, CKU_USER, NULL, 4));
}
END_TEST

START_TEST(user_types)
{
	CK_SESSION_HANDLE session = session_public(0);

	expect(CKR_USER_TYPE_INVALID, try_login(session, 77, token_pin));
	/* With a read-only session open the officer is refused whatever the PIN. */
	expect(CKR_SESSION_READ_ONLY_EXISTS, try_login(session, CKU_SO, "no such PIN"));
	expect(CKR_OPERATION_NOT_INITIALIZED,
	       try_login(session, CKU_CONTEXT_SPECIFIC, token_pin));
}
END_TEST

START_TEST(user_then_officer)
{
	CK_SESSION_HANDLE session = session_public(CKF_RW_SESSION);

	expect(CKR_OK, try_login(session, CKU_USER, token_pin));
	expect(CKR_USER_ANOTHER_ALREADY_LOGGED_IN, try_login(session, CKU_SO, "no such PIN"));
	ck_assert_uint_eq(state(session), CKS_RW_USER_FUNCTIONS);
}
END_TEST

START_TEST(logout_without_login)
{
	CK_SESSION_HANDLE session = session_public(0);

	expect(CKR_USER_NOT_LOGGED_IN, p11->C_Logout(session));
	expect(CKR_OK, try_login(session, CKU_USER, token_pin));
	expect(CKR_OK, p11->C_Logout(session));
	expect(CKR_USER_NOT_LOGGED_IN, p11->C_Logout(session));
}
END_TEST

/* Private objects are not to be found, and not to be made, without a login (section 4.4). */
START_TEST(private_objects_hidden)
{
	CK_SESSION_HANDLE session = session_public(CKF_RW_SESSION);
	CK_OBJECT_CLASS class = CKO_PRIVATE_KEY;
	CK_ATTRIBUTE sought = ATTRIBUTE(CKA_CLASS, &class, sizeof(class));
	CK_OBJECT_HANDLE public_key, private_key;

	if (!login_required())
		return;
	ck_assert_uint_eq(find_all(session, &sought, 1, &private_key, 1), 0);
	if (pair_offered(PAIR_P256))
		expect(CKR_USER_NOT_LOGGED_IN,
		       pair_generate(session, PAIR_P256, "never made", NULL, 0, &public_key,
		                     &private_key));
	login(session);
	ck_assert_uint_ge(find_all(session, &sought, 1, &private_key, 1), 1);
}
END_TEST

START_TEST(private_handle_after_logout)
{
	CK_SESSION_HANDLE session = session_user(0);
	CK_OBJECT_HANDLE private_key;
	CK_MECHANISM mechanism = { CKM_ECDSA, NULL, 0 };
	unsigned char label[64];
	CK_ATTRIBUTE wanted = ATTRIBUTE(CKA_LABEL, label, sizeof(label));

	if (!login_required() || !pair_offered(PAIR_P256))
		return;
	private_key = pair_private(session, PAIR_P256);
	expect(CKR_OK, p11->C_Logout(session));
	expect_any(p11->C_SignInit(session, &mechanism, private_key), CKR_USER_NOT_LOGGED_IN,
	           CKR_KEY_HANDLE_INVALID, CKR_OBJECT_HANDLE_INVALID);
	expect_any(p11->C_GetAttributeValue(session, private_key, &wanted, 1),
	           CKR_OBJECT_HANDLE_INVALID, CKR_USER_NOT_LOGGED_IN);
}
END_TEST

/* The public half encrypts and verifies for everyone. */
START_TEST(public_objects_without_login)
{
	CK_SESSION_HANDLE session = session_public(0);

	if (pair_offered(PAIR_RSA))
		ck_assert_uint_ne(pair_public(session, PAIR_RSA), CK_INVALID_HANDLE);
}
END_TEST

Suite *
login_suite(void)
{
	Suite *suite = suite_create("login");
	TCase *tcase = started_case(suite, "started");

	tcase_add_test(tcase, right_pin);
	tcase_add_test(tcase, wrong_pin);
	tcase_add_test(tcase, wrong_pin_lengths);
	tcase_add_test(tcase, null_pin);
	tcase_add_test(tcase, user_types);
	tcase_add_test(tcase, user_then_officer);
	tcase_add_test(tcase, logout_without_login);
	tcase_add_test(tcase, private_objects_hidden);
	tcase_add_test(tcase, private_handle_after_logout);
	tcase_add_test(tcase, public_objects_without_login);
	return suite;
}
