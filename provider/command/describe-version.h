/* SPDX-License-Identifier: Apache-2.0 */
/* A version as JSON, and parts of it as text. */
#ifndef P11_KMS_COMMAND_DESCRIBE_VERSION_H
#define P11_KMS_COMMAND_DESCRIBE_VERSION_H

#include "command/output.h"
#include "command/workspace.h"
#include "lifecycle/usage.h"

/* The object that --json prints for a version. NULL: out of memory. */
json_t *version_json(const struct workspace *workspace, const struct key_record *key,
                     const struct version *version);
/* The same; reads the key's record. CKR_HOST_MEMORY, and as of registry_key. */
MUST_USE CK_RV version_json_read(const struct workspace *workspace, const struct version *version,
                                 json_t **ret_json);

/* ["decrypt", "sign"]; NULL: out of memory. */
json_t *usage_json(unsigned usage);

/* The state's name; "superseded" for one in its overlap. */
const char *version_state_text(const struct version *version);
/* "job-42@3"; caller frees, NULL: out of memory. */
char *version_full_name(const struct version *version);

#endif
