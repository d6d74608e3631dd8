/* SPDX-License-Identifier: Apache-2.0 */
#include "token/operation.h"

#include "base/log.h"
#include "token/object.h"
#include "token/token.h"

#include <stdlib.h>

/* What each kind asks of the mechanism, of the key, and whether it protects. */
static const struct {
	CK_FLAGS flag;
	CK_OBJECT_CLASS class;
	CK_ATTRIBUTE_TYPE verb;
	bool protects;
} kinds[OPERATION_KINDS] = {
	[OPERATION_ENCRYPT] = { CKF_ENCRYPT, CKO_PUBLIC_KEY, CKA_ENCRYPT, true },
	[OPERATION_DECRYPT] = { CKF_DECRYPT, CKO_PRIVATE_KEY, CKA_DECRYPT, false },
	[OPERATION_DIGEST] = { CKF_DIGEST, 0, 0, false },
	[OPERATION_SIGN] = { CKF_SIGN, CKO_PRIVATE_KEY, CKA_SIGN, true },
	[OPERATION_VERIFY] = { CKF_VERIFY, CKO_PUBLIC_KEY, CKA_VERIFY, false },
};

/* Says why a key that is there may not be used: the caller gets but a code. */
static void
log_not_permitted(const struct object *object, enum operation_kind kind)
{
	const struct version *version = object->key->version;
	bool period = version->state == STATE_ACTIVE && !version_protects(version, clock_now());

	if (!kinds[kind].protects || object->class != kinds[kind].class)
		log_info("%s@%lld: this half of the key is not for this use", version->name,
		         (long long)version->number);
	else if (period)
		log_warning("%s@%lld: now is outside its protect period; run p11-kms refresh, or "
		            "p11-kms rotate", version->name, (long long)version->number);
	else
		log_info("%s@%lld is %s or not made for this use: it does not protect",
		         version->name, (long long)version->number,
		         version_state_name(version->state));
}

static CK_RV
operation_take_key(struct operation *operation, CK_OBJECT_HANDLE handle)
{
	struct object object = { 0 };
	CK_RV rv = object_get(operation->token, handle, &object);

	if (rv != CKR_OK)
		return rv == CKR_OBJECT_HANDLE_INVALID ? CKR_KEY_HANDLE_INVALID : rv;
	if (object.class != kinds[operation->kind].class ||
	    !object_permits(&object, kinds[operation->kind].verb)) {
		log_not_permitted(&object, operation->kind);
		object_release(&object);
		return CKR_KEY_FUNCTION_NOT_PERMITTED;
	}
	operation->key = object.key; /* the reference goes over */
	if (kinds[operation->kind].protects) {
		rv = token_fresh(operation->token);
		if (rv != CKR_OK)
			return rv;
	}
	rv = key_public(operation->key, &operation->public_key);
	return rv == CKR_OK || rv == CKR_HOST_MEMORY ? rv : CKR_DEVICE_ERROR;
}

/* As token_offers, but also where the KMS is out of reach. */
static bool
record_offers(const void *context, CK_MECHANISM_TYPE primitive)
{
	const struct token *token = context;

	return token->record != NULL && token_record_has(token->record, primitive);
}

/* Nothing is encrypted that could not be decrypted again. */
static CK_RV
check_loss(const struct operation *operation)
{
	if (operation->kind != OPERATION_ENCRYPT ||
	    !mechanism_loses(&operation->use, record_offers, operation->token))
		return CKR_OK;
	log_error("token %s: its KMS decrypts OAEP with SHA-1 only, so nothing is encrypted with "
	          "another hash or with a label", operation->token->config->name);
	return CKR_MECHANISM_PARAM_INVALID;
}

CK_RV
operation_new(struct token *token, enum operation_kind kind, const CK_MECHANISM *mechanism,
              CK_OBJECT_HANDLE key, struct operation **ret_operation)
{
	const struct mechanism *row = mechanism_find(mechanism->mechanism);
	CK_FLAGS flag = kinds[kind].flag;
	struct operation *operation;
	CK_RV rv;

	if (row == NULL ||
	    (mechanism_flags(row, token->config->legacy_decrypt, token_offers, token) & flag) == 0)
		return CKR_MECHANISM_INVALID;
	operation = calloc(1, sizeof *operation);
	if (operation == NULL)
		return CKR_HOST_MEMORY;
	operation->kind = kind;
	operation->token = token;
	rv = kind == OPERATION_DIGEST ? CKR_OK : operation_take_key(operation, key);
	if (rv == CKR_OK)
		rv = mechanism_use_init(mechanism, flag, operation->public_key, &operation->use);
	if (rv == CKR_OK)
		rv = check_loss(operation);
	if (rv == CKR_OK && row->digest != 0)
		rv = digest_new(row->digest, &operation->digest);
	operation->kms_hashes = kind == OPERATION_SIGN &&
	                        mechanism_kms_hashes(row, token_offers, token);
	if (rv != CKR_OK)
		operation_free(&operation);
	else
		*ret_operation = operation;
	return rv;
}

void
operation_free(struct operation **operation)
{
	if (*operation == NULL)
		return;
	digest_free(&(*operation)->digest);
	buffer_clear(&(*operation)->message);
	mechanism_use_clear(&(*operation)->use);
	key_release(&(*operation)->key);
	free(*operation);
	*operation = NULL;
}

size_t
operation_output_size(const struct operation *operation)
{
	if (operation->kind == OPERATION_DECRYPT)
		return mechanism_input_max(&operation->use, operation->public_key);
	return mechanism_output_size(&operation->use, operation->public_key);
}

/* Hashes it, and keeps it for a KMS that hashes itself: what comes back is verified here in any case. */
static CK_RV
take_message(struct operation *operation, const void *data, size_t size)
{
	CK_RV rv = CKR_OK;

	if (operation->kms_hashes && size > KMS_MESSAGE_MAX - operation->message.size) {
		log_info("token %s: a message is longer than the %zu bytes that its KMS, which hashes "
		         "messages itself, is sent", operation->token->config->name, KMS_MESSAGE_MAX);
		return CKR_DATA_LEN_RANGE;
	}
	if (operation->kms_hashes)
		rv = buffer_append(&operation->message, data, size);
	return rv == CKR_OK ? digest_update(operation->digest, data, size) : rv;
}

CK_RV
operation_update(struct operation *operation, const void *data, size_t size)
{
	if (operation->digest == NULL || !operation->use.mechanism->multipart)
		return CKR_FUNCTION_NOT_SUPPORTED;
	operation->multipart = true;
	return take_message(operation, data, size);
}

CK_RV
operation_encrypt(struct operation *operation, const void *data, size_t size,
                  unsigned char *ret_data)
{
	return mechanism_encrypt(&operation->use, operation->public_key, data, size, ret_data);
}

CK_RV
operation_decrypt(struct operation *operation, const void *data, size_t size,
                  struct secret **ret_plaintext)
{
	struct mechanism_plan plan;
	struct secret *answer = NULL;
	CK_RV rv;

	if (!token_unlocked(operation->token))
		return CKR_USER_NOT_LOGGED_IN; /* logged out since the operation began */
	if (size != mechanism_output_size(&operation->use, operation->public_key))
		return CKR_ENCRYPTED_DATA_LEN_RANGE;
	rv = mechanism_plan_decrypt(&operation->use, operation->public_key, token_offers,
	                            operation->token, &plan);
	if (rv != CKR_OK)
		return rv;
	rv = kms_decrypt(operation->token->kms, &operation->key->kms, &plan.primitive, data, size,
	                 token_deadline(operation->token), &answer);
	if (rv != CKR_OK || !plan.unpad) {
		if (rv == CKR_OK)
			*ret_plaintext = answer;
		return rv;
	}
	rv = mechanism_unpad(&operation->use, operation->public_key, answer, ret_plaintext);
	secret_free(&answer);
	return rv;
}

/* Signs what the mechanism hands to the KMS: a digest, or the data itself. */
static CK_RV
sign_value(struct operation *operation, const void *value, size_t size,
           unsigned char *ret_signature, size_t *ret_size)
{
	struct buffer block = BUFFER_INIT;
	struct mechanism_plan plan;
	size_t signature_size = operation_output_size(operation);
	CK_RV rv;

	if (!token_unlocked(operation->token))
		return CKR_USER_NOT_LOGGED_IN; /* logged out since the operation began */
	if (operation->kms_hashes)
		rv = mechanism_plan_message(&operation->use, operation->public_key, token_offers,
		                            operation->token, operation->message.data,
		                            operation->message.size, &plan, &block);
	else
		rv = mechanism_plan_sign(&operation->use, operation->public_key, value, size, &plan,
		                         &block);
	if (rv != CKR_OK)
		return rv;
	/* An empty message (Ed25519) is one all the same: it has an address. */
	rv = kms_sign(operation->token->kms, &operation->key->kms, &plan.primitive,
	              block.data != NULL ? block.data : (const void *)"", block.size, token_deadline(operation->token), ret_signature,
	              &signature_size);
	buffer_clear(&block);
	if (rv != CKR_OK)
		return rv;
	/* A wrong RSA signature can give the key away; verifying costs little beside it. */
	if (public_key_type(operation->public_key) == CKK_RSA) {
		rv = mechanism_verify(&operation->use, operation->public_key, value, size,
		                      ret_signature, signature_size);
		if (rv != CKR_OK) {
			log_error("%s@%lld: the KMS returned a signature that does not verify",
			          operation->key->version->name,
			          (long long)operation->key->version->number);
			return rv == CKR_HOST_MEMORY ? rv : CKR_DEVICE_ERROR;
		}
	}
	*ret_size = signature_size;
	return CKR_OK;
}

CK_RV
operation_sign(struct operation *operation, const void *data, size_t size,
               unsigned char *ret_signature, size_t *ret_size)
{
	CK_RV rv;

	if (operation->digest == NULL)
		return sign_value(operation, data, size, ret_signature, ret_size);
	rv = take_message(operation, data, size);
	if (rv != CKR_OK)
		return rv;
	return operation_sign_final(operation, ret_signature, ret_size);
}

CK_RV
operation_sign_final(struct operation *operation, unsigned char *ret_signature, size_t *ret_size)
{
	unsigned char value[DIGEST_SIZE_MAX];
	CK_RV rv;

	if (operation->digest == NULL)
		return CKR_FUNCTION_NOT_SUPPORTED;
	rv = digest_final(operation->digest, value);
	if (rv != CKR_OK)
		return rv;
	return sign_value(operation, value, digest_size(operation->use.mechanism->digest),
	                  ret_signature, ret_size);
}

CK_RV
operation_verify(struct operation *operation, const void *data, size_t size,
                 const void *signature, size_t signature_size)
{
	CK_RV rv;

	if (operation->digest == NULL)
		return mechanism_verify(&operation->use, operation->public_key, data, size,
		                        signature, signature_size);
	rv = digest_update(operation->digest, data, size);
	if (rv != CKR_OK)
		return rv;
	return operation_verify_final(operation, signature, signature_size);
}

CK_RV
operation_verify_final(struct operation *operation, const void *signature, size_t signature_size)
{
	unsigned char value[DIGEST_SIZE_MAX];
	CK_RV rv;

	if (operation->digest == NULL)
		return CKR_FUNCTION_NOT_SUPPORTED;
	rv = digest_final(operation->digest, value);
	if (rv != CKR_OK)
		return rv;
	return mechanism_verify(&operation->use, operation->public_key, value,
	                        digest_size(operation->use.mechanism->digest), signature,
	                        signature_size);
}

CK_RV
operation_digest_final(struct operation *operation, unsigned char *ret_digest)
{
	return digest_final(operation->digest, ret_digest);
}
