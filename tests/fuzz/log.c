/* SPDX-License-Identifier: Apache-2.0 */
/* The log, formatted and dropped. */
#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>

static void
drop(const char *format, va_list arguments)
{
	char line[1024];

	vsnprintf(line, sizeof line, format, arguments);
}

#define DROPPED(name) \
	void name(const char *format, ...) \
	{ \
		va_list arguments; \
		va_start(arguments, format); \
		drop(format, arguments); \
		va_end(arguments); \
	}

DROPPED(log_error)
DROPPED(log_warning)
DROPPED(log_info)
DROPPED(log_debug)
