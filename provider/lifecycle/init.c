/* SPDX-License-Identifier: Apache-2.0 */
#include "lifecycle/lifecycle.h"

#include "base/log.h"
#include "lifecycle/authority-pair.h"
#include "lifecycle/authority-rotate.h"
#include "lifecycle/authority-signer.h"
#include "lifecycle/describe.h"

#include <errno.h>
#include <libgen.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/*
 * The steps, each of which a second run finds done: the pair in the KMS, the pinned file, the
 * registry, its token record. A pair that no pinned file tells of can't be told from another
 * host's, but when it is all that the KMS holds.
 */
struct init {
	const struct config_token *config; /* borrowed */
	struct kms *kms;                   /* borrowed */
	struct deadline deadline;
	struct authority *authority; /* the pinned one; owned, and so are those that follow */
	struct succession *succession; /* of the registry that is there, where it can be read */
	struct registry *registry;
	struct token_record *token;
	bool recover; /* the registry is lost: lifecycle_recover */
	bool dry_run; /* nothing is made: would it be? */
	bool anew;    /* what the KMS holds is not this token's, or given up */
	bool made;
	char *why;
};

static CK_RV refuse(struct init *init, CK_RV rv, const char *format, ...) PRINTF_LIKE(3, 4);

static CK_RV
refuse(struct init *init, CK_RV rv, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	if (vasprintf(&init->why, format, arguments) < 0)
		init->why = NULL;
	va_end(arguments);
	return rv;
}

static bool
is_there(const char *path)
{
	struct stat status;

	return lstat(path, &status) == 0;
}

/* Before anything is made that could then not be written down. */
static CK_RV
check_folder(struct init *init, const char *path)
{
	char *copy = strdup(path);
	const char *folder;
	CK_RV rv = CKR_OK;

	if (copy == NULL)
		return CKR_HOST_MEMORY;
	folder = dirname(copy);
	if (access(folder, F_OK) != 0)
		rv = refuse(init, CKR_ARGUMENTS_BAD, "%s: the folder is not there; make it: mkdir -p %s",
		            folder, folder);
	else if (!is_there(path) && access(folder, W_OK | X_OK) != 0)
		rv = refuse(init, CKR_ARGUMENTS_BAD, "%s: can't make %s there: %s", folder, path,
		            strerror(errno));
	free(copy);
	return rv;
}

/* A registry that is there may say that the pinned authority has handed over to another. */
static const struct authority *
signing(struct init *init)
{
	char *why = NULL;

	/* What is wrong with it is told when it is needed: settle_registry. */
	if (is_there(init->config->registry) &&
	    (registry_open(init->config->registry, init->authority, REGISTRY_WRITE, &init->registry,
	                   &why) != CKR_OK ||
	     registry_succession(init->registry, &init->succession) != CKR_OK))
		succession_release(&init->succession);
	registry_free(&init->registry);
	free(why);
	return init->succession == NULL ? init->authority :
	                                  succession_current(init->succession)->authority;
}

static CK_RV
find_pinned(struct init *init, const struct kms_listing *listing)
{
	CK_RV rv;

	if (!authority_read(init->config->authority, &init->authority, &init->why))
		return CKR_ARGUMENTS_BAD;
	rv = authority_find(init->kms, listing, signing(init), init->deadline,
	                    &init->token->authority_id);
	if (rv == CKR_KEY_HANDLE_INVALID)
		rv = refuse(init, rv, "%s: the KMS of token %s does not hold this authority (%s); is its "
		            "\"kms\" the right one? If the authority was rotated and its former ones purged, move "
		            "this file away and run p11-kms rebuild. To begin anew, move it and %s away",
		            init->config->authority, init->config->name,
		            authority_fingerprint(init->authority), init->config->registry);
	return rv;
}

/* The lowest number above that one which an authority of this token has; 0: none. */
static int64_t
own_after(const struct kms_listing *listing, int64_t number)
{
	int64_t lowest = 0;

	for (size_t i = 0; i < listing->count; i++) {
		int64_t own = listing->keys[i].own;

		if (own > number && (lowest == 0 || own < lowest))
			lowest = own;
	}
	return lowest;
}

/* The authority of this token that the others came after. NULL: none, or several. */
static const struct kms_listing_key *
oldest(const struct kms_listing *listing)
{
	int64_t lowest = own_after(listing, 0);

	return lowest == 0 ? NULL : kms_listing_own(listing, lowest, NULL);
}

/* A run that was killed before it could write the pinned file left the only pair there is. */
static CK_RV
adopt(struct init *init, const struct kms_listing *listing)
{
	struct buffer *id = &init->token->authority_id;
	struct buffer spki = BUFFER_INIT;
	CK_RV rv = CKR_KEY_HANDLE_INVALID;

	const struct kms_listing_key *key = oldest(listing);

	if (key != NULL)
		rv = buffer_set(id, key->id.data, key->id.size);
	if (rv == CKR_OK)
		rv = kms_public_key(init->kms, id->data, id->size, init->deadline, &spki);
	if (rv == CKR_OK)
		rv = authority_new(spki.data, spki.size, &init->authority);
	buffer_clear(&spki);
	return rv;
}

static CK_RV
generate(struct init *init)
{
	char *label = authority_label(init->config->name, 1);
	CK_RV rv;

	if (label == NULL)
		return CKR_HOST_MEMORY;
	rv = authority_id_make(&init->token->authority_id);
	if (rv == CKR_OK)
		rv = authority_generate(init->kms, init->token, label, &init->token->authority_id,
		                        init->deadline, &init->authority);
	free(label);
	return rv;
}

/* Made anew it would hide what the KMS holds, and name the next versions as those are named. */
static CK_RV
refuse_if_lost(struct init *init, const struct kms_listing *listing)
{
	const struct config_token *config = init->config;

	if (init->recover || init->anew || is_there(config->registry))
		return CKR_OK;
	if (is_there(config->authority) && listing->versions != 0)
		return refuse(init, CKR_ARGUMENTS_BAD,
		              "%s is not there, but the KMS of token %s holds %zu %s labelled NAME@VERSION. "
		              "Correct the path in the configuration, put a backup of the registry back, "
		              "or run: p11-kms rebuild. Only if these are another registry's, begin this one "
		              "beside them: p11-kms init --anew", config->registry, config->name,
		              listing->versions, listing->versions == 1 ? "pair" : "pairs");
	if (!is_there(config->authority) &&
	    (listing->own > 1 || (listing->own == 1 && listing->versions != 0)))
		return refuse(init, CKR_ARGUMENTS_BAD,
		              "%s and %s are not there, but the KMS of token %s holds %zu %s of that name, "
		              "and %zu %s labelled NAME@VERSION. Correct the paths in the configuration, copy "
		              "both files from a host or a backup that has them, or run: p11-kms rebuild. Only "
		              "if these are another registry's, begin this one beside them: p11-kms init --anew",
		              config->registry, config->authority, config->name, listing->own,
		              listing->own == 1 ? "authority" : "authorities", listing->versions,
		              listing->versions == 1 ? "pair" : "pairs");
	return CKR_OK;
}

/* Of a token that had another name, perhaps. */
static void
warn_of_others(const struct init *init, const struct kms_listing *listing)
{
	if (listing->own != 0)
		log_warning("token %s: its KMS holds %zu other %s of that name; hosts of that one need "
		            "its %s and registry, not these",
		            init->config->name, listing->own,
		            listing->own == 1 ? "authority" : "authorities", init->config->authority);
	else if (listing->versions != 0)
		log_warning("token %s: its KMS also holds %zu %s labelled NAME@VERSION, which this registry "
		            "does not have; were they this token's under another name, see BACKUP AND "
		            "RESTORE in p11-kms(1)", init->config->name, listing->versions,
		            listing->versions == 1 ? "pair" : "pairs");
}

static CK_RV
make_pinned(struct init *init, const struct kms_listing *listing)
{
	struct buffer *id = &init->token->authority_id;
	bool fresh = !init->recover && (listing->own != 1 || listing->versions != 0);
	CK_RV rv;

	if (init->recover && oldest(listing) == NULL)
		return refuse(init, CKR_ARGUMENTS_BAD,
		              "the KMS of token %s holds %zu authorities of that name, and %s is not there: "
		              "copy this file from a host that has it", init->config->name, listing->own,
		              init->config->authority);

	if (is_there(init->config->registry))
		return refuse(init, CKR_ARGUMENTS_BAD,
		              "%s is there, but its authority %s is not: copy the authority's file from a "
		              "host that has it, or move the registry away to begin anew",
		              init->config->registry, init->config->authority);
	if (init->dry_run)
		return CKR_OK;
	if (fresh)
		warn_of_others(init, listing);
	rv = fresh ? generate(init) : adopt(init, listing);
	if (rv == CKR_OK)
		rv = lifecycle_prove(init->kms, init->token, USAGE_SIGN, id->data, id->size,
		                     authority_spki(init->authority), init->deadline);
	if (rv == CKR_OK && !authority_write(init->authority, init->config->authority, &init->why))
		rv = CKR_ARGUMENTS_BAD;
	if (rv != CKR_OK && fresh && id->size != 0 &&
	    kms_destroy_pair(init->kms, id->data, id->size, init->deadline) != CKR_OK)
		log_warning("token %s: a new authority that is not used stays in the KMS",
		            init->config->name);
	if (rv == CKR_OK) {
		init->made = true;
		log_info("token %s: %s the authority %s", init->config->name,
		         fresh ? "made" : "took up", authority_fingerprint(init->authority));
	}
	return rv;
}

static CK_RV
settle_authority(struct init *init)
{
	struct kms_listing listing;
	CK_RV rv;

	rv = token_describe(init->kms, init->deadline, NULL, 0, &init->token);
	if (rv != CKR_OK)
		return rv;
	rv = kms_listing_read(init->kms, init->config->name, init->deadline, &listing);
	if (rv != CKR_OK)
		return rv;
	if (!is_there(init->config->authority)) {
		rv = refuse_if_lost(init, &listing);
		if (rv == CKR_OK)
			rv = make_pinned(init, &listing);
	} else {
		rv = find_pinned(init, &listing);
		if (rv == CKR_OK)
			rv = refuse_if_lost(init, &listing);
	}
	kms_listing_clear(&listing);
	return rv;
}

static CK_RV
build(struct registry *registry, struct change *change, void *context)
{
	(void)registry;
	return change_add_token(change, context);
}

/* SQLite would take a log that is left of another registry for this one's. */
static CK_RV
make_registry(struct init *init)
{
	const char *path = init->config->registry;
	char *log;
	bool left;

	if (asprintf(&log, "%s-wal", path) < 0)
		return CKR_HOST_MEMORY;
	left = is_there(log);
	free(log);
	if (left)
		return refuse(init, CKR_ARGUMENTS_BAD,
		              "%s-wal is left of a registry that is gone: move it and %s-shm away too",
		              path, path);
	if (init->recover)
		return registry_create_anew(path, init->authority, &init->registry, &init->why);
	return registry_create(path, init->authority, &init->registry, &init->why);
}

/* CKR_FUNCTION_FAILED, CKR_PUBLIC_KEY_INVALID: what is left of an interrupted rotation. */
static CK_RV
hand_over_to(struct init *init, const struct signer *signer, const struct authority *from,
             const struct kms_listing_key *key)
{
	struct authority *to = NULL;
	struct buffer spki = BUFFER_INIT;
	CK_RV rv;

	rv = kms_public_key(init->kms, key->id.data, key->id.size, init->deadline, &spki);
	if (rv == CKR_OK)
		rv = authority_new(spki.data, spki.size, &to);
	if (rv == CKR_OK)
		rv = lifecycle_prove(init->kms, init->token, USAGE_SIGN, key->id.data, key->id.size, &spki,
		                     init->deadline);
	if (rv == CKR_OK)
		rv = authority_hand_over(init->config, init->registry, signer, from, to, &key->id, false);
	buffer_clear(&spki);
	authority_free(&to);
	return rv;
}

/*
 * The registry that is lost may have been handed over: to the authorities of this token in the
 * KMS that have a higher number than the one that begins. Hosts that pin one of them follow.
 */
static CK_RV
hand_over_again(struct init *init, const struct signer *signer)
{
	const struct buffer *id = &init->token->authority_id;
	struct succession *succession = NULL;
	struct kms_listing listing;
	const struct kms_listing_key *key;
	int64_t number = 0;
	CK_RV rv;

	rv = kms_listing_read(init->kms, init->config->name, init->deadline, &listing);
	if (rv != CKR_OK)
		return rv;
	for (size_t i = 0; i < listing.count; i++) {
		if (listing.keys[i].own != 0 && buffer_equal(&listing.keys[i].id, id->data, id->size))
			number = listing.keys[i].own;
	}
	while (rv == CKR_OK && number != 0 && (number = own_after(&listing, number)) != 0) {
		key = kms_listing_own(&listing, number, NULL);
		if (key == NULL)
			continue;
		rv = registry_succession(init->registry, &succession);
		if (rv == CKR_OK)
			rv = hand_over_to(init, signer, succession_current(succession)->authority, key);
		succession_release(&succession);
		if (rv == CKR_FUNCTION_FAILED || rv == CKR_PUBLIC_KEY_INVALID ||
		    rv == CKR_KEY_HANDLE_INVALID) {
			log_warning("token %s: the authority number %lld in its KMS is no good, and is passed over",
			            init->config->name, (long long)number);
			rv = CKR_OK;
		}
	}
	kms_listing_clear(&listing);
	return rv;
}

static CK_RV
settle_registry(struct init *init)
{
	const struct config_token *config = init->config;
	const struct buffer *id = &init->token->authority_id;
	struct authority_signer *signer = NULL;
	struct token_record *token = NULL;
	struct signer use;
	CK_RV rv;

	if (init->registry != NULL)
		rv = CKR_OK;
	else if (is_there(config->registry))
		rv = registry_open(config->registry, init->authority, REGISTRY_WRITE, &init->registry,
		                   &init->why);
	else
		rv = make_registry(init);
	if (rv != CKR_OK)
		return rv;
	rv = registry_token(init->registry, &token);
	if (rv == CKR_OK && !buffer_equal(&token->authority_id, id->data, id->size))
		rv = refuse(init, CKR_ARGUMENTS_BAD, "%s is of a token with another authority than %s",
		            config->registry, config->authority);
	token_record_free(&token);
	if (rv != CKR_OBJECT_HANDLE_INVALID)
		return rv;
	rv = authority_signer_new(init->kms, config->deadline_ms, init->token, &signer);
	if (rv != CKR_OK)
		return rv;
	use = authority_signer_use(signer);
	rv = registry_change(init->registry, &use, config->expires_after, build, init->token);
	init->made |= rv == CKR_OK;
	if (rv == CKR_OK && init->recover)
		rv = hand_over_again(init, &use);
	authority_signer_free(&signer);
	return rv;
}

static CK_RV
run(struct init *init, bool *ret_made, char **ret_why)
{
	CK_RV rv;

	rv = check_folder(init, init->config->authority);
	if (rv == CKR_OK)
		rv = check_folder(init, init->config->registry);
	if (rv == CKR_OK)
		rv = settle_authority(init);
	if (rv == CKR_OK && !init->dry_run)
		rv = settle_registry(init);
	if (rv == CKR_OK)
		*ret_made = init->made;
	else
		*ret_why = init->why;
	registry_free(&init->registry);
	succession_release(&init->succession);
	token_record_free(&init->token);
	authority_free(&init->authority);
	return rv;
}

CK_RV
lifecycle_init(const struct config_token *config, struct kms *kms, bool anew,
               struct deadline deadline, bool *ret_made, char **ret_why)
{
	struct init init = { .config = config, .kms = kms, .deadline = deadline, .anew = anew };

	return run(&init, ret_made, ret_why);
}

CK_RV
lifecycle_recover(const struct config_token *config, struct kms *kms, bool dry_run,
                  struct deadline deadline, bool *ret_made, char **ret_why)
{
	struct init init = {
		.config = config, .kms = kms, .deadline = deadline, .recover = true, .dry_run = dry_run,
	};

	return run(&init, ret_made, ret_why);
}
