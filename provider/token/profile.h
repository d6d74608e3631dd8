/* SPDX-License-Identifier: Apache-2.0 */
/* Profile objects: what the token conforms to. PKCS#11 3.0, section 4.14; PKCS#11 profiles 3.0. */
#ifndef P11_KMS_TOKEN_PROFILE_H
#define P11_KMS_TOKEN_PROFILE_H

#include "base/compiler.h"
#include "base/pkcs11.h"
#include "token/plain-object.h"

/* Its value of CKA_PROFILE_ID; 0 past the last. */
CK_ULONG profile_at(size_t index);
/* With a reference. CKR_OBJECT_HANDLE_INVALID: not conformed to. */
MUST_USE CK_RV profile_get(CK_ULONG profile, struct plain_object **ret_object);

#endif
