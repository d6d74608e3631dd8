/* SPDX-License-Identifier: Apache-2.0 */
#include "token/token.h"

#include "base/log.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

/* How stale a handle's version may be: a key rotated elsewhere stops protecting within this. */
#define POLL_EVERY_MS 1000

CK_RV
token_new(const struct config_token *config, CK_SLOT_ID slot, struct role_memory *roles,
          struct token **ret_token)
{
	struct token *token = calloc(1, sizeof *token);
	CK_RV rv;

	if (token == NULL)
		return CKR_HOST_MEMORY;
	token->config = config;
	rv = object_table_new(token, roles, &token->objects);
	if (rv == CKR_OK && config->kms != NULL)
		rv = kms_new(config, &token->kms);
	if (rv != CKR_OK) {
		object_table_free(&token->objects);
		free(token);
		return rv;
	}
	token->slot = slot;
	pthread_mutex_init(&token->lock, NULL);
	pthread_cond_init(&token->turned, NULL);
	*ret_token = token;
	return CKR_OK;
}

void
token_free(struct token **token)
{
	if (*token == NULL)
		return;
	object_table_free(&(*token)->objects);
	lifecycle_free(&(*token)->lifecycle);
	registry_free(&(*token)->writer);
	key_cache_free(&(*token)->keys);
	token_record_free(&(*token)->record);
	registry_free(&(*token)->registry);
	authority_free(&(*token)->authority);
	kms_free(&(*token)->kms);
	pthread_mutex_destroy(&(*token)->lock);
	pthread_cond_destroy(&(*token)->turned);
	free(*token);
	*token = NULL;
}

void
token_abandon(struct token **token)
{
	if (*token == NULL)
		return;
	/*
	 * The parent's connections are shared with it and its locks may be held for ever, so
	 * they are left as they are; the few kilobytes are the price.
	 */
	if ((*token)->writer != NULL)
		registry_abandon(&(*token)->writer);
	if ((*token)->registry != NULL)
		registry_abandon(&(*token)->registry);
	if ((*token)->kms != NULL)
		kms_forked((*token)->kms);
	*token = NULL;
}

/* A file that is not there means that init was not run here; all else that something is broken. */
static CK_RV
file_failure(const char *path, CK_RV rv)
{
	return access(path, F_OK) != 0 && errno == ENOENT ? CKR_TOKEN_NOT_RECOGNIZED : rv;
}

/* Why it can't be opened: told once, however often an application asks. */
static void
token_complain_locked(struct token *token, CK_RV rv, const char *why)
{
	bool again = rv == token->told;

	token->told = rv;
	if (again || (rv != CKR_TOKEN_NOT_RECOGNIZED && why == NULL))
		return;
	if (rv == CKR_TOKEN_NOT_RECOGNIZED)
		log_error("token %s: not initialised%s%s; run: p11-kms init --token %s",
		          token->config->name, why != NULL ? ": " : "", why != NULL ? why : "",
		          token->config->name);
	else
		log_error("token %s: %s", token->config->name, why);
}

/* Opens what the first session needs, in the order in which one part needs the other. */
static CK_RV
token_open_locked(struct token *token)
{
	struct registry *registry = NULL;
	char *why = NULL;
	CK_RV rv;

	if (token->authority == NULL &&
	    !authority_read(token->config->authority, &token->authority, &why)) {
		rv = file_failure(token->config->authority, CKR_DEVICE_ERROR);
		goto out;
	}
	rv = registry_open(token->config->registry, token->authority, REGISTRY_READ, &registry,
	                   &why);
	if (rv != CKR_OK) {
		rv = file_failure(token->config->registry, rv);
		goto out;
	}
	if (token->record == NULL) {
		rv = registry_token(registry, &token->record);
		if (rv == CKR_OBJECT_HANDLE_INVALID)
			rv = CKR_TOKEN_NOT_RECOGNIZED;
		/* A broken one (logged) costs what the KMS does, not what is done here. */
		if (rv == CKR_DEVICE_ERROR)
			rv = CKR_OK;
		if (rv != CKR_OK)
			goto out;
	}
	if (token->keys == NULL) {
		rv = key_cache_new(registry, &token->keys);
		if (rv != CKR_OK)
			goto out;
	}
	token->registry = registry;
	registry = NULL;
	rv = token_poll(token, true);
out:
	token_complain_locked(token, rv, why);
	free(why);
	registry_free(&registry);
	return rv;
}

CK_RV
token_open(struct token *token)
{
	CK_RV rv = CKR_OK;

	pthread_mutex_lock(&token->lock);
	if (token->registry == NULL)
		rv = token_open_locked(token);
	pthread_mutex_unlock(&token->lock);
	return rv;
}

bool
token_needs_login(const struct token *token)
{
	return token->kms != NULL && !kms_logs_in_itself(token->kms);
}

bool
token_unlocked(const struct token *token)
{
	return token->kms != NULL && (token->logged_in || !token_needs_login(token));
}

bool
token_hides_private(const struct token *token)
{
	return !token->logged_in && token_needs_login(token);
}

/*
 * Logins and logouts take turns: what the KMS is told last must be what is true here, or the user
 * is logged in here and not there. No lock is held meanwhile; whoever waits does so for as long
 * as the KMS is given for its answer.
 */
static void
turn_begin_locked(struct token *token)
{
	while (token->turning)
		pthread_cond_wait(&token->turned, &token->lock);
	token->turning = true;
}

static void
turn_begin(struct token *token)
{
	pthread_mutex_lock(&token->lock);
	turn_begin_locked(token);
	pthread_mutex_unlock(&token->lock);
}

static void
turn_end(struct token *token)
{
	pthread_mutex_lock(&token->lock);
	token->turning = false;
	pthread_cond_signal(&token->turned);
	pthread_mutex_unlock(&token->lock);
}

CK_RV
token_login(struct token *token, const void *pin, size_t pin_size)
{
	/* From now on: those who wait for a KMS that is away fail when the first one does. */
	struct deadline deadline = token_deadline(token);
	CK_RV rv = CKR_USER_ALREADY_LOGGED_IN;

	if (token->kms == NULL)
		return CKR_USER_PIN_NOT_INITIALIZED;
	turn_begin(token);
	if (!token->logged_in)
		rv = kms_login(token->kms, pin, pin_size, deadline);
	if (rv == CKR_OK)
		token->logged_in = true;
	turn_end(token);
	return rv;
}

/* In one's turn, after logged_in was cleared: what else goes with the login. */
static void
logged_out(struct token *token)
{
	CK_RV rv;

	object_table_logout(token->objects);
	/* We are logged out whether or not the KMS can still be told so. */
	rv = kms_logout(token->kms, token_deadline(token));
	if (rv != CKR_OK)
		log_debug("token %s: logout at the KMS: %s", token->config->name, ckr_name(rv));
}

CK_RV
token_logout(struct token *token)
{
	bool was_in;

	turn_begin(token);
	was_in = atomic_exchange(&token->logged_in, false);
	if (was_in)
		logged_out(token);
	turn_end(token);
	return was_in ? CKR_OK : CKR_USER_NOT_LOGGED_IN;
}

void
token_left(struct token *token, bool read_write)
{
	bool last, was_in = false;

	pthread_mutex_lock(&token->lock);
	token->session_count--;
	if (read_write)
		token->rw_session_count--;
	last = token->session_count == 0 && token->logged_in;
	if (last) {
		turn_begin_locked(token);
		/* A session that is opened from here on logs in for itself. */
		if (token->session_count == 0)
			was_in = atomic_exchange(&token->logged_in, false);
	}
	pthread_mutex_unlock(&token->lock);
	if (was_in)
		logged_out(token);
	if (last)
		turn_end(token);
}

CK_RV
token_set_pin(struct token *token, const void *old_pin, size_t old_size, const void *new_pin,
              size_t new_size)
{
	if (token->kms == NULL)
		return CKR_TOKEN_WRITE_PROTECTED;
	return kms_set_pin(token->kms, old_pin, old_size, new_pin, new_size,
	                   token_deadline(token));
}

CK_RV
token_poll(struct token *token, bool always)
{
	struct registry_head head = { 0 };
	int64_t now_ms = clock_coarse_ms();
	uint64_t generation;
	CK_RV rv;

	if (!always && now_ms - token->polled_ms < POLL_EVERY_MS)
		return CKR_OK;
	rv = registry_generation(token->registry, &generation);
	if (rv != CKR_OK)
		return rv;
	if (generation != token->generation || token->polled_ms == 0) {
		/* A broken head stops protecting (token_fresh), not everything. */
		rv = registry_head(token->registry, &head);
		if (rv == CKR_HOST_MEMORY)
			return rv;
		if (rv != CKR_OK && registry_turned_back(token->registry, NULL))
			return CKR_DEVICE_ERROR;
		token->expires = rv == CKR_OK ? head.expires : 0;
		token->generation = generation;
	}
	token->polled_ms = now_ms;
	return CKR_OK;
}

CK_RV
token_key(struct token *token, int64_t object, struct key **ret_key)
{
	struct key *key;
	CK_RV rv = token_poll(token, false);

	if (rv != CKR_OK)
		return rv;
	rv = key_cache_get(token->keys, object, token->generation, &key);
	if (rv != CKR_OK)
		return rv;
	if (!version_visible(key->version)) {
		key_release(&key);
		return CKR_OBJECT_HANDLE_INVALID;
	}
	*ret_key = key;
	return CKR_OK;
}

CK_RV
token_fresh(struct token *token)
{
	char expired[CLOCK_RFC3339_SIZE];

	if (!registry_expired(token->expires, clock_now()))
		return CKR_OK;
	if (token->expires == 0) {
		log_error("token %s: the registry's head is broken, so nothing more is encrypted "
		          "under its keys; run: p11-kms verify", token->config->name);
	} else {
		clock_format(token->expires, expired);
		log_error("token %s: the registry expired at %s, so nothing more is encrypted "
		          "under its keys; run p11-kms refresh where the KMS can be reached",
		          token->config->name, expired);
	}
	return CKR_DEVICE_ERROR;
}

/* Asks the KMS for its authority: without the token's lock, which others need to go on. */
static CK_RV
token_lifecycle_make(const struct token *token, struct registry **ret_writer,
                     struct lifecycle **ret_lifecycle)
{
	struct registry *writer = NULL;
	char *why = NULL;
	CK_RV rv;

	rv = registry_open(token->config->registry, token->authority, REGISTRY_WRITE, &writer, &why);
	if (rv != CKR_OK) {
		log_error("token %s: %s", token->config->name, why != NULL ? why : ckr_name(rv));
		free(why);
		return rv;
	}
	rv = lifecycle_open(token->config, token->kms, writer, token->authority, ret_lifecycle);
	if (rv == CKR_OK)
		*ret_writer = writer;
	else
		registry_free(&writer);
	return rv;
}

CK_RV
token_lifecycle(struct token *token, struct lifecycle **ret_lifecycle)
{
	struct lifecycle *lifecycle = NULL;
	struct registry *writer = NULL;
	bool made;
	CK_RV rv;

	if (token->kms == NULL)
		return CKR_TOKEN_WRITE_PROTECTED;
	pthread_mutex_lock(&token->lock);
	made = token->lifecycle != NULL;
	pthread_mutex_unlock(&token->lock);
	if (!made) {
		rv = token_lifecycle_make(token, &writer, &lifecycle);
		if (rv != CKR_OK)
			return rv;
	}
	pthread_mutex_lock(&token->lock);
	/* Of two threads that made one, the first one's is kept. */
	if (token->lifecycle == NULL) {
		token->lifecycle = lifecycle;
		token->writer = writer;
		lifecycle = NULL;
		writer = NULL;
	}
	*ret_lifecycle = token->lifecycle;
	pthread_mutex_unlock(&token->lock);
	lifecycle_free(&lifecycle);
	registry_free(&writer);
	return CKR_OK;
}

bool
token_offers(const void *context, CK_MECHANISM_TYPE primitive)
{
	const struct token *token = context;

	return token->kms != NULL && token->record != NULL &&
	       token_record_has(token->record, primitive);
}

CK_FLAGS
token_mechanism_flags(const struct token *token, const struct mechanism *mechanism)
{
	return mechanism_flags(mechanism, token->config->legacy_decrypt, token_offers, token);
}

CK_RV
token_mechanism(const struct token *token, CK_MECHANISM_TYPE type, CK_FLAGS flag,
                const struct mechanism **ret_mechanism)
{
	const struct mechanism *mechanism = mechanism_find(type);

	if (mechanism == NULL || (token_mechanism_flags(token, mechanism) & flag) == 0)
		return CKR_MECHANISM_INVALID;
	*ret_mechanism = mechanism;
	return CKR_OK;
}

struct deadline
token_deadline(const struct token *token)
{
	return deadline_in(token->config->deadline_ms);
}
