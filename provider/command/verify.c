/* SPDX-License-Identifier: Apache-2.0 */
#include "command/verify.h"

#include "command/output.h"
#include "command/pin.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

static void
check_pin(struct verification *verification)
{
	const char *path = verification->workspace->token->pin_source;
	struct secret *pin = NULL;
	char *why = NULL;

	if (path == NULL)
		return;
	findings_begin(verification->findings, "pin-source");
	if (!pin_file_read(path, &pin, &why))
		finding(verification->findings, RESULT_FAIL, "%s", why != NULL ? why : path);
	findings_ok(verification->findings, "%s, not readable by others", path);
	free(why);
	secret_free(&pin);
}

static bool
check_pinned(struct verification *verification)
{
	struct workspace *workspace = verification->workspace;
	char *why = NULL;

	findings_begin(verification->findings, "pinned");
	if (access(workspace->token->authority, F_OK) != 0 && errno == ENOENT) {
		finding(verification->findings, RESULT_FAIL,
		        "%s is not there; run `p11-kms init`, copy the file from a host that has it, or correct "
		        "\"authority\" in %s", workspace->token->authority, workspace->config->path);
		return false;
	}
	if (authority_read(workspace->token->authority, &workspace->authority, &why)) {
		findings_ok(verification->findings, "%s, %s", workspace->token->authority,
		            authority_fingerprint(workspace->authority));
		return true;
	}
	finding(verification->findings, RESULT_FAIL, "%s", why != NULL ? why : "out of memory");
	free(why);
	return false;
}

static int
finish(struct findings *findings)
{
	json_t *json = findings->json;

	findings->json = NULL;
	if (json == NULL && findings->failed != 0)
		say("%zu failed, %zu %s", findings->failed, findings->warned,
		    plural((int64_t)findings->warned, "warning", "warnings"));
	if (json != NULL && (!say_json(json) || findings->memory_short))
		return EXIT_FAILED;
	return findings->failed != 0 ? EXIT_FINDINGS : EXIT_DONE;
}

int
command_verify(const struct arguments *arguments)
{
	struct workspace workspace = { .token = NULL };
	struct findings findings = { .check = "" };
	struct verification verification = {
		.arguments = arguments, .workspace = &workspace, .findings = &findings,
		.now = clock_now(),
	};
	int code;

	code = workspace_configure(arguments, &workspace);
	if (code != EXIT_DONE)
		goto out;
	if (arguments->options[OPTION_JSON] != NULL) {
		findings.json = json_array();
		if (findings.json == NULL) {
			code = EXIT_FAILED;
			goto out;
		}
	}
	findings_begin(&findings, "configuration");
	findings_ok(&findings, "%s, token %s", workspace.config->path, workspace.token->name);
	check_pin(&verification);
	if (check_pinned(&verification))
		verify_registry(&verification);
	verify_kms(&verification);
	findings_end(&findings);
	code = finish(&findings);
out:
	json_decref(findings.json);
	workspace_close(&workspace);
	return code;
}
