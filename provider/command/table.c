/* SPDX-License-Identifier: Apache-2.0 */
#include "command/table.h"

#include "base/text.h"
#include "command/output.h"

#include <langinfo.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <wchar.h>

#define FIRST_LEAST 8 /* columns that the first one keeps, however narrow the terminal */

struct table {
	const char *const *headings; /* borrowed */
	char *(*rows)[TABLE_COLUMNS]; /* owned */
	size_t count;
	size_t widths[TABLE_COLUMNS];
};

/* Of one character (UTF-8, whatever the locale can tell of it); 4 for an escaped byte. */
static size_t
character_columns(const char *text, size_t size, size_t *ret_size)
{
	mbstate_t state = { 0 };
	wchar_t character;
	int columns;

	*ret_size = text_character(text, size);
	if (*ret_size == 0) {
		*ret_size = 1;
		return strlen("\\x00");
	}
	if (mbrtowc(&character, text, *ret_size, &state) != *ret_size)
		return 1;
	columns = wcwidth(character);
	return columns < 0 ? 1 : (size_t)columns;
}

size_t
text_columns(const char *text)
{
	size_t left = strlen(text), columns = 0, size;

	for (; left > 0; text += size, left -= size)
		columns += character_columns(text, left, &size);
	return columns;
}

char *
text_cut(const char *text, size_t width)
{
	const char *ellipsis = strcmp(nl_langinfo(CODESET), "UTF-8") == 0 ? "\xe2\x80\xa6" : "~";
	size_t left = strlen(text), columns = 0, at = 0, size;

	if (text_columns(text) <= width)
		return strdup(text);
	while (at < left) {
		size_t more = character_columns(text + at, left - at, &size);

		if (columns + more > width - 1)
			break;
		columns += more;
		at += size;
	}
	return text_format("%.*s%s", (int)at, text, ellipsis);
}

size_t
terminal_width(void)
{
	struct winsize size;

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col < 80)
		return 80;
	return size.ws_col;
}

struct table *
table_new(const char *const *headings)
{
	struct table *table = calloc(1, sizeof *table);

	if (table == NULL)
		return NULL;
	table->headings = headings;
	for (size_t i = 0; i < TABLE_COLUMNS; i++)
		table->widths[i] = text_columns(headings[i]);
	return table;
}

static void
row_clear(char **row)
{
	for (size_t i = 0; i < TABLE_COLUMNS; i++)
		free(row[i]);
}

void
table_free(struct table **table)
{
	if (*table == NULL)
		return;
	for (size_t i = 0; i < (*table)->count; i++)
		row_clear((*table)->rows[i]);
	free((*table)->rows);
	free(*table);
	*table = NULL;
}

bool
table_add(struct table *table, const char *const *cells)
{
	char *row[TABLE_COLUMNS] = { NULL };

	/* Doubled when it is full, which it is at each power of two. */
	if ((table->count & (table->count - 1)) == 0) {
		size_t room = table->count == 0 ? 1 : 2 * table->count;
		void *rows = realloc(table->rows, room * sizeof *table->rows);

		if (rows == NULL)
			return false;
		table->rows = rows;
	}
	for (size_t i = 0; i < TABLE_COLUMNS; i++) {
		size_t columns = text_columns(cells[i]);

		row[i] = strdup(cells[i]);
		if (row[i] == NULL) {
			row_clear(row);
			return false;
		}
		if (columns > table->widths[i])
			table->widths[i] = columns;
	}
	memcpy(table->rows[table->count++], row, sizeof row);
	return true;
}

/* Padded by columns, not bytes; the last cell is not. */
static void
print_row(const struct table *table, const char *const *cells, size_t first, const char *gap)
{
	char line[1024];
	size_t length = 0;
	char *name = text_cut(cells[0], first);

	for (size_t i = 0; i < TABLE_COLUMNS && length < sizeof line; i++) {
		const char *cell = i == 0 && name != NULL ? name : cells[i];
		size_t width = i == 0 ? first : table->widths[i], columns = text_columns(cell);
		int padding = i + 1 < TABLE_COLUMNS && columns < width ? (int)(width - columns) : 0;

		length += (size_t)snprintf(line + length, sizeof line - length, "%s%s%*s",
		                           i == 0 ? "" : gap, cell, padding, "");
	}
	free(name);
	say("%s", line);
}

void
table_print(const struct table *table, size_t width)
{
	size_t others = 0, first;
	const char *gap = "  ";

	for (size_t i = 1; i < TABLE_COLUMNS; i++)
		others += table->widths[i];
	if (table->widths[0] + others + (TABLE_COLUMNS - 1) * strlen(gap) > width)
		gap = " ";
	others += (TABLE_COLUMNS - 1) * strlen(gap);
	first = others + FIRST_LEAST < width ? width - others : FIRST_LEAST;
	if (first > table->widths[0])
		first = table->widths[0];
	print_row(table, table->headings, first, gap);
	for (size_t i = 0; i < table->count; i++)
		print_row(table, (const char *const *)table->rows[i], first, gap);
}
