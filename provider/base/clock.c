/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/* 9999-12-31T23:59:59Z: the last moment that RFC 3339 can write. */
#define LAST_SECOND INT64_C(253402300799)

#define SECOND_MS INT64_C(1000)
#define MINUTE_MS (60 * SECOND_MS)
#define HOUR_MS (60 * MINUTE_MS)
#define DAY_MS (24 * HOUR_MS)
#define WEEK_MS (7 * DAY_MS)
#define YEAR_MS (365 * DAY_MS)
#define LONGEST_MS (100 * YEAR_MS)

static const struct {
	const char *name;
	int64_t milliseconds;
} units[] = {
	{ "ms", 1 },      { "s", SECOND_MS }, { "m", MINUTE_MS }, { "h", HOUR_MS },
	{ "d", DAY_MS }, { "w", WEEK_MS },   { "y", YEAR_MS },
};

#define UNIT_COUNT (sizeof units / sizeof *units)

static int64_t
read_ms(clockid_t id)
{
	struct timespec now = { 0, 0 };

	(void)clock_gettime(id, &now); /* can't fail for the clocks used here */
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int64_t
clock_now(void)
{
	struct timespec now = { 0, 0 };

	(void)clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec;
}

int64_t
clock_monotonic_ms(void)
{
	return read_ms(CLOCK_MONOTONIC);
}

int64_t
clock_coarse_ms(void)
{
	return read_ms(CLOCK_MONOTONIC_COARSE);
}

struct deadline
deadline_in(int64_t milliseconds)
{
	struct deadline deadline = { clock_monotonic_ms() };

	if (milliseconds > INT64_MAX - deadline.at_ms)
		deadline.at_ms = INT64_MAX;
	else
		deadline.at_ms += milliseconds;
	return deadline;
}

bool
deadline_passed(struct deadline deadline)
{
	return clock_monotonic_ms() >= deadline.at_ms;
}

int64_t
deadline_left_ms(struct deadline deadline)
{
	int64_t now = clock_monotonic_ms();

	return now < deadline.at_ms ? deadline.at_ms - now : 0;
}

void
clock_format(int64_t seconds, char *out)
{
	struct tm broken;
	time_t at;

	if (seconds < 0)
		seconds = 0;
	if (seconds > LAST_SECOND)
		seconds = LAST_SECOND;
	at = (time_t)seconds;
	out[0] = '\0';
	if (gmtime_r(&at, &broken) != NULL)
		(void)strftime(out, CLOCK_RFC3339_SIZE, "%Y-%m-%dT%H:%M:%SZ", &broken);
}

bool
clock_parse(const char *text, int64_t *ret_seconds)
{
	char canonical[CLOCK_RFC3339_SIZE];
	struct tm broken;
	int64_t seconds;
	const char *end;

	memset(&broken, 0, sizeof broken);
	end = strptime(text, "%Y-%m-%dT%H:%M:%SZ", &broken);
	if (end == NULL || *end != '\0')
		return false;
	seconds = (int64_t)timegm(&broken);
	/* strptime takes white space, missing zeros and a 31st of February; nothing else
	 * than the canonical form survives the way back. */
	clock_format(seconds, canonical);
	if (strcmp(text, canonical) != 0)
		return false;
	*ret_seconds = seconds;
	return true;
}

bool
duration_parse_ms(const char *text, int64_t *ret_milliseconds)
{
	int64_t number = 0;
	const char *at = text;

	if (strcmp(text, "never") == 0) {
		*ret_milliseconds = 0;
		return true;
	}
	for (; *at >= '0' && *at <= '9'; at++) {
		number = number * 10 + (*at - '0');
		if (number > LONGEST_MS)
			return false;
	}
	if (at == text)
		return false;
	for (size_t i = 0; i < UNIT_COUNT; i++) {
		if (strcmp(at, units[i].name) != 0)
			continue;
		if (number > LONGEST_MS / units[i].milliseconds)
			return false;
		*ret_milliseconds = number * units[i].milliseconds;
		return true;
	}
	return false;
}

bool
duration_parse(const char *text, int64_t *ret_seconds)
{
	int64_t milliseconds;

	if (!duration_parse_ms(text, &milliseconds) || milliseconds % SECOND_MS != 0)
		return false;
	*ret_seconds = milliseconds / SECOND_MS;
	return true;
}

void
duration_format(int64_t seconds, char *out, size_t size)
{
	size_t shortest = 0;

	if (seconds == 0) {
		snprintf(out, size, "never");
		return;
	}
	/* A larger unit is only taken where it saves a digit: 7d, not 1w; 2w, not 14d. */
	for (size_t i = 1; i < UNIT_COUNT; i++) {
		char text[32];
		int64_t unit = units[i].milliseconds / SECOND_MS;

		if (seconds % unit != 0)
			continue;
		snprintf(text, sizeof text, "%" PRId64 "%s", seconds / unit, units[i].name);
		if (shortest != 0 && strlen(text) >= shortest)
			continue;
		shortest = strlen(text);
		snprintf(out, size, "%s", text);
	}
}
