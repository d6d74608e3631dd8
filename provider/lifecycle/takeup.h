/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Versions that another host with the same authority made, and a registry that does not know
 * them yet: found in the KMS by their label, NAME@VERSION, and proven.
 */
#ifndef P11_KMS_LIFECYCLE_TAKEUP_H
#define P11_KMS_LIFECYCLE_TAKEUP_H

#include "lifecycle/lifecycle.h"
#include "lifecycle/stray.h"

/*
 * Makes a STRAY_VERSION pair a version of its key: the current one, or one that only processes
 * when a later one is there. CKR_ACTION_PROHIBITED, CKR_ATTRIBUTE_VALUE_INVALID: the registry has
 * it by now. CKR_PUBLIC_KEY_INVALID, CKR_FUNCTION_FAILED: it is no good (logged).
 */
MUST_USE CK_RV stray_take_up(struct lifecycle *lifecycle, const struct stray *stray);
/*
 * Removes a STRAY_DESTROYED pair, which an interrupted purge left. CKR_ACTION_PROHIBITED: not yet,
 * see kms_destroy_pair.
 */
MUST_USE CK_RV stray_remove(struct lifecycle *lifecycle, const struct stray *stray);

#endif
