/* SPDX-License-Identifier: Apache-2.0 */
/* KMIP servers as a KMS: one attempt of each call. */
#include "kms/backend.h"
#include "kms/kmip-crypto.h"
#include "kms/kmip-find.h"
#include "kms/kmip-identity.h"
#include "kms/kmip-key.h"
#include "kms/kmip-list.h"
#include "kms/kmip-login.h"
#include "kms/kmip-pair.h"
#include "kms/kmip-probe.h"
#include "kms/kmip-report.h"

#include "base/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>


static CK_RV
open_kmip(const struct config_token *config, struct pin *pin, void **ret_state)
{
	struct kmip *kmip = NULL;
	CK_RV rv;

	rv = kmip_new(config, pin, &kmip);
	if (rv == CKR_OK)
		*ret_state = kmip;
	return rv;
}

static void
close_kmip(void **state)
{
	struct kmip *kmip = *state;

	kmip_free(&kmip);
	*state = NULL;
}

static void
forked(void *state)
{
	kmip_forked(state);
}

static void
logout(void *state, struct deadline deadline)
{
	(void)deadline; /* a server knows of no login to be ended */
	kmip_logout(state);
}

static enum kms_pin_need
pin_need(void *state)
{
	return kmip_pin_need(state);
}

/* description may be NULL. */
static CK_RV
query(struct kmip_session *session, struct kms_description *description)
{
	struct ttlv_writer *writer = kmip_session_request(session, KMIP_QUERY);
	struct kmip_answer answer;
	struct ttlv item;
	char *vendor = NULL;
	CK_RV rv;

	ttlv_enumeration(writer, KMIP_QUERY_FUNCTION, KMIP_QUERY_OPERATIONS);
	ttlv_enumeration(writer, KMIP_QUERY_FUNCTION, KMIP_QUERY_SERVER_INFORMATION);
	rv = kmip_session_call(session, KMIP_QUERY, &answer);
	if (rv == CKR_OK && description != NULL &&
	    ttlv_find(&answer.payload, KMIP_VENDOR_IDENTIFICATION, &item) &&
	    ttlv_text_dup(&item, sizeof description->manufacturer - 1, &vendor))
		strcpy(description->manufacturer, vendor);
	free(vendor);
	kmip_answer_clear(&answer);
	return rv;
}

/* Looks for a key that is not there: what a server must do for those whom it knows. */
static CK_RV
look_for_none(struct kmip_session *session)
{
	struct kmip_search search = {
		.type = KMIP_OBJECT_PRIVATE_KEY, .name = KMIP_NAMESPACE ":none",
	};
	struct kmip_listing listing = { .count = 0 };
	CK_RV rv;

	rv = kmip_search_next(session, &search, &listing);
	kmip_listing_clear(&listing);
	return rv;
}

/* Asks what the server is, which it need not tell; it must know us for an answer. */
static CK_RV
greet(struct kmip_session *session, struct kms_description *description)
{
	bool quiet = session->quiet;
	CK_RV rv;

	if (description != NULL) {
		strcpy(description->manufacturer, "KMIP server");
		snprintf(description->model, sizeof description->model, "KMIP 1.%d", session->minor);
	}
	session->quiet = true;
	rv = query(session, description);
	session->quiet = quiet;
	if (rv == CKR_OK || kmip_session_is_lost(rv))
		return rv;
	return look_for_none(session);
}

static CK_RV
login(void *state, void *argument, struct kms_attempt *attempt)
{
	struct kms_login_request *request = argument;
	struct kmip_login login = { .tls = NULL };
	struct kmip_session session;
	CK_RV rv;

	rv = kmip_login_try(state, request->pin, request->pin_size, attempt, &login);
	if (rv != CKR_OK)
		return rv;
	rv = kmip_session_open_with(state, attempt, &login, &session);
	if (rv != CKR_OK)
		return rv;
	rv = greet(&session, NULL);
	if (rv == CKR_OK)
		rv = kmip_login_keep(state, &session.login);
	kmip_session_close(&session);
	return rv;
}

static CK_RV
describe(void *state, void *argument, struct kms_attempt *attempt)
{
	struct kms_description *ret_description = argument;
	struct kms_description description = { .primitive_count = 0 };
	struct kmip_abilities abilities = { .count = 0 };
	struct kmip_session session;
	CK_RV rv;

	rv = kmip_session_open(state, attempt, &session);
	if (rv != CKR_OK)
		return rv;
	rv = greet(&session, &description);
	if (rv == CKR_OK)
		rv = kmip_probe(&session, &abilities);
	kmip_session_close(&session);
	if (rv != CKR_OK)
		return rv;
	description.primitives = calloc(KMIP_PRIMITIVES_MAX, sizeof *description.primitives);
	description.lacks = calloc(KMIP_LACKS_MAX, sizeof *description.lacks);
	if (description.primitives == NULL || description.lacks == NULL) {
		kms_description_clear(&description);
		kmip_abilities_clear(&abilities);
		return CKR_HOST_MEMORY;
	}
	memcpy(description.primitives, abilities.primitives,
	       abilities.count * sizeof *description.primitives);
	description.primitive_count = abilities.count;
	memcpy(description.lacks, abilities.lacks, abilities.lack_count * sizeof *description.lacks);
	description.lack_count = abilities.lack_count;
	*ret_description = description;
	return CKR_OK;
}

static CK_RV
ping(void *state, void *argument, struct kms_attempt *attempt)
{
	struct kmip_session session;
	CK_RV rv;

	(void)argument;
	rv = kmip_session_open(state, attempt, &session);
	if (rv != CKR_OK)
		return rv;
	rv = greet(&session, NULL);
	kmip_session_close(&session);
	return rv;
}

static CK_RV
report(void *state, void *request, struct kms_attempt *attempt)
{
	return kmip_report(state, request, attempt);
}

static CK_RV
make_pair(struct kmip_session *session, const struct kms_pair *pair, const char *private_name,
          const char *public_name, const char *group, struct buffer *ret_spki)
{
	struct kmip_pair request = {
		.algorithm = pair->algorithm,
		.private_name = private_name,
		.public_name = public_name,
		.label = pair->label,
		.group = group,
		.private_usage = (pair->sign ? KMIP_USAGE_SIGN : 0) |
		                 (pair->decrypt ? KMIP_USAGE_DECRYPT : 0) |
		                 (pair->unwrap ? KMIP_USAGE_UNWRAP : 0),
		.public_usage = (pair->sign ? KMIP_USAGE_VERIFY : 0) |
		                (pair->decrypt ? KMIP_USAGE_ENCRYPT : 0) |
		                (pair->unwrap ? KMIP_USAGE_WRAP : 0),
	};
	char private_identifier[KMIP_IDENTIFIER_MAX + 1], public_identifier[KMIP_IDENTIFIER_MAX + 1];
	struct kmip_names *names = session->kmip->names;
	CK_RV rv;

	rv = kmip_pair_make(session, &request, private_identifier, public_identifier);
	if (rv == CKR_MECHANISM_INVALID)
		log_error("token %s: KMIP server %s refuses to make %s: %s", session->kmip->config->name,
		          session->server->name, pair->label, kmip_session_refusal(session));
	if (rv != CKR_OK)
		return rv;
	/* Remembered only when they are what they are named as. */
	rv = kmip_key_get(session, public_identifier, ret_spki);
	if (rv != CKR_OK)
		return rv;
	kmip_names_put(names, session->server, KMIP_OBJECT_PRIVATE_KEY, pair->id, pair->id_size,
	               private_identifier);
	kmip_names_put(names, session->server, KMIP_OBJECT_PUBLIC_KEY, pair->id, pair->id_size,
	               public_identifier);
	return CKR_OK;
}

static CK_RV
generate(void *state, void *argument, struct kms_attempt *attempt)
{
	struct kms_generate_request *request = argument;
	const struct kms_pair *pair = request->pair;
	char *private_name = kmip_name_of(KMIP_OBJECT_PRIVATE_KEY, pair->id, pair->id_size);
	char *public_name = kmip_name_of(KMIP_OBJECT_PUBLIC_KEY, pair->id, pair->id_size);
	char *group = kmip_group_of(pair->label);
	char identifier[KMIP_IDENTIFIER_MAX + 1];
	struct kmip_session session;
	CK_RV rv = CKR_HOST_MEMORY;

	if (private_name == NULL || public_name == NULL || group == NULL)
		goto out;
	rv = CKR_MECHANISM_INVALID;
	if (pair->algorithm->key_type != CKK_RSA && kmip_curve_of(pair->algorithm) == 0)
		goto out;
	rv = kmip_session_open(state, attempt, &session);
	if (rv != CKR_OK)
		goto out;
	/* Also to see, before a change is sent, whether the connection is still there. */
	rv = kmip_find(&session, KMIP_OBJECT_PRIVATE_KEY, pair->id, pair->id_size, identifier);
	if (rv == CKR_KEY_HANDLE_INVALID) {
		rv = make_pair(&session, pair, private_name, public_name, group, request->ret_spki);
	} else if (rv == CKR_OK) {
		log_error("token %s: KMIP server %s has a key with the id of %s already",
		          session.kmip->config->name, session.server->name, pair->label);
		attempt->alive = true;
		rv = CKR_FUNCTION_FAILED;
	}
	kmip_session_close(&session);
out:
	free(private_name);
	free(public_name);
	free(group);
	return rv;
}

/* What is done with an object that was found. */
typedef CK_RV (*use_object)(struct kmip_session *session, const char *identifier, void *request);

/* One that was remembered, and is not there any more, is looked for once again. */
static CK_RV
find_and_use(struct kmip_session *session, enum kmip_object_type type, const void *id,
             size_t id_size, use_object use, void *request)
{
	char identifier[KMIP_IDENTIFIER_MAX + 1];
	CK_RV rv = CKR_KEY_HANDLE_INVALID;

	for (int tries = 0; tries < 2 && rv == CKR_KEY_HANDLE_INVALID; tries++) {
		rv = kmip_find(session, type, id, id_size, identifier);
		if (rv != CKR_OK)
			break;
		rv = use(session, identifier, request);
		if (rv == CKR_KEY_HANDLE_INVALID && !kmip_forget(session, type, id, id_size))
			break;
	}
	return rv;
}

static CK_RV
on_object(void *state, enum kmip_object_type type, const void *id, size_t id_size, use_object use,
          void *request, struct kms_attempt *attempt)
{
	struct kmip_session session;
	CK_RV rv;

	rv = kmip_session_open(state, attempt, &session);
	if (rv != CKR_OK)
		return rv;
	rv = find_and_use(&session, type, id, id_size, use, request);
	kmip_session_close(&session);
	return rv;
}

/* The server is out of order, or gives no reason: another that holds the key may know better. */
static bool
is_unexplained(CK_RV rv, const struct kms_attempt *attempt)
{
	return rv != CKR_OK &&
	       (attempt->own == KMIP_GENERAL_FAILURE || attempt->own == KMIP_INTERNAL_SERVER_ERROR);
}

/* At the next of the other servers that can be reached. False: none has done it. */
static bool
done_by_another(struct kmip *kmip, size_t failed, const struct kms_key *key, use_object use,
                void *request, struct deadline deadline)
{
	struct kmip_session session;
	CK_RV rv = CKR_DEVICE_ERROR;

	for (size_t i = 1; i < kmip->server_count && !deadline_passed(deadline); i++) {
		struct kmip_server *server = &kmip->servers[(failed + i) % kmip->server_count];
		struct kms_attempt attempt = { .deadline = deadline_in(deadline_left_ms(deadline) / 2) };

		if (kmip_server_is_passed_over(kmip, server) ||
		    kmip_session_open_at(kmip, server, &attempt, &session) != CKR_OK)
			continue;
		session.deadline = attempt.deadline;
		rv = find_and_use(&session, KMIP_OBJECT_PRIVATE_KEY, key->id, key->id_size, use, request);
		kmip_session_close(&session);
		break;
	}
	return rv == CKR_OK;
}

/* Nothing is changed by it, so that another server may be asked the same. */
static CK_RV
on_private(struct kmip *kmip, const struct kms_key *key, use_object use, void *request,
           struct kms_attempt *attempt)
{
	struct kmip_session session;
	char *refusal = NULL;
	CK_RV rv;

	rv = kmip_session_open(kmip, attempt, &session);
	if (rv != CKR_OK)
		return rv;
	rv = find_and_use(&session, KMIP_OBJECT_PRIVATE_KEY, key->id, key->id_size, use, request);
	if (is_unexplained(rv, attempt))
		refusal = strdup(kmip_session_refusal(&session));
	kmip_session_close(&session);
	if (is_unexplained(rv, attempt) &&
	    done_by_another(kmip, (size_t)(session.server - kmip->servers), key, use, request,
	                    attempt->deadline)) {
		log_warning("token %s: KMIP server %s fails (%s) at what another one does",
		            kmip->config->name, session.server->name, refusal != NULL ? refusal : "");
		rv = CKR_OK;
	}
	free(refusal);
	return rv;
}

static CK_RV
use_public(struct kmip_session *session, const char *identifier, void *request)
{
	return kmip_key_get(session, identifier, ((struct kms_id_request *)request)->ret_spki);
}

static CK_RV
public_key(void *state, void *argument, struct kms_attempt *attempt)
{
	struct kms_id_request *request = argument;

	return on_object(state, KMIP_OBJECT_PUBLIC_KEY, request->id, request->id_size, use_public,
	                 request, attempt);
}

static CK_RV
use_to_sign(struct kmip_session *session, const char *identifier, void *argument)
{
	struct kms_sign_request *request = argument;

	return kmip_sign(session, identifier, request->primitive, request->data, request->data_size,
	                 request->ret_signature, request->ret_signature_size);
}

static CK_RV
sign(void *state, void *argument, struct kms_attempt *attempt)
{
	struct kms_sign_request *request = argument;

	return on_private(state, request->key, use_to_sign, request, attempt);
}

static CK_RV
use_to_decrypt(struct kmip_session *session, const char *identifier, void *argument)
{
	struct kms_decrypt_request *request = argument;

	return kmip_decrypt(session, identifier, request->primitive, request->data,
	                    request->data_size, request->ret_plaintext);
}

static CK_RV
decrypt(void *state, void *argument, struct kms_attempt *attempt)
{
	struct kms_decrypt_request *request = argument;

	return on_private(state, request->key, use_to_decrypt, request, attempt);
}

static CK_RV
find_pair(void *state, void *argument, struct kms_attempt *attempt)
{
	struct kmip_session session;
	CK_RV rv;

	rv = kmip_session_open(state, attempt, &session);
	if (rv != CKR_OK)
		return rv;
	rv = kmip_pair_find(&session, argument);
	kmip_session_close(&session);
	return rv;
}

static CK_RV
destroy(void *state, void *argument, struct kms_attempt *attempt)
{
	struct kmip_session session;
	CK_RV rv;

	rv = kmip_session_open(state, attempt, &session);
	if (rv != CKR_OK)
		return rv;
	rv = kmip_pair_destroy(&session, argument);
	kmip_session_close(&session);
	return rv;
}

static CK_RV
list(void *state, void *argument, struct kms_attempt *attempt)
{
	struct kmip_session session;
	CK_RV rv;

	rv = kmip_session_open(state, attempt, &session);
	if (rv != CKR_OK)
		return rv;
	rv = kmip_list(&session, argument);
	kmip_session_close(&session);
	return rv;
}

const struct kms_backend kmip_backend = {
	.open = open_kmip,
	.close = close_kmip,
	.forked = forked,
	.file_why = kmip_login_file_why,
	.logout = logout,
	.pin_need = pin_need,
	.login = login,
	.describe = describe,
	.ping = ping,
	.report = report,
	.generate = generate,
	.public_key = public_key,
	.find_pair = find_pair,
	.makes_versions = true,
	.destroy = destroy,
	.list = list,
	.sign = sign,
	.decrypt = decrypt,
};
