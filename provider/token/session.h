/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sessions and the table of them. A session's handle carries a generation, so that one that
 * was closed never names another session. The places in the table are never freed, so that a
 * late call with a stale handle finds a lock to take and a generation that tells.
 */
#ifndef P11_KMS_TOKEN_SESSION_H
#define P11_KMS_TOKEN_SESSION_H

#include "base/compiler.h"
#include "base/pkcs11.h"
#include "token/message.h"
#include "token/operation.h"
#include "token/token.h"

struct find;

struct session {
	CK_SESSION_HANDLE handle;
	struct token *token; /* borrowed */
	bool read_write;

	/* What is going on, NULL when nothing is; each is owned. */
	struct find *find;
	struct operation *operations[OPERATION_KINDS];
	struct message *messages[MESSAGE_KINDS];
};

/* Opens token first. As C_OpenSession. */
MUST_USE CK_RV session_open(struct token *token, bool read_write, CK_SESSION_HANDLE *ret_handle);
/* CKR_SESSION_HANDLE_INVALID. The last session of a token logs out (section 5.6.2). */
MUST_USE CK_RV session_close(CK_SESSION_HANDLE handle);
/* token NULL: of all tokens. */
void session_close_all(struct token *token);
/* In the child of a fork: all handles of the parent are invalid, its locks are made anew. */
void session_table_reset(void);

/* The session, locked until session_release. CKR_SESSION_HANDLE_INVALID. */
MUST_USE CK_RV session_acquire(CK_SESSION_HANDLE handle, struct session **ret_session);
void session_release(struct session *session);

CK_STATE session_state(const struct session *session);

#endif
