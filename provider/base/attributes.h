/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A list of attributes with their values, owned: what an object that is no half of a version
 * consists of. Nothing secret goes in: see plain-object.h.
 */
#ifndef P11_KMS_BASE_ATTRIBUTES_H
#define P11_KMS_BASE_ATTRIBUTES_H

#include "base/buffer.h"
#include "base/compiler.h"
#include "base/pkcs11.h"

#include <stdbool.h>

struct attributes;

struct attribute {
	CK_ATTRIBUTE_TYPE type;
	struct buffer value;       /* empty where nested is used */
	struct attributes *nested; /* owned: of CKA_WRAP_TEMPLATE and its like, else NULL */
};

struct attributes {
	struct attribute *list; /* owned */
	size_t count;
};

#define ATTRIBUTES_INIT { NULL, 0 }

void attributes_clear(struct attributes *attributes);
/* NULL when it is not there. Borrowed until the list changes. */
const struct attribute *attributes_find(const struct attributes *attributes,
                                        CK_ATTRIBUTE_TYPE type);
/* Adds one, or takes the place of what was there. CKR_HOST_MEMORY: nothing has changed. */
MUST_USE CK_RV attributes_set(struct attributes *attributes, CK_ATTRIBUTE_TYPE type,
                              const void *value, size_t size);
MUST_USE CK_RV attributes_set_bool(struct attributes *attributes, CK_ATTRIBUTE_TYPE type,
                                   bool value);
MUST_USE CK_RV attributes_set_ulong(struct attributes *attributes, CK_ATTRIBUTE_TYPE type,
                                    CK_ULONG value);
/* An attribute of a template, nested ones with all that is in them (one level deep). */
MUST_USE CK_RV attributes_set_copy(struct attributes *attributes, const CK_ATTRIBUTE *attribute);
/* ret_copy is empty before. */
MUST_USE CK_RV attributes_dup(const struct attributes *attributes, struct attributes *ret_copy);

/* What it says; absent where the attribute is not there or has another size. */
bool attributes_bool(const struct attributes *attributes, CK_ATTRIBUTE_TYPE type, bool absent);
CK_ULONG attributes_ulong(const struct attributes *attributes, CK_ATTRIBUTE_TYPE type,
                          CK_ULONG absent);

/* Is its value a template (CKA_WRAP_TEMPLATE, CKA_UNWRAP_TEMPLATE, CKA_DERIVE_TEMPLATE)? */
bool attribute_is_template(CK_ATTRIBUTE_TYPE type);

#endif
