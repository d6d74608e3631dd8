/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Public keys as KMIP servers give them (KMIP 1.4, sections 2.1.3, 2.1.7 and 2.2.3), made a
 * DER SubjectPublicKeyInfo.
 */
#ifndef P11_KMS_KMS_KMIP_KEY_H
#define P11_KMS_KMS_KMIP_KEY_H

#include "base/buffer.h"
#include "base/compiler.h"
#include "kms/kmip-session.h"
#include "kms/ttlv.h"

/*
 * The payload of an answer to Get: PKCS#1, SubjectPublicKeyInfo, transparent RSA or EC; the
 * same key gives the same bytes whichever it is. CKR_PUBLIC_KEY_INVALID: none of these, or
 * not a public key at all.
 */
MUST_USE CK_RV kmip_key_parse(const struct ttlv *payload, struct buffer *ret_spki);

/* Gets a public key. CKR_PUBLIC_KEY_INVALID: it is none (it is not fetched), or not understood. */
MUST_USE CK_RV kmip_key_get(struct kmip_session *session, const char *identifier,
                            struct buffer *ret_spki);

/* KMIP's Recommended Curve of an algorithm, 0: none. */
uint32_t kmip_curve_of(const struct algorithm *algorithm);

#endif
