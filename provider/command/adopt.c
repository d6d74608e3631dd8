/* SPDX-License-Identifier: Apache-2.0 */
#include "command/describe-policy.h"
#include "command/describe-version.h"
#include "command/intake.h"

#include <stdlib.h>
#include <string.h>

/* Which pairs, and as what. */
struct wish {
	const char *name, *label; /* NULL: not given */
	struct buffer id;         /* empty: not given */
	bool all;
	struct adoption adoption; /* what all have in common */
};

static int
read_which(const struct arguments *arguments, struct wish *wish)
{
	const char *hex = arguments->options[OPTION_ID];

	wish->name = arguments->operand_count > 0 ? arguments->operands[0] : NULL;
	wish->label = arguments->options[OPTION_LABEL];
	wish->all = arguments->options[OPTION_ALL] != NULL;
	if ((hex != NULL) + (wish->label != NULL) + wish->all != 1) {
		complain("adopt needs one of --id, --label and --all; see `p11-kms adopt --help`");
		return EXIT_USAGE;
	}
	if (wish->all && wish->name != NULL) {
		complain("%s: with --all, each key has the name of its label; give no NAME", wish->name);
		return EXIT_USAGE;
	}
	if (hex != NULL && (!hex_parse(hex, &wish->id) || wish->id.size == 0 ||
	                    wish->id.size > RECORD_ID_MAX)) {
		complain("%s: an id is 1 to %d bytes, two hexadecimal digits each", hex, RECORD_ID_MAX);
		return EXIT_USAGE;
	}
	if (wish->name != NULL && !record_name_valid(wish->name, strlen(wish->name))) {
		complain("%s: a name is 1 to %d bytes of UTF-8 without control characters, and does not "
		         "end in @ and a number", wish->name, RECORD_NAME_MAX);
		return EXIT_USAGE;
	}
	return EXIT_DONE;
}

static int
read_how(const struct arguments *arguments, struct adoption *adoption)
{
	const char *usage = arguments->options[OPTION_USAGE];

	adoption->number = 1;
	adoption->new_key_only = true;
	if (usage != NULL && !usage_parse(usage, &adoption->usage)) {
		complain("%s: usages are decrypt, sign, unwrap and derive, with commas between", usage);
		return EXIT_USAGE;
	}
	return rotate_every_read(arguments, &adoption->rotate_every);
}

static bool
is_wished(const struct wish *wish, const struct inventory_pair *pair)
{
	if (wish->all)
		return pair->name == NULL; /* what create has labelled is for rebuild */
	if (wish->label != NULL)
		return strcmp(wish->label, pair->label) == 0;
	return buffer_equal(&wish->id, pair->id.data, pair->id.size);
}

/* What one wish names must be one pair. */
static int
check_count(const struct workspace *workspace, const struct wish *wish,
            const struct inventory *inventory)
{
	size_t count = 0;

	for (size_t i = 0; i < inventory->count; i++)
		count += is_wished(wish, &inventory->pairs[i]);
	if (wish->all || count == 1)
		return EXIT_DONE;
	if (count == 0)
		complain("the KMS of token %s holds no private key with that %s", workspace->token->name,
		         wish->label != NULL ? "label" : "id");
	else
		complain("the KMS of token %s holds %zu private keys with that %s; say which with --id",
		         workspace->token->name, count, wish->label != NULL ? "label" : "id");
	return count == 0 ? EXIT_NO_KEY : EXIT_FAILED;
}

/* By the name that was given, else the label, else the id. */
static int
adopt(struct intake *intake, const struct wish *wish, const struct inventory_pair *pair)
{
	struct adoption adoption = wish->adoption;
	char *hex = hex_dup(pair->id.data, pair->id.size);
	int code;

	if (hex == NULL) {
		complain("out of memory");
		return EXIT_FAILED;
	}
	adoption.id = &pair->id;
	adoption.hidden = pair->hidden;
	adoption.name = wish->name;
	if (adoption.name == NULL)
		adoption.name = record_name_valid(pair->label, strlen(pair->label)) ? pair->label : hex;
	code = intake_pair(intake, &adoption);
	free(hex);
	return code;
}

static int
run(struct workspace *workspace, const struct arguments *arguments, const struct wish *wish)
{
	struct inventory inventory = { NULL, 0 };
	struct intake intake;
	int code;

	code = intake_begin(&intake, workspace, arguments);
	if (code != EXIT_DONE)
		return code;
	code = intake_read(&intake, &inventory);
	if (code == EXIT_DONE)
		code = check_count(workspace, wish, &inventory);
	for (size_t i = 0; code == EXIT_DONE && i < inventory.count; i++)
		if (is_wished(wish, &inventory.pairs[i]))
			code = adopt(&intake, wish, &inventory.pairs[i]);
	if (code == EXIT_DONE && !wish->all && intake.known != 0) {
		complain("that key is in the registry already; `p11-kms list --all` has it");
		code = EXIT_FAILED;
	}
	inventory_clear(&inventory);
	return intake_end(&intake, code);
}

int
command_adopt(const struct arguments *arguments)
{
	struct workspace workspace = { .token = NULL };
	struct wish wish = { .id = BUFFER_INIT };
	int code;

	code = read_which(arguments, &wish);
	if (code == EXIT_DONE)
		code = read_how(arguments, &wish.adoption);
	if (code == EXIT_DONE)
		code = workspace_change(arguments, &workspace);
	if (code == EXIT_DONE)
		code = run(&workspace, arguments, &wish);
	workspace_close(&workspace);
	buffer_clear(&wish.id);
	return code;
}
