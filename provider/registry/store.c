/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/store.h"

#include "base/log.h"
#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BUSY_TIMEOUT_MS 5000
#define FILE_MODE 0644 /* signed, not secret; SQLite gives its side files the same mode */

/*
 * Of a file that others may have written: no code from its schema, no memory map that could
 * fault. The log in front of the file (WAL) and its index stay when the last connection
 * closes: without them a reader who may not make files is shut out. journal_size_limit
 * keeps the log short after a large change: such a reader may have to read all of it.
 */
static const char settings[] =
	"PRAGMA trusted_schema = OFF;"
	"PRAGMA cell_size_check = ON;"
	"PRAGMA mmap_size = 0;"
	"PRAGMA synchronous = FULL;"
	"PRAGMA temp_store = MEMORY;"
	"PRAGMA journal_size_limit = 4194304;"
	"PRAGMA wal_autocheckpoint = 1000;";

static CK_RV
failure_code(int result, int system_error)
{
	if (system_error == ENOSPC || system_error == EDQUOT)
		return CKR_DEVICE_MEMORY;
	if (result == SQLITE_IOERR_NOMEM)
		return CKR_HOST_MEMORY;
	/* A reader without write permission, while the index of the WAL is in need of repair. */
	if (result == SQLITE_READONLY_RECOVERY || result == SQLITE_READONLY_CANTINIT)
		return CKR_FUNCTION_FAILED;
	switch (result & 0xff) {
	case SQLITE_FULL:
		return CKR_DEVICE_MEMORY;
	case SQLITE_NOMEM:
		return CKR_HOST_MEMORY;
	case SQLITE_READONLY:
	case SQLITE_PERM:
	case SQLITE_AUTH:
		return CKR_TOKEN_WRITE_PROTECTED;
	case SQLITE_CONSTRAINT: /* a CKA_ID, or a name and number, that are in use */
		return CKR_ATTRIBUTE_VALUE_INVALID;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
	case SQLITE_FORMAT:
	case SQLITE_MISMATCH:
	case SQLITE_TOOBIG:
	case SQLITE_ERROR: /* a table or column is missing */
	case SQLITE_SCHEMA:
		return CKR_DEVICE_ERROR;
	default: /* SQLITE_BUSY, SQLITE_LOCKED, SQLITE_IOERR, SQLITE_CANTOPEN … */
		return CKR_FUNCTION_FAILED;
	}
}

CK_RV
store_failure(struct store *store, int result)
{
	CK_RV rv = failure_code(result, sqlite3_system_errno(store->db));

	if (result == SQLITE_DONE) { /* where a row had to be */
		log_error("%s: a row is missing; run p11-kms verify", store->path);
		return CKR_DEVICE_ERROR;
	}
	log_error("%s: %s (SQLite %d, %s)", store->path, sqlite3_errmsg(store->db), result,
	          ckr_name(rv));
	return rv;
}

/* The folder may be reached through links, the file may not be one: SQLite, told not to follow, looks at every part. */
CK_RV
store_path(const char *path, char **ret_path, char **ret_why)
{
	const char *slash = strrchr(path, '/');
	const char *name = slash == NULL ? path : slash + 1;
	char *folder = NULL, *resolved = NULL;
	CK_RV rv = CKR_HOST_MEMORY;

	if (slash == NULL)
		folder = strdup(".");
	else
		folder = slash == path ? strdup("/") : strndup(path, (size_t)(slash - path));
	if (folder == NULL)
		goto out;
	resolved = realpath(folder, NULL);
	if (resolved == NULL || *name == '\0') {
		rv = CKR_FUNCTION_FAILED;
		*ret_why = text_format("%s: %s; make the folder, or correct the path", path,
		                       *name == '\0' ? "is a folder" : strerror(errno));
		goto out;
	}
	*ret_path = text_format("%s/%s", strcmp(resolved, "/") == 0 ? "" : resolved, name);
	if (*ret_path != NULL)
		rv = CKR_OK;
out:
	if (rv == CKR_HOST_MEMORY)
		*ret_why = text_format("%s: not enough memory", path);
	free(folder);
	free(resolved);
	return rv;
}

/* What is at the path, before SQLite opens it. */
static CK_RV
path_inspect(struct store *store, char **ret_why)
{
	mode_t mode;

	if (lstat(store->path, &store->status) != 0) {
		*ret_why = text_format("%s: %s; correct the path in the configuration, copy the registry "
		                       "from the authority host or a backup, or run there: p11-kms rebuild "
		                       "(p11-kms init, where no key was made yet)",
		                       store->path, strerror(errno));
		return CKR_FUNCTION_FAILED;
	}
	mode = store->status.st_mode;
	if (!S_ISREG(mode)) {
		*ret_why = text_format("%s: is not a file%s; give the path of the registry itself",
		                       store->path, S_ISLNK(mode) ? " but a symbolic link" : "");
		return CKR_FUNCTION_FAILED;
	}
	return CKR_OK;
}

/* They are missing, and this user may not make them: what SQLite says depends on which is. */
static bool
side_files_needed(int result)
{
	return (result & 0xff) == SQLITE_CANTOPEN || result == SQLITE_READONLY_DIRECTORY ||
	       result == SQLITE_READONLY_CANTINIT;
}

/* Hands over what failed while opening. */
static CK_RV
open_failure(struct store *store, int result, char **ret_why)
{
	int system_error = sqlite3_system_errno(store->db);
	CK_RV rv = failure_code(result, system_error);

	if ((result & 0xff) == SQLITE_NOTADB)
		*ret_why = text_format("%s: is not a registry; correct the path in the configuration, or put "
		                       "a backup of the registry back", store->path);
	else if (store->use == STORE_WRITE && ((result & 0xff) == SQLITE_READONLY ||
	                             access(store->path, W_OK) != 0))
		*ret_why = text_format("%s: may not be written by this user, or not beside it; run the command "
		                       "as its owner", store->path);
	else if (side_files_needed(result) && store->use != STORE_WRITE && access(store->path, R_OK) == 0)
		*ret_why = text_format("%s: its side files %s-wal and %s-shm are missing, and this user may "
		                       "not make them; run p11-kms verify as the owner of the registry",
		                       store->path, store->path, store->path);
	else
		*ret_why = text_format("%s: %s%s%s", store->path, sqlite3_errmsg(store->db),
		                       system_error != 0 ? ": " : "",
		                       system_error != 0 ? strerror(system_error) : "");
	return rv;
}

static int
pragma_read(sqlite3 *db, const char *pragma, int *ret_number)
{
	sqlite3_stmt *statement = NULL;
	int result;

	result = sqlite3_prepare_v2(db, pragma, -1, &statement, NULL);
	if (result == SQLITE_OK)
		result = sqlite3_step(statement);
	if (result == SQLITE_ROW) {
		*ret_number = sqlite3_column_int(statement, 0);
		result = SQLITE_OK;
	}
	sqlite3_finalize(statement);
	return result;
}

static int
connection_configure(sqlite3 *db)
{
	int persist = 1;
	int result;

	sqlite3_extended_result_codes(db, 1);
	sqlite3_busy_timeout(db, BUSY_TIMEOUT_MS);
	sqlite3_limit(db, SQLITE_LIMIT_LENGTH, 1 << 20);
	sqlite3_limit(db, SQLITE_LIMIT_ATTACHED, 0);
	/*
	 * No checkpoint when closing: a child of a fork closes what it inherited (see
	 * store_abandon) and must not write then. store_close makes its own.
	 */
	if (sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL) != SQLITE_OK ||
	    sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL) != SQLITE_OK ||
	    sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, NULL) != SQLITE_OK ||
	    sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_VIEW, 0, NULL) != SQLITE_OK ||
	    sqlite3_db_config(db, SQLITE_DBCONFIG_DQS_DML, 0, NULL) != SQLITE_OK ||
	    sqlite3_db_config(db, SQLITE_DBCONFIG_DQS_DDL, 0, NULL) != SQLITE_OK)
		return SQLITE_ERROR;
	result = sqlite3_file_control(db, "main", SQLITE_FCNTL_PERSIST_WAL, &persist);
	if (result != SQLITE_OK)
		return result;
	return sqlite3_exec(db, settings, NULL, NULL, NULL);
}

static CK_RV
format_check(struct store *store, char **ret_why)
{
	int application = 0, format = 0;
	int result;

	result = pragma_read(store->db, "PRAGMA application_id", &application);
	if (result == SQLITE_OK)
		result = pragma_read(store->db, "PRAGMA user_version", &format);
	if (result != SQLITE_OK)
		return open_failure(store, result, ret_why);
	if (application != STORE_APPLICATION_ID || format < 1) {
		*ret_why = text_format("%s: is a database, but not a registry; correct the path in the "
		                       "configuration, or put a backup of the registry back", store->path);
		return CKR_DEVICE_ERROR;
	}
	if (format > STORE_FORMAT) {
		*ret_why = text_format("%s: has format %d, this version of p11-kms knows %d; install a newer "
		                       "p11-kms", store->path, format, STORE_FORMAT);
		return CKR_DEVICE_ERROR;
	}
	return CKR_OK;
}

/* The VFS is named: the application may have made another one the default. */
static int
connection_open(struct store *store, const char *name, int more_flags)
{
	int flags = (store->use == STORE_WRITE ? SQLITE_OPEN_READWRITE : SQLITE_OPEN_READONLY) |
	            SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE | SQLITE_OPEN_NOFOLLOW | more_flags;
	int result;

	result = sqlite3_open_v2(name, &store->db, flags, "unix");
	if (result == SQLITE_OK)
		result = connection_configure(store->db);
	return result;
}

/* SQLite's log in front of the file. */
static bool
side_file_exists(const char *path)
{
	char *name = text_format("%s-wal", path);
	bool exists = name == NULL || access(name, F_OK) == 0;

	free(name);
	return exists;
}

/* Opens the path as a URI (RFC 3986), with a parameter of SQLite's. */
static int
connection_open_uri(struct store *store, const char *parameter)
{
	char *uri = malloc(strlen("file:") + 3 * strlen(store->path) + strlen(parameter) + 2);
	char *next;
	int result;

	if (uri == NULL)
		return SQLITE_NOMEM;
	next = stpcpy(uri, "file:");
	for (const char *at = store->path; *at != '\0'; at++) {
		if (strchr("%?#", *at) != NULL)
			next += sprintf(next, "%%%02X", (unsigned)*at);
		else
			*next++ = *at;
	}
	sprintf(next, "?%s", parameter);
	result = connection_open(store, uri, SQLITE_OPEN_URI);
	free(uri);
	return result;
}

/* Only a file that has no log in front of it is whole by itself. */
static int
connection_open_still(struct store *store)
{
	if (side_file_exists(store->path))
		return SQLITE_CANTOPEN;
	(void)sqlite3_close(store->db);
	store->db = NULL;
	store->still = true;
	return connection_open_uri(store, "immutable=1");
}

static int
connection_start(struct store *store)
{
	int schema_version = 0;
	int result;

	/* SQLite makes the log when it is missing, however it was opened. */
	if (store->use == STORE_LOOK && !side_file_exists(store->path))
		return connection_open_still(store);
	if (store->use == STORE_LOOK)
		result = connection_open_uri(store, "readonly_shm=1");
	else
		result = connection_open(store, store->path, 0);
	if (result == SQLITE_OK)
		result = pragma_read(store->db, "PRAGMA schema_version", &schema_version);
	if (side_files_needed(result) && store->use != STORE_WRITE && access(store->path, R_OK) == 0)
		result = connection_open_still(store);
	return result;
}

CK_RV
store_open(const char *path, enum store_use use, struct store **ret_store, char **ret_why)
{
	struct store *store = NULL;
	int result;
	CK_RV rv;

	store = calloc(1, sizeof *store);
	if (store == NULL) {
		*ret_why = NULL;
		return CKR_HOST_MEMORY;
	}
	store->use = use;
	rv = store_path(path, &store->path, ret_why);
	if (rv != CKR_OK)
		goto out;
	rv = path_inspect(store, ret_why);
	if (rv != CKR_OK)
		goto out;
	result = connection_start(store);
	if (result != SQLITE_OK) {
		rv = open_failure(store, result, ret_why);
		goto out;
	}
	/* SQLite opens to read what it may not write. */
	if (use == STORE_WRITE && sqlite3_db_readonly(store->db, "main") != 0) {
		*ret_why = text_format("%s: may not be written by this user; run the command as its owner",
		                       store->path);
		rv = CKR_TOKEN_WRITE_PROTECTED;
		goto out;
	}
	rv = format_check(store, ret_why);
	if (rv != CKR_OK)
		goto out;
	result = sqlite3_exec(store->db, use == STORE_WRITE ? "PRAGMA journal_mode = WAL" :
	                                                      "PRAGMA query_only = ON", NULL, NULL, NULL);
	if (result != SQLITE_OK) {
		rv = open_failure(store, result, ret_why);
		goto out;
	}
	*ret_store = store;
	store = NULL;
out:
	store_abandon(&store);
	return rv;
}

/* Makes the tables in a file that has no name yet that counts. */
static int
schema_make(const char *path, char **ret_message)
{
	sqlite3 *db = NULL;
	char marks[96];
	int result;

	sqlite3_snprintf(sizeof marks, marks, "PRAGMA application_id = %d; PRAGMA user_version = %d;",
	                 STORE_APPLICATION_ID, STORE_FORMAT);
	result = sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, "unix");
	if (result == SQLITE_OK)
		result = sqlite3_exec(db, "PRAGMA journal_mode = WAL; BEGIN;", NULL, NULL, NULL);
	if (result == SQLITE_OK)
		result = sqlite3_exec(db, marks, NULL, NULL, NULL);
	if (result == SQLITE_OK)
		result = sqlite3_exec(db, store_schema, NULL, NULL, NULL);
	if (result == SQLITE_OK)
		result = sqlite3_exec(db, "COMMIT", NULL, NULL, NULL);
	if (result != SQLITE_OK)
		*ret_message = text_format("%s", sqlite3_errmsg(db));
	sqlite3_close(db);
	return result;
}

static void
folder_sync(const char *path)
{
	char *folder = strndup(path, (size_t)(strrchr(path, '/') - path) + 1);
	int descriptor;

	if (folder == NULL)
		return;
	descriptor = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (descriptor >= 0) {
		(void)fsync(descriptor);
		(void)close(descriptor);
	}
	free(folder);
}

/*
 * The tables are made in a file with another name, which is then linked to its own: a crash
 * leaves no half-made registry, and a file that is there is never touched.
 */
CK_RV
store_create(const char *path, char **ret_why)
{
	char *final = NULL, *temporary = NULL, *message = NULL;
	int descriptor = -1;
	int result;
	CK_RV rv;

	rv = store_path(path, &final, ret_why);
	if (rv != CKR_OK)
		return rv;
	if (side_file_exists(final)) {
		*ret_why = text_format("%s-wal: is left of another registry, and would be taken for this "
		                       "one's; move it and %s-shm away", final, final);
		rv = CKR_FUNCTION_FAILED;
		goto out;
	}
	temporary = text_format("%s.XXXXXX", final);
	if (temporary == NULL) {
		*ret_why = NULL;
		rv = CKR_HOST_MEMORY;
		goto out;
	}
	descriptor = mkostemp(temporary, O_CLOEXEC);
	if (descriptor < 0 || fchmod(descriptor, FILE_MODE) != 0) {
		rv = errno == EACCES || errno == EROFS ? CKR_TOKEN_WRITE_PROTECTED :
		                                         failure_code(SQLITE_CANTOPEN, errno);
		*ret_why = text_format("%s: %s; the user must be able to write in its folder", final,
		                       strerror(errno));
		goto out;
	}
	result = schema_make(temporary, &message);
	if (result != SQLITE_OK) {
		rv = failure_code(result, 0);
		*ret_why = text_format("%s: %s", final, message == NULL ? "not enough memory" : message);
		goto out;
	}
	if (link(temporary, final) != 0) {
		rv = failure_code(SQLITE_CANTOPEN, errno);
		*ret_why = text_format("%s: %s; move it away if it is of no use any more", final,
		                       strerror(errno));
	}
out:
	if (descriptor >= 0) {
		(void)close(descriptor);
		(void)unlink(temporary);
		folder_sync(final);
	}
	free(message);
	free(temporary);
	free(final);
	return rv;
}

void
store_abandon(struct store **store)
{
	struct store *old = *store;

	if (old == NULL)
		return;
	for (size_t i = 0; i < STATEMENT_COUNT; i++)
		sqlite3_finalize(old->statements[i]);
	(void)sqlite3_close_v2(old->db);
	free(old->path);
	free(old);
	*store = NULL;
}

void
store_close(struct store **store)
{
	/* So that the file alone is whole, for those who copy it. */
	if (*store != NULL && (*store)->use == STORE_WRITE)
		(void)sqlite3_wal_checkpoint_v2((*store)->db, "main", SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
	store_abandon(store);
}

bool
store_replaced(const struct store *store)
{
	const struct stat *was = &store->status;
	struct stat is;

	if (lstat(store->path, &is) != 0 || !S_ISREG(is.st_mode))
		return false; /* in the middle of being replaced: what is open goes on */
	if (is.st_dev != was->st_dev || is.st_ino != was->st_ino)
		return true;
	return store->still && (is.st_size != was->st_size || is.st_mtim.tv_sec != was->st_mtim.tv_sec ||
	                        is.st_mtim.tv_nsec != was->st_mtim.tv_nsec || side_file_exists(store->path));
}

CK_RV
store_statement(struct store *store, enum statement which, sqlite3_stmt **ret_statement)
{
	int result;

	if (store->statements[which] == NULL) {
		result = sqlite3_prepare_v3(store->db, statement_texts[which], -1, SQLITE_PREPARE_PERSISTENT,
		                            &store->statements[which], NULL);
		if (result != SQLITE_OK)
			return store_failure(store, result);
	}
	*ret_statement = store->statements[which];
	return CKR_OK;
}

void
store_bind_bytes(sqlite3_stmt *statement, int place, const void *data, size_t size)
{
	(void)sqlite3_bind_blob(statement, place, size != 0 ? data : "", (int)size, SQLITE_STATIC);
}

void
store_done(sqlite3_stmt *statement)
{
	if (statement == NULL)
		return;
	(void)sqlite3_reset(statement); /* repeats what the last step said */
	(void)sqlite3_clear_bindings(statement);
}

CK_RV
store_run(struct store *store, sqlite3_stmt *statement)
{
	int result = sqlite3_step(statement);
	CK_RV rv = CKR_OK;

	if (result != SQLITE_DONE)
		rv = store_failure(store, result);
	store_done(statement);
	return rv;
}

CK_RV
store_run_plain(struct store *store, enum statement which)
{
	sqlite3_stmt *statement = NULL;
	CK_RV rv;

	rv = store_statement(store, which, &statement);
	if (rv != CKR_OK)
		return rv;
	return store_run(store, statement);
}

CK_RV
store_number(struct store *store, sqlite3_stmt *statement, int64_t *ret_number)
{
	int result = sqlite3_step(statement);
	CK_RV rv = CKR_OK;

	if (result == SQLITE_ROW)
		*ret_number = sqlite3_column_int64(statement, 0);
	else
		rv = store_failure(store, result);
	store_done(statement);
	return rv;
}

CK_RV
store_has_table(struct store *store, enum statement which, bool *ret_has)
{
	sqlite3_stmt *statement = NULL;
	int64_t tables = 0;
	CK_RV rv = store_statement(store, which, &statement);

	if (rv == CKR_OK)
		rv = store_number(store, statement, &tables);
	if (rv == CKR_OK)
		*ret_has = tables != 0;
	return rv;
}

CK_RV
store_data_version(struct store *store, int64_t *ret_data_version)
{
	sqlite3_stmt *statement = NULL;
	CK_RV rv = store_statement(store, DATA_VERSION, &statement);

	return rv == CKR_OK ? store_number(store, statement, ret_data_version) : rv;
}
