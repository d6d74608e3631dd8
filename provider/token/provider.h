/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The module as a whole: between C_Initialize and C_Finalize it holds the configuration and
 * the tokens.
 *
 * The order in which locks may be taken; one on the right may be taken while one on the left
 * is held, never the other way round:
 *
 *	provider (start, stop)  →  a session's  →  session table  →  a token's
 *	→  its object table's  →  the role memory's  →  a shard of the key cache
 *	→  inside registry, kms, mechanism, base
 *
 * A session's lock is held for the whole of a call in that session, also while the KMS
 * works: it makes the calls of one session wait for each other (and C_Logout,
 * C_CloseSession of that session), nobody else. No other lock is held across a call to a KMS.
 * Logins and logouts of one token take turns, without a lock (token.c): whoever has the turn
 * waits for no session.
 */
#ifndef P11_KMS_TOKEN_PROVIDER_H
#define P11_KMS_TOKEN_PROVIDER_H

#include "base/compiler.h"
#include "base/pkcs11.h"
#include "token/token.h"

/* As C_Initialize (section 5.4.1): its argument, its failures. */
MUST_USE CK_RV provider_start(const CK_C_INITIALIZE_ARGS *args);
/* As C_Finalize. */
MUST_USE CK_RV provider_stop(void);

/* Returns when provider_stop has been called: CKR_CRYPTOKI_NOT_INITIALIZED (section 5.5.4). */
MUST_USE CK_RV provider_await_stop(void);

/* CKR_CRYPTOKI_NOT_INITIALIZED, also in the child of a fork. Takes no lock. */
MUST_USE CK_RV provider_enter(void);

CK_ULONG provider_slot_count(void);
/* CKR_SLOT_ID_INVALID. Borrowed. */
MUST_USE CK_RV provider_token(CK_SLOT_ID slot, struct token **ret_token);

#endif
