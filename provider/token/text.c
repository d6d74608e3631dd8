/* SPDX-License-Identifier: Apache-2.0 */
#include "token/text.h"

#include <string.h>

void
text_pad(unsigned char *field, size_t size, const char *text)
{
	size_t length = strlen(text);

	if (length > size)
		length = size;
	/* A byte 10xxxxxx continues a character: don't cut in front of one. */
	while (length > 0 && length < strlen(text) && ((unsigned char)text[length] & 0xc0) == 0x80)
		length--;
	memset(field, ' ', size);
	memcpy(field, text, length);
}
