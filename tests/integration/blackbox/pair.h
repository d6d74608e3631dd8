/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Key pairs for the tests: made once before the suite runs (token objects, labelled with
 * the process's number), and again by tests that use one up.
 */
#ifndef P11_KMS_TESTS_PAIR_H
#define P11_KMS_TESTS_PAIR_H

#include "base/pkcs11.h"

#include <openssl/evp.h>
#include <stdbool.h>

enum pair_kind {
	PAIR_RSA, /* signs and decrypts */
	PAIR_RSA_SIGN,
	PAIR_RSA_DECRYPT,
	PAIR_P256,
	PAIR_P384,
	PAIR_P521,
	PAIR_ED25519,
	PAIR_X25519, /* derives, and nothing else */
	PAIR_KINDS,
};

const char *pair_name(enum pair_kind kind);
CK_KEY_TYPE pair_key_type(enum pair_kind kind);
unsigned pair_bits(enum pair_kind kind);
bool pair_signs(enum pair_kind kind);
bool pair_decrypts(enum pair_kind kind);
/* The module says that it can make such pairs. */
bool pair_offered(enum pair_kind kind);

/* With a plain template. id may be NULL: none is asked for. */
CK_RV pair_generate(CK_SESSION_HANDLE session, enum pair_kind kind, const char *label,
                    const void *id, CK_ULONG id_size, CK_OBJECT_HANDLE *ret_public,
                    CK_OBJECT_HANDLE *ret_private);

/* In the process that runs the suite, before anything else. */
void pairs_begin(void);
void pairs_make(void);
void pairs_destroy(void);

/* The label and the CKA_ID under which pairs_make has made one. */
const char *pair_label(enum pair_kind kind);
const unsigned char *pair_id(enum pair_kind kind, CK_ULONG *ret_size);
CK_OBJECT_HANDLE pair_public(CK_SESSION_HANDLE session, enum pair_kind kind);
CK_OBJECT_HANDLE pair_private(CK_SESSION_HANDLE session, enum pair_kind kind);

/* OpenSSL's key, from the attributes of the public key object. Caller frees. */
EVP_PKEY *pair_evp(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE public_key, enum pair_kind kind);

#endif
