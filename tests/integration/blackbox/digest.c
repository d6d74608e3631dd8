/* SPDX-License-Identifier: Apache-2.0 */
/* Section 5.12: digests; answers known from FIPS 180-4's examples and from OpenSSL. */
#include "blackbox.h"

#include <openssl/evp.h>
#include <stdio.h>

static const struct {
	CK_MECHANISM_TYPE type;
	const char *name;
	CK_ULONG size;
	const char *abc; /* the digest of "abc" */
} digests[] = {
	{ CKM_SHA_1, "SHA1", 20, "a9993e364706816aba3e25717850c26c9cd0d89d" },
	{ CKM_SHA224, "SHA224", 28, "23097d223405d8228642a477bda255b32aadbce4bda0b3f7e36c9da7" },
	{ CKM_SHA256, "SHA256", 32,
	  "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" },
	{ CKM_SHA384, "SHA384", 48,
	  "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed"
	  "8086072ba1e7cc2358baeca134c825a7" },
	{ CKM_SHA512, "SHA512", 64,
	  "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
	  "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f" },
};

static unsigned char message[20000];
static unsigned char value[64];

static bool
offered(int i)
{
	return mechanism_offers(digests[i].type, CKF_DIGEST);
}

static CK_RV
init(CK_SESSION_HANDLE session, int i)
{
	CK_MECHANISM mechanism = { digests[i].type, NULL, 0 };

	return p11->C_DigestInit(session, &mechanism);
}

static void
check(int i, CK_ULONG message_size, CK_ULONG size)
{
	unsigned char expected[64];

	ck_assert(EVP_Digest(message, message_size, expected, NULL,
	                     EVP_get_digestbyname(digests[i].name), NULL));
	ck_assert_uint_eq(size, digests[i].size);
	ck_assert_mem_eq(value, expected, size);
}

START_TEST(known_answer)
{
	CK_SESSION_HANDLE session = session_public(0);
	CK_ULONG size = sizeof(value);
	char hex[129] = "";

	if (!offered(_i))
		return;
	expect(CKR_OK, init(session, _i));
	expect(CKR_OK, p11->C_Digest(session, (CK_BYTE_PTR) "abc", 3, value, &size));
	ck_assert_uint_eq(size, digests[_i].size);
	for (CK_ULONG j = 0; j < size; j++)
		snprintf(hex + 2 * j, 3, "%02x", value[j]);
	ck_assert_str_eq(hex, digests[_i].abc);
	expect(CKR_OPERATION_NOT_INITIALIZED,
	       p11->C_Digest(session, (CK_BYTE_PTR) "abc", 3, value, &size));
}
END_TEST

START_TEST(lengths)
{
	static const CK_ULONG sizes[] = { 0, 1, 55, 56, 63, 64, 65, 111, 112, 127, 128, 20000 };
	CK_SESSION_HANDLE session = session_public(0);

	if (!offered(_i))
		return;
	for (size_t j = 0; j < COUNT(sizes); j++) {
		CK_ULONG size = sizeof(value);

		memset(message, (int)j, sizeof(message));
		expect(CKR_OK, init(session, _i));
		expect(CKR_OK, p11->C_Digest(session, message, sizes[j], value, &size));
		check(_i, sizes[j], size);
	}
}
END_TEST

START_TEST(in_parts)
{
	static const CK_ULONG chunks[] = { 1, 63, 64, 65, 1000, 0, 4096 };
	CK_SESSION_HANDLE session = session_public(0);
	CK_ULONG size = 0, done = 0;

	if (!offered(_i))
		return;
	expect(CKR_OK, init(session, _i));
	for (size_t j = 0; j < COUNT(chunks); done += chunks[j++])
		expect(CKR_OK, p11->C_DigestUpdate(session, message + done, chunks[j]));
	expect(CKR_OK, p11->C_DigestFinal(session, NULL, &size));
	ck_assert_uint_eq(size, digests[_i].size);
	size--;
	expect(CKR_BUFFER_TOO_SMALL, p11->C_DigestFinal(session, value, &size));
	ck_assert_uint_eq(size, digests[_i].size);
	expect(CKR_OK, p11->C_DigestFinal(session, value, &size));
	check(_i, done, size);
	expect(CKR_OPERATION_NOT_INITIALIZED, p11->C_DigestFinal(session, value, &size));
	expect(CKR_OPERATION_NOT_INITIALIZED, p11->C_DigestUpdate(session, message, 1));
	/* Nothing in between is an empty message. */
	expect(CKR_OK, init(session, _i));
	expect(CKR_OK, p11->C_DigestFinal(session, value, &size));
	check(_i, 0, size);
}
END_TEST

START_TEST(sizes)
{
	CK_SESSION_HANDLE session = session_public(0);
	CK_ULONG size = 0;

	if (!offered(_i))
		return;
	expect(CKR_OK, init(session, _i));
	expect(CKR_OK, p11->C_Digest(session, message, 100, NULL, &size));
	ck_assert_uint_eq(size, digests[_i].size);
	size = digests[_i].size - 1;
	expect(CKR_BUFFER_TOO_SMALL, p11->C_Digest(session, message, 100, value, &size));
	ck_assert_uint_eq(size, digests[_i].size);
	/* Neither of the two has fed the digest. */
	expect(CKR_OK, p11->C_Digest(session, message, 100, value, &size));
	check(_i, 100, size);
}
END_TEST

START_TEST(rules)
{
	CK_SESSION_HANDLE session = session_public(0);
	CK_MECHANISM unknown = { CKM_VENDOR_DEFINED | 0x7777, NULL, 0 };
	CK_ULONG size = sizeof(value);

	if (!offered(_i))
		return;
	expect(CKR_ARGUMENTS_BAD, p11->C_DigestInit(session, NULL));
	expect(CKR_MECHANISM_INVALID, p11->C_DigestInit(session, &unknown));
	expect(CKR_OK, init(session, _i));
	expect(CKR_OPERATION_ACTIVE, init(session, _i));
	expect(CKR_ARGUMENTS_BAD, p11->C_Digest(session, message, 1, value, NULL));
	session = session_public(0);
	expect(CKR_OK, init(session, _i));
	expect(CKR_ARGUMENTS_BAD, p11->C_DigestUpdate(session, NULL, 1));
	session = session_public(0);
	expect(CKR_OK, init(session, _i));
	expect(CKR_OK, p11->C_DigestUpdate(session, message, 1));
	expect_failure(p11->C_Digest(session, message, 1, value, &size));
	expect(CKR_OPERATION_NOT_INITIALIZED, p11->C_DigestFinal(session, value, &size));
	/* What the operation does not allow is told before a pointer that is not given. */
	expect(CKR_OPERATION_NOT_INITIALIZED, p11->C_Digest(session, NULL, 1, value, NULL));
	expect(CKR_OK, init(session, _i));
	expect(CKR_OK, p11->C_DigestUpdate(session, message, 1));
	expect(CKR_OPERATION_ACTIVE, p11->C_Digest(session, NULL, 1, value, NULL));
}
END_TEST

Suite *
digest_suite(void)
{
	Suite *suite = suite_create("digest");
	TCase *tcase = started_case(suite, "each digest");
	int rows = COUNT(digests);

	tcase_add_loop_test(tcase, known_answer, 0, rows);
	tcase_add_loop_test(tcase, lengths, 0, rows);
	tcase_add_loop_test(tcase, in_parts, 0, rows);
	tcase_add_loop_test(tcase, sizes, 0, rows);
	tcase_add_loop_test(tcase, rules, 0, rows);
	return suite;
}
