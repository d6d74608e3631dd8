/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/succession-read.h"

#include "registry/succession-record.h"

#include <stdlib.h>
#include <string.h>

void
handovers_clear(struct handovers *handovers)
{
	for (size_t i = 0; i < handovers->count; i++)
		entry_clear(&handovers->entries[i]);
	free(handovers->entries);
	*handovers = (struct handovers){ NULL, 0 };
}

/* An entry that is missing or malformed stays without payload: it is no hand-over. */
static CK_RV
handovers_add(sqlite3_stmt *row, struct handovers *handovers)
{
	struct entry *grown, *entry;
	CK_RV rv;

	grown = reallocarray(handovers->entries, handovers->count + 1, sizeof *grown);
	if (grown == NULL)
		return CKR_HOST_MEMORY;
	handovers->entries = grown;
	entry = &grown[handovers->count++];
	memset(entry, 0, sizeof *entry);
	entry->sequence = sqlite3_column_int64(row, 0);
	rv = entry_column(row, 1, entry);
	if (rv == CKR_DEVICE_ERROR) {
		entry_clear(entry);
		rv = CKR_OK;
	}
	return rv;
}

CK_RV
handovers_read(struct store *store, struct handovers *ret_handovers)
{
	struct handovers handovers = { NULL, 0 };
	sqlite3_stmt *row = NULL;
	bool exists = false;
	int result = SQLITE_DONE;
	CK_RV rv;

	rv = store_has_table(store, HANDOVER_TABLE, &exists);
	if (rv == CKR_OK && exists)
		rv = store_statement(store, HANDOVERS, &row);
	while (rv == CKR_OK && exists && (result = sqlite3_step(row)) == SQLITE_ROW)
		rv = handovers_add(row, &handovers);
	if (rv == CKR_OK && result != SQLITE_DONE)
		rv = store_failure(store, result);
	store_done(row);
	if (rv != CKR_OK) {
		handovers_clear(&handovers);
		return rv;
	}
	*ret_handovers = handovers;
	return CKR_OK;
}

CK_RV
handovers_unmoved(struct store *store, const struct succession *succession, bool *ret_unmoved)
{
	sqlite3_stmt *row = NULL;
	bool exists = false, same = true;
	int result = SQLITE_DONE;
	size_t count = 0;
	CK_RV rv;

	rv = store_has_table(store, HANDOVER_TABLE, &exists);
	if (rv == CKR_OK && exists)
		rv = store_statement(store, HANDOVER_SEQUENCES, &row);
	if (rv != CKR_OK)
		return rv;
	while (exists && same && (result = sqlite3_step(row)) == SQLITE_ROW) {
		same = count < succession->handover_count &&
		       sqlite3_column_int64(row, 0) == succession->handovers[count];
		count++;
	}
	if (result != SQLITE_ROW && result != SQLITE_DONE)
		rv = store_failure(store, result);
	store_done(row);
	if (rv == CKR_OK)
		*ret_unmoved = same && count == succession->handover_count;
	return rv;
}

bool
handovers_match(const struct handovers *handovers, const struct succession *succession)
{
	if (succession == NULL || handovers->count != succession->handover_count)
		return false;
	for (size_t i = 0; i < handovers->count; i++) {
		if (handovers->entries[i].sequence != succession->handovers[i])
			return false;
	}
	return true;
}

bool
succession_equal(const struct succession *a, const struct succession *b)
{
	if (a->count != b->count)
		return false;
	for (size_t i = 0; i < a->count; i++) {
		const struct buffer *spki = authority_spki(b->terms[i].authority);

		if (a->terms[i].since != b->terms[i].since ||
		    !buffer_equal(authority_spki(a->terms[i].authority), spki->data, spki->size))
			return false;
	}
	return true;
}

bool
succession_has(const struct succession *succession, const char *fingerprint)
{
	for (size_t i = 0; i < succession->count; i++) {
		if (strcmp(authority_fingerprint(succession->terms[i].authority), fingerprint) == 0)
			return true;
	}
	return false;
}

struct succession *
succession_acquire(struct succession *succession)
{
	atomic_fetch_add_explicit(&succession->references, 1, memory_order_relaxed);
	return succession;
}

void
succession_release(struct succession **succession)
{
	struct succession *old = *succession;

	*succession = NULL;
	if (old == NULL ||
	    atomic_fetch_sub_explicit(&old->references, 1, memory_order_acq_rel) != 1)
		return;
	for (size_t i = 0; i < old->count; i++) {
		authority_free(&old->terms[i].authority);
		buffer_clear(&old->terms[i].id);
	}
	free(old->terms);
	free(old->handovers);
	free(old);
}

/* Takes over nothing; record NULL: the log's first one, as far as is known. */
static CK_RV
term_add(struct succession *succession, const struct buffer *spki, int64_t since,
         const struct handover_record *record)
{
	struct term *term = &succession->terms[succession->count];
	CK_RV rv;

	memset(term, 0, sizeof *term);
	rv = authority_new(spki->data, spki->size, &term->authority);
	if (rv == CKR_OK && record != NULL)
		rv = buffer_set(&term->id, record->id.data, record->id.size);
	if (rv != CKR_OK) {
		authority_free(&term->authority);
		return rv;
	}
	term->since = since;
	term->created = record == NULL ? 0 : record->created;
	succession->count++;
	return CKR_OK;
}

static CK_RV
allocate(const struct handovers *handovers, struct succession **ret_succession)
{
	struct succession *succession = calloc(1, sizeof *succession);

	if (succession == NULL)
		return CKR_HOST_MEMORY;
	atomic_init(&succession->references, 1);
	succession->terms = calloc(handovers->count + 1, sizeof *succession->terms);
	succession->handovers = calloc(handovers->count + 1, sizeof *succession->handovers);
	if (succession->terms == NULL || succession->handovers == NULL) {
		succession_release(&succession);
		return CKR_HOST_MEMORY;
	}
	for (size_t i = 0; i < handovers->count; i++)
		succession->handovers[i] = handovers->entries[i].sequence;
	succession->handover_count = handovers->count;
	*ret_succession = succession;
	return CKR_OK;
}

/*
 * The pinned authority's own term. It is the log's first one when it signed the first
 * hand-over. Else, when a hand-over names it, it began there: that entry is signed by one that
 * is not known here, and is not believed in anything; what is said to be before it must be
 * vouched for by the one that signs now, and what is after it be signed. ret_next: the first
 * hand-over after it.
 */
static CK_RV
begin(struct succession *succession, const struct authority *pinned,
      const struct handovers *handovers, size_t *ret_next)
{
	const struct buffer *spki = authority_spki(pinned);
	struct handover_record record;
	bool first = handovers->count == 0;
	CK_RV rv;

	if (!first) {
		rv = entry_verify(&handovers->entries[0], pinned);
		if (rv == CKR_HOST_MEMORY)
			return rv;
		first = rv == CKR_OK;
	}
	for (size_t i = 0; !first && i < handovers->count; i++) {
		const struct entry *entry = &handovers->entries[i];
		bool named;

		rv = handover_record_decode(entry->payload.data, entry->payload.size, &record);
		named = rv == CKR_OK && buffer_equal(&record.spki, spki->data, spki->size);
		if (named)
			rv = term_add(succession, spki, entry->sequence, &record);
		handover_record_clear(&record);
		if (rv == CKR_HOST_MEMORY || named) {
			*ret_next = i + 1;
			return rv;
		}
	}
	*ret_next = 0;
	return term_add(succession, spki, 0, NULL);
}

/* CKR_DATA_INVALID, CKR_SIGNATURE_INVALID, CKR_PUBLIC_KEY_INVALID: it can't be followed. */
static CK_RV
follow(struct succession *succession, const struct entry *entry)
{
	struct handover_record record;
	CK_RV rv;

	rv = handover_record_decode(entry->payload.data, entry->payload.size, &record);
	if (rv == CKR_OK)
		rv = entry_verify(entry, succession_current(succession)->authority);
	if (rv == CKR_OK)
		rv = term_add(succession, &record.spki, entry->sequence, &record);
	handover_record_clear(&record);
	return rv;
}

CK_RV
succession_follow(const struct authority *pinned, const struct handovers *handovers,
                  struct succession **ret_succession)
{
	struct succession *succession = NULL;
	size_t next = 0;
	CK_RV rv;

	rv = allocate(handovers, &succession);
	if (rv != CKR_OK)
		return rv;
	rv = begin(succession, pinned, handovers, &next);
	for (; rv == CKR_OK && next < handovers->count; next++) {
		rv = follow(succession, &handovers->entries[next]);
		if (rv != CKR_OK && rv != CKR_HOST_MEMORY) {
			succession->broken = handovers->entries[next].sequence;
			rv = CKR_OK;
			break;
		}
	}
	if (rv == CKR_OK)
		*ret_succession = succession;
	else
		succession_release(&succession);
	return rv;
}

CK_RV
succession_new(const struct authority *pinned, struct succession **ret_succession)
{
	const struct handovers none = { NULL, 0 };

	return succession_follow(pinned, &none, ret_succession);
}
