/* SPDX-License-Identifier: Apache-2.0 */
#include "kms/hsm-session-key.h"

#include "kms/hsm-key.h"
#include "kms/hsm-object.h"
#include "kms/hsm-pair.h"

/* How long releasing may wait for another thread that restarts the module. */
#define RELEASE_MS 1000

CK_RV
hsm_session_key_generate(struct hsm_session *session, const struct kms_pair *pair,
                         struct kms_session_key *key, struct buffer *ret_spki)
{
	struct kms_pair own = *pair;
	CK_OBJECT_HANDLE private_key = 0;
	CK_RV rv;

	own.id = key->key.id;
	own.id_size = key->key.id_size;
	own.label = "";
	rv = hsm_pair_generate(session, &own, false, ret_spki, &private_key);
	if (rv != CKR_OK) {
		/* A half that may be there goes with the session. */
		session->spoiled = true;
		return rv;
	}
	hsm_key_remember(session, &key->key, private_key);
	key->epoch = session->epoch;
	key->handle = session->handle;
	return CKR_OK;
}

/*
 * Session objects are there for as long as the session that made them (PKCS#11 3.0, section
 * 5.6.2): when the public half is, which no logout takes away, the session's handle is still
 * ours to close. When not, the handle may be another's by now.
 */
static void
release(const struct hsm_session *session, const struct kms_key *key)
{
	CK_OBJECT_HANDLE public_key = 0, private_key = 0;

	if (hsm_object_find(session, CKO_PUBLIC_KEY, false, key->id, key->id_size, &public_key) !=
	    CKR_OK)
		return;
	if (hsm_object_find(session, CKO_PRIVATE_KEY, false, key->id, key->id_size,
	                    &private_key) == CKR_OK)
		(void)session->functions->C_DestroyObject(session->handle, private_key);
	(void)session->functions->C_DestroyObject(session->handle, public_key);
	(void)session->functions->C_CloseSession(session->handle);
}

void
hsm_session_key_release(struct hsm *hsm, struct kms_session_key *key)
{
	struct kms_attempt attempt = { .deadline = deadline_in(RELEASE_MS) };
	struct hsm_session session = { .hsm = hsm, .attempt = &attempt, .handle = key->handle };
	uint32_t epoch;

	if (!hsm_module_is_current(hsm->module, key->epoch) ||
	    hsm_module_enter(hsm->module, attempt.deadline, &epoch) != CKR_OK)
		return;
	session.functions = hsm_module_functions(hsm->module);
	if (epoch == key->epoch)
		release(&session, &key->key);
	hsm_module_leave(hsm->module);
}
