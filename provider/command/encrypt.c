/* SPDX-License-Identifier: Apache-2.0 */
#include "base/text.h"
#include "command/describe-version.h"
#include "command/module.h"
#include "command/reference.h"
#include "mechanism/mechanism.h"
#include "mechanism/public-key.h"

#include <stdlib.h>
#include <string.h>

#define OAEP_OVERHEAD 66 /* RFC 8017 section 7.1.1: two SHA-256 hashes and two bytes */
#define CIPHERTEXT_MAX 2048
#define FILE_MODE 0644
#define RECOVERY_ENDING ".recovery"

struct recovery {
	struct public_key *key; /* NULL: none */
	char *path;
	unsigned char ciphertext[CIPHERTEXT_MAX];
	size_t size;
};

/* On stderr: stdout is the ciphertext's. */
static int
tell(const struct arguments *arguments, const struct workspace *workspace,
     const struct version *version, const char *recovery)
{
	char *id = hex_dup(version->id.data, version->id.size);
	int code = EXIT_DONE;
	json_t *json;

	if (id == NULL)
		return EXIT_FAILED;
	if (arguments->options[OPTION_JSON] != NULL) {
		json = json_pack("{s:o, s:I, s:s, s:o, s:s, s:o}", "name", json_text(version->name), "version",
		                 (json_int_t)version->number, "id", id, "token",
		                 json_text(workspace->token->name), "mechanism",
		                 "RSA-OAEP, SHA-256, MGF1 with SHA-256", "recovery",
		                 json_text(recovery));
		code = remark_json(json) ? EXIT_DONE : EXIT_FAILED;
	} else {
		remark("encrypted under %s@%lld, id %s", version->name, (long long)version->number, id);
		if (recovery != NULL)
			remark("and for the recovery key: %s", recovery);
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
		         "tells", name, number, version_state_text(version));
		return EXIT_FAILED;
	case CKR_DEVICE_ERROR:
		complain("%s@%lld does not encrypt now: the registry is damaged, or was not refreshed in "
		         "time; see `p11-kms status`", name, number);
		return EXIT_REGISTRY;
	default:
		return registry_failed(workspace, "encrypt", rv);
	}
}

/* What the policy says of a recovery key; empty: none. */
static int
recovery_read(const struct arguments *arguments, const struct workspace *workspace,
              const struct version *version, struct recovery *recovery)
{
	struct key_record *key = NULL;
	CK_RV rv = registry_key_newest(workspace->registry, version->name, &key);

	if (rv == CKR_OK && key->recovery.size != 0)
		rv = public_key_new(key->recovery.data, key->recovery.size, &recovery->key);
	key_record_free(&key);
	if (rv == CKR_PUBLIC_KEY_INVALID)
		rv = CKR_DEVICE_ERROR;
	if (rv != CKR_OK)
		return registry_failed(workspace, "read the policy", rv);
	if (recovery->key == NULL)
		return EXIT_DONE;
	if (arguments->options[OPTION_OUT] == NULL || strcmp(arguments->options[OPTION_OUT], "-") == 0) {
		complain("the policy of %s names a recovery key: give --out FILE, and FILE%s is written "
		         "beside it", version->name, RECOVERY_ENDING);
		return EXIT_USAGE;
	}
	recovery->path = text_format("%s%s", arguments->options[OPTION_OUT], RECOVERY_ENDING);
	return recovery->path != NULL ? EXIT_DONE : EXIT_FAILED;
}

/* The same for the recovery key, as a program without p11-kms decrypts it. */
static CK_RV
recovery_encrypt(struct recovery *recovery, const struct secret *input)
{
	CK_RSA_PKCS_OAEP_PARAMS oaep = { CKM_SHA256, CKG_MGF1_SHA256, CKZ_DATA_SPECIFIED, NULL, 0 };
	const CK_MECHANISM mechanism = { CKM_RSA_PKCS_OAEP, &oaep, sizeof oaep };
	struct mechanism_use use;
	CK_RV rv = mechanism_use_init(&mechanism, CKF_ENCRYPT, recovery->key, &use);

	if (rv != CKR_OK)
		return rv;
	recovery->size = mechanism_output_size(&use, recovery->key);
	rv = mechanism_encrypt(&use, recovery->key, secret_bytes(input), secret_size(input),
	                       recovery->ciphertext);
	mechanism_use_clear(&use);
	return rv;
}

static void
recovery_clear(struct recovery *recovery)
{
	public_key_free(&recovery->key);
	free(recovery->path);
}

static CK_RV
encrypt_both(const struct module *module, const struct version *version,
             const struct secret *input, struct recovery *recovery, unsigned char *ret_ciphertext,
             size_t *ret_size)
{
	CK_OBJECT_HANDLE key;
	CK_RV rv = module_find(module, CKO_PUBLIC_KEY, &version->id, &key);

	if (rv == CKR_OK)
		rv = module_encrypt(module, key, secret_bytes(input), secret_size(input),
		                    ret_ciphertext, ret_size);
	return rv == CKR_OK && recovery->key != NULL ? recovery_encrypt(recovery, input) : rv;
}

static int
encrypt(const struct arguments *arguments, const struct workspace *workspace,
        const struct module *module, const struct version *version)
{
	unsigned limit = version->algorithm->bits;
	unsigned char ciphertext[CIPHERTEXT_MAX];
	struct recovery recovery = { NULL };
	size_t size = sizeof ciphertext;
	struct secret *input = NULL;
	CK_RV rv;
	int code = recovery_read(arguments, workspace, version, &recovery);

	if (code != EXIT_DONE)
		goto out;
	code = EXIT_FAILED;
	if (recovery.key != NULL && public_key_bits(recovery.key) < limit)
		limit = public_key_bits(recovery.key);
	if (!input_read(arguments->options[OPTION_IN], limit / 8 - OAEP_OVERHEAD,
	                recovery.key != NULL ? "what this key and its recovery key encrypt"
	                                     : "what this key encrypts",
	                "encrypt the file with a data key, and that with this key", &input))
		goto out;
	rv = encrypt_both(module, version, input, &recovery, ciphertext, &size);
	secret_free(&input);
	if (rv != CKR_OK)
		code = failed(workspace, version, rv);
	else if ((recovery.key == NULL || write_bytes(recovery.path, recovery.ciphertext,
	                                              recovery.size, FILE_MODE)) &&
	         write_bytes(arguments->options[OPTION_OUT], ciphertext, size, FILE_MODE))
		code = tell(arguments, workspace, version, recovery.path);
out:
	recovery_clear(&recovery);
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
