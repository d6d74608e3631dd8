/* SPDX-License-Identifier: Apache-2.0 */
/* Decryption functions. PKCS#11 3.0, section 5.10. */
#include "cryptoki/crypt.h"

CK_RV
C_DecryptInit(CK_SESSION_HANDLE handle, CK_MECHANISM *mechanism, CK_OBJECT_HANDLE key)
{
	return entry_init("C_DecryptInit", handle, OPERATION_DECRYPT, mechanism, key);
}

CK_RV
C_Decrypt(CK_SESSION_HANDLE handle, unsigned char *encrypted, CK_ULONG encrypted_size,
          unsigned char *data, CK_ULONG *data_size)
{
	return crypt_single("C_Decrypt", handle, OPERATION_DECRYPT, encrypted, encrypted_size, data,
	                    data_size);
}

CK_RV
C_DecryptUpdate(CK_SESSION_HANDLE handle, unsigned char *encrypted, CK_ULONG encrypted_size,
                unsigned char *part, CK_ULONG *part_size)
{
	return crypt_update("C_DecryptUpdate", handle, OPERATION_DECRYPT, encrypted, encrypted_size,
	                    part, part_size);
}

CK_RV
C_DecryptFinal(CK_SESSION_HANDLE handle, unsigned char *part, CK_ULONG *part_size)
{
	return crypt_final("C_DecryptFinal", handle, OPERATION_DECRYPT, part, part_size);
}
