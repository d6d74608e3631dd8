/* SPDX-License-Identifier: Apache-2.0 */
/* Section 5.16: C_GenerateKeyPair, and what a template may say. */
#include "blackbox.h"
#include "pair.h"
#include "signing.h"

#include <openssl/rand.h>

static CK_BBOOL yes = CK_TRUE, no = CK_FALSE;

/* Finds, signs with and destroys what was generated: a pair is more than two handles. */
static void
use_and_destroy(CK_SESSION_HANDLE session, enum pair_kind kind, CK_OBJECT_HANDLE public_key,
                CK_OBJECT_HANDLE private_key)
{
	unsigned char message[MESSAGE_MAX], signature[SIGNATURE_MAX];
	CK_ULONG size = sizeof(signature), message_size;
	EVP_PKEY *key = pair_evp(session, public_key, kind);

	for (size_t i = 0; i < signing_count(); i++) {
		const struct signing *signing = signing_at(i);
		struct signing_mechanism use;

		if (!signing_applies(signing, kind, CKF_SIGN))
			continue;
		signing_mechanism(signing, &use);
		message_size = signing_message(signing, kind, message);
		expect(CKR_OK, p11->C_SignInit(session, &use.mechanism, private_key));
		expect(CKR_OK, p11->C_Sign(session, message, message_size, signature, &size));
		ck_assert(signing_verify(signing, key, message, message_size, signature, size));
		break;
	}
	EVP_PKEY_free(key);
	expect(CKR_OK, p11->C_DestroyObject(session, private_key));
	expect_any(p11->C_DestroyObject(session, public_key), CKR_OK, CKR_OBJECT_HANDLE_INVALID);
}

/* With a label and no CKA_ID: the token must choose one, the same for both halves. */
START_TEST(without_id)
{
	enum pair_kind kind = (enum pair_kind)_i;
	CK_SESSION_HANDLE session = session_user(CKF_RW_SESSION);
	CK_OBJECT_HANDLE public_key, private_key;
	unsigned char id[256];
	const unsigned char *value;
	CK_ULONG id_size, size;

	if (!pair_offered(kind))
		return;
	expect(CKR_OK, pair_generate(session, kind, "blackbox-no-id", NULL, 0, &public_key,
	                             &private_key));
	value = attribute(session, public_key, CKA_ID, &id_size);
	memcpy(id, value, id_size);
	value = attribute(session, private_key, CKA_ID, &size);
	ck_assert_uint_eq(size, id_size);
	ck_assert_mem_eq(value, id, size);
	use_and_destroy(session, kind, public_key, private_key);
}
END_TEST

START_TEST(ids_are_kept)
{
	static const CK_ULONG sizes[] = { 5, 16, 20, 64 };
	CK_SESSION_HANDLE session = session_user(CKF_RW_SESSION);
	CK_OBJECT_HANDLE public_key, private_key;
	unsigned char id[64];
	const unsigned char *value;
	CK_ULONG size;

	if (!pair_offered(PAIR_P256))
		return;
	for (size_t i = 0; i < COUNT(sizes); i++) {
		/* Never one of an earlier run: some tokens keep the ids of what was destroyed. */
		ck_assert_int_eq(RAND_bytes(id, sizeof(id)), 1);
		expect(CKR_OK, pair_generate(session, PAIR_P256, "blackbox-id", id, sizes[i],
		                             &public_key, &private_key));
		value = attribute(session, public_key, CKA_ID, &size);
		ck_assert_uint_eq(size, sizes[i]);
		ck_assert_mem_eq(value, id, size);
		value = attribute(session, private_key, CKA_ID, &size);
		ck_assert_uint_eq(size, sizes[i]);
		ck_assert_mem_eq(value, id, size);
		use_and_destroy(session, PAIR_P256, public_key, private_key);
	}
}
END_TEST

/* Session objects go with their session; a module may have none. */
START_TEST(session_pair)
{
	CK_SESSION_HANDLE session = session_user(0), other = session_user(0);
	CK_MECHANISM mechanism = { CKM_EC_KEY_PAIR_GEN, NULL, 0 };
	CK_ATTRIBUTE public_template[] = {
		ATTRIBUTE(CKA_EC_PARAMS, "\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07", 10),
		ATTRIBUTE(CKA_TOKEN, &no, sizeof(no)),
		ATTRIBUTE(CKA_LABEL, "blackbox-session", 16),
		ATTRIBUTE(CKA_VERIFY, &yes, sizeof(yes)),
	};
	CK_ATTRIBUTE private_template[] = {
		ATTRIBUTE(CKA_TOKEN, &no, sizeof(no)),
		ATTRIBUTE(CKA_SIGN, &yes, sizeof(yes)),
		ATTRIBUTE(CKA_LABEL, "blackbox-session", 16),
	};
	CK_ATTRIBUTE *label = &public_template[2];
	CK_OBJECT_HANDLE public_key, private_key, found[4];
	CK_RV rv;

	if (!pair_offered(PAIR_P256))
		return;
	rv = p11->C_GenerateKeyPair(session, &mechanism, public_template, 4, private_template, 3,
	                            &public_key, &private_key);
	expect_any(rv, CKR_OK, CKR_TEMPLATE_INCONSISTENT, CKR_ATTRIBUTE_VALUE_INVALID);
	if (rv != CKR_OK)
		return;
	ck_assert(!attribute_bool(session, public_key, CKA_TOKEN));
	ck_assert_uint_eq(find_all(other, label, 1, found, COUNT(found)), 2);
	expect(CKR_OK, p11->C_CloseSession(session));
	ck_assert_uint_eq(find_all(other, label, 1, found, COUNT(found)), 0);
}
END_TEST

START_TEST(read_only_session)
{
	CK_SESSION_HANDLE session = session_user(0);
	CK_OBJECT_HANDLE public_key, private_key;

	if (pair_offered(PAIR_P256))
		expect(CKR_SESSION_READ_ONLY,
		       pair_generate(session, PAIR_P256, "never made", NULL, 0, &public_key,
		                     &private_key));
}
END_TEST

START_TEST(bad_arguments)
{
	CK_SESSION_HANDLE session = session_user(CKF_RW_SESSION);
	CK_MECHANISM mechanism = { CKM_EC_KEY_PAIR_GEN, NULL, 0 };
	CK_ATTRIBUTE curve =
		ATTRIBUTE(CKA_EC_PARAMS, "\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07", 10);
	CK_OBJECT_HANDLE public_key, private_key;

	if (!pair_offered(PAIR_P256))
		return;
	expect(CKR_ARGUMENTS_BAD, p11->C_GenerateKeyPair(session, NULL, &curve, 1, NULL, 0,
	                                                 &public_key, &private_key));
	expect(CKR_ARGUMENTS_BAD, p11->C_GenerateKeyPair(session, &mechanism, NULL, 1, NULL, 0,
	                                                 &public_key, &private_key));
	expect(CKR_ARGUMENTS_BAD, p11->C_GenerateKeyPair(session, &mechanism, &curve, 1, NULL, 1,
	                                                 &public_key, &private_key));
	expect(CKR_ARGUMENTS_BAD, p11->C_GenerateKeyPair(session, &mechanism, &curve, 1, NULL, 0,
	                                                 NULL, &private_key));
	expect(CKR_ARGUMENTS_BAD, p11->C_GenerateKeyPair(session, &mechanism, &curve, 1, NULL, 0,
	                                                 &public_key, NULL));
}
END_TEST

/* Token objects, so that no module's lack of session objects is what refuses them. */
static CK_RV
generate_with(CK_MECHANISM_TYPE type, const CK_ATTRIBUTE *of_public, CK_ULONG public_count,
              const CK_ATTRIBUTE *of_private, CK_ULONG private_count)
{
	CK_SESSION_HANDLE session = session_user(CKF_RW_SESSION);
	CK_MECHANISM mechanism = { type, NULL, 0 };
	CK_ATTRIBUTE public_template[8] = { ATTRIBUTE(CKA_TOKEN, &yes, sizeof(yes)) };
	CK_ATTRIBUTE private_template[8] = { ATTRIBUTE(CKA_TOKEN, &yes, sizeof(yes)) };
	CK_OBJECT_HANDLE public_key = 0, private_key = 0;

	for (CK_ULONG i = 0; i < public_count; i++)
		public_template[1 + i] = of_public[i];
	for (CK_ULONG i = 0; i < private_count; i++)
		private_template[1 + i] = of_private[i];
	return p11->C_GenerateKeyPair(session, &mechanism, public_template, 1 + public_count,
	                              private_template, 1 + private_count, &public_key,
	                              &private_key);
}

/* Templates that can't be meant (section 4.1.1), by one attribute each. */
START_TEST(templates_refused)
{
	CK_OBJECT_CLASS secret_class = CKO_SECRET_KEY;
	CK_KEY_TYPE rsa = CKK_RSA;
	CK_ULONG bits = 2048;
	CK_ATTRIBUTE of_public[2] = {
		ATTRIBUTE(CKA_EC_PARAMS, "\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07", 10),
	};
	CK_ATTRIBUTE of_private[1] = { ATTRIBUTE(CKA_SIGN, &yes, sizeof(yes)) };

	if (!pair_offered(PAIR_P256))
		return;
	of_public[1] = (CK_ATTRIBUTE)ATTRIBUTE(CKA_CLASS, &secret_class, sizeof(secret_class));
	expect(CKR_TEMPLATE_INCONSISTENT,
	       generate_with(CKM_EC_KEY_PAIR_GEN, of_public, 2, of_private, 1));
	of_public[1] = (CK_ATTRIBUTE)ATTRIBUTE(CKA_KEY_TYPE, &rsa, sizeof(rsa));
	expect(CKR_TEMPLATE_INCONSISTENT,
	       generate_with(CKM_EC_KEY_PAIR_GEN, of_public, 2, of_private, 1));
	of_private[0] = (CK_ATTRIBUTE)ATTRIBUTE(CKA_CLASS, &secret_class, sizeof(secret_class));
	expect(CKR_TEMPLATE_INCONSISTENT,
	       generate_with(CKM_EC_KEY_PAIR_GEN, of_public, 1, of_private, 1));
	/* Sizes that no value of the type has. */
	of_private[0] = (CK_ATTRIBUTE)ATTRIBUTE(CKA_SIGN, &yes, 0);
	expect(CKR_ATTRIBUTE_VALUE_INVALID,
	       generate_with(CKM_EC_KEY_PAIR_GEN, of_public, 1, of_private, 1));
	of_private[0] = (CK_ATTRIBUTE)ATTRIBUTE(CKA_SIGN, &bits, sizeof(bits));
	expect(CKR_ATTRIBUTE_VALUE_INVALID,
	       generate_with(CKM_EC_KEY_PAIR_GEN, of_public, 1, of_private, 1));
	/* What only the token can say. */
	of_private[0] = (CK_ATTRIBUTE)ATTRIBUTE(CKA_LOCAL, &yes, sizeof(yes));
	expect(CKR_ATTRIBUTE_READ_ONLY,
	       generate_with(CKM_EC_KEY_PAIR_GEN, of_public, 1, of_private, 1));
	of_private[0] = (CK_ATTRIBUTE)ATTRIBUTE(CKA_VALUE, "12345678", 8);
	expect(CKR_ATTRIBUTE_READ_ONLY,
	       generate_with(CKM_EC_KEY_PAIR_GEN, of_public, 1, of_private, 1));
	of_private[0] = (CK_ATTRIBUTE)ATTRIBUTE(CKA_VENDOR_DEFINED | 0x7777, "12345678", 8);
	expect(CKR_ATTRIBUTE_TYPE_INVALID,
	       generate_with(CKM_EC_KEY_PAIR_GEN, of_public, 1, of_private, 1));
}
END_TEST

/* Keys of an HSM don't leave it: where the module makes them extractable, it must say so. */
START_TEST(extractable)
{
	CK_SESSION_HANDLE session = session_user(CKF_RW_SESSION);
	CK_MECHANISM mechanism = { CKM_EC_KEY_PAIR_GEN, NULL, 0 };
	CK_ATTRIBUTE of_public[] = {
		ATTRIBUTE(CKA_EC_PARAMS, "\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07", 10),
		ATTRIBUTE(CKA_TOKEN, &yes, sizeof(yes)),
		ATTRIBUTE(CKA_LABEL, "blackbox-extractable", 20),
	};
	CK_ATTRIBUTE of_private[] = {
		ATTRIBUTE(CKA_TOKEN, &yes, sizeof(yes)),
		ATTRIBUTE(CKA_EXTRACTABLE, &yes, sizeof(yes)),
		ATTRIBUTE(CKA_LABEL, "blackbox-extractable", 20),
	};
	CK_OBJECT_HANDLE public_key, private_key;
	CK_RV rv;

	if (!pair_offered(PAIR_P256))
		return;
	rv = p11->C_GenerateKeyPair(session, &mechanism, of_public, 3, of_private, 3, &public_key,
	                            &private_key);
	expect_any(rv, CKR_OK, CKR_ATTRIBUTE_VALUE_INVALID, CKR_TEMPLATE_INCONSISTENT);
	if (rv == CKR_OK) {
		ck_assert(attribute_bool(session, private_key, CKA_EXTRACTABLE));
		ck_assert(!attribute_bool(session, private_key, CKA_NEVER_EXTRACTABLE));
		(void)p11->C_DestroyObject(session, private_key);
		(void)p11->C_DestroyObject(session, public_key);
	}
}
END_TEST

START_TEST(incomplete)
{
	CK_ATTRIBUTE of_public = ATTRIBUTE(CKA_VERIFY, &yes, sizeof(yes));
	CK_ATTRIBUTE of_private = ATTRIBUTE(CKA_SIGN, &yes, sizeof(yes));

	if (pair_offered(PAIR_P256))
		expect(CKR_TEMPLATE_INCOMPLETE,
		       generate_with(CKM_EC_KEY_PAIR_GEN, &of_public, 1, &of_private, 1));
	if (pair_offered(PAIR_RSA))
		expect(CKR_TEMPLATE_INCOMPLETE,
		       generate_with(CKM_RSA_PKCS_KEY_PAIR_GEN, &of_public, 1, &of_private, 1));
}
END_TEST

START_TEST(sizes_refused)
{
	static const CK_ULONG sizes[] = { 0, 1, 511, 1000000 };
	CK_ULONG bits;
	CK_ATTRIBUTE of_public[] = {
		ATTRIBUTE(CKA_MODULUS_BITS, &bits, sizeof(bits)),
		ATTRIBUTE(CKA_PUBLIC_EXPONENT, "\x01\x00\x01", 3),
	};

	for (size_t i = 0; pair_offered(PAIR_RSA) && i < COUNT(sizes); i++) {
		bits = sizes[i];
		expect_any(generate_with(CKM_RSA_PKCS_KEY_PAIR_GEN, of_public, 2, NULL, 0),
		           CKR_KEY_SIZE_RANGE, CKR_ATTRIBUTE_VALUE_INVALID);
	}
	/* An exponent that makes the key worthless. */
	bits = 2048;
	of_public[1] = (CK_ATTRIBUTE)ATTRIBUTE(CKA_PUBLIC_EXPONENT, "\x01", 1);
	if (pair_offered(PAIR_RSA))
		expect_failure(generate_with(CKM_RSA_PKCS_KEY_PAIR_GEN, of_public, 2, NULL, 0));
}
END_TEST

START_TEST(curves_refused)
{
	CK_ATTRIBUTE unknown =
		ATTRIBUTE(CKA_EC_PARAMS, "\x06\x09\x2b\x06\x01\x04\x01\x9a\x7c\x77\x01", 11);
	CK_ATTRIBUTE nonsense = ATTRIBUTE(CKA_EC_PARAMS, "\x30\x84\xff\xff", 4);

	if (!pair_offered(PAIR_P256))
		return;
	expect_any(generate_with(CKM_EC_KEY_PAIR_GEN, &unknown, 1, NULL, 0),
	           CKR_CURVE_NOT_SUPPORTED, CKR_DOMAIN_PARAMS_INVALID, CKR_ATTRIBUTE_VALUE_INVALID,
	           CKR_TEMPLATE_INCONSISTENT);
	expect_any(generate_with(CKM_EC_KEY_PAIR_GEN, &nonsense, 1, NULL, 0),
	           CKR_CURVE_NOT_SUPPORTED, CKR_DOMAIN_PARAMS_INVALID, CKR_ATTRIBUTE_VALUE_INVALID,
	           CKR_TEMPLATE_INCONSISTENT);
}
END_TEST

START_TEST(mechanism_invalid)
{
	CK_ATTRIBUTE of_public = ATTRIBUTE(CKA_VERIFY, &yes, sizeof(yes));

	expect(CKR_MECHANISM_INVALID, generate_with(CKM_SHA256, &of_public, 1, NULL, 0));
	expect(CKR_MECHANISM_INVALID,
	       generate_with(CKM_VENDOR_DEFINED | 0x7777, &of_public, 1, NULL, 0));
}
END_TEST

Suite *
key_pair_suite(void)
{
	Suite *suite = suite_create("key-pair");
	TCase *tcase = started_case(suite, "started");

	tcase_add_loop_test(tcase, without_id, 0, PAIR_KINDS);
	tcase_add_test(tcase, ids_are_kept);
	tcase_add_test(tcase, session_pair);
	tcase_add_test(tcase, read_only_session);
	tcase_add_test(tcase, bad_arguments);
	tcase_add_test(tcase, templates_refused);
	tcase_add_test(tcase, extractable);
	tcase_add_test(tcase, incomplete);
	tcase_add_test(tcase, sizes_refused);
	tcase_add_test(tcase, curves_refused);
	tcase_add_test(tcase, mechanism_invalid);
	return suite;
}
