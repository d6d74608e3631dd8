/* SPDX-License-Identifier: Apache-2.0 */
/* What --out names: a file that is made or replaced whole, or a device or pipe that is written into. */
#ifndef P11_KMS_COMMAND_DESTINATION_H
#define P11_KMS_COMMAND_DESTINATION_H

#include "base/compiler.h"

#include <stdbool.h>
#include <stddef.h>

/*
 * Nothing is put in the place of what is not a regular file. A link is followed, and stays;
 * a file that is replaced keeps its owner and its mode, of the latter no more than mode allows
 * when that is for the owner alone. A new file has the mode that the umask leaves.
 * On failure *ret_why (caller frees) names the file, the reason and the remedy.
 */
MUST_USE bool destination_write(const char *path, const void *data, size_t size, unsigned mode,
                                char **ret_why);

#endif
