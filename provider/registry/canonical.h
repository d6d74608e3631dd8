/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON in the one form that a record may have: sorted member names, no white space, UTF-8.
 * Private to registry/.
 */
#ifndef P11_KMS_REGISTRY_CANONICAL_H
#define P11_KMS_REGISTRY_CANONICAL_H

#include "base/buffer.h"
#include "base/compiler.h"
#include "base/pkcs11.h"

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

/*
 * Writing. An object is built member by member; what could not be added is remembered in
 * failed, so that the builders read straight down.
 */
struct writer {
	json_t *object; /* begin with json_object() */
	bool failed;
};

/* Takes value; NULL is a failure. */
void writer_put(struct writer *writer, const char *member, json_t *value);
/* Nothing when 0. */
void writer_time(struct writer *writer, const char *member, int64_t seconds);
void writer_hex(struct writer *writer, const char *member, const struct buffer *data);
void writer_base64(struct writer *writer, const char *member, const struct buffer *data);
/* Frees what the writer holds. CKR_DATA_INVALID: longer than an entry may be. CKR_HOST_MEMORY. */
MUST_USE CK_RV writer_finish(struct writer *writer, struct buffer *ret_json);

/*
 * Reading. What is missing or of the wrong type is remembered in failed. That nothing else
 * is there, and that all is written canonically, comes out when the record is encoded
 * again and compared.
 */
struct reader {
	json_t *object;
	bool failed;
	bool short_of_memory;
};

/* CKR_DATA_INVALID: not JSON, or not a record of this type. */
MUST_USE CK_RV reader_start(struct reader *reader, const void *json, size_t size, const char *type);
/* Borrowed until reader_finish; NULL when it failed. */
const char *reader_text(struct reader *reader, const char *member);
char *reader_text_dup(struct reader *reader, const char *member); /* caller frees */
int64_t reader_integer(struct reader *reader, const char *member);
/* 0 when absent. */
int64_t reader_time(struct reader *reader, const char *member);
void reader_hex(struct reader *reader, const char *member, struct buffer *ret_data);
void reader_base64(struct reader *reader, const char *member, struct buffer *ret_data);
/* Frees what the reader holds. CKR_DATA_INVALID, CKR_HOST_MEMORY: see above. */
MUST_USE CK_RV reader_finish(struct reader *reader);

#endif
