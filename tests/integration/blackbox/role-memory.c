/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is remembered of a secret value, whatever becomes of the objects that have it: the roles
 * it is in for as long as anything works with it, and what protects it (CKA_SENSITIVE,
 * CKA_EXTRACTABLE, CKA_WRAP_WITH_TRUSTED: table 10, footnotes 11 and 12) from then on.
 */
#include "blackbox.h"

static CK_BBOOL yes = CK_TRUE, no = CK_FALSE;
static CK_OBJECT_CLASS secret_key = CKO_SECRET_KEY;
static CK_KEY_TYPE aes = CKK_AES;
static CK_ULONG length = 16;
static unsigned char value[16] = "a key of a case", wrapped[64];
static CK_ULONG wrapped_size;
static CK_MECHANISM kwp = { CKM_AES_KEY_WRAP_KWP, NULL, 0 }, ecb = { CKM_AES_ECB, NULL, 0 };
static CK_MECHANISM gcm = { CKM_AES_GCM, NULL, 0 };
static CK_OBJECT_HANDLE wrapper;

#define IS(type, variable) ATTRIBUTE(type, &(variable), sizeof(variable))

static bool
has_keys(void)
{
	return mechanism_offers(CKM_AES_KEY_WRAP_KWP, CKF_WRAP) &&
	       mechanism_offers(CKM_AES_ECB, CKF_DECRYPT);
}

/* A key with the value, two attributes besides, and CKA_PRIVATE false unless one of them says so. */
static CK_RV
create(CK_SESSION_HANDLE session, CK_ATTRIBUTE one, CK_ATTRIBUTE other, CK_OBJECT_HANDLE *ret_key)
{
	CK_ATTRIBUTE template[] = { IS(CKA_CLASS, secret_key), IS(CKA_KEY_TYPE, aes),
		                    IS(CKA_TOKEN, no), IS(CKA_VALUE, value), one, other,
		                    IS(CKA_PRIVATE, no) };
	CK_ULONG count = COUNT(template) - (other.type == CKA_PRIVATE);

	return p11->C_CreateObject(session, template, count, ret_key);
}

/* The same value, unwrapped. */
static CK_RV
unwrap(CK_SESSION_HANDLE session, CK_ATTRIBUTE one, CK_ATTRIBUTE other, CK_OBJECT_HANDLE *ret_key)
{
	CK_ATTRIBUTE template[] = { IS(CKA_CLASS, secret_key), IS(CKA_KEY_TYPE, aes),
		                    IS(CKA_TOKEN, no), IS(CKA_PRIVATE, no), one, other };

	return p11->C_UnwrapKey(session, &kwp, wrapper, wrapped, wrapped_size, template,
	                        COUNT(template), ret_key);
}

/* In a session that stays: a key that wraps and unwraps, and the value, wrapped with it. */
static void
prepare(CK_SESSION_HANDLE session)
{
	CK_MECHANISM generate = { CKM_AES_KEY_GEN, NULL, 0 };
	CK_ATTRIBUTE of_wrapper[] = { IS(CKA_TOKEN, no), IS(CKA_PRIVATE, no), IS(CKA_VALUE_LEN, length),
		                      IS(CKA_WRAP, yes), IS(CKA_UNWRAP, yes) };
	CK_ATTRIBUTE signs = IS(CKA_SIGN, yes), label = ATTRIBUTE(CKA_LABEL, "k", 1);
	CK_OBJECT_HANDLE key;

	expect(CKR_OK, p11->C_GenerateKey(session, &generate, of_wrapper, COUNT(of_wrapper), &wrapper));
	expect(CKR_OK, create(session, signs, label, &key));
	wrapped_size = sizeof(wrapped);
	expect(CKR_OK, p11->C_WrapKey(session, &kwp, wrapper, key, wrapped, &wrapped_size));
	expect(CKR_OK, p11->C_DestroyObject(session, key));
}

/* What still works with a key when its handle is gone. */
static CK_RV
decrypting(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE key)
{
	return p11->C_DecryptInit(session, &ecb, key);
}

static CK_RV
encrypting(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE key)
{
	return p11->C_EncryptInit(session, &ecb, key);
}

static CK_RV
decrypting_messages(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE key)
{
	return p11_3->C_MessageDecryptInit(session, &gcm, key);
}

static CK_RV
encrypting_messages(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE key)
{
	return p11_3->C_MessageEncryptInit(session, &gcm, key);
}

static const struct {
	CK_RV (*begin)(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE key);
	CK_ATTRIBUTE_TYPE verb;
	bool messages;
} operations[] = {
	{ decrypting, CKA_DECRYPT, false },
	{ encrypting, CKA_ENCRYPT, false },
	{ decrypting_messages, CKA_DECRYPT, true },
	{ encrypting_messages, CKA_ENCRYPT, true },
};

static void
destroy(CK_SESSION_HANDLE owner, CK_OBJECT_HANDLE key)
{
	expect(CKR_OK, p11->C_DestroyObject(owner, key));
}

static void
log_out(CK_SESSION_HANDLE owner, CK_OBJECT_HANDLE key)
{
	(void)key;
	expect(CKR_OK, p11->C_Logout(owner));
}

static void
close_owner(CK_SESSION_HANDLE owner, CK_OBJECT_HANDLE key)
{
	(void)key;
	expect(CKR_OK, p11->C_CloseSession(owner));
}

static void (*const departures[])(CK_SESSION_HANDLE owner, CK_OBJECT_HANDLE key) = {
	destroy, log_out, close_owner,
};

/*
 * A key that decrypts is gone, but not what works with it: meanwhile its value wraps nothing,
 * for what it wrapped could be decrypted. Afterwards it may.
 */
START_TEST(operations_go_on)
{
	CK_SESSION_HANDLE keeper = session_user(0), owner = session_public(0);
	CK_SESSION_HANDLE worker = session_public(0);
	CK_ATTRIBUTE wraps = IS(CKA_WRAP, yes), unwraps = IS(CKA_UNWRAP, yes);
	CK_ATTRIBUTE verb = IS(operations[_i].verb, yes), private = IS(CKA_PRIVATE, no);
	CK_OBJECT_HANDLE key;

	if (!has_keys() || (operations[_i].messages && !p11_3))
		return;
	private.pValue = login_required() ? &yes : &no;
	for (size_t i = 0; i < COUNT(departures); i++) {
		if (departures[i] == log_out && !login_required())
			continue;
		value[0]++;
		expect(CKR_OK, create(owner, verb, private, &key));
		expect(CKR_OK, operations[_i].begin(worker, key));
		departures[i](owner, key);
		expect(CKR_TEMPLATE_INCONSISTENT, create(keeper, wraps, unwraps, &key));
		expect(CKR_OK, p11->C_CloseSession(worker));
		worker = session_public(0);
		expect(CKR_OK, create(keeper, wraps, unwraps, &key));
		if (departures[i] == log_out)
			login(keeper);
	}
}
END_TEST

/* The same with a key that comes back unwrapped. */
START_TEST(unwrapped_meanwhile)
{
	CK_SESSION_HANDLE session = session_public(0), worker = session_public(0);
	CK_ATTRIBUTE decrypts = IS(CKA_DECRYPT, yes), wraps = IS(CKA_WRAP, yes);
	CK_ATTRIBUTE label = ATTRIBUTE(CKA_LABEL, "k", 1);
	CK_OBJECT_HANDLE key;

	if (!has_keys())
		return;
	prepare(session);
	expect(CKR_OK, unwrap(session, decrypts, label, &key));
	expect(CKR_OK, p11->C_DecryptInit(worker, &ecb, key));
	expect(CKR_OK, p11->C_DestroyObject(session, key));
	expect(CKR_TEMPLATE_INCONSISTENT, unwrap(session, wraps, label, &key));
	expect(CKR_OK, p11->C_CloseSession(worker));
	expect(CKR_OK, unwrap(session, wraps, label, &key));
}
END_TEST

/* A session of another token of the module, where there is one that gives it without a login. */
static bool
other_session(CK_SESSION_HANDLE *ret_session)
{
	CK_SLOT_ID slots[16];
	CK_ULONG count = COUNT(slots);

	expect(CKR_OK, p11->C_GetSlotList(CK_TRUE, slots, &count));
	for (CK_ULONG i = 0; i < count; i++)
		if (slots[i] != token_slot &&
		    p11->C_OpenSession(slots[i], CKF_SERIAL_SESSION, NULL, NULL, ret_session) == CKR_OK)
			return true;
	return false;
}

/* Two tokens of a module don't decrypt with the one what was wrapped with the other. */
START_TEST(of_all_tokens)
{
	CK_SESSION_HANDLE session = session_public(0), other;
	CK_ATTRIBUTE decrypts = IS(CKA_DECRYPT, yes), wraps = IS(CKA_WRAP, yes);
	CK_ATTRIBUTE label = ATTRIBUTE(CKA_LABEL, "k", 1);
	CK_OBJECT_HANDLE key;

	if (!has_keys() || !other_session(&other))
		return;
	expect(CKR_OK, create(other, wraps, label, &key));
	expect(CKR_TEMPLATE_INCONSISTENT, create(session, decrypts, label, &key));
	expect(CKR_OK, p11->C_CloseSession(other));
	expect(CKR_TEMPLATE_INCONSISTENT, create(session, decrypts, label, &key));
}
END_TEST

Suite *
role_memory_suite(void)
{
	Suite *suite = suite_create("role-memory");
	TCase *tcase = started_case(suite, "started");

	tcase_add_loop_test(tcase, operations_go_on, 0, COUNT(operations));
	tcase_add_test(tcase, unwrapped_meanwhile);
	tcase_add_test(tcase, of_all_tokens);
	return suite;
}
