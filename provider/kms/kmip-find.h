/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Objects of a KMIP server, found by our CKA_ID (kmip-identity.h) or listed. What a server
 * lists is checked on this side: not all of them heed what they are asked for.
 */
#ifndef P11_KMS_KMS_KMIP_FIND_H
#define P11_KMS_KMS_KMIP_FIND_H

#include "base/compiler.h"
#include "kms/kmip-object.h"
#include "kms/kmip-session.h"

/*
 * The unique identifier of one half; KMIP_IDENTIFIER_MAX + 1 bytes. CKR_KEY_HANDLE_INVALID:
 * there is none. Remembered until kmip_forget, so that it may be gone by now.
 */
MUST_USE CK_RV kmip_find(struct kmip_session *session, enum kmip_object_type type, const void *id,
                         size_t id_size, char *ret_identifier);
/*
 * The server does not know what kmip_find said. True when that was remembered, and another
 * look may help.
 */
bool kmip_forget(struct kmip_session *session, enum kmip_object_type type, const void *id,
                 size_t id_size);

/* The same for a Name, not remembered. */
MUST_USE CK_RV kmip_find_named(struct kmip_session *session, enum kmip_object_type type,
                               const char *name, char *ret_identifier);

/* Unique identifiers that a server has listed. */
struct kmip_listing {
	char (*identifiers)[KMIP_IDENTIFIER_MAX + 1]; /* owned */
	size_t count, room;
};

void kmip_listing_clear(struct kmip_listing *listing);

/* Objects of a type or (name not NULL) those with a Name, page by page. */
struct kmip_search {
	enum kmip_object_type type;
	const char *name; /* borrowed, may be NULL */
	size_t offset;
	bool ended;
	char first[KMIP_IDENTIFIER_MAX + 1]; /* of the page before */
};

/* The next page; none in it: that was all. ret_listing is the caller's to clear. */
MUST_USE CK_RV kmip_search_next(struct kmip_session *session, struct kmip_search *search,
                                struct kmip_listing *ret_listing);

#endif
