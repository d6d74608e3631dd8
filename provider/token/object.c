/* SPDX-License-Identifier: Apache-2.0 */
#include "token/object.h"

#include "token/handle.h"

#include <string.h>

CK_RV
object_get(struct token *token, CK_OBJECT_HANDLE handle, struct object *ret_object)
{
	struct object object = { .token = token };
	int64_t number;
	CK_RV rv;

	if (!handle_split(handle, &number, &object.class))
		return CKR_OBJECT_HANDLE_INVALID;
	if (object.class == CKO_PRIVATE_KEY) {
		if (token->kms == NULL)
			return CKR_OBJECT_HANDLE_INVALID;
		if (!token_unlocked(token))
			return CKR_USER_NOT_LOGGED_IN;
	}
	rv = token_key(token, number, &object.key);
	if (rv != CKR_OK)
		return rv;
	*ret_object = object;
	return CKR_OK;
}

void
object_release(struct object *object)
{
	key_release(&object->key);
}

CK_RV
object_attributes(const struct object *object, CK_ATTRIBUTE *template, CK_ULONG count)
{
	struct buffer value = BUFFER_INIT;
	CK_RV result = CKR_OK;
	CK_RV rv;

	/* Every attribute is answered; the first failure is the result. */
	for (CK_ULONG i = 0; i < count; i++) {
		rv = object_attribute(object, template[i].type, &value);
		if (rv == CKR_HOST_MEMORY || rv == CKR_DEVICE_ERROR) {
			result = rv;
			break;
		}
		if (rv == CKR_OK && template[i].pValue != NULL) {
			if (template[i].ulValueLen < value.size)
				rv = CKR_BUFFER_TOO_SMALL;
			else if (value.size != 0)
				memcpy(template[i].pValue, value.data, value.size);
		}
		template[i].ulValueLen = rv == CKR_OK ? value.size : CK_UNAVAILABLE_INFORMATION;
		if (result == CKR_OK)
			result = rv;
	}
	buffer_clear(&value);
	return result;
}

CK_RV
object_matches(const struct object *object, const CK_ATTRIBUTE *template, CK_ULONG count,
               bool *ret_matches)
{
	struct buffer value = BUFFER_INIT;
	bool matches = true;
	CK_RV rv = CKR_OK;

	for (CK_ULONG i = 0; matches && i < count; i++) {
		rv = object_attribute(object, template[i].type, &value);
		if (rv == CKR_OK)
			matches = buffer_equal(&value, template[i].pValue, template[i].ulValueLen);
		else if (rv == CKR_ATTRIBUTE_SENSITIVE || rv == CKR_ATTRIBUTE_TYPE_INVALID)
			matches = false;
		else
			goto out;
	}
	*ret_matches = matches;
	rv = CKR_OK;
out:
	buffer_clear(&value);
	return rv;
}
