/* SPDX-License-Identifier: Apache-2.0 */
/* Wrapping and unwrapping secret keys (section 5.18), value by value. */
#include "blackbox.h"
#include "pair.h"

static CK_BBOOL yes = CK_TRUE, no = CK_FALSE;
static CK_OBJECT_CLASS secret_key = CKO_SECRET_KEY;
static CK_KEY_TYPE aes = CKK_AES;
static unsigned char wrapped[512];
static CK_ULONG size;
static CK_MECHANISM kwp = { CKM_AES_KEY_WRAP_KWP, NULL, 0 }, sha256 = { CKM_SHA256, NULL, 0 };
static CK_MECHANISM with = { CKM_AES_KEY_WRAP_KWP, wrapped, 3 };
static CK_OBJECT_HANDLE object;

#define IS(type, variable) ATTRIBUTE(type, &(variable), sizeof(variable))

static bool
has_wrapping(void)
{
	return mechanism_offers(CKM_AES_KEY_WRAP_KWP, CKF_WRAP) &&
	       mechanism_offers(CKM_AES_KEY_GEN, CKF_GENERATE);
}

/* A key that can be wrapped (or not), and that wraps and unwraps (or not). */
static CK_OBJECT_HANDLE
new_key(CK_SESSION_HANDLE session, CK_BBOOL extractable, CK_BBOOL wraps)
{
	CK_MECHANISM generate = { CKM_AES_KEY_GEN, NULL, 0 };
	CK_ULONG length = 32;
	CK_BBOOL crypts = !wraps;
	CK_ATTRIBUTE template[] = {
		IS(CKA_TOKEN, no),   IS(CKA_PRIVATE, no),       IS(CKA_VALUE_LEN, length),
		IS(CKA_WRAP, wraps), IS(CKA_UNWRAP, wraps),     IS(CKA_ENCRYPT, crypts),
		IS(CKA_SIGN, no),    IS(CKA_EXTRACTABLE, extractable),
	};
	CK_OBJECT_HANDLE key;

	expect(CKR_OK, p11->C_GenerateKey(session, &generate, template, COUNT(template), &key));
	return key;
}

START_TEST(wrap)
{
	CK_SESSION_HANDLE session = session_public(0);
	CK_OBJECT_HANDLE wrapper, key, sealed;

	if (!has_wrapping())
		return;
	wrapper = new_key(session, CK_FALSE, CK_TRUE);
	key = new_key(session, CK_TRUE, CK_FALSE);
	sealed = new_key(session, CK_FALSE, CK_FALSE);
	expect(CKR_OK, p11->C_WrapKey(session, &kwp, wrapper, key, NULL, &size));
	ck_assert_uint_eq(size, 40);
	size = 39;
	expect(CKR_BUFFER_TOO_SMALL, p11->C_WrapKey(session, &kwp, wrapper, key, wrapped, &size));
	expect(CKR_OK, p11->C_WrapKey(session, &kwp, wrapper, key, wrapped, &size));
	ck_assert_uint_eq(size, 40);
	expect(CKR_ARGUMENTS_BAD, p11->C_WrapKey(session, NULL, wrapper, key, wrapped, &size));
	expect(CKR_ARGUMENTS_BAD, p11->C_WrapKey(session, &kwp, wrapper, key, wrapped, NULL));
	expect(CKR_SESSION_HANDLE_INVALID,
	       p11->C_WrapKey(session + 1000, &kwp, wrapper, key, wrapped, &size));
	expect(CKR_MECHANISM_INVALID, p11->C_WrapKey(session, &sha256, wrapper, key, wrapped, &size));
	expect(CKR_MECHANISM_PARAM_INVALID,
	       p11->C_WrapKey(session, &with, wrapper, key, wrapped, &size));
	expect(CKR_KEY_HANDLE_INVALID,
	       p11->C_WrapKey(session, &kwp, wrapper, key + 1000000, wrapped, &size));
	expect(CKR_WRAPPING_KEY_HANDLE_INVALID,
	       p11->C_WrapKey(session, &kwp, wrapper + 1000000, key, wrapped, &size));
	expect(CKR_KEY_UNEXTRACTABLE,
	       p11->C_WrapKey(session, &kwp, wrapper, sealed, wrapped, &size));
	if (!pair_offered(PAIR_RSA))
		return;
	expect(CKR_KEY_NOT_WRAPPABLE,
	       p11->C_WrapKey(session, &kwp, wrapper, pair_public(session, PAIR_RSA), wrapped, &size));
}
END_TEST

static CK_RV
unwrap_with(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE wrapper, CK_ATTRIBUTE_TYPE type,
            const void *bytes, CK_ULONG bytes_size)
{
	CK_ATTRIBUTE template[] = { IS(CKA_CLASS, secret_key), IS(CKA_KEY_TYPE, aes),
		                    IS(CKA_TOKEN, no), IS(CKA_PRIVATE, no), IS(CKA_ENCRYPT, yes),
		                    ATTRIBUTE(type, bytes, bytes_size) };

	return p11->C_UnwrapKey(session, &kwp, wrapper, wrapped, 40, template, COUNT(template),
	                        &object);
}

START_TEST(unwrap)
{
	CK_SESSION_HANDLE session = session_public(0);
	CK_ULONG modulus_bits = 2048;
	CK_ATTRIBUTE classless[] = { IS(CKA_KEY_TYPE, aes), IS(CKA_TOKEN, no), IS(CKA_PRIVATE, no) };
	CK_OBJECT_HANDLE wrapper, key;

	if (!has_wrapping())
		return;
	wrapper = new_key(session, CK_FALSE, CK_TRUE);
	key = new_key(session, CK_TRUE, CK_FALSE);
	size = sizeof(wrapped);
	expect(CKR_OK, p11->C_WrapKey(session, &kwp, wrapper, key, wrapped, &size));
	expect(CKR_OK, unwrap_with(session, wrapper, CKA_LABEL, "x", 1));
	expect(CKR_SESSION_HANDLE_INVALID, unwrap_with(session + 1000, wrapper, CKA_LABEL, "x", 1));
	expect(CKR_UNWRAPPING_KEY_HANDLE_INVALID,
	       unwrap_with(session, wrapper + 1000000, CKA_LABEL, "x", 1));
	expect(CKR_ATTRIBUTE_READ_ONLY, unwrap_with(session, wrapper, CKA_LOCAL, &yes, sizeof(yes)));
	expect(CKR_ATTRIBUTE_VALUE_INVALID, unwrap_with(session, wrapper, CKA_SIGN, wrapped, 3));
	expect(CKR_ATTRIBUTE_TYPE_INVALID, unwrap_with(session, wrapper, CKA_MODULUS_BITS,
	                                               &modulus_bits, sizeof(modulus_bits)));
	expect(CKR_TEMPLATE_INCONSISTENT, unwrap_with(session, wrapper, CKA_WRAP, &yes, sizeof(yes)));
	expect(CKR_TEMPLATE_INCOMPLETE, p11->C_UnwrapKey(session, &kwp, wrapper, wrapped, 40, classless,
	                                                 COUNT(classless), &object));
	expect(CKR_ARGUMENTS_BAD, p11->C_UnwrapKey(session, NULL, wrapper, wrapped, 40, classless,
	                                           COUNT(classless), &object));
	expect(CKR_ARGUMENTS_BAD, p11->C_UnwrapKey(session, &kwp, wrapper, wrapped, 40, classless,
	                                           COUNT(classless), NULL));
	expect(CKR_MECHANISM_INVALID, p11->C_UnwrapKey(session, &sha256, wrapper, wrapped, 40,
	                                               classless, COUNT(classless), &object));
	wrapped[20] ^= 1;
	expect(CKR_WRAPPED_KEY_INVALID, unwrap_with(session, wrapper, CKA_LABEL, "x", 1));
}
END_TEST

START_TEST(derive_refused)
{
	CK_SESSION_HANDLE session = session_user(0);
	CK_MECHANISM ecdh = { CKM_ECDH1_DERIVE, NULL, 0 };
	CK_ATTRIBUTE template[] = { IS(CKA_CLASS, secret_key), IS(CKA_KEY_TYPE, aes),
		                    IS(CKA_TOKEN, no), IS(CKA_PRIVATE, no) };

	if (!mechanism_offers(CKM_ECDH1_DERIVE, CKF_DERIVE) || !has_wrapping())
		return;
	expect(CKR_ARGUMENTS_BAD,
	       p11->C_DeriveKey(session, NULL, 1, template, COUNT(template), &object));
	expect(CKR_ARGUMENTS_BAD, p11->C_DeriveKey(session, &ecdh, 1, NULL, 4, &object));
	expect(CKR_SESSION_HANDLE_INVALID, p11->C_DeriveKey(session + 1000, &ecdh, 1, template,
	                                                    COUNT(template), &object));
	expect(CKR_MECHANISM_INVALID,
	       p11->C_DeriveKey(session, &sha256, 1, template, COUNT(template), &object));
	expect(CKR_KEY_HANDLE_INVALID, p11->C_DeriveKey(session, &ecdh, 0x5a5a5a5a, template,
	                                                COUNT(template), &object));
}
END_TEST

Suite *
wrap_suite(void)
{
	Suite *suite = suite_create("wrap");
	TCase *tcase = started_case(suite, "started");

	tcase_add_test(tcase, wrap);
	tcase_add_test(tcase, unwrap);
	tcase_add_test(tcase, derive_refused);
	return suite;
}
