/* SPDX-License-Identifier: Apache-2.0 */
/* CKM_ECDH1_DERIVE in an HSM, the shared secret read out of it and nothing left behind. */
#ifndef P11_KMS_KMS_HSM_DERIVE_H
#define P11_KMS_KMS_HSM_DERIVE_H

#include "base/compiler.h"
#include "base/pkcs11.h"
#include "base/secret.h"
#include "kms/hsm-session.h"

/* See kms_derive. session->spoiled: the object could not be removed, and goes with the session. */
MUST_USE CK_RV hsm_derive(struct hsm_session *session, struct kms_key *key,
                          CK_MECHANISM *primitive, struct secret **ret_shared);

#endif
