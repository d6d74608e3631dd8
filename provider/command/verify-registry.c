/* SPDX-License-Identifier: Apache-2.0 */
#include "command/verify.h"

#include "base/log.h"
#include "command/key-walk.h"
#include "command/output.h"
#include "lifecycle/commit.h"
#include "lifecycle/reconcile.h"
#include "lifecycle/restored.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static const char *const checks[] = { "registry", "seen", "head", "keys", "interrupted" };
#define CHECK_COUNT (sizeof checks / sizeof *checks)

static bool
open_registry(struct verification *verification)
{
	struct workspace *workspace = verification->workspace;
	const char *path = workspace->token->registry;
	struct stat status;
	char *why;
	CK_RV rv;

	findings_begin(verification->findings, checks[0]);
	why = registry_missing_why(workspace);
	if (why != NULL) {
		finding(verification->findings, RESULT_FAIL, "%s", why);
		free(why);
		return false;
	}
	if (stat(path, &status) != 0) {
		finding(verification->findings, RESULT_FAIL, "%s: can't be looked at: %s", path,
		        strerror(errno));
		return false;
	}
	why = NULL;
	rv = registry_open(path, workspace->authority, REGISTRY_READ, &workspace->registry, &why);
	if (rv != CKR_OK)
		finding(verification->findings, RESULT_FAIL, "%s",
		        why != NULL ? why : ckr_name(rv));
	free(why);
	return rv == CKR_OK;
}

static void
found(void *context, int64_t sequence, int64_t object, const char *what)
{
	struct verification *verification = context;

	if (object != 0)
		finding(verification->findings, RESULT_FAIL, "entry %lld (version object %lld): %s",
		        (long long)sequence, (long long)object, what);
	else
		finding(verification->findings, RESULT_FAIL, "entry %lld: %s", (long long)sequence, what);
}

/* How many entries something is wrong with. */
struct tally {
	int64_t last, entries;
};

static void
count(void *context, int64_t sequence, int64_t object, const char *what)
{
	struct tally *tally = context;

	(void)object;
	(void)what;
	tally->entries += sequence > tally->last;
	if (sequence > tally->last)
		tally->last = sequence;
}

/*
 * Is the head not good, and no entry either? Then another authority is pinned than the registry's,
 * most likely: which is said once, and not of each entry.
 */
static bool
is_anothers(struct verification *verification)
{
	struct registry *registry = verification->workspace->registry;
	struct tally tally = { 0, 0 };
	struct registry_head head;
	int64_t entries = 0, bad = 0;

	return registry_head(registry, &head) == CKR_DEVICE_ERROR &&
	       !registry_turned_back(registry, NULL) &&
	       registry_verify(registry, count, &tally, &entries, &bad) == CKR_OK && entries != 0 &&
	       tally.entries >= entries;
}

static void
check_log(struct verification *verification)
{
	int64_t entries = 0, bad = 0;
	CK_RV rv;

	rv = registry_verify(verification->workspace->registry, found, verification, &entries, &bad);
	if (rv != CKR_OK)
		finding(verification->findings, RESULT_FAIL, "the log can't be read: %s", ckr_name(rv));
	findings_ok(verification->findings, "%s: %lld %s, each signed by the authority",
	            verification->workspace->token->registry, (long long)entries,
	            plural(entries, "entry", "entries"));
}

/* Most often it is good, and another registry's authority is pinned. */
static void
tell_bad_head(struct verification *verification, CK_RV rv)
{
	const struct workspace *workspace = verification->workspace;

	if (rv == CKR_DEVICE_ERROR)
		finding(verification->findings, RESULT_FAIL,
		        "it is not signed by the authority that %s pins (%s), nor by one that this handed over "
		        "to, or is damaged; if the file is another token's, copy the right one from a host "
		        "that has it, else put a backup of %s back", workspace->token->authority,
		        authority_fingerprint(workspace->authority), workspace->token->registry);
	else
		finding(verification->findings, RESULT_FAIL, "it can't be read: %s", ckr_name(rv));
}

static void
check_head(struct verification *verification)
{
	struct registry_head head;
	char expires[CLOCK_RFC3339_SIZE], issued[CLOCK_RFC3339_SIZE];
	int64_t left, life;
	CK_RV rv;

	findings_begin(verification->findings, "head");
	rv = registry_head(verification->workspace->registry, &head);
	if (rv != CKR_OK && registry_turned_back(verification->workspace->registry, NULL)) {
		finding(verification->findings, RESULT_SKIPPED,
		        "not checked: the registry was turned back");
		return;
	}
	if (rv != CKR_OK) {
		tell_bad_head(verification, rv);
		return;
	}
	clock_format(head.issued, issued);
	clock_format(head.expires, expires);
	life = head.expires - head.issued;
	left = head.expires - verification->now;
	if (left <= 0)
		finding(verification->findings, RESULT_FAIL,
		        "expired on %s: nothing encrypts or signs until `p11-kms refresh` has run", expires);
	else if (head.issued > verification->now + 300)
		finding(verification->findings, RESULT_WARN,
		        "signed in the future, on %s: is the clock of this host right?", issued);
	else if (left < life / 2)
		finding(verification->findings, RESULT_WARN,
		        "signed on %s and good until %s only: does the refresh timer run?", issued, expires);
	findings_ok(verification->findings, "signed on %s, good until %s", issued, expires);
}

static void
check_rebuilt(struct verification *verification)
{
	bool awaits = false;
	CK_RV rv = registry_awaits_rebuild(verification->workspace->registry, &awaits);

	if (rv != CKR_OK)
		finding(verification->findings, RESULT_FAIL, "whether a backup was put back can't be told: %s",
		        ckr_name(rv));
	else if (awaits)
		finding(verification->findings, RESULT_WARN,
		        "a backup was put back, which may lack versions and policies: run `p11-kms rebuild`; "
		        "`p11-kms refresh` holds back until then");
}

/* After the log: only one that is good in itself may be accepted. */
static void
check_seen(struct verification *verification, bool good)
{
	struct registry *registry = verification->workspace->registry;
	struct registry_head head;
	char *why = NULL;

	findings_begin(verification->findings, "seen");
	if (registry_head(registry, &head) == CKR_OK) {
		if (!registry_remembers(registry))
			finding(verification->findings, RESULT_WARN,
			        "that this registry was seen can't be kept: an older one put in its place would "
			        "not be noticed; give this user a folder (p11-kms(1), FILES)");
		check_rebuilt(verification);
		findings_ok(verification->findings, "entry %lld is the newest that was seen here",
		            (long long)head.sequence);
		return;
	}
	if (!registry_turned_back(registry, &why)) {
		finding(verification->findings, RESULT_SKIPPED, "not checked: the head is broken");
	} else if (verification->arguments->options[OPTION_ACCEPT_RESTORED] == NULL) {
		finding(verification->findings, RESULT_FAIL, "%s", why == NULL ? "turned back" : why);
	} else if (!good) {
		finding(verification->findings, RESULT_FAIL,
		        "a registry with failures is not accepted as restored");
	} else if (registry_accept(registry) != CKR_OK) {
		finding(verification->findings, RESULT_FAIL, "that it was restored can't be kept");
	} else {
		finding(verification->findings, RESULT_OK, "accepted, as it was restored");
		check_rebuilt(verification);
	}
	free(why);
}

static CK_RV
check_key(void *context, const char *name, const struct key_record *key)
{
	struct verification *verification = context;
	struct version *current = NULL;
	char text[CLOCK_RFC3339_SIZE];
	int64_t next;
	CK_RV rv;

	if (key == NULL) {
		finding(verification->findings, RESULT_FAIL, "%s: an entry of it is damaged, or not signed "
		        "by the pinned authority: it is not used", name);
		return CKR_OK;
	}
	rv = version_current(verification->workspace->registry, key->name, &current);
	if (rv == CKR_DEVICE_ERROR)
		return rv;
	if (rv != CKR_OK) {
		finding(verification->findings, RESULT_FAIL, "%s: can't be read: %s", key->name,
		        ckr_name(rv));
		return CKR_OK;
	}
	if (current == NULL) {
		finding(verification->findings, RESULT_WARN, "%s has no current version", key->name);
		return CKR_OK;
	}
	next = lifecycle_next_rotation(key, current);
	if (current->protect_until != 0 && current->protect_until <= verification->now) {
		clock_format(current->protect_until, text);
		finding(verification->findings, RESULT_FAIL, "%s protects nothing since %s: rotate it",
		        key->name, text);
	} else if (next != 0 && next <= verification->now) {
		clock_format(next, text);
		finding(verification->findings, RESULT_WARN, "%s is due to rotate since %s", key->name,
		        text);
	}
	version_free(&current);
	return CKR_OK;
}

static void
check_keys(struct verification *verification)
{
	struct registry *registry = verification->workspace->registry;
	int64_t keys = 0, versions = 0;
	CK_RV rv;

	findings_begin(verification->findings, "keys");
	rv = registry_count(registry, &keys, &versions);
	if (rv == CKR_OK)
		rv = key_walk(registry, check_key, verification);
	if (rv != CKR_OK && rv != CKR_DEVICE_ERROR) /* that was told key by key */
		finding(verification->findings, RESULT_FAIL, "they can't be read: %s", ckr_name(rv));
	findings_ok(verification->findings, "%lld, with %lld %s; none is due", (long long)keys,
	            (long long)versions, plural(versions, "version", "versions"));
}

static void
check_intents(struct verification *verification)
{
	struct intent *intents = NULL;
	size_t count = 0, old = 0;
	CK_RV rv;

	findings_begin(verification->findings, "interrupted");
	rv = registry_intents(verification->workspace->registry, &intents, &count);
	if (rv != CKR_OK)
		finding(verification->findings, RESULT_FAIL, "they can't be read: %s", ckr_name(rv));
	for (size_t i = 0; i < count; i++)
		old += !intent_is_young(&intents[i], verification->now);
	intents_free(intents, count);
	if (old != 0)
		finding(verification->findings, RESULT_WARN,
		        "%zu interrupted %s for `p11-kms refresh`", old,
		        plural((int64_t)old, "creation waits", "creations wait"));
	if (count > old)
		findings_ok(verification->findings, "%zu %s going on, or failed less than a minute ago",
		            count - old, plural((int64_t)(count - old), "creation is", "creations are"));
	findings_ok(verification->findings, "no creation was interrupted");
}

void
verify_registry_skip(struct verification *verification, const char *why)
{
	findings_skip(verification->findings, checks, CHECK_COUNT, why);
}

void
verify_registry(struct verification *verification)
{
	struct registry **registry = &verification->workspace->registry;
	size_t failed = verification->findings->failed;
	const char *why = NULL;

	if (!open_registry(verification)) {
		why = "the registry can't be opened";
	} else {
		if (verification->arguments->options[OPTION_ACCEPT_RESTORED] != NULL)
			registry_put_back(*registry);
		if (is_anothers(verification)) {
			tell_bad_head(verification, CKR_DEVICE_ERROR);
			why = "the registry is not the pinned authority's";
			registry_free(registry); /* nothing is compared with it */
		}
	}
	if (why != NULL) {
		findings_skip(verification->findings, checks + 1, CHECK_COUNT - 1, why);
		return;
	}
	check_log(verification);
	check_seen(verification, verification->findings->failed == failed);
	check_head(verification);
	check_keys(verification);
	check_intents(verification);
}
