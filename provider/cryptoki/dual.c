/* SPDX-License-Identifier: Apache-2.0 */
/* Dual-function cryptographic functions. PKCS#11 3.0, section 5.17. */
#include "cryptoki/crypt.h"

CK_RV
C_DigestEncryptUpdate(CK_SESSION_HANDLE handle, unsigned char *part, CK_ULONG part_size,
                      unsigned char *encrypted, CK_ULONG *encrypted_size)
{
	return crypt_dual("C_DigestEncryptUpdate", handle, OPERATION_ENCRYPT, OPERATION_DIGEST, part,
	                  part_size, encrypted, encrypted_size);
}

CK_RV
C_DecryptDigestUpdate(CK_SESSION_HANDLE handle, unsigned char *encrypted, CK_ULONG encrypted_size,
                      unsigned char *part, CK_ULONG *part_size)
{
	return crypt_dual("C_DecryptDigestUpdate", handle, OPERATION_DECRYPT, OPERATION_DIGEST,
	                  encrypted, encrypted_size, part, part_size);
}

CK_RV
C_SignEncryptUpdate(CK_SESSION_HANDLE handle, unsigned char *part, CK_ULONG part_size,
                    unsigned char *encrypted, CK_ULONG *encrypted_size)
{
	return crypt_dual("C_SignEncryptUpdate", handle, OPERATION_ENCRYPT, OPERATION_SIGN, part,
	                  part_size, encrypted, encrypted_size);
}

CK_RV
C_DecryptVerifyUpdate(CK_SESSION_HANDLE handle, unsigned char *encrypted, CK_ULONG encrypted_size,
                      unsigned char *part, CK_ULONG *part_size)
{
	return crypt_dual("C_DecryptVerifyUpdate", handle, OPERATION_DECRYPT, OPERATION_VERIFY,
	                  encrypted, encrypted_size, part, part_size);
}
