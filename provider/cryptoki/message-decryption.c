/* SPDX-License-Identifier: Apache-2.0 */
/* Message-based decryption functions. PKCS#11 3.0, section 5.11. */
#include "cryptoki/message-crypt.h"

CK_RV
C_MessageDecryptInit(CK_SESSION_HANDLE handle, CK_MECHANISM *mechanism, CK_OBJECT_HANDLE key)
{
	return entry_message_init("C_MessageDecryptInit", handle, MESSAGE_DECRYPT, mechanism, key);
}

CK_RV
C_DecryptMessage(CK_SESSION_HANDLE handle, void *parameter, CK_ULONG parameter_size,
                 unsigned char *aad, CK_ULONG aad_size, unsigned char *ciphertext,
                 CK_ULONG ciphertext_size, unsigned char *plaintext, CK_ULONG *plaintext_size)
{
	return message_crypt_single("C_DecryptMessage", handle, MESSAGE_DECRYPT, parameter,
	                            parameter_size, aad, aad_size, ciphertext, ciphertext_size,
	                            plaintext, plaintext_size);
}

CK_RV
C_DecryptMessageBegin(CK_SESSION_HANDLE handle, void *parameter, CK_ULONG parameter_size,
                      unsigned char *aad, CK_ULONG aad_size)
{
	return message_crypt_begin("C_DecryptMessageBegin", handle, MESSAGE_DECRYPT, parameter,
	                           parameter_size, aad, aad_size);
}

CK_RV
C_DecryptMessageNext(CK_SESSION_HANDLE handle, void *parameter, CK_ULONG parameter_size,
                     unsigned char *ciphertext, CK_ULONG ciphertext_size, unsigned char *plaintext,
                     CK_ULONG *plaintext_size, CK_FLAGS flags)
{
	return message_crypt_next("C_DecryptMessageNext", handle, MESSAGE_DECRYPT, parameter,
	                          parameter_size, ciphertext, ciphertext_size, plaintext,
	                          plaintext_size, flags);
}

CK_RV
C_MessageDecryptFinal(CK_SESSION_HANDLE handle)
{
	return entry_message_final("C_MessageDecryptFinal", handle, MESSAGE_DECRYPT);
}
