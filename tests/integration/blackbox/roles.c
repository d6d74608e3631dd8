/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Roles that can't be abused: whoever can wrap a key with another and decrypt with the same
 * one has its value in the clear, whatever CKA_SENSITIVE says. So a key that wraps or unwraps
 * neither encrypts nor decrypts, whichever way it came to be: each pair of roles is tried in
 * each of the ways.
 */
#include "blackbox.h"
#include "pair.h"

#include <openssl/ec.h>
#include <openssl/evp.h>

static CK_BBOOL yes = CK_TRUE, no = CK_FALSE;
static CK_OBJECT_CLASS secret_key = CKO_SECRET_KEY;
static CK_KEY_TYPE aes = CKK_AES;
static CK_ULONG length = 16;
static unsigned char value[16] = "a key of a case", wrapped[64]; /* of the case: renew */
static CK_ULONG wrapped_size;
static CK_MECHANISM kwp = { CKM_AES_KEY_WRAP_KWP, NULL, 0 };
static CK_OBJECT_HANDLE wrapper, base; /* of those ways that need one */
static CK_ECDH1_DERIVE_PARAMS parameter;
static unsigned char point[65];

#define IS(type, variable) ATTRIBUTE(type, &(variable), sizeof(variable))

static const CK_ATTRIBUTE_TYPE roles[] = { CKA_ENCRYPT, CKA_DECRYPT, CKA_WRAP, CKA_UNWRAP,
	                                   CKA_SIGN, CKA_VERIFY, CKA_DERIVE };

static bool
wraps(CK_ATTRIBUTE_TYPE role)
{
	return role == CKA_WRAP || role == CKA_UNWRAP;
}

static bool
crypts(CK_ATTRIBUTE_TYPE role)
{
	return role == CKA_ENCRYPT || role == CKA_DECRYPT;
}

static bool
conflict(CK_ATTRIBUTE_TYPE one, CK_ATTRIBUTE_TYPE other)
{
	return (wraps(one) && crypts(other)) || (crypts(one) && wraps(other));
}

/* A template for a key of these roles: what is created has a value, what is generated a length. */
struct request {
	CK_ATTRIBUTE attributes[8];
	CK_ULONG count;
};

static struct request
request(CK_ATTRIBUTE_TYPE one, CK_ATTRIBUTE_TYPE other)
{
	struct request made = { { IS(CKA_CLASS, secret_key), IS(CKA_KEY_TYPE, aes), IS(CKA_TOKEN, no),
		                  IS(CKA_PRIVATE, no), IS(one, yes) }, 5 };

	if (other != one)
		made.attributes[made.count++] = (CK_ATTRIBUTE)IS(other, yes);
	return made;
}

static CK_RV
create(CK_SESSION_HANDLE session, CK_ATTRIBUTE_TYPE one, CK_ATTRIBUTE_TYPE other,
       CK_OBJECT_HANDLE *ret_key)
{
	struct request made = request(one, other);

	made.attributes[made.count++] = (CK_ATTRIBUTE)IS(CKA_VALUE, value);
	return p11->C_CreateObject(session, made.attributes, made.count, ret_key);
}

static CK_RV
generate(CK_SESSION_HANDLE session, CK_ATTRIBUTE_TYPE one, CK_ATTRIBUTE_TYPE other)
{
	CK_MECHANISM mechanism = { CKM_AES_KEY_GEN, NULL, 0 };
	struct request made = request(one, other);
	CK_OBJECT_HANDLE key;

	made.attributes[made.count++] = (CK_ATTRIBUTE)IS(CKA_VALUE_LEN, length);
	return p11->C_GenerateKey(session, &mechanism, made.attributes, made.count, &key);
}

static CK_RV
create_both(CK_SESSION_HANDLE session, CK_ATTRIBUTE_TYPE one, CK_ATTRIBUTE_TYPE other)
{
	CK_OBJECT_HANDLE key;

	return create(session, one, other, &key);
}

/* The same key twice: once for each. */
static CK_RV
create_twice(CK_SESSION_HANDLE session, CK_ATTRIBUTE_TYPE one, CK_ATTRIBUTE_TYPE other)
{
	CK_OBJECT_HANDLE key;

	expect(CKR_OK, create(session, one, one, &key));
	return create(session, other, other, &key);
}

static CK_RV
copy(CK_SESSION_HANDLE session, CK_ATTRIBUTE_TYPE one, CK_ATTRIBUTE_TYPE other)
{
	CK_ATTRIBUTE more = IS(other, yes);
	CK_OBJECT_HANDLE key, second;

	expect(CKR_OK, create(session, one, one, &key));
	return p11->C_CopyObject(session, key, &more, 1, &second);
}

/* The copy gives up the one role for the other, but the original keeps it. */
static CK_RV
copy_exchanged(CK_SESSION_HANDLE session, CK_ATTRIBUTE_TYPE one, CK_ATTRIBUTE_TYPE other)
{
	CK_ATTRIBUTE exchange[] = { IS(one, no), IS(other, yes) };
	CK_OBJECT_HANDLE key, second;

	expect(CKR_OK, create(session, one, one, &key));
	return p11->C_CopyObject(session, key, one == other ? exchange + 1 : exchange,
	                         one == other ? 1 : 2, &second);
}

static CK_RV
set(CK_SESSION_HANDLE session, CK_ATTRIBUTE_TYPE one, CK_ATTRIBUTE_TYPE other)
{
	CK_ATTRIBUTE more = IS(other, yes);
	CK_OBJECT_HANDLE key;

	expect(CKR_OK, create(session, one, one, &key));
	return p11->C_SetAttributeValue(session, key, &more, 1);
}

/* One role after the other is as bad as both at once. */
static CK_RV
set_exchanged(CK_SESSION_HANDLE session, CK_ATTRIBUTE_TYPE one, CK_ATTRIBUTE_TYPE other)
{
	CK_ATTRIBUTE exchange[] = { IS(one, no), IS(other, yes) };
	CK_OBJECT_HANDLE key;

	expect(CKR_OK, create(session, one, one, &key));
	return p11->C_SetAttributeValue(session, key, one == other ? exchange + 1 : exchange,
	                                one == other ? 1 : 2);
}

static CK_RV
set_in_turn(CK_SESSION_HANDLE session, CK_ATTRIBUTE_TYPE one, CK_ATTRIBUTE_TYPE other)
{
	CK_ATTRIBUTE less = IS(one, no), more = IS(other, yes);
	CK_OBJECT_HANDLE key;

	expect(CKR_OK, create(session, one, one, &key));
	expect(CKR_OK, p11->C_SetAttributeValue(session, key, &less, 1));
	return p11->C_SetAttributeValue(session, key, &more, 1);
}

static CK_RV
unwrap(CK_SESSION_HANDLE session, CK_ATTRIBUTE_TYPE one, CK_ATTRIBUTE_TYPE other)
{
	struct request made = request(one, other);
	CK_OBJECT_HANDLE key;

	return p11->C_UnwrapKey(session, &kwp, wrapper, wrapped, wrapped_size, made.attributes,
	                        made.count, &key);
}

/* What was wrapped with a key that is gone is still there. */
static CK_RV
unwrap_after(CK_SESSION_HANDLE session, CK_ATTRIBUTE_TYPE one, CK_ATTRIBUTE_TYPE other)
{
	struct request made = request(one, one);
	CK_OBJECT_HANDLE key;

	expect(CKR_OK, p11->C_UnwrapKey(session, &kwp, wrapper, wrapped, wrapped_size,
	                                made.attributes, made.count, &key));
	expect(CKR_OK, p11->C_DestroyObject(session, key));
	return unwrap(session, other, other);
}

static CK_RV
unwrap_twice(CK_SESSION_HANDLE session, CK_ATTRIBUTE_TYPE one, CK_ATTRIBUTE_TYPE other)
{
	expect(CKR_OK, unwrap(session, one, one));
	return unwrap(session, other, other);
}

static CK_RV
derive(CK_SESSION_HANDLE session, CK_ATTRIBUTE_TYPE one, CK_ATTRIBUTE_TYPE other)
{
	CK_MECHANISM ecdh = { CKM_ECDH1_DERIVE, &parameter, sizeof(parameter) };
	struct request made = request(one, other);
	CK_OBJECT_HANDLE key;

	made.attributes[made.count++] = (CK_ATTRIBUTE)IS(CKA_VALUE_LEN, length);
	return p11->C_DeriveKey(session, &ecdh, base, made.attributes, made.count, &key);
}

static CK_RV
derive_twice(CK_SESSION_HANDLE session, CK_ATTRIBUTE_TYPE one, CK_ATTRIBUTE_TYPE other)
{
	expect(CKR_OK, derive(session, one, one));
	return derive(session, other, other);
}

static const struct {
	const char *name;
	CK_RV (*make)(CK_SESSION_HANDLE session, CK_ATTRIBUTE_TYPE one, CK_ATTRIBUTE_TYPE other);
	bool after; /* one key after the other: what matters is that nothing wrapped is decrypted */
} ways[] = {
	{ "generate", generate, false },
	{ "create", create_both, false },
	{ "create twice", create_twice, false },
	{ "copy", copy, false },
	{ "copy, exchanged", copy_exchanged, false },
	{ "set", set, false },
	{ "set, exchanged", set_exchanged, false },
	{ "set, in turn", set_in_turn, false },
	{ "unwrap", unwrap, false },
	{ "unwrap twice", unwrap_twice, false },
	{ "unwrap, destroy, unwrap", unwrap_after, true },
	{ "derive", derive, false },
	{ "derive twice", derive_twice, false },
};

/* In a session that stays: a wrapping key, one that it has wrapped, and one that derives. */
static void
prepare(CK_SESSION_HANDLE session)
{
	CK_MECHANISM pair = { CKM_EC_KEY_PAIR_GEN, NULL, 0 }, key = { CKM_AES_KEY_GEN, NULL, 0 };
	CK_ATTRIBUTE of_wrapper[] = { IS(CKA_TOKEN, no), IS(CKA_PRIVATE, no), IS(CKA_VALUE_LEN, length),
		                      IS(CKA_WRAP, yes), IS(CKA_UNWRAP, yes) };
	CK_ATTRIBUTE of_public[] = {
		ATTRIBUTE(CKA_EC_PARAMS, "\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07", 10),
		IS(CKA_TOKEN, no), IS(CKA_VERIFY, no),
	};
	CK_ATTRIBUTE of_private[] = { IS(CKA_TOKEN, no), IS(CKA_DERIVE, yes), IS(CKA_SIGN, no) };
	CK_OBJECT_HANDLE public;

	expect(CKR_OK, p11->C_GenerateKey(session, &key, of_wrapper, COUNT(of_wrapper), &wrapper));
	expect(CKR_OK, p11->C_GenerateKeyPair(session, &pair, of_public, COUNT(of_public), of_private,
	                                      COUNT(of_private), &public, &base));
}

/* Another value for the next case, in the clear, wrapped, and to be derived: roles stay known. */
static void
renew(CK_SESSION_HANDLE session)
{
	EVP_PKEY *other = EVP_EC_gen("P-256");
	CK_OBJECT_HANDLE target;
	size_t size;

	if (++value[0] == 0)
		value[1]++;
	expect(CKR_OK, create(session, CKA_SIGN, CKA_SIGN, &target));
	wrapped_size = sizeof(wrapped);
	expect(CKR_OK, p11->C_WrapKey(session, &kwp, wrapper, target, wrapped, &wrapped_size));
	expect(CKR_OK, p11->C_DestroyObject(session, target));
	ck_assert(EVP_PKEY_get_octet_string_param(other, "encoded-pub-key", point, sizeof(point), &size));
	EVP_PKEY_free(other);
	parameter = (CK_ECDH1_DERIVE_PARAMS){ .kdf = CKD_NULL, .ulPublicDataLen = sizeof(point),
		                              .pPublicData = point };
}

/* The answer that a way must give. */
static CK_RV
right_answer(int way, CK_ATTRIBUTE_TYPE one, CK_ATTRIBUTE_TYPE other)
{
	bool refused = ways[way].after ? wraps(one) && crypts(other) : conflict(one, other);

	return refused ? CKR_TEMPLATE_INCONSISTENT : CKR_OK;
}

START_TEST(secret_keys)
{
	CK_SESSION_HANDLE keeper = session_user(0), session;
	CK_RV rv, right;

	if (!mechanism_offers(CKM_AES_KEY_WRAP_KWP, CKF_WRAP) ||
	    !mechanism_offers(CKM_ECDH1_DERIVE, CKF_DERIVE))
		return;
	prepare(keeper);
	for (size_t i = 0; i < COUNT(roles); i++) {
		for (size_t j = 0; j < COUNT(roles); j++) {
			session = session_public(0); /* the keys of a case go with its session */
			renew(session);
			right = right_answer(_i, roles[i], roles[j]);
			rv = ways[_i].make(session, roles[i], roles[j]);
			ck_assert_msg(rv == right, "%s, 0x%lx and 0x%lx: 0x%lx instead of 0x%lx",
			              ways[_i].name, roles[i], roles[j], rv, right);
			expect(CKR_OK, p11->C_CloseSession(session));
		}
	}
}
END_TEST

/*
 * Pairs: tools ask for more than they need, and get one of both. Whatever is asked for, what
 * came of it does not have both.
 */
START_TEST(pairs)
{
	static const CK_ATTRIBUTE_TYPE of_public[] = { CKA_ENCRYPT, CKA_WRAP, CKA_VERIFY };
	static const CK_ATTRIBUTE_TYPE of_private[] = { CKA_DECRYPT, CKA_UNWRAP, CKA_SIGN };
	CK_SESSION_HANDLE session = session_user(0);
	CK_MECHANISM mechanism = { CKM_RSA_PKCS_KEY_PAIR_GEN, NULL, 0 };
	CK_ULONG bits = 1024;
	CK_OBJECT_HANDLE public, private;

	if (!pair_offered(PAIR_RSA) || !mechanism_offers(CKM_AES_KEY_WRAP_KWP, CKF_WRAP))
		return;
	for (size_t i = 0; i < COUNT(of_private); i++) {
		for (size_t j = i; j < COUNT(of_private); j++) {
			CK_ATTRIBUTE public_template[] = { IS(CKA_TOKEN, no), IS(CKA_MODULUS_BITS, bits),
				                           IS(of_public[i], yes), IS(of_public[j], yes) };
			CK_ATTRIBUTE private_template[] = { IS(CKA_TOKEN, no), IS(of_private[i], yes),
				                            IS(of_private[j], yes) };
			CK_ULONG same = i == j;

			expect(CKR_OK, p11->C_GenerateKeyPair(session, &mechanism, public_template,
			                                      4 - same, private_template, 3 - same,
			                                      &public, &private));
			ck_assert(!attribute_bool(session, private, CKA_DECRYPT) ||
			          !attribute_bool(session, private, CKA_UNWRAP));
			ck_assert(!attribute_bool(session, public, CKA_ENCRYPT) ||
			          !attribute_bool(session, public, CKA_WRAP));
			ck_assert_int_eq(attribute_bool(session, private, CKA_DECRYPT),
			                 i == 0 || j == 0);
			ck_assert_int_eq(attribute_bool(session, private, CKA_SIGN), i == 2 || j == 2);
		}
	}
}
END_TEST

Suite *
roles_suite(void)
{
	Suite *suite = suite_create("roles");
	TCase *tcase = started_case(suite, "started");

	tcase_set_timeout(tcase, 60);
	tcase_add_loop_test(tcase, secret_keys, 0, COUNT(ways));
	tcase_add_test(tcase, pairs);
	return suite;
}
