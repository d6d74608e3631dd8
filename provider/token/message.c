/* SPDX-License-Identifier: Apache-2.0 */
#include "token/message.h"

#include "token/token.h"

#include <stdlib.h>
#include <string.h>

static const struct {
	CK_FLAGS flag;
	enum operation_kind operation;
} kinds[MESSAGE_KINDS] = {
	[MESSAGE_ENCRYPT] = { CKF_MESSAGE_ENCRYPT, OPERATION_ENCRYPT },
	[MESSAGE_DECRYPT] = { CKF_MESSAGE_DECRYPT, OPERATION_DECRYPT },
	[MESSAGE_SIGN] = { CKF_MESSAGE_SIGN, OPERATION_SIGN },
	[MESSAGE_VERIFY] = { CKF_MESSAGE_VERIFY, OPERATION_VERIFY },
};

static CK_RV
begin_cipher(struct message *message, const struct mechanism *row, const CK_MECHANISM *mechanism,
             CK_OBJECT_HANDLE key)
{
	CK_RV rv = operation_key(message->token, kinds[message->kind].operation, row, key,
	                         &message->object);

	if (rv != CKR_OK)
		return rv;
	return cipher_message_new(mechanism, message->kind == MESSAGE_ENCRYPT,
	                          object_secret(&message->object),
	                          message->object.plain->material->store, &message->cipher);
}

static CK_RV
begin_signing(struct message *message, const CK_MECHANISM *mechanism, CK_OBJECT_HANDLE key)
{
	struct operation *operation;

	if (mechanism->ulParameterLen > sizeof message->parameter ||
	    (mechanism->ulParameterLen != 0 && mechanism->pParameter == NULL))
		return CKR_MECHANISM_PARAM_INVALID;
	message->mechanism.mechanism = mechanism->mechanism;
	if (mechanism->ulParameterLen != 0) {
		memcpy(message->parameter, mechanism->pParameter, mechanism->ulParameterLen);
		message->mechanism.pParameter = message->parameter;
		message->mechanism.ulParameterLen = mechanism->ulParameterLen;
	}
	message->key = key;
	/* The first is made now: it tells whether key and parameter are any good. */
	return message_operation(message, &operation);
}

CK_RV
message_new(struct token *token, enum message_kind kind, const CK_MECHANISM *mechanism,
            CK_OBJECT_HANDLE key, struct message **ret_message)
{
	const struct mechanism *row;
	struct message *message;
	CK_RV rv = token_mechanism(token, mechanism->mechanism, kinds[kind].flag, &row);

	if (rv != CKR_OK)
		return rv;
	message = calloc(1, sizeof *message);
	if (message == NULL)
		return CKR_HOST_MEMORY;
	message->kind = kind;
	message->token = token;
	if (kind == MESSAGE_ENCRYPT || kind == MESSAGE_DECRYPT)
		rv = begin_cipher(message, row, mechanism, key);
	else
		rv = begin_signing(message, mechanism, key);
	if (rv != CKR_OK)
		message_free(&message);
	else
		*ret_message = message;
	return rv;
}

void
message_free(struct message **message)
{
	if (*message == NULL)
		return;
	cipher_message_free(&(*message)->cipher); /* before the key, whose store it works with */
	operation_free(&(*message)->operation);
	object_release(&(*message)->object);
	free(*message);
	*message = NULL;
}

bool
message_begun(const struct message *message)
{
	return message->cipher != NULL ? cipher_message_begun(message->cipher) : message->begun;
}

CK_RV
message_operation(struct message *message, struct operation **ret_operation)
{
	CK_RV rv;

	if (message->operation == NULL) {
		rv = operation_new(message->token, kinds[message->kind].operation,
		                   &message->mechanism, message->key, &message->operation);
		if (rv != CKR_OK)
			return rv;
	}
	*ret_operation = message->operation;
	return CKR_OK;
}

void
message_end(struct message *message)
{
	if (message->cipher != NULL)
		cipher_message_end(message->cipher);
	operation_free(&message->operation);
	message->begun = false;
}
