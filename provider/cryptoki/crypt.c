/* SPDX-License-Identifier: Apache-2.0 */
#include "cryptoki/crypt.h"

/*
 * Section 5.2 throughout: with nowhere to put the result a function tells its size and does
 * nothing else, also where that is 0: the same bytes come again.
 */

/*
 * Tells the size that came of it where the standard wants it told, and whether the operation
 * goes on (it does when there was too little room).
 */
static bool
goes_on(CK_RV rv, size_t size, CK_ULONG *out_size)
{
	if (rv == CKR_OK || rv == CKR_BUFFER_TOO_SMALL)
		*out_size = size;
	return rv == CKR_BUFFER_TOO_SMALL;
}

CK_RV
crypt_single(const char *function, CK_SESSION_HANDLE handle, enum operation_kind kind,
             const void *in, CK_ULONG in_size, unsigned char *out, CK_ULONG *out_size)
{
	struct session *session = NULL;
	struct operation *operation;
	size_t size = 0;
	CK_RV rv;

	rv = entry_begin(handle, &session);
	if (rv != CKR_OK)
		goto out;
	rv = entry_operation(session, kind, true,
	                     entry_given(in, in_size) && out_size != NULL, &operation);
	if (rv != CKR_OK)
		goto out;
	if (out == NULL) {
		*out_size = operation_crypt_size(operation, in_size);
		goto out;
	}
	rv = operation_crypt(operation, in, in_size, out, *out_size, &size);
	if (!goes_on(rv, size, out_size))
		operation_free(&session->operations[kind]);
out:
	return entry_end(function, session, rv);
}

CK_RV
crypt_update(const char *function, CK_SESSION_HANDLE handle, enum operation_kind kind,
             const void *in, CK_ULONG in_size, unsigned char *out, CK_ULONG *out_size)
{
	struct session *session = NULL;
	struct operation *operation;
	size_t size = 0;
	CK_RV rv;

	rv = entry_begin(handle, &session);
	if (rv != CKR_OK)
		goto out;
	rv = entry_operation(session, kind, false,
	                     entry_given(in, in_size) && out_size != NULL, &operation);
	if (rv != CKR_OK)
		goto out;
	if (out == NULL) {
		*out_size = operation_crypt_update_size(operation, in_size);
		goto out;
	}
	rv = operation_crypt_update(operation, in, in_size, out, *out_size, &size);
	if (!goes_on(rv, size, out_size) && rv != CKR_OK)
		operation_free(&session->operations[kind]);
out:
	return entry_end(function, session, rv);
}

CK_RV
crypt_final(const char *function, CK_SESSION_HANDLE handle, enum operation_kind kind,
            unsigned char *out, CK_ULONG *out_size)
{
	struct session *session = NULL;
	struct operation *operation;
	size_t size = 0;
	CK_RV rv;

	rv = entry_begin(handle, &session);
	if (rv != CKR_OK)
		goto out;
	rv = entry_operation(session, kind, false, out_size != NULL, &operation);
	if (rv != CKR_OK)
		goto out;
	if (out == NULL) {
		*out_size = operation_crypt_final_size(operation);
		goto out;
	}
	rv = operation_crypt_final(operation, out, *out_size, &size);
	if (!goes_on(rv, size, out_size))
		operation_free(&session->operations[kind]);
out:
	return entry_end(function, session, rv);
}

/* Digests, signs or verifies the plaintext first when it is there first. */
static CK_RV
dual_work(struct operation *crypt, struct operation *other, const void *in, size_t in_size,
          unsigned char *out, size_t room, size_t *ret_size)
{
	size_t size = 0;
	CK_RV rv;

	if (crypt->kind == OPERATION_DECRYPT) {
		rv = operation_crypt_update(crypt, in, in_size, out, room, &size);
		if (rv == CKR_OK && size != 0)
			rv = operation_update(other, out, size);
		*ret_size = size;
		return rv;
	}
	/* in and out may be the same bytes; and nothing may have changed when room is short. */
	size = operation_crypt_update_size(crypt, in_size);
	*ret_size = size;
	if (room < size)
		return CKR_BUFFER_TOO_SMALL;
	rv = operation_update(other, in, in_size);
	return rv == CKR_OK ? operation_crypt_update(crypt, in, in_size, out, room, ret_size) : rv;
}

CK_RV
crypt_dual(const char *function, CK_SESSION_HANDLE handle, enum operation_kind crypt,
           enum operation_kind other, const void *in, CK_ULONG in_size, unsigned char *out,
           CK_ULONG *out_size)
{
	struct session *session = NULL;
	struct operation *first, *second;
	size_t size = 0;
	CK_RV rv;

	rv = entry_begin(handle, &session);
	if (rv != CKR_OK)
		goto out;
	rv = entry_operation(session, crypt, false, true, &first);
	if (rv == CKR_OK)
		rv = entry_operation(session, other, false, true, &second);
	if (rv != CKR_OK)
		goto out;
	if (!entry_given(in, in_size) || out_size == NULL) {
		rv = CKR_ARGUMENTS_BAD;
		goto end;
	}
	if (out == NULL) {
		*out_size = operation_crypt_update_size(first, in_size);
		goto out;
	}
	rv = dual_work(first, second, in, in_size, out, *out_size, &size);
	if (goes_on(rv, size, out_size) || rv == CKR_OK)
		goto out;
end:
	operation_free(&session->operations[crypt]);
	operation_free(&session->operations[other]);
out:
	return entry_end(function, session, rv);
}
