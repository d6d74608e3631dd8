/* SPDX-License-Identifier: Apache-2.0 */
/* Registries for tests: an authority whose private half is at hand, and records to put in. */
#ifndef P11_KMS_TESTS_REGISTRY_FIXTURE_H
#define P11_KMS_TESTS_REGISTRY_FIXTURE_H

#include "registry/registry.h"

#include <openssl/evp.h>

/* All but where said: exits the process with a message when something fails. */

struct fixture_authority {
	EVP_PKEY *key;
	struct authority *authority;
	struct signer signer; /* signs with key, in this process */
	unsigned signatures;  /* how many it made */
	CK_RV fail;           /* what it returns instead, when not CKR_OK */
	struct fixture_authority *next; /* signs when it is the one of the term; borrowed, may be NULL */
};

/* algorithm: "p-256", or "rsa-2048" … openssl_start comes first. */
void fixture_authority_new(const char *algorithm, struct fixture_authority *ret_authority);
void fixture_authority_clear(struct fixture_authority *authority);

/* A signature as the KMS makes it: r and s, or RSASSA-PKCS1-v1_5. Returns a CK_RV. */
CK_RV fixture_sign(void *context, const struct term *term, const void *message, size_t size,
                   struct buffer *ret_signature);

/* A P-256 public key (the authority's own bytes do). CKA_ID: 16 bytes made of seed. State active. */
struct version *fixture_version(const char *name, int64_t number, uint64_t seed,
                                const struct buffer *spki);
struct key_record *fixture_key(const char *name);
struct token_record *fixture_token(void);

/* Creates path with a token record. Expires in an hour. */
struct registry *fixture_registry(const char *path, struct fixture_authority *authority);
/* Commits the key (record and version 1). Returns its object. */
int64_t fixture_add_key(struct registry *registry, struct fixture_authority *authority,
                        const char *name, uint64_t seed);

/* Runs SQL on the file behind the registry's back, formatted as by sqlite3_mprintf (%Q, %lld …). Side files stay. */
void fixture_sql(const char *path, const char *format, ...);
/* The first column of the first row; 0 when there is none. */
int64_t fixture_sql_number(const char *path, const char *sql);

#endif
