/* SPDX-License-Identifier: Apache-2.0 */
#include "base/text.h"
#include "command/describe-version.h"
#include "command/reference.h"

#include <stdlib.h>

static int
tell(const struct workspace *workspace, const struct version *version, json_t *json)
{
	json_t *entry = NULL;
	char *name, *id;
	CK_RV rv;

	if (json != NULL) {
		rv = version_json_read(workspace, version, &entry);
		if (rv != CKR_OK)
			return registry_failed(workspace, "show the key", rv);
		return json_array_append_new(json, entry) == 0 ? EXIT_DONE : EXIT_FAILED;
	}
	id = hex_dup(version->id.data, version->id.size);
	name = version_full_name(version);
	if (id != NULL && name != NULL)
		say("made %s, %s, id %s", name, version->algorithm->name, id);
	free(name);
	free(id);
	return EXIT_DONE;
}

static int
rotate(const struct workspace *workspace, const char *name, const struct create_request *like,
       json_t *json)
{
	struct create_request request = *like;
	struct version *version = NULL;
	int code;
	CK_RV rv;

	request.name = name;
	rv = lifecycle_create(workspace->lifecycle, &request, deadline_patient(workspace->token),
	                      &version);
	if (rv == CKR_OK) {
		code = tell(workspace, version, json);
	} else if (rv == CKR_OBJECT_HANDLE_INVALID || rv == CKR_ATTRIBUTE_VALUE_INVALID) {
		code = no_such_key(workspace, name);
	} else {
		char *what = text_format("rotate %s", name);

		code = change_failed(workspace, what != NULL ? what : "rotate", rv);
		free(what);
	}
	version_free(&version);
	return code;
}

/* All of them, before the first is rotated: a name that is mistyped must not leave half of it done. */
static int
look_up(const struct workspace *workspace, const struct arguments *arguments)
{
	for (int i = 0; i < arguments->operand_count; i++) {
		struct key_record *key = NULL;
		CK_RV rv = registry_key(workspace->registry, arguments->operands[i], &key);

		key_record_free(&key);
		if (rv == CKR_OBJECT_HANDLE_INVALID)
			return no_such_key(workspace, arguments->operands[i]);
		if (rv != CKR_OK)
			return registry_failed(workspace, "look for the keys", rv);
	}
	return EXIT_DONE;
}

int
command_rotate(const struct arguments *arguments)
{
	const char *algorithm = arguments->options[OPTION_ALGORITHM];
	struct create_request request = { .rotate_every = -1, .rotation_only = true };
	struct workspace workspace = { .token = NULL };
	json_t *json = NULL;
	int code;

	if (algorithm != NULL) {
		request.algorithm = algorithm_by_name(algorithm);
		if (request.algorithm == NULL) {
			complain("%s: there is no such algorithm; see `p11-kms rotate --help`", algorithm);
			return EXIT_USAGE;
		}
	}
	code = activation_read(arguments, &request);
	if (code == EXIT_DONE)
		code = workspace_change(arguments, &workspace);
	if (code == EXIT_DONE)
		code = look_up(&workspace, arguments);
	if (code == EXIT_DONE && arguments->options[OPTION_JSON] != NULL) {
		json = json_array();
		if (json == NULL)
			code = EXIT_FAILED;
	}
	for (int i = 0; code == EXIT_DONE && i < arguments->operand_count; i++)
		code = rotate(&workspace, arguments->operands[i], &request, json);
	/* What was made is told, also when a later one failed. */
	if (json != NULL && !say_json(json) && code == EXIT_DONE)
		code = EXIT_FAILED;
	workspace_close(&workspace);
	return code;
}
