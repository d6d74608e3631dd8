/* SPDX-License-Identifier: Apache-2.0 */
#include "mechanism/cipher.h"

#include "base/openssl.h"
#include "mechanism/aead.h"
#include "mechanism/cipher-context.h"

#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

struct cipher {
	enum cipher_mode mode;
	bool encrypt;
	struct cipher_store *store; /* borrowed, may be NULL */
	struct prepared *prepared;  /* owned, borrowed from the store */
	bool ended;                 /* well: the context can go back */
	uint64_t left;              /* CTR: bytes before the counter is used up */

	/* ECB and CBC */
	size_t pending;                     /* bytes that the context holds back */
	unsigned char iv[CIPHER_BLOCK];
	unsigned char last[CIPHER_BLOCK];   /* CBC_PAD: the last bytes of a plaintext … */
	size_t last_size;                   /* … */
	bool last_known;                    /* … wait here for room */

	struct aead aead; /* GCM and CCM */
};

bool
cipher_offers(CK_MECHANISM_TYPE type)
{
	enum cipher_mode mode;

	return cipher_mode_of(type, &mode);
}

static bool
is_aead(const struct cipher *cipher)
{
	return cipher->mode == CIPHER_GCM || cipher->mode == CIPHER_CCM;
}

static bool
is_blocks(const struct cipher *cipher)
{
	return cipher->mode == CIPHER_ECB || cipher->mode == CIPHER_CBC ||
	       cipher->mode == CIPHER_CBC_PAD;
}

static bool
unpads(const struct cipher *cipher)
{
	return cipher->mode == CIPHER_CBC_PAD && !cipher->encrypt;
}

static CK_RV
length_range(const struct cipher *cipher)
{
	return cipher->encrypt ? CKR_DATA_LEN_RANGE : CKR_ENCRYPTED_DATA_LEN_RANGE;
}

static CK_RV
start(struct cipher *cipher, const struct cipher_parameter *parameter)
{
	EVP_CIPHER_CTX *context = cipher->prepared->cipher;

	if (!is_aead(cipher)) {
		cipher->left = parameter->limit;
		if (parameter->iv_size > 0)
			memcpy(cipher->iv, parameter->iv, CIPHER_BLOCK);
		return context_start(context, parameter->iv_size > 0 ? cipher->iv : NULL);
	}
	cipher->aead = (struct aead){ .mode = cipher->mode, .encrypt = cipher->encrypt,
		                      .context = context, .tag_size = parameter->tag_size,
		                      .limit = parameter->limit };
	return aead_start(&cipher->aead, parameter->iv, parameter->aad, parameter->aad_size);
}

CK_RV
cipher_new(const CK_MECHANISM *mechanism, bool encrypt, const struct secret *key,
           struct cipher_store *store, struct cipher **ret_cipher)
{
	struct cipher_parameter parameter;
	struct cipher *cipher;
	CK_RV rv = cipher_parameter_read(mechanism, &parameter);

	if (rv != CKR_OK)
		return rv;
	cipher = calloc(1, sizeof *cipher);
	if (cipher == NULL)
		return CKR_HOST_MEMORY;
	cipher->mode = parameter.mode;
	cipher->encrypt = encrypt;
	cipher->store = store;
	rv = context_borrow(store, parameter.mode, encrypt, parameter.iv_size,
	                    parameter.tag_size, key, &cipher->prepared);
	if (rv == CKR_OK)
		rv = start(cipher, &parameter);
	if (rv != CKR_OK)
		cipher_free(&cipher);
	else
		*ret_cipher = cipher;
	return rv;
}

void
cipher_free(struct cipher **cipher)
{
	if (*cipher == NULL)
		return;
	aead_clear(&(*cipher)->aead);
	/* One that was given up halfway holds bytes of a message. */
	if ((*cipher)->ended)
		context_return((*cipher)->store, &(*cipher)->prepared);
	prepared_free(&(*cipher)->prepared);
	OPENSSL_cleanse((*cipher)->last, sizeof (*cipher)->last);
	free(*cipher);
	*cipher = NULL;
}

size_t
cipher_update_size(const struct cipher *cipher, size_t in_size)
{
	size_t all;

	if (is_aead(cipher))
		return aead_streams(&cipher->aead) ? in_size : 0;
	if (!is_blocks(cipher))
		return in_size;
	if (in_size == 0 || in_size > SIZE_MAX - CIPHER_BLOCK)
		return 0;
	all = cipher->pending + in_size;
	/* The last block may be padding: it is held back. */
	return (unpads(cipher) ? all - 1 : all) / CIPHER_BLOCK * CIPHER_BLOCK;
}

/* Of a whole ciphertext; 0 also where there is no room for a tag. */
static size_t
opened_size(const struct cipher *cipher, uint64_t size)
{
	return size < cipher->aead.tag_size ? 0 : (size_t)size - cipher->aead.tag_size;
}

size_t
cipher_final_size(const struct cipher *cipher)
{
	if (is_aead(cipher)) {
		if (!cipher->encrypt)
			return opened_size(cipher, cipher->aead.total);
		return cipher->aead.tag_size +
		       (aead_streams(&cipher->aead) ? 0 : (size_t)cipher->aead.total);
	}
	if (cipher->mode != CIPHER_CBC_PAD)
		return 0;
	if (cipher->last_known)
		return cipher->last_size;
	if (cipher->encrypt)
		return CIPHER_BLOCK;
	return cipher->pending == CIPHER_BLOCK ? CIPHER_BLOCK - 1 : 0;
}

size_t
cipher_single_size(const struct cipher *cipher, size_t in_size)
{
	if (is_aead(cipher) && !cipher->encrypt)
		return opened_size(cipher, in_size);
	if (in_size > SIZE_MAX - CIPHER_BLOCK)
		return 0;
	if (is_aead(cipher))
		return in_size + cipher->aead.tag_size;
	if (cipher->mode != CIPHER_CBC_PAD)
		return in_size;
	if (cipher->encrypt)
		return in_size / CIPHER_BLOCK * CIPHER_BLOCK + CIPHER_BLOCK;
	return in_size == 0 ? 0 : in_size - 1;
}

static CK_RV
short_of(size_t size, size_t *ret_size)
{
	*ret_size = size;
	return CKR_BUFFER_TOO_SMALL;
}

/* Would in_size more bytes be too much? parts: not a whole message. */
static bool
exceeds(const struct cipher *cipher, size_t in_size, bool parts)
{
	uint64_t total = cipher->aead.total, limit;

	if (!is_aead(cipher))
		return cipher->mode == CIPHER_CTR ? in_size > cipher->left
		                                  : in_size > SIZE_MAX - CIPHER_BLOCK;
	limit = cipher->aead.limit;
	if (parts && limit > CIPHER_PARTS_MAX)
		limit = CIPHER_PARTS_MAX;
	if (!cipher->encrypt)
		limit += cipher->aead.tag_size;
	return in_size > limit || total > limit - in_size;
}

/* What does not wait for the end of the message. */
static CK_RV
stream(struct cipher *cipher, const void *in, size_t in_size, unsigned char *out,
       size_t out_size, size_t *ret_size)
{
	struct secret *copy = NULL;
	const unsigned char *from;
	size_t size = 0;
	CK_RV rv = input_apart(in, in_size, out, out_size, cipher->pending == 0, &copy, &from);

	if (rv != CKR_OK)
		return rv;
	rv = context_update(cipher->prepared->cipher, from, in_size, out, &size);
	secret_free(&copy);
	if (rv != CKR_OK)
		return rv;
	cipher->pending = is_blocks(cipher) ? cipher->pending + in_size - size : 0;
	cipher->left -= cipher->mode == CIPHER_CTR ? in_size : 0;
	if (is_aead(cipher))
		cipher->aead.total += in_size;
	*ret_size = size;
	return CKR_OK;
}

CK_RV
cipher_update(struct cipher *cipher, const void *in, size_t in_size, unsigned char *out,
              size_t room, size_t *ret_size)
{
	size_t size = cipher_update_size(cipher, in_size);
	unsigned char nothing[CIPHER_BLOCK];
	CK_RV rv;

	if (cipher->last_known)
		return CKR_FUNCTION_FAILED; /* the end has been asked for */
	if (exceeds(cipher, in_size, true))
		return length_range(cipher);
	if (room < size)
		return short_of(size, ret_size);
	if (!is_aead(cipher) || aead_streams(&cipher->aead))
		return stream(cipher, in, in_size, size == 0 ? nothing : out, size, ret_size);
	rv = aead_hold(&cipher->aead, in, in_size);
	if (rv == CKR_OK)
		*ret_size = 0;
	return rv;
}

/* All of a ciphertext with its tag. */
static CK_RV
open_all(struct cipher *cipher, const unsigned char *in, size_t in_size, unsigned char *out,
         size_t room, size_t *ret_size)
{
	size_t size = opened_size(cipher, in_size);
	CK_RV rv;

	if (in_size < cipher->aead.tag_size ||
	    (cipher->mode == CIPHER_CCM && size != cipher->aead.limit))
		return CKR_ENCRYPTED_DATA_LEN_RANGE;
	if (room < size)
		return short_of(size, ret_size);
	rv = aead_open(&cipher->aead, in, size, out, in + size);
	if (rv != CKR_OK)
		return rv;
	cipher->ended = true;
	*ret_size = size;
	return CKR_OK;
}

/* The rest of a plaintext (where it does not stream: all), and the tag. */
static CK_RV
seal_all(struct cipher *cipher, const unsigned char *in, size_t in_size, unsigned char *out,
         size_t room, size_t *ret_size)
{
	size_t size = in_size + cipher->aead.tag_size;
	unsigned char tag[CIPHER_TAG_MAX];
	CK_RV rv;

	if (cipher->mode == CIPHER_CCM && in_size != cipher->aead.limit)
		return CKR_DATA_LEN_RANGE;
	if (room < size)
		return short_of(size, ret_size);
	rv = aead_seal(&cipher->aead, in, in_size, out, tag);
	if (rv != CKR_OK)
		return rv;
	memcpy(out + in_size, tag, cipher->aead.tag_size);
	cipher->ended = true;
	*ret_size = size;
	return CKR_OK;
}

/* Gives what waits in `last`, after the `before` bytes that are in out already. */
static CK_RV
give_last(struct cipher *cipher, unsigned char *out, size_t before, size_t *ret_size)
{
	if (cipher->last_size > 0)
		memcpy(out + before, cipher->last, cipher->last_size);
	cipher->ended = true;
	*ret_size = before + cipher->last_size;
	return CKR_OK;
}

/* One code for every fault of the padding. */
static CK_RV
read_last(struct cipher *cipher)
{
	int size;

	if (EVP_CipherFinal_ex(cipher->prepared->cipher, cipher->last, &size) != 1)
		return openssl_failure(cipher->encrypt ? CKR_FUNCTION_FAILED
		                                       : CKR_ENCRYPTED_DATA_INVALID);
	cipher->last_size = (size_t)size;
	cipher->last_known = true;
	return CKR_OK;
}

static CK_RV
final_pad(struct cipher *cipher, unsigned char *out, size_t room, size_t *ret_size)
{
	CK_RV rv;

	if (unpads(cipher) && cipher->pending != CIPHER_BLOCK)
		return CKR_ENCRYPTED_DATA_LEN_RANGE;
	if (!cipher->last_known) {
		rv = read_last(cipher);
		if (rv != CKR_OK)
			return rv;
	}
	if (room < cipher->last_size)
		return short_of(cipher->last_size, ret_size);
	return give_last(cipher, out, 0, ret_size);
}

CK_RV
cipher_final(struct cipher *cipher, unsigned char *out, size_t room, size_t *ret_size)
{
	if (is_aead(cipher) && cipher->encrypt) {
		size_t held = aead_streams(&cipher->aead) ? 0 : (size_t)cipher->aead.total;

		return seal_all(cipher, aead_held(&cipher->aead), held, out, room, ret_size);
	}
	if (is_aead(cipher))
		return open_all(cipher, aead_held(&cipher->aead), (size_t)cipher->aead.total, out,
		                room, ret_size);
	if (cipher->mode == CIPHER_CBC_PAD)
		return final_pad(cipher, out, room, ret_size);
	if (cipher->pending > 0)
		return length_range(cipher);
	cipher->ended = true;
	*ret_size = 0;
	return CKR_OK;
}

/*
 * The last block is opened first, with the one before it as the IV: so that it is known how
 * much room there must be, and that the padding is good, before anything is written.
 */
static CK_RV
single_unpad(struct cipher *cipher, const unsigned char *in, size_t in_size, unsigned char *out,
             size_t room, size_t *ret_size)
{
	EVP_CIPHER_CTX *context = cipher->prepared->cipher;
	const unsigned char *before = in_size > CIPHER_BLOCK ? in + in_size - 2 * CIPHER_BLOCK
	                                                     : cipher->iv;
	unsigned char nothing[CIPHER_BLOCK];
	size_t size;
	CK_RV rv = context_start(context, before);

	if (rv == CKR_OK)
		rv = context_update(context, in + in_size - CIPHER_BLOCK, CIPHER_BLOCK, nothing,
		                    &size);
	if (rv == CKR_OK)
		rv = read_last(cipher);
	if (rv == CKR_OK)
		rv = context_start(context, cipher->iv);
	if (rv != CKR_OK)
		return rv;
	cipher->last_known = false; /* to be read anew, should the call be repeated */
	size = in_size - CIPHER_BLOCK + cipher->last_size;
	if (room < size)
		return short_of(size, ret_size);
	/* The last block stays in the context, which is started anew for its next use. */
	rv = context_update(context, in, in_size, in_size > CIPHER_BLOCK ? out : nothing, &size);
	return rv != CKR_OK ? rv : give_last(cipher, out, size, ret_size);
}

static CK_RV
single_pad(struct cipher *cipher, const unsigned char *in, size_t in_size, unsigned char *out,
           size_t *ret_size)
{
	unsigned char nothing[CIPHER_BLOCK];
	size_t size = 0;
	CK_RV rv = context_update(cipher->prepared->cipher, in, in_size,
	                          in_size < CIPHER_BLOCK ? nothing : out, &size);

	if (rv == CKR_OK)
		rv = read_last(cipher);
	return rv != CKR_OK ? rv : give_last(cipher, out, size, ret_size);
}

/* in and out: the same, or apart. */
static CK_RV
single(struct cipher *cipher, const unsigned char *in, size_t in_size, unsigned char *out,
       size_t room, size_t *ret_size)
{
	CK_RV rv;

	if (is_aead(cipher))
		return cipher->encrypt ? seal_all(cipher, in, in_size, out, room, ret_size)
		                       : open_all(cipher, in, in_size, out, room, ret_size);
	if (unpads(cipher))
		return single_unpad(cipher, in, in_size, out, room, ret_size);
	if (cipher->mode == CIPHER_CBC_PAD)
		return single_pad(cipher, in, in_size, out, ret_size);
	rv = context_update(cipher->prepared->cipher, in, in_size, out, ret_size);
	cipher->ended = rv == CKR_OK;
	return rv;
}

CK_RV
cipher_single(struct cipher *cipher, const void *in, size_t in_size, unsigned char *out,
              size_t room, size_t *ret_size)
{
	size_t size = cipher_single_size(cipher, in_size), out_size, given = 0;
	struct secret *copy = NULL;
	const unsigned char *from;
	CK_RV rv;

	if (exceeds(cipher, in_size, false))
		return length_range(cipher);
	if (is_blocks(cipher) && in_size % CIPHER_BLOCK != 0 &&
	    (unpads(cipher) || cipher->mode != CIPHER_CBC_PAD))
		return length_range(cipher);
	if (unpads(cipher) && in_size == 0)
		return length_range(cipher);
	/* Those that need to look into the data to know, and those that check more, see to it. */
	if (room < size && !unpads(cipher) && !is_aead(cipher))
		return short_of(size, ret_size);
	out_size = room < size ? room : size;
	rv = input_apart(in, in_size, out, out_size, true, &copy, &from);
	if (rv != CKR_OK)
		return rv;
	rv = single(cipher, from == NULL ? (const unsigned char *)"" : from, in_size, out, room,
	            &given);
	secret_free(&copy);
	if (rv == CKR_OK || rv == CKR_BUFFER_TOO_SMALL)
		*ret_size = given;
	return rv;
}
