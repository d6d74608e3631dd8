/* SPDX-License-Identifier: Apache-2.0 */
#include "lifecycle/upkeep.h"

#include "base/date.h"
#include "base/log.h"
#include "lifecycle/authority-signer.h"
#include "lifecycle/commit.h"
#include "lifecycle/create.h"
#include "lifecycle/purge.h"

#include <stdlib.h>
#include <string.h>

#define KEEP_REASON "no longer kept, by the key's policy"

/* As much of each version as deciding takes, the highest number first. */
struct outline {
	int64_t object, sequence, number;
	enum version_state state;
	bool current;
	int64_t protect_from, protect_until, state_since;
};

struct upkeep {
	struct lifecycle *lifecycle; /* borrowed */
	const char *name;
	struct key_record *key; /* owned */
	struct outline *versions; /* owned */
	size_t count;
	int64_t now;
	bool dry_run, put_back;
	struct refresh_summary *summary;
};

static CK_RV
outline_add(struct upkeep *upkeep, const struct version *version)
{
	struct outline *grown;

	if (strcmp(version->name, upkeep->name) != 0)
		return CKR_OK; /* the index lies; verify says so */
	grown = reallocarray(upkeep->versions, upkeep->count + 1, sizeof *grown);
	if (grown == NULL)
		return CKR_HOST_MEMORY;
	upkeep->versions = grown;
	grown[upkeep->count++] = (struct outline){
		version->object, version->sequence, version->number, version->state,
		version_is_current(version), version->protect_from, version->protect_until,
		version->state_since,
	};
	return CKR_OK;
}

static int
outline_compare(const void *a, const void *b)
{
	const struct outline *left = a, *right = b;

	return (left->number < right->number) - (left->number > right->number);
}

/* What the index says of the order is nothing to destroy by: the signed numbers tell it. */
static CK_RV
outline_read(struct upkeep *upkeep)
{
	struct registry *registry = upkeep->lifecycle->registry;
	struct registry_search search = { .name = upkeep->name, .destroyed = true };
	struct version *version = NULL;
	int64_t object;
	size_t count;
	CK_RV rv;

	upkeep->count = 0;
	for (;;) {
		rv = registry_search(registry, &search, &object, 1, &count);
		if (rv == CKR_OK && count == 0 && upkeep->count > 1)
			qsort(upkeep->versions, upkeep->count, sizeof *upkeep->versions, outline_compare);
		if (rv != CKR_OK || count == 0)
			return rv;
		rv = registry_version(registry, object, &version);
		if (rv == CKR_OK)
			rv = outline_add(upkeep, version);
		version_free(&version);
		if (rv != CKR_OK)
			return rv;
		search.before = object;
	}
}

static CK_RV
activate(struct upkeep *upkeep)
{
	CK_RV rv = CKR_OK;

	/* Oldest first: the newest one is the current one in the end. */
	for (size_t i = upkeep->count; rv == CKR_OK && i-- > 0;) {
		const struct outline *version = &upkeep->versions[i];
		bool current = true;

		if (version->state != STATE_PRE_ACTIVE || version->protect_from > upkeep->now)
			continue;
		if (!upkeep->dry_run)
			rv = version_activate(upkeep->lifecycle, version->object, &current);
		if (rv == CKR_OK && current)
			upkeep->summary->activated++;
		else if (rv == CKR_OK)
			upkeep->summary->deactivated++;
	}
	if (rv != CKR_OK || upkeep->dry_run)
		return rv;
	return outline_read(upkeep);
}

/* It becomes the current one with the first refresh after its time: they are a day apart, as a rule. */
#define ACTIVATION_MARGIN DAY_SECONDS

/*
 * A later version waits for its time, and the current one protects until it is active: it is the
 * rotation that is due. One whose time comes too late for that is passed over, since nothing may be
 * left to protect with.
 */
static bool
another_waits(const struct upkeep *upkeep, const struct outline *current)
{
	for (size_t i = 0; i < upkeep->count; i++) {
		const struct outline *version = &upkeep->versions[i];

		if (version->state != STATE_PRE_ACTIVE || version->number < current->number)
			continue;
		if (current->protect_until == 0 ||
		    version->protect_from < current->protect_until - ACTIVATION_MARGIN)
			return true;
		log_warning("token %s: %s@%lld is to be active only after %s@%lld protects no more, or less than "
		            "a day before: the key is rotated now, and %s@%lld will only decrypt and verify",
		            upkeep->lifecycle->config->name, upkeep->name, (long long)version->number,
		            upkeep->name, (long long)current->number, upkeep->name,
		            (long long)version->number);
	}
	return false;
}

static CK_RV
rotate(struct upkeep *upkeep)
{
	struct create_request request = {
		.name = upkeep->name, .rotate_every = -1, .rotation_only = true
	};
	const struct outline *current = NULL;
	struct version *version = NULL;
	CK_RV rv = CKR_OK;

	for (size_t i = 0; current == NULL && i < upkeep->count; i++) {
		if (upkeep->versions[i].current)
			current = &upkeep->versions[i];
	}
	if (current == NULL || upkeep->key->rotate_every == 0 ||
	    current->protect_from + upkeep->key->rotate_every > upkeep->now ||
	    another_waits(upkeep, current))
		return CKR_OK;
	if (!upkeep->dry_run)
		rv = version_create(upkeep->lifecycle, &request, current->object,
		                    deadline_patient(upkeep->lifecycle->config), &version);
	version_free(&version);
	if (rv != CKR_OK)
		return rv;
	upkeep->summary->rotated++;
	return upkeep->dry_run ? CKR_OK : outline_read(upkeep);
}

struct ending {
	const struct outline *version;
	enum version_state state;
	int64_t now;
};

static CK_RV
build_ending(struct registry *registry, struct change *change, void *context)
{
	const struct ending *ending = context;
	struct version *version = NULL;
	CK_RV rv;

	rv = registry_version(registry, ending->version->object, &version);
	if (rv != CKR_OK)
		return rv;
	if (version->sequence != ending->version->sequence) {
		rv = CKR_ACTION_PROHIBITED; /* another host was faster */
		goto out;
	}
	if (ending->state == STATE_DESTROY_PENDING) {
		version->before = version->state == STATE_COMPROMISED ? STATE_COMPROMISED : STATE_ACTIVE;
		free(version->reason);
		version->reason = strdup(KEEP_REASON);
		if (version->reason == NULL) {
			rv = CKR_HOST_MEMORY;
			goto out;
		}
	}
	version->superseded = 0;
	version->state = ending->state;
	version->state_since = ending->now;
	rv = change_add_version(change, version);
out:
	version_free(&version);
	return rv;
}

static CK_RV
end(struct upkeep *upkeep, struct outline *version, enum version_state state, unsigned *counter)
{
	struct lifecycle *lifecycle = upkeep->lifecycle;
	struct signer signer = authority_signer_use(lifecycle->signer);
	struct ending ending = { version, state, upkeep->now };
	CK_RV rv = CKR_OK;

	if (!upkeep->dry_run)
		rv = registry_change(lifecycle->registry, &signer, lifecycle->config->expires_after,
		                     build_ending, &ending);
	if (rv != CKR_OK)
		return rv;
	if (!upkeep->dry_run)
		log_info("token %s: %s@%lld is %s now", lifecycle->config->name, upkeep->name,
		         (long long)version->number, version_state_name(state));
	version->state = state;
	version->state_since = upkeep->now;
	++*counter;
	return CKR_OK;
}

static CK_RV
end_overlaps(struct upkeep *upkeep)
{
	CK_RV rv = CKR_OK;

	for (size_t i = 0; rv == CKR_OK && i < upkeep->count; i++) {
		struct outline *version = &upkeep->versions[i];

		if (version->state == STATE_ACTIVE && !version->current &&
		    version->protect_until <= upkeep->now)
			rv = end(upkeep, version, STATE_DEACTIVATED, &upkeep->summary->deactivated);
	}
	return rv;
}

/* Those that protect no more, beyond the number that is kept, or for longer than they are kept. */
static CK_RV
retire(struct upkeep *upkeep)
{
	const struct key_record *key = upkeep->key;
	int64_t kept = 0;
	CK_RV rv = CKR_OK;

	for (size_t i = 0; rv == CKR_OK && i < upkeep->count; i++) {
		struct outline *version = &upkeep->versions[i];
		bool beyond;

		if (version->state != STATE_ACTIVE && version->state != STATE_DEACTIVATED &&
		    version->state != STATE_COMPROMISED)
			continue;
		beyond = (key->keep_versions != 0 && kept >= key->keep_versions) ||
		         (key->keep_for != 0 && version->state_since + key->keep_for <= upkeep->now);
		if (version->state != STATE_ACTIVE && beyond && upkeep->put_back)
			upkeep->summary->held++;
		else if (version->state != STATE_ACTIVE && beyond)
			rv = end(upkeep, version, STATE_DESTROY_PENDING, &upkeep->summary->retired);
		else
			kept++;
	}
	return rv;
}

static CK_RV
purge(struct upkeep *upkeep)
{
	for (size_t i = 0; i < upkeep->count; i++) {
		const struct outline *version = &upkeep->versions[i];
		CK_RV rv = CKR_OK;

		if (version->state != STATE_DESTROY_PENDING ||
		    version->state_since + upkeep->key->destroy_after > upkeep->now)
			continue;
		if (upkeep->put_back) {
			upkeep->summary->held++;
			continue;
		}
		if (!upkeep->dry_run)
			rv = version_purge(upkeep->lifecycle, version->object);
		if (rv == CKR_OK)
			upkeep->summary->purged++;
		else if (rv != CKR_ACTION_PROHIBITED)
			return rv;
	}
	return CKR_OK;
}

CK_RV
key_upkeep(struct lifecycle *lifecycle, const char *name, unsigned how,
           struct refresh_summary *summary)
{
	struct upkeep upkeep = {
		.lifecycle = lifecycle, .name = name, .now = clock_now(),
		.dry_run = (how & UPKEEP_DRY_RUN) != 0, .put_back = (how & UPKEEP_PUT_BACK) != 0,
		.summary = summary,
	};
	CK_RV rv;

	rv = registry_key(lifecycle->registry, name, &upkeep.key);
	if (rv != CKR_OK)
		return rv;
	rv = outline_read(&upkeep);
	if (rv == CKR_OK)
		rv = activate(&upkeep);
	if (rv == CKR_OK && (how & UPKEEP_MAKING) == 0)
		rv = rotate(&upkeep);
	if (rv == CKR_OK)
		rv = end_overlaps(&upkeep);
	if (rv == CKR_OK)
		rv = retire(&upkeep);
	if (rv == CKR_OK)
		rv = purge(&upkeep);
	free(upkeep.versions);
	key_record_free(&upkeep.key);
	/* Another host was faster: what is left is its work, or the next refresh's. */
	return rv == CKR_ACTION_PROHIBITED ? CKR_OK : rv;
}
