/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the chapters of the black-box suite share. The suite knows its module by path only
 * ($BLACKBOX_MODULE, $BLACKBOX_TOKEN, $BLACKBOX_PIN) and asks of it what the standard says.
 * What may be there or not is decided by what the module says of itself (the flags of
 * C_GetMechanismInfo and C_GetTokenInfo), never by its name.
 *
 * Sections cited are those of PKCS#11 base 3.0 where nothing else is said; 2.40 says the
 * same in its own chapter 5.
 */
#ifndef P11_KMS_TESTS_BLACKBOX_H
#define P11_KMS_TESTS_BLACKBOX_H

#include "base/pkcs11.h"

#include <check.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

extern CK_FUNCTION_LIST *p11; /* of the module under test */
/* Its interface of 3.0; NULL: it has 2.40 only, and nothing of 3.0 is asked of it. */
extern CK_FUNCTION_LIST_3_0 *p11_3;
extern void *p11_library;     /* for dlsym */

/* Of the token under test; known once start() has run. */
extern CK_SLOT_ID token_slot;
extern CK_FLAGS token_flags;
extern const char *token_label;
extern const char *token_pin;

/* Asserts what a call returned, by name. */
#define expect(rv, call) expect_at(__FILE__, __LINE__, #call, (call), (const CK_RV[]){ rv }, 1)
/* The same where the standard leaves a choice. */
#define expect_any(call, ...)                                                                \
	expect_at(__FILE__, __LINE__, #call, (call), (const CK_RV[]){ __VA_ARGS__ },          \
	          sizeof((const CK_RV[]){ __VA_ARGS__ }) / sizeof(CK_RV))
/* Any failure, but not a crash. */
#define expect_failure(call) expect_failure_at(__FILE__, __LINE__, #call, (call))
void expect_at(const char *file, int line, const char *call, CK_RV got, const CK_RV *allowed,
               size_t count);
void expect_failure_at(const char *file, int line, const char *call, CK_RV got);

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define ATTRIBUTE(type, pointer, size) { (type), (CK_VOID_PTR)(pointer), (size) }

/* Fixtures: C_Initialize with OS locking and look the token up; C_Finalize. */
void start(void);
void stop(void);
/* Like start, on one's own terms. */
void find_token(void);

/* A case whose tests run between start and stop. */
TCase *started_case(Suite *suite, const char *name);

CK_SESSION_HANDLE session_public(CK_FLAGS flags); /* CKF_RW_SESSION or 0 */
CK_SESSION_HANDLE session_user(CK_FLAGS flags);   /* logged in, where the token asks for a login */
bool login_required(void);
void login(CK_SESSION_HANDLE session);

/* What C_GetMechanismInfo says; 0 where the mechanism is not offered. */
CK_FLAGS mechanism_flags_offered(CK_MECHANISM_TYPE type);
bool mechanism_offers(CK_MECHANISM_TYPE type, CK_FLAGS flag);

/* Searches until the end; stores at most max handles and returns how many there were. */
CK_ULONG find_all(CK_SESSION_HANDLE session, CK_ATTRIBUTE *attributes, CK_ULONG count,
                  CK_OBJECT_HANDLE *ret_objects, CK_ULONG max);

/* An attribute's value, in a static buffer that the next call overwrites. */
const unsigned char *attribute(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object,
                               CK_ATTRIBUTE_TYPE type, CK_ULONG *ret_size);
bool attribute_bool(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object, CK_ATTRIBUTE_TYPE type);
CK_ULONG attribute_ulong(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object,
                         CK_ATTRIBUTE_TYPE type);

Suite *concurrency_suite(void);
Suite *crypt_parts_suite(void);
Suite *demands_suite(void);
Suite *derive_suite(void);
Suite *digest_suite(void);
Suite *edge_cases_suite(void);
Suite *encrypt_decrypt_suite(void);
Suite *find_suite(void);
Suite *fork_suite(void);
Suite *general_suite(void);
Suite *interface_suite(void);
Suite *key_pair_suite(void);
Suite *login_suite(void);
Suite *message_sign_suite(void);
Suite *message_suite(void);
Suite *not_supported_suite(void);
Suite *object_suite(void);
Suite *operation_suite(void);
Suite *random_suite(void);
Suite *recover_suite(void);
Suite *refused_suite(void);
Suite *role_memory_suite(void);
Suite *roles_suite(void);
Suite *secret_key_suite(void);
Suite *session_suite(void);
Suite *sign_verify_suite(void);
Suite *slot_token_suite(void);
Suite *wrap_suite(void);
Suite *write_protected_suite(void);
Suite *wrong_key_suite(void);

#endif
