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
#include "mechanism/cipher.h"
#include "mechanism/mac.h"
#include "mechanism/mechanism.h"
#include "token/object.h"

#include <stdbool.h>

struct token;

enum operation_kind {
	OPERATION_ENCRYPT,
	OPERATION_DECRYPT,
	OPERATION_DIGEST,
	OPERATION_SIGN,
	OPERATION_VERIFY,
	OPERATION_SIGN_RECOVER,
	OPERATION_VERIFY_RECOVER,
	OPERATION_KINDS
};

/* How much of what is digested is kept, for operation-state.h. */
#define OPERATION_STATE_MESSAGE_MAX ((size_t)64 * 1024)

struct operation {
	enum operation_kind kind;
	struct token *token;           /* borrowed */
	struct object object;          /* the key, a reference of its own; empty for digests */
	/* Of RSA, EC and digests: */
	struct public_key *public_key; /* borrowed from the key */
	struct mechanism_use use;      /* owned */
	struct digest *digest;         /* owned; NULL where the mechanism takes data as it is */
	/* With a secret key, one of: */
	struct cipher *cipher;         /* owned */
	struct mac *mac;               /* owned */

	bool multipart;                /* an update has been made */
	bool kms_hashes;               /* signing: the KMS gets the message, kept until then */
	bool unsaveable;               /* a digest that is not in message as a whole */
	struct buffer message;         /* owned; of digests: all that has come (operation-state.h) */
};

/*
 * Begins one. As the C_…Init functions: CKR_MECHANISM_INVALID, CKR_MECHANISM_PARAM_INVALID,
 * CKR_KEY_HANDLE_INVALID, CKR_USER_NOT_LOGGED_IN, CKR_KEY_FUNCTION_NOT_PERMITTED,
 * CKR_KEY_TYPE_INCONSISTENT, CKR_KEY_SIZE_RANGE, CKR_DEVICE_ERROR. CKR_MECHANISM_INVALID is
 * also one that the key's CKA_ALLOWED_MECHANISMS lack. key is not looked at for a digest.
 */
MUST_USE CK_RV operation_new(struct token *token, enum operation_kind kind,
                             const CK_MECHANISM *mechanism, CK_OBJECT_HANDLE key,
                             struct operation **ret_operation);
void operation_free(struct operation **operation);

/*
 * The key of an operation with a mechanism, when it may be used so: failures as above.
 * ret_object is the caller's to release, also on failure.
 */
MUST_USE CK_RV operation_key(struct token *token, enum operation_kind kind,
                             const struct mechanism *row, CK_OBJECT_HANDLE handle,
                             struct object *ret_object);

/* Bytes of a digest or signature, exactly. */
size_t operation_output_size(const struct operation *operation);

/* The next part of a message. CKR_FUNCTION_NOT_SUPPORTED: the mechanism takes it in one part. CKR_DATA_LEN_RANGE: it is longer than the KMS is sent. */
MUST_USE CK_RV operation_update(struct operation *operation, const void *data, size_t size);

/*
 * Encrypting and decrypting. room is what fits into out; when it is too little:
 * CKR_BUFFER_TOO_SMALL with *ret_size the room it takes, and the operation stays as it was.
 * What a call will need is told by the functions with _size: exactly, but for decryption,
 * where it is the most there can be. in and out may overlap.
 * CKR_FUNCTION_NOT_SUPPORTED: the mechanism takes data in one part.
 */
size_t operation_crypt_size(const struct operation *operation, size_t in_size);
MUST_USE CK_RV operation_crypt(struct operation *operation, const void *in, size_t in_size,
                               unsigned char *out, size_t room, size_t *ret_size);
size_t operation_crypt_update_size(const struct operation *operation, size_t in_size);
MUST_USE CK_RV operation_crypt_update(struct operation *operation, const void *in, size_t in_size,
                                      unsigned char *out, size_t room, size_t *ret_size);
size_t operation_crypt_final_size(const struct operation *operation);
MUST_USE CK_RV operation_crypt_final(struct operation *operation, unsigned char *out, size_t room,
                                     size_t *ret_size);

/* In one part. ret_signature: operation_output_size bytes of room. */
MUST_USE CK_RV operation_sign(struct operation *operation, const void *data, size_t size,
                              unsigned char *ret_signature, size_t *ret_size);
MUST_USE CK_RV operation_verify(struct operation *operation, const void *data, size_t size,
                                const void *signature, size_t signature_size);

/*
 * What was signed, with room and *ret_size as of operation_crypt. CKR_SIGNATURE_INVALID,
 * CKR_SIGNATURE_LEN_RANGE.
 */
MUST_USE CK_RV operation_recover(struct operation *operation, const void *signature,
                                 size_t signature_size, unsigned char *out, size_t room,
                                 size_t *ret_size);

/*
 * The value of a secret key as the next part of a message. CKR_KEY_INDIGESTIBLE: another key, or
 * one whose CKA_ALLOWED_MECHANISMS lack the digest; CKR_KEY_HANDLE_INVALID.
 */
MUST_USE CK_RV operation_digest_key(struct operation *operation, CK_OBJECT_HANDLE key);

/* After the parts that operation_update was given. */
MUST_USE CK_RV operation_digest_final(struct operation *operation, unsigned char *ret_digest);
MUST_USE CK_RV operation_sign_final(struct operation *operation, unsigned char *ret_signature,
                                    size_t *ret_size);
MUST_USE CK_RV operation_verify_final(struct operation *operation, const void *signature,
                                      size_t signature_size);

#endif
