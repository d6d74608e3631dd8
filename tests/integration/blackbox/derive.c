/* SPDX-License-Identifier: Apache-2.0 */
/* Section 5.18.5: C_DeriveKey with ECDH (mechanisms 3.0, section 2.3.21), value by value. */
#include "blackbox.h"
#include "pair.h"

#include <openssl/ec.h>
#include <openssl/evp.h>

#define POINT_SIZE 65 /* P-256, uncompressed */

static CK_BBOOL yes = CK_TRUE, no = CK_FALSE;
static CK_OBJECT_CLASS secret_key = CKO_SECRET_KEY;
static CK_KEY_TYPE aes = CKK_AES;
static CK_ULONG length = 16;
static CK_OBJECT_HANDLE derived;
static unsigned char peer[POINT_SIZE];
static CK_ECDH1_DERIVE_PARAMS parameter;
static CK_MECHANISM ecdh = { CKM_ECDH1_DERIVE, &parameter, sizeof(parameter) };

#define IS(type, variable) ATTRIBUTE(type, &(variable), sizeof(variable))

static bool
has_derive(void)
{
	return mechanism_offers(CKM_ECDH1_DERIVE, CKF_DERIVE) && pair_offered(PAIR_P256);
}

/* A pair of the session that derives. */
static CK_OBJECT_HANDLE
deriving_pair(CK_SESSION_HANDLE session, CK_MECHANISM_TYPE generator, const char *params,
              CK_ULONG params_size)
{
	CK_MECHANISM generate = { generator, NULL, 0 };
	CK_ATTRIBUTE of_public[] = {
		ATTRIBUTE(CKA_EC_PARAMS, params, params_size),
		IS(CKA_TOKEN, no), IS(CKA_DERIVE, yes), IS(CKA_VERIFY, no),
	};
	CK_ATTRIBUTE of_private[] = { IS(CKA_TOKEN, no), IS(CKA_DERIVE, yes), IS(CKA_SIGN, no) };
	CK_OBJECT_HANDLE public, private;

	expect(CKR_OK, p11->C_GenerateKeyPair(session, &generate, of_public, COUNT(of_public),
	                                      of_private, COUNT(of_private), &public, &private));
	return private;
}

static CK_OBJECT_HANDLE
deriving_key(CK_SESSION_HANDLE session)
{
	return deriving_pair(session, CKM_EC_KEY_PAIR_GEN, "\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07",
	                     10);
}

/* Another party, with OpenSSL; its public point goes into the parameter. Caller frees. */
static EVP_PKEY *
other_party(void)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	size_t size;

	ck_assert(EVP_PKEY_get_octet_string_param(key, "encoded-pub-key", peer, sizeof(peer), &size));
	ck_assert_uint_eq(size, POINT_SIZE);
	parameter = (CK_ECDH1_DERIVE_PARAMS){ .kdf = CKD_NULL, .ulPublicDataLen = POINT_SIZE,
		                              .pPublicData = peer };
	return key;
}

static CK_RV
derive_with(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE key, CK_ATTRIBUTE_TYPE type,
            const void *bytes, CK_ULONG size)
{
	CK_ATTRIBUTE template[] = {
		IS(CKA_CLASS, secret_key), IS(CKA_KEY_TYPE, aes), IS(CKA_TOKEN, no),
		IS(CKA_PRIVATE, no),       IS(CKA_VALUE_LEN, length), IS(CKA_SENSITIVE, no),
		ATTRIBUTE(type, bytes, size),
	};
	CK_ULONG last = COUNT(template) - 1;

	for (CK_ULONG i = 0; i < last; i++) {
		if (template[i].type == type) {
			template[i] = template[last];
			return p11->C_DeriveKey(session, &ecdh, key, template, last, &derived);
		}
	}
	return p11->C_DeriveKey(session, &ecdh, key, template, last + 1, &derived);
}

/* Both parties have the same key: the last bytes of what they share. */
START_TEST(agrees_with_openssl)
{
	CK_SESSION_HANDLE session = session_user(0);
	unsigned char shared[32];
	size_t shared_size = sizeof(shared);
	EVP_PKEY *other, *ours;
	EVP_PKEY_CTX *context;
	const unsigned char *value;
	CK_OBJECT_HANDLE key;
	CK_ULONG size;

	if (!has_derive())
		return;
	key = deriving_key(session);
	other = other_party();
	expect(CKR_OK, derive_with(session, key, CKA_LABEL, "x", 1));
	value = attribute(session, key, CKA_ID, &size);
	{
		CK_OBJECT_CLASS class = CKO_PUBLIC_KEY;
		CK_ATTRIBUTE sought[] = { IS(CKA_CLASS, class), ATTRIBUTE(CKA_ID, value, size),
			                  IS(CKA_TOKEN, no) };
		CK_OBJECT_HANDLE public;

		ck_assert_uint_eq(find_all(session, sought, COUNT(sought), &public, 1), 1);
		ours = pair_evp(session, public, PAIR_P256);
	}
	context = EVP_PKEY_CTX_new(other, NULL);
	ck_assert_int_eq(EVP_PKEY_derive_init(context), 1);
	ck_assert_int_eq(EVP_PKEY_derive_set_peer(context, ours), 1);
	ck_assert_int_eq(EVP_PKEY_derive(context, shared, &shared_size), 1);
	value = attribute(session, derived, CKA_VALUE, &size);
	ck_assert_uint_eq(size, length);
	ck_assert_mem_eq(value, shared + sizeof(shared) - length, length);
	EVP_PKEY_CTX_free(context);
	EVP_PKEY_free(ours);
	EVP_PKEY_free(other);
}
END_TEST

/* What OpenSSL agrees on with the public half of a pair on the token. */
static void
agree(EVP_PKEY *other, EVP_PKEY *ours, unsigned char shared[32])
{
	EVP_PKEY_CTX *context = EVP_PKEY_CTX_new(other, NULL);
	size_t size = 32;

	ck_assert_int_eq(EVP_PKEY_derive_init(context), 1);
	ck_assert_int_eq(EVP_PKEY_derive_set_peer(context, ours), 1);
	ck_assert_int_eq(EVP_PKEY_derive(context, shared, &size), 1);
	ck_assert_uint_eq(size, 32);
	EVP_PKEY_CTX_free(context);
}

/* X25519 (RFC 7748): on the token and in the session, the point bare and in an OCTET STRING. */
START_TEST(montgomery)
{
	CK_SESSION_HANDLE session = session_user(0);
	EVP_PKEY *other = EVP_PKEY_Q_keygen(NULL, NULL, "X25519"), *ours;
	unsigned char shared[32], der[34] = { 0x04, 0x20 };
	const unsigned char *value;
	CK_OBJECT_HANDLE key;
	size_t point_size = 32;
	CK_ULONG size;

	if (!mechanism_offers(CKM_ECDH1_DERIVE, CKF_DERIVE) || !pair_offered(PAIR_X25519))
		return;
	key = pair_private(session, PAIR_X25519);
	ours = pair_evp(session, pair_public(session, PAIR_X25519), PAIR_X25519);
	agree(other, ours, shared);
	ck_assert_int_eq(EVP_PKEY_get_raw_public_key(other, der + 2, &point_size), 1);
	for (size_t header = 0; header <= 2; header += 2) {
		parameter = (CK_ECDH1_DERIVE_PARAMS){ .kdf = CKD_NULL, .ulPublicDataLen = 34 - header,
			                              .pPublicData = der + header };
		expect(CKR_OK, derive_with(session, key, CKA_LABEL, "x", 1));
		value = attribute(session, derived, CKA_VALUE, &size);
		ck_assert_uint_eq(size, length);
		ck_assert_mem_eq(value, shared + 32 - length, length);
	}
	ck_assert(!attribute_bool(session, key, CKA_SIGN));
	ck_assert(attribute_bool(session, key, CKA_DERIVE));
	/* A pair of the session, by the curve's name. */
	key = deriving_pair(session, CKM_EC_MONTGOMERY_KEY_PAIR_GEN, "\x13\x0a" "curve25519", 12);
	expect(CKR_OK, derive_with(session, key, CKA_LABEL, "x", 1));
	/* Nobody agrees on a point of small order, nor on one that is too short. */
	memset(der + 2, 0, 32);
	parameter.pPublicData = der + 2;
	parameter.ulPublicDataLen = 32;
	expect(CKR_MECHANISM_PARAM_INVALID, derive_with(session, key, CKA_LABEL, "x", 1));
	parameter.ulPublicDataLen = 31;
	expect(CKR_MECHANISM_PARAM_INVALID, derive_with(session, key, CKA_LABEL, "x", 1));
	EVP_PKEY_free(ours);
	EVP_PKEY_free(other);
}
END_TEST

START_TEST(templates)
{
	CK_SESSION_HANDLE session = session_user(0);
	CK_OBJECT_CLASS data = CKO_DATA;
	CK_ULONG modulus_bits = 2048, odd = 15, more = 33;
	CK_KEY_TYPE generic = CKK_GENERIC_SECRET;
	CK_ATTRIBUTE endless[] = { IS(CKA_CLASS, secret_key), IS(CKA_KEY_TYPE, aes),
		                   IS(CKA_TOKEN, no), IS(CKA_PRIVATE, no) };
	CK_ATTRIBUTE too_long[] = { IS(CKA_CLASS, secret_key), IS(CKA_KEY_TYPE, generic),
		                    IS(CKA_TOKEN, no), IS(CKA_PRIVATE, no), IS(CKA_VALUE_LEN, more) };
	CK_OBJECT_HANDLE key;

	if (!has_derive())
		return;
	key = deriving_key(session);
	EVP_PKEY_free(other_party());
	expect(CKR_ATTRIBUTE_READ_ONLY, derive_with(session, key, CKA_LOCAL, &yes, sizeof(yes)));
	expect(CKR_ATTRIBUTE_TYPE_INVALID, derive_with(session, key, CKA_MODULUS_BITS, &modulus_bits,
	                                               sizeof(modulus_bits)));
	expect(CKR_ATTRIBUTE_VALUE_INVALID, derive_with(session, key, CKA_ENCRYPT, peer, 3));
	expect(CKR_TEMPLATE_INCONSISTENT, derive_with(session, key, CKA_CLASS, &data, sizeof(data)));
	expect(CKR_TEMPLATE_INCOMPLETE, p11->C_DeriveKey(session, &ecdh, key, endless,
	                                                 COUNT(endless), &derived));
	expect(CKR_KEY_SIZE_RANGE, derive_with(session, key, CKA_VALUE_LEN, &odd, sizeof(odd)));
	expect(CKR_KEY_SIZE_RANGE, p11->C_DeriveKey(session, &ecdh, key, too_long, COUNT(too_long),
	                                            &derived));
}
END_TEST

START_TEST(parameters)
{
	CK_SESSION_HANDLE session = session_user(0);
	CK_OBJECT_HANDLE key;

	if (!has_derive())
		return;
	key = deriving_key(session);
	EVP_PKEY_free(other_party());
	peer[POINT_SIZE - 1] ^= 1; /* not on the curve */
	expect(CKR_MECHANISM_PARAM_INVALID, derive_with(session, key, CKA_LABEL, "x", 1));
	EVP_PKEY_free(other_party());
	parameter.ulPublicDataLen = 1; /* the point at infinity, and half a point */
	expect(CKR_MECHANISM_PARAM_INVALID, derive_with(session, key, CKA_LABEL, "x", 1));
	parameter.ulPublicDataLen = POINT_SIZE / 2;
	expect(CKR_MECHANISM_PARAM_INVALID, derive_with(session, key, CKA_LABEL, "x", 1));
	EVP_PKEY_free(other_party());
	parameter.kdf = 0x7777;
	expect(CKR_MECHANISM_PARAM_INVALID, derive_with(session, key, CKA_LABEL, "x", 1));
	EVP_PKEY_free(other_party());
	parameter.pSharedData = peer; /* which nothing uses without a derivation function */
	parameter.ulSharedDataLen = 3;
	expect(CKR_MECHANISM_PARAM_INVALID, derive_with(session, key, CKA_LABEL, "x", 1));
	ecdh.ulParameterLen--;
	expect(CKR_MECHANISM_PARAM_INVALID, derive_with(session, key, CKA_LABEL, "x", 1));
	ecdh.ulParameterLen++;
}
END_TEST

/* Keys that don't derive, or not so, or not now. */
START_TEST(keys)
{
	CK_SESSION_HANDLE session = session_user(0);
	CK_ATTRIBUTE derives[] = { IS(CKA_TOKEN, no), IS(CKA_PRIVATE, no), IS(CKA_VALUE_LEN, length),
		                   IS(CKA_DERIVE, yes) };
	CK_MECHANISM generate = { CKM_AES_KEY_GEN, NULL, 0 };
	CK_OBJECT_HANDLE secret, signing;

	if (!has_derive())
		return;
	EVP_PKEY_free(other_party());
	expect(CKR_OK, p11->C_GenerateKey(session, &generate, derives, COUNT(derives), &secret));
	expect(CKR_KEY_TYPE_INCONSISTENT, derive_with(session, secret, CKA_LABEL, "x", 1));
	signing = pair_private(session, PAIR_P256);
	expect(CKR_KEY_FUNCTION_NOT_PERMITTED, derive_with(session, signing, CKA_LABEL, "x", 1));
	if (!login_required())
		return;
	expect(CKR_OK, p11->C_Logout(session));
	expect(CKR_USER_NOT_LOGGED_IN, derive_with(session, signing, CKA_LABEL, "x", 1));
}
END_TEST

Suite *
derive_suite(void)
{
	Suite *suite = suite_create("derive");
	TCase *tcase = started_case(suite, "started");

	tcase_add_test(tcase, agrees_with_openssl);
	tcase_add_test(tcase, montgomery);
	tcase_add_test(tcase, templates);
	tcase_add_test(tcase, parameters);
	tcase_add_test(tcase, keys);
	return suite;
}
