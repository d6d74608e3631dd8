/* SPDX-License-Identifier: Apache-2.0 */
/* The PIN of a KMS: from a file or from the terminal, never from the command line. */
#ifndef P11_KMS_COMMAND_PIN_H
#define P11_KMS_COMMAND_PIN_H

#include "base/compiler.h"
#include "base/secret.h"
#include "command/command.h"

/*
 * From the file that --pin-source names, else a line of the terminal, which does not show it.
 * Exit codes; failures (no terminal, end of input, a file that may not be trusted) are told.
 */
MUST_USE int pin_read(const struct arguments *arguments, const char *token_name,
                      struct secret **ret_pin);
/*
 * A file that holds a PIN. On failure *ret_why (caller frees; NULL: no memory) says what is wrong
 * with it.
 */
MUST_USE bool pin_file_read(const char *path, struct secret **ret_pin, char **ret_why);

#endif
