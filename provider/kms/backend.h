/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a kind of KMS must offer to stand behind kms.h. kms.c decides whether a call goes
 * through (breaker), whether it is tried once more, and what the caller is told; a backend
 * makes one attempt, answers with the KMS's own code, and has dropped what that code says
 * is lost, so that the next attempt connects and logs in anew.
 */
#ifndef P11_KMS_KMS_BACKEND_H
#define P11_KMS_KMS_BACKEND_H

#include "base/buffer.h"
#include "base/clock.h"
#include "base/compiler.h"
#include "base/config.h"
#include "base/pkcs11.h"
#include "kms/kms.h"
#include "kms/pin.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define KMS_SESSION_ID_SIZE 20

/* A pair in a session of its own. */
struct kms_session_key {
	struct kms_key key; /* its id is the one below */
	struct kms *kms;    /* borrowed */
	unsigned char id[KMS_SESSION_ID_SIZE]; /* random */
	/* The backend's: */
	CK_SESSION_HANDLE handle;
	uint32_t epoch;
};

/* One try of one call. */
struct kms_attempt {
	struct deadline deadline;
	/* Set by the backend: */
	bool final;    /* trying again is useless, or not allowed because the change was sent */
	bool alive;    /* the KMS was asked afterwards and is well: the failure is the call's own */
	bool unasked;  /* ended before the KMS was asked */
	CK_RV own;     /* the KMS's own code, when it failed */
};

/* The arguments of a call, by its name. */
struct kms_login_request {
	const void *pin;
	size_t pin_size;
	bool ret_unproven; /* the program itself is logged in, so that the KMS has not looked at the PIN */
};

struct kms_set_pin_request {
	const void *old_pin;
	size_t old_size;
	const void *new_pin;
	size_t new_size;
};

struct kms_generate_request {
	const struct kms_pair *pair;
	struct buffer *ret_spki;
};

struct kms_generate_session_request {
	const struct kms_pair *pair;
	struct kms_session_key *key;
	struct buffer *ret_spki;
};

struct kms_id_request {
	const void *id;
	size_t id_size;
	const char *label;       /* find_pair, label_used and destroy only; NULL: any */
	struct buffer *ret_spki; /* public_key only */
	int64_t *ret_start;      /* pair_start only */
};

/* Private keys as the KMS lists them. */
struct kms_listed {
	struct buffer id;
	char *label; /* owned, never NULL */
	CK_KEY_TYPE key_type;
};

struct kms_list_request {
	struct kms_listed *ret_keys; /* owned by the caller, see kms_listed_free */
	size_t ret_count;
};

void kms_listed_free(struct kms_listed *keys, size_t count);

struct kms_sign_request {
	struct kms_key *key;
	CK_MECHANISM *primitive;
	const void *data;
	size_t data_size;
	unsigned char *ret_signature;
	size_t *ret_signature_size;
};

struct kms_decrypt_request {
	struct kms_key *key;
	CK_MECHANISM *primitive;
	const void *data;
	size_t data_size;
	struct secret **ret_plaintext;
};

struct kms_derive_request {
	struct kms_key *key;
	CK_MECHANISM *primitive;
	struct secret **ret_shared;
};

struct kms_report_request {
	kms_remarked remarked;
	void *context;
};

/* request points to the struct that the comment beside it names. */
typedef CK_RV (*kms_operation)(void *state, void *request, struct kms_attempt *attempt);

/* Is there a PIN? */
enum kms_pin_need {
	KMS_PIN_NEEDED,
	KMS_PIN_NONE,
	KMS_PIN_UNKNOWN, /* what decides it can't be read: nobody can log in, and calls say why */
};

struct kms_backend {
	/* config and pin are borrowed for as long as the state lives. CKR_ARGUMENTS_BAD (logged), CKR_HOST_MEMORY. */
	CK_RV (*open)(const struct config_token *config, struct pin *pin, void **ret_state);
	void (*close)(void **state);
	void (*forked)(void *state);
	char *(*file_why)(const struct config_token *config); /* kms_file_why; NULL: there are no files */
	void (*logout)(void *state, struct deadline deadline);
	enum kms_pin_need (*pin_need)(void *state); /* NULL: KMS_PIN_NEEDED */

	kms_operation login;        /* kms_login_request */
	kms_operation set_pin;      /* kms_set_pin_request; NULL: not supported */
	kms_operation describe;     /* kms_description */
	kms_operation ping;         /* NULL */
	kms_operation report;       /* kms_report_request; NULL: there are no servers */
	kms_operation generate;     /* kms_generate_request */
	kms_operation generate_session; /* kms_generate_session_request; NULL: no such pairs */
	void (*release)(void *state, struct kms_session_key *key);
	kms_operation public_key;   /* kms_id_request */
	kms_operation check_private; /* kms_id_request; NULL: no key is unlike others */
	kms_operation find_pair;    /* kms_id_request */
	kms_operation pair_start;   /* kms_id_request; NULL: it keeps no such date */
	/* kms_id_request, its label alone; CKR_KEY_HANDLE_INVALID: no; NULL: not cheap */
	kms_operation label_used;
	bool makes_versions;        /* see kms_makes_versions */
	kms_operation destroy;      /* kms_id_request */
	kms_operation list;         /* kms_list_request */
	kms_operation sign;         /* kms_sign_request */
	kms_operation decrypt;      /* kms_decrypt_request */
	kms_operation derive;       /* kms_derive_request; NULL: the KMS derives nothing */
};

extern const struct kms_backend hsm_backend;
extern const struct kms_backend kmip_backend;

#endif
