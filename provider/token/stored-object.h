/* SPDX-License-Identifier: Apache-2.0 */
/* Certificates and data objects on the token: plain objects that the registry keeps. */
#ifndef P11_KMS_TOKEN_STORED_OBJECT_H
#define P11_KMS_TOKEN_STORED_OBJECT_H

#include "base/compiler.h"
#include "base/pkcs11.h"
#include "token/plain-object.h"
#include "token/session.h"

/* With a reference. CKR_OBJECT_HANDLE_INVALID; CKR_DEVICE_ERROR: its record is refused. */
MUST_USE CK_RV stored_object_get(struct token *token, int64_t object,
                                 struct plain_object **ret_object);

/*
 * Keeps a certificate or a data object; takes the attributes, also on failure.
 * CKR_SESSION_READ_ONLY; CKR_USER_NOT_LOGGED_IN: the KMS signs what is kept;
 * CKR_ATTRIBUTE_VALUE_INVALID: private, too large, or of another class;
 * CKR_TOKEN_WRITE_PROTECTED.
 */
MUST_USE CK_RV stored_object_create(struct session *session, struct attributes *attributes,
                                    CK_OBJECT_HANDLE *ret_handle);
/* Keeps it with other attributes. */
MUST_USE CK_RV stored_object_change(struct session *session, const struct plain_object *object,
                                    struct attributes *attributes);
MUST_USE CK_RV stored_object_remove(struct session *session, const struct plain_object *object);

#endif
