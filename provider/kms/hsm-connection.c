/* SPDX-License-Identifier: Apache-2.0 */
#include "kms/hsm-connection.h"

#include "base/log.h"
#include "base/text.h"
#include "kms/hsm-token.h"

#include <stdlib.h>
#include <string.h>

/* How long closing may wait for another thread that restarts the module. */
#define CLOSE_MS 1000
/* Failures in a row after which the module itself is not trusted any more. */
#define FAILURES_TO_RESTART 2

CK_RV
hsm_new(const struct config_token *config, struct pin *pin, struct hsm **ret_hsm)
{
	struct hsm *hsm;
	CK_RV rv;

	hsm = calloc(1, sizeof *hsm);
	if (hsm == NULL)
		return CKR_HOST_MEMORY;
	rv = hsm_token_parse(config, &hsm->uri);
	if (rv == CKR_OK)
		rv = hsm_module_get(p11_kit_uri_get_module_path(hsm->uri), &hsm->module);
	if (rv != CKR_OK) {
		p11_kit_uri_free(hsm->uri);
		free(hsm);
		return rv;
	}
	hsm->config = config;
	hsm->pin = pin;
	hsm->generation = 1;
	monitor_init(&hsm->monitor);
	*ret_hsm = hsm;
	return CKR_OK;
}

static void
new_generation_locked(struct hsm *hsm)
{
	if (++hsm->generation == 0)
		hsm->generation = 1;
}

void
hsm_forked(struct hsm *hsm)
{
	hsm_module_forked(hsm->module);
	monitor_init(&hsm->monitor);
	/* Never closed here: they are the parent's. */
	hsm->idle_count = 0;
	hsm->preparing = false;
	hsm->connected = false;
	hsm->logged_in = false;
	hsm->login_ours = false;
	new_generation_locked(hsm);
}

/*
 * Does anybody else in this program have sessions with the token? The standard keeps the
 * login until the last one is closed (PKCS#11 3.0, section 5.6.3), so with ours closed a
 * session that is still logged in tells.
 */
static bool
is_shared(const struct hsm *hsm, CK_FUNCTION_LIST *functions)
{
	CK_SESSION_HANDLE session;
	CK_SESSION_INFO info;
	bool shared;

	if (!hsm->logged_in || !hsm->login_required)
		return false;
	if (functions->C_OpenSession(hsm->slot, CKF_SERIAL_SESSION, NULL, NULL, &session) != CKR_OK)
		return false;
	shared = functions->C_GetSessionInfo(session, &info) == CKR_OK &&
	         (info.state == CKS_RO_USER_FUNCTIONS || info.state == CKS_RW_USER_FUNCTIONS);
	(void)functions->C_CloseSession(session);
	return shared;
}

static void
close_sessions(CK_FUNCTION_LIST *functions, const CK_SESSION_HANDLE *sessions, size_t count)
{
	size_t i;

	for (i = 0; i < count; i++)
		(void)functions->C_CloseSession(sessions[i]);
}

static bool
disconnect(struct hsm *hsm)
{
	CK_FUNCTION_LIST *functions;
	bool shared = false;
	uint32_t epoch;

	if (!hsm->connected || !hsm_module_is_current(hsm->module, hsm->epoch) ||
	    hsm_module_enter(hsm->module, deadline_in(CLOSE_MS), &epoch) != CKR_OK)
		return false;
	if (epoch == hsm->epoch) {
		functions = hsm_module_functions(hsm->module);
		close_sessions(functions, hsm->idle, hsm->idle_count);
		shared = is_shared(hsm, functions);
	}
	hsm_module_leave(hsm->module);
	return shared;
}

void
hsm_free(struct hsm **hsm)
{
	bool shared;

	if (*hsm == NULL)
		return;
	shared = disconnect(*hsm);
	hsm_module_put(&(*hsm)->module, shared);
	p11_kit_uri_free((*hsm)->uri);
	complaint_clear(&(*hsm)->complaint);
	monitor_destroy(&(*hsm)->monitor);
	free(*hsm);
	*hsm = NULL;
}

bool
hsm_is_ready_locked(const struct hsm *hsm, bool login, uint32_t epoch)
{
	return hsm->connected && hsm->epoch == epoch && (hsm->logged_in || !login);
}

void
hsm_drop_locked(struct hsm *hsm, CK_RV rv, uint32_t epoch)
{
	switch (rv) {
	case CKR_USER_NOT_LOGGED_IN:
		break;
	case CKR_CRYPTOKI_NOT_INITIALIZED:
		hsm_module_lost(hsm->module, epoch);
		hsm->connected = false;
		break;
	case CKR_SESSION_HANDLE_INVALID:
	case CKR_SESSION_CLOSED:
		hsm->connected = false;
		break;
	default:
		hsm->connected = false;
		hsm->failures++;
		break;
	}
	hsm->logged_in = hsm->connected && !hsm->login_required;
	if (rv == CKR_USER_NOT_LOGGED_IN)
		hsm->login_ours = false;
	new_generation_locked(hsm);
}

/* Another epoch: all handles are another's by now. The same: what is idle can be closed. */
static size_t
take_idle_locked(struct hsm *hsm, uint32_t epoch, CK_SESSION_HANDLE *ret_sessions)
{
	size_t count = 0;

	if (hsm->epoch == epoch) {
		count = hsm->idle_count;
		memcpy(ret_sessions, hsm->idle, count * sizeof *hsm->idle);
	} else {
		hsm->login_ours = false;
	}
	hsm->idle_count = 0;
	return count;
}

static void
complain(struct hsm *hsm, CK_RV rv)
{
	const char *name = hsm->config->name, *uri = hsm->config->kms;

	if (rv == CKR_TOKEN_NOT_RECOGNIZED)
		complaint_raise(&hsm->complaint,
		                text_format("token %s: several tokens match %s; add serial= to it",
		                            name, uri));
	else if (rv == CKR_TOKEN_NOT_PRESENT)
		complaint_raise(&hsm->complaint,
		                text_format("token %s: the HSM's module %s shows no token that matches "
		                            "%s; is the HSM up, and does pkcs11-tool list the token?",
		                            name, p11_kit_uri_get_module_path(hsm->uri), uri));
}

/* The caller is inside the module, in this epoch. */
static CK_RV
look_for_token(struct hsm *hsm, uint32_t epoch)
{
	CK_FUNCTION_LIST *functions = hsm_module_functions(hsm->module);
	CK_SESSION_HANDLE old[HSM_IDLE_MAX];
	size_t old_count;
	CK_SLOT_ID slot = 0;
	CK_FLAGS flags = 0;
	CK_RV rv;

	rv = hsm_token_find(functions, hsm->uri, &slot, &flags);
	if (rv == CKR_CRYPTOKI_NOT_INITIALIZED)
		hsm_module_lost(hsm->module, epoch);

	monitor_lock(&hsm->monitor);
	old_count = take_idle_locked(hsm, epoch, old);
	hsm->epoch = epoch;
	hsm->connected = rv == CKR_OK;
	hsm->slot = slot;
	hsm->login_required = (flags & CKF_LOGIN_REQUIRED) != 0;
	hsm->write_protected = (flags & CKF_WRITE_PROTECTED) != 0;
	hsm->logged_in = hsm->connected && !hsm->login_required;
	new_generation_locked(hsm);
	monitor_unlock(&hsm->monitor);
	if (rv != CKR_OK)
		return rv;
	close_sessions(functions, old, old_count);
	return CKR_OK;
}

static CK_RV
enter_and_look(struct hsm *hsm, struct kms_attempt *attempt, uint32_t *ret_epoch)
{
	CK_RV rv;

	rv = hsm_module_enter(hsm->module, attempt->deadline, ret_epoch);
	if (rv != CKR_OK)
		return rv;
	rv = look_for_token(hsm, *ret_epoch);
	hsm_module_leave(hsm->module);
	return rv;
}

/*
 * Finds the token. When the module has shown it, or not shown it, in this epoch before, and
 * does not now, or shows it but does not work, the module is restarted: SoftHSM and others
 * look for tokens only when they are initialised.
 */
CK_RV
hsm_connect(struct hsm *hsm, struct kms_attempt *attempt)
{
	uint32_t before, epoch = 0;
	bool broken;
	CK_RV rv;

	monitor_lock(&hsm->monitor);
	before = hsm->epoch;
	broken = hsm->failures >= FAILURES_TO_RESTART;
	monitor_unlock(&hsm->monitor);
	rv = enter_and_look(hsm, attempt, &epoch);
	if (epoch == before && epoch != 0 && rv != CKR_TOKEN_NOT_RECOGNIZED &&
	    (rv != CKR_OK || broken)) {
		rv = hsm_module_restart(hsm->module, epoch, attempt->deadline);
		if (rv == CKR_OK)
			rv = enter_and_look(hsm, attempt, &epoch);
	}
	if (rv == CKR_OK)
		complaint_clear(&hsm->complaint);
	else
		complain(hsm, rv);
	return rv;
}
