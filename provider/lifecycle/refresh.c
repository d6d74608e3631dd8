/* SPDX-License-Identifier: Apache-2.0 */
#include "lifecycle/lifecycle.h"

#include "base/log.h"
#include "lifecycle/authority-signer.h"
#include "lifecycle/certificate.h"
#include "lifecycle/describe.h"
#include "lifecycle/reconcile.h"
#include "lifecycle/restored.h"
#include "lifecycle/takeup.h"
#include "lifecycle/upkeep.h"

#include <stdlib.h>
#include <string.h>

#define PAGE 64
#define PING_PAUSE_MS 5000 /* many broken keys must not mean as many questions to the KMS */

struct refresh {
	struct lifecycle *lifecycle; /* borrowed */
	bool dry_run;
	bool put_back; /* see lifecycle/restored.h */
	refresh_progress progress;
	void *context;
	size_t done, total;
	bool stopped;
	int64_t answered_ms; /* when the KMS answered a ping last; 0: never */
	struct intent *intents; /* owned, as what follows */
	size_t intent_count;
	char **names;           /* of the keys that have something due */
	size_t name_count;
	struct refresh_summary summary;
};

/* Before each piece of work. False: it shall stop here. */
static bool
step(struct refresh *refresh)
{
	if (!refresh->stopped && refresh->progress != NULL)
		refresh->stopped = !refresh->progress(refresh->context, refresh->done, refresh->total);
	if (!refresh->stopped)
		refresh->done++;
	return !refresh->stopped;
}

static CK_RV
ping(struct refresh *refresh)
{
	struct lifecycle *lifecycle = refresh->lifecycle;
	int64_t now = clock_monotonic_ms();
	CK_RV rv;

	if (refresh->answered_ms != 0 && now < refresh->answered_ms + PING_PAUSE_MS)
		return CKR_OK;
	rv = kms_ping(lifecycle->kms, deadline_in(lifecycle->config->deadline_ms));
	if (rv == CKR_OK)
		refresh->answered_ms = now;
	return rv;
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
		return ping(refresh);
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
	/* Another authority may have taken over since this was opened. */
	rv = buffer_set(&described->authority_id, token->authority_id.data, token->authority_id.size);
	if (rv == CKR_OK && !token_record_equal(token, described)) {
		described->created = token->created;
		described->rebuilt = token->rebuilt;
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

	rv = token_describe(lifecycle->kms, deadline_patient(lifecycle->config), id->data, id->size,
	                    &described);
	if (rv != CKR_OK)
		return rv;
	rv = registry_change(lifecycle->registry, &signer, lifecycle->config->expires_after,
	                     build_token, described);
	token_record_free(&described);
	return rv;
}

static CK_RV
look_whether_put_back(struct refresh *refresh)
{
	CK_RV rv = registry_awaits_rebuild(refresh->lifecycle->registry, &refresh->put_back);

	if (rv == CKR_OK && refresh->put_back)
		log_warning("token %s: a backup of the registry was put back, which may lack versions and "
		            "policies: nothing is taken up, undone, retired or purged until p11-kms rebuild "
		            "has run", refresh->lifecycle->config->name);
	return rv;
}

static const char *
intent_name(const struct intent *intent)
{
	return intent_is_authority(intent) ? "an authority" : intent->name;
}

static void
count_reconciled(struct refresh_summary *summary, enum reconciled result)
{
	switch (result) {
	case RECONCILED_FINISHED:
		summary->finished++;
		break;
	case RECONCILED_UNDONE:
		summary->undone++;
		break;
	case RECONCILED_UNTRUE:
		summary->untrue++;
		break;
	case RECONCILED_LEFT:
		summary->kept++;
		break;
	case RECONCILED_DROPPED:
		break;
	}
}

static CK_RV
reconcile_one(struct refresh *refresh, const struct intent *intent)
{
	enum reconciled result;
	int64_t now = clock_now();
	CK_RV rv;

	if (intent_is_young(intent, now)) {
		log_info("the creation of %s@%lld began less than a minute ago, and is left alone",
		         intent_name(intent), (long long)intent->number);
		return CKR_OK;
	}
	if (intent->since > now)
		log_warning("the creation of %s@%lld is to begin in the future, by what the registry says: it "
		            "counts as interrupted; is the clock of this host right?", intent_name(intent),
		            (long long)intent->number);
	if (refresh->put_back) {
		refresh->summary.held++;
		return CKR_OK;
	}
	rv = intent_reconcile(refresh->lifecycle, intent, refresh->dry_run, &result);
	if (rv == CKR_OK)
		count_reconciled(&refresh->summary, result);
	return weigh(refresh, "finishing the interrupted creation of", intent_name(intent), rv);
}

static CK_RV
reconcile(struct refresh *refresh)
{
	CK_RV rv = CKR_OK;

	for (size_t i = 0; rv == CKR_OK && i < refresh->intent_count; i++) {
		if (!step(refresh))
			refresh->summary.left++;
		else
			rv = reconcile_one(refresh, &refresh->intents[i]);
	}
	return rv;
}

/* A version of this key is being made right now. */
static bool
in_making(const struct refresh *refresh, const char *name)
{
	int64_t now = clock_now();

	for (size_t i = 0; i < refresh->intent_count; i++) {
		if (intent_is_young(&refresh->intents[i], now) &&
		    strcmp(refresh->intents[i].name, name) == 0)
			return true;
	}
	return false;
}

static CK_RV
stray(struct refresh *refresh, const struct stray *stray)
{
	bool dry_run = refresh->dry_run;
	CK_RV rv;

	switch (stray->kind) {
	case STRAY_VERSION:
		if (refresh->put_back) {
			refresh->summary.held++;
			break;
		}
		rv = dry_run ? CKR_OK : stray_take_up(refresh->lifecycle, stray);
		if (rv == CKR_ACTION_PROHIBITED || rv == CKR_ATTRIBUTE_VALUE_INVALID)
			return CKR_OK; /* another refresh was faster */
		refresh->summary.taken_up += rv == CKR_OK;
		return rv;
	case STRAY_DESTROYED:
		rv = dry_run ? CKR_OK : stray_remove(refresh->lifecycle, stray);
		if (rv == CKR_ACTION_PROHIBITED)
			return CKR_OK; /* the KMS needs it for another; it goes later */
		refresh->summary.purged += rv == CKR_OK;
		return rv;
	case STRAY_WAITING:
		if (refresh->put_back)
			refresh->summary.held++;
		else
			refresh->summary.waiting++;
		break;
	case STRAY_HIDDEN:
		log_error("the index of the registry lacks %s, which its log has, or the log is not whole: it "
		          "is not taken up again; run p11-kms verify, and find out who has changed the "
		          "registry's file", stray->label);
		refresh->summary.failed++;
		break;
	case STRAY_INTERRUPTED:
	case STRAY_UNKNOWN:
		break;
	}
	return CKR_OK;
}

/* What the KMS holds and the registry lacks, and the other way round. */
static CK_RV
call_over(struct refresh *refresh, struct stray **ret_strays, size_t *ret_count)
{
	struct lifecycle *lifecycle = refresh->lifecycle;
	struct roll roll = { NULL, NULL, 0 };
	CK_RV rv;

	rv = roll_read(lifecycle->registry, &roll);
	if (rv == CKR_OK)
		rv = strays_read(lifecycle->kms, lifecycle->registry, &lifecycle->token->authority_id,
		                 deadline_patient(lifecycle->config), &roll, ret_strays, ret_count);
	if (rv == CKR_OK)
		refresh->summary.missing = roll_missing(&roll, lifecycle);
	roll_clear(&roll);
	if (rv == CKR_OK)
		rv = strays_wait(lifecycle->kms, lifecycle->registry, !refresh->dry_run, *ret_strays,
		                 *ret_count);
	return rv;
}

/* Something is done about it, which may take long. */
static bool
is_work(const struct stray *stray)
{
	return stray->kind == STRAY_VERSION || stray->kind == STRAY_DESTROYED;
}

static CK_RV
clear_up(struct refresh *refresh, const struct stray *strays, size_t count)
{
	CK_RV rv = CKR_OK;

	for (size_t i = 0; i < count; i++)
		refresh->total += is_work(&strays[i]);
	for (size_t i = 0; rv == CKR_OK && i < count; i++) {
		if (is_work(&strays[i]) && !step(refresh))
			refresh->summary.left++;
		else
			rv = weigh(refresh, "taking up, or removing,", strays[i].label,
			           stray(refresh, &strays[i]));
	}
	return rv;
}

static CK_RV
look_around(struct refresh *refresh)
{
	struct stray *strays = NULL;
	size_t count = 0;
	CK_RV rv;

	if (refresh->stopped)
		return CKR_OK; /* the list alone may take long */
	rv = call_over(refresh, &strays, &count);
	rv = rv == CKR_OK ? clear_up(refresh, strays, count)
	                  : weigh(refresh, "looking for versions in", "the KMS", rv);
	strays_free(strays, count);
	return rv;
}

static unsigned
upkeep_how(const struct refresh *refresh, const char *name)
{
	return (in_making(refresh, name) ? UPKEEP_MAKING : 0U) |
	       (refresh->dry_run ? UPKEEP_DRY_RUN : 0U) | (refresh->put_back ? UPKEEP_PUT_BACK : 0U);
}

static CK_RV
look_after_keys(struct refresh *refresh)
{
	CK_RV rv;

	for (size_t i = 0; i < refresh->name_count; i++) {
		const char *name = refresh->names[i];

		if (!step(refresh)) {
			refresh->summary.left += (unsigned)(refresh->name_count - i);
			return CKR_OK;
		}
		rv = key_upkeep(refresh->lifecycle, name, upkeep_how(refresh, name), &refresh->summary);
		rv = weigh(refresh, "looking after", name, rv);
		if (rv != CKR_OK)
			return rv;
	}
	return CKR_OK;
}

static CK_RV
certify_one(struct refresh *refresh, int64_t object)
{
	struct lifecycle *lifecycle = refresh->lifecycle;
	struct version *version = NULL;
	CK_RV rv = registry_version(lifecycle->registry, object, &version);

	if (rv != CKR_OK)
		return weigh(refresh, "making a certificate for", "a version", rv);
	if (!refresh->dry_run)
		rv = version_certify_once(lifecycle, version, deadline_patient(lifecycle->config));
	if (rv == CKR_OK)
		refresh->summary.certified++;
	if (rv == CKR_ACTION_PROHIBITED)
		rv = CKR_OK; /* it needs none, or another host was faster */
	rv = weigh(refresh, "making a certificate for", version->name, rv);
	version_free(&version);
	return rv;
}

/* "certificates = self-signed": those that have none yet, whatever way they came about. */
static CK_RV
certify(struct refresh *refresh)
{
	struct registry *registry = refresh->lifecycle->registry;
	int64_t objects[PAGE];
	size_t count = 0;
	CK_RV rv;

	for (int64_t after = 0;; after = objects[count - 1]) {
		rv = registry_uncertified(registry, after, objects, PAGE, &count);
		if (rv != CKR_OK || count == 0)
			return rv;
		refresh->total += count;
		for (size_t i = 0; i < count; i++) {
			if (!step(refresh))
				refresh->summary.left++;
			else
				rv = certify_one(refresh, objects[i]);
			if (rv != CKR_OK)
				return rv;
		}
	}
}

CK_RV
lifecycle_refresh(struct lifecycle *lifecycle, bool dry_run, refresh_progress progress,
                  void *context, struct refresh_summary *ret_summary)
{
	struct refresh refresh = {
		.lifecycle = lifecycle, .dry_run = dry_run, .progress = progress, .context = context
	};
	CK_RV rv;

	/* What was damaged or taken out costs its own key; the others go on, but it is told. */
	rv = registry_check_chain(lifecycle->registry);
	if (rv == CKR_DEVICE_ERROR)
		refresh.summary.failed++;
	else if (rv != CKR_OK)
		return rv;
	if (!dry_run) {
		rv = renew_head(lifecycle);
		if (rv != CKR_OK)
			return rv;
	}
	rv = look_whether_put_back(&refresh);
	if (rv != CKR_OK)
		return rv;
	rv = registry_intents(lifecycle->registry, &refresh.intents, &refresh.intent_count);
	if (rv != CKR_OK)
		return rv;
	refresh.total = refresh.intent_count;
	rv = reconcile(&refresh);
	if (rv == CKR_OK)
		rv = look_around(&refresh);
	if (rv == CKR_OK)
		rv = registry_due(lifecycle->registry, clock_now(), &refresh.names,
		                  &refresh.name_count);
	refresh.total += refresh.name_count;
	if (rv == CKR_OK)
		rv = look_after_keys(&refresh);
	if (rv == CKR_OK && lifecycle->config->self_signed)
		rv = certify(&refresh);
	if (rv == CKR_OK && progress != NULL && !refresh.stopped)
		(void)progress(context, refresh.done, refresh.total);
	names_free(refresh.names, refresh.name_count);
	intents_free(refresh.intents, refresh.intent_count);
	if (rv == CKR_OK)
		*ret_summary = refresh.summary;
	return rv;
}
