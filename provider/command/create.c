/* SPDX-License-Identifier: Apache-2.0 */
#include "command/describe-policy.h"
#include "command/describe-version.h"
#include "command/reference.h"
#include "lifecycle/create.h"

#include <stdlib.h>
#include <string.h>

static int
read_policy(const struct arguments *arguments, struct create_request *request)
{
	const char *algorithm = arguments->options[OPTION_ALGORITHM];
	const char *usage = arguments->options[OPTION_USAGE];

	if (algorithm != NULL) {
		request->algorithm = algorithm_by_name(algorithm);
		if (request->algorithm == NULL) {
			complain("%s: there is no such algorithm; see `p11-kms create --help`", algorithm);
			return EXIT_USAGE;
		}
	}
	if (usage != NULL && !usage_parse(usage, &request->usage)) {
		complain("%s: usages are decrypt, sign, unwrap and derive, with commas between", usage);
		return EXIT_USAGE;
	}
	return rotate_every_read(arguments, &request->rotate_every);
}

/* An option of its own outranks the setting. */
static int
read_settings(const struct arguments *arguments, struct create_request *request,
              struct policy_change *policy)
{
	int code = policy_read(arguments, policy);

	if (code == EXIT_DONE)
		code = activation_read(arguments, request);
	if (code != EXIT_DONE)
		return code;
	if (request->algorithm == NULL)
		request->algorithm = policy->algorithm;
	if (request->usage == 0)
		request->usage = policy->usage;
	if (request->rotate_every < 0 && (policy->given & POLICY_ROTATE_EVERY) != 0)
		request->rotate_every = policy->rotate_every;
	policy->given &= ~(unsigned)(POLICY_ALGORITHM | POLICY_USAGE | POLICY_ROTATE_EVERY);
	request->policy = policy;
	return EXIT_DONE;
}

static int
read_request(const struct arguments *arguments, struct create_request *request, struct buffer *id)
{
	const char *hex = arguments->options[OPTION_ID];
	const char *name = arguments->operands[0];

	if (!record_name_valid(name, strlen(name))) {
		complain("%s: a name is 1 to %d bytes of UTF-8 without control characters, and does not "
		         "end in @ and a number", name, RECORD_NAME_MAX);
		return EXIT_USAGE;
	}
	request->name = name;
	request->new_key_only = true;
	if (hex != NULL) {
		if (!hex_parse(hex, id) || id->size == 0 || id->size > RECORD_ID_MAX) {
			complain("%s: an id is 1 to %d bytes, two hexadecimal digits each", hex,
			         RECORD_ID_MAX);
			return EXIT_USAGE;
		}
		request->id = id->data;
		request->id_size = id->size;
	}
	return read_policy(arguments, request);
}

static int
tell(const struct arguments *arguments, const struct workspace *workspace,
     const struct version *version)
{
	json_t *json = NULL;
	char *id, *name;
	CK_RV rv;

	if (arguments->options[OPTION_JSON] != NULL) {
		rv = version_json_read(workspace, version, &json);
		if (rv != CKR_OK)
			return registry_failed(workspace, "show the key", rv);
		return say_json(json) ? EXIT_DONE : EXIT_FAILED;
	}
	id = hex_dup(version->id.data, version->id.size);
	name = version_full_name(version);
	if (id != NULL && name != NULL)
		say("made %s, %s, id %s", name, version->algorithm->name, id);
	free(name);
	free(id);
	return EXIT_DONE;
}

/* What CKR_ATTRIBUTE_VALUE_INVALID was about, now that the request's form is known to be good. */
static int
refused(const struct workspace *workspace, const struct create_request *request)
{
	const struct algorithm *algorithm = request->algorithm;
	struct key_record *key = NULL;
	char usage[40];
	CK_RV rv;

	if (algorithm == NULL)
		algorithm = algorithm_by_name(workspace->token->algorithm);
	usage_text(usage_possible(algorithm), usage);
	rv = registry_key(workspace->registry, request->name, &key);
	key_record_free(&key);
	if (rv == CKR_OK)
		complain("%s: there is such a key already; `p11-kms rotate` makes its next version",
		         request->name);
	else if ((request->usage & ~usage_possible(algorithm)) != 0)
		complain("could not create %s: %s keys can %s only; see --usage", request->name,
		         algorithm->name, usage);
	else
		complain("could not create %s: the id is in use in the KMS or the registry; leave --id "
		         "out, or choose another", request->name);
	return EXIT_FAILED;
}

int
command_create(const struct arguments *arguments)
{
	struct create_request request = { .name = NULL };
	struct policy_change policy = { .given = 0 };
	struct workspace workspace = { .token = NULL };
	struct version *version = NULL;
	struct buffer id = BUFFER_INIT;
	int code;
	CK_RV rv;

	code = read_request(arguments, &request, &id);
	if (code == EXIT_DONE)
		code = read_settings(arguments, &request, &policy);
	if (code == EXIT_DONE)
		code = workspace_change(arguments, &workspace);
	if (code != EXIT_DONE)
		goto out;
	rv = lifecycle_create(workspace.lifecycle, &request, deadline_patient(workspace.token),
	                      &version);
	if (rv == CKR_OK)
		code = tell(arguments, &workspace, version);
	else if (rv == CKR_ATTRIBUTE_VALUE_INVALID)
		code = refused(&workspace, &request);
	else
		code = change_failed(&workspace, "create the key", rv);
out:
	version_free(&version);
	workspace_close(&workspace);
	policy_change_clear(&policy);
	buffer_clear(&id);
	return code;
}
