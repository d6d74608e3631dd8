/* SPDX-License-Identifier: Apache-2.0 */
#include "token/plain-object.h"

#include "token/role-memory.h"

#include <stdio.h>
#include <stdlib.h>

CK_RV
material_new(struct secret **value, struct public_key **public_key,
             struct material **ret_material)
{
	struct material *material = calloc(1, sizeof *material);
	CK_RV rv = material != NULL ? CKR_OK : CKR_HOST_MEMORY;

	if (rv == CKR_OK && *value != NULL)
		rv = cipher_store_new(&material->store);
	if (rv != CKR_OK) {
		free(material);
		secret_free(value);
		public_key_free(public_key);
		return rv;
	}
	material->value = *value;
	material->public_key = *public_key;
	material->references = 1;
	*value = NULL;
	*public_key = NULL;
	*ret_material = material;
	return CKR_OK;
}

void
material_acquire(struct material *material)
{
	atomic_fetch_add_explicit(&material->references, 1, memory_order_relaxed);
}

void
material_release(struct material **material)
{
	struct material *last = *material;
	struct secret *rejection;

	*material = NULL;
	if (last == NULL ||
	    atomic_fetch_sub_explicit(&last->references, 1, memory_order_acq_rel) != 1)
		return;
	kms_session_key_free(&last->pair);
	rejection = atomic_load(&last->rejection);
	secret_free(&rejection);
	cipher_store_free(&last->store);
	secret_free(&last->value);
	public_key_free(&last->public_key);
	free(last);
}

CK_RV
plain_object_new(CK_SESSION_HANDLE owner, struct attributes *attributes,
                 struct material **material, struct plain_object **ret_object)
{
	struct plain_object *object = calloc(1, sizeof *object);

	if (object == NULL) {
		attributes_clear(attributes);
		material_release(material);
		return CKR_HOST_MEMORY;
	}
	object->owner = owner;
	object->attributes = *attributes;
	*attributes = (struct attributes)ATTRIBUTES_INIT;
	object->material = *material;
	*material = NULL;
	object->references = 1;
	*ret_object = object;
	return CKR_OK;
}

void
plain_object_acquire(struct plain_object *object)
{
	atomic_fetch_add_explicit(&object->references, 1, memory_order_relaxed);
}

void
plain_object_release(struct plain_object **object)
{
	struct plain_object *last = *object;

	*object = NULL;
	if (last == NULL ||
	    atomic_fetch_sub_explicit(&last->references, 1, memory_order_acq_rel) != 1)
		return;
	attributes_clear(&last->attributes);
	material_release(&last->material);
	/* Not before: an operation may have worked with it until now, whatever the table knew. */
	role_drop(&last->role);
	free(last);
}

CK_OBJECT_CLASS
plain_object_class(const struct plain_object *object)
{
	return attributes_ulong(&object->attributes, CKA_CLASS, CK_UNAVAILABLE_INFORMATION);
}

bool
plain_object_private(const struct plain_object *object)
{
	return attributes_bool(&object->attributes, CKA_PRIVATE, false);
}

bool
plain_object_sensitive(const struct plain_object *object)
{
	return attributes_bool(&object->attributes, CKA_SENSITIVE, false) ||
	       !attributes_bool(&object->attributes, CKA_EXTRACTABLE, true);
}

static CK_RV
unique_id(const struct plain_object *object, struct buffer *ret_value)
{
	char text[24];
	int size = snprintf(text, sizeof text, "%lu", object->handle);

	return buffer_set(ret_value, text, (size_t)size);
}

/* The private half of a pair is in the KMS. */
static bool
never_told(const struct plain_object *object, CK_ATTRIBUTE_TYPE type)
{
	bool rsa = attributes_ulong(&object->attributes, CKA_KEY_TYPE, 0) == CKK_RSA;

	switch (type) {
	case CKA_PRIVATE_EXPONENT:
	case CKA_PRIME_1:
	case CKA_PRIME_2:
	case CKA_EXPONENT_1:
	case CKA_EXPONENT_2:
	case CKA_COEFFICIENT:
		return rsa;
	case CKA_VALUE:
		return !rsa;
	default:
		return false;
	}
}

CK_RV
plain_object_attribute(const struct plain_object *object, CK_ATTRIBUTE_TYPE type,
                       struct buffer *ret_value)
{
	const struct attribute *attribute = attributes_find(&object->attributes, type);
	const struct material *material = object->material;

	if (attribute != NULL)
		return buffer_set(ret_value, attribute->value.data, attribute->value.size);
	if (type == CKA_UNIQUE_ID)
		return unique_id(object, ret_value);
	if (plain_object_class(object) == CKO_PRIVATE_KEY && never_told(object, type))
		return CKR_ATTRIBUTE_SENSITIVE;
	if (material != NULL && material->public_key != NULL)
		return public_key_attribute(material->public_key, type, ret_value);
	if (material == NULL || material->value == NULL)
		return CKR_ATTRIBUTE_TYPE_INVALID;
	switch (type) {
	case CKA_VALUE:
		if (plain_object_sensitive(object))
			return CKR_ATTRIBUTE_SENSITIVE;
		return buffer_set(ret_value, secret_bytes(material->value),
		                  secret_size(material->value));
	case CKA_VALUE_LEN: {
		CK_ULONG size = secret_size(material->value);

		return buffer_set(ret_value, &size, sizeof size);
	}
	default:
		return CKR_ATTRIBUTE_TYPE_INVALID;
	}
}
