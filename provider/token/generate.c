/* SPDX-License-Identifier: Apache-2.0 */
#include "token/generate.h"

#include "base/date.h"
#include "base/log.h"
#include "lifecycle/create.h"
#include "lifecycle/policy.h"
#include "mechanism/mechanism.h"
#include "token/attribute-rule.h"
#include "token/handle.h"
#include "token/session-pair.h"
#include "token/template.h"

#include <limits.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define MECHANISMS_MAX 64 /* in a policy: policy-parse.c */

/* How an attribute of a template is taken. */
enum rule {
	RULE_READ,     /* its value is read below */
	RULE_FORMED,   /* the same, in the form that other keys' has */
	RULE_TRUE,     /* only true can be had */
	RULE_FALSE,    /* only false can be had */
	RULE_EITHER,   /* true or false, told truthfully afterwards */
	RULE_SESSION,  /* kept with a pair of the session, in that form; keys on the token have none */
	RULE_OURS,     /* set by the token: section 4.1.2, CKR_ATTRIBUTE_READ_ONLY */
};

struct attribute_rule {
	CK_ATTRIBUTE_TYPE type;
	enum rule rule;
};

static const struct attribute_rule public_rules[] = {
	{ CKA_CLASS, RULE_READ },          { CKA_KEY_TYPE, RULE_READ },
	{ CKA_TOKEN, RULE_READ },          { CKA_LABEL, RULE_READ },
	{ CKA_ID, RULE_READ },             { CKA_SUBJECT, RULE_READ },
	{ CKA_START_DATE, RULE_READ },     { CKA_END_DATE, RULE_READ },
	{ CKA_MODULUS_BITS, RULE_READ },   { CKA_PUBLIC_EXPONENT, RULE_READ },
	{ CKA_EC_PARAMS, RULE_READ },      { CKA_ENCRYPT, RULE_READ },
	{ CKA_VERIFY, RULE_READ },         { CKA_WRAP, RULE_READ },
	{ CKA_DERIVE, RULE_READ },         { CKA_VERIFY_RECOVER, RULE_EITHER },
	{ CKA_MODIFIABLE, RULE_EITHER },   { CKA_COPYABLE, RULE_EITHER },
	{ CKA_DESTROYABLE, RULE_EITHER },  { CKA_PRIVATE, RULE_FALSE },
	{ CKA_TRUSTED, RULE_FALSE },       { CKA_LOCAL, RULE_OURS },
	{ CKA_KEY_GEN_MECHANISM, RULE_OURS }, { CKA_MODULUS, RULE_OURS },
	{ CKA_EC_POINT, RULE_OURS },       { CKA_UNIQUE_ID, RULE_OURS },
	{ CKA_PUBLIC_KEY_INFO, RULE_OURS }, { CKA_ALLOWED_MECHANISMS, RULE_FORMED },
	{ CKA_WRAP_TEMPLATE, RULE_SESSION },
};

static const struct attribute_rule private_rules[] = {
	{ CKA_CLASS, RULE_READ },          { CKA_KEY_TYPE, RULE_READ },
	{ CKA_TOKEN, RULE_READ },          { CKA_LABEL, RULE_READ },
	{ CKA_ID, RULE_READ },             { CKA_SUBJECT, RULE_READ },
	{ CKA_START_DATE, RULE_READ },     { CKA_END_DATE, RULE_READ },
	{ CKA_DECRYPT, RULE_READ },        { CKA_SIGN, RULE_READ },
	{ CKA_UNWRAP, RULE_READ },         { CKA_DERIVE, RULE_READ },
	{ CKA_SIGN_RECOVER, RULE_EITHER }, { CKA_MODIFIABLE, RULE_EITHER },
	{ CKA_COPYABLE, RULE_EITHER },     { CKA_PRIVATE, RULE_EITHER },
	{ CKA_DESTROYABLE, RULE_TRUE },    { CKA_SENSITIVE, RULE_TRUE },
	{ CKA_EXTRACTABLE, RULE_FALSE },   { CKA_WRAP_WITH_TRUSTED, RULE_FALSE },
	{ CKA_ALWAYS_AUTHENTICATE, RULE_FALSE }, { CKA_LOCAL, RULE_OURS },
	{ CKA_ALWAYS_SENSITIVE, RULE_OURS }, { CKA_NEVER_EXTRACTABLE, RULE_OURS },
	{ CKA_KEY_GEN_MECHANISM, RULE_OURS }, { CKA_MODULUS, RULE_OURS },
	{ CKA_PUBLIC_EXPONENT, RULE_OURS }, { CKA_PRIVATE_EXPONENT, RULE_OURS },
	{ CKA_VALUE, RULE_OURS },          { CKA_UNIQUE_ID, RULE_OURS },
	{ CKA_PUBLIC_KEY_INFO, RULE_OURS }, { CKA_ALLOWED_MECHANISMS, RULE_FORMED },
	{ CKA_UNWRAP_TEMPLATE, RULE_SESSION }, { CKA_DERIVE_TEMPLATE, RULE_SESSION },
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const struct attribute_rule *
rule_find(const struct attribute_rule *rules, size_t count, CK_ATTRIBUTE_TYPE type)
{
	for (size_t i = 0; i < count; i++)
		if (rules[i].type == type)
			return &rules[i];
	return NULL;
}

static CK_RV
session_rule(struct template template)
{
	bool on_token = false;
	CK_RV rv = template_bool(template.attributes, template.count, CKA_TOKEN, &on_token);

	return rv == CKR_OK && on_token ? CKR_ATTRIBUTE_TYPE_INVALID : rv;
}

static CK_RV
rules_obey(struct template template, const struct attribute_rule *rules, size_t rule_count)
{
	const struct attribute_rule *rule;
	bool value = false;
	CK_RV rv = template_check(template.attributes, template.count);

	for (CK_ULONG i = 0; rv == CKR_OK && i < template.count; i++) {
		rule = rule_find(rules, rule_count, template.attributes[i].type);
		if (rule == NULL)
			return CKR_ATTRIBUTE_TYPE_INVALID;
		if (rule->rule == RULE_OURS)
			return CKR_ATTRIBUTE_READ_ONLY;
		if (rule->rule == RULE_SESSION)
			rv = session_rule(template);
		if (rv == CKR_OK && (rule->rule == RULE_SESSION || rule->rule == RULE_FORMED))
			rv = rules_check(WAY_GENERATE, CKO_SECRET_KEY, &template.attributes[i], 1);
		if (rule->rule == RULE_READ || rule->rule == RULE_SESSION || rule->rule == RULE_FORMED)
			continue;
		rv = template_bool(template.attributes, template.count, rule->type, &value);
		if (rv == CKR_OK && ((rule->rule == RULE_TRUE && !value) ||
		                     (rule->rule == RULE_FALSE && value)))
			rv = CKR_ATTRIBUTE_VALUE_INVALID;
	}
	return rv;
}

/* CKA_CLASS, CKA_KEY_TYPE, CKA_TOKEN of one of the templates. */
static CK_RV
template_fits(struct template template, CK_OBJECT_CLASS class, CK_KEY_TYPE key_type,
              bool *ret_token)
{
	CK_ULONG given_class = class;
	CK_ULONG given_type = key_type;
	bool token = false;
	CK_RV rv;

	rv = template_ulong(template.attributes, template.count, CKA_CLASS, &given_class);
	if (rv == CKR_OK)
		rv = template_ulong(template.attributes, template.count, CKA_KEY_TYPE, &given_type);
	if (rv == CKR_OK)
		rv = template_bool(template.attributes, template.count, CKA_TOKEN, &token);
	if (rv != CKR_OK)
		return rv;
	if (given_class != class || given_type != key_type)
		return CKR_TEMPLATE_INCONSISTENT;
	*ret_token = token;
	return CKR_OK;
}

/* F4, whatever leading zeros it comes with. */
static bool
exponent_is_f4(const CK_ATTRIBUTE *exponent)
{
	static const unsigned char f4[] = { 0x01, 0x00, 0x01 };
	const unsigned char *value = exponent->pValue;
	CK_ULONG size = exponent->ulValueLen;

	while (size > sizeof f4 && *value == 0) {
		value++;
		size--;
	}
	return size == sizeof f4 && memcmp(value, f4, sizeof f4) == 0;
}

/* *ret_bits: of a pair of the session, which may have a size that keys on the token don't have; else 0. */
static CK_RV
template_algorithm(struct template template, const struct mechanism *mechanism, bool on_token,
                   const struct algorithm **ret_algorithm, unsigned *ret_bits)
{
	const CK_ATTRIBUTE *attribute;
	CK_ULONG bits = 0;
	CK_RV rv;

	if (mechanism->type == CKM_RSA_PKCS_KEY_PAIR_GEN) {
		if (template_find(template.attributes, template.count, CKA_MODULUS_BITS) == NULL)
			return CKR_TEMPLATE_INCOMPLETE;
		attribute = template_find(template.attributes, template.count, CKA_PUBLIC_EXPONENT);
		if (attribute != NULL && !exponent_is_f4(attribute))
			return CKR_ATTRIBUTE_VALUE_INVALID;
		rv = template_ulong(template.attributes, template.count, CKA_MODULUS_BITS, &bits);
		if (rv != CKR_OK)
			return rv;
		*ret_algorithm = algorithm_rsa(bits);
		if (!on_token && bits >= KMS_SESSION_RSA_MIN && bits <= UINT_MAX) {
			*ret_algorithm = algorithm_rsa(2048) /* but for its size */;
			*ret_bits = (unsigned)bits;
		}
		return *ret_algorithm != NULL ? CKR_OK : CKR_KEY_SIZE_RANGE;
	}
	attribute = template_find(template.attributes, template.count, CKA_EC_PARAMS);
	if (attribute == NULL)
		return CKR_TEMPLATE_INCOMPLETE;
	*ret_algorithm = algorithm_ec(mechanism->key_type, attribute->pValue,
	                              attribute->ulValueLen);
	return *ret_algorithm != NULL ? CKR_OK : CKR_CURVE_NOT_SUPPORTED;
}

/*
 * The private half's verbs decide what the pair is for; where it names none, the public
 * half's do. 0: neither named any, and the policy decides.
 */
static CK_RV
templates_usage(struct template public_template, struct template private_template,
                const struct algorithm *algorithm, unsigned *ret_usage)
{
	static const struct {
		CK_ATTRIBUTE_TYPE private_verb, public_verb;
		unsigned usage;
	} verbs[] = {
		{ CKA_DECRYPT, CKA_ENCRYPT, USAGE_DECRYPT },
		{ CKA_SIGN, CKA_VERIFY, USAGE_SIGN },
		{ CKA_UNWRAP, CKA_WRAP, USAGE_UNWRAP },
		{ CKA_DERIVE, CKA_DERIVE, USAGE_DERIVE },
	};
	unsigned private_usage = 0, public_usage = 0, named = 0;
	bool value;
	CK_RV rv = CKR_OK;

	for (size_t i = 0; i < COUNT(verbs); i++) {
		value = false;
		rv = template_bool(private_template.attributes, private_template.count,
		                   verbs[i].private_verb, &value);
		private_usage |= value ? verbs[i].usage : 0;
		if (template_find(private_template.attributes, private_template.count,
		                  verbs[i].private_verb) != NULL)
			named++;
		value = false;
		if (rv == CKR_OK)
			rv = template_bool(public_template.attributes, public_template.count,
			                   verbs[i].public_verb, &value);
		public_usage |= value ? verbs[i].usage : 0;
		if (rv != CKR_OK)
			return rv;
	}
	/* Who asks for signatures with recovery asks for a key that signs. */
	value = false;
	rv = template_bool(private_template.attributes, private_template.count, CKA_SIGN_RECOVER,
	                   &value);
	if (rv != CKR_OK)
		return rv;
	private_usage |= value ? USAGE_SIGN : 0;
	*ret_usage = private_usage != 0 ? private_usage : public_usage;
	/* Tools ask for more than a type of key can do; its attributes tell what came of it. */
	*ret_usage &= usage_possible(algorithm);
	/* Nor does one key do both of what would let it decrypt the keys that it unwraps. */
	if ((*ret_usage & USAGE_DECRYPT) != 0)
		*ret_usage &= ~(unsigned)USAGE_UNWRAP;
	return *ret_usage == 0 && named != 0 ? CKR_TEMPLATE_INCONSISTENT : CKR_OK;
}

/* An attribute that either template may give, and both only alike. */
static CK_RV
templates_shared(struct template public_template, struct template private_template,
                 CK_ATTRIBUTE_TYPE type, const CK_ATTRIBUTE **ret_attribute)
{
	const CK_ATTRIBUTE *a, *b;

	a = template_find(public_template.attributes, public_template.count, type);
	b = template_find(private_template.attributes, private_template.count, type);
	if (a != NULL && a->ulValueLen == 0)
		a = NULL; /* empty is as good as absent */
	if (b != NULL && b->ulValueLen == 0)
		b = NULL;
	if (a != NULL && b != NULL &&
	    (a->ulValueLen != b->ulValueLen || memcmp(a->pValue, b->pValue, a->ulValueLen) != 0))
		return CKR_TEMPLATE_INCONSISTENT;
	*ret_attribute = a != NULL ? a : b;
	return CKR_OK;
}

static CK_RV
templates_date(struct template public_template, struct template private_template,
               CK_ATTRIBUTE_TYPE type, int64_t *ret_seconds)
{
	const CK_ATTRIBUTE *attribute;
	CK_DATE date;
	CK_RV rv = templates_shared(public_template, private_template, type, &attribute);

	if (rv != CKR_OK || attribute == NULL)
		return rv;
	if (attribute->ulValueLen != sizeof date)
		return CKR_ATTRIBUTE_VALUE_INVALID;
	memcpy(&date, attribute->pValue, sizeof date);
	return date_to_time(&date, ret_seconds) ? CKR_OK : CKR_ATTRIBUTE_VALUE_INVALID;
}

static bool
is_empty(struct template template, CK_ATTRIBUTE_TYPE type)
{
	const CK_ATTRIBUTE *attribute = template_find(template.attributes, template.count, type);

	return attribute != NULL && attribute->ulValueLen == 0;
}

/*
 * CKA_ALLOWED_MECHANISMS of a key on the token are its policy's, one list for both halves. A key
 * that is allowed nothing has no such list.
 */
static CK_RV
templates_mechanisms(struct template public_template, struct template private_template,
                     struct policy_change *policy)
{
	CK_MECHANISM_TYPE types[MECHANISMS_MAX];
	const CK_ATTRIBUTE *list;
	size_t count;
	CK_RV rv = templates_shared(public_template, private_template, CKA_ALLOWED_MECHANISMS, &list);

	if (rv == CKR_OK && (is_empty(public_template, CKA_ALLOWED_MECHANISMS) ||
	                     is_empty(private_template, CKA_ALLOWED_MECHANISMS)))
		rv = CKR_ATTRIBUTE_VALUE_INVALID;
	if (rv != CKR_OK || list == NULL)
		return rv;
	if (list->ulValueLen > sizeof types)
		return CKR_ATTRIBUTE_VALUE_INVALID;
	count = list->ulValueLen / sizeof *types;
	memcpy(types, list->pValue, list->ulValueLen); /* may be unaligned */
	for (size_t i = 0; i < count; i++)
		if (types[i] > UINT32_MAX) /* which no record holds */
			return CKR_ATTRIBUTE_VALUE_INVALID;
	policy->given |= POLICY_MECHANISMS;
	return mechanism_list_set(&policy->mechanisms, types, count);
}

/* What names and dates the version: CKA_LABEL (a copy, the caller frees), CKA_ID, CKA_SUBJECT, dates. */
static CK_RV
templates_request(struct template public_template, struct template private_template,
                  struct create_request *request, char **ret_name)
{
	const CK_ATTRIBUTE *label, *id, *subject;
	CK_RV rv;

	rv = templates_shared(public_template, private_template, CKA_LABEL, &label);
	if (rv == CKR_OK)
		rv = templates_shared(public_template, private_template, CKA_ID, &id);
	if (rv == CKR_OK)
		rv = templates_shared(public_template, private_template, CKA_SUBJECT, &subject);
	if (rv == CKR_OK)
		rv = templates_date(public_template, private_template, CKA_START_DATE,
		                    &request->protect_from);
	if (rv == CKR_OK)
		rv = templates_date(public_template, private_template, CKA_END_DATE,
		                    &request->protect_until);
	if (rv != CKR_OK)
		return rv;
	if (id != NULL) {
		request->id = id->pValue;
		request->id_size = id->ulValueLen;
	}
	if (subject != NULL) {
		request->subject = subject->pValue;
		request->subject_size = subject->ulValueLen;
	}
	if (label == NULL)
		return CKR_OK;
	if (!record_name_valid(label->pValue, label->ulValueLen))
		return CKR_ATTRIBUTE_VALUE_INVALID;
	*ret_name = strndup(label->pValue, label->ulValueLen);
	if (*ret_name == NULL)
		return CKR_HOST_MEMORY;
	request->name = *ret_name;
	return CKR_OK;
}

static CK_RV
templates_read(const struct mechanism *mechanism, struct template public_template,
               struct template private_template, struct create_request *request,
               struct policy_change *policy, char **ret_name, bool *ret_on_token,
               unsigned *ret_bits)
{
	bool public_token = false, private_token = false;
	CK_RV rv = rules_obey(public_template, public_rules, COUNT(public_rules));

	if (rv == CKR_OK)
		rv = rules_obey(private_template, private_rules, COUNT(private_rules));
	if (rv == CKR_OK)
		rv = template_fits(public_template, CKO_PUBLIC_KEY, mechanism->key_type,
		                   &public_token);
	if (rv == CKR_OK)
		rv = template_fits(private_template, CKO_PRIVATE_KEY, mechanism->key_type,
		                   &private_token);
	if (rv == CKR_OK && public_token != private_token)
		rv = CKR_TEMPLATE_INCONSISTENT; /* the halves live together */
	*ret_on_token = public_token;
	if (rv == CKR_OK)
		rv = template_algorithm(public_template, mechanism, public_token,
		                        &request->algorithm, ret_bits);
	if (rv == CKR_OK)
		rv = templates_usage(public_template, private_template, request->algorithm,
		                     &request->usage);
	if (rv == CKR_OK && public_token)
		rv = templates_request(public_template, private_template, request, ret_name);
	if (rv == CKR_OK && public_token)
		rv = templates_mechanisms(public_template, private_template, policy);
	if (rv == CKR_OK && policy->given != 0)
		request->policy = policy;
	return rv;
}

/* A pair of the session. */
static CK_RV
generate_in_session(struct session *session, const struct create_request *request, unsigned bits,
                    struct template public_template, struct template private_template,
                    CK_OBJECT_HANDLE *ret_public, CK_OBJECT_HANDLE *ret_private)
{
	/* Where the templates name no verb: what the type of key is made for. */
	const unsigned made_for = request->algorithm->key_type == CKK_RSA ? USAGE_DECRYPT | USAGE_SIGN
	                          : request->algorithm->key_type == CKK_EC_MONTGOMERY ? USAGE_DERIVE
	                                                                              : USAGE_SIGN;
	const unsigned usage = request->usage != 0 ? request->usage : made_for;
	const struct kms_pair pair = {
		.algorithm = request->algorithm,
		.bits = bits,
		.decrypt = (usage & (USAGE_DECRYPT | USAGE_UNWRAP)) != 0,
		.sign = (usage & USAGE_SIGN) != 0,
		.unwrap = (usage & USAGE_UNWRAP) != 0,
		.derive = (usage & USAGE_DERIVE) != 0,
	};

	return session_pair_generate(session, &pair, public_template, private_template, ret_public,
	                             ret_private);
}

/* All versions of a key have its policy: a template that asks for another one can't be obeyed. */
static CK_RV
check_policy(struct token *token, const struct create_request *request)
{
	struct key_record *key = NULL;
	CK_RV rv;

	if (request->policy == NULL || request->name == NULL)
		return CKR_OK;
	rv = registry_key(token->registry, request->name, &key);
	if (rv == CKR_OBJECT_HANDLE_INVALID)
		return CKR_OK;
	if (rv == CKR_OK && !mechanism_list_equal(&key->mechanisms, &request->policy->mechanisms)) {
		log_info("token %s: the policy of %s allows other mechanisms than the template; see "
		         "p11-kms policy", token->config->name, request->name);
		rv = CKR_TEMPLATE_INCONSISTENT;
	}
	key_record_free(&key);
	return rv;
}

/* The next version of a key. */
static CK_RV
generate_on_token(struct session *session, struct create_request *request,
                  CK_OBJECT_HANDLE *ret_public, CK_OBJECT_HANDLE *ret_private)
{
	struct token *token = session->token;
	struct lifecycle *lifecycle;
	struct version *version = NULL;
	CK_RV rv;

	if (!session->read_write)
		return CKR_SESSION_READ_ONLY;
	if (!token_unlocked(token))
		return CKR_USER_NOT_LOGGED_IN;
	request->new_key_only = token->config->refuse_same_label;
	rv = check_policy(token, request);
	if (rv == CKR_OK)
		rv = token_lifecycle(token, &lifecycle);
	if (rv == CKR_OK)
		rv = lifecycle_create(lifecycle, request, deadline_patient(token->config), &version);
	if (rv != CKR_OK)
		return rv;
	/* The pair is there, whatever becomes of this: the next call looks at the registry again. */
	rv = token_poll(token, true);
	if (rv != CKR_OK)
		log_warning("token %s: the registry can't be read after a pair was made: %s",
		            token->config->name, ckr_name(rv));
	*ret_public = handle_join(version->object, CKO_PUBLIC_KEY);
	*ret_private = handle_join(version->object, CKO_PRIVATE_KEY);
	version_free(&version);
	return CKR_OK;
}

CK_RV
generate_pair(struct session *session, const CK_MECHANISM *mechanism,
              struct template public_template, struct template private_template,
              CK_OBJECT_HANDLE *ret_public, CK_OBJECT_HANDLE *ret_private)
{
	const struct mechanism *row;
	struct create_request request = { .rotate_every = -1 };
	struct policy_change policy = { .given = 0 };
	char *name = NULL;
	bool on_token = true;
	unsigned bits = 0;
	CK_RV rv;

	rv = token_mechanism(session->token, mechanism->mechanism, CKF_GENERATE_KEY_PAIR, &row);
	if (rv != CKR_OK)
		return rv;
	if (mechanism->pParameter != NULL || mechanism->ulParameterLen != 0)
		return CKR_MECHANISM_PARAM_INVALID;
	rv = templates_read(row, public_template, private_template, &request, &policy, &name,
	                    &on_token, &bits);
	if (rv == CKR_OK && on_token)
		rv = generate_on_token(session, &request, ret_public, ret_private);
	else if (rv == CKR_OK)
		rv = generate_in_session(session, &request, bits, public_template, private_template,
		                         ret_public, ret_private);
	policy_change_clear(&policy);
	free(name);
	return rv;
}
