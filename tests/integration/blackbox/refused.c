/* SPDX-License-Identifier: Apache-2.0 */
/* What is refused in the middle: after a logout, and for data that a mechanism can't take. */
#include "blackbox.h"
#include "pair.h"

static unsigned char data[512], result[512];
static CK_ULONG size;
static CK_MECHANISM sha256_rsa = { CKM_SHA256_RSA_PKCS, NULL, 0 };
static CK_MECHANISM pkcs1 = { CKM_RSA_PKCS, NULL, 0 }, raw = { CKM_RSA_X_509, NULL, 0 };
static CK_RSA_PKCS_OAEP_PARAMS oaep = { CKM_SHA_1, CKG_MGF1_SHA1, CKZ_DATA_SPECIFIED, NULL, 0 };
static CK_MECHANISM oaep_mechanism = { CKM_RSA_PKCS_OAEP, &oaep, sizeof(oaep) };

static bool
has_private_rsa(void)
{
	return pair_offered(PAIR_RSA) && login_required();
}

static void
log_out(CK_SESSION_HANDLE session)
{
	expect(CKR_OK, p11->C_Logout(session));
	size = sizeof(result);
}

START_TEST(init_after_logout)
{
	CK_SESSION_HANDLE session = session_user(0);
	CK_OBJECT_HANDLE key;

	if (!has_private_rsa())
		return;
	key = pair_private(session, PAIR_RSA);
	log_out(session);
	expect(CKR_USER_NOT_LOGGED_IN, p11->C_SignInit(session, &sha256_rsa, key));
	expect(CKR_USER_NOT_LOGGED_IN, p11->C_DecryptInit(session, &oaep_mechanism, key));
	if (p11_3)
		expect(CKR_USER_NOT_LOGGED_IN, p11_3->C_MessageSignInit(session, &sha256_rsa, key));
}
END_TEST

/* What has begun does not go on without the login. */
START_TEST(sign_after_logout)
{
	CK_SESSION_HANDLE session = session_user(0);

	if (!has_private_rsa())
		return;
	expect(CKR_OK, p11->C_SignInit(session, &sha256_rsa, pair_private(session, PAIR_RSA)));
	log_out(session);
	expect(CKR_USER_NOT_LOGGED_IN, p11->C_Sign(session, data, 3, result, &size));
	login(session);
	expect(CKR_OK, p11->C_SignInit(session, &sha256_rsa, pair_private(session, PAIR_RSA)));
	expect(CKR_OK, p11->C_SignUpdate(session, data, 3));
	log_out(session);
	expect(CKR_USER_NOT_LOGGED_IN, p11->C_SignFinal(session, result, &size));
}
END_TEST

START_TEST(decrypt_after_logout)
{
	CK_SESSION_HANDLE session = session_user(0);

	if (!has_private_rsa())
		return;
	size = sizeof(data);
	expect(CKR_OK, p11->C_EncryptInit(session, &oaep_mechanism, pair_public(session, PAIR_RSA)));
	expect(CKR_OK, p11->C_Encrypt(session, data, 3, data, &size));
	expect(CKR_OK, p11->C_DecryptInit(session, &oaep_mechanism, pair_private(session, PAIR_RSA)));
	log_out(session);
	expect(CKR_USER_NOT_LOGGED_IN,
	       p11->C_Decrypt(session, data, pair_bits(PAIR_RSA) / 8, result, &size));
}
END_TEST

START_TEST(messages_after_logout)
{
	CK_SESSION_HANDLE session = session_user(0);

	if (!has_private_rsa() || !p11_3)
		return;
	size = sizeof(result);
	expect(CKR_OK, p11_3->C_MessageSignInit(session, &sha256_rsa, pair_private(session, PAIR_RSA)));
	expect(CKR_OK, p11_3->C_SignMessage(session, NULL, 0, data, 3, result, &size));
	expect(CKR_OK, p11_3->C_SignMessageBegin(session, NULL, 0));
	log_out(session);
	expect(CKR_USER_NOT_LOGGED_IN,
	       p11_3->C_SignMessageNext(session, NULL, 0, data, 3, result, &size));
	expect(CKR_USER_NOT_LOGGED_IN, p11_3->C_SignMessageBegin(session, NULL, 0));
	expect(CKR_OK, p11_3->C_MessageSignFinal(session));
}
END_TEST

START_TEST(data_too_long)
{
	CK_SESSION_HANDLE session = session_user(0);

	if (!pair_offered(PAIR_RSA) || !mechanism_offers(CKM_RSA_PKCS, CKF_SIGN))
		return;
	size = sizeof(result);
	expect(CKR_OK, p11->C_SignInit(session, &pkcs1, pair_private(session, PAIR_RSA)));
	expect(CKR_DATA_LEN_RANGE, p11->C_Sign(session, data, sizeof(data), result, &size));
	expect(CKR_OK, p11->C_VerifyInit(session, &pkcs1, pair_public(session, PAIR_RSA)));
	expect(CKR_DATA_LEN_RANGE,
	       p11->C_Verify(session, data, sizeof(data), result, pair_bits(PAIR_RSA) / 8));
	/* A number that is not below the modulus. */
	if (!mechanism_offers(CKM_RSA_X_509, CKF_ENCRYPT))
		return;
	memset(data, 0xff, sizeof(data));
	expect(CKR_OK, p11->C_EncryptInit(session, &raw, pair_public(session, PAIR_RSA)));
	expect(CKR_DATA_INVALID, p11->C_Encrypt(session, data, pair_bits(PAIR_RSA) / 8, result, &size));
	/* An attribute without the bytes it claims. */
	{
		CK_ATTRIBUTE none = ATTRIBUTE(CKA_LABEL, NULL, 3);

		expect(CKR_ATTRIBUTE_VALUE_INVALID, p11->C_FindObjectsInit(session, &none, 1));
	}
}
END_TEST

Suite *
refused_suite(void)
{
	Suite *suite = suite_create("refused");
	TCase *tcase = started_case(suite, "started");

	tcase_add_test(tcase, init_after_logout);
	tcase_add_test(tcase, sign_after_logout);
	tcase_add_test(tcase, decrypt_after_logout);
	tcase_add_test(tcase, messages_after_logout);
	tcase_add_test(tcase, data_too_long);
	return suite;
}
