/* SPDX-License-Identifier: Apache-2.0 */
/* Session management functions. PKCS#11 3.0, section 5.6. */
#include "cryptoki/entry.h"

#include "base/log.h"
#include "token/find.h"
#include "token/operation-state.h"

#include <string.h>

CK_RV
C_OpenSession(CK_SLOT_ID slot, CK_FLAGS flags, void *application, CK_NOTIFY notify,
              CK_SESSION_HANDLE *handle)
{
	struct token *token;
	CK_RV rv = entry_slot(slot, handle != NULL, &token);

	(void)application; /* nothing is ever notified (section 5.21: surrender is optional) */
	(void)notify;
	if (rv != CKR_OK)
		goto out;
	rv = CKR_SESSION_PARALLEL_NOT_SUPPORTED;
	if ((flags & CKF_SERIAL_SESSION) == 0)
		goto out;
	rv = session_open(token, (flags & CKF_RW_SESSION) != 0, handle);
out:
	return entry_end("C_OpenSession", NULL, rv);
}

CK_RV
C_CloseSession(CK_SESSION_HANDLE handle)
{
	CK_RV rv = entry_module(true);

	if (rv == CKR_OK)
		rv = session_close(handle);
	return entry_end("C_CloseSession", NULL, rv);
}

CK_RV
C_CloseAllSessions(CK_SLOT_ID slot)
{
	struct token *token;
	CK_RV rv = entry_slot(slot, true, &token);

	if (rv == CKR_OK)
		session_close_all(token);
	return entry_end("C_CloseAllSessions", NULL, rv);
}

CK_RV
C_GetSessionInfo(CK_SESSION_HANDLE handle, CK_SESSION_INFO *info)
{
	struct session *session = NULL;
	CK_RV rv;

	rv = entry_begin_given(handle, info != NULL, &session);
	if (rv != CKR_OK)
		goto out;
	*info = (CK_SESSION_INFO) {
		.slotID = session->token->slot,
		.state = session_state(session),
		.flags = CKF_SERIAL_SESSION | (session->read_write ? CKF_RW_SESSION : 0),
		.ulDeviceError = session->token->kms != NULL
		                         ? kms_device_error(session->token->kms) : 0,
	};
out:
	return entry_end("C_GetSessionInfo", session, rv);
}

/* Section 5.6.5: the flags are those of CK_MECHANISM_INFO (section 3.3). */
CK_RV
C_SessionCancel(CK_SESSION_HANDLE handle, CK_FLAGS flags)
{
	static const CK_FLAGS kinds[OPERATION_KINDS] = {
		[OPERATION_ENCRYPT] = CKF_ENCRYPT, [OPERATION_DECRYPT] = CKF_DECRYPT,
		[OPERATION_DIGEST] = CKF_DIGEST,   [OPERATION_SIGN] = CKF_SIGN,
		[OPERATION_VERIFY] = CKF_VERIFY,   [OPERATION_SIGN_RECOVER] = CKF_SIGN_RECOVER,
		[OPERATION_VERIFY_RECOVER] = CKF_VERIFY_RECOVER,
	};
	static const CK_FLAGS message_kinds[MESSAGE_KINDS] = {
		[MESSAGE_ENCRYPT] = CKF_MESSAGE_ENCRYPT, [MESSAGE_DECRYPT] = CKF_MESSAGE_DECRYPT,
		[MESSAGE_SIGN] = CKF_MESSAGE_SIGN,       [MESSAGE_VERIFY] = CKF_MESSAGE_VERIFY,
	};
	struct session *session = NULL;
	CK_RV rv = entry_begin(handle, &session);

	if (rv != CKR_OK)
		goto out;
	/* What is not active, or is never active here, is passed over. */
	if ((flags & CKF_FIND_OBJECTS) != 0)
		find_free(&session->find);
	for (size_t i = 0; i < OPERATION_KINDS; i++)
		if ((flags & kinds[i]) != 0)
			operation_free(&session->operations[i]);
	for (size_t i = 0; i < MESSAGE_KINDS; i++)
		if ((flags & message_kinds[i]) != 0)
			message_free(&session->messages[i]);
out:
	return entry_end("C_SessionCancel", session, rv);
}

CK_RV
C_GetOperationState(CK_SESSION_HANDLE handle, unsigned char *state, CK_ULONG *state_size)
{
	struct buffer saved = BUFFER_INIT;
	struct session *session = NULL;
	CK_RV rv;

	rv = entry_begin(handle, &session);
	if (rv != CKR_OK)
		goto out;
	rv = operation_state_save(session, &saved);
	if (rv == CKR_OK && state_size == NULL)
		rv = CKR_ARGUMENTS_BAD;
	if (rv == CKR_OK && entry_room(saved.size, state, state_size, &rv)) {
		memcpy(state, saved.data, saved.size);
		*state_size = saved.size;
	}
	buffer_clear(&saved);
out:
	return entry_end("C_GetOperationState", session, rv);
}

CK_RV
C_SetOperationState(CK_SESSION_HANDLE handle, unsigned char *state, CK_ULONG state_size,
                    CK_OBJECT_HANDLE encryption_key, CK_OBJECT_HANDLE authentication_key)
{
	struct session *session = NULL;
	CK_RV rv;

	rv = entry_begin_given(handle, state != NULL, &session);
	if (rv == CKR_OK)
		rv = operation_state_restore(session, state, state_size, encryption_key,
		                             authentication_key);
	return entry_end("C_SetOperationState", session, rv);
}

/*
 * The security officer of a KMS's token is its administrator, who does not log in here: the
 * states in which he could not are told first.
 */
static CK_RV
login_officer(const struct session *session)
{
	struct token *token = session->token;
	bool read_only;

	if (token->logged_in)
		return CKR_USER_ANOTHER_ALREADY_LOGGED_IN;
	pthread_mutex_lock(&token->lock);
	read_only = token->session_count > token->rw_session_count;
	pthread_mutex_unlock(&token->lock);
	if (read_only)
		return CKR_SESSION_READ_ONLY_EXISTS;
	log_info("token %s: has no security officer", token->config->name);
	return CKR_USER_TYPE_INVALID;
}

static CK_RV
session_login(const char *function, CK_SESSION_HANDLE handle, CK_USER_TYPE user, const void *pin,
              CK_ULONG pin_size, bool named)
{
	struct session *session = NULL;
	CK_RV rv;

	rv = entry_begin_given(handle, pin != NULL, &session);
	if (rv != CKR_OK)
		goto out;
	if (named) {
		log_info("token %s: its user has no name", session->token->config->name);
		rv = CKR_ARGUMENTS_BAD;
		goto out;
	}
	switch (user) {
	case CKU_USER:
		rv = token_login(session->token, pin, pin_size);
		break;
	case CKU_SO:
		rv = login_officer(session);
		break;
	case CKU_CONTEXT_SPECIFIC: /* no key asks for a login of its own (CKA_ALWAYS_AUTHENTICATE) */
		rv = CKR_OPERATION_NOT_INITIALIZED;
		break;
	default:
		rv = CKR_USER_TYPE_INVALID;
	}
out:
	return entry_end(function, session, rv);
}

CK_RV
C_Login(CK_SESSION_HANDLE handle, CK_USER_TYPE user, unsigned char *pin, CK_ULONG pin_size)
{
	return session_login("C_Login", handle, user, pin, pin_size, false);
}

/* Section 5.6.9. A KMS knows one user of a token, who has no name. */
CK_RV
C_LoginUser(CK_SESSION_HANDLE handle, CK_USER_TYPE user, unsigned char *pin, CK_ULONG pin_size,
            unsigned char *name, CK_ULONG name_size)
{
	(void)name;
	return session_login("C_LoginUser", handle, user, pin, pin_size, name_size != 0);
}

CK_RV
C_Logout(CK_SESSION_HANDLE handle)
{
	struct session *session = NULL;
	CK_RV rv = entry_begin(handle, &session);

	if (rv == CKR_OK)
		rv = token_logout(session->token);
	return entry_end("C_Logout", session, rv);
}
