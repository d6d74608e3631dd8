/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a server called our objects when they were last looked for: CKA_ID → unique
 * identifier, for each server. A cache of fixed size; whatever it says is checked by use.
 */
#ifndef P11_KMS_KMS_KMIP_NAMES_H
#define P11_KMS_KMS_KMIP_NAMES_H

#include "base/compiler.h"
#include "base/pkcs11.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Longer ones are not kept; the standard sets no limit. */
#define KMIP_IDENTIFIER_MAX 255

struct kmip_names; /* opaque; may be used by several threads */

MUST_USE CK_RV kmip_names_new(struct kmip_names **ret_names);
void kmip_names_free(struct kmip_names **names);
void kmip_names_forked(struct kmip_names *names);

/*
 * owner: whose unique identifier it is (a server); type: an object type. ret_identifier has
 * KMIP_IDENTIFIER_MAX + 1 bytes.
 */
MUST_USE bool kmip_names_get(struct kmip_names *names, const void *owner, uint32_t type,
                             const void *id, size_t id_size, char *ret_identifier);
void kmip_names_put(struct kmip_names *names, const void *owner, uint32_t type, const void *id,
                    size_t id_size, const char *identifier);
void kmip_names_remove(struct kmip_names *names, const void *owner, uint32_t type,
                       const void *id, size_t id_size);

#endif
