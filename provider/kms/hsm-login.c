/* SPDX-License-Identifier: Apache-2.0 */
#include "kms/hsm-login.h"

#include "base/log.h"
#include "kms/hsm-session.h"
#include "kms/hsm-token.h"

static bool
rejects_pin(CK_RV rv)
{
	switch (rv) {
	case CKR_PIN_INCORRECT:
	case CKR_PIN_INVALID:
	case CKR_PIN_LEN_RANGE:
	case CKR_PIN_EXPIRED:
	case CKR_PIN_LOCKED:
	case CKR_USER_PIN_NOT_INITIALIZED:
		return true;
	default:
		return false;
	}
}

/* *ret_unproven: someone was logged in already, and the HSM has not looked at the PIN. */
static CK_RV
call_login(struct hsm_session *session, const void *pin, size_t pin_size, bool *ret_unproven)
{
	struct hsm *hsm = session->hsm;
	CK_RV rv;

	rv = session->functions->C_Login(session->handle, CKU_USER, (CK_UTF8CHAR *)pin, pin_size);
	/* A token that is gone knows no PIN: that must not pass for a wrong one. */
	if (rejects_pin(rv) &&
	    hsm_token_check(session->functions, hsm->uri, session->slot) != CKR_OK)
		return CKR_TOKEN_NOT_PRESENT;
	if (rv != CKR_OK && rv != CKR_USER_ALREADY_LOGGED_IN)
		return rv;
	monitor_lock(&hsm->monitor);
	if (hsm->generation == session->generation) {
		hsm->logged_in = true;
		hsm->login_ours = hsm->login_ours || rv == CKR_OK;
	}
	monitor_unlock(&hsm->monitor);
	*ret_unproven = rv == CKR_USER_ALREADY_LOGGED_IN;
	return CKR_OK;
}

/* The preparing thread only. */
static CK_RV
log_in(struct hsm *hsm, const void *pin, size_t pin_size, struct kms_attempt *attempt,
       bool *ret_unproven)
{
	struct hsm_session session;
	uint32_t epoch;
	CK_RV rv;

	rv = hsm_module_enter(hsm->module, attempt->deadline, &epoch);
	if (rv != CKR_OK)
		return rv;
	monitor_lock(&hsm->monitor);
	if (!hsm_is_ready_locked(hsm, false, epoch)) {
		/* Lost again since it was connected. */
		monitor_unlock(&hsm->monitor);
		hsm_module_leave(hsm->module);
		return CKR_SESSION_CLOSED;
	}
	rv = hsm_session_take(hsm, false, epoch, attempt, &session);
	if (rv != CKR_OK)
		return rv;
	rv = call_login(&session, pin, pin_size, ret_unproven);
	return hsm_session_return(&session, rv);
}

static CK_RV
log_in_by_itself(struct hsm *hsm, struct kms_attempt *attempt)
{
	struct secret *pin = NULL;
	bool unproven;
	CK_RV rv;

	rv = pin_get(hsm->pin, &pin);
	if (rv != CKR_OK) {
		attempt->final = true;
		attempt->unasked = true;
		return rv;
	}
	rv = log_in(hsm, secret_bytes(pin), secret_size(pin), attempt, &unproven);
	secret_free(&pin);
	if (!rejects_pin(rv))
		return rv;
	pin_rejected(hsm->pin);
	attempt->final = true;
	return CKR_USER_NOT_LOGGED_IN;
}

static void
end_prepare(struct hsm *hsm, CK_RV result)
{
	monitor_lock(&hsm->monitor);
	hsm->preparing = false;
	hsm->prepared++;
	hsm->prepare_result = result;
	monitor_announce(&hsm->monitor);
	monitor_unlock(&hsm->monitor);
}

/*
 * Waits for the thread that prepares and takes its result over: with the HSM down, threads
 * would else fail one after the other.
 */
static CK_RV
await_other_locked(struct hsm *hsm, struct kms_attempt *attempt)
{
	unsigned seen = hsm->prepared;

	while (hsm->preparing && hsm->prepared == seen)
		if (!monitor_wait(&hsm->monitor, attempt->deadline) && hsm->prepared == seen)
			return CKR_DEVICE_ERROR;
	return hsm->prepare_result;
}

static bool
is_connected(struct hsm *hsm)
{
	bool connected;

	monitor_lock(&hsm->monitor);
	connected = hsm->connected && hsm_module_is_current(hsm->module, hsm->epoch);
	monitor_unlock(&hsm->monitor);
	return connected;
}

static CK_RV
prepare(struct hsm *hsm, bool login, struct kms_attempt *attempt)
{
	bool logged_in;
	CK_RV rv;

	if (!is_connected(hsm)) {
		rv = hsm_connect(hsm, attempt);
		if (rv != CKR_OK)
			return rv;
		if (deadline_passed(attempt->deadline))
			return CKR_DEVICE_ERROR;
	}
	monitor_lock(&hsm->monitor);
	logged_in = hsm->logged_in;
	monitor_unlock(&hsm->monitor);
	return login && !logged_in ? log_in_by_itself(hsm, attempt) : CKR_OK;
}

CK_RV
hsm_prepare(struct hsm *hsm, bool login, struct kms_attempt *attempt)
{
	CK_RV rv;

	monitor_lock(&hsm->monitor);
	if (hsm->preparing) {
		rv = await_other_locked(hsm, attempt);
		monitor_unlock(&hsm->monitor);
		/* Who needs no login, or has another PIN by now, goes on. */
		return rv == CKR_USER_NOT_LOGGED_IN ? CKR_OK : rv;
	}
	hsm->preparing = true;
	monitor_unlock(&hsm->monitor);
	rv = prepare(hsm, login, attempt);
	end_prepare(hsm, rv);
	return rv;
}

CK_RV
hsm_login(struct hsm *hsm, const void *pin, size_t pin_size, struct kms_attempt *attempt,
          bool *ret_unproven)
{
	CK_RV rv;

	monitor_lock(&hsm->monitor);
	while (hsm->preparing) {
		if (!monitor_wait(&hsm->monitor, attempt->deadline) && hsm->preparing) {
			monitor_unlock(&hsm->monitor);
			return CKR_DEVICE_ERROR;
		}
	}
	hsm->preparing = true;
	monitor_unlock(&hsm->monitor);
	rv = prepare(hsm, false, attempt);
	if (rv != CKR_OK) {
		end_prepare(hsm, rv);
		return rv;
	}
	rv = log_in(hsm, pin, pin_size, attempt, ret_unproven);
	end_prepare(hsm, CKR_OK);
	attempt->final = rejects_pin(rv);
	return rv;
}

CK_RV
hsm_set_pin(struct hsm *hsm, const struct kms_set_pin_request *request,
            struct kms_attempt *attempt)
{
	struct hsm_session session;
	CK_RV rv;

	rv = hsm_session_borrow(hsm, HSM_PUBLIC, attempt, &session);
	if (rv != CKR_OK)
		return rv;
	/* A second try after one that was answered to nobody would count as a wrong PIN. */
	attempt->final = true;
	rv = session.functions->C_SetPIN(session.handle, (CK_UTF8CHAR *)request->old_pin,
	                                 request->old_size, (CK_UTF8CHAR *)request->new_pin,
	                                 request->new_size);
	if (rejects_pin(rv) &&
	    hsm_token_check(session.functions, hsm->uri, session.slot) != CKR_OK)
		rv = CKR_TOKEN_NOT_PRESENT;
	rv = hsm_session_return(&session, rv);
	return rv == CKR_SESSION_READ_ONLY ? CKR_TOKEN_WRITE_PROTECTED : rv;
}

void
hsm_logout(struct hsm *hsm, struct deadline deadline)
{
	struct kms_attempt attempt = { .deadline = deadline };
	struct hsm_session session;
	bool ours;
	CK_RV rv;

	monitor_lock(&hsm->monitor);
	ours = hsm->connected && hsm->logged_in && hsm->login_ours &&
	       hsm_module_is_current(hsm->module, hsm->epoch);
	monitor_unlock(&hsm->monitor);
	if (ours && hsm_session_borrow(hsm, HSM_PUBLIC, &attempt, &session) == CKR_OK) {
		rv = session.functions->C_Logout(session.handle);
		log_debug("token %s: C_Logout: %s", hsm->config->name, ckr_name(rv));
		rv = hsm_session_return(&session, CKR_OK);
		if (rv != CKR_OK)
			log_debug("token %s: %s", hsm->config->name, ckr_name(rv));
	}
	monitor_lock(&hsm->monitor);
	/* Handles of private objects end with the login (PKCS#11 3.0, section 5.6.9). */
	hsm_drop_locked(hsm, CKR_USER_NOT_LOGGED_IN, hsm->epoch);
	monitor_unlock(&hsm->monitor);
}
