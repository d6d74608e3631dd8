/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An error line that is written once for as long as its cause lasts: a KMS that is down is
 * probed again and again, and says the same each time.
 */
#ifndef P11_KMS_KMS_COMPLAINT_H
#define P11_KMS_KMS_COMPLAINT_H

#include "base/compiler.h"

/* All zero at first. One thread at a time: the owner's lock. */
struct complaint {
	char *last; /* owned */
};

/* Takes text (NULL is allowed, when memory was short) and logs it unless it is what was said last. */
void complaint_raise(struct complaint *complaint, char *text);
/* The cause is gone. */
void complaint_clear(struct complaint *complaint);

#endif
