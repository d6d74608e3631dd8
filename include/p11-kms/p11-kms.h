/* SPDX-License-Identifier: Apache-2.0 */
/*
 * p11-kms: what the module adds to the standard. No application needs any of it.
 */
#ifndef P11_KMS_H
#define P11_KMS_H

/*
 * Vendor attributes of public and private keys, the first two also of certificates that are
 * kept with a version; read only. PKCS#11 3.0, section 4.1 leaves the range above
 * CKA_VENDOR_DEFINED to vendors; these lie in a block of our own.
 */
#define CKA_P11_KMS_BASE (0x80000000UL | 0x504b4d00UL) /* "PKM" */

/* The key's name: UTF-8, no terminating zero. */
#define CKA_P11_KMS_KEY_NAME (CKA_P11_KMS_BASE | 0x01UL)
/* The version's number, from 1: CK_ULONG. */
#define CKA_P11_KMS_VERSION (CKA_P11_KMS_BASE | 0x02UL)
/* The version's state: CK_ULONG, one of CKS_P11_KMS_*. */
#define CKA_P11_KMS_STATE (CKA_P11_KMS_BASE | 0x03UL)
/* When the key is due to rotate: CK_DATE, empty when never. */
#define CKA_P11_KMS_NEXT_ROTATION (CKA_P11_KMS_BASE | 0x04UL)
/*
 * The offline recovery key that the key's policy names: DER SubjectPublicKeyInfo of an RSA key,
 * empty when there is none. Whoever wraps a data key under this key wraps it under that one, too:
 * C_CreateObject makes a session object of it (CKA_PUBLIC_KEY_INFO).
 */
#define CKA_P11_KMS_RECOVERY (CKA_P11_KMS_BASE | 0x05UL)

/* States of a version (NIST SP 800-57 part 1, section 7). Others are not shown. */
#define CKS_P11_KMS_ACTIVE 1UL      /* encrypts, signs, wraps; decrypts, verifies, unwraps */
#define CKS_P11_KMS_DEACTIVATED 2UL /* decrypts, verifies, unwraps */
#define CKS_P11_KMS_COMPROMISED 3UL /* as deactivated; do not trust new signatures */

#endif
