/* SPDX-License-Identifier: Apache-2.0 */
/* The token record: what the KMS is and can do, as the registry keeps it. */
#ifndef P11_KMS_LIFECYCLE_DESCRIBE_H
#define P11_KMS_LIFECYCLE_DESCRIBE_H

#include "kms/kms.h"
#include "registry/record.h"

/* Asks the KMS; created is now, authority_id copied. Caller frees. */
MUST_USE CK_RV token_describe(struct kms *kms, struct deadline deadline, const void *authority_id,
                              size_t authority_id_size, struct token_record **ret_token);
/* The same but for the time it was made. */
bool token_record_equal(const struct token_record *a, const struct token_record *b);

#endif
