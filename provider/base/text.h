/* SPDX-License-Identifier: Apache-2.0 */
/* Text that people read: UTF-8 without control characters, and messages made of parts. */
#ifndef P11_KMS_BASE_TEXT_H
#define P11_KMS_BASE_TEXT_H

#include "base/compiler.h"

#include <stdbool.h>
#include <stddef.h>

/*
 * Bytes of the character that text begins with; 0 when it is a control character (C0, DEL,
 * C1) or not valid UTF-8 (RFC 3629), or when size is 0.
 */
size_t text_character(const char *text, size_t size);
/* Nothing but such characters. Empty text is. */
bool text_printable(const char *text, size_t size);

/* Caller frees. NULL when memory is short. */
char *text_format(const char *format, ...) PRINTF_LIKE(1, 2);

#endif
