/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A search in progress (sections 5.7.7 to 5.7.9): the template, and how far it has come.
 * Session objects come first, the newest before the others; then those of the registry,
 * which is read page by page, newest version first, so that a search takes the same memory
 * whatever the number of keys.
 */
#ifndef P11_KMS_TOKEN_FIND_H
#define P11_KMS_TOKEN_FIND_H

#include "base/compiler.h"
#include "base/pkcs11.h"
#include "token/token.h"

struct find; /* opaque */

/* As template_check; the template is copied. */
MUST_USE CK_RV find_new(struct token *token, const CK_ATTRIBUTE *template, CK_ULONG count,
                        struct find **ret_find);
void find_free(struct find **find);
/* The next handles, at most max. */
MUST_USE CK_RV find_next(struct find *find, CK_OBJECT_HANDLE *ret_handles, CK_ULONG max,
                         CK_ULONG *ret_count);

#endif
