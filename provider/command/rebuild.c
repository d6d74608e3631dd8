/* SPDX-License-Identifier: Apache-2.0 */
#include "command/describe-policy.h"
#include "command/intake.h"
#include "command/output.h"
#include "lifecycle/restored.h"

#include <stdlib.h>
#include <string.h>

static struct adoption
adoption_of(const struct inventory_pair *pair, int64_t rotate_every)
{
	return (struct adoption){
		.name = pair->name, .number = pair->number, .id = &pair->id,
		.rotate_every = rotate_every, .local = true, .hidden = pair->hidden,
	};
}

/*
 * All versions of a key, the newest first. They are taken in from the oldest on, because a
 * search gives what came last first; but only the newest that is good, and not for later, is ever
 * the current one.
 */
static int
take_key(struct intake *intake, const struct inventory_pair *pairs, size_t count,
         int64_t rotate_every)
{
	size_t current = 0;
	bool good = intake->dry_run;
	int code = EXIT_DONE;

	while (!good && code == EXIT_DONE && current + 1 < count) {
		struct adoption adoption = adoption_of(&pairs[current], rotate_every);

		code = intake_good(intake, &adoption, &good);
		current += !good;
	}
	for (size_t i = count; code == EXIT_DONE && i-- > 0;) {
		struct adoption adoption = adoption_of(&pairs[i], rotate_every);

		adoption.superseded = i > current;
		code = intake_pair(intake, &adoption);
	}
	return code;
}

/* A version that was compromised may encrypt again: that must not go unnoticed. */
static void
warn_of_loss(const struct intake *intake)
{
	complain("states and policies of versions are not in the KMS: one that was compromised, "
	         "deactivated or to be destroyed %s like any other, under the policy of the "
	         "configuration; see `p11-kms list --all`, then compromise, destroy and set policies again",
	         intake->dry_run ? "would be taken in" : "was taken in");
}

static int
end(struct workspace *workspace)
{
	bool put_back = false;
	CK_RV rv = rebuild_end(workspace->lifecycle, &put_back);

	if (rv != CKR_OK)
		return change_failed(workspace, "rebuild the registry", rv);
	if (put_back)
		remark("p11-kms: the policies of keys are those of the backup, and versions that were "
		       "deactivated, compromised or destroyed since are not so any more: set and do again, "
		       "before the next refresh, what was changed since");
	return EXIT_DONE;
}

static int
take_all(struct workspace *workspace, const struct arguments *arguments, int64_t rotate_every)
{
	struct inventory inventory = { NULL, 0 };
	struct intake intake;
	CK_RV rv = CKR_OK;
	int code;

	code = intake_begin(&intake, workspace, arguments);
	if (code != EXIT_DONE)
		return code;
	if (!intake.dry_run)
		rv = rebuild_begin(workspace->lifecycle);
	code = rv == CKR_OK ? intake_read(&intake, &inventory)
	                    : change_failed(workspace, "begin to rebuild the registry", rv);
	/* Pairs of other names come last. */
	for (size_t i = 0, n; code == EXIT_DONE && i < inventory.count; i += n) {
		const struct inventory_pair *first = &inventory.pairs[i];

		if (first->name == NULL)
			break;
		for (n = 1; i + n < inventory.count && first[n].name != NULL; n++) {
			if (strcmp(first[n].name, first->name) != 0)
				break;
		}
		code = take_key(&intake, first, n, rotate_every);
	}
	inventory_clear(&inventory);
	/* All was looked at: what could not be taken in now never will be. */
	if (code == EXIT_DONE && !intake.dry_run)
		code = end(workspace);
	code = intake_end(&intake, code);
	if (intake.taken != 0)
		warn_of_loss(&intake);
	return code;
}

static int
recover(struct workspace *workspace, bool dry_run)
{
	char *why = NULL;
	bool made = false;
	CK_RV rv;

	rv = lifecycle_recover(workspace->token, workspace->kms, dry_run,
	                       deadline_patient(workspace->token), &made, &why);
	if (rv == CKR_OK) {
		if (dry_run)
			remark("p11-kms: would begin %s anew", workspace->token->registry);
		else if (made)
			remark("p11-kms: began %s anew", workspace->token->registry);
		return EXIT_DONE;
	}
	if (why == NULL)
		return change_failed(workspace, "begin the registry anew", rv);
	complain("%s", why);
	free(why);
	return rv == CKR_DEVICE_ERROR ? EXIT_REGISTRY : EXIT_CONFIGURATION;
}

int
command_rebuild(const struct arguments *arguments)
{
	struct workspace workspace = { .token = NULL };
	int64_t rotate_every = -1;
	char *why = NULL;
	int code;

	code = rotate_every_read(arguments, &rotate_every);
	if (code == EXIT_DONE)
		code = workspace_kms(arguments, &workspace);
	if (code == EXIT_DONE && arguments->options[OPTION_DRY_RUN] != NULL)
		why = registry_missing_why(&workspace);
	if (code == EXIT_DONE)
		code = recover(&workspace, why != NULL);
	if (code == EXIT_DONE && why == NULL)
		code = workspace_change_too(&workspace);
	free(why);
	if (code == EXIT_DONE)
		code = take_all(&workspace, arguments, rotate_every);
	workspace_close(&workspace);
	return code;
}
