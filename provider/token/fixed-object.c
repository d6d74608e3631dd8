/* SPDX-License-Identifier: Apache-2.0 */
#include "token/fixed-object.h"

static CK_RV
describe(CK_OBJECT_CLASS class, CK_ATTRIBUTE_TYPE type, CK_ULONG value, struct attributes *list)
{
	CK_RV rv = attributes_set_ulong(list, CKA_CLASS, class);

	if (rv == CKR_OK)
		rv = attributes_set_bool(list, CKA_TOKEN, true);
	if (rv == CKR_OK)
		rv = attributes_set_bool(list, CKA_PRIVATE, false);
	if (rv == CKR_OK)
		rv = attributes_set_bool(list, CKA_MODIFIABLE, false);
	if (rv == CKR_OK)
		rv = attributes_set_bool(list, CKA_COPYABLE, false);
	if (rv == CKR_OK)
		rv = attributes_set_bool(list, CKA_DESTROYABLE, false);
	if (rv == CKR_OK)
		rv = attributes_set(list, CKA_LABEL, NULL, 0);
	return rv == CKR_OK ? attributes_set_ulong(list, type, value) : rv;
}

CK_RV
fixed_object_new(CK_OBJECT_HANDLE handle, CK_OBJECT_CLASS class, CK_ATTRIBUTE_TYPE type,
                 CK_ULONG value, struct plain_object **ret_object)
{
	struct attributes list = ATTRIBUTES_INIT;
	struct material *no_material = NULL;
	CK_RV rv = describe(class, type, value, &list);

	if (rv == CKR_OK)
		rv = plain_object_new(CK_INVALID_HANDLE, &list, &no_material, ret_object);
	if (rv == CKR_OK)
		(*ret_object)->handle = handle;
	attributes_clear(&list);
	return rv;
}
