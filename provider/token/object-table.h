/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The objects that a token's sessions have made. Handles grow and are never used again; in
 * the table they are in order. Readers don't wait for each other.
 */
#ifndef P11_KMS_TOKEN_OBJECT_TABLE_H
#define P11_KMS_TOKEN_OBJECT_TABLE_H

#include "base/compiler.h"
#include "base/pkcs11.h"
#include "token/plain-object.h"

struct object_table; /* opaque */
struct role_memory;
struct token;

/* token and roles are borrowed. */
MUST_USE CK_RV object_table_new(const struct token *token, struct role_memory *roles,
                                struct object_table **ret_table);
void object_table_free(struct object_table **table);

/*
 * Takes the reference (also on failure) and gives the object its handle, and what else protects
 * its value (role-memory.h). CKR_HOST_MEMORY; CKR_TEMPLATE_INCONSISTENT: its value has been in a
 * role that does not go with its own, or is protected by what it waives; CKR_USER_NOT_LOGGED_IN:
 * it is private, and the user has logged out meanwhile.
 */
MUST_USE CK_RV object_table_add(struct object_table *table, struct plain_object **object,
                                CK_OBJECT_HANDLE *ret_handle);
/* With a reference. CKR_OBJECT_HANDLE_INVALID. */
MUST_USE CK_RV object_table_get(struct object_table *table, CK_OBJECT_HANDLE handle,
                                struct plain_object **ret_object);
/* The newest one below a handle (0: of all), with a reference; NULL: no more. */
struct plain_object *object_table_before(struct object_table *table, CK_OBJECT_HANDLE below);
/*
 * Puts an object in the place of old, under the same handle; takes the reference, also on
 * failure. CKR_OBJECT_HANDLE_INVALID: old is not there any more; and as above.
 */
MUST_USE CK_RV object_table_replace(struct object_table *table, const struct plain_object *old,
                                    struct plain_object **object);
/* CKR_OBJECT_HANDLE_INVALID. */
MUST_USE CK_RV object_table_remove(struct object_table *table, CK_OBJECT_HANDLE handle);

/* A session has ended: its objects with it. */
void object_table_close(struct object_table *table, CK_SESSION_HANDLE owner);
/* The user has logged out: private objects are gone (section 5.6.8). */
void object_table_logout(struct object_table *table);

#endif
