/* SPDX-License-Identifier: Apache-2.0 */
/* How the command line names a version: NAME, NAME@VERSION, or --id HEX. */
#ifndef P11_KMS_COMMAND_REFERENCE_H
#define P11_KMS_COMMAND_REFERENCE_H

#include "command/workspace.h"

/* What a NAME alone means. */
enum reference_wish {
	REFERENCE_CURRENT, /* the current version; there must be one */
	REFERENCE_NEWEST,  /* that, else the newest that is shown, else the newest */
	REFERENCE_EXACT,   /* nothing: a VERSION or --id is needed */
};

/* The version that --id, or else the first operand, names, in whatever state. Where nothing is changed (not REFERENCE_EXACT) the beginning of an id will do, when no other id has it. Exit codes; failures are told. Caller frees. */
MUST_USE int reference_find(const struct workspace *workspace, const struct arguments *arguments,
                            enum reference_wish wish, struct version **ret_version);
/* As REFERENCE_NEWEST. CKR_OBJECT_HANDLE_INVALID: the key has no version at all. */
MUST_USE CK_RV version_newest(struct registry *registry, const char *name,
                              struct version **ret_version);

/* "name: there is no such key in token …"; EXIT_NO_KEY. */
int no_such_key(const struct workspace *workspace, const char *name);

/* Tells of a version that is destroy-pending or destroyed, and what can be done; EXIT_NO_KEY. */
int version_gone(const struct version *version);

/* --activate-at into the request, when it was given. EXIT_USAGE, told, when it is no time to come. */
MUST_USE int activation_read(const struct arguments *arguments, struct create_request *request);

/* Splits "NAME@12" (*ret_number 12) or "NAME" (0). Caller frees; NULL: out of memory. */
char *reference_split(const char *text, int64_t *ret_number);

#endif
