/* SPDX-License-Identifier: Apache-2.0 */
#include "kms/kmip-pair.h"

#include "base/log.h"
#include "kms/kmip-attribute.h"
#include "kms/kmip-find.h"
#include "kms/kmip-identity.h"
#include "kms/kmip-key.h"

#include <stdlib.h>
#include <string.h>

/* Pairs with one CKA_ID that are removed before we ask ourselves what is going on. */
#define HALVES_MAX 16

/*
 * What servers are asked for besides the pair itself, from all to nothing: one that does not
 * know an attribute refuses the request whole, and makes nothing. Without Sensitive and
 * Extractable (KMIP 1.4), whoever is this client can get the private key. More servers lack
 * these than Object Group; one that lacks that refuses the first three, and loses nothing else.
 */
static const struct trial {
	bool not_extractable, sensitive, group, label;
} trials[] = {
	{ true, true, true, true },
	{ false, true, true, true },
	{ false, false, true, true },
	{ true, true, false, true },
	{ false, true, false, true },
	{ false, false, false, true },
	{ false, false, false, false },
};

#define TRIAL_COUNT (sizeof trials / sizeof *trials)
#define TRIAL_SEALED 3 /* sealed, in no group */
#define TRIAL_PLAIN 5  /* the label alone */

/* KMIP 1.4, sections 3.4 to 3.7. */
static void
write_algorithm(struct ttlv_writer *writer, const struct algorithm *algorithm)
{
	bool rsa = algorithm->key_type == CKK_RSA;

	kmip_attribute_enumeration(writer, "Cryptographic Algorithm", rsa ? KMIP_RSA : KMIP_ECDSA);
	kmip_attribute_integer(writer, "Cryptographic Length", (int32_t)algorithm->bits);
	if (rsa)
		return;
	ttlv_open(writer, KMIP_ATTRIBUTE);
	ttlv_text(writer, KMIP_ATTRIBUTE_NAME, "Cryptographic Domain Parameters");
	ttlv_open(writer, KMIP_ATTRIBUTE_VALUE);
	ttlv_enumeration(writer, KMIP_RECOMMENDED_CURVE, kmip_curve_of(algorithm));
	ttlv_close(writer);
	ttlv_close(writer);
}

static void
write_half(struct ttlv_writer *writer, uint32_t tag, const char *name,
           const struct kmip_pair *pair, uint32_t usage, const struct trial *trial)
{
	bool private_half = tag == KMIP_PRIVATE_KEY_TEMPLATE_ATTRIBUTE;

	ttlv_open(writer, tag);
	kmip_attribute_name(writer, name);
	kmip_attribute_integer(writer, "Cryptographic Usage Mask", (int32_t)usage);
	if (trial->label)
		kmip_attribute_application(writer, pair->label);
	if (trial->group)
		kmip_attribute_text(writer, "Object Group", pair->group);
	if (private_half && trial->sensitive)
		kmip_attribute_boolean(writer, "Sensitive", true);
	if (private_half && trial->not_extractable)
		kmip_attribute_boolean(writer, "Extractable", false);
	ttlv_close(writer);
}

static CK_RV
request(struct kmip_session *session, const struct kmip_pair *pair, const struct trial *trial,
        char *ret_private, char *ret_public)
{
	struct ttlv_writer *writer = kmip_session_request(session, KMIP_CREATE_KEY_PAIR);
	struct kmip_answer answer;
	struct ttlv item;
	CK_RV rv;

	ttlv_open(writer, KMIP_COMMON_TEMPLATE_ATTRIBUTE);
	write_algorithm(writer, pair->algorithm);
	ttlv_close(writer);
	write_half(writer, KMIP_PRIVATE_KEY_TEMPLATE_ATTRIBUTE, pair->private_name, pair,
	           pair->private_usage, trial);
	write_half(writer, KMIP_PUBLIC_KEY_TEMPLATE_ATTRIBUTE, pair->public_name, pair,
	           pair->public_usage, trial);
	kmip_session_commit(session);
	rv = kmip_session_call(session, KMIP_CREATE_KEY_PAIR, &answer);
	if (rv == CKR_OK &&
	    !(ttlv_find(&answer.payload, KMIP_PRIVATE_KEY_UNIQUE_IDENTIFIER, &item) &&
	      kmip_identifier_copy(&item, ret_private) &&
	      ttlv_find(&answer.payload, KMIP_PUBLIC_KEY_UNIQUE_IDENTIFIER, &item) &&
	      kmip_identifier_copy(&item, ret_public)))
		rv = kmip_session_malformed(session, KMIP_CREATE_KEY_PAIR);
	kmip_answer_clear(&answer);
	if (rv == CKR_OK && strcmp(ret_private, ret_public) == 0)
		rv = kmip_session_malformed(session, KMIP_CREATE_KEY_PAIR);
	return rv;
}

/* Refused, and with less it might not be. */
static bool
is_refused(CK_RV rv)
{
	return rv == CKR_ARGUMENTS_BAD || rv == CKR_FUNCTION_NOT_SUPPORTED ||
	       rv == CKR_FUNCTION_FAILED;
}

/*
 * A server that gives no reason may have made something: it is not asked again and again. Nor does
 * it say which attribute it means, so that the seal is the last to go.
 */
static size_t
next_trial(size_t trial, CK_RV rv)
{
	if (rv != CKR_FUNCTION_FAILED)
		return trial + 1;
	if (trials[trial].group)
		return TRIAL_SEALED;
	return trial < TRIAL_PLAIN ? TRIAL_PLAIN : TRIAL_COUNT;
}

static CK_RV
create(struct kmip_session *session, const struct kmip_pair *pair, char *ret_private,
       char *ret_public)
{
	struct kmip *kmip = session->kmip;
	bool quiet = session->quiet, explained = true;
	CK_RV rv = CKR_ARGUMENTS_BAD;
	size_t trial;

	monitor_lock(&kmip->monitor);
	trial = kmip->sealing;
	monitor_unlock(&kmip->monitor);
	session->quiet = true;
	while (trial < TRIAL_COUNT) {
		if (trials[trial].sensitive && session->minor < 4) {
			trial++;
			continue;
		}
		rv = request(session, pair, &trials[trial], ret_private, ret_public);
		if (!is_refused(rv))
			break;
		explained &= rv != CKR_FUNCTION_FAILED;
		trial = next_trial(trial, rv);
	}
	session->quiet = quiet;
	if (is_refused(rv))
		return CKR_MECHANISM_INVALID;
	if (rv != CKR_OK)
		return rv;
	if (!trials[trial].sensitive)
		log_info("token %s: KMIP server %s does not know Sensitive and Extractable: its own rules "
		         "decide whether %s can be fetched from it", kmip->config->name,
		         session->server->name, pair->label);
	/* What has failed for an unknown reason may have nothing to do with the attributes. */
	if (!explained)
		return CKR_OK;
	monitor_lock(&kmip->monitor);
	kmip->sealing = (unsigned)trial;
	monitor_unlock(&kmip->monitor);
	return CKR_OK;
}

/* One request whose payload is an object. */
static CK_RV
try_on(struct kmip_session *session, enum kmip_operation operation, const char *identifier)
{
	struct ttlv_writer *writer = kmip_session_request_on(session, operation, identifier);
	struct kmip_answer answer;
	CK_RV rv;

	if (operation == KMIP_REVOKE) {
		ttlv_open(writer, KMIP_REVOCATION_REASON);
		ttlv_enumeration(writer, KMIP_REVOCATION_REASON_CODE, KMIP_CESSATION_OF_OPERATION);
		ttlv_close(writer);
	}
	rv = kmip_session_call(session, operation, &answer);
	kmip_answer_clear(&answer);
	return rv;
}

CK_RV
kmip_pair_activate(struct kmip_session *session, const char *private_identifier,
                   const char *public_identifier)
{
	CK_RV rv;

	/* One that is active already is told so by a refusal; whether the key works is proven later. */
	rv = try_on(session, KMIP_ACTIVATE, private_identifier);
	if (!kmip_session_is_lost(rv))
		rv = try_on(session, KMIP_ACTIVATE, public_identifier);
	return kmip_session_is_lost(rv) ? rv : CKR_OK;
}

CK_RV
kmip_pair_make(struct kmip_session *session, const struct kmip_pair *pair, char *ret_private,
               char *ret_public)
{
	CK_RV rv;

	rv = create(session, pair, ret_private, ret_public);
	if (rv != CKR_OK)
		return rv;
	return kmip_pair_activate(session, ret_private, ret_public);
}

/* Only what is not active can be destroyed (KMIP 1.4, section 4.21). "": none; gone is as good. */
static CK_RV
destroy_half(struct kmip_session *session, const char *identifier)
{
	CK_RV rv;

	if (identifier[0] == '\0')
		return CKR_OK;
	kmip_session_commit(session);
	rv = try_on(session, KMIP_REVOKE, identifier);
	if (!kmip_session_is_lost(rv))
		rv = try_on(session, KMIP_DESTROY, identifier);
	/* Nothing was done for want of room, and what is destroyed already is not found again. */
	if (rv == CKR_DEVICE_MEMORY)
		session->attempt->final = false;
	return rv == CKR_KEY_HANDLE_INVALID ? CKR_OK : rv;
}

/* Looks anew. Not there: CKR_OK, and ret_identifier is "". */
static CK_RV
find_half(struct kmip_session *session, enum kmip_object_type type,
          const struct kms_id_request *request, char *ret_identifier)
{
	CK_RV rv;

	(void)kmip_forget(session, type, request->id, request->id_size);
	rv = kmip_find(session, type, request->id, request->id_size, ret_identifier);
	if (rv != CKR_KEY_HANDLE_INVALID)
		return rv;
	ret_identifier[0] = '\0';
	return CKR_OK;
}

/* A server that keeps no label has kept the Name, which is ours and has the CKA_ID. */
static bool
bears(const struct kmip_object *object, const char *label)
{
	return object->label != NULL ? strcmp(object->label, label) == 0 : object->name != NULL;
}

/* *ret_there is left alone when that half is not there. */
static CK_RV
check_half(struct kmip_session *session, enum kmip_object_type type,
           const struct kms_id_request *request, bool *ret_there)
{
	char identifier[KMIP_IDENTIFIER_MAX + 1];
	struct kmip_object object;
	CK_RV rv;

	rv = find_half(session, type, request, identifier);
	if (rv != CKR_OK || identifier[0] == '\0')
		return rv;
	rv = kmip_object_read(session, identifier, &object);
	if (rv != CKR_OK)
		return rv == CKR_KEY_HANDLE_INVALID ? CKR_OK : rv;
	*ret_there = true;
	if (request->label != NULL && !bears(&object, request->label))
		rv = CKR_ACTION_PROHIBITED;
	kmip_object_clear(&object);
	return rv;
}

CK_RV
kmip_pair_find(struct kmip_session *session, const struct kms_id_request *request)
{
	bool there = false;
	CK_RV rv;

	rv = check_half(session, KMIP_OBJECT_PUBLIC_KEY, request, &there);
	if (rv == CKR_OK)
		rv = check_half(session, KMIP_OBJECT_PRIVATE_KEY, request, &there);
	return rv == CKR_OK && !there ? CKR_KEY_HANDLE_INVALID : rv;
}

/*
 * The Name of a pair that the server has re-keyed is the newest's: through that, and the Links
 * between, the old one is found. So what replaced it has to stay for as long as it does.
 */
static CK_RV
check_replaced(struct kmip_session *session, const char *identifier)
{
	struct kmip_object object, original = { .type = 0 };
	unsigned replacements;
	char *label;
	CK_RV rv;

	rv = kmip_object_read(session, identifier, &object);
	if (rv != CKR_OK)
		return rv == CKR_KEY_HANDLE_INVALID ? CKR_OK : rv;
	if (object.replaced[0] != '\0')
		rv = kmip_object_original(session, &object, NULL, &original, &replacements);
	if (rv == CKR_OK && object.replaced[0] != '\0' && original.replaced[0] == '\0' &&
	    original.name == NULL && kmip_object_is_live(&original)) {
		label = kmip_label_of(&object, &original, replacements);
		log_warning("token %s: %s stays in the KMIP server %s until the pair that it replaced is "
		            "destroyed: that is found through it", session->kmip->config->name,
		            label != NULL ? label : identifier, session->server->name);
		free(label);
		rv = CKR_ACTION_PROHIBITED;
	}
	kmip_object_clear(&original);
	kmip_object_clear(&object);
	return rv;
}

/*
 * All that have this CKA_ID. Of a pair that others made, the private half is found by its unique
 * identifier and the public one through it: so both are looked for before, and that goes last.
 */
static CK_RV
destroy_halves(struct kmip_session *session, const struct kms_id_request *request)
{
	char private_identifier[KMIP_IDENTIFIER_MAX + 1], public_identifier[KMIP_IDENTIFIER_MAX + 1];
	CK_RV rv = CKR_OK;

	for (int i = 0; i < HALVES_MAX && rv == CKR_OK; i++) {
		rv = find_half(session, KMIP_OBJECT_PRIVATE_KEY, request, private_identifier);
		if (rv == CKR_OK)
			rv = find_half(session, KMIP_OBJECT_PUBLIC_KEY, request, public_identifier);
		if (rv == CKR_OK && private_identifier[0] == '\0' && public_identifier[0] == '\0')
			return CKR_OK;
		if (rv == CKR_OK && private_identifier[0] != '\0')
			rv = check_replaced(session, private_identifier);
		if (rv == CKR_OK)
			rv = destroy_half(session, public_identifier);
		if (rv == CKR_OK)
			rv = destroy_half(session, private_identifier);
	}
	if (rv != CKR_OK)
		return rv;
	log_error("token %s: KMIP server %s says that it destroys %s, and does not",
	          session->kmip->config->name, session->server->name, private_identifier[0] != '\0'
	          ? private_identifier : public_identifier);
	session->attempt->alive = true;
	return CKR_FUNCTION_FAILED;
}

CK_RV
kmip_pair_destroy(struct kmip_session *session, const struct kms_id_request *request)
{
	CK_RV rv;

	rv = kmip_pair_find(session, request);
	if (rv == CKR_ACTION_PROHIBITED)
		log_error("token %s: a pair %s is not destroyed: KMIP server %s has another one with its "
		          "CKA_ID", session->kmip->config->name,
		          request->label != NULL ? request->label : "", session->server->name);
	if (rv == CKR_OK)
		rv = destroy_halves(session, request);
	(void)kmip_forget(session, KMIP_OBJECT_PRIVATE_KEY, request->id, request->id_size);
	(void)kmip_forget(session, KMIP_OBJECT_PUBLIC_KEY, request->id, request->id_size);
	return rv == CKR_KEY_HANDLE_INVALID ? CKR_OK : rv;
}
