/* SPDX-License-Identifier: Apache-2.0 */
#include "kms/kmip-attribute.h"

#include <stdlib.h>
#include <string.h>

/* The longest Name or label that is looked at; ours are far shorter. */
#define TEXT_MAX 1024

static void
open_attribute(struct ttlv_writer *writer, const char *name)
{
	ttlv_open(writer, KMIP_ATTRIBUTE);
	ttlv_text(writer, KMIP_ATTRIBUTE_NAME, name);
}

void
kmip_attribute_enumeration(struct ttlv_writer *writer, const char *name, uint32_t value)
{
	open_attribute(writer, name);
	ttlv_enumeration(writer, KMIP_ATTRIBUTE_VALUE, value);
	ttlv_close(writer);
}

void
kmip_attribute_integer(struct ttlv_writer *writer, const char *name, int32_t value)
{
	open_attribute(writer, name);
	ttlv_integer(writer, KMIP_ATTRIBUTE_VALUE, value);
	ttlv_close(writer);
}

void
kmip_attribute_boolean(struct ttlv_writer *writer, const char *name, bool value)
{
	open_attribute(writer, name);
	ttlv_boolean(writer, KMIP_ATTRIBUTE_VALUE, value);
	ttlv_close(writer);
}

void
kmip_attribute_text(struct ttlv_writer *writer, const char *name, const char *value)
{
	open_attribute(writer, name);
	ttlv_text(writer, KMIP_ATTRIBUTE_VALUE, value);
	ttlv_close(writer);
}

void
kmip_attribute_name(struct ttlv_writer *writer, const char *value)
{
	open_attribute(writer, "Name");
	ttlv_open(writer, KMIP_ATTRIBUTE_VALUE);
	ttlv_text(writer, KMIP_NAME_VALUE, value);
	ttlv_enumeration(writer, KMIP_NAME_TYPE, KMIP_NAME_UNINTERPRETED);
	ttlv_close(writer);
	ttlv_close(writer);
}

void
kmip_attribute_application(struct ttlv_writer *writer, const char *data)
{
	open_attribute(writer, "Application Specific Information");
	ttlv_open(writer, KMIP_ATTRIBUTE_VALUE);
	ttlv_text(writer, KMIP_APPLICATION_NAMESPACE, KMIP_NAMESPACE);
	ttlv_text(writer, KMIP_APPLICATION_DATA, data);
	ttlv_close(writer);
	ttlv_close(writer);
}

bool
kmip_identifier_copy(const struct ttlv *item, char *ret_identifier)
{
	char *text;

	if (item->size == 0 || !ttlv_text_dup(item, KMIP_IDENTIFIER_MAX, &text))
		return false;
	strcpy(ret_identifier, text);
	free(text);
	return true;
}

/* The text with this tag in the structure; NULL: none that is printable. */
static char *
text_in(const struct ttlv *structure, uint32_t tag)
{
	struct ttlv item;
	char *text = NULL;

	if (!ttlv_find(structure, tag, &item) || !ttlv_text_dup(&item, TEXT_MAX, &text))
		return NULL;
	return text;
}

static void
take_name(struct kmip_object *object, const struct ttlv *value)
{
	char *text = text_in(value, KMIP_NAME_VALUE);
	bool ours;

	if (text == NULL)
		return;
	ours = strncmp(text, KMIP_NAMESPACE ":", strlen(KMIP_NAMESPACE ":")) == 0;
	if (ours && object->name == NULL)
		object->name = text;
	else if (!ours && object->nickname == NULL)
		object->nickname = text;
	else
		free(text);
}

static void
take_application(struct kmip_object *object, const struct ttlv *value)
{
	struct ttlv item;

	if (object->label == NULL && ttlv_find(value, KMIP_APPLICATION_NAMESPACE, &item) &&
	    ttlv_is_text(&item, KMIP_NAMESPACE))
		object->label = text_in(value, KMIP_APPLICATION_DATA);
}

static void
take_link(struct kmip_object *object, const struct ttlv *value)
{
	uint32_t type;
	struct ttlv item;
	char *field;

	if (!ttlv_get_enumeration(value, KMIP_LINK_TYPE, &type))
		return;
	if (type == KMIP_LINK_REPLACED)
		field = object->replaced;
	else if (type == KMIP_LINK_PUBLIC_KEY || type == KMIP_LINK_PRIVATE_KEY)
		field = object->other_half;
	else
		return;
	if (!ttlv_find(value, KMIP_LINKED_OBJECT_IDENTIFIER, &item) ||
	    !kmip_identifier_copy(&item, field))
		field[0] = '\0';
}

/* One Attribute: its name tells what its value is. */
static void
take_attribute(struct kmip_object *object, const struct ttlv *attribute)
{
	struct ttlv name, value;

	if (!ttlv_find(attribute, KMIP_ATTRIBUTE_NAME, &name) ||
	    !ttlv_find(attribute, KMIP_ATTRIBUTE_VALUE, &value))
		return;
	if (ttlv_is_text(&name, "Name"))
		take_name(object, &value);
	else if (ttlv_is_text(&name, "Application Specific Information"))
		take_application(object, &value);
	else if (ttlv_is_text(&name, "Link"))
		take_link(object, &value);
	else if (ttlv_is_text(&name, "Object Type"))
		(void)!ttlv_to_enumeration(&value, &object->type);
	else if (ttlv_is_text(&name, "Cryptographic Algorithm"))
		(void)!ttlv_to_enumeration(&value, &object->algorithm);
	else if (ttlv_is_text(&name, "State"))
		(void)!ttlv_to_enumeration(&value, &object->state);
}

void
kmip_object_parse(const struct ttlv *payload, const char *identifier,
                  struct kmip_object *ret_object)
{
	struct kmip_object object = { .type = 0 };
	struct ttlv item;
	bool more;

	strcpy(object.identifier, identifier);
	for (more = ttlv_first(payload, &item); more; more = ttlv_next(payload, &item))
		if (item.tag == KMIP_ATTRIBUTE && item.type == TTLV_STRUCTURE)
			take_attribute(&object, &item);
	*ret_object = object;
}

void
kmip_object_clear(struct kmip_object *object)
{
	free(object->name);
	free(object->label);
	free(object->nickname);
	*object = (struct kmip_object){ .type = 0 };
}

bool
kmip_object_is_live(const struct kmip_object *object)
{
	return object->state != KMIP_DESTROYED && object->state != KMIP_DESTROYED_COMPROMISED;
}
