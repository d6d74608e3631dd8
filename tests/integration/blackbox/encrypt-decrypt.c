/* SPDX-License-Identifier: Apache-2.0 */
/* Sections 5.8 and 5.10: every encryption mechanism that the token lists, against OpenSSL. */
#include "blackbox.h"
#include "encryption.h"

static unsigned char plaintext[CIPHERTEXT_MAX];
static unsigned char ciphertext[CIPHERTEXT_MAX];
static unsigned char result[CIPHERTEXT_MAX];

/* The key size of PAIR_RSA in bytes. */
#define KEY_SIZE 256

static bool
listed(const struct encryption *encryption, CK_FLAGS flags)
{
	return pair_offered(PAIR_RSA) &&
	       (mechanism_flags_offered(encryption->type) & flags) == flags;
}

static CK_RV
encrypt_init(CK_SESSION_HANDLE session, const struct encryption *encryption)
{
	struct encryption_mechanism use;

	encryption_mechanism(encryption, &use);
	return p11->C_EncryptInit(session, &use.mechanism, pair_public(session, PAIR_RSA));
}

static CK_RV
decrypt_init(CK_SESSION_HANDLE session, const struct encryption *encryption)
{
	struct encryption_mechanism use;

	encryption_mechanism(encryption, &use);
	return p11->C_DecryptInit(session, &use.mechanism, pair_private(session, PAIR_RSA));
}

static CK_RV
decrypt(CK_SESSION_HANDLE session, const struct encryption *encryption, CK_ULONG ciphertext_size,
        CK_ULONG *ret_size)
{
	*ret_size = sizeof(result);
	expect(CKR_OK, decrypt_init(session, encryption));
	return p11->C_Decrypt(session, ciphertext, ciphertext_size, result, ret_size);
}

/* Listed, and with these parameters: hashes_offered says once where a module lacks some. */
static bool
applies(const struct encryption *encryption, CK_FLAGS flags)
{
	CK_SESSION_HANDLE encrypting, decrypting;
	bool accepted = true;

	if (!listed(encryption, flags))
		return false;
	encrypting = session_user(0);
	decrypting = session_user(0);
	if (flags & CKF_ENCRYPT)
		accepted = encrypt_init(encrypting, encryption) == CKR_OK;
	if (flags & CKF_DECRYPT)
		accepted = accepted && decrypt_init(decrypting, encryption) == CKR_OK;
	expect(CKR_OK, p11->C_CloseSession(encrypting));
	expect(CKR_OK, p11->C_CloseSession(decrypting));
	return accepted;
}

START_TEST(hashes_offered)
{
	const struct encryption *encryption = encryption_at((size_t)_i);

	if (listed(encryption, CKF_ENCRYPT))
		expect(CKR_OK, encrypt_init(session_user(0), encryption));
	if (listed(encryption, CKF_DECRYPT))
		expect(CKR_OK, decrypt_init(session_user(0), encryption));
}
END_TEST

/* A plaintext of the size asked for that also works without padding. */
static void
fill(CK_ULONG size)
{
	for (CK_ULONG i = 0; i < size; i++)
		plaintext[i] = (unsigned char)(i * 5 + 3);
	if (size == KEY_SIZE)
		plaintext[0] = 0;
}

static CK_ULONG
some_size(const struct encryption *encryption)
{
	return encryption->type == CKM_RSA_X_509 ? KEY_SIZE : 32;
}

START_TEST(round_trip)
{
	const struct encryption *encryption = encryption_at((size_t)_i);
	CK_SESSION_HANDLE session = session_user(0);
	CK_ULONG most = encryption_input_max(encryption, KEY_SIZE), size, got;
	const CK_ULONG sizes[] = { 1, 32, most - 1, most };

	if (!applies(encryption, CKF_ENCRYPT | CKF_DECRYPT))
		return;
	for (size_t i = 0; i < COUNT(sizes); i++) {
		if (encryption->type == CKM_RSA_X_509 && sizes[i] != KEY_SIZE)
			continue;
		fill(sizes[i]);
		size = sizeof(ciphertext);
		expect(CKR_OK, encrypt_init(session, encryption));
		expect(CKR_OK, p11->C_Encrypt(session, plaintext, sizes[i], ciphertext, &size));
		ck_assert_uint_eq(size, KEY_SIZE);
		expect(CKR_OK, decrypt(session, encryption, size, &got));
		ck_assert_uint_eq(got, sizes[i]);
		ck_assert_mem_eq(result, plaintext, got);
	}
}
END_TEST

START_TEST(empty_plaintext)
{
	const struct encryption *encryption = encryption_at((size_t)_i);
	CK_SESSION_HANDLE session = session_user(0);
	CK_ULONG size = sizeof(ciphertext), got;

	if (!applies(encryption, CKF_ENCRYPT | CKF_DECRYPT) || encryption->type == CKM_RSA_X_509)
		return;
	expect(CKR_OK, encrypt_init(session, encryption));
	expect(CKR_OK, p11->C_Encrypt(session, plaintext, 0, ciphertext, &size));
	expect(CKR_OK, decrypt(session, encryption, size, &got));
	ck_assert_uint_eq(got, 0);
}
END_TEST

START_TEST(decrypts_foreign)
{
	const struct encryption *encryption = encryption_at((size_t)_i);
	CK_SESSION_HANDLE session = session_user(0);
	CK_ULONG most = encryption_input_max(encryption, KEY_SIZE), size, got;
	const CK_ULONG sizes[] = { 1, 32, most };
	EVP_PKEY *key;

	if (!applies(encryption, CKF_DECRYPT))
		return;
	key = pair_evp(session, pair_public(session, PAIR_RSA), PAIR_RSA);
	for (size_t i = 0; i < COUNT(sizes); i++) {
		if (encryption->type == CKM_RSA_X_509 && sizes[i] != KEY_SIZE)
			continue;
		fill(sizes[i]);
		size = encryption_encrypt(encryption, key, plaintext, sizes[i], ciphertext);
		expect(CKR_OK, decrypt(session, encryption, size, &got));
		ck_assert_uint_eq(got, sizes[i]);
		ck_assert_mem_eq(result, plaintext, got);
	}
	EVP_PKEY_free(key);
}
END_TEST

START_TEST(encrypt_too_long)
{
	const struct encryption *encryption = encryption_at((size_t)_i);
	CK_SESSION_HANDLE session = session_user(0);
	CK_ULONG size = sizeof(ciphertext);

	if (!applies(encryption, CKF_ENCRYPT))
		return;
	expect(CKR_OK, encrypt_init(session, encryption));
	expect(CKR_DATA_LEN_RANGE,
	       p11->C_Encrypt(session, plaintext, encryption_input_max(encryption, KEY_SIZE) + 1,
	                      ciphertext, &size));
	/* The failure has ended the operation. */
	expect(CKR_OPERATION_NOT_INITIALIZED,
	       p11->C_Encrypt(session, plaintext, 1, ciphertext, &size));
}
END_TEST

/* Padding without redundancy (X.509) and PKCS#1 v1.5 (implicit rejection) may answer with noise. */
START_TEST(wrong_ciphertext)
{
	const struct encryption *encryption = encryption_at((size_t)_i);
	CK_SESSION_HANDLE session = session_user(0);
	CK_ULONG size, got;
	EVP_PKEY *key;

	if (!applies(encryption, CKF_DECRYPT))
		return;
	fill(KEY_SIZE);
	key = pair_evp(session, pair_public(session, PAIR_RSA), PAIR_RSA);
	size = encryption_encrypt(encryption, key, plaintext, some_size(encryption), ciphertext);
	EVP_PKEY_free(key);

	expect_any(decrypt(session, encryption, size - 1, &got), CKR_ENCRYPTED_DATA_LEN_RANGE,
	           CKR_ENCRYPTED_DATA_INVALID);
	expect_any(decrypt(session, encryption, size + 1, &got), CKR_ENCRYPTED_DATA_LEN_RANGE,
	           CKR_ENCRYPTED_DATA_INVALID);
	if (encryption->type != CKM_RSA_PKCS_OAEP)
		return;
	ciphertext[size / 2] ^= 1;
	expect(CKR_ENCRYPTED_DATA_INVALID, decrypt(session, encryption, size, &got));
	memset(ciphertext, 0, size);
	expect(CKR_ENCRYPTED_DATA_INVALID, decrypt(session, encryption, size, &got));
	memset(ciphertext, 0xff, size);
	expect(CKR_ENCRYPTED_DATA_INVALID, decrypt(session, encryption, size, &got));
	expect(CKR_OPERATION_NOT_INITIALIZED,
	       p11->C_Decrypt(session, ciphertext, size, result, &got));
}
END_TEST

/* Encrypted with one label, hash or mask, opened with another: refused, as any bad ciphertext. */
START_TEST(wrong_parameter)
{
	const struct encryption *encryption = encryption_at((size_t)_i), *other;
	CK_SESSION_HANDLE session = session_user(0);
	CK_ULONG size, got;
	EVP_PKEY *key;

	if (encryption->type != CKM_RSA_PKCS_OAEP || !applies(encryption, CKF_DECRYPT))
		return;
	fill(32);
	key = pair_evp(session, pair_public(session, PAIR_RSA), PAIR_RSA);
	for (size_t i = 0; i < encryption_count(); i++) {
		other = encryption_at(i);
		if (other == encryption || other->type != CKM_RSA_PKCS_OAEP)
			continue;
		size = encryption_encrypt(other, key, plaintext, 32, ciphertext);
		expect(CKR_ENCRYPTED_DATA_INVALID, decrypt(session, encryption, size, &got));
	}
	EVP_PKEY_free(key);
}
END_TEST

START_TEST(encrypt_sizes)
{
	const struct encryption *encryption = encryption_at((size_t)_i);
	CK_SESSION_HANDLE session = session_user(0);
	CK_ULONG size = 0;

	if (!applies(encryption, CKF_ENCRYPT))
		return;
	fill(KEY_SIZE);
	expect(CKR_OK, encrypt_init(session, encryption));
	expect(CKR_OK, p11->C_Encrypt(session, plaintext, some_size(encryption), NULL, &size));
	ck_assert_uint_eq(size, KEY_SIZE);
	size = KEY_SIZE - 1;
	expect(CKR_BUFFER_TOO_SMALL, p11->C_Encrypt(session, plaintext, some_size(encryption),
	                                            ciphertext, &size));
	ck_assert_uint_eq(size, KEY_SIZE);
	expect(CKR_OK, p11->C_Encrypt(session, plaintext, some_size(encryption), ciphertext,
	                              &size));
	ck_assert_uint_eq(size, KEY_SIZE);
	expect(CKR_OPERATION_NOT_INITIALIZED,
	       p11->C_Encrypt(session, plaintext, 1, ciphertext, &size));
}
END_TEST

START_TEST(decrypt_sizes)
{
	const struct encryption *encryption = encryption_at((size_t)_i);
	CK_SESSION_HANDLE session = session_user(0);
	CK_ULONG size, needed = 0, got;
	EVP_PKEY *key;

	if (!applies(encryption, CKF_DECRYPT))
		return;
	fill(KEY_SIZE);
	key = pair_evp(session, pair_public(session, PAIR_RSA), PAIR_RSA);
	size = encryption_encrypt(encryption, key, plaintext, some_size(encryption), ciphertext);
	EVP_PKEY_free(key);
	expect(CKR_OK, decrypt_init(session, encryption));
	expect(CKR_OK, p11->C_Decrypt(session, ciphertext, size, NULL, &needed));
	/* The length told may be more than it will be (section 5.2). */
	ck_assert_uint_ge(needed, some_size(encryption));
	ck_assert_uint_le(needed, KEY_SIZE);
	got = some_size(encryption) - 1;
	expect(CKR_BUFFER_TOO_SMALL, p11->C_Decrypt(session, ciphertext, size, result, &got));
	ck_assert_uint_ge(got, some_size(encryption));
	got = needed;
	expect(CKR_OK, p11->C_Decrypt(session, ciphertext, size, result, &got));
	ck_assert_uint_eq(got, some_size(encryption));
	ck_assert_mem_eq(result, plaintext, got);
	expect(CKR_OPERATION_NOT_INITIALIZED,
	       p11->C_Decrypt(session, ciphertext, size, result, &got));
}
END_TEST

START_TEST(not_in_parts)
{
	const struct encryption *encryption = encryption_at((size_t)_i);
	CK_SESSION_HANDLE session = session_user(0);
	CK_ULONG size = sizeof(result);

	if (applies(encryption, CKF_ENCRYPT)) {
		expect(CKR_OK, encrypt_init(session, encryption));
		expect_failure(p11->C_EncryptUpdate(session, plaintext, 8, result, &size));
		expect(CKR_OPERATION_NOT_INITIALIZED,
		       p11->C_EncryptUpdate(session, plaintext, 8, result, &size));
	}
	if (applies(encryption, CKF_DECRYPT)) {
		expect(CKR_OK, decrypt_init(session, encryption));
		expect_failure(p11->C_DecryptUpdate(session, ciphertext, 8, result, &size));
		expect(CKR_OPERATION_NOT_INITIALIZED,
		       p11->C_DecryptUpdate(session, ciphertext, 8, result, &size));
	}
}
END_TEST

/* Output over the input, as section 5.2 does not forbid and programs do. */
START_TEST(in_place)
{
	const struct encryption *encryption = encryption_at((size_t)_i);
	CK_SESSION_HANDLE session = session_user(0);
	CK_ULONG size = sizeof(ciphertext), got;

	if (!applies(encryption, CKF_ENCRYPT | CKF_DECRYPT))
		return;
	fill(KEY_SIZE);
	memcpy(ciphertext, plaintext, KEY_SIZE);
	expect(CKR_OK, encrypt_init(session, encryption));
	expect(CKR_OK, p11->C_Encrypt(session, ciphertext, some_size(encryption), ciphertext,
	                              &size));
	got = sizeof(ciphertext);
	expect(CKR_OK, decrypt_init(session, encryption));
	expect(CKR_OK, p11->C_Decrypt(session, ciphertext, size, ciphertext, &got));
	ck_assert_uint_eq(got, some_size(encryption));
	ck_assert_mem_eq(ciphertext, plaintext, got);
}
END_TEST

Suite *
encrypt_decrypt_suite(void)
{
	Suite *suite = suite_create("encrypt-decrypt");
	TCase *tcase = started_case(suite, "each mechanism");
	int rows = (int)encryption_count();

	tcase_add_loop_test(tcase, hashes_offered, 0, rows);
	tcase_add_loop_test(tcase, round_trip, 0, rows);
	tcase_add_loop_test(tcase, empty_plaintext, 0, rows);
	tcase_add_loop_test(tcase, decrypts_foreign, 0, rows);
	tcase_add_loop_test(tcase, encrypt_too_long, 0, rows);
	tcase_add_loop_test(tcase, wrong_ciphertext, 0, rows);
	tcase_add_loop_test(tcase, wrong_parameter, 0, rows);
	tcase_add_loop_test(tcase, encrypt_sizes, 0, rows);
	tcase_add_loop_test(tcase, decrypt_sizes, 0, rows);
	tcase_add_loop_test(tcase, not_in_parts, 0, rows);
	tcase_add_loop_test(tcase, in_place, 0, rows);
	return suite;
}
