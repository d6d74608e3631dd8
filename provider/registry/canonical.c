/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/canonical.h"

#include "base/clock.h"
#include "registry/chain.h"

#include <openssl/evp.h>

#include <stdlib.h>
#include <string.h>

#define CANONICAL (JSON_COMPACT | JSON_SORT_KEYS)

void
writer_put(struct writer *writer, const char *member, json_t *value)
{
	if (value == NULL || json_object_set_new(writer->object, member, value) != 0)
		writer->failed = true;
}

void
writer_time(struct writer *writer, const char *member, int64_t seconds)
{
	char text[CLOCK_RFC3339_SIZE];

	if (seconds == 0)
		return;
	clock_format(seconds, text);
	writer_put(writer, member, json_string(text));
}

void
writer_hex(struct writer *writer, const char *member, const struct buffer *data)
{
	char *text = hex_dup(data->data, data->size);

	writer_put(writer, member, text == NULL ? NULL : json_string(text));
	free(text);
}

void
writer_base64(struct writer *writer, const char *member, const struct buffer *data)
{
	unsigned char *text = malloc(4 * ((data->size + 2) / 3) + 1);

	if (text == NULL) {
		writer->failed = true;
		return;
	}
	EVP_EncodeBlock(text, data->data, (int)data->size);
	writer_put(writer, member, json_string((const char *)text));
	free(text);
}

/* Frees what the writer holds. */
CK_RV
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

const char *
reader_text(struct reader *reader, const char *member)
{
	const char *text = json_string_value(json_object_get(reader->object, member));

	if (text == NULL)
		reader->failed = true;
	return text;
}

char *
reader_text_dup(struct reader *reader, const char *member)
{
	const char *text = reader_text(reader, member);
	char *copy = NULL;

	if (text != NULL && (copy = strdup(text)) == NULL)
		reader->short_of_memory = true;
	return copy;
}

int64_t
reader_integer(struct reader *reader, const char *member)
{
	const json_t *value = json_object_get(reader->object, member);

	if (!json_is_integer(value))
		reader->failed = true;
	return json_integer_value(value);
}

int64_t
reader_time(struct reader *reader, const char *member)
{
	int64_t seconds = 0;
	const char *text;

	if (json_object_get(reader->object, member) == NULL)
		return 0;
	text = reader_text(reader, member);
	if (text != NULL && !clock_parse(text, &seconds))
		reader->failed = true;
	return seconds;
}

void
reader_hex(struct reader *reader, const char *member, struct buffer *ret_data)
{
	const char *text = reader_text(reader, member);

	if (text != NULL && !hex_parse(text, ret_data))
		reader->failed = true;
}

void
reader_base64(struct reader *reader, const char *member, struct buffer *ret_data)
{
	const char *text = reader_text(reader, member);
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

CK_RV
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
	is = reader_text(reader, "type");
	if (is == NULL || strcmp(is, type) != 0) {
		json_decref(reader->object);
		return CKR_DATA_INVALID;
	}
	return CKR_OK;
}

/* Frees what the reader holds. */
CK_RV
reader_finish(struct reader *reader)
{
	json_decref(reader->object);
	if (reader->short_of_memory)
		return CKR_HOST_MEMORY;
	return reader->failed ? CKR_DATA_INVALID : CKR_OK;
}
