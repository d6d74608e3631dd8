/* SPDX-License-Identifier: Apache-2.0 */
/* Secret keys of a session: sections 5.7 (objects) and 5.18 (C_GenerateKey), value by value. */
#include "blackbox.h"

static CK_BBOOL yes = CK_TRUE, no = CK_FALSE;
static CK_OBJECT_CLASS secret_key = CKO_SECRET_KEY;
static CK_KEY_TYPE aes = CKK_AES;
static unsigned char value[16] = "sixteen bytes...";
static CK_ULONG length = 16;
static CK_MECHANISM generate = { CKM_AES_KEY_GEN, NULL, 0 };
static CK_OBJECT_HANDLE key;

#define IS(type, variable) ATTRIBUTE(type, &(variable), sizeof(variable))

static bool
has_secret_keys(void)
{
	return mechanism_offers(CKM_AES_KEY_GEN, CKF_GENERATE);
}

/* An AES key with one attribute more, or with another value of one. */
static CK_RV
create_with(CK_SESSION_HANDLE session, CK_ATTRIBUTE_TYPE type, const void *bytes, CK_ULONG size)
{
	CK_ATTRIBUTE template[] = {
		IS(CKA_CLASS, secret_key), IS(CKA_KEY_TYPE, aes), IS(CKA_TOKEN, no),
		IS(CKA_PRIVATE, no),       IS(CKA_VALUE, value),  ATTRIBUTE(type, bytes, size),
	};

	for (CK_ULONG i = 0; i < COUNT(template) - 1; i++) {
		if (template[i].type == type) {
			template[i] = template[COUNT(template) - 1];
			return p11->C_CreateObject(session, template, COUNT(template) - 1, &key);
		}
	}
	return p11->C_CreateObject(session, template, COUNT(template), &key);
}

static CK_RV
generate_with(CK_SESSION_HANDLE session, CK_ATTRIBUTE_TYPE type, const void *bytes, CK_ULONG size)
{
	CK_ATTRIBUTE template[] = { IS(CKA_TOKEN, no), IS(CKA_PRIVATE, no), IS(CKA_VALUE_LEN, length),
		                    ATTRIBUTE(type, bytes, size) };
	CK_ULONG last = COUNT(template) - 1;

	for (CK_ULONG i = 0; i < last; i++) {
		if (template[i].type == type) {
			template[i] = template[last];
			return p11->C_GenerateKey(session, &generate, template, last, &key);
		}
	}
	return p11->C_GenerateKey(session, &generate, template, last + 1, &key);
}

START_TEST(create)
{
	CK_SESSION_HANDLE session = session_public(0);
	CK_ATTRIBUTE classless[] = { IS(CKA_KEY_TYPE, aes), IS(CKA_TOKEN, no), IS(CKA_VALUE, value) };
	CK_ATTRIBUTE valueless[] = { IS(CKA_CLASS, secret_key), IS(CKA_KEY_TYPE, aes),
		                     IS(CKA_TOKEN, no), IS(CKA_PRIVATE, no) };
	CK_ULONG modulus_bits = 2048;

	if (!has_secret_keys())
		return;
	expect(CKR_OK, create_with(session, CKA_LABEL, "x", 1));
	expect(CKR_SESSION_HANDLE_INVALID, create_with(session + 1000, CKA_LABEL, "x", 1));
	expect(CKR_ATTRIBUTE_VALUE_INVALID, create_with(session, CKA_VALUE, value, 15));
	expect(CKR_ATTRIBUTE_VALUE_INVALID, create_with(session, CKA_ENCRYPT, value, 3));
	expect(CKR_ATTRIBUTE_READ_ONLY, create_with(session, CKA_LOCAL, &yes, sizeof(yes)));
	expect(CKR_ATTRIBUTE_TYPE_INVALID,
	       create_with(session, CKA_MODULUS_BITS, &modulus_bits, sizeof(modulus_bits)));
	expect(CKR_TEMPLATE_INCOMPLETE,
	       p11->C_CreateObject(session, classless, COUNT(classless), &key));
	expect(CKR_TEMPLATE_INCOMPLETE,
	       p11->C_CreateObject(session, valueless, COUNT(valueless), &key));
	/* A key that wraps does not encrypt: who can do both reads what was wrapped. */
	{
		CK_ATTRIBUTE both[] = { IS(CKA_CLASS, secret_key), IS(CKA_KEY_TYPE, aes),
			                IS(CKA_TOKEN, no), IS(CKA_PRIVATE, no), IS(CKA_VALUE, value),
			                IS(CKA_WRAP, yes), IS(CKA_DECRYPT, yes) };

		expect(CKR_TEMPLATE_INCONSISTENT,
		       p11->C_CreateObject(session, both, COUNT(both), &key));
	}
	if (login_required())
		expect(CKR_USER_NOT_LOGGED_IN, create_with(session, CKA_PRIVATE, &yes, sizeof(yes)));
}
END_TEST

START_TEST(generated)
{
	CK_SESSION_HANDLE session = session_public(0);
	CK_ATTRIBUTE lengthless[] = { IS(CKA_TOKEN, no), IS(CKA_PRIVATE, no) };
	CK_KEY_TYPE generic = CKK_GENERIC_SECRET;
	CK_ULONG odd = 15, modulus_bits = 2048;
	CK_MECHANISM sha256 = { CKM_SHA256, NULL, 0 }, with = { CKM_AES_KEY_GEN, value, 4 };

	if (!has_secret_keys())
		return;
	expect(CKR_OK, generate_with(session, CKA_LABEL, "x", 1));
	ck_assert(attribute_bool(session, key, CKA_LOCAL));
	expect(CKR_SESSION_HANDLE_INVALID, generate_with(session + 1000, CKA_LABEL, "x", 1));
	expect(CKR_ARGUMENTS_BAD, p11->C_GenerateKey(session, NULL, lengthless, 2, &key));
	expect(CKR_ARGUMENTS_BAD, p11->C_GenerateKey(session, &generate, NULL, 2, &key));
	expect(CKR_ARGUMENTS_BAD, p11->C_GenerateKey(session, &generate, lengthless, 2, NULL));
	expect(CKR_MECHANISM_INVALID, p11->C_GenerateKey(session, &sha256, lengthless, 2, &key));
	expect(CKR_MECHANISM_PARAM_INVALID, p11->C_GenerateKey(session, &with, lengthless, 2, &key));
	expect(CKR_TEMPLATE_INCOMPLETE, p11->C_GenerateKey(session, &generate, lengthless, 2, &key));
	expect(CKR_TEMPLATE_INCONSISTENT,
	       generate_with(session, CKA_KEY_TYPE, &generic, sizeof(generic)));
	expect(CKR_ATTRIBUTE_VALUE_INVALID, generate_with(session, CKA_VALUE_LEN, &odd, sizeof(odd)));
	expect(CKR_ATTRIBUTE_READ_ONLY, generate_with(session, CKA_VALUE, value, sizeof(value)));
	expect(CKR_ATTRIBUTE_TYPE_INVALID,
	       generate_with(session, CKA_MODULUS_BITS, &modulus_bits, sizeof(modulus_bits)));
	if (login_required())
		expect(CKR_USER_NOT_LOGGED_IN,
		       generate_with(session, CKA_PRIVATE, &yes, sizeof(yes)));
}
END_TEST

START_TEST(copy)
{
	CK_SESSION_HANDLE session = session_public(0);
	CK_OBJECT_HANDLE original, other;
	CK_ATTRIBUTE label = ATTRIBUTE(CKA_LABEL, "other", 5), local = IS(CKA_LOCAL, yes);
	CK_ATTRIBUTE open = IS(CKA_SENSITIVE, no), odd = ATTRIBUTE(CKA_ENCRYPT, value, 3);
	CK_ATTRIBUTE exponent = ATTRIBUTE(CKA_PUBLIC_EXPONENT, value, 3);
	CK_ATTRIBUTE two[] = { IS(CKA_EXTRACTABLE, no), IS(CKA_EXTRACTABLE, yes) };
	CK_ATTRIBUTE private = IS(CKA_PRIVATE, yes);

	if (!has_secret_keys())
		return;
	expect(CKR_OK, create_with(session, CKA_SENSITIVE, &yes, sizeof(yes)));
	original = key;
	expect(CKR_OK, p11->C_CopyObject(session, original, &label, 1, &other));
	ck_assert_uint_ne(original, other);
	expect(CKR_ARGUMENTS_BAD, p11->C_CopyObject(session, original, &label, 1, NULL));
	expect(CKR_ARGUMENTS_BAD, p11->C_CopyObject(session, original, NULL, 1, &other));
	expect(CKR_SESSION_HANDLE_INVALID,
	       p11->C_CopyObject(session + 1000, original, &label, 1, &other));
	expect(CKR_OBJECT_HANDLE_INVALID,
	       p11->C_CopyObject(session, original + 1000000, &label, 1, &other));
	expect(CKR_ATTRIBUTE_READ_ONLY, p11->C_CopyObject(session, original, &local, 1, &other));
	expect(CKR_ATTRIBUTE_READ_ONLY, p11->C_CopyObject(session, original, &open, 1, &other));
	expect(CKR_ATTRIBUTE_VALUE_INVALID, p11->C_CopyObject(session, original, &odd, 1, &other));
	expect(CKR_ATTRIBUTE_TYPE_INVALID,
	       p11->C_CopyObject(session, original, &exponent, 1, &other));
	expect(CKR_TEMPLATE_INCONSISTENT, p11->C_CopyObject(session, original, two, 2, &other));
	if (login_required())
		expect(CKR_USER_NOT_LOGGED_IN,
		       p11->C_CopyObject(session, original, &private, 1, &other));
	expect(CKR_OK, create_with(session, CKA_COPYABLE, &no, sizeof(no)));
	expect(CKR_ACTION_PROHIBITED, p11->C_CopyObject(session, key, &label, 1, &other));
}
END_TEST

START_TEST(set)
{
	CK_SESSION_HANDLE session = session_public(0);
	CK_OBJECT_HANDLE original;
	CK_ATTRIBUTE label = ATTRIBUTE(CKA_LABEL, "other", 5), local = IS(CKA_LOCAL, yes);
	CK_ATTRIBUTE open = IS(CKA_SENSITIVE, no), odd = ATTRIBUTE(CKA_ENCRYPT, value, 3);
	CK_ATTRIBUTE exponent = ATTRIBUTE(CKA_PUBLIC_EXPONENT, value, 3);
	CK_ATTRIBUTE two[] = { ATTRIBUTE(CKA_LABEL, "a", 1), ATTRIBUTE(CKA_LABEL, "b", 1) };

	if (!has_secret_keys())
		return;
	expect(CKR_OK, create_with(session, CKA_SENSITIVE, &yes, sizeof(yes)));
	original = key;
	expect(CKR_OK, p11->C_SetAttributeValue(session, original, &label, 1));
	expect(CKR_ARGUMENTS_BAD, p11->C_SetAttributeValue(session, original, NULL, 1));
	expect(CKR_SESSION_HANDLE_INVALID,
	       p11->C_SetAttributeValue(session + 1000, original, &label, 1));
	expect(CKR_OBJECT_HANDLE_INVALID,
	       p11->C_SetAttributeValue(session, original + 1000000, &label, 1));
	expect(CKR_ATTRIBUTE_READ_ONLY, p11->C_SetAttributeValue(session, original, &local, 1));
	expect(CKR_ATTRIBUTE_READ_ONLY, p11->C_SetAttributeValue(session, original, &open, 1));
	expect(CKR_ATTRIBUTE_VALUE_INVALID, p11->C_SetAttributeValue(session, original, &odd, 1));
	expect(CKR_ATTRIBUTE_TYPE_INVALID,
	       p11->C_SetAttributeValue(session, original, &exponent, 1));
	expect(CKR_TEMPLATE_INCONSISTENT, p11->C_SetAttributeValue(session, original, two, 2));
	expect(CKR_OK, create_with(session, CKA_MODIFIABLE, &no, sizeof(no)));
	expect(CKR_ACTION_PROHIBITED, p11->C_SetAttributeValue(session, key, &label, 1));
}
END_TEST

START_TEST(read_and_destroy)
{
	CK_SESSION_HANDLE session = session_public(0);
	CK_ATTRIBUTE got = ATTRIBUTE(CKA_LABEL, NULL, 0);
	CK_ULONG size;

	if (!has_secret_keys())
		return;
	expect(CKR_OK, create_with(session, CKA_LABEL, "x", 1));
	expect(CKR_OK, p11->C_GetAttributeValue(session, key, &got, 1));
	expect(CKR_OK, p11->C_GetObjectSize(session, key, &size));
	expect(CKR_ARGUMENTS_BAD, p11->C_GetObjectSize(session, key, NULL));
	expect(CKR_SESSION_HANDLE_INVALID, p11->C_GetObjectSize(session + 1000, key, &size));
	expect(CKR_OBJECT_HANDLE_INVALID, p11->C_GetObjectSize(session, key + 1000000, &size));
	expect(CKR_OK, p11->C_DestroyObject(session, key));
	expect(CKR_OBJECT_HANDLE_INVALID, p11->C_DestroyObject(session, key));
	expect(CKR_OK, create_with(session, CKA_DESTROYABLE, &no, sizeof(no)));
	expect(CKR_ACTION_PROHIBITED, p11->C_DestroyObject(session, key));
}
END_TEST

START_TEST(digest_key)
{
	CK_SESSION_HANDLE session = session_public(0);
	CK_MECHANISM sha256 = { CKM_SHA256, NULL, 0 };
	CK_MECHANISM_TYPE aes_ecb = CKM_AES_ECB;
	unsigned char of_key[32], of_value[32];
	CK_ULONG size = sizeof(of_key);
	CK_OBJECT_CLASS data = CKO_DATA;
	CK_ATTRIBUTE plain[] = { IS(CKA_CLASS, data), IS(CKA_TOKEN, no), IS(CKA_PRIVATE, no) };
	CK_OBJECT_HANDLE object;

	if (!has_secret_keys())
		return;
	expect(CKR_OK, create_with(session, CKA_LABEL, "x", 1));
	expect(CKR_OPERATION_NOT_INITIALIZED, p11->C_DigestKey(session, key));
	expect(CKR_SESSION_HANDLE_INVALID, p11->C_DigestKey(session + 1000, key));
	expect(CKR_OK, p11->C_DigestInit(session, &sha256));
	expect(CKR_OK, p11->C_DigestKey(session, key));
	expect(CKR_OK, p11->C_DigestFinal(session, of_key, &size));
	expect(CKR_OK, p11->C_DigestInit(session, &sha256));
	expect(CKR_ARGUMENTS_BAD, p11->C_DigestFinal(session, of_value, NULL));
	expect(CKR_OK, p11->C_DigestInit(session, &sha256));
	expect(CKR_OK, p11->C_Digest(session, value, sizeof(value), of_value, &size));
	ck_assert_mem_eq(of_key, of_value, sizeof(of_key));
	expect(CKR_OK, p11->C_DigestInit(session, &sha256));
	expect(CKR_KEY_HANDLE_INVALID, p11->C_DigestKey(session, key + 1000000));
	sha256.ulParameterLen = 3;
	sha256.pParameter = value;
	expect(CKR_OK, p11->C_CreateObject(session, plain, COUNT(plain), &object));
	if (p11_3)
		expect(CKR_OK, p11_3->C_SessionCancel(session, CKF_DIGEST));
	expect(CKR_MECHANISM_PARAM_INVALID, p11->C_DigestInit(session, &sha256));
	sha256.ulParameterLen = 0;
	expect(CKR_OK, p11->C_DigestInit(session, &sha256));
	expect(CKR_KEY_INDIGESTIBLE, p11->C_DigestKey(session, object));
	/* CKA_ALLOWED_MECHANISMS is about digests, too. */
	expect(CKR_OK, create_with(session, CKA_ALLOWED_MECHANISMS, &aes_ecb, sizeof(aes_ecb)));
	expect(CKR_OK, p11->C_DigestInit(session, &sha256));
	expect(CKR_KEY_INDIGESTIBLE, p11->C_DigestKey(session, key));
	expect(CKR_OK, create_with(session, CKA_ALLOWED_MECHANISMS, &sha256.mechanism, sizeof(aes_ecb)));
	expect(CKR_OK, p11->C_DigestInit(session, &sha256));
	expect(CKR_OK, p11->C_DigestKey(session, key));
}
END_TEST

Suite *
secret_key_suite(void)
{
	Suite *suite = suite_create("secret-key");
	TCase *tcase = started_case(suite, "started");

	tcase_add_test(tcase, create);
	tcase_add_test(tcase, generated);
	tcase_add_test(tcase, copy);
	tcase_add_test(tcase, set);
	tcase_add_test(tcase, read_and_destroy);
	tcase_add_test(tcase, digest_key);
	return suite;
}
