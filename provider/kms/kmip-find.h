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
/* The server does not know what kmip_find said. True when that was remembered, and another look may help. */
bool kmip_forget(struct kmip_session *session, enum kmip_object_type type, const void *id,
                 size_t id_size);

/* Get Attributes. CKR_KEY_HANDLE_INVALID: no such object. ret_object is the caller's to clear. */
MUST_USE CK_RV kmip_object_read(struct kmip_session *session, const char *identifier,
                                struct kmip_object *ret_object);
/* The oldest of the objects that this one has replaced, one after the other; how many there are up to it. A copy of itself when it has replaced none. */
MUST_USE CK_RV kmip_object_original(struct kmip_session *session,
                                    const struct kmip_object *object,
                                    struct kmip_object *ret_original, unsigned *ret_replacements);

/* Unique identifiers that a server has listed. */
struct kmip_listing {
	char (*identifiers)[KMIP_IDENTIFIER_MAX + 1]; /* owned */
	size_t count, room;
};

/* Of all objects of a type or (name not NULL) of those with a Name; page by page. */
MUST_USE CK_RV kmip_locate(struct kmip_session *session, enum kmip_object_type type,
                           const char *name, struct kmip_listing *ret_listing);
void kmip_listing_clear(struct kmip_listing *listing);

#endif
