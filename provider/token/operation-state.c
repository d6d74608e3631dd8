/* SPDX-License-Identifier: Apache-2.0 */
#include "token/operation-state.h"

#include "mechanism/digest.h"
#include "token/find.h"

#include <stdint.h>
#include <string.h>

/*
 * What comes before the message; numbers have the most significant byte first. After the
 * message comes the SHA-256 of all before it.
 */
#define MAGIC "p11-kms state 1"
#define CHECKSUM_SIZE 32

struct header {
	unsigned char magic[sizeof MAGIC];
	unsigned char updated; /* 1: parts have come, be they empty */
	unsigned char token[CHECKSUM_SIZE];
	unsigned char session_state[8];
	unsigned char mechanism[8];
};

static void
put_number(unsigned char *out, uint64_t number)
{
	for (int i = 7; i >= 0; i--, number >>= 8)
		out[i] = (unsigned char)number;
}

static uint64_t
get_number(const unsigned char *in)
{
	uint64_t number = 0;

	for (int i = 0; i < 8; i++)
		number = number << 8 | in[i];
	return number;
}

static CK_RV
header_init(const struct session *session, CK_MECHANISM_TYPE mechanism, bool updated,
            struct header *ret_header)
{
	const struct buffer *spki = authority_spki(session->token->authority);

	memcpy(ret_header->magic, MAGIC, sizeof MAGIC);
	ret_header->updated = updated;
	put_number(ret_header->session_state, session_state(session));
	put_number(ret_header->mechanism, mechanism);
	return digest_once(CKM_SHA256, spki->data, spki->size, ret_header->token);
}

/* The one operation that can be saved, when it is the only one. */
static CK_RV
saveable(const struct session *session, const struct operation **ret_operation)
{
	const struct operation *digest = session->operations[OPERATION_DIGEST];
	bool others = false;

	for (size_t i = 0; i < OPERATION_KINDS; i++)
		others = others || (i != OPERATION_DIGEST && session->operations[i] != NULL);
	if (digest == NULL && !others)
		return CKR_OPERATION_NOT_INITIALIZED;
	if (others || digest->unsaveable)
		return CKR_STATE_UNSAVEABLE;
	*ret_operation = digest;
	return CKR_OK;
}

CK_RV
operation_state_save(const struct session *session, struct buffer *ret_state)
{
	const struct operation *digest;
	unsigned char checksum[CHECKSUM_SIZE];
	struct buffer state = BUFFER_INIT;
	struct header header;
	CK_RV rv = saveable(session, &digest);

	if (rv == CKR_OK)
		rv = header_init(session, digest->use.mechanism->type, digest->multipart, &header);
	if (rv != CKR_OK)
		return rv;
	rv = buffer_append(&state, &header, sizeof header);
	if (rv == CKR_OK)
		rv = buffer_append(&state, digest->message.data, digest->message.size);
	if (rv == CKR_OK)
		rv = digest_once(CKM_SHA256, state.data, state.size, checksum);
	if (rv == CKR_OK)
		rv = buffer_append(&state, checksum, sizeof checksum);
	if (rv == CKR_OK)
		*ret_state = state;
	else
		buffer_clear(&state);
	return rv;
}

/* Whole, and of this token and state of session. */
static CK_RV
check(const struct session *session, const unsigned char *state, size_t size,
      struct header *ret_header)
{
	unsigned char checksum[CHECKSUM_SIZE];
	struct header header, expected;
	CK_RV rv;

	if (size < sizeof header + CHECKSUM_SIZE ||
	    size > sizeof header + OPERATION_STATE_MESSAGE_MAX + CHECKSUM_SIZE)
		return CKR_SAVED_STATE_INVALID;
	rv = digest_once(CKM_SHA256, state, size - CHECKSUM_SIZE, checksum);
	if (rv != CKR_OK)
		return rv;
	memcpy(&header, state, sizeof header);
	/* All but the mechanism must be as a state of now would have it. */
	rv = header_init(session, get_number(header.mechanism), header.updated == 1, &expected);
	if (rv != CKR_OK)
		return rv;
	if (memcmp(checksum, state + size - CHECKSUM_SIZE, sizeof checksum) != 0 ||
	    memcmp(&header, &expected, sizeof header) != 0)
		return CKR_SAVED_STATE_INVALID;
	*ret_header = header;
	return CKR_OK;
}

/* The standard's own word for it: the ongoing operations are cancelled. */
static void
cancel_all(struct session *session)
{
	find_free(&session->find);
	for (size_t i = 0; i < OPERATION_KINDS; i++)
		operation_free(&session->operations[i]);
	for (size_t i = 0; i < MESSAGE_KINDS; i++)
		message_free(&session->messages[i]);
}

CK_RV
operation_state_restore(struct session *session, const void *state, size_t size,
                        CK_OBJECT_HANDLE encryption_key, CK_OBJECT_HANDLE authentication_key)
{
	CK_MECHANISM mechanism = { 0 };
	struct operation *operation = NULL;
	struct header header;
	CK_RV rv = check(session, state, size, &header);

	if (rv != CKR_OK)
		return rv;
	if (encryption_key != CK_INVALID_HANDLE || authentication_key != CK_INVALID_HANDLE)
		return CKR_KEY_NOT_NEEDED;
	mechanism.mechanism = get_number(header.mechanism);
	rv = operation_new(session->token, OPERATION_DIGEST, &mechanism, CK_INVALID_HANDLE,
	                   &operation);
	if (rv != CKR_OK) /* no digest that this version has */
		return rv == CKR_HOST_MEMORY ? rv : CKR_SAVED_STATE_INVALID;
	if (header.updated != 0)
		rv = operation_update(operation, (const unsigned char *)state + sizeof header,
		                      size - sizeof header - CHECKSUM_SIZE);
	if (rv != CKR_OK) {
		operation_free(&operation);
		return rv;
	}
	cancel_all(session);
	session->operations[OPERATION_DIGEST] = operation;
	return CKR_OK;
}
