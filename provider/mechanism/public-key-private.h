/* SPDX-License-Identifier: Apache-2.0 */
/* Inside of mechanism/: what a struct public_key is made of. */
#ifndef P11_KMS_MECHANISM_PUBLIC_KEY_PRIVATE_H
#define P11_KMS_MECHANISM_PUBLIC_KEY_PRIVATE_H

#include "mechanism/prepared.h"
#include "mechanism/public-key.h"
#include "mechanism/spki.h"

struct public_key {
	struct spki_parts parts; /* owned */
	struct buffer spki;      /* owned */
	EVP_PKEY *evp;           /* owned */
	unsigned bits;
	size_t signature_size;
	struct prepared_store prepared;
	EVP_MD_CTX *eddsa; /* owned, Ed25519 only: set up, never used, copied by each verification */
};

/* For OpenSSL, from the parts. CKR_PUBLIC_KEY_INVALID: also a point that is not on its curve. */
MUST_USE CK_RV public_key_to_evp(const struct spki_parts *parts, EVP_PKEY **ret_evp);

#endif
