/* SPDX-License-Identifier: Apache-2.0 */
/* PKCS#1 v1.5 decryption with implicit rejection; OpenSSL's private half plays the KMS. */
#include "base/openssl.h"
#include "mechanism/mechanism.h"
#include "mechanism/rejection.h"
#include "pair.h"
#include "unit.h"

#include <openssl/err.h>
#include <string.h>

#define SIZE 128 /* RSA of 1024 bits: the tests need no long one */
#define MAX (SIZE - 11)
#define BLOCK_MAX 2048

static struct pair pair;
static struct secret *secret;

static void
make_secret(const struct pair *of, struct secret **ret_secret)
{
	struct buffer block = BUFFER_INIT;
	unsigned char opened[BLOCK_MAX];
	struct secret *answer = NULL;

	ck_assert_uint_eq(rejection_block(of->key, &block), CKR_OK);
	ck_assert_uint_eq(block.size, public_key_signature_size(of->key));
	pair_rsa_raw(of, block.data, opened);
	ck_assert_uint_eq(secret_dup(opened, block.size, &answer), CKR_OK);
	ck_assert_uint_eq(rejection_secret(of->key, answer, ret_secret), CKR_OK);
	secret_free(&answer);
	buffer_clear(&block);
}

static void
setup(void)
{
	ck_assert_uint_eq(openssl_start(), CKR_OK);
	pair_make_rsa(1024, 65537, &pair);
	make_secret(&pair, &secret);
}

static void
teardown(void)
{
	secret_free(&secret);
	pair_clear(&pair);
	openssl_stop();
}

/* 00 02, bytes that are not zero, 00, the message. */
static void
pad(unsigned char *block, const void *message, size_t size)
{
	memset(block, 0x5a, SIZE);
	block[0] = 0;
	block[1] = 2;
	block[SIZE - size - 1] = 0;
	memcpy(block + SIZE - size, message, size);
}

/* The ciphertext matters as a name only: any one will do for a block. */
static struct secret *
open_as(const struct secret *with, const unsigned char *ciphertext, const unsigned char *block,
        size_t block_size)
{
	struct secret *answer = NULL, *plaintext = NULL;

	ck_assert_uint_eq(secret_dup(block, block_size, &answer), CKR_OK);
	ck_assert_uint_eq(rejection_unpad(pair.key, with, ciphertext, answer, &plaintext),
	                  CKR_OK);
	ck_assert_uint_eq(ERR_peek_error(), 0);
	secret_free(&answer);
	return plaintext;
}

static void
expect_message(const unsigned char *block, size_t block_size, const void *message, size_t size)
{
	static const unsigned char ciphertext[SIZE] = { 1 };
	struct secret *plaintext = open_as(secret, ciphertext, block, block_size);

	ck_assert_uint_eq(secret_size(plaintext), size);
	ck_assert(secret_equal(plaintext, message, size));
	secret_free(&plaintext);
}

START_TEST(opens_every_length)
{
	unsigned char block[SIZE], message[MAX];

	memset(message, 0xc3, sizeof message);
	message[0] = 0;
	for (size_t size = 0; size <= MAX; size++) {
		pad(block, message, size);
		expect_message(block, SIZE, message, size);
		/* Without the leading zero, as some HSMs answer. */
		expect_message(block + 1, SIZE - 1, message, size);
	}
}
END_TEST

START_TEST(opens_what_openssl_encrypts)
{
	CK_MECHANISM mechanism = { CKM_RSA_PKCS, NULL, 0 };
	unsigned char ciphertext[SIZE], opened[SIZE];
	struct secret *plaintext;
	struct mechanism_use use;

	ck_assert_uint_eq(mechanism_use_init(&mechanism, CKF_ENCRYPT, pair.key, &use), CKR_OK);
	ck_assert_uint_eq(mechanism_encrypt(&use, pair.key, "data key", 8, ciphertext), CKR_OK);
	pair_rsa_raw(&pair, ciphertext, opened);
	plaintext = open_as(secret, ciphertext, opened, SIZE);
	ck_assert(secret_size(plaintext) == 8 && secret_equal(plaintext, "data key", 8));
	secret_free(&plaintext);
	mechanism_use_clear(&use);
}
END_TEST

/* Every way to be wrong, and the message that a careless check would give. */
static void
break_padding(unsigned way, unsigned char *block)
{
	pad(block, "message", 7);
	switch (way) {
	case 0: block[0] = 1; break;
	case 1: block[1] = 1; break;
	case 2: block[1] = 0; break;
	case 3: block[2] = 0; break;
	case 4: block[9] = 0; break; /* seven bytes of padding */
	case 5: memset(block + 2, 0x5a, SIZE - 2); break; /* no separator */
	case 6: memset(block, 0, SIZE); break;
	case 7: memset(block, 0xff, SIZE); break;
	case 8: block[1] = 3; break;
	default: block[0] = 0x80; break;
	}
}

#define WAYS 10

START_TEST(rejects_without_a_word)
{
	unsigned char block[SIZE], ciphertext[SIZE] = { 7 };
	struct secret *first, *again, *other, *good;

	break_padding((unsigned)_i, block);
	first = open_as(secret, ciphertext, block, SIZE);
	again = open_as(secret, ciphertext, block, SIZE);
	ck_assert_uint_le(secret_size(first), MAX);
	ck_assert_uint_eq(secret_size(first), secret_size(again));
	ck_assert(secret_equal(first, secret_bytes(again), secret_size(again)));
	ck_assert(secret_size(first) != 7 || !secret_equal(first, "message", 7));
	/* Another ciphertext, another message. */
	ciphertext[1] ^= 1;
	other = open_as(secret, ciphertext, block, SIZE);
	ck_assert(secret_size(first) + secret_size(other) < 16 ||
	          secret_size(first) != secret_size(other) ||
	          !secret_equal(first, secret_bytes(other), secret_size(other)));
	pad(block, "message", 7);
	good = open_as(secret, ciphertext, block, SIZE);
	ck_assert(secret_equal(good, "message", 7));
	secret_free(&first);
	secret_free(&again);
	secret_free(&other);
	secret_free(&good);
}
END_TEST

/* All bad paddings of one ciphertext are one: the message tells nothing about the block. */
START_TEST(rejects_all_alike)
{
	unsigned char block[SIZE], ciphertext[SIZE] = { 9 };
	struct secret *first, *other;

	break_padding(0, block);
	first = open_as(secret, ciphertext, block, SIZE);
	for (unsigned way = 1; way < WAYS; way++) {
		break_padding(way, block);
		other = open_as(secret, ciphertext, block, SIZE);
		ck_assert_uint_eq(secret_size(first), secret_size(other));
		ck_assert(secret_equal(first, secret_bytes(other), secret_size(other)));
		secret_free(&other);
	}
	secret_free(&first);
}
END_TEST

/* Lengths spread over all there can be. */
START_TEST(spreads_lengths)
{
	unsigned char block[SIZE], ciphertext[SIZE] = { 0 };
	unsigned seen[MAX + 1] = { 0 }, kinds = 0;
	struct secret *plaintext;

	break_padding(0, block);
	for (unsigned i = 0; i < 2000; i++) {
		ciphertext[0] = (unsigned char)i;
		ciphertext[1] = (unsigned char)(i >> 8);
		plaintext = open_as(secret, ciphertext, block, SIZE);
		ck_assert_uint_le(secret_size(plaintext), MAX);
		if (seen[secret_size(plaintext)]++ == 0)
			kinds++;
		secret_free(&plaintext);
	}
	ck_assert_uint_gt(kinds, MAX - 10);
	for (unsigned i = 0; i <= MAX; i++)
		ck_assert_uint_lt(seen[i], 80);
}
END_TEST

START_TEST(secrets_belong_to_keys)
{
	struct secret *same = NULL, *other_secret = NULL;
	struct pair other;

	make_secret(&pair, &same);
	ck_assert(secret_equal(secret, secret_bytes(same), secret_size(same)));
	pair_make_rsa(1024, 65537, &other);
	make_secret(&other, &other_secret);
	ck_assert(!secret_equal(secret, secret_bytes(other_secret), secret_size(other_secret)));
	pair_clear(&other);
	/* A modulus with one bit more than whole bytes. */
	pair_make_rsa_odd(1025, &other);
	secret_free(&other_secret);
	make_secret(&other, &other_secret);
	pair_clear(&other);
	secret_free(&same);
	secret_free(&other_secret);
}
END_TEST

START_TEST(refuses_a_wrong_answer_of_the_kms)
{
	unsigned char opened[SIZE + 1] = { 0 };
	struct buffer block = BUFFER_INIT;
	struct secret *answer = NULL, *wrong = NULL;

	ck_assert_uint_eq(rejection_block(pair.key, &block), CKR_OK);
	pair_rsa_raw(&pair, block.data, opened);
	opened[SIZE - 1] ^= 1;
	ck_assert_uint_eq(secret_dup(opened, SIZE, &answer), CKR_OK);
	ck_assert_uint_eq(rejection_secret(pair.key, answer, &wrong), CKR_DEVICE_ERROR);
	secret_free(&answer);
	memset(opened, 0xff, sizeof opened);
	ck_assert_uint_eq(secret_dup(opened, SIZE, &answer), CKR_OK);
	ck_assert_uint_eq(rejection_secret(pair.key, answer, &wrong), CKR_DEVICE_ERROR);
	secret_free(&answer);
	ck_assert_uint_eq(secret_dup(opened, SIZE + 1, &answer), CKR_OK);
	ck_assert_uint_eq(rejection_secret(pair.key, answer, &wrong), CKR_DEVICE_ERROR);
	ck_assert_ptr_null(wrong);
	secret_free(&answer);
	buffer_clear(&block);
}
END_TEST

Suite *
unit_suite(void)
{
	Suite *suite = suite_create("rejection");
	TCase *tcase = tcase_create("rejection");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_set_timeout(tcase, 120);
	tcase_add_test(tcase, opens_every_length);
	tcase_add_test(tcase, opens_what_openssl_encrypts);
	tcase_add_loop_test(tcase, rejects_without_a_word, 0, WAYS);
	tcase_add_test(tcase, rejects_all_alike);
	tcase_add_test(tcase, spreads_lengths);
	tcase_add_test(tcase, secrets_belong_to_keys);
	tcase_add_test(tcase, refuses_a_wrong_answer_of_the_kms);
	suite_add_tcase(suite, tcase);
	return suite;
}
