/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What all entry points share: the way in, the way out, and answers about sizes. In each C_*
 * function the errors come in this order, whatever else is wrong with the call (section 5.1.6):
 *
 *	1. CKR_CRYPTOKI_NOT_INITIALIZED
 *	2. the session or the slot: CKR_SESSION_HANDLE_INVALID, CKR_SLOT_ID_INVALID
 *	3. the operation that the function goes on with, or is to begin:
 *	   CKR_OPERATION_NOT_INITIALIZED, CKR_OPERATION_ACTIVE
 *	4. pointers that are not given: CKR_ARGUMENTS_BAD (a mechanism that is NULL where an
 *	   operation begins is no error: it ends the one that is active)
 *	5. logins, read-only sessions, mechanisms, keys, templates, data: the worker's
 *	6. sizes: CKR_BUFFER_TOO_SMALL (entry_room)
 *
 * Functions that are called before C_Initialize (itself, C_GetFunctionList, C_GetInterface and
 * its list) begin with 4.
 */
#ifndef P11_KMS_CRYPTOKI_ENTRY_H
#define P11_KMS_CRYPTOKI_ENTRY_H

#include "base/compiler.h"
#include "base/pkcs11.h"
#include "token/operation.h"
#include "token/provider.h"
#include "token/session.h"

/*
 * For functions without a session; given: all pointers are there. CKR_CRYPTOKI_NOT_INITIALIZED,
 * CKR_ARGUMENTS_BAD.
 */
MUST_USE CK_RV entry_module(bool given);
/* The same for those with a slot, whose token it gives. Also CKR_SLOT_ID_INVALID. */
MUST_USE CK_RV entry_slot(CK_SLOT_ID slot, bool given, struct token **ret_token);

/* CKR_CRYPTOKI_NOT_INITIALIZED, CKR_SESSION_HANDLE_INVALID. The session is locked until entry_end. */
MUST_USE CK_RV entry_begin(CK_SESSION_HANDLE handle, struct session **ret_session);
/* The same for functions that need pointers; given: all are there. Also CKR_ARGUMENTS_BAD. */
MUST_USE CK_RV entry_begin_given(CK_SESSION_HANDLE handle, bool given, struct session **ret_session);
/* Is there something at bytes, or need there be nothing? */
bool entry_given(const void *bytes, CK_ULONG size);
/* Logs function and result, releases the session (NULL is allowed), returns rv. */
CK_RV entry_end(const char *function, struct session *session, CK_RV rv);

/*
 * Section 5.2: a result of size bytes is to go to out with *out_size bytes of room. True when
 * there is room. Else *ret_rv is the answer: CKR_OK for a size query (out is NULL) or
 * CKR_BUFFER_TOO_SMALL, with *out_size set; the operation stays alive.
 */
bool entry_room(size_t size, const void *out, CK_ULONG *out_size, CK_RV *ret_rv);

/* The whole of a C_…Init: begins an operation of this kind in the session. */
CK_RV entry_init(const char *function, CK_SESSION_HANDLE handle, enum operation_kind kind,
                 const CK_MECHANISM *mechanism, CK_OBJECT_HANDLE key);

/* The same for C_Message…Init. */
CK_RV entry_message_init(const char *function, CK_SESSION_HANDLE handle, enum message_kind kind,
                         const CK_MECHANISM *mechanism, CK_OBJECT_HANDLE key);
/* The whole of a C_Message…Final: also gives up a message that is begun. */
CK_RV entry_message_final(const char *function, CK_SESSION_HANDLE handle, enum message_kind kind);

/* The whole of C_SignMessageBegin and C_VerifyMessageBegin. */
CK_RV entry_message_begin(const char *function, CK_SESSION_HANDLE handle, enum message_kind kind,
                          const void *parameter, CK_ULONG parameter_size);
/* One more part of a message that is signed or verified; an error ends it. */
MUST_USE CK_RV entry_message_part(struct message *message, const void *data, CK_ULONG data_size);

/*
 * The process of this kind that the session is in, at its place: between messages, or in one.
 * CKR_OPERATION_NOT_INITIALIZED (none, or no message is begun), CKR_OPERATION_ACTIVE (one is;
 * it stays so), CKR_ARGUMENTS_BAD (a pointer is not given; a message that is begun has ended).
 */
MUST_USE CK_RV entry_process(struct session *session, enum message_kind kind, bool begun,
                             bool given, struct message **ret_message);

/*
 * The operation of this kind that the session is in. CKR_OPERATION_NOT_INITIALIZED; and, each
 * ending it (section 5.2): in one part (single) CKR_OPERATION_ACTIVE after an update;
 * CKR_ARGUMENTS_BAD when a pointer is not given.
 */
MUST_USE CK_RV entry_operation(struct session *session, enum operation_kind kind, bool single,
                               bool given, struct operation **ret_operation);

#endif
