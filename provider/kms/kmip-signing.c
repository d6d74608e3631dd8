/* SPDX-License-Identifier: Apache-2.0 */
/* From a mechanism of PKCS#11 to the parameters of KMIP's Sign, and back from its signature. */
#include "kms/kmip-crypto.h"

#include "base/openssl.h"
#include "kms/kms.h"

#include <openssl/ec.h>
#include <openssl/x509.h>

#include <limits.h>
#include <string.h>

/* The longest salt that anybody asks for: of RSA with 16384 bits. */
#define SALT_MAX 2048

static const struct {
	CK_MECHANISM_TYPE digest;
	CK_RSA_PKCS_MGF_TYPE mgf;
	int nid;
	uint32_t hash;
	size_t size;
	CK_MECHANISM_TYPE rsa_pkcs, rsa_pss, ecdsa; /* that hash with it */
} hashes[] = {
	{ CKM_SHA_1, CKG_MGF1_SHA1, NID_sha1, KMIP_SHA_1, 20,
	  CKM_SHA1_RSA_PKCS, CKM_SHA1_RSA_PKCS_PSS, CKM_ECDSA_SHA1 },
	{ CKM_SHA224, CKG_MGF1_SHA224, NID_sha224, KMIP_SHA_224, 28,
	  CKM_SHA224_RSA_PKCS, CKM_SHA224_RSA_PKCS_PSS, CKM_ECDSA_SHA224 },
	{ CKM_SHA256, CKG_MGF1_SHA256, NID_sha256, KMIP_SHA_256, 32,
	  CKM_SHA256_RSA_PKCS, CKM_SHA256_RSA_PKCS_PSS, CKM_ECDSA_SHA256 },
	{ CKM_SHA384, CKG_MGF1_SHA384, NID_sha384, KMIP_SHA_384, 48,
	  CKM_SHA384_RSA_PKCS, CKM_SHA384_RSA_PKCS_PSS, CKM_ECDSA_SHA384 },
	{ CKM_SHA512, CKG_MGF1_SHA512, NID_sha512, KMIP_SHA_512, 64,
	  CKM_SHA512_RSA_PKCS, CKM_SHA512_RSA_PKCS_PSS, CKM_ECDSA_SHA512 },
};

#define HASH_COUNT (sizeof hashes / sizeof *hashes)

uint32_t
kmip_hash_of(CK_MECHANISM_TYPE digest)
{
	for (size_t i = 0; i < HASH_COUNT; i++)
		if (hashes[i].digest == digest)
			return hashes[i].hash;
	return 0;
}

uint32_t
kmip_hash_of_mgf(CK_RSA_PKCS_MGF_TYPE mgf)
{
	for (size_t i = 0; i < HASH_COUNT; i++)
		if (hashes[i].mgf == mgf)
			return hashes[i].hash;
	return 0;
}

static void
plan_pkcs1(struct kmip_signing *signing, uint32_t hash)
{
	signing->padding = KMIP_PADDING_PKCS1;
	signing->algorithm = KMIP_RSA;
	signing->hash = hash;
	signing->signature = KMIP_SHA1_WITH_RSA + (hash - KMIP_SHA_1);
}

static void
plan_ecdsa(struct kmip_signing *signing, uint32_t hash)
{
	signing->algorithm = KMIP_ECDSA;
	signing->hash = hash;
	signing->signature = KMIP_ECDSA_WITH_SHA1 + (hash - KMIP_SHA_1);
}

static CK_RV
plan_pss(struct kmip_signing *signing, const CK_MECHANISM *primitive, uint32_t hash)
{
	CK_RSA_PKCS_PSS_PARAMS pss;

	if (primitive->pParameter == NULL || primitive->ulParameterLen != sizeof pss)
		return CKR_MECHANISM_PARAM_INVALID;
	memcpy(&pss, primitive->pParameter, sizeof pss);
	signing->padding = KMIP_PADDING_PSS;
	signing->algorithm = KMIP_RSA;
	signing->signature = KMIP_RSASSA_PSS;
	signing->hash = kmip_hash_of(pss.hashAlg);
	signing->mask_hash = kmip_hash_of_mgf(pss.mgf);
	if (signing->hash == 0 || signing->mask_hash == 0 || pss.sLen > SALT_MAX ||
	    (hash != 0 && signing->hash != hash))
		return CKR_MECHANISM_PARAM_INVALID;
	signing->salted = true;
	signing->salt_size = (int32_t)pss.sLen;
	return CKR_OK;
}

/* KMIP wants to know the hash; the length tells. Longer ones have been cut to the curve's. */
static CK_RV
plan_digest(struct kmip_signing *signing)
{
	for (size_t i = 0; i < HASH_COUNT; i++) {
		if (hashes[i].size != signing->data_size)
			continue;
		plan_ecdsa(signing, hashes[i].hash);
		return CKR_OK;
	}
	return CKR_DATA_LEN_RANGE;
}

/*
 * KMIP builds the DigestInfo itself (RFC 8017, section 9.2): it gets the digest that is in
 * ours, the last bytes of it. data must be exactly what the server will make of that.
 */
static CK_RV
plan_digest_info(struct kmip_signing *signing)
{
	const unsigned char *at = signing->data;
	unsigned char *again = NULL;
	const ASN1_OCTET_STRING *digest;
	const X509_ALGOR *algorithm;
	const ASN1_OBJECT *object;
	X509_SIG *info;
	size_t i = 0;
	int nid, again_size;
	bool exact;

	if (signing->data_size == 0 || signing->data_size > LONG_MAX)
		return CKR_DATA_INVALID;
	info = d2i_X509_SIG(NULL, &at, (long)signing->data_size);
	if (info == NULL)
		return openssl_failure(CKR_DATA_INVALID);
	X509_SIG_get0(info, &algorithm, &digest);
	X509_ALGOR_get0(&object, NULL, NULL, algorithm);
	nid = OBJ_obj2nid(object);
	while (i < HASH_COUNT && hashes[i].nid != nid)
		i++;
	exact = i < HASH_COUNT && (size_t)ASN1_STRING_length(digest) == hashes[i].size;
	if (exact) {
		/* With the NULL that servers put there: the one encoding of RFC 8017, appendix B.1. */
		X509_ALGOR *parameters;
		ASN1_OCTET_STRING *value;

		X509_SIG_getm(info, &parameters, &value);
		exact = X509_ALGOR_set0(parameters, OBJ_nid2obj(nid), V_ASN1_NULL, NULL) == 1;
		again_size = exact ? i2d_X509_SIG(info, &again) : 0;
		exact = again_size > 0 && (size_t)again_size == signing->data_size &&
		        memcmp(again, signing->data, signing->data_size) == 0;
		OPENSSL_free(again);
	}
	X509_SIG_free(info);
	if (!exact)
		return openssl_failure(CKR_DATA_INVALID);
	plan_pkcs1(signing, hashes[i].hash);
	signing->data += signing->data_size - hashes[i].size;
	signing->data_size = hashes[i].size;
	return CKR_OK;
}

/* Mechanisms that hash: the server gets the message. */
static CK_RV
plan_message(struct kmip_signing *signing, const CK_MECHANISM *primitive)
{
	CK_MECHANISM_TYPE type = primitive->mechanism;

	signing->digested = false;
	for (size_t i = 0; i < HASH_COUNT; i++) {
		if (hashes[i].rsa_pss == type) {
			CK_RV rv = plan_pss(signing, primitive, hashes[i].hash);

			if (rv != CKR_OK)
				return rv;
		} else if (hashes[i].rsa_pkcs == type) {
			plan_pkcs1(signing, hashes[i].hash);
		} else if (hashes[i].ecdsa == type) {
			plan_ecdsa(signing, hashes[i].hash);
		} else {
			continue;
		}
		return signing->data_size > KMS_MESSAGE_MAX ? CKR_DATA_LEN_RANGE : CKR_OK;
	}
	return CKR_MECHANISM_INVALID;
}

CK_RV
kmip_signing_plan(const CK_MECHANISM *primitive, const void *data, size_t data_size,
                  struct kmip_signing *ret_signing)
{
	struct kmip_signing signing = { .data = data, .data_size = data_size, .digested = true };
	CK_RV rv;

	switch (primitive->mechanism) {
	case CKM_RSA_PKCS:
		rv = plan_digest_info(&signing);
		break;
	case CKM_RSA_PKCS_PSS:
		rv = plan_pss(&signing, primitive, 0);
		break;
	case CKM_ECDSA:
		rv = plan_digest(&signing);
		break;
	default:
		rv = plan_message(&signing, primitive);
		break;
	}
	if (rv == CKR_OK)
		*ret_signing = signing;
	return rv;
}

/* The bytes of r, and of s, for the smallest of the curves that they fit. */
static size_t
number_size(size_t least)
{
	static const size_t sizes[] = { 32, 48, 66 };

	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
		if (least <= sizes[i])
			return sizes[i];
	return 0;
}

CK_RV
kmip_ecdsa_join(const unsigned char *signature, size_t size, unsigned char *ret_signature,
                size_t *ret_size)
{
	const unsigned char *at = signature;
	const BIGNUM *r, *s;
	ECDSA_SIG *parts;
	size_t number;
	bool done;

	/* Never the length of a DER form, but once in 2^48 signatures or more. */
	if (size == 64 || size == 96 || size == 132) {
		if (size > *ret_size)
			return CKR_DEVICE_ERROR;
		memcpy(ret_signature, signature, size);
		*ret_size = size;
		return CKR_OK;
	}
	parts = size > LONG_MAX ? NULL : d2i_ECDSA_SIG(NULL, &at, (long)size);
	if (parts == NULL)
		return openssl_failure(CKR_DEVICE_ERROR);
	ECDSA_SIG_get0(parts, &r, &s);
	number = (size_t)(BN_num_bytes(r) > BN_num_bytes(s) ? BN_num_bytes(r) : BN_num_bytes(s));
	number = number_size(number);
	done = at == signature + size && number != 0 && 2 * number <= *ret_size &&
	       !BN_is_negative(r) && !BN_is_negative(s) &&
	       BN_bn2binpad(r, ret_signature, (int)number) >= 0 &&
	       BN_bn2binpad(s, ret_signature + number, (int)number) >= 0;
	ECDSA_SIG_free(parts);
	if (!done)
		return openssl_failure(CKR_DEVICE_ERROR);
	*ret_size = 2 * number;
	return CKR_OK;
}
