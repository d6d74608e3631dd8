/* SPDX-License-Identifier: Apache-2.0 */
#include "command/intake.h"

#include "base/log.h"
#include "command/describe-version.h"

#include <stdlib.h>

int
intake_begin(struct intake *intake, struct workspace *workspace,
             const struct arguments *arguments)
{
	*intake = (struct intake){
		.workspace = workspace, .dry_run = arguments->options[OPTION_DRY_RUN] != NULL
	};
	if (arguments->options[OPTION_JSON] == NULL)
		return EXIT_DONE;
	intake->json = json_array();
	if (intake->json != NULL)
		return EXIT_DONE;
	complain("out of memory");
	return EXIT_FAILED;
}

int
intake_read(struct intake *intake, struct inventory *ret_inventory)
{
	struct workspace *workspace = intake->workspace;
	CK_RV rv = inventory_read(workspace->kms, deadline_patient(workspace->token), ret_inventory);

	if (rv != CKR_OK)
		return kms_failed(workspace, "list the keys of the KMS", rv);
	if (workspace->lifecycle != NULL)
		rv = inventory_check(ret_inventory, workspace->registry);
	return rv == CKR_OK ? EXIT_DONE : registry_failed(workspace, "look the keys up in the log", rv);
}

static int
tell(struct intake *intake, const struct adoption *adoption, const struct version *version)
{
	char *id;
	json_t *entry;

	intake->taken++;
	if (intake->json != NULL) {
		entry = json_pack("{s:o, s:I, s:o}", "name", json_text(adoption->name), "version",
		                  (json_int_t)adoption->number, "id",
		                  json_hex(adoption->id->data, adoption->id->size));
		return json_array_append_new(intake->json, entry) == 0 ? EXIT_DONE : EXIT_FAILED;
	}
	id = hex_dup(adoption->id->data, adoption->id->size);
	say("%s %s@%lld%s%s, id %s", intake->dry_run ? "would take in" : "took in", adoption->name,
	    (long long)adoption->number, version == NULL ? "" : ", ",
	    version == NULL ? "" : version->algorithm->name, id != NULL ? id : "?");
	free(id);
	return EXIT_DONE;
}

/* What is wrong with this pair; NULL: it is not the pair. */
static const char *
fault(CK_RV rv)
{
	switch (rv) {
	case CKR_ATTRIBUTE_VALUE_INVALID:
		return "its name and number are in use, or its algorithm has no such usage; give another "
		       "name with p11-kms adopt NAME --id";
	case CKR_OBJECT_HANDLE_INVALID:
		return "it is in the registry's log, but hidden from its index; run p11-kms verify, and put a "
		       "backup of the registry back";
	case CKR_KEY_HANDLE_INVALID:
		return "the KMS has no public half of it";
	case CKR_PUBLIC_KEY_INVALID:
		return "its public key is not one to be trusted";
	case CKR_KEY_FUNCTION_NOT_PERMITTED:
		return "its private half wants a login before each use (CKA_ALWAYS_AUTHENTICATE), which "
		       "p11-kms does not make";
	case CKR_FUNCTION_FAILED:
		return "its private half did not prove itself";
	default:
		return NULL;
	}
}

static int
refused(struct intake *intake, const struct adoption *adoption, CK_RV rv)
{
	const char *why = fault(rv);
	char *id;

	if (why == NULL)
		return change_failed(intake->workspace, "take the key in", rv);
	intake->failed++;
	id = hex_dup(adoption->id->data, adoption->id->size);
	complain("%s@%lld, id %s, is not taken in: %s", adoption->name, (long long)adoption->number,
	         id != NULL ? id : "?", why);
	free(id);
	return EXIT_DONE;
}

int
intake_good(struct intake *intake, const struct adoption *adoption, bool *ret_good)
{
	struct lifecycle *lifecycle = intake->workspace->lifecycle;
	bool later = false;
	CK_RV rv;

	rv = lifecycle_adoptable(lifecycle, adoption, deadline_patient(lifecycle->config), &later);
	if (rv != CKR_OK && rv != CKR_ACTION_PROHIBITED && fault(rv) == NULL)
		return change_failed(intake->workspace, "take the key in", rv);
	*ret_good = !later && (rv == CKR_OK || rv == CKR_ACTION_PROHIBITED);
	return EXIT_DONE;
}

int
intake_pair(struct intake *intake, const struct adoption *adoption)
{
	struct lifecycle *lifecycle = intake->workspace->lifecycle;
	struct version *version = NULL;
	bool known = false;
	int code;
	CK_RV rv = CKR_OK;

	if (lifecycle != NULL)
		rv = lifecycle_knows(lifecycle, adoption->id, &known);
	if (rv == CKR_OK && !known && adoption->hidden)
		rv = CKR_OBJECT_HANDLE_INVALID;
	if (rv == CKR_OK && !known && !intake->dry_run)
		rv = lifecycle_adopt(lifecycle, adoption, deadline_patient(lifecycle->config), &version);
	if (rv == CKR_ACTION_PROHIBITED) { /* another host was faster */
		known = true;
		rv = CKR_OK;
	}
	if (rv != CKR_OK)
		return refused(intake, adoption, rv);
	if (known) {
		intake->known++;
		return EXIT_DONE;
	}
	code = tell(intake, adoption, version);
	version_free(&version);
	return code;
}

int
intake_end(struct intake *intake, int code)
{
	json_t *json;

	if (intake->json != NULL) {
		json = json_pack("{s:o, s:b, s:o, s:I, s:I}", "token",
		                 json_text(intake->workspace->token->name), "dry_run", intake->dry_run,
		                 "taken_in", intake->json, "known", (json_int_t)intake->known, "failed",
		                 (json_int_t)intake->failed);
		intake->json = NULL;
		if (!say_json(json) && code == EXIT_DONE)
			code = EXIT_FAILED;
	} else if (code == EXIT_DONE) {
		say("token %s: %s%zu taken in, %zu known already, %zu failed",
		    intake->workspace->token->name, intake->dry_run ? "would be: " : "", intake->taken,
		    intake->known, intake->failed);
	}
	return code == EXIT_DONE && intake->failed != 0 ? EXIT_FAILED : code;
}
