/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside of mechanism/: counts the IVs that are made for one key value, so that none is made
 * twice in this process: whatever objects have the value, one after the other or at a time,
 * and also over C_Finalize. A value is known by a salted digest.
 *
 * Every IV that is counted is some base XORed with a number below 2^32, and no number is given
 * twice. Two IVs are therefore the same only if their bases differ, and only in their last 32
 * bits: these are remembered of each base, and a number that would lead from one base to
 * what another may have led to is passed over.
 */
#ifndef P11_KMS_MECHANISM_IV_COUNT_H
#define P11_KMS_MECHANISM_IV_COUNT_H

#include "base/compiler.h"
#include "base/pkcs11.h"
#include "base/secret.h"

#include <stdbool.h>
#include <stdint.h>

struct iv_count; /* opaque; any number of threads, which don't wait for each other */

#define IV_COUNT_START_SIZE 12

/* That of this key: never freed. CKR_HOST_MEMORY, CKR_FUNCTION_FAILED (no random bytes). */
MUST_USE CK_RV iv_count_of(const struct secret *key, struct iv_count **ret_count);

/*
 * Random bytes, of this value and of the process that asked iv_count_of for it:
 * IV_COUNT_START_SIZE of them, borrowed.
 */
const unsigned char *iv_count_start(const struct iv_count *count);

/*
 * What an IV that ends like this is XORed with to give the next one, at most `most`.
 * *ret_end: end, or (where result may be an IV that came of this function, as in a parameter
 * that is used again) the end of the base that it came of.
 * CKR_MECHANISM_PARAM_INVALID: the value has had too many bases; CKR_DATA_LEN_RANGE: all
 * numbers are used up.
 */
MUST_USE CK_RV iv_count_next(struct iv_count *count, uint32_t end, bool result, uint32_t most,
                             uint32_t *ret_end, uint32_t *ret_number);

/* In the child of a fork, while it has one thread: another of its parent's may have been in here. */
void iv_count_forked(void);

#endif
