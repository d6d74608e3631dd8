/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The chain of signed entries and its signed head: what is signed, what is hashed, and the
 * rows they are kept in. Private to registry/. Functions that take a struct store need the
 * registry's lock; the others need none.
 */
#ifndef P11_KMS_REGISTRY_CHAIN_H
#define P11_KMS_REGISTRY_CHAIN_H

#include "base/buffer.h"
#include "base/compiler.h"
#include "base/pkcs11.h"
#include "registry/authority.h"
#include "registry/registry.h"
#include "registry/store.h"

#define ENTRY_PAYLOAD_MAX 65536
#define ENTRY_SIGNATURE_MAX 2048 /* RSA of 16384 bits */
#define CHAIN_HASH_SIZE 32

struct entry {
	int64_t sequence; /* from 1 */
	unsigned char previous[CHAIN_HASH_SIZE];
	struct buffer payload;
	struct buffer signature;
};

void entry_clear(struct entry *entry);
/* The signed message. Replaces what ret_message holds. */
MUST_USE CK_RV entry_message(const struct entry *entry, struct buffer *ret_message);
/* The chain hash: of the message, not of the signature (an ECDSA signature can be changed into another valid one). */
MUST_USE CK_RV entry_hash(const struct entry *entry, unsigned char *ret_hash);
/* CKR_SIGNATURE_INVALID, CKR_HOST_MEMORY. */
MUST_USE CK_RV entry_verify(const struct entry *entry, const struct authority *authority);
/* Reads the columns previous, payload, signature from column first on; their sizes are checked. CKR_DEVICE_ERROR. */
MUST_USE CK_RV entry_column(sqlite3_stmt *row, int first, struct entry *entry);

/* CKR_OBJECT_HANDLE_INVALID: there is no such entry. CKR_DEVICE_ERROR: it is malformed. */
MUST_USE CK_RV chain_entry(struct store *store, int64_t sequence, struct entry *entry);
MUST_USE CK_RV chain_append(struct store *store, const struct entry *entry);

/* The head's row as it stands, and the entry it is about. */
struct head_row {
	bool absent;  /* there is no row */
	bool present; /* there is one, and its columns are a head's */
	struct registry_head head;
	struct buffer signature;
	int64_t last;       /* highest sequence of the log, 0 when it is empty */
	bool entry_present;
	struct entry entry; /* the one that head.sequence names */
};

void head_row_clear(struct head_row *row);
MUST_USE CK_RV head_message(const struct registry_head *head, struct buffer *ret_message);
MUST_USE CK_RV chain_head(struct store *store, struct head_row *row);
MUST_USE CK_RV chain_head_write(struct store *store, const struct registry_head *head,
                                const struct buffer *signature);
/* NULL when the head is signed and fits the log (but for a last entry that is not signed, and so not used anyway); else what is wrong, a static text. */
MUST_USE CK_RV head_row_check(const struct head_row *row, const struct authority *authority,
                              const char **ret_wrong);

#endif
