/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Secret keys: how one comes to be, whatever the way (created, generated, unwrapped,
 * derived). First the template is looked at, then the value is made, then both become an
 * object.
 */
#ifndef P11_KMS_TOKEN_SECRET_KEY_H
#define P11_KMS_TOKEN_SECRET_KEY_H

#include "base/compiler.h"
#include "base/pkcs11.h"
#include "base/secret.h"
#include "token/attribute-rule.h"
#include "token/object.h"
#include "token/session.h"

#include <stdbool.h>

/* What a template asks for. */
struct secret_request {
	enum way way;
	CK_KEY_TYPE key_type;
	CK_ULONG value_size;          /* CKA_VALUE_LEN; 0: not given */
	struct attributes attributes; /* owned */
	unsigned waived;              /* what shall not protect the value: attribute-rule.h */
};

/* Where the value came from, for the attributes that the token sets. */
struct secret_origin {
	bool local;
	CK_MECHANISM_TYPE generator;  /* CK_UNAVAILABLE_INFORMATION: not generated here */
	/* Of the key it was derived from; else false. */
	bool always_sensitive, never_extractable;
};

/*
 * key_type: what the mechanism makes (the template must agree), or CK_UNAVAILABLE_INFORMATION:
 * the template says. forced: attributes that it must have (CKA_UNWRAP_TEMPLATE,
 * CKA_DERIVE_TEMPLATE), or NULL. On success the caller must clear the request.
 * The failures of templates (attribute-rule.h); CKR_TEMPLATE_INCOMPLETE;
 * CKR_TEMPLATE_INCONSISTENT: another class or key type, or roles that don't go together;
 * CKR_ATTRIBUTE_VALUE_INVALID: a key type or length there is not, a key on the token;
 * CKR_USER_NOT_LOGGED_IN: a private one.
 */
MUST_USE CK_RV secret_request_init(struct session *session, enum way way,
                                   const CK_ATTRIBUTE *template, CK_ULONG count,
                                   CK_KEY_TYPE key_type, const struct attributes *forced,
                                   struct secret_request *ret_request);
void secret_request_clear(struct secret_request *request);

/* Can a key of this type have a value of this size? */
bool secret_size_fits(CK_KEY_TYPE key_type, size_t size);

/*
 * Makes the object; takes the value, also on failure. CKR_ATTRIBUTE_VALUE_INVALID (created;
 * also a wrong CKA_CHECK_VALUE), CKR_WRAPPED_KEY_LEN_RANGE (unwrapped), CKR_KEY_SIZE_RANGE
 * (derived): the value does not fit; and the failures of create_finished.
 */
MUST_USE CK_RV secret_request_finish(struct session *session, struct secret_request *request,
                                     struct secret **value, const struct secret_origin *origin,
                                     CK_OBJECT_HANDLE *ret_handle);

/* C_GenerateKey. */
MUST_USE CK_RV secret_generate(struct session *session, const CK_MECHANISM *mechanism,
                               const CK_ATTRIBUTE *template, CK_ULONG count,
                               CK_OBJECT_HANDLE *ret_handle);

#endif
