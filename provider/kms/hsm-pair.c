/* SPDX-License-Identifier: Apache-2.0 */
#include "kms/hsm-pair.h"

#include "base/log.h"
#include "kms/hsm-object.h"

#include <string.h>

/* The most attributes of a half below. */
#define TEMPLATE_MAX 12
/* Objects with one CKA_ID that are removed before we ask ourselves what is going on. */
#define HALVES_MAX 16

struct template {
	CK_ATTRIBUTE attributes[TEMPLATE_MAX];
	CK_ULONG count;
};

static CK_BBOOL yes = CK_TRUE, no = CK_FALSE;

static void
add(struct template *template, CK_ATTRIBUTE_TYPE type, const void *value, size_t size)
{
	CK_ATTRIBUTE attribute = { type, (void *)value, size };

	template->attributes[template->count++] = attribute;
}

static void
add_flag(struct template *template, CK_ATTRIBUTE_TYPE type, bool value)
{
	add(template, type, value ? &yes : &no, sizeof yes);
}

/* PKCS#11 3.0, section 4.9 (private key objects). */
static void
fill_private(struct template *template, const struct kms_pair *pair, bool on_token)
{
	add_flag(template, CKA_TOKEN, on_token);
	add_flag(template, CKA_PRIVATE, true);
	add_flag(template, CKA_SENSITIVE, true);
	add_flag(template, CKA_EXTRACTABLE, false);
	add(template, CKA_ID, pair->id, pair->id_size);
	add(template, CKA_LABEL, pair->label, strlen(pair->label));
	add_flag(template, CKA_DECRYPT, pair->decrypt);
	add_flag(template, CKA_SIGN, pair->sign);
	add_flag(template, CKA_UNWRAP, pair->unwrap);
	add_flag(template, CKA_DERIVE, pair->derive);
}

/* PKCS#11 3.0, section 4.8 (public key objects); mechanisms 3.0, sections 2.1.4 and 2.3.5. */
static void
fill_public(struct template *template, const struct kms_pair *pair, bool on_token,
            const CK_ULONG *modulus_bits)
{
	static const unsigned char exponent[] = { 0x01, 0x00, 0x01 };

	add_flag(template, CKA_TOKEN, on_token);
	add_flag(template, CKA_PRIVATE, false);
	add(template, CKA_ID, pair->id, pair->id_size);
	add(template, CKA_LABEL, pair->label, strlen(pair->label));
	add_flag(template, CKA_ENCRYPT, pair->decrypt);
	add_flag(template, CKA_VERIFY, pair->sign);
	add_flag(template, CKA_WRAP, pair->unwrap);
	if (pair->algorithm->key_type == CKK_RSA) {
		add(template, CKA_MODULUS_BITS, modulus_bits, sizeof *modulus_bits);
		add(template, CKA_PUBLIC_EXPONENT, exponent, sizeof exponent);
	} else {
		add(template, CKA_EC_PARAMS, pair->algorithm->ec_params,
		    pair->algorithm->ec_params_size);
	}
}

static CK_RV
call_generate(const struct hsm_session *session, const struct kms_pair *pair, bool on_token,
              CK_ULONG modulus_bits, CK_OBJECT_HANDLE *ret_public,
              CK_OBJECT_HANDLE *ret_private)
{
	CK_MECHANISM mechanism = { pair->algorithm->generate, NULL, 0 };
	struct template public_template = { .count = 0 }, private_template = { .count = 0 };
	CK_RV rv;

	fill_public(&public_template, pair, on_token, &modulus_bits);
	fill_private(&private_template, pair, on_token);
	/* From here on a pair may be there, whatever the answer: only its CKA_ID can tell. */
	session->attempt->final = on_token;
	rv = session->functions->C_GenerateKeyPair(
		session->handle, &mechanism, public_template.attributes, public_template.count,
		private_template.attributes, private_template.count, ret_public, ret_private);
	/* Ways of HSMs to say that they don't know the curve. */
	if (rv == CKR_CURVE_NOT_SUPPORTED || rv == CKR_DOMAIN_PARAMS_INVALID)
		return CKR_MECHANISM_INVALID;
	return rv;
}

/* Asked beforehand: SoftHSM answers CKR_GENERAL_ERROR to a size it does not have. */
static CK_RV
check_algorithm(const struct hsm_session *session, const struct algorithm *algorithm,
                CK_ULONG modulus_bits)
{
	CK_MECHANISM_INFO info;
	CK_RV rv;

	rv = session->functions->C_GetMechanismInfo(session->slot, algorithm->generate, &info);
	if (rv != CKR_OK)
		return rv;
	/* HSMs do not agree on how many bits a curve has. */
	if (algorithm->key_type == CKK_RSA &&
	    (modulus_bits < info.ulMinKeySize || modulus_bits > info.ulMaxKeySize))
		return CKR_KEY_SIZE_RANGE;
	return CKR_OK;
}

CK_RV
hsm_pair_generate(const struct hsm_session *session, const struct kms_pair *pair, bool on_token,
                  struct buffer *ret_spki, CK_OBJECT_HANDLE *ret_private)
{
	CK_OBJECT_HANDLE public_key = 0, private_key = 0;
	CK_ULONG bits = !on_token && pair->bits != 0 ? pair->bits : pair->algorithm->bits;
	CK_RV rv;

	rv = check_algorithm(session, pair->algorithm, bits);
	if (rv == CKR_OK)
		rv = call_generate(session, pair, on_token, bits, &public_key, &private_key);
	if (rv != CKR_OK)
		return rv;
	rv = hsm_object_check_sealed(session, private_key);
	if (rv == CKR_TEMPLATE_INCONSISTENT) {
		log_error("token %s: the HSM made %s, but not sensitive and never extractable as it "
		          "was told to; removed again",
		          session->hsm->config->name, on_token ? pair->label : "a session pair");
		(void)session->functions->C_DestroyObject(session->handle, private_key);
		(void)session->functions->C_DestroyObject(session->handle, public_key);
	}
	if (rv != CKR_OK)
		return rv;
	rv = hsm_object_spki(session, public_key, ret_spki);
	if (rv == CKR_OK)
		*ret_private = private_key;
	return rv;
}

/* All of one class; how many there were. */
static CK_RV
destroy_class(const struct hsm_session *session, CK_OBJECT_CLASS class, const void *id,
              size_t id_size, unsigned *ret_destroyed)
{
	CK_OBJECT_HANDLE object = 0;
	unsigned destroyed;
	CK_RV rv;

	for (destroyed = 0; destroyed < HALVES_MAX; destroyed++) {
		rv = hsm_object_find(session, class, true, id, id_size, &object);
		if (rv == CKR_KEY_HANDLE_INVALID)
			break;
		if (rv != CKR_OK)
			return rv;
		session->attempt->final = true;
		rv = session->functions->C_DestroyObject(session->handle, object);
		if (rv != CKR_OK)
			return rv;
	}
	*ret_destroyed = destroyed;
	return CKR_OK;
}

CK_RV
hsm_pair_destroy(const struct hsm_session *session, const void *id, size_t id_size)
{
	unsigned private_count = 0, public_count = 0;
	CK_RV rv;

	/* The private half first: what a crash leaves is of no use to anybody. */
	rv = destroy_class(session, CKO_PRIVATE_KEY, id, id_size, &private_count);
	if (rv == CKR_OK)
		rv = destroy_class(session, CKO_PUBLIC_KEY, id, id_size, &public_count);
	if (rv != CKR_OK)
		return rv;
	return private_count + public_count > 0 ? CKR_OK : CKR_KEY_HANDLE_INVALID;
}
