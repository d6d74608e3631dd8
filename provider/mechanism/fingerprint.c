/* SPDX-License-Identifier: Apache-2.0 */
#include "mechanism/fingerprint.h"

#include "base/openssl.h"
#include "mechanism/digest.h"

#include <openssl/rand.h>

#define SALT_SIZE 32

CK_RV
fingerprint_salt_new(struct secret **ret_salt)
{
	struct secret *salt = NULL;
	CK_RV rv = secret_new(SALT_SIZE, &salt);

	if (rv == CKR_OK &&
	    RAND_priv_bytes_ex(openssl_context(), secret_data(salt), SALT_SIZE, 0) != 1)
		rv = openssl_failure(CKR_FUNCTION_FAILED);
	if (rv != CKR_OK)
		secret_free(&salt);
	else
		*ret_salt = salt;
	return rv;
}

CK_RV
fingerprint_of(const struct secret *salt, const struct secret *value,
               unsigned char ret_fingerprint[FINGERPRINT_SIZE])
{
	struct digest *digest = NULL;
	CK_RV rv = digest_new(CKM_SHA256, &digest);

	if (rv == CKR_OK)
		rv = digest_update(digest, secret_bytes(salt), secret_size(salt));
	if (rv == CKR_OK)
		rv = digest_update(digest, secret_bytes(value), secret_size(value));
	if (rv == CKR_OK)
		rv = digest_final(digest, ret_fingerprint);
	digest_free(&digest);
	return rv;
}
