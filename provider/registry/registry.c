/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/internal.h"

#include "base/log.h"
#include "base/text.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static CK_RV
registry_new(const char *path, const struct authority *authority, enum registry_mode mode,
             struct registry **ret_registry)
{
	struct registry *registry = calloc(1, sizeof *registry);

	if (registry == NULL)
		return CKR_HOST_MEMORY;
	registry->path = strdup(path);
	if (registry->path == NULL || pthread_mutex_init(&registry->lock, NULL) != 0) {
		free(registry->path);
		free(registry);
		return CKR_HOST_MEMORY;
	}
	registry->authority = authority;
	registry->mode = mode;
	registry->generation = 1;
	*ret_registry = registry;
	return CKR_OK;
}

static enum store_use
store_use(enum registry_mode mode)
{
	switch (mode) {
	case REGISTRY_WRITE:
		return STORE_WRITE;
	case REGISTRY_LOOK:
		return STORE_LOOK;
	case REGISTRY_READ:
		break;
	}
	return STORE_READ;
}

enum store_use
registry_read_use(const struct registry *registry)
{
	return registry->mode == REGISTRY_LOOK ? STORE_LOOK : STORE_READ;
}

CK_RV
registry_open(const char *path, const struct authority *authority, enum registry_mode mode,
              struct registry **ret_registry, char **ret_why)
{
	struct registry *registry = NULL;
	CK_RV rv;

	*ret_why = NULL;
	rv = registry_new(path, authority, mode, &registry);
	if (rv != CKR_OK) {
		*ret_why = text_format("%s: not enough memory", path);
		return rv;
	}
	rv = store_open(path, store_use(mode), &registry->store, ret_why);
	if (rv == CKR_OK)
		rv = seen_new(registry->store->path, authority_fingerprint(authority), &registry->seen);
	if (rv != CKR_OK) {
		registry_free(&registry);
		return rv;
	}
	*ret_registry = registry;
	return CKR_OK;
}

/* Someone has removed it, or the disk has lost it: that must not make it begin anew unnoticed. */
static CK_RV
refuse_if_seen(const char *path, const struct authority *authority, char **ret_why)
{
	struct seen *seen = NULL;
	struct seen_mark mark;
	const char *file = NULL;
	char *resolved = NULL;
	struct stat status;
	CK_RV rv;

	if (lstat(path, &status) == 0)
		return CKR_OK; /* that is another failure */
	rv = store_path(path, &resolved, ret_why);
	if (rv == CKR_OK)
		rv = seen_new(resolved, authority_fingerprint(authority), &seen);
	free(resolved);
	if (rv != CKR_OK)
		return rv;
	seen_read(seen, &mark, &file);
	if (mark.sequence != 0) {
		rv = CKR_DEVICE_ERROR;
		*ret_why = text_format("%s: is gone, and had %lld entries when it was last seen (%s); put a "
		                       "backup back, or run: p11-kms rebuild", path,
		                       (long long)mark.sequence, file);
	}
	seen_free(&seen);
	return rv;
}

static CK_RV
create(const char *path, const struct authority *authority, struct registry **ret_registry,
       char **ret_why)
{
	CK_RV rv;

	rv = store_create(path, ret_why);
	if (rv != CKR_OK)
		return rv;
	return registry_open(path, authority, REGISTRY_WRITE, ret_registry, ret_why);
}

CK_RV
registry_create(const char *path, const struct authority *authority,
                struct registry **ret_registry, char **ret_why)
{
	CK_RV rv;

	*ret_why = NULL;
	rv = refuse_if_seen(path, authority, ret_why);
	if (rv != CKR_OK)
		return rv;
	return create(path, authority, ret_registry, ret_why);
}

CK_RV
registry_create_anew(const char *path, const struct authority *authority,
                     struct registry **ret_registry, char **ret_why)
{
	CK_RV rv;

	*ret_why = NULL;
	rv = create(path, authority, ret_registry, ret_why);
	if (rv == CKR_OK)
		(*ret_registry)->anew = true;
	return rv;
}

/* What neither the store nor the lock is. */
static void
registry_clear(struct registry *registry)
{
	seen_free(&registry->seen);
	succession_release(&registry->succession);
	free(registry->pages);
	free(registry->turned_back);
	free(registry->path);
	free(registry);
}

void
registry_free(struct registry **registry)
{
	struct registry *old = *registry;

	if (old == NULL)
		return;
	store_close(&old->store);
	(void)pthread_mutex_destroy(&old->lock);
	registry_clear(old);
	*registry = NULL;
}

/*
 * The parent's connection must not be used here: its locks are the parent's (POSIX record
 * locks are not inherited). But SQLite remembers them for each file of the process, and a
 * connection that this child opens later would believe that it has them; another process
 * could then shrink the shared index under it. So the connection is closed, which only
 * drops memory and descriptors (no checkpoint: see store.c), unless a thread of the
 * parent was inside SQLite while it forked: what it left half done is not to be touched,
 * and the memory is given up.
 */
void
registry_abandon(struct registry **registry)
{
	struct registry *old = *registry;

	if (old == NULL)
		return;
	*registry = NULL;
	if (pthread_mutex_trylock(&old->lock) != 0)
		return;
	store_abandon(&old->store);
	(void)pthread_mutex_unlock(&old->lock);
	(void)pthread_mutex_destroy(&old->lock);
	registry_clear(old);
}

bool
registry_report_once(struct registry *registry, int64_t what)
{
	bool first = true, full, more;

	(void)pthread_mutex_lock(&registry->lock);
	for (size_t i = 0; first && i < registry->reported_count; i++)
		first = registry->reported[i] != what;
	full = first && registry->reported_count == REPORTED_MAX;
	more = full && !registry->reported_more;
	registry->reported_more |= full;
	if (first && !full)
		registry->reported[registry->reported_count++] = what;
	(void)pthread_mutex_unlock(&registry->lock);
	if (more)
		log_error("%s: more than %d entries are broken; the others are not told one by one; run "
		          "p11-kms verify", registry->path, REPORTED_MAX);
	return first && !full;
}

void
registry_report(struct registry *registry, int64_t sequence, const char *what)
{
	if (registry_report_once(registry, sequence))
		log_error("%s: entry %" PRId64 " %s; it is not used; run p11-kms verify",
		          registry->path, sequence, what);
}

/* Heads are kept among the entries as the negative of what they should be about. */
static void
report_head(struct registry *registry, int64_t last, const char *wrong)
{
	if (registry_report_once(registry, -1 - last))
		log_error("%s: %s; nothing new is protected; run p11-kms verify", registry->path, wrong);
}

/* Someone has put another file in the place of the registry: go over to it. What can't be opened (yet) is tried again next time. */
static void
follow_locked(struct registry *registry)
{
	struct store *fresh = NULL;
	char *why = NULL;

	if (!store_replaced(registry->store))
		return;
	if (store_open(registry->path, store_use(registry->mode), &fresh, &why) != CKR_OK) {
		log_warning("%s", why == NULL ? registry->path : why);
		free(why);
		return;
	}
	store_abandon(&registry->store);
	registry->store = fresh;
	registry->data_version = 0;
	registry->generation++;
}

CK_RV
registry_generation_locked(struct registry *registry, uint64_t *ret_generation)
{
	int64_t data_version = 0;
	CK_RV rv;

	follow_locked(registry);
	rv = store_data_version(registry->store, &data_version);
	if (rv != CKR_OK)
		return rv;
	if (data_version != registry->data_version) {
		registry->data_version = data_version;
		registry->generation++;
	}
	*ret_generation = registry->generation;
	return CKR_OK;
}

CK_RV
registry_generation(struct registry *registry, uint64_t *ret_generation)
{
	CK_RV rv;

	(void)pthread_mutex_lock(&registry->lock);
	rv = registry_generation_locked(registry, ret_generation);
	(void)pthread_mutex_unlock(&registry->lock);
	return rv;
}

CK_RV
registry_end_locked(struct registry *registry, CK_RV rv)
{
	CK_RV rollback_rv;

	if (rv == CKR_OK)
		rv = store_run_plain(registry->store, COMMIT);
	if (rv == CKR_OK) {
		registry->generation++;
		return CKR_OK;
	}
	/* SQLite has rolled back already after some failures: then there is nothing left to end. */
	if (sqlite3_get_autocommit(registry->store->db) == 0) {
		rollback_rv = store_run_plain(registry->store, ROLLBACK);
		if (rollback_rv != CKR_OK)
			log_error("%s: could not roll back", registry->path);
	}
	return rv;
}

/* The head that was checked last, if nothing has changed since. */
static CK_RV
head_cached(struct registry *registry, struct registry_head *ret_head, bool *ret_cached)
{
	uint64_t generation = 0;
	CK_RV rv;

	(void)pthread_mutex_lock(&registry->lock);
	rv = registry_generation_locked(registry, &generation);
	*ret_cached = rv == CKR_OK && registry->head_generation == generation;
	if (*ret_cached)
		*ret_head = registry->head;
	(void)pthread_mutex_unlock(&registry->lock);
	return rv;
}

CK_RV
registry_head(struct registry *registry, struct registry_head *ret_head)
{
	struct head_row row = { .present = false };
	struct succession *succession = NULL;
	struct highest highest;
	uint64_t generation = 0;
	const char *wrong = NULL;
	bool cached;
	CK_RV rv;

	rv = head_cached(registry, ret_head, &cached);
	if (rv != CKR_OK || cached)
		return rv;
	highest = registry_highest(registry);
	rv = registry_read_head(registry, &highest, &row, &succession, &generation);
	if (rv != CKR_OK)
		return rv;

	rv = head_row_check(&row, succession_current(succession)->authority, &wrong);
	if (rv == CKR_OK && wrong != NULL) {
		report_head(registry, row.last, wrong);
		rv = CKR_DEVICE_ERROR;
	}
	if (rv == CKR_OK)
		rv = registry_guard(registry, &highest, &row.head, succession);
	if (rv == CKR_OK) {
		(void)pthread_mutex_lock(&registry->lock);
		registry->head = row.head;
		registry->head_generation = generation;
		(void)pthread_mutex_unlock(&registry->lock);
		*ret_head = row.head;
	}
	succession_release(&succession);
	head_row_clear(&row);
	return rv;
}
