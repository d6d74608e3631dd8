/* SPDX-License-Identifier: Apache-2.0 */
#include "kms/monitor.h"

#include <errno.h>
#include <time.h>

void
monitor_init(struct monitor *monitor)
{
	pthread_condattr_t attributes;

	pthread_mutex_init(&monitor->lock, NULL);
	pthread_condattr_init(&attributes);
	/* The clock of struct deadline: the wall clock may jump. */
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&monitor->changed, &attributes);
	pthread_condattr_destroy(&attributes);
}

void
monitor_destroy(struct monitor *monitor)
{
	pthread_cond_destroy(&monitor->changed);
	pthread_mutex_destroy(&monitor->lock);
}

void
monitor_lock(struct monitor *monitor)
{
	pthread_mutex_lock(&monitor->lock);
}

void
monitor_unlock(struct monitor *monitor)
{
	pthread_mutex_unlock(&monitor->lock);
}

bool
monitor_wait(struct monitor *monitor, struct deadline deadline)
{
	struct timespec until;

	if (deadline_passed(deadline))
		return false;
	until.tv_sec = (time_t)(deadline.at_ms / 1000);
	until.tv_nsec = (long)(deadline.at_ms % 1000) * 1000000;
	return pthread_cond_timedwait(&monitor->changed, &monitor->lock, &until) != ETIMEDOUT;
}

void
monitor_announce(struct monitor *monitor)
{
	pthread_cond_broadcast(&monitor->changed);
}
