/* SPDX-License-Identifier: Apache-2.0 */
#include "mechanism/cipher-message.h"

#include "mechanism/aead.h"
#include "mechanism/message-iv.h"

#include <stdlib.h>
#include <string.h>

struct cipher_message {
	enum cipher_mode mode; /* GCM or CCM */
	bool encrypt;
	struct secret *key;         /* owned */
	struct cipher_store *store; /* borrowed, may be NULL for decryption */

	/* The message that is begun: */
	struct prepared *prepared; /* owned, borrowed from the store; NULL: none is */
	struct aead aead;
};

CK_RV
cipher_message_new(const CK_MECHANISM *mechanism, bool encrypt, const struct secret *key,
                   struct cipher_store *store, struct cipher_message **ret_message)
{
	size_t key_size = secret_size(key), parameter_size;
	struct cipher_message *message;
	enum cipher_mode mode;
	CK_RV rv;

	if (!cipher_mode_of(mechanism->mechanism, &mode) ||
	    (mode != CIPHER_GCM && mode != CIPHER_CCM))
		return CKR_MECHANISM_INVALID;
	parameter_size = mode == CIPHER_GCM ? sizeof(struct gcm_message_params)
	                                    : sizeof(struct ccm_message_params);
	if (mechanism->ulParameterLen != 0 && mechanism->ulParameterLen != parameter_size)
		return CKR_MECHANISM_PARAM_INVALID;
	if (store == NULL && encrypt)
		return CKR_ARGUMENTS_BAD;
	if (key_size != 16 && key_size != 24 && key_size != 32)
		return CKR_KEY_SIZE_RANGE;
	message = calloc(1, sizeof *message);
	if (message == NULL)
		return CKR_HOST_MEMORY;
	message->mode = mode;
	message->encrypt = encrypt;
	message->store = store;
	rv = secret_dup(secret_bytes(key), key_size, &message->key);
	if (rv != CKR_OK)
		cipher_message_free(&message);
	else
		*ret_message = message;
	return rv;
}

/* well: it came to its end, and the context can be used again. */
static void
end(struct cipher_message *message, bool well)
{
	aead_clear(&message->aead);
	if (well)
		context_return(message->store, &message->prepared);
	prepared_free(&message->prepared);
}

void
cipher_message_free(struct cipher_message **message)
{
	if (*message == NULL)
		return;
	end(*message, false);
	secret_free(&(*message)->key);
	free(*message);
	*message = NULL;
}

bool
cipher_message_begun(const struct cipher_message *message)
{
	return message->prepared != NULL;
}

void
cipher_message_end(struct cipher_message *message)
{
	end(message, false);
}

static CK_RV
length_range(const struct cipher_message *message)
{
	return message->encrypt ? CKR_DATA_LEN_RANGE : CKR_ENCRYPTED_DATA_LEN_RANGE;
}

static CK_RV
arguments(const void *aad, size_t aad_size)
{
	/* OpenSSL takes it in one piece, whose size is an int. */
	return aad_size > INT32_MAX || (aad == NULL && aad_size > 0) ? CKR_ARGUMENTS_BAD : CKR_OK;
}

static CK_RV
begin(struct cipher_message *message, const struct message_parameter *parameter, const void *aad,
      size_t aad_size)
{
	unsigned char iv[CIPHER_IV_MAX];
	CK_RV rv;

	end(message, false);
	rv = message_iv(parameter, message->store, message->key, iv);
	if (rv == CKR_OK)
		rv = context_borrow(message->store, message->mode, message->encrypt,
		                    parameter->iv_size, parameter->tag_size, message->key,
		                    &message->prepared);
	if (rv != CKR_OK)
		return rv;
	message->aead = (struct aead){ .mode = message->mode, .encrypt = message->encrypt,
		                       .context = message->prepared->cipher,
		                       .tag_size = parameter->tag_size,
		                       .limit = parameter->limit };
	rv = aead_start(&message->aead, iv, aad, aad_size);
	if (rv != CKR_OK) {
		end(message, false);
		return rv;
	}
	if (parameter->generator != CKG_NO_GENERATE)
		memcpy(parameter->iv, iv, parameter->iv_size);
	return CKR_OK;
}

CK_RV
cipher_message_begin(struct cipher_message *message, void *parameter, size_t parameter_size,
                     const void *aad, size_t aad_size)
{
	struct message_parameter read;
	CK_RV rv = arguments(aad, aad_size);

	end(message, false);
	if (rv == CKR_OK)
		rv = message_parameter_read(message->mode, parameter, parameter_size,
		                            message->encrypt, &read);
	return rv != CKR_OK ? rv : begin(message, &read, aad, aad_size);
}

/* All that has not come out yet: in and out are the same, or apart. */
static CK_RV
finish(struct cipher_message *message, const unsigned char *in, size_t in_size,
       unsigned char *out, unsigned char *tag)
{
	CK_RV rv;

	if (message->encrypt)
		return aead_seal(&message->aead, in, in_size, out, tag);
	rv = aead_open(&message->aead, in, in_size, out, tag);
	return rv == CKR_ENCRYPTED_DATA_INVALID ? CKR_AEAD_DECRYPT_FAILED : rv;
}

/* The same, for whatever in and out. */
static CK_RV
finish_apart(struct cipher_message *message, const void *in, size_t in_size, unsigned char *out,
             unsigned char *tag)
{
	struct secret *copy = NULL;
	const unsigned char *from;
	CK_RV rv = input_apart(in, in_size, out, in_size, true, &copy, &from);

	if (rv == CKR_OK)
		rv = finish(message, from, in_size, out, tag);
	secret_free(&copy);
	return rv;
}

CK_RV
cipher_message_single(struct cipher_message *message, void *parameter, size_t parameter_size,
                      const void *aad, size_t aad_size, const void *in, size_t in_size,
                      unsigned char *out, size_t room, size_t *ret_size)
{
	struct message_parameter read;
	CK_RV rv = arguments(aad, aad_size);

	end(message, false);
	if (rv == CKR_OK)
		rv = message_parameter_read(message->mode, parameter, parameter_size,
		                            message->encrypt, &read);
	if (rv != CKR_OK)
		return rv;
	if (in_size > read.limit || (message->mode == CIPHER_CCM && in_size != read.limit))
		return length_range(message);
	/* Before an IV is used up. */
	if (room < in_size) {
		*ret_size = in_size;
		return CKR_BUFFER_TOO_SMALL;
	}
	rv = begin(message, &read, aad, aad_size);
	if (rv != CKR_OK)
		return rv;
	rv = finish_apart(message, in, in_size, out, read.tag);
	end(message, rv == CKR_OK);
	if (rv == CKR_OK)
		*ret_size = in_size;
	return rv;
}

size_t
cipher_message_next_size(const struct cipher_message *message, size_t in_size, bool last)
{
	if (message->prepared == NULL)
		return 0;
	if (aead_streams(&message->aead))
		return in_size;
	if (!last || in_size > SIZE_MAX - (size_t)message->aead.total)
		return 0;
	return (size_t)message->aead.total + in_size;
}

static CK_RV
part(struct cipher_message *message, const void *in, size_t in_size, unsigned char *out)
{
	struct secret *copy = NULL;
	const unsigned char *from;
	size_t given = 0;
	CK_RV rv;

	if (!aead_streams(&message->aead))
		return aead_hold(&message->aead, in, in_size);
	rv = input_apart(in, in_size, out, in_size, true, &copy, &from);
	if (rv == CKR_OK)
		rv = context_update(message->aead.context, from, in_size, out, &given);
	secret_free(&copy);
	message->aead.total += in_size;
	return rv;
}

static CK_RV
last_part(struct cipher_message *message, const void *parameter, size_t parameter_size,
          const void *in, size_t in_size, unsigned char *out)
{
	struct aead *aead = &message->aead;
	struct message_parameter read;
	CK_RV rv = message_parameter_read(message->mode, parameter, parameter_size,
	                                  message->encrypt, &read);

	if (rv != CKR_OK)
		return rv;
	if (read.tag_size != aead->tag_size)
		return CKR_MECHANISM_PARAM_INVALID; /* another message's */
	if (message->mode == CIPHER_CCM && aead->total + in_size != aead->limit)
		return length_range(message);
	if (aead_streams(aead) || aead->total == 0)
		return finish_apart(message, in, in_size, out, read.tag);
	rv = aead_hold(aead, in, in_size);
	if (rv != CKR_OK)
		return rv;
	return finish(message, aead_held(aead), (size_t)aead->total, out, read.tag);
}

CK_RV
cipher_message_next(struct cipher_message *message, void *parameter, size_t parameter_size,
                    const void *in, size_t in_size, bool last, unsigned char *out, size_t room,
                    size_t *ret_size)
{
	size_t size = cipher_message_next_size(message, in_size, last);
	uint64_t limit = message->aead.limit;
	CK_RV rv;

	if (message->prepared == NULL)
		return CKR_OPERATION_NOT_INITIALIZED;
	if (limit > CIPHER_PARTS_MAX)
		limit = CIPHER_PARTS_MAX;
	if (in_size > limit || message->aead.total > limit - in_size) {
		end(message, false);
		return length_range(message);
	}
	if (room < size) {
		*ret_size = size;
		return CKR_BUFFER_TOO_SMALL;
	}
	if (last)
		rv = last_part(message, parameter, parameter_size, in, in_size, out);
	else
		rv = part(message, in, in_size, out);
	if (rv != CKR_OK || last)
		end(message, rv == CKR_OK);
	if (rv == CKR_OK)
		*ret_size = size;
	return rv;
}
