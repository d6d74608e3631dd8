/* SPDX-License-Identifier: Apache-2.0 */
/* Message-based encryption functions. PKCS#11 3.0, section 5.9. */
#include "cryptoki/entry.h"

CK_RV
C_MessageEncryptInit(CK_SESSION_HANDLE handle, CK_MECHANISM *mechanism, CK_OBJECT_HANDLE key)
{
	(void)key;
	if (mechanism == NULL)
		return CKR_ARGUMENTS_BAD;
	return entry_unsupported("C_MessageEncryptInit", handle);
}

CK_RV
C_EncryptMessage(CK_SESSION_HANDLE handle, void *parameter, CK_ULONG parameter_size,
                 unsigned char *aad, CK_ULONG aad_size, unsigned char *plaintext,
                 CK_ULONG plaintext_size, unsigned char *ciphertext, CK_ULONG *ciphertext_size)
{
	(void)ciphertext;
	if ((parameter == NULL && parameter_size != 0) || (aad == NULL && aad_size != 0) ||
	    (plaintext == NULL && plaintext_size != 0) || ciphertext_size == NULL)
		return CKR_ARGUMENTS_BAD;
	return entry_unsupported("C_EncryptMessage", handle);
}

CK_RV
C_EncryptMessageBegin(CK_SESSION_HANDLE handle, void *parameter, CK_ULONG parameter_size,
                      unsigned char *aad, CK_ULONG aad_size)
{
	if ((parameter == NULL && parameter_size != 0) || (aad == NULL && aad_size != 0))
		return CKR_ARGUMENTS_BAD;
	return entry_unsupported("C_EncryptMessageBegin", handle);
}

CK_RV
C_EncryptMessageNext(CK_SESSION_HANDLE handle, void *parameter, CK_ULONG parameter_size,
                     unsigned char *plaintext, CK_ULONG plaintext_size, unsigned char *ciphertext,
                     CK_ULONG *ciphertext_size, CK_FLAGS flags)
{
	(void)ciphertext;
	(void)flags;
	if ((parameter == NULL && parameter_size != 0) ||
	    (plaintext == NULL && plaintext_size != 0) || ciphertext_size == NULL)
		return CKR_ARGUMENTS_BAD;
	return entry_unsupported("C_EncryptMessageNext", handle);
}

CK_RV
C_MessageEncryptFinal(CK_SESSION_HANDLE handle)
{
	return entry_unsupported("C_MessageEncryptFinal", handle);
}
