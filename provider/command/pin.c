/* SPDX-License-Identifier: Apache-2.0 */
#include "command/pin.h"

#include "base/file.h"
#include "base/text.h"
#include "command/output.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#define PIN_FILE_MAX 255
#define PIN_SIZE_MAX 255

static const int signals[] = { SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP };
#define SIGNAL_COUNT (sizeof signals / sizeof signals[0])

static volatile sig_atomic_t caught;

static void
catch(int number)
{
	caught = number;
}

/* Into memory that is locked and wiped: no stdio, whose buffers are neither. */
static bool
read_line(int terminal, struct secret *pin)
{
	unsigned char *data = secret_data(pin);
	size_t size = 0;
	ssize_t count;

	for (;;) {
		unsigned char *next = data + size;

		count = read(terminal, next, 1);
		if (count < 0 && errno == EINTR && caught == 0)
			continue;
		if (count <= 0)
			return false;
		if (*next == '\n')
			break;
		if (++size == secret_size(pin))
			return false;
	}
	secret_truncate(pin, size);
	return true;
}

/*
 * With the echo off, whatever signal comes. It is off before the prompt shows: who types at
 * once is neither seen nor, since turning it off drops what was typed before, ignored.
 */
static bool
read_hidden(int terminal, const char *token_name, struct secret *pin)
{
	struct sigaction action = { .sa_handler = catch }, before[SIGNAL_COUNT];
	struct termios shown, hidden;
	bool done;

	if (tcgetattr(terminal, &shown) != 0)
		return false;
	caught = 0;
	sigemptyset(&action.sa_mask);
	for (size_t i = 0; i < SIGNAL_COUNT; i++)
		sigaction(signals[i], &action, &before[i]);
	hidden = shown;
	hidden.c_lflag &= ~(tcflag_t)(ECHO | ECHONL);
	done = tcsetattr(terminal, TCSAFLUSH, &hidden) == 0 &&
	       dprintf(terminal, "PIN of the KMS of token %s: ", token_name) > 0 &&
	       read_line(terminal, pin);
	tcsetattr(terminal, TCSAFLUSH, &shown);
	for (size_t i = 0; i < SIGNAL_COUNT; i++)
		sigaction(signals[i], &before[i], NULL);
	dprintf(terminal, "\n");
	if (caught != 0)
		raise(caught);
	return done;
}

static bool
pin_ask(const char *token_name, struct secret **ret_pin)
{
	struct secret *pin = NULL;
	bool done = false;
	int terminal;

	terminal = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
	if (terminal < 0) {
		complain("token %s needs a PIN, and there is no terminal to ask for it on: give "
		         "--pin-source FILE, or set pin-source in the configuration", token_name);
		return false;
	}
	if (secret_new(PIN_SIZE_MAX, &pin) == CKR_OK)
		done = read_hidden(terminal, token_name, pin);
	close(terminal);
	if (!done) {
		secret_free(&pin);
		complain("no PIN was given");
		return false;
	}
	*ret_pin = pin;
	return true;
}

bool
pin_file_read(const char *path, struct secret **ret_pin, char **ret_why)
{
	struct secret *pin = NULL;

	*ret_why = NULL;
	if (!file_read_secret(path, PIN_FILE_MAX, &pin, ret_why))
		return false;
	if (secret_size(pin) == 0) {
		secret_free(&pin);
		*ret_why = text_format("%s is empty: write the PIN of the KMS into it", path);
		return false;
	}
	*ret_pin = pin;
	return true;
}

int
pin_read(const struct arguments *arguments, const char *token_name, struct secret **ret_pin)
{
	const char *source = arguments->options[OPTION_PIN_SOURCE];
	char *why = NULL;

	if (source == NULL)
		return pin_ask(token_name, ret_pin) ? EXIT_DONE : EXIT_LOGIN;
	if (pin_file_read(source, ret_pin, &why))
		return EXIT_DONE;
	complain("%s", why != NULL ? why : "out of memory");
	free(why);
	return EXIT_CONFIGURATION;
}
