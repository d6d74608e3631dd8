/* SPDX-License-Identifier: Apache-2.0 */
#include "token/operation.h"

#include "base/log.h"
#include "token/remote.h"
#include "token/token.h"

#include <stdlib.h>
#include <string.h>

/* What each kind asks of the mechanism, of the key, and whether it protects. */
static const struct {
	CK_FLAGS flag;
	CK_OBJECT_CLASS class; /* of a pair: the half that does it */
	CK_ATTRIBUTE_TYPE verb;
	bool protects;
} kinds[OPERATION_KINDS] = {
	[OPERATION_ENCRYPT] = { CKF_ENCRYPT, CKO_PUBLIC_KEY, CKA_ENCRYPT, true },
	[OPERATION_DECRYPT] = { CKF_DECRYPT, CKO_PRIVATE_KEY, CKA_DECRYPT, false },
	[OPERATION_DIGEST] = { CKF_DIGEST, 0, 0, false },
	[OPERATION_SIGN] = { CKF_SIGN, CKO_PRIVATE_KEY, CKA_SIGN, true },
	[OPERATION_VERIFY] = { CKF_VERIFY, CKO_PUBLIC_KEY, CKA_VERIFY, false },
	[OPERATION_SIGN_RECOVER] = { CKF_SIGN_RECOVER, CKO_PRIVATE_KEY, CKA_SIGN_RECOVER, true },
	[OPERATION_VERIFY_RECOVER] = { CKF_VERIFY_RECOVER, CKO_PUBLIC_KEY, CKA_VERIFY_RECOVER,
	                               false },
};

/* Says why a key that is there may not be used: the caller gets but a code. */
static void
log_not_permitted(const struct object *object, enum operation_kind kind)
{
	const struct version *version;
	bool period;

	if (object->key == NULL) {
		log_info("session object %lu: its attributes don't permit this use",
		         object->plain->handle);
		return;
	}
	version = object->key->version;
	period = version->state == STATE_ACTIVE && !version_protects(version, clock_now());
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

/* Does the key's class fit the operation, and its attributes permit it? */
static bool
key_permitted(const struct object *object, enum operation_kind kind)
{
	if (object->class != CKO_SECRET_KEY && object->class != kinds[kind].class)
		return false;
	return object_permits(object, kinds[kind].verb);
}

CK_RV
operation_key(struct token *token, enum operation_kind kind, const struct mechanism *row,
              CK_OBJECT_HANDLE handle, struct object *ret_object)
{
	struct object *object = ret_object;
	CK_RV rv = object_get(token, handle, object);

	if (rv != CKR_OK)
		return rv == CKR_OBJECT_HANDLE_INVALID ? CKR_KEY_HANDLE_INVALID : rv;
	if (object->class != CKO_PUBLIC_KEY && object->class != CKO_PRIVATE_KEY &&
	    object->class != CKO_SECRET_KEY)
		return CKR_KEY_HANDLE_INVALID;
	if (!key_permitted(object, kind)) {
		log_not_permitted(object, kind);
		return CKR_KEY_FUNCTION_NOT_PERMITTED;
	}
	/* A raw signature is a raw decryption: of the keys, too, that this one unwraps. */
	if (row->type == CKM_RSA_X_509 && object->class == CKO_PRIVATE_KEY &&
	    object_permits(object, CKA_UNWRAP))
		return CKR_KEY_FUNCTION_NOT_PERMITTED;
	/* The types of halves are looked at with their parameter and size: mechanism_use_init. */
	if ((object->class == CKO_SECRET_KEY) == (row->kind == MECHANISM_ASYMMETRIC) ||
	    (object->class == CKO_SECRET_KEY && !mechanism_takes(row, object_key_type(object))))
		return CKR_KEY_TYPE_INCONSISTENT;
	if (!object_allows(object, row->type))
		return CKR_MECHANISM_INVALID;
	if (kinds[kind].protects && object->key != NULL)
		rv = token_fresh(token);
	return rv;
}

/* As token_offers, but also where the KMS is out of reach. */
static bool
record_offers(const void *context, CK_MECHANISM_TYPE primitive)
{
	const struct token *token = context;

	return token->record != NULL && token_record_has(token->record, primitive);
}

/* Nothing is encrypted under a version that could not be decrypted again. */
static CK_RV
check_loss(const struct operation *operation)
{
	if (operation->kind != OPERATION_ENCRYPT || operation->object.key == NULL ||
	    !mechanism_loses(&operation->use, record_offers, operation->token))
		return CKR_OK;
	log_error("token %s: its KMS decrypts OAEP with SHA-1 only, so nothing is encrypted with "
	          "another hash or with a label", operation->token->config->name);
	return CKR_MECHANISM_PARAM_INVALID;
}

/* RSA, EC and digests. */
static CK_RV
operation_begin_use(struct operation *operation, const struct mechanism *row,
                    const CK_MECHANISM *mechanism)
{
	CK_RV rv = mechanism_use_init(mechanism, kinds[operation->kind].flag,
	                              operation->public_key, &operation->use);

	if (rv == CKR_OK)
		rv = check_loss(operation);
	if (rv == CKR_OK && row->digest != 0)
		rv = digest_new(row->digest, &operation->digest);
	operation->kms_hashes = operation->kind == OPERATION_SIGN &&
	                        mechanism_kms_hashes(row, token_offers, operation->token);
	return rv;
}

static CK_RV
operation_begin(struct operation *operation, const struct mechanism *row,
                const CK_MECHANISM *mechanism)
{
	const struct secret *secret;

	switch (row->kind) {
	case MECHANISM_ASYMMETRIC:
	case MECHANISM_DIGEST:
		return operation_begin_use(operation, row, mechanism);
	case MECHANISM_CIPHER:
		secret = object_secret(&operation->object);
		return cipher_new(mechanism, operation->kind == OPERATION_ENCRYPT, secret,
		                  operation->object.plain->material->store, &operation->cipher);
	case MECHANISM_MAC:
		secret = object_secret(&operation->object);
		return mac_new(mechanism, secret, &operation->mac);
	default:
		return CKR_MECHANISM_INVALID;
	}
}

CK_RV
operation_new(struct token *token, enum operation_kind kind, const CK_MECHANISM *mechanism,
              CK_OBJECT_HANDLE key, struct operation **ret_operation)
{
	const struct mechanism *row;
	struct operation *operation;
	CK_RV rv = token_mechanism(token, mechanism->mechanism, kinds[kind].flag, &row);

	if (rv != CKR_OK)
		return rv;
	operation = calloc(1, sizeof *operation);
	if (operation == NULL)
		return CKR_HOST_MEMORY;
	operation->kind = kind;
	operation->token = token;
	if (kind != OPERATION_DIGEST)
		rv = operation_key(token, kind, row, key, &operation->object);
	if (rv == CKR_OK && row->kind == MECHANISM_ASYMMETRIC)
		rv = object_public_key(&operation->object, &operation->public_key);
	if (rv == CKR_OK)
		rv = operation_begin(operation, row, mechanism);
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
	cipher_free(&(*operation)->cipher);
	mac_free(&(*operation)->mac);
	buffer_clear(&(*operation)->message);
	mechanism_use_clear(&(*operation)->use);
	object_release(&(*operation)->object);
	free(*operation);
	*operation = NULL;
}

size_t
operation_output_size(const struct operation *operation)
{
	if (operation->mac != NULL)
		return mac_size(operation->mac);
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

/* Keeps what is digested for as long as it is short (operation-state.h). */
static void
remember(struct operation *operation, const void *data, size_t size)
{
	if (!operation->unsaveable &&
	    size <= OPERATION_STATE_MESSAGE_MAX - operation->message.size &&
	    buffer_append(&operation->message, data, size) == CKR_OK)
		return;
	operation->unsaveable = true;
	buffer_clear(&operation->message);
}

CK_RV
operation_update(struct operation *operation, const void *data, size_t size)
{
	operation->multipart = true;
	if (operation->mac != NULL)
		return mac_update(operation->mac, data, size);
	if (operation->digest == NULL || !operation->use.mechanism->multipart) {
		operation->multipart = false;
		return CKR_FUNCTION_NOT_SUPPORTED;
	}
	if (operation->kind == OPERATION_DIGEST)
		remember(operation, data, size);
	return take_message(operation, data, size);
}

CK_RV
operation_digest_key(struct operation *operation, CK_OBJECT_HANDLE key)
{
	struct object object = { 0 };
	const struct secret *secret;
	CK_RV rv = object_get(operation->token, key, &object);

	if (rv != CKR_OK)
		return rv == CKR_OBJECT_HANDLE_INVALID ? CKR_KEY_HANDLE_INVALID : rv;
	secret = object_secret(&object);
	if (secret == NULL || !object_allows(&object, operation->use.mechanism->type)) {
		rv = CKR_KEY_INDIGESTIBLE;
	} else {
		operation->unsaveable = true; /* keys don't leave the token */
		rv = operation_update(operation, secret_bytes(secret), secret_size(secret));
	}
	object_release(&object);
	return rv;
}

size_t
operation_crypt_size(const struct operation *operation, size_t in_size)
{
	if (operation->cipher != NULL)
		return cipher_single_size(operation->cipher, in_size);
	if (operation->kind == OPERATION_DECRYPT)
		return mechanism_input_max(&operation->use, operation->public_key);
	return mechanism_output_size(&operation->use, operation->public_key);
}

static CK_RV
encrypt_public(struct operation *operation, const void *in, size_t in_size, unsigned char *out,
               size_t room, size_t *ret_size)
{
	size_t size = operation_crypt_size(operation, in_size);
	CK_RV rv = CKR_BUFFER_TOO_SMALL;

	if (room >= size)
		rv = mechanism_encrypt(&operation->use, operation->public_key, in, in_size, out);
	if (rv == CKR_OK || rv == CKR_BUFFER_TOO_SMALL)
		*ret_size = size;
	return rv;
}

/* How long the plaintext is shows only once it is there. */
static CK_RV
decrypt_private(struct operation *operation, const void *in, size_t in_size, unsigned char *out,
                size_t room, size_t *ret_size)
{
	struct secret *plaintext = NULL;
	CK_RV rv;

	rv = remote_decrypt(&operation->object, &operation->use, operation->public_key, in, in_size,
	                    &plaintext);
	if (rv != CKR_OK)
		return rv;
	*ret_size = secret_size(plaintext);
	if (room < secret_size(plaintext))
		rv = CKR_BUFFER_TOO_SMALL;
	else
		memcpy(out, secret_bytes(plaintext), secret_size(plaintext));
	secret_free(&plaintext);
	return rv;
}

CK_RV
operation_crypt(struct operation *operation, const void *in, size_t in_size, unsigned char *out,
                size_t room, size_t *ret_size)
{
	if (operation->cipher != NULL)
		return cipher_single(operation->cipher, in, in_size, out, room, ret_size);
	if (operation->kind == OPERATION_DECRYPT)
		return decrypt_private(operation, in, in_size, out, room, ret_size);
	return encrypt_public(operation, in, in_size, out, room, ret_size);
}

size_t
operation_crypt_update_size(const struct operation *operation, size_t in_size)
{
	return operation->cipher != NULL ? cipher_update_size(operation->cipher, in_size) : 0;
}

CK_RV
operation_crypt_update(struct operation *operation, const void *in, size_t in_size,
                       unsigned char *out, size_t room, size_t *ret_size)
{
	CK_RV rv;

	if (operation->cipher == NULL)
		return CKR_FUNCTION_NOT_SUPPORTED;
	rv = cipher_update(operation->cipher, in, in_size, out, room, ret_size);
	if (rv == CKR_OK)
		operation->multipart = true;
	return rv;
}

size_t
operation_crypt_final_size(const struct operation *operation)
{
	return operation->cipher != NULL ? cipher_final_size(operation->cipher) : 0;
}

CK_RV
operation_crypt_final(struct operation *operation, unsigned char *out, size_t room,
                      size_t *ret_size)
{
	if (operation->cipher == NULL)
		return CKR_FUNCTION_NOT_SUPPORTED;
	return cipher_final(operation->cipher, out, room, ret_size);
}

/* Signs what the mechanism hands to the KMS: a digest, or the data itself. */
static CK_RV
sign_value(struct operation *operation, const void *value, size_t size,
           unsigned char *ret_signature, size_t *ret_size)
{
	const struct buffer *message = operation->kms_hashes ? &operation->message : NULL;

	return remote_sign(&operation->object, &operation->use, operation->public_key, message,
	                   value, size, ret_signature, ret_size);
}

CK_RV
operation_sign(struct operation *operation, const void *data, size_t size,
               unsigned char *ret_signature, size_t *ret_size)
{
	CK_RV rv;

	if (operation->mac == NULL && operation->digest == NULL)
		return sign_value(operation, data, size, ret_signature, ret_size);
	rv = operation->mac != NULL ? mac_update(operation->mac, data, size)
	                            : take_message(operation, data, size);
	return rv == CKR_OK ? operation_sign_final(operation, ret_signature, ret_size) : rv;
}

CK_RV
operation_sign_final(struct operation *operation, unsigned char *ret_signature, size_t *ret_size)
{
	unsigned char value[DIGEST_SIZE_MAX];
	CK_RV rv;

	if (operation->mac != NULL) {
		rv = mac_final(operation->mac, ret_signature);
		if (rv == CKR_OK)
			*ret_size = mac_size(operation->mac);
		return rv;
	}
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

	if (operation->mac == NULL && operation->digest == NULL)
		return mechanism_verify(&operation->use, operation->public_key, data, size,
		                        signature, signature_size);
	rv = operation->mac != NULL ? mac_update(operation->mac, data, size)
	                            : digest_update(operation->digest, data, size);
	return rv == CKR_OK ? operation_verify_final(operation, signature, signature_size) : rv;
}

CK_RV
operation_verify_final(struct operation *operation, const void *signature, size_t signature_size)
{
	unsigned char value[DIGEST_SIZE_MAX];
	CK_RV rv;

	if (operation->mac != NULL)
		return mac_verify(operation->mac, signature, signature_size);
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
operation_recover(struct operation *operation, const void *signature, size_t signature_size,
                  unsigned char *out, size_t room, size_t *ret_size)
{
	struct buffer data = BUFFER_INIT;
	CK_RV rv = mechanism_recover(&operation->use, operation->public_key, signature,
	                             signature_size, &data);

	if (rv != CKR_OK)
		return rv;
	*ret_size = data.size;
	if (room < data.size)
		rv = CKR_BUFFER_TOO_SMALL;
	else if (data.size != 0)
		memcpy(out, data.data, data.size);
	buffer_clear(&data);
	return rv;
}

CK_RV
operation_digest_final(struct operation *operation, unsigned char *ret_digest)
{
	return digest_final(operation->digest, ret_digest);
}
