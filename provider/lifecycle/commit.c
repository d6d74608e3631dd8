/* SPDX-License-Identifier: Apache-2.0 */
#include "lifecycle/commit.h"

#include "base/log.h"
#include "lifecycle/authority-signer.h"

#include <stdio.h>
#include <string.h>

struct building {
	const struct config_token *config;
	struct commit *commit;
	int64_t now;
	int64_t overlap; /* the key's */
	bool keep_policy;
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
		if (version_is_current(version) && strcmp(version->name, name) == 0)
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

	/* The highest one comes first. */
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

/* What is not asked for is as the configuration has it. */
static CK_RV
first_policy(const struct building *building, struct key_record *key)
{
	const struct config_token *config = building->config;

	key->name = strdup(building->commit->version->name);
	if (key->name == NULL)
		return CKR_HOST_MEMORY;
	key->created = building->now;
	key->rotate_every = building->commit->rotate_every;
	key->destroy_after = config->destroy_after;
	key->overlap = config->overlap;
	key->keep_versions = config->keep_versions;
	key->keep_for = config->keep_for;
	if (building->commit->policy == NULL)
		return CKR_OK;
	return policy_apply(building->commit->policy, key);
}

/*
 * The key's record: made for a first version; else it follows what its newest version is. The
 * version takes the mechanisms that the policy allows.
 */
static CK_RV
add_key(struct registry *registry, struct change *change, struct building *building)
{
	const struct commit *commit = building->commit;
	struct key_record *key = NULL;
	bool as_it_was = false;
	CK_RV rv;

	rv = registry_key(registry, commit->version->name, &key);
	if (rv == CKR_OBJECT_HANDLE_INVALID && !commit->rotation_only) {
		rv = key_record_new(&key);
		if (rv != CKR_OK)
			return rv;
		rv = first_policy(building, key);
		if (rv != CKR_OK)
			goto out;
	} else if (rv != CKR_OK) {
		return rv;
	} else if (commit->new_key_only) {
		rv = CKR_ATTRIBUTE_VALUE_INVALID;
		goto out;
	} else {
		as_it_was = building->keep_policy ||
		            (key->algorithm == commit->version->algorithm &&
		             key->usage == commit->version->usage);
	}
	rv = mechanism_list_set(&commit->version->mechanisms, key->mechanisms.types,
	                        key->mechanisms.count);
	if (rv != CKR_OK)
		goto out;
	building->overlap = key->overlap;
	key->algorithm = commit->version->algorithm;
	key->usage = commit->version->usage;
	if (!as_it_was)
		rv = change_add_key(change, key);
out:
	key_record_free(&key);
	return rv;
}

/*
 * A version that was current protects for the key's overlap, no longer than it would have, and
 * is deactivated then; without one at once. One that was superseded before has its time.
 */
CK_RV
version_supersede(struct change *change, struct version *old, int64_t overlap, int64_t now)
{
	int64_t until = now + overlap;

	if (old->superseded != 0 && old->protect_until > now)
		return CKR_OK;
	if (old->protect_until == 0 || old->protect_until > until)
		old->protect_until = until;
	if (old->superseded == 0 && old->protect_until > now) {
		old->superseded = now;
		return change_add_version(change, old);
	}
	old->superseded = 0;
	old->state = STATE_DEACTIVATED;
	old->state_since = now;
	return change_add_version(change, old);
}

/* A current one of a later number stays: the new one is deactivated instead. */
static CK_RV
supersede(struct change *change, struct version *old, const struct building *building)
{
	struct version *version = building->commit->version;

	if (old->number > version->number && version_is_current(old)) {
		version->state = STATE_DEACTIVATED;
		version->protect_until = building->now;
		return CKR_OK;
	}
	return version_supersede(change, old, building->overlap, building->now);
}

/* Only one is current; more could only come from a hand-made database, and end here. */
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
		replaced |= object == commit->replaces && version_is_current(old);
		if (old->state == STATE_ACTIVE && strcmp(old->name, commit->version->name) == 0)
			rv = supersede(change, old, building);
		version_free(&old);
		if (rv != CKR_OK)
			return rv;
		search.before = object;
	}
	return commit->replaces == 0 || replaced ? CKR_OK : CKR_ACTION_PROHIBITED;
}

/*
 * May be called again when another writer was faster: all is set anew. late: it is not, and never
 * becomes, the current one.
 */
static void
settle_state(const struct building *building, bool late)
{
	const struct commit *commit = building->commit;
	struct version *version = commit->version;

	version->object = 0;
	version->sequence = 0;
	version->state = late               ? STATE_DEACTIVATED
	                 : commit->pre_active ? STATE_PRE_ACTIVE
	                                      : STATE_ACTIVE;
	version->state_since = building->now;
	version->protect_until = late ? building->now : commit->protect_until;
	if (late && version->protect_from > building->now)
		version->protect_from = building->now;
}

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
	bool taken = false;
	CK_RV rv;

	building->now = clock_now();
	/* A refresh may have finished this pair, held for one that a crash left. */
	rv = registry_search(registry, &same, &object, 1, &count);
	if (rv != CKR_OK)
		return rv;
	if (count != 0)
		return CKR_ACTION_PROHIBITED;
	if (commit->found)
		rv = version_number_taken(registry, version->name, version->number, &taken);
	if (rv != CKR_OK)
		return rv;
	building->keep_policy = commit->keep_policy || taken;
	settle_state(building, commit->superseded || taken);
	rv = add_key(registry, change, building);
	if (rv != CKR_OK)
		return rv;
	if (version->state == STATE_ACTIVE) {
		rv = supersede_all(registry, change, building);
		if (rv != CKR_OK)
			return rv;
	}
	if (commit->failed)
		change_intended_failed(change);
	else if (commit->intended)
		change_intended(change);
	return change_add_version(change, version);
}

struct activation {
	const struct config_token *config;
	int64_t object;
	char label[64]; /* for the log: name, cut, and number */
	bool current;
};

static CK_RV
build_activation(struct registry *registry, struct change *change, void *context)
{
	struct activation *activation = context;
	struct version *version = NULL;
	struct key_record *key = NULL;
	struct commit commit = { .new_key_only = false };
	struct building building = {
		.config = activation->config, .commit = &commit, .now = clock_now()
	};
	CK_RV rv;

	rv = registry_version(registry, activation->object, &version);
	if (rv != CKR_OK)
		return rv;
	rv = CKR_ACTION_PROHIBITED;
	if (version->state != STATE_PRE_ACTIVE || version->protect_from > building.now)
		goto out;
	rv = registry_key(registry, version->name, &key);
	if (rv != CKR_OK)
		goto out;
	commit.version = version;
	building.overlap = key->overlap;
	version->state = STATE_ACTIVE;
	version->state_since = building.now;
	rv = supersede_all(registry, change, &building);
	if (rv == CKR_OK)
		rv = change_add_version(change, version);
	activation->current = version->state == STATE_ACTIVE;
	snprintf(activation->label, sizeof activation->label, "%.40s@%lld", version->name,
	         (long long)version->number);
out:
	key_record_free(&key);
	version_free(&version);
	return rv;
}

CK_RV
version_activate(struct lifecycle *lifecycle, int64_t object, bool *ret_current)
{
	struct signer signer = authority_signer_use(lifecycle->signer);
	struct activation activation = { .config = lifecycle->config, .object = object };
	CK_RV rv;

	rv = registry_change(lifecycle->registry, &signer, lifecycle->config->expires_after,
	                     build_activation, &activation);
	if (rv != CKR_OK)
		return rv;
	if (activation.current)
		log_info("token %s: the time of %s has come", lifecycle->config->name, activation.label);
	else
		log_warning("token %s: the time of %s has come, but a later version is the current one: it "
		            "only decrypts and verifies", lifecycle->config->name, activation.label);
	*ret_current = activation.current;
	return CKR_OK;
}

CK_RV
version_commit(struct lifecycle *lifecycle, struct commit *commit)
{
	struct building building = { .config = lifecycle->config, .commit = commit };
	struct signer signer = authority_signer_use(lifecycle->signer);

	return registry_change(lifecycle->registry, &signer, lifecycle->config->expires_after, build,
	                       &building);
}
