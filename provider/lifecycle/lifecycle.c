/* SPDX-License-Identifier: Apache-2.0 */
#include "lifecycle/lifecycle.h"

#include "base/log.h"
#include "lifecycle/authority-pair.h"
#include "lifecycle/authority-signer.h"
#include "lifecycle/describe.h"

#include <stdlib.h>

/* The key that the token record names must be, in the KMS, the one that signs. */
static CK_RV
check_authority(struct lifecycle *lifecycle, const struct authority *authority)
{
	const struct buffer *id = &lifecycle->token->authority_id;
	const struct buffer *wanted = authority_spki(authority);
	struct buffer spki = BUFFER_INIT;
	CK_RV rv;

	rv = kms_public_key(lifecycle->kms, id->data, id->size,
	                    deadline_in(lifecycle->config->deadline_ms), &spki);
	if (rv == CKR_KEY_HANDLE_INVALID) {
		log_error("token %s: its KMS does not hold the authority %s of this registry; look at the "
		          "\"kms\" of the token in the configuration", lifecycle->config->name,
		          authority_fingerprint(authority));
		return CKR_DEVICE_ERROR;
	}
	if (rv != CKR_OK)
		return rv;
	if (!buffer_equal(wanted, spki.data, spki.size)) {
		log_error("token %s: the authority in its KMS is not the one pinned in %s, nor one that this "
		          "handed over to (%s)", lifecycle->config->name, lifecycle->config->authority,
		          authority_fingerprint(authority));
		rv = CKR_DEVICE_ERROR;
	}
	buffer_clear(&spki);
	return rv;
}

/*
 * A token record that is broken in the registry is made anew, or nothing could be changed any
 * more. The authority is found in the KMS by the public half that the host knows; refresh
 * writes the record.
 */
static CK_RV
describe_again(struct lifecycle *lifecycle, const struct authority *authority)
{
	struct deadline deadline = deadline_patient(lifecycle->config);
	struct kms_listing listing;
	struct buffer id = BUFFER_INIT;
	CK_RV rv;

	rv = kms_listing_read(lifecycle->kms, lifecycle->config->name, deadline, &listing);
	if (rv != CKR_OK)
		return rv;
	rv = authority_find(lifecycle->kms, &listing, authority, deadline, &id);
	if (rv == CKR_OK)
		rv = token_describe(lifecycle->kms, deadline, id.data, id.size, &lifecycle->token);
	else if (rv == CKR_KEY_HANDLE_INVALID)
		rv = CKR_DEVICE_ERROR;
	kms_listing_clear(&listing);
	buffer_clear(&id);
	return rv;
}

CK_RV
lifecycle_open(const struct config_token *config, struct kms *kms, struct registry *registry,
               const struct authority *authority, struct lifecycle **ret_lifecycle)
{
	struct succession *succession = NULL;
	const struct authority *signing;
	struct lifecycle *lifecycle;
	CK_RV rv;

	lifecycle = calloc(1, sizeof *lifecycle);
	if (lifecycle == NULL)
		return CKR_HOST_MEMORY;
	lifecycle->config = config;
	lifecycle->kms = kms;
	lifecycle->registry = registry;
	lifecycle->authority = authority;
	rv = registry_succession(registry, &succession);
	if (rv != CKR_OK)
		goto out;
	signing = succession_current(succession)->authority;
	rv = registry_token(registry, &lifecycle->token);
	if (rv == CKR_DEVICE_ERROR)
		rv = describe_again(lifecycle, signing);
	if (rv != CKR_OK)
		goto out;
	rv = check_authority(lifecycle, signing);
	if (rv != CKR_OK)
		goto out;
	rv = authority_signer_new(kms, config->deadline_ms, lifecycle->token, &lifecycle->signer);
	if (rv != CKR_OK)
		goto out;
	*ret_lifecycle = lifecycle;
	lifecycle = NULL;
out:
	succession_release(&succession);
	lifecycle_free(&lifecycle);
	return rv;
}

void
lifecycle_free(struct lifecycle **lifecycle)
{
	if (*lifecycle == NULL)
		return;
	authority_signer_free(&(*lifecycle)->signer);
	token_record_free(&(*lifecycle)->token);
	free(*lifecycle);
	*lifecycle = NULL;
}

int64_t
lifecycle_next_rotation(const struct key_record *key, const struct version *current)
{
	if (key->rotate_every == 0 || current == NULL || !version_is_current(current))
		return 0;
	return current->protect_from + key->rotate_every;
}

int64_t
lifecycle_purge_time(const struct key_record *key, const struct version *version)
{
	return version->state_since + key->destroy_after;
}
