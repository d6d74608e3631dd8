/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside of mechanism/: one message of GCM or CCM, its tag apart. What can't be given out
 * yet, or what OpenSSL takes only as a whole, is held here: ciphertext as it is, plaintext
 * in secret memory.
 */
#ifndef P11_KMS_MECHANISM_AEAD_H
#define P11_KMS_MECHANISM_AEAD_H

#include "base/buffer.h"
#include "mechanism/cipher-context.h"

struct aead {
	enum cipher_mode mode; /* GCM or CCM */
	bool encrypt;
	EVP_CIPHER_CTX *context; /* borrowed */
	size_t tag_size;
	uint64_t limit;          /* of the data; CCM: its size */
	uint64_t total;          /* that came so far; decrypting, perhaps with the tag */
	struct buffer held;      /* decrypting: what came so far */
	struct secret *plain;    /* CCM encrypting: room for all, `total` of it taken */
};

/* A context of context_borrow. CCM: limit bytes will come. Clear before the context goes. */
MUST_USE CK_RV aead_start(struct aead *aead, const unsigned char *iv, const void *aad,
                          size_t aad_size);
void aead_clear(struct aead *aead);

/* Does a part come out as soon as it has come in? */
bool aead_streams(const struct aead *aead);

/* Holds a part. The caller has seen to it that it is not too much. */
MUST_USE CK_RV aead_hold(struct aead *aead, const void *in, size_t size);
/* total bytes; never NULL. */
const unsigned char *aead_held(const struct aead *aead);

/*
 * The end of an encryption: the last bytes, or, where it does not stream, all of them. in
 * and out: the same, or apart. ret_tag: tag_size bytes.
 */
MUST_USE CK_RV aead_seal(struct aead *aead, const unsigned char *in, size_t size,
                         unsigned char *out, unsigned char *ret_tag);
/*
 * A decryption, whole. tag must not be in out. CKR_ENCRYPTED_DATA_INVALID: the tag is wrong,
 * out is wiped.
 */
MUST_USE CK_RV aead_open(struct aead *aead, const unsigned char *in, size_t size,
                         unsigned char *out, const unsigned char *tag);

#endif
