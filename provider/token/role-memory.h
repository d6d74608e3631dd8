/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which secret values have been in which roles, so that one value is never in two that don't
 * go together (attribute-rule.h): not in two objects, and not in one object after the other.
 * And what has protected them: an object of the same value that comes later, in whatever way,
 * is protected as well, or what is sensitive could be unwrapped once more and read.
 *
 * A value that has wrapped keys is remembered when no object has it any more, for what it
 * wrapped could be decrypted later, and so is one that was protected and may come back, wrapped
 * or derived: the last ROLE_MEMORY_MAX of them, until C_Finalize. Any other one is for as long as an
 * object has it, be it one that only an operation still works with. It is known by a salted digest. All tokens of the process share the memory: what one
 * of them wraps another could decrypt.
 */
#ifndef P11_KMS_TOKEN_ROLE_MEMORY_H
#define P11_KMS_TOKEN_ROLE_MEMORY_H

#include "base/attributes.h"
#include "base/compiler.h"
#include "base/pkcs11.h"
#include "base/secret.h"

/* A program may make as many keys as it likes, for years: some 8 MB at the most. */
#define ROLE_MEMORY_MAX ((size_t)1 << 16)

struct role_memory; /* opaque; several threads may use it */
struct role;        /* opaque: what is remembered of one value */

MUST_USE CK_RV role_memory_new(struct role_memory **ret_memory);
/* After all roles were dropped. */
void role_memory_free(struct role_memory **memory);

/*
 * A new object with these attributes is to have this value. What protects the value is added to
 * them. CKR_TEMPLATE_INCONSISTENT: it has been in a role that does not go with them, or what
 * protects it is waived (protection_waived of what the application asks for); CKR_HOST_MEMORY.
 * *ret_role is given back with role_drop when nobody works with the object any more.
 */
MUST_USE CK_RV role_memory_take(struct role_memory *memory, const struct secret *value,
                                unsigned waived, struct attributes *attributes,
                                struct role **ret_role);
/* The same for one that takes the place of an object in this role: it is no less protected than that, and keeps its attributes. */
MUST_USE CK_RV role_take_over(struct role *role, const struct attributes *attributes,
                              struct role **ret_role);
/* NULL is allowed; sets NULL. */
void role_drop(struct role **role);

#endif
