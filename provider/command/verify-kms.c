/* SPDX-License-Identifier: Apache-2.0 */
#include "command/verify.h"

#include "base/log.h"
#include "command/key-walk.h"
#include "lifecycle/authority-pair.h"
#include "lifecycle/restored.h"
#include "lifecycle/stray.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *const checks[] = {
	"kms", "login", "kms-servers", "authority", "private-halves", "strays"
};
#define CHECK_COUNT (sizeof checks / sizeof *checks)
#define AFTER_KMS 1     /* those that take a KMS, */
#define AFTER_LOGIN 2   /* that is logged in, */
#define WITH_REGISTRY 3 /* and a registry */

/* Some KMSs tell nothing about themselves before a login, which comes first then. */
enum login { LOGIN_NONE, LOGIN_DONE, LOGIN_FAILED };

/* What the private keys in the KMS are compared with. */
struct private_check {
	struct verification *verification; /* borrowed */
	CK_RV listed;                      /* CKR_OK: there is a list of them */
	struct kms_listing listing;        /* owned; sorted */
	int64_t versions;
};

static struct deadline
soon(const struct verification *verification)
{
	return deadline_in(verification->workspace->token->deadline_ms);
}

static void
finding_login(struct verification *verification, CK_RV rv)
{
	const struct config_token *token = verification->workspace->token;
	char *why = kms_unasked_why(verification->workspace, rv);

	if (why != NULL)
		finding(verification->findings, RESULT_FAIL, "not tried: %s", why);
	else if (rv != CKR_USER_NOT_LOGGED_IN && rv != CKR_PIN_INCORRECT)
		finding(verification->findings, RESULT_FAIL, "the KMS does not answer after it: %s; see "
		        "the log lines above", ckr_name(rv));
	else
		finding(verification->findings, RESULT_FAIL, "it was refused: check the PIN%s%s, before "
		        "too many tries lock the KMS's token",
		        token->pin_source != NULL ? " in " : "",
		        token->pin_source != NULL ? token->pin_source : "");
	free(why);
}

static bool
log_in(struct verification *verification)
{
	const struct arguments *arguments = verification->arguments;
	struct workspace *workspace = verification->workspace;
	CK_RV rv;

	findings_begin(verification->findings, "login");
	if (!kms_logs_in_itself(workspace->kms)) {
		if (arguments->options[OPTION_PIN_SOURCE] == NULL && !isatty(STDIN_FILENO)) {
			finding(verification->findings, RESULT_WARN,
			        "not tried: give --pin-source to check the private keys too");
			return false;
		}
		if (workspace_login(arguments, workspace) != EXIT_DONE) {
			finding(verification->findings, RESULT_FAIL, "it failed: see the lines above");
			return false;
		}
	}
	rv = kms_ping(workspace->kms, soon(verification));
	if (rv != CKR_OK)
		finding_login(verification, rv);
	findings_ok(verification->findings, "accepted");
	return rv == CKR_OK;
}

/* Of one that can be asked before a login, or after it: ret_login. */
static CK_RV
describe(struct verification *verification, enum login *ret_login,
         struct kms_description *ret_description)
{
	struct workspace *workspace = verification->workspace;
	CK_RV rv;

	/* Is it there? To tell what it can do may take it longer. */
	if (kms_logs_in_itself(workspace->kms) &&
	    kms_ping(workspace->kms, soon(verification)) == CKR_DEVICE_ERROR)
		return CKR_DEVICE_ERROR;
	rv = kms_describe(workspace->kms, deadline_patient(workspace->token), ret_description);
	if (rv != CKR_USER_NOT_LOGGED_IN || kms_logs_in_itself(workspace->kms))
		return rv;
	*ret_login = log_in(verification) ? LOGIN_DONE : LOGIN_FAILED;
	if (*ret_login == LOGIN_FAILED)
		return CKR_USER_NOT_LOGGED_IN;
	findings_begin(verification->findings, "kms");
	return kms_describe(workspace->kms, deadline_patient(workspace->token), ret_description);
}

static bool
reach(struct verification *verification, enum login *ret_login)
{
	struct workspace *workspace = verification->workspace;
	struct kms_description description;
	char *why;
	CK_RV rv;

	findings_begin(verification->findings, "kms");
	if (workspace->token->kms == NULL) {
		findings_ok(verification->findings, "none: this host encrypts and verifies only");
		return false;
	}
	rv = kms_new(workspace->token, &workspace->kms);
	if (rv == CKR_OK)
		rv = describe(verification, ret_login, &description);
	if (*ret_login == LOGIN_FAILED) {
		findings_skip(verification->findings, checks, 1, "nobody is logged in to the KMS");
		return true;
	}
	if (rv != CKR_OK && (why = kms_unasked_why(workspace, rv)) != NULL) {
		finding(verification->findings, RESULT_FAIL, "not asked: %s", why);
		free(why);
		return false;
	}
	if (rv != CKR_OK) {
		finding(verification->findings, RESULT_FAIL, "it can't be reached: %s; is the \"kms\" of "
		        "the configuration right, and running?", ckr_name(rv));
		return false;
	}
	finding(verification->findings, RESULT_OK, "%s %s%s%s", description.manufacturer,
	        description.model, description.serial[0] == '\0' ? "" : ", serial ",
	        description.serial);
	for (size_t i = 0; i < description.lack_count; i++)
		finding(verification->findings, RESULT_WARN, "it %s", description.lacks[i]);
	kms_description_clear(&description);
	return true;
}

static void
take_remark(void *context, enum kms_remark remark, const char *server, const char *text)
{
	struct verification *verification = context;

	finding(verification->findings, remark == KMS_FACT ? RESULT_OK : RESULT_WARN, "%s %s", server,
	        text);
}

/* One that is silent while another answers is a warning: nothing fails yet. */
static void
check_servers(struct verification *verification)
{
	CK_RV rv;

	findings_begin(verification->findings, "kms-servers");
	rv = kms_report(verification->workspace->kms, deadline_patient(verification->workspace->token), take_remark,
	                verification);
	if (rv != CKR_OK)
		finding(verification->findings, RESULT_FAIL, "none can be asked: %s", ckr_name(rv));
	findings_ok(verification->findings, "none: its own module reaches the KMS");
}

static int
compare(const void *a, const void *b)
{
	const struct buffer *left = &((const struct kms_listing_key *)a)->id;
	const struct buffer *right = &((const struct kms_listing_key *)b)->id;

	if (left->size != right->size)
		return left->size < right->size ? -1 : 1;
	return memcmp(left->data, right->data, left->size);
}

/* From the numbered check on: they can't be made. */
static void
skip_from(struct verification *verification, size_t first, const char *why)
{
	findings_skip(verification->findings, checks + first, CHECK_COUNT - first, why);
}

void
verify_kms_skip(struct verification *verification, const char *why)
{
	skip_from(verification, 0, why);
}

/* A private key with this CKA_ID; a public one alone does nothing. */
static bool
holds_private(const struct private_check *check, const struct buffer *id)
{
	const struct kms_listing *listing = &check->listing;
	struct kms_listing_key wanted = { .id = *id }; /* borrowed for the search */

	return listing->count != 0 &&
	       bsearch(&wanted, listing->keys, listing->count, sizeof wanted, compare) != NULL;
}

static void
check_authority(const struct private_check *check)
{
	struct verification *verification = check->verification;
	struct workspace *workspace = verification->workspace;
	struct findings *findings = verification->findings;
	struct token_record *token = NULL;
	struct succession *succession = NULL;
	struct buffer spki = BUFFER_INIT;
	const struct buffer *signing;
	CK_RV rv = check->listed;

	findings_begin(findings, "authority");
	if (rv == CKR_OK)
		rv = registry_succession(workspace->registry, &succession);
	if (rv == CKR_OK)
		rv = registry_token(workspace->registry, &token);
	if (rv == CKR_OK)
		rv = kms_public_key(workspace->kms, token->authority_id.data, token->authority_id.size,
		                    soon(verification), &spki);
	if (rv == CKR_KEY_HANDLE_INVALID)
		finding(findings, RESULT_FAIL, "the KMS does not hold it: no key can be made or rotated");
	else if (rv != CKR_OK)
		finding(findings, RESULT_FAIL, "it can't be looked up: %s", ckr_name(rv));
	if (rv == CKR_OK) {
		signing = authority_spki(succession_current(succession)->authority);
		if (!buffer_equal(signing, spki.data, spki.size))
			finding(findings, RESULT_FAIL, "the KMS holds another one than the pinned, or the one "
			        "that this handed over to");
		else if (!holds_private(check, &token->authority_id))
			finding(findings, RESULT_FAIL, "the KMS holds its public half only, for us at least: "
			        "no key can be made or rotated");
		else if (succession->count > 1)
			finding(findings, RESULT_OK, "the pinned one handed over to %s; `p11-kms authority pin` "
			        "pins that",
			        authority_fingerprint(succession_current(succession)->authority));
	}
	findings_ok(findings, "the KMS holds it");
	succession_release(&succession);
	buffer_clear(&spki);
	token_record_free(&token);
}

/* Or not to be destroyed at all. After the grace a refresh may have removed the pair, and the rest is its work. */
static bool
restorable(const struct private_check *check, const struct version *version)
{
	struct verification *verification = check->verification;
	struct key_record *key = NULL;
	bool over;

	if (version->state != STATE_DESTROY_PENDING)
		return true;
	if (registry_key(verification->workspace->registry, version->name, &key) != CKR_OK)
		return true;
	over = lifecycle_purge_time(key, version) <= verification->now;
	key_record_free(&key);
	return !over;
}

static CK_RV
check_version(void *context, const struct version *version)
{
	struct private_check *check = context;

	if (version->state == STATE_DESTROYED || !restorable(check, version))
		return CKR_OK;
	check->versions++;
	if (holds_private(check, &version->id))
		return CKR_OK;
	finding(check->verification->findings, RESULT_FAIL, "%s@%lld: the KMS has no such private key: %s",
	        version->name, (long long)version->number,
	        version->state == STATE_DESTROY_PENDING ?
	        "it can't be restored" : "what was encrypted to it can't be decrypted");
	return CKR_OK;
}

static void
check_private_halves(struct private_check *check)
{
	struct verification *verification = check->verification;
	CK_RV rv = check->listed;

	findings_begin(verification->findings, "private-halves");
	if (rv == CKR_OK)
		rv = version_walk(verification->workspace->registry, NULL, true, check_version, check);
	if (rv == CKR_DEVICE_ERROR && check->versions != 0)
		finding(verification->findings, RESULT_FAIL, "those of versions whose entries are not used "
		        "were not looked for");
	else if (rv != CKR_OK)
		finding(verification->findings, RESULT_FAIL, "they can't all be looked up: %s",
		        ckr_name(rv));
	findings_ok(verification->findings, "the KMS holds all %lld", (long long)check->versions);
}

static const char *
stray_fate(enum stray_kind kind, bool awaits_rebuild)
{
	switch (kind) {
	case STRAY_INTERRUPTED:
		if (awaits_rebuild)
			return "an interrupted creation left it; nothing is done about it before `p11-kms rebuild`";
		return "an interrupted creation left it; `p11-kms refresh` finishes or removes it";
	case STRAY_DESTROYED:
		return "its version is destroyed; `p11-kms refresh` removes it";
	case STRAY_VERSION:
	case STRAY_WAITING:
		if (awaits_rebuild)
			return "the backup that was put back lacks it, or another host made it; `p11-kms rebuild` "
			       "takes it in";
		return "another host made it; `p11-kms refresh` takes it up";
	case STRAY_HIDDEN:
		return "it is in the registry's log, but hidden from its index, or the log is not whole; put "
		       "a backup of the registry back";
	case STRAY_UNKNOWN:
		break;
	}
	return "it is no version of this registry";
}

/* Pairs in the KMS that no version has. */
static void
check_strays(struct verification *verification)
{
	struct workspace *workspace = verification->workspace;
	struct token_record *token = NULL;
	struct stray *strays = NULL;
	bool awaits_rebuild = false;
	size_t count = 0;
	CK_RV rv;

	findings_begin(verification->findings, "strays");
	rv = registry_awaits_rebuild(workspace->registry, &awaits_rebuild);
	if (rv == CKR_OK)
		rv = registry_token(workspace->registry, &token);
	if (rv == CKR_OK)
		rv = strays_read(workspace->kms, workspace->registry, &token->authority_id,
		                 deadline_patient(verification->workspace->token), NULL, &strays, &count);
	if (rv != CKR_OK)
		finding(verification->findings, RESULT_FAIL, "they can't be looked for: %s",
		        ckr_name(rv));
	for (size_t i = 0; i < count; i++) {
		char *id = hex_dup(strays[i].id.data, strays[i].id.size);

		finding(verification->findings, RESULT_WARN, "pair \"%s\", id %s: %s", strays[i].label,
		        id != NULL ? id : "?", stray_fate(strays[i].kind, awaits_rebuild));
		free(id);
	}
	findings_ok(verification->findings, "the KMS holds no pair without a version");
	strays_free(strays, count);
	token_record_free(&token);
}

void
verify_kms(struct verification *verification)
{
	struct workspace *workspace = verification->workspace;
	struct private_check check = { .verification = verification };
	enum login login = LOGIN_NONE;

	if (!reach(verification, &login)) {
		skip_from(verification, AFTER_KMS, workspace->token->kms == NULL ?
		          "this host has no KMS" : "the KMS can't be reached");
		return;
	}
	if (login == LOGIN_NONE && log_in(verification))
		login = LOGIN_DONE;
	if (login != LOGIN_DONE) {
		skip_from(verification, AFTER_LOGIN, "nobody is logged in to the KMS");
		return;
	}
	check_servers(verification);
	if (workspace->registry == NULL) {
		skip_from(verification, WITH_REGISTRY, "there is no registry to compare with");
		return;
	}
	check.listed = kms_listing_read(workspace->kms, workspace->token->name,
	                                deadline_patient(verification->workspace->token), &check.listing);
	if (check.listing.count != 0)
		qsort(check.listing.keys, check.listing.count, sizeof *check.listing.keys, compare);
	check_authority(&check);
	check_private_halves(&check);
	kms_listing_clear(&check.listing);
	check_strays(verification);
}
