/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as TTLV: what is accepted can be walked through, and is what it claims to be. */
#include "fuzz.h"

#include "kms/ttlv.h"

#include <stdlib.h>
#include <string.h>

const char fuzz_name[] = "fuzz-ttlv";

static void
require(bool condition)
{
	if (!condition)
		abort();
}

/* Reads every value by every getter; how many items there are below. */
static size_t
walk(const struct ttlv *structure, unsigned depth)
{
	struct ttlv item, found;
	uint32_t enumeration;
	int32_t integer;
	bool more;
	size_t count = 0;
	char *text = NULL;

	require(depth <= TTLV_DEPTH_MAX);
	for (more = ttlv_first(structure, &item); more; more = ttlv_next(structure, &item)) {
		require(item.value >= structure->value &&
		        item.size <= structure->size &&
		        item.value + item.size <= structure->value + structure->size);
		require(ttlv_find(structure, item.tag, &found) && found.tag == item.tag);
		require(ttlv_to_integer(&item, &integer) == (item.type == TTLV_INTEGER));
		require(ttlv_to_enumeration(&item, &enumeration) == (item.type == TTLV_ENUMERATION));
		if (ttlv_text_dup(&item, 100, &text)) {
			require(strlen(text) == item.size && ttlv_is_text(&item, text));
			free(text);
		}
		count++;
		if (item.type == TTLV_STRUCTURE)
			count += walk(&item, depth + 1);
	}
	return count;
}

/* The same bytes again, from what was read of them. */
static void
write_again(struct ttlv_writer *writer, const struct ttlv *structure)
{
	struct ttlv item;
	uint32_t enumeration = 0;
	int32_t integer = 0;
	bool more;

	ttlv_open(writer, structure->tag);
	for (more = ttlv_first(structure, &item); more; more = ttlv_next(structure, &item)) {
		if (item.type == TTLV_STRUCTURE)
			write_again(writer, &item);
		else if (ttlv_to_integer(&item, &integer))
			ttlv_integer(writer, item.tag, integer);
		else if (ttlv_to_enumeration(&item, &enumeration))
			ttlv_enumeration(writer, item.tag, enumeration);
		else if (item.type == TTLV_BOOLEAN)
			ttlv_boolean(writer, item.tag, item.value[7] != 0);
		else if (item.type == TTLV_TEXT_STRING)
			ttlv_text_sized(writer, item.tag, item.value, item.size);
		else
			ttlv_bytes(writer, item.tag, item.value, item.size);
	}
	ttlv_close(writer);
}

/* Types that are never written come back as Byte Strings of the same length. */
static bool
only_types_that_are_written(const struct ttlv *structure)
{
	struct ttlv item;
	bool more;

	for (more = ttlv_first(structure, &item); more; more = ttlv_next(structure, &item))
		if (item.type == TTLV_LONG_INTEGER || item.type == TTLV_BIG_INTEGER ||
		    item.type == TTLV_DATE_TIME || item.type == TTLV_INTERVAL ||
		    (item.type == TTLV_STRUCTURE && !only_types_that_are_written(&item)))
			return false;
	return true;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ttlv_writer writer = TTLV_WRITER_INIT;
	struct ttlv root;
	size_t whole;

	if (size >= TTLV_HEADER_SIZE && ttlv_message_size(data, 0x42007b, 65536, &whole))
		require(whole <= 65536 && whole % 8 == 0);
	if (!ttlv_parse(data, size, &root))
		return 0;
	walk(&root, 1);
	write_again(&writer, &root);
	require(ttlv_finish(&writer) == CKR_OK && writer.bytes.size == size);
	if (only_types_that_are_written(&root))
		require(memcmp(writer.bytes.data, data, size) == 0);
	ttlv_clear(&writer);
	return 0;
}
