/* SPDX-License-Identifier: Apache-2.0 */
/* The connections of a token to its KMIP servers: TLS, the pool, the socket below. */
#include "kmip-fixture.h"

#include "unit.h"

#include "kms/kmip-login.h"
#include "kms/kmip-socket.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static struct kmip *kmip;
static struct kmip_login login;

/* As check's timeouts are: valgrind takes its time. */
static int64_t
patience(int64_t milliseconds)
{
	const char *multiplier = getenv("CK_TIMEOUT_MULTIPLIER");

	return multiplier == NULL ? milliseconds : milliseconds * atoi(multiplier);
}

static struct deadline
soon(void)
{
	return deadline_in(patience(3000));
}

static void
reopen(void)
{
	struct kms_attempt attempt = { .deadline = soon() };

	kmip_login_clear(&login);
	kmip_free(&kmip);
	ck_assert_uint_eq(kmip_new(&kmip_fixture.config, NULL, &kmip), CKR_OK);
	ck_assert_uint_eq(kmip_login_get(kmip, &attempt, &login), CKR_OK);
}

static void
setup(void)
{
	kmip_fixture_start();
	reopen();
}

static void
teardown(void)
{
	kmip_login_clear(&login);
	kmip_free(&kmip);
	kmip_fixture_stop();
}

START_TEST(plaintext_does_not_stay_behind)
{
	ck_assert(SSL_CTX_get_options(login.tls) & SSL_OP_CLEANSE_PLAINTEXT);
}
END_TEST

static CK_RV
try_take(struct deadline deadline, struct kmip_stream **ret_stream)
{
	struct kmip_server *server;
	struct deadline part;
	bool reused;

	return kmip_connection_take(kmip, &login, NULL, deadline, &server, ret_stream, &reused, &part);
}

START_TEST(the_common_name_is_no_host)
{
	struct kmip_stream *stream = NULL;
	char uri[64], *why;

	snprintf(uri, sizeof uri, "kmip://localhost:%s", kmip->servers->endpoint->port);
	free(kmip_fixture.config.kms);
	kmip_fixture.config.kms = strdup(uri);
	reopen();
	ck_assert_uint_eq(try_take(soon(), &stream), CKR_DEVICE_ERROR);
	why = kmip_server_why(kmip, kmip->servers);
	ck_assert_str_eq(why, "its TLS certificate is refused: hostname mismatch");
	free(why);
}
END_TEST

static void
take(struct kmip_stream **ret_stream)
{
	ck_assert_uint_eq(try_take(soon(), ret_stream), CKR_OK);
}

/* 1 s after the first, however many connections fall with it; 2 s when it goes on after that. */
START_TEST(one_outage_is_one_pause)
{
	struct kmip_stream *streams[4] = { NULL };
	struct kmip_server *server = kmip->servers;
	int64_t retry_at;

	for (size_t i = 0; i < 4; i++)
		take(&streams[i]);
	for (size_t i = 0; i < 3; i++)
		kmip_connection_drop(kmip, server, &streams[i], true, NULL);
	ck_assert_int_eq(server->pause_ms, 1000);
	ck_assert_int_eq(server->minor, 0);
	retry_at = server->retry_at_ms;
	server->retry_at_ms = clock_monotonic_ms() - 1; /* it has passed */
	kmip_connection_drop(kmip, server, &streams[3], true, NULL);
	ck_assert_int_eq(server->pause_ms, 2000);
	ck_assert_int_gt(server->retry_at_ms, retry_at);
}
END_TEST

START_TEST(a_full_pool_is_no_dead_server)
{
	struct kms_attempt attempt = { .deadline = deadline_in(50) };
	struct kmip_stream *streams[KMIP_CONNECTIONS_MAX] = { NULL }, *one_more = NULL;

	for (size_t i = 0; i < KMIP_CONNECTIONS_MAX; i++)
		take(&streams[i]);
	ck_assert_uint_eq(try_take(deadline_in(50), &one_more), CKR_SESSION_COUNT);
	ck_assert_uint_eq(kmip_backend.ping(kmip, NULL, &attempt), CKR_SESSION_COUNT);
	ck_assert(attempt.unasked);
	for (size_t i = 0; i < KMIP_CONNECTIONS_MAX; i++)
		kmip_connection_put(kmip, kmip->servers, &streams[i]);
	attempt = (struct kms_attempt){ .deadline = soon() };
	ck_assert_uint_eq(kmip_backend.ping(kmip, NULL, &attempt), CKR_OK);
}
END_TEST

/* A firewall that forgets the connection sends no reset: only the kernel can notice. */
START_TEST(a_silent_end_is_noticed)
{
	static const struct {
		int level, name, least, most;
	} rows[] = {
		{ SOL_SOCKET, SO_KEEPALIVE, 1, 1 },
		/* Asked before the idle connection is given up (60 s), and given up well within it. */
		{ IPPROTO_TCP, TCP_KEEPIDLE, 5, 30 },
		{ IPPROTO_TCP, TCP_KEEPINTVL, 1, 10 },
		{ IPPROTO_TCP, TCP_KEEPCNT, 2, 6 },
		{ IPPROTO_TCP, TCP_USER_TIMEOUT, 15000, 45000 },
	};
	socklen_t size = sizeof(int);
	int fd = -1, value = 0;
	char *why = NULL;

	ck_assert(kmip_socket_connect(kmip->servers->endpoint, soon(), &kmip->descriptors, &fd, &why));
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		ck_assert_int_eq(getsockopt(fd, rows[i].level, rows[i].name, &value, &size), 0);
		ck_assert_int_ge(value, rows[i].least);
		ck_assert_int_le(value, rows[i].most);
	}
	kmip_socket_close(fd, &kmip->descriptors);
}
END_TEST

/* In TLS 1.3 the client's certificate is looked at when the client thinks that it is connected. */
START_TEST(a_refusal_after_the_handshake_is_told)
{
	struct buffer request = BUFFER_INIT, answer = BUFFER_INIT;
	struct kmip_stream *stream = NULL;
	char *why = NULL;

	ck_assert_uint_eq(buffer_append(&request, "12345678", 8), CKR_OK);
	/* The alert is there before the request is sent, and the connection ended. */
	kmip_fixture.trust = KMIP_DISTRUST_ALERT;
	take(&stream);
	ck_assert_str_eq(kmip_stream_version(stream), "TLSv1.3");
	usleep(200000);
	ck_assert_uint_eq(kmip_stream_exchange(stream, &request, KMIP_RESPONSE_MESSAGE, 1000, soon(),
	                                       &answer, &why), CKR_DEVICE_ERROR);
	ck_assert_str_eq(why, "TLS failed: tlsv1 alert unknown ca");
	free(why);
	why = NULL;
	kmip_connection_drop(kmip, kmip->servers, &stream, false, NULL);
	/* The connection ends, and nobody says why. */
	kmip_fixture.trust = KMIP_DISTRUST_SILENTLY;
	take(&stream);
	usleep(200000);
	ck_assert_uint_eq(kmip_stream_exchange(stream, &request, KMIP_RESPONSE_MESSAGE, 1000, soon(),
	                                       &answer, &why), CKR_DEVICE_ERROR);
	ck_assert_ptr_nonnull(strstr(why, "it may refuse the client's certificate"));
	free(why);
	kmip_connection_drop(kmip, kmip->servers, &stream, false, NULL);
	buffer_clear(&request);
}
END_TEST

/* Server Limit Exceeded is the one reason that means it; General Failure may mean anything. */
START_TEST(a_throttling_server_is_asked_three_times)
{
	static const unsigned char id[] = { 1 };
	struct kms_pair pair = {
		.algorithm = algorithm_by_name("p-256"), .id = id, .id_size = sizeof id,
		.label = "job@1", .sign = true,
	};
	struct buffer spki = BUFFER_INIT;
	struct kms *kms = NULL;

	ck_assert_uint_eq(kms_new(&kmip_fixture.config, &kms), CKR_OK);
	ck_assert_uint_eq(kms_ping(kms, soon()), CKR_OK);
	kmip_fixture.reasons[KMIP_LOCATE] = KMIP_SERVER_LIMIT_EXCEEDED;
	ck_assert_uint_eq(kms_find_pair(kms, id, sizeof id, NULL, soon()), CKR_FUNCTION_FAILED);
	ck_assert_uint_eq(kmip_fixture.requests[KMIP_LOCATE], 3);
	ck_assert_uint_eq(kms_device_error(kms), KMIP_SERVER_LIMIT_EXCEEDED);
	kmip_fixture.reasons[KMIP_LOCATE] = KMIP_GENERAL_FAILURE;
	ck_assert_uint_eq(kms_find_pair(kms, id, sizeof id, NULL, soon()), CKR_DEVICE_ERROR);
	ck_assert_uint_eq(kmip_fixture.requests[KMIP_LOCATE], 4);
	/* Nothing is made twice. */
	kmip_fixture.reasons[KMIP_LOCATE] = 0;
	kmip_fixture.reasons[KMIP_CREATE_KEY_PAIR] = KMIP_SERVER_LIMIT_EXCEEDED;
	ck_assert_uint_eq(kms_generate_pair(kms, &pair, soon(), &spki), CKR_DEVICE_MEMORY);
	ck_assert_uint_eq(kmip_fixture.requests[KMIP_CREATE_KEY_PAIR], 1);
	kms_free(&kms);
	buffer_clear(&spki);
}
END_TEST

/* A server that takes connections, and never says a word; and a kmip that waits for it. */
struct waiting {
	struct kmip *kmip;
	int listener, port;
};

static void
listen_mutely(struct waiting *waiting)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	socklen_t size = sizeof address;
	char uri[64];

	waiting->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ck_assert_int_eq(bind(waiting->listener, (struct sockaddr *)&address, size), 0);
	ck_assert_int_eq(listen(waiting->listener, 16), 0);
	ck_assert_int_eq(getsockname(waiting->listener, (struct sockaddr *)&address, &size), 0);
	waiting->port = ntohs(address.sin_port);
	snprintf(uri, sizeof uri, "kmip://127.0.0.1:%d", waiting->port);
	free(kmip_fixture.config.kms);
	kmip_fixture.config.kms = strdup(uri);
	ck_assert_uint_eq(kmip_new(&kmip_fixture.config, NULL, &waiting->kmip), CKR_OK);
}

static void *
wait_in_vain(void *argument)
{
	struct waiting *waiting = argument;
	struct kms_attempt attempt = { .deadline = soon() };

	ck_assert_uint_eq(kmip_backend.ping(waiting->kmip, NULL, &attempt), CKR_DEVICE_ERROR);
	return NULL;
}

#define DESCRIPTORS 256

static bool
is_connection(int fd, int port)
{
	struct sockaddr_in peer;
	socklen_t size = sizeof peer;

	return getpeername(fd, (struct sockaddr *)&peer, &size) == 0 && peer.sin_family == AF_INET &&
	       ntohs(peer.sin_port) == port;
}

static unsigned
connected_to(int port)
{
	unsigned count = 0;

	for (int fd = 0; fd < DESCRIPTORS; fd++)
		count += is_connection(fd, port);
	return count;
}

/* Else a server believes in connections whose owner has gone, for as long as the child lives. */
START_TEST(a_child_closes_what_is_in_use)
{
	struct kms_attempt attempt = { .deadline = soon() };
	struct kmip_stream *lent = NULL, *idle = NULL;
	int port = atoi(kmip->servers->endpoint->port), status = 0, accepted;
	struct waiting waiting = { .kmip = NULL };
	pthread_t thread;
	pid_t child;

	take(&lent);
	take(&idle);
	kmip_connection_put(kmip, kmip->servers, &idle);
	listen_mutely(&waiting);
	ck_assert_int_eq(pthread_create(&thread, NULL, wait_in_vain, &waiting), 0);
	accepted = accept(waiting.listener, NULL, NULL); /* in the middle of the handshake */
	ck_assert_int_ge(accepted, 0);
	ck_assert_uint_eq(connected_to(port), 2);
	ck_assert_uint_eq(connected_to(waiting.port), 1);
	child = fork();
	if (child == 0) {
		kmip_forked(kmip);
		kmip_forked(waiting.kmip);
		/* Another program, in which valgrind looks for no leaks: other threads' memory is lost. */
		execl(connected_to(port) + connected_to(waiting.port) == 0 ? "/bin/true" : "/bin/false",
		      "child", (char *)NULL);
		abort();
	}
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert(WIFEXITED(status));
	ck_assert_int_eq(WEXITSTATUS(status), 0);
	/* The parent's go on: no goodbye was sent. */
	kmip_connection_put(kmip, kmip->servers, &lent);
	for (int i = 0; i < 2; i++) {
		ck_assert_uint_eq(kmip_backend.ping(kmip, NULL, &attempt), CKR_OK);
		ck_assert_uint_eq(kmip->servers->idle_count, 2);
	}
	ck_assert_uint_eq(kmip_fixture.connections, 2);
	ck_assert_int_eq(pthread_join(thread, NULL), 0);
	kmip_free(&waiting.kmip);
	close(accepted);
	close(waiting.listener);
}
END_TEST

/* A daemon closes all that it has inherited, and opens its log, before it initialises the module. */
START_TEST(a_child_closes_nothing_but_the_connections)
{
	int port = atoi(kmip->servers->endpoint->port), status = 0, opened = 0, log;
	struct kmip_stream *lent = NULL, *idle = NULL;
	bool ours[DESCRIPTORS] = { false };
	pid_t child;

	take(&lent);
	take(&idle);
	kmip_connection_put(kmip, kmip->servers, &idle);
	ck_assert_uint_eq(connected_to(port), 2);
	child = fork();
	if (child == 0) {
		log = open("/dev/null", O_WRONLY);
		for (int fd = 0; fd < DESCRIPTORS; fd++) {
			ours[fd] = is_connection(fd, port) && dup2(log, fd) == fd;
			opened += ours[fd];
		}
		kmip_forked(kmip);
		for (int fd = 0; fd < DESCRIPTORS; fd++)
			opened -= ours[fd] && fcntl(fd, F_GETFD) >= 0 ? 1 : 0;
		execl(opened == 0 ? "/bin/true" : "/bin/false", "child", (char *)NULL);
		abort();
	}
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert(WIFEXITED(status));
	ck_assert_int_eq(WEXITSTATUS(status), 0);
	kmip_connection_put(kmip, kmip->servers, &lent);
}
END_TEST

/* The first that can be reached; returns which. */
static size_t
take_from(struct kmip_stream **ret_stream)
{
	struct kmip_server *server = NULL;
	struct deadline part;
	bool reused;

	ck_assert_uint_eq(kmip_connection_take(kmip, &login, NULL, deadline_in(patience(6000)), &server,
	                                       ret_stream, &reused, &part), CKR_OK);
	return (size_t)(server - kmip->servers);
}

/* The same server twice: the first has failed, the second has an idle connection. */
static void
fail_over(void)
{
	struct kmip_stream *stream = NULL;
	char uri[128];

	snprintf(uri, sizeof uri, "kmip://127.0.0.1:%s,127.0.0.1:%s", kmip->servers->endpoint->port,
	         kmip->servers->endpoint->port);
	free(kmip_fixture.config.kms);
	kmip_fixture.config.kms = strdup(uri);
	reopen();
	ck_assert_uint_eq(take_from(&stream), 0);
	kmip_connection_drop(kmip, &kmip->servers[0], &stream, true, NULL);
	ck_assert_uint_eq(take_from(&stream), 1);
	kmip_connection_put(kmip, &kmip->servers[1], &stream);
}

/* Its pause is over, and it is slow. */
static void
end_pause(void)
{
	kmip_fixture.handshake_ms = 600;
	kmip->servers[0].retry_at_ms = clock_monotonic_ms() - 1;
}

START_TEST(a_slow_server_gets_back)
{
	struct kmip_stream *stream = NULL;
	int64_t began;

	fail_over();
	end_pause();
	began = clock_monotonic_ms();
	ck_assert_uint_eq(take_from(&stream), 1); /* half a second is not enough for it */
	ck_assert_int_lt(clock_monotonic_ms() - began, patience(700));
	kmip_connection_put(kmip, &kmip->servers[1], &stream);
	end_pause();
	ck_assert_uint_eq(take_from(&stream), 0); /* twice as long is */
	kmip_connection_put(kmip, &kmip->servers[0], &stream);
	ck_assert_int_eq(kmip->servers[0].pause_ms, 0);
}
END_TEST

static void *
take_slowly(void *argument)
{
	struct kmip_stream *stream = NULL;
	size_t *ret_index = argument;

	*ret_index = take_from(&stream);
	kmip_connection_put(kmip, &kmip->servers[*ret_index], &stream);
	return NULL;
}

START_TEST(one_call_tries_a_server_that_was_away)
{
	struct kmip_stream *first = NULL, *second = NULL;
	pthread_t thread;
	size_t index = 99;
	int64_t began;

	fail_over();
	ck_assert_uint_eq(take_from(&first), 1);
	ck_assert_uint_eq(take_from(&second), 1);
	kmip_connection_put(kmip, &kmip->servers[1], &first);
	kmip_connection_put(kmip, &kmip->servers[1], &second);
	end_pause();
	ck_assert_int_eq(pthread_create(&thread, NULL, take_slowly, &index), 0);
	usleep(100000);
	ck_assert(kmip_server_is_passed_over(kmip, &kmip->servers[0]));
	ck_assert(!kmip_server_is_passed_over(kmip, &kmip->servers[1]));
	began = clock_monotonic_ms();
	ck_assert_uint_eq(take_from(&first), 1);
	ck_assert_int_lt(clock_monotonic_ms() - began, patience(100));
	ck_assert_int_eq(pthread_join(thread, NULL), 0);
	ck_assert_uint_eq(index, 1);
	kmip_connection_put(kmip, &kmip->servers[1], &first);
}
END_TEST

Suite *
unit_suite(void)
{
	Suite *suite = suite_create("kmip-connection");
	TCase *tests = tcase_create("kmip-connection");

	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_set_timeout(tests, 60);
	tcase_add_test(tests, plaintext_does_not_stay_behind);
	tcase_add_test(tests, the_common_name_is_no_host);
	tcase_add_test(tests, one_outage_is_one_pause);
	tcase_add_test(tests, a_full_pool_is_no_dead_server);
	tcase_add_test(tests, a_silent_end_is_noticed);
	tcase_add_test(tests, a_refusal_after_the_handshake_is_told);
	tcase_add_test(tests, a_throttling_server_is_asked_three_times);
	tcase_add_test(tests, a_child_closes_what_is_in_use);
	tcase_add_test(tests, a_child_closes_nothing_but_the_connections);
	tcase_add_test(tests, a_slow_server_gets_back);
	tcase_add_test(tests, one_call_tries_a_server_that_was_away);
	suite_add_tcase(suite, tests);
	return suite;
}
