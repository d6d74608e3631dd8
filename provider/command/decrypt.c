/* SPDX-License-Identifier: Apache-2.0 */
#include "command/describe-version.h"
#include "command/key-walk.h"
#include "command/module.h"
#include "command/reference.h"

#include <stdlib.h>

#define CIPHERTEXT_MAX 2048 /* of RSA with 16384 bits */
#define FILE_MODE 0600

struct decryption {
	const struct module *module;     /* borrowed */
	const struct secret *ciphertext; /* borrowed */
	struct secret *plaintext;        /* owned */
	bool done;
	/* What was met, to tell why nothing decrypted. */
	bool rsa, fits;                  /* a version of RSA; of the ciphertext's size */
	const struct algorithm *other;   /* one that can't decrypt */
	int64_t pending;                 /* the newest version that is hidden, to be destroyed; 0: none */
};

static CK_RV
try_version(struct decryption *decryption, const struct version *version)
{
	size_t size = secret_size(decryption->ciphertext);
	CK_OBJECT_HANDLE key;
	CK_RV rv;

	if (version->algorithm->key_type != CKK_RSA) {
		decryption->other = version->algorithm;
		return CKR_KEY_FUNCTION_NOT_PERMITTED;
	}
	decryption->rsa = true;
	/* What is of another size can't be this key's: the KMS need not be asked. */
	if (version->algorithm->bits / 8 != size)
		return CKR_ENCRYPTED_DATA_LEN_RANGE;
	decryption->fits = true;
	rv = module_find(decryption->module, CKO_PRIVATE_KEY, &version->id, &key);
	if (rv != CKR_OK)
		return rv;
	rv = secret_new(size, &decryption->plaintext);
	if (rv != CKR_OK)
		return rv;
	rv = module_decrypt(decryption->module, key, secret_bytes(decryption->ciphertext),
	                    secret_size(decryption->ciphertext), secret_data(decryption->plaintext),
	                    &size);
	if (rv == CKR_OK)
		secret_truncate(decryption->plaintext, size);
	else
		secret_free(&decryption->plaintext);
	decryption->done = rv == CKR_OK;
	return rv;
}

/* For version_walk: ends it with CKR_CANCEL when the right one is found. */
static CK_RV
visit(void *context, const struct version *version)
{
	struct decryption *decryption = context;
	CK_RV rv;

	if (version->state == STATE_DESTROYED)
		return CKR_OK;
	if (version->state == STATE_DESTROY_PENDING) {
		if (decryption->pending == 0)
			decryption->pending = version->number;
		return CKR_OK;
	}
	rv = try_version(decryption, version);
	switch (rv) {
	case CKR_OK:
		return CKR_CANCEL;
	case CKR_ENCRYPTED_DATA_INVALID:
	case CKR_ENCRYPTED_DATA_LEN_RANGE:
	case CKR_OBJECT_HANDLE_INVALID:
	case CKR_KEY_FUNCTION_NOT_PERMITTED:
		return CKR_OK;
	default:
		return rv;
	}
}

/* It was not decrypted, though nothing was out of order. */
static int
not_this(const struct decryption *decryption, const char *name)
{
	if (!decryption->rsa && decryption->other != NULL)
		complain("%s is %s, which can't decrypt: RSA keys can", name, decryption->other->name);
	else if (!decryption->fits && decryption->rsa)
		complain("%s does not decrypt this: with %zu bytes it is not of the size that %s makes; is "
		         "it the right file?", name, secret_size(decryption->ciphertext), name);
	else
		complain("%s does not decrypt this: it was encrypted to another key, or was changed",
		         name);
	return EXIT_FAILED;
}

static int
failed(const struct workspace *workspace, const struct decryption *decryption, const char *name,
       CK_RV rv)
{
	switch (rv) {
	case CKR_ENCRYPTED_DATA_INVALID:
	case CKR_ENCRYPTED_DATA_LEN_RANGE:
		return not_this(decryption, name);
	case CKR_OBJECT_HANDLE_INVALID:
		complain("%s has no private half that this host can use", name);
		return EXIT_NO_KEY;
	case CKR_KEY_FUNCTION_NOT_PERMITTED:
		if (!decryption->rsa)
			return not_this(decryption, name);
		complain("%s does not decrypt: its usage is another; `p11-kms show` tells", name);
		return EXIT_FAILED;
	default:
		return kms_failed(workspace, "decrypt", rv);
	}
}

/* A NAME alone: each of its versions, newest first. */
static int
decrypt_any(const struct workspace *workspace, struct decryption *decryption, const char *name)
{
	struct key_record *key = NULL;
	CK_RV rv;

	rv = registry_key(workspace->registry, name, &key);
	key_record_free(&key);
	if (rv == CKR_OBJECT_HANDLE_INVALID)
		return no_such_key(workspace, name);
	if (rv != CKR_OK)
		return registry_failed(workspace, "look for the key", rv);
	rv = version_walk(workspace->registry, name, true, visit, decryption);
	if (decryption->done)
		return EXIT_DONE;
	if (rv == CKR_OK && decryption->pending != 0) {
		complain("%s does not decrypt this, but %s@%lld, which is to be destroyed, was not tried: "
		         "`p11-kms restore %s@%lld` brings it back", name, name,
		         (long long)decryption->pending, name, (long long)decryption->pending);
		return EXIT_FAILED;
	}
	return failed(workspace, decryption, name, rv != CKR_OK ? rv : CKR_ENCRYPTED_DATA_INVALID);
}

static int
decrypt(const struct arguments *arguments, const struct workspace *workspace,
        struct decryption *decryption)
{
	struct version *version = NULL;
	int64_t number = 0;
	char *name;
	int code;
	CK_RV rv;

	if (arguments->options[OPTION_ID] == NULL && arguments->operand_count == 1) {
		name = reference_split(arguments->operands[0], &number);
		if (name == NULL)
			return kms_failed(workspace, "decrypt", CKR_HOST_MEMORY);
		code = number == 0 ? decrypt_any(workspace, decryption, name) : EXIT_DONE;
		free(name);
		if (number == 0)
			return code;
	}
	code = reference_find(workspace, arguments, REFERENCE_EXACT, &version);
	if (code != EXIT_DONE)
		return code;
	if (version->state == STATE_DESTROY_PENDING || version->state == STATE_DESTROYED) {
		code = version_gone(version);
		goto out;
	}
	rv = try_version(decryption, version);
	if (rv != CKR_OK) {
		name = version_full_name(version);
		code = failed(workspace, decryption, name != NULL ? name : version->name, rv);
		free(name);
	}
out:
	version_free(&version);
	return code;
}

int
command_decrypt(const struct arguments *arguments)
{
	struct workspace workspace = { .token = NULL };
	struct module module = { .functions = NULL };
	struct decryption decryption = { .module = &module };
	struct secret *ciphertext = NULL;
	int code;

	code = workspace_read(arguments, &workspace);
	if (code == EXIT_DONE)
		code = workspace_needs_kms(&workspace);
	if (code == EXIT_DONE)
		code = module_open(&workspace, &module);
	if (code == EXIT_DONE)
		code = module_login(arguments, &workspace, &module);
	if (code != EXIT_DONE)
		goto out;
	code = EXIT_FAILED;
	if (!input_read(arguments->options[OPTION_IN], CIPHERTEXT_MAX, "a ciphertext", NULL,
	                &ciphertext))
		goto out;
	decryption.ciphertext = ciphertext;
	code = decrypt(arguments, &workspace, &decryption);
	if (code == EXIT_DONE &&
	    !write_bytes(arguments->options[OPTION_OUT], secret_bytes(decryption.plaintext),
	                 secret_size(decryption.plaintext), FILE_MODE))
		code = EXIT_FAILED;
out:
	secret_free(&decryption.plaintext);
	secret_free(&ciphertext);
	module_close(&module);
	workspace_close(&workspace);
	return code;
}
