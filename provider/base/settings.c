/* SPDX-License-Identifier: Apache-2.0 */
/*
 * inih parses; the lines are handed to it one by one, so that we know which line a setting
 * is in (INI_HANDLER_LINENO is a choice of whoever built inih, and off in Debian).
 *
 * inih cuts lines at a length that it was built with (200 bytes as a rule), which is less
 * than a PKCS#11 URI can have. It also joins indented lines to the setting before them, so a
 * long line is handed out as a first piece and indented further pieces of the same line.
 */
#include "base/settings.h"

#include "base/text.h"

#include <ini.h>
#include <openssl/crypto.h>

#include <stdlib.h>
#include <string.h>

struct reader {
	const char *at, *end; /* what is left of the content */
	unsigned line;        /* the current line, from 1 */
	unsigned section_line;
	char rest[SETTINGS_LINE_MAX + 1]; /* pieces of the current line not handed out yet */
	char *piece;                      /* in rest; NULL: none */
	bool section_empty; /* the current section has no setting yet */
	bool unanswered;    /* the current line should give a setting and has not */

	/* The setting of the current line, which may come in pieces. */
	char section[64], key[64];
	char value[SETTINGS_LINE_MAX + 1];
	bool have;

	settings_take take;
	void *context;
	char *why; /* owned: the end */
	bool failed;
};

static bool
fail(struct reader *reader, unsigned line, const char *what)
{
	if (reader->failed)
		return false;
	reader->failed = true;
	reader->why = text_format("%u: %s", line, what);
	return false;
}

/* Gives the finished line's setting to the caller. */
static bool
finish_line(struct reader *reader)
{
	struct setting setting = { reader->section, reader->section_line, reader->key,
		                   reader->value, reader->line };
	char *why = NULL;

	if (reader->failed)
		return false;
	if (reader->unanswered)
		return fail(reader, reader->line,
		            "is not a setting; write KEY = VALUE, or # before a comment");
	if (!reader->have)
		return true;
	reader->have = false;
	if (reader->take(reader->context, &setting, &why))
		return true;
	fail(reader, reader->line, why == NULL ? "out of memory" : why);
	free(why);
	return false;
}

/* inih ignores what follows a section's name, and calls nobody for an empty section. */
static bool
start_section(struct reader *reader, const char *text)
{
	const char *close = strchr(text, ']');
	const char *after = close == NULL ? "" : close + 1 + strspn(close + 1, " \t");

	if (close == NULL || (*after != '\0' && *after != ';' && *after != '#'))
		return fail(reader, reader->line, "is not a section; write [token NAME]");
	if (reader->section_line != 0 && reader->section_empty)
		return fail(reader, reader->section_line,
		            "section is empty; add its settings, or remove it");
	reader->section_line = reader->line;
	reader->section_empty = true;
	return true;
}

/* Takes the next line of the content into rest, without white space around it. */
static bool
next_line(struct reader *reader)
{
	const char *start = reader->at;
	const char *end = memchr(start, '\n', (size_t)(reader->end - start));
	size_t size;

	reader->at = end == NULL ? reader->end : end + 1;
	reader->line++;
	if (end == NULL)
		end = reader->end;
	if (end > start && end[-1] == '\r')
		end--;
	for (const char *byte = start; byte < end; byte++)
		if (((unsigned char)*byte < 0x20 && *byte != '\t') || *byte == 0x7f)
			return fail(reader, reader->line, "has a control character; remove it");
	while (start < end && (*start == ' ' || *start == '\t'))
		start++;
	while (end > start && (end[-1] == ' ' || end[-1] == '\t'))
		end--;
	size = (size_t)(end - start);
	/* Comments are left out here: a piece of a long one would look like a setting. */
	if (size > 0 && (*start == '#' || *start == ';'))
		size = 0;
	if (size > SETTINGS_LINE_MAX)
		return fail(reader, reader->line, "is too long; shorten it to 2000 bytes");
	memcpy(reader->rest, start, size);
	reader->rest[size] = '\0';
	reader->piece = reader->rest;
	if (size > 0 && *start == '[')
		return start_section(reader, reader->rest);
	reader->unanswered = size > 0;
	return true;
}

static bool
is_space(char byte)
{
	return byte == ' ' || byte == '\t';
}

/*
 * How much of text to hand out at once: all, or at most room bytes, cut so that the next
 * piece neither loses white space nor begins like a comment. 0: it can't be cut.
 */
static size_t
piece_size(const char *text, size_t room)
{
	size_t size = strlen(text);

	if (size <= room)
		return size;
	for (size = room; size > 0; size--)
		if (!is_space(text[size - 1]) && !is_space(text[size]) && text[size] != ';' &&
		    text[size] != '#' && text[size] != '[')
			break;
	return size;
}

/* A comment after the setting would go on in the next piece, unseen. */
static bool
has_comment(const char *text)
{
	for (const char *at = strchr(text, ';'); at != NULL; at = strchr(at + 1, ';'))
		if (at > text && is_space(at[-1]))
			return true;
	return false;
}

/* An ini_reader: the next line, or the next piece of it, of less than room bytes. */
static char *
read_line(char *line, int room, void *context)
{
	struct reader *reader = context;
	bool further = reader->piece != NULL;
	size_t size;

	if (!further) {
		if (!finish_line(reader) || reader->at == reader->end || !next_line(reader))
			return NULL;
	}
	/* Room for a tabulator, the line end and the final NUL. */
	size = room > 16 ? piece_size(reader->piece, (size_t)room - 3) : 0;
	if (reader->piece[size] != '\0' &&
	    (memchr(reader->rest, '=', size) == NULL || has_comment(reader->rest))) {
		fail(reader, reader->line, "is too long; shorten it, or move its comment");
		return NULL;
	}
	line[0] = '\t';
	memcpy(line + further, reader->piece, size);
	line[further + size] = '\n';
	line[further + size + 1] = '\0';
	reader->piece = reader->piece[size] == '\0' ? NULL : reader->piece + size;
	return line;
}

/* An ini_handler. */
static int
handle(void *context, const char *section, const char *key, const char *value)
{
	struct reader *reader = context;
	size_t length = reader->have ? strlen(reader->value) : 0;

	if (reader->failed)
		return 0;
	/* Only a further piece of the same line may answer again. */
	if (reader->have ? strcmp(key, reader->key) != 0 : !reader->unanswered)
		return fail(reader, reader->line, "is not a setting; write KEY = VALUE");
	if (value == NULL || strlen(section) >= sizeof reader->section ||
	    strlen(key) >= sizeof reader->key || strlen(value) >= sizeof reader->value - length)
		return fail(reader, reader->line, "is too long; shorten it");
	strcpy(reader->section, section);
	strcpy(reader->key, key);
	strcpy(reader->value + length, value);
	reader->have = true;
	reader->unanswered = false;
	reader->section_empty = false;
	return 1;
}

bool
settings_read(const char *content, size_t size, settings_take take, void *context, char **ret_why)
{
	static const char mark[] = "\xef\xbb\xbf";
	struct reader *reader = calloc(1, sizeof *reader);
	bool done;

	if (reader == NULL) {
		*ret_why = NULL;
		return false;
	}
	reader->at = size == 0 ? "" : content;
	reader->end = reader->at + size;
	reader->take = take;
	reader->context = context;
	if (size >= strlen(mark) && memcmp(content, mark, strlen(mark)) == 0)
		reader->at += strlen(mark);

	if (ini_parse_stream(read_line, reader, handle, reader) != 0)
		fail(reader, reader->line, "is not understood; write KEY = VALUE");
	if (!reader->failed && reader->section_line != 0 && reader->section_empty)
		fail(reader, reader->section_line, "section is empty; add its settings, or remove it");

	done = !reader->failed;
	if (!done)
		*ret_why = reader->why;
	/* Somebody may have written a PIN into the file, to be refused. */
	OPENSSL_cleanse(reader, sizeof *reader);
	free(reader);
	return done;
}
