/* SPDX-License-Identifier: Apache-2.0 */
/* A registry that was turned back: its head against the highest one that was seen. */
#include "registry/internal.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"

#include <stdlib.h>
#include <string.h>

static void
mark_set(struct seen_mark *mark, const struct registry_head *head, const struct authority *signer)
{
	const char *fingerprint = authority_fingerprint(signer);

	mark->sequence = head->sequence;
	mark->issued = head->issued;
	memcpy(mark->hash, head->hash, SEEN_HASH_SIZE);
	mark->signer[0] = '\0';
	if (strlen(fingerprint) < SEEN_SIGNER_SIZE)
		strcpy(mark->signer, fingerprint);
}

struct highest
registry_highest(struct registry *registry)
{
	struct highest highest;
	struct seen_mark own;
	bool anew;

	(void)pthread_mutex_lock(&registry->lock);
	own = registry->mark;
	anew = registry->anew;
	(void)pthread_mutex_unlock(&registry->lock);
	if (anew)
		return (struct highest){ .where = NULL };
	seen_read(registry->seen, &highest.mark, &highest.where);
	if (seen_mark_compare(&highest.mark, &own) <= 0)
		highest = (struct highest){ own, NULL };
	return highest;
}

/* Whether the log still has the entry that was the last one then: else it is another log. */
static CK_RV
log_has(struct registry *registry, const struct seen_mark *mark, bool *ret_has)
{
	struct entry entry = { .sequence = 0 };
	unsigned char hash[CHAIN_HASH_SIZE];
	CK_RV rv;

	(void)pthread_mutex_lock(&registry->lock);
	rv = chain_entry(registry->store, mark->sequence, &entry);
	(void)pthread_mutex_unlock(&registry->lock);
	if (rv == CKR_OK)
		rv = entry_hash(&entry, hash);
	*ret_has = rv == CKR_OK && memcmp(hash, mark->hash, CHAIN_HASH_SIZE) == 0;
	entry_clear(&entry);
	return rv == CKR_OBJECT_HANDLE_INVALID || rv == CKR_DEVICE_ERROR ? CKR_OK : rv;
}

static const char head_is_older[] = "its head is older than the one seen here";

/* NULL: the head is the one seen, or follows it. Else what is wrong. */
static CK_RV
compare(struct registry *registry, const struct registry_head *head, const struct seen_mark *mark,
        const char **ret_wrong)
{
	bool has = true;
	CK_RV rv = CKR_OK;

	*ret_wrong = NULL;
	if (mark->sequence == 0)
		return CKR_OK;
	if (head->sequence < mark->sequence)
		*ret_wrong = "is older than what was seen here";
	else if (head->sequence == mark->sequence)
		has = memcmp(head->hash, mark->hash, SEEN_HASH_SIZE) == 0;
	else
		rv = log_has(registry, mark, &has);
	if (rv == CKR_OK && !has)
		*ret_wrong = "is another log than the one seen here";
	/* Old heads may be good for longer than is wanted by now. */
	else if (rv == CKR_OK && head->sequence == mark->sequence && head->issued < mark->issued)
		*ret_wrong = head_is_older;
	return rv;
}

static const char *
where(const struct highest *highest)
{
	return highest->where == NULL ? "in this process" : highest->where;
}

/* Takes text; number: it is logged once for each, unless it is no error. */
static void
turned_back_told(struct registry *registry, char *text, const char *wrong, int64_t number,
                 bool error)
{
	if (text == NULL)
		text = strdup(wrong);
	if (text != NULL && error && registry_report_once(registry, INT64_MIN + number))
		log_error("%s", text);
	(void)pthread_mutex_lock(&registry->lock);
	free(registry->turned_back);
	registry->turned_back = text;
	(void)pthread_mutex_unlock(&registry->lock);
}

/* What is there, and what was: caller frees. */
static char *
difference(const struct registry_head *head, const struct seen_mark *mark, const char *wrong)
{
	char is[CLOCK_RFC3339_SIZE], was[CLOCK_RFC3339_SIZE];

	if (wrong != head_is_older)
		return text_format("it ends with entry %lld, and entry %lld was there before",
		                   (long long)head->sequence, (long long)mark->sequence);
	clock_format(head->issued, is);
	clock_format(mark->issued, was);
	return text_format("it was signed on %s, and one that was signed on %s was there before", is,
	                   was);
}

static void
turned_back(struct registry *registry, const struct registry_head *head,
            const struct highest *highest, const char *wrong)
{
	char *what = difference(head, &highest->mark, wrong), *text = NULL;
	bool put_back;

	if (what != NULL)
		text = text_format("%s: %s: %s (%s); it is not used. Get the newest copy; or, if a backup was "
		                   "put back on purpose, run: p11-kms verify --accept-restored",
		                   registry->path, wrong, what, where(highest));
	free(what);
	(void)pthread_mutex_lock(&registry->lock);
	put_back = registry->put_back;
	(void)pthread_mutex_unlock(&registry->lock);
	turned_back_told(registry, text, wrong, head->sequence, !put_back);
}

CK_RV
registry_guard_succession(struct registry *registry, const struct highest *highest,
                          const struct succession *succession)
{
	static const char wrong[] = "its authority was replaced";
	const char *signer = highest->mark.signer;
	char *text;

	if (highest->mark.sequence == 0 || signer[0] == '\0' || succession_has(succession, signer))
		return CKR_OK;
	text = text_format("%s: %s: it is not signed by %s, which signed what was there before (%s), nor "
	                   "by one that this handed over to; it is not used. Get the newest copy",
	                   registry->path, wrong, signer, where(highest));
	turned_back_told(registry, text, wrong, 0, true);
	return CKR_DEVICE_ERROR;
}

void
registry_saw(struct registry *registry, const struct registry_head *head,
             const struct authority *signer)
{
	struct seen_mark mark;
	bool anew;

	mark_set(&mark, head, signer);
	(void)pthread_mutex_lock(&registry->lock);
	free(registry->turned_back);
	registry->turned_back = NULL;
	anew = registry->anew;
	registry->anew = false;
	if (anew || seen_mark_compare(&mark, &registry->mark) > 0)
		registry->mark = mark;
	(void)pthread_mutex_unlock(&registry->lock);
	if (registry->mode != REGISTRY_LOOK)
		(void)seen_write(registry->seen, &mark, anew ? SEEN_ANEW : SEEN_FURTHER);
}

CK_RV
registry_guard(struct registry *registry, const struct highest *highest,
               const struct registry_head *head, const struct succession *succession)
{
	const char *wrong = NULL;
	CK_RV rv;

	rv = registry_guard_succession(registry, highest, succession);
	if (rv != CKR_OK)
		return rv;
	rv = compare(registry, head, &highest->mark, &wrong);
	if (rv != CKR_OK)
		return rv;
	if (wrong != NULL) {
		turned_back(registry, head, highest, wrong);
		return CKR_DEVICE_ERROR;
	}
	if (head->sequence > 0)
		registry_saw(registry, head, succession_current(succession)->authority);
	return CKR_OK;
}

bool
registry_turned_back(struct registry *registry, char **ret_why)
{
	bool is;

	(void)pthread_mutex_lock(&registry->lock);
	is = registry->turned_back != NULL;
	if (ret_why != NULL)
		*ret_why = is ? strdup(registry->turned_back) : NULL;
	(void)pthread_mutex_unlock(&registry->lock);
	return is;
}

bool
registry_remembers(struct registry *registry)
{
	struct seen_mark mark;

	(void)pthread_mutex_lock(&registry->lock);
	mark = registry->mark;
	(void)pthread_mutex_unlock(&registry->lock);
	if (mark.sequence == 0)
		return false;
	return registry->mode == REGISTRY_LOOK ? seen_writable(registry->seen)
	                                       : seen_write(registry->seen, &mark, SEEN_FURTHER);
}

int64_t
registry_restored(struct registry *registry)
{
	return seen_restored(registry->seen);
}

void
registry_put_back(struct registry *registry)
{
	(void)pthread_mutex_lock(&registry->lock);
	registry->put_back = true;
	(void)pthread_mutex_unlock(&registry->lock);
}

CK_RV
registry_accept(struct registry *registry)
{
	struct highest highest = registry_highest(registry);
	struct head_row row = { .present = false };
	struct succession *succession = NULL;
	uint64_t generation = 0;
	const char *wrong = NULL;
	struct seen_mark mark;
	CK_RV rv;

	/* Not from before a hand-over: whoever stole that authority could then go on with it. */
	rv = registry_read_head(registry, &highest, &row, &succession, &generation);
	if (rv != CKR_OK)
		return rv;
	rv = head_row_check(&row, succession_current(succession)->authority, &wrong);
	if (rv == CKR_OK && wrong != NULL) {
		log_error("%s: %s; it can't be accepted", registry->path, wrong);
		rv = CKR_DEVICE_ERROR;
	}
	if (rv != CKR_OK)
		goto out;
	mark_set(&mark, &row.head, succession_current(succession)->authority);
	if (!seen_write(registry->seen, &mark, SEEN_RESTORED)) {
		rv = CKR_FUNCTION_FAILED;
		goto out;
	}
	(void)pthread_mutex_lock(&registry->lock);
	registry->mark = mark;
	free(registry->turned_back);
	registry->turned_back = NULL;
	(void)pthread_mutex_unlock(&registry->lock);
out:
	succession_release(&succession);
	head_row_clear(&row);
	return rv;
}
