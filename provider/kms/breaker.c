/* SPDX-License-Identifier: Apache-2.0 */
#include "kms/breaker.h"

void
breaker_init(struct breaker *breaker)
{
	pthread_mutex_init(&breaker->lock, NULL);
	breaker->state = BREAKER_CLOSED;
	breaker->failures = 0;
	breaker->probe_at_ms = 0;
}

void
breaker_destroy(struct breaker *breaker)
{
	pthread_mutex_destroy(&breaker->lock);
}

bool
breaker_admit(struct breaker *breaker, int64_t now_ms)
{
	bool admitted;

	pthread_mutex_lock(&breaker->lock);
	admitted = breaker->state == BREAKER_CLOSED;
	if (breaker->state == BREAKER_OPEN && now_ms >= breaker->probe_at_ms) {
		breaker->state = BREAKER_PROBING;
		admitted = true;
	}
	pthread_mutex_unlock(&breaker->lock);
	return admitted;
}

static void
trip(struct breaker *breaker, int64_t now_ms)
{
	breaker->state = BREAKER_OPEN;
	breaker->probe_at_ms = now_ms + BREAKER_OPEN_MS;
}

static bool
note_failure(struct breaker *breaker, bool at_once, int64_t now_ms)
{
	bool was_closed = breaker->state == BREAKER_CLOSED;

	if (breaker->failures < BREAKER_FAILURES)
		breaker->failures++;
	/* A straggler admitted before the breaker opened must not put the probe off. */
	if (breaker->state == BREAKER_OPEN)
		return false;
	if (was_closed && !at_once && breaker->failures < BREAKER_FAILURES)
		return false;
	trip(breaker, now_ms);
	return was_closed;
}

bool
breaker_report(struct breaker *breaker, enum breaker_outcome outcome, int64_t now_ms)
{
	bool changed = false;

	pthread_mutex_lock(&breaker->lock);
	switch (outcome) {
	case BREAKER_ANSWERED:
		changed = breaker->state != BREAKER_CLOSED;
		breaker->state = BREAKER_CLOSED;
		breaker->failures = 0;
		break;
	case BREAKER_FAILED:
	case BREAKER_TOO_LATE:
		changed = note_failure(breaker, outcome == BREAKER_TOO_LATE, now_ms);
		break;
	case BREAKER_UNASKED:
		/* The probe told nothing: the next call is the probe. */
		if (breaker->state == BREAKER_PROBING) {
			breaker->state = BREAKER_OPEN;
			breaker->probe_at_ms = now_ms;
		}
		break;
	}
	pthread_mutex_unlock(&breaker->lock);
	return changed;
}
