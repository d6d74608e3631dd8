/* SPDX-License-Identifier: Apache-2.0 */
#include "command/key-walk.h"
#include "command/output.h"
#include "command/workspace.h"
#include "lifecycle/commit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct status {
	struct workspace *workspace;
	struct registry_head head;
	int64_t now, keys, versions;
	int64_t next;          /* the earliest rotation; 0: none */
	int64_t due;           /* keys that should have rotated */
	int64_t currentless;   /* keys without a current version */
	int64_t refused;       /* keys whose entries are not used */
	const char *kms;       /* "reachable" … */
	bool unknown;          /* whether it is: there is none, or nobody has logged in */
	bool reachable;
	bool refuses;          /* the login */
	char *unasked;         /* why it was not asked: a file that is no good; owned */
	char model[64];
};

static CK_RV
count_key(void *context, const char *name, const struct key_record *key)
{
	struct status *status = context;
	struct version *current = NULL;
	int64_t next;
	CK_RV rv;

	(void)name;
	if (key == NULL) {
		status->refused++;
		return CKR_OK;
	}

	rv = version_current(status->workspace->registry, key->name, &current);
	if (rv != CKR_OK)
		return rv;
	next = lifecycle_next_rotation(key, current);
	if (next != 0 && (status->next == 0 || next < status->next))
		status->next = next;
	status->due += next != 0 && next <= status->now;
	status->currentless += current == NULL;
	version_free(&current);
	return CKR_OK;
}

static void
ask_kms(struct status *status)
{
	const struct config_token *token = status->workspace->token;
	struct kms_description description;
	struct kms *kms = NULL;
	bool nobody = false;
	CK_RV rv;

	if (token->kms == NULL) {
		status->unknown = true;
		status->kms = "none on this host";
		return;
	}
	rv = kms_new(token, &kms);
	if (rv == CKR_OK)
		rv = kms_describe(kms, deadline_in(token->deadline_ms), &description);
	if (rv == CKR_OK) {
		snprintf(status->model, sizeof status->model, "%s %s", description.manufacturer,
		         description.model);
		kms_description_clear(&description);
		if (kms_logs_in_itself(kms))
			rv = kms_ping(kms, deadline_in(token->deadline_ms));
	} else if (rv == CKR_USER_NOT_LOGGED_IN) {
		nobody = !kms_logs_in_itself(kms);
	}
	status->unknown = nobody;
	status->reachable = rv == CKR_OK;
	status->unasked = nobody ? NULL : kms_unasked_why(status->workspace, rv);
	status->refuses = rv == CKR_USER_NOT_LOGGED_IN && !nobody && status->unasked == NULL;
	if (rv == CKR_OK)
		status->kms = "reachable";
	else if (nobody)
		status->kms = "needs a PIN before it answers";
	else if (status->unasked != NULL)
		status->kms = "not asked";
	else if (status->refuses)
		status->kms = "refuses the login";
	else
		status->kms = "not reachable";
	kms_free(&kms);
}

static CK_RV
read_registry(struct status *status)
{
	struct registry *registry = status->workspace->registry;
	CK_RV rv;

	rv = registry_head(registry, &status->head);
	if (rv != CKR_OK)
		return rv;
	rv = registry_count(registry, &status->keys, &status->versions);
	if (rv != CKR_OK)
		return rv;
	rv = key_walk(registry, count_key, status);
	return rv == CKR_DEVICE_ERROR && status->refused != 0 ? CKR_OK : rv;
}

static void
tell(const struct status *status)
{
	char issued[CLOCK_RFC3339_SIZE], expires[CLOCK_RFC3339_SIZE], next[CLOCK_RFC3339_SIZE];
	bool expired = registry_expired(status->head.expires, status->now);

	clock_format(status->head.issued, issued);
	clock_format(status->head.expires, expires);
	if (status->next != 0)
		clock_format(status->next, next);
	say("token     %s", status->workspace->token->name);
	say("kms       %s%s%s%s", status->kms, status->model[0] != '\0' ? " (" : "", status->model,
	    status->model[0] != '\0' ? ")" : "");
	say("registry  entry %lld, signed %s, %s %s", (long long)status->head.sequence, issued,
	    expired ? "EXPIRED" : "good until", expires);
	say("keys      %lld, with %lld %s", (long long)status->keys, (long long)status->versions,
	    plural(status->versions, "version", "versions"));
	if (status->currentless != 0)
		say("          %lld without a current version", (long long)status->currentless);
	if (status->refused != 0)
		say("          %lld REFUSED: damaged, or not signed by the pinned authority; run "
		    "`p11-kms verify`", (long long)status->refused);
	say("rotation  %s%s", status->next != 0 ? "next " : "no key rotates",
	    status->next != 0 ? next : "");
	if (status->due != 0)
		say("          %lld due now: run `p11-kms refresh`", (long long)status->due);
}

static json_t *
make_json(const struct status *status)
{
	json_t *reachable = status->unknown ? json_null() : json_boolean(status->reachable);

	return json_pack("{s:o, s:s, s:o, s:I, s:o, s:o, s:b, s:I, s:I, s:I, s:I, s:I, s:o}", "token",
	                 json_text(status->workspace->token->name), "kms", status->kms,
	                 "kms_reachable", reachable, "sequence", (json_int_t)status->head.sequence,
	                 "issued", json_time(status->head.issued), "expires",
	                 json_time(status->head.expires), "expired",
	                 registry_expired(status->head.expires, status->now), "keys", (json_int_t)status->keys,
	                 "versions", (json_int_t)status->versions, "keys_without_current",
	                 (json_int_t)status->currentless, "keys_due", (json_int_t)status->due,
	                 "keys_refused", (json_int_t)status->refused,
	                 "next_rotation", json_time(status->next));
}

/* What a monitor should hear of: first what stops encryption, then what stops decryption. */
static int
weigh(const struct status *status)
{
	if (registry_expired(status->head.expires, status->now) || status->refused != 0)
		return EXIT_REGISTRY;
	if (status->unasked != NULL)
		return EXIT_CONFIGURATION;
	if (status->refuses)
		return EXIT_LOGIN;
	return !status->unknown && !status->reachable ? EXIT_KMS : EXIT_DONE;
}

int
command_status(const struct arguments *arguments)
{
	struct workspace workspace = { .token = NULL };
	struct status status = { .workspace = &workspace, .now = clock_now() };
	int code;
	CK_RV rv;

	code = workspace_read(arguments, &workspace);
	if (code != EXIT_DONE)
		goto out;
	rv = read_registry(&status);
	if (rv != CKR_OK) {
		code = registry_failed(&workspace, "read the registry", rv);
		goto out;
	}
	ask_kms(&status);
	if (status.unasked != NULL)
		complain("the KMS was not asked: %s", status.unasked);
	if (arguments->options[OPTION_JSON] == NULL)
		tell(&status);
	else if (!say_json(make_json(&status)))
		code = EXIT_FAILED;
	if (code == EXIT_DONE)
		code = weigh(&status);
out:
	free(status.unasked);
	workspace_close(&workspace);
	return code;
}
