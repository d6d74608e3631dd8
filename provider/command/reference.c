/* SPDX-License-Identifier: Apache-2.0 */
#include "command/reference.h"

#include "command/key-walk.h"
#include "command/output.h"
#include "lifecycle/commit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define PREFIX_LEAST 4 /* hexadecimal digits */

char *
reference_split(const char *text, int64_t *ret_number)
{
	const char *at = strrchr(text, '@');
	long long number;

	*ret_number = 0;
	/* No name ends in '@' and digits, so there is one way to read it. */
	if (at == NULL || at == text || at[1] < '1' || at[1] > '9' ||
	    at[1 + strspn(at + 1, "0123456789")] != '\0')
		return strdup(text);
	errno = 0;
	number = strtoll(at + 1, NULL, 10);
	*ret_number = errno == 0 ? number : INT64_MAX;
	return strndup(text, (size_t)(at - text));
}

int
no_such_key(const struct workspace *workspace, const char *name)
{
	complain("%s: there is no such key in token %s; `p11-kms list` shows those there are", name,
	         workspace->token->name);
	return EXIT_NO_KEY;
}

int
version_gone(const struct version *version)
{
	const char *name = version->name;
	long long number = (long long)version->number;

	if (version->state == STATE_DESTROY_PENDING)
		complain("%s@%lld is to be destroyed (destroy-pending), and is not used any more; "
		         "`p11-kms restore %s@%lld` brings it back", name, number, name, number);
	else
		complain("%s@%lld is %s: it can't be used any more", name, number,
		         version_state_name(version->state));
	return EXIT_NO_KEY;
}

static CK_RV
first_found(struct registry *registry, const struct registry_search *search,
            struct version **ret_version)
{
	int64_t object;
	size_t count;
	CK_RV rv;

	rv = registry_search(registry, search, &object, 1, &count);
	if (rv != CKR_OK)
		return rv;
	if (count == 0)
		return CKR_OBJECT_HANDLE_INVALID;
	return registry_version(registry, object, ret_version);
}

CK_RV
version_newest(struct registry *registry, const char *name, struct version **ret_version)
{
	struct registry_search search = { .name = name };
	struct version *version = NULL;
	CK_RV rv;

	rv = version_current(registry, name, &version);
	if (rv == CKR_OK && version == NULL)
		rv = first_found(registry, &search, &version);
	if (rv == CKR_OBJECT_HANDLE_INVALID) {
		search.destroyed = true;
		rv = first_found(registry, &search, &version);
	}
	if (rv == CKR_OK)
		*ret_version = version;
	return rv;
}

struct prefix {
	const char *text;        /* hexadecimal, borrowed */
	struct version *version; /* the first that has it; owned */
	bool several;
};

static CK_RV
match_prefix(void *context, const struct version *version)
{
	struct prefix *prefix = context;
	char *id = hex_dup(version->id.data, version->id.size);
	bool matches;

	if (id == NULL)
		return CKR_HOST_MEMORY;
	matches = strncasecmp(id, prefix->text, strlen(prefix->text)) == 0;
	free(id);
	if (!matches)
		return CKR_OK;
	if (prefix->version == NULL)
		return version_dup(version, &prefix->version);
	prefix->several = true;
	return CKR_CANCEL;
}

/* The beginning of an id, as list shows it. */
static int
find_by_prefix(const struct workspace *workspace, const char *text, struct version **ret_version)
{
	struct prefix prefix = { .text = text };
	CK_RV rv;

	rv = version_walk(workspace->registry, NULL, true, match_prefix, &prefix);
	if (rv == CKR_OK && prefix.version != NULL) {
		*ret_version = prefix.version;
		return EXIT_DONE;
	}
	version_free(&prefix.version);
	if (prefix.several)
		complain("%s: several ids begin like this; give more of it (`p11-kms show NAME` tells it "
		         "whole)", text);
	else if (rv == CKR_OK)
		complain("%s: there is no version with this id in token %s", text,
		         workspace->token->name);
	else
		return registry_failed(workspace, "look for the version", rv);
	return EXIT_NO_KEY;
}

static int
find_by_id(const struct workspace *workspace, const char *text, bool whole,
           struct version **ret_version)
{
	struct registry_search search = { .destroyed = true };
	struct buffer id = BUFFER_INIT;
	CK_RV rv;

	if (!whole && strlen(text) >= PREFIX_LEAST && strlen(text) % 2 != 0 &&
	    text[strspn(text, "0123456789abcdefABCDEF")] == '\0')
		return find_by_prefix(workspace, text, ret_version);

	if (!hex_parse(text, &id) || id.size == 0) {
		complain("%s: an id is written as an even number of hexadecimal digits", text);
		buffer_clear(&id);
		return EXIT_USAGE;
	}
	search.id = id.data;
	search.id_size = id.size;
	rv = first_found(workspace->registry, &search, ret_version);
	buffer_clear(&id);
	if (rv == CKR_OBJECT_HANDLE_INVALID && !whole && strlen(text) >= PREFIX_LEAST)
		return find_by_prefix(workspace, text, ret_version);
	if (rv == CKR_OBJECT_HANDLE_INVALID) {
		complain("%s: there is no version with this id in token %s", text,
		         workspace->token->name);
		return EXIT_NO_KEY;
	}
	return rv == CKR_OK ? EXIT_DONE : registry_failed(workspace, "look for the version", rv);
}

static int
find_number(const struct workspace *workspace, const char *name, int64_t number,
            struct version **ret_version)
{
	struct registry_search search = { .name = name, .number = number, .destroyed = true };
	struct key_record *key = NULL;
	CK_RV rv;

	rv = first_found(workspace->registry, &search, ret_version);
	if (rv == CKR_OK)
		return EXIT_DONE;
	if (rv == CKR_OBJECT_HANDLE_INVALID) {
		rv = registry_key(workspace->registry, name, &key);
		key_record_free(&key);
		if (rv == CKR_OBJECT_HANDLE_INVALID)
			return no_such_key(workspace, name);
		if (rv == CKR_OK) {
			complain("%s has no version %lld; `p11-kms list --all` shows those it has", name,
			         (long long)number);
			return EXIT_NO_KEY;
		}
	}
	return registry_failed(workspace, "look for the version", rv);
}

/* The newest there is: what would make it, or another one, the current one? */
static void
tell_not_current(const char *name, const struct version *version)
{
	char from[CLOCK_RFC3339_SIZE];

	if (version->state == STATE_DESTROY_PENDING) {
		complain("%s has no current version: bring one back with `p11-kms restore %s@%lld`, or "
		         "make one with `p11-kms rotate %s`", name, name, (long long)version->number, name);
	} else if (version->state == STATE_PRE_ACTIVE) {
		clock_format(version->protect_from, from);
		complain("%s has no current version yet: %s@%lld becomes current at %s, when `p11-kms "
		         "refresh` runs after it", name, name, (long long)version->number, from);
	} else {
		complain("%s has no current version: make one with `p11-kms rotate %s`, or name one; "
		         "`p11-kms list --all` shows them", name, name);
	}
}

static int
find_name(const struct workspace *workspace, const char *name, enum reference_wish wish,
          struct version **ret_version)
{
	struct version *version = NULL;
	CK_RV rv;

	rv = version_newest(workspace->registry, name, &version);
	if (rv == CKR_OBJECT_HANDLE_INVALID)
		return no_such_key(workspace, name);
	if (rv != CKR_OK)
		return registry_failed(workspace, "look for the key", rv);
	if (wish == REFERENCE_CURRENT && !version_is_current(version)) {
		tell_not_current(name, version);
		version_free(&version);
		return EXIT_NO_KEY;
	}
	*ret_version = version;
	return EXIT_DONE;
}

int
reference_find(const struct workspace *workspace, const struct arguments *arguments,
               enum reference_wish wish, struct version **ret_version)
{
	const char *id = arguments->options[OPTION_ID];
	int64_t number = 0;
	char *name;
	int code;

	if (id != NULL)
		return find_by_id(workspace, id, wish == REFERENCE_EXACT, ret_version);
	name = reference_split(arguments->operands[0], &number);
	if (name == NULL) {
		complain("out of memory");
		return EXIT_FAILED;
	}
	if (number != 0) {
		code = find_number(workspace, name, number, ret_version);
	} else if (wish == REFERENCE_EXACT) {
		complain("%s: which version? Write it as %s@VERSION; `p11-kms list --all` shows them",
		         name, name);
		code = EXIT_USAGE;
	} else {
		code = find_name(workspace, name, wish, ret_version);
	}
	free(name);
	return code;
}

int
activation_read(const struct arguments *arguments, struct create_request *request)
{
	const char *text = arguments->options[OPTION_ACTIVATE_AT];
	char whole[CLOCK_RFC3339_SIZE];
	int64_t time;

	if (text == NULL)
		return EXIT_DONE;
	/* A date alone is its first second, in UTC. */
	snprintf(whole, sizeof whole, "%.10sT00:00:00Z", text);
	if (!clock_parse(text, &time) && (strlen(text) != 10 || !clock_parse(whole, &time))) {
		complain("%s: a time is written as 2027-01-01T06:00:00Z (UTC), or 2027-01-01", text);
		return EXIT_USAGE;
	}
	if (time <= clock_now()) {
		complain("%s is past; leave --activate-at out to have it active at once", text);
		return EXIT_USAGE;
	}
	request->protect_from = time;
	request->pre_active = true;
	return EXIT_DONE;
}
