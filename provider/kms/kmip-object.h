/* SPDX-License-Identifier: Apache-2.0 */
/* Objects of a KMIP server: read, and followed to what they replaced when the server re-keyed. */
#ifndef P11_KMS_KMS_KMIP_OBJECT_H
#define P11_KMS_KMS_KMIP_OBJECT_H

#include "base/compiler.h"
#include "kms/kmip-attribute.h"
#include "kms/kmip-session.h"

/* Get Attributes. CKR_KEY_HANDLE_INVALID: no such object. ret_object is the caller's to clear. */
MUST_USE CK_RV kmip_object_read(struct kmip_session *session, const char *identifier,
                                struct kmip_object *ret_object);
/* One that went between listing and reading it, or is not ours to see, does not count. */
bool kmip_object_is_gone(CK_RV rv);

/*
 * Objects that were read, so that a list of many re-keyed pairs does not read the oldest for each
 * of those that came after it: what replaced another, and what was replaced. Zeroed: none yet.
 */
struct kmip_memory {
	void *objects; /* owned */
};

void kmip_memory_clear(struct kmip_memory *memory);
/* kmip_object_read, where it was not read before. */
MUST_USE CK_RV kmip_memory_read(struct kmip_memory *memory, struct kmip_session *session,
                                const char *identifier, struct kmip_object *ret_object);

/*
 * The oldest of the objects that this one has replaced, one after the other, and how many there
 * are up to it. A copy of itself when it has replaced none. Its own field replaced tells that an
 * older one is gone, or not ours to see; it is counted. memory: NULL for one object alone.
 */
MUST_USE CK_RV kmip_object_original(struct kmip_session *session,
                                    const struct kmip_object *object, struct kmip_memory *memory,
                                    struct kmip_object *ret_original, unsigned *ret_replacements);

#endif
