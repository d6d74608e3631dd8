/* SPDX-License-Identifier: Apache-2.0 */
/* What a refresh does for one key: what its policy says is due. */
#ifndef P11_KMS_LIFECYCLE_UPKEEP_H
#define P11_KMS_LIFECYCLE_UPKEEP_H

#include "lifecycle/lifecycle.h"

enum upkeep_how {
	UPKEEP_DRY_RUN = 1,
	UPKEEP_MAKING = 2,   /* a version of this key is being made now: don't rotate */
	UPKEEP_PUT_BACK = 4, /* a backup of the registry was put back: don't retire or purge, see lifecycle/restored.h */
};

/*
 * Makes a pre-active version the current one when its time has come; rotates; deactivates what
 * was superseded longer ago than the overlap; makes what the policy does not keep
 * destroy-pending; purges what is past its grace. Counts in the summary. What another host did
 * meanwhile is left alone. how: enum upkeep_how, ored.
 */
MUST_USE CK_RV key_upkeep(struct lifecycle *lifecycle, const char *name, unsigned how,
                          struct refresh_summary *summary);

#endif
