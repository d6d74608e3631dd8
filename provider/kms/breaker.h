/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A circuit breaker: after a few failures in a row calls fail at once, until one that is
 * let through as a probe gets an answer.
 *
 *	closed --(3 failures in a row, or one that took too long)--> open
 *	open --(BREAKER_OPEN_MS later: one call is admitted)--> probing
 *	probing --(answer)--> closed, --(failure)--> open
 *
 * Time is the caller's, in milliseconds of the monotonic clock. Every admitted call must
 * report. Takes its own lock, for no longer than a few instructions.
 */
#ifndef P11_KMS_KMS_BREAKER_H
#define P11_KMS_KMS_BREAKER_H

#include "base/compiler.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#define BREAKER_FAILURES 3
/* Half of what recovery may take at most (2 s) is left for the probe itself. */
#define BREAKER_OPEN_MS 1000

enum breaker_state { BREAKER_CLOSED, BREAKER_OPEN, BREAKER_PROBING };

enum breaker_outcome {
	BREAKER_ANSWERED, /* the server answered, whatever it said */
	BREAKER_FAILED,   /* it did not */
	BREAKER_TOO_LATE, /* it did not, and the deadline passed */
	BREAKER_UNASKED,  /* the call ended before the server was asked */
};

struct breaker {
	pthread_mutex_t lock;
	enum breaker_state state;
	unsigned failures; /* in a row */
	int64_t probe_at_ms;
};

/* Closed. Also for a forked child, where the lock may be held by a thread that is not there. */
void breaker_init(struct breaker *breaker);
void breaker_destroy(struct breaker *breaker);

/* May a call go through? */
MUST_USE bool breaker_admit(struct breaker *breaker, int64_t now_ms);
/* How the admitted call ended. True when the breaker opened or closed by it. */
bool breaker_report(struct breaker *breaker, enum breaker_outcome outcome, int64_t now_ms);

#endif
