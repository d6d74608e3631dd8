/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sessions of an HSM, pooled, each borrowed by one call at a time. Our own sessions are
 * closed one by one, never with C_CloseAllSessions.
 *
 * No thread is created here, so a call that blocks inside the HSM's own module blocks its
 * caller: the deadline is obeyed before and after each call to the HSM, and while waiting
 * for other threads of ours.
 */
#ifndef P11_KMS_KMS_HSM_SESSION_H
#define P11_KMS_KMS_HSM_SESSION_H

#include "kms/hsm-connection.h"

enum hsm_need {
	HSM_PUBLIC, /* no login */
	HSM_USER,   /* a login */
	HSM_EITHER, /* a login if there is a PIN, else without */
};

struct hsm_session {
	struct hsm *hsm;
	struct kms_attempt *attempt;
	CK_FUNCTION_LIST *functions;
	CK_SESSION_HANDLE handle;
	CK_SLOT_ID slot;
	uint32_t epoch, generation;
	bool login; /* needed, and the token has one */
	bool write;
	bool spoiled; /* something is left in it: to be closed, not used again */
};

/* Connects, logs in, finds or opens a session: as needed. PKCS#11's codes, and CKR_DEVICE_ERROR when the deadline passed. */
MUST_USE CK_RV hsm_session_borrow(struct hsm *hsm, enum hsm_need need,
                                  struct kms_attempt *attempt, struct hsm_session *ret_session);
/* The second half of it: the caller is inside the module, in this epoch, and holds the lock of a connected hsm; the lock is released. After a failure it is outside. */
MUST_USE CK_RV hsm_session_take(struct hsm *hsm, bool login, uint32_t epoch,
                                struct kms_attempt *attempt, struct hsm_session *ret_session);
/*
 * Ends a borrowing with the result of the call. When rv leaves open whether the call or the
 * HSM is at fault, asks the HSM. Drops what rv says is lost. Returns rv, or the code that
 * says more exactly what is lost.
 */
MUST_USE CK_RV hsm_session_return(struct hsm_session *session, CK_RV rv);
/* Ends it too, after success, but leaves the session to the caller, by its handle and epoch. */
void hsm_session_keep(struct hsm_session *session);

#endif
