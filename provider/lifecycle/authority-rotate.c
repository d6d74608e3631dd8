/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A new authority for the registry. Its pair is made like a version's: intent, generate, read
 * back, prove, commit; the commit is the hand-over, which the old one signs.
 */
#include "lifecycle/authority-rotate.h"

#include "base/log.h"
#include "lifecycle/authority-pair.h"
#include "lifecycle/authority-signer.h"
#include "lifecycle/create.h"

#include <stdlib.h>
#include <string.h>

struct handover {
	const struct authority *from; /* borrowed, as what follows */
	const struct authority *to;
	const struct buffer *id; /* of the new one in the KMS */
	bool intended;
};

static CK_RV
build(struct registry *registry, struct change *change, void *context)
{
	const struct handover *handover = context;
	const struct buffer *spki = authority_spki(handover->to);
	struct handover_record record = { .created = clock_now() };
	struct succession *succession = NULL;
	struct token_record *token = NULL;
	CK_RV rv;

	rv = registry_succession(registry, &succession);
	if (rv != CKR_OK)
		return rv;
	if (strcmp(authority_fingerprint(succession_current(succession)->authority),
	           authority_fingerprint(handover->from)) != 0)
		rv = CKR_ACTION_PROHIBITED; /* another host was faster */
	if (rv == CKR_OK)
		rv = registry_token(registry, &token);
	if (rv == CKR_OK)
		rv = buffer_set(&record.replaces, token->authority_id.data, token->authority_id.size);
	if (rv == CKR_OK)
		rv = buffer_set(&record.id, handover->id->data, handover->id->size);
	if (rv == CKR_OK)
		rv = buffer_set(&record.spki, spki->data, spki->size);
	if (rv == CKR_OK)
		rv = change_add_handover(registry, change, &record);
	if (rv == CKR_OK && handover->intended)
		change_intended(change);
	if (rv == CKR_OK)
		rv = buffer_set(&token->authority_id, handover->id->data, handover->id->size);
	if (rv == CKR_OK)
		rv = change_add_token(change, token);
	handover_record_clear(&record);
	token_record_free(&token);
	succession_release(&succession);
	return rv;
}

CK_RV
authority_hand_over(const struct config_token *config, struct registry *registry,
                    const struct signer *signer, const struct authority *from,
                    const struct authority *to, const struct buffer *id, bool intended)
{
	struct handover handover = { from, to, id, intended };
	CK_RV rv;

	rv = registry_change(registry, signer, config->expires_after, build, &handover);
	if (rv == CKR_OK)
		log_info("token %s: the authority %s handed over to %s", config->name,
		         authority_fingerprint(from), authority_fingerprint(to));
	return rv;
}

/* The number after the highest that is in the KMS, or that an intent has. */
static CK_RV
intend(struct lifecycle *lifecycle, const struct buffer *id, struct deadline deadline,
       int64_t *ret_number)
{
	struct kms_listing listing;
	CK_RV rv;

	rv = kms_listing_read(lifecycle->kms, lifecycle->config->name, deadline, &listing);
	if (rv != CKR_OK)
		return rv;
	rv = registry_intend_authority(lifecycle->registry, id->data, id->size,
	                               listing.own_highest < 1 ? 2 : listing.own_highest + 1,
	                               ret_number);
	kms_listing_clear(&listing);
	return rv;
}

/*
 * After a failure; what can't be removed now, or may be in the log after all, is left to refresh.
 * Whether or not that has removed the intent meanwhile: nobody commits it from here on.
 */
static void
undo(struct lifecycle *lifecycle, const struct buffer *id, const char *label)
{
	bool known = true, given_up;

	if (registry_intent_give_up(lifecycle->registry, id->data, id->size, &given_up) == CKR_OK &&
	    registry_log_has_id(lifecycle->registry, id->data, id->size, &known) == CKR_OK && !known &&
	    kms_destroy_labelled(lifecycle->kms, id->data, id->size, label,
	                         deadline_in(lifecycle->config->deadline_ms)) == CKR_OK &&
	    registry_intent_remove(lifecycle->registry, id->data, id->size) == CKR_OK)
		return;
	log_warning("token %s: a new authority that is not used may stay in the KMS: `p11-kms refresh` "
	            "removes it, from a minute after its beginning on", lifecycle->config->name);
}

static CK_RV
generate(struct lifecycle *lifecycle, const char *label, const struct buffer *id,
         struct deadline deadline, struct authority **ret_authority)
{
	CK_RV rv;

	rv = authority_generate(lifecycle->kms, lifecycle->token, label, id, deadline, ret_authority);
	if (rv == CKR_OK)
		rv = lifecycle_prove(lifecycle->kms, lifecycle->token, USAGE_SIGN, id->data, id->size,
		                     authority_spki(*ret_authority), deadline);
	return rv;
}

CK_RV
lifecycle_rotate_authority(struct lifecycle *lifecycle, struct deadline deadline)
{
	struct signer signer = authority_signer_use(lifecycle->signer);
	struct succession *succession = NULL;
	struct authority *authority = NULL;
	struct buffer id = BUFFER_INIT;
	char *label = NULL;
	int64_t number = 0, begun = clock_now();
	CK_RV rv;

	rv = registry_succession(lifecycle->registry, &succession);
	if (rv == CKR_OK)
		rv = authority_id_make(&id);
	if (rv == CKR_OK)
		rv = intend(lifecycle, &id, deadline, &number);
	if (rv != CKR_OK)
		goto out;
	label = authority_label(lifecycle->config->name, number);
	rv = label == NULL ? CKR_HOST_MEMORY :
	                     generate(lifecycle, label, &id, deadline, &authority);
	if (rv == CKR_OK)
		rv = authority_hand_over(lifecycle->config, lifecycle->registry, &signer,
		                         succession_current(succession)->authority, authority, &id, true);
	if (rv == CKR_FUNCTION_CANCELED) {
		log_given_up(lifecycle, label, begun);
		rv = CKR_FUNCTION_FAILED;
	}
	if (rv != CKR_OK && label != NULL)
		undo(lifecycle, &id, label);
out:
	free(label);
	authority_free(&authority);
	buffer_clear(&id);
	succession_release(&succession);
	return rv;
}

/*
 * Is it in the log, and not the one that signs? Another registry's may bear this token's name.
 * What the log says of CKA_IDs is not enough: the index may point to an older token record.
 */
static CK_RV
is_former(struct lifecycle *lifecycle, const struct authority *signing,
          const struct kms_listing_key *key, struct deadline deadline, bool *ret_former)
{
	const struct buffer *wanted = authority_spki(signing);
	struct buffer spki = BUFFER_INIT;
	bool same;
	CK_RV rv;

	*ret_former = false;
	if (key->own == 0)
		return CKR_OK;
	rv = kms_public_key(lifecycle->kms, key->id.data, key->id.size, deadline, &spki);
	if (rv != CKR_OK)
		return rv == CKR_KEY_HANDLE_INVALID ? CKR_OK : rv; /* it can't be told */
	same = buffer_equal(wanted, spki.data, spki.size);
	buffer_clear(&spki);
	if (same)
		return CKR_OK;
	return registry_log_has_id(lifecycle->registry, key->id.data, key->id.size, ret_former);
}

CK_RV
lifecycle_purge_authorities(struct lifecycle *lifecycle, bool dry_run, authority_purged purged,
                            void *context)
{
	struct deadline deadline = deadline_patient(lifecycle->config);
	struct kms_listing listing = { .keys = NULL };
	struct succession *succession = NULL;
	struct registry_head head;
	bool former = false;
	CK_RV rv;

	/* Not of a registry that was turned back: its last one may be the one that signs. */
	rv = registry_head(lifecycle->registry, &head);
	if (rv == CKR_OK)
		rv = registry_succession(lifecycle->registry, &succession);
	if (rv == CKR_OK)
		rv = kms_listing_read(lifecycle->kms, lifecycle->config->name, deadline, &listing);
	for (size_t i = 0; rv == CKR_OK && i < listing.count; i++) {
		const struct buffer *id = &listing.keys[i].id;

		rv = is_former(lifecycle, succession_current(succession)->authority, &listing.keys[i],
		               deadline, &former);
		if (rv != CKR_OK || !former)
			continue;
		if (!dry_run)
			rv = kms_destroy_pair(lifecycle->kms, id->data, id->size, deadline);
		if (rv == CKR_OK && purged != NULL)
			purged(context, id);
	}
	kms_listing_clear(&listing);
	succession_release(&succession);
	return rv;
}
