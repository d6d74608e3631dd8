/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Secret keys wrapped under other keys, and unwrapped.
 *
 * Under a secret key, both ways here: CKM_AES_KEY_WRAP (RFC 3394; parameter: none, or an IV
 * of 8 bytes) and CKM_AES_KEY_WRAP_KWP (RFC 5649; none, or 4 bytes). PKCS#11 mechanisms 3.0,
 * section 2.14. Why no others: mechanism.c.
 *
 * Under a public RSA key: CKM_RSA_PKCS, CKM_RSA_PKCS_OAEP, CKM_RSA_AES_KEY_WRAP (sections
 * 2.1.6, 2.1.8 and 2.1.20). The way back leads through the KMS: for OAEP it is a decryption
 * (mechanism_use_init with CKF_UNWRAP, mechanism_plan_decrypt, mechanism_unpad); for
 * CKM_RSA_AES_KEY_WRAP rsa_aes_split tells which part to decrypt so, and rsa_aes_unwrap does
 * the rest. For CKM_RSA_PKCS see rejection.h.
 */
#ifndef P11_KMS_MECHANISM_WRAP_H
#define P11_KMS_MECHANISM_WRAP_H

#include "base/buffer.h"
#include "base/compiler.h"
#include "base/pkcs11.h"
#include "base/secret.h"
#include "mechanism/mechanism.h"

#include <stdbool.h>
#include <stddef.h>

/* The longest secret that is wrapped or unwrapped. */
#define WRAP_SIZE_MAX 65536

/* Do wrap_secret and unwrap_secret, does wrap_public take this mechanism? */
bool wrap_secret_offers(CK_MECHANISM_TYPE type);
bool wrap_public_offers(CK_MECHANISM_TYPE type);

/*
 * CKR_MECHANISM_INVALID, CKR_MECHANISM_PARAM_INVALID; CKR_WRAPPING_KEY_SIZE_RANGE (key is
 * not an AES key); CKR_KEY_SIZE_RANGE (value is empty, too long, or not of the 16, 24, 32 …
 * bytes that CKM_AES_KEY_WRAP takes); CKR_HOST_MEMORY.
 */
MUST_USE CK_RV wrap_secret(const CK_MECHANISM *mechanism, const struct secret *key,
                           const struct secret *value, struct buffer *ret_wrapped);
/*
 * CKR_MECHANISM_INVALID, CKR_MECHANISM_PARAM_INVALID; CKR_UNWRAPPING_KEY_SIZE_RANGE;
 * CKR_WRAPPED_KEY_LEN_RANGE (wrapped has a length that nothing wraps to);
 * CKR_WRAPPED_KEY_INVALID (one code for every other cause); CKR_HOST_MEMORY.
 */
MUST_USE CK_RV unwrap_secret(const CK_MECHANISM *mechanism, const struct secret *key,
                             const void *wrapped, size_t size, struct secret **ret_value);

/*
 * How long the result of wrap_secret is, for queries, without wrapping. CKR_MECHANISM_INVALID,
 * CKR_KEY_SIZE_RANGE, CKR_MECHANISM_PARAM_INVALID.
 */
MUST_USE CK_RV wrap_secret_size(const CK_MECHANISM *mechanism, size_t value_size,
                                size_t *ret_size);

/*
 * Under a public key. CKR_MECHANISM_INVALID, CKR_MECHANISM_PARAM_INVALID;
 * CKR_WRAPPING_KEY_TYPE_INCONSISTENT, CKR_WRAPPING_KEY_SIZE_RANGE (the public key);
 * CKR_KEY_SIZE_RANGE (value is empty or too long); CKR_HOST_MEMORY.
 */
MUST_USE CK_RV wrap_public(const CK_MECHANISM *mechanism, struct public_key *key,
                           const struct secret *value, struct buffer *ret_wrapped);
/* How long the result is. The errors of wrap_public. */
MUST_USE CK_RV wrap_public_size(const CK_MECHANISM *mechanism, const struct public_key *key,
                                size_t value_size, size_t *ret_size);

/*
 * CKM_RSA_AES_KEY_WRAP, the way back: the first *ret_first bytes of wrapped are for the
 * private half of key to decrypt, as ret_oaep (the caller clears it) says; the plaintext is
 * the AES key for rsa_aes_unwrap, which takes the rest. CKR_MECHANISM_INVALID,
 * CKR_MECHANISM_PARAM_INVALID; CKR_UNWRAPPING_KEY_TYPE_INCONSISTENT,
 * CKR_UNWRAPPING_KEY_SIZE_RANGE; CKR_WRAPPED_KEY_LEN_RANGE.
 */
MUST_USE CK_RV rsa_aes_split(const CK_MECHANISM *mechanism, const struct public_key *key,
                             size_t wrapped_size, struct mechanism_use *ret_oaep,
                             size_t *ret_first);
/* CKR_WRAPPED_KEY_LEN_RANGE; CKR_WRAPPED_KEY_INVALID (also: the AES key has another size than the parameter says). */
MUST_USE CK_RV rsa_aes_unwrap(const CK_MECHANISM *mechanism, const struct secret *aes_key,
                              const void *rest, size_t rest_size, struct secret **ret_value);

#endif
