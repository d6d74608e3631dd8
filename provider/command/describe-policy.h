/* SPDX-License-Identifier: Apache-2.0 */
/* A policy as text and as JSON, and read from --set. */
#ifndef P11_KMS_COMMAND_DESCRIBE_POLICY_H
#define P11_KMS_COMMAND_DESCRIBE_POLICY_H

#include "command/output.h"
#include "command/workspace.h"
#include "lifecycle/policy.h"

/* Every --set of the command line. Exit codes; failures are told. Caller clears *policy, also then. */
MUST_USE int policy_read(const struct arguments *arguments, struct policy_change *policy);

/* --rotate-every, as the setting takes it: -1 where it is not given, 0 for never. Exit codes; failures are told. */
MUST_USE int rotate_every_read(const struct arguments *arguments, int64_t *ret_seconds);

/* A line for each setting. */
void policy_say(const struct key_record *key);
/* The object that --json prints. NULL: out of memory. */
json_t *policy_json(const struct workspace *workspace, const struct key_record *key);

/* Of the recovery key, "none" where there is none: its algorithm, and its SHA-256 in a line of its own. */
void recovery_say(const char *what, const struct key_record *key);

#endif
