/* SPDX-License-Identifier: Apache-2.0 */
/* A table for people: columns as wide as their widest cell, one of them cut so that a line fits. */
#ifndef P11_KMS_COMMAND_TABLE_H
#define P11_KMS_COMMAND_TABLE_H

#include "base/compiler.h"

#include <stdbool.h>
#include <stddef.h>

#define TABLE_COLUMNS 7

struct table; /* opaque */

/* headings: TABLE_COLUMNS static texts. The first column is the one that is cut. NULL: out of memory. */
struct table *table_new(const char *const *headings);
void table_free(struct table **table);
/* Copies the cells. False: out of memory. */
MUST_USE bool table_add(struct table *table, const char *const *cells);
/* Prints it, width columns of the terminal wide. */
void table_print(const struct table *table, size_t width);

/* Columns of stdout's terminal, at least 80; 80 when it is none. */
size_t terminal_width(void);
/* How many columns text takes on a terminal. */
size_t text_columns(const char *text);
/* At most width columns of text; what is cut ends in an ellipsis. Caller frees. NULL: out of memory. */
char *text_cut(const char *text, size_t width);

#endif
