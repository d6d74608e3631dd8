/* SPDX-License-Identifier: Apache-2.0 */
#include "kms/kmip-probe.h"

#include "base/log.h"
#include "base/openssl.h"
#include "base/text.h"
#include "kms/kmip-crypto.h"
#include "kms/kmip-find.h"
#include "kms/kmip-identity.h"
#include "kms/kmip-key.h"
#include "kms/kmip-pair.h"

#include <openssl/rsa.h>
#include <openssl/x509.h>

#include <stdlib.h>
#include <string.h>

#define SIGNATURE_MAX 512
#define ECDSA_SIZE_MAX 132 /* of P-521 */
/* Not the length of a hash: a server that honours it does not just do what it always does. */
#define SALT_SIZE 20

static const unsigned char message[] = "p11-kms self-test";

struct probe {
	struct kmip_session *session;
	struct kmip_abilities *abilities;
	char identifier[KMIP_IDENTIFIER_MAX + 1]; /* of the private key */
	EVP_PKEY *key;                            /* owned: the public one */
};

static const struct {
	const char *algorithm, *private_name, *public_name;
	uint32_t private_usage, public_usage;
} pairs[] = {
	{ "rsa-2048", "p11-kms:self-test:rsa", "p11-kms:self-test:rsa:public",
	  KMIP_USAGE_SIGN | KMIP_USAGE_DECRYPT, KMIP_USAGE_VERIFY | KMIP_USAGE_ENCRYPT },
	{ "p-256", "p11-kms:self-test:ec", "p11-kms:self-test:ec:public",
	  KMIP_USAGE_SIGN, KMIP_USAGE_VERIFY },
};

static void
offer(struct probe *probe, CK_MECHANISM_TYPE primitive)
{
	struct kmip_abilities *abilities = probe->abilities;

	if (abilities->count < KMIP_PRIMITIVES_MAX)
		abilities->primitives[abilities->count++] = primitive;
}

/* text (taken; NULL when memory is short): "does not …" */
static void
lack(struct kmip_session *session, struct kmip_abilities *abilities,
     void (*log)(const char *format, ...), char *text)
{
	if (text == NULL)
		return;
	log("token %s: the KMIP server %s", session->kmip->config->name, text);
	if (abilities->lack_count < KMIP_LACKS_MAX)
		abilities->lacks[abilities->lack_count++] = text;
	else
		free(text);
}

/* Both halves, found or made. */
static CK_RV
find_pair(struct kmip_session *session, size_t index, char *ret_private, char *ret_public)
{
	struct kmip_pair pair = {
		.algorithm = algorithm_by_name(pairs[index].algorithm),
		.private_name = pairs[index].private_name,
		.public_name = pairs[index].public_name,
		.label = KMIP_PROBE_LABEL,
		.group = KMIP_NAMESPACE ":self-test",
		.private_usage = pairs[index].private_usage,
		.public_usage = pairs[index].public_usage,
	};
	CK_RV rv;

	rv = kmip_find_named(session, KMIP_OBJECT_PRIVATE_KEY, pair.private_name, ret_private);
	if (rv == CKR_OK)
		rv = kmip_find_named(session, KMIP_OBJECT_PUBLIC_KEY, pair.public_name, ret_public);
	/* Who made them may not have come that far. */
	if (rv == CKR_OK)
		rv = kmip_pair_activate(session, ret_private, ret_public);
	if (rv != CKR_KEY_HANDLE_INVALID)
		return rv;
	rv = kmip_pair_make(session, &pair, ret_private, ret_public);
	/* It does no harm to make another. */
	session->attempt->final = false;
	return rv;
}

static CK_RV
start(struct probe *probe, size_t index)
{
	const struct algorithm *algorithm = algorithm_by_name(pairs[index].algorithm);
	char public_identifier[KMIP_IDENTIFIER_MAX + 1];
	struct buffer spki = BUFFER_INIT;
	const unsigned char *at;
	CK_RV rv;

	rv = find_pair(probe->session, index, probe->identifier, public_identifier);
	if (rv == CKR_OK)
		rv = kmip_key_get(probe->session, public_identifier, &spki);
	if (rv != CKR_OK)
		return rv;
	at = spki.data;
	probe->key = d2i_PUBKEY_ex(NULL, &at, (long)spki.size, openssl_context(), NULL);
	if (probe->key == NULL)
		rv = openssl_failure(CKR_PUBLIC_KEY_INVALID);
	/* Not the one that was asked for: what it makes would have another size. */
	else if (EVP_PKEY_is_a(probe->key, "RSA") != (algorithm->key_type == CKK_RSA) ||
	         EVP_PKEY_get_bits(probe->key) != (int)algorithm->bits)
		rv = CKR_PUBLIC_KEY_INVALID;
	buffer_clear(&spki);
	return rv;
}

/* padding: RSA_PKCS1_PADDING, RSA_PKCS1_PSS_PADDING with SALT_SIZE, 0 for ECDSA. */
static CK_RV
verify(const struct probe *probe, int padding, CK_MECHANISM_TYPE digest,
       const unsigned char *signature, size_t size)
{
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	const char *name = EVP_MD_get0_name(openssl_digest(digest));
	EVP_PKEY_CTX *parameters;
	unsigned char der[OPENSSL_ECDSA_DER_MAX];
	CK_RV rv = CKR_OK;

	if (padding == 0) {
		rv = size > ECDSA_SIZE_MAX ? CKR_SIGNATURE_INVALID :
		                             openssl_ecdsa_der(signature, size, der, &size);
		signature = der;
	}
	if (rv == CKR_OK &&
	    (context == NULL ||
	     EVP_DigestVerifyInit_ex(context, &parameters, name, openssl_context(), NULL, probe->key,
	                             NULL) != 1 ||
	     (padding != 0 && EVP_PKEY_CTX_set_rsa_padding(parameters, padding) != 1) ||
	     (padding == RSA_PKCS1_PSS_PADDING &&
	      EVP_PKEY_CTX_set_rsa_pss_saltlen(parameters, SALT_SIZE) != 1) ||
	     EVP_DigestVerify(context, signature, size, message,
	                      sizeof message) != 1))
		rv = openssl_failure(CKR_SIGNATURE_INVALID);
	EVP_MD_CTX_free(context);
	return rv;
}

/* What stands for one way to sign: by the digest, or for each hash by the message. */
struct family {
	const char *name;
	int padding;
	CK_MECHANISM_TYPE by_digest, by_message[4];
};

static const CK_MECHANISM_TYPE digests[4] = { CKM_SHA224, CKM_SHA256, CKM_SHA384, CKM_SHA512 };
static const CK_RSA_PKCS_MGF_TYPE masks[4] = {
	CKG_MGF1_SHA224, CKG_MGF1_SHA256, CKG_MGF1_SHA384, CKG_MGF1_SHA512,
};

static const struct family families[] = {
	{ "RSA PKCS#1 v1.5", RSA_PKCS1_PADDING, CKM_RSA_PKCS,
	  { CKM_SHA224_RSA_PKCS, CKM_SHA256_RSA_PKCS, CKM_SHA384_RSA_PKCS, CKM_SHA512_RSA_PKCS } },
	{ "RSA PSS", RSA_PKCS1_PSS_PADDING, CKM_RSA_PKCS_PSS,
	  { CKM_SHA224_RSA_PKCS_PSS, CKM_SHA256_RSA_PKCS_PSS, CKM_SHA384_RSA_PKCS_PSS,
	    CKM_SHA512_RSA_PKCS_PSS } },
	{ "ECDSA", 0, CKM_ECDSA,
	  { CKM_ECDSA_SHA224, CKM_ECDSA_SHA256, CKM_ECDSA_SHA384, CKM_ECDSA_SHA512 } },
};

/* The DigestInfo of a SHA-256 begins so (RFC 8017, section 9.2, note 1). */
static const unsigned char digest_info_sha256[] = {
	0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01,
	0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x20,
};

static CK_RV
sign_and_verify(struct probe *probe, const struct family *family, CK_MECHANISM_TYPE type,
                size_t hash, const void *data, size_t size)
{
	CK_RSA_PKCS_PSS_PARAMS pss = { digests[hash], masks[hash], SALT_SIZE };
	CK_MECHANISM mechanism = { type, NULL, 0 };
	unsigned char signature[SIGNATURE_MAX];
	size_t signature_size = sizeof signature;
	CK_RV rv;

	if (family->padding == RSA_PKCS1_PSS_PADDING) {
		mechanism.pParameter = &pss;
		mechanism.ulParameterLen = sizeof pss;
	}
	rv = kmip_sign(probe->session, probe->identifier, &mechanism, data, size, signature,
	               &signature_size);
	if (rv != CKR_OK)
		return rv;
	return verify(probe, family->padding, digests[hash], signature, signature_size);
}

static CK_RV
sign_digest(struct probe *probe, const struct family *family)
{
	unsigned char block[sizeof digest_info_sha256 + EVP_MAX_MD_SIZE];
	size_t prefix = family->padding == RSA_PKCS1_PADDING ? sizeof digest_info_sha256 : 0;
	unsigned size;

	memcpy(block, digest_info_sha256, sizeof digest_info_sha256);
	if (EVP_Digest(message, sizeof message, block + prefix, &size, openssl_digest(CKM_SHA256),
	               NULL) != 1)
		return openssl_failure(CKR_HOST_MEMORY);
	return sign_and_verify(probe, family, family->by_digest, 1, block, prefix + size);
}

/* A digest will do for every hash; else the server must hash itself. */
static CK_RV
probe_signing(struct probe *probe, const struct family *family)
{
	bool any = false;
	CK_RV rv = CKR_FUNCTION_NOT_SUPPORTED;

	/* Digested Data are of KMIP 1.4. */
	if (probe->session->minor >= 4)
		rv = sign_digest(probe, family);
	if (rv == CKR_OK)
		offer(probe, family->by_digest);
	for (size_t i = 0; rv != CKR_OK && !kmip_session_is_lost(rv) && i < 4; i++) {
		rv = sign_and_verify(probe, family, family->by_message[i], i, message, sizeof message);
		any |= rv == CKR_OK;
		if (rv == CKR_OK)
			offer(probe, family->by_message[i]);
		if (!kmip_session_is_lost(rv))
			rv = CKR_FUNCTION_NOT_SUPPORTED;
	}
	if (kmip_session_is_lost(rv))
		return rv;
	if (rv != CKR_OK && !any)
		lack(probe->session, probe->abilities, log_info,
		     text_format("does not sign with %s (%s); it is not offered", family->name,
		                 kmip_session_refusal(probe->session)));
	return CKR_OK;
}

static CK_RV
encrypt(const struct probe *probe, CK_MECHANISM_TYPE hash, unsigned char *ret_ciphertext,
        size_t *ret_size)
{
	EVP_PKEY_CTX *context;
	CK_RV rv = CKR_OK;

	context = EVP_PKEY_CTX_new_from_pkey(openssl_context(), probe->key, NULL);
	if (context == NULL || EVP_PKEY_encrypt_init(context) != 1 ||
	    EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_OAEP_PADDING) != 1 ||
	    EVP_PKEY_CTX_set_rsa_oaep_md(context, openssl_digest(hash)) != 1 ||
	    EVP_PKEY_encrypt(context, ret_ciphertext, ret_size, message, sizeof message) != 1)
		rv = openssl_failure(CKR_FUNCTION_FAILED);
	EVP_PKEY_CTX_free(context);
	return rv;
}

/* OAEP with one hash for all. */
static CK_RV
decrypt(struct probe *probe, CK_MECHANISM_TYPE hash, CK_RSA_PKCS_MGF_TYPE mask)
{
	CK_RSA_PKCS_OAEP_PARAMS oaep = { hash, mask, CKZ_DATA_SPECIFIED, NULL, 0 };
	CK_MECHANISM mechanism = { CKM_RSA_PKCS_OAEP, &oaep, sizeof oaep };
	unsigned char ciphertext[SIGNATURE_MAX];
	size_t size = sizeof ciphertext;
	struct secret *plaintext = NULL;
	CK_RV rv;

	rv = encrypt(probe, hash, ciphertext, &size);
	if (rv == CKR_OK)
		rv = kmip_decrypt(probe->session, probe->identifier, &mechanism, ciphertext, size,
		                  &plaintext);
	if (rv == CKR_OK && !secret_equal(plaintext, message, sizeof message))
		rv = CKR_ENCRYPTED_DATA_INVALID;
	secret_free(&plaintext);
	return rv;
}

/*
 * Before KMIP 1.4 there was no way to say what the mask is made with, so that SHA-1 may be
 * all that a server and we agree on.
 */
static CK_RV
probe_decryption(struct probe *probe)
{
	CK_RV sha1, sha256;

	sha256 = decrypt(probe, CKM_SHA256, CKG_MGF1_SHA256);
	if (kmip_session_is_lost(sha256))
		return sha256;
	sha1 = decrypt(probe, CKM_SHA_1, CKG_MGF1_SHA1);
	if (kmip_session_is_lost(sha1))
		return sha1;
	if (sha1 == CKR_OK || sha256 == CKR_OK)
		offer(probe, CKM_RSA_PKCS_OAEP);
	else
		lack(probe->session, probe->abilities, log_warning,
		     text_format("does not decrypt with RSA OAEP (%s); it is not offered",
		                 kmip_session_refusal(probe->session)));
	if (sha1 == CKR_OK && sha256 != CKR_OK) {
		offer(probe, CKM_P11_KMS_OAEP_SHA1_ONLY);
		lack(probe->session, probe->abilities, log_warning,
		     text_format("does not decrypt with RSA OAEP with other hashes than SHA-1"));
	}
	return CKR_OK;
}

/*
 * A kind of key that the server does not make, or makes in a way that is not understood, is
 * not offered.
 */
static CK_RV
probe_pair(struct kmip_session *session, size_t index, struct kmip_abilities *abilities)
{
	bool rsa = strcmp(pairs[index].algorithm, "rsa-2048") == 0;
	struct probe probe = { .session = session, .abilities = abilities };
	CK_RV rv;

	rv = start(&probe, index);
	if (rv == CKR_OK) {
		offer(&probe, algorithm_by_name(pairs[index].algorithm)->generate);
		rv = probe_signing(&probe, &families[rsa ? 0 : 2]);
		if (rv == CKR_OK && rsa)
			rv = probe_signing(&probe, &families[1]);
		if (rv == CKR_OK && rsa)
			rv = probe_decryption(&probe);
	} else if (!kmip_session_is_lost(rv)) {
		lack(session, abilities, log_info,
		     text_format("does not make %s keys that can be used (%s); they are not offered",
		                 rsa ? "RSA" : "EC", kmip_session_refusal(session)));
		rv = CKR_OK;
	}
	EVP_PKEY_free(probe.key);
	return rv;
}

void
kmip_abilities_clear(struct kmip_abilities *abilities)
{
	for (size_t i = 0; i < abilities->lack_count; i++)
		free(abilities->lacks[i]);
	*abilities = (struct kmip_abilities){ .count = 0 };
}

CK_RV
kmip_probe(struct kmip_session *session, struct kmip_abilities *ret_abilities)
{
	struct kmip_abilities abilities = { .count = 0 };
	CK_RV rv = CKR_OK;

	session->quiet = true;
	for (size_t i = 0; rv == CKR_OK && i < sizeof pairs / sizeof *pairs; i++)
		rv = probe_pair(session, i, &abilities);
	session->quiet = false;
	if (rv == CKR_OK)
		*ret_abilities = abilities;
	else
		kmip_abilities_clear(&abilities);
	return rv;
}
