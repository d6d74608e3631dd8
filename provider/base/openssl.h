/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The library context that all cryptography here uses: private, with the default provider
 * loaded by name, so that an openssl.cnf which loads p11-kms.so does not recurse into us.
 */
#ifndef P11_KMS_BASE_OPENSSL_H
#define P11_KMS_BASE_OPENSSL_H

#include "base/compiler.h"
#include "base/pkcs11.h"

#include <openssl/evp.h>

/*
 * Makes the context and fetches the algorithms. Calls nest: each needs its openssl_stop.
 * CKR_GENERAL_ERROR when OpenSSL has no default provider, CKR_HOST_MEMORY.
 */
MUST_USE CK_RV openssl_start(void);
void openssl_stop(void);

/* Valid between start and stop. Borrowed. */
OSSL_LIB_CTX *openssl_context(void);

/* The fetched digest of CKM_SHA_1, CKM_SHA224 … CKM_SHA512; NULL for others. Borrowed. */
const EVP_MD *openssl_digest(CK_MECHANISM_TYPE digest);

/*
 * What an OpenSSL call that failed means: CKR_HOST_MEMORY when memory was short, else
 * fallback. Drains the error queue (details go to the debug log).
 */
CK_RV openssl_failure(CK_RV fallback);

#endif
