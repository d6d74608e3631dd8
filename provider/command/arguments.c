/* SPDX-License-Identifier: Apache-2.0 */
#include "command/command.h"

#include "command/output.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CODE_BASE 0x100 /* of long options; above every letter */

/* getopt's view of the table. texts: 2 bytes for each letter and its colon, and 3 more. */
static void
options_prepare(struct option *options, char *letters)
{
	/* '-': operands come in their places (options may follow them); ':': no messages. */
	*letters++ = '-';
	*letters++ = ':';
	for (int i = 0; i < OPTION_COUNT; i++) {
		const struct option_row *row = option_row((enum option_id)i);
		int argument = row->argument != NULL ? required_argument : no_argument;

		options[i] = (struct option){ row->name, argument, NULL, CODE_BASE + i };
		*letters++ = row->letter;
		if (argument == required_argument)
			*letters++ = ':';
	}
	*letters = '\0';
	options[OPTION_COUNT] = (struct option){ NULL, 0, NULL, 0 };
}

/* NULL: it is given once, and a later one takes its place. */
static struct option_values *
values_of(struct arguments *arguments, int option)
{
	switch (option) {
	case OPTION_SET:
		return &arguments->settings;
	case OPTION_DNS:
		return &arguments->dns;
	case OPTION_IP:
		return &arguments->ip;
	default:
		return NULL;
	}
}

static int
option_by_letter(int letter)
{
	for (int i = 0; i < OPTION_COUNT; i++) {
		if (option_row((enum option_id)i)->letter == letter)
			return i;
	}
	return -1;
}

/* The command that was named so far, with a space; "" for none. */
static const char *
command_so_far(const struct arguments *arguments)
{
	static char text[32];
	const struct command *command = NULL;

	if (arguments->operand_count > 0)
		command = command_find(arguments->operands[0]);
	snprintf(text, sizeof text, "%s%s", command == NULL ? "" : command->name,
	         command == NULL ? "" : " ");
	return text;
}

/* Fills arguments with all operands, the command's name among them. */
static bool
collect(int argc, char **argv, struct arguments *arguments)
{
	struct option options[OPTION_COUNT + 1];
	char letters[2 * OPTION_COUNT + 3];
	struct option_values *values;
	int code;

	options_prepare(options, letters);
	opterr = 0;
	optind = 0; /* glibc: begin anew, also with a leading '-' */
	while ((code = getopt_long(argc, argv, letters, options, NULL)) != -1) {
		int option;

		if (code == 1) {
			arguments->operands[arguments->operand_count++] = optarg;
			continue;
		}
		if (code == ':') {
			complain("%s needs a value; see `p11-kms %s--help`", argv[optind - 1],
			         command_so_far(arguments));
			return false;
		}
		option = code >= CODE_BASE ? code - CODE_BASE : option_by_letter(code);
		if (code == '?' || option < 0) {
			if (optopt > 0 && optopt < CODE_BASE)
				complain("-%c: there is no such option; see `p11-kms %s--help`", optopt,
				         command_so_far(arguments));
			else
				complain("%s: there is no such option, or it takes no value; see "
				         "`p11-kms %s--help`", argv[optind - 1], command_so_far(arguments));
			return false;
		}
		arguments->options[option] = optarg != NULL ? optarg : "";
		values = values_of(arguments, option);
		if (values != NULL)
			values->values[values->count++] = optarg;
	}
	while (optind < argc)
		arguments->operands[arguments->operand_count++] = argv[optind++];
	return true;
}

static bool
check(const struct command *command, const struct arguments *arguments)
{
	if (arguments->options[OPTION_HELP] != NULL)
		return true;
	for (int i = 0; i < OPTION_COUNT; i++) {
		if (arguments->options[i] == NULL || command_takes(command, (enum option_id)i))
			continue;
		complain("%s takes no --%s; see `p11-kms %s --help`", command->name,
		         option_row((enum option_id)i)->name, command->name);
		return false;
	}
	/* Where a version is named. With --label, a pair in the KMS is. */
	if (command->least == 0 && command_takes(command, OPTION_ID) &&
	    !command_takes(command, OPTION_LABEL) &&
	    (arguments->options[OPTION_ID] != NULL) == (arguments->operand_count != 0)) {
		complain("%s needs either %s or --id; see `p11-kms %s --help`", command->name,
		         command->operands, command->name);
		return false;
	}
	if (arguments->operand_count >= command->least && arguments->operand_count <= command->most)
		return true;
	if (arguments->operand_count < command->least)
		complain("%s needs %s; see `p11-kms %s --help`", command->name, command->operands,
		         command->name);
	else
		complain("%s: one too many for %s; see `p11-kms %s --help`",
		         arguments->operands[command->most], command->name, command->name);
	return false;
}

bool
arguments_parse(int argc, char **argv, struct arguments *ret_arguments,
                const struct command **ret_command)
{
	struct arguments arguments = { .operand_count = 0 };
	const struct command *command = NULL;

	arguments.operands = calloc((size_t)argc + 1, sizeof *arguments.operands);
	arguments.settings.values = calloc((size_t)argc + 1, sizeof(char *));
	arguments.dns.values = calloc((size_t)argc + 1, sizeof(char *));
	arguments.ip.values = calloc((size_t)argc + 1, sizeof(char *));
	if (arguments.operands == NULL || arguments.settings.values == NULL ||
	    arguments.dns.values == NULL || arguments.ip.values == NULL) {
		complain("out of memory");
		goto fail;
	}
	if (!collect(argc, argv, &arguments))
		goto fail;
	if (arguments.operand_count > 0) {
		command = command_find(arguments.operands[0]);
		if (command == NULL) {
			complain("%s: there is no such command; `p11-kms help` lists those there are",
			         arguments.operands[0]);
			goto fail;
		}
		arguments.operand_count--;
		memmove(arguments.operands, arguments.operands + 1,
		        (size_t)arguments.operand_count * sizeof *arguments.operands);
		if (!check(command, &arguments))
			goto fail;
	}
	*ret_arguments = arguments;
	*ret_command = command;
	return true;
fail:
	arguments_free(&arguments);
	return false;
}

void
arguments_free(struct arguments *arguments)
{
	free(arguments->operands);
	free(arguments->settings.values);
	free(arguments->dns.values);
	free(arguments->ip.values);
}
