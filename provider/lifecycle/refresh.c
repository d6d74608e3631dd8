/* SPDX-License-Identifier: Apache-2.0 */
#include "lifecycle/lifecycle.h"

#include "base/log.h"
#include "lifecycle/authority-signer.h"
#include "lifecycle/commit.h"
#include "lifecycle/create.h"
#include "lifecycle/describe.h"
#include "lifecycle/purge.h"
#include "lifecycle/reconcile.h"

#include <stdlib.h>
#include <string.h>

#define NAMES_PAGE 64

struct refresh {
	struct lifecycle *lifecycle; /* borrowed */
	bool dry_run;
	refresh_progress progress;
	void *context;
	size_t done, total;
	struct intent *intents; /* owned */
	size_t intent_count;
	struct refresh_summary summary;
};

static void
step(struct refresh *refresh)
{
	refresh->done++;
	if (refresh->progress != NULL)
		refresh->progress(refresh->context,
		                  refresh->done < refresh->total ? refresh->done : refresh->total,
		                  refresh->total);
}

/*
 * One key that fails must not keep the others from being rotated; a KMS or registry that is
 * gone ends the refresh.
 */
static CK_RV
weigh(struct refresh *refresh, const char *what, const char *name, CK_RV rv)
{
	struct lifecycle *lifecycle = refresh->lifecycle;

	if (rv == CKR_OK)
		return CKR_OK;
	log_error("token %s: %s %s failed: %s", lifecycle->config->name, what, name, ckr_name(rv));
	refresh->summary.failed++;
	switch (rv) {
	case CKR_HOST_MEMORY:
	case CKR_DEVICE_MEMORY:
	case CKR_USER_NOT_LOGGED_IN:
	case CKR_TOKEN_WRITE_PROTECTED:
		return rv;
	case CKR_DEVICE_ERROR:
		return kms_ping(lifecycle->kms, deadline_in(lifecycle->config->deadline_ms));
	default:
		return CKR_OK;
	}
}

static CK_RV
build_token(struct registry *registry, struct change *change, void *context)
{
	struct token_record *described = context, *token = NULL;
	CK_RV rv;

	rv = registry_token(registry, &token);
	if (rv == CKR_DEVICE_ERROR) /* a broken one */
		return change_add_token(change, described);
	if (rv != CKR_OK)
		return rv;
	if (!token_record_equal(token, described)) {
		described->created = token->created;
		rv = change_add_token(change, described);
	}
	token_record_free(&token);
	return rv;
}

/* What the KMS is now, and a new head. First of all: however long the rest takes, it keeps fresh. */
static CK_RV
renew_head(struct lifecycle *lifecycle)
{
	const struct buffer *id = &lifecycle->token->authority_id;
	struct signer signer = authority_signer_use(lifecycle->signer);
	struct token_record *described = NULL;
	CK_RV rv;

	rv = token_describe(lifecycle->kms, deadline_in(LIFECYCLE_DEADLINE_MS), id->data, id->size,
	                    &described);
	if (rv != CKR_OK)
		return rv;
	rv = registry_change(lifecycle->registry, &signer, lifecycle->config->expires_after,
	                     build_token, described);
	token_record_free(&described);
	return rv;
}

static CK_RV
reconcile(struct refresh *refresh)
{
	int64_t before = clock_now() - INTENT_AGE;
	enum reconciled result;
	CK_RV rv;

	for (size_t i = 0; i < refresh->intent_count; i++) {
		const struct intent *intent = &refresh->intents[i];

		step(refresh);
		if (intent->since > before) {
			log_info("the creation of %s@%lld began less than a minute ago, and is left alone",
			         intent->name, (long long)intent->number);
			continue;
		}
		rv = intent_reconcile(refresh->lifecycle, intent, refresh->dry_run, &result);
		if (rv == CKR_OK && result == RECONCILED_FINISHED)
			refresh->summary.finished++;
		else if (rv == CKR_OK && result == RECONCILED_UNDONE)
			refresh->summary.undone++;
		rv = weigh(refresh, "finishing the interrupted creation of", intent->name, rv);
		if (rv != CKR_OK)
			return rv;
	}
	return CKR_OK;
}

/* A version of this key is being made right now. */
static bool
in_making(const struct refresh *refresh, const char *name)
{
	int64_t before = clock_now() - INTENT_AGE;

	for (size_t i = 0; i < refresh->intent_count; i++) {
		if (refresh->intents[i].since > before && strcmp(refresh->intents[i].name, name) == 0)
			return true;
	}
	return false;
}

static CK_RV
rotate(struct refresh *refresh, const char *name, int64_t current)
{
	struct create_request request = { .name = name, .rotate_every = -1, .rotation_only = true };
	struct version *version = NULL;
	CK_RV rv;

	if (!refresh->dry_run) {
		rv = version_create(refresh->lifecycle, &request, current,
		                    deadline_in(LIFECYCLE_DEADLINE_MS), &version);
		version_free(&version);
		if (rv == CKR_ACTION_PROHIBITED)
			return CKR_OK; /* another host was faster */
		if (rv != CKR_OK)
			return rv;
	}
	refresh->summary.rotated++;
	return CKR_OK;
}

static CK_RV
rotate_if_due(struct refresh *refresh, const char *name)
{
	struct registry *registry = refresh->lifecycle->registry;
	struct version *current = NULL;
	struct key_record *key = NULL;
	int64_t due;
	CK_RV rv;

	rv = registry_key(registry, name, &key);
	if (rv != CKR_OK)
		return rv;
	if (key->rotate_every == 0)
		goto out;
	rv = version_current(registry, name, &current);
	if (rv != CKR_OK)
		goto out;
	due = lifecycle_next_rotation(key, current);
	if (due != 0 && due <= clock_now() && !in_making(refresh, name))
		rv = rotate(refresh, name, current->object);
out:
	version_free(&current);
	key_record_free(&key);
	return rv;
}

static CK_RV
rotate_all(struct refresh *refresh)
{
	char *names[NAMES_PAGE], *after = NULL;
	size_t count;
	CK_RV rv;

	do {
		rv = registry_key_names(refresh->lifecycle->registry, after, names, NAMES_PAGE, &count);
		if (rv != CKR_OK)
			break;
		free(after);
		after = NULL;
		for (size_t i = 0; i < count; i++) {
			step(refresh);
			if (rv == CKR_OK)
				rv = weigh(refresh, "rotating", names[i], rotate_if_due(refresh, names[i]));
			if (i + 1 == count)
				after = names[i];
			else
				free(names[i]);
		}
	} while (rv == CKR_OK && count == NAMES_PAGE);
	free(after);
	return rv;
}

static CK_RV
purge_one(struct refresh *refresh, int64_t object)
{
	bool due;
	CK_RV rv;

	rv = version_purge_due(refresh->lifecycle->registry, object, &due);
	if (rv != CKR_OK || !due)
		return rv;
	if (!refresh->dry_run) {
		rv = version_purge(refresh->lifecycle, object);
		if (rv == CKR_ACTION_PROHIBITED)
			return CKR_OK; /* another host was faster */
		if (rv != CKR_OK)
			return rv;
	}
	refresh->summary.purged++;
	return CKR_OK;
}

static CK_RV
purge_all(struct refresh *refresh)
{
	struct hidden_walk walk;
	int64_t object;
	CK_RV rv;

	hidden_walk_init(&walk);
	for (;;) {
		rv = hidden_walk_next(&walk, refresh->lifecycle->registry, &object);
		if (rv != CKR_OK || object == 0)
			return rv;
		step(refresh);
		rv = weigh(refresh, "purging", "a destroyed version", purge_one(refresh, object));
		if (rv != CKR_OK)
			return rv;
	}
}

CK_RV
lifecycle_refresh(struct lifecycle *lifecycle, bool dry_run, refresh_progress progress,
                  void *context, struct refresh_summary *ret_summary)
{
	struct refresh refresh = {
		.lifecycle = lifecycle, .dry_run = dry_run, .progress = progress, .context = context
	};
	int64_t keys, versions;
	CK_RV rv;

	if (!dry_run) {
		rv = renew_head(lifecycle);
		if (rv != CKR_OK)
			return rv;
	}
	rv = registry_count(lifecycle->registry, &keys, &versions);
	if (rv != CKR_OK)
		return rv;
	rv = registry_intents(lifecycle->registry, &refresh.intents, &refresh.intent_count);
	if (rv != CKR_OK)
		return rv;
	refresh.total = refresh.intent_count + (size_t)keys;
	rv = reconcile(&refresh);
	if (rv == CKR_OK)
		rv = rotate_all(&refresh);
	if (rv == CKR_OK)
		rv = purge_all(&refresh);
	intents_free(refresh.intents, refresh.intent_count);
	if (rv == CKR_OK)
		*ret_summary = refresh.summary;
	return rv;
}
