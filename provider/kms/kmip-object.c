/* SPDX-License-Identifier: Apache-2.0 */
#include "kms/kmip-object.h"

#include <search.h>
#include <stdlib.h>
#include <string.h>

/* Links that go round in a circle end here. */
#define REPLACEMENTS_MAX 1000

CK_RV
kmip_object_read(struct kmip_session *session, const char *identifier,
                 struct kmip_object *ret_object)
{
	static const char *const wanted[] = {
		"Name", "Object Type", "State", "Cryptographic Algorithm",
		"Application Specific Information", "Link",
	};
	struct ttlv_writer *writer = kmip_session_request_on(session, KMIP_GET_ATTRIBUTES, identifier);
	struct kmip_answer answer;
	CK_RV rv;

	for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++)
		ttlv_text(writer, KMIP_ATTRIBUTE_NAME, wanted[i]);
	rv = kmip_session_call(session, KMIP_GET_ATTRIBUTES, &answer);
	if (rv == CKR_OK)
		kmip_object_parse(&answer.payload, identifier, ret_object);
	kmip_answer_clear(&answer);
	return rv;
}

bool
kmip_object_is_gone(CK_RV rv)
{
	return rv == CKR_KEY_HANDLE_INVALID || rv == CKR_KEY_FUNCTION_NOT_PERMITTED;
}

static bool
copy_text(const char *text, char **ret_copy)
{
	*ret_copy = text == NULL ? NULL : strdup(text);
	return text == NULL || *ret_copy != NULL;
}

static CK_RV
object_copy(const struct kmip_object *object, struct kmip_object *ret_copy)
{
	struct kmip_object copy = *object;
	bool whole = copy_text(object->name, &copy.name);

	whole &= copy_text(object->label, &copy.label);
	whole &= copy_text(object->nickname, &copy.nickname);
	if (!whole) {
		kmip_object_clear(&copy);
		return CKR_HOST_MEMORY;
	}
	*ret_copy = copy;
	return CKR_OK;
}

/* The identifier is the first member: a text is a key to be looked for. */
static int
compare(const void *a, const void *b)
{
	return strcmp(a, b);
}

static void
forget(void *node)
{
	kmip_object_clear(node);
	free(node);
}

void
kmip_memory_clear(struct kmip_memory *memory)
{
	tdestroy(memory->objects, forget);
	memory->objects = NULL;
}

/* One that can't be is read again. */
static void
remember(struct kmip_memory *memory, const struct kmip_object *object)
{
	struct kmip_object *copy = malloc(sizeof *copy);
	void **node;

	if (copy == NULL || object_copy(object, copy) != CKR_OK) {
		free(copy);
		return;
	}
	node = tsearch(copy, &memory->objects, compare);
	if (node == NULL || *node != copy)
		forget(copy);
}

static CK_RV
recall(struct kmip_memory *memory, struct kmip_session *session, const char *identifier,
       struct kmip_object *ret_object)
{
	void **node = memory == NULL ? NULL : tfind(identifier, &memory->objects, compare);

	return node != NULL ? object_copy(*node, ret_object)
	                    : kmip_object_read(session, identifier, ret_object);
}

CK_RV
kmip_memory_read(struct kmip_memory *memory, struct kmip_session *session, const char *identifier,
                 struct kmip_object *ret_object)
{
	CK_RV rv;

	rv = recall(memory, session, identifier, ret_object);
	/* Most have replaced none, and are read once in any case. */
	if (rv == CKR_OK && ret_object->replaced[0] != '\0')
		remember(memory, ret_object);
	return rv;
}

CK_RV
kmip_object_original(struct kmip_session *session, const struct kmip_object *object,
                     struct kmip_memory *memory, struct kmip_object *ret_original,
                     unsigned *ret_replacements)
{
	struct kmip_object original, older;
	unsigned replacements = 0;
	CK_RV rv;

	rv = object_copy(object, &original);
	if (rv != CKR_OK)
		return rv;
	while (original.replaced[0] != '\0' && replacements < REPLACEMENTS_MAX) {
		replacements++;
		rv = recall(memory, session, original.replaced, &older);
		if (rv != CKR_OK)
			break;
		if (memory != NULL)
			remember(memory, &older);
		kmip_object_clear(&original);
		original = older;
	}
	if (rv != CKR_OK && !kmip_object_is_gone(rv)) {
		kmip_object_clear(&original);
		return rv;
	}
	*ret_original = original;
	*ret_replacements = replacements;
	return CKR_OK;
}
