/* SPDX-License-Identifier: Apache-2.0 */
/* What TLS with a KMIP server needs: an SSL_CTX made from the files of the configuration. */
#ifndef P11_KMS_KMS_KMIP_TLS_H
#define P11_KMS_KMS_KMIP_TLS_H

#include "base/compiler.h"
#include "base/config.h"
#include "base/file.h"
#include "base/pkcs11.h"
#include "base/secret.h"

#include <openssl/ssl.h>
#include <stdbool.h>

/* Which contents of the files a login was made from, without reading them. */
struct kmip_tls_edition {
	struct file_edition files[5];
};

struct kmip_tls_edition kmip_tls_edition(const struct config_token *config);
bool kmip_tls_edition_equal(const struct kmip_tls_edition *a, const struct kmip_tls_edition *b);

/*
 * TLS 1.2 or 1.3, the server's certificate always verified, the client's sent. passphrase
 * (NULL: none) opens an encrypted key. CKR_PIN_INCORRECT: it does not; CKR_USER_NOT_LOGGED_IN:
 * one is needed; CKR_DEVICE_ERROR: a file can't be used. *ret_why (caller frees; NULL when
 * memory was short) says which and why.
 */
MUST_USE CK_RV kmip_tls_new(const struct config_token *config, const struct secret *passphrase,
                            SSL_CTX **ret_context, char **ret_why);

/* Is the client's certificate over by now? */
bool kmip_tls_has_expired(const SSL_CTX *context);

/* The client's private key: does it need a passphrase? */
enum kmip_tls_key {
	KMIP_KEY_UNKNOWN, /* the file is not there, or can't be used */
	KMIP_KEY_OPEN,
	KMIP_KEY_ENCRYPTED,
};

enum kmip_tls_key kmip_tls_key(const struct config_token *config);

#endif
