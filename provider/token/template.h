/* SPDX-License-Identifier: Apache-2.0 */
/* Templates as applications pass them: read with care, copied where they must outlive a call. */
#ifndef P11_KMS_TOKEN_TEMPLATE_H
#define P11_KMS_TOKEN_TEMPLATE_H

#include "base/compiler.h"
#include "base/pkcs11.h"

#include <stdbool.h>

/* A template and how many attributes it has; borrowed. */
struct template {
	const CK_ATTRIBUTE *attributes;
	CK_ULONG count;
};

/*
 * Is it one at all? CKR_ARGUMENTS_BAD: NULL with a count; CKR_ATTRIBUTE_VALUE_INVALID: an
 * attribute without the bytes it claims; CKR_TEMPLATE_INCONSISTENT: an attribute twice with
 * two values (section 4.1.1).
 */
MUST_USE CK_RV template_check(const CK_ATTRIBUTE *template, CK_ULONG count);

/* NULL when it is not there. Borrowed. */
const CK_ATTRIBUTE *template_find(const CK_ATTRIBUTE *template, CK_ULONG count,
                                  CK_ATTRIBUTE_TYPE type);

/* Values; absent ones leave *ret_value alone. CKR_ATTRIBUTE_VALUE_INVALID: of the wrong size. */
MUST_USE CK_RV template_bool(const CK_ATTRIBUTE *template, CK_ULONG count, CK_ATTRIBUTE_TYPE type,
                             bool *ret_value);
MUST_USE CK_RV template_ulong(const CK_ATTRIBUTE *template, CK_ULONG count, CK_ATTRIBUTE_TYPE type,
                              CK_ULONG *ret_value);

/* Caller frees with template_free. An empty template gives NULL. CKR_HOST_MEMORY. */
MUST_USE CK_RV template_dup(const CK_ATTRIBUTE *template, CK_ULONG count, CK_ATTRIBUTE **ret_copy);
/* Wipes what template_dup gave for as many attributes (CKA_VALUE may be among them); sets NULL. NULL is allowed. */
void template_free(CK_ATTRIBUTE **copy, CK_ULONG count);

#endif
