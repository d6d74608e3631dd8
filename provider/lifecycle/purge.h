/* SPDX-License-Identifier: Apache-2.0 */
/* Versions that were destroyed longer ago than their grace: removed from the KMS. */
#ifndef P11_KMS_LIFECYCLE_PURGE_H
#define P11_KMS_LIFECYCLE_PURGE_H

#include "lifecycle/lifecycle.h"

/* Removes the pair from the KMS, then makes the version destroyed. CKR_ACTION_PROHIBITED: it is not destroy-pending, or its grace is not over. */
MUST_USE CK_RV version_purge(struct lifecycle *lifecycle, int64_t object);

#endif
