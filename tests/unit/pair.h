/* SPDX-License-Identifier: Apache-2.0 */
/* A whole key pair for tests: the private half in OpenSSL's own context plays the KMS, and is the second opinion. */
#ifndef P11_KMS_TESTS_PAIR_H
#define P11_KMS_TESTS_PAIR_H

#include "base/algorithm.h"
#include "mechanism/public-key.h"

#include <openssl/evp.h>

struct pair {
	EVP_PKEY *evp;
	struct buffer spki;
	struct public_key *key;
};

/* Each ends the test when it fails. openssl_start first. */
void pair_make(const char *algorithm, struct pair *ret_pair);
void pair_make_rsa(unsigned bits, unsigned long exponent, struct pair *ret_pair);
/* An odd number of bits, which OpenSSL does not generate itself. */
void pair_make_rsa_odd(unsigned bits, struct pair *ret_pair);
void pair_clear(struct pair *pair);

/* The SubjectPublicKeyInfo as OpenSSL writes it. */
void pair_spki(EVP_PKEY *evp, struct buffer *ret_spki);
/* The private operation on a block as long as the modulus. */
void pair_rsa_raw(const struct pair *pair, const unsigned char *block, unsigned char *ret_block);
/* ECDSA over a hash of any length: r and s. */
void pair_ecdsa(const struct pair *pair, const void *data, size_t size, unsigned char *ret_signature);
void pair_eddsa(const struct pair *pair, const void *data, size_t size, unsigned char *ret_signature);

#endif
