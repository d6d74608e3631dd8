/* SPDX-License-Identifier: Apache-2.0 */
#include "token/profile.h"

#include "token/fixed-object.h"
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

CK_RV
profile_get(CK_ULONG profile, struct plain_object **ret_object)
{
	for (size_t i = 0; i < COUNT; i++)
		if (profiles[i] == profile)
			return fixed_object_new(handle_of_profile(profile), CKO_PROFILE,
			                        CKA_PROFILE_ID, profile, ret_object);
	return CKR_OBJECT_HANDLE_INVALID;
}
