/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "aes.h"
#include "base/openssl.h"
#include "mechanism/kdf.h"
#include "pair.h"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <string.h>

static const struct {
	CK_ULONG kdf;
	const char *digest;
} kdfs[] = {
	{ CKD_SHA1_KDF, "SHA1" },     { CKD_SHA224_KDF, "SHA224" }, { CKD_SHA256_KDF, "SHA256" },
	{ CKD_SHA384_KDF, "SHA384" }, { CKD_SHA512_KDF, "SHA512" },
};

static void
setup(void)
{
	ck_assert_uint_eq(openssl_start(), CKR_OK);
}

/* SEC 1, section 3.6.1, written out: H(Z, counter, info) one after another. */
static void
x963(const char *digest, const struct secret *shared, const unsigned char *info, size_t info_size,
     size_t length, unsigned char *key)
{
	unsigned char message[512], hash[64];
	size_t size = secret_size(shared), hash_size, part;

	memcpy(message, secret_bytes(shared), size);
	memset(message + size, 0, 4);
	if (info_size > 0)
		memcpy(message + size + 4, info, info_size);
	for (size_t at = 0, counter = 1; at < length; at += part, counter++) {
		message[size + 2] = (unsigned char)(counter >> 8);
		message[size + 3] = (unsigned char)counter;
		ck_assert_int_eq(EVP_Q_digest(NULL, digest, NULL, message, size + 4 + info_size, hash,
		                              &hash_size), 1);
		part = length - at < hash_size ? length - at : hash_size;
		memcpy(key + at, hash, part);
	}
}

START_TEST(hashes_as_x963)
{
	static const size_t lengths[] = { 1, 16, 20, 21, 32, 63, 64, 65, 200, 17000 };
	struct secret *shared = aes_key(66, 1), *key = NULL;
	unsigned char info[100], want[17000];

	aes_fill(info, sizeof info, 2);
	ck_assert(kdf_offers(kdfs[_i].kdf));
	for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++)
		for (size_t info_size = 0; info_size <= 100; info_size += 50) {
			x963(kdfs[_i].digest, shared, info, info_size, lengths[i], want);
			ck_assert_uint_eq(kdf_derive(kdfs[_i].kdf, shared, info_size == 0 ? NULL : info,
			                             info_size, lengths[i], &key), CKR_OK);
			ck_assert(secret_equal(key, want, lengths[i]));
			secret_free(&key);
		}
	secret_free(&shared);
}
END_TEST

/* ANSI X9.63 vector of NIST's CAVS, SHA-256, no shared data. */
START_TEST(known_answer)
{
	struct buffer z = BUFFER_INIT, want = BUFFER_INIT;
	struct secret *shared = NULL, *key = NULL;

	aes_hex("96c05619d56c328ab95fe84b18264b08725b85e33fd34f08", &z);
	aes_hex("443024c3dae66b95e6f5670601558f71", &want);
	ck_assert_uint_eq(secret_dup(z.data, z.size, &shared), CKR_OK);
	ck_assert_uint_eq(kdf_derive(CKD_SHA256_KDF, shared, NULL, 0, 16, &key), CKR_OK);
	ck_assert(secret_equal(key, want.data, want.size));
	secret_free(&key);
	secret_free(&shared);
	buffer_clear(&z);
	buffer_clear(&want);
}
END_TEST

/* The truncation takes bytes from the leading end. */
START_TEST(null_keeps_the_end)
{
	struct secret *shared = aes_key(32, 3), *key = NULL;

	ck_assert(kdf_offers(CKD_NULL));
	for (size_t length = 1; length <= 32; length++) {
		ck_assert_uint_eq(kdf_derive(CKD_NULL, shared, NULL, 0, length, &key), CKR_OK);
		ck_assert(secret_equal(key, secret_bytes(shared) + 32 - length, length));
		secret_free(&key);
	}
	ck_assert_uint_eq(kdf_derive(CKD_NULL, shared, NULL, 0, 33, &key), CKR_KEY_SIZE_RANGE);
	ck_assert_uint_eq(kdf_derive(CKD_NULL, shared, "x", 1, 32, &key),
	                  CKR_MECHANISM_PARAM_INVALID);
	ck_assert_ptr_null(key);
	secret_free(&shared);
}
END_TEST

START_TEST(derive_refuses)
{
	static const CK_ULONG others[] = { 0, CKD_SHA1_KDF_ASN1, CKD_SHA1_KDF_CONCATENATE,
		                           CKD_CPDIVERSIFY_KDF, (CK_ULONG)-1 };
	struct secret *shared = aes_key(32, 5), *empty = aes_key(0, 5), *key = NULL;

	for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
		ck_assert(!kdf_offers(others[i]));
		ck_assert_uint_eq(kdf_derive(others[i], shared, NULL, 0, 16, &key),
		                  CKR_MECHANISM_PARAM_INVALID);
	}
	ck_assert_uint_eq(kdf_derive(CKD_SHA256_KDF, shared, NULL, 0, 0, &key), CKR_KEY_SIZE_RANGE);
	ck_assert_uint_eq(kdf_derive(CKD_NULL, shared, NULL, 0, 0, &key), CKR_KEY_SIZE_RANGE);
	ck_assert_uint_eq(kdf_derive(CKD_SHA256_KDF, shared, NULL, 0, KDF_SIZE_MAX + 1, &key),
	                  CKR_KEY_SIZE_RANGE);
	ck_assert_uint_eq(kdf_derive(CKD_SHA256_KDF, empty, NULL, 0, 16, &key), CKR_KEY_SIZE_RANGE);
	ck_assert_uint_eq(kdf_derive(CKD_SHA256_KDF, shared, NULL, 1, 16, &key),
	                  CKR_MECHANISM_PARAM_INVALID);
	ck_assert_uint_eq(kdf_derive(CKD_SHA256_KDF, shared, "", KDF_SIZE_MAX + 1, 16, &key),
	                  CKR_MECHANISM_PARAM_INVALID);
	ck_assert_ptr_null(key);
	ck_assert_uint_eq(kdf_derive(CKD_SHA256_KDF, shared, NULL, 0, KDF_SIZE_MAX, &key), CKR_OK);
	secret_free(&key);
	secret_free(&shared);
	secret_free(&empty);
}
END_TEST

static const char *const curves[] = { "p-256", "p-384", "p-521" };

static void
raw_point(const struct pair *pair, struct buffer *ret_point)
{
	size_t size = 0;

	ck_assert_int_eq(EVP_PKEY_get_octet_string_param(pair->evp, OSSL_PKEY_PARAM_PUB_KEY, NULL, 0,
	                                                 &size), 1);
	ck_assert_uint_eq(buffer_resize(ret_point, size), CKR_OK);
	ck_assert_int_eq(EVP_PKEY_get_octet_string_param(pair->evp, OSSL_PKEY_PARAM_PUB_KEY,
	                                                 ret_point->data, size, &size), 1);
}

START_TEST(peers_are_checked)
{
	const struct algorithm *algorithm = algorithm_by_name(curves[_i]);
	struct buffer raw = BUFFER_INIT, der = BUFFER_INIT, got = BUFFER_INIT;
	struct pair pair;

	pair_make(curves[_i], &pair);
	raw_point(&pair, &raw);
	ck_assert_uint_eq(public_key_attribute(pair.key, CKA_EC_POINT, &der), CKR_OK);
	ck_assert_uint_eq(ecdh_peer_check(algorithm, raw.data, raw.size, &got), CKR_OK);
	ck_assert(buffer_equal(&got, raw.data, raw.size));
	buffer_clear(&got);
	ck_assert_uint_eq(ecdh_peer_check(algorithm, der.data, der.size, &got), CKR_OK);
	ck_assert(buffer_equal(&got, raw.data, raw.size));
	buffer_clear(&got);

	/* Off the curve, in either coordinate. */
	for (size_t i = 1; i < raw.size; i += raw.size / 2 - 1) {
		raw.data[i] ^= 1;
		ck_assert_uint_eq(ecdh_peer_check(algorithm, raw.data, raw.size, &got),
		                  CKR_MECHANISM_PARAM_INVALID);
		raw.data[i] ^= 1;
	}
	/* Not below the field. */
	memset(raw.data + 1, 0xff, raw.size - 1);
	ck_assert_uint_eq(ecdh_peer_check(algorithm, raw.data, raw.size, &got),
	                  CKR_MECHANISM_PARAM_INVALID);
	memset(raw.data + 1, 0, raw.size - 1);
	ck_assert_uint_eq(ecdh_peer_check(algorithm, raw.data, raw.size, &got),
	                  CKR_MECHANISM_PARAM_INVALID);
	/* At infinity, compressed, hybrid, cut short, too long, nothing. */
	raw_point(&pair, &raw);
	ck_assert_uint_eq(ecdh_peer_check(algorithm, "", 1, &got), CKR_MECHANISM_PARAM_INVALID);
	raw.data[0] = 2;
	ck_assert_uint_eq(ecdh_peer_check(algorithm, raw.data, raw.size / 2 + 1, &got),
	                  CKR_MECHANISM_PARAM_INVALID);
	raw.data[0] = 6;
	ck_assert_uint_eq(ecdh_peer_check(algorithm, raw.data, raw.size, &got),
	                  CKR_MECHANISM_PARAM_INVALID);
	raw.data[0] = 4;
	ck_assert_uint_eq(ecdh_peer_check(algorithm, raw.data, raw.size - 1, &got),
	                  CKR_MECHANISM_PARAM_INVALID);
	ck_assert_uint_eq(buffer_append(&der, "x", 1), CKR_OK);
	ck_assert_uint_eq(ecdh_peer_check(algorithm, der.data, der.size, &got),
	                  CKR_MECHANISM_PARAM_INVALID);
	ck_assert_uint_eq(ecdh_peer_check(algorithm, NULL, 0, &got), CKR_MECHANISM_PARAM_INVALID);
	ck_assert_uint_eq(ecdh_peer_check(algorithm, NULL, raw.size, &got),
	                  CKR_MECHANISM_PARAM_INVALID);
	/* Another curve's; another kind of key. */
	ck_assert_uint_eq(ecdh_peer_check(algorithm_by_name(curves[(_i + 1) % 3]), raw.data, raw.size,
	                                  &got), CKR_MECHANISM_PARAM_INVALID);
	ck_assert_uint_eq(ecdh_peer_check(algorithm_by_name("ed25519"), raw.data, 32, &got),
	                  CKR_KEY_TYPE_INCONSISTENT);
	ck_assert_uint_eq(ecdh_peer_check(algorithm_by_name("rsa-2048"), raw.data, raw.size, &got),
	                  CKR_KEY_TYPE_INCONSISTENT);
	ck_assert_ptr_null(got.data);
	ck_assert_uint_eq(ERR_peek_error(), 0);
	pair_clear(&pair);
	buffer_clear(&raw);
	buffer_clear(&der);
}
END_TEST

START_TEST(montgomery_peers_are_checked)
{
	static const unsigned char small[][32] = {
		{ 0 }, { 1 },
		{ 0xe0, 0xeb, 0x7a, 0x7c, 0x3b, 0x41, 0xb8, 0xae, 0x16, 0x56, 0xe3, 0xfa, 0xf1, 0x9f,
		  0xc4, 0x6a, 0xda, 0x09, 0x8d, 0xeb, 0x9c, 0x32, 0xb1, 0xfd, 0x86, 0x62, 0x05, 0x16,
		  0x5f, 0x49, 0xb8, 0x00 },
	};
	const struct algorithm *algorithm = algorithm_by_name("x25519");
	struct buffer raw = BUFFER_INIT, der = BUFFER_INIT, got = BUFFER_INIT;
	struct pair pair;

	pair_make("x25519", &pair);
	raw_point(&pair, &raw);
	ck_assert_uint_eq(raw.size, 32);
	ck_assert_uint_eq(public_key_attribute(pair.key, CKA_EC_POINT, &der), CKR_OK);
	ck_assert_uint_eq(ecdh_peer_check(algorithm, raw.data, raw.size, &got), CKR_OK);
	ck_assert(buffer_equal(&got, raw.data, raw.size));
	buffer_clear(&got);
	ck_assert_uint_eq(ecdh_peer_check(algorithm, der.data, der.size, &got), CKR_OK);
	ck_assert(buffer_equal(&got, raw.data, raw.size));
	buffer_clear(&got);
	for (size_t i = 0; i < sizeof small / sizeof *small; i++)
		ck_assert_uint_eq(ecdh_peer_check(algorithm, small[i], sizeof small[i], &got),
		                  CKR_MECHANISM_PARAM_INVALID);
	ck_assert_uint_eq(ecdh_peer_check(algorithm, raw.data, 31, &got), CKR_MECHANISM_PARAM_INVALID);
	ck_assert_uint_eq(ecdh_peer_check(algorithm, der.data, 33, &got), CKR_MECHANISM_PARAM_INVALID);
	ck_assert_uint_eq(ecdh_peer_check(algorithm, NULL, 32, &got), CKR_MECHANISM_PARAM_INVALID);
	ck_assert_uint_eq(ecdh_peer_check(algorithm_by_name("p-256"), raw.data, 32, &got),
	                  CKR_MECHANISM_PARAM_INVALID);
	ck_assert_ptr_null(got.data);
	ck_assert_uint_eq(ERR_peek_error(), 0);
	pair_clear(&pair);
	buffer_clear(&raw);
	buffer_clear(&der);
}
END_TEST

static CK_RV
use_of(CK_MECHANISM_TYPE type, void *parameter, size_t size)
{
	CK_MECHANISM mechanism = { type, parameter, size };
	struct ecdh_use use;
	CK_RV rv = ecdh_use_init(&mechanism, algorithm_by_name("p-256"), &use);

	if (rv == CKR_OK)
		ecdh_use_clear(&use);
	return rv;
}

START_TEST(parameters)
{
	unsigned char info[5] = { 1, 2, 3, 4, 5 }, room[128];
	struct buffer raw = BUFFER_INIT;
	CK_ECDH1_DERIVE_PARAMS good, bad;
	struct ecdh_use use;
	struct pair pair;

	pair_make("p-256", &pair);
	raw_point(&pair, &raw);
	good = (CK_ECDH1_DERIVE_PARAMS){ CKD_SHA256_KDF, sizeof info, info, raw.size, raw.data };
	for (size_t size = 0; size < sizeof room - 1; size++) {
		memset(room, 0, sizeof room);
		memcpy(room + 1, &good, sizeof good);
		ck_assert_uint_eq(use_of(CKM_ECDH1_DERIVE, room + 1, size),
		                  size == sizeof good ? CKR_OK : CKR_MECHANISM_PARAM_INVALID);
	}
	ck_assert_uint_eq(use_of(CKM_ECDH1_COFACTOR_DERIVE, &good, sizeof good),
	                  CKR_MECHANISM_INVALID);
	ck_assert_uint_eq(use_of(CKM_ECDH1_DERIVE, NULL, sizeof good), CKR_MECHANISM_PARAM_INVALID);
#define REFUSED(change) do { \
	bad = good; \
	change; \
	ck_assert_uint_eq(use_of(CKM_ECDH1_DERIVE, &bad, sizeof bad), CKR_MECHANISM_PARAM_INVALID); \
} while (0)
	REFUSED(bad.kdf = CKD_SHA1_KDF_ASN1);
	REFUSED(bad.kdf = CKD_NULL); /* which has no shared data */
	REFUSED(bad.pSharedData = NULL);
	REFUSED(bad.ulSharedDataLen = KDF_SIZE_MAX + 1);
	REFUSED(bad.pPublicData = NULL);
	REFUSED(bad.ulPublicDataLen = 64);
	REFUSED(bad.ulPublicDataLen = 0);
#undef REFUSED
	/* Copied. */
	CK_MECHANISM mechanism = { CKM_ECDH1_DERIVE, &good, sizeof good };
	ck_assert_uint_eq(ecdh_use_init(&mechanism, algorithm_by_name("p-256"), &use), CKR_OK);
	memset(info, 0, sizeof info);
	ck_assert_uint_eq(use.kdf, CKD_SHA256_KDF);
	ck_assert(buffer_equal(&use.shared_info, "\1\2\3\4\5", 5));
	ck_assert(buffer_equal(&use.peer, raw.data, raw.size));
	ecdh_use_clear(&use);
	ck_assert_ptr_null(use.peer.data);
	good.kdf = CKD_NULL;
	good.ulSharedDataLen = 0;
	ck_assert_uint_eq(use_of(CKM_ECDH1_DERIVE, &good, sizeof good), CKR_OK);
	pair_clear(&pair);
	buffer_clear(&raw);
}
END_TEST

Suite *
unit_suite(void)
{
	Suite *suite = suite_create("kdf");
	TCase *tests = tcase_create("kdf");

	tcase_set_timeout(tests, 60);
	tcase_add_checked_fixture(tests, setup, openssl_stop);
	tcase_add_loop_test(tests, hashes_as_x963, 0, 5);
	tcase_add_test(tests, known_answer);
	tcase_add_test(tests, null_keeps_the_end);
	tcase_add_test(tests, derive_refuses);
	tcase_add_loop_test(tests, peers_are_checked, 0, 3);
	tcase_add_test(tests, montgomery_peers_are_checked);
	tcase_add_test(tests, parameters);
	suite_add_tcase(suite, tests);
	return suite;
}
