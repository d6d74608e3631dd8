/* SPDX-License-Identifier: Apache-2.0 */
/* An object as an application sees it: one half of a version. */
#ifndef P11_KMS_TOKEN_OBJECT_H
#define P11_KMS_TOKEN_OBJECT_H

#include "base/buffer.h"
#include "base/compiler.h"
#include "base/pkcs11.h"
#include "token/token.h"

struct object {
	CK_OBJECT_CLASS class; /* CKO_PUBLIC_KEY or CKO_PRIVATE_KEY */
	struct token *token;   /* borrowed */
	struct key *key;       /* a reference of its own */
};

/*
 * CKR_OBJECT_HANDLE_INVALID; CKR_USER_NOT_LOGGED_IN: a private key while nobody is logged
 * in; CKR_DEVICE_ERROR: its record is refused.
 */
MUST_USE CK_RV object_get(struct token *token, CK_OBJECT_HANDLE handle, struct object *ret_object);
void object_release(struct object *object);

/*
 * The value of an attribute. CKR_ATTRIBUTE_SENSITIVE: it is never told;
 * CKR_ATTRIBUTE_TYPE_INVALID: such an object has none.
 */
MUST_USE CK_RV object_attribute(const struct object *object, CK_ATTRIBUTE_TYPE type,
                                struct buffer *ret_value);
/* Fills a template as C_GetAttributeValue must (section 5.7.5). */
MUST_USE CK_RV object_attributes(const struct object *object, CK_ATTRIBUTE *template,
                                 CK_ULONG count);
/* Does it have all these values? CKR_HOST_MEMORY. */
MUST_USE CK_RV object_matches(const struct object *object, const CK_ATTRIBUTE *template,
                              CK_ULONG count, bool *ret_matches);
/* Bytes its attributes take. */
MUST_USE CK_RV object_size(const struct object *object, CK_ULONG *ret_size);

/* CKA_ENCRYPT … CKA_UNWRAP: what the object may be used for now. */
bool object_permits(const struct object *object, CK_ATTRIBUTE_TYPE verb);

#endif
