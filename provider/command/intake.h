/* SPDX-License-Identifier: Apache-2.0 */
/* Takes pairs of the KMS in, tells of each, and counts: what adopt and rebuild share. */
#ifndef P11_KMS_COMMAND_INTAKE_H
#define P11_KMS_COMMAND_INTAKE_H

#include "command/workspace.h"
#include "lifecycle/adopt.h"
#include "lifecycle/inventory.h"

#include <jansson.h>

struct intake {
	struct workspace *workspace; /* borrowed; without a lifecycle (a dry run) nothing is known yet */
	bool dry_run;
	json_t *json; /* owned array of what was taken in; NULL: for people */
	size_t taken, known, failed;
};

/* Exit codes. */
MUST_USE int intake_begin(struct intake *intake, struct workspace *workspace,
                          const struct arguments *arguments);
/* What the KMS holds, and what of it the registry hides. Caller: inventory_clear, also after a failure. */
MUST_USE int intake_read(struct intake *intake, struct inventory *ret_inventory);
/* Whether the pair is in already, or could be taken in, and not for later; nothing is told of it. */
MUST_USE int intake_good(struct intake *intake, const struct adoption *adoption, bool *ret_good);
/* EXIT_DONE also when the pair is no good (told, counted); else it makes no sense to go on. */
MUST_USE int intake_pair(struct intake *intake, const struct adoption *adoption);
/* The summary. code: how it went so far; what comes of it. Frees. */
MUST_USE int intake_end(struct intake *intake, int code);

#endif
