/* SPDX-License-Identifier: Apache-2.0 */
#include "kms/hsm-pair.h"

#include "base/date.h"
#include "base/log.h"
#include "kms/hsm-object.h"
#include "kms/hsm-token.h"

#include <string.h>

/* The most attributes of a half below. */
#define TEMPLATE_MAX 12

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

/*
 * The mechanism for the algorithm, which the HSM has: its own, or the one that hsm-pair.h
 * tells of.
 */
static CK_RV
find_generator(const struct hsm_session *session, const struct algorithm *algorithm,
               CK_MECHANISM *ret_mechanism, CK_MECHANISM_INFO *ret_info)
{
	CK_MECHANISM mechanism = { algorithm->generate, NULL, 0 };
	CK_RV rv;

	rv = session->functions->C_GetMechanismInfo(session->slot, mechanism.mechanism, ret_info);
	if (rv == CKR_MECHANISM_INVALID && mechanism.mechanism == CKM_EC_MONTGOMERY_KEY_PAIR_GEN) {
		mechanism.mechanism = CKM_EC_EDWARDS_KEY_PAIR_GEN;
		rv = session->functions->C_GetMechanismInfo(session->slot, mechanism.mechanism,
		                                            ret_info);
	}
	if (rv == CKR_OK)
		*ret_mechanism = mechanism;
	return rv;
}

/*
 * What the HSM said when it was asked to make a pair that it need not know: CKR_OK, it refuses, in
 * whatever words; else what is lost, so that nothing is known.
 */
static CK_RV
read_refusal(const struct hsm_session *session, CK_RV rv)
{
	switch (rv) {
	case CKR_SESSION_HANDLE_INVALID:
	case CKR_SESSION_CLOSED:
	case CKR_SESSION_COUNT:
	case CKR_CRYPTOKI_NOT_INITIALIZED:
	case CKR_DEVICE_REMOVED:
	case CKR_HOST_MEMORY:
	case CKR_TOKEN_NOT_PRESENT:
	case CKR_TOKEN_NOT_RECOGNIZED:
	case CKR_SLOT_ID_INVALID:
		return rv;
	/*
	 * SoftHSM says the first two of a curve that it does not know, and of a token that is gone.
	 * An HSM that is full, or fails at nothing but this, must be of use all the same.
	 */
	case CKR_GENERAL_ERROR:
	case CKR_FUNCTION_FAILED:
	case CKR_DEVICE_ERROR:
	case CKR_DEVICE_MEMORY:
		return hsm_token_check(session->functions, session->hsm->uri, session->slot);
	default:
		return CKR_OK;
	}
}

static CK_RV
try_montgomery(const struct hsm_session *session)
{
	const struct algorithm *algorithm = algorithm_by_name("x25519");
	CK_OBJECT_HANDLE public_key = 0, private_key = 0;
	struct template public_template = { .count = 0 }, private_template = { .count = 0 };
	CK_MECHANISM_INFO info;
	CK_MECHANISM mechanism;
	CK_RV rv = find_generator(session, algorithm, &mechanism, &info);

	if (rv != CKR_OK)
		return rv;
	add_flag(&public_template, CKA_TOKEN, false);
	add_flag(&public_template, CKA_PRIVATE, false);
	add(&public_template, CKA_EC_PARAMS, algorithm->ec_params, algorithm->ec_params_size);
	add_flag(&private_template, CKA_TOKEN, false);
	add_flag(&private_template, CKA_PRIVATE, false);
	add_flag(&private_template, CKA_DERIVE, true);
	rv = session->functions->C_GenerateKeyPair(
		session->handle, &mechanism, public_template.attributes, public_template.count,
		private_template.attributes, private_template.count, &public_key, &private_key);
	if (rv != CKR_OK)
		return rv;
	/* What remains all the same goes with the session. */
	(void)session->functions->C_DestroyObject(session->handle, private_key);
	(void)session->functions->C_DestroyObject(session->handle, public_key);
	return CKR_OK;
}

CK_RV
hsm_pair_makes_montgomery(const struct hsm_session *session, bool *ret_makes)
{
	CK_RV rv = try_montgomery(session);
	bool makes;

	/* It may have been for a moment. */
	if (rv == CKR_DEVICE_ERROR || rv == CKR_DEVICE_MEMORY)
		rv = try_montgomery(session);
	makes = rv == CKR_OK;
	if (!makes)
		rv = read_refusal(session, rv);
	if (rv == CKR_OK)
		*ret_makes = makes;
	return rv;
}

/* dated: with the day from which on it shall protect; the next one, where it begins within a day. */
static CK_RV
generate(const struct hsm_session *session, const struct kms_pair *pair, bool on_token, bool dated,
         CK_MECHANISM *mechanism, CK_ULONG modulus_bits, CK_OBJECT_HANDLE *ret_public,
         CK_OBJECT_HANDLE *ret_private)
{
	struct template public_template = { .count = 0 }, private_template = { .count = 0 };
	CK_DATE start;
	CK_RV rv;

	fill_public(&public_template, pair, on_token, &modulus_bits);
	fill_private(&private_template, pair, on_token);
	if (dated) {
		/* On the public half only: SoftHSM2 can't read that of a private object again. */
		date_from_time(pair->start + DAY_SECONDS - 1, &start);
		add(&public_template, CKA_START_DATE, &start, sizeof start);
	}
	/* From here on a pair may be there, whatever the answer: only its CKA_ID can tell. */
	session->attempt->final = on_token;
	rv = session->functions->C_GenerateKeyPair(
		session->handle, mechanism, public_template.attributes, public_template.count,
		private_template.attributes, private_template.count, ret_public, ret_private);
	/* It has no room for a pair, also not for one in the session: that lasts. */
	if (rv == CKR_DEVICE_MEMORY)
		session->attempt->final = true;
	return rv;
}

static bool
is_refused_template(CK_RV rv)
{
	return rv == CKR_ATTRIBUTE_TYPE_INVALID || rv == CKR_ATTRIBUTE_VALUE_INVALID ||
	       rv == CKR_ATTRIBUTE_READ_ONLY || rv == CKR_TEMPLATE_INCONSISTENT;
}

static CK_RV
call_generate(const struct hsm_session *session, const struct kms_pair *pair, bool on_token,
              CK_MECHANISM *mechanism, CK_ULONG modulus_bits, CK_OBJECT_HANDLE *ret_public,
              CK_OBJECT_HANDLE *ret_private)
{
	bool dated = on_token && pair->start != 0;
	CK_RV rv;

	rv = generate(session, pair, on_token, dated, mechanism, modulus_bits, ret_public,
	              ret_private);
	/* An HSM may not have such an attribute: the date is for other hosts only. */
	if (dated && is_refused_template(rv))
		rv = generate(session, pair, on_token, false, mechanism, modulus_bits, ret_public,
		              ret_private);
	/* Ways of HSMs to say that they don't know the curve. */
	if (rv == CKR_CURVE_NOT_SUPPORTED || rv == CKR_DOMAIN_PARAMS_INVALID)
		return CKR_MECHANISM_INVALID;
	return rv;
}

/* Asked beforehand: SoftHSM answers CKR_GENERAL_ERROR to a size it does not have. */
static CK_RV
check_algorithm(const struct hsm_session *session, const struct algorithm *algorithm,
                CK_ULONG modulus_bits, CK_MECHANISM *ret_mechanism)
{
	CK_MECHANISM_INFO info;
	CK_RV rv = find_generator(session, algorithm, ret_mechanism, &info);

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
	CK_MECHANISM mechanism;
	CK_ULONG bits = !on_token && pair->bits != 0 ? pair->bits : pair->algorithm->bits;
	CK_RV rv;

	rv = check_algorithm(session, pair->algorithm, bits, &mechanism);
	if (rv == CKR_OK)
		rv = call_generate(session, pair, on_token, &mechanism, bits, &public_key, &private_key);
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

/* *ret_object: 0 when that half is not there. */
static CK_RV
find_half(const struct hsm_session *session, CK_OBJECT_CLASS class,
          const struct kms_id_request *request, CK_OBJECT_HANDLE *ret_object)
{
	CK_RV rv;

	rv = hsm_object_find_lone(session, class, request, ret_object);
	return rv == CKR_KEY_HANDLE_INVALID ? CKR_OK : rv;
}

/* Both halves, or the one that is there. CKR_KEY_HANDLE_INVALID: neither is. */
static CK_RV
find_halves(const struct hsm_session *session, const struct kms_id_request *request,
            CK_OBJECT_HANDLE *ret_private, CK_OBJECT_HANDLE *ret_public)
{
	CK_RV rv;

	*ret_private = *ret_public = CK_INVALID_HANDLE;
	rv = find_half(session, CKO_PRIVATE_KEY, request, ret_private);
	if (rv == CKR_OK)
		rv = find_half(session, CKO_PUBLIC_KEY, request, ret_public);
	if (rv == CKR_OK && *ret_private == CK_INVALID_HANDLE && *ret_public == CK_INVALID_HANDLE)
		rv = CKR_KEY_HANDLE_INVALID;
	return rv;
}

CK_RV
hsm_pair_find(const struct hsm_session *session, const struct kms_id_request *request)
{
	CK_OBJECT_HANDLE private_key, public_key;

	return find_halves(session, request, &private_key, &public_key);
}

CK_RV
hsm_pair_start(const struct hsm_session *session, const struct kms_id_request *request)
{
	CK_OBJECT_HANDLE public_key;
	struct buffer value = BUFFER_INIT;
	CK_DATE date;
	CK_RV rv;

	rv = hsm_object_find_lone(session, CKO_PUBLIC_KEY, request, &public_key);
	if (rv != CKR_OK)
		return rv == CKR_ACTION_PROHIBITED ? CKR_KEY_HANDLE_INVALID : rv;
	rv = hsm_object_attribute(session, public_key, CKA_START_DATE, &value);
	if (rv == CKR_ATTRIBUTE_TYPE_INVALID)
		rv = CKR_OK;
	if (rv == CKR_OK && value.size == sizeof date) {
		memcpy(&date, value.data, sizeof date);
		if (!date_to_time(&date, request->ret_start))
			*request->ret_start = 0;
	}
	buffer_clear(&value);
	return rv;
}

CK_RV
hsm_pair_destroy(const struct hsm_session *session, const struct kms_id_request *request)
{
	CK_OBJECT_HANDLE private_key, public_key;
	CK_RV rv;

	/* Both are looked at before anything is destroyed: another's key must not go with ours. */
	rv = find_halves(session, request, &private_key, &public_key);
	if (rv == CKR_ACTION_PROHIBITED)
		log_error("token %s: a pair%s%s is not destroyed: the HSM has something else with its "
		          "CKA_ID", session->hsm->config->name, request->label != NULL ? " " : "",
		          request->label != NULL ? request->label : "");
	if (rv != CKR_OK)
		return rv;
	session->attempt->final = true;
	/* The private half first: what a crash leaves is of no use to anybody. */
	if (private_key != CK_INVALID_HANDLE)
		rv = session->functions->C_DestroyObject(session->handle, private_key);
	if (rv == CKR_OK && public_key != CK_INVALID_HANDLE)
		rv = session->functions->C_DestroyObject(session->handle, public_key);
	return rv;
}
