/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside of mechanism/: a SubjectPublicKeyInfo (RFC 5280, section 4.1; RFC 3279 and 5480 for
 * RSA and EC, RFC 8410 for Ed25519 and X25519) taken apart. The other direction, spki_from_rsa and
 * spki_from_ec, is in public-key.h.
 */
#ifndef P11_KMS_MECHANISM_SPKI_H
#define P11_KMS_MECHANISM_SPKI_H

#include "base/algorithm.h"
#include "base/buffer.h"
#include "base/compiler.h"
#include "base/pkcs11.h"

struct spki_parts {
	CK_KEY_TYPE key_type;
	struct buffer modulus, exponent;   /* RSA: big-endian, no leading zeros, not empty */
	const struct algorithm *algorithm; /* of a curve; NULL for RSA */
	struct buffer point;               /* 04, X, Y; or the 32 bytes of Ed25519 and X25519 */
};

/*
 * The form is checked (DER, known algorithm, length of the point), the numbers are not.
 * CKR_PUBLIC_KEY_INVALID.
 */
MUST_USE CK_RV spki_parse(const void *spki, size_t size, struct spki_parts *ret_parts);
void spki_parts_clear(struct spki_parts *parts);

/* Bytes of a public point: uncompressed, or those of Ed25519 and X25519. */
size_t spki_point_size(const struct algorithm *algorithm);

#endif
