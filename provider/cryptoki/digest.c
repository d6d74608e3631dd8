/* SPDX-License-Identifier: Apache-2.0 */
/* Message digesting functions. PKCS#11 3.0, section 5.12. */
#include "cryptoki/entry.h"

CK_RV
C_DigestInit(CK_SESSION_HANDLE handle, CK_MECHANISM *mechanism)
{
	return entry_init("C_DigestInit", handle, OPERATION_DIGEST, mechanism, CK_INVALID_HANDLE);
}

CK_RV
C_Digest(CK_SESSION_HANDLE handle, unsigned char *data, CK_ULONG data_size, unsigned char *digest,
         CK_ULONG *digest_size)
{
	struct session *session = NULL;
	struct operation *operation;
	size_t size;
	CK_RV rv;

	rv = entry_begin(handle, &session);
	if (rv != CKR_OK)
		goto out;
	rv = entry_operation(session, OPERATION_DIGEST, true,
	                     entry_given(data, data_size) && digest_size != NULL, &operation);
	if (rv != CKR_OK)
		goto out;
	size = operation_output_size(operation);
	if (!entry_room(size, digest, digest_size, &rv))
		goto out;
	operation->unsaveable = true; /* it is over at once: nothing need be kept of it */
	rv = operation_update(operation, data, data_size);
	if (rv == CKR_OK)
		rv = operation_digest_final(operation, digest);
	if (rv == CKR_OK)
		*digest_size = size;
	operation_free(&session->operations[OPERATION_DIGEST]);
out:
	return entry_end("C_Digest", session, rv);
}

CK_RV
C_DigestUpdate(CK_SESSION_HANDLE handle, unsigned char *part, CK_ULONG part_size)
{
	struct session *session = NULL;
	struct operation *operation;
	CK_RV rv;

	rv = entry_begin(handle, &session);
	if (rv != CKR_OK)
		goto out;
	rv = entry_operation(session, OPERATION_DIGEST, false,
	                     entry_given(part, part_size), &operation);
	if (rv != CKR_OK)
		goto out;
	rv = operation_update(operation, part, part_size);
	if (rv != CKR_OK)
		operation_free(&session->operations[OPERATION_DIGEST]);
out:
	return entry_end("C_DigestUpdate", session, rv);
}

CK_RV
C_DigestKey(CK_SESSION_HANDLE handle, CK_OBJECT_HANDLE key)
{
	struct session *session = NULL;
	struct operation *operation;
	CK_RV rv = entry_begin(handle, &session);

	if (rv != CKR_OK)
		goto out;
	rv = entry_operation(session, OPERATION_DIGEST, false, true, &operation);
	if (rv != CKR_OK)
		goto out;
	rv = operation_digest_key(operation, key);
	if (rv != CKR_OK)
		operation_free(&session->operations[OPERATION_DIGEST]);
out:
	return entry_end("C_DigestKey", session, rv);
}

CK_RV
C_DigestFinal(CK_SESSION_HANDLE handle, unsigned char *digest, CK_ULONG *digest_size)
{
	struct session *session = NULL;
	struct operation *operation;
	size_t size;
	CK_RV rv;

	rv = entry_begin(handle, &session);
	if (rv != CKR_OK)
		goto out;
	rv = entry_operation(session, OPERATION_DIGEST, false, digest_size != NULL, &operation);
	if (rv != CKR_OK)
		goto out;
	size = operation_output_size(operation);
	if (!entry_room(size, digest, digest_size, &rv))
		goto out;
	rv = operation_digest_final(operation, digest);
	if (rv == CKR_OK)
		*digest_size = size;
	operation_free(&session->operations[OPERATION_DIGEST]);
out:
	return entry_end("C_DigestFinal", session, rv);
}
