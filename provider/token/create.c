/* SPDX-License-Identifier: Apache-2.0 */
#include "token/create.h"

#include "base/log.h"
#include "mechanism/certificate.h"
#include "token/attribute-rule.h"
#include "token/handle.h"
#include "token/public-object.h"
#include "token/secret-key.h"
#include "token/stored-object.h"
#include "token/template.h"

CK_RV
create_private_default(const struct session *session, struct attributes *list)
{
	if (attributes_find(list, CKA_PRIVATE) != NULL)
		return CKR_OK;
	return attributes_set_bool(list, CKA_PRIVATE, session->token->logged_in);
}

CK_RV
create_allowed(const struct session *session, const struct attributes *list)
{
	if (attributes_bool(list, CKA_PRIVATE, false) && token_hides_private(session->token))
		return CKR_USER_NOT_LOGGED_IN;
	return CKR_OK;
}

CK_RV
create_finished(struct session *session, struct attributes *attributes, unsigned waived,
                struct material **material, CK_OBJECT_HANDLE *ret_handle)
{
	struct plain_object *object = NULL;
	CK_RV rv;

	if (attributes_bool(attributes, CKA_TOKEN, false)) {
		material_release(material);
		return stored_object_create(session, attributes, ret_handle);
	}
	rv = plain_object_new(session->handle, attributes, material, &object);
	if (rv != CKR_OK)
		return rv;
	object->waived = waived;
	return object_table_add(session->token->objects, &object, ret_handle);
}

static CK_RV
create_secret(struct session *session, const CK_ATTRIBUTE *template, CK_ULONG count,
              CK_OBJECT_HANDLE *ret_handle)
{
	const struct secret_origin origin = { .generator = CK_UNAVAILABLE_INFORMATION };
	const CK_ATTRIBUTE *given = template_find(template, count, CKA_VALUE);
	struct secret_request request;
	struct secret *value = NULL;
	CK_RV rv;

	rv = secret_request_init(session, WAY_CREATE, template, count, CK_UNAVAILABLE_INFORMATION,
	                         NULL, &request);
	if (rv != CKR_OK)
		return rv;
	rv = given == NULL ? CKR_TEMPLATE_INCOMPLETE
	                   : secret_dup(given->pValue, given->ulValueLen, &value);
	if (rv == CKR_OK)
		rv = secret_request_finish(session, &request, &value, &origin, ret_handle);
	secret_request_clear(&request);
	return rv;
}

static CK_RV
settle_part(struct attributes *list, CK_ATTRIBUTE_TYPE type, const struct buffer *value)
{
	const struct attribute *given = attributes_find(list, type);

	if (given != NULL && given->value.size != 0)
		return CKR_OK;
	return attributes_set(list, type, value->data, value->size);
}

/* Sections 4.6.2 and 4.6.3: X.509 only, whole, and telling who it is from. */
static CK_RV
settle_certificate(struct attributes *list)
{
	const struct attribute *value = attributes_find(list, CKA_VALUE);
	struct certificate_parts parts;
	CK_RV rv;

	if (attributes_ulong(list, CKA_CERTIFICATE_TYPE, CK_UNAVAILABLE_INFORMATION) != CKC_X_509)
		return CKR_ATTRIBUTE_VALUE_INVALID;
	rv = certificate_parse(value->value.data, value->value.size, &parts);
	if (rv != CKR_OK)
		return rv;
	rv = settle_part(list, CKA_ISSUER, &parts.issuer);
	if (rv == CKR_OK)
		rv = settle_part(list, CKA_SERIAL_NUMBER, &parts.serial);
	if (rv == CKR_OK)
		rv = settle_part(list, CKA_PUBLIC_KEY_INFO, &parts.spki);
	certificate_parts_clear(&parts);
	return rv;
}

/* Data, certificates, public keys: nothing secret. */
static CK_RV
create_plain(struct session *session, CK_OBJECT_CLASS class, const CK_ATTRIBUTE *template,
             CK_ULONG count, CK_OBJECT_HANDLE *ret_handle)
{
	struct attributes list = ATTRIBUTES_INIT;
	struct material *material = NULL;
	CK_KEY_TYPE key_type;
	CK_RV rv = rules_check(WAY_CREATE, class, template, count);

	for (CK_ULONG i = 0; rv == CKR_OK && i < count; i++)
		rv = attributes_set_copy(&list, &template[i]);
	key_type = attributes_ulong(&list, CKA_KEY_TYPE, CK_UNAVAILABLE_INFORMATION);
	if (rv == CKR_OK)
		rv = rules_complete(class, key_type, &list);
	if (rv == CKR_OK && class == CKO_PUBLIC_KEY)
		rv = public_object_settle(&list, &material);
	if (rv == CKR_OK && class == CKO_CERTIFICATE)
		rv = settle_certificate(&list);
	if (rv == CKR_OK)
		rv = rules_defaults(class, key_type, &list);
	if (rv == CKR_OK)
		rv = create_allowed(session, &list);
	if (rv == CKR_OK)
		return create_finished(session, &list, 0, &material, ret_handle);
	attributes_clear(&list);
	material_release(&material);
	return rv;
}

CK_RV
create_object(struct session *session, const CK_ATTRIBUTE *template, CK_ULONG count,
              CK_OBJECT_HANDLE *ret_handle)
{
	CK_OBJECT_CLASS class = CK_UNAVAILABLE_INFORMATION;
	CK_RV rv = template_check(template, count);

	if (rv != CKR_OK)
		return rv;
	if (template_find(template, count, CKA_CLASS) == NULL)
		return CKR_TEMPLATE_INCOMPLETE;
	rv = template_ulong(template, count, CKA_CLASS, &class);
	if (rv != CKR_OK)
		return rv;
	switch (class) {
	case CKO_SECRET_KEY:
		return create_secret(session, template, count, ret_handle);
	case CKO_PUBLIC_KEY:
	case CKO_DATA:
	case CKO_CERTIFICATE:
		return create_plain(session, class, template, count, ret_handle);
	case CKO_PRIVATE_KEY:
		log_info("token %s: private keys are made in the KMS and never come from outside",
		         session->token->config->name);
		return CKR_ATTRIBUTE_VALUE_INVALID;
	default:
		return CKR_ATTRIBUTE_VALUE_INVALID;
	}
}

/* The attributes of object with what the template changes. ret_waived: what it says shall not protect it. */
static CK_RV
changed(enum way way, const struct plain_object *object, const CK_ATTRIBUTE *template,
        CK_ULONG count, struct attributes *ret_list, unsigned *ret_waived)
{
	struct attributes asked = ATTRIBUTES_INIT;
	CK_RV rv = template_check(template, count);

	if (rv == CKR_OK)
		rv = rules_check(way, plain_object_class(object), template, count);
	if (rv == CKR_OK)
		rv = attributes_dup(&object->attributes, ret_list);
	for (CK_ULONG i = 0; rv == CKR_OK && i < count; i++) {
		rv = rules_change(&object->attributes, &template[i]);
		if (rv == CKR_OK)
			rv = attributes_set_copy(ret_list, &template[i]);
		if (rv == CKR_OK)
			rv = attributes_set_copy(&asked, &template[i]);
	}
	if (rv == CKR_OK)
		*ret_waived = protection_waived(&asked);
	attributes_clear(&asked);
	return rv;
}

static struct material *
material_share(const struct plain_object *object)
{
	if (object->material != NULL)
		material_acquire(object->material);
	return object->material;
}

CK_RV
create_copy(struct session *session, const struct object *object, const CK_ATTRIBUTE *template,
            CK_ULONG count, CK_OBJECT_HANDLE *ret_handle)
{
	struct attributes list = ATTRIBUTES_INIT;
	struct material *material;
	unsigned waived;
	CK_RV rv;

	if (object->plain == NULL ||
	    !attributes_bool(&object->plain->attributes, CKA_COPYABLE, true))
		return CKR_ACTION_PROHIBITED;
	rv = changed(WAY_COPY, object->plain, template, count, &list, &waived);
	/* What is private stays so: a copy is no way around the logout. */
	if (rv == CKR_OK && plain_object_private(object->plain) &&
	    !attributes_bool(&list, CKA_PRIVATE, false))
		rv = CKR_TEMPLATE_INCONSISTENT;
	if (rv == CKR_OK)
		rv = create_allowed(session, &list);
	if (rv == CKR_OK) {
		material = material_share(object->plain);
		rv = create_finished(session, &list, waived, &material, ret_handle);
	}
	attributes_clear(&list);
	return rv;
}

static CK_RV
change_once(struct session *session, const struct plain_object *object,
            const CK_ATTRIBUTE *template, CK_ULONG count)
{
	struct attributes list = ATTRIBUTES_INIT;
	struct plain_object *next = NULL;
	struct material *material;
	unsigned waived; /* only what is new is protected by more than it has */
	CK_RV rv;

	if (!attributes_bool(&object->attributes, CKA_MODIFIABLE, true))
		return CKR_ACTION_PROHIBITED;
	rv = changed(WAY_SET, object, template, count, &list, &waived);
	if (rv == CKR_OK && attributes_bool(&list, CKA_TOKEN, false))
		return stored_object_change(session, object, &list);
	if (rv == CKR_OK) {
		material = material_share(object);
		rv = plain_object_new(object->owner, &list, &material, &next);
	}
	if (rv == CKR_OK)
		rv = object_table_replace(session->token->objects, object, &next);
	attributes_clear(&list);
	return rv;
}

CK_RV
create_change(struct session *session, const struct object *object,
              const CK_ATTRIBUTE *template, CK_ULONG count)
{
	struct plain_object *newer = NULL;
	CK_RV rv;

	if (object->plain == NULL)
		return CKR_ACTION_PROHIBITED;
	rv = change_once(session, object->plain, template, count);
	/* Another thread may have changed it meanwhile: then begin with what it has become. */
	while (rv == CKR_OBJECT_HANDLE_INVALID && handle_is_session(object->plain->handle)) {
		rv = object_table_get(session->token->objects, object->plain->handle, &newer);
		if (rv != CKR_OK)
			return rv;
		rv = change_once(session, newer, template, count);
		plain_object_release(&newer);
	}
	return rv;
}

CK_RV
create_undo(struct session *session, const struct object *object)
{
	if (!attributes_bool(&object->plain->attributes, CKA_DESTROYABLE, true))
		return CKR_ACTION_PROHIBITED;
	if (attributes_bool(&object->plain->attributes, CKA_TOKEN, false))
		return stored_object_remove(session, object->plain);
	return object_table_remove(session->token->objects, object->plain->handle);
}
