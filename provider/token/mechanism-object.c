/* SPDX-License-Identifier: Apache-2.0 */
#include "token/mechanism-object.h"

#include "mechanism/mechanism.h"
#include "token/fixed-object.h"
#include "token/handle.h"

CK_OBJECT_HANDLE
mechanism_object_next(const struct token *token, size_t *index)
{
	const struct mechanism *row;

	while ((row = mechanism_at((*index)++)) != NULL)
		if (token_mechanism_flags(token, row) != 0)
			return handle_of_mechanism(row->type);
	return CK_INVALID_HANDLE;
}

CK_RV
mechanism_object_get(const struct token *token, CK_MECHANISM_TYPE type,
                     struct plain_object **ret_object)
{
	const struct mechanism *row = mechanism_find(type);

	if (row == NULL || token_mechanism_flags(token, row) == 0)
		return CKR_OBJECT_HANDLE_INVALID;
	return fixed_object_new(handle_of_mechanism(type), CKO_MECHANISM, CKA_MECHANISM_TYPE, type,
	                        ret_object);
}
