/* SPDX-License-Identifier: Apache-2.0 */
/* What verify finds: told line by line, or gathered for --json. */
#ifndef P11_KMS_COMMAND_FINDINGS_H
#define P11_KMS_COMMAND_FINDINGS_H

#include "base/compiler.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

enum result { RESULT_OK, RESULT_WARN, RESULT_FAIL, RESULT_SKIPPED };

struct findings {
	json_t *json;      /* owned array; NULL: for people */
	const char *check; /* what is being checked, static */
	size_t told;       /* lines of this check */
	size_t more;       /* and those that were not told, to keep the answer short */
	size_t warned, failed;
	bool memory_short;
};

/* check: one word; ends the one before. */
void findings_begin(struct findings *findings, const char *check);
void finding(struct findings *findings, enum result result, const char *format, ...)
        PRINTF_LIKE(3, 4);
/* A line "ok" when the check has said nothing yet. */
void findings_ok(struct findings *findings, const char *format, ...) PRINTF_LIKE(2, 3);
/* Each of these checks was not made, and why. */
void findings_skip(struct findings *findings, const char *const *checks, size_t count,
                   const char *why);
void findings_end(struct findings *findings);

#endif
