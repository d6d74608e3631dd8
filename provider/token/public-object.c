/* SPDX-License-Identifier: Apache-2.0 */
#include "token/public-object.h"

#include "mechanism/public-key.h"

static const struct buffer *
value_of(const struct attributes *list, CK_ATTRIBUTE_TYPE type)
{
	const struct attribute *attribute = attributes_find(list, type);

	return attribute != NULL ? &attribute->value : NULL;
}

static CK_RV
spki_from_components(const struct attributes *list, CK_KEY_TYPE key_type,
                     struct buffer *ret_spki)
{
	const struct buffer *modulus = value_of(list, CKA_MODULUS);
	const struct buffer *exponent = value_of(list, CKA_PUBLIC_EXPONENT);
	const struct buffer *params = value_of(list, CKA_EC_PARAMS);
	const struct buffer *point = value_of(list, CKA_EC_POINT);
	const struct algorithm *algorithm;

	if (key_type == CKK_RSA) {
		if (modulus == NULL || exponent == NULL)
			return CKR_TEMPLATE_INCOMPLETE;
		return spki_from_rsa(modulus->data, modulus->size, exponent->data, exponent->size,
		                     ret_spki);
	}
	if (params == NULL || point == NULL)
		return CKR_TEMPLATE_INCOMPLETE;
	algorithm = algorithm_ec(key_type, params->data, params->size);
	if (algorithm == NULL)
		return CKR_CURVE_NOT_SUPPORTED;
	return spki_from_ec(algorithm, point->data, point->size, ret_spki);
}

/* One of both, or both alike. */
static CK_RV
settle_spki(const struct attributes *list, CK_KEY_TYPE key_type, struct buffer *ret_spki)
{
	const struct buffer *given = value_of(list, CKA_PUBLIC_KEY_INFO);
	bool components = value_of(list, CKA_MODULUS) != NULL ||
	                  value_of(list, CKA_EC_POINT) != NULL;
	CK_RV rv;

	if (given != NULL && given->size == 0)
		given = NULL;
	if (given != NULL && !components)
		return buffer_set(ret_spki, given->data, given->size);
	rv = spki_from_components(list, key_type, ret_spki);
	if (rv == CKR_OK && given != NULL && !buffer_equal(ret_spki, given->data, given->size))
		rv = CKR_TEMPLATE_INCONSISTENT;
	return rv;
}

/* Components of a key that are not in the template are told by the key itself. */
static CK_RV
settle_attributes(struct attributes *list, CK_KEY_TYPE key_type, const struct buffer *spki,
                  const struct public_key *key)
{
	static const CK_ATTRIBUTE_TYPE verbs[] = { CKA_ENCRYPT, CKA_VERIFY, CKA_WRAP, CKA_DERIVE,
		                                   CKA_VERIFY_RECOVER };
	CK_RV rv = attributes_set(list, CKA_PUBLIC_KEY_INFO, spki->data, spki->size);
	bool named = false;

	for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++)
		named = named || attributes_find(list, verbs[i]) != NULL;
	/*
	 * It may both encrypt and wrap: what is public keeps no secret, so that roles protect
	 * nothing here; they are kept apart where the private half is used. Where the template
	 * names no verb the key does what its type is made for.
	 */
	if (rv == CKR_OK && !named)
		rv = attributes_set_bool(list, CKA_VERIFY, key_type != CKK_EC_MONTGOMERY);
	if (rv == CKR_OK && !named && key_type == CKK_RSA)
		rv = attributes_set_bool(list, CKA_ENCRYPT, true);
	if (rv == CKR_OK && !named && key_type == CKK_RSA)
		rv = attributes_set_bool(list, CKA_VERIFY_RECOVER, true);
	if (rv == CKR_OK)
		rv = attributes_set_bool(list, CKA_LOCAL, false);
	if (rv == CKR_OK)
		rv = attributes_set_ulong(list, CKA_KEY_GEN_MECHANISM, CK_UNAVAILABLE_INFORMATION);
	if (rv == CKR_OK && key_type == CKK_RSA)
		rv = attributes_set_ulong(list, CKA_MODULUS_BITS, public_key_bits(key));
	return rv;
}

CK_RV
public_object_settle(struct attributes *list, struct material **ret_material)
{
	CK_KEY_TYPE key_type = attributes_ulong(list, CKA_KEY_TYPE, CK_UNAVAILABLE_INFORMATION);
	struct buffer spki = BUFFER_INIT;
	struct public_key *key = NULL;
	struct secret *no_secret = NULL;
	CK_RV rv;

	if (key_type != CKK_RSA && key_type != CKK_EC && key_type != CKK_EC_EDWARDS &&
	    key_type != CKK_EC_MONTGOMERY)
		return CKR_ATTRIBUTE_VALUE_INVALID;
	rv = settle_spki(list, key_type, &spki);
	if (rv == CKR_OK)
		rv = public_key_new(spki.data, spki.size, &key);
	if (rv == CKR_OK && public_key_type(key) != key_type)
		rv = CKR_TEMPLATE_INCONSISTENT;
	if (rv == CKR_OK)
		rv = settle_attributes(list, key_type, &spki, key);
	if (rv == CKR_OK)
		rv = material_new(&no_secret, &key, ret_material);
	public_key_free(&key);
	buffer_clear(&spki);
	return rv;
}
