/* SPDX-License-Identifier: Apache-2.0 */
#include "command/describe-version.h"
#include "command/key-walk.h"
#include "command/reference.h"
#include "command/table.h"

#include <stdio.h>
#include <string.h>

#define ID_SHOWN 8 /* hexadecimal digits of an id in the table */

struct list {
	const struct workspace *workspace;
	const struct key_record *key; /* of the version at hand, borrowed */
	bool all;
	struct table *table; /* owned; one of the two */
	json_t *json;
};

static bool
add_row(const struct list *list, const struct version *version)
{
	char number[24], until[11], next[11], id[ID_SHOWN + 1];
	const char *cells[TABLE_COLUMNS] = {
		version->name, number, version->algorithm->name, version_state_text(version),
		until, next, id,
	};

	snprintf(number, sizeof number, "%lld", (long long)version->number);
	format_date(version->protect_until, until);
	format_date(lifecycle_next_rotation(list->key, version), next);
	id[0] = '\0';
	for (size_t i = 0; i < version->id.size && i < ID_SHOWN / 2; i++)
		snprintf(id + 2 * i, sizeof id - 2 * i, "%02x", version->id.data[i]);
	return table_add(list->table, cells);
}

static CK_RV
list_version(void *context, const struct version *version)
{
	struct list *list = context;
	bool done;

	if (list->json != NULL)
		done = json_array_append_new(list->json,
		                             version_json(list->workspace, list->key, version)) == 0;
	else
		done = add_row(list, version);
	return done ? CKR_OK : CKR_HOST_MEMORY;
}

/* A key, or some of its versions, that are not used: the rest is shown all the same. */
static CK_RV
list_refused(const struct list *list, const char *name)
{
	const char *cells[TABLE_COLUMNS] = { name, "", "", "refused", "", "", "" };
	bool done;

	if (list->json != NULL)
		done = json_array_append_new(list->json, json_pack("{s:o, s:s}", "name", json_text(name),
		                                                   "state", "refused")) == 0;
	else
		done = table_add(list->table, cells);
	return done ? CKR_OK : CKR_HOST_MEMORY;
}

static CK_RV
list_key(void *context, const char *name, const struct key_record *key)
{
	struct list *list = context;
	struct version *version = NULL;
	CK_RV rv;

	if (key == NULL)
		return list_refused(list, name);
	list->key = key;
	if (list->all)
		return version_walk(list->workspace->registry, key->name, true, list_version, list);
	rv = version_newest(list->workspace->registry, key->name, &version);
	if (rv == CKR_OK)
		rv = list_version(list, version);
	version_free(&version);
	return rv;
}

static int
finish(struct list *list)
{
	json_t *json = list->json;

	if (json == NULL) {
		table_print(list->table, terminal_width());
		return EXIT_DONE;
	}
	list->json = NULL;
	return say_json(json) ? EXIT_DONE : EXIT_FAILED;
}

int
command_list(const struct arguments *arguments)
{
	static const char *const headings[TABLE_COLUMNS] = {
		"NAME", "VER", "ALGORITHM", "STATE", "UNTIL", "ROTATES", "ID",
	};
	struct workspace workspace = { .token = NULL };
	struct list list = {
		.workspace = &workspace, .all = arguments->options[OPTION_ALL] != NULL
	};
	CK_RV rv = CKR_HOST_MEMORY;
	int code;

	code = workspace_read(arguments, &workspace);
	if (code != EXIT_DONE)
		goto out;
	if (arguments->options[OPTION_JSON] != NULL)
		list.json = json_array();
	else
		list.table = table_new(headings);
	if (list.json != NULL || list.table != NULL)
		rv = key_walk(workspace.registry, list_key, &list);
	code = rv == CKR_OK || rv == CKR_DEVICE_ERROR ? finish(&list) : EXIT_DONE;
	if (rv != CKR_OK && code == EXIT_DONE)
		code = registry_failed(&workspace,
		                       rv == CKR_DEVICE_ERROR ? "list all keys" : "list the keys", rv);
out:
	json_decref(list.json);
	table_free(&list.table);
	workspace_close(&workspace);
	return code;
}
