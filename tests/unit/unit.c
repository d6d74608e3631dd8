/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

static char folder[] = "/tmp/p11-kms-unit-XXXXXX";

const char *
unit_path(const char *name)
{
	static char path[512];

	snprintf(path, sizeof path, "%s/%s", folder, name);
	return path;
}

static int
remove_one(const char *path, const struct stat *status, int flag, struct FTW *walk)
{
	(void)status;
	(void)flag;
	(void)walk;
	return remove(path);
}

int
main(void)
{
	SRunner *runner;
	int failed;

	if (mkdtemp(folder) == NULL) {
		perror(folder);
		return 99;
	}
	/* What is seen of registries is not kept in the user's folder. */
	if (setenv("XDG_STATE_HOME", folder, 1) != 0) {
		perror("XDG_STATE_HOME");
		return 99;
	}
	runner = srunner_create(unit_suite());
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	return failed == 0 ? 0 : 1;
}
