/* SPDX-License-Identifier: Apache-2.0 */
/* Files that must be trustworthy: configuration, PIN, pinned authority. */
#ifndef P11_KMS_BASE_FILE_H
#define P11_KMS_BASE_FILE_H

#include "base/buffer.h"
#include "base/compiler.h"
#include "base/secret.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

enum file_trust {
	FILE_PUBLIC, /* owned by root or the user, not a link, not writable by group or others */
	FILE_SECRET, /* and not readable by others */
};

/*
 * Reads a whole file of at most limit bytes, opened with O_NOFOLLOW and checked after it
 * is open. On failure *ret_why (caller frees) names the file, the reason and the remedy.
 */
MUST_USE bool file_read(const char *path, enum file_trust trust, size_t limit,
                        struct buffer *ret_content, char **ret_why);
/* The same into a secret, without the line end that editors leave. */
MUST_USE bool file_read_secret(const char *path, size_t limit, struct secret **ret_content,
                               char **ret_why);
/* Writes through a temporary file in the same folder, fsync, rename; mode as given. */
MUST_USE bool file_write(const char *path, const void *data, size_t size, unsigned mode,
                         char **ret_why);
/* The same; the new file belongs to whom owner (NULL: this user) says. *ret_error is an errno. */
MUST_USE bool file_replace(const char *path, const void *data, size_t size, unsigned mode,
                           const struct stat *owner, int *ret_error);
/* All of it, however the kernel parts it; else false, with errno. */
MUST_USE bool file_write_all(int fd, const void *data, size_t size);

/* What tells one content of a file from the next without reading it. */
struct file_edition {
	dev_t device;
	ino_t inode;
	off_t size;
	struct timespec modified;
};

/* All zero when there is no such file, or path is NULL. A link is one itself: none is read. */
struct file_edition file_edition(const char *path);
bool file_edition_equal(const struct file_edition *a, const struct file_edition *b);

/* "PATH: can't be VERBed: reason; remedy". Caller frees; NULL: out of memory. */
char *file_why(const char *path, const char *verb, int error);

#endif
