/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/object-record.h"

#include "registry/canonical.h"
#include "registry/record.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ATTRIBUTES_MAX 64
#define TYPE_DIGITS 16

CK_RV
object_record_new(struct object_record **ret_record)
{
	struct object_record *record = calloc(1, sizeof *record);

	if (record == NULL)
		return CKR_HOST_MEMORY;
	*ret_record = record;
	return CKR_OK;
}

void
object_record_free(struct object_record **record)
{
	if (*record == NULL)
		return;
	attributes_clear(&(*record)->attributes);
	free(*record);
	*record = NULL;
}

/* Attribute types as hexadecimal of one length, so that they sort as numbers. */
static void
put_attributes(struct writer *writer, const struct attributes *list)
{
	struct writer inner = { json_object(), false };
	char type[TYPE_DIGITS + 1];
	char *hex;

	for (size_t i = 0; i < list->count; i++) {
		snprintf(type, sizeof type, "%0*lx", TYPE_DIGITS, list->list[i].type);
		hex = list->list[i].value.size == 0 ? strdup("")
		                                    : hex_dup(list->list[i].value.data,
		                                              list->list[i].value.size);
		writer_put(&inner, type, hex != NULL ? json_string(hex) : NULL);
		free(hex);
	}
	writer->failed = writer->failed || inner.failed;
	writer_put(writer, "attributes", inner.object);
}

static void
get_attribute(struct reader *reader, const char *name, const json_t *value,
              struct attributes *list)
{
	struct buffer data = BUFFER_INIT;
	const char *hex = json_string_value(value);
	char *end = NULL;
	unsigned long type;
	CK_RV rv;

	errno = 0;
	type = strtoul(name, &end, 16);
	if (strlen(name) != TYPE_DIGITS || *end != '\0' || errno != 0 || hex == NULL ||
	    (*hex != '\0' && !hex_parse(hex, &data))) {
		reader->failed = true;
		return;
	}
	rv = attributes_set(list, type, data.data, data.size);
	if (rv != CKR_OK)
		reader->short_of_memory = true;
	buffer_clear(&data);
}

static void
get_attributes(struct reader *reader, struct attributes *list)
{
	json_t *object = json_object_get(reader->object, "attributes");
	const char *name;
	json_t *value;

	if (!json_is_object(object) || json_object_size(object) > ATTRIBUTES_MAX) {
		reader->failed = true;
		return;
	}
	json_object_foreach(object, name, value)
		get_attribute(reader, name, value, list);
}

CK_RV
object_record_encode(const struct object_record *record, struct buffer *ret_json)
{
	struct writer writer = { NULL, false };

	if (record->object < 1 || record->created < 0 || record->created > RECORD_TIME_MAX ||
	    record->attributes.count > ATTRIBUTES_MAX ||
	    record->removed != (record->attributes.count == 0))
		return CKR_DATA_INVALID;
	writer.object = json_object();
	writer_put(&writer, "type", json_string("object"));
	writer_put(&writer, "object", json_integer(record->object));
	writer_put(&writer, "removed", json_boolean(record->removed));
	writer_time(&writer, "created", record->created);
	put_attributes(&writer, &record->attributes);
	return writer_finish(&writer, ret_json);
}

CK_RV
object_record_decode(const void *json, size_t size, struct object_record **ret_record)
{
	struct buffer again = BUFFER_INIT;
	struct object_record *record = NULL;
	struct reader reader;
	CK_RV rv = reader_start(&reader, json, size, "object");

	if (rv != CKR_OK)
		return rv;
	rv = object_record_new(&record);
	if (rv != CKR_OK) {
		json_decref(reader.object);
		return rv;
	}
	record->object = reader_integer(&reader, "object");
	record->removed = json_is_true(json_object_get(reader.object, "removed"));
	record->created = reader_time(&reader, "created");
	get_attributes(&reader, &record->attributes);
	rv = reader_finish(&reader);
	if (rv == CKR_OK)
		rv = object_record_encode(record, &again);
	if (rv == CKR_OK && !buffer_equal(&again, json, size))
		rv = CKR_DATA_INVALID;
	buffer_clear(&again);
	if (rv == CKR_OK)
		*ret_record = record;
	else
		object_record_free(&record);
	return rv;
}
