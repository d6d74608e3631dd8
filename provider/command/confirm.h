/* SPDX-License-Identifier: Apache-2.0 */
/* Asks before something that can't be undone. */
#ifndef P11_KMS_COMMAND_CONFIRM_H
#define P11_KMS_COMMAND_CONFIRM_H

#include "base/compiler.h"
#include "command/command.h"

/*
 * The answer must be given by somebody: a program says --yes. what: "destroy the version";
 * name: of what stays as it is otherwise. EXIT_DONE: yes; else told.
 */
MUST_USE int confirm(const struct arguments *arguments, const char *what, const char *name,
                     const char *question);

#endif
