/* SPDX-License-Identifier: Apache-2.0 */
#include "lifecycle/commit.h"

#include "lifecycle/authority-signer.h"

#include <string.h>

struct building {
	const struct config_token *config;
	struct commit *commit;
	int64_t now;
};

CK_RV
version_current(struct registry *registry, const char *name, struct version **ret_version)
{
	struct registry_search search = { .name = name, .active = true };
	struct version *version = NULL;
	int64_t object;
	size_t count;
	CK_RV rv;

	for (;;) {
		rv = registry_search(registry, &search, &object, 1, &count);
		if (rv != CKR_OK)
			return rv;
		if (count == 0)
			break;
		rv = registry_version(registry, object, &version);
		if (rv != CKR_OK)
			return rv;
		if (version->state == STATE_ACTIVE && strcmp(version->name, name) == 0)
			break;
		version_free(&version);
		search.before = object;
	}
	*ret_version = version;
	return CKR_OK;
}

CK_RV
version_number_taken(struct registry *registry, const char *name, int64_t number, bool *ret_taken)
{
	struct registry_search search = { .name = name, .destroyed = true };
	struct version *version = NULL;
	int64_t object;
	size_t count;
	CK_RV rv;

	/* Numbers grow with objects, but for creations that crossed: the newest one tells. */
	rv = registry_search(registry, &search, &object, 1, &count);
	if (rv != CKR_OK)
		return rv;
	if (count == 0) {
		*ret_taken = false;
		return CKR_OK;
	}
	rv = registry_version(registry, object, &version);
	if (rv != CKR_OK)
		return rv;
	*ret_taken = version->number >= number;
	version_free(&version);
	return CKR_OK;
}

/* The key's record: made for a first version; else it follows what its newest version is. */
static CK_RV
add_key(struct registry *registry, struct change *change, const struct building *building)
{
	const struct commit *commit = building->commit;
	struct key_record *key = NULL;
	CK_RV rv;

	rv = registry_key(registry, commit->version->name, &key);
	if (rv == CKR_OBJECT_HANDLE_INVALID && !commit->rotation_only) {
		rv = key_record_new(&key);
		if (rv != CKR_OK)
			return rv;
		rv = CKR_HOST_MEMORY;
		key->name = strdup(commit->version->name);
		if (key->name == NULL)
			goto out;
		key->created = building->now;
		key->rotate_every = commit->rotate_every;
		key->destroy_after = building->config->destroy_after;
	} else if (rv != CKR_OK) {
		return rv;
	} else if (commit->new_key_only) {
		rv = CKR_ATTRIBUTE_VALUE_INVALID;
		goto out;
	} else if (commit->keep_policy || (key->algorithm == commit->version->algorithm &&
	                                   key->usage == commit->version->usage)) {
		goto out;
	}
	key->algorithm = commit->version->algorithm;
	key->usage = commit->version->usage;
	rv = change_add_key(change, key);
out:
	key_record_free(&key);
	return rv;
}

/* Deactivates a version that protected until now, unless it is of a later number than the new one. */
static CK_RV
supersede(struct change *change, struct version *old, const struct building *building)
{
	struct version *version = building->commit->version;

	if (old->number > version->number) {
		version->state = STATE_DEACTIVATED;
		version->protect_until = building->now;
		return CKR_OK;
	}
	old->state = STATE_DEACTIVATED;
	old->state_since = building->now;
	if (old->protect_until == 0 || old->protect_until > building->now)
		old->protect_until = building->now;
	return change_add_version(change, old);
}

/* Only one is active; more could only come from a hand-made database, and end here. */
static CK_RV
supersede_all(struct registry *registry, struct change *change, const struct building *building)
{
	const struct commit *commit = building->commit;
	struct registry_search search = { .name = commit->version->name, .active = true };
	bool replaced = false;
	struct version *old = NULL;
	int64_t object;
	size_t count;
	CK_RV rv;

	for (;;) {
		rv = registry_search(registry, &search, &object, 1, &count);
		if (rv != CKR_OK)
			return rv;
		if (count == 0)
			break;
		rv = registry_version(registry, object, &old);
		if (rv != CKR_OK)
			return rv;
		replaced |= object == commit->replaces;
		if (old->state == STATE_ACTIVE && strcmp(old->name, commit->version->name) == 0)
			rv = supersede(change, old, building);
		version_free(&old);
		if (rv != CKR_OK)
			return rv;
		search.before = object;
	}
	return commit->replaces == 0 || replaced ? CKR_OK : CKR_ACTION_PROHIBITED;
}

/* May be called again when another writer was faster: all is set anew. */
static CK_RV
build(struct registry *registry, struct change *change, void *context)
{
	struct building *building = context;
	struct commit *commit = building->commit;
	struct version *version = commit->version;
	struct registry_search same = {
		.id = version->id.data, .id_size = version->id.size, .destroyed = true
	};
	int64_t object;
	size_t count;
	bool taken;
	CK_RV rv;

	building->now = clock_now();
	version->object = 0;
	version->sequence = 0;
	version->state = STATE_ACTIVE;
	version->state_since = building->now;
	version->protect_until = commit->protect_until;
	/* A refresh may have finished this pair, held for one that a crash left. */
	rv = registry_search(registry, &same, &object, 1, &count);
	if (rv != CKR_OK)
		return rv;
	if (count != 0)
		return CKR_ACTION_PROHIBITED;
	if (commit->newest_only) {
		rv = version_number_taken(registry, version->name, version->number, &taken);
		if (rv != CKR_OK)
			return rv;
		if (taken)
			return CKR_ACTION_PROHIBITED;
	}
	rv = add_key(registry, change, building);
	if (rv != CKR_OK)
		return rv;
	rv = supersede_all(registry, change, building);
	if (rv != CKR_OK)
		return rv;
	return change_add_version(change, version);
}

CK_RV
version_commit(struct lifecycle *lifecycle, struct commit *commit)
{
	struct building building = { .config = lifecycle->config, .commit = commit };
	struct signer signer = authority_signer_use(lifecycle->signer);

	return registry_change(lifecycle->registry, &signer, lifecycle->config->expires_after, build,
	                       &building);
}
