/* SPDX-License-Identifier: Apache-2.0 */
/*
 * PKCS#1 v1.5 decryption that tells nobody whether the padding was good (implicit rejection:
 * draft-irtf-cfrg-rsa-guidance, section 7). A bad one gives a pseudo-random message of
 * pseudo-random length, and the same one for the same ciphertext whenever and wherever it is
 * decrypted: what is asked twice must not tell by answering twice differently. That holds for a
 * key that is unwrapped as well: its template has no say in what the message is, and what does
 * not fit is refused after the fact, be it true or not.
 *
 * For that, both come from the ciphertext and a secret that goes with the private key. The
 * KMS does not hand one out, so it is what the KMS makes of a fixed block: raw decryption of
 * rejection_block, a hash of the modulus that is as long as the modulus. Only who may decrypt
 * raw anyhow gets at it: taken as a ciphertext it has no good padding, and signatures are
 * padded.
 */
#ifndef P11_KMS_MECHANISM_REJECTION_H
#define P11_KMS_MECHANISM_REJECTION_H

#include "base/buffer.h"
#include "base/compiler.h"
#include "base/pkcs11.h"
#include "base/secret.h"
#include "mechanism/public-key.h"

#include <stddef.h>

/* What the KMS is to decrypt raw, once for each key. CKR_HOST_MEMORY. */
MUST_USE CK_RV rejection_block(const struct public_key *key, struct buffer *ret_block);
/* The secret, of the KMS's answer to it. CKR_DEVICE_ERROR: the answer is wrong; CKR_HOST_MEMORY. */
MUST_USE CK_RV rejection_secret(struct public_key *key, const struct secret *answer,
                                struct secret **ret_secret);

/*
 * Takes the padding off block, the KMS's raw decryption of ciphertext (as long as the
 * modulus), in constant time. CKR_HOST_MEMORY, CKR_FUNCTION_FAILED.
 */
MUST_USE CK_RV rejection_unpad(const struct public_key *key, const struct secret *secret,
                               const void *ciphertext, const struct secret *block,
                               struct secret **ret_plaintext);

#endif
