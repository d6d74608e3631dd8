/* SPDX-License-Identifier: Apache-2.0 */
/*
 * PKCS#11's private-key mechanisms as KMIP's Sign and Decrypt (KMIP 1.4, sections 4.30 and
 * 4.32).
 */
#ifndef P11_KMS_KMS_KMIP_CRYPTO_H
#define P11_KMS_KMS_KMIP_CRYPTO_H

#include "base/compiler.h"
#include "base/pkcs11.h"
#include "base/secret.h"
#include "kms/kmip-session.h"

/*
 * Signs with the private key that identifier names. *ret_size: room in, length out. data is
 * a DigestInfo (CKM_RSA_PKCS), a digest (CKM_RSA_PKCS_PSS, CKM_ECDSA), or the message for a
 * server that hashes itself (CKM_SHA256_RSA_PKCS, CKM_ECDSA_SHA256 and the like).
 * CKR_KEY_HANDLE_INVALID: no such object. CKR_DATA_INVALID, CKR_DATA_LEN_RANGE,
 * CKR_MECHANISM_INVALID, CKR_MECHANISM_PARAM_INVALID; CKR_KEY_FUNCTION_NOT_PERMITTED: the
 * server refuses (logged).
 */
MUST_USE CK_RV kmip_sign(struct kmip_session *session, const char *identifier,
                         const CK_MECHANISM *primitive, const void *data, size_t data_size,
                         unsigned char *ret_signature, size_t *ret_size);

/* CKM_RSA_PKCS_OAEP. CKR_ENCRYPTED_DATA_INVALID: whatever may be the ciphertext's fault. */
MUST_USE CK_RV kmip_decrypt(struct kmip_session *session, const char *identifier,
                            const CK_MECHANISM *primitive, const void *data, size_t data_size,
                            struct secret **ret_plaintext);

/* What is sent for a signature; data is borrowed from the caller's. */
struct kmip_signing {
	uint32_t padding;        /* enum kmip_padding, 0: none */
	uint32_t hash;           /* enum kmip_hash */
	uint32_t signature;      /* Digital Signature Algorithm */
	uint32_t algorithm;      /* KMIP_RSA, KMIP_ECDSA */
	bool digested;           /* data is the digest, else the message */
	const unsigned char *data;
	size_t data_size;
	bool salted;             /* PSS, with this salt and mask */
	int32_t salt_size;
	uint32_t mask_hash;
};

/* KMIP's hash; 0: none such. */
uint32_t kmip_hash_of(CK_MECHANISM_TYPE digest);
uint32_t kmip_hash_of_mgf(CK_RSA_PKCS_MGF_TYPE mgf);

/* From a primitive of PKCS#11. Codes as of kmip_sign. */
MUST_USE CK_RV kmip_signing_plan(const CK_MECHANISM *primitive, const void *data,
                                 size_t data_size, struct kmip_signing *ret_signing);
/*
 * r and s of fixed length, from a DER ECDSA-Sig-Value (RFC 3279) or from these themselves.
 * CKR_DEVICE_ERROR: neither.
 */
MUST_USE CK_RV kmip_ecdsa_join(const unsigned char *signature, size_t size,
                               unsigned char *ret_signature, size_t *ret_size);

#endif
