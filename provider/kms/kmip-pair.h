/* SPDX-License-Identifier: Apache-2.0 */
/* Key pairs of a KMIP server: made, and removed. */
#ifndef P11_KMS_KMS_KMIP_PAIR_H
#define P11_KMS_KMS_KMIP_PAIR_H

#include "base/algorithm.h"
#include "base/compiler.h"
#include "kms/kmip-names.h"
#include "kms/kmip-session.h"

struct kmip_pair {
	const struct algorithm *algorithm;
	const char *private_name, *public_name; /* borrowed */
	const char *label, *group;              /* borrowed */
	uint32_t private_usage, public_usage;   /* enum kmip_usage */
};

/*
 * Makes and activates a pair: sensitive and not extractable, where the server knows these.
 * ret_…: KMIP_IDENTIFIER_MAX + 1 bytes. CKR_MECHANISM_INVALID: the server refuses such a
 * pair (why is in the debug log). Not to be tried again: it may have been made in any case.
 */
MUST_USE CK_RV kmip_pair_make(struct kmip_session *session, const struct kmip_pair *pair,
                              char *ret_private, char *ret_public);
/* Activates what is not active. */
MUST_USE CK_RV kmip_pair_activate(struct kmip_session *session, const char *private_identifier,
                                  const char *public_identifier);
/* kms_find_pair. */
MUST_USE CK_RV kmip_pair_find(struct kmip_session *session, const struct kms_id_request *request);
/*
 * kms_destroy_pair, kms_destroy_labelled: revokes and destroys both halves. CKR_ACTION_PROHIBITED
 * (logged) also while the pair that it replaced, when the server re-keyed, is there.
 * CKR_FUNCTION_FAILED: the server says that it does, and does not (logged).
 */
MUST_USE CK_RV kmip_pair_destroy(struct kmip_session *session,
                                 const struct kms_id_request *request);

#endif
