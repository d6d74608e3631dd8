/* SPDX-License-Identifier: Apache-2.0 */
/* CKA_CHECK_VALUE of secret keys. PKCS#11 3.0, section 4.10.2; mechanisms 3.0, section 2.6. */
#ifndef P11_KMS_MECHANISM_CHECK_VALUE_H
#define P11_KMS_MECHANISM_CHECK_VALUE_H

#include "base/compiler.h"
#include "base/pkcs11.h"
#include "base/secret.h"

#define CHECK_VALUE_SIZE 3

/* The first bytes of a block of zeros encrypted with the key, or of the SHA-1 of a key that is no AES key. */
MUST_USE CK_RV check_value(CK_KEY_TYPE key_type, const struct secret *value,
                           unsigned char ret_value[CHECK_VALUE_SIZE]);

#endif
