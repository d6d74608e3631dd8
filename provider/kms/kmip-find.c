/* SPDX-License-Identifier: Apache-2.0 */
#include "kms/kmip-find.h"

#include "base/log.h"
#include "kms/kmip-identity.h"

#include <stdlib.h>
#include <string.h>

/* Objects asked for at a time. */
#define PAGE 1000
/* The most that are looked at: what a server without filters may hold of others. */
#define SEARCH_MAX 100000

void
kmip_listing_clear(struct kmip_listing *listing)
{
	free(listing->identifiers);
	*listing = (struct kmip_listing){ .count = 0 };
}

static CK_RV
add(struct kmip_listing *listing, const struct ttlv *item)
{
	void *grown;

	if (listing->count == listing->room) {
		size_t room = listing->room == 0 ? 16 : 2 * listing->room;

		grown = realloc(listing->identifiers, room * sizeof *listing->identifiers);
		if (grown == NULL)
			return CKR_HOST_MEMORY;
		listing->identifiers = grown;
		listing->room = room;
	}
	if (kmip_identifier_copy(item, listing->identifiers[listing->count]))
		listing->count++;
	return CKR_OK;
}

static CK_RV
request_page(struct kmip_session *session, const struct kmip_search *search,
             struct kmip_listing *listing)
{
	struct ttlv_writer *writer = kmip_session_request(session, KMIP_LOCATE);
	struct kmip_answer answer;
	struct ttlv item;
	bool more;
	CK_RV rv;

	/* Offset Items are of KMIP 1.3: before that, all come at once (section 4.9). */
	if (session->minor >= 3) {
		ttlv_integer(writer, KMIP_MAXIMUM_ITEMS, PAGE);
		if (search->offset > 0)
			ttlv_integer(writer, KMIP_OFFSET_ITEMS, (int32_t)search->offset);
	}
	kmip_attribute_enumeration(writer, "Object Type", search->type);
	if (search->name != NULL)
		kmip_attribute_name(writer, search->name);
	rv = kmip_session_call(session, KMIP_LOCATE, &answer);
	for (more = rv == CKR_OK && ttlv_first(&answer.payload, &item); more && rv == CKR_OK;
	     more = ttlv_next(&answer.payload, &item))
		if (item.tag == KMIP_UNIQUE_IDENTIFIER)
			rv = add(listing, &item);
	kmip_answer_clear(&answer);
	/* Some say so of nothing found. */
	return rv == CKR_KEY_HANDLE_INVALID ? CKR_OK : rv;
}

/*
 * Until a page is empty: servers may have less on a page than they are asked for. One that
 * does not know offsets gives the first page again, or more than was asked for.
 */
CK_RV
kmip_search_next(struct kmip_session *session, struct kmip_search *search,
                 struct kmip_listing *ret_listing)
{
	struct kmip_listing listing = { .count = 0 };
	CK_RV rv;

	if (search->ended) {
		*ret_listing = listing;
		return CKR_OK;
	}
	rv = request_page(session, search, &listing);
	if (rv == CKR_OK && search->offset + listing.count > SEARCH_MAX) {
		log_error("token %s: KMIP server %s lists more than %d keys",
		          session->kmip->config->name, session->server->name, SEARCH_MAX);
		rv = CKR_FUNCTION_FAILED;
	}
	if (rv != CKR_OK) {
		kmip_listing_clear(&listing);
		return rv;
	}
	if (listing.count > 0 && strcmp(listing.identifiers[0], search->first) == 0)
		kmip_listing_clear(&listing);
	search->ended = listing.count == 0 || listing.count > PAGE || session->minor < 3;
	if (listing.count > 0)
		strcpy(search->first, listing.identifiers[0]);
	search->offset += listing.count;
	*ret_listing = listing;
	return CKR_OK;
}

/* If the listed object is the one of this type that the Name means, the original's identifier. */
static CK_RV
match(struct kmip_session *session, enum kmip_object_type type, const char *name,
      const char *identifier, char *ret_identifier)
{
	struct kmip_object object, original = { .type = 0 };
	unsigned replacements;
	bool named, live;
	CK_RV rv;

	rv = kmip_object_read(session, identifier, &object);
	if (rv != CKR_OK)
		return rv;
	named = object.name != NULL && strcmp(object.name, name) == 0 &&
	        object.type == (uint32_t)type;
	live = kmip_object_is_live(&object);
	rv = CKR_KEY_HANDLE_INVALID;
	if (named && object.replaced[0] != '\0') {
		rv = kmip_object_original(session, &object, NULL, &original, &replacements);
		live = rv == CKR_OK && original.replaced[0] == '\0' &&
		       original.type == (uint32_t)type && kmip_object_is_live(&original);
		if (live)
			strcpy(ret_identifier, original.identifier);
		kmip_object_clear(&original);
	} else if (named && live) {
		strcpy(ret_identifier, object.identifier);
		rv = CKR_OK;
	}
	if (rv == CKR_OK && !live)
		rv = CKR_KEY_HANDLE_INVALID;
	kmip_object_clear(&object);
	return rv;
}

CK_RV
kmip_find_named(struct kmip_session *session, enum kmip_object_type type, const char *name,
                char *ret_identifier)
{
	struct kmip_search search = { .type = type, .name = name };
	struct kmip_listing listing = { .count = 0 };
	bool more = true;
	CK_RV rv = CKR_KEY_HANDLE_INVALID;

	while (more && kmip_object_is_gone(rv)) {
		rv = kmip_search_next(session, &search, &listing);
		more = rv == CKR_OK && listing.count > 0;
		if (rv == CKR_OK)
			rv = CKR_KEY_HANDLE_INVALID;
		for (size_t i = 0; more && kmip_object_is_gone(rv) && i < listing.count; i++)
			rv = match(session, type, name, listing.identifiers[i], ret_identifier);
		kmip_listing_clear(&listing);
	}
	return kmip_object_is_gone(rv) ? CKR_KEY_HANDLE_INVALID : rv;
}

static CK_RV
find_own(struct kmip_session *session, enum kmip_object_type type, const void *id, size_t id_size,
         char *ret_identifier)
{
	char *name = kmip_name_of(type, id, id_size);
	CK_RV rv;

	if (name == NULL)
		return CKR_HOST_MEMORY;
	rv = kmip_find_named(session, type, name, ret_identifier);
	free(name);
	return rv;
}

/* Whatever a link says: nothing but a public key is ever taken for one. */
static CK_RV
check_public(struct kmip_session *session, const char *identifier)
{
	struct kmip_object object;
	CK_RV rv;

	if (identifier[0] == '\0')
		return CKR_KEY_HANDLE_INVALID;
	rv = kmip_object_read(session, identifier, &object);
	if (rv != CKR_OK)
		return kmip_object_is_gone(rv) ? CKR_KEY_HANDLE_INVALID : rv;
	if (object.type != KMIP_OBJECT_PUBLIC_KEY || !kmip_object_is_live(&object))
		rv = CKR_KEY_HANDLE_INVALID;
	kmip_object_clear(&object);
	return rv;
}

/* One that others made, whose CKA_ID is its private key's unique identifier. */
static CK_RV
find_foreign(struct kmip_session *session, enum kmip_object_type type, const void *id,
             size_t id_size, char *ret_identifier)
{
	char identifier[KMIP_IDENTIFIER_MAX + 1];
	struct kmip_object object;
	CK_RV rv;

	if (!kmip_identifier_of(id, id_size, identifier))
		return CKR_KEY_HANDLE_INVALID;
	rv = kmip_object_read(session, identifier, &object);
	/* Servers say various things of identifiers that are not in a form of theirs. */
	if (rv == CKR_ARGUMENTS_BAD || rv == CKR_FUNCTION_FAILED || kmip_object_is_gone(rv))
		return CKR_KEY_HANDLE_INVALID;
	if (rv != CKR_OK)
		return rv;
	if (object.type != KMIP_OBJECT_PRIVATE_KEY || !kmip_object_is_live(&object))
		rv = CKR_KEY_HANDLE_INVALID;
	else if (type == KMIP_OBJECT_PUBLIC_KEY)
		rv = check_public(session, object.other_half);
	if (rv == CKR_OK)
		strcpy(ret_identifier, type == KMIP_OBJECT_PUBLIC_KEY ? object.other_half
		                                                      : object.identifier);
	kmip_object_clear(&object);
	return rv;
}

CK_RV
kmip_find(struct kmip_session *session, enum kmip_object_type type, const void *id,
          size_t id_size, char *ret_identifier)
{
	struct kmip_names *names = session->kmip->names;
	CK_RV rv;

	if (kmip_names_get(names, session->server, type, id, id_size, ret_identifier))
		return CKR_OK;
	rv = find_own(session, type, id, id_size, ret_identifier);
	if (rv == CKR_KEY_HANDLE_INVALID)
		rv = find_foreign(session, type, id, id_size, ret_identifier);
	if (rv == CKR_OK)
		kmip_names_put(names, session->server, type, id, id_size, ret_identifier);
	return rv;
}

bool
kmip_forget(struct kmip_session *session, enum kmip_object_type type, const void *id,
            size_t id_size)
{
	char identifier[KMIP_IDENTIFIER_MAX + 1];
	bool remembered;

	remembered = kmip_names_get(session->kmip->names, session->server, type, id, id_size,
	                            identifier);
	kmip_names_remove(session->kmip->names, session->server, type, id, id_size);
	return remembered;
}
