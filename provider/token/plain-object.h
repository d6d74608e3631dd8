/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An object that is no half of a version: a secret key, a public key of a session, a
 * certificate, a data object. It consists of its attributes and, of a key, its material. It
 * never changes: C_SetAttributeValue puts another one in its place, so that readers need no
 * lock. Shared through a count of references.
 */
#ifndef P11_KMS_TOKEN_PLAIN_OBJECT_H
#define P11_KMS_TOKEN_PLAIN_OBJECT_H

#include "base/algorithm.h"
#include "base/compiler.h"
#include "base/pkcs11.h"
#include "base/secret.h"
#include "kms/kms.h"
#include "mechanism/cipher.h"
#include "mechanism/public-key.h"
#include "base/attributes.h"

#include <stdatomic.h>

/*
 * What a key works with. A copy of the object, and the one that takes its place, share it.
 */
struct material {
	struct secret *value;          /* owned; of secret keys */
	struct cipher_store *store;    /* owned; of AES keys */
	struct public_key *public_key; /* owned; of public keys and of pairs */
	struct kms_session_key *pair;  /* owned; of a pair's private half: itself, in the KMS */
	const struct algorithm *algorithm; /* of pairs */
	_Atomic(struct secret *) rejection; /* owned; as a key's: key.h */
	_Atomic unsigned references;
};

/* Takes value and public_key (either may be NULL), also on failure, and sets them NULL. */
MUST_USE CK_RV material_new(struct secret **value, struct public_key **public_key,
                            struct material **ret_material);
void material_acquire(struct material *material);
void material_release(struct material **material); /* NULL is allowed */

struct plain_object {
	CK_OBJECT_HANDLE handle;     /* given by the table: object-table.h */
	CK_SESSION_HANDLE owner;     /* the session it dies with */
	struct attributes attributes;
	unsigned waived;             /* what shall not protect it, until it is in the table: attribute-rule.h */
	struct material *material;   /* a reference; NULL where there is nothing to work with */
	struct role *role;           /* owned; of a secret key in the table: role-memory.h */
	struct plain_object *next_gone; /* while the table lets go of several */
	_Atomic unsigned references;
};

/* Takes attributes and the reference to material, also on failure. */
MUST_USE CK_RV plain_object_new(CK_SESSION_HANDLE owner, struct attributes *attributes,
                                struct material **material, struct plain_object **ret_object);
void plain_object_acquire(struct plain_object *object);
void plain_object_release(struct plain_object **object); /* NULL is allowed */

CK_OBJECT_CLASS plain_object_class(const struct plain_object *object);
bool plain_object_private(const struct plain_object *object);
/* CKA_VALUE is told to nobody. */
bool plain_object_sensitive(const struct plain_object *object);

/* As object_attribute: CKR_ATTRIBUTE_SENSITIVE, CKR_ATTRIBUTE_TYPE_INVALID. Not for templates in attributes. */
MUST_USE CK_RV plain_object_attribute(const struct plain_object *object, CK_ATTRIBUTE_TYPE type,
                                      struct buffer *ret_value);

#endif
