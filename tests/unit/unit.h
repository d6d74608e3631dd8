/* SPDX-License-Identifier: Apache-2.0 */
/* What every unit test program shares: its main, and a folder of its own. */
#ifndef P11_KMS_TESTS_UNIT_H
#define P11_KMS_TESTS_UNIT_H

#include <check.h>

/* Each test-NOUN.c defines this; unit.c has main and runs it. */
Suite *unit_suite(void);

/* The path of a name inside this process's own temporary folder, which is removed at the end. Static buffer. */
const char *unit_path(const char *name);

#endif
