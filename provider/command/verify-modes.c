/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who may write what p11-kms reads. The configuration, the PIN file and the pinned authority are
 * refused when they are another's, or others may write them: their own checks tell that. Here is
 * what is used all the same.
 */
#include "command/verify.h"

#include "base/text.h"

#include <errno.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define WRITABLE_BY_OTHERS (S_IWGRP | S_IWOTH)

static bool
root_or_us(uid_t owner)
{
	return owner == 0 || owner == geteuid();
}

static void
warn_of_owner(struct verification *verification, const char *path, uid_t owner)
{
	finding(verification->findings, RESULT_WARN,
	        "%s belongs to uid %lu, neither root nor this user, who may change it: chown %lu %s", path,
	        (unsigned long)owner, (unsigned long)geteuid(), path);
}

/* False: it can't be looked at, which is told where it is used; side files may be missing. */
static bool
look(struct verification *verification, const char *path, bool link, struct stat *ret_status)
{
	if ((link ? stat(path, ret_status) : lstat(path, ret_status)) != 0)
		return false;
	if ((ret_status->st_mode & WRITABLE_BY_OTHERS) != 0)
		finding(verification->findings, RESULT_WARN,
		        "%s may be written to by others: chmod go-w %s", path, path);
	return true;
}

/* Caller frees; NULL: out of memory. */
static char *
folder_of(const char *path)
{
	char *copy = strdup(path);
	char *folder = copy != NULL ? strdup(dirname(copy)) : NULL;

	free(copy);
	return folder;
}

/* Whose folder it is, he keeps the registry, and others may read it: the file itself is not trusted. */
static void
check_registry(struct verification *verification, const char *folder)
{
	static const char *const endings[] = { "", "-wal", "-shm" };
	struct stat status;
	uid_t keeper = 0;

	if (look(verification, folder, true, &status)) {
		keeper = status.st_uid;
		if (!root_or_us(keeper))
			finding(verification->findings, RESULT_OK, "%s belongs to uid %lu, who keeps the registry",
			        folder, (unsigned long)keeper);
	}
	for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
		char *path = text_format("%s%s", verification->workspace->token->registry, endings[i]);

		if (path != NULL && look(verification, path, false, &status) &&
		    !root_or_us(status.st_uid) && status.st_uid != keeper)
			warn_of_owner(verification, path, status.st_uid);
		free(path);
	}
}

/* The folder of what is trusted. before: those that were looked at. */
static void
check_folder(struct verification *verification, const char *folder, char *const *before,
             size_t count)
{
	struct stat status;

	for (size_t i = 0; i < count; i++) {
		if (before[i] != NULL && strcmp(before[i], folder) == 0)
			return;
	}
	if (look(verification, folder, true, &status) && !root_or_us(status.st_uid))
		warn_of_owner(verification, folder, status.st_uid);
}

void
verify_modes(struct verification *verification)
{
	const struct workspace *workspace = verification->workspace;
	const char *const paths[] = {
		workspace->config->path, workspace->token->authority, workspace->token->pin_source,
	};
	char *folders[sizeof paths / sizeof *paths] = { NULL };
	char *registry = folder_of(workspace->token->registry);

	findings_begin(verification->findings, "modes");
	for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
		if (paths[i] == NULL)
			continue;
		folders[i] = folder_of(paths[i]);
		if (folders[i] != NULL)
			check_folder(verification, folders[i], folders, i);
	}
	if (registry != NULL)
		check_registry(verification, registry);
	findings_ok(verification->findings, "nobody but root and this user may write to the registry, to "
	            "what lies beside it, and to the folders of what the configuration names");
	for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
		free(folders[i]);
	free(registry);
}
