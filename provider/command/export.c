/* SPDX-License-Identifier: Apache-2.0 */
#include "command/describe-version.h"
#include "command/pem.h"
#include "command/reference.h"
#include "command/ssh.h"

#include <openssl/pem.h>

#include <stdlib.h>
#include <string.h>

#define FILE_MODE 0644

static CK_RV
make_pem(const struct version *version, struct buffer *ret_text)
{
	/* The registry holds the encoding that PEM wraps: no need to take it apart. */
	return pem_write(PEM_STRING_PUBLIC, &version->spki, ret_text);
}

static CK_RV
make_ssh(const struct version *version, struct buffer *ret_text)
{
	char *comment = version_full_name(version);
	CK_RV rv = CKR_HOST_MEMORY;

	if (comment != NULL)
		rv = ssh_public_key(&version->spki, comment, ret_text);
	free(comment);
	return rv;
}

static CK_RV
make_der(const struct version *version, struct buffer *ret_text)
{
	return buffer_append(ret_text, version->spki.data, version->spki.size);
}

static const struct format {
	const char *name;
	CK_RV (*make)(const struct version *version, struct buffer *ret_text);
} formats[] = {
	{ "pem", make_pem },
	{ "der", make_der },
	{ "ssh", make_ssh },
};

static const struct format *
choose_format(const char *name)
{
	for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++) {
		if (strcmp(formats[i].name, name != NULL ? name : "pem") == 0)
			return &formats[i];
	}
	complain("%s: the formats are pem, der and ssh", name);
	return NULL;
}

int
command_export(const struct arguments *arguments)
{
	const struct format *format = choose_format(arguments->options[OPTION_FORMAT]);
	struct workspace workspace = { .token = NULL };
	struct version *version = NULL;
	struct buffer text = BUFFER_INIT;
	int code;
	CK_RV rv;

	if (format == NULL)
		return EXIT_USAGE;
	code = workspace_read(arguments, &workspace);
	if (code == EXIT_DONE)
		code = reference_find(&workspace, arguments, REFERENCE_CURRENT, &version);
	if (code != EXIT_DONE)
		goto out;
	rv = format->make(version, &text);
	if (rv == CKR_MECHANISM_INVALID) {
		complain("%s is %s, for which SSH has no type of key: pem and der can be had",
		         arguments->operands[0], version->algorithm->name);
		code = EXIT_FAILED;
	} else if (rv != CKR_OK)
		code = registry_failed(&workspace, "export the key", rv);
	else if (!write_bytes(arguments->options[OPTION_OUT], text.data, text.size, FILE_MODE))
		code = EXIT_FAILED;
out:
	buffer_clear(&text);
	version_free(&version);
	workspace_close(&workspace);
	return code;
}
