/* SPDX-License-Identifier: Apache-2.0 */
#include "command/destination.h"

#include "base/file.h"
#include "base/text.h"
#include "command/output.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define OTHERS 077U

static unsigned
under_umask(unsigned mode)
{
	mode_t mask = umask(0);

	(void)umask(mask);
	return mode & ~(unsigned)mask;
}

/* As the shell's redirection does: into what is there, be it a pipe, a device or a file. */
static bool
write_into(const char *path, const void *data, size_t size, int flags, char **ret_why)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY | flags);
	bool done = false;
	int error;

	if (fd < 0) {
		*ret_why = file_why(path, "opened", errno);
		return false;
	}
	if (isatty(fd) && !text_displayable(data, size)) {
		close(fd);
		*ret_why = text_format("%s: is a terminal, and this is not text; name a file", path);
		return false;
	}
	done = file_write_all(fd, data, size);
	error = errno;
	if (close(fd) != 0 && done) {
		error = errno;
		done = false;
	}
	if (!done)
		*ret_why = file_why(path, "written", error);
	return done;
}

/*
 * Whole or not at all, by a new file that takes its place. Where that can't be (the folder is
 * not ours to write to, the owner can't be kept), what is there is overwritten.
 */
static bool
replace(const char *path, const struct stat *status, const void *data, size_t size, unsigned mode,
        char **ret_why)
{
	unsigned kept = (unsigned)status->st_mode & 0777U;
	int error = 0;

	if ((mode & OTHERS) == 0)
		kept &= ~OTHERS;
	if (file_replace(path, data, size, kept, status, &error))
		return true;
	if (error != EACCES && error != EPERM && error != EROFS) {
		*ret_why = file_why(path, "written", error);
		return false;
	}
	if ((mode & OTHERS) == 0 && ((unsigned)status->st_mode & OTHERS) != 0 &&
	    chmod(path, (mode_t)kept) != 0) {
		*ret_why = text_format("%s: others can read it, and this user can't change that; name "
		                       "another file", path);
		return false;
	}
	return write_into(path, data, size, O_TRUNC | O_NOFOLLOW, ret_why);
}

/* Links of other users may point anywhere: whoever planted one would choose what is replaced. */
static char *
resolve(const char *path, const struct stat *link, char **ret_why)
{
	char *target;

	if (!S_ISLNK(link->st_mode))
		return strdup(path);
	if (link->st_uid != 0 && link->st_uid != geteuid()) {
		*ret_why = text_format("%s: is a symbolic link of another user; name the file that it "
		                       "points to", path);
		return NULL;
	}
	target = realpath(path, NULL);
	if (target == NULL)
		*ret_why = text_format("%s: is a symbolic link to something that is not there; name "
		                       "the file itself", path);
	return target;
}

/* The standard output under another name, as /dev/stdout: where it is redirected to is its user's. */
static bool
is_stdout(const struct stat *status)
{
	struct stat out;

	return fstat(STDOUT_FILENO, &out) == 0 && out.st_dev == status->st_dev &&
	       out.st_ino == status->st_ino;
}

bool
destination_write(const char *path, const void *data, size_t size, unsigned mode, char **ret_why)
{
	struct stat link, status;
	char *target = NULL;
	bool done;

	if (lstat(path, &link) != 0) {
		if (errno == ENOENT)
			return file_write(path, data, size, under_umask(mode), ret_why);
		*ret_why = file_why(path, "written", errno);
		return false;
	}
	if (stat(path, &status) == 0 && !S_ISREG(status.st_mode))
		return write_into(path, data, size, 0, ret_why);
	target = resolve(path, &link, ret_why);
	if (target == NULL)
		return false;
	/* Again, of the resolved path: it is this one that is replaced. */
	if (lstat(target, &status) != 0) {
		*ret_why = file_why(path, "written", errno);
		done = false;
	} else if (!S_ISREG(status.st_mode) || is_stdout(&status)) {
		done = write_into(target, data, size, O_APPEND, ret_why);
	} else {
		done = replace(target, &status, data, size, mode, ret_why);
	}
	free(target);
	return done;
}
