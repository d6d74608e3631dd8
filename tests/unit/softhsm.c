/* SPDX-License-Identifier: Apache-2.0 */
#include "softhsm.h"

#include "unit.h"

#include <dlfcn.h>
#include <p11-kit/p11-kit.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SO_PIN "87654321"

static char folder[256];

const char *
softhsm_module(void)
{
	static const char *const places[] = {
		"/usr/lib/softhsm/libsofthsm2.so",
		"/usr/lib64/softhsm/libsofthsm2.so",
		"/usr/lib64/pkcs11/libsofthsm2.so",
		"/usr/local/lib/softhsm/libsofthsm2.so",
	};
	const char *named = getenv("SOFTHSM2_MODULE");
	size_t i;

	if (named != NULL)
		return named;
	for (i = 0; i < sizeof places / sizeof *places; i++)
		if (access(places[i], R_OK) == 0)
			return places[i];
	ck_abort_msg("SoftHSM2 is not installed; or set SOFTHSM2_MODULE");
	return NULL;
}

const char *
softhsm_path(const char *name)
{
	static char path[512];

	snprintf(path, sizeof path, "%s/%s", folder, name);
	return path;
}

const char *
softhsm_uri(const char *label)
{
	static char uri[512];

	snprintf(uri, sizeof uri, "pkcs11:token=%s?module-path=%s", label, softhsm_module());
	return uri;
}

CK_FUNCTION_LIST *
softhsm_functions(void)
{
	static CK_FUNCTION_LIST *functions;
	CK_C_GetFunctionList get;
	void *library;

	if (functions != NULL)
		return functions;
	/* Stays loaded, as it does in a program that uses it. */
	library = dlopen(softhsm_module(), RTLD_NOW | RTLD_LOCAL);
	ck_assert_msg(library != NULL, "%s", dlerror());
	*(void **)&get = dlsym(library, "C_GetFunctionList");
	ck_assert_ptr_nonnull(get);
	ck_assert_uint_eq(get(&functions), CKR_OK);
	return functions;
}

/* The last slot is SoftHSM's free one. */
static CK_SLOT_ID
find_slot(CK_FUNCTION_LIST *functions, const char *label)
{
	CK_ULONG count = 16, i;
	CK_SLOT_ID slots[16];
	CK_TOKEN_INFO info;

	ck_assert_uint_eq(functions->C_GetSlotList(CK_FALSE, slots, &count), CKR_OK);
	for (i = 0; i < count; i++) {
		ck_assert_uint_eq(functions->C_GetTokenInfo(slots[i], &info), CKR_OK);
		if (label == NULL && (info.flags & CKF_TOKEN_INITIALIZED) == 0)
			return slots[i];
		if (label != NULL && strlen(label) == p11_kit_space_strlen(info.label, 32) &&
		    memcmp(info.label, label, strlen(label)) == 0)
			return slots[i];
	}
	ck_abort_msg("no slot with %s", label != NULL ? label : "a free token");
	return 0;
}

CK_SLOT_ID
softhsm_slot(const char *label)
{
	return find_slot(softhsm_functions(), label);
}

void
softhsm_add_token(const char *label)
{
	CK_FUNCTION_LIST *functions = softhsm_functions();
	CK_UTF8CHAR padded[32];
	CK_SESSION_HANDLE session;
	CK_SLOT_ID slot;

	memset(padded, ' ', sizeof padded);
	memcpy(padded, label, strlen(label));
	ck_assert_uint_eq(functions->C_Initialize(NULL), CKR_OK);
	slot = find_slot(functions, NULL);
	ck_assert_uint_eq(functions->C_InitToken(slot, (CK_UTF8CHAR *)SO_PIN, strlen(SO_PIN),
	                                         padded),
	                  CKR_OK);
	slot = find_slot(functions, label);
	ck_assert_uint_eq(functions->C_OpenSession(slot, CKF_SERIAL_SESSION | CKF_RW_SESSION, NULL,
	                                           NULL, &session),
	                  CKR_OK);
	ck_assert_uint_eq(functions->C_Login(session, CKU_SO, (CK_UTF8CHAR *)SO_PIN,
	                                     strlen(SO_PIN)),
	                  CKR_OK);
	ck_assert_uint_eq(functions->C_InitPIN(session, (CK_UTF8CHAR *)SOFTHSM_PIN,
	                                       strlen(SOFTHSM_PIN)),
	                  CKR_OK);
	ck_assert_uint_eq(functions->C_Finalize(NULL), CKR_OK);
}

void
softhsm_start(void)
{
	FILE *file;

	snprintf(folder, sizeof folder, "%s", unit_path("hsm-XXXXXX"));
	ck_assert_ptr_nonnull(mkdtemp(folder));
	ck_assert_int_eq(mkdir(softhsm_path("tokens"), 0700), 0);
	file = fopen(softhsm_path("softhsm2.conf"), "w");
	ck_assert_ptr_nonnull(file);
	fprintf(file, "directories.tokendir = %s\n", softhsm_path("tokens"));
	fprintf(file, "objectstore.backend = file\nlog.level = ERROR\n");
	ck_assert_int_eq(fclose(file), 0);
	ck_assert_int_eq(setenv("SOFTHSM2_CONF", softhsm_path("softhsm2.conf"), 1), 0);
	softhsm_add_token(SOFTHSM_LABEL);
}

static void
swap(const char *from, const char *to)
{
	char path[512];

	snprintf(path, sizeof path, "%s", softhsm_path(from));
	ck_assert_int_eq(rename(path, softhsm_path(to)), 0);
}

void
softhsm_unplug(void)
{
	swap("tokens", "tokens-away");
	ck_assert_int_eq(mkdir(softhsm_path("tokens"), 0700), 0);
}

void
softhsm_plug(void)
{
	ck_assert_int_eq(rmdir(softhsm_path("tokens")), 0);
	swap("tokens-away", "tokens");
}
