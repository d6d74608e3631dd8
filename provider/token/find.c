/* SPDX-License-Identifier: Apache-2.0 */
#include "token/find.h"

#include "token/handle.h"
#include "token/mechanism-object.h"
#include "token/object.h"
#include "token/profile.h"
#include "token/template.h"

#include <stdlib.h>
#include <string.h>

#define PAGE 64

/* Where objects come from, in the order in which they are found. */
enum source {
	SOURCE_SESSIONS,
	SOURCE_VERSIONS,
	SOURCE_STORED,
	SOURCE_CERTIFICATES,
	SOURCE_PROFILES,
	SOURCE_MECHANISMS,
	SOURCES
};

/* Objects of the registry that are still to be looked at. */
struct page {
	int64_t objects[PAGE];
	size_t count, next;
};

struct find {
	struct token *token;    /* borrowed */
	CK_ATTRIBUTE *template; /* owned copy */
	CK_ULONG count;
	enum source source;     /* the one that is being asked */
	bool asks[SOURCES];     /* something there may match */
	struct page page;
	CK_RV failure;          /* for the next call: what was found before it went out first */

	CK_OBJECT_HANDLE below; /* sessions: the last one looked at; 0: none yet */
	char *name;             /* versions: what the index is asked for, owned */
	struct registry_search search;
	bool private_next;      /* versions: the public half of the next one is done */
	struct registry_object_search stored;
	CK_OBJECT_CLASS class;  /* what stored points to */
	size_t profile, mechanism;
};

/*
 * Templates inside of templates are not compared, and not copied either: the one of a search
 * may only be an empty one.
 */
static bool
searches_template(const struct find *find)
{
	for (CK_ULONG i = 0; i < find->count; i++)
		if (attribute_is_template(find->template[i].type) &&
		    find->template[i].ulValueLen != 0)
			return true;
	return false;
}

/* What the template says of CKA_TOKEN and CKA_CLASS rules sources out. */
static void
choose_sources(struct find *find)
{
	bool on_token = true, in_session = false;
	CK_OBJECT_CLASS class = CK_UNAVAILABLE_INFORMATION;
	bool any, fits;

	fits = template_bool(find->template, find->count, CKA_TOKEN, &on_token) == CKR_OK &&
	       template_bool(find->template, find->count, CKA_TOKEN, &in_session) == CKR_OK &&
	       template_ulong(find->template, find->count, CKA_CLASS, &class) == CKR_OK &&
	       !searches_template(find);
	any = template_find(find->template, find->count, CKA_CLASS) == NULL;
	find->asks[SOURCE_SESSIONS] = fits && !in_session;
	find->asks[SOURCE_VERSIONS] = fits && on_token &&
	                              (any || class == CKO_PUBLIC_KEY || class == CKO_PRIVATE_KEY);
	find->asks[SOURCE_STORED] = fits && on_token &&
	                            (any || class == CKO_CERTIFICATE || class == CKO_DATA);
	/* As hardware features (section 5.7.7), only for those who ask for them: tools of before 3.0 don't know them. */
	find->asks[SOURCE_PROFILES] = fits && on_token && class == CKO_PROFILE;
	find->asks[SOURCE_MECHANISMS] = fits && on_token && class == CKO_MECHANISM; /* section 4.12 */
	find->class = class;
	if (!any)
		find->stored.class = &find->class;
}

/*
 * A label is the name of an active version, or NAME@VERSION of one that is not: both are
 * looked up by the index. A label that could be either way can only be one of them, since no
 * name ends in @ and digits.
 */
static CK_RV
find_by_label(struct find *find, const CK_ATTRIBUTE *label)
{
	char *at, *end;

	find->stored.label = label->pValue;
	find->stored.label_size = label->ulValueLen;
	if (label->ulValueLen == 0) {
		find->asks[SOURCE_VERSIONS] = false; /* every key has a label */
		return CKR_OK;
	}
	find->name = strndup(label->pValue, label->ulValueLen);
	if (find->name == NULL)
		return CKR_HOST_MEMORY;
	if (strlen(find->name) != label->ulValueLen) {
		find->asks[SOURCE_VERSIONS] = false; /* a zero byte: no label of ours */
		return CKR_OK;
	}
	find->search.name = find->name;
	at = strrchr(find->name, '@');
	if (at != NULL && at[1] >= '1' && at[1] <= '9') {
		find->search.number = strtoll(at + 1, &end, 10);
		if (*end == '\0')
			*at = '\0';
		else
			find->search.number = 0;
	}
	/* Certificates of versions are kept under the key's name, and follow the version's label. */
	find->asks[SOURCE_CERTIFICATES] = find->asks[SOURCE_STORED] && find->search.number != 0;
	find->search.active = find->search.number == 0;
	return CKR_OK;
}

static void
find_by_id(struct find *find, const CK_ATTRIBUTE *id)
{
	find->search.id = id->pValue;
	find->search.id_size = id->ulValueLen;
	find->stored.id = id->pValue;
	find->stored.id_size = id->ulValueLen;
	if (id->ulValueLen == 0)
		find->asks[SOURCE_VERSIONS] = false; /* every key has a CKA_ID */
}

CK_RV
find_new(struct token *token, const CK_ATTRIBUTE *template, CK_ULONG count,
         struct find **ret_find)
{
	const CK_ATTRIBUTE *attribute;
	struct find *find;
	CK_RV rv = template_check(template, count);

	if (rv != CKR_OK)
		return rv;
	rv = token_poll(token, true);
	if (rv != CKR_OK)
		return rv;
	find = calloc(1, sizeof *find);
	if (find == NULL)
		return CKR_HOST_MEMORY;
	find->token = token;
	rv = template_dup(template, count, &find->template);
	if (rv != CKR_OK)
		goto out;
	find->count = count; /* of the copy, once there is one */
	choose_sources(find);
	attribute = template_find(find->template, count, CKA_LABEL);
	if (attribute != NULL)
		rv = find_by_label(find, attribute);
	attribute = template_find(find->template, count, CKA_ID);
	if (attribute != NULL)
		find_by_id(find, attribute);
out:
	if (rv != CKR_OK)
		find_free(&find);
	else
		*ret_find = find;
	return rv;
}

void
find_free(struct find **find)
{
	if (*find == NULL)
		return;
	template_free(&(*find)->template, (*find)->count);
	free((*find)->name);
	free(*find);
	*find = NULL;
}

/* Does it match? An object that can't be used is passed over: it was logged. */
static CK_RV
find_try(struct find *find, CK_OBJECT_HANDLE handle, bool *ret_matches)
{
	struct object object = { 0 };
	CK_RV rv = object_get(find->token, handle, &object);

	*ret_matches = false;
	if (rv == CKR_HOST_MEMORY || rv == CKR_FUNCTION_FAILED)
		return rv;
	if (rv != CKR_OK)
		return CKR_OK;
	rv = object_matches(&object, find->template, find->count, ret_matches);
	object_release(&object);
	return rv == CKR_DEVICE_ERROR ? CKR_OK : rv;
}

/*
 * The candidates of each source: the next handle to look at, CK_INVALID_HANDLE when there are
 * no more.
 */
static CK_OBJECT_HANDLE
next_of_sessions(struct find *find)
{
	struct plain_object *object = object_table_before(find->token->objects, find->below);

	if (object == NULL)
		return CK_INVALID_HANDLE;
	find->below = object->handle;
	plain_object_release(&object);
	return find->below;
}

/* Public before private, newest version first. */
static CK_RV
next_of_versions(struct find *find, CK_OBJECT_HANDLE *ret_handle)
{
	struct page *page = &find->page;
	CK_RV rv;

	if (page->next == page->count) {
		page->next = 0;
		rv = registry_search(find->token->registry, &find->search, page->objects, PAGE,
		                     &page->count);
		if (rv != CKR_OK || page->count == 0)
			return rv;
		find->search.before = page->objects[page->count - 1];
	}
	*ret_handle = handle_join(page->objects[page->next],
	                          find->private_next ? CKO_PRIVATE_KEY : CKO_PUBLIC_KEY);
	if (find->private_next)
		page->next++;
	find->private_next = !find->private_next;
	return CKR_OK;
}

static CK_RV
next_of_stored(struct find *find, CK_OBJECT_HANDLE *ret_handle)
{
	struct page *page = &find->page;
	CK_RV rv;

	if (page->next == page->count) {
		page->next = 0;
		rv = registry_search_objects(find->token->registry, &find->stored, page->objects,
		                             PAGE, &page->count);
		if (rv != CKR_OK || page->count == 0)
			return rv;
		find->stored.before = page->objects[page->count - 1];
	}
	*ret_handle = handle_of_stored(page->objects[page->next++]);
	return CKR_OK;
}

static CK_RV
next_candidate(struct find *find, CK_OBJECT_HANDLE *ret_handle)
{
	CK_ULONG profile;

	*ret_handle = CK_INVALID_HANDLE;
	switch (find->source) {
	case SOURCE_SESSIONS:
		*ret_handle = next_of_sessions(find);
		return CKR_OK;
	case SOURCE_VERSIONS:
		return next_of_versions(find, ret_handle);
	case SOURCE_CERTIFICATES:
		find->stored.label = find->name;
		find->stored.label_size = strlen(find->name);
		return next_of_stored(find, ret_handle);
	case SOURCE_STORED:
		return next_of_stored(find, ret_handle);
	case SOURCE_PROFILES:
		profile = profile_at(find->profile++);
		if (profile != 0)
			*ret_handle = handle_of_profile(profile);
		return CKR_OK;
	case SOURCE_MECHANISMS:
		*ret_handle = mechanism_object_next(find->token, &find->mechanism);
		return CKR_OK;
	default:
		return CKR_OK;
	}
}

/* The next handle that matches; CK_INVALID_HANDLE: there is none. */
static CK_RV
next_match(struct find *find, CK_OBJECT_HANDLE *ret_handle)
{
	bool matches;
	CK_RV rv;

	while (find->source < SOURCES) {
		if (find->asks[find->source]) {
			rv = next_candidate(find, ret_handle);
			if (rv != CKR_OK)
				return rv;
			if (*ret_handle != CK_INVALID_HANDLE) {
				rv = find_try(find, *ret_handle, &matches);
				if (rv != CKR_OK || matches)
					return rv;
				continue;
			}
		}
		find->source++;
		find->page.count = find->page.next = 0;
		find->stored.before = 0;
	}
	*ret_handle = CK_INVALID_HANDLE;
	return CKR_OK;
}

CK_RV
find_next(struct find *find, CK_OBJECT_HANDLE *ret_handles, CK_ULONG max, CK_ULONG *ret_count)
{
	CK_OBJECT_HANDLE handle = CK_INVALID_HANDLE;
	CK_ULONG count = 0;
	CK_RV rv = find->failure;

	find->failure = CKR_OK;
	while (rv == CKR_OK && count < max) {
		rv = next_match(find, &handle);
		if (rv != CKR_OK || handle == CK_INVALID_HANDLE)
			break;
		ret_handles[count++] = handle;
	}
	if (rv != CKR_OK && count == 0)
		return rv;
	find->failure = rv;
	*ret_count = count;
	return CKR_OK;
}
