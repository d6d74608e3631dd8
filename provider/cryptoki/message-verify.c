/* SPDX-License-Identifier: Apache-2.0 */
/* Message-based verification functions. PKCS#11 3.0, section 5.16. */
#include "cryptoki/entry.h"

CK_RV
C_MessageVerifyInit(CK_SESSION_HANDLE handle, CK_MECHANISM *mechanism, CK_OBJECT_HANDLE key)
{
	(void)key;
	if (mechanism == NULL)
		return CKR_ARGUMENTS_BAD;
	return entry_unsupported("C_MessageVerifyInit", handle);
}

CK_RV
C_VerifyMessage(CK_SESSION_HANDLE handle, void *parameter, CK_ULONG parameter_size,
                unsigned char *data, CK_ULONG data_size, unsigned char *signature,
                CK_ULONG signature_size)
{
	if ((parameter == NULL && parameter_size != 0) || (data == NULL && data_size != 0) ||
	    (signature == NULL && signature_size != 0))
		return CKR_ARGUMENTS_BAD;
	return entry_unsupported("C_VerifyMessage", handle);
}

CK_RV
C_VerifyMessageBegin(CK_SESSION_HANDLE handle, void *parameter, CK_ULONG parameter_size)
{
	if (parameter == NULL && parameter_size != 0)
		return CKR_ARGUMENTS_BAD;
	return entry_unsupported("C_VerifyMessageBegin", handle);
}

CK_RV
C_VerifyMessageNext(CK_SESSION_HANDLE handle, void *parameter, CK_ULONG parameter_size,
                    unsigned char *data, CK_ULONG data_size, unsigned char *signature,
                    CK_ULONG signature_size)
{
	if ((parameter == NULL && parameter_size != 0) || (data == NULL && data_size != 0) ||
	    (signature == NULL && signature_size != 0))
		return CKR_ARGUMENTS_BAD;
	return entry_unsupported("C_VerifyMessageNext", handle);
}

CK_RV
C_MessageVerifyFinal(CK_SESSION_HANDLE handle)
{
	return entry_unsupported("C_MessageVerifyFinal", handle);
}
