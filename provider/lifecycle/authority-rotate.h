/* SPDX-License-Identifier: Apache-2.0 */
/* The hand-over from one authority to another: a step of lifecycle_rotate_authority and lifecycle_recover. */
#ifndef P11_KMS_LIFECYCLE_AUTHORITY_ROTATE_H
#define P11_KMS_LIFECYCLE_AUTHORITY_ROTATE_H

#include "lifecycle/lifecycle.h"
#include "lifecycle/reconcile.h"

/*
 * to: whose pair in the KMS, by that id, is proven. intended: change_intended.
 * CKR_ACTION_PROHIBITED: it is not from that signs.
 */
MUST_USE CK_RV authority_hand_over(const struct config_token *config, struct registry *registry,
                                   const struct signer *signer, const struct authority *from,
                                   const struct authority *to, const struct buffer *id,
                                   bool intended);

#endif
