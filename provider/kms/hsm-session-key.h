/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pairs that live in an HSM session of their own. They are found again by a CKA_ID that is
 * made here, of random bytes: whatever an HSM does with its handles, another key is never
 * taken for one of these.
 */
#ifndef P11_KMS_KMS_HSM_SESSION_KEY_H
#define P11_KMS_KMS_HSM_SESSION_KEY_H

#include "base/buffer.h"
#include "base/compiler.h"
#include "kms/hsm-session.h"

/* key: its id is set. On success the session is the key's, and no longer the caller's. */
MUST_USE CK_RV hsm_session_key_generate(struct hsm_session *session, const struct kms_pair *pair,
                                        struct kms_session_key *key, struct buffer *ret_spki);
/* Destroys both halves and closes the session, if they are still there. Not inside the module. */
void hsm_session_key_release(struct hsm *hsm, struct kms_session_key *key);

#endif
