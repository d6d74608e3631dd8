/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Signature mechanisms, and the second opinion on what they make: OpenSSL, from the public
 * key alone.
 */
#ifndef P11_KMS_TESTS_SIGNING_H
#define P11_KMS_TESTS_SIGNING_H

#include "pair.h"

#define SIGNATURE_MAX 1024
#define MESSAGE_MAX 1024

enum scheme { SCHEME_PKCS1, SCHEME_PSS, SCHEME_RAW_RSA, SCHEME_ECDSA, SCHEME_EDDSA };

struct signing {
	const char *name;
	CK_MECHANISM_TYPE type;
	enum scheme scheme;
	const char *digest;    /* of the message, made by the mechanism; NULL: none */
	const char *pss_digest; /* PSS parameters */
	int salt;
};

size_t signing_count(void);
const struct signing *signing_at(size_t index);

/* The module offers the mechanism for the flag, and the pair is of its kind. */
bool signing_applies(const struct signing *signing, enum pair_kind kind, CK_FLAGS flag);
/* Offered, and more than one C_SignUpdate makes sense of it (mechanisms 3.0, tables of section 2). */
bool signing_multipart(const struct signing *signing);

/* Fills mechanism; points into itself. */
struct signing_mechanism {
	CK_MECHANISM mechanism;
	CK_RSA_PKCS_PSS_PARAMS pss;
};
void signing_mechanism(const struct signing *signing, struct signing_mechanism *ret_mechanism);

/* Something to sign: a message, or what stands for one (a digest, a DigestInfo, a block). */
CK_ULONG signing_message(const struct signing *signing, enum pair_kind kind,
                         unsigned char *ret_message);

/* OpenSSL's opinion. */
bool signing_verify(const struct signing *signing, EVP_PKEY *key, const unsigned char *message,
                    size_t message_size, const unsigned char *signature, size_t signature_size);

#endif
