/* SPDX-License-Identifier: Apache-2.0 */
#include "kms/hsm-derive.h"

#include "kms/hsm-key.h"

#include <string.h>

/* 04, X, Y of the longest curve, P-521. */
#define POINT_SIZE_MAX 133
#define UNCOMPRESSED 0x04
#define POINT_X25519_SIZE 32 /* and so long is Z (RFC 7748, section 5) */

struct derivation {
	CK_MECHANISM *primitive;
	size_t field_size;
	CK_OBJECT_HANDLE derived;
};

/*
 * Says to the HSM what its answer is to be: a key that this process can read, and that dies
 * with the session if all else fails (PKCS#11 3.0, section 4.10; mechanisms, 2.3.17). Some
 * HSMs need the length, others take it amiss.
 */
static CK_RV
derive_once(const struct hsm_session *session, CK_OBJECT_HANDLE base, CK_MECHANISM *mechanism,
            CK_ULONG size, CK_OBJECT_HANDLE *ret_derived)
{
	CK_OBJECT_CLASS class = CKO_SECRET_KEY;
	CK_KEY_TYPE type = CKK_GENERIC_SECRET;
	CK_BBOOL yes = CK_TRUE, no = CK_FALSE, private = session->login ? CK_TRUE : CK_FALSE;
	CK_ATTRIBUTE template[] = {
		{ CKA_CLASS, &class, sizeof class },
		{ CKA_KEY_TYPE, &type, sizeof type },
		{ CKA_TOKEN, &no, sizeof no },
		{ CKA_PRIVATE, &private, sizeof private },
		{ CKA_SENSITIVE, &no, sizeof no },
		{ CKA_EXTRACTABLE, &yes, sizeof yes },
		{ CKA_VALUE_LEN, &size, sizeof size },
	};
	CK_ULONG count = sizeof template / sizeof *template;

	return session->functions->C_DeriveKey(session->handle, mechanism, base, template,
	                                       size == 0 ? count - 1 : count, ret_derived);
}

static bool
blames_template(CK_RV rv)
{
	return rv == CKR_ATTRIBUTE_TYPE_INVALID || rv == CKR_ATTRIBUTE_VALUE_INVALID ||
	       rv == CKR_ATTRIBUTE_READ_ONLY || rv == CKR_TEMPLATE_INCONSISTENT ||
	       rv == CKR_KEY_SIZE_RANGE;
}

static CK_RV
derive(const struct hsm_session *session, CK_OBJECT_HANDLE base, void *context)
{
	struct derivation *derivation = context;
	CK_RV rv;

	rv = derive_once(session, base, derivation->primitive, derivation->field_size,
	                 &derivation->derived);
	if (blames_template(rv))
		rv = derive_once(session, base, derivation->primitive, 0, &derivation->derived);
	return rv;
}

/* All of Z: some HSMs leave its leading zeros away. */
static CK_RV
read_shared(const struct hsm_session *session, const struct derivation *derivation,
            struct secret **ret_shared)
{
	size_t field_size = derivation->field_size, missing;
	CK_ATTRIBUTE attribute = { CKA_VALUE, NULL, field_size };
	struct secret *shared = NULL;
	unsigned char *data;
	CK_RV rv;

	rv = secret_new(field_size, &shared);
	if (rv != CKR_OK)
		return rv;
	data = secret_data(shared);
	attribute.pValue = data;
	rv = session->functions->C_GetAttributeValue(session->handle, derivation->derived,
	                                             &attribute, 1);
	if (rv == CKR_OK && (attribute.ulValueLen == 0 || attribute.ulValueLen > field_size))
		rv = CKR_GENERAL_ERROR;
	if (rv != CKR_OK) {
		secret_free(&shared);
		return rv;
	}
	missing = field_size - attribute.ulValueLen;
	memmove(data + missing, data, attribute.ulValueLen);
	memset(data, 0, missing);
	*ret_shared = shared;
	return CKR_OK;
}

/* Tells by the peer's point how long Z is. 0: it is no such point. */
static size_t
field_size(const CK_ECDH1_DERIVE_PARAMS *parameter)
{
	CK_ULONG size = parameter->ulPublicDataLen;

	if (size == POINT_X25519_SIZE)
		return size;
	if (size < 3 || size > POINT_SIZE_MAX || size % 2 != 1 ||
	    parameter->pPublicData[0] != UNCOMPRESSED)
		return 0;
	return (size - 1) / 2;
}

CK_RV
hsm_derive(struct hsm_session *session, struct kms_key *key, CK_MECHANISM *primitive,
           struct secret **ret_shared)
{
	const CK_ECDH1_DERIVE_PARAMS *parameter = primitive->pParameter;
	struct derivation derivation = { .primitive = primitive };
	CK_RV rv;

	if (primitive->mechanism != CKM_ECDH1_DERIVE)
		return CKR_MECHANISM_INVALID;
	if (parameter == NULL || primitive->ulParameterLen != sizeof *parameter ||
	    parameter->kdf != CKD_NULL || parameter->ulSharedDataLen != 0 ||
	    parameter->pPublicData == NULL || field_size(parameter) == 0)
		return CKR_MECHANISM_PARAM_INVALID;
	derivation.field_size = field_size(parameter);
	rv = hsm_key_with(session, key, derive, &derivation);
	if (rv != CKR_OK)
		return rv;
	rv = read_shared(session, &derivation, ret_shared);
	if (session->functions->C_DestroyObject(session->handle, derivation.derived) != CKR_OK)
		session->spoiled = true;
	return rv;
}
