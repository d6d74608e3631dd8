/* SPDX-License-Identifier: Apache-2.0 */
/* Encryption functions. PKCS#11 3.0, section 5.8. */
#include "cryptoki/crypt.h"

CK_RV
C_EncryptInit(CK_SESSION_HANDLE handle, CK_MECHANISM *mechanism, CK_OBJECT_HANDLE key)
{
	return entry_init("C_EncryptInit", handle, OPERATION_ENCRYPT, mechanism, key);
}

CK_RV
C_Encrypt(CK_SESSION_HANDLE handle, unsigned char *data, CK_ULONG data_size,
          unsigned char *encrypted, CK_ULONG *encrypted_size)
{
	return crypt_single("C_Encrypt", handle, OPERATION_ENCRYPT, data, data_size, encrypted,
	                    encrypted_size);
}

CK_RV
C_EncryptUpdate(CK_SESSION_HANDLE handle, unsigned char *part, CK_ULONG part_size,
                unsigned char *encrypted, CK_ULONG *encrypted_size)
{
	return crypt_update("C_EncryptUpdate", handle, OPERATION_ENCRYPT, part, part_size,
	                    encrypted, encrypted_size);
}

CK_RV
C_EncryptFinal(CK_SESSION_HANDLE handle, unsigned char *encrypted, CK_ULONG *encrypted_size)
{
	return crypt_final("C_EncryptFinal", handle, OPERATION_ENCRYPT, encrypted,
	                   encrypted_size);
}
