/* SPDX-License-Identifier: Apache-2.0 */
#include "lifecycle/adopt.h"

#include "base/log.h"
#include "lifecycle/commit.h"
#include "lifecycle/create.h"
#include "mechanism/public-key.h"

#include <string.h>

CK_RV
lifecycle_knows(struct lifecycle *lifecycle, const struct buffer *id, bool *ret_known)
{
	struct registry_search search = { .id = id->data, .id_size = id->size, .destroyed = true };
	int64_t object;
	size_t count;
	CK_RV rv;

	rv = registry_search(lifecycle->registry, &search, &object, 1, &count);
	if (rv == CKR_OK)
		*ret_known = count != 0;
	return rv;
}

/* The public half as the KMS has it; it came from elsewhere, so it is looked at closely. */
static CK_RV
read_public_half(struct lifecycle *lifecycle, struct version *version, struct deadline deadline)
{
	const char *why = NULL;
	CK_RV rv;

	rv = kms_public_key(lifecycle->kms, version->id.data, version->id.size, deadline,
	                    &version->spki);
	if (rv != CKR_OK)
		return rv;
	version->algorithm = spki_algorithm(&version->spki);
	if (version->algorithm == NULL) {
		why = "its algorithm is not one that a key can have";
		rv = CKR_PUBLIC_KEY_INVALID;
	} else {
		rv = public_key_check(version->spki.data, version->spki.size, version->algorithm, &why);
	}
	if (rv != CKR_OK)
		log_error("token %s: the public key of %s is not taken in: %s", lifecycle->config->name,
		          version->name, why != NULL ? why : ckr_name(rv));
	return rv;
}

static CK_RV
settle_usage(struct lifecycle *lifecycle, unsigned usage, struct version *version,
             struct deadline deadline)
{
	CK_RV rv;

	if ((usage & ~usage_possible(version->algorithm)) != 0)
		return CKR_ATTRIBUTE_VALUE_INVALID;
	version->usage = usage;
	if (usage != 0)
		return lifecycle_prove(lifecycle->kms, lifecycle->token, usage, version->id.data,
		                       version->id.size, &version->spki, deadline);
	rv = lifecycle_try(lifecycle->kms, lifecycle->token,
	                   usage_default(version->algorithm, lifecycle->token), version->id.data,
	                   version->id.size, &version->spki, deadline, &version->usage);
	if (rv == CKR_FUNCTION_FAILED)
		log_error("token %s: the private key of %s neither signs nor decrypts nor derives with its public half",
		          lifecycle->config->name, version->name);
	return rv;
}

static CK_RV
adopted_version(const struct adoption *adoption, struct version **ret_version)
{
	struct version *version = NULL;
	CK_RV rv;

	if (!record_name_valid(adoption->name, strlen(adoption->name)) || adoption->number < 1 ||
	    adoption->id->size == 0 || adoption->id->size > RECORD_ID_MAX)
		return CKR_ATTRIBUTE_VALUE_INVALID;
	rv = version_new(&version);
	if (rv != CKR_OK)
		return rv;
	version->number = adoption->number;
	version->local = adoption->local;
	version->created = clock_now();
	version->protect_from = version->created;
	version->name = strdup(adoption->name);
	rv = version->name == NULL ? CKR_HOST_MEMORY :
	                             buffer_set(&version->id, adoption->id->data, adoption->id->size);
	if (rv == CKR_OK)
		*ret_version = version;
	else
		version_free(&version);
	return rv;
}

/* Made to be active later, by what the KMS keeps of it, it is so here; not when a later one is current. */
static CK_RV
settle_start(struct lifecycle *lifecycle, const struct adoption *adoption,
             struct deadline deadline, struct version *version, struct commit *commit)
{
	int64_t start = 0;
	CK_RV rv = kms_pair_start(lifecycle->kms, adoption->id->data, adoption->id->size, deadline,
	                          &start);

	if (rv != CKR_OK || adoption->superseded || start <= version->created || start > RECORD_TIME_MAX)
		return rv;
	version->protect_from = start;
	commit->pre_active = true;
	return CKR_OK;
}

/* How often the key rotates, and so how long this version protects. */
static CK_RV
settle_period(struct lifecycle *lifecycle, const struct adoption *adoption,
              const struct version *version, struct commit *commit)
{
	struct key_record *key = NULL;
	CK_RV rv;

	commit->rotate_every = adoption->rotate_every < 0 ? lifecycle->config->rotate_every
	                                                  : adoption->rotate_every;
	rv = registry_key(lifecycle->registry, adoption->name, &key);
	if (rv == CKR_OK && adoption->new_key_only)
		rv = CKR_ATTRIBUTE_VALUE_INVALID;
	else if (rv == CKR_OK)
		commit->rotate_every = key->rotate_every;
	else if (rv == CKR_OBJECT_HANDLE_INVALID)
		rv = CKR_OK;
	key_record_free(&key);
	commit->protect_until = protect_until(lifecycle->config, version->protect_from,
	                                      commit->rotate_every);
	return rv;
}

/* Up to the commit. */
static CK_RV
prepare(struct lifecycle *lifecycle, const struct adoption *adoption, struct deadline deadline,
        struct commit *commit, struct version **ret_version)
{
	struct version *version = NULL;
	bool known = false;
	CK_RV rv;

	rv = adopted_version(adoption, &version);
	if (rv != CKR_OK)
		return rv;
	rv = settle_start(lifecycle, adoption, deadline, version, commit);
	if (rv == CKR_OK)
		rv = lifecycle_knows(lifecycle, adoption->id, &known);
	if (rv == CKR_OK && known)
		rv = CKR_ACTION_PROHIBITED;
	if (rv == CKR_OK && adoption->hidden)
		rv = CKR_OBJECT_HANDLE_INVALID;
	if (rv == CKR_OK)
		rv = settle_period(lifecycle, adoption, version, commit);
	if (rv != CKR_OK)
		goto out;
	rv = read_public_half(lifecycle, version, deadline);
	if (rv != CKR_OK)
		goto out;
	rv = kms_check_private(lifecycle->kms, version->id.data, version->id.size, deadline);
	if (rv != CKR_OK && rv != CKR_KEY_HANDLE_INVALID) /* what is not there proves nothing */
		goto out;
	rv = settle_usage(lifecycle, adoption->usage, version, deadline);
	if (rv != CKR_OK)
		goto out;
	*ret_version = version;
	version = NULL;
out:
	version_free(&version);
	return rv;
}

CK_RV
lifecycle_adoptable(struct lifecycle *lifecycle, const struct adoption *adoption,
                    struct deadline deadline, bool *ret_later)
{
	struct commit commit = { .version = NULL };
	struct version *version = NULL;
	CK_RV rv;

	rv = prepare(lifecycle, adoption, deadline, &commit, &version);
	*ret_later = commit.pre_active;
	version_free(&version);
	return rv;
}

CK_RV
lifecycle_adopt(struct lifecycle *lifecycle, const struct adoption *adoption,
                struct deadline deadline, struct version **ret_version)
{
	struct commit commit = {
		.new_key_only = adoption->new_key_only, .keep_policy = true,
		.superseded = adoption->superseded
	};
	struct version *version = NULL;
	CK_RV rv;

	rv = prepare(lifecycle, adoption, deadline, &commit, &version);
	if (rv != CKR_OK)
		return rv;
	commit.version = version;
	rv = version_commit(lifecycle, &commit);
	if (rv != CKR_OK)
		goto out;
	log_info("token %s: took %s@%lld in, %s", lifecycle->config->name, version->name,
	         (long long)version->number, version->algorithm->name);
	*ret_version = version;
	version = NULL;
out:
	version_free(&version);
	return rv;
}
