/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Signatures and ciphertexts that are nearly right: each is taken or refused as OpenSSL takes
 * or refuses it. The private keys of the signatures are OpenSSL's, so that it can be told to
 * sign what nobody should; their public halves are session objects made of the
 * SubjectPublicKeyInfo.
 */
#include "blackbox.h"
#include "pair.h"

#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#define RSA_SIZE 256
#define HASH_SIZE 32
#define SALT_SIZE 32

static CK_BBOOL yes = CK_TRUE, no = CK_FALSE;
static unsigned char hash[HASH_SIZE] = "the hash of what was never there";
static CK_SESSION_HANDLE session;

#define IS(type, variable) ATTRIBUTE(type, &(variable), sizeof(variable))

static bool
has_session_keys(void)
{
	return mechanism_offers(CKM_AES_KEY_GEN, CKF_GENERATE) && pair_offered(PAIR_RSA);
}

/* The public half of OpenSSL's key, as an object of the session. */
static CK_OBJECT_HANDLE
public_object(EVP_PKEY *key, CK_KEY_TYPE type)
{
	unsigned char *spki = NULL;
	int size = i2d_PUBKEY(key, &spki);
	CK_OBJECT_CLASS class = CKO_PUBLIC_KEY;
	CK_ATTRIBUTE template[] = { IS(CKA_CLASS, class), IS(CKA_KEY_TYPE, type), IS(CKA_TOKEN, no),
		                    IS(CKA_VERIFY, yes),
		                    ATTRIBUTE(CKA_PUBLIC_KEY_INFO, spki, (CK_ULONG)size) };
	CK_OBJECT_HANDLE object;

	ck_assert_int_gt(size, 0);
	expect(CKR_OK, p11->C_CreateObject(session, template, COUNT(template), &object));
	OPENSSL_free(spki);
	return object;
}

/* A failure is one of the two that the standard has for signatures. */
static void
decided_alike(const char *what, size_t number, bool taken, CK_RV rv)
{
	bool known = rv == CKR_OK || rv == CKR_SIGNATURE_INVALID || rv == CKR_SIGNATURE_LEN_RANGE;

	ck_assert_msg(known && taken == (rv == CKR_OK), "%s %zu: 0x%lx, and OpenSSL %s it", what,
	              number, rv, taken ? "takes" : "refuses");
}

/* RSA. */

static CK_RSA_PKCS_PSS_PARAMS pss = { CKM_SHA256, CKG_MGF1_SHA256, SALT_SIZE };

static struct {
	EVP_PKEY *key;
	CK_OBJECT_HANDLE object;
	CK_MECHANISM mechanism;
	int padding;
} rsa;

/* The number that raw RSA makes of a number, either way. */
static void
raw_rsa(EVP_PKEY *key, bool private, const unsigned char *in, unsigned char *out)
{
	EVP_PKEY_CTX *context = EVP_PKEY_CTX_new(key, NULL);
	size_t size = RSA_SIZE;

	ck_assert_int_eq(private ? EVP_PKEY_decrypt_init(context) : EVP_PKEY_encrypt_init(context), 1);
	ck_assert_int_eq(EVP_PKEY_CTX_set_rsa_padding(context, RSA_NO_PADDING), 1);
	ck_assert_int_eq(private ? EVP_PKEY_decrypt(context, out, &size, in, RSA_SIZE)
	                         : EVP_PKEY_encrypt(context, out, &size, in, RSA_SIZE), 1);
	ck_assert_uint_eq(size, RSA_SIZE);
	EVP_PKEY_CTX_free(context);
}

static EVP_PKEY_CTX *
rsa_context(bool signs, int salt_size)
{
	EVP_PKEY_CTX *context = EVP_PKEY_CTX_new(rsa.key, NULL);

	ck_assert_int_eq(signs ? EVP_PKEY_sign_init(context) : EVP_PKEY_verify_init(context), 1);
	ck_assert_int_eq(EVP_PKEY_CTX_set_rsa_padding(context, rsa.padding), 1);
	ck_assert_int_eq(EVP_PKEY_CTX_set_signature_md(context, EVP_sha256()), 1);
	if (rsa.padding == RSA_PKCS1_PSS_PADDING)
		ck_assert_int_eq(EVP_PKEY_CTX_set_rsa_pss_saltlen(context, salt_size), 1);
	return context;
}

static void
rsa_try(const char *what, size_t number, const unsigned char *signature, size_t size)
{
	EVP_PKEY_CTX *context = rsa_context(false, SALT_SIZE);
	bool taken = EVP_PKEY_verify(context, signature, size, hash, sizeof(hash)) == 1;
	/* CKM_RSA_PKCS takes the DigestInfo, which the other makes itself. */
	static const unsigned char info[] = { 0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01,
		                              0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x20 };
	unsigned char data[sizeof(info) + sizeof(hash)];
	CK_ULONG skipped = rsa.padding == RSA_PKCS1_PSS_PADDING ? sizeof(info) : 0;

	memcpy(data, info, sizeof(info));
	memcpy(data + sizeof(info), hash, sizeof(hash));
	expect(CKR_OK, p11->C_VerifyInit(session, &rsa.mechanism, rsa.object));
	decided_alike(what, number, taken,
	              p11->C_Verify(session, data + skipped, sizeof(data) - skipped,
	                            (CK_BYTE_PTR)signature, size));
	EVP_PKEY_CTX_free(context);
}

static void
rsa_begin(int padding, unsigned char *ret_signature, unsigned char *ret_block)
{
	EVP_PKEY_CTX *context;
	size_t size = RSA_SIZE;

	session = session_public(0);
	rsa.padding = padding;
	rsa.key = EVP_RSA_gen(RSA_SIZE * 8);
	rsa.object = public_object(rsa.key, CKK_RSA);
	rsa.mechanism = padding == RSA_PKCS1_PSS_PADDING
	                        ? (CK_MECHANISM){ CKM_RSA_PKCS_PSS, &pss, sizeof(pss) }
	                        : (CK_MECHANISM){ CKM_RSA_PKCS, NULL, 0 };
	context = rsa_context(true, SALT_SIZE);
	ck_assert_int_eq(EVP_PKEY_sign(context, ret_signature, &size, hash, sizeof(hash)), 1);
	EVP_PKEY_CTX_free(context);
	raw_rsa(rsa.key, false, ret_signature, ret_block);
}

/* What is signed, with one bit changed after another: in its padding, its hash, its salt. */
static void
rsa_changed_blocks(const unsigned char *block)
{
	unsigned char changed[RSA_SIZE], signature[RSA_SIZE];

	/* Not the first byte: the number must stay below the modulus. */
	for (size_t i = 1; i < RSA_SIZE; i++) {
		memcpy(changed, block, RSA_SIZE);
		changed[i] ^= (unsigned char)(1 << (i % 8));
		raw_rsa(rsa.key, true, changed, signature);
		rsa_try("bit of the block", i, signature, RSA_SIZE);
	}
}

/* Signatures that are too short, too long, or numbers that nobody signs. */
static void
rsa_odd_signatures(const unsigned char *signature)
{
	unsigned char odd[RSA_SIZE + 1] = { 0 };
	BIGNUM *modulus = NULL;

	rsa_try("as it is", 0, signature, RSA_SIZE);
	memcpy(odd + 1, signature, RSA_SIZE);
	rsa_try("leading zero", 0, odd, RSA_SIZE + 1);
	memcpy(odd, signature, RSA_SIZE);
	rsa_try("trailing byte", 0, odd, RSA_SIZE + 1);
	rsa_try("cut", 0, signature, RSA_SIZE - 1);
	rsa_try("cut in front", 0, signature + 1, RSA_SIZE - 1);
	rsa_try("one byte", 0, signature, 1);
	memset(odd, 0, sizeof(odd));
	rsa_try("zero", 0, odd, RSA_SIZE);
	odd[RSA_SIZE - 1] = 1;
	rsa_try("one", 0, odd, RSA_SIZE);
	memset(odd, 0xff, sizeof(odd));
	rsa_try("beyond the modulus", 0, odd, RSA_SIZE);
	ck_assert_int_eq(EVP_PKEY_get_bn_param(rsa.key, "n", &modulus), 1);
	BN_bn2binpad(modulus, odd, RSA_SIZE);
	rsa_try("the modulus", 0, odd, RSA_SIZE);
	BN_sub_word(modulus, 1);
	BN_bn2binpad(modulus, odd, RSA_SIZE);
	rsa_try("the modulus less one", 0, odd, RSA_SIZE);
	BN_free(modulus);
}

/* Blocks in other encodings: DigestInfo written another way, padding of another form. */
START_TEST(pkcs1)
{
	static const struct {
		const char *what, *start; /* of what follows the separator; the hash comes after it */
		size_t size, spare;       /* bytes behind the hash, as in Bleichenbacher's forgery of 2006 */
	} forms[] = {
		{ "without parameters", "\x30\x2f\x30\x0b\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01\x04\x20", 17, 0 },
		{ "long length", "\x30\x81\x31\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01\x05\x00\x04\x20", 20, 0 },
		{ "indefinite length", "\x30\x80\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01\x05\x00\x04\x20", 19, 2 },
		{ "hash of another name", "\x30\x31\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x04\x05\x00\x04\x20", 19, 0 },
		{ "bare hash", "", 0, 0 },
		{ "octet string", "\x04\x20", 2, 0 },
		{ "bytes behind", "\x30\x31\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01\x05\x00\x04\x20", 19, 1 },
		{ "many bytes behind", "\x30\x31\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01\x05\x00\x04\x20", 19, 190 },
		{ "parameters that are no NULL", "\x30\x32\x30\x0e\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01\x04\x01\x00\x04\x20", 20, 0 },
	};
	unsigned char signature[RSA_SIZE], block[RSA_SIZE];
	size_t start;

	if (!has_session_keys())
		return;
	rsa_begin(RSA_PKCS1_PADDING, signature, block);
	rsa_odd_signatures(signature);
	rsa_changed_blocks(block);
	for (size_t i = 0; i < COUNT(forms); i++) {
		start = RSA_SIZE - forms[i].spare - sizeof(hash) - forms[i].size;
		memset(block, 0, sizeof(block));
		block[1] = 1;
		memset(block + 2, 0xff, start - 3);
		memcpy(block + start, forms[i].start, forms[i].size);
		memcpy(block + start + forms[i].size, hash, sizeof(hash));
		raw_rsa(rsa.key, true, block, signature);
		rsa_try(forms[i].what, i, signature, RSA_SIZE);
	}
	EVP_PKEY_free(rsa.key);
}
END_TEST

START_TEST(pss_signatures)
{
	static const int salts[] = { 0, 1, 20, 31, 33, RSA_SIZE - HASH_SIZE - 2 };
	unsigned char signature[RSA_SIZE], block[RSA_SIZE];
	EVP_PKEY_CTX *context;
	size_t size;

	if (!has_session_keys())
		return;
	rsa_begin(RSA_PKCS1_PSS_PADDING, signature, block);
	rsa_odd_signatures(signature);
	rsa_changed_blocks(block);
	for (size_t i = 0; i < COUNT(salts); i++) {
		context = rsa_context(true, salts[i]);
		size = sizeof(signature);
		ck_assert_int_eq(EVP_PKEY_sign(context, signature, &size, hash, sizeof(hash)), 1);
		rsa_try("salt of another length", i, signature, size);
		EVP_PKEY_CTX_free(context);
	}
	context = rsa_context(true, SALT_SIZE);
	ck_assert_int_eq(EVP_PKEY_CTX_set_rsa_mgf1_md(context, EVP_sha1()), 1);
	ck_assert_int_eq(EVP_PKEY_sign(context, signature, &size, hash, sizeof(hash)), 1);
	rsa_try("mask of another hash", 0, signature, size);
	EVP_PKEY_CTX_free(context);
	EVP_PKEY_free(rsa.key);
}
END_TEST

/* Curves. */

/* OpenSSL wants DER, of whatever numbers. */
static bool
ecdsa_openssl(EVP_PKEY *key, const unsigned char *signature, size_t size, size_t hash_size)
{
	ECDSA_SIG *numbers = ECDSA_SIG_new();
	EVP_PKEY_CTX *context = EVP_PKEY_CTX_new(key, NULL);
	unsigned char *der = NULL;
	int der_size;
	bool taken;

	ck_assert_int_eq(ECDSA_SIG_set0(numbers, BN_bin2bn(signature, (int)size / 2, NULL),
	                                BN_bin2bn(signature + size / 2, (int)size / 2, NULL)), 1);
	der_size = i2d_ECDSA_SIG(numbers, &der);
	ck_assert_int_eq(EVP_PKEY_verify_init(context), 1);
	taken = EVP_PKEY_verify(context, der, (size_t)der_size, hash, hash_size) == 1;
	EVP_PKEY_CTX_free(context);
	OPENSSL_free(der);
	ECDSA_SIG_free(numbers);
	return taken;
}

static void
ecdsa_sign(EVP_PKEY *key, size_t hash_size, BIGNUM *ret_r, BIGNUM *ret_s)
{
	EVP_PKEY_CTX *context = EVP_PKEY_CTX_new(key, NULL);
	unsigned char der[80];
	const unsigned char *at = der;
	size_t size = sizeof(der);
	ECDSA_SIG *numbers;

	ck_assert_int_eq(EVP_PKEY_sign_init(context), 1);
	ck_assert_int_eq(EVP_PKEY_sign(context, der, &size, hash, hash_size), 1);
	numbers = d2i_ECDSA_SIG(NULL, &at, (long)size);
	BN_copy(ret_r, ECDSA_SIG_get0_r(numbers));
	BN_copy(ret_s, ECDSA_SIG_get0_s(numbers));
	ECDSA_SIG_free(numbers);
	EVP_PKEY_CTX_free(context);
}

static CK_OBJECT_HANDLE ec_object;

static void
ecdsa_try(EVP_PKEY *key, const char *what, size_t number, const BIGNUM *r, const BIGNUM *s)
{
	CK_MECHANISM mechanism = { CKM_ECDSA, NULL, 0 };
	unsigned char signature[64];

	ck_assert_int_eq(BN_bn2binpad(r, signature, 32), 32);
	ck_assert_int_eq(BN_bn2binpad(s, signature + 32, 32), 32);
	expect(CKR_OK, p11->C_VerifyInit(session, &mechanism, ec_object));
	decided_alike(what, number, ecdsa_openssl(key, signature, sizeof(signature), sizeof(hash)),
	              p11->C_Verify(session, hash, sizeof(hash), signature, sizeof(signature)));
}

START_TEST(ecdsa)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	BIGNUM *r = BN_new(), *s = BN_new(), *n = BN_new(), *other = BN_new();
	CK_MECHANISM mechanism = { CKM_ECDSA, NULL, 0 };
	unsigned char signature[80] = { 0 };

	if (!has_session_keys())
		return;
	session = session_public(0);
	ec_object = public_object(key, CKK_EC);
	ecdsa_sign(key, sizeof(hash), r, s);
	BN_hex2bn(&n, "FFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551");
	ecdsa_try(key, "as it is", 0, r, s);
	ecdsa_try(key, "exchanged", 0, s, r);
	ck_assert_int_eq(BN_sub(other, n, s), 1);
	ecdsa_try(key, "the other s", 0, r, other);
	for (int i = 0; i < 2; i++) { /* 0 and n, and 1 and n - 1 */
		BN_set_word(other, (BN_ULONG)i);
		ecdsa_try(key, "small r", (size_t)i, other, s);
		ecdsa_try(key, "small s", (size_t)i, r, other);
		ecdsa_try(key, "small both", (size_t)i, other, other);
		BN_sub(other, n, other);
		ecdsa_try(key, "large r", (size_t)i, other, s);
		ecdsa_try(key, "large s", (size_t)i, r, other);
		ecdsa_try(key, "large both", (size_t)i, other, other);
	}
	BN_one(other);
	BN_lshift(other, other, 256);
	BN_sub_word(other, 1);
	ecdsa_try(key, "all ones", 0, other, other);
	for (int i = 0; i < 256; i += 3) {
		BN_copy(other, r);
		BN_is_bit_set(other, i) ? BN_clear_bit(other, i) : BN_set_bit(other, i);
		ecdsa_try(key, "bit of r", (size_t)i, other, s);
		BN_copy(other, s);
		BN_is_bit_set(other, i) ? BN_clear_bit(other, i) : BN_set_bit(other, i);
		ecdsa_try(key, "bit of s", (size_t)i, r, other);
	}
	/* Two halves of 32 bytes and nothing else: no DER, no shorter numbers, none longer. */
	BN_bn2binpad(r, signature, 32);
	BN_bn2binpad(s, signature + 32, 32);
	for (CK_ULONG size = 0; size <= sizeof(signature); size++) {
		expect(CKR_OK, p11->C_VerifyInit(session, &mechanism, ec_object));
		decided_alike("length", size, size == 64,
		              p11->C_Verify(session, hash, sizeof(hash), signature, size));
	}
	BN_free(r);
	BN_free(s);
	BN_free(n);
	BN_free(other);
	EVP_PKEY_free(key);
}
END_TEST

static void
eddsa_try(EVP_PKEY *key, const char *what, size_t number, const unsigned char *signature,
          size_t size)
{
	CK_MECHANISM mechanism = { CKM_EDDSA, NULL, 0 };
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	bool taken;

	ck_assert_int_eq(EVP_DigestVerifyInit(context, NULL, NULL, NULL, key), 1);
	taken = EVP_DigestVerify(context, signature, size, hash, sizeof(hash)) == 1;
	EVP_MD_CTX_free(context);
	expect(CKR_OK, p11->C_VerifyInit(session, &mechanism, ec_object));
	decided_alike(what, number, taken,
	              p11->C_Verify(session, hash, sizeof(hash), (CK_BYTE_PTR)signature, size));
}

START_TEST(eddsa)
{
	/* The order of the base point, the last byte first (RFC 8032, section 5.1). */
	static const unsigned char order[32] = { 0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58,
		                                 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14,
		                                 [31] = 0x10 };
	EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	unsigned char signature[65] = { 0 }, changed[65];
	unsigned carry = 0;
	size_t size = 64;

	if (!has_session_keys() || !mechanism_offers(CKM_EDDSA, CKF_VERIFY))
		return;
	session = session_public(0);
	ec_object = public_object(key, CKK_EC_EDWARDS);
	ck_assert_int_eq(EVP_DigestSignInit(context, NULL, NULL, NULL, key), 1);
	ck_assert_int_eq(EVP_DigestSign(context, signature, &size, hash, sizeof(hash)), 1);
	eddsa_try(key, "as it is", 0, signature, 64);
	for (size_t i = 0; i < 64 * 8; i += 3) {
		memcpy(changed, signature, sizeof(changed));
		changed[i / 8] ^= (unsigned char)(1 << (i % 8));
		eddsa_try(key, "bit", i, changed, 64);
	}
	/* The same number beyond the order is not the same signature (section 5.1.7). */
	memcpy(changed, signature, sizeof(changed));
	for (size_t i = 0; i < 32; i++) {
		carry += (unsigned)changed[32 + i] + order[i];
		changed[32 + i] = (unsigned char)carry;
		carry >>= 8;
	}
	eddsa_try(key, "s and the order", 0, changed, 64);
	memset(changed, 0, sizeof(changed));
	eddsa_try(key, "zero", 0, changed, 64);
	changed[0] = 1; /* the neutral point */
	eddsa_try(key, "neutral R", 0, changed, 64);
	memset(changed, 0xff, sizeof(changed));
	eddsa_try(key, "all ones", 0, changed, 64);
	for (size = 1; size <= sizeof(signature); size++)
		eddsa_try(key, "length", size, signature, size);
	EVP_MD_CTX_free(context);
	EVP_PKEY_free(key);
}
END_TEST

/* Decryption. */

/* The block of OAEP with SHA-1 for a message: section 7.1.1 of RFC 8017, by OpenSSL's own hand. */
static void
oaep_block(EVP_PKEY *key, unsigned char *ret_block)
{
	EVP_PKEY_CTX *context = EVP_PKEY_CTX_new(key, NULL);
	unsigned char ciphertext[RSA_SIZE];
	size_t size = sizeof(ciphertext);

	ck_assert_int_eq(EVP_PKEY_encrypt_init(context), 1);
	ck_assert_int_eq(EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_OAEP_PADDING), 1);
	ck_assert_int_eq(EVP_PKEY_encrypt(context, ciphertext, &size, hash, sizeof(hash)), 1);
	raw_rsa(key, true, ciphertext, ret_block);
	EVP_PKEY_CTX_free(context);
}

static bool
oaep_openssl(EVP_PKEY *key, const unsigned char *block, unsigned char *ret_data, size_t *ret_size)
{
	EVP_PKEY_CTX *context = EVP_PKEY_CTX_new(key, NULL);
	unsigned char ciphertext[RSA_SIZE];
	bool taken;

	raw_rsa(key, false, block, ciphertext);
	ck_assert_int_eq(EVP_PKEY_decrypt_init(context), 1);
	ck_assert_int_eq(EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_OAEP_PADDING), 1);
	*ret_size = RSA_SIZE;
	taken = EVP_PKEY_decrypt(context, ret_data, ret_size, ciphertext, RSA_SIZE) == 1;
	EVP_PKEY_CTX_free(context);
	return taken;
}

/*
 * The block is the same whatever the key: OpenSSL tells of it under a key of its own what the
 * token is to tell of it under the token's.
 */
START_TEST(oaep)
{
	CK_RSA_PKCS_OAEP_PARAMS sha1 = { CKM_SHA_1, CKG_MGF1_SHA1, CKZ_DATA_SPECIFIED, NULL, 0 };
	CK_MECHANISM mechanism = { CKM_RSA_PKCS_OAEP, &sha1, sizeof(sha1) };
	unsigned char block[RSA_SIZE], changed[RSA_SIZE], ciphertext[RSA_SIZE];
	unsigned char right[RSA_SIZE], got[RSA_SIZE];
	CK_OBJECT_HANDLE private;
	EVP_PKEY *theirs, *ours = EVP_RSA_gen(RSA_SIZE * 8);
	CK_ULONG size;
	size_t right_size;
	CK_RV rv;

	if (!has_session_keys() || pair_bits(PAIR_RSA) != RSA_SIZE * 8)
		return;
	session = session_user(0);
	private = pair_private(session, PAIR_RSA);
	theirs = pair_evp(session, pair_public(session, PAIR_RSA), PAIR_RSA);
	oaep_block(ours, block);
	for (size_t i = 0; i < RSA_SIZE; i += 5) {
		bool taken;

		memcpy(changed, block, sizeof(block));
		if (i > 0)
			changed[i] ^= (unsigned char)(1 << (i % 8));
		taken = oaep_openssl(ours, changed, right, &right_size);
		raw_rsa(theirs, false, changed, ciphertext);
		size = sizeof(got);
		expect(CKR_OK, p11->C_DecryptInit(session, &mechanism, private));
		rv = p11->C_Decrypt(session, ciphertext, RSA_SIZE, got, &size);
		ck_assert_msg(rv == (taken ? CKR_OK : CKR_ENCRYPTED_DATA_INVALID), "byte %zu: 0x%lx", i, rv);
		if (taken) {
			ck_assert_uint_eq(size, right_size);
			ck_assert_mem_eq(got, right, size);
		}
	}
	EVP_PKEY_free(theirs);
	EVP_PKEY_free(ours);
}
END_TEST

static bool
gcm_openssl(const unsigned char *value, const CK_GCM_PARAMS *gcm, const unsigned char *sealed,
            int size, unsigned char *ret_text)
{
	EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
	int tag = (int)gcm->ulTagBits / 8, got;
	bool taken;

	ck_assert_int_eq(EVP_DecryptInit_ex(context, EVP_aes_256_gcm(), NULL, NULL, NULL), 1);
	ck_assert_int_eq(EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_IVLEN, (int)gcm->ulIvLen, NULL), 1);
	ck_assert_int_eq(EVP_DecryptInit_ex(context, NULL, NULL, value, gcm->pIv), 1);
	ck_assert_int_eq(EVP_DecryptUpdate(context, NULL, &got, gcm->pAAD, (int)gcm->ulAADLen), 1);
	ck_assert_int_eq(EVP_DecryptUpdate(context, ret_text, &got, sealed, size - tag), 1);
	ck_assert_int_eq(EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, tag,
	                                     (void *)(uintptr_t)(sealed + size - tag)), 1);
	taken = EVP_DecryptFinal_ex(context, ret_text + got, &got) == 1;
	EVP_CIPHER_CTX_free(context);
	return taken;
}

/* Each length of IV, each of tag, and then each bit. */
START_TEST(aes_gcm)
{
	unsigned char value[32] = "a key of 32 bytes for AES in GCM", iv[64] = { 9 }, aad[20] = { 8 };
	unsigned char text[37] = "text", sealed[64], opened[64], right[64];
	CK_GCM_PARAMS gcm = { .pIv = iv, .pAAD = aad };
	CK_MECHANISM mechanism = { CKM_AES_GCM, &gcm, sizeof(gcm) };
	CK_OBJECT_CLASS class = CKO_SECRET_KEY;
	CK_KEY_TYPE type = CKK_AES;
	CK_ATTRIBUTE template[] = { IS(CKA_CLASS, class), IS(CKA_KEY_TYPE, type), IS(CKA_TOKEN, no),
		                    IS(CKA_PRIVATE, no), IS(CKA_ENCRYPT, yes), IS(CKA_DECRYPT, yes),
		                    ATTRIBUTE(CKA_VALUE, value, 32) };
	CK_OBJECT_HANDLE key;
	CK_ULONG size, opened_size;
	CK_RV rv;

	if (!has_session_keys() || !mechanism_offers(CKM_AES_GCM, CKF_DECRYPT))
		return;
	session = session_public(0);
	expect(CKR_OK, p11->C_CreateObject(session, template, COUNT(template), &key));
	for (size_t i = 0; i < 24; i++) {
		gcm.ulIvLen = 1 + i * 2 + i / 8;
		gcm.ulIvBits = gcm.ulIvLen * 8;
		gcm.ulTagBits = 8 * (12 + i % 5);
		gcm.ulAADLen = i % sizeof(aad);
		size = sizeof(sealed);
		expect(CKR_OK, p11->C_EncryptInit(session, &mechanism, key));
		expect(CKR_OK, p11->C_Encrypt(session, text, sizeof(text) - i, sealed, &size));
		ck_assert(gcm_openssl(value, &gcm, sealed, (int)size, right));
		for (size_t bit = 0; bit <= size * 8; bit += 7) {
			bool taken;

			if (bit > 0)
				sealed[bit / 8 % size] ^= (unsigned char)(1 << (bit % 8));
			taken = gcm_openssl(value, &gcm, sealed, (int)size, right);
			opened_size = sizeof(opened);
			expect(CKR_OK, p11->C_DecryptInit(session, &mechanism, key));
			rv = p11->C_Decrypt(session, sealed, size, opened, &opened_size);
			ck_assert_msg(rv == (taken ? CKR_OK : CKR_ENCRYPTED_DATA_INVALID),
			              "form %zu, bit %zu: 0x%lx", i, bit, rv);
			if (bit > 0)
				sealed[bit / 8 % size] ^= (unsigned char)(1 << (bit % 8));
		}
	}
}
END_TEST

Suite *
edge_cases_suite(void)
{
	Suite *suite = suite_create("edge-cases");
	TCase *tcase = started_case(suite, "started");

	tcase_set_timeout(tcase, 120);
	tcase_add_test(tcase, pkcs1);
	tcase_add_test(tcase, pss_signatures);
	tcase_add_test(tcase, ecdsa);
	tcase_add_test(tcase, eddsa);
	tcase_add_test(tcase, oaep);
	tcase_add_test(tcase, aes_gcm);
	return suite;
}
