/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is remembered of a secret value, whatever becomes of the objects that have it: the roles
 * it is in for as long as anything works with it, and what protects it (CKA_SENSITIVE,
 * CKA_EXTRACTABLE, CKA_WRAP_WITH_TRUSTED: table 10, footnotes 11 and 12) from then on.
 */
#include "blackbox.h"

#include <openssl/ec.h>
#include <openssl/evp.h>

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

static const struct {
	CK_ATTRIBUTE_TYPE type;
	const CK_BBOOL *guards, *opposite;
} protections[] = {
	{ CKA_SENSITIVE, &yes, &no },
	{ CKA_EXTRACTABLE, &no, &yes },
	{ CKA_WRAP_WITH_TRUSTED, &yes, &no },
};

static CK_RV (*const comings[])(CK_SESSION_HANDLE session, CK_ATTRIBUTE one, CK_ATTRIBUTE other,
                                CK_OBJECT_HANDLE *ret_key) = { create, unwrap };

static bool
guarded(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE key, int which)
{
	return attribute_bool(session, key, protections[which].type) == *protections[which].guards;
}

/* However the value comes back: it is protected as it was, or refused where that is not wanted. */
static void
comes_back_guarded(CK_SESSION_HANDLE session, int which)
{
	CK_ATTRIBUTE label = ATTRIBUTE(CKA_LABEL, "k", 1), signs = IS(CKA_SIGN, yes);
	CK_ATTRIBUTE without = ATTRIBUTE(protections[which].type, protections[which].opposite, 1);
	CK_OBJECT_HANDLE key;

	for (size_t i = 0; i < COUNT(comings); i++) {
		expect(CKR_TEMPLATE_INCONSISTENT, comings[i](session, without, signs, &key));
		expect(CKR_OK, comings[i](session, label, signs, &key));
		ck_assert(guarded(session, key, which));
		expect(CKR_OK, p11->C_DestroyObject(session, key));
	}
}

START_TEST(protected_for_good)
{
	CK_SESSION_HANDLE session = session_public(0), owner = session_public(0);
	CK_ATTRIBUTE signs = IS(CKA_SIGN, yes), label = ATTRIBUTE(CKA_LABEL, "k", 1);
	CK_ATTRIBUTE guard = ATTRIBUTE(protections[_i].type, protections[_i].guards, 1);
	CK_OBJECT_HANDLE key;

	if (!has_keys())
		return;
	/* Created so, and while it is there; unwrapped so; destroyed; gone with its session. */
	prepare(session);
	expect(CKR_OK, create(session, guard, signs, &key));
	comes_back_guarded(session, _i);
	expect(CKR_OK, p11->C_DestroyObject(session, key));
	comes_back_guarded(session, _i);
	value[0]++;
	prepare(session);
	expect(CKR_OK, unwrap(owner, guard, signs, &key));
	expect(CKR_OK, p11->C_CloseSession(owner));
	comes_back_guarded(session, _i);
	/* Protected later. */
	value[0]++;
	prepare(session);
	expect(CKR_OK, create(session, label, signs, &key));
	expect(CKR_OK, p11->C_SetAttributeValue(session, key, &guard, 1));
	comes_back_guarded(session, _i);
	/* A copy. */
	value[0]++;
	prepare(session);
	expect(CKR_OK, create(session, label, signs, &key));
	expect(CKR_OK, p11->C_CopyObject(session, key, &guard, 1, &key));
	comes_back_guarded(session, _i);
	/* Another value is none of this one's. */
	value[0]++;
	expect(CKR_OK, create(session, label, signs, &key));
	ck_assert(!guarded(session, key, _i));
}
END_TEST

/* An object that has the value already, and can be read, stays as it is; its copies don't. */
START_TEST(older_objects)
{
	CK_SESSION_HANDLE session = session_public(0);
	CK_ATTRIBUTE signs = IS(CKA_SIGN, yes), label = ATTRIBUTE(CKA_LABEL, "k", 1);
	CK_ATTRIBUTE guard = ATTRIBUTE(protections[_i].type, protections[_i].guards, 1);
	CK_ATTRIBUTE without = ATTRIBUTE(protections[_i].type, protections[_i].opposite, 1);
	CK_OBJECT_HANDLE older, newer, copy;

	if (!has_keys())
		return;
	expect(CKR_OK, create(session, signs, label, &older));
	expect(CKR_OK, create(session, signs, guard, &newer));
	expect(CKR_OK, p11->C_SetAttributeValue(session, older, &label, 1));
	ck_assert(!guarded(session, older, _i));
	expect(CKR_TEMPLATE_INCONSISTENT, p11->C_CopyObject(session, older, &without, 1, &copy));
	expect(CKR_OK, p11->C_CopyObject(session, older, &label, 1, &copy));
	ck_assert(guarded(session, copy, _i));
	ck_assert(!guarded(session, older, _i));
}
END_TEST

/* What was wrapped while it was readable is not read when it is unwrapped. */
START_TEST(not_read_unwrapped)
{
	CK_SESSION_HANDLE session = session_public(0);
	CK_MECHANISM generate = { CKM_AES_KEY_GEN, NULL, 0 };
	CK_ATTRIBUTE of_key[] = { IS(CKA_TOKEN, no), IS(CKA_PRIVATE, no), IS(CKA_VALUE_LEN, length),
		                  IS(CKA_SENSITIVE, yes), IS(CKA_EXTRACTABLE, yes) };
	CK_ATTRIBUTE sealed = IS(CKA_EXTRACTABLE, no), label = ATTRIBUTE(CKA_LABEL, "k", 1);
	unsigned char bytes[16];
	CK_ATTRIBUTE read = ATTRIBUTE(CKA_VALUE, bytes, sizeof(bytes));
	CK_OBJECT_HANDLE key, again;

	if (!has_keys())
		return;
	prepare(session);
	expect(CKR_OK, p11->C_GenerateKey(session, &generate, of_key, COUNT(of_key), &key));
	wrapped_size = sizeof(wrapped);
	expect(CKR_OK, p11->C_WrapKey(session, &kwp, wrapper, key, wrapped, &wrapped_size));
	expect(CKR_OK, p11->C_SetAttributeValue(session, key, &sealed, 1));
	expect(CKR_OK, p11->C_DestroyObject(session, key));
	expect(CKR_OK, unwrap(session, label, label, &again));
	expect(CKR_ATTRIBUTE_SENSITIVE, p11->C_GetAttributeValue(session, again, &read, 1));
	expect(CKR_KEY_UNEXTRACTABLE,
	       p11->C_WrapKey(session, &kwp, wrapper, again, wrapped, &wrapped_size));
}
END_TEST

static CK_RV
derive(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE base, CK_ATTRIBUTE more, CK_OBJECT_HANDLE *ret_key)
{
	static unsigned char point[65];
	static size_t size;
	CK_ECDH1_DERIVE_PARAMS parameter = { .kdf = CKD_NULL, .ulPublicDataLen = sizeof(point),
		                             .pPublicData = point };
	CK_MECHANISM ecdh = { CKM_ECDH1_DERIVE, &parameter, sizeof(parameter) };
	CK_ATTRIBUTE template[] = { IS(CKA_CLASS, secret_key), IS(CKA_KEY_TYPE, aes),
		                    IS(CKA_TOKEN, no), IS(CKA_PRIVATE, no), IS(CKA_VALUE_LEN, length),
		                    more };
	EVP_PKEY *other;

	if (size == 0) {
		other = EVP_EC_gen("P-256");
		ck_assert(EVP_PKEY_get_octet_string_param(other, "encoded-pub-key", point,
		                                          sizeof(point), &size));
		EVP_PKEY_free(other);
	}
	return p11->C_DeriveKey(session, &ecdh, base, template, COUNT(template), ret_key);
}

START_TEST(derived_again)
{
	CK_SESSION_HANDLE session = session_user(0);
	CK_MECHANISM generate = { CKM_EC_KEY_PAIR_GEN, NULL, 0 };
	CK_ATTRIBUTE of_public[] = {
		ATTRIBUTE(CKA_EC_PARAMS, "\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07", 10),
		IS(CKA_TOKEN, no), IS(CKA_VERIFY, no),
	};
	CK_ATTRIBUTE of_private[] = { IS(CKA_TOKEN, no), IS(CKA_DERIVE, yes), IS(CKA_SIGN, no) };
	CK_ATTRIBUTE guard = ATTRIBUTE(protections[_i].type, protections[_i].guards, 1);
	CK_ATTRIBUTE without = ATTRIBUTE(protections[_i].type, protections[_i].opposite, 1);
	CK_ATTRIBUTE label = ATTRIBUTE(CKA_LABEL, "k", 1);
	CK_OBJECT_HANDLE public, base, key;

	if (!has_keys() || !mechanism_offers(CKM_ECDH1_DERIVE, CKF_DERIVE))
		return;
	expect(CKR_OK, p11->C_GenerateKeyPair(session, &generate, of_public, COUNT(of_public),
	                                      of_private, COUNT(of_private), &public, &base));
	expect(CKR_OK, derive(session, base, guard, &key));
	expect(CKR_OK, p11->C_DestroyObject(session, key));
	expect(CKR_OK, derive(session, base, label, &key));
	ck_assert(guarded(session, key, _i));
	expect(CKR_TEMPLATE_INCONSISTENT, derive(session, base, without, &key));
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
	tcase_add_loop_test(tcase, protected_for_good, 0, COUNT(protections));
	tcase_add_loop_test(tcase, older_objects, 0, COUNT(protections));
	tcase_add_test(tcase, not_read_unwrapped);
	tcase_add_loop_test(tcase, derived_again, 0, COUNT(protections));
	return suite;
}
