/* SPDX-License-Identifier: Apache-2.0 */
#include "token/wrap-key.h"

#include "mechanism/wrap.h"
#include "token/object.h"
#include "token/remote.h"
#include "token/secret-key.h"
#include "token/template.h"

/* The two verbs, and what their functions call the same failures. */
struct direction {
	CK_FLAGS flag;
	CK_ATTRIBUTE_TYPE verb;
	CK_OBJECT_CLASS class; /* of a pair: the half that does it */
	CK_RV handle_invalid, type_inconsistent;
};

static const struct direction wrapping = { CKF_WRAP, CKA_WRAP, CKO_PUBLIC_KEY,
	                                   CKR_WRAPPING_KEY_HANDLE_INVALID,
	                                   CKR_WRAPPING_KEY_TYPE_INCONSISTENT };
static const struct direction unwrapping = { CKF_UNWRAP, CKA_UNWRAP, CKO_PRIVATE_KEY,
	                                     CKR_UNWRAPPING_KEY_HANDLE_INVALID,
	                                     CKR_UNWRAPPING_KEY_TYPE_INCONSISTENT };

/* The key that wraps or unwraps, and may. The caller releases it, also on failure. */
static CK_RV
wrapper_get(struct token *token, const struct direction *direction,
            const CK_MECHANISM *mechanism, CK_OBJECT_HANDLE handle, struct object *ret_object)
{
	const struct mechanism *row;
	CK_RV rv = token_mechanism(token, mechanism->mechanism, direction->flag, &row);

	if (rv != CKR_OK)
		return rv;
	rv = object_get(token, handle, ret_object);
	if (rv != CKR_OK)
		return rv == CKR_OBJECT_HANDLE_INVALID ? direction->handle_invalid : rv;
	if (ret_object->class != CKO_SECRET_KEY && ret_object->class != CKO_PUBLIC_KEY &&
	    ret_object->class != CKO_PRIVATE_KEY)
		return direction->handle_invalid;
	if ((ret_object->class != CKO_SECRET_KEY && ret_object->class != direction->class) ||
	    !object_permits(ret_object, direction->verb))
		return CKR_KEY_FUNCTION_NOT_PERMITTED;
	if ((ret_object->class == CKO_SECRET_KEY) != wrap_secret_offers(row->type) ||
	    !mechanism_takes(row, object_key_type(ret_object)))
		return direction->type_inconsistent;
	return object_allows(ret_object, row->type) ? CKR_OK : CKR_MECHANISM_INVALID;
}

/* Section 4.10.2: may this wrapping key take this key? */
static CK_RV
key_wrappable(const struct object *wrapper, const struct object *key)
{
	const struct attributes *demands;
	bool matches = true;
	CK_RV rv = CKR_OK;

	if (key->class == CKO_PRIVATE_KEY)
		return CKR_KEY_UNEXTRACTABLE;
	if (key->class != CKO_SECRET_KEY)
		return CKR_KEY_NOT_WRAPPABLE;
	if (!object_attribute_bool(key, CKA_EXTRACTABLE, false))
		return CKR_KEY_UNEXTRACTABLE;
	if (object_attribute_bool(key, CKA_WRAP_WITH_TRUSTED, false) &&
	    !object_attribute_bool(wrapper, CKA_TRUSTED, false))
		return CKR_KEY_NOT_WRAPPABLE;
	demands = object_template(wrapper, CKA_WRAP_TEMPLATE);
	if (demands != NULL)
		rv = object_matches_list(key, demands, &matches);
	return rv == CKR_OK && !matches ? CKR_KEY_NOT_WRAPPABLE : rv;
}

/* Both keys, looked at. The caller releases both, also on failure. */
static CK_RV
wrap_begin(struct session *session, const CK_MECHANISM *mechanism, CK_OBJECT_HANDLE wrapping_key,
           CK_OBJECT_HANDLE key, struct object *ret_wrapper, struct object *ret_key)
{
	CK_RV rv = wrapper_get(session->token, &wrapping, mechanism, wrapping_key, ret_wrapper);

	if (rv != CKR_OK)
		return rv;
	rv = object_get(session->token, key, ret_key);
	if (rv != CKR_OK)
		return rv == CKR_OBJECT_HANDLE_INVALID ? CKR_KEY_HANDLE_INVALID : rv;
	rv = key_wrappable(ret_wrapper, ret_key);
	if (rv == CKR_OK && ret_wrapper->key != NULL)
		rv = token_fresh(session->token);
	return rv;
}

CK_RV
wrap_key(struct session *session, const CK_MECHANISM *mechanism, CK_OBJECT_HANDLE wrapping_key,
         CK_OBJECT_HANDLE key, struct buffer *ret_wrapped)
{
	struct object wrapper = { 0 }, wrapped = { 0 };
	struct public_key *public_key;
	CK_RV rv = wrap_begin(session, mechanism, wrapping_key, key, &wrapper, &wrapped);

	if (rv != CKR_OK)
		goto out;
	if (wrapper.class == CKO_SECRET_KEY) {
		rv = wrap_secret(mechanism, object_secret(&wrapper), object_secret(&wrapped),
		                 ret_wrapped);
		goto out;
	}
	rv = object_public_key(&wrapper, &public_key);
	if (rv == CKR_OK)
		rv = wrap_public(mechanism, public_key, object_secret(&wrapped), ret_wrapped);
out:
	object_release(&wrapped);
	object_release(&wrapper);
	return rv;
}

CK_RV
wrap_key_size(struct session *session, const CK_MECHANISM *mechanism,
              CK_OBJECT_HANDLE wrapping_key, CK_OBJECT_HANDLE key, size_t *ret_size)
{
	struct object wrapper = { 0 }, wrapped = { 0 };
	struct public_key *public_key;
	CK_RV rv = wrap_begin(session, mechanism, wrapping_key, key, &wrapper, &wrapped);
	size_t size;

	if (rv != CKR_OK)
		goto out;
	size = secret_size(object_secret(&wrapped));
	if (wrapper.class == CKO_SECRET_KEY) {
		rv = wrap_secret_size(mechanism, size, ret_size);
		goto out;
	}
	rv = object_public_key(&wrapper, &public_key);
	if (rv == CKR_OK)
		rv = wrap_public_size(mechanism, public_key, size, ret_size);
out:
	object_release(&wrapped);
	object_release(&wrapper);
	return rv;
}

/* C_UnwrapKey's names for what C_Decrypt says otherwise. */
static CK_RV
unwrap_failure(CK_RV rv)
{
	switch (rv) {
	case CKR_ENCRYPTED_DATA_INVALID:
		return CKR_WRAPPED_KEY_INVALID;
	case CKR_ENCRYPTED_DATA_LEN_RANGE:
		return CKR_WRAPPED_KEY_LEN_RANGE;
	case CKR_KEY_TYPE_INCONSISTENT:
		return CKR_UNWRAPPING_KEY_TYPE_INCONSISTENT;
	case CKR_KEY_SIZE_RANGE:
		return CKR_UNWRAPPING_KEY_SIZE_RANGE;
	default:
		return rv;
	}
}

/* With a private key: the KMS decrypts all of it, or the AES key that the rest is wrapped with. */
static CK_RV
unwrap_private(const struct object *key, const CK_MECHANISM *mechanism,
               const unsigned char *wrapped, size_t size, struct secret **ret_value)
{
	struct mechanism_use use = { 0 };
	struct public_key *public_key;
	struct secret *aes_key = NULL;
	size_t first = size;
	CK_RV rv = object_public_key(key, &public_key);

	if (rv != CKR_OK)
		return rv;
	if (mechanism->mechanism == CKM_RSA_AES_KEY_WRAP)
		rv = rsa_aes_split(mechanism, public_key, size, &use, &first);
	else
		rv = mechanism_use_init(mechanism, CKF_UNWRAP, public_key, &use);
	if (rv != CKR_OK)
		return unwrap_failure(rv);
	if (mechanism->mechanism != CKM_RSA_AES_KEY_WRAP) {
		rv = remote_decrypt(key, &use, public_key, wrapped, size, ret_value);
	} else {
		rv = remote_decrypt(key, &use, public_key, wrapped, first, &aes_key);
		if (rv == CKR_OK)
			rv = rsa_aes_unwrap(mechanism, aes_key, wrapped + first, size - first,
			                    ret_value);
		secret_free(&aes_key);
	}
	mechanism_use_clear(&use);
	return unwrap_failure(rv);
}

/*
 * CKA_VALUE_LEN, where it is given, is the length of the key: one that may be shortened at will
 * can be found out byte by byte.
 */
static CK_RV
unwrap_length(const struct secret_request *request, const struct secret *value)
{
	if (request->value_size != 0 && request->value_size != secret_size(value))
		return CKR_TEMPLATE_INCONSISTENT;
	return CKR_OK;
}

CK_RV
unwrap_key(struct session *session, const CK_MECHANISM *mechanism,
           CK_OBJECT_HANDLE unwrapping_key, const void *wrapped, size_t size,
           const CK_ATTRIBUTE *template, CK_ULONG count, CK_OBJECT_HANDLE *ret_key)
{
	const struct secret_origin origin = { .generator = CK_UNAVAILABLE_INFORMATION };
	struct secret_request request = { .way = WAY_UNWRAP };
	struct object wrapper = { 0 };
	struct secret *value = NULL;
	CK_RV rv = wrapper_get(session->token, &unwrapping, mechanism, unwrapping_key, &wrapper);

	if (rv == CKR_OK)
		rv = secret_request_init(session, WAY_UNWRAP, template, count,
		                         CK_UNAVAILABLE_INFORMATION,
		                         object_template(&wrapper, CKA_UNWRAP_TEMPLATE), &request);
	if (rv != CKR_OK)
		goto out;
	if (wrapper.class == CKO_SECRET_KEY)
		rv = unwrap_secret(mechanism, object_secret(&wrapper), wrapped, size, &value);
	else
		rv = unwrap_private(&wrapper, mechanism, wrapped, size, &value);
	if (rv == CKR_OK)
		rv = unwrap_length(&request, value);
	if (rv == CKR_OK)
		rv = secret_request_finish(session, &request, &value, &origin, ret_key);
out:
	secret_free(&value);
	secret_request_clear(&request);
	object_release(&wrapper);
	return rv;
}
