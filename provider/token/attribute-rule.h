/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rules of the attributes of objects that applications make: the standard's tables of
 * attributes and their footnotes (PKCS#11 3.0, table 10), in one table. Key pairs on the token
 * have rules of their own: generate.c.
 */
#ifndef P11_KMS_TOKEN_ATTRIBUTE_RULE_H
#define P11_KMS_TOKEN_ATTRIBUTE_RULE_H

#include "base/compiler.h"
#include "base/pkcs11.h"
#include "base/attributes.h"

#include <stdbool.h>

/* How an object comes about or changes. */
enum way {
	WAY_CREATE,   /* C_CreateObject */
	WAY_GENERATE, /* C_GenerateKey, C_GenerateKeyPair */
	WAY_UNWRAP,   /* C_UnwrapKey */
	WAY_DERIVE,   /* C_DeriveKey */
	WAY_COPY,     /* C_CopyObject */
	WAY_SET,      /* C_SetAttributeValue */
};

/*
 * Looks at a template for an object of this class. The template is one (template_check).
 * CKR_ATTRIBUTE_TYPE_INVALID: such objects have no such attribute; CKR_ATTRIBUTE_READ_ONLY:
 * it can't be given this way; CKR_ATTRIBUTE_VALUE_INVALID: a value of the wrong size or form.
 */
MUST_USE CK_RV rules_check(enum way way, CK_OBJECT_CLASS class, const CK_ATTRIBUTE *template,
                           CK_ULONG count);
/*
 * Of what is created; secret keys, whose values go another way, see to theirs in secret-key.c.
 * CKR_TEMPLATE_INCOMPLETE: an attribute that must be given is not in list.
 */
MUST_USE CK_RV rules_complete(CK_OBJECT_CLASS class, CK_KEY_TYPE key_type,
                              const struct attributes *list);
/* Adds what the standard has as the default of attributes that are not in list. */
MUST_USE CK_RV rules_defaults(CK_OBJECT_CLASS class, CK_KEY_TYPE key_type,
                              struct attributes *list);
/*
 * May this attribute of old change to the new value (ways WAY_COPY and WAY_SET)? Footnotes
 * 10 to 12. CKR_ATTRIBUTE_READ_ONLY.
 */
MUST_USE CK_RV rules_change(const struct attributes *old, const CK_ATTRIBUTE *attribute);

/*
 * The roles that don't go together: who wraps and unwraps keys with a secret key could
 * decrypt them with it as well, were it allowed both.
 */
bool roles_conflict(bool wraps, bool crypts);
/* Of a list: CKA_WRAP or CKA_UNWRAP; CKA_ENCRYPT or CKA_DECRYPT. */
bool roles_wrap(const struct attributes *list);
bool roles_crypt(const struct attributes *list);

/*
 * What protects the value of a secret key, and may only be added to (footnotes 11 and 12):
 * CKA_SENSITIVE, CKA_EXTRACTABLE, CKA_WRAP_WITH_TRUSTED, each a bit of a set.
 */
unsigned protection_of(const struct attributes *list);
/* What a list says that there shall not be. */
unsigned protection_waived(const struct attributes *list);
MUST_USE CK_RV protection_add(struct attributes *list, unsigned protection);

#endif
