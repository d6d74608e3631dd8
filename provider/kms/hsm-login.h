/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Connecting to a token and logging in to it, by one thread for all that wait for it: a
 * wrong PIN is tried once, not once a thread. A login that somebody else in this program
 * made is used but never ended.
 */
#ifndef P11_KMS_KMS_HSM_LOGIN_H
#define P11_KMS_KMS_HSM_LOGIN_H

#include "kms/hsm-connection.h"

/* Connects and, when login is set, logs in with the PIN at hand. The caller is not inside the module and holds no lock. */
MUST_USE CK_RV hsm_prepare(struct hsm *hsm, bool login, struct kms_attempt *attempt);

/*
 * Logs in with this PIN, not the one at hand. CKR_PIN_INCORRECT and the like. *ret_unproven:
 * the program has logged in beside us, and the HSM has not looked at this PIN.
 */
MUST_USE CK_RV hsm_login(struct hsm *hsm, const void *pin, size_t pin_size,
                         struct kms_attempt *attempt, bool *ret_unproven);
/* CKR_TOKEN_WRITE_PROTECTED, CKR_PIN_INCORRECT and the like. */
MUST_USE CK_RV hsm_set_pin(struct hsm *hsm, const struct kms_set_pin_request *request,
                           struct kms_attempt *attempt);
/* Ends the login if it is ours, and forgets it in any case. */
void hsm_logout(struct hsm *hsm, struct deadline deadline);

#endif
