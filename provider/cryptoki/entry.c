/* SPDX-License-Identifier: Apache-2.0 */
#include "cryptoki/entry.h"

#include "base/log.h"

CK_RV
entry_module(bool given)
{
	CK_RV rv = provider_enter();

	return rv == CKR_OK && !given ? CKR_ARGUMENTS_BAD : rv;
}

CK_RV
entry_slot(CK_SLOT_ID slot, bool given, struct token **ret_token)
{
	CK_RV rv = provider_enter();

	if (rv == CKR_OK)
		rv = provider_token(slot, ret_token);
	return rv == CKR_OK && !given ? CKR_ARGUMENTS_BAD : rv;
}

CK_RV
entry_begin(CK_SESSION_HANDLE handle, struct session **ret_session)
{
	CK_RV rv = provider_enter();

	if (rv != CKR_OK)
		return rv;
	return session_acquire(handle, ret_session);
}

CK_RV
entry_begin_given(CK_SESSION_HANDLE handle, bool given, struct session **ret_session)
{
	CK_RV rv = entry_begin(handle, ret_session);

	return rv == CKR_OK && !given ? CKR_ARGUMENTS_BAD : rv;
}

bool
entry_given(const void *bytes, CK_ULONG size)
{
	return bytes != NULL || size == 0;
}

CK_RV
entry_end(const char *function, struct session *session, CK_RV rv)
{
	if (session != NULL)
		session_release(session);
	if (log_wants(LOG_LEVEL_DEBUG))
		log_debug("%s: %s", function, ckr_name(rv));
	return rv;
}

bool
entry_room(size_t size, const void *out, CK_ULONG *out_size, CK_RV *ret_rv)
{
	CK_ULONG room = *out_size;

	if (out != NULL && room >= size)
		return true;
	*out_size = size;
	*ret_rv = out == NULL ? CKR_OK : CKR_BUFFER_TOO_SMALL;
	return false;
}

CK_RV
entry_init(const char *function, CK_SESSION_HANDLE handle, enum operation_kind kind,
           const CK_MECHANISM *mechanism, CK_OBJECT_HANDLE key)
{
	struct session *session = NULL;
	struct operation **operation;
	CK_RV rv = entry_begin(handle, &session);

	if (rv != CKR_OK)
		goto out;
	operation = &session->operations[kind];
	/* PKCS#11 3.0, section 5.8.1 and its like: no mechanism means to end what is active. */
	if (mechanism == NULL) {
		rv = *operation != NULL ? CKR_OK : CKR_ARGUMENTS_BAD;
		operation_free(operation);
		goto out;
	}
	rv = CKR_OPERATION_ACTIVE;
	if (*operation != NULL)
		goto out;
	rv = operation_new(session->token, kind, mechanism, key, operation);
out:
	return entry_end(function, session, rv);
}

CK_RV
entry_operation(struct session *session, enum operation_kind kind, bool single, bool given,
                struct operation **ret_operation)
{
	struct operation **operation = &session->operations[kind];

	if (*operation == NULL)
		return CKR_OPERATION_NOT_INITIALIZED;
	if (single && (*operation)->multipart) {
		operation_free(operation);
		return CKR_OPERATION_ACTIVE;
	}
	if (!given) {
		operation_free(operation);
		return CKR_ARGUMENTS_BAD;
	}
	*ret_operation = *operation;
	return CKR_OK;
}

CK_RV
entry_message_init(const char *function, CK_SESSION_HANDLE handle, enum message_kind kind,
                   const CK_MECHANISM *mechanism, CK_OBJECT_HANDLE key)
{
	struct session *session = NULL;
	struct message **message;
	CK_RV rv = entry_begin(handle, &session);

	if (rv != CKR_OK)
		goto out;
	message = &session->messages[kind];
	/* Section 5.9.1 and its like: no mechanism means to end what is active. */
	if (mechanism == NULL) {
		rv = *message != NULL ? CKR_OK : CKR_ARGUMENTS_BAD;
		message_free(message);
		goto out;
	}
	rv = CKR_OPERATION_ACTIVE;
	if (*message != NULL)
		goto out;
	rv = message_new(session->token, kind, mechanism, key, message);
out:
	return entry_end(function, session, rv);
}

CK_RV
entry_message_final(const char *function, CK_SESSION_HANDLE handle, enum message_kind kind)
{
	struct session *session = NULL;
	CK_RV rv = entry_begin(handle, &session);

	if (rv != CKR_OK)
		goto out;
	rv = session->messages[kind] != NULL ? CKR_OK : CKR_OPERATION_NOT_INITIALIZED;
	message_free(&session->messages[kind]);
out:
	return entry_end(function, session, rv);
}

CK_RV
entry_process(struct session *session, enum message_kind kind, bool begun, bool given,
              struct message **ret_message)
{
	struct message *message = session->messages[kind];

	if (message == NULL || (begun && !message_begun(message)))
		return CKR_OPERATION_NOT_INITIALIZED;
	if (!begun && message_begun(message))
		return CKR_OPERATION_ACTIVE;
	if (!given) {
		message_end(message);
		return CKR_ARGUMENTS_BAD;
	}
	*ret_message = message;
	return CKR_OK;
}

CK_RV
entry_message_begin(const char *function, CK_SESSION_HANDLE handle, enum message_kind kind,
                    const void *parameter, CK_ULONG parameter_size)
{
	struct session *session = NULL;
	struct message *message;
	struct operation *operation;
	CK_RV rv;

	rv = entry_begin(handle, &session);
	if (rv != CKR_OK)
		goto out;
	rv = entry_process(session, kind, false, entry_given(parameter, parameter_size), &message);
	if (rv == CKR_OK && parameter_size != 0)
		rv = CKR_MECHANISM_PARAM_INVALID;
	if (rv == CKR_OK)
		rv = message_operation(message, &operation);
	if (rv == CKR_OK)
		message->begun = true;
out:
	return entry_end(function, session, rv);
}

CK_RV
entry_message_part(struct message *message, const void *data, CK_ULONG data_size)
{
	struct operation *operation;
	CK_RV rv = message_operation(message, &operation);

	if (rv == CKR_OK)
		rv = operation_update(operation, data, data_size);
	if (rv != CKR_OK)
		message_end(message);
	return rv;
}
