/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sections 5.13.5, 5.13.6, 5.15.5 and 5.15.6: signatures that the data is recovered from, of
 * the mechanisms that the token offers for it. What is recovered is public: OpenSSL does the
 * same.
 */
#include "blackbox.h"
#include "pair.h"

#include <openssl/rsa.h>

#define KEY_SIZE 256 /* of the RSA pairs */

static CK_MECHANISM pkcs = { CKM_RSA_PKCS, NULL, 0 };
static CK_MECHANISM raw = { CKM_RSA_X_509, NULL, 0 };
static unsigned char data[KEY_SIZE + 1];
static unsigned char signature[KEY_SIZE + 1];
static unsigned char out[KEY_SIZE + 1];

static bool
recovers(void)
{
	return mechanism_offers(CKM_RSA_PKCS, CKF_SIGN_RECOVER) &&
	       mechanism_offers(CKM_RSA_PKCS, CKF_VERIFY_RECOVER);
}

static void
sign(CK_SESSION_HANDLE session, CK_MECHANISM *mechanism, CK_ULONG size)
{
	CK_ULONG signature_size = sizeof(signature);

	expect(CKR_OK, p11->C_SignRecoverInit(session, mechanism,
	                                      pair_private(session, PAIR_RSA_SIGN)));
	expect(CKR_OK, p11->C_SignRecover(session, data, size, signature, &signature_size));
	ck_assert_uint_eq(signature_size, KEY_SIZE);
}

static CK_RV
recover(CK_SESSION_HANDLE session, CK_MECHANISM *mechanism, CK_ULONG signature_size,
        CK_ULONG *size)
{
	expect(CKR_OK, p11->C_VerifyRecoverInit(session, mechanism,
	                                        pair_public(session, PAIR_RSA_SIGN)));
	return p11->C_VerifyRecover(session, signature, signature_size, out, size);
}

/* What the pair's private half would sign: any block, by OpenSSL's raw RSA the other way round. */
static void
open_with_openssl(CK_SESSION_HANDLE session, unsigned char *ret_block)
{
	EVP_PKEY *key = pair_evp(session, pair_public(session, PAIR_RSA_SIGN), PAIR_RSA_SIGN);
	EVP_PKEY_CTX *context = EVP_PKEY_CTX_new(key, NULL);
	size_t size = KEY_SIZE;

	ck_assert_int_eq(EVP_PKEY_encrypt_init(context), 1);
	ck_assert_int_eq(EVP_PKEY_CTX_set_rsa_padding(context, RSA_NO_PADDING), 1);
	ck_assert_int_eq(EVP_PKEY_encrypt(context, ret_block, &size, signature, KEY_SIZE), 1);
	EVP_PKEY_CTX_free(context);
	EVP_PKEY_free(key);
}

START_TEST(recovers_data)
{
	static const CK_ULONG sizes[] = { 0, 1, 32, 51, KEY_SIZE - 11 };
	CK_SESSION_HANDLE session = session_user(0);

	if (!recovers())
		return;
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (unsigned char)(i * 7 + 1);
	for (size_t i = 0; i < COUNT(sizes); i++) {
		unsigned char block[KEY_SIZE];
		CK_ULONG size = sizeof(out);

		data[0] = i == 3 ? 0 : 0xff; /* what could be taken for padding */
		sign(session, &pkcs, sizes[i]);
		open_with_openssl(session, block);
		ck_assert_mem_eq(block, "\0\1\377\377\377\377\377\377\377\377", 10);
		ck_assert_mem_eq(block + KEY_SIZE - sizes[i], data, sizes[i]);
		expect(CKR_OK, recover(session, &pkcs, KEY_SIZE, &size));
		ck_assert_uint_eq(size, sizes[i]);
		ck_assert_mem_eq(out, data, size);
		/* It is a signature like C_Sign's. */
		expect(CKR_OK, p11->C_VerifyInit(session, &pkcs,
		                                 pair_public(session, PAIR_RSA_SIGN)));
		expect(CKR_OK, p11->C_Verify(session, data, sizes[i], signature, KEY_SIZE));
	}
}
END_TEST

START_TEST(recovers_blocks)
{
	CK_SESSION_HANDLE session = session_user(0);
	CK_ULONG size = sizeof(out), signature_size = sizeof(signature);

	if (!mechanism_offers(CKM_RSA_X_509, CKF_SIGN_RECOVER))
		return;
	memset(data, 5, sizeof(data));
	sign(session, &raw, 20);
	expect(CKR_OK, recover(session, &raw, KEY_SIZE, &size));
	ck_assert_uint_eq(size, KEY_SIZE);
	ck_assert_uint_eq(out[0], 0);
	ck_assert_mem_eq(out + KEY_SIZE - 20, data, 20);
	memset(data, 0xff, sizeof(data));
	expect(CKR_OK, p11->C_SignRecoverInit(session, &raw, pair_private(session, PAIR_RSA_SIGN)));
	expect(CKR_DATA_INVALID,
	       p11->C_SignRecover(session, data, KEY_SIZE, signature, &signature_size));
}
END_TEST

START_TEST(sizes)
{
	CK_SESSION_HANDLE session = session_user(0);
	CK_OBJECT_HANDLE private_key, public_key;
	CK_ULONG size = 0;

	if (!recovers())
		return;
	private_key = pair_private(session, PAIR_RSA_SIGN);
	public_key = pair_public(session, PAIR_RSA_SIGN);
	expect(CKR_OK, p11->C_SignRecoverInit(session, &pkcs, private_key));
	expect(CKR_OK, p11->C_SignRecover(session, data, 32, NULL, &size));
	ck_assert_uint_eq(size, KEY_SIZE);
	size = KEY_SIZE - 1;
	expect(CKR_BUFFER_TOO_SMALL, p11->C_SignRecover(session, data, 32, signature, &size));
	ck_assert_uint_eq(size, KEY_SIZE);
	expect(CKR_OK, p11->C_SignRecover(session, data, 32, signature, &size));
	expect(CKR_OPERATION_NOT_INITIALIZED,
	       p11->C_SignRecover(session, data, 32, signature, &size));

	expect(CKR_OK, p11->C_VerifyRecoverInit(session, &pkcs, public_key));
	size = 0;
	expect(CKR_OK, p11->C_VerifyRecover(session, signature, KEY_SIZE, NULL, &size));
	ck_assert_uint_eq(size, 32);
	size = 31;
	expect(CKR_BUFFER_TOO_SMALL,
	       p11->C_VerifyRecover(session, signature, KEY_SIZE, out, &size));
	ck_assert_uint_eq(size, 32);
	expect(CKR_OK, p11->C_VerifyRecover(session, signature, KEY_SIZE, out, &size));
	ck_assert_mem_eq(out, data, 32);
	expect(CKR_OPERATION_NOT_INITIALIZED,
	       p11->C_VerifyRecover(session, signature, KEY_SIZE, out, &size));
}
END_TEST

START_TEST(data_too_long)
{
	CK_SESSION_HANDLE session = session_user(0);
	CK_ULONG size = sizeof(signature);

	if (!recovers())
		return;
	expect(CKR_OK, p11->C_SignRecoverInit(session, &pkcs,
	                                      pair_private(session, PAIR_RSA_SIGN)));
	expect(CKR_DATA_LEN_RANGE,
	       p11->C_SignRecover(session, data, KEY_SIZE - 10, signature, &size));
	expect(CKR_OPERATION_NOT_INITIALIZED,
	       p11->C_SignRecover(session, data, 1, signature, &size));
}
END_TEST

START_TEST(wrong_signatures)
{
	CK_SESSION_HANDLE session = session_user(0);
	CK_OBJECT_HANDLE key;
	CK_ULONG size = sizeof(out);

	if (!recovers())
		return;
	key = pair_public(session, PAIR_RSA_SIGN);
	sign(session, &pkcs, 32);
	signature[KEY_SIZE - 1] ^= 1;
	expect(CKR_OK, p11->C_VerifyRecoverInit(session, &pkcs, key));
	expect(CKR_SIGNATURE_INVALID,
	       p11->C_VerifyRecover(session, signature, KEY_SIZE, out, &size));
	expect(CKR_OPERATION_NOT_INITIALIZED,
	       p11->C_VerifyRecover(session, signature, KEY_SIZE, out, &size));
	signature[KEY_SIZE - 1] ^= 1;
	/* Also when only the size is asked for. */
	expect(CKR_OK, p11->C_VerifyRecoverInit(session, &pkcs, key));
	expect(CKR_SIGNATURE_LEN_RANGE,
	       p11->C_VerifyRecover(session, signature, KEY_SIZE - 1, NULL, &size));
	expect(CKR_SIGNATURE_LEN_RANGE, recover(session, &pkcs, KEY_SIZE + 1, &size));
	memset(signature, 0xff, KEY_SIZE); /* not below the modulus */
	expect(CKR_SIGNATURE_INVALID, recover(session, &pkcs, KEY_SIZE, &size));
	memset(signature, 0, KEY_SIZE);
	expect(CKR_SIGNATURE_INVALID, recover(session, &pkcs, KEY_SIZE, &size));
	/* A signature with another padding. */
	if (mechanism_offers(CKM_RSA_PKCS_PSS, CKF_SIGN)) {
		CK_RSA_PKCS_PSS_PARAMS pss = { CKM_SHA256, CKG_MGF1_SHA256, 32 };
		CK_MECHANISM mechanism = { CKM_RSA_PKCS_PSS, &pss, sizeof(pss) };
		CK_ULONG signature_size = sizeof(signature);

		expect(CKR_OK, p11->C_SignInit(session, &mechanism,
		                               pair_private(session, PAIR_RSA_SIGN)));
		expect(CKR_OK, p11->C_Sign(session, data, 32, signature, &signature_size));
		expect(CKR_SIGNATURE_INVALID, recover(session, &pkcs, KEY_SIZE, &size));
	}
}
END_TEST

/* Paddings that are nearly right; signed raw, where the token does that. */
START_TEST(wrong_paddings)
{
	CK_SESSION_HANDLE session = session_user(0);
	CK_ULONG size;

	if (!recovers() || !mechanism_offers(CKM_RSA_X_509, CKF_SIGN_RECOVER))
		return;
	for (int i = 0; i < 6; i++) {
		memset(data, 0xff, KEY_SIZE);
		data[0] = 0;
		data[1] = i == 1 ? 2 : i == 2 ? 0 : 1;                  /* block type */
		data[i == 3 ? 9 : 10] = 0;                               /* 7 bytes of padding, or 8 */
		data[5] = i == 4 ? 0xfe : 0xff;
		data[10] = i == 5 ? 0xff : data[10];                     /* no end */
		sign(session, &raw, KEY_SIZE);
		size = sizeof(out);
		expect(i == 0 ? CKR_OK : CKR_SIGNATURE_INVALID,
		       recover(session, &pkcs, KEY_SIZE, &size));
	}
}
END_TEST

START_TEST(init_refuses)
{
	CK_MECHANISM hashing = { CKM_SHA256_RSA_PKCS, NULL, 0 };
	CK_MECHANISM parameter = { CKM_RSA_PKCS, data, 4 };
	CK_SESSION_HANDLE session = session_user(0);
	CK_OBJECT_HANDLE private_key, public_key;

	if (!recovers())
		return;
	private_key = pair_private(session, PAIR_RSA_SIGN);
	public_key = pair_public(session, PAIR_RSA_SIGN);
	expect(CKR_ARGUMENTS_BAD, p11->C_SignRecoverInit(session, NULL, private_key));
	expect(CKR_ARGUMENTS_BAD, p11->C_VerifyRecoverInit(session, NULL, public_key));
	expect(CKR_SESSION_HANDLE_INVALID,
	       p11->C_SignRecoverInit(session + 1000, &pkcs, private_key));
	expect(CKR_SESSION_HANDLE_INVALID,
	       p11->C_VerifyRecoverInit(session + 1000, &pkcs, public_key));
	expect(CKR_MECHANISM_INVALID, p11->C_SignRecoverInit(session, &hashing, private_key));
	expect(CKR_MECHANISM_INVALID, p11->C_VerifyRecoverInit(session, &hashing, public_key));
	expect(CKR_MECHANISM_PARAM_INVALID,
	       p11->C_SignRecoverInit(session, &parameter, private_key));
	expect(CKR_MECHANISM_PARAM_INVALID,
	       p11->C_VerifyRecoverInit(session, &parameter, public_key));
	expect(CKR_KEY_HANDLE_INVALID, p11->C_SignRecoverInit(session, &pkcs, 0));
	expect(CKR_KEY_HANDLE_INVALID, p11->C_VerifyRecoverInit(session, &pkcs, 0));
	expect(CKR_KEY_FUNCTION_NOT_PERMITTED,
	       p11->C_SignRecoverInit(session, &pkcs, public_key));
	expect(CKR_KEY_FUNCTION_NOT_PERMITTED,
	       p11->C_VerifyRecoverInit(session, &pkcs, private_key));
	if (pair_offered(PAIR_RSA_DECRYPT)) {
		private_key = pair_private(session, PAIR_RSA_DECRYPT);
		public_key = pair_public(session, PAIR_RSA_DECRYPT);
		ck_assert(!attribute_bool(session, private_key, CKA_SIGN_RECOVER));
		ck_assert(!attribute_bool(session, public_key, CKA_VERIFY_RECOVER));
		expect(CKR_KEY_FUNCTION_NOT_PERMITTED,
		       p11->C_SignRecoverInit(session, &pkcs, private_key));
		expect(CKR_KEY_FUNCTION_NOT_PERMITTED,
		       p11->C_VerifyRecoverInit(session, &pkcs, public_key));
	}
}
END_TEST

START_TEST(active)
{
	CK_SESSION_HANDLE session = session_user(0);
	CK_OBJECT_HANDLE private_key, public_key;
	CK_ULONG size = sizeof(signature);

	if (!recovers())
		return;
	private_key = pair_private(session, PAIR_RSA_SIGN);
	public_key = pair_public(session, PAIR_RSA_SIGN);
	ck_assert(attribute_bool(session, private_key, CKA_SIGN_RECOVER));
	ck_assert(attribute_bool(session, public_key, CKA_VERIFY_RECOVER));
	expect(CKR_OK, p11->C_SignRecoverInit(session, &pkcs, private_key));
	expect(CKR_OPERATION_ACTIVE, p11->C_SignRecoverInit(session, &pkcs, private_key));
	expect(CKR_OK, p11->C_VerifyRecoverInit(session, &pkcs, public_key));
	expect(CKR_OPERATION_ACTIVE, p11->C_VerifyRecoverInit(session, &pkcs, public_key));
	/* An operation of its own: the others are not begun. */
	expect(CKR_OPERATION_NOT_INITIALIZED, p11->C_Sign(session, data, 1, signature, &size));
	expect(CKR_OPERATION_NOT_INITIALIZED,
	       p11->C_Verify(session, data, 1, signature, KEY_SIZE));
	/* Whatever is no size query and not CKR_BUFFER_TOO_SMALL ends the operation (section 5.2). */
	expect(CKR_ARGUMENTS_BAD, p11->C_SignRecover(session, NULL, 1, signature, &size));
	expect(CKR_OK, p11->C_SignRecoverInit(session, &pkcs, private_key));
	expect(CKR_ARGUMENTS_BAD, p11->C_SignRecover(session, data, 1, signature, NULL));
	expect(CKR_OK, p11->C_SignRecoverInit(session, &pkcs, private_key));
	expect(CKR_ARGUMENTS_BAD, p11->C_VerifyRecover(session, NULL, 1, out, &size));
	expect(CKR_OK, p11->C_VerifyRecoverInit(session, &pkcs, public_key));
	expect(CKR_ARGUMENTS_BAD, p11->C_VerifyRecover(session, signature, 1, out, NULL));
	expect(CKR_OK, p11->C_VerifyRecoverInit(session, &pkcs, public_key));
	expect(CKR_SESSION_HANDLE_INVALID,
	       p11->C_SignRecover(session + 1000, data, 1, signature, &size));
	expect(CKR_SESSION_HANDLE_INVALID,
	       p11->C_VerifyRecover(session + 1000, signature, KEY_SIZE, out, &size));
	if (p11_3 != NULL) {
		expect(CKR_OK, p11_3->C_SessionCancel(session, CKF_SIGN_RECOVER));
		expect(CKR_OPERATION_NOT_INITIALIZED,
		       p11->C_SignRecover(session, data, 1, signature, &size));
		expect(CKR_OK, p11_3->C_SessionCancel(session, CKF_VERIFY_RECOVER));
		expect(CKR_OPERATION_NOT_INITIALIZED,
		       p11->C_VerifyRecover(session, signature, KEY_SIZE, out, &size));
		/* 3.0: no mechanism ends what is active. */
		expect(CKR_OK, p11->C_SignRecoverInit(session, &pkcs, private_key));
		expect(CKR_OK, p11->C_SignRecoverInit(session, NULL, 0));
		expect(CKR_OPERATION_NOT_INITIALIZED,
		       p11->C_SignRecover(session, data, 1, signature, &size));
	}
}
END_TEST

START_TEST(logged_out)
{
	CK_SESSION_HANDLE session = session_user(0);
	CK_OBJECT_HANDLE key;
	CK_ULONG size = sizeof(signature);

	if (!recovers() || !login_required())
		return;
	key = pair_private(session, PAIR_RSA_SIGN);
	expect(CKR_OK, p11->C_SignRecoverInit(session, &pkcs, key));
	expect(CKR_OK, p11->C_Logout(session));
	expect(CKR_USER_NOT_LOGGED_IN, p11->C_SignRecover(session, data, 1, signature, &size));
	expect(CKR_USER_NOT_LOGGED_IN, p11->C_SignRecoverInit(session, &pkcs, key));
}
END_TEST

/* Public keys of the session: made for it by default, or as their template says. */
START_TEST(session_keys)
{
	CK_SESSION_HANDLE session = session_user(0);
	CK_OBJECT_CLASS class = CKO_PUBLIC_KEY;
	CK_KEY_TYPE type = CKK_RSA;
	CK_BBOOL verdict = CK_FALSE, no = CK_FALSE;
	unsigned char modulus[KEY_SIZE], exponent[8];
	CK_ATTRIBUTE template[] = {
		ATTRIBUTE(CKA_CLASS, &class, sizeof(class)),
		ATTRIBUTE(CKA_KEY_TYPE, &type, sizeof(type)),
		ATTRIBUTE(CKA_MODULUS, modulus, sizeof(modulus)),
		ATTRIBUTE(CKA_PUBLIC_EXPONENT, exponent, sizeof(exponent)),
		ATTRIBUTE(CKA_PRIVATE, &no, sizeof(no)),
		ATTRIBUTE(CKA_VERIFY_RECOVER, &verdict, sizeof(verdict)),
	};
	CK_OBJECT_HANDLE key;
	CK_ULONG size;

	if (!recovers())
		return;
	memset(data, 3, sizeof(data));
	sign(session, &pkcs, 20);
	memcpy(modulus, attribute(session, pair_public(session, PAIR_RSA_SIGN), CKA_MODULUS, &size),
	       sizeof(modulus));
	memcpy(exponent, attribute(session, pair_public(session, PAIR_RSA_SIGN),
	                           CKA_PUBLIC_EXPONENT, &template[3].ulValueLen), 3);
	expect(CKR_OK, p11->C_CreateObject(session, template, 6, &key));
	expect(CKR_KEY_FUNCTION_NOT_PERMITTED, p11->C_VerifyRecoverInit(session, &pkcs, key));
	verdict = CK_TRUE;
	expect(CKR_OK, p11->C_CreateObject(session, template, 6, &key));
	expect(CKR_OK, p11->C_VerifyRecoverInit(session, &pkcs, key));
	size = sizeof(out);
	expect(CKR_OK, p11->C_VerifyRecover(session, signature, KEY_SIZE, out, &size));
	ck_assert_uint_eq(size, 20);
}
END_TEST

/* A key of another type that is, by its template, for recovery. */
START_TEST(other_type)
{
	CK_SESSION_HANDLE session = session_user(0);
	CK_OBJECT_CLASS class = CKO_PUBLIC_KEY;
	CK_KEY_TYPE type = CKK_EC;
	CK_BBOOL yes = CK_TRUE, no = CK_FALSE;
	unsigned char params[64], point[128];
	CK_ATTRIBUTE template[] = {
		ATTRIBUTE(CKA_CLASS, &class, sizeof(class)),
		ATTRIBUTE(CKA_KEY_TYPE, &type, sizeof(type)),
		ATTRIBUTE(CKA_EC_PARAMS, params, 0),
		ATTRIBUTE(CKA_EC_POINT, point, 0),
		ATTRIBUTE(CKA_PRIVATE, &no, sizeof(no)),
		ATTRIBUTE(CKA_VERIFY_RECOVER, &yes, sizeof(yes)),
	};
	CK_OBJECT_HANDLE key, pair;

	if (!recovers() || !pair_offered(PAIR_P256))
		return;
	pair = pair_public(session, PAIR_P256);
	memcpy(params, attribute(session, pair, CKA_EC_PARAMS, &template[2].ulValueLen), 10);
	memcpy(point, attribute(session, pair, CKA_EC_POINT, &template[3].ulValueLen), 67);
	expect(CKR_OK, p11->C_CreateObject(session, template, 6, &key));
	expect(CKR_KEY_TYPE_INCONSISTENT, p11->C_VerifyRecoverInit(session, &pkcs, key));
}
END_TEST

Suite *
recover_suite(void)
{
	Suite *suite = suite_create("recover");
	TCase *tcase = started_case(suite, "started");

	tcase_add_test(tcase, recovers_data);
	tcase_add_test(tcase, recovers_blocks);
	tcase_add_test(tcase, sizes);
	tcase_add_test(tcase, data_too_long);
	tcase_add_test(tcase, wrong_signatures);
	tcase_add_test(tcase, wrong_paddings);
	tcase_add_test(tcase, init_refuses);
	tcase_add_test(tcase, active);
	tcase_add_test(tcase, logged_out);
	tcase_add_test(tcase, session_keys);
	tcase_add_test(tcase, other_type);
	return suite;
}
