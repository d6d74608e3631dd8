/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table. What is not offered, and why:
 *
 * SHA-1 signs nothing any more (NIST SP 800-131A, revision 2, section 9); it still verifies
 * what is old, and serves OAEP, where collisions do no harm. What a caller hashes himself
 * for CKM_RSA_PKCS or CKM_ECDSA is not seen here.
 *
 * CKM_RSA_PKCS and CKM_RSA_X_509 decrypt and unwrap only with the token's legacy-decrypt: who
 * uses them may become a padding oracle. CKM_RSA_PKCS then does not say whether the padding
 * was good (rejection.h); the callers of CKM_RSA_X_509 take it off themselves.
 *
 * CKM_RSA_X_509 signs, for callers that pad themselves, only with legacy-decrypt: the
 * operation is the one that decrypts.
 *
 * CKM_AES_GCM, CKM_AES_CBC and CKM_AES_CBC_PAD neither wrap nor unwrap, for the IV is the
 * caller's. Two keys that GCM wraps under one IV tell their difference, and who knows one of
 * them has the other. With CBC's IV he who may unwrap changes the first block at will, and
 * what is accepted (zeros behind CKA_VALUE_LEN, a padding) tells him a sensitive key byte by
 * byte. CKM_AES_KEY_WRAP and its like are made for keys and have no such IV.
 */
#include "mechanism/mechanism.h"

#include "mechanism/wrap.h"

#define NO_PRIMITIVE { CK_UNAVAILABLE_INFORMATION, CK_UNAVAILABLE_INFORMATION }
#define ONE_PRIMITIVE(type) { (type), CK_UNAVAILABLE_INFORMATION }

#define EC_FLAGS (CKF_EC_F_P | CKF_EC_NAMEDCURVE | CKF_EC_UNCOMPRESS)

#define RSA_BITS .key_type = CKK_RSA, .min_bits = 1024, .max_bits = 16384
#define EC_BITS .key_type = CKK_EC, .min_bits = 256, .max_bits = 521, .ec = EC_FLAGS
/* Section 2.3.14 counts 255 bits, others 256. */
#define EDWARDS_BITS .key_type = CKK_EC_EDWARDS, .min_bits = 255, .max_bits = 256, .ec = EC_FLAGS

#define MONTGOMERY_BITS .key_type = CKK_EC_MONTGOMERY, .min_bits = 255, .max_bits = 256, .ec = EC_FLAGS

/* A signature over a hash made here; SHA-1 only verifies. */
#define SIGNS(type) .local = CKF_VERIFY, .remote = CKF_SIGN, .primitives = ONE_PRIMITIVE(type)
/* … or by a KMS that takes the message and hashes it itself, as some KMIP servers do. */
#define SIGNS_OR(by_digest, whole) \
	.type = (whole), .local = CKF_VERIFY, .remote = CKF_SIGN, .primitives = { (by_digest), (whole) }
#define ONLY_VERIFIES .local = CKF_VERIFY, .primitives = NO_PRIMITIVE
#define HASHES(type) .digest = (type), .multipart = true

#define DIGEST_ROW(row, row_name) { \
	.type = (row), .kind = MECHANISM_DIGEST, .name = (row_name), \
	.key_type = CK_UNAVAILABLE_INFORMATION, .local = CKF_DIGEST, .primitives = NO_PRIMITIVE, HASHES(row) }
#define GENERATE(row) \
	.type = (row), .kind = MECHANISM_GENERATE_PAIR, .remote = CKF_GENERATE_KEY_PAIR, .primitives = ONE_PRIMITIVE(row)

#define MESSAGES (CKF_MESSAGE_ENCRYPT | CKF_MESSAGE_DECRYPT | CKF_MULTI_MESSAGE)

/* Sections 2.11 to 2.14, 2.16: in bytes. */
#define AES_BYTES .key_type = CKK_AES, .min_bits = 16, .max_bits = 32
#define HMAC_BYTES .key_type = CKK_GENERIC_SECRET, .min_bits = 1, .max_bits = WRAP_SIZE_MAX
#define CIPHER_ROW(row, row_name, more) { \
	.type = (row), .kind = MECHANISM_CIPHER, .name = (row_name), AES_BYTES, \
	.local = CKF_ENCRYPT | CKF_DECRYPT | (more), .primitives = NO_PRIMITIVE, .multipart = true }
#define MAC_ROW(row, row_name, bytes) { \
	.type = (row), .kind = MECHANISM_MAC, .name = (row_name), bytes, \
	.local = CKF_SIGN | CKF_VERIFY, .primitives = NO_PRIMITIVE, .multipart = true }
#define WRAP_ROW(row, row_name) { \
	.type = (row), .kind = MECHANISM_WRAP, .name = (row_name), AES_BYTES, \
	.local = CKF_WRAP | CKF_UNWRAP, .primitives = NO_PRIMITIVE }

static const struct mechanism table[] = {
	/* On the token only 2048, 3072 and 4096 (base/algorithm.c); in sessions what the HSM has. */
	{ GENERATE(CKM_RSA_PKCS_KEY_PAIR_GEN), .name = "RSA-PKCS-KEY-PAIR-GEN", RSA_BITS },
	{ GENERATE(CKM_EC_KEY_PAIR_GEN), .name = "EC-KEY-PAIR-GEN", EC_BITS },
	{ GENERATE(CKM_EC_EDWARDS_KEY_PAIR_GEN), .name = "EC-EDWARDS-KEY-PAIR-GEN", EDWARDS_BITS },
	{ GENERATE(CKM_EC_MONTGOMERY_KEY_PAIR_GEN), .name = "EC-MONTGOMERY-KEY-PAIR-GEN", MONTGOMERY_BITS },

	{ .type = CKM_RSA_PKCS, .name = "RSA-PKCS", RSA_BITS,
	  .local = CKF_ENCRYPT | CKF_VERIFY | CKF_VERIFY_RECOVER | CKF_WRAP,
	  .remote = CKF_SIGN | CKF_SIGN_RECOVER, .primitives = ONE_PRIMITIVE(CKM_RSA_PKCS),
	  .legacy = CKF_DECRYPT | CKF_UNWRAP, .padding = PADDING_RSA_PKCS },
	{ .type = CKM_RSA_X_509, .name = "RSA-X-509", RSA_BITS,
	  .local = CKF_ENCRYPT | CKF_VERIFY | CKF_VERIFY_RECOVER,
	  .legacy = CKF_SIGN | CKF_SIGN_RECOVER | CKF_DECRYPT, .primitives = ONE_PRIMITIVE(CKM_RSA_X_509),
	  .padding = PADDING_RSA_RAW },
	{ .type = CKM_RSA_PKCS_OAEP, .name = "RSA-PKCS-OAEP", RSA_BITS, .local = CKF_ENCRYPT | CKF_WRAP,
	  .remote = CKF_DECRYPT | CKF_UNWRAP, .primitives = { CKM_RSA_PKCS_OAEP, CKM_RSA_X_509 },
	  .padding = PADDING_RSA_OAEP },
	{ .type = CKM_RSA_PKCS_PSS, .name = "RSA-PKCS-PSS", RSA_BITS, SIGNS(CKM_RSA_PKCS_PSS),
	  .padding = PADDING_RSA_PSS },

	{ .type = CKM_SHA1_RSA_PKCS, .name = "SHA1-RSA-PKCS", RSA_BITS, ONLY_VERIFIES,
	  HASHES(CKM_SHA_1), .padding = PADDING_RSA_PKCS },
	{ SIGNS_OR(CKM_RSA_PKCS, CKM_SHA224_RSA_PKCS), .name = "SHA224-RSA-PKCS", RSA_BITS,
	  HASHES(CKM_SHA224), .padding = PADDING_RSA_PKCS },
	{ SIGNS_OR(CKM_RSA_PKCS, CKM_SHA256_RSA_PKCS), .name = "SHA256-RSA-PKCS", RSA_BITS,
	  HASHES(CKM_SHA256), .padding = PADDING_RSA_PKCS },
	{ SIGNS_OR(CKM_RSA_PKCS, CKM_SHA384_RSA_PKCS), .name = "SHA384-RSA-PKCS", RSA_BITS,
	  HASHES(CKM_SHA384), .padding = PADDING_RSA_PKCS },
	{ SIGNS_OR(CKM_RSA_PKCS, CKM_SHA512_RSA_PKCS), .name = "SHA512-RSA-PKCS", RSA_BITS,
	  HASHES(CKM_SHA512), .padding = PADDING_RSA_PKCS },

	{ .type = CKM_SHA1_RSA_PKCS_PSS, .name = "SHA1-RSA-PKCS-PSS", RSA_BITS, ONLY_VERIFIES,
	  HASHES(CKM_SHA_1), .padding = PADDING_RSA_PSS },
	{ SIGNS_OR(CKM_RSA_PKCS_PSS, CKM_SHA224_RSA_PKCS_PSS), .name = "SHA224-RSA-PKCS-PSS",
	  RSA_BITS, HASHES(CKM_SHA224), .padding = PADDING_RSA_PSS },
	{ SIGNS_OR(CKM_RSA_PKCS_PSS, CKM_SHA256_RSA_PKCS_PSS), .name = "SHA256-RSA-PKCS-PSS",
	  RSA_BITS, HASHES(CKM_SHA256), .padding = PADDING_RSA_PSS },
	{ SIGNS_OR(CKM_RSA_PKCS_PSS, CKM_SHA384_RSA_PKCS_PSS), .name = "SHA384-RSA-PKCS-PSS",
	  RSA_BITS, HASHES(CKM_SHA384), .padding = PADDING_RSA_PSS },
	{ SIGNS_OR(CKM_RSA_PKCS_PSS, CKM_SHA512_RSA_PKCS_PSS), .name = "SHA512-RSA-PKCS-PSS",
	  RSA_BITS, HASHES(CKM_SHA512), .padding = PADDING_RSA_PSS },

	{ .type = CKM_ECDSA, .name = "ECDSA", EC_BITS, SIGNS(CKM_ECDSA) },
	{ .type = CKM_ECDSA_SHA1, .name = "ECDSA-SHA1", EC_BITS, ONLY_VERIFIES, HASHES(CKM_SHA_1) },
	{ SIGNS_OR(CKM_ECDSA, CKM_ECDSA_SHA224), .name = "ECDSA-SHA224", EC_BITS,
	  HASHES(CKM_SHA224) },
	{ SIGNS_OR(CKM_ECDSA, CKM_ECDSA_SHA256), .name = "ECDSA-SHA256", EC_BITS,
	  HASHES(CKM_SHA256) },
	{ SIGNS_OR(CKM_ECDSA, CKM_ECDSA_SHA384), .name = "ECDSA-SHA384", EC_BITS,
	  HASHES(CKM_SHA384) },
	{ SIGNS_OR(CKM_ECDSA, CKM_ECDSA_SHA512), .name = "ECDSA-SHA512", EC_BITS,
	  HASHES(CKM_SHA512) },
	/* Hashes the message twice (RFC 8032, section 5.1.6): only as a whole. */
	{ .type = CKM_EDDSA, .name = "EDDSA", EDWARDS_BITS, SIGNS(CKM_EDDSA) },

	DIGEST_ROW(CKM_SHA_1, "SHA-1"),
	DIGEST_ROW(CKM_SHA224, "SHA224"),
	DIGEST_ROW(CKM_SHA256, "SHA256"),
	DIGEST_ROW(CKM_SHA384, "SHA384"),
	DIGEST_ROW(CKM_SHA512, "SHA512"),

	{ .type = CKM_AES_KEY_GEN, .kind = MECHANISM_GENERATE, .name = "AES-KEY-GEN", AES_BYTES,
	  .local = CKF_GENERATE, .primitives = NO_PRIMITIVE },
	/* Section 2.5.3: this one counts bits. */
	{ .type = CKM_GENERIC_SECRET_KEY_GEN, .kind = MECHANISM_GENERATE,
	  .name = "GENERIC-SECRET-KEY-GEN", .key_type = CKK_GENERIC_SECRET, .min_bits = 8,
	  .max_bits = 8 * WRAP_SIZE_MAX, .local = CKF_GENERATE, .primitives = NO_PRIMITIVE },

	CIPHER_ROW(CKM_AES_ECB, "AES-ECB", 0),
	CIPHER_ROW(CKM_AES_CBC, "AES-CBC", 0),
	CIPHER_ROW(CKM_AES_CBC_PAD, "AES-CBC-PAD", 0),
	CIPHER_ROW(CKM_AES_CTR, "AES-CTR", 0),
	CIPHER_ROW(CKM_AES_GCM, "AES-GCM", MESSAGES),
	CIPHER_ROW(CKM_AES_CCM, "AES-CCM", MESSAGES),

	MAC_ROW(CKM_SHA_1_HMAC, "SHA-1-HMAC", HMAC_BYTES),
	MAC_ROW(CKM_SHA_1_HMAC_GENERAL, "SHA-1-HMAC-GENERAL", HMAC_BYTES),
	MAC_ROW(CKM_SHA224_HMAC, "SHA224-HMAC", HMAC_BYTES),
	MAC_ROW(CKM_SHA224_HMAC_GENERAL, "SHA224-HMAC-GENERAL", HMAC_BYTES),
	MAC_ROW(CKM_SHA256_HMAC, "SHA256-HMAC", HMAC_BYTES),
	MAC_ROW(CKM_SHA256_HMAC_GENERAL, "SHA256-HMAC-GENERAL", HMAC_BYTES),
	MAC_ROW(CKM_SHA384_HMAC, "SHA384-HMAC", HMAC_BYTES),
	MAC_ROW(CKM_SHA384_HMAC_GENERAL, "SHA384-HMAC-GENERAL", HMAC_BYTES),
	MAC_ROW(CKM_SHA512_HMAC, "SHA512-HMAC", HMAC_BYTES),
	MAC_ROW(CKM_SHA512_HMAC_GENERAL, "SHA512-HMAC-GENERAL", HMAC_BYTES),
	MAC_ROW(CKM_AES_CMAC, "AES-CMAC", AES_BYTES),
	MAC_ROW(CKM_AES_CMAC_GENERAL, "AES-CMAC-GENERAL", AES_BYTES),

	WRAP_ROW(CKM_AES_KEY_WRAP, "AES-KEY-WRAP"),
	WRAP_ROW(CKM_AES_KEY_WRAP_KWP, "AES-KEY-WRAP-KWP"),
	{ .type = CKM_RSA_AES_KEY_WRAP, .kind = MECHANISM_WRAP, .name = "RSA-AES-KEY-WRAP",
	  RSA_BITS, .local = CKF_WRAP, .remote = CKF_UNWRAP,
	  .primitives = { CKM_RSA_PKCS_OAEP, CKM_RSA_X_509 }, .padding = PADDING_RSA_OAEP },

	{ .type = CKM_ECDH1_DERIVE, .kind = MECHANISM_DERIVE, .name = "ECDH1-DERIVE", EC_BITS,
	  .remote = CKF_DERIVE, .primitives = ONE_PRIMITIVE(CKM_ECDH1_DERIVE) },
};

#define TABLE_SIZE (sizeof table / sizeof *table)

const struct mechanism *
mechanism_find(CK_MECHANISM_TYPE type)
{
	for (size_t i = 0; i < TABLE_SIZE; i++)
		if (table[i].type == type)
			return &table[i];
	return NULL;
}

const struct mechanism *
mechanism_at(size_t index)
{
	return index < TABLE_SIZE ? &table[index] : NULL;
}

/* Sections 2.20 to 2.26: the key types of HMAC. */
static CK_KEY_TYPE
hmac_key_type(CK_MECHANISM_TYPE type)
{
	switch (type) {
	case CKM_SHA_1_HMAC:
	case CKM_SHA_1_HMAC_GENERAL:
		return CKK_SHA_1_HMAC;
	case CKM_SHA224_HMAC:
	case CKM_SHA224_HMAC_GENERAL:
		return CKK_SHA224_HMAC;
	case CKM_SHA256_HMAC:
	case CKM_SHA256_HMAC_GENERAL:
		return CKK_SHA256_HMAC;
	case CKM_SHA384_HMAC:
	case CKM_SHA384_HMAC_GENERAL:
		return CKK_SHA384_HMAC;
	case CKM_SHA512_HMAC:
	case CKM_SHA512_HMAC_GENERAL:
		return CKK_SHA512_HMAC;
	default:
		return CK_UNAVAILABLE_INFORMATION;
	}
}

bool
mechanism_takes(const struct mechanism *mechanism, CK_KEY_TYPE key_type)
{
	if (key_type == CK_UNAVAILABLE_INFORMATION)
		return false;
	if (mechanism->type == CKM_ECDH1_DERIVE && key_type == CKK_EC_MONTGOMERY)
		return true;
	return mechanism->key_type == key_type || hmac_key_type(mechanism->type) == key_type;
}

/* Whatever signs or verifies does so for one message after the other (PKCS#11 3.0, section 5.14). */
static CK_FLAGS
with_messages(const struct mechanism *mechanism, CK_FLAGS flags)
{
	CK_FLAGS messages = 0;

	if ((flags & CKF_SIGN) != 0)
		messages |= CKF_MESSAGE_SIGN;
	if ((flags & CKF_VERIFY) != 0)
		messages |= CKF_MESSAGE_VERIFY;
	if (messages != 0 && mechanism->multipart)
		messages |= CKF_MULTI_MESSAGE;
	return flags | messages;
}

CK_FLAGS
mechanism_flags(const struct mechanism *mechanism, bool legacy, primitive_offered offered,
                const void *context)
{
	CK_FLAGS flags = mechanism->local;
	const size_t count = sizeof mechanism->primitives / sizeof *mechanism->primitives;

	if (mechanism->legacy != 0 && legacy && offered(context, CKM_RSA_X_509))
		flags |= mechanism->legacy;
	for (size_t i = 0; i < count; i++) {
		if (mechanism->primitives[i] == CK_UNAVAILABLE_INFORMATION)
			break;
		if (offered(context, mechanism->primitives[i]))
			flags |= mechanism->remote;
	}
	return with_messages(mechanism, flags);
}

bool
mechanism_kms_hashes(const struct mechanism *mechanism, primitive_offered offered,
                     const void *context)
{
	return mechanism->digest != 0 && mechanism->primitives[1] == mechanism->type &&
	       !offered(context, mechanism->primitives[0]) &&
	       offered(context, mechanism->primitives[1]);
}
