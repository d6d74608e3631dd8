/* SPDX-License-Identifier: Apache-2.0 */
#include "aes.h"

#include "unit.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

void
aes_fill(unsigned char *data, size_t size, unsigned seed)
{
	unsigned state = seed * 2654435761U + 12345U;

	for (size_t i = 0; i < size; i++) {
		state = state * 1664525U + 1013904223U;
		data[i] = (unsigned char)(state >> 24);
	}
}

struct secret *
aes_key(size_t size, unsigned seed)
{
	struct secret *key = NULL;

	ck_assert_uint_eq(secret_new(size, &key), CKR_OK);
	aes_fill(secret_data(key), size, seed);
	return key;
}

void
aes_hex(const char *hex, struct buffer *ret_data)
{
	ck_assert(hex_parse(hex, ret_data));
}

static void
ecb_block(const struct aes_message *message, const unsigned char *in, unsigned char *out)
{
	EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
	char name[16];
	int size;

	snprintf(name, sizeof name, "AES-%zu-ECB", message->key_size * 8);
	ck_assert_int_eq(EVP_EncryptInit_ex(context, EVP_get_cipherbyname(name), NULL,
	                                    message->key, NULL), 1);
	ck_assert_int_eq(EVP_EncryptUpdate(context, out, &size, in, 16), 1);
	ck_assert_int_eq(size, 16);
	EVP_CIPHER_CTX_free(context);
}

static void
mac_block(const struct aes_message *message, const unsigned char *block, unsigned char *state)
{
	for (int i = 0; i < 16; i++)
		state[i] ^= block[i];
	ecb_block(message, state, state);
}

static void
mac_padded(const struct aes_message *message, const unsigned char *data, size_t size,
           unsigned char *state)
{
	unsigned char block[16];

	for (size_t at = 0; at < size; at += 16) {
		memset(block, 0, 16);
		memcpy(block, data + at, size - at < 16 ? size - at : 16);
		mac_block(message, block, state);
	}
}

/* NIST SP 800-38C, section 6.1 and appendix A. */
static void
ccm(const struct aes_message *message, struct buffer *ret_data)
{
	size_t length_size = 15 - message->iv_size;
	unsigned char state[16] = { 0 }, block[16] = { 0 }, stream[16], tag[16];
	unsigned char aad[1024] = { 0 };

	block[0] = (unsigned char)((message->aad_size > 0 ? 64 : 0) |
	                           (message->tag_size - 2) / 2 << 3 | (length_size - 1));
	memcpy(block + 1, message->iv, message->iv_size);
	for (size_t i = 0, size = message->size; i < length_size; i++, size >>= 8)
		block[15 - i] = (unsigned char)size;
	mac_block(message, block, state);
	if (message->aad_size > 0) {
		ck_assert_uint_lt(message->aad_size, sizeof aad - 2);
		aad[0] = (unsigned char)(message->aad_size >> 8);
		aad[1] = (unsigned char)message->aad_size;
		memcpy(aad + 2, message->aad, message->aad_size);
		mac_padded(message, aad, message->aad_size + 2, state);
	}
	mac_padded(message, message->data, message->size, state);

	ck_assert_uint_eq(buffer_resize(ret_data, message->size + message->tag_size), CKR_OK);
	memset(block, 0, sizeof block);
	block[0] = (unsigned char)(length_size - 1);
	memcpy(block + 1, message->iv, message->iv_size);
	ecb_block(message, block, stream);
	for (size_t i = 0; i < 16; i++)
		tag[i] = state[i] ^ stream[i];
	for (size_t at = 0; at < message->size; at++) {
		if (at % 16 == 0) {
			for (size_t i = 15; ++block[i] == 0; i--)
				;
			ecb_block(message, block, stream);
		}
		ret_data->data[at] = message->data[at] ^ stream[at % 16];
	}
	memcpy(ret_data->data + message->size, tag, message->tag_size);
}

static const char *
mode_name(CK_MECHANISM_TYPE type)
{
	switch (type) {
	case CKM_AES_ECB:
		return "ECB";
	case CKM_AES_CTR:
		return "CTR";
	case CKM_AES_GCM:
		return "GCM";
	default:
		return "CBC";
	}
}

void
aes_encrypt(const struct aes_message *message, struct buffer *ret_data)
{
	EVP_CIPHER_CTX *context;
	char name[16];
	int first = 0, rest = 0;

	if (message->type == CKM_AES_CCM) {
		ccm(message, ret_data);
		return;
	}
	snprintf(name, sizeof name, "AES-%zu-%s", message->key_size * 8, mode_name(message->type));
	context = EVP_CIPHER_CTX_new();
	ck_assert_int_eq(EVP_EncryptInit_ex(context, EVP_get_cipherbyname(name), NULL, NULL, NULL),
	                 1);
	if (message->type == CKM_AES_GCM)
		ck_assert_int_eq(EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_IVLEN,
		                                     (int)message->iv_size, NULL), 1);
	ck_assert_int_eq(EVP_EncryptInit_ex(context, NULL, NULL, message->key, message->iv), 1);
	ck_assert_int_eq(EVP_CIPHER_CTX_set_padding(context, message->type == CKM_AES_CBC_PAD), 1);
	if (message->aad_size > 0)
		ck_assert_int_eq(EVP_EncryptUpdate(context, NULL, &first, message->aad,
		                                   (int)message->aad_size), 1);
	ck_assert_uint_eq(buffer_resize(ret_data, message->size + 32), CKR_OK);
	first = 0;
	if (message->size > 0)
		ck_assert_int_eq(EVP_EncryptUpdate(context, ret_data->data, &first, message->data,
		                                   (int)message->size), 1);
	ck_assert_int_eq(EVP_EncryptFinal_ex(context, ret_data->data + first, &rest), 1);
	if (message->type == CKM_AES_GCM)
		ck_assert_int_eq(EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG,
		                                     (int)message->tag_size,
		                                     ret_data->data + first + rest), 1);
	EVP_CIPHER_CTX_free(context);
	ck_assert_uint_eq(buffer_resize(ret_data, (size_t)(first + rest) + message->tag_size),
	                  CKR_OK);
}
