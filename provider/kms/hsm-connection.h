/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The connection to one token of an HSM: which slot it is in, and the login. Connecting and
 * logging in happen when a call needs them, by one thread for all that wait. No lock is held
 * during a call to the HSM.
 *
 * A login that somebody else in this program made is used but never ended.
 */
#ifndef P11_KMS_KMS_HSM_CONNECTION_H
#define P11_KMS_KMS_HSM_CONNECTION_H

#include "base/compiler.h"
#include "base/config.h"
#include "base/pkcs11.h"
#include "kms/backend.h"
#include "kms/complaint.h"
#include "kms/hsm-module.h"
#include "kms/monitor.h"
#include "kms/pin.h"

#include <p11-kit/uri.h>
#include <stdbool.h>
#include <stdint.h>

#define HSM_IDLE_MAX 16

struct hsm {
	const struct config_token *config; /* borrowed */
	struct pin *pin;                   /* borrowed */
	P11KitUri *uri;
	struct hsm_module *module;

	struct monitor monitor;  /* guards what follows */
	bool preparing;          /* one thread connects or logs in */
	unsigned prepared;       /* counts how often that ended, and … */
	CK_RV prepare_result;    /* … how, for those who waited */

	bool connected;
	uint32_t epoch;          /* of the module, when the token was last looked for */
	CK_SLOT_ID slot;
	uint32_t generation;     /* another one: sessions or handles may have been lost; never 0 */
	bool login_required;
	bool write_protected;
	bool logged_in;
	bool login_ours;         /* our C_Login did it */
	unsigned failures;       /* of the device, in a row */
	CK_SESSION_HANDLE idle[HSM_IDLE_MAX]; /* open, of this epoch */
	size_t idle_count;

	struct complaint complaint; /* the preparing thread's, without the lock */
};

MUST_USE CK_RV hsm_new(const struct config_token *config, struct pin *pin, struct hsm **ret_hsm);
void hsm_free(struct hsm **hsm);
void hsm_forked(struct hsm *hsm);

/* Is there a connection (and a login) to borrow sessions from, in this epoch of the module? */
bool hsm_is_ready_locked(const struct hsm *hsm, bool login, uint32_t epoch);
/*
 * Finds the token. When the module has been asked in this epoch before, and does not show
 * the token now, or shows it but does not work, the module is restarted: SoftHSM and others
 * look for tokens only when they are initialised. One thread at a time, not inside the module.
 */
MUST_USE CK_RV hsm_connect(struct hsm *hsm, struct kms_attempt *attempt);
/* Drops what the HSM's answer says is lost. The caller is inside the module, in this epoch. */
void hsm_drop_locked(struct hsm *hsm, CK_RV rv, uint32_t epoch);

#endif
