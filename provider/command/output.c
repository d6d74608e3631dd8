/* SPDX-License-Identifier: Apache-2.0 */
#include "command/output.h"

#include "base/buffer.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/text.h"
#include "command/destination.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LINE 79 /* columns; the last of 80 stays free */
#define PREFIX "p11-kms: "

static void
write_escaped(FILE *stream, const char *text)
{
	size_t size = strlen(text);

	while (size > 0) {
		size_t taken = text_character(text, size);

		if (taken != 0) {
			fwrite(text, 1, taken, stream);
		} else {
			taken = 1;
			fprintf(stream, "\\x%02x", (unsigned char)*text);
		}
		text += taken;
		size -= taken;
	}
}

static void write_line(FILE *stream, const char *prefix, const char *format, va_list arguments)
        PRINTF_LIKE(3, 0);

static void
write_line(FILE *stream, const char *prefix, const char *format, va_list arguments)
{
	char *text;

	fputs(prefix, stream);
	if (vasprintf(&text, format, arguments) < 0) {
		fputs("out of memory", stream);
	} else {
		write_escaped(stream, text);
		free(text);
	}
	fputc('\n', stream);
}

void
say(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	write_line(stdout, "", format, arguments);
	va_end(arguments);
}

/* How much of text goes into a line of so many bytes: all, or up to a blank. A long word is not cut. */
static size_t
fold_length(const char *text, size_t room)
{
	size_t size = strlen(text), at = room;

	if (size <= room)
		return size;
	while (at > 0 && text[at] != ' ')
		at--;
	return at > 0 ? at : strcspn(text, " ");
}

static void
put_folded(FILE *stream, const char *left, size_t indent, size_t width, const char *text)
{
	size_t room = width > indent + 20 ? width - indent : 20;
	size_t begin = strlen(left) > indent ? strlen(left) : indent;
	size_t size = fold_length(text, width > begin + 20 ? width - begin : 20);

	fprintf(stream, "%-*s", (int)indent, left);
	for (;;) {
		char *line = strndup(text, size);

		write_escaped(stream, line != NULL ? line : "(out of memory)");
		fputc('\n', stream);
		free(line);
		text += size;
		text += strspn(text, " ");
		if (*text == '\0')
			return;
		fprintf(stream, "%*s", (int)indent, "");
		size = fold_length(text, room);
	}
}

void
say_folded(const char *left, size_t indent, const char *text)
{
	put_folded(stdout, left, indent, LINE, text);
}

void
complain(const char *format, ...)
{
	va_list arguments;
	char *text;

	va_start(arguments, format);
	if (!isatty(STDERR_FILENO)) {
		write_line(stderr, PREFIX, format, arguments);
	} else if (vasprintf(&text, format, arguments) < 0) {
		fputs(PREFIX "out of memory\n", stderr);
	} else {
		put_folded(stderr, PREFIX, 2, LINE, text);
		free(text);
	}
	va_end(arguments);
}

void
remark(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	write_line(stderr, "", format, arguments);
	va_end(arguments);
}

static bool
put_json(FILE *stream, json_t *value)
{
	bool done = value != NULL &&
	            json_dumpf(value, stream, JSON_INDENT(2) | JSON_PRESERVE_ORDER | JSON_ENCODE_ANY) == 0;

	json_decref(value);
	if (!done) {
		complain("out of memory");
		return false;
	}
	fputc('\n', stream);
	return true;
}

bool
say_json(json_t *value)
{
	return put_json(stdout, value);
}

bool
remark_json(json_t *value)
{
	return put_json(stderr, value);
}

json_t *
json_text(const char *text)
{
	json_t *value;
	char *hex;

	if (text == NULL)
		return json_null();
	if (text_printable(text, strlen(text)))
		return json_string(text);
	hex = hex_dup(text, strlen(text));
	value = hex == NULL ? NULL : json_sprintf("\\x%s", hex);
	free(hex);
	return value;
}

json_t *
json_time(int64_t seconds)
{
	char text[CLOCK_RFC3339_SIZE];

	if (seconds == 0)
		return json_null();
	clock_format(seconds, text);
	return json_string(text);
}

json_t *
json_hex(const void *data, size_t size)
{
	char *hex = hex_dup(data, size);
	json_t *value = hex == NULL ? NULL : json_string(hex);

	free(hex);
	return value;
}

const char *
plural(int64_t count, const char *one, const char *many)
{
	return count == 1 ? one : many;
}

void
format_date(int64_t seconds, char *out)
{
	char text[CLOCK_RFC3339_SIZE];

	if (seconds == 0) {
		strcpy(out, "-");
		return;
	}
	clock_format(seconds, text);
	memcpy(out, text, 10);
	out[10] = '\0';
}

bool
text_displayable(const void *data, size_t size)
{
	const char *text = data;

	while (size > 0) {
		size_t taken = *text == '\n' || *text == '\t' ? 1 : text_character(text, size);

		if (taken == 0)
			return false;
		text += taken;
		size -= taken;
	}
	return true;
}

/* Not through stdio: what is written may be secret, and its buffers are not wiped. */
static bool
write_stdout(const unsigned char *data, size_t size)
{
	if (fflush(stdout) == 0 && file_write_all(STDOUT_FILENO, data, size))
		return true;
	complain("could not write the output: %s", strerror(errno));
	return false;
}

bool
write_bytes(const char *path, const void *data, size_t size, unsigned mode)
{
	char *why = NULL;

	if (path != NULL && strcmp(path, "-") != 0) {
		if (destination_write(path, data, size, mode, &why))
			return true;
		complain("%s", why != NULL ? why : "out of memory");
		free(why);
		return false;
	}
	if (isatty(STDOUT_FILENO) && !text_displayable(data, size)) {
		complain("this is not text: write it to a file with --out FILE, or redirect it");
		return false;
	}
	return write_stdout(data, size);
}

bool
output_end(void)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return true;
	complain("could not write all of the output: %s", strerror(errno));
	return false;
}
