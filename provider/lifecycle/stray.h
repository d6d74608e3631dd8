/* SPDX-License-Identifier: Apache-2.0 */
/* Pairs in the KMS that are no version of the registry: whose they are, and what to do. */
#ifndef P11_KMS_LIFECYCLE_STRAY_H
#define P11_KMS_LIFECYCLE_STRAY_H

#include "kms/kms.h"
#include "lifecycle/roll.h"
#include "registry/registry.h"

enum stray_kind {
	STRAY_INTERRUPTED, /* has an intent: refresh finishes or undoes it */
	STRAY_DESTROYED,   /* of a destroyed version: refresh removes it */
	STRAY_VERSION,     /* labelled as a version of a known key, which has none of this number: refresh takes it up */
	STRAY_WAITING,     /* the same, but it was not seen before, or only just now: see strays_wait */
	STRAY_HIDDEN,      /* the same, but the log has its CKA_ID, or is not whole: somebody has changed the index; left alone */
	STRAY_UNKNOWN,     /* anything else: left alone */
};

struct stray {
	enum stray_kind kind;
	struct buffer id; /* owned, as what follows */
	char *label;
	char *name;       /* of STRAY_VERSION and STRAY_HIDDEN, else it may be NULL */
	int64_t number;
};

/* By name, the lowest number first. Authorities are none. Walks the whole log where a pair could be taken up. roll: told of each pair; may be NULL. Caller: strays_free. */
MUST_USE CK_RV strays_read(struct kms *kms, struct registry *registry,
                           const struct buffer *authority_id, struct deadline deadline,
                           struct roll *roll, struct stray **ret_strays, size_t *ret_count);
/*
 * Versions wait before they are taken up: the host that makes one may not be done with it, or may
 * undo it, and has its intent in a registry of its own. They are STRAY_WAITING until STRAY_AGE after
 * the first call that met them. keep: this is such a call. Not where the KMS itself makes
 * versions.
 */
#define STRAY_AGE 120 /* seconds: longer than any creation, and its undoing, takes */
MUST_USE CK_RV strays_wait(struct kms *kms, struct registry *registry, bool keep,
                           struct stray *strays, size_t count);
void strays_free(struct stray *strays, size_t count);

#endif
