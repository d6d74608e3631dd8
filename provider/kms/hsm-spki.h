/* SPDX-License-Identifier: Apache-2.0 */
/* DER SubjectPublicKeyInfo (RFC 5280, section 4.1.2.7) from the attributes of a public key object. */
#ifndef P11_KMS_KMS_HSM_SPKI_H
#define P11_KMS_KMS_HSM_SPKI_H

#include "base/algorithm.h"
#include "base/buffer.h"
#include "base/compiler.h"
#include "base/pkcs11.h"

/* Big-endian integers. CKR_PUBLIC_KEY_INVALID, CKR_HOST_MEMORY. */
MUST_USE CK_RV hsm_spki_rsa(const struct buffer *modulus, const struct buffer *exponent,
                            struct buffer *ret_spki);
/* point: CKA_EC_POINT, the DER OCTET STRING that the standard asks for or the bare point that some HSMs give. */
MUST_USE CK_RV hsm_spki_ec(const struct algorithm *algorithm, const struct buffer *point,
                           struct buffer *ret_spki);

#endif
