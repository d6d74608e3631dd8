/* SPDX-License-Identifier: Apache-2.0 */
#include "token/attribute-rule.h"

#include "base/date.h"
#include "token/template.h"

#include <string.h>

/* The classes that an attribute belongs to. */
#define DATA 1U
#define CERTIFICATE 2U
#define PUBLIC 4U
#define SECRET 8U
#define KEYS (PUBLIC | SECRET)
#define STORAGE (DATA | CERTIFICATE | KEYS)

/* The footnotes of table 10, by their numbers, and what the text of section 4.4 adds. */
#define F(number) (1U << (number))
#define MUST_CREATE F(1)
#define NOT_CREATE F(2)
#define MUST_GENERATE F(3)
#define NOT_GENERATE F(4)
#define MUST_UNWRAP F(5)
#define NOT_UNWRAP F(6)
#define MODIFIABLE F(8)
#define ONLY_SO_TRUE F(10)
#define STAYS_TRUE F(11)
#define STAYS_FALSE F(12)
#define COPIES F(13) /* may be given anew to a copy, but not be set */
#define OURS (NOT_CREATE | NOT_GENERATE | NOT_UNWRAP)

enum form { BOOL, ULONG, DATE, BYTES, MECHANISMS, TEMPLATE };

enum fallback { NONE, YES, NO, EMPTY };

struct rule {
	CK_ATTRIBUTE_TYPE type;
	unsigned classes;
	enum form form;
	enum fallback fallback;
	unsigned notes;
};

static const struct rule table[] = {
	/* Sections 4.1 and 4.4. */
	{ CKA_CLASS, STORAGE, ULONG, NONE, MUST_CREATE },
	{ CKA_TOKEN, STORAGE, BOOL, NO, COPIES },
	{ CKA_PRIVATE, STORAGE, BOOL, NO, COPIES }, /* for secret keys see create.c */
	{ CKA_MODIFIABLE, STORAGE, BOOL, YES, COPIES },
	{ CKA_COPYABLE, STORAGE, BOOL, YES, MODIFIABLE | STAYS_FALSE },
	{ CKA_DESTROYABLE, STORAGE, BOOL, YES, COPIES },
	{ CKA_LABEL, STORAGE, BYTES, EMPTY, MODIFIABLE },
	{ CKA_UNIQUE_ID, STORAGE, BYTES, NONE, OURS },

	/* Section 4.5. */
	{ CKA_APPLICATION, DATA, BYTES, EMPTY, MODIFIABLE },
	{ CKA_OBJECT_ID, DATA, BYTES, EMPTY, MODIFIABLE },
	{ CKA_VALUE, DATA, BYTES, EMPTY, MODIFIABLE },

	/* Section 4.6. */
	{ CKA_CERTIFICATE_TYPE, CERTIFICATE, ULONG, NONE, MUST_CREATE },
	{ CKA_TRUSTED, CERTIFICATE, BOOL, NO, ONLY_SO_TRUE },
	{ CKA_CERTIFICATE_CATEGORY, CERTIFICATE, ULONG, NONE, 0 },
	{ CKA_CHECK_VALUE, CERTIFICATE, BYTES, NONE, 0 },
	{ CKA_START_DATE, CERTIFICATE, DATE, EMPTY, 0 },
	{ CKA_END_DATE, CERTIFICATE, DATE, EMPTY, 0 },
	{ CKA_PUBLIC_KEY_INFO, CERTIFICATE, BYTES, NONE, 0 },
	{ CKA_SUBJECT, CERTIFICATE, BYTES, NONE, MUST_CREATE },
	{ CKA_ID, CERTIFICATE, BYTES, EMPTY, MODIFIABLE },
	{ CKA_ISSUER, CERTIFICATE, BYTES, EMPTY, MODIFIABLE },
	{ CKA_SERIAL_NUMBER, CERTIFICATE, BYTES, EMPTY, MODIFIABLE },
	{ CKA_VALUE, CERTIFICATE, BYTES, NONE, MUST_CREATE },
	{ CKA_URL, CERTIFICATE, BYTES, EMPTY, 0 },
	{ CKA_HASH_OF_SUBJECT_PUBLIC_KEY, CERTIFICATE, BYTES, EMPTY, 0 },
	{ CKA_HASH_OF_ISSUER_PUBLIC_KEY, CERTIFICATE, BYTES, EMPTY, 0 },
	{ CKA_JAVA_MIDP_SECURITY_DOMAIN, CERTIFICATE, ULONG, NONE, 0 },
	{ CKA_NAME_HASH_ALGORITHM, CERTIFICATE, ULONG, NONE, 0 },

	/* Section 4.7. */
	{ CKA_KEY_TYPE, KEYS, ULONG, NONE, MUST_CREATE | MUST_UNWRAP },
	{ CKA_ID, KEYS, BYTES, EMPTY, MODIFIABLE },
	{ CKA_START_DATE, KEYS, DATE, EMPTY, MODIFIABLE },
	{ CKA_END_DATE, KEYS, DATE, EMPTY, MODIFIABLE },
	{ CKA_DERIVE, KEYS, BOOL, NO, MODIFIABLE },
	{ CKA_LOCAL, KEYS, BOOL, NONE, OURS },
	{ CKA_KEY_GEN_MECHANISM, KEYS, ULONG, NONE, OURS },
	{ CKA_ALLOWED_MECHANISMS, KEYS, MECHANISMS, NONE, 0 },

	/* Section 4.8. Which verbs are true by default depends on the others: create.c. */
	{ CKA_SUBJECT, PUBLIC, BYTES, EMPTY, MODIFIABLE },
	{ CKA_ENCRYPT, KEYS, BOOL, NO, MODIFIABLE },
	{ CKA_VERIFY, KEYS, BOOL, NO, MODIFIABLE },
	{ CKA_VERIFY_RECOVER, PUBLIC, BOOL, NO, MODIFIABLE },
	{ CKA_WRAP, KEYS, BOOL, NO, MODIFIABLE },
	{ CKA_TRUSTED, KEYS, BOOL, NO, ONLY_SO_TRUE },
	{ CKA_WRAP_TEMPLATE, KEYS, TEMPLATE, EMPTY, 0 },
	{ CKA_PUBLIC_KEY_INFO, PUBLIC, BYTES, NONE, 0 },
	/* Mechanisms 3.0, sections 2.1.2 and 2.3.3. */
	{ CKA_MODULUS, PUBLIC, BYTES, NONE, NOT_GENERATE },
	{ CKA_MODULUS_BITS, PUBLIC, ULONG, NONE, NOT_CREATE },
	{ CKA_PUBLIC_EXPONENT, PUBLIC, BYTES, NONE, 0 },
	{ CKA_EC_PARAMS, PUBLIC, BYTES, NONE, 0 },
	{ CKA_EC_POINT, PUBLIC, BYTES, NONE, NOT_GENERATE },

	/* Section 4.10. */
	{ CKA_SENSITIVE, SECRET, BOOL, NO, MODIFIABLE | STAYS_TRUE },
	{ CKA_DECRYPT, SECRET, BOOL, NO, MODIFIABLE },
	{ CKA_SIGN, SECRET, BOOL, NO, MODIFIABLE },
	{ CKA_UNWRAP, SECRET, BOOL, NO, MODIFIABLE },
	{ CKA_EXTRACTABLE, SECRET, BOOL, YES, MODIFIABLE | STAYS_FALSE },
	{ CKA_ALWAYS_SENSITIVE, SECRET, BOOL, NONE, OURS },
	{ CKA_NEVER_EXTRACTABLE, SECRET, BOOL, NONE, OURS },
	{ CKA_CHECK_VALUE, SECRET, BYTES, NONE, 0 },
	{ CKA_WRAP_WITH_TRUSTED, SECRET, BOOL, NO, MODIFIABLE | STAYS_TRUE },
	{ CKA_UNWRAP_TEMPLATE, SECRET, TEMPLATE, EMPTY, 0 },
	{ CKA_DERIVE_TEMPLATE, SECRET, TEMPLATE, EMPTY, 0 },
	/*
	 * Mechanisms 3.0, sections 2.6.2 and 2.10.2. A length is also taken when a key is
	 * unwrapped or derived: where padding has added zeros it is the only one who knows.
	 */
	{ CKA_VALUE, SECRET, BYTES, NONE, MUST_CREATE | NOT_GENERATE | NOT_UNWRAP },
	{ CKA_VALUE_LEN, SECRET, ULONG, NONE, NOT_CREATE | MUST_GENERATE },
};

#define TABLE_SIZE (sizeof table / sizeof *table)

static unsigned
class_bit(CK_OBJECT_CLASS class)
{
	switch (class) {
	case CKO_DATA:
		return DATA;
	case CKO_CERTIFICATE:
		return CERTIFICATE;
	case CKO_PUBLIC_KEY:
		return PUBLIC;
	case CKO_SECRET_KEY:
		return SECRET;
	default:
		return 0;
	}
}

static const struct rule *
rule_find(CK_OBJECT_CLASS class, CK_ATTRIBUTE_TYPE type)
{
	for (size_t i = 0; i < TABLE_SIZE; i++)
		if (table[i].type == type && (table[i].classes & class_bit(class)) != 0)
			return &table[i];
	return NULL;
}

static bool
date_fits(const CK_ATTRIBUTE *attribute)
{
	CK_DATE date;
	int64_t seconds;

	if (attribute->ulValueLen == 0)
		return true;
	if (attribute->ulValueLen != sizeof date)
		return false;
	memcpy(&date, attribute->pValue, sizeof date);
	return date_to_time(&date, &seconds);
}

/* A template inside of one: attributes with values, no further templates. */
static bool
template_fits(const CK_ATTRIBUTE *attribute)
{
	CK_ATTRIBUTE inner;

	if (attribute->ulValueLen % sizeof inner != 0)
		return false;
	for (size_t i = 0; i < attribute->ulValueLen / sizeof inner; i++) {
		memcpy(&inner, (const char *)attribute->pValue + i * sizeof inner, sizeof inner);
		if (template_check(&inner, 1) != CKR_OK || attribute_is_template(inner.type))
			return false;
	}
	return true;
}

static bool
form_fits(enum form form, const CK_ATTRIBUTE *attribute)
{
	switch (form) {
	case BOOL:
		return attribute->ulValueLen == sizeof(CK_BBOOL);
	case ULONG:
		return attribute->ulValueLen == sizeof(CK_ULONG);
	case DATE:
		return date_fits(attribute);
	case MECHANISMS:
		return attribute->ulValueLen % sizeof(CK_MECHANISM_TYPE) == 0;
	case TEMPLATE:
		return template_fits(attribute);
	default:
		return true;
	}
}

/* Can it be given at all this way? */
static bool
way_allows(enum way way, unsigned notes)
{
	switch (way) {
	case WAY_CREATE:
		return (notes & NOT_CREATE) == 0;
	case WAY_GENERATE:
		return (notes & NOT_GENERATE) == 0;
	case WAY_UNWRAP:
	case WAY_DERIVE: /* section 5.18.5: like an unwrapped one, its value comes from elsewhere */
		return (notes & NOT_UNWRAP) == 0;
	case WAY_COPY:
		return (notes & (MODIFIABLE | COPIES)) != 0;
	default:
		return (notes & MODIFIABLE) != 0;
	}
}

CK_RV
rules_check(enum way way, CK_OBJECT_CLASS class, const CK_ATTRIBUTE *template, CK_ULONG count)
{
	const struct rule *rule;

	for (CK_ULONG i = 0; i < count; i++) {
		rule = rule_find(class, template[i].type);
		if (rule == NULL)
			return CKR_ATTRIBUTE_TYPE_INVALID;
		if (!way_allows(way, rule->notes))
			return CKR_ATTRIBUTE_READ_ONLY;
		if (!form_fits(rule->form, &template[i]))
			return CKR_ATTRIBUTE_VALUE_INVALID;
		/* Nobody logs in as SO here. */
		if ((rule->notes & ONLY_SO_TRUE) != 0 &&
		    *(const CK_BBOOL *)template[i].pValue != CK_FALSE)
			return CKR_ATTRIBUTE_READ_ONLY;
	}
	return CKR_OK;
}

/* An RSA key has no curve: what the key type lacks is no omission. */
static bool
type_has(CK_ATTRIBUTE_TYPE type, CK_KEY_TYPE key_type)
{
	switch (type) {
	case CKA_MODULUS:
	case CKA_MODULUS_BITS:
	case CKA_PUBLIC_EXPONENT:
		return key_type == CKK_RSA;
	case CKA_EC_PARAMS:
	case CKA_EC_POINT:
		return key_type != CKK_RSA;
	default:
		return true;
	}
}

CK_RV
rules_complete(CK_OBJECT_CLASS class, CK_KEY_TYPE key_type, const struct attributes *list)
{
	for (size_t i = 0; i < TABLE_SIZE; i++) {
		if ((table[i].classes & class_bit(class)) == 0 ||
		    (table[i].notes & MUST_CREATE) == 0 || !type_has(table[i].type, key_type))
			continue;
		if (attributes_find(list, table[i].type) == NULL)
			return CKR_TEMPLATE_INCOMPLETE;
	}
	return CKR_OK;
}

CK_RV
rules_defaults(CK_OBJECT_CLASS class, CK_KEY_TYPE key_type, struct attributes *list)
{
	CK_ATTRIBUTE empty = { 0 };
	CK_RV rv = CKR_OK;

	for (size_t i = 0; rv == CKR_OK && i < TABLE_SIZE; i++) {
		if ((table[i].classes & class_bit(class)) == 0 || table[i].fallback == NONE ||
		    !type_has(table[i].type, key_type) ||
		    attributes_find(list, table[i].type) != NULL)
			continue;
		empty.type = table[i].type;
		if (table[i].fallback == EMPTY)
			rv = attributes_set_copy(list, &empty);
		else
			rv = attributes_set_bool(list, table[i].type, table[i].fallback == YES);
	}
	return rv;
}

CK_RV
rules_change(const struct attributes *old, const CK_ATTRIBUTE *attribute)
{
	CK_OBJECT_CLASS class = attributes_ulong(old, CKA_CLASS, CK_UNAVAILABLE_INFORMATION);
	const struct rule *rule = rule_find(class, attribute->type);
	bool was, becomes = false;

	if (rule == NULL || rule->form != BOOL)
		return CKR_OK;
	was = attributes_bool(old, attribute->type, false);
	if (template_bool(attribute, 1, attribute->type, &becomes) != CKR_OK)
		return CKR_ATTRIBUTE_VALUE_INVALID;
	if (was == becomes)
		return CKR_OK;
	if (((rule->notes & STAYS_TRUE) != 0 && was) || ((rule->notes & STAYS_FALSE) != 0 && !was))
		return CKR_ATTRIBUTE_READ_ONLY;
	return CKR_OK;
}

bool
roles_conflict(bool wraps, bool crypts)
{
	return wraps && crypts;
}

bool
roles_wrap(const struct attributes *list)
{
	return attributes_bool(list, CKA_WRAP, false) || attributes_bool(list, CKA_UNWRAP, false);
}

bool
roles_crypt(const struct attributes *list)
{
	return attributes_bool(list, CKA_ENCRYPT, false) ||
	       attributes_bool(list, CKA_DECRYPT, false);
}

static const struct {
	CK_ATTRIBUTE_TYPE type;
	bool guards;
} protections[] = {
	{ CKA_SENSITIVE, true },
	{ CKA_EXTRACTABLE, false },
	{ CKA_WRAP_WITH_TRUSTED, true },
};

static unsigned
protection_with(const struct attributes *list, bool guards)
{
	unsigned found = 0;
	bool value;

	for (size_t i = 0; i < sizeof protections / sizeof *protections; i++) {
		if (attributes_find(list, protections[i].type) == NULL)
			continue;
		value = attributes_bool(list, protections[i].type, false);
		if ((value == protections[i].guards) == guards)
			found |= 1U << i;
	}
	return found;
}

unsigned
protection_of(const struct attributes *list)
{
	return protection_with(list, true);
}

unsigned
protection_waived(const struct attributes *list)
{
	return protection_with(list, false);
}

CK_RV
protection_add(struct attributes *list, unsigned protection)
{
	CK_RV rv = CKR_OK;

	for (size_t i = 0; rv == CKR_OK && i < sizeof protections / sizeof *protections; i++)
		if ((protection & 1U << i) != 0)
			rv = attributes_set_bool(list, protections[i].type, protections[i].guards);
	return rv;
}
