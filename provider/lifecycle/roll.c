/* SPDX-License-Identifier: Apache-2.0 */
#include "lifecycle/roll.h"

#include "base/log.h"

#include <stdlib.h>
#include <string.h>

#define NAMED_MAX 20 /* where a whole KMS is gone, nobody reads of each key */

static int
compare(const void *a, const void *b)
{
	const struct buffer *left = &((const struct active *)a)->id;
	const struct buffer *right = &((const struct active *)b)->id;

	if (left->size != right->size)
		return left->size < right->size ? -1 : 1;
	return left->size == 0 ? 0 : memcmp(left->data, right->data, left->size);
}

CK_RV
roll_read(struct registry *registry, struct roll *ret_roll)
{
	struct roll roll = { NULL, NULL, 0 };
	CK_RV rv = registry_actives(registry, &roll.actives, &roll.count);

	if (rv != CKR_OK)
		return rv;
	roll.met = calloc(roll.count + 1, sizeof *roll.met);
	if (roll.met == NULL) {
		roll_clear(&roll);
		return CKR_HOST_MEMORY;
	}
	if (roll.count > 1)
		qsort(roll.actives, roll.count, sizeof *roll.actives, compare);
	*ret_roll = roll;
	return CKR_OK;
}

void
roll_meet(struct roll *roll, const void *id, size_t id_size)
{
	struct active wanted = { .id = { (unsigned char *)id, id_size, id_size } }; /* borrowed */
	const struct active *met = NULL;

	if (roll->count != 0)
		met = bsearch(&wanted, roll->actives, roll->count, sizeof wanted, compare);
	if (met != NULL)
		roll->met[met - roll->actives] = true;
}

static void
log_missing(struct lifecycle *lifecycle, int64_t object)
{
	struct version *version = NULL;

	if (registry_version(lifecycle->registry, object, &version) != CKR_OK)
		return;
	log_error("token %s: the KMS holds no private half of %s@%lld, which encrypts or verifies still: "
	          "what is encrypted to it can't be decrypted; was it destroyed on another host? Run "
	          "p11-kms rotate %s", lifecycle->config->name, version->name,
	          (long long)version->number, version->name);
	version_free(&version);
}

unsigned
roll_missing(const struct roll *roll, struct lifecycle *lifecycle)
{
	unsigned missing = 0;

	for (size_t i = 0; i < roll->count; i++) {
		if (roll->met[i])
			continue;
		missing++;
		if (missing <= NAMED_MAX)
			log_missing(lifecycle, roll->actives[i].object);
	}
	if (missing > NAMED_MAX)
		log_error("token %s: nor of %u more; p11-kms verify names them", lifecycle->config->name,
		          missing - NAMED_MAX);
	return missing;
}

void
roll_clear(struct roll *roll)
{
	actives_free(roll->actives, roll->count);
	free(roll->met);
	*roll = (struct roll){ NULL, NULL, 0 };
}
