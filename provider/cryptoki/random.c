/* SPDX-License-Identifier: Apache-2.0 */
/* Random number generation functions. PKCS#11 3.0, section 5.19. */
#include "base/openssl.h"
#include "cryptoki/entry.h"

#include <openssl/rand.h>

/*
 * OpenSSL's generator seeds itself from the system; what comes from the caller is mixed in
 * beside that (NIST SP 800-90A, section 9.2: additional input), at the root, from which the
 * generators of all threads are seeded anew before they give out more.
 */
CK_RV
C_SeedRandom(CK_SESSION_HANDLE handle, unsigned char *seed, CK_ULONG seed_size)
{
	struct session *session = NULL;
	CK_RV rv;

	rv = entry_begin_given(handle, entry_given(seed, seed_size), &session);
	if (rv == CKR_OK && seed_size != 0 &&
	    EVP_RAND_reseed(RAND_get0_primary(openssl_context()), 0, NULL, 0, seed, seed_size) != 1)
		rv = openssl_failure(CKR_FUNCTION_FAILED);
	return entry_end("C_SeedRandom", session, rv);
}

CK_RV
C_GenerateRandom(CK_SESSION_HANDLE handle, unsigned char *random, CK_ULONG random_size)
{
	struct session *session = NULL;
	CK_RV rv;

	rv = entry_begin_given(handle, entry_given(random, random_size), &session);
	if (rv == CKR_OK && random_size != 0 &&
	    RAND_bytes_ex(openssl_context(), random, random_size, 0) != 1)
		rv = openssl_failure(CKR_FUNCTION_FAILED);
	return entry_end("C_GenerateRandom", session, rv);
}
