/* SPDX-License-Identifier: Apache-2.0 */
/* Message-based functions for verifying signatures. PKCS#11 3.0, section 5.16. */
#include "cryptoki/entry.h"

CK_RV
C_MessageVerifyInit(CK_SESSION_HANDLE handle, CK_MECHANISM *mechanism, CK_OBJECT_HANDLE key)
{
	return entry_message_init("C_MessageVerifyInit", handle, MESSAGE_VERIFY, mechanism, key);
}

/* The last part, or all; then the message has ended. */
static CK_RV
verify_last(struct message *message, const void *data, CK_ULONG data_size, const void *signature,
            CK_ULONG signature_size)
{
	struct operation *operation;
	CK_RV rv = message_operation(message, &operation);

	if (rv != CKR_OK)
		goto out;
	if (!operation->multipart) {
		rv = operation_verify(operation, data, data_size, signature, signature_size);
		goto out;
	}
	rv = operation_update(operation, data, data_size);
	if (rv == CKR_OK)
		rv = operation_verify_final(operation, signature, signature_size);
out:
	message_end(message);
	return rv;
}

CK_RV
C_VerifyMessage(CK_SESSION_HANDLE handle, void *parameter, CK_ULONG parameter_size,
                unsigned char *data, CK_ULONG data_size, unsigned char *signature,
                CK_ULONG signature_size)
{
	struct session *session = NULL;
	struct message *message;
	CK_RV rv;

	rv = entry_begin(handle, &session);
	if (rv != CKR_OK)
		goto out;
	rv = entry_process(session, MESSAGE_VERIFY, false,
	                   entry_given(parameter, parameter_size) && entry_given(data, data_size) &&
	                   entry_given(signature, signature_size), &message);
	if (rv == CKR_OK && parameter_size != 0)
		rv = CKR_MECHANISM_PARAM_INVALID;
	if (rv == CKR_OK)
		rv = verify_last(message, data, data_size, signature, signature_size);
out:
	return entry_end("C_VerifyMessage", session, rv);
}

CK_RV
C_VerifyMessageBegin(CK_SESSION_HANDLE handle, void *parameter, CK_ULONG parameter_size)
{
	return entry_message_begin("C_VerifyMessageBegin", handle, MESSAGE_VERIFY, parameter,
	                           parameter_size);
}

CK_RV
C_VerifyMessageNext(CK_SESSION_HANDLE handle, void *parameter, CK_ULONG parameter_size,
                    unsigned char *data, CK_ULONG data_size, unsigned char *signature,
                    CK_ULONG signature_size)
{
	struct session *session = NULL;
	struct message *message;
	CK_RV rv;

	rv = entry_begin(handle, &session);
	if (rv != CKR_OK)
		goto out;
	rv = entry_process(session, MESSAGE_VERIFY, true, entry_given(parameter, parameter_size) &&
	                   entry_given(data, data_size) &&
	                   entry_given(signature, signature_size), &message);
	if (rv == CKR_OK && parameter_size != 0) {
		rv = CKR_MECHANISM_PARAM_INVALID;
		message_end(message);
	}
	if (rv != CKR_OK)
		goto out;
	/* No signature: more is to follow. */
	if (signature == NULL)
		rv = entry_message_part(message, data, data_size);
	else
		rv = verify_last(message, data, data_size, signature, signature_size);
out:
	return entry_end("C_VerifyMessageNext", session, rv);
}

CK_RV
C_MessageVerifyFinal(CK_SESSION_HANDLE handle)
{
	return entry_message_final("C_MessageVerifyFinal", handle, MESSAGE_VERIFY);
}
