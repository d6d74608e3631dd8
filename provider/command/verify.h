/* SPDX-License-Identifier: Apache-2.0 */
/* The checks of verify; each tells its findings. */
#ifndef P11_KMS_COMMAND_VERIFY_H
#define P11_KMS_COMMAND_VERIFY_H

#include "command/findings.h"
#include "command/workspace.h"

/*
 * Each check has at least one line. One that can't be made, because of what an earlier one found,
 * says so: that is no finding of its own.
 */
struct verification {
	const struct arguments *arguments; /* borrowed, all */
	struct workspace *workspace;
	struct findings *findings;
	int64_t now;
};

/* verify-modes.c: who may write to the files, and to their folders. */
void verify_modes(struct verification *verification);
/* verify-registry.c: open it (workspace->authority is there); then the log, the head, the keys. */
void verify_registry(struct verification *verification);
/* Its checks, none of which can be made: why. */
void verify_registry_skip(struct verification *verification, const char *why);
/* verify-kms.c: reach it, log in, the authority, the private half of each version. */
void verify_kms(struct verification *verification);
void verify_kms_skip(struct verification *verification, const char *why);

#endif
