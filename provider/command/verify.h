/* SPDX-License-Identifier: Apache-2.0 */
/* The checks of verify; each tells its findings. */
#ifndef P11_KMS_COMMAND_VERIFY_H
#define P11_KMS_COMMAND_VERIFY_H

#include "command/findings.h"
#include "command/workspace.h"

struct verification {
	const struct arguments *arguments; /* borrowed, all */
	struct workspace *workspace;
	struct findings *findings;
	int64_t now;
};

/* verify-registry.c: open it (workspace->authority is there); then the log, the head, the keys. */
void verify_registry(struct verification *verification);
/* verify-kms.c: reach it, log in, the authority, the private half of each version. */
void verify_kms(struct verification *verification);

#endif
