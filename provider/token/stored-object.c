/* SPDX-License-Identifier: Apache-2.0 */
#include "token/stored-object.h"

#include "base/log.h"
#include "lifecycle/stored-object.h"
#include "p11-kms/p11-kms.h"
#include "token/handle.h"

#include <stdlib.h>
#include <string.h>

/*
 * The certificate of a version (lifecycle/certificate.h) is seen while that is, by its label
 * of today. CKR_OBJECT_HANDLE_INVALID: not to be seen.
 */
static CK_RV
follow_version(struct token *token, struct attributes *list)
{
	const struct attribute *id = attributes_find(list, CKA_ID);
	struct registry_search search = { 0 };
	struct key *key = NULL;
	int64_t object = 0;
	size_t count = 0;
	char *label;
	CK_RV rv;

	if (attributes_find(list, CKA_P11_KMS_KEY_NAME) == NULL || id == NULL)
		return CKR_OK;
	search.id = id->value.data;
	search.id_size = id->value.size;
	rv = registry_search(token->registry, &search, &object, 1, &count);
	if (rv == CKR_OK && count == 0)
		rv = CKR_OBJECT_HANDLE_INVALID;
	if (rv == CKR_OK)
		rv = token_key(token, object, &key);
	if (rv != CKR_OK)
		return rv;
	label = version_label(key->version);
	rv = label == NULL ? CKR_HOST_MEMORY : attributes_set(list, CKA_LABEL, label, strlen(label));
	if (rv == CKR_OK)
		rv = attributes_set_ulong(list, CKA_P11_KMS_VERSION, (CK_ULONG)key->version->number);
	free(label);
	key_release(&key);
	return rv;
}

CK_RV
stored_object_get(struct token *token, int64_t object, struct plain_object **ret_object)
{
	struct object_record *record = NULL;
	struct material *no_material = NULL;
	CK_RV rv = token_poll(token, false);

	if (rv == CKR_OK)
		rv = registry_object(token->registry, object, &record);
	if (rv != CKR_OK)
		return rv;
	rv = follow_version(token, &record->attributes);
	if (rv == CKR_OK)
		rv = plain_object_new(CK_INVALID_HANDLE, &record->attributes, &no_material,
		                      ret_object);
	if (rv == CKR_OK)
		(*ret_object)->handle = handle_of_stored(object);
	object_record_free(&record);
	return rv;
}

/* Who may change the registry. */
static CK_RV
writer_get(struct session *session, struct lifecycle **ret_lifecycle)
{
	if (!session->read_write)
		return CKR_SESSION_READ_ONLY;
	if (session->token->kms != NULL && !token_unlocked(session->token))
		return CKR_USER_NOT_LOGGED_IN;
	return token_lifecycle(session->token, ret_lifecycle);
}

static CK_RV
keep(struct session *session, int64_t object, struct attributes *attributes,
     int64_t *ret_object)
{
	struct object_record *record = NULL;
	struct lifecycle *lifecycle;
	CK_RV rv = writer_get(session, &lifecycle);

	if (rv == CKR_OK && attributes_bool(attributes, CKA_PRIVATE, false)) {
		log_info("token %s: everybody may read the registry, so nothing private is kept "
		         "there; set CKA_PRIVATE to false", session->token->config->name);
		rv = CKR_ATTRIBUTE_VALUE_INVALID;
	}
	if (rv == CKR_OK)
		rv = object_record_new(&record);
	if (rv == CKR_OK) {
		record->object = object;
		record->attributes = *attributes;
		*attributes = (struct attributes)ATTRIBUTES_INIT;
		rv = lifecycle_store_object(lifecycle, record);
		if (rv == CKR_DATA_INVALID)
			rv = CKR_ATTRIBUTE_VALUE_INVALID;
		*ret_object = record->object;
		object_record_free(&record);
	}
	attributes_clear(attributes);
	return rv == CKR_OK ? token_poll(session->token, true) : rv;
}

CK_RV
stored_object_create(struct session *session, struct attributes *attributes,
                     CK_OBJECT_HANDLE *ret_handle)
{
	CK_OBJECT_CLASS class = attributes_ulong(attributes, CKA_CLASS, CK_UNAVAILABLE_INFORMATION);
	int64_t object = 0;
	CK_RV rv = CKR_OK;

	if (class != CKO_CERTIFICATE && class != CKO_DATA) {
		log_info("token %s: such objects live in sessions only; set CKA_TOKEN to false",
		         session->token->config->name);
		rv = CKR_ATTRIBUTE_VALUE_INVALID;
	}
	if (rv == CKR_OK)
		rv = keep(session, 0, attributes, &object);
	attributes_clear(attributes);
	if (rv == CKR_OK)
		*ret_handle = handle_of_stored(object);
	return rv;
}

CK_RV
stored_object_change(struct session *session, const struct plain_object *object,
                     struct attributes *attributes)
{
	int64_t number = 0;

	if (!handle_is_stored(object->handle, &number)) {
		attributes_clear(attributes);
		return CKR_OBJECT_HANDLE_INVALID;
	}
	return keep(session, number, attributes, &number);
}

CK_RV
stored_object_remove(struct session *session, const struct plain_object *object)
{
	struct lifecycle *lifecycle;
	int64_t number;
	CK_RV rv = writer_get(session, &lifecycle);

	if (rv != CKR_OK)
		return rv;
	if (!handle_is_stored(object->handle, &number))
		return CKR_OBJECT_HANDLE_INVALID;
	rv = lifecycle_remove_object(lifecycle, number);
	return rv == CKR_OK ? token_poll(session->token, true) : rv;
}
