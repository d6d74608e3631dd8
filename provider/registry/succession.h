/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The succession of a registry's authorities, as a host follows it from the one that it pins.
 *
 * An authority hands over to the next with an entry of the log, which it signs and which names
 * the next one's public key. What comes after that entry, and the head, is signed by the next
 * one; with pages right behind the entry it vouches for the chain hash of each entry up to it.
 * So nothing is ever believed on the word of an authority that has been replaced, but that it
 * was replaced, and by whom: its private half may have been stolen.
 *
 * Immutable once made, and counted: several threads may hold it.
 */
#ifndef P11_KMS_REGISTRY_SUCCESSION_H
#define P11_KMS_REGISTRY_SUCCESSION_H

#include "base/buffer.h"
#include "base/compiler.h"
#include "base/pkcs11.h"
#include "registry/authority.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define HANDOVERS_MAX 1000 /* of one log */

/* An authority's term of office. */
struct term {
	int64_t since;               /* the sequence of the hand-over to it; 0: the log's first */
	int64_t created;             /* when that was; 0 likewise */
	struct authority *authority; /* owned */
	struct buffer id;            /* its CKA_ID in the KMS; empty likewise: the token record has it */
};

struct succession {
	atomic_uint references;
	struct term *terms;  /* owned; from the pinned one to the one that signs now */
	size_t count;        /* 1 at least */
	int64_t *handovers;  /* owned: their sequences, as the index has them */
	size_t handover_count;
	int64_t broken;      /* the hand-over that could not be followed; 0: none */
};

/* The one that signs. */
static inline const struct term *
succession_current(const struct succession *succession)
{
	return &succession->terms[succession->count - 1];
}

/* Whether an authority with this fingerprint is among the terms. */
bool succession_has(const struct succession *succession, const char *fingerprint);
struct succession *succession_acquire(struct succession *succession);
/* Sets NULL; NULL is allowed. */
void succession_release(struct succession **succession);

/* Of the pinned authority alone. */
MUST_USE CK_RV succession_new(const struct authority *pinned, struct succession **ret_succession);

#endif
