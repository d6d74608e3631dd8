/* SPDX-License-Identifier: Apache-2.0 */
/* Key management functions. PKCS#11 3.0, section 5.18. */
#include "cryptoki/entry.h"
#include "token/derive-key.h"
#include "token/generate.h"
#include "token/secret-key.h"
#include "token/wrap-key.h"

#include <string.h>

CK_RV
C_GenerateKey(CK_SESSION_HANDLE handle, CK_MECHANISM *mechanism, CK_ATTRIBUTE *template,
              CK_ULONG count, CK_OBJECT_HANDLE *key)
{
	struct session *session = NULL;
	CK_RV rv;

	rv = entry_begin_given(handle, mechanism != NULL && entry_given(template, count) &&
	                       key != NULL, &session);
	if (rv == CKR_OK)
		rv = secret_generate(session, mechanism, template, count, key);
	return entry_end("C_GenerateKey", session, rv);
}

CK_RV
C_GenerateKeyPair(CK_SESSION_HANDLE handle, CK_MECHANISM *mechanism,
                  CK_ATTRIBUTE *public_template, CK_ULONG public_count,
                  CK_ATTRIBUTE *private_template, CK_ULONG private_count,
                  CK_OBJECT_HANDLE *public_key, CK_OBJECT_HANDLE *private_key)
{
	struct session *session = NULL;
	CK_RV rv;

	rv = entry_begin_given(handle, mechanism != NULL && public_key != NULL &&
	                       private_key != NULL && entry_given(public_template, public_count) &&
	                       entry_given(private_template, private_count), &session);
	if (rv == CKR_OK)
		rv = generate_pair(session, mechanism,
		                   (struct template) { public_template, public_count },
		                   (struct template) { private_template, private_count },
		                   public_key, private_key);
	return entry_end("C_GenerateKeyPair", session, rv);
}

CK_RV
C_WrapKey(CK_SESSION_HANDLE handle, CK_MECHANISM *mechanism, CK_OBJECT_HANDLE wrapping_key,
          CK_OBJECT_HANDLE key, unsigned char *wrapped, CK_ULONG *wrapped_size)
{
	struct session *session = NULL;
	struct buffer result = BUFFER_INIT;
	size_t size = 0;
	CK_RV rv;

	rv = entry_begin_given(handle, mechanism != NULL && wrapped_size != NULL, &session);
	if (rv == CKR_OK)
		rv = wrap_key_size(session, mechanism, wrapping_key, key, &size);
	if (rv != CKR_OK || !entry_room(size, wrapped, wrapped_size, &rv))
		goto out;
	rv = wrap_key(session, mechanism, wrapping_key, key, &result);
	if (rv == CKR_OK && entry_room(result.size, wrapped, wrapped_size, &rv)) {
		memcpy(wrapped, result.data, result.size);
		*wrapped_size = result.size;
	}
out:
	buffer_clear(&result);
	return entry_end("C_WrapKey", session, rv);
}

CK_RV
C_UnwrapKey(CK_SESSION_HANDLE handle, CK_MECHANISM *mechanism, CK_OBJECT_HANDLE unwrapping_key,
            unsigned char *wrapped, CK_ULONG wrapped_size, CK_ATTRIBUTE *template,
            CK_ULONG count, CK_OBJECT_HANDLE *key)
{
	struct session *session = NULL;
	CK_RV rv;

	rv = entry_begin_given(handle, mechanism != NULL && entry_given(wrapped, wrapped_size) &&
	                       entry_given(template, count) && key != NULL, &session);
	if (rv == CKR_OK)
		rv = unwrap_key(session, mechanism, unwrapping_key, wrapped, wrapped_size, template,
		                count, key);
	return entry_end("C_UnwrapKey", session, rv);
}

CK_RV
C_DeriveKey(CK_SESSION_HANDLE handle, CK_MECHANISM *mechanism, CK_OBJECT_HANDLE base_key,
            CK_ATTRIBUTE *template, CK_ULONG count, CK_OBJECT_HANDLE *key)
{
	struct session *session = NULL;
	CK_RV rv;

	/* Mechanisms that return keys through their parameter, and may do without key, are not here. */
	rv = entry_begin_given(handle, mechanism != NULL && entry_given(template, count) &&
	                       key != NULL, &session);
	if (rv == CKR_OK)
		rv = derive_key(session, mechanism, base_key, template, count, key);
	return entry_end("C_DeriveKey", session, rv);
}
