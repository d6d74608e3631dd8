/* SPDX-License-Identifier: Apache-2.0 */
#include "registry-fixture.h"
#include "unit.h"

#include "registry/record.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A record that another implementation must write in the same way: see doc/registry-format.md. */
#define VERSION_JSON \
	"{\"algorithm\":\"p-256\",\"created\":\"2026-01-01T00:00:00Z\",\"id\":\"00ff10\",\"local\":true," \
	"\"name\":\"job-42\",\"number\":3,\"object\":17,\"protect_from\":\"2026-01-01T00:00:00Z\"," \
	"\"protect_until\":\"2026-04-01T00:00:00Z\",\"public_key\":\"MFkwEw==\",\"reason\":\"rotated\"," \
	"\"state\":\"deactivated\",\"state_since\":\"2026-03-01T12:00:00Z\",\"subject\":\"3000\"," \
	"\"type\":\"version\",\"usage\":[\"decrypt\",\"unwrap\"]}"
#define VERSION_JSON_SMALL \
	"{\"algorithm\":\"ed25519\",\"id\":\"01\",\"local\":false,\"name\":\"\xc3\xa4\",\"number\":1," \
	"\"object\":1,\"public_key\":\"AAAA\",\"state\":\"pre-active\",\"type\":\"version\",\"usage\":[]}"
#define KEY_JSON \
	"{\"algorithm\":\"rsa-3072\",\"created\":\"2026-01-01T00:00:00Z\",\"destroy_after\":2592000," \
	"\"name\":\"job-42\",\"rotate_every\":0,\"type\":\"key\",\"usage\":[\"decrypt\",\"sign\",\"unwrap\",\"derive\"]}"
#define TOKEN_JSON \
	"{\"authority_id\":\"0102\",\"created\":\"2026-01-01T00:00:00Z\",\"manufacturer\":\"SoftHSM project\"," \
	"\"model\":\"SoftHSM v2\",\"primitives\":[1,3,4161],\"serial\":\"\",\"type\":\"token\"}"

static struct version *
whole_version(void)
{
	static const unsigned char id[] = { 0x00, 0xff, 0x10 }, spki[] = { 0x30, 0x59, 0x30, 0x13 };
	struct version *version = NULL;

	ck_assert_uint_eq(version_new(&version), CKR_OK);
	version->object = 17;
	version->name = strdup("job-42");
	version->number = 3;
	ck_assert_uint_eq(buffer_set(&version->id, id, sizeof id), CKR_OK);
	version->algorithm = algorithm_by_name("p-256");
	version->state = STATE_DEACTIVATED;
	version->usage = USAGE_DECRYPT | USAGE_UNWRAP;
	version->local = true;
	version->created = 1767225600;
	version->protect_from = 1767225600;
	version->protect_until = 1775001600;
	version->state_since = 1772366400;
	version->reason = strdup("rotated");
	ck_assert_uint_eq(buffer_set(&version->subject, "\x30", 2), CKR_OK);
	ck_assert_uint_eq(buffer_set(&version->spki, spki, sizeof spki), CKR_OK);
	return version;
}

static void
assert_text(const struct buffer *buffer, const char *text)
{
	ck_assert_uint_eq(buffer->size, strlen(text));
	ck_assert_mem_eq(buffer->data, text, buffer->size);
}

START_TEST(version_is_written_canonically)
{
	struct version *version = whole_version();
	struct buffer json = BUFFER_INIT;

	ck_assert_uint_eq(version_encode(version, &json), CKR_OK);
	assert_text(&json, VERSION_JSON);
	buffer_clear(&json);
	version_free(&version);
	ck_assert_ptr_null(version);
}
END_TEST

START_TEST(version_is_read_whole)
{
	struct version *wanted = whole_version(), *version = NULL;

	ck_assert_uint_eq(version_decode(VERSION_JSON, strlen(VERSION_JSON), &version), CKR_OK);
	ck_assert_int_eq(version->object, wanted->object);
	ck_assert_int_eq(version->sequence, 0);
	ck_assert_str_eq(version->name, wanted->name);
	ck_assert_int_eq(version->number, wanted->number);
	ck_assert(buffer_equal(&version->id, wanted->id.data, wanted->id.size));
	ck_assert_ptr_eq(version->algorithm, wanted->algorithm);
	ck_assert_int_eq(version->state, wanted->state);
	ck_assert_uint_eq(version->usage, wanted->usage);
	ck_assert(version->local);
	ck_assert_int_eq(version->created, wanted->created);
	ck_assert_int_eq(version->protect_from, wanted->protect_from);
	ck_assert_int_eq(version->protect_until, wanted->protect_until);
	ck_assert_int_eq(version->state_since, wanted->state_since);
	ck_assert_str_eq(version->reason, wanted->reason);
	ck_assert(buffer_equal(&version->subject, wanted->subject.data, wanted->subject.size));
	ck_assert(buffer_equal(&version->spki, wanted->spki.data, wanted->spki.size));
	version_free(&version);
	version_free(&wanted);
}
END_TEST

START_TEST(version_may_lack_what_is_optional)
{
	struct version *version = NULL;
	struct buffer json = BUFFER_INIT;

	ck_assert_uint_eq(version_decode(VERSION_JSON_SMALL, strlen(VERSION_JSON_SMALL), &version), CKR_OK);
	ck_assert_ptr_null(version->reason);
	ck_assert_uint_eq(version->subject.size, 0);
	ck_assert_int_eq(version->protect_until, 0);
	ck_assert_int_eq(version->state, STATE_PRE_ACTIVE);
	ck_assert_uint_eq(version_encode(version, &json), CKR_OK);
	assert_text(&json, VERSION_JSON_SMALL);
	buffer_clear(&json);
	version_free(&version);
}
END_TEST

/* Each is one change to a good record. */
static const struct {
	const char *old, *new;
} version_faults[] = {
	{ "{\"algorithm\"", " {\"algorithm\"" },                       /* white space */
	{ "\"number\":3", "\"number\": 3" },
	{ "\"number\":3", "\"number\":3.0" },
	{ "\"number\":3", "\"number\":3e0" },
	{ "\"number\":3", "\"number\":\"3\"" },
	{ "\"number\":3", "\"number\":0" },
	{ "\"number\":3", "\"number\":-3" },
	{ "\"number\":3", "\"number\":9007199254740992" },             /* past 2^53 - 1 */
	{ "\"number\":3", "\"number\":99999999999999999999" },
	{ "\"number\":3,", "" },                                       /* missing */
	{ "\"number\":3", "\"number\":3,\"number\":3" },               /* twice */
	{ "\"object\":17", "\"object\":0" },
	{ "\"object\":17", "\"object\":null" },
	{ "\"local\":true", "\"local\":1" },
	{ "\"local\":true,", "" },
	{ "\"type\":\"version\"", "\"type\":\"key\"" },
	{ "\"type\":\"version\"", "\"type\":1" },
	{ "\"type\":\"version\",", "" },
	{ "\"name\":\"job-42\"", "\"name\":\"\"" },
	{ "\"name\":\"job-42\"", "\"name\":\"job@42\"" },
	{ "\"name\":\"job-42\"", "\"name\":\"job\\u002d42\"" },        /* needless escape */
	{ "\"name\":\"job-42\"", "\"name\":\"job\\n42\"" },
	{ "\"name\":\"job-42\"", "\"name\":\"job\\u000042\"" },
	{ "\"name\":\"job-42\"", "\"name\":\"job\xff\"" },
	{ "\"id\":\"00ff10\"", "\"id\":\"00FF10\"" },
	{ "\"id\":\"00ff10\"", "\"id\":\"00ff1\"" },
	{ "\"id\":\"00ff10\"", "\"id\":\"00:ff:10\"" },
	{ "\"id\":\"00ff10\"", "\"id\":\"\"" },
	{ "\"algorithm\":\"p-256\"", "\"algorithm\":\"p-255\"" },
	{ "\"algorithm\":\"p-256\"", "\"algorithm\":\"P-256\"" },
	{ "\"state\":\"deactivated\"", "\"state\":\"gone\"" },
	{ "\"state\":\"deactivated\"", "\"state\":2" },
	{ "\"usage\":[\"decrypt\",\"unwrap\"]", "\"usage\":[\"unwrap\",\"decrypt\"]" },
	{ "\"usage\":[\"decrypt\",\"unwrap\"]", "\"usage\":[\"decrypt\",\"decrypt\"]" },
	{ "\"usage\":[\"decrypt\",\"unwrap\"]", "\"usage\":[\"encrypt\"]" },
	{ "\"usage\":[\"decrypt\",\"unwrap\"]", "\"usage\":[1]" },
	{ "\"usage\":[\"decrypt\",\"unwrap\"]", "\"usage\":\"decrypt\"" },
	{ "\"created\":\"2026-01-01T00:00:00Z\"", "\"created\":\"2026-01-01 00:00:00Z\"" },
	{ "\"created\":\"2026-01-01T00:00:00Z\"", "\"created\":\"2026-01-01T00:00:00+00:00\"" },
	{ "\"created\":\"2026-01-01T00:00:00Z\"", "\"created\":\"1970-01-01T00:00:00Z\"" }, /* is left out */
	{ "\"created\":\"2026-01-01T00:00:00Z\"", "\"created\":1767225600" },
	{ "\"subject\":\"3000\"", "\"subject\":\"\"" },                /* is left out */
	{ "\"reason\":\"rotated\"", "\"reason\":\"a\\tb\"" },
	{ "\"reason\":\"rotated\"", "\"reason\":7" },
	{ "\"public_key\":\"MFkwEw==\"", "\"public_key\":\"MFkwEw\"" },   /* no padding */
	{ "\"public_key\":\"MFkwEw==\"", "\"public_key\":\"MFkwEx==\"" }, /* bits that say nothing */
	{ "\"public_key\":\"MFkwEw==\"", "\"public_key\":\"MFkw Ew=\"" },
	{ "\"public_key\":\"MFkwEw==\"", "\"public_key\":\"MFk*Ew==\"" },
	{ "\"public_key\":\"MFkwEw==\"", "\"public_key\":\"====\"" },
	{ "\"public_key\":\"MFkwEw==\"", "\"public_key\":\"\"" },
	{ "\"public_key\":\"MFkwEw==\"", "\"public_key\":[]" },
	{ "\"public_key\":\"MFkwEw==\",", "" },
	{ "\"unwrap\"]}", "\"unwrap\"],\"zzz\":1}" },                  /* unknown member */
	{ "\"unwrap\"]}", "\"unwrap\"]}\n" },
	{ "\"unwrap\"]}", "\"unwrap\"]" },
	{ "\"unwrap\"]}", "\"unwrap\"]}{}" },
};

#define FAULT_COUNT ((int)(sizeof version_faults / sizeof *version_faults))

START_TEST(version_with_a_fault_is_refused)
{
	const char *old = version_faults[_i].old, *new = version_faults[_i].new;
	const char *at = strstr(VERSION_JSON, old);
	struct version *version = NULL;
	char json[1024];

	ck_assert_ptr_nonnull(at);
	snprintf(json, sizeof json, "%.*s%s%s", (int)(at - VERSION_JSON), VERSION_JSON, new,
	         at + strlen(old));
	ck_assert_uint_eq(version_decode(json, strlen(json), &version), CKR_DATA_INVALID);
	ck_assert_ptr_null(version);
}
END_TEST

START_TEST(what_is_no_object_is_refused)
{
	static const char *const texts[] = { "", "[]", "null", "\"version\"", "{}", "{", "1", "\0" };
	struct version *version = NULL;
	struct key_record *key = NULL;
	struct token_record *token = NULL;

	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		ck_assert_uint_eq(version_decode(texts[i], strlen(texts[i]), &version), CKR_DATA_INVALID);
		ck_assert_uint_eq(key_record_decode(texts[i], strlen(texts[i]), &key), CKR_DATA_INVALID);
		ck_assert_uint_eq(token_record_decode(texts[i], strlen(texts[i]), &token), CKR_DATA_INVALID);
	}
}
END_TEST

START_TEST(payload_is_bounded)
{
	size_t size = 65537;
	char *json = malloc(size);
	struct version *version = NULL;

	ck_assert_ptr_nonnull(json);
	memset(json, '[', size); /* also deep */
	ck_assert_uint_eq(version_decode(json, size, &version), CKR_DATA_INVALID);
	ck_assert_uint_eq(version_decode(json, size - 1, &version), CKR_DATA_INVALID);
	free(json);
}
END_TEST

/* What may not be encoded: each breaks one rule of a good version. */
START_TEST(version_that_breaks_a_rule_is_not_written)
{
	struct version *version = whole_version();
	struct buffer json = BUFFER_INIT;
	char *name;

	switch (_i) {
	case 0: version->object = 0; break;
	case 1: version->number = 0; break;
	case 2: buffer_clear(&version->id); break;
	case 3: ck_assert_uint_eq(buffer_resize(&version->id, 256), CKR_OK); break;
	case 4: version->algorithm = NULL; break;
	case 5: version->state = (enum version_state)6; break;
	case 6: version->usage = 16; break;
	case 7: version->created = -1; break;
	case 8: version->protect_until = RECORD_TIME_MAX + 1; break;
	case 9: free(version->reason); version->reason = strdup("a\nb"); break;
	case 10: buffer_clear(&version->spki); break;
	case 11: ck_assert_uint_eq(buffer_resize(&version->spki, 8193), CKR_OK); break;
	case 12: ck_assert_uint_eq(buffer_resize(&version->subject, 8193), CKR_OK); break;
	case 13: free(version->name); version->name = NULL; break;
	case 14: free(version->name); version->name = strdup("a@1"); break;
	case 15:
		name = malloc(257);
		ck_assert_ptr_nonnull(name);
		memset(name, 'a', 256);
		name[256] = '\0';
		free(version->name);
		version->name = name;
		break;
	}
	ck_assert_uint_eq(buffer_set(&json, "kept", 4), CKR_OK);
	ck_assert_uint_eq(version_encode(version, &json), CKR_DATA_INVALID);
	assert_text(&json, "kept");
	buffer_clear(&json);
	version_free(&version);
}
END_TEST

START_TEST(largest_version_fits)
{
	struct version *version = whole_version(), *again = NULL;
	struct buffer json = BUFFER_INIT;

	free(version->name);
	version->name = malloc(RECORD_NAME_MAX + 1);
	ck_assert_ptr_nonnull(version->name);
	memset(version->name, '"', RECORD_NAME_MAX); /* each is escaped */
	version->name[RECORD_NAME_MAX] = '\0';
	ck_assert_uint_eq(buffer_resize(&version->id, RECORD_ID_MAX), CKR_OK);
	ck_assert_uint_eq(buffer_resize(&version->spki, 8192), CKR_OK);
	ck_assert_uint_eq(buffer_resize(&version->subject, 8192), CKR_OK);
	version->number = version->object = INT64_C(9007199254740991);
	version->protect_until = RECORD_TIME_MAX;
	ck_assert_uint_eq(version_encode(version, &json), CKR_OK);
	ck_assert_uint_eq(version_decode(json.data, json.size, &again), CKR_OK);
	ck_assert_str_eq(again->name, version->name);
	ck_assert_int_eq(again->protect_until, RECORD_TIME_MAX);
	version_free(&again);
	buffer_clear(&json);
	version_free(&version);
}
END_TEST

START_TEST(version_dup_copies_all)
{
	struct version *version = whole_version(), *copy = NULL;
	struct buffer one = BUFFER_INIT, two = BUFFER_INIT;

	version->sequence = 5;
	ck_assert_uint_eq(version_dup(version, &copy), CKR_OK);
	ck_assert_int_eq(copy->sequence, 5);
	ck_assert_ptr_ne(copy->name, version->name);
	ck_assert_ptr_ne(copy->id.data, version->id.data);
	ck_assert_uint_eq(version_encode(version, &one), CKR_OK);
	ck_assert_uint_eq(version_encode(copy, &two), CKR_OK);
	ck_assert(buffer_equal(&one, two.data, two.size));
	buffer_clear(&one);
	buffer_clear(&two);
	version_free(&version);
	version_free(&copy);
	version_free(&copy); /* NULL is allowed */
}
END_TEST

START_TEST(label_names_the_current_version_only)
{
	struct version *version = whole_version();
	char *label;

	label = version_label(version);
	ck_assert_str_eq(label, "job-42@3");
	free(label);
	version->state = STATE_ACTIVE;
	label = version_label(version);
	ck_assert_str_eq(label, "job-42");
	free(label);
	version_free(&version);
}
END_TEST

START_TEST(version_protects_while_active_in_its_period)
{
	struct version *version = whole_version();
	int64_t from = version->protect_from, until = version->protect_until;

	ck_assert(!version_protects(version, from));
	version->state = STATE_ACTIVE;
	ck_assert(version_protects(version, from));
	ck_assert(!version_protects(version, from - 1));
	ck_assert(version_protects(version, until - 1));
	ck_assert(!version_protects(version, until));
	version->protect_until = 0;
	ck_assert(version_protects(version, RECORD_TIME_MAX));
	version->state = STATE_COMPROMISED;
	ck_assert(!version_protects(version, from));
	version_free(&version);
}
END_TEST

START_TEST(visible_states)
{
	static const struct {
		enum version_state state;
		const char *name;
		bool visible;
	} states[] = {
		{ STATE_PRE_ACTIVE, "pre-active", false },
		{ STATE_ACTIVE, "active", true },
		{ STATE_DEACTIVATED, "deactivated", true },
		{ STATE_COMPROMISED, "compromised", true },
		{ STATE_DESTROY_PENDING, "destroy-pending", false },
		{ STATE_DESTROYED, "destroyed", false },
	};
	struct version *version = whole_version();

	for (size_t i = 0; i < sizeof states / sizeof *states; i++) {
		version->state = states[i].state;
		ck_assert_int_eq(version_visible(version), states[i].visible);
		ck_assert_str_eq(version_state_name(states[i].state), states[i].name);
	}
	ck_assert_str_eq(version_state_name((enum version_state)77), "unknown");
	version_free(&version);
}
END_TEST

START_TEST(key_record_goes_both_ways)
{
	struct key_record *key = NULL;
	struct buffer json = BUFFER_INIT;

	ck_assert_uint_eq(key_record_decode(KEY_JSON, strlen(KEY_JSON), &key), CKR_OK);
	ck_assert_str_eq(key->name, "job-42");
	ck_assert_str_eq(key->algorithm->name, "rsa-3072");
	ck_assert_uint_eq(key->usage, USAGE_DECRYPT | USAGE_SIGN | USAGE_UNWRAP | USAGE_DERIVE);
	ck_assert_int_eq(key->created, 1767225600);
	ck_assert_int_eq(key->rotate_every, 0);
	ck_assert_int_eq(key->destroy_after, 2592000);
	ck_assert_uint_eq(key_record_encode(key, &json), CKR_OK);
	assert_text(&json, KEY_JSON);

	key->rotate_every = -1;
	ck_assert_uint_eq(key_record_encode(key, &json), CKR_DATA_INVALID);
	key->rotate_every = 0;
	key->destroy_after = -1;
	ck_assert_uint_eq(key_record_encode(key, &json), CKR_DATA_INVALID);
	key->destroy_after = 0;
	key->algorithm = NULL;
	ck_assert_uint_eq(key_record_encode(key, &json), CKR_DATA_INVALID);
	buffer_clear(&json);
	key_record_free(&key);
	ck_assert_ptr_null(key);
	key_record_free(&key);

	ck_assert_uint_eq(key_record_decode(VERSION_JSON, strlen(VERSION_JSON), &key), CKR_DATA_INVALID);
	ck_assert_uint_eq(key_record_decode(KEY_JSON, strlen(KEY_JSON) - 1, &key), CKR_DATA_INVALID);
}
END_TEST

START_TEST(token_record_goes_both_ways)
{
	static const CK_MECHANISM_TYPE unsorted[] = { 4161, 1, 3, 1 };
	struct token_record *token = NULL;
	struct buffer json = BUFFER_INIT;

	ck_assert_uint_eq(token_record_decode(TOKEN_JSON, strlen(TOKEN_JSON), &token), CKR_OK);
	ck_assert_str_eq(token->manufacturer, "SoftHSM project");
	ck_assert_str_eq(token->model, "SoftHSM v2");
	ck_assert_str_eq(token->serial, "");
	ck_assert(buffer_equal(&token->authority_id, "\1\2", 2));
	ck_assert_uint_eq(token->primitive_count, 3);
	ck_assert(token_record_has(token, 4161));
	ck_assert(!token_record_has(token, 2));

	free(token->primitives);
	token->primitives = malloc(sizeof unsorted);
	ck_assert_ptr_nonnull(token->primitives);
	memcpy(token->primitives, unsorted, sizeof unsorted);
	token->primitive_count = 4;
	ck_assert_uint_eq(token_record_encode(token, &json), CKR_OK);
	assert_text(&json, TOKEN_JSON);

	token->primitives[0] = 0x100000000UL;
	ck_assert_uint_eq(token_record_encode(token, &json), CKR_DATA_INVALID);
	token->primitive_count = 0;
	ck_assert_uint_eq(token_record_encode(token, &json), CKR_OK);
	ck_assert(!token_record_has(token, 1));
	buffer_clear(&token->authority_id);
	ck_assert_uint_eq(token_record_encode(token, &json), CKR_DATA_INVALID);
	buffer_clear(&json);
	token_record_free(&token);
	ck_assert_ptr_null(token);
	token_record_free(&token);
}
END_TEST

static const struct {
	const char *old, *new;
} token_faults[] = {
	{ "[1,3,4161]", "[3,1,4161]" },
	{ "[1,3,4161]", "[1,1,3,4161]" },
	{ "[1,3,4161]", "[-1]" },
	{ "[1,3,4161]", "[4294967296]" },
	{ "[1,3,4161]", "[1.5]" },
	{ "[1,3,4161]", "{}" },
	{ "\"primitives\":[1,3,4161],", "" },
	{ "\"serial\":\"\",", "" },
	{ "SoftHSM v2", "SoftHSM\\nv2" },
	{ "\"authority_id\":\"0102\"", "\"authority_id\":\"\"" },
};

START_TEST(token_with_a_fault_is_refused)
{
	const char *old = token_faults[_i].old, *new = token_faults[_i].new;
	const char *at = strstr(TOKEN_JSON, old);
	struct token_record *token = NULL;
	char json[512];

	ck_assert_ptr_nonnull(at);
	snprintf(json, sizeof json, "%.*s%s%s", (int)(at - TOKEN_JSON), TOKEN_JSON, new, at + strlen(old));
	ck_assert_uint_eq(token_record_decode(json, strlen(json), &token), CKR_DATA_INVALID);
	ck_assert_ptr_null(token);
}
END_TEST

START_TEST(name_rules)
{
	static const struct {
		const char *name;
		bool valid;
	} names[] = {
		{ "job-42", true },
		{ "a", true },
		{ "1", true },
		{ "42", true },
		{ "a@", true },
		{ "a@b", true },
		{ "a@1b", true },
		{ "backup@host.example", true },
		{ "with space", true },
		{ "\xc3\xa4\xe2\x82\xac\xf0\x9f\x94\x91", true },
		{ "", false },
		{ "a@1", false },
		{ "@1", false },
		{ "a@0123456789", false },
		{ "a\n", false },
		{ "a\x7f", false },
		{ "a\xc2\x80", false },     /* a C1 control character */
		{ "a\xc3", false },         /* cut off */
		{ "a\xc0\xaf", false },     /* too long a form */
		{ "a\xed\xa0\x80", false }, /* a surrogate */
	};
	char longest[RECORD_NAME_MAX + 1];

	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		ck_assert_msg(record_name_valid(names[i].name, strlen(names[i].name)) == names[i].valid,
		              "%s", names[i].name);
	ck_assert(!record_name_valid("a\0b", 3));
	memset(longest, 'x', sizeof longest);
	ck_assert(record_name_valid(longest, RECORD_NAME_MAX));
	ck_assert(!record_name_valid(longest, RECORD_NAME_MAX + 1));
}
END_TEST

Suite *
unit_suite(void)
{
	Suite *suite = suite_create("record");
	TCase *tests = tcase_create("record");

	tcase_add_test(tests, version_is_written_canonically);
	tcase_add_test(tests, version_is_read_whole);
	tcase_add_test(tests, version_may_lack_what_is_optional);
	tcase_add_loop_test(tests, version_with_a_fault_is_refused, 0, FAULT_COUNT);
	tcase_add_test(tests, what_is_no_object_is_refused);
	tcase_add_test(tests, payload_is_bounded);
	tcase_add_loop_test(tests, version_that_breaks_a_rule_is_not_written, 0, 16);
	tcase_add_test(tests, largest_version_fits);
	tcase_add_test(tests, version_dup_copies_all);
	tcase_add_test(tests, label_names_the_current_version_only);
	tcase_add_test(tests, version_protects_while_active_in_its_period);
	tcase_add_test(tests, visible_states);
	tcase_add_test(tests, key_record_goes_both_ways);
	tcase_add_test(tests, token_record_goes_both_ways);
	tcase_add_loop_test(tests, token_with_a_fault_is_refused, 0,
	                    (int)(sizeof token_faults / sizeof *token_faults));
	tcase_add_test(tests, name_rules);
	suite_add_tcase(suite, tests);
	return suite;
}
