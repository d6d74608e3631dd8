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
		IS(CKA_SIGN, no),    IS(CKA_EXTRACTABLE, extractable), IS(CKA_SENSITIVE, no),
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

/* An AES key of this value, which does this and may be wrapped. */
static CK_OBJECT_HANDLE
known_key(CK_SESSION_HANDLE session, const unsigned char *value, CK_ATTRIBUTE_TYPE verb)
{
	CK_ATTRIBUTE template[] = { IS(CKA_CLASS, secret_key), IS(CKA_KEY_TYPE, aes),
		                    IS(CKA_TOKEN, no), IS(CKA_PRIVATE, no), IS(CKA_EXTRACTABLE, yes),
		                    ATTRIBUTE(CKA_VALUE, value, 16), IS(verb, yes) };
	CK_OBJECT_HANDLE key;

	expect(CKR_OK, p11->C_CreateObject(session, template, COUNT(template), &key));
	return key;
}

/*
 * Who may wrap, and knows one key, must not learn another by choosing the IV: in a mode that adds a
 * key stream, two keys under one IV tell their difference.
 */
START_TEST(wrap_under_one_iv)
{
	static const unsigned char known[16] = "known to all....", secret[16] = "and this is not.";
	unsigned char block[16] = { 0 }, mine[64], theirs[64];
	CK_GCM_PARAMS gcm = { block, 12, 96, NULL, 0, 128 };
	CK_AES_CTR_PARAMS ctr = { 128, { 0 } };
	CK_MECHANISM ways[] = { { CKM_AES_GCM, &gcm, sizeof(gcm) },
		                { CKM_AES_CTR, &ctr, sizeof(ctr) } };
	CK_SESSION_HANDLE session = session_public(0);
	CK_OBJECT_HANDLE wrapper, first, second;
	CK_ULONG mine_size, theirs_size;

	if (!has_wrapping())
		return;
	wrapper = new_key(session, CK_FALSE, CK_TRUE);
	first = known_key(session, known, CKA_SIGN);
	second = known_key(session, secret, CKA_SIGN);
	for (size_t w = 0; w < COUNT(ways); w++) {
		mine_size = theirs_size = sizeof(mine);
		if (!mechanism_offers(ways[w].mechanism, CKF_WRAP)) {
			expect(CKR_MECHANISM_INVALID, p11->C_WrapKey(session, &ways[w], wrapper, first,
			                                             mine, &mine_size));
			continue;
		}
		expect(CKR_OK, p11->C_WrapKey(session, &ways[w], wrapper, first, mine, &mine_size));
		expect(CKR_OK, p11->C_WrapKey(session, &ways[w], wrapper, second, theirs, &theirs_size));
		for (size_t i = 0; i < 16; i++)
			mine[i] ^= theirs[i] ^ known[i];
		ck_assert_mem_ne(mine, secret, 16);
	}
}
END_TEST

/*
 * Nor must who may unwrap, though what he gets is sensitive: that a key is taken or refused, as he
 * changes the IV, must not tell a byte of what is inside.
 */
START_TEST(unwrap_tells_nothing)
{
	CK_ATTRIBUTE inner[] = { IS(CKA_SENSITIVE, yes), IS(CKA_EXTRACTABLE, no) };
	CK_MECHANISM generate = { CKM_AES_KEY_GEN, NULL, 0 };
	CK_KEY_TYPE generic = CKK_GENERIC_SECRET;
	CK_ULONG length = 16, part = 15;
	unsigned char iv[16] = { 0 };
	CK_ATTRIBUTE outer[] = { IS(CKA_TOKEN, no), IS(CKA_PRIVATE, no), IS(CKA_VALUE_LEN, length),
		                 IS(CKA_UNWRAP, yes),
		                 ATTRIBUTE(CKA_UNWRAP_TEMPLATE, inner, sizeof(inner)) };
	CK_ATTRIBUTE template[] = { IS(CKA_CLASS, secret_key), IS(CKA_KEY_TYPE, generic),
		                    IS(CKA_TOKEN, no), IS(CKA_PRIVATE, no), IS(CKA_SIGN, yes),
		                    IS(CKA_VALUE_LEN, part) };
	CK_MECHANISM ways[] = { { CKM_AES_CBC, iv, 16 }, { CKM_AES_CBC_PAD, iv, 16 } };
	CK_SESSION_HANDLE session = session_public(0);
	CK_OBJECT_HANDLE wrapper;
	unsigned taken;

	if (!has_wrapping())
		return;
	expect(CKR_OK, p11->C_GenerateKey(session, &generate, outer, COUNT(outer), &wrapper));
	memset(wrapped, 0x5a, 16);
	for (size_t w = 0; w < COUNT(ways); w++) {
		if (!mechanism_offers(ways[w].mechanism, CKF_UNWRAP)) {
			expect(CKR_MECHANISM_INVALID,
			       p11->C_UnwrapKey(session, &ways[w], wrapper, wrapped, 16, template,
			                        COUNT(template), &object));
			continue;
		}
		taken = 0;
		for (unsigned guess = 0; guess < 256; guess++) {
			iv[15] = (unsigned char)guess;
			if (p11->C_UnwrapKey(session, &ways[w], wrapper, wrapped, 16, template,
			                     COUNT(template) - w, &object) == CKR_OK)
				taken++;
		}
		ck_assert_msg(taken == 0 || taken == 256, "0x%lx: takes %u of 256",
		              ways[w].mechanism, taken);
	}
}
END_TEST

/* What wraps and unwraps, and lives as long as its session. */
static void
wrapping_pair(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE *ret_public, CK_OBJECT_HANDLE *ret_private)
{
	CK_MECHANISM generate = { CKM_RSA_PKCS_KEY_PAIR_GEN, NULL, 0 };
	CK_ULONG bits = 2048;
	CK_ATTRIBUTE of_public[] = { IS(CKA_TOKEN, no), IS(CKA_MODULUS_BITS, bits), IS(CKA_WRAP, yes),
		                     IS(CKA_ENCRYPT, no) };
	CK_ATTRIBUTE of_private[] = { IS(CKA_TOKEN, no), IS(CKA_UNWRAP, yes), IS(CKA_DECRYPT, no) };

	expect(CKR_OK, p11->C_GenerateKeyPair(session, &generate, of_public, COUNT(of_public),
	                                      of_private, COUNT(of_private), ret_public,
	                                      ret_private));
}

/* A data key under a public key, and back: the size first, then too little room, then the key. */
START_TEST(under_a_pair)
{
	static CK_RSA_PKCS_OAEP_PARAMS sha1 = { CKM_SHA_1, CKG_MGF1_SHA1, CKZ_DATA_SPECIFIED, NULL, 0 };
	CK_MECHANISM oaep = { CKM_RSA_PKCS_OAEP, &sha1, sizeof(sha1) };
	CK_ATTRIBUTE template[] = { IS(CKA_CLASS, secret_key), IS(CKA_KEY_TYPE, aes),
		                    IS(CKA_TOKEN, no), IS(CKA_SENSITIVE, no), IS(CKA_EXTRACTABLE, yes),
		                    IS(CKA_ENCRYPT, yes), IS(CKA_DECRYPT, yes) };
	CK_SESSION_HANDLE session = session_user(0);
	CK_OBJECT_HANDLE public_key, private_key, key, back;
	unsigned char value[32];

	if (!mechanism_offers(CKM_RSA_PKCS_OAEP, CKF_UNWRAP) ||
	    !mechanism_offers(CKM_AES_KEY_GEN, CKF_GENERATE))
		return;
	wrapping_pair(session, &public_key, &private_key);
	key = new_key(session, CK_TRUE, CK_FALSE);
	expect(CKR_OK, p11->C_WrapKey(session, &oaep, public_key, key, NULL, &size));
	ck_assert_uint_eq(size, 256);
	size = 255;
	expect(CKR_BUFFER_TOO_SMALL, p11->C_WrapKey(session, &oaep, public_key, key, wrapped, &size));
	ck_assert_uint_eq(size, 256);
	expect(CKR_OK, p11->C_WrapKey(session, &oaep, public_key, key, wrapped, &size));
	ck_assert_uint_eq(size, 256);
	expect(CKR_OK, p11->C_UnwrapKey(session, &oaep, private_key, wrapped, size, template,
	                                COUNT(template), &back));
	memcpy(value, attribute(session, key, CKA_VALUE, &size), sizeof(value));
	ck_assert_uint_eq(size, sizeof(value));
	ck_assert_mem_eq(attribute(session, back, CKA_VALUE, &size), value, sizeof(value));
	wrapped[100] ^= 1;
	expect(CKR_WRAPPED_KEY_INVALID, p11->C_UnwrapKey(session, &oaep, private_key, wrapped, 256,
	                                                 template, COUNT(template), &back));
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
	tcase_add_test(tcase, under_a_pair);
	tcase_add_test(tcase, wrap_under_one_iv);
	tcase_add_test(tcase, unwrap_tells_nothing);
	tcase_add_test(tcase, derive_refused);
	return suite;
}
