/* SPDX-License-Identifier: Apache-2.0 */
/* Key pairs of an HSM made and destroyed. */
#ifndef P11_KMS_KMS_HSM_PAIR_H
#define P11_KMS_KMS_HSM_PAIR_H

#include "kms/backend.h"
#include "kms/hsm-session.h"

/*
 * Makes the pair, on the token or in the session, makes sure that the private half is sealed
 * in the HSM, and reads the public half. For the token, session->attempt is final from the
 * moment the HSM is asked. pair->bits counts in the session only.
 * CKR_MECHANISM_INVALID, CKR_KEY_SIZE_RANGE; CKR_TEMPLATE_INCONSISTENT: not sealed, and removed again.
 */
MUST_USE CK_RV hsm_pair_generate(const struct hsm_session *session, const struct kms_pair *pair,
                                 bool on_token, struct buffer *ret_spki,
                                 CK_OBJECT_HANDLE *ret_private);
/*
 * Does the HSM make X25519 pairs, although it has no CKM_EC_MONTGOMERY_KEY_PAIR_GEN? SoftHSM
 * 2.6.1 does, with CKM_EC_EDWARDS_KEY_PAIR_GEN and the curve's OBJECT IDENTIFIER, as drafts of
 * PKCS#11 3.0 had it. Makes one to know, and removes it; no login needed. Codes of a session or a
 * token that is lost: it is not known.
 */
MUST_USE CK_RV hsm_pair_makes_montgomery(const struct hsm_session *session, bool *ret_makes);
/* Destroys the two token objects. CKR_KEY_HANDLE_INVALID: none there; CKR_ACTION_PROHIBITED: see kms_destroy_pair. */
MUST_USE CK_RV hsm_pair_destroy(const struct hsm_session *session,
                                const struct kms_id_request *request);
/* As kms_find_pair. */
MUST_USE CK_RV hsm_pair_find(const struct hsm_session *session,
                             const struct kms_id_request *request);
/* As kms_pair_start. CKR_KEY_HANDLE_INVALID: there is not one public half. */
MUST_USE CK_RV hsm_pair_start(const struct hsm_session *session,
                              const struct kms_id_request *request);

#endif
