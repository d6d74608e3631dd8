/* SPDX-License-Identifier: Apache-2.0 */
/* Encryption functions. PKCS#11 3.0, section 5.8. */
#include "cryptoki/entry.h"

CK_RV
C_EncryptInit(CK_SESSION_HANDLE handle, CK_MECHANISM *mechanism, CK_OBJECT_HANDLE key)
{
	return entry_init("C_EncryptInit", handle, OPERATION_ENCRYPT, mechanism, key);
}

CK_RV
C_Encrypt(CK_SESSION_HANDLE handle, unsigned char *data, CK_ULONG data_size,
          unsigned char *encrypted, CK_ULONG *encrypted_size)
{
	struct session *session = NULL;
	struct operation *operation;
	size_t size;
	CK_RV rv;

	if ((data == NULL && data_size != 0) || encrypted_size == NULL)
		return CKR_ARGUMENTS_BAD;
	rv = entry_begin(handle, &session);
	if (rv != CKR_OK)
		goto out;
	rv = entry_operation(session, OPERATION_ENCRYPT, true, &operation);
	if (rv != CKR_OK)
		goto out;
	size = operation_output_size(operation);
	if (!entry_room(size, encrypted, encrypted_size, &rv))
		goto out;
	rv = operation_encrypt(operation, data, data_size, encrypted);
	if (rv == CKR_OK)
		*encrypted_size = size;
	operation_free(&session->operations[OPERATION_ENCRYPT]);
out:
	return entry_end("C_Encrypt", session, rv);
}

/* No mechanism encrypts in parts; an error ends the operation (section 5.8.3). */
CK_RV
C_EncryptUpdate(CK_SESSION_HANDLE handle, unsigned char *part, CK_ULONG part_size,
                unsigned char *encrypted, CK_ULONG *encrypted_size)
{
	struct session *session = NULL;
	struct operation *operation;
	CK_RV rv;

	(void)encrypted;
	if ((part == NULL && part_size != 0) || encrypted_size == NULL)
		return CKR_ARGUMENTS_BAD;
	rv = entry_begin(handle, &session);
	if (rv != CKR_OK)
		goto out;
	rv = entry_operation(session, OPERATION_ENCRYPT, false, &operation);
	if (rv != CKR_OK)
		goto out;
	rv = operation_update(operation, part, part_size);
	operation_free(&session->operations[OPERATION_ENCRYPT]);
out:
	return entry_end("C_EncryptUpdate", session, rv);
}

CK_RV
C_EncryptFinal(CK_SESSION_HANDLE handle, unsigned char *encrypted, CK_ULONG *encrypted_size)
{
	struct session *session = NULL;
	struct operation *operation;
	CK_RV rv;

	(void)encrypted;
	if (encrypted_size == NULL)
		return CKR_ARGUMENTS_BAD;
	rv = entry_begin(handle, &session);
	if (rv != CKR_OK)
		goto out;
	rv = entry_operation(session, OPERATION_ENCRYPT, false, &operation);
	if (rv != CKR_OK)
		goto out;
	rv = CKR_FUNCTION_NOT_SUPPORTED;
	operation_free(&session->operations[OPERATION_ENCRYPT]);
out:
	return entry_end("C_EncryptFinal", session, rv);
}
