/* SPDX-License-Identifier: Apache-2.0 */
/* One signature by a key of the KMS, and the mechanism for it. */
#ifndef P11_KMS_LIFECYCLE_SIGNING_H
#define P11_KMS_LIFECYCLE_SIGNING_H

#include "kms/kms.h"
#include "mechanism/mechanism.h"
#include "registry/record.h"

/* The primitive_offered of a token record. */
bool token_record_offers(const void *context, CK_MECHANISM_TYPE primitive);

/*
 * Signs the message and verifies the signature with the public half. CKR_SIGNATURE_INVALID:
 * the KMS signed with another key; else as kms_sign.
 */
MUST_USE CK_RV key_sign(struct kms *kms, const struct token_record *token, struct kms_key *key,
                        struct public_key *public_key, const struct mechanism_use *use,
                        const void *message, size_t size, struct deadline deadline,
                        struct buffer *ret_signature);

#endif
