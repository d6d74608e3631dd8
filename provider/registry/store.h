/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The SQLite file under a registry: opening, prepared statements, transactions, and what
 * SQLite's failures mean. Private to registry/; every function needs the registry's lock.
 */
#ifndef P11_KMS_REGISTRY_STORE_H
#define P11_KMS_REGISTRY_STORE_H

#include "base/compiler.h"
#include "base/pkcs11.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include <sqlite3.h>

/* Marks the file as ours (PRAGMA application_id): "p11k". */
#define STORE_APPLICATION_ID 0x7031316b
/* The format (PRAGMA user_version). */
#define STORE_FORMAT 1

/* The statements that are kept prepared; their texts are in statement.c. */
enum statement {
	ENTRY_INSERT,
	HANDOVER_TABLE,
	HANDOVER_TABLE_MAKE,
	HANDOVERS,
	HANDOVER_SEQUENCES,
	HANDOVER_INSERT,
	HEAD_READ,
	HEAD_WRITE,
	VERSION_READ,
	VERSION_SEQUENCE,
	VERSION_INSERT,
	VERSION_UPDATE,
	KEY_READ,
	KEY_WRITE,
	TOKEN_READ,
	TOKEN_WRITE,
	OBJECT_READ,
	OBJECT_INSERT,
	OBJECT_UPDATE,
	SEARCH_OBJECTS,
	SEARCH_OBJECTS_LABEL,
	SEARCH_OBJECTS_ID,
	UNCERTIFIED,
	OBJECT_ROW,
	SEARCH_ALL,
	SEARCH_ID,
	SEARCH_NAME,
	SEARCH_NAME_ACTIVE,
	SEARCH_NUMBER,
	ACTIVES,
	KEY_NAMES,
	DUE,
	COUNT,
	ID_IN_USE,
	NEXT_NUMBER,
	INTENT_INSERT,
	INTENT_READ,
	INTENT_GIVE_UP,
	INTENT_FAIL,
	INTENT_TAKE_BACK,
	INTENT_USE,
	INTENT_DELETE,
	INTENT_COUNT,
	NOTE_TABLE,
	NOTE_TABLE_MAKE,
	NOTE_INSERT,
	NOTE_READ,
	NOTES_CLEAR,
	NOTES_OF_INTENTS,
	ENTRIES,
	ENTRIES_FROM,
	ENTRY_READ,
	VERSION_ROW,
	VERSION_ROWS,
	KEY_ROWS,
	INTEGRITY,
	DATA_VERSION,
	BEGIN_READ,
	BEGIN_WRITE,
	COMMIT,
	ROLLBACK,
	STATEMENT_COUNT,
};

extern const char *const statement_texts[STATEMENT_COUNT];
/* What makes a new registry. */
extern const char store_schema[];

/* What a store is opened for: to look is to read, and to leave the side files as they are. */
enum store_use { STORE_READ, STORE_WRITE, STORE_LOOK };

struct store {
	char *path;     /* owned; the folder resolved */
	sqlite3 *db;
	sqlite3_stmt *statements[STATEMENT_COUNT]; /* prepared at their first use */
	enum store_use use;
	bool still;         /* read without side files: see store_open */
	struct stat status; /* of the file, just before it was opened */
};

/* The path with its folder resolved. Caller frees. */
MUST_USE CK_RV store_path(const char *path, char **ret_path, char **ret_why);
/* Makes an empty registry. Refuses a file that is there: CKR_FUNCTION_FAILED. */
MUST_USE CK_RV store_create(const char *path, char **ret_why);
/*
 * A file without its side files (a copy, or read-only media), where this user may not make
 * them, or only looks, is read as it stands, until it changes or they appear: see store_replaced.
 */
MUST_USE CK_RV store_open(const char *path, enum store_use use, struct store **ret_store,
                          char **ret_why);
/* Writes nothing but, when writable, a checkpoint. */
void store_close(struct store **store);
/* In a forked child, when no call was under way: closes without touching the files. */
void store_abandon(struct store **store);
/* What is at the path now must be opened again: another file, or side files of one that had none. */
bool store_replaced(const struct store *store);

/* Ready to bind and step. CKR as store_failure. */
MUST_USE CK_RV store_statement(struct store *store, enum statement which, sqlite3_stmt **ret_statement);
/* Borrowed until store_done. Of size 0 it is an empty value: SQLite would take NULL for none. */
void store_bind_bytes(sqlite3_stmt *statement, int place, const void *data, size_t size);
/* Ends the statement's read and forgets what was bound. NULL is allowed. */
void store_done(sqlite3_stmt *statement);
/* Runs a statement that gives no row, and ends it. */
MUST_USE CK_RV store_run(struct store *store, sqlite3_stmt *statement);
MUST_USE CK_RV store_run_plain(struct store *store, enum statement which);
/* What a statement without parameters that counts tables finds: one at least. */
MUST_USE CK_RV store_has_table(struct store *store, enum statement which, bool *ret_has);
/* What result means, logged in one line. */
MUST_USE CK_RV store_failure(struct store *store, int result);
/* What a statement that gives one number gives, once its parameters are bound; done with it. */
MUST_USE CK_RV store_number(struct store *store, sqlite3_stmt *statement, int64_t *ret_number);
/* Changes when another connection has committed; unchanged by own commits. */
MUST_USE CK_RV store_data_version(struct store *store, int64_t *ret_data_version);

#endif
