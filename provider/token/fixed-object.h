/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Objects that the token itself is made of, and that tell one thing about it: profiles
 * (profile.h) and mechanisms (mechanism-object.h).
 */
#ifndef P11_KMS_TOKEN_FIXED_OBJECT_H
#define P11_KMS_TOKEN_FIXED_OBJECT_H

#include "base/compiler.h"
#include "base/pkcs11.h"
#include "token/plain-object.h"

/* With a reference. type: of the attribute that tells it. */
MUST_USE CK_RV fixed_object_new(CK_OBJECT_HANDLE handle, CK_OBJECT_CLASS class,
                                CK_ATTRIBUTE_TYPE type, CK_ULONG value,
                                struct plain_object **ret_object);

#endif
