/* SPDX-License-Identifier: Apache-2.0 */
/* Message-based encryption functions. PKCS#11 3.0, section 5.9. */
#include "cryptoki/message-crypt.h"

CK_RV
C_MessageEncryptInit(CK_SESSION_HANDLE handle, CK_MECHANISM *mechanism, CK_OBJECT_HANDLE key)
{
	return entry_message_init("C_MessageEncryptInit", handle, MESSAGE_ENCRYPT, mechanism, key);
}

CK_RV
C_EncryptMessage(CK_SESSION_HANDLE handle, void *parameter, CK_ULONG parameter_size,
                 unsigned char *aad, CK_ULONG aad_size, unsigned char *plaintext,
                 CK_ULONG plaintext_size, unsigned char *ciphertext, CK_ULONG *ciphertext_size)
{
	return message_crypt_single("C_EncryptMessage", handle, MESSAGE_ENCRYPT, parameter,
	                            parameter_size, aad, aad_size, plaintext, plaintext_size,
	                            ciphertext, ciphertext_size);
}

CK_RV
C_EncryptMessageBegin(CK_SESSION_HANDLE handle, void *parameter, CK_ULONG parameter_size,
                      unsigned char *aad, CK_ULONG aad_size)
{
	return message_crypt_begin("C_EncryptMessageBegin", handle, MESSAGE_ENCRYPT, parameter,
	                           parameter_size, aad, aad_size);
}

CK_RV
C_EncryptMessageNext(CK_SESSION_HANDLE handle, void *parameter, CK_ULONG parameter_size,
                     unsigned char *plaintext, CK_ULONG plaintext_size, unsigned char *ciphertext,
                     CK_ULONG *ciphertext_size, CK_FLAGS flags)
{
	return message_crypt_next("C_EncryptMessageNext", handle, MESSAGE_ENCRYPT, parameter,
	                          parameter_size, plaintext, plaintext_size, ciphertext,
	                          ciphertext_size, flags);
}

CK_RV
C_MessageEncryptFinal(CK_SESSION_HANDLE handle)
{
	return entry_message_final("C_MessageEncryptFinal", handle, MESSAGE_ENCRYPT);
}
