/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "aes.h"
#include "base/openssl.h"
#include "mechanism/wrap.h"
#include "pair.h"

#include <openssl/err.h>
#include <openssl/rsa.h>
#include <string.h>

static unsigned char iv[16];

static void
setup(void)
{
	ck_assert_uint_eq(openssl_start(), CKR_OK);
	aes_fill(iv, sizeof iv, 1);
}

/* The mechanisms under a secret key. */
enum { KW, KWP, WAYS };

static CK_MECHANISM
way(int index)
{
	const CK_MECHANISM ways[WAYS] = {
		[KW] = { CKM_AES_KEY_WRAP, NULL, 0 },
		[KWP] = { CKM_AES_KEY_WRAP_KWP, NULL, 0 },
	};

	return ways[index];
}

START_TEST(known_answers)
{
	/* RFC 3394, sections 4.1 and 4.6; RFC 5649, section 6. */
	static const struct {
		int way;
		const char *key, *value, *wrapped;
	} answers[] = {
		{ KW, "000102030405060708090a0b0c0d0e0f", "00112233445566778899aabbccddeeff",
		  "1fa68b0a8112b447aef34bd8fb5a7b829d3e862371d2cfe5" },
		{ KW, "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
		  "00112233445566778899aabbccddeeff000102030405060708090a0b0c0d0e0f",
		  "28c9f404c4b810f4cbccb35cfb87f8263f5786e2d80ed326cbc7f0e71a99f43bfb988b9b7a02dd21" },
		{ KWP, "5840df6e29b02af1ab493b705bf16ea1ae8338f4dcc176a8",
		  "c37b7e6492584340bed12207808941155068f738",
		  "138bdeaa9b8fa7fc61f97742e72248ee5ae6ae5360d1ae6a5f54f373fa543b6a" },
		{ KWP, "5840df6e29b02af1ab493b705bf16ea1ae8338f4dcc176a8", "466f7250617369",
		  "afbeb0f07dfbf5419200f2ccb50bb24f" },
	};
	struct buffer key = BUFFER_INIT, value = BUFFER_INIT, want = BUFFER_INIT, got = BUFFER_INIT;
	struct secret *key_secret = NULL, *value_secret = NULL, *back = NULL;
	CK_MECHANISM mechanism = way(answers[_i].way);

	aes_hex(answers[_i].key, &key);
	aes_hex(answers[_i].value, &value);
	aes_hex(answers[_i].wrapped, &want);
	ck_assert_uint_eq(secret_dup(key.data, key.size, &key_secret), CKR_OK);
	ck_assert_uint_eq(secret_dup(value.data, value.size, &value_secret), CKR_OK);
	ck_assert_uint_eq(wrap_secret(&mechanism, key_secret, value_secret, &got), CKR_OK);
	ck_assert(buffer_equal(&got, want.data, want.size));
	ck_assert_uint_eq(unwrap_secret(&mechanism, key_secret, want.data, want.size, &back), CKR_OK);
	ck_assert(secret_equal(back, value.data, value.size));
	secret_free(&key_secret);
	secret_free(&value_secret);
	secret_free(&back);
	buffer_clear(&key);
	buffer_clear(&value);
	buffer_clear(&want);
	buffer_clear(&got);
}
END_TEST

static bool
fits(int index, size_t size)
{
	if (index == KW)
		return size >= 16 && size % 8 == 0 && size <= WRAP_SIZE_MAX;
	return size > 0 && size <= WRAP_SIZE_MAX;
}

START_TEST(there_and_back)
{
	static const size_t key_sizes[] = { 16, 24, 32 };
	CK_MECHANISM mechanism = way(_i);
	struct buffer wrapped = BUFFER_INIT;
	struct secret *value, *back = NULL;
	size_t size = 0;

	for (size_t k = 0; k < 3; k++) {
		struct secret *key = aes_key(key_sizes[k], 3);

		for (size_t n = 0; n < 80; n++) {
			value = aes_key(n, 4);
			if (!fits(_i, n)) {
				ck_assert_uint_eq(wrap_secret(&mechanism, key, value, &wrapped),
				                  CKR_KEY_SIZE_RANGE);
				ck_assert_uint_eq(wrap_secret_size(&mechanism, n, &size),
				                  CKR_KEY_SIZE_RANGE);
				secret_free(&value);
				continue;
			}
			ck_assert_uint_eq(wrap_secret(&mechanism, key, value, &wrapped), CKR_OK);
			ck_assert_uint_eq(wrap_secret_size(&mechanism, n, &size), CKR_OK);
			ck_assert_uint_eq(wrapped.size, size);
			ck_assert_uint_eq(unwrap_secret(&mechanism, key, wrapped.data, wrapped.size,
			                                &back), CKR_OK);
			ck_assert(secret_equal(back, secret_bytes(value), n));
			secret_free(&back);
			secret_free(&value);
		}
		secret_free(&key);
	}
	buffer_clear(&wrapped);
}
END_TEST

START_TEST(limits)
{
	CK_MECHANISM mechanism = way(_i);
	struct secret *key = aes_key(16, 7), *value = aes_key(WRAP_SIZE_MAX, 8);
	struct secret *large = aes_key(WRAP_SIZE_MAX + 8, 8), *back = NULL;
	struct buffer wrapped = BUFFER_INIT;
	unsigned char byte = 0;

	ck_assert_uint_eq(wrap_secret(&mechanism, key, value, &wrapped), CKR_OK);
	ck_assert_uint_eq(unwrap_secret(&mechanism, key, wrapped.data, wrapped.size, &back), CKR_OK);
	ck_assert(secret_equal(back, secret_bytes(value), WRAP_SIZE_MAX));
	ck_assert_uint_eq(wrap_secret(&mechanism, key, large, &wrapped), CKR_KEY_SIZE_RANGE);
	secret_free(&back);
	/* Refused before the bytes are looked at. */
	ck_assert_uint_eq(unwrap_secret(&mechanism, key, &byte, WRAP_SIZE_MAX + 64, &back),
	                  CKR_WRAPPED_KEY_LEN_RANGE);
	ck_assert_uint_eq(unwrap_secret(&mechanism, key, &byte, SIZE_MAX, &back),
	                  CKR_WRAPPED_KEY_LEN_RANGE);
	ck_assert_uint_eq(unwrap_secret(&mechanism, key, NULL, 0, &back), CKR_WRAPPED_KEY_LEN_RANGE);
	ck_assert_ptr_null(back);
	secret_free(&key);
	secret_free(&value);
	secret_free(&large);
	buffer_clear(&wrapped);
}
END_TEST

START_TEST(tampering_is_found)
{
	CK_MECHANISM mechanism = way(_i);
	struct secret *key = aes_key(32, 9), *other = aes_key(32, 10), *value = aes_key(32, 11);
	struct secret *back = NULL;
	struct buffer wrapped = BUFFER_INIT;

	ck_assert_uint_eq(wrap_secret(&mechanism, key, value, &wrapped), CKR_OK);
	for (size_t i = 0; i < wrapped.size; i++) {
		wrapped.data[i] ^= 0x10;
		ck_assert_uint_eq(unwrap_secret(&mechanism, key, wrapped.data, wrapped.size, &back),
		                  CKR_WRAPPED_KEY_INVALID);
		wrapped.data[i] ^= 0x10;
	}
	ck_assert_uint_eq(unwrap_secret(&mechanism, other, wrapped.data, wrapped.size, &back),
	                  CKR_WRAPPED_KEY_INVALID);
	ck_assert_ptr_null(back);
	ck_assert_uint_eq(ERR_peek_error(), 0);
	secret_free(&key);
	secret_free(&other);
	secret_free(&value);
	buffer_clear(&wrapped);
}
END_TEST

/* Every length that nothing wraps to. */
START_TEST(wrapped_lengths)
{
	CK_MECHANISM mechanism = way(_i);
	struct secret *key = aes_key(16, 13), *back = NULL;
	unsigned char junk[80];
	bool possible;

	aes_fill(junk, sizeof junk, 14);
	for (size_t n = 0; n < sizeof junk; n++) {
		possible = n % 8 == 0 && n >= (_i == KW ? 24 : 16);
		ck_assert_uint_eq(unwrap_secret(&mechanism, key, junk, n, &back),
		                  possible ? CKR_WRAPPED_KEY_INVALID : CKR_WRAPPED_KEY_LEN_RANGE);
		ck_assert_ptr_null(back);
	}
	secret_free(&key);
}
END_TEST

START_TEST(keys_mechanisms_parameters)
{
	static const CK_MECHANISM_TYPE ciphers[] = { CKM_AES_ECB, CKM_AES_CBC, CKM_AES_CBC_PAD,
		                                     CKM_AES_CTR, CKM_AES_GCM, CKM_AES_CCM };
	struct secret *value = aes_key(32, 17), *key = aes_key(16, 17), *back = NULL, *other;
	struct buffer wrapped = BUFFER_INIT;
	CK_MECHANISM mechanism;
	size_t size;

	for (int w = 0; w < WAYS; w++) {
		mechanism = way(w);
		ck_assert(wrap_secret_offers(mechanism.mechanism));
		ck_assert_uint_eq(wrap_secret(&mechanism, key, value, &wrapped), CKR_OK);
		for (size_t n = 0; n < 40; n++) {
			if (n == 16 || n == 24 || n == 32)
				continue;
			other = aes_key(n, 1);
			ck_assert_uint_eq(wrap_secret(&mechanism, other, value, &wrapped),
			                  CKR_WRAPPING_KEY_SIZE_RANGE);
			ck_assert_uint_eq(unwrap_secret(&mechanism, other, wrapped.data, wrapped.size,
			                                &back), CKR_UNWRAPPING_KEY_SIZE_RANGE);
			secret_free(&other);
		}
		mechanism.ulParameterLen += 1;
		ck_assert_uint_eq(wrap_secret(&mechanism, key, value, &wrapped),
		                  CKR_MECHANISM_PARAM_INVALID);
		ck_assert_uint_eq(wrap_secret_size(&mechanism, 32, &size),
		                  CKR_MECHANISM_PARAM_INVALID);
		ck_assert_uint_eq(unwrap_secret(&mechanism, key, wrapped.data, wrapped.size, &back),
		                  CKR_MECHANISM_PARAM_INVALID);
		mechanism = way(w);
		mechanism.ulParameterLen = w == KW ? 8 : 4;
		ck_assert_uint_eq(wrap_secret(&mechanism, key, value, &wrapped),
		                  CKR_MECHANISM_PARAM_INVALID);
	}
	/* The IV of these is the caller's. */
	for (size_t i = 0; i < sizeof ciphers / sizeof *ciphers; i++) {
		mechanism = (CK_MECHANISM){ ciphers[i], iv, sizeof iv };
		ck_assert(!wrap_secret_offers(ciphers[i]));
		ck_assert_uint_eq(wrap_secret(&mechanism, key, value, &wrapped),
		                  CKR_MECHANISM_INVALID);
		ck_assert_uint_eq(wrap_secret_size(&mechanism, 32, &size), CKR_MECHANISM_INVALID);
		ck_assert_uint_eq(unwrap_secret(&mechanism, key, iv, 16, &back),
		                  CKR_MECHANISM_INVALID);
	}
	secret_free(&value);
	secret_free(&key);
	buffer_clear(&wrapped);
}
END_TEST

/* An IV of one's own works, and is another. */
START_TEST(own_iv)
{
	struct secret *value = aes_key(32, 19), *key = aes_key(16, 19), *back = NULL;
	struct buffer with = BUFFER_INIT, without = BUFFER_INIT;
	CK_MECHANISM own = { _i == KW ? CKM_AES_KEY_WRAP : CKM_AES_KEY_WRAP_KWP, iv,
		             _i == KW ? 8 : 4 };
	CK_MECHANISM plain = way(_i), bad = own;

	ck_assert_uint_eq(wrap_secret(&own, key, value, &with), CKR_OK);
	ck_assert_uint_eq(wrap_secret(&plain, key, value, &without), CKR_OK);
	ck_assert(!buffer_equal(&with, without.data, without.size));
	ck_assert_uint_eq(unwrap_secret(&own, key, with.data, with.size, &back), CKR_OK);
	ck_assert(secret_equal(back, secret_bytes(value), 32));
	secret_free(&back);
	ck_assert_uint_eq(unwrap_secret(&plain, key, with.data, with.size, &back),
	                  CKR_WRAPPED_KEY_INVALID);
	for (bad.ulParameterLen = 1; bad.ulParameterLen < 20; bad.ulParameterLen++)
		if (bad.ulParameterLen != own.ulParameterLen)
			ck_assert_uint_eq(wrap_secret(&bad, key, value, &with),
			                  CKR_MECHANISM_PARAM_INVALID);
	secret_free(&value);
	secret_free(&key);
	buffer_clear(&with);
	buffer_clear(&without);
}
END_TEST

/* What the private half makes of a ciphertext: OpenSSL's opinion. */
static void
decrypt(const struct pair *pair, int padding, const void *data, size_t size,
        struct secret **ret_plain)
{
	EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_pkey(openssl_context(), pair->evp, NULL);
	unsigned char plain[512];
	size_t plain_size = sizeof plain;

	ck_assert_int_eq(EVP_PKEY_decrypt_init(context), 1);
	ck_assert_int_eq(EVP_PKEY_CTX_set_rsa_padding(context, padding), 1);
	if (padding == RSA_PKCS1_OAEP_PADDING) {
		ck_assert_int_eq(EVP_PKEY_CTX_set_rsa_oaep_md_name(context, "SHA256", NULL), 1);
		ck_assert_int_eq(EVP_PKEY_CTX_set_rsa_mgf1_md_name(context, "SHA256", NULL), 1);
	}
	ck_assert_int_eq(EVP_PKEY_decrypt(context, plain, &plain_size, data, size), 1);
	ck_assert_uint_eq(secret_dup(plain, plain_size, ret_plain), CKR_OK);
	EVP_PKEY_CTX_free(context);
}

static CK_RSA_PKCS_OAEP_PARAMS oaep = { CKM_SHA256, CKG_MGF1_SHA256, CKZ_DATA_SPECIFIED, NULL, 0 };

START_TEST(under_a_public_key)
{
	CK_MECHANISM mechanism = { _i == 0 ? CKM_RSA_PKCS : CKM_RSA_PKCS_OAEP,
		                   _i == 0 ? NULL : &oaep, _i == 0 ? 0 : sizeof oaep };
	const size_t most = _i == 0 ? 245 : 190;
	struct buffer wrapped = BUFFER_INIT;
	struct secret *value, *back = NULL;
	size_t size = 0;
	struct pair pair, p256;

	pair_make("rsa-2048", &pair);
	pair_make("p-256", &p256);
	for (size_t n = 0; n < 300; n += n < 40 ? 8 : 1) {
		CK_RV want = n == 0 || n > most ? CKR_KEY_SIZE_RANGE : CKR_OK;

		value = aes_key(n, 21);
		ck_assert_uint_eq(wrap_public_size(&mechanism, pair.key, n, &size), want);
		if (n < 40 || n >= most || want != CKR_OK) {
			ck_assert_uint_eq(wrap_public(&mechanism, pair.key, value, &wrapped), want);
			if (want == CKR_OK) {
				ck_assert_uint_eq(size, 256);
				ck_assert_uint_eq(wrapped.size, 256);
				decrypt(&pair, _i == 0 ? RSA_PKCS1_PADDING : RSA_PKCS1_OAEP_PADDING,
				        wrapped.data, 256, &back);
				ck_assert(secret_equal(back, secret_bytes(value), n));
				secret_free(&back);
			}
		}
		secret_free(&value);
	}
	value = aes_key(32, 22);
	ck_assert_uint_eq(wrap_public(&mechanism, p256.key, value, &wrapped),
	                  CKR_WRAPPING_KEY_TYPE_INCONSISTENT);
	ck_assert_uint_eq(wrap_public_size(&mechanism, p256.key, 32, &size),
	                  CKR_WRAPPING_KEY_TYPE_INCONSISTENT);
	mechanism.ulParameterLen = 1;
	ck_assert_uint_eq(wrap_public(&mechanism, pair.key, value, &wrapped),
	                  CKR_MECHANISM_PARAM_INVALID);
	mechanism = (CK_MECHANISM){ CKM_RSA_X_509, NULL, 0 };
	ck_assert(!wrap_public_offers(CKM_RSA_X_509));
	ck_assert_uint_eq(wrap_public(&mechanism, pair.key, value, &wrapped), CKR_MECHANISM_INVALID);
	ck_assert_uint_eq(wrap_public_size(&mechanism, pair.key, 32, &size), CKR_MECHANISM_INVALID);
	secret_free(&value);
	buffer_clear(&wrapped);
	pair_clear(&pair);
	pair_clear(&p256);
}
END_TEST

START_TEST(rsa_aes_there_and_back)
{
	static const CK_ULONG bits[] = { 128, 192, 256 };
	struct rsa_aes_key_wrap_params parameter = { bits[_i], &oaep };
	CK_MECHANISM mechanism = { CKM_RSA_AES_KEY_WRAP, &parameter, sizeof parameter };
	struct buffer wrapped = BUFFER_INIT, again = BUFFER_INIT;
	struct secret *value, *aes = NULL, *back = NULL;
	struct mechanism_use use;
	size_t size = 0, first = 0;
	struct pair pair;

	ck_assert(wrap_public_offers(CKM_RSA_AES_KEY_WRAP));
	pair_make("rsa-2048", &pair);
	for (size_t n = 1; n < 3000; n = n * 2 + 1) {
		value = aes_key(n, 23);
		ck_assert_uint_eq(wrap_public(&mechanism, pair.key, value, &wrapped), CKR_OK);
		ck_assert_uint_eq(wrap_public_size(&mechanism, pair.key, n, &size), CKR_OK);
		ck_assert_uint_eq(wrapped.size, size);
		ck_assert_uint_eq(size, 256 + (n + 7) / 8 * 8 + 8);
		ck_assert_uint_eq(wrap_public(&mechanism, pair.key, value, &again), CKR_OK);
		ck_assert(memcmp(wrapped.data + 256, again.data + 256, size - 256) != 0);

		ck_assert_uint_eq(rsa_aes_split(&mechanism, pair.key, wrapped.size, &use, &first),
		                  CKR_OK);
		ck_assert_uint_eq(first, 256);
		ck_assert_uint_eq(use.mechanism->type, CKM_RSA_PKCS_OAEP);
		ck_assert_uint_eq(use.digest, CKM_SHA256);
		mechanism_use_clear(&use);
		decrypt(&pair, RSA_PKCS1_OAEP_PADDING, wrapped.data, first, &aes);
		ck_assert_uint_eq(secret_size(aes), bits[_i] / 8);
		ck_assert_uint_eq(rsa_aes_unwrap(&mechanism, aes, wrapped.data + first,
		                                 wrapped.size - first, &back), CKR_OK);
		ck_assert(secret_equal(back, secret_bytes(value), n));
		secret_free(&back);

		wrapped.data[wrapped.size - 1] ^= 1;
		ck_assert_uint_eq(rsa_aes_unwrap(&mechanism, aes, wrapped.data + first,
		                                 wrapped.size - first, &back),
		                  CKR_WRAPPED_KEY_INVALID);
		wrapped.data[wrapped.size - 1] ^= 1;
		ck_assert_uint_eq(rsa_aes_unwrap(&mechanism, aes, wrapped.data + first,
		                                 wrapped.size - first - 1, &back),
		                  CKR_WRAPPED_KEY_LEN_RANGE);
		/* An AES key of another size than was said. */
		parameter.ulAESKeyBits = bits[(_i + 1) % 3];
		ck_assert_uint_eq(rsa_aes_unwrap(&mechanism, aes, wrapped.data + first,
		                                 wrapped.size - first, &back),
		                  CKR_WRAPPED_KEY_INVALID);
		parameter.ulAESKeyBits = bits[_i];
		ck_assert_ptr_null(back);
		secret_free(&aes);
		secret_free(&value);
	}
	buffer_clear(&wrapped);
	buffer_clear(&again);
	pair_clear(&pair);
}
END_TEST

START_TEST(rsa_aes_refuses)
{
	struct rsa_aes_key_wrap_params good = { 256, &oaep }, parameter = good;
	CK_MECHANISM mechanism = { CKM_RSA_AES_KEY_WRAP, &parameter, sizeof parameter };
	struct secret *value = aes_key(32, 25), *none = aes_key(0, 25), *back = NULL;
	CK_RSA_PKCS_OAEP_PARAMS large = { CKM_SHA384, CKG_MGF1_SHA384, CKZ_DATA_SPECIFIED, NULL, 0 };
	struct buffer wrapped = BUFFER_INIT;
	struct pair pair, weak, p256;
	struct mechanism_use use;
	size_t first = 0, size = 0;

	pair_make("rsa-2048", &pair);
	pair_make("p-256", &p256);
	pair_make_rsa(1024, 65537, &weak);
	for (CK_ULONG bits = 0; bits < 600; bits += 8) {
		CK_RV want = bits == 128 || bits == 192 || bits == 256 ? CKR_OK
		                                                       : CKR_MECHANISM_PARAM_INVALID;

		parameter.ulAESKeyBits = bits;
		ck_assert_uint_eq(wrap_public_size(&mechanism, pair.key, 32, &size), want);
		ck_assert_uint_eq(rsa_aes_split(&mechanism, pair.key, 300, &use, &first), want);
	}
	parameter = good;
	parameter.pOAEPParams = NULL;
	ck_assert_uint_eq(wrap_public(&mechanism, pair.key, value, &wrapped),
	                  CKR_MECHANISM_PARAM_INVALID);
	parameter = good;
	mechanism.ulParameterLen -= 1;
	ck_assert_uint_eq(wrap_public(&mechanism, pair.key, value, &wrapped),
	                  CKR_MECHANISM_PARAM_INVALID);
	ck_assert_uint_eq(rsa_aes_unwrap(&mechanism, value, iv, 16, &back),
	                  CKR_MECHANISM_PARAM_INVALID);
	mechanism.ulParameterLen += 1;
	mechanism.pParameter = NULL;
	ck_assert_uint_eq(rsa_aes_split(&mechanism, pair.key, 300, &use, &first),
	                  CKR_MECHANISM_PARAM_INVALID);
	ck_assert_uint_eq(rsa_aes_unwrap(&mechanism, value, iv, 16, &back),
	                  CKR_MECHANISM_PARAM_INVALID);
	mechanism.pParameter = &parameter;
	ck_assert_uint_eq(wrap_public(&mechanism, pair.key, none, &wrapped), CKR_KEY_SIZE_RANGE);
	ck_assert_uint_eq(wrap_public_size(&mechanism, pair.key, WRAP_SIZE_MAX + 1, &size),
	                  CKR_KEY_SIZE_RANGE);
	ck_assert_uint_eq(wrap_public(&mechanism, p256.key, value, &wrapped),
	                  CKR_WRAPPING_KEY_TYPE_INCONSISTENT);
	ck_assert_uint_eq(rsa_aes_split(&mechanism, p256.key, 300, &use, &first),
	                  CKR_UNWRAPPING_KEY_TYPE_INCONSISTENT);
	ck_assert_uint_eq(rsa_aes_split(&mechanism, pair.key, 256, &use, &first),
	                  CKR_WRAPPED_KEY_LEN_RANGE);
	ck_assert_uint_eq(rsa_aes_split(&mechanism, pair.key, 0, &use, &first),
	                  CKR_WRAPPED_KEY_LEN_RANGE);
	/* 1024 bits: too short for OAEP around an AES key. */
	parameter.pOAEPParams = &large;
	ck_assert_uint_eq(wrap_public(&mechanism, weak.key, value, &wrapped),
	                  CKR_WRAPPING_KEY_SIZE_RANGE);
	mechanism.mechanism = CKM_RSA_PKCS_OAEP;
	ck_assert_uint_eq(rsa_aes_split(&mechanism, pair.key, 300, &use, &first),
	                  CKR_MECHANISM_INVALID);
	ck_assert_uint_eq(rsa_aes_unwrap(&mechanism, value, iv, 16, &back), CKR_MECHANISM_INVALID);
	secret_free(&value);
	secret_free(&none);
	buffer_clear(&wrapped);
	pair_clear(&pair);
	pair_clear(&weak);
	pair_clear(&p256);
}
END_TEST

Suite *
unit_suite(void)
{
	Suite *suite = suite_create("wrap");
	TCase *tests = tcase_create("wrap");

	tcase_set_timeout(tests, 120);
	tcase_add_checked_fixture(tests, setup, openssl_stop);
	tcase_add_loop_test(tests, known_answers, 0, 4);
	tcase_add_loop_test(tests, there_and_back, 0, WAYS);
	tcase_add_loop_test(tests, limits, 0, WAYS);
	tcase_add_loop_test(tests, tampering_is_found, 0, WAYS);
	tcase_add_loop_test(tests, wrapped_lengths, 0, WAYS);
	tcase_add_test(tests, keys_mechanisms_parameters);
	tcase_add_loop_test(tests, own_iv, KW, KWP + 1);
	tcase_add_loop_test(tests, under_a_public_key, 0, 2);
	tcase_add_loop_test(tests, rsa_aes_there_and_back, 0, 3);
	tcase_add_test(tests, rsa_aes_refuses);
	suite_add_tcase(suite, tests);
	return suite;
}
