/* SPDX-License-Identifier: Apache-2.0 */
/* Inside of mechanism/: IVs of messages, as their generators make them. See cipher-message.h. */
#ifndef P11_KMS_MECHANISM_MESSAGE_IV_H
#define P11_KMS_MECHANISM_MESSAGE_IV_H

#include "mechanism/cipher-context.h"

/*
 * The IV of the next message into ret_iv, of CIPHER_IV_MAX bytes; nothing is written to the
 * caller's. key and its store may be NULL where no IV is to be generated.
 * CKR_MECHANISM_PARAM_INVALID (too few bits to be random; too many values to XOR with),
 * CKR_DATA_LEN_RANGE (all IVs are used up), CKR_FUNCTION_FAILED (no random bytes),
 * CKR_HOST_MEMORY.
 */
MUST_USE CK_RV message_iv(const struct message_parameter *parameter, struct cipher_store *store,
                          const struct secret *key, unsigned char *ret_iv);

#endif
