/* SPDX-License-Identifier: Apache-2.0 */
#include "command/command.h"

#include "command/output.h"

#include <stdio.h>
#include <string.h>

#define LINE 78
#define OPTION_COLUMN 32

/* The text, folded, in a column that begins at indent; left stands beside its first line. */
static void
put_folded(const char *left, size_t indent, const char *text)
{
	const size_t room = LINE - indent;

	if (indent > 0 && strlen(left) >= indent) {
		say("%s", left);
		left = "";
	}
	for (;;) {
		size_t size = strlen(text);

		if (size > room) {
			size = room;
			while (size > 0 && text[size] != ' ')
				size--;
		}
		say("%-*s%.*s", (int)indent, left, (int)size, text);
		text += size;
		if (*text == '\0')
			return;
		text++;
		left = "";
	}
}

static void
put_options(const struct command *command)
{
	char left[64];

	for (int i = 0; i < OPTION_COUNT; i++) {
		const struct option_row *row = option_row((enum option_id)i);

		if (command == NULL ? !row->everywhere : !command_takes(command, (enum option_id)i))
			continue;
		snprintf(left, sizeof left, "  -%c, --%s%s%s", row->letter, row->name,
		         row->argument != NULL ? " " : "", row->argument != NULL ? row->argument : "");
		put_folded(left, OPTION_COLUMN, row->help);
	}
}

void
help_all(void)
{
	const struct command *command;

	say("usage: p11-kms [OPTION...] COMMAND [ARGUMENT...]");
	say("%s", "");
	say("Keys whose private halves live in a key management system (KMS): makes them,");
	say("rotates them, and keeps the registry of their public halves.");
	say("%s", "");
	say("commands:");
	for (size_t i = 0; (command = command_at(i)) != NULL; i++)
		say("  %-12s%s", command->name, command->summary);
	say("%s", "");
	say("options, before or after the command:");
	put_options(NULL);
	say("%s", "");
	say("`p11-kms help COMMAND` explains a command; p11-kms(1) has all.");
}

/* "usage: p11-kms create NAME [--id HEX] …", folded. */
static void
put_usage(const struct command *command)
{
	char line[256], piece[64];
	int length;

	length = snprintf(line, sizeof line, "usage: p11-kms %s%s%s", command->name,
	                  command->operands[0] != '\0' ? " " : "", command->operands);
	for (size_t i = 0; command->options[i] != OPTION_COUNT; i++) {
		const struct option_row *row = option_row(command->options[i]);
		int size = snprintf(piece, sizeof piece, " [--%s%s%s]", row->name,
		                    row->argument != NULL ? " " : "",
		                    row->argument != NULL ? row->argument : "");

		if (length + size > LINE) {
			say("%s", line);
			length = snprintf(line, sizeof line, "              ");
		}
		length += snprintf(line + length, sizeof line - (size_t)length, "%s", piece);
	}
	say("%s", line);
}

void
help_command(const struct command *command)
{
	put_usage(command);
	say("%s", "");
	put_folded("", 0, command->details);
	say("%s", "");
	put_options(command);
}

int
command_help(const struct arguments *arguments)
{
	const struct command *command;

	if (arguments->operand_count == 0) {
		help_all();
		return EXIT_DONE;
	}
	command = command_find(arguments->operands[0]);
	if (command == NULL) {
		complain("%s: there is no such command; `p11-kms help` lists those there are",
		         arguments->operands[0]);
		return EXIT_USAGE;
	}
	help_command(command);
	return EXIT_DONE;
}
