/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One side of an agreement by ECDH that is made here, to try the other one: P-256, P-384,
 * P-521 and X25519. Keys of applications agree in the KMS (kdf.h).
 */
#ifndef P11_KMS_MECHANISM_ECDH_H
#define P11_KMS_MECHANISM_ECDH_H

#include "base/buffer.h"
#include "base/compiler.h"
#include "base/secret.h"

#include <openssl/evp.h>

/*
 * Makes a pair of the key's kind for this once. ret_point: its public half, bare. ret_shared:
 * what it agrees on with the key, as long as the curve's field. CKR_PUBLIC_KEY_INVALID: on
 * nothing (X25519, of small order: RFC 7748, section 6.1); CKR_HOST_MEMORY,
 * CKR_FUNCTION_FAILED.
 */
MUST_USE CK_RV ecdh_challenge(EVP_PKEY *key, struct buffer *ret_point, struct secret **ret_shared);

#endif
