/* SPDX-License-Identifier: Apache-2.0 */
#include "command/describe-version.h"

#include "base/text.h"

#include <stdlib.h>

json_t *
usage_json(unsigned usage)
{
	json_t *array = json_array();
	const char *word;
	unsigned bit;

	for (size_t i = 0; array != NULL && (word = usage_word(i, &bit)) != NULL; i++) {
		if ((usage & bit) == 0)
			continue;
		if (json_array_append_new(array, json_string(word)) != 0) {
			json_decref(array);
			return NULL;
		}
	}
	return array;
}

json_t *
version_json(const struct workspace *workspace, const struct key_record *key,
             const struct version *version)
{
	int64_t purge = version->state == STATE_DESTROY_PENDING ? lifecycle_purge_time(key, version)
	                                                        : 0;
	char *label = version_label(version);
	json_t *json;

	json = json_pack("{s:o, s:I, s:o, s:o, s:o, s:s, s:s, s:o, s:o, s:o, s:b, s:o, s:o, s:o, s:o, s:I, "
	                 "s:o, s:o, s:o}",
	                 "name", json_text(version->name),
	                 "version", (json_int_t)version->number,
	                 "id", json_hex(version->id.data, version->id.size),
	                 "token", json_text(workspace->token->name),
	                 "label", label != NULL ? json_text(label) : NULL,
	                 "algorithm", version->algorithm->name,
	                 "state", version_state_name(version->state),
	                 "superseded", json_time(version->superseded),
	                 "reason", json_text(version->reason),
	                 "usage", usage_json(version->usage),
	                 "local", version->local,
	                 "created", json_time(version->created),
	                 "protect_from", json_time(version->protect_from),
	                 "protect_until", json_time(version->protect_until),
	                 "next_rotation", json_time(lifecycle_next_rotation(key, version)),
	                 "rotate_every_seconds", (json_int_t)key->rotate_every,
	                 "state_since", json_time(version->state_since),
	                 "restorable_until", json_time(purge),
	                 "subject", json_hex(version->subject.data, version->subject.size));
	free(label);
	return json;
}

CK_RV
version_json_read(const struct workspace *workspace, const struct version *version,
                  json_t **ret_json)
{
	struct key_record *key = NULL;
	json_t *json;
	CK_RV rv;

	rv = registry_key(workspace->registry, version->name, &key);
	if (rv != CKR_OK)
		return rv;
	json = version_json(workspace, key, version);
	key_record_free(&key);
	if (json == NULL)
		return CKR_HOST_MEMORY;
	*ret_json = json;
	return CKR_OK;
}

const char *
version_state_text(const struct version *version)
{
	return version->superseded != 0 ? "superseded" : version_state_name(version->state);
}

char *
version_full_name(const struct version *version)
{
	return text_format("%s@%lld", version->name, (long long)version->number);
}
