/* SPDX-License-Identifier: Apache-2.0 */
#include "command/describe-version.h"
#include "command/reference.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

/* The answer must be given by somebody: a program says --yes. */
static int
confirm(const struct arguments *arguments, const char *name)
{
	char answer[16];

	if (arguments->options[OPTION_YES] != NULL)
		return EXIT_DONE;
	if (!isatty(STDIN_FILENO)) {
		complain("destroying %s must be confirmed: give --yes", name);
		return EXIT_USAGE;
	}
	remark("What was encrypted to %s can then not be decrypted. Destroy it? (yes/no)", name);
	if (fgets(answer, sizeof answer, stdin) != NULL) {
		answer[strcspn(answer, "\n")] = '\0';
		if (strcasecmp(answer, "yes") == 0 || strcasecmp(answer, "y") == 0)
			return EXIT_DONE;
	}
	complain("%s was not destroyed", name);
	return EXIT_FAILED;
}

static int
tell(const struct arguments *arguments, const struct workspace *workspace, int64_t object,
     const char *name)
{
	struct version *version = NULL;
	struct key_record *key = NULL;
	char until[CLOCK_RFC3339_SIZE];
	int code = EXIT_DONE;
	CK_RV rv;

	rv = registry_version(workspace->registry, object, &version);
	if (rv == CKR_OK)
		rv = registry_key(workspace->registry, version->name, &key);
	if (rv != CKR_OK) {
		code = registry_failed(workspace, "show the version", rv);
	} else if (arguments->options[OPTION_JSON] != NULL) {
		code = say_json(version_json(workspace, key, version)) ? EXIT_DONE : EXIT_FAILED;
	} else if (version->state == STATE_DESTROY_PENDING) {
		clock_format(lifecycle_purge_time(key, version), until);
		say("%s will be destroyed; until %s, `p11-kms restore` brings it back", name, until);
	} else {
		say("%s is %s again", name, version_state_name(version->state));
	}
	key_record_free(&key);
	version_free(&version);
	return code;
}

static int
refused(const struct workspace *workspace, const struct version *version, const char *name,
        const char *what, CK_RV rv)
{
	switch (rv) {
	case CKR_OBJECT_HANDLE_INVALID:
		complain("%s is %s already", name, version_state_name(version->state));
		return EXIT_FAILED;
	case CKR_ACTION_PROHIBITED:
		if (version->state == STATE_DESTROY_PENDING)
			complain("the grace period of %s is over: it can't be restored", name);
		else
			complain("%s is %s: there is nothing to restore", name,
			         version_state_name(version->state));
		return EXIT_FAILED;
	default:
		return change_failed(workspace, what, rv);
	}
}

static int
change_state(const struct arguments *arguments, const char *what, bool ask,
             CK_RV (*change)(struct lifecycle *lifecycle, int64_t object))
{
	struct workspace workspace = { .token = NULL };
	struct version *version = NULL;
	char *name = NULL;
	int code;
	CK_RV rv;

	code = workspace_change(arguments, &workspace);
	if (code == EXIT_DONE)
		code = reference_find(&workspace, arguments, REFERENCE_EXACT, &version);
	if (code != EXIT_DONE)
		goto out;
	name = version_full_name(version);
	if (name == NULL) {
		complain("out of memory");
		code = EXIT_FAILED;
		goto out;
	}
	if (ask)
		code = confirm(arguments, name);
	if (code != EXIT_DONE)
		goto out;
	rv = change(workspace.lifecycle, version->object);
	code = rv == CKR_OK ? tell(arguments, &workspace, version->object, name)
	                    : refused(&workspace, version, name, what, rv);
out:
	free(name);
	version_free(&version);
	workspace_close(&workspace);
	return code;
}

int
command_destroy(const struct arguments *arguments)
{
	return change_state(arguments, "destroy the version", true, lifecycle_destroy);
}

int
command_restore(const struct arguments *arguments)
{
	return change_state(arguments, "restore the version", false, lifecycle_restore);
}
