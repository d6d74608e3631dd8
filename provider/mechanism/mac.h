/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Message authentication codes under a secret key: CKM_SHA_1_HMAC, CKM_SHA224_HMAC …
 * CKM_SHA512_HMAC (PKCS#11 mechanisms 3.0, sections 2.20 to 2.26), CKM_AES_CMAC (section
 * 2.16), and their _GENERAL forms, whose parameter (a CK_ULONG) says how many of the
 * leading bytes are given.
 */
#ifndef P11_KMS_MECHANISM_MAC_H
#define P11_KMS_MECHANISM_MAC_H

#include "base/compiler.h"
#include "base/pkcs11.h"
#include "base/secret.h"

#include <stdbool.h>
#include <stddef.h>

#define MAC_SIZE_MAX 64

struct mac; /* opaque; one thread at a time */

/* Is this one of the mechanisms above? */
bool mac_offers(CK_MECHANISM_TYPE type);

/*
 * key is copied: 1 byte or more for HMAC; 16, 24 or 32 for CMAC.
 * CKR_MECHANISM_INVALID, CKR_MECHANISM_PARAM_INVALID (a length of 0 or past the whole, or a
 * parameter where none belongs), CKR_KEY_SIZE_RANGE, CKR_HOST_MEMORY.
 */
MUST_USE CK_RV mac_new(const CK_MECHANISM *mechanism, const struct secret *key,
                       struct mac **ret_mac);
void mac_free(struct mac **mac); /* wipes; NULL is allowed */

/* Bytes of the code. */
size_t mac_size(const struct mac *mac);

/* data may be NULL when size is 0. */
MUST_USE CK_RV mac_update(struct mac *mac, const void *data, size_t size);
/* ret_value: mac_size bytes of room. The mac can only be freed afterwards. */
MUST_USE CK_RV mac_final(struct mac *mac, unsigned char *ret_value);
/* In constant time. CKR_SIGNATURE_LEN_RANGE, CKR_SIGNATURE_INVALID. The mac can only be freed afterwards. */
MUST_USE CK_RV mac_verify(struct mac *mac, const void *value, size_t size);

#endif
