/* SPDX-License-Identifier: Apache-2.0 */
/* Encryption mechanisms, and OpenSSL's own encryption to the same public key. */
#ifndef P11_KMS_TESTS_ENCRYPTION_H
#define P11_KMS_TESTS_ENCRYPTION_H

#include "pair.h"

#define CIPHERTEXT_MAX 1024

struct encryption {
	const char *name;
	CK_MECHANISM_TYPE type;
	const char *digest; /* of OAEP */
	const char *mgf_digest;
	const char *label;
};

size_t encryption_count(void);
const struct encryption *encryption_at(size_t index);

/* Points into itself. */
struct encryption_mechanism {
	CK_MECHANISM mechanism;
	CK_RSA_PKCS_OAEP_PARAMS oaep;
};
void encryption_mechanism(const struct encryption *encryption,
                          struct encryption_mechanism *ret_mechanism);
/* The longest plaintext for a key of so many bytes. */
CK_ULONG encryption_input_max(const struct encryption *encryption, CK_ULONG key_size);

CK_ULONG encryption_encrypt(const struct encryption *encryption, EVP_PKEY *key,
                            const unsigned char *data, size_t size,
                            unsigned char *ret_ciphertext);

#endif
