/* SPDX-License-Identifier: Apache-2.0 */
#include "base/text.h"

#include <openssl/asn1.h>

#include <stdarg.h>
#include <stdio.h>

/* The longest character of UTF-8 (RFC 3629, section 3). */
#define CHARACTER_MAX 4

size_t
text_character(const char *text, size_t size)
{
	unsigned long character = 0;
	int length = size < CHARACTER_MAX ? (int)size : CHARACTER_MAX;

	if (size == 0)
		return 0;
	/* Refuses overlong forms and surrogates, but knows the old forms past U+10FFFF. */
	length = UTF8_getc((const unsigned char *)text, length, &character);
	if (length <= 0 || character > 0x10ffff)
		return 0;
	if (character < 0x20 || (character >= 0x7f && character < 0xa0))
		return 0;
	return (size_t)length;
}

bool
text_printable(const char *text, size_t size)
{
	size_t length;

	for (size_t at = 0; at < size; at += length) {
		length = text_character(text + at, size - at);
		if (length == 0)
			return false;
	}
	return true;
}

char *
text_format(const char *format, ...)
{
	va_list arguments;
	char *text = NULL;
	int length;

	va_start(arguments, format);
	length = vasprintf(&text, format, arguments);
	va_end(arguments);
	return length < 0 ? NULL : text;
}
