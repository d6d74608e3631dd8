/* SPDX-License-Identifier: Apache-2.0 */
#include "command/describe-version.h"
#include "command/module.h"
#include "command/reference.h"

#include <stdlib.h>

#define OAEP_OVERHEAD 66 /* RFC 8017 section 7.1.1: two SHA-256 hashes and two bytes */
#define CIPHERTEXT_MAX 2048
#define FILE_MODE 0644

/* On stderr: stdout is the ciphertext's. */
static int
tell(const struct arguments *arguments, const struct workspace *workspace,
     const struct version *version)
{
	char *id = hex_dup(version->id.data, version->id.size);
	int code = EXIT_DONE;
	json_t *json;

	if (id == NULL)
		return EXIT_FAILED;
	if (arguments->options[OPTION_JSON] != NULL) {
		json = json_pack("{s:o, s:I, s:s, s:o, s:s}", "name", json_text(version->name), "version",
		                 (json_int_t)version->number, "id", id, "token",
		                 json_text(workspace->token->name), "mechanism",
		                 "RSA-OAEP, SHA-256, MGF1 with SHA-256");
		code = remark_json(json) ? EXIT_DONE : EXIT_FAILED;
	} else {
		remark("encrypted under %s@%lld, id %s", version->name, (long long)version->number, id);
	}
	free(id);
	return code;
}

static int
failed(const struct workspace *workspace, const struct version *version, CK_RV rv)
{
	const char *name = version->name;
	long long number = (long long)version->number;

	switch (rv) {
	case CKR_OBJECT_HANDLE_INVALID:
		return version_gone(version);
	case CKR_KEY_FUNCTION_NOT_PERMITTED:
		complain("%s@%lld does not encrypt: it is %s, or its usage is another; `p11-kms show` "
		         "tells", name, number, version_state_name(version->state));
		return EXIT_FAILED;
	case CKR_DEVICE_ERROR:
		complain("%s@%lld does not encrypt now: the registry is damaged, or was not refreshed in "
		         "time; see `p11-kms status`", name, number);
		return EXIT_REGISTRY;
	default:
		return registry_failed(workspace, "encrypt", rv);
	}
}

static int
encrypt(const struct arguments *arguments, const struct workspace *workspace,
        const struct module *module, const struct version *version)
{
	unsigned char ciphertext[CIPHERTEXT_MAX];
	size_t size = sizeof ciphertext;
	struct secret *input = NULL;
	CK_OBJECT_HANDLE key;
	int code = EXIT_FAILED;
	CK_RV rv;

	if (!input_read(arguments->options[OPTION_IN], version->algorithm->bits / 8 - OAEP_OVERHEAD,
	                "what this key encrypts", &input))
		return EXIT_FAILED;
	rv = module_find(module, CKO_PUBLIC_KEY, &version->id, &key);
	if (rv == CKR_OK)
		rv = module_encrypt(module, key, secret_bytes(input), secret_size(input), ciphertext,
		                    &size);
	secret_free(&input);
	if (rv != CKR_OK)
		return failed(workspace, version, rv);
	if (write_bytes(arguments->options[OPTION_OUT], ciphertext, size, FILE_MODE))
		code = tell(arguments, workspace, version);
	return code;
}

int
command_encrypt(const struct arguments *arguments)
{
	struct workspace workspace = { .token = NULL };
	struct module module = { .functions = NULL };
	struct version *version = NULL;
	int code;

	code = workspace_read(arguments, &workspace);
	if (code == EXIT_DONE)
		code = reference_find(&workspace, arguments, REFERENCE_CURRENT, &version);
	if (code == EXIT_DONE && version->algorithm->key_type != CKK_RSA) {
		complain("%s is %s, which can't encrypt: RSA keys can", version->name,
		         version->algorithm->name);
		code = EXIT_FAILED;
	}
	if (code == EXIT_DONE)
		code = module_open(&workspace, &module);
	if (code == EXIT_DONE)
		code = encrypt(arguments, &workspace, &module, version);
	module_close(&module);
	version_free(&version);
	workspace_close(&workspace);
	return code;
}
