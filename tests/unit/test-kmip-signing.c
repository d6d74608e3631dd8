/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "base/openssl.h"
#include "kms/kmip-crypto.h"
#include "kms/kms.h"

#include <string.h>

/* DigestInfo of a SHA-256 (RFC 8017, section 9.2, note 1). */
static const unsigned char prefix[] = {
	0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01,
	0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x20,
};

static unsigned char info[sizeof prefix + 32];
static struct kmip_signing signing;

static void
setup(void)
{
	ck_assert_uint_eq(openssl_start(), CKR_OK);
	memcpy(info, prefix, sizeof prefix);
	memset(info + sizeof prefix, 7, 32);
}

static void
teardown(void)
{
	openssl_stop();
}

static CK_RV
plan(CK_MECHANISM_TYPE type, const void *data, size_t size)
{
	CK_MECHANISM mechanism = { type, NULL, 0 };

	return kmip_signing_plan(&mechanism, data, size, &signing);
}

START_TEST(a_digest_info_becomes_its_digest)
{
	ck_assert_uint_eq(plan(CKM_RSA_PKCS, info, sizeof info), CKR_OK);
	ck_assert_uint_eq(signing.padding, KMIP_PADDING_PKCS1);
	ck_assert_uint_eq(signing.hash, KMIP_SHA_256);
	ck_assert_uint_eq(signing.signature, 5); /* SHA-256 with RSA Encryption */
	ck_assert_uint_eq(signing.algorithm, KMIP_RSA);
	ck_assert(signing.digested);
	ck_assert_uint_eq(signing.data_size, 32);
	ck_assert_ptr_eq(signing.data, info + sizeof prefix);
}
END_TEST

START_TEST(other_data_is_not_signed_with_pkcs1)
{
	unsigned char changed[sizeof info + 1];

	ck_assert_uint_eq(plan(CKM_RSA_PKCS, "", 0), CKR_DATA_INVALID);
	ck_assert_uint_eq(plan(CKM_RSA_PKCS, info, sizeof info - 1), CKR_DATA_INVALID);
	ck_assert_uint_eq(plan(CKM_RSA_PKCS, info + sizeof prefix, 32), CKR_DATA_INVALID);
	memcpy(changed, info, sizeof info);
	changed[sizeof info] = 0;
	ck_assert_uint_eq(plan(CKM_RSA_PKCS, changed, sizeof changed), CKR_DATA_INVALID);
	/* Another hash than the length says; MD5; parameters that are not NULL. */
	memcpy(changed, info, sizeof info);
	changed[14] = 0x02;
	ck_assert_uint_eq(plan(CKM_RSA_PKCS, changed, sizeof info), CKR_DATA_INVALID);
	memcpy(changed, info, sizeof info);
	changed[15] = 0x04;
	ck_assert_uint_eq(plan(CKM_RSA_PKCS, changed, sizeof info), CKR_DATA_INVALID);
}
END_TEST

START_TEST(pss_has_its_salt_and_mask)
{
	CK_RSA_PKCS_PSS_PARAMS pss = { CKM_SHA384, CKG_MGF1_SHA256, 17 };
	CK_MECHANISM mechanism = { CKM_RSA_PKCS_PSS, &pss, sizeof pss };

	ck_assert_uint_eq(kmip_signing_plan(&mechanism, info, 48, &signing), CKR_OK);
	ck_assert_uint_eq(signing.padding, KMIP_PADDING_PSS);
	ck_assert_uint_eq(signing.signature, KMIP_RSASSA_PSS);
	ck_assert_uint_eq(signing.hash, KMIP_SHA_384);
	ck_assert_uint_eq(signing.mask_hash, KMIP_SHA_256);
	ck_assert(signing.salted);
	ck_assert_int_eq(signing.salt_size, 17);
	ck_assert(signing.digested);

	mechanism.mechanism = CKM_SHA384_RSA_PKCS_PSS;
	ck_assert_uint_eq(kmip_signing_plan(&mechanism, "message", 7, &signing), CKR_OK);
	ck_assert(!signing.digested);
	ck_assert_int_eq(signing.salt_size, 17);
	mechanism.mechanism = CKM_SHA256_RSA_PKCS_PSS; /* not the parameter's hash */
	ck_assert_uint_eq(kmip_signing_plan(&mechanism, "message", 7, &signing),
	                  CKR_MECHANISM_PARAM_INVALID);
	mechanism.mechanism = CKM_RSA_PKCS_PSS;
	pss.hashAlg = CKM_MD5;
	ck_assert_uint_eq(kmip_signing_plan(&mechanism, info, 16, &signing),
	                  CKR_MECHANISM_PARAM_INVALID);
	pss.hashAlg = CKM_SHA256;
	pss.mgf = 99;
	ck_assert_uint_eq(kmip_signing_plan(&mechanism, info, 32, &signing),
	                  CKR_MECHANISM_PARAM_INVALID);
	pss.mgf = CKG_MGF1_SHA256;
	pss.sLen = (CK_ULONG)-1;
	ck_assert_uint_eq(kmip_signing_plan(&mechanism, info, 32, &signing),
	                  CKR_MECHANISM_PARAM_INVALID);
	mechanism.ulParameterLen--;
	ck_assert_uint_eq(kmip_signing_plan(&mechanism, info, 32, &signing),
	                  CKR_MECHANISM_PARAM_INVALID);
	mechanism.pParameter = NULL;
	ck_assert_uint_eq(kmip_signing_plan(&mechanism, info, 32, &signing),
	                  CKR_MECHANISM_PARAM_INVALID);
}
END_TEST

START_TEST(a_digest_for_ecdsa_tells_its_hash_by_its_length)
{
	static const struct {
		size_t size;
		uint32_t hash, signature;
	} rows[] = {
		{ 20, KMIP_SHA_1, 12 },   { 28, KMIP_SHA_224, 13 }, { 32, KMIP_SHA_256, 14 },
		{ 48, KMIP_SHA_384, 15 }, { 64, KMIP_SHA_512, 16 },
	};
	unsigned char digest[64] = { 0 };

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		ck_assert_uint_eq(plan(CKM_ECDSA, digest, rows[i].size), CKR_OK);
		ck_assert_uint_eq(signing.hash, rows[i].hash);
		ck_assert_uint_eq(signing.signature, rows[i].signature);
		ck_assert_uint_eq(signing.algorithm, KMIP_ECDSA);
		ck_assert_uint_eq(signing.padding, 0);
		ck_assert(signing.digested);
	}
	ck_assert_uint_eq(plan(CKM_ECDSA, digest, 0), CKR_DATA_LEN_RANGE);
	ck_assert_uint_eq(plan(CKM_ECDSA, digest, 33), CKR_DATA_LEN_RANGE);
}
END_TEST

START_TEST(messages_go_whole_and_have_a_limit)
{
	ck_assert_uint_eq(plan(CKM_SHA512_RSA_PKCS, "message", 7), CKR_OK);
	ck_assert(!signing.digested);
	ck_assert_uint_eq(signing.hash, KMIP_SHA_512);
	ck_assert_uint_eq(signing.signature, 7);
	ck_assert_uint_eq(plan(CKM_ECDSA_SHA256, "", 0), CKR_OK);
	ck_assert_uint_eq(signing.signature, 14);
	ck_assert_uint_eq(plan(CKM_SHA256_RSA_PKCS, "", KMS_MESSAGE_MAX), CKR_OK);
	ck_assert_uint_eq(plan(CKM_SHA256_RSA_PKCS, "", KMS_MESSAGE_MAX + 1), CKR_DATA_LEN_RANGE);
	ck_assert_uint_eq(plan(CKM_RSA_X_509, "", 0), CKR_MECHANISM_INVALID);
	ck_assert_uint_eq(plan(CKM_MD5_RSA_PKCS, "", 0), CKR_MECHANISM_INVALID);
}
END_TEST

START_TEST(ecdsa_signatures_come_in_two_forms)
{
	/* SEQUENCE { INTEGER 1, INTEGER 0x80 } */
	static const unsigned char der[] = { 0x30, 0x07, 0x02, 0x01, 0x01, 0x02, 0x02, 0x00, 0x80 };
	static const unsigned char negative[] = { 0x30, 0x06, 0x02, 0x01, 0x81, 0x02, 0x01, 0x01 };
	unsigned char raw[132], long_der[80] = { 0x30, 0x46, 0x02, 0x21, 0x00 }, out[132];
	size_t size = sizeof out;

	memset(raw, 5, sizeof raw);
	for (size_t length = 64; length <= 132; length += length == 64 ? 32 : 36) {
		size = sizeof out;
		ck_assert_uint_eq(kmip_ecdsa_join(raw, length, out, &size), CKR_OK);
		ck_assert_uint_eq(size, length);
		ck_assert_int_eq(memcmp(out, raw, length), 0);
	}
	size = sizeof out;
	ck_assert_uint_eq(kmip_ecdsa_join(der, sizeof der, out, &size), CKR_OK);
	ck_assert_uint_eq(size, 64);
	ck_assert_uint_eq(out[31], 1);
	ck_assert_uint_eq(out[63], 0x80);
	ck_assert_uint_eq(out[0] | out[30] | out[32] | out[62], 0);
	/* 33 bytes with the leading zero: still P-256. */
	memset(long_der + 5, 0xff, 32);
	long_der[37] = 0x02;
	long_der[38] = 0x21;
	memset(long_der + 40, 0xee, 32);
	size = sizeof out;
	ck_assert_uint_eq(kmip_ecdsa_join(long_der, 72, out, &size), CKR_OK);
	ck_assert_uint_eq(size, 64);
	ck_assert_uint_eq(out[0], 0xff);
	ck_assert_uint_eq(out[63], 0xee);

	size = sizeof out;
	ck_assert_uint_eq(kmip_ecdsa_join(der, sizeof der - 1, out, &size), CKR_DEVICE_ERROR);
	ck_assert_uint_eq(kmip_ecdsa_join(long_der, 73, out, &size), CKR_DEVICE_ERROR);
	ck_assert_uint_eq(kmip_ecdsa_join(negative, sizeof negative, out, &size), CKR_DEVICE_ERROR);
	ck_assert_uint_eq(kmip_ecdsa_join((const unsigned char *)"", 0, out, &size),
	                  CKR_DEVICE_ERROR);
	ck_assert_uint_eq(kmip_ecdsa_join(raw, 65, out, &size), CKR_DEVICE_ERROR);
	ck_assert_uint_eq(size, sizeof out);
	/* No room. */
	size = 63;
	ck_assert_uint_eq(kmip_ecdsa_join(raw, 64, out, &size), CKR_DEVICE_ERROR);
	ck_assert_uint_eq(kmip_ecdsa_join(der, sizeof der, out, &size), CKR_DEVICE_ERROR);
}
END_TEST

START_TEST(hashes_have_numbers)
{
	ck_assert_uint_eq(kmip_hash_of(CKM_SHA_1), KMIP_SHA_1);
	ck_assert_uint_eq(kmip_hash_of(CKM_SHA512), KMIP_SHA_512);
	ck_assert_uint_eq(kmip_hash_of(CKM_MD5), 0);
	ck_assert_uint_eq(kmip_hash_of_mgf(CKG_MGF1_SHA224), KMIP_SHA_224);
	ck_assert_uint_eq(kmip_hash_of_mgf(0), 0);
}
END_TEST

Suite *
unit_suite(void)
{
	Suite *suite = suite_create("kmip-signing");
	TCase *tests = tcase_create("kmip-signing");

	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_test(tests, a_digest_info_becomes_its_digest);
	tcase_add_test(tests, other_data_is_not_signed_with_pkcs1);
	tcase_add_test(tests, pss_has_its_salt_and_mask);
	tcase_add_test(tests, a_digest_for_ecdsa_tells_its_hash_by_its_length);
	tcase_add_test(tests, messages_go_whole_and_have_a_limit);
	tcase_add_test(tests, ecdsa_signatures_come_in_two_forms);
	tcase_add_test(tests, hashes_have_numbers);
	suite_add_tcase(suite, tests);
	return suite;
}
