/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a KMIP server may send over TLS, and beside it. The functions of kmip-socket.h, which
 * look into nothing that they carry, are here, with a TLS server behind them in memory; the rest
 * is as it is.
 *
 * The input: a byte, how many bytes are received at a time (0: as many as there are); then what
 * the server does whenever it is waited for: a byte, and for the first three two bytes of
 * length, and so many bytes.
 *   0  sends these, in a record    1  … with the header of an answer of that length before them
 *   2  sends them as they are, without TLS
 *   3  ends the connection         4  says goodbye as TLS does
 *   5  sends a session ticket      6  stalls
 * The highest bit of the byte: it does so before it is asked.
 */
#include "fuzz.h"

#include "base/openssl.h"
#include "kms/kmip-number.h"
#include "kms/kmip-socket.h"
#include "kms/kmip-stream.h"
#include "kms/ttlv.h"

#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <fcntl.h>
#include <unistd.h>
#include <stdlib.h>
#include <string.h>

const char fuzz_name[] = "fuzz-kmip-stream";

#define LIMIT 4096
#define UNASKED 0x80

static struct {
	const uint8_t *data;
	size_t size, at, piece;
	SSL *tls;
	BIO *in, *out;      /* owned by tls: from and to the client */
	bool ended;
	struct buffer sent; /* in records */
	size_t taken;       /* of it, as answers */
	size_t unasked;     /* … of it, when the last request came */
} server;

static void
require(bool condition)
{
	if (!condition)
		abort();
}

static uint8_t
next_byte(void)
{
	return server.at < server.size ? server.data[server.at++] : 0;
}

static void
send_record(const void *data, size_t size)
{
	size_t written;

	if (size == 0)
		return;
	require(buffer_append(&server.sent, data, size) == CKR_OK);
	if (SSL_write_ex(server.tls, data, size, &written) != 1)
		server.ended = true; /* it has said goodbye */
}

static void
send_bytes(unsigned kind)
{
	unsigned char bytes[TTLV_HEADER_SIZE + UINT16_MAX] = { 0x42, 0x00, 0x7b, TTLV_STRUCTURE };
	size_t size = next_byte();

	size |= (size_t)next_byte() << 8;
	bytes[6] = (unsigned char)(size >> 8);
	bytes[7] = (unsigned char)size;
	if (size > server.size - server.at)
		size = server.size - server.at;
	memcpy(bytes + TTLV_HEADER_SIZE, server.data + server.at, size);
	server.at += size;
	if (kind == 0)
		send_record(bytes + TTLV_HEADER_SIZE, size);
	else if (kind == 1)
		send_record(bytes, TTLV_HEADER_SIZE + size);
	else if (size > 0)
		require(BIO_write(server.out, bytes + TTLV_HEADER_SIZE, (int)size) == (int)size);
}

static void
act(void)
{
	unsigned kind = (next_byte() & ~(unsigned)UNASKED) % 7;

	switch (kind) {
	case 0:
	case 1:
	case 2:
		send_bytes(kind);
		break;
	case 3:
		server.ended = true;
		break;
	case 4:
		(void)SSL_shutdown(server.tls);
		break;
	case 5:
		if (SSL_new_session_ticket(server.tls) == 1)
			(void)SSL_do_handshake(server.tls);
		break;
	default: /* stalls */
		break;
	}
	(void)openssl_failure(CKR_OK);
}

/* kmip-socket.h */

bool
kmip_socket_connect(const struct endpoint *endpoint, struct deadline deadline,
                    struct kmip_descriptors *descriptors, int *ret_socket, char **ret_why)
{
	(void)descriptors;
	(void)endpoint;
	(void)deadline;
	(void)ret_why;
	*ret_socket = open("/dev/null", O_RDWR | O_CLOEXEC);
	return *ret_socket >= 0;
}

void
kmip_socket_close(int socket, struct kmip_descriptors *descriptors)
{
	(void)descriptors;
	(void)close(socket);
}

void
kmip_descriptors_forked(struct kmip_descriptors *descriptors)
{
	(void)descriptors;
}

bool
kmip_socket_send(int socket, const void *data, size_t size, struct deadline deadline,
                 char **ret_why)
{
	unsigned char request[1024];
	size_t got;

	(void)socket;
	(void)deadline;
	(void)ret_why;
	require(BIO_write(server.in, data, (int)size) == (int)size);
	if (!SSL_is_init_finished(server.tls))
		(void)SSL_accept(server.tls);
	while (SSL_is_init_finished(server.tls) &&
	       SSL_read_ex(server.tls, request, sizeof request, &got) == 1)
		server.unasked = server.sent.size;
	(void)openssl_failure(CKR_OK);
	return true;
}

bool
kmip_socket_receive(int socket, void *ret_data, size_t room, struct deadline deadline,
                    size_t *ret_size, char **ret_why)
{
	int size;

	(void)socket;
	(void)deadline;
	if (BIO_pending(server.out) == 0 && !server.ended && SSL_is_init_finished(server.tls))
		act();
	if (server.piece != 0 && SSL_is_init_finished(server.tls) && room > server.piece)
		room = server.piece;
	size = BIO_read(server.out, ret_data, (int)room);
	if (size <= 0) {
		*ret_why = strdup("nothing comes");
		return false;
	}
	*ret_size = (size_t)size;
	return true;
}

bool
kmip_socket_is_readable(int socket)
{
	(void)socket;
	while (BIO_pending(server.out) == 0 && !server.ended && server.at < server.size &&
	       (server.data[server.at] & UNASKED) != 0)
		act();
	return BIO_pending(server.out) != 0 || server.ended;
}

/* TLS. */

static SSL_CTX *
server_context(void)
{
	SSL_CTX *context = SSL_CTX_new_ex(openssl_context(), NULL, TLS_server_method());
	EVP_PKEY *key = EVP_PKEY_Q_keygen(openssl_context(), NULL, "EC", "P-256");
	X509 *certificate = X509_new();

	require(context != NULL && key != NULL && certificate != NULL &&
	        X509_gmtime_adj(X509_getm_notBefore(certificate), 0) != NULL &&
	        X509_gmtime_adj(X509_getm_notAfter(certificate), 86400) != NULL &&
	        X509_set_pubkey(certificate, key) == 1 &&
	        X509_sign(certificate, key, EVP_sha256()) > 0 &&
	        SSL_CTX_use_certificate(context, certificate) == 1 &&
	        SSL_CTX_use_PrivateKey(context, key) == 1 &&
	        SSL_CTX_set_num_tickets(context, 0) == 1);
	X509_free(certificate);
	EVP_PKEY_free(key);
	return context;
}

static void
server_start(SSL_CTX *context, const uint8_t *data, size_t size)
{
	memset(&server, 0, sizeof server);
	server.data = data;
	server.size = size;
	server.piece = next_byte();
	server.tls = SSL_new(context);
	server.in = BIO_new(BIO_s_mem());
	server.out = BIO_new(BIO_s_mem());
	require(server.tls != NULL && server.in != NULL && server.out != NULL);
	SSL_set_bio(server.tls, server.in, server.out);
	SSL_set_accept_state(server.tls);
}

/* What is taken for an answer is what the server sent upon the request: all of it, and no more. */
static bool
exchange(struct kmip_stream *stream)
{
	unsigned char bytes[] = { 'q' };
	struct buffer request = { .data = bytes, .size = sizeof bytes }, answer = BUFFER_INIT;
	char *why = NULL;
	size_t size;
	CK_RV rv;

	rv = kmip_stream_exchange(stream, &request, KMIP_RESPONSE_MESSAGE, LIMIT, deadline_in(60000),
	                          &answer, &why);
	require(rv == CKR_OK ? why == NULL : answer.data == NULL);
	if (rv == CKR_OK)
		require(server.unasked == server.taken && answer.size >= TTLV_HEADER_SIZE &&
		        ttlv_message_size(answer.data, KMIP_RESPONSE_MESSAGE, LIMIT, &size) &&
		        size == answer.size && answer.size <= server.sent.size - server.taken &&
		        memcmp(answer.data, server.sent.data + server.taken, answer.size) == 0);
	server.taken += answer.size;
	buffer_clear(&answer);
	free(why);
	return rv == CKR_OK;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct endpoint endpoint = { .host = (char *)"localhost" };
	static struct kmip_descriptors descriptors;
	static SSL_CTX *theirs, *ours;
	struct kmip_stream *stream = NULL;
	SSL_SESSION *session;
	int64_t verified_ms = 0;
	unsigned requests = 0;
	char *why = NULL;

	if (size < 2)
		return 0;
	if (theirs == NULL) {
		require(openssl_start() == CKR_OK);
		theirs = server_context();
		ours = SSL_CTX_new_ex(openssl_context(), NULL, TLS_client_method());
		require(ours != NULL);
	}
	server_start(theirs, data, size);
	require(kmip_stream_open(&endpoint, ours, NULL, 0, deadline_in(60000), &descriptors, &stream,
	                         &why) == CKR_OK);
	/* Some connections were idle, and are looked at first. */
	while (exchange(stream) && (++requests % 2 == 1 || kmip_stream_is_alive(stream)))
		;
	session = kmip_stream_session(stream, &verified_ms);
	SSL_SESSION_free(session);
	kmip_stream_close(&stream);
	SSL_free(server.tls);
	buffer_clear(&server.sent);
	return 0;
}
