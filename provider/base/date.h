/* SPDX-License-Identifier: Apache-2.0 */
/* Dates in the form that the standard has. */
#ifndef P11_KMS_BASE_DATE_H
#define P11_KMS_BASE_DATE_H

#include "base/compiler.h"
#include "base/pkcs11.h"

#include <stdbool.h>
#include <stdint.h>

#define DAY_SECONDS 86400

/* The day of a moment, UTC (section 3.1, CK_DATE). */
void date_from_time(int64_t seconds, CK_DATE *ret_date);
/* The first second of a day, or false for what is no date. */
MUST_USE bool date_to_time(const CK_DATE *date, int64_t *ret_seconds);

#endif
