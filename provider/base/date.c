/* SPDX-License-Identifier: Apache-2.0 */
#include "base/date.h"

#include <string.h>
#include <time.h>

void
date_from_time(int64_t seconds, CK_DATE *ret_date)
{
	time_t moment = (time_t)seconds;
	struct tm parts;
	char text[16];

	memset(ret_date, '0', sizeof *ret_date);
	if (gmtime_r(&moment, &parts) == NULL || strftime(text, sizeof text, "%Y%m%d", &parts) != 8)
		return;
	memcpy(ret_date, text, sizeof *ret_date);
}

bool
date_to_time(const CK_DATE *date, int64_t *ret_seconds)
{
	char text[sizeof *date + 1] = { 0 };
	struct tm parts = { 0 }, normal;
	const char *end;
	time_t moment;

	memcpy(text, date, sizeof *date);
	if (strspn(text, "0123456789") != sizeof *date)
		return false;
	end = strptime(text, "%Y%m%d", &parts);
	if (end == NULL || *end != '\0')
		return false;
	normal = parts;
	moment = timegm(&normal);
	/* strptime accepts the 31st of every month; timegm then moves on to the next one. */
	if (normal.tm_mday != parts.tm_mday || normal.tm_mon != parts.tm_mon)
		return false;
	*ret_seconds = (int64_t)moment;
	return true;
}
