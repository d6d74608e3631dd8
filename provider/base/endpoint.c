/* SPDX-License-Identifier: Apache-2.0 */
#include "base/endpoint.h"

#include "base/text.h"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/http.h>

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#define NAME_CHARACTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_"

/* The parts of one server's URI, which OpenSSL allocates. */
struct url {
	char *scheme, *user, *host, *port, *path, *query, *fragment;
	int port_number;
};

static void
url_clear(struct url *url)
{
	OPENSSL_free(url->scheme);
	OPENSSL_free(url->user);
	OPENSSL_free(url->host);
	OPENSSL_free(url->port);
	OPENSSL_free(url->path);
	OPENSSL_free(url->query);
	OPENSSL_free(url->fragment);
}

static bool
url_parse(const char *text, struct url *url)
{
	int parsed;

	(void)ERR_set_mark();
	parsed = OSSL_parse_url(text, &url->scheme, &url->user, &url->host, &url->port,
	                        &url->port_number, &url->path, &url->query, &url->fragment);
	(void)ERR_pop_to_mark();
	return parsed == 1;
}

static bool
is_given(const char *part)
{
	return part != NULL && part[0] != '\0';
}

/* An IPv6 address stands in brackets, which older OpenSSLs leave on. */
static char *
host_dup(const char *host)
{
	struct in6_addr address;
	size_t size = strlen(host);
	char *bare;

	if (size > 2 && host[0] == '[' && host[size - 1] == ']')
		bare = strndup(host + 1, size - 2);
	else
		bare = strdup(host);
	if (bare == NULL || (bare[0] != '\0' && bare[strspn(bare, NAME_CHARACTERS)] == '\0'))
		return bare;
	if (inet_pton(AF_INET6, bare, &address) == 1)
		return bare;
	bare[0] = '\0'; /* not one */
	return bare;
}

/* What is wrong with it; NULL: nothing. */
static const char *
take(const struct url *url, const char *default_port, struct endpoint *endpoint)
{
	if (is_given(url->user))
		return "has a user; give a user's name as a setting of its own";
	if (is_given(url->query) || is_given(url->fragment) ||
	    (is_given(url->path) && strcmp(url->path, "/") != 0))
		return "has a path; name hosts and ports only";
	endpoint->host = host_dup(url->host);
	/* OpenSSL has 0 for a port that is not given, and lets none be 0. */
	endpoint->port = strdup(url->port_number == 0 ? default_port : url->port);
	if (endpoint->host == NULL || endpoint->port == NULL)
		return "can't be kept: out of memory";
	if (endpoint->host[0] == '\0')
		return "has something that is neither a host's name nor an IP address";
	return NULL;
}

/* What is wrong with the server that text names; NULL: nothing. */
static const char *
parse_one(const char *text, const char *scheme, const char *default_port,
          struct endpoint *endpoint)
{
	char *uri = text_format("%s://%s", scheme, text);
	struct url url = { 0 };
	const char *fault;

	if (uri == NULL)
		fault = "can't be kept: out of memory";
	else if (!url_parse(uri, &url))
		fault = "is not well-formed; write HOST:PORT, and IPv6 addresses in brackets";
	else
		fault = take(&url, default_port, endpoint);
	url_clear(&url);
	free(uri);
	return fault;
}

/* list is cut up. */
static const char *
parse_list(char *list, const char *scheme, const char *default_port, struct endpoint *endpoints,
           size_t *ret_count)
{
	const char *fault = NULL;
	char *one;

	/* Not strtok: it would pass over an empty host. */
	while (fault == NULL && (one = strsep(&list, ",")) != NULL) {
		if (*ret_count == ENDPOINTS_MAX)
			return "has too many hosts";
		fault = parse_one(one, scheme, default_port, &endpoints[*ret_count]);
		++*ret_count;
	}
	return fault;
}

bool
endpoints_parse(const char *uri, const char *scheme, const char *default_port,
                struct endpoint **ret_endpoints, size_t *ret_count, const char **ret_fault)
{
	struct endpoint *endpoints = calloc(ENDPOINTS_MAX, sizeof *endpoints);
	size_t prefix = strlen(scheme), count = 0;
	char *list = NULL;
	const char *fault = NULL;

	if (strncmp(uri, scheme, prefix) != 0 || strncmp(uri + prefix, "://", 3) != 0)
		fault = "has another scheme";
	else
		list = strdup(uri + prefix + 3);
	if (fault == NULL && (endpoints == NULL || list == NULL))
		fault = "can't be kept: out of memory";
	if (fault == NULL)
		fault = parse_list(list, scheme, default_port, endpoints, &count);
	free(list);
	if (fault != NULL) {
		endpoints_free(endpoints, count);
		*ret_fault = fault;
		return false;
	}
	*ret_endpoints = endpoints;
	*ret_count = count;
	return true;
}

void
endpoints_free(struct endpoint *endpoints, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		free(endpoints[i].host);
		free(endpoints[i].port);
	}
	free(endpoints);
}
