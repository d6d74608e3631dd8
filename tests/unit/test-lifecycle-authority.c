/* SPDX-License-Identifier: Apache-2.0 */
/* The authority is replaced: through SoftHSM2, with what can fail on the way. */
#include "lifecycle-fixture.h"

#include "lifecycle/authority-pair.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static CK_RV
rotate(void)
{
	return lifecycle_rotate_authority(lifecycle, patiently());
}

/* How many authorities the registry had; who signs now. */
static size_t
terms(char *ret_fingerprint, size_t size)
{
	struct succession *succession = NULL;
	size_t count;

	ck_assert_uint_eq(registry_succession(registry, &succession), CKR_OK);
	count = succession->count;
	if (ret_fingerprint != NULL)
		snprintf(ret_fingerprint, size, "%s",
		         authority_fingerprint(succession_current(succession)->authority));
	succession_release(&succession);
	return count;
}

static struct refresh_summary
refresh(void)
{
	struct refresh_summary summary;

	memset(&summary, 0, sizeof summary);
	ck_assert_uint_eq(lifecycle_refresh(lifecycle, false, NULL, NULL, &summary), CKR_OK);
	ck_assert_uint_eq(summary.failed, 0);
	return summary;
}

START_TEST(a_new_authority_signs)
{
	struct version *before = make("before", "p-256", 0), *after;
	char first[80], second[80];

	ck_assert_uint_eq(terms(first, sizeof first), 1);
	ck_assert_uint_eq(rotate(), CKR_OK);
	ck_assert_uint_eq(terms(second, sizeof second), 2);
	ck_assert_str_ne(first, second);
	ck_assert_uint_eq(pair_count(), 3);
	ck_assert_uint_eq(intent_count(), 0);
	/* What was open goes on, and so does what is opened now. */
	after = make("after", "p-256", 0);
	version_free(&after);
	lifecycle_end();
	lifecycle_begin();
	ck_assert_int_eq(state_of(before), STATE_ACTIVE);
	after = make("afterwards", "p-256", 0);
	refresh();
	ck_assert_uint_eq(rotate(), CKR_OK);
	ck_assert_uint_eq(terms(NULL, 0), 3);
	version_free(&after);
	version_free(&before);
}
END_TEST

/* Opened before, it changes something after: it signs as the new one, and its token's record stays right. */
START_TEST(one_that_is_open_elsewhere_follows)
{
	struct registry *own = NULL;
	struct lifecycle *other = NULL, *kept = lifecycle;
	struct version *version;
	struct token_record *token = NULL;
	char *why = NULL;

	ck_assert_uint_eq(registry_open(kms_config.registry, authority, REGISTRY_WRITE, &own, &why), CKR_OK);
	ck_assert_uint_eq(lifecycle_open(&kms_config, kms, own, authority, &other), CKR_OK);
	ck_assert_uint_eq(rotate(), CKR_OK);
	lifecycle = other;
	version = make("job", "p-256", 0);
	refresh();
	ck_assert_uint_eq(registry_token(registry, &token), CKR_OK);
	ck_assert(!buffer_equal(&token->authority_id, kept->token->authority_id.data,
	                        kept->token->authority_id.size));
	token_record_free(&token);
	version_free(&version);
	lifecycle = kept;
	lifecycle_free(&other);
	registry_free(&own);
}
END_TEST

static CK_RV
generate_and_fail(CK_SESSION_HANDLE session, CK_MECHANISM *mechanism, CK_ATTRIBUTE *public,
                  CK_ULONG public_count, CK_ATTRIBUTE *private, CK_ULONG private_count,
                  CK_OBJECT_HANDLE *public_key, CK_OBJECT_HANDLE *private_key)
{
	CK_RV rv = softhsm_original.C_GenerateKeyPair(session, mechanism, public, public_count, private,
	                                              private_count, public_key, private_key);

	return rv == CKR_OK ? CKR_FUNCTION_FAILED : rv;
}

static CK_RV
wrong_sign(CK_SESSION_HANDLE session, CK_BYTE *data, CK_ULONG size, CK_BYTE *signature,
           CK_ULONG *signature_size)
{
	CK_RV rv = softhsm_original.C_Sign(session, data, size, signature, signature_size);

	if (rv == CKR_OK && signature != NULL)
		signature[*signature_size - 1] ^= 1;
	return rv;
}

static CK_RV
destroy_fails(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object)
{
	(void)session;
	(void)object;
	return CKR_FUNCTION_FAILED;
}

START_TEST(a_failure_leaves_nothing)
{
	softhsm_functions()->C_Sign = wrong_sign;
	ck_assert_uint_ne(rotate(), CKR_OK);
	softhsm_functions()->C_Sign = softhsm_original.C_Sign;
	ck_assert_uint_eq(pair_count(), 1);
	softhsm_functions()->C_GenerateKeyPair = generate_and_fail;
	ck_assert_uint_ne(rotate(), CKR_OK);
	softhsm_functions()->C_GenerateKeyPair = softhsm_original.C_GenerateKeyPair;
	ck_assert_uint_eq(pair_count(), 1);
	ck_assert_uint_eq(intent_count(), 0);
	ck_assert_uint_eq(terms(NULL, 0), 1);
}
END_TEST

/* What could not be removed at once, as after a crash, is removed by refresh; never one that is in the log. */
START_TEST(refresh_undoes)
{
	softhsm_functions()->C_GenerateKeyPair = generate_and_fail;
	softhsm_functions()->C_DestroyObject = destroy_fails;
	ck_assert_uint_ne(rotate(), CKR_OK);
	softhsm_functions()->C_GenerateKeyPair = softhsm_original.C_GenerateKeyPair;
	softhsm_functions()->C_DestroyObject = softhsm_original.C_DestroyObject;
	ck_assert_uint_eq(pair_count(), 2);
	ck_assert_uint_eq(intent_count(), 1);
	/* The creation may still be going on. */
	ck_assert_uint_eq(refresh().undone, 0);
	ck_assert_uint_eq(pair_count(), 2);
	meddle("UPDATE intents SET since = 1000");
	ck_assert_uint_eq(refresh().undone, 1);
	ck_assert_uint_eq(pair_count(), 1);
	ck_assert_uint_eq(intent_count(), 0);
	ck_assert_uint_eq(rotate(), CKR_OK);
}
END_TEST

/* An intent that names the one that signs, a former one, and a version's pair. */
START_TEST(a_forged_intent_removes_nothing)
{
	struct version *version = make("job", "p-256", 0);
	struct token_record *token = NULL;
	char sql[512], *now, *former = hex_dup(lifecycle->token->authority_id.data,
	                                       lifecycle->token->authority_id.size);
	char *other = hex_dup(version->id.data, version->id.size);

	ck_assert_uint_eq(rotate(), CKR_OK);
	ck_assert_uint_eq(registry_token(registry, &token), CKR_OK);
	now = hex_dup(token->authority_id.data, token->authority_id.size);
	snprintf(sql, sizeof sql, "INSERT INTO intents VALUES (x'%s', '', 2, 1), (x'%s', '', 1, 1),"
	         " (x'%s', '', 3, 1)", now, former, other);
	meddle(sql);
	ck_assert_uint_eq(refresh().undone, 0);
	ck_assert_uint_eq(pair_count(), 3);
	ck_assert_uint_eq(intent_count(), 0);
	free(now);
	free(former);
	free(other);
	token_record_free(&token);
	version_free(&version);
}
END_TEST

/* A host that can't keep what it has seen may look at an older registry: then the pair stays. */
START_TEST(who_remembers_nothing_removes_nothing)
{
	softhsm_functions()->C_GenerateKeyPair = generate_and_fail;
	softhsm_functions()->C_DestroyObject = destroy_fails;
	ck_assert_uint_ne(rotate(), CKR_OK);
	softhsm_functions()->C_GenerateKeyPair = softhsm_original.C_GenerateKeyPair;
	softhsm_functions()->C_DestroyObject = softhsm_original.C_DestroyObject;
	meddle("UPDATE intents SET since = 1000");
	lifecycle_end();
	ck_assert_int_eq(setenv("XDG_STATE_HOME", "/dev/null/nowhere", 1), 0);
	lifecycle_begin();
	ck_assert_uint_eq(refresh().undone, 0);
	ck_assert_uint_eq(pair_count(), 2);
	ck_assert_uint_eq(intent_count(), 1); /* for a host that can */
}
END_TEST

static size_t purged;

static void
count_purged(void *context, const struct buffer *id)
{
	(void)context;
	ck_assert_uint_eq(id->size, 16);
	purged++;
}

static size_t
purge(bool dry_run)
{
	purged = 0;
	ck_assert_uint_eq(lifecycle_purge_authorities(lifecycle, dry_run, count_purged, NULL), CKR_OK);
	return purged;
}

START_TEST(purge_removes_former_ones_only)
{
	struct version *version = make("job", "p-256", 0);

	ck_assert_uint_eq(purge(false), 0);
	ck_assert_uint_eq(rotate(), CKR_OK);
	ck_assert_uint_eq(rotate(), CKR_OK);
	ck_assert_uint_eq(pair_count(), 4);
	ck_assert_uint_eq(purge(true), 2);
	ck_assert_uint_eq(pair_count(), 4);
	/* The index points to the token's first record: what that names as the authority does not decide. */
	meddle("UPDATE token SET sequence = 1");
	ck_assert_uint_eq(purge(false), 2);
	ck_assert_uint_eq(pair_count(), 2);
	meddle("UPDATE token SET sequence = (SELECT max(sequence) FROM entries)");
	ck_assert_uint_eq(purge(false), 0);
	lifecycle_end();
	lifecycle_begin();
	version_free(&version);
	version = make("job-2", "p-256", 0);
	version_free(&version);
}
END_TEST

/* Two rotate at the same time: one is told that it was late, and its pair is gone. */
static struct lifecycle *rival;

static CK_RV
rotate_meanwhile(CK_SESSION_HANDLE session, CK_MECHANISM *mechanism, CK_ATTRIBUTE *public,
                 CK_ULONG public_count, CK_ATTRIBUTE *private, CK_ULONG private_count,
                 CK_OBJECT_HANDLE *public_key, CK_OBJECT_HANDLE *private_key)
{
	softhsm_functions()->C_GenerateKeyPair = softhsm_original.C_GenerateKeyPair;
	ck_assert_uint_eq(lifecycle_rotate_authority(rival, patiently()), CKR_OK);
	return softhsm_original.C_GenerateKeyPair(session, mechanism, public, public_count, private,
	                                          private_count, public_key, private_key);
}

START_TEST(of_two_at_once_one_is_late)
{
	struct registry *own = NULL;
	char *why = NULL;

	ck_assert_uint_eq(registry_open(kms_config.registry, authority, REGISTRY_WRITE, &own, &why), CKR_OK);
	ck_assert_uint_eq(lifecycle_open(&kms_config, kms, own, authority, &rival), CKR_OK);
	softhsm_functions()->C_GenerateKeyPair = rotate_meanwhile;
	ck_assert_uint_eq(rotate(), CKR_ACTION_PROHIBITED);
	ck_assert_uint_eq(terms(NULL, 0), 2);
	ck_assert_uint_eq(pair_count(), 2);
	ck_assert_uint_eq(intent_count(), 0);
	lifecycle_free(&rival);
	registry_free(&own);
}
END_TEST

/* So slow that another host's refresh takes it for interrupted, when all but the head is signed. */
static int signs_before_refresh;

static CK_RV
sign_slowly(CK_SESSION_HANDLE session, CK_BYTE *data, CK_ULONG size, CK_BYTE *signature,
            CK_ULONG *signature_size)
{
	CK_RV rv = softhsm_original.C_Sign(session, data, size, signature, signature_size);
	struct refresh_summary summary;

	if (*signature_size != 0 && signature != NULL && signs_before_refresh-- == 0) {
		softhsm_functions()->C_Sign = softhsm_original.C_Sign;
		meddle("UPDATE intents SET since = 1000");
		ck_assert_uint_eq(lifecycle_refresh(rival, false, NULL, NULL, &summary), CKR_OK);
		ck_assert_uint_eq(summary.undone, 1);
	}
	return rv;
}

START_TEST(a_slow_one_is_not_handed_over_to)
{
	struct registry *own = NULL;
	char *why = NULL;

	ck_assert_uint_eq(registry_open(kms_config.registry, authority, REGISTRY_WRITE, &own, &why), CKR_OK);
	ck_assert_uint_eq(lifecycle_open(&kms_config, kms, own, authority, &rival), CKR_OK);
	signs_before_refresh = 4; /* the proof, the hand-over, the page, the token's record */
	softhsm_functions()->C_Sign = sign_slowly;
	ck_assert_uint_eq(rotate(), CKR_FUNCTION_FAILED);
	ck_assert_ptr_eq(softhsm_functions()->C_Sign, softhsm_original.C_Sign);
	ck_assert_uint_eq(terms(NULL, 0), 1);
	ck_assert_uint_eq(pair_count(), 1);
	ck_assert_uint_eq(intent_count(), 0);
	ck_assert_uint_eq(rotate(), CKR_OK);
	lifecycle_free(&rival);
	registry_free(&own);
}
END_TEST

static const struct {
	const char *label;
	int64_t number;
} labels[] = {
	{ "p11-kms authority test", 1 }, { "p11-kms authority test@2", 2 },
	{ "p11-kms authority test@10", 10 }, { "p11-kms authority test@", 0 },
	{ "p11-kms authority test@02", 0 }, { "p11-kms authority test@2x", 0 },
	{ "p11-kms authority test2", 0 }, { "p11-kms authority other", 0 }, { "test@2", 0 },
};

START_TEST(authorities_are_known_by_their_labels)
{
	struct kms_pair pair = {
		.algorithm = algorithm_by_name("p-256"), .id = kms_id, .id_size = KMS_ID_SIZE,
		.label = labels[_i].label, .sign = true,
	};
	struct kms_listing listing;
	struct buffer spki = BUFFER_INIT;
	bool several = true;
	char *label;

	ck_assert_uint_eq(kms_generate_pair(kms, &pair, soon(), &spki), CKR_OK);
	ck_assert_uint_eq(kms_listing_read(kms, "test", soon(), &listing), CKR_OK);
	ck_assert_uint_eq(listing.count, 1);
	ck_assert_int_eq(listing.keys[0].own, labels[_i].number);
	ck_assert_int_eq(listing.own_highest, labels[_i].number);
	ck_assert_uint_eq(listing.own, labels[_i].number != 0);
	ck_assert_uint_eq(listing.versions, strcmp(labels[_i].label, "test@2") == 0);
	if (labels[_i].number != 0) {
		label = authority_label("test", labels[_i].number);
		ck_assert_str_eq(label, labels[_i].label);
		free(label);
		ck_assert_ptr_eq(kms_listing_own(&listing, labels[_i].number, &several), &listing.keys[0]);
		ck_assert(!several);
	}
	kms_listing_clear(&listing);
	buffer_clear(&spki);
}
END_TEST

Suite *
unit_suite(void)
{
	Suite *suite = suite_create("lifecycle-authority");
	TCase *tests = tcase_create("authority"), *bare = tcase_create("labels");

	tcase_add_checked_fixture(tests, lifecycle_setup, lifecycle_teardown);
	tcase_set_timeout(tests, 300);
	tcase_add_test(tests, a_new_authority_signs);
	tcase_add_test(tests, one_that_is_open_elsewhere_follows);
	tcase_add_test(tests, a_failure_leaves_nothing);
	tcase_add_test(tests, refresh_undoes);
	tcase_add_test(tests, a_forged_intent_removes_nothing);
	tcase_add_test(tests, who_remembers_nothing_removes_nothing);
	tcase_add_test(tests, purge_removes_former_ones_only);
	tcase_add_test(tests, of_two_at_once_one_is_late);
	tcase_add_test(tests, a_slow_one_is_not_handed_over_to);
	suite_add_tcase(suite, tests);
	tcase_add_checked_fixture(bare, bare_setup, bare_teardown);
	tcase_set_timeout(bare, 120);
	tcase_add_loop_test(bare, authorities_are_known_by_their_labels, 0,
	                    (int)(sizeof labels / sizeof *labels));
	suite_add_tcase(suite, bare);
	return suite;
}
