/* SPDX-License-Identifier: Apache-2.0 */
#include "mechanism/rsa.h"

#include "base/openssl.h"
#include "mechanism/public-key-private.h"

#include <openssl/asn1.h>
#include <openssl/crypto.h>
#include <openssl/objects.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <string.h>

#define BLOCK_SIZE_MAX 2048 /* RSA of 16384 bits */

/* What OpenSSL is to do with the key. */
enum operation { OPERATION_ENCRYPT = 1, OPERATION_VERIFY, OPERATION_RAW };

CK_MECHANISM_TYPE
rsa_mgf_digest(CK_RSA_PKCS_MGF_TYPE mgf)
{
	switch (mgf) {
	case CKG_MGF1_SHA1:
		return CKM_SHA_1;
	case CKG_MGF1_SHA224:
		return CKM_SHA224;
	case CKG_MGF1_SHA256:
		return CKM_SHA256;
	case CKG_MGF1_SHA384:
		return CKM_SHA384;
	case CKG_MGF1_SHA512:
		return CKM_SHA512;
	default:
		return 0;
	}
}

/* PKCS#11 mechanisms 3.0, sections 2.1.6 to 2.1.9. */
bool
rsa_input_max(const struct mechanism_use *use, const struct public_key *key, size_t *ret_size)
{
	size_t taken, size = public_key_signature_size(key);

	switch (use->mechanism->padding) {
	case PADDING_RSA_OAEP:
		taken = 2 * digest_size(use->digest) + 2;
		break;
	case PADDING_RSA_PKCS:
		taken = 11;
		break;
	case PADDING_RSA_RAW:
		taken = 0;
		break;
	default:
		return false;
	}
	if (taken > size)
		return false;
	*ret_size = size - taken;
	return true;
}

/* RFC 8017, section 9.1.1: emLen is ceil((modBits - 1) / 8). */
bool
rsa_salt_max(CK_MECHANISM_TYPE digest, const struct public_key *key, size_t *ret_size)
{
	size_t encoded = (public_key_bits(key) - 1 + 7) / 8, taken = digest_size(digest) + 2;

	if (taken > encoded)
		return false;
	*ret_size = encoded - taken;
	return true;
}

/* Names a set-up for the store. A label is seldom and would have to be taken off again: not kept. */
static uint64_t
use_name(const struct mechanism_use *use, enum operation operation)
{
	if (operation == OPERATION_RAW)
		return (uint64_t)OPERATION_RAW << 60;
	if (use->label.size > 0)
		return 0;
	return (uint64_t)operation << 60 | (uint64_t)use->mechanism->padding << 56 |
	       (uint64_t)(use->digest & 0xffff) << 32 | (uint64_t)(use->mgf & 0xff) << 24 |
	       (uint64_t)(use->salt_size & 0xffffff);
}

static bool
set_oaep(EVP_PKEY_CTX *context, const struct mechanism_use *use)
{
	const EVP_MD *mgf = openssl_digest(rsa_mgf_digest(use->mgf));
	unsigned char *label;

	if (EVP_PKEY_CTX_set_rsa_oaep_md(context, openssl_digest(use->digest)) != 1 ||
	    EVP_PKEY_CTX_set_rsa_mgf1_md(context, mgf) != 1)
		return false;
	if (use->label.size == 0)
		return true;
	label = OPENSSL_memdup(use->label.data, use->label.size);
	if (label == NULL)
		return false;
	if (EVP_PKEY_CTX_set0_rsa_oaep_label(context, label, (int)use->label.size) != 1) {
		OPENSSL_free(label);
		return false;
	}
	return true;
}

static bool
set_pss(EVP_PKEY_CTX *context, const struct mechanism_use *use)
{
	const EVP_MD *mgf = openssl_digest(rsa_mgf_digest(use->mgf));

	return EVP_PKEY_CTX_set_rsa_mgf1_md(context, mgf) == 1 &&
	       EVP_PKEY_CTX_set_rsa_pss_saltlen(context, (int)use->salt_size) == 1;
}

static bool
set_up(EVP_PKEY_CTX *context, const struct mechanism_use *use, enum operation operation)
{
	enum padding padding = use->mechanism->padding;

	if (operation == OPERATION_RAW)
		return EVP_PKEY_encrypt_init(context) == 1 &&
		       EVP_PKEY_CTX_set_rsa_padding(context, RSA_NO_PADDING) == 1;
	if (operation == OPERATION_ENCRYPT && padding == PADDING_RSA_OAEP)
		return EVP_PKEY_encrypt_init(context) == 1 &&
		       EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_OAEP_PADDING) == 1 &&
		       set_oaep(context, use);
	if (operation == OPERATION_ENCRYPT)
		return EVP_PKEY_encrypt_init(context) == 1 &&
		       EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PADDING) == 1;
	if (EVP_PKEY_verify_init(context) != 1 ||
	    EVP_PKEY_CTX_set_rsa_padding(context, padding == PADDING_RSA_PSS
	                                                  ? RSA_PKCS1_PSS_PADDING
	                                                  : RSA_PKCS1_PADDING) != 1 ||
	    EVP_PKEY_CTX_set_signature_md(context, openssl_digest(use->digest)) != 1)
		return false;
	return padding != PADDING_RSA_PSS || set_pss(context, use);
}

/* A context from the key's store, or a new one. */
static CK_RV
borrow(const struct mechanism_use *use, struct public_key *key, enum operation operation,
       struct prepared **ret_prepared)
{
	uint64_t name = use_name(use, operation);
	EVP_PKEY_CTX *context;

	*ret_prepared = name == 0 ? NULL : prepared_take(&key->prepared, name);
	if (*ret_prepared != NULL)
		return CKR_OK;
	context = EVP_PKEY_CTX_new_from_pkey(openssl_context(), key->evp, NULL);
	if (context == NULL)
		return openssl_failure(CKR_HOST_MEMORY);
	if (!set_up(context, use, operation)) {
		EVP_PKEY_CTX_free(context);
		return openssl_failure(CKR_FUNCTION_FAILED);
	}
	return prepared_new(name, context, ret_prepared);
}

static CK_RV
encrypt(const struct mechanism_use *use, struct public_key *key, enum operation operation,
        const void *data, size_t data_size, unsigned char *ret_data)
{
	size_t size = key->signature_size;
	struct prepared *prepared;
	CK_RV rv = borrow(use, key, operation, &prepared);

	if (rv != CKR_OK)
		return rv;
	if (EVP_PKEY_encrypt(prepared->context, ret_data, &size, data, data_size) != 1) {
		prepared_free(&prepared);
		return openssl_failure(CKR_FUNCTION_FAILED);
	}
	prepared_put(&key->prepared, &prepared);
	return CKR_OK;
}

/* A block as long as the modulus: zeros, then data; its number must be below the modulus. */
static CK_RV
raw_block(const struct public_key *key, const void *data, size_t data_size, unsigned char *block)
{
	size_t size = key->signature_size;

	if (data_size > size)
		return CKR_DATA_LEN_RANGE;
	memset(block, 0, size - data_size);
	if (data_size > 0)
		memcpy(block + size - data_size, data, data_size);
	if (memcmp(block, key->parts.modulus.data, size) >= 0) {
		OPENSSL_cleanse(block, size);
		return CKR_DATA_INVALID;
	}
	return CKR_OK;
}

/* EMSA-PKCS1-v1_5 (RFC 8017, section 9.2, steps 3 to 5) around what the caller gave. */
static CK_RV
signature_block(const struct public_key *key, const void *data, size_t data_size,
                unsigned char *block)
{
	size_t size = key->signature_size;

	if (data_size > size - 11)
		return CKR_DATA_LEN_RANGE;
	block[0] = 0;
	block[1] = 1;
	memset(block + 2, 0xff, size - data_size - 3);
	block[size - data_size - 1] = 0;
	if (data_size > 0)
		memcpy(block + size - data_size, data, data_size);
	return CKR_OK;
}

CK_RV
rsa_encrypt(const struct mechanism_use *use, struct public_key *key, const void *data,
            size_t data_size, unsigned char *ret_data)
{
	unsigned char block[BLOCK_SIZE_MAX];
	size_t input_max;
	CK_RV rv;

	if (!rsa_input_max(use, key, &input_max) || data_size > input_max)
		return CKR_DATA_LEN_RANGE;
	if (use->mechanism->padding != PADDING_RSA_RAW)
		return encrypt(use, key, OPERATION_ENCRYPT, data_size == 0 ? "" : data, data_size,
		               ret_data);
	rv = raw_block(key, data, data_size, block);
	if (rv != CKR_OK)
		return rv;
	rv = encrypt(use, key, OPERATION_RAW, block, key->signature_size, ret_data);
	OPENSSL_cleanse(block, key->signature_size);
	return rv;
}

/* The block that was signed: as many bytes as the modulus has. */
static CK_RV
signature_open(const struct mechanism_use *use, struct public_key *key, const void *signature,
               unsigned char *block)
{
	if (memcmp(signature, key->parts.modulus.data, key->signature_size) >= 0)
		return CKR_SIGNATURE_INVALID;
	return encrypt(use, key, OPERATION_RAW, signature, key->signature_size, block);
}

/* Opens the signature and compares it with the block it must be: nothing is parsed. */
static CK_RV
verify_block(const struct mechanism_use *use, struct public_key *key, const void *data,
             size_t data_size, const unsigned char *signature)
{
	unsigned char block[BLOCK_SIZE_MAX], opened[BLOCK_SIZE_MAX];
	size_t size = key->signature_size;
	CK_RV rv;

	if (use->mechanism->padding == PADDING_RSA_RAW)
		rv = raw_block(key, data, data_size, block);
	else
		rv = signature_block(key, data, data_size, block);
	if (rv != CKR_OK)
		return rv;
	rv = signature_open(use, key, signature, opened);
	if (rv != CKR_OK)
		return rv;
	return memcmp(opened, block, size) == 0 ? CKR_OK : CKR_SIGNATURE_INVALID;
}

CK_RV
rsa_verify(const struct mechanism_use *use, struct public_key *key, const void *data,
           size_t data_size, const void *signature)
{
	struct prepared *prepared;
	CK_RV rv;

	if (use->digest == 0)
		return verify_block(use, key, data, data_size, signature);
	if (data_size != digest_size(use->digest))
		return CKR_DATA_LEN_RANGE;
	rv = borrow(use, key, OPERATION_VERIFY, &prepared);
	if (rv != CKR_OK)
		return rv;
	if (EVP_PKEY_verify(prepared->context, signature, key->signature_size, data, data_size) != 1) {
		prepared_free(&prepared);
		return openssl_failure(CKR_SIGNATURE_INVALID);
	}
	prepared_put(&key->prepared, &prepared);
	return CKR_OK;
}

/*
 * Section 2.1.6: the padding is that of signature_block, to the last byte, with 8 bytes of 0xff
 * at the least. All of it is public: anybody can open a signature.
 */
CK_RV
rsa_recover(const struct mechanism_use *use, struct public_key *key, const void *signature,
            struct buffer *ret_data)
{
	unsigned char block[BLOCK_SIZE_MAX];
	size_t size = key->signature_size, at = 2;
	CK_RV rv = signature_open(use, key, signature, block);

	if (rv != CKR_OK)
		return rv;
	if (use->mechanism->padding == PADDING_RSA_RAW)
		return buffer_set(ret_data, block, size);
	while (at < size && block[at] == 0xff)
		at++;
	if (block[0] != 0 || block[1] != 1 || at < 10 || at == size || block[at] != 0)
		return CKR_SIGNATURE_INVALID;
	return buffer_set(ret_data, block + at + 1, size - at - 1);
}

/* DigestInfo (RFC 8017, appendix A.2.4): the hash's identifier with NULL, and the hash. */
static CK_RV
digest_info(CK_MECHANISM_TYPE digest, const void *value, size_t size, struct buffer *ret_der)
{
	X509_SIG *info = X509_SIG_new();
	ASN1_OBJECT *object = OBJ_nid2obj(EVP_MD_get_type(openssl_digest(digest)));
	ASN1_OCTET_STRING *string;
	X509_ALGOR *algorithm;
	unsigned char *der = NULL;
	int der_size = 0;
	CK_RV rv;

	if (info != NULL) {
		X509_SIG_getm(info, &algorithm, &string);
		if (X509_ALGOR_set0(algorithm, object, V_ASN1_NULL, NULL) == 1 &&
		    ASN1_OCTET_STRING_set(string, value, (int)size) == 1)
			der_size = i2d_X509_SIG(info, &der);
	}
	if (der_size > 0)
		rv = buffer_set(ret_der, der, (size_t)der_size);
	else
		rv = openssl_failure(CKR_HOST_MEMORY);
	OPENSSL_free(der);
	X509_SIG_free(info);
	return rv;
}

static CK_RV
plan_raw(const struct public_key *key, const void *data, size_t data_size,
         struct buffer *ret_block)
{
	unsigned char block[BLOCK_SIZE_MAX];
	CK_RV rv = raw_block(key, data, data_size, block);

	if (rv != CKR_OK)
		return rv;
	return buffer_set(ret_block, block, key->signature_size);
}

CK_RV
rsa_plan_sign(const struct mechanism_use *use, const struct public_key *key, const void *data,
              size_t data_size, struct mechanism_plan *ret_plan, struct buffer *ret_block)
{
	struct mechanism_plan *plan = ret_plan;

	memset(plan, 0, sizeof *plan);
	plan->primitive.mechanism = use->mechanism->primitives[0];
	if (use->mechanism->padding == PADDING_RSA_RAW)
		return plan_raw(key, data, data_size, ret_block);
	if (use->mechanism->padding == PADDING_RSA_PSS) {
		if (data_size != digest_size(use->digest))
			return CKR_DATA_LEN_RANGE;
		plan->parameter.pss.hashAlg = use->digest;
		plan->parameter.pss.mgf = use->mgf;
		plan->parameter.pss.sLen = use->salt_size;
		plan->primitive.pParameter = &plan->parameter.pss;
		plan->primitive.ulParameterLen = sizeof plan->parameter.pss;
		return buffer_set(ret_block, data, data_size);
	}
	if (use->digest != 0)
		return digest_info(use->digest, data, data_size, ret_block);
	if (data_size > key->signature_size - 11)
		return CKR_DATA_LEN_RANGE;
	return buffer_set(ret_block, data, data_size);
}

bool
rsa_oaep_is_plain(const struct mechanism_use *use)
{
	return use->digest == CKM_SHA_1 && use->mgf == CKG_MGF1_SHA1 && use->label.size == 0;
}

/*
 * SHA-1 without a label is what every KMS with OAEP does, SoftHSM 2.6 nothing else; the rest
 * is done on a raw block here. A KMS without raw decryption gets the parameter as it is.
 */
CK_RV
rsa_plan_decrypt(const struct mechanism_use *use, primitive_offered offered, const void *context,
                 struct mechanism_plan *ret_plan)
{
	enum padding padding = use->mechanism->padding;
	bool oaep = padding == PADDING_RSA_OAEP && offered(context, CKM_RSA_PKCS_OAEP);
	struct mechanism_plan *plan = ret_plan;

	if (!(oaep && rsa_oaep_is_plain(use)) && offered(context, CKM_RSA_X_509)) {
		memset(plan, 0, sizeof *plan);
		plan->primitive.mechanism = CKM_RSA_X_509;
		plan->unpad = padding != PADDING_RSA_PKCS;
		plan->reject = padding == PADDING_RSA_PKCS;
		return CKR_OK;
	}
	if (!oaep)
		return CKR_MECHANISM_INVALID;
	if (!rsa_oaep_is_plain(use) && offered(context, CKM_P11_KMS_OAEP_SHA1_ONLY))
		return CKR_MECHANISM_PARAM_INVALID;
	memset(plan, 0, sizeof *plan);
	plan->primitive.mechanism = CKM_RSA_PKCS_OAEP;
	plan->primitive.pParameter = &plan->parameter.oaep;
	plan->primitive.ulParameterLen = sizeof plan->parameter.oaep;
	plan->parameter.oaep.hashAlg = use->digest;
	plan->parameter.oaep.mgf = use->mgf;
	plan->parameter.oaep.source = CKZ_DATA_SPECIFIED;
	plan->parameter.oaep.pSourceData = use->label.data;
	plan->parameter.oaep.ulSourceDataLen = use->label.size;
	return CKR_OK;
}
