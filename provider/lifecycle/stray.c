/* SPDX-License-Identifier: Apache-2.0 */
#include "lifecycle/stray.h"

#include "lifecycle/authority-pair.h"

#include <stdlib.h>
#include <string.h>

struct reading {
	struct registry *registry;         /* borrowed, as what follows */
	const struct buffer *authority_id;
	struct roll *roll;                 /* may be NULL */
	struct intent *intents;            /* owned */
	size_t intent_count;
	bool intents_read;
	struct stray *strays;              /* owned */
	size_t count;
};

/*
 * *ret_object 0: no version has this CKA_ID. The index is believed here: reading each record
 * would take long where there are many. What is to be taken up is looked for in the log: see
 * check_hidden.
 */
static CK_RV
find_version(struct registry *registry, const struct buffer *id, bool hidden, int64_t *ret_object)
{
	struct registry_search search = { .id = id->data, .id_size = id->size, .destroyed = hidden };
	size_t count = 0;
	CK_RV rv;

	rv = registry_search(registry, &search, ret_object, 1, &count);
	if (rv == CKR_OK && count == 0)
		*ret_object = 0;
	return rv;
}

/* NAME@NUMBER of a key that is known, and has no such version? */
static CK_RV
classify_label(struct reading *reading, struct stray *stray)
{
	const char *at = strrchr(stray->label, '@');
	struct registry_search search = { .destroyed = true };
	struct key_record *key = NULL;
	int64_t object;
	size_t count = 0;
	char *end;
	CK_RV rv;

	if (at == NULL || at[1] < '1' || at[1] > '9' || strlen(at) > 16)
		return CKR_OK;
	stray->number = strtoll(at + 1, &end, 10);
	if (*end != '\0')
		return CKR_OK;
	stray->name = strndup(stray->label, (size_t)(at - stray->label));
	if (stray->name == NULL)
		return CKR_HOST_MEMORY;
	if (!record_name_valid(stray->name, strlen(stray->name)))
		return CKR_OK;
	rv = registry_key(reading->registry, stray->name, &key);
	key_record_free(&key);
	if (rv == CKR_OBJECT_HANDLE_INVALID)
		return CKR_OK;
	if (rv != CKR_OK)
		return rv;
	search.name = stray->name;
	search.number = stray->number;
	rv = registry_search(reading->registry, &search, &object, 1, &count);
	if (rv == CKR_OK && count == 0)
		stray->kind = STRAY_VERSION;
	return rv;
}

static CK_RV
classify(struct reading *reading, struct stray *stray, int64_t object)
{
	stray->kind = STRAY_UNKNOWN;
	if (object != 0) {
		stray->kind = STRAY_DESTROYED;
		return CKR_OK;
	}
	for (size_t i = 0; i < reading->intent_count; i++) {
		const struct buffer *id = &reading->intents[i].id;

		if (buffer_equal(&stray->id, id->data, id->size)) {
			stray->kind = STRAY_INTERRUPTED;
			return CKR_OK;
		}
	}
	return classify_label(reading, stray);
}

static CK_RV
add(struct reading *reading, const struct buffer *id, const char *label, int64_t object)
{
	struct stray *grown, *stray;
	CK_RV rv;

	grown = reallocarray(reading->strays, reading->count + 1, sizeof *grown);
	if (grown == NULL)
		return CKR_HOST_MEMORY;
	reading->strays = grown;
	stray = &grown[reading->count++];
	memset(stray, 0, sizeof *stray);
	stray->label = strdup(label != NULL ? label : "");
	if (stray->label == NULL)
		return CKR_HOST_MEMORY;
	rv = buffer_set(&stray->id, id->data, id->size);
	return rv == CKR_OK ? classify(reading, stray, object) : rv;
}

static CK_RV
found(void *context, const void *id, size_t id_size, const char *label, CK_KEY_TYPE key_type)
{
	struct reading *reading = context;
	struct version *version = NULL;
	struct buffer copy = BUFFER_INIT;
	int64_t object = 0;
	bool stray;
	CK_RV rv;

	(void)key_type;
	if (reading->roll != NULL)
		roll_meet(reading->roll, id, id_size);
	if (id_size == 0 || buffer_equal(reading->authority_id, id, id_size) ||
	    label_is_authority(label))
		return CKR_OK;
	/*
	 * Not before the walk has begun: the list of the KMS is complete by then, and whoever made
	 * one of its pairs has either still its intent or already its version.
	 */
	if (!reading->intents_read) {
		rv = registry_intents(reading->registry, &reading->intents, &reading->intent_count);
		if (rv != CKR_OK)
			return rv;
		reading->intents_read = true;
	}
	rv = buffer_set(&copy, id, id_size);
	if (rv == CKR_OK)
		rv = find_version(reading->registry, &copy, false, &object);
	stray = object == 0;
	if (rv == CKR_OK && stray)
		rv = find_version(reading->registry, &copy, true, &object);
	if (rv == CKR_OK && stray && object != 0) {
		rv = registry_version(reading->registry, object, &version);
		stray = rv == CKR_OK && version->state == STATE_DESTROYED;
		if (rv == CKR_DEVICE_ERROR)
			rv = CKR_OK; /* a broken entry: not this one's to judge */
		version_free(&version);
	}
	if (rv == CKR_OK && stray)
		rv = add(reading, &copy, label, object);
	buffer_clear(&copy);
	return rv;
}

/* Taken out by its place: a version that another process took up meanwhile. */
static void
drop(struct reading *reading, size_t place)
{
	struct stray *stray = &reading->strays[place];

	buffer_clear(&stray->id);
	free(stray->label);
	free(stray->name);
	reading->count--;
	memmove(stray, stray + 1, (reading->count - place) * sizeof *stray);
}

/* What the log says of the version-to-be: has it its CKA_ID? */
static CK_RV
settle_hidden(struct reading *reading, size_t *place, bool known)
{
	struct stray *stray = &reading->strays[*place];
	int64_t object = 0;
	CK_RV rv;

	if (!known)
		return CKR_OK;
	rv = find_version(reading->registry, &stray->id, true, &object);
	if (rv != CKR_OK)
		return rv;
	if (object != 0)
		drop(reading, (*place)--);
	else
		stray->kind = STRAY_HIDDEN;
	return CKR_OK;
}

/*
 * Whoever can write the file can take the row of a version out of the index: of one that was
 * compromised or destroyed, say, which would come back active and freshly signed if its pair
 * were taken up. An entry can't be taken out of the log.
 */
static CK_RV
check_hidden(struct reading *reading)
{
	const struct buffer **ids = calloc(reading->count + 1, sizeof *ids);
	bool *known = calloc(reading->count + 1, sizeof *known);
	size_t count = 0, asked = 0;
	CK_RV rv = ids == NULL || known == NULL ? CKR_HOST_MEMORY : CKR_OK;

	for (size_t i = 0; rv == CKR_OK && i < reading->count; i++) {
		if (reading->strays[i].kind == STRAY_VERSION)
			ids[count++] = &reading->strays[i].id;
	}
	if (rv == CKR_OK && count != 0)
		rv = registry_log_find_ids(reading->registry, ids, count, known);
	if (rv == CKR_DEVICE_ERROR) { /* it can't be told of any (logged) */
		memset(known, true, count);
		rv = CKR_OK;
	}
	for (size_t i = 0; rv == CKR_OK && i < reading->count; i++) {
		if (reading->strays[i].kind == STRAY_VERSION)
			rv = settle_hidden(reading, &i, known[asked++]);
	}
	free(known);
	free(ids);
	return rv;
}

/* By name and number: so the last of a key that is taken up is its newest, whatever order the KMS has. */
static int
compare(const void *a, const void *b)
{
	const struct stray *left = a, *right = b;
	int order;

	if (left->name == NULL || right->name == NULL)
		return (left->name == NULL) - (right->name == NULL);
	order = strcmp(left->name, right->name);
	return order != 0 ? order : (left->number > right->number) - (left->number < right->number);
}

CK_RV
strays_read(struct kms *kms, struct registry *registry, const struct buffer *authority_id,
            struct deadline deadline, struct roll *roll, struct stray **ret_strays,
            size_t *ret_count)
{
	struct reading reading = {
		.registry = registry, .authority_id = authority_id, .roll = roll
	};
	CK_RV rv;

	rv = kms_walk(kms, deadline, found, &reading);
	if (rv == CKR_OK)
		rv = check_hidden(&reading);
	intents_free(reading.intents, reading.intent_count);
	if (rv != CKR_OK) {
		strays_free(reading.strays, reading.count);
		return rv;
	}
	if (reading.count > 1)
		qsort(reading.strays, reading.count, sizeof *reading.strays, compare);
	*ret_strays = reading.strays;
	*ret_count = reading.count;
	return CKR_OK;
}

CK_RV
strays_wait(struct kms *kms, struct registry *registry, bool keep, struct stray *strays,
            size_t count)
{
	const struct buffer **ids = calloc(count + 1, sizeof *ids);
	int64_t *since = calloc(count + 1, sizeof *since);
	int64_t now = clock_now();
	size_t asked = 0, answered = 0;
	CK_RV rv = ids == NULL || since == NULL ? CKR_HOST_MEMORY : CKR_OK;

	for (size_t i = 0; rv == CKR_OK && i < count; i++) {
		if (strays[i].kind == STRAY_VERSION)
			ids[asked++] = &strays[i].id;
	}
	if (rv == CKR_OK && !kms_makes_versions(kms))
		rv = registry_waiting(registry, ids, asked, keep, since);
	for (size_t i = 0; rv == CKR_OK && i < count; i++) {
		if (strays[i].kind == STRAY_VERSION && since[answered++] > now - STRAY_AGE)
			strays[i].kind = STRAY_WAITING;
	}
	free(since);
	free(ids);
	return rv;
}

void
strays_free(struct stray *strays, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		buffer_clear(&strays[i].id);
		free(strays[i].label);
		free(strays[i].name);
	}
	free(strays);
}
