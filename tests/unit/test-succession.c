/* SPDX-License-Identifier: Apache-2.0 */
/* One authority hands over to another; and what whoever has stolen the old one can't do. */
#include "registry-fixture.h"
#include "unit.h"

#include "base/openssl.h"
#include "registry/chain.h"
#include "registry/store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define AUTHORITIES 3
#define HOUR 3600

static struct fixture_authority authorities[AUTHORITIES];
static char path[512], old_path[520], folder[512];
static struct registry *registry; /* opened to write, by the first authority */

static void
start(void)
{
	static int count;
	char name[40];

	ck_assert_uint_eq(openssl_start(), CKR_OK);
	for (int i = 0; i < AUTHORITIES; i++)
		fixture_authority_new(i == 1 ? "rsa-2048" : "P-256", &authorities[i]);
	for (int i = 0; i + 1 < AUTHORITIES; i++)
		authorities[i].next = &authorities[i + 1];
	snprintf(name, sizeof name, "succession-%d-%d", (int)getpid(), count++);
	snprintf(folder, sizeof folder, "%s", unit_path(name));
	ck_assert_int_eq(setenv("XDG_STATE_HOME", folder, 1), 0);
	snprintf(path, sizeof path, "%.500s.db", folder);
	snprintf(old_path, sizeof old_path, "%.500s.old", path);
	registry = fixture_registry(path, &authorities[0]);
}

static void
stop(void)
{
	registry_free(&registry);
	for (int i = 0; i < AUTHORITIES; i++)
		fixture_authority_clear(&authorities[i]);
	openssl_stop();
}

/* Another host, or another moment: nothing is kept of what was seen. */
static void
forget(void)
{
	char command[700];

	snprintf(command, sizeof command, "rm -rf '%s'", folder);
	ck_assert_int_eq(system(command), 0);
}

static void
copy(const char *from, const char *to)
{
	char command[1400];

	(void)unlink(to);
	snprintf(command, sizeof command, "rm -f '%s'-* && sqlite3 '%s' \".backup '%s'\"", to, from, to);
	ck_assert_int_eq(system(command), 0);
}

struct handing {
	struct fixture_authority *to;
	bool late;         /* not first of the change */
	const char *spki;  /* NULL: to's */
};

static CK_RV
build_handover(struct registry *changed, struct change *change, void *context)
{
	const struct handing *handing = context;
	struct token_record *token = fixture_token();
	struct handover_record record = { .created = 1767225600 };
	const struct buffer *spki = authority_spki(handing->to->authority);
	const char *id = authority_fingerprint(handing->to->authority);
	CK_RV rv = CKR_OK;

	ck_assert_uint_eq(buffer_set(&record.id, id, 16), CKR_OK);
	ck_assert_uint_eq(buffer_set(&record.replaces, "authority", 9), CKR_OK);
	ck_assert_uint_eq(handing->spki == NULL ? buffer_set(&record.spki, spki->data, spki->size) :
	                  buffer_set(&record.spki, handing->spki, strlen(handing->spki)), CKR_OK);
	ck_assert_uint_eq(buffer_set(&token->authority_id, id, 16), CKR_OK);
	if (handing->late)
		rv = change_add_token(change, token);
	if (rv == CKR_OK)
		rv = change_add_handover(changed, change, &record);
	if (rv == CKR_OK)
		rv = change_add_token(change, token);
	handover_record_clear(&record);
	token_record_free(&token);
	return rv;
}

static CK_RV
hand_over(int to)
{
	struct handing handing = { .to = &authorities[to] };

	return registry_change(registry, &authorities[0].signer, HOUR, build_handover, &handing);
}

static struct registry *
open_by(int pinned, enum registry_mode mode)
{
	struct registry *opened = NULL;
	char *why = NULL;

	ck_assert_uint_eq(registry_open(path, authorities[pinned].authority, mode, &opened, &why), CKR_OK);
	return opened;
}

static int64_t
add(const char *name)
{
	static uint64_t seed = 100;

	return fixture_add_key(registry, &authorities[0], name, seed++);
}

static CK_RV
read_version(struct registry *reader, int64_t object)
{
	struct version *version = NULL;
	CK_RV rv = registry_version(reader, object, &version);

	version_free(&version);
	return rv;
}

static CK_RV
read_head(struct registry *reader)
{
	struct registry_head head;

	return registry_head(reader, &head);
}

static void
assert_signer(struct registry *reader, int authority, size_t terms)
{
	struct succession *succession = NULL;

	ck_assert_uint_eq(registry_succession(reader, &succession), CKR_OK);
	ck_assert_uint_eq(succession->count, terms);
	ck_assert_str_eq(authority_fingerprint(succession_current(succession)->authority),
	                 authority_fingerprint(authorities[authority].authority));
	succession_release(&succession);
}

static void
tell(void *context, int64_t sequence, int64_t object, const char *what)
{
	(void)context;
	(void)object;
	fprintf(stderr, "entry %lld: %s\n", (long long)sequence, what);
}

static int64_t
findings_by(int pinned)
{
	struct registry *reader = open_by(pinned, REGISTRY_READ);
	int64_t entries = 0, findings = -1;

	ck_assert_uint_eq(registry_verify(reader, tell, NULL, &entries, &findings), CKR_OK);
	registry_free(&reader);
	return findings;
}

/* Every pin: all that is in the log is read, the head is good, and nothing is found. */
static void
assert_followed(int pinned, int current, const int64_t *objects, size_t count)
{
	struct registry *reader = open_by(pinned, REGISTRY_READ);

	ck_assert_uint_eq(read_head(reader), CKR_OK);
	assert_signer(reader, current, (size_t)(current - pinned + 1));
	for (size_t i = 0; i < count; i++)
		ck_assert_uint_eq(read_version(reader, objects[i]), CKR_OK);
	registry_free(&reader);
	ck_assert_int_eq(findings_by(pinned), 0);
}

START_TEST(hosts_follow_whichever_they_pin)
{
	int64_t objects[3];

	objects[0] = add("before");
	ck_assert_uint_eq(hand_over(1), CKR_OK);
	objects[1] = add("between");
	assert_followed(0, 1, objects, 2);
	assert_followed(1, 1, objects, 2);
	ck_assert_uint_eq(hand_over(2), CKR_OK);
	objects[2] = add("after");
	for (int pinned = 0; pinned < AUTHORITIES; pinned++)
		assert_followed(pinned, 2, objects, 3);
	/* It was the new one that signed. */
	ck_assert_uint_gt(authorities[2].signatures, 2);
}
END_TEST

START_TEST(a_running_reader_follows)
{
	int64_t before = add("before"), after;
	struct registry *reader = open_by(0, REGISTRY_READ), *idle = open_by(0, REGISTRY_READ);

	ck_assert_uint_eq(read_head(reader), CKR_OK);
	ck_assert_uint_eq(read_version(idle, before), CKR_OK);
	ck_assert_uint_eq(hand_over(1), CKR_OK);
	after = add("after");
	ck_assert_uint_eq(read_head(reader), CKR_OK);
	ck_assert_uint_eq(read_version(reader, after), CKR_OK);
	ck_assert_uint_eq(read_version(reader, before), CKR_OK);
	/* One that reads an entry before it has looked at the head again. */
	ck_assert_uint_eq(read_version(idle, after), CKR_OK);
	ck_assert_uint_eq(read_version(idle, before), CKR_OK);
	registry_free(&idle);
	registry_free(&reader);
}
END_TEST

/* A writer that was open before goes on, signing as the new one. */
START_TEST(an_open_writer_follows)
{
	struct registry *other = open_by(0, REGISTRY_WRITE), *kept = registry;

	(void)add("before");
	ck_assert_uint_eq(read_head(other), CKR_OK);
	ck_assert_uint_eq(hand_over(1), CKR_OK);
	registry = other;
	(void)add("after");
	ck_assert_uint_eq(read_head(kept), CKR_OK);
	registry_free(&other);
	registry = kept;
}
END_TEST

/* Many pages of the past, some kept and some not. */
START_TEST(a_long_past_is_vouched_for)
{
	enum { KEYS = 1100 }; /* 2200 entries: more pages than are kept */
	static int64_t objects[KEYS];
	char name[32];

	for (int i = 0; i < KEYS; i++) {
		snprintf(name, sizeof name, "key-%d", i);
		objects[i] = add(name);
	}
	ck_assert_uint_eq(hand_over(1), CKR_OK);
	assert_followed(0, 1, objects, KEYS);
	assert_followed(1, 1, objects, KEYS);
	ck_assert_int_eq(fixture_sql_number(path, "SELECT count(*) FROM entries"), 1 + 2 * KEYS + 1 + 9 + 1);
}
END_TEST

START_TEST(what_is_no_handover)
{
	struct handing late = { .to = &authorities[1], .late = true };
	struct handing bad = { .to = &authorities[1], .spki = "no key" };

	(void)add("before");
	ck_assert_uint_eq(registry_change(registry, &authorities[0].signer, HOUR, build_handover, &late),
	                  CKR_DATA_INVALID);
	ck_assert_uint_eq(registry_change(registry, &authorities[0].signer, HOUR, build_handover, &bad),
	                  CKR_PUBLIC_KEY_INVALID);
	/* Nobody vouches for a log that is not whole. */
	fixture_sql(path, "UPDATE entries SET payload = x'00' WHERE sequence = 2");
	ck_assert_uint_eq(hand_over(1), CKR_DEVICE_ERROR);
	fixture_sql(path, "DELETE FROM entries WHERE sequence = 2");
	ck_assert_uint_eq(hand_over(1), CKR_DEVICE_ERROR);
	assert_signer(registry, 0, 1);
}
END_TEST

/* A registry of before that had a table for hand-overs. */
START_TEST(an_old_registry_gets_the_table)
{
	int64_t object = add("before");

	fixture_sql(path, "DROP TABLE handovers");
	ck_assert_uint_eq(read_head(registry), CKR_OK);
	ck_assert_int_eq(findings_by(0), 0);
	ck_assert_uint_eq(hand_over(1), CKR_OK);
	assert_followed(0, 1, &object, 1);
}
END_TEST

/* As whoever can write the file and has stolen an authority does: an entry with that payload, that signs well. */
static void
forge_entry(int64_t sequence, const char *from, const char *to, int thief)
{
	struct entry entry = { .sequence = 0 };
	struct buffer message = BUFFER_INIT;
	struct store *store = NULL;
	char *why = NULL, *payload, *hex, *at;
	size_t size;

	ck_assert_uint_eq(store_open(path, false, &store, &why), CKR_OK);
	ck_assert_uint_eq(chain_entry(store, sequence, &entry), CKR_OK);
	store_close(&store);
	payload = strndup((const char *)entry.payload.data, entry.payload.size);
	at = strstr(payload, from);
	ck_assert_ptr_nonnull(at);
	memcpy(at, to, strlen(to));
	size = strlen(payload);
	ck_assert_uint_eq(buffer_set(&entry.payload, payload, size), CKR_OK);
	ck_assert_uint_eq(entry_message(&entry, &message), CKR_OK);
	buffer_clear(&entry.signature);
	ck_assert_uint_eq(fixture_sign(&authorities[thief], NULL, message.data, message.size,
	                               &entry.signature), CKR_OK);
	hex = hex_dup(entry.signature.data, entry.signature.size);
	fixture_sql(path, "UPDATE entries SET payload = CAST(%Q AS BLOB), signature = x'%s'"
	            " WHERE sequence = %lld", payload, hex, sequence);
	free(hex);
	free(payload);
	buffer_clear(&message);
	entry_clear(&entry);
}

/* A head about the last entry there is, by the thief. */
static void
forge_head(int thief)
{
	struct registry_head head = { .issued = 1767225600, .expires = 4102444800 };
	struct entry entry = { .sequence = 0 };
	struct buffer message = BUFFER_INIT, signature = BUFFER_INIT;
	struct store *store = NULL;
	char *why = NULL, *hex, *hash;

	head.sequence = fixture_sql_number(path, "SELECT max(sequence) FROM entries");
	ck_assert_uint_eq(store_open(path, false, &store, &why), CKR_OK);
	ck_assert_uint_eq(chain_entry(store, head.sequence, &entry), CKR_OK);
	store_close(&store);
	ck_assert_uint_eq(entry_hash(&entry, head.hash), CKR_OK);
	ck_assert_uint_eq(head_message(&head, &message), CKR_OK);
	ck_assert_uint_eq(fixture_sign(&authorities[thief], NULL, message.data, message.size, &signature),
	                  CKR_OK);
	hex = hex_dup(signature.data, signature.size);
	hash = hex_dup(head.hash, sizeof head.hash);
	fixture_sql(path, "UPDATE head SET sequence = %lld, hash = x'%s', issued = %lld, expires = %lld,"
	            " signature = x'%s'", head.sequence, hash, head.issued, head.expires, hex);
	free(hex);
	free(hash);
	buffer_clear(&message);
	buffer_clear(&signature);
	entry_clear(&entry);
}

/* The thief of the old authority signs what is after the hand-over. */
START_TEST(nothing_of_the_old_one_counts_after)
{
	struct registry *reader;
	int64_t object;

	(void)add("before");
	ck_assert_uint_eq(hand_over(1), CKR_OK);
	object = add("after");
	forge_entry(object, "\"local\":true", "\"local\":true", 0);
	forget();
	for (int pinned = 0; pinned < 2; pinned++) {
		reader = open_by(pinned, REGISTRY_READ);
		ck_assert_uint_eq(read_version(reader, object), CKR_DEVICE_ERROR);
		registry_free(&reader);
		ck_assert_int_gt(findings_by(pinned), 0);
	}
}
END_TEST

/* He puts an entry of his own in the place of one from the old authority's own time. */
START_TEST(the_past_cant_be_written_anew)
{
	struct registry *running = open_by(0, REGISTRY_READ), *reader;
	int64_t object = add("before"), other = add("other");

	ck_assert_uint_eq(read_version(running, object), CKR_OK);
	ck_assert_uint_eq(hand_over(1), CKR_OK);
	ck_assert_uint_eq(read_head(running), CKR_OK);
	forge_entry(object, "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z", 0);
	forget();
	ck_assert_uint_eq(read_version(running, object), CKR_DEVICE_ERROR);
	for (int pinned = 0; pinned < 2; pinned++) {
		reader = open_by(pinned, REGISTRY_READ);
		ck_assert_uint_eq(read_version(reader, object), CKR_DEVICE_ERROR);
		ck_assert_uint_eq(read_version(reader, other), CKR_OK);
		registry_free(&reader);
		ck_assert_int_gt(findings_by(pinned), 0);
	}
	registry_free(&running);
}
END_TEST

/* He hides the hand-over, and signs a head over the log with it. */
START_TEST(a_hidden_handover_is_remembered)
{
	struct registry *reader, *running = open_by(0, REGISTRY_READ);
	int64_t object = add("before");

	ck_assert_uint_eq(hand_over(1), CKR_OK);
	ck_assert_uint_eq(read_head(running), CKR_OK);
	fixture_sql(path, "DELETE FROM handovers");
	forge_head(0);
	forge_entry(object, "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z", 0);
	/* By what is kept; by what this process saw; by the pin. */
	reader = open_by(0, REGISTRY_READ);
	ck_assert_uint_eq(read_head(reader), CKR_DEVICE_ERROR);
	ck_assert(registry_turned_back(reader, NULL));
	ck_assert_uint_eq(read_version(reader, object), CKR_DEVICE_ERROR);
	ck_assert_uint_eq(registry_accept(reader), CKR_DEVICE_ERROR);
	registry_free(&reader);
	forget();
	ck_assert_uint_eq(read_head(running), CKR_DEVICE_ERROR);
	ck_assert_uint_eq(read_version(running, object), CKR_DEVICE_ERROR);
	registry_free(&running);
	reader = open_by(1, REGISTRY_READ);
	ck_assert_uint_eq(read_head(reader), CKR_DEVICE_ERROR);
	ck_assert_uint_eq(read_version(reader, object), CKR_DEVICE_ERROR);
	registry_free(&reader);
	ck_assert_int_gt(findings_by(0), 0);
}
END_TEST

/* He puts the log of before back and hands over to himself (the third is his, here). */
START_TEST(another_handover_is_not_followed)
{
	struct registry *reader;
	int64_t object = add("before"), mine;

	copy(path, old_path);
	ck_assert_uint_eq(hand_over(1), CKR_OK);
	registry_free(&registry);
	forget();
	copy(old_path, path);
	registry = open_by(0, REGISTRY_WRITE);
	ck_assert_uint_eq(hand_over(2), CKR_OK);
	mine = add("mine");
	/* One that pins the new one. */
	reader = open_by(1, REGISTRY_READ);
	ck_assert_uint_eq(read_head(reader), CKR_DEVICE_ERROR);
	ck_assert_uint_eq(read_version(reader, mine), CKR_DEVICE_ERROR);
	ck_assert_uint_eq(read_version(reader, object), CKR_DEVICE_ERROR);
	registry_free(&reader);
}
END_TEST

START_TEST(another_handover_is_not_followed_by_who_has_seen_the_first)
{
	struct registry *reader;
	char state[600];
	int64_t object = add("before"), mine;

	copy(path, old_path);
	ck_assert_uint_eq(hand_over(1), CKR_OK);
	registry_free(&registry);
	snprintf(state, sizeof state, "%.500s.thief", folder);
	ck_assert_int_eq(setenv("XDG_STATE_HOME", state, 1), 0);
	copy(old_path, path);
	registry = open_by(0, REGISTRY_WRITE);
	ck_assert_uint_eq(hand_over(2), CKR_OK);
	mine = add("mine");
	ck_assert_int_eq(setenv("XDG_STATE_HOME", folder, 1), 0);
	reader = open_by(0, REGISTRY_READ);
	ck_assert_uint_eq(read_version(reader, mine), CKR_DEVICE_ERROR);
	ck_assert_uint_eq(read_head(reader), CKR_DEVICE_ERROR);
	ck_assert(registry_turned_back(reader, NULL));
	ck_assert_uint_eq(read_version(reader, object), CKR_DEVICE_ERROR);
	registry_free(&reader);
}
END_TEST

/* The registry of before the hand-over, as the old authority signed it, is an older one; it can't be accepted. */
START_TEST(a_backup_from_before_is_refused)
{
	struct registry *reader;

	(void)add("before");
	copy(path, old_path);
	ck_assert_uint_eq(hand_over(1), CKR_OK);
	registry_free(&registry);
	copy(old_path, path);
	reader = open_by(0, REGISTRY_READ);
	ck_assert_uint_eq(read_head(reader), CKR_DEVICE_ERROR);
	ck_assert_uint_eq(registry_accept(reader), CKR_DEVICE_ERROR);
	registry_free(&reader);
}
END_TEST

/* A host that goes over to pinning the new one still knows what it has seen. */
START_TEST(what_was_seen_outlives_the_pin)
{
	struct registry *reader;

	ck_assert_uint_eq(hand_over(1), CKR_OK);
	copy(path, old_path);
	(void)add("after");
	registry_free(&registry);
	copy(old_path, path);
	reader = open_by(1, REGISTRY_READ);
	ck_assert_uint_eq(read_head(reader), CKR_DEVICE_ERROR);
	ck_assert(registry_turned_back(reader, NULL));
	registry_free(&reader);
}
END_TEST

/* Rows and entries of the succession that are not what they should be. */
static const struct {
	const char *sql;
	bool head;  /* is good, for who pins the first one and has seen nothing */
	bool entry; /* one of before is read by him: while no hand-over is followed it is the pinned one's */
} faults[] = {
	{ "DELETE FROM handovers", false, true },
	{ "INSERT INTO handovers VALUES (2)", false, true },
	{ "INSERT INTO handovers VALUES (99)", true, true },
	{ "UPDATE handovers SET sequence = 5", false, true },
	{ "UPDATE entries SET payload = (SELECT payload FROM entries WHERE sequence = 7) WHERE sequence = 4", false, true },
	{ "UPDATE entries SET payload = (SELECT payload FROM entries WHERE sequence = 1) WHERE sequence = 5", true, false },
	{ "UPDATE entries SET signature = zeroblob(64) WHERE sequence = 5", true, false },
	{ "DELETE FROM entries WHERE sequence = 5", true, false },
	{ "UPDATE entries SET payload = 'text' WHERE sequence = 4", false, true },
};

#define FAULT_COUNT ((int)(sizeof faults / sizeof *faults))

/* Entries: 1 token, 2 key, 3 version, 4 hand-over, 5 page, 6 token, 7 key, 8 version. */
START_TEST(a_damaged_succession_is_found)
{
	struct registry *reader;
	int64_t object = add("before");

	ck_assert_uint_eq(hand_over(1), CKR_OK);
	(void)add("after");
	fixture_sql(path, "%s", faults[_i].sql);
	forget();
	reader = open_by(0, REGISTRY_READ);
	ck_assert_int_eq(read_head(reader) == CKR_OK, faults[_i].head);
	ck_assert_uint_eq(read_version(reader, object), faults[_i].entry ? CKR_OK : CKR_DEVICE_ERROR);
	registry_free(&reader);
	ck_assert_int_gt(findings_by(0), 0);
}
END_TEST

static const char handover_json[] =
	"{\"created\":\"2026-01-01T00:00:00Z\",\"id\":\"0102\",\"public_key\":\"AQID\","
	"\"replaces\":\"03\",\"type\":\"authority\"}";
static const char page_json[] =
	"{\"first\":257,\"hashes\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\",\"type\":\"past\"}";

START_TEST(records_are_canonical)
{
	struct handover_record handover;
	struct page_record page;
	struct buffer again = BUFFER_INIT;

	ck_assert_uint_eq(handover_record_decode(handover_json, strlen(handover_json), &handover), CKR_OK);
	ck_assert(buffer_equal(&handover.id, "\1\2", 2));
	ck_assert(buffer_equal(&handover.replaces, "\3", 1));
	ck_assert(buffer_equal(&handover.spki, "\1\2\3", 3));
	ck_assert_uint_eq(handover_record_encode(&handover, &again), CKR_OK);
	ck_assert(buffer_equal(&again, handover_json, strlen(handover_json)));
	handover.created = 0;
	ck_assert_uint_eq(handover_record_encode(&handover, &again), CKR_DATA_INVALID);
	handover_record_clear(&handover);
	ck_assert_uint_eq(page_record_decode(page_json, strlen(page_json), &page), CKR_OK);
	ck_assert_int_eq(page.first, 257);
	ck_assert_uint_eq(page.hashes.size, 32);
	ck_assert_uint_eq(page_record_encode(&page, &again), CKR_OK);
	ck_assert(buffer_equal(&again, page_json, strlen(page_json)));
	ck_assert_uint_eq(buffer_resize(&page.hashes, 31), CKR_OK);
	ck_assert_uint_eq(page_record_encode(&page, &again), CKR_DATA_INVALID);
	page_record_clear(&page);
	ck_assert_uint_eq(page_record_decode(handover_json, strlen(handover_json), &page),
	                  CKR_DATA_INVALID);
	page_record_clear(&page);
	ck_assert_uint_eq(handover_record_decode(page_json, strlen(page_json), &handover),
	                  CKR_DATA_INVALID);
	handover_record_clear(&handover);
	buffer_clear(&again);
}
END_TEST

static const char *const bad_records[] = {
	"{\"created\":\"2026-01-01T00:00:00Z\",\"id\":\"\",\"public_key\":\"AQID\",\"replaces\":\"03\",\"type\":\"authority\"}",
	"{\"created\":\"2026-01-01T00:00:00Z\",\"id\":\"0102\",\"public_key\":\"AQID\",\"type\":\"authority\"}",
	"{\"id\":\"0102\",\"public_key\":\"AQID\",\"replaces\":\"03\",\"type\":\"authority\"}",
	"{\"created\":\"2026-01-01T00:00:00Z\",\"id\":\"0102\",\"more\":1,\"public_key\":\"AQID\",\"replaces\":\"03\",\"type\":\"authority\"}",
	"{\"first\":0,\"hashes\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\",\"type\":\"past\"}",
	"{\"first\":1,\"hashes\":\"AAAA\",\"type\":\"past\"}",
	"{\"first\":1,\"type\":\"past\"}",
};

START_TEST(other_records_are_refused)
{
	struct handover_record handover;
	struct page_record page;
	const char *json = bad_records[_i];

	ck_assert_uint_eq(handover_record_decode(json, strlen(json), &handover), CKR_DATA_INVALID);
	ck_assert_uint_eq(page_record_decode(json, strlen(json), &page), CKR_DATA_INVALID);
	handover_record_clear(&handover);
	page_record_clear(&page);
}
END_TEST

Suite *
unit_suite(void)
{
	Suite *suite = suite_create("succession");
	TCase *tests = tcase_create("succession");

	tcase_add_checked_fixture(tests, start, stop);
	tcase_set_timeout(tests, 120);
	tcase_add_test(tests, hosts_follow_whichever_they_pin);
	tcase_add_test(tests, a_running_reader_follows);
	tcase_add_test(tests, an_open_writer_follows);
	tcase_add_test(tests, a_long_past_is_vouched_for);
	tcase_add_test(tests, what_is_no_handover);
	tcase_add_test(tests, an_old_registry_gets_the_table);
	tcase_add_test(tests, nothing_of_the_old_one_counts_after);
	tcase_add_test(tests, the_past_cant_be_written_anew);
	tcase_add_test(tests, a_hidden_handover_is_remembered);
	tcase_add_test(tests, another_handover_is_not_followed);
	tcase_add_test(tests, another_handover_is_not_followed_by_who_has_seen_the_first);
	tcase_add_test(tests, a_backup_from_before_is_refused);
	tcase_add_test(tests, what_was_seen_outlives_the_pin);
	tcase_add_loop_test(tests, a_damaged_succession_is_found, 0, FAULT_COUNT);
	tcase_add_test(tests, records_are_canonical);
	tcase_add_loop_test(tests, other_records_are_refused, 0,
	                    (int)(sizeof bad_records / sizeof *bad_records));
	suite_add_tcase(suite, tests);
	return suite;
}
