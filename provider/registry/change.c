/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Appending to the log. Signing may take long (the KMS does it), so the file is not locked
 * meanwhile: what was built on a head that is no longer the last is built again.
 */
#include "registry/change.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/openssl.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <openssl/rand.h>

#define TRIES_MAX 50
#define PAUSE_MAX_MS 32

void
addition_clear(struct addition *addition)
{
	entry_clear(&addition->entry);
	buffer_clear(&addition->id);
	buffer_clear(&addition->label);
	free(addition->name);
	if (addition->successor != NULL) {
		authority_free(&addition->successor->authority);
		buffer_clear(&addition->successor->id);
		free(addition->successor);
		addition->successor = NULL;
	}
}

static void
additions_clear(struct additions *additions)
{
	for (size_t i = 0; i < additions->count; i++)
		addition_clear(&additions->items[i]);
	free(additions->items);
	additions->items = NULL;
	additions->count = 0;
}

int64_t
change_next(const struct change *change)
{
	return change->follows.sequence + (int64_t)change->now.count + 1;
}

void
change_intended(struct change *change)
{
	change->intended = INTENDED;
}

void
change_intended_failed(struct change *change)
{
	change->intended = INTENDED_FAILED;
}

CK_RV
change_take(struct change *change, struct addition *addition)
{
	struct addition *grown;

	grown = reallocarray(change->now.items, change->now.count + 1, sizeof *grown);
	if (grown == NULL) {
		addition_clear(addition);
		return CKR_HOST_MEMORY;
	}
	change->now.items = grown;
	addition->entry.sequence = change_next(change);
	grown[change->now.count++] = *addition;
	return CKR_OK;
}

static bool
additions_begin(const struct additions *additions, const struct version *version)
{
	for (size_t i = 0; i < additions->count; i++) {
		const struct addition *addition = &additions->items[i];

		if (addition->first && addition->object == version->object &&
		    buffer_equal(&addition->id, version->id.data, version->id.size))
			return true;
	}
	return false;
}

/*
 * A version that has no entry yet. One that a try before this one numbered, and which the
 * caller adds again as it is, has none either.
 */
static bool
version_is_new(const struct change *change, const struct version *version)
{
	if (version->object == 0)
		return true;
	return additions_begin(&change->former, version) && !additions_begin(&change->now, version);
}

CK_RV
change_add_version(struct change *change, struct version *version)
{
	struct addition addition = { .kind = ADDITION_VERSION };
	int64_t sequence = change_next(change);
	int64_t object = version->object;
	CK_RV rv;

	addition.first = version_is_new(change, version);
	if (addition.first)
		version->object = sequence;
	rv = version_encode(version, &addition.entry.payload);
	if (rv != CKR_OK)
		goto out;
	addition.object = version->object;
	addition.number = version->number;
	addition.state = version->state;
	rv = buffer_set(&addition.id, version->id.data, version->id.size);
	if (rv != CKR_OK)
		goto out;
	addition.name = strdup(version->name);
	if (addition.name == NULL) {
		rv = CKR_HOST_MEMORY;
		goto out;
	}
	rv = change_take(change, &addition);
	memset(&addition, 0, sizeof addition);
	if (rv == CKR_OK)
		version->sequence = sequence;
out:
	addition_clear(&addition);
	if (rv != CKR_OK)
		version->object = object;
	return rv;
}

CK_RV
change_add_key(struct change *change, const struct key_record *key)
{
	struct addition addition = { .kind = ADDITION_KEY };
	CK_RV rv;

	rv = key_record_encode(key, &addition.entry.payload);
	if (rv != CKR_OK)
		return rv;
	addition.name = strdup(key->name);
	if (addition.name == NULL) {
		addition_clear(&addition);
		return CKR_HOST_MEMORY;
	}
	return change_take(change, &addition);
}

CK_RV
change_add_token(struct change *change, const struct token_record *token)
{
	struct addition addition = { .kind = ADDITION_TOKEN };
	CK_RV rv;

	rv = token_record_encode(token, &addition.entry.payload);
	if (rv != CKR_OK)
		return rv;
	return change_take(change, &addition);
}

static CK_RV
addition_attribute(const struct object_record *record, CK_ATTRIBUTE_TYPE type,
                   struct buffer *ret_value)
{
	const struct attribute *attribute = attributes_find(&record->attributes, type);

	if (attribute == NULL)
		return buffer_set(ret_value, NULL, 0);
	return buffer_set(ret_value, attribute->value.data, attribute->value.size);
}

CK_RV
change_add_object(struct change *change, struct object_record *record)
{
	struct addition addition = { .kind = ADDITION_OBJECT, .removed = record->removed };
	int64_t object = record->object;
	CK_RV rv;

	/* As in version_is_new: the number of a try that came too late is no number. */
	addition.first = object == 0;
	for (size_t i = 0; i < change->former.count; i++)
		if (change->former.items[i].kind == ADDITION_OBJECT &&
		    change->former.items[i].first && change->former.items[i].object == object)
			addition.first = true;
	if (addition.first)
		record->object = change_next(change);
	addition.object = record->object;
	addition.class = attributes_ulong(&record->attributes, CKA_CLASS, 0);
	rv = object_record_encode(record, &addition.entry.payload);
	if (rv == CKR_OK)
		rv = addition_attribute(record, CKA_LABEL, &addition.label);
	if (rv == CKR_OK)
		rv = addition_attribute(record, CKA_ID, &addition.id);
	if (rv == CKR_OK)
		rv = change_take(change, &addition);
	else
		addition_clear(&addition);
	if (rv != CKR_OK)
		record->object = object;
	return rv;
}

/* The head that the change will follow, checked: what is signed next vouches for it. */
static CK_RV
follow(struct registry *registry, struct change *change)
{
	struct highest highest = registry_highest(registry);
	struct head_row row = { .present = false };
	uint64_t generation = 0;
	const char *wrong = NULL;
	CK_RV rv;

	succession_release(&change->succession);
	rv = registry_read_head(registry, &highest, &row, &change->succession, &generation);
	if (rv != CKR_OK)
		return rv;
	memset(&change->follows, 0, sizeof change->follows);
	if (row.absent && row.last == 0) {
		rv = registry_guard(registry, &highest, &change->follows, change->succession);
		goto out;
	}
	rv = head_row_check(&row, succession_current(change->succession)->authority, &wrong);
	if (rv == CKR_OK && wrong != NULL) {
		log_error("%s: %s; nothing was changed; run p11-kms verify", registry->path, wrong);
		rv = CKR_DEVICE_ERROR;
	}
	if (rv == CKR_OK)
		rv = registry_guard(registry, &highest, &row.head, change->succession);
	if (rv == CKR_OK)
		change->follows = row.head;
out:
	head_row_clear(&row);
	return rv;
}

/* Signs, and checks that the signer is the authority which hosts have pinned, or follow to. */
static CK_RV
sign(const struct registry *registry, const struct signer *signer, const struct term *term,
     const struct buffer *message, struct buffer *ret_signature)
{
	CK_RV rv;

	buffer_clear(ret_signature);
	rv = signer->sign(signer->context, term, message->data, message->size, ret_signature);
	if (rv != CKR_OK)
		return rv;
	rv = authority_verify(term->authority, message->data, message->size, ret_signature->data,
	                      ret_signature->size);
	if (rv == CKR_SIGNATURE_INVALID) {
		log_error("%s: the KMS's signature is not by the pinned authority %s; nothing was changed; "
		          "check that the configuration names the right KMS and authority", registry->path,
		          authority_fingerprint(term->authority));
		return CKR_DEVICE_ERROR;
	}
	return rv;
}

/* A hand-over is signed by the one that hands over; ret_term: who signs what comes next. */
static CK_RV
sign_entries(const struct registry *registry, const struct signer *signer, struct change *change,
             unsigned char *hash, const struct term **ret_term)
{
	const struct term *term = succession_current(change->succession);
	struct buffer message = BUFFER_INIT;
	CK_RV rv = CKR_OK;

	for (size_t i = 0; i < change->now.count; i++) {
		struct addition *addition = &change->now.items[i];
		struct entry *entry = &addition->entry;

		memcpy(entry->previous, hash, CHAIN_HASH_SIZE);
		rv = entry_message(entry, &message);
		if (rv == CKR_OK)
			rv = sign(registry, signer, term, &message, &entry->signature);
		if (rv == CKR_OK)
			rv = entry_hash(entry, hash);
		if (rv != CKR_OK)
			break;
		if (addition->kind == ADDITION_HANDOVER)
			term = addition->successor;
	}
	buffer_clear(&message);
	*ret_term = term;
	return rv;
}

static CK_RV
sign_head(const struct registry *registry, const struct signer *signer, const struct term *term,
          const struct registry_head *head, struct buffer *ret_signature)
{
	struct buffer message = BUFFER_INIT;
	CK_RV rv;

	rv = head_message(head, &message);
	if (rv == CKR_OK)
		rv = sign(registry, signer, term, &message, ret_signature);
	buffer_clear(&message);
	return rv;
}

static CK_RV
append_all(struct store *store, const struct change *change, const struct registry_head *head,
           const struct buffer *signature)
{
	CK_RV rv;

	for (size_t i = 0; i < change->now.count; i++) {
		const struct addition *addition = &change->now.items[i];

		rv = chain_append(store, &addition->entry);
		if (rv != CKR_OK)
			return rv;
		rv = index_addition(store, addition, change->intended);
		if (rv != CKR_OK)
			return rv;
	}
	return chain_head_write(store, head, signature);
}

/*
 * Nobody has been faster. A new head over the same entries does no harm, unless it was signed
 * after ours: over the same entries the one signed last counts.
 */
static CK_RV
still_last(struct store *store, const struct registry_head *follows,
           const struct registry_head *head, bool *ret_last)
{
	struct head_row row = { .present = false };
	CK_RV rv;

	rv = chain_head(store, &row);
	if (rv != CKR_OK)
		return rv;
	*ret_last = !store_replaced(store) && row.last == follows->sequence &&
	            (follows->sequence == 0 ? row.absent :
	             row.present && row.head.sequence == follows->sequence &&
	             (head->sequence > row.head.sequence || head->issued >= row.head.issued) &&
	             memcmp(row.head.hash, follows->hash, CHAIN_HASH_SIZE) == 0);
	head_row_clear(&row);
	return CKR_OK;
}

/* *ret_late: someone was faster, nothing was written. */
static CK_RV
commit(struct registry *registry, const struct change *change, const struct registry_head *head,
       const struct buffer *signature, bool *ret_late)
{
	bool last = false;
	CK_RV rv;

	*ret_late = false;
	(void)pthread_mutex_lock(&registry->lock);
	rv = store_run_plain(registry->store, BEGIN_WRITE);
	if (rv != CKR_OK)
		goto out;
	rv = still_last(registry->store, &change->follows, head, &last);
	if (rv == CKR_OK && !last) {
		*ret_late = true;
		rv = store_run_plain(registry->store, ROLLBACK);
		goto out;
	}
	if (rv == CKR_OK)
		rv = append_all(registry->store, change, head, signature);
	rv = registry_end_locked(registry, rv);
out:
	(void)pthread_mutex_unlock(&registry->lock);
	return rv;
}

/*
 * head: the one that this follows, with the sequence of the new one. A clock that was set back
 * must not make a head older than the one before it, where entries do not tell them apart.
 */
static void
head_date(const struct change *change, int64_t expires_after, struct registry_head *head)
{
	int64_t now = clock_now();

	head->expires = expires_after <= 0 || expires_after > RECORD_TIME_MAX - now ?
	                RECORD_TIME_MAX : now + expires_after;
	head->issued = now;
	if (head->sequence == change->follows.sequence && now < change->follows.issued)
		head->issued = change->follows.issued + 1;
}

/* Build, sign, commit, once. */
static CK_RV
change_try(struct registry *registry, const struct signer *signer, int64_t expires_after,
           registry_build build, void *context, struct change *change, bool *ret_late)
{
	struct buffer signature = BUFFER_INIT;
	const struct term *term = NULL;
	struct registry_head head;
	CK_RV rv;

	rv = follow(registry, change);
	if (rv != CKR_OK)
		return rv;
	rv = build(registry, change, context);
	if (rv != CKR_OK)
		return rv;
	if (change->follows.sequence == 0 &&
	    (change->now.count == 0 || change->now.items[0].kind != ADDITION_TOKEN)) {
		log_error("%s: is empty: its first entry must be the token's; run p11-kms init",
		          registry->path);
		return CKR_DATA_INVALID;
	}
	head = change->follows;
	rv = sign_entries(registry, signer, change, head.hash, &term);
	if (rv != CKR_OK)
		return rv;
	head.sequence = change_next(change) - 1;
	head_date(change, expires_after, &head);
	rv = sign_head(registry, signer, term, &head, &signature);
	if (rv == CKR_OK)
		rv = commit(registry, change, &head, &signature, ret_late);
	if (rv == CKR_OK && !*ret_late)
		registry_saw(registry, &head, term->authority);
	buffer_clear(&signature);
	return rv;
}

static void
pause_briefly(void)
{
	unsigned char random = 0;
	struct timespec pause = { 0, 0 };

	/* Two writers that met must not meet again; a pause that is not random does no harm. */
	if (RAND_bytes_ex(openssl_context(), &random, sizeof random, 0) != 1)
		(void)openssl_failure(CKR_OK);
	pause.tv_nsec = (1 + random % PAUSE_MAX_MS) * 1000000L;
	(void)nanosleep(&pause, NULL);
}

CK_RV
registry_change(struct registry *registry, const struct signer *signer, int64_t expires_after,
                registry_build build, void *context)
{
	struct change change;
	bool late = true;
	CK_RV rv = CKR_OK;

	if (registry->mode != REGISTRY_WRITE)
		return CKR_TOKEN_WRITE_PROTECTED;
	memset(&change, 0, sizeof change);
	for (int tries = 0; late && rv == CKR_OK; tries++) {
		late = false;
		if (tries == TRIES_MAX) {
			log_error("%s: others change it all the time; gave up after %d tries", registry->path,
			          TRIES_MAX);
			rv = CKR_FUNCTION_FAILED;
			break;
		}
		if (tries > 0)
			pause_briefly();
		additions_clear(&change.former);
		change.former = change.now;
		change.now = (struct additions){ NULL, 0 };
		change.intended = INTENDED_NOT;
		rv = change_try(registry, signer, expires_after, build, context, &change, &late);
	}
	additions_clear(&change.former);
	additions_clear(&change.now);
	succession_release(&change.succession);
	return rv;
}
