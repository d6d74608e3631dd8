/* SPDX-License-Identifier: Apache-2.0 */
#include "base/algorithm.h"

#include <stdbool.h>
#include <string.h>

/*
 * DER of the curves' OBJECT IDENTIFIERs: RFC 5480, section 2.1.1.1, and for Ed25519 and
 * X25519 RFC 8410, section 3. SoftHSM 2.6.1 makes Ed25519 pairs for this one and for the curveName
 * below, and answers with the one it was given; it refuses GnuPG's.
 */
static const unsigned char p256_params[] = { 0x06, 0x08, 0x2a, 0x86, 0x48,
	                                     0xce, 0x3d, 0x03, 0x01, 0x07 };
static const unsigned char p384_params[] = { 0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x22 };
static const unsigned char p521_params[] = { 0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x23 };
static const unsigned char ed25519_params[] = { 0x06, 0x03, 0x2b, 0x65, 0x70 };
static const unsigned char x25519_params[] = { 0x06, 0x03, 0x2b, 0x65, 0x6e };

/* OpenSSL's names of the groups are those that it answers when asked for a key's group. */
static const struct algorithm algorithms[] = {
	{ "rsa-2048", CKK_RSA, CKM_RSA_PKCS_KEY_PAIR_GEN, 2048, NULL, NULL, 0 },
	{ "rsa-3072", CKK_RSA, CKM_RSA_PKCS_KEY_PAIR_GEN, 3072, NULL, NULL, 0 },
	{ "rsa-4096", CKK_RSA, CKM_RSA_PKCS_KEY_PAIR_GEN, 4096, NULL, NULL, 0 },
	{ "p-256", CKK_EC, CKM_EC_KEY_PAIR_GEN, 256, "prime256v1", p256_params,
	  sizeof p256_params },
	{ "p-384", CKK_EC, CKM_EC_KEY_PAIR_GEN, 384, "secp384r1", p384_params,
	  sizeof p384_params },
	{ "p-521", CKK_EC, CKM_EC_KEY_PAIR_GEN, 521, "secp521r1", p521_params,
	  sizeof p521_params },
	{ "ed25519", CKK_EC_EDWARDS, CKM_EC_EDWARDS_KEY_PAIR_GEN, 255, "ED25519",
	  ed25519_params, sizeof ed25519_params },
	{ "x25519", CKK_EC_MONTGOMERY, CKM_EC_MONTGOMERY_KEY_PAIR_GEN, 255, "X25519",
	  x25519_params, sizeof x25519_params },
};

#define ALGORITHM_COUNT (sizeof algorithms / sizeof *algorithms)

/*
 * Other names that programs send as CKA_EC_PARAMS: the curveName, a PrintableString (PKCS#11
 * mechanisms 3.0, sections 2.3.5 and 2.3.6; pkcs11-tool sends it), and OBJECT IDENTIFIERs
 * older than RFC 8410's and still met, GnuPG's 1.3.6.1.4.1.11591.15.1 and cryptlib's
 * 1.3.6.1.4.1.3029.1.5.1. OpenSC 0.23 counts one letter too many in curve25519.
 */
#define ALIAS(key_type, bytes, name) { (key_type), (bytes), sizeof(bytes) - 1, (name) }

static const struct {
	CK_KEY_TYPE key_type;
	const char *params;
	size_t size;
	const char *name;
} aliases[] = {
	ALIAS(CKK_EC_EDWARDS, "\x13\x0c" "edwards25519", "ed25519"),
	ALIAS(CKK_EC_EDWARDS, "\x06\x09\x2b\x06\x01\x04\x01\xda\x47\x0f\x01", "ed25519"),
	ALIAS(CKK_EC_MONTGOMERY, "\x13\x0a" "curve25519", "x25519"),
	ALIAS(CKK_EC_MONTGOMERY, "\x13\x0b" "curve25519", "x25519"),
	ALIAS(CKK_EC_MONTGOMERY, "\x06\x0a\x2b\x06\x01\x04\x01\x97\x55\x01\x05\x01", "x25519"),
};

const struct algorithm *
algorithm_at(size_t index)
{
	return index < ALGORITHM_COUNT ? &algorithms[index] : NULL;
}

const struct algorithm *
algorithm_by_name(const char *name)
{
	for (size_t i = 0; i < ALGORITHM_COUNT; i++)
		if (strcmp(algorithms[i].name, name) == 0)
			return &algorithms[i];
	return NULL;
}

const struct algorithm *
algorithm_rsa(CK_ULONG modulus_bits)
{
	for (size_t i = 0; i < ALGORITHM_COUNT; i++)
		if (algorithms[i].key_type == CKK_RSA && algorithms[i].bits == modulus_bits)
			return &algorithms[i];
	return NULL;
}

static bool
is(const void *ec_params, size_t size, const void *known, size_t known_size)
{
	return size == known_size && memcmp(ec_params, known, size) == 0;
}

const struct algorithm *
algorithm_ec(CK_KEY_TYPE key_type, const void *ec_params, size_t size)
{
	for (size_t i = 0; i < sizeof aliases / sizeof *aliases; i++)
		if (aliases[i].key_type == key_type &&
		    is(ec_params, size, aliases[i].params, aliases[i].size))
			return algorithm_by_name(aliases[i].name);
	for (size_t i = 0; i < ALGORITHM_COUNT; i++)
		if (algorithms[i].ec_params != NULL && algorithms[i].key_type == key_type &&
		    is(ec_params, size, algorithms[i].ec_params, algorithms[i].ec_params_size))
			return &algorithms[i];
	return NULL;
}
