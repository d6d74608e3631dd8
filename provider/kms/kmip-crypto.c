/* SPDX-License-Identifier: Apache-2.0 */
#include "kms/kmip-crypto.h"

#include "base/log.h"

#include <string.h>

/* The longest plaintext: of RSA with 16384 bits. */
#define PLAINTEXT_MAX 2048

/* Why the server does not do what it was asked: the program gets but a code. */
static void
log_refusal(const struct kmip_session *session, enum kmip_operation operation)
{
	if (!session->quiet)
		log_error("token %s: KMIP server %s refuses to %s: %s", session->kmip->config->name,
		          session->server->name, operation == KMIP_SIGN ? "sign" : "decrypt",
		          kmip_session_refusal(session));
}

/* KMIP 1.4, section 3.6; in its order, which some servers insist on. */
static void
write_signing(struct ttlv_writer *writer, const struct kmip_signing *signing)
{
	ttlv_open(writer, KMIP_CRYPTOGRAPHIC_PARAMETERS);
	if (signing->padding != 0)
		ttlv_enumeration(writer, KMIP_PADDING_METHOD, signing->padding);
	ttlv_enumeration(writer, KMIP_HASHING_ALGORITHM, signing->hash);
	ttlv_enumeration(writer, KMIP_DIGITAL_SIGNATURE_ALGORITHM, signing->signature);
	ttlv_enumeration(writer, KMIP_CRYPTOGRAPHIC_ALGORITHM, signing->algorithm);
	if (signing->salted) {
		ttlv_integer(writer, KMIP_SALT_LENGTH, signing->salt_size);
		ttlv_enumeration(writer, KMIP_MASK_GENERATOR, KMIP_MGF1);
		ttlv_enumeration(writer, KMIP_MASK_GENERATOR_HASHING_ALGORITHM, signing->mask_hash);
	}
	ttlv_close(writer);
}

static CK_RV
take_signature(struct kmip_session *session, const struct kmip_answer *answer, uint32_t algorithm,
               unsigned char *ret_signature, size_t *ret_size)
{
	const unsigned char *signature;
	size_t size;

	if (!ttlv_get_bytes(&answer->payload, KMIP_SIGNATURE_DATA, &signature, &size) || size == 0)
		return kmip_session_malformed(session, KMIP_SIGN);
	if (algorithm == KMIP_ECDSA) {
		if (kmip_ecdsa_join(signature, size, ret_signature, ret_size) != CKR_OK)
			return kmip_session_malformed(session, KMIP_SIGN);
		return CKR_OK;
	}
	if (size > *ret_size)
		return kmip_session_malformed(session, KMIP_SIGN);
	memcpy(ret_signature, signature, size);
	*ret_size = size;
	return CKR_OK;
}

CK_RV
kmip_sign(struct kmip_session *session, const char *identifier, const CK_MECHANISM *primitive,
          const void *data, size_t data_size, unsigned char *ret_signature, size_t *ret_size)
{
	struct kmip_signing signing;
	struct kmip_answer answer;
	struct ttlv_writer *writer;
	CK_RV rv;

	rv = kmip_signing_plan(primitive, data, data_size, &signing);
	if (rv != CKR_OK)
		return rv;
	writer = kmip_session_request_on(session, KMIP_SIGN, identifier);
	write_signing(writer, &signing);
	ttlv_bytes(writer, signing.digested ? KMIP_DIGESTED_DATA : KMIP_DATA, signing.data,
	           signing.data_size);
	rv = kmip_session_call(session, KMIP_SIGN, &answer);
	switch (rv) {
	case CKR_OK:
		rv = take_signature(session, &answer, signing.algorithm, ret_signature, ret_size);
		break;
	case CKR_ARGUMENTS_BAD:
	case CKR_FUNCTION_NOT_SUPPORTED:
		log_refusal(session, KMIP_SIGN);
		rv = CKR_MECHANISM_INVALID;
		break;
	case CKR_KEY_FUNCTION_NOT_PERMITTED:
		log_refusal(session, KMIP_SIGN);
		break;
	default:
		break;
	}
	kmip_answer_clear(&answer);
	return rv;
}

struct decryption {
	uint32_t hash, mask_hash;
	const void *label;
	size_t label_size;
};

static CK_RV
plan_decryption(const CK_MECHANISM *primitive, struct decryption *ret_decryption)
{
	CK_RSA_PKCS_OAEP_PARAMS oaep;
	struct decryption decryption;

	if (primitive->mechanism != CKM_RSA_PKCS_OAEP)
		return CKR_MECHANISM_INVALID;
	if (primitive->pParameter == NULL || primitive->ulParameterLen != sizeof oaep)
		return CKR_MECHANISM_PARAM_INVALID;
	memcpy(&oaep, primitive->pParameter, sizeof oaep);
	decryption.hash = kmip_hash_of(oaep.hashAlg);
	decryption.mask_hash = kmip_hash_of_mgf(oaep.mgf);
	decryption.label = oaep.pSourceData;
	decryption.label_size = oaep.ulSourceDataLen;
	if (decryption.hash == 0 || decryption.mask_hash == 0)
		return CKR_MECHANISM_PARAM_INVALID;
	*ret_decryption = decryption;
	return CKR_OK;
}

/* exact: with the fields of KMIP 1.4 that say what the mask and the label are. */
static CK_RV
request_decryption(struct kmip_session *session, const char *identifier,
                   const struct decryption *decryption, bool exact, const void *data,
                   size_t data_size, struct kmip_answer *answer)
{
	struct ttlv_writer *writer = kmip_session_request_on(session, KMIP_DECRYPT, identifier);

	ttlv_open(writer, KMIP_CRYPTOGRAPHIC_PARAMETERS);
	ttlv_enumeration(writer, KMIP_PADDING_METHOD, KMIP_PADDING_OAEP);
	ttlv_enumeration(writer, KMIP_HASHING_ALGORITHM, decryption->hash);
	ttlv_enumeration(writer, KMIP_CRYPTOGRAPHIC_ALGORITHM, KMIP_RSA);
	if (exact) {
		ttlv_enumeration(writer, KMIP_MASK_GENERATOR, KMIP_MGF1);
		ttlv_enumeration(writer, KMIP_MASK_GENERATOR_HASHING_ALGORITHM, decryption->mask_hash);
		if (decryption->label_size > 0)
			ttlv_bytes(writer, KMIP_P_SOURCE, decryption->label, decryption->label_size);
	}
	ttlv_close(writer);
	ttlv_bytes(writer, KMIP_DATA, data, data_size);
	return kmip_session_call(session, KMIP_DECRYPT, answer);
}

/*
 * SHA-1 and no label are what the fields mean when they are left out, so they are, for
 * servers that don't know them. The same hash for both is what some servers take it for.
 */
static CK_RV
decrypt(struct kmip_session *session, const char *identifier, const struct decryption *decryption,
        const void *data, size_t data_size, struct kmip_answer *answer)
{
	bool same = decryption->mask_hash == decryption->hash && decryption->label_size == 0;
	bool exact = !(same && decryption->hash == KMIP_SHA_1) && session->minor >= 4;
	CK_RV rv;

	if (!same && !exact)
		return CKR_MECHANISM_PARAM_INVALID;
	rv = request_decryption(session, identifier, decryption, exact, data, data_size, answer);
	if (rv != CKR_ARGUMENTS_BAD || !exact || !same)
		return rv;
	kmip_answer_clear(answer);
	return request_decryption(session, identifier, decryption, false, data, data_size, answer);
}

static CK_RV
take_plaintext(struct kmip_session *session, const struct kmip_answer *answer,
               struct secret **ret_plaintext)
{
	struct ttlv item;

	/* An empty plaintext may be no Data at all; but not Data that are something else. */
	if (!ttlv_find(&answer->payload, KMIP_DATA, &item))
		return secret_dup(NULL, 0, ret_plaintext);
	if (item.type != TTLV_BYTE_STRING || item.size > PLAINTEXT_MAX)
		return kmip_session_malformed(session, KMIP_DECRYPT);
	return secret_dup(item.value, item.size, ret_plaintext);
}

CK_RV
kmip_decrypt(struct kmip_session *session, const char *identifier, const CK_MECHANISM *primitive,
             const void *data, size_t data_size, struct secret **ret_plaintext)
{
	struct kmip_answer answer = KMIP_ANSWER_INIT;
	struct decryption decryption;
	bool quiet = session->quiet;
	CK_RV rv;

	rv = plan_decryption(primitive, &decryption);
	if (rv != CKR_OK)
		return rv;
	/* Failures may be the ciphertext's, which are no errors of the server. */
	session->quiet = true;
	rv = decrypt(session, identifier, &decryption, data, data_size, &answer);
	session->quiet = quiet;
	switch (rv) {
	case CKR_OK:
		rv = take_plaintext(session, &answer, ret_plaintext);
		break;
	/* The many ways to say that a ciphertext is bad must not be told apart: each is an oracle. */
	case CKR_ARGUMENTS_BAD:
	case CKR_FUNCTION_FAILED:
		log_info("token %s: KMIP server %s did not decrypt: %s", session->kmip->config->name,
		         session->server->name, kmip_session_refusal(session));
		rv = CKR_ENCRYPTED_DATA_INVALID;
		break;
	case CKR_KEY_FUNCTION_NOT_PERMITTED:
	case CKR_FUNCTION_NOT_SUPPORTED:
		log_refusal(session, KMIP_DECRYPT);
		break;
	default:
		break;
	}
	kmip_answer_clear(&answer);
	return rv;
}
