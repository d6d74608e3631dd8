/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An HSM's own PKCS#11 module, shared by all tokens of the configuration that use it and,
 * through p11-kit, with the rest of the program.
 *
 * It is loaded and initialised at the first hsm_module_enter. p11-kit counts who has
 * initialised it, so neither side finalises it under the other; when the program has
 * initialised it without p11-kit we use it and leave it as it is. If somebody finalises it
 * under us all the same, the next enter initialises it again.
 *
 * Between enter and leave the module stays as it is: restarting it waits until all have left.
 * An epoch is the time from one initialisation to the next; handles of slots, sessions and
 * objects mean nothing in another one.
 */
#ifndef P11_KMS_KMS_HSM_MODULE_H
#define P11_KMS_KMS_HSM_MODULE_H

#include "base/clock.h"
#include "base/compiler.h"
#include "base/pkcs11.h"

#include <stdbool.h>
#include <stdint.h>

struct hsm_module; /* opaque, counted */

/* path: absolute. Nothing is loaded yet. CKR_HOST_MEMORY. */
MUST_USE CK_RV hsm_module_get(const char *path, struct hsm_module **ret_module);
/* The last one out finalises what was initialised for us; not when shared (others are seen to use it). */
void hsm_module_put(struct hsm_module **module, bool shared);
/* In a forked child, before other threads of the child enter. */
void hsm_module_forked(struct hsm_module *module);

/* CKR_DEVICE_ERROR: can't be loaded or initialised, or the deadline passed (logged). Every success needs its leave. */
MUST_USE CK_RV hsm_module_enter(struct hsm_module *module, struct deadline deadline,
                                uint32_t *ret_epoch);
void hsm_module_leave(struct hsm_module *module);
/* Is it initialised, in this epoch? Then enter is immediate. */
bool hsm_module_is_current(struct hsm_module *module, uint32_t epoch);

/* Its functions; valid after the first enter. */
CK_FUNCTION_LIST *hsm_module_functions(const struct hsm_module *module);

/* It answered CKR_CRYPTOKI_NOT_INITIALIZED in this epoch. */
void hsm_module_lost(struct hsm_module *module, uint32_t epoch);
/*
 * Finalises and initialises it, unless that has happened since epoch: some modules (SoftHSM)
 * look for tokens only then. Does nothing when the module is not ours. The caller has left it.
 */
MUST_USE CK_RV hsm_module_restart(struct hsm_module *module, uint32_t epoch,
                                  struct deadline deadline);

#endif
