/* SPDX-License-Identifier: Apache-2.0 */
/* What all C_…Init and the calls after them have in common (sections 5.1.6, 5.2, 5.8-5.15). */
#include "blackbox.h"
#include "pair.h"

typedef CK_RV (*init_function)(CK_SESSION_HANDLE, CK_MECHANISM *, CK_OBJECT_HANDLE);

enum verb { VERB_ENCRYPT, VERB_DECRYPT, VERB_SIGN, VERB_VERIFY, VERBS };

/* What each verb does with RSA in the tests below, and with which half. */
static CK_RSA_PKCS_OAEP_PARAMS oaep = { CKM_SHA_1, CKG_MGF1_SHA1, CKZ_DATA_SPECIFIED, NULL, 0 };
static CK_MECHANISM oaep_mechanism = { CKM_RSA_PKCS_OAEP, &oaep, sizeof(oaep) };
static CK_MECHANISM sign_mechanism = { CKM_SHA256_RSA_PKCS, NULL, 0 };
static CK_MECHANISM ecdsa = { CKM_ECDSA, NULL, 0 };
static CK_MECHANISM sha256 = { CKM_SHA256, NULL, 0 };

static init_function
init_of(enum verb verb)
{
	switch (verb) {
	case VERB_ENCRYPT:
		return p11->C_EncryptInit;
	case VERB_DECRYPT:
		return p11->C_DecryptInit;
	case VERB_SIGN:
		return p11->C_SignInit;
	default:
		return p11->C_VerifyInit;
	}
}

static CK_MECHANISM *
mechanism_of(enum verb verb)
{
	return verb == VERB_ENCRYPT || verb == VERB_DECRYPT ? &oaep_mechanism : &sign_mechanism;
}

static bool
offered(enum verb verb)
{
	static const CK_FLAGS flags[] = { CKF_ENCRYPT, CKF_DECRYPT, CKF_SIGN, CKF_VERIFY };

	return pair_offered(PAIR_RSA) &&
	       mechanism_offers(mechanism_of(verb)->mechanism, flags[verb]);
}

static bool
is_private(enum verb verb)
{
	return verb == VERB_DECRYPT || verb == VERB_SIGN;
}

static CK_OBJECT_HANDLE
key_of(CK_SESSION_HANDLE session, enum verb verb, enum pair_kind kind)
{
	return is_private(verb) ? pair_private(session, kind) : pair_public(session, kind);
}

/* The single-part call after the Init, with arguments that would do. */
static CK_RV
finish(CK_SESSION_HANDLE session, enum verb verb)
{
	static unsigned char in[256], out[1024];
	CK_ULONG size = sizeof(out);

	switch (verb) {
	case VERB_ENCRYPT:
		return p11->C_Encrypt(session, in, 16, out, &size);
	case VERB_DECRYPT:
		return p11->C_Decrypt(session, in, 256, out, &size);
	case VERB_SIGN:
		return p11->C_Sign(session, in, 16, out, &size);
	default:
		return p11->C_Verify(session, in, 16, out, 256);
	}
}

START_TEST(null_mechanism)
{
	enum verb verb = (enum verb)_i;
	CK_SESSION_HANDLE session = session_user(0);

	if (!offered(verb))
		return;
	expect(CKR_ARGUMENTS_BAD, init_of(verb)(session, NULL, key_of(session, verb, PAIR_RSA)));
	expect(CKR_OPERATION_NOT_INITIALIZED, finish(session, verb));
}
END_TEST

START_TEST(active)
{
	enum verb verb = (enum verb)_i;
	CK_SESSION_HANDLE session = session_user(0);
	CK_OBJECT_HANDLE key;

	if (!offered(verb))
		return;
	key = key_of(session, verb, PAIR_RSA);
	expect(CKR_OK, init_of(verb)(session, mechanism_of(verb), key));
	expect(CKR_OPERATION_ACTIVE, init_of(verb)(session, mechanism_of(verb), key));
	(void)finish(session, verb);
	expect(CKR_OPERATION_NOT_INITIALIZED, finish(session, verb));
	expect(CKR_OK, init_of(verb)(session, mechanism_of(verb), key));
}
END_TEST

static const CK_OBJECT_HANDLE no_objects[] = { CK_INVALID_HANDLE, 0x5a5a5a5a5a, ~0UL };

START_TEST(invalid_key)
{
	enum verb verb = (enum verb)_i;
	CK_SESSION_HANDLE session = session_user(0);

	if (!offered(verb))
		return;
	for (size_t i = 0; i < COUNT(no_objects); i++)
		expect_any(init_of(verb)(session, mechanism_of(verb), no_objects[i]),
		           CKR_KEY_HANDLE_INVALID, CKR_OBJECT_HANDLE_INVALID);
	expect(CKR_OPERATION_NOT_INITIALIZED, finish(session, verb));
}
END_TEST

START_TEST(wrong_half)
{
	enum verb verb = (enum verb)_i;
	CK_SESSION_HANDLE session = session_user(0);
	CK_OBJECT_HANDLE key;

	if (!offered(verb))
		return;
	key = is_private(verb) ? pair_public(session, PAIR_RSA) : pair_private(session, PAIR_RSA);
	expect_any(init_of(verb)(session, mechanism_of(verb), key), CKR_KEY_TYPE_INCONSISTENT,
	           CKR_KEY_FUNCTION_NOT_PERMITTED);
	expect(CKR_OPERATION_NOT_INITIALIZED, finish(session, verb));
}
END_TEST

START_TEST(wrong_key_type)
{
	enum verb verb = (enum verb)_i;
	CK_SESSION_HANDLE session = session_user(0);

	if (!offered(verb) || !pair_offered(PAIR_P256))
		return;
	/* A P-256 pair neither has the type nor, where it encrypts, the permission. */
	expect_any(init_of(verb)(session, mechanism_of(verb), key_of(session, verb, PAIR_P256)),
	           CKR_KEY_TYPE_INCONSISTENT, CKR_KEY_FUNCTION_NOT_PERMITTED);
	if (verb == VERB_SIGN || verb == VERB_VERIFY)
		expect(CKR_KEY_TYPE_INCONSISTENT,
		       init_of(verb)(session, &ecdsa, key_of(session, verb, PAIR_RSA)));
}
END_TEST

START_TEST(usage_not_permitted)
{
	enum verb verb = (enum verb)_i;
	enum pair_kind other = verb == VERB_SIGN || verb == VERB_VERIFY ? PAIR_RSA_DECRYPT
	                                                                : PAIR_RSA_SIGN;
	CK_SESSION_HANDLE session = session_user(0);

	if (!offered(verb))
		return;
	expect(CKR_KEY_FUNCTION_NOT_PERMITTED,
	       init_of(verb)(session, mechanism_of(verb), key_of(session, verb, other)));
	expect(CKR_OPERATION_NOT_INITIALIZED, finish(session, verb));
}
END_TEST

START_TEST(mechanism_invalid)
{
	enum verb verb = (enum verb)_i;
	CK_SESSION_HANDLE session = session_user(0);
	CK_MECHANISM unknown = { CKM_VENDOR_DEFINED | 0x7777, NULL, 0 };
	CK_OBJECT_HANDLE key;

	if (!offered(verb))
		return;
	key = key_of(session, verb, PAIR_RSA);
	expect(CKR_MECHANISM_INVALID, init_of(verb)(session, &unknown, key));
	expect(CKR_MECHANISM_INVALID, init_of(verb)(session, &sha256, key));
	expect(CKR_OPERATION_NOT_INITIALIZED, finish(session, verb));
}
END_TEST

/* A mechanism listed for one verb only is refused for another. */
START_TEST(mechanism_not_for_this)
{
	CK_SESSION_HANDLE session = session_user(0);

	if (offered(VERB_SIGN) && !mechanism_offers(CKM_SHA256_RSA_PKCS, CKF_DECRYPT))
		expect(CKR_MECHANISM_INVALID,
		       p11->C_DecryptInit(session, &sign_mechanism, pair_private(session, PAIR_RSA)));
	if (offered(VERB_DECRYPT) && !mechanism_offers(CKM_RSA_PKCS_OAEP, CKF_SIGN))
		expect(CKR_MECHANISM_INVALID,
		       p11->C_SignInit(session, &oaep_mechanism, pair_private(session, PAIR_RSA)));
	if (pair_offered(PAIR_RSA) && !mechanism_offers(CKM_RSA_PKCS, CKF_DECRYPT)) {
		CK_MECHANISM pkcs1 = { CKM_RSA_PKCS, NULL, 0 };

		expect(CKR_MECHANISM_INVALID,
		       p11->C_DecryptInit(session, &pkcs1, pair_private(session, PAIR_RSA)));
	}
}
END_TEST

/* Parameters that are missing, too short, too long or nonsense. */
START_TEST(oaep_parameters)
{
	CK_SESSION_HANDLE session = session_user(0);
	CK_RSA_PKCS_OAEP_PARAMS bad;
	CK_MECHANISM mechanism = { CKM_RSA_PKCS_OAEP, NULL, 0 };
	CK_OBJECT_HANDLE key;

	if (!offered(VERB_ENCRYPT))
		return;
	key = pair_public(session, PAIR_RSA);
#define REFUSED()                                                                                 \
	expect_any(p11->C_EncryptInit(session, &mechanism, key), CKR_MECHANISM_PARAM_INVALID,     \
	           CKR_ARGUMENTS_BAD)
	REFUSED();
	mechanism.ulParameterLen = sizeof(bad);
	REFUSED();
	mechanism.pParameter = &bad;
	bad = oaep;
	mechanism.ulParameterLen = sizeof(bad) - 1;
	REFUSED();
	mechanism.ulParameterLen = sizeof(bad) + 1;
	REFUSED();
	mechanism.ulParameterLen = sizeof(bad);
	bad.hashAlg = CKM_RSA_PKCS;
	REFUSED();
	bad = oaep;
	bad.mgf = 0;
	REFUSED();
	bad = oaep;
	bad.source = 77;
	REFUSED();
	bad = oaep;
	bad.ulSourceDataLen = 5; /* of nothing */
	REFUSED();
#undef REFUSED
	expect(CKR_OPERATION_NOT_INITIALIZED, finish(session, VERB_ENCRYPT));
}
END_TEST

START_TEST(pss_parameters)
{
	CK_SESSION_HANDLE session = session_user(0);
	CK_RSA_PKCS_PSS_PARAMS good = { CKM_SHA256, CKG_MGF1_SHA256, 32 }, bad;
	CK_MECHANISM mechanism = { CKM_SHA256_RSA_PKCS_PSS, NULL, 0 };
	CK_OBJECT_HANDLE key;

	if (!pair_offered(PAIR_RSA) || !mechanism_offers(CKM_SHA256_RSA_PKCS_PSS, CKF_SIGN))
		return;
	key = pair_private(session, PAIR_RSA);
#define REFUSED()                                                                                 \
	expect_any(p11->C_SignInit(session, &mechanism, key), CKR_MECHANISM_PARAM_INVALID,        \
	           CKR_ARGUMENTS_BAD)
	REFUSED();
	mechanism.pParameter = &bad;
	bad = good;
	mechanism.ulParameterLen = sizeof(bad) - 1;
	REFUSED();
	mechanism.ulParameterLen = sizeof(bad);
	bad.hashAlg = CKM_SHA512; /* not the mechanism's */
	REFUSED();
	bad = good;
	bad.mgf = 77;
	REFUSED();
	bad = good;
	bad.sLen = 255; /* 256 - 32 - 2 is the most: RFC 8017, section 9.1.1 */
	REFUSED();
	bad.sLen = ~0UL;
	REFUSED();
#undef REFUSED
	bad = good;
	expect(CKR_OK, p11->C_SignInit(session, &mechanism, key));
}
END_TEST

/* Mechanisms without a parameter are not to be given one (mechanisms 3.0, section 2.1.6). */
START_TEST(needless_parameter)
{
	CK_SESSION_HANDLE session = session_user(0);
	CK_MECHANISM mechanism = { CKM_SHA256_RSA_PKCS, &oaep, sizeof(oaep) };

	if (offered(VERB_SIGN))
		expect_any(p11->C_SignInit(session, &mechanism, pair_private(session, PAIR_RSA)),
		           CKR_MECHANISM_PARAM_INVALID, CKR_OK);
}
END_TEST

static CK_SESSION_HANDLE null_session; /* in it: null_arguments */

/* What was called before has ended the operation: it can be begun again (section 5.2). */
static CK_SESSION_HANDLE
session_with(enum verb verb)
{
	expect(CKR_OK, init_of(verb)(null_session, mechanism_of(verb),
	                             key_of(null_session, verb, PAIR_RSA)));
	return null_session;
}

START_TEST(null_arguments)
{
	unsigned char bytes[256] = { 0 };
	CK_ULONG size = sizeof(bytes);
	CK_SESSION_HANDLE session = session_user(0), none = session + 1000;

	/* Errors of the session come before all others (section 5.1.6). */
	expect(CKR_SESSION_HANDLE_INVALID, p11->C_Encrypt(none, NULL, 16, bytes, NULL));
	expect(CKR_SESSION_HANDLE_INVALID, p11->C_Decrypt(none, NULL, 16, bytes, NULL));
	expect(CKR_SESSION_HANDLE_INVALID, p11->C_Sign(none, NULL, 16, bytes, NULL));
	expect(CKR_SESSION_HANDLE_INVALID, p11->C_SignUpdate(none, NULL, 16));
	expect(CKR_SESSION_HANDLE_INVALID, p11->C_SignFinal(none, bytes, NULL));
	expect(CKR_SESSION_HANDLE_INVALID, p11->C_Verify(none, NULL, 16, NULL, 16));
	expect(CKR_SESSION_HANDLE_INVALID, p11->C_VerifyUpdate(none, NULL, 16));
	expect(CKR_SESSION_HANDLE_INVALID, p11->C_VerifyFinal(none, NULL, 16));
	expect(CKR_SESSION_HANDLE_INVALID, p11->C_Digest(none, NULL, 16, bytes, NULL));
	expect(CKR_SESSION_HANDLE_INVALID, p11->C_FindObjects(none, NULL, 1, NULL));
	expect(CKR_SESSION_HANDLE_INVALID, p11->C_GenerateKey(none, NULL, NULL, 1, NULL));
	expect(CKR_SESSION_HANDLE_INVALID, p11->C_GenerateRandom(none, NULL, 1));
	expect(CKR_SESSION_HANDLE_INVALID, p11->C_GetSessionInfo(none, NULL));
	null_session = session;
	if (offered(VERB_ENCRYPT)) {
		expect(CKR_ARGUMENTS_BAD,
		       p11->C_Encrypt(session_with(VERB_ENCRYPT), bytes, 16, bytes, NULL));
		expect(CKR_ARGUMENTS_BAD,
		       p11->C_Encrypt(session_with(VERB_ENCRYPT), NULL, 16, bytes, &size));
	}
	if (offered(VERB_DECRYPT)) {
		expect(CKR_ARGUMENTS_BAD,
		       p11->C_Decrypt(session_with(VERB_DECRYPT), bytes, 256, bytes, NULL));
		expect(CKR_ARGUMENTS_BAD,
		       p11->C_Decrypt(session_with(VERB_DECRYPT), NULL, 256, bytes, &size));
	}
	if (offered(VERB_SIGN)) {
		expect(CKR_ARGUMENTS_BAD,
		       p11->C_Sign(session_with(VERB_SIGN), bytes, 16, bytes, NULL));
		expect(CKR_ARGUMENTS_BAD,
		       p11->C_Sign(session_with(VERB_SIGN), NULL, 16, bytes, &size));
		expect(CKR_ARGUMENTS_BAD, p11->C_SignUpdate(session_with(VERB_SIGN), NULL, 16));
		expect(CKR_ARGUMENTS_BAD, p11->C_SignFinal(session_with(VERB_SIGN), bytes, NULL));
	}
	if (offered(VERB_VERIFY)) {
		expect(CKR_ARGUMENTS_BAD,
		       p11->C_Verify(session_with(VERB_VERIFY), bytes, 16, NULL, 256));
		expect(CKR_ARGUMENTS_BAD,
		       p11->C_Verify(session_with(VERB_VERIFY), NULL, 16, bytes, 256));
		expect(CKR_ARGUMENTS_BAD,
		       p11->C_VerifyUpdate(session_with(VERB_VERIFY), NULL, 16));
		expect(CKR_ARGUMENTS_BAD,
		       p11->C_VerifyFinal(session_with(VERB_VERIFY), NULL, 256));
		session_with(VERB_VERIFY);
	}
}
END_TEST

START_TEST(not_initialized)
{
	CK_SESSION_HANDLE session = session_user(0);
	unsigned char bytes[256] = { 0 };
	CK_ULONG size = sizeof(bytes);

	expect(CKR_OPERATION_NOT_INITIALIZED, p11->C_Encrypt(session, bytes, 16, bytes, &size));
	expect(CKR_OPERATION_NOT_INITIALIZED,
	       p11->C_EncryptUpdate(session, bytes, 16, bytes, &size));
	expect(CKR_OPERATION_NOT_INITIALIZED, p11->C_EncryptFinal(session, bytes, &size));
	expect(CKR_OPERATION_NOT_INITIALIZED, p11->C_Decrypt(session, bytes, 16, bytes, &size));
	expect(CKR_OPERATION_NOT_INITIALIZED,
	       p11->C_DecryptUpdate(session, bytes, 16, bytes, &size));
	expect(CKR_OPERATION_NOT_INITIALIZED, p11->C_DecryptFinal(session, bytes, &size));
	expect(CKR_OPERATION_NOT_INITIALIZED, p11->C_Sign(session, bytes, 16, bytes, &size));
	expect(CKR_OPERATION_NOT_INITIALIZED, p11->C_SignUpdate(session, bytes, 16));
	expect(CKR_OPERATION_NOT_INITIALIZED, p11->C_SignFinal(session, bytes, &size));
	expect(CKR_OPERATION_NOT_INITIALIZED, p11->C_Verify(session, bytes, 16, bytes, 16));
	expect(CKR_OPERATION_NOT_INITIALIZED, p11->C_VerifyUpdate(session, bytes, 16));
	expect(CKR_OPERATION_NOT_INITIALIZED, p11->C_VerifyFinal(session, bytes, 16));
	expect(CKR_OPERATION_NOT_INITIALIZED, p11->C_Digest(session, bytes, 16, bytes, &size));
	expect(CKR_OPERATION_NOT_INITIALIZED, p11->C_DigestUpdate(session, bytes, 16));
	expect(CKR_OPERATION_NOT_INITIALIZED, p11->C_DigestFinal(session, bytes, &size));
}
END_TEST

/* Section 5.13: C_Sign does not end what C_SignUpdate has begun; it fails and ends it. */
START_TEST(single_part_after_update)
{
	CK_SESSION_HANDLE session = session_user(0);
	unsigned char bytes[256] = { 0 };
	CK_ULONG size = sizeof(bytes);

	if (!offered(VERB_SIGN) || !offered(VERB_VERIFY))
		return;
	expect(CKR_OK, p11->C_SignInit(session, &sign_mechanism, pair_private(session, PAIR_RSA)));
	expect(CKR_OK, p11->C_SignUpdate(session, bytes, 16));
	expect_failure(p11->C_Sign(session, bytes, 16, bytes, &size));
	expect(CKR_OPERATION_NOT_INITIALIZED, p11->C_SignFinal(session, bytes, &size));
	expect(CKR_OK, p11->C_VerifyInit(session, &sign_mechanism, pair_public(session, PAIR_RSA)));
	expect(CKR_OK, p11->C_VerifyUpdate(session, bytes, 16));
	expect_failure(p11->C_Verify(session, bytes, 16, bytes, 256));
	expect(CKR_OPERATION_NOT_INITIALIZED, p11->C_VerifyFinal(session, bytes, 256));
}
END_TEST

/* A verb's calls don't work on another verb's operation. */
START_TEST(other_verbs)
{
	CK_SESSION_HANDLE session = session_user(0);

	if (!offered(VERB_SIGN))
		return;
	expect(CKR_OK, p11->C_SignInit(session, &sign_mechanism, pair_private(session, PAIR_RSA)));
	expect(CKR_OPERATION_NOT_INITIALIZED, finish(session, VERB_ENCRYPT));
	expect(CKR_OPERATION_NOT_INITIALIZED, finish(session, VERB_DECRYPT));
	expect(CKR_OPERATION_NOT_INITIALIZED, finish(session, VERB_VERIFY));
	expect(CKR_OK, finish(session, VERB_SIGN));
}
END_TEST

Suite *
operation_suite(void)
{
	Suite *suite = suite_create("operation");
	TCase *tcase = started_case(suite, "started");

	tcase_add_loop_test(tcase, null_mechanism, 0, VERBS);
	tcase_add_loop_test(tcase, active, 0, VERBS);
	tcase_add_loop_test(tcase, invalid_key, 0, VERBS);
	tcase_add_loop_test(tcase, wrong_half, 0, VERBS);
	tcase_add_loop_test(tcase, wrong_key_type, 0, VERBS);
	tcase_add_loop_test(tcase, usage_not_permitted, 0, VERBS);
	tcase_add_loop_test(tcase, mechanism_invalid, 0, VERBS);
	tcase_add_test(tcase, mechanism_not_for_this);
	tcase_add_test(tcase, oaep_parameters);
	tcase_add_test(tcase, pss_parameters);
	tcase_add_test(tcase, needless_parameter);
	tcase_add_test(tcase, null_arguments);
	tcase_add_test(tcase, not_initialized);
	tcase_add_test(tcase, single_part_after_update);
	tcase_add_test(tcase, other_verbs);
	return suite;
}
