/* SPDX-License-Identifier: Apache-2.0 */
#include "token/profile.h"

#include "token/handle.h"

/* PKCS#11 profiles 3.0, sections 3.1 to 3.3. */
#define BASELINE_PROVIDER 1UL
#define EXTENDED_PROVIDER 2UL
#define AUTHENTICATION_TOKEN 3UL

static const CK_ULONG profiles[] = { BASELINE_PROVIDER, EXTENDED_PROVIDER, AUTHENTICATION_TOKEN };

#define COUNT (sizeof profiles / sizeof *profiles)

CK_ULONG
profile_at(size_t index)
{
	return index < COUNT ? profiles[index] : 0;
}

static CK_RV
describe(CK_ULONG profile, struct attributes *list)
{
	CK_RV rv = attributes_set_ulong(list, CKA_CLASS, CKO_PROFILE);

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
	if (rv == CKR_OK)
		rv = attributes_set_ulong(list, CKA_PROFILE_ID, profile);
	return rv;
}

CK_RV
profile_get(CK_ULONG profile, struct plain_object **ret_object)
{
	struct attributes list = ATTRIBUTES_INIT;
	struct material *no_material = NULL;
	CK_RV rv = CKR_OBJECT_HANDLE_INVALID;

	for (size_t i = 0; i < COUNT; i++)
		if (profiles[i] == profile)
			rv = describe(profile, &list);
	if (rv == CKR_OK)
		rv = plain_object_new(CK_INVALID_HANDLE, &list, &no_material, ret_object);
	if (rv == CKR_OK)
		(*ret_object)->handle = handle_of_profile(profile);
	attributes_clear(&list);
	return rv;
}
