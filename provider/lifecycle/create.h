/* SPDX-License-Identifier: Apache-2.0 */
/* Between the files of this folder: what create and refresh share. */
#ifndef P11_KMS_LIFECYCLE_CREATE_H
#define P11_KMS_LIFECYCLE_CREATE_H

#include "lifecycle/lifecycle.h"

/* As lifecycle_create, but CKR_ACTION_PROHIBITED, and nothing made, when replaces is not the key's current version any more. */
MUST_USE CK_RV version_create(struct lifecycle *lifecycle, const struct create_request *request,
                              int64_t replaces, struct deadline deadline,
                              struct version **ret_version);

/* Why a commit was refused with CKR_FUNCTION_CANCELED. begun: when the pair was intended. */
void log_given_up(const struct lifecycle *lifecycle, const char *label, int64_t begun);

/* What the pair of a version is labelled in the KMS; caller frees, NULL when memory is short. */
char *pair_label(const char *name, int64_t number);

/* What a key of this algorithm can be used for; of that, what the KMS can do. */
unsigned usage_possible(const struct algorithm *algorithm);
unsigned usage_default(const struct algorithm *algorithm, const struct token_record *token);
/* What a pair of that key is used for of which nothing else is known. */
unsigned usage_taken_up(const struct key_record *key, const struct algorithm *algorithm);

/* How long a version protects that begins then: the policy's interval, and grace for a late refresh. */
int64_t protect_until(const struct config_token *config, int64_t from, int64_t rotate_every);

/* NULL when it is none that a key can have. */
const struct algorithm *spki_algorithm(const struct buffer *spki);
/* The public half follows the rules for keys in the registry. */
MUST_USE CK_RV pair_check_public(const struct lifecycle *lifecycle, const struct version *version);

#endif
