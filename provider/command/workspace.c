/* SPDX-License-Identifier: Apache-2.0 */
#include "command/workspace.h"

#include "base/log.h"
#include "base/text.h"
#include "command/output.h"
#include "command/pin.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int
refuse(int code, char *why)
{
	complain("%s", why != NULL ? why : "out of memory");
	free(why);
	return code;
}

/* "a, b": those of the configuration. Caller frees; NULL: out of memory. */
static char *
token_names(const struct config *config)
{
	char *names = strdup("");

	for (size_t i = 0; names != NULL && i < config->token_count; i++) {
		char *longer = text_format("%s%s%s", names, i == 0 ? "" : ", ", config->tokens[i].name);

		free(names);
		names = longer;
	}
	return names;
}

static int
choose_token(const struct arguments *arguments, struct workspace *workspace, char **ret_why)
{
	const char *name = arguments->options[OPTION_TOKEN];
	char *names;

	workspace->token = config_token_find(workspace->config, name);
	if (workspace->token != NULL)
		return EXIT_DONE;
	names = token_names(workspace->config);
	if (workspace->config->token_count == 0 || names == NULL)
		*ret_why = text_format("%s: there is no [token NAME] section", workspace->config->path);
	else if (name == NULL)
		*ret_why = text_format("%s has several tokens (%s): say which with --token NAME",
		                       workspace->config->path, names);
	else
		*ret_why = text_format("%s: there is no such token in %s; it has %s", name,
		                       workspace->config->path, names);
	free(names);
	return name == NULL && workspace->config->token_count > 1 ? EXIT_USAGE : EXIT_CONFIGURATION;
}

static char *
no_configuration(void)
{
	char *paths = config_paths();
	char *why = text_format("there is no configuration: %s, and P11_KMS_CONFIG names none. Write one "
	                        "(p11-kms.conf(5)), or name one with --config FILE",
	                        paths != NULL ? paths : "out of memory");

	free(paths);
	return why;
}

/* The configuration's is used, by all that logs in; a second one would be forgotten in silence. */
static void
weigh_pin_source(const struct arguments *arguments, const struct workspace *workspace)
{
	const char *given = arguments->options[OPTION_PIN_SOURCE];
	const char *configured = workspace->token->pin_source;

	if (given != NULL && configured != NULL && strcmp(given, configured) != 0)
		complain("--pin-source is not used: token %s has its own in %s, %s",
		         workspace->token->name, workspace->config->path, configured);
}

int
workspace_configure_why(const struct arguments *arguments, struct workspace *workspace,
                        char **ret_why)
{
	const char *given = arguments->options[OPTION_CONFIG];
	char *path = given != NULL ? strdup(given) : config_path();
	bool done;
	int code;

	*ret_why = NULL;
	if (path == NULL) {
		*ret_why = no_configuration();
		return EXIT_CONFIGURATION;
	}
	done = config_read(path, &workspace->config, ret_why);
	free(path);
	if (!done)
		return EXIT_CONFIGURATION;
	log_configure(workspace->config->log, workspace->config->log_to_syslog);
	code = choose_token(arguments, workspace, ret_why);
	if (code == EXIT_DONE)
		weigh_pin_source(arguments, workspace);
	return code;
}

int
workspace_configure(const struct arguments *arguments, struct workspace *workspace)
{
	char *why = NULL;
	int code = workspace_configure_why(arguments, workspace, &why);

	return code == EXIT_DONE ? EXIT_DONE : refuse(code, why);
}

/* Heads that are broken otherwise are told by whoever needs them. */
static int
check_turned_back(const struct workspace *workspace)
{
	struct registry_head head;

	if (registry_head(workspace->registry, &head) == CKR_OK ||
	    !registry_turned_back(workspace->registry, NULL))
		return EXIT_DONE;
	complain("%s was turned back, and is not used; the log says what to do",
	         workspace->token->registry);
	return EXIT_REGISTRY;
}

char *
registry_missing_why(const struct workspace *workspace)
{
	const char *path = workspace->token->registry;
	struct stat status;
	char reason[128];

	if (lstat(path, &status) == 0 || (errno != ENOENT && errno != ENOTDIR))
		return NULL;
	return text_format("%s: %s; correct \"registry\" in %s, %s", path,
	                   strerror_r(errno, reason, sizeof reason), workspace->config->path,
	                   workspace->token->kms == NULL ? "or copy it from a host that has it" :
	                   "put a backup of it back, or run `p11-kms rebuild` (where no key was made yet, "
	                   "`p11-kms init`)");
}

static int
open_registry(struct workspace *workspace, enum registry_mode mode)
{
	char *why = NULL;
	CK_RV rv;

	if (access(workspace->token->authority, F_OK) != 0 && errno == ENOENT) {
		complain("token %s is not set up here: there is no %s; run `p11-kms init`, copy the "
		         "file from a host that has it, or correct \"authority\" in %s",
		         workspace->token->name, workspace->token->authority,
		         workspace->config->path);
		return EXIT_CONFIGURATION;
	}
	if (!authority_read(workspace->token->authority, &workspace->authority, &why))
		return refuse(EXIT_CONFIGURATION, why);
	why = registry_missing_why(workspace);
	if (why != NULL)
		return refuse(EXIT_CONFIGURATION, why);
	rv = registry_open(workspace->token->registry, workspace->authority, mode,
	                   &workspace->registry, &why);
	if (rv == CKR_OK)
		return check_turned_back(workspace);
	if (why != NULL)
		return refuse(rv == CKR_DEVICE_ERROR ? EXIT_REGISTRY : EXIT_CONFIGURATION, why);
	return registry_failed(workspace, "open the registry", rv);
}

int
workspace_read(const struct arguments *arguments, struct workspace *workspace)
{
	int code = workspace_configure(arguments, workspace);

	return code != EXIT_DONE ? code : open_registry(workspace, REGISTRY_READ);
}

int
workspace_login(const struct arguments *arguments, struct workspace *workspace)
{
	struct secret *pin = NULL;
	int code;
	CK_RV rv;

	if (kms_logs_in_itself(workspace->kms))
		return EXIT_DONE;
	code = pin_read(arguments, workspace->token->name, &pin);
	if (code != EXIT_DONE)
		return code;
	rv = kms_login(workspace->kms, secret_bytes(pin), secret_size(pin),
	               deadline_in(workspace->token->deadline_ms));
	secret_free(&pin);
	return rv == CKR_OK ? EXIT_DONE : kms_failed(workspace, "log in", rv);
}

int
workspace_needs_kms(const struct workspace *workspace)
{
	if (workspace->token->kms != NULL)
		return EXIT_DONE;
	complain("token %s has no \"kms\" in %s: this host can only encrypt and verify; do it on one "
	         "that has the KMS", workspace->token->name, workspace->config->path);
	return EXIT_CONFIGURATION;
}

static int
open_kms(const struct arguments *arguments, struct workspace *workspace)
{
	CK_RV rv;

	if (workspace_needs_kms(workspace) != EXIT_DONE)
		return EXIT_CONFIGURATION;
	rv = kms_new(workspace->token, &workspace->kms);
	if (rv == CKR_ARGUMENTS_BAD)
		complain("the \"kms\" of token %s in %s is not understood", workspace->token->name,
		         workspace->config->path);
	else if (rv != CKR_OK)
		return kms_failed(workspace, "open the KMS", rv);
	return rv == CKR_OK ? workspace_login(arguments, workspace) : EXIT_CONFIGURATION;
}

int
workspace_kms(const struct arguments *arguments, struct workspace *workspace)
{
	int code = workspace_configure(arguments, workspace);

	return code != EXIT_DONE ? code : open_kms(arguments, workspace);
}

static int
open_lifecycle(struct workspace *workspace)
{
	CK_RV rv;

	rv = lifecycle_open(workspace->token, workspace->kms, workspace->registry,
	                    workspace->authority, &workspace->lifecycle);
	if (rv == CKR_OBJECT_HANDLE_INVALID) {
		complain("%s is empty: run `p11-kms init` first", workspace->token->registry);
		return EXIT_REGISTRY;
	}
	return rv == CKR_OK ? EXIT_DONE : change_failed(workspace, "open the token", rv);
}

static int
open_all(const struct arguments *arguments, struct workspace *workspace, enum registry_mode mode)
{
	int code = workspace_configure(arguments, workspace);

	if (code == EXIT_DONE)
		code = workspace_needs_kms(workspace);
	if (code == EXIT_DONE)
		code = open_registry(workspace, mode);
	if (code == EXIT_DONE)
		code = open_kms(arguments, workspace);
	return code != EXIT_DONE ? code : open_lifecycle(workspace);
}

int
workspace_change(const struct arguments *arguments, struct workspace *workspace)
{
	return open_all(arguments, workspace, REGISTRY_WRITE);
}

int
workspace_preview(const struct arguments *arguments, struct workspace *workspace)
{
	return open_all(arguments, workspace, REGISTRY_LOOK);
}

int
workspace_change_too(struct workspace *workspace)
{
	int code = open_registry(workspace, REGISTRY_WRITE);

	return code != EXIT_DONE ? code : open_lifecycle(workspace);
}

void
workspace_close(struct workspace *workspace)
{
	lifecycle_free(&workspace->lifecycle);
	kms_free(&workspace->kms);
	registry_free(&workspace->registry);
	authority_free(&workspace->authority);
	config_free(&workspace->config);
	workspace->token = NULL;
}

char *
kms_unasked_why(const struct workspace *workspace, CK_RV rv)
{
	const char *source = workspace->token->pin_source;
	struct secret *pin = NULL;
	char *why = NULL, *told;

	if (rv == CKR_DEVICE_ERROR)
		return kms_file_why(workspace->token);
	if (rv != CKR_USER_NOT_LOGGED_IN || source == NULL || pin_file_read(source, &pin, &why)) {
		secret_free(&pin);
		return NULL;
	}
	told = text_format("no PIN to log in with: %s", why != NULL ? why : source);
	free(why);
	return told;
}

int
kms_failed(const struct workspace *workspace, const char *what, CK_RV rv)
{
	const char *token = workspace->token->name, *source = workspace->token->pin_source;
	char *why = kms_unasked_why(workspace, rv);

	if (why != NULL) {
		complain("could not %s: %s", what, why);
		free(why);
		return EXIT_CONFIGURATION;
	}
	switch (rv) {
	case CKR_DEVICE_ERROR:
		complain("could not %s: the KMS of token %s can't be reached; see the log lines above, "
		         "and whether the \"kms\" in %s is right and running", what, token,
		         workspace->config->path);
		return EXIT_KMS;
	case CKR_PIN_INCORRECT:
	case CKR_PIN_LEN_RANGE:
		complain("could not %s: that is not the PIN of the KMS of token %s", what, token);
		return EXIT_LOGIN;
	case CKR_PIN_LOCKED:
		complain("could not %s: the KMS of token %s has locked the PIN; its administrator can "
		         "unlock it", what, token);
		return EXIT_LOGIN;
	case CKR_USER_NOT_LOGGED_IN:
		complain("could not %s: the KMS of token %s refused the login; check the PIN%s%s", what,
		         token, source != NULL ? " in " : "", source != NULL ? source : "");
		return EXIT_LOGIN;
	case CKR_MECHANISM_INVALID:
	case CKR_KEY_SIZE_RANGE:
		complain("could not %s: the KMS of token %s can't make keys of that algorithm", what,
		         token);
		return EXIT_FAILED;
	case CKR_PUBLIC_KEY_INVALID:
		complain("could not %s: the KMS of token %s made a bad key", what, token);
		return EXIT_FAILED;
	case CKR_HOST_MEMORY:
		complain("could not %s: out of memory", what);
		return EXIT_FAILED;
	default:
		complain("could not %s: %s", what, ckr_name(rv));
		return EXIT_FAILED;
	}
}

int
registry_failed(const struct workspace *workspace, const char *what, CK_RV rv)
{
	const char *path = workspace->token->registry;

	switch (rv) {
	case CKR_DEVICE_ERROR:
		complain("could not %s: %s is damaged, or not signed by the pinned authority; see "
		         "`p11-kms verify`", what, path);
		return EXIT_REGISTRY;
	case CKR_DEVICE_MEMORY:
		complain("could not %s: the disk of %s is full", what, path);
		return EXIT_FAILED;
	case CKR_TOKEN_WRITE_PROTECTED:
		complain("could not %s: this user may not write to %s", what, path);
		return EXIT_FAILED;
	case CKR_FUNCTION_FAILED:
		complain("could not %s: %s is in use by another program, or can't be read", what, path);
		return EXIT_FAILED;
	case CKR_OBJECT_HANDLE_INVALID:
		complain("could not %s: %s is empty; run `p11-kms init` first", what, path);
		return EXIT_REGISTRY;
	case CKR_HOST_MEMORY:
		complain("could not %s: out of memory", what);
		return EXIT_FAILED;
	default:
		complain("could not %s: %s", what, ckr_name(rv));
		return EXIT_FAILED;
	}
}

/* Both the KMS and the registry fail with CKR_DEVICE_ERROR: they are asked whose it was. */
static int
device_failed(const struct workspace *workspace, const char *what)
{
	struct registry_head head;

	if (kms_ping(workspace->kms, deadline_in(workspace->token->deadline_ms)) != CKR_OK)
		return kms_failed(workspace, what, CKR_DEVICE_ERROR);
	if (workspace->registry == NULL || registry_head(workspace->registry, &head) != CKR_OK)
		return registry_failed(workspace, what, CKR_DEVICE_ERROR);
	complain("could not %s: the KMS of token %s failed, or took longer than it may; it answers now: "
	         "try again, or raise \"deadline\" in %s", what, workspace->token->name,
	         workspace->config->path);
	return EXIT_KMS;
}

int
change_failed(const struct workspace *workspace, const char *what, CK_RV rv)
{
	switch (rv) {
	case CKR_DEVICE_ERROR:
		return device_failed(workspace, what);
	case CKR_DEVICE_MEMORY:
	case CKR_TOKEN_WRITE_PROTECTED:
		return registry_failed(workspace, what, rv);
	case CKR_FUNCTION_FAILED:
		complain("could not %s: see the log lines above, or P11_KMS_LOG=debug for more", what);
		return EXIT_FAILED;
	default:
		return kms_failed(workspace, what, rv);
	}
}
