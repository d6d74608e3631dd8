/* SPDX-License-Identifier: Apache-2.0 */
/* Text and dates in the forms that the standard's structures have. */
#ifndef P11_KMS_TOKEN_TEXT_H
#define P11_KMS_TOKEN_TEXT_H

#include "base/compiler.h"
#include "base/pkcs11.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Fills a field with text, blank padded, cut between characters of UTF-8 (section 3.1). */
void text_pad(unsigned char *field, size_t size, const char *text);

/* The day of a moment, UTC (section 3.1, CK_DATE). */
void date_from_time(int64_t seconds, CK_DATE *ret_date);
/* The first second of a day, or false for what is no date. */
MUST_USE bool date_to_time(const CK_DATE *date, int64_t *ret_seconds);

#endif
