/* SPDX-License-Identifier: Apache-2.0 */
/*
 * AES with a secret key: CKM_AES_ECB, CKM_AES_CBC, CKM_AES_CBC_PAD, CKM_AES_CTR,
 * CKM_AES_GCM, CKM_AES_CCM (PKCS#11 mechanisms 3.0, sections 2.11 to 2.13). A cipher is
 * what a session has between C_EncryptInit or C_DecryptInit and the end of the operation.
 *
 * Sizes: `room` is what fits into out. When it is too little, a function returns
 * CKR_BUFFER_TOO_SMALL with *ret_size the room it needs, and nothing has changed: it may be
 * called again with more. After any other error, and after the end, the cipher can only be
 * freed; an end that wants more room can only be repeated.
 *
 * in and out may be the same bytes, or overlap in any way. in may be NULL when its size is 0,
 * and out when nothing comes out.
 *
 * GCM and CCM: the tag follows the ciphertext. No plaintext is given out before its tag has
 * been checked, so decryption in parts holds the ciphertext back, and gives all of it at the
 * end. CCM does both directions so. What is encrypted in parts is therefore limited to what
 * decrypts in parts: CIPHER_PARTS_MAX. In one part there is no such limit.
 */
#ifndef P11_KMS_MECHANISM_CIPHER_H
#define P11_KMS_MECHANISM_CIPHER_H

#include "base/compiler.h"
#include "base/pkcs11.h"
#include "base/secret.h"

#include <stdbool.h>
#include <stddef.h>

/* The longest message of GCM or CCM in parts. */
#define CIPHER_PARTS_MAX ((size_t)1 << 30)

struct cipher; /* opaque; one thread at a time */

/*
 * What ciphers of one key share: OpenSSL's contexts that are set up for the key. Any number of
 * threads; they don't wait for each other. It holds the key, as OpenSSL has expanded it: free it
 * together with the key. It must outlive the ciphers.
 */
struct cipher_store; /* opaque */

MUST_USE CK_RV cipher_store_new(struct cipher_store **ret_store); /* CKR_HOST_MEMORY */
void cipher_store_free(struct cipher_store **store);              /* wipes; NULL is allowed */

/* In the child of a fork, before it makes stores of its own, and while it has one thread. */
void cipher_forked(void);

/* Is this one of the mechanisms above? */
bool cipher_offers(CK_MECHANISM_TYPE type);

/*
 * Parameters are checked and copied, whatever their alignment. key is copied; store is that
 * of the key, borrowed, or NULL (then every cipher costs the set-up of a context: at
 * 1 KiB of GCM half as much again as with a reused one).
 * CKR_MECHANISM_INVALID, CKR_MECHANISM_PARAM_INVALID, CKR_KEY_SIZE_RANGE (not 16, 24 or 32
 * bytes), CKR_HOST_MEMORY.
 */
MUST_USE CK_RV cipher_new(const CK_MECHANISM *mechanism, bool encrypt, const struct secret *key,
                          struct cipher_store *store, struct cipher **ret_cipher);
void cipher_free(struct cipher **cipher); /* wipes; NULL is allowed */

/*
 * The room that a call needs, for queries: exact, but for the end of CBC_PAD's decryption,
 * where it is the most there can be (the call itself asks for no more than is really
 * needed). What a call that will fail needs is 0.
 */
size_t cipher_update_size(const struct cipher *cipher, size_t in_size);
size_t cipher_final_size(const struct cipher *cipher);
size_t cipher_single_size(const struct cipher *cipher, size_t in_size);

/*
 * The next part. CKR_DATA_LEN_RANGE or, decrypting, CKR_ENCRYPTED_DATA_LEN_RANGE: more than
 * the mode takes (the counter of CTR would repeat, CCM was told another length, GCM or CCM
 * is past CIPHER_PARTS_MAX).
 */
MUST_USE CK_RV cipher_update(struct cipher *cipher, const void *in, size_t in_size,
                             unsigned char *out, size_t room, size_t *ret_size);
/*
 * After the parts. CKR_DATA_LEN_RANGE, CKR_ENCRYPTED_DATA_LEN_RANGE (not whole blocks; no
 * room for a tag; CCM was told another length); CKR_ENCRYPTED_DATA_INVALID (padding, tag).
 */
MUST_USE CK_RV cipher_final(struct cipher *cipher, unsigned char *out, size_t room,
                            size_t *ret_size);
/*
 * A whole message, with no parts before it. The errors of both. When a tag is wrong, out has
 * been wiped (also where it is in).
 */
MUST_USE CK_RV cipher_single(struct cipher *cipher, const void *in, size_t in_size,
                             unsigned char *out, size_t room, size_t *ret_size);

#endif
