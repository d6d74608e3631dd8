/* SPDX-License-Identifier: Apache-2.0 */
#include "token/secret-key.h"

#include "base/log.h"
#include "base/openssl.h"
#include "mechanism/check-value.h"
#include "mechanism/mechanism.h"
#include "mechanism/wrap.h"
#include "token/create.h"
#include "token/template.h"

#include <openssl/rand.h>

#include <string.h>

static bool
key_type_known(CK_KEY_TYPE key_type)
{
	switch (key_type) {
	case CKK_AES:
	case CKK_GENERIC_SECRET:
	case CKK_SHA_1_HMAC:
	case CKK_SHA224_HMAC:
	case CKK_SHA256_HMAC:
	case CKK_SHA384_HMAC:
	case CKK_SHA512_HMAC:
		return true;
	default:
		return false;
	}
}

bool
secret_size_fits(CK_KEY_TYPE key_type, size_t size)
{
	if (key_type == CKK_AES)
		return size == 16 || size == 24 || size == 32;
	return size >= 1 && size <= WRAP_SIZE_MAX;
}

/* Copies the template into the request: lengths and values go their own ways. */
static CK_RV
request_take(struct secret_request *request, const CK_ATTRIBUTE *template, CK_ULONG count)
{
	CK_RV rv = CKR_OK;

	for (CK_ULONG i = 0; rv == CKR_OK && i < count; i++)
		if (template[i].type != CKA_VALUE && template[i].type != CKA_VALUE_LEN)
			rv = attributes_set_copy(&request->attributes, &template[i]);
	if (rv == CKR_OK)
		rv = template_ulong(template, count, CKA_VALUE_LEN, &request->value_size);
	return rv;
}

/* A length is no attribute of the list. */
static CK_RV
force_size(struct secret_request *request, const CK_ATTRIBUTE *attribute)
{
	CK_ULONG size = 0;
	CK_RV rv = template_ulong(attribute, 1, CKA_VALUE_LEN, &size);

	if (rv != CKR_OK)
		return rv;
	if (request->value_size != 0 && request->value_size != size)
		return CKR_TEMPLATE_INCONSISTENT;
	request->value_size = size;
	return CKR_OK;
}

/* What UNWRAP_TEMPLATE and its like demand: added, or there with the same value (section 5.18.4). */
static CK_RV
request_force(struct secret_request *request, const struct attributes *forced)
{
	const struct attribute *have;
	const struct attribute *must;
	CK_RV rv = CKR_OK;

	for (size_t i = 0; forced != NULL && rv == CKR_OK && i < forced->count; i++) {
		CK_ATTRIBUTE attribute;

		must = &forced->list[i];
		attribute = (CK_ATTRIBUTE){ must->type, must->value.data, must->value.size };
		if (must->type == CKA_VALUE_LEN) {
			rv = force_size(request, &attribute);
			continue;
		}
		/* It can't give what nobody may ask for, such as CKA_TRUSTED. */
		rv = rules_check(request->way, CKO_SECRET_KEY, &attribute, 1);
		if (rv != CKR_OK)
			return rv;
		have = attributes_find(&request->attributes, must->type);
		if (have == NULL)
			rv = attributes_set(&request->attributes, must->type, must->value.data,
			                    must->value.size);
		else if (!buffer_equal(&have->value, must->value.data, must->value.size))
			rv = CKR_TEMPLATE_INCONSISTENT;
	}
	return rv;
}

static CK_RV
request_class(struct secret_request *request, CK_KEY_TYPE key_type)
{
	CK_RV rv = CKR_OK;

	/* Who generates a key names its class with the mechanism. */
	if (request->way == WAY_GENERATE &&
	    attributes_find(&request->attributes, CKA_CLASS) == NULL)
		rv = attributes_set_ulong(&request->attributes, CKA_CLASS, CKO_SECRET_KEY);
	if (rv == CKR_OK && request->way == WAY_GENERATE &&
	    attributes_find(&request->attributes, CKA_KEY_TYPE) == NULL)
		rv = attributes_set_ulong(&request->attributes, CKA_KEY_TYPE, key_type);
	if (rv != CKR_OK)
		return rv;
	if (attributes_find(&request->attributes, CKA_CLASS) == NULL)
		return CKR_TEMPLATE_INCOMPLETE;
	if (attributes_find(&request->attributes, CKA_KEY_TYPE) == NULL)
		return CKR_TEMPLATE_INCOMPLETE;
	request->key_type = attributes_ulong(&request->attributes, CKA_KEY_TYPE,
	                                     CK_UNAVAILABLE_INFORMATION);
	if (attributes_ulong(&request->attributes, CKA_CLASS, CK_UNAVAILABLE_INFORMATION) !=
	    CKO_SECRET_KEY)
		return CKR_TEMPLATE_INCONSISTENT;
	if (key_type != CK_UNAVAILABLE_INFORMATION && request->key_type != key_type)
		return CKR_TEMPLATE_INCONSISTENT;
	return key_type_known(request->key_type) ? CKR_OK : CKR_ATTRIBUTE_VALUE_INVALID;
}

/*
 * Section 4.10 leaves the verbs' defaults to the token: where the template names none, a key
 * encrypts or signs, as its type is made for; where it names some, it does no more than that.
 */
static CK_RV
request_verbs(struct secret_request *request)
{
	static const CK_ATTRIBUTE_TYPE verbs[] = { CKA_ENCRYPT, CKA_DECRYPT, CKA_SIGN, CKA_VERIFY,
	                                           CKA_WRAP, CKA_UNWRAP, CKA_DERIVE };
	static const CK_ATTRIBUTE_TYPE made_for[] = { CKA_SIGN, CKA_VERIFY, CKA_ENCRYPT,
	                                              CKA_DECRYPT };
	size_t count = request->key_type == CKK_AES ? 4 : 2;
	CK_RV rv = CKR_OK;

	for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++)
		if (attributes_find(&request->attributes, verbs[i]) != NULL)
			return CKR_OK;
	for (size_t i = 0; rv == CKR_OK && i < count; i++)
		rv = attributes_set_bool(&request->attributes, made_for[i], true);
	return rv;
}

static CK_RV
request_settle(struct session *session, struct secret_request *request, CK_KEY_TYPE key_type,
               const struct attributes *forced)
{
	CK_RV rv = request_force(request, forced);

	request->waived = protection_waived(&request->attributes); /* before the defaults come in */
	if (rv == CKR_OK)
		rv = request_class(request, key_type);
	if (rv == CKR_OK)
		rv = request_verbs(request);
	if (rv == CKR_OK)
		rv = create_private_default(session, &request->attributes);
	if (rv == CKR_OK)
		rv = rules_defaults(CKO_SECRET_KEY, request->key_type, &request->attributes);
	if (rv == CKR_OK)
		rv = create_allowed(session, &request->attributes);
	if (rv == CKR_OK && attributes_bool(&request->attributes, CKA_TOKEN, false)) {
		log_info("token %s: secret keys live in sessions only; set CKA_TOKEN to false",
		         session->token->config->name);
		rv = CKR_ATTRIBUTE_VALUE_INVALID;
	}
	if (rv == CKR_OK && roles_conflict(roles_wrap(&request->attributes),
	                                   roles_crypt(&request->attributes)))
		rv = CKR_TEMPLATE_INCONSISTENT;
	return rv;
}

CK_RV
secret_request_init(struct session *session, enum way way, const CK_ATTRIBUTE *template,
                    CK_ULONG count, CK_KEY_TYPE key_type, const struct attributes *forced,
                    struct secret_request *ret_request)
{
	struct secret_request request = { .way = way };
	CK_RV rv = template_check(template, count);

	if (rv == CKR_OK)
		rv = rules_check(way, CKO_SECRET_KEY, template, count);
	if (rv == CKR_OK)
		rv = request_take(&request, template, count);
	if (rv == CKR_OK)
		rv = request_settle(session, &request, key_type, forced);
	if (rv == CKR_OK)
		*ret_request = request;
	else
		secret_request_clear(&request);
	return rv;
}

void
secret_request_clear(struct secret_request *request)
{
	attributes_clear(&request->attributes);
}

static CK_RV
misfit(enum way way)
{
	switch (way) {
	case WAY_UNWRAP:
		return CKR_WRAPPED_KEY_LEN_RANGE;
	case WAY_DERIVE:
		return CKR_KEY_SIZE_RANGE;
	default:
		return CKR_ATTRIBUTE_VALUE_INVALID;
	}
}

/* A check value that is given must be right; an empty one says that none is wanted (section 4.10.2). */
static CK_RV
finish_check_value(struct secret_request *request, const struct secret *value)
{
	const struct attribute *given = attributes_find(&request->attributes, CKA_CHECK_VALUE);
	unsigned char right[CHECK_VALUE_SIZE];
	CK_RV rv;

	if (given != NULL && given->value.size == 0)
		return CKR_OK;
	rv = check_value(request->key_type, value, right);
	if (rv != CKR_OK)
		return rv;
	if (given != NULL && !buffer_equal(&given->value, right, sizeof right))
		return CKR_ATTRIBUTE_VALUE_INVALID;
	return attributes_set(&request->attributes, CKA_CHECK_VALUE, right, sizeof right);
}

static CK_RV
finish_attributes(struct secret_request *request, const struct secret_origin *origin)
{
	struct attributes *list = &request->attributes;
	bool sensitive = attributes_bool(list, CKA_SENSITIVE, false);
	bool extractable = attributes_bool(list, CKA_EXTRACTABLE, true);
	CK_RV rv = attributes_set_bool(list, CKA_LOCAL, origin->local);

	if (rv == CKR_OK)
		rv = attributes_set_ulong(list, CKA_KEY_GEN_MECHANISM, origin->generator);
	if (rv == CKR_OK)
		rv = attributes_set_bool(list, CKA_ALWAYS_SENSITIVE,
		                         (origin->local || origin->always_sensitive) && sensitive);
	if (rv == CKR_OK)
		rv = attributes_set_bool(list, CKA_NEVER_EXTRACTABLE,
		                         (origin->local || origin->never_extractable) && !extractable);
	return rv;
}

CK_RV
secret_request_finish(struct session *session, struct secret_request *request,
                      struct secret **value, const struct secret_origin *origin,
                      CK_OBJECT_HANDLE *ret_handle)
{
	struct public_key *no_public_key = NULL;
	struct material *material = NULL;
	CK_RV rv = CKR_OK;

	if (!secret_size_fits(request->key_type, secret_size(*value)))
		rv = misfit(request->way);
	if (rv == CKR_OK)
		rv = finish_check_value(request, *value);
	if (rv == CKR_OK)
		rv = finish_attributes(request, origin);
	if (rv == CKR_OK)
		rv = material_new(value, &no_public_key, &material);
	else
		secret_free(value);
	if (rv == CKR_OK)
		rv = create_finished(session, &request->attributes, request->waived, &material,
		                     ret_handle);
	return rv;
}

/* CKM_GENERIC_SECRET_KEY_GEN makes no HMAC keys: theirs are mechanisms of their own, which we don't have. */
CK_RV
secret_generate(struct session *session, const CK_MECHANISM *mechanism,
                const CK_ATTRIBUTE *template, CK_ULONG count, CK_OBJECT_HANDLE *ret_handle)
{
	const struct mechanism *row;
	const struct secret_origin origin = { .local = true, .generator = mechanism->mechanism };
	struct secret_request request;
	struct secret *value = NULL;
	CK_RV rv = token_mechanism(session->token, mechanism->mechanism, CKF_GENERATE, &row);

	if (rv != CKR_OK)
		return rv;
	if (mechanism->ulParameterLen != 0)
		return CKR_MECHANISM_PARAM_INVALID;
	rv = secret_request_init(session, WAY_GENERATE, template, count, row->key_type, NULL,
	                         &request);
	if (rv != CKR_OK)
		return rv;
	if (template_find(template, count, CKA_VALUE_LEN) == NULL)
		rv = CKR_TEMPLATE_INCOMPLETE;
	else if (!secret_size_fits(request.key_type, request.value_size))
		rv = CKR_ATTRIBUTE_VALUE_INVALID;
	if (rv == CKR_OK)
		rv = secret_new(request.value_size, &value);
	if (rv == CKR_OK && RAND_priv_bytes_ex(openssl_context(), secret_data(value),
	                                       secret_size(value), 0) != 1) {
		secret_free(&value);
		rv = openssl_failure(CKR_FUNCTION_FAILED);
	}
	if (rv == CKR_OK)
		rv = secret_request_finish(session, &request, &value, &origin, ret_handle);
	secret_request_clear(&request);
	return rv;
}
