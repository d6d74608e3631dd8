/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/authority.h"

#include "base/file.h"
#include "base/openssl.h"
#include "base/text.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#define PEM_MAX 16384 /* of an RSA key of 16384 bits, thrice */
#define RSA_BITS_MIN 2048
#define RSA_BITS_MAX 16384
#define ECDSA_PART 32 /* bytes of r, and of s */

struct authority {
	EVP_PKEY *key;
	EVP_PKEY_CTX *prepared; /* initialised to verify; each call works on a copy of it */
	bool rsa;
	size_t signature_size;
	struct buffer spki;
	char *fingerprint;
};

/* Odd, and at least 65537. */
static bool
exponent_good(const EVP_PKEY *key)
{
	BIGNUM *exponent = NULL;
	bool good;

	if (EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_RSA_E, &exponent) != 1)
		return false;
	good = BN_is_odd(exponent) && BN_num_bits(exponent) > 16;
	BN_free(exponent);
	return good;
}

static bool
key_good(const EVP_PKEY *key, bool *ret_rsa)
{
	char group[32];

	if (EVP_PKEY_is_a(key, "RSA")) {
		int bits = EVP_PKEY_get_bits(key);

		*ret_rsa = true;
		return bits >= RSA_BITS_MIN && bits <= RSA_BITS_MAX && exponent_good(key);
	}
	/* That the point is on the curve has been checked while decoding; the cofactor is 1. */
	*ret_rsa = false;
	return EVP_PKEY_is_a(key, "EC") &&
	       EVP_PKEY_get_group_name(key, group, sizeof group, NULL) == 1 &&
	       strcmp(group, SN_X9_62_prime256v1) == 0;
}

static CK_RV
prepare(struct authority *authority)
{
	EVP_PKEY_CTX *context;

	context = EVP_PKEY_CTX_new_from_pkey(openssl_context(), authority->key, NULL);
	authority->prepared = context;
	if (context == NULL || EVP_PKEY_verify_init(context) != 1 ||
	    (authority->rsa && EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PADDING) != 1) ||
	    EVP_PKEY_CTX_set_signature_md(context, openssl_digest(CKM_SHA256)) != 1)
		return openssl_failure(CKR_PUBLIC_KEY_INVALID);
	return CKR_OK;
}

/* The form that ssh-keygen made known: "SHA256:" and base64 without its padding. */
static CK_RV
fingerprint_make(struct authority *authority)
{
	static const char prefix[] = "SHA256:";
	unsigned char hash[32];
	char *text;

	if (EVP_Digest(authority->spki.data, authority->spki.size, hash, NULL,
	               openssl_digest(CKM_SHA256), NULL) != 1)
		return openssl_failure(CKR_HOST_MEMORY);
	text = malloc(sizeof prefix + 44);
	if (text == NULL)
		return CKR_HOST_MEMORY;
	memcpy(text, prefix, sizeof prefix);
	EVP_EncodeBlock((unsigned char *)text + sizeof prefix - 1, hash, sizeof hash);
	text[strcspn(text, "=")] = '\0';
	authority->fingerprint = text;
	return CKR_OK;
}

/* Takes key. */
static CK_RV
authority_take(EVP_PKEY *key, struct authority **ret_authority)
{
	struct authority *authority = NULL;
	unsigned char *der = NULL;
	int size;
	CK_RV rv;

	authority = calloc(1, sizeof *authority);
	if (authority == NULL) {
		EVP_PKEY_free(key);
		return CKR_HOST_MEMORY;
	}
	authority->key = key;
	if (!key_good(key, &authority->rsa)) {
		rv = openssl_failure(CKR_PUBLIC_KEY_INVALID);
		goto out;
	}
	authority->signature_size = authority->rsa ? (size_t)EVP_PKEY_get_size(key) : 2 * ECDSA_PART;
	size = i2d_PUBKEY(key, &der);
	if (size <= 0) {
		rv = openssl_failure(CKR_PUBLIC_KEY_INVALID);
		goto out;
	}
	rv = buffer_set(&authority->spki, der, (size_t)size);
	if (rv != CKR_OK)
		goto out;
	rv = fingerprint_make(authority);
	if (rv != CKR_OK)
		goto out;
	rv = prepare(authority);
	if (rv != CKR_OK)
		goto out;
	*ret_authority = authority;
	authority = NULL;
out:
	OPENSSL_free(der);
	authority_free(&authority);
	return rv;
}

CK_RV
authority_new(const void *spki, size_t size, struct authority **ret_authority)
{
	const unsigned char *at = spki;
	EVP_PKEY *key;

	if (size == 0 || size > PEM_MAX)
		return CKR_PUBLIC_KEY_INVALID;
	key = d2i_PUBKEY_ex(NULL, &at, (long)size, openssl_context(), NULL);
	if (key == NULL)
		return openssl_failure(CKR_PUBLIC_KEY_INVALID);
	if (at != (const unsigned char *)spki + size) {
		EVP_PKEY_free(key);
		return CKR_PUBLIC_KEY_INVALID;
	}
	return authority_take(key, ret_authority);
}

static void
why(char **ret_why, const char *path, const char *reason)
{
	*ret_why = text_format("%s: %s", path, reason);
}

bool
authority_read(const char *path, struct authority **ret_authority, char **ret_why)
{
	struct buffer content = BUFFER_INIT;
	EVP_PKEY *key = NULL;
	BIO *bio = NULL;
	bool good = false;
	CK_RV rv;

	if (!file_read(path, FILE_PUBLIC, PEM_MAX, &content, ret_why))
		return false;
	if (content.size == 0) {
		why(ret_why, path, "is empty; copy the authority's file from the authority host");
		goto out;
	}
	bio = BIO_new_mem_buf(content.data, (int)content.size);
	if (bio != NULL)
		key = PEM_read_bio_PUBKEY_ex(bio, NULL, NULL, NULL, openssl_context(), NULL);
	if (key == NULL) {
		rv = openssl_failure(CKR_PUBLIC_KEY_INVALID);
		why(ret_why, path, rv == CKR_HOST_MEMORY ? "not enough memory" :
		    "holds no PEM public key (-----BEGIN PUBLIC KEY-----); "
		    "copy the authority's file from the authority host");
		goto out;
	}
	rv = authority_take(key, ret_authority);
	if (rv != CKR_OK) {
		why(ret_why, path, rv == CKR_HOST_MEMORY ? "not enough memory" :
		    "is not a key that can be an authority (P-256, or RSA of 2048 bits and more); "
		    "copy the authority's file from the authority host");
		goto out;
	}
	good = true;
out:
	BIO_free(bio);
	buffer_clear(&content);
	return good;
}

bool
authority_replace(const struct authority *authority, const char *path, char **ret_why)
{
	BIO *bio = NULL;
	char *text = NULL;
	long size;
	bool good = false;

	bio = BIO_new(BIO_s_mem());
	if (bio == NULL || PEM_write_bio_PUBKEY(bio, authority->key) != 1) {
		(void)openssl_failure(CKR_HOST_MEMORY);
		why(ret_why, path, "not enough memory");
		goto out;
	}
	size = BIO_get_mem_data(bio, &text);
	good = file_write(path, text, (size_t)size, 0644, ret_why);
out:
	BIO_free(bio);
	return good;
}

bool
authority_write(const struct authority *authority, const char *path, char **ret_why)
{
	struct stat status;

	if (lstat(path, &status) == 0) {
		why(ret_why, path, "is there already and is not replaced; "
		    "move it away if it is of no use any more");
		return false;
	}
	return authority_replace(authority, path, ret_why);
}

void
authority_free(struct authority **authority)
{
	struct authority *old = *authority;

	if (old == NULL)
		return;
	EVP_PKEY_CTX_free(old->prepared);
	EVP_PKEY_free(old->key);
	buffer_clear(&old->spki);
	free(old->fingerprint);
	free(old);
	*authority = NULL;
}

const struct buffer *
authority_spki(const struct authority *authority)
{
	return &authority->spki;
}

const char *
authority_fingerprint(const struct authority *authority)
{
	return authority->fingerprint;
}

CK_RV
authority_verify(const struct authority *authority, const void *message, size_t size,
                 const void *signature, size_t signature_size)
{
	unsigned char hash[32], der[OPENSSL_ECDSA_DER_MAX];
	EVP_PKEY_CTX *context;
	CK_RV rv;

	if (signature_size != authority->signature_size)
		return CKR_SIGNATURE_INVALID;
	if (EVP_Digest(message, size, hash, NULL, openssl_digest(CKM_SHA256), NULL) != 1)
		return openssl_failure(CKR_HOST_MEMORY);
	if (!authority->rsa) {
		rv = openssl_ecdsa_der(signature, signature_size, der, &signature_size);
		if (rv != CKR_OK)
			return rv;
		signature = der;
	}
	context = EVP_PKEY_CTX_dup(authority->prepared);
	if (context == NULL)
		return openssl_failure(CKR_HOST_MEMORY);
	rv = CKR_OK;
	if (EVP_PKEY_verify(context, signature, signature_size, hash, sizeof hash) != 1)
		rv = openssl_failure(CKR_SIGNATURE_INVALID);
	EVP_PKEY_CTX_free(context);
	return rv;
}
