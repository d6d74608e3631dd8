/* SPDX-License-Identifier: Apache-2.0 */
/* Object management functions. PKCS#11 3.0, section 5.7. */
#include "cryptoki/entry.h"
#include "token/create.h"
#include "token/find.h"
#include "token/object.h"

/* As object_get, for functions that know no logins: what can't be seen isn't there. */
static CK_RV
object_get_visible(struct session *session, CK_OBJECT_HANDLE handle, struct object *ret_object)
{
	CK_RV rv = object_get(session->token, handle, ret_object);

	return rv == CKR_USER_NOT_LOGGED_IN ? CKR_OBJECT_HANDLE_INVALID : rv;
}

CK_RV
C_CreateObject(CK_SESSION_HANDLE handle, CK_ATTRIBUTE *template, CK_ULONG count,
               CK_OBJECT_HANDLE *object)
{
	struct session *session = NULL;
	CK_RV rv;

	rv = entry_begin_given(handle, template != NULL && count != 0 && object != NULL, &session);
	if (rv == CKR_OK)
		rv = create_object(session, template, count, object);
	return entry_end("C_CreateObject", session, rv);
}

CK_RV
C_CopyObject(CK_SESSION_HANDLE handle, CK_OBJECT_HANDLE object_handle, CK_ATTRIBUTE *template,
             CK_ULONG count, CK_OBJECT_HANDLE *new_object)
{
	struct session *session = NULL;
	struct object object = { 0 };
	CK_RV rv;

	rv = entry_begin_given(handle,
	                       entry_given(template, count) && new_object != NULL, &session);
	if (rv == CKR_OK)
		rv = object_get_visible(session, object_handle, &object);
	if (rv == CKR_OK)
		rv = create_copy(session, &object, template, count, new_object);
	object_release(&object);
	return entry_end("C_CopyObject", session, rv);
}

static CK_RV
destroy_version(struct session *session, const struct object *object)
{
	struct lifecycle *lifecycle;
	CK_RV rv;

	if (!session->read_write)
		return CKR_SESSION_READ_ONLY;
	if (object->class == CKO_PUBLIC_KEY) /* CKA_DESTROYABLE is false: it goes with the private half */
		return CKR_ACTION_PROHIBITED;
	rv = token_lifecycle(session->token, &lifecycle);
	if (rv == CKR_OK)
		rv = lifecycle_destroy(lifecycle, object->key->version->object);
	return rv == CKR_OK ? token_poll(session->token, true) : rv;
}

CK_RV
C_DestroyObject(CK_SESSION_HANDLE handle, CK_OBJECT_HANDLE object_handle)
{
	struct session *session = NULL;
	struct object object = { 0 };
	CK_RV rv = entry_begin(handle, &session);

	if (rv == CKR_OK)
		rv = object_get_visible(session, object_handle, &object);
	if (rv != CKR_OK)
		goto out;
	if (object.key != NULL)
		rv = destroy_version(session, &object);
	else
		rv = create_undo(session, &object);
out:
	object_release(&object);
	return entry_end("C_DestroyObject", session, rv);
}

CK_RV
C_GetObjectSize(CK_SESSION_HANDLE handle, CK_OBJECT_HANDLE object_handle, CK_ULONG *size)
{
	struct session *session = NULL;
	struct object object = { 0 };
	CK_RV rv;

	rv = entry_begin_given(handle, size != NULL, &session);
	if (rv == CKR_OK)
		rv = object_get_visible(session, object_handle, &object);
	if (rv == CKR_OK)
		rv = object_size(&object, size);
	object_release(&object);
	return entry_end("C_GetObjectSize", session, rv);
}

CK_RV
C_GetAttributeValue(CK_SESSION_HANDLE handle, CK_OBJECT_HANDLE object_handle,
                    CK_ATTRIBUTE *template, CK_ULONG count)
{
	struct session *session = NULL;
	struct object object = { 0 };
	CK_RV rv;

	rv = entry_begin_given(handle, template != NULL && count != 0, &session);
	if (rv == CKR_OK)
		rv = object_get_visible(session, object_handle, &object);
	if (rv == CKR_OK)
		rv = object_attributes(&object, template, count);
	object_release(&object);
	return entry_end("C_GetAttributeValue", session, rv);
}

CK_RV
C_SetAttributeValue(CK_SESSION_HANDLE handle, CK_OBJECT_HANDLE object_handle,
                    CK_ATTRIBUTE *template, CK_ULONG count)
{
	struct session *session = NULL;
	struct object object = { 0 };
	CK_RV rv;

	rv = entry_begin_given(handle, template != NULL && count != 0, &session);
	if (rv == CKR_OK)
		rv = object_get_visible(session, object_handle, &object);
	if (rv == CKR_OK)
		rv = create_change(session, &object, template, count);
	object_release(&object);
	return entry_end("C_SetAttributeValue", session, rv);
}

CK_RV
C_FindObjectsInit(CK_SESSION_HANDLE handle, CK_ATTRIBUTE *template, CK_ULONG count)
{
	struct session *session = NULL;
	CK_RV rv;

	rv = entry_begin(handle, &session);
	if (rv != CKR_OK)
		goto out;
	rv = CKR_OPERATION_ACTIVE;
	if (session->find != NULL)
		goto out;
	rv = CKR_ARGUMENTS_BAD;
	if (!entry_given(template, count))
		goto out;
	rv = find_new(session->token, template, count, &session->find);
out:
	return entry_end("C_FindObjectsInit", session, rv);
}

CK_RV
C_FindObjects(CK_SESSION_HANDLE handle, CK_OBJECT_HANDLE *objects, CK_ULONG max, CK_ULONG *count)
{
	struct session *session = NULL;
	CK_RV rv;

	rv = entry_begin(handle, &session);
	if (rv != CKR_OK)
		goto out;
	rv = CKR_OPERATION_NOT_INITIALIZED;
	if (session->find == NULL)
		goto out;
	rv = CKR_ARGUMENTS_BAD;
	if (!entry_given(objects, max) || count == NULL)
		goto out;
	rv = find_next(session->find, objects, max, count);
out:
	return entry_end("C_FindObjects", session, rv);
}

CK_RV
C_FindObjectsFinal(CK_SESSION_HANDLE handle)
{
	struct session *session = NULL;
	CK_RV rv = entry_begin(handle, &session);

	if (rv != CKR_OK)
		goto out;
	rv = session->find != NULL ? CKR_OK : CKR_OPERATION_NOT_INITIALIZED;
	find_free(&session->find);
out:
	return entry_end("C_FindObjectsFinal", session, rv);
}
