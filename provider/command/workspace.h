/* SPDX-License-Identifier: Apache-2.0 */
/* What a subcommand works with, opened as far as it needs; and how failures are told. */
#ifndef P11_KMS_COMMAND_WORKSPACE_H
#define P11_KMS_COMMAND_WORKSPACE_H

#include "base/config.h"
#include "command/command.h"
#include "kms/kms.h"
#include "lifecycle/lifecycle.h"
#include "registry/registry.h"

struct workspace {
	struct config *config;            /* owned, as all that follow but token */
	const struct config_token *token; /* borrowed from config */
	struct authority *authority;
	struct registry *registry;
	struct kms *kms;
	struct lifecycle *lifecycle;
};

/* The configuration and its token; sets the log up. Exit codes, EXIT_DONE for success; failures are told. workspace_close also after a failure. */
MUST_USE int workspace_configure(const struct arguments *arguments, struct workspace *workspace);
/* The same, but failures are handed over: *ret_why, caller frees, NULL: none, or out of memory. */
MUST_USE int workspace_configure_why(const struct arguments *arguments, struct workspace *workspace,
                                     char **ret_why);
/* The same as workspace_configure, and the authority and the registry: needs neither a KMS nor permission to write. */
MUST_USE int workspace_read(const struct arguments *arguments, struct workspace *workspace);
/* The same as workspace_configure, and the KMS, logged in. */
MUST_USE int workspace_kms(const struct arguments *arguments, struct workspace *workspace);
/* All of it, open for change. */
MUST_USE int workspace_change(const struct arguments *arguments, struct workspace *workspace);
/* The same, to see what a change would do: nothing is written. */
MUST_USE int workspace_preview(const struct arguments *arguments, struct workspace *workspace);
/* After workspace_kms: what workspace_change has and that has not. */
MUST_USE int workspace_change_too(struct workspace *workspace);
void workspace_close(struct workspace *workspace);

/* The registry's file is not there: why, and what to do; NULL: it is. Caller frees. */
MUST_USE char *registry_missing_why(const struct workspace *workspace);
/* Is there a KMS in the configuration? EXIT_CONFIGURATION, which is told, when not. */
MUST_USE int workspace_needs_kms(const struct workspace *workspace);
/* Logs in to workspace->kms with a PIN from --pin-source or the terminal, where it does not do so itself. */
MUST_USE int workspace_login(const struct arguments *arguments, struct workspace *workspace);

/* What failed with rv never reached the KMS: the file of the PIN, or another that the configuration names, is missing or not to be used. Which and why; NULL: not so. Caller frees. */
MUST_USE char *kms_unasked_why(const struct workspace *workspace, CK_RV rv);

/* Tells a failure of the KMS, of the registry, of a change (either); what: "create job-42". */
int kms_failed(const struct workspace *workspace, const char *what, CK_RV rv);
int registry_failed(const struct workspace *workspace, const char *what, CK_RV rv);
int change_failed(const struct workspace *workspace, const char *what, CK_RV rv);

#endif
