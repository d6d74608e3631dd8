/* SPDX-License-Identifier: Apache-2.0 */
#include "base/openssl.h"

#include "base/log.h"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/provider.h>

#include <pthread.h>
#include <stddef.h>

static const struct {
	CK_MECHANISM_TYPE type;
	const char *name;
} digests[] = {
	{ CKM_SHA_1, "SHA1" },     { CKM_SHA224, "SHA2-224" }, { CKM_SHA256, "SHA2-256" },
	{ CKM_SHA384, "SHA2-384" }, { CKM_SHA512, "SHA2-512" },
};

#define DIGEST_COUNT (sizeof digests / sizeof *digests)

/* Guards users. The rest changes only while there are no users, so readers need no lock. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static unsigned users;

static struct {
	OSSL_LIB_CTX *context;
	OSSL_PROVIDER *provider;
	EVP_MD *digests[DIGEST_COUNT];
} crypto;

static void
unload(void)
{
	for (size_t i = 0; i < DIGEST_COUNT; i++) {
		EVP_MD_free(crypto.digests[i]);
		crypto.digests[i] = NULL;
	}
	if (crypto.provider != NULL)
		(void)OSSL_PROVIDER_unload(crypto.provider);
	crypto.provider = NULL;
	OSSL_LIB_CTX_free(crypto.context);
	crypto.context = NULL;
}

static CK_RV
load(void)
{
	CK_RV rv;

	/* What fails on the way to success is not for the program to find in its queue. */
	(void)ERR_set_mark();
	/* No configuration file is read for a context made like this. */
	crypto.context = OSSL_LIB_CTX_new();
	if (crypto.context == NULL)
		return openssl_failure(CKR_HOST_MEMORY);
	crypto.provider = OSSL_PROVIDER_load(crypto.context, "default");
	if (crypto.provider == NULL)
		goto failed;
	for (size_t i = 0; i < DIGEST_COUNT; i++) {
		crypto.digests[i] = EVP_MD_fetch(crypto.context, digests[i].name, NULL);
		if (crypto.digests[i] == NULL)
			goto failed;
	}
	(void)ERR_pop_to_mark();
	return CKR_OK;

failed:
	rv = openssl_failure(CKR_GENERAL_ERROR);
	if (rv == CKR_GENERAL_ERROR)
		log_error("OpenSSL's default provider can't be used; install OpenSSL 3.0 or newer "
		          "whole");
	unload();
	return rv;
}

CK_RV
openssl_start(void)
{
	CK_RV rv = CKR_OK;

	pthread_mutex_lock(&lock);
	if (users == 0)
		rv = load();
	if (rv == CKR_OK)
		users++;
	pthread_mutex_unlock(&lock);
	return rv;
}

void
openssl_stop(void)
{
	pthread_mutex_lock(&lock);
	/*
	 * A program may finalise us from an exit handler that runs after OpenSSL's own: then
	 * OpenSSL has cleaned up, starts no more, and what is left belongs to the exit.
	 */
	if (users > 0 && --users == 0 && OPENSSL_init_crypto(0, NULL) == 1)
		unload();
	pthread_mutex_unlock(&lock);
}

OSSL_LIB_CTX *
openssl_context(void)
{
	return crypto.context;
}

const EVP_MD *
openssl_digest(CK_MECHANISM_TYPE digest)
{
	for (size_t i = 0; i < DIGEST_COUNT; i++)
		if (digests[i].type == digest)
			return crypto.digests[i];
	return NULL;
}

CK_RV
openssl_failure(CK_RV fallback)
{
	CK_RV rv = fallback;
	unsigned long error;

	while ((error = ERR_get_error()) != 0) {
		const char *library = ERR_lib_error_string(error);
		const char *reason = ERR_reason_error_string(error);

		if (ERR_GET_REASON(error) == ERR_R_MALLOC_FAILURE)
			rv = CKR_HOST_MEMORY;
		log_debug("OpenSSL: %s: %s", library != NULL ? library : "unknown library",
		          reason != NULL ? reason : "unknown reason");
	}
	return rv;
}
