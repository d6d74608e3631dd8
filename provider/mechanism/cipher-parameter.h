/* SPDX-License-Identifier: Apache-2.0 */
/* Inside of mechanism/: the parameters of the ciphers, checked and copied. */
#ifndef P11_KMS_MECHANISM_CIPHER_PARAMETER_H
#define P11_KMS_MECHANISM_CIPHER_PARAMETER_H

#include "base/compiler.h"
#include "base/pkcs11.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CIPHER_IV_MAX 128 /* OpenSSL takes no longer ones; the standard allows 256 */
#define CIPHER_TAG_MAX 16
#define CIPHER_BLOCK 16

/* CBC_PAD is a mode of its own. */
enum cipher_mode {
	CIPHER_ECB = 1,
	CIPHER_CBC,
	CIPHER_CBC_PAD,
	CIPHER_CTR,
	CIPHER_GCM,
	CIPHER_CCM,
};

struct cipher_parameter {
	enum cipher_mode mode;
	unsigned char iv[CIPHER_IV_MAX]; /* IV, nonce or counter block */
	size_t iv_size;                  /* 0: none */
	size_t tag_size;                 /* GCM, CCM; else 0 */
	uint64_t limit;                  /* bytes that the mode takes; CCM takes exactly so many */
	const void *aad;                 /* borrowed from the caller */
	size_t aad_size;
};

/* The part of a message's parameter (see cipher-message.h) that is not secret. */
struct message_parameter {
	unsigned char *iv; /* borrowed from the caller, written where it is generated */
	size_t iv_size;
	size_t fixed_bits;
	CK_ULONG generator;
	unsigned char *tag; /* borrowed from the caller */
	size_t tag_size;
	uint64_t limit; /* as above */
};

/* False: no cipher. */
MUST_USE bool cipher_mode_of(CK_MECHANISM_TYPE type, enum cipher_mode *ret_mode);

/* CKR_MECHANISM_INVALID, CKR_MECHANISM_PARAM_INVALID. */
MUST_USE CK_RV cipher_parameter_read(const CK_MECHANISM *mechanism,
                                     struct cipher_parameter *ret_parameter);
/* CKR_MECHANISM_PARAM_INVALID. Pointers are checked for NULL only. mode: GCM or CCM. */
MUST_USE CK_RV message_parameter_read(enum cipher_mode mode, const void *parameter, size_t size,
                                      bool encrypt, struct message_parameter *ret_parameter);

#endif
