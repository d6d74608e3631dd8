/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The mutexes that an HSM's module is given to lock with (PKCS#11 3.0, section 3.7,
 * CK_CREATEMUTEX and so on): ordinary ones, but for a forked child, where those that threads
 * of the parent held are free again. A module that keeps the parent's state in a child, as
 * SoftHSM does, would else wait in C_Finalize for threads that are not there.
 */
#ifndef P11_KMS_KMS_HSM_MUTEX_H
#define P11_KMS_KMS_HSM_MUTEX_H

#include "base/pkcs11.h"

/* What C_Initialize is to be called with. The functions stay valid: this library is never unloaded. */
void hsm_mutex_arguments(CK_C_INITIALIZE_ARGS *ret_arguments);
/* In a forked child, before other threads of the child enter. */
void hsm_mutex_forked(void);

#endif
