/* SPDX-License-Identifier: Apache-2.0 */
#include "lifecycle/inventory.h"

#include "lifecycle/authority-pair.h"
#include "registry/record.h"

#include <stdlib.h>
#include <string.h>

#define NUMBER_DIGITS_MAX 15 /* of what JSON can hold exactly */

static void
pair_clear(struct inventory_pair *pair)
{
	buffer_clear(&pair->id);
	free(pair->label);
	free(pair->name);
}

/* NAME@NUMBER: name stays NULL when the label is something else. */
static CK_RV
pair_parse(struct inventory_pair *pair)
{
	const char *at = strrchr(pair->label, '@');
	size_t digits = at == NULL ? 0 : strspn(at + 1, "0123456789");

	if (digits == 0 || digits > NUMBER_DIGITS_MAX || at[1 + digits] != '\0' || at[1] == '0' ||
	    !record_name_valid(pair->label, (size_t)(at - pair->label)))
		return CKR_OK;
	pair->number = strtoll(at + 1, NULL, 10);
	pair->name = strndup(pair->label, (size_t)(at - pair->label));
	return pair->name == NULL ? CKR_HOST_MEMORY : CKR_OK;
}

static CK_RV
found(void *context, const void *id, size_t id_size, const char *label, CK_KEY_TYPE key_type)
{
	struct inventory *inventory = context;
	struct inventory_pair pair = { .id = BUFFER_INIT };
	CK_RV rv;

	(void)key_type;
	if (id_size == 0 || (label != NULL && strncmp(label, AUTHORITY_LABEL_PREFIX,
	                                              strlen(AUTHORITY_LABEL_PREFIX)) == 0))
		return CKR_OK;
	/* Grown by doubling: at 0 and at each power of two the array is full. */
	if ((inventory->count & (inventory->count - 1)) == 0) {
		size_t room = inventory->count == 0 ? 1 : 2 * inventory->count;
		struct inventory_pair *pairs = reallocarray(inventory->pairs, room, sizeof *pairs);

		if (pairs == NULL)
			return CKR_HOST_MEMORY;
		inventory->pairs = pairs;
	}
	pair.label = strdup(label == NULL ? "" : label);
	rv = pair.label == NULL ? CKR_HOST_MEMORY : buffer_set(&pair.id, id, id_size);
	if (rv == CKR_OK)
		rv = pair_parse(&pair);
	if (rv != CKR_OK) {
		pair_clear(&pair);
		return rv;
	}
	inventory->pairs[inventory->count++] = pair;
	return CKR_OK;
}

static int
compare(const void *a, const void *b)
{
	const struct inventory_pair *left = a, *right = b;
	int order;

	if (left->name == NULL || right->name == NULL)
		return (left->name == NULL) - (right->name == NULL);
	order = strcmp(left->name, right->name);
	return order != 0 ? order : (left->number < right->number) - (left->number > right->number);
}

CK_RV
inventory_read(struct kms *kms, struct deadline deadline, struct inventory *ret_inventory)
{
	struct inventory inventory = { NULL, 0 };
	CK_RV rv;

	rv = kms_walk(kms, deadline, found, &inventory);
	if (rv != CKR_OK) {
		inventory_clear(&inventory);
		return rv;
	}
	if (inventory.count > 1)
		qsort(inventory.pairs, inventory.count, sizeof *inventory.pairs, compare);
	*ret_inventory = inventory;
	return CKR_OK;
}

static CK_RV
indexed(struct registry *registry, const struct buffer *id, bool *ret_indexed)
{
	struct registry_search search = { .id = id->data, .id_size = id->size, .destroyed = true };
	int64_t object;
	size_t count = 0;
	CK_RV rv = registry_search(registry, &search, &object, 1, &count);

	if (rv == CKR_OK)
		*ret_indexed = count != 0;
	return rv;
}

CK_RV
inventory_check(struct inventory *inventory, struct registry *registry)
{
	const struct buffer **ids = calloc(inventory->count + 1, sizeof *ids);
	bool *logged = calloc(inventory->count + 1, sizeof *logged);
	bool found = false;
	CK_RV rv = ids == NULL || logged == NULL ? CKR_HOST_MEMORY : CKR_OK;

	for (size_t i = 0; rv == CKR_OK && i < inventory->count; i++)
		ids[i] = &inventory->pairs[i].id;
	if (rv == CKR_OK && inventory->count != 0)
		rv = registry_log_find_ids(registry, ids, inventory->count, logged);
	for (size_t i = 0; rv == CKR_OK && i < inventory->count; i++) {
		if (logged[i])
			rv = indexed(registry, ids[i], &found);
		if (rv == CKR_OK)
			inventory->pairs[i].hidden = logged[i] && !found;
	}
	free(logged);
	free(ids);
	return rv;
}

void
inventory_clear(struct inventory *inventory)
{
	for (size_t i = 0; i < inventory->count; i++)
		pair_clear(&inventory->pairs[i]);
	free(inventory->pairs);
	*inventory = (struct inventory){ NULL, 0 };
}
