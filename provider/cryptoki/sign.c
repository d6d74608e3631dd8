/* SPDX-License-Identifier: Apache-2.0 */
/* Signing functions. PKCS#11 3.0, section 5.13. */
#include "cryptoki/entry.h"

CK_RV
C_SignInit(CK_SESSION_HANDLE handle, CK_MECHANISM *mechanism, CK_OBJECT_HANDLE key)
{
	return entry_init("C_SignInit", handle, OPERATION_SIGN, mechanism, key);
}

/* The whole of C_Sign and C_SignRecover: they differ in what the key must permit. */
static CK_RV
sign_single(const char *function, CK_SESSION_HANDLE handle, enum operation_kind kind,
            const unsigned char *data, CK_ULONG data_size, unsigned char *signature,
            CK_ULONG *signature_size)
{
	struct session *session = NULL;
	struct operation *operation;
	size_t size;
	CK_RV rv;

	rv = entry_begin(handle, &session);
	if (rv != CKR_OK)
		goto out;
	rv = entry_operation(session, kind, true,
	                     entry_given(data, data_size) && signature_size != NULL, &operation);
	if (rv != CKR_OK)
		goto out;
	size = operation_output_size(operation);
	if (!entry_room(size, signature, signature_size, &rv))
		goto out;
	rv = operation_sign(operation, data, data_size, signature, &size);
	if (rv == CKR_OK)
		*signature_size = size;
	operation_free(&session->operations[kind]);
out:
	return entry_end(function, session, rv);
}

CK_RV
C_Sign(CK_SESSION_HANDLE handle, unsigned char *data, CK_ULONG data_size,
       unsigned char *signature, CK_ULONG *signature_size)
{
	return sign_single("C_Sign", handle, OPERATION_SIGN, data, data_size, signature,
	                   signature_size);
}

CK_RV
C_SignUpdate(CK_SESSION_HANDLE handle, unsigned char *part, CK_ULONG part_size)
{
	struct session *session = NULL;
	struct operation *operation;
	CK_RV rv;

	rv = entry_begin(handle, &session);
	if (rv != CKR_OK)
		goto out;
	rv = entry_operation(session, OPERATION_SIGN, false,
	                     entry_given(part, part_size), &operation);
	if (rv != CKR_OK)
		goto out;
	rv = operation_update(operation, part, part_size);
	if (rv != CKR_OK)
		operation_free(&session->operations[OPERATION_SIGN]);
out:
	return entry_end("C_SignUpdate", session, rv);
}

CK_RV
C_SignFinal(CK_SESSION_HANDLE handle, unsigned char *signature, CK_ULONG *signature_size)
{
	struct session *session = NULL;
	struct operation *operation;
	size_t size;
	CK_RV rv;

	rv = entry_begin(handle, &session);
	if (rv != CKR_OK)
		goto out;
	rv = entry_operation(session, OPERATION_SIGN, false, signature_size != NULL, &operation);
	if (rv != CKR_OK)
		goto out;
	size = operation_output_size(operation);
	if (!entry_room(size, signature, signature_size, &rv))
		goto out;
	rv = operation_sign_final(operation, signature, &size);
	if (rv == CKR_OK)
		*signature_size = size;
	operation_free(&session->operations[OPERATION_SIGN]);
out:
	return entry_end("C_SignFinal", session, rv);
}

CK_RV
C_SignRecoverInit(CK_SESSION_HANDLE handle, CK_MECHANISM *mechanism, CK_OBJECT_HANDLE key)
{
	return entry_init("C_SignRecoverInit", handle, OPERATION_SIGN_RECOVER, mechanism, key);
}

CK_RV
C_SignRecover(CK_SESSION_HANDLE handle, unsigned char *data, CK_ULONG data_size,
              unsigned char *signature, CK_ULONG *signature_size)
{
	return sign_single("C_SignRecover", handle, OPERATION_SIGN_RECOVER, data, data_size,
	                   signature, signature_size);
}
