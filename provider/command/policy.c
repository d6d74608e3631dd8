/* SPDX-License-Identifier: Apache-2.0 */
#include "command/describe-policy.h"
#include "command/reference.h"

static int
tell(const struct arguments *arguments, const struct workspace *workspace, const char *name)
{
	struct key_record *key = NULL;
	int code = EXIT_DONE;
	CK_RV rv;

	rv = registry_key(workspace->registry, name, &key);
	if (rv == CKR_OBJECT_HANDLE_INVALID)
		code = no_such_key(workspace, name);
	else if (rv != CKR_OK)
		code = registry_failed(workspace, "show the policy", rv);
	else if (arguments->options[OPTION_JSON] == NULL)
		policy_say(key);
	else if (!say_json(policy_json(workspace, key)))
		code = EXIT_FAILED;
	key_record_free(&key);
	return code;
}

int
command_policy(const struct arguments *arguments)
{
	const char *name = arguments->operands[0];
	struct workspace workspace = { .token = NULL };
	struct policy_change policy = { .given = 0 };
	int code;
	CK_RV rv;

	code = policy_read(arguments, &policy);
	if (code != EXIT_DONE)
		goto out;
	code = policy.given != 0 ? workspace_change(arguments, &workspace)
	                         : workspace_read(arguments, &workspace);
	if (code != EXIT_DONE)
		goto out;
	rv = policy.given != 0 ? lifecycle_set_policy(workspace.lifecycle, name, &policy) : CKR_OK;
	if (rv == CKR_OBJECT_HANDLE_INVALID) {
		code = no_such_key(&workspace, name);
	} else if (rv == CKR_ATTRIBUTE_VALUE_INVALID) {
		complain("%s: its algorithm can't be used for that; RSA decrypts, signs and unwraps, the "
		         "others sign, and those of the P curves derive", name);
		code = EXIT_FAILED;
	} else if (rv != CKR_OK) {
		code = change_failed(&workspace, "change the policy", rv);
	} else {
		code = tell(arguments, &workspace, name);
	}
out:
	policy_change_clear(&policy);
	workspace_close(&workspace);
	return code;
}
