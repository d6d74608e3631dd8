/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "aes.h"
#include "base/openssl.h"
#include "mechanism/cipher-message.h"

#include <openssl/err.h>
#include <pthread.h>
#include <string.h>

#define DATA_MAX 600
#define ROOM 2048

static unsigned char aad[64], data[DATA_MAX];
static struct cipher_store *store;
static struct secret *key;
static unsigned char seed = 4; /* each test has a value of its own, whose count begins at 0 */

static void
setup(void)
{
	ck_assert_uint_eq(openssl_start(), CKR_OK);
	aes_fill(aad, sizeof aad, 2);
	aes_fill(data, sizeof data, 3);
	ck_assert_uint_eq(cipher_store_new(&store), CKR_OK);
	key = aes_key(32, seed++);
}

static void
teardown(void)
{
	cipher_store_free(&store);
	secret_free(&key);
	openssl_stop();
}

/* The caller's parameter, of either mechanism, and what it points to. */
struct message {
	CK_MECHANISM_TYPE type;
	unsigned char iv[160], tag[16];
	struct gcm_message_params gcm;
	struct ccm_message_params ccm;
	void *parameter;
	size_t parameter_size;
};

static void
message_init(CK_MECHANISM_TYPE type, size_t iv_size, size_t tag_size, size_t size,
             CK_ULONG generator, size_t fixed_bits, struct message *message)
{
	memset(message, 0, sizeof *message);
	message->type = type;
	aes_fill(message->iv, sizeof message->iv, 5);
	memset(message->tag, 0xa5, sizeof message->tag);
	message->gcm = (struct gcm_message_params){ message->iv, iv_size, fixed_bits, generator,
		                                    message->tag, tag_size * 8 };
	message->ccm = (struct ccm_message_params){ size, message->iv, iv_size, fixed_bits,
		                                    generator, message->tag, tag_size };
	message->parameter = type == CKM_AES_GCM ? (void *)&message->gcm : (void *)&message->ccm;
	message->parameter_size = type == CKM_AES_GCM ? sizeof message->gcm : sizeof message->ccm;
}

static struct cipher_message *
messages(CK_MECHANISM_TYPE type, bool encrypt)
{
	CK_MECHANISM mechanism = { type, NULL, 0 };
	struct cipher_message *cipher = NULL;

	ck_assert_uint_eq(cipher_message_new(&mechanism, encrypt, key, store, &cipher), CKR_OK);
	ck_assert(!cipher_message_begun(cipher));
	return cipher;
}

static void
expected(const struct message *message, size_t aad_size, size_t size, struct buffer *ret_data)
{
	bool gcm = message->type == CKM_AES_GCM;
	struct aes_message reference = {
		message->type, secret_bytes(key), secret_size(key), message->iv,
		message->gcm.ulIvLen, aad, aad_size,
		gcm ? message->gcm.ulTagBits / 8 : message->ccm.ulMACLen, data, size };

	aes_encrypt(&reference, ret_data);
}

static const struct way {
	CK_MECHANISM_TYPE type;
	size_t iv_size, tag_size, aad_size;
} ways[] = {
	{ CKM_AES_GCM, 12, 16, 20 }, { CKM_AES_GCM, 16, 12, 0 }, { CKM_AES_GCM, 1, 4, 1 },
	{ CKM_AES_CCM, 12, 16, 20 }, { CKM_AES_CCM, 7, 4, 0 },
};

#define WAYS ((int)(sizeof ways / sizeof *ways))

START_TEST(single_is_openssls)
{
	const struct way *way = &ways[_i];
	struct cipher_message *encrypt = messages(way->type, true);
	struct cipher_message *decrypt = messages(way->type, false);
	struct buffer want = BUFFER_INIT;
	struct message message;
	unsigned char out[ROOM];
	size_t size;

	for (size_t n = 0; n < 70; n++) {
		message_init(way->type, way->iv_size, way->tag_size, n, CKG_NO_GENERATE, 0, &message);
		message.iv[0] = (unsigned char)n;
		expected(&message, way->aad_size, n, &want);
		memset(out, 0xa5, sizeof out);
		if (n > 0) {
			ck_assert_uint_eq(cipher_message_single(encrypt, message.parameter,
			                                        message.parameter_size, aad,
			                                        way->aad_size, data, n, out, n - 1,
			                                        &size), CKR_BUFFER_TOO_SMALL);
			ck_assert_uint_eq(size, n);
			ck_assert_uint_eq(message.tag[0], 0xa5);
		}
		ck_assert_uint_eq(cipher_message_single(encrypt, message.parameter,
		                                        message.parameter_size, aad, way->aad_size,
		                                        n == 0 ? NULL : data, n, out, n, &size),
		                  CKR_OK);
		ck_assert_uint_eq(size, n);
		ck_assert(memcmp(out, want.data, n) == 0);
		ck_assert_uint_eq(out[n], 0xa5);
		ck_assert_mem_eq(message.tag, want.data + n, way->tag_size);
		if (way->tag_size < 16)
			ck_assert_uint_eq(message.tag[way->tag_size], 0xa5);
		/* The generator is nothing to a decryption. */
		message.gcm.ivGenerator = message.ccm.nonceGenerator = 99;
		/* In place. */
		ck_assert_uint_eq(cipher_message_single(decrypt, message.parameter,
		                                        message.parameter_size, aad, way->aad_size,
		                                        out, n, out, n, &size), CKR_OK);
		ck_assert_uint_eq(size, n);
		ck_assert(memcmp(out, data, n) == 0);
	}
	cipher_message_free(&encrypt);
	ck_assert_ptr_null(encrypt);
	cipher_message_free(&encrypt);
	cipher_message_free(&decrypt);
	buffer_clear(&want);
}
END_TEST

/* in parts of step bytes; the last one may be empty. */
static void
in_parts(struct cipher_message *cipher, struct message *message, size_t aad_size,
         const unsigned char *in, size_t in_size, size_t step, bool empty_last, unsigned char *out)
{
	size_t done = 0, size, want, part, at = 0;
	bool last = false;

	ck_assert_uint_eq(cipher_message_begin(cipher, message->parameter, message->parameter_size,
	                                       aad, aad_size), CKR_OK);
	while (!last) {
		part = in_size - at < step ? in_size - at : step;
		last = empty_last ? part == 0 : at + part == in_size;
		ck_assert(cipher_message_begun(cipher));
		want = cipher_message_next_size(cipher, part, last);
		if (want > 0) {
			ck_assert_uint_eq(cipher_message_next(cipher, message->parameter,
			                                      message->parameter_size, in + at, part,
			                                      last, out + done, want - 1, &size),
			                  CKR_BUFFER_TOO_SMALL);
			ck_assert_uint_eq(size, want);
		}
		memset(out + done, 0xa5, want + 1);
		/* The parameter is looked at at the end only. */
		ck_assert_uint_eq(cipher_message_next(cipher, last ? message->parameter : NULL,
		                                      last ? message->parameter_size : 0, in + at,
		                                      part, last, want == 0 ? NULL : out + done,
		                                      want, &size), CKR_OK);
		ck_assert_uint_eq(size, want);
		ck_assert_uint_eq(out[done + want], 0xa5);
		done += size;
		at += part;
	}
	ck_assert(!cipher_message_begun(cipher));
	ck_assert_uint_eq(done, in_size);
}

START_TEST(parts_are_openssls)
{
	static const size_t steps[] = { 1, 7, 16, 33, DATA_MAX };
	static const size_t sizes[] = { 0, 1, 16, 31, 512 };
	const struct way *way = &ways[_i];
	struct cipher_message *encrypt = messages(way->type, true);
	struct cipher_message *decrypt = messages(way->type, false);
	struct buffer want = BUFFER_INIT;
	struct message message;
	unsigned char out[ROOM];

	for (size_t s = 0; s < 5; s++)
		for (size_t t = 0; t < 5; t++)
			for (int empty = 0; empty < 2; empty++) {
				message_init(way->type, way->iv_size, way->tag_size, sizes[s],
				             CKG_NO_GENERATE, 0, &message);
				expected(&message, way->aad_size, sizes[s], &want);
				in_parts(encrypt, &message, way->aad_size, data, sizes[s], steps[t],
				         empty, out);
				ck_assert(memcmp(out, want.data, sizes[s]) == 0);
				ck_assert_mem_eq(message.tag, want.data + sizes[s], way->tag_size);
				in_parts(decrypt, &message, way->aad_size, want.data, sizes[s], steps[t],
				         empty, out);
				ck_assert(memcmp(out, data, sizes[s]) == 0);
			}
	cipher_message_free(&encrypt);
	cipher_message_free(&decrypt);
	buffer_clear(&want);
}
END_TEST

START_TEST(buffers_overlap)
{
	static const int distances[] = { 0, 1, 16, 40, -1, -16, -40 };
	const struct way *way = &ways[_i];
	struct cipher_message *encrypt = messages(way->type, true);
	struct buffer want = BUFFER_INIT;
	unsigned char room[ROOM], *in = room + 512;
	struct message message;
	size_t size;

	for (size_t d = 0; d < sizeof distances / sizeof *distances; d++) {
		message_init(way->type, way->iv_size, way->tag_size, 77, CKG_NO_GENERATE, 0, &message);
		expected(&message, way->aad_size, 77, &want);
		memcpy(in, data, 77);
		ck_assert_uint_eq(cipher_message_single(encrypt, message.parameter,
		                                        message.parameter_size, aad, way->aad_size,
		                                        in, 77, in + distances[d], 77, &size), CKR_OK);
		ck_assert(memcmp(in + distances[d], want.data, 77) == 0);
		memcpy(in, data, 77);
		ck_assert_uint_eq(cipher_message_begin(encrypt, message.parameter,
		                                       message.parameter_size, aad, way->aad_size),
		                  CKR_OK);
		ck_assert_uint_eq(cipher_message_next(encrypt, message.parameter,
		                                      message.parameter_size, in, 77, true,
		                                      in + distances[d], 77, &size), CKR_OK);
		ck_assert(memcmp(in + distances[d], want.data, 77) == 0);
		ck_assert_mem_eq(message.tag, want.data + 77, way->tag_size);
	}
	cipher_message_free(&encrypt);
	buffer_clear(&want);
}
END_TEST

START_TEST(tampering_is_found)
{
	const struct way *way = &ways[_i];
	struct cipher_message *decrypt = messages(way->type, false);
	unsigned char out[64], zeros[64] = { 0 };
	struct buffer want = BUFFER_INIT;
	struct message message;
	size_t size = 5;

	message_init(way->type, way->iv_size, way->tag_size, 33, CKG_NO_GENERATE, 0, &message);
	expected(&message, way->aad_size, 33, &want);
	for (size_t i = 0; i < want.size; i++) {
		want.data[i] ^= 2;
		memcpy(message.tag, want.data + 33, way->tag_size);
		memset(out, 0xa5, sizeof out);
		ck_assert_uint_eq(cipher_message_single(decrypt, message.parameter,
		                                        message.parameter_size, aad, way->aad_size,
		                                        want.data, 33, out, 33, &size),
		                  CKR_AEAD_DECRYPT_FAILED);
		ck_assert(memcmp(out, zeros, 33) == 0);
		ck_assert_uint_eq(size, 5);
		memset(out, 0xa5, sizeof out);
		ck_assert_uint_eq(cipher_message_begin(decrypt, message.parameter,
		                                       message.parameter_size, aad, way->aad_size),
		                  CKR_OK);
		ck_assert_uint_eq(cipher_message_next(decrypt, NULL, 0, want.data, 20, false, out, 64,
		                                      &size), CKR_OK);
		ck_assert_uint_eq(size, 0);
		ck_assert_uint_eq(out[0], 0xa5);
		ck_assert_uint_eq(cipher_message_next(decrypt, message.parameter,
		                                      message.parameter_size, want.data + 20, 13,
		                                      true, out, 64, &size), CKR_AEAD_DECRYPT_FAILED);
		ck_assert(memcmp(out, zeros, 33) == 0);
		ck_assert(!cipher_message_begun(decrypt));
		size = 5;
		want.data[i] ^= 2;
	}
	ck_assert_uint_eq(ERR_peek_error(), 0);
	/* The next message is none the worse for it. */
	memcpy(message.tag, want.data + 33, way->tag_size);
	ck_assert_uint_eq(cipher_message_single(decrypt, message.parameter, message.parameter_size,
	                                        aad, way->aad_size, want.data, 33, out, 33, &size),
	                  CKR_OK);
	ck_assert(memcmp(out, data, 33) == 0);
	cipher_message_free(&decrypt);
	buffer_clear(&want);
}
END_TEST

/* One message of one byte; the IV and whether it opens again. */
static CK_RV
one(struct cipher_message *encrypt, struct message *message)
{
	struct cipher_message *decrypt;
	unsigned char out[1];
	size_t size;
	CK_RV rv = cipher_message_single(encrypt, message->parameter, message->parameter_size, aad,
	                                 5, data, 1, out, 1, &size);

	if (rv != CKR_OK)
		return rv;
	decrypt = messages(message->type, false);
	ck_assert_uint_eq(cipher_message_single(decrypt, message->parameter,
	                                        message->parameter_size, aad, 5, out, 1, out, 1,
	                                        &size), CKR_OK);
	ck_assert_uint_eq(out[0], data[0]);
	cipher_message_free(&decrypt);
	return CKR_OK;
}

START_TEST(counter_goes_on_for_the_key)
{
	struct cipher_message *a = messages(CKM_AES_GCM, true), *b = messages(CKM_AES_GCM, true);
	unsigned char first[12], want[12] = { 0 }, out[1];
	struct message message;
	size_t size;

	message_init(CKM_AES_GCM, 12, 16, 1, CKG_GENERATE_COUNTER, 64, &message);
	memcpy(first, message.iv, 12);
	memcpy(want, first, 8);
	for (unsigned i = 0; i < 300; i++) {
		memset(message.iv + 8, 0xee, 4); /* replaced, whatever was there */
		/* Neither a lack of room nor a bad argument uses one up. */
		ck_assert_uint_eq(cipher_message_single(a, message.parameter, message.parameter_size,
		                                        NULL, 0, data, 1, out, 0, &size),
		                  CKR_BUFFER_TOO_SMALL);
		ck_assert_uint_eq(cipher_message_single(a, message.parameter, 3, NULL, 0, data, 1, out,
		                                        1, &size), CKR_MECHANISM_PARAM_INVALID);
		ck_assert_uint_eq(one(i % 2 == 0 ? a : b, &message), CKR_OK);
		want[10] = (unsigned char)(i >> 8);
		want[11] = (unsigned char)i;
		ck_assert_mem_eq(message.iv, want, 12);
	}
	cipher_message_free(&a);
	cipher_message_free(&b);
}
END_TEST

#define THREADS 4
#define EACH 500

static unsigned numbers[THREADS][EACH];

static void *
count_up(void *argument)
{
	unsigned *mine = argument;
	struct cipher_message *encrypt = messages(CKM_AES_GCM, true);
	struct message message;

	message_init(CKM_AES_GCM, 12, 16, 1, CKG_GENERATE_COUNTER, 64, &message);
	for (int i = 0; i < EACH; i++) {
		ck_assert_uint_eq(one(encrypt, &message), CKR_OK); /* decrypts it, too */
		mine[i] = (unsigned)message.iv[10] << 8 | message.iv[11];
	}
	cipher_message_free(&encrypt);
	return NULL;
}

/* Threads share the store: no IV twice, no context in two hands. */
START_TEST(threads_share_the_store)
{
	static bool seen[THREADS * EACH];
	pthread_t threads[THREADS];

	for (int i = 0; i < THREADS; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, count_up, numbers[i]), 0);
	for (int i = 0; i < THREADS; i++)
		ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
	for (int i = 0; i < THREADS; i++)
		for (int k = 0; k < EACH; k++) {
			ck_assert_uint_lt(numbers[i][k], THREADS * EACH);
			ck_assert(!seen[numbers[i][k]]);
			seen[numbers[i][k]] = true;
		}
}
END_TEST

START_TEST(counter_ends)
{
	struct cipher_message *encrypt = messages(CKM_AES_GCM, true);
	struct message message;
	unsigned char top;

	/* Three free bits: the others of their byte stay. */
	message_init(CKM_AES_GCM, 12, 16, 1, CKG_GENERATE_COUNTER, 93, &message);
	top = message.iv[11] & 0xf8;
	for (unsigned i = 0; i < 8; i++) {
		ck_assert_uint_eq(one(encrypt, &message), CKR_OK);
		ck_assert_uint_eq(message.iv[11], top | i);
	}
	ck_assert_uint_eq(one(encrypt, &message), CKR_DATA_LEN_RANGE);
	ck_assert_uint_eq(one(encrypt, &message), CKR_DATA_LEN_RANGE);
	cipher_message_free(&encrypt);
}
END_TEST

START_TEST(counter_is_xored)
{
	struct cipher_message *encrypt;
	struct message message;
	unsigned char base[12];

	/* On from where it was, for each C_MessageEncryptInit; from the base, or the last result. */
	message_init(CKM_AES_GCM, 12, 16, 1, CKG_GENERATE_COUNTER_XOR, 32, &message);
	memcpy(base, message.iv, 12);
	for (unsigned round = 0; round < 3; round++) {
		encrypt = messages(CKM_AES_GCM, true);
		for (unsigned i = 300 * round; i < 300 * round + 300; i++) {
			if (round == 1)
				memcpy(message.iv, base, 12);
			ck_assert_uint_eq(one(encrypt, &message), CKR_OK);
			ck_assert_mem_eq(message.iv, base, 10);
			ck_assert_uint_eq(message.iv[10], base[10] ^ (i >> 8));
			ck_assert_uint_eq(message.iv[11], base[11] ^ (i & 0xff));
		}
		cipher_message_free(&encrypt);
	}
	teardown();
	setup();
	encrypt = messages(CKM_AES_GCM, true);
	message_init(CKM_AES_GCM, 12, 16, 1, CKG_GENERATE_COUNTER_XOR, 95, &message);
	ck_assert_uint_eq(one(encrypt, &message), CKR_OK);
	ck_assert_uint_eq(one(encrypt, &message), CKR_OK);
	ck_assert_uint_eq(one(encrypt, &message), CKR_DATA_LEN_RANGE);
	cipher_message_free(&encrypt);
}
END_TEST

START_TEST(random_ivs)
{
	struct cipher_message *encrypt = messages(CKM_AES_GCM, true);
	unsigned char before[16], seen = 0;
	struct message message;

	for (size_t fixed = 0; fixed < 128; fixed++) {
		message_init(CKM_AES_GCM, 16, 16, 1, CKG_GENERATE_RANDOM, fixed, &message);
		memcpy(before, message.iv, 16);
		if (fixed > 32) {
			ck_assert_uint_eq(one(encrypt, &message), CKR_MECHANISM_PARAM_INVALID);
			ck_assert_mem_eq(message.iv, before, 16);
			continue;
		}
		ck_assert_uint_eq(one(encrypt, &message), CKR_OK);
		for (size_t bit = 0; bit < fixed; bit++)
			ck_assert_uint_eq((message.iv[bit / 8] ^ before[bit / 8]) >> (7 - bit % 8) & 1, 0);
		ck_assert(memcmp(message.iv + 4, before + 4, 12) != 0);
	}
	/* The first bit after the fixed ones is random too. */
	for (int i = 0; i < 200; i++) {
		message_init(CKM_AES_GCM, 16, 16, 1, CKG_GENERATE_RANDOM, 3, &message);
		ck_assert_uint_eq(one(encrypt, &message), CKR_OK);
		seen |= (unsigned char)(1 << (message.iv[0] >> 4 & 1));
	}
	ck_assert_uint_eq(seen, 3);
	cipher_message_free(&encrypt);
}
END_TEST

/* The token's choice: random where there is room for it, else a counter that begins at random. */
START_TEST(generator_of_our_choice)
{
	struct cipher_message *encrypt = messages(CKM_AES_GCM, true);
	unsigned char before[16];
	struct message message;

	message_init(CKM_AES_GCM, 12, 16, 1, CKG_GENERATE, 0, &message);
	memcpy(before, message.iv, 12);
	ck_assert_uint_eq(one(encrypt, &message), CKR_OK);
	ck_assert(memcmp(message.iv, before, 12) != 0);
	for (size_t fixed = 8; fixed <= 32; fixed += 8) {
		message_init(CKM_AES_GCM, 12, 16, 1, CKG_GENERATE, fixed, &message);
		ck_assert_uint_eq(one(encrypt, &message), CKR_OK);
		ck_assert_mem_eq(message.iv, before, fixed / 8);
		ck_assert(memcmp(message.iv + fixed / 8, before + fixed / 8, 8) != 0);
		ck_assert_mem_ne(message.iv + 4, "\0\0\0\0", 4);
	}
	message_init(CKM_AES_GCM, 12, 16, 1, CKG_GENERATE, 33, &message);
	ck_assert_uint_eq(one(encrypt, &message), CKR_MECHANISM_PARAM_INVALID);
	ck_assert_mem_eq(message.iv, before, 12);
	cipher_message_free(&encrypt);
	/* CCM's nonces too. */
	encrypt = messages(CKM_AES_CCM, true);
	message_init(CKM_AES_CCM, 7, 8, 1, CKG_GENERATE_COUNTER, 32, &message);
	ck_assert_uint_eq(one(encrypt, &message), CKR_OK);
	ck_assert_uint_eq(message.iv[6], 4);
	message_init(CKM_AES_CCM, 7, 8, 1, CKG_GENERATE, 0, &message);
	ck_assert_uint_eq(one(encrypt, &message), CKR_MECHANISM_PARAM_INVALID);
	message_init(CKM_AES_CCM, 8, 8, 1, CKG_GENERATE, 0, &message);
	ck_assert_uint_eq(one(encrypt, &message), CKR_OK);
	cipher_message_free(&encrypt);
}
END_TEST

START_TEST(parts_use_one_iv)
{
	struct cipher_message *encrypt = messages(CKM_AES_GCM, true);
	struct buffer want = BUFFER_INIT;
	struct message message;
	unsigned char iv[12], out[64];
	size_t size;

	message_init(CKM_AES_GCM, 12, 16, 0, CKG_GENERATE_COUNTER, 32, &message);
	ck_assert_uint_eq(cipher_message_begin(encrypt, message.parameter, message.parameter_size,
	                                       aad, 7), CKR_OK);
	ck_assert_uint_eq(message.iv[11], 0);
	memcpy(iv, message.iv, 12);
	ck_assert_uint_eq(cipher_message_next(encrypt, message.parameter, message.parameter_size,
	                                      data, 30, false, out, 64, &size), CKR_OK);
	ck_assert_uint_eq(cipher_message_next(encrypt, message.parameter, message.parameter_size,
	                                      data + 30, 10, true, out + 30, 34, &size), CKR_OK);
	ck_assert_mem_eq(message.iv, iv, 12);
	expected(&message, 7, 40, &want);
	ck_assert_mem_eq(out, want.data, 40);
	ck_assert_mem_eq(message.tag, want.data + 40, 16);
	cipher_message_free(&encrypt);
	buffer_clear(&want);
}
END_TEST

START_TEST(beginnings_and_ends)
{
	struct cipher_message *encrypt = messages(CKM_AES_GCM, true);
	unsigned char out[64];
	struct message message;
	size_t size = 0;

	message_init(CKM_AES_GCM, 12, 16, 0, CKG_NO_GENERATE, 0, &message);
	ck_assert_uint_eq(cipher_message_next_size(encrypt, 5, true), 0);
	ck_assert_uint_eq(cipher_message_next(encrypt, message.parameter, message.parameter_size,
	                                      data, 5, true, out, 64, &size),
	                  CKR_OPERATION_NOT_INITIALIZED);
	/* Begun anew, and given up at the end. */
	for (int i = 0; i < 3; i++) {
		ck_assert_uint_eq(cipher_message_begin(encrypt, message.parameter,
		                                       message.parameter_size, NULL, 0), CKR_OK);
		ck_assert_uint_eq(cipher_message_next(encrypt, NULL, 0, data, 5, false, out, 64,
		                                      &size), CKR_OK);
	}
	/* Another tag at the end than at the beginning ends the message. */
	message.gcm.ulTagBits = 96;
	ck_assert_uint_eq(cipher_message_next(encrypt, message.parameter, message.parameter_size,
	                                      data, 5, true, out, 64, &size),
	                  CKR_MECHANISM_PARAM_INVALID);
	ck_assert(!cipher_message_begun(encrypt));
	ck_assert_uint_eq(cipher_message_begin(encrypt, message.parameter, message.parameter_size,
	                                       NULL, 0), CKR_OK);
	ck_assert_uint_eq(cipher_message_next(encrypt, NULL, 0, data, 5, true, out, 64, &size),
	                  CKR_MECHANISM_PARAM_INVALID);
	ck_assert_uint_eq(cipher_message_begin(encrypt, message.parameter, message.parameter_size,
	                                       NULL, 1), CKR_ARGUMENTS_BAD);
	ck_assert_uint_eq(cipher_message_single(encrypt, message.parameter, message.parameter_size,
	                                        aad, (size_t)1 << 31, data, 1, out, 1, &size),
	                  CKR_ARGUMENTS_BAD);
	cipher_message_free(&encrypt);
}
END_TEST

START_TEST(lengths_out_of_range)
{
	unsigned char out[64];
	struct cipher_message *cipher;
	struct message message;
	size_t size;

	for (int encrypt = 0; encrypt < 2; encrypt++) {
		CK_RV range = encrypt ? CKR_DATA_LEN_RANGE : CKR_ENCRYPTED_DATA_LEN_RANGE;

		cipher = messages(CKM_AES_CCM, encrypt);
		message_init(CKM_AES_CCM, 12, 16, 10, CKG_NO_GENERATE, 0, &message);
		for (size_t n = 9; n <= 11; n += 2) {
			ck_assert_uint_eq(cipher_message_single(cipher, message.parameter,
			                                        message.parameter_size, NULL, 0, data,
			                                        n, out, 64, &size), range);
			ck_assert_uint_eq(cipher_message_begin(cipher, message.parameter,
			                                       message.parameter_size, NULL, 0),
			                  CKR_OK);
			ck_assert_uint_eq(cipher_message_next(cipher, message.parameter,
			                                      message.parameter_size, data, n, true,
			                                      out, 64, &size), range);
			ck_assert(!cipher_message_begun(cipher));
		}
		message.ccm.ulNonceLen = 7;
		message.ccm.ulDataLen = (CK_ULONG)1 << 31;
		ck_assert_uint_eq(cipher_message_begin(cipher, message.parameter,
		                                       message.parameter_size, NULL, 0), range);
		cipher_message_free(&cipher);

		cipher = messages(CKM_AES_GCM, encrypt);
		message_init(CKM_AES_GCM, 12, 16, 0, CKG_NO_GENERATE, 0, &message);
		ck_assert_uint_eq(cipher_message_single(cipher, message.parameter,
		                                        message.parameter_size, NULL, 0, data,
		                                        ((size_t)1 << 36) - 31, out, SIZE_MAX, &size),
		                  range);
		ck_assert_uint_eq(cipher_message_begin(cipher, message.parameter,
		                                       message.parameter_size, NULL, 0), CKR_OK);
		ck_assert_uint_eq(cipher_message_next(cipher, NULL, 0, data, CIPHER_PARTS_MAX + 1,
		                                      false, out, SIZE_MAX, &size), range);
		ck_assert(!cipher_message_begun(cipher));
		cipher_message_free(&cipher);
	}
}
END_TEST

START_TEST(parameters)
{
	struct cipher_message *cipher = messages(CKM_AES_GCM, true);
	struct message good, bad;
	unsigned char out[1];
	size_t size;

	message_init(CKM_AES_GCM, 12, 16, 1, CKG_GENERATE_COUNTER, 32, &good);
#define REFUSED(change) do { \
	bad = good; \
	change; \
	ck_assert_uint_eq(cipher_message_single(cipher, &bad.gcm, sizeof bad.gcm, NULL, 0, data, 1, \
	                                        out, 1, &size), CKR_MECHANISM_PARAM_INVALID); \
	ck_assert_uint_eq(cipher_message_begin(cipher, &bad.gcm, sizeof bad.gcm, NULL, 0), \
	                  CKR_MECHANISM_PARAM_INVALID); \
} while (0)
	REFUSED(bad.gcm.pIv = NULL);
	REFUSED(bad.gcm.pTag = NULL);
	REFUSED(bad.gcm.ulIvLen = 0);
	REFUSED(bad.gcm.ulIvLen = 129);
	REFUSED(bad.gcm.ulIvLen = (CK_ULONG)-1);
	REFUSED(bad.gcm.ulTagBits = 0);
	REFUSED(bad.gcm.ulTagBits = 127);
	REFUSED(bad.gcm.ulTagBits = 136);
	REFUSED(bad.gcm.ivGenerator = 5);
	REFUSED(bad.gcm.ulIvFixedBits = 96);
	REFUSED(bad.gcm.ulIvFixedBits = (CK_ULONG)-1);
#undef REFUSED
	for (size_t n = 0; n < 2 * sizeof good.gcm; n++)
		ck_assert_uint_eq(cipher_message_begin(cipher, &good.gcm, n, NULL, 0),
		                  n == sizeof good.gcm ? CKR_OK : CKR_MECHANISM_PARAM_INVALID);
	ck_assert_uint_eq(cipher_message_begin(cipher, NULL, sizeof good.gcm, NULL, 0),
	                  CKR_MECHANISM_PARAM_INVALID);
	cipher_message_free(&cipher);

	cipher = messages(CKM_AES_CCM, true);
	message_init(CKM_AES_CCM, 13, 16, 1, CKG_NO_GENERATE, 0, &good);
	for (CK_ULONG n = 0; n < 20; n++) {
		bad = good;
		bad.ccm.pNonce = bad.iv;
		bad.ccm.pMAC = bad.tag;
		bad.ccm.ulMACLen = n;
		ck_assert_uint_eq(cipher_message_begin(cipher, &bad.ccm, sizeof bad.ccm, NULL, 0),
		                  n >= 4 && n <= 16 && n % 2 == 0 ? CKR_OK
		                                                  : CKR_MECHANISM_PARAM_INVALID);
		bad.ccm.ulMACLen = 16;
		bad.ccm.ulNonceLen = n;
		ck_assert_uint_eq(cipher_message_begin(cipher, &bad.ccm, sizeof bad.ccm, NULL, 0),
		                  n >= 7 && n <= 13 ? CKR_OK : CKR_MECHANISM_PARAM_INVALID);
	}
	cipher_message_free(&cipher);
}
END_TEST

START_TEST(keys_and_mechanisms)
{
	CK_MECHANISM mechanism = { CKM_AES_CBC, NULL, 0 };
	struct cipher_message *cipher = NULL;
	struct gcm_message_params gcm;
	struct secret *other;

	ck_assert_uint_eq(cipher_message_new(&mechanism, true, key, store, &cipher),
	                  CKR_MECHANISM_INVALID);
	mechanism.mechanism = CKM_AES_KEY_WRAP;
	ck_assert_uint_eq(cipher_message_new(&mechanism, true, key, store, &cipher),
	                  CKR_MECHANISM_INVALID);
	mechanism = (CK_MECHANISM){ CKM_AES_GCM, &gcm, sizeof gcm };
	memset(&gcm, 0xff, sizeof gcm); /* not looked at */
	ck_assert_uint_eq(cipher_message_new(&mechanism, true, key, store, &cipher), CKR_OK);
	cipher_message_free(&cipher);
	mechanism.ulParameterLen = 3;
	ck_assert_uint_eq(cipher_message_new(&mechanism, true, key, store, &cipher),
	                  CKR_MECHANISM_PARAM_INVALID);
	mechanism.ulParameterLen = 0;
	ck_assert_uint_eq(cipher_message_new(&mechanism, true, key, NULL, &cipher),
	                  CKR_ARGUMENTS_BAD);
	ck_assert_uint_eq(cipher_message_new(&mechanism, false, key, NULL, &cipher), CKR_OK);
	cipher_message_free(&cipher);
	for (size_t size = 0; size < 40; size++) {
		other = aes_key(size, 1);
		ck_assert_uint_eq(cipher_message_new(&mechanism, true, other, store, &cipher),
		                  size == 16 || size == 24 || size == 32 ? CKR_OK
		                                                         : CKR_KEY_SIZE_RANGE);
		cipher_message_free(&cipher);
		secret_free(&other);
	}
	ck_assert_ptr_null(cipher);
}
END_TEST

Suite *
unit_suite(void)
{
	Suite *suite = suite_create("cipher-message");
	TCase *tests = tcase_create("cipher-message");

	tcase_set_timeout(tests, 120);
	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_loop_test(tests, single_is_openssls, 0, WAYS);
	tcase_add_loop_test(tests, parts_are_openssls, 0, WAYS);
	tcase_add_loop_test(tests, buffers_overlap, 0, WAYS);
	tcase_add_loop_test(tests, tampering_is_found, 0, WAYS);
	tcase_add_test(tests, counter_goes_on_for_the_key);
	tcase_add_test(tests, threads_share_the_store);
	tcase_add_test(tests, counter_ends);
	tcase_add_test(tests, counter_is_xored);
	tcase_add_test(tests, random_ivs);
	tcase_add_test(tests, generator_of_our_choice);
	tcase_add_test(tests, parts_use_one_iv);
	tcase_add_test(tests, beginnings_and_ends);
	tcase_add_test(tests, lengths_out_of_range);
	tcase_add_test(tests, parameters);
	tcase_add_test(tests, keys_and_mechanisms);
	suite_add_tcase(suite, tests);
	return suite;
}
