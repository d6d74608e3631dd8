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
log_missing(struct lifecycle *lifecycle, const struct version *version)
{
	log_error("token %s: the KMS holds no private half of %s@%lld, which encrypts or verifies still: "
	          "what is encrypted to it can't be decrypted; was it destroyed on another host? Run "
	          "p11-kms rotate %s", lifecycle->config->name, version->name,
	          (long long)version->number, version->name);
}

/* Those who have not seen the rotation yet may use it still; no failure, as nothing more can be done. */
static void
log_superseded(struct lifecycle *lifecycle, const struct version *version)
{
	log_warning("token %s: the KMS holds no private half of %s@%lld, which was rotated away, but "
	            "protects until its overlap ends: what is encrypted to it can't be decrypted. To end it "
	            "now, run p11-kms deactivate %s@%lld", lifecycle->config->name, version->name,
	            (long long)version->number, version->name, (long long)version->number);
}

/* Whether a current one is missing, or one that can't be read. superseded: how many others were told of. */
static bool
tell_missing(struct lifecycle *lifecycle, int64_t object, unsigned *superseded)
{
	struct version *version = NULL;
	bool is_missing = true;

	if (registry_version(lifecycle->registry, object, &version) != CKR_OK)
		return true;
	is_missing = version_is_current(version);
	if (is_missing)
		log_missing(lifecycle, version);
	else if ((*superseded)++ < NAMED_MAX)
		log_superseded(lifecycle, version);
	version_free(&version);
	return is_missing;
}

unsigned
roll_missing(const struct roll *roll, struct lifecycle *lifecycle)
{
	unsigned missing = 0, superseded = 0;

	for (size_t i = 0; i < roll->count; i++) {
		if (roll->met[i])
			continue;
		if (missing >= NAMED_MAX || tell_missing(lifecycle, roll->actives[i].object, &superseded))
			missing++;
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
