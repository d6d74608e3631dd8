/* SPDX-License-Identifier: Apache-2.0 */
/* kms.h with a KMIP server behind it. */
#include "kmip-calls.h"

#include "unit.h"

#include "base/openssl.h"
#include "base/secret.h"
#include "kms/kmip-login.h"

#include <arpa/inet.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* The surplus must not be taken for the next answer. */
START_TEST(surplus_ends_a_connection)
{
	kmip_fixture.surplus = KMIP_LOCATE;
	ck_assert_uint_eq(try_generate("rsa-2048"), CKR_DEVICE_ERROR);
	ck_assert_uint_eq(kmip_fixture.requests[KMIP_CREATE_KEY_PAIR], 0);
	kmip_fixture.surplus = 0;
	reopen();
	generate("rsa-2048");
}
END_TEST

static void
take(struct kmip *kmip, const struct kmip_login *login, struct kmip_stream **ret_stream)
{
	struct kmip_server *server;
	struct deadline deadline;
	bool reused;

	ck_assert_uint_eq(kmip_connection_take(kmip, login, NULL, soon(), &server, ret_stream, &reused,
	                                       &deadline), CKR_OK);
	ck_assert(!reused);
	ck_assert_ptr_eq(server, kmip->servers);
}

START_TEST(connections_of_another_login_are_not_kept)
{
	struct kms_attempt attempt = { .deadline = soon() };
	struct kmip_login first = { .tls = NULL }, second = { .tls = NULL };
	struct kmip_stream *old = NULL, *new = NULL;
	struct kmip *kmip = NULL;

	ck_assert_uint_eq(kmip_new(&kmip_fixture.config, NULL, &kmip), CKR_OK);
	ck_assert_uint_eq(kmip_login_get(kmip, &attempt, &first), CKR_OK);
	take(kmip, &first, &old);
	usleep(20000);
	kmip_fixture_encrypt_key(NULL); /* the same again, in a new file */
	ck_assert_uint_eq(kmip_login_get(kmip, &attempt, &second), CKR_OK);
	ck_assert_ptr_ne(first.tls, second.tls);
	kmip_connection_put(kmip, kmip->servers, &old);
	ck_assert_uint_eq(kmip->servers->idle_count, 0);
	ck_assert_ptr_null(kmip->servers->session);
	take(kmip, &second, &new);
	kmip_connection_put(kmip, kmip->servers, &new);
	ck_assert_uint_eq(kmip->servers->idle_count, 1);
	/* Nor lent to one. */
	take(kmip, &first, &old);
	kmip_connection_drop(kmip, kmip->servers, &old, false, NULL);
	kmip_login_clear(&first);
	kmip_login_clear(&second);
	kmip_free(&kmip);
}
END_TEST

START_TEST(connections_are_kept_and_resumed)
{
	generate("rsa-2048");
	for (int i = 0; i < 5; i++)
		ck_assert_uint_eq(sign(), CKR_OK);
	ck_assert_uint_eq(kmip_fixture.connections, 1);
	/* Ended while it was idle: nobody notices. */
	kmip_fixture_disconnect();
	usleep(50000);
	ck_assert_uint_eq(sign(), CKR_OK);
	ck_assert_uint_eq(kmip_fixture.connections, 2);
	ck_assert_uint_eq(kmip_fixture.resumed, 1);
	/* Ended when a request comes: the request is made once more. */
	kmip_fixture.hang_up = 1;
	ck_assert_uint_eq(sign(), CKR_OK);
	ck_assert_uint_eq(kmip_fixture.connections, 3);
}
END_TEST

START_TEST(changes_are_not_made_twice)
{
	/* Locate, Get Attributes have none; the pair is made, the answer is lost. */
	kmip_fixture.hang_up = 3; /* Discover Versions, Locate, Create Key Pair */
	ck_assert_uint_eq(try_generate("rsa-2048"), CKR_DEVICE_ERROR);
	ck_assert_uint_eq(kmip_fixture.requests[KMIP_CREATE_KEY_PAIR], 0);
	ck_assert_uint_eq(kmip_fixture.connections, 1);
	generate("rsa-2048");
}
END_TEST

START_TEST(a_server_that_is_gone_and_back)
{
	int64_t began, took;

	generate("rsa-2048");
	kmip_fixture_listen(false);
	kmip_fixture_disconnect();
	for (int i = 0; i < 3; i++)
		ck_assert_uint_eq(sign(), CKR_DEVICE_ERROR);
	began = clock_monotonic_ms();
	ck_assert_uint_eq(sign(), CKR_DEVICE_ERROR); /* the breaker is open */
	ck_assert_int_lt(clock_monotonic_ms() - began, patience(50));
	kmip_fixture_listen(true);
	began = clock_monotonic_ms();
	do {
		usleep(10000);
		took = clock_monotonic_ms() - began;
	} while (sign() != CKR_OK && took < patience(2000));
	ck_assert_int_lt(took, patience(2000));
}
END_TEST

static void
prepend_server(const char *server)
{
	char uri[256];

	snprintf(uri, sizeof uri, "kmip://%s,%s", server,
	         kmip_fixture.config.kms + strlen("kmip://"));
	free(kmip_fixture.config.kms);
	kmip_fixture.config.kms = strdup(uri);
}

START_TEST(another_server_takes_over)
{
	int64_t began;

	/* Nobody listens at the first. */
	prepend_server("127.0.0.1:1");
	reopen();
	generate("rsa-2048");
	ck_assert_uint_eq(sign(), CKR_OK);
	ck_assert_uint_eq(kmip_fixture.connections, 1);

	/* One that swallows everything costs a part of the time, once. */
	prepend_server("192.0.2.1:5696");
	reopen();
	ck_assert_uint_eq(sign(), CKR_OK);
	began = clock_monotonic_ms();
	ck_assert_uint_eq(sign(), CKR_OK);
	ck_assert_int_lt(clock_monotonic_ms() - began, patience(500));
}
END_TEST

/* A first server in front of the fixture's: it takes connections, and never says a word. */
static void
prepend_mute_server(int *ret_listener)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	socklen_t size = sizeof address;
	char server[64];
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	ck_assert_int_eq(bind(listener, (struct sockaddr *)&address, size), 0);
	ck_assert_int_eq(listen(listener, 16), 0);
	ck_assert_int_eq(getsockname(listener, (struct sockaddr *)&address, &size), 0);
	snprintf(server, sizeof server, "127.0.0.1:%d", ntohs(address.sin_port));
	prepend_server(server);
	*ret_listener = listener;
}

START_TEST(a_mute_server_takes_a_part_of_the_deadline)
{
	int64_t began;
	int listener;

	generate("rsa-2048");
	prepend_mute_server(&listener);
	reopen();
	began = clock_monotonic_ms();
	ck_assert_uint_eq(sign(), CKR_OK);
	ck_assert_int_lt(clock_monotonic_ms() - began, patience(3000));
	/* And is passed over for a while. */
	began = clock_monotonic_ms();
	ck_assert_uint_eq(sign(), CKR_OK);
	ck_assert_int_lt(clock_monotonic_ms() - began, patience(500));
	close(listener);
}
END_TEST

struct remarked {
	unsigned facts, lacks, faults;
	char fault[256];
	size_t longest;
};

static void
take_remark(void *context, enum kms_remark remark, const char *server, const char *text)
{
	struct remarked *remarked = context;

	if (strlen(text) > remarked->longest)
		remarked->longest = strlen(text);
	ck_assert_int_eq(strncmp(server, "127.0.0.1:", 10), 0);
	remarked->facts += remark == KMS_FACT;
	remarked->lacks += remark == KMS_LACK;
	remarked->faults += remark == KMS_FAULT;
	if (remark == KMS_FAULT)
		snprintf(remarked->fault, sizeof remarked->fault, "%s", text);
}

START_TEST(reports_each_server)
{
	struct remarked remarked = { 0 };

	/* The fixture tells none of its operations. */
	ck_assert_uint_eq(kms_report(kms, soon(), take_remark, &remarked), CKR_OK);
	ck_assert_uint_eq(remarked.facts, 3);
	ck_assert_uint_eq(remarked.lacks, 9);
	ck_assert_uint_eq(remarked.faults, 0);
	/* Not all of the versions, when there are more than there can be. */
	kmip_fixture.versions = 10000;
	ck_assert_uint_eq(kms_report(kms, soon(), take_remark, &remarked), CKR_OK);
	ck_assert_uint_lt(remarked.longest, 256);
	kmip_fixture.versions = 0;
	remarked = (struct remarked){ 0 };
	prepend_server("127.0.0.1:1");
	reopen();
	ck_assert_uint_eq(kms_report(kms, soon(), take_remark, &remarked), CKR_OK);
	ck_assert_uint_eq(remarked.facts, 3);
	ck_assert_uint_eq(remarked.faults, 1);
	ck_assert_str_eq(remarked.fault, "does not answer: no connection: Connection refused");
	kmip_fixture.reasons[KMIP_QUERY] = KMIP_PERMISSION_DENIED;
	remarked = (struct remarked){ 0 };
	ck_assert_uint_eq(kms_report(kms, soon(), take_remark, &remarked), CKR_OK);
	ck_assert_uint_eq(remarked.facts, 2); /* that it does not say, and its versions */
	ck_assert_uint_eq(remarked.lacks, 0);
	ck_assert_uint_eq(remarked.faults, 1);
	kmip_fixture.reasons[KMIP_QUERY] = KMIP_AUTHENTICATION_NOT_SUCCESSFUL;
	ck_assert_uint_eq(kms_report(kms, soon(), take_remark, &remarked), CKR_DEVICE_ERROR);
	ck_assert_uint_eq(remarked.facts, 2);
	ck_assert_uint_eq(remarked.faults, 3);
}
END_TEST

START_TEST(no_pin_is_needed)
{
	ck_assert(kms_logs_in_itself(kms));
	ck_assert_uint_eq(kms_login(kms, "whatever", 8, soon()), CKR_OK);
	ck_assert_uint_eq(kms_logout(kms, soon()), CKR_OK);
	generate("rsa-2048");
	ck_assert_uint_eq(kmip_fixture.connections, 1);
}
END_TEST

START_TEST(the_pin_opens_the_key)
{
	kmip_fixture_encrypt_key("open sesame");
	reopen();
	ck_assert(!kms_logs_in_itself(kms));
	ck_assert_uint_eq(kms_ping(kms, soon()), CKR_USER_NOT_LOGGED_IN);
	ck_assert_uint_eq(kms_login(kms, "open barley", 11, soon()), CKR_PIN_INCORRECT);
	ck_assert_uint_eq(kms_login(kms, "", 0, soon()), CKR_PIN_INCORRECT);
	ck_assert_uint_eq(kms_ping(kms, soon()), CKR_USER_NOT_LOGGED_IN);
	ck_assert_uint_eq(kmip_fixture.connections, 0);
	ck_assert_uint_eq(kms_login(kms, "open sesame", 11, soon()), CKR_OK);
	ck_assert_uint_eq(kms_ping(kms, soon()), CKR_OK);
	kmip_fixture_disconnect();
	ck_assert_uint_eq(kms_ping(kms, soon()), CKR_OK);
	ck_assert_uint_eq(kms_logout(kms, soon()), CKR_OK);
	ck_assert_uint_eq(kms_ping(kms, soon()), CKR_USER_NOT_LOGGED_IN);
	kmip_fixture_listen(false);
	ck_assert_uint_eq(kms_login(kms, "open sesame", 11, soon()), CKR_DEVICE_ERROR);
	kmip_fixture_listen(true);
}
END_TEST

START_TEST(the_pin_is_the_password)
{
	kmip_fixture.username = "job";
	kmip_fixture.password = "secret";
	ck_assert_uint_eq(kms_ping(kms, soon()), CKR_DEVICE_ERROR); /* the certificate is not enough */
	kmip_fixture.config.kmip_username = strdup("job");
	reopen();
	ck_assert(!kms_logs_in_itself(kms));
	ck_assert_uint_eq(kms_ping(kms, soon()), CKR_USER_NOT_LOGGED_IN);
	ck_assert_uint_eq(kms_login(kms, "wrong", 5, soon()), CKR_PIN_INCORRECT);
	ck_assert_uint_eq(kms_login(kms, "secret", 6, soon()), CKR_OK);
	generate("rsa-2048");
	/* Changed at the server: the PIN is tried once, and no more. */
	kmip_fixture.password = "changed";
	ck_assert_uint_eq(sign(), CKR_USER_NOT_LOGGED_IN);
	kmip_fixture.requests[KMIP_SIGN] = 0;
	kmip_fixture.password = "secret";
	ck_assert_uint_eq(sign(), CKR_USER_NOT_LOGGED_IN);
	ck_assert_uint_eq(kmip_fixture.requests[KMIP_SIGN], 0);
	ck_assert_uint_eq(kms_login(kms, "secret", 6, soon()), CKR_OK);
	ck_assert_uint_eq(sign(), CKR_OK);
}
END_TEST

START_TEST(files_that_change_are_read_again)
{
	ck_assert_uint_eq(kms_ping(kms, soon()), CKR_OK);
	ck_assert_uint_eq(kmip_fixture.connections, 1);
	usleep(20000);
	kmip_fixture_encrypt_key(NULL); /* the same again, in a new file */
	ck_assert_uint_eq(kms_ping(kms, soon()), CKR_OK);
	ck_assert_uint_eq(kmip_fixture.connections, 2);
	ck_assert_int_eq(unlink(kmip_fixture.config.tls_key), 0);
	ck_assert_uint_eq(kms_ping(kms, soon()), CKR_DEVICE_ERROR);
	kmip_fixture_encrypt_key(NULL);
	ck_assert_uint_eq(kms_ping(kms, soon()), CKR_OK);
}
END_TEST

START_TEST(a_child_has_connections_of_its_own)
{
	int status = 0;
	pid_t child;

	generate("rsa-2048");
	ck_assert_uint_eq(sign(), CKR_OK);
	child = fork();
	if (child == 0) {
		kms_forked(kms);
		/* Another program, in which valgrind looks for no leaks: the server's threads are not here. */
		execl(sign() == CKR_OK ? "/bin/true" : "/bin/false", "child", (char *)NULL);
		abort();
	}
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert(WIFEXITED(status));
	ck_assert_int_eq(WEXITSTATUS(status), 0);
	/* The parent's is as it was. */
	ck_assert_uint_eq(sign(), CKR_OK);
	ck_assert_uint_eq(kmip_fixture.connections, 2);
}
END_TEST

static void *
sign_often(void *argument)
{
	unsigned *failed = argument;

	for (int i = 0; i < 20; i++)
		*failed += sign() != CKR_OK;
	return NULL;
}

START_TEST(many_threads_sign)
{
	pthread_t threads[8];
	unsigned failed[8] = { 0 };

	generate("rsa-2048");
	for (size_t i = 0; i < 8; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, sign_often, &failed[i]), 0);
	for (size_t i = 0; i < 8; i++) {
		ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
		ck_assert_uint_eq(failed[i], 0);
	}
	ck_assert_uint_le(kmip_fixture.connections, 9);
}
END_TEST

START_TEST(a_bad_uri_is_refused)
{
	struct kms *bad = NULL;

	free(kmip_fixture.config.kms);
	kmip_fixture.config.kms = strdup("kmip://host/path");
	ck_assert_uint_eq(kms_new(&kmip_fixture.config, &bad), CKR_ARGUMENTS_BAD);
	ck_assert_ptr_null(bad);
}
END_TEST

Suite *
unit_suite(void)
{
	Suite *suite = suite_create("kmip");
	TCase *tests = tcase_create("kmip");

	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_set_timeout(tests, 60);
	tcase_add_test(tests, surplus_ends_a_connection);
	tcase_add_test(tests, connections_of_another_login_are_not_kept);
	tcase_add_test(tests, connections_are_kept_and_resumed);
	tcase_add_test(tests, changes_are_not_made_twice);
	tcase_add_test(tests, a_server_that_is_gone_and_back);
	tcase_add_test(tests, another_server_takes_over);
	tcase_add_test(tests, a_mute_server_takes_a_part_of_the_deadline);
	tcase_add_test(tests, reports_each_server);
	tcase_add_test(tests, no_pin_is_needed);
	tcase_add_test(tests, the_pin_opens_the_key);
	tcase_add_test(tests, the_pin_is_the_password);
	tcase_add_test(tests, files_that_change_are_read_again);
	tcase_add_test(tests, a_child_has_connections_of_its_own);
	tcase_add_test(tests, many_threads_sign);
	tcase_add_test(tests, a_bad_uri_is_refused);
	suite_add_tcase(suite, tests);
	return suite;
}
