/* SPDX-License-Identifier: Apache-2.0 */
/* Decryption functions. PKCS#11 3.0, section 5.10. */
#include "cryptoki/entry.h"

#include <string.h>

CK_RV
C_DecryptInit(CK_SESSION_HANDLE handle, CK_MECHANISM *mechanism, CK_OBJECT_HANDLE key)
{
	return entry_init("C_DecryptInit", handle, OPERATION_DECRYPT, mechanism, key);
}

CK_RV
C_Decrypt(CK_SESSION_HANDLE handle, unsigned char *encrypted, CK_ULONG encrypted_size,
          unsigned char *data, CK_ULONG *data_size)
{
	struct session *session = NULL;
	struct operation *operation;
	struct secret *plaintext = NULL;
	CK_RV rv;

	if ((encrypted == NULL && encrypted_size != 0) || data_size == NULL)
		return CKR_ARGUMENTS_BAD;
	rv = entry_begin(handle, &session);
	if (rv != CKR_OK)
		goto out;
	rv = entry_operation(session, OPERATION_DECRYPT, true, &operation);
	if (rv != CKR_OK)
		goto out;
	/* How long the plaintext is shows only once it is there; a query is told the most. */
	if (data == NULL) {
		*data_size = operation_output_size(operation);
		goto out;
	}
	rv = operation_decrypt(operation, encrypted, encrypted_size, &plaintext);
	if (rv == CKR_OK && entry_room(secret_size(plaintext), data, data_size, &rv)) {
		memcpy(data, secret_bytes(plaintext), secret_size(plaintext));
		*data_size = secret_size(plaintext);
	}
	secret_free(&plaintext);
	if (rv != CKR_BUFFER_TOO_SMALL)
		operation_free(&session->operations[OPERATION_DECRYPT]);
out:
	return entry_end("C_Decrypt", session, rv);
}

/* No mechanism decrypts in parts; an error ends the operation (section 5.10.3). */
CK_RV
C_DecryptUpdate(CK_SESSION_HANDLE handle, unsigned char *encrypted, CK_ULONG encrypted_size,
                unsigned char *part, CK_ULONG *part_size)
{
	struct session *session = NULL;
	struct operation *operation;
	CK_RV rv;

	(void)part;
	if ((encrypted == NULL && encrypted_size != 0) || part_size == NULL)
		return CKR_ARGUMENTS_BAD;
	rv = entry_begin(handle, &session);
	if (rv != CKR_OK)
		goto out;
	rv = entry_operation(session, OPERATION_DECRYPT, false, &operation);
	if (rv != CKR_OK)
		goto out;
	rv = operation_update(operation, encrypted, encrypted_size);
	operation_free(&session->operations[OPERATION_DECRYPT]);
out:
	return entry_end("C_DecryptUpdate", session, rv);
}

CK_RV
C_DecryptFinal(CK_SESSION_HANDLE handle, unsigned char *part, CK_ULONG *part_size)
{
	struct session *session = NULL;
	struct operation *operation;
	CK_RV rv;

	(void)part;
	if (part_size == NULL)
		return CKR_ARGUMENTS_BAD;
	rv = entry_begin(handle, &session);
	if (rv != CKR_OK)
		goto out;
	rv = entry_operation(session, OPERATION_DECRYPT, false, &operation);
	if (rv != CKR_OK)
		goto out;
	rv = CKR_FUNCTION_NOT_SUPPORTED;
	operation_free(&session->operations[OPERATION_DECRYPT]);
out:
	return entry_end("C_DecryptFinal", session, rv);
}
