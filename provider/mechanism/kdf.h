/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What goes around the KMS's part of CKM_ECDH1_DERIVE (PKCS#11 mechanisms 3.0, section
 * 2.3.21): before it, the parameter and the peer's point are checked; the KMS multiplies
 * (CKM_ECDH1_DERIVE with CKD_NULL and the raw point, giving the whole of Z); after it, the
 * key derivation function makes the key.
 */
#ifndef P11_KMS_MECHANISM_KDF_H
#define P11_KMS_MECHANISM_KDF_H

#include "base/algorithm.h"
#include "base/buffer.h"
#include "base/compiler.h"
#include "base/pkcs11.h"
#include "base/secret.h"

#include <stdbool.h>
#include <stddef.h>

/* The longest key that is derived, and the longest shared data. */
#define KDF_SIZE_MAX 65536

/* The parameter, checked and copied: nothing of the caller's is kept. */
struct ecdh_use {
	CK_ULONG kdf;              /* CKD_… */
	struct buffer shared_info; /* owned */
	struct buffer peer;        /* owned: 04, X, Y; of X25519 the 32 bytes */
};

/* algorithm: our key's. CKR_MECHANISM_INVALID (another mechanism), CKR_MECHANISM_PARAM_INVALID (also the peer's point), CKR_KEY_TYPE_INCONSISTENT (neither P-256, P-384, P-521 nor X25519), CKR_HOST_MEMORY. */
MUST_USE CK_RV ecdh_use_init(const CK_MECHANISM *mechanism, const struct algorithm *algorithm,
                             struct ecdh_use *ret_use);
void ecdh_use_clear(struct ecdh_use *use);

/*
 * A peer's public point, bare or in a DER OCTET STRING, uncompressed: on the curve, and so of
 * full order, for the cofactors are 1 (NIST SP 800-56A, revision 3, section 5.6.2.3.3). Of
 * X25519 any 32 bytes but those of small order, which agree on zeros (RFC 7748, section 6.1).
 * Gives the bare point. CKR_MECHANISM_PARAM_INVALID, CKR_KEY_TYPE_INCONSISTENT, CKR_HOST_MEMORY.
 */
MUST_USE CK_RV ecdh_peer_check(const struct algorithm *algorithm, const void *point, size_t size,
                               struct buffer *ret_raw_point);

/* CKD_NULL, CKD_SHA1_KDF, CKD_SHA224_KDF … CKD_SHA512_KDF? */
bool kdf_offers(CK_ULONG kdf);

/*
 * length bytes from shared, the KMS's Z. CKD_NULL: its last length bytes (the truncation
 * takes bytes from the leading end); shared_info must be empty. The others: ANSI X9.63
 * (SEC 1, section 3.6.1). CKR_MECHANISM_PARAM_INVALID; CKR_KEY_SIZE_RANGE (length is 0,
 * past KDF_SIZE_MAX, or for CKD_NULL more than there is); CKR_HOST_MEMORY.
 */
MUST_USE CK_RV kdf_derive(CK_ULONG kdf, const struct secret *shared, const void *shared_info,
                          size_t shared_info_size, size_t length, struct secret **ret_key);

#endif
