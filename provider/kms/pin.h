/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The PIN a KMS is logged in with: read from the pin-source file at the moment of need, or
 * kept in secret memory after kms_login. A PIN the KMS has rejected is latched and not
 * given out again until it changes, so that no HSM is locked by retrying.
 */
#ifndef P11_KMS_KMS_PIN_H
#define P11_KMS_KMS_PIN_H

#include "base/compiler.h"
#include "base/config.h"
#include "base/pkcs11.h"
#include "base/secret.h"

#include <stdbool.h>
#include <stddef.h>

struct pin; /* opaque; may be used by several threads */

/* config is borrowed for as long as the pin lives. CKR_HOST_MEMORY. */
MUST_USE CK_RV pin_new(const struct config_token *config, struct pin **ret_pin);
void pin_free(struct pin **pin);
/* In a forked child, before other threads of the child enter. */
void pin_forked(struct pin *pin);

/* There is a pin-source: no login by the caller is needed. */
bool pin_has_source(const struct pin *pin);

/* A copy to log in with; free it at once. CKR_USER_NOT_LOGGED_IN: none, latched, or the file can't be used (logged). */
MUST_USE CK_RV pin_get(struct pin *pin, struct secret **ret_pin);
/* With a pin-source: is it this one, in constant time? CKR_PIN_INCORRECT; CKR_USER_NOT_LOGGED_IN as above. */
MUST_USE CK_RV pin_compare(struct pin *pin, const void *data, size_t size);

/* The KMS took it: kept if keep-pin says so. */
MUST_USE CK_RV pin_keep(struct pin *pin, const void *data, size_t size);
/* The KMS's PIN is this from now on: in place of one that is kept. */
MUST_USE CK_RV pin_replace(struct pin *pin, const void *data, size_t size);
/* The KMS refused what pin_get gave out. */
void pin_rejected(struct pin *pin);
/* Forgets a kept PIN. */
void pin_forget(struct pin *pin);

#endif
