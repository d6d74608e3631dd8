/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "aes.h"
#include "base/openssl.h"
#include "mechanism/mac.h"

#include <openssl/err.h>
#include <openssl/hmac.h>
#include <string.h>

static const struct {
	CK_MECHANISM_TYPE type, general;
	const char *digest; /* NULL: CMAC */
	size_t size;
} macs[] = {
	{ CKM_SHA_1_HMAC, CKM_SHA_1_HMAC_GENERAL, "SHA1", 20 },
	{ CKM_SHA224_HMAC, CKM_SHA224_HMAC_GENERAL, "SHA224", 28 },
	{ CKM_SHA256_HMAC, CKM_SHA256_HMAC_GENERAL, "SHA256", 32 },
	{ CKM_SHA384_HMAC, CKM_SHA384_HMAC_GENERAL, "SHA384", 48 },
	{ CKM_SHA512_HMAC, CKM_SHA512_HMAC_GENERAL, "SHA512", 64 },
	{ CKM_AES_CMAC, CKM_AES_CMAC_GENERAL, NULL, 16 },
};

#define MACS ((int)(sizeof macs / sizeof *macs))

static unsigned char data[1000];

static void
setup(void)
{
	ck_assert_uint_eq(openssl_start(), CKR_OK);
	aes_fill(data, sizeof data, 1);
}

static struct mac *
mac_of(CK_MECHANISM_TYPE type, CK_ULONG length, const struct secret *key)
{
	CK_MECHANISM mechanism = { type, length == 0 ? NULL : &length,
		                   length == 0 ? 0 : sizeof length };
	struct mac *mac = NULL;

	ck_assert_uint_eq(mac_new(&mechanism, key, &mac), CKR_OK);
	return mac;
}

START_TEST(known_answers)
{
	/* RFC 2202 and 4231, test case 2; RFC 4493, examples 1 and 2. */
	static const struct {
		CK_MECHANISM_TYPE type;
		const char *key, *message, *value;
	} answers[] = {
		{ CKM_SHA_1_HMAC, "4a656665",
		  "7768617420646f2079612077616e7420666f72206e6f7468696e673f",
		  "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79" },
		{ CKM_SHA256_HMAC, "4a656665",
		  "7768617420646f2079612077616e7420666f72206e6f7468696e673f",
		  "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843" },
		{ CKM_AES_CMAC, "2b7e151628aed2a6abf7158809cf4f3c", "",
		  "bb1d6929e95937287fa37d129b756746" },
		{ CKM_AES_CMAC, "2b7e151628aed2a6abf7158809cf4f3c",
		  "6bc1bee22e409f96e93d7e117393172a", "070a16b46b4d4144f79bdd9dd04a287c" },
	};
	struct buffer key = BUFFER_INIT, message = BUFFER_INIT, value = BUFFER_INIT;
	unsigned char got[MAC_SIZE_MAX];
	struct secret *secret = NULL;
	struct mac *mac;

	aes_hex(answers[_i].key, &key);
	aes_hex(answers[_i].message, &message);
	aes_hex(answers[_i].value, &value);
	ck_assert_uint_eq(secret_dup(key.data, key.size, &secret), CKR_OK);
	mac = mac_of(answers[_i].type, 0, secret);
	ck_assert_uint_eq(mac_size(mac), value.size);
	ck_assert_uint_eq(mac_update(mac, message.data, message.size), CKR_OK);
	ck_assert_uint_eq(mac_final(mac, got), CKR_OK);
	ck_assert(buffer_equal(&value, got, value.size));
	mac_free(&mac);
	ck_assert_ptr_null(mac);
	mac_free(&mac);
	secret_free(&secret);
	buffer_clear(&key);
	buffer_clear(&message);
	buffer_clear(&value);
}
END_TEST

static void
expected(int index, const struct secret *key, size_t size, unsigned char *value)
{
	EVP_MAC *cmac;
	EVP_MAC_CTX *context;
	size_t length = 0;
	char name[16];
	OSSL_PARAM params[2];

	if (macs[index].digest != NULL) {
		ck_assert_ptr_nonnull(HMAC(EVP_get_digestbyname(macs[index].digest),
		                           secret_bytes(key), (int)secret_size(key), data, size,
		                           value, NULL));
		return;
	}
	snprintf(name, sizeof name, "AES-%zu-CBC", secret_size(key) * 8);
	params[0] = OSSL_PARAM_construct_utf8_string("cipher", name, 0);
	params[1] = OSSL_PARAM_construct_end();
	cmac = EVP_MAC_fetch(NULL, "CMAC", NULL);
	context = EVP_MAC_CTX_new(cmac);
	ck_assert_int_eq(EVP_MAC_init(context, secret_bytes(key), secret_size(key), params), 1);
	ck_assert_int_eq(EVP_MAC_update(context, data, size), 1);
	ck_assert_int_eq(EVP_MAC_final(context, value, &length, 16), 1);
	EVP_MAC_CTX_free(context);
	EVP_MAC_free(cmac);
}

START_TEST(same_as_openssl)
{
	static const size_t hmac_keys[] = { 1, 20, 64, 65, 128, 200 };
	static const size_t cmac_keys[] = { 16, 24, 32 };
	bool hmac = macs[_i].digest != NULL;
	unsigned char want[MAC_SIZE_MAX], got[MAC_SIZE_MAX + 1];
	struct secret *key;
	struct mac *mac;

	for (size_t k = 0; k < (hmac ? 6 : 3); k++) {
		key = aes_key(hmac ? hmac_keys[k] : cmac_keys[k], 9);
		for (size_t size = 0; size < sizeof data; size += 31) {
			expected(_i, key, size, want);
			memset(got, 0xa5, sizeof got);
			mac = mac_of(macs[_i].type, 0, key);
			ck_assert_uint_eq(mac_update(mac, data, size / 3), CKR_OK);
			ck_assert_uint_eq(mac_update(mac, NULL, 0), CKR_OK);
			ck_assert_uint_eq(mac_update(mac, data + size / 3, size - size / 3), CKR_OK);
			ck_assert_uint_eq(mac_final(mac, got), CKR_OK);
			ck_assert_mem_eq(got, want, macs[_i].size);
			ck_assert_uint_eq(got[macs[_i].size], 0xa5);
			mac_free(&mac);
		}
		secret_free(&key);
	}
}
END_TEST

/* The leading bytes, 1 to all; no more are written. */
START_TEST(general_gives_the_first_bytes)
{
	struct secret *key = aes_key(32, 11);
	unsigned char want[MAC_SIZE_MAX], got[MAC_SIZE_MAX + 1];
	struct mac *mac;

	expected(_i, key, 100, want);
	for (CK_ULONG length = 1; length <= macs[_i].size; length++) {
		memset(got, 0xa5, sizeof got);
		mac = mac_of(macs[_i].general, length, key);
		ck_assert_uint_eq(mac_size(mac), length);
		ck_assert_uint_eq(mac_update(mac, data, 100), CKR_OK);
		ck_assert_uint_eq(mac_final(mac, got), CKR_OK);
		ck_assert_mem_eq(got, want, length);
		ck_assert_uint_eq(got[length], 0xa5);
		mac_free(&mac);
		mac = mac_of(macs[_i].general, length, key);
		ck_assert_uint_eq(mac_update(mac, data, 100), CKR_OK);
		ck_assert_uint_eq(mac_verify(mac, want, length), CKR_OK);
		mac_free(&mac);
	}
	secret_free(&key);
}
END_TEST

START_TEST(verify_sees_every_bit)
{
	struct secret *key = aes_key(24, 13);
	unsigned char value[MAC_SIZE_MAX + 1];
	struct mac *mac;

	expected(_i, key, 50, value);
	for (size_t i = 0; i <= macs[_i].size * 8; i++) {
		bool spoil = i < macs[_i].size * 8;

		if (spoil)
			value[i / 8] ^= (unsigned char)(1 << i % 8);
		mac = mac_of(macs[_i].type, 0, key);
		ck_assert_uint_eq(mac_update(mac, data, 50), CKR_OK);
		ck_assert_uint_eq(mac_verify(mac, value, macs[_i].size),
		                  spoil ? CKR_SIGNATURE_INVALID : CKR_OK);
		mac_free(&mac);
		if (spoil)
			value[i / 8] ^= (unsigned char)(1 << i % 8);
	}
	for (size_t size = 0; size <= macs[_i].size + 1; size++) {
		if (size == macs[_i].size)
			continue;
		mac = mac_of(macs[_i].type, 0, key);
		ck_assert_uint_eq(mac_update(mac, data, 50), CKR_OK);
		ck_assert_uint_eq(mac_verify(mac, value, size), CKR_SIGNATURE_LEN_RANGE);
		mac_free(&mac);
	}
	ck_assert_uint_eq(ERR_peek_error(), 0);
	secret_free(&key);
}
END_TEST

static CK_RV
new_of(CK_MECHANISM_TYPE type, void *parameter, size_t size, size_t key_size)
{
	CK_MECHANISM mechanism = { type, parameter, size };
	struct secret *key = aes_key(key_size, 15);
	struct mac *mac = NULL;
	CK_RV rv = mac_new(&mechanism, key, &mac);

	ck_assert((rv == CKR_OK) == (mac != NULL));
	mac_free(&mac);
	secret_free(&key);
	return rv;
}

START_TEST(parameters)
{
	unsigned char room[32] = { 0 };
	CK_ULONG length = 4;

	for (size_t size = 0; size < 2 * sizeof length; size++) {
		memcpy(room + 1, &length, sizeof length);
		ck_assert_uint_eq(new_of(macs[_i].general, room + 1, size, 16),
		                  size == sizeof length ? CKR_OK : CKR_MECHANISM_PARAM_INVALID);
		ck_assert_uint_eq(new_of(macs[_i].type, room, size, 16),
		                  size == 0 ? CKR_OK : CKR_MECHANISM_PARAM_INVALID);
	}
	ck_assert_uint_eq(new_of(macs[_i].general, NULL, sizeof length, 16),
	                  CKR_MECHANISM_PARAM_INVALID);
	for (length = 0; length < 80; length++)
		ck_assert_uint_eq(new_of(macs[_i].general, &length, sizeof length, 16),
		                  length >= 1 && length <= macs[_i].size
		                          ? CKR_OK : CKR_MECHANISM_PARAM_INVALID);
	length = (CK_ULONG)-1;
	ck_assert_uint_eq(new_of(macs[_i].general, &length, sizeof length, 16),
	                  CKR_MECHANISM_PARAM_INVALID);
}
END_TEST

START_TEST(keys_and_mechanisms)
{
	static const CK_MECHANISM_TYPE others[] = { CKM_MD5_HMAC, CKM_SHA256, CKM_AES_MAC,
		                                    CKM_AES_GMAC, CKM_SHA512_256_HMAC,
		                                    CK_UNAVAILABLE_INFORMATION };

	for (size_t size = 0; size < 40; size++) {
		ck_assert_uint_eq(new_of(CKM_SHA256_HMAC, NULL, 0, size),
		                  size == 0 ? CKR_KEY_SIZE_RANGE : CKR_OK);
		ck_assert_uint_eq(new_of(CKM_AES_CMAC, NULL, 0, size),
		                  size == 16 || size == 24 || size == 32 ? CKR_OK
		                                                         : CKR_KEY_SIZE_RANGE);
	}
	for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
		ck_assert(!mac_offers(others[i]));
		ck_assert_uint_eq(new_of(others[i], NULL, 0, 16), CKR_MECHANISM_INVALID);
	}
	for (int i = 0; i < MACS; i++)
		ck_assert(mac_offers(macs[i].type) && mac_offers(macs[i].general));
}
END_TEST

Suite *
unit_suite(void)
{
	Suite *suite = suite_create("mac");
	TCase *tests = tcase_create("mac");

	tcase_set_timeout(tests, 60);
	tcase_add_checked_fixture(tests, setup, openssl_stop);
	tcase_add_loop_test(tests, known_answers, 0, 4);
	tcase_add_loop_test(tests, same_as_openssl, 0, MACS);
	tcase_add_loop_test(tests, general_gives_the_first_bytes, 0, MACS);
	tcase_add_loop_test(tests, verify_sees_every_bit, 0, MACS);
	tcase_add_loop_test(tests, parameters, 0, MACS);
	tcase_add_test(tests, keys_and_mechanisms);
	suite_add_tcase(suite, tests);
	return suite;
}
