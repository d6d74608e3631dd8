/* SPDX-License-Identifier: Apache-2.0 */
#include "token/remote.h"

#include "base/log.h"
#include "kms/kms.h"

/* A pair of a session that the KMS has lost (kms.h) is no handle that the caller gave wrongly. */
static CK_RV
lost(const struct object *object, CK_RV rv)
{
	return object->key == NULL && rv == CKR_KEY_HANDLE_INVALID ? CKR_DEVICE_ERROR : rv;
}

/* Takes the secret; gives it, or the one that another thread gave before. Borrowed. */
static const struct secret *
keep_rejection(_Atomic(struct secret *) *place, struct secret **secret)
{
	struct secret *kept = NULL;

	if (atomic_compare_exchange_strong(place, &kept, *secret))
		kept = *secret;
	else
		secret_free(secret);
	*secret = NULL;
	return kept;
}

/* The key's secret for implicit rejection, which only the KMS can make. Borrowed. */
static CK_RV
get_rejection(const struct object *object, struct public_key *public_key,
              const struct secret **ret_secret)
{
	CK_MECHANISM raw = { CKM_RSA_X_509, NULL, 0 };
	_Atomic(struct secret *) *place = object->key != NULL ? &object->key->rejection
	                                                      : &object->plain->material->rejection;
	struct token *token = object->token;
	struct secret *answer = NULL, *secret = NULL;
	struct buffer block = BUFFER_INIT;
	CK_RV rv;

	*ret_secret = atomic_load(place);
	if (*ret_secret != NULL)
		return CKR_OK;
	rv = rejection_block(public_key, &block);
	if (rv == CKR_OK)
		rv = kms_decrypt(token->kms, object_kms_key(object), &raw, block.data, block.size,
		                 token_deadline(token), &answer);
	if (rv == CKR_OK)
		rv = rejection_secret(public_key, answer, &secret);
	if (rv == CKR_OK)
		*ret_secret = keep_rejection(place, &secret);
	secret_free(&answer);
	buffer_clear(&block);
	return rv;
}

CK_RV
remote_decrypt(const struct object *object, const struct mechanism_use *use,
               struct public_key *public_key, const void *data, size_t size,
               struct secret **ret_plaintext)
{
	const struct secret *rejection = NULL;
	struct token *token = object->token;
	struct mechanism_plan plan;
	struct secret *answer = NULL;
	CK_RV rv;

	if (!token_unlocked(token))
		return CKR_USER_NOT_LOGGED_IN;
	if (size != mechanism_output_size(use, public_key))
		return CKR_ENCRYPTED_DATA_LEN_RANGE;
	rv = mechanism_plan_decrypt(use, public_key, token_offers, token, &plan);
	if (rv == CKR_OK && plan.reject)
		rv = get_rejection(object, public_key, &rejection);
	if (rv != CKR_OK)
		return rv;
	rv = kms_decrypt(token->kms, object_kms_key(object), &plan.primitive, data, size,
	                 token_deadline(token), &answer);
	if (rv == CKR_OK && plan.reject) {
		rv = rejection_unpad(public_key, rejection, data, answer, ret_plaintext);
		secret_free(&answer);
	} else if (rv == CKR_OK && plan.unpad) {
		rv = mechanism_unpad(use, public_key, answer, ret_plaintext);
		secret_free(&answer);
	} else if (rv == CKR_OK) {
		*ret_plaintext = answer;
	}
	return lost(object, rv);
}

/* A wrong RSA signature can give the key away; verifying costs little beside signing. */
static CK_RV
check_signature(const struct object *object, const struct mechanism_use *use,
                struct public_key *public_key, const void *value, size_t size,
                const unsigned char *signature, size_t signature_size)
{
	CK_RV rv;

	if (public_key_type(public_key) != CKK_RSA)
		return CKR_OK;
	rv = mechanism_verify(use, public_key, value, size, signature, signature_size);
	if (rv == CKR_OK || rv == CKR_HOST_MEMORY)
		return rv;
	if (object->key != NULL)
		log_error("%s@%lld: the KMS returned a signature that does not verify",
		          object->key->version->name, (long long)object->key->version->number);
	else
		log_error("session object %lu: the KMS returned a signature that does not verify",
		          object->plain->handle);
	return CKR_DEVICE_ERROR;
}

CK_RV
remote_sign(const struct object *object, const struct mechanism_use *use,
            struct public_key *public_key, const struct buffer *message, const void *value,
            size_t size, unsigned char *ret_signature, size_t *ret_size)
{
	struct token *token = object->token;
	struct buffer block = BUFFER_INIT;
	struct mechanism_plan plan;
	size_t signature_size = mechanism_output_size(use, public_key);
	CK_RV rv;

	if (!token_unlocked(token))
		return CKR_USER_NOT_LOGGED_IN;
	if (message != NULL)
		rv = mechanism_plan_message(use, public_key, token_offers, token, message->data,
		                            message->size, &plan, &block);
	else
		rv = mechanism_plan_sign(use, public_key, value, size, &plan, &block);
	if (rv != CKR_OK)
		return rv;
	/* An empty message (Ed25519) is one all the same: it has an address. */
	rv = kms_sign(token->kms, object_kms_key(object), &plan.primitive,
	              block.data != NULL ? block.data : (const void *)"", block.size,
	              token_deadline(token), ret_signature, &signature_size);
	buffer_clear(&block);
	if (rv == CKR_OK)
		rv = check_signature(object, use, public_key, value, size, ret_signature,
		                     signature_size);
	if (rv == CKR_OK)
		*ret_size = signature_size;
	return lost(object, rv);
}

CK_RV
remote_derive(const struct object *object, const struct buffer *peer, struct secret **ret_shared)
{
	CK_ECDH1_DERIVE_PARAMS parameter = { .kdf = CKD_NULL, .pPublicData = peer->data,
		                             .ulPublicDataLen = peer->size };
	CK_MECHANISM primitive = { CKM_ECDH1_DERIVE, &parameter, sizeof parameter };
	struct token *token = object->token;

	if (!token_unlocked(token))
		return CKR_USER_NOT_LOGGED_IN;
	return lost(object, kms_derive(token->kms, object_kms_key(object), &primitive,
	                               token_deadline(token), ret_shared));
}
