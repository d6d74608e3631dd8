/* SPDX-License-Identifier: Apache-2.0 */
#include "kms/kmip-stream.h"

#include "base/log.h"
#include "base/openssl.h"
#include "base/text.h"
#include "kms/ttlv.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

/* What is read from the network at once: a TLS record and its header. */
#define PIECE_SIZE 16704
#define UNASKED_MAX 16 /* pieces that may come unasked before a connection is given up */
/* An answer's buffer grows with what has come, not with what the server announces. */
#define GROWTH ((size_t)64 * 1024)

struct kmip_stream {
	int socket;
	struct kmip_descriptors *descriptors; /* borrowed */
	SSL *tls;          /* owns the two */
	BIO *in, *out;     /* from and to the network */
	int64_t verified_ms, used_ms;
	bool heard;        /* something came after the handshake */
	bool said_why;     /* TLS has told why it is over */
};

static CK_RV
say(char **ret_why, const char *what)
{
	*ret_why = text_format("%s", what);
	return CKR_DEVICE_ERROR;
}

/* Why TLS failed, most exactly: the certificate, an alert, a broken record. */
static CK_RV
say_tls(struct kmip_stream *stream, char **ret_why)
{
	long verified = SSL_get_verify_result(stream->tls);
	const char *reason = ERR_reason_error_string(ERR_peek_last_error());

	if (verified != X509_V_OK)
		*ret_why = text_format("its TLS certificate is refused: %s",
		                       X509_verify_cert_error_string(verified));
	else
		*ret_why = text_format("TLS failed: %s",
		                       reason != NULL ? reason : "the server ended the connection");
	stream->said_why = verified != X509_V_OK || reason != NULL;
	(void)openssl_failure(CKR_DEVICE_ERROR);
	return CKR_DEVICE_ERROR;
}

/* Sends all that OpenSSL has for the network. */
static CK_RV
flush(struct kmip_stream *stream, struct deadline deadline, char **ret_why)
{
	unsigned char piece[PIECE_SIZE];
	int size;

	while ((size = BIO_read(stream->out, piece, sizeof piece)) > 0)
		if (!kmip_socket_send(stream->socket, piece, (size_t)size, deadline, ret_why))
			return CKR_DEVICE_ERROR;
	return CKR_OK;
}

/* Gives OpenSSL what has come from the network, waiting for it until the deadline. */
static CK_RV
fill(struct kmip_stream *stream, struct deadline deadline, char **ret_why)
{
	unsigned char piece[PIECE_SIZE];
	size_t size;

	if (!kmip_socket_receive(stream->socket, piece, sizeof piece, deadline, &size, ret_why))
		return CKR_DEVICE_ERROR;
	if (BIO_write(stream->in, piece, (int)size) != (int)size)
		return openssl_failure(CKR_HOST_MEMORY);
	return CKR_OK;
}

/* A call of OpenSSL returned result, and it is over. */
static CK_RV
say_end(struct kmip_stream *stream, int result, char **ret_why)
{
	bool goodbye = SSL_get_error(stream->tls, result) == SSL_ERROR_ZERO_RETURN;

	free(*ret_why);
	*ret_why = NULL;
	return goodbye ? say(ret_why, "the server ended the connection") : say_tls(stream, ret_why);
}

/* Nothing can be sent any more, because of *why. What has come before may have a better reason. */
static void
look_for_alert(struct kmip_stream *stream, char **why)
{
	unsigned char byte;
	char *ended = NULL;
	size_t got;
	int result;

	for (int i = 0; i < UNASKED_MAX && ended == NULL; i++) {
		result = SSL_read_ex(stream->tls, &byte, 1, &got);
		if (result == 1)
			return;
		if (SSL_get_error(stream->tls, result) == SSL_ERROR_SSL) {
			(void)say_end(stream, result, why);
			return;
		}
		if (fill(stream, deadline_in(0), &ended) != CKR_OK)
			break;
	}
	free(ended);
}

/* Sends what OpenSSL has, and says why if that is over. */
static CK_RV
send_out(struct kmip_stream *stream, struct deadline deadline, char **ret_why)
{
	CK_RV rv = flush(stream, deadline, ret_why);

	if (rv != CKR_OK && !deadline_passed(deadline))
		look_for_alert(stream, ret_why);
	return rv;
}

/* After a call of OpenSSL that returned result: goes on (CKR_OK), or is it over? */
static CK_RV
go_on(struct kmip_stream *stream, int result, struct deadline deadline, char **ret_why)
{
	CK_RV rv;

	if (SSL_get_error(stream->tls, result) != SSL_ERROR_WANT_READ) {
		/* Also what it has to say about its failure: the alert tells the server. */
		(void)flush(stream, deadline, ret_why);
		return say_end(stream, result, ret_why);
	}
	rv = send_out(stream, deadline, ret_why);
	if (rv != CKR_OK)
		return rv;
	/* One that never stops sending is never waited for. */
	if (deadline_passed(deadline))
		return say(ret_why, "no answer within the deadline");
	return fill(stream, deadline, ret_why);
}

static CK_RV
shake_hands(struct kmip_stream *stream, struct deadline deadline, char **ret_why)
{
	int result;
	CK_RV rv;

	ERR_clear_error();
	while ((result = SSL_connect(stream->tls)) != 1) {
		rv = go_on(stream, result, deadline, ret_why);
		if (rv != CKR_OK)
			return rv;
	}
	return flush(stream, deadline, ret_why);
}

/*
 * The certificate must carry the name, or the address, that the configuration has, as a subject
 * alternative name: a CN is what a CA lets people choose for themselves.
 */
static bool
expect_host(SSL *tls, const char *host)
{
	X509_VERIFY_PARAM *parameters = SSL_get0_param(tls);
	unsigned char address[sizeof(struct in6_addr)];

	if (inet_pton(AF_INET, host, address) == 1 || inet_pton(AF_INET6, host, address) == 1)
		return X509_VERIFY_PARAM_set1_ip_asc(parameters, host) == 1;
	X509_VERIFY_PARAM_set_hostflags(parameters, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS |
	                                            X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
	return SSL_set1_host(tls, host) == 1 && SSL_set_tlsext_host_name(tls, host) == 1;
}

static CK_RV
stream_new(const struct endpoint *endpoint, SSL_CTX *context, SSL_SESSION *session,
           struct kmip_stream **ret_stream)
{
	struct kmip_stream *stream = calloc(1, sizeof *stream);

	if (stream == NULL)
		return CKR_HOST_MEMORY;
	stream->socket = -1;
	stream->tls = SSL_new(context);
	stream->in = BIO_new(BIO_s_mem());
	stream->out = BIO_new(BIO_s_mem());
	if (stream->tls == NULL || stream->in == NULL || stream->out == NULL ||
	    !expect_host(stream->tls, endpoint->host)) {
		BIO_free(stream->in);
		BIO_free(stream->out);
		SSL_free(stream->tls);
		free(stream);
		return openssl_failure(CKR_HOST_MEMORY);
	}
	SSL_set_bio(stream->tls, stream->in, stream->out);
	/* One that can't be resumed is no reason not to connect. */
	if (session != NULL && SSL_set_session(stream->tls, session) != 1)
		(void)openssl_failure(CKR_DEVICE_ERROR);
	*ret_stream = stream;
	return CKR_OK;
}

CK_RV
kmip_stream_open(const struct endpoint *endpoint, SSL_CTX *context, SSL_SESSION *session,
                 int64_t verified_ms, struct deadline deadline,
                 struct kmip_descriptors *descriptors, struct kmip_stream **ret_stream,
                 char **ret_why)
{
	struct kmip_stream *stream = NULL;
	CK_RV rv;

	rv = stream_new(endpoint, context, session, &stream);
	if (rv != CKR_OK)
		return rv;
	stream->descriptors = descriptors;
	if (!kmip_socket_connect(endpoint, deadline, descriptors, &stream->socket, ret_why))
		rv = CKR_DEVICE_ERROR;
	else
		rv = shake_hands(stream, deadline, ret_why);
	if (rv != CKR_OK) {
		kmip_stream_close(&stream);
		return rv;
	}
	stream->used_ms = clock_monotonic_ms();
	stream->verified_ms = SSL_session_reused(stream->tls) ? verified_ms : stream->used_ms;
	*ret_stream = stream;
	return CKR_OK;
}

static void
stream_free(struct kmip_stream **stream)
{
	SSL_free((*stream)->tls);
	free(*stream);
	*stream = NULL;
}

void
kmip_stream_close(struct kmip_stream **stream)
{
	struct deadline now = { 0 };
	char *why = NULL;

	if (*stream == NULL)
		return;
	/* Refused, and harmless, on a connection that has failed. */
	if ((*stream)->socket >= 0 && SSL_is_init_finished((*stream)->tls)) {
		(void)SSL_shutdown((*stream)->tls);
		if (flush(*stream, now, &why) != CKR_OK)
			free(why);
		(void)openssl_failure(CKR_DEVICE_ERROR);
	}
	if ((*stream)->socket >= 0)
		kmip_socket_close((*stream)->socket, (*stream)->descriptors);
	stream_free(stream);
}

void
kmip_stream_abandon(struct kmip_stream **stream)
{
	if (*stream != NULL)
		stream_free(stream);
}

/* All of it. */
static CK_RV
write_all(struct kmip_stream *stream, const struct buffer *bytes, struct deadline deadline,
          char **ret_why)
{
	size_t written;
	int result;
	CK_RV rv;

	while ((result = SSL_write_ex(stream->tls, bytes->data, bytes->size, &written)) != 1) {
		rv = go_on(stream, result, deadline, ret_why);
		if (rv != CKR_OK)
			return rv;
	}
	return send_out(stream, deadline, ret_why);
}

static CK_RV
read_exactly(struct kmip_stream *stream, unsigned char *ret_data, size_t size,
             struct deadline deadline, char **ret_why)
{
	size_t got;
	int result;
	CK_RV rv;

	while (size > 0) {
		/* A server that drips always has something to read. */
		if (deadline_passed(deadline))
			return say(ret_why, "no whole answer within the deadline");
		result = SSL_read_ex(stream->tls, ret_data, size, &got);
		if (result == 1) {
			stream->heard = true;
			ret_data += got;
			size -= got;
			continue;
		}
		rv = go_on(stream, result, deadline, ret_why);
		if (rv != CKR_OK)
			return rv;
	}
	return CKR_OK;
}

static CK_RV
read_message(struct kmip_stream *stream, uint32_t tag, size_t limit, struct deadline deadline,
             struct buffer *ret_message, char **ret_why)
{
	unsigned char header[TTLV_HEADER_SIZE];
	size_t size, next;
	CK_RV rv;

	rv = read_exactly(stream, header, sizeof header, deadline, ret_why);
	if (rv != CKR_OK)
		return rv;
	if (!ttlv_message_size(header, tag, limit, &size))
		return say(ret_why, "the answer is not KMIP, or too long");
	rv = buffer_append(ret_message, header, sizeof header);
	while (rv == CKR_OK && ret_message->size < size) {
		size_t had = ret_message->size;

		next = size - had < GROWTH ? size - had : GROWTH;
		rv = buffer_resize(ret_message, had + next);
		if (rv == CKR_OK)
			rv = read_exactly(stream, ret_message->data + had, next, deadline, ret_why);
	}
	return rv;
}

/*
 * Has something come that nobody waits for? Data would be taken for the next answer. An end is
 * told here with its reason: once the alert is read, nothing that is done next knows of it.
 */
static CK_RV
expect_nothing(struct kmip_stream *stream, char **ret_why)
{
	unsigned char byte;
	size_t got;
	int result;
	CK_RV rv;

	for (int i = 0; i < UNASKED_MAX; i++) {
		result = SSL_read_ex(stream->tls, &byte, 1, &got);
		if (result == 1)
			break;
		if (SSL_get_error(stream->tls, result) != SSL_ERROR_WANT_READ)
			return say_end(stream, result, ret_why);
		if (!kmip_socket_is_readable(stream->socket))
			return CKR_OK;
		rv = fill(stream, deadline_in(0), ret_why);
		if (rv != CKR_OK)
			return rv;
	}
	return say(ret_why, "it sends what was not asked for");
}

/*
 * In TLS 1.3 the client is connected before the server has looked at its certificate. A server
 * that refuses it without a word is told from one that restarts by nobody; the first is likely.
 */
static void
suspect_certificate(const struct kmip_stream *stream, char **why)
{
	char *longer;

	if (stream->heard || stream->said_why || SSL_version(stream->tls) < TLS1_3_VERSION ||
	    *why == NULL)
		return;
	longer = text_format("%s, before any answer: it may refuse the client's certificate", *why);
	if (longer == NULL)
		return;
	free(*why);
	*why = longer;
}

CK_RV
kmip_stream_exchange(struct kmip_stream *stream, const struct buffer *request, uint32_t tag,
                     size_t limit, struct deadline deadline, struct buffer *ret_answer,
                     char **ret_why)
{
	struct buffer answer = BUFFER_INIT;
	CK_RV rv;

	ERR_clear_error();
	rv = expect_nothing(stream, ret_why);
	if (rv == CKR_OK)
		rv = write_all(stream, request, deadline, ret_why);
	if (rv == CKR_OK)
		rv = read_message(stream, tag, limit, deadline, &answer, ret_why);
	if (rv != CKR_OK) {
		if (rv == CKR_DEVICE_ERROR && !deadline_passed(deadline))
			suspect_certificate(stream, ret_why);
		buffer_clear(&answer);
		return rv;
	}
	stream->used_ms = clock_monotonic_ms();
	*ret_answer = answer;
	return CKR_OK;
}

/* Nothing has come that nobody waits for: such an answer is as bad as none. */
static bool
is_quiet(struct kmip_stream *stream)
{
	unsigned char byte;
	size_t got;
	int result;

	ERR_clear_error();
	result = SSL_read_ex(stream->tls, &byte, 1, &got);
	if (result != 1 && SSL_get_error(stream->tls, result) == SSL_ERROR_WANT_READ)
		return true;
	(void)openssl_failure(CKR_DEVICE_ERROR);
	return false;
}

bool
kmip_stream_is_alive(struct kmip_stream *stream)
{
	bool alive = is_quiet(stream);

	/* What has come meanwhile can be session tickets, or a goodbye. */
	for (int i = 0; alive && kmip_socket_is_readable(stream->socket); i++) {
		char *why = NULL;

		alive = i < UNASKED_MAX && fill(stream, deadline_in(0), &why) == CKR_OK &&
		        is_quiet(stream);
		free(why);
	}
	return alive;
}

const SSL_CTX *
kmip_stream_context(const struct kmip_stream *stream)
{
	return SSL_get_SSL_CTX(stream->tls);
}

int64_t
kmip_stream_idle_ms(const struct kmip_stream *stream)
{
	return clock_monotonic_ms() - stream->used_ms;
}

SSL_SESSION *
kmip_stream_session(struct kmip_stream *stream, int64_t *ret_verified_ms)
{
	SSL_SESSION *session;

	session = SSL_get1_session(stream->tls);
	if (session == NULL || !SSL_SESSION_is_resumable(session)) {
		SSL_SESSION_free(session);
		return NULL;
	}
	*ret_verified_ms = stream->verified_ms;
	return session;
}

const char *
kmip_stream_version(const struct kmip_stream *stream)
{
	return SSL_get_version(stream->tls);
}
