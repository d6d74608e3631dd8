/* SPDX-License-Identifier: Apache-2.0 */
/* The lines of an INI file, each setting with the place where it stands. */
#ifndef P11_KMS_BASE_SETTINGS_H
#define P11_KMS_BASE_SETTINGS_H

#include "base/compiler.h"

#include <stdbool.h>
#include <stddef.h>

struct setting {
	const char *section;   /* "" before the first */
	unsigned section_line; /* 0 before the first; tells sections of one name apart */
	const char *key;
	const char *value;
	unsigned line;
};

/*
 * Takes one setting (borrowed for the call). On refusal *ret_why (caller of settings_read
 * frees) says what is wrong and what to do, without the place.
 */
typedef bool (*settings_take)(void *context, const struct setting *setting, char **ret_why);

/*
 * Calls take for each setting, in the file's order, until it refuses. Lines may be up to
 * SETTINGS_LINE_MAX bytes and indented; a byte order mark, CRLF and a missing last line end
 * are allowed; control characters, lines that are not settings, and sections without
 * settings are refused. *ret_why: "LINE: what is wrong; what to do".
 */
MUST_USE bool settings_read(const char *content, size_t size, settings_take take, void *context,
                            char **ret_why);

#define SETTINGS_LINE_MAX 2000

#endif
