/* SPDX-License-Identifier: Apache-2.0 */
#include "command/describe-policy.h"

#include "base/text.h"
#include "command/describe-version.h"
#include "mechanism/mechanism.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int
policy_read(const struct arguments *arguments, struct policy_change *policy)
{
	char *why = NULL;

	for (int i = 0; i < arguments->settings.count; i++) {
		if (policy_parse(arguments->settings.values[i], policy, &why))
			continue;
		complain("%s", why != NULL ? why : "out of memory");
		free(why);
		return EXIT_USAGE;
	}
	return EXIT_DONE;
}

int
rotate_every_read(const struct arguments *arguments, int64_t *ret_seconds)
{
	const char *every = arguments->options[OPTION_ROTATE_EVERY];
	int64_t seconds = -1;

	if (every != NULL && (!duration_parse(every, &seconds) ||
	                      (seconds == 0 && strcmp(every, "never") != 0))) {
		complain("%s: a duration is a whole number from 1 and s, m, h, d, w or y (90d), or never",
		         every);
		return EXIT_USAGE;
	}
	*ret_seconds = seconds;
	return EXIT_DONE;
}

/* The type's number where the table has no name for it: a newer p11-kms wrote it. */
static void
mechanism_text(CK_MECHANISM_TYPE type, char *out, size_t size)
{
	const struct mechanism *row = mechanism_find(type);

	if (row != NULL)
		snprintf(out, size, "%s", row->name);
	else
		snprintf(out, size, "0x%08lx", (unsigned long)type);
}

static void
say_duration(const char *what, int64_t seconds, const char *none)
{
	char text[32];

	duration_format(seconds, text, sizeof text);
	say("%-15s%s", what, seconds == 0 ? none : text);
}

static void
say_mechanisms(const struct mechanism_list *list)
{
	char text[40];

	if (list->count == 0)
		say("%-15s%s", "mechanisms", "all");
	for (size_t i = 0; i < list->count; i++) {
		mechanism_text(list->types[i], text, sizeof text);
		say("%-15s%s", i == 0 ? "mechanisms" : "", text);
	}
}

/* SHA-256 over the SubjectPublicKeyInfo: what `openssl pkey -pubin -outform DER | sha256sum` tells. */
static bool
recovery_describe(const struct buffer *spki, char **ret_algorithm, char **ret_sha256)
{
	unsigned char digest[DIGEST_SIZE_MAX];
	struct public_key *key = NULL;
	char *algorithm = NULL, *hex = NULL;

	if (public_key_new(spki->data, spki->size, &key) == CKR_OK &&
	    digest_once(CKM_SHA256, spki->data, spki->size, digest) == CKR_OK) {
		algorithm = text_format("rsa-%u", public_key_bits(key));
		hex = hex_dup(digest, 32);
	}
	public_key_free(&key);
	if (algorithm == NULL || hex == NULL) {
		free(algorithm);
		free(hex);
		return false;
	}
	*ret_algorithm = algorithm;
	*ret_sha256 = hex;
	return true;
}

void
recovery_say(const char *what, const struct key_record *key)
{
	char *algorithm, *sha256;

	if (key->recovery.size == 0) {
		say("%-15s%s", what, "none");
	} else if (recovery_describe(&key->recovery, &algorithm, &sha256)) {
		say("%-15s%s", what, algorithm);
		say("%-15s%s", "  SHA-256", sha256);
		free(algorithm);
		free(sha256);
	} else {
		say("%-15s%s", what, "can't be read");
	}
}

static json_t *
recovery_json(const struct key_record *key)
{
	char *algorithm, *sha256;
	json_t *json;

	if (key->recovery.size == 0)
		return json_null();
	if (!recovery_describe(&key->recovery, &algorithm, &sha256))
		return NULL;
	json = json_pack("{s:s, s:s}", "algorithm", algorithm, "sha256", sha256);
	free(algorithm);
	free(sha256);
	return json;
}

void
policy_say(const struct key_record *key)
{
	char usage[USAGE_TEXT_SIZE];

	usage_text(key->usage, usage);
	say("%-15s%s", "name", key->name);
	say("%-15s%s", "algorithm", key->algorithm->name);
	say("%-15s%s", "usage", usage);
	say_duration("rotate-every", key->rotate_every, "never");
	say_duration("overlap", key->overlap, "0s");
	if (key->keep_versions != 0)
		say("%-15s%lld", "keep-versions", (long long)key->keep_versions);
	else
		say("%-15s%s", "keep-versions", "all");
	say_duration("keep-for", key->keep_for, "forever");
	say_duration("destroy-after", key->destroy_after, "0s");
	say_mechanisms(&key->mechanisms);
	recovery_say("recovery", key);
}

static json_t *
mechanisms_json(const struct mechanism_list *list)
{
	json_t *array = list->count == 0 ? json_null() : json_array();
	char text[40];

	for (size_t i = 0; array != NULL && i < list->count; i++) {
		mechanism_text(list->types[i], text, sizeof text);
		if (json_array_append_new(array, json_string(text)) == 0)
			continue;
		json_decref(array);
		return NULL;
	}
	return array;
}

static json_t *
number_json(int64_t number)
{
	return number == 0 ? json_null() : json_integer(number);
}

json_t *
policy_json(const struct workspace *workspace, const struct key_record *key)
{
	return json_pack("{s:o, s:o, s:s, s:o, s:I, s:I, s:o, s:o, s:I, s:o, s:o}",
	                 "name", json_text(key->name),
	                 "token", json_text(workspace->token->name),
	                 "algorithm", key->algorithm->name,
	                 "usage", usage_json(key->usage),
	                 "rotate_every_seconds", (json_int_t)key->rotate_every,
	                 "overlap_seconds", (json_int_t)key->overlap,
	                 "keep_versions", number_json(key->keep_versions),
	                 "keep_for_seconds", number_json(key->keep_for),
	                 "destroy_after_seconds", (json_int_t)key->destroy_after,
	                 "mechanisms", mechanisms_json(&key->mechanisms),
	                 "recovery", recovery_json(key));
}
