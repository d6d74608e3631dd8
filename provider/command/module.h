/* SPDX-License-Identifier: Apache-2.0 */
/* The PKCS#11 module itself, which is linked in: encrypt and decrypt use it as any application does. */
#ifndef P11_KMS_COMMAND_MODULE_H
#define P11_KMS_COMMAND_MODULE_H

#include "base/pkcs11.h"
#include "command/workspace.h"

struct module {
	CK_FUNCTION_LIST *functions; /* NULL: not open */
	CK_SESSION_HANDLE session;
	CK_FLAGS token_flags;
};

/* Opens a session of the workspace's token. Exit codes; failures are told. module_close also after a failure. */
MUST_USE int module_open(const struct workspace *workspace, struct module *module);
void module_close(struct module *module);
/* Where the token asks for it. */
MUST_USE int module_login(const struct arguments *arguments, const struct workspace *workspace,
                          struct module *module);
/* CKR_OBJECT_HANDLE_INVALID: none. */
MUST_USE CK_RV module_find(const struct module *module, CK_OBJECT_CLASS object_class,
                           const struct buffer *id, CK_OBJECT_HANDLE *ret_key);

/* RSA-OAEP with SHA-256, without a label; what encrypt and decrypt use. size of ret_data: in, out. */
MUST_USE CK_RV module_encrypt(const struct module *module, CK_OBJECT_HANDLE key, const void *data,
                              size_t size, unsigned char *ret_data, size_t *ret_size);
MUST_USE CK_RV module_decrypt(const struct module *module, CK_OBJECT_HANDLE key, const void *data,
                              size_t size, unsigned char *ret_data, size_t *ret_size);

/* All of --in, or of stdin, into locked memory. False, with a complaint. limit: bytes at most; what: "a ciphertext"; advice: what else to do with more, NULL: nothing. */
MUST_USE bool input_read(const char *path, size_t limit, const char *what, const char *advice,
                         struct secret **ret_input);

#endif
