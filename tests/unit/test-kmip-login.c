/* SPDX-License-Identifier: Apache-2.0 */
/* Who a token is to its KMIP servers: the client's key, the PIN, the password, and their files. */
#include "kmip-fixture.h"

#include "unit.h"

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

/* Servers lock users who try too often. */
START_TEST(a_password_that_is_rejected_is_not_sent_again)
{
	struct config_token *config = &kmip_fixture.config;

	kmip_fixture.username = "job";
	kmip_fixture.password = "secret";
	config->kmip_username = strdup("job");
	config->kmip_password_source = strdup(unit_path("password"));
	write_secret(config->kmip_password_source, "secret");
	reopen();
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

/* One that is changed before it is rejected is read, too. */
START_TEST(a_password_is_read_again_when_it_changes)
{
	struct config_token *config = &kmip_fixture.config;

	kmip_fixture.username = "job";
	kmip_fixture.password = "secret";
	config->kmip_username = strdup("job");
	config->kmip_password_source = strdup(unit_path("password"));
	write_secret(config->kmip_password_source, "secret");
	reopen();
	ck_assert_uint_eq(ping(), CKR_OK);
	write_secret(config->kmip_password_source, "changed");
	kmip_fixture.password = "changed";
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
	tcase_add_test(tests, a_password_is_read_again_when_it_changes);
	suite_add_tcase(suite, tests);
	return suite;
}
