/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a crash left: a pair in the KMS that has an intent but no version. It becomes a version of
 * its key when it proves itself; else it is removed. Another host, with a registry of its own, may
 * have taken it up meanwhile and encrypt to it, which goes by the same proof: so a good pair is kept
 * even where it can't be what was asked for. It is the key's next version; pre-active when it was to
 * be active at a later time; and it only processes when a later version is there, when its maker was
 * told that it failed, or when it was asked for with a usage, an end or a subject of its own, which
 * the pair does not tell.
 *
 * The pair of a new key is removed: its policy is not known, nobody was told of it, and no host
 * takes up versions of keys that it does not know.
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
	bool intended;   /* it has an intent */
	bool failed;     /* which its maker gave up */
	bool superseded; /* it is not, and never becomes, the current one */
	int64_t protect_from; /* it is pre-active until then; 0: it is active at once */
};

/*
 * Checks, proves and commits it as a version of its key: the current one, unless a later
 * one is there. spki: its public half, as the KMS has it. dry_run: only looks whether the key takes
 * it. CKR_OBJECT_HANDLE_INVALID: no such key; CKR_ACTION_PROHIBITED: it is there already;
 * CKR_ATTRIBUTE_VALUE_INVALID: another of its number is; CKR_PUBLIC_KEY_INVALID,
 * CKR_FUNCTION_FAILED: the pair is no good.
 */
MUST_USE CK_RV pair_finish(struct lifecycle *lifecycle, const struct found_pair *pair,
                           const struct buffer *spki, bool dry_run, struct deadline deadline);

enum reconciled {
	RECONCILED_FINISHED,
	RECONCILED_UNDONE,
	RECONCILED_DROPPED, /* only the intent went: it was late */
	RECONCILED_UNTRUE,  /* the same: it was not true of the pair, or of any (logged) */
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
