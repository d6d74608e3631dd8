/* SPDX-License-Identifier: Apache-2.0 */
/* A kms with the server of kmip-fixture.h behind it, and what the tests ask of it. */
#ifndef P11_KMS_TESTS_KMIP_CALLS_H
#define P11_KMS_TESTS_KMIP_CALLS_H

#include "kmip-fixture.h"

#include "base/buffer.h"
#include "base/clock.h"
#include "base/secret.h"

#include <stddef.h>
#include <stdint.h>

extern struct kms *kms;
extern struct buffer spki; /* of what was generated last */

/* The CKA_ID of what is generated. */
#define ID_SIZE 3
extern const unsigned char id[ID_SIZE];
#define KEY { id, ID_SIZE, 0, false }

/* Fixture: the server and the kms. No test may have fetched a private key. */
void setup(void);
void teardown(void);
/* Another kms in the place of the old one. */
void reopen(void);

/* As check's timeouts are: valgrind takes its time. */
int64_t patience(int64_t milliseconds);
struct deadline soon(void);

CK_RV try_generate(const char *algorithm);
void generate(const char *algorithm);
void describe(struct kms_description *ret_description);

/* DigestInfo of a SHA-256 of zeros. */
#define DIGEST_INFO_SIZE 51
extern const unsigned char digest_info[DIGEST_INFO_SIZE];
CK_RV sign_with(struct kms_key *key, CK_MECHANISM_TYPE type, void *parameter,
                size_t parameter_size, const void *data, size_t size);
/* That digest_info, with PKCS#1 v1.5. */
CK_RV sign(void);

/* OAEP with the RSA pair of the fixture: size of the ciphertext, which has 256 bytes. */
size_t encrypt_oaep(const EVP_MD *hash, const void *data, size_t size,
                    unsigned char *ret_ciphertext);
CK_RV decrypt_with(CK_MECHANISM_TYPE hash, CK_RSA_PKCS_MGF_TYPE mgf, const void *data,
                   size_t size, struct secret **ret_plaintext);

#endif
