/* SPDX-License-Identifier: Apache-2.0 */
#include "lifecycle/authority-signer.h"

#include "base/log.h"
#include "mechanism/mechanism.h"

#include <stdlib.h>

#define SIGNATURE_SIZE_MAX 2048 /* RSA of 16384 bits */

struct authority_signer {
	struct kms *kms;                   /* borrowed */
	const struct authority *authority; /* borrowed */
	const struct token_record *token;  /* borrowed */
	int64_t deadline_ms;
	struct kms_key key;            /* borrows the token's authority_id */
	struct public_key *public_key; /* owned */
	struct mechanism_use use;      /* owned; does not change */
};

CK_RV
authority_signer_new(struct kms *kms, int64_t deadline_ms, const struct authority *authority,
                     const struct token_record *token, struct authority_signer **ret_signer)
{
	const struct buffer *spki = authority_spki(authority);
	CK_MECHANISM mechanism = { CKM_ECDSA_SHA256, NULL, 0 };
	struct authority_signer *signer;
	CK_RV rv;

	signer = calloc(1, sizeof *signer);
	if (signer == NULL)
		return CKR_HOST_MEMORY;
	signer->kms = kms;
	signer->authority = authority;
	signer->deadline_ms = deadline_ms;
	signer->token = token;
	signer->key.id = token->authority_id.data;
	signer->key.id_size = token->authority_id.size;
	rv = public_key_new(spki->data, spki->size, &signer->public_key);
	if (rv != CKR_OK)
		goto out;
	if (public_key_type(signer->public_key) == CKK_RSA)
		mechanism.mechanism = CKM_SHA256_RSA_PKCS;
	rv = mechanism_use_init(&mechanism, CKF_SIGN, signer->public_key, &signer->use);
	if (rv != CKR_OK)
		goto out;
	*ret_signer = signer;
	signer = NULL;
out:
	authority_signer_free(&signer);
	return rv;
}

void
authority_signer_free(struct authority_signer **signer)
{
	if (*signer == NULL)
		return;
	mechanism_use_clear(&(*signer)->use);
	public_key_free(&(*signer)->public_key);
	free(*signer);
	*signer = NULL;
}

static bool
offered(const void *context, CK_MECHANISM_TYPE primitive)
{
	return token_record_has(context, primitive);
}

static CK_RV
sign(void *context, const void *message, size_t size, struct buffer *ret_signature)
{
	struct authority_signer *signer = context;
	unsigned char signature[SIGNATURE_SIZE_MAX];
	size_t signature_size = sizeof signature;
	struct buffer block = BUFFER_INIT;
	struct mechanism_plan plan;
	CK_RV rv;

	rv = mechanism_plan_message(&signer->use, signer->public_key, offered, signer->token, message,
	                            size, &plan, &block);
	if (rv != CKR_OK)
		goto out;
	rv = kms_sign(signer->kms, &signer->key, &plan.primitive, block.data, block.size,
	              deadline_in(signer->deadline_ms), signature, &signature_size);
	if (rv != CKR_OK) {
		log_error("the KMS did not sign as the registry's authority: %s", ckr_name(rv));
		goto out;
	}
	rv = authority_verify(signer->authority, message, size, signature, signature_size);
	if (rv == CKR_SIGNATURE_INVALID) {
		log_error("the KMS signed with a key that is not the pinned authority %s; nothing was "
		          "written", authority_fingerprint(signer->authority));
		rv = CKR_DEVICE_ERROR;
	}
	if (rv != CKR_OK)
		goto out;
	rv = buffer_append(ret_signature, signature, signature_size);
out:
	buffer_clear(&block);
	return rv;
}

struct signer
authority_signer_use(struct authority_signer *signer)
{
	return (struct signer){ sign, signer };
}
