/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Knows a secret value again without keeping it: SHA-256 of a random salt and the value. Without
 * the salt, which stays in secret memory, nobody can try values against one.
 */
#ifndef P11_KMS_MECHANISM_FINGERPRINT_H
#define P11_KMS_MECHANISM_FINGERPRINT_H

#include "base/compiler.h"
#include "base/pkcs11.h"
#include "base/secret.h"

#define FINGERPRINT_SIZE 32

/* CKR_HOST_MEMORY, CKR_FUNCTION_FAILED (no random bytes). */
MUST_USE CK_RV fingerprint_salt_new(struct secret **ret_salt);
/* CKR_HOST_MEMORY, CKR_FUNCTION_FAILED. */
MUST_USE CK_RV fingerprint_of(const struct secret *salt, const struct secret *value,
                              unsigned char ret_fingerprint[FINGERPRINT_SIZE]);

#endif
