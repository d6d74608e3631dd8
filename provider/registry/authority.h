/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The authority: the key, held in the KMS, that signs the registry. Here is its public
 * half, as a host pins it; the private half is reached through a struct signer.
 *
 * P-256 signs ECDSA with SHA-256 (r and s, 32 bytes each); RSA (a KMS without ECDSA) signs
 * RSASSA-PKCS1-v1_5 with SHA-256. The signature is over a message, hashed by the signer.
 */
#ifndef P11_KMS_REGISTRY_AUTHORITY_H
#define P11_KMS_REGISTRY_AUTHORITY_H

#include "base/buffer.h"
#include "base/compiler.h"
#include "base/pkcs11.h"

#include <stdbool.h>

struct authority; /* opaque, immutable, may be used by several threads */

/* A SubjectPublicKeyInfo: P-256, or RSA of 2048 bits and more. CKR_PUBLIC_KEY_INVALID otherwise. */
MUST_USE CK_RV authority_new(const void *spki, size_t size, struct authority **ret_authority);
/* The pinned file: PEM "PUBLIC KEY". *ret_why (caller frees) names file, reason, remedy. */
MUST_USE bool authority_read(const char *path, struct authority **ret_authority, char **ret_why);
/* Refuses to replace a file that is there. */
MUST_USE bool authority_write(const struct authority *authority, const char *path, char **ret_why);
/* Replaces it. */
MUST_USE bool authority_replace(const struct authority *authority, const char *path, char **ret_why);
void authority_free(struct authority **authority);

/* DER SubjectPublicKeyInfo, borrowed. */
const struct buffer *authority_spki(const struct authority *authority);
/* "SHA256:" and the base64 of the hash of the SubjectPublicKeyInfo, for people. Borrowed. */
const char *authority_fingerprint(const struct authority *authority);

/* CKR_OK or CKR_SIGNATURE_INVALID (CKR_HOST_MEMORY). */
MUST_USE CK_RV authority_verify(const struct authority *authority, const void *message, size_t size,
                                const void *signature, size_t signature_size);

struct term; /* registry/succession.h */

/* Signs a message as the authority of that term. sign: appends nothing on failure. */
struct signer {
	CK_RV (*sign)(void *context, const struct term *term, const void *message, size_t size,
	              struct buffer *ret_signature);
	void *context;
};

#endif
