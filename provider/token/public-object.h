/* SPDX-License-Identifier: Apache-2.0 */
/* Public keys that applications bring along, as session objects. */
#ifndef P11_KMS_TOKEN_PUBLIC_OBJECT_H
#define P11_KMS_TOKEN_PUBLIC_OBJECT_H

#include "base/compiler.h"
#include "base/pkcs11.h"
#include "token/plain-object.h"

/*
 * Makes the key from its components, or from CKA_PUBLIC_KEY_INFO, and settles its attributes
 * in list. CKR_TEMPLATE_INCOMPLETE; CKR_TEMPLATE_INCONSISTENT: both are there and differ, or
 * the key is of another type; CKR_ATTRIBUTE_VALUE_INVALID: a key type or curve there is not;
 * CKR_PUBLIC_KEY_INVALID.
 */
MUST_USE CK_RV public_object_settle(struct attributes *list, struct material **ret_material);

#endif
