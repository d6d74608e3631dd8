/* SPDX-License-Identifier: Apache-2.0 */
#include "lifecycle/purge.h"

#include "base/log.h"
#include "lifecycle/authority-signer.h"

static CK_RV
pages_next(struct version_pages *pages, struct registry *registry, int64_t *ret_object)
{
	CK_RV rv;

	if (pages->at == pages->count && !pages->ended) {
		rv = registry_search(registry, &pages->search, pages->objects, HIDDEN_PAGE, &pages->count);
		if (rv != CKR_OK)
			return rv;
		pages->at = 0;
		pages->ended = pages->count < HIDDEN_PAGE;
		if (pages->count != 0)
			pages->search.before = pages->objects[pages->count - 1];
	}
	*ret_object = pages->at < pages->count ? pages->objects[pages->at++] : 0;
	return CKR_OK;
}

void
hidden_walk_init(struct hidden_walk *walk)
{
	*walk = (struct hidden_walk){ .all.search.destroyed = true, .next_shown = INT64_MAX };
}

/* The hidden ones are all but the shown: two walks side by side, in the same order. */
CK_RV
hidden_walk_next(struct hidden_walk *walk, struct registry *registry, int64_t *ret_object)
{
	int64_t object;
	CK_RV rv;

	for (;;) {
		rv = pages_next(&walk->all, registry, &object);
		if (rv != CKR_OK)
			return rv;
		while (object != 0 && walk->next_shown > object) {
			rv = pages_next(&walk->shown, registry, &walk->next_shown);
			if (rv != CKR_OK)
				return rv;
		}
		if (object == 0 || object != walk->next_shown)
			break;
	}
	*ret_object = object;
	return CKR_OK;
}

static CK_RV
purge_due(struct registry *registry, const struct version *version, bool *ret_due)
{
	struct key_record *key = NULL;
	CK_RV rv;

	if (version->state != STATE_DESTROY_PENDING) {
		*ret_due = false;
		return CKR_OK;
	}
	rv = registry_key(registry, version->name, &key);
	if (rv != CKR_OK)
		return rv;
	*ret_due = lifecycle_purge_time(key, version) <= clock_now();
	key_record_free(&key);
	return CKR_OK;
}

CK_RV
version_purge_due(struct registry *registry, int64_t object, bool *ret_due)
{
	struct version *version = NULL;
	CK_RV rv;

	rv = registry_version(registry, object, &version);
	if (rv != CKR_OK)
		return rv;
	rv = purge_due(registry, version, ret_due);
	version_free(&version);
	return rv;
}

static CK_RV
build(struct registry *registry, struct change *change, void *context)
{
	struct version *version = NULL;
	int64_t *object = context;
	bool due = false;
	CK_RV rv;

	rv = registry_version(registry, *object, &version);
	if (rv != CKR_OK)
		return rv;
	rv = purge_due(registry, version, &due);
	if (rv != CKR_OK)
		goto out;
	if (!due) {
		rv = CKR_ACTION_PROHIBITED; /* another host was faster */
		goto out;
	}
	version->state = STATE_DESTROYED;
	version->state_since = clock_now();
	rv = change_add_version(change, version);
out:
	version_free(&version);
	return rv;
}

CK_RV
version_purge(struct lifecycle *lifecycle, int64_t object)
{
	struct signer signer = authority_signer_use(lifecycle->signer);
	struct version *version = NULL;
	CK_RV rv;

	rv = registry_version(lifecycle->registry, object, &version);
	if (rv != CKR_OK)
		return rv;
	/* In this order: a crash between the two leaves the version to the next refresh. */
	rv = kms_destroy_pair(lifecycle->kms, version->id.data, version->id.size,
	                      deadline_in(LIFECYCLE_DEADLINE_MS));
	if (rv != CKR_OK)
		goto out;
	rv = registry_change(lifecycle->registry, &signer, lifecycle->config->expires_after, build,
	                     &object);
	if (rv == CKR_OK)
		log_info("token %s: destroyed %s@%lld for good", lifecycle->config->name, version->name,
		         (long long)version->number);
out:
	version_free(&version);
	return rv;
}
