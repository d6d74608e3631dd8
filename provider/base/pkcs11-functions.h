/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The functions that PKCS#11 3.0 adds to those of 2.40, for p11-kit headers that don't have
 * them (before 0.25). Only for base/pkcs11.h to include.
 */
#ifndef P11_KMS_BASE_PKCS11_FUNCTIONS_H
#define P11_KMS_BASE_PKCS11_FUNCTIONS_H

/* Section 3.3. */
typedef struct CK_INTERFACE {
	CK_UTF8CHAR *pInterfaceName;
	void *pFunctionList; /* begins with a CK_VERSION */
	CK_FLAGS flags;
} CK_INTERFACE;

/* Declares the function, and its pointer's type as the standard names that. */
#define DECLARE(name, args) \
	typedef CK_RV (*CK_##name) args; \
	CK_RV name args

DECLARE(C_GetInterfaceList, (CK_INTERFACE *list, CK_ULONG *count));
DECLARE(C_GetInterface,
        (CK_UTF8CHAR *name, CK_VERSION *version, CK_INTERFACE **interface, CK_FLAGS flags));
DECLARE(C_LoginUser,
        (CK_SESSION_HANDLE session, CK_USER_TYPE user, CK_UTF8CHAR *pin, CK_ULONG pin_size,
         CK_UTF8CHAR *name, CK_ULONG name_size));
DECLARE(C_SessionCancel, (CK_SESSION_HANDLE session, CK_FLAGS flags));
DECLARE(C_MessageEncryptInit,
        (CK_SESSION_HANDLE session, CK_MECHANISM *mechanism, CK_OBJECT_HANDLE key));
DECLARE(C_EncryptMessage,
        (CK_SESSION_HANDLE session, void *parameter, CK_ULONG parameter_size, unsigned char *aad,
         CK_ULONG aad_size, unsigned char *plaintext, CK_ULONG plaintext_size,
         unsigned char *ciphertext, CK_ULONG *ciphertext_size));
DECLARE(C_EncryptMessageBegin,
        (CK_SESSION_HANDLE session, void *parameter, CK_ULONG parameter_size, unsigned char *aad,
         CK_ULONG aad_size));
DECLARE(C_EncryptMessageNext,
        (CK_SESSION_HANDLE session, void *parameter, CK_ULONG parameter_size,
         unsigned char *plaintext, CK_ULONG plaintext_size, unsigned char *ciphertext,
         CK_ULONG *ciphertext_size, CK_FLAGS flags));
DECLARE(C_MessageEncryptFinal, (CK_SESSION_HANDLE session));
DECLARE(C_MessageDecryptInit,
        (CK_SESSION_HANDLE session, CK_MECHANISM *mechanism, CK_OBJECT_HANDLE key));
DECLARE(C_DecryptMessage,
        (CK_SESSION_HANDLE session, void *parameter, CK_ULONG parameter_size, unsigned char *aad,
         CK_ULONG aad_size, unsigned char *ciphertext, CK_ULONG ciphertext_size,
         unsigned char *plaintext, CK_ULONG *plaintext_size));
DECLARE(C_DecryptMessageBegin,
        (CK_SESSION_HANDLE session, void *parameter, CK_ULONG parameter_size, unsigned char *aad,
         CK_ULONG aad_size));
DECLARE(C_DecryptMessageNext,
        (CK_SESSION_HANDLE session, void *parameter, CK_ULONG parameter_size,
         unsigned char *ciphertext, CK_ULONG ciphertext_size, unsigned char *plaintext,
         CK_ULONG *plaintext_size, CK_FLAGS flags));
DECLARE(C_MessageDecryptFinal, (CK_SESSION_HANDLE session));
DECLARE(C_MessageSignInit,
        (CK_SESSION_HANDLE session, CK_MECHANISM *mechanism, CK_OBJECT_HANDLE key));
DECLARE(C_SignMessage,
        (CK_SESSION_HANDLE session, void *parameter, CK_ULONG parameter_size, unsigned char *data,
         CK_ULONG data_size, unsigned char *signature, CK_ULONG *signature_size));
DECLARE(C_SignMessageBegin, (CK_SESSION_HANDLE session, void *parameter, CK_ULONG parameter_size));
DECLARE(C_SignMessageNext,
        (CK_SESSION_HANDLE session, void *parameter, CK_ULONG parameter_size, unsigned char *data,
         CK_ULONG data_size, unsigned char *signature, CK_ULONG *signature_size));
DECLARE(C_MessageSignFinal, (CK_SESSION_HANDLE session));
DECLARE(C_MessageVerifyInit,
        (CK_SESSION_HANDLE session, CK_MECHANISM *mechanism, CK_OBJECT_HANDLE key));
DECLARE(C_VerifyMessage,
        (CK_SESSION_HANDLE session, void *parameter, CK_ULONG parameter_size, unsigned char *data,
         CK_ULONG data_size, unsigned char *signature, CK_ULONG signature_size));
DECLARE(C_VerifyMessageBegin,
        (CK_SESSION_HANDLE session, void *parameter, CK_ULONG parameter_size));
DECLARE(C_VerifyMessageNext,
        (CK_SESSION_HANDLE session, void *parameter, CK_ULONG parameter_size, unsigned char *data,
         CK_ULONG data_size, unsigned char *signature, CK_ULONG signature_size));
DECLARE(C_MessageVerifyFinal, (CK_SESSION_HANDLE session));

#undef DECLARE

/* Section 3.6: the functions of 2.40 in their order, then the new ones. */
typedef struct _CK_FUNCTION_LIST_3_0 CK_FUNCTION_LIST_3_0;
struct _CK_FUNCTION_LIST_3_0 {
	CK_VERSION version;
	CK_C_Initialize C_Initialize;
	CK_C_Finalize C_Finalize;
	CK_C_GetInfo C_GetInfo;
	CK_C_GetFunctionList C_GetFunctionList;
	CK_C_GetSlotList C_GetSlotList;
	CK_C_GetSlotInfo C_GetSlotInfo;
	CK_C_GetTokenInfo C_GetTokenInfo;
	CK_C_GetMechanismList C_GetMechanismList;
	CK_C_GetMechanismInfo C_GetMechanismInfo;
	CK_C_InitToken C_InitToken;
	CK_C_InitPIN C_InitPIN;
	CK_C_SetPIN C_SetPIN;
	CK_C_OpenSession C_OpenSession;
	CK_C_CloseSession C_CloseSession;
	CK_C_CloseAllSessions C_CloseAllSessions;
	CK_C_GetSessionInfo C_GetSessionInfo;
	CK_C_GetOperationState C_GetOperationState;
	CK_C_SetOperationState C_SetOperationState;
	CK_C_Login C_Login;
	CK_C_Logout C_Logout;
	CK_C_CreateObject C_CreateObject;
	CK_C_CopyObject C_CopyObject;
	CK_C_DestroyObject C_DestroyObject;
	CK_C_GetObjectSize C_GetObjectSize;
	CK_C_GetAttributeValue C_GetAttributeValue;
	CK_C_SetAttributeValue C_SetAttributeValue;
	CK_C_FindObjectsInit C_FindObjectsInit;
	CK_C_FindObjects C_FindObjects;
	CK_C_FindObjectsFinal C_FindObjectsFinal;
	CK_C_EncryptInit C_EncryptInit;
	CK_C_Encrypt C_Encrypt;
	CK_C_EncryptUpdate C_EncryptUpdate;
	CK_C_EncryptFinal C_EncryptFinal;
	CK_C_DecryptInit C_DecryptInit;
	CK_C_Decrypt C_Decrypt;
	CK_C_DecryptUpdate C_DecryptUpdate;
	CK_C_DecryptFinal C_DecryptFinal;
	CK_C_DigestInit C_DigestInit;
	CK_C_Digest C_Digest;
	CK_C_DigestUpdate C_DigestUpdate;
	CK_C_DigestKey C_DigestKey;
	CK_C_DigestFinal C_DigestFinal;
	CK_C_SignInit C_SignInit;
	CK_C_Sign C_Sign;
	CK_C_SignUpdate C_SignUpdate;
	CK_C_SignFinal C_SignFinal;
	CK_C_SignRecoverInit C_SignRecoverInit;
	CK_C_SignRecover C_SignRecover;
	CK_C_VerifyInit C_VerifyInit;
	CK_C_Verify C_Verify;
	CK_C_VerifyUpdate C_VerifyUpdate;
	CK_C_VerifyFinal C_VerifyFinal;
	CK_C_VerifyRecoverInit C_VerifyRecoverInit;
	CK_C_VerifyRecover C_VerifyRecover;
	CK_C_DigestEncryptUpdate C_DigestEncryptUpdate;
	CK_C_DecryptDigestUpdate C_DecryptDigestUpdate;
	CK_C_SignEncryptUpdate C_SignEncryptUpdate;
	CK_C_DecryptVerifyUpdate C_DecryptVerifyUpdate;
	CK_C_GenerateKey C_GenerateKey;
	CK_C_GenerateKeyPair C_GenerateKeyPair;
	CK_C_WrapKey C_WrapKey;
	CK_C_UnwrapKey C_UnwrapKey;
	CK_C_DeriveKey C_DeriveKey;
	CK_C_SeedRandom C_SeedRandom;
	CK_C_GenerateRandom C_GenerateRandom;
	CK_C_GetFunctionStatus C_GetFunctionStatus;
	CK_C_CancelFunction C_CancelFunction;
	CK_C_WaitForSlotEvent C_WaitForSlotEvent;
	CK_C_GetInterfaceList C_GetInterfaceList;
	CK_C_GetInterface C_GetInterface;
	CK_C_LoginUser C_LoginUser;
	CK_C_SessionCancel C_SessionCancel;
	CK_C_MessageEncryptInit C_MessageEncryptInit;
	CK_C_EncryptMessage C_EncryptMessage;
	CK_C_EncryptMessageBegin C_EncryptMessageBegin;
	CK_C_EncryptMessageNext C_EncryptMessageNext;
	CK_C_MessageEncryptFinal C_MessageEncryptFinal;
	CK_C_MessageDecryptInit C_MessageDecryptInit;
	CK_C_DecryptMessage C_DecryptMessage;
	CK_C_DecryptMessageBegin C_DecryptMessageBegin;
	CK_C_DecryptMessageNext C_DecryptMessageNext;
	CK_C_MessageDecryptFinal C_MessageDecryptFinal;
	CK_C_MessageSignInit C_MessageSignInit;
	CK_C_SignMessage C_SignMessage;
	CK_C_SignMessageBegin C_SignMessageBegin;
	CK_C_SignMessageNext C_SignMessageNext;
	CK_C_MessageSignFinal C_MessageSignFinal;
	CK_C_MessageVerifyInit C_MessageVerifyInit;
	CK_C_VerifyMessage C_VerifyMessage;
	CK_C_VerifyMessageBegin C_VerifyMessageBegin;
	CK_C_VerifyMessageNext C_VerifyMessageNext;
	CK_C_MessageVerifyFinal C_MessageVerifyFinal;
};

#endif
