/* SPDX-License-Identifier: Apache-2.0 */
#include "lifecycle/authority-pair.h"

#include "base/openssl.h"

#include <openssl/rand.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ID_SIZE 16

struct reading {
	const char *token_name;
	struct kms_listing listing;
};

/* NAME@NUMBER: a version of some token's key. */
static bool
labels_version(const char *label)
{
	const char *at = strrchr(label, '@');

	return at != NULL && at != label && at[1] != '\0' &&
	       at[1 + strspn(at + 1, "0123456789")] == '\0';
}

bool
label_is_authority(const char *label)
{
	return label != NULL && strncmp(label, AUTHORITY_LABEL_PREFIX, strlen(AUTHORITY_LABEL_PREFIX)) == 0;
}

static CK_RV
found(void *context, const void *id, size_t id_size, const char *label, CK_KEY_TYPE key_type)
{
	struct reading *reading = context;
	struct kms_listing *listing = &reading->listing;
	struct kms_listing_key *keys;
	CK_RV rv;

	(void)key_type;
	if (id_size == 0)
		return CKR_OK; /* can't be named */
	/* Grown by doubling: at 0 and at each power of two the array is full. */
	if ((listing->count & (listing->count - 1)) == 0) {
		size_t room = listing->count == 0 ? 1 : 2 * listing->count;

		keys = realloc(listing->keys, room * sizeof *keys);
		if (keys == NULL)
			return CKR_HOST_MEMORY;
		listing->keys = keys;
	}
	keys = &listing->keys[listing->count];
	*keys = (struct kms_listing_key){ .id = BUFFER_INIT };
	rv = buffer_set(&keys->id, id, id_size);
	if (rv != CKR_OK)
		return rv;
	listing->count++;
	if (label == NULL)
		return CKR_OK;
	keys->authority = label_is_authority(label);
	keys->own = keys->authority &&
	            strcmp(label + strlen(AUTHORITY_LABEL_PREFIX), reading->token_name) == 0;
	listing->own += keys->own;
	listing->versions += labels_version(label);
	return CKR_OK;
}

CK_RV
kms_listing_read(struct kms *kms, const char *token_name, struct deadline deadline,
                 struct kms_listing *ret_listing)
{
	struct reading reading = { .token_name = token_name };
	CK_RV rv;

	rv = kms_walk(kms, deadline, found, &reading);
	if (rv != CKR_OK) {
		kms_listing_clear(&reading.listing);
		return rv;
	}
	*ret_listing = reading.listing;
	return CKR_OK;
}

void
kms_listing_clear(struct kms_listing *listing)
{
	for (size_t i = 0; i < listing->count; i++)
		buffer_clear(&listing->keys[i].id);
	free(listing->keys);
	*listing = (struct kms_listing){ .keys = NULL };
}

CK_RV
authority_find(struct kms *kms, const struct kms_listing *listing,
               const struct authority *authority, struct deadline deadline, struct buffer *ret_id)
{
	const struct buffer *pinned = authority_spki(authority);
	struct buffer spki = BUFFER_INIT;
	CK_RV rv;

	/* First those labelled as an authority, then all: it may have come from elsewhere. */
	for (int labelled = 1; labelled >= 0; labelled--) {
		for (size_t i = 0; i < listing->count; i++) {
			const struct kms_listing_key *key = &listing->keys[i];
			bool equal;

			if (key->authority != (labelled == 1))
				continue;
			rv = kms_public_key(kms, key->id.data, key->id.size, deadline, &spki);
			if (rv == CKR_DEVICE_ERROR || rv == CKR_HOST_MEMORY || rv == CKR_USER_NOT_LOGGED_IN)
				return rv;
			equal = rv == CKR_OK && buffer_equal(pinned, spki.data, spki.size);
			buffer_clear(&spki);
			if (equal)
				return buffer_append(ret_id, key->id.data, key->id.size);
		}
	}
	return CKR_KEY_HANDLE_INVALID;
}

CK_RV
authority_generate(struct kms *kms, const struct token_record *token, const char *token_name,
                   struct deadline deadline, struct buffer *ret_id,
                   struct authority **ret_authority)
{
	struct kms_pair pair = { .sign = true, .id_size = ID_SIZE };
	struct buffer spki = BUFFER_INIT;
	unsigned char id[ID_SIZE];
	char *label = NULL;
	bool ecdsa;
	CK_RV rv;

	/* By the digest, or by a KMS that hashes itself. */
	ecdsa = token_record_has(token, CKM_ECDSA) || token_record_has(token, CKM_ECDSA_SHA256);
	pair.algorithm = algorithm_by_name(
	        token_record_has(token, CKM_EC_KEY_PAIR_GEN) && ecdsa ? "p-256" : "rsa-3072");
	pair.id = id;
	if (RAND_bytes_ex(openssl_context(), id, sizeof id, 0) != 1)
		return openssl_failure(CKR_FUNCTION_FAILED);
	if (asprintf(&label, AUTHORITY_LABEL_PREFIX "%s", token_name) < 0)
		return CKR_HOST_MEMORY;
	pair.label = label;
	rv = kms_generate_pair(kms, &pair, deadline, &spki);
	if (rv != CKR_OK)
		goto out;
	rv = buffer_append(ret_id, id, sizeof id);
	if (rv != CKR_OK)
		goto out;
	rv = authority_new(spki.data, spki.size, ret_authority);
out:
	buffer_clear(&spki);
	free(label);
	return rv;
}
