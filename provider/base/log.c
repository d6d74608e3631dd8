/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"

#include "base/text.h"

#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#define LINE_MAX_BYTES 1000
#define ELLIPSIS "\xe2\x80\xa6"

static const struct {
	const char *name;
	int priority;
} levels[] = {
	[LOG_LEVEL_ERROR] = { "error", LOG_ERR },
	[LOG_LEVEL_WARNING] = { "warning", LOG_WARNING },
	[LOG_LEVEL_INFO] = { "info", LOG_INFO },
	[LOG_LEVEL_DEBUG] = { "debug", LOG_DEBUG },
};

#define LEVEL_COUNT (sizeof levels / sizeof *levels)

static atomic_int current_level = LOG_LEVEL_WARNING;
static atomic_bool current_to_syslog;

bool
log_level_parse(const char *text, enum log_level *ret_level)
{
	for (size_t i = 0; i < LEVEL_COUNT; i++) {
		if (strcmp(text, levels[i].name) != 0)
			continue;
		*ret_level = (enum log_level)i;
		return true;
	}
	return false;
}

void
log_configure(enum log_level level, bool to_syslog)
{
	const char *wish = secure_getenv("P11_KMS_LOG");
	enum log_level wished;

	if (wish != NULL && log_level_parse(wish, &wished))
		level = wished;
	atomic_store_explicit(&current_level, (int)level, memory_order_relaxed);
	atomic_store_explicit(&current_to_syslog, to_syslog, memory_order_relaxed);
}

bool
log_wants(enum log_level level)
{
	return (int)level <= atomic_load_explicit(&current_level, memory_order_relaxed);
}

/*
 * Appends text to a line of LINE_MAX_BYTES + 1 bytes: what is not a printable character
 * becomes \xNN, what does not fit becomes an ellipsis. Neither is cut in the middle.
 */
static size_t
escape(char *line, size_t length, const char *text, size_t size)
{
	const size_t limit = LINE_MAX_BYTES - strlen(ELLIPSIS);

	while (size > 0) {
		char escaped[5];
		const char *piece = text;
		size_t taken = text_character(text, size);
		size_t piece_size = taken;

		if (taken == 0) {
			taken = 1;
			piece_size = 4;
			piece = escaped;
			snprintf(escaped, sizeof escaped, "\\x%02x", (unsigned char)*text);
		}
		if (length + piece_size > limit) {
			piece = ELLIPSIS;
			piece_size = strlen(ELLIPSIS);
			taken = size;
		}
		memcpy(line + length, piece, piece_size);
		length += piece_size;
		text += taken;
		size -= taken;
	}
	line[length] = '\0';
	return length;
}

static void
write_line(enum log_level level, const char *format, va_list arguments) PRINTF_LIKE(2, 0);

static void
write_line(enum log_level level, const char *format, va_list arguments)
{
	char text[LINE_MAX_BYTES + 1];
	char line[LINE_MAX_BYTES + 2];
	int saved = errno;
	int size;
	size_t length;

	if (!log_wants(level))
		return;
	/* One byte past what a line holds is enough to know that it must be cut. */
	size = vsnprintf(text, sizeof text, format, arguments);
	if (size < 0)
		goto out;
	if ((size_t)size >= sizeof text)
		size = sizeof text - 1;
	length = (size_t)snprintf(line, sizeof line, "p11-kms: %s: ", levels[level].name);
	length = escape(line, length, text, (size_t)size);
	if (atomic_load_explicit(&current_to_syslog, memory_order_relaxed)) {
		syslog(LOG_USER | levels[level].priority, "%s", line);
		goto out;
	}
	line[length++] = '\n';
	/* One write, so that lines of several threads and processes stay whole. */
	if (write(STDERR_FILENO, line, length) < 0)
		goto out; /* nobody to tell */
out:
	errno = saved;
}

#define WRITE_LINE(level, format)                        \
	do {                                             \
		va_list arguments;                       \
		va_start(arguments, format);             \
		write_line(level, format, arguments);    \
		va_end(arguments);                       \
	} while (0)

void
log_error(const char *format, ...)
{
	WRITE_LINE(LOG_LEVEL_ERROR, format);
}

void
log_warning(const char *format, ...)
{
	WRITE_LINE(LOG_LEVEL_WARNING, format);
}

void
log_info(const char *format, ...)
{
	WRITE_LINE(LOG_LEVEL_INFO, format);
}

void
log_debug(const char *format, ...)
{
	WRITE_LINE(LOG_LEVEL_DEBUG, format);
}
