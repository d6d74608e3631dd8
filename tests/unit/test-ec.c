/* SPDX-License-Identifier: Apache-2.0 */
/* ECDSA and EdDSA: what OpenSSL's private half signs verifies here. */
#include "unit.h"

#include "base/openssl.h"
#include "mechanism/mechanism.h"
#include "pair.h"

#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/objects.h>
#include <openssl/rand.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

static const char *const curves[] = { "p-256", "p-384", "p-521" };

#define CURVES ((int)(sizeof curves / sizeof *curves))

static const struct {
	CK_MECHANISM_TYPE type, digest;
	bool signs;
} hashes[] = {
	{ CKM_ECDSA_SHA1, CKM_SHA_1, false },
	{ CKM_ECDSA_SHA224, CKM_SHA224, true },
	{ CKM_ECDSA_SHA256, CKM_SHA256, true },
	{ CKM_ECDSA_SHA384, CKM_SHA384, true },
	{ CKM_ECDSA_SHA512, CKM_SHA512, true },
};

static struct pair pairs[sizeof curves / sizeof *curves], edwards;

static void
setup(void)
{
	ck_assert_uint_eq(openssl_start(), CKR_OK);
	for (int i = 0; i < CURVES; i++)
		pair_make(curves[i], &pairs[i]);
	pair_make("ed25519", &edwards);
}

static void
teardown(void)
{
	for (int i = 0; i < CURVES; i++)
		pair_clear(&pairs[i]);
	pair_clear(&edwards);
	openssl_stop();
}

static struct mechanism_use
use_of(CK_MECHANISM_TYPE type, CK_FLAGS flag, const struct pair *pair)
{
	CK_MECHANISM mechanism = { type, NULL, 0 };
	struct mechanism_use use;

	ck_assert_uint_eq(mechanism_use_init(&mechanism, flag, pair->key, &use), CKR_OK);
	return use;
}

static void
assert_verifies(const struct mechanism_use *use, const struct pair *pair, unsigned char *data,
                size_t size, unsigned char *signature)
{
	size_t length = public_key_signature_size(pair->key);
	unsigned char random[2];

	for (int i = 0; i < 10; i++) {
		ck_assert_uint_eq(mechanism_verify(use, pair->key, data, size, signature, length), CKR_OK);
		ck_assert_int_eq(RAND_bytes(random, sizeof random), 1);
		signature[random[0] % length] ^= (unsigned char)(random[1] | 1);
		ck_assert_uint_eq(mechanism_verify(use, pair->key, data, size, signature, length),
		                  CKR_SIGNATURE_INVALID);
		signature[random[0] % length] ^= (unsigned char)(random[1] | 1);
		if (size == 0)
			continue;
		data[random[0] % (size < 32 ? size : 32)] ^= (unsigned char)(random[1] | 1);
		ck_assert_uint_eq(mechanism_verify(use, pair->key, data, size, signature, length),
		                  CKR_SIGNATURE_INVALID);
		data[random[0] % (size < 32 ? size : 32)] ^= (unsigned char)(random[1] | 1);
	}
	ck_assert_uint_eq(mechanism_verify(use, pair->key, data, size, signature, length - 1),
	                  CKR_SIGNATURE_LEN_RANGE);
	ck_assert_uint_eq(mechanism_verify(use, pair->key, data, size, signature, length + 1),
	                  CKR_SIGNATURE_LEN_RANGE);
	ck_assert_uint_eq(mechanism_verify(use, pair->key, data, size, signature, 0),
	                  CKR_SIGNATURE_LEN_RANGE);
	ck_assert_uint_eq(ERR_peek_error(), 0);
}

START_TEST(verifies_hashes)
{
	unsigned char digest[DIGEST_SIZE_MAX], signature[200];
	struct mechanism_use use;
	size_t size;

	for (size_t i = 0; i < sizeof hashes / sizeof *hashes; i++) {
		ck_assert_int_eq(RAND_bytes(digest, sizeof digest), 1);
		size = digest_size(hashes[i].digest);
		use = use_of(hashes[i].type, CKF_VERIFY, &pairs[_i]);
		pair_ecdsa(&pairs[_i], digest, size, signature);
		assert_verifies(&use, &pairs[_i], digest, size, signature);
		ck_assert_uint_eq(mechanism_verify(&use, pairs[_i].key, digest, size - 1, signature,
		                                   public_key_signature_size(pairs[_i].key)),
		                  CKR_DATA_LEN_RANGE);
		ck_assert_uint_eq(mechanism_verify(&use, pairs[_i].key, digest, 0, signature,
		                                   public_key_signature_size(pairs[_i].key)),
		                  CKR_DATA_LEN_RANGE);
	}
}
END_TEST

/* Short or longer than the order: CKM_ECDSA takes 1 to 128 bytes. */
START_TEST(verifies_any_length)
{
	struct mechanism_use use = use_of(CKM_ECDSA, CKF_VERIFY, &pairs[_i]);
	size_t length = public_key_signature_size(pairs[_i].key);
	unsigned char data[130], signature[200];

	ck_assert_int_eq(RAND_bytes(data, sizeof data), 1);
	for (size_t size = 1; size <= 128; size = size < 16 ? size + 5 : size * 2) {
		pair_ecdsa(&pairs[_i], data, size, signature);
		assert_verifies(&use, &pairs[_i], data, size, signature);
	}
	pair_ecdsa(&pairs[_i], data, 128, signature);
	assert_verifies(&use, &pairs[_i], data, 128, signature);
	ck_assert_uint_eq(mechanism_verify(&use, pairs[_i].key, data, 129, signature, length),
	                  CKR_DATA_LEN_RANGE);
	ck_assert_uint_eq(mechanism_verify(&use, pairs[_i].key, data, 0, signature, length),
	                  CKR_DATA_LEN_RANGE);
}
END_TEST

/* r and s are from 1 to the order less one. */
START_TEST(numbers_out_of_range)
{
	struct mechanism_use use = use_of(CKM_ECDSA, CKF_VERIFY, &pairs[_i]);
	size_t length = public_key_signature_size(pairs[_i].key), half = length / 2;
	int nid = EC_curve_nist2nid(_i == 0 ? "P-256" : _i == 1 ? "P-384" : "P-521");
	EC_GROUP *group = EC_GROUP_new_by_curve_name(nid);
	unsigned char data[32] = { 1 }, good[200], bad[200], order[80];
	const unsigned char *numbers[3];
	static const unsigned char zero[80];
	unsigned char high[80];

	memset(high, 0xff, sizeof high);
	ck_assert_int_eq(BN_bn2binpad(EC_GROUP_get0_order(group), order, (int)half), (int)half);
	EC_GROUP_free(group);
	numbers[0] = zero;
	numbers[1] = order;
	numbers[2] = high;
	pair_ecdsa(&pairs[_i], data, 32, good);
	for (size_t i = 0; i < 3; i++) {
		memcpy(bad, good, length);
		memcpy(bad, numbers[i], half);
		ck_assert_uint_eq(mechanism_verify(&use, pairs[_i].key, data, 32, bad, length),
		                  CKR_SIGNATURE_INVALID);
		memcpy(bad, good, length);
		memcpy(bad + half, numbers[i], half);
		ck_assert_uint_eq(mechanism_verify(&use, pairs[_i].key, data, 32, bad, length),
		                  CKR_SIGNATURE_INVALID);
		memcpy(bad, numbers[i], half);
		ck_assert_uint_eq(mechanism_verify(&use, pairs[_i].key, data, 32, bad, length),
		                  CKR_SIGNATURE_INVALID);
	}
	ck_assert_uint_eq(mechanism_verify(&use, pairs[_i].key, data, 32, good, length), CKR_OK);
}
END_TEST

/* What the KMS would get, signed by OpenSSL's private half, verifies as the whole mechanism. */
START_TEST(plans_ecdsa)
{
	size_t length = public_key_signature_size(pairs[_i].key), order = length / 2;
	unsigned char data[129], signature[200];
	struct buffer block = BUFFER_INIT;
	struct mechanism_plan plan;
	struct mechanism_use use;
	size_t size;

	ck_assert_int_eq(RAND_bytes(data, sizeof data), 1);
	for (size_t i = 0; i < sizeof hashes / sizeof *hashes; i++) {
		if (!hashes[i].signs)
			continue;
		use = use_of(hashes[i].type, CKF_SIGN, &pairs[_i]);
		size = digest_size(hashes[i].digest);
		ck_assert_uint_eq(mechanism_plan_sign(&use, pairs[_i].key, data, size, &plan, &block),
		                  CKR_OK);
		ck_assert_uint_eq(plan.primitive.mechanism, CKM_ECDSA);
		ck_assert_ptr_null(plan.primitive.pParameter);
		ck_assert_uint_eq(plan.primitive.ulParameterLen, 0);
		ck_assert(!plan.unpad);
		ck_assert(buffer_equal(&block, data, size < order ? size : order));
		pair_ecdsa(&pairs[_i], block.data, block.size, signature);
		ck_assert_uint_eq(mechanism_verify(&use, pairs[_i].key, data, size, signature, length),
		                  CKR_OK);
		ck_assert_uint_eq(mechanism_plan_sign(&use, pairs[_i].key, data, size + 1, &plan,
		                                      &block), CKR_DATA_LEN_RANGE);
	}
	use = use_of(CKM_ECDSA, CKF_SIGN, &pairs[_i]);
	ck_assert_uint_eq(mechanism_plan_sign(&use, pairs[_i].key, data, 128, &plan, &block), CKR_OK);
	ck_assert_uint_eq(block.size, order);
	pair_ecdsa(&pairs[_i], block.data, block.size, signature);
	ck_assert_uint_eq(mechanism_verify(&use, pairs[_i].key, data, 128, signature, length), CKR_OK);
	ck_assert_uint_eq(mechanism_plan_sign(&use, pairs[_i].key, data, 129, &plan, &block),
	                  CKR_DATA_LEN_RANGE);
	ck_assert_uint_eq(mechanism_plan_sign(&use, pairs[_i].key, data, 0, &plan, &block),
	                  CKR_DATA_LEN_RANGE);
	buffer_clear(&block);
}
END_TEST

START_TEST(verifies_eddsa)
{
	struct mechanism_use use = use_of(CKM_EDDSA, CKF_VERIFY, &edwards);
	unsigned char *data = malloc(100000), signature[64];
	static const size_t sizes[] = { 0, 1, 32, 127, 1024, 100000 };

	ck_assert_int_eq(RAND_bytes(data, 100000), 1);
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		pair_eddsa(&edwards, data, sizes[i], signature);
		assert_verifies(&use, &edwards, data, sizes[i], signature);
	}
	pair_eddsa(&edwards, data, 0, signature);
	ck_assert_uint_eq(mechanism_verify(&use, edwards.key, NULL, 0, signature, 64), CKR_OK);
	memset(signature, 0, sizeof signature);
	ck_assert_uint_eq(mechanism_verify(&use, edwards.key, NULL, 0, signature, 64),
	                  CKR_SIGNATURE_INVALID);
	memset(signature, 0xff, sizeof signature);
	ck_assert_uint_eq(mechanism_verify(&use, edwards.key, NULL, 0, signature, 64),
	                  CKR_SIGNATURE_INVALID);
	free(data);
}
END_TEST

/* RFC 8032, section 7.1, test 2. */
START_TEST(known_answer_of_eddsa)
{
	struct buffer point = BUFFER_INIT, signature = BUFFER_INIT, spki = BUFFER_INIT;
	CK_MECHANISM mechanism = { CKM_EDDSA, NULL, 0 };
	struct public_key *key = NULL;
	struct mechanism_use use;

	ck_assert(hex_parse("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", &point));
	ck_assert(hex_parse("92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
	                    "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
	                    &signature));
	ck_assert_uint_eq(spki_from_ec(algorithm_by_name("ed25519"), point.data, point.size, &spki),
	                  CKR_OK);
	ck_assert_uint_eq(public_key_new(spki.data, spki.size, &key), CKR_OK);
	ck_assert_uint_eq(mechanism_use_init(&mechanism, CKF_VERIFY, key, &use), CKR_OK);
	ck_assert_uint_eq(mechanism_verify(&use, key, "\x72", 1, signature.data, 64), CKR_OK);
	ck_assert_uint_eq(mechanism_verify(&use, key, "\x73", 1, signature.data, 64),
	                  CKR_SIGNATURE_INVALID);
	public_key_free(&key);
	buffer_clear(&point);
	buffer_clear(&signature);
	buffer_clear(&spki);
}
END_TEST

START_TEST(plans_eddsa)
{
	struct mechanism_use use = use_of(CKM_EDDSA, CKF_SIGN, &edwards);
	struct buffer block = BUFFER_INIT;
	unsigned char data[1000] = { 3 };
	struct mechanism_plan plan;

	for (size_t size = 0; size <= sizeof data; size += 250) {
		ck_assert_uint_eq(mechanism_plan_sign(&use, edwards.key, data, size, &plan, &block),
		                  CKR_OK);
		ck_assert_uint_eq(plan.primitive.mechanism, CKM_EDDSA);
		ck_assert_ptr_null(plan.primitive.pParameter);
		ck_assert(buffer_equal(&block, data, size));
	}
	buffer_clear(&block);
}
END_TEST

static unsigned char shared_data[32], shared_signature[64], shared_eddsa[64];

static void *
one_thread(void *context)
{
	struct mechanism_use ecdsa = *(const struct mechanism_use *)context;
	struct mechanism_use eddsa = use_of(CKM_EDDSA, CKF_VERIFY, &edwards);
	uintptr_t failed = 0;

	for (int i = 0; i < 300; i++) {
		failed += mechanism_verify(&ecdsa, pairs[0].key, shared_data, 32, shared_signature,
		                           64) != CKR_OK;
		failed += mechanism_verify(&ecdsa, pairs[0].key, shared_data, 32, shared_eddsa, 64) !=
		          CKR_SIGNATURE_INVALID;
		failed += mechanism_verify(&eddsa, edwards.key, shared_data, 32, shared_eddsa, 64) !=
		          CKR_OK;
		failed += mechanism_verify(&eddsa, edwards.key, shared_data, 31, shared_eddsa, 64) !=
		          CKR_SIGNATURE_INVALID;
	}
	return (void *)failed;
}

START_TEST(threads_share_a_key)
{
	struct mechanism_use use = use_of(CKM_ECDSA, CKF_VERIFY, &pairs[0]);
	pthread_t threads[4];
	void *failed;

	pair_ecdsa(&pairs[0], shared_data, 32, shared_signature);
	pair_eddsa(&edwards, shared_data, 32, shared_eddsa);
	for (int i = 0; i < 4; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, one_thread, &use), 0);
	for (int i = 0; i < 4; i++) {
		ck_assert_int_eq(pthread_join(threads[i], &failed), 0);
		ck_assert_ptr_null(failed);
	}
}
END_TEST

Suite *
unit_suite(void)
{
	Suite *suite = suite_create("ec");
	TCase *tests = tcase_create("ec");

	tcase_set_timeout(tests, 60);
	tcase_add_unchecked_fixture(tests, setup, teardown);
	tcase_add_loop_test(tests, verifies_hashes, 0, CURVES);
	tcase_add_loop_test(tests, verifies_any_length, 0, CURVES);
	tcase_add_loop_test(tests, numbers_out_of_range, 0, CURVES);
	tcase_add_loop_test(tests, plans_ecdsa, 0, CURVES);
	tcase_add_test(tests, verifies_eddsa);
	tcase_add_test(tests, known_answer_of_eddsa);
	tcase_add_test(tests, plans_eddsa);
	tcase_add_test(tests, threads_share_a_key);
	suite_add_tcase(suite, tests);
	return suite;
}
