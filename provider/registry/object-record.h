/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Certificates and data objects on the token: records that hold an object's attributes as they
 * are. The registry does not know what they mean, but for those that the index is made of.
 */
#ifndef P11_KMS_REGISTRY_OBJECT_RECORD_H
#define P11_KMS_REGISTRY_OBJECT_RECORD_H

#include "base/attributes.h"
#include "base/buffer.h"
#include "base/compiler.h"
#include "base/pkcs11.h"

#include <stdbool.h>
#include <stdint.h>

struct object_record {
	int64_t object;   /* sequence of its first entry; 0 before the first commit */
	int64_t created;
	bool removed;     /* then it has no attributes */
	struct attributes attributes; /* none nested */
};

MUST_USE CK_RV object_record_new(struct object_record **ret_record);
void object_record_free(struct object_record **record);

/* As those of record.h. CKR_DATA_INVALID: also larger than an entry may be. */
MUST_USE CK_RV object_record_encode(const struct object_record *record, struct buffer *ret_json);
MUST_USE CK_RV object_record_decode(const void *json, size_t size,
                                    struct object_record **ret_record);

#endif
