/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzzers: each defines LLVMFuzzerTestOneInput, for clang -fsanitize=fuzzer, and is also
 * linked with driver.c, which changes the samples by a fixed seed: the short form, for CI.
 */
#ifndef P11_KMS_TESTS_FUZZ_H
#define P11_KMS_TESTS_FUZZ_H

#include <stddef.h>
#include <stdint.h>

/* Its samples are in tests/fuzz/NAME.samples. */
extern const char fuzz_name[];

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
