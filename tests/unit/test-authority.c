/* SPDX-License-Identifier: Apache-2.0 */
#include "registry-fixture.h"
#include "unit.h"

#include "base/openssl.h"
#include "registry/authority.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

static const char *const algorithms[] = { "P-256", "rsa-2048" };

#define ALGORITHM_COUNT ((int)(sizeof algorithms / sizeof *algorithms))

/* One of each algorithm, made once for all tests: under valgrind an RSA key takes half a minute. */
static struct fixture_authority shared[2];

static void
start(void)
{
	ck_assert_uint_eq(openssl_start(), CKR_OK);
	for (int i = 0; i < ALGORITHM_COUNT; i++)
		fixture_authority_new(algorithms[i], &shared[i]);
}

static void
stop(void)
{
	for (int i = 0; i < ALGORITHM_COUNT; i++)
		fixture_authority_clear(&shared[i]);
	openssl_stop();
}

START_TEST(signature_is_verified)
{
	struct fixture_authority *fixture = &shared[_i];
	struct buffer signature = BUFFER_INIT;

	ck_assert_uint_eq(fixture_sign(fixture, NULL, "message", 7, &signature), CKR_OK);
	ck_assert_uint_eq(authority_verify(fixture->authority, "message", 7, signature.data,
	                                   signature.size), CKR_OK);
	ck_assert_uint_eq(authority_verify(fixture->authority, "Message", 7, signature.data,
	                                   signature.size), CKR_SIGNATURE_INVALID);
	ck_assert_uint_eq(authority_verify(fixture->authority, "message", 6, signature.data,
	                                   signature.size), CKR_SIGNATURE_INVALID);
	buffer_clear(&signature);
}
END_TEST

START_TEST(signature_with_any_bit_changed_is_refused)
{
	struct fixture_authority *fixture = &shared[_i];
	struct buffer signature = BUFFER_INIT;

	ck_assert_uint_eq(fixture_sign(fixture, NULL, "message", 7, &signature), CKR_OK);
	for (size_t bit = 0; bit < 8 * signature.size; bit += _i == 0 ? 1 : 9) {
		signature.data[bit / 8] ^= (unsigned char)(1 << bit % 8);
		ck_assert_uint_eq(authority_verify(fixture->authority, "message", 7, signature.data,
		                                   signature.size), CKR_SIGNATURE_INVALID);
		signature.data[bit / 8] ^= (unsigned char)(1 << bit % 8);
	}
	buffer_clear(&signature);
}
END_TEST

START_TEST(signature_of_another_size_is_refused)
{
	struct fixture_authority *fixture = &shared[_i];
	struct buffer signature = BUFFER_INIT;
	size_t size;

	ck_assert_uint_eq(fixture_sign(fixture, NULL, "message", 7, &signature), CKR_OK);
	size = signature.size;
	ck_assert_uint_eq(buffer_append(&signature, "", 1), CKR_OK);
	ck_assert_uint_eq(authority_verify(fixture->authority, "message", 7, signature.data, size + 1),
	                  CKR_SIGNATURE_INVALID);
	ck_assert_uint_eq(authority_verify(fixture->authority, "message", 7, signature.data, size - 1),
	                  CKR_SIGNATURE_INVALID);
	ck_assert_uint_eq(authority_verify(fixture->authority, "message", 7, signature.data, 0),
	                  CKR_SIGNATURE_INVALID);
	memset(signature.data, 0, size); /* r = s = 0 */
	ck_assert_uint_eq(authority_verify(fixture->authority, "message", 7, signature.data, size),
	                  CKR_SIGNATURE_INVALID);
	memset(signature.data, 0xff, size);
	ck_assert_uint_eq(authority_verify(fixture->authority, "message", 7, signature.data, size),
	                  CKR_SIGNATURE_INVALID);
	buffer_clear(&signature);
}
END_TEST

START_TEST(another_authority_is_refused)
{
	struct fixture_authority *one = &shared[0], two;
	struct buffer signature = BUFFER_INIT;

	fixture_authority_new("P-256", &two);
	ck_assert_uint_eq(fixture_sign(one, NULL, "message", 7, &signature), CKR_OK);
	ck_assert_uint_eq(authority_verify(two.authority, "message", 7, signature.data, signature.size),
	                  CKR_SIGNATURE_INVALID);
	buffer_clear(&signature);
	fixture_authority_clear(&two);
}
END_TEST

/* The error queue belongs to the program. */
START_TEST(refusal_leaves_no_error_behind)
{
	struct fixture_authority *fixture = &shared[_i];
	unsigned char signature[256] = { 1 };
	size_t size = _i == 0 ? 64 : 256;

	ck_assert_uint_eq(ERR_peek_error(), 0);
	ck_assert_uint_eq(authority_verify(fixture->authority, "message", 7, signature, size),
	                  CKR_SIGNATURE_INVALID);
	ck_assert_uint_eq(ERR_peek_error(), 0);
}
END_TEST

/* A public key that is well-formed DER, of a kind or size that is no authority. */
static EVP_PKEY *
unfit_key(int which)
{
	EVP_PKEY *key = NULL;
	EVP_PKEY_CTX *context;
	OSSL_PARAM_BLD *build;
	OSSL_PARAM *parameters;
	BIGNUM *modulus, *exponent;

	switch (which) {
	case 1: return EVP_PKEY_Q_keygen(openssl_context(), NULL, "EC", "P-384");
	case 2: return EVP_PKEY_Q_keygen(openssl_context(), NULL, "EC", "secp256k1");
	case 3: return EVP_PKEY_Q_keygen(openssl_context(), NULL, "ED25519");
	default: break;
	}
	/* RSA: too short, or with e = 1, 3, or even; of a public key nobody can tell that its modulus is none. */
	modulus = BN_new();
	ck_assert_int_eq(BN_rand(modulus, which == 0 ? 1024 : 2048, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ODD), 1);
	exponent = BN_new();
	ck_assert_int_eq(BN_set_word(exponent, which == 0 ? 65537 : which == 4 ? 1 : which == 5 ? 3 : 65538), 1);
	build = OSSL_PARAM_BLD_new();
	ck_assert_int_eq(OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_N, modulus), 1);
	ck_assert_int_eq(OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_E, exponent), 1);
	parameters = OSSL_PARAM_BLD_to_param(build);
	context = EVP_PKEY_CTX_new_from_name(openssl_context(), "RSA", NULL);
	ck_assert_int_eq(EVP_PKEY_fromdata_init(context), 1);
	ck_assert_int_eq(EVP_PKEY_fromdata(context, &key, EVP_PKEY_PUBLIC_KEY, parameters), 1);
	EVP_PKEY_CTX_free(context);
	OSSL_PARAM_free(parameters);
	OSSL_PARAM_BLD_free(build);
	BN_free(modulus);
	BN_free(exponent);
	return key;
}

START_TEST(unfit_key_is_refused)
{
	EVP_PKEY *key = unfit_key(_i);
	struct authority *authority = NULL;
	unsigned char *der = NULL;
	int size;

	ck_assert_ptr_nonnull(key);
	size = i2d_PUBKEY(key, &der);
	ck_assert_int_gt(size, 0);
	ck_assert_uint_eq(authority_new(der, (size_t)size, &authority), CKR_PUBLIC_KEY_INVALID);
	ck_assert_ptr_null(authority);
	ck_assert_uint_eq(ERR_peek_error(), 0);
	OPENSSL_free(der);
	EVP_PKEY_free(key);
}
END_TEST

START_TEST(malformed_spki_is_refused)
{
	struct fixture_authority fixture;
	struct authority *authority = NULL;
	struct buffer spki = BUFFER_INIT;
	const struct buffer *good;

	fixture_authority_new("P-256", &fixture);
	good = authority_spki(fixture.authority);
	ck_assert_uint_eq(buffer_set(&spki, good->data, good->size), CKR_OK);
	ck_assert_uint_eq(buffer_append(&spki, "", 1), CKR_OK);
	ck_assert_uint_eq(authority_new(spki.data, spki.size, &authority), CKR_PUBLIC_KEY_INVALID);
	for (size_t size = 0; size < good->size; size++)
		ck_assert_uint_eq(authority_new(spki.data, size, &authority), CKR_PUBLIC_KEY_INVALID);
	spki.data[good->size - 1] ^= 1; /* off the curve */
	ck_assert_uint_eq(authority_new(spki.data, good->size, &authority), CKR_PUBLIC_KEY_INVALID);
	ck_assert_ptr_null(authority);
	buffer_clear(&spki);
	fixture_authority_clear(&fixture);
}
END_TEST

START_TEST(fingerprint_is_that_of_openssl)
{
	struct fixture_authority *fixture = &shared[_i];
	char command[1024], text[64], wanted[80];
	char *why = NULL;
	FILE *pipe;

	ck_assert(authority_write(fixture->authority, unit_path("fingerprint.pem"), &why));
	snprintf(command, sizeof command, "openssl pkey -pubin -in '%s' -outform DER | "
	         "openssl dgst -sha256 -binary | openssl base64 -A", unit_path("fingerprint.pem"));
	pipe = popen(command, "r");
	ck_assert_ptr_nonnull(pipe);
	ck_assert_ptr_nonnull(fgets(text, sizeof text, pipe));
	ck_assert_int_eq(pclose(pipe), 0);
	snprintf(wanted, sizeof wanted, "SHA256:%.43s", text); /* without the one '=' */
	ck_assert_str_eq(authority_fingerprint(fixture->authority), wanted);
	ck_assert_int_eq(unlink(unit_path("fingerprint.pem")), 0);
}
END_TEST

START_TEST(file_is_written_and_read)
{
	struct fixture_authority *fixture = &shared[_i];
	struct authority *again = NULL;
	const struct buffer *spki;
	struct stat status;
	char *why = NULL;

	ck_assert(authority_write(fixture->authority, unit_path("pinned.pem"), &why));
	ck_assert_int_eq(stat(unit_path("pinned.pem"), &status), 0);
	ck_assert_uint_eq(status.st_mode & 0777, 0644);
	ck_assert(authority_read(unit_path("pinned.pem"), &again, &why));
	spki = authority_spki(again);
	ck_assert(buffer_equal(authority_spki(fixture->authority), spki->data, spki->size));
	ck_assert_str_eq(authority_fingerprint(fixture->authority), authority_fingerprint(again));

	/* Not even by itself. */
	ck_assert(!authority_write(again, unit_path("pinned.pem"), &why));
	ck_assert_ptr_nonnull(strstr(why, "there already"));
	free(why);
	authority_free(&again);
	ck_assert_ptr_null(again);
	authority_free(&again);
	ck_assert_int_eq(unlink(unit_path("pinned.pem")), 0);
}
END_TEST

START_TEST(file_in_a_missing_folder_is_not_written)
{
	struct fixture_authority fixture;
	char *why = NULL;

	fixture_authority_new("P-256", &fixture);
	ck_assert(!authority_write(fixture.authority, unit_path("missing/pinned.pem"), &why));
	ck_assert_ptr_nonnull(strstr(why, "missing/pinned.pem"));
	free(why);
	fixture_authority_clear(&fixture);
}
END_TEST

static void
write_file(const char *path, const char *text)
{
	FILE *file = fopen(path, "w");

	ck_assert_ptr_nonnull(file);
	fputs(text, file);
	ck_assert_int_eq(fclose(file), 0);
	ck_assert_int_eq(chmod(path, 0644), 0);
}

static void
assert_unreadable(const char *path, const char *reason)
{
	struct authority *authority = NULL;
	char *why = NULL;

	ck_assert(!authority_read(path, &authority, &why));
	ck_assert_ptr_null(authority);
	ck_assert_ptr_nonnull(why);
	ck_assert_ptr_nonnull(strstr(why, path));
	ck_assert_msg(strstr(why, reason) != NULL, "%s", why);
	ck_assert_uint_eq(ERR_peek_error(), 0);
	free(why);
}

START_TEST(file_that_is_no_authority_is_refused)
{
	EVP_PKEY *unfit = unfit_key(1);
	FILE *file;

	assert_unreadable(unit_path("none.pem"), "No such file");
	write_file(unit_path("bad.pem"), "");
	assert_unreadable(unit_path("bad.pem"), "is empty");
	write_file(unit_path("bad.pem"), "hello\n");
	assert_unreadable(unit_path("bad.pem"), "BEGIN PUBLIC KEY");
	write_file(unit_path("bad.pem"), "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n");
	assert_unreadable(unit_path("bad.pem"), "BEGIN PUBLIC KEY");
	file = fopen(unit_path("bad.pem"), "w");
	ck_assert_ptr_nonnull(file);
	ck_assert_int_eq(PEM_write_PUBKEY(file, unfit), 1);
	ck_assert_int_eq(fclose(file), 0);
	assert_unreadable(unit_path("bad.pem"), "P-256");
	EVP_PKEY_free(unfit);
}
END_TEST

START_TEST(file_that_others_may_write_is_refused)
{
	struct fixture_authority fixture;
	char *why = NULL;

	fixture_authority_new("P-256", &fixture);
	ck_assert(authority_write(fixture.authority, unit_path("open.pem"), &why));
	ck_assert_int_eq(chmod(unit_path("open.pem"), 0666), 0);
	assert_unreadable(unit_path("open.pem"), "writ");
	fixture_authority_clear(&fixture);
}
END_TEST

struct crowd {
	const struct authority *authority;
	struct buffer signature;
	unsigned wrong[4];
};

struct worker {
	struct crowd *crowd;
	size_t index;
};

static void *
verify_often(void *context)
{
	struct worker *worker = context;
	struct crowd *crowd = worker->crowd;

	for (int i = 0; i < 300; i++) {
		const char *message = i % 2 == 0 ? "message" : "massage";
		CK_RV wanted = i % 2 == 0 ? CKR_OK : CKR_SIGNATURE_INVALID;

		if (authority_verify(crowd->authority, message, 7, crowd->signature.data,
		                     crowd->signature.size) != wanted)
			crowd->wrong[worker->index]++;
	}
	return NULL;
}

START_TEST(threads_share_an_authority)
{
	struct crowd crowd = { shared[_i].authority, BUFFER_INIT, { 0 } };
	struct worker workers[4];
	pthread_t threads[4];

	ck_assert_uint_eq(fixture_sign(&shared[_i], NULL, "message", 7, &crowd.signature), CKR_OK);
	for (size_t i = 0; i < 4; i++) {
		workers[i] = (struct worker){ &crowd, i };
		ck_assert_int_eq(pthread_create(&threads[i], NULL, verify_often, &workers[i]), 0);
	}
	for (size_t i = 0; i < 4; i++) {
		ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
		ck_assert_uint_eq(crowd.wrong[i], 0);
	}
	buffer_clear(&crowd.signature);
}
END_TEST

Suite *
unit_suite(void)
{
	Suite *suite = suite_create("authority");
	TCase *tests = tcase_create("authority");

	tcase_add_unchecked_fixture(tests, start, stop);
	tcase_add_loop_test(tests, signature_is_verified, 0, ALGORITHM_COUNT);
	tcase_add_loop_test(tests, signature_with_any_bit_changed_is_refused, 0, ALGORITHM_COUNT);
	tcase_add_loop_test(tests, signature_of_another_size_is_refused, 0, ALGORITHM_COUNT);
	tcase_add_test(tests, another_authority_is_refused);
	tcase_add_loop_test(tests, refusal_leaves_no_error_behind, 0, 2);
	tcase_add_loop_test(tests, unfit_key_is_refused, 0, 7);
	tcase_add_test(tests, malformed_spki_is_refused);
	tcase_add_loop_test(tests, fingerprint_is_that_of_openssl, 0, ALGORITHM_COUNT);
	tcase_add_loop_test(tests, file_is_written_and_read, 0, ALGORITHM_COUNT);
	tcase_add_test(tests, file_in_a_missing_folder_is_not_written);
	tcase_add_test(tests, file_that_is_no_authority_is_refused);
	tcase_add_test(tests, file_that_others_may_write_is_refused);
	tcase_add_loop_test(tests, threads_share_an_authority, 0, 2);
	tcase_set_timeout(tests, 60);
	suite_add_tcase(suite, tests);
	return suite;
}
