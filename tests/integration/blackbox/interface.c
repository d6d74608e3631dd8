/* SPDX-License-Identifier: Apache-2.0 */
/*
 * PKCS#11 3.0: C_GetInterfaceList and C_GetInterface (section 5.4), and the functions that
 * 3.0 adds. A module of 2.40 has neither, and nothing is asked of it here.
 */
#include "blackbox.h"
#include "pair.h"

#include <dlfcn.h>

/* Section 3.3 and 5.3: declared here, so that the suite does not believe the module's headers. */
struct interface {
	char *name;
	void *functions;
	CK_FLAGS flags;
};

typedef CK_RV (*get_interface_list_function)(struct interface *, CK_ULONG *);
typedef CK_RV (*get_interface_function)(CK_UTF8CHAR *, CK_VERSION *, struct interface **, CK_FLAGS);

/* CK_FUNCTION_LIST_3_0: that of 2.40 and what follows it. The message functions by count. */
struct functions_3_0 {
	CK_FUNCTION_LIST before;
	get_interface_list_function get_interface_list;
	get_interface_function get_interface;
	CK_RV (*login_user)(CK_SESSION_HANDLE, CK_USER_TYPE, CK_UTF8CHAR *, CK_ULONG, CK_UTF8CHAR *,
	                    CK_ULONG);
	CK_RV (*session_cancel)(CK_SESSION_HANDLE, CK_FLAGS);
	void *messages[20];
};

static get_interface_list_function get_interface_list;
static get_interface_function get_interface;

static bool
is_3_0(void)
{
	*(void **)&get_interface_list = dlsym(p11_library, "C_GetInterfaceList");
	*(void **)&get_interface = dlsym(p11_library, "C_GetInterface");
	ck_assert((get_interface_list != NULL) == (get_interface != NULL));
	return get_interface != NULL;
}

static struct functions_3_0 *
functions_3_0(void)
{
	CK_VERSION version = { 3, 0 };
	struct interface *interface = NULL;

	expect(CKR_OK, get_interface((CK_UTF8CHAR *)"PKCS 11", &version, &interface, 0));
	return interface->functions;
}

START_TEST(list)
{
	struct interface interfaces[16];
	CK_ULONG count = 0, again;
	bool has_2_40 = false, has_3_0 = false;

	if (!is_3_0())
		return;
	expect(CKR_ARGUMENTS_BAD, get_interface_list(NULL, NULL));
	expect(CKR_OK, get_interface_list(NULL, &count));
	ck_assert_uint_ge(count, 1);
	ck_assert_uint_le(count, COUNT(interfaces));
	again = count - 1;
	expect(CKR_BUFFER_TOO_SMALL, get_interface_list(interfaces, &again));
	ck_assert_uint_eq(again, count);
	expect(CKR_OK, get_interface_list(interfaces, &again));
	ck_assert_uint_eq(again, count);
	for (CK_ULONG i = 0; i < count; i++) {
		CK_VERSION *version = interfaces[i].functions;

		ck_assert_ptr_nonnull(version);
		if (strcmp(interfaces[i].name, "PKCS 11") != 0)
			continue;
		has_2_40 = has_2_40 || (version->major == 2 && version->minor == 40);
		has_3_0 = has_3_0 || (version->major == 3 && version->minor == 0);
	}
	ck_assert(has_2_40);
	ck_assert(has_3_0);
}
END_TEST

START_TEST(get)
{
	CK_VERSION old = { 2, 40 }, none = { 9, 9 };
	struct interface *interface = NULL;
	CK_VERSION *version;

	if (!is_3_0())
		return;
	expect(CKR_ARGUMENTS_BAD, get_interface(NULL, NULL, NULL, 0));
	expect(CKR_OK, get_interface(NULL, NULL, &interface, 0));
	ck_assert_str_eq(interface->name, "PKCS 11");
	version = interface->functions;
	ck_assert_uint_eq(version->major, 3);
	ck_assert_uint_eq(functions_3_0()->before.version.major, 3);
	ck_assert_uint_eq(functions_3_0()->before.version.minor, 0);
	expect(CKR_OK, get_interface((CK_UTF8CHAR *)"PKCS 11", &old, &interface, 0));
	version = interface->functions;
	ck_assert_uint_eq(version->major, 2);
	ck_assert_uint_eq(version->minor, 40);
	expect_failure(get_interface((CK_UTF8CHAR *)"PKCS 11", &none, &interface, 0));
	expect_failure(get_interface((CK_UTF8CHAR *)"No such interface", NULL, &interface, 0));
	expect_failure(get_interface(NULL, NULL, &interface, (CK_FLAGS)1 << 20));
}
END_TEST

START_TEST(all_entries)
{
	struct functions_3_0 *functions;
	void **entries;

	if (!is_3_0())
		return;
	functions = functions_3_0();
	entries = (void **)(void *)((char *)functions + offsetof(CK_FUNCTION_LIST, C_Initialize));
	for (size_t i = 0; entries + i < (void **)(void *)(functions + 1); i++)
		ck_assert_msg(entries[i] != NULL, "entry %zu is NULL", i);
	ck_assert_ptr_eq(*(void **)&functions->get_interface, *(void **)&get_interface);
}
END_TEST

START_TEST(not_initialized)
{
	struct functions_3_0 *functions;

	if (!is_3_0())
		return;
	functions = functions_3_0();
	expect(CKR_CRYPTOKI_NOT_INITIALIZED,
	       functions->login_user(1, CKU_USER, (CK_UTF8CHAR *)"1", 1, (CK_UTF8CHAR *)"u", 1));
	expect(CKR_CRYPTOKI_NOT_INITIALIZED, functions->session_cancel(1, CKF_SIGN));
}
END_TEST

START_TEST(session_cancel)
{
	struct functions_3_0 *functions;
	CK_SESSION_HANDLE session;
	CK_MECHANISM sha256 = { CKM_SHA256, NULL, 0 };
	unsigned char value[32];
	CK_ULONG size = sizeof(value);
	CK_RV rv;

	if (!is_3_0())
		return;
	functions = functions_3_0();
	start();
	session = session_public(0);
	expect_any(functions->session_cancel(session + 1000, CKF_DIGEST),
	           CKR_SESSION_HANDLE_INVALID, CKR_FUNCTION_NOT_SUPPORTED);
	expect(CKR_OK, p11->C_DigestInit(session, &sha256));
	rv = functions->session_cancel(session, CKF_DIGEST);
	expect_any(rv, CKR_OK, CKR_FUNCTION_NOT_SUPPORTED);
	if (rv == CKR_OK)
		expect(CKR_OPERATION_NOT_INITIALIZED, p11->C_DigestFinal(session, value, &size));
	stop();
}
END_TEST

START_TEST(login_user)
{
	struct functions_3_0 *functions;
	CK_SESSION_HANDLE session;

	if (!is_3_0())
		return;
	functions = functions_3_0();
	start();
	session = session_public(0);
	expect_any(functions->login_user(session, CKU_USER, (CK_UTF8CHAR *)token_pin,
	                                 strlen(token_pin), (CK_UTF8CHAR *)"nobody", 6),
	           CKR_FUNCTION_NOT_SUPPORTED, CKR_ARGUMENTS_BAD, CKR_PIN_INCORRECT);
	stop();
}
END_TEST

/* One implementation: what the one interface opens, the other knows. */
START_TEST(interfaces_share_state)
{
	struct functions_3_0 *functions;
	CK_SESSION_HANDLE session;
	CK_SESSION_INFO info;

	if (!is_3_0())
		return;
	functions = functions_3_0();
	start();
	session = session_public(0);
	expect(CKR_OK, functions->before.C_GetSessionInfo(session, &info));
	expect(CKR_OK, functions->before.C_CloseSession(session));
	expect(CKR_SESSION_HANDLE_INVALID, p11->C_GetSessionInfo(session, &info));
	stop();
}
END_TEST

Suite *
interface_suite(void)
{
	Suite *suite = suite_create("interface");
	TCase *tcase = tcase_create("not started");

	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, list);
	tcase_add_test(tcase, get);
	tcase_add_test(tcase, all_entries);
	tcase_add_test(tcase, not_initialized);
	tcase_add_test(tcase, session_cancel);
	tcase_add_test(tcase, login_user);
	tcase_add_test(tcase, interfaces_share_state);
	suite_add_tcase(suite, tcase);
	return suite;
}
