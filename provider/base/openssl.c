/* SPDX-License-Identifier: Apache-2.0 */
#include "base/openssl.h"

#include "base/log.h"

#include <openssl/bn.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/provider.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>

static const struct {
	CK_MECHANISM_TYPE type;
	const char *name;
} digests[] = {
	{ CKM_SHA_1, "SHA1" },     { CKM_SHA224, "SHA2-224" }, { CKM_SHA256, "SHA2-256" },
	{ CKM_SHA384, "SHA2-384" }, { CKM_SHA512, "SHA2-512" },
};

#define DIGEST_COUNT (sizeof digests / sizeof *digests)
#define KEY_SIZES 3 /* 16, 24, 32 bytes */

static const char *const cipher_names[OPENSSL_MODES][KEY_SIZES] = {
	[OPENSSL_ECB] = { "AES-128-ECB", "AES-192-ECB", "AES-256-ECB" },
	[OPENSSL_CBC] = { "AES-128-CBC", "AES-192-CBC", "AES-256-CBC" },
	[OPENSSL_CTR] = { "AES-128-CTR", "AES-192-CTR", "AES-256-CTR" },
	[OPENSSL_GCM] = { "AES-128-GCM", "AES-192-GCM", "AES-256-GCM" },
	[OPENSSL_CCM] = { "AES-128-CCM", "AES-192-CCM", "AES-256-CCM" },
	[OPENSSL_WRAP] = { "AES-128-WRAP", "AES-192-WRAP", "AES-256-WRAP" },
	[OPENSSL_WRAP_PAD] = { "AES-128-WRAP-PAD", "AES-192-WRAP-PAD", "AES-256-WRAP-PAD" },
};

static const char *const mac_names[OPENSSL_MACS] = {
	[OPENSSL_HMAC] = "HMAC",
	[OPENSSL_CMAC] = "CMAC",
};

/* Guards users. The rest changes only while there are no users, so readers need no lock. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static unsigned users;

static struct {
	OSSL_LIB_CTX *context;
	OSSL_PROVIDER *provider;
	EVP_MD *digests[DIGEST_COUNT];
} crypto;

/* Owned. Filled by whoever needs one first; emptied while there are no users. */
static struct {
	_Atomic(EVP_CIPHER *) ciphers[OPENSSL_MODES][KEY_SIZES];
	_Atomic(EVP_MAC *) macs[OPENSSL_MACS];
	_Atomic(EVP_KDF *) x963kdf;
} fetched;

static void
unload_fetched(void)
{
	for (size_t i = 0; i < OPENSSL_MODES; i++)
		for (size_t k = 0; k < KEY_SIZES; k++)
			EVP_CIPHER_free(atomic_exchange(&fetched.ciphers[i][k], NULL));
	for (size_t i = 0; i < OPENSSL_MACS; i++)
		EVP_MAC_free(atomic_exchange(&fetched.macs[i], NULL));
	EVP_KDF_free(atomic_exchange(&fetched.x963kdf, NULL));
}

static void
unload(void)
{
	unload_fetched();
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

/* Where two threads fetch at a time, the first one's is kept. */
const EVP_CIPHER *
openssl_cipher(enum openssl_mode mode, size_t key_size)
{
	size_t index = key_size / 8 - 2;
	EVP_CIPHER *cipher, *kept = NULL;

	if (key_size != 16 && key_size != 24 && key_size != 32)
		return NULL;
	cipher = atomic_load_explicit(&fetched.ciphers[mode][index], memory_order_acquire);
	if (cipher != NULL)
		return cipher;
	cipher = EVP_CIPHER_fetch(crypto.context, cipher_names[mode][index], NULL);
	if (cipher == NULL ||
	    atomic_compare_exchange_strong(&fetched.ciphers[mode][index], &kept, cipher))
		return cipher;
	EVP_CIPHER_free(cipher);
	return kept;
}

EVP_MAC *
openssl_mac(enum openssl_mac mac)
{
	EVP_MAC *found = atomic_load_explicit(&fetched.macs[mac], memory_order_acquire);
	EVP_MAC *kept = NULL;

	if (found != NULL)
		return found;
	found = EVP_MAC_fetch(crypto.context, mac_names[mac], NULL);
	if (found == NULL || atomic_compare_exchange_strong(&fetched.macs[mac], &kept, found))
		return found;
	EVP_MAC_free(found);
	return kept;
}

EVP_KDF *
openssl_x963kdf(void)
{
	EVP_KDF *found = atomic_load_explicit(&fetched.x963kdf, memory_order_acquire);
	EVP_KDF *kept = NULL;

	if (found != NULL)
		return found;
	found = EVP_KDF_fetch(crypto.context, "X963KDF", NULL);
	if (found == NULL || atomic_compare_exchange_strong(&fetched.x963kdf, &kept, found))
		return found;
	EVP_KDF_free(found);
	return kept;
}

CK_RV
openssl_ecdsa_der(const unsigned char *signature, size_t size,
                  unsigned char der[OPENSSL_ECDSA_DER_MAX], size_t *ret_size)
{
	BIGNUM *r = BN_bin2bn(signature, (int)(size / 2), NULL);
	BIGNUM *s = BN_bin2bn(signature + size / 2, (int)(size / 2), NULL);
	ECDSA_SIG *pair = ECDSA_SIG_new();
	unsigned char *at = der;
	int der_size = 0;

	if (r != NULL && s != NULL && pair != NULL && ECDSA_SIG_set0(pair, r, s) == 1) {
		r = NULL; /* the pair's now */
		s = NULL;
		if (i2d_ECDSA_SIG(pair, NULL) <= OPENSSL_ECDSA_DER_MAX)
			der_size = i2d_ECDSA_SIG(pair, &at);
	}
	ECDSA_SIG_free(pair);
	BN_free(s);
	BN_free(r);
	if (der_size <= 0)
		return openssl_failure(CKR_HOST_MEMORY);
	*ret_size = (size_t)der_size;
	return CKR_OK;
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
