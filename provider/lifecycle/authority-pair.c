/* SPDX-License-Identifier: Apache-2.0 */
#include "lifecycle/authority-pair.h"

#include "base/log.h"
#include "base/openssl.h"
#include "base/text.h"

#include <openssl/rand.h>

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

char *
authority_label(const char *token_name, int64_t number)
{
	if (number <= 1)
		return text_format(AUTHORITY_LABEL_PREFIX "%s", token_name);
	return text_format(AUTHORITY_LABEL_PREFIX "%s@%lld", token_name, (long long)number);
}

/* 0: it is not this token's. */
static int64_t
own_number(const char *label, const char *token_name)
{
	const char *rest = label + strlen(AUTHORITY_LABEL_PREFIX);
	size_t digits;

	if (strncmp(rest, token_name, strlen(token_name)) != 0)
		return 0;
	rest += strlen(token_name);
	if (*rest == '\0')
		return 1;
	digits = *rest == '@' ? strspn(rest + 1, "0123456789") : 0;
	if (digits == 0 || digits > 15 || rest[1] == '0' || rest[1 + digits] != '\0')
		return 0;
	return strtoll(rest + 1, NULL, 10);
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
	if (keys->authority)
		keys->own = own_number(label, reading->token_name);
	listing->own += keys->own != 0;
	if (keys->own > listing->own_highest)
		listing->own_highest = keys->own;
	listing->versions += !keys->authority && labels_version(label);
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

const struct kms_listing_key *
kms_listing_own(const struct kms_listing *listing, int64_t number, bool *ret_several)
{
	const struct kms_listing_key *key = NULL;
	bool several = false;

	for (size_t i = 0; i < listing->count; i++) {
		if (listing->keys[i].own != number)
			continue;
		several |= key != NULL;
		key = &listing->keys[i];
	}
	if (ret_several != NULL)
		*ret_several = several;
	return several ? NULL : key;
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
authority_id_make(struct buffer *ret_id)
{
	unsigned char id[ID_SIZE];

	if (RAND_bytes_ex(openssl_context(), id, sizeof id, 0) != 1)
		return openssl_failure(CKR_FUNCTION_FAILED);
	return buffer_set(ret_id, id, sizeof id);
}

CK_RV
authority_generate(struct kms *kms, const struct token_record *token, const char *label,
                   const struct buffer *id, struct deadline deadline,
                   struct authority **ret_authority)
{
	struct kms_pair pair = {
		.sign = true, .id = id->data, .id_size = id->size, .label = label
	};
	struct buffer spki = BUFFER_INIT, stored = BUFFER_INIT;
	bool ecdsa;
	CK_RV rv;

	/* By the digest, or by a KMS that hashes itself. */
	ecdsa = token_record_has(token, CKM_ECDSA) || token_record_has(token, CKM_ECDSA_SHA256);
	pair.algorithm = algorithm_by_name(
	        token_record_has(token, CKM_EC_KEY_PAIR_GEN) && ecdsa ? "p-256" : "rsa-3072");
	rv = kms_generate_pair(kms, &pair, deadline, &spki);
	if (rv == CKR_OK)
		rv = kms_public_key(kms, id->data, id->size, deadline, &stored);
	if (rv == CKR_OK && !buffer_equal(&spki, stored.data, stored.size)) {
		log_error("the KMS stored another public key for \"%s\" than it made", label);
		rv = CKR_FUNCTION_FAILED;
	}
	if (rv == CKR_OK)
		rv = authority_new(spki.data, spki.size, ret_authority);
	buffer_clear(&stored);
	buffer_clear(&spki);
	return rv;
}
