/* SPDX-License-Identifier: Apache-2.0 */
/* Keys of a type or a size that a mechanism can't take, and those that one can't see now. */
#include "blackbox.h"
#include "pair.h"

static CK_BBOOL yes = CK_TRUE, no = CK_FALSE;
static unsigned char bytes[512], iv[12];
static CK_ULONG size;
static CK_RSA_PKCS_OAEP_PARAMS sha512 = { CKM_SHA512, CKG_MGF1_SHA512, CKZ_DATA_SPECIFIED, NULL, 0 };
static CK_RSA_PKCS_OAEP_PARAMS sha1 = { CKM_SHA_1, CKG_MGF1_SHA1, CKZ_DATA_SPECIFIED, NULL, 0 };
static CK_MECHANISM oaep512 = { CKM_RSA_PKCS_OAEP, &sha512, sizeof(sha512) };
static CK_MECHANISM oaep = { CKM_RSA_PKCS_OAEP, &sha1, sizeof(sha1) };
static CK_MECHANISM kwp = { CKM_AES_KEY_WRAP_KWP, NULL, 0 }, kw = { CKM_AES_KEY_WRAP, NULL, 0 };
static CK_MECHANISM gcm = { CKM_AES_GCM, NULL, 0 };
static CK_MECHANISM ecdsa = { CKM_ECDSA_SHA256, NULL, 0 };
static CK_MECHANISM rsa = { CKM_SHA256_RSA_PKCS, NULL, 0 };

#define IS(type, variable) ATTRIBUTE(type, &(variable), sizeof(variable))

static bool
has_keys(void)
{
	return mechanism_offers(CKM_AES_KEY_GEN, CKF_GENERATE) && pair_offered(PAIR_RSA);
}

/* A pair of the session, too small for OAEP with SHA-512: it decrypts, or it unwraps. */
static void
small_pair(CK_SESSION_HANDLE session, bool unwraps, CK_OBJECT_HANDLE *ret_public,
           CK_OBJECT_HANDLE *ret_private)
{
	CK_MECHANISM generate = { CKM_RSA_PKCS_KEY_PAIR_GEN, NULL, 0 };
	CK_BBOOL wrap = unwraps, crypt = !unwraps;
	CK_ULONG bits = 1024;
	CK_ATTRIBUTE of_public[] = { IS(CKA_TOKEN, no), IS(CKA_MODULUS_BITS, bits),
		                     ATTRIBUTE(CKA_PUBLIC_EXPONENT, "\x01\x00\x01", 3),
		                     IS(CKA_ENCRYPT, crypt), IS(CKA_WRAP, wrap) };
	CK_ATTRIBUTE of_private[] = { IS(CKA_TOKEN, no), IS(CKA_DECRYPT, crypt), IS(CKA_UNWRAP, wrap) };

	expect(CKR_OK, p11->C_GenerateKeyPair(session, &generate, of_public, COUNT(of_public),
	                                      of_private, COUNT(of_private), ret_public,
	                                      ret_private));
}

/* For everyone to use, and to wrap. */
static CK_OBJECT_HANDLE
secret(CK_SESSION_HANDLE session, CK_KEY_TYPE type, CK_ULONG length, CK_ATTRIBUTE_TYPE verb)
{
	CK_MECHANISM generate = { type == CKK_AES ? CKM_AES_KEY_GEN : CKM_GENERIC_SECRET_KEY_GEN,
		                  NULL, 0 };
	CK_ATTRIBUTE template[] = { IS(CKA_TOKEN, no), IS(CKA_PRIVATE, no), IS(CKA_VALUE_LEN, length),
		                    IS(CKA_EXTRACTABLE, yes), IS(verb, yes) };
	CK_OBJECT_HANDLE key;

	expect(CKR_OK, p11->C_GenerateKey(session, &generate, template, COUNT(template), &key));
	return key;
}

static CK_RV
unwrap(CK_SESSION_HANDLE session, CK_MECHANISM *mechanism, CK_OBJECT_HANDLE with, CK_ULONG length)
{
	CK_OBJECT_CLASS class = CKO_SECRET_KEY;
	CK_KEY_TYPE type = CKK_AES;
	CK_ATTRIBUTE template[] = { IS(CKA_CLASS, class), IS(CKA_KEY_TYPE, type), IS(CKA_TOKEN, no),
		                    IS(CKA_PRIVATE, no) };
	CK_OBJECT_HANDLE key;

	return p11->C_UnwrapKey(session, mechanism, with, bytes, length, template, COUNT(template),
	                        &key);
}

START_TEST(too_small_to_encrypt)
{
	CK_SESSION_HANDLE session = session_user(0);
	CK_OBJECT_HANDLE public, private;

	if (!has_keys())
		return;
	small_pair(session, false, &public, &private);
	expect(CKR_KEY_SIZE_RANGE, p11->C_EncryptInit(session, &oaep512, public));
	expect(CKR_KEY_SIZE_RANGE, p11->C_DecryptInit(session, &oaep512, private));
	expect(CKR_OK, p11->C_EncryptInit(session, &oaep, public));
}
END_TEST

START_TEST(too_small_to_wrap)
{
	CK_SESSION_HANDLE session = session_user(0);
	struct rsa_aes_key_wrap_params parameter = { .ulAESKeyBits = 256, .pOAEPParams = &sha512 };
	CK_MECHANISM rsa_aes = { CKM_RSA_AES_KEY_WRAP, &parameter, sizeof(parameter) };
	CK_OBJECT_HANDLE public, private, aes, odd, wide;

	if (!has_keys())
		return;
	small_pair(session, true, &public, &private);
	aes = secret(session, CKK_AES, 32, CKA_ENCRYPT);
	odd = secret(session, CKK_GENERIC_SECRET, 15, CKA_SIGN);
	wide = secret(session, CKK_GENERIC_SECRET, 200, CKA_SIGN);
	size = sizeof(bytes);
	expect(CKR_WRAPPING_KEY_SIZE_RANGE,
	       p11->C_WrapKey(session, &rsa_aes, public, aes, bytes, &size));
	expect(CKR_WRAPPING_KEY_SIZE_RANGE,
	       p11->C_WrapKey(session, &oaep512, public, aes, bytes, &size));
	expect(CKR_UNWRAPPING_KEY_SIZE_RANGE, unwrap(session, &rsa_aes, private, 200));
	expect(CKR_UNWRAPPING_KEY_SIZE_RANGE, unwrap(session, &oaep512, private, 128));
	expect(CKR_WRAPPED_KEY_LEN_RANGE, unwrap(session, &oaep, private, 127));
	expect(CKR_KEY_SIZE_RANGE, p11->C_WrapKey(session, &oaep, public, wide, bytes, &size));
	expect(CKR_KEY_SIZE_RANGE,
	       p11->C_WrapKey(session, &kw, secret(session, CKK_AES, 16, CKA_WRAP), odd, bytes, &size));
}
END_TEST

START_TEST(wrong_type_to_wrap)
{
	CK_SESSION_HANDLE session = session_user(0);
	CK_OBJECT_HANDLE public, private, aes, wrapping, unwrapping;
	CK_MECHANISM with = { CKM_AES_KEY_WRAP_KWP, iv, 3 };

	if (!has_keys())
		return;
	small_pair(session, true, &public, &private);
	aes = secret(session, CKK_AES, 32, CKA_ENCRYPT);
	wrapping = secret(session, CKK_AES, 32, CKA_WRAP);
	unwrapping = secret(session, CKK_AES, 32, CKA_UNWRAP);
	size = sizeof(bytes);
	expect(CKR_WRAPPING_KEY_TYPE_INCONSISTENT,
	       p11->C_WrapKey(session, &kwp, public, aes, bytes, &size));
	expect(CKR_WRAPPING_KEY_TYPE_INCONSISTENT,
	       p11->C_WrapKey(session, &oaep, wrapping, aes, bytes, &size));
	expect(CKR_UNWRAPPING_KEY_TYPE_INCONSISTENT, unwrap(session, &kwp, private, 40));
	expect(CKR_UNWRAPPING_KEY_TYPE_INCONSISTENT, unwrap(session, &oaep, unwrapping, 128));
	expect(CKR_WRAPPED_KEY_LEN_RANGE, unwrap(session, &kwp, unwrapping, 39));
	expect(CKR_MECHANISM_PARAM_INVALID, unwrap(session, &with, unwrapping, 40));
}
END_TEST

/* What an unwrapping key demands of what it unwraps obeys the rules of templates as well. */
START_TEST(unwrap_template_refused)
{
	CK_SESSION_HANDLE session = session_user(0);
	CK_MECHANISM generate = { CKM_AES_KEY_GEN, NULL, 0 };
	CK_ATTRIBUTE trusted = IS(CKA_TRUSTED, yes);
	CK_ULONG length = 32;
	CK_ATTRIBUTE template[] = { IS(CKA_TOKEN, no), IS(CKA_PRIVATE, no), IS(CKA_VALUE_LEN, length),
		                    IS(CKA_WRAP, yes), IS(CKA_UNWRAP, yes),
		                    ATTRIBUTE(CKA_UNWRAP_TEMPLATE, &trusted, sizeof(trusted)) };
	CK_OBJECT_HANDLE key;

	if (!has_keys())
		return;
	expect(CKR_OK, p11->C_GenerateKey(session, &generate, template, COUNT(template), &key));
	size = sizeof(bytes);
	expect(CKR_OK, p11->C_WrapKey(session, &kwp, key, secret(session, CKK_AES, 32, CKA_ENCRYPT),
	                              bytes, &size));
	expect(CKR_ATTRIBUTE_READ_ONLY, unwrap(session, &kwp, key, size));
}
END_TEST

START_TEST(wrong_type_for_messages)
{
	CK_SESSION_HANDLE session = session_user(0);
	CK_OBJECT_HANDLE generic;

	if (!has_keys() || !p11_3)
		return;
	generic = secret(session, CKK_GENERIC_SECRET, 32, CKA_ENCRYPT);
	expect(CKR_KEY_TYPE_INCONSISTENT, p11_3->C_MessageEncryptInit(session, &gcm, generic));
	generic = secret(session, CKK_GENERIC_SECRET, 32, CKA_DECRYPT);
	expect(CKR_KEY_TYPE_INCONSISTENT, p11_3->C_MessageDecryptInit(session, &gcm, generic));
}
END_TEST

/* Whoever has a handle of a private key, of before the logout, is told of the login first. */
START_TEST(not_seen_without_login)
{
	CK_SESSION_HANDLE session = session_user(0);
	CK_OBJECT_HANDLE key, aes;

	if (!has_keys() || !login_required())
		return;
	key = pair_private(session, PAIR_RSA);
	aes = secret(session, CKK_AES, 32, CKA_ENCRYPT);
	expect(CKR_OK, p11->C_Logout(session));
	size = sizeof(bytes);
	expect(CKR_USER_NOT_LOGGED_IN, p11->C_EncryptInit(session, &oaep, key));
	expect(CKR_USER_NOT_LOGGED_IN, p11->C_VerifyInit(session, &rsa, key));
	expect(CKR_USER_NOT_LOGGED_IN, p11->C_WrapKey(session, &oaep, key, aes, bytes, &size));
	expect(CKR_USER_NOT_LOGGED_IN, unwrap(session, &oaep, key, 256));
	if (!p11_3)
		return;
	expect(CKR_USER_NOT_LOGGED_IN, p11_3->C_MessageEncryptInit(session, &gcm, key));
	expect(CKR_USER_NOT_LOGGED_IN, p11_3->C_MessageDecryptInit(session, &gcm, key));
	expect(CKR_USER_NOT_LOGGED_IN, p11_3->C_MessageVerifyInit(session, &rsa, key));
}
END_TEST

/* Token objects are made, copied and changed in sessions that write. */
START_TEST(read_only_session)
{
	CK_SESSION_HANDLE session = session_user(0), writing = session_user(CKF_RW_SESSION);
	CK_OBJECT_CLASS class = CKO_DATA;
	CK_ATTRIBUTE template[] = { IS(CKA_CLASS, class), IS(CKA_TOKEN, yes), IS(CKA_PRIVATE, no),
		                    ATTRIBUTE(CKA_VALUE, bytes, 3) };
	CK_ATTRIBUTE label = ATTRIBUTE(CKA_LABEL, "x", 1), on_token = IS(CKA_TOKEN, yes);
	CK_OBJECT_HANDLE object, copy, passing;

	expect(CKR_SESSION_READ_ONLY,
	       p11->C_CreateObject(session, template, COUNT(template), &object));
	expect(CKR_OK, p11->C_CreateObject(writing, template, COUNT(template), &object));
	expect(CKR_SESSION_READ_ONLY, p11->C_SetAttributeValue(session, object, &label, 1));
	expect(CKR_SESSION_READ_ONLY, p11->C_CopyObject(session, object, &label, 1, &copy));
	expect(CKR_SESSION_READ_ONLY, p11->C_DestroyObject(session, object));
	template[1] = (CK_ATTRIBUTE)IS(CKA_TOKEN, no);
	expect(CKR_OK, p11->C_CreateObject(session, template, COUNT(template), &passing));
	expect(CKR_SESSION_READ_ONLY, p11->C_CopyObject(session, passing, &on_token, 1, &copy));
	expect(CKR_OK, p11->C_DestroyObject(writing, object));
}
END_TEST

/* A curve that nobody here knows: brainpoolP256r1. */
START_TEST(unknown_curve)
{
	static unsigned char brainpool[] = "\x06\x09\x2b\x24\x03\x03\x02\x08\x01\x01\x07";
	CK_SESSION_HANDLE session = session_user(0);
	CK_MECHANISM generate = { CKM_EC_KEY_PAIR_GEN, NULL, 0 };
	CK_OBJECT_CLASS class = CKO_PUBLIC_KEY;
	CK_KEY_TYPE type = CKK_EC;
	CK_ATTRIBUTE template[] = { IS(CKA_CLASS, class), IS(CKA_KEY_TYPE, type), IS(CKA_TOKEN, no),
		                    ATTRIBUTE(CKA_EC_PARAMS, brainpool, 11),
		                    ATTRIBUTE(CKA_EC_POINT, bytes, 67) };
	CK_ATTRIBUTE of_public[] = { IS(CKA_TOKEN, no), ATTRIBUTE(CKA_EC_PARAMS, brainpool, 11) };
	CK_OBJECT_HANDLE public, private;

	if (!pair_offered(PAIR_P256))
		return;
	expect(CKR_CURVE_NOT_SUPPORTED,
	       p11->C_CreateObject(session, template, COUNT(template), &public));
	expect(CKR_CURVE_NOT_SUPPORTED,
	       p11->C_GenerateKeyPair(session, &generate, of_public, COUNT(of_public), NULL, 0,
	                              &public, &private));
	generate.pParameter = iv;
	generate.ulParameterLen = sizeof(iv);
	expect(CKR_MECHANISM_PARAM_INVALID,
	       p11->C_GenerateKeyPair(session, &generate, of_public, COUNT(of_public), NULL, 0,
	                              &public, &private));
}
END_TEST

/* What a mechanism can't take: longer than it is, or a number that is not below the modulus. */
START_TEST(wrong_data)
{
	CK_SESSION_HANDLE session = session_user(0);
	CK_MECHANISM pkcs1 = { CKM_RSA_PKCS, NULL, 0 }, raw = { CKM_RSA_X_509, NULL, 0 };
	CK_OBJECT_HANDLE public, private;
	CK_ULONG whole = pair_bits(PAIR_RSA) / 8;

	if (!has_keys() || !p11_3)
		return;
	public = pair_public(session, PAIR_RSA);
	private = pair_private(session, PAIR_RSA);
	memset(bytes, 0xff, sizeof(bytes));
	size = sizeof(bytes);
	expect(CKR_OK, p11_3->C_MessageSignInit(session, &pkcs1, private));
	expect(CKR_OK, p11_3->C_SignMessageBegin(session, NULL, 0));
	expect(CKR_DATA_LEN_RANGE,
	       p11_3->C_SignMessageNext(session, NULL, 0, bytes, whole, bytes, &size));
	expect(CKR_OK, p11_3->C_MessageSignFinal(session));
	expect(CKR_OK, p11_3->C_MessageVerifyInit(session, &pkcs1, public));
	expect(CKR_DATA_LEN_RANGE,
	       p11_3->C_VerifyMessage(session, NULL, 0, bytes, whole, bytes, whole));
	expect(CKR_OK, p11_3->C_VerifyMessageBegin(session, NULL, 0));
	expect(CKR_DATA_LEN_RANGE,
	       p11_3->C_VerifyMessageNext(session, NULL, 0, bytes, whole, bytes, whole));
	expect(CKR_OK, p11_3->C_MessageVerifyFinal(session));
	expect(CKR_OK, p11->C_VerifyInit(session, &raw, public));
	expect(CKR_DATA_INVALID, p11->C_Verify(session, bytes, whole, bytes, whole));
	expect(CKR_OK, p11_3->C_MessageVerifyInit(session, &raw, public));
	expect(CKR_DATA_INVALID, p11_3->C_VerifyMessage(session, NULL, 0, bytes, whole, bytes, whole));
	if (!mechanism_offers(CKM_RSA_X_509, CKF_SIGN))
		return;
	expect(CKR_OK, p11->C_SignInit(session, &raw, private));
	expect(CKR_DATA_INVALID, p11->C_Sign(session, bytes, whole, bytes, &size));
	expect(CKR_OK, p11_3->C_MessageSignInit(session, &raw, private));
	expect(CKR_DATA_INVALID, p11_3->C_SignMessage(session, NULL, 0, bytes, whole, bytes, &size));
}
END_TEST

/* A key for RSA takes no part in ECDSA. */
START_TEST(wrong_type_to_sign)
{
	CK_SESSION_HANDLE session = session_user(0);

	if (!has_keys())
		return;
	expect(CKR_KEY_TYPE_INCONSISTENT,
	       p11->C_SignInit(session, &ecdsa, pair_private(session, PAIR_RSA)));
	expect(CKR_KEY_TYPE_INCONSISTENT,
	       p11->C_VerifyInit(session, &ecdsa, pair_public(session, PAIR_RSA)));
}
END_TEST

Suite *
wrong_key_suite(void)
{
	Suite *suite = suite_create("wrong-key");
	TCase *tcase = started_case(suite, "started");

	tcase_add_test(tcase, too_small_to_encrypt);
	tcase_add_test(tcase, too_small_to_wrap);
	tcase_add_test(tcase, wrong_type_to_wrap);
	tcase_add_test(tcase, unwrap_template_refused);
	tcase_add_test(tcase, wrong_type_for_messages);
	tcase_add_test(tcase, wrong_type_to_sign);
	tcase_add_test(tcase, not_seen_without_login);
	tcase_add_test(tcase, read_only_session);
	tcase_add_test(tcase, unknown_curve);
	tcase_add_test(tcase, wrong_data);
	return suite;
}
