/* SPDX-License-Identifier: Apache-2.0 */
/* Encrypting and decrypting messages: PKCS#11 3.0, sections 5.9 and 5.11, which mirror each other. */
#ifndef P11_KMS_CRYPTOKI_MESSAGE_CRYPT_H
#define P11_KMS_CRYPTOKI_MESSAGE_CRYPT_H

#include "cryptoki/entry.h"

/* The whole of C_EncryptMessage, C_EncryptMessageBegin, C_EncryptMessageNext and of those that decrypt. */
CK_RV message_crypt_single(const char *function, CK_SESSION_HANDLE handle, enum message_kind kind,
                           void *parameter, CK_ULONG parameter_size, const void *aad,
                           CK_ULONG aad_size, const void *in, CK_ULONG in_size,
                           unsigned char *out, CK_ULONG *out_size);
CK_RV message_crypt_begin(const char *function, CK_SESSION_HANDLE handle, enum message_kind kind,
                          void *parameter, CK_ULONG parameter_size, const void *aad,
                          CK_ULONG aad_size);
CK_RV message_crypt_next(const char *function, CK_SESSION_HANDLE handle, enum message_kind kind,
                         void *parameter, CK_ULONG parameter_size, const void *in,
                         CK_ULONG in_size, unsigned char *out, CK_ULONG *out_size,
                         CK_FLAGS flags);

#endif
