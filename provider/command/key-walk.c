/* SPDX-License-Identifier: Apache-2.0 */
#include "command/key-walk.h"

#include <stdbool.h>
#include <stdlib.h>

#define PAGE 64

/* CKR_DEVICE_ERROR: the key is refused, and the visit was told so. */
static CK_RV
visit_name(struct registry *registry, const char *name, key_visit visit, void *context)
{
	struct key_record *key = NULL;
	CK_RV rv, told;

	rv = registry_key(registry, name, &key);
	if (rv == CKR_OK)
		rv = visit(context, name, key);
	key_record_free(&key);
	if (rv != CKR_DEVICE_ERROR)
		return rv;
	told = visit(context, name, NULL);
	return told == CKR_OK ? CKR_DEVICE_ERROR : told;
}

CK_RV
key_walk(struct registry *registry, key_visit visit, void *context)
{
	char *names[PAGE], *after = NULL;
	bool refused = false;
	size_t count;
	CK_RV rv;

	do {
		rv = registry_key_names(registry, after, names, PAGE, &count);
		if (rv != CKR_OK)
			break;
		for (size_t i = 0; i < count; i++) {
			if (rv == CKR_OK)
				rv = visit_name(registry, names[i], visit, context);
			if (rv == CKR_DEVICE_ERROR) {
				refused = true;
				rv = CKR_OK;
			}
			free(after);
			after = names[i];
		}
	} while (rv == CKR_OK && count == PAGE);
	free(after);
	return rv == CKR_OK && refused ? CKR_DEVICE_ERROR : rv;
}

CK_RV
version_walk(struct registry *registry, const char *name, bool destroyed, version_visit visit,
             void *context)
{
	struct registry_search search = { .name = name, .destroyed = destroyed };
	int64_t objects[PAGE];
	bool refused = false;
	size_t count;
	CK_RV rv;

	do {
		rv = registry_search(registry, &search, objects, PAGE, &count);
		if (rv != CKR_OK)
			return rv;
		for (size_t i = 0; i < count; i++) {
			struct version *version = NULL;

			rv = registry_version(registry, objects[i], &version);
			refused |= rv == CKR_DEVICE_ERROR;
			if (rv == CKR_OK)
				rv = visit(context, version);
			else if (rv == CKR_DEVICE_ERROR)
				rv = CKR_OK;
			version_free(&version);
			if (rv != CKR_OK)
				return rv;
			search.before = objects[i];
		}
	} while (count == PAGE);
	return refused ? CKR_DEVICE_ERROR : CKR_OK;
}
