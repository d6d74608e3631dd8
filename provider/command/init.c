/* SPDX-License-Identifier: Apache-2.0 */
#include "command/output.h"
#include "command/workspace.h"

#include <stdlib.h>

static int
failed(const struct workspace *workspace, CK_RV rv, const char *why)
{
	if (why == NULL)
		return change_failed(workspace, "set the token up", rv);
	complain("%s", why);
	switch (rv) {
	case CKR_ARGUMENTS_BAD:
	case CKR_KEY_HANDLE_INVALID:
		return EXIT_CONFIGURATION;
	case CKR_DEVICE_ERROR:
		return EXIT_REGISTRY;
	default:
		return EXIT_FAILED;
	}
}

static int
tell(const struct arguments *arguments, const struct workspace *workspace, bool made)
{
	const struct config_token *token = workspace->token;
	struct authority *authority = NULL;
	const char *fingerprint;
	char *why = NULL;
	int code = EXIT_DONE;

	if (!authority_read(token->authority, &authority, &why)) {
		complain("%s", why != NULL ? why : "out of memory");
		free(why);
		return EXIT_CONFIGURATION;
	}
	fingerprint = authority_fingerprint(authority);
	if (arguments->options[OPTION_JSON] != NULL) {
		json_t *json = json_pack("{s:o, s:b, s:o, s:o, s:s}", "token", json_text(token->name),
		                         "made", made, "registry", json_text(token->registry),
		                         "authority", json_text(token->authority), "fingerprint",
		                         fingerprint);

		code = say_json(json) ? EXIT_DONE : EXIT_FAILED;
	} else {
		say("%s token %s", made ? "set up" : "nothing to do: all is there for", token->name);
		say("  registry   %s", token->registry);
		say("  authority  %s", token->authority);
		say("             %s", fingerprint);
	}
	authority_free(&authority);
	return code;
}

int
command_init(const struct arguments *arguments)
{
	struct workspace workspace = { .token = NULL };
	bool made = false;
	char *why = NULL;
	int code;
	CK_RV rv;

	code = workspace_kms(arguments, &workspace);
	if (code != EXIT_DONE)
		goto out;
	rv = lifecycle_init(workspace.token, workspace.kms, arguments->options[OPTION_ANEW] != NULL,
	                    deadline_patient(workspace.token), &made, &why);
	code = rv == CKR_OK ? tell(arguments, &workspace, made) : failed(&workspace, rv, why);
	free(why);
out:
	workspace_close(&workspace);
	return code;
}
