/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Messages (PKCS#11 3.0, sections 5.9 and 5.11): one key, many messages, each with an IV,
 * additional data and a tag of its own. CKM_AES_GCM and CKM_AES_CCM (PKCS#11 mechanisms 3.0,
 * section 2.13). A struct cipher_message is what a session has between C_MessageEncryptInit
 * or C_MessageDecryptInit and C_Message…Final.
 *
 * parameter is the caller's CK_GCM_MESSAGE_PARAMS or CK_CCM_MESSAGE_PARAMS. Nothing of it is
 * kept between calls. Encrypting writes into the buffers it points to: the IV (at the
 * beginning, when the token makes it) and the tag (at the end). The tag is never part of in
 * or out. Decrypting reads IV and tag, and pays no attention to the generator.
 *
 * Generators. Of the IV the first ulIvFixedBits are the caller's.
 * - CKG_NO_GENERATE: all of it is the caller's.
 * - CKG_GENERATE_COUNTER: the rest is a big-endian counter that begins at 0.
 * - CKG_GENERATE_COUNTER_XOR: the rest is the caller's, XORed with a counter that begins at 0
 *   (RFC 8446, section 5.3). The result is written where the IV was read: the caller may leave
 *   it there for the next message, or put the first one there again.
 * - CKG_GENERATE_RANDOM: at least 96 bits (NIST SP 800-38D, section 8.2.2).
 * - CKG_GENERATE: random where that has 96 bits; else, where it has 64, a counter whose
 *   beginning is random.
 *
 * There is one counter for each value of a key: for all its objects, sessions, messages and
 * generators in this process, up to 2^32 messages (iv-count.h): of what is generated there
 * nothing comes twice. Two processes (also after a fork) count each for itself: they need fixed
 * bits of their own, or CKG_GENERATE.
 *
 * Room, overlap and NULL are as in cipher.h. GCM encryption gives each part at once;
 * decryption, and CCM, give all at the last part.
 */
#ifndef P11_KMS_MECHANISM_CIPHER_MESSAGE_H
#define P11_KMS_MECHANISM_CIPHER_MESSAGE_H

#include "mechanism/cipher.h"

struct cipher_message; /* opaque; one thread at a time */

/*
 * The mechanism's own parameter may be absent; one of the right size is not looked at.
 * store: that of the key; NULL is allowed only for decryption (CKR_ARGUMENTS_BAD).
 * CKR_MECHANISM_INVALID, CKR_MECHANISM_PARAM_INVALID, CKR_KEY_SIZE_RANGE, CKR_HOST_MEMORY.
 */
MUST_USE CK_RV cipher_message_new(const CK_MECHANISM *mechanism, bool encrypt,
                                  const struct secret *key, struct cipher_store *store,
                                  struct cipher_message **ret_message);
void cipher_message_free(struct cipher_message **message); /* wipes; NULL is allowed */

/* Between cipher_message_begin and the last part? */
bool cipher_message_begun(const struct cipher_message *message);

/*
 * A whole message: as long as in. CKR_ARGUMENTS_BAD (additional data of 2 GiB, or without an
 * address), CKR_MECHANISM_PARAM_INVALID, CKR_DATA_LEN_RANGE (also: all
 * IVs of the counter are used up), CKR_ENCRYPTED_DATA_LEN_RANGE, CKR_AEAD_DECRYPT_FAILED
 * (the tag is wrong; out has been wiped), CKR_BUFFER_TOO_SMALL (no IV has been used up).
 * Other messages may follow, also after an error.
 */
MUST_USE CK_RV cipher_message_single(struct cipher_message *message, void *parameter,
                                     size_t parameter_size, const void *aad, size_t aad_size,
                                     const void *in, size_t in_size, unsigned char *out,
                                     size_t room, size_t *ret_size);

/* Gives up the message that is begun, if one is. */
void cipher_message_end(struct cipher_message *message);

/* Begins a message in parts. Errors as above. What was begun before is given up. */
MUST_USE CK_RV cipher_message_begin(struct cipher_message *message, void *parameter,
                                    size_t parameter_size, const void *aad, size_t aad_size);
/* The room that the next part needs, exactly. */
size_t cipher_message_next_size(const struct cipher_message *message, size_t in_size, bool last);
/*
 * The next part. last: CKF_END_OF_MESSAGE; then the tag is written, or checked. Errors as
 * above, and CKR_OPERATION_NOT_INITIALIZED: nothing is begun. An error other than
 * CKR_BUFFER_TOO_SMALL ends the message.
 */
MUST_USE CK_RV cipher_message_next(struct cipher_message *message, void *parameter,
                                   size_t parameter_size, const void *in, size_t in_size,
                                   bool last, unsigned char *out, size_t room,
                                   size_t *ret_size);

#endif
