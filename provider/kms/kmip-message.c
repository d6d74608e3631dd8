/* SPDX-License-Identifier: Apache-2.0 */
#include "kms/kmip-message.h"

#include <stdio.h>
#include <stdlib.h>

/* The longest text of a server that goes into the log. */
#define MESSAGE_MAX 512

static const unsigned char nothing[1];

static void
write_version(struct ttlv_writer *writer, int minor)
{
	ttlv_open(writer, KMIP_PROTOCOL_VERSION);
	ttlv_integer(writer, KMIP_PROTOCOL_VERSION_MAJOR, 1);
	ttlv_integer(writer, KMIP_PROTOCOL_VERSION_MINOR, minor);
	ttlv_close(writer);
}

static void
write_credential(struct ttlv_writer *writer, const struct kmip_credential *credential)
{
	if (credential->username == NULL)
		return;
	ttlv_open(writer, KMIP_AUTHENTICATION);
	ttlv_open(writer, KMIP_CREDENTIAL);
	ttlv_enumeration(writer, KMIP_CREDENTIAL_TYPE, KMIP_CREDENTIAL_USERNAME_AND_PASSWORD);
	ttlv_open(writer, KMIP_CREDENTIAL_VALUE);
	ttlv_text(writer, KMIP_USERNAME, credential->username);
	ttlv_text_sized(writer, KMIP_PASSWORD, secret_bytes(credential->password),
	                secret_size(credential->password));
	ttlv_close(writer);
	ttlv_close(writer);
	ttlv_close(writer);
}

void
kmip_request_begin(struct ttlv_writer *writer, int minor,
                   const struct kmip_credential *credential, enum kmip_operation operation)
{
	*writer = (struct ttlv_writer)TTLV_WRITER_INIT;
	ttlv_open(writer, KMIP_REQUEST_MESSAGE);
	ttlv_open(writer, KMIP_REQUEST_HEADER);
	write_version(writer, minor);
	write_credential(writer, credential);
	ttlv_integer(writer, KMIP_BATCH_COUNT, 1);
	ttlv_close(writer);
	ttlv_open(writer, KMIP_BATCH_ITEM);
	ttlv_enumeration(writer, KMIP_OPERATION, operation);
	ttlv_open(writer, KMIP_REQUEST_PAYLOAD);
}

CK_RV
kmip_request_end(struct ttlv_writer *writer)
{
	ttlv_close(writer); /* the payload */
	ttlv_close(writer); /* the item */
	ttlv_close(writer); /* the message */
	return ttlv_finish(writer);
}

/* Operation failed, pending or undone: anything that is not success has a reason. */
static bool
parse_failure(struct kmip_answer *answer, const struct ttlv *item)
{
	struct ttlv message;

	answer->reason = KMIP_GENERAL_FAILURE;
	if (!ttlv_get_enumeration(item, KMIP_RESULT_REASON, &answer->reason) ||
	    answer->reason == 0)
		answer->reason = KMIP_GENERAL_FAILURE;
	if (ttlv_find(item, KMIP_RESULT_MESSAGE, &message) &&
	    !ttlv_text_dup(&message, MESSAGE_MAX, &answer->message))
		answer->message = NULL;
	return true;
}

/* How many items a structure has of this tag. */
static unsigned
count(const struct ttlv *structure, uint32_t tag)
{
	unsigned found = 0;
	struct ttlv item;
	bool more;

	for (more = ttlv_first(structure, &item); more; more = ttlv_next(structure, &item))
		found += item.tag == tag;
	return found;
}

/*
 * The one item of the batch. Its count may be left out; an identifier of the item is what the
 * request has (KMIP 1.4, section 6.4), and ours have none.
 */
static bool
find_item(const struct ttlv *root, struct ttlv *ret_item)
{
	struct ttlv header, identifier;
	int32_t announced;

	if (!ttlv_get_structure(root, KMIP_RESPONSE_HEADER, &header) ||
	    count(root, KMIP_BATCH_ITEM) != 1 || !ttlv_get_structure(root, KMIP_BATCH_ITEM, ret_item))
		return false;
	if (count(&header, KMIP_BATCH_COUNT) > 0 &&
	    (!ttlv_get_integer(&header, KMIP_BATCH_COUNT, &announced) || announced != 1))
		return false;
	return !ttlv_find(ret_item, KMIP_UNIQUE_BATCH_ITEM_ID, &identifier) || identifier.size == 0;
}

bool
kmip_answer_parse(struct kmip_answer *answer, enum kmip_operation operation)
{
	struct ttlv root, item;
	uint32_t answered;
	bool named;

	if (!ttlv_parse(answer->bytes.data, answer->bytes.size, &root) ||
	    root.tag != KMIP_RESPONSE_MESSAGE || !find_item(&root, &item) ||
	    !ttlv_get_enumeration(&item, KMIP_RESULT_STATUS, &answer->status))
		return false;
	named = ttlv_get_enumeration(&item, KMIP_OPERATION, &answered);
	if (named && answered != (uint32_t)operation)
		return false;
	if (answer->status != KMIP_SUCCESS)
		return parse_failure(answer, &item);
	if (!named)
		return false;
	answer->payload = (struct ttlv){ KMIP_RESPONSE_PAYLOAD, TTLV_STRUCTURE, nothing, 0 };
	if (!ttlv_get_structure(&item, KMIP_RESPONSE_PAYLOAD, &answer->payload))
		return !ttlv_find(&item, KMIP_RESPONSE_PAYLOAD, &root);
	return true;
}

bool
kmip_answer_is_about(const struct kmip_answer *answer, const char *identifier)
{
	struct ttlv item;
	bool more;

	for (more = ttlv_first(&answer->payload, &item); more;
	     more = ttlv_next(&answer->payload, &item))
		if (item.tag == KMIP_UNIQUE_IDENTIFIER && !ttlv_is_text(&item, identifier))
			return false;
	return true;
}

void
kmip_answer_clear(struct kmip_answer *answer)
{
	buffer_clear(&answer->bytes);
	free(answer->message);
	*answer = (struct kmip_answer)KMIP_ANSWER_INIT;
}

CK_RV
kmip_answer_failure(const struct kmip_answer *answer)
{
	switch (answer->reason) {
	case KMIP_ITEM_NOT_FOUND:
	case KMIP_OBJECT_NOT_FOUND:
	case KMIP_OBJECT_DESTROYED:
		return CKR_KEY_HANDLE_INVALID;
	case KMIP_AUTHENTICATION_NOT_SUCCESSFUL:
	case KMIP_BAD_PASSWORD:
		return CKR_USER_NOT_LOGGED_IN;
	case KMIP_OPERATION_NOT_SUPPORTED:
	case KMIP_FEATURE_NOT_SUPPORTED:
		return CKR_FUNCTION_NOT_SUPPORTED;
	case KMIP_PERMISSION_DENIED:
	case KMIP_NOT_AUTHORISED:
	case KMIP_ILLEGAL_OPERATION:
	case KMIP_OBJECT_ARCHIVED:
	case KMIP_USAGE_LIMIT_EXCEEDED:
	case KMIP_WRONG_KEY_LIFECYCLE_STATE:
		return CKR_KEY_FUNCTION_NOT_PERMITTED;
	case KMIP_SERVER_LIMIT_EXCEEDED:
		return CKR_DEVICE_MEMORY;
	case KMIP_INVALID_MESSAGE:
	case KMIP_MISSING_DATA:
	case KMIP_INVALID_FIELD:
	case KMIP_INDEX_OUT_OF_BOUNDS:
	case KMIP_OBJECT_ALREADY_EXISTS:
	case KMIP_UNSUPPORTED_ATTRIBUTE:
	case KMIP_INVALID_ATTRIBUTE:
	case KMIP_INVALID_ATTRIBUTE_VALUE:
	case KMIP_NON_UNIQUE_NAME:
	case KMIP_BAD_CRYPTOGRAPHIC_PARAMETERS:
	case KMIP_UNSUPPORTED_CRYPTOGRAPHIC_PARAMETERS:
	case KMIP_UNKNOWN_TAG:
		return CKR_ARGUMENTS_BAD;
	default:
		return CKR_FUNCTION_FAILED;
	}
}

/* KMIP 1.4, section 9.1.3.2.29. */
const char *
kmip_reason_name(uint32_t reason)
{
	static const struct {
		uint32_t reason;
		const char *name;
	} names[] = {
		{ KMIP_ITEM_NOT_FOUND, "Item Not Found" },
		{ KMIP_AUTHENTICATION_NOT_SUCCESSFUL, "Authentication Not Successful" },
		{ KMIP_INVALID_MESSAGE, "Invalid Message" },
		{ KMIP_OPERATION_NOT_SUPPORTED, "Operation Not Supported" },
		{ KMIP_MISSING_DATA, "Missing Data" },
		{ KMIP_INVALID_FIELD, "Invalid Field" },
		{ KMIP_FEATURE_NOT_SUPPORTED, "Feature Not Supported" },
		{ KMIP_CRYPTOGRAPHIC_FAILURE, "Cryptographic Failure" },
		{ KMIP_ILLEGAL_OPERATION, "Illegal Operation" },
		{ KMIP_PERMISSION_DENIED, "Permission Denied" },
		{ KMIP_OBJECT_ARCHIVED, "Object Archived" },
		{ KMIP_INDEX_OUT_OF_BOUNDS, "Index Out Of Bounds" },
		{ KMIP_KEY_FORMAT_NOT_SUPPORTED, "Key Format Type Not Supported" },
		{ KMIP_OBJECT_ALREADY_EXISTS, "Object Already Exists" },
		{ KMIP_GENERAL_FAILURE, "General Failure" },
		{ KMIP_SERVER_LIMIT_EXCEEDED, "Server Limit Exceeded" },
	};
	static _Thread_local char unknown[sizeof "reason 0x00000000"];

	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (names[i].reason == reason)
			return names[i].name;
	snprintf(unknown, sizeof unknown, "reason 0x%x", (unsigned)reason);
	return unknown;
}

const char *
kmip_operation_name(enum kmip_operation operation)
{
	switch (operation) {
	case KMIP_CREATE_KEY_PAIR:
		return "Create Key Pair";
	case KMIP_LOCATE:
		return "Locate";
	case KMIP_GET:
		return "Get";
	case KMIP_GET_ATTRIBUTES:
		return "Get Attributes";
	case KMIP_ACTIVATE:
		return "Activate";
	case KMIP_REVOKE:
		return "Revoke";
	case KMIP_DESTROY:
		return "Destroy";
	case KMIP_QUERY:
		return "Query";
	case KMIP_DISCOVER_VERSIONS:
		return "Discover Versions";
	case KMIP_DECRYPT:
		return "Decrypt";
	case KMIP_SIGN:
		return "Sign";
	}
	return "an operation";
}
