/* SPDX-License-Identifier: Apache-2.0 */
#include "encryption.h"

#include "blackbox.h"

#include <openssl/rsa.h>

static const struct encryption table[] = {
	{ "RSA-PKCS", CKM_RSA_PKCS, NULL, NULL, NULL },
	{ "RSA-PKCS-OAEP/SHA1", CKM_RSA_PKCS_OAEP, "SHA1", "SHA1", NULL },
	{ "RSA-PKCS-OAEP/SHA224", CKM_RSA_PKCS_OAEP, "SHA224", "SHA224", NULL },
	{ "RSA-PKCS-OAEP/SHA256", CKM_RSA_PKCS_OAEP, "SHA256", "SHA256", NULL },
	{ "RSA-PKCS-OAEP/SHA384", CKM_RSA_PKCS_OAEP, "SHA384", "SHA384", NULL },
	{ "RSA-PKCS-OAEP/SHA512", CKM_RSA_PKCS_OAEP, "SHA512", "SHA512", NULL },
	{ "RSA-PKCS-OAEP/SHA256/label", CKM_RSA_PKCS_OAEP, "SHA256", "SHA256", "a label" },
	{ "RSA-PKCS-OAEP/SHA1/label", CKM_RSA_PKCS_OAEP, "SHA1", "SHA1", "a label" },
	{ "RSA-PKCS-OAEP/SHA256/MGF1-SHA1", CKM_RSA_PKCS_OAEP, "SHA256", "SHA1", NULL },
	{ "RSA-X-509", CKM_RSA_X_509, NULL, NULL, NULL },
};

static const struct {
	const char *digest;
	CK_MECHANISM_TYPE hash;
	CK_RSA_PKCS_MGF_TYPE mgf;
} hashes[] = {
	{ "SHA1", CKM_SHA_1, CKG_MGF1_SHA1 },     { "SHA224", CKM_SHA224, CKG_MGF1_SHA224 },
	{ "SHA256", CKM_SHA256, CKG_MGF1_SHA256 }, { "SHA384", CKM_SHA384, CKG_MGF1_SHA384 },
	{ "SHA512", CKM_SHA512, CKG_MGF1_SHA512 },
};

size_t
encryption_count(void)
{
	return COUNT(table);
}

const struct encryption *
encryption_at(size_t index)
{
	return &table[index];
}

void
encryption_mechanism(const struct encryption *encryption,
                     struct encryption_mechanism *ret_mechanism)
{
	memset(ret_mechanism, 0, sizeof(*ret_mechanism));
	ret_mechanism->mechanism.mechanism = encryption->type;
	if (encryption->type != CKM_RSA_PKCS_OAEP)
		return;
	for (size_t i = 0; i < COUNT(hashes); i++) {
		if (strcmp(hashes[i].digest, encryption->digest) == 0)
			ret_mechanism->oaep.hashAlg = hashes[i].hash;
		if (strcmp(hashes[i].digest, encryption->mgf_digest) == 0)
			ret_mechanism->oaep.mgf = hashes[i].mgf;
	}
	ret_mechanism->oaep.source = CKZ_DATA_SPECIFIED;
	if (encryption->label) {
		ret_mechanism->oaep.pSourceData = (CK_VOID_PTR)encryption->label;
		ret_mechanism->oaep.ulSourceDataLen = strlen(encryption->label);
	}
	ret_mechanism->mechanism.pParameter = &ret_mechanism->oaep;
	ret_mechanism->mechanism.ulParameterLen = sizeof(ret_mechanism->oaep);
}

CK_ULONG
encryption_input_max(const struct encryption *encryption, CK_ULONG key_size)
{
	switch (encryption->type) {
	case CKM_RSA_PKCS:
		return key_size - 11;
	case CKM_RSA_X_509:
		return key_size;
	default: /* RFC 8017, section 7.1.1 */
		return key_size - 2 -
		       2 * (CK_ULONG)EVP_MD_get_size(EVP_get_digestbyname(encryption->digest));
	}
}

CK_ULONG
encryption_encrypt(const struct encryption *encryption, EVP_PKEY *key, const unsigned char *data,
                   size_t size, unsigned char *ret_ciphertext)
{
	EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL);
	int padding = encryption->type == CKM_RSA_PKCS    ? RSA_PKCS1_PADDING
	              : encryption->type == CKM_RSA_X_509 ? RSA_NO_PADDING
	                                                  : RSA_PKCS1_OAEP_PADDING;
	size_t ciphertext_size = CIPHERTEXT_MAX;

	ck_assert_int_gt(EVP_PKEY_encrypt_init(context), 0);
	ck_assert_int_gt(EVP_PKEY_CTX_set_rsa_padding(context, padding), 0);
	if (encryption->digest) {
		ck_assert_int_gt(EVP_PKEY_CTX_set_rsa_oaep_md(
					 context, EVP_get_digestbyname(encryption->digest)),
		                 0);
		ck_assert_int_gt(EVP_PKEY_CTX_set_rsa_mgf1_md(
					 context, EVP_get_digestbyname(encryption->mgf_digest)),
		                 0);
	}
	if (encryption->label)
		ck_assert_int_gt(EVP_PKEY_CTX_set0_rsa_oaep_label(
					 context, OPENSSL_strdup(encryption->label),
					 (int)strlen(encryption->label)),
		                 0);
	ck_assert_int_gt(EVP_PKEY_encrypt(context, ret_ciphertext, &ciphertext_size, data, size),
	                 0);
	EVP_PKEY_CTX_free(context);
	return ciphertext_size;
}
