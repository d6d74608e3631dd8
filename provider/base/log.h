/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One line for each thing worth telling, to stderr or syslog. Never a PIN, a key, a
 * plaintext: callers pass names and codes only. Control characters that come from outside
 * are escaped, so that a line stays one line.
 *
 * The level is "warning" unless the configuration (log = …) or the environment
 * (P11_KMS_LOG, which wins) says error, warning, info or debug.
 */
#ifndef P11_KMS_BASE_LOG_H
#define P11_KMS_BASE_LOG_H

#include "base/compiler.h"
#include "base/pkcs11.h"

#include <stdbool.h>

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

MUST_USE bool log_level_parse(const char *text, enum log_level *ret_level);
/* Sets level and destination; the environment's P11_KMS_LOG outranks level. */
void log_configure(enum log_level level, bool to_syslog);
bool log_wants(enum log_level level);

void log_error(const char *format, ...) PRINTF_LIKE(1, 2);
void log_warning(const char *format, ...) PRINTF_LIKE(1, 2);
void log_info(const char *format, ...) PRINTF_LIKE(1, 2);
void log_debug(const char *format, ...) PRINTF_LIKE(1, 2);

/* "CKR_DEVICE_ERROR"; unknown codes give "CKR_0x…" from a buffer of the thread's. */
const char *ckr_name(CK_RV rv);

#endif
