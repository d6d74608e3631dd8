/* SPDX-License-Identifier: Apache-2.0 */
/* Private keys of an HSM, by the handle that is cached or by CKA_ID, and the way to use them. */
#ifndef P11_KMS_KMS_HSM_KEY_H
#define P11_KMS_KMS_HSM_KEY_H

#include "base/compiler.h"
#include "base/pkcs11.h"
#include "kms/hsm-session.h"

/* Does with the key what one call needs. CKR_KEY_HANDLE_INVALID, CKR_OBJECT_HANDLE_INVALID: the handle is no longer valid. */
typedef CK_RV (*hsm_key_use)(const struct hsm_session *session, CK_OBJECT_HANDLE object,
                             void *context);

/*
 * Calls use with the key's handle, and once more with the one found anew by CKA_ID when the
 * HSM says that it is no longer valid. CKR_KEY_HANDLE_INVALID: no such key.
 */
MUST_USE CK_RV hsm_key_with(const struct hsm_session *session, struct kms_key *key,
                            hsm_key_use use, void *context);
/* Keeps a handle for the next call. */
void hsm_key_remember(const struct hsm_session *session, struct kms_key *key,
                      CK_OBJECT_HANDLE object);

#endif
