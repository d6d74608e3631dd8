/* SPDX-License-Identifier: Apache-2.0 */
/* What encryption and decryption have in common: all but their names. */
#ifndef P11_KMS_CRYPTOKI_CRYPT_H
#define P11_KMS_CRYPTOKI_CRYPT_H

#include "cryptoki/entry.h"

/* The whole of C_Encrypt and C_Decrypt, C_…Update and C_…Final (sections 5.8 and 5.10). */
CK_RV crypt_single(const char *function, CK_SESSION_HANDLE handle, enum operation_kind kind,
                   const void *in, CK_ULONG in_size, unsigned char *out, CK_ULONG *out_size);
CK_RV crypt_update(const char *function, CK_SESSION_HANDLE handle, enum operation_kind kind,
                   const void *in, CK_ULONG in_size, unsigned char *out, CK_ULONG *out_size);
CK_RV crypt_final(const char *function, CK_SESSION_HANDLE handle, enum operation_kind kind,
                  unsigned char *out, CK_ULONG *out_size);

/*
 * The whole of a dual function (section 5.17): the plaintext goes through crypt (encrypting or
 * decrypting) and through other (digesting, signing or verifying).
 */
CK_RV crypt_dual(const char *function, CK_SESSION_HANDLE handle, enum operation_kind crypt,
                 enum operation_kind other, const void *in, CK_ULONG in_size,
                 unsigned char *out, CK_ULONG *out_size);

#endif
