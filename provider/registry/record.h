/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Records: what an entry of the log says, and their canonical JSON (sorted member names, no
 * white space, UTF-8; see doc/registry-format.md). A record is whole: the newest entry of a
 * version tells all about it.
 */
#ifndef P11_KMS_REGISTRY_RECORD_H
#define P11_KMS_REGISTRY_RECORD_H

#include "base/algorithm.h"
#include "base/buffer.h"
#include "base/compiler.h"
#include "base/pkcs11.h"

#include <stdbool.h>
#include <stdint.h>

#define RECORD_NAME_MAX 255 /* bytes of UTF-8 */
#define RECORD_ID_MAX 255   /* bytes of a CKA_ID */
#define RECORD_REASON_MAX 255 /* bytes of UTF-8 */
#define RECORD_TIME_MAX INT64_C(253402300799) /* 9999-12-31T23:59:59Z: later can't be written */

/* State of a version: NIST SP 800-57 part 1, KMIP 1.4 section 3.22. */
enum version_state {
	STATE_PRE_ACTIVE,
	STATE_ACTIVE,          /* protects and processes */
	STATE_DEACTIVATED,     /* only processes */
	STATE_COMPROMISED,     /* processes, shown as such */
	STATE_DESTROY_PENDING, /* shown nowhere, restorable */
	STATE_DESTROYED,
};

const char *version_state_name(enum version_state state); /* "active", "destroy-pending" … */

/* What a pair is for; the private half's verbs. */
enum usage {
	USAGE_DECRYPT = 1, /* and encrypt */
	USAGE_SIGN = 2,    /* and verify */
	USAGE_UNWRAP = 4,  /* and wrap */
	USAGE_DERIVE = 8,
};

/* Ascending, each once. */
struct mechanism_list {
	CK_MECHANISM_TYPE *types; /* owned, NULL when count is 0 */
	size_t count;
};

MUST_USE CK_RV mechanism_list_set(struct mechanism_list *list, const CK_MECHANISM_TYPE *types,
                                  size_t count);
bool mechanism_list_equal(const struct mechanism_list *a, const struct mechanism_list *b);
void mechanism_list_clear(struct mechanism_list *list);

struct version {
	int64_t object;       /* sequence of its first entry: names it for ever; 0 before the first commit */
	int64_t sequence;     /* the entry this was read from; 0 before a commit */
	char *name;           /* the key's name, owned */
	int64_t number;       /* from 1 */
	struct buffer id;     /* CKA_ID, 1 to RECORD_ID_MAX bytes */
	const struct algorithm *algorithm;
	enum version_state state;
	unsigned usage;       /* enum usage, ored */
	bool local;           /* CKA_LOCAL: the pair was made inside the KMS */
	int64_t created;      /* times are seconds since 1970 */
	int64_t protect_from;
	int64_t protect_until; /* 0: without end */
	int64_t state_since;
	char *reason;         /* of the state, owned, NULL without */
	int64_t superseded;   /* active, but no longer the current one: protects until protect_until; 0: not so */
	enum version_state before; /* destroy-pending: what restoring makes it again; STATE_ACTIVE: by its period */
	struct mechanism_list mechanisms; /* that it may be used with; empty: all */
	struct buffer subject; /* CKA_SUBJECT, may be empty */
	struct buffer spki;   /* DER SubjectPublicKeyInfo */
};

/* Zeroed but for its buffers; caller frees. */
MUST_USE CK_RV version_new(struct version **ret_version);
MUST_USE CK_RV version_dup(const struct version *version, struct version **ret_version);
void version_free(struct version **version);

/* active, and not superseded: the one that the key's name means. */
bool version_is_current(const struct version *version);
/* CKA_LABEL: the key's name while it is current, else NAME@VERSION. Caller frees. NULL: no memory. */
char *version_label(const struct version *version);
/* The key's policy lets this mechanism be used with it. */
bool version_allows(const struct version *version, CK_MECHANISM_TYPE mechanism);
/* active and now inside the protect period. */
bool version_protects(const struct version *version, int64_t now);
/* active, deactivated or compromised: an application sees it. */
bool version_visible(const struct version *version);

/* A key: its policy. */
struct key_record {
	char *name;
	const struct algorithm *algorithm;
	unsigned usage;
	int64_t created;
	int64_t rotate_every;  /* seconds; 0 never */
	int64_t destroy_after; /* seconds of grace */
	int64_t overlap;       /* seconds for which a superseded version still protects */
	int64_t keep_versions; /* how many are kept, the current one among them; 0 all */
	int64_t keep_for;      /* seconds for which one that protects no more is kept; 0 for ever */
	struct mechanism_list mechanisms; /* that versions made from now on may be used with; empty: all */
	struct buffer recovery; /* DER SubjectPublicKeyInfo of the recovery key; empty: none */
};

MUST_USE CK_RV key_record_new(struct key_record **ret_key);
void key_record_free(struct key_record **key);

/* The token: what its KMS is and can do, so that nobody must ask it. First entry, rewritten by refresh. */
struct token_record {
	int64_t created;
	char *manufacturer, *model, *serial; /* of the KMS */
	struct buffer authority_id;          /* CKA_ID of the authority in the KMS */
	CK_MECHANISM_TYPE *primitives;       /* private-key mechanisms that the KMS offers, owned */
	size_t primitive_count;
	int64_t rebuilt; /* up to when `rebuild` has found what a backup that was put back lacked; 0: never */
};

MUST_USE CK_RV token_record_new(struct token_record **ret_token);
void token_record_free(struct token_record **token);
bool token_record_has(const struct token_record *token, CK_MECHANISM_TYPE primitive);

/* A name that may be given to a key: 1 to RECORD_NAME_MAX bytes of UTF-8 without control characters that does not end in '@' and digits. */
bool record_name_valid(const char *name, size_t size);

/* A reason that a state may have: at most RECORD_REASON_MAX bytes of UTF-8 without control characters, not empty. */
bool record_reason_valid(const char *reason);

/* Encoding is canonical; decoding is strict: unknown members, wrong types, ranges, another type of record, a non-canonical text are refused with CKR_DATA_INVALID. */
MUST_USE CK_RV version_encode(const struct version *version, struct buffer *ret_json);
MUST_USE CK_RV version_decode(const void *json, size_t size, struct version **ret_version);
MUST_USE CK_RV key_record_encode(const struct key_record *key, struct buffer *ret_json);
MUST_USE CK_RV key_record_decode(const void *json, size_t size, struct key_record **ret_key);
MUST_USE CK_RV token_record_encode(const struct token_record *token, struct buffer *ret_json);
MUST_USE CK_RV token_record_decode(const void *json, size_t size, struct token_record **ret_token);

#endif
