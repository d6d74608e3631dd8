/* SPDX-License-Identifier: Apache-2.0 */
#include "lifecycle/signing.h"

#define SIGNATURE_SIZE_MAX 2048 /* RSA of 16384 bits */

bool
token_record_offers(const void *context, CK_MECHANISM_TYPE primitive)
{
	return token_record_has(context, primitive);
}

static CK_RV
verify(const struct mechanism_use *use, struct public_key *key, const void *message, size_t size,
       const void *signature, size_t signature_size)
{
	unsigned char digest[DIGEST_SIZE_MAX];
	CK_RV rv;

	if (use->mechanism->digest == 0)
		return mechanism_verify(use, key, message, size, signature, signature_size);
	rv = digest_once(use->mechanism->digest, message, size, digest);
	if (rv != CKR_OK)
		return rv;
	return mechanism_verify(use, key, digest, digest_size(use->mechanism->digest), signature,
	                        signature_size);
}

CK_RV
key_sign(struct kms *kms, const struct token_record *token, struct kms_key *key,
         struct public_key *public_key, const struct mechanism_use *use, const void *message,
         size_t size, struct deadline deadline, struct buffer *ret_signature)
{
	unsigned char signature[SIGNATURE_SIZE_MAX];
	size_t signature_size = sizeof signature;
	struct buffer block = BUFFER_INIT;
	struct mechanism_plan plan;
	CK_RV rv;

	rv = mechanism_plan_message(use, public_key, token_record_offers, token, message, size, &plan,
	                            &block);
	if (rv == CKR_OK)
		rv = kms_sign(kms, key, &plan.primitive, block.data, block.size, deadline, signature,
		              &signature_size);
	if (rv == CKR_OK)
		rv = verify(use, public_key, message, size, signature, signature_size);
	if (rv == CKR_OK)
		rv = buffer_set(ret_signature, signature, signature_size);
	buffer_clear(&block);
	return rv;
}
