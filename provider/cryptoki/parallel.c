/* SPDX-License-Identifier: Apache-2.0 */
/* Parallel function management. PKCS#11 3.0, section 5.20: legacy, nothing runs in parallel. */
#include "cryptoki/entry.h"

static CK_RV
not_parallel(const char *function, CK_SESSION_HANDLE handle)
{
	struct session *session = NULL;
	CK_RV rv = entry_begin(handle, &session);

	return entry_end(function, session, rv == CKR_OK ? CKR_FUNCTION_NOT_PARALLEL : rv);
}

CK_RV
C_GetFunctionStatus(CK_SESSION_HANDLE handle)
{
	return not_parallel("C_GetFunctionStatus", handle);
}

CK_RV
C_CancelFunction(CK_SESSION_HANDLE handle)
{
	return not_parallel("C_CancelFunction", handle);
}
