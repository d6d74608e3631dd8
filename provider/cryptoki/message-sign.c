/* SPDX-License-Identifier: Apache-2.0 */
/* Message-based signing functions. PKCS#11 3.0, section 5.14. */
#include "cryptoki/entry.h"

CK_RV
C_MessageSignInit(CK_SESSION_HANDLE handle, CK_MECHANISM *mechanism, CK_OBJECT_HANDLE key)
{
	(void)key;
	if (mechanism == NULL)
		return CKR_ARGUMENTS_BAD;
	return entry_unsupported("C_MessageSignInit", handle);
}

CK_RV
C_SignMessage(CK_SESSION_HANDLE handle, void *parameter, CK_ULONG parameter_size,
              unsigned char *data, CK_ULONG data_size, unsigned char *signature,
              CK_ULONG *signature_size)
{
	(void)signature;
	if ((parameter == NULL && parameter_size != 0) || (data == NULL && data_size != 0) ||
	    signature_size == NULL)
		return CKR_ARGUMENTS_BAD;
	return entry_unsupported("C_SignMessage", handle);
}

CK_RV
C_SignMessageBegin(CK_SESSION_HANDLE handle, void *parameter, CK_ULONG parameter_size)
{
	if (parameter == NULL && parameter_size != 0)
		return CKR_ARGUMENTS_BAD;
	return entry_unsupported("C_SignMessageBegin", handle);
}

CK_RV
C_SignMessageNext(CK_SESSION_HANDLE handle, void *parameter, CK_ULONG parameter_size,
                  unsigned char *data, CK_ULONG data_size, unsigned char *signature,
                  CK_ULONG *signature_size)
{
	(void)signature;
	(void)signature_size;
	if ((parameter == NULL && parameter_size != 0) || (data == NULL && data_size != 0))
		return CKR_ARGUMENTS_BAD;
	return entry_unsupported("C_SignMessageNext", handle);
}

CK_RV
C_MessageSignFinal(CK_SESSION_HANDLE handle)
{
	return entry_unsupported("C_MessageSignFinal", handle);
}
