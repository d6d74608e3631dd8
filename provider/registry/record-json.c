/* SPDX-License-Identifier: Apache-2.0 */
/* Records to canonical JSON and back: see doc/registry-format.md. */
#include "registry/record.h"

#include "base/text.h"
#include "registry/canonical.h"

#include <stdlib.h>
#include <string.h>

#define INTEGER_MAX INT64_C(9007199254740991) /* 2^53 - 1: what every JSON library holds exactly */
#define SUBJECT_MAX 8192
#define SPKI_MAX 8192
#define KMS_TEXT_MAX 255
#define PRIMITIVES_MAX 1024

/* In the order in which they are written. */
static const struct {
	enum usage usage;
	const char *name;
} usages[] = {
	{ USAGE_DECRYPT, "decrypt" },
	{ USAGE_SIGN, "sign" },
	{ USAGE_UNWRAP, "unwrap" },
	{ USAGE_DERIVE, "derive" },
};

#define USAGE_COUNT (sizeof usages / sizeof *usages)
#define USAGE_ALL (USAGE_DECRYPT | USAGE_SIGN | USAGE_UNWRAP | USAGE_DERIVE)

static void
put_usage(struct writer *writer, unsigned usage)
{
	json_t *array = json_array();

	for (size_t i = 0; array != NULL && i < USAGE_COUNT; i++) {
		if ((usage & usages[i].usage) != 0 &&
		    json_array_append_new(array, json_string(usages[i].name)) != 0)
			writer->failed = true;
	}
	writer_put(writer, "usage", array);
}

static unsigned
get_usage(struct reader *reader)
{
	const json_t *array = json_object_get(reader->object, "usage");
	unsigned usage = 0;

	if (!json_is_array(array) || json_array_size(array) > USAGE_COUNT)
		reader->failed = true;
	for (size_t i = 0; i < json_array_size(array); i++) {
		const char *name = json_string_value(json_array_get(array, i));
		size_t at = 0;

		while (name != NULL && at < USAGE_COUNT && strcmp(name, usages[at].name) != 0)
			at++;
		if (name == NULL || at == USAGE_COUNT)
			reader->failed = true;
		else
			usage |= usages[at].usage;
	}
	return usage;
}

static enum version_state
get_state(struct reader *reader, const char *member)
{
	const char *name = reader_text(reader, member);

	for (int state = STATE_PRE_ACTIVE; name != NULL && state <= STATE_DESTROYED; state++) {
		if (strcmp(name, version_state_name((enum version_state)state)) == 0)
			return (enum version_state)state;
	}
	reader->failed = true;
	return STATE_DESTROYED;
}

static const struct algorithm *
get_algorithm(struct reader *reader)
{
	const char *name = reader_text(reader, "algorithm");
	const struct algorithm *algorithm = name == NULL ? NULL : algorithm_by_name(name);

	if (algorithm == NULL)
		reader->failed = true;
	return algorithm;
}

/* Ascending, each once, whatever the order they are told in. */
static void
put_mechanisms(struct writer *writer, const char *member, const CK_MECHANISM_TYPE *types,
               size_t count)
{
	struct mechanism_list sorted = { NULL, 0 };
	json_t *array = json_array();

	if (array == NULL || mechanism_list_set(&sorted, types, count) != CKR_OK)
		writer->failed = true;
	for (size_t i = 0; array != NULL && i < sorted.count; i++) {
		if (json_array_append_new(array, json_integer((json_int_t)sorted.types[i])) != 0)
			writer->failed = true;
	}
	mechanism_list_clear(&sorted);
	writer_put(writer, member, array);
}

static void
get_mechanisms(struct reader *reader, const char *member, CK_MECHANISM_TYPE **ret_types,
               size_t *ret_count)
{
	const json_t *array = json_object_get(reader->object, member);
	size_t count = json_array_size(array);

	if (!json_is_array(array) || count > PRIMITIVES_MAX) {
		reader->failed = true;
		return;
	}
	*ret_types = calloc(count + 1, sizeof **ret_types);
	if (*ret_types == NULL) {
		reader->short_of_memory = true;
		return;
	}
	*ret_count = count;
	for (size_t i = 0; i < count; i++) {
		const json_t *value = json_array_get(array, i);

		if (!json_is_integer(value) || json_integer_value(value) < 0)
			reader->failed = true;
		(*ret_types)[i] = (CK_MECHANISM_TYPE)json_integer_value(value);
	}
}

/* What a policy allows: there only when it does not allow all. */
static void
put_allowed(struct writer *writer, const struct mechanism_list *list)
{
	if (list->count != 0)
		put_mechanisms(writer, "mechanisms", list->types, list->count);
}

static void
get_allowed(struct reader *reader, struct mechanism_list *list)
{
	if (json_object_get(reader->object, "mechanisms") != NULL)
		get_mechanisms(reader, "mechanisms", &list->types, &list->count);
}

static bool
mechanisms_valid(const CK_MECHANISM_TYPE *types, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (types[i] > (CK_MECHANISM_TYPE)0xffffffffUL)
			return false;
	}
	return count <= PRIMITIVES_MAX;
}

/* Encoding again gave encoding_rv and again (cleared here), which must be the very text. */
static CK_RV
same_again(CK_RV encoding_rv, struct buffer *again, const void *json, size_t size)
{
	bool same = encoding_rv == CKR_OK && buffer_equal(again, json, size);

	buffer_clear(again);
	if (encoding_rv != CKR_OK)
		return encoding_rv;
	return same ? CKR_OK : CKR_DATA_INVALID;
}

static bool
time_valid(int64_t seconds)
{
	return seconds >= 0 && seconds <= RECORD_TIME_MAX;
}

static bool
text_valid(const char *text, size_t max)
{
	return text != NULL && strlen(text) <= max && text_printable(text, strlen(text));
}

static bool
version_valid(const struct version *version)
{
	return version->object >= 1 && version->object <= INTEGER_MAX &&
	       version->name != NULL && record_name_valid(version->name, strlen(version->name)) &&
	       version->number >= 1 && version->number <= INTEGER_MAX &&
	       version->id.size >= 1 && version->id.size <= RECORD_ID_MAX &&
	       version->algorithm != NULL && version->state <= STATE_DESTROYED &&
	       (version->usage & ~(unsigned)USAGE_ALL) == 0 &&
	       time_valid(version->created) && time_valid(version->protect_from) &&
	       time_valid(version->protect_until) && time_valid(version->state_since) &&
	       (version->reason == NULL || text_valid(version->reason, RECORD_REASON_MAX)) &&
	       time_valid(version->superseded) &&
	       (version->superseded == 0 || version->state == STATE_ACTIVE) &&
	       version->before <= STATE_COMPROMISED &&
	       (version->before == STATE_ACTIVE || version->state == STATE_DESTROY_PENDING) &&
	       mechanisms_valid(version->mechanisms.types, version->mechanisms.count) &&
	       version->subject.size <= SUBJECT_MAX &&
	       version->spki.size >= 1 && version->spki.size <= SPKI_MAX;
}

CK_RV
version_encode(const struct version *version, struct buffer *ret_json)
{
	struct writer writer = { NULL, false };

	if (!version_valid(version))
		return CKR_DATA_INVALID;
	writer.object = json_object();
	writer_put(&writer, "type", json_string("version"));
	writer_put(&writer, "object", json_integer(version->object));
	writer_put(&writer, "name", json_string(version->name));
	writer_put(&writer, "number", json_integer(version->number));
	writer_hex(&writer, "id", &version->id);
	writer_put(&writer, "algorithm", json_string(version->algorithm->name));
	writer_put(&writer, "state", json_string(version_state_name(version->state)));
	put_usage(&writer, version->usage);
	writer_put(&writer, "local", json_boolean(version->local));
	writer_time(&writer, "created", version->created);
	writer_time(&writer, "protect_from", version->protect_from);
	writer_time(&writer, "protect_until", version->protect_until);
	writer_time(&writer, "state_since", version->state_since);
	if (version->reason != NULL)
		writer_put(&writer, "reason", json_string(version->reason));
	writer_time(&writer, "superseded", version->superseded);
	if (version->before != STATE_ACTIVE)
		writer_put(&writer, "before", json_string(version_state_name(version->before)));
	put_allowed(&writer, &version->mechanisms);
	if (version->subject.size > 0)
		writer_hex(&writer, "subject", &version->subject);
	writer_base64(&writer, "public_key", &version->spki);
	return writer_finish(&writer, ret_json);
}

static CK_RV
version_read(struct reader *reader, struct version *version)
{
	version->object = reader_integer(reader, "object");
	version->name = reader_text_dup(reader, "name");
	version->number = reader_integer(reader, "number");
	reader_hex(reader, "id", &version->id);
	version->algorithm = get_algorithm(reader);
	version->state = get_state(reader, "state");
	version->usage = get_usage(reader);
	version->local = json_is_true(json_object_get(reader->object, "local"));
	version->created = reader_time(reader, "created");
	version->protect_from = reader_time(reader, "protect_from");
	version->protect_until = reader_time(reader, "protect_until");
	version->state_since = reader_time(reader, "state_since");
	if (json_object_get(reader->object, "reason") != NULL)
		version->reason = reader_text_dup(reader, "reason");
	version->superseded = reader_time(reader, "superseded");
	if (json_object_get(reader->object, "before") != NULL)
		version->before = get_state(reader, "before");
	get_allowed(reader, &version->mechanisms);
	if (json_object_get(reader->object, "subject") != NULL)
		reader_hex(reader, "subject", &version->subject);
	reader_base64(reader, "public_key", &version->spki);
	return reader_finish(reader);
}

CK_RV
version_decode(const void *json, size_t size, struct version **ret_version)
{
	struct buffer again = BUFFER_INIT;
	struct version *version = NULL;
	struct reader reader;
	CK_RV rv;

	rv = reader_start(&reader, json, size, "version");
	if (rv != CKR_OK)
		return rv;
	rv = version_new(&version);
	if (rv != CKR_OK) {
		json_decref(reader.object);
		return rv;
	}
	rv = version_read(&reader, version);
	if (rv == CKR_OK)
		rv = same_again(version_encode(version, &again), &again, json, size);
	if (rv != CKR_OK) {
		version_free(&version);
		return rv;
	}
	*ret_version = version;
	return CKR_OK;
}

static bool
number_valid(int64_t number)
{
	return number >= 0 && number <= INTEGER_MAX;
}

static bool
key_record_valid(const struct key_record *key)
{
	return key->name != NULL && record_name_valid(key->name, strlen(key->name)) &&
	       key->algorithm != NULL && (key->usage & ~(unsigned)USAGE_ALL) == 0 &&
	       time_valid(key->created) && number_valid(key->rotate_every) &&
	       number_valid(key->destroy_after) && number_valid(key->overlap) &&
	       number_valid(key->keep_versions) && number_valid(key->keep_for) &&
	       mechanisms_valid(key->mechanisms.types, key->mechanisms.count) &&
	       key->recovery.size <= SPKI_MAX;
}

/* Members of a policy that came later: there only when they are not 0. */
static void
put_number(struct writer *writer, const char *member, int64_t number)
{
	if (number != 0)
		writer_put(writer, member, json_integer(number));
}

static int64_t
get_number(struct reader *reader, const char *member)
{
	return json_object_get(reader->object, member) == NULL ? 0 : reader_integer(reader, member);
}

CK_RV
key_record_encode(const struct key_record *key, struct buffer *ret_json)
{
	struct writer writer = { NULL, false };

	if (!key_record_valid(key))
		return CKR_DATA_INVALID;
	writer.object = json_object();
	writer_put(&writer, "type", json_string("key"));
	writer_put(&writer, "name", json_string(key->name));
	writer_put(&writer, "algorithm", json_string(key->algorithm->name));
	put_usage(&writer, key->usage);
	writer_time(&writer, "created", key->created);
	writer_put(&writer, "rotate_every", json_integer(key->rotate_every));
	writer_put(&writer, "destroy_after", json_integer(key->destroy_after));
	put_number(&writer, "overlap", key->overlap);
	put_number(&writer, "keep_versions", key->keep_versions);
	put_number(&writer, "keep_for", key->keep_for);
	put_allowed(&writer, &key->mechanisms);
	if (key->recovery.size > 0)
		writer_base64(&writer, "recovery", &key->recovery);
	return writer_finish(&writer, ret_json);
}

CK_RV
key_record_decode(const void *json, size_t size, struct key_record **ret_key)
{
	struct buffer again = BUFFER_INIT;
	struct key_record *key = NULL;
	struct reader reader;
	CK_RV rv;

	rv = reader_start(&reader, json, size, "key");
	if (rv != CKR_OK)
		return rv;
	rv = key_record_new(&key);
	if (rv != CKR_OK) {
		json_decref(reader.object);
		return rv;
	}
	key->name = reader_text_dup(&reader, "name");
	key->algorithm = get_algorithm(&reader);
	key->usage = get_usage(&reader);
	key->created = reader_time(&reader, "created");
	key->rotate_every = reader_integer(&reader, "rotate_every");
	key->destroy_after = reader_integer(&reader, "destroy_after");
	key->overlap = get_number(&reader, "overlap");
	key->keep_versions = get_number(&reader, "keep_versions");
	key->keep_for = get_number(&reader, "keep_for");
	get_allowed(&reader, &key->mechanisms);
	if (json_object_get(reader.object, "recovery") != NULL)
		reader_base64(&reader, "recovery", &key->recovery);
	rv = reader_finish(&reader);
	if (rv == CKR_OK)
		rv = same_again(key_record_encode(key, &again), &again, json, size);
	if (rv != CKR_OK) {
		key_record_free(&key);
		return rv;
	}
	*ret_key = key;
	return CKR_OK;
}

static bool
token_record_valid(const struct token_record *token)
{
	return time_valid(token->created) && time_valid(token->rebuilt) &&
	       token->authority_id.size >= 1 &&
	       token->authority_id.size <= RECORD_ID_MAX &&
	       text_valid(token->manufacturer, KMS_TEXT_MAX) &&
	       text_valid(token->model, KMS_TEXT_MAX) && text_valid(token->serial, KMS_TEXT_MAX) &&
	       mechanisms_valid(token->primitives, token->primitive_count);
}

CK_RV
token_record_encode(const struct token_record *token, struct buffer *ret_json)
{
	struct writer writer = { NULL, false };

	if (!token_record_valid(token))
		return CKR_DATA_INVALID;
	writer.object = json_object();
	writer_put(&writer, "type", json_string("token"));
	writer_time(&writer, "created", token->created);
	writer_put(&writer, "manufacturer", json_string(token->manufacturer));
	writer_put(&writer, "model", json_string(token->model));
	writer_put(&writer, "serial", json_string(token->serial));
	writer_hex(&writer, "authority_id", &token->authority_id);
	put_mechanisms(&writer, "primitives", token->primitives, token->primitive_count);
	writer_time(&writer, "rebuilt", token->rebuilt);
	return writer_finish(&writer, ret_json);
}

CK_RV
token_record_decode(const void *json, size_t size, struct token_record **ret_token)
{
	struct buffer again = BUFFER_INIT;
	struct token_record *token = NULL;
	struct reader reader;
	CK_RV rv;

	rv = reader_start(&reader, json, size, "token");
	if (rv != CKR_OK)
		return rv;
	rv = token_record_new(&token);
	if (rv != CKR_OK) {
		json_decref(reader.object);
		return rv;
	}
	token->created = reader_time(&reader, "created");
	token->manufacturer = reader_text_dup(&reader, "manufacturer");
	token->model = reader_text_dup(&reader, "model");
	token->serial = reader_text_dup(&reader, "serial");
	reader_hex(&reader, "authority_id", &token->authority_id);
	get_mechanisms(&reader, "primitives", &token->primitives, &token->primitive_count);
	token->rebuilt = reader_time(&reader, "rebuilt");
	rv = reader_finish(&reader);
	if (rv == CKR_OK)
		rv = same_again(token_record_encode(token, &again), &again, json, size);
	if (rv != CKR_OK) {
		token_record_free(&token);
		return rv;
	}
	*ret_token = token;
	return CKR_OK;
}
