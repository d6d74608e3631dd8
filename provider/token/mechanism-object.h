/* SPDX-License-Identifier: Apache-2.0 */
/* Mechanism objects: one for each mechanism that the token offers. PKCS#11 3.0, section 4.12. */
#ifndef P11_KMS_TOKEN_MECHANISM_OBJECT_H
#define P11_KMS_TOKEN_MECHANISM_OBJECT_H

#include "base/compiler.h"
#include "base/pkcs11.h"
#include "token/plain-object.h"
#include "token/token.h"

#include <stddef.h>

/* The next handle from *index on, which is moved past it; CK_INVALID_HANDLE: no more. */
CK_OBJECT_HANDLE mechanism_object_next(const struct token *token, size_t *index);
/* With a reference. CKR_OBJECT_HANDLE_INVALID: not offered. */
MUST_USE CK_RV mechanism_object_get(const struct token *token, CK_MECHANISM_TYPE type,
                                    struct plain_object **ret_object);

#endif
