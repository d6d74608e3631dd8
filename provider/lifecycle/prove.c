/* SPDX-License-Identifier: Apache-2.0 */
#include "lifecycle/lifecycle.h"

#include "base/log.h"
#include "base/openssl.h"
#include "lifecycle/signing.h"
#include "mechanism/ecdh.h"

#include <openssl/rand.h>

#include <string.h>

struct proof {
	struct kms *kms;
	const struct token_record *token;
	struct kms_key key;
	struct public_key *public_key;
	struct deadline deadline;
	unsigned char data[32]; /* random: what is signed or encrypted */
	bool given;             /* at least one proof was given */
	bool trying;            /* a failure is an answer, not an error */
};

/* Failures of the way to the KMS stay what they are; all others mean that the pair is no good. */
static CK_RV
verdict(const struct proof *proof, const char *what, CK_RV rv)
{
	switch (rv) {
	case CKR_OK:
	case CKR_DEVICE_ERROR:
	case CKR_HOST_MEMORY:
	case CKR_USER_NOT_LOGGED_IN:
		return rv;
	default:
		(proof->trying ? log_debug : log_error)(
		        "a private key does not %s with its public half: %s", what, ckr_name(rv));
		return CKR_FUNCTION_FAILED;
	}
}

static CK_RV
sign_and_verify(struct proof *proof, const struct mechanism_use *use)
{
	struct buffer signature = BUFFER_INIT;
	CK_RV rv = key_sign(proof->kms, proof->token, &proof->key, proof->public_key, use,
	                    proof->data, sizeof proof->data, proof->deadline, &signature);

	buffer_clear(&signature);
	return rv;
}

/* The first of the mechanisms for this type of key that the KMS offers. */
static CK_RV
prove_signing(struct proof *proof)
{
	CK_RSA_PKCS_PSS_PARAMS pss = { CKM_SHA256, CKG_MGF1_SHA256, 32 };
	CK_MECHANISM mechanisms[] = {
		{ CKM_SHA256_RSA_PKCS, NULL, 0 },
		{ CKM_SHA256_RSA_PKCS_PSS, &pss, sizeof pss },
		{ CKM_ECDSA_SHA256, NULL, 0 },
		{ CKM_EDDSA, NULL, 0 },
	};
	CK_KEY_TYPE type = public_key_type(proof->public_key);
	struct mechanism_use use;
	CK_RV rv;

	for (size_t i = 0; i < sizeof mechanisms / sizeof mechanisms[0]; i++) {
		const struct mechanism *row = mechanism_find(mechanisms[i].mechanism);

		if (row == NULL || row->key_type != type ||
		    (mechanism_flags(row, false, token_record_offers, proof->token) & CKF_SIGN) == 0)
			continue;
		rv = mechanism_use_init(&mechanisms[i], CKF_SIGN, proof->public_key, &use);
		if (rv != CKR_OK)
			return rv;
		rv = sign_and_verify(proof, &use);
		mechanism_use_clear(&use);
		proof->given = rv == CKR_OK;
		return verdict(proof, "sign", rv);
	}
	return CKR_OK;
}

static CK_RV
encrypt_and_decrypt(struct proof *proof, const struct mechanism_use *use)
{
	struct secret *block = NULL, *plaintext = NULL;
	struct buffer ciphertext = BUFFER_INIT;
	struct mechanism_plan plan;
	CK_RV rv;

	rv = mechanism_plan_decrypt(use, proof->public_key, token_record_offers, proof->token, &plan);
	if (rv != CKR_OK)
		return rv;
	rv = buffer_resize(&ciphertext, mechanism_output_size(use, proof->public_key));
	if (rv != CKR_OK)
		goto out;
	rv = mechanism_encrypt(use, proof->public_key, proof->data, sizeof proof->data,
	                       ciphertext.data);
	if (rv != CKR_OK)
		goto out;
	rv = kms_decrypt(proof->kms, &proof->key, &plan.primitive, ciphertext.data, ciphertext.size,
	                 proof->deadline, &block);
	if (rv == CKR_OK && plan.unpad)
		rv = mechanism_unpad(use, proof->public_key, block, &plaintext);
	if (rv != CKR_OK)
		goto out;
	if (!secret_equal(plan.unpad ? plaintext : block, proof->data, sizeof proof->data))
		rv = CKR_ENCRYPTED_DATA_INVALID;
out:
	secret_free(&plaintext);
	secret_free(&block);
	buffer_clear(&ciphertext);
	return rv;
}

/* OAEP with SHA-256, or with SHA-1 when that is all the KMS can do. */
static CK_RV
prove_decryption(struct proof *proof)
{
	CK_RSA_PKCS_OAEP_PARAMS parameters[] = {
		{ CKM_SHA256, CKG_MGF1_SHA256, CKZ_DATA_SPECIFIED, NULL, 0 },
		{ CKM_SHA_1, CKG_MGF1_SHA1, CKZ_DATA_SPECIFIED, NULL, 0 },
	};
	struct mechanism_use use;
	CK_RV rv;

	if (public_key_type(proof->public_key) != CKK_RSA)
		return CKR_OK;
	for (size_t i = 0; i < sizeof parameters / sizeof parameters[0]; i++) {
		CK_MECHANISM mechanism = { CKM_RSA_PKCS_OAEP, &parameters[i], sizeof parameters[i] };

		rv = mechanism_use_init(&mechanism, CKF_DECRYPT, proof->public_key, &use);
		if (rv != CKR_OK)
			return rv;
		rv = encrypt_and_decrypt(proof, &use);
		mechanism_use_clear(&use);
		if (rv == CKR_MECHANISM_INVALID || rv == CKR_MECHANISM_PARAM_INVALID)
			continue;
		proof->given |= rv == CKR_OK;
		return verdict(proof, "decrypt", rv);
	}
	/* Such a key would take data in that nobody gets out again. */
	return verdict(proof, "decrypt", CKR_MECHANISM_INVALID);
}

/* Both halves agree on the same with a pair that is made here. */
static CK_RV
prove_derivation(struct proof *proof)
{
	CK_ECDH1_DERIVE_PARAMS parameter = { .kdf = CKD_NULL };
	CK_MECHANISM mechanism = { CKM_ECDH1_DERIVE, &parameter, sizeof parameter };
	struct secret *expected = NULL, *shared = NULL;
	struct buffer point = BUFFER_INIT;
	CK_RV rv;

	if (!token_record_has(proof->token, CKM_ECDH1_DERIVE))
		return CKR_OK;
	rv = ecdh_challenge(public_key_evp(proof->public_key), &point, &expected);
	if (rv != CKR_OK)
		goto out;
	parameter.pPublicData = point.data;
	parameter.ulPublicDataLen = point.size;
	rv = kms_derive(proof->kms, &proof->key, &mechanism, proof->deadline, &shared);
	if (rv == CKR_OK &&
	    !secret_equal(shared, secret_bytes(expected), secret_size(expected)))
		rv = CKR_FUNCTION_FAILED;
	proof->given |= rv == CKR_OK;
out:
	secret_free(&shared);
	secret_free(&expected);
	buffer_clear(&point);
	return verdict(proof, "agree", rv);
}

static CK_RV
proof_begin(struct proof *proof, const void *id, size_t id_size, const struct buffer *spki)
{
	proof->key.id = id;
	proof->key.id_size = id_size;
	if (RAND_bytes_ex(openssl_context(), proof->data, sizeof proof->data, 0) != 1)
		return openssl_failure(CKR_FUNCTION_FAILED);
	return public_key_new(spki->data, spki->size, &proof->public_key);
}

CK_RV
lifecycle_try(struct kms *kms, const struct token_record *token, unsigned usage, const void *id,
              size_t id_size, const struct buffer *spki, struct deadline deadline,
              unsigned *ret_usage)
{
	struct proof proof = { .kms = kms, .token = token, .deadline = deadline, .trying = true };
	const unsigned decryption = USAGE_DECRYPT | USAGE_UNWRAP;
	bool signs = false, decrypts = false, derives = false;
	CK_RV rv;

	rv = proof_begin(&proof, id, id_size, spki);
	if (rv == CKR_OK && (usage & USAGE_SIGN) != 0) {
		rv = prove_signing(&proof);
		signs = rv == CKR_OK && proof.given;
	}
	proof.given = false;
	if ((rv == CKR_OK || rv == CKR_FUNCTION_FAILED) && (usage & decryption) != 0) {
		rv = prove_decryption(&proof);
		decrypts = rv == CKR_OK && proof.given;
	}
	proof.given = false;
	if ((rv == CKR_OK || rv == CKR_FUNCTION_FAILED) && (usage & USAGE_DERIVE) != 0) {
		rv = prove_derivation(&proof);
		derives = rv == CKR_OK && proof.given;
	}
	public_key_free(&proof.public_key);
	if (!signs && !decrypts && !derives)
		return rv == CKR_OK ? CKR_FUNCTION_FAILED : rv;
	if (rv != CKR_OK && rv != CKR_FUNCTION_FAILED)
		return rv;
	*ret_usage = usage & ~((signs ? 0U : USAGE_SIGN) | (decrypts ? 0U : decryption) |
	                       (derives ? 0U : USAGE_DERIVE));
	return CKR_OK;
}

CK_RV
lifecycle_prove(struct kms *kms, const struct token_record *token, unsigned usage, const void *id,
                size_t id_size, const struct buffer *spki, struct deadline deadline)
{
	struct proof proof = { .kms = kms, .token = token, .deadline = deadline };
	CK_RV rv;

	rv = proof_begin(&proof, id, id_size, spki);
	if (rv != CKR_OK)
		return rv;
	if ((usage & USAGE_SIGN) != 0)
		rv = prove_signing(&proof);
	if (rv == CKR_OK && (usage & (USAGE_DECRYPT | USAGE_UNWRAP)) != 0)
		rv = prove_decryption(&proof);
	if (rv == CKR_OK && (usage & USAGE_DERIVE) != 0)
		rv = prove_derivation(&proof);
	if (rv == CKR_OK && !proof.given) {
		log_error("the KMS offers no mechanism that a new key could be used with");
		rv = CKR_FUNCTION_FAILED;
	}
	public_key_free(&proof.public_key);
	return rv;
}
