/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A public key, ready to encrypt and verify with. Immutable but for its store of prepared
 * OpenSSL contexts, from which operations borrow without waiting for each other.
 */
#ifndef P11_KMS_MECHANISM_PUBLIC_KEY_H
#define P11_KMS_MECHANISM_PUBLIC_KEY_H

#include "base/algorithm.h"
#include "base/buffer.h"
#include "base/compiler.h"
#include "base/pkcs11.h"

#include <openssl/evp.h>

struct public_key; /* opaque */

/* From a DER SubjectPublicKeyInfo; any RSA of 1024 to 16384 bits or a known curve. CKR_PUBLIC_KEY_INVALID. */
MUST_USE CK_RV public_key_new(const void *spki, size_t size, struct public_key **ret_key);
void public_key_free(struct public_key **key);

CK_KEY_TYPE public_key_type(const struct public_key *key);
/* Modulus bits, or the bits of the curve's field. */
unsigned public_key_bits(const struct public_key *key);
/* Bytes of a signature by this key, and of an RSA ciphertext: k for RSA, r and s for ECDSA, 64 for Ed25519; 0 for X25519. */
size_t public_key_signature_size(const struct public_key *key);
EVP_PKEY *public_key_evp(const struct public_key *key); /* borrowed */

/*
 * The rules for a key that enters the registry: RSA e odd and ≥ 65537, modulus odd, no ROCA
 * fingerprint, the size in the algorithm; EC point on the named curve and of full order.
 * CKR_PUBLIC_KEY_INVALID; *ret_why is a static text.
 */
MUST_USE CK_RV public_key_check(const void *spki, size_t size, const struct algorithm *algorithm,
                                const char **ret_why);

/* Components, as the standard's attributes hold them: big-endian integers; CKA_EC_POINT is a DER OCTET STRING. CKR_ATTRIBUTE_TYPE_INVALID when the key type has no such attribute. */
MUST_USE CK_RV public_key_attribute(const struct public_key *key, CK_ATTRIBUTE_TYPE type,
                                    struct buffer *ret_value);

/* DER SubjectPublicKeyInfo from components: what an HSM or a template tells. ec_point may be the DER OCTET STRING or the bare point. CKR_PUBLIC_KEY_INVALID. */
MUST_USE CK_RV spki_from_rsa(const void *modulus, size_t modulus_size, const void *exponent,
                             size_t exponent_size, struct buffer *ret_spki);
MUST_USE CK_RV spki_from_ec(const struct algorithm *algorithm, const void *ec_point, size_t size,
                            struct buffer *ret_spki);

#endif
