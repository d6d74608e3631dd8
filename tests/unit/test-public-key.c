/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "base/openssl.h"
#include "mechanism/public-key.h"
#include "pair.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/rand.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static const char *const names[] = { "rsa-2048", "rsa-3072", "p-256", "p-384", "p-521", "ed25519",
	                             "x25519" };

#define NAMES ((int)(sizeof names / sizeof *names))

/* Made once: the tests are children that share them. */
static struct pair pairs[sizeof names / sizeof *names];

static void
setup(void)
{
	ck_assert_uint_eq(openssl_start(), CKR_OK);
	for (int i = 0; i < NAMES; i++)
		pair_make(names[i], &pairs[i]);
}

static void
teardown(void)
{
	for (int i = 0; i < NAMES; i++)
		pair_clear(&pairs[i]);
	openssl_stop();
}

static const struct pair *
pair_of(const char *name)
{
	for (int i = 0; i < NAMES; i++)
		if (strcmp(names[i], name) == 0)
			return &pairs[i];
	ck_abort_msg("no pair %s", name);
	return NULL;
}

static void
hex_buffer(const char *hex, struct buffer *ret_data)
{
	ck_assert(hex_parse(hex, ret_data));
}

static void
assert_attribute(const struct public_key *key, CK_ATTRIBUTE_TYPE type, const void *data, size_t size)
{
	struct buffer value = BUFFER_INIT;

	ck_assert_uint_eq(public_key_attribute(key, type, &value), CKR_OK);
	ck_assert_uint_eq(value.size, size);
	ck_assert_mem_eq(value.data, data, size);
	buffer_clear(&value);
}

static void
assert_no_attribute(const struct public_key *key, CK_ATTRIBUTE_TYPE type)
{
	struct buffer value = BUFFER_INIT;

	ck_assert_uint_eq(public_key_attribute(key, type, &value), CKR_ATTRIBUTE_TYPE_INVALID);
	ck_assert_ptr_null(value.data);
}

static void
assert_refused(const void *spki, size_t size)
{
	struct public_key *key = NULL;

	ck_assert_uint_eq(public_key_new(spki, size, &key), CKR_PUBLIC_KEY_INVALID);
	ck_assert_ptr_null(key);
}

START_TEST(what_it_is)
{
	const struct algorithm *algorithm = algorithm_by_name(names[_i]);
	const struct public_key *key = pairs[_i].key;

	ck_assert_uint_eq(public_key_type(key), algorithm->key_type);
	ck_assert_uint_eq(public_key_bits(key), algorithm->bits);
	ck_assert_int_eq(EVP_PKEY_eq(public_key_evp(key), pairs[_i].evp), 1);
	if (algorithm->key_type == CKK_RSA)
		ck_assert_uint_eq(public_key_signature_size(key), algorithm->bits / 8);
	else if (algorithm->key_type == CKK_EC)
		ck_assert_uint_eq(public_key_signature_size(key), 2 * ((algorithm->bits + 7) / 8));
	else
		ck_assert_uint_eq(public_key_signature_size(key),
		                  algorithm->key_type == CKK_EC_EDWARDS ? 64 : 0);
	assert_attribute(key, CKA_PUBLIC_KEY_INFO, pairs[_i].spki.data, pairs[_i].spki.size);
	assert_no_attribute(key, CKA_LABEL);
	assert_no_attribute(key, CKA_PRIVATE_EXPONENT);
}
END_TEST

START_TEST(attributes_of_rsa)
{
	const struct pair *pair = pair_of("rsa-2048");
	static const unsigned char exponent[] = { 1, 0, 1 };
	unsigned char modulus[256];
	CK_ULONG bits = 2048;
	BIGNUM *n = NULL;

	ck_assert_int_eq(EVP_PKEY_get_bn_param(pair->evp, OSSL_PKEY_PARAM_RSA_N, &n), 1);
	ck_assert_int_eq(BN_bn2binpad(n, modulus, sizeof modulus), sizeof modulus);
	BN_free(n);
	assert_attribute(pair->key, CKA_MODULUS, modulus, sizeof modulus);
	assert_attribute(pair->key, CKA_MODULUS_BITS, &bits, sizeof bits);
	assert_attribute(pair->key, CKA_PUBLIC_EXPONENT, exponent, sizeof exponent);
	assert_no_attribute(pair->key, CKA_EC_PARAMS);
	assert_no_attribute(pair->key, CKA_EC_POINT);
}
END_TEST

static void
point_of(const struct pair *pair, unsigned char *point, size_t *size)
{
	ck_assert_int_eq(EVP_PKEY_get_octet_string_param(pair->evp, OSSL_PKEY_PARAM_PUB_KEY, point,
	                                                 200, size), 1);
}

START_TEST(attributes_of_curves)
{
	const struct algorithm *algorithm = algorithm_by_name(names[_i]);
	unsigned char point[200], wrapped[210] = { 4 };
	size_t size, header = 2;

	if (algorithm->key_type == CKK_RSA)
		return;
	point_of(&pairs[_i], point, &size);
	wrapped[1] = (unsigned char)size;
	if (size >= 128) { /* P-521: the long form of a length */
		wrapped[1] = 0x81;
		wrapped[2] = (unsigned char)size;
		header = 3;
	}
	memcpy(wrapped + header, point, size);
	assert_attribute(pairs[_i].key, CKA_EC_POINT, wrapped, header + size);
	assert_attribute(pairs[_i].key, CKA_EC_PARAMS, algorithm->ec_params,
	                 algorithm->ec_params_size);
	assert_no_attribute(pairs[_i].key, CKA_MODULUS);
	assert_no_attribute(pairs[_i].key, CKA_MODULUS_BITS);
	assert_no_attribute(pairs[_i].key, CKA_PUBLIC_EXPONENT);
}
END_TEST

START_TEST(attribute_without_memory_leaves_output)
{
	struct buffer value = BUFFER_INIT;

	ck_assert_uint_eq(buffer_set(&value, "old", 3), CKR_OK);
	ck_assert_uint_eq(public_key_attribute(pairs[0].key, CKA_LABEL, &value),
	                  CKR_ATTRIBUTE_TYPE_INVALID);
	ck_assert(buffer_equal(&value, "old", 3));
	buffer_clear(&value);
}
END_TEST

/* From the components, the very bytes that OpenSSL writes. */
START_TEST(spki_from_components)
{
	const struct algorithm *algorithm = algorithm_by_name(names[_i]);
	struct buffer first = BUFFER_INIT, second = BUFFER_INIT, spki = BUFFER_INIT;
	const struct public_key *key = pairs[_i].key;
	unsigned char zeros[700] = { 0 }, bare[200];
	size_t size;

	if (algorithm->key_type == CKK_RSA) {
		ck_assert_uint_eq(public_key_attribute(key, CKA_MODULUS, &first), CKR_OK);
		ck_assert_uint_eq(public_key_attribute(key, CKA_PUBLIC_EXPONENT, &second), CKR_OK);
		ck_assert_uint_eq(spki_from_rsa(first.data, first.size, second.data, second.size,
		                                &spki), CKR_OK);
		ck_assert(buffer_equal(&spki, pairs[_i].spki.data, pairs[_i].spki.size));
		/* Some HSMs put zeros in front. */
		memcpy(zeros + 5, first.data, first.size);
		memcpy(zeros + 600 + 2, second.data, second.size);
		ck_assert_uint_eq(spki_from_rsa(zeros, first.size + 5, zeros + 600, second.size + 2,
		                                &spki), CKR_OK);
	} else {
		ck_assert_uint_eq(public_key_attribute(key, CKA_EC_POINT, &first), CKR_OK);
		ck_assert_uint_eq(spki_from_ec(algorithm, first.data, first.size, &spki), CKR_OK);
		ck_assert(buffer_equal(&spki, pairs[_i].spki.data, pairs[_i].spki.size));
		point_of(&pairs[_i], bare, &size);
		ck_assert_uint_eq(spki_from_ec(algorithm, bare, size, &spki), CKR_OK);
	}
	ck_assert(buffer_equal(&spki, pairs[_i].spki.data, pairs[_i].spki.size));
	buffer_clear(&first);
	buffer_clear(&second);
	buffer_clear(&spki);
}
END_TEST

START_TEST(spki_from_bad_components)
{
	const struct algorithm *p256 = algorithm_by_name("p-256");
	const struct algorithm *ed25519 = algorithm_by_name("ed25519");
	static const unsigned char zeros[10000];
	struct buffer spki = BUFFER_INIT;
	unsigned char point[70];

	ck_assert_uint_eq(spki_from_rsa("", 0, "\3", 1, &spki), CKR_PUBLIC_KEY_INVALID);
	ck_assert_uint_eq(spki_from_rsa("\3", 1, "", 0, &spki), CKR_PUBLIC_KEY_INVALID);
	ck_assert_uint_eq(spki_from_rsa(zeros, 256, "\3", 1, &spki), CKR_PUBLIC_KEY_INVALID);
	ck_assert_uint_eq(spki_from_rsa("\3", 1, zeros, 3, &spki), CKR_PUBLIC_KEY_INVALID);
	ck_assert_uint_eq(spki_from_rsa(zeros, sizeof zeros, "\3", 1, &spki),
	                  CKR_PUBLIC_KEY_INVALID);

	memset(point, 9, sizeof point);
	ck_assert_uint_eq(spki_from_ec(p256, point, 0, &spki), CKR_PUBLIC_KEY_INVALID);
	ck_assert_uint_eq(spki_from_ec(p256, point, 64, &spki), CKR_PUBLIC_KEY_INVALID);
	ck_assert_uint_eq(spki_from_ec(p256, point, 65, &spki), CKR_PUBLIC_KEY_INVALID);
	ck_assert_uint_eq(spki_from_ec(p256, point, 67, &spki), CKR_PUBLIC_KEY_INVALID);
	ck_assert_uint_eq(spki_from_ec(p256, zeros, sizeof zeros, &spki), CKR_PUBLIC_KEY_INVALID);
	point[0] = 4; /* an OCTET STRING … */
	point[1] = 65;
	ck_assert_uint_eq(spki_from_ec(p256, point, 67, &spki), CKR_PUBLIC_KEY_INVALID);
	point[2] = 4; /* … of an uncompressed point … */
	ck_assert_uint_eq(spki_from_ec(p256, point, 67, &spki), CKR_OK);
	ck_assert_uint_eq(spki_from_ec(p256, point, 68, &spki), CKR_PUBLIC_KEY_INVALID);
	point[1] = 64; /* … of another length */
	ck_assert_uint_eq(spki_from_ec(p256, point, 67, &spki), CKR_PUBLIC_KEY_INVALID);
	point[1] = 66;
	ck_assert_uint_eq(spki_from_ec(p256, point, 67, &spki), CKR_PUBLIC_KEY_INVALID);
	ck_assert_uint_eq(spki_from_ec(ed25519, point, 31, &spki), CKR_PUBLIC_KEY_INVALID);
	ck_assert_uint_eq(spki_from_ec(ed25519, point, 33, &spki), CKR_PUBLIC_KEY_INVALID);
	buffer_clear(&spki);
}
END_TEST

START_TEST(cut_or_long_is_refused)
{
	struct buffer spki = BUFFER_INIT;

	for (size_t size = 0; size < pairs[_i].spki.size; size++)
		assert_refused(pairs[_i].spki.data, size);
	ck_assert_uint_eq(buffer_set(&spki, pairs[_i].spki.data, pairs[_i].spki.size), CKR_OK);
	ck_assert_uint_eq(buffer_append(&spki, "", 1), CKR_OK);
	assert_refused(spki.data, spki.size);
	ck_assert_uint_eq(buffer_resize(&spki, 100000), CKR_OK);
	assert_refused(spki.data, spki.size);
	buffer_clear(&spki);
}
END_TEST

/* Any byte changed: refused, or another key, but nothing breaks. */
START_TEST(changed_is_survived)
{
	struct public_key *key;
	struct buffer spki = BUFFER_INIT, again = BUFFER_INIT;
	unsigned char random[2];
	CK_RV rv;

	for (int round = 0; round < 3000; round++) {
		ck_assert_uint_eq(buffer_set(&spki, pairs[_i].spki.data, pairs[_i].spki.size), CKR_OK);
		ck_assert_int_eq(RAND_bytes(random, sizeof random), 1);
		/* Half of the time among the headers. */
		spki.data[round % 2 ? random[0] % 32 : (size_t)(round / 2) % spki.size] ^= random[1];
		key = NULL;
		rv = public_key_new(spki.data, spki.size, &key);
		if (rv != CKR_OK) {
			ck_assert_uint_eq(rv, CKR_PUBLIC_KEY_INVALID);
			ck_assert_ptr_null(key);
			continue;
		}
		/* One spelling only: what is taken is what OpenSSL writes. */
		pair_spki(public_key_evp(key), &again);
		ck_assert(buffer_equal(&again, spki.data, spki.size));
		public_key_free(&key);
	}
	buffer_clear(&spki);
	buffer_clear(&again);
}
END_TEST

/* The same key, its BIT STRING said to end some bits earlier. */
START_TEST(unused_bits_are_refused)
{
	static const unsigned char point[32] = { 3 };
	struct buffer spki = BUFFER_INIT;
	struct public_key *key = NULL;

	ck_assert_uint_eq(spki_from_ec(algorithm_by_name("ed25519"), point, sizeof point, &spki), CKR_OK);
	ck_assert_uint_eq(public_key_new(spki.data, spki.size, &key), CKR_OK);
	public_key_free(&key);
	ck_assert_uint_eq(spki.data[spki.size - 33], 0);
	for (unsigned char bits = 1; bits <= 7; bits++) {
		spki.data[spki.size - 33] = bits;
		assert_refused(spki.data, spki.size);
	}
	buffer_clear(&spki);
}
END_TEST

static void
assert_evp_refused(EVP_PKEY *evp)
{
	struct buffer spki = BUFFER_INIT;

	ck_assert_ptr_nonnull(evp);
	pair_spki(evp, &spki);
	assert_refused(spki.data, spki.size);
	buffer_clear(&spki);
	EVP_PKEY_free(evp);
}

START_TEST(other_kinds_are_refused)
{
	EVP_PKEY *evp;

	assert_evp_refused(EVP_PKEY_Q_keygen(NULL, NULL, "EC", "secp256k1"));
	assert_evp_refused(EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-224"));
	assert_evp_refused(EVP_PKEY_Q_keygen(NULL, NULL, "X448"));
	assert_evp_refused(EVP_PKEY_Q_keygen(NULL, NULL, "ED448"));
	assert_evp_refused(EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)1016));

	/* A curve spelt out, and a compressed point: RFC 5480 wants neither from us. */
	evp = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
	ck_assert_int_eq(EVP_PKEY_set_utf8_string_param(evp, OSSL_PKEY_PARAM_EC_ENCODING,
	                                                OSSL_PKEY_EC_ENCODING_EXPLICIT), 1);
	assert_evp_refused(evp);
	evp = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
	ck_assert_int_eq(EVP_PKEY_set_utf8_string_param(
		evp, OSSL_PKEY_PARAM_EC_POINT_CONVERSION_FORMAT,
		OSSL_PKEY_EC_POINT_CONVERSION_FORMAT_COMPRESSED), 1);
	assert_evp_refused(evp);
}
END_TEST

/* Bits, and bits less than the last byte: what RSA allows between 1024 and 16384. */
START_TEST(odd_sizes_of_rsa)
{
	static const unsigned sizes[] = { 1024, 1026, 1031, 2049 };
	struct pair pair;

	if (sizes[_i] % 2 == 0)
		pair_make_rsa(sizes[_i], 65537, &pair);
	else
		pair_make_rsa_odd(sizes[_i], &pair);
	ck_assert_uint_eq(public_key_bits(pair.key), sizes[_i]);
	ck_assert_uint_eq(public_key_signature_size(pair.key), (sizes[_i] + 7) / 8);
	pair_clear(&pair);
}
END_TEST

static void
spki_of_numbers(const BIGNUM *modulus, const BIGNUM *exponent, struct buffer *ret_spki)
{
	unsigned char n[2100], e[2100];
	int n_size = BN_bn2bin(modulus, n), e_size = BN_bn2bin(exponent, e);

	ck_assert_uint_eq(spki_from_rsa(n, (size_t)n_size, e, (size_t)e_size, ret_spki), CKR_OK);
}

START_TEST(numbers_that_cannot_be_rsa)
{
	struct buffer spki = BUFFER_INIT;
	struct public_key *key = NULL;
	BIGNUM *n = BN_new(), *e = BN_new();

	ck_assert_int_eq(BN_set_bit(n, 2047) & BN_set_bit(n, 0), 1);
	ck_assert_int_eq(BN_set_word(e, 1), 1);
	spki_of_numbers(n, e, &spki);
	assert_refused(spki.data, spki.size);
	ck_assert_int_eq(BN_set_word(e, 65536), 1);
	spki_of_numbers(n, e, &spki);
	assert_refused(spki.data, spki.size);
	ck_assert_int_eq(BN_set_bit(e, 2048) & BN_set_bit(e, 0), 1); /* longer than n */
	ck_assert_int_eq(BN_set_bit(e, 2056), 1);
	spki_of_numbers(n, e, &spki);
	assert_refused(spki.data, spki.size);
	ck_assert_int_eq(BN_set_word(e, 65537), 1);
	spki_of_numbers(n, e, &spki);
	ck_assert_uint_eq(public_key_new(spki.data, spki.size, &key), CKR_OK);
	public_key_free(&key);
	ck_assert_int_eq(BN_clear_bit(n, 0), 1); /* even */
	spki_of_numbers(n, e, &spki);
	assert_refused(spki.data, spki.size);
	ck_assert_int_eq(BN_set_bit(n, 0) & BN_set_bit(n, 16383), 1);
	spki_of_numbers(n, e, &spki);
	ck_assert_uint_eq(public_key_new(spki.data, spki.size, &key), CKR_OK);
	ck_assert_uint_eq(public_key_bits(key), 16384);
	public_key_free(&key);
	ck_assert_int_eq(BN_set_bit(n, 16384), 1);
	spki_of_numbers(n, e, &spki);
	assert_refused(spki.data, spki.size);
	BN_free(n);
	BN_free(e);
	buffer_clear(&spki);
}
END_TEST

START_TEST(point_off_the_curve)
{
	const struct pair *pair = pair_of("p-256");
	const char *why = NULL;
	struct buffer spki = BUFFER_INIT;

	ck_assert_uint_eq(buffer_set(&spki, pair->spki.data, pair->spki.size), CKR_OK);
	spki.data[spki.size - 1] ^= 1;
	assert_refused(spki.data, spki.size);
	ck_assert_uint_eq(public_key_check(spki.data, spki.size, algorithm_by_name("p-256"), &why),
	                  CKR_PUBLIC_KEY_INVALID);
	ck_assert_str_eq(why, "the point is not on the curve");
	buffer_clear(&spki);
}
END_TEST

static void
assert_check(const struct buffer *spki, const char *algorithm, const char *why)
{
	const char *said = NULL;

	ck_assert_uint_eq(public_key_check(spki->data, spki->size, algorithm_by_name(algorithm),
	                                   &said), why == NULL ? CKR_OK : CKR_PUBLIC_KEY_INVALID);
	if (why == NULL)
		ck_assert_ptr_null(said);
	else
		ck_assert_str_eq(said, why);
}

START_TEST(check_accepts_good_keys)
{
	assert_check(&pairs[_i].spki, names[_i], NULL);
}
END_TEST

START_TEST(check_wants_the_algorithm)
{
	struct buffer nothing = BUFFER_INIT;

	assert_check(&pair_of("rsa-2048")->spki, "rsa-3072",
	             "the modulus has another size than the algorithm");
	assert_check(&pair_of("rsa-2048")->spki, "p-256", "the key is of another kind than the algorithm");
	assert_check(&pair_of("p-256")->spki, "rsa-2048", "the key is of another kind than the algorithm");
	assert_check(&pair_of("p-256")->spki, "p-384", "the key is of another kind than the algorithm");
	assert_check(&pair_of("ed25519")->spki, "p-256", "the key is of another kind than the algorithm");
	assert_check(&pair_of("x25519")->spki, "ed25519", "the key is of another kind than the algorithm");
	assert_check(&nothing, "p-256", "not a SubjectPublicKeyInfo of a known kind of key");
}
END_TEST

/* A good modulus with an exponent. */
static void
assert_exponent(const BIGNUM *exponent, const char *algorithm, const char *why)
{
	struct buffer spki = BUFFER_INIT;
	BIGNUM *modulus = NULL;

	ck_assert_int_eq(EVP_PKEY_get_bn_param(pair_of(algorithm)->evp, OSSL_PKEY_PARAM_RSA_N,
	                                       &modulus), 1);
	spki_of_numbers(modulus, exponent, &spki);
	assert_check(&spki, algorithm, why);
	buffer_clear(&spki);
	BN_free(modulus);
}

START_TEST(check_of_the_exponent)
{
	static const unsigned long low[] = { 1, 3, 17, 257, 65535 };
	BIGNUM *e = BN_new();

	for (size_t i = 0; i < sizeof low / sizeof *low; i++) {
		ck_assert_int_eq(BN_set_word(e, low[i]), 1);
		assert_exponent(e, "rsa-2048", "the public exponent is below 65537");
	}
	ck_assert_int_eq(BN_set_word(e, 65536), 1);
	assert_exponent(e, "rsa-2048", "the public exponent is even");
	ck_assert_int_eq(BN_set_word(e, 65539), 1);
	assert_exponent(e, "rsa-2048", NULL);
	ck_assert_int_eq(BN_set_bit(e, 255), 1);
	assert_exponent(e, "rsa-2048", NULL);
	assert_exponent(e, "rsa-3072", NULL);
	ck_assert_int_eq(BN_set_bit(e, 256), 1);
	assert_exponent(e, "rsa-2048", "the public exponent is too large");
	BN_free(e);
}
END_TEST

static void
assert_modulus(const BIGNUM *modulus, const char *why)
{
	struct buffer spki = BUFFER_INIT;
	BIGNUM *e = BN_new();

	ck_assert_int_eq(BN_set_word(e, 65537), 1);
	spki_of_numbers(modulus, e, &spki);
	assert_check(&spki, "rsa-2048", why);
	buffer_clear(&spki);
	BN_free(e);
}

/* Past 3072 bits OpenSSL computes with exponents of up to 64 bits. */
START_TEST(check_of_the_exponent_of_long_moduli)
{
	BIGNUM *n = BN_new(), *e = BN_new();
	struct buffer spki = BUFFER_INIT;
	const char *why = "";

	ck_assert_int_eq(BN_set_bit(n, 4095) & BN_set_bit(n, 0), 1);
	ck_assert_int_eq(BN_set_bit(e, 64) & BN_set_bit(e, 0), 1);
	spki_of_numbers(n, e, &spki);
	assert_check(&spki, "rsa-4096", "the public exponent is too large");
	ck_assert_int_eq(BN_clear_bit(e, 64) & BN_set_bit(e, 63), 1);
	spki_of_numbers(n, e, &spki);
	/* Whatever else is wrong with such a modulus. */
	(void)!public_key_check(spki.data, spki.size, algorithm_by_name("rsa-4096"), &why);
	ck_assert_ptr_null(strstr(why, "exponent"));
	buffer_clear(&spki);
	BN_free(n);
	BN_free(e);
}
END_TEST

START_TEST(check_of_the_modulus)
{
	static const char *const composite = "the modulus is not a product of two large primes";
	BIGNUM *n = BN_new(), *p = BN_new();
	BN_CTX *context = BN_CTX_new();

	ck_assert_int_eq(EVP_PKEY_get_bn_param(pair_of("rsa-2048")->evp, OSSL_PKEY_PARAM_RSA_N, &n), 1);
	ck_assert_int_eq(BN_sub_word(n, 1), 1);
	assert_modulus(n, "the modulus is even");

	/* Prime: (p - 1) is known to all. */
	ck_assert_int_eq(BN_generate_prime_ex(n, 2048, 0, NULL, NULL, NULL), 1);
	assert_modulus(n, composite);
	/* A square. */
	do
		ck_assert_int_eq(BN_generate_prime_ex(p, 1024, 0, NULL, NULL, NULL), 1);
	while (BN_sqr(n, p, context) != 1 || BN_num_bits(n) != 2048);
	assert_modulus(n, composite);
	/* A small factor. */
	do
		ck_assert_int_eq(BN_rand(n, 2040, BN_RAND_TOP_TWO, BN_RAND_BOTTOM_ODD) &
		                 BN_mul_word(n, 251), 1);
	while (BN_num_bits(n) != 2048);
	assert_modulus(n, composite);
	BN_CTX_free(context);
	BN_free(n);
	BN_free(p);
}
END_TEST

static bool
roca_said(const BIGNUM *modulus)
{
	struct buffer spki = BUFFER_INIT;
	const char *said = "";
	BIGNUM *e = BN_new();
	CK_RV rv;

	ck_assert_int_eq(BN_set_word(e, 65537), 1);
	spki_of_numbers(modulus, e, &spki);
	rv = public_key_check(spki.data, spki.size, algorithm_by_name("rsa-2048"), &said);
	buffer_clear(&spki);
	BN_free(e);
	return rv != CKR_OK && strstr(said, "ROCA") != NULL;
}

/* Moduli with the structure: k * M + (65537^a mod M), M the product of the primes to 167. */
START_TEST(check_of_the_roca_fingerprint)
{
	BIGNUM *m = BN_new(), *n = BN_new(), *k = BN_new(), *g = BN_new(), *a = BN_new();
	BN_CTX *context = BN_CTX_new();
	bool prime;

	ck_assert_int_eq(BN_set_word(m, 1) & BN_set_word(g, 65537), 1);
	for (unsigned p = 2; p <= 167; p++) {
		prime = true;
		for (unsigned q = 2; q < p; q++)
			prime = prime && p % q != 0;
		if (prime)
			ck_assert_int_eq(BN_mul_word(m, p), 1);
	}
	for (int i = 0; i < 10; i++) {
		do
			ck_assert_int_eq(BN_rand(a, 200, BN_RAND_TOP_ANY, BN_RAND_BOTTOM_ANY) &
			                 BN_rand(k, 2048 - BN_num_bits(m) + 1, BN_RAND_TOP_ONE,
			                         BN_RAND_BOTTOM_ANY) &
			                 BN_mod_exp(n, g, a, m, context) &
			                 BN_mul(k, k, m, context) & BN_add(n, n, k), 1);
		while (BN_num_bits(n) != 2048);
		assert_modulus(n, "the modulus has the ROCA fingerprint (CVE-2017-15361)");
		/* Another number is not, but once in 2^28. */
		ck_assert_int_eq(BN_add_word(n, 2), 1);
		ck_assert(!roca_said(n));
	}
	BN_CTX_free(context);
	BN_free(a);
	BN_free(g);
	BN_free(k);
	BN_free(n);
	BN_free(m);
}
END_TEST

static void
assert_point(const char *algorithm, const char *hex, const char *why)
{
	struct buffer point = BUFFER_INIT, spki = BUFFER_INIT;

	hex_buffer(hex, &point);
	ck_assert_uint_eq(point.size, 32);
	ck_assert_uint_eq(spki_from_ec(algorithm_by_name(algorithm), point.data, point.size, &spki),
	                  CKR_OK);
	assert_check(&spki, algorithm, why);
	buffer_clear(&point);
	buffer_clear(&spki);
}

static void
assert_edwards(const char *hex, const char *why)
{
	assert_point("ed25519", hex, why);
}

#define ZEROS_30 "000000000000000000000000000000000000000000000000000000000000"
#define FFS_30 "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"

START_TEST(check_of_edwards_points)
{
	static const char *const small = "the point is of small order";
	static const char *const form = "the point is not in its canonical form";
	static const char *const off = "the point is not on the curve";
	struct pair pair;

	/* The eight points of small order: y is 1, -1, 0, and the two of order 8. */
	assert_edwards("01" ZEROS_30 "00", small);
	assert_edwards("01" ZEROS_30 "80", small);
	assert_edwards("ec" FFS_30 "7f", small);
	assert_edwards("ec" FFS_30 "ff", small);
	assert_edwards("00" ZEROS_30 "00", small);
	assert_edwards("00" ZEROS_30 "80", small);
	assert_edwards("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a", small);
	assert_edwards("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa", small);
	assert_edwards("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05", small);
	assert_edwards("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85", small);
	/* p, p + 1 and 2^255 - 1 */
	assert_edwards("ed" FFS_30 "7f", form);
	assert_edwards("ee" FFS_30 "ff", form);
	assert_edwards("ff" FFS_30 "7f", form);
	/* Of small y, 2, 7, 8 and 11 belong to no point. */
	assert_edwards("02" ZEROS_30 "00", off);
	assert_edwards("07" ZEROS_30 "80", off);
	assert_edwards("08" ZEROS_30 "00", off);
	assert_edwards("0b" ZEROS_30 "00", off);
	assert_edwards("03" ZEROS_30 "00", NULL);
	assert_edwards("04" ZEROS_30 "80", NULL);
	/* RFC 8032, section 7.1, test 1 */
	assert_edwards("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", NULL);
	for (int i = 0; i < 200; i++) {
		pair_make("ed25519", &pair);
		assert_check(&pair.spki, "ed25519", NULL);
		pair_clear(&pair);
	}
}
END_TEST

START_TEST(check_of_montgomery_points)
{
	static const char *const small = "the point is of small order";
	static const char *const form = "the point is not in its canonical form";
	struct pair pair;

	/* RFC 7748, section 6.1: u is 0, 1, -1, and the two of order 8. */
	assert_point("x25519", "00" ZEROS_30 "00", small);
	assert_point("x25519", "01" ZEROS_30 "00", small);
	assert_point("x25519", "ec" FFS_30 "7f", small);
	assert_point("x25519", "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800", small);
	assert_point("x25519", "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157", small);
	/* p, 2^255 - 1, and with the bit that nobody looks at */
	assert_point("x25519", "ed" FFS_30 "7f", form);
	assert_point("x25519", "ff" FFS_30 "7f", form);
	assert_point("x25519", "09" ZEROS_30 "80", form);
	assert_point("x25519", "09" ZEROS_30 "00", NULL);
	assert_point("x25519", "eb" FFS_30 "7f", NULL);
	assert_point("x25519", "ed" "fe" "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffff" "7f", NULL);
	for (int i = 0; i < 100; i++) {
		pair_make("x25519", &pair);
		assert_check(&pair.spki, "x25519", NULL);
		pair_clear(&pair);
	}
}
END_TEST

Suite *
unit_suite(void)
{
	Suite *suite = suite_create("public-key");
	TCase *tests = tcase_create("public-key");

	tcase_set_timeout(tests, 60);
	tcase_add_unchecked_fixture(tests, setup, teardown);
	tcase_add_loop_test(tests, what_it_is, 0, NAMES);
	tcase_add_test(tests, attributes_of_rsa);
	tcase_add_loop_test(tests, attributes_of_curves, 0, NAMES);
	tcase_add_test(tests, attribute_without_memory_leaves_output);
	tcase_add_loop_test(tests, spki_from_components, 0, NAMES);
	tcase_add_test(tests, spki_from_bad_components);
	tcase_add_loop_test(tests, cut_or_long_is_refused, 0, NAMES);
	tcase_add_loop_test(tests, changed_is_survived, 0, NAMES);
	tcase_add_test(tests, unused_bits_are_refused);
	tcase_add_test(tests, other_kinds_are_refused);
	tcase_add_loop_test(tests, odd_sizes_of_rsa, 0, 4);
	tcase_add_test(tests, numbers_that_cannot_be_rsa);
	tcase_add_test(tests, point_off_the_curve);
	tcase_add_loop_test(tests, check_accepts_good_keys, 0, NAMES);
	tcase_add_test(tests, check_wants_the_algorithm);
	tcase_add_test(tests, check_of_the_exponent);
	tcase_add_test(tests, check_of_the_exponent_of_long_moduli);
	tcase_add_test(tests, check_of_the_modulus);
	tcase_add_test(tests, check_of_the_roca_fingerprint);
	tcase_add_test(tests, check_of_edwards_points);
	tcase_add_test(tests, check_of_montgomery_points);
	suite_add_tcase(suite, tests);
	return suite;
}
