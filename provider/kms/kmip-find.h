/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Objects of a KMIP server, found by our CKA_ID (kmip-identity.h) or listed. What a server
 * lists is checked on this side: not all of them heed what they are asked for.
 */
#ifndef P11_KMS_KMS_KMIP_FIND_H
#define P11_KMS_KMS_KMIP_FIND_H

#include "base/compiler.h"
#include "kms/kmip-attribute.h"
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

/* Get Attributes. CKR_KEY_HANDLE_INVALID: no such object. ret_object is the caller's to clear. */
MUST_USE CK_RV kmip_object_read(struct kmip_session *session, const char *identifier,
                                struct kmip_object *ret_object);
/*
 * The oldest of the objects that this one has replaced, one after the other, and how many there
 * are up to it. A copy of itself when it has replaced none. Its own field replaced tells that an
 * older one is gone, or not ours to see; it is counted.
 */
MUST_USE CK_RV kmip_object_original(struct kmip_session *session,
                                    const struct kmip_object *object,
                                    struct kmip_object *ret_original, unsigned *ret_replacements);

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
