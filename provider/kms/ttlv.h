/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TTLV, the encoding of KMIP messages (KMIP 1.4, section 9.1): items of a tag, a type, a
 * length and a value that is padded to 8 bytes; a structure's value is a list of items.
 */
#ifndef P11_KMS_KMS_TTLV_H
#define P11_KMS_KMS_TTLV_H

#include "base/buffer.h"
#include "base/compiler.h"
#include "base/pkcs11.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum ttlv_type {
	TTLV_STRUCTURE = 0x01,
	TTLV_INTEGER = 0x02,
	TTLV_LONG_INTEGER = 0x03,
	TTLV_BIG_INTEGER = 0x04,
	TTLV_ENUMERATION = 0x05,
	TTLV_BOOLEAN = 0x06,
	TTLV_TEXT_STRING = 0x07,
	TTLV_BYTE_STRING = 0x08,
	TTLV_DATE_TIME = 0x09,
	TTLV_INTERVAL = 0x0a,
};

/* Structures within structures; KMIP itself needs no more than ten. */
#define TTLV_DEPTH_MAX 24
#define TTLV_HEADER_SIZE 8

/*
 * Writing. The first failure sticks: what follows does nothing, and ttlv_finish returns it.
 * The caller clears the buffer, which wipes it (it may hold a password).
 */
struct ttlv_writer {
	struct buffer bytes;         /* owned */
	size_t open[TTLV_DEPTH_MAX]; /* where the structures that are not closed yet begin */
	size_t depth;
	CK_RV failure;
};

#define TTLV_WRITER_INIT { .bytes = BUFFER_INIT }

void ttlv_open(struct ttlv_writer *writer, uint32_t tag);
void ttlv_close(struct ttlv_writer *writer);
void ttlv_integer(struct ttlv_writer *writer, uint32_t tag, int32_t value);
void ttlv_enumeration(struct ttlv_writer *writer, uint32_t tag, uint32_t value);
void ttlv_boolean(struct ttlv_writer *writer, uint32_t tag, bool value);
void ttlv_text(struct ttlv_writer *writer, uint32_t tag, const char *value);
void ttlv_text_sized(struct ttlv_writer *writer, uint32_t tag, const void *value, size_t size);
void ttlv_bytes(struct ttlv_writer *writer, uint32_t tag, const void *value, size_t size);
/* CKR_OK: writer->bytes is whole. CKR_HOST_MEMORY, CKR_GENERAL_ERROR (not closed, or too deep). */
MUST_USE CK_RV ttlv_finish(struct ttlv_writer *writer);
void ttlv_clear(struct ttlv_writer *writer);

/* Reading: an item of a message, which it borrows from. */
struct ttlv {
	uint32_t tag;
	enum ttlv_type type;
	const unsigned char *value;
	size_t size; /* without the padding */
};

/*
 * The size of the whole message that begins with these TTLV_HEADER_SIZE bytes. False: it is
 * not a structure with this tag, or longer than limit.
 */
MUST_USE bool ttlv_message_size(const unsigned char *header, uint32_t tag, size_t limit,
                                size_t *ret_size);
/*
 * Checks a message through and through: one structure, all lengths, types and
 * paddings right, nothing after it. Only what has passed may be given to the functions below.
 */
MUST_USE bool ttlv_parse(const void *data, size_t size, struct ttlv *ret_root);

/* The first item of a structure, and the one behind another. False: none. */
MUST_USE bool ttlv_first(const struct ttlv *structure, struct ttlv *ret_item);
MUST_USE bool ttlv_next(const struct ttlv *structure, struct ttlv *item);
/* The first item with this tag, directly in the structure. */
MUST_USE bool ttlv_find(const struct ttlv *structure, uint32_t tag, struct ttlv *ret_item);

/* The value of the first such item. False: none, or of another type. */
MUST_USE bool ttlv_get_integer(const struct ttlv *structure, uint32_t tag, int32_t *ret_value);
MUST_USE bool ttlv_get_enumeration(const struct ttlv *structure, uint32_t tag,
                                   uint32_t *ret_value);
/* Borrowed from the message. */
MUST_USE bool ttlv_get_structure(const struct ttlv *structure, uint32_t tag,
                                 struct ttlv *ret_item);
MUST_USE bool ttlv_get_bytes(const struct ttlv *structure, uint32_t tag,
                             const unsigned char **ret_value, size_t *ret_size);

/* The value of one item. False: it is of another type. */
MUST_USE bool ttlv_to_integer(const struct ttlv *item, int32_t *ret_value);
MUST_USE bool ttlv_to_enumeration(const struct ttlv *item, uint32_t *ret_value);
/* Is it this text? */
MUST_USE bool ttlv_is_text(const struct ttlv *item, const char *text);
/*
 * A copy that the caller frees, for printable text (no control characters) of at most
 * limit bytes. False: it is not, or memory is short.
 */
MUST_USE bool ttlv_text_dup(const struct ttlv *item, size_t limit, char **ret_text);

#endif
