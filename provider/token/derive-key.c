/* SPDX-License-Identifier: Apache-2.0 */
#include "token/derive-key.h"

#include "mechanism/kdf.h"
#include "mechanism/mechanism.h"
#include "token/object.h"
#include "token/remote.h"
#include "token/secret-key.h"

/*
 * Of two keys of which one is a byte longer, the shorter one tells all of the longer one but that
 * byte: with keys as short as one likes the secret is found out byte by byte, whatever
 * CKA_DERIVE_TEMPLATE says of them.
 */
#define SIZE_MIN 16

/* The key that derives, and may. The caller releases it, also on failure. */
static CK_RV
base_get(struct token *token, const CK_MECHANISM *mechanism, CK_OBJECT_HANDLE handle,
         struct object *ret_object)
{
	const struct mechanism *row;
	CK_RV rv = token_mechanism(token, mechanism->mechanism, CKF_DERIVE, &row);

	if (rv != CKR_OK)
		return rv;
	rv = object_get(token, handle, ret_object);
	if (rv != CKR_OK)
		return rv == CKR_OBJECT_HANDLE_INVALID ? CKR_KEY_HANDLE_INVALID : rv;
	if (object_key_type(ret_object) == CK_UNAVAILABLE_INFORMATION)
		return CKR_KEY_HANDLE_INVALID;
	if (!object_permits(ret_object, CKA_DERIVE))
		return CKR_KEY_FUNCTION_NOT_PERMITTED;
	if (ret_object->class != CKO_PRIVATE_KEY || !mechanism_takes(row, object_key_type(ret_object)))
		return CKR_KEY_TYPE_INCONSISTENT;
	return object_allows(ret_object, row->type) ? CKR_OK : CKR_MECHANISM_INVALID;
}

/*
 * Mechanisms 3.0, section 2.3.21: without a derivation function the key may be as long as
 * what was agreed on; else somebody must say how long it is. CKR_KEY_SIZE_RANGE: too short.
 */
static CK_RV
derived_size(const struct secret_request *request, const struct ecdh_use *use,
             const struct secret *shared, size_t *ret_size)
{
	if (request->value_size == 0 &&
	    (request->key_type == CKK_AES || use->kdf != CKD_NULL))
		return CKR_TEMPLATE_INCOMPLETE;
	if (request->value_size != 0 && request->value_size < SIZE_MIN &&
	    request->value_size < secret_size(shared))
		return CKR_KEY_SIZE_RANGE;
	*ret_size = request->value_size != 0 ? request->value_size : secret_size(shared);
	return CKR_OK;
}

static CK_RV
derive_value(const struct object *base, const CK_MECHANISM *mechanism,
             const struct secret_request *request, struct secret **ret_value)
{
	struct ecdh_use use = { 0 };
	struct secret *shared = NULL;
	size_t size = 0;
	CK_RV rv = ecdh_use_init(mechanism, object_algorithm(base), &use);

	if (rv != CKR_OK)
		return rv;
	rv = remote_derive(base, &use.peer, &shared);
	if (rv == CKR_OK)
		rv = derived_size(request, &use, shared, &size);
	if (rv == CKR_OK)
		rv = kdf_derive(use.kdf, shared, use.shared_info.data, use.shared_info.size, size,
		                ret_value);
	secret_free(&shared);
	ecdh_use_clear(&use);
	return rv;
}

CK_RV
derive_key(struct session *session, const CK_MECHANISM *mechanism, CK_OBJECT_HANDLE base_key,
           const CK_ATTRIBUTE *template, CK_ULONG count, CK_OBJECT_HANDLE *ret_key)
{
	struct secret_origin origin = { .generator = CK_UNAVAILABLE_INFORMATION };
	struct secret_request request = { .way = WAY_DERIVE };
	struct object base = { 0 };
	struct secret *value = NULL;
	CK_RV rv = base_get(session->token, mechanism, base_key, &base);

	if (rv == CKR_OK)
		rv = secret_request_init(session, WAY_DERIVE, template, count,
		                         CK_UNAVAILABLE_INFORMATION,
		                         object_template(&base, CKA_DERIVE_TEMPLATE), &request);
	if (rv == CKR_OK)
		rv = derive_value(&base, mechanism, &request, &value);
	if (rv == CKR_OK) {
		origin.always_sensitive = object_attribute_bool(&base, CKA_ALWAYS_SENSITIVE, false);
		origin.never_extractable = object_attribute_bool(&base, CKA_NEVER_EXTRACTABLE, false);
		rv = secret_request_finish(session, &request, &value, &origin, ret_key);
	}
	secret_free(&value);
	secret_request_clear(&request);
	object_release(&base);
	return rv;
}
