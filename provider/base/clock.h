/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Time: the wall clock in whole seconds (what records carry), and deadlines in
 * milliseconds of the monotonic clock (what calls obey).
 */
#ifndef P11_KMS_BASE_CLOCK_H
#define P11_KMS_BASE_CLOCK_H

#include "base/compiler.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Seconds since 1970-01-01T00:00:00Z. */
int64_t clock_now(void);

/* Milliseconds of the monotonic clock; the coarse one is cheaper and some ms old. */
int64_t clock_monotonic_ms(void);
int64_t clock_coarse_ms(void);

/* The moment by which a call must have ended. */
struct deadline {
	int64_t at_ms;
};

struct deadline deadline_in(int64_t milliseconds);
bool deadline_passed(struct deadline deadline);
/* Never negative. */
int64_t deadline_left_ms(struct deadline deadline);

#define CLOCK_RFC3339_SIZE 21

/* "2026-03-01T12:00:00Z"; out holds CLOCK_RFC3339_SIZE bytes. */
void clock_format(int64_t seconds, char *out);
/* Strict, the form that clock_format writes. */
MUST_USE bool clock_parse(const char *text, int64_t *ret_seconds);

/*
 * A duration: a whole number and a unit: ms, s, m, h, d, w, y (365 days); "never" is 0.
 * False when malformed or past 100 years.
 */
MUST_USE bool duration_parse_ms(const char *text, int64_t *ret_milliseconds);
/* The same in seconds; false also when it is not a whole number of seconds. */
MUST_USE bool duration_parse(const char *text, int64_t *ret_seconds);
/* The shortest exact form, "90d"; 0 is "never". size 32 is enough. */
void duration_format(int64_t seconds, char *out, size_t size);

#endif
