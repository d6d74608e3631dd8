/* SPDX-License-Identifier: Apache-2.0 */
/* Encryption and decryption in parts (sections 5.8, 5.10), and beside another operation (5.17). */
#include "blackbox.h"

static unsigned char key_value[16] = "sixteen bytes...", iv[16];
static unsigned char text[64] = "a text of four blocks of sixteen bytes, of which the last is cut";
static unsigned char sealed[128], opened[128], mac[32];
static CK_MECHANISM padded = { CKM_AES_CBC_PAD, iv, sizeof(iv) };
static CK_MECHANISM unpadded = { CKM_AES_CBC, iv, sizeof(iv) };
static CK_MECHANISM sha256 = { CKM_SHA256, NULL, 0 }, cmac = { CKM_AES_CMAC, NULL, 0 };
static CK_ULONG size;

static bool
has_ciphers(void)
{
	return mechanism_offers(CKM_AES_CBC_PAD, CKF_ENCRYPT) &&
	       mechanism_offers(CKM_AES_CMAC, CKF_SIGN);
}

static CK_OBJECT_HANDLE
new_key(CK_SESSION_HANDLE session)
{
	CK_OBJECT_CLASS class = CKO_SECRET_KEY;
	CK_KEY_TYPE type = CKK_AES;
	CK_BBOOL no = CK_FALSE, yes = CK_TRUE;
	CK_ATTRIBUTE template[] = {
		ATTRIBUTE(CKA_CLASS, &class, sizeof(class)),
		ATTRIBUTE(CKA_KEY_TYPE, &type, sizeof(type)),
		ATTRIBUTE(CKA_TOKEN, &no, sizeof(no)),
		ATTRIBUTE(CKA_PRIVATE, &no, sizeof(no)),
		ATTRIBUTE(CKA_ENCRYPT, &yes, sizeof(yes)),
		ATTRIBUTE(CKA_DECRYPT, &yes, sizeof(yes)),
		ATTRIBUTE(CKA_SIGN, &yes, sizeof(yes)),
		ATTRIBUTE(CKA_VERIFY, &yes, sizeof(yes)),
		ATTRIBUTE(CKA_VALUE, key_value, sizeof(key_value)),
	};
	CK_OBJECT_HANDLE key;

	expect(CKR_OK, p11->C_CreateObject(session, template, COUNT(template), &key));
	return key;
}

/* Parts that are no blocks; too little room leaves the last part to be asked for again. */
START_TEST(parts)
{
	CK_SESSION_HANDLE session = session_public(0);
	CK_ULONG total = 0, length = 0;
	CK_OBJECT_HANDLE key;

	if (!has_ciphers())
		return;
	key = new_key(session);
	expect(CKR_OK, p11->C_EncryptInit(session, &padded, key));
	for (CK_ULONG at = 0; at < 60; at += 15, total += size) {
		size = sizeof(sealed) - total;
		expect(CKR_OK, p11->C_EncryptUpdate(session, text + at, 15, sealed + total, &size));
	}
	size = 1;
	expect(CKR_BUFFER_TOO_SMALL, p11->C_EncryptFinal(session, sealed + total, &size));
	expect(CKR_OK, p11->C_EncryptFinal(session, sealed + total, &size));
	total += size;
	ck_assert_uint_eq(total, 64);
	expect(CKR_OK, p11->C_DecryptInit(session, &padded, key));
	for (CK_ULONG at = 0; at < total; at += 16, length += size) {
		size = sizeof(opened) - length;
		expect(CKR_OK, p11->C_DecryptUpdate(session, sealed + at, 16, opened + length, &size));
	}
	expect(CKR_OK, p11->C_DecryptFinal(session, NULL, &size));
	size = 0;
	expect(CKR_BUFFER_TOO_SMALL, p11->C_DecryptFinal(session, opened + length, &size));
	expect(CKR_OK, p11->C_DecryptFinal(session, opened + length, &size));
	ck_assert_uint_eq(length + size, 60);
	ck_assert_mem_eq(opened, text, 60);
}
END_TEST

START_TEST(parts_refused)
{
	CK_SESSION_HANDLE session = session_public(0);
	CK_OBJECT_HANDLE key;

	if (!has_ciphers())
		return;
	key = new_key(session);
	size = sizeof(sealed);
	expect(CKR_SESSION_HANDLE_INVALID,
	       p11->C_EncryptUpdate(session + 1000, text, 16, sealed, &size));
	expect(CKR_SESSION_HANDLE_INVALID, p11->C_EncryptFinal(session + 1000, sealed, &size));
	expect(CKR_SESSION_HANDLE_INVALID,
	       p11->C_DecryptUpdate(session + 1000, text, 16, sealed, &size));
	expect(CKR_SESSION_HANDLE_INVALID, p11->C_DecryptFinal(session + 1000, sealed, &size));
	expect(CKR_OK, p11->C_EncryptInit(session, &unpadded, key));
	expect(CKR_ARGUMENTS_BAD, p11->C_EncryptUpdate(session, NULL, 16, sealed, &size));
	expect(CKR_OK, p11->C_EncryptInit(session, &unpadded, key));
	expect(CKR_ARGUMENTS_BAD, p11->C_EncryptFinal(session, sealed, NULL));
	expect(CKR_OK, p11->C_EncryptInit(session, &unpadded, key));
	size = 15;
	expect(CKR_BUFFER_TOO_SMALL, p11->C_EncryptUpdate(session, text, 16, sealed, &size));
	ck_assert_uint_eq(size, 16);
	expect(CKR_OK, p11->C_EncryptUpdate(session, text, 16, sealed, &size));
	size = sizeof(sealed);
	expect(CKR_OK, p11->C_EncryptUpdate(session, text, 3, sealed, &size));
	size = sizeof(sealed);
	expect(CKR_DATA_LEN_RANGE, p11->C_EncryptFinal(session, sealed, &size));
	expect(CKR_OK, p11->C_DecryptInit(session, &unpadded, key));
	expect(CKR_ARGUMENTS_BAD, p11->C_DecryptUpdate(session, NULL, 16, sealed, &size));
	expect(CKR_OK, p11->C_DecryptInit(session, &unpadded, key));
	expect(CKR_ARGUMENTS_BAD, p11->C_DecryptFinal(session, sealed, NULL));
	expect(CKR_OK, p11->C_DecryptInit(session, &unpadded, key));
	size = 15;
	expect(CKR_BUFFER_TOO_SMALL, p11->C_DecryptUpdate(session, sealed, 16, opened, &size));
	expect(CKR_OK, p11->C_DecryptUpdate(session, sealed, 3, opened, &size));
	size = sizeof(opened);
	expect(CKR_ENCRYPTED_DATA_LEN_RANGE, p11->C_DecryptFinal(session, opened, &size));
	expect(CKR_OK, p11->C_DecryptInit(session, &unpadded, key));
	expect(CKR_ENCRYPTED_DATA_LEN_RANGE, p11->C_Decrypt(session, text, 17, opened, &size));
	/* A padding that is none. */
	expect(CKR_OK, p11->C_DecryptInit(session, &padded, key));
	size = sizeof(opened);
	expect(CKR_OK, p11->C_DecryptUpdate(session, text, 32, opened, &size));
	size = sizeof(opened);
	expect(CKR_ENCRYPTED_DATA_INVALID, p11->C_DecryptFinal(session, opened, &size));
}
END_TEST

/* Both operations get all of it, and the ciphertext is the same as without the other. */
START_TEST(dual)
{
	CK_SESSION_HANDLE session = session_public(0);
	unsigned char of_text[32], alone[32];
	CK_OBJECT_HANDLE key;

	if (!has_ciphers())
		return;
	key = new_key(session);
	expect(CKR_OK, p11->C_DigestInit(session, &sha256));
	expect(CKR_OK, p11->C_EncryptInit(session, &unpadded, key));
	size = 3;
	expect(CKR_BUFFER_TOO_SMALL, p11->C_DigestEncryptUpdate(session, text, 64, sealed, &size));
	size = sizeof(sealed);
	expect(CKR_OK, p11->C_DigestEncryptUpdate(session, text, 64, sealed, &size));
	ck_assert_uint_eq(size, 64);
	size = sizeof(of_text);
	expect(CKR_OK, p11->C_DigestFinal(session, of_text, &size));
	expect(CKR_OK, p11->C_DigestInit(session, &sha256));
	expect(CKR_OK, p11->C_Digest(session, text, 64, alone, &size));
	ck_assert_mem_eq(of_text, alone, sizeof(alone));

	expect(CKR_OK, p11->C_DigestInit(session, &sha256));
	expect(CKR_OK, p11->C_DecryptInit(session, &unpadded, key));
	size = 3;
	expect(CKR_BUFFER_TOO_SMALL, p11->C_DecryptDigestUpdate(session, sealed, 64, opened, &size));
	size = sizeof(opened);
	expect(CKR_OK, p11->C_DecryptDigestUpdate(session, sealed, 64, opened, &size));
	ck_assert_mem_eq(opened, text, 64);
	size = sizeof(of_text);
	expect(CKR_OK, p11->C_DigestFinal(session, of_text, &size));
	ck_assert_mem_eq(of_text, alone, sizeof(alone));
}
END_TEST

START_TEST(dual_signing)
{
	CK_SESSION_HANDLE session = session_public(0), other = session_public(0);
	CK_ULONG mac_size = sizeof(mac);
	CK_OBJECT_HANDLE key;

	if (!has_ciphers())
		return;
	key = new_key(session);
	expect(CKR_OK, p11->C_SignInit(session, &cmac, key));
	expect(CKR_OK, p11->C_EncryptInit(session, &unpadded, key));
	size = 3;
	expect(CKR_BUFFER_TOO_SMALL, p11->C_SignEncryptUpdate(session, text, 64, sealed, &size));
	size = sizeof(sealed);
	expect(CKR_OK, p11->C_SignEncryptUpdate(session, text, 64, sealed, &size));
	expect(CKR_OK, p11->C_SignFinal(session, mac, &mac_size));
	expect(CKR_OK, p11->C_VerifyInit(other, &cmac, key));
	expect(CKR_OK, p11->C_DecryptInit(other, &unpadded, key));
	size = 3;
	expect(CKR_BUFFER_TOO_SMALL, p11->C_DecryptVerifyUpdate(other, sealed, 64, opened, &size));
	size = sizeof(opened);
	expect(CKR_OK, p11->C_DecryptVerifyUpdate(other, sealed, 64, opened, &size));
	ck_assert_mem_eq(opened, text, 64);
	expect(CKR_OK, p11->C_VerifyFinal(other, mac, mac_size));
	expect(CKR_OK, p11->C_VerifyInit(other, &cmac, key));
	expect(CKR_OK, p11->C_VerifyUpdate(other, text, 64));
	expect(CKR_SIGNATURE_LEN_RANGE, p11->C_VerifyFinal(other, mac, mac_size - 1));
}
END_TEST

START_TEST(dual_refused)
{
	CK_SESSION_HANDLE session = session_public(0);
	CK_SESSION_HANDLE none = session + 1000;
	CK_OBJECT_HANDLE key;

	if (!has_ciphers())
		return;
	size = sizeof(sealed);
	expect(CKR_SESSION_HANDLE_INVALID, p11->C_DigestEncryptUpdate(none, text, 16, sealed, &size));
	expect(CKR_SESSION_HANDLE_INVALID, p11->C_DecryptDigestUpdate(none, text, 16, sealed, &size));
	expect(CKR_SESSION_HANDLE_INVALID, p11->C_SignEncryptUpdate(none, text, 16, sealed, &size));
	expect(CKR_SESSION_HANDLE_INVALID, p11->C_DecryptVerifyUpdate(none, text, 16, sealed, &size));
	expect(CKR_OPERATION_NOT_INITIALIZED,
	       p11->C_DigestEncryptUpdate(session, text, 16, sealed, &size));
	expect(CKR_OPERATION_NOT_INITIALIZED,
	       p11->C_DecryptDigestUpdate(session, text, 16, sealed, &size));
	expect(CKR_OPERATION_NOT_INITIALIZED,
	       p11->C_SignEncryptUpdate(session, text, 16, sealed, &size));
	expect(CKR_OPERATION_NOT_INITIALIZED,
	       p11->C_DecryptVerifyUpdate(session, text, 16, sealed, &size));
	/* A pointer that is not there ends both operations. */
	key = new_key(session);
	expect(CKR_OK, p11->C_EncryptInit(session, &unpadded, key));
	expect(CKR_OK, p11->C_DigestInit(session, &sha256));
	expect(CKR_ARGUMENTS_BAD, p11->C_DigestEncryptUpdate(session, NULL, 16, sealed, &size));
	expect(CKR_OK, p11->C_DecryptInit(session, &unpadded, key));
	expect(CKR_OK, p11->C_DigestInit(session, &sha256));
	expect(CKR_ARGUMENTS_BAD, p11->C_DecryptDigestUpdate(session, NULL, 16, sealed, &size));
	expect(CKR_OK, p11->C_EncryptInit(session, &unpadded, key));
	expect(CKR_OK, p11->C_SignInit(session, &cmac, key));
	expect(CKR_ARGUMENTS_BAD, p11->C_SignEncryptUpdate(session, text, 16, sealed, NULL));
	expect(CKR_OK, p11->C_DecryptInit(session, &unpadded, key));
	expect(CKR_OK, p11->C_VerifyInit(session, &cmac, key));
	expect(CKR_ARGUMENTS_BAD, p11->C_DecryptVerifyUpdate(session, NULL, 16, sealed, &size));
	expect(CKR_OK, p11->C_DecryptInit(session, &unpadded, key));
	expect(CKR_OK, p11->C_VerifyInit(session, &cmac, key));
}
END_TEST

START_TEST(init_refused)
{
	CK_SESSION_HANDLE session = session_public(0);
	CK_MECHANISM short_iv = { CKM_AES_CBC, iv, 15 }, long_cmac = { CKM_AES_CMAC, iv, 3 };
	CK_OBJECT_HANDLE key;

	if (!has_ciphers())
		return;
	key = new_key(session);
	expect(CKR_MECHANISM_PARAM_INVALID, p11->C_EncryptInit(session, &short_iv, key));
	expect(CKR_MECHANISM_PARAM_INVALID, p11->C_DecryptInit(session, &short_iv, key));
	expect(CKR_MECHANISM_PARAM_INVALID, p11->C_SignInit(session, &long_cmac, key));
	expect(CKR_MECHANISM_PARAM_INVALID, p11->C_VerifyInit(session, &long_cmac, key));
	expect(CKR_KEY_HANDLE_INVALID, p11->C_EncryptInit(session, &unpadded, key + 1000000));
	expect(CKR_KEY_HANDLE_INVALID, p11->C_DecryptInit(session, &unpadded, key + 1000000));
	expect(CKR_KEY_HANDLE_INVALID, p11->C_SignInit(session, &cmac, key + 1000000));
	expect(CKR_KEY_HANDLE_INVALID, p11->C_VerifyInit(session, &cmac, key + 1000000));
}
END_TEST

/* The same bytes in parts of five, each size asked for first; twice, for nothing is used up by it. */
static CK_ULONG
in_parts(CK_SESSION_HANDLE session, CK_RV (*update)(CK_SESSION_HANDLE, CK_BYTE_PTR, CK_ULONG,
                                                    CK_BYTE_PTR, CK_ULONG_PTR),
         CK_RV (*final)(CK_SESSION_HANDLE, CK_BYTE_PTR, CK_ULONG_PTR), unsigned char *in,
         CK_ULONG in_size, unsigned char *out)
{
	CK_ULONG total = 0, part, needed, room;

	for (CK_ULONG at = 0; at < in_size; at += part, total += size) {
		part = in_size - at < 5 ? in_size - at : 5;
		expect(CKR_OK, update(session, in + at, part, NULL, &needed));
		expect(CKR_OK, update(session, in + at, part, NULL, &size));
		room = size > 0 ? size : 1; /* p11-kit's remoting takes no room for a question */
		ck_assert_uint_eq(size, needed);
		size = room;
		expect(CKR_OK, update(session, in + at, part, out + total, &size));
		ck_assert_uint_le(size, needed);
	}
	expect(CKR_OK, final(session, NULL, &needed));
	expect(CKR_OK, final(session, NULL, &size));
	ck_assert_uint_eq(size, needed);
	size = size > 0 ? size : 1;
	expect(CKR_OK, final(session, out + total, &size));
	ck_assert_uint_le(size, needed);
	return total + size;
}

/* Section 5.2: with nowhere to put the result, a function tells its size, and does nothing else. */
START_TEST(sizes_asked_first)
{
	static CK_AES_CTR_PARAMS ctr = { 128, { 0 } };
	static CK_GCM_PARAMS gcm = { iv, 12, 96, NULL, 0, 128 };
	static struct ccm_params ccm = { sizeof(text), iv, 12, NULL, 0, 16 };
	CK_MECHANISM ways[] = {
		{ CKM_AES_ECB, NULL, 0 },           { CKM_AES_CBC, iv, sizeof(iv) },
		{ CKM_AES_CBC_PAD, iv, sizeof(iv) }, { CKM_AES_CTR, &ctr, sizeof(ctr) },
		{ CKM_AES_GCM, &gcm, sizeof(gcm) },  { CKM_AES_CCM, &ccm, sizeof(ccm) },
	};
	CK_SESSION_HANDLE session = session_public(0);
	unsigned char whole[sizeof(sealed)];
	CK_ULONG whole_size;
	CK_OBJECT_HANDLE key;

	if (!mechanism_offers(CKM_AES_ECB, CKF_ENCRYPT))
		return;
	key = new_key(session);
	for (size_t i = 0; i < COUNT(ways); i++) {
		if (!mechanism_offers(ways[i].mechanism, CKF_ENCRYPT))
			continue;
		whole_size = sizeof(whole);
		expect(CKR_OK, p11->C_EncryptInit(session, &ways[i], key));
		expect(CKR_OK, p11->C_Encrypt(session, text, sizeof(text), whole, &whole_size));
		expect(CKR_OK, p11->C_EncryptInit(session, &ways[i], key));
		size = in_parts(session, p11->C_EncryptUpdate, p11->C_EncryptFinal, text,
		                sizeof(text), sealed);
		ck_assert_uint_eq(size, whole_size);
		ck_assert_mem_eq(sealed, whole, whole_size);
		expect(CKR_OPERATION_NOT_INITIALIZED, p11->C_EncryptFinal(session, NULL, &size));
		expect(CKR_OK, p11->C_DecryptInit(session, &ways[i], key));
		size = in_parts(session, p11->C_DecryptUpdate, p11->C_DecryptFinal, sealed,
		                whole_size, opened);
		ck_assert_uint_eq(size, sizeof(text));
		ck_assert_mem_eq(opened, text, sizeof(text));
		expect(CKR_OPERATION_NOT_INITIALIZED, p11->C_DecryptFinal(session, NULL, &size));
	}
}
END_TEST

/* The same of two operations at once: neither has taken what only a size was asked for. */
START_TEST(dual_sizes_asked_first)
{
	CK_SESSION_HANDLE session = session_public(0);
	unsigned char of_text[32], alone[32];
	CK_ULONG total = 0;

	if (!has_ciphers())
		return;
	expect(CKR_OK, p11->C_DigestInit(session, &sha256));
	expect(CKR_OK, p11->C_EncryptInit(session, &unpadded, new_key(session)));
	for (CK_ULONG at = 0; at < sizeof(text); at += 8, total += size) {
		expect(CKR_OK, p11->C_DigestEncryptUpdate(session, text + at, 8, NULL, &size));
		ck_assert_uint_eq(size, at % 16 * 2);
		expect(CKR_OK, p11->C_DigestEncryptUpdate(session, text + at, 8, sealed + total,
		                                          &size));
	}
	ck_assert_uint_eq(total, sizeof(text));
	size = sizeof(of_text);
	expect(CKR_OK, p11->C_DigestFinal(session, of_text, &size));
	expect(CKR_OK, p11->C_DigestInit(session, &sha256));
	expect(CKR_OK, p11->C_Digest(session, text, sizeof(text), alone, &size));
	ck_assert_mem_eq(of_text, alone, sizeof(alone));
}
END_TEST

Suite *
crypt_parts_suite(void)
{
	Suite *suite = suite_create("crypt-parts");
	TCase *tcase = started_case(suite, "started");

	tcase_add_test(tcase, parts);
	tcase_add_test(tcase, parts_refused);
	tcase_add_test(tcase, sizes_asked_first);
	tcase_add_test(tcase, dual_sizes_asked_first);
	tcase_add_test(tcase, dual);
	tcase_add_test(tcase, dual_signing);
	tcase_add_test(tcase, dual_refused);
	tcase_add_test(tcase, init_refused);
	return suite;
}
