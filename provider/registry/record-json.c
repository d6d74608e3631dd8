/* SPDX-License-Identifier: Apache-2.0 */
/* Records to canonical JSON and back: see doc/registry-format.md. */
#include "registry/record.h"

#include "base/text.h"
#include "registry/canonical.h"

#include <stdlib.h>
#include <string.h>

#define INTEGER_MAX INT64_C(9007199254740991) /* 2^53 - 1: what every JSON library holds exactly */
#define REASON_MAX 255
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
get_state(struct reader *reader)
{
	const char *name = reader_text(reader, "state");

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
	       (version->reason == NULL || text_valid(version->reason, REASON_MAX)) &&
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
	version->state = get_state(reader);
	version->usage = get_usage(reader);
	version->local = json_is_true(json_object_get(reader->object, "local"));
	version->created = reader_time(reader, "created");
	version->protect_from = reader_time(reader, "protect_from");
	version->protect_until = reader_time(reader, "protect_until");
	version->state_since = reader_time(reader, "state_since");
	if (json_object_get(reader->object, "reason") != NULL)
		version->reason = reader_text_dup(reader, "reason");
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
key_record_valid(const struct key_record *key)
{
	return key->name != NULL && record_name_valid(key->name, strlen(key->name)) &&
	       key->algorithm != NULL && (key->usage & ~(unsigned)USAGE_ALL) == 0 &&
	       time_valid(key->created) && key->rotate_every >= 0 &&
	       key->rotate_every <= INTEGER_MAX && key->destroy_after >= 0 &&
	       key->destroy_after <= INTEGER_MAX;
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

static int
compare_primitives(const void *left, const void *right)
{
	CK_MECHANISM_TYPE a = *(const CK_MECHANISM_TYPE *)left;
	CK_MECHANISM_TYPE b = *(const CK_MECHANISM_TYPE *)right;

	return a < b ? -1 : a > b;
}

/* Ascending, each once, whatever the order the KMS tells them in. */
static void
put_primitives(struct writer *writer, const struct token_record *token)
{
	json_t *array = json_array();
	CK_MECHANISM_TYPE *sorted = calloc(token->primitive_count + 1, sizeof *sorted);

	if (array == NULL || sorted == NULL) {
		json_decref(array);
		free(sorted);
		writer->failed = true;
		return;
	}
	if (token->primitive_count > 0)
		memcpy(sorted, token->primitives, token->primitive_count * sizeof *sorted);
	qsort(sorted, token->primitive_count, sizeof *sorted, compare_primitives);
	for (size_t i = 0; i < token->primitive_count; i++) {
		if (i > 0 && sorted[i] == sorted[i - 1])
			continue;
		if (json_array_append_new(array, json_integer((json_int_t)sorted[i])) != 0)
			writer->failed = true;
	}
	free(sorted);
	writer_put(writer, "primitives", array);
}

static void
get_primitives(struct reader *reader, struct token_record *token)
{
	const json_t *array = json_object_get(reader->object, "primitives");
	size_t count = json_array_size(array);

	if (!json_is_array(array) || count > PRIMITIVES_MAX) {
		reader->failed = true;
		return;
	}
	token->primitives = calloc(count + 1, sizeof *token->primitives);
	if (token->primitives == NULL) {
		reader->short_of_memory = true;
		return;
	}
	token->primitive_count = count;
	for (size_t i = 0; i < count; i++) {
		const json_t *value = json_array_get(array, i);

		if (!json_is_integer(value) || json_integer_value(value) < 0)
			reader->failed = true;
		token->primitives[i] = (CK_MECHANISM_TYPE)json_integer_value(value);
	}
}

static bool
token_record_valid(const struct token_record *token)
{
	if (!time_valid(token->created) || token->authority_id.size < 1 ||
	    token->authority_id.size > RECORD_ID_MAX || token->primitive_count > PRIMITIVES_MAX ||
	    !text_valid(token->manufacturer, KMS_TEXT_MAX) ||
	    !text_valid(token->model, KMS_TEXT_MAX) || !text_valid(token->serial, KMS_TEXT_MAX))
		return false;
	for (size_t i = 0; i < token->primitive_count; i++) {
		if (token->primitives[i] > (CK_MECHANISM_TYPE)0xffffffffUL)
			return false;
	}
	return true;
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
	put_primitives(&writer, token);
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
	get_primitives(&reader, token);
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
