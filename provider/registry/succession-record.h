/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Records of the authority's succession: the hand-over from one to the next, and the pages
 * with which the next one vouches for what was before it (doc/registry-format.md).
 */
#ifndef P11_KMS_REGISTRY_SUCCESSION_RECORD_H
#define P11_KMS_REGISTRY_SUCCESSION_RECORD_H

#include "base/buffer.h"
#include "base/compiler.h"
#include "base/pkcs11.h"

#include <stdint.h>

#define PAGE_ENTRIES 256 /* in a page of the past; the last one has what is left */
#define PAGE_HASH_SIZE 32

struct handover_record {
	int64_t created;
	struct buffer id;       /* CKA_ID of the new authority in the KMS */
	struct buffer replaces; /* of the old one */
	struct buffer spki;     /* of the new one: DER SubjectPublicKeyInfo */
};

void handover_record_clear(struct handover_record *record);

/* The chain hashes of the entries from first on. */
struct page_record {
	int64_t first;
	struct buffer hashes;
};

void page_record_clear(struct page_record *page);

/* As all records: encoding is canonical, decoding strict. CKR_DATA_INVALID, CKR_HOST_MEMORY. ret: to be cleared in any case. */
MUST_USE CK_RV handover_record_encode(const struct handover_record *record, struct buffer *ret_json);
MUST_USE CK_RV handover_record_decode(const void *json, size_t size,
                                      struct handover_record *ret_record);
MUST_USE CK_RV page_record_encode(const struct page_record *page, struct buffer *ret_json);
MUST_USE CK_RV page_record_decode(const void *json, size_t size, struct page_record *ret_page);

#endif
