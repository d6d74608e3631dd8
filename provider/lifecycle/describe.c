/* SPDX-License-Identifier: Apache-2.0 */
#include "lifecycle/describe.h"

#include <stdlib.h>
#include <string.h>

static int
compare(const void *a, const void *b)
{
	CK_MECHANISM_TYPE left = *(const CK_MECHANISM_TYPE *)a;
	CK_MECHANISM_TYPE right = *(const CK_MECHANISM_TYPE *)b;

	return (left > right) - (left < right);
}

/* In order and each once, so that two descriptions of one KMS are the same record. */
static size_t
sort(CK_MECHANISM_TYPE *primitives, size_t count)
{
	size_t kept = 0;

	if (count == 0)
		return 0;
	qsort(primitives, count, sizeof *primitives, compare);
	for (size_t i = 1; i < count; i++) {
		if (primitives[i] != primitives[kept])
			primitives[++kept] = primitives[i];
	}
	return kept + 1;
}

CK_RV
token_describe(struct kms *kms, struct deadline deadline, const void *authority_id,
               size_t authority_id_size, struct token_record **ret_token)
{
	struct kms_description description;
	struct token_record *token = NULL;
	CK_RV rv;

	rv = kms_describe(kms, deadline, &description);
	if (rv != CKR_OK)
		return rv;
	rv = token_record_new(&token);
	if (rv != CKR_OK)
		goto out;
	rv = buffer_set(&token->authority_id, authority_id, authority_id_size);
	if (rv != CKR_OK)
		goto out;
	token->created = clock_now();
	token->manufacturer = strdup(description.manufacturer);
	token->model = strdup(description.model);
	token->serial = strdup(description.serial);
	rv = CKR_HOST_MEMORY;
	if (token->manufacturer == NULL || token->model == NULL || token->serial == NULL)
		goto out;
	token->primitives = description.primitives;
	token->primitive_count = sort(description.primitives, description.primitive_count);
	description.primitives = NULL;
	description.primitive_count = 0;
	*ret_token = token;
	token = NULL;
	rv = CKR_OK;
out:
	token_record_free(&token);
	kms_description_clear(&description);
	return rv;
}

bool
token_record_equal(const struct token_record *a, const struct token_record *b)
{
	return strcmp(a->manufacturer, b->manufacturer) == 0 && strcmp(a->model, b->model) == 0 &&
	       strcmp(a->serial, b->serial) == 0 &&
	       buffer_equal(&a->authority_id, b->authority_id.data, b->authority_id.size) &&
	       a->primitive_count == b->primitive_count &&
	       (a->primitive_count == 0 ||
	        memcmp(a->primitives, b->primitives, a->primitive_count * sizeof *a->primitives) == 0);
}
