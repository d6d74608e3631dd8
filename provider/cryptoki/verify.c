/* SPDX-License-Identifier: Apache-2.0 */
/* Functions for verifying signatures. PKCS#11 3.0, section 5.15. */
#include "cryptoki/entry.h"

CK_RV
C_VerifyInit(CK_SESSION_HANDLE handle, CK_MECHANISM *mechanism, CK_OBJECT_HANDLE key)
{
	return entry_init("C_VerifyInit", handle, OPERATION_VERIFY, mechanism, key);
}

CK_RV
C_Verify(CK_SESSION_HANDLE handle, unsigned char *data, CK_ULONG data_size,
         unsigned char *signature, CK_ULONG signature_size)
{
	struct session *session = NULL;
	struct operation *operation;
	CK_RV rv;

	rv = entry_begin(handle, &session);
	if (rv != CKR_OK)
		goto out;
	rv = entry_operation(session, OPERATION_VERIFY, true, entry_given(data, data_size) &&
	                     entry_given(signature, signature_size), &operation);
	if (rv != CKR_OK)
		goto out;
	rv = operation_verify(operation, data, data_size, signature, signature_size);
	operation_free(&session->operations[OPERATION_VERIFY]);
out:
	return entry_end("C_Verify", session, rv);
}

CK_RV
C_VerifyUpdate(CK_SESSION_HANDLE handle, unsigned char *part, CK_ULONG part_size)
{
	struct session *session = NULL;
	struct operation *operation;
	CK_RV rv;

	rv = entry_begin(handle, &session);
	if (rv != CKR_OK)
		goto out;
	rv = entry_operation(session, OPERATION_VERIFY, false,
	                     entry_given(part, part_size), &operation);
	if (rv != CKR_OK)
		goto out;
	rv = operation_update(operation, part, part_size);
	if (rv != CKR_OK)
		operation_free(&session->operations[OPERATION_VERIFY]);
out:
	return entry_end("C_VerifyUpdate", session, rv);
}

CK_RV
C_VerifyFinal(CK_SESSION_HANDLE handle, unsigned char *signature, CK_ULONG signature_size)
{
	struct session *session = NULL;
	struct operation *operation;
	CK_RV rv;

	rv = entry_begin(handle, &session);
	if (rv != CKR_OK)
		goto out;
	rv = entry_operation(session, OPERATION_VERIFY, false,
	                     entry_given(signature, signature_size), &operation);
	if (rv != CKR_OK)
		goto out;
	rv = operation_verify_final(operation, signature, signature_size);
	operation_free(&session->operations[OPERATION_VERIFY]);
out:
	return entry_end("C_VerifyFinal", session, rv);
}

CK_RV
C_VerifyRecoverInit(CK_SESSION_HANDLE handle, CK_MECHANISM *mechanism, CK_OBJECT_HANDLE key)
{
	return entry_init("C_VerifyRecoverInit", handle, OPERATION_VERIFY_RECOVER, mechanism, key);
}

/* How much was signed shows only once the signature is open: it is opened for a size query, too. */
CK_RV
C_VerifyRecover(CK_SESSION_HANDLE handle, unsigned char *signature, CK_ULONG signature_size,
                unsigned char *data, CK_ULONG *data_size)
{
	struct session *session = NULL;
	struct operation *operation;
	size_t size = 0;
	CK_RV rv;

	rv = entry_begin(handle, &session);
	if (rv != CKR_OK)
		goto out;
	rv = entry_operation(session, OPERATION_VERIFY_RECOVER, true,
	                     entry_given(signature, signature_size) &&
	                     data_size != NULL, &operation);
	if (rv != CKR_OK)
		goto out;
	rv = operation_recover(operation, signature, signature_size, data,
	                       data == NULL ? 0 : *data_size, &size);
	if ((rv == CKR_OK || rv == CKR_BUFFER_TOO_SMALL) && !entry_room(size, data, data_size, &rv))
		goto out;
	if (rv == CKR_OK)
		*data_size = size;
	operation_free(&session->operations[OPERATION_VERIFY_RECOVER]);
out:
	return entry_end("C_VerifyRecover", session, rv);
}
