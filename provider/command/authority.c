/* SPDX-License-Identifier: Apache-2.0 */
/* The key that signs the registry: shown, replaced by another, pinned, and its forerunners removed. */
#include "command/confirm.h"
#include "command/output.h"
#include "command/workspace.h"

#include <stdlib.h>
#include <string.h>

/* The registry's authorities as this host follows them; the log is whole and signed so far. */
static int
read_succession(const struct workspace *workspace, struct succession **ret_succession)
{
	struct registry_head head;
	CK_RV rv;

	rv = registry_head(workspace->registry, &head);
	if (rv == CKR_OK)
		rv = registry_succession(workspace->registry, ret_succession);
	return rv == CKR_OK ? EXIT_DONE : registry_failed(workspace, "look the authority up", rv);
}

/* Of the log's first authority only the token's record tells its CKA_ID. */
static int
term_id(const struct workspace *workspace, const struct succession *succession, size_t place,
        struct buffer *ret_id)
{
	const struct term *term = &succession->terms[place];
	struct token_record *token = NULL;
	CK_RV rv = CKR_OK;

	if (term->id.size != 0)
		rv = buffer_set(ret_id, term->id.data, term->id.size);
	else if (succession->count == 1)
		rv = registry_token(workspace->registry, &token);
	if (token != NULL)
		rv = buffer_set(ret_id, token->authority_id.data, token->authority_id.size);
	token_record_free(&token);
	return rv == CKR_OK ? EXIT_DONE : registry_failed(workspace, "look the authority up", rv);
}

static json_t *
term_json(const struct term *term, const struct buffer *id)
{
	char since[CLOCK_RFC3339_SIZE];

	clock_format(term->created, since);
	return json_pack("{s:s, s:o, s:o, s:o}", "fingerprint",
	                 authority_fingerprint(term->authority), "id",
	                 id->size == 0 ? json_null() : json_hex(id->data, id->size), "entry",
	                 term->since == 0 ? json_null() : json_integer(term->since), "since",
	                 term->since == 0 ? json_null() : json_string(since));
}

static int
show_json(const struct workspace *workspace, const struct succession *succession)
{
	struct buffer id = BUFFER_INIT;
	json_t *terms = json_array(), *json;
	int code = EXIT_DONE;

	for (size_t i = 0; code == EXIT_DONE && i < succession->count; i++) {
		code = term_id(workspace, succession, i, &id);
		if (code == EXIT_DONE &&
		    json_array_append_new(terms, term_json(&succession->terms[i], &id)) != 0)
			code = EXIT_FAILED;
		buffer_clear(&id);
	}
	json = json_pack("{s:o, s:o, s:I, s:o}", "token", json_text(workspace->token->name), "file",
	                 json_text(workspace->token->authority), "handovers",
	                 (json_int_t)(succession->count - 1), "authorities", terms);
	if (code != EXIT_DONE) {
		json_decref(json);
		return code;
	}
	return say_json(json) ? EXIT_DONE : EXIT_FAILED;
}

static int
say_term(const struct workspace *workspace, const struct succession *succession, size_t place,
         const char *what)
{
	const struct term *term = &succession->terms[place];
	struct buffer id = BUFFER_INIT;
	char since[CLOCK_RFC3339_SIZE];
	int code = term_id(workspace, succession, place, &id);
	char *hex = NULL;

	if (code != EXIT_DONE)
		return code;
	say("%-10s%s", what, authority_fingerprint(term->authority));
	clock_format(term->created, since);
	if (term->since == 0)
		say("  since    the registry's first entry");
	else
		say("  since    %s, entry %lld", since, (long long)term->since);
	if (id.size != 0 && (hex = hex_dup(id.data, id.size)) != NULL)
		say("  id       %s", hex);
	free(hex);
	buffer_clear(&id);
	return EXIT_DONE;
}

static int
show(const struct arguments *arguments)
{
	struct workspace workspace = { .token = NULL };
	struct succession *succession = NULL;
	int code;

	code = workspace_read(arguments, &workspace);
	if (code == EXIT_DONE)
		code = read_succession(&workspace, &succession);
	if (code != EXIT_DONE)
		goto out;
	if (arguments->options[OPTION_JSON] != NULL) {
		code = show_json(&workspace, succession);
		goto out;
	}
	code = say_term(&workspace, succession, 0, "pinned");
	if (code == EXIT_DONE)
		say("  file     %s", workspace.token->authority);
	if (code == EXIT_DONE)
		code = say_term(&workspace, succession, succession->count - 1, "current");
	if (code == EXIT_DONE && succession->count > 1)
		say("The pinned one handed over%s. `p11-kms authority pin` pins the current one.",
		    succession->count > 2 ? ", in several steps" : "");
out:
	succession_release(&succession);
	workspace_close(&workspace);
	return code;
}

/* What is left to do, on this host and others: people are told, programs know. */
static void
tell_next(const struct arguments *arguments)
{
	if (arguments->options[OPTION_JSON] != NULL)
		return;
	say("Next: `p11-kms authority pin` on each host of the token, this one too; when all have,");
	say("`p11-kms authority purge` removes the former one from the KMS.");
}

static int
tell_current(const struct arguments *arguments, const struct workspace *workspace,
             const char *what)
{
	struct succession *succession = NULL;
	int code = read_succession(workspace, &succession);

	if (code != EXIT_DONE)
		return code;
	if (arguments->options[OPTION_JSON] != NULL)
		code = show_json(workspace, succession);
	else
		say("%s %s", what, authority_fingerprint(succession_current(succession)->authority));
	succession_release(&succession);
	return code;
}

static int
rotate(const struct arguments *arguments)
{
	struct workspace workspace = { .token = NULL };
	int code;
	CK_RV rv;

	code = workspace_change(arguments, &workspace);
	if (code != EXIT_DONE)
		goto out;
	rv = lifecycle_rotate_authority(workspace.lifecycle, deadline_patient(workspace.token));
	if (rv == CKR_ACTION_PROHIBITED) {
		complain("another host replaced the authority of token %s at the same time; look at it with "
		         "p11-kms authority show", workspace.token->name);
		code = EXIT_FAILED;
	} else if (rv != CKR_OK) {
		code = change_failed(&workspace, "replace the authority", rv);
	} else {
		code = tell_current(arguments, &workspace, "the registry is now signed by");
		if (code == EXIT_DONE)
			tell_next(arguments);
	}
out:
	workspace_close(&workspace);
	return code;
}

static int
pin(const struct arguments *arguments)
{
	struct workspace workspace = { .token = NULL };
	struct succession *succession = NULL;
	const char *expected = arguments->operand_count > 1 ? arguments->operands[1] : NULL;
	const struct authority *current;
	char *why = NULL;
	int code;

	code = workspace_read(arguments, &workspace);
	if (code == EXIT_DONE)
		code = read_succession(&workspace, &succession);
	if (code != EXIT_DONE)
		goto out;
	current = succession_current(succession)->authority;
	if (expected != NULL && strcmp(expected, authority_fingerprint(current)) != 0) {
		complain("the one that signs now is %s, not %s: nothing was changed; compare with `p11-kms "
		         "authority show` on the host that rotated it", authority_fingerprint(current),
		         expected);
		code = EXIT_REGISTRY;
		goto out;
	}
	if (succession->count > 1 &&
	    !authority_replace(current, workspace.token->authority, &why)) {
		complain("%s", why != NULL ? why : "out of memory");
		code = EXIT_CONFIGURATION;
		goto out;
	}
	code = tell_current(arguments, &workspace,
	                    succession->count > 1 ? "pinned" : "nothing to do: pinned already is");
out:
	free(why);
	succession_release(&succession);
	workspace_close(&workspace);
	return code;
}

struct purge {
	bool dry_run;
	size_t count;
	json_t *ids; /* owned; NULL: lines */
};

static void
purged(void *context, const struct buffer *id)
{
	struct purge *purge = context;
	char *hex = hex_dup(id->data, id->size);

	purge->count++;
	if (purge->ids != NULL)
		(void)json_array_append_new(purge->ids, json_string(hex != NULL ? hex : "?"));
	else if (purge->dry_run)
		remark("a former authority, id %s", hex != NULL ? hex : "?");
	else
		say("removed a former authority, id %s", hex != NULL ? hex : "?");
	free(hex);
}

/*
 * Without the pair of the one that is pinned here a registry that is lost can't be rebuilt: it
 * begins with that one, and hands over from it.
 */
static int
refuse_if_pinned(const struct workspace *workspace)
{
	struct succession *succession = NULL;
	int code = read_succession(workspace, &succession);

	if (code != EXIT_DONE)
		return code;
	if (succession->count > 1) {
		complain("%s still pins a former authority, and `p11-kms rebuild` needs its pair: run "
		         "`p11-kms authority pin` first, here and on the other hosts",
		         workspace->token->authority);
		code = EXIT_FAILED;
	}
	succession_release(&succession);
	return code;
}

static int
remove_former(const struct arguments *arguments, struct workspace *workspace)
{
	struct purge purge = { .dry_run = true };
	int code = EXIT_DONE;
	CK_RV rv;

	rv = lifecycle_purge_authorities(workspace->lifecycle, true, purged, &purge);
	if (rv != CKR_OK)
		return change_failed(workspace, "look for former authorities", rv);
	if (purge.count != 0)
		code = refuse_if_pinned(workspace);
	if (purge.count != 0 && code == EXIT_DONE)
		code = confirm(arguments, "remove the former authorities of", workspace->token->name,
		               "remove those pairs from the KMS for good?");
	if (code != EXIT_DONE)
		return code;
	purge = (struct purge){ .dry_run = false };
	if (arguments->options[OPTION_JSON] != NULL)
		purge.ids = json_array();
	rv = lifecycle_purge_authorities(workspace->lifecycle, false, purged, &purge);
	if (rv != CKR_OK) {
		json_decref(purge.ids);
		return change_failed(workspace, "remove a former authority", rv);
	}
	if (purge.ids == NULL) {
		say("token %s: %zu removed", workspace->token->name, purge.count);
		return EXIT_DONE;
	}
	return say_json(json_pack("{s:o, s:o}", "token", json_text(workspace->token->name), "removed",
	                          purge.ids)) ? EXIT_DONE : EXIT_FAILED;
}

static int
purge(const struct arguments *arguments)
{
	struct workspace workspace = { .token = NULL };
	int code;

	code = workspace_change(arguments, &workspace);
	if (code == EXIT_DONE)
		code = remove_former(arguments, &workspace);
	workspace_close(&workspace);
	return code;
}

int
command_authority(const struct arguments *arguments)
{
	static const struct {
		const char *name;
		int (*run)(const struct arguments *arguments);
	} actions[] = { { "pin", pin }, { "purge", purge }, { "rotate", rotate }, { "show", show } };
	const char *action = arguments->operands[0];

	if (arguments->operand_count > 1 && strcmp(action, "pin") != 0) {
		complain("%s: a fingerprint goes with pin only", arguments->operands[1]);
		return EXIT_USAGE;
	}
	for (size_t i = 0; i < sizeof actions / sizeof *actions; i++) {
		if (strcmp(actions[i].name, action) == 0)
			return actions[i].run(arguments);
	}
	complain("%s: say show, rotate, pin or purge", action);
	return EXIT_USAGE;
}
