/* SPDX-License-Identifier: Apache-2.0 */
#ifdef HAVE_CONFIG_H
#endif

#include "command/command.h"

#include "base/log.h"
#include "base/openssl.h"
#include "command/output.h"

#include <fcntl.h>
#include <locale.h>
#include <stdlib.h>
#include <unistd.h>

#ifndef PACKAGE_VERSION
#define PACKAGE_VERSION "unknown"
#endif

/* A file that is opened later must not become one of the standard three. */
static bool
standard_files_open(void)
{
	int file;

	do {
		file = open("/dev/null", O_RDWR);
		if (file < 0)
			return false;
	} while (file <= STDERR_FILENO);
	close(file);
	return true;
}

static int
run(const struct command *command, const struct arguments *arguments)
{
	int code;

	if (openssl_start() != CKR_OK) {
		complain("OpenSSL's default provider can't be loaded; is OpenSSL installed whole?");
		return EXIT_FAILED;
	}
	code = command->run(arguments);
	openssl_stop();
	return code;
}

int
main(int argc, char **argv)
{
	const struct command *command = NULL;
	struct arguments arguments;
	int code = EXIT_DONE;

	if (!standard_files_open())
		return EXIT_FAILED;
	setlocale(LC_CTYPE, "");
	log_configure(LOG_LEVEL_WARNING, false);
	if (!arguments_parse(argc, argv, &arguments, &command))
		return EXIT_USAGE;
	if (arguments.options[OPTION_VERSION] != NULL) {
		say("p11-kms %s", PACKAGE_VERSION);
	} else if (arguments.options[OPTION_HELP] != NULL) {
		if (command == NULL)
			help_all();
		else
			help_command(command);
	} else if (command == NULL) {
		complain("which command? `p11-kms help` lists them");
		code = EXIT_USAGE;
	} else {
		code = run(command, &arguments);
	}
	if (!output_end() && code == EXIT_DONE)
		code = EXIT_FAILED;
	arguments_free(&arguments);
	return code;
}
