/* SPDX-License-Identifier: Apache-2.0 */
/* Section 5.18: random numbers. */
#include "blackbox.h"

static bool
has_random(void)
{
	return (token_flags & CKF_RNG) != 0;
}

START_TEST(generate)
{
	CK_SESSION_HANDLE session = session_public(0);
	static unsigned char first[100000], second[100000];
	unsigned histogram[256] = { 0 };

	if (!has_random()) {
		expect_any(p11->C_GenerateRandom(session, first, 16), CKR_RANDOM_NO_RNG,
		           CKR_FUNCTION_NOT_SUPPORTED);
		return;
	}
	expect(CKR_OK, p11->C_GenerateRandom(session, first, sizeof(first)));
	expect(CKR_OK, p11->C_GenerateRandom(session, second, sizeof(second)));
	ck_assert_mem_ne(first, second, sizeof(first));
	/* Each value about 391 times: a stuck or half-filled buffer is far off that. */
	for (size_t i = 0; i < sizeof(first); i++)
		histogram[first[i]]++;
	for (size_t i = 0; i < COUNT(histogram); i++)
		ck_assert_msg(histogram[i] > 250 && histogram[i] < 550, "%zu came %u times", i,
		              histogram[i]);
}
END_TEST

START_TEST(no_more_than_asked)
{
	CK_SESSION_HANDLE session = session_public(0);
	unsigned char bytes[34];

	if (!has_random())
		return;
	for (CK_ULONG size = 1; size < sizeof(bytes) - 1; size++) {
		memset(bytes, 0x55, sizeof(bytes));
		expect(CKR_OK, p11->C_GenerateRandom(session, bytes, size));
		for (size_t i = size; i < sizeof(bytes); i++)
			ck_assert_uint_eq(bytes[i], 0x55);
	}
}
END_TEST

START_TEST(arguments)
{
	CK_SESSION_HANDLE session = session_public(0);

	if (has_random())
		expect(CKR_ARGUMENTS_BAD, p11->C_GenerateRandom(session, NULL, 16));
}
END_TEST

START_TEST(seed)
{
	CK_SESSION_HANDLE session = session_public(0);
	unsigned char bytes[16] = { 1 };

	unsigned char first[32], second[32];

	if (!has_random())
		return;
	expect(CKR_SESSION_HANDLE_INVALID, p11->C_SeedRandom(session + 1000, bytes, sizeof(bytes)));
	expect(CKR_ARGUMENTS_BAD, p11->C_SeedRandom(session, NULL, sizeof(bytes)));
	expect(CKR_OK, p11->C_SeedRandom(session, bytes, 0));
	/* A seed adds, it does not set: the same one twice does not give the same bytes. */
	expect(CKR_OK, p11->C_SeedRandom(session, bytes, sizeof(bytes)));
	expect(CKR_OK, p11->C_GenerateRandom(session, first, sizeof(first)));
	expect(CKR_OK, p11->C_SeedRandom(session, bytes, sizeof(bytes)));
	expect(CKR_OK, p11->C_GenerateRandom(session, second, sizeof(second)));
	ck_assert_mem_ne(first, second, sizeof(first));
}
END_TEST

Suite *
random_suite(void)
{
	Suite *suite = suite_create("random");
	TCase *tcase = started_case(suite, "started");

	tcase_add_test(tcase, generate);
	tcase_add_test(tcase, no_more_than_asked);
	tcase_add_test(tcase, arguments);
	tcase_add_test(tcase, seed);
	return suite;
}
