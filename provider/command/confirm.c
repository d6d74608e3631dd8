/* SPDX-License-Identifier: Apache-2.0 */
#include "command/confirm.h"

#include "command/output.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

int
confirm(const struct arguments *arguments, const char *what, const char *name,
        const char *question)
{
	char answer[16];

	if (arguments->options[OPTION_YES] != NULL)
		return EXIT_DONE;
	if (!isatty(STDIN_FILENO)) {
		complain("to %s %s must be confirmed: give --yes", what, name);
		return EXIT_USAGE;
	}
	remark("%s: %s (yes/no)", name, question);
	if (fgets(answer, sizeof answer, stdin) != NULL) {
		answer[strcspn(answer, "\n")] = '\0';
		if (strcasecmp(answer, "yes") == 0 || strcasecmp(answer, "y") == 0)
			return EXIT_DONE;
	}
	complain("%s stays as it is", name);
	return EXIT_FAILED;
}
