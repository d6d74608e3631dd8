/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a session is in the middle of: a mechanism with its parameter, a key, and the digest
 * of what has come so far. A session has at most one of each kind (sections 5.8 - 5.14).
 */
#ifndef P11_KMS_TOKEN_OPERATION_H
#define P11_KMS_TOKEN_OPERATION_H

#include "base/compiler.h"
#include "base/pkcs11.h"
#include "base/secret.h"
#include "mechanism/mechanism.h"
#include "token/key.h"

#include <stdbool.h>

struct token;

enum operation_kind {
	OPERATION_ENCRYPT,
	OPERATION_DECRYPT,
	OPERATION_DIGEST,
	OPERATION_SIGN,
	OPERATION_VERIFY,
	OPERATION_KINDS
};

struct operation {
	enum operation_kind kind;
	struct token *token;           /* borrowed */
	struct key *key;               /* a reference, NULL for digests */
	struct public_key *public_key; /* borrowed from key */
	struct mechanism_use use;      /* owned */
	struct digest *digest;         /* owned; NULL where the mechanism takes data as it is */
	bool multipart;                /* an update has been made */
	bool kms_hashes;               /* signing: the KMS gets the message, kept until then */
	struct buffer message;         /* owned */
};

/*
 * Begins one. As the C_…Init functions: CKR_MECHANISM_INVALID, CKR_MECHANISM_PARAM_INVALID,
 * CKR_KEY_HANDLE_INVALID, CKR_USER_NOT_LOGGED_IN, CKR_KEY_FUNCTION_NOT_PERMITTED,
 * CKR_KEY_TYPE_INCONSISTENT, CKR_KEY_SIZE_RANGE, CKR_DEVICE_ERROR. key is not looked at for a digest.
 */
MUST_USE CK_RV operation_new(struct token *token, enum operation_kind kind,
                             const CK_MECHANISM *mechanism, CK_OBJECT_HANDLE key,
                             struct operation **ret_operation);
void operation_free(struct operation **operation);

/* Bytes of the result: exact, but for decryption, where it is the most there can be. */
size_t operation_output_size(const struct operation *operation);

/* The next part of a message. CKR_FUNCTION_NOT_SUPPORTED: the mechanism takes it in one part. CKR_DATA_LEN_RANGE: it is longer than the KMS is sent. */
MUST_USE CK_RV operation_update(struct operation *operation, const void *data, size_t size);

/* In one part. ret_data, ret_signature: operation_output_size bytes of room. */
MUST_USE CK_RV operation_encrypt(struct operation *operation, const void *data, size_t size,
                                 unsigned char *ret_data);
MUST_USE CK_RV operation_decrypt(struct operation *operation, const void *data, size_t size,
                                 struct secret **ret_plaintext);
MUST_USE CK_RV operation_sign(struct operation *operation, const void *data, size_t size,
                              unsigned char *ret_signature, size_t *ret_size);
MUST_USE CK_RV operation_verify(struct operation *operation, const void *data, size_t size,
                                const void *signature, size_t signature_size);

/* After the parts that operation_update was given. */
MUST_USE CK_RV operation_digest_final(struct operation *operation, unsigned char *ret_digest);
MUST_USE CK_RV operation_sign_final(struct operation *operation, unsigned char *ret_signature,
                                    size_t *ret_size);
MUST_USE CK_RV operation_verify_final(struct operation *operation, const void *signature,
                                      size_t signature_size);

#endif
