/* SPDX-License-Identifier: Apache-2.0 */
/*
 * OpenSSL takes PKCS#1 v1.5 padding off in constant time, but, as with OAEP, only by a
 * function that it calls deprecated and has not replaced.
 */
#define OPENSSL_SUPPRESS_DEPRECATED

#include "mechanism/rejection.h"

#include "base/openssl.h"
#include "mechanism/kdf.h"
#include "mechanism/mac.h"
#include "mechanism/mechanism.h"

#include <openssl/err.h>
#include <openssl/rsa.h>
#include <stdint.h>
#include <string.h>

#define PADDING_SIZE 11 /* RFC 8017, section 7.2.1: 00 02, eight bytes, 00 */
#define SECRET_SIZE 32
/* So many candidates for a length that one of them is short enough, but once in 2^128. */
#define CANDIDATES 128

static const unsigned char block_info[] = "p11-kms implicit rejection";
static const unsigned char length_info[] = "length";
static const unsigned char message_info[] = "message";

/* Masks of all ones or none. The barrier keeps the compiler from making a branch of one. */
static uint64_t
barrier(uint64_t mask)
{
	__asm__("" : "+r"(mask));
	return mask;
}

static uint64_t
is_less(uint64_t a, uint64_t b)
{
	return barrier(0 - ((a - b) >> 63)); /* both are below 2^63 */
}

static uint64_t
choose(uint64_t mask, uint64_t yes, uint64_t no)
{
	return (mask & yes) | (~mask & no);
}

/* Below the modulus, which has its uppermost bit where the block has none. */
CK_RV
rejection_block(const struct public_key *key, struct buffer *ret_block)
{
	size_t size = public_key_signature_size(key);
	unsigned top = (public_key_bits(key) - 1) % 8; /* bits that the first byte may have */
	struct secret *modulus = NULL, *block = NULL;
	struct buffer number = BUFFER_INIT;
	CK_RV rv;

	rv = public_key_attribute(key, CKA_MODULUS, &number);
	if (rv == CKR_OK)
		rv = secret_dup(number.data, number.size, &modulus);
	if (rv == CKR_OK)
		rv = kdf_derive(CKD_SHA512_KDF, modulus, block_info, sizeof block_info, size, &block);
	if (rv == CKR_OK)
		rv = buffer_set(ret_block, secret_bytes(block), size);
	if (rv == CKR_OK)
		ret_block->data[0] &= (unsigned char)((1u << top) - 1);
	secret_free(&block);
	secret_free(&modulus);
	buffer_clear(&number);
	return rv;
}

/* The answer as long as the modulus: some HSMs leave leading zeros away. */
static CK_RV
whole_block(const struct public_key *key, const struct secret *answer, struct secret **ret_block)
{
	size_t size = public_key_signature_size(key), missing;
	struct secret *block = NULL;
	CK_RV rv;

	if (secret_size(answer) > size)
		return CKR_DEVICE_ERROR;
	rv = secret_new(size, &block);
	if (rv != CKR_OK)
		return rv;
	missing = size - secret_size(answer);
	memcpy(secret_data(block) + missing, secret_bytes(answer), secret_size(answer));
	*ret_block = block;
	return CKR_OK;
}

/* Is it what the private key makes of the block? Encrypted again it must be the block. */
static CK_RV
check_answer(struct public_key *key, const struct secret *whole)
{
	CK_MECHANISM mechanism = { CKM_RSA_X_509, NULL, 0 };
	struct buffer block = BUFFER_INIT, again = BUFFER_INIT;
	struct mechanism_use use = { 0 };
	CK_RV rv;

	rv = mechanism_use_init(&mechanism, CKF_ENCRYPT, key, &use);
	if (rv == CKR_OK)
		rv = rejection_block(key, &block);
	if (rv == CKR_OK)
		rv = buffer_resize(&again, block.size);
	if (rv == CKR_OK)
		rv = mechanism_encrypt(&use, key, secret_bytes(whole), secret_size(whole),
		                       again.data);
	if (rv == CKR_DATA_INVALID || (rv == CKR_OK && !buffer_equal(&again, block.data, block.size)))
		rv = CKR_DEVICE_ERROR;
	mechanism_use_clear(&use);
	buffer_clear(&block);
	buffer_clear(&again);
	return rv;
}

CK_RV
rejection_secret(struct public_key *key, const struct secret *answer, struct secret **ret_secret)
{
	struct secret *whole = NULL;
	CK_RV rv = whole_block(key, answer, &whole);

	if (rv == CKR_OK)
		rv = check_answer(key, whole);
	if (rv == CKR_OK)
		rv = kdf_derive(CKD_SHA256_KDF, whole, block_info, sizeof block_info, SECRET_SIZE,
		                ret_secret);
	secret_free(&whole);
	return rv;
}

/* HMAC of the ciphertext: a key for this ciphertext alone. */
static CK_RV
ciphertext_key(const struct secret *secret, const void *ciphertext, size_t size,
               struct secret **ret_key)
{
	CK_MECHANISM mechanism = { CKM_SHA256_HMAC, NULL, 0 };
	struct secret *key = NULL;
	struct mac *mac = NULL;
	CK_RV rv;

	rv = mac_new(&mechanism, secret, &mac);
	if (rv == CKR_OK)
		rv = secret_new(mac_size(mac), &key);
	if (rv == CKR_OK)
		rv = mac_update(mac, ciphertext, size);
	if (rv == CKR_OK)
		rv = mac_final(mac, secret_data(key));
	mac_free(&mac);
	if (rv != CKR_OK)
		secret_free(&key);
	else
		*ret_key = key;
	return rv;
}

/* The last candidate of those that are no longer than max. */
static uint64_t
pick_length(const unsigned char *random, uint64_t max)
{
	uint64_t length = 0, candidate, bits = max;

	for (unsigned shift = 1; shift < 16; shift *= 2)
		bits |= bits >> shift;
	for (size_t i = 0; i < CANDIDATES; i++) {
		candidate = ((uint64_t)random[2 * i] << 8 | random[2 * i + 1]) & bits;
		length = choose(~is_less(max, candidate), candidate, length);
	}
	return length;
}

/* OpenSSL's error is left for bad padding only: taken off unread both times. */
static int
check_padding(const struct secret *block, struct secret *message, size_t size)
{
	int length;

	ERR_set_mark();
	length = RSA_padding_check_PKCS1_type_2(secret_data(message), (int)secret_size(message),
	                                        secret_bytes(block), (int)secret_size(block),
	                                        (int)size);
	ERR_pop_to_mark();
	return length;
}

/* message becomes the stand-in, from its first byte on, unless the padding was good. */
static size_t
select_message(int length, const struct secret *lengths, const struct secret *stand_in,
               struct secret *message)
{
	uint64_t good = ~barrier(0 - ((uint64_t)(unsigned)length >> 31)); /* not negative */
	unsigned char *data = secret_data(message);

	for (size_t i = 0; i < secret_size(message); i++)
		data[i] = (unsigned char)choose(good, data[i], secret_bytes(stand_in)[i]);
	return choose(good, (uint64_t)(unsigned)length & good,
	              pick_length(secret_bytes(lengths), secret_size(message)));
}

CK_RV
rejection_unpad(const struct public_key *key, const struct secret *secret, const void *ciphertext,
                const struct secret *block, struct secret **ret_plaintext)
{
	size_t size = public_key_signature_size(key), max = size - PADDING_SIZE;
	struct secret *whole = NULL, *own = NULL, *lengths = NULL, *stand_in = NULL, *message = NULL;
	CK_RV rv;

	rv = whole_block(key, block, &whole);
	if (rv == CKR_OK)
		rv = ciphertext_key(secret, ciphertext, size, &own);
	if (rv == CKR_OK)
		rv = kdf_derive(CKD_SHA256_KDF, own, length_info, sizeof length_info, 2 * CANDIDATES,
		                &lengths);
	if (rv == CKR_OK)
		rv = kdf_derive(CKD_SHA256_KDF, own, message_info, sizeof message_info, max,
		                &stand_in);
	if (rv == CKR_OK)
		rv = secret_new(max, &message);
	if (rv == CKR_OK) {
		secret_truncate(message, select_message(check_padding(whole, message, size), lengths,
		                                        stand_in, message));
		*ret_plaintext = message;
	}
	secret_free(&whole);
	secret_free(&own);
	secret_free(&lengths);
	secret_free(&stand_in);
	return rv;
}
