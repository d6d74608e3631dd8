/* SPDX-License-Identifier: Apache-2.0 */
#include "cryptoki/entry.h"

#include "base/log.h"

CK_RV
entry_begin(CK_SESSION_HANDLE handle, struct session **ret_session)
{
	CK_RV rv = provider_enter();

	if (rv != CKR_OK)
		return rv;
	return session_acquire(handle, ret_session);
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

CK_RV
entry_unsupported(const char *function, CK_SESSION_HANDLE handle)
{
	struct session *session = NULL;
	CK_RV rv = entry_begin(handle, &session);

	return entry_end(function, session, rv == CKR_OK ? CKR_FUNCTION_NOT_SUPPORTED : rv);
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
entry_operation(struct session *session, enum operation_kind kind, bool single,
                struct operation **ret_operation)
{
	struct operation **operation = &session->operations[kind];

	if (*operation == NULL)
		return CKR_OPERATION_NOT_INITIALIZED;
	if (single && (*operation)->multipart) {
		operation_free(operation);
		return CKR_OPERATION_ACTIVE;
	}
	*ret_operation = *operation;
	return CKR_OK;
}
