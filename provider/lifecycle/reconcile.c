/* SPDX-License-Identifier: Apache-2.0 */
#include "lifecycle/reconcile.h"

#include "base/date.h"
#include "base/log.h"
#include "lifecycle/authority-pair.h"
#include "lifecycle/commit.h"
#include "lifecycle/create.h"
#include "mechanism/public-key.h"

#include <stdlib.h>
#include <string.h>

const struct algorithm *
spki_algorithm(const struct buffer *spki)
{
	const struct algorithm *algorithm = NULL;
	struct public_key *key = NULL;
	struct buffer parameters = BUFFER_INIT;

	if (public_key_new(spki->data, spki->size, &key) != CKR_OK)
		return NULL;
	if (public_key_type(key) == CKK_RSA)
		algorithm = algorithm_rsa(public_key_bits(key));
	else if (public_key_attribute(key, CKA_EC_PARAMS, &parameters) == CKR_OK)
		algorithm = algorithm_ec(public_key_type(key), parameters.data, parameters.size);
	buffer_clear(&parameters);
	public_key_free(&key);
	return algorithm;
}

/* The version that the pair would have become. */
static CK_RV
intended_version(const struct found_pair *pair, const struct key_record *key,
                 const struct buffer *spki, struct version **ret_version)
{
	struct version *version = NULL;
	CK_RV rv;

	rv = version_new(&version);
	if (rv != CKR_OK)
		return rv;
	version->number = pair->number;
	version->local = true;
	version->created = clock_now();
	version->protect_from = pair->protect_from != 0 ? pair->protect_from : version->created;
	version->algorithm = spki_algorithm(spki);
	if (version->algorithm == NULL) {
		rv = CKR_PUBLIC_KEY_INVALID;
		goto out;
	}
	version->usage = usage_taken_up(key, version->algorithm);
	version->name = strdup(pair->name);
	if (version->name == NULL) {
		rv = CKR_HOST_MEMORY;
		goto out;
	}
	rv = buffer_set(&version->id, pair->id, pair->id_size);
	if (rv != CKR_OK)
		goto out;
	rv = buffer_set(&version->spki, spki->data, spki->size);
	if (rv != CKR_OK)
		goto out;
	*ret_version = version;
	version = NULL;
out:
	version_free(&version);
	return rv;
}

/*
 * What protects must do all that its key is for. An agreement may be left out: pairs that were
 * made to sign only were made so on purpose, and the pair does not tell.
 */
static CK_RV
prove(struct lifecycle *lifecycle, bool superseded, struct deadline deadline,
      struct version *version)
{
	unsigned proven = 0;
	CK_RV rv = pair_check_public(lifecycle, version);

	if (rv == CKR_OK)
		rv = lifecycle_try(lifecycle->kms, lifecycle->token, version->usage, version->id.data,
		                   version->id.size, &version->spki, deadline, &proven);
	if (rv == CKR_OK && !superseded && (version->usage & ~proven & ~(unsigned)USAGE_DERIVE) != 0)
		rv = CKR_FUNCTION_FAILED;
	if (rv == CKR_FUNCTION_FAILED)
		log_error("token %s: the private key of %s@%lld does not do with its public half what "
		          "its key is for", lifecycle->config->name, version->name,
		          (long long)version->number);
	if (rv == CKR_OK)
		version->usage = proven;
	return rv;
}

static int64_t
later(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

CK_RV
pair_finish(struct lifecycle *lifecycle, const struct found_pair *pair,
            const struct buffer *spki, bool dry_run, struct deadline deadline)
{
	struct commit commit = {
		.rotation_only = true, .found = true, .intended = pair->intended,
		.failed = pair->failed, .superseded = pair->superseded, .pre_active = pair->protect_from != 0,
		.keep_policy = pair->superseded,
	};
	struct version *version = NULL;
	struct key_record *key = NULL;
	CK_RV rv;

	rv = registry_key(lifecycle->registry, pair->name, &key);
	if (rv != CKR_OK || dry_run)
		goto out;
	rv = intended_version(pair, key, spki, &version);
	if (rv != CKR_OK)
		goto out;
	rv = prove(lifecycle, pair->superseded, deadline, version);
	if (rv != CKR_OK)
		goto out;
	commit.version = version;
	commit.protect_until =
	        protect_until(lifecycle->config, later(version->protect_from, version->created),
	                      key->rotate_every);
	rv = version_commit(lifecycle, &commit);
out:
	version_free(&version);
	key_record_free(&key);
	return rv;
}

/* What the KMS must label the pair. Caller frees. NULL: no memory. */
static char *
intent_label(const struct lifecycle *lifecycle, const struct intent *intent)
{
	return intent_is_authority(intent) ? authority_label(lifecycle->config->name, intent->number) :
	                                     pair_label(intent->name, intent->number);
}

/*
 * May the pair be touched? An intent is not signed: it is believed only of a pair that the
 * KMS itself labels as the intent says, and that no entry of the log knows. Else anyone who
 * can write the file could have the authority, a version, or another program's key destroyed,
 * or made a version (and then have it sign what he likes).
 * CKR_ATTRIBUTE_VALUE_INVALID: no; CKR_KEY_HANDLE_INVALID: there is no pair.
 */
static CK_RV
check_claim(struct lifecycle *lifecycle, const struct intent *intent, const char *label,
            struct deadline deadline)
{
	const struct buffer *authority = &lifecycle->token->authority_id;
	bool known = buffer_equal(authority, intent->id.data, intent->id.size);
	CK_RV rv = CKR_OK;

	if (!known)
		rv = registry_log_has_id(lifecycle->registry, intent->id.data, intent->id.size, &known);
	if (rv != CKR_OK)
		return rv;
	if (known)
		return CKR_ATTRIBUTE_VALUE_INVALID;
	rv = kms_find_pair(lifecycle->kms, intent->id.data, intent->id.size, label, deadline);
	return rv == CKR_ACTION_PROHIBITED ? CKR_ATTRIBUTE_VALUE_INVALID : rv;
}

/* An intent that is not for a pair that may be touched goes alone. */
static CK_RV
drop(struct lifecycle *lifecycle, const struct intent *intent, const char *label, bool dry_run,
     enum reconciled *ret_result)
{
	struct registry_search search = {
		.id = intent->id.data, .id_size = intent->id.size, .destroyed = true
	};
	int64_t object;
	size_t count = 0;
	CK_RV rv = CKR_OK;

	if (intent_is_authority(intent) &&
	    buffer_equal(&lifecycle->token->authority_id, intent->id.data, intent->id.size))
		count = 1;
	else
		rv = registry_search(lifecycle->registry, &search, &object, 1, &count);
	if (rv != CKR_OK)
		return rv;
	/*
	 * With a version in the index, or as the authority that signs, it is nothing but late: the
	 * commit came through after all.
	 */
	*ret_result = count != 0 ? RECONCILED_DROPPED : RECONCILED_UNTRUE;
	if (dry_run)
		return CKR_OK;
	if (count == 0)
		log_warning("token %s: what the registry says of an interrupted creation of %s is not true "
		            "of the key with that CKA_ID, which stays as it is; run p11-kms verify, and "
		            "find out who has changed the registry's file", lifecycle->config->name, label);
	return registry_intent_remove(lifecycle->registry, intent->id.data, intent->id.size);
}

/* Given up, and looked at after that: no commit can come in between. */
static CK_RV
undo_given_up(struct lifecycle *lifecycle, const struct intent *intent, const char *label,
              bool dry_run, enum reconciled *ret_result)
{
	struct deadline deadline = deadline_patient(lifecycle->config);
	const struct buffer *id = &intent->id;
	CK_RV rv = check_claim(lifecycle, intent, label, deadline);

	if (rv == CKR_ATTRIBUTE_VALUE_INVALID)
		return drop(lifecycle, intent, label, dry_run, ret_result);
	if (rv == CKR_OK && !registry_remembers(lifecycle->registry)) {
		log_warning("token %s: the pair \"%s\", which an interrupted creation seems to have left, "
		            "stays in the KMS: this host can't keep what it has seen of the registry",
		            lifecycle->config->name, label);
		*ret_result = RECONCILED_LEFT;
		return CKR_OK;
	}
	if (rv != CKR_OK && rv != CKR_KEY_HANDLE_INVALID)
		return rv;
	*ret_result = RECONCILED_UNDONE;
	if (dry_run)
		return CKR_OK;
	rv = kms_destroy_labelled(lifecycle->kms, id->data, id->size, label, deadline);
	if (rv == CKR_OK)
		rv = registry_intent_remove(lifecycle->registry, id->data, id->size);
	if (rv == CKR_OK)
		log_info("token %s: undid %s, which an interrupted creation left", lifecycle->config->name,
		         label);
	return rv;
}

/* Another host may have finished or undone it meanwhile: then its intent is gone. */
static CK_RV
undo(struct lifecycle *lifecycle, const struct intent *intent, const char *label, bool dry_run,
     enum reconciled *ret_result)
{
	bool given_up = true;
	CK_RV rv = CKR_OK;

	if (!dry_run)
		rv = registry_intent_give_up(lifecycle->registry, intent->id.data, intent->id.size,
		                             &given_up);
	if (rv == CKR_OK && given_up)
		return undo_given_up(lifecycle, intent, label, dry_run, ret_result);
	*ret_result = RECONCILED_DROPPED;
	return rv;
}

/*
 * When a version that was to be active later shall be so; 0: it was not to be. What the intent says
 * is not signed: it makes nothing active before the pair's own date, which is that of the intent,
 * less than a day late.
 */
static int64_t
settle_start(int64_t asked, int64_t of_pair)
{
	if (of_pair > RECORD_TIME_MAX)
		of_pair = 0;
	return asked == 0 || asked <= of_pair - DAY_SECONDS ? of_pair : asked;
}

static CK_RV
finish(struct lifecycle *lifecycle, const struct intent *intent, const char *label, bool dry_run)
{
	struct deadline deadline = deadline_patient(lifecycle->config);
	struct found_pair pair = {
		.name = intent->name, .number = intent->number, .id = intent->id.data,
		.id_size = intent->id.size, .intended = true,
	};
	struct buffer spki = BUFFER_INIT;
	CK_RV rv;

	if (intent->removing || intent_is_authority(intent))
		return CKR_ACTION_PROHIBITED;
	rv = check_claim(lifecycle, intent, label, deadline);
	pair.failed = pair.superseded = intent->given_up;
	if (rv == CKR_OK && intent->undo_only) {
		rv = kms_pair_start(lifecycle->kms, pair.id, pair.id_size, deadline, &pair.protect_from);
		pair.protect_from = settle_start(intent->protect_from, pair.protect_from);
		pair.superseded = pair.protect_from == 0;
	}
	if (rv == CKR_OK)
		rv = kms_public_key(lifecycle->kms, intent->id.data, intent->id.size, deadline, &spki);
	if (rv == CKR_OK)
		rv = pair_finish(lifecycle, &pair, &spki, dry_run, deadline);
	buffer_clear(&spki);
	if (rv == CKR_OK && !dry_run)
		log_info("token %s: finished %s, which an interrupted creation left",
		         lifecycle->config->name, label);
	return rv;
}

CK_RV
intent_reconcile(struct lifecycle *lifecycle, const struct intent *intent, bool dry_run,
                 enum reconciled *ret_result)
{
	char *label = intent_label(lifecycle, intent);
	CK_RV rv;

	if (label == NULL)
		return CKR_HOST_MEMORY;
	rv = finish(lifecycle, intent, label, dry_run);
	switch (rv) {
	case CKR_OK:
		*ret_result = RECONCILED_FINISHED;
		break;
	case CKR_ATTRIBUTE_VALUE_INVALID: /* not a pair that the intent may speak for */
	case CKR_KEY_HANDLE_INVALID:      /* no pair in the KMS */
	case CKR_OBJECT_HANDLE_INVALID:   /* no such key */
	case CKR_ACTION_PROHIBITED:       /* its removal had begun, or it is an authority's */
	case CKR_PUBLIC_KEY_INVALID:
	case CKR_FUNCTION_FAILED:
		rv = undo(lifecycle, intent, label, dry_run, ret_result);
		break;
	case CKR_FUNCTION_CANCELED: /* another host was faster, or its maker has just given it up */
		*ret_result = RECONCILED_DROPPED;
		rv = CKR_OK;
		break;
	default:
		break;
	}
	free(label);
	return rv;
}
