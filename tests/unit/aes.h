/* SPDX-License-Identifier: Apache-2.0 */
/* A second opinion on AES: OpenSSL in its own default context, and CCM made by hand from ECB. */
#ifndef P11_KMS_TESTS_AES_H
#define P11_KMS_TESTS_AES_H

#include "base/buffer.h"
#include "base/pkcs11.h"
#include "base/secret.h"

struct aes_message {
	CK_MECHANISM_TYPE type;
	const unsigned char *key;
	size_t key_size;
	const unsigned char *iv; /* or nonce, or counter block */
	size_t iv_size;
	const unsigned char *aad;
	size_t aad_size;
	size_t tag_size;
	const unsigned char *data;
	size_t size;
};

/* The ciphertext, the tag behind it. Ends the test when it fails. */
void aes_encrypt(const struct aes_message *message, struct buffer *ret_data);

/* Bytes that look random and are the same each time. */
void aes_fill(unsigned char *data, size_t size, unsigned seed);
struct secret *aes_key(size_t size, unsigned seed);

/* Bytes from hexadecimal. */
void aes_hex(const char *hex, struct buffer *ret_data);

#endif
