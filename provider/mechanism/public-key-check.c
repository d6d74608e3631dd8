/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rules for a key that enters the registry: an HSM with a broken generator, or someone
 * who slips a key in, must not get past them.
 */
#include "mechanism/public-key.h"

#include "base/openssl.h"
#include "mechanism/ecdh.h"
#include "mechanism/public-key-private.h"

#include <openssl/bn.h>
#include <stdbool.h>

#define EXPONENT_BITS_MAX 256 /* FIPS 186-5, section 5.4: e is below 2^256 */
/* OpenSSL computes with no longer exponent once the modulus is long (rsa.h). */
#define LARGE_MODULUS_BITS 3072
#define LARGE_MODULUS_EXPONENT_BITS 64

#define ROCA_GENERATOR 65537
#define ROCA_PRIME_MAX 167 /* divides the primorial of every size of key the library made */

static bool
prime_small(unsigned number)
{
	for (unsigned divisor = 2; divisor * divisor <= number; divisor++)
		if (number % divisor == 0)
			return false;
	return true;
}

static bool
subgroup_has(unsigned prime, unsigned residue)
{
	unsigned power = 1;

	do {
		if (power == residue)
			return true;
		power = power * (ROCA_GENERATOR % prime) % prime;
	} while (power != 1);
	return false;
}

/*
 * ROCA (CVE-2017-15361; Nemec et al., "The Return of Coppersmith's Attack", 2017, section
 * 2.2): the library made its primes as k * M + (65537^a mod M), M a primorial, so that the
 * modulus is a power of 65537 modulo every small prime. Others are by chance, once in 2^28.
 */
static bool
roca_fingerprint(const BIGNUM *modulus)
{
	for (unsigned prime = 3; prime <= ROCA_PRIME_MAX; prime += 2)
		if (prime_small(prime) &&
		    !subgroup_has(prime, (unsigned)BN_mod_word(modulus, prime)))
			return false;
	return true;
}

static const char *
rsa_numbers_wrong(const BIGNUM *modulus, const BIGNUM *exponent, const struct algorithm *algorithm)
{
	int limit = algorithm->bits > LARGE_MODULUS_BITS ? LARGE_MODULUS_EXPONENT_BITS
	                                                 : EXPONENT_BITS_MAX;

	if ((unsigned)BN_num_bits(modulus) != algorithm->bits)
		return "the modulus has another size than the algorithm";
	if (!BN_is_odd(modulus))
		return "the modulus is even";
	if (!BN_is_odd(exponent))
		return "the public exponent is even";
	if (BN_num_bits(exponent) < 17) /* odd and of 17 bits: 65537 or more */
		return "the public exponent is below 65537";
	if (BN_num_bits(exponent) > limit)
		return "the public exponent is too large";
	if (roca_fingerprint(modulus))
		return "the modulus has the ROCA fingerprint (CVE-2017-15361)";
	return NULL;
}

/* OpenSSL's part. RSA: no small factor, not a prime, no power of one. EC: on the curve, of full order. */
static CK_RV
evp_check(const struct spki_parts *parts, const char *wrong, const char **ret_why)
{
	EVP_PKEY_CTX *context = NULL;
	EVP_PKEY *evp = NULL;
	CK_RV rv = public_key_to_evp(parts, &evp);

	if (rv != CKR_OK)
		goto out;
	context = EVP_PKEY_CTX_new_from_pkey(openssl_context(), evp, NULL);
	if (context == NULL)
		rv = openssl_failure(CKR_HOST_MEMORY);
	else if (EVP_PKEY_public_check(context) != 1)
		rv = openssl_failure(CKR_PUBLIC_KEY_INVALID);
out:
	if (rv == CKR_PUBLIC_KEY_INVALID)
		*ret_why = wrong;
	EVP_PKEY_CTX_free(context);
	EVP_PKEY_free(evp);
	return rv;
}

static CK_RV
rsa_check(const struct spki_parts *parts, const struct algorithm *algorithm, const char **ret_why)
{
	BIGNUM *modulus = BN_bin2bn(parts->modulus.data, (int)parts->modulus.size, NULL);
	BIGNUM *exponent = BN_bin2bn(parts->exponent.data, (int)parts->exponent.size, NULL);
	const char *wrong;
	CK_RV rv;

	if (modulus == NULL || exponent == NULL) {
		rv = openssl_failure(CKR_HOST_MEMORY);
		goto out;
	}
	wrong = rsa_numbers_wrong(modulus, exponent, algorithm);
	if (wrong != NULL) {
		*ret_why = wrong;
		rv = CKR_PUBLIC_KEY_INVALID;
		goto out;
	}
	rv = evp_check(parts, "the modulus is not a product of two large primes", ret_why);
out:
	BN_free(exponent);
	BN_free(modulus);
	return rv;
}

/* The numbers of edwards25519 (RFC 8032, section 5.1) that the checks need. */
struct edwards {
	BN_CTX *context;
	BIGNUM *p, *d;       /* 2^255 - 19; -121665/121666 */
	BIGNUM *y, *yy;      /* of the point; and its square */
	BIGNUM *u, *v, *one; /* y² - 1; d y² + 1 */
};

/* All from one frame of context. False: no memory. */
static bool
edwards_load(struct edwards *e, const struct buffer *point)
{
	unsigned char bytes[32];

	for (size_t i = 0; i < sizeof bytes; i++)
		bytes[i] = point->data[i];
	bytes[31] &= 0x7f; /* the sign of x */
	e->p = BN_CTX_get(e->context);
	e->d = BN_CTX_get(e->context);
	e->y = BN_CTX_get(e->context);
	e->yy = BN_CTX_get(e->context);
	e->u = BN_CTX_get(e->context);
	e->v = BN_CTX_get(e->context);
	e->one = BN_CTX_get(e->context);
	return e->one != NULL && BN_lebin2bn(bytes, sizeof bytes, e->y) != NULL &&
	       BN_one(e->one) == 1 && BN_set_bit(e->p, 255) == 1 && BN_sub_word(e->p, 19) == 1 &&
	       BN_set_word(e->u, 121666) == 1 &&
	       BN_mod_inverse(e->d, e->u, e->p, e->context) != NULL &&
	       BN_mul_word(e->d, 121665) == 1 && BN_sub(e->d, e->p, e->d) == 1 &&
	       BN_nnmod(e->d, e->d, e->p, e->context) == 1 &&
	       BN_mod_sqr(e->yy, e->y, e->p, e->context) == 1 &&
	       BN_mod_sub(e->u, e->yy, e->one, e->p, e->context) == 1 &&
	       BN_mod_mul(e->v, e->d, e->yy, e->p, e->context) == 1 &&
	       BN_mod_add(e->v, e->v, e->one, e->p, e->context) == 1;
}

/*
 * The order divides 8 when y = 1 or -1 (x = 0; u is 0), y = 0, or the double has y = 0, which
 * the curve's equation makes d y⁴ + 2 y² - 1 = 0, that is v y² + u = 0.
 */
static bool
edwards_small_order(struct edwards *e, bool *ret_small)
{
	BIGNUM *sum = BN_CTX_get(e->context);

	if (sum == NULL || BN_mod_mul(sum, e->v, e->yy, e->p, e->context) != 1 ||
	    BN_mod_add(sum, sum, e->u, e->p, e->context) != 1)
		return false;
	*ret_small = BN_is_zero(e->u) || BN_is_zero(e->y) || BN_is_zero(sum);
	return true;
}

/* x² = u / v has a root when u v is a square (or zero: of small order then). */
static bool
edwards_on_curve(struct edwards *e, bool *ret_on_curve)
{
	BIGNUM *product = BN_CTX_get(e->context);
	int symbol;

	if (product == NULL || BN_mod_mul(product, e->u, e->v, e->p, e->context) != 1)
		return false;
	symbol = BN_kronecker(product, e->p, e->context);
	*ret_on_curve = symbol == 1;
	return symbol != -2;
}

/* OpenSSL takes any 32 bytes for an Ed25519 key, and EVP_PKEY_public_check does not know them. */
static CK_RV
edwards_check(const struct buffer *point, const char **ret_why)
{
	struct edwards e = { .context = BN_CTX_new_ex(openssl_context()) };
	bool small, on_curve;
	CK_RV rv = CKR_PUBLIC_KEY_INVALID;

	if (e.context == NULL)
		return openssl_failure(CKR_HOST_MEMORY);
	BN_CTX_start(e.context);
	if (!edwards_load(&e, point) || !edwards_small_order(&e, &small) ||
	    !edwards_on_curve(&e, &on_curve))
		rv = openssl_failure(CKR_HOST_MEMORY);
	else if (BN_cmp(e.y, e.p) >= 0)
		*ret_why = "the point is not in its canonical form";
	else if (small)
		*ret_why = "the point is of small order";
	else if (!on_curve)
		*ret_why = "the point is not on the curve";
	else
		rv = CKR_OK;
	BN_CTX_end(e.context);
	BN_CTX_free(e.context);
	return rv;
}

/* RFC 7748, section 5: u is below 2^255 - 19, in which 19 is all that 255 bits leave out. */
static bool
montgomery_canonical(const struct buffer *point)
{
	if (point->data[point->size - 1] != 0x7f)
		return point->data[point->size - 1] < 0x7f;
	for (size_t i = 1; i < point->size - 1; i++)
		if (point->data[i] != 0xff)
			return true;
	return point->data[0] < 0xed;
}

/* Any u is on the curve or on its twist, and both do for X25519: only its order counts. */
static CK_RV
montgomery_check(const struct spki_parts *parts, const char **ret_why)
{
	struct buffer point = BUFFER_INIT;
	struct secret *shared = NULL;
	EVP_PKEY *evp = NULL;
	CK_RV rv;

	if (!montgomery_canonical(&parts->point)) {
		*ret_why = "the point is not in its canonical form";
		return CKR_PUBLIC_KEY_INVALID;
	}
	rv = public_key_to_evp(parts, &evp);
	if (rv == CKR_OK)
		rv = ecdh_challenge(evp, &point, &shared);
	if (rv == CKR_PUBLIC_KEY_INVALID)
		*ret_why = "the point is of small order";
	secret_free(&shared);
	buffer_clear(&point);
	EVP_PKEY_free(evp);
	return rv;
}

CK_RV
public_key_check(const void *spki, size_t size, const struct algorithm *algorithm,
                 const char **ret_why)
{
	struct spki_parts parts = { .key_type = CKK_RSA };
	CK_RV rv = spki_parse(spki, size, &parts);

	if (rv != CKR_OK) {
		*ret_why = "not a SubjectPublicKeyInfo of a known kind of key";
		return rv;
	}
	if (parts.key_type != algorithm->key_type ||
	    (parts.key_type != CKK_RSA && parts.algorithm != algorithm)) {
		*ret_why = "the key is of another kind than the algorithm";
		rv = CKR_PUBLIC_KEY_INVALID;
	} else if (parts.key_type == CKK_RSA)
		rv = rsa_check(&parts, algorithm, ret_why);
	else if (parts.key_type == CKK_EC)
		rv = evp_check(&parts, "the point is not on the curve", ret_why);
	else if (parts.key_type == CKK_EC_MONTGOMERY)
		rv = montgomery_check(&parts, ret_why);
	else
		rv = edwards_check(&parts.point, ret_why);
	spki_parts_clear(&parts);
	return rv;
}
