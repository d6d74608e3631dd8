/* SPDX-License-Identifier: Apache-2.0 */
/* Versions that were destroyed longer ago than their grace: found, and removed from the KMS. */
#ifndef P11_KMS_LIFECYCLE_PURGE_H
#define P11_KMS_LIFECYCLE_PURGE_H

#include "lifecycle/lifecycle.h"

#define HIDDEN_PAGE 64

struct version_pages {
	struct registry_search search;
	int64_t objects[HIDDEN_PAGE];
	size_t at, count;
	bool ended;
};

/* Walks the versions that are shown nowhere, newest first, in constant memory. */
struct hidden_walk {
	struct version_pages all, shown;
	int64_t next_shown; /* newest shown one not yet passed, 0: none */
};

/* *ret_object 0: the end. The index is believed here: read the version to be sure. */
void hidden_walk_init(struct hidden_walk *walk);
MUST_USE CK_RV hidden_walk_next(struct hidden_walk *walk, struct registry *registry,
                                int64_t *ret_object);

/* Whether the version is destroy-pending and its grace is over. */
MUST_USE CK_RV version_purge_due(struct registry *registry, int64_t object, bool *ret_due);
/* Removes the pair from the KMS, then makes the version destroyed. */
MUST_USE CK_RV version_purge(struct lifecycle *lifecycle, int64_t object);

#endif
