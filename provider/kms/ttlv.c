/* SPDX-License-Identifier: Apache-2.0 */
#include "kms/ttlv.h"

#include "base/text.h"

#include <stdlib.h>
#include <string.h>

#define ALIGNMENT 8

/* The bytes that fill up a value to a multiple of 8 (KMIP 1.4, section 9.1.1.3). */
static size_t
padding_of(size_t size)
{
	return (ALIGNMENT - size % ALIGNMENT) % ALIGNMENT;
}

static uint32_t
load_32(const unsigned char *bytes)
{
	return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 |
	       bytes[3];
}

static void
store_32(unsigned char *bytes, uint32_t value)
{
	bytes[0] = (unsigned char)(value >> 24);
	bytes[1] = (unsigned char)(value >> 16 & 0xff);
	bytes[2] = (unsigned char)(value >> 8 & 0xff);
	bytes[3] = (unsigned char)(value & 0xff);
}

static void
append(struct ttlv_writer *writer, const void *data, size_t size)
{
	if (writer->failure == CKR_OK)
		writer->failure = buffer_append(&writer->bytes, data, size);
}

static void
write_item(struct ttlv_writer *writer, uint32_t tag, enum ttlv_type type, const void *value,
           size_t size)
{
	static const unsigned char zeros[ALIGNMENT];
	unsigned char header[TTLV_HEADER_SIZE];

	if (size > INT32_MAX) {
		writer->failure = CKR_GENERAL_ERROR;
		return;
	}
	store_32(header, tag << 8 | (uint32_t)type);
	store_32(header + 4, (uint32_t)size);
	append(writer, header, sizeof header);
	append(writer, value, size);
	append(writer, zeros, padding_of(size));
}

void
ttlv_open(struct ttlv_writer *writer, uint32_t tag)
{
	if (writer->depth == TTLV_DEPTH_MAX)
		writer->failure = CKR_GENERAL_ERROR;
	if (writer->failure != CKR_OK)
		return;
	writer->open[writer->depth++] = writer->bytes.size;
	write_item(writer, tag, TTLV_STRUCTURE, NULL, 0);
}

void
ttlv_close(struct ttlv_writer *writer)
{
	size_t start, size;

	if (writer->failure == CKR_OK && writer->depth == 0)
		writer->failure = CKR_GENERAL_ERROR;
	if (writer->failure != CKR_OK)
		return;
	start = writer->open[--writer->depth];
	size = writer->bytes.size - start - TTLV_HEADER_SIZE;
	if (size > INT32_MAX)
		writer->failure = CKR_GENERAL_ERROR;
	else
		store_32(writer->bytes.data + start + 4, (uint32_t)size);
}

static void
write_32(struct ttlv_writer *writer, uint32_t tag, enum ttlv_type type, uint32_t value)
{
	unsigned char bytes[4];

	store_32(bytes, value);
	write_item(writer, tag, type, bytes, sizeof bytes);
}

void
ttlv_integer(struct ttlv_writer *writer, uint32_t tag, int32_t value)
{
	write_32(writer, tag, TTLV_INTEGER, (uint32_t)value);
}

void
ttlv_enumeration(struct ttlv_writer *writer, uint32_t tag, uint32_t value)
{
	write_32(writer, tag, TTLV_ENUMERATION, value);
}

void
ttlv_boolean(struct ttlv_writer *writer, uint32_t tag, bool value)
{
	const unsigned char bytes[8] = { [7] = value };

	write_item(writer, tag, TTLV_BOOLEAN, bytes, sizeof bytes);
}

void
ttlv_text(struct ttlv_writer *writer, uint32_t tag, const char *value)
{
	ttlv_text_sized(writer, tag, value, strlen(value));
}

void
ttlv_text_sized(struct ttlv_writer *writer, uint32_t tag, const void *value, size_t size)
{
	write_item(writer, tag, TTLV_TEXT_STRING, value, size);
}

void
ttlv_bytes(struct ttlv_writer *writer, uint32_t tag, const void *value, size_t size)
{
	write_item(writer, tag, TTLV_BYTE_STRING, value, size);
}

CK_RV
ttlv_finish(struct ttlv_writer *writer)
{
	if (writer->failure == CKR_OK && writer->depth != 0)
		writer->failure = CKR_GENERAL_ERROR;
	return writer->failure;
}

void
ttlv_clear(struct ttlv_writer *writer)
{
	buffer_clear(&writer->bytes);
	*writer = (struct ttlv_writer)TTLV_WRITER_INIT;
}

bool
ttlv_message_size(const unsigned char *header, uint32_t tag, size_t limit, size_t *ret_size)
{
	size_t size = load_32(header + 4);

	if (load_32(header) != (tag << 8 | TTLV_STRUCTURE) || size % ALIGNMENT != 0 ||
	    limit < TTLV_HEADER_SIZE || size > limit - TTLV_HEADER_SIZE)
		return false;
	*ret_size = TTLV_HEADER_SIZE + size;
	return true;
}

/* Does the length fit the type, and the value what the type allows? */
static bool
check_value(const struct ttlv *item)
{
	static const unsigned char zeros[ALIGNMENT - 1];

	switch (item->type) {
	case TTLV_STRUCTURE:
		return item->size % ALIGNMENT == 0;
	case TTLV_INTEGER:
	case TTLV_ENUMERATION:
	case TTLV_INTERVAL:
		return item->size == 4;
	case TTLV_LONG_INTEGER:
	case TTLV_DATE_TIME:
		return item->size == 8;
	case TTLV_BIG_INTEGER:
		return item->size != 0 && item->size % ALIGNMENT == 0;
	case TTLV_BOOLEAN:
		return item->size == 8 && memcmp(item->value, zeros, sizeof zeros) == 0 &&
		       item->value[7] <= 1;
	case TTLV_TEXT_STRING:
	case TTLV_BYTE_STRING:
		return true;
	default:
		return false;
	}
}

/* The item at the beginning of size bytes; *ret_whole is how many of them it takes. */
static bool
read_item(const unsigned char *data, size_t size, struct ttlv *ret_item, size_t *ret_whole)
{
	static const unsigned char zeros[ALIGNMENT];
	struct ttlv item;
	size_t padding;

	if (size < TTLV_HEADER_SIZE)
		return false;
	item.tag = load_32(data) >> 8;
	item.type = data[3];
	item.size = load_32(data + 4);
	item.value = data + TTLV_HEADER_SIZE;
	padding = padding_of(item.size);
	size -= TTLV_HEADER_SIZE;
	if (item.size > size || padding > size - item.size)
		return false;
	if (memcmp(item.value + item.size, zeros, padding) != 0)
		return false;
	*ret_item = item;
	*ret_whole = TTLV_HEADER_SIZE + item.size + padding;
	return true;
}

bool
ttlv_parse(const void *data, size_t size, struct ttlv *ret_root)
{
	const unsigned char *at = data, *ends[TTLV_DEPTH_MAX];
	struct ttlv root, item;
	size_t depth = 0, whole;

	if (!read_item(at, size, &root, &whole) || whole != size || root.type != TTLV_STRUCTURE ||
	    !check_value(&root))
		return false;
	ends[depth++] = at + size;
	at = root.value;
	while (depth > 0) {
		if (at == ends[depth - 1]) {
			depth--;
			continue;
		}
		if (!read_item(at, (size_t)(ends[depth - 1] - at), &item, &whole) ||
		    !check_value(&item))
			return false;
		if (item.type == TTLV_STRUCTURE) {
			if (depth == TTLV_DEPTH_MAX)
				return false;
			ends[depth++] = at + whole;
			at = item.value;
		} else {
			at += whole;
		}
	}
	*ret_root = root;
	return true;
}

bool
ttlv_first(const struct ttlv *structure, struct ttlv *ret_item)
{
	size_t whole;

	return structure->type == TTLV_STRUCTURE &&
	       read_item(structure->value, structure->size, ret_item, &whole);
}

bool
ttlv_next(const struct ttlv *structure, struct ttlv *item)
{
	const unsigned char *at = item->value + item->size + padding_of(item->size);
	size_t whole;

	return read_item(at, (size_t)(structure->value + structure->size - at), item, &whole);
}

bool
ttlv_find(const struct ttlv *structure, uint32_t tag, struct ttlv *ret_item)
{
	struct ttlv item;
	bool more;

	for (more = ttlv_first(structure, &item); more; more = ttlv_next(structure, &item)) {
		if (item.tag != tag)
			continue;
		*ret_item = item;
		return true;
	}
	return false;
}

bool
ttlv_get_integer(const struct ttlv *structure, uint32_t tag, int32_t *ret_value)
{
	struct ttlv item;

	return ttlv_find(structure, tag, &item) && ttlv_to_integer(&item, ret_value);
}

bool
ttlv_get_enumeration(const struct ttlv *structure, uint32_t tag, uint32_t *ret_value)
{
	struct ttlv item;

	return ttlv_find(structure, tag, &item) && ttlv_to_enumeration(&item, ret_value);
}

bool
ttlv_get_structure(const struct ttlv *structure, uint32_t tag, struct ttlv *ret_item)
{
	struct ttlv item;

	if (!ttlv_find(structure, tag, &item) || item.type != TTLV_STRUCTURE)
		return false;
	*ret_item = item;
	return true;
}

bool
ttlv_get_bytes(const struct ttlv *structure, uint32_t tag, const unsigned char **ret_value,
               size_t *ret_size)
{
	struct ttlv item;

	if (!ttlv_find(structure, tag, &item) || item.type != TTLV_BYTE_STRING)
		return false;
	*ret_value = item.value;
	*ret_size = item.size;
	return true;
}

bool
ttlv_to_integer(const struct ttlv *item, int32_t *ret_value)
{
	if (item->type != TTLV_INTEGER)
		return false;
	*ret_value = (int32_t)load_32(item->value);
	return true;
}

bool
ttlv_to_enumeration(const struct ttlv *item, uint32_t *ret_value)
{
	if (item->type != TTLV_ENUMERATION)
		return false;
	*ret_value = load_32(item->value);
	return true;
}

bool
ttlv_is_text(const struct ttlv *item, const char *text)
{
	size_t size = strlen(text);

	return item->type == TTLV_TEXT_STRING && item->size == size &&
	       memcmp(item->value, text, size) == 0;
}

bool
ttlv_text_dup(const struct ttlv *item, size_t limit, char **ret_text)
{
	char *text;

	if (item->type != TTLV_TEXT_STRING || item->size > limit ||
	    !text_printable((const char *)item->value, item->size))
		return false;
	text = strndup((const char *)item->value, item->size);
	if (text == NULL)
		return false;
	*ret_text = text;
	return true;
}
