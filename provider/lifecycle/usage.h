/* SPDX-License-Identifier: Apache-2.0 */
/* Usages (enum usage of registry/record.h) as people write them. */
#ifndef P11_KMS_LIFECYCLE_USAGE_H
#define P11_KMS_LIFECYCLE_USAGE_H

#include "base/compiler.h"

#include <stdbool.h>
#include <stddef.h>

#define USAGE_TEXT_SIZE 40

/* The words in their order, each with its usage; NULL past the last. */
const char *usage_word(size_t index, unsigned *ret_usage);
/* "decrypt, sign"; out holds USAGE_TEXT_SIZE bytes. */
void usage_text(unsigned usage, char *out);
/* "decrypt,sign"; false when it is none. */
MUST_USE bool usage_parse(const char *text, unsigned *ret_usage);

#endif
