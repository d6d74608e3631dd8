/* SPDX-License-Identifier: Apache-2.0 */
#include "kmip-calls.h"

#include "unit.h"

#include <openssl/rsa.h>

#include <stdlib.h>

struct kms *kms;
struct buffer spki;

const unsigned char id[ID_SIZE] = { 0x0a, 0x0b, 0x0c };

int64_t
patience(int64_t milliseconds)
{
	const char *multiplier = getenv("CK_TIMEOUT_MULTIPLIER");

	return multiplier == NULL ? milliseconds : milliseconds * atoi(multiplier);
}

struct deadline
soon(void)
{
	return deadline_in(patience(3000));
}

void
reopen(void)
{
	kms_free(&kms);
	ck_assert_uint_eq(kms_new(&kmip_fixture.config, &kms), CKR_OK);
}

void
setup(void)
{
	spki = (struct buffer)BUFFER_INIT;
	kmip_fixture_start();
	ck_assert_uint_eq(kms_new(&kmip_fixture.config, &kms), CKR_OK);
}

void
teardown(void)
{
	buffer_clear(&spki);
	kms_free(&kms);
	ck_assert_uint_eq(kmip_fixture.private_gets, 0);
	kmip_fixture_stop();
}

CK_RV
try_generate(const char *algorithm)
{
	struct kms_pair pair = {
		.algorithm = algorithm_by_name(algorithm), .id = id, .id_size = sizeof id,
		.label = "job@1", .decrypt = true, .sign = true,
	};

	return kms_generate_pair(kms, &pair, soon(), &spki);
}

void
generate(const char *algorithm)
{
	ck_assert_uint_eq(try_generate(algorithm), CKR_OK);
}

const unsigned char digest_info[DIGEST_INFO_SIZE] = {
	0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01,
	0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x20,
};

CK_RV
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

CK_RV
sign(void)
{
	struct kms_key key = KEY;

	return sign_with(&key, CKM_RSA_PKCS, NULL, 0, digest_info, sizeof digest_info);
}

CK_RV
decrypt_with(CK_MECHANISM_TYPE hash, CK_RSA_PKCS_MGF_TYPE mgf, const void *data, size_t size,
             struct secret **ret_plaintext)
{
	CK_RSA_PKCS_OAEP_PARAMS oaep = { hash, mgf, CKZ_DATA_SPECIFIED, NULL, 0 };
	CK_MECHANISM mechanism = { CKM_RSA_PKCS_OAEP, &oaep, sizeof oaep };
	struct kms_key key = KEY;

	return kms_decrypt(kms, &key, &mechanism, data, size, soon(), ret_plaintext);
}

size_t
encrypt_oaep(const EVP_MD *hash, const void *data, size_t size, unsigned char *ret_ciphertext)
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

void
describe(struct kms_description *ret_description)
{
	ck_assert_uint_eq(kms_describe(kms, soon(), ret_description), CKR_OK);
}
