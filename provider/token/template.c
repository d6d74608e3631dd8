/* SPDX-License-Identifier: Apache-2.0 */
#include "token/template.h"

#include <openssl/crypto.h>

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static bool
attribute_equal(const CK_ATTRIBUTE *a, const CK_ATTRIBUTE *b)
{
	return a->ulValueLen == b->ulValueLen &&
	       (a->ulValueLen == 0 || memcmp(a->pValue, b->pValue, a->ulValueLen) == 0);
}

CK_RV
template_check(const CK_ATTRIBUTE *template, CK_ULONG count)
{
	if (template == NULL && count != 0)
		return CKR_ARGUMENTS_BAD;
	for (CK_ULONG i = 0; i < count; i++) {
		if (template[i].ulValueLen == CK_UNAVAILABLE_INFORMATION ||
		    (template[i].pValue == NULL && template[i].ulValueLen != 0))
			return CKR_ATTRIBUTE_VALUE_INVALID;
		for (CK_ULONG j = 0; j < i; j++)
			if (template[j].type == template[i].type &&
			    !attribute_equal(&template[j], &template[i]))
				return CKR_TEMPLATE_INCONSISTENT;
	}
	return CKR_OK;
}

const CK_ATTRIBUTE *
template_find(const CK_ATTRIBUTE *template, CK_ULONG count, CK_ATTRIBUTE_TYPE type)
{
	for (CK_ULONG i = 0; i < count; i++)
		if (template[i].type == type)
			return &template[i];
	return NULL;
}

CK_RV
template_bool(const CK_ATTRIBUTE *template, CK_ULONG count, CK_ATTRIBUTE_TYPE type,
              bool *ret_value)
{
	const CK_ATTRIBUTE *attribute = template_find(template, count, type);

	if (attribute == NULL)
		return CKR_OK;
	if (attribute->ulValueLen != sizeof(CK_BBOOL))
		return CKR_ATTRIBUTE_VALUE_INVALID;
	/* Section 4.1: CK_FALSE is 0; callers exist that write true as something else than 1. */
	*ret_value = *(const CK_BBOOL *)attribute->pValue != CK_FALSE;
	return CKR_OK;
}

CK_RV
template_ulong(const CK_ATTRIBUTE *template, CK_ULONG count, CK_ATTRIBUTE_TYPE type,
               CK_ULONG *ret_value)
{
	const CK_ATTRIBUTE *attribute = template_find(template, count, type);

	if (attribute == NULL)
		return CKR_OK;
	if (attribute->ulValueLen != sizeof *ret_value)
		return CKR_ATTRIBUTE_VALUE_INVALID;
	memcpy(ret_value, attribute->pValue, sizeof *ret_value); /* may be unaligned */
	return CKR_OK;
}

CK_RV
template_dup(const CK_ATTRIBUTE *template, CK_ULONG count, CK_ATTRIBUTE **ret_copy)
{
	size_t size = 0;
	CK_ATTRIBUTE *copy;
	unsigned char *values;

	if (count == 0) {
		*ret_copy = NULL;
		return CKR_OK;
	}
	if (count > SIZE_MAX / 2 / sizeof *copy)
		return CKR_HOST_MEMORY;
	size = count * sizeof *copy;
	for (CK_ULONG i = 0; i < count; i++) {
		if (template[i].ulValueLen > SIZE_MAX / 2 - size)
			return CKR_HOST_MEMORY;
		size += template[i].ulValueLen;
	}
	copy = malloc(size);
	if (copy == NULL)
		return CKR_HOST_MEMORY;
	values = (unsigned char *)(copy + count);
	for (CK_ULONG i = 0; i < count; i++) {
		copy[i] = template[i];
		copy[i].pValue = values;
		if (template[i].ulValueLen != 0)
			memcpy(values, template[i].pValue, template[i].ulValueLen);
		values += template[i].ulValueLen;
	}
	*ret_copy = copy;
	return CKR_OK;
}

void
template_free(CK_ATTRIBUTE **copy, CK_ULONG count)
{
	size_t size = count * sizeof **copy;

	if (*copy == NULL)
		return;
	for (CK_ULONG i = 0; i < count; i++)
		size += (*copy)[i].ulValueLen;
	OPENSSL_cleanse(*copy, size);
	free(*copy);
	*copy = NULL;
}
