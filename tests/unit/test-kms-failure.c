/* SPDX-License-Identifier: Apache-2.0 */
/* What a kms does when the HSM fails: it says so, quickly, and works again by itself. */
#include "kms-fixture.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* Faults put into SoftHSM's function list: what is answered, and how often. */
static CK_RV fault;
static unsigned faults_left;
static unsigned calls;

static bool
strikes(void)
{
	calls++;
	if (faults_left == 0)
		return false;
	faults_left--;
	return true;
}

static CK_RV
faulty_sign_init(CK_SESSION_HANDLE session, CK_MECHANISM *mechanism, CK_OBJECT_HANDLE key)
{
	return strikes() ? fault : softhsm_original.C_SignInit(session, mechanism, key);
}

static CK_RV
faulty_sign(CK_SESSION_HANDLE session, CK_BYTE *data, CK_ULONG size, CK_BYTE *signature,
            CK_ULONG *signature_size)
{
	CK_RV rv;

	rv = softhsm_original.C_Sign(session, data, size, signature, signature_size);
	return strikes() ? fault : rv;
}

static CK_RV
faulty_open_session(CK_SLOT_ID slot, CK_FLAGS flags, void *application, CK_NOTIFY notify,
                    CK_SESSION_HANDLE *session)
{
	return strikes() ? fault :
	                   softhsm_original.C_OpenSession(slot, flags, application, notify, session);
}

static CK_RV
faulty_generate(CK_SESSION_HANDLE session, CK_MECHANISM *mechanism, CK_ATTRIBUTE *public,
                CK_ULONG public_count, CK_ATTRIBUTE *private, CK_ULONG private_count,
                CK_OBJECT_HANDLE *public_key, CK_OBJECT_HANDLE *private_key)
{
	return strikes() ? fault :
	                   softhsm_original.C_GenerateKeyPair(session, mechanism, public,
	                                                      public_count, private, private_count,
	                                                      public_key, private_key);
}

static CK_RV
faulty_destroy(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object)
{
	return strikes() ? fault : softhsm_original.C_DestroyObject(session, object);
}

static CK_RV
faulty_token_info(CK_SLOT_ID slot, CK_TOKEN_INFO *info)
{
	return strikes() ? fault : softhsm_original.C_GetTokenInfo(slot, info);
}

static CK_RV
faulty_find(CK_SESSION_HANDLE session, CK_ATTRIBUTE *template, CK_ULONG count)
{
	return strikes() ? fault : softhsm_original.C_FindObjectsInit(session, template, count);
}

static void
strike(CK_RV rv, unsigned times)
{
	fault = rv;
	faults_left = times;
	calls = 0;
}

static void
expect_down(struct kms *with, struct kms_key *key)
{
	int64_t start = clock_monotonic_ms();

	ck_assert_uint_eq(sign_p256(with, key), CKR_DEVICE_ERROR);
	ck_assert_int_lt(clock_monotonic_ms() - start, 500);
}

START_TEST(recovers_when_the_token_is_back)
{
	struct kms_key key = KMS_KEY;
	int64_t start;
	int i;

	kms_generate("p-256");
	ck_assert_uint_eq(sign_p256(kms, &key), CKR_OK);
	softhsm_unplug();
	for (i = 0; i < 5; i++)
		expect_down(kms, &key);
	ck_assert_uint_ne(kms_device_error(kms), CKR_OK);
	/* The breaker is open by now. */
	start = clock_monotonic_ms();
	ck_assert_uint_eq(sign_p256(kms, &key), CKR_DEVICE_ERROR);
	ck_assert_int_lt(clock_monotonic_ms() - start, 50);
	softhsm_plug();
	sign_within_2s(kms, &key);
}
END_TEST

START_TEST(everything_fails_while_the_token_is_gone)
{
	struct kms_description description;
	struct kms_key key = KMS_KEY;
	struct buffer spki = BUFFER_INIT;
	struct kms *other;

	kms_generate("p-256");
	ck_assert_uint_eq(sign_p256(kms, &key), CKR_OK);
	softhsm_unplug();
	/* "None there" would be a lie, and success a worse one. */
	switch (_i) {
	case 0:
		ck_assert_uint_eq(kms_destroy_pair(kms, kms_id, KMS_ID_SIZE, soon()),
		                  CKR_DEVICE_ERROR);
		break;
	case 1:
		ck_assert_uint_eq(kms_public_key(kms, kms_id, KMS_ID_SIZE, soon(), &spki),
		                  CKR_DEVICE_ERROR);
		break;
	case 2:
		ck_assert_uint_eq(kms_walk(kms, soon(), NULL, NULL), CKR_DEVICE_ERROR);
		break;
	case 3:
		ck_assert_uint_eq(kms_ping(kms, soon()), CKR_DEVICE_ERROR);
		break;
	case 4:
		ck_assert_uint_eq(kms_describe(kms, soon(), &description), CKR_DEVICE_ERROR);
		break;
	case 5:
		ck_assert_uint_eq(kms_try_generate("p-256", &spki), CKR_DEVICE_ERROR);
		break;
	case 6:
		other = kms_open_other(SOFTHSM_LABEL);
		ck_assert_uint_eq(kms_describe(other, soon(), &description), CKR_DEVICE_ERROR);
		kms_free(&other);
		break;
	}
	softhsm_plug();
	sign_within_2s(kms, &key);
}
END_TEST

START_TEST(recovers_when_it_started_without_the_token)
{
	struct kms_key key = KMS_KEY;
	int i;

	kms_generate("p-256");
	kms_reopen(true);
	softhsm_unplug();
	for (i = 0; i < 5; i++)
		expect_down(kms, &key);
	softhsm_plug();
	sign_within_2s(kms, &key);
}
END_TEST

START_TEST(one_token_gone_leaves_the_other_working)
{
	struct kms_key key = KMS_KEY, other_key = KMS_KEY;
	char there[512], away[512];
	struct kms *other;
	int64_t end;

	softhsm_add_token("other");
	other = kms_open_other("other");
	kms_generate("p-256");
	ck_assert_uint_eq(sign_p256(kms, &key), CKR_OK);
	ck_assert_uint_eq(sign_p256(other, &other_key), CKR_KEY_HANDLE_INVALID);
	/* The folder of the first token: the other has no objects, so it has fewer files. */
	ck_assert_int_eq(system("cd \"$(dirname \"$SOFTHSM2_CONF\")\" && for t in tokens/*; do "
	                        "[ $(ls $t | wc -l) -gt 4 ] && mv $t away; done; [ -d away ]"),
	                 0);
	end = clock_monotonic_ms() + 2500;
	while (clock_monotonic_ms() < end) {
		ck_assert_uint_eq(sign_p256(kms, &key), CKR_DEVICE_ERROR);
		ck_assert_uint_eq(sign_p256(other, &other_key), CKR_KEY_HANDLE_INVALID);
		usleep(20000);
	}
	snprintf(away, sizeof away, "%s", softhsm_path("away"));
	snprintf(there, sizeof there, "%s", softhsm_path("tokens/back"));
	ck_assert_int_eq(rename(away, there), 0);
	sign_within_2s(kms, &key);
	ck_assert_uint_eq(sign_p256(other, &other_key), CKR_KEY_HANDLE_INVALID);
	kms_free(&other);
}
END_TEST

START_TEST(sees_what_another_process_makes)
{
	struct kms_key key = KMS_KEY;
	int status;
	pid_t pid;

	ck_assert_uint_eq(sign_p256(kms, &key), CKR_KEY_HANDLE_INVALID);
	pid = fork();
	if (pid == 0) {
		/* A process that starts afresh. */
		(void)!freopen("/dev/null", "w", stdout);
		execlp("pkcs11-tool", "pkcs11-tool", "--module", softhsm_module(), "--token-label",
		       SOFTHSM_LABEL, "--login", "--pin", SOFTHSM_PIN, "--keypairgen", "--key-type",
		       "EC:prime256v1", "--usage-sign", "--id", "0a0b0c", (char *)NULL);
		_exit(127);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
		return; /* OpenSC is not there to do it */
	ck_assert_int_eq(status, 0);
	ck_assert_uint_eq(sign_p256(kms, &key), CKR_OK);
}
END_TEST

static const CK_RV lost[] = {
	CKR_SESSION_HANDLE_INVALID, CKR_SESSION_CLOSED,         CKR_USER_NOT_LOGGED_IN,
	CKR_DEVICE_REMOVED,         CKR_TOKEN_NOT_PRESENT,      CKR_DEVICE_ERROR,
	CKR_KEY_HANDLE_INVALID,     CKR_OBJECT_HANDLE_INVALID,
};

START_TEST(hides_a_loss)
{
	struct kms_key key = KMS_KEY;

	kms_generate("p-256");
	softhsm_functions()->C_SignInit = faulty_sign_init;
	strike(lost[_i], 1);
	ck_assert_uint_eq(sign_p256(kms, &key), CKR_OK);
	ck_assert_uint_eq(calls, 2);
	/* And with all that is pooled and cached. */
	strike(lost[_i], 1);
	ck_assert_uint_eq(sign_p256(kms, &key), CKR_OK);
}
END_TEST

static bool
describes_montgomery(void)
{
	struct kms_description description;
	bool offered = false;

	ck_assert_uint_eq(kms_describe(kms, soon(), &description), CKR_OK);
	for (size_t i = 0; i < description.primitive_count; i++)
		offered |= description.primitives[i] == CKM_EC_MONTGOMERY_KEY_PAIR_GEN;
	kms_description_clear(&description);
	return offered;
}

/* What is described is written down: a loss must not look like what the HSM can't do. */
START_TEST(a_loss_while_it_is_described_is_hidden)
{
	static const CK_RV codes[] = {
		CKR_SESSION_HANDLE_INVALID, CKR_SESSION_CLOSED, CKR_DEVICE_REMOVED, CKR_DEVICE_ERROR,
		CKR_TOKEN_NOT_PRESENT, CKR_DEVICE_MEMORY,
	};

	if (!describes_montgomery())
		return; /* this SoftHSM makes no such pairs */
	softhsm_functions()->C_GenerateKeyPair = faulty_generate;
	for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
		strike(codes[i], 1);
		ck_assert(describes_montgomery());
		ck_assert_uint_eq(calls, 2);
	}
}
END_TEST

START_TEST(a_refusal_while_it_is_described_is_none)
{
	static const CK_RV codes[] = {
		CKR_MECHANISM_INVALID, CKR_MECHANISM_PARAM_INVALID, CKR_TEMPLATE_INCONSISTENT,
		CKR_TEMPLATE_INCOMPLETE, CKR_ATTRIBUTE_VALUE_INVALID, CKR_CURVE_NOT_SUPPORTED,
		CKR_DOMAIN_PARAMS_INVALID, CKR_USER_NOT_LOGGED_IN, CKR_SESSION_READ_ONLY,
		CKR_FUNCTION_NOT_SUPPORTED, CKR_GENERAL_ERROR, CKR_FUNCTION_FAILED,
		CKR_VENDOR_DEFINED + 7, CKR_DEVICE_ERROR, CKR_DEVICE_MEMORY,
	};

	ck_assert_uint_eq(kms_ping(kms, soon()), CKR_OK);
	softhsm_functions()->C_GenerateKeyPair = faulty_generate;
	for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
		strike(codes[i], 1000);
		ck_assert(!describes_montgomery());
		ck_assert_uint_le(calls, codes[i] == CKR_DEVICE_ERROR || codes[i] == CKR_DEVICE_MEMORY ? 2 : 1);
	}
}
END_TEST

static CK_RV
unplugged_generate(CK_SESSION_HANDLE session, CK_MECHANISM *mechanism, CK_ATTRIBUTE *public,
                   CK_ULONG public_count, CK_ATTRIBUTE *private, CK_ULONG private_count,
                   CK_OBJECT_HANDLE *public_key, CK_OBJECT_HANDLE *private_key)
{
	(void)session, (void)mechanism, (void)public, (void)public_count;
	(void)private, (void)private_count, (void)public_key, (void)private_key;
	calls++;
	softhsm_unplug();
	softhsm_functions()->C_GenerateKeyPair = softhsm_original.C_GenerateKeyPair;
	return CKR_GENERAL_ERROR;
}

/* SoftHSM2 says the same of a curve that it does not know and of a token that is gone. */
START_TEST(a_token_that_goes_while_it_is_described)
{
	struct kms_description description;

	ck_assert_uint_eq(kms_ping(kms, soon()), CKR_OK);
	calls = 0;
	softhsm_functions()->C_GenerateKeyPair = unplugged_generate;
	if (kms_describe(kms, soon(), &description) == CKR_OK) {
		ck_assert_uint_eq(calls, 0); /* this SoftHSM is not asked to make such pairs */
		kms_description_clear(&description);
		return;
	}
	softhsm_plug();
}
END_TEST

START_TEST(tries_a_second_time_and_no_third)
{
	struct kms_key key = KMS_KEY;

	kms_generate("p-256");
	softhsm_functions()->C_Sign = faulty_sign;
	strike(CKR_DEVICE_REMOVED, 2);
	ck_assert_uint_eq(sign_p256(kms, &key), CKR_DEVICE_ERROR);
	ck_assert_uint_eq(calls, 2);
	ck_assert_uint_eq(kms_device_error(kms), CKR_DEVICE_REMOVED);
	ck_assert_uint_eq(sign_p256(kms, &key), CKR_OK);
}
END_TEST

START_TEST(passes_the_callers_faults_on)
{
	static const CK_RV codes[] = { CKR_DATA_LEN_RANGE, CKR_MECHANISM_INVALID,
		                       CKR_MECHANISM_PARAM_INVALID, CKR_HOST_MEMORY,
		                       CKR_KEY_FUNCTION_NOT_PERMITTED };
	struct kms_key key = KMS_KEY;

	kms_generate("p-256");
	softhsm_functions()->C_Sign = faulty_sign;
	strike(codes[_i], 4);
	while (faults_left > 0)
		ck_assert_uint_eq(sign_p256(kms, &key), codes[_i]);
	ck_assert_uint_eq(calls, 4);
	ck_assert_uint_eq(sign_p256(kms, &key), CKR_OK);
}
END_TEST

START_TEST(counts_vendor_codes_as_the_callers_when_the_token_is_well)
{
	struct kms_key key = KMS_KEY;

	kms_generate("p-256");
	softhsm_functions()->C_Sign = faulty_sign;
	strike(CKR_VENDOR_DEFINED + 7, 4);
	while (faults_left > 0)
		ck_assert_uint_eq(sign_p256(kms, &key), CKR_DEVICE_ERROR);
	ck_assert_uint_eq(kms_device_error(kms), CKR_VENDOR_DEFINED + 7);
	ck_assert_uint_eq(sign_p256(kms, &key), CKR_OK);
}
END_TEST

START_TEST(never_makes_a_pair_twice)
{
	struct buffer spki = BUFFER_INIT;

	ck_assert_uint_eq(kms_ping(kms, soon()), CKR_OK);
	softhsm_functions()->C_GenerateKeyPair = faulty_generate;
	strike(CKR_SESSION_HANDLE_INVALID, 1);
	ck_assert_uint_eq(kms_try_generate("p-256", &spki), CKR_DEVICE_ERROR);
	ck_assert_uint_eq(calls, 1);
	/* But what failed before it was asked is tried again. */
	softhsm_functions()->C_OpenSession = faulty_open_session;
	softhsm_functions()->C_GenerateKeyPair = softhsm_original.C_GenerateKeyPair;
	strike(CKR_DEVICE_REMOVED, 1);
	/* The session was lost above, so one is opened. */
	ck_assert_uint_eq(kms_try_generate("p-256", &spki), CKR_OK);
	buffer_clear(&spki);
}
END_TEST

START_TEST(never_destroys_twice)
{
	kms_generate("p-256");
	softhsm_functions()->C_DestroyObject = faulty_destroy;
	strike(CKR_SESSION_HANDLE_INVALID, 1);
	ck_assert_uint_eq(kms_destroy_pair(kms, kms_id, KMS_ID_SIZE, soon()), CKR_DEVICE_ERROR);
	ck_assert_uint_eq(calls, 1);
	softhsm_functions()->C_FindObjectsInit = faulty_find;
	strike(CKR_SESSION_HANDLE_INVALID, 1);
	ck_assert_uint_eq(kms_destroy_pair(kms, kms_id, KMS_ID_SIZE, soon()), CKR_OK);
}
END_TEST

static CK_RV
lying_attribute_value(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object, CK_ATTRIBUTE *template,
                      CK_ULONG count)
{
	CK_RV rv;

	rv = softhsm_original.C_GetAttributeValue(session, object, template, count);
	if (rv == CKR_OK && template->type == CKA_EXTRACTABLE)
		*(CK_BBOOL *)template->pValue = CK_TRUE;
	return rv;
}

START_TEST(destroys_a_pair_that_is_not_sealed)
{
	struct buffer spki = BUFFER_INIT;
	struct kms_key key = KMS_KEY;

	softhsm_functions()->C_GetAttributeValue = lying_attribute_value;
	ck_assert_uint_eq(kms_try_generate("p-256", &spki), CKR_TEMPLATE_INCONSISTENT);
	ck_assert_uint_eq(spki.size, 0);
	ck_assert_uint_eq(sign_p256(kms, &key), CKR_KEY_HANDLE_INVALID);
	ck_assert_uint_eq(kms_public_key(kms, kms_id, KMS_ID_SIZE, soon(), &spki),
	                  CKR_KEY_HANDLE_INVALID);
}
END_TEST

START_TEST(fails_at_once_when_the_deadline_has_passed)
{
	softhsm_functions()->C_OpenSession = faulty_open_session;
	strike(CKR_OK, 0);
	ck_assert_uint_eq(kms_ping(kms, deadline_in(0)), CKR_DEVICE_ERROR);
	ck_assert_uint_eq(calls, 0);
	/* It is no reason to open the breaker. */
	ck_assert_uint_eq(kms_ping(kms, soon()), CKR_OK);
}
END_TEST

START_TEST(waits_for_a_session_no_longer_than_the_deadline)
{
	int64_t start;

	softhsm_functions()->C_OpenSession = faulty_open_session;
	strike(CKR_SESSION_COUNT, 1000);
	start = clock_monotonic_ms();
	ck_assert_uint_eq(kms_ping(kms, deadline_in(200)), CKR_FUNCTION_FAILED);
	ck_assert_int_ge(clock_monotonic_ms() - start, 190);
	ck_assert_int_lt(clock_monotonic_ms() - start, 1000);
	strike(CKR_SESSION_COUNT, 2);
	ck_assert_uint_eq(kms_ping(kms, soon()), CKR_OK);
}
END_TEST

START_TEST(works_with_one_session)
{
	struct kms_key key = KMS_KEY;

	/* The HSM has no second one. */
	ck_assert_uint_eq(kms_ping(kms, soon()), CKR_OK);
	softhsm_functions()->C_OpenSession = faulty_open_session;
	strike(CKR_SESSION_COUNT, 1000);
	kms_generate("p-256");
	ck_assert_uint_eq(sign_p256(kms, &key), CKR_OK);
	ck_assert_uint_eq(kms_destroy_pair(kms, kms_id, KMS_ID_SIZE, soon()), CKR_OK);
	ck_assert_uint_eq(calls, 0);
}
END_TEST

START_TEST(reports_a_module_that_is_missing)
{
	struct config_token config = kms_config;
	struct kms *other = NULL;
	int i;

	config.kms = (char *)"pkcs11:token=unit?module-path=/nonexistent/module.so";
	ck_assert_uint_eq(kms_new(&config, &other), CKR_OK);
	for (i = 0; i < 4; i++)
		ck_assert_uint_eq(kms_ping(other, soon()), CKR_DEVICE_ERROR);
	kms_free(&other);
}
END_TEST

START_TEST(refuses_several_tokens)
{
	struct config_token config = kms_config;
	struct kms *other = NULL;
	char uri[512];

	softhsm_add_token("other");
	snprintf(uri, sizeof uri, "pkcs11:manufacturer=SoftHSM%%20project?module-path=%s",
	         softhsm_module());
	config.kms = uri;
	ck_assert_uint_eq(kms_new(&config, &other), CKR_OK);
	ck_assert_uint_eq(kms_ping(other, soon()), CKR_DEVICE_ERROR);
	kms_free(&other);
	softhsm_functions()->C_Initialize(NULL);
	snprintf(uri, sizeof uri, "pkcs11:slot-id=%lu?module-path=%s", softhsm_slot("other"),
	         softhsm_module());
	softhsm_functions()->C_Finalize(NULL);
	ck_assert_uint_eq(kms_new(&config, &other), CKR_OK);
	ck_assert_uint_eq(kms_ping(other, soon()), CKR_OK);
	kms_free(&other);
}
END_TEST

START_TEST(does_not_take_a_failing_token_for_a_missing_key)
{
	struct kms_key missing = { kms_id, 1, 0, false };

	ck_assert_uint_eq(kms_ping(kms, soon()), CKR_OK);
	softhsm_functions()->C_GetTokenInfo = faulty_token_info;
	strike(CKR_GENERAL_ERROR, 1000);
	ck_assert_uint_eq(sign_p256(kms, &missing), CKR_DEVICE_ERROR);
	strike(CKR_OK, 0);
	ck_assert_uint_eq(sign_p256(kms, &missing), CKR_KEY_HANDLE_INVALID);
}
END_TEST

static CK_RV
sign_by(struct deadline deadline)
{
	struct kms_key key = KMS_KEY;
	CK_MECHANISM mechanism = { CKM_ECDSA, NULL, 0 };
	unsigned char digest[32] = { 0 }, signature[64];
	size_t size = sizeof signature;

	return kms_sign(kms, &key, &mechanism, digest, sizeof digest, deadline, signature, &size);
}

START_TEST(a_throttled_hsm_is_asked_three_times)
{
	int64_t start;

	kms_generate("p-256");
	ck_assert_uint_eq(sign_by(soon()), CKR_OK);
	softhsm_functions()->C_SignInit = faulty_sign_init;
	strike(CKR_DEVICE_MEMORY, 2);
	start = clock_monotonic_ms();
	ck_assert_uint_eq(sign_by(soon()), CKR_OK);
	ck_assert_uint_eq(calls, 3);
	ck_assert_int_ge(clock_monotonic_ms() - start, 300); /* 100 ms, 200 ms */
	strike(CKR_DEVICE_MEMORY, 1000);
	ck_assert_uint_eq(sign_by(soon()), CKR_FUNCTION_FAILED);
	ck_assert_uint_eq(calls, 3);
	ck_assert_uint_eq(kms_device_error(kms), CKR_DEVICE_MEMORY);
	/* No longer than the deadline, and no pause that nothing follows. */
	strike(CKR_DEVICE_MEMORY, 1000);
	start = clock_monotonic_ms();
	ck_assert_uint_eq(sign_by(deadline_in(250)), CKR_FUNCTION_FAILED);
	ck_assert_uint_eq(calls, 2);
	ck_assert_int_lt(clock_monotonic_ms() - start, 250);
	/* It answers, so the breaker is closed. */
	strike(CKR_OK, 0);
	ck_assert_uint_eq(sign_by(soon()), CKR_OK);
}
END_TEST

/* Nothing is made twice; and what is full stays so. */
START_TEST(a_full_token_is_said_to_be)
{
	struct kms_pair pair = {
		.algorithm = algorithm_by_name("p-256"), .id = kms_id, .id_size = KMS_ID_SIZE,
		.label = "job@1", .sign = true,
	};
	struct kms_session_key *key = NULL;
	struct buffer spki = BUFFER_INIT;

	ck_assert_uint_eq(kms_ping(kms, soon()), CKR_OK);
	softhsm_functions()->C_GenerateKeyPair = faulty_generate;
	strike(CKR_DEVICE_MEMORY, 1000);
	ck_assert_uint_eq(kms_generate_pair(kms, &pair, soon(), &spki), CKR_DEVICE_MEMORY);
	ck_assert_uint_eq(calls, 1);
	strike(CKR_DEVICE_MEMORY, 1000);
	ck_assert_uint_eq(kms_generate_session_pair(kms, &pair, soon(), &spki, &key),
	                  CKR_DEVICE_MEMORY);
	ck_assert_uint_eq(calls, 1);
	buffer_clear(&spki);
}
END_TEST

Suite *
unit_suite(void)
{
	Suite *suite = suite_create("kms failure");
	TCase *tcase = tcase_create("hsm");

	tcase_add_checked_fixture(tcase, kms_setup, kms_teardown);
	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, recovers_when_the_token_is_back);
	tcase_add_loop_test(tcase, everything_fails_while_the_token_is_gone, 0, 7);
	tcase_add_test(tcase, recovers_when_it_started_without_the_token);
	tcase_add_test(tcase, one_token_gone_leaves_the_other_working);
	tcase_add_test(tcase, sees_what_another_process_makes);
	tcase_add_loop_test(tcase, hides_a_loss, 0, (int)(sizeof lost / sizeof *lost));
	tcase_add_test(tcase, a_loss_while_it_is_described_is_hidden);
	tcase_add_test(tcase, a_refusal_while_it_is_described_is_none);
	tcase_add_test(tcase, a_token_that_goes_while_it_is_described);
	tcase_add_test(tcase, tries_a_second_time_and_no_third);
	tcase_add_loop_test(tcase, passes_the_callers_faults_on, 0, 5);
	tcase_add_test(tcase, counts_vendor_codes_as_the_callers_when_the_token_is_well);
	tcase_add_test(tcase, never_makes_a_pair_twice);
	tcase_add_test(tcase, never_destroys_twice);
	tcase_add_test(tcase, destroys_a_pair_that_is_not_sealed);
	tcase_add_test(tcase, fails_at_once_when_the_deadline_has_passed);
	tcase_add_test(tcase, waits_for_a_session_no_longer_than_the_deadline);
	tcase_add_test(tcase, works_with_one_session);
	tcase_add_test(tcase, reports_a_module_that_is_missing);
	tcase_add_test(tcase, refuses_several_tokens);
	tcase_add_test(tcase, does_not_take_a_failing_token_for_a_missing_key);
	tcase_add_test(tcase, a_throttled_hsm_is_asked_three_times);
	tcase_add_test(tcase, a_full_token_is_said_to_be);
	suite_add_tcase(suite, tcase);
	return suite;
}
