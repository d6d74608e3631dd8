/* SPDX-License-Identifier: Apache-2.0 */
#include "command/findings.h"

#include "command/output.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define TEXT_COLUMN 22
#define LINES_MAX 20 /* of one check; JSON has all */

/* In JSON, and for people. */
static const char *const names[] = { "ok", "warn", "FAIL", "skipped" };
static const char *const words[] = { "ok", "warn", "FAIL", "skip" };

static void
put(struct findings *findings, enum result result, const char *text)
{
	findings->warned += result == RESULT_WARN;
	findings->failed += result == RESULT_FAIL;
	if (findings->json != NULL) {
		json_t *entry = json_pack("{s:s, s:s, s:o}", "check", findings->check, "result",
		                          names[result], "text", json_text(text));

		if (json_array_append_new(findings->json, entry) != 0)
			findings->memory_short = true;
		findings->told++;
	} else if (findings->told < LINES_MAX) {
		char left[TEXT_COLUMN + 1];

		snprintf(left, sizeof left, "%-4s  %-14s  ", words[result], findings->check);
		say_folded(left, TEXT_COLUMN, text);
		findings->told++;
	} else {
		findings->more++;
	}
}

void
findings_begin(struct findings *findings, const char *check)
{
	findings_end(findings);
	findings->check = check;
}

void
finding(struct findings *findings, enum result result, const char *format, ...)
{
	va_list arguments;
	char *text;

	va_start(arguments, format);
	if (vasprintf(&text, format, arguments) < 0)
		text = NULL;
	va_end(arguments);
	put(findings, result, text != NULL ? text : "(out of memory)");
	free(text);
}

void
findings_ok(struct findings *findings, const char *format, ...)
{
	va_list arguments;
	char *text;

	if (findings->told != 0)
		return;
	va_start(arguments, format);
	if (vasprintf(&text, format, arguments) < 0)
		text = NULL;
	va_end(arguments);
	put(findings, RESULT_OK, text != NULL ? text : "");
	free(text);
}

void
findings_skip(struct findings *findings, const char *const *checks, size_t count, const char *why)
{
	for (size_t i = 0; i < count; i++) {
		findings_begin(findings, checks[i]);
		finding(findings, RESULT_SKIPPED, "not checked: %s", why);
	}
}

void
findings_end(struct findings *findings)
{
	if (findings->more != 0)
		say("      %-14s  … and %zu more; --json has all", findings->check, findings->more);
	findings->told = 0;
	findings->more = 0;
}
