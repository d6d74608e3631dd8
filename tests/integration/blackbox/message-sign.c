/* SPDX-License-Identifier: Apache-2.0 */
/* Sections 5.14 and 5.16: messages signed and verified under one key. */
#include "blackbox.h"
#include "pair.h"

static unsigned char text[] = "a message that comes in parts", parameter[8];
static unsigned char signature[1024];
static CK_ULONG size;
static CK_MECHANISM hmac = { CKM_SHA256_HMAC, NULL, 0 };
static CK_MECHANISM ecdsa = { CKM_ECDSA_SHA256, NULL, 0 };
static CK_MECHANISM rsa = { CKM_SHA256_RSA_PKCS, NULL, 0 };
static CK_MECHANISM whole_rsa = { CKM_RSA_PKCS, NULL, 0 };

#define TEXT text, sizeof(text)
#define NOTHING NULL, 0

static bool
has_messages(CK_MECHANISM_TYPE type)
{
	return p11_3 && mechanism_offers(type, CKF_MESSAGE_SIGN) &&
	       mechanism_offers(type, CKF_MESSAGE_VERIFY);
}

static CK_OBJECT_HANDLE
hmac_key(CK_SESSION_HANDLE session)
{
	static unsigned char value[] = "a key for HMAC, of some bytes";
	CK_OBJECT_CLASS class = CKO_SECRET_KEY;
	CK_KEY_TYPE type = CKK_GENERIC_SECRET;
	CK_BBOOL no = CK_FALSE, yes = CK_TRUE;
	CK_ATTRIBUTE template[] = {
		ATTRIBUTE(CKA_CLASS, &class, sizeof(class)),
		ATTRIBUTE(CKA_KEY_TYPE, &type, sizeof(type)),
		ATTRIBUTE(CKA_TOKEN, &no, sizeof(no)),
		ATTRIBUTE(CKA_PRIVATE, &no, sizeof(no)),
		ATTRIBUTE(CKA_SIGN, &yes, sizeof(yes)),
		ATTRIBUTE(CKA_VERIFY, &yes, sizeof(yes)),
		ATTRIBUTE(CKA_VALUE, value, sizeof(value)),
	};
	CK_OBJECT_HANDLE key;

	expect(CKR_OK, p11->C_CreateObject(session, template, COUNT(template), &key));
	return key;
}

static const struct {
	CK_MECHANISM *mechanism;
	enum pair_kind kind; /* PAIR_KINDS: a secret key */
} ways[] = { { &hmac, PAIR_KINDS }, { &ecdsa, PAIR_P256 }, { &rsa, PAIR_RSA } };

static bool
begin(CK_SESSION_HANDLE session, size_t way, CK_OBJECT_HANDLE *ret_public)
{
	CK_OBJECT_HANDLE private;

	if (!has_messages(ways[way].mechanism->mechanism))
		return false;
	if (ways[way].kind == PAIR_KINDS) {
		private = *ret_public = hmac_key(session);
	} else if (pair_offered(ways[way].kind)) {
		private = pair_private(session, ways[way].kind);
		*ret_public = pair_public(session, ways[way].kind);
	} else {
		return false;
	}
	expect(CKR_OK, p11_3->C_MessageSignInit(session, ways[way].mechanism, private));
	expect(CKR_OK, p11_3->C_MessageVerifyInit(session, ways[way].mechanism, *ret_public));
	return true;
}

/* Several under one init; each is what C_Verify takes, too. */
START_TEST(whole_messages)
{
	CK_SESSION_HANDLE session = session_user(0);
	CK_OBJECT_HANDLE public;

	if (!begin(session, (size_t)_i, &public))
		return;
	for (CK_ULONG length = 0; length < 3; length++) {
		size = 3;
		expect(CKR_BUFFER_TOO_SMALL,
		       p11_3->C_SignMessage(session, NOTHING, text, length, signature, &size));
		expect(CKR_OK, p11_3->C_SignMessage(session, NOTHING, text, length, signature, &size));
		expect(CKR_OK, p11_3->C_VerifyMessage(session, NOTHING, text, length, signature, size));
		expect(CKR_SIGNATURE_INVALID,
		       p11_3->C_VerifyMessage(session, NOTHING, text, length + 1, signature, size));
		expect(CKR_SIGNATURE_LEN_RANGE,
		       p11_3->C_VerifyMessage(session, NOTHING, text, length, signature, size - 1));
		expect(CKR_OK, p11->C_VerifyInit(session, ways[_i].mechanism, public));
		expect(CKR_OK, p11->C_Verify(session, text, length, signature, size));
	}
	expect(CKR_OK, p11_3->C_MessageSignFinal(session));
	expect(CKR_OK, p11_3->C_MessageVerifyFinal(session));
	expect(CKR_OPERATION_NOT_INITIALIZED, p11_3->C_MessageSignFinal(session));
	expect(CKR_OPERATION_NOT_INITIALIZED, p11_3->C_MessageVerifyFinal(session));
}
END_TEST

START_TEST(sign_parts)
{
	CK_SESSION_HANDLE session = session_user(0);
	CK_OBJECT_HANDLE public;
	CK_ULONG needed;

	if (!begin(session, (size_t)_i, &public))
		return;
	expect(CKR_OPERATION_NOT_INITIALIZED,
	       p11_3->C_SignMessageNext(session, NOTHING, text, 1, NULL, NULL));
	expect(CKR_OK, p11_3->C_SignMessageBegin(session, NOTHING));
	expect(CKR_OPERATION_ACTIVE, p11_3->C_SignMessageBegin(session, NOTHING));
	size = sizeof(signature);
	expect(CKR_OPERATION_ACTIVE, p11_3->C_SignMessage(session, NOTHING, TEXT, signature, &size));
	expect(CKR_OK, p11_3->C_SignMessageNext(session, NOTHING, text, 10, NULL, NULL));
	/* A query and too little room leave the last part to be given again. */
	expect(CKR_OK, p11_3->C_SignMessageNext(session, NOTHING, text + 10, sizeof(text) - 10, NULL,
	                                        &needed));
	size = needed - 1;
	expect(CKR_BUFFER_TOO_SMALL, p11_3->C_SignMessageNext(session, NOTHING, text + 10,
	                                                      sizeof(text) - 10, signature, &size));
	ck_assert_uint_eq(size, needed);
	expect(CKR_OK, p11_3->C_SignMessageNext(session, NOTHING, text + 10, sizeof(text) - 10,
	                                        signature, &size));
	expect(CKR_OPERATION_NOT_INITIALIZED,
	       p11_3->C_SignMessageNext(session, NOTHING, text, 1, NULL, NULL));
	expect(CKR_OK, p11_3->C_VerifyMessage(session, NOTHING, TEXT, signature, size));
	expect(CKR_OK, p11_3->C_SignMessageBegin(session, NOTHING));
	expect(CKR_OK, p11_3->C_MessageSignFinal(session));
}
END_TEST

START_TEST(verify_parts)
{
	CK_SESSION_HANDLE session = session_user(0);
	CK_OBJECT_HANDLE public;

	if (!begin(session, (size_t)_i, &public))
		return;
	size = sizeof(signature);
	expect(CKR_OK, p11_3->C_SignMessage(session, NOTHING, TEXT, signature, &size));
	expect(CKR_OPERATION_NOT_INITIALIZED,
	       p11_3->C_VerifyMessageNext(session, NOTHING, text, 1, NULL, 0));
	expect(CKR_OK, p11_3->C_VerifyMessageBegin(session, NOTHING));
	expect(CKR_OPERATION_ACTIVE, p11_3->C_VerifyMessageBegin(session, NOTHING));
	expect(CKR_OPERATION_ACTIVE,
	       p11_3->C_VerifyMessage(session, NOTHING, TEXT, signature, size));
	expect(CKR_OK, p11_3->C_VerifyMessageNext(session, NOTHING, text, 10, NULL, 0));
	expect(CKR_OK, p11_3->C_VerifyMessageNext(session, NOTHING, text + 10, sizeof(text) - 10,
	                                          signature, size));
	/* In one part that is the last. */
	expect(CKR_OK, p11_3->C_VerifyMessageBegin(session, NOTHING));
	expect(CKR_OK, p11_3->C_VerifyMessageNext(session, NOTHING, TEXT, signature, size));
	expect(CKR_OK, p11_3->C_VerifyMessageBegin(session, NOTHING));
	expect(CKR_SIGNATURE_LEN_RANGE,
	       p11_3->C_VerifyMessageNext(session, NOTHING, TEXT, signature, size - 1));
	expect(CKR_OK, p11_3->C_VerifyMessageBegin(session, NOTHING));
	expect(CKR_OK, p11_3->C_VerifyMessageNext(session, NOTHING, text, 11, NULL, 0));
	expect(CKR_SIGNATURE_INVALID,
	       p11_3->C_VerifyMessageNext(session, NOTHING, text + 10, sizeof(text) - 10, signature,
	                                  size));
	expect(CKR_OPERATION_NOT_INITIALIZED,
	       p11_3->C_VerifyMessageNext(session, NOTHING, text, 1, NULL, 0));
	expect(CKR_OK, p11_3->C_VerifyMessageBegin(session, NOTHING));
	expect(CKR_OK, p11_3->C_MessageVerifyFinal(session));
}
END_TEST

/* A mechanism that takes its data whole does so in one part that is the last. */
START_TEST(mechanism_without_parts)
{
	CK_SESSION_HANDLE session = session_user(0);

	if (!has_messages(CKM_RSA_PKCS) || !pair_offered(PAIR_RSA))
		return;
	expect(CKR_OK,
	       p11_3->C_MessageSignInit(session, &whole_rsa, pair_private(session, PAIR_RSA)));
	expect(CKR_OK, p11_3->C_SignMessageBegin(session, NOTHING));
	expect(CKR_FUNCTION_NOT_SUPPORTED,
	       p11_3->C_SignMessageNext(session, NOTHING, text, 1, NULL, NULL));
	/* The error has ended the message, not the process. */
	expect(CKR_OK, p11_3->C_SignMessageBegin(session, NOTHING));
	size = sizeof(signature);
	expect(CKR_OK, p11_3->C_SignMessageNext(session, NOTHING, TEXT, signature, &size));
	expect(CKR_DATA_LEN_RANGE,
	       p11_3->C_SignMessage(session, NOTHING, signature, size, signature, &size));
	expect(CKR_OK,
	       p11_3->C_MessageVerifyInit(session, &whole_rsa, pair_public(session, PAIR_RSA)));
	expect(CKR_OK, p11_3->C_VerifyMessage(session, NOTHING, TEXT, signature, size));
}
END_TEST

START_TEST(init_refused)
{
	CK_SESSION_HANDLE session = session_user(0);
	CK_MECHANISM sha256 = { CKM_SHA256, NULL, 0 };
	CK_MECHANISM long_hmac = { CKM_SHA256_HMAC, signature, sizeof(signature) };
	CK_MECHANISM no_hmac = { CKM_SHA256_HMAC_GENERAL, NULL, sizeof(CK_ULONG) };
	CK_OBJECT_HANDLE key;

	if (!has_messages(CKM_SHA256_HMAC))
		return;
	key = hmac_key(session);
	expect(CKR_ARGUMENTS_BAD, p11_3->C_MessageSignInit(session, NULL, key));
	expect(CKR_ARGUMENTS_BAD, p11_3->C_MessageVerifyInit(session, NULL, key));
	expect(CKR_MECHANISM_INVALID, p11_3->C_MessageSignInit(session, &sha256, key));
	expect(CKR_MECHANISM_INVALID, p11_3->C_MessageVerifyInit(session, &sha256, key));
	expect(CKR_MECHANISM_PARAM_INVALID, p11_3->C_MessageSignInit(session, &long_hmac, key));
	expect(CKR_MECHANISM_PARAM_INVALID, p11_3->C_MessageVerifyInit(session, &long_hmac, key));
	expect(CKR_MECHANISM_PARAM_INVALID, p11_3->C_MessageSignInit(session, &no_hmac, key));
	expect(CKR_KEY_HANDLE_INVALID, p11_3->C_MessageSignInit(session, &hmac, key + 1000000));
	expect(CKR_KEY_HANDLE_INVALID, p11_3->C_MessageVerifyInit(session, &hmac, key + 1000000));
	expect(CKR_KEY_TYPE_INCONSISTENT, p11_3->C_MessageSignInit(session, &ecdsa, key));
	expect(CKR_KEY_TYPE_INCONSISTENT, p11_3->C_MessageVerifyInit(session, &ecdsa, key));
	expect(CKR_OK, p11_3->C_MessageSignInit(session, &hmac, key));
	expect(CKR_OK, p11_3->C_MessageVerifyInit(session, &hmac, key));
	expect(CKR_OPERATION_ACTIVE, p11_3->C_MessageSignInit(session, &hmac, key));
	expect(CKR_OPERATION_ACTIVE, p11_3->C_MessageVerifyInit(session, &hmac, key));
	expect(CKR_OK, p11_3->C_MessageSignInit(session, NULL, CK_INVALID_HANDLE));
	expect(CKR_OK, p11_3->C_SessionCancel(session, CKF_MESSAGE_SIGN | CKF_SIGN | CKF_VERIFY));
	expect(CKR_OPERATION_NOT_INITIALIZED, p11_3->C_MessageSignFinal(session));
	expect(CKR_OPERATION_ACTIVE, p11_3->C_MessageVerifyInit(session, &hmac, key));
	expect(CKR_OK, p11_3->C_SessionCancel(session, CKF_MESSAGE_VERIFY));
	expect(CKR_OPERATION_NOT_INITIALIZED, p11_3->C_MessageVerifyFinal(session));
	if (!pair_offered(PAIR_P256))
		return;
	expect(CKR_KEY_FUNCTION_NOT_PERMITTED,
	       p11_3->C_MessageSignInit(session, &ecdsa, pair_public(session, PAIR_P256)));
	expect(CKR_KEY_FUNCTION_NOT_PERMITTED,
	       p11_3->C_MessageVerifyInit(session, &ecdsa, pair_private(session, PAIR_P256)));
}
END_TEST

/* A key that is gone signs no further message. */
START_TEST(key_destroyed)
{
	CK_SESSION_HANDLE session = session_user(0);
	CK_OBJECT_HANDLE key;

	if (!has_messages(CKM_SHA256_HMAC))
		return;
	key = hmac_key(session);
	expect(CKR_OK, p11_3->C_MessageSignInit(session, &hmac, key));
	size = sizeof(signature);
	expect(CKR_OK, p11_3->C_SignMessage(session, NOTHING, TEXT, signature, &size));
	expect(CKR_OK, p11->C_DestroyObject(session, key));
	expect(CKR_KEY_HANDLE_INVALID,
	       p11_3->C_SignMessage(session, NOTHING, TEXT, signature, &size));
	expect(CKR_OK, p11_3->C_MessageSignFinal(session));
}
END_TEST

START_TEST(logged_out)
{
	CK_SESSION_HANDLE session = session_user(0);

	if (!has_messages(CKM_SHA256_RSA_PKCS) || !login_required() || !pair_offered(PAIR_RSA))
		return;
	expect(CKR_OK, p11_3->C_MessageSignInit(session, &rsa, pair_private(session, PAIR_RSA)));
	expect(CKR_OK, p11->C_Logout(session));
	size = sizeof(signature);
	expect(CKR_USER_NOT_LOGGED_IN,
	       p11_3->C_SignMessage(session, NOTHING, TEXT, signature, &size));
}
END_TEST

START_TEST(arguments)
{
	CK_SESSION_HANDLE session = session_user(0);
	CK_OBJECT_HANDLE public;

	if (!begin(session, 0, &public))
		return;
	size = sizeof(signature);
	expect(CKR_ARGUMENTS_BAD, p11_3->C_SignMessage(session, NOTHING, TEXT, signature, NULL));
	expect(CKR_ARGUMENTS_BAD,
	       p11_3->C_SignMessage(session, NOTHING, NULL, 1, signature, &size));
	expect(CKR_ARGUMENTS_BAD, p11_3->C_SignMessage(session, NULL, 1, TEXT, signature, &size));
	expect(CKR_MECHANISM_PARAM_INVALID,
	       p11_3->C_SignMessage(session, parameter, 8, TEXT, signature, &size));
	expect(CKR_ARGUMENTS_BAD, p11_3->C_SignMessageBegin(session, NULL, 1));
	expect(CKR_MECHANISM_PARAM_INVALID, p11_3->C_SignMessageBegin(session, parameter, 8));
	expect(CKR_ARGUMENTS_BAD, p11_3->C_VerifyMessage(session, NOTHING, TEXT, NULL, 1));
	expect(CKR_ARGUMENTS_BAD, p11_3->C_VerifyMessage(session, NOTHING, NULL, 1, signature, 32));
	expect(CKR_MECHANISM_PARAM_INVALID,
	       p11_3->C_VerifyMessage(session, parameter, 8, TEXT, signature, 32));
	expect(CKR_ARGUMENTS_BAD, p11_3->C_VerifyMessageBegin(session, NULL, 1));
	expect(CKR_MECHANISM_PARAM_INVALID, p11_3->C_VerifyMessageBegin(session, parameter, 8));
	expect(CKR_OK, p11_3->C_SignMessageBegin(session, NOTHING));
	/* It ends the message, but not the process. */
	expect(CKR_ARGUMENTS_BAD,
	       p11_3->C_SignMessageNext(session, NOTHING, NULL, 1, signature, &size));
	expect(CKR_OK, p11_3->C_SignMessageBegin(session, NOTHING));
	expect(CKR_MECHANISM_PARAM_INVALID,
	       p11_3->C_SignMessageNext(session, parameter, 8, TEXT, signature, &size));
	expect(CKR_OK, p11_3->C_VerifyMessageBegin(session, NOTHING));
	expect(CKR_ARGUMENTS_BAD,
	       p11_3->C_VerifyMessageNext(session, NOTHING, NULL, 1, signature, 32));
	expect(CKR_OK, p11_3->C_VerifyMessageBegin(session, NOTHING));
	expect(CKR_MECHANISM_PARAM_INVALID,
	       p11_3->C_VerifyMessageNext(session, parameter, 8, TEXT, signature, 32));
}
END_TEST

/* Without an init; in no session; in no module. */
START_TEST(nothing_begun)
{
	CK_SESSION_HANDLE session = session_public(0);
	CK_RV rv = CKR_OPERATION_NOT_INITIALIZED;

	if (!has_messages(CKM_SHA256_HMAC))
		return;
	size = sizeof(signature);
	for (int i = 0; i < 3; i++) {
		expect(rv, p11_3->C_SignMessage(session, NOTHING, TEXT, signature, &size));
		expect(rv, p11_3->C_SignMessageBegin(session, NOTHING));
		expect(rv, p11_3->C_SignMessageNext(session, NOTHING, TEXT, signature, &size));
		expect(rv, p11_3->C_MessageSignFinal(session));
		expect(rv, p11_3->C_VerifyMessage(session, NOTHING, TEXT, signature, 32));
		expect(rv, p11_3->C_VerifyMessageBegin(session, NOTHING));
		expect(rv, p11_3->C_VerifyMessageNext(session, NOTHING, TEXT, signature, 32));
		expect(rv, p11_3->C_MessageVerifyFinal(session));
		if (rv != CKR_OPERATION_NOT_INITIALIZED) {
			expect(rv, p11_3->C_MessageSignInit(session, &hmac, 1));
			expect(rv, p11_3->C_MessageVerifyInit(session, &hmac, 1));
		}
		if (i == 0) {
			session += 1000;
			rv = CKR_SESSION_HANDLE_INVALID;
		} else if (i == 1) {
			stop();
			rv = CKR_CRYPTOKI_NOT_INITIALIZED;
		}
	}
	start();
	/*
	 * shows C_SignMessage, C_SignMessageBegin, C_SignMessageNext, C_MessageSignFinal,
	 * C_VerifyMessage, C_VerifyMessageBegin, C_VerifyMessageNext, C_MessageVerifyFinal:
	 * CKR_OPERATION_NOT_INITIALIZED, CKR_SESSION_HANDLE_INVALID, CKR_CRYPTOKI_NOT_INITIALIZED
	 * shows C_MessageSignInit, C_MessageVerifyInit: CKR_SESSION_HANDLE_INVALID,
	 * CKR_CRYPTOKI_NOT_INITIALIZED
	 */
}
END_TEST

Suite *
message_sign_suite(void)
{
	Suite *suite = suite_create("message-sign");
	TCase *tcase = started_case(suite, "started");

	tcase_add_loop_test(tcase, whole_messages, 0, COUNT(ways));
	tcase_add_loop_test(tcase, sign_parts, 0, COUNT(ways));
	tcase_add_loop_test(tcase, verify_parts, 0, COUNT(ways));
	tcase_add_test(tcase, mechanism_without_parts);
	tcase_add_test(tcase, init_refused);
	tcase_add_test(tcase, key_destroyed);
	tcase_add_test(tcase, logged_out);
	tcase_add_test(tcase, arguments);
	tcase_add_test(tcase, nothing_begun);
	return suite;
}
