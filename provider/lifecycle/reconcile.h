/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a crash left: a pair in the KMS that has an intent but no version. It becomes the next
 * version of its key when it proves itself and no later one is there; else it is removed. The
 * pair of a new key is always removed: its policy is not known, and nobody was told of it. So is
 * one whose caller was told that it failed, and one that was asked for with a usage, a time or a
 * subject of its own, which the pair does not tell.
 */
#ifndef P11_KMS_LIFECYCLE_RECONCILE_H
#define P11_KMS_LIFECYCLE_RECONCILE_H

#include "lifecycle/lifecycle.h"

#define INTENT_AGE 60 /* seconds: a creation that is still going on is younger */

/* It may still be going on. One that says it begins later than now is not: nobody writes such. */
static inline bool
intent_is_young(const struct intent *intent, int64_t now)
{
	return intent->since > now - INTENT_AGE && intent->since < now + INTENT_AGE;
}

/* A pair in the KMS that could become a version; all borrowed. */
struct found_pair {
	const char *name;
	int64_t number;
	const unsigned char *id;
	size_t id_size;
	bool intended; /* it has an intent; CKR_ACTION_PROHIBITED when a version of its number or a later one is there */
};

/*
 * Checks, proves and commits it as a version of its key: the current one, unless a later
 * one is. spki: its public half, as the KMS has it. dry_run: only looks whether the key takes
 * it. CKR_OBJECT_HANDLE_INVALID: no such key; CKR_ACTION_PROHIBITED: it is there already; CKR_PUBLIC_KEY_INVALID,
 * CKR_FUNCTION_FAILED: the pair is no good.
 */
MUST_USE CK_RV pair_finish(struct lifecycle *lifecycle, const struct found_pair *pair,
                           const struct buffer *spki, bool dry_run, struct deadline deadline);

enum reconciled {
	RECONCILED_FINISHED,
	RECONCILED_UNDONE,
	RECONCILED_DROPPED, /* only the intent went: it was late, or not true */
	RECONCILED_LEFT,    /* pair and intent stay for another host: see below */
};

/*
 * An authority's pair is only ever undone, as nobody was told that it signs. To undo, the intent
 * is given up first, so that its maker, or another host, can't commit what is being destroyed.
 * Where this host can't keep what it has seen of the registry, no pair is destroyed: the registry
 * may be an older one, put back with an intent that names a pair of a newer one.
 *
 * dry_run: tells, without proof, what would be done. Failures as of kms.h and registry.h: the
 * intent stays, for the next refresh.
 */
MUST_USE CK_RV intent_reconcile(struct lifecycle *lifecycle, const struct intent *intent,
                                bool dry_run, enum reconciled *ret_result);

#endif
