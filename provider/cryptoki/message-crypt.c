/* SPDX-License-Identifier: Apache-2.0 */
#include "cryptoki/message-crypt.h"

CK_RV
message_crypt_single(const char *function, CK_SESSION_HANDLE handle, enum message_kind kind,
                     void *parameter, CK_ULONG parameter_size, const void *aad, CK_ULONG aad_size,
                     const void *in, CK_ULONG in_size, unsigned char *out, CK_ULONG *out_size)
{
	struct session *session = NULL;
	struct message *message;
	size_t size = 0;
	CK_RV rv;

	rv = entry_begin(handle, &session);
	if (rv != CKR_OK)
		goto out;
	rv = entry_process(session, kind, false, entry_given(parameter, parameter_size) &&
	                   entry_given(aad, aad_size) && entry_given(in, in_size) &&
	                   out_size != NULL, &message);
	if (rv != CKR_OK)
		goto out;
	if (out == NULL) {
		*out_size = in_size; /* the tag is not part of it */
		goto out;
	}
	rv = cipher_message_single(message->cipher, parameter, parameter_size, aad, aad_size, in,
	                           in_size, out, *out_size, &size);
	if (rv == CKR_OK || rv == CKR_BUFFER_TOO_SMALL)
		*out_size = size;
out:
	return entry_end(function, session, rv);
}

CK_RV
message_crypt_begin(const char *function, CK_SESSION_HANDLE handle, enum message_kind kind,
                    void *parameter, CK_ULONG parameter_size, const void *aad, CK_ULONG aad_size)
{
	struct session *session = NULL;
	struct message *message;
	CK_RV rv;

	rv = entry_begin(handle, &session);
	if (rv != CKR_OK)
		goto out;
	rv = entry_process(session, kind, false, entry_given(parameter, parameter_size) &&
	                   entry_given(aad, aad_size), &message);
	if (rv == CKR_OK)
		rv = cipher_message_begin(message->cipher, parameter, parameter_size, aad,
		                          aad_size);
out:
	return entry_end(function, session, rv);
}

CK_RV
message_crypt_next(const char *function, CK_SESSION_HANDLE handle, enum message_kind kind,
                   void *parameter, CK_ULONG parameter_size, const void *in, CK_ULONG in_size,
                   unsigned char *out, CK_ULONG *out_size, CK_FLAGS flags)
{
	bool last = (flags & CKF_END_OF_MESSAGE) != 0;
	struct session *session = NULL;
	struct message *message;
	size_t size = 0;
	CK_RV rv;

	rv = entry_begin(handle, &session);
	if (rv != CKR_OK)
		goto out;
	rv = entry_process(session, kind, true, entry_given(parameter, parameter_size) &&
	                   entry_given(in, in_size) && out_size != NULL &&
	                   (flags & ~CKF_END_OF_MESSAGE) == 0, &message);
	if (rv != CKR_OK)
		goto out;
	if (out == NULL) {
		*out_size = cipher_message_next_size(message->cipher, in_size, last);
		goto out;
	}
	rv = cipher_message_next(message->cipher, parameter, parameter_size, in, in_size, last, out,
	                         *out_size, &size);
	if (rv == CKR_OK || rv == CKR_BUFFER_TOO_SMALL)
		*out_size = size;
out:
	return entry_end(function, session, rv);
}
