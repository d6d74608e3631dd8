/* SPDX-License-Identifier: Apache-2.0 */
#include "lifecycle/policy.h"

#include "base/log.h"
#include "lifecycle/authority-signer.h"
#include "lifecycle/create.h"

#include <string.h>

struct target {
	const struct config_token *config;
	const char *name;
	const struct policy_change *change;
};

static void
apply_numbers(const struct policy_change *change, struct key_record *key)
{
	if ((change->given & POLICY_ROTATE_EVERY) != 0)
		key->rotate_every = change->rotate_every;
	if ((change->given & POLICY_OVERLAP) != 0)
		key->overlap = change->overlap;
	if ((change->given & POLICY_KEEP_VERSIONS) != 0)
		key->keep_versions = change->keep_versions;
	if ((change->given & POLICY_KEEP_FOR) != 0)
		key->keep_for = change->keep_for;
	if ((change->given & POLICY_DESTROY_AFTER) != 0)
		key->destroy_after = change->destroy_after;
}

CK_RV
policy_apply(const struct policy_change *change, struct key_record *key)
{
	CK_RV rv = CKR_OK;

	apply_numbers(change, key);
	if ((change->given & POLICY_ALGORITHM) != 0) {
		key->algorithm = change->algorithm;
		/* What the other algorithm was for, where this one can be; else all of this one's. */
		if ((key->usage & usage_possible(key->algorithm)) != 0)
			key->usage &= usage_possible(key->algorithm);
		else
			key->usage = usage_possible(key->algorithm);
	}
	if ((change->given & POLICY_USAGE) != 0)
		key->usage = change->usage;
	if (key->algorithm != NULL && (key->usage & ~usage_possible(key->algorithm)) != 0)
		return CKR_ATTRIBUTE_VALUE_INVALID;
	if ((change->given & POLICY_MECHANISMS) != 0)
		rv = mechanism_list_set(&key->mechanisms, change->mechanisms.types,
		                        change->mechanisms.count);
	if (rv == CKR_OK && (change->given & POLICY_RECOVERY) != 0)
		rv = buffer_set(&key->recovery, change->recovery.data, change->recovery.size);
	return rv;
}

/* Protecting must not end before a refresh had time to rotate, however short the interval is now. */
static void
renew_period(const struct config_token *config, const struct key_record *key,
             struct version *version)
{
	int64_t now = clock_now(), until;

	until = protect_until(config, version->protect_from > version->created ?
	                      version->protect_from : version->created, key->rotate_every);
	if (until != 0 && until < now + config->expires_after)
		until = now + config->expires_after;
	version->protect_until = until;
}

/* The version follows its key's policy where that counts for it at once. */
static CK_RV
follow(struct change *change, const struct target *target, const struct key_record *key,
       struct version *version)
{
	unsigned given = target->change->given;
	bool changed = false;
	CK_RV rv;

	if ((given & POLICY_MECHANISMS) != 0 &&
	    !mechanism_list_equal(&version->mechanisms, &key->mechanisms)) {
		rv = mechanism_list_set(&version->mechanisms, key->mechanisms.types,
		                        key->mechanisms.count);
		if (rv != CKR_OK)
			return rv;
		changed = true;
	}
	if ((given & POLICY_ROTATE_EVERY) != 0) {
		renew_period(target->config, key, version);
		changed = true;
	}
	return changed ? change_add_version(change, version) : CKR_OK;
}

/* The current version, and those that are still to be active. */
static CK_RV
follow_all(struct registry *registry, struct change *change, const struct target *target,
           const struct key_record *key)
{
	struct registry_search search = { .name = target->name };
	struct version *version = NULL;
	int64_t object;
	size_t count;
	CK_RV rv;

	for (;;) {
		rv = registry_search(registry, &search, &object, 1, &count);
		if (rv != CKR_OK || count == 0)
			return rv;
		rv = registry_version(registry, object, &version);
		if (rv == CKR_OK && strcmp(version->name, target->name) == 0 &&
		    (version_is_current(version) || version->state == STATE_PRE_ACTIVE))
			rv = follow(change, target, key, version);
		version_free(&version);
		if (rv != CKR_OK)
			return rv;
		search.before = object;
	}
}

static CK_RV
build(struct registry *registry, struct change *change, void *context)
{
	const struct target *target = context;
	struct key_record *key = NULL;
	CK_RV rv;

	rv = registry_key_newest(registry, target->name, &key);
	if (rv != CKR_OK)
		return rv;
	rv = policy_apply(target->change, key);
	if (rv != CKR_OK)
		goto out;
	rv = change_add_key(change, key);
	if (rv == CKR_OK && (target->change->given & (POLICY_MECHANISMS | POLICY_ROTATE_EVERY)) != 0)
		rv = follow_all(registry, change, target, key);
out:
	key_record_free(&key);
	return rv;
}

CK_RV
lifecycle_set_policy(struct lifecycle *lifecycle, const char *name,
                     const struct policy_change *change)
{
	struct signer signer = authority_signer_use(lifecycle->signer);
	struct target target = { lifecycle->config, name, change };
	CK_RV rv;

	rv = registry_change(lifecycle->registry, &signer, lifecycle->config->expires_after, build,
	                     &target);
	if (rv == CKR_OK)
		log_info("token %s: changed the policy of %s", lifecycle->config->name, name);
	return rv;
}
