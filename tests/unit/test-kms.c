/* SPDX-License-Identifier: Apache-2.0 */
/* What a kms can do while all is well. */
#include "kms-fixture.h"

#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <string.h>

#define RSA_SIZE 256

static EVP_PKEY *
load(const struct buffer *spki)
{
	const unsigned char *data = spki->data;
	EVP_PKEY *key;

	key = d2i_PUBKEY(NULL, &data, (long)spki->size);
	ck_assert_ptr_nonnull(key);
	ck_assert(data == spki->data + spki->size);
	return key;
}

START_TEST(refuses_a_uri)
{
	static const char *const bad[] = {
		"nonsense",
		"pkcs11:token=unit",
		"pkcs11:token=unit?module-path=softhsm.so",
		"pkcs11:token=unit?module-path=/x.so&pin-value=1234",
		"pkcs11:token=unit?module-path=/x.so&pin-source=file:/pin",
		"pkcs11:token=unit;object=key?module-path=/x.so",
		"pkcs11:token=unit;colour=red?module-path=/x.so",
	};
	struct config_token config = kms_config;
	struct kms *none = NULL;

	config.kms = (char *)bad[_i];
	ck_assert_uint_eq(kms_new(&config, &none), CKR_ARGUMENTS_BAD);
	ck_assert_ptr_null(none);
}
END_TEST

START_TEST(refuses_no_uri)
{
	struct config_token config = kms_config;
	struct kms *none = NULL;

	config.kms = NULL;
	ck_assert_uint_eq(kms_new(&config, &none), CKR_ARGUMENTS_BAD);
}
END_TEST

START_TEST(opens_nothing_before_the_first_call)
{
	CK_INFO info;

	ck_assert_uint_eq(softhsm_functions()->C_GetInfo(&info), CKR_CRYPTOKI_NOT_INITIALIZED);
	ck_assert_uint_eq(kms_ping(kms, soon()), CKR_OK);
	ck_assert_uint_eq(softhsm_functions()->C_GetInfo(&info), CKR_OK);
	kms_free(&kms);
	ck_assert_uint_eq(softhsm_functions()->C_GetInfo(&info), CKR_CRYPTOKI_NOT_INITIALIZED);
}
END_TEST

static bool
offers(const struct kms_description *description, CK_MECHANISM_TYPE mechanism)
{
	size_t i;

	for (i = 0; i < description->primitive_count; i++)
		if (description->primitives[i] == mechanism)
			return true;
	return false;
}

START_TEST(describes_itself_without_login)
{
	struct kms_description description;

	kms_reopen(false);
	ck_assert_uint_eq(kms_describe(kms, soon(), &description), CKR_OK);
	ck_assert_str_eq(description.manufacturer, "SoftHSM project");
	ck_assert_str_eq(description.model, "SoftHSM v2");
	ck_assert_uint_eq(strlen(description.serial), 16);
	ck_assert(offers(&description, CKM_RSA_PKCS));
	ck_assert(offers(&description, CKM_RSA_X_509));
	ck_assert(offers(&description, CKM_RSA_PKCS_OAEP));
	ck_assert(offers(&description, CKM_ECDSA));
	ck_assert(offers(&description, CKM_ECDH1_DERIVE));
	ck_assert(offers(&description, CKM_RSA_PKCS_KEY_PAIR_GEN));
	ck_assert(offers(&description, CKM_EC_KEY_PAIR_GEN));
	ck_assert(!offers(&description, CKM_SHA256_RSA_PKCS));
	kms_description_clear(&description);
	ck_assert_ptr_null(description.primitives);
}
END_TEST

START_TEST(makes_pairs_and_reads_their_public_half)
{
	struct buffer made = BUFFER_INIT, read = BUFFER_INIT;
	const struct algorithm *algorithm = algorithm_at((size_t)_i);
	EVP_PKEY *key;

	/* SoftHSM takes seconds for the larger ones. */
	if (algorithm->key_type == CKK_RSA && algorithm->bits > 2048)
		return;
	ck_assert_uint_eq(kms_try_generate(algorithm->name, &made), CKR_OK);
	key = load(&made);
	ck_assert_int_eq(EVP_PKEY_is_a(key, algorithm->group == NULL ? "RSA" :
	                               algorithm->key_type == CKK_EC ? "EC" :
	                                                               algorithm->group),
	                 1);
	/* OpenSSL counts 256 bits of Ed25519, and 253 of X25519. */
	ck_assert_int_eq(EVP_PKEY_get_bits(key), algorithm->key_type == CKK_EC_EDWARDS    ? 256 :
	                                         algorithm->key_type == CKK_EC_MONTGOMERY ? 253 :
	                                                                    (int)algorithm->bits);
	EVP_PKEY_free(key);
	ck_assert_uint_eq(kms_public_key(kms, kms_id, KMS_ID_SIZE, soon(), &read), CKR_OK);
	ck_assert(buffer_equal(&read, made.data, made.size));
	ck_assert_uint_eq(kms_check_private(kms, kms_id, KMS_ID_SIZE, soon()), CKR_OK);
	ck_assert_uint_eq(kms_check_private(kms, "none", 4, soon()), CKR_KEY_HANDLE_INVALID);
	buffer_clear(&made);
	buffer_clear(&read);
}
END_TEST

START_TEST(refuses_an_algorithm_the_hsm_does_not_have)
{
	static const unsigned char gibberish[] = { 0x06, 0x03, 0x2a, 0x03, 0x04 };
	struct algorithm algorithm = *algorithm_by_name("rsa-2048");
	struct kms_pair pair = {
		.algorithm = &algorithm, .id = kms_id, .id_size = KMS_ID_SIZE, .label = "x@1",
		.decrypt = true, .sign = true, .unwrap = true,
	};
	struct buffer spki = BUFFER_INIT;

	algorithm.bits = 32768;
	ck_assert_uint_eq(kms_generate_pair(kms, &pair, soon(), &spki), CKR_KEY_SIZE_RANGE);
	algorithm.generate = CKM_VENDOR_DEFINED;
	ck_assert_uint_eq(kms_generate_pair(kms, &pair, soon(), &spki), CKR_MECHANISM_INVALID);
	algorithm = *algorithm_by_name("p-256");
	algorithm.ec_params = gibberish;
	algorithm.ec_params_size = sizeof gibberish;
	ck_assert_uint_ne(kms_generate_pair(kms, &pair, soon(), &spki), CKR_OK);
	ck_assert_uint_eq(spki.size, 0);
	/* None of this is a failure of the HSM. */
	ck_assert_uint_eq(kms_ping(kms, soon()), CKR_OK);
}
END_TEST

START_TEST(makes_the_private_half_sealed)
{
	CK_FUNCTION_LIST *functions;
	CK_BBOOL token = 0, private = 0, sensitive = 0, extractable = 1, sign = 0, decrypt = 1;
	CK_OBJECT_CLASS class = CKO_PRIVATE_KEY;
	CK_ATTRIBUTE search = { CKA_CLASS, &class, sizeof class };
	CK_ATTRIBUTE template[] = {
		{ CKA_TOKEN, &token, 1 },         { CKA_PRIVATE, &private, 1 },
		{ CKA_SENSITIVE, &sensitive, 1 }, { CKA_EXTRACTABLE, &extractable, 1 },
		{ CKA_SIGN, &sign, 1 },           { CKA_DECRYPT, &decrypt, 1 },
	};
	CK_SESSION_HANDLE session;
	CK_OBJECT_HANDLE object;
	CK_ULONG count;

	kms_generate("p-256");
	functions = softhsm_functions();
	/* The login is the program's, and so ours too. */
	ck_assert_uint_eq(functions->C_OpenSession(softhsm_slot(SOFTHSM_LABEL), CKF_SERIAL_SESSION,
	                                           NULL, NULL, &session),
	                  CKR_OK);
	ck_assert_uint_eq(functions->C_FindObjectsInit(session, &search, 1), CKR_OK);
	ck_assert_uint_eq(functions->C_FindObjects(session, &object, 1, &count), CKR_OK);
	ck_assert_uint_eq(count, 1);
	ck_assert_uint_eq(functions->C_GetAttributeValue(session, object, template, 6), CKR_OK);
	ck_assert(token && private && sensitive && !extractable && sign && !decrypt);
	ck_assert_uint_eq(functions->C_CloseSession(session), CKR_OK);
}
END_TEST

START_TEST(signs_with_rsa)
{
	/* DigestInfo of SHA-256: RFC 8017, section 9.2, note 1. */
	static const unsigned char info[] = { 0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60,
		                              0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02,
		                              0x01, 0x05, 0x00, 0x04, 0x20 };
	CK_MECHANISM mechanism = { CKM_RSA_PKCS, NULL, 0 };
	unsigned char data[sizeof info + 32], signature[RSA_SIZE];
	struct kms_key key = KMS_KEY;
	struct buffer spki = BUFFER_INIT;
	size_t size = sizeof signature;
	EVP_PKEY_CTX *context;
	EVP_PKEY *public;

	ck_assert_uint_eq(kms_try_generate("rsa-2048", &spki), CKR_OK);
	memcpy(data, info, sizeof info);
	memset(data + sizeof info, 7, 32);
	ck_assert_uint_eq(kms_sign(kms, &key, &mechanism, data, sizeof data, soon(), signature,
	                           &size),
	                  CKR_OK);
	ck_assert_uint_eq(size, sizeof signature);
	public = load(&spki);
	context = EVP_PKEY_CTX_new(public, NULL);
	ck_assert_int_eq(EVP_PKEY_verify_init(context), 1);
	ck_assert_int_eq(EVP_PKEY_CTX_set_signature_md(context, EVP_sha256()), 1);
	ck_assert_int_eq(EVP_PKEY_verify(context, signature, size, data + sizeof info, 32), 1);
	EVP_PKEY_CTX_free(context);
	EVP_PKEY_free(public);
	buffer_clear(&spki);
}
END_TEST

START_TEST(signing_reports_what_the_caller_did_wrong)
{
	CK_MECHANISM mechanism = { CKM_RSA_PKCS, NULL, 0 };
	CK_RSA_PKCS_PSS_PARAMS wrong = { CKM_SHA256, CKG_MGF1_SHA1, 1000000 };
	struct kms_key key = KMS_KEY, missing = { kms_id, 1, 0, false };
	unsigned char data[RSA_SIZE] = { 0 }, signature[RSA_SIZE];
	size_t size = sizeof signature;
	int i;

	kms_generate("rsa-2048");
	ck_assert_uint_eq(kms_sign(kms, &missing, &mechanism, data, 32, soon(), signature, &size),
	                  CKR_KEY_HANDLE_INVALID);
	/* SoftHSM says CKR_GENERAL_ERROR; that often would open the breaker if it were counted. */
	for (i = 0; i < 4; i++)
		ck_assert_uint_eq(kms_sign(kms, &key, &mechanism, data, sizeof data, soon(),
		                           signature, &size),
		                  CKR_DEVICE_ERROR);
	ck_assert_uint_eq(kms_device_error(kms), CKR_GENERAL_ERROR);
	size = 10;
	ck_assert_uint_eq(kms_sign(kms, &key, &mechanism, data, 32, soon(), signature, &size),
	                  CKR_BUFFER_TOO_SMALL);
	size = sizeof signature;
	mechanism.mechanism = CKM_VENDOR_DEFINED;
	ck_assert_uint_eq(kms_sign(kms, &key, &mechanism, data, 32, soon(), signature, &size),
	                  CKR_MECHANISM_INVALID);
	mechanism.mechanism = CKM_RSA_PKCS_PSS;
	mechanism.pParameter = &wrong;
	mechanism.ulParameterLen = sizeof wrong;
	ck_assert_uint_ne(kms_sign(kms, &key, &mechanism, data, 32, soon(), signature, &size),
	                  CKR_OK);
	/* The session is fit for use after each of these. */
	mechanism.mechanism = CKM_RSA_PKCS;
	mechanism.pParameter = NULL;
	mechanism.ulParameterLen = 0;
	ck_assert_uint_eq(kms_sign(kms, &key, &mechanism, data, 32, soon(), signature, &size),
	                  CKR_OK);
}
END_TEST

static CK_RV
try_decrypt(const unsigned char *data, size_t size, struct secret **ret_plaintext)
{
	CK_RSA_PKCS_OAEP_PARAMS oaep = { CKM_SHA_1, CKG_MGF1_SHA1, CKZ_DATA_SPECIFIED, NULL, 0 };
	CK_MECHANISM mechanism = { CKM_RSA_PKCS_OAEP, &oaep, sizeof oaep };
	struct kms_key key = KMS_KEY;

	return kms_decrypt(kms, &key, &mechanism, data, size, soon(), ret_plaintext);
}

static void
encrypt_oaep(const struct buffer *spki, const char *text, unsigned char *ret_data)
{
	EVP_PKEY *public = load(spki);
	EVP_PKEY_CTX *context = EVP_PKEY_CTX_new(public, NULL);
	size_t size = RSA_SIZE;

	ck_assert_int_eq(EVP_PKEY_encrypt_init(context), 1);
	ck_assert_int_eq(EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_OAEP_PADDING), 1);
	ck_assert_int_eq(EVP_PKEY_encrypt(context, ret_data, &size, (const unsigned char *)text,
	                                  strlen(text)),
	                 1);
	EVP_PKEY_CTX_free(context);
	EVP_PKEY_free(public);
}

START_TEST(decrypts)
{
	unsigned char data[RSA_SIZE];
	struct buffer spki = BUFFER_INIT;
	struct secret *plaintext = NULL;

	ck_assert_uint_eq(kms_try_generate("rsa-2048", &spki), CKR_OK);
	encrypt_oaep(&spki, "a data key", data);
	ck_assert_uint_eq(try_decrypt(data, sizeof data, &plaintext), CKR_OK);
	ck_assert_uint_eq(secret_size(plaintext), 10);
	ck_assert(secret_equal(plaintext, "a data key", 10));
	secret_free(&plaintext);
	buffer_clear(&spki);
}
END_TEST

START_TEST(gives_one_code_for_every_bad_ciphertext)
{
	unsigned char data[RSA_SIZE + 1];
	struct buffer spki = BUFFER_INIT;
	struct secret *plaintext = NULL;
	int i;

	ck_assert_uint_eq(kms_try_generate("rsa-2048", &spki), CKR_OK);
	for (i = 0; i < 3; i++) {
		encrypt_oaep(&spki, "a data key", data);
		data[100] ^= 1; /* does not unpad */
		ck_assert_uint_eq(try_decrypt(data, RSA_SIZE, &plaintext),
		                  CKR_ENCRYPTED_DATA_INVALID);
		ck_assert_uint_eq(try_decrypt(data, RSA_SIZE - 1, &plaintext), /* too short */
		                  CKR_ENCRYPTED_DATA_INVALID);
		ck_assert_uint_eq(try_decrypt(data, RSA_SIZE + 1, &plaintext), /* too long */
		                  CKR_ENCRYPTED_DATA_INVALID);
		memset(data, 0xff, sizeof data); /* larger than the modulus */
		ck_assert_uint_eq(try_decrypt(data, RSA_SIZE, &plaintext),
		                  CKR_ENCRYPTED_DATA_INVALID);
	}
	ck_assert_ptr_null(plaintext);
	/* That many did not open the breaker. */
	encrypt_oaep(&spki, "a data key", data);
	ck_assert_uint_eq(try_decrypt(data, RSA_SIZE, &plaintext), CKR_OK);
	secret_free(&plaintext);
	buffer_clear(&spki);
}
END_TEST

struct seen {
	unsigned count;
	CK_RV answer;
};

static CK_RV
see(void *context, const void *id, size_t id_size, const char *label, CK_KEY_TYPE type)
{
	struct buffer spki = BUFFER_INIT;
	struct seen *seen = context;

	seen->count++;
	ck_assert_uint_eq(id_size, KMS_ID_SIZE);
	ck_assert_mem_eq(id, kms_id, id_size);
	ck_assert_str_eq(label, "unit@1");
	ck_assert_uint_eq(type, CKK_EC);
	/* It may call the kms. */
	ck_assert_uint_eq(kms_public_key(kms, id, id_size, soon(), &spki), CKR_OK);
	buffer_clear(&spki);
	return seen->answer;
}

START_TEST(walks)
{
	struct seen seen = { 0, CKR_OK };
	int i;

	ck_assert_uint_eq(kms_walk(kms, soon(), see, &seen), CKR_OK);
	ck_assert_uint_eq(seen.count, 0);
	for (i = 0; i < 150; i++)
		kms_generate("p-256");
	ck_assert_uint_eq(kms_walk(kms, soon(), see, &seen), CKR_OK);
	ck_assert_uint_eq(seen.count, 150);
	seen.answer = CKR_CANCEL;
	ck_assert_uint_eq(kms_walk(kms, soon(), see, &seen), CKR_CANCEL);
	ck_assert_uint_eq(seen.count, 151);
}
END_TEST

START_TEST(destroys)
{
	struct kms_key key = KMS_KEY;
	struct buffer spki = BUFFER_INIT;

	kms_generate("p-256");
	ck_assert_uint_eq(sign_p256(kms, &key), CKR_OK);
	ck_assert_uint_eq(kms_destroy_pair(kms, kms_id, KMS_ID_SIZE, soon()), CKR_OK);
	ck_assert_uint_eq(sign_p256(kms, &key), CKR_KEY_HANDLE_INVALID);
	ck_assert_uint_eq(kms_public_key(kms, kms_id, KMS_ID_SIZE, soon(), &spki),
	                  CKR_KEY_HANDLE_INVALID);
	ck_assert_uint_eq(kms_destroy_pair(kms, kms_id, KMS_ID_SIZE, soon()), CKR_OK);
}
END_TEST

Suite *
unit_suite(void)
{
	Suite *suite = suite_create("kms");
	TCase *tcase = tcase_create("hsm");

	tcase_add_checked_fixture(tcase, kms_setup, kms_teardown);
	tcase_set_timeout(tcase, 60);
	tcase_add_loop_test(tcase, refuses_a_uri, 0, 7);
	tcase_add_test(tcase, refuses_no_uri);
	tcase_add_test(tcase, opens_nothing_before_the_first_call);
	tcase_add_test(tcase, describes_itself_without_login);
	tcase_add_loop_test(tcase, makes_pairs_and_reads_their_public_half, 0, 7);
	tcase_add_test(tcase, refuses_an_algorithm_the_hsm_does_not_have);
	tcase_add_test(tcase, makes_the_private_half_sealed);
	tcase_add_test(tcase, signs_with_rsa);
	tcase_add_test(tcase, signing_reports_what_the_caller_did_wrong);
	tcase_add_test(tcase, decrypts);
	tcase_add_test(tcase, gives_one_code_for_every_bad_ciphertext);
	tcase_add_test(tcase, walks);
	tcase_add_test(tcase, destroys);
	suite_add_tcase(suite, tcase);
	return suite;
}
