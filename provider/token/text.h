/* SPDX-License-Identifier: Apache-2.0 */
/* Text in the form that the standard's structures have. */
#ifndef P11_KMS_TOKEN_TEXT_H
#define P11_KMS_TOKEN_TEXT_H

#include <stddef.h>

/* Fills a field with text, blank padded, cut between characters of UTF-8 (section 3.1). */
void text_pad(unsigned char *field, size_t size, const char *text);

#endif
