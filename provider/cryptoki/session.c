/* SPDX-License-Identifier: Apache-2.0 */
/* Session management functions. PKCS#11 3.0, section 5.6. */
#include "cryptoki/entry.h"

CK_RV
C_OpenSession(CK_SLOT_ID slot, CK_FLAGS flags, void *application, CK_NOTIFY notify,
              CK_SESSION_HANDLE *handle)
{
	struct token *token;
	CK_RV rv;

	(void)application; /* nothing is ever notified (section 5.21: surrender is optional) */
	(void)notify;
	if (handle == NULL)
		return CKR_ARGUMENTS_BAD;
	rv = provider_enter();
	if (rv != CKR_OK)
		return rv;
	rv = provider_token(slot, &token);
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
	CK_RV rv = provider_enter();

	if (rv == CKR_OK)
		rv = session_close(handle);
	return entry_end("C_CloseSession", NULL, rv);
}

CK_RV
C_CloseAllSessions(CK_SLOT_ID slot)
{
	struct token *token;
	CK_RV rv = provider_enter();

	if (rv == CKR_OK)
		rv = provider_token(slot, &token);
	if (rv == CKR_OK)
		session_close_all(token);
	return entry_end("C_CloseAllSessions", NULL, rv);
}

CK_RV
C_GetSessionInfo(CK_SESSION_HANDLE handle, CK_SESSION_INFO *info)
{
	struct session *session = NULL;
	CK_RV rv;

	if (info == NULL)
		return CKR_ARGUMENTS_BAD;
	rv = entry_begin(handle, &session);
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

CK_RV
C_GetOperationState(CK_SESSION_HANDLE handle, unsigned char *state, CK_ULONG *state_size)
{
	(void)state;
	if (state_size == NULL)
		return CKR_ARGUMENTS_BAD;
	return entry_unsupported("C_GetOperationState", handle);
}

CK_RV
C_SetOperationState(CK_SESSION_HANDLE handle, unsigned char *state, CK_ULONG state_size,
                    CK_OBJECT_HANDLE encryption_key, CK_OBJECT_HANDLE authentication_key)
{
	(void)encryption_key;
	(void)authentication_key;
	if (state == NULL || state_size == 0)
		return CKR_ARGUMENTS_BAD;
	return entry_unsupported("C_SetOperationState", handle);
}

CK_RV
C_Login(CK_SESSION_HANDLE handle, CK_USER_TYPE user, unsigned char *pin, CK_ULONG pin_size)
{
	struct session *session = NULL;
	CK_RV rv;

	if (pin == NULL)
		return CKR_ARGUMENTS_BAD; /* there is no protected authentication path */
	rv = entry_begin(handle, &session);
	if (rv != CKR_OK)
		goto out;
	/* No key asks for a login of its own (CKA_ALWAYS_AUTHENTICATE), and there is no SO. */
	rv = CKR_OPERATION_NOT_INITIALIZED;
	if (user == CKU_CONTEXT_SPECIFIC)
		goto out;
	rv = CKR_USER_TYPE_INVALID;
	if (user != CKU_USER)
		goto out;
	rv = token_login(session->token, pin, pin_size);
out:
	return entry_end("C_Login", session, rv);
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
