/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/seen.h"

#include "base/buffer.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/openssl.h"
#include "base/text.h"

#include <errno.h>
#include <libgen.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <jansson.h>
#include <openssl/evp.h>

#ifndef P11_KMS_LOCALSTATEDIR
#define P11_KMS_LOCALSTATEDIR "/var"
#endif

/* Not below the folder where registries are: who may write there could rename what is in it. */
#define SYSTEM_FOLDER P11_KMS_LOCALSTATEDIR "/lib/p11-kms-seen"
#define FILE_SIZE_MAX 8192

enum place { OWN, SYSTEM, PLACE_COUNT };

struct seen {
	char *path;               /* of the registry */
	char *authority;
	char *folder;             /* the user's own; NULL: there is none */
	char *files[PLACE_COUNT]; /* OWN is NULL when there is no own folder */
	atomic_flag complained;
};

/* One file's content. */
struct note {
	struct seen_mark mark;
	int64_t written, accepted; /* 0: never */
	int64_t restored;          /* see seen_restored; what is restored is accepted, too */
};

/* Relative paths are to be ignored (XDG Base Directory Specification). */
static char *
own_folder(void)
{
	const char *state = secure_getenv("XDG_STATE_HOME");
	const char *home = secure_getenv("HOME");

	if (state != NULL && state[0] == '/')
		return text_format("%s/p11-kms", state);
	if (geteuid() == 0)
		return text_format("%s", SYSTEM_FOLDER);
	if (home != NULL && home[0] == '/')
		return text_format("%s/.local/state/p11-kms", home);
	return NULL;
}

/* Registries of one name in several folders have different files; the name is for people. */
static char *
file_name(const char *folder, const char *path)
{
	unsigned char hash[SEEN_HASH_SIZE];
	const char *slash = strrchr(path, '/');
	char *hex, *name;

	if (EVP_Digest(path, strlen(path), hash, NULL, openssl_digest(CKM_SHA256), NULL) != 1)
		return NULL;
	hex = hex_dup(hash, 8);
	if (hex == NULL)
		return NULL;
	name = text_format("%s/%.100s.%s", folder, slash == NULL ? path : slash + 1, hex);
	free(hex);
	return name;
}

CK_RV
seen_new(const char *path, const char *authority, struct seen **ret_seen)
{
	struct seen *seen = calloc(1, sizeof *seen);

	if (seen == NULL)
		return CKR_HOST_MEMORY;
	atomic_flag_clear(&seen->complained);
	seen->path = strdup(path);
	seen->authority = strdup(authority);
	seen->folder = own_folder();
	if (seen->folder != NULL)
		seen->files[OWN] = file_name(seen->folder, path);
	seen->files[SYSTEM] = file_name(SYSTEM_FOLDER, path);
	if (seen->path == NULL || seen->authority == NULL || seen->files[SYSTEM] == NULL ||
	    (seen->folder != NULL && seen->files[OWN] == NULL)) {
		seen_free(&seen);
		return CKR_HOST_MEMORY;
	}
	*ret_seen = seen;
	return CKR_OK;
}

void
seen_free(struct seen **seen)
{
	struct seen *old = *seen;

	if (old == NULL)
		return;
	free(old->path);
	free(old->authority);
	free(old->folder);
	for (size_t i = 0; i < PLACE_COUNT; i++)
		free(old->files[i]);
	free(old);
	*seen = NULL;
}

static int
compare(int64_t first, int64_t second)
{
	return (first > second) - (first < second);
}

/* An entry more is newer, whatever a clock said: that counts between heads over the same ones. */
int
seen_mark_compare(const struct seen_mark *first, const struct seen_mark *second)
{
	int by_entries = compare(first->sequence, second->sequence);

	return by_entries != 0 ? by_entries : compare(first->issued, second->issued);
}

static bool
hash_parse(const char *text, unsigned char *ret_hash)
{
	struct buffer hash = BUFFER_INIT;
	bool good = hex_parse(text, &hash) && hash.size == SEEN_HASH_SIZE;

	if (good)
		memcpy(ret_hash, hash.data, SEEN_HASH_SIZE);
	buffer_clear(&hash);
	return good;
}

/* False: not a note. One about another authority or registry is a note of nothing. */
static bool
note_decode(const struct seen *seen, const struct buffer *content, struct note *ret_note)
{
	struct note note = { .mark = { .sequence = 0 } };
	json_int_t sequence = 0, issued = 0, written = 0, accepted = 0, restored = 0;
	const char *path = NULL, *authority = NULL, *hash = NULL, *signer = "";
	json_t *json;
	bool good;

	json = json_loadb((const char *)content->data, content->size, JSON_REJECT_DUPLICATES, NULL);
	good = json != NULL &&
	       json_unpack(json, "{s:s, s:s, s:s, s:I, s:I, s:I, s?s, s?I, s?I}", "path", &path,
	                   "authority", &authority, "hash", &hash, "sequence", &sequence, "written",
	                   &written, "accepted", &accepted, "signer", &signer, "issued",
	                   &issued, "restored", &restored) == 0 &&
	       sequence > 0 && issued >= 0 && strlen(signer) < SEEN_SIGNER_SIZE &&
	       hash_parse(hash, note.mark.hash);
	if (good && strcmp(path, seen->path) == 0 &&
	    (strcmp(authority, seen->authority) == 0 || strcmp(signer, seen->authority) == 0)) {
		note.mark.sequence = sequence;
		note.mark.issued = issued;
		strcpy(note.mark.signer, signer);
		note.written = written;
		note.accepted = accepted;
		note.restored = restored;
	}
	json_decref(json);
	if (good)
		*ret_note = note;
	return good;
}

/* A note of nothing where there is no file, or none that can be trusted. */
static struct note
note_read(const struct seen *seen, const char *file)
{
	struct note note = { .mark = { .sequence = 0 } };
	struct buffer content = BUFFER_INIT;
	char *why = NULL;

	if (file == NULL || access(file, F_OK) != 0)
		return note;
	if (!file_read(file, FILE_PUBLIC, FILE_SIZE_MAX, &content, &why))
		log_warning("what was seen of %s is not looked at: %s", seen->path,
		            why == NULL ? file : why);
	else if (!note_decode(seen, &content, &note))
		log_warning("%s: is not understood, so an older %s would not be noticed; remove it", file,
		            seen->path);
	free(why);
	buffer_clear(&content);
	return note;
}

static bool
own_counts(const struct note *own, const struct note *system)
{
	return seen_mark_compare(&own->mark, &system->mark) > 0 && own->written >= system->accepted;
}

void
seen_read(const struct seen *seen, struct seen_mark *ret_mark, const char **ret_file)
{
	struct note own = note_read(seen, seen->files[OWN]);
	struct note system = note_read(seen, seen->files[SYSTEM]);
	bool use_own = own_counts(&own, &system);

	*ret_mark = use_own ? own.mark : system.mark;
	*ret_file = ret_mark->sequence == 0 ? NULL : seen->files[use_own ? OWN : SYSTEM];
}

/* Makes the folder and those above it, as far as they are missing. */
static bool
folder_make(const char *folder, mode_t mode)
{
	char *copy = strdup(folder);
	bool made = false;

	if (copy == NULL)
		return false;
	for (char *at = strchr(copy + 1, '/'); at != NULL; at = strchr(at + 1, '/')) {
		*at = '\0';
		if (mkdir(copy, 0755) != 0 && errno != EEXIST)
			goto out;
		*at = '/';
	}
	/* Whatever the umask is. */
	made = mkdir(copy, mode) == 0 ? chmod(copy, mode) == 0 : errno == EEXIST;
out:
	free(copy);
	return made;
}

/* A place where others may write, or that is another's, keeps nothing safe. */
static bool
folder_trusted(const char *folder, char **ret_why)
{
	struct stat status;

	if (stat(folder, &status) != 0) {
		*ret_why = text_format("%s: %s", folder, strerror(errno));
		return false;
	}
	if (S_ISDIR(status.st_mode) && status.st_uid == geteuid() &&
	    (status.st_mode & (S_IWGRP | S_IWOTH)) == 0)
		return true;
	*ret_why = text_format("%s: belongs to another user, or may be written to by others (mode "
	                       "%04o)", folder, (unsigned)(status.st_mode & 07777));
	return false;
}

/* The folder, or the one that it would be made in. */
static bool
folder_writable(const char *folder)
{
	char *copy = strdup(folder), *at = copy;
	bool writable;

	while (at != NULL && eaccess(at, F_OK) != 0 && strcmp(at, "/") != 0)
		at = dirname(at);
	writable = at != NULL && eaccess(at, W_OK | X_OK) == 0;
	free(copy);
	return writable;
}

bool
seen_writable(const struct seen *seen)
{
	char *why = NULL;
	bool trusted;

	if (seen->folder == NULL || !folder_writable(seen->folder))
		return false;
	trusted = access(seen->folder, F_OK) != 0 || folder_trusted(seen->folder, &why);
	free(why);
	return trusted;
}

static char *
note_encode(const struct seen *seen, const struct note *note)
{
	char *hash = hex_dup(note->mark.hash, SEEN_HASH_SIZE);
	char *text = NULL;
	json_t *json;

	if (hash == NULL)
		return NULL;
	json = json_pack("{s:s, s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:s}", "path", seen->path,
	                 "authority", seen->authority, "hash", hash, "sequence",
	                 (json_int_t)note->mark.sequence, "issued", (json_int_t)note->mark.issued,
	                 "written", (json_int_t)note->written, "accepted",
	                 (json_int_t)note->accepted, "restored", (json_int_t)note->restored, "signer",
	                 note->mark.signer[0] != '\0' ? note->mark.signer : seen->authority);
	if (json != NULL)
		text = json_dumps(json, JSON_INDENT(1) | JSON_SORT_KEYS);
	json_decref(json);
	free(hash);
	return text;
}

static bool
note_write(const struct seen *seen, const struct note *note, char **ret_why)
{
	bool system = strcmp(seen->folder, SYSTEM_FOLDER) == 0;
	char *text;
	bool done;

	if (!folder_make(seen->folder, system ? 0755 : 0700)) {
		*ret_why = text_format("%s: can't be made: %s", seen->folder, strerror(errno));
		return false;
	}
	if (!folder_trusted(seen->folder, ret_why))
		return false;
	text = note_encode(seen, note);
	if (text == NULL)
		return false;
	done = file_write(seen->files[OWN], text, strlen(text), 0644, ret_why);
	free(text);
	return done;
}

/* Another process was here first, with the same or with more, and root did not make that void. */
static bool
already_kept(const struct seen *seen, const struct note *own, const struct seen_mark *mark)
{
	return seen_mark_compare(&own->mark, mark) >= 0 &&
	       own->written >= note_read(seen, seen->files[SYSTEM]).accepted;
}

/* Many a service has no home, and is no worse off than before: its log need not be full of it. */
static void
complain(struct seen *seen, const struct seen_mark *mark, const char *why)
{
	bool expected = seen->folder == NULL || access(seen->folder, W_OK) != 0;

	if (atomic_flag_test_and_set(&seen->complained))
		return;
	(expected ? log_info : log_warning)(
	        "that %s has reached entry %lld can't be kept, so only this process would notice that "
	        "it is turned back: %s", seen->path, (long long)mark->sequence, why);
}

/* Up to when that had seen the registry which is made void now, or was before and is void still. */
static int64_t
made_void(const struct seen *seen, const struct note *own, int64_t now)
{
	struct note system = note_read(seen, seen->files[SYSTEM]);
	const struct note *note = own_counts(own, &system) ? own : &system;
	int64_t until = note->mark.issued != 0 ? note->mark.issued : note->written;
	int64_t before = seen_restored(seen);

	if (until == 0)
		until = now;
	return until > before ? until : before;
}

bool
seen_write(struct seen *seen, const struct seen_mark *mark, enum seen_manner manner)
{
	struct note note = { .mark = *mark, .written = clock_now() };
	struct note own;
	char *why = NULL;
	bool done = false;

	if (seen->folder == NULL) {
		complain(seen, mark, "there is no HOME and no XDG_STATE_HOME");
		return false;
	}
	own = note_read(seen, seen->files[OWN]);
	if (manner == SEEN_FURTHER && already_kept(seen, &own, mark))
		return true;
	note.accepted = manner == SEEN_FURTHER ? own.accepted : note.written;
	note.restored = manner == SEEN_FURTHER ? own.restored :
	                manner == SEEN_RESTORED ? made_void(seen, &own, note.written) : 0;
	done = note_write(seen, &note, &why);
	if (!done)
		complain(seen, mark, why == NULL ? "out of memory" : why);
	free(why);
	return done;
}

int64_t
seen_restored(const struct seen *seen)
{
	struct note own = note_read(seen, seen->files[OWN]);
	struct note system = note_read(seen, seen->files[SYSTEM]);
	const struct note *last = own.accepted > system.accepted ? &own : &system;

	/* A registry that was begun anew lacks nothing, whatever was accepted before that. */
	if (last->restored == 0 && (own.accepted != system.accepted || own.restored == 0))
		return 0;
	return own.restored > system.restored ? own.restored : system.restored;
}
