/* SPDX-License-Identifier: Apache-2.0 */
/* Keys that leave and enter wrapped, and derived ones. PKCS#11 3.0, sections 5.18.3 to 5.18.5. */
#ifndef P11_KMS_TOKEN_WRAP_KEY_H
#define P11_KMS_TOKEN_WRAP_KEY_H

#include "base/buffer.h"
#include "base/compiler.h"
#include "base/pkcs11.h"
#include "token/session.h"

/*
 * C_WrapKey. CKR_WRAPPING_KEY_HANDLE_INVALID, CKR_KEY_HANDLE_INVALID,
 * CKR_KEY_FUNCTION_NOT_PERMITTED, CKR_WRAPPING_KEY_TYPE_INCONSISTENT,
 * CKR_WRAPPING_KEY_SIZE_RANGE, CKR_MECHANISM_INVALID, CKR_MECHANISM_PARAM_INVALID;
 * CKR_KEY_UNEXTRACTABLE (also every private key); CKR_KEY_NOT_WRAPPABLE: not a secret key, or
 * the wrapping key is not trusted, or not for such keys; CKR_KEY_SIZE_RANGE;
 * CKR_DEVICE_ERROR: the registry has expired.
 */
MUST_USE CK_RV wrap_key(struct session *session, const CK_MECHANISM *mechanism,
                        CK_OBJECT_HANDLE wrapping_key, CK_OBJECT_HANDLE key,
                        struct buffer *ret_wrapped);
/* How long that will be; nothing is wrapped. The same failures. */
MUST_USE CK_RV wrap_key_size(struct session *session, const CK_MECHANISM *mechanism,
                             CK_OBJECT_HANDLE wrapping_key, CK_OBJECT_HANDLE key,
                             size_t *ret_size);

/*
 * C_UnwrapKey: only secret keys. CKR_UNWRAPPING_KEY_HANDLE_INVALID,
 * CKR_UNWRAPPING_KEY_TYPE_INCONSISTENT, CKR_UNWRAPPING_KEY_SIZE_RANGE,
 * CKR_KEY_FUNCTION_NOT_PERMITTED, CKR_MECHANISM_INVALID, CKR_MECHANISM_PARAM_INVALID,
 * CKR_WRAPPED_KEY_INVALID, CKR_WRAPPED_KEY_LEN_RANGE, those of secret-key.h and kms.h.
 */
MUST_USE CK_RV unwrap_key(struct session *session, const CK_MECHANISM *mechanism,
                          CK_OBJECT_HANDLE unwrapping_key, const void *wrapped, size_t size,
                          const CK_ATTRIBUTE *template, CK_ULONG count,
                          CK_OBJECT_HANDLE *ret_key);

#endif
