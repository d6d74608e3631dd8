/* SPDX-License-Identifier: Apache-2.0 */
#include "kmip-fixture.h"

#include "kmip-objects.h"
#include "unit.h"

#include "base/openssl.h"
#include "kms/ttlv.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define CONNECTIONS_MAX 64

struct kmip_fixture kmip_fixture;

static struct {
	pthread_mutex_t lock;
	pthread_t thread;
	SSL_CTX *tls;
	int listener, port;
	atomic_bool ending, listening;
	int sockets[CONNECTIONS_MAX];
	pthread_t threads[CONNECTIONS_MAX];
	unsigned connections;
	unsigned char session_context[4];
} server;

/* Certificates. */

static void
add_extension(X509 *certificate, int nid, const char *value)
{
	X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, nid, value);

	ck_assert_ptr_nonnull(extension);
	ck_assert_int_eq(X509_add_ext(certificate, extension, -1), 1);
	X509_EXTENSION_free(extension);
}

/* issuer NULL: of itself, an authority. */
static X509 *
make_certificate(const char *name, EVP_PKEY *key, X509 *issuer, EVP_PKEY *issuer_key)
{
	static long serial = 1;
	X509 *certificate = X509_new();
	X509_NAME *subject = X509_get_subject_name(certificate);

	ck_assert_int_eq(X509_set_version(certificate, 2), 1);
	ASN1_INTEGER_set(X509_get_serialNumber(certificate), serial++);
	X509_gmtime_adj(X509_getm_notBefore(certificate), -3600);
	X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
	X509_set_pubkey(certificate, key);
	X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (const unsigned char *)name, -1, -1,
	                           0);
	X509_set_issuer_name(certificate,
	                     issuer == NULL ? subject : X509_get_subject_name(issuer));
	if (issuer == NULL)
		add_extension(certificate, NID_basic_constraints, "critical,CA:TRUE");
	else
		add_extension(certificate, NID_subject_alt_name, "IP:127.0.0.1");
	ck_assert_int_gt(X509_sign(certificate, issuer_key, EVP_sha256()), 0);
	return certificate;
}

static char *
path_dup(const char *name)
{
	return strdup(unit_path(name));
}

static void
write_certificate(const char *path, X509 *certificate)
{
	FILE *file = fopen(path, "w");

	ck_assert_ptr_nonnull(file);
	ck_assert_int_eq(PEM_write_X509(file, certificate), 1);
	fclose(file);
}

static void
write_key(const char *path, EVP_PKEY *key, const char *passphrase)
{
	FILE *file = fopen(path, "w");

	ck_assert_ptr_nonnull(file);
	ck_assert_int_eq(PEM_write_PrivateKey(file, key, passphrase == NULL ? NULL : EVP_aes_128_cbc(),
	                                      NULL, 0, NULL, (void *)passphrase), 1);
	fclose(file);
	ck_assert_int_eq(chmod(path, 0600), 0);
}

/* Made by the first test of the program, kept for the others: it takes long under valgrind. */
static EVP_PKEY *
rsa_key(void)
{
	const char *path = unit_path("rsa.pem");
	FILE *file = fopen(path, "r");
	EVP_PKEY *key;

	if (file == NULL) {
		key = EVP_RSA_gen(2048);
		write_key(path, key, NULL);
	} else {
		key = PEM_read_PrivateKey(file, NULL, NULL, NULL);
		fclose(file);
	}
	ck_assert_ptr_nonnull(key);
	return key;
}

static EVP_PKEY *ca_key, *client_key;
static X509 *ca;

static int
verify_client(int good, X509_STORE_CTX *context)
{
	SSL *tls = X509_STORE_CTX_get_ex_data(context, SSL_get_ex_data_X509_STORE_CTX_idx());

	if (kmip_fixture.trust == KMIP_TRUST)
		return good;
	if (kmip_fixture.trust == KMIP_DISTRUST_SILENTLY)
		shutdown(SSL_get_fd(tls), SHUT_RDWR);
	X509_STORE_CTX_set_error(context, X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN);
	return 0;
}

void
kmip_fixture_certify_client(long seconds)
{
	X509 *client = make_certificate("client", client_key, ca, ca_key);

	X509_gmtime_adj(X509_getm_notAfter(client), seconds);
	ck_assert_int_gt(X509_sign(client, ca_key, EVP_sha256()), 0);
	write_certificate(kmip_fixture.config.tls_certificate, client);
	X509_free(client);
}

static void
make_certificates(void)
{
	EVP_PKEY *server_key = EVP_EC_gen("P-256");
	X509 *server_certificate;

	ca_key = EVP_EC_gen("P-256");
	client_key = EVP_EC_gen("P-256");
	ca = make_certificate("CA", ca_key, NULL, ca_key);
	/* Its name must not count: the subject alternative name has the address only. */
	server_certificate = make_certificate("localhost", server_key, ca, ca_key);
	kmip_fixture.config.tls_ca = path_dup("ca.pem");
	kmip_fixture.config.tls_certificate = path_dup("client.pem");
	kmip_fixture.config.tls_key = path_dup("client.key");
	write_certificate(kmip_fixture.config.tls_ca, ca);
	kmip_fixture_certify_client(3600);
	write_key(kmip_fixture.config.tls_key, client_key, NULL);

	server.tls = SSL_CTX_new(TLS_server_method());
	ck_assert_int_eq(SSL_CTX_use_certificate(server.tls, server_certificate), 1);
	ck_assert_int_eq(SSL_CTX_use_PrivateKey(server.tls, server_key), 1);
	ck_assert_int_eq(X509_STORE_add_cert(SSL_CTX_get_cert_store(server.tls), ca), 1);
	SSL_CTX_set_verify(server.tls, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT,
	                   verify_client);
	SSL_CTX_set_session_id_context(server.tls, server.session_context, 4);
	X509_free(server_certificate);
	EVP_PKEY_free(server_key);
}

void
kmip_fixture_encrypt_key(const char *passphrase)
{
	write_key(kmip_fixture.config.tls_key, client_key, passphrase);
}

static uint32_t
check_header(const struct ttlv *header)
{
	struct ttlv item, user, password;
	int32_t minor = 99;

	ck_assert(ttlv_get_structure(header, KMIP_PROTOCOL_VERSION, &item));
	ck_assert(ttlv_get_integer(&item, KMIP_PROTOCOL_VERSION_MINOR, &minor));
	if (minor > kmip_fixture.minor)
		return KMIP_INVALID_MESSAGE;
	if (kmip_fixture.username == NULL)
		return 0;
	if (!ttlv_get_structure(header, KMIP_AUTHENTICATION, &item) ||
	    !ttlv_get_structure(&item, KMIP_CREDENTIAL, &item) ||
	    !ttlv_get_structure(&item, KMIP_CREDENTIAL_VALUE, &item) ||
	    !ttlv_find(&item, KMIP_USERNAME, &user) || !ttlv_find(&item, KMIP_PASSWORD, &password) ||
	    !ttlv_is_text(&user, kmip_fixture.username) ||
	    !ttlv_is_text(&password, kmip_fixture.password))
		return KMIP_AUTHENTICATION_NOT_SUCCESSFUL;
	return 0;
}

/* The operation. */
static uint32_t
answer_request(const struct ttlv *request, struct ttlv_writer *answer)
{
	struct ttlv_writer payload_writer = TTLV_WRITER_INIT;
	struct ttlv header, item, payload;
	uint32_t operation = 0, reason;

	ck_assert(ttlv_get_structure(request, KMIP_REQUEST_HEADER, &header));
	ck_assert(ttlv_get_structure(request, KMIP_BATCH_ITEM, &item));
	ck_assert(ttlv_get_enumeration(&item, KMIP_OPERATION, &operation));
	ck_assert(ttlv_get_structure(&item, KMIP_REQUEST_PAYLOAD, &payload));
	ck_assert_uint_lt(operation, KMIP_OPERATIONS);
	kmip_fixture.requests[operation]++;
	ttlv_open(&payload_writer, KMIP_RESPONSE_PAYLOAD);
	reason = check_header(&header);
	if (reason == 0)
		reason = kmip_fixture.reasons[operation];
	if (reason == 0)
		reason = kmip_objects_operate(operation, &payload, &payload_writer);
	ttlv_close(&payload_writer);

	ttlv_open(answer, KMIP_RESPONSE_MESSAGE);
	ttlv_open(answer, KMIP_RESPONSE_HEADER);
	ttlv_close(answer);
	ttlv_open(answer, KMIP_BATCH_ITEM);
	ttlv_enumeration(answer, KMIP_OPERATION, operation);
	ttlv_enumeration(answer, KMIP_RESULT_STATUS, reason == 0 ? 0 : 1);
	if (reason == 0)
		ck_assert_uint_eq(buffer_append(&answer->bytes, payload_writer.bytes.data,
		                                payload_writer.bytes.size), CKR_OK);
	else
		ttlv_enumeration(answer, KMIP_RESULT_REASON, reason);
	ttlv_close(answer);
	ttlv_close(answer);
	ttlv_clear(&payload_writer);
	return operation;
}

/* The server's threads. */

static bool
read_all(SSL *tls, unsigned char *data, size_t size)
{
	size_t got;

	while (size > 0) {
		if (SSL_read_ex(tls, data, size, &got) != 1)
			return false;
		data += got;
		size -= got;
	}
	return true;
}

static bool
serve_request(SSL *tls)
{
	struct ttlv_writer answer = TTLV_WRITER_INIT;
	struct buffer message = BUFFER_INIT;
	unsigned char header[TTLV_HEADER_SIZE];
	struct ttlv request;
	size_t size, written;
	bool done = false, twice = false;

	if (!read_all(tls, header, sizeof header) ||
	    !ttlv_message_size(header, KMIP_REQUEST_MESSAGE, 1 << 20, &size) ||
	    buffer_append(&message, header, sizeof header) != CKR_OK ||
	    buffer_resize(&message, size) != CKR_OK ||
	    !read_all(tls, message.data + sizeof header, size - sizeof header))
		goto out;
	ck_assert(ttlv_parse(message.data, message.size, &request));
	pthread_mutex_lock(&server.lock);
	if (kmip_fixture.hang_up == 0 || --kmip_fixture.hang_up > 0) {
		twice = answer_request(&request, &answer) == kmip_fixture.surplus &&
		        kmip_fixture.surplus != 0;
		done = true;
	}
	pthread_mutex_unlock(&server.lock);
	/* In one record, so that both are there when the first is read. */
	if (done && twice) {
		size = answer.bytes.size;
		done = buffer_resize(&answer.bytes, 2 * size) == CKR_OK;
		if (done)
			memcpy(answer.bytes.data + size, answer.bytes.data, size);
	}
	done = done && SSL_write_ex(tls, answer.bytes.data, answer.bytes.size, &written) == 1;
out:
	ttlv_clear(&answer);
	buffer_clear(&message);
	return done;
}

static void *
serve_connection(void *argument)
{
	unsigned index = (unsigned)(uintptr_t)argument;
	SSL *tls = SSL_new(server.tls);
	sigset_t signals;

	/* For the server alone: what is tested must not raise it in the first place. */
	sigemptyset(&signals);
	sigaddset(&signals, SIGPIPE);
	pthread_sigmask(SIG_BLOCK, &signals, NULL);
	SSL_set_fd(tls, server.sockets[index]);
	usleep(1000 * kmip_fixture.handshake_ms);
	if (SSL_accept(tls) == 1) {
		pthread_mutex_lock(&server.lock);
		kmip_fixture.connections++;
		kmip_fixture.resumed += SSL_session_reused(tls) == 1;
		pthread_mutex_unlock(&server.lock);
		while (serve_request(tls))
			;
	}
	SSL_free(tls);
	shutdown(server.sockets[index], SHUT_RDWR);
	ERR_clear_error();
	return NULL;
}

static void
open_listener(void)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET, .sin_port = htons((uint16_t)server.port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	socklen_t size = sizeof address;
	int yes = 1;

	server.listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	setsockopt(server.listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
	ck_assert_int_eq(bind(server.listener, (struct sockaddr *)&address, size), 0);
	ck_assert_int_eq(listen(server.listener, 16), 0);
	ck_assert_int_eq(getsockname(server.listener, (struct sockaddr *)&address, &size), 0);
	server.port = ntohs(address.sin_port);
	server.listening = true;
}

static void *
accept_connections(void *argument)
{
	(void)argument;
	while (!server.ending) {
		struct pollfd wanted = { .fd = server.listener, .events = POLLIN };
		int connection;

		if (!server.listening || poll(&wanted, 1, 20) != 1) {
			usleep(1000);
			continue;
		}
		connection = accept(server.listener, NULL, NULL);
		if (connection < 0)
			continue;
		pthread_mutex_lock(&server.lock);
		ck_assert_uint_lt(server.connections, CONNECTIONS_MAX);
		server.sockets[server.connections] = connection;
		pthread_create(&server.threads[server.connections], NULL, serve_connection,
		               (void *)(uintptr_t)server.connections);
		server.connections++;
		pthread_mutex_unlock(&server.lock);
	}
	return NULL;
}

void
kmip_fixture_start(void)
{
	struct config_token *config = &kmip_fixture.config;
	char uri[64];

	ck_assert_uint_eq(openssl_start(), CKR_OK);
	memset(&kmip_fixture, 0, sizeof kmip_fixture);
	memset(&server, 0, sizeof server);
	kmip_objects_clear();
	pthread_mutex_init(&server.lock, NULL);
	kmip_fixture.minor = 4;
	kmip_fixture.digested = true;
	kmip_fixture.sealing = true;
	kmip_fixture.groups = true;
	kmip_fixture.unknown = KMIP_INVALID_FIELD;
	kmip_fixture.rsa = rsa_key();
	kmip_fixture.ec = EVP_EC_gen("P-256");
	make_certificates();
	open_listener();
	ck_assert_int_eq(pthread_create(&server.thread, NULL, accept_connections, NULL), 0);
	snprintf(uri, sizeof uri, "kmip://127.0.0.1:%d", server.port);
	config->name = strdup("unit");
	config->kms = strdup(uri);
	config->deadline_ms = 2000;
	config->keep_pin = true;
}

void
kmip_fixture_disconnect(void)
{
	pthread_mutex_lock(&server.lock);
	for (unsigned i = 0; i < server.connections; i++)
		shutdown(server.sockets[i], SHUT_RDWR);
	pthread_mutex_unlock(&server.lock);
}

void
kmip_fixture_listen(bool listening)
{
	if (!listening) {
		server.listening = false;
		usleep(50000); /* until the accepting thread has seen it */
		close(server.listener);
	} else {
		open_listener();
	}
}

void
kmip_fixture_rekey(void)
{
	pthread_mutex_lock(&server.lock);
	kmip_objects_rekey();
	pthread_mutex_unlock(&server.lock);
}

void
kmip_fixture_disown(void)
{
	pthread_mutex_lock(&server.lock);
	kmip_objects_disown();
	pthread_mutex_unlock(&server.lock);
}

void
kmip_fixture_destroy(const char *identifier)
{
	pthread_mutex_lock(&server.lock);
	kmip_objects_destroy(identifier);
	pthread_mutex_unlock(&server.lock);
}

void
kmip_fixture_rename(void)
{
	pthread_mutex_lock(&server.lock);
	kmip_objects_rename();
	pthread_mutex_unlock(&server.lock);
}

unsigned
kmip_fixture_objects(void)
{
	unsigned count;

	pthread_mutex_lock(&server.lock);
	count = kmip_objects_count();
	pthread_mutex_unlock(&server.lock);
	return count;
}

void
kmip_fixture_stop(void)
{
	struct config_token *config = &kmip_fixture.config;

	server.ending = true;
	pthread_join(server.thread, NULL);
	kmip_fixture_disconnect();
	for (unsigned i = 0; i < server.connections; i++) {
		pthread_join(server.threads[i], NULL);
		close(server.sockets[i]);
	}
	if (server.listening)
		close(server.listener);
	SSL_CTX_free(server.tls);
	X509_free(ca);
	EVP_PKEY_free(ca_key);
	EVP_PKEY_free(client_key);
	EVP_PKEY_free(kmip_fixture.rsa);
	EVP_PKEY_free(kmip_fixture.ec);
	free(config->name);
	free(config->kms);
	free(config->tls_ca);
	free(config->tls_certificate);
	free(config->tls_key);
	free(config->tls_crl);
	free(config->kmip_username);
	free(config->kmip_password_source);
	free(config->pin_source);
	openssl_stop();
}
