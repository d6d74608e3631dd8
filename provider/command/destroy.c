/* SPDX-License-Identifier: Apache-2.0 */
#include "command/confirm.h"
#include "command/describe-version.h"
#include "command/reference.h"
#include "lifecycle/commit.h"
#include "lifecycle/state.h"

#include <stdlib.h>
#include <string.h>

/* One command that moves a version from state to state. */
struct moving {
	enum move move;
	const char *what;     /* "destroy the version" */
	const char *question; /* NULL: nothing is asked */
	CK_RV (*change)(struct lifecycle *lifecycle, int64_t object);
};

/* A key without a current version protects nothing: that must not be found out by the next backup. */
static void
tell_currentless(const struct workspace *workspace, const char *name)
{
	struct version *current = NULL;

	if (version_current(workspace->registry, name, &current) == CKR_OK && current == NULL)
		say("%s has no current version now: it encrypts and signs nothing until `p11-kms rotate %s`",
		    name, name);
	version_free(&current);
}

static int
tell(const struct arguments *arguments, const struct workspace *workspace,
     const struct moving *moving, int64_t object, const char *name)
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
	} else if (version->state == STATE_DESTROYED) {
		say("%s is destroyed for good", name);
	} else {
		say("%s is %s%s", name, version_state_name(version->state),
		    moving->move == MOVE_RESTORE ? " again" : "");
		if (moving->move == MOVE_DEACTIVATE || moving->move == MOVE_COMPROMISE)
			tell_currentless(workspace, version->name);
	}
	key_record_free(&key);
	version_free(&version);
	return code;
}

/* What is not allowed is told with what is. */
static int
refused(const struct workspace *workspace, const struct version *version, const char *name,
        const struct moving *moving, CK_RV rv)
{
	const char *state = version_state_name(version->state);
	char moves[MOVES_TEXT_SIZE];

	if (rv != CKR_OBJECT_HANDLE_INVALID && rv != CKR_ACTION_PROHIBITED)
		return change_failed(workspace, moving->what, rv);
	moves_text(version->state, moves);
	if (state_allows(version->state, moving->move) && moving->move == MOVE_RESTORE)
		complain("the grace period of %s is over: it can't be restored", name);
	else if (state_allows(version->state, moving->move))
		complain("%s was changed by somebody else just now; see `p11-kms show`", name);
	else if (*moves != '\0')
		complain("can't %s: %s is %s; what can be done with it: %s", moving->what, name, state,
		         moves);
	else
		complain("can't %s: %s is %s, for good", moving->what, name, state);
	return EXIT_FAILED;
}

static int
change_state(const struct arguments *arguments, const struct moving *moving)
{
	const char *reason = arguments->options[OPTION_REASON];
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
	if (moving->question != NULL && state_allows(version->state, moving->move))
		code = confirm(arguments, moving->what, name, moving->question);
	if (code != EXIT_DONE)
		goto out;
	rv = moving->move == MOVE_COMPROMISE
	     ? lifecycle_compromise(workspace.lifecycle, version->object, reason)
	     : moving->change(workspace.lifecycle, version->object);
	code = rv == CKR_OK ? tell(arguments, &workspace, moving, version->object, name)
	                    : refused(&workspace, version, name, moving, rv);
out:
	free(name);
	version_free(&version);
	workspace_close(&workspace);
	return code;
}

int
command_deactivate(const struct arguments *arguments)
{
	static const struct moving moving = {
		MOVE_DEACTIVATE, "deactivate", NULL, lifecycle_deactivate
	};

	return change_state(arguments, &moving);
}

int
command_compromise(const struct arguments *arguments)
{
	static const struct moving moving = { MOVE_COMPROMISE, "mark as compromised", NULL, NULL };
	const char *reason = arguments->options[OPTION_REASON];

	if (reason == NULL) {
		complain("why? give --reason TEXT: it is kept with the version");
		return EXIT_USAGE;
	}
	if (!record_reason_valid(reason)) {
		complain("a reason is 1 to %d bytes of UTF-8 without control characters",
		         RECORD_REASON_MAX);
		return EXIT_USAGE;
	}
	return change_state(arguments, &moving);
}

int
command_destroy(const struct arguments *arguments)
{
	static const struct moving moving = {
		MOVE_DESTROY, "destroy",
		"what was encrypted to it can then not be decrypted. Destroy it?", lifecycle_destroy
	};

	return change_state(arguments, &moving);
}

int
command_purge(const struct arguments *arguments)
{
	static const struct moving moving = {
		MOVE_PURGE, "purge",
		"it can then not be restored, whatever is left of its grace. Purge it now?",
		lifecycle_purge
	};

	return change_state(arguments, &moving);
}

int
command_restore(const struct arguments *arguments)
{
	static const struct moving moving = { MOVE_RESTORE, "restore", NULL, lifecycle_restore };

	return change_state(arguments, &moving);
}
