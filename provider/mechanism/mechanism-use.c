/* SPDX-License-Identifier: Apache-2.0 */
/* A mechanism in use: its parameter, checked and copied, and the way to rsa.c and ec.c. */
#include "mechanism/ec.h"
#include "mechanism/mechanism.h"
#include "mechanism/rsa.h"

#include <string.h>

#define LABEL_SIZE_MAX 65536

/* Callers hand over structs of any alignment: they are copied before they are read. */
static CK_RV
parameter_copy(const CK_MECHANISM *mechanism, void *copy, size_t size)
{
	if (mechanism->pParameter == NULL || mechanism->ulParameterLen != size)
		return CKR_MECHANISM_PARAM_INVALID;
	memcpy(copy, mechanism->pParameter, size);
	return CKR_OK;
}

/* PKCS#11 mechanisms 3.0, section 2.1.7. */
static CK_RV
oaep_init(const CK_MECHANISM *mechanism, const struct public_key *key, struct mechanism_use *use)
{
	CK_RSA_PKCS_OAEP_PARAMS oaep;
	CK_RV rv = parameter_copy(mechanism, &oaep, sizeof oaep);
	size_t input_max;

	if (rv != CKR_OK)
		return rv;
	if (digest_size(oaep.hashAlg) == 0 || rsa_mgf_digest(oaep.mgf) == 0)
		return CKR_MECHANISM_PARAM_INVALID;
	/* Source 0: some callers' way to say that there is no label. */
	if (oaep.source != CKZ_DATA_SPECIFIED && (oaep.source != 0 || oaep.ulSourceDataLen != 0))
		return CKR_MECHANISM_PARAM_INVALID;
	if (oaep.ulSourceDataLen > LABEL_SIZE_MAX ||
	    (oaep.ulSourceDataLen > 0 && oaep.pSourceData == NULL))
		return CKR_MECHANISM_PARAM_INVALID;
	use->digest = oaep.hashAlg;
	use->mgf = oaep.mgf;
	if (!rsa_input_max(use, key, &input_max))
		return CKR_KEY_SIZE_RANGE;
	if (oaep.ulSourceDataLen == 0)
		return CKR_OK;
	return buffer_set(&use->label, oaep.pSourceData, oaep.ulSourceDataLen);
}

/* PKCS#11 mechanisms 3.0, sections 2.1.10 and 2.1.15. */
static CK_RV
pss_init(const CK_MECHANISM *mechanism, CK_FLAGS flag, const struct public_key *key,
         struct mechanism_use *use)
{
	CK_RSA_PKCS_PSS_PARAMS pss;
	CK_RV rv = parameter_copy(mechanism, &pss, sizeof pss);
	size_t salt_max;

	if (rv != CKR_OK)
		return rv;
	if (digest_size(pss.hashAlg) == 0 || rsa_mgf_digest(pss.mgf) == 0)
		return CKR_MECHANISM_PARAM_INVALID;
	if (use->mechanism->digest != 0 && pss.hashAlg != use->mechanism->digest)
		return CKR_MECHANISM_PARAM_INVALID;
	if (pss.hashAlg == CKM_SHA_1 && flag == CKF_SIGN)
		return CKR_MECHANISM_PARAM_INVALID;
	if (!rsa_salt_max(pss.hashAlg, key, &salt_max))
		return CKR_KEY_SIZE_RANGE;
	if (pss.sLen > salt_max)
		return CKR_MECHANISM_PARAM_INVALID;
	use->digest = pss.hashAlg;
	use->mgf = pss.mgf;
	use->salt_size = pss.sLen;
	return CKR_OK;
}

/* CK_EDDSA_PARAMS, which p11-kit's header lacks. */
struct eddsa_params {
	CK_BBOOL phFlag;
	CK_ULONG ulContextDataLen;
	CK_BYTE_PTR pContextData;
};

/*
 * PKCS#11 mechanisms 3.0, section 2.3.14: for Ed25519 the parameter may be left out; one
 * that asks for neither pre-hashing nor a context says the same.
 */
static CK_RV
eddsa_init(const CK_MECHANISM *mechanism)
{
	struct eddsa_params eddsa;
	CK_RV rv;

	if (mechanism->ulParameterLen == 0)
		return CKR_OK;
	rv = parameter_copy(mechanism, &eddsa, sizeof eddsa);
	if (rv != CKR_OK)
		return rv;
	if (eddsa.phFlag != CK_FALSE || eddsa.ulContextDataLen != 0)
		return CKR_MECHANISM_PARAM_INVALID;
	return CKR_OK;
}

static CK_RV
parameter_init(const CK_MECHANISM *mechanism, CK_FLAGS flag, const struct public_key *key,
               struct mechanism_use *use)
{
	use->digest = use->mechanism->digest;
	if (use->mechanism->padding == PADDING_RSA_OAEP)
		return oaep_init(mechanism, key, use);
	if (use->mechanism->padding == PADDING_RSA_PSS)
		return pss_init(mechanism, flag, key, use);
	if (use->mechanism->type == CKM_EDDSA)
		return eddsa_init(mechanism);
	/* No parameter. Some callers leave a pointer behind: the length counts. */
	return mechanism->ulParameterLen == 0 ? CKR_OK : CKR_MECHANISM_PARAM_INVALID;
}

static CK_RV
key_fits(const struct mechanism *mechanism, CK_FLAGS flag, const struct public_key *key)
{
	unsigned bits;

	if (mechanism->key_type == CK_UNAVAILABLE_INFORMATION || flag == CKF_GENERATE_KEY_PAIR)
		return CKR_OK;
	if (key == NULL || public_key_type(key) != mechanism->key_type)
		return CKR_KEY_TYPE_INCONSISTENT;
	bits = public_key_bits(key);
	if (bits < mechanism->min_bits || bits > mechanism->max_bits)
		return CKR_KEY_SIZE_RANGE;
	return CKR_OK;
}

CK_RV
mechanism_use_init(const CK_MECHANISM *mechanism, CK_FLAGS flag, const struct public_key *key,
                   struct mechanism_use *ret_use)
{
	struct mechanism_use use = { .mechanism = mechanism_find(mechanism->mechanism) };
	CK_RV rv;

	if (use.mechanism == NULL ||
	    ((use.mechanism->local | use.mechanism->remote | use.mechanism->legacy) & flag) == 0)
		return CKR_MECHANISM_INVALID;
	rv = key_fits(use.mechanism, flag, key);
	if (rv != CKR_OK)
		return rv;
	rv = parameter_init(mechanism, flag, key, &use);
	if (rv != CKR_OK)
		return rv;
	*ret_use = use;
	return CKR_OK;
}

void
mechanism_use_clear(struct mechanism_use *use)
{
	buffer_clear(&use->label);
	memset(use, 0, sizeof *use);
}

size_t
mechanism_output_size(const struct mechanism_use *use, const struct public_key *key)
{
	return key == NULL ? digest_size(use->digest) : public_key_signature_size(key);
}

size_t
mechanism_input_max(const struct mechanism_use *use, const struct public_key *key)
{
	size_t size;

	return rsa_input_max(use, key, &size) ? size : 0;
}

/* What the caller has hashed for us has the length of the hash. */
static CK_RV
data_fits(const struct mechanism_use *use, size_t data_size)
{
	if (use->mechanism->digest != 0 && data_size != digest_size(use->mechanism->digest))
		return CKR_DATA_LEN_RANGE;
	return CKR_OK;
}

CK_RV
mechanism_encrypt(const struct mechanism_use *use, struct public_key *key, const void *data,
                  size_t data_size, unsigned char *ret_data)
{
	if ((use->mechanism->local & CKF_ENCRYPT) == 0)
		return CKR_MECHANISM_INVALID;
	return rsa_encrypt(use, key, data, data_size, ret_data);
}

CK_RV
mechanism_verify(const struct mechanism_use *use, struct public_key *key, const void *data,
                 size_t data_size, const void *signature, size_t signature_size)
{
	CK_RV rv;

	if ((use->mechanism->local & CKF_VERIFY) == 0)
		return CKR_MECHANISM_INVALID;
	rv = data_fits(use, data_size);
	if (rv != CKR_OK)
		return rv;
	if (signature_size != public_key_signature_size(key))
		return CKR_SIGNATURE_LEN_RANGE;
	switch (use->mechanism->key_type) {
	case CKK_RSA:
		return rsa_verify(use, key, data, data_size, signature);
	case CKK_EC:
		return ecdsa_verify(use, key, data, data_size, signature);
	default:
		return eddsa_verify(key, data, data_size, signature);
	}
}

CK_RV
mechanism_recover(const struct mechanism_use *use, struct public_key *key, const void *signature,
                  size_t signature_size, struct buffer *ret_data)
{
	if ((use->mechanism->local & CKF_VERIFY_RECOVER) == 0)
		return CKR_MECHANISM_INVALID;
	if (signature_size != public_key_signature_size(key))
		return CKR_SIGNATURE_LEN_RANGE;
	return rsa_recover(use, key, signature, ret_data);
}

CK_RV
mechanism_plan_sign(const struct mechanism_use *use, const struct public_key *key,
                    const void *data, size_t data_size, struct mechanism_plan *ret_plan,
                    struct buffer *ret_block)
{
	CK_RV rv;

	if (((use->mechanism->remote | use->mechanism->legacy) & CKF_SIGN) == 0)
		return CKR_MECHANISM_INVALID;
	rv = data_fits(use, data_size);
	if (rv != CKR_OK)
		return rv;
	switch (use->mechanism->key_type) {
	case CKK_RSA:
		return rsa_plan_sign(use, key, data, data_size, ret_plan, ret_block);
	case CKK_EC:
		return ecdsa_plan_sign(use, key, data, data_size, ret_plan, ret_block);
	default:
		return eddsa_plan_sign(data, data_size, ret_plan, ret_block);
	}
}

/* The whole mechanism, with its parameter, for the message. */
static CK_RV
plan_whole(const struct mechanism_use *use, const void *message, size_t message_size,
           struct mechanism_plan *ret_plan, struct buffer *ret_block)
{
	struct mechanism_plan *plan = ret_plan;

	memset(plan, 0, sizeof *plan);
	plan->primitive.mechanism = use->mechanism->type;
	if (use->mechanism->padding == PADDING_RSA_PSS) {
		plan->parameter.pss.hashAlg = use->digest;
		plan->parameter.pss.mgf = use->mgf;
		plan->parameter.pss.sLen = use->salt_size;
		plan->primitive.pParameter = &plan->parameter.pss;
		plan->primitive.ulParameterLen = sizeof plan->parameter.pss;
	}
	return buffer_set(ret_block, message, message_size);
}

CK_RV
mechanism_plan_message(const struct mechanism_use *use, const struct public_key *key,
                       primitive_offered offered, const void *context, const void *message,
                       size_t message_size, struct mechanism_plan *ret_plan,
                       struct buffer *ret_block)
{
	unsigned char digest[DIGEST_SIZE_MAX];
	CK_RV rv;

	if (((use->mechanism->remote | use->mechanism->legacy) & CKF_SIGN) == 0)
		return CKR_MECHANISM_INVALID;
	if (mechanism_kms_hashes(use->mechanism, offered, context))
		return plan_whole(use, message, message_size, ret_plan, ret_block);
	if (use->mechanism->digest == 0)
		return mechanism_plan_sign(use, key, message, message_size, ret_plan, ret_block);
	rv = digest_once(use->mechanism->digest, message, message_size, digest);
	if (rv != CKR_OK)
		return rv;
	return mechanism_plan_sign(use, key, digest, digest_size(use->mechanism->digest), ret_plan,
	                           ret_block);
}

CK_RV
mechanism_plan_decrypt(const struct mechanism_use *use, const struct public_key *key,
                       primitive_offered offered, const void *context,
                       struct mechanism_plan *ret_plan)
{
	(void)key;
	if (((use->mechanism->remote | use->mechanism->legacy) & CKF_DECRYPT) == 0)
		return CKR_MECHANISM_INVALID;
	return rsa_plan_decrypt(use, offered, context, ret_plan);
}

bool
mechanism_loses(const struct mechanism_use *use, primitive_offered offered, const void *context)
{
	return use->mechanism->padding == PADDING_RSA_OAEP && !rsa_oaep_is_plain(use) &&
	       offered(context, CKM_P11_KMS_OAEP_SHA1_ONLY) && !offered(context, CKM_RSA_X_509);
}
