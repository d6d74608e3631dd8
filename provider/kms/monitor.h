/* SPDX-License-Identifier: Apache-2.0 */
/* A lock and the condition that goes with it; waits end at a deadline. */
#ifndef P11_KMS_KMS_MONITOR_H
#define P11_KMS_KMS_MONITOR_H

#include "base/clock.h"
#include "base/compiler.h"

#include <pthread.h>
#include <stdbool.h>

struct monitor {
	pthread_mutex_t lock;
	pthread_cond_t changed;
};

/* Also for a forked child, where the lock may be held by a thread that is not there. */
void monitor_init(struct monitor *monitor);
void monitor_destroy(struct monitor *monitor);

void monitor_lock(struct monitor *monitor);
void monitor_unlock(struct monitor *monitor);
/* The lock is held before and after. False when the deadline has passed. */
MUST_USE bool monitor_wait(struct monitor *monitor, struct deadline deadline);
/* Wakes all who wait. */
void monitor_announce(struct monitor *monitor);

#endif
