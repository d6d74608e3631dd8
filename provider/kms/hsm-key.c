/* SPDX-License-Identifier: Apache-2.0 */
#include "kms/hsm-key.h"

#include "kms/hsm-object.h"

/* The cache holds the generation and the handle plus one; handles that don't fit are not kept. */
void
hsm_key_remember(const struct hsm_session *session, struct kms_key *key, CK_OBJECT_HANDLE object)
{
	uint64_t cached = 0;

	if (object < UINT32_MAX)
		cached = (uint64_t)session->generation << 32 | (uint64_t)(object + 1);
	atomic_store_explicit(&key->cached, cached, memory_order_relaxed);
}

/* What was found in this generation, else by CKA_ID. */
static CK_RV
find(const struct hsm_session *session, struct kms_key *key, bool again,
     CK_OBJECT_HANDLE *ret_object)
{
	uint64_t cached = atomic_load_explicit(&key->cached, memory_order_relaxed);
	CK_OBJECT_HANDLE object = 0;
	CK_RV rv;

	if (!again && cached >> 32 == session->generation) {
		*ret_object = (CK_OBJECT_HANDLE)((cached & UINT32_MAX) - 1);
		return CKR_OK;
	}
	rv = hsm_object_find(session, CKO_PRIVATE_KEY, !key->session, key->id, key->id_size,
	                     &object);
	if (rv != CKR_OK)
		return rv;
	hsm_key_remember(session, key, object);
	*ret_object = object;
	return CKR_OK;
}

CK_RV
hsm_key_with(const struct hsm_session *session, struct kms_key *key, hsm_key_use use,
             void *context)
{
	CK_OBJECT_HANDLE object = 0;
	CK_RV rv;

	rv = find(session, key, false, &object);
	if (rv != CKR_OK)
		return rv;
	rv = use(session, object, context);
	if (rv != CKR_KEY_HANDLE_INVALID && rv != CKR_OBJECT_HANDLE_INVALID)
		return rv;
	rv = find(session, key, true, &object);
	if (rv != CKR_OK)
		return rv;
	rv = use(session, object, context);
	return rv == CKR_OBJECT_HANDLE_INVALID ? CKR_KEY_HANDLE_INVALID : rv;
}
