/* SPDX-License-Identifier: Apache-2.0 */
#include "lifecycle/restored.h"

#include "base/log.h"
#include "lifecycle/authority-signer.h"
#include "lifecycle/reconcile.h"

CK_RV
registry_awaits_rebuild(struct registry *registry, bool *ret_awaits)
{
	int64_t restored = registry_restored(registry);
	struct token_record *token = NULL;
	CK_RV rv;

	*ret_awaits = false;
	if (restored == 0)
		return CKR_OK;
	rv = registry_token(registry, &token);
	if (rv == CKR_OK)
		*ret_awaits = restored > token->rebuilt;
	else if (rv == CKR_DEVICE_ERROR) /* a broken one, which tells nothing */
		*ret_awaits = true;
	token_record_free(&token);
	return rv == CKR_DEVICE_ERROR ? CKR_OK : rv;
}

static CK_RV
forget_intents(struct lifecycle *lifecycle)
{
	struct intent *intents = NULL;
	size_t count = 0;
	CK_RV rv;

	rv = registry_intents(lifecycle->registry, &intents, &count);
	for (size_t i = 0; rv == CKR_OK && i < count; i++) {
		const struct intent *intent = &intents[i];

		if (intent->given_up || intent_is_authority(intent) || intent_is_young(intent, clock_now()))
			continue;
		rv = registry_intent_remove(lifecycle->registry, intent->id.data, intent->id.size);
		if (rv == CKR_OK)
			log_info("token %s: forgot that %s@%lld was being made, which is of before the backup was "
			         "put back", lifecycle->config->name, intent->name, (long long)intent->number);
	}
	intents_free(intents, count);
	return rv;
}

CK_RV
rebuild_begin(struct lifecycle *lifecycle)
{
	bool awaits = false;
	CK_RV rv = registry_awaits_rebuild(lifecycle->registry, &awaits);

	return rv == CKR_OK && awaits ? forget_intents(lifecycle) : rv;
}

static CK_RV
build(struct registry *registry, struct change *change, void *context)
{
	struct token_record *token = NULL;
	int64_t now = clock_now(), restored = registry_restored(registry);
	CK_RV rv;

	(void)context;
	rv = registry_token(registry, &token);
	if (rv != CKR_OK)
		return rv;
	/* Whatever was done to the clock in between. */
	token->rebuilt = restored > now && restored <= RECORD_TIME_MAX ? restored : now;
	rv = change_add_token(change, token);
	token_record_free(&token);
	return rv;
}

CK_RV
rebuild_end(struct lifecycle *lifecycle, bool *ret_put_back)
{
	struct signer signer = authority_signer_use(lifecycle->signer);
	CK_RV rv = registry_awaits_rebuild(lifecycle->registry, ret_put_back);

	if (rv != CKR_OK || !*ret_put_back)
		return rv;
	return registry_change(lifecycle->registry, &signer, lifecycle->config->expires_after, build,
	                       NULL);
}
