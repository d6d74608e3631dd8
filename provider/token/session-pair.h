/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Key pairs with CKA_TOKEN false: both halves are session objects here, the private one works in
 * the KMS, and both are gone with the session.
 */
#ifndef P11_KMS_TOKEN_SESSION_PAIR_H
#define P11_KMS_TOKEN_SESSION_PAIR_H

#include "base/compiler.h"
#include "base/pkcs11.h"
#include "kms/kms.h"
#include "token/session.h"
#include "token/template.h"

/*
 * The templates have been looked at (generate.c); pair says what came of them.
 * CKR_USER_NOT_LOGGED_IN; CKR_TOKEN_WRITE_PROTECTED: no KMS; CKR_KEY_SIZE_RANGE,
 * CKR_MECHANISM_INVALID: the KMS has no such pairs; those of kms.h.
 */
MUST_USE CK_RV session_pair_generate(struct session *session, const struct kms_pair *pair,
                                     struct template public_template,
                                     struct template private_template,
                                     CK_OBJECT_HANDLE *ret_public, CK_OBJECT_HANDLE *ret_private);

#endif
