/* SPDX-License-Identifier: Apache-2.0 */
/* The authority's pair in the KMS: found again, or made. Steps of lifecycle_init. */
#ifndef P11_KMS_LIFECYCLE_AUTHORITY_PAIR_H
#define P11_KMS_LIFECYCLE_AUTHORITY_PAIR_H

#include "lifecycle/lifecycle.h"

/* Of a pair in the KMS; the token's name follows, and from the second authority on "@NUMBER". */
#define AUTHORITY_LABEL_PREFIX "p11-kms authority "

/* The private keys of the KMS, as far as init must know them. */
struct kms_listing {
	struct kms_listing_key {
		struct buffer id; /* owned */
		bool authority;   /* labelled as an authority */
		int64_t own;      /* … of this token: its number, 1 for the first; 0: it is not */
	} *keys;              /* owned */
	size_t count;
	size_t own, versions; /* how many are labelled as this token's authority, as NAME@NUMBER */
	int64_t own_highest;  /* the highest number of those authorities; 0: there is none */
};

/* What the pair of this token's authority of that number is labelled; caller frees. NULL: no memory. */
char *authority_label(const char *token_name, int64_t number);
/* The one of that number. NULL: there is none, or several (*ret_several, may be NULL). */
const struct kms_listing_key *kms_listing_own(const struct kms_listing *listing, int64_t number,
                                              bool *ret_several);

/* Is this the label of some token's authority? NULL is none. */
bool label_is_authority(const char *label);

MUST_USE CK_RV kms_listing_read(struct kms *kms, const char *token_name, struct deadline deadline,
                                struct kms_listing *ret_listing);
void kms_listing_clear(struct kms_listing *listing);

/* The key whose public half is the pinned one. CKR_KEY_HANDLE_INVALID: none. ret_id: appended. */
MUST_USE CK_RV authority_find(struct kms *kms, const struct kms_listing *listing,
                              const struct authority *authority, struct deadline deadline,
                              struct buffer *ret_id);
/* Replaces ret_id by a new one. */
MUST_USE CK_RV authority_id_make(struct buffer *ret_id);
/* P-256 where the KMS can, else RSA. token: what it can. The public half is read back. */
MUST_USE CK_RV authority_generate(struct kms *kms, const struct token_record *token,
                                  const char *label, const struct buffer *id,
                                  struct deadline deadline, struct authority **ret_authority);

#endif
