/* SPDX-License-Identifier: Apache-2.0 */
#include "token/find.h"

#include "token/handle.h"
#include "token/object.h"
#include "token/template.h"

#include <stdlib.h>
#include <string.h>

#define PAGE 64

struct find {
	struct token *token;    /* borrowed */
	CK_ATTRIBUTE *template; /* owned copy */
	CK_ULONG count;
	char *name;             /* owned: what the index is asked for */
	struct registry_search search;
	int64_t page[PAGE];     /* versions still to be looked at */
	size_t page_count, page_next;
	bool private_next;      /* the public half of page[page_next] is done */
	bool ended;             /* the registry has no more */
	bool session_ended;     /* nor have the sessions */
	CK_OBJECT_HANDLE below; /* the last session object looked at; 0: none yet */
};

/*
 * Templates inside of templates are not compared, and not copied either: the one of a search
 * may only be an empty one.
 */
static bool
find_searches_template(const struct find *find)
{
	for (CK_ULONG i = 0; i < find->count; i++)
		if (attribute_is_template(find->template[i].type) &&
		    find->template[i].ulValueLen != 0)
			return true;
	return false;
}

/* Can no token object match? Then the registry need not be asked. */
static bool
find_hopeless(const struct find *find)
{
	bool token_object = true;
	CK_OBJECT_CLASS class = CKO_PUBLIC_KEY;

	if (template_bool(find->template, find->count, CKA_TOKEN, &token_object) != CKR_OK ||
	    template_ulong(find->template, find->count, CKA_CLASS, &class) != CKR_OK)
		return true;
	return !token_object || (class != CKO_PUBLIC_KEY && class != CKO_PRIVATE_KEY) ||
	       find_searches_template(find);
}

/* Does the template ask for token objects? */
static bool
find_only_token(const struct find *find)
{
	bool token_object = false;

	return template_bool(find->template, find->count, CKA_TOKEN, &token_object) == CKR_OK &&
	       token_object;
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

	if (label->ulValueLen == 0) {
		find->ended = true; /* every key has a label */
		return CKR_OK;
	}
	find->name = strndup(label->pValue, label->ulValueLen);
	if (find->name == NULL)
		return CKR_HOST_MEMORY;
	if (strlen(find->name) != label->ulValueLen) {
		find->ended = true; /* a zero byte: no label of ours */
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
	find->search.active = find->search.number == 0;
	return CKR_OK;
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
	find->count = count;
	find->ended = find_hopeless(find);
	find->session_ended = find_only_token(find) || find_searches_template(find);
	attribute = template_find(find->template, count, CKA_LABEL);
	if (attribute != NULL && !find->ended)
		rv = find_by_label(find, attribute);
	attribute = template_find(find->template, count, CKA_ID);
	if (attribute != NULL) {
		find->search.id = attribute->pValue;
		find->search.id_size = attribute->ulValueLen;
		if (attribute->ulValueLen == 0)
			find->ended = true; /* every key has a CKA_ID */
	}
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
	free((*find)->template);
	free((*find)->name);
	free(*find);
	*find = NULL;
}

/* Does the half of a version match? A version that can't be used is passed over: it was logged. */
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

/* The next half of a version to look at: public before private, newest version first. */
static CK_RV
find_candidate(struct find *find, CK_OBJECT_HANDLE *ret_handle)
{
	int64_t object;
	CK_RV rv;

	if (find->page_next == find->page_count) {
		rv = registry_search(find->token->registry, &find->search, find->page, PAGE,
		                     &find->page_count);
		if (rv != CKR_OK)
			return rv;
		find->page_next = 0;
		if (find->page_count == 0) {
			find->ended = true;
			return CKR_OK;
		}
		find->search.before = find->page[find->page_count - 1];
	}
	object = find->page[find->page_next];
	*ret_handle = handle_join(object, find->private_next ? CKO_PRIVATE_KEY : CKO_PUBLIC_KEY);
	if (find->private_next)
		find->page_next++;
	find->private_next = !find->private_next;
	return CKR_OK;
}

/* The next session object that matches, newest first; CK_INVALID_HANDLE: there is none. */
static CK_RV
find_session_object(struct find *find, CK_OBJECT_HANDLE *ret_handle)
{
	struct object object = { .token = find->token };
	bool matches = false;
	CK_RV rv = CKR_OK;

	*ret_handle = CK_INVALID_HANDLE;
	while (rv == CKR_OK && !matches) {
		object.plain = object_table_before(find->token->objects, find->below);
		if (object.plain == NULL) {
			find->session_ended = true;
			return CKR_OK;
		}
		find->below = object.plain->handle;
		rv = object_matches(&object, find->template, find->count, &matches);
		object_release(&object);
	}
	if (rv == CKR_OK)
		*ret_handle = find->below;
	return rv;
}

CK_RV
find_next(struct find *find, CK_OBJECT_HANDLE *ret_handles, CK_ULONG max, CK_ULONG *ret_count)
{
	CK_OBJECT_HANDLE handle = CK_INVALID_HANDLE;
	CK_ULONG count = 0;
	bool matches;
	CK_RV rv;

	while (count < max && !find->session_ended) {
		rv = find_session_object(find, &handle);
		if (rv != CKR_OK)
			return rv;
		if (handle != CK_INVALID_HANDLE)
			ret_handles[count++] = handle;
	}
	while (count < max && !find->ended) {
		rv = find_candidate(find, &handle);
		if (rv != CKR_OK)
			return rv;
		if (find->ended)
			break;
		rv = find_try(find, handle, &matches);
		if (rv != CKR_OK)
			return rv;
		if (matches)
			ret_handles[count++] = handle;
	}
	*ret_count = count;
	return CKR_OK;
}
