/* SPDX-License-Identifier: Apache-2.0 */
#include "token/handle.h"

#define CLASS_BITS 3
#define CLASS_MASK ((1UL << CLASS_BITS) - 1)

/* Codes of the classes; 0 is left out, so that no handle is CK_INVALID_HANDLE. */
#define CODE_PUBLIC_KEY 1UL
#define CODE_PRIVATE_KEY 2UL
#define CODE_STORED 3UL
#define CODE_PROFILE 4UL
#define CODE_MECHANISM 5UL
#define CODE_SESSION 7UL

bool
handle_split(CK_OBJECT_HANDLE handle, int64_t *ret_object, CK_OBJECT_CLASS *ret_class)
{
	CK_ULONG code = handle & CLASS_MASK;

	if ((handle >> CLASS_BITS) == 0)
		return false;
	if (code != CODE_PUBLIC_KEY && code != CODE_PRIVATE_KEY)
		return false;
	*ret_object = (int64_t)(handle >> CLASS_BITS);
	*ret_class = code == CODE_PUBLIC_KEY ? CKO_PUBLIC_KEY : CKO_PRIVATE_KEY;
	return true;
}

CK_OBJECT_HANDLE
handle_join(int64_t object, CK_OBJECT_CLASS class)
{
	CK_ULONG code = class == CKO_PUBLIC_KEY ? CODE_PUBLIC_KEY : CODE_PRIVATE_KEY;

	return (CK_OBJECT_HANDLE)object << CLASS_BITS | code;
}

CK_OBJECT_HANDLE
handle_of_session(int64_t number)
{
	return (CK_OBJECT_HANDLE)number << CLASS_BITS | CODE_SESSION;
}

bool
handle_is_session(CK_OBJECT_HANDLE handle)
{
	return (handle & CLASS_MASK) == CODE_SESSION && (handle >> CLASS_BITS) != 0;
}

CK_OBJECT_HANDLE
handle_of_stored(int64_t object)
{
	return (CK_OBJECT_HANDLE)object << CLASS_BITS | CODE_STORED;
}

bool
handle_is_stored(CK_OBJECT_HANDLE handle, int64_t *ret_object)
{
	*ret_object = (int64_t)(handle >> CLASS_BITS);
	return (handle & CLASS_MASK) == CODE_STORED && *ret_object != 0;
}

CK_OBJECT_HANDLE
handle_of_profile(CK_ULONG profile)
{
	return profile << CLASS_BITS | CODE_PROFILE;
}

bool
handle_is_profile(CK_OBJECT_HANDLE handle, CK_ULONG *ret_profile)
{
	*ret_profile = handle >> CLASS_BITS;
	return (handle & CLASS_MASK) == CODE_PROFILE && *ret_profile != 0;
}

CK_OBJECT_HANDLE
handle_of_mechanism(CK_MECHANISM_TYPE type)
{
	/* CKM_RSA_PKCS_KEY_PAIR_GEN is 0. */
	return (type + 1) << CLASS_BITS | CODE_MECHANISM;
}

bool
handle_is_mechanism(CK_OBJECT_HANDLE handle, CK_MECHANISM_TYPE *ret_type)
{
	if ((handle & CLASS_MASK) != CODE_MECHANISM || (handle >> CLASS_BITS) == 0)
		return false;
	*ret_type = (handle >> CLASS_BITS) - 1;
	return true;
}
