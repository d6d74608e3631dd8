/* SPDX-License-Identifier: Apache-2.0 */
#include "lifecycle/commit.h"
#include "lifecycle/lifecycle.h"

#include "base/log.h"
#include "lifecycle/authority-signer.h"
#include "lifecycle/state.h"

#include <stdio.h>

struct target {
	int64_t object;
	char label[64]; /* for the log: name, cut, and number */
};

static void
target_label(struct target *target, const struct version *version)
{
	snprintf(target->label, sizeof target->label, "%.40s@%lld", version->name,
	         (long long)version->number);
}

/* The period stays as it was: it is what restoring goes by. */
static CK_RV
build_destroy(struct registry *registry, struct change *change, void *context)
{
	struct target *target = context;
	struct version *version = NULL;
	CK_RV rv;

	rv = registry_version(registry, target->object, &version);
	if (rv != CKR_OK)
		return rv;
	rv = CKR_OBJECT_HANDLE_INVALID;
	if (!state_allows(version->state, MOVE_DESTROY))
		goto out;
	version->before = STATE_ACTIVE;
	if (version->state == STATE_COMPROMISED || version->state == STATE_PRE_ACTIVE)
		version->before = version->state;
	version->superseded = 0;
	version->state = STATE_DESTROY_PENDING;
	version->state_since = clock_now();
	target_label(target, version);
	rv = change_add_version(change, version);
out:
	version_free(&version);
	return rv;
}

CK_RV
lifecycle_destroy(struct lifecycle *lifecycle, int64_t object)
{
	struct signer signer = authority_signer_use(lifecycle->signer);
	struct target target = { .object = object };
	CK_RV rv;

	rv = registry_change(lifecycle->registry, &signer, lifecycle->config->expires_after,
	                     build_destroy, &target);
	if (rv == CKR_OK)
		log_info("token %s: %s is to be destroyed", lifecycle->config->name, target.label);
	return rv;
}

static CK_RV
grace_left(struct registry *registry, const struct version *version)
{
	struct key_record *key = NULL;
	CK_RV rv;

	if (version->state != STATE_DESTROY_PENDING)
		return CKR_ACTION_PROHIBITED;
	rv = registry_key(registry, version->name, &key);
	if (rv != CKR_OK)
		return rv;
	/* From then on a refresh may be removing the pair. */
	if (lifecycle_purge_time(key, version) <= clock_now())
		rv = CKR_ACTION_PROHIBITED;
	key_record_free(&key);
	return rv;
}

/* What was compromised stays so, however often it is destroyed and restored. */
static void
revive(struct version *version, bool may_be_current, int64_t now)
{
	enum version_state before = version->before;
	bool protects = version->protect_until == 0 || version->protect_until > now;

	version->before = STATE_ACTIVE;
	version->state_since = now;
	if (before == STATE_COMPROMISED)
		version->state = STATE_COMPROMISED;
	else if (before == STATE_PRE_ACTIVE && version->protect_from > now)
		version->state = STATE_PRE_ACTIVE;
	else if (may_be_current && protects)
		version->state = STATE_ACTIVE;
	else
		version->state = STATE_DEACTIVATED;
	if (version->state == STATE_DEACTIVATED && protects)
		version->protect_until = now;
}

static CK_RV
build_restore(struct registry *registry, struct change *change, void *context)
{
	struct version *version = NULL, *current = NULL;
	struct target *target = context;
	CK_RV rv;

	rv = registry_version(registry, target->object, &version);
	if (rv != CKR_OK)
		return rv;
	rv = grace_left(registry, version);
	if (rv != CKR_OK)
		goto out;
	rv = version_current(registry, version->name, &current);
	if (rv != CKR_OK)
		goto out;
	revive(version, current == NULL, clock_now());
	target_label(target, version);
	rv = change_add_version(change, version);
out:
	version_free(&current);
	version_free(&version);
	return rv;
}

CK_RV
lifecycle_restore(struct lifecycle *lifecycle, int64_t object)
{
	struct signer signer = authority_signer_use(lifecycle->signer);
	struct target target = { .object = object };
	CK_RV rv;

	rv = registry_change(lifecycle->registry, &signer, lifecycle->config->expires_after,
	                     build_restore, &target);
	if (rv == CKR_OK)
		log_info("token %s: %s is restored", lifecycle->config->name, target.label);
	return rv;
}
