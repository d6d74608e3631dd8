/* SPDX-License-Identifier: Apache-2.0 */
/* Who a token is to its KMIP servers: the client's key, the PIN, the password, and their files. */
#include "kmip-fixture.h"

#include "unit.h"

#include "kms/kmip-login.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct kms *kms;

/* As check's timeouts are: valgrind takes its time. */
static struct deadline
soon(void)
{
	const char *multiplier = getenv("CK_TIMEOUT_MULTIPLIER");

	return deadline_in(3000 * (multiplier == NULL ? 1 : atoi(multiplier)));
}

static void
reopen(void)
{
	kms_free(&kms);
	ck_assert_uint_eq(kms_new(&kmip_fixture.config, &kms), CKR_OK);
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
	kms_free(&kms);
	kmip_fixture_stop();
}

static CK_RV
ping(void)
{
	return kms_ping(kms, soon());
}

/* A file is told from the one before by its time, too. */
static void
write_secret(const char *path, const char *content)
{
	FILE *file;

	usleep(20000);
	file = fopen(path, "w");
	ck_assert_ptr_nonnull(file);
	ck_assert_int_ge(fputs(content, file), 0);
	ck_assert_int_eq(fclose(file), 0);
	ck_assert_int_eq(chmod(path, 0600), 0);
}

static void
use_password(const char *password)
{
	struct config_token *config = &kmip_fixture.config;

	kmip_fixture.username = "job";
	kmip_fixture.password = "secret";
	config->kmip_username = strdup("job");
	config->kmip_password_source = strdup(unit_path("password"));
	write_secret(config->kmip_password_source, password);
	reopen();
}

/* Servers lock users who try too often. */
START_TEST(a_password_that_is_rejected_is_not_sent_again)
{
	struct config_token *config = &kmip_fixture.config;

	use_password("secret");
	ck_assert(kms_logs_in_itself(kms));
	ck_assert_uint_eq(ping(), CKR_OK);
	kmip_fixture.password = "changed";
	kmip_fixture.requests[KMIP_QUERY] = 0;
	for (int i = 0; i < 20; i++)
		ck_assert_uint_eq(ping(), CKR_USER_NOT_LOGGED_IN);
	ck_assert_uint_eq(kmip_fixture.requests[KMIP_QUERY], 1);
	/* Another wrong one is tried once, the right one is kept. */
	write_secret(config->kmip_password_source, "chanced");
	ck_assert_uint_eq(ping(), CKR_USER_NOT_LOGGED_IN);
	ck_assert_uint_eq(ping(), CKR_USER_NOT_LOGGED_IN);
	ck_assert_uint_eq(kmip_fixture.requests[KMIP_QUERY], 2);
	write_secret(config->kmip_password_source, "changed");
	ck_assert_uint_eq(ping(), CKR_OK);
	ck_assert_uint_eq(ping(), CKR_OK);
}
END_TEST

static void *
ping_in_vain(void *argument)
{
	(void)argument;
	ck_assert_uint_eq(ping(), CKR_USER_NOT_LOGGED_IN);
	return NULL;
}

/* They connect all at once; the password is proven, or rejected, by one of them. */
START_TEST(many_threads_send_a_wrong_password_once)
{
	pthread_t threads[16];
	size_t count = sizeof threads / sizeof *threads;

	kmip_fixture.handshake_ms = 200;
	if (_i == 0) {
		use_password("wrong");
	} else {
		/* The PIN is the password. */
		kmip_fixture.username = "job";
		kmip_fixture.password = "secret";
		kmip_fixture.config.kmip_username = strdup("job");
		kmip_fixture.config.pin_source = strdup(unit_path("pin"));
		write_secret(kmip_fixture.config.pin_source, "wrong");
		reopen();
	}
	for (size_t i = 0; i < count; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, ping_in_vain, NULL), 0);
	for (size_t i = 0; i < count; i++)
		ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
	ck_assert_uint_eq(kmip_fixture.requests[KMIP_DISCOVER_VERSIONS], 1);
}
END_TEST

/* The server takes its time to refuse the password that was in the file before. */
START_TEST(a_late_refusal_does_not_let_a_newer_password_through)
{
	struct kms_attempt attempt = { .deadline = soon() };
	struct kmip_login late = { .tls = NULL }, newer = { .tls = NULL };
	struct kmip *kmip = NULL;

	use_password("wrong");
	ck_assert_uint_eq(kmip_new(&kmip_fixture.config, NULL, &kmip), CKR_OK);
	ck_assert_uint_eq(kmip_login_get(kmip, &attempt, &late), CKR_OK);
	write_secret(kmip_fixture.config.kmip_password_source, "as wrong");
	ck_assert_uint_eq(kmip_login_get(kmip, &attempt, &newer), CKR_OK);
	ck_assert_uint_eq(kmip_login_rejected(kmip, &newer, "server", NULL), CKR_USER_NOT_LOGGED_IN);
	kmip_login_clear(&newer);
	ck_assert_uint_eq(kmip_login_rejected(kmip, &late, "server", NULL), CKR_USER_NOT_LOGGED_IN);
	kmip_login_clear(&late);
	ck_assert_uint_eq(kmip_login_get(kmip, &attempt, &newer), CKR_USER_NOT_LOGGED_IN);
	write_secret(kmip_fixture.config.kmip_password_source, "secret");
	ck_assert_uint_eq(kmip_login_get(kmip, &attempt, &newer), CKR_OK);
	kmip_login_clear(&newer);
	kmip_free(&kmip);
}
END_TEST

/* One that is changed before it is rejected is read, too. */
START_TEST(a_password_is_read_again_when_it_changes)
{
	struct config_token *config = &kmip_fixture.config;

	use_password("secret");
	ck_assert_uint_eq(ping(), CKR_OK);
	write_secret(config->kmip_password_source, "changed");
	kmip_fixture.password = "changed";
	ck_assert_uint_eq(ping(), CKR_OK);
}
END_TEST

static void
encrypt_key(const char *passphrase)
{
	usleep(20000);
	kmip_fixture_encrypt_key(passphrase);
}

/* In the order in which an administrator may put the two files there. */
START_TEST(a_renewed_key_with_a_new_passphrase)
{
	struct config_token *config = &kmip_fixture.config;

	config->pin_source = strdup(unit_path("pin"));
	write_secret(config->pin_source, "first");
	encrypt_key("first");
	reopen();
	ck_assert_uint_eq(ping(), CKR_OK);
	write_secret(config->pin_source, "second");
	encrypt_key("second");
	ck_assert_uint_eq(ping(), CKR_OK);
	encrypt_key("third");
	ck_assert_uint_eq(ping(), CKR_USER_NOT_LOGGED_IN);
	ck_assert_uint_eq(ping(), CKR_USER_NOT_LOGGED_IN);
	write_secret(config->pin_source, "third");
	ck_assert_uint_eq(ping(), CKR_OK);
}
END_TEST

START_TEST(an_old_passphrase_is_forgotten)
{
	encrypt_key("first");
	reopen();
	ck_assert_uint_eq(kms_login(kms, "first", 5, soon()), CKR_OK);
	encrypt_key("second");
	ck_assert_uint_eq(ping(), CKR_USER_NOT_LOGGED_IN);
	ck_assert_uint_eq(kms_login(kms, "second", 6, soon()), CKR_OK);
	ck_assert_uint_eq(ping(), CKR_OK);
	/* The first is not tried any more. */
	ck_assert_uint_eq(kms_logout(kms, soon()), CKR_OK);
	encrypt_key("first");
	ck_assert_uint_eq(ping(), CKR_USER_NOT_LOGGED_IN);
}
END_TEST

START_TEST(a_pin_is_kept_if_it_is_to_be)
{
	encrypt_key("sesame");
	for (int keep = 0; keep < 2; keep++) {
		kmip_fixture.config.keep_pin = keep == 1;
		reopen();
		ck_assert_uint_eq(kms_login(kms, "sesame", 6, soon()), CKR_OK);
		/* What it opened is still open. */
		kmip_fixture_disconnect();
		ck_assert_uint_eq(ping(), CKR_OK);
		encrypt_key("sesame");
		ck_assert_uint_eq(ping(), keep == 1 ? CKR_OK : CKR_USER_NOT_LOGGED_IN);
	}
	/* A password goes with each request, so it stays while we are logged in. */
	kmip_fixture.config.keep_pin = false;
	kmip_fixture.config.kmip_username = strdup("job");
	kmip_fixture.username = "job";
	kmip_fixture.password = "sesame";
	reopen();
	ck_assert_uint_eq(kms_login(kms, "sesame", 6, soon()), CKR_OK);
	encrypt_key(NULL);
	ck_assert_uint_eq(ping(), CKR_OK);
	ck_assert_uint_eq(kms_logout(kms, soon()), CKR_OK);
	ck_assert_uint_eq(ping(), CKR_USER_NOT_LOGGED_IN);
}
END_TEST

START_TEST(a_missing_key_is_no_open_one)
{
	ck_assert_int_eq(unlink(kmip_fixture.config.tls_key), 0);
	reopen();
	/* The log names the file. Nobody is asked for a PIN that may not be needed. */
	ck_assert(kms_logs_in_itself(kms));
	ck_assert_uint_eq(kms_login(kms, "whatever", 8, soon()), CKR_DEVICE_ERROR);
	ck_assert_uint_eq(ping(), CKR_DEVICE_ERROR);
	encrypt_key("sesame");
	ck_assert_uint_eq(ping(), CKR_USER_NOT_LOGGED_IN);
	ck_assert_uint_eq(kms_login(kms, "whatever", 8, soon()), CKR_PIN_INCORRECT);
	ck_assert_uint_eq(kms_login(kms, "sesame", 6, soon()), CKR_OK);
	ck_assert_uint_eq(ping(), CKR_OK);
}
END_TEST

START_TEST(the_key_decides_who_must_log_in)
{
	ck_assert(kms_logs_in_itself(kms));
	ck_assert_uint_eq(ping(), CKR_OK);
	encrypt_key("sesame");
	ck_assert(!kms_logs_in_itself(kms));
	ck_assert_uint_eq(kms_login(kms, "whatever", 8, soon()), CKR_PIN_INCORRECT);
	ck_assert_uint_eq(ping(), CKR_USER_NOT_LOGGED_IN);
	ck_assert_uint_eq(kms_login(kms, "sesame", 6, soon()), CKR_OK);
	ck_assert_uint_eq(ping(), CKR_OK);
	/* While it is being replaced it is what it was. */
	ck_assert_int_eq(truncate(kmip_fixture.config.tls_key, 10), 0);
	ck_assert(!kms_logs_in_itself(kms));
	encrypt_key(NULL);
	ck_assert(kms_logs_in_itself(kms));
	ck_assert_uint_eq(kms_logout(kms, soon()), CKR_OK);
	ck_assert_uint_eq(ping(), CKR_OK);
	ck_assert_int_eq(unlink(kmip_fixture.config.tls_key), 0);
	ck_assert(kms_logs_in_itself(kms));
	ck_assert_uint_eq(ping(), CKR_DEVICE_ERROR);
}
END_TEST

/* It is told here: a server may tell by silence. A connection that is kept ends with it. */
START_TEST(a_certificate_that_expires_meanwhile)
{
	unsigned queries;

	usleep(20000);
	kmip_fixture_certify_client(2);
	ck_assert_uint_eq(ping(), CKR_OK);
	sleep(3);
	queries = kmip_fixture.requests[KMIP_QUERY];
	ck_assert_uint_eq(ping(), CKR_DEVICE_ERROR);
	ck_assert_uint_eq(kmip_fixture.requests[KMIP_QUERY], queries);
	kmip_fixture_certify_client(3600);
	ck_assert_uint_eq(ping(), CKR_OK);
}
END_TEST

/* The PIN is right, it opens the key; what is wrong is the administrator's to mend. */
START_TEST(a_login_sends_no_rejected_password)
{
	struct config_token *config = &kmip_fixture.config;

	kmip_fixture.username = "job";
	kmip_fixture.password = "secret";
	config->kmip_username = strdup("job");
	config->kmip_password_source = strdup(unit_path("password"));
	write_secret(config->kmip_password_source, "wrong");
	encrypt_key("sesame");
	reopen();
	for (int i = 0; i < 5; i++)
		ck_assert_uint_eq(kms_login(kms, "sesame", 6, soon()), CKR_DEVICE_ERROR);
	ck_assert_uint_eq(kmip_fixture.requests[KMIP_DISCOVER_VERSIONS], 1);
	write_secret(config->kmip_password_source, "secret");
	ck_assert_uint_eq(kms_login(kms, "sesame", 6, soon()), CKR_OK);
	ck_assert_uint_eq(ping(), CKR_OK);
}
END_TEST

Suite *
unit_suite(void)
{
	Suite *suite = suite_create("kmip-login");
	TCase *tests = tcase_create("kmip-login");

	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_set_timeout(tests, 60);
	tcase_add_test(tests, a_password_that_is_rejected_is_not_sent_again);
	tcase_add_loop_test(tests, many_threads_send_a_wrong_password_once, 0, 2);
	tcase_add_test(tests, a_late_refusal_does_not_let_a_newer_password_through);
	tcase_add_test(tests, a_password_is_read_again_when_it_changes);
	tcase_add_test(tests, a_renewed_key_with_a_new_passphrase);
	tcase_add_test(tests, an_old_passphrase_is_forgotten);
	tcase_add_test(tests, a_pin_is_kept_if_it_is_to_be);
	tcase_add_test(tests, a_missing_key_is_no_open_one);
	tcase_add_test(tests, the_key_decides_who_must_log_in);
	tcase_add_test(tests, a_certificate_that_expires_meanwhile);
	tcase_add_test(tests, a_login_sends_no_rejected_password);
	suite_add_tcase(suite, tests);
	return suite;
}
