/* SPDX-License-Identifier: Apache-2.0 */
#include "registry-fixture.h"
#include "unit.h"

#include "base/openssl.h"
#include "registry/chain.h"
#include "registry/seen.h"

#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define REGISTRY "/somewhere/backup.db"

static char folder[512];
static struct fixture_authority authority;

static void
start(void)
{
	static int count;
	char name[32];

	ck_assert_uint_eq(openssl_start(), CKR_OK);
	fixture_authority_new("P-256", &authority);
	snprintf(name, sizeof name, "state-%d-%d", (int)getpid(), count++);
	snprintf(folder, sizeof folder, "%s", unit_path(name));
	ck_assert_int_eq(setenv("XDG_STATE_HOME", folder, 1), 0);
}

static void
stop(void)
{
	fixture_authority_clear(&authority);
	openssl_stop();
}

static struct seen_mark
mark(int64_t sequence)
{
	struct seen_mark made = { .sequence = sequence };

	memset(made.hash, (int)sequence, sizeof made.hash);
	return made;
}

static struct seen *
open_seen(const char *path, const char *fingerprint)
{
	struct seen *seen = NULL;

	ck_assert_uint_eq(seen_new(path, fingerprint, &seen), CKR_OK);
	return seen;
}

static void
assert_seen(struct seen *seen, int64_t sequence)
{
	struct seen_mark wanted = mark(sequence), kept;
	const char *file = NULL;

	seen_read(seen, &kept, &file);
	ck_assert_int_eq(kept.sequence, sequence);
	ck_assert_int_eq(file == NULL, sequence == 0);
	if (sequence != 0)
		ck_assert_mem_eq(kept.hash, wanted.hash, sizeof kept.hash);
}

static bool
write_mark(struct seen *seen, int64_t sequence, bool accept)
{
	struct seen_mark written = mark(sequence);

	return seen_write(seen, &written, accept);
}

/* The one file in the folder. */
static const char *
kept_file(void)
{
	static char file[600];
	char pattern[600];
	glob_t found;

	snprintf(pattern, sizeof pattern, "%s/p11-kms/*", folder);
	ck_assert_int_eq(glob(pattern, 0, NULL, &found), 0);
	ck_assert_uint_eq(found.gl_pathc, 1);
	snprintf(file, sizeof file, "%s", found.gl_pathv[0]);
	globfree(&found);
	return file;
}

START_TEST(the_highest_is_kept)
{
	struct seen *seen = open_seen(REGISTRY, "SHA256:a"), *again;

	assert_seen(seen, 0);
	ck_assert(write_mark(seen, 5, false));
	assert_seen(seen, 5);
	ck_assert(write_mark(seen, 3, false));
	assert_seen(seen, 5);
	ck_assert(write_mark(seen, 7, false));
	again = open_seen(REGISTRY, "SHA256:a");
	assert_seen(again, 7);
	seen_free(&again);
	seen_free(&seen);
}
END_TEST

START_TEST(of_one_sequence_the_head_signed_last_is_kept)
{
	struct seen *seen = open_seen(REGISTRY, "SHA256:a");
	struct seen_mark first = mark(5), later = mark(5), kept;
	const char *file = NULL;

	first.issued = 1000;
	later.issued = 2000;
	ck_assert(seen_write(seen, &first, false));
	ck_assert(seen_write(seen, &later, false));
	seen_read(seen, &kept, &file);
	ck_assert_int_eq(kept.issued, 2000);
	ck_assert(seen_write(seen, &first, false));
	seen_read(seen, &kept, &file);
	ck_assert_int_eq(kept.issued, 2000);
	ck_assert(seen_write(seen, &first, true));
	seen_read(seen, &kept, &file);
	ck_assert_int_eq(kept.issued, 1000);
	/* A later entry counts, whatever the clock of its writer says. */
	later = mark(6);
	later.issued = 500;
	ck_assert(seen_write(seen, &later, false));
	assert_seen(seen, 6);
	seen_free(&seen);
}
END_TEST

START_TEST(an_accepted_one_may_be_lower)
{
	struct seen *seen = open_seen(REGISTRY, "SHA256:a");

	ck_assert(write_mark(seen, 5, false));
	ck_assert(write_mark(seen, 3, true));
	assert_seen(seen, 3);
	seen_free(&seen);
}
END_TEST

START_TEST(another_registry_or_authority_is_not_held_to_it)
{
	struct seen *seen = open_seen(REGISTRY, "SHA256:a");
	struct seen *elsewhere = open_seen("/elsewhere/backup.db", "SHA256:a");
	struct seen *anew = open_seen(REGISTRY, "SHA256:b");

	ck_assert(write_mark(seen, 5, false));
	assert_seen(elsewhere, 0);
	assert_seen(anew, 0);
	ck_assert(write_mark(anew, 1, false));
	assert_seen(anew, 1);
	seen_free(&seen);
	seen_free(&elsewhere);
	seen_free(&anew);
}
END_TEST

static void
put(const char *text)
{
	FILE *file = fopen(kept_file(), "w");

	ck_assert_ptr_nonnull(file);
	ck_assert_int_ge(fputs(text, file), 0);
	ck_assert_int_eq(fclose(file), 0);
}

/* As they were written before it was known when the head was signed. */
START_TEST(a_note_without_the_time_of_the_head_is_understood)
{
	struct seen *seen = open_seen(REGISTRY, "SHA256:a");
	struct seen_mark later = mark(9), kept;
	const char *file = NULL;

	ck_assert(write_mark(seen, 5, false));
	put("{\"path\":\"" REGISTRY "\",\"authority\":\"SHA256:a\",\"hash\":"
	    "\"0909090909090909090909090909090909090909090909090909090909090909\","
	    "\"sequence\":9,\"written\":1,\"accepted\":0,\"signer\":\"SHA256:a\"}");
	assert_seen(seen, 9);
	seen_read(seen, &kept, &file);
	ck_assert_int_eq(kept.issued, 0);
	later.issued = 1000;
	ck_assert(seen_write(seen, &later, false));
	seen_read(seen, &kept, &file);
	ck_assert_int_eq(kept.issued, 1000);
	seen_free(&seen);
}
END_TEST

START_TEST(what_is_not_understood_counts_for_nothing)
{
	static const char *const texts[] = {
		"", "{}", "[", "{\"path\":1}",
		"{\"path\":\"" REGISTRY "\",\"authority\":\"SHA256:a\",\"hash\":\"00\",\"sequence\":9,"
		"\"written\":1,\"accepted\":0}",
		"{\"path\":\"" REGISTRY "\",\"authority\":\"SHA256:a\",\"hash\":"
		"\"0000000000000000000000000000000000000000000000000000000000000000\","
		"\"sequence\":-9,\"written\":1,\"accepted\":0}",
	};
	struct seen *seen = open_seen(REGISTRY, "SHA256:a");

	ck_assert(write_mark(seen, 5, false));
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		put(texts[i]);
		assert_seen(seen, 0);
	}
	ck_assert(write_mark(seen, 2, false));
	assert_seen(seen, 2);
	seen_free(&seen);
}
END_TEST

START_TEST(what_others_may_have_written_is_not_trusted)
{
	struct seen *seen = open_seen(REGISTRY, "SHA256:a");
	char inside[600];

	ck_assert(write_mark(seen, 5, false));
	ck_assert_int_eq(chmod(kept_file(), 0666), 0);
	assert_seen(seen, 0);
	ck_assert_int_eq(chmod(kept_file(), 0644), 0);
	assert_seen(seen, 5);
	snprintf(inside, sizeof inside, "%s/p11-kms", folder);
	ck_assert_int_eq(chmod(inside, 0777), 0);
	ck_assert(!write_mark(seen, 6, false));
	ck_assert_int_eq(chmod(inside, 0700), 0);
	assert_seen(seen, 5);
	seen_free(&seen);
}
END_TEST

START_TEST(a_place_that_cannot_be_is_no_failure_of_the_registry)
{
	char file[600], path[600];
	struct registry *registry;
	FILE *blocking;

	snprintf(file, sizeof file, "%s-file", folder);
	blocking = fopen(file, "w");
	ck_assert_ptr_nonnull(blocking);
	ck_assert_int_eq(fclose(blocking), 0);
	ck_assert_int_eq(setenv("XDG_STATE_HOME", file, 1), 0);
	snprintf(path, sizeof path, "%s.db", folder);
	registry = fixture_registry(path, &authority);
	(void)fixture_add_key(registry, &authority, "job", 1);
	ck_assert(!registry_remembers(registry));
	ck_assert_uint_eq(registry_accept(registry), CKR_FUNCTION_FAILED);
	registry_free(&registry);
}
END_TEST

static void
copy(const char *from, const char *to)
{
	char command[1400];

	snprintf(command, sizeof command, "rm -f '%s'-* && cp '%s' '%s'", to, from, to);
	ck_assert_int_eq(system(command), 0);
}

/* A registry with a key, and a copy of it. */
static void
prepare(char *path, char *old, size_t size)
{
	struct registry *registry;

	snprintf(path, size, "%s.db", folder);
	snprintf(old, size, "%s.old", folder);
	registry = fixture_registry(path, &authority);
	(void)fixture_add_key(registry, &authority, "job", 1);
	registry_free(&registry);
	copy(path, old);
}

static struct registry *
open_registry(const char *path, enum registry_mode mode)
{
	struct registry *registry = NULL;
	char *why = NULL;

	ck_assert_uint_eq(registry_open(path, authority.authority, mode, &registry, &why), CKR_OK);
	return registry;
}

static CK_RV
build_nothing(struct registry *registry, struct change *change, void *context)
{
	(void)registry;
	(void)change;
	(void)context;
	return CKR_OK;
}

START_TEST(a_registry_that_was_turned_back_is_refused)
{
	char path[600], old[600], *why = NULL;
	struct registry_head head;
	struct registry *registry;

	prepare(path, old, sizeof path);
	registry = open_registry(path, REGISTRY_WRITE);
	(void)fixture_add_key(registry, &authority, "job-2", 2);
	registry_free(&registry);
	copy(old, path);
	registry = open_registry(path, REGISTRY_WRITE);
	ck_assert_uint_eq(registry_head(registry, &head), CKR_DEVICE_ERROR);
	ck_assert(registry_turned_back(registry, &why));
	ck_assert_ptr_nonnull(strstr(why, path));
	free(why);
	ck_assert_uint_eq(registry_change(registry, &authority.signer, 3600, build_nothing, NULL),
	                  CKR_DEVICE_ERROR);
	ck_assert_uint_eq(registry_accept(registry), CKR_OK);
	ck_assert(!registry_turned_back(registry, NULL));
	ck_assert_uint_eq(registry_head(registry, &head), CKR_OK);
	(void)fixture_add_key(registry, &authority, "job-3", 3);
	registry_free(&registry);
}
END_TEST

/* Of a time when heads were good for longer, say: its entries are all the same. */
START_TEST(an_older_head_over_the_same_entries_is_refused)
{
	char path[600], old[600], *why = NULL;
	struct registry_head head;
	struct registry *registry;

	prepare(path, old, sizeof path);
	registry = open_registry(path, REGISTRY_WRITE);
	ck_assert_uint_eq(registry_head(registry, &head), CKR_OK);
	sleep(2);
	ck_assert_uint_eq(registry_change(registry, &authority.signer, 60, build_nothing, NULL), CKR_OK);
	registry_free(&registry);
	copy(old, path);
	registry = open_registry(path, REGISTRY_WRITE);
	ck_assert_uint_eq(registry_head(registry, &head), CKR_DEVICE_ERROR);
	ck_assert(registry_turned_back(registry, &why));
	ck_assert_ptr_nonnull(strstr(why, "signed on"));
	free(why);
	ck_assert_uint_eq(registry_change(registry, &authority.signer, 60, build_nothing, NULL),
	                  CKR_DEVICE_ERROR);
	ck_assert_uint_eq(registry_accept(registry), CKR_OK);
	ck_assert_uint_eq(registry_head(registry, &head), CKR_OK);
	ck_assert_uint_eq(registry_change(registry, &authority.signer, 60, build_nothing, NULL), CKR_OK);
	registry_free(&registry);
}
END_TEST

/* Two that sign heads at one time must not leave the older one behind. */
struct race {
	struct registry *registry;
	bool done;
};

static CK_RV
sign_after_another(void *context, const struct term *term, const void *message, size_t size,
                   struct buffer *ret_signature)
{
	struct race *race = context;

	if (!race->done) {
		race->done = true;
		sleep(2);
		ck_assert_uint_eq(registry_change(race->registry, &authority.signer, 60, build_nothing,
		                                  NULL), CKR_OK);
	}
	return fixture_sign(&authority, term, message, size, ret_signature);
}

START_TEST(a_head_that_was_signed_first_does_not_follow)
{
	char path[600], old[600];
	struct registry *registry, *rival, *reader;
	struct registry_head before, head;
	struct race race;
	struct signer signer = { sign_after_another, &race };

	prepare(path, old, sizeof path);
	registry = open_registry(path, REGISTRY_WRITE);
	rival = open_registry(path, REGISTRY_WRITE);
	reader = open_registry(path, REGISTRY_READ);
	race = (struct race){ .registry = rival };
	ck_assert_uint_eq(registry_head(rival, &before), CKR_OK);
	ck_assert_uint_eq(registry_change(registry, &signer, 60, build_nothing, NULL), CKR_OK);
	ck_assert_uint_eq(registry_head(rival, &head), CKR_OK);
	ck_assert_int_ge(head.issued, before.issued + 2);
	ck_assert_uint_eq(registry_head(reader, &head), CKR_OK);
	registry_free(&reader);
	registry_free(&rival);
	registry_free(&registry);
}
END_TEST

/* Signed by a clock that was ahead, and has been set right since. */
START_TEST(a_head_follows_one_of_the_future)
{
	char path[600], old[600], hex[129];
	struct buffer message = BUFFER_INIT, signature = BUFFER_INIT;
	struct registry_head head, next;
	struct registry *registry;

	prepare(path, old, sizeof path);
	registry = open_registry(path, REGISTRY_WRITE);
	ck_assert_uint_eq(registry_head(registry, &head), CKR_OK);
	head.issued += 100000;
	head.expires += 100000;
	ck_assert_uint_eq(head_message(&head, &message), CKR_OK);
	ck_assert_uint_eq(fixture_sign(&authority, NULL, message.data, message.size, &signature), CKR_OK);
	ck_assert_uint_eq(signature.size, 64);
	for (size_t i = 0; i < signature.size; i++)
		snprintf(hex + 2 * i, 3, "%02x", signature.data[i]);
	fixture_sql(path, "UPDATE head SET issued = %lld, expires = %lld, signature = x'%s'",
	            (long long)head.issued, (long long)head.expires, hex);
	ck_assert_uint_eq(registry_head(registry, &next), CKR_OK);
	ck_assert_int_eq(next.issued, head.issued);
	ck_assert_uint_eq(registry_change(registry, &authority.signer, 60, build_nothing, NULL), CKR_OK);
	ck_assert_uint_eq(registry_head(registry, &next), CKR_OK);
	ck_assert_int_eq(next.issued, head.issued + 1);
	ck_assert_int_lt(next.expires, head.expires);
	(void)fixture_add_key(registry, &authority, "job-2", 2);
	ck_assert_uint_eq(registry_head(registry, &next), CKR_OK);
	ck_assert_int_lt(next.issued, head.issued);
	registry_free(&registry);
	buffer_clear(&message);
	buffer_clear(&signature);
}
END_TEST

START_TEST(a_process_notices_it_by_itself_too)
{
	char path[600], old[600];
	struct registry_head head;
	struct registry *registry, *reader;

	prepare(path, old, sizeof path);
	reader = open_registry(path, REGISTRY_READ);
	registry = open_registry(path, REGISTRY_WRITE);
	(void)fixture_add_key(registry, &authority, "job-2", 2);
	registry_free(&registry);
	ck_assert_uint_eq(registry_head(reader, &head), CKR_OK);
	/* What is kept outside is gone. */
	ck_assert_int_eq(unlink(kept_file()), 0);
	ck_assert_int_eq(unlink(path), 0);
	copy(old, path);
	ck_assert_uint_eq(registry_head(reader, &head), CKR_DEVICE_ERROR);
	ck_assert(registry_turned_back(reader, NULL));
	registry_free(&reader);
}
END_TEST

START_TEST(who_only_looks_leaves_no_note)
{
	char path[600], old[600], pattern[600];
	struct registry_head head;
	struct registry *registry;
	glob_t found;

	prepare(path, old, sizeof path);
	ck_assert_int_eq(unlink(kept_file()), 0);
	registry = open_registry(path, REGISTRY_LOOK);
	ck_assert(!registry_remembers(registry));
	ck_assert_uint_eq(registry_head(registry, &head), CKR_OK);
	ck_assert(registry_remembers(registry));
	ck_assert_uint_eq(registry_change(registry, &authority.signer, 60, build_nothing, NULL),
	                  CKR_TOKEN_WRITE_PROTECTED);
	snprintf(pattern, sizeof pattern, "%s/p11-kms/*", folder);
	ck_assert_int_eq(glob(pattern, 0, NULL, &found), GLOB_NOMATCH);
	/* It is held to what others have seen. */
	registry_free(&registry);
	registry = open_registry(path, REGISTRY_WRITE);
	(void)fixture_add_key(registry, &authority, "job-2", 2);
	registry_free(&registry);
	copy(old, path);
	registry = open_registry(path, REGISTRY_LOOK);
	ck_assert_uint_eq(registry_head(registry, &head), CKR_DEVICE_ERROR);
	registry_free(&registry);
	/* And says so where it could not be kept. */
	snprintf(pattern, sizeof pattern, "%s/p11-kms", folder);
	ck_assert_int_eq(chmod(pattern, 0777), 0);
	ck_assert_int_eq(unlink(kept_file()), 0);
	registry = open_registry(path, REGISTRY_LOOK);
	ck_assert_uint_eq(registry_head(registry, &head), CKR_OK);
	ck_assert(!registry_remembers(registry));
	registry_free(&registry);
}
END_TEST

static CK_RV
build_token(struct registry *registry, struct change *change, void *context)
{
	struct token_record *token = fixture_token();
	CK_RV rv = change_add_token(change, token);

	(void)registry;
	(void)context;
	token_record_free(&token);
	return rv;
}

START_TEST(a_registry_begun_anew_by_the_same_authority_is_refused)
{
	char path[600], old[600], remove_all[1400];
	struct registry *registry = NULL;
	struct registry_head head;
	char *why = NULL;

	prepare(path, old, sizeof path);
	snprintf(remove_all, sizeof remove_all, "rm -f '%s' '%s'-*", path, path);
	ck_assert_int_eq(system(remove_all), 0);
	ck_assert_uint_eq(registry_create(path, authority.authority, &registry, &why),
	                  CKR_DEVICE_ERROR);
	ck_assert_ptr_nonnull(strstr(why, "rebuild"));
	free(why);
	ck_assert_int_ne(access(path, F_OK), 0);
	ck_assert_uint_eq(registry_create_anew(path, authority.authority, &registry, &why), CKR_OK);
	ck_assert_uint_eq(registry_change(registry, &authority.signer, 3600, build_token, NULL), CKR_OK);
	ck_assert_uint_eq(registry_head(registry, &head), CKR_OK);
	ck_assert_int_eq(head.sequence, 1);
	registry_free(&registry);
}
END_TEST

START_TEST(a_registry_that_was_emptied_is_refused)
{
	char path[600], old[600];
	struct registry *registry;

	prepare(path, old, sizeof path);
	fixture_sql(path, "DELETE FROM entries; DELETE FROM head;");
	registry = open_registry(path, REGISTRY_WRITE);
	ck_assert_uint_eq(registry_change(registry, &authority.signer, 3600, build_token, NULL),
	                  CKR_DEVICE_ERROR);
	ck_assert(registry_turned_back(registry, NULL));
	registry_free(&registry);
}
END_TEST

/* What a backup may lack is what was seen, however much later it is accepted. */
START_TEST(keeps_up_to_when_it_had_seen_what_was_made_void)
{
	static const int64_t issued[] = { 1000, 800, 700, 1200, 900, 0, 1 };
	static const int64_t restored[] = { 0, 1000, 1000, 1000, 1200, 1200, 0 };
	struct seen *seen = open_seen(REGISTRY, "aa");
	struct seen_mark last = mark(1);

	for (int i = 0; i < 7; i++) {
		last = mark(i == 3 ? 7 : 9 - i);
		last.issued = issued[i];
		ck_assert(seen_write(seen, &last, i == 6         ? SEEN_ANEW
		                                  : i % 3 == 0 ? SEEN_FURTHER
		                                               : SEEN_RESTORED));
		ck_assert_int_eq(seen_restored(seen), restored[i]);
	}
	/* It is not known when the last one was signed: then when it was seen. */
	last = mark(2);
	ck_assert(seen_write(seen, &last, SEEN_RESTORED));
	last = mark(1);
	ck_assert(seen_write(seen, &last, SEEN_RESTORED));
	ck_assert_int_gt(seen_restored(seen), 1000000);
	seen_free(&seen);
}
END_TEST

Suite *
unit_suite(void)
{
	Suite *suite = suite_create("seen");
	TCase *cases = tcase_create("seen");

	tcase_add_checked_fixture(cases, start, stop);
	tcase_add_test(cases, the_highest_is_kept);
	tcase_add_test(cases, of_one_sequence_the_head_signed_last_is_kept);
	tcase_add_test(cases, an_accepted_one_may_be_lower);
	tcase_add_test(cases, another_registry_or_authority_is_not_held_to_it);
	tcase_add_test(cases, a_note_without_the_time_of_the_head_is_understood);
	tcase_add_test(cases, what_is_not_understood_counts_for_nothing);
	tcase_add_test(cases, what_others_may_have_written_is_not_trusted);
	tcase_add_test(cases, a_place_that_cannot_be_is_no_failure_of_the_registry);
	tcase_add_test(cases, a_registry_that_was_turned_back_is_refused);
	tcase_add_test(cases, an_older_head_over_the_same_entries_is_refused);
	tcase_add_test(cases, a_head_that_was_signed_first_does_not_follow);
	tcase_add_test(cases, a_head_follows_one_of_the_future);
	tcase_add_test(cases, a_process_notices_it_by_itself_too);
	tcase_add_test(cases, keeps_up_to_when_it_had_seen_what_was_made_void);
	tcase_add_test(cases, who_only_looks_leaves_no_note);
	tcase_add_test(cases, a_registry_begun_anew_by_the_same_authority_is_refused);
	tcase_add_test(cases, a_registry_that_was_emptied_is_refused);
	suite_add_tcase(suite, cases);
	return suite;
}
