/* SPDX-License-Identifier: Apache-2.0 */
/* The algorithms a key can have: rsa-2048, rsa-3072, rsa-4096, p-256, p-384, p-521, ed25519, x25519. */
#ifndef P11_KMS_BASE_ALGORITHM_H
#define P11_KMS_BASE_ALGORITHM_H

#include "base/pkcs11.h"

#include <stddef.h>

struct algorithm {
	const char *name;           /* in records, options and tables */
	CK_KEY_TYPE key_type;       /* CKK_RSA, CKK_EC, CKK_EC_EDWARDS, CKK_EC_MONTGOMERY */
	CK_MECHANISM_TYPE generate; /* CKM_RSA_PKCS_KEY_PAIR_GEN … */
	unsigned bits;              /* modulus bits, or bits of the curve's field (255 for ed25519 and x25519) */
	const char *group;          /* OpenSSL's name of the group, NULL for RSA */
	const unsigned char *ec_params; /* DER of CKA_EC_PARAMS (an OBJECT IDENTIFIER), NULL for RSA */
	size_t ec_params_size;
};

/* NULL when there is none. */
const struct algorithm *algorithm_by_name(const char *name);
const struct algorithm *algorithm_rsa(CK_ULONG modulus_bits);
/* ec_params: the OBJECT IDENTIFIER, or another of its names (algorithm.c). */
const struct algorithm *algorithm_ec(CK_KEY_TYPE key_type, const void *ec_params, size_t size);
/* NULL past the last. */
const struct algorithm *algorithm_at(size_t index);

#endif
