/* SPDX-License-Identifier: Apache-2.0 */
/* Section 5.7: objects and their attributes; sections 4.4, 4.7-4.9: what they say. */
#include "blackbox.h"
#include "pair.h"

static const CK_OBJECT_HANDLE no_objects[] = { CK_INVALID_HANDLE, 0x5a5a5a5a5a, ~0UL };

START_TEST(public_attributes)
{
	enum pair_kind kind = (enum pair_kind)_i;
	CK_SESSION_HANDLE session = session_public(0);
	CK_OBJECT_HANDLE key;
	CK_ULONG size, id_size;
	const unsigned char *id = pair_id(kind, &id_size);
	const unsigned char *value;

	if (!pair_offered(kind))
		return;
	key = pair_public(session, kind);
	ck_assert_uint_eq(attribute_ulong(session, key, CKA_CLASS), CKO_PUBLIC_KEY);
	ck_assert_uint_eq(attribute_ulong(session, key, CKA_KEY_TYPE), pair_key_type(kind));
	ck_assert(attribute_bool(session, key, CKA_TOKEN));
	ck_assert(!attribute_bool(session, key, CKA_PRIVATE));
	ck_assert(attribute_bool(session, key, CKA_LOCAL));
	ck_assert_int_eq(attribute_bool(session, key, CKA_VERIFY), pair_signs(kind));
	ck_assert_int_eq(attribute_bool(session, key, CKA_ENCRYPT), pair_decrypts(kind));
	value = attribute(session, key, CKA_ID, &size);
	ck_assert_mem_eq(value, id, id_size);
	ck_assert_uint_eq(size, id_size);
	value = attribute(session, key, CKA_LABEL, &size);
	ck_assert_uint_eq(size, strlen(pair_label(kind)));
	ck_assert_mem_eq(value, pair_label(kind), size);
	if (pair_key_type(kind) == CKK_RSA) {
		ck_assert_uint_eq(attribute_ulong(session, key, CKA_MODULUS_BITS), pair_bits(kind));
		value = attribute(session, key, CKA_MODULUS, &size);
		ck_assert_uint_eq(size, pair_bits(kind) / 8);
		ck_assert_uint_ge(value[0], 0x80);
		value = attribute(session, key, CKA_PUBLIC_EXPONENT, &size);
		ck_assert_uint_eq(size, 3);
		ck_assert_mem_eq(value, "\x01\x00\x01", 3);
	}
}
END_TEST

START_TEST(private_attributes)
{
	enum pair_kind kind = (enum pair_kind)_i;
	CK_SESSION_HANDLE session = session_user(0);
	CK_OBJECT_HANDLE key;

	if (!pair_offered(kind))
		return;
	key = pair_private(session, kind);
	ck_assert_uint_eq(attribute_ulong(session, key, CKA_CLASS), CKO_PRIVATE_KEY);
	ck_assert_uint_eq(attribute_ulong(session, key, CKA_KEY_TYPE), pair_key_type(kind));
	ck_assert(attribute_bool(session, key, CKA_TOKEN));
	/* Where nobody logs in there is nothing private: section 4.4 would hide it for ever. */
	ck_assert_int_eq(attribute_bool(session, key, CKA_PRIVATE), login_required());
	ck_assert(attribute_bool(session, key, CKA_SENSITIVE));
	ck_assert(attribute_bool(session, key, CKA_ALWAYS_SENSITIVE));
	ck_assert(!attribute_bool(session, key, CKA_EXTRACTABLE));
	ck_assert(attribute_bool(session, key, CKA_NEVER_EXTRACTABLE));
	ck_assert(attribute_bool(session, key, CKA_LOCAL));
	ck_assert_int_eq(attribute_bool(session, key, CKA_SIGN), pair_signs(kind));
	ck_assert_int_eq(attribute_bool(session, key, CKA_DECRYPT), pair_decrypts(kind));
}
END_TEST

/* Both halves tell the same public components. */
START_TEST(halves_agree)
{
	enum pair_kind kind = (enum pair_kind)_i;
	CK_ATTRIBUTE_TYPE type = pair_key_type(kind) == CKK_RSA ? CKA_MODULUS : CKA_EC_PARAMS;
	CK_SESSION_HANDLE session = session_user(0);
	unsigned char copy[1024];
	const unsigned char *value;
	CK_ULONG size, copy_size;

	if (!pair_offered(kind))
		return;
	value = attribute(session, pair_public(session, kind), type, &copy_size);
	ck_assert_uint_le(copy_size, sizeof(copy));
	memcpy(copy, value, copy_size);
	value = attribute(session, pair_private(session, kind), type, &size);
	ck_assert_uint_eq(size, copy_size);
	ck_assert_mem_eq(value, copy, size);
}
END_TEST

static const CK_ATTRIBUTE_TYPE rsa_secrets[] = { CKA_PRIVATE_EXPONENT, CKA_PRIME_1, CKA_PRIME_2,
	                                         CKA_EXPONENT_1, CKA_EXPONENT_2,
	                                         CKA_COEFFICIENT };

/* Section 5.7, C_GetAttributeValue: each attribute is answered for itself. */
START_TEST(sensitive)
{
	CK_SESSION_HANDLE session = session_user(0);
	unsigned char secret[1024], label[64];
	CK_KEY_TYPE key_type = 77;
	CK_ATTRIBUTE wanted[] = {
		ATTRIBUTE(CKA_LABEL, label, sizeof(label)),
		ATTRIBUTE(rsa_secrets[_i], secret, sizeof(secret)),
		ATTRIBUTE(CKA_KEY_TYPE, &key_type, sizeof(key_type)),
	};
	CK_OBJECT_HANDLE key;

	if (!pair_offered(PAIR_RSA))
		return;
	key = pair_private(session, PAIR_RSA);
	memset(secret, 0x55, sizeof(secret));
	expect(CKR_ATTRIBUTE_SENSITIVE, p11->C_GetAttributeValue(session, key, wanted, 3));
	ck_assert_uint_eq(wanted[1].ulValueLen, CK_UNAVAILABLE_INFORMATION);
	for (size_t i = 0; i < sizeof(secret); i++)
		ck_assert_uint_eq(secret[i], 0x55);
	ck_assert_uint_eq(wanted[0].ulValueLen, strlen(pair_label(PAIR_RSA)));
	ck_assert_mem_eq(label, pair_label(PAIR_RSA), wanted[0].ulValueLen);
	ck_assert_uint_eq(wanted[2].ulValueLen, sizeof(key_type));
	ck_assert_uint_eq(key_type, CKK_RSA);
	/* Not even its size. */
	wanted[1] = (CK_ATTRIBUTE)ATTRIBUTE(rsa_secrets[_i], NULL, 0);
	expect(CKR_ATTRIBUTE_SENSITIVE, p11->C_GetAttributeValue(session, key, wanted + 1, 1));
	ck_assert_uint_eq(wanted[1].ulValueLen, CK_UNAVAILABLE_INFORMATION);
}
END_TEST

START_TEST(sensitive_ec)
{
	CK_SESSION_HANDLE session = session_user(0);
	unsigned char secret[128];
	CK_ATTRIBUTE wanted = ATTRIBUTE(CKA_VALUE, secret, sizeof(secret));

	for (enum pair_kind kind = PAIR_P256; kind <= PAIR_ED25519; kind++) {
		if (!pair_offered(kind))
			continue;
		wanted.ulValueLen = sizeof(secret);
		expect(CKR_ATTRIBUTE_SENSITIVE,
		       p11->C_GetAttributeValue(session, pair_private(session, kind), &wanted, 1));
		ck_assert_uint_eq(wanted.ulValueLen, CK_UNAVAILABLE_INFORMATION);
	}
}
END_TEST

START_TEST(type_invalid)
{
	CK_SESSION_HANDLE session = session_public(0);
	unsigned char value[64], label[64];
	CK_ATTRIBUTE wanted[] = {
		ATTRIBUTE(CKA_PRIVATE_EXPONENT, value, sizeof(value)),
		ATTRIBUTE(CKA_VENDOR_DEFINED | 0x7777, value, sizeof(value)),
		ATTRIBUTE(CKA_LABEL, label, sizeof(label)),
	};

	if (!pair_offered(PAIR_RSA))
		return;
	expect(CKR_ATTRIBUTE_TYPE_INVALID,
	       p11->C_GetAttributeValue(session, pair_public(session, PAIR_RSA), wanted, 3));
	ck_assert_uint_eq(wanted[0].ulValueLen, CK_UNAVAILABLE_INFORMATION);
	ck_assert_uint_eq(wanted[1].ulValueLen, CK_UNAVAILABLE_INFORMATION);
	ck_assert_uint_eq(wanted[2].ulValueLen, strlen(pair_label(PAIR_RSA)));
}
END_TEST

START_TEST(buffer_too_small)
{
	CK_SESSION_HANDLE session = session_public(0);
	unsigned char modulus[256], label[64];
	CK_ATTRIBUTE wanted[] = {
		ATTRIBUTE(CKA_MODULUS, modulus, sizeof(modulus) - 1),
		ATTRIBUTE(CKA_LABEL, label, sizeof(label)),
	};

	if (!pair_offered(PAIR_RSA))
		return;
	memset(modulus, 0x55, sizeof(modulus));
	expect(CKR_BUFFER_TOO_SMALL,
	       p11->C_GetAttributeValue(session, pair_public(session, PAIR_RSA), wanted, 2));
	ck_assert_uint_eq(wanted[0].ulValueLen, CK_UNAVAILABLE_INFORMATION);
	ck_assert_uint_eq(modulus[sizeof(modulus) - 1], 0x55);
	ck_assert_uint_eq(wanted[1].ulValueLen, strlen(pair_label(PAIR_RSA)));
	ck_assert_mem_eq(label, pair_label(PAIR_RSA), wanted[1].ulValueLen);
}
END_TEST

START_TEST(bad_arguments)
{
	CK_SESSION_HANDLE session = session_user(CKF_RW_SESSION);
	CK_OBJECT_HANDLE key;
	CK_ULONG size;

	if (!pair_offered(PAIR_RSA))
		return;
	key = pair_public(session, PAIR_RSA);
	expect(CKR_ARGUMENTS_BAD, p11->C_GetAttributeValue(session, key, NULL, 1));
	expect(CKR_ARGUMENTS_BAD, p11->C_SetAttributeValue(session, key, NULL, 1));
	expect(CKR_ARGUMENTS_BAD, p11->C_CreateObject(session, NULL, 1, &key));
	expect_any(p11->C_GetObjectSize(session, pair_public(session, PAIR_RSA), NULL),
	           CKR_ARGUMENTS_BAD);
	expect_any(p11->C_GetObjectSize(session, pair_public(session, PAIR_RSA), &size), CKR_OK,
	           CKR_INFORMATION_SENSITIVE, CKR_FUNCTION_NOT_SUPPORTED);
}
END_TEST

START_TEST(invalid_object)
{
	CK_OBJECT_HANDLE none = no_objects[_i];
	CK_SESSION_HANDLE session = session_user(CKF_RW_SESSION);
	unsigned char label[64];
	CK_ATTRIBUTE wanted = ATTRIBUTE(CKA_LABEL, label, sizeof(label));
	CK_OBJECT_HANDLE copy;
	CK_ULONG size;

	expect(CKR_OBJECT_HANDLE_INVALID, p11->C_GetAttributeValue(session, none, &wanted, 1));
	expect(CKR_OBJECT_HANDLE_INVALID, p11->C_SetAttributeValue(session, none, &wanted, 1));
	expect(CKR_OBJECT_HANDLE_INVALID, p11->C_DestroyObject(session, none));
	expect_any(p11->C_GetObjectSize(session, none, &size), CKR_OBJECT_HANDLE_INVALID,
	           CKR_FUNCTION_NOT_SUPPORTED);
	expect_any(p11->C_CopyObject(session, none, &wanted, 1, &copy), CKR_OBJECT_HANDLE_INVALID,
	           CKR_FUNCTION_NOT_SUPPORTED);
}
END_TEST

START_TEST(set_read_only_attribute)
{
	CK_SESSION_HANDLE session = session_user(CKF_RW_SESSION);
	CK_OBJECT_CLASS class = CKO_DATA;
	CK_ATTRIBUTE changed = ATTRIBUTE(CKA_CLASS, &class, sizeof(class));
	CK_OBJECT_HANDLE key;

	if (!pair_offered(PAIR_P256))
		return;
	key = pair_private(session, PAIR_P256);
	expect_any(p11->C_SetAttributeValue(session, key, &changed, 1), CKR_ATTRIBUTE_READ_ONLY,
	           CKR_ACTION_PROHIBITED);
	ck_assert_uint_eq(attribute_ulong(session, key, CKA_CLASS), CKO_PRIVATE_KEY);
}
END_TEST

/* What is extractable for no one stays so (section 4.9, footnote on CKA_EXTRACTABLE). */
START_TEST(set_extractable)
{
	CK_SESSION_HANDLE session = session_user(CKF_RW_SESSION);
	CK_BBOOL yes = CK_TRUE, no = CK_FALSE;
	CK_ATTRIBUTE extractable = ATTRIBUTE(CKA_EXTRACTABLE, &yes, sizeof(yes));
	CK_ATTRIBUTE sensitive_not = ATTRIBUTE(CKA_SENSITIVE, &no, sizeof(no));
	CK_OBJECT_HANDLE key;

	if (!pair_offered(PAIR_P256))
		return;
	key = pair_private(session, PAIR_P256);
	expect_any(p11->C_SetAttributeValue(session, key, &extractable, 1),
	           CKR_ATTRIBUTE_READ_ONLY, CKR_ACTION_PROHIBITED);
	expect_any(p11->C_SetAttributeValue(session, key, &sensitive_not, 1),
	           CKR_ATTRIBUTE_READ_ONLY, CKR_ACTION_PROHIBITED);
	ck_assert(!attribute_bool(session, key, CKA_EXTRACTABLE));
	ck_assert(attribute_bool(session, key, CKA_SENSITIVE));
}
END_TEST

START_TEST(read_only_session)
{
	CK_SESSION_HANDLE session = session_user(0);
	CK_ATTRIBUTE changed = ATTRIBUTE(CKA_LABEL, "changed", 7);
	CK_OBJECT_HANDLE key;

	if (!pair_offered(PAIR_P256))
		return;
	key = pair_public(session, PAIR_P256);
	expect(CKR_SESSION_READ_ONLY, p11->C_DestroyObject(session, key));
	expect_any(p11->C_SetAttributeValue(session, key, &changed, 1), CKR_SESSION_READ_ONLY,
	           CKR_ACTION_PROHIBITED);
	ck_assert_uint_eq(pair_public(session, PAIR_P256), key);
}
END_TEST

START_TEST(destroy)
{
	CK_SESSION_HANDLE session = session_user(CKF_RW_SESSION), other = session_public(0);
	CK_ATTRIBUTE sought = ATTRIBUTE(CKA_LABEL, "blackbox-destroyed", 18);
	CK_OBJECT_HANDLE public_key, private_key, found[4];
	CK_MECHANISM mechanism = { CKM_ECDSA, NULL, 0 };
	unsigned char value[128];
	CK_ATTRIBUTE wanted = ATTRIBUTE(CKA_LABEL, value, sizeof(value));

	if (!pair_offered(PAIR_P256))
		return;
	expect(CKR_OK, pair_generate(session, PAIR_P256, "blackbox-destroyed", NULL, 0,
	                             &public_key, &private_key));
	ck_assert_uint_eq(find_all(session, &sought, 1, found, COUNT(found)), 2);
	expect(CKR_OK, p11->C_DestroyObject(session, private_key));
	expect(CKR_OBJECT_HANDLE_INVALID,
	       p11->C_GetAttributeValue(session, private_key, &wanted, 1));
	expect(CKR_OBJECT_HANDLE_INVALID, p11->C_DestroyObject(session, private_key));
	expect_any(p11->C_SignInit(session, &mechanism, private_key), CKR_KEY_HANDLE_INVALID,
	           CKR_OBJECT_HANDLE_INVALID);
	/* Where the pair is one thing, its public half is gone by now. */
	expect_any(p11->C_DestroyObject(session, public_key), CKR_OK, CKR_OBJECT_HANDLE_INVALID);
	ck_assert_uint_eq(find_all(session, &sought, 1, found, COUNT(found)), 0);
	ck_assert_uint_eq(find_all(other, &sought, 1, found, COUNT(found)), 0);
	expect(CKR_OBJECT_HANDLE_INVALID,
	       p11->C_GetAttributeValue(other, public_key, &wanted, 1));
}
END_TEST

/* Templates that say too little or contradict themselves (section 4.1.1). */
START_TEST(create_incomplete)
{
	CK_SESSION_HANDLE session = session_user(CKF_RW_SESSION);
	CK_OBJECT_CLASS class = CKO_SECRET_KEY;
	CK_ATTRIBUTE only_class = ATTRIBUTE(CKA_CLASS, &class, sizeof(class));
	CK_ATTRIBUTE only_label = ATTRIBUTE(CKA_LABEL, "no class", 8);
	CK_OBJECT_HANDLE object;

	expect_any(p11->C_CreateObject(session, &only_class, 1, &object), CKR_TEMPLATE_INCOMPLETE,
	           CKR_FUNCTION_NOT_SUPPORTED);
	expect_any(p11->C_CreateObject(session, &only_label, 1, &object), CKR_TEMPLATE_INCOMPLETE,
	           CKR_FUNCTION_NOT_SUPPORTED);
}
END_TEST

Suite *
object_suite(void)
{
	Suite *suite = suite_create("object");
	TCase *tcase = started_case(suite, "started");

	tcase_add_loop_test(tcase, public_attributes, 0, PAIR_KINDS);
	tcase_add_loop_test(tcase, private_attributes, 0, PAIR_KINDS);
	tcase_add_loop_test(tcase, halves_agree, 0, PAIR_KINDS);
	tcase_add_loop_test(tcase, sensitive, 0, COUNT(rsa_secrets));
	tcase_add_test(tcase, sensitive_ec);
	tcase_add_test(tcase, type_invalid);
	tcase_add_test(tcase, buffer_too_small);
	tcase_add_test(tcase, bad_arguments);
	tcase_add_loop_test(tcase, invalid_object, 0, COUNT(no_objects));
	tcase_add_test(tcase, set_read_only_attribute);
	tcase_add_test(tcase, set_extractable);
	tcase_add_test(tcase, read_only_session);
	tcase_add_test(tcase, destroy);
	tcase_add_test(tcase, create_incomplete);
	return suite;
}
