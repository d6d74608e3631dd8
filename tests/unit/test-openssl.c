/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "base/openssl.h"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/provider.h>

#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

START_TEST(start_and_stop_nest)
{
	OSSL_LIB_CTX *context;

	ck_assert_ptr_null(openssl_context());
	ck_assert_ptr_null(openssl_digest(CKM_SHA256));
	ck_assert_uint_eq(openssl_start(), CKR_OK);
	context = openssl_context();
	ck_assert_ptr_nonnull(context);
	ck_assert_uint_eq(openssl_start(), CKR_OK);
	ck_assert_ptr_eq(openssl_context(), context);
	openssl_stop();
	ck_assert_ptr_eq(openssl_context(), context);
	openssl_stop();
	ck_assert_ptr_null(openssl_context());
	openssl_stop(); /* one too many is forgiven */
	ck_assert_uint_eq(openssl_start(), CKR_OK);
	ck_assert_ptr_nonnull(openssl_context());
	openssl_stop();
}
END_TEST

START_TEST(the_context_is_private)
{
	ck_assert_uint_eq(openssl_start(), CKR_OK);
	ck_assert_int_eq(OSSL_PROVIDER_available(openssl_context(), "default"), 1);
	ck_assert_ptr_ne(openssl_context(), OSSL_LIB_CTX_get0_global_default());
	openssl_stop();
}
END_TEST

START_TEST(digests_are_fetched)
{
	static const struct {
		CK_MECHANISM_TYPE type;
		const char *name;
		int size;
	} cases[] = {
		{ CKM_SHA_1, "SHA1", 20 },       { CKM_SHA224, "SHA2-224", 28 },
		{ CKM_SHA256, "SHA2-256", 32 },  { CKM_SHA384, "SHA2-384", 48 },
		{ CKM_SHA512, "SHA2-512", 64 },
	};

	ck_assert_uint_eq(openssl_start(), CKR_OK);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		const EVP_MD *digest = openssl_digest(cases[i].type);

		ck_assert_ptr_nonnull(digest);
		ck_assert_int_eq(EVP_MD_is_a(digest, cases[i].name), 1);
		ck_assert_int_eq(EVP_MD_get_size(digest), cases[i].size);
	}
	ck_assert_ptr_null(openssl_digest(CKM_MD5));
	ck_assert_ptr_null(openssl_digest(CKM_RSA_PKCS));
	openssl_stop();
}
END_TEST

/* Fetched when they are wanted, kept, and gone with the stop. */
START_TEST(ciphers_macs_and_kdf_are_fetched)
{
	static const size_t sizes[] = { 16, 24, 32 };
	static const char *const names[OPENSSL_MODES] = { "ECB", "CBC", "CTR", "GCM", "CCM", "WRAP",
		                                          "WRAP-PAD" };
	const EVP_CIPHER *cipher;
	char name[32];

	for (int round = 0; round < 2; round++) {
		ck_assert_uint_eq(openssl_start(), CKR_OK);
		for (enum openssl_mode mode = 0; mode < OPENSSL_MODES; mode++)
			for (size_t i = 0; i < 3; i++) {
				cipher = openssl_cipher(mode, sizes[i]);
				ck_assert_ptr_nonnull(cipher);
				snprintf(name, sizeof name, "AES-%zu-%s", sizes[i] * 8, names[mode]);
				ck_assert(EVP_CIPHER_is_a(cipher, name));
				ck_assert_ptr_eq(openssl_cipher(mode, sizes[i]), cipher);
			}
		for (size_t size = 0; size < 40; size++)
			if (size != 16 && size != 24 && size != 32)
				ck_assert_ptr_null(openssl_cipher(OPENSSL_GCM, size));
		ck_assert(EVP_MAC_is_a(openssl_mac(OPENSSL_HMAC), "HMAC"));
		ck_assert(EVP_MAC_is_a(openssl_mac(OPENSSL_CMAC), "CMAC"));
		ck_assert_ptr_eq(openssl_mac(OPENSSL_HMAC), openssl_mac(OPENSSL_HMAC));
		ck_assert(EVP_KDF_is_a(openssl_x963kdf(), "X963KDF"));
		ck_assert_ptr_eq(openssl_x963kdf(), openssl_x963kdf());
		openssl_stop();
	}
}
END_TEST

START_TEST(failures_are_translated)
{
	ck_assert_uint_eq(openssl_failure(CKR_FUNCTION_FAILED), CKR_FUNCTION_FAILED);
	ERR_raise(ERR_LIB_RSA, ERR_R_PASSED_NULL_PARAMETER);
	ERR_raise(ERR_LIB_EVP, ERR_R_INTERNAL_ERROR);
	ck_assert_uint_eq(openssl_failure(CKR_SIGNATURE_INVALID), CKR_SIGNATURE_INVALID);
	ck_assert_uint_eq(ERR_peek_error(), 0);
	/* Memory that was short anywhere in the queue. */
	ERR_raise(ERR_LIB_RSA, ERR_R_PASSED_NULL_PARAMETER);
	ERR_raise(ERR_LIB_EVP, ERR_R_MALLOC_FAILURE);
	ERR_raise(ERR_LIB_RSA, ERR_R_INTERNAL_ERROR);
	ck_assert_uint_eq(openssl_failure(CKR_SIGNATURE_INVALID), CKR_HOST_MEMORY);
	ck_assert_uint_eq(ERR_peek_error(), 0);
}
END_TEST

START_TEST(a_forked_child_goes_on)
{
	unsigned char value[EVP_MAX_MD_SIZE];
	int status = 0;
	pid_t child;

	ck_assert_uint_eq(openssl_start(), CKR_OK);
	child = fork();
	if (child == 0) {
		int good = EVP_Digest("abc", 3, value, NULL, openssl_digest(CKM_SHA256), NULL) == 1 &&
		           value[0] == 0xba && value[31] == 0xad && openssl_start() == CKR_OK;
		_exit(good ? 0 : 1);
	}
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_int_eq(status, 0);
	openssl_stop();
}
END_TEST

static void *
start_and_stop(void *context)
{
	CK_RV *rv = context;

	for (int i = 0; i < 20 && *rv == CKR_OK; i++) {
		*rv = openssl_start();
		if (*rv == CKR_OK && openssl_digest(CKM_SHA256) == NULL)
			*rv = CKR_GENERAL_ERROR;
		if (*rv == CKR_OK)
			openssl_stop();
	}
	return NULL;
}

START_TEST(threads_share_it)
{
	pthread_t threads[4];
	CK_RV rvs[4] = { CKR_OK, CKR_OK, CKR_OK, CKR_OK };

	for (int i = 0; i < 4; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, start_and_stop, &rvs[i]), 0);
	for (int i = 0; i < 4; i++) {
		ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
		ck_assert_uint_eq(rvs[i], CKR_OK);
	}
	ck_assert_ptr_null(openssl_context());
}
END_TEST

static void
stop_late(void)
{
	openssl_stop();
}

/* A program's exit handler that was registered first runs after OpenSSL's. */
START_TEST(stopping_after_openssl_is_harmless)
{
	int status = 0;
	pid_t child = fork();

	if (child == 0) {
		if (atexit(stop_late) != 0 || openssl_start() != CKR_OK)
			_exit(1);
		exit(0);
	}
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_int_eq(status, 0);
}
END_TEST

/* The allocation that fails next; < 0: none. */
static int countdown = -1;

static int
refused(void)
{
	return countdown >= 0 && countdown-- == 0;
}

/*
 * What OpenSSL allocates, in a list: OpenSSL itself loses memory where an allocation fails,
 * and leak checkers are not to report that.
 */
static struct block {
	struct block *before, *after;
	size_t size;
	max_align_t data[];
} *blocks;

static void
release(void *data, const char *file, int line)
{
	struct block *block;

	(void)file;
	(void)line;
	if (data == NULL)
		return;
	block = (struct block *)((char *)data - offsetof(struct block, data));
	if (block->before != NULL)
		block->before->after = block->after;
	else
		blocks = block->after;
	if (block->after != NULL)
		block->after->before = block->before;
	free(block);
}

static void *
allocate(size_t size, const char *file, int line)
{
	struct block *block = refused() ? NULL : malloc(sizeof *block + size);

	(void)file;
	(void)line;
	if (block == NULL)
		return NULL;
	*block = (struct block){ NULL, blocks, size };
	if (blocks != NULL)
		blocks->before = block;
	blocks = block;
	return block->data;
}

static void *
reallocate(void *data, size_t size, const char *file, int line)
{
	void *longer = allocate(size, file, line);
	size_t kept;

	if (data == NULL || longer == NULL)
		return longer;
	kept = ((struct block *)((char *)data - offsetof(struct block, data)))->size;
	memcpy(longer, data, kept < size ? kept : size);
	release(data, file, line);
	return longer;
}

/* Was the start that an allocation failed in all or nothing, and told rightly? */
static bool
start_was_clean(CK_RV rv)
{
	bool clean = ERR_peek_error() == 0;

	if (rv == CKR_OK) {
		clean = clean && openssl_digest(CKM_SHA512) != NULL;
		openssl_stop();
		return clean;
	}
	/* OpenSSL does not always say that memory was what it lacked. */
	return clean && (rv == CKR_HOST_MEMORY || rv == CKR_GENERAL_ERROR) &&
	       openssl_context() == NULL && openssl_digest(CKM_SHA_1) == NULL;
}

/* An exit status: 0 when all is as it should be. */
static int
start_with_short_memory(void)
{
	int told = 0;

	if (openssl_start() != CKR_OK)
		return 1;
	openssl_stop();
	for (int nth = 0; nth < 400; nth++) {
		CK_RV rv;

		countdown = nth;
		rv = openssl_start();
		countdown = -1;
		if (!start_was_clean(rv))
			return 2;
		told += rv == CKR_HOST_MEMORY;
	}
	if (openssl_start() != CKR_OK)
		return 3;
	openssl_stop();
	return told > 0 ? 0 : 4;
}

/* One allocation after the other fails, in a process of its own. */
START_TEST(short_memory_is_told)
{
	int status = 0;
	pid_t child = fork();

	if (child == 0) {
		int null = open("/dev/null", O_WRONLY);

		dup2(null, STDERR_FILENO); /* each failure is logged */
		if (CRYPTO_set_mem_functions(allocate, reallocate, release) != 1)
			_exit(5);
		_exit(start_with_short_memory());
	}
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_int_eq(status, 0);
}
END_TEST

Suite *
unit_suite(void)
{
	Suite *suite = suite_create("openssl");
	TCase *tcase = tcase_create("openssl");

	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, short_memory_is_told);
	tcase_add_test(tcase, start_and_stop_nest);
	tcase_add_test(tcase, the_context_is_private);
	tcase_add_test(tcase, digests_are_fetched);
	tcase_add_test(tcase, ciphers_macs_and_kdf_are_fetched);
	tcase_add_test(tcase, failures_are_translated);
	tcase_add_test(tcase, a_forked_child_goes_on);
	tcase_add_test(tcase, threads_share_it);
	tcase_add_test(tcase, stopping_after_openssl_is_harmless);
	suite_add_tcase(suite, tcase);
	return suite;
}
