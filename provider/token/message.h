/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Many messages under one key and mechanism (PKCS#11 3.0, sections 5.9, 5.11, 5.14, 5.16):
 * what a session has between C_Message…Init and C_Message…Final. It has at most one of each
 * kind, beside the operations of operation.h.
 *
 * Encrypting and decrypting are cipher-message.h's. Signing and verifying are operations of
 * their own, one for each message, with the mechanism and key of the beginning: none of the
 * mechanisms has a parameter that belongs to a message.
 */
#ifndef P11_KMS_TOKEN_MESSAGE_H
#define P11_KMS_TOKEN_MESSAGE_H

#include "base/compiler.h"
#include "base/pkcs11.h"
#include "mechanism/cipher-message.h"
#include "token/object.h"
#include "token/operation.h"

#include <stdbool.h>

enum message_kind { MESSAGE_ENCRYPT, MESSAGE_DECRYPT, MESSAGE_SIGN, MESSAGE_VERIFY, MESSAGE_KINDS };

/* Room for the parameter of any mechanism that signs. */
#define MESSAGE_PARAMETER_MAX 64

struct message {
	enum message_kind kind;
	struct token *token;           /* borrowed */

	/* Encrypting and decrypting: */
	struct object object;          /* the key, a reference of its own */
	struct cipher_message *cipher; /* owned */

	/* Signing and verifying: */
	CK_MECHANISM mechanism;        /* points to parameter */
	unsigned char parameter[MESSAGE_PARAMETER_MAX];
	CK_OBJECT_HANDLE key;
	struct operation *operation;   /* of the next message, or the one begun; owned, may be NULL */
	bool begun;
};

/* As operation_new. */
MUST_USE CK_RV message_new(struct token *token, enum message_kind kind,
                           const CK_MECHANISM *mechanism, CK_OBJECT_HANDLE key,
                           struct message **ret_message);
void message_free(struct message **message); /* NULL is allowed */

/* In the middle of a message in parts? */
bool message_begun(const struct message *message);

/*
 * The operation of the message that comes next, or is begun; borrowed until message_end. As
 * operation_new: the key may have gone since the last one.
 */
MUST_USE CK_RV message_operation(struct message *message, struct operation **ret_operation);
/* The end of the message that is begun, or would be next, however it went. */
void message_end(struct message *message);

#endif
