/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Message-based signing functions. PKCS#11 3.0, section 5.14. No mechanism here has a
 * parameter for each message: one that is given is CKR_MECHANISM_PARAM_INVALID.
 */
#include "cryptoki/entry.h"

CK_RV
C_MessageSignInit(CK_SESSION_HANDLE handle, CK_MECHANISM *mechanism, CK_OBJECT_HANDLE key)
{
	return entry_message_init("C_MessageSignInit", handle, MESSAGE_SIGN, mechanism, key);
}

/* The last part, or all: the signature, when there is room for it; then the message has ended. */
static CK_RV
sign_last(struct message *message, const void *data, CK_ULONG data_size,
          unsigned char *signature, CK_ULONG *signature_size)
{
	struct operation *operation;
	size_t size;
	CK_RV rv = message_operation(message, &operation);

	if (rv != CKR_OK)
		goto out;
	size = operation_output_size(operation);
	if (!entry_room(size, signature, signature_size, &rv))
		return rv;
	if (!operation->multipart) {
		rv = operation_sign(operation, data, data_size, signature, &size);
	} else {
		rv = operation_update(operation, data, data_size);
		if (rv == CKR_OK)
			rv = operation_sign_final(operation, signature, &size);
	}
	if (rv == CKR_OK)
		*signature_size = size;
out:
	message_end(message);
	return rv;
}

CK_RV
C_SignMessage(CK_SESSION_HANDLE handle, void *parameter, CK_ULONG parameter_size,
              unsigned char *data, CK_ULONG data_size, unsigned char *signature,
              CK_ULONG *signature_size)
{
	struct session *session = NULL;
	struct message *message;
	CK_RV rv;

	rv = entry_begin(handle, &session);
	if (rv != CKR_OK)
		goto out;
	rv = entry_process(session, MESSAGE_SIGN, false, entry_given(parameter, parameter_size) &&
	                   entry_given(data, data_size) && signature_size != NULL, &message);
	if (rv == CKR_OK && parameter_size != 0)
		rv = CKR_MECHANISM_PARAM_INVALID;
	if (rv == CKR_OK)
		rv = sign_last(message, data, data_size, signature, signature_size);
out:
	return entry_end("C_SignMessage", session, rv);
}

CK_RV
C_SignMessageBegin(CK_SESSION_HANDLE handle, void *parameter, CK_ULONG parameter_size)
{
	return entry_message_begin("C_SignMessageBegin", handle, MESSAGE_SIGN, parameter,
	                           parameter_size);
}

CK_RV
C_SignMessageNext(CK_SESSION_HANDLE handle, void *parameter, CK_ULONG parameter_size,
                  unsigned char *data, CK_ULONG data_size, unsigned char *signature,
                  CK_ULONG *signature_size)
{
	struct session *session = NULL;
	struct message *message;
	CK_RV rv;

	rv = entry_begin(handle, &session);
	if (rv != CKR_OK)
		goto out;
	rv = entry_process(session, MESSAGE_SIGN, true, entry_given(parameter, parameter_size) &&
	                   entry_given(data, data_size), &message);
	if (rv == CKR_OK && parameter_size != 0) {
		rv = CKR_MECHANISM_PARAM_INVALID;
		message_end(message);
	}
	if (rv != CKR_OK)
		goto out;
	/* Nowhere for a size: more is to follow. */
	if (signature_size == NULL)
		rv = entry_message_part(message, data, data_size);
	else
		rv = sign_last(message, data, data_size, signature, signature_size);
out:
	return entry_end("C_SignMessageNext", session, rv);
}

CK_RV
C_MessageSignFinal(CK_SESSION_HANDLE handle)
{
	return entry_message_final("C_MessageSignFinal", handle, MESSAGE_SIGN);
}
