/* SPDX-License-Identifier: Apache-2.0 */
/* An object as an application sees it: one half of a version, or a plain object. */
#ifndef P11_KMS_TOKEN_OBJECT_H
#define P11_KMS_TOKEN_OBJECT_H

#include "base/buffer.h"
#include "base/compiler.h"
#include "base/pkcs11.h"
#include "token/plain-object.h"
#include "token/token.h"

struct object {
	CK_OBJECT_CLASS class;
	struct token *token;        /* borrowed */
	struct key *key;            /* of a half of a version, a reference of its own; else NULL */
	struct plain_object *plain; /* of all others, a reference of its own; else NULL */
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
bool object_attribute_bool(const struct object *object, CK_ATTRIBUTE_TYPE type, bool absent);
/* A template among its attributes (CKA_WRAP_TEMPLATE …), borrowed; NULL: none, or empty. */
const struct attributes *object_template(const struct object *object, CK_ATTRIBUTE_TYPE type);
/* Fills a template as C_GetAttributeValue must (section 5.7.5). */
MUST_USE CK_RV object_attributes(const struct object *object, CK_ATTRIBUTE *template,
                                 CK_ULONG count);
/* Does it have all these values? CKR_HOST_MEMORY. */
MUST_USE CK_RV object_matches(const struct object *object, const CK_ATTRIBUTE *template,
                              CK_ULONG count, bool *ret_matches);
/* The same for a template inside of another object's attributes. */
MUST_USE CK_RV object_matches_list(const struct object *object, const struct attributes *list,
                                   bool *ret_matches);
/* Bytes its attributes take. */
MUST_USE CK_RV object_size(const struct object *object, CK_ULONG *ret_size);

/* CK_UNAVAILABLE_INFORMATION: no key. */
CK_KEY_TYPE object_key_type(const struct object *object);
/* CKA_ENCRYPT … CKA_UNWRAP: what the object may be used for now. */
bool object_permits(const struct object *object, CK_ATTRIBUTE_TYPE verb);
/* Is the mechanism among its CKA_ALLOWED_MECHANISMS, where it has any? */
bool object_allows(const struct object *object, CK_MECHANISM_TYPE mechanism);
/* The public half, or the public key itself; borrowed. CKR_KEY_TYPE_INCONSISTENT: none; CKR_DEVICE_ERROR. */
MUST_USE CK_RV object_public_key(const struct object *object, struct public_key **ret_public);
/* Of a private key: what names it in the KMS, and what it is; borrowed. */
struct kms_key *object_kms_key(const struct object *object);
const struct algorithm *object_algorithm(const struct object *object);
/* Of a secret key, borrowed; else NULL. */
const struct secret *object_secret(const struct object *object);

#endif
