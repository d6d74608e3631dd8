/* SPDX-License-Identifier: Apache-2.0 */
/* A change of the registry while it is built. Private to registry/. */
#ifndef P11_KMS_REGISTRY_CHANGE_H
#define P11_KMS_REGISTRY_CHANGE_H

#include "registry/internal.h"

enum addition_kind {
	ADDITION_VERSION,
	ADDITION_KEY,
	ADDITION_TOKEN,
	ADDITION_OBJECT,
	ADDITION_HANDOVER,
	ADDITION_PAGE, /* of the past: see handover.c */
};

/* One entry that will be appended, and its row of the index. */
struct addition {
	enum addition_kind kind;
	struct entry entry;
	char *name; /* of a version or key, owned */
	bool first; /* of a version or object: its first entry */
	int64_t object;
	int64_t number;
	struct buffer id;
	enum version_state state;
	bool removed;         /* of an object, as is what follows */
	CK_OBJECT_CLASS class;
	struct buffer label;
	struct term *successor; /* of a hand-over, owned */
};

struct additions {
	struct addition *items;
	size_t count;
};

/* What intent that which a change begins has; it goes with the commit. */
enum intended { INTENDED_NOT, INTENDED, INTENDED_FAILED /* it may be given up */ };

struct change {
	struct registry_head follows; /* sequence 0: the log is empty */
	struct additions now;
	struct additions former;      /* of the try before, which came too late */
	struct succession *succession; /* who signs what it follows; one reference */
	enum intended intended;
};

/* The sequence of the entry that is added next. */
int64_t change_next(const struct change *change);
/* Takes what addition holds, also on failure. */
MUST_USE CK_RV change_take(struct change *change, struct addition *addition);
void addition_clear(struct addition *addition);

/*
 * Writes the addition's row of the index. Inside the transaction that appends its entry. intended:
 * see change_intended and change_intended_failed.
 */
MUST_USE CK_RV index_addition(struct store *store, const struct addition *addition,
                             enum intended intended);

#endif
