/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "kms/kmip-message.h"

#include <stdlib.h>
#include <string.h>

static struct ttlv_writer writer;
static struct kmip_answer answer;

static void
setup(void)
{
	writer = (struct ttlv_writer)TTLV_WRITER_INIT;
	answer = (struct kmip_answer)KMIP_ANSWER_INIT;
}

static void
teardown(void)
{
	ttlv_clear(&writer);
	kmip_answer_clear(&answer);
}

static void
open_answer_of(int batch_count)
{
	ttlv_clear(&writer);
	kmip_answer_clear(&answer);
	ttlv_open(&writer, KMIP_RESPONSE_MESSAGE);
	ttlv_open(&writer, KMIP_RESPONSE_HEADER);
	ttlv_open(&writer, KMIP_PROTOCOL_VERSION);
	ttlv_integer(&writer, KMIP_PROTOCOL_VERSION_MAJOR, 1);
	ttlv_integer(&writer, KMIP_PROTOCOL_VERSION_MINOR, 0);
	ttlv_close(&writer);
	ttlv_integer(&writer, KMIP_BATCH_COUNT, batch_count);
	ttlv_close(&writer);
	ttlv_open(&writer, KMIP_BATCH_ITEM);
}

static void
open_answer(void)
{
	open_answer_of(1);
}

static bool
parse_answer(enum kmip_operation operation)
{
	ttlv_close(&writer);
	ttlv_close(&writer);
	ck_assert_uint_eq(ttlv_finish(&writer), CKR_OK);
	ck_assert_uint_eq(buffer_set(&answer.bytes, writer.bytes.data, writer.bytes.size), CKR_OK);
	return kmip_answer_parse(&answer, operation);
}

START_TEST(a_request_has_version_operation_and_payload)
{
	static const struct kmip_credential nobody = { NULL, NULL };
	struct ttlv root, header, version, item, payload;
	uint32_t operation = 0;
	int32_t number = 0;

	kmip_request_begin(&writer, 3, &nobody, KMIP_GET);
	ttlv_text(&writer, KMIP_UNIQUE_IDENTIFIER, "7");
	ck_assert_uint_eq(kmip_request_end(&writer), CKR_OK);
	ck_assert(ttlv_parse(writer.bytes.data, writer.bytes.size, &root));
	ck_assert_uint_eq(root.tag, KMIP_REQUEST_MESSAGE);
	ck_assert(ttlv_get_structure(&root, KMIP_REQUEST_HEADER, &header));
	ck_assert(ttlv_get_structure(&header, KMIP_PROTOCOL_VERSION, &version));
	ck_assert(ttlv_get_integer(&version, KMIP_PROTOCOL_VERSION_MAJOR, &number));
	ck_assert_int_eq(number, 1);
	ck_assert(ttlv_get_integer(&version, KMIP_PROTOCOL_VERSION_MINOR, &number));
	ck_assert_int_eq(number, 3);
	ck_assert(ttlv_get_integer(&header, KMIP_BATCH_COUNT, &number));
	ck_assert_int_eq(number, 1);
	ck_assert(!ttlv_find(&header, KMIP_AUTHENTICATION, &item));
	ck_assert(ttlv_get_structure(&root, KMIP_BATCH_ITEM, &item));
	ck_assert(ttlv_get_enumeration(&item, KMIP_OPERATION, &operation));
	ck_assert_uint_eq(operation, KMIP_GET);
	ck_assert(ttlv_get_structure(&item, KMIP_REQUEST_PAYLOAD, &payload));
	ck_assert(ttlv_find(&payload, KMIP_UNIQUE_IDENTIFIER, &item));
	ck_assert(ttlv_is_text(&item, "7"));
}
END_TEST

START_TEST(a_credential_is_a_user_and_a_password)
{
	struct kmip_credential credential = { "job", NULL };
	struct ttlv root, header, item;
	struct secret *password = NULL;
	uint32_t type = 0;

	ck_assert_uint_eq(secret_dup("s\xc3\xa9same", 7, &password), CKR_OK);
	credential.password = password;
	kmip_request_begin(&writer, 4, &credential, KMIP_QUERY);
	ck_assert_uint_eq(kmip_request_end(&writer), CKR_OK);
	ck_assert(ttlv_parse(writer.bytes.data, writer.bytes.size, &root));
	ck_assert(ttlv_get_structure(&root, KMIP_REQUEST_HEADER, &header));
	ck_assert(ttlv_get_structure(&header, KMIP_AUTHENTICATION, &item));
	ck_assert(ttlv_get_structure(&item, KMIP_CREDENTIAL, &root));
	ck_assert(ttlv_get_enumeration(&root, KMIP_CREDENTIAL_TYPE, &type));
	ck_assert_uint_eq(type, 1);
	ck_assert(ttlv_get_structure(&root, KMIP_CREDENTIAL_VALUE, &header));
	ck_assert(ttlv_find(&header, KMIP_USERNAME, &item));
	ck_assert(ttlv_is_text(&item, "job"));
	ck_assert(ttlv_find(&header, KMIP_PASSWORD, &item));
	ck_assert(ttlv_is_text(&item, "s\xc3\xa9same"));
	secret_free(&password);
}
END_TEST

START_TEST(a_success_has_its_payload)
{
	struct ttlv item;

	open_answer();
	ttlv_enumeration(&writer, KMIP_OPERATION, KMIP_SIGN);
	ttlv_enumeration(&writer, KMIP_RESULT_STATUS, KMIP_SUCCESS);
	ttlv_open(&writer, KMIP_RESPONSE_PAYLOAD);
	ttlv_bytes(&writer, KMIP_SIGNATURE_DATA, "abc", 3);
	ttlv_close(&writer);
	ck_assert(parse_answer(KMIP_SIGN));
	ck_assert_uint_eq(answer.status, KMIP_SUCCESS);
	ck_assert(ttlv_find(&answer.payload, KMIP_SIGNATURE_DATA, &item));

	/* Some operations have nothing to say. */
	open_answer();
	ttlv_enumeration(&writer, KMIP_OPERATION, KMIP_ACTIVATE);
	ttlv_enumeration(&writer, KMIP_RESULT_STATUS, KMIP_SUCCESS);
	ck_assert(parse_answer(KMIP_ACTIVATE));
	ck_assert(!ttlv_first(&answer.payload, &item));
}
END_TEST

START_TEST(a_failure_has_its_reason)
{
	open_answer();
	ttlv_enumeration(&writer, KMIP_OPERATION, KMIP_SIGN);
	ttlv_enumeration(&writer, KMIP_RESULT_STATUS, KMIP_OPERATION_FAILED);
	ttlv_enumeration(&writer, KMIP_RESULT_REASON, KMIP_PERMISSION_DENIED);
	ttlv_text(&writer, KMIP_RESULT_MESSAGE, "not yours");
	ck_assert(parse_answer(KMIP_SIGN));
	ck_assert_uint_eq(answer.reason, KMIP_PERMISSION_DENIED);
	ck_assert_str_eq(answer.message, "not yours");
	ck_assert_uint_eq(kmip_answer_failure(&answer), CKR_KEY_FUNCTION_NOT_PERMITTED);

	/* PyKMIP leaves the operation out; nothing printable is no message. */
	open_answer();
	ttlv_enumeration(&writer, KMIP_RESULT_STATUS, KMIP_OPERATION_FAILED);
	ttlv_enumeration(&writer, KMIP_RESULT_REASON, KMIP_INVALID_MESSAGE);
	ttlv_text(&writer, KMIP_RESULT_MESSAGE, "two\nlines");
	ck_assert(parse_answer(KMIP_SIGN));
	ck_assert_uint_eq(answer.reason, KMIP_INVALID_MESSAGE);
	ck_assert_ptr_null(answer.message);

	/* No reason, and one that is none. */
	open_answer();
	ttlv_enumeration(&writer, KMIP_RESULT_STATUS, KMIP_OPERATION_FAILED);
	ck_assert(parse_answer(KMIP_SIGN));
	ck_assert_uint_eq(answer.reason, KMIP_GENERAL_FAILURE);
	ck_assert_uint_eq(kmip_answer_failure(&answer), CKR_FUNCTION_FAILED);
	open_answer();
	ttlv_enumeration(&writer, KMIP_RESULT_STATUS, KMIP_OPERATION_FAILED);
	ttlv_enumeration(&writer, KMIP_RESULT_REASON, 0);
	ck_assert(parse_answer(KMIP_SIGN));
	ck_assert_uint_eq(answer.reason, KMIP_GENERAL_FAILURE);
}
END_TEST

START_TEST(other_answers_are_none)
{
	/* Another operation, or none, succeeded. */
	open_answer();
	ttlv_enumeration(&writer, KMIP_OPERATION, KMIP_GET);
	ttlv_enumeration(&writer, KMIP_RESULT_STATUS, KMIP_SUCCESS);
	ck_assert(!parse_answer(KMIP_SIGN));
	open_answer();
	ttlv_enumeration(&writer, KMIP_RESULT_STATUS, KMIP_SUCCESS);
	ck_assert(!parse_answer(KMIP_SIGN));
	open_answer();
	ttlv_enumeration(&writer, KMIP_OPERATION, KMIP_GET);
	ttlv_enumeration(&writer, KMIP_RESULT_STATUS, KMIP_OPERATION_FAILED);
	ck_assert(!parse_answer(KMIP_SIGN));
	/* No status; a payload that is not a structure; nothing at all. */
	open_answer();
	ttlv_enumeration(&writer, KMIP_OPERATION, KMIP_SIGN);
	ck_assert(!parse_answer(KMIP_SIGN));
	open_answer();
	ttlv_enumeration(&writer, KMIP_OPERATION, KMIP_SIGN);
	ttlv_enumeration(&writer, KMIP_RESULT_STATUS, KMIP_SUCCESS);
	ttlv_integer(&writer, KMIP_RESPONSE_PAYLOAD, 1);
	ck_assert(!parse_answer(KMIP_SIGN));
	kmip_answer_clear(&answer);
	ck_assert(!kmip_answer_parse(&answer, KMIP_SIGN));
	ttlv_clear(&writer);
	ttlv_open(&writer, KMIP_RESPONSE_MESSAGE);
	ttlv_close(&writer);
	ck_assert_uint_eq(buffer_set(&answer.bytes, writer.bytes.data, writer.bytes.size), CKR_OK);
	ck_assert(!kmip_answer_parse(&answer, KMIP_SIGN));
	/* A request is not an answer. */
	kmip_answer_clear(&answer);
	ttlv_clear(&writer);
	kmip_request_begin(&writer, 4, &(struct kmip_credential){ NULL, NULL }, KMIP_SIGN);
	ck_assert_uint_eq(kmip_request_end(&writer), CKR_OK);
	ck_assert_uint_eq(buffer_set(&answer.bytes, writer.bytes.data, writer.bytes.size), CKR_OK);
	ck_assert(!kmip_answer_parse(&answer, KMIP_SIGN));
}
END_TEST

/* One item, which is for the one that was asked for. */
START_TEST(other_batches_are_none)
{
	for (int count = 0; count <= 2; count++) {
		open_answer_of(count);
		ttlv_enumeration(&writer, KMIP_OPERATION, KMIP_SIGN);
		ttlv_enumeration(&writer, KMIP_RESULT_STATUS, KMIP_SUCCESS);
		ck_assert(parse_answer(KMIP_SIGN) == (count == 1));
	}
	for (uint32_t second = KMIP_SIGN - 1; second <= KMIP_SIGN; second++) {
		open_answer();
		ttlv_enumeration(&writer, KMIP_OPERATION, KMIP_SIGN);
		ttlv_enumeration(&writer, KMIP_RESULT_STATUS, KMIP_SUCCESS);
		ttlv_close(&writer);
		ttlv_open(&writer, KMIP_BATCH_ITEM);
		ttlv_enumeration(&writer, KMIP_OPERATION, second);
		ttlv_enumeration(&writer, KMIP_RESULT_STATUS, KMIP_SUCCESS);
		ck_assert(!parse_answer(KMIP_SIGN));
	}
	for (size_t size = 0; size < 2; size++) {
		open_answer();
		ttlv_enumeration(&writer, KMIP_OPERATION, KMIP_SIGN);
		ttlv_bytes(&writer, KMIP_UNIQUE_BATCH_ITEM_ID, "7", size);
		ttlv_enumeration(&writer, KMIP_RESULT_STATUS, KMIP_SUCCESS);
		ck_assert(parse_answer(KMIP_SIGN) == (size == 0));
	}
}
END_TEST

START_TEST(an_answer_is_about_an_object)
{
	static const char *const names[] = { NULL, "7", "8" };

	for (size_t i = 0; i < 3; i++)
		for (size_t j = 0; j < 3; j++) {
			open_answer();
			ttlv_enumeration(&writer, KMIP_OPERATION, KMIP_SIGN);
			ttlv_enumeration(&writer, KMIP_RESULT_STATUS, KMIP_SUCCESS);
			ttlv_open(&writer, KMIP_RESPONSE_PAYLOAD);
			if (names[i] != NULL)
				ttlv_text(&writer, KMIP_UNIQUE_IDENTIFIER, names[i]);
			if (names[j] != NULL)
				ttlv_text(&writer, KMIP_UNIQUE_IDENTIFIER, names[j]);
			ttlv_close(&writer);
			ck_assert(parse_answer(KMIP_SIGN));
			ck_assert(kmip_answer_is_about(&answer, "7") == (i < 2 && j < 2));
		}
	/* Not a text. */
	open_answer();
	ttlv_enumeration(&writer, KMIP_OPERATION, KMIP_SIGN);
	ttlv_enumeration(&writer, KMIP_RESULT_STATUS, KMIP_SUCCESS);
	ttlv_open(&writer, KMIP_RESPONSE_PAYLOAD);
	ttlv_bytes(&writer, KMIP_UNIQUE_IDENTIFIER, "7", 1);
	ttlv_close(&writer);
	ck_assert(parse_answer(KMIP_SIGN));
	ck_assert(!kmip_answer_is_about(&answer, "7"));
}
END_TEST

START_TEST(reasons_mean_return_values)
{
	static const struct {
		uint32_t reason;
		CK_RV rv;
	} rows[] = {
		{ KMIP_ITEM_NOT_FOUND, CKR_KEY_HANDLE_INVALID },
		{ KMIP_OBJECT_NOT_FOUND, CKR_KEY_HANDLE_INVALID },
		{ KMIP_OBJECT_DESTROYED, CKR_KEY_HANDLE_INVALID },
		{ KMIP_AUTHENTICATION_NOT_SUCCESSFUL, CKR_USER_NOT_LOGGED_IN },
		{ KMIP_BAD_PASSWORD, CKR_USER_NOT_LOGGED_IN },
		{ KMIP_OPERATION_NOT_SUPPORTED, CKR_FUNCTION_NOT_SUPPORTED },
		{ KMIP_FEATURE_NOT_SUPPORTED, CKR_FUNCTION_NOT_SUPPORTED },
		{ KMIP_PERMISSION_DENIED, CKR_KEY_FUNCTION_NOT_PERMITTED },
		{ KMIP_WRONG_KEY_LIFECYCLE_STATE, CKR_KEY_FUNCTION_NOT_PERMITTED },
		{ KMIP_INVALID_FIELD, CKR_ARGUMENTS_BAD },
		{ KMIP_NON_UNIQUE_NAME, CKR_ARGUMENTS_BAD },
		{ KMIP_SERVER_LIMIT_EXCEEDED, CKR_DEVICE_MEMORY },
		{ KMIP_GENERAL_FAILURE, CKR_FUNCTION_FAILED },
		{ KMIP_CRYPTOGRAPHIC_FAILURE, CKR_FUNCTION_FAILED },
		{ 0x12345678, CKR_FUNCTION_FAILED },
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		answer.reason = rows[i].reason;
		ck_assert_uint_eq(kmip_answer_failure(&answer), rows[i].rv);
	}
	ck_assert_str_eq(kmip_reason_name(KMIP_PERMISSION_DENIED), "Permission Denied");
	ck_assert_str_eq(kmip_reason_name(0x12345678), "reason 0x12345678");
	ck_assert_str_eq(kmip_operation_name(KMIP_CREATE_KEY_PAIR), "Create Key Pair");
}
END_TEST

Suite *
unit_suite(void)
{
	Suite *suite = suite_create("kmip-message");
	TCase *tests = tcase_create("kmip-message");

	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_test(tests, a_request_has_version_operation_and_payload);
	tcase_add_test(tests, a_credential_is_a_user_and_a_password);
	tcase_add_test(tests, a_success_has_its_payload);
	tcase_add_test(tests, a_failure_has_its_reason);
	tcase_add_test(tests, other_answers_are_none);
	tcase_add_test(tests, other_batches_are_none);
	tcase_add_test(tests, an_answer_is_about_an_object);
	tcase_add_test(tests, reasons_mean_return_values);
	suite_add_tcase(suite, tests);
	return suite;
}
