/* SPDX-License-Identifier: Apache-2.0 */
/* Objects made from templates, copied and changed. PKCS#11 3.0, sections 5.7.1 to 5.7.6. */
#ifndef P11_KMS_TOKEN_CREATE_H
#define P11_KMS_TOKEN_CREATE_H

#include "base/compiler.h"
#include "base/pkcs11.h"
#include "token/object.h"
#include "token/session.h"

/*
 * C_CreateObject: secret keys, public keys, certificates, data; the last two also on the token. The failures of templates
 * (attribute-rule.h); CKR_TEMPLATE_INCOMPLETE, CKR_TEMPLATE_INCONSISTENT;
 * CKR_ATTRIBUTE_VALUE_INVALID: also a class or key type that can't be created;
 * CKR_PUBLIC_KEY_INVALID; CKR_USER_NOT_LOGGED_IN.
 */
MUST_USE CK_RV create_object(struct session *session, const CK_ATTRIBUTE *template,
                             CK_ULONG count, CK_OBJECT_HANDLE *ret_handle);
/* C_CopyObject. CKR_ACTION_PROHIBITED: CKA_COPYABLE is false. */
MUST_USE CK_RV create_copy(struct session *session, const struct object *object,
                           const CK_ATTRIBUTE *template, CK_ULONG count,
                           CK_OBJECT_HANDLE *ret_handle);
/* C_SetAttributeValue. CKR_ACTION_PROHIBITED: CKA_MODIFIABLE is false. CKR_OBJECT_HANDLE_INVALID: it has just gone. */
MUST_USE CK_RV create_change(struct session *session, const struct object *object,
                             const CK_ATTRIBUTE *template, CK_ULONG count);

/* C_DestroyObject, but for the halves of a version. CKR_ACTION_PROHIBITED: CKA_DESTROYABLE is false. */
MUST_USE CK_RV create_undo(struct session *session, const struct object *object);

/* For those who make objects in other ways: */

/* CKA_PRIVATE where the template doesn't say (a choice of the token's, section 4.4): as private as the session is. */
MUST_USE CK_RV create_private_default(const struct session *session, struct attributes *list);
/* May this session make an object with these CKA_TOKEN and CKA_PRIVATE? CKR_USER_NOT_LOGGED_IN. */
MUST_USE CK_RV create_allowed(const struct session *session, const struct attributes *list);
/*
 * Makes the object, in the session or on the token as CKA_TOKEN says; takes attributes and
 * material, also on failure. waived: of a secret key, protection_waived of what its template
 * says. In the session: the failures of object_table_add; on the token: those of
 * stored-object.h.
 */
MUST_USE CK_RV create_finished(struct session *session, struct attributes *attributes,
                               unsigned waived, struct material **material,
                               CK_OBJECT_HANDLE *ret_handle);

#endif
