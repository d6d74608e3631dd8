/* SPDX-License-Identifier: Apache-2.0 */
/* What private keys do: the part of it that is the KMS's, and what is checked around it. */
#ifndef P11_KMS_TOKEN_REMOTE_H
#define P11_KMS_TOKEN_REMOTE_H

#include "base/buffer.h"
#include "base/compiler.h"
#include "base/pkcs11.h"
#include "base/secret.h"
#include "mechanism/mechanism.h"
#include "mechanism/rejection.h"
#include "token/object.h"

/*
 * object is a private key, public_key its public half. Failures common to all:
 * CKR_USER_NOT_LOGGED_IN (logged out since the operation began), those of kms.h.
 */

/* CKR_ENCRYPTED_DATA_LEN_RANGE, CKR_ENCRYPTED_DATA_INVALID, CKR_MECHANISM_INVALID, CKR_MECHANISM_PARAM_INVALID. */
MUST_USE CK_RV remote_decrypt(const struct object *object, const struct mechanism_use *use,
                              struct public_key *public_key, const void *data, size_t size,
                              struct secret **ret_plaintext);

/*
 * value: the digest where the mechanism has one, else the data. message: for a KMS that
 * hashes itself, else NULL. ret_signature: mechanism_output_size bytes of room.
 * CKR_DATA_LEN_RANGE, CKR_DATA_INVALID.
 */
MUST_USE CK_RV remote_sign(const struct object *object, const struct mechanism_use *use,
                           struct public_key *public_key, const struct buffer *message,
                           const void *value, size_t size, unsigned char *ret_signature,
                           size_t *ret_size);

/* peer: the other party's bare point, checked. Gives the whole of Z. CKR_MECHANISM_INVALID. */
MUST_USE CK_RV remote_derive(const struct object *object, const struct buffer *peer,
                             struct secret **ret_shared);

#endif
