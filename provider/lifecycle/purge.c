/* SPDX-License-Identifier: Apache-2.0 */
#include "lifecycle/purge.h"

#include "base/log.h"
#include "lifecycle/authority-signer.h"

static bool
purge_due(const struct key_record *key, const struct version *version)
{
	return version->state == STATE_DESTROY_PENDING &&
	       lifecycle_purge_time(key, version) <= clock_now();
}

struct target {
	int64_t object;
	bool at_once; /* whatever is left of the grace */
	int64_t newest; /* the version's entry that the log was asked for already; 0: it was not */
};

/* The walk takes long, and is not made again for the same entry: by then the pair is gone. */
static CK_RV
read_target(struct registry *registry, const struct target *target, struct version **ret_version,
            struct key_record **ret_key)
{
	struct version *version = NULL;
	CK_RV rv;

	if (target->newest == 0)
		return registry_version_newest(registry, target->object, ret_version, ret_key);
	rv = registry_version(registry, target->object, &version);
	if (rv == CKR_OK && version->sequence != target->newest) {
		version_free(&version);
		return registry_version_newest(registry, target->object, ret_version, ret_key);
	}
	if (rv == CKR_OK)
		rv = registry_key(registry, version->name, ret_key);
	if (rv == CKR_OK)
		*ret_version = version;
	else
		version_free(&version);
	return rv;
}

static CK_RV
build(struct registry *registry, struct change *change, void *context)
{
	const struct target *target = context;
	struct version *version = NULL;
	struct key_record *key = NULL;
	CK_RV rv;

	rv = read_target(registry, target, &version, &key);
	if (rv != CKR_OK)
		return rv;
	if (!purge_due(key, version) &&
	    !(target->at_once && version->state == STATE_DESTROY_PENDING)) {
		rv = CKR_ACTION_PROHIBITED; /* perhaps another host was faster */
		goto out;
	}
	version->before = STATE_ACTIVE;
	version->state = STATE_DESTROYED;
	version->state_since = clock_now();
	rv = change_add_version(change, version);
out:
	key_record_free(&key);
	version_free(&version);
	return rv;
}

static CK_RV
commit(struct lifecycle *lifecycle, const struct version *version, struct target target)
{
	struct signer signer = authority_signer_use(lifecycle->signer);
	CK_RV rv;

	rv = registry_change(lifecycle->registry, &signer, lifecycle->config->expires_after, build,
	                     &target);
	if (rv == CKR_OK)
		log_info("token %s: destroyed %s@%lld for good", lifecycle->config->name, version->name,
		         (long long)version->number);
	return rv;
}

static void
log_finding(void *context, int64_t sequence, int64_t object, const char *what)
{
	(void)context;
	(void)object;
	log_error("entry %lld %s", (long long)sequence, what);
}

/*
 * Whoever can write the registry's file can make its index name an older entry, signed as it
 * is, in which a version was to be destroyed that was restored later. For decrypting that is
 * nothing; a pair that is destroyed is lost. So the whole registry is looked at before, once;
 * and as he may change the index at any moment, the log is asked again for each version.
 */
static CK_RV
check_log(struct lifecycle *lifecycle)
{
	int64_t entries = 0, findings = 0;
	CK_RV rv;

	if (atomic_load(&lifecycle->log_checked))
		return CKR_OK;
	rv = registry_verify(lifecycle->registry, log_finding, NULL, &entries, &findings);
	if (rv == CKR_OK && findings != 0) {
		log_error("token %s: nothing is destroyed for good while the registry is not as it was "
		          "signed; see p11-kms verify", lifecycle->config->name);
		rv = CKR_DEVICE_ERROR;
	}
	if (rv == CKR_OK)
		atomic_store(&lifecycle->log_checked, true);
	return rv;
}

static CK_RV
remove_pair(struct lifecycle *lifecycle, const struct version *version)
{
	return kms_destroy_pair(lifecycle->kms, version->id.data, version->id.size,
	                        deadline_patient(lifecycle->config));
}

CK_RV
version_purge(struct lifecycle *lifecycle, int64_t object)
{
	struct version *version = NULL;
	struct key_record *key = NULL;
	CK_RV rv;

	rv = check_log(lifecycle);
	if (rv == CKR_OK)
		rv = registry_version_newest(lifecycle->registry, object, &version, &key);
	if (rv == CKR_OK && !purge_due(key, version))
		rv = CKR_ACTION_PROHIBITED;
	/* In this order: a crash between the two leaves the version to the next refresh. */
	if (rv == CKR_OK)
		rv = remove_pair(lifecycle, version);
	if (rv == CKR_OK)
		rv = commit(lifecycle, version, (struct target){ object, false, version->sequence });
	key_record_free(&key);
	version_free(&version);
	return rv;
}

CK_RV
lifecycle_purge(struct lifecycle *lifecycle, int64_t object)
{
	struct version *version = NULL;
	CK_RV rv;

	rv = registry_version(lifecycle->registry, object, &version);
	if (rv != CKR_OK)
		return rv;
	/*
	 * The other way round: it may still be restored, and must not come back without its
	 * private half. A pair that is left then belongs to a destroyed version: refresh removes it.
	 */
	rv = commit(lifecycle, version, (struct target){ object, true, 0 });
	if (rv == CKR_OK) {
		rv = remove_pair(lifecycle, version);
		/* Not the version's state, which was as it should be: the KMS has said why. */
		if (rv == CKR_ACTION_PROHIBITED)
			rv = CKR_FUNCTION_FAILED;
	}
	version_free(&version);
	return rv;
}
