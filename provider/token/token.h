/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A token: one [token NAME] of the configuration, what it has open, and who is logged in.
 * The registry is opened by the first session, the KMS by the first call that needs it.
 */
#ifndef P11_KMS_TOKEN_TOKEN_H
#define P11_KMS_TOKEN_TOKEN_H

#include "base/compiler.h"
#include "base/config.h"
#include "base/pkcs11.h"
#include "kms/kms.h"
#include "lifecycle/lifecycle.h"
#include "mechanism/mechanism.h"
#include "registry/registry.h"
#include "token/key.h"
#include "token/object-table.h"
#include "token/role-memory.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

struct token {
	const struct config_token *config; /* borrowed from the provider's configuration */
	CK_SLOT_ID slot;
	struct kms *kms;             /* owned; NULL on a host without a KMS */
	struct object_table *objects; /* owned: what sessions have made */

	pthread_mutex_t lock;        /* guards what follows, up to the next blank line */
	struct lifecycle *lifecycle; /* owned, NULL until the first change */
	struct registry *writer;     /* owned, the registry that lifecycle changes */
	CK_ULONG session_count, rw_session_count;
	CK_RV told;                  /* why it could not be opened, when that was logged last */
	bool turning;                /* someone logs in or out: the next one waits for turned */
	pthread_cond_t turned;

	/* Written once, under the lock, by token_open; sessions exist only after that. */
	struct authority *authority; /* owned */
	struct registry *registry;   /* owned, opened to read */
	struct key_cache *keys;      /* owned */
	struct token_record *record; /* owned: what the KMS is and offers; NULL: broken */

	_Atomic bool logged_in;
	_Atomic uint64_t generation; /* of the registry, when last looked at */
	_Atomic int64_t polled_ms;   /* when that was */
	_Atomic int64_t expires;     /* of the registry's head; 0: it is broken */
};

/* Opens nothing. roles: of all tokens, borrowed for as long as the token lives. */
MUST_USE CK_RV token_new(const struct config_token *config, CK_SLOT_ID slot,
                         struct role_memory *roles, struct token **ret_token);
void token_free(struct token **token);
/* In a forked child: forgets what must not be touched there. */
void token_abandon(struct token **token);

/* CKR_TOKEN_NOT_RECOGNIZED: not initialised (p11-kms init); CKR_DEVICE_ERROR: broken. The reason is logged. */
MUST_USE CK_RV token_open(struct token *token);
void token_info(struct token *token, CK_TOKEN_INFO *ret_info);

/* A private key may be used and seen: someone is logged in, or nobody needs to be. */
bool token_unlocked(const struct token *token);
/* The user must log in before using private keys. */
bool token_needs_login(const struct token *token);
/* Nobody is logged in, where somebody must be: private objects are neither made nor seen. */
bool token_hides_private(const struct token *token);
/* CKR_USER_ALREADY_LOGGED_IN, CKR_USER_PIN_NOT_INITIALIZED: no KMS; those of kms_login. */
MUST_USE CK_RV token_login(struct token *token, const void *pin, size_t pin_size);
/* Private objects are gone, and the KMS logged out of as well. CKR_USER_NOT_LOGGED_IN. */
MUST_USE CK_RV token_logout(struct token *token);
/* A session has gone: the last one takes the login with it. */
void token_left(struct token *token, bool read_write);
/* As kms_set_pin; CKR_TOKEN_WRITE_PROTECTED: no KMS. */
MUST_USE CK_RV token_set_pin(struct token *token, const void *old_pin, size_t old_size,
                             const void *new_pin, size_t new_size);

/* Looks whether the registry has changed: always, or at most once a second. */
MUST_USE CK_RV token_poll(struct token *token, bool always);
/* With a reference. CKR_OBJECT_HANDLE_INVALID: no such version, or one that is not shown. */
MUST_USE CK_RV token_key(struct token *token, int64_t object, struct key **ret_key);
/* CKR_DEVICE_ERROR: the registry's head has expired: nothing more is protected. */
MUST_USE CK_RV token_fresh(struct token *token);

/* For making and destroying keys. Borrowed. CKR_TOKEN_WRITE_PROTECTED: no KMS, or no permission. */
MUST_USE CK_RV token_lifecycle(struct token *token, struct lifecycle **ret_lifecycle);

/* What the KMS offers, from the token record: a primitive_offered for the mechanism table. context: the token. */
bool token_offers(const void *context, CK_MECHANISM_TYPE primitive);

/* What a mechanism is offered for: mechanism_flags, for this token's configuration and KMS. */
CK_FLAGS token_mechanism_flags(const struct token *token, const struct mechanism *mechanism);
/* A mechanism's row. CKR_MECHANISM_INVALID: it is not offered for this (CKF_ENCRYPT …). */
MUST_USE CK_RV token_mechanism(const struct token *token, CK_MECHANISM_TYPE type, CK_FLAGS flag,
                               const struct mechanism **ret_mechanism);

struct deadline token_deadline(const struct token *token);

#endif
