/* SPDX-License-Identifier: Apache-2.0 */
#include "command/module.h"

#include "command/output.h"
#include "command/pin.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* CK_TOKEN_INFO.label: padded with blanks, no terminating zero. */
static bool
label_is(const CK_TOKEN_INFO *info, const char *name)
{
	size_t size = strlen(name);

	if (size > sizeof info->label || memcmp(info->label, name, size) != 0)
		return false;
	for (; size < sizeof info->label; size++) {
		if (info->label[size] != ' ')
			return false;
	}
	return true;
}

static CK_RV
find_slot(struct module *module, const char *name, CK_SLOT_ID *ret_slot)
{
	CK_SLOT_ID *slots = NULL;
	CK_TOKEN_INFO info;
	CK_ULONG count;
	CK_RV rv;

	rv = module->functions->C_GetSlotList(CK_TRUE, NULL, &count);
	if (rv != CKR_OK)
		return rv;
	slots = calloc(count + 1, sizeof *slots);
	if (slots == NULL)
		return CKR_HOST_MEMORY;
	rv = module->functions->C_GetSlotList(CK_TRUE, slots, &count);
	if (rv != CKR_OK)
		goto out;
	for (CK_ULONG i = 0; i < count; i++) {
		if (module->functions->C_GetTokenInfo(slots[i], &info) != CKR_OK ||
		    !label_is(&info, name))
			continue;
		module->token_flags = info.flags;
		*ret_slot = slots[i];
		goto out;
	}
	rv = CKR_TOKEN_NOT_PRESENT;
out:
	free(slots);
	return rv;
}

int
module_open(const struct workspace *workspace, struct module *module)
{
	CK_FUNCTION_LIST *functions;
	CK_SLOT_ID slot = 0;
	CK_RV rv;

	/* The module reads the configuration by itself: the one that --config named. */
	if (setenv("P11_KMS_CONFIG", workspace->config->path, 1) != 0)
		return kms_failed(workspace, "start the module", CKR_HOST_MEMORY);
	rv = C_GetFunctionList(&functions);
	if (rv == CKR_OK)
		rv = functions->C_Initialize(NULL);
	if (rv != CKR_OK)
		return kms_failed(workspace, "start the module", rv);
	module->functions = functions;
	rv = find_slot(module, workspace->token->name, &slot);
	if (rv == CKR_OK)
		rv = functions->C_OpenSession(slot, CKF_SERIAL_SESSION, NULL, NULL, &module->session);
	return rv == CKR_OK ? EXIT_DONE : registry_failed(workspace, "open the token", rv);
}

void
module_close(struct module *module)
{
	if (module->functions != NULL)
		module->functions->C_Finalize(NULL);
	module->functions = NULL;
}

int
module_login(const struct arguments *arguments, const struct workspace *workspace,
             struct module *module)
{
	struct secret *pin = NULL;
	int code;
	CK_RV rv;

	if ((module->token_flags & CKF_LOGIN_REQUIRED) == 0)
		return EXIT_DONE;
	code = pin_read(arguments, workspace->token->name, &pin);
	if (code != EXIT_DONE)
		return code;
	rv = module->functions->C_Login(module->session, CKU_USER, secret_data(pin),
	                                secret_size(pin));
	secret_free(&pin);
	return rv == CKR_OK ? EXIT_DONE : kms_failed(workspace, "log in", rv);
}

CK_RV
module_find(const struct module *module, CK_OBJECT_CLASS object_class, const struct buffer *id,
            CK_OBJECT_HANDLE *ret_key)
{
	CK_ATTRIBUTE template[] = {
		{ CKA_CLASS, &object_class, sizeof object_class },
		{ CKA_ID, id->data, id->size },
	};
	CK_OBJECT_HANDLE key;
	CK_ULONG count = 0;
	CK_RV rv, ended;

	rv = module->functions->C_FindObjectsInit(module->session, template, 2);
	if (rv != CKR_OK)
		return rv;
	rv = module->functions->C_FindObjects(module->session, &key, 1, &count);
	ended = module->functions->C_FindObjectsFinal(module->session);
	if (rv == CKR_OK)
		rv = ended;
	if (rv == CKR_OK && count == 0)
		rv = CKR_OBJECT_HANDLE_INVALID;
	if (rv == CKR_OK)
		*ret_key = key;
	return rv;
}

#define OAEP_PARAMETERS { CKM_SHA256, CKG_MGF1_SHA256, CKZ_DATA_SPECIFIED, NULL, 0 }

CK_RV
module_encrypt(const struct module *module, CK_OBJECT_HANDLE key, const void *data, size_t size,
               unsigned char *ret_data, size_t *ret_size)
{
	CK_RSA_PKCS_OAEP_PARAMS parameters = OAEP_PARAMETERS;
	CK_MECHANISM mechanism = { CKM_RSA_PKCS_OAEP, &parameters, sizeof parameters };
	CK_ULONG length = *ret_size;
	CK_RV rv;

	rv = module->functions->C_EncryptInit(module->session, &mechanism, key);
	if (rv != CKR_OK)
		return rv;
	rv = module->functions->C_Encrypt(module->session, (unsigned char *)data, size, ret_data,
	                                  &length);
	if (rv == CKR_OK)
		*ret_size = length;
	return rv;
}

CK_RV
module_decrypt(const struct module *module, CK_OBJECT_HANDLE key, const void *data, size_t size,
               unsigned char *ret_data, size_t *ret_size)
{
	CK_RSA_PKCS_OAEP_PARAMS parameters = OAEP_PARAMETERS;
	CK_MECHANISM mechanism = { CKM_RSA_PKCS_OAEP, &parameters, sizeof parameters };
	CK_ULONG length = *ret_size;
	CK_RV rv;

	rv = module->functions->C_DecryptInit(module->session, &mechanism, key);
	if (rv != CKR_OK)
		return rv;
	rv = module->functions->C_Decrypt(module->session, (unsigned char *)data, size, ret_data,
	                                  &length);
	if (rv == CKR_OK)
		*ret_size = length;
	return rv;
}

static bool
read_whole(int file, struct secret *input, size_t *ret_size)
{
	size_t size = 0;
	ssize_t count;

	while (size < secret_size(input)) {
		count = read(file, secret_data(input) + size, secret_size(input) - size);
		if (count < 0 && errno == EINTR)
			continue;
		if (count < 0)
			return false;
		if (count == 0)
			break;
		size += (size_t)count;
	}
	*ret_size = size;
	return true;
}

bool
input_read(const char *path, size_t limit, const char *what, const char *advice,
           struct secret **ret_input)
{
	bool from_stdin = path == NULL || strcmp(path, "-") == 0;
	struct secret *input = NULL;
	bool done = false;
	size_t size = 0;
	int file;

	file = from_stdin ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (file < 0) {
		complain("%s: %s", path, strerror(errno));
		return false;
	}
	if (secret_new(limit + 1, &input) != CKR_OK)
		complain("out of memory");
	else if (!read_whole(file, input, &size))
		complain("%s: %s", from_stdin ? "stdin" : path, strerror(errno));
	else if (size > limit)
		complain("%s: %s has %zu bytes at most%s%s", from_stdin ? "stdin" : path, what, limit,
		         advice != NULL ? "; " : "", advice != NULL ? advice : "");
	else
		done = true;
	if (!from_stdin)
		close(file);
	if (done) {
		secret_truncate(input, size);
		*ret_input = input;
	} else {
		secret_free(&input);
	}
	return done;
}
