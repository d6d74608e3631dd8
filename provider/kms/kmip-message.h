/* SPDX-License-Identifier: Apache-2.0 */
/* One request of KMIP and its answer (KMIP 1.4, chapter 7): a batch of one item. */
#ifndef P11_KMS_KMS_KMIP_MESSAGE_H
#define P11_KMS_KMS_KMIP_MESSAGE_H

#include "base/buffer.h"
#include "base/compiler.h"
#include "base/pkcs11.h"
#include "base/secret.h"
#include "kms/kmip-number.h"
#include "kms/ttlv.h"

#include <stdbool.h>
#include <stddef.h>

/* KMIP 1.x; what is older than 1.2 has neither Sign nor Decrypt. */
#define KMIP_MINOR_MAX 4
#define KMIP_MINOR_MIN 2

/* Longer answers are refused before they are read. */
#define KMIP_ANSWER_MAX ((size_t)4 * 1024 * 1024)

struct kmip_credential {
	const char *username;          /* borrowed; NULL: none is sent */
	const struct secret *password; /* borrowed; not NULL when username is given */
};

/*
 * Begins a request; the payload's fields are written next. Then kmip_request_end; the bytes
 * are those of the writer, which the caller clears with ttlv_clear.
 */
void kmip_request_begin(struct ttlv_writer *writer, int minor,
                        const struct kmip_credential *credential,
                        enum kmip_operation operation);
MUST_USE CK_RV kmip_request_end(struct ttlv_writer *writer);

struct kmip_answer {
	struct buffer bytes; /* owned: the whole message */
	struct ttlv payload; /* in bytes; an empty structure when there is none */
	uint32_t status;     /* enum kmip_result_status */
	uint32_t reason;     /* enum kmip_reason; 0 when it succeeded */
	char *message;       /* owned: what the server says of a failure; NULL: nothing printable */
};

#define KMIP_ANSWER_INIT { .bytes = BUFFER_INIT }

/*
 * Takes answer->bytes apart. False: not an answer to this operation, and to it alone. Lenient
 * where servers are: an answer that tells of a failure may lack the operation, and be of any
 * version.
 */
MUST_USE bool kmip_answer_parse(struct kmip_answer *answer, enum kmip_operation operation);
/* Does a successful answer name this object, or none? */
MUST_USE bool kmip_answer_is_about(const struct kmip_answer *answer, const char *identifier);
void kmip_answer_clear(struct kmip_answer *answer);

/*
 * What a failure means whichever operation it was: CKR_KEY_HANDLE_INVALID (no such object),
 * CKR_USER_NOT_LOGGED_IN (who we are was not accepted), CKR_FUNCTION_NOT_SUPPORTED,
 * CKR_KEY_FUNCTION_NOT_PERMITTED, CKR_ARGUMENTS_BAD (what we asked for), CKR_DEVICE_MEMORY (no
 * room for now), CKR_FUNCTION_FAILED.
 */
CK_RV kmip_answer_failure(const struct kmip_answer *answer);

/* "Permission Denied", as the standard names it; "reason 0x…" from a buffer of the thread's. */
const char *kmip_reason_name(uint32_t reason);
/* "Sign" */
const char *kmip_operation_name(enum kmip_operation operation);

#endif
