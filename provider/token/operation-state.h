/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The state of a session's operations as bytes: C_GetOperationState, C_SetOperationState
 * (PKCS#11 3.0, sections 5.6.6 and 5.6.7). Only digests can be saved.
 *
 * OpenSSL's digests can't be taken out of it in the middle: what is saved is the message so
 * far, which the caller knows, and restoring hashes it again. Longer messages than
 * OPERATION_STATE_MESSAGE_MAX are not kept, so their digests are CKR_STATE_UNSAVEABLE; as is
 * one into which a key has gone (C_DigestKey), since keys don't leave the token.
 *
 * A state is bound to the token and the session's state, and has a checksum: it is taken back
 * in any process, as long as it is whole.
 */
#ifndef P11_KMS_TOKEN_OPERATION_STATE_H
#define P11_KMS_TOKEN_OPERATION_STATE_H

#include "base/buffer.h"
#include "base/compiler.h"
#include "base/pkcs11.h"
#include "token/session.h"

/* CKR_OPERATION_NOT_INITIALIZED: nothing that could be saved goes on; CKR_STATE_UNSAVEABLE. */
MUST_USE CK_RV operation_state_save(const struct session *session, struct buffer *ret_state);

/*
 * Ends what goes on in the session, and goes on with what was saved. On failure nothing has
 * changed. CKR_SAVED_STATE_INVALID: damaged, or of another token or state of session;
 * CKR_KEY_NOT_NEEDED: a digest has none.
 */
MUST_USE CK_RV operation_state_restore(struct session *session, const void *state, size_t size,
                                       CK_OBJECT_HANDLE encryption_key,
                                       CK_OBJECT_HANDLE authentication_key);

#endif
