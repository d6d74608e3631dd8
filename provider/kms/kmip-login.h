/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who we are to the KMIP servers: a certificate with its key, and perhaps a user's name with
 * a password. The PIN opens the key when that is encrypted, and is the password when no file
 * has one. Where it is neither, there is nothing to log in with.
 */
#ifndef P11_KMS_KMS_KMIP_LOGIN_H
#define P11_KMS_KMS_KMIP_LOGIN_H

#include "kms/kmip-connection.h"

/* Looks at the client's key again when its file has changed. */
enum kms_pin_need kmip_pin_need(struct kmip *kmip);
/* The PIN is what the server takes for the user's password. */
bool kmip_password_is_pin(const struct kmip *kmip);

/*
 * What to connect with, made when it is first needed and when its files have changed.
 * CKR_USER_NOT_LOGGED_IN: there is no PIN, or a wrong one, or a password that was rejected and is
 * still in its file; CKR_DEVICE_ERROR: a file can't be used (logged). The attempt is then final.
 */
MUST_USE CK_RV kmip_login_get(struct kmip *kmip, struct kms_attempt *attempt,
                              struct kmip_login *ret_login);
void kmip_login_clear(struct kmip_login *login);
/* A file that makes no login possible: which and why. NULL: none. Caller frees. */
MUST_USE char *kmip_login_file_why(const struct config_token *config);

/*
 * The same with this PIN, and not kept yet. CKR_PIN_INCORRECT; CKR_DEVICE_ERROR also for a password
 * that was rejected and is still in its file: the PIN is not at fault.
 */
MUST_USE CK_RV kmip_login_try(struct kmip *kmip, const void *pin, size_t pin_size,
                              struct kms_attempt *attempt, struct kmip_login *ret_login);
/*
 * The servers took it: it is used from now on. Copies. The PIN itself is kept, or not, in
 * kmip->pin; but as a password it goes with each request, and stays until we log out.
 */
MUST_USE CK_RV kmip_login_keep(struct kmip *kmip, const struct kmip_login *login);
/*
 * Before a request with the login in use, and after it: until a server has taken the password, one
 * call at a time sends it (*ret_alone, which kmip_login_proved ends), so that a wrong one is sent
 * once, however many threads there are: servers lock users who try too often. CKR_DEVICE_ERROR: not
 * until the deadline. CKR_USER_NOT_LOGGED_IN: it was rejected meanwhile, or never proven and is not
 * in use any more: kmip_login_get knows what is.
 */
MUST_USE CK_RV kmip_login_prove(struct kmip *kmip, struct kmip_login *login,
                                struct deadline deadline, bool *ret_alone);
void kmip_login_proved(struct kmip *kmip, struct kmip_login *login, bool taken);
/* Forgets what the PIN opened, and all connections made with it. */
void kmip_logout(struct kmip *kmip);
/*
 * The server does not accept who we are by this login, and says message (may be NULL) about it.
 * Returns CKR_USER_NOT_LOGGED_IN when a PIN or a password is at fault, which is not used again
 * until it changes; else CKR_DEVICE_ERROR. Logged.
 */
CK_RV kmip_login_rejected(struct kmip *kmip, const struct kmip_login *login, const char *server,
                          const char *message);

#endif
