/* SPDX-License-Identifier: Apache-2.0 */
#include "mechanism/check-value.h"

#include "mechanism/cipher.h"
#include "mechanism/digest.h"

#include <string.h>

#define BLOCK_SIZE 16

static CK_RV
first_block(const struct secret *key, unsigned char ret_block[BLOCK_SIZE])
{
	static const unsigned char zeros[BLOCK_SIZE];
	const CK_MECHANISM ecb = { CKM_AES_ECB, NULL, 0 };
	struct cipher *cipher = NULL;
	size_t size = 0;
	CK_RV rv = cipher_new(&ecb, true, key, NULL, &cipher);

	if (rv == CKR_OK)
		rv = cipher_single(cipher, zeros, sizeof zeros, ret_block, BLOCK_SIZE, &size);
	cipher_free(&cipher);
	return rv;
}

CK_RV
check_value(CK_KEY_TYPE key_type, const struct secret *value,
            unsigned char ret_value[CHECK_VALUE_SIZE])
{
	unsigned char block[DIGEST_SIZE_MAX];
	CK_RV rv;

	if (key_type == CKK_AES)
		rv = first_block(value, block);
	else
		rv = digest_once(CKM_SHA_1, secret_bytes(value), secret_size(value), block);
	if (rv == CKR_OK)
		memcpy(ret_value, block, CHECK_VALUE_SIZE);
	return rv;
}
