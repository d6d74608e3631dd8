/* SPDX-License-Identifier: Apache-2.0 */
#include "base/algorithm.h"

#include <stdbool.h>
#include <string.h>

#ifndef CKK_EC_EDWARDS
#define CKK_EC_EDWARDS 0x40UL
#endif
#ifndef CKM_EC_EDWARDS_KEY_PAIR_GEN
#define CKM_EC_EDWARDS_KEY_PAIR_GEN 0x1055UL
#endif

/*
 * DER of the curves' OBJECT IDENTIFIERs: RFC 5480, section 2.1.1.1, and for Ed25519
 * RFC 8410, section 3. SoftHSM 2.6.1 makes Ed25519 pairs for this one and for the curveName
 * below, and answers with the one it was given; it refuses GnuPG's.
 */
static const unsigned char p256_params[] = { 0x06, 0x08, 0x2a, 0x86, 0x48,
	                                     0xce, 0x3d, 0x03, 0x01, 0x07 };
static const unsigned char p384_params[] = { 0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x22 };
static const unsigned char p521_params[] = { 0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x23 };
static const unsigned char ed25519_params[] = { 0x06, 0x03, 0x2b, 0x65, 0x70 };

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
};

#define ALGORITHM_COUNT (sizeof algorithms / sizeof *algorithms)

/*
 * Other names of Ed25519 that programs send as CKA_EC_PARAMS: the curveName, a
 * PrintableString (PKCS#11 mechanisms 3.0, section 2.3.5; pkcs11-tool sends it), and GnuPG's
 * OBJECT IDENTIFIER 1.3.6.1.4.1.11591.15.1, older than RFC 8410's and still met.
 */
static const unsigned char edwards25519_name[] = { 0x13, 0x0c, 'e', 'd', 'w', 'a', 'r',
	                                           'd',  's',  '2', '5', '5', '1', '9' };
static const unsigned char edwards25519_gnu[] = { 0x06, 0x09, 0x2b, 0x06, 0x01, 0x04,
	                                          0x01, 0xda, 0x47, 0x0f, 0x01 };

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
is(const void *ec_params, size_t size, const unsigned char *known, size_t known_size)
{
	return size == known_size && memcmp(ec_params, known, size) == 0;
}

const struct algorithm *
algorithm_ec(CK_KEY_TYPE key_type, const void *ec_params, size_t size)
{
	if (key_type == CKK_EC_EDWARDS &&
	    (is(ec_params, size, edwards25519_name, sizeof edwards25519_name) ||
	     is(ec_params, size, edwards25519_gnu, sizeof edwards25519_gnu)))
		return algorithm_by_name("ed25519");
	for (size_t i = 0; i < ALGORITHM_COUNT; i++)
		if (algorithms[i].ec_params != NULL && algorithms[i].key_type == key_type &&
		    is(ec_params, size, algorithms[i].ec_params, algorithms[i].ec_params_size))
			return &algorithms[i];
	return NULL;
}
