/* SPDX-License-Identifier: Apache-2.0 */
#include "blackbox.h"

#include "base/log.h"
#include "pair.h"

#include <dlfcn.h>
#include <stdio.h>

CK_FUNCTION_LIST *p11;
CK_FUNCTION_LIST_3_0 *p11_3;
void *p11_library;
CK_SLOT_ID token_slot;
CK_FLAGS token_flags;
const char *token_label;
const char *token_pin;

void
expect_at(const char *file, int line, const char *call, CK_RV got, const CK_RV *allowed,
          size_t count)
{
	char names[512] = "";

	for (size_t i = 0; i < count; i++) {
		if (got == allowed[i])
			return;
		strncat(names, i ? " or " : "", sizeof(names) - strlen(names) - 1);
		strncat(names, ckr_name(allowed[i]), sizeof(names) - strlen(names) - 1);
	}
	ck_abort_msg("%s:%d: %s: %s, expected %s", file, line, call, ckr_name(got), names);
}

void
expect_failure_at(const char *file, int line, const char *call, CK_RV got)
{
	if (got == CKR_OK)
		ck_abort_msg("%s:%d: %s: CKR_OK, expected a failure", file, line, call);
}

void
find_token(void)
{
	CK_SLOT_ID slots[64];
	CK_ULONG count = COUNT(slots);
	CK_TOKEN_INFO info;
	char padded[33];

	snprintf(padded, sizeof(padded), "%-32s", token_label);
	expect(CKR_OK, p11->C_GetSlotList(CK_TRUE, slots, &count));
	for (CK_ULONG i = 0; i < count; i++) {
		expect(CKR_OK, p11->C_GetTokenInfo(slots[i], &info));
		if (memcmp(info.label, padded, sizeof(info.label)) == 0) {
			token_slot = slots[i];
			token_flags = info.flags;
			return;
		}
	}
	ck_abort_msg("no token is labelled %s", token_label);
}

void
start(void)
{
	CK_C_INITIALIZE_ARGS arguments = { .flags = CKF_OS_LOCKING_OK };

	expect(CKR_OK, p11->C_Initialize(&arguments));
	find_token();
}

void
stop(void)
{
	expect(CKR_OK, p11->C_Finalize(NULL));
}

TCase *
started_case(Suite *suite, const char *name)
{
	TCase *tcase = tcase_create(name);

	tcase_add_checked_fixture(tcase, start, stop);
	tcase_set_timeout(tcase, 120);
	suite_add_tcase(suite, tcase);
	return tcase;
}

CK_SESSION_HANDLE
session_public(CK_FLAGS flags)
{
	CK_SESSION_HANDLE session = CK_INVALID_HANDLE;

	expect(CKR_OK, p11->C_OpenSession(token_slot, CKF_SERIAL_SESSION | flags, NULL, NULL,
	                                  &session));
	ck_assert_uint_ne(session, CK_INVALID_HANDLE);
	return session;
}

bool
login_required(void)
{
	return (token_flags & CKF_LOGIN_REQUIRED) != 0;
}

void
login(CK_SESSION_HANDLE session)
{
	expect_any(p11->C_Login(session, CKU_USER, (CK_UTF8CHAR_PTR)token_pin, strlen(token_pin)),
	           CKR_OK, CKR_USER_ALREADY_LOGGED_IN);
}

CK_SESSION_HANDLE
session_user(CK_FLAGS flags)
{
	CK_SESSION_HANDLE session = session_public(flags);

	if (login_required())
		login(session);
	return session;
}

CK_FLAGS
mechanism_flags_offered(CK_MECHANISM_TYPE type)
{
	CK_MECHANISM_INFO info;

	return p11->C_GetMechanismInfo(token_slot, type, &info) == CKR_OK ? info.flags : 0;
}

bool
mechanism_offers(CK_MECHANISM_TYPE type, CK_FLAGS flag)
{
	return (mechanism_flags_offered(type) & flag) != 0;
}

CK_ULONG
find_all(CK_SESSION_HANDLE session, CK_ATTRIBUTE *attributes, CK_ULONG count,
         CK_OBJECT_HANDLE *ret_objects, CK_ULONG max)
{
	CK_OBJECT_HANDLE page[7];
	CK_ULONG got, total = 0;

	expect(CKR_OK, p11->C_FindObjectsInit(session, attributes, count));
	do {
		expect(CKR_OK, p11->C_FindObjects(session, page, COUNT(page), &got));
		ck_assert_uint_le(got, COUNT(page));
		for (CK_ULONG i = 0; i < got; i++, total++) {
			ck_assert_uint_ne(page[i], CK_INVALID_HANDLE);
			if (total < max)
				ret_objects[total] = page[i];
		}
	} while (got > 0);
	expect(CKR_OK, p11->C_FindObjectsFinal(session));
	return total;
}

const unsigned char *
attribute(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object, CK_ATTRIBUTE_TYPE type,
          CK_ULONG *ret_size)
{
	static unsigned char value[4096];
	CK_ATTRIBUTE wanted = ATTRIBUTE(type, NULL, 0);

	expect(CKR_OK, p11->C_GetAttributeValue(session, object, &wanted, 1));
	ck_assert_uint_le(wanted.ulValueLen, sizeof(value));
	wanted.pValue = value;
	expect(CKR_OK, p11->C_GetAttributeValue(session, object, &wanted, 1));
	*ret_size = wanted.ulValueLen;
	return value;
}

bool
attribute_bool(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object, CK_ATTRIBUTE_TYPE type)
{
	CK_ULONG size;
	const unsigned char *value = attribute(session, object, type, &size);

	ck_assert_uint_eq(size, sizeof(CK_BBOOL));
	ck_assert(value[0] == CK_TRUE || value[0] == CK_FALSE);
	return value[0] == CK_TRUE;
}

CK_ULONG
attribute_ulong(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object, CK_ATTRIBUTE_TYPE type)
{
	CK_ULONG size, number;
	const unsigned char *value = attribute(session, object, type, &size);

	ck_assert_uint_eq(size, sizeof(number));
	memcpy(&number, value, sizeof(number));
	return number;
}

/* The key pairs are made and destroyed in tests of their own: processes that end. */
START_TEST(make_pairs)
{
	pairs_make();
}
END_TEST

START_TEST(destroy_pairs)
{
	pairs_destroy();
}
END_TEST

/* Runs whatever $CK_RUN_SUITE selects of the others. */
static bool
run_alone(const char *name, const TTest *test)
{
	Suite *suite = suite_create(name);
	SRunner *runner = srunner_create(suite);
	bool passed;

	tcase_add_test(started_case(suite, name), test);
	srunner_run(runner, name, name, CK_MINIMAL);
	passed = srunner_ntests_failed(runner) == 0;
	if (!passed)
		srunner_print(runner, CK_NORMAL);
	srunner_free(runner);
	return passed;
}

static bool
load(void)
{
	const char *path = getenv("BLACKBOX_MODULE");
	CK_C_GetFunctionList get_function_list;
	CK_C_GetInterface get_interface;
	CK_VERSION version_3_0 = { 3, 0 };
	CK_INTERFACE *interface;

	token_label = getenv("BLACKBOX_TOKEN");
	token_pin = getenv("BLACKBOX_PIN");
	if (!path || !token_label || !token_pin) {
		fputs("BLACKBOX_MODULE, BLACKBOX_TOKEN and BLACKBOX_PIN must be set\n", stderr);
		return false;
	}
	p11_library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	if (!p11_library) {
		fprintf(stderr, "%s\n", dlerror());
		return false;
	}
	*(void **)&get_function_list = dlsym(p11_library, "C_GetFunctionList");
	if (!get_function_list || get_function_list(&p11) != CKR_OK) {
		fprintf(stderr, "%s: no function list\n", path);
		return false;
	}
	*(void **)&get_interface = dlsym(p11_library, "C_GetInterface");
	if (get_interface && get_interface((CK_UTF8CHAR *)"PKCS 11", &version_3_0, &interface, 0) ==
	                             CKR_OK)
		p11_3 = interface->pFunctionList;
	return true;
}

int
main(void)
{
	SRunner *runner;
	int failed;

	if (!load())
		return 2;
	pairs_begin();
	runner = srunner_create(general_suite());
	srunner_add_suite(runner, interface_suite());
	srunner_add_suite(runner, slot_token_suite());
	srunner_add_suite(runner, session_suite());
	srunner_add_suite(runner, login_suite());
	srunner_add_suite(runner, object_suite());
	srunner_add_suite(runner, find_suite());
	srunner_add_suite(runner, key_pair_suite());
	srunner_add_suite(runner, operation_suite());
	srunner_add_suite(runner, encrypt_decrypt_suite());
	srunner_add_suite(runner, sign_verify_suite());
	srunner_add_suite(runner, recover_suite());
	srunner_add_suite(runner, digest_suite());
	srunner_add_suite(runner, random_suite());
	srunner_add_suite(runner, secret_key_suite());
	srunner_add_suite(runner, wrap_suite());
	srunner_add_suite(runner, derive_suite());
	srunner_add_suite(runner, demands_suite());
	srunner_add_suite(runner, wrong_key_suite());
	srunner_add_suite(runner, roles_suite());
	srunner_add_suite(runner, role_memory_suite());
	srunner_add_suite(runner, edge_cases_suite());
	srunner_add_suite(runner, write_protected_suite());
	srunner_add_suite(runner, refused_suite());
	srunner_add_suite(runner, crypt_parts_suite());
	srunner_add_suite(runner, message_suite());
	srunner_add_suite(runner, message_sign_suite());
	srunner_add_suite(runner, not_supported_suite());
	srunner_add_suite(runner, fork_suite());
	srunner_add_suite(runner, concurrency_suite());

	if (!run_alone("make pairs", make_pairs)) {
		srunner_free(runner);
		return 1;
	}
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	if (!run_alone("destroy pairs", destroy_pairs))
		failed++;
	return failed ? 1 : 0;
}
