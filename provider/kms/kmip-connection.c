/* SPDX-License-Identifier: Apache-2.0 */
#include "kms/kmip-connection.h"

#include "base/log.h"
#include "base/text.h"
#include "kms/kmip-names.h"

#include <stdlib.h>
#include <string.h>

/* Firewalls and servers forget connections that are silent. */
#define IDLE_MS 60000
/* The server's certificate is looked at again at least this often. */
#define SESSION_MS (15 * 60 * 1000)
/* How long a server that can't be reached is passed over, at first and at most. */
#define PAUSE_MIN_MS 1000
#define PAUSE_MAX_MS 8000
/*
 * What a try of such a server may cost a call that another server could answer: at first, and at
 * most, when it has been too short for the server to shake hands.
 */
#define PROBE_MIN_MS 500
#define PROBE_MAX_MS 2000

CK_RV
kmip_new(const struct config_token *config, struct pin *pin, struct kmip **ret_kmip)
{
	struct kmip *kmip = calloc(1, sizeof *kmip);
	const char *fault = NULL;
	CK_RV rv = CKR_HOST_MEMORY;

	if (kmip == NULL)
		return CKR_HOST_MEMORY;
	monitor_init(&kmip->monitor);
	kmip->config = config;
	kmip->pin = pin;
	if (!endpoints_parse(config->kms, "kmip", CONFIG_KMIP_PORT, &kmip->endpoints,
	                     &kmip->server_count, &fault)) {
		log_error("token %s: kms (in the section at line %u) %s", config->name,
		          config->line, fault);
		rv = CKR_ARGUMENTS_BAD;
		goto out;
	}
	kmip->servers = calloc(kmip->server_count, sizeof *kmip->servers);
	if (kmip->servers == NULL)
		goto out;
	for (size_t i = 0; i < kmip->server_count; i++) {
		const struct endpoint *endpoint = &kmip->endpoints[i];

		kmip->servers[i].endpoint = endpoint;
		kmip->servers[i].name = text_format("%s:%s", endpoint->host, endpoint->port);
		if (kmip->servers[i].name == NULL)
			goto out;
	}
	rv = kmip_names_new(&kmip->names);
	if (rv != CKR_OK)
		goto out;
	*ret_kmip = kmip;
	kmip = NULL;
out:
	kmip_free(&kmip);
	return rv;
}

void
kmip_free(struct kmip **kmip)
{
	if (*kmip == NULL)
		return;
	if ((*kmip)->servers != NULL)
		kmip_connections_close(*kmip);
	for (size_t i = 0; (*kmip)->servers != NULL && i < (*kmip)->server_count; i++) {
		complaint_clear(&(*kmip)->servers[i].complaint);
		free((*kmip)->servers[i].name);
		free((*kmip)->servers[i].why);
	}
	SSL_CTX_free((*kmip)->tls);
	secret_free(&(*kmip)->password);
	kmip_names_free(&(*kmip)->names);
	complaint_clear(&(*kmip)->complaint);
	monitor_destroy(&(*kmip)->monitor);
	free((*kmip)->servers);
	endpoints_free((*kmip)->endpoints, (*kmip)->server_count);
	free(*kmip);
	*kmip = NULL;
}

void
kmip_forked(struct kmip *kmip)
{
	monitor_init(&kmip->monitor);
	kmip->lent = 0;
	kmip->proving = false;
	kmip_names_forked(kmip->names);
	for (size_t i = 0; i < kmip->server_count; i++) {
		struct kmip_server *server = &kmip->servers[i];

		while (server->idle_count > 0)
			kmip_stream_abandon(&server->idle[--server->idle_count]);
	}
	/*
	 * Also those that the parent's threads use, or are about to: their memory may be in the middle
	 * of anything and is left, but the server must see them end when the parent ends them.
	 */
	kmip_descriptors_forked(&kmip->descriptors);
}

/* Moves a server's idle connections out, to be closed without the lock. */
static size_t
take_idle_locked(struct kmip_server *server, struct kmip_stream **ret_streams)
{
	size_t count = server->idle_count;

	memcpy(ret_streams, server->idle, count * sizeof *ret_streams);
	server->idle_count = 0;
	return count;
}

static void
close_all(struct kmip_stream **streams, size_t count)
{
	for (size_t i = 0; i < count; i++)
		kmip_stream_close(&streams[i]);
}

void
kmip_connections_close(struct kmip *kmip)
{
	struct kmip_stream *streams[KMIP_IDLE_MAX];
	SSL_SESSION *session;
	size_t count;

	for (size_t i = 0; i < kmip->server_count; i++) {
		struct kmip_server *server = &kmip->servers[i];

		monitor_lock(&kmip->monitor);
		count = take_idle_locked(server, streams);
		session = server->session;
		server->session = NULL;
		monitor_unlock(&kmip->monitor);
		close_all(streams, count);
		SSL_SESSION_free(session);
	}
}

static void
blame_locked(struct kmip_server *server)
{
	/* It may come back as another version. */
	server->minor = 0;
	/* Connections that fall together tell the same thing: one outage is one pause. */
	if (server->retry_at_ms > clock_monotonic_ms())
		return;
	server->pause_ms = server->pause_ms == 0 ? PAUSE_MIN_MS : 2 * server->pause_ms;
	if (server->pause_ms > PAUSE_MAX_MS)
		server->pause_ms = PAUSE_MAX_MS;
	server->retry_at_ms = clock_monotonic_ms() + server->pause_ms;
}

static void
drop(struct kmip *kmip, struct kmip_server *server, bool blamed, char *why)
{
	struct kmip_stream *streams[KMIP_IDLE_MAX];
	SSL_SESSION *session = NULL;
	char *old = why;
	size_t count;

	monitor_lock(&kmip->monitor);
	count = take_idle_locked(server, streams);
	if (blamed) {
		session = server->session;
		server->session = NULL;
		blame_locked(server);
		if (why != NULL)
			complaint_raise(&server->complaint,
			                text_format("token %s: KMIP server %s: %s", kmip->config->name,
			                            server->name, why));
		old = server->why;
		server->why = why;
	} else if (why != NULL) {
		log_debug("token %s: KMIP server %s: %s", kmip->config->name, server->name, why);
	}
	monitor_unlock(&kmip->monitor);
	close_all(streams, count);
	SSL_SESSION_free(session);
	free(old);
}

char *
kmip_server_why(struct kmip *kmip, const struct kmip_server *server)
{
	char *why;

	monitor_lock(&kmip->monitor);
	why = server->why == NULL ? NULL : strdup(server->why);
	monitor_unlock(&kmip->monitor);
	return why;
}

/* The last used of the idle ones that is still alive, or NULL. They are all of the login in use. */
static struct kmip_stream *
take_alive(struct kmip *kmip, const struct kmip_login *login, struct kmip_server *server)
{
	struct kmip_stream *stream;

	for (;;) {
		stream = NULL;
		monitor_lock(&kmip->monitor);
		if (server->idle_count > 0 && login->tls == kmip->tls)
			stream = server->idle[--server->idle_count];
		monitor_unlock(&kmip->monitor);
		if (stream == NULL ||
		    (kmip_stream_idle_ms(stream) < IDLE_MS && kmip_stream_is_alive(stream)))
			return stream;
		kmip_stream_close(&stream);
	}
}

static SSL_SESSION *
session_to_resume(struct kmip *kmip, const struct kmip_login *login, struct kmip_server *server,
                  int64_t *ret_verified_ms)
{
	SSL_SESSION *session = NULL;

	monitor_lock(&kmip->monitor);
	if (login->tls == kmip->tls && server->session != NULL &&
	    clock_monotonic_ms() - server->session_ms < SESSION_MS) {
		session = server->session;
		SSL_SESSION_up_ref(session);
		*ret_verified_ms = server->session_ms;
	}
	monitor_unlock(&kmip->monitor);
	return session;
}

/* Tries a server that was passed over. False: another call does already. */
static bool
probe_begin(struct kmip *kmip, struct kmip_server *server, struct deadline *part)
{
	int64_t now = clock_monotonic_ms();
	bool begun;

	monitor_lock(&kmip->monitor);
	if (server->probe_ms < PROBE_MIN_MS)
		server->probe_ms = PROBE_MIN_MS;
	if (deadline_left_ms(*part) > server->probe_ms)
		*part = deadline_in(server->probe_ms);
	begun = server->probed_until_ms <= now;
	if (begun)
		server->probed_until_ms = part->at_ms;
	monitor_unlock(&kmip->monitor);
	return begun;
}

static void
probe_end(struct kmip *kmip, struct kmip_server *server, bool answers, struct deadline part)
{
	monitor_lock(&kmip->monitor);
	server->probed_until_ms = 0;
	if (answers)
		server->probe_ms = 0;
	else if (deadline_passed(part) && server->probe_ms < PROBE_MAX_MS)
		server->probe_ms *= 2;
	monitor_unlock(&kmip->monitor);
}

static CK_RV
open_new(struct kmip *kmip, const struct kmip_login *login, struct kmip_server *server,
         struct deadline deadline, struct kmip_stream **ret_stream)
{
	int64_t verified_ms = 0;
	SSL_SESSION *session = session_to_resume(kmip, login, server, &verified_ms);
	char *why = NULL;
	CK_RV rv;

	rv = kmip_stream_open(server->endpoint, login->tls, session, verified_ms, deadline,
	                      &kmip->descriptors, ret_stream, &why);
	SSL_SESSION_free(session);
	if (rv == CKR_OK) {
		log_debug("token %s: connected to the KMIP server %s with %s", kmip->config->name,
		          server->name, kmip_stream_version(*ret_stream));
		return CKR_OK;
	}
	drop(kmip, server, rv == CKR_DEVICE_ERROR, why);
	return rv;
}

bool
kmip_server_is_passed_over(struct kmip *kmip, const struct kmip_server *server)
{
	bool passed_over;

	monitor_lock(&kmip->monitor);
	passed_over = server->retry_at_ms > clock_monotonic_ms() ||
	              server->probed_until_ms > clock_monotonic_ms();
	monitor_unlock(&kmip->monitor);
	return passed_over;
}

/* It has failed, and not answered since. */
static bool
is_suspected(struct kmip *kmip, const struct kmip_server *server)
{
	bool suspected;

	monitor_lock(&kmip->monitor);
	suspected = server->pause_ms != 0;
	monitor_unlock(&kmip->monitor);
	return suspected;
}

/* The servers to try, in their order: those not passed over, or all. */
static size_t
candidates(struct kmip *kmip, struct kmip_server **ret_servers, bool *ret_suspected)
{
	size_t count = 0;

	for (size_t i = 0; i < kmip->server_count; i++) {
		if (kmip_server_is_passed_over(kmip, &kmip->servers[i]))
			continue;
		ret_suspected[count] = is_suspected(kmip, &kmip->servers[i]);
		ret_servers[count++] = &kmip->servers[i];
	}
	for (size_t i = 0; count == 0 && i < kmip->server_count; i++) {
		ret_suspected[i] = false;
		ret_servers[i] = &kmip->servers[i];
	}
	return count == 0 ? kmip->server_count : count;
}

/* What one server may take of the time, when others are left to ask. */
static struct deadline
share(struct deadline deadline, bool last)
{
	return last ? deadline : deadline_in(deadline_left_ms(deadline) / 2);
}

/* A connection that is idle, or a new one. CKR_DEVICE_ERROR: the next server's turn. */
static CK_RV
take_one(struct kmip *kmip, const struct kmip_login *login, struct kmip_server *server,
         struct deadline part, bool probe, struct kmip_stream **ret_stream, bool *ret_reused)
{
	struct kmip_stream *stream = take_alive(kmip, login, server);
	CK_RV rv = CKR_OK;

	*ret_reused = stream != NULL;
	if (stream == NULL) {
		if (probe && !probe_begin(kmip, server, &part))
			return CKR_DEVICE_ERROR;
		rv = open_new(kmip, login, server, part, &stream);
		if (probe)
			probe_end(kmip, server, rv == CKR_OK, part);
	}
	if (rv == CKR_OK)
		*ret_stream = stream;
	return rv;
}

static CK_RV
take_any(struct kmip *kmip, const struct kmip_login *login, struct kmip_server *only,
         struct deadline deadline, struct kmip_server **ret_server,
         struct kmip_stream **ret_stream, bool *ret_reused, struct deadline *ret_deadline)
{
	struct kmip_server *servers[ENDPOINTS_MAX] = { only };
	bool suspected[ENDPOINTS_MAX] = { false };
	size_t count = only != NULL ? 1 : candidates(kmip, servers, suspected);
	CK_RV rv = CKR_DEVICE_ERROR;

	for (size_t i = 0; i < count && !deadline_passed(deadline); i++) {
		bool last = i + 1 == count;

		rv = take_one(kmip, login, servers[i], share(deadline, last), suspected[i] && !last,
		              ret_stream, ret_reused);
		if (rv == CKR_OK) {
			*ret_server = servers[i];
			*ret_deadline = share(deadline, last);
			return CKR_OK;
		}
		if (rv != CKR_DEVICE_ERROR)
			break;
	}
	return rv;
}

CK_RV
kmip_connection_take(struct kmip *kmip, const struct kmip_login *login, struct kmip_server *only,
                     struct deadline deadline, struct kmip_server **ret_server,
                     struct kmip_stream **ret_stream, bool *ret_reused,
                     struct deadline *ret_deadline)
{
	bool room = true;
	CK_RV rv;

	monitor_lock(&kmip->monitor);
	while (room && kmip->lent >= KMIP_CONNECTIONS_MAX)
		room = monitor_wait(&kmip->monitor, deadline);
	if (room)
		kmip->lent++;
	monitor_unlock(&kmip->monitor);
	if (!room)
		return CKR_SESSION_COUNT;
	rv = take_any(kmip, login, only, deadline, ret_server, ret_stream, ret_reused, ret_deadline);
	if (rv != CKR_OK) {
		monitor_lock(&kmip->monitor);
		kmip->lent--;
		monitor_announce(&kmip->monitor);
		monitor_unlock(&kmip->monitor);
	}
	return rv;
}

void
kmip_connection_put(struct kmip *kmip, struct kmip_server *server, struct kmip_stream **stream)
{
	int64_t verified_ms = 0;
	SSL_SESSION *session = kmip_stream_session(*stream, &verified_ms), *old = session;
	bool current;
	char *why;

	monitor_lock(&kmip->monitor);
	kmip->lent--;
	if (server->pause_ms != 0)
		log_warning("token %s: KMIP server %s answers again", kmip->config->name, server->name);
	server->pause_ms = 0;
	server->retry_at_ms = 0;
	why = server->why;
	server->why = NULL;
	complaint_clear(&server->complaint);
	/* Logged out meanwhile, or with other files: neither is for the next. */
	current = kmip->tls != NULL && kmip_stream_context(*stream) == kmip->tls;
	if (current && session != NULL && (server->session == NULL || verified_ms >= server->session_ms)) {
		old = server->session;
		server->session = session;
		server->session_ms = verified_ms;
	}
	if (current && server->idle_count < KMIP_IDLE_MAX) {
		server->idle[server->idle_count++] = *stream;
		*stream = NULL;
	}
	monitor_announce(&kmip->monitor);
	monitor_unlock(&kmip->monitor);
	SSL_SESSION_free(old);
	free(why);
	kmip_stream_close(stream);
}

void
kmip_connection_drop(struct kmip *kmip, struct kmip_server *server, struct kmip_stream **stream,
                     bool blamed, char *why)
{
	kmip_stream_close(stream);
	drop(kmip, server, blamed, why);
	monitor_lock(&kmip->monitor);
	kmip->lent--;
	monitor_announce(&kmip->monitor);
	monitor_unlock(&kmip->monitor);
}
