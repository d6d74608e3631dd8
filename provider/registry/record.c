/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/record.h"

#include "base/text.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

const char *
version_state_name(enum version_state state)
{
	switch (state) {
	case STATE_PRE_ACTIVE:
		return "pre-active";
	case STATE_ACTIVE:
		return "active";
	case STATE_DEACTIVATED:
		return "deactivated";
	case STATE_COMPROMISED:
		return "compromised";
	case STATE_DESTROY_PENDING:
		return "destroy-pending";
	case STATE_DESTROYED:
		return "destroyed";
	}
	return "unknown";
}

CK_RV
version_new(struct version **ret_version)
{
	struct version *version = calloc(1, sizeof *version);

	if (version == NULL)
		return CKR_HOST_MEMORY;
	version->before = STATE_ACTIVE;
	*ret_version = version;
	return CKR_OK;
}

static int
compare_types(const void *left, const void *right)
{
	CK_MECHANISM_TYPE a = *(const CK_MECHANISM_TYPE *)left;
	CK_MECHANISM_TYPE b = *(const CK_MECHANISM_TYPE *)right;

	return a < b ? -1 : a > b;
}

CK_RV
mechanism_list_set(struct mechanism_list *list, const CK_MECHANISM_TYPE *types, size_t count)
{
	CK_MECHANISM_TYPE *sorted = NULL;
	size_t kept = 0;

	if (count > 0) {
		sorted = reallocarray(NULL, count, sizeof *sorted);
		if (sorted == NULL)
			return CKR_HOST_MEMORY;
		memcpy(sorted, types, count * sizeof *sorted);
		qsort(sorted, count, sizeof *sorted, compare_types);
		for (size_t i = 0; i < count; i++) {
			if (kept == 0 || sorted[i] != sorted[kept - 1])
				sorted[kept++] = sorted[i];
		}
	}
	mechanism_list_clear(list);
	list->types = sorted;
	list->count = kept;
	return CKR_OK;
}

bool
mechanism_list_equal(const struct mechanism_list *a, const struct mechanism_list *b)
{
	return a->count == b->count &&
	       (a->count == 0 || memcmp(a->types, b->types, a->count * sizeof *a->types) == 0);
}

void
mechanism_list_clear(struct mechanism_list *list)
{
	free(list->types);
	list->types = NULL;
	list->count = 0;
}

/* NULL stays NULL. */
static CK_RV
text_dup(const char *text, char **ret_text)
{
	char *copy = NULL;

	if (text != NULL) {
		copy = strdup(text);
		if (copy == NULL)
			return CKR_HOST_MEMORY;
	}
	*ret_text = copy;
	return CKR_OK;
}

CK_RV
version_dup(const struct version *version, struct version **ret_version)
{
	struct version *copy = NULL;
	CK_RV rv;

	rv = version_new(&copy);
	if (rv != CKR_OK)
		return rv;
	*copy = *version;
	copy->name = NULL;
	copy->reason = NULL;
	copy->mechanisms = (struct mechanism_list){ NULL, 0 };
	copy->id = (struct buffer)BUFFER_INIT;
	copy->subject = (struct buffer)BUFFER_INIT;
	copy->spki = (struct buffer)BUFFER_INIT;
	if ((rv = text_dup(version->name, &copy->name)) != CKR_OK ||
	    (rv = text_dup(version->reason, &copy->reason)) != CKR_OK ||
	    (rv = mechanism_list_set(&copy->mechanisms, version->mechanisms.types,
	                             version->mechanisms.count)) != CKR_OK ||
	    (rv = buffer_set(&copy->id, version->id.data, version->id.size)) != CKR_OK ||
	    (rv = buffer_set(&copy->subject, version->subject.data, version->subject.size)) != CKR_OK ||
	    (rv = buffer_set(&copy->spki, version->spki.data, version->spki.size)) != CKR_OK) {
		version_free(&copy);
		return rv;
	}
	*ret_version = copy;
	return CKR_OK;
}

void
version_free(struct version **version)
{
	struct version *old = *version;

	if (old == NULL)
		return;
	free(old->name);
	free(old->reason);
	mechanism_list_clear(&old->mechanisms);
	buffer_clear(&old->id);
	buffer_clear(&old->subject);
	buffer_clear(&old->spki);
	free(old);
	*version = NULL;
}

bool
version_is_current(const struct version *version)
{
	return version->state == STATE_ACTIVE && version->superseded == 0;
}

char *
version_label(const struct version *version)
{
	if (version_is_current(version))
		return strdup(version->name);
	return text_format("%s@%" PRId64, version->name, version->number);
}

bool
version_allows(const struct version *version, CK_MECHANISM_TYPE mechanism)
{
	return version->mechanisms.count == 0 ||
	       bsearch(&mechanism, version->mechanisms.types, version->mechanisms.count,
	               sizeof mechanism, compare_types) != NULL;
}

bool
version_protects(const struct version *version, int64_t now)
{
	return version->state == STATE_ACTIVE && now >= version->protect_from &&
	       (version->protect_until == 0 || now < version->protect_until);
}

bool
version_visible(const struct version *version)
{
	return version->state == STATE_ACTIVE || version->state == STATE_DEACTIVATED ||
	       version->state == STATE_COMPROMISED;
}

CK_RV
key_record_new(struct key_record **ret_key)
{
	struct key_record *key = calloc(1, sizeof *key);

	if (key == NULL)
		return CKR_HOST_MEMORY;
	*ret_key = key;
	return CKR_OK;
}

void
key_record_free(struct key_record **key)
{
	if (*key == NULL)
		return;
	free((*key)->name);
	mechanism_list_clear(&(*key)->mechanisms);
	buffer_clear(&(*key)->recovery);
	free(*key);
	*key = NULL;
}

CK_RV
token_record_new(struct token_record **ret_token)
{
	struct token_record *token = calloc(1, sizeof *token);

	if (token == NULL)
		return CKR_HOST_MEMORY;
	*ret_token = token;
	return CKR_OK;
}

void
token_record_free(struct token_record **token)
{
	struct token_record *old = *token;

	if (old == NULL)
		return;
	free(old->manufacturer);
	free(old->model);
	free(old->serial);
	buffer_clear(&old->authority_id);
	free(old->primitives);
	free(old);
	*token = NULL;
}

bool
token_record_has(const struct token_record *token, CK_MECHANISM_TYPE primitive)
{
	for (size_t i = 0; i < token->primitive_count; i++) {
		if (token->primitives[i] == primitive)
			return true;
	}
	return false;
}

bool
record_name_valid(const char *name, size_t size)
{
	size_t end = size;

	if (size == 0 || size > RECORD_NAME_MAX || !text_printable(name, size))
		return false;
	/* NAME@VERSION is how older versions are called. */
	while (end > 0 && name[end - 1] >= '0' && name[end - 1] <= '9')
		end--;
	return end == size || end == 0 || name[end - 1] != '@';
}

bool
record_reason_valid(const char *reason)
{
	size_t size = strlen(reason);

	return size > 0 && size <= RECORD_REASON_MAX && text_printable(reason, size);
}
