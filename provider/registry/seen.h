/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The newest state of a registry that was seen, kept outside of the registry: whoever can
 * write the registry can put an older one back, and must not be able to make this forgotten
 * as well. Private to registry/.
 *
 * Two folders: the user's own, $XDG_STATE_HOME/p11-kms (by default ~/.local/state/p11-kms),
 * and the system's, which root writes and everybody reads. A file each for each path of a
 * registry; it counts for the authority that it names as pinned, or as the one that signed, so
 * a registry that is begun anew, with another authority, is not held to it, and a host that
 * goes over to pinning the one that signs now still is. What root accepts (a backup that was
 * put back on purpose) makes what users saw before void.
 *
 * No function needs a lock. Failures to keep a mark are never the caller's: they are logged once.
 */
#ifndef P11_KMS_REGISTRY_SEEN_H
#define P11_KMS_REGISTRY_SEEN_H

#include "base/compiler.h"
#include "base/pkcs11.h"

#include <stdbool.h>
#include <stdint.h>

#define SEEN_HASH_SIZE 32
#define SEEN_SIGNER_SIZE 64 /* a fingerprint and its zero byte */

struct seen_mark {
	int64_t sequence; /* 0: nothing was seen */
	unsigned char hash[SEEN_HASH_SIZE];
	int64_t issued;                /* when its head was signed; 0: not known */
	char signer[SEEN_SIGNER_SIZE]; /* fingerprint of the authority that signed that; "": the pinned one */
};

struct seen; /* opaque */

/* path: the registry's. authority: the fingerprint of the pinned authority. Both copied. CKR_HOST_MEMORY. */
MUST_USE CK_RV seen_new(const char *path, const char *authority, struct seen **ret_seen);
void seen_free(struct seen **seen);

/* Which one is of the newer state: 1 the first, -1 the second, 0 neither. By the entries, then by when the head was signed. */
int seen_mark_compare(const struct seen_mark *first, const struct seen_mark *second);

/* The highest mark that the files hold. ret_file: the one that has it, borrowed; NULL with sequence 0. */
void seen_read(const struct seen *seen, struct seen_mark *ret_mark, const char **ret_file);
enum seen_manner {
	SEEN_FURTHER,  /* only over a lower one */
	SEEN_ANEW,     /* also over a higher one, which it makes void: a registry was begun anew */
	SEEN_RESTORED, /* the same: a backup was put back on purpose */
};

/* Writes the mark. False: not kept (logged once). */
bool seen_write(struct seen *seen, const struct seen_mark *mark, enum seen_manner manner);
/*
 * A backup was put back on purpose: when what it made void had been signed, as far as that was seen
 * here. It may lack what was done until then. 0: never, or the registry was begun anew since.
 */
int64_t seen_restored(const struct seen *seen);
/* Whether it could be written, as far as can be told without doing it. */
bool seen_writable(const struct seen *seen);

#endif
