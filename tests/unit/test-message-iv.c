/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "aes.h"
#include "base/openssl.h"
#include "mechanism/cipher.h"
#include "mechanism/message-iv.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define IV_SIZE 12

static struct secret *key;
static unsigned char seed; /* each test has a value of its own, which begins at 0 */

static void
setup(void)
{
	ck_assert_uint_eq(openssl_start(), CKR_OK);
	key = aes_key(32, seed++);
}

static void
teardown(void)
{
	secret_free(&key);
	openssl_stop();
}

static struct cipher_store *
new_store(void)
{
	struct cipher_store *store = NULL;

	ck_assert_uint_eq(cipher_store_new(&store), CKR_OK);
	return store;
}

/* The next IV, in the place of what was there. */
static CK_RV
next_iv(struct cipher_store *store, CK_ULONG generator, size_t fixed_bits, unsigned char *iv)
{
	struct message_parameter parameter = { .iv = iv, .iv_size = IV_SIZE, .fixed_bits = fixed_bits,
		                               .generator = generator };
	unsigned char made[CIPHER_IV_MAX];
	CK_RV rv = message_iv(&parameter, store, key, made);

	if (rv == CKR_OK)
		memcpy(iv, made, IV_SIZE);
	return rv;
}

static int
compare(const void *a, const void *b)
{
	return memcmp(a, b, IV_SIZE);
}

static void
expect_different(unsigned char (*ivs)[IV_SIZE], size_t count)
{
	qsort(ivs, count, IV_SIZE, compare);
	for (size_t i = 1; i < count; i++)
		ck_assert_mem_ne(ivs[i - 1], ivs[i], IV_SIZE);
}

#define MANY 6000

/* Bases that lie close to each other and to 0, one after the other, each in a store of its own. */
START_TEST(bases_keep_apart)
{
	static unsigned char ivs[MANY][IV_SIZE];
	static const unsigned char ends[] = { 0, 1, 3, 8, 100, 200 };
	struct cipher_store *store;
	size_t count = 0;

	while (count < MANY) {
		store = new_store();
		for (size_t i = 0; i < 7 && count < MANY; i++, count++) {
			ivs[count][IV_SIZE - 1] = ends[count / 7 % sizeof ends];
			ck_assert_uint_eq(next_iv(store, count % 2 == 0 ? CKG_GENERATE_COUNTER
			                                               : CKG_GENERATE_COUNTER_XOR,
			                          count % 3 * 32, ivs[count]), CKR_OK);
		}
		cipher_store_free(&store);
	}
	expect_different(ivs, count);
}
END_TEST

/* What is left in the parameter leads to the same base as what was there at first. */
START_TEST(results_are_no_bases)
{
	static unsigned char ivs[MANY][IV_SIZE];
	struct cipher_store *store;
	unsigned char iv[IV_SIZE];

	memset(iv, 0x5a, sizeof iv);
	for (size_t i = 0; i < MANY; i++) {
		store = new_store();
		ck_assert_uint_eq(next_iv(store, CKG_GENERATE_COUNTER_XOR, 0, iv), CKR_OK);
		memcpy(ivs[i], iv, sizeof iv);
		ck_assert_uint_eq(iv[10] ^ 0x5a, i >> 8);
		ck_assert_uint_eq(iv[11] ^ 0x5a, i & 0xff);
		cipher_store_free(&store);
	}
	expect_different(ivs, MANY);
}
END_TEST

/* The caller's bits stay his, however far the value has counted. */
START_TEST(fixed_bits_stay)
{
	struct cipher_store *store = new_store();
	unsigned char iv[IV_SIZE] = { 0 };

	for (int i = 0; i < 6; i++)
		ck_assert_uint_eq(next_iv(store, CKG_GENERATE_COUNTER_XOR, 64, iv), CKR_OK);
	memset(iv, 0, sizeof iv);
	iv[11] = 0x10; /* fixed */
	ck_assert_uint_eq(next_iv(store, CKG_GENERATE_COUNTER_XOR, 92, iv), CKR_OK);
	ck_assert_uint_eq(iv[11], 0x16);
	iv[11] = 0x08;
	ck_assert_uint_eq(next_iv(store, CKG_GENERATE_COUNTER_XOR, 93, iv), CKR_OK);
	ck_assert_uint_eq(iv[11], 0x0f);
	/* Three bits: that was the last. */
	ck_assert_uint_eq(next_iv(store, CKG_GENERATE_COUNTER_XOR, 93, iv), CKR_DATA_LEN_RANGE);
	ck_assert_uint_eq(next_iv(store, CKG_GENERATE_COUNTER, 93, iv), CKR_DATA_LEN_RANGE);
	cipher_store_free(&store);
}
END_TEST

START_TEST(too_many_bases)
{
	struct cipher_store *store = new_store();
	unsigned char iv[IV_SIZE];
	CK_RV rv = CKR_OK;
	unsigned i;

	for (i = 0; rv == CKR_OK && i < 1000; i++) {
		memset(iv, 0, sizeof iv);
		iv[9] = (unsigned char)(i >> 8);
		iv[10] = (unsigned char)i;
		iv[11] = 0x80;
		rv = next_iv(store, CKG_GENERATE_COUNTER_XOR, 32, iv);
	}
	ck_assert_uint_eq(rv, CKR_MECHANISM_PARAM_INVALID);
	ck_assert_uint_ge(i, 10);
	/* Those that it has had go on. */
	memset(iv, 0, sizeof iv);
	iv[11] = 0x80;
	ck_assert_uint_eq(next_iv(store, CKG_GENERATE_COUNTER_XOR, 32, iv), CKR_OK);
	cipher_store_free(&store);
}
END_TEST

/* Fixed bits that change, above the count, are no bases. */
START_TEST(any_fixed_bits)
{
	struct cipher_store *store = new_store();
	unsigned char iv[IV_SIZE] = { 0 };

	for (unsigned i = 0; i < 300; i++) {
		iv[6] = (unsigned char)(i >> 8);
		iv[7] = (unsigned char)i;
		ck_assert_uint_eq(next_iv(store, CKG_GENERATE_COUNTER, 64, iv), CKR_OK);
	}
	cipher_store_free(&store);
}
END_TEST

/* Of an object of its own: CKG_GENERATE with 32 fixed bits. */
static void
beginning(unsigned char *iv)
{
	struct cipher_store *store = new_store();

	memcpy(iv, "\1\2\3\4", 4);
	ck_assert_uint_eq(next_iv(store, CKG_GENERATE, 32, iv), CKR_OK);
	cipher_store_free(&store);
}

/* A random beginning is of the value and the process: objects share it, a fork's child does not. */
START_TEST(beginnings)
{
	unsigned char first[IV_SIZE] = { 0 }, second[IV_SIZE] = { 0 };
	int ends[2], status;
	pid_t child;

	beginning(first);
	beginning(second);
	ck_assert_mem_eq(first, second, 11);
	ck_assert_uint_eq(first[11] ^ second[11], 1);
	ck_assert_int_eq(pipe(ends), 0);
	child = fork();
	if (child == 0) {
		beginning(second);
		_exit(write(ends[1], second, IV_SIZE) == IV_SIZE ? 0 : 1);
	}
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_int_eq(status, 0);
	ck_assert_int_eq(read(ends[0], second, IV_SIZE), IV_SIZE);
	ck_assert_mem_eq(first, second, 4);
	ck_assert_mem_ne(first + 4, second + 4, 4);
	close(ends[0]);
	close(ends[1]);
}
END_TEST

#define THREADS 6
#define EACH 1000

static unsigned char together[THREADS * EACH][IV_SIZE];

static void *
make_ivs(void *argument)
{
	unsigned char(*mine)[IV_SIZE] = argument;
	struct cipher_store *store = new_store();
	size_t thread = (size_t)(mine - together) / EACH;

	for (size_t i = 0; i < EACH; i++) {
		mine[i][IV_SIZE - 1] = (unsigned char)(thread * 3);
		ck_assert_uint_eq(next_iv(store, CKG_GENERATE_COUNTER_XOR, 0, mine[i]), CKR_OK);
	}
	cipher_store_free(&store);
	return NULL;
}

START_TEST(threads_keep_apart)
{
	pthread_t threads[THREADS];

	for (size_t i = 0; i < THREADS; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, make_ivs, together + i * EACH), 0);
	for (size_t i = 0; i < THREADS; i++)
		ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
	expect_different(together, THREADS * EACH);
}
END_TEST

Suite *
unit_suite(void)
{
	Suite *suite = suite_create("message-iv");
	TCase *tests = tcase_create("tests");

	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_test(tests, bases_keep_apart);
	tcase_add_test(tests, results_are_no_bases);
	tcase_add_test(tests, fixed_bits_stay);
	tcase_add_test(tests, too_many_bases);
	tcase_add_test(tests, any_fixed_bits);
	tcase_add_test(tests, beginnings);
	tcase_add_test(tests, threads_keep_apart);
	suite_add_tcase(suite, tests);
	return suite;
}
