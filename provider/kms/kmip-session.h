/* SPDX-License-Identifier: Apache-2.0 */
/* A connection lent for one attempt of one call, and the requests made over it. */
#ifndef P11_KMS_KMS_KMIP_SESSION_H
#define P11_KMS_KMS_KMIP_SESSION_H

#include "kms/kmip-connection.h"
#include "kms/kmip-message.h"
#include "kms/ttlv.h"

struct kmip_session {
	struct kmip *kmip;
	struct kms_attempt *attempt;
	struct kmip_login login;    /* owned */
	struct kmip_server *server;
	struct kmip_stream *stream; /* NULL: it has failed */
	bool trying;                /* the login is not the one in use: a wrong PIN is the caller's */
	bool reused;                /* nothing has come over it since it was idle */
	struct deadline deadline;   /* earlier than the attempt's while there are other servers */
	int minor;                  /* the version we speak with the server: 1.minor */
	struct ttlv_writer writer;  /* of the request in the making */
	const char *about;          /* borrowed: the object that it is about, NULL: none */
	bool quiet;                 /* refusals are expected: they are no errors */
	char *refusal;              /* owned: what it said when it last refused, NULL: nothing */
};

/* Logs in, connects, finds out the version: as needed. Codes as of kms.h. */
MUST_USE CK_RV kmip_session_open(struct kmip *kmip, struct kms_attempt *attempt,
                                 struct kmip_session *ret_session);
/* The same with this server and no other. */
MUST_USE CK_RV kmip_session_open_at(struct kmip *kmip, struct kmip_server *server,
                                    struct kms_attempt *attempt,
                                    struct kmip_session *ret_session);
/* The same with a login that is not the one in use; taken. CKR_PIN_INCORRECT. */
MUST_USE CK_RV kmip_session_open_with(struct kmip *kmip, struct kms_attempt *attempt,
                                      struct kmip_login *login,
                                      struct kmip_session *ret_session);
void kmip_session_close(struct kmip_session *session);

/*
 * Begins a request: its payload is then written to the returned writer, and sent by
 * kmip_session_call.
 */
struct ttlv_writer *kmip_session_request(struct kmip_session *session,
                                         enum kmip_operation operation);
/*
 * The same about an object, as its first field; identifier is borrowed until the answer is here,
 * which must be about the same.
 */
struct ttlv_writer *kmip_session_request_on(struct kmip_session *session,
                                            enum kmip_operation operation,
                                            const char *identifier);
/*
 * Sends it and waits for the answer, which the caller clears in any case. CKR_DEVICE_ERROR:
 * no answer, or not one (logged); else, when the server refuses, what kmip_answer_failure
 * says, with answer->reason and message set.
 */
MUST_USE CK_RV kmip_session_call(struct kmip_session *session, enum kmip_operation operation,
                                 struct kmip_answer *answer);

/*
 * After a call: the server has not answered, does not know us, or has no room for calls just now
 * (CKR_DEVICE_MEMORY), so that others need not be made. It tells nothing of what the server can do.
 */
bool kmip_session_is_lost(CK_RV rv);

/* A successful answer lacks what it must have: CKR_DEVICE_ERROR, logged; the connection goes. */
CK_RV kmip_session_malformed(struct kmip_session *session, enum kmip_operation operation);

/* "Permission Denied: what the server says about it", of the last refusal; for messages. */
const char *kmip_session_refusal(const struct kmip_session *session);

/*
 * When a change is about to be sent: it may happen whatever the answer, so it is not tried
 * again, and gets all the time there is.
 */
void kmip_session_commit(struct kmip_session *session);

#endif
