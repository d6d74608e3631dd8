/* SPDX-License-Identifier: Apache-2.0 */
/* Making key pairs from templates (section 5.18.2). */
#ifndef P11_KMS_TOKEN_GENERATE_H
#define P11_KMS_TOKEN_GENERATE_H

#include "base/compiler.h"
#include "base/pkcs11.h"
#include "token/session.h"
#include "token/template.h"

/*
 * The next version of the key that CKA_LABEL names, or a new key. As C_GenerateKeyPair:
 * CKR_MECHANISM_INVALID, CKR_TEMPLATE_INCOMPLETE, CKR_TEMPLATE_INCONSISTENT,
 * CKR_ATTRIBUTE_TYPE_INVALID, CKR_ATTRIBUTE_VALUE_INVALID, CKR_ATTRIBUTE_READ_ONLY,
 * CKR_CURVE_NOT_SUPPORTED, CKR_SESSION_READ_ONLY, CKR_USER_NOT_LOGGED_IN,
 * CKR_TOKEN_WRITE_PROTECTED, CKR_DEVICE_ERROR … With CKA_TOKEN false in both templates the
 * pair lives in the KMS for as long as the session: session-pair.h.
 */
MUST_USE CK_RV generate_pair(struct session *session, const CK_MECHANISM *mechanism,
                             struct template public_template, struct template private_template,
                             CK_OBJECT_HANDLE *ret_public, CK_OBJECT_HANDLE *ret_private);

#endif
