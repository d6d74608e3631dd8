/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/chain.h"

#include "base/openssl.h"

#include <string.h>

#include <openssl/evp.h>

/* The zero byte that ends each text is part of the message. */
static const char entry_purpose[] = "p11-kms entry 1";
static const char head_purpose[] = "p11-kms head 1";

static void
put_big_endian(unsigned char *out, int64_t number)
{
	for (int i = 0; i < 8; i++)
		out[i] = (unsigned char)((uint64_t)number >> (8 * (7 - i)));
}

void
entry_clear(struct entry *entry)
{
	buffer_clear(&entry->payload);
	buffer_clear(&entry->signature);
}

CK_RV
entry_message(const struct entry *entry, struct buffer *ret_message)
{
	unsigned char *at;
	CK_RV rv;

	rv = buffer_resize(ret_message,
	                   sizeof entry_purpose + 8 + CHAIN_HASH_SIZE + entry->payload.size);
	if (rv != CKR_OK)
		return rv;
	at = ret_message->data;
	memcpy(at, entry_purpose, sizeof entry_purpose);
	at += sizeof entry_purpose;
	put_big_endian(at, entry->sequence);
	at += 8;
	memcpy(at, entry->previous, CHAIN_HASH_SIZE);
	at += CHAIN_HASH_SIZE;
	if (entry->payload.size > 0)
		memcpy(at, entry->payload.data, entry->payload.size);
	return CKR_OK;
}

CK_RV
entry_hash(const struct entry *entry, unsigned char *ret_hash)
{
	struct buffer message = BUFFER_INIT;
	CK_RV rv;

	rv = entry_message(entry, &message);
	if (rv == CKR_OK && EVP_Digest(message.data, message.size, ret_hash, NULL,
	                               openssl_digest(CKM_SHA256), NULL) != 1)
		rv = openssl_failure(CKR_HOST_MEMORY);
	buffer_clear(&message);
	return rv;
}

CK_RV
entry_verify(const struct entry *entry, const struct authority *authority)
{
	struct buffer message = BUFFER_INIT;
	CK_RV rv;

	rv = entry_message(entry, &message);
	if (rv == CKR_OK)
		rv = authority_verify(authority, message.data, message.size,
		                      entry->signature.data, entry->signature.size);
	buffer_clear(&message);
	return rv;
}

static CK_RV
column_blob(sqlite3_stmt *row, int column, size_t max, struct buffer *ret_data)
{
	const void *data;
	size_t size;

	/* Others' files may hold anything anywhere: SQLite's types are per value. */
	if (sqlite3_column_type(row, column) != SQLITE_BLOB)
		return CKR_DEVICE_ERROR;
	data = sqlite3_column_blob(row, column);
	size = (size_t)sqlite3_column_bytes(row, column);
	if (size > max)
		return CKR_DEVICE_ERROR;
	if (data == NULL && size > 0)
		return CKR_HOST_MEMORY;
	return buffer_set(ret_data, data, size);
}

static CK_RV
column_hash(sqlite3_stmt *row, int column, unsigned char *ret_hash)
{
	const void *data;

	if (sqlite3_column_type(row, column) != SQLITE_BLOB ||
	    sqlite3_column_bytes(row, column) != CHAIN_HASH_SIZE)
		return CKR_DEVICE_ERROR;
	data = sqlite3_column_blob(row, column);
	if (data == NULL)
		return CKR_HOST_MEMORY;
	memcpy(ret_hash, data, CHAIN_HASH_SIZE);
	return CKR_OK;
}

CK_RV
entry_column(sqlite3_stmt *row, int first, struct entry *entry)
{
	CK_RV rv;

	rv = column_hash(row, first, entry->previous);
	if (rv != CKR_OK)
		return rv;
	rv = column_blob(row, first + 1, ENTRY_PAYLOAD_MAX, &entry->payload);
	if (rv != CKR_OK)
		return rv;
	return column_blob(row, first + 2, ENTRY_SIGNATURE_MAX, &entry->signature);
}

CK_RV
chain_entry(struct store *store, int64_t sequence, struct entry *entry)
{
	sqlite3_stmt *statement = NULL;
	int result;
	CK_RV rv;

	rv = store_statement(store, ENTRY_READ, &statement);
	if (rv != CKR_OK)
		return rv;
	sqlite3_bind_int64(statement, 1, sequence);
	result = sqlite3_step(statement);
	entry->sequence = sequence;
	if (result == SQLITE_ROW)
		rv = entry_column(statement, 0, entry);
	else
		rv = result == SQLITE_DONE ? CKR_OBJECT_HANDLE_INVALID : store_failure(store, result);
	store_done(statement);
	return rv;
}

CK_RV
chain_append(struct store *store, const struct entry *entry)
{
	sqlite3_stmt *statement = NULL;
	CK_RV rv;

	rv = store_statement(store, ENTRY_INSERT, &statement);
	if (rv != CKR_OK)
		return rv;
	sqlite3_bind_int64(statement, 1, entry->sequence);
	sqlite3_bind_blob(statement, 2, entry->previous, CHAIN_HASH_SIZE, SQLITE_STATIC);
	sqlite3_bind_blob(statement, 3, entry->payload.data, (int)entry->payload.size, SQLITE_STATIC);
	sqlite3_bind_blob(statement, 4, entry->signature.data, (int)entry->signature.size,
	                  SQLITE_STATIC);
	return store_run(store, statement);
}

void
head_row_clear(struct head_row *row)
{
	buffer_clear(&row->signature);
	entry_clear(&row->entry);
}

CK_RV
head_message(const struct registry_head *head, struct buffer *ret_message)
{
	unsigned char *at;
	CK_RV rv;

	rv = buffer_resize(ret_message, sizeof head_purpose + 8 + CHAIN_HASH_SIZE + 8 + 8);
	if (rv != CKR_OK)
		return rv;
	at = ret_message->data;
	memcpy(at, head_purpose, sizeof head_purpose);
	at += sizeof head_purpose;
	put_big_endian(at, head->sequence);
	at += 8;
	memcpy(at, head->hash, CHAIN_HASH_SIZE);
	at += CHAIN_HASH_SIZE;
	put_big_endian(at, head->issued);
	put_big_endian(at + 8, head->expires);
	return CKR_OK;
}

/* Columns of HEAD_READ. */
enum { COLUMN_LAST, COLUMN_SEQUENCE, COLUMN_HASH, COLUMN_ISSUED, COLUMN_EXPIRES, COLUMN_SIGNATURE,
       COLUMN_ENTRY };

static CK_RV
head_columns(sqlite3_stmt *row, struct head_row *head)
{
	CK_RV rv;

	head->last = sqlite3_column_int64(row, COLUMN_LAST);
	head->absent = sqlite3_column_type(row, COLUMN_SEQUENCE) == SQLITE_NULL;
	if (head->absent)
		return CKR_OK;
	head->present = true;
	head->head.sequence = sqlite3_column_int64(row, COLUMN_SEQUENCE);
	head->head.issued = sqlite3_column_int64(row, COLUMN_ISSUED);
	head->head.expires = sqlite3_column_int64(row, COLUMN_EXPIRES);
	rv = column_hash(row, COLUMN_HASH, head->head.hash);
	if (rv != CKR_OK)
		return rv;
	rv = column_blob(row, COLUMN_SIGNATURE, ENTRY_SIGNATURE_MAX, &head->signature);
	if (rv != CKR_OK)
		return rv;
	if (sqlite3_column_type(row, COLUMN_ENTRY) == SQLITE_NULL)
		return CKR_OK;
	head->entry_present = true;
	head->entry.sequence = head->head.sequence;
	return entry_column(row, COLUMN_ENTRY, &head->entry);
}

CK_RV
chain_head(struct store *store, struct head_row *row)
{
	sqlite3_stmt *statement = NULL;
	int result;
	CK_RV rv;

	memset(row, 0, sizeof *row);
	rv = store_statement(store, HEAD_READ, &statement);
	if (rv != CKR_OK)
		return rv;
	result = sqlite3_step(statement);
	if (result != SQLITE_ROW) {
		rv = store_failure(store, result);
		goto out;
	}
	rv = head_columns(statement, row);
	if (rv == CKR_DEVICE_ERROR) {
		/* A column of the wrong kind: no head that could be checked. */
		row->present = false;
		rv = CKR_OK;
	}
	if (rv != CKR_OK)
		head_row_clear(row);
out:
	store_done(statement);
	return rv;
}

CK_RV
chain_head_write(struct store *store, const struct registry_head *head,
                 const struct buffer *signature)
{
	sqlite3_stmt *statement = NULL;
	CK_RV rv;

	rv = store_statement(store, HEAD_WRITE, &statement);
	if (rv != CKR_OK)
		return rv;
	sqlite3_bind_int64(statement, 1, head->sequence);
	sqlite3_bind_blob(statement, 2, head->hash, CHAIN_HASH_SIZE, SQLITE_STATIC);
	sqlite3_bind_int64(statement, 3, head->issued);
	sqlite3_bind_int64(statement, 4, head->expires);
	sqlite3_bind_blob(statement, 5, signature->data, (int)signature->size, SQLITE_STATIC);
	return store_run(store, statement);
}

CK_RV
head_row_check(const struct head_row *row, const struct authority *authority,
               const char **ret_wrong)
{
	struct buffer message = BUFFER_INIT;
	unsigned char hash[CHAIN_HASH_SIZE];
	CK_RV rv;

	*ret_wrong = NULL;
	if (!row->present) {
		*ret_wrong = row->absent && row->last == 0 ? "there is no head: the registry is empty" :
		                              "the head is missing or malformed";
		return CKR_OK;
	}
	rv = head_message(&row->head, &message);
	if (rv == CKR_OK)
		rv = authority_verify(authority, message.data, message.size, row->signature.data,
		                      row->signature.size);
	buffer_clear(&message);
	if (rv == CKR_SIGNATURE_INVALID) {
		*ret_wrong = "the head is not signed by the pinned authority";
		return CKR_OK;
	}
	if (rv != CKR_OK)
		return rv;
	if (row->head.sequence != row->last || !row->entry_present) {
		*ret_wrong = "the head is not about the last entry of the log";
		return CKR_OK;
	}
	rv = entry_hash(&row->entry, hash);
	if (rv != CKR_OK || memcmp(hash, row->head.hash, CHAIN_HASH_SIZE) == 0)
		return rv;
	/*
	 * One that is not signed either is broken by itself: it is not used wherever it is read,
	 * like any other, and what the head says holds without it. One that is signed is another
	 * log's.
	 */
	rv = entry_verify(&row->entry, authority);
	if (rv == CKR_OK)
		*ret_wrong = "the last entry is not the one whose hash the head has";
	return rv == CKR_SIGNATURE_INVALID ? CKR_OK : rv;
}
