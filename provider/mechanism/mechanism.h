/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The one table of mechanisms, and what stands behind its rows: which half works here and
 * which in the KMS, the parameters, the sizes, the local cryptography, and how a private
 * operation is turned into a primitive of the KMS. PKCS#11 mechanisms 3.0, sections 2.1
 * (RSA), 2.3 (EC), 2.20-2.26 (digests).
 */
#ifndef P11_KMS_MECHANISM_MECHANISM_H
#define P11_KMS_MECHANISM_MECHANISM_H

#include "base/buffer.h"
#include "base/compiler.h"
#include "base/pkcs11.h"
#include "base/secret.h"
#include "mechanism/digest.h"
#include "mechanism/public-key.h"

#include <stdbool.h>

enum padding { PADDING_NONE, PADDING_RSA_PKCS, PADDING_RSA_PSS, PADDING_RSA_OAEP, PADDING_RSA_RAW };

/* What stands behind a row. */
enum mechanism_kind {
	MECHANISM_ASYMMETRIC,    /* RSA and EC: struct mechanism_use, below */
	MECHANISM_GENERATE_PAIR, /* lifecycle/ */
	MECHANISM_DIGEST,        /* digest.h */
	MECHANISM_CIPHER,        /* cipher.h, and wrap_secret of wrap.h; cipher-message.h */
	MECHANISM_MAC,           /* mac.h */
	MECHANISM_WRAP,          /* wrap.h and nothing else */
	MECHANISM_GENERATE,      /* random bytes */
	MECHANISM_DERIVE,        /* kdf.h, around a primitive of the KMS */
};

struct mechanism {
	CK_MECHANISM_TYPE type;
	enum mechanism_kind kind;
	const char *name;            /* "RSA-PKCS-OAEP" for tables and logs */
	CK_KEY_TYPE key_type;        /* CK_UNAVAILABLE_INFORMATION for digests; see mechanism_takes */
	CK_ULONG min_bits, max_bits; /* 0 for digests; of AES and HMAC in bytes, as the standard counts */
	CK_FLAGS local;              /* CKF_ENCRYPT, CKF_VERIFY, CKF_DIGEST: done here */
	CK_FLAGS remote;             /* CKF_DECRYPT, CKF_SIGN, CKF_GENERATE_KEY_PAIR: done by the KMS … */
	CK_MECHANISM_TYPE primitives[2]; /* … when it has one of these, best first; CK_UNAVAILABLE_INFORMATION ends */
	CK_FLAGS legacy;             /* … by CKM_RSA_X_509, with the token's legacy-decrypt only */
	CK_FLAGS ec;                 /* CKF_EC_* for CK_MECHANISM_INFO */
	CK_MECHANISM_TYPE digest;    /* hash of the message (0: none; the data is the digest, or all of the message) */
	enum padding padding;
	bool multipart;              /* may be used with C_*Update */
};

/* NULL: not in the table. */
const struct mechanism *mechanism_find(CK_MECHANISM_TYPE type);
const struct mechanism *mechanism_at(size_t index); /* NULL past the last */

/*
 * Do keys of this type fit the row? Its own, and for HMAC also the type that has the hash's
 * name (CKK_SHA256_HMAC for CKM_SHA256_HMAC and CKM_SHA256_HMAC_GENERAL), for CKM_ECDH1_DERIVE
 * also CKK_EC_MONTGOMERY.
 */
bool mechanism_takes(const struct mechanism *mechanism, CK_KEY_TYPE key_type);

/* What the KMS offers: the primitives of the token record. */
typedef bool (*primitive_offered)(const void *context, CK_MECHANISM_TYPE primitive);

/*
 * local | (remote if a primitive is offered) | (legacy if that is asked for, and offered): the verbs of CK_MECHANISM_INFO.flags, to which
 * belong the table's ec flags; 0: not offered at all. legacy: the token's legacy-decrypt
 * (see mechanism.c).
 */
CK_FLAGS mechanism_flags(const struct mechanism *mechanism, bool legacy, primitive_offered offered,
                         const void *context);

/*
 * The KMS has no primitive for the digest, but the whole mechanism: it gets the message
 * (see mechanism_plan_message), and hashes it itself.
 */
bool mechanism_kms_hashes(const struct mechanism *mechanism, primitive_offered offered,
                          const void *context);

/* A mechanism with its parameter, checked and copied: nothing of the caller's is kept. */
struct mechanism_use {
	const struct mechanism *mechanism;
	CK_MECHANISM_TYPE digest;     /* of the padding (OAEP, PSS) or of the message */
	CK_RSA_PKCS_MGF_TYPE mgf;
	CK_ULONG salt_size;           /* PSS */
	struct buffer label;          /* OAEP */
};

/*
 * Checks and copies the parameter for a flag (CKF_ENCRYPT, CKF_SIGN …) and, but for digests,
 * a key. CKR_MECHANISM_INVALID (not in the table, or not for this flag),
 * CKR_MECHANISM_PARAM_INVALID, CKR_KEY_TYPE_INCONSISTENT, CKR_KEY_SIZE_RANGE.
 */
MUST_USE CK_RV mechanism_use_init(const CK_MECHANISM *mechanism, CK_FLAGS flag,
                                  const struct public_key *key, struct mechanism_use *ret_use);
void mechanism_use_clear(struct mechanism_use *use);

/* Bytes of a ciphertext or signature; of a digest when key is NULL. */
size_t mechanism_output_size(const struct mechanism_use *use, const struct public_key *key);
/* The longest plaintext (OAEP, PKCS#1 v1.5, raw). */
size_t mechanism_input_max(const struct mechanism_use *use, const struct public_key *key);

/* CKR_DATA_LEN_RANGE, CKR_DATA_INVALID (raw: not below the modulus). ret_data has mechanism_output_size bytes of room. */
MUST_USE CK_RV mechanism_encrypt(const struct mechanism_use *use, struct public_key *key,
                                 const void *data, size_t data_size, unsigned char *ret_data);

/*
 * Verifies. data is the digest of the message where use->mechanism->digest is not 0 (made by
 * the caller with digest.h), else the data itself. CKR_SIGNATURE_INVALID,
 * CKR_SIGNATURE_LEN_RANGE, CKR_DATA_LEN_RANGE, CKR_DATA_INVALID (raw).
 */
MUST_USE CK_RV mechanism_verify(const struct mechanism_use *use, struct public_key *key,
                                const void *data, size_t data_size, const void *signature,
                                size_t signature_size);

/*
 * What was signed, out of a signature with CKF_VERIFY_RECOVER: for PKCS#1 v1.5 what the
 * padding is around, of any length; for raw RSA the block. CKR_SIGNATURE_INVALID,
 * CKR_SIGNATURE_LEN_RANGE.
 */
MUST_USE CK_RV mechanism_recover(const struct mechanism_use *use, struct public_key *key,
                                 const void *signature, size_t signature_size,
                                 struct buffer *ret_data);

/* A primitive to send to the KMS, with its parameter beside it. */
struct mechanism_plan {
	CK_MECHANISM primitive; /* points into this struct: don't copy it */
	union {
		CK_RSA_PKCS_PSS_PARAMS pss;
		CK_RSA_PKCS_OAEP_PARAMS oaep;
	} parameter;
	bool unpad; /* decrypt: the answer is a raw block for mechanism_unpad … */
	bool reject; /* … or, PKCS#1 v1.5, for rejection_unpad of rejection.h */
};

/* What the KMS is to sign: data as for mechanism_verify; ret_block is what goes to kms_sign. CKR_DATA_LEN_RANGE, CKR_DATA_INVALID (raw). */
MUST_USE CK_RV mechanism_plan_sign(const struct mechanism_use *use, const struct public_key *key,
                                   const void *data, size_t data_size,
                                   struct mechanism_plan *ret_plan, struct buffer *ret_block);
/*
 * The same for a whole message, which is hashed here where the mechanism has a hash, unless
 * the KMS hashes itself: then ret_block is the message.
 */
MUST_USE CK_RV mechanism_plan_message(const struct mechanism_use *use,
                                      const struct public_key *key, primitive_offered offered,
                                      const void *context, const void *message,
                                      size_t message_size, struct mechanism_plan *ret_plan,
                                      struct buffer *ret_block);
/*
 * How the KMS is to decrypt: its own OAEP for SHA-1 without a label when offered, else the
 * raw primitive and mechanism_unpad, else its OAEP with the parameter as it is. use must
 * outlive the plan. CKR_MECHANISM_INVALID: the KMS has neither; CKR_MECHANISM_PARAM_INVALID:
 * not with this parameter.
 */
MUST_USE CK_RV mechanism_plan_decrypt(const struct mechanism_use *use, const struct public_key *key,
                                      primitive_offered offered, const void *context,
                                      struct mechanism_plan *ret_plan);
/* What is encrypted so, the KMS can't decrypt: see CKM_P11_KMS_OAEP_SHA1_ONLY. */
bool mechanism_loses(const struct mechanism_use *use, primitive_offered offered,
                     const void *context);
/* Takes OAEP off a raw block, in constant time; without padding the block is made as long as the modulus. CKR_ENCRYPTED_DATA_INVALID for every cause. */
MUST_USE CK_RV mechanism_unpad(const struct mechanism_use *use, const struct public_key *key,
                               const struct secret *block, struct secret **ret_plaintext);

#endif
