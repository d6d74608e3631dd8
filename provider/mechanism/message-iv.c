/* SPDX-License-Identifier: Apache-2.0 */
#include "mechanism/message-iv.h"

#include "base/openssl.h"
#include "mechanism/iv-count.h"

#include <openssl/rand.h>
#include <string.h>

/* NIST SP 800-38D, section 8.2.2. */
#define RANDOM_BITS_MIN 96
/* Where a count begins at random: two processes won't meet. */
#define START_BITS_MIN 64
#define COUNT_SIZE 4

static size_t
free_bits(const struct message_parameter *parameter)
{
	return 8 * parameter->iv_size - parameter->fixed_bits;
}

/* The bits after the fixed ones come from field, which is as long as the IV. */
static void
replace(const struct message_parameter *parameter, const unsigned char *field, unsigned char *iv)
{
	size_t first = parameter->fixed_bits / 8;
	unsigned mask = 0xffU >> parameter->fixed_bits % 8;

	iv[first] = (unsigned char)((iv[first] & ~mask) | (field[first] & mask));
	memcpy(iv + first + 1, field + first + 1, parameter->iv_size - first - 1);
}

static CK_RV
random_iv(const struct message_parameter *parameter, unsigned char *iv)
{
	unsigned char field[CIPHER_IV_MAX];

	if (free_bits(parameter) < RANDOM_BITS_MIN)
		return CKR_MECHANISM_PARAM_INVALID;
	if (RAND_bytes_ex(openssl_context(), field, parameter->iv_size, 0) != 1)
		return openssl_failure(CKR_FUNCTION_FAILED);
	replace(parameter, field, iv);
	return CKR_OK;
}

/* Threads that ask at a time are all given the same one. */
static CK_RV
count_of(struct cipher_store *store, const struct secret *key, struct iv_count **ret_count)
{
	struct iv_count *count = atomic_load_explicit(&store->count, memory_order_acquire);
	CK_RV rv = CKR_OK;

	if (count == NULL)
		rv = iv_count_of(key, &count);
	if (rv != CKR_OK)
		return rv;
	atomic_store_explicit(&store->count, count, memory_order_release);
	*ret_count = count;
	return CKR_OK;
}

/* What the free bits are before a number is XORed into them. */
static void
base_of(const struct message_parameter *parameter, const struct iv_count *count,
        unsigned char *iv)
{
	unsigned char field[CIPHER_IV_MAX] = { 0 };
	size_t size = parameter->iv_size < IV_COUNT_START_SIZE ? parameter->iv_size
	                                                        : IV_COUNT_START_SIZE;

	if (parameter->generator == CKG_GENERATE_COUNTER_XOR)
		return;
	if (parameter->generator == CKG_GENERATE)
		memcpy(field + parameter->iv_size - size, iv_count_start(count), size);
	replace(parameter, field, iv);
}

/* The IV's last bytes as a number, of which there may be fewer. */
static size_t
end_size(const struct message_parameter *parameter)
{
	return parameter->iv_size < COUNT_SIZE ? parameter->iv_size : COUNT_SIZE;
}

static uint32_t
end_get(const struct message_parameter *parameter, const unsigned char *iv)
{
	uint32_t end = 0;

	for (size_t i = end_size(parameter); i > 0; i--)
		end = end << 8 | iv[parameter->iv_size - i];
	return end;
}

static void
end_set(const struct message_parameter *parameter, uint32_t end, unsigned char *iv)
{
	for (size_t i = 1; i <= end_size(parameter); i++, end >>= 8)
		iv[parameter->iv_size - i] = (unsigned char)end;
}

static CK_RV
counted_iv(const struct message_parameter *parameter, struct cipher_store *store,
           const struct secret *key, unsigned char *iv)
{
	size_t bits = free_bits(parameter);
	uint32_t most = bits < 32 ? (UINT32_C(1) << bits) - 1 : UINT32_MAX;
	uint32_t end, number;
	struct iv_count *count;
	CK_RV rv = count_of(store, key, &count);

	if (rv != CKR_OK)
		return rv;
	base_of(parameter, count, iv);
	rv = iv_count_next(count, end_get(parameter, iv),
	                   parameter->generator == CKG_GENERATE_COUNTER_XOR, most, &end, &number);
	if (rv == CKR_OK)
		end_set(parameter, end ^ number, iv);
	return rv;
}

CK_RV
message_iv(const struct message_parameter *parameter, struct cipher_store *store,
           const struct secret *key, unsigned char *ret_iv)
{
	memcpy(ret_iv, parameter->iv, parameter->iv_size);
	switch (parameter->generator) {
	case CKG_NO_GENERATE:
		return CKR_OK;
	case CKG_GENERATE_COUNTER:
	case CKG_GENERATE_COUNTER_XOR:
		return counted_iv(parameter, store, key, ret_iv);
	case CKG_GENERATE_RANDOM:
		return random_iv(parameter, ret_iv);
	default:
		if (free_bits(parameter) >= RANDOM_BITS_MIN)
			return random_iv(parameter, ret_iv);
		if (free_bits(parameter) >= START_BITS_MIN)
			return counted_iv(parameter, store, key, ret_iv);
		return CKR_MECHANISM_PARAM_INVALID;
	}
}
