/* SPDX-License-Identifier: Apache-2.0 */
#include "pair.h"

#include "unit.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/param_build.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <string.h>

void
pair_spki(EVP_PKEY *evp, struct buffer *ret_spki)
{
	unsigned char *der = NULL;
	int size = i2d_PUBKEY(evp, &der);

	ck_assert_int_gt(size, 0);
	ck_assert_uint_eq(buffer_set(ret_spki, der, (size_t)size), CKR_OK);
	OPENSSL_free(der);
}

static void
pair_finish(EVP_PKEY *evp, struct pair *ret_pair)
{
	ck_assert_ptr_nonnull(evp);
	memset(ret_pair, 0, sizeof *ret_pair);
	ret_pair->evp = evp;
	pair_spki(evp, &ret_pair->spki);
	ck_assert_uint_eq(public_key_new(ret_pair->spki.data, ret_pair->spki.size, &ret_pair->key),
	                  CKR_OK);
}

void
pair_make(const char *algorithm, struct pair *ret_pair)
{
	const struct algorithm *found = algorithm_by_name(algorithm);

	ck_assert_ptr_nonnull(found);
	if (found->key_type == CKK_RSA)
		pair_make_rsa(found->bits, 65537, ret_pair);
	else if (found->key_type == CKK_EC)
		pair_finish(EVP_PKEY_Q_keygen(NULL, NULL, "EC", found->group), ret_pair);
	else
		pair_finish(EVP_PKEY_Q_keygen(NULL, NULL, found->group), ret_pair);
}

void
pair_make_rsa(unsigned bits, unsigned long exponent, struct pair *ret_pair)
{
	EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
	BIGNUM *e = BN_new();
	EVP_PKEY *evp = NULL;

	ck_assert_int_eq(BN_set_word(e, exponent), 1);
	ck_assert_int_eq(EVP_PKEY_keygen_init(context), 1);
	ck_assert_int_eq(EVP_PKEY_CTX_set_rsa_keygen_bits(context, (int)bits), 1);
	ck_assert_int_eq(EVP_PKEY_CTX_set1_rsa_keygen_pubexp(context, e), 1);
	ck_assert_int_eq(EVP_PKEY_generate(context, &evp), 1);
	EVP_PKEY_CTX_free(context);
	BN_free(e);
	pair_finish(evp, ret_pair);
}

void
pair_make_rsa_odd(unsigned bits, struct pair *ret_pair)
{
	BN_CTX *context = BN_CTX_new();
	BIGNUM *p = BN_new(), *q = BN_new(), *n = BN_new(), *e = BN_new(), *d = BN_new();
	OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
	OSSL_PARAM *params;
	EVP_PKEY_CTX *from = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
	EVP_PKEY *evp = NULL;

	ck_assert_int_eq(BN_set_word(e, 65537), 1);
	do
		ck_assert_int_eq(BN_generate_prime_ex(p, (int)bits / 2 + 1, 0, NULL, NULL, NULL) &
		                 BN_generate_prime_ex(q, (int)bits / 2, 0, NULL, NULL, NULL) &
		                 BN_mul(n, p, q, context), 1);
	while (BN_num_bits(n) != (int)bits);
	/* d = 1/e mod (p - 1) (q - 1) */
	ck_assert_int_eq(BN_sub_word(p, 1) & BN_sub_word(q, 1) & BN_mul(p, p, q, context), 1);
	ck_assert_ptr_nonnull(BN_mod_inverse(d, e, p, context));
	ck_assert_int_eq(OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_N, n) &
	                 OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_E, e) &
	                 OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_D, d), 1);
	params = OSSL_PARAM_BLD_to_param(build);
	ck_assert_int_eq(EVP_PKEY_fromdata_init(from), 1);
	ck_assert_int_eq(EVP_PKEY_fromdata(from, &evp, EVP_PKEY_KEYPAIR, params), 1);
	EVP_PKEY_CTX_free(from);
	OSSL_PARAM_free(params);
	OSSL_PARAM_BLD_free(build);
	BN_free(d);
	BN_free(e);
	BN_free(n);
	BN_free(q);
	BN_free(p);
	BN_CTX_free(context);
	pair_finish(evp, ret_pair);
}

void
pair_clear(struct pair *pair)
{
	public_key_free(&pair->key);
	buffer_clear(&pair->spki);
	EVP_PKEY_free(pair->evp);
	pair->evp = NULL;
}

void
pair_rsa_raw(const struct pair *pair, const unsigned char *block, unsigned char *ret_block)
{
	EVP_PKEY_CTX *context = EVP_PKEY_CTX_new(pair->evp, NULL);
	size_t size = (size_t)EVP_PKEY_get_size(pair->evp), length = size;

	ck_assert_int_eq(EVP_PKEY_decrypt_init(context), 1);
	ck_assert_int_eq(EVP_PKEY_CTX_set_rsa_padding(context, RSA_NO_PADDING), 1);
	ck_assert_int_eq(EVP_PKEY_decrypt(context, ret_block, &length, block, size), 1);
	ck_assert_uint_eq(length, size);
	EVP_PKEY_CTX_free(context);
}

void
pair_ecdsa(const struct pair *pair, const void *data, size_t size, unsigned char *ret_signature)
{
	EVP_PKEY_CTX *context = EVP_PKEY_CTX_new(pair->evp, NULL);
	int half = (EVP_PKEY_get_bits(pair->evp) + 7) / 8;
	unsigned char der[160];
	const unsigned char *at = der;
	size_t length = sizeof der;
	ECDSA_SIG *signature;

	ck_assert_int_eq(EVP_PKEY_sign_init(context), 1);
	ck_assert_int_eq(EVP_PKEY_sign(context, der, &length, data, size), 1);
	signature = d2i_ECDSA_SIG(NULL, &at, (long)length);
	ck_assert_ptr_nonnull(signature);
	ck_assert_int_eq(BN_bn2binpad(ECDSA_SIG_get0_r(signature), ret_signature, half), half);
	ck_assert_int_eq(BN_bn2binpad(ECDSA_SIG_get0_s(signature), ret_signature + half, half), half);
	ECDSA_SIG_free(signature);
	EVP_PKEY_CTX_free(context);
}

void
pair_eddsa(const struct pair *pair, const void *data, size_t size, unsigned char *ret_signature)
{
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	size_t length = 64;

	ck_assert_int_eq(EVP_DigestSignInit(context, NULL, NULL, NULL, pair->evp), 1);
	ck_assert_int_eq(EVP_DigestSign(context, ret_signature, &length, data, size), 1);
	ck_assert_uint_eq(length, 64);
	EVP_MD_CTX_free(context);
}
