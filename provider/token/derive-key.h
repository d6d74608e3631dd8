/* SPDX-License-Identifier: Apache-2.0 */
/* Keys derived in the KMS, with another party's public key. PKCS#11 3.0, section 5.18.5. */
#ifndef P11_KMS_TOKEN_DERIVE_KEY_H
#define P11_KMS_TOKEN_DERIVE_KEY_H

#include "base/compiler.h"
#include "base/pkcs11.h"
#include "token/session.h"

/*
 * C_DeriveKey: the result is a secret key of the session. CKR_MECHANISM_INVALID,
 * CKR_MECHANISM_PARAM_INVALID (also the other party's point), CKR_KEY_HANDLE_INVALID,
 * CKR_KEY_FUNCTION_NOT_PERMITTED, CKR_KEY_TYPE_INCONSISTENT, CKR_KEY_SIZE_RANGE (also below 16
 * bytes, unless all that was agreed on is shorter), those of secret-key.h and kms.h.
 */
MUST_USE CK_RV derive_key(struct session *session, const CK_MECHANISM *mechanism,
                          CK_OBJECT_HANDLE base_key, const CK_ATTRIBUTE *template,
                          CK_ULONG count, CK_OBJECT_HANDLE *ret_key);

#endif
