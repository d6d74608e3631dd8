/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A registry that a backup was put back of, on purpose: its log lacks what came after the backup,
 * versions as well as policies, what was compromised and what was restored. Until `rebuild` has
 * taken in what the KMS holds, nothing may be done that could only be right by the lost log.
 */
#ifndef P11_KMS_LIFECYCLE_RESTORED_H
#define P11_KMS_LIFECYCLE_RESTORED_H

#include "lifecycle/lifecycle.h"

/* Whether that is so. */
MUST_USE CK_RV registry_awaits_rebuild(struct registry *registry, bool *ret_awaits);
/*
 * Before pairs are taken in: forgets the intents that the backup had, but those that were given up,
 * and those of creations that may be going on: what became of the others is in the lost log.
 */
MUST_USE CK_RV rebuild_begin(struct lifecycle *lifecycle);
/* After that: it was done. *ret_put_back: of a backup that had been put back. */
MUST_USE CK_RV rebuild_end(struct lifecycle *lifecycle, bool *ret_put_back);

#endif
