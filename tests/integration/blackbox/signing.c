/* SPDX-License-Identifier: Apache-2.0 */
#include "signing.h"

#include "blackbox.h"

#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/rsa.h>

static const struct signing table[] = {
	{ "RSA-PKCS", CKM_RSA_PKCS, SCHEME_PKCS1, NULL, NULL, 0 },
	{ "SHA1-RSA-PKCS", CKM_SHA1_RSA_PKCS, SCHEME_PKCS1, "SHA1", NULL, 0 },
	{ "SHA224-RSA-PKCS", CKM_SHA224_RSA_PKCS, SCHEME_PKCS1, "SHA224", NULL, 0 },
	{ "SHA256-RSA-PKCS", CKM_SHA256_RSA_PKCS, SCHEME_PKCS1, "SHA256", NULL, 0 },
	{ "SHA384-RSA-PKCS", CKM_SHA384_RSA_PKCS, SCHEME_PKCS1, "SHA384", NULL, 0 },
	{ "SHA512-RSA-PKCS", CKM_SHA512_RSA_PKCS, SCHEME_PKCS1, "SHA512", NULL, 0 },
	{ "RSA-PKCS-PSS/SHA256", CKM_RSA_PKCS_PSS, SCHEME_PSS, NULL, "SHA256", 32 },
	{ "RSA-PKCS-PSS/SHA384", CKM_RSA_PKCS_PSS, SCHEME_PSS, NULL, "SHA384", 48 },
	{ "RSA-PKCS-PSS/SHA512", CKM_RSA_PKCS_PSS, SCHEME_PSS, NULL, "SHA512", 64 },
	{ "RSA-PKCS-PSS/SHA256/salt 20", CKM_RSA_PKCS_PSS, SCHEME_PSS, NULL, "SHA256", 20 },
	{ "RSA-PKCS-PSS/SHA256/salt 0", CKM_RSA_PKCS_PSS, SCHEME_PSS, NULL, "SHA256", 0 },
	{ "SHA1-RSA-PKCS-PSS", CKM_SHA1_RSA_PKCS_PSS, SCHEME_PSS, "SHA1", "SHA1", 20 },
	{ "SHA224-RSA-PKCS-PSS", CKM_SHA224_RSA_PKCS_PSS, SCHEME_PSS, "SHA224", "SHA224", 28 },
	{ "SHA256-RSA-PKCS-PSS", CKM_SHA256_RSA_PKCS_PSS, SCHEME_PSS, "SHA256", "SHA256", 32 },
	{ "SHA384-RSA-PKCS-PSS", CKM_SHA384_RSA_PKCS_PSS, SCHEME_PSS, "SHA384", "SHA384", 48 },
	{ "SHA512-RSA-PKCS-PSS", CKM_SHA512_RSA_PKCS_PSS, SCHEME_PSS, "SHA512", "SHA512", 64 },
	{ "RSA-X-509", CKM_RSA_X_509, SCHEME_RAW_RSA, NULL, NULL, 0 },
	{ "ECDSA", CKM_ECDSA, SCHEME_ECDSA, NULL, NULL, 0 },
	{ "ECDSA-SHA1", CKM_ECDSA_SHA1, SCHEME_ECDSA, "SHA1", NULL, 0 },
	{ "ECDSA-SHA224", CKM_ECDSA_SHA224, SCHEME_ECDSA, "SHA224", NULL, 0 },
	{ "ECDSA-SHA256", CKM_ECDSA_SHA256, SCHEME_ECDSA, "SHA256", NULL, 0 },
	{ "ECDSA-SHA384", CKM_ECDSA_SHA384, SCHEME_ECDSA, "SHA384", NULL, 0 },
	{ "ECDSA-SHA512", CKM_ECDSA_SHA512, SCHEME_ECDSA, "SHA512", NULL, 0 },
	{ "EDDSA", CKM_EDDSA, SCHEME_EDDSA, NULL, NULL, 0 },
};

static const struct {
	const char *digest;
	CK_MECHANISM_TYPE hash;
	CK_RSA_PKCS_MGF_TYPE mgf;
} pss_hashes[] = {
	{ "SHA1", CKM_SHA_1, CKG_MGF1_SHA1 },     { "SHA224", CKM_SHA224, CKG_MGF1_SHA224 },
	{ "SHA256", CKM_SHA256, CKG_MGF1_SHA256 }, { "SHA384", CKM_SHA384, CKG_MGF1_SHA384 },
	{ "SHA512", CKM_SHA512, CKG_MGF1_SHA512 },
};

size_t
signing_count(void)
{
	return COUNT(table);
}

const struct signing *
signing_at(size_t index)
{
	return &table[index];
}

static CK_KEY_TYPE
key_type(const struct signing *signing)
{
	switch (signing->scheme) {
	case SCHEME_ECDSA:
		return CKK_EC;
	case SCHEME_EDDSA:
		return CKK_EC_EDWARDS;
	default:
		return CKK_RSA;
	}
}

bool
signing_applies(const struct signing *signing, enum pair_kind kind, CK_FLAGS flag)
{
	return pair_signs(kind) && pair_key_type(kind) == key_type(signing) &&
	       pair_offered(kind) && mechanism_offers(signing->type, flag);
}

bool
signing_multipart(const struct signing *signing)
{
	return signing->digest != NULL;
}

void
signing_mechanism(const struct signing *signing, struct signing_mechanism *ret_mechanism)
{
	memset(ret_mechanism, 0, sizeof(*ret_mechanism));
	ret_mechanism->mechanism.mechanism = signing->type;
	if (signing->scheme != SCHEME_PSS)
		return;
	for (size_t i = 0; i < COUNT(pss_hashes); i++) {
		if (strcmp(pss_hashes[i].digest, signing->pss_digest) == 0) {
			ret_mechanism->pss.hashAlg = pss_hashes[i].hash;
			ret_mechanism->pss.mgf = pss_hashes[i].mgf;
		}
	}
	ret_mechanism->pss.sLen = (CK_ULONG)signing->salt;
	ret_mechanism->mechanism.pParameter = &ret_mechanism->pss;
	ret_mechanism->mechanism.ulParameterLen = sizeof(ret_mechanism->pss);
}

static CK_ULONG
digest_message(const char *digest, unsigned char *ret_value)
{
	unsigned size = 0;

	ck_assert(EVP_Digest("what is signed", 14, ret_value, &size, EVP_get_digestbyname(digest),
	                     NULL));
	return size;
}

CK_ULONG
signing_message(const struct signing *signing, enum pair_kind kind, unsigned char *ret_message)
{
	/* DER of a DigestInfo for SHA-256, RFC 8017, section 9.2. */
	static const unsigned char digest_info[] = { 0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60,
		                                     0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02,
		                                     0x01, 0x05, 0x00, 0x04, 0x20 };
	CK_ULONG size = 777;

	for (size_t i = 0; i < MESSAGE_MAX; i++)
		ret_message[i] = (unsigned char)(i * 7 + 1);
	if (signing->digest)
		return size;
	switch (signing->scheme) {
	case SCHEME_PKCS1:
		memcpy(ret_message, digest_info, sizeof(digest_info));
		return sizeof(digest_info) +
		       digest_message("SHA256", ret_message + sizeof(digest_info));
	case SCHEME_PSS:
		return digest_message(signing->pss_digest, ret_message);
	case SCHEME_RAW_RSA:
		ret_message[0] = 0; /* less than any modulus */
		return pair_bits(kind) / 8;
	case SCHEME_ECDSA:
		return digest_message(pair_bits(kind) > 384   ? "SHA512"
		                      : pair_bits(kind) > 256 ? "SHA384"
		                                              : "SHA256",
		                      ret_message);
	default:
		return size;
	}
}

/* r and s, each of half the length (mechanisms 3.0, section 2.3.1), to OpenSSL's DER. Caller frees. */
static unsigned char *
ecdsa_der(const unsigned char *signature, size_t size, size_t *ret_size)
{
	ECDSA_SIG *parts = ECDSA_SIG_new();
	unsigned char *der = NULL;
	int der_size;

	ck_assert_uint_eq(size % 2, 0);
	ck_assert(ECDSA_SIG_set0(parts, BN_bin2bn(signature, (int)(size / 2), NULL),
	                         BN_bin2bn(signature + size / 2, (int)(size / 2), NULL)));
	der_size = i2d_ECDSA_SIG(parts, &der);
	ck_assert_int_gt(der_size, 0);
	ECDSA_SIG_free(parts);
	*ret_size = (size_t)der_size;
	return der;
}

static void
set_padding(const struct signing *signing, EVP_PKEY_CTX *context)
{
	switch (signing->scheme) {
	case SCHEME_PKCS1:
		ck_assert_int_gt(EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PADDING), 0);
		break;
	case SCHEME_RAW_RSA:
		ck_assert_int_gt(EVP_PKEY_CTX_set_rsa_padding(context, RSA_NO_PADDING), 0);
		break;
	case SCHEME_PSS:
		ck_assert_int_gt(EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PSS_PADDING), 0);
		ck_assert_int_gt(EVP_PKEY_CTX_set_rsa_pss_saltlen(context, signing->salt), 0);
		if (!signing->digest)
			ck_assert_int_gt(EVP_PKEY_CTX_set_signature_md(
						 context,
						 EVP_get_digestbyname(signing->pss_digest)),
			                 0);
		ck_assert_int_gt(
			EVP_PKEY_CTX_set_rsa_mgf1_md(context,
		                                     EVP_get_digestbyname(signing->pss_digest)),
			0);
		break;
	default:
		break;
	}
}

bool
signing_verify(const struct signing *signing, EVP_PKEY *key, const unsigned char *message,
               size_t message_size, const unsigned char *signature, size_t signature_size)
{
	unsigned char *der = NULL;
	EVP_MD_CTX *digesting = NULL;
	EVP_PKEY_CTX *context = NULL;
	bool valid;

	if (signing->scheme == SCHEME_ECDSA)
		signature = der = ecdsa_der(signature, signature_size, &signature_size);
	if (signing->digest || signing->scheme == SCHEME_EDDSA) {
		digesting = EVP_MD_CTX_new();
		ck_assert_int_gt(EVP_DigestVerifyInit_ex(digesting, &context, signing->digest, NULL,
		                                         NULL, key, NULL),
		                 0);
		set_padding(signing, context);
		valid = EVP_DigestVerify(digesting, signature, signature_size, message,
		                         message_size) == 1;
		EVP_MD_CTX_free(digesting);
	} else {
		context = EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL);
		ck_assert_int_gt(EVP_PKEY_verify_init(context), 0);
		set_padding(signing, context);
		valid = EVP_PKEY_verify(context, signature, signature_size, message,
		                        message_size) == 1;
		EVP_PKEY_CTX_free(context);
	}
	OPENSSL_free(der);
	ERR_clear_error();
	return valid;
}
