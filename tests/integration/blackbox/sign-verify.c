/* SPDX-License-Identifier: Apache-2.0 */
/* Sections 5.13 to 5.15: every signature mechanism that the token lists, against OpenSSL. */
#include "blackbox.h"
#include "signing.h"

#include <openssl/rsa.h>

static unsigned char message[MESSAGE_MAX];
static unsigned char signature[SIGNATURE_MAX];

/* Each loop test runs one row of the table with each pair that it applies to. */
#define FOR_EACH_PAIR(signing, kind, flag)                                                        \
	for (enum pair_kind kind = 0; kind < PAIR_KINDS; kind++)                                  \
		if (signing_applies(signing, kind, flag))

static CK_RV
sign_init(CK_SESSION_HANDLE session, const struct signing *signing, CK_OBJECT_HANDLE key)
{
	struct signing_mechanism use;

	signing_mechanism(signing, &use);
	return p11->C_SignInit(session, &use.mechanism, key);
}

static CK_RV
verify_init(CK_SESSION_HANDLE session, const struct signing *signing, CK_OBJECT_HANDLE key)
{
	struct signing_mechanism use;

	signing_mechanism(signing, &use);
	return p11->C_VerifyInit(session, &use.mechanism, key);
}

static CK_ULONG
sign(CK_SESSION_HANDLE session, const struct signing *signing, enum pair_kind kind,
     unsigned char *data, CK_ULONG size)
{
	CK_ULONG signature_size = sizeof(signature);

	expect(CKR_OK, sign_init(session, signing, pair_private(session, kind)));
	expect(CKR_OK, p11->C_Sign(session, data, size, signature, &signature_size));
	return signature_size;
}

static CK_RV
verify(CK_SESSION_HANDLE session, const struct signing *signing, enum pair_kind kind,
       unsigned char *data, CK_ULONG size, CK_ULONG signature_size)
{
	expect(CKR_OK, verify_init(session, signing, pair_public(session, kind)));
	return p11->C_Verify(session, data, size, signature, signature_size);
}

START_TEST(signs_and_verifies)
{
	const struct signing *signing = signing_at((size_t)_i);
	CK_SESSION_HANDLE session = session_user(0);

	FOR_EACH_PAIR (signing, kind, CKF_SIGN) {
		CK_ULONG size = signing_message(signing, kind, message);
		CK_ULONG signature_size = sign(session, signing, kind, message, size);
		EVP_PKEY *key = pair_evp(session, pair_public(session, kind), kind);

		ck_assert_msg(signing_verify(signing, key, message, size, signature,
		                             signature_size),
		              "OpenSSL refuses the %s signature by %s", signing->name,
		              pair_name(kind));
		if (mechanism_offers(signing->type, CKF_VERIFY))
			expect(CKR_OK, verify(session, signing, kind, message, size,
			                      signature_size));
		EVP_PKEY_free(key);
	}
}
END_TEST

START_TEST(refuses_wrong_signatures)
{
	const struct signing *signing = signing_at((size_t)_i);
	CK_SESSION_HANDLE session = session_user(0);

	if (!mechanism_offers(signing->type, CKF_VERIFY))
		return;
	FOR_EACH_PAIR (signing, kind, CKF_SIGN) {
		CK_ULONG size = signing_message(signing, kind, message);
		CK_ULONG signature_size = sign(session, signing, kind, message, size);

		signature[signature_size / 2] ^= 1;
		expect(CKR_SIGNATURE_INVALID,
		       verify(session, signing, kind, message, size, signature_size));
		signature[signature_size / 2] ^= 1;
		message[size - 1] ^= 1;
		expect(CKR_SIGNATURE_INVALID,
		       verify(session, signing, kind, message, size, signature_size));
		message[size - 1] ^= 1;
		expect(CKR_SIGNATURE_LEN_RANGE,
		       verify(session, signing, kind, message, size, signature_size - 1));
		expect(CKR_SIGNATURE_LEN_RANGE,
		       verify(session, signing, kind, message, size, signature_size + 1));
		memset(signature, 0, signature_size);
		expect(CKR_SIGNATURE_INVALID,
		       verify(session, signing, kind, message, size, signature_size));
		memset(signature, 0xff, signature_size);
		expect(CKR_SIGNATURE_INVALID,
		       verify(session, signing, kind, message, size, signature_size));
	}
}
END_TEST

static const CK_ULONG chunks[] = { 1, 7, 64, 65, 300 };

START_TEST(in_parts)
{
	const struct signing *signing = signing_at((size_t)_i);
	CK_SESSION_HANDLE session = session_user(0);

	if (!signing_multipart(signing))
		return;
	FOR_EACH_PAIR (signing, kind, CKF_SIGN) {
		CK_ULONG size = signing_message(signing, kind, message), done = 0, signature_size;
		EVP_PKEY *key = pair_evp(session, pair_public(session, kind), kind);

		expect(CKR_OK, sign_init(session, signing, pair_private(session, kind)));
		for (size_t i = 0; done < size; i++) {
			CK_ULONG part = chunks[i % COUNT(chunks)];

			part = part < size - done ? part : size - done;
			expect(CKR_OK, p11->C_SignUpdate(session, message + done, part));
			expect(CKR_OK, p11->C_SignUpdate(session, message, 0));
			done += part;
		}
		signature_size = sizeof(signature);
		expect(CKR_OK, p11->C_SignFinal(session, signature, &signature_size));
		expect(CKR_OPERATION_NOT_INITIALIZED,
		       p11->C_SignFinal(session, signature, &signature_size));
		ck_assert(signing_verify(signing, key, message, size, signature, signature_size));
		EVP_PKEY_free(key);
		if (!mechanism_offers(signing->type, CKF_VERIFY))
			continue;
		expect(CKR_OK, verify_init(session, signing, pair_public(session, kind)));
		expect(CKR_OK, p11->C_VerifyUpdate(session, message, 5));
		expect(CKR_OK, p11->C_VerifyUpdate(session, message + 5, size - 5));
		expect(CKR_OK, p11->C_VerifyFinal(session, signature, signature_size));
		expect(CKR_OK, verify_init(session, signing, pair_public(session, kind)));
		expect(CKR_OK, p11->C_VerifyUpdate(session, message, size - 1));
		expect(CKR_SIGNATURE_INVALID,
		       p11->C_VerifyFinal(session, signature, signature_size));
	}
}
END_TEST

/* Mechanisms without a digest take their data whole. */
START_TEST(not_in_parts)
{
	const struct signing *signing = signing_at((size_t)_i);
	CK_SESSION_HANDLE session = session_user(0);

	if (signing_multipart(signing))
		return;
	FOR_EACH_PAIR (signing, kind, CKF_SIGN) {
		expect(CKR_OK, sign_init(session, signing, pair_private(session, kind)));
		expect_failure(p11->C_SignUpdate(session, message, 5));
		expect(CKR_OPERATION_NOT_INITIALIZED, p11->C_SignUpdate(session, message, 5));
	}
}
END_TEST

START_TEST(empty_message)
{
	const struct signing *signing = signing_at((size_t)_i);
	CK_SESSION_HANDLE session = session_user(0);

	if (!signing->digest && signing->scheme != SCHEME_EDDSA)
		return;
	FOR_EACH_PAIR (signing, kind, CKF_SIGN) {
		EVP_PKEY *key = pair_evp(session, pair_public(session, kind), kind);
		CK_ULONG signature_size = sign(session, signing, kind, message, 0);

		ck_assert(signing_verify(signing, key, message, 0, signature, signature_size));
		if (mechanism_offers(signing->type, CKF_VERIFY))
			expect(CKR_OK,
			       verify(session, signing, kind, message, 0, signature_size));
		EVP_PKEY_free(key);
	}
}
END_TEST

/* Section 5.2: asking for the length, and too little room, leave the operation as it was. */
START_TEST(sizes)
{
	const struct signing *signing = signing_at((size_t)_i);
	CK_SESSION_HANDLE session = session_user(0);

	FOR_EACH_PAIR (signing, kind, CKF_SIGN) {
		CK_ULONG size = signing_message(signing, kind, message), needed = 0, room;

		expect(CKR_OK, sign_init(session, signing, pair_private(session, kind)));
		expect(CKR_OK, p11->C_Sign(session, message, size, NULL, &needed));
		ck_assert_uint_gt(needed, 0);
		ck_assert_uint_le(needed, sizeof(signature));
		room = needed - 1;
		signature[needed - 1] = 0x55;
		expect(CKR_BUFFER_TOO_SMALL,
		       p11->C_Sign(session, message, size, signature, &room));
		ck_assert_uint_eq(room, needed);
		ck_assert_uint_eq(signature[needed - 1], 0x55);
		room = needed;
		expect(CKR_OK, p11->C_Sign(session, message, size, signature, &room));
		ck_assert_uint_eq(room, needed);
		expect(CKR_OPERATION_NOT_INITIALIZED,
		       p11->C_Sign(session, message, size, signature, &room));
		if (!signing_multipart(signing))
			continue;
		expect(CKR_OK, sign_init(session, signing, pair_private(session, kind)));
		expect(CKR_OK, p11->C_SignUpdate(session, message, size));
		room = 0;
		expect(CKR_OK, p11->C_SignFinal(session, NULL, &room));
		ck_assert_uint_eq(room, needed);
		room = 1;
		expect(CKR_BUFFER_TOO_SMALL, p11->C_SignFinal(session, signature, &room));
		ck_assert_uint_eq(room, needed);
		expect(CKR_OK, p11->C_SignFinal(session, signature, &room));
	}
}
END_TEST

/* What OpenSSL signs, the module verifies: with a public key brought in for the session. */
START_TEST(verifies_foreign_signature)
{
	CK_SESSION_HANDLE session = session_user(CKF_RW_SESSION);
	CK_OBJECT_CLASS class = CKO_PUBLIC_KEY;
	CK_KEY_TYPE key_type = CKK_RSA;
	CK_BBOOL yes = CK_TRUE, no = CK_FALSE;
	EVP_PKEY *key = EVP_RSA_gen(2048);
	BIGNUM *n = NULL;
	unsigned char modulus[256];
	CK_MECHANISM mechanism = { CKM_SHA256_RSA_PKCS, NULL, 0 };
	CK_ATTRIBUTE attributes[] = {
		ATTRIBUTE(CKA_CLASS, &class, sizeof(class)),
		ATTRIBUTE(CKA_KEY_TYPE, &key_type, sizeof(key_type)),
		ATTRIBUTE(CKA_TOKEN, &no, sizeof(no)),
		ATTRIBUTE(CKA_VERIFY, &yes, sizeof(yes)),
		ATTRIBUTE(CKA_MODULUS, modulus, sizeof(modulus)),
		ATTRIBUTE(CKA_PUBLIC_EXPONENT, "\x01\x00\x01", 3),
	};
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	size_t signature_size = sizeof(signature);
	CK_OBJECT_HANDLE object;
	CK_RV rv;

	ck_assert(EVP_PKEY_get_bn_param(key, "n", &n));
	ck_assert_int_eq(BN_bn2binpad(n, modulus, sizeof(modulus)), sizeof(modulus));
	rv = p11->C_CreateObject(session, attributes, COUNT(attributes), &object);
	expect_any(rv, CKR_OK, CKR_FUNCTION_NOT_SUPPORTED, CKR_ATTRIBUTE_VALUE_INVALID);
	if (rv == CKR_OK) {
		ck_assert(EVP_DigestSignInit_ex(context, NULL, "SHA256", NULL, NULL, key, NULL));
		ck_assert(EVP_DigestSign(context, signature, &signature_size,
		                         (const unsigned char *)"abc", 3));
		expect(CKR_OK, p11->C_VerifyInit(session, &mechanism, object));
		expect(CKR_OK, p11->C_Verify(session, (CK_BYTE_PTR) "abc", 3, signature,
		                             signature_size));
		expect(CKR_OK, p11->C_VerifyInit(session, &mechanism, object));
		expect(CKR_SIGNATURE_INVALID,
		       p11->C_Verify(session, (CK_BYTE_PTR) "abd", 3, signature, signature_size));
	}
	EVP_MD_CTX_free(context);
	BN_free(n);
	EVP_PKEY_free(key);
}
END_TEST

Suite *
sign_verify_suite(void)
{
	Suite *suite = suite_create("sign-verify");
	TCase *tcase = started_case(suite, "each mechanism");
	int rows = (int)signing_count();

	tcase_add_loop_test(tcase, signs_and_verifies, 0, rows);
	tcase_add_loop_test(tcase, refuses_wrong_signatures, 0, rows);
	tcase_add_loop_test(tcase, in_parts, 0, rows);
	tcase_add_loop_test(tcase, not_in_parts, 0, rows);
	tcase_add_loop_test(tcase, empty_message, 0, rows);
	tcase_add_loop_test(tcase, sizes, 0, rows);
	tcase_add_test(tcase, verifies_foreign_signature);
	return suite;
}
