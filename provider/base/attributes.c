/* SPDX-License-Identifier: Apache-2.0 */
#include "base/attributes.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static void
attribute_clear(struct attribute *attribute)
{
	buffer_clear(&attribute->value);
	if (attribute->nested != NULL)
		attributes_clear(attribute->nested);
	free(attribute->nested);
	attribute->nested = NULL;
}

void
attributes_clear(struct attributes *attributes)
{
	for (size_t i = 0; i < attributes->count; i++)
		attribute_clear(&attributes->list[i]);
	free(attributes->list);
	*attributes = (struct attributes)ATTRIBUTES_INIT;
}

const struct attribute *
attributes_find(const struct attributes *attributes, CK_ATTRIBUTE_TYPE type)
{
	for (size_t i = 0; i < attributes->count; i++)
		if (attributes->list[i].type == type)
			return &attributes->list[i];
	return NULL;
}

/* The place of an attribute, made when it is not there. NULL: no memory. */
static struct attribute *
attributes_place(struct attributes *attributes, CK_ATTRIBUTE_TYPE type)
{
	struct attribute *list;

	for (size_t i = 0; i < attributes->count; i++)
		if (attributes->list[i].type == type)
			return &attributes->list[i];
	list = reallocarray(attributes->list, attributes->count + 1, sizeof *list);
	if (list == NULL)
		return NULL;
	attributes->list = list;
	list += attributes->count++;
	*list = (struct attribute) { .type = type };
	return list;
}

/* Takes what is in attribute, or clears it. */
static CK_RV
attributes_take(struct attributes *attributes, struct attribute *attribute)
{
	struct attribute *place = attributes_place(attributes, attribute->type);

	if (place == NULL) {
		attribute_clear(attribute);
		return CKR_HOST_MEMORY;
	}
	attribute_clear(place);
	*place = *attribute;
	return CKR_OK;
}

CK_RV
attributes_set(struct attributes *attributes, CK_ATTRIBUTE_TYPE type, const void *value,
               size_t size)
{
	struct attribute attribute = { .type = type };
	CK_RV rv = buffer_set(&attribute.value, value, size);

	return rv == CKR_OK ? attributes_take(attributes, &attribute) : rv;
}

CK_RV
attributes_set_bool(struct attributes *attributes, CK_ATTRIBUTE_TYPE type, bool value)
{
	CK_BBOOL flag = value ? CK_TRUE : CK_FALSE;

	return attributes_set(attributes, type, &flag, sizeof flag);
}

CK_RV
attributes_set_ulong(struct attributes *attributes, CK_ATTRIBUTE_TYPE type, CK_ULONG value)
{
	return attributes_set(attributes, type, &value, sizeof value);
}

bool
attribute_is_template(CK_ATTRIBUTE_TYPE type)
{
	return type == CKA_WRAP_TEMPLATE || type == CKA_UNWRAP_TEMPLATE ||
	       type == CKA_DERIVE_TEMPLATE;
}

CK_RV
attributes_set_copy(struct attributes *attributes, const CK_ATTRIBUTE *attribute)
{
	struct attribute copy = { .type = attribute->type };
	CK_ATTRIBUTE inner;
	CK_RV rv = CKR_OK;

	if (!attribute_is_template(attribute->type))
		return attributes_set(attributes, attribute->type, attribute->pValue,
		                      attribute->ulValueLen);
	copy.nested = calloc(1, sizeof *copy.nested);
	if (copy.nested == NULL)
		return CKR_HOST_MEMORY;
	for (size_t i = 0; rv == CKR_OK && i < attribute->ulValueLen / sizeof inner; i++) {
		memcpy(&inner, (const char *)attribute->pValue + i * sizeof inner, sizeof inner);
		rv = attributes_set(copy.nested, inner.type, inner.pValue, inner.ulValueLen);
	}
	if (rv == CKR_OK)
		return attributes_take(attributes, &copy);
	attribute_clear(&copy);
	return rv;
}

CK_RV
attributes_dup(const struct attributes *attributes, struct attributes *ret_copy)
{
	struct attribute copy;
	CK_RV rv = CKR_OK;

	for (size_t i = 0; rv == CKR_OK && i < attributes->count; i++) {
		const struct attribute *from = &attributes->list[i];

		copy = (struct attribute) { .type = from->type };
		rv = buffer_set(&copy.value, from->value.data, from->value.size);
		if (rv == CKR_OK && from->nested != NULL) {
			copy.nested = calloc(1, sizeof *copy.nested);
			rv = copy.nested == NULL ? CKR_HOST_MEMORY
			                         : attributes_dup(from->nested, copy.nested);
		}
		if (rv == CKR_OK)
			rv = attributes_take(ret_copy, &copy);
		else
			attribute_clear(&copy);
	}
	if (rv != CKR_OK)
		attributes_clear(ret_copy);
	return rv;
}

bool
attributes_bool(const struct attributes *attributes, CK_ATTRIBUTE_TYPE type, bool absent)
{
	const struct attribute *attribute = attributes_find(attributes, type);

	if (attribute == NULL || attribute->value.size != sizeof(CK_BBOOL))
		return absent;
	return attribute->value.data[0] != CK_FALSE;
}

CK_ULONG
attributes_ulong(const struct attributes *attributes, CK_ATTRIBUTE_TYPE type, CK_ULONG absent)
{
	const struct attribute *attribute = attributes_find(attributes, type);
	CK_ULONG value;

	if (attribute == NULL || attribute->value.size != sizeof value)
		return absent;
	memcpy(&value, attribute->value.data, sizeof value);
	return value;
}
