/* SPDX-License-Identifier: Apache-2.0 */
#include "kms/hsm-object.h"

#include "base/log.h"
#include "kms/hsm-spki.h"

#include <stdlib.h>
#include <string.h>

/* Handles asked for at once. */
#define PAGE 128
/* No attribute read here is longer; what an HSM says is not believed without a limit. */
#define ATTRIBUTE_SIZE_MAX 65536

/* Ends with all of them, or when there are as many as are wanted (0: all). */
static CK_RV
collect(const struct hsm_session *session, size_t max, CK_OBJECT_HANDLE **objects, size_t *count)
{
	CK_OBJECT_HANDLE page[PAGE], *grown;
	CK_ULONG found;
	CK_RV rv;

	for (;;) {
		if (deadline_passed(session->attempt->deadline))
			return CKR_DEVICE_ERROR;
		found = 0;
		rv = session->functions->C_FindObjects(session->handle, page,
		                                       max == 0 ? PAGE : max - *count, &found);
		if (rv != CKR_OK)
			return rv;
		if (found == 0)
			return CKR_OK;
		if (found > PAGE)
			return CKR_GENERAL_ERROR;
		grown = reallocarray(*objects, *count + found, sizeof **objects);
		if (grown == NULL)
			return CKR_HOST_MEMORY;
		memcpy(grown + *count, page, found * sizeof *page);
		*objects = grown;
		*count += found;
		if (*count == max)
			return CKR_OK;
	}
}

static CK_RV
search(const struct hsm_session *session, CK_ATTRIBUTE *template, CK_ULONG template_count,
       size_t max, CK_OBJECT_HANDLE **ret_objects, size_t *ret_count)
{
	CK_OBJECT_HANDLE *objects = NULL;
	size_t count = 0;
	CK_RV rv;

	rv = session->functions->C_FindObjectsInit(session->handle, template, template_count);
	if (rv != CKR_OK)
		return rv;
	rv = collect(session, max, &objects, &count);
	/* The search must end, however it went, or the session is of no use any more. */
	(void)session->functions->C_FindObjectsFinal(session->handle);
	if (rv != CKR_OK) {
		free(objects);
		return rv;
	}
	*ret_objects = objects;
	*ret_count = count;
	return CKR_OK;
}

/* The first with this CKA_ID; more than one private key: none that could be meant. */
CK_RV
hsm_object_find(const struct hsm_session *session, CK_OBJECT_CLASS class, bool on_token,
                const void *id, size_t id_size, CK_OBJECT_HANDLE *ret_object)
{
	CK_BBOOL token = on_token ? CK_TRUE : CK_FALSE;
	bool private_key = class == CKO_PRIVATE_KEY;
	CK_ATTRIBUTE template[] = {
		{ CKA_CLASS, &class, sizeof class },
		{ CKA_TOKEN, &token, sizeof token },
		{ CKA_ID, (void *)id, id_size },
	};
	CK_OBJECT_HANDLE *objects = NULL;
	size_t count = 0;
	CK_RV rv;

	rv = search(session, template, sizeof template / sizeof *template, private_key ? 2 : 1,
	            &objects, &count);
	if (rv != CKR_OK)
		return rv;
	if (count == 1)
		*ret_object = objects[0];
	free(objects);
	if (count > 1)
		log_error("token %s: the HSM has several private keys with one CKA_ID: none of them is "
		          "used; remove, or rename, those of others", session->hsm->config->name);
	return count == 1 ? CKR_OK : CKR_KEY_HANDLE_INVALID;
}

CK_RV
hsm_object_find_lone(const struct hsm_session *session, CK_OBJECT_CLASS class,
                     const struct kms_id_request *request, CK_OBJECT_HANDLE *ret_object)
{
	CK_BBOOL token = CK_TRUE;
	CK_ATTRIBUTE template[] = {
		{ CKA_CLASS, &class, sizeof class },
		{ CKA_TOKEN, &token, sizeof token },
		{ CKA_ID, (void *)request->id, request->id_size },
	};
	struct buffer label = BUFFER_INIT;
	CK_OBJECT_HANDLE *objects = NULL;
	size_t count = 0;
	CK_RV rv;

	rv = search(session, template, sizeof template / sizeof *template, 2, &objects, &count);
	if (rv != CKR_OK)
		return rv;
	if (count != 1) {
		rv = count == 0 ? CKR_KEY_HANDLE_INVALID : CKR_ACTION_PROHIBITED;
		goto out;
	}
	if (request->label != NULL) {
		rv = hsm_object_attribute(session, objects[0], CKA_LABEL, &label);
		if (rv == CKR_OK && !buffer_equal(&label, request->label, strlen(request->label)))
			rv = CKR_ACTION_PROHIBITED;
	}
	if (rv == CKR_OK)
		*ret_object = objects[0];
out:
	buffer_clear(&label);
	free(objects);
	return rv;
}

/* Of private keys: they are what makes a version. */
CK_RV
hsm_object_find_label(const struct hsm_session *session, const char *label)
{
	CK_OBJECT_CLASS class = CKO_PRIVATE_KEY;
	CK_BBOOL token = CK_TRUE;
	CK_ATTRIBUTE template[] = {
		{ CKA_CLASS, &class, sizeof class },
		{ CKA_TOKEN, &token, sizeof token },
		{ CKA_LABEL, (void *)label, strlen(label) },
	};
	CK_OBJECT_HANDLE *objects = NULL;
	size_t count = 0;
	CK_RV rv;

	rv = search(session, template, sizeof template / sizeof *template, 1, &objects, &count);
	free(objects);
	return rv == CKR_OK && count == 0 ? CKR_KEY_HANDLE_INVALID : rv;
}

CK_RV
hsm_object_find_all(const struct hsm_session *session, CK_OBJECT_CLASS class,
                    CK_OBJECT_HANDLE **ret_objects, size_t *ret_count)
{
	CK_BBOOL token = CK_TRUE;
	CK_ATTRIBUTE template[] = {
		{ CKA_CLASS, &class, sizeof class },
		{ CKA_TOKEN, &token, sizeof token },
	};

	return search(session, template, sizeof template / sizeof *template, 0, ret_objects, ret_count);
}

CK_RV
hsm_object_attribute(const struct hsm_session *session, CK_OBJECT_HANDLE object,
                     CK_ATTRIBUTE_TYPE type, struct buffer *ret_value)
{
	CK_ATTRIBUTE attribute = { type, NULL, 0 };
	struct buffer value = BUFFER_INIT;
	CK_RV rv;

	rv = session->functions->C_GetAttributeValue(session->handle, object, &attribute, 1);
	if (rv != CKR_OK)
		return rv;
	if (attribute.ulValueLen > ATTRIBUTE_SIZE_MAX)
		return CKR_GENERAL_ERROR;
	rv = buffer_resize(&value, attribute.ulValueLen);
	if (rv != CKR_OK || value.size == 0)
		goto out;
	attribute.pValue = value.data;
	rv = session->functions->C_GetAttributeValue(session->handle, object, &attribute, 1);
	if (rv == CKR_OK && attribute.ulValueLen > value.size)
		rv = CKR_GENERAL_ERROR;
	if (rv == CKR_OK)
		rv = buffer_resize(&value, attribute.ulValueLen);
out:
	if (rv != CKR_OK) {
		buffer_clear(&value);
		return rv;
	}
	buffer_clear(ret_value);
	*ret_value = value;
	return CKR_OK;
}

static CK_RV
read_key_type(const struct hsm_session *session, CK_OBJECT_HANDLE object, CK_KEY_TYPE *ret_type)
{
	CK_KEY_TYPE type = CK_UNAVAILABLE_INFORMATION;
	CK_ATTRIBUTE attribute = { CKA_KEY_TYPE, &type, sizeof type };
	CK_RV rv;

	rv = session->functions->C_GetAttributeValue(session->handle, object, &attribute, 1);
	if (rv != CKR_OK)
		return rv;
	*ret_type = type;
	return CKR_OK;
}

CK_RV
hsm_object_describe(const struct hsm_session *session, CK_OBJECT_HANDLE object,
                    struct kms_listed *ret_key)
{
	struct kms_listed key = { BUFFER_INIT, NULL, 0 };
	struct buffer label = BUFFER_INIT;
	CK_RV rv;

	rv = read_key_type(session, object, &key.key_type);
	if (rv == CKR_OK)
		rv = hsm_object_attribute(session, object, CKA_ID, &key.id);
	if (rv == CKR_OK)
		rv = hsm_object_attribute(session, object, CKA_LABEL, &label);
	if (rv == CKR_OK) {
		key.label = strndup(label.size > 0 ? (const char *)label.data : "", label.size);
		rv = key.label != NULL ? CKR_OK : CKR_HOST_MEMORY;
	}
	buffer_clear(&label);
	if (rv != CKR_OK) {
		buffer_clear(&key.id);
		return rv;
	}
	*ret_key = key;
	return CKR_OK;
}

static CK_RV
read_rsa(const struct hsm_session *session, CK_OBJECT_HANDLE object, struct buffer *ret_spki)
{
	struct buffer modulus = BUFFER_INIT, exponent = BUFFER_INIT;
	CK_RV rv;

	rv = hsm_object_attribute(session, object, CKA_MODULUS, &modulus);
	if (rv == CKR_OK)
		rv = hsm_object_attribute(session, object, CKA_PUBLIC_EXPONENT, &exponent);
	if (rv == CKR_OK)
		rv = hsm_spki_rsa(&modulus, &exponent, ret_spki);
	buffer_clear(&modulus);
	buffer_clear(&exponent);
	return rv;
}

static CK_RV
read_ec(const struct hsm_session *session, CK_OBJECT_HANDLE object, CK_KEY_TYPE type,
        struct buffer *ret_spki)
{
	struct buffer params = BUFFER_INIT, point = BUFFER_INIT;
	const struct algorithm *algorithm = NULL;
	CK_RV rv;

	rv = hsm_object_attribute(session, object, CKA_EC_PARAMS, &params);
	if (rv == CKR_OK)
		rv = hsm_object_attribute(session, object, CKA_EC_POINT, &point);
	if (rv == CKR_OK) {
		algorithm = algorithm_ec(type, params.data, params.size);
		/* SoftHSM 2.6.1 calls both forms of curve25519 by the Edwards one (hsm-pair.h). */
		if (algorithm == NULL && type == CKK_EC_EDWARDS)
			algorithm = algorithm_ec(CKK_EC_MONTGOMERY, params.data, params.size);
		rv = algorithm != NULL ? hsm_spki_ec(algorithm, &point, ret_spki) :
		                         CKR_PUBLIC_KEY_INVALID;
	}
	buffer_clear(&params);
	buffer_clear(&point);
	return rv;
}

CK_RV
hsm_object_spki(const struct hsm_session *session, CK_OBJECT_HANDLE object,
                struct buffer *ret_spki)
{
	CK_KEY_TYPE type;
	CK_RV rv;

	rv = read_key_type(session, object, &type);
	if (rv != CKR_OK)
		return rv;
	switch (type) {
	case CKK_RSA:
		return read_rsa(session, object, ret_spki);
	case CKK_EC:
	case CKK_EC_EDWARDS:
	case CKK_EC_MONTGOMERY:
		return read_ec(session, object, type, ret_spki);
	default:
		return CKR_PUBLIC_KEY_INVALID;
	}
}

/* An attribute that the HSM does not have tells nothing, and is not held against it. */
static CK_RV
check_flag(const struct hsm_session *session, CK_OBJECT_HANDLE object, CK_ATTRIBUTE_TYPE type,
           CK_BBOOL wanted, bool must)
{
	CK_BBOOL value = wanted == CK_TRUE ? CK_FALSE : CK_TRUE;
	CK_ATTRIBUTE attribute = { type, &value, sizeof value };
	CK_RV rv;

	rv = session->functions->C_GetAttributeValue(session->handle, object, &attribute, 1);
	if (rv == CKR_ATTRIBUTE_TYPE_INVALID)
		return must ? CKR_TEMPLATE_INCONSISTENT : CKR_OK;
	if (rv != CKR_OK)
		return rv;
	return value == wanted ? CKR_OK : CKR_TEMPLATE_INCONSISTENT;
}

CK_RV
hsm_object_check_sealed(const struct hsm_session *session, CK_OBJECT_HANDLE object)
{
	CK_RV rv;

	rv = check_flag(session, object, CKA_SENSITIVE, CK_TRUE, true);
	if (rv == CKR_OK)
		rv = check_flag(session, object, CKA_EXTRACTABLE, CK_FALSE, true);
	if (rv == CKR_OK)
		rv = check_flag(session, object, CKA_ALWAYS_SENSITIVE, CK_TRUE, false);
	if (rv == CKR_OK)
		rv = check_flag(session, object, CKA_NEVER_EXTRACTABLE, CK_TRUE, false);
	return rv;
}

CK_RV
hsm_object_check_unattended(const struct hsm_session *session, CK_OBJECT_HANDLE object)
{
	return check_flag(session, object, CKA_ALWAYS_AUTHENTICATE, CK_FALSE, false);
}
