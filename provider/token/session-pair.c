/* SPDX-License-Identifier: Apache-2.0 */
#include "token/session-pair.h"

#include "token/attribute-rule.h"
#include "token/create.h"
#include "token/object-table.h"

/* What is the same for both halves. */
static CK_RV
describe_half(struct session *session, const struct kms_pair *pair, CK_OBJECT_CLASS class,
              struct template template, struct attributes *list)
{
	CK_RV rv = CKR_OK;

	for (CK_ULONG i = 0; rv == CKR_OK && i < template.count; i++)
		rv = attributes_set_copy(list, &template.attributes[i]);
	if (rv == CKR_OK)
		rv = attributes_set_ulong(list, CKA_CLASS, class);
	if (rv == CKR_OK)
		rv = attributes_set_ulong(list, CKA_KEY_TYPE, pair->algorithm->key_type);
	if (rv == CKR_OK)
		rv = attributes_set_bool(list, CKA_LOCAL, true);
	if (rv == CKR_OK)
		rv = attributes_set_ulong(list, CKA_KEY_GEN_MECHANISM, pair->algorithm->generate);
	if (rv == CKR_OK && class == CKO_PRIVATE_KEY)
		rv = create_private_default(session, list);
	return rv;
}

/* As token/version-object.c has it. */
static bool
recovers(const struct kms_pair *pair)
{
	return pair->sign && pair->algorithm->key_type == CKK_RSA;
}

static CK_RV
describe_public(const struct kms_pair *pair, const struct buffer *spki, struct attributes *list)
{
	CK_RV rv = attributes_set(list, CKA_PUBLIC_KEY_INFO, spki->data, spki->size);

	if (rv == CKR_OK)
		rv = attributes_set_bool(list, CKA_ENCRYPT, pair->decrypt && !pair->unwrap);
	if (rv == CKR_OK)
		rv = attributes_set_bool(list, CKA_VERIFY, pair->sign);
	if (rv == CKR_OK)
		rv = attributes_set_bool(list, CKA_WRAP, pair->unwrap);
	if (rv == CKR_OK)
		rv = attributes_set_bool(list, CKA_DERIVE, false);
	if (rv == CKR_OK)
		rv = attributes_set_bool(list, CKA_VERIFY_RECOVER, recovers(pair));
	return rv == CKR_OK ? rules_defaults(CKO_PUBLIC_KEY, pair->algorithm->key_type, list) : rv;
}

/* Sections 4.7 and 4.9. It is neither copied nor changed: it is the KMS's. */
static CK_RV
describe_private(const struct kms_pair *pair, struct attributes *list)
{
	const struct {
		CK_ATTRIBUTE_TYPE type;
		bool value;
	} flags[] = {
		{ CKA_TOKEN, false }, { CKA_MODIFIABLE, false }, { CKA_COPYABLE, false },
		{ CKA_DESTROYABLE, true }, { CKA_SENSITIVE, true }, { CKA_EXTRACTABLE, false },
		{ CKA_ALWAYS_SENSITIVE, true }, { CKA_NEVER_EXTRACTABLE, true },
		{ CKA_WRAP_WITH_TRUSTED, false }, { CKA_ALWAYS_AUTHENTICATE, false },
		{ CKA_DECRYPT, pair->decrypt && !pair->unwrap }, { CKA_SIGN, pair->sign },
		{ CKA_SIGN_RECOVER, recovers(pair) }, { CKA_UNWRAP, pair->unwrap }, { CKA_DERIVE, pair->derive },
	};
	static const CK_ATTRIBUTE_TYPE empty[] = { CKA_LABEL, CKA_ID, CKA_SUBJECT, CKA_START_DATE,
		                                   CKA_END_DATE };
	CK_RV rv = CKR_OK;

	for (size_t i = 0; rv == CKR_OK && i < sizeof flags / sizeof *flags; i++)
		rv = attributes_set_bool(list, flags[i].type, flags[i].value);
	for (size_t i = 0; rv == CKR_OK && i < sizeof empty / sizeof *empty; i++)
		if (attributes_find(list, empty[i]) == NULL)
			rv = attributes_set(list, empty[i], NULL, 0);
	return rv;
}

/*
 * What a half works with. Takes key (NULL: the public half), also on failure: the private half
 * leaves the KMS with its own object, whatever becomes of the other one.
 */
static CK_RV
make_material(const struct kms_pair *pair, const struct buffer *spki,
              struct kms_session_key **key, struct material **ret_material)
{
	struct public_key *public_key = NULL;
	struct secret *no_secret = NULL;
	CK_RV rv = public_key_new(spki->data, spki->size, &public_key);

	if (rv == CKR_OK)
		rv = material_new(&no_secret, &public_key, ret_material);
	if (rv != CKR_OK) {
		kms_session_key_free(key);
		return rv == CKR_HOST_MEMORY ? rv : CKR_DEVICE_ERROR;
	}
	(*ret_material)->pair = *key;
	(*ret_material)->algorithm = pair->algorithm;
	*key = NULL;
	return CKR_OK;
}

/* Takes the lists and key. */
static CK_RV
add_halves(struct session *session, const struct kms_pair *pair, const struct buffer *spki,
           struct kms_session_key **key, struct attributes *public_list,
           struct attributes *private_list, CK_OBJECT_HANDLE *ret_public,
           CK_OBJECT_HANDLE *ret_private)
{
	struct kms_session_key *no_key = NULL;
	struct material *public_half = NULL, *private_half = NULL;
	CK_OBJECT_HANDLE public_key, private_key;
	CK_RV rv = make_material(pair, spki, key, &private_half);

	if (rv == CKR_OK)
		rv = make_material(pair, spki, &no_key, &public_half);
	if (rv == CKR_OK)
		rv = create_finished(session, public_list, 0, &public_half, &public_key);
	if (rv != CKR_OK) {
		material_release(&private_half);
		return rv;
	}
	rv = create_finished(session, private_list, 0, &private_half, &private_key);
	if (rv != CKR_OK) {
		/* Should it be gone already, so much the better. */
		CK_RV gone = object_table_remove(session->token->objects, public_key);

		(void)gone;
		return rv;
	}
	*ret_public = public_key;
	*ret_private = private_key;
	return CKR_OK;
}

CK_RV
session_pair_generate(struct session *session, const struct kms_pair *pair,
                      struct template public_template, struct template private_template,
                      CK_OBJECT_HANDLE *ret_public, CK_OBJECT_HANDLE *ret_private)
{
	struct attributes public_list = ATTRIBUTES_INIT, private_list = ATTRIBUTES_INIT;
	struct kms_session_key *key = NULL;
	struct buffer spki = BUFFER_INIT;
	CK_RV rv;

	if (session->token->kms == NULL)
		return CKR_TOKEN_WRITE_PROTECTED;
	if (!token_unlocked(session->token))
		return CKR_USER_NOT_LOGGED_IN;
	rv = describe_half(session, pair, CKO_PUBLIC_KEY, public_template, &public_list);
	if (rv == CKR_OK)
		rv = describe_half(session, pair, CKO_PRIVATE_KEY, private_template, &private_list);
	if (rv == CKR_OK)
		rv = describe_private(pair, &private_list);
	if (rv == CKR_OK)
		rv = kms_generate_session_pair(session->token->kms, pair,
		                               token_deadline(session->token), &spki, &key);
	if (rv == CKR_OK)
		rv = describe_public(pair, &spki, &public_list);
	if (rv == CKR_OK)
		rv = add_halves(session, pair, &spki, &key, &public_list, &private_list, ret_public,
		                ret_private);
	attributes_clear(&public_list);
	attributes_clear(&private_list);
	kms_session_key_free(&key);
	buffer_clear(&spki);
	return rv;
}
