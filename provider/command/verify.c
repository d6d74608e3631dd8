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
	static const char *const check = "pin-source";
	const char *path = verification->workspace->token->pin_source;
	struct secret *pin = NULL;
	char *why = NULL;

	if (path == NULL) {
		findings_skip(verification->findings, &check, 1, "the configuration names no file of the PIN");
		return;
	}
	findings_begin(verification->findings, check);
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

static void
check_all(struct verification *verification)
{
	const struct workspace *workspace = verification->workspace;
	bool pinned;

	findings_ok(verification->findings, "%s, token %s", workspace->config->path,
	            workspace->token->name);
	check_pin(verification);
	pinned = check_pinned(verification);
	verify_modes(verification);
	if (pinned)
		verify_registry(verification);
	else
		verify_registry_skip(verification, "there is no pinned authority");
	verify_kms(verification);
}

static void
check_nothing(struct verification *verification, const char *why)
{
	static const char *const checks[] = { "pin-source", "pinned", "modes" };
	static const char because[] = "the configuration is not used";

	finding(verification->findings, RESULT_FAIL, "%s", why != NULL ? why : "out of memory");
	findings_skip(verification->findings, checks, sizeof checks / sizeof *checks, because);
	verify_registry_skip(verification, because);
	verify_kms_skip(verification, because);
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
	char *why = NULL;
	int code, found;

	if (arguments->options[OPTION_JSON] != NULL) {
		findings.json = json_array();
		if (findings.json == NULL) {
			code = EXIT_FAILED;
			goto out;
		}
	}
	code = workspace_configure_why(arguments, &workspace, &why);
	if (code == EXIT_USAGE) {
		complain("%s", why != NULL ? why : "out of memory");
		goto out;
	}
	findings_begin(&findings, "configuration");
	if (code == EXIT_DONE)
		check_all(&verification);
	else
		check_nothing(&verification, why);
	findings_end(&findings);
	found = finish(&findings);
	if (code == EXIT_DONE)
		code = found;
out:
	free(why);
	json_decref(findings.json);
	workspace_close(&workspace);
	return code;
}
