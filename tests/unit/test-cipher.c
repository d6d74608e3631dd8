/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "aes.h"
#include "base/openssl.h"
#include "mechanism/cipher-context.h"
#include "mechanism/cipher.h"

#include <openssl/err.h>

#include <stdlib.h>
#include <string.h>

#define DATA_MAX 1100
#define ROOM 4096

static unsigned char iv[256], aad[64], data[DATA_MAX];

static void
setup(void)
{
	ck_assert_uint_eq(openssl_start(), CKR_OK);
	aes_fill(iv, sizeof iv, 1);
	aes_fill(aad, sizeof aad, 2);
	aes_fill(data, sizeof data, 3);
}

/* A way to use AES: mechanism, parameter, and what the second opinion needs to know. */
struct way {
	CK_MECHANISM_TYPE type;
	size_t iv_size, aad_size, tag_size;
	bool blocks; /* takes whole blocks only */
};

static const struct way ways[] = {
	{ CKM_AES_ECB, 0, 0, 0, true },       { CKM_AES_CBC, 16, 0, 0, true },
	{ CKM_AES_CBC_PAD, 16, 0, 0, false }, { CKM_AES_CTR, 16, 0, 0, false },
	{ CKM_AES_GCM, 12, 20, 16, false },   { CKM_AES_GCM, 12, 0, 12, false },
	{ CKM_AES_GCM, 1, 1, 4, false },      { CKM_AES_GCM, 16, 64, 8, false },
	{ CKM_AES_GCM, 128, 0, 15, false },   { CKM_AES_CCM, 7, 0, 4, false },
	{ CKM_AES_CCM, 13, 20, 16, false },   { CKM_AES_CCM, 12, 64, 8, false },
	{ CKM_AES_CCM, 12, 64, 10, false },
};

#define WAYS ((int)(sizeof ways / sizeof *ways))

/* The mechanism of a way; size: of the plaintext. */
struct parameter {
	CK_GCM_PARAMS gcm;
	struct ccm_params ccm;
	CK_AES_CTR_PARAMS ctr;
	CK_MECHANISM mechanism;
};

static CK_MECHANISM *
parameter_of(const struct way *way, size_t size, struct parameter *parameter)
{
	CK_MECHANISM *mechanism = &parameter->mechanism;

	*mechanism = (CK_MECHANISM){ way->type, iv, way->iv_size };
	if (way->type == CKM_AES_ECB)
		mechanism->pParameter = NULL;
	if (way->type == CKM_AES_CTR) {
		parameter->ctr.ulCounterBits = 128;
		memcpy(parameter->ctr.cb, iv, 16);
		mechanism->pParameter = &parameter->ctr;
		mechanism->ulParameterLen = sizeof parameter->ctr;
	}
	if (way->type == CKM_AES_GCM) {
		parameter->gcm = (CK_GCM_PARAMS){ iv, way->iv_size, 0, aad, way->aad_size,
			                          way->tag_size * 8 };
		mechanism->pParameter = &parameter->gcm;
		mechanism->ulParameterLen = sizeof parameter->gcm;
	}
	if (way->type == CKM_AES_CCM) {
		parameter->ccm = (struct ccm_params){ size, iv, way->iv_size, aad, way->aad_size,
			                              way->tag_size };
		mechanism->pParameter = &parameter->ccm;
		mechanism->ulParameterLen = sizeof parameter->ccm;
	}
	return mechanism;
}

static struct cipher *
cipher_of(const struct way *way, size_t size, bool encrypt, const struct secret *key,
          struct cipher_store *store)
{
	struct parameter parameter;
	struct cipher *cipher = NULL;

	ck_assert_uint_eq(cipher_new(parameter_of(way, size, &parameter), encrypt, key, store,
	                             &cipher), CKR_OK);
	/* Nothing of the caller's is kept. */
	memset(&parameter, 0xff, sizeof parameter);
	return cipher;
}

static void
expected(const struct way *way, const struct secret *key, size_t size, struct buffer *ret_data)
{
	struct aes_message message = { way->type, secret_bytes(key), secret_size(key), iv,
		                       way->iv_size, aad, way->aad_size, way->tag_size, data,
		                       size };

	aes_encrypt(&message, ret_data);
}

START_TEST(known_answers)
{
	/* FIPS 197, appendix C.1; the GCM specification's cases 1 and 2; SP 800-38C, example 1. */
	static const struct {
		CK_MECHANISM_TYPE type;
		const char *key, *iv, *aad, *plain, *encrypted;
		CK_ULONG tag;
	} answers[] = {
		{ CKM_AES_ECB, "000102030405060708090a0b0c0d0e0f", "", "",
		  "00112233445566778899aabbccddeeff", "69c4e0d86a7b0430d8cdb78070b4c55a", 0 },
		{ CKM_AES_GCM, "00000000000000000000000000000000", "000000000000000000000000", "",
		  "", "58e2fccefa7e3061367f1d57a4e7455a", 16 },
		{ CKM_AES_GCM, "00000000000000000000000000000000", "000000000000000000000000", "",
		  "00000000000000000000000000000000",
		  "0388dace60b6a392f328c2b971b2fe78ab6e47d42cec13bdf53a67b21257bddf", 16 },
		{ CKM_AES_CCM, "404142434445464748494a4b4c4d4e4f", "10111213141516",
		  "0001020304050607", "20212223", "7162015b4dac255d", 4 },
	};
	struct buffer parts[5] = { BUFFER_INIT, BUFFER_INIT, BUFFER_INIT, BUFFER_INIT, BUFFER_INIT };
	struct cipher *cipher = NULL;
	struct secret *key = NULL;
	unsigned char out[64];
	size_t size = 0;

	aes_hex(answers[_i].key, &parts[0]);
	aes_hex(answers[_i].iv, &parts[1]);
	aes_hex(answers[_i].aad, &parts[2]);
	aes_hex(answers[_i].plain, &parts[3]);
	aes_hex(answers[_i].encrypted, &parts[4]);
	CK_GCM_PARAMS gcm = { parts[1].data, parts[1].size, 0, parts[2].data, parts[2].size,
		              answers[_i].tag * 8 };
	struct ccm_params ccm = { parts[3].size, parts[1].data, parts[1].size, parts[2].data,
		                  parts[2].size, answers[_i].tag };
	CK_MECHANISM mechanism = { answers[_i].type, NULL, 0 };
	if (answers[_i].type == CKM_AES_GCM)
		mechanism = (CK_MECHANISM){ CKM_AES_GCM, &gcm, sizeof gcm };
	if (answers[_i].type == CKM_AES_CCM)
		mechanism = (CK_MECHANISM){ CKM_AES_CCM, &ccm, sizeof ccm };
	ck_assert_uint_eq(secret_dup(parts[0].data, parts[0].size, &key), CKR_OK);
	for (int encrypt = 0; encrypt < 2; encrypt++) {
		const struct buffer *from = &parts[encrypt ? 3 : 4], *to = &parts[encrypt ? 4 : 3];

		ck_assert_uint_eq(cipher_new(&mechanism, encrypt, key, NULL, &cipher), CKR_OK);
		ck_assert_uint_eq(cipher_single(cipher, from->data, from->size, out, sizeof out,
		                                &size), CKR_OK);
		ck_assert_uint_eq(size, to->size);
		ck_assert(buffer_equal(to, out, size));
		cipher_free(&cipher);
		ck_assert_ptr_null(cipher);
		cipher_free(&cipher);
	}
	secret_free(&key);
	for (size_t i = 0; i < 5; i++)
		buffer_clear(&parts[i]);
}
END_TEST

/* In one part, every size and key size, with and without a store; nothing is written past the result. */
START_TEST(single_is_openssls)
{
	const struct way *way = &ways[_i];
	static const size_t key_sizes[] = { 16, 24, 32 };
	struct cipher_store *store = NULL;
	struct buffer want = BUFFER_INIT;
	unsigned char out[ROOM];
	struct cipher *cipher;
	struct secret *key;
	size_t size;

	for (size_t k = 0; k < 3; k++) {
		key = aes_key(key_sizes[k], 7);
		ck_assert_uint_eq(cipher_store_new(&store), CKR_OK);
		for (size_t n = 0; n < 70; n += way->blocks ? 16 : 1) {
			expected(way, key, n, &want);
			for (int with_store = 0; with_store < 2; with_store++) {
				cipher = cipher_of(way, n, true, key, with_store ? store : NULL);
				ck_assert_uint_eq(cipher_single_size(cipher, n), want.size);
				memset(out, 0xa5, sizeof out);
				ck_assert_uint_eq(cipher_single(cipher, n == 0 ? NULL : data, n, out,
				                                want.size, &size), CKR_OK);
				ck_assert_uint_eq(size, want.size);
				ck_assert(buffer_equal(&want, out, size));
				ck_assert_uint_eq(out[size], 0xa5);
				cipher_free(&cipher);

				cipher = cipher_of(way, n, false, key, with_store ? store : NULL);
				ck_assert_uint_ge(cipher_single_size(cipher, want.size), n);
				memset(out, 0xa5, sizeof out);
				/* No more room than the plaintext needs. */
				ck_assert_uint_eq(cipher_single(cipher, want.data, want.size, out, n,
				                                &size), CKR_OK);
				ck_assert_uint_eq(size, n);
				ck_assert(memcmp(out, data, n) == 0);
				ck_assert_uint_eq(out[n], 0xa5);
				cipher_free(&cipher);
			}
		}
		cipher_store_free(&store);
		ck_assert_ptr_null(store);
		secret_free(&key);
	}
	cipher_store_free(&store);
	buffer_clear(&want);
}
END_TEST

/* in parts of `step` bytes; sizes are told exactly before each. */
static size_t
in_parts(struct cipher *cipher, const unsigned char *in, size_t in_size, size_t step, bool pads,
         unsigned char *out)
{
	size_t done = 0, size, want, part;

	for (size_t at = 0; at < in_size; at += part) {
		part = in_size - at < step ? in_size - at : step;
		want = cipher_update_size(cipher, part);
		if (want > 0) {
			ck_assert_uint_eq(cipher_update(cipher, in + at, part, out + done, want - 1,
			                                &size), CKR_BUFFER_TOO_SMALL);
			ck_assert_uint_eq(size, want);
		}
		memset(out + done, 0xa5, want + 1);
		ck_assert_uint_eq(cipher_update(cipher, in + at, part, want == 0 ? NULL : out + done,
		                                want, &size), CKR_OK);
		ck_assert_uint_eq(size, want);
		ck_assert_uint_eq(out[done + want], 0xa5);
		done += size;
		/* An empty part is one, and changes nothing. */
		ck_assert_uint_eq(cipher_update_size(cipher, 0), 0);
		ck_assert_uint_eq(cipher_update(cipher, NULL, 0, NULL, 0, &size), CKR_OK);
		ck_assert_uint_eq(size, 0);
	}
	want = cipher_final_size(cipher);
	if (want > 0) {
		CK_RV rv = cipher_final(cipher, out + done, 0, &size);

		/* Padding may leave nothing after all. */
		if (rv == CKR_BUFFER_TOO_SMALL) {
			ck_assert(pads ? size <= want : size == want);
			want = size;
			ck_assert_uint_eq(cipher_final_size(cipher), want);
			ck_assert_uint_eq(cipher_final(cipher, out + done, want - 1, &size),
			                  CKR_BUFFER_TOO_SMALL);
		} else {
			ck_assert(pads);
			ck_assert_uint_eq(rv, CKR_OK);
			return done;
		}
	}
	memset(out + done, 0xa5, want + 1);
	ck_assert_uint_eq(cipher_final(cipher, want == 0 ? NULL : out + done, want, &size), CKR_OK);
	ck_assert_uint_eq(size, want);
	ck_assert_uint_eq(out[done + want], 0xa5);
	return done + size;
}

START_TEST(parts_are_openssls)
{
	static const size_t steps[] = { 1, 3, 15, 16, 17, 31, 32, 33, 100, DATA_MAX };
	static const size_t sizes[] = { 0, 1, 15, 16, 17, 32, 47, 48, 160, 1024, 1087 };
	const struct way *way = &ways[_i];
	struct cipher_store *store = NULL;
	struct secret *key = aes_key(32, 9);
	struct buffer want = BUFFER_INIT;
	unsigned char out[ROOM];
	struct cipher *cipher;
	bool pads = way->type == CKM_AES_CBC_PAD;

	ck_assert_uint_eq(cipher_store_new(&store), CKR_OK);
	for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++)
		for (size_t t = 0; t < sizeof steps / sizeof *steps; t++) {
			if (way->blocks && sizes[s] % 16 != 0)
				continue;
			expected(way, key, sizes[s], &want);
			cipher = cipher_of(way, sizes[s], true, key, store);
			ck_assert_uint_eq(in_parts(cipher, data, sizes[s], steps[t], false, out),
			                  want.size);
			ck_assert(buffer_equal(&want, out, want.size));
			cipher_free(&cipher);
			cipher = cipher_of(way, sizes[s], false, key, store);
			ck_assert_uint_eq(in_parts(cipher, want.data, want.size, steps[t], pads, out),
			                  sizes[s]);
			ck_assert(memcmp(out, data, sizes[s]) == 0);
			cipher_free(&cipher);
		}
	cipher_store_free(&store);
	secret_free(&key);
	buffer_clear(&want);
}
END_TEST

/* in and out in one array, at all distances, whole and in parts. */
START_TEST(buffers_overlap)
{
	static const int distances[] = { 0, 1, 5, 15, 16, 17, 48, 64, 96, -1, -5, -16, -17, -64 };
	const struct way *way = &ways[_i];
	struct secret *key = aes_key(16, 11);
	struct buffer want = BUFFER_INIT;
	unsigned char room[ROOM], *in, *out;
	struct cipher *cipher;
	const size_t n = way->blocks ? 96 : 93;
	size_t size, done;

	expected(way, key, n, &want);
	for (size_t d = 0; d < sizeof distances / sizeof *distances; d++) {
		in = room + 1024;
		out = in + distances[d];
		memcpy(in, data, n);
		cipher = cipher_of(way, n, true, key, NULL);
		ck_assert_uint_eq(cipher_single(cipher, in, n, out, want.size, &size), CKR_OK);
		ck_assert(buffer_equal(&want, out, size));
		cipher_free(&cipher);

		memcpy(in, want.data, want.size);
		cipher = cipher_of(way, n, false, key, NULL);
		ck_assert_uint_eq(cipher_single(cipher, in, want.size, out, n, &size), CKR_OK);
		ck_assert_uint_eq(size, n);
		ck_assert(memcmp(out, data, n) == 0);
		cipher_free(&cipher);

		/* Parts, each written over or beside itself, after 5 bytes are held back. */
		cipher = cipher_of(way, n, true, key, NULL);
		unsigned char got[ROOM];
		done = 0;
		for (size_t at = 0, part = 5; at < n; at += part, part = n - at < 37 ? n - at : 37) {
			memcpy(in, data + at, part);
			ck_assert_uint_eq(cipher_update(cipher, in, part, out, 256, &size), CKR_OK);
			memcpy(got + done, out, size);
			done += size;
		}
		ck_assert_uint_eq(cipher_final(cipher, got + done, 256, &size), CKR_OK);
		ck_assert_uint_eq(done + size, want.size);
		ck_assert(buffer_equal(&want, got, want.size));
		cipher_free(&cipher);

		cipher = cipher_of(way, n, false, key, NULL);
		done = 0;
		for (size_t at = 0, part = 21; at < want.size;
		     at += part, part = want.size - at < 37 ? want.size - at : 37) {
			memcpy(in, want.data + at, part);
			ck_assert_uint_eq(cipher_update(cipher, in, part, out, 256, &size), CKR_OK);
			memcpy(got + done, out, size);
			done += size;
		}
		ck_assert_uint_eq(cipher_final(cipher, got + done, 256, &size), CKR_OK);
		ck_assert_uint_eq(done + size, n);
		ck_assert(memcmp(got, data, n) == 0);
		cipher_free(&cipher);
	}
	secret_free(&key);
	buffer_clear(&want);
}
END_TEST

/* Whole messages, too little room: told what is needed, nothing used up, then done. */
START_TEST(single_asks_for_room)
{
	const struct way *way = &ways[_i];
	struct secret *key = aes_key(24, 13);
	struct buffer want = BUFFER_INIT;
	unsigned char out[ROOM];
	struct cipher *cipher;
	const size_t n = way->blocks ? 64 : 61;
	size_t size = 0;

	expected(way, key, n, &want);
	cipher = cipher_of(way, n, true, key, NULL);
	for (size_t room = 0; room < want.size; room++) {
		ck_assert_uint_eq(cipher_single(cipher, data, n, out, room, &size),
		                  CKR_BUFFER_TOO_SMALL);
		ck_assert_uint_eq(size, want.size);
	}
	ck_assert_uint_eq(cipher_single(cipher, data, n, out, want.size, &size), CKR_OK);
	ck_assert(buffer_equal(&want, out, size));
	cipher_free(&cipher);

	cipher = cipher_of(way, n, false, key, NULL);
	for (size_t room = 0; room < n; room++) {
		ck_assert_uint_eq(cipher_single(cipher, want.data, want.size, out, room, &size),
		                  CKR_BUFFER_TOO_SMALL);
		ck_assert_uint_eq(size, n);
	}
	ck_assert_uint_eq(cipher_single(cipher, want.data, want.size, out, n, &size), CKR_OK);
	ck_assert(memcmp(out, data, n) == 0);
	cipher_free(&cipher);
	secret_free(&key);
	buffer_clear(&want);
}
END_TEST

/* Any bit of ciphertext, tag, IV or additional data: one code, and no plaintext. */
START_TEST(tampering_is_found)
{
	const struct way *way = &ways[_i];
	struct buffer want = BUFFER_INIT;
	unsigned char out[256], zeros[256] = { 0 };
	struct cipher *cipher;
	struct secret *key;
	const size_t n = 33;
	size_t size;

	if (way->tag_size == 0)
		return;
	key = aes_key(32, 15);
	expected(way, key, n, &want);
	for (size_t i = 0; i < want.size; i++) {
		want.data[i] ^= 0x40;
		memset(out, 0xa5, sizeof out);
		size = 77;
		cipher = cipher_of(way, n, false, key, NULL);
		ck_assert_uint_eq(cipher_single(cipher, want.data, want.size, out, n, &size),
		                  CKR_ENCRYPTED_DATA_INVALID);
		ck_assert(memcmp(out, zeros, n) == 0);
		ck_assert_uint_eq(size, 77);
		cipher_free(&cipher);

		/* In parts nothing comes out before the end, and then nothing. */
		memset(out, 0xa5, sizeof out);
		cipher = cipher_of(way, n, false, key, NULL);
		ck_assert_uint_eq(cipher_update(cipher, want.data, 20, out, 256, &size), CKR_OK);
		ck_assert_uint_eq(size, 0);
		ck_assert_uint_eq(cipher_update(cipher, want.data + 20, want.size - 20, out, 256,
		                                &size), CKR_OK);
		ck_assert_uint_eq(size, 0);
		ck_assert_uint_eq(out[0], 0xa5);
		ck_assert_uint_eq(cipher_final(cipher, out, 256, &size),
		                  CKR_ENCRYPTED_DATA_INVALID);
		ck_assert(memcmp(out, zeros, n) == 0);
		cipher_free(&cipher);

		/* Also in place. */
		memcpy(out, want.data, want.size);
		cipher = cipher_of(way, n, false, key, NULL);
		ck_assert_uint_eq(cipher_single(cipher, out, want.size, out, n, &size),
		                  CKR_ENCRYPTED_DATA_INVALID);
		ck_assert(memcmp(out, zeros, n) == 0);
		cipher_free(&cipher);
		want.data[i] ^= 0x40;
	}
	for (int what = 0; what < 2; what++) {
		unsigned char *byte = what == 0 ? &iv[0] : &aad[0];

		if (what == 1 && way->aad_size == 0)
			continue;
		*byte ^= 1;
		cipher = cipher_of(way, n, false, key, NULL);
		*byte ^= 1;
		ck_assert_uint_eq(cipher_single(cipher, want.data, want.size, out, n, &size),
		                  CKR_ENCRYPTED_DATA_INVALID);
		cipher_free(&cipher);
	}
	secret_free(&key);
	buffer_clear(&want);
}
END_TEST

/* A context that a failure or a break-off left behind does not come back from the store. */
START_TEST(store_survives_failures)
{
	const struct way *way = &ways[_i];
	struct cipher_store *store = NULL;
	struct secret *key = aes_key(16, 17);
	struct buffer want = BUFFER_INIT;
	unsigned char out[256], junk[256];
	struct cipher *cipher, *other;
	size_t size;

	ck_assert_uint_eq(cipher_store_new(&store), CKR_OK);
	expected(way, key, 48, &want);
	aes_fill(junk, sizeof junk, 18);
	for (int round = 0; round < 20; round++) {
		bool encrypt = round % 2 == 0;

		/* Given up in the middle. */
		cipher = cipher_of(way, 48, encrypt, key, store);
		ck_assert_uint_eq(cipher_update(cipher, data, 7, out, 256, &size), CKR_OK);
		cipher_free(&cipher);
		/* Failed. */
		cipher = cipher_of(way, 48, false, key, store);
		(void)!cipher_single(cipher, junk, want.size, out, 256, &size);
		cipher_free(&cipher);
		/* Two at a time. */
		cipher = cipher_of(way, 48, encrypt, key, store);
		other = cipher_of(way, 48, encrypt, key, store);
		ck_assert_uint_eq(cipher_single(other, encrypt ? data : want.data,
		                                encrypt ? 48 : want.size, out, 256, &size), CKR_OK);
		ck_assert(memcmp(out, encrypt ? want.data : data, size) == 0);
		ck_assert_uint_eq(cipher_single(cipher, encrypt ? data : want.data,
		                                encrypt ? 48 : want.size, out, 256, &size), CKR_OK);
		ck_assert(memcmp(out, encrypt ? want.data : data, size) == 0);
		cipher_free(&cipher);
		cipher_free(&other);
	}
	cipher_store_free(&store);
	secret_free(&key);
	buffer_clear(&want);
}
END_TEST

static unsigned
kept(struct cipher_store *store)
{
	unsigned count = 0;

	for (int i = 0; i < PREPARED_SLOTS; i++)
		count += atomic_load(&store->prepared.slots[i].item) != NULL;
	return count;
}

/* Any two ways take turns in one store: a context comes back only for what it was set up for. */
START_TEST(store_keeps_ways_apart)
{
	struct cipher_store *store = NULL;
	struct secret *key = aes_key(32, 31);
	struct buffer want = BUFFER_INIT;
	unsigned char out[256];
	struct cipher *cipher;
	size_t size;

	for (int a = 0; a < WAYS; a++)
		for (int b = 0; b < WAYS; b++) {
			ck_assert_uint_eq(cipher_store_new(&store), CKR_OK);
			for (int i = 0; i < 8; i++) {
				const struct way *way = &ways[i / 2 % 2 == 0 ? a : b];
				bool encrypt = i % 2 == 0;

				expected(way, key, 48, &want);
				cipher = cipher_of(way, 48, encrypt, key, store);
				ck_assert_uint_eq(cipher_single(cipher, encrypt ? data : want.data,
				                                encrypt ? 48 : want.size, out, 256,
				                                &size), CKR_OK);
				ck_assert_uint_eq(size, encrypt ? want.size : 48);
				ck_assert(memcmp(out, encrypt ? want.data : data, size) == 0);
				cipher_free(&cipher);
			}
			cipher_store_free(&store);
		}
	secret_free(&key);
	buffer_clear(&want);
}
END_TEST

/* What was given up halfway holds bytes of a message: it is not kept. */
START_TEST(store_keeps_what_ended_well)
{
	struct cipher_store *store = NULL;
	struct secret *key = aes_key(32, 33);
	const struct way *way = &ways[_i];
	unsigned char out[256];
	struct cipher *cipher;
	size_t size;

	ck_assert_uint_eq(cipher_store_new(&store), CKR_OK);
	cipher = cipher_of(way, 48, true, key, store);
	ck_assert_uint_eq(cipher_update(cipher, data, 20, out, 256, &size), CKR_OK);
	cipher_free(&cipher);
	ck_assert_uint_eq(kept(store), 0);
	cipher = cipher_of(way, 48, true, key, store);
	ck_assert_uint_eq(cipher_single(cipher, data, 48, out, 256, &size), CKR_OK);
	ck_assert_uint_eq(kept(store), 0);
	cipher_free(&cipher);
	ck_assert_uint_eq(kept(store), 1);
	cipher_store_free(&store);
	secret_free(&key);
}
END_TEST

START_TEST(lengths_out_of_range)
{
	static const struct way ecb = { CKM_AES_ECB, 0, 0, 0, true };
	static const struct way cbc = { CKM_AES_CBC, 16, 0, 0, true };
	static const struct way pad = { CKM_AES_CBC_PAD, 16, 0, 0, false };
	static const struct way gcm = { CKM_AES_GCM, 12, 0, 16, false };
	static const struct way ccm = { CKM_AES_CCM, 12, 0, 8, false };
	struct secret *key = aes_key(16, 19);
	unsigned char out[256];
	struct cipher *cipher;
	size_t size = 0;

	for (int encrypt = 0; encrypt < 2; encrypt++) {
		CK_RV range = encrypt ? CKR_DATA_LEN_RANGE : CKR_ENCRYPTED_DATA_LEN_RANGE;

		for (size_t n = 1; n < 48; n++) {
			if (n % 16 == 0)
				continue;
			for (int w = 0; w < 2; w++) {
				cipher = cipher_of(w == 0 ? &ecb : &cbc, 0, encrypt, key, NULL);
				ck_assert_uint_eq(cipher_single(cipher, data, n, out, 256, &size),
				                  range);
				cipher_free(&cipher);
				cipher = cipher_of(w == 0 ? &ecb : &cbc, 0, encrypt, key, NULL);
				ck_assert_uint_eq(cipher_update(cipher, data, n, out, 256, &size),
				                  CKR_OK);
				ck_assert_uint_eq(size, n / 16 * 16);
				ck_assert_uint_eq(cipher_final(cipher, out, 256, &size), range);
				cipher_free(&cipher);
			}
		}
		/* CCM has been told. */
		for (size_t n = 9; n <= 11; n += 2) {
			cipher = cipher_of(&ccm, 10, encrypt, key, NULL);
			ck_assert_uint_eq(cipher_single(cipher, data, n + (encrypt ? 0 : 8), out, 256,
			                                &size), range);
			cipher_free(&cipher);
		}
		cipher = cipher_of(&ccm, 10, encrypt, key, NULL);
		ck_assert_uint_eq(cipher_update(cipher, data, encrypt ? 10 : 18, out, 256, &size),
		                  CKR_OK);
		ck_assert_uint_eq(cipher_update(cipher, data, 1, out, 256, &size), range);
		cipher_free(&cipher);
		cipher = cipher_of(&ccm, 10, encrypt, key, NULL);
		ck_assert_uint_eq(cipher_update(cipher, data, 9, out, 256, &size), CKR_OK);
		ck_assert_uint_eq(cipher_final(cipher, out, 256, &size), range);
		cipher_free(&cipher);
		/* More than is held back in parts; refused before the bytes are looked at. */
		cipher = cipher_of(&gcm, 0, encrypt, key, NULL);
		ck_assert_uint_eq(cipher_update(cipher, data, CIPHER_PARTS_MAX + (encrypt ? 1 : 17),
		                                out, SIZE_MAX, &size), range);
		ck_assert_uint_eq(cipher_update(cipher, data, SIZE_MAX, out, SIZE_MAX, &size), range);
		cipher_free(&cipher);
		cipher = cipher_of(&gcm, 0, encrypt, key, NULL);
		ck_assert_uint_eq(cipher_single(cipher, data, ((size_t)1 << 36) - 15, out, SIZE_MAX,
		                                &size), range);
		ck_assert_uint_eq(cipher_single(cipher, data, SIZE_MAX, out, SIZE_MAX, &size), range);
		cipher_free(&cipher);
		cipher = cipher_of(&cbc, 0, encrypt, key, NULL);
		ck_assert_uint_eq(cipher_update(cipher, data, SIZE_MAX, out, SIZE_MAX, &size), range);
		ck_assert_uint_eq(cipher_update_size(cipher, SIZE_MAX), 0);
		ck_assert_uint_eq(cipher_single(cipher, data, SIZE_MAX, out, SIZE_MAX, &size), range);
		cipher_free(&cipher);
	}
	/* Padding makes at least a block; a tag is there or not. */
	for (size_t n = 0; n < 48; n++) {
		if (n % 16 == 0 && n > 0)
			continue;
		cipher = cipher_of(&pad, 0, false, key, NULL);
		ck_assert_uint_eq(cipher_single(cipher, data, n, out, 256, &size),
		                  CKR_ENCRYPTED_DATA_LEN_RANGE);
		cipher_free(&cipher);
		cipher = cipher_of(&pad, 0, false, key, NULL);
		ck_assert_uint_eq(cipher_update(cipher, data, n, out, 256, &size), CKR_OK);
		ck_assert_uint_eq(cipher_final_size(cipher), 0);
		ck_assert_uint_eq(cipher_final(cipher, out, 256, &size),
		                  CKR_ENCRYPTED_DATA_LEN_RANGE);
		cipher_free(&cipher);
	}
	for (size_t n = 0; n < 16; n++) {
		cipher = cipher_of(&gcm, 0, false, key, NULL);
		ck_assert_uint_eq(cipher_single_size(cipher, n), 0);
		ck_assert_uint_eq(cipher_single(cipher, data, n, out, 256, &size),
		                  CKR_ENCRYPTED_DATA_LEN_RANGE);
		cipher_free(&cipher);
		cipher = cipher_of(&gcm, 0, false, key, NULL);
		ck_assert_uint_eq(cipher_update(cipher, data, n, out, 256, &size), CKR_OK);
		ck_assert_uint_eq(cipher_final(cipher, out, 256, &size),
		                  CKR_ENCRYPTED_DATA_LEN_RANGE);
		cipher_free(&cipher);
	}
	secret_free(&key);
}
END_TEST

/* All plaintexts of one block: the padding is right for the last bytes 01, 02 02 … 16 × 10. */
START_TEST(padding_is_checked)
{
	static const struct way cbc = { CKM_AES_CBC, 16, 0, 0, true };
	static const struct way pad = { CKM_AES_CBC_PAD, 16, 0, 0, false };
	struct secret *key = aes_key(32, 21);
	unsigned char plain[32], encrypted[32], out[64];
	struct cipher *cipher;
	size_t size, left;
	CK_RV want;

	for (unsigned value = 0; value < 256; value++)
		for (int spoil = 0; spoil < 2; spoil++) {
			memset(plain, (int)value, sizeof plain);
			if (spoil)
				plain[value == 1 ? 31 : 30] ^= 0x80;
			want = value == 0 || value > 16 || spoil ? CKR_ENCRYPTED_DATA_INVALID : CKR_OK;
			cipher = cipher_of(&cbc, 0, true, key, NULL);
			ck_assert_uint_eq(cipher_single(cipher, plain, 32, encrypted, 32, &size), CKR_OK);
			cipher_free(&cipher);

			left = 32 - value;
			memset(out, 0xa5, sizeof out);
			cipher = cipher_of(&pad, 0, false, key, NULL);
			ck_assert_uint_eq(cipher_single(cipher, encrypted, 32, out, 32, &size), want);
			if (want == CKR_OK)
				ck_assert_uint_eq(size, left);
			else
				ck_assert_uint_eq(out[0], 0xa5); /* nothing came out */
			cipher_free(&cipher);

			cipher = cipher_of(&pad, 0, false, key, NULL);
			ck_assert_uint_eq(cipher_update(cipher, encrypted, 32, out, 64, &size), CKR_OK);
			ck_assert_uint_eq(size, 16);
			ck_assert_uint_eq(cipher_final(cipher, out, 64, &size), want);
			if (want == CKR_OK)
				ck_assert_uint_eq(size, left - 16);
			cipher_free(&cipher);
		}
	/* The end has been asked for: no more parts. */
	memset(plain, 5, sizeof plain);
	cipher = cipher_of(&cbc, 0, true, key, NULL);
	ck_assert_uint_eq(cipher_single(cipher, plain, 32, encrypted, 32, &size), CKR_OK);
	cipher_free(&cipher);
	cipher = cipher_of(&pad, 0, false, key, NULL);
	ck_assert_uint_eq(cipher_update(cipher, encrypted, 32, out, 64, &size), CKR_OK);
	ck_assert_uint_eq(cipher_final(cipher, out, 0, &size), CKR_BUFFER_TOO_SMALL);
	ck_assert_uint_eq(size, 11);
	ck_assert_uint_eq(cipher_update(cipher, encrypted, 16, out, 64, &size), CKR_FUNCTION_FAILED);
	ck_assert_uint_eq(cipher_final(cipher, out, 11, &size), CKR_OK);
	cipher_free(&cipher);
	secret_free(&key);
}
END_TEST

static CK_RV
new_of(CK_MECHANISM_TYPE type, void *parameter, size_t size, size_t key_size)
{
	CK_MECHANISM mechanism = { type, parameter, size };
	struct secret *key = aes_key(key_size, 23);
	struct cipher *cipher = NULL;
	CK_RV rv = cipher_new(&mechanism, key_size % 2 == 0, key, NULL, &cipher);

	ck_assert((rv == CKR_OK) == (cipher != NULL));
	cipher_free(&cipher);
	secret_free(&key);
	return rv;
}

START_TEST(keys_and_mechanisms)
{
	static const CK_MECHANISM_TYPE others[] = { CKM_AES_KEY_WRAP, CKM_AES_CTS, CKM_DES3_CBC,
		                                    CKM_AES_CMAC, CKM_RSA_PKCS,
		                                    CK_UNAVAILABLE_INFORMATION };
	unsigned char iv16[16] = { 0 };

	for (size_t size = 0; size < 70; size++) {
		CK_RV want = size == 16 || size == 24 || size == 32 ? CKR_OK : CKR_KEY_SIZE_RANGE;

		ck_assert_uint_eq(new_of(CKM_AES_ECB, NULL, 0, size), want);
		ck_assert_uint_eq(new_of(CKM_AES_CBC, iv16, 16, size), want);
	}
	for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
		ck_assert(!cipher_offers(others[i]));
		ck_assert_uint_eq(new_of(others[i], NULL, 0, 16), CKR_MECHANISM_INVALID);
	}
	for (int i = 0; i < WAYS; i++)
		ck_assert(cipher_offers(ways[i].type));
}
END_TEST

START_TEST(parameters_of_blocks)
{
	unsigned char iv16[17] = { 0 };

	for (size_t size = 0; size < 40; size++) {
		CK_RV want = size == 16 ? CKR_OK : CKR_MECHANISM_PARAM_INVALID;

		ck_assert_uint_eq(new_of(CKM_AES_CBC, iv, size, 16), want);
		ck_assert_uint_eq(new_of(CKM_AES_CBC_PAD, iv, size, 16), want);
		ck_assert_uint_eq(new_of(CKM_AES_ECB, iv, size, 16),
		                  size == 0 ? CKR_OK : CKR_MECHANISM_PARAM_INVALID);
	}
	ck_assert_uint_eq(new_of(CKM_AES_CBC, NULL, 16, 16), CKR_MECHANISM_PARAM_INVALID);
	ck_assert_uint_eq(new_of(CKM_AES_CBC_PAD, NULL, 16, 16), CKR_MECHANISM_PARAM_INVALID);
	ck_assert_uint_eq(new_of(CKM_AES_CBC, iv16 + 1, 16, 16), CKR_OK);
}
END_TEST

START_TEST(parameters_of_ctr)
{
	CK_AES_CTR_PARAMS ctr = { 128, { 0 } };

	for (size_t size = 0; size < 2 * sizeof ctr; size++) {
		unsigned char room[2 * sizeof ctr] = { 0 };

		memcpy(room, &ctr, sizeof ctr);
		ck_assert_uint_eq(new_of(CKM_AES_CTR, room, size, 16),
		                  size == sizeof ctr ? CKR_OK : CKR_MECHANISM_PARAM_INVALID);
	}
	ck_assert_uint_eq(new_of(CKM_AES_CTR, NULL, sizeof ctr, 16), CKR_MECHANISM_PARAM_INVALID);
	for (CK_ULONG bits = 0; bits < 200; bits++) {
		ctr.ulCounterBits = bits;
		ck_assert_uint_eq(new_of(CKM_AES_CTR, &ctr, sizeof ctr, 16),
		                  bits >= 1 && bits <= 128 ? CKR_OK : CKR_MECHANISM_PARAM_INVALID);
	}
	ctr.ulCounterBits = (CK_ULONG)-1;
	ck_assert_uint_eq(new_of(CKM_AES_CTR, &ctr, sizeof ctr, 16), CKR_MECHANISM_PARAM_INVALID);
}
END_TEST

/* The counter never runs over into the caller's nonce. */
START_TEST(counters_end)
{
	static const struct {
		CK_ULONG bits;
		const char *block;
		size_t blocks; /* before the end; 0: no end in sight */
	} counters[] = {
		{ 1, "00000000000000000000000000000000", 2 },
		{ 1, "00000000000000000000000000000001", 1 },
		{ 1, "fffffffffffffffffffffffffffffffe", 2 },
		{ 4, "ffffffffffffffffffffffffffffff0d", 3 },
		{ 8, "000000000000000000000000000000ff", 1 },
		{ 32, "ffffffffffffffffffffffffffffffff", 1 },
		{ 32, "000000000000000000000000fffffffe", 2 },
		{ 32, "00000000000000000000000000000001", 0 },
		{ 64, "0000000000000000ffffffffffffffff", 1 },
		{ 65, "0000000000000001fffffffffffffffe", 2 },
		{ 65, "0000000000000000ffffffffffffffff", 0 },
		{ 127, "7ffffffffffffffffffffffffffffffd", 3 },
		{ 127, "ffffffffffffffffffffffffffffffff", 1 },
		{ 128, "ffffffffffffffffffffffffffffffff", 0 },
	};
	struct secret *key = aes_key(16, 25);
	struct buffer block = BUFFER_INIT, want = BUFFER_INIT;
	CK_AES_CTR_PARAMS ctr = { counters[_i].bits, { 0 } };
	CK_MECHANISM mechanism = { CKM_AES_CTR, &ctr, sizeof ctr };
	size_t limit = counters[_i].blocks * 16, size;
	unsigned char out[DATA_MAX];
	struct cipher *cipher = NULL;

	aes_hex(counters[_i].block, &block);
	memcpy(ctr.cb, block.data, 16);
	struct aes_message message = { CKM_AES_CTR, secret_bytes(key), 16, block.data, 16, NULL, 0,
		                       0, data, limit == 0 ? 500 : limit };
	aes_encrypt(&message, &want);
	for (int encrypt = 0; encrypt < 2; encrypt++) {
		CK_RV range = encrypt ? CKR_DATA_LEN_RANGE : CKR_ENCRYPTED_DATA_LEN_RANGE;

		ck_assert_uint_eq(cipher_new(&mechanism, encrypt, key, NULL, &cipher), CKR_OK);
		ck_assert_uint_eq(cipher_single(cipher, data, want.size, out, sizeof out, &size),
		                  CKR_OK);
		ck_assert(buffer_equal(&want, out, size));
		cipher_free(&cipher);
		if (limit == 0)
			continue;
		ck_assert_uint_eq(cipher_new(&mechanism, encrypt, key, NULL, &cipher), CKR_OK);
		ck_assert_uint_eq(cipher_single(cipher, data, limit + 1, out, sizeof out, &size),
		                  range);
		cipher_free(&cipher);
		/* In parts the last byte is taken, and no other. */
		ck_assert_uint_eq(cipher_new(&mechanism, encrypt, key, NULL, &cipher), CKR_OK);
		ck_assert_uint_eq(cipher_update(cipher, data, limit - 1, out, sizeof out, &size),
		                  CKR_OK);
		ck_assert_uint_eq(cipher_update(cipher, data + limit - 1, 1, out + limit - 1, 1,
		                                &size), CKR_OK);
		ck_assert(buffer_equal(&want, out, limit));
		ck_assert_uint_eq(cipher_update(cipher, data, 1, out, sizeof out, &size), range);
		cipher_free(&cipher);
	}
	buffer_clear(&block);
	buffer_clear(&want);
	secret_free(&key);
}
END_TEST

START_TEST(parameters_of_gcm)
{
	unsigned char room[128];
	CK_GCM_PARAMS good = { iv, 12, 96, aad, 8, 128 }, gcm = good;

	for (size_t size = 0; size < sizeof room; size++) {
		CK_RV want = size == sizeof gcm ? CKR_OK : CKR_MECHANISM_PARAM_INVALID;

		if (size == 5 * sizeof(CK_ULONG))
			continue; /* the older form: below */
		memset(room, 0, sizeof room);
		memcpy(room + 1, &gcm, sizeof gcm);
		ck_assert_uint_eq(new_of(CKM_AES_GCM, room + 1, size, 16), want);
	}
	ck_assert_uint_eq(new_of(CKM_AES_GCM, NULL, sizeof gcm, 16), CKR_MECHANISM_PARAM_INVALID);
	for (CK_ULONG bits = 0; bits < 300; bits++) {
		gcm.ulTagBits = bits;
		ck_assert_uint_eq(new_of(CKM_AES_GCM, &gcm, sizeof gcm, 16),
		                  bits == 32 || bits == 64 || bits == 96 || bits == 104 ||
		                  bits == 112 || bits == 120 || bits == 128
		                          ? CKR_OK : CKR_MECHANISM_PARAM_INVALID);
	}
	gcm = good;
	for (CK_ULONG size = 0; size < 260; size++) {
		gcm.ulIvLen = size;
		ck_assert_uint_eq(new_of(CKM_AES_GCM, &gcm, sizeof gcm, 16),
		                  size >= 1 && size <= 128 ? CKR_OK : CKR_MECHANISM_PARAM_INVALID);
	}
	gcm.ulIvLen = (CK_ULONG)-1;
	ck_assert_uint_eq(new_of(CKM_AES_GCM, &gcm, sizeof gcm, 16), CKR_MECHANISM_PARAM_INVALID);
	gcm = good;
	gcm.pIv = NULL;
	ck_assert_uint_eq(new_of(CKM_AES_GCM, &gcm, sizeof gcm, 16), CKR_MECHANISM_PARAM_INVALID);
	gcm.ulIvLen = 0;
	ck_assert_uint_eq(new_of(CKM_AES_GCM, &gcm, sizeof gcm, 16), CKR_MECHANISM_PARAM_INVALID);
	gcm = good;
	gcm.pAAD = NULL;
	ck_assert_uint_eq(new_of(CKM_AES_GCM, &gcm, sizeof gcm, 16), CKR_MECHANISM_PARAM_INVALID);
	gcm.ulAADLen = 0;
	ck_assert_uint_eq(new_of(CKM_AES_GCM, &gcm, sizeof gcm, 16), CKR_OK);
	gcm = good;
	gcm.ulAADLen = (CK_ULONG)1 << 31;
	ck_assert_uint_eq(new_of(CKM_AES_GCM, &gcm, sizeof gcm, 16), CKR_MECHANISM_PARAM_INVALID);
	gcm = good;
	for (CK_ULONG bits = 0; bits < 3; bits++) {
		gcm.ulIvBits = bits == 2 ? 0xdeadbeef : bits;
		ck_assert_uint_eq(new_of(CKM_AES_GCM, &gcm, sizeof gcm, 16), CKR_OK);
	}
}
END_TEST

/* Five members: the same ciphertext as with six. */
START_TEST(older_form_of_gcm)
{
	static const struct way gcm = { CKM_AES_GCM, 12, 20, 16, false };
	struct {
		CK_BYTE_PTR pIv;
		CK_ULONG ulIvLen;
		CK_BYTE_PTR pAAD;
		CK_ULONG ulAADLen, ulTagBits;
	} old = { iv, 12, aad, 20, 128 };
	CK_MECHANISM mechanism = { CKM_AES_GCM, &old, sizeof old };
	struct secret *key = aes_key(16, 27);
	struct buffer want = BUFFER_INIT;
	struct cipher *cipher = NULL;
	unsigned char out[128];
	size_t size;

	expected(&gcm, key, 40, &want);
	ck_assert_uint_eq(cipher_new(&mechanism, true, key, NULL, &cipher), CKR_OK);
	ck_assert_uint_eq(cipher_single(cipher, data, 40, out, sizeof out, &size), CKR_OK);
	ck_assert(buffer_equal(&want, out, size));
	cipher_free(&cipher);
	old.ulTagBits = 8;
	ck_assert_uint_eq(cipher_new(&mechanism, true, key, NULL, &cipher),
	                  CKR_MECHANISM_PARAM_INVALID);
	secret_free(&key);
	buffer_clear(&want);
}
END_TEST

START_TEST(parameters_of_ccm)
{
	struct ccm_params good = { 10, iv, 12, aad, 8, 16 }, ccm = good;
	unsigned char room[128];

	for (size_t size = 0; size < sizeof room; size++) {
		memset(room, 0, sizeof room);
		memcpy(room + 1, &ccm, sizeof ccm);
		ck_assert_uint_eq(new_of(CKM_AES_CCM, room + 1, size, 16),
		                  size == sizeof ccm ? CKR_OK : CKR_MECHANISM_PARAM_INVALID);
	}
	ck_assert_uint_eq(new_of(CKM_AES_CCM, NULL, sizeof ccm, 16), CKR_MECHANISM_PARAM_INVALID);
	for (CK_ULONG size = 0; size < 40; size++) {
		ccm = good;
		ccm.ulMACLen = size;
		ck_assert_uint_eq(new_of(CKM_AES_CCM, &ccm, sizeof ccm, 16),
		                  size >= 4 && size <= 16 && size % 2 == 0
		                          ? CKR_OK : CKR_MECHANISM_PARAM_INVALID);
		ccm = good;
		ccm.ulNonceLen = size;
		ck_assert_uint_eq(new_of(CKM_AES_CCM, &ccm, sizeof ccm, 16),
		                  size >= 7 && size <= 13 ? CKR_OK : CKR_MECHANISM_PARAM_INVALID);
	}
	/* 13 bytes of nonce leave two for the length. */
	ccm = good;
	ccm.ulNonceLen = 13;
	ccm.ulDataLen = 65535;
	ck_assert_uint_eq(new_of(CKM_AES_CCM, &ccm, sizeof ccm, 16), CKR_OK);
	ccm.ulDataLen = 65536;
	ck_assert_uint_eq(new_of(CKM_AES_CCM, &ccm, sizeof ccm, 16), CKR_MECHANISM_PARAM_INVALID);
	/* More than OpenSSL takes at once. */
	ccm = good;
	ccm.ulNonceLen = 7;
	ccm.ulDataLen = (CK_ULONG)-1;
	ck_assert_uint_eq(new_of(CKM_AES_CCM, &ccm, sizeof ccm, 16), CKR_DATA_LEN_RANGE);
	ccm = good;
	ccm.pNonce = NULL;
	ck_assert_uint_eq(new_of(CKM_AES_CCM, &ccm, sizeof ccm, 16), CKR_MECHANISM_PARAM_INVALID);
	ccm = good;
	ccm.pAAD = NULL;
	ck_assert_uint_eq(new_of(CKM_AES_CCM, &ccm, sizeof ccm, 16), CKR_MECHANISM_PARAM_INVALID);
	ccm.ulAADLen = 0;
	ck_assert_uint_eq(new_of(CKM_AES_CCM, &ccm, sizeof ccm, 16), CKR_OK);
}
END_TEST

/* What fails leaves nothing in the program's OpenSSL queue. */
START_TEST(queue_stays_empty)
{
	static const struct way pad = { CKM_AES_CBC_PAD, 16, 0, 0, false };
	struct secret *key = aes_key(16, 29);
	unsigned char out[64];
	struct cipher *cipher = cipher_of(&pad, 0, false, key, NULL);
	size_t size;

	ck_assert_uint_eq(cipher_single(cipher, data, 32, out, 64, &size),
	                  CKR_ENCRYPTED_DATA_INVALID);
	ck_assert_uint_eq(ERR_peek_error(), 0);
	cipher_free(&cipher);
	secret_free(&key);
}
END_TEST

Suite *
unit_suite(void)
{
	Suite *suite = suite_create("cipher");
	TCase *tests = tcase_create("cipher");

	tcase_set_timeout(tests, 120);
	tcase_add_checked_fixture(tests, setup, openssl_stop);
	tcase_add_loop_test(tests, known_answers, 0, 4);
	tcase_add_loop_test(tests, single_is_openssls, 0, WAYS);
	tcase_add_loop_test(tests, parts_are_openssls, 0, WAYS);
	tcase_add_loop_test(tests, buffers_overlap, 0, WAYS);
	tcase_add_loop_test(tests, single_asks_for_room, 0, WAYS);
	tcase_add_loop_test(tests, tampering_is_found, 0, WAYS);
	tcase_add_loop_test(tests, store_survives_failures, 0, WAYS);
	tcase_add_test(tests, store_keeps_ways_apart);
	tcase_add_loop_test(tests, store_keeps_what_ended_well, 0, WAYS);
	tcase_add_test(tests, lengths_out_of_range);
	tcase_add_test(tests, padding_is_checked);
	tcase_add_test(tests, keys_and_mechanisms);
	tcase_add_test(tests, parameters_of_blocks);
	tcase_add_test(tests, parameters_of_ctr);
	tcase_add_loop_test(tests, counters_end, 0, 14);
	tcase_add_test(tests, parameters_of_gcm);
	tcase_add_test(tests, older_form_of_gcm);
	tcase_add_test(tests, parameters_of_ccm);
	tcase_add_test(tests, queue_stays_empty);
	suite_add_tcase(suite, tests);
	return suite;
}
