/* SPDX-License-Identifier: Apache-2.0 */
/* A message digest in progress (OpenSSL's, prepared once and reused). */
#ifndef P11_KMS_MECHANISM_DIGEST_H
#define P11_KMS_MECHANISM_DIGEST_H

#include "base/compiler.h"
#include "base/pkcs11.h"

#include <stddef.h>

#define DIGEST_SIZE_MAX 64

struct digest; /* opaque; one thread at a time */

/* CKM_SHA_1, CKM_SHA224, CKM_SHA256, CKM_SHA384, CKM_SHA512; else CKR_MECHANISM_INVALID. */
MUST_USE CK_RV digest_new(CK_MECHANISM_TYPE type, struct digest **ret_digest);
void digest_free(struct digest **digest);
size_t digest_size(CK_MECHANISM_TYPE type); /* 0: no such digest */

MUST_USE CK_RV digest_update(struct digest *digest, const void *data, size_t size);
/* ret_value has digest_size bytes of room. The digest can only be freed afterwards. */
MUST_USE CK_RV digest_final(struct digest *digest, unsigned char *ret_value);
/* One call for a whole message. */
MUST_USE CK_RV digest_once(CK_MECHANISM_TYPE type, const void *data, size_t size,
                           unsigned char *ret_value);

#endif
