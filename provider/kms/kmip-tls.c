/* SPDX-License-Identifier: Apache-2.0 */
#include "kms/kmip-tls.h"

#include "base/file.h"
#include "base/openssl.h"
#include "base/text.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509_vfy.h>

#include <stdlib.h>
#include <string.h>

#define FILE_SIZE_MAX ((size_t)4 * 1024 * 1024) /* revocation lists are the largest */

struct building {
	const struct config_token *config; /* borrowed */
	const struct secret *passphrase;   /* borrowed, may be NULL */
	bool asked;                        /* the key turned out to be encrypted */
	SSL_CTX *context;                  /* owned */
	char *why;                         /* owned */
};

struct kmip_tls_edition
kmip_tls_edition(const struct config_token *config)
{
	const struct kmip_tls_edition edition = { {
		file_edition(config->tls_ca), file_edition(config->tls_certificate),
		file_edition(config->tls_key), file_edition(config->tls_crl),
		file_edition(config->kmip_password_source),
	} };

	return edition;
}

bool
kmip_tls_edition_equal(const struct kmip_tls_edition *a, const struct kmip_tls_edition *b)
{
	for (size_t i = 0; i < sizeof a->files / sizeof *a->files; i++)
		if (!file_edition_equal(&a->files[i], &b->files[i]))
			return false;
	return true;
}

static CK_RV
refuse(struct building *building, const char *path, const char *what)
{
	const char *reason = ERR_reason_error_string(ERR_peek_last_error());

	building->why = reason == NULL ? text_format("%s %s", path, what)
	                               : text_format("%s %s (OpenSSL: %s)", path, what, reason);
	return openssl_failure(CKR_DEVICE_ERROR);
}

static CK_RV
read_file(struct building *building, const char *path, enum file_trust trust, BIO **ret_bio)
{
	struct buffer content = BUFFER_INIT;
	CK_RV rv = CKR_OK;
	BIO *bio;

	if (!file_read(path, trust, FILE_SIZE_MAX, &content, &building->why))
		return CKR_DEVICE_ERROR;
	bio = BIO_new(BIO_s_secmem());
	if (bio == NULL || content.size > INT32_MAX ||
	    (content.size > 0 && BIO_write(bio, content.data, (int)content.size) <= 0))
		rv = openssl_failure(CKR_HOST_MEMORY);
	buffer_clear(&content);
	if (rv == CKR_OK)
		*ret_bio = bio;
	else
		BIO_free(bio);
	return rv;
}

/* Certificates and revocation lists of a PEM file. */
static CK_RV
read_infos(struct building *building, const char *path, STACK_OF(X509_INFO) **ret_infos)
{
	STACK_OF(X509_INFO) *infos;
	BIO *bio = NULL;
	CK_RV rv;

	rv = read_file(building, path, FILE_PUBLIC, &bio);
	if (rv != CKR_OK)
		return rv;
	infos = PEM_X509_INFO_read_bio_ex(bio, NULL, NULL, NULL, openssl_context(), NULL);
	BIO_free(bio);
	if (infos == NULL)
		return refuse(building, path, "is not in PEM");
	*ret_infos = infos;
	return CKR_OK;
}

static void
free_infos(STACK_OF(X509_INFO) *infos)
{
	sk_X509_INFO_pop_free(infos, X509_INFO_free);
}

static CK_RV
use_authorities(struct building *building)
{
	const char *path = building->config->tls_ca;
	X509_STORE *store = SSL_CTX_get_cert_store(building->context);
	STACK_OF(X509_INFO) *infos = NULL;
	int count = 0;
	CK_RV rv;

	rv = read_infos(building, path, &infos);
	for (int i = 0; rv == CKR_OK && i < sk_X509_INFO_num(infos); i++) {
		X509 *certificate = sk_X509_INFO_value(infos, i)->x509;

		if (certificate == NULL)
			continue;
		count++;
		if (X509_STORE_add_cert(store, certificate) != 1)
			rv = refuse(building, path, "has a certificate that can't be used");
	}
	free_infos(infos);
	if (rv == CKR_OK && count == 0)
		rv = refuse(building, path, "has no certificate; put the CA's into it, in PEM");
	return rv;
}

static CK_RV
use_revocations(struct building *building)
{
	const char *path = building->config->tls_crl;
	X509_STORE *store = SSL_CTX_get_cert_store(building->context);
	STACK_OF(X509_INFO) *infos = NULL;
	int count = 0;
	CK_RV rv;

	if (path == NULL)
		return CKR_OK;
	rv = read_infos(building, path, &infos);
	for (int i = 0; rv == CKR_OK && i < sk_X509_INFO_num(infos); i++) {
		X509_CRL *list = sk_X509_INFO_value(infos, i)->crl;

		if (list == NULL)
			continue;
		count++;
		if (X509_STORE_add_crl(store, list) != 1)
			rv = refuse(building, path, "has a revocation list that can't be used");
	}
	free_infos(infos);
	if (rv == CKR_OK && count == 0)
		rv = refuse(building, path, "has no revocation list; put the CA's into it, in PEM");
	/* Of all CAs on the way: one that was asked for and is not there must not go unnoticed. */
	if (rv == CKR_OK &&
	    X509_STORE_set_flags(store, X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL) != 1)
		rv = openssl_failure(CKR_HOST_MEMORY);
	return rv;
}

static bool
is_over(const X509 *certificate)
{
	return X509_cmp_current_time(X509_get0_notAfter(certificate)) < 0;
}

bool
kmip_tls_has_expired(const SSL_CTX *context)
{
	const X509 *certificate = SSL_CTX_get0_certificate(context);

	return certificate != NULL && is_over(certificate);
}

/* The first is the client's, the others lead to its CA. */
static CK_RV
use_certificate(struct building *building)
{
	const char *path = building->config->tls_certificate;
	STACK_OF(X509_INFO) *infos = NULL;
	bool first = true;
	CK_RV rv;

	rv = read_infos(building, path, &infos);
	for (int i = 0; rv == CKR_OK && i < sk_X509_INFO_num(infos); i++) {
		X509 *certificate = sk_X509_INFO_value(infos, i)->x509;

		if (certificate == NULL)
			continue;
		if (first && is_over(certificate))
			rv = refuse(building, path, "has expired; renew the client's certificate");
		else if (!(first ? SSL_CTX_use_certificate(building->context, certificate) == 1
		                 : SSL_CTX_add1_chain_cert(building->context, certificate) == 1))
			rv = refuse(building, path, "has a certificate that can't be used");
		first = false;
	}
	free_infos(infos);
	if (rv == CKR_OK && first)
		rv = refuse(building, path, "has no certificate; put the client's into it, in PEM");
	return rv;
}

/* A pem_password_cb. */
static int
give_passphrase(char *out, int room, int writing, void *argument)
{
	struct building *building = argument;
	const struct secret *passphrase = building->passphrase;

	(void)writing;
	building->asked = true;
	if (passphrase == NULL || room < 0 || secret_size(passphrase) > (size_t)room)
		return -1;
	memcpy(out, secret_bytes(passphrase), secret_size(passphrase));
	return (int)secret_size(passphrase);
}

static CK_RV
use_key(struct building *building)
{
	const char *path = building->config->tls_key;
	EVP_PKEY *key;
	BIO *bio = NULL;
	CK_RV rv;

	rv = read_file(building, path, FILE_SECRET, &bio);
	if (rv != CKR_OK)
		return rv;
	key = PEM_read_bio_PrivateKey_ex(bio, NULL, give_passphrase, building, openssl_context(),
	                                 NULL);
	BIO_free(bio);
	if (key == NULL && building->asked) {
		(void)openssl_failure(CKR_PIN_INCORRECT);
		building->why = text_format("%s is encrypted, %s", path,
		                            building->passphrase == NULL
		                                    ? "and nobody has given its passphrase, the PIN"
		                                    : "and the PIN is not its passphrase");
		return building->passphrase == NULL ? CKR_USER_NOT_LOGGED_IN : CKR_PIN_INCORRECT;
	}
	if (key == NULL)
		return refuse(building, path, "has no private key in PEM");
	if (SSL_CTX_use_PrivateKey(building->context, key) != 1 ||
	    SSL_CTX_check_private_key(building->context) != 1)
		rv = refuse(building, path, "is not the private key of tls-certificate");
	EVP_PKEY_free(key);
	return rv;
}

static CK_RV
make_context(struct building *building)
{
	building->context = SSL_CTX_new_ex(openssl_context(), NULL, TLS_client_method());
	if (building->context == NULL ||
	    SSL_CTX_set_min_proto_version(building->context, TLS1_2_VERSION) != 1)
		return openssl_failure(CKR_HOST_MEMORY);
	SSL_CTX_set_verify(building->context, SSL_VERIFY_PEER, NULL);
	/* What Decrypt answers goes through OpenSSL's buffers, which outlive it. */
	SSL_CTX_set_options(building->context, SSL_OP_NO_RENEGOTIATION | SSL_OP_CLEANSE_PLAINTEXT);
	SSL_CTX_set_session_cache_mode(building->context, SSL_SESS_CACHE_CLIENT |
	                                                  SSL_SESS_CACHE_NO_INTERNAL);
	return CKR_OK;
}

CK_RV
kmip_tls_new(const struct config_token *config, const struct secret *passphrase,
             SSL_CTX **ret_context, char **ret_why)
{
	struct building building = { .config = config, .passphrase = passphrase };
	CK_RV rv;

	rv = make_context(&building);
	if (rv == CKR_OK)
		rv = use_authorities(&building);
	if (rv == CKR_OK)
		rv = use_revocations(&building);
	if (rv == CKR_OK)
		rv = use_certificate(&building);
	if (rv == CKR_OK)
		rv = use_key(&building);
	if (rv != CKR_OK) {
		SSL_CTX_free(building.context);
		*ret_why = building.why;
		return rv;
	}
	*ret_context = building.context;
	return CKR_OK;
}

enum kmip_tls_key
kmip_tls_key(const struct config_token *config)
{
	struct building building = { .config = config };
	enum kmip_tls_key kind;
	EVP_PKEY *key;
	BIO *bio = NULL;

	if (read_file(&building, config->tls_key, FILE_SECRET, &bio) != CKR_OK) {
		free(building.why);
		return KMIP_KEY_UNKNOWN;
	}
	key = PEM_read_bio_PrivateKey_ex(bio, NULL, give_passphrase, &building, openssl_context(),
	                                 NULL);
	if (building.asked)
		kind = KMIP_KEY_ENCRYPTED;
	else
		kind = key != NULL ? KMIP_KEY_OPEN : KMIP_KEY_UNKNOWN;
	if (key == NULL)
		(void)openssl_failure(CKR_DEVICE_ERROR);
	EVP_PKEY_free(key);
	BIO_free(bio);
	return kind;
}
