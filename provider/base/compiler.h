/* SPDX-License-Identifier: Apache-2.0 */
/* What the compiler checks for us beyond the language. */
#ifndef P11_KMS_BASE_COMPILER_H
#define P11_KMS_BASE_COMPILER_H

#define MUST_USE __attribute__((warn_unused_result))
#define PRINTF_LIKE(text, first) __attribute__((format(printf, text, first)))

#endif
