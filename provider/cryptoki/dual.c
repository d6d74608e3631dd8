/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Dual-function cryptographic functions. PKCS#11 3.0, section 5.17: the token has no
 * mechanism that encrypts or decrypts in parts, so it says CKR_FUNCTION_NOT_SUPPORTED and
 * CKF_DUAL_CRYPTO_OPERATIONS is not set.
 */
#include "cryptoki/entry.h"

CK_RV
C_DigestEncryptUpdate(CK_SESSION_HANDLE handle, unsigned char *part, CK_ULONG part_size,
                      unsigned char *encrypted, CK_ULONG *encrypted_size)
{
	(void)encrypted;
	if ((part == NULL && part_size != 0) || encrypted_size == NULL)
		return CKR_ARGUMENTS_BAD;
	return entry_unsupported("C_DigestEncryptUpdate", handle);
}

CK_RV
C_DecryptDigestUpdate(CK_SESSION_HANDLE handle, unsigned char *encrypted, CK_ULONG encrypted_size,
                      unsigned char *part, CK_ULONG *part_size)
{
	(void)part;
	if ((encrypted == NULL && encrypted_size != 0) || part_size == NULL)
		return CKR_ARGUMENTS_BAD;
	return entry_unsupported("C_DecryptDigestUpdate", handle);
}

CK_RV
C_SignEncryptUpdate(CK_SESSION_HANDLE handle, unsigned char *part, CK_ULONG part_size,
                    unsigned char *encrypted, CK_ULONG *encrypted_size)
{
	(void)encrypted;
	if ((part == NULL && part_size != 0) || encrypted_size == NULL)
		return CKR_ARGUMENTS_BAD;
	return entry_unsupported("C_SignEncryptUpdate", handle);
}

CK_RV
C_DecryptVerifyUpdate(CK_SESSION_HANDLE handle, unsigned char *encrypted, CK_ULONG encrypted_size,
                      unsigned char *part, CK_ULONG *part_size)
{
	(void)part;
	if ((encrypted == NULL && encrypted_size != 0) || part_size == NULL)
		return CKR_ARGUMENTS_BAD;
	return entry_unsupported("C_DecryptVerifyUpdate", handle);
}
