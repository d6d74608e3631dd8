/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Values are not repeated in messages: a PIN may have been written into the wrong place.
 */
#include "base/config-token.h"

#include "base/algorithm.h"
#include "base/clock.h"
#include "base/endpoint.h"
#include "base/text.h"

#include <p11-kit/uri.h>

#include <stddef.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DAY INT64_C(86400)

struct key {
	const char *name;
	bool (*set)(const struct key *key, void *field, const char *value, char **ret_why);
	size_t offset;            /* of the field in struct config_token */
	int64_t least, most;      /* of a duration */
	const char *words[2];     /* of a choice: false and true */
};

/* False, as callers return it. */
static bool
refuse(char **ret_why, const struct key *key, const char *what)
{
	*ret_why = text_format("%s %s", key->name, what);
	return false;
}

static bool
take_text(const struct key *key, char **field, const char *value, char **ret_why)
{
	*field = strdup(value);
	return *field != NULL || refuse(ret_why, key, "can't be kept: out of memory");
}

static bool
set_path(const struct key *key, void *field, const char *value, char **ret_why)
{
	if (value[0] != '/')
		return refuse(ret_why, key, "is not an absolute path; begin it with /");
	return take_text(key, field, value, ret_why);
}

/* The path in a file: URI (RFC 8089), which p11-kit decodes as RFC 7512 has it. */
static bool
set_file_uri(const struct key *key, char **field, const char *value, char **ret_why)
{
	char *text = text_format("pkcs11:?pin-source=%s", value);
	P11KitUri *uri = p11_kit_uri_new();
	const char *path = NULL;
	bool done = false;

	if (text == NULL || uri == NULL) {
		refuse(ret_why, key, "can't be kept: out of memory");
		goto out;
	}
	if (p11_kit_uri_parse(text, P11_KIT_URI_FOR_ANY, uri) == P11_KIT_URI_OK &&
	    p11_kit_uri_any_unrecognized(uri) == 0 && p11_kit_uri_get_pin_value(uri) == NULL &&
	    strstr(value, "%00") == NULL)
		path = p11_kit_uri_get_pin_source(uri);
	if (path != NULL && strncmp(path, "file:///", 8) == 0)
		path += strlen("file://");
	else if (path != NULL && strncmp(path, "file:/", 6) == 0 && path[6] != '/')
		path += strlen("file:");
	else
		path = NULL;
	if (path == NULL || !text_printable(path, strlen(path))) {
		refuse(ret_why, key, "is not a URI of a local file; write file:/PATH");
		goto out;
	}
	done = take_text(key, field, path, ret_why);

out:
	p11_kit_uri_free(uri);
	free(text);
	return done;
}

static bool
set_pin_source(const struct key *key, void *field, const char *value, char **ret_why)
{
	if (strncmp(value, "file:", 5) == 0)
		return set_file_uri(key, field, value, ret_why);
	if (value[0] != '/')
		return refuse(ret_why, key,
		              "is neither an absolute path nor a file: URI; put the PIN into a file "
		              "and name the file");
	return take_text(key, field, value, ret_why);
}

/* NULL when the URI names a module and a token of it, and nothing else. */
static const char *
uri_fault(P11KitUri *uri)
{
	const char *module = p11_kit_uri_get_module_path(uri);
	CK_ULONG attributes = 0;

	if (p11_kit_uri_get_pin_value(uri) != NULL)
		return "has a pin-value; put the PIN into a file and name it with pin-source = PATH";
	if (p11_kit_uri_get_pin_source(uri) != NULL)
		return "has a pin-source; give it as a setting of its own, pin-source = PATH";
	if (p11_kit_uri_any_unrecognized(uri) != 0)
		return "has an attribute that is not known; correct it, or remove it";
	(void)p11_kit_uri_get_attributes(uri, &attributes);
	if (attributes != 0)
		return "names an object; remove its id, object and type, so that it names a token";
	if (module == NULL)
		return "has no module-path; add ?module-path=/PATH of the HSM's PKCS#11 module";
	if (module[0] != '/')
		return "has a module-path that is not absolute; begin the path with /";
	return NULL;
}

static bool
set_hsm(const struct key *key, char **field, const char *value, char **ret_why)
{
	P11KitUri *uri = p11_kit_uri_new();
	const char *fault;
	bool done = false;

	if (uri == NULL)
		return refuse(ret_why, key, "can't be kept: out of memory");
	if (p11_kit_uri_parse(value, P11_KIT_URI_FOR_ANY, uri) != P11_KIT_URI_OK)
		fault = "is not a well-formed pkcs11: URI; see RFC 7512";
	else
		fault = uri_fault(uri);
	if (fault != NULL)
		refuse(ret_why, key, fault);
	else
		done = take_text(key, field, value, ret_why);
	p11_kit_uri_free(uri);
	return done;
}

static bool
set_kmip(const struct key *key, char **field, const char *value, char **ret_why)
{
	struct endpoint *servers = NULL;
	const char *fault = NULL;
	size_t count = 0;

	if (!endpoints_parse(value, "kmip", CONFIG_KMIP_PORT, &servers, &count, &fault))
		return refuse(ret_why, key, fault);
	endpoints_free(servers, count);
	return take_text(key, field, value, ret_why);
}

static bool
set_kms(const struct key *key, void *field, const char *value, char **ret_why)
{
	if (strncmp(value, "kmip:", 5) == 0)
		return set_kmip(key, field, value, ret_why);
	if (strncmp(value, "pkcs11:", 7) == 0)
		return set_hsm(key, field, value, ret_why);
	return refuse(ret_why, key,
	              "is neither a pkcs11: nor a kmip: URI; write "
	              "pkcs11:token=LABEL?module-path=/PATH or kmip://HOST:PORT");
}

/* A user's name. */
static bool
set_name(const struct key *key, void *field, const char *value, char **ret_why)
{
	if (value[0] == '\0' || !text_printable(value, strlen(value)))
		return refuse(ret_why, key, "is empty or not UTF-8; correct it");
	return take_text(key, field, value, ret_why);
}

static bool
set_algorithm(const struct key *key, void *field, const char *value, char **ret_why)
{
	char *known = NULL;

	if (algorithm_by_name(value) != NULL) {
		char **text = field;

		free(*text); /* the default */
		return take_text(key, text, value, ret_why);
	}
	for (size_t i = 0; algorithm_at(i) != NULL; i++) {
		char *longer = text_format("%s%s%s", i == 0 ? "" : known, i == 0 ? "" : ", ",
		                           algorithm_at(i)->name);

		free(known);
		known = longer;
		if (known == NULL)
			break;
	}
	*ret_why = text_format("algorithm is not known; choose one of %s",
	                       known == NULL ? "p11-kms.conf(5)" : known);
	free(known);
	return false;
}

static bool
refuse_bound(char **ret_why, const struct key *key, bool seconds, const char *what, int64_t bound)
{
	char text[32];

	if (seconds && bound != 0)
		duration_format(bound, text, sizeof text);
	else
		snprintf(text, sizeof text, "%" PRId64 "%s", bound, seconds ? "s" : "ms");
	*ret_why = text_format("%s is too %s %s%s", key->name, what, text,
	                       key->words[0] != NULL ? ", or never" : "");
	return false;
}

/* Keys in seconds have bounds in seconds, deadline in milliseconds. */
static bool
check_duration(const struct key *key, const char *value, bool parsed, int64_t duration,
               bool seconds, char **ret_why)
{
	if (!parsed)
		return refuse(ret_why, key,
		              "is not a duration; write a whole number and s, m, h, d, w or y");
	if (strcmp(value, "never") == 0)
		return key->words[0] != NULL ||
		       refuse(ret_why, key, "can't be never; write a duration");
	if (duration < key->least)
		return refuse_bound(ret_why, key, seconds, "short; the shortest is", key->least);
	if (duration > key->most)
		return refuse_bound(ret_why, key, seconds, "long; the longest is", key->most);
	return true;
}

static bool
set_seconds(const struct key *key, void *field, const char *value, char **ret_why)
{
	int64_t seconds = 0;
	bool parsed = duration_parse(value, &seconds);

	if (!check_duration(key, value, parsed, seconds, true, ret_why))
		return false;
	*(int64_t *)field = seconds;
	return true;
}

/* A number of versions; "all" is 0. */
static bool
set_count(const struct key *key, void *field, const char *value, char **ret_why)
{
	char *end;
	long long count = 0;

	if (strcmp(value, "all") != 0) {
		count = strtoll(value, &end, 10);
		if (value[0] < '1' || value[0] > '9' || *end != '\0' || count > key->most)
			return refuse(ret_why, key, "is neither a number from 1 nor all; write one of them");
	}
	*(int64_t *)field = count;
	return true;
}

/* Seconds; "forever" is 0. */
static bool
set_kept(const struct key *key, void *field, const char *value, char **ret_why)
{
	if (strcmp(value, "forever") != 0)
		return set_seconds(key, field, value, ret_why);
	*(int64_t *)field = 0;
	return true;
}

static bool
set_milliseconds(const struct key *key, void *field, const char *value, char **ret_why)
{
	int64_t milliseconds = 0;
	bool parsed = duration_parse_ms(value, &milliseconds);

	if (!check_duration(key, value, parsed, milliseconds, false, ret_why))
		return false;
	*(int64_t *)field = milliseconds;
	return true;
}

static bool
set_choice(const struct key *key, void *field, const char *value, char **ret_why)
{
	for (size_t i = 0; i < 2; i++) {
		if (strcmp(value, key->words[i]) != 0)
			continue;
		*(bool *)field = i == 1;
		return true;
	}
	*ret_why = text_format("%s is neither %s nor %s; write one of them", key->name,
	                       key->words[0], key->words[1]);
	return false;
}

#define FIELD(field) offsetof(struct config_token, field)

static const struct key keys[] = {
	{ "kms", set_kms, FIELD(kms), 0, 0, { NULL, NULL } },
	{ "pin-source", set_pin_source, FIELD(pin_source), 0, 0, { NULL, NULL } },
	{ "registry", set_path, FIELD(registry), 0, 0, { NULL, NULL } },
	{ "authority", set_path, FIELD(authority), 0, 0, { NULL, NULL } },
	{ "algorithm", set_algorithm, FIELD(algorithm), 0, 0, { NULL, NULL } },
	{ "rotate-every", set_seconds, FIELD(rotate_every), 1, 36500 * DAY, { "never", NULL } },
	{ "destroy-after", set_seconds, FIELD(destroy_after), 0, 36500 * DAY, { NULL, NULL } },
	{ "overlap", set_seconds, FIELD(overlap), 0, 36500 * DAY, { NULL, NULL } },
	{ "keep-versions", set_count, FIELD(keep_versions), 1, 1000000, { NULL, NULL } },
	{ "keep-for", set_kept, FIELD(keep_for), 1, 36500 * DAY, { NULL, NULL } },
	{ "expires-after", set_seconds, FIELD(expires_after), 60, 36500 * DAY, { NULL, NULL } },
	{ "deadline", set_milliseconds, FIELD(deadline_ms), 100, 600000, { NULL, NULL } },
	{ "keep-pin", set_choice, FIELD(keep_pin), 0, 0, { "no", "yes" } },
	{ "legacy-decrypt", set_choice, FIELD(legacy_decrypt), 0, 0, { "no", "yes" } },
	{ "certificates", set_choice, FIELD(self_signed), 0, 0, { "stored", "self-signed" } },
	{ "same-label", set_choice, FIELD(refuse_same_label), 0, 0, { "rotate", "refuse" } },
	{ "tls-ca", set_path, FIELD(tls_ca), 0, 0, { NULL, NULL } },
	{ "tls-certificate", set_path, FIELD(tls_certificate), 0, 0, { NULL, NULL } },
	{ "tls-key", set_path, FIELD(tls_key), 0, 0, { NULL, NULL } },
	{ "tls-crl", set_path, FIELD(tls_crl), 0, 0, { NULL, NULL } },
	{ "kmip-username", set_name, FIELD(kmip_username), 0, 0, { NULL, NULL } },
	{ "kmip-password-source", set_pin_source, FIELD(kmip_password_source), 0, 0, { NULL, NULL } },
};

bool
config_token_init(struct config_token *token, const char *name, unsigned line)
{
	*token = (struct config_token){
		.name = strdup(name),
		.line = line,
		.algorithm = strdup("rsa-3072"),
		.rotate_every = 90 * DAY,
		.destroy_after = 30 * DAY,
		.expires_after = 7 * DAY,
		.deadline_ms = 5000,
		.keep_pin = true,
	};
	if (token->name != NULL && token->algorithm != NULL)
		return true;
	config_token_clear(token);
	return false;
}

void
config_token_clear(struct config_token *token)
{
	free(token->name);
	free(token->kms);
	free(token->pin_source);
	free(token->registry);
	free(token->authority);
	free(token->algorithm);
	free(token->tls_ca);
	free(token->tls_certificate);
	free(token->tls_key);
	free(token->tls_crl);
	free(token->kmip_username);
	free(token->kmip_password_source);
	memset(token, 0, sizeof *token);
}

bool
config_token_set(struct config_token *token, unsigned *given, const char *key, const char *value,
                 char **ret_why)
{
	for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
		if (strcmp(keys[i].name, key) != 0)
			continue;
		if ((*given & 1U << i) != 0)
			return refuse(ret_why, &keys[i], "was given before; remove one of them");
		*given |= 1U << i;
		return keys[i].set(&keys[i], (char *)token + keys[i].offset, value, ret_why);
	}
	*ret_why = text_format("%s is not a setting of a token; see p11-kms.conf(5)",
	                       text_printable(key, strlen(key)) ? key : "this");
	return false;
}

bool
config_token_is_kmip(const struct config_token *token)
{
	return token->kms != NULL && strncmp(token->kms, "kmip:", 5) == 0;
}

/* What a KMIP server needs, and what makes no sense without one. */
static const char *
kmip_fault(const struct config_token *token)
{
	if (!config_token_is_kmip(token)) {
		if (token->tls_ca != NULL || token->tls_certificate != NULL || token->tls_key != NULL ||
		    token->tls_crl != NULL || token->kmip_username != NULL ||
		    token->kmip_password_source != NULL)
			return "kmip: URI as its kms; add one, or remove its tls- and kmip- settings";
		return NULL;
	}
	if (token->tls_ca == NULL)
		return "tls-ca; add tls-ca = /PATH of the certificate of the KMIP server's CA";
	if (token->tls_certificate == NULL)
		return "tls-certificate; add tls-certificate = /PATH of the client's certificate";
	if (token->tls_key == NULL)
		return "tls-key; add tls-key = /PATH of the client's private key";
	if (token->kmip_password_source != NULL && token->kmip_username == NULL)
		return "kmip-username for its kmip-password-source; add one, or remove the other";
	return NULL;
}

bool
config_token_check(const struct config_token *token, char **ret_why)
{
	const char *fault;

	if (token->registry == NULL)
		fault = "registry; add registry = /PATH";
	else if (token->authority == NULL)
		fault = "authority; add authority = /PATH";
	else if (token->pin_source != NULL && token->kms == NULL)
		fault = "kms for its pin-source; add kms, or remove pin-source";
	else
		fault = kmip_fault(token);
	if (fault == NULL)
		return true;
	*ret_why = text_format("token %s has no %s", token->name, fault);
	return false;
}
