/* SPDX-License-Identifier: Apache-2.0 */
/* Message-based decryption functions. PKCS#11 3.0, section 5.11. */
#include "cryptoki/entry.h"

CK_RV
C_MessageDecryptInit(CK_SESSION_HANDLE handle, CK_MECHANISM *mechanism, CK_OBJECT_HANDLE key)
{
	(void)key;
	if (mechanism == NULL)
		return CKR_ARGUMENTS_BAD;
	return entry_unsupported("C_MessageDecryptInit", handle);
}

CK_RV
C_DecryptMessage(CK_SESSION_HANDLE handle, void *parameter, CK_ULONG parameter_size,
                 unsigned char *aad, CK_ULONG aad_size, unsigned char *ciphertext,
                 CK_ULONG ciphertext_size, unsigned char *plaintext, CK_ULONG *plaintext_size)
{
	(void)plaintext;
	if ((parameter == NULL && parameter_size != 0) || (aad == NULL && aad_size != 0) ||
	    (ciphertext == NULL && ciphertext_size != 0) || plaintext_size == NULL)
		return CKR_ARGUMENTS_BAD;
	return entry_unsupported("C_DecryptMessage", handle);
}

CK_RV
C_DecryptMessageBegin(CK_SESSION_HANDLE handle, void *parameter, CK_ULONG parameter_size,
                      unsigned char *aad, CK_ULONG aad_size)
{
	if ((parameter == NULL && parameter_size != 0) || (aad == NULL && aad_size != 0))
		return CKR_ARGUMENTS_BAD;
	return entry_unsupported("C_DecryptMessageBegin", handle);
}

CK_RV
C_DecryptMessageNext(CK_SESSION_HANDLE handle, void *parameter, CK_ULONG parameter_size,
                     unsigned char *ciphertext, CK_ULONG ciphertext_size, unsigned char *plaintext,
                     CK_ULONG *plaintext_size, CK_FLAGS flags)
{
	(void)plaintext;
	(void)flags;
	if ((parameter == NULL && parameter_size != 0) ||
	    (ciphertext == NULL && ciphertext_size != 0) || plaintext_size == NULL)
		return CKR_ARGUMENTS_BAD;
	return entry_unsupported("C_DecryptMessageNext", handle);
}

CK_RV
C_MessageDecryptFinal(CK_SESSION_HANDLE handle)
{
	return entry_unsupported("C_MessageDecryptFinal", handle);
}
