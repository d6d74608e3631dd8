/* SPDX-License-Identifier: Apache-2.0 */
#include "lifecycle/stored-object.h"

#include "base/log.h"
#include "lifecycle/authority-signer.h"

static CK_RV
build_store(struct registry *registry, struct change *change, void *context)
{
	(void)registry;
	return change_add_object(change, context);
}

CK_RV
lifecycle_store_object(struct lifecycle *lifecycle, struct object_record *record)
{
	struct signer signer = authority_signer_use(lifecycle->signer);
	CK_RV rv;

	if (record->created == 0)
		record->created = clock_now();
	rv = registry_change(lifecycle->registry, &signer, lifecycle->config->expires_after,
	                     build_store, record);
	if (rv == CKR_OK)
		log_info("token %s: object %lld is stored", lifecycle->config->name,
		         (long long)record->object);
	return rv;
}

/* context: the object's number. */
static CK_RV
build_remove(struct registry *registry, struct change *change, void *context)
{
	struct object_record *record = NULL;
	CK_RV rv = registry_object(registry, *(const int64_t *)context, &record);

	if (rv != CKR_OK)
		return rv;
	attributes_clear(&record->attributes);
	record->removed = true;
	rv = change_add_object(change, record);
	object_record_free(&record);
	return rv;
}

CK_RV
lifecycle_remove_object(struct lifecycle *lifecycle, int64_t object)
{
	struct signer signer = authority_signer_use(lifecycle->signer);
	CK_RV rv = registry_change(lifecycle->registry, &signer, lifecycle->config->expires_after,
	                           build_remove, &object);

	if (rv == CKR_OK)
		log_info("token %s: object %lld is removed", lifecycle->config->name,
		         (long long)object);
	return rv;
}
