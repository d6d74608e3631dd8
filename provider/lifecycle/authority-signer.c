/* SPDX-License-Identifier: Apache-2.0 */
#include "lifecycle/authority-signer.h"

#include "base/log.h"
#include "mechanism/mechanism.h"
#include "registry/succession.h"

#include <pthread.h>
#include <stdlib.h>

#define SIGNATURE_SIZE_MAX 2048 /* RSA of 16384 bits */

/* How one authority signs. Made when it is needed, and kept: there are few in the life of a program. */
struct seat {
	struct seat *next;
	struct buffer spki, id;        /* owned */
	struct kms_key key;            /* borrows id */
	struct public_key *public_key; /* owned */
	struct mechanism_use use;      /* owned; does not change */
};

struct authority_signer {
	struct kms *kms;                  /* borrowed */
	const struct token_record *token; /* borrowed */
	int64_t deadline_ms;
	pthread_mutex_t lock; /* guards what follows, not the seats themselves */
	struct seat *seats;   /* owned */
};

CK_RV
authority_signer_new(struct kms *kms, int64_t deadline_ms, const struct token_record *token,
                     struct authority_signer **ret_signer)
{
	struct authority_signer *signer = calloc(1, sizeof *signer);

	if (signer == NULL)
		return CKR_HOST_MEMORY;
	signer->kms = kms;
	signer->token = token;
	signer->deadline_ms = deadline_ms;
	pthread_mutex_init(&signer->lock, NULL);
	*ret_signer = signer;
	return CKR_OK;
}

static void
seat_free(struct seat *seat)
{
	mechanism_use_clear(&seat->use);
	public_key_free(&seat->public_key);
	buffer_clear(&seat->spki);
	buffer_clear(&seat->id);
	free(seat);
}

void
authority_signer_free(struct authority_signer **signer)
{
	struct seat *next;

	if (*signer == NULL)
		return;
	for (struct seat *seat = (*signer)->seats; seat != NULL; seat = next) {
		next = seat->next;
		seat_free(seat);
	}
	pthread_mutex_destroy(&(*signer)->lock);
	free(*signer);
	*signer = NULL;
}

static CK_RV
seat_new(const struct buffer *spki, const struct buffer *id, struct seat **ret_seat)
{
	CK_MECHANISM mechanism = { CKM_ECDSA_SHA256, NULL, 0 };
	struct seat *seat = calloc(1, sizeof *seat);
	CK_RV rv;

	if (seat == NULL)
		return CKR_HOST_MEMORY;
	rv = buffer_set(&seat->spki, spki->data, spki->size);
	if (rv == CKR_OK)
		rv = buffer_set(&seat->id, id->data, id->size);
	if (rv == CKR_OK)
		rv = public_key_new(spki->data, spki->size, &seat->public_key);
	if (rv != CKR_OK)
		goto out;
	seat->key.id = seat->id.data;
	seat->key.id_size = seat->id.size;
	if (public_key_type(seat->public_key) == CKK_RSA)
		mechanism.mechanism = CKM_SHA256_RSA_PKCS;
	rv = mechanism_use_init(&mechanism, CKF_SIGN, seat->public_key, &seat->use);
	if (rv != CKR_OK)
		goto out;
	*ret_seat = seat;
	seat = NULL;
out:
	if (seat != NULL)
		seat_free(seat);
	return rv;
}

/* The hand-over says where the authority is in the KMS; of the log's first one the token's record does. */
static CK_RV
seat_take(struct authority_signer *signer, const struct term *term, struct seat **ret_seat)
{
	const struct buffer *spki = authority_spki(term->authority);
	const struct buffer *id = term->id.size != 0 ? &term->id : &signer->token->authority_id;
	struct seat *seat;
	CK_RV rv = CKR_OK;

	(void)pthread_mutex_lock(&signer->lock);
	for (seat = signer->seats; seat != NULL; seat = seat->next) {
		if (buffer_equal(&seat->spki, spki->data, spki->size) &&
		    buffer_equal(&seat->id, id->data, id->size))
			break;
	}
	if (seat == NULL) {
		rv = seat_new(spki, id, &seat);
		if (rv == CKR_OK) {
			seat->next = signer->seats;
			signer->seats = seat;
		}
	}
	(void)pthread_mutex_unlock(&signer->lock);
	if (rv == CKR_OK)
		*ret_seat = seat;
	return rv;
}

static bool
offered(const void *context, CK_MECHANISM_TYPE primitive)
{
	return token_record_has(context, primitive);
}

static CK_RV
sign(void *context, const struct term *term, const void *message, size_t size,
     struct buffer *ret_signature)
{
	struct authority_signer *signer = context;
	unsigned char signature[SIGNATURE_SIZE_MAX];
	size_t signature_size = sizeof signature;
	struct buffer block = BUFFER_INIT;
	struct mechanism_plan plan;
	struct seat *seat;
	CK_RV rv;

	rv = seat_take(signer, term, &seat);
	if (rv == CKR_OK)
		rv = mechanism_plan_message(&seat->use, seat->public_key, offered, signer->token, message,
		                            size, &plan, &block);
	if (rv != CKR_OK)
		goto out;
	rv = kms_sign(signer->kms, &seat->key, &plan.primitive, block.data, block.size,
	              deadline_in(signer->deadline_ms), signature, &signature_size);
	if (rv != CKR_OK) {
		log_error("the KMS did not sign as the registry's authority: %s", ckr_name(rv));
		goto out;
	}
	rv = authority_verify(term->authority, message, size, signature, signature_size);
	if (rv == CKR_SIGNATURE_INVALID) {
		log_error("the KMS signed with a key that is not the pinned authority %s; nothing was "
		          "written", authority_fingerprint(term->authority));
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
