/* SPDX-License-Identifier: Apache-2.0 */
#include "mechanism/message-iv.h"

#include "base/openssl.h"

#include <openssl/rand.h>
#include <string.h>

/* NIST SP 800-38D, section 8.2.2. */
#define RANDOM_BITS_MIN 96

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

/* Big-endian, at the end of a field that is zero. False: it has more bits than are free. */
static bool
field_of(const struct message_parameter *parameter, uint64_t number, unsigned char *field)
{
	size_t bits = free_bits(parameter);

	if (bits < 64 && number >> bits != 0)
		return false;
	memset(field, 0, parameter->iv_size);
	for (size_t i = parameter->iv_size; i > 0 && number != 0; i--, number >>= 8)
		field[i - 1] = (unsigned char)number;
	return true;
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

static CK_RV
counter_iv(const struct message_parameter *parameter, struct cipher_store *store,
           unsigned char *iv)
{
	unsigned char field[CIPHER_IV_MAX];
	uint64_t number = atomic_fetch_add_explicit(&store->messages, 1, memory_order_relaxed);

	if (!field_of(parameter, number, field))
		return CKR_DATA_LEN_RANGE;
	replace(parameter, field, iv);
	return CKR_OK;
}

static CK_RV
xor_iv(const struct message_parameter *parameter, uint64_t *number, unsigned char *iv)
{
	unsigned char field[CIPHER_IV_MAX];

	if (!field_of(parameter, *number, field))
		return CKR_DATA_LEN_RANGE;
	for (size_t i = 0; i < parameter->iv_size; i++)
		iv[i] ^= field[i];
	(*number)++;
	return CKR_OK;
}

CK_RV
message_iv(const struct message_parameter *parameter, struct cipher_store *store,
           uint64_t *number, unsigned char *ret_iv)
{
	memcpy(ret_iv, parameter->iv, parameter->iv_size);
	switch (parameter->generator) {
	case CKG_NO_GENERATE:
		return CKR_OK;
	case CKG_GENERATE_COUNTER:
		return counter_iv(parameter, store, ret_iv);
	case CKG_GENERATE_COUNTER_XOR:
		return xor_iv(parameter, number, ret_iv);
	case CKG_GENERATE_RANDOM:
		return random_iv(parameter, ret_iv);
	default:
		return free_bits(parameter) >= RANDOM_BITS_MIN
		               ? random_iv(parameter, ret_iv)
		               : counter_iv(parameter, store, ret_iv);
	}
}
