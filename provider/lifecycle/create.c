/* SPDX-License-Identifier: Apache-2.0 */
#include "lifecycle/create.h"

#include "base/log.h"
#include "base/openssl.h"
#include "base/text.h"
#include "lifecycle/certificate.h"
#include "lifecycle/commit.h"
#include "lifecycle/reconcile.h"
#include "mechanism/public-key.h"

#include <openssl/rand.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ID_SIZE 16 /* bytes of an id made here; libp11 fails on ids of more than 20 */

unsigned
usage_possible(const struct algorithm *algorithm)
{
	switch (algorithm->key_type) {
	case CKK_RSA:
		return USAGE_DECRYPT | USAGE_SIGN | USAGE_UNWRAP;
	case CKK_EC:
		return USAGE_SIGN | USAGE_DERIVE;
	case CKK_EC_MONTGOMERY:
		return USAGE_DERIVE;
	default:
		return USAGE_SIGN;
	}
}

unsigned
usage_default(const struct algorithm *algorithm, const struct token_record *token)
{
	/* A key that unwraps does not decrypt as well (token/version-object.c): ask for it. */
	unsigned usage = usage_possible(algorithm) & ~(unsigned)USAGE_UNWRAP;

	if (!token_record_has(token, CKM_ECDH1_DERIVE))
		usage &= ~(unsigned)USAGE_DERIVE;
	/* Nobody must encrypt for a KMS that can't decrypt. */
	if (!token_record_has(token, CKM_RSA_PKCS_OAEP) && !token_record_has(token, CKM_RSA_X_509))
		usage &= ~(unsigned)(USAGE_DECRYPT | USAGE_UNWRAP);
	return usage;
}

unsigned
usage_taken_up(const struct key_record *key, const struct algorithm *algorithm)
{
	unsigned usage = key->usage & usage_possible(algorithm);

	return usage != 0 ? usage : usage_possible(algorithm);
}

int64_t
protect_until(const struct config_token *config, int64_t from, int64_t rotate_every)
{
	return rotate_every == 0 ? 0 : from + rotate_every + config->expires_after;
}

/* A given id must be free in the KMS too: undoing this creation would remove what has it. */
static CK_RV
settle_id(struct lifecycle *lifecycle, const struct create_request *request,
          struct deadline deadline, struct buffer *ret_id)
{
	unsigned char random[ID_SIZE];
	CK_RV rv;

	if (request->id == NULL) {
		if (RAND_bytes_ex(openssl_context(), random, sizeof random, 0) != 1)
			return openssl_failure(CKR_FUNCTION_FAILED);
		return buffer_set(ret_id, random, sizeof random);
	}
	if (request->id_size == 0 || request->id_size > RECORD_ID_MAX)
		return CKR_ATTRIBUTE_VALUE_INVALID;
	rv = kms_find_pair(lifecycle->kms, request->id, request->id_size, NULL, deadline);
	if (rv == CKR_OK || rv == CKR_ACTION_PROHIBITED) {
		log_info("an id that was asked for is in use in the KMS of token %s",
		            lifecycle->config->name);
		return CKR_ATTRIBUTE_VALUE_INVALID;
	}
	if (rv != CKR_KEY_HANDLE_INVALID)
		return rv;
	return buffer_set(ret_id, request->id, request->id_size);
}

static CK_RV
settle_name(const struct create_request *request, struct version *version)
{
	if (request->name != NULL)
		version->name = strdup(request->name);
	else
		version->name = hex_dup(version->id.data, version->id.size);
	if (version->name == NULL)
		return CKR_HOST_MEMORY;
	if (!record_name_valid(version->name, strlen(version->name)))
		return CKR_ATTRIBUTE_VALUE_INVALID;
	return CKR_OK;
}

/* Algorithm and usage: as asked for, else the key's own, else the configuration's. */
static CK_RV
settle_algorithm(const struct lifecycle *lifecycle, const struct create_request *request,
                 const struct key_record *key, struct version *version)
{
	version->algorithm = request->algorithm;
	if (version->algorithm == NULL && key != NULL)
		version->algorithm = key->algorithm;
	if (version->algorithm == NULL)
		version->algorithm = algorithm_by_name(lifecycle->config->algorithm);
	if (version->algorithm == NULL)
		return CKR_GENERAL_ERROR; /* the configuration was checked when it was read */
	version->usage = request->usage;
	if (version->usage == 0 && key != NULL)
		version->usage = key->usage & usage_possible(version->algorithm);
	if (version->usage == 0)
		version->usage = usage_default(version->algorithm, lifecycle->token);
	if ((version->usage & ~usage_possible(version->algorithm)) != 0)
		return CKR_ATTRIBUTE_VALUE_INVALID;
	return CKR_OK;
}

static CK_RV
settle_period(const struct lifecycle *lifecycle, const struct create_request *request,
              struct version *version, struct commit *commit)
{
	int64_t from;

	version->created = clock_now();
	version->protect_from =
	        request->protect_from != 0 ? request->protect_from : version->created;
	/* A period that began in the past, by a CKA_START_DATE, still has the whole interval. */
	from = version->protect_from > version->created ? version->protect_from : version->created;
	commit->protect_until = request->protect_until;
	if (commit->protect_until == 0)
		commit->protect_until = protect_until(lifecycle->config, from, commit->rotate_every);
	else if (commit->protect_until <= version->protect_from)
		return CKR_ATTRIBUTE_VALUE_INVALID;
	return CKR_OK;
}

/* All that can be known before the KMS makes the pair. */
static CK_RV
settle(struct lifecycle *lifecycle, const struct create_request *request,
       struct deadline deadline, struct version *version, struct commit *commit)
{
	struct key_record *key = NULL;
	CK_RV rv;

	rv = settle_id(lifecycle, request, deadline, &version->id);
	if (rv != CKR_OK)
		return rv;
	rv = settle_name(request, version);
	if (rv != CKR_OK)
		return rv;
	rv = registry_key(lifecycle->registry, version->name, &key);
	if (rv == CKR_OK && request->new_key_only)
		rv = CKR_ATTRIBUTE_VALUE_INVALID;
	else if (rv == CKR_OBJECT_HANDLE_INVALID && !request->rotation_only)
		rv = CKR_OK;
	if (rv != CKR_OK)
		goto out;
	rv = settle_algorithm(lifecycle, request, key, version);
	if (rv != CKR_OK)
		goto out;
	commit->rotate_every = request->rotate_every < 0 ? lifecycle->config->rotate_every
	                                                 : request->rotate_every;
	if (key != NULL)
		commit->rotate_every = key->rotate_every;
	rv = settle_period(lifecycle, request, version, commit);
	if (rv != CKR_OK)
		goto out;
	version->local = true;
	if (request->subject != NULL)
		rv = buffer_set(&version->subject, request->subject, request->subject_size);
out:
	key_record_free(&key);
	return rv;
}

CK_RV
pair_check_public(const struct lifecycle *lifecycle, const struct version *version)
{
	const char *why = NULL;
	CK_RV rv;

	rv = public_key_check(version->spki.data, version->spki.size, version->algorithm, &why);
	if (rv != CKR_OK)
		log_error("the KMS of token %s made a bad public key for %s: %s",
		          lifecycle->config->name, version->name, why != NULL ? why : ckr_name(rv));
	return rv;
}

static CK_RV
pair_check(struct lifecycle *lifecycle, const struct version *version, struct deadline deadline)
{
	CK_RV rv = pair_check_public(lifecycle, version);

	if (rv != CKR_OK)
		return rv;
	return lifecycle_prove(lifecycle->kms, lifecycle->token, version->usage, version->id.data,
	                       version->id.size, &version->spki, deadline);
}

char *
pair_label(const char *name, int64_t number)
{
	return text_format("%s@%lld", name, (long long)number);
}

static CK_RV
generate(struct lifecycle *lifecycle, struct version *version, bool pre_active,
         struct deadline deadline)
{
	struct kms_pair pair = {
		.algorithm = version->algorithm,
		.id = version->id.data,
		.id_size = version->id.size,
		/* Keys are unwrapped by decrypting: the unwrapped one lives here, not in the KMS. */
		.decrypt = (version->usage & (USAGE_DECRYPT | USAGE_UNWRAP)) != 0,
		.sign = (version->usage & USAGE_SIGN) != 0,
		.unwrap = (version->usage & USAGE_UNWRAP) != 0,
		.derive = (version->usage & USAGE_DERIVE) != 0,
		.start = pre_active ? version->protect_from : 0,
	};
	struct buffer stored = BUFFER_INIT;
	char *label = pair_label(version->name, version->number);
	CK_RV rv;

	if (label == NULL)
		return CKR_HOST_MEMORY;
	pair.label = label;
	rv = kms_generate_pair(lifecycle->kms, &pair, deadline, &version->spki);
	if (rv != CKR_OK)
		goto out;
	rv = kms_public_key(lifecycle->kms, version->id.data, version->id.size, deadline, &stored);
	if (rv == CKR_OK && !buffer_equal(&version->spki, stored.data, stored.size)) {
		log_error("the KMS of token %s stored another public key for %s than it made",
		          lifecycle->config->name, label);
		rv = CKR_FUNCTION_FAILED;
	}
out:
	buffer_clear(&stored);
	free(label);
	return rv;
}

/*
 * After a failure: removes what the KMS made, then the intent. What can't be removed now is
 * left to refresh, with its intent given up: the caller is told that it failed, so that it must
 * not become the current version behind his back; it only processes, as another host may have
 * taken the pair up. Given up first of all: a refresh elsewhere may be about to finish it, or to
 * take up a pair that has lost its intent. asked: the KMS may have
 * made something. The call's own deadline may have passed: that is often why it failed.
 */
static void
undo(struct lifecycle *lifecycle, const struct version *version, bool asked)
{
	struct deadline deadline = deadline_in(lifecycle->config->deadline_ms);
	const struct buffer *id = &version->id;
	char *label = pair_label(version->name, version->number);
	bool given_up = false;
	CK_RV rv;

	rv = registry_intent_take_back(lifecycle->registry, version->name, version->number, id->data,
	                               id->size, &given_up);
	if (rv == CKR_OK && !given_up)
		log_warning("the creation of %s@%lld failed, but the registry has it: look at it with "
		            "p11-kms show", version->name, (long long)version->number);
	else if (rv != CKR_OK)
		log_warning("the creation of %s@%lld failed, is not undone yet, and could not be marked as "
		            "failed: `p11-kms refresh` undoes or finishes it, from a minute after its "
		            "beginning on", version->name, (long long)version->number);
	else if (label == NULL ||
	         (asked && kms_destroy_labelled(lifecycle->kms, id->data, id->size, label, deadline) !=
	                           CKR_OK) ||
	         registry_intent_remove(lifecycle->registry, id->data, id->size) != CKR_OK)
		log_warning("the creation of %s@%lld failed and is not undone yet: from a minute from now on "
		            "`p11-kms refresh` removes what it left, or keeps it as a version that only "
		            "decrypts and verifies", version->name, (long long)version->number);
	free(label);
}

void
log_given_up(const struct lifecycle *lifecycle, const char *label, int64_t begun)
{
	log_error("token %s: another p11-kms gave the creation of \"%s\" up after %lld s, as if it had "
	          "been interrupted: it is undone. Run it again; a creation may take %d s",
	          lifecycle->config->name, label, (long long)(clock_now() - begun), INTENT_AGE);
}

/* Whether what was asked for can be told from the pair and its key: then a refresh may finish it. */
static bool
others_can_finish(struct lifecycle *lifecycle, const struct create_request *request,
                  const struct version *version)
{
	struct key_record *key = NULL;
	bool can = false;

	if (request->protect_from != 0 || request->protect_until != 0 || request->pre_active ||
	    request->subject != NULL ||
	    registry_key(lifecycle->registry, version->name, &key) != CKR_OK)
		return false;
	can = version->usage == usage_taken_up(key, version->algorithm);
	key_record_free(&key);
	return can;
}

/* undo_only: it was asked for with more than the pair tells. */
static bool
as_asked_for(const struct commit *commit, bool undo_only, const struct version *version)
{
	const struct version *wanted = commit->version;

	if (version->usage != wanted->usage ||
	    !buffer_equal(&version->spki, wanted->spki.data, wanted->spki.size))
		return false;
	return !undo_only ||
	       (commit->pre_active && version->state == STATE_PRE_ACTIVE &&
	        version->protect_from == wanted->protect_from &&
	        version->protect_until == commit->protect_until && wanted->subject.size == 0);
}

/*
 * A refresh took it for interrupted, and finished it just as it was asked for.
 * CKR_ACTION_PROHIBITED: no.
 */
static CK_RV
finished_elsewhere(struct lifecycle *lifecycle, const struct commit *commit, bool undo_only,
                   struct version **ret_version)
{
	const struct version *wanted = commit->version;
	struct registry_search search = {
		.name = wanted->name, .number = wanted->number,
		.id = wanted->id.data, .id_size = wanted->id.size,
	};
	struct version *version = NULL;
	int64_t object;
	size_t count;
	CK_RV rv;

	rv = registry_search(lifecycle->registry, &search, &object, 1, &count);
	if (rv == CKR_OK && count == 0)
		rv = CKR_ACTION_PROHIBITED;
	if (rv == CKR_OK)
		rv = registry_version(lifecycle->registry, object, &version);
	if (rv != CKR_OK)
		return rv;
	if (!as_asked_for(commit, undo_only, version)) {
		version_free(&version);
		return CKR_ACTION_PROHIBITED;
	}
	*ret_version = version;
	return CKR_OK;
}

/* Generates, proves and commits what is intended; undoes it when that fails. */
static CK_RV
carry_out(struct lifecycle *lifecycle, struct commit *commit, bool undo_only,
          struct deadline deadline)
{
	struct version *version = commit->version, *finished = NULL;
	int64_t begun = clock_now();
	char *label;
	bool asked;
	CK_RV rv;

	rv = generate(lifecycle, version, commit->pre_active, deadline);
	asked = rv != CKR_USER_NOT_LOGGED_IN;
	if (rv == CKR_OK)
		rv = pair_check(lifecycle, version, deadline);
	if (rv == CKR_OK)
		rv = version_commit(lifecycle, commit);
	if (rv == CKR_ACTION_PROHIBITED &&
	    finished_elsewhere(lifecycle, commit, undo_only, &finished) == CKR_OK) {
		version_free(&commit->version);
		commit->version = finished;
		return CKR_OK;
	}
	if (rv == CKR_FUNCTION_CANCELED) {
		label = pair_label(version->name, version->number);
		log_given_up(lifecycle, label != NULL ? label : version->name, begun);
		free(label);
	}
	if (rv != CKR_OK)
		undo(lifecycle, version, asked);
	return rv == CKR_FUNCTION_CANCELED ? CKR_FUNCTION_FAILED : rv;
}

/* The most numbers that are passed over. */
#define TAKEN_MAX 1000

/*
 * A host with a registry of its own may have made a version of that number already: two pairs of one
 * name would be taken for each other. Where both make one at the same moment, neither sees the
 * other's: with a registry each, one host should make the versions (p11-kms(1)).
 */
static CK_RV
number_used(struct lifecycle *lifecycle, const struct version *version, int64_t number,
            struct deadline deadline, bool *ret_used)
{
	char *label = pair_label(version->name, number);
	CK_RV rv;

	if (label == NULL)
		return CKR_HOST_MEMORY;
	rv = kms_label_used(lifecycle->kms, label, deadline, ret_used);
	if (rv == CKR_OK && *ret_used)
		log_info("token %s: the KMS has a pair \"%s\" already, which this registry does not know: the "
		         "number is passed over", lifecycle->config->name, label);
	free(label);
	return rv;
}

static CK_RV
intend(struct lifecycle *lifecycle, const struct create_request *request, struct version *version,
       bool undo_only, struct deadline deadline)
{
	struct intention intention = {
		.name = version->name, .id = version->id.data, .id_size = version->id.size,
		.protect_from = request->pre_active ? version->protect_from : 0, .undo_only = undo_only,
	};
	int64_t number = 0;
	bool used;
	CK_RV rv;

	for (int passed = 0; passed <= TAKEN_MAX; passed++) {
		used = false;
		rv = registry_intend(lifecycle->registry, &intention, &number);
		if (rv != CKR_OK)
			return rv;
		rv = number_used(lifecycle, version, number, deadline, &used);
		if (rv == CKR_OK && !used) {
			version->number = number;
			return CKR_OK;
		}
		/* Nothing was made yet. */
		if (registry_intent_remove(lifecycle->registry, intention.id, intention.id_size) != CKR_OK ||
		    rv != CKR_OK)
			return rv != CKR_OK ? rv : CKR_FUNCTION_FAILED;
		intention.least = number + 1;
	}
	return CKR_FUNCTION_FAILED;
}

CK_RV
version_create(struct lifecycle *lifecycle, const struct create_request *request, int64_t replaces,
               struct deadline deadline, struct version **ret_version)
{
	struct commit commit = {
		.new_key_only = request->new_key_only,
		.rotation_only = request->rotation_only,
		.replaces = replaces,
		.policy = request->policy,
		.pre_active = request->pre_active,
		.intended = true,
	};
	struct version *version = NULL;
	bool undo_only;
	CK_RV rv;

	rv = version_new(&version);
	if (rv != CKR_OK)
		return rv;
	commit.version = version;
	rv = settle(lifecycle, request, deadline, version, &commit);
	if (rv != CKR_OK)
		goto out;
	undo_only = !others_can_finish(lifecycle, request, version);
	rv = intend(lifecycle, request, version, undo_only, deadline);
	if (rv == CKR_OK)
		rv = carry_out(lifecycle, &commit, undo_only, deadline);
	version = commit.version;
	if (rv != CKR_OK)
		goto out;
	log_info("token %s: made %s@%lld, %s", lifecycle->config->name, version->name,
	         (long long)version->number, version->algorithm->name);
	*ret_version = version;
	version = NULL;
out:
	version_free(&version);
	return rv;
}

CK_RV
lifecycle_create(struct lifecycle *lifecycle, const struct create_request *request,
                 struct deadline deadline, struct version **ret_version)
{
	CK_RV rv;

	rv = version_create(lifecycle, request, 0, deadline, ret_version);
	if (rv == CKR_OK)
		version_certify(lifecycle, *ret_version, deadline);
	return rv == CKR_ACTION_PROHIBITED ? CKR_FUNCTION_FAILED : rv;
}
