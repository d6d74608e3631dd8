/* SPDX-License-Identifier: Apache-2.0 */
/* The table of subcommands and of their options: the source of --help, of what is accepted, and of what the man page is checked against. */
#ifndef P11_KMS_COMMAND_COMMAND_H
#define P11_KMS_COMMAND_COMMAND_H

#include "base/compiler.h"

#include <stdbool.h>
#include <stddef.h>

/* What the command exits with. p11-kms(1) has the same list. */
enum exit_code {
	EXIT_DONE = 0,
	EXIT_FAILED = 1,        /* anything that no other code is for */
	EXIT_USAGE = 2,         /* the command line */
	EXIT_CONFIGURATION = 3, /* the configuration, or a file that it names */
	EXIT_KMS = 4,           /* the KMS can't be reached, or fails */
	EXIT_REGISTRY = 5,      /* the registry is damaged, or refused */
	EXIT_NO_KEY = 6,        /* there is no such key, version or name */
	EXIT_FINDINGS = 7,      /* verify found something wrong */
	EXIT_LOGIN = 8,         /* the KMS refuses the login, or nobody gave a PIN: not to be tried again */
};

enum option_id {
	OPTION_ACCEPT_RESTORED,
	OPTION_ACTIVATE_AT,
	OPTION_ALGORITHM,
	OPTION_ALL,
	OPTION_ANEW,
	OPTION_CONFIG,
	OPTION_CSR,
	OPTION_DAYS,
	OPTION_DNS,
	OPTION_DRY_RUN,
	OPTION_EXPORT,
	OPTION_FORMAT,
	OPTION_HELP,
	OPTION_ID,
	OPTION_IMPORT,
	OPTION_IN,
	OPTION_IP,
	OPTION_JSON,
	OPTION_LABEL,
	OPTION_OUT,
	OPTION_PIN_SOURCE,
	OPTION_PSS,
	OPTION_REASON,
	OPTION_ROTATE_EVERY,
	OPTION_SET,
	OPTION_SUBJECT,
	OPTION_TOKEN,
	OPTION_USAGE,
	OPTION_VERSION,
	OPTION_YES,
	OPTION_COUNT,
};

struct option_row {
	const char *name;     /* without the dashes */
	char letter;          /* '\0': none */
	const char *argument; /* "FILE"; NULL: a flag */
	const char *help;
	bool everywhere;      /* every command takes it */
};

/* The values of an option that may be given several times, in order. */
struct option_values {
	const char **values; /* owned */
	int count;
};

/* What was given on the command line; everything borrowed from argv. */
struct arguments {
	const char *options[OPTION_COUNT]; /* NULL: not given; "" for flags */
	struct option_values settings;     /* --set */
	struct option_values dns, ip;      /* --dns, --ip */
	char **operands;
	int operand_count;
};

struct command {
	const char *name;
	const char *operands; /* "NAME[@VERSION]", "" for none */
	int least, most;      /* how many */
	const char *summary;  /* a line in the list */
	const char *details;  /* a paragraph; --help folds it */
	enum option_id options[14]; /* beside those that all take; OPTION_COUNT ends */
	int (*run)(const struct arguments *arguments); /* exit code */
};

/* NULL: none of that name. */
const struct command *command_find(const char *name);
/* NULL past the last. */
const struct command *command_at(size_t index);
bool command_takes(const struct command *command, enum option_id option);

/* Reads argv. False, with a complaint, when it can't be understood. arguments_free it; the command's name is not in them. */
MUST_USE bool arguments_parse(int argc, char **argv, struct arguments *ret_arguments,
                              const struct command **ret_command);
void arguments_free(struct arguments *arguments);
const struct option_row *option_row(enum option_id option);

/* --help: of all, of one. */
void help_all(void);
void help_command(const struct command *command);

int command_adopt(const struct arguments *arguments);
int command_certificate(const struct arguments *arguments);
int command_authority(const struct arguments *arguments);
int command_compromise(const struct arguments *arguments);
int command_create(const struct arguments *arguments);
int command_deactivate(const struct arguments *arguments);
int command_decrypt(const struct arguments *arguments);
int command_destroy(const struct arguments *arguments);
int command_encrypt(const struct arguments *arguments);
int command_export(const struct arguments *arguments);
int command_help(const struct arguments *arguments);
int command_init(const struct arguments *arguments);
int command_list(const struct arguments *arguments);
int command_policy(const struct arguments *arguments);
int command_rebuild(const struct arguments *arguments);
int command_purge(const struct arguments *arguments);
int command_refresh(const struct arguments *arguments);
int command_restore(const struct arguments *arguments);
int command_rotate(const struct arguments *arguments);
int command_show(const struct arguments *arguments);
int command_status(const struct arguments *arguments);
int command_verify(const struct arguments *arguments);

#endif
