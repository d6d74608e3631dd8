/* SPDX-License-Identifier: Apache-2.0 */
/* RSA: what is encrypted here opens with OpenSSL's private half, what it signs verifies here. */
#include "unit.h"

#include "base/openssl.h"
#include "mechanism/mechanism.h"
#include "pair.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define K 256 /* bytes of a 2048-bit modulus */

static struct pair pair, odd; /* 2048 and 2049 bits */

static const struct {
	CK_MECHANISM_TYPE digest;
	CK_RSA_PKCS_MGF_TYPE mgf;
	CK_MECHANISM_TYPE pkcs, pss;
	const char *name;
} hashes[] = {
	{ CKM_SHA_1, CKG_MGF1_SHA1, CKM_SHA1_RSA_PKCS, CKM_SHA1_RSA_PKCS_PSS, "SHA1" },
	{ CKM_SHA224, CKG_MGF1_SHA224, CKM_SHA224_RSA_PKCS, CKM_SHA224_RSA_PKCS_PSS, "SHA224" },
	{ CKM_SHA256, CKG_MGF1_SHA256, CKM_SHA256_RSA_PKCS, CKM_SHA256_RSA_PKCS_PSS, "SHA256" },
	{ CKM_SHA384, CKG_MGF1_SHA384, CKM_SHA384_RSA_PKCS, CKM_SHA384_RSA_PKCS_PSS, "SHA384" },
	{ CKM_SHA512, CKG_MGF1_SHA512, CKM_SHA512_RSA_PKCS, CKM_SHA512_RSA_PKCS_PSS, "SHA512" },
};

#define HASHES ((int)(sizeof hashes / sizeof *hashes))

static void
setup(void)
{
	ck_assert_uint_eq(openssl_start(), CKR_OK);
	pair_make("rsa-2048", &pair);
	pair_make_rsa_odd(2049, &odd);
}

static void
teardown(void)
{
	pair_clear(&pair);
	pair_clear(&odd);
	openssl_stop();
}

static struct mechanism_use
use_of(CK_MECHANISM_TYPE type, void *parameter, CK_ULONG size, CK_FLAGS flag)
{
	CK_MECHANISM mechanism = { type, parameter, size };
	struct mechanism_use use;

	ck_assert_uint_eq(mechanism_use_init(&mechanism, flag, pair.key, &use), CKR_OK);
	return use;
}

static struct mechanism_use
oaep_use(int hash, int mgf, const char *label, CK_FLAGS flag)
{
	CK_RSA_PKCS_OAEP_PARAMS oaep = { hashes[hash].digest, hashes[mgf].mgf, CKZ_DATA_SPECIFIED,
		                         (void *)(uintptr_t)label, strlen(label) };

	return use_of(CKM_RSA_PKCS_OAEP, &oaep, sizeof oaep, flag);
}

/* OpenSSL's decryption, in its own context. */
static size_t
decrypt(int padding, int hash, int mgf, const char *label, const unsigned char *data,
        unsigned char *ret_data)
{
	EVP_PKEY_CTX *context = EVP_PKEY_CTX_new(pair.evp, NULL);
	size_t size = K;

	ck_assert_int_eq(EVP_PKEY_decrypt_init(context), 1);
	ck_assert_int_eq(EVP_PKEY_CTX_set_rsa_padding(context, padding), 1);
	if (padding == RSA_PKCS1_OAEP_PADDING) {
		ck_assert_int_eq(EVP_PKEY_CTX_set_rsa_oaep_md_name(context, hashes[hash].name, NULL), 1);
		ck_assert_int_eq(EVP_PKEY_CTX_set_rsa_mgf1_md_name(context, hashes[mgf].name, NULL), 1);
		if (label[0] != '\0')
			ck_assert_int_eq(EVP_PKEY_CTX_set0_rsa_oaep_label(
				context, OPENSSL_strdup(label), (int)strlen(label)), 1);
	}
	ck_assert_int_eq(EVP_PKEY_decrypt(context, ret_data, &size, data, K), 1);
	EVP_PKEY_CTX_free(context);
	return size;
}

START_TEST(oaep_opens_with_openssl)
{
	static const char *const labels[] = { "", "a label", "", "another" };
	unsigned char data[K], encrypted[K], opened[K];
	struct mechanism_use use;
	size_t max;

	ck_assert_int_eq(RAND_bytes(data, sizeof data), 1);
	for (int mgf = 0; mgf < HASHES; mgf++) {
		for (size_t i = 0; i < sizeof labels / sizeof *labels; i++) {
			use = oaep_use(_i, mgf, labels[i], CKF_ENCRYPT);
			max = mechanism_input_max(&use, pair.key);
			ck_assert_uint_eq(max, K - 2 - 2 * digest_size(hashes[_i].digest));
			for (size_t size = 0; size <= max; size += max / 2) {
				ck_assert_uint_eq(mechanism_encrypt(&use, pair.key, size == 0 ? NULL : data,
				                                    size, encrypted), CKR_OK);
				ck_assert_uint_eq(decrypt(RSA_PKCS1_OAEP_PADDING, _i, mgf, labels[i],
				                          encrypted, opened), size);
				ck_assert_mem_eq(opened, data, size);
			}
			ck_assert_uint_eq(mechanism_encrypt(&use, pair.key, data, max + 1, encrypted),
			                  CKR_DATA_LEN_RANGE);
			mechanism_use_clear(&use);
		}
	}
}
END_TEST

START_TEST(pkcs_opens_with_openssl)
{
	struct mechanism_use use = use_of(CKM_RSA_PKCS, NULL, 0, CKF_ENCRYPT);
	unsigned char data[K], encrypted[K], again[K], opened[K];

	ck_assert_int_eq(RAND_bytes(data, sizeof data), 1);
	for (size_t size = 0; size <= 245; size += 49) {
		ck_assert_uint_eq(mechanism_encrypt(&use, pair.key, data, size, encrypted), CKR_OK);
		ck_assert_uint_eq(decrypt(RSA_PKCS1_PADDING, 0, 0, "", encrypted, opened), size);
		ck_assert_mem_eq(opened, data, size);
		ck_assert_uint_eq(mechanism_encrypt(&use, pair.key, data, size, again), CKR_OK);
		ck_assert_mem_ne(encrypted, again, K);
	}
	ck_assert_uint_eq(mechanism_encrypt(&use, pair.key, data, 246, encrypted), CKR_DATA_LEN_RANGE);
}
END_TEST

static void
modulus_of(const struct pair *of, unsigned char *modulus, int size)
{
	BIGNUM *n = NULL;

	ck_assert_int_eq(EVP_PKEY_get_bn_param(of->evp, OSSL_PKEY_PARAM_RSA_N, &n), 1);
	ck_assert_int_eq(BN_bn2binpad(n, modulus, size), size);
	BN_free(n);
}

START_TEST(raw_opens_with_openssl)
{
	struct mechanism_use use = use_of(CKM_RSA_X_509, NULL, 0, CKF_ENCRYPT);
	unsigned char data[K + 1], encrypted[K], opened[K], padded[K];

	memset(data, 0x35, sizeof data);
	for (size_t size = 0; size <= K; size += 32) {
		memset(padded, 0, sizeof padded);
		memcpy(padded + K - size, data, size);
		ck_assert_uint_eq(mechanism_encrypt(&use, pair.key, data, size, encrypted), CKR_OK);
		ck_assert_uint_eq(decrypt(RSA_NO_PADDING, 0, 0, "", encrypted, opened), K);
		ck_assert_mem_eq(opened, padded, K);
	}
	ck_assert_uint_eq(mechanism_encrypt(&use, pair.key, data, K + 1, encrypted), CKR_DATA_LEN_RANGE);
	modulus_of(&pair, data, K);
	ck_assert_uint_eq(mechanism_encrypt(&use, pair.key, data, K, encrypted), CKR_DATA_INVALID);
	memset(data, 0xff, K);
	ck_assert_uint_eq(mechanism_encrypt(&use, pair.key, data, K, encrypted), CKR_DATA_INVALID);
}
END_TEST

/* OpenSSL's signature of a digest (hash ≥ 0) or of a block. */
static size_t
sign(const struct pair *with, int padding, int hash, int mgf, int salt, const void *data,
     size_t size, unsigned char *ret_signature)
{
	EVP_PKEY_CTX *context = EVP_PKEY_CTX_new(with->evp, NULL);
	size_t length = 300;

	ck_assert_int_eq(EVP_PKEY_sign_init(context), 1);
	ck_assert_int_eq(EVP_PKEY_CTX_set_rsa_padding(context, padding), 1);
	if (hash >= 0)
		ck_assert_int_eq(EVP_PKEY_CTX_set_signature_md(
			context, EVP_get_digestbyname(hashes[hash].name)), 1);
	if (padding == RSA_PKCS1_PSS_PADDING) {
		ck_assert_int_eq(EVP_PKEY_CTX_set_rsa_mgf1_md_name(context, hashes[mgf].name, NULL), 1);
		ck_assert_int_eq(EVP_PKEY_CTX_set_rsa_pss_saltlen(context, salt), 1);
	}
	ck_assert_int_eq(EVP_PKEY_sign(context, ret_signature, &length, data, size), 1);
	EVP_PKEY_CTX_free(context);
	return length;
}

/* Accepted as it is; refused with any change to it, to the data, or to a length. */
static void
assert_verifies(const struct mechanism_use *use, const struct pair *by, unsigned char *data,
                size_t size, unsigned char *signature)
{
	size_t k = public_key_signature_size(by->key);
	unsigned char random[2];

	for (int i = 0; i < 3; i++) {
		ck_assert_uint_eq(mechanism_verify(use, by->key, data, size, signature, k), CKR_OK);
		ck_assert_int_eq(RAND_bytes(random, sizeof random), 1);
		signature[k - 1 - random[0] % k] ^= (unsigned char)(random[1] | 1);
		ck_assert_uint_eq(mechanism_verify(use, by->key, data, size, signature, k),
		                  CKR_SIGNATURE_INVALID);
		signature[k - 1 - random[0] % k] ^= (unsigned char)(random[1] | 1);
		if (size == 0)
			continue;
		data[size - 1 - random[0] % (size < 16 ? size : 16)] ^= (unsigned char)(random[1] | 1);
		ck_assert_uint_eq(mechanism_verify(use, by->key, data, size, signature, k),
		                  CKR_SIGNATURE_INVALID);
		data[size - 1 - random[0] % (size < 16 ? size : 16)] ^= (unsigned char)(random[1] | 1);
	}
	ck_assert_uint_eq(mechanism_verify(use, by->key, data, size, signature, k - 1),
	                  CKR_SIGNATURE_LEN_RANGE);
	ck_assert_uint_eq(mechanism_verify(use, by->key, data, size, signature, k + 1),
	                  CKR_SIGNATURE_LEN_RANGE);
	ck_assert_uint_eq(mechanism_verify(use, by->key, data, size, signature, 0),
	                  CKR_SIGNATURE_LEN_RANGE);
	ck_assert_uint_eq(mechanism_verify(use, by->key, data, size, signature, k), CKR_OK);
	ck_assert_uint_eq(ERR_peek_error(), 0);
}

START_TEST(verifies_pkcs)
{
	struct mechanism_use use = use_of(hashes[_i].pkcs, NULL, 0, CKF_VERIFY);
	size_t size = digest_size(hashes[_i].digest);
	unsigned char digest[DIGEST_SIZE_MAX], signature[300];

	ck_assert_int_eq(RAND_bytes(digest, sizeof digest), 1);
	sign(&pair, RSA_PKCS1_PADDING, _i, 0, 0, digest, size, signature);
	assert_verifies(&use, &pair, digest, size, signature);
	ck_assert_uint_eq(mechanism_verify(&use, pair.key, digest, size - 1, signature, K),
	                  CKR_DATA_LEN_RANGE);
	/* One hash is not another. */
	sign(&pair, RSA_PKCS1_PADDING, (_i + 1) % HASHES, 0, 0, digest,
	     digest_size(hashes[(_i + 1) % HASHES].digest), signature);
	ck_assert_uint_eq(mechanism_verify(&use, pair.key, digest, size, signature, K),
	                  CKR_SIGNATURE_INVALID);
}
END_TEST

/* The zeros, ones and number n itself. */
START_TEST(refuses_numbers_that_sign_nothing)
{
	static const CK_MECHANISM_TYPE types[] = { CKM_SHA256_RSA_PKCS, CKM_RSA_PKCS, CKM_RSA_X_509 };
	struct mechanism_use use = use_of(types[_i], NULL, 0, CKF_VERIFY);
	unsigned char signature[K] = { 0 }, digest[32] = { 1 };

	ck_assert_uint_eq(mechanism_verify(&use, pair.key, digest, 32, signature, K),
	                  CKR_SIGNATURE_INVALID);
	signature[K - 1] = 1;
	ck_assert_uint_eq(mechanism_verify(&use, pair.key, digest, 32, signature, K),
	                  CKR_SIGNATURE_INVALID);
	modulus_of(&pair, signature, K);
	ck_assert_uint_eq(mechanism_verify(&use, pair.key, digest, 32, signature, K),
	                  CKR_SIGNATURE_INVALID);
	memset(signature, 0xff, sizeof signature);
	ck_assert_uint_eq(mechanism_verify(&use, pair.key, digest, 32, signature, K),
	                  CKR_SIGNATURE_INVALID);
	ck_assert_uint_eq(ERR_peek_error(), 0);
}
END_TEST

START_TEST(verifies_pkcs_of_any_data)
{
	struct mechanism_use use = use_of(CKM_RSA_PKCS, NULL, 0, CKF_VERIFY);
	unsigned char data[K], signature[300], block[K];

	ck_assert_int_eq(RAND_bytes(data, sizeof data), 1);
	for (size_t size = 0; size <= 245; size += 49) {
		sign(&pair, RSA_PKCS1_PADDING, -1, 0, 0, data, size, signature);
		assert_verifies(&use, &pair, data, size, signature);
	}
	ck_assert_uint_eq(mechanism_verify(&use, pair.key, data, 246, signature, K), CKR_DATA_LEN_RANGE);
	/* A block of type 2 around the data, or with short padding, is not a signature of it. */
	memset(block, 0xff, sizeof block);
	memcpy(block, "\0\2", 2);
	block[K - 21] = 0;
	memcpy(block + K - 20, data, 20);
	pair_rsa_raw(&pair, block, signature);
	ck_assert_uint_eq(mechanism_verify(&use, pair.key, data, 20, signature, K), CKR_SIGNATURE_INVALID);
	block[1] = 1;
	pair_rsa_raw(&pair, block, signature);
	ck_assert_uint_eq(mechanism_verify(&use, pair.key, data, 20, signature, K), CKR_OK);
	block[50] = 0;
	pair_rsa_raw(&pair, block, signature);
	ck_assert_uint_eq(mechanism_verify(&use, pair.key, data, 20, signature, K), CKR_SIGNATURE_INVALID);
}
END_TEST

START_TEST(verifies_raw)
{
	struct mechanism_use use = use_of(CKM_RSA_X_509, NULL, 0, CKF_VERIFY);
	unsigned char data[K] = { 0 }, signature[K];

	ck_assert_int_eq(RAND_bytes(data + 10, K - 10), 1);
	pair_rsa_raw(&pair, data, signature);
	assert_verifies(&use, &pair, data, K, signature);
	/* The zeros in front may be left out. */
	assert_verifies(&use, &pair, data + 10, K - 10, signature);
	modulus_of(&pair, data, K);
	ck_assert_uint_eq(mechanism_verify(&use, pair.key, data, K, signature, K), CKR_DATA_INVALID);
	ck_assert_uint_eq(mechanism_verify(&use, pair.key, data, K + 1, signature, K),
	                  CKR_DATA_LEN_RANGE);
}
END_TEST

START_TEST(verifies_pss)
{
	static const int salts[] = { 0, 20, 32, 100 };
	size_t size = digest_size(hashes[_i].digest);
	unsigned char digest[DIGEST_SIZE_MAX], signature[300];
	CK_RSA_PKCS_PSS_PARAMS pss = { hashes[_i].digest, 0, 0 };
	struct mechanism_use use;

	ck_assert_int_eq(RAND_bytes(digest, sizeof digest), 1);
	for (int mgf = 0; mgf < HASHES; mgf++) {
		for (size_t i = 0; i < sizeof salts / sizeof *salts; i++) {
			pss.mgf = hashes[mgf].mgf;
			pss.sLen = (CK_ULONG)salts[i];
			sign(&pair, RSA_PKCS1_PSS_PADDING, _i, mgf, salts[i], digest, size, signature);
			use = use_of(CKM_RSA_PKCS_PSS, &pss, sizeof pss, CKF_VERIFY);
			assert_verifies(&use, &pair, digest, size, signature);
			ck_assert_uint_eq(mechanism_verify(&use, pair.key, digest, size - 1, signature, K),
			                  CKR_DATA_LEN_RANGE);
			use = use_of(hashes[_i].pss, &pss, sizeof pss, CKF_VERIFY);
			assert_verifies(&use, &pair, digest, size, signature);
			/* The salt has the length that was agreed, the mask its hash. */
			pss.sLen++;
			use = use_of(CKM_RSA_PKCS_PSS, &pss, sizeof pss, CKF_VERIFY);
			ck_assert_uint_eq(mechanism_verify(&use, pair.key, digest, size, signature, K),
			                  CKR_SIGNATURE_INVALID);
			pss.sLen--;
			pss.mgf = hashes[(mgf + 1) % HASHES].mgf;
			use = use_of(CKM_RSA_PKCS_PSS, &pss, sizeof pss, CKF_VERIFY);
			ck_assert_uint_eq(mechanism_verify(&use, pair.key, digest, size, signature, K),
			                  CKR_SIGNATURE_INVALID);
		}
	}
}
END_TEST

/* 2049 bits: the encoded message is a byte shorter than the modulus. */
START_TEST(verifies_pss_of_odd_sizes)
{
	CK_RSA_PKCS_PSS_PARAMS pss = { CKM_SHA256, CKG_MGF1_SHA256, 222 };
	CK_MECHANISM mechanism = { CKM_RSA_PKCS_PSS, &pss, sizeof pss };
	unsigned char digest[32] = { 7 }, signature[300];
	struct mechanism_use use;

	ck_assert_uint_eq(mechanism_use_init(&mechanism, CKF_VERIFY, odd.key, &use), CKR_OK);
	ck_assert_uint_eq(sign(&odd, RSA_PKCS1_PSS_PADDING, 2, 2, 222, digest, 32, signature), 257);
	assert_verifies(&use, &odd, digest, 32, signature);
}
END_TEST

/* What the KMS would get, done by OpenSSL's private half, verifies as the whole mechanism. */
START_TEST(plans_pkcs_signatures)
{
	struct mechanism_use use;
	size_t size = digest_size(hashes[_i].digest);
	unsigned char digest[DIGEST_SIZE_MAX], signature[300], expected[300];
	/* RFC 8017, section 9.2, note 1, for SHA-256 */
	static const unsigned char sha256_info[] = { 0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60,
		                                     0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02,
		                                     0x01, 0x05, 0x00, 0x04, 0x20 };
	struct buffer block = BUFFER_INIT;
	struct mechanism_plan plan;

	if (hashes[_i].digest == CKM_SHA_1)
		return;
	ck_assert_int_eq(RAND_bytes(digest, sizeof digest), 1);
	use = use_of(hashes[_i].pkcs, NULL, 0, CKF_SIGN);
	ck_assert_uint_eq(mechanism_plan_sign(&use, pair.key, digest, size, &plan, &block), CKR_OK);
	ck_assert_uint_eq(plan.primitive.mechanism, CKM_RSA_PKCS);
	ck_assert_ptr_null(plan.primitive.pParameter);
	ck_assert_uint_eq(plan.primitive.ulParameterLen, 0);
	ck_assert(!plan.unpad);
	if (hashes[_i].digest == CKM_SHA256) {
		ck_assert_uint_eq(block.size, sizeof sha256_info + 32);
		ck_assert_mem_eq(block.data, sha256_info, sizeof sha256_info);
	}
	sign(&pair, RSA_PKCS1_PADDING, -1, 0, 0, block.data, block.size, signature);
	sign(&pair, RSA_PKCS1_PADDING, _i, 0, 0, digest, size, expected);
	ck_assert_mem_eq(signature, expected, K);
	ck_assert_uint_eq(mechanism_plan_sign(&use, pair.key, digest, size + 1, &plan, &block),
	                  CKR_DATA_LEN_RANGE);
	buffer_clear(&block);
}
END_TEST

START_TEST(plans_other_signatures)
{
	CK_RSA_PKCS_PSS_PARAMS pss = { CKM_SHA256, CKG_MGF1_SHA1, 17 };
	struct mechanism_use use = use_of(CKM_RSA_PKCS, NULL, 0, CKF_SIGN);
	unsigned char data[K + 1] = { 1, 2, 3 }, padded[K] = { 0 };
	struct buffer block = BUFFER_INIT;
	struct mechanism_plan plan;

	ck_assert_uint_eq(mechanism_plan_sign(&use, pair.key, data, 245, &plan, &block), CKR_OK);
	ck_assert_uint_eq(plan.primitive.mechanism, CKM_RSA_PKCS);
	ck_assert(buffer_equal(&block, data, 245));
	ck_assert_uint_eq(mechanism_plan_sign(&use, pair.key, data, 0, &plan, &block), CKR_OK);
	ck_assert(buffer_equal(&block, "", 0));
	ck_assert_uint_eq(mechanism_plan_sign(&use, pair.key, data, 246, &plan, &block),
	                  CKR_DATA_LEN_RANGE);

	use = use_of(CKM_RSA_X_509, NULL, 0, CKF_SIGN);
	memcpy(padded + K - 3, data, 3);
	ck_assert_uint_eq(mechanism_plan_sign(&use, pair.key, data, 3, &plan, &block), CKR_OK);
	ck_assert_uint_eq(plan.primitive.mechanism, CKM_RSA_X_509);
	ck_assert(buffer_equal(&block, padded, K));
	ck_assert_uint_eq(mechanism_plan_sign(&use, pair.key, data, K + 1, &plan, &block),
	                  CKR_DATA_LEN_RANGE);
	memset(data, 0xff, K);
	ck_assert_uint_eq(mechanism_plan_sign(&use, pair.key, data, K, &plan, &block), CKR_DATA_INVALID);

	use = use_of(CKM_RSA_PKCS_PSS, &pss, sizeof pss, CKF_SIGN);
	ck_assert_uint_eq(mechanism_plan_sign(&use, pair.key, data, 31, &plan, &block),
	                  CKR_DATA_LEN_RANGE);
	ck_assert_uint_eq(mechanism_plan_sign(&use, pair.key, data, 32, &plan, &block), CKR_OK);
	ck_assert(buffer_equal(&block, data, 32));
	ck_assert_uint_eq(plan.primitive.mechanism, CKM_RSA_PKCS_PSS);
	ck_assert_ptr_eq(plan.primitive.pParameter, &plan.parameter.pss);
	ck_assert_uint_eq(plan.primitive.ulParameterLen, sizeof pss);
	ck_assert_mem_eq(&plan.parameter.pss, &pss, sizeof pss);
	use = use_of(CKM_SHA256_RSA_PKCS_PSS, &pss, sizeof pss, CKF_SIGN);
	ck_assert_uint_eq(mechanism_plan_sign(&use, pair.key, data, 32, &plan, &block), CKR_OK);
	ck_assert_uint_eq(plan.primitive.mechanism, CKM_RSA_PKCS_PSS);
	ck_assert_mem_eq(&plan.parameter.pss, &pss, sizeof pss);
	buffer_clear(&block);
}
END_TEST

struct offer {
	bool oaep, raw;
};

static bool
offers(const void *context, CK_MECHANISM_TYPE primitive)
{
	const struct offer *offer = context;

	return (primitive == CKM_RSA_PKCS_OAEP && offer->oaep) ||
	       (primitive == CKM_RSA_X_509 && offer->raw);
}

/* hash, mgf, label → by which primitive, with both, and with either. */
START_TEST(plans_decryption)
{
	static const struct {
		int hash, mgf;
		const char *label;
		bool plain;
	} rows[] = {
		{ 0, 0, "", true }, { 0, 0, "l", false }, { 0, 2, "", false },
		{ 2, 0, "", false }, { 2, 2, "", false }, { 2, 2, "label", false },
	};
	static const struct offer both = { true, true }, oaep = { true, false },
		raw = { false, true }, none = { false, false };
	struct mechanism_plan plan, untouched;
	struct mechanism_use use;

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		use = oaep_use(rows[i].hash, rows[i].mgf, rows[i].label, CKF_DECRYPT);
		ck_assert_uint_eq(mechanism_plan_decrypt(&use, pair.key, offers, &both, &plan), CKR_OK);
		ck_assert_uint_eq(plan.primitive.mechanism,
		                  rows[i].plain ? CKM_RSA_PKCS_OAEP : CKM_RSA_X_509);
		ck_assert_uint_eq(plan.unpad, !rows[i].plain);
		ck_assert_uint_eq(mechanism_plan_decrypt(&use, pair.key, offers, &raw, &plan), CKR_OK);
		ck_assert_uint_eq(plan.primitive.mechanism, CKM_RSA_X_509);
		ck_assert_ptr_null(plan.primitive.pParameter);
		ck_assert_uint_eq(plan.primitive.ulParameterLen, 0);
		ck_assert(plan.unpad);
		ck_assert_uint_eq(mechanism_plan_decrypt(&use, pair.key, offers, &oaep, &plan), CKR_OK);
		ck_assert_uint_eq(plan.primitive.mechanism, CKM_RSA_PKCS_OAEP);
		ck_assert(!plan.unpad);
		ck_assert_ptr_eq(plan.primitive.pParameter, &plan.parameter.oaep);
		ck_assert_uint_eq(plan.primitive.ulParameterLen, sizeof plan.parameter.oaep);
		ck_assert_uint_eq(plan.parameter.oaep.hashAlg, hashes[rows[i].hash].digest);
		ck_assert_uint_eq(plan.parameter.oaep.mgf, hashes[rows[i].mgf].mgf);
		ck_assert_uint_eq(plan.parameter.oaep.source, CKZ_DATA_SPECIFIED);
		ck_assert_uint_eq(plan.parameter.oaep.ulSourceDataLen, strlen(rows[i].label));
		ck_assert_mem_eq(plan.parameter.oaep.pSourceData == NULL
		                         ? (const void *)"" : plan.parameter.oaep.pSourceData,
		                 rows[i].label, strlen(rows[i].label));
		memset(&plan, 0xa5, sizeof plan);
		memset(&untouched, 0xa5, sizeof untouched);
		ck_assert_uint_eq(mechanism_plan_decrypt(&use, pair.key, offers, &none, &plan),
		                  CKR_MECHANISM_INVALID);
		ck_assert_mem_eq(&plan, &untouched, sizeof plan);
		mechanism_use_clear(&use);
	}
}
END_TEST

/* PKCS#1 v1.5 and no padding: by raw decryption, whatever else the KMS has. */
START_TEST(plans_legacy_decryption)
{
	static const struct offer both = { true, true }, oaep = { true, false };
	CK_MECHANISM pkcs = { CKM_RSA_PKCS, NULL, 0 }, raw = { CKM_RSA_X_509, NULL, 0 };
	struct secret *block = NULL, *whole = NULL;
	struct mechanism_plan plan;
	struct mechanism_use use;

	ck_assert_uint_eq(mechanism_use_init(&pkcs, CKF_DECRYPT, pair.key, &use), CKR_OK);
	ck_assert_uint_eq(mechanism_plan_decrypt(&use, pair.key, offers, &both, &plan), CKR_OK);
	ck_assert_uint_eq(plan.primitive.mechanism, CKM_RSA_X_509);
	ck_assert(plan.reject && !plan.unpad);
	ck_assert_uint_eq(mechanism_plan_decrypt(&use, pair.key, offers, &oaep, &plan),
	                  CKR_MECHANISM_INVALID);
	/* A rejection that tells is not to be had. */
	ck_assert_uint_eq(secret_dup("\1\2\3", 3, &block), CKR_OK);
	ck_assert_uint_eq(mechanism_unpad(&use, pair.key, block, &whole), CKR_MECHANISM_INVALID);
	mechanism_use_clear(&use);
	ck_assert_uint_eq(mechanism_use_init(&raw, CKF_DECRYPT, pair.key, &use), CKR_OK);
	ck_assert_uint_eq(mechanism_plan_decrypt(&use, pair.key, offers, &both, &plan), CKR_OK);
	ck_assert_uint_eq(plan.primitive.mechanism, CKM_RSA_X_509);
	ck_assert(!plan.reject && plan.unpad);
	ck_assert_uint_eq(mechanism_plan_decrypt(&use, pair.key, offers, &oaep, &plan),
	                  CKR_MECHANISM_INVALID);
	/* Leading zeros come back. */
	ck_assert_uint_eq(mechanism_unpad(&use, pair.key, block, &whole), CKR_OK);
	ck_assert_uint_eq(secret_size(whole), public_key_signature_size(pair.key));
	ck_assert_uint_eq(secret_bytes(whole)[0], 0);
	ck_assert_mem_eq(secret_bytes(whole) + secret_size(whole) - 3, "\1\2\3", 3);
	mechanism_use_clear(&use);
	secret_free(&block);
	secret_free(&whole);
}
END_TEST

static CK_RV
unpad(const struct mechanism_use *use, const unsigned char *block, size_t size,
      unsigned char *ret_data, size_t *ret_size)
{
	struct secret *raw = NULL, *plaintext = NULL;
	CK_RV rv;

	ck_assert_uint_eq(secret_dup(block, size, &raw), CKR_OK);
	rv = mechanism_unpad(use, pair.key, raw, &plaintext);
	ck_assert_mem_eq(secret_bytes(raw), block, size);
	secret_free(&raw);
	ck_assert_uint_eq(ERR_peek_error(), 0); /* good and bad leave the queue alike */
	if (rv != CKR_OK) {
		ck_assert_ptr_null(plaintext);
		return rv;
	}
	*ret_size = secret_size(plaintext);
	memcpy(ret_data, secret_bytes(plaintext), *ret_size);
	secret_free(&plaintext);
	return rv;
}

/* OpenSSL encrypts, its private half opens the raw block, the padding comes off here. */
START_TEST(unpads)
{
	unsigned char data[K], encrypted[K], block[K], opened[K];
	struct mechanism_use use;
	size_t max, size;

	ck_assert_int_eq(RAND_bytes(data, sizeof data), 1);
	for (int mgf = 0; mgf < HASHES; mgf++) {
		for (int label = 0; label < 2; label++) {
			use = oaep_use(_i, mgf, label ? "label" : "", CKF_DECRYPT);
			max = mechanism_input_max(&use, pair.key);
			for (size_t length = 0; length <= max; length += max / 5) {
				ck_assert_uint_eq(mechanism_encrypt(&use, pair.key, data, length,
				                                    encrypted), CKR_OK);
				pair_rsa_raw(&pair, encrypted, block);
				ck_assert_uint_eq(unpad(&use, block, K, opened, &size), CKR_OK);
				ck_assert_uint_eq(size, length);
				ck_assert_mem_eq(opened, data, length);
				/* A KMS that leaves the zero in front away. */
				ck_assert_uint_eq(block[0], 0);
				ck_assert_uint_eq(unpad(&use, block + 1, K - 1, opened, &size), CKR_OK);
				ck_assert_uint_eq(size, length);
				ck_assert_mem_eq(opened, data, length);
			}
			mechanism_use_clear(&use);
		}
	}
}
END_TEST

START_TEST(unpad_refuses_every_break_alike)
{
	struct mechanism_use use = oaep_use(2, 2, "label", CKF_DECRYPT);
	struct mechanism_use unlabelled = oaep_use(2, 2, "", CKF_DECRYPT);
	struct mechanism_use other = oaep_use(3, 2, "label", CKF_DECRYPT);
	struct mechanism_use other_mask = oaep_use(2, 3, "label", CKF_DECRYPT);
	unsigned char encrypted[K], block[K], opened[K];
	size_t size;

	ck_assert_uint_eq(mechanism_encrypt(&use, pair.key, "message", 7, encrypted), CKR_OK);
	pair_rsa_raw(&pair, encrypted, block);
	ck_assert_uint_eq(unpad(&use, block, K, opened, &size), CKR_OK);
	/* Each byte: the first (Manger), the seed, the label's hash, the zeros, the 01, the message. */
	for (size_t i = 0; i < K - 7; i++) {
		block[i] ^= 1;
		ck_assert_uint_eq(unpad(&use, block, K, opened, &size), CKR_ENCRYPTED_DATA_INVALID);
		block[i] ^= 0x81;
		ck_assert_uint_eq(unpad(&use, block, K, opened, &size), CKR_ENCRYPTED_DATA_INVALID);
		block[i] ^= 0x80;
	}
	ck_assert_uint_eq(unpad(&use, block, K, opened, &size), CKR_OK);
	ck_assert_uint_eq(unpad(&unlabelled, block, K, opened, &size), CKR_ENCRYPTED_DATA_INVALID);
	ck_assert_uint_eq(unpad(&other, block, K, opened, &size), CKR_ENCRYPTED_DATA_INVALID);
	ck_assert_uint_eq(unpad(&other_mask, block, K, opened, &size), CKR_ENCRYPTED_DATA_INVALID);
	/* Lengths that no block has. */
	ck_assert_uint_eq(unpad(&use, block, 0, opened, &size), CKR_ENCRYPTED_DATA_INVALID);
	ck_assert_uint_eq(unpad(&use, block, 1, opened, &size), CKR_ENCRYPTED_DATA_INVALID);
	ck_assert_uint_eq(unpad(&use, block + 2, K - 2, opened, &size), CKR_ENCRYPTED_DATA_INVALID);
	ck_assert_uint_eq(unpad(&use, block, K - 1, opened, &size), CKR_ENCRYPTED_DATA_INVALID);
	/* Nothing but noise. */
	for (int i = 0; i < 300; i++) {
		ck_assert_int_eq(RAND_bytes(block, sizeof block), 1);
		if (i % 2)
			block[0] = 0;
		ck_assert_uint_eq(unpad(&use, block, K, opened, &size), CKR_ENCRYPTED_DATA_INVALID);
	}
	memset(block, 0, sizeof block);
	ck_assert_uint_eq(unpad(&use, block, K, opened, &size), CKR_ENCRYPTED_DATA_INVALID);
	memset(block, 0xff, sizeof block);
	ck_assert_uint_eq(unpad(&use, block, K, opened, &size), CKR_ENCRYPTED_DATA_INVALID);
	mechanism_use_clear(&use);
	mechanism_use_clear(&unlabelled);
	mechanism_use_clear(&other);
	mechanism_use_clear(&other_mask);
}
END_TEST

START_TEST(unpad_of_too_much)
{
	struct mechanism_use use = oaep_use(2, 2, "", CKF_DECRYPT);
	unsigned char block[K + 1] = { 0 }, opened[K];
	size_t size;

	ck_assert_uint_eq(unpad(&use, block, K + 1, opened, &size), CKR_ENCRYPTED_DATA_INVALID);
}
END_TEST

/* The application's own errors stay in OpenSSL's queue, which is the thread's. */
START_TEST(unpad_leaves_errors_of_others)
{
	struct mechanism_use use = oaep_use(2, 2, "", CKF_DECRYPT);
	struct secret *block = NULL, *plaintext = NULL;

	ERR_raise(ERR_LIB_USER, 42);
	ck_assert_uint_eq(secret_new(K, &block), CKR_OK);
	ck_assert_uint_eq(mechanism_unpad(&use, pair.key, block, &plaintext),
	                  CKR_ENCRYPTED_DATA_INVALID);
	ck_assert_int_eq(ERR_GET_REASON(ERR_get_error()), 42);
	ck_assert_uint_eq(ERR_get_error(), 0);
	secret_free(&block);
}
END_TEST

/* More uses of one key than its store has places, over and over. */
START_TEST(many_uses_of_one_key)
{
	unsigned char digest[DIGEST_SIZE_MAX] = { 9 }, signature[300], encrypted[K], opened[K];
	CK_RSA_PKCS_PSS_PARAMS pss = { 0, 0, 0 };
	struct mechanism_use use;
	int hash, salt;

	for (int round = 0; round < 200; round++) {
		hash = round % HASHES;
		salt = round % 7;
		pss = (CK_RSA_PKCS_PSS_PARAMS){ hashes[hash].digest, hashes[hash].mgf, (CK_ULONG)salt };
		use = use_of(CKM_RSA_PKCS_PSS, &pss, sizeof pss, CKF_VERIFY);
		sign(&pair, RSA_PKCS1_PSS_PADDING, hash, hash, salt, digest,
		     digest_size(hashes[hash].digest), signature);
		ck_assert_uint_eq(mechanism_verify(&use, pair.key, digest,
		                                   digest_size(hashes[hash].digest), signature, K), CKR_OK);
		use = oaep_use(hash, 4 - hash, round % 3 ? "" : "label", CKF_ENCRYPT);
		ck_assert_uint_eq(mechanism_encrypt(&use, pair.key, "text", 4, encrypted), CKR_OK);
		ck_assert_uint_eq(decrypt(RSA_PKCS1_OAEP_PADDING, hash, 4 - hash,
		                          round % 3 ? "" : "label", encrypted, opened), 4);
		ck_assert_mem_eq(opened, "text", 4);
		mechanism_use_clear(&use);
	}
}
END_TEST

static unsigned char shared_digest[64], shared_signatures[sizeof hashes / sizeof *hashes][300];

static void *
one_thread(void *context)
{
	uintptr_t failed = 0;
	unsigned char encrypted[K];
	struct mechanism_use use;
	CK_MECHANISM mechanism;
	CK_RSA_PKCS_OAEP_PARAMS oaep;
	int hash;

	for (int i = 0; i < 2000; i++) {
		hash = (i + *(const int *)context) % HASHES;
		mechanism = (CK_MECHANISM){ hashes[hash].pkcs, NULL, 0 };
		failed += mechanism_use_init(&mechanism, CKF_VERIFY, pair.key, &use) != CKR_OK ||
		          mechanism_verify(&use, pair.key, shared_digest,
		                           digest_size(hashes[hash].digest), shared_signatures[hash],
		                           K) != CKR_OK;
		failed += mechanism_verify(&use, pair.key, shared_digest,
		                           digest_size(hashes[hash].digest),
		                           shared_signatures[(hash + 1) % HASHES], K) !=
		          CKR_SIGNATURE_INVALID;
		oaep = (CK_RSA_PKCS_OAEP_PARAMS){ hashes[hash].digest, hashes[hash].mgf,
			                          CKZ_DATA_SPECIFIED, NULL, 0 };
		mechanism = (CK_MECHANISM){ CKM_RSA_PKCS_OAEP, &oaep, sizeof oaep };
		failed += mechanism_use_init(&mechanism, CKF_ENCRYPT, pair.key, &use) != CKR_OK ||
		          mechanism_encrypt(&use, pair.key, "text", 4, encrypted) != CKR_OK;
	}
	return (void *)failed;
}

START_TEST(threads_share_a_key)
{
	pthread_t threads[4];
	int seeds[4];
	void *failed;

	for (int hash = 0; hash < HASHES; hash++)
		sign(&pair, RSA_PKCS1_PADDING, hash, 0, 0, shared_digest,
		     digest_size(hashes[hash].digest), shared_signatures[hash]);
	for (int i = 0; i < 4; i++) {
		seeds[i] = i;
		ck_assert_int_eq(pthread_create(&threads[i], NULL, one_thread, &seeds[i]), 0);
	}
	for (int i = 0; i < 4; i++) {
		ck_assert_int_eq(pthread_join(threads[i], &failed), 0);
		ck_assert_ptr_null(failed);
	}
}
END_TEST

static void
add_signatures(TCase *tests)
{
	tcase_add_loop_test(tests, verifies_pkcs, 0, HASHES);
	tcase_add_loop_test(tests, refuses_numbers_that_sign_nothing, 0, 3);
	tcase_add_test(tests, verifies_pkcs_of_any_data);
	tcase_add_test(tests, verifies_raw);
	tcase_add_loop_test(tests, verifies_pss, 0, HASHES);
	tcase_add_test(tests, verifies_pss_of_odd_sizes);
	tcase_add_loop_test(tests, plans_pkcs_signatures, 0, HASHES);
	tcase_add_test(tests, plans_other_signatures);
}

Suite *
unit_suite(void)
{
	Suite *suite = suite_create("rsa");
	TCase *tests = tcase_create("rsa");

	tcase_set_timeout(tests, 120);
	tcase_add_unchecked_fixture(tests, setup, teardown);
	tcase_add_loop_test(tests, oaep_opens_with_openssl, 0, HASHES);
	tcase_add_test(tests, pkcs_opens_with_openssl);
	tcase_add_test(tests, raw_opens_with_openssl);
	add_signatures(tests);
	tcase_add_test(tests, plans_decryption);
	tcase_add_test(tests, plans_legacy_decryption);
	tcase_add_loop_test(tests, unpads, 0, HASHES);
	tcase_add_test(tests, unpad_refuses_every_break_alike);
	tcase_add_test(tests, unpad_of_too_much);
	tcase_add_test(tests, unpad_leaves_errors_of_others);
	tcase_add_test(tests, many_uses_of_one_key);
	tcase_add_test(tests, threads_share_a_key);
	suite_add_tcase(suite, tests);
	return suite;
}
