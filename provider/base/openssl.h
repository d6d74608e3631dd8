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
#include <openssl/kdf.h>
#include <stddef.h>

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

/* AES in the modes that are used here. */
enum openssl_mode {
	OPENSSL_ECB,
	OPENSSL_CBC,
	OPENSSL_CTR,
	OPENSSL_GCM,
	OPENSSL_CCM,
	OPENSSL_WRAP,     /* RFC 3394 */
	OPENSSL_WRAP_PAD, /* RFC 5649 */
	OPENSSL_MODES
};

enum openssl_mac { OPENSSL_HMAC, OPENSSL_CMAC, OPENSSL_MACS };

/*
 * Fetched at first use and kept until the stop: a program that only signs does not pay for
 * them. key_size: 16, 24, 32 bytes. NULL: another size, or OpenSSL failed (openssl_failure
 * tells). Borrowed.
 */
const EVP_CIPHER *openssl_cipher(enum openssl_mode mode, size_t key_size);
EVP_MAC *openssl_mac(enum openssl_mac mac);
EVP_KDF *openssl_x963kdf(void);

/* SEQUENCE of two INTEGERs of up to 67 bytes, with their headers: 141 for P-521. */
#define OPENSSL_ECDSA_DER_MAX 160

/*
 * r and s side by side, as PKCS#11 has them (mechanisms 3.0, section 2.3.1), to the DER that
 * OpenSSL and X.509 want. size: of both, at most 132 (P-521). CKR_HOST_MEMORY.
 */
MUST_USE CK_RV openssl_ecdsa_der(const unsigned char *signature, size_t size,
                                 unsigned char der[OPENSSL_ECDSA_DER_MAX], size_t *ret_size);

/*
 * What an OpenSSL call that failed means: CKR_HOST_MEMORY when memory was short, else
 * fallback. Drains the error queue (details go to the debug log).
 */
CK_RV openssl_failure(CK_RV fallback);

#endif
