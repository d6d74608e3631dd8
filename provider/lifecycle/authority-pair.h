/* SPDX-License-Identifier: Apache-2.0 */
/* The authority's pair in the KMS: found again, or made. Steps of lifecycle_init. */
#ifndef P11_KMS_LIFECYCLE_AUTHORITY_PAIR_H
#define P11_KMS_LIFECYCLE_AUTHORITY_PAIR_H

#include "lifecycle/lifecycle.h"

/* Of a pair in the KMS; the token's name follows. */
#define AUTHORITY_LABEL_PREFIX "p11-kms authority "

/* The private keys of the KMS, as far as init must know them. */
struct kms_listing {
	struct kms_listing_key {
		struct buffer id; /* owned */
		bool authority;   /* labelled as an authority */
		bool own;         /* … of this token */
	} *keys;              /* owned */
	size_t count;
	size_t own, versions; /* how many are labelled as this token's authority, as NAME@NUMBER */
};

/* Is this the label of some token's authority? NULL is none. */
bool label_is_authority(const char *label);

MUST_USE CK_RV kms_listing_read(struct kms *kms, const char *token_name, struct deadline deadline,
                                struct kms_listing *ret_listing);
void kms_listing_clear(struct kms_listing *listing);

/* The key whose public half is the pinned one. CKR_KEY_HANDLE_INVALID: none. ret_id: appended. */
MUST_USE CK_RV authority_find(struct kms *kms, const struct kms_listing *listing,
                              const struct authority *authority, struct deadline deadline,
                              struct buffer *ret_id);
/* P-256 where the KMS can, else RSA. */
MUST_USE CK_RV authority_generate(struct kms *kms, const struct token_record *token,
                                  const char *token_name, struct deadline deadline,
                                  struct buffer *ret_id, struct authority **ret_authority);

#endif
