/* SPDX-License-Identifier: Apache-2.0 */
/* Login to the KMS: by a pin-source, by kms_login, and what becomes of a wrong PIN. */
#include "kms-fixture.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define WRONG "9999"
#define NEW "777777"

static unsigned logins;
static CK_RV login_answer;

static CK_RV
counting_login(CK_SESSION_HANDLE session, CK_USER_TYPE user, CK_UTF8CHAR *pin, CK_ULONG size)
{
	logins++;
	if (login_answer != CKR_OK)
		return login_answer;
	return softhsm_original.C_Login(session, user, pin, size);
}

static void
setup(void)
{
	kms_setup();
	kms_generate("p-256");
	kms_reopen(true);
	softhsm_functions()->C_Login = counting_login;
	logins = 0;
	login_answer = CKR_OK;
}

static CK_RV
login(const char *pin)
{
	return kms_login(kms, pin, strlen(pin), soon());
}

/* The login goes, as when the HSM restarts. */
static void
lose_login(void)
{
	CK_FUNCTION_LIST *functions = softhsm_functions();
	CK_SESSION_HANDLE session;

	ck_assert_uint_eq(functions->C_OpenSession(softhsm_slot(SOFTHSM_LABEL), CKF_SERIAL_SESSION,
	                                           NULL, NULL, &session),
	                  CKR_OK);
	ck_assert_uint_eq(functions->C_Logout(session), CKR_OK);
	ck_assert_uint_eq(functions->C_CloseSession(session), CKR_OK);
}

static void
change_pin(const char *from, const char *to)
{
	CK_FUNCTION_LIST *functions = softhsm_functions();
	CK_SESSION_HANDLE session;

	ck_assert_uint_eq(functions->C_OpenSession(softhsm_slot(SOFTHSM_LABEL),
	                                           CKF_SERIAL_SESSION | CKF_RW_SESSION, NULL, NULL,
	                                           &session),
	                  CKR_OK);
	ck_assert_uint_eq(functions->C_SetPIN(session, (CK_UTF8CHAR *)from, strlen(from),
	                                      (CK_UTF8CHAR *)to, strlen(to)),
	                  CKR_OK);
	ck_assert_uint_eq(functions->C_CloseSession(session), CKR_OK);
}

START_TEST(logs_in_once_by_itself)
{
	struct kms_key key = KMS_KEY;

	ck_assert(kms_logs_in_itself(kms));
	ck_assert_uint_eq(sign_p256(kms, &key), CKR_OK);
	ck_assert_uint_eq(sign_p256(kms, &key), CKR_OK);
	ck_assert_uint_eq(logins, 1);
}
END_TEST

START_TEST(compares_the_pin_without_asking_the_hsm)
{
	ck_assert_uint_eq(login(SOFTHSM_PIN), CKR_OK);
	ck_assert_uint_eq(login(WRONG), CKR_PIN_INCORRECT);
	ck_assert_uint_eq(login(""), CKR_PIN_INCORRECT);
	ck_assert_uint_eq(logins, 0);
	/* And there is nothing to log out of. */
	ck_assert_uint_eq(kms_ping(kms, soon()), CKR_OK);
	ck_assert_uint_eq(kms_logout(kms, soon()), CKR_OK);
	ck_assert_uint_eq(kms_ping(kms, soon()), CKR_OK);
	ck_assert_uint_eq(logins, 1);
}
END_TEST

START_TEST(never_tries_a_rejected_pin_again)
{
	struct kms_description description;
	int i;

	write_pin(WRONG);
	for (i = 0; i < 5; i++)
		ck_assert_uint_eq(kms_ping(kms, soon()), CKR_USER_NOT_LOGGED_IN);
	ck_assert_uint_eq(logins, 1);
	/* It is the PIN that is wrong, not the HSM. */
	ck_assert_uint_eq(kms_describe(kms, soon(), &description), CKR_OK);
	kms_description_clear(&description);
	write_pin(SOFTHSM_PIN);
	ck_assert_uint_eq(kms_ping(kms, soon()), CKR_OK);
	ck_assert_uint_eq(logins, 2);
}
END_TEST

START_TEST(reports_a_pin_file_that_is_no_good)
{
	ck_assert_int_eq(chmod(softhsm_path("pin"), 0644), 0);
	ck_assert_uint_eq(kms_ping(kms, soon()), CKR_USER_NOT_LOGGED_IN);
	ck_assert_uint_eq(login(SOFTHSM_PIN), CKR_USER_NOT_LOGGED_IN);
	ck_assert_int_eq(unlink(softhsm_path("pin")), 0);
	ck_assert_uint_eq(kms_ping(kms, soon()), CKR_USER_NOT_LOGGED_IN);
	ck_assert_uint_eq(logins, 0);
	write_pin(SOFTHSM_PIN);
	ck_assert_uint_eq(kms_ping(kms, soon()), CKR_OK);
}
END_TEST

/* The program itself is logged in: no PIN is looked at, and so none is kept. */
START_TEST(keeps_no_pin_that_nobody_looked_at)
{
	CK_FUNCTION_LIST *functions = softhsm_functions();
	CK_SESSION_HANDLE session;

	kms_reopen(false);
	ck_assert_uint_eq(kms_ping(kms, soon()), CKR_USER_NOT_LOGGED_IN);
	ck_assert_uint_eq(functions->C_OpenSession(softhsm_slot(SOFTHSM_LABEL), CKF_SERIAL_SESSION,
	                                           NULL, NULL, &session),
	                  CKR_OK);
	ck_assert_uint_eq(softhsm_original.C_Login(session, CKU_USER, (CK_UTF8CHAR *)SOFTHSM_PIN,
	                                           strlen(SOFTHSM_PIN)),
	                  CKR_OK);
	ck_assert_uint_eq(login(WRONG), CKR_OK);
	ck_assert_uint_eq(kms_ping(kms, soon()), CKR_OK);
	ck_assert_uint_eq(logins, 1);
	ck_assert_uint_eq(functions->C_Logout(session), CKR_OK);
	ck_assert_uint_eq(kms_ping(kms, soon()), CKR_USER_NOT_LOGGED_IN);
	ck_assert_uint_eq(logins, 1);
	ck_assert_uint_eq(login(WRONG), CKR_PIN_INCORRECT);
	ck_assert_uint_eq(login(SOFTHSM_PIN), CKR_OK);
	ck_assert_uint_eq(kms_ping(kms, soon()), CKR_OK);
}
END_TEST

START_TEST(needs_a_login_without_a_source)
{
	struct kms_key key = KMS_KEY;
	struct buffer spki = BUFFER_INIT;

	kms_reopen(false);
	ck_assert(!kms_logs_in_itself(kms));
	ck_assert_uint_eq(sign_p256(kms, &key), CKR_USER_NOT_LOGGED_IN);
	ck_assert_uint_eq(kms_ping(kms, soon()), CKR_USER_NOT_LOGGED_IN);
	/* Public halves can be read. */
	ck_assert_uint_eq(kms_public_key(kms, kms_id, KMS_ID_SIZE, soon(), &spki), CKR_OK);
	buffer_clear(&spki);
	ck_assert_uint_eq(login(SOFTHSM_PIN), CKR_OK);
	ck_assert_uint_eq(sign_p256(kms, &key), CKR_OK);
	ck_assert_uint_eq(kms_logout(kms, soon()), CKR_OK);
	ck_assert_uint_eq(sign_p256(kms, &key), CKR_USER_NOT_LOGGED_IN);
	ck_assert_uint_eq(login(SOFTHSM_PIN), CKR_OK);
	ck_assert_uint_eq(sign_p256(kms, &key), CKR_OK);
}
END_TEST

START_TEST(logging_out_ends_the_login_at_the_hsm)
{
	CK_FUNCTION_LIST *functions = softhsm_functions();
	CK_SESSION_HANDLE session;
	CK_SESSION_INFO info;

	kms_reopen(false);
	ck_assert_uint_eq(login(SOFTHSM_PIN), CKR_OK);
	ck_assert_uint_eq(functions->C_OpenSession(softhsm_slot(SOFTHSM_LABEL), CKF_SERIAL_SESSION,
	                                           NULL, NULL, &session),
	                  CKR_OK);
	ck_assert_uint_eq(functions->C_GetSessionInfo(session, &info), CKR_OK);
	ck_assert_uint_eq(info.state, CKS_RO_USER_FUNCTIONS);
	ck_assert_uint_eq(kms_logout(kms, soon()), CKR_OK);
	ck_assert_uint_eq(functions->C_GetSessionInfo(session, &info), CKR_OK);
	ck_assert_uint_eq(info.state, CKS_RO_PUBLIC_SESSION);
}
END_TEST

/* shows C_Login, C_LoginUser: CKR_PIN_LOCKED, CKR_PIN_LEN_RANGE, CKR_PIN_EXPIRED: it returns what this does. */
START_TEST(passes_on_what_the_hsm_says_of_a_pin)
{
	static const CK_RV codes[] = { CKR_PIN_LOCKED, CKR_PIN_LEN_RANGE, CKR_PIN_EXPIRED };
	int i;

	kms_reopen(false);
	for (i = 0; i < 4; i++)
		ck_assert_uint_eq(login(WRONG), CKR_PIN_INCORRECT);
	ck_assert_uint_eq(logins, 4);
	for (i = 0; i < 3; i++) {
		login_answer = codes[i];
		ck_assert_uint_eq(login(WRONG), codes[i]);
	}
	login_answer = CKR_OK;
	ck_assert_uint_eq(login(SOFTHSM_PIN), CKR_OK);
	/* What was wrong is not kept. */
	lose_login();
	ck_assert_uint_eq(kms_ping(kms, soon()), CKR_OK);
}
END_TEST

START_TEST(logs_in_again_with_the_kept_pin)
{
	struct kms_key key = KMS_KEY;

	kms_reopen(false);
	ck_assert_uint_eq(login(SOFTHSM_PIN), CKR_OK);
	ck_assert_uint_eq(sign_p256(kms, &key), CKR_OK);
	lose_login();
	ck_assert_uint_eq(sign_p256(kms, &key), CKR_OK);
	ck_assert_uint_eq(logins, 2);
}
END_TEST

START_TEST(keeps_no_pin_when_told_so)
{
	struct kms_key key = KMS_KEY;

	kms_config.keep_pin = false;
	kms_reopen(false);
	ck_assert_uint_eq(login(SOFTHSM_PIN), CKR_OK);
	ck_assert_uint_eq(sign_p256(kms, &key), CKR_OK);
	lose_login();
	ck_assert_uint_eq(sign_p256(kms, &key), CKR_USER_NOT_LOGGED_IN);
	ck_assert_uint_eq(logins, 1);
	ck_assert_uint_eq(login(SOFTHSM_PIN), CKR_OK);
	ck_assert_uint_eq(sign_p256(kms, &key), CKR_OK);
}
END_TEST

START_TEST(latches_a_kept_pin_that_was_changed_at_the_hsm)
{
	struct kms_key key = KMS_KEY;
	int i;

	kms_reopen(false);
	ck_assert_uint_eq(login(SOFTHSM_PIN), CKR_OK);
	change_pin(SOFTHSM_PIN, NEW);
	lose_login();
	for (i = 0; i < 4; i++)
		ck_assert_uint_eq(sign_p256(kms, &key), CKR_USER_NOT_LOGGED_IN);
	ck_assert_uint_eq(logins, 2);
	ck_assert_uint_eq(login(NEW), CKR_OK);
	ck_assert_uint_eq(sign_p256(kms, &key), CKR_OK);
}
END_TEST

START_TEST(never_blames_the_pin_while_the_hsm_is_down)
{
	kms_reopen(false);
	ck_assert_uint_eq(login(SOFTHSM_PIN), CKR_OK);
	lose_login();
	/* An HSM that is gone may well say that the PIN is wrong. */
	login_answer = CKR_PIN_INCORRECT;
	softhsm_unplug();
	ck_assert_uint_eq(kms_ping(kms, soon()), CKR_DEVICE_ERROR);
	ck_assert_uint_eq(login(WRONG), CKR_DEVICE_ERROR);
	softhsm_plug();
	login_answer = CKR_OK;
	/* And the kept PIN was not held to be rejected. */
	usleep(1100000);
	ck_assert_uint_eq(kms_ping(kms, soon()), CKR_OK);
}
END_TEST

START_TEST(does_not_compare_with_a_login_that_failed)
{
	login_answer = CKR_FUNCTION_FAILED;
	ck_assert_uint_eq(kms_ping(kms, soon()), CKR_DEVICE_ERROR);
	ck_assert_uint_eq(kms_device_error(kms), CKR_FUNCTION_FAILED);
	login_answer = CKR_OK;
	ck_assert_uint_eq(kms_ping(kms, soon()), CKR_OK);
}
END_TEST

static CK_RV set_pin_answer;
static unsigned pins_set;

static CK_RV
counting_set_pin(CK_SESSION_HANDLE session, CK_UTF8CHAR *from, CK_ULONG from_size, CK_UTF8CHAR *to,
                 CK_ULONG to_size)
{
	pins_set++;
	if (set_pin_answer != CKR_OK)
		return set_pin_answer;
	return softhsm_original.C_SetPIN(session, from, from_size, to, to_size);
}

static CK_RV
set_pin(const char *from, const char *to)
{
	return kms_set_pin(kms, from, strlen(from), to, strlen(to), soon());
}

START_TEST(sets_the_pin_and_keeps_the_new_one)
{
	struct kms_key key = KMS_KEY;

	kms_reopen(false);
	ck_assert_uint_eq(login(SOFTHSM_PIN), CKR_OK);
	ck_assert_uint_eq(set_pin(WRONG, NEW), CKR_PIN_INCORRECT);
	ck_assert_uint_eq(set_pin(SOFTHSM_PIN, ""), CKR_PIN_LEN_RANGE);
	ck_assert_uint_eq(set_pin(SOFTHSM_PIN, NEW), CKR_OK);
	lose_login();
	ck_assert_uint_eq(sign_p256(kms, &key), CKR_OK);
	ck_assert_uint_eq(kms_logout(kms, soon()), CKR_OK);
	ck_assert_uint_eq(login(SOFTHSM_PIN), CKR_PIN_INCORRECT);
	ck_assert_uint_eq(login(NEW), CKR_OK);
}
END_TEST

START_TEST(sets_the_pin_of_one_who_is_not_logged_in)
{
	kms_reopen(false);
	ck_assert_uint_eq(set_pin(SOFTHSM_PIN, NEW), CKR_OK);
	/* And is not logged in by that. */
	ck_assert_uint_eq(kms_ping(kms, soon()), CKR_USER_NOT_LOGGED_IN);
	ck_assert_uint_eq(login(NEW), CKR_OK);
}
END_TEST

/*
 * Once, whatever the answer: each try may count as a wrong PIN.
 * shows C_SetPIN: CKR_PIN_LOCKED, CKR_PIN_INVALID, CKR_DEVICE_ERROR: it returns what this does.
 */
START_TEST(passes_on_what_the_hsm_says_of_a_new_pin)
{
	static const struct {
		CK_RV said, told;
	} codes[] = {
		{ CKR_PIN_LOCKED, CKR_PIN_LOCKED },
		{ CKR_PIN_INVALID, CKR_PIN_INVALID },
		{ CKR_SESSION_READ_ONLY, CKR_TOKEN_WRITE_PROTECTED },
		{ CKR_DEVICE_ERROR, CKR_DEVICE_ERROR },
	};
	size_t i;

	kms_reopen(false);
	softhsm_functions()->C_SetPIN = counting_set_pin;
	for (i = 0; i < sizeof codes / sizeof *codes; i++) {
		pins_set = 0;
		set_pin_answer = codes[i].said;
		ck_assert_uint_eq(set_pin(SOFTHSM_PIN, NEW), codes[i].told);
		ck_assert_uint_eq(pins_set, 1);
	}
	set_pin_answer = CKR_PIN_INCORRECT;
	softhsm_unplug();
	ck_assert_uint_eq(set_pin(SOFTHSM_PIN, NEW), CKR_DEVICE_ERROR);
	softhsm_plug();
}
END_TEST

START_TEST(leaves_the_pin_of_a_source_alone)
{
	softhsm_functions()->C_SetPIN = counting_set_pin;
	pins_set = 0;
	ck_assert_uint_eq(set_pin(SOFTHSM_PIN, NEW), CKR_FUNCTION_NOT_SUPPORTED);
	ck_assert_uint_eq(pins_set, 0);
	ck_assert_uint_eq(kms_ping(kms, soon()), CKR_OK);
}
END_TEST

Suite *
unit_suite(void)
{
	Suite *suite = suite_create("kms login");
	TCase *tcase = tcase_create("hsm");

	tcase_add_checked_fixture(tcase, setup, kms_teardown);
	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, logs_in_once_by_itself);
	tcase_add_test(tcase, compares_the_pin_without_asking_the_hsm);
	tcase_add_test(tcase, never_tries_a_rejected_pin_again);
	tcase_add_test(tcase, reports_a_pin_file_that_is_no_good);
	tcase_add_test(tcase, keeps_no_pin_that_nobody_looked_at);
	tcase_add_test(tcase, needs_a_login_without_a_source);
	tcase_add_test(tcase, logging_out_ends_the_login_at_the_hsm);
	tcase_add_test(tcase, passes_on_what_the_hsm_says_of_a_pin);
	tcase_add_test(tcase, logs_in_again_with_the_kept_pin);
	tcase_add_test(tcase, keeps_no_pin_when_told_so);
	tcase_add_test(tcase, latches_a_kept_pin_that_was_changed_at_the_hsm);
	tcase_add_test(tcase, never_blames_the_pin_while_the_hsm_is_down);
	tcase_add_test(tcase, does_not_compare_with_a_login_that_failed);
	tcase_add_test(tcase, sets_the_pin_and_keeps_the_new_one);
	tcase_add_test(tcase, sets_the_pin_of_one_who_is_not_logged_in);
	tcase_add_test(tcase, passes_on_what_the_hsm_says_of_a_new_pin);
	tcase_add_test(tcase, leaves_the_pin_of_a_source_alone);
	suite_add_tcase(suite, tcase);
	return suite;
}
