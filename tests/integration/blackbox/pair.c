/* SPDX-License-Identifier: Apache-2.0 */
#include "pair.h"

#include "blackbox.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/param_build.h>
#include <stdio.h>
#include <unistd.h>

/* CKA_EC_PARAMS: DER OBJECT IDENTIFIERs of RFC 5480 and RFC 8410. */
#define OID_P256 "\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07"
#define OID_P384 "\x06\x05\x2b\x81\x04\x00\x22"
#define OID_P521 "\x06\x05\x2b\x81\x04\x00\x23"
#define OID_ED25519 "\x06\x03\x2b\x65\x70"
#define OID_X25519 "\x06\x03\x2b\x65\x6e"

static const struct {
	const char *name;
	CK_MECHANISM_TYPE generate;
	CK_KEY_TYPE key_type;
	unsigned bits;
	const char *ec_params;
	CK_ULONG ec_params_size;
	const char *group;
	bool signs, decrypts;
} kinds[PAIR_KINDS] = {
	[PAIR_RSA] = { "rsa", CKM_RSA_PKCS_KEY_PAIR_GEN, CKK_RSA, 2048, NULL, 0, NULL, true, true },
	[PAIR_RSA_SIGN] = { "rsa-sign", CKM_RSA_PKCS_KEY_PAIR_GEN, CKK_RSA, 2048, NULL, 0, NULL,
	                    true, false },
	[PAIR_RSA_DECRYPT] = { "rsa-decrypt", CKM_RSA_PKCS_KEY_PAIR_GEN, CKK_RSA, 2048, NULL, 0,
	                       NULL, false, true },
	[PAIR_P256] = { "p-256", CKM_EC_KEY_PAIR_GEN, CKK_EC, 256, OID_P256, sizeof(OID_P256) - 1,
	                "P-256", true, false },
	[PAIR_P384] = { "p-384", CKM_EC_KEY_PAIR_GEN, CKK_EC, 384, OID_P384, sizeof(OID_P384) - 1,
	                "P-384", true, false },
	[PAIR_P521] = { "p-521", CKM_EC_KEY_PAIR_GEN, CKK_EC, 521, OID_P521, sizeof(OID_P521) - 1,
	                "P-521", true, false },
	[PAIR_ED25519] = { "ed25519", CKM_EC_EDWARDS_KEY_PAIR_GEN, CKK_EC_EDWARDS, 255, OID_ED25519,
	                   sizeof(OID_ED25519) - 1, NULL, true, false },
	[PAIR_X25519] = { "x25519", CKM_EC_MONTGOMERY_KEY_PAIR_GEN, CKK_EC_MONTGOMERY, 255, OID_X25519,
	                  sizeof(OID_X25519) - 1, NULL, false, false },
};

/* Numbered by the process that runs the suite, whose children run the tests. */
static char labels[PAIR_KINDS][40];
static unsigned char ids[PAIR_KINDS][8];

const char *
pair_name(enum pair_kind kind)
{
	return kinds[kind].name;
}

CK_KEY_TYPE
pair_key_type(enum pair_kind kind)
{
	return kinds[kind].key_type;
}

unsigned
pair_bits(enum pair_kind kind)
{
	return kinds[kind].bits;
}

bool
pair_signs(enum pair_kind kind)
{
	return kinds[kind].signs;
}

bool
pair_decrypts(enum pair_kind kind)
{
	return kinds[kind].decrypts;
}

bool
pair_offered(enum pair_kind kind)
{
	return mechanism_offers(kinds[kind].generate, CKF_GENERATE_KEY_PAIR);
}

CK_RV
pair_generate(CK_SESSION_HANDLE session, enum pair_kind kind, const char *label, const void *id,
              CK_ULONG id_size, CK_OBJECT_HANDLE *ret_public, CK_OBJECT_HANDLE *ret_private)
{
	CK_MECHANISM mechanism = { kinds[kind].generate, NULL, 0 };
	CK_BBOOL yes = CK_TRUE;
	CK_BBOOL signs = kinds[kind].signs, decrypts = kinds[kind].decrypts;
	CK_ULONG bits = kinds[kind].bits;
	CK_ATTRIBUTE public_template[8] = {
		ATTRIBUTE(CKA_TOKEN, &yes, sizeof(yes)),
		ATTRIBUTE(CKA_VERIFY, &signs, sizeof(signs)),
		ATTRIBUTE(CKA_LABEL, label, strlen(label)),
		ATTRIBUTE(CKA_EC_PARAMS, kinds[kind].ec_params, kinds[kind].ec_params_size),
	};
	CK_ATTRIBUTE private_template[8] = {
		ATTRIBUTE(CKA_TOKEN, &yes, sizeof(yes)),
		ATTRIBUTE(CKA_PRIVATE, &yes, sizeof(yes)),
		ATTRIBUTE(CKA_SENSITIVE, &yes, sizeof(yes)),
		ATTRIBUTE(CKA_SIGN, &signs, sizeof(signs)),
		ATTRIBUTE(CKA_LABEL, label, strlen(label)),
	};
	CK_ULONG public_count = 4, private_count = 5;

	if (kinds[kind].key_type == CKK_EC_MONTGOMERY)
		private_template[private_count++] =
			(CK_ATTRIBUTE)ATTRIBUTE(CKA_DERIVE, &yes, sizeof(yes));

	if (kinds[kind].key_type == CKK_RSA) {
		public_template[3] =
			(CK_ATTRIBUTE)ATTRIBUTE(CKA_MODULUS_BITS, &bits, sizeof(bits));
		public_template[public_count++] =
			(CK_ATTRIBUTE)ATTRIBUTE(CKA_PUBLIC_EXPONENT, "\x01\x00\x01", 3);
		public_template[public_count++] =
			(CK_ATTRIBUTE)ATTRIBUTE(CKA_ENCRYPT, &decrypts, sizeof(decrypts));
		private_template[private_count++] =
			(CK_ATTRIBUTE)ATTRIBUTE(CKA_DECRYPT, &decrypts, sizeof(decrypts));
	}
	if (id) {
		public_template[public_count++] = (CK_ATTRIBUTE)ATTRIBUTE(CKA_ID, id, id_size);
		private_template[private_count++] = (CK_ATTRIBUTE)ATTRIBUTE(CKA_ID, id, id_size);
	}
	return p11->C_GenerateKeyPair(session, &mechanism, public_template, public_count,
	                              private_template, private_count, ret_public, ret_private);
}

void
pairs_make(void)
{
	CK_SESSION_HANDLE session = session_user(CKF_RW_SESSION);
	CK_OBJECT_HANDLE public_key, private_key;
	CK_ULONG size;

	/* Such a token has only what it has. */
	if (token_flags & CKF_WRITE_PROTECTED)
		return;
	for (enum pair_kind kind = 0; kind < PAIR_KINDS; kind++) {
		const unsigned char *id = pair_id(kind, &size);

		if (pair_offered(kind))
			expect(CKR_OK, pair_generate(session, kind, pair_label(kind), id, size,
			                             &public_key, &private_key));
	}
}

void
pairs_destroy(void)
{
	static const CK_OBJECT_CLASS classes[] = { CKO_PRIVATE_KEY, CKO_PUBLIC_KEY };
	CK_SESSION_HANDLE session = session_user(CKF_RW_SESSION);

	for (enum pair_kind kind = 0; kind < PAIR_KINDS; kind++) {
		/* Where both halves are one thing, the second is gone with the first. */
		for (size_t i = 0; i < COUNT(classes); i++) {
			CK_ATTRIBUTE sought[] = {
				ATTRIBUTE(CKA_CLASS, &classes[i], sizeof(classes[i])),
				ATTRIBUTE(CKA_ID, ids[kind], sizeof(ids[kind])),
			};
			CK_OBJECT_HANDLE object;

			if (find_all(session, sought, COUNT(sought), &object, 1) > 0)
				expect(CKR_OK, p11->C_DestroyObject(session, object));
		}
	}
}

/* Before the suite forks and starts threads: both only read afterwards. */
void
pairs_begin(void)
{
	long process = (long)getpid();

	for (enum pair_kind kind = 0; kind < PAIR_KINDS; kind++) {
		snprintf(labels[kind], sizeof(labels[kind]), "blackbox-%ld-%s", process,
		         kinds[kind].name);
		for (size_t i = 0; i < sizeof(ids[kind]) - 1; i++)
			ids[kind][i] = (unsigned char)(process >> 8 * i);
		ids[kind][sizeof(ids[kind]) - 1] = (unsigned char)(0xb0 + kind);
	}
}

const char *
pair_label(enum pair_kind kind)
{
	return labels[kind];
}

const unsigned char *
pair_id(enum pair_kind kind, CK_ULONG *ret_size)
{
	*ret_size = sizeof(ids[kind]);
	return ids[kind];
}

static CK_OBJECT_HANDLE
half(CK_SESSION_HANDLE session, enum pair_kind kind, CK_OBJECT_CLASS class)
{
	CK_ULONG size;
	const unsigned char *id = pair_id(kind, &size);
	CK_ATTRIBUTE sought[] = {
		ATTRIBUTE(CKA_CLASS, &class, sizeof(class)),
		ATTRIBUTE(CKA_ID, id, size),
	};
	CK_OBJECT_HANDLE object = CK_INVALID_HANDLE;
	CK_ULONG count = find_all(session, sought, COUNT(sought), &object, 1);

	ck_assert_msg(count == 1, "%lu objects of class %lu have the CKA_ID of %s", count, class,
	              pair_label(kind));
	return object;
}

CK_OBJECT_HANDLE
pair_public(CK_SESSION_HANDLE session, enum pair_kind kind)
{
	return half(session, kind, CKO_PUBLIC_KEY);
}

CK_OBJECT_HANDLE
pair_private(CK_SESSION_HANDLE session, enum pair_kind kind)
{
	return half(session, kind, CKO_PRIVATE_KEY);
}

static EVP_PKEY *
from_parameters(const char *type, OSSL_PARAM_BLD *builder)
{
	OSSL_PARAM *parameters = OSSL_PARAM_BLD_to_param(builder);
	EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
	EVP_PKEY *key = NULL;

	ck_assert_ptr_nonnull(parameters);
	ck_assert_int_gt(EVP_PKEY_fromdata_init(context), 0);
	ck_assert_int_gt(EVP_PKEY_fromdata(context, &key, EVP_PKEY_PUBLIC_KEY, parameters), 0);
	EVP_PKEY_CTX_free(context);
	OSSL_PARAM_free(parameters);
	OSSL_PARAM_BLD_free(builder);
	return key;
}

static EVP_PKEY *
rsa_evp(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE public_key)
{
	OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();
	CK_ULONG size;
	const unsigned char *value = attribute(session, public_key, CKA_MODULUS, &size);
	BIGNUM *n = BN_bin2bn(value, (int)size, NULL);
	BIGNUM *e;
	EVP_PKEY *key;

	value = attribute(session, public_key, CKA_PUBLIC_EXPONENT, &size);
	e = BN_bin2bn(value, (int)size, NULL);
	ck_assert(OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_N, n));
	ck_assert(OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_E, e));
	key = from_parameters("RSA", builder);
	BN_free(n);
	BN_free(e);
	return key;
}

EVP_PKEY *
pair_evp(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE public_key, enum pair_kind kind)
{
	OSSL_PARAM_BLD *builder;
	const unsigned char *value, *point;
	CK_ULONG size, header;

	if (kinds[kind].key_type == CKK_RSA)
		return rsa_evp(session, public_key);

	/* CKA_EC_POINT is a DER OCTET STRING (mechanisms 3.0, section 2.3.3). */
	value = attribute(session, public_key, CKA_EC_POINT, &size);
	ck_assert_uint_ge(size, 34);
	ck_assert_uint_eq(value[0], 0x04);
	header = value[1] < 0x80 ? 2 : 3;
	ck_assert_uint_eq(header == 2 ? value[1] : value[2], size - header);
	point = value + header;
	size -= header;
	if (kinds[kind].key_type == CKK_EC_MONTGOMERY)
		return EVP_PKEY_new_raw_public_key(EVP_PKEY_X25519, NULL, point, size);
	if (kinds[kind].key_type == CKK_EC_EDWARDS)
		return EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, point, size);
	builder = OSSL_PARAM_BLD_new();
	ck_assert(OSSL_PARAM_BLD_push_utf8_string(builder, OSSL_PKEY_PARAM_GROUP_NAME,
	                                          kinds[kind].group, 0));
	ck_assert(OSSL_PARAM_BLD_push_octet_string(builder, OSSL_PKEY_PARAM_PUB_KEY, point, size));
	return from_parameters("EC", builder);
}
