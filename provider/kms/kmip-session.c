/* SPDX-License-Identifier: Apache-2.0 */
#include "kms/kmip-session.h"

#include "base/log.h"
#include "base/text.h"
#include "kms/kmip-login.h"

#include <stdlib.h>

/* The stream goes; later requests of the session fail at once. */
static CK_RV
lose(struct kmip_session *session, bool blamed, char *why)
{
	kmip_connection_drop(session->kmip, session->server, &session->stream, blamed, why);
	return CKR_DEVICE_ERROR;
}

struct ttlv_writer *
kmip_session_request(struct kmip_session *session, enum kmip_operation operation)
{
	struct kmip_credential credential = {
		session->login.password == NULL ? NULL : session->kmip->config->kmip_username,
		session->login.password,
	};

	ttlv_clear(&session->writer);
	session->about = NULL;
	kmip_request_begin(&session->writer, session->minor, &credential, operation);
	return &session->writer;
}

struct ttlv_writer *
kmip_session_request_on(struct kmip_session *session, enum kmip_operation operation,
                        const char *identifier)
{
	struct ttlv_writer *writer = kmip_session_request(session, operation);

	ttlv_text(writer, KMIP_UNIQUE_IDENTIFIER, identifier);
	session->about = identifier;
	return writer;
}

const char *
kmip_session_refusal(const struct kmip_session *session)
{
	return session->refusal != NULL ? session->refusal : "no reason given";
}

/* The server has answered, with a refusal. */
static CK_RV
refused(struct kmip_session *session, enum kmip_operation operation,
        const struct kmip_answer *answer)
{
	struct kms_attempt *attempt = session->attempt;
	CK_RV rv;

	attempt->own = answer->reason;
	attempt->alive = true;
	rv = answer->status == KMIP_OPERATION_PENDING ? CKR_FUNCTION_FAILED
	                                              : kmip_answer_failure(answer);
	free(session->refusal);
	session->refusal = text_format("%s%s%s", kmip_reason_name(answer->reason),
	                               answer->message == NULL ? "" : ": ",
	                               answer->message == NULL ? "" : answer->message);
	log_debug("token %s: KMIP server %s, %s: %s", session->kmip->config->name,
	          session->server->name, kmip_operation_name(operation),
	          kmip_session_refusal(session));
	if (rv == CKR_FUNCTION_FAILED && !session->quiet)
		log_error("token %s: KMIP server %s fails at %s: %s", session->kmip->config->name,
		          session->server->name, kmip_operation_name(operation),
		          kmip_session_refusal(session));
	if (rv != CKR_USER_NOT_LOGGED_IN)
		return rv;
	attempt->final = true;
	if (session->trying && kmip_password_is_pin(session->kmip))
		return CKR_PIN_INCORRECT;
	rv = kmip_login_rejected(session->kmip, &session->login, session->server->name,
	                         answer->message);
	/* The PIN, which opened the key, is not what the server objects to. */
	return session->trying ? CKR_DEVICE_ERROR : rv;
}

CK_RV
kmip_session_malformed(struct kmip_session *session, enum kmip_operation operation)
{
	return lose(session, true, text_format("the answer to %s is not valid KMIP",
	                                       kmip_operation_name(operation)));
}

/*
 * Calls that make many requests may have longer than one is worth waiting for; making a pair
 * is not one of these.
 */
static struct deadline
patience(const struct kmip_session *session, enum kmip_operation operation)
{
	int64_t most = session->kmip->config->deadline_ms;

	if (operation == KMIP_CREATE_KEY_PAIR || deadline_left_ms(session->deadline) <= most)
		return session->deadline;
	return deadline_in(most);
}

static CK_RV
exchange(struct kmip_session *session, enum kmip_operation operation, struct deadline deadline,
         struct kmip_answer *answer)
{
	const char *about = session->about;
	bool reused = session->reused;
	char *why = NULL;
	CK_RV rv;

	session->about = NULL;
	rv = kmip_request_end(&session->writer);
	if (rv == CKR_OK && session->stream == NULL)
		rv = CKR_DEVICE_ERROR;
	if (rv != CKR_OK) {
		ttlv_clear(&session->writer);
		return rv;
	}
	rv = kmip_stream_exchange(session->stream, &session->writer.bytes, KMIP_RESPONSE_MESSAGE,
	                          KMIP_ANSWER_MAX, deadline, &answer->bytes, &why);
	ttlv_clear(&session->writer);
	/* One that was idle may just have been forgotten: that tells nothing of the server. */
	if (rv != CKR_OK)
		return lose(session, !reused || deadline_passed(deadline), why);
	session->reused = false;
	if (!kmip_answer_parse(answer, operation))
		return kmip_session_malformed(session, operation);
	if (answer->status != KMIP_SUCCESS)
		return refused(session, operation, answer);
	if (about != NULL && !kmip_answer_is_about(answer, about))
		return lose(session, true, text_format("the answer to %s is about another object",
		                                       kmip_operation_name(operation)));
	return CKR_OK;
}

/* Servers may answer these to anybody, so that they prove no password. */
static bool
is_for_all(enum kmip_operation operation)
{
	return operation == KMIP_QUERY || operation == KMIP_DISCOVER_VERSIONS;
}

CK_RV
kmip_session_call(struct kmip_session *session, enum kmip_operation operation,
                  struct kmip_answer *answer)
{
	struct deadline deadline = patience(session, operation);
	bool alone = false;
	CK_RV rv = CKR_OK;

	*answer = (struct kmip_answer)KMIP_ANSWER_INIT;
	/* One that is not in use is a try of the caller's. */
	if (!session->trying)
		rv = kmip_login_prove(session->kmip, &session->login, deadline, &alone);
	if (rv != CKR_OK) {
		ttlv_clear(&session->writer);
		session->about = NULL;
		session->attempt->unasked = true;
		return rv;
	}
	rv = exchange(session, operation, deadline, answer);
	if (alone)
		kmip_login_proved(session->kmip, &session->login, rv == CKR_OK && !is_for_all(operation));
	return rv;
}

bool
kmip_session_is_lost(CK_RV rv)
{
	return rv == CKR_DEVICE_ERROR || rv == CKR_DEVICE_MEMORY || rv == CKR_HOST_MEMORY ||
	       rv == CKR_USER_NOT_LOGGED_IN || rv == CKR_PIN_INCORRECT;
}

/* The best version that the server names and we speak, 0: none. */
static int
best_version(const struct ttlv *payload)
{
	struct ttlv item;
	int32_t major, minor;
	int best = 0;
	bool more;

	for (more = ttlv_first(payload, &item); more; more = ttlv_next(payload, &item)) {
		if (item.tag != KMIP_PROTOCOL_VERSION ||
		    !ttlv_get_integer(&item, KMIP_PROTOCOL_VERSION_MAJOR, &major) ||
		    !ttlv_get_integer(&item, KMIP_PROTOCOL_VERSION_MINOR, &minor))
			continue;
		if (major == 1 && minor >= KMIP_MINOR_MIN && minor <= KMIP_MINOR_MAX && minor > best)
			best = minor;
	}
	return best;
}

/* Is it the version of our request that the server objects to? */
static bool
blames_version(const struct kmip_answer *answer)
{
	switch (answer->reason) {
	case KMIP_INVALID_MESSAGE:
	case KMIP_FEATURE_NOT_SUPPORTED:
	case KMIP_UNSUPPORTED_PROTOCOL_VERSION:
		return true;
	default:
		return false;
	}
}

/* KMIP 1.4, section 4.26: without a list of ours, the server tells all of its versions. */
static CK_RV
discover(struct kmip_session *session)
{
	struct kmip_answer answer;
	bool lower;
	CK_RV rv;

	for (session->minor = KMIP_MINOR_MAX;; session->minor--) {
		(void)kmip_session_request(session, KMIP_DISCOVER_VERSIONS);
		rv = kmip_session_call(session, KMIP_DISCOVER_VERSIONS, &answer);
		lower = rv != CKR_OK && rv != CKR_DEVICE_ERROR && blames_version(&answer) &&
		        session->minor > KMIP_MINOR_MIN;
		if (!lower)
			break;
		kmip_answer_clear(&answer);
	}
	if (rv == CKR_OK || (rv != CKR_DEVICE_ERROR && blames_version(&answer))) {
		session->minor = rv == CKR_OK ? best_version(&answer.payload) : 0;
		rv = CKR_OK;
	} else if (answer.reason == KMIP_OPERATION_NOT_SUPPORTED ||
	           rv == CKR_KEY_FUNCTION_NOT_PERMITTED) {
		rv = CKR_OK; /* it understood the version, though */
	}
	kmip_answer_clear(&answer);
	if (rv == CKR_OK && session->minor == 0) {
		session->attempt->final = true;
		return lose(session, true, text_format("it speaks none of KMIP 1.%d to 1.%d",
		                                       KMIP_MINOR_MIN, KMIP_MINOR_MAX));
	}
	if (rv == CKR_OK || kmip_session_is_lost(rv))
		return rv;
	return lose(session, true, text_format("it does not tell its versions of KMIP"));
}

static CK_RV
settle_version(struct kmip_session *session)
{
	struct kmip *kmip = session->kmip;
	CK_RV rv;

	monitor_lock(&kmip->monitor);
	session->minor = session->server->minor;
	monitor_unlock(&kmip->monitor);
	if (session->minor != 0)
		return CKR_OK;
	rv = discover(session);
	if (rv != CKR_OK)
		return rv;
	log_debug("token %s: KMIP server %s: version 1.%d", kmip->config->name,
	          session->server->name, session->minor);
	monitor_lock(&kmip->monitor);
	session->server->minor = session->minor;
	monitor_unlock(&kmip->monitor);
	return CKR_OK;
}

/* only: NULL for any server. */
static CK_RV
open_with(struct kmip *kmip, struct kmip_server *only, struct kms_attempt *attempt,
          struct kmip_login *login, bool trying, struct kmip_session *ret_session)
{
	struct kmip_session session = {
		.kmip = kmip, .attempt = attempt, .login = *login, .trying = trying,
		.writer = TTLV_WRITER_INIT,
	};
	CK_RV rv;

	*login = (struct kmip_login){ .tls = NULL };
	rv = kmip_connection_take(kmip, &session.login, only, attempt->deadline, &session.server,
	                          &session.stream, &session.reused, &session.deadline);
	/* Our own threads are in the way: that tells nothing of the servers. */
	if (rv == CKR_SESSION_COUNT)
		attempt->unasked = true;
	if (rv == CKR_OK)
		rv = settle_version(&session);
	if (rv != CKR_OK) {
		kmip_session_close(&session);
		return rv;
	}
	*ret_session = session;
	return CKR_OK;
}

CK_RV
kmip_session_open_at(struct kmip *kmip, struct kmip_server *server, struct kms_attempt *attempt,
                     struct kmip_session *ret_session)
{
	struct kmip_login login = { .tls = NULL };
	CK_RV rv;

	rv = kmip_login_get(kmip, attempt, &login);
	if (rv != CKR_OK)
		return rv;
	return open_with(kmip, server, attempt, &login, false, ret_session);
}

CK_RV
kmip_session_open(struct kmip *kmip, struct kms_attempt *attempt,
                  struct kmip_session *ret_session)
{
	return kmip_session_open_at(kmip, NULL, attempt, ret_session);
}

CK_RV
kmip_session_open_with(struct kmip *kmip, struct kms_attempt *attempt, struct kmip_login *login,
                       struct kmip_session *ret_session)
{
	return open_with(kmip, NULL, attempt, login, true, ret_session);
}

void
kmip_session_close(struct kmip_session *session)
{
	ttlv_clear(&session->writer);
	if (session->stream != NULL)
		kmip_connection_put(session->kmip, session->server, &session->stream);
	kmip_login_clear(&session->login);
	free(session->refusal);
	session->refusal = NULL;
}

void
kmip_session_commit(struct kmip_session *session)
{
	session->attempt->final = true;
	session->deadline = session->attempt->deadline;
}
