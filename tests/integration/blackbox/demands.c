/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a key demands of its use, and is obeyed in: CKA_WRAP_WITH_TRUSTED, the templates of
 * wrapping, unwrapping and deriving keys (sections 4.8 to 4.10), CKA_ALLOWED_MECHANISMS
 * (section 4.7).
 */
#include "blackbox.h"
#include "pair.h"

#include <openssl/ec.h>
#include <openssl/evp.h>

static CK_BBOOL yes = CK_TRUE, no = CK_FALSE;
static CK_OBJECT_CLASS secret_key = CKO_SECRET_KEY;
static CK_KEY_TYPE aes = CKK_AES;
static unsigned char bytes[512];
static CK_ULONG size;
static CK_MECHANISM kwp = { CKM_AES_KEY_WRAP_KWP, NULL, 0 };
static CK_RSA_PKCS_OAEP_PARAMS oaep_parameter = { CKM_SHA_1, CKG_MGF1_SHA1, CKZ_DATA_SPECIFIED, NULL, 0 };
static CK_MECHANISM oaep = { CKM_RSA_PKCS_OAEP, &oaep_parameter, sizeof(oaep_parameter) };

#define IS(type, variable) ATTRIBUTE(type, &(variable), sizeof(variable))

static bool
has_keys(void)
{
	return mechanism_offers(CKM_AES_KEY_WRAP_KWP, CKF_WRAP) &&
	       mechanism_offers(CKM_AES_KEY_GEN, CKF_GENERATE);
}

/* An AES key of 256 bits with a role and something else. */
static CK_RV
generate(CK_SESSION_HANDLE session, CK_ATTRIBUTE role, CK_ATTRIBUTE more, CK_OBJECT_HANDLE *ret_key)
{
	CK_MECHANISM mechanism = { CKM_AES_KEY_GEN, NULL, 0 };
	CK_ULONG length = 32;
	CK_ATTRIBUTE template[] = { IS(CKA_TOKEN, no), IS(CKA_PRIVATE, no), IS(CKA_VALUE_LEN, length),
		                    IS(CKA_EXTRACTABLE, yes), role, more };

	return p11->C_GenerateKey(session, &mechanism, template, COUNT(template), ret_key);
}

static CK_OBJECT_HANDLE
key_with(CK_SESSION_HANDLE session, CK_ATTRIBUTE_TYPE role, CK_ATTRIBUTE more)
{
	CK_ATTRIBUTE of_role = IS(role, yes);
	CK_OBJECT_HANDLE key;

	expect(CKR_OK, generate(session, of_role, more, &key));
	return key;
}

static CK_OBJECT_HANDLE
labelled(CK_SESSION_HANDLE session, CK_ATTRIBUTE_TYPE role, const char *label)
{
	return key_with(session, role, (CK_ATTRIBUTE)ATTRIBUTE(CKA_LABEL, label, strlen(label)));
}

static CK_RV
wrap(CK_SESSION_HANDLE session, CK_MECHANISM *mechanism, CK_OBJECT_HANDLE wrapper,
     CK_OBJECT_HANDLE key)
{
	size = sizeof(bytes);
	return p11->C_WrapKey(session, mechanism, wrapper, key, bytes, &size);
}

/* Unwraps what was wrapped last, with one attribute more. */
static CK_RV
unwrap(CK_SESSION_HANDLE session, CK_MECHANISM *mechanism, CK_OBJECT_HANDLE wrapper,
       CK_ATTRIBUTE more, CK_OBJECT_HANDLE *ret_key)
{
	CK_ATTRIBUTE template[] = { IS(CKA_CLASS, secret_key), IS(CKA_KEY_TYPE, aes),
		                    IS(CKA_TOKEN, no), IS(CKA_PRIVATE, no), more };

	return p11->C_UnwrapKey(session, mechanism, wrapper, bytes, size, template, COUNT(template),
	                        ret_key);
}

/* A pair of the session whose halves have one attribute more. */
static CK_RV
pair_with(CK_SESSION_HANDLE session, CK_MECHANISM_TYPE type, CK_ATTRIBUTE_TYPE public_verb,
          CK_ATTRIBUTE_TYPE private_verb, CK_ATTRIBUTE of_public, CK_ATTRIBUTE of_private,
          CK_OBJECT_HANDLE *ret_public, CK_OBJECT_HANDLE *ret_private)
{
	CK_MECHANISM mechanism = { type, NULL, 0 };
	CK_ULONG bits = 1024;
	CK_ATTRIBUTE which = IS(CKA_MODULUS_BITS, bits);
	CK_ATTRIBUTE curve = ATTRIBUTE(CKA_EC_PARAMS, "\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07", 10);
	CK_ATTRIBUTE public_template[] = { type == CKM_EC_KEY_PAIR_GEN ? curve : which,
		                           IS(CKA_TOKEN, no), IS(public_verb, yes), of_public };
	CK_ATTRIBUTE private_template[] = { IS(CKA_TOKEN, no), IS(private_verb, yes), of_private };

	return p11->C_GenerateKeyPair(session, &mechanism, public_template, COUNT(public_template),
	                              private_template, COUNT(private_template), ret_public,
	                              ret_private);
}

/* Nobody but the SO makes a key trusted, and a token without an SO has none. */
START_TEST(wrap_with_trusted)
{
	CK_SESSION_HANDLE session = session_public(0);
	CK_ATTRIBUTE trusted = IS(CKA_TRUSTED, yes), wraps = IS(CKA_WRAP, yes);
	CK_ATTRIBUTE less = IS(CKA_WRAP_WITH_TRUSTED, no);
	CK_OBJECT_HANDLE wrapper, key;

	if (!has_keys())
		return;
	wrapper = labelled(session, CKA_WRAP, "w");
	key = key_with(session, CKA_SIGN, (CK_ATTRIBUTE)IS(CKA_WRAP_WITH_TRUSTED, yes));
	expect(CKR_KEY_NOT_WRAPPABLE, wrap(session, &kwp, wrapper, key));
	expect(CKR_ATTRIBUTE_READ_ONLY, p11->C_SetAttributeValue(session, key, &less, 1));
	expect(CKR_ATTRIBUTE_READ_ONLY, p11->C_CopyObject(session, key, &less, 1, &key));
	expect(CKR_ATTRIBUTE_READ_ONLY, generate(session, wraps, trusted, &key));
	expect(CKR_ATTRIBUTE_READ_ONLY, p11->C_SetAttributeValue(session, wrapper, &trusted, 1));
}
END_TEST

START_TEST(wrap_template)
{
	CK_SESSION_HANDLE session = session_user(0);
	CK_ATTRIBUTE label = ATTRIBUTE(CKA_LABEL, "may go", 6);
	CK_ATTRIBUTE demand = IS(CKA_WRAP_TEMPLATE, label), nothing = ATTRIBUTE(CKA_LABEL, "", 0);
	CK_OBJECT_HANDLE wrapper, public, private, may, may_not;

	if (!has_keys() || !pair_offered(PAIR_RSA))
		return;
	wrapper = key_with(session, CKA_WRAP, demand);
	may = labelled(session, CKA_SIGN, "may go");
	may_not = labelled(session, CKA_SIGN, "may not");
	expect(CKR_OK, wrap(session, &kwp, wrapper, may));
	expect(CKR_KEY_NOT_WRAPPABLE, wrap(session, &kwp, wrapper, may_not));
	expect(CKR_OK, pair_with(session, CKM_RSA_PKCS_KEY_PAIR_GEN, CKA_WRAP, CKA_UNWRAP, demand,
	                         nothing, &public, &private));
	expect(CKR_OK, wrap(session, &oaep, public, may));
	expect(CKR_KEY_NOT_WRAPPABLE, wrap(session, &oaep, public, may_not));
}
END_TEST

/* What a template demands is there afterwards, and nothing that contradicts it is taken. */
static void
demands_obeyed(CK_SESSION_HANDLE session, CK_MECHANISM *mechanism, CK_OBJECT_HANDLE unwrapper)
{
	CK_ULONG length = 32, shorter = 16;
	CK_OBJECT_HANDLE key;

	expect(CKR_OK, unwrap(session, mechanism, unwrapper, (CK_ATTRIBUTE)IS(CKA_SIGN, yes), &key));
	ck_assert(!attribute_bool(session, key, CKA_EXTRACTABLE));
	expect(CKR_OK, unwrap(session, mechanism, unwrapper, (CK_ATTRIBUTE)IS(CKA_EXTRACTABLE, no),
	                      &key));
	expect(CKR_TEMPLATE_INCONSISTENT,
	       unwrap(session, mechanism, unwrapper, (CK_ATTRIBUTE)IS(CKA_EXTRACTABLE, yes), &key));
	expect(CKR_OK, unwrap(session, mechanism, unwrapper, (CK_ATTRIBUTE)IS(CKA_VALUE_LEN, length),
	                      &key));
	expect(CKR_TEMPLATE_INCONSISTENT,
	       unwrap(session, mechanism, unwrapper, (CK_ATTRIBUTE)IS(CKA_VALUE_LEN, shorter), &key));
}

START_TEST(unwrap_template)
{
	CK_SESSION_HANDLE session = session_user(0);
	CK_ULONG length = 32, shorter = 16;
	CK_ATTRIBUTE inner[] = { IS(CKA_EXTRACTABLE, no), IS(CKA_VALUE_LEN, length) };
	CK_ATTRIBUTE wrong = IS(CKA_VALUE_LEN, shorter);
	CK_ATTRIBUTE demand = ATTRIBUTE(CKA_UNWRAP_TEMPLATE, inner, sizeof(inner));
	CK_ATTRIBUTE demand_wrong = IS(CKA_UNWRAP_TEMPLATE, wrong), nothing = ATTRIBUTE(CKA_LABEL, "", 0);
	CK_ATTRIBUTE both[] = { IS(CKA_WRAP, yes) };
	CK_OBJECT_HANDLE wrapper, public, private, key;

	if (!has_keys() || !pair_offered(PAIR_RSA))
		return;
	wrapper = key_with(session, CKA_UNWRAP, demand);
	expect(CKR_OK, p11->C_SetAttributeValue(session, wrapper, both, 1));
	expect(CKR_OK, wrap(session, &kwp, wrapper, labelled(session, CKA_SIGN, "k")));
	demands_obeyed(session, &kwp, wrapper);
	expect(CKR_OK, pair_with(session, CKM_RSA_PKCS_KEY_PAIR_GEN, CKA_WRAP, CKA_UNWRAP, nothing,
	                         demand, &public, &private));
	expect(CKR_OK, wrap(session, &oaep, public, labelled(session, CKA_SIGN, "k")));
	demands_obeyed(session, &oaep, private);
	/* A length that is demanded is that of the key. */
	wrapper = key_with(session, CKA_UNWRAP, demand_wrong);
	expect(CKR_OK, p11->C_SetAttributeValue(session, wrapper, both, 1));
	expect(CKR_OK, wrap(session, &kwp, wrapper, labelled(session, CKA_SIGN, "k")));
	expect(CKR_TEMPLATE_INCONSISTENT,
	       unwrap(session, &kwp, wrapper, (CK_ATTRIBUTE)IS(CKA_SIGN, yes), &key));
}
END_TEST

START_TEST(derive_template)
{
	CK_SESSION_HANDLE session = session_user(0);
	CK_ATTRIBUTE inner = IS(CKA_SENSITIVE, yes), demand = IS(CKA_DERIVE_TEMPLATE, inner);
	CK_ATTRIBUTE nothing = ATTRIBUTE(CKA_LABEL, "", 0);
	unsigned char point[65];
	CK_ECDH1_DERIVE_PARAMS parameter = { .kdf = CKD_NULL, .ulPublicDataLen = sizeof(point),
		                             .pPublicData = point };
	CK_MECHANISM ecdh = { CKM_ECDH1_DERIVE, &parameter, sizeof(parameter) };
	CK_ULONG length = 16;
	CK_ATTRIBUTE template[] = { IS(CKA_CLASS, secret_key), IS(CKA_KEY_TYPE, aes),
		                    IS(CKA_TOKEN, no), IS(CKA_PRIVATE, no), IS(CKA_VALUE_LEN, length),
		                    IS(CKA_SENSITIVE, no) };
	CK_OBJECT_HANDLE public, private, key;
	EVP_PKEY *other;
	size_t point_size;

	if (!mechanism_offers(CKM_ECDH1_DERIVE, CKF_DERIVE) || !pair_offered(PAIR_P256))
		return;
	other = EVP_EC_gen("P-256");
	ck_assert(EVP_PKEY_get_octet_string_param(other, "encoded-pub-key", point, sizeof(point),
	                                          &point_size));
	EVP_PKEY_free(other);
	expect(CKR_OK, pair_with(session, CKM_EC_KEY_PAIR_GEN, CKA_DERIVE, CKA_DERIVE, nothing, demand,
	                         &public, &private));
	expect(CKR_TEMPLATE_INCONSISTENT, p11->C_DeriveKey(session, &ecdh, private, template,
	                                                   COUNT(template), &key));
	expect(CKR_OK, p11->C_DeriveKey(session, &ecdh, private, template, COUNT(template) - 1, &key));
	ck_assert(attribute_bool(session, key, CKA_SENSITIVE));
}
END_TEST

/* A derived key that could be as short as one likes would give the agreed secret away bytewise. */
START_TEST(derived_length)
{
	CK_SESSION_HANDLE session = session_user(0);
	CK_ATTRIBUTE nothing = ATTRIBUTE(CKA_LABEL, "", 0);
	CK_ULONG kdfs[] = { CKD_NULL, CKD_SHA256_KDF };
	CK_KEY_TYPE generic = CKK_GENERIC_SECRET;
	CK_ULONG length;
	unsigned char point[65];
	CK_ECDH1_DERIVE_PARAMS parameter = { .ulPublicDataLen = sizeof(point), .pPublicData = point };
	CK_MECHANISM ecdh = { CKM_ECDH1_DERIVE, &parameter, sizeof(parameter) };
	CK_ATTRIBUTE template[] = { IS(CKA_CLASS, secret_key), IS(CKA_KEY_TYPE, generic),
		                    IS(CKA_TOKEN, no), IS(CKA_PRIVATE, no), IS(CKA_VALUE_LEN, length) };
	CK_OBJECT_HANDLE public, private, key;
	EVP_PKEY *other;
	size_t point_size;

	if (!mechanism_offers(CKM_ECDH1_DERIVE, CKF_DERIVE) || !pair_offered(PAIR_P256))
		return;
	other = EVP_EC_gen("P-256");
	ck_assert(EVP_PKEY_get_octet_string_param(other, "encoded-pub-key", point, sizeof(point),
	                                          &point_size));
	EVP_PKEY_free(other);
	expect(CKR_OK, pair_with(session, CKM_EC_KEY_PAIR_GEN, CKA_DERIVE, CKA_DERIVE, nothing, nothing,
	                         &public, &private));
	for (size_t i = 0; i < COUNT(kdfs); i++) {
		parameter.kdf = kdfs[i];
		for (length = 1; length < 16; length++)
			expect(CKR_KEY_SIZE_RANGE, p11->C_DeriveKey(session, &ecdh, private, template,
			                                            COUNT(template), &key));
		for (; length <= 32; length++)
			expect(CKR_OK, p11->C_DeriveKey(session, &ecdh, private, template,
			                                COUNT(template), &key));
	}
}
END_TEST

START_TEST(allowed_mechanisms)
{
	CK_SESSION_HANDLE session = session_user(0);
	unsigned char iv[16] = { 0 };
	CK_MECHANISM ecb = { CKM_AES_ECB, NULL, 0 }, cbc = { CKM_AES_CBC, iv, sizeof(iv) };
	CK_MECHANISM cmac = { CKM_AES_CMAC, NULL, 0 }, key_wrap = { CKM_AES_KEY_WRAP, NULL, 0 };
	CK_MECHANISM sha256 = { CKM_SHA256_RSA_PKCS, NULL, 0 }, sha512 = { CKM_SHA512_RSA_PKCS, NULL, 0 };
	CK_MECHANISM_TYPE only_ecb[] = { CKM_AES_ECB }, only_kwp[] = { CKM_AES_KEY_WRAP_KWP };
	CK_MECHANISM_TYPE only_sha256[] = { CKM_SHA256_RSA_PKCS, CKM_RSA_PKCS_OAEP };
	CK_ATTRIBUTE signs = ATTRIBUTE(CKA_ALLOWED_MECHANISMS, only_sha256, sizeof(only_sha256));
	CK_OBJECT_HANDLE key, public, private, target;

	if (!has_keys() || !pair_offered(PAIR_RSA))
		return;
	key = key_with(session, CKA_ENCRYPT,
	               (CK_ATTRIBUTE)ATTRIBUTE(CKA_ALLOWED_MECHANISMS, only_ecb, sizeof(only_ecb)));
	expect(CKR_MECHANISM_INVALID, p11->C_EncryptInit(session, &cbc, key));
	expect(CKR_OK, p11->C_EncryptInit(session, &ecb, key));
	key = key_with(session, CKA_SIGN,
	               (CK_ATTRIBUTE)ATTRIBUTE(CKA_ALLOWED_MECHANISMS, only_ecb, sizeof(only_ecb)));
	expect(CKR_MECHANISM_INVALID, p11->C_SignInit(session, &cmac, key));
	key = key_with(session, CKA_WRAP,
	               (CK_ATTRIBUTE)ATTRIBUTE(CKA_ALLOWED_MECHANISMS, only_kwp, sizeof(only_kwp)));
	target = labelled(session, CKA_SIGN, "k");
	expect(CKR_MECHANISM_INVALID, wrap(session, &key_wrap, key, target));
	expect(CKR_OK, wrap(session, &kwp, key, target));
	expect(CKR_OK, pair_with(session, CKM_RSA_PKCS_KEY_PAIR_GEN, CKA_VERIFY, CKA_SIGN, signs, signs,
	                         &public, &private));
	expect(CKR_MECHANISM_INVALID, p11->C_SignInit(session, &sha512, private));
	expect(CKR_MECHANISM_INVALID, p11->C_VerifyInit(session, &sha512, public));
	expect(CKR_OK, p11->C_SignInit(session, &sha256, private));
	expect(CKR_OK, p11->C_VerifyInit(session, &sha256, public));
}
END_TEST

/* A pair on the token whose halves have an attribute of their own. */
static CK_RV
token_pair(CK_SESSION_HANDLE session, CK_ATTRIBUTE of_public, CK_ATTRIBUTE of_private,
           CK_OBJECT_HANDLE *ret_public, CK_OBJECT_HANDLE *ret_private)
{
	CK_MECHANISM mechanism = { CKM_EC_KEY_PAIR_GEN, NULL, 0 };
	CK_ATTRIBUTE public_template[] = {
		ATTRIBUTE(CKA_EC_PARAMS, "\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07", 10),
		IS(CKA_TOKEN, yes), IS(CKA_VERIFY, yes), of_public,
	};
	CK_ATTRIBUTE private_template[] = { IS(CKA_TOKEN, yes), IS(CKA_SIGN, yes), of_private };

	return p11->C_GenerateKeyPair(session, &mechanism, public_template, COUNT(public_template),
	                              private_template, COUNT(private_template), ret_public,
	                              ret_private);
}

START_TEST(allowed_mechanisms_on_token)
{
	CK_SESSION_HANDLE session = session_user(CKF_RW_SESSION);
	CK_MECHANISM ecdsa = { CKM_ECDSA, NULL, 0 }, sha256 = { CKM_ECDSA_SHA256, NULL, 0 };
	CK_MECHANISM_TYPE only[] = { CKM_ECDSA_SHA256, CKM_ECDSA_SHA384 }, other[] = { CKM_ECDSA };
	CK_ATTRIBUTE allowed = ATTRIBUTE(CKA_ALLOWED_MECHANISMS, only, sizeof(only));
	CK_ATTRIBUTE others = ATTRIBUTE(CKA_ALLOWED_MECHANISMS, other, sizeof(other));
	CK_ATTRIBUTE part = ATTRIBUTE(CKA_ALLOWED_MECHANISMS, only, sizeof(only) - 1);
	CK_ATTRIBUTE nothing = IS(CKA_MODIFIABLE, yes), none = ATTRIBUTE(CKA_ALLOWED_MECHANISMS, "", 0);
	CK_ATTRIBUTE inner = IS(CKA_SENSITIVE, yes), template = IS(CKA_UNWRAP_TEMPLATE, inner);
	CK_OBJECT_HANDLE public, private;
	CK_ULONG list_size;

	if (!pair_offered(PAIR_P256) || !mechanism_offers(CKM_ECDSA_SHA256, CKF_SIGN))
		return;
	expect(CKR_TEMPLATE_INCONSISTENT, token_pair(session, others, allowed, &public, &private));
	expect(CKR_ATTRIBUTE_VALUE_INVALID, token_pair(session, nothing, part, &public, &private));
	/* One that may be used with nothing at all is of no use on a token. */
	expect(CKR_ATTRIBUTE_VALUE_INVALID, token_pair(session, nothing, none, &public, &private));
	expect(CKR_ATTRIBUTE_TYPE_INVALID, token_pair(session, nothing, template, &public, &private));
	expect(CKR_OK, token_pair(session, nothing, allowed, &public, &private));
	expect(CKR_MECHANISM_INVALID, p11->C_SignInit(session, &ecdsa, private));
	expect(CKR_MECHANISM_INVALID, p11->C_VerifyInit(session, &ecdsa, public));
	expect(CKR_OK, p11->C_SignInit(session, &sha256, private));
	expect(CKR_OK, p11->C_VerifyInit(session, &sha256, public));
	ck_assert_mem_eq(attribute(session, private, CKA_ALLOWED_MECHANISMS, &list_size), only,
	                 sizeof(only));
	ck_assert_uint_eq(list_size, sizeof(only));
	expect(CKR_OK, p11->C_DestroyObject(session, private));
	expect(CKR_OK, token_pair(session, allowed, allowed, &public, &private));
	expect(CKR_OK, p11->C_DestroyObject(session, private));
}
END_TEST

/* A public key keeps no secret: both of its verbs are anybody's. */
START_TEST(public_keys_may_do_both)
{
	CK_SESSION_HANDLE session = session_public(0);
	CK_OBJECT_CLASS class = CKO_PUBLIC_KEY;
	CK_KEY_TYPE rsa = CKK_RSA;
	CK_OBJECT_HANDLE pair, key;
	CK_ULONG modulus_size;
	unsigned char modulus[256];

	if (!has_keys() || !pair_offered(PAIR_RSA))
		return;
	pair = pair_public(session, PAIR_RSA);
	memcpy(modulus, attribute(session, pair, CKA_MODULUS, &modulus_size), sizeof(modulus));
	ck_assert_uint_eq(modulus_size, sizeof(modulus));
	CK_ATTRIBUTE template[] = { IS(CKA_CLASS, class), IS(CKA_KEY_TYPE, rsa), IS(CKA_TOKEN, no),
		                    IS(CKA_PRIVATE, no), IS(CKA_ENCRYPT, yes), IS(CKA_WRAP, yes),
		                    IS(CKA_MODULUS, modulus),
		                    ATTRIBUTE(CKA_PUBLIC_EXPONENT, "\x01\x00\x01", 3) };
	expect(CKR_OK, p11->C_CreateObject(session, template, COUNT(template), &key));
	expect(CKR_OK, wrap(session, &oaep, key, labelled(session, CKA_SIGN, "k")));
	expect(CKR_OK, p11->C_EncryptInit(session, &oaep, key));
}
END_TEST

Suite *
demands_suite(void)
{
	Suite *suite = suite_create("demands");
	TCase *tcase = started_case(suite, "started");

	tcase_add_test(tcase, wrap_with_trusted);
	tcase_add_test(tcase, wrap_template);
	tcase_add_test(tcase, unwrap_template);
	tcase_add_test(tcase, derive_template);
	tcase_add_test(tcase, derived_length);
	tcase_add_test(tcase, allowed_mechanisms);
	tcase_add_test(tcase, allowed_mechanisms_on_token);
	tcase_add_test(tcase, public_keys_may_do_both);
	return suite;
}
