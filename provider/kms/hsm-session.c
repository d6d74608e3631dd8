/* SPDX-License-Identifier: Apache-2.0 */
#include "kms/hsm-session.h"

#include "kms/hsm-login.h"
#include "kms/hsm-token.h"

/* How long to wait for a session before the HSM is asked for a new one again. */
#define SESSION_RETRY_MS 50
/* How often others may take away what was just prepared. */
#define PREPARE_TRIES 4

/*
 * Opens a session; when the HSM has no more, takes one that another thread gives back
 * meanwhile. All can write: with few of them, or one, there is none to spare for reading,
 * and the login ends when the last one is closed.
 */
static CK_RV
open_session(struct hsm_session *session)
{
	CK_FLAGS flags = CKF_SERIAL_SESSION | (session->write ? CKF_RW_SESSION : 0);
	struct kms_attempt *attempt = session->attempt;
	struct hsm *hsm = session->hsm;
	struct deadline pause;
	bool found;
	CK_RV rv;

	for (;;) {
		rv = session->functions->C_OpenSession(session->slot, flags, NULL, NULL,
		                                       &session->handle);
		if (rv != CKR_SESSION_COUNT || deadline_passed(attempt->deadline))
			return rv;
		pause = deadline_in(SESSION_RETRY_MS);
		if (pause.at_ms > attempt->deadline.at_ms)
			pause = attempt->deadline;
		monitor_lock(&hsm->monitor);
		if (hsm->idle_count == 0)
			(void)!monitor_wait(&hsm->monitor, pause);
		found = hsm->generation == session->generation && hsm->idle_count > 0;
		if (found)
			session->handle = hsm->idle[--hsm->idle_count];
		monitor_unlock(&hsm->monitor);
		if (found)
			return CKR_OK;
	}
}

/* Enters the module and takes the lock with all that is needed in place, else neither. */
static CK_RV
enter_ready_locked(struct hsm *hsm, bool login, struct kms_attempt *attempt, uint32_t *ret_epoch)
{
	unsigned tries;
	CK_RV rv;

	for (tries = 0; tries < PREPARE_TRIES; tries++) {
		rv = hsm_module_enter(hsm->module, attempt->deadline, ret_epoch);
		if (rv != CKR_OK)
			return rv;
		monitor_lock(&hsm->monitor);
		if (hsm_is_ready_locked(hsm, login, *ret_epoch))
			return CKR_OK;
		monitor_unlock(&hsm->monitor);
		hsm_module_leave(hsm->module);
		rv = hsm_prepare(hsm, login, attempt);
		if (rv != CKR_OK)
			return rv;
		if (deadline_passed(attempt->deadline))
			break;
	}
	return CKR_DEVICE_ERROR;
}

CK_RV
hsm_session_take(struct hsm *hsm, bool login, uint32_t epoch,
                 struct kms_attempt *attempt, struct hsm_session *ret_session)
{
	struct hsm_session session = {
		.hsm = hsm,
		.attempt = attempt,
		.functions = hsm_module_functions(hsm->module),
		.slot = hsm->slot,
		.epoch = epoch,
		.generation = hsm->generation,
		.login = login && hsm->login_required,
		.write = !hsm->write_protected,
	};
	bool found;
	CK_RV rv;

	found = hsm->idle_count > 0;
	if (found)
		session.handle = hsm->idle[--hsm->idle_count];
	monitor_unlock(&hsm->monitor);
	if (!found) {
		rv = open_session(&session);
		if (rv != CKR_OK) {
			session.handle = CK_INVALID_HANDLE;
			return hsm_session_return(&session, rv);
		}
	}
	*ret_session = session;
	return CKR_OK;
}

static CK_RV
borrow(struct hsm *hsm, bool login, struct kms_attempt *attempt, struct hsm_session *ret_session)
{
	uint32_t epoch;
	CK_RV rv;

	rv = enter_ready_locked(hsm, login, attempt, &epoch);
	if (rv != CKR_OK)
		return rv;
	return hsm_session_take(hsm, login, epoch, attempt, ret_session);
}

CK_RV
hsm_session_borrow(struct hsm *hsm, enum hsm_need need, struct kms_attempt *attempt,
                   struct hsm_session *ret_session)
{
	CK_RV rv;

	rv = borrow(hsm, need != HSM_PUBLIC, attempt, ret_session);
	if (rv != CKR_USER_NOT_LOGGED_IN || need != HSM_EITHER)
		return rv;
	attempt->final = false;
	attempt->unasked = false;
	return borrow(hsm, false, attempt, ret_session);
}

/* The session, the login and the token: is all that was borrowed still there? */
static CK_RV
check_connection(const struct hsm_session *session)
{
	CK_SESSION_INFO info;
	CK_RV rv;

	if (session->handle == CK_INVALID_HANDLE)
		return hsm_token_check(session->functions, session->hsm->uri, session->slot);
	rv = session->functions->C_GetSessionInfo(session->handle, &info);
	if (rv != CKR_OK)
		return rv;
	rv = hsm_token_check(session->functions, session->hsm->uri, session->slot);
	if (rv != CKR_OK)
		return rv;
	if (session->login && info.state != CKS_RO_USER_FUNCTIONS &&
	    info.state != CKS_RW_USER_FUNCTIONS)
		return CKR_USER_NOT_LOGGED_IN;
	return CKR_OK;
}

enum verdict {
	VERDICT_WELL,  /* the HSM answered */
	VERDICT_LOST,  /* something is lost, rv says what */
	VERDICT_DOUBT, /* the HSM may be at fault, or the call */
};

static enum verdict
judge(CK_RV rv)
{
	switch (rv) {
	case CKR_SESSION_HANDLE_INVALID:
	case CKR_SESSION_CLOSED:
	case CKR_USER_NOT_LOGGED_IN:
	case CKR_CRYPTOKI_NOT_INITIALIZED:
	case CKR_DEVICE_ERROR:
	case CKR_DEVICE_REMOVED:
	case CKR_TOKEN_NOT_PRESENT:
	case CKR_TOKEN_NOT_RECOGNIZED:
	case CKR_SLOT_ID_INVALID:
		return VERDICT_LOST;
	/* SoftHSM 2.6.1 says these of a token that is gone, but also of bad ciphertext or a missing key. */
	case CKR_GENERAL_ERROR:
	case CKR_FUNCTION_FAILED:
	case CKR_KEY_HANDLE_INVALID:
	case CKR_OBJECT_HANDLE_INVALID:
	case CKR_ENCRYPTED_DATA_INVALID:
		return VERDICT_DOUBT;
	default:
		return rv >= CKR_VENDOR_DEFINED ? VERDICT_DOUBT : VERDICT_WELL;
	}
}

/* May the session be kept? Some calls leave an operation behind in it. */
static bool
is_reusable(CK_RV rv)
{
	return rv != CKR_BUFFER_TOO_SMALL && rv != CKR_OPERATION_ACTIVE;
}

/* Gone in the HSM, or of another epoch: its number may be another's session by now. */
static bool
is_gone(const struct hsm_session *session, CK_RV rv, uint32_t epoch)
{
	return session->handle == CK_INVALID_HANDLE || session->epoch != epoch ||
	       rv == CKR_SESSION_HANDLE_INVALID || rv == CKR_SESSION_CLOSED ||
	       rv == CKR_CRYPTOKI_NOT_INITIALIZED;
}

/* Asks the HSM when rv leaves open who is at fault; says what is lost, if anything. */
static enum verdict
examine(const struct hsm_session *session, CK_RV *rv)
{
	enum verdict verdict = judge(*rv);
	CK_RV health;

	if (verdict != VERDICT_DOUBT)
		return verdict;
	health = check_connection(session);
	session->attempt->alive = health == CKR_OK;
	if (health == CKR_OK)
		return VERDICT_WELL;
	/* SoftHSM says CKR_GENERAL_ERROR of a token whose files are gone. */
	*rv = judge(health) == VERDICT_LOST ? health : CKR_TOKEN_NOT_PRESENT;
	return VERDICT_LOST;
}

CK_RV
hsm_session_return(struct hsm_session *session, CK_RV rv)
{
	struct hsm *hsm = session->hsm;
	enum verdict verdict;
	bool same, gone, kept;

	if (rv != CKR_OK)
		session->attempt->own = rv;
	verdict = examine(session, &rv);
	monitor_lock(&hsm->monitor);
	same = hsm->generation == session->generation;
	if (verdict == VERDICT_LOST && same)
		hsm_drop_locked(hsm, rv, session->epoch);
	if (verdict == VERDICT_WELL)
		hsm->failures = 0;
	gone = is_gone(session, rv, hsm->epoch);
	/* What is kept of a lost connection is closed when there is one again. */
	kept = !gone && same && !session->spoiled && is_reusable(rv) &&
	       hsm->idle_count < HSM_IDLE_MAX;
	if (kept)
		hsm->idle[hsm->idle_count++] = session->handle;
	monitor_announce(&hsm->monitor);
	monitor_unlock(&hsm->monitor);
	if (!kept && !gone)
		(void)session->functions->C_CloseSession(session->handle);
	hsm_module_leave(hsm->module);
	session->handle = CK_INVALID_HANDLE;
	return rv;
}

void
hsm_session_keep(struct hsm_session *session)
{
	struct hsm *hsm = session->hsm;

	monitor_lock(&hsm->monitor);
	hsm->failures = 0;
	monitor_unlock(&hsm->monitor);
	hsm_module_leave(hsm->module);
	session->handle = CK_INVALID_HANDLE;
}
