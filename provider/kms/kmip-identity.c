/* SPDX-License-Identifier: Apache-2.0 */
#include "kms/kmip-identity.h"

#include "base/text.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define PREFIX KMIP_NAMESPACE ":"
#define PUBLIC_SUFFIX ":public"
#define PROBE PREFIX "self-test:"
#define FOREIGN "uid:"

/* xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx */
#define UUID_SIZE 16
#define UUID_LENGTH 36

char *
kmip_name_of(enum kmip_object_type type, const void *id, size_t id_size)
{
	char *hex = hex_dup(id, id_size), *name = NULL;

	if (hex != NULL)
		name = text_format(PREFIX "%s%s", hex,
		                   type == KMIP_OBJECT_PUBLIC_KEY ? PUBLIC_SUFFIX : "");
	free(hex);
	return name;
}

char *
kmip_group_of(const char *label)
{
	const char *at = strrchr(label, '@');
	size_t length = strlen(label);

	if (at != NULL && isdigit((unsigned char)at[1]))
		length = (size_t)(at - label);
	return text_format(PREFIX "%.*s", (int)length, label);
}

bool
kmip_object_is_probe(const struct kmip_object *object)
{
	/* One that the server has re-keyed has lost its Name. */
	return (object->name != NULL && strncmp(object->name, PROBE, strlen(PROBE)) == 0) ||
	       (object->label != NULL && strcmp(object->label, KMIP_PROBE_LABEL) == 0);
}

static bool
is_hyphen_at(size_t index)
{
	return index == 8 || index == 13 || index == 18 || index == 23;
}

/* In lower case only, so that there is one text for each UUID. */
static bool
uuid_parse(const char *text, struct buffer *ret_bytes)
{
	char digits[2 * UUID_SIZE + 1];
	size_t count = 0;

	if (strlen(text) != UUID_LENGTH)
		return false;
	for (size_t i = 0; i < UUID_LENGTH; i++) {
		if (is_hyphen_at(i) != (text[i] == '-') || isupper((unsigned char)text[i]))
			return false;
		if (!is_hyphen_at(i))
			digits[count++] = text[i];
	}
	digits[count] = '\0';
	return hex_parse(digits, ret_bytes);
}

static bool
uuid_format(const void *bytes, char *out)
{
	char *digits = hex_dup(bytes, UUID_SIZE);
	size_t next = 0;

	if (digits == NULL)
		return false;
	for (size_t i = 0; i < UUID_LENGTH; i++)
		out[i] = is_hyphen_at(i) ? '-' : digits[next++];
	out[UUID_LENGTH] = '\0';
	free(digits);
	return true;
}

bool
kmip_identifier_of(const void *id, size_t id_size, char *ret_identifier)
{
	size_t prefix = strlen(FOREIGN);
	const char *text = id;

	if (id_size == UUID_SIZE)
		return uuid_format(id, ret_identifier);
	if (id_size <= prefix || id_size - prefix > KMIP_IDENTIFIER_MAX ||
	    memcmp(text, FOREIGN, prefix) != 0 || !text_printable(text + prefix, id_size - prefix))
		return false;
	memcpy(ret_identifier, text + prefix, id_size - prefix);
	ret_identifier[id_size - prefix] = '\0';
	return true;
}

bool
kmip_id_in_name(const char *name, struct buffer *ret_id)
{
	return name != NULL && strncmp(name, PREFIX, strlen(PREFIX)) == 0 &&
	       name[strlen(PREFIX)] != '\0' && hex_parse(name + strlen(PREFIX), ret_id);
}

CK_RV
kmip_id_of_identifier(const char *identifier, struct buffer *ret_id)
{
	char text[sizeof FOREIGN + KMIP_IDENTIFIER_MAX];

	if (uuid_parse(identifier, ret_id))
		return CKR_OK;
	strcpy(text, FOREIGN);
	strcat(text, identifier);
	return buffer_set(ret_id, text, strlen(text));
}

CK_RV
kmip_id_of(const struct kmip_object *object, struct buffer *ret_id)
{
	/* The Name of one that replaced another is that one's, even when that one is gone. */
	if (object->replaced[0] == '\0' && kmip_id_in_name(object->name, ret_id))
		return CKR_OK;
	return kmip_id_of_identifier(object->identifier, ret_id);
}

/* NAME@NUMBER counted on by so many; NULL: it is not that, or memory is short. */
static char *
count_on(const char *label, unsigned replacements)
{
	const char *at = strrchr(label, '@');
	long long number;
	char *end;

	if (at == NULL || !isdigit((unsigned char)at[1]))
		return NULL;
	errno = 0;
	number = strtoll(at + 1, &end, 10);
	if (errno != 0 || *end != '\0' || number > INT32_MAX)
		return NULL;
	return text_format("%.*s@%lld", (int)(at - label), label, number + replacements);
}

char *
kmip_label_of(const struct kmip_object *object, const struct kmip_object *original,
              unsigned replacements)
{
	const char *label = original->label != NULL ? original->label : object->label;
	char *text;

	if (label != NULL && replacements > 0) {
		text = count_on(label, replacements);
		if (text != NULL)
			return text;
	}
	if (label != NULL)
		return strdup(label);
	return strdup(object->nickname != NULL ? object->nickname : object->identifier);
}
