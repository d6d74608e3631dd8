/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Signs as the authority, through the KMS, whichever the registry's is by now. What comes back
 * is verified with its public half before anyone may use it: a wrong key in the KMS never signs
 * an entry.
 */
#ifndef P11_KMS_LIFECYCLE_AUTHORITY_SIGNER_H
#define P11_KMS_LIFECYCLE_AUTHORITY_SIGNER_H

#include "kms/kms.h"
#include "registry/authority.h"
#include "registry/record.h"

struct authority_signer; /* opaque; may be used by several threads */

/* token: its authority_id is the CKA_ID in the KMS of the authority that no other handed over to, its primitives what the KMS can do. Both are borrowed. Nothing is asked of the KMS yet. */
MUST_USE CK_RV authority_signer_new(struct kms *kms, int64_t deadline_ms,
                                    const struct token_record *token,
                                    struct authority_signer **ret_signer);
void authority_signer_free(struct authority_signer **signer);

/* For registry_change; valid for as long as the signer lives. Each signature has deadline_ms. */
struct signer authority_signer_use(struct authority_signer *signer);

#endif
