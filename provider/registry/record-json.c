/* SPDX-License-Identifier: Apache-2.0 */
/* Records to canonical JSON and back: see doc/registry-format.md. */
#include "registry/record.h"

#include "base/clock.h"
#include "base/text.h"
#include "registry/chain.h"

#include <openssl/evp.h>

#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#define CANONICAL (JSON_COMPACT | JSON_SORT_KEYS)
#define INTEGER_MAX INT64_C(9007199254740991) /* 2^53 - 1: what every JSON library holds exactly */
#define TIME_MAX INT64_C(253402300799)        /* 9999-12-31T23:59:59Z */
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

/*
 * Writing. An object is built member by member; what could not be added is remembered in
 * failed, so that the builders read straight down.
 */
struct writer {
	json_t *object;
	bool failed;
};

static void
put(struct writer *writer, const char *member, json_t *value)
{
	if (value == NULL || json_object_set_new(writer->object, member, value) != 0)
		writer->failed = true;
}

static void
put_time(struct writer *writer, const char *member, int64_t seconds)
{
	char text[CLOCK_RFC3339_SIZE];

	if (seconds == 0)
		return;
	clock_format(seconds, text);
	put(writer, member, json_string(text));
}

static void
put_hex(struct writer *writer, const char *member, const struct buffer *data)
{
	char *text = hex_dup(data->data, data->size);

	put(writer, member, text == NULL ? NULL : json_string(text));
	free(text);
}

static void
put_base64(struct writer *writer, const char *member, const struct buffer *data)
{
	unsigned char *text = malloc(4 * ((data->size + 2) / 3) + 1);

	if (text == NULL) {
		writer->failed = true;
		return;
	}
	EVP_EncodeBlock(text, data->data, (int)data->size);
	put(writer, member, json_string((const char *)text));
	free(text);
}

static void
put_usage(struct writer *writer, unsigned usage)
{
	json_t *array = json_array();

	for (size_t i = 0; array != NULL && i < USAGE_COUNT; i++) {
		if ((usage & usages[i].usage) != 0 &&
		    json_array_append_new(array, json_string(usages[i].name)) != 0)
			writer->failed = true;
	}
	put(writer, "usage", array);
}

/* Frees what the writer holds. */
static CK_RV
writer_finish(struct writer *writer, struct buffer *ret_json)
{
	struct buffer json = BUFFER_INIT;
	size_t size = 0;
	CK_RV rv = CKR_HOST_MEMORY;

	if (writer->failed || writer->object == NULL)
		goto out;
	size = json_dumpb(writer->object, NULL, 0, CANONICAL);
	if (size == 0)
		goto out;
	if (size > ENTRY_PAYLOAD_MAX) {
		rv = CKR_DATA_INVALID;
		goto out;
	}
	rv = buffer_resize(&json, size);
	if (rv != CKR_OK)
		goto out;
	if (json_dumpb(writer->object, (char *)json.data, size, CANONICAL) != size) {
		rv = CKR_HOST_MEMORY;
		goto out;
	}
	buffer_clear(ret_json);
	*ret_json = json;
	json = (struct buffer)BUFFER_INIT;
out:
	json_decref(writer->object);
	buffer_clear(&json);
	return rv;
}

/*
 * Reading. What is missing or of the wrong type is remembered in failed. That nothing else
 * is there, and that all is written canonically, comes out when the record is encoded
 * again and compared.
 */
struct reader {
	json_t *object;
	bool failed;
	bool short_of_memory;
};

static const char *
get_text(struct reader *reader, const char *member)
{
	const char *text = json_string_value(json_object_get(reader->object, member));

	if (text == NULL)
		reader->failed = true;
	return text;
}

static char *
get_text_dup(struct reader *reader, const char *member)
{
	const char *text = get_text(reader, member);
	char *copy = NULL;

	if (text != NULL && (copy = strdup(text)) == NULL)
		reader->short_of_memory = true;
	return copy;
}

static int64_t
get_integer(struct reader *reader, const char *member)
{
	const json_t *value = json_object_get(reader->object, member);

	if (!json_is_integer(value))
		reader->failed = true;
	return json_integer_value(value);
}

static int64_t
get_time(struct reader *reader, const char *member)
{
	int64_t seconds = 0;
	const char *text;

	if (json_object_get(reader->object, member) == NULL)
		return 0;
	text = get_text(reader, member);
	if (text != NULL && !clock_parse(text, &seconds))
		reader->failed = true;
	return seconds;
}

static void
get_hex(struct reader *reader, const char *member, struct buffer *ret_data)
{
	const char *text = get_text(reader, member);

	if (text != NULL && !hex_parse(text, ret_data))
		reader->failed = true;
}

static void
get_base64(struct reader *reader, const char *member, struct buffer *ret_data)
{
	const char *text = get_text(reader, member);
	size_t size = text == NULL ? 0 : strlen(text);
	size_t padding = 0;
	int decoded;

	if (size == 0 || size % 4 != 0 || size > ENTRY_PAYLOAD_MAX) {
		reader->failed = true;
		return;
	}
	while (padding < 2 && text[size - 1 - padding] == '=')
		padding++;
	if (buffer_resize(ret_data, size / 4 * 3) != CKR_OK) {
		reader->short_of_memory = true;
		return;
	}
	/* It counts the padding as zeros, and skips white space, which encoding again shows. */
	decoded = EVP_DecodeBlock(ret_data->data, (const unsigned char *)text, (int)size);
	if (decoded < 0 || (size_t)decoded != ret_data->size) {
		reader->failed = true;
		return;
	}
	if (buffer_resize(ret_data, ret_data->size - padding) != CKR_OK)
		reader->short_of_memory = true;
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
	const char *name = get_text(reader, "state");

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
	const char *name = get_text(reader, "algorithm");
	const struct algorithm *algorithm = name == NULL ? NULL : algorithm_by_name(name);

	if (algorithm == NULL)
		reader->failed = true;
	return algorithm;
}

static CK_RV
reader_start(struct reader *reader, const void *json, size_t size, const char *type)
{
	json_error_t error;
	const char *is;

	memset(reader, 0, sizeof *reader);
	if (size == 0 || size > ENTRY_PAYLOAD_MAX)
		return CKR_DATA_INVALID;
	reader->object = json_loadb(json, size, JSON_REJECT_DUPLICATES, &error);
	if (reader->object == NULL)
		return json_error_code(&error) == json_error_out_of_memory ? CKR_HOST_MEMORY :
		                                                             CKR_DATA_INVALID;
	is = get_text(reader, "type");
	if (is == NULL || strcmp(is, type) != 0) {
		json_decref(reader->object);
		return CKR_DATA_INVALID;
	}
	return CKR_OK;
}

/* Frees what the reader holds. */
static CK_RV
reader_finish(struct reader *reader)
{
	json_decref(reader->object);
	if (reader->short_of_memory)
		return CKR_HOST_MEMORY;
	return reader->failed ? CKR_DATA_INVALID : CKR_OK;
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
	return seconds >= 0 && seconds <= TIME_MAX;
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
	put(&writer, "type", json_string("version"));
	put(&writer, "object", json_integer(version->object));
	put(&writer, "name", json_string(version->name));
	put(&writer, "number", json_integer(version->number));
	put_hex(&writer, "id", &version->id);
	put(&writer, "algorithm", json_string(version->algorithm->name));
	put(&writer, "state", json_string(version_state_name(version->state)));
	put_usage(&writer, version->usage);
	put(&writer, "local", json_boolean(version->local));
	put_time(&writer, "created", version->created);
	put_time(&writer, "protect_from", version->protect_from);
	put_time(&writer, "protect_until", version->protect_until);
	put_time(&writer, "state_since", version->state_since);
	if (version->reason != NULL)
		put(&writer, "reason", json_string(version->reason));
	if (version->subject.size > 0)
		put_hex(&writer, "subject", &version->subject);
	put_base64(&writer, "public_key", &version->spki);
	return writer_finish(&writer, ret_json);
}

static CK_RV
version_read(struct reader *reader, struct version *version)
{
	version->object = get_integer(reader, "object");
	version->name = get_text_dup(reader, "name");
	version->number = get_integer(reader, "number");
	get_hex(reader, "id", &version->id);
	version->algorithm = get_algorithm(reader);
	version->state = get_state(reader);
	version->usage = get_usage(reader);
	version->local = json_is_true(json_object_get(reader->object, "local"));
	version->created = get_time(reader, "created");
	version->protect_from = get_time(reader, "protect_from");
	version->protect_until = get_time(reader, "protect_until");
	version->state_since = get_time(reader, "state_since");
	if (json_object_get(reader->object, "reason") != NULL)
		version->reason = get_text_dup(reader, "reason");
	if (json_object_get(reader->object, "subject") != NULL)
		get_hex(reader, "subject", &version->subject);
	get_base64(reader, "public_key", &version->spki);
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
	put(&writer, "type", json_string("key"));
	put(&writer, "name", json_string(key->name));
	put(&writer, "algorithm", json_string(key->algorithm->name));
	put_usage(&writer, key->usage);
	put_time(&writer, "created", key->created);
	put(&writer, "rotate_every", json_integer(key->rotate_every));
	put(&writer, "destroy_after", json_integer(key->destroy_after));
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
	key->name = get_text_dup(&reader, "name");
	key->algorithm = get_algorithm(&reader);
	key->usage = get_usage(&reader);
	key->created = get_time(&reader, "created");
	key->rotate_every = get_integer(&reader, "rotate_every");
	key->destroy_after = get_integer(&reader, "destroy_after");
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
	put(writer, "primitives", array);
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
	put(&writer, "type", json_string("token"));
	put_time(&writer, "created", token->created);
	put(&writer, "manufacturer", json_string(token->manufacturer));
	put(&writer, "model", json_string(token->model));
	put(&writer, "serial", json_string(token->serial));
	put_hex(&writer, "authority_id", &token->authority_id);
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
	token->created = get_time(&reader, "created");
	token->manufacturer = get_text_dup(&reader, "manufacturer");
	token->model = get_text_dup(&reader, "model");
	token->serial = get_text_dup(&reader, "serial");
	get_hex(&reader, "authority_id", &token->authority_id);
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
