/* SPDX-License-Identifier: Apache-2.0 */
#include "base/file.h"

#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Opens the folder that path is in, so that what is checked is what is then read from. */
static int
open_folder(const char *path)
{
	char *copy = strdup(path);
	int folder;

	if (copy == NULL)
		return -1;
	folder = open(dirname(copy), O_PATH | O_DIRECTORY | O_CLOEXEC);
	free(copy);
	return folder;
}

static const char *
last_part(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash == NULL ? path : slash + 1;
}

char *
file_why(const char *path, const char *verb, int error)
{
	const char *remedy = "check the path and the disk";
	char reason[128];

	if (error == ELOOP)
		return text_format("%s is a symbolic link; name the file that it points to", path);
	if (error == ENOENT || error == ENOTDIR)
		remedy = "make it, or correct the path";
	else if (error == EISDIR)
		remedy = "name a file in it";
	else if (error == EACCES || error == EPERM)
		remedy = "let this user at it, or run as another user";
	return text_format("%s: can't be %s: %s; %s", path, verb,
	                   strerror_r(error, reason, sizeof reason), remedy);
}

/* NULL when the folder may be trusted with the file. */
static char *
distrust_folder(const char *path, int folder)
{
	struct stat status;

	if (fstat(folder, &status) != 0)
		return file_why(path, "read", errno);
	if ((status.st_mode & S_IWOTH) != 0 && (status.st_mode & S_ISVTX) == 0)
		return text_format("%s is in a folder that anybody may write to (mode %04o); "
		                   "run: chmod o-w on the folder",
		                   path, (unsigned)(status.st_mode & 07777));
	return NULL;
}

/* NULL when the file may be trusted. */
static char *
distrust_file(const char *path, int fd, enum file_trust trust)
{
	struct stat status;
	unsigned mode;

	if (fstat(fd, &status) != 0)
		return file_why(path, "read", errno);
	mode = (unsigned)(status.st_mode & 07777);
	if (!S_ISREG(status.st_mode))
		return text_format("%s is not a regular file; name a regular file", path);
	if (status.st_uid != 0 && status.st_uid != geteuid())
		return text_format("%s belongs to another user (uid %lu); run: chown %lu %s", path,
		                   (unsigned long)status.st_uid, (unsigned long)geteuid(), path);
	if ((mode & (S_IWGRP | S_IWOTH)) != 0)
		return text_format("%s is writable by others (mode %04o); run: chmod %04o %s", path,
		                   mode, trust == FILE_SECRET ? 0600U : 0644U, path);
	if (trust == FILE_SECRET && (mode & S_IROTH) != 0)
		return text_format("%s is readable by others (mode %04o); run: chmod 0600 %s", path,
		                   mode, path);
	return NULL;
}

/* Opens and checks. -1 on failure, with *ret_why. */
static int
open_trusted(const char *path, enum file_trust trust, char **ret_why)
{
	int folder = open_folder(path);
	int fd = -1;
	char *why = NULL;

	if (folder < 0) {
		*ret_why = file_why(path, "opened", errno);
		return -1;
	}
	why = distrust_folder(path, folder);
	if (why != NULL)
		goto out;
	/* O_NONBLOCK: a FIFO put in the file's place must not hang us. */
	fd = openat(folder, last_part(path), O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0) {
		why = file_why(path, "opened", errno);
		goto out;
	}
	why = distrust_file(path, fd, trust);

out:
	close(folder);
	if (fd >= 0 && why == NULL)
		return fd;
	if (fd >= 0)
		close(fd);
	*ret_why = why;
	return -1;
}

/* Reads up to size bytes or the end of the file. */
static bool
read_all(int fd, unsigned char *data, size_t size, size_t *ret_size)
{
	size_t filled = 0;
	ssize_t got;

	while (filled < size) {
		got = read(fd, data + filled, size - filled);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return false;
		if (got == 0)
			break;
		filled += (size_t)got;
	}
	*ret_size = filled;
	return true;
}

/* One byte of room past the limit shows a file that is too large. */
static bool
read_limited(const char *path, int fd, unsigned char *data, size_t limit, size_t *ret_size,
             char **ret_why)
{
	size_t size;

	if (!read_all(fd, data, limit + 1, &size)) {
		*ret_why = file_why(path, "read", errno);
		return false;
	}
	if (size > limit) {
		*ret_why = text_format("%s is larger than %zu bytes; name the right file", path,
		                       limit);
		return false;
	}
	*ret_size = size;
	return true;
}

bool
file_read(const char *path, enum file_trust trust, size_t limit, struct buffer *ret_content,
          char **ret_why)
{
	struct buffer content = BUFFER_INIT;
	size_t size = 0;
	bool done = false;
	int fd = open_trusted(path, trust, ret_why);

	if (fd < 0)
		return false;
	if (limit == SIZE_MAX || buffer_resize(&content, limit + 1) != CKR_OK) {
		*ret_why = text_format("%s: can't be read: out of memory", path);
		goto out;
	}
	if (!read_limited(path, fd, content.data, limit, &size, ret_why))
		goto out;
	/* Shrinking can't fail. */
	done = buffer_resize(&content, size) == CKR_OK;
	buffer_clear(ret_content);
	*ret_content = content;
	content = (struct buffer)BUFFER_INIT;

out:
	buffer_clear(&content);
	close(fd);
	return done;
}

bool
file_read_secret(const char *path, size_t limit, struct secret **ret_content, char **ret_why)
{
	struct secret *content = NULL;
	const unsigned char *data;
	size_t size = 0;
	bool done = false;
	int fd = open_trusted(path, FILE_SECRET, ret_why);

	if (fd < 0)
		return false;
	if (limit == SIZE_MAX || secret_new(limit + 1, &content) != CKR_OK) {
		*ret_why = text_format("%s: can't be read: out of memory", path);
		goto out;
	}
	if (!read_limited(path, fd, secret_data(content), limit, &size, ret_why))
		goto out;
	data = secret_bytes(content);
	if (size > 0 && data[size - 1] == '\n')
		size--;
	if (size > 0 && data[size - 1] == '\r')
		size--;
	secret_truncate(content, size);
	*ret_content = content;
	content = NULL;
	done = true;

out:
	secret_free(&content);
	close(fd);
	return done;
}

bool
file_write_all(int fd, const void *data, size_t size)
{
	const unsigned char *next = data;
	ssize_t put;

	while (size > 0) {
		put = write(fd, next, size);
		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0)
			return false;
		next += put;
		size -= (size_t)put;
	}
	return true;
}

/* A rename is only sure to outlive a power cut once the folder is on the disk too. */
static bool
sync_folder(const char *path)
{
	char *copy = strdup(path);
	int folder;
	bool done;

	if (copy == NULL)
		return false;
	folder = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	free(copy);
	if (folder < 0)
		return false;
	done = fsync(folder) == 0;
	close(folder);
	return done;
}

bool
file_replace(const char *path, const void *data, size_t size, unsigned mode,
             const struct stat *owner, int *ret_error)
{
	char *temporary = text_format("%s.XXXXXX", path);
	int fd = -1;
	bool made = false;
	bool done = false;
	int error;

	errno = ENOMEM;
	if (temporary == NULL)
		goto out;
	fd = mkostemp(temporary, O_CLOEXEC);
	if (fd < 0)
		goto out;
	made = true;
	if (owner != NULL && (owner->st_uid != geteuid() || owner->st_gid != getegid()) &&
	    fchown(fd, owner->st_uid, owner->st_gid) != 0)
		goto out;
	if (!file_write_all(fd, data, size) || fchmod(fd, (mode_t)mode) != 0 || fsync(fd) != 0)
		goto out;
	if (rename(temporary, path) != 0)
		goto out;
	made = false;
	done = sync_folder(path);

out:
	error = errno;
	if (fd >= 0)
		close(fd);
	if (made)
		(void)unlink(temporary);
	free(temporary);
	if (!done)
		*ret_error = error;
	return done;
}

bool
file_write(const char *path, const void *data, size_t size, unsigned mode, char **ret_why)
{
	int error = 0;

	if (file_replace(path, data, size, mode, NULL, &error))
		return true;
	*ret_why = file_why(path, "written", error);
	return false;
}

struct file_edition
file_edition(const char *path)
{
	struct file_edition edition;
	struct stat status;

	memset(&edition, 0, sizeof edition);
	if (path == NULL || lstat(path, &status) != 0)
		return edition;
	edition.device = status.st_dev;
	edition.inode = status.st_ino;
	edition.size = status.st_size;
	edition.modified = status.st_mtim;
	return edition;
}

bool
file_edition_equal(const struct file_edition *a, const struct file_edition *b)
{
	return a->device == b->device && a->inode == b->inode && a->size == b->size &&
	       a->modified.tv_sec == b->modified.tv_sec &&
	       a->modified.tv_nsec == b->modified.tv_nsec;
}
