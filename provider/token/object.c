/* SPDX-License-Identifier: Apache-2.0 */
#include "token/object.h"

#include "token/handle.h"
#include "token/mechanism-object.h"
#include "token/profile.h"
#include "token/stored-object.h"
#include "token/version-object.h"

#include <string.h>

static CK_RV
version_get(struct token *token, CK_OBJECT_HANDLE handle, struct object *object)
{
	int64_t number;

	if (!handle_split(handle, &number, &object->class))
		return CKR_OBJECT_HANDLE_INVALID;
	if (object->class == CKO_PRIVATE_KEY) {
		if (token->kms == NULL)
			return CKR_OBJECT_HANDLE_INVALID;
		if (!token_unlocked(token))
			return CKR_USER_NOT_LOGGED_IN;
	}
	return token_key(token, number, &object->key);
}

static CK_RV
plain_get(struct token *token, CK_OBJECT_HANDLE handle, struct plain_object **ret_object)
{
	CK_MECHANISM_TYPE type;
	CK_ULONG profile;
	int64_t stored;

	if (handle_is_stored(handle, &stored))
		return stored_object_get(token, stored, ret_object);
	if (handle_is_profile(handle, &profile))
		return profile_get(profile, ret_object);
	if (handle_is_mechanism(handle, &type))
		return mechanism_object_get(token, type, ret_object);
	return object_table_get(token->objects, handle, ret_object);
}

CK_RV
object_get(struct token *token, CK_OBJECT_HANDLE handle, struct object *ret_object)
{
	struct object object = { .token = token };
	CK_OBJECT_CLASS class;
	int64_t number;
	CK_RV rv;

	if (handle_split(handle, &number, &class)) {
		rv = version_get(token, handle, &object);
	} else {
		rv = plain_get(token, handle, &object.plain);
		if (rv == CKR_OK)
			object.class = plain_object_class(object.plain);
	}
	if (rv == CKR_OK)
		*ret_object = object;
	return rv;
}

void
object_release(struct object *object)
{
	key_release(&object->key);
	plain_object_release(&object->plain);
}

CK_RV
object_attribute(const struct object *object, CK_ATTRIBUTE_TYPE type, struct buffer *ret_value)
{
	if (object->plain != NULL)
		return plain_object_attribute(object->plain, type, ret_value);
	return version_object_attribute(object, type, ret_value);
}

bool
object_attribute_bool(const struct object *object, CK_ATTRIBUTE_TYPE type, bool absent)
{
	struct buffer value = BUFFER_INIT;
	bool result = absent;

	if (object_attribute(object, type, &value) == CKR_OK && value.size == sizeof(CK_BBOOL))
		result = value.data[0] != CK_FALSE;
	buffer_clear(&value);
	return result;
}

const struct attributes *
object_template(const struct object *object, CK_ATTRIBUTE_TYPE type)
{
	const struct attribute *attribute = NULL;

	if (object->plain != NULL)
		attribute = attributes_find(&object->plain->attributes, type);
	if (attribute == NULL || attribute->nested == NULL || attribute->nested->count == 0)
		return NULL;
	return attribute->nested;
}

/* Copies a value out, or tells its size (section 5.7.5, cases 1 to 5). */
static CK_RV
value_out(CK_ATTRIBUTE *attribute, const void *value, size_t size)
{
	if (attribute->pValue == NULL) {
		attribute->ulValueLen = size;
		return CKR_OK;
	}
	if (attribute->ulValueLen < size) {
		attribute->ulValueLen = CK_UNAVAILABLE_INFORMATION;
		return CKR_BUFFER_TOO_SMALL;
	}
	if (size != 0)
		memcpy(attribute->pValue, value, size);
	attribute->ulValueLen = size;
	return CKR_OK;
}

/* A template as a value: an array whose elements are treated like the outer ones. */
static CK_RV
template_out(CK_ATTRIBUTE *attribute, const struct attributes *list)
{
	CK_ATTRIBUTE inner;
	CK_RV result = CKR_OK;
	CK_RV rv;

	if (attribute->pValue != NULL && attribute->ulValueLen < list->count * sizeof inner) {
		attribute->ulValueLen = CK_UNAVAILABLE_INFORMATION;
		return CKR_BUFFER_TOO_SMALL;
	}
	for (size_t i = 0; attribute->pValue != NULL && i < list->count; i++) {
		memcpy(&inner, (char *)attribute->pValue + i * sizeof inner, sizeof inner);
		inner.type = list->list[i].type;
		rv = value_out(&inner, list->list[i].value.data, list->list[i].value.size);
		memcpy((char *)attribute->pValue + i * sizeof inner, &inner, sizeof inner);
		if (result == CKR_OK)
			result = rv;
	}
	attribute->ulValueLen = list->count * sizeof inner;
	return result;
}

CK_RV
object_attributes(const struct object *object, CK_ATTRIBUTE *template, CK_ULONG count)
{
	struct buffer value = BUFFER_INIT;
	const struct attributes *nested;
	CK_RV result = CKR_OK;
	CK_RV rv;

	/* Every attribute is answered; the first failure is the result. */
	for (CK_ULONG i = 0; i < count; i++) {
		nested = object_template(object, template[i].type);
		rv = nested != NULL ? CKR_OK : object_attribute(object, template[i].type, &value);
		if (rv == CKR_HOST_MEMORY || rv == CKR_DEVICE_ERROR) {
			result = rv;
			break;
		}
		if (rv != CKR_OK)
			template[i].ulValueLen = CK_UNAVAILABLE_INFORMATION;
		else if (nested != NULL)
			rv = template_out(&template[i], nested);
		else
			rv = value_out(&template[i], value.data, value.size);
		if (result == CKR_OK)
			result = rv;
	}
	buffer_clear(&value);
	return result;
}

/* A template that is searched for is never found: comparing it would take a rule of its own. */
static CK_RV
attribute_matches(const struct object *object, CK_ATTRIBUTE_TYPE type, const void *data,
                  size_t size, struct buffer *scratch, bool *ret_matches)
{
	CK_RV rv = object_attribute(object, type, scratch);

	if (rv != CKR_OK && rv != CKR_ATTRIBUTE_SENSITIVE && rv != CKR_ATTRIBUTE_TYPE_INVALID)
		return rv;
	*ret_matches = rv == CKR_OK && buffer_equal(scratch, data, size) &&
	               object_template(object, type) == NULL;
	return CKR_OK;
}

CK_RV
object_matches(const struct object *object, const CK_ATTRIBUTE *template, CK_ULONG count,
               bool *ret_matches)
{
	struct buffer scratch = BUFFER_INIT;
	bool matches = true;
	CK_RV rv = CKR_OK;

	for (CK_ULONG i = 0; rv == CKR_OK && matches && i < count; i++)
		rv = attribute_matches(object, template[i].type, template[i].pValue,
		                       template[i].ulValueLen, &scratch, &matches);
	if (rv == CKR_OK)
		*ret_matches = matches;
	buffer_clear(&scratch);
	return rv;
}

CK_RV
object_matches_list(const struct object *object, const struct attributes *list,
                    bool *ret_matches)
{
	struct buffer scratch = BUFFER_INIT;
	bool matches = true;
	CK_RV rv = CKR_OK;

	for (size_t i = 0; rv == CKR_OK && matches && i < list->count; i++)
		rv = attribute_matches(object, list->list[i].type, list->list[i].value.data,
		                       list->list[i].value.size, &scratch, &matches);
	if (rv == CKR_OK)
		*ret_matches = matches;
	buffer_clear(&scratch);
	return rv;
}

CK_RV
object_size(const struct object *object, CK_ULONG *ret_size)
{
	const struct attributes *list;
	CK_ULONG size = 0;

	if (object->plain == NULL) {
		*ret_size = version_object_size(object);
		return CKR_OK;
	}
	list = &object->plain->attributes;
	for (size_t i = 0; i < list->count; i++)
		size += list->list[i].value.size;
	if (object_secret(object) != NULL)
		size += secret_size(object_secret(object));
	*ret_size = size;
	return CKR_OK;
}

CK_KEY_TYPE
object_key_type(const struct object *object)
{
	if (object->key != NULL)
		return object->key->version->algorithm->key_type;
	return attributes_ulong(&object->plain->attributes, CKA_KEY_TYPE,
	                        CK_UNAVAILABLE_INFORMATION);
}

bool
object_permits(const struct object *object, CK_ATTRIBUTE_TYPE verb)
{
	if (object->key != NULL)
		return version_object_permits(object, verb);
	return attributes_bool(&object->plain->attributes, verb, false);
}

bool
object_allows(const struct object *object, CK_MECHANISM_TYPE mechanism)
{
	const struct attribute *allowed = NULL;
	CK_MECHANISM_TYPE type;

	if (object->key != NULL)
		return version_allows(object->key->version, mechanism);
	allowed = attributes_find(&object->plain->attributes, CKA_ALLOWED_MECHANISMS);
	if (allowed == NULL)
		return true;
	for (size_t i = 0; i < allowed->value.size / sizeof type; i++) {
		memcpy(&type, allowed->value.data + i * sizeof type, sizeof type);
		if (type == mechanism)
			return true;
	}
	return false;
}

CK_RV
object_public_key(const struct object *object, struct public_key **ret_public)
{
	CK_RV rv;

	if (object->key != NULL) {
		rv = key_public(object->key, ret_public);
		return rv == CKR_OK || rv == CKR_HOST_MEMORY ? rv : CKR_DEVICE_ERROR;
	}
	if (object->plain->material == NULL || object->plain->material->public_key == NULL)
		return CKR_KEY_TYPE_INCONSISTENT;
	*ret_public = object->plain->material->public_key;
	return CKR_OK;
}

const struct secret *
object_secret(const struct object *object)
{
	if (object->plain == NULL || object->plain->material == NULL)
		return NULL;
	return object->plain->material->value;
}

struct kms_key *
object_kms_key(const struct object *object)
{
	if (object->key != NULL)
		return &object->key->kms;
	return kms_session_key_use(object->plain->material->pair);
}

const struct algorithm *
object_algorithm(const struct object *object)
{
	if (object->key != NULL)
		return object->key->version->algorithm;
	return object->plain->material->algorithm;
}
