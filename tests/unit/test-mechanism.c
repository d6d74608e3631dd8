/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "base/openssl.h"
#include "mechanism/cipher.h"
#include "mechanism/mac.h"
#include "mechanism/mechanism.h"
#include "mechanism/wrap.h"
#include "pair.h"

#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>

#define VERBS (CKF_ENCRYPT | CKF_DECRYPT | CKF_SIGN | CKF_VERIFY | CKF_DIGEST | \
               CKF_SIGN_RECOVER | CKF_VERIFY_RECOVER | \
	       CKF_GENERATE_KEY_PAIR | CKF_GENERATE | CKF_WRAP | CKF_UNWRAP | CKF_DERIVE | \
	       CKF_MESSAGE_ENCRYPT | CKF_MESSAGE_DECRYPT | CKF_MULTI_MESSAGE)

static struct pair rsa, weak, p256, ed25519;

static void
setup(void)
{
	ck_assert_uint_eq(openssl_start(), CKR_OK);
	pair_make("rsa-2048", &rsa);
	pair_make_rsa(1024, 65537, &weak);
	pair_make("p-256", &p256);
	pair_make("ed25519", &ed25519);
}

static void
teardown(void)
{
	pair_clear(&rsa);
	pair_clear(&weak);
	pair_clear(&p256);
	pair_clear(&ed25519);
	openssl_stop();
}

static bool
offers_all(const void *context, CK_MECHANISM_TYPE primitive)
{
	(void)context;
	ck_assert_uint_ne(primitive, CK_UNAVAILABLE_INFORMATION);
	return true;
}

static bool
offers_none(const void *context, CK_MECHANISM_TYPE primitive)
{
	(void)context;
	(void)primitive;
	return false;
}

static bool
offers_one(const void *context, CK_MECHANISM_TYPE primitive)
{
	return primitive == *(const CK_MECHANISM_TYPE *)context;
}

static size_t
rows_of_table(void)
{
	return 54;
}

static bool
is_public(const struct mechanism *row)
{
	return row->kind == MECHANISM_ASYMMETRIC || row->kind == MECHANISM_GENERATE_PAIR ||
	       row->kind == MECHANISM_DIGEST;
}

START_TEST(table_is_sound)
{
	const struct mechanism *row;
	size_t count = 0;

	for (; (row = mechanism_at(count)) != NULL; count++) {
		ck_assert_ptr_eq(mechanism_find(row->type), row); /* no type twice */
		ck_assert_ptr_nonnull(row->name);
		ck_assert_uint_eq((row->local | row->remote | row->legacy) & ~VERBS, 0);
		ck_assert_uint_ne(row->local | row->remote, 0);
		ck_assert_uint_eq(row->local & row->remote, 0);
		ck_assert_uint_eq(row->legacy & (row->local | row->remote), 0);
		ck_assert_uint_eq(row->legacy != 0,
		                  row->type == CKM_RSA_PKCS || row->type == CKM_RSA_X_509);
		ck_assert_uint_le(row->min_bits, row->max_bits);
		ck_assert_uint_eq((row->remote | row->legacy) != 0,
		                  row->primitives[0] != CK_UNAVAILABLE_INFORMATION);
		ck_assert_uint_eq(row->ec != 0, row->key_type == CKK_EC ||
		                                row->key_type == CKK_EC_EDWARDS ||
		                                row->key_type == CKK_EC_MONTGOMERY);
		ck_assert_uint_eq(row->kind == MECHANISM_DIGEST, (row->local & CKF_DIGEST) != 0);
		ck_assert_uint_eq(row->kind == MECHANISM_GENERATE_PAIR,
		                  (row->remote & CKF_GENERATE_KEY_PAIR) != 0);
		if (!is_public(row)) {
			ck_assert_uint_eq(row->digest, 0);
			continue; /* secret_rows_are_sound */
		}
		ck_assert_uint_eq(row->digest != 0, row->multipart);
		if (row->digest != 0)
			ck_assert_uint_ne(digest_size(row->digest), 0);
		if (row->digest == CKM_SHA_1)
			ck_assert_uint_eq(row->remote, 0);
		ck_assert_uint_eq(row->remote & CKF_DECRYPT,
		                  row->type == CKM_RSA_PKCS_OAEP ? CKF_DECRYPT : 0);
	}
	ck_assert_uint_eq(count, rows_of_table());
	ck_assert_ptr_null(mechanism_at(count + 1));
	ck_assert_ptr_null(mechanism_at((size_t)-1));
	ck_assert_ptr_null(mechanism_find(CKM_MD5_RSA_PKCS));
	ck_assert_ptr_null(mechanism_find(CK_UNAVAILABLE_INFORMATION));
}
END_TEST

/* A row is there for what the functions behind it do, and for nothing else. */
START_TEST(secret_rows_are_sound)
{
	const struct mechanism *row;

	for (size_t i = 0; (row = mechanism_at(i)) != NULL; i++) {
		bool mac = row->kind == MECHANISM_MAC, cipher = row->kind == MECHANISM_CIPHER;
		CK_FLAGS all = row->local | row->remote;

		ck_assert_uint_eq(mac_offers(row->type), mac);
		ck_assert_uint_eq(cipher_offers(row->type), cipher);
		ck_assert_uint_eq(mac || cipher, row->multipart && is_public(row) == 0);
		if (cipher)
			ck_assert_uint_eq(row->local & (CKF_ENCRYPT | CKF_DECRYPT),
			                  CKF_ENCRYPT | CKF_DECRYPT);
		if (mac)
			ck_assert_uint_eq(all, CKF_SIGN | CKF_VERIFY);
		ck_assert_uint_eq((all & CKF_WRAP) != 0, wrap_secret_offers(row->type) ||
		                                         wrap_public_offers(row->type));
		/* What is wrapped here under a secret key is unwrapped here; by RSA, in the KMS. */
		ck_assert_uint_eq((row->local & CKF_UNWRAP) != 0, wrap_secret_offers(row->type));
		ck_assert_uint_eq((row->remote & CKF_UNWRAP) != 0,
		                  wrap_public_offers(row->type) && row->type != CKM_RSA_PKCS);
		ck_assert_uint_eq((all & CKF_GENERATE) != 0, row->kind == MECHANISM_GENERATE);
		ck_assert_uint_eq((all & CKF_DERIVE) != 0, row->kind == MECHANISM_DERIVE);
		if (row->key_type == CKK_AES) {
			ck_assert_uint_eq(row->min_bits, 16);
			ck_assert_uint_eq(row->max_bits, 32);
		}
	}
}
END_TEST

START_TEST(key_types_of_rows)
{
	static const struct {
		CK_MECHANISM_TYPE type, general;
		CK_KEY_TYPE key_type;
	} macs[] = {
		{ CKM_SHA_1_HMAC, CKM_SHA_1_HMAC_GENERAL, CKK_SHA_1_HMAC },
		{ CKM_SHA224_HMAC, CKM_SHA224_HMAC_GENERAL, CKK_SHA224_HMAC },
		{ CKM_SHA256_HMAC, CKM_SHA256_HMAC_GENERAL, CKK_SHA256_HMAC },
		{ CKM_SHA384_HMAC, CKM_SHA384_HMAC_GENERAL, CKK_SHA384_HMAC },
		{ CKM_SHA512_HMAC, CKM_SHA512_HMAC_GENERAL, CKK_SHA512_HMAC },
	};
	struct mechanism row = { .key_type = CKK_GENERIC_SECRET };

	ck_assert(mechanism_takes(mechanism_find(CKM_RSA_PKCS), CKK_RSA));
	ck_assert(!mechanism_takes(mechanism_find(CKM_RSA_PKCS), CKK_EC));
	ck_assert(mechanism_takes(mechanism_find(CKM_ECDH1_DERIVE), CKK_EC_MONTGOMERY));
	ck_assert(!mechanism_takes(mechanism_find(CKM_ECDH1_DERIVE), CKK_EC_EDWARDS));
	ck_assert(!mechanism_takes(mechanism_find(CKM_ECDSA), CKK_EC_MONTGOMERY));
	ck_assert(!mechanism_takes(mechanism_find(CKM_SHA256), CK_UNAVAILABLE_INFORMATION));
	ck_assert(!mechanism_takes(mechanism_find(CKM_RSA_PKCS), CK_UNAVAILABLE_INFORMATION));
	/* Rows as the table has them, also where they are not compiled in. */
	for (size_t i = 0; i < 5; i++)
		for (size_t k = 0; k < 5; k++) {
			row.type = macs[i].type;
			ck_assert_uint_eq(mechanism_takes(&row, macs[k].key_type), i == k);
			ck_assert(mechanism_takes(&row, CKK_GENERIC_SECRET));
			ck_assert(!mechanism_takes(&row, CKK_AES));
			row.type = macs[i].general;
			ck_assert_uint_eq(mechanism_takes(&row, macs[k].key_type), i == k);
		}
}
END_TEST

#define MESSAGES                                                                               \
	(CKF_MESSAGE_ENCRYPT | CKF_MESSAGE_DECRYPT | CKF_MESSAGE_SIGN | CKF_MESSAGE_VERIFY |    \
	 CKF_MULTI_MESSAGE)

/* Whatever signs or verifies takes messages, too; in parts where it takes data in parts. */
static void
check_messages(const struct mechanism *row, CK_FLAGS flags)
{
	ck_assert((flags & CKF_SIGN) != 0 || (flags & CKF_MESSAGE_SIGN) == 0);
	ck_assert((flags & CKF_SIGN) == 0 || (flags & CKF_MESSAGE_SIGN) != 0);
	ck_assert((flags & CKF_VERIFY) != 0 || (flags & CKF_MESSAGE_VERIFY) == 0);
	ck_assert((flags & CKF_VERIFY) == 0 || (flags & CKF_MESSAGE_VERIFY) != 0);
	if ((flags & CKF_VERIFY) != 0)
		ck_assert((flags & CKF_MULTI_MESSAGE) != 0 || !row->multipart);
	if ((flags & (MESSAGES & ~CKF_MULTI_MESSAGE)) == 0 || !row->multipart)
		ck_assert_uint_eq(flags & CKF_MULTI_MESSAGE, 0);
}

static CK_FLAGS
flags_with(CK_MECHANISM_TYPE type, primitive_offered offered, const void *context)
{
	const struct mechanism *row = mechanism_find(type);
	CK_FLAGS flags;

	ck_assert_ptr_nonnull(row);
	flags = mechanism_flags(row, false, offered, context);
	/* legacy-decrypt adds what the row says, where the KMS decrypts raw. */
	ck_assert_uint_eq(mechanism_flags(row, true, offered, context) & ~MESSAGES,
	                  (flags | (offered(context, CKM_RSA_X_509) ? row->legacy : 0)) & ~MESSAGES);
	check_messages(row, flags);
	return flags & ~MESSAGES;
}

START_TEST(flags_follow_the_kms)
{
	static const struct {
		CK_MECHANISM_TYPE type;
		CK_FLAGS without, with;
	} rows[] = {
		{ CKM_RSA_PKCS_KEY_PAIR_GEN, 0, CKF_GENERATE_KEY_PAIR },
		{ CKM_EC_KEY_PAIR_GEN, 0, CKF_GENERATE_KEY_PAIR },
		{ CKM_EC_EDWARDS_KEY_PAIR_GEN, 0, CKF_GENERATE_KEY_PAIR },
		{ CKM_EC_MONTGOMERY_KEY_PAIR_GEN, 0, CKF_GENERATE_KEY_PAIR },
		{ CKM_RSA_PKCS, CKF_ENCRYPT | CKF_VERIFY | CKF_VERIFY_RECOVER,
		  CKF_ENCRYPT | CKF_VERIFY | CKF_VERIFY_RECOVER | CKF_SIGN | CKF_SIGN_RECOVER },
		{ CKM_RSA_X_509, CKF_ENCRYPT | CKF_VERIFY | CKF_VERIFY_RECOVER,
		  CKF_ENCRYPT | CKF_VERIFY | CKF_VERIFY_RECOVER },
		{ CKM_RSA_PKCS_OAEP, CKF_ENCRYPT, CKF_ENCRYPT | CKF_DECRYPT },
		{ CKM_RSA_PKCS_PSS, CKF_VERIFY, CKF_VERIFY | CKF_SIGN },
		{ CKM_SHA1_RSA_PKCS, CKF_VERIFY, CKF_VERIFY },
		{ CKM_SHA256_RSA_PKCS, CKF_VERIFY, CKF_VERIFY | CKF_SIGN },
		{ CKM_SHA1_RSA_PKCS_PSS, CKF_VERIFY, CKF_VERIFY },
		{ CKM_SHA512_RSA_PKCS_PSS, CKF_VERIFY, CKF_VERIFY | CKF_SIGN },
		{ CKM_ECDSA, CKF_VERIFY, CKF_VERIFY | CKF_SIGN },
		{ CKM_ECDSA_SHA1, CKF_VERIFY, CKF_VERIFY },
		{ CKM_ECDSA_SHA384, CKF_VERIFY, CKF_VERIFY | CKF_SIGN },
		{ CKM_EDDSA, CKF_VERIFY, CKF_VERIFY | CKF_SIGN },
		{ CKM_SHA256, CKF_DIGEST, CKF_DIGEST },
		{ CKM_SHA_1, CKF_DIGEST, CKF_DIGEST },
	};
	const CK_FLAGS wraps = CKF_WRAP | CKF_UNWRAP; /* secret_rows_are_sound */
	CK_MECHANISM_TYPE one;

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		ck_assert_uint_eq(flags_with(rows[i].type, offers_none, NULL) & ~wraps,
		                  rows[i].without);
		ck_assert_uint_eq(flags_with(rows[i].type, offers_all, NULL) & ~wraps, rows[i].with);
	}
	/* Raw signing is raw decryption by another name: with legacy-decrypt only. */
	ck_assert_uint_eq(mechanism_flags(mechanism_find(CKM_RSA_X_509), true, offers_all, NULL) &
	                          ~MESSAGES,
	                  CKF_ENCRYPT | CKF_VERIFY | CKF_VERIFY_RECOVER | CKF_SIGN |
	                          CKF_SIGN_RECOVER | CKF_DECRYPT);
	ck_assert_uint_eq(mechanism_flags(mechanism_find(CKM_RSA_PKCS), true, offers_all, NULL) &
	                          ~MESSAGES,
	                  CKF_ENCRYPT | CKF_VERIFY | CKF_VERIFY_RECOVER | CKF_WRAP | CKF_SIGN |
	                          CKF_SIGN_RECOVER | CKF_DECRYPT | CKF_UNWRAP);
	/* Either primitive will do for OAEP, and only the own one for the others. */
	one = CKM_RSA_X_509;
	ck_assert_uint_eq(flags_with(CKM_RSA_PKCS_OAEP, offers_one, &one) & ~wraps,
	                  CKF_ENCRYPT | CKF_DECRYPT);
	ck_assert_uint_eq(flags_with(CKM_RSA_PKCS, offers_one, &one) & ~wraps,
	                  CKF_ENCRYPT | CKF_VERIFY | CKF_VERIFY_RECOVER);
	one = CKM_RSA_PKCS_OAEP;
	ck_assert_uint_eq(flags_with(CKM_RSA_PKCS_OAEP, offers_one, &one) & ~wraps,
	                  CKF_ENCRYPT | CKF_DECRYPT);
	one = CKM_RSA_PKCS;
	ck_assert_uint_eq(flags_with(CKM_SHA256_RSA_PKCS, offers_one, &one), CKF_VERIFY | CKF_SIGN);
	ck_assert_uint_eq(flags_with(CKM_SHA256_RSA_PKCS_PSS, offers_one, &one), CKF_VERIFY);
}
END_TEST

static CK_RV
use_of(CK_MECHANISM_TYPE type, void *parameter, CK_ULONG size, CK_FLAGS flag, const struct pair *pair)
{
	CK_MECHANISM mechanism = { type, parameter, size };
	struct mechanism_use use, untouched;
	CK_RV rv;

	memset(&use, 0xa5, sizeof use);
	memset(&untouched, 0xa5, sizeof untouched);
	rv = mechanism_use_init(&mechanism, flag, pair == NULL ? NULL : pair->key, &use);
	if (rv != CKR_OK)
		ck_assert_mem_eq(&use, &untouched, sizeof use);
	else
		mechanism_use_clear(&use);
	return rv;
}

START_TEST(use_of_what_is_not_there)
{
	ck_assert_uint_eq(use_of(CKM_MD5, NULL, 0, CKF_DIGEST, NULL), CKR_MECHANISM_INVALID);
	ck_assert_uint_eq(use_of(CKM_SHA256, NULL, 0, CKF_SIGN, &rsa), CKR_MECHANISM_INVALID);
	ck_assert_uint_eq(use_of(CKM_RSA_PKCS, NULL, 0, CKF_DIGEST, &rsa), CKR_MECHANISM_INVALID);
	ck_assert_uint_eq(use_of(CKM_RSA_PKCS_PSS, NULL, 0, CKF_DECRYPT, &rsa), CKR_MECHANISM_INVALID);
	ck_assert_uint_eq(use_of(CKM_RSA_X_509, NULL, 0, CKF_UNWRAP, &rsa), CKR_MECHANISM_INVALID);
	ck_assert_uint_eq(use_of(CKM_SHA1_RSA_PKCS, NULL, 0, CKF_SIGN, &rsa), CKR_MECHANISM_INVALID);
	ck_assert_uint_eq(use_of(CKM_ECDSA_SHA1, NULL, 0, CKF_SIGN, &p256), CKR_MECHANISM_INVALID);
	ck_assert_uint_eq(use_of(CKM_SHA1_RSA_PKCS, NULL, 0, CKF_VERIFY, &rsa), CKR_OK);
	ck_assert_uint_eq(use_of(CKM_ECDSA_SHA1, NULL, 0, CKF_VERIFY, &p256), CKR_OK);
}
END_TEST

START_TEST(use_of_another_key)
{
	ck_assert_uint_eq(use_of(CKM_RSA_PKCS, NULL, 0, CKF_SIGN, &p256), CKR_KEY_TYPE_INCONSISTENT);
	ck_assert_uint_eq(use_of(CKM_ECDSA, NULL, 0, CKF_SIGN, &rsa), CKR_KEY_TYPE_INCONSISTENT);
	ck_assert_uint_eq(use_of(CKM_ECDSA, NULL, 0, CKF_SIGN, &ed25519), CKR_KEY_TYPE_INCONSISTENT);
	ck_assert_uint_eq(use_of(CKM_EDDSA, NULL, 0, CKF_VERIFY, &p256), CKR_KEY_TYPE_INCONSISTENT);
	ck_assert_uint_eq(use_of(CKM_RSA_PKCS, NULL, 0, CKF_VERIFY, NULL), CKR_KEY_TYPE_INCONSISTENT);
	/* 1024 bits: session pairs are so short if the caller wants it, token pairs never. */
	ck_assert_uint_eq(use_of(CKM_RSA_PKCS, NULL, 0, CKF_VERIFY, &weak), CKR_OK);
	ck_assert_uint_eq(use_of(CKM_RSA_PKCS, NULL, 0, CKF_SIGN, &weak), CKR_OK);
}
END_TEST

START_TEST(use_without_a_parameter)
{
	static const struct {
		CK_MECHANISM_TYPE type;
		CK_FLAGS flag;
		const struct pair *pair;
	} uses[] = {
		{ CKM_RSA_PKCS_KEY_PAIR_GEN, CKF_GENERATE_KEY_PAIR, NULL },
		{ CKM_EC_KEY_PAIR_GEN, CKF_GENERATE_KEY_PAIR, NULL },
		{ CKM_EC_EDWARDS_KEY_PAIR_GEN, CKF_GENERATE_KEY_PAIR, NULL },
		{ CKM_EC_MONTGOMERY_KEY_PAIR_GEN, CKF_GENERATE_KEY_PAIR, NULL },
		{ CKM_RSA_PKCS, CKF_ENCRYPT, &rsa },
		{ CKM_RSA_X_509, CKF_SIGN, &rsa },
		{ CKM_SHA256_RSA_PKCS, CKF_SIGN, &rsa },
		{ CKM_ECDSA, CKF_SIGN, &p256 },
		{ CKM_ECDSA_SHA512, CKF_VERIFY, &p256 },
		{ CKM_EDDSA, CKF_SIGN, &ed25519 },
		{ CKM_SHA256, CKF_DIGEST, NULL },
	};
	CK_RV rv;

	for (size_t i = 0; i < sizeof uses / sizeof *uses; i++) {
		rv = use_of(uses[i].type, NULL, 0, uses[i].flag, uses[i].pair);
		ck_assert_uint_eq(rv, CKR_OK);
		/* A pointer without a length says nothing, and is not followed. */
		rv = use_of(uses[i].type, (void *)1, 0, uses[i].flag, uses[i].pair);
		ck_assert_uint_eq(rv, CKR_OK);
		rv = use_of(uses[i].type, (void *)(uintptr_t)"x", 1, uses[i].flag, uses[i].pair);
		ck_assert_uint_eq(rv, CKR_MECHANISM_PARAM_INVALID);
		rv = use_of(uses[i].type, NULL, 8, uses[i].flag, uses[i].pair);
		ck_assert_uint_eq(rv, CKR_MECHANISM_PARAM_INVALID);
	}
}
END_TEST

static CK_RV
oaep_use(CK_RSA_PKCS_OAEP_PARAMS oaep, const struct pair *pair)
{
	return use_of(CKM_RSA_PKCS_OAEP, &oaep, sizeof oaep, CKF_ENCRYPT, pair);
}

START_TEST(parameter_of_oaep)
{
	static unsigned char label[65537];
	CK_RSA_PKCS_OAEP_PARAMS good = { CKM_SHA256, CKG_MGF1_SHA256, CKZ_DATA_SPECIFIED, label, 5 };
	CK_RSA_PKCS_OAEP_PARAMS oaep = good;

	ck_assert_uint_eq(oaep_use(good, &rsa), CKR_OK);
	ck_assert_uint_eq(use_of(CKM_RSA_PKCS_OAEP, NULL, 0, CKF_ENCRYPT, &rsa),
	                  CKR_MECHANISM_PARAM_INVALID);
	ck_assert_uint_eq(use_of(CKM_RSA_PKCS_OAEP, NULL, sizeof oaep, CKF_ENCRYPT, &rsa),
	                  CKR_MECHANISM_PARAM_INVALID);
	for (CK_ULONG size = 0; size < 2 * sizeof oaep; size++)
		ck_assert_uint_eq(use_of(CKM_RSA_PKCS_OAEP, &oaep, size, CKF_DECRYPT, &rsa),
		                  size == sizeof oaep ? CKR_OK : CKR_MECHANISM_PARAM_INVALID);
	oaep.hashAlg = CKM_MD5;
	ck_assert_uint_eq(oaep_use(oaep, &rsa), CKR_MECHANISM_PARAM_INVALID);
	oaep.hashAlg = CKM_SHA256_RSA_PKCS;
	ck_assert_uint_eq(oaep_use(oaep, &rsa), CKR_MECHANISM_PARAM_INVALID);
	oaep = good;
	oaep.mgf = 0;
	ck_assert_uint_eq(oaep_use(oaep, &rsa), CKR_MECHANISM_PARAM_INVALID);
	oaep.mgf = 6;
	ck_assert_uint_eq(oaep_use(oaep, &rsa), CKR_MECHANISM_PARAM_INVALID);
	oaep.mgf = CKG_MGF1_SHA1; /* another than the hash */
	ck_assert_uint_eq(oaep_use(oaep, &rsa), CKR_OK);
	oaep = good;
	oaep.source = 0;
	ck_assert_uint_eq(oaep_use(oaep, &rsa), CKR_MECHANISM_PARAM_INVALID);
	oaep.ulSourceDataLen = 0;
	ck_assert_uint_eq(oaep_use(oaep, &rsa), CKR_OK);
	oaep.source = 2;
	ck_assert_uint_eq(oaep_use(oaep, &rsa), CKR_MECHANISM_PARAM_INVALID);
	oaep = good;
	oaep.pSourceData = NULL;
	ck_assert_uint_eq(oaep_use(oaep, &rsa), CKR_MECHANISM_PARAM_INVALID);
	oaep.ulSourceDataLen = 0;
	ck_assert_uint_eq(oaep_use(oaep, &rsa), CKR_OK);
	oaep = good;
	oaep.ulSourceDataLen = 65536;
	ck_assert_uint_eq(oaep_use(oaep, &rsa), CKR_OK);
	oaep.ulSourceDataLen = 65537;
	ck_assert_uint_eq(oaep_use(oaep, &rsa), CKR_MECHANISM_PARAM_INVALID);
	/* 128 bytes hold no two SHA-512 and two bytes more. */
	oaep = good;
	oaep.hashAlg = CKM_SHA512;
	ck_assert_uint_eq(oaep_use(oaep, &weak), CKR_KEY_SIZE_RANGE);
	oaep.hashAlg = CKM_SHA384;
	ck_assert_uint_eq(oaep_use(oaep, &weak), CKR_OK);
}
END_TEST

static CK_RV
pss_use(CK_MECHANISM_TYPE type, CK_RSA_PKCS_PSS_PARAMS pss, CK_FLAGS flag, const struct pair *pair)
{
	return use_of(type, &pss, sizeof pss, flag, pair);
}

START_TEST(parameter_of_pss)
{
	CK_RSA_PKCS_PSS_PARAMS good = { CKM_SHA256, CKG_MGF1_SHA256, 32 };
	CK_RSA_PKCS_PSS_PARAMS sha1 = { CKM_SHA_1, CKG_MGF1_SHA1, 20 };
	CK_RSA_PKCS_PSS_PARAMS pss = good;
	const CK_MECHANISM_TYPE raw = CKM_RSA_PKCS_PSS, hashed = CKM_SHA256_RSA_PKCS_PSS;
	struct pair pair;

	ck_assert_uint_eq(pss_use(raw, good, CKF_SIGN, &rsa), CKR_OK);
	ck_assert_uint_eq(pss_use(hashed, good, CKF_SIGN, &rsa), CKR_OK);
	for (CK_ULONG size = 0; size < 2 * sizeof pss; size++)
		ck_assert_uint_eq(use_of(hashed, &pss, size, CKF_VERIFY, &rsa),
		                  size == sizeof pss ? CKR_OK : CKR_MECHANISM_PARAM_INVALID);
	ck_assert_uint_eq(use_of(raw, NULL, sizeof pss, CKF_SIGN, &rsa), CKR_MECHANISM_PARAM_INVALID);
	/* The hash of the mechanism and of its parameter: one. */
	pss.hashAlg = CKM_SHA384;
	ck_assert_uint_eq(pss_use(hashed, pss, CKF_SIGN, &rsa), CKR_MECHANISM_PARAM_INVALID);
	ck_assert_uint_eq(pss_use(raw, pss, CKF_SIGN, &rsa), CKR_OK);
	pss.hashAlg = CKM_MD5;
	ck_assert_uint_eq(pss_use(raw, pss, CKF_SIGN, &rsa), CKR_MECHANISM_PARAM_INVALID);
	pss = good;
	pss.mgf = 77;
	ck_assert_uint_eq(pss_use(raw, pss, CKF_SIGN, &rsa), CKR_MECHANISM_PARAM_INVALID);
	pss.mgf = CKG_MGF1_SHA1;
	ck_assert_uint_eq(pss_use(raw, pss, CKF_SIGN, &rsa), CKR_OK);
	/* SHA-1 verifies only. */
	ck_assert_uint_eq(pss_use(raw, sha1, CKF_SIGN, &rsa), CKR_MECHANISM_PARAM_INVALID);
	ck_assert_uint_eq(pss_use(raw, sha1, CKF_VERIFY, &rsa), CKR_OK);
	ck_assert_uint_eq(pss_use(CKM_SHA1_RSA_PKCS_PSS, sha1, CKF_VERIFY, &rsa), CKR_OK);
	ck_assert_uint_eq(pss_use(CKM_SHA1_RSA_PKCS_PSS, sha1, CKF_SIGN, &rsa), CKR_MECHANISM_INVALID);
	/* The salt fits: 256 - 2 - 32. */
	pss = good;
	pss.sLen = 222;
	ck_assert_uint_eq(pss_use(raw, pss, CKF_SIGN, &rsa), CKR_OK);
	pss.sLen = 223;
	ck_assert_uint_eq(pss_use(raw, pss, CKF_SIGN, &rsa), CKR_MECHANISM_PARAM_INVALID);
	pss.sLen = (CK_ULONG)-1;
	ck_assert_uint_eq(pss_use(raw, pss, CKF_SIGN, &rsa), CKR_MECHANISM_PARAM_INVALID);
	pss.sLen = 0;
	ck_assert_uint_eq(pss_use(raw, pss, CKF_SIGN, &rsa), CKR_OK);
	/* 2049 bits are 257 bytes, but the encoded message has 256. */
	pair_make_rsa_odd(2049, &pair);
	pss.sLen = 222;
	ck_assert_uint_eq(pss_use(raw, pss, CKF_SIGN, &pair), CKR_OK);
	pss.sLen = 223;
	ck_assert_uint_eq(pss_use(raw, pss, CKF_SIGN, &pair), CKR_MECHANISM_PARAM_INVALID);
	pair_clear(&pair);
}
END_TEST

START_TEST(parameter_of_eddsa)
{
	struct {
		CK_BBOOL phFlag;
		CK_ULONG ulContextDataLen;
		CK_BYTE_PTR pContextData;
	} eddsa = { 0, 0, NULL };

	ck_assert_uint_eq(use_of(CKM_EDDSA, &eddsa, sizeof eddsa, CKF_SIGN, &ed25519), CKR_OK);
	ck_assert_uint_eq(use_of(CKM_EDDSA, &eddsa, sizeof eddsa - 1, CKF_SIGN, &ed25519),
	                  CKR_MECHANISM_PARAM_INVALID);
	eddsa.phFlag = 1;
	ck_assert_uint_eq(use_of(CKM_EDDSA, &eddsa, sizeof eddsa, CKF_SIGN, &ed25519),
	                  CKR_MECHANISM_PARAM_INVALID);
	eddsa.phFlag = 0;
	eddsa.ulContextDataLen = 1;
	eddsa.pContextData = (CK_BYTE_PTR)(uintptr_t)"c";
	ck_assert_uint_eq(use_of(CKM_EDDSA, &eddsa, sizeof eddsa, CKF_VERIFY, &ed25519),
	                  CKR_MECHANISM_PARAM_INVALID);
}
END_TEST

/* Copied, and read from any address. */
START_TEST(parameter_is_copied)
{
	unsigned char room[sizeof(CK_RSA_PKCS_OAEP_PARAMS) + 1], label[] = "label";
	CK_RSA_PKCS_OAEP_PARAMS oaep = { CKM_SHA256, CKG_MGF1_SHA384, CKZ_DATA_SPECIFIED, label, 5 };
	CK_MECHANISM mechanism = { CKM_RSA_PKCS_OAEP, room + 1, sizeof oaep };
	struct mechanism_use use;

	memcpy(room + 1, &oaep, sizeof oaep);
	ck_assert_uint_eq(mechanism_use_init(&mechanism, CKF_ENCRYPT, rsa.key, &use), CKR_OK);
	memset(room, 0xff, sizeof room);
	memset(label, 0, sizeof label);
	ck_assert_uint_eq(use.mechanism->type, CKM_RSA_PKCS_OAEP);
	ck_assert_uint_eq(use.digest, CKM_SHA256);
	ck_assert_uint_eq(use.mgf, CKG_MGF1_SHA384);
	ck_assert(buffer_equal(&use.label, "label", 5));
	mechanism_use_clear(&use);
	ck_assert_ptr_null(use.mechanism);
	ck_assert_ptr_null(use.label.data);
}
END_TEST

START_TEST(sizes)
{
	CK_RSA_PKCS_OAEP_PARAMS oaep = { CKM_SHA256, CKG_MGF1_SHA256, CKZ_DATA_SPECIFIED, NULL, 0 };
	CK_MECHANISM mechanism = { CKM_RSA_PKCS_OAEP, &oaep, sizeof oaep };
	struct mechanism_use use;

	ck_assert_uint_eq(mechanism_use_init(&mechanism, CKF_ENCRYPT, rsa.key, &use), CKR_OK);
	ck_assert_uint_eq(mechanism_output_size(&use, rsa.key), 256);
	ck_assert_uint_eq(mechanism_input_max(&use, rsa.key), 190);
	mechanism = (CK_MECHANISM){ CKM_RSA_PKCS, NULL, 0 };
	ck_assert_uint_eq(mechanism_use_init(&mechanism, CKF_ENCRYPT, rsa.key, &use), CKR_OK);
	ck_assert_uint_eq(mechanism_input_max(&use, rsa.key), 245);
	mechanism.mechanism = CKM_RSA_X_509;
	ck_assert_uint_eq(mechanism_use_init(&mechanism, CKF_ENCRYPT, rsa.key, &use), CKR_OK);
	ck_assert_uint_eq(mechanism_input_max(&use, rsa.key), 256);
	mechanism.mechanism = CKM_ECDSA_SHA384;
	ck_assert_uint_eq(mechanism_use_init(&mechanism, CKF_VERIFY, p256.key, &use), CKR_OK);
	ck_assert_uint_eq(mechanism_output_size(&use, p256.key), 64);
	ck_assert_uint_eq(mechanism_input_max(&use, p256.key), 0);
	mechanism.mechanism = CKM_SHA384;
	ck_assert_uint_eq(mechanism_use_init(&mechanism, CKF_DIGEST, NULL, &use), CKR_OK);
	ck_assert_uint_eq(mechanism_output_size(&use, NULL), 48);
}
END_TEST

/* A KMS that hashes itself gets the message; one that takes a digest gets that, if it can do both as well. */
START_TEST(messages_are_hashed_here_or_there)
{
	static const struct {
		CK_MECHANISM_TYPE whole, by_digest;
		bool pss;
	} rows[] = {
		{ CKM_SHA256_RSA_PKCS, CKM_RSA_PKCS, false },
		{ CKM_SHA512_RSA_PKCS, CKM_RSA_PKCS, false },
		{ CKM_SHA256_RSA_PKCS_PSS, CKM_RSA_PKCS_PSS, true },
		{ CKM_ECDSA_SHA384, CKM_ECDSA, false },
	};
	CK_RSA_PKCS_PSS_PARAMS pss = { CKM_SHA256, CKG_MGF1_SHA256, 20 };
	struct buffer block = BUFFER_INIT;
	struct mechanism_plan plan;
	struct mechanism_use use;

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		const struct mechanism *row = mechanism_find(rows[i].whole);
		CK_MECHANISM mechanism = { rows[i].whole, NULL, 0 };
		struct public_key *key = row->key_type == CKK_RSA ? rsa.key : p256.key;
		CK_MECHANISM_TYPE by_digest = rows[i].by_digest, whole = rows[i].whole;

		if (rows[i].pss) {
			mechanism.pParameter = &pss;
			mechanism.ulParameterLen = sizeof pss;
		}
		ck_assert_uint_eq(mechanism_use_init(&mechanism, CKF_SIGN, key, &use), CKR_OK);
		ck_assert(!mechanism_kms_hashes(row, offers_all, NULL));
		ck_assert(!mechanism_kms_hashes(row, offers_none, NULL));
		ck_assert(!mechanism_kms_hashes(row, offers_one, &by_digest));
		ck_assert(mechanism_kms_hashes(row, offers_one, &whole));

		ck_assert_uint_eq(mechanism_plan_message(&use, key, offers_one, &by_digest, "abc", 3,
		                                         &plan, &block), CKR_OK);
		ck_assert_uint_eq(plan.primitive.mechanism, by_digest);
		ck_assert_uint_gt(block.size, 3);
		buffer_clear(&block);
		ck_assert_uint_eq(mechanism_plan_message(&use, key, offers_one, &whole, "abc", 3, &plan,
		                                         &block), CKR_OK);
		ck_assert_uint_eq(plan.primitive.mechanism, whole);
		ck_assert(buffer_equal(&block, "abc", 3));
		ck_assert_uint_eq(plan.primitive.ulParameterLen, rows[i].pss ? sizeof pss : 0);
		if (rows[i].pss)
			ck_assert_int_eq(memcmp(plan.primitive.pParameter, &pss, sizeof pss), 0);
		buffer_clear(&block);
		mechanism_use_clear(&use);
	}
	ck_assert(!mechanism_kms_hashes(mechanism_find(CKM_RSA_PKCS), offers_all, NULL));
	ck_assert(!mechanism_kms_hashes(mechanism_find(CKM_SHA1_RSA_PKCS), offers_all, NULL));
	ck_assert(!mechanism_kms_hashes(mechanism_find(CKM_SHA256), offers_all, NULL));
}
END_TEST

START_TEST(messages_without_a_hash_go_as_they_are)
{
	CK_MECHANISM mechanism = { CKM_EDDSA, NULL, 0 };
	struct buffer block = BUFFER_INIT;
	struct mechanism_plan plan;
	struct mechanism_use use;

	ck_assert_uint_eq(mechanism_use_init(&mechanism, CKF_SIGN, ed25519.key, &use), CKR_OK);
	ck_assert_uint_eq(mechanism_plan_message(&use, ed25519.key, offers_all, NULL, "abc", 3, &plan,
	                                         &block), CKR_OK);
	ck_assert_uint_eq(plan.primitive.mechanism, CKM_EDDSA);
	ck_assert(buffer_equal(&block, "abc", 3));
	buffer_clear(&block);
	mechanism.mechanism = CKM_SHA1_RSA_PKCS;
	ck_assert_uint_eq(mechanism_use_init(&mechanism, CKF_VERIFY, rsa.key, &use), CKR_OK);
	ck_assert_uint_eq(mechanism_plan_message(&use, rsa.key, offers_all, NULL, "abc", 3, &plan,
	                                         &block), CKR_MECHANISM_INVALID);
}
END_TEST

static bool
offers_oaep_with_sha1(const void *context, CK_MECHANISM_TYPE primitive)
{
	const bool *raw = context;

	return primitive == CKM_RSA_PKCS_OAEP || primitive == CKM_P11_KMS_OAEP_SHA1_ONLY ||
	       (*raw && primitive == CKM_RSA_X_509);
}

/* A KMS that does OAEP with SHA-1 only can't undo what was encrypted otherwise, unless it opens raw blocks. */
START_TEST(oaep_that_the_kms_can_not_undo)
{
	CK_RSA_PKCS_OAEP_PARAMS sha1 = { CKM_SHA_1, CKG_MGF1_SHA1, CKZ_DATA_SPECIFIED, NULL, 0 };
	CK_RSA_PKCS_OAEP_PARAMS sha256 = { CKM_SHA256, CKG_MGF1_SHA256, CKZ_DATA_SPECIFIED, NULL, 0 };
	CK_MECHANISM mechanism = { CKM_RSA_PKCS_OAEP, &sha1, sizeof sha1 };
	const bool raw = true, none = false;
	struct mechanism_plan plan;
	struct mechanism_use use;

	ck_assert_uint_eq(mechanism_use_init(&mechanism, CKF_DECRYPT, rsa.key, &use), CKR_OK);
	ck_assert_uint_eq(mechanism_plan_decrypt(&use, rsa.key, offers_oaep_with_sha1, &none, &plan),
	                  CKR_OK);
	ck_assert_uint_eq(plan.primitive.mechanism, CKM_RSA_PKCS_OAEP);
	ck_assert(!mechanism_loses(&use, offers_oaep_with_sha1, &none));

	mechanism.pParameter = &sha256;
	ck_assert_uint_eq(mechanism_use_init(&mechanism, CKF_DECRYPT, rsa.key, &use), CKR_OK);
	ck_assert_uint_eq(mechanism_plan_decrypt(&use, rsa.key, offers_oaep_with_sha1, &none, &plan),
	                  CKR_MECHANISM_PARAM_INVALID);
	ck_assert(mechanism_loses(&use, offers_oaep_with_sha1, &none));
	ck_assert_uint_eq(mechanism_plan_decrypt(&use, rsa.key, offers_oaep_with_sha1, &raw, &plan),
	                  CKR_OK);
	ck_assert_uint_eq(plan.primitive.mechanism, CKM_RSA_X_509);
	ck_assert(!mechanism_loses(&use, offers_oaep_with_sha1, &raw));
	ck_assert(!mechanism_loses(&use, offers_none, NULL));
}
END_TEST

/* An operation that the row does not have is refused, whatever the caller forgot to check. */
START_TEST(operations_know_their_rows)
{
	CK_MECHANISM mechanism = { CKM_ECDSA_SHA1, NULL, 0 };
	struct buffer block = BUFFER_INIT;
	unsigned char data[256] = { 0 };
	struct mechanism_plan plan;
	struct mechanism_use use;
	struct secret *secret = NULL, *plaintext = NULL;

	ck_assert_uint_eq(mechanism_use_init(&mechanism, CKF_VERIFY, p256.key, &use), CKR_OK);
	ck_assert_uint_eq(mechanism_encrypt(&use, p256.key, data, 1, data), CKR_MECHANISM_INVALID);
	ck_assert_uint_eq(mechanism_plan_sign(&use, p256.key, data, 20, &plan, &block),
	                  CKR_MECHANISM_INVALID);
	ck_assert_uint_eq(mechanism_plan_decrypt(&use, p256.key, offers_all, NULL, &plan),
	                  CKR_MECHANISM_INVALID);
	mechanism.mechanism = CKM_RSA_PKCS;
	ck_assert_uint_eq(mechanism_use_init(&mechanism, CKF_ENCRYPT, rsa.key, &use), CKR_OK);
	ck_assert_uint_eq(mechanism_plan_decrypt(&use, rsa.key, offers_none, NULL, &plan),
	                  CKR_MECHANISM_INVALID);
	ck_assert_uint_eq(secret_new(256, &secret), CKR_OK);
	ck_assert_uint_eq(mechanism_unpad(&use, rsa.key, secret, &plaintext), CKR_MECHANISM_INVALID);
	ck_assert_ptr_null(plaintext);
	secret_free(&secret);
	mechanism.mechanism = CKM_SHA256;
	ck_assert_uint_eq(mechanism_use_init(&mechanism, CKF_DIGEST, NULL, &use), CKR_OK);
	ck_assert_uint_eq(mechanism_verify(&use, rsa.key, data, 32, data, 256), CKR_MECHANISM_INVALID);
}
END_TEST

/* Any parameter: one of the codes that the header promises, and nothing read beyond it. */
START_TEST(parameters_at_random)
{
	static const CK_ULONG words[] = { 0, 1, 2, 5, 20, 32, 222, 223, CKM_SHA_1, CKM_SHA256,
		                          CKM_SHA512, (CK_ULONG)-1 };
	static const CK_FLAGS flags[] = { CKF_ENCRYPT, CKF_DECRYPT, CKF_SIGN, CKF_VERIFY, CKF_DIGEST };
	const struct pair *keys[] = { &rsa, &weak, &p256, &ed25519 };
	const struct mechanism *row;
	unsigned char random[16];
	CK_ULONG *parameter;
	size_t size;
	CK_RV rv;

	for (int round = 0; round < 20000; round++) {
		ck_assert_int_eq(RAND_bytes(random, sizeof random), 1);
		row = mechanism_at(random[0] % rows_of_table());
		size = (size_t)random[1] % 7 * 8;
		/* Exactly as large as it says, so that valgrind and ASan see every step beyond. */
		parameter = malloc(size == 0 ? 1 : size);
		for (size_t i = 0; i < size / 8; i++)
			parameter[i] = words[random[2 + i] % (sizeof words / sizeof *words)];
		if (row->padding == PADDING_RSA_OAEP && size == sizeof(CK_RSA_PKCS_OAEP_PARAMS))
			parameter[3] = 0; /* a pointer that is given must be good */
		rv = use_of(row->type, parameter, size, flags[random[9] % 5], keys[random[10] % 4]);
		ck_assert_msg(rv == CKR_OK || rv == CKR_MECHANISM_INVALID ||
		              rv == CKR_MECHANISM_PARAM_INVALID || rv == CKR_KEY_TYPE_INCONSISTENT ||
		              rv == CKR_KEY_SIZE_RANGE, "%s: %lx", row->name, rv);
		free(parameter);
	}
}
END_TEST

Suite *
unit_suite(void)
{
	Suite *suite = suite_create("mechanism");
	TCase *tests = tcase_create("mechanism");

	tcase_set_timeout(tests, 60);
	tcase_add_unchecked_fixture(tests, setup, teardown);
	tcase_add_test(tests, table_is_sound);
	tcase_add_test(tests, secret_rows_are_sound);
	tcase_add_test(tests, key_types_of_rows);
	tcase_add_test(tests, flags_follow_the_kms);
	tcase_add_test(tests, use_of_what_is_not_there);
	tcase_add_test(tests, use_of_another_key);
	tcase_add_test(tests, use_without_a_parameter);
	tcase_add_test(tests, parameter_of_oaep);
	tcase_add_test(tests, parameter_of_pss);
	tcase_add_test(tests, parameter_of_eddsa);
	tcase_add_test(tests, parameter_is_copied);
	tcase_add_test(tests, sizes);
	tcase_add_test(tests, messages_are_hashed_here_or_there);
	tcase_add_test(tests, messages_without_a_hash_go_as_they_are);
	tcase_add_test(tests, oaep_that_the_kms_can_not_undo);
	tcase_add_test(tests, operations_know_their_rows);
	tcase_add_test(tests, parameters_at_random);
	suite_add_tcase(suite, tests);
	return suite;
}
