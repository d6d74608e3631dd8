/* SPDX-License-Identifier: Apache-2.0 */
/* kms.h with a KMIP server behind it. */
#include "kmip-fixture.h"

#include "unit.h"

#include "base/openssl.h"
#include "base/secret.h"
#include "kms/kmip-login.h"

#include <arpa/inet.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static struct kms *kms;
static struct buffer spki;

static const unsigned char id[] = { 0x0a, 0x0b, 0x0c };

#define KEY { id, sizeof id, 0, false }

/* As check's timeouts are: valgrind takes its time. */
static int64_t
patience(int64_t milliseconds)
{
	const char *multiplier = getenv("CK_TIMEOUT_MULTIPLIER");

	return multiplier == NULL ? milliseconds : milliseconds * atoi(multiplier);
}

static struct deadline
soon(void)
{
	return deadline_in(patience(3000));
}

static void
reopen(void)
{
	kms_free(&kms);
	ck_assert_uint_eq(kms_new(&kmip_fixture.config, &kms), CKR_OK);
}

static void
setup(void)
{
	spki = (struct buffer)BUFFER_INIT;
	kmip_fixture_start();
	ck_assert_uint_eq(kms_new(&kmip_fixture.config, &kms), CKR_OK);
}

static void
teardown(void)
{
	buffer_clear(&spki);
	kms_free(&kms);
	ck_assert_uint_eq(kmip_fixture.private_gets, 0);
	kmip_fixture_stop();
}

static CK_RV
try_generate(const char *algorithm)
{
	struct kms_pair pair = {
		.algorithm = algorithm_by_name(algorithm), .id = id, .id_size = sizeof id,
		.label = "job@1", .decrypt = true, .sign = true,
	};

	return kms_generate_pair(kms, &pair, soon(), &spki);
}

static void
generate(const char *algorithm)
{
	ck_assert_uint_eq(try_generate(algorithm), CKR_OK);
}

/* DigestInfo of a SHA-256 of zeros. */
static const unsigned char digest_info[51] = {
	0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01,
	0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x20,
};

static CK_RV
sign_with(struct kms_key *key, CK_MECHANISM_TYPE type, void *parameter, size_t parameter_size,
          const void *data, size_t size)
{
	CK_MECHANISM mechanism = { type, parameter, parameter_size };
	unsigned char signature[256];
	size_t signature_size = sizeof signature;
	CK_RV rv;

	rv = kms_sign(kms, key, &mechanism, data, size, soon(), signature, &signature_size);
	if (rv == CKR_OK)
		ck_assert_uint_gt(signature_size, 0);
	return rv;
}

static CK_RV
sign(void)
{
	struct kms_key key = KEY;

	return sign_with(&key, CKM_RSA_PKCS, NULL, 0, digest_info, sizeof digest_info);
}

static CK_RV
decrypt_with(CK_MECHANISM_TYPE hash, CK_RSA_PKCS_MGF_TYPE mgf, const void *data, size_t size,
             struct secret **ret_plaintext)
{
	CK_RSA_PKCS_OAEP_PARAMS oaep = { hash, mgf, CKZ_DATA_SPECIFIED, NULL, 0 };
	CK_MECHANISM mechanism = { CKM_RSA_PKCS_OAEP, &oaep, sizeof oaep };
	struct kms_key key = KEY;

	return kms_decrypt(kms, &key, &mechanism, data, size, soon(), ret_plaintext);
}

static size_t
encrypt(const EVP_MD *hash, const void *data, size_t size, unsigned char *ret_ciphertext)
{
	EVP_PKEY_CTX *context = EVP_PKEY_CTX_new(kmip_fixture.rsa, NULL);
	size_t ciphertext_size = 256;

	ck_assert_int_eq(EVP_PKEY_encrypt_init(context), 1);
	ck_assert_int_eq(EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_OAEP_PADDING), 1);
	ck_assert_int_eq(EVP_PKEY_CTX_set_rsa_oaep_md(context, hash), 1);
	ck_assert_int_eq(EVP_PKEY_encrypt(context, ret_ciphertext, &ciphertext_size, data, size), 1);
	EVP_PKEY_CTX_free(context);
	return ciphertext_size;
}

static bool
offers(const struct kms_description *description, CK_MECHANISM_TYPE type)
{
	for (size_t i = 0; i < description->primitive_count; i++)
		if (description->primitives[i] == type)
			return true;
	return false;
}

static void
describe(struct kms_description *ret_description)
{
	ck_assert_uint_eq(kms_describe(kms, soon(), ret_description), CKR_OK);
}

START_TEST(describes_what_the_server_does)
{
	struct kms_description description;
	unsigned objects;

	describe(&description);
	ck_assert_str_eq(description.manufacturer, "Unit Test");
	ck_assert_str_eq(description.model, "KMIP 1.4");
	ck_assert(offers(&description, CKM_RSA_PKCS_KEY_PAIR_GEN));
	ck_assert(offers(&description, CKM_EC_KEY_PAIR_GEN));
	ck_assert(offers(&description, CKM_RSA_PKCS));
	ck_assert(offers(&description, CKM_RSA_PKCS_PSS));
	ck_assert(offers(&description, CKM_RSA_PKCS_OAEP));
	ck_assert(!offers(&description, CKM_P11_KMS_OAEP_SHA1_ONLY));
	ck_assert(offers(&description, CKM_ECDSA));
	ck_assert_uint_eq(description.primitive_count, 6);
	kms_description_clear(&description);
	/* Its own pairs are made once, and are not keys. */
	objects = kmip_fixture_objects();
	ck_assert_uint_eq(objects, 4);
	describe(&description);
	kms_description_clear(&description);
	ck_assert_uint_eq(kmip_fixture_objects(), objects);
}
END_TEST

START_TEST(describes_a_server_that_hashes)
{
	struct kms_description description;

	kmip_fixture.digested = false;
	describe(&description);
	ck_assert(!offers(&description, CKM_RSA_PKCS));
	ck_assert(offers(&description, CKM_SHA256_RSA_PKCS));
	ck_assert(offers(&description, CKM_SHA512_RSA_PKCS));
	ck_assert(!offers(&description, CKM_RSA_PKCS_PSS));
	ck_assert(offers(&description, CKM_SHA384_RSA_PKCS_PSS));
	ck_assert(!offers(&description, CKM_ECDSA));
	ck_assert(offers(&description, CKM_ECDSA_SHA256));
	kms_description_clear(&description);
}
END_TEST

START_TEST(describes_an_older_server)
{
	struct kms_description description;

	kmip_fixture.minor = 2;
	describe(&description);
	ck_assert_str_eq(description.model, "KMIP 1.2");
	ck_assert(!offers(&description, CKM_RSA_PKCS));
	ck_assert(offers(&description, CKM_SHA256_RSA_PKCS));
	ck_assert(offers(&description, CKM_RSA_PKCS_OAEP));
	/* The server takes SHA-1 for the mask, and can't be told otherwise. */
	ck_assert(offers(&description, CKM_P11_KMS_OAEP_SHA1_ONLY));
	kms_description_clear(&description);
}
END_TEST

START_TEST(describes_what_is_missing)
{
	struct kms_description description;

	kmip_fixture.reasons[KMIP_DECRYPT] = KMIP_PERMISSION_DENIED;
	describe(&description);
	ck_assert(offers(&description, CKM_RSA_PKCS));
	ck_assert(!offers(&description, CKM_RSA_PKCS_OAEP));
	ck_assert_uint_eq(description.lack_count, 1);
	ck_assert_str_eq(description.lacks[0],
	                 "does not decrypt with RSA OAEP (Permission Denied); it is not offered");
	kms_description_clear(&description);
	kmip_fixture.reasons[KMIP_SIGN] = KMIP_OPERATION_NOT_SUPPORTED;
	describe(&description);
	ck_assert_uint_eq(description.lack_count, 4);
	ck_assert_uint_eq(description.primitive_count, 2); /* makes pairs that nothing can be done with */
	kms_description_clear(&description);
	ck_assert_uint_eq(kmip_fixture.requests[KMIP_CREATE_KEY_PAIR], 2);
}
END_TEST

START_TEST(a_version_that_is_too_old_is_refused)
{
	struct kms_description description;

	kmip_fixture.minor = 1;
	ck_assert_uint_eq(kms_describe(kms, soon(), &description), CKR_DEVICE_ERROR);
	ck_assert_uint_eq(kmip_fixture.requests[KMIP_DISCOVER_VERSIONS], 3);
}
END_TEST

START_TEST(makes_and_uses_an_rsa_pair)
{
	CK_RSA_PKCS_PSS_PARAMS pss = { CKM_SHA256, CKG_MGF1_SHA256, 20 };
	static const unsigned char digest[32];
	unsigned char ciphertext[256];
	struct secret *plaintext = NULL;
	struct kms_key key = KEY;
	struct buffer again = BUFFER_INIT;
	size_t size;

	generate("rsa-2048");
	ck_assert_uint_eq(kms_public_key(kms, id, sizeof id, soon(), &again), CKR_OK);
	ck_assert(buffer_equal(&spki, again.data, again.size));
	ck_assert_uint_eq(sign(), CKR_OK);
	ck_assert_int_eq(kmip_fixture.last_salt, -1);
	ck_assert_uint_eq(sign_with(&key, CKM_RSA_PKCS_PSS, &pss, sizeof pss, digest, 32), CKR_OK);
	ck_assert_int_eq(kmip_fixture.last_salt, 20);
	ck_assert_uint_eq(sign_with(&key, CKM_SHA384_RSA_PKCS, NULL, 0, "message", 7), CKR_OK);
	size = encrypt(EVP_sha256(), "secret", 6, ciphertext);
	ck_assert_uint_eq(decrypt_with(CKM_SHA256, CKG_MGF1_SHA256, ciphertext, size, &plaintext),
	                  CKR_OK);
	ck_assert(secret_equal(plaintext, "secret", 6));
	secret_free(&plaintext);
	size = encrypt(EVP_sha1(), "", 0, ciphertext);
	ck_assert_uint_eq(decrypt_with(CKM_SHA_1, CKG_MGF1_SHA1, ciphertext, size, &plaintext),
	                  CKR_OK);
	ck_assert_uint_eq(secret_size(plaintext), 0);
	secret_free(&plaintext);
	/* The same CKA_ID is not given twice. */
	ck_assert_uint_eq(try_generate("rsa-2048"), CKR_DEVICE_ERROR);
	ck_assert_uint_eq(kmip_fixture_objects(), 2);
	ck_assert_uint_eq(kms_destroy_pair(kms, id, sizeof id, soon()), CKR_OK);
	ck_assert_uint_eq(kmip_fixture_objects(), 0);
	ck_assert_uint_eq(kms_destroy_pair(kms, id, sizeof id, soon()), CKR_OK);
	buffer_clear(&again);
}
END_TEST

START_TEST(makes_and_uses_an_ec_pair)
{
	struct kms_key key = KEY;
	CK_MECHANISM mechanism = { CKM_ECDSA, NULL, 0 };
	static const unsigned char digest[32];
	unsigned char signature[256];
	size_t size = sizeof signature;

	generate("p-256");
	ck_assert_uint_eq(kms_sign(kms, &key, &mechanism, digest, 32, soon(), signature, &size),
	                  CKR_OK);
	ck_assert_uint_eq(size, 64);
	ck_assert_uint_eq(sign_with(&key, CKM_ECDSA_SHA256, NULL, 0, "message", 7), CKR_OK);
	buffer_clear(&spki);
	ck_assert_uint_eq(try_generate("ed25519"), CKR_MECHANISM_INVALID);
}
END_TEST

START_TEST(refuses_what_can_not_be_sent)
{
	static const unsigned char digest[33];
	struct kms_key key = KEY;
	struct secret *plaintext = NULL;
	CK_MECHANISM raw = { CKM_RSA_X_509, NULL, 0 };

	generate("rsa-2048");
	ck_assert_uint_eq(sign_with(&key, CKM_RSA_PKCS, NULL, 0, digest, 33), CKR_DATA_INVALID);
	ck_assert_uint_eq(sign_with(&key, CKM_ECDSA, NULL, 0, digest, 33), CKR_DATA_LEN_RANGE);
	ck_assert_uint_eq(sign_with(&key, CKM_RSA_X_509, NULL, 0, digest, 33), CKR_MECHANISM_INVALID);
	ck_assert_uint_eq(sign_with(&key, CKM_RSA_PKCS_PSS, NULL, 0, digest, 32),
	                  CKR_MECHANISM_PARAM_INVALID);
	ck_assert_uint_eq(kms_decrypt(kms, &key, &raw, digest, 33, soon(), &plaintext),
	                  CKR_MECHANISM_INVALID);
	ck_assert_uint_eq(decrypt_with(CKM_MD5, CKG_MGF1_SHA1, digest, 33, &plaintext),
	                  CKR_MECHANISM_PARAM_INVALID);
	ck_assert_uint_eq(kmip_fixture.requests[KMIP_SIGN] + kmip_fixture.requests[KMIP_DECRYPT], 0);
}
END_TEST

START_TEST(refusals_have_their_codes)
{
	static const struct {
		uint32_t operation, reason;
		CK_RV sign, decrypt;
	} rows[] = {
		{ KMIP_SIGN, KMIP_PERMISSION_DENIED, CKR_KEY_FUNCTION_NOT_PERMITTED, 0 },
		{ KMIP_SIGN, KMIP_INVALID_FIELD, CKR_MECHANISM_INVALID, 0 },
		{ KMIP_SIGN, KMIP_OPERATION_NOT_SUPPORTED, CKR_MECHANISM_INVALID, 0 },
		{ KMIP_SIGN, KMIP_ITEM_NOT_FOUND, CKR_KEY_HANDLE_INVALID, 0 },
		{ KMIP_SIGN, KMIP_GENERAL_FAILURE, CKR_DEVICE_ERROR, 0 },
		{ KMIP_SIGN, KMIP_AUTHENTICATION_NOT_SUCCESSFUL, CKR_DEVICE_ERROR, 0 },
		{ KMIP_DECRYPT, KMIP_PERMISSION_DENIED, 0, CKR_KEY_FUNCTION_NOT_PERMITTED },
		{ KMIP_DECRYPT, KMIP_OPERATION_NOT_SUPPORTED, 0, CKR_FUNCTION_NOT_SUPPORTED },
		{ KMIP_DECRYPT, KMIP_INVALID_FIELD, 0, CKR_ENCRYPTED_DATA_INVALID },
		{ KMIP_DECRYPT, KMIP_CRYPTOGRAPHIC_FAILURE, 0, CKR_ENCRYPTED_DATA_INVALID },
		{ KMIP_DECRYPT, KMIP_GENERAL_FAILURE, 0, CKR_ENCRYPTED_DATA_INVALID },
		{ KMIP_DECRYPT, KMIP_ITEM_NOT_FOUND, 0, CKR_KEY_HANDLE_INVALID },
	};
	struct secret *plaintext = NULL;
	unsigned char ciphertext[256];
	size_t size;

	generate("rsa-2048");
	size = encrypt(EVP_sha1(), "secret", 6, ciphertext);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		kmip_fixture.reasons[rows[i].operation] = rows[i].reason;
		if (rows[i].operation == KMIP_SIGN)
			ck_assert_uint_eq(sign(), rows[i].sign);
		else
			ck_assert_uint_eq(decrypt_with(CKM_SHA_1, CKG_MGF1_SHA1, ciphertext, size, &plaintext),
			                  rows[i].decrypt);
		kmip_fixture.reasons[rows[i].operation] = 0;
		/* A refusal never opens the breaker. */
		ck_assert_uint_eq(kms_ping(kms, soon()), CKR_OK);
	}
	ciphertext[0] ^= 1;
	ck_assert_uint_eq(decrypt_with(CKM_SHA_1, CKG_MGF1_SHA1, ciphertext, size, &plaintext),
	                  CKR_ENCRYPTED_DATA_INVALID);
	ck_assert_ptr_null(plaintext);
	kmip_fixture.reasons[KMIP_SIGN] = KMIP_GENERAL_FAILURE;
	ck_assert_uint_eq(sign(), CKR_DEVICE_ERROR);
	ck_assert_uint_eq(kms_device_error(kms), KMIP_GENERAL_FAILURE);
}
END_TEST

START_TEST(answers_about_other_objects_are_none)
{
	static const uint32_t operations[] = { KMIP_SIGN, KMIP_DECRYPT, KMIP_GET,
		                               KMIP_GET_ATTRIBUTES, KMIP_ACTIVATE, KMIP_REVOKE,
		                               KMIP_DESTROY };
	struct secret *plaintext = NULL;
	unsigned char ciphertext[256];
	size_t size;

	for (size_t i = 0; i < sizeof operations / sizeof *operations; i++) {
		CK_RV rv = CKR_OK;

		generate("rsa-2048");
		size = encrypt(EVP_sha1(), "secret", 6, ciphertext);
		kmip_fixture.mistaken = operations[i];
		buffer_clear(&spki);
		switch (operations[i]) {
		case KMIP_SIGN:
			rv = sign();
			break;
		case KMIP_DECRYPT:
			rv = decrypt_with(CKM_SHA_1, CKG_MGF1_SHA1, ciphertext, size, &plaintext);
			break;
		case KMIP_GET:
			rv = kms_public_key(kms, id, sizeof id, soon(), &spki);
			break;
		case KMIP_ACTIVATE:
			ck_assert_uint_eq(kms_destroy_pair(kms, id, sizeof id, soon()), CKR_OK);
			rv = try_generate("rsa-2048");
			break;
		default:
			rv = kms_destroy_pair(kms, id, sizeof id, soon());
			break;
		}
		ck_assert_uint_eq(rv, CKR_DEVICE_ERROR);
		ck_assert_ptr_null(plaintext);
		ck_assert_uint_eq(spki.size, 0);
		kmip_fixture.mistaken = 0;
		reopen();
		ck_assert_uint_eq(kms_destroy_pair(kms, id, sizeof id, soon()), CKR_OK);
	}
}
END_TEST

START_TEST(pairs_that_the_server_does_not_make)
{
	static const struct {
		uint32_t reason;
		CK_RV rv;
	} rows[] = {
		{ KMIP_INVALID_FIELD, CKR_MECHANISM_INVALID },
		{ KMIP_OPERATION_NOT_SUPPORTED, CKR_MECHANISM_INVALID },
		{ KMIP_GENERAL_FAILURE, CKR_MECHANISM_INVALID },
		{ KMIP_PERMISSION_DENIED, CKR_KEY_FUNCTION_NOT_PERMITTED },
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		kmip_fixture.reasons[KMIP_CREATE_KEY_PAIR] = rows[i].reason;
		ck_assert_uint_eq(try_generate("rsa-2048"), rows[i].rv);
	}
	ck_assert_uint_eq(kmip_fixture_objects(), 0);
	/* Once with less, when it does not say why. */
	kmip_fixture.requests[KMIP_CREATE_KEY_PAIR] = 0;
	kmip_fixture.reasons[KMIP_CREATE_KEY_PAIR] = KMIP_GENERAL_FAILURE;
	ck_assert_uint_eq(try_generate("rsa-2048"), CKR_MECHANISM_INVALID);
	ck_assert_uint_eq(kmip_fixture.requests[KMIP_CREATE_KEY_PAIR], 2);
}
END_TEST

START_TEST(attributes_that_the_server_does_not_know_are_left_out)
{
	kmip_fixture.sealing = false;
	generate("rsa-2048");
	ck_assert_uint_eq(kmip_fixture.requests[KMIP_CREATE_KEY_PAIR], 3);
	ck_assert_uint_eq(kms_destroy_pair(kms, id, sizeof id, soon()), CKR_OK);
	/* And are not tried again. */
	generate("rsa-2048");
	ck_assert_uint_eq(kmip_fixture.requests[KMIP_CREATE_KEY_PAIR], 4);
}
END_TEST

START_TEST(an_identifier_that_is_no_longer_good_is_looked_for_again)
{
	generate("rsa-2048");
	ck_assert_uint_eq(sign(), CKR_OK);
	ck_assert_uint_eq(kmip_fixture.requests[KMIP_LOCATE], 1); /* before it was made */
	kmip_fixture_rename();
	ck_assert_uint_eq(sign(), CKR_OK);
	ck_assert_uint_eq(kmip_fixture.requests[KMIP_LOCATE], 2);
	ck_assert_uint_eq(sign(), CKR_OK);
	ck_assert_uint_eq(kmip_fixture.requests[KMIP_LOCATE], 2);
	kmip_fixture_rename();
	buffer_clear(&spki);
	ck_assert_uint_eq(kms_public_key(kms, id, sizeof id, soon(), &spki), CKR_OK);
	ck_assert_uint_gt(spki.size, 0);
}
END_TEST

START_TEST(keys_that_are_not_there)
{
	struct kms_key other = { (const unsigned char *)"other", 5, 0, false };
	struct secret *plaintext = NULL;

	ck_assert_uint_eq(kms_public_key(kms, id, sizeof id, soon(), &spki), CKR_KEY_HANDLE_INVALID);
	ck_assert_uint_eq(sign(), CKR_KEY_HANDLE_INVALID);
	ck_assert_uint_eq(sign_with(&other, CKM_RSA_PKCS, NULL, 0, digest_info, sizeof digest_info),
	                  CKR_KEY_HANDLE_INVALID);
	ck_assert_uint_eq(decrypt_with(CKM_SHA_1, CKG_MGF1_SHA1, digest_info, 51, &plaintext),
	                  CKR_KEY_HANDLE_INVALID);
}
END_TEST

struct walked {
	unsigned count;
	CK_RV answer;
};

static CK_RV
walk_found(void *context, const void *found_id, size_t size, const char *label,
           CK_KEY_TYPE key_type)
{
	struct walked *walked = context;

	walked->count++;
	ck_assert_uint_eq(size, sizeof id);
	ck_assert_int_eq(memcmp(found_id, id, size), 0);
	ck_assert_str_eq(label, "job@1");
	ck_assert_uint_eq(key_type, CKK_EC);
	return walked->answer;
}

START_TEST(lists_keys_and_no_more)
{
	struct walked walked = { 0, CKR_OK };
	struct kms_description description;

	ck_assert_uint_eq(kms_walk(kms, soon(), walk_found, &walked), CKR_OK);
	ck_assert_uint_eq(walked.count, 0);
	describe(&description); /* with its own pairs */
	kms_description_clear(&description);
	generate("p-256");
	ck_assert_uint_eq(kms_walk(kms, soon(), walk_found, &walked), CKR_OK);
	ck_assert_uint_eq(walked.count, 1);
	walked.answer = CKR_CANCEL;
	ck_assert_uint_eq(kms_walk(kms, soon(), walk_found, &walked), CKR_CANCEL);
	ck_assert_uint_eq(kms_destroy_pair(kms, id, sizeof id, soon()), CKR_OK);
	walked.count = 0;
	ck_assert_uint_eq(kms_walk(kms, soon(), walk_found, &walked), CKR_OK);
	ck_assert_uint_eq(walked.count, 0);
}
END_TEST

/* The surplus must not be taken for the next answer. */
START_TEST(surplus_ends_a_connection)
{
	kmip_fixture.surplus = KMIP_LOCATE;
	ck_assert_uint_eq(try_generate("rsa-2048"), CKR_DEVICE_ERROR);
	ck_assert_uint_eq(kmip_fixture.requests[KMIP_CREATE_KEY_PAIR], 0);
	kmip_fixture.surplus = 0;
	reopen();
	generate("rsa-2048");
}
END_TEST

static void
take(struct kmip *kmip, const struct kmip_login *login, struct kmip_stream **ret_stream)
{
	struct kmip_server *server;
	struct deadline deadline;
	bool reused;

	ck_assert_uint_eq(kmip_connection_take(kmip, login, NULL, soon(), &server, ret_stream, &reused,
	                                       &deadline), CKR_OK);
	ck_assert(!reused);
	ck_assert_ptr_eq(server, kmip->servers);
}

START_TEST(connections_of_another_login_are_not_kept)
{
	struct kms_attempt attempt = { .deadline = soon() };
	struct kmip_login first = { .tls = NULL }, second = { .tls = NULL };
	struct kmip_stream *old = NULL, *new = NULL;
	struct kmip *kmip = NULL;

	ck_assert_uint_eq(kmip_new(&kmip_fixture.config, NULL, &kmip), CKR_OK);
	ck_assert_uint_eq(kmip_login_get(kmip, &attempt, &first), CKR_OK);
	take(kmip, &first, &old);
	usleep(20000);
	kmip_fixture_encrypt_key(NULL); /* the same again, in a new file */
	ck_assert_uint_eq(kmip_login_get(kmip, &attempt, &second), CKR_OK);
	ck_assert_ptr_ne(first.tls, second.tls);
	kmip_connection_put(kmip, kmip->servers, &old);
	ck_assert_uint_eq(kmip->servers->idle_count, 0);
	ck_assert_ptr_null(kmip->servers->session);
	take(kmip, &second, &new);
	kmip_connection_put(kmip, kmip->servers, &new);
	ck_assert_uint_eq(kmip->servers->idle_count, 1);
	/* Nor lent to one. */
	take(kmip, &first, &old);
	kmip_connection_drop(kmip, kmip->servers, &old, false, NULL);
	kmip_login_clear(&first);
	kmip_login_clear(&second);
	kmip_free(&kmip);
}
END_TEST

START_TEST(connections_are_kept_and_resumed)
{
	generate("rsa-2048");
	for (int i = 0; i < 5; i++)
		ck_assert_uint_eq(sign(), CKR_OK);
	ck_assert_uint_eq(kmip_fixture.connections, 1);
	/* Ended while it was idle: nobody notices. */
	kmip_fixture_disconnect();
	usleep(50000);
	ck_assert_uint_eq(sign(), CKR_OK);
	ck_assert_uint_eq(kmip_fixture.connections, 2);
	ck_assert_uint_eq(kmip_fixture.resumed, 1);
	/* Ended when a request comes: the request is made once more. */
	kmip_fixture.hang_up = 1;
	ck_assert_uint_eq(sign(), CKR_OK);
	ck_assert_uint_eq(kmip_fixture.connections, 3);
}
END_TEST

START_TEST(changes_are_not_made_twice)
{
	/* Locate, Get Attributes have none; the pair is made, the answer is lost. */
	kmip_fixture.hang_up = 3; /* Discover Versions, Locate, Create Key Pair */
	ck_assert_uint_eq(try_generate("rsa-2048"), CKR_DEVICE_ERROR);
	ck_assert_uint_eq(kmip_fixture.requests[KMIP_CREATE_KEY_PAIR], 0);
	ck_assert_uint_eq(kmip_fixture.connections, 1);
	generate("rsa-2048");
}
END_TEST

START_TEST(a_server_that_is_gone_and_back)
{
	int64_t began, took;

	generate("rsa-2048");
	kmip_fixture_listen(false);
	kmip_fixture_disconnect();
	for (int i = 0; i < 3; i++)
		ck_assert_uint_eq(sign(), CKR_DEVICE_ERROR);
	began = clock_monotonic_ms();
	ck_assert_uint_eq(sign(), CKR_DEVICE_ERROR); /* the breaker is open */
	ck_assert_int_lt(clock_monotonic_ms() - began, patience(50));
	kmip_fixture_listen(true);
	began = clock_monotonic_ms();
	do {
		usleep(10000);
		took = clock_monotonic_ms() - began;
	} while (sign() != CKR_OK && took < patience(2000));
	ck_assert_int_lt(took, patience(2000));
}
END_TEST

static void
prepend_server(const char *server)
{
	char uri[256];

	snprintf(uri, sizeof uri, "kmip://%s,%s", server,
	         kmip_fixture.config.kms + strlen("kmip://"));
	free(kmip_fixture.config.kms);
	kmip_fixture.config.kms = strdup(uri);
}

START_TEST(another_server_takes_over)
{
	int64_t began;

	/* Nobody listens at the first. */
	prepend_server("127.0.0.1:1");
	reopen();
	generate("rsa-2048");
	ck_assert_uint_eq(sign(), CKR_OK);
	ck_assert_uint_eq(kmip_fixture.connections, 1);

	/* One that swallows everything costs a part of the time, once. */
	prepend_server("192.0.2.1:5696");
	reopen();
	ck_assert_uint_eq(sign(), CKR_OK);
	began = clock_monotonic_ms();
	ck_assert_uint_eq(sign(), CKR_OK);
	ck_assert_int_lt(clock_monotonic_ms() - began, patience(500));
}
END_TEST

/* A first server in front of the fixture's: it takes connections, and never says a word. */
static void
prepend_mute_server(int *ret_listener)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	socklen_t size = sizeof address;
	char server[64];
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	ck_assert_int_eq(bind(listener, (struct sockaddr *)&address, size), 0);
	ck_assert_int_eq(listen(listener, 16), 0);
	ck_assert_int_eq(getsockname(listener, (struct sockaddr *)&address, &size), 0);
	snprintf(server, sizeof server, "127.0.0.1:%d", ntohs(address.sin_port));
	prepend_server(server);
	*ret_listener = listener;
}

START_TEST(a_mute_server_takes_a_part_of_the_deadline)
{
	int64_t began;
	int listener;

	generate("rsa-2048");
	prepend_mute_server(&listener);
	reopen();
	began = clock_monotonic_ms();
	ck_assert_uint_eq(sign(), CKR_OK);
	ck_assert_int_lt(clock_monotonic_ms() - began, patience(3000));
	/* And is passed over for a while. */
	began = clock_monotonic_ms();
	ck_assert_uint_eq(sign(), CKR_OK);
	ck_assert_int_lt(clock_monotonic_ms() - began, patience(500));
	close(listener);
}
END_TEST

struct remarked {
	unsigned facts, lacks, faults;
	char fault[256];
	size_t longest;
};

static void
take_remark(void *context, enum kms_remark remark, const char *server, const char *text)
{
	struct remarked *remarked = context;

	if (strlen(text) > remarked->longest)
		remarked->longest = strlen(text);
	ck_assert_int_eq(strncmp(server, "127.0.0.1:", 10), 0);
	remarked->facts += remark == KMS_FACT;
	remarked->lacks += remark == KMS_LACK;
	remarked->faults += remark == KMS_FAULT;
	if (remark == KMS_FAULT)
		snprintf(remarked->fault, sizeof remarked->fault, "%s", text);
}

START_TEST(reports_each_server)
{
	struct remarked remarked = { 0 };

	/* The fixture tells none of its operations. */
	ck_assert_uint_eq(kms_report(kms, soon(), take_remark, &remarked), CKR_OK);
	ck_assert_uint_eq(remarked.facts, 3);
	ck_assert_uint_eq(remarked.lacks, 9);
	ck_assert_uint_eq(remarked.faults, 0);
	/* Not all of the versions, when there are more than there can be. */
	kmip_fixture.versions = 10000;
	ck_assert_uint_eq(kms_report(kms, soon(), take_remark, &remarked), CKR_OK);
	ck_assert_uint_lt(remarked.longest, 256);
	kmip_fixture.versions = 0;
	remarked = (struct remarked){ 0 };
	prepend_server("127.0.0.1:1");
	reopen();
	ck_assert_uint_eq(kms_report(kms, soon(), take_remark, &remarked), CKR_OK);
	ck_assert_uint_eq(remarked.facts, 3);
	ck_assert_uint_eq(remarked.faults, 1);
	ck_assert_str_eq(remarked.fault, "does not answer: no connection: Connection refused");
	kmip_fixture.reasons[KMIP_QUERY] = KMIP_PERMISSION_DENIED;
	ck_assert_uint_eq(kms_report(kms, soon(), take_remark, &remarked), CKR_DEVICE_ERROR);
	ck_assert_uint_eq(remarked.facts, 3);
	ck_assert_uint_eq(remarked.faults, 3);
}
END_TEST

START_TEST(no_pin_is_needed)
{
	ck_assert(kms_logs_in_itself(kms));
	ck_assert_uint_eq(kms_login(kms, "whatever", 8, soon()), CKR_OK);
	ck_assert_uint_eq(kms_logout(kms, soon()), CKR_OK);
	generate("rsa-2048");
	ck_assert_uint_eq(kmip_fixture.connections, 1);
}
END_TEST

START_TEST(the_pin_opens_the_key)
{
	kmip_fixture_encrypt_key("open sesame");
	reopen();
	ck_assert(!kms_logs_in_itself(kms));
	ck_assert_uint_eq(kms_ping(kms, soon()), CKR_USER_NOT_LOGGED_IN);
	ck_assert_uint_eq(kms_login(kms, "open barley", 11, soon()), CKR_PIN_INCORRECT);
	ck_assert_uint_eq(kms_login(kms, "", 0, soon()), CKR_PIN_INCORRECT);
	ck_assert_uint_eq(kms_ping(kms, soon()), CKR_USER_NOT_LOGGED_IN);
	ck_assert_uint_eq(kmip_fixture.connections, 0);
	ck_assert_uint_eq(kms_login(kms, "open sesame", 11, soon()), CKR_OK);
	ck_assert_uint_eq(kms_ping(kms, soon()), CKR_OK);
	kmip_fixture_disconnect();
	ck_assert_uint_eq(kms_ping(kms, soon()), CKR_OK);
	ck_assert_uint_eq(kms_logout(kms, soon()), CKR_OK);
	ck_assert_uint_eq(kms_ping(kms, soon()), CKR_USER_NOT_LOGGED_IN);
	kmip_fixture_listen(false);
	ck_assert_uint_eq(kms_login(kms, "open sesame", 11, soon()), CKR_DEVICE_ERROR);
	kmip_fixture_listen(true);
}
END_TEST

START_TEST(the_pin_is_the_password)
{
	kmip_fixture.username = "job";
	kmip_fixture.password = "secret";
	ck_assert_uint_eq(kms_ping(kms, soon()), CKR_DEVICE_ERROR); /* the certificate is not enough */
	kmip_fixture.config.kmip_username = strdup("job");
	reopen();
	ck_assert(!kms_logs_in_itself(kms));
	ck_assert_uint_eq(kms_ping(kms, soon()), CKR_USER_NOT_LOGGED_IN);
	ck_assert_uint_eq(kms_login(kms, "wrong", 5, soon()), CKR_PIN_INCORRECT);
	ck_assert_uint_eq(kms_login(kms, "secret", 6, soon()), CKR_OK);
	generate("rsa-2048");
	/* Changed at the server: the PIN is tried once, and no more. */
	kmip_fixture.password = "changed";
	ck_assert_uint_eq(sign(), CKR_USER_NOT_LOGGED_IN);
	kmip_fixture.requests[KMIP_SIGN] = 0;
	kmip_fixture.password = "secret";
	ck_assert_uint_eq(sign(), CKR_USER_NOT_LOGGED_IN);
	ck_assert_uint_eq(kmip_fixture.requests[KMIP_SIGN], 0);
	ck_assert_uint_eq(kms_login(kms, "secret", 6, soon()), CKR_OK);
	ck_assert_uint_eq(sign(), CKR_OK);
}
END_TEST

START_TEST(files_that_change_are_read_again)
{
	ck_assert_uint_eq(kms_ping(kms, soon()), CKR_OK);
	ck_assert_uint_eq(kmip_fixture.connections, 1);
	usleep(20000);
	kmip_fixture_encrypt_key(NULL); /* the same again, in a new file */
	ck_assert_uint_eq(kms_ping(kms, soon()), CKR_OK);
	ck_assert_uint_eq(kmip_fixture.connections, 2);
	ck_assert_int_eq(unlink(kmip_fixture.config.tls_key), 0);
	ck_assert_uint_eq(kms_ping(kms, soon()), CKR_DEVICE_ERROR);
	kmip_fixture_encrypt_key(NULL);
	ck_assert_uint_eq(kms_ping(kms, soon()), CKR_OK);
}
END_TEST

START_TEST(a_child_has_connections_of_its_own)
{
	int status = 0;
	pid_t child;

	generate("rsa-2048");
	ck_assert_uint_eq(sign(), CKR_OK);
	child = fork();
	if (child == 0) {
		kms_forked(kms);
		/* Another program, in which valgrind looks for no leaks: the server's threads are not here. */
		execl(sign() == CKR_OK ? "/bin/true" : "/bin/false", "child", (char *)NULL);
		abort();
	}
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert(WIFEXITED(status));
	ck_assert_int_eq(WEXITSTATUS(status), 0);
	/* The parent's is as it was. */
	ck_assert_uint_eq(sign(), CKR_OK);
	ck_assert_uint_eq(kmip_fixture.connections, 2);
}
END_TEST

static void *
sign_often(void *argument)
{
	unsigned *failed = argument;

	for (int i = 0; i < 20; i++)
		*failed += sign() != CKR_OK;
	return NULL;
}

START_TEST(many_threads_sign)
{
	pthread_t threads[8];
	unsigned failed[8] = { 0 };

	generate("rsa-2048");
	for (size_t i = 0; i < 8; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, sign_often, &failed[i]), 0);
	for (size_t i = 0; i < 8; i++) {
		ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
		ck_assert_uint_eq(failed[i], 0);
	}
	ck_assert_uint_le(kmip_fixture.connections, 9);
}
END_TEST

START_TEST(a_bad_uri_is_refused)
{
	struct kms *bad = NULL;

	free(kmip_fixture.config.kms);
	kmip_fixture.config.kms = strdup("kmip://host/path");
	ck_assert_uint_eq(kms_new(&kmip_fixture.config, &bad), CKR_ARGUMENTS_BAD);
	ck_assert_ptr_null(bad);
}
END_TEST

Suite *
unit_suite(void)
{
	Suite *suite = suite_create("kmip");
	TCase *tests = tcase_create("kmip");

	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_set_timeout(tests, 60);
	tcase_add_test(tests, describes_what_the_server_does);
	tcase_add_test(tests, describes_a_server_that_hashes);
	tcase_add_test(tests, describes_an_older_server);
	tcase_add_test(tests, describes_what_is_missing);
	tcase_add_test(tests, a_version_that_is_too_old_is_refused);
	tcase_add_test(tests, makes_and_uses_an_rsa_pair);
	tcase_add_test(tests, makes_and_uses_an_ec_pair);
	tcase_add_test(tests, refuses_what_can_not_be_sent);
	tcase_add_test(tests, refusals_have_their_codes);
	tcase_add_test(tests, answers_about_other_objects_are_none);
	tcase_add_test(tests, pairs_that_the_server_does_not_make);
	tcase_add_test(tests, attributes_that_the_server_does_not_know_are_left_out);
	tcase_add_test(tests, an_identifier_that_is_no_longer_good_is_looked_for_again);
	tcase_add_test(tests, keys_that_are_not_there);
	tcase_add_test(tests, lists_keys_and_no_more);
	tcase_add_test(tests, surplus_ends_a_connection);
	tcase_add_test(tests, connections_of_another_login_are_not_kept);
	tcase_add_test(tests, connections_are_kept_and_resumed);
	tcase_add_test(tests, changes_are_not_made_twice);
	tcase_add_test(tests, a_server_that_is_gone_and_back);
	tcase_add_test(tests, another_server_takes_over);
	tcase_add_test(tests, a_mute_server_takes_a_part_of_the_deadline);
	tcase_add_test(tests, reports_each_server);
	tcase_add_test(tests, no_pin_is_needed);
	tcase_add_test(tests, the_pin_opens_the_key);
	tcase_add_test(tests, the_pin_is_the_password);
	tcase_add_test(tests, files_that_change_are_read_again);
	tcase_add_test(tests, a_child_has_connections_of_its_own);
	tcase_add_test(tests, many_threads_sign);
	tcase_add_test(tests, a_bad_uri_is_refused);
	suite_add_tcase(suite, tests);
	return suite;
}
