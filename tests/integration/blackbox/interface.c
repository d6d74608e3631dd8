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
	again = 0;
	expect(CKR_BUFFER_TOO_SMALL, get_interface_list(interfaces, &again));
	ck_assert_uint_eq(again, count);
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
	/* The name alone: the newest; the version alone: the one. */
	expect(CKR_OK, get_interface((CK_UTF8CHAR *)"PKCS 11", NULL, &interface, 0));
	version = interface->functions;
	ck_assert_uint_eq(version->major, 3);
	expect(CKR_OK, get_interface(NULL, &old, &interface, 0));
	ck_assert_ptr_eq(interface->functions, p11);
	interface = NULL;
	expect(CKR_ARGUMENTS_BAD, get_interface((CK_UTF8CHAR *)"PKCS 11", &none, &interface, 0));
	expect(CKR_ARGUMENTS_BAD,
	       get_interface((CK_UTF8CHAR *)"No such interface", NULL, &interface, 0));
	expect(CKR_ARGUMENTS_BAD, get_interface(NULL, NULL, &interface, (CK_FLAGS)1 << 20));
	ck_assert_ptr_null(interface);
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

	if (!is_3_0())
		return;
	expect(CKR_CRYPTOKI_NOT_INITIALIZED,
	       p11_3->C_LoginUser(1, CKU_USER, (CK_UTF8CHAR *)"1", 1, (CK_UTF8CHAR *)"u", 1));
	expect(CKR_CRYPTOKI_NOT_INITIALIZED, p11_3->C_SessionCancel(1, CKF_SIGN));
}
END_TEST

/* Section 5.6.5: what is active ends, what is not is passed over, and all else goes on. */
START_TEST(session_cancel)
{
	CK_SESSION_HANDLE session;
	CK_MECHANISM sha256 = { CKM_SHA256, NULL, 0 };
	unsigned char value[32];
	CK_ULONG size = sizeof(value), count;
	CK_OBJECT_HANDLE object;

	if (!is_3_0())
		return;
	start();
	session = session_public(0);
	expect(CKR_SESSION_HANDLE_INVALID, p11_3->C_SessionCancel(session + 1000, CKF_DIGEST));
	expect(CKR_OK, p11_3->C_SessionCancel(session, ~(CK_FLAGS)0));
	expect(CKR_OK, p11->C_DigestInit(session, &sha256));
	expect(CKR_OK, p11->C_FindObjectsInit(session, NULL, 0));
	expect(CKR_OK, p11_3->C_SessionCancel(session, 0));
	expect(CKR_OK, p11_3->C_SessionCancel(session, ~(CK_FLAGS)(CKF_DIGEST | CKF_FIND_OBJECTS)));
	expect(CKR_OK, p11->C_DigestUpdate(session, value, 1));
	expect(CKR_OK, p11->C_FindObjects(session, &object, 1, &count));
	expect(CKR_OK, p11_3->C_SessionCancel(session, CKF_DIGEST));
	expect(CKR_OPERATION_NOT_INITIALIZED, p11->C_DigestFinal(session, value, &size));
	expect(CKR_OK, p11->C_FindObjects(session, &object, 1, &count));
	expect(CKR_OK, p11_3->C_SessionCancel(session, CKF_FIND_OBJECTS));
	expect(CKR_OPERATION_NOT_INITIALIZED, p11->C_FindObjectsFinal(session));
	expect(CKR_OK, p11->C_DigestInit(session, &sha256));
	stop();
}
END_TEST

/* Operations with the halves of a pair. */
START_TEST(session_cancel_keys)
{
	CK_SESSION_HANDLE session;
	CK_MECHANISM sha256_rsa = { CKM_SHA256_RSA_PKCS, NULL, 0 };
	unsigned char value[512] = "";
	CK_ULONG size = sizeof(value);

	if (!is_3_0())
		return;
	start();
	session = session_user(0);
	if (pair_offered(PAIR_RSA)) {
		expect(CKR_OK, p11->C_SignInit(session, &sha256_rsa, pair_private(session, PAIR_RSA)));
		expect(CKR_OK, p11->C_VerifyInit(session, &sha256_rsa, pair_public(session, PAIR_RSA)));
		expect(CKR_OK, p11_3->C_SessionCancel(session, CKF_SIGN));
		expect(CKR_OPERATION_NOT_INITIALIZED, p11->C_SignUpdate(session, value, 1));
		expect(CKR_OK, p11->C_VerifyUpdate(session, value, 1));
		expect(CKR_OK, p11_3->C_SessionCancel(session, CKF_VERIFY));
		expect(CKR_OPERATION_NOT_INITIALIZED, p11->C_VerifyFinal(session, value, size));
	}
	stop();
}
END_TEST

#define NAME(name) (CK_UTF8CHAR *)(name), strlen(name)

START_TEST(login_user)
{
	CK_SESSION_HANDLE session;

	if (!is_3_0())
		return;
	start();
	session = session_public(0);
	expect(CKR_ARGUMENTS_BAD,
	       p11_3->C_LoginUser(session, CKU_USER, NULL, 0, NAME("")));
	expect(CKR_ARGUMENTS_BAD,
	       p11_3->C_LoginUser(session, CKU_USER, NAME(token_pin), NULL, 1));
	expect(CKR_SESSION_HANDLE_INVALID,
	       p11_3->C_LoginUser(session + 1000, CKU_USER, NAME(token_pin), NAME("")));
	/* The token's user has no name. */
	expect(CKR_ARGUMENTS_BAD,
	       p11_3->C_LoginUser(session, CKU_USER, NAME(token_pin), NAME("nobody")));
	expect(CKR_PIN_INCORRECT,
	       p11_3->C_LoginUser(session, CKU_USER, NAME("no such PIN"), NAME("")));
	expect(CKR_USER_TYPE_INVALID,
	       p11_3->C_LoginUser(session, 77, NAME(token_pin), NAME("")));
	expect(CKR_OPERATION_NOT_INITIALIZED,
	       p11_3->C_LoginUser(session, CKU_CONTEXT_SPECIFIC, NAME(token_pin), NAME("")));
	expect(CKR_SESSION_READ_ONLY_EXISTS,
	       p11_3->C_LoginUser(session, CKU_SO, NAME("no such PIN"), NAME("")));
	expect(CKR_OK, p11_3->C_LoginUser(session, CKU_USER, NAME(token_pin), NULL, 0));
	expect(CKR_USER_ALREADY_LOGGED_IN,
	       p11_3->C_LoginUser(session, CKU_USER, NAME(token_pin), NAME("")));
	expect(CKR_USER_ANOTHER_ALREADY_LOGGED_IN,
	       p11_3->C_LoginUser(session, CKU_SO, NAME("no such PIN"), NAME("")));
	stop();
}
END_TEST

/* Section 3.1: each interface tells its own version. */
START_TEST(info_version)
{
	CK_INFO info;

	if (!is_3_0())
		return;
	start();
	expect(CKR_OK, p11->C_GetInfo(&info));
	ck_assert_uint_eq(info.cryptokiVersion.major, 2);
	ck_assert_uint_eq(info.cryptokiVersion.minor, 40);
	expect(CKR_OK, p11_3->C_GetInfo(&info));
	ck_assert_uint_eq(info.cryptokiVersion.major, 3);
	ck_assert_uint_eq(info.cryptokiVersion.minor, 0);
	expect(CKR_ARGUMENTS_BAD, p11_3->C_GetInfo(NULL));
	stop();
	expect(CKR_CRYPTOKI_NOT_INITIALIZED, p11_3->C_GetInfo(&info));
}
END_TEST

/* One implementation: what the one interface opens, the other knows. */
START_TEST(interfaces_share_state)
{
	CK_SESSION_HANDLE session;
	CK_SESSION_INFO info;

	if (!is_3_0())
		return;
	start();
	session = session_public(0);
	expect(CKR_OK, p11_3->C_GetSessionInfo(session, &info));
	expect(CKR_OK, p11_3->C_CloseSession(session));
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
	tcase_add_test(tcase, session_cancel_keys);
	tcase_add_test(tcase, login_user);
	tcase_add_test(tcase, info_version);
	tcase_add_test(tcase, interfaces_share_state);
	suite_add_tcase(suite, tcase);
	return suite;
}
