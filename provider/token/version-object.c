/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The attributes of the halves of a version, one function for each table of the standard that they come
 * from. PKCS#11 3.0, sections 4.4 (storage), 4.7 (keys), 4.8 (public), 4.9 (private); 2.1.2,
 * 2.1.3, 2.3.3 - 2.3.6 of the mechanisms.
 */
#include "token/version-object.h"

#include "base/date.h"
#include "mechanism/mechanism.h"
#include "p11-kms/p11-kms.h"
#include "token/handle.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static CK_RV
set_bool(struct buffer *ret_value, bool value)
{
	CK_BBOOL flag = value ? CK_TRUE : CK_FALSE;

	return buffer_set(ret_value, &flag, sizeof flag);
}

static CK_RV
set_ulong(struct buffer *ret_value, CK_ULONG value)
{
	return buffer_set(ret_value, &value, sizeof value);
}

static CK_RV
set_text(struct buffer *ret_value, const char *text)
{
	return buffer_set(ret_value, text, strlen(text));
}

/* An empty value stands for "no date" (section 4.4). */
static CK_RV
set_date(struct buffer *ret_value, int64_t seconds)
{
	CK_DATE date;

	if (seconds == 0)
		return buffer_set(ret_value, NULL, 0);
	date_from_time(seconds, &date);
	return buffer_set(ret_value, &date, sizeof date);
}

/* What the half is for, now or when its version protects. */
static CK_FLAGS
usage_flags(const struct object *object)
{
	const struct version *version = object->key->version;
	bool public = object->class == CKO_PUBLIC_KEY;
	CK_FLAGS flags = 0;

	if ((version->usage & USAGE_DECRYPT) != 0)
		flags |= public ? CKF_ENCRYPT : CKF_DECRYPT;
	else if ((version->usage & USAGE_UNWRAP) != 0) /* not both: version_object_permits */
		flags |= public ? CKF_WRAP : CKF_UNWRAP;
	if ((version->usage & USAGE_SIGN) != 0)
		flags |= public ? CKF_VERIFY : CKF_SIGN;
	if ((version->usage & USAGE_DERIVE) != 0 && !public)
		flags |= CKF_DERIVE;
	return flags;
}

/* Mechanisms that work with this half: a list of CK_MECHANISM_TYPE. */
static CK_RV
set_allowed_mechanisms(const struct object *object, struct buffer *ret_value)
{
	CK_FLAGS wanted = usage_flags(object);
	const struct mechanism *mechanism;
	CK_RV rv = buffer_set(ret_value, NULL, 0);

	for (size_t i = 0; rv == CKR_OK && (mechanism = mechanism_at(i)) != NULL; i++) {
		if (!mechanism_takes(mechanism, object->key->version->algorithm->key_type) ||
		    !version_allows(object->key->version, mechanism->type))
			continue;
		if ((token_mechanism_flags(object->token, mechanism) & wanted) != 0)
			rv = buffer_append(ret_value, &mechanism->type, sizeof mechanism->type);
	}
	return rv;
}

static CK_RV
set_unique_id(const struct object *object, struct buffer *ret_value)
{
	char text[32];

	snprintf(text, sizeof text, "%llu", (unsigned long long)
	         handle_join(object->key->version->object, object->class));
	return set_text(ret_value, text);
}

static CK_RV
set_label(const struct object *object, struct buffer *ret_value)
{
	char *label = version_label(object->key->version);
	CK_RV rv;

	if (label == NULL)
		return CKR_HOST_MEMORY;
	rv = set_text(ret_value, label);
	free(label);
	return rv;
}

static CK_RV
set_component(const struct object *object, CK_ATTRIBUTE_TYPE type, struct buffer *ret_value)
{
	struct public_key *public_key;
	CK_RV rv = key_public(object->key, &public_key);

	if (rv != CKR_OK)
		return rv == CKR_HOST_MEMORY ? rv : CKR_DEVICE_ERROR;
	return public_key_attribute(public_key, type, ret_value);
}

static unsigned long
state_shown(enum version_state state)
{
	if (state == STATE_ACTIVE)
		return CKS_P11_KMS_ACTIVE;
	return state == STATE_DEACTIVATED ? CKS_P11_KMS_DEACTIVATED : CKS_P11_KMS_COMPROMISED;
}

static CK_RV
set_next_rotation(const struct object *object, struct buffer *ret_value)
{
	const struct version *version = object->key->version;
	struct key_record *key;
	CK_RV rv;

	if (version->state != STATE_ACTIVE)
		return set_date(ret_value, 0);
	rv = registry_key(object->token->registry, version->name, &key);
	if (rv != CKR_OK)
		return rv == CKR_HOST_MEMORY ? rv : CKR_DEVICE_ERROR;
	rv = set_date(ret_value, lifecycle_next_rotation(key, version));
	key_record_free(&key);
	return rv;
}

static CK_RV
set_recovery(const struct object *object, struct buffer *ret_value)
{
	struct key_record *key;
	CK_RV rv;

	rv = registry_key_newest(object->token->registry, object->key->version->name, &key);
	if (rv != CKR_OK)
		return rv == CKR_HOST_MEMORY ? rv : CKR_DEVICE_ERROR;
	rv = buffer_set(ret_value, key->recovery.data, key->recovery.size);
	key_record_free(&key);
	return rv;
}

/* Attributes that p11-kms adds. */
static CK_RV
attribute_vendor(const struct object *object, CK_ATTRIBUTE_TYPE type, struct buffer *ret_value)
{
	const struct version *version = object->key->version;

	switch (type) {
	case CKA_P11_KMS_KEY_NAME:
		return set_text(ret_value, version->name);
	case CKA_P11_KMS_VERSION:
		return set_ulong(ret_value, (CK_ULONG)version->number);
	case CKA_P11_KMS_STATE:
		return set_ulong(ret_value, state_shown(version->state));
	case CKA_P11_KMS_NEXT_ROTATION:
		return set_next_rotation(object, ret_value);
	case CKA_P11_KMS_RECOVERY:
		return set_recovery(object, ret_value);
	default:
		return CKR_ATTRIBUTE_TYPE_INVALID;
	}
}

/* What both halves have: storage objects (section 4.4) and keys (section 4.7). */
static CK_RV
attribute_common(const struct object *object, CK_ATTRIBUTE_TYPE type, struct buffer *ret_value)
{
	const struct version *version = object->key->version;

	switch (type) {
	case CKA_CLASS:
		return set_ulong(ret_value, object->class);
	case CKA_TOKEN:
		return set_bool(ret_value, true);
	case CKA_MODIFIABLE:
	case CKA_COPYABLE:
		return set_bool(ret_value, false);
	case CKA_LABEL:
		return set_label(object, ret_value);
	case CKA_UNIQUE_ID:
		return set_unique_id(object, ret_value);
	case CKA_KEY_TYPE:
		return set_ulong(ret_value, version->algorithm->key_type);
	case CKA_ID:
		return buffer_set(ret_value, version->id.data, version->id.size);
	case CKA_SUBJECT:
		return buffer_set(ret_value, version->subject.data, version->subject.size);
	case CKA_START_DATE:
		return set_date(ret_value, version->protect_from);
	case CKA_END_DATE:
		return set_date(ret_value, version->protect_until);
	case CKA_LOCAL:
		return set_bool(ret_value, version->local);
	case CKA_KEY_GEN_MECHANISM:
		return set_ulong(ret_value, version->local ? version->algorithm->generate
		                                           : CK_UNAVAILABLE_INFORMATION);
	case CKA_ALLOWED_MECHANISMS:
		return set_allowed_mechanisms(object, ret_value);
	case CKA_PUBLIC_KEY_INFO:
		return buffer_set(ret_value, version->spki.data, version->spki.size);
	case CKA_DERIVE:
	case CKA_ENCRYPT:
	case CKA_DECRYPT:
	case CKA_SIGN:
	case CKA_SIGN_RECOVER:
	case CKA_VERIFY:
	case CKA_VERIFY_RECOVER:
	case CKA_WRAP:
	case CKA_UNWRAP:
		return set_bool(ret_value, version_object_permits(object, type));
	default:
		return attribute_vendor(object, type, ret_value);
	}
}

static CK_RV
attribute_public(const struct object *object, CK_ATTRIBUTE_TYPE type, struct buffer *ret_value)
{
	switch (type) {
	case CKA_PRIVATE:
	case CKA_TRUSTED:
	case CKA_DESTROYABLE: /* it goes with its private half */
		return set_bool(ret_value, false);
	case CKA_WRAP_TEMPLATE:
		return buffer_set(ret_value, NULL, 0);
	case CKA_DECRYPT:
	case CKA_SIGN:
	case CKA_SIGN_RECOVER:
	case CKA_UNWRAP:
		return CKR_ATTRIBUTE_TYPE_INVALID;
	case CKA_MODULUS:
	case CKA_MODULUS_BITS:
	case CKA_PUBLIC_EXPONENT:
	case CKA_EC_PARAMS:
	case CKA_EC_POINT:
		return set_component(object, type, ret_value);
	default:
		return attribute_common(object, type, ret_value);
	}
}

static CK_RV
attribute_private(const struct object *object, CK_ATTRIBUTE_TYPE type, struct buffer *ret_value)
{
	switch (type) {
	case CKA_PRIVATE: /* true only where a login hides it */
		return set_bool(ret_value, token_needs_login(object->token));
	case CKA_SENSITIVE:
	case CKA_DESTROYABLE:
		return set_bool(ret_value, true);
	case CKA_EXTRACTABLE:
	case CKA_WRAP_WITH_TRUSTED:
	case CKA_ALWAYS_AUTHENTICATE:
		return set_bool(ret_value, false);
	case CKA_ALWAYS_SENSITIVE:
	case CKA_NEVER_EXTRACTABLE:
		return set_bool(ret_value, object->key->version->local);
	case CKA_UNWRAP_TEMPLATE:
	case CKA_DERIVE_TEMPLATE:
		return buffer_set(ret_value, NULL, 0);
	case CKA_ENCRYPT:
	case CKA_VERIFY:
	case CKA_VERIFY_RECOVER:
	case CKA_WRAP:
		return CKR_ATTRIBUTE_TYPE_INVALID;
	case CKA_PRIVATE_EXPONENT:
	case CKA_PRIME_1:
	case CKA_PRIME_2:
	case CKA_EXPONENT_1:
	case CKA_EXPONENT_2:
	case CKA_COEFFICIENT:
		return object->key->version->algorithm->key_type == CKK_RSA
		               ? CKR_ATTRIBUTE_SENSITIVE : CKR_ATTRIBUTE_TYPE_INVALID;
	case CKA_VALUE:
		return object->key->version->algorithm->key_type != CKK_RSA
		               ? CKR_ATTRIBUTE_SENSITIVE : CKR_ATTRIBUTE_TYPE_INVALID;
	case CKA_MODULUS:
	case CKA_PUBLIC_EXPONENT:
	case CKA_EC_PARAMS:
		return set_component(object, type, ret_value);
	default:
		return attribute_common(object, type, ret_value);
	}
}

CK_RV
version_object_attribute(const struct object *object, CK_ATTRIBUTE_TYPE type,
                         struct buffer *ret_value)
{
	if (object->class == CKO_PUBLIC_KEY)
		return attribute_public(object, type, ret_value);
	return attribute_private(object, type, ret_value);
}

CK_ULONG
version_object_size(const struct object *object)
{
	const struct version *version = object->key->version;

	return strlen(version->name) + version->id.size + version->subject.size +
	       version->spki.size;
}

/*
 * Who unwraps keys with a private key could decrypt them with it as well, were it allowed
 * both: a version that decrypts does not unwrap.
 */
bool
version_object_permits(const struct object *object, CK_ATTRIBUTE_TYPE verb)
{
	const struct version *version = object->key->version;
	bool protects = version_protects(version, clock_now());
	bool rsa = version->algorithm->key_type == CKK_RSA;
	bool decrypts = rsa && (version->usage & USAGE_DECRYPT) != 0;
	bool unwraps = rsa && !decrypts && (version->usage & USAGE_UNWRAP) != 0;

	switch (verb) {
	case CKA_ENCRYPT:
		return protects && decrypts;
	case CKA_DECRYPT:
		return decrypts;
	case CKA_WRAP:
		return protects && unwraps;
	case CKA_UNWRAP:
		return unwraps;
	case CKA_SIGN:
		return protects && (version->usage & USAGE_SIGN) != 0;
	case CKA_VERIFY:
		return (version->usage & USAGE_SIGN) != 0;
	case CKA_DERIVE:
		return object->class == CKO_PRIVATE_KEY &&
		       (version->algorithm->key_type == CKK_EC ||
		        version->algorithm->key_type == CKK_EC_MONTGOMERY) &&
		       (version->usage & USAGE_DERIVE) != 0;
	/*
	 * The signatures are those of CKM_RSA_PKCS in any case: a permission of its own would
	 * keep nobody from anything.
	 */
	case CKA_SIGN_RECOVER:
		return rsa && version_object_permits(object, CKA_SIGN);
	case CKA_VERIFY_RECOVER:
		return rsa && version_object_permits(object, CKA_VERIFY);
	default:
		return false;
	}
}
