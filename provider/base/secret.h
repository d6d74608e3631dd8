/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Secret bytes (PINs, data keys, plaintext in transit): in pages of their own,
 * locked in memory where the limit allows, left out of core dumps, wiped when freed.
 */
#ifndef P11_KMS_BASE_SECRET_H
#define P11_KMS_BASE_SECRET_H

#include "base/compiler.h"
#include "base/pkcs11.h"

#include <stdbool.h>
#include <stddef.h>

struct secret; /* opaque */

/* size bytes, zeroed; size 0 is allowed. CKR_HOST_MEMORY. */
MUST_USE CK_RV secret_new(size_t size, struct secret **ret_secret);
MUST_USE CK_RV secret_dup(const void *data, size_t size, struct secret **ret_secret);
/* Wipes, unmaps, sets NULL. NULL is allowed. */
void secret_free(struct secret **secret);

/* Borrowed until secret_free. */
unsigned char *secret_data(struct secret *secret);
const unsigned char *secret_bytes(const struct secret *secret);
size_t secret_size(const struct secret *secret);
/* Shortens (never lengthens); what falls off is wiped. */
void secret_truncate(struct secret *secret, size_t size);
/* In constant time for equal sizes. */
bool secret_equal(const struct secret *secret, const void *data, size_t size);

#endif
