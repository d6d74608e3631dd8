/* SPDX-License-Identifier: Apache-2.0 */
#include "kms/kmip-list.h"

#include "kms/kmip-find.h"
#include "kms/kmip-identity.h"

#include <stdlib.h>
#include <string.h>

/*
 * A Name that a server has given to the pair that replaced another: it still means the other,
 * which has but its unique identifier left.
 */
struct moved {
	struct buffer from, to; /* owned: CKA_IDs, of the unique identifier and of the Name */
};

struct listed {
	struct kms_listed *keys; /* owned, as what follows */
	size_t count;
	struct moved *moved;
	size_t moved_count;
	struct kmip_memory memory;
};

/* CKK_…, CK_UNAVAILABLE_INFORMATION: none that is used here. */
static CK_KEY_TYPE
key_type_of(const struct kmip_object *object)
{
	switch (object->algorithm) {
	case KMIP_RSA:
		return CKK_RSA;
	case KMIP_ECDSA:
	case KMIP_EC:
		return CKK_EC;
	default:
		return CK_UNAVAILABLE_INFORMATION;
	}
}

/* Notes, if the Name of the object means its original, which id that has by it. */
static CK_RV
note_moved(struct listed *listed, const struct kmip_object *object,
           const struct kmip_object *original)
{
	struct buffer id = BUFFER_INIT;
	struct moved *grown, *moved;

	if (original->replaced[0] != '\0' || !kmip_id_in_name(object->name, &id))
		return CKR_OK;
	grown = reallocarray(listed->moved, listed->moved_count + 1, sizeof *grown);
	if (grown == NULL) {
		buffer_clear(&id);
		return CKR_HOST_MEMORY;
	}
	listed->moved = grown;
	moved = &grown[listed->moved_count++];
	*moved = (struct moved){ .from = BUFFER_INIT, .to = id };
	return kmip_id_of_identifier(original->identifier, &moved->from);
}

/* Nothing of one that is destroyed, but that what it replaced is found by its Name. */
static CK_RV
describe(struct kmip_session *session, struct listed *listed, const struct kmip_object *object,
         struct kms_listed *ret_key)
{
	struct kmip_object original = { .type = 0 };
	bool live = kmip_object_is_live(object);
	unsigned replacements = 0;
	CK_RV rv = CKR_OK;

	if (object->replaced[0] != '\0' && (live || object->name != NULL)) {
		rv = kmip_object_original(session, object, &listed->memory, &original, &replacements);
		if (rv == CKR_OK)
			rv = note_moved(listed, object, &original);
	}
	if (rv == CKR_OK && live)
		rv = kmip_id_of(object, &ret_key->id);
	if (rv == CKR_OK && live) {
		ret_key->label = kmip_label_of(object, replacements > 0 ? &original : object,
		                               replacements);
		if (ret_key->label == NULL)
			rv = CKR_HOST_MEMORY;
	}
	kmip_object_clear(&original);
	return rv;
}

/* ret_key->label stays NULL when the object is not one to be listed. */
static CK_RV
describe_object(struct kmip_session *session, struct listed *listed, const char *identifier,
                struct kms_listed *ret_key)
{
	struct kmip_object object;
	CK_RV rv;

	rv = kmip_memory_read(&listed->memory, session, identifier, &object);
	if (rv != CKR_OK)
		return rv;
	ret_key->key_type = key_type_of(&object);
	if (object.type == KMIP_OBJECT_PRIVATE_KEY &&
	    ret_key->key_type != CK_UNAVAILABLE_INFORMATION && !kmip_object_is_probe(&object))
		rv = describe(session, listed, &object, ret_key);
	kmip_object_clear(&object);
	return rv;
}

/* Adds a page of them. */
static CK_RV
add_page(struct kmip_session *session, const struct kmip_listing *listing, struct listed *listed)
{
	struct kms_listed *grown;
	CK_RV rv = CKR_OK;

	grown = reallocarray(listed->keys, listed->count + listing->count + 1, sizeof *grown);
	if (grown == NULL)
		return CKR_HOST_MEMORY;
	listed->keys = grown;
	for (size_t i = 0; rv == CKR_OK && i < listing->count; i++) {
		struct kms_listed *key = &listed->keys[listed->count];

		*key = (struct kms_listed){ .id = BUFFER_INIT };
		rv = describe_object(session, listed, listing->identifiers[i], key);
		if (key->label != NULL)
			listed->count++;
		else
			buffer_clear(&key->id);
		/* Gone meanwhile, or not ours to see. */
		if (kmip_object_is_gone(rv))
			rv = CKR_OK;
	}
	return rv;
}

static int
compare(const void *a, const void *b)
{
	const struct buffer *left = a, *right = b;

	if (left->size != right->size)
		return left->size < right->size ? -1 : 1;
	return memcmp(left->data, right->data, left->size);
}

/* Gives the replaced ones the ids by which they are found. */
static void
rename_moved(struct listed *listed)
{
	struct moved *moved;

	if (listed->moved_count == 0)
		return;
	/* from is the first member: a buffer is a key to be looked for. */
	qsort(listed->moved, listed->moved_count, sizeof *listed->moved, compare);
	for (size_t i = 0; i < listed->count; i++) {
		struct buffer *id = &listed->keys[i].id, old = *id;

		moved = bsearch(id, listed->moved, listed->moved_count, sizeof *moved, compare);
		/* None a second time. */
		if (moved == NULL || moved->to.size == 0)
			continue;
		*id = moved->to;
		moved->to = (struct buffer)BUFFER_INIT;
		buffer_clear(&old);
	}
}

CK_RV
kmip_list(struct kmip_session *session, struct kms_list_request *request)
{
	struct kmip_search search = { .type = KMIP_OBJECT_PRIVATE_KEY };
	struct kmip_listing listing = { .count = 0 };
	struct listed listed = { .count = 0 };
	bool more = true;
	CK_RV rv = CKR_OK;

	while (more && rv == CKR_OK) {
		rv = kmip_search_next(session, &search, &listing);
		more = listing.count > 0;
		if (rv == CKR_OK)
			rv = add_page(session, &listing, &listed);
		kmip_listing_clear(&listing);
	}
	if (rv == CKR_OK) {
		rename_moved(&listed);
		request->ret_keys = listed.keys;
		request->ret_count = listed.count;
	} else {
		kms_listed_free(listed.keys, listed.count);
	}
	for (size_t i = 0; i < listed.moved_count; i++) {
		buffer_clear(&listed.moved[i].from);
		buffer_clear(&listed.moved[i].to);
	}
	free(listed.moved);
	kmip_memory_clear(&listed.memory);
	return rv;
}
