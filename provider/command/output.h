/* SPDX-License-Identifier: Apache-2.0 */
/*
 * All that the command writes for people goes through here: what would act on a terminal
 * (control characters, broken UTF-8) is written as \xNN, and a call is one line.
 */
#ifndef P11_KMS_COMMAND_OUTPUT_H
#define P11_KMS_COMMAND_OUTPUT_H

#include "base/compiler.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A line on stdout. */
void say(const char *format, ...) PRINTF_LIKE(1, 2);
/* A line that begins with left (indent columns wide) and is folded at blanks to fit 80 columns; what follows is indented as much. */
void say_folded(const char *left, size_t indent, const char *text);
/* "p11-kms: …" on stderr; folded where that is a terminal. */
void complain(const char *format, ...) PRINTF_LIKE(1, 2);
/* A line on stderr, as it is. */
void remark(const char *format, ...) PRINTF_LIKE(1, 2);

/* Indented JSON on stdout; takes the value. False, with a complaint, when it is NULL (no memory). */
MUST_USE bool say_json(json_t *value);
/* The same on stderr. */
MUST_USE bool remark_json(json_t *value);
/* A string that JSON can hold, whatever is in text; null for NULL. */
json_t *json_text(const char *text);
/* RFC 3339; null for 0. */
json_t *json_time(int64_t seconds);
json_t *json_hex(const void *data, size_t size);

/* "entry" for 1, else "entries". */
const char *plural(int64_t count, const char *one, const char *many);

/* "2026-03-01", or "-" for 0; out holds 11 bytes. */
void format_date(int64_t seconds, char *out);

/* Bytes as they are, past stdio's buffers, on stdout or into a file (path not NULL). A terminal only gets text. */
MUST_USE bool write_bytes(const char *path, const void *data, size_t size, unsigned mode);

/* Nothing in it that would act on a terminal; line ends and tabs may be. */
bool text_displayable(const void *data, size_t size);

/* False, with a complaint, when something written to stdout did not arrive. */
MUST_USE bool output_end(void);

#endif
