/* SPDX-License-Identifier: Apache-2.0 */
#include "lifecycle-fixture.h"

#include "lifecycle/authority-signer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool made, anew;
static char *why;

static CK_RV
init(void)
{
	free(why);
	why = NULL;
	return lifecycle_init(&kms_config, kms, anew, patiently(), &made, &why);
}

static void
teardown(void)
{
	free(why);
	why = NULL;
	anew = false;
	bare_teardown();
}

static void
set_path(char **path, const char *name)
{
	free(*path);
	*path = strdup(softhsm_path(name));
}

/* A run that was killed has told nobody of what is then missing. */
static void
forget_seen(void)
{
	char command[600];

	snprintf(command, sizeof command, "rm -rf '%s/p11-kms'", getenv("XDG_STATE_HOME"));
	ck_assert_int_eq(system(command), 0);
}

/* With SQLite's log and its index, which stay beside it. */
static void
remove_registry(void)
{
	ck_assert_int_eq(unlink(kms_config.registry), 0);
	(void)unlink(softhsm_path("registry.db-wal"));
	(void)unlink(softhsm_path("registry.db-shm"));
	forget_seen();
}

START_TEST(sets_a_token_up)
{
	struct token_record *token = NULL;
	struct stat status;

	ck_assert_uint_eq(init(), CKR_OK);
	ck_assert(made);
	ck_assert_ptr_null(why);
	ck_assert_uint_eq(pair_count(), 1);
	ck_assert_int_eq(stat(kms_config.registry, &status), 0);
	ck_assert_uint_eq(status.st_mode & 07777, 0644);
	ck_assert_int_eq(stat(kms_config.authority, &status), 0);
	ck_assert_uint_eq(status.st_mode & 07777, 0644);
	lifecycle_begin();
	ck_assert_uint_eq(registry_token(registry, &token), CKR_OK);
	ck_assert(token_record_has(token, CKM_ECDSA));
	ck_assert_uint_eq(token->authority_id.size, 16);
	token_record_free(&token);
	lifecycle_end();
}
END_TEST

START_TEST(does_nothing_twice)
{
	ck_assert_uint_eq(init(), CKR_OK);
	ck_assert_uint_eq(init(), CKR_OK);
	ck_assert(!made);
	ck_assert_uint_eq(pair_count(), 1);
}
END_TEST

/* Killed between the pinned file and the registry. */
START_TEST(makes_a_registry_that_is_missing)
{
	ck_assert_uint_eq(init(), CKR_OK);
	remove_registry();
	ck_assert_uint_eq(init(), CKR_OK);
	ck_assert(made);
	ck_assert_uint_eq(pair_count(), 1);
	lifecycle_begin();
	lifecycle_end();
}
END_TEST

/* Killed between the registry and its token record. */
START_TEST(writes_a_token_record_that_is_missing)
{
	ck_assert_uint_eq(init(), CKR_OK);
	remove_registry();
	ck_assert(authority_read(kms_config.authority, &authority, &why));
	ck_assert_uint_eq(registry_create(kms_config.registry, authority, &registry, &why), CKR_OK);
	ck_assert_uint_eq(lifecycle_open(&kms_config, kms, registry, authority, &lifecycle),
	                  CKR_OBJECT_HANDLE_INVALID);
	lifecycle_end();
	ck_assert_uint_eq(init(), CKR_OK);
	ck_assert(made);
	lifecycle_begin();
	lifecycle_end();
}
END_TEST

/* Killed before the pinned file: the pair is all that the KMS holds. */
START_TEST(takes_up_the_only_pair)
{
	ck_assert_uint_eq(init(), CKR_OK);
	remove_registry();
	ck_assert_int_eq(unlink(kms_config.authority), 0);
	ck_assert_uint_eq(init(), CKR_OK);
	ck_assert_uint_eq(pair_count(), 1);
}
END_TEST

/* With keys beside it, the pair may be another host's authority. */
START_TEST(makes_its_own_beside_another_host)
{
	kms_generate("p-256"); /* labelled unit@1 */
	ck_assert_uint_eq(init(), CKR_OK);
	remove_registry();
	ck_assert_int_eq(unlink(kms_config.authority), 0);
	ck_assert_uint_eq(init(), CKR_ARGUMENTS_BAD);
	ck_assert_ptr_nonnull(strstr(why, "1 authority of that name, and 1 pair"));
	ck_assert_ptr_nonnull(strstr(why, "rebuild"));
	ck_assert_uint_eq(pair_count(), 2);
	anew = true;
	ck_assert_uint_eq(init(), CKR_OK);
	ck_assert_uint_eq(pair_count(), 3);
}
END_TEST

/* The path is mistyped, or the registry lost before this host could note that it saw it. */
START_TEST(refuses_to_begin_a_lost_registry_anew)
{
	ck_assert_uint_eq(init(), CKR_OK);
	remove_registry();
	kms_generate("p-256");
	ck_assert_uint_eq(init(), CKR_ARGUMENTS_BAD);
	ck_assert_ptr_nonnull(strstr(why, "holds 1 pair labelled NAME@VERSION"));
	ck_assert_ptr_nonnull(strstr(why, "rebuild"));
	ck_assert_int_ne(access(kms_config.registry, F_OK), 0);
	anew = true;
	ck_assert_uint_eq(init(), CKR_OK);
	ck_assert_uint_eq(pair_count(), 2);
	anew = false;
	ck_assert_uint_eq(init(), CKR_OK);
	ck_assert(!made);
}
END_TEST

/* Two registries may have keys on one token of an HSM. */
START_TEST(begins_beside_another_token)
{
	ck_assert_uint_eq(init(), CKR_OK);
	kms_generate("p-256");
	remove_registry();
	ck_assert_int_eq(unlink(kms_config.authority), 0);
	free(kms_config.name);
	kms_config.name = strdup("second");
	ck_assert_uint_eq(init(), CKR_OK);
	ck_assert(made);
	ck_assert_uint_eq(pair_count(), 3);
}
END_TEST

START_TEST(finds_the_authority_of_a_renamed_token)
{
	ck_assert_uint_eq(init(), CKR_OK);
	free(kms_config.name);
	kms_config.name = strdup("renamed");
	ck_assert_uint_eq(init(), CKR_OK);
	ck_assert(!made);
}
END_TEST

START_TEST(refuses_a_registry_without_its_authority)
{
	ck_assert_uint_eq(init(), CKR_OK);
	ck_assert_int_eq(unlink(kms_config.authority), 0);
	ck_assert_uint_eq(init(), CKR_ARGUMENTS_BAD);
	ck_assert_ptr_nonnull(strstr(why, "copy the authority's file"));
	ck_assert_uint_eq(pair_count(), 1);
}
END_TEST

START_TEST(refuses_the_log_of_another_registry)
{
	ck_assert_uint_eq(init(), CKR_OK);
	ck_assert_int_eq(unlink(kms_config.registry), 0);
	ck_assert_uint_eq(init(), CKR_ARGUMENTS_BAD);
	ck_assert_ptr_nonnull(strstr(why, "-wal"));
}
END_TEST

START_TEST(refuses_missing_folders)
{
	set_path(&kms_config.registry, "missing/registry.db");
	ck_assert_uint_eq(init(), CKR_ARGUMENTS_BAD);
	ck_assert_ptr_nonnull(strstr(why, "mkdir"));
	set_path(&kms_config.registry, "registry.db");
	set_path(&kms_config.authority, "missing/authority.pem");
	ck_assert_uint_eq(init(), CKR_ARGUMENTS_BAD);
	ck_assert_ptr_nonnull(strstr(why, "mkdir"));
	ck_assert_uint_eq(pair_count(), 0);
}
END_TEST

START_TEST(refuses_a_kms_without_the_authority)
{
	struct kms *other;

	ck_assert_uint_eq(init(), CKR_OK);
	kms_free(&kms);
	softhsm_add_token("other");
	other = kms_open_other("other");
	free(why);
	why = NULL;
	ck_assert_uint_eq(lifecycle_init(&kms_config, other, false, soon(), &made, &why),
	                  CKR_KEY_HANDLE_INVALID);
	ck_assert_ptr_nonnull(strstr(why, "does not hold this authority"));
	kms_free(&other);
}
END_TEST

START_TEST(fails_without_the_kms)
{
	softhsm_unplug();
	ck_assert_uint_eq(init(), CKR_DEVICE_ERROR);
	softhsm_plug();
	ck_assert_int_ne(access(kms_config.authority, F_OK), 0);
	ck_assert_int_ne(access(kms_config.registry, F_OK), 0);
}
END_TEST

/* The pair that has the authority's id is another one, or gone. */
START_TEST(opens_with_the_pinned_authority_only)
{
	struct buffer id = BUFFER_INIT, spki = BUFFER_INIT;
	struct kms_pair pair = { .sign = true, .label = "p11-kms authority test" };
	struct lifecycle *opened = NULL;

	ck_assert_uint_eq(init(), CKR_OK);
	lifecycle_begin();
	ck_assert_uint_eq(buffer_set(&id, lifecycle->token->authority_id.data,
	                             lifecycle->token->authority_id.size), CKR_OK);
	ck_assert_uint_eq(kms_destroy_pair(kms, id.data, id.size, soon()), CKR_OK);
	ck_assert_uint_eq(lifecycle_open(&kms_config, kms, registry, authority, &opened),
	                  CKR_DEVICE_ERROR);
	pair.algorithm = algorithm_by_name("p-256");
	pair.id = id.data;
	pair.id_size = id.size;
	ck_assert_uint_eq(kms_generate_pair(kms, &pair, soon(), &spki), CKR_OK);
	ck_assert_uint_eq(lifecycle_open(&kms_config, kms, registry, authority, &opened),
	                  CKR_DEVICE_ERROR);
	ck_assert_ptr_null(opened);
	lifecycle_end();
	buffer_clear(&spki);
	buffer_clear(&id);
}
END_TEST

START_TEST(opens_not_without_the_kms)
{
	struct lifecycle *opened = NULL;

	ck_assert_uint_eq(init(), CKR_OK);
	lifecycle_begin();
	kms_reopen(true);
	softhsm_unplug();
	ck_assert_uint_eq(lifecycle_open(&kms_config, kms, registry, authority, &opened),
	                  CKR_DEVICE_ERROR);
	softhsm_plug();
	lifecycle_end();
}
END_TEST

/* The signer verifies what it got: another key of the KMS never signs for the authority. */
START_TEST(signs_with_the_pinned_authority_only)
{
	struct authority_signer *signer = NULL;
	struct buffer signature = BUFFER_INIT;
	struct token_record *token = NULL;
	struct term term = { .id = BUFFER_INIT };
	struct signer use;

	ck_assert_uint_eq(init(), CKR_OK);
	ck_assert(authority_read(kms_config.authority, &authority, &why));
	kms_generate("p-256");
	ck_assert_uint_eq(token_record_new(&token), CKR_OK);
	ck_assert_uint_eq(buffer_set(&token->authority_id, kms_id, KMS_ID_SIZE), CKR_OK);
	term.authority = authority;
	ck_assert_uint_eq(authority_signer_new(kms, 5000, token, &signer), CKR_OK);
	use = authority_signer_use(signer);
	ck_assert_uint_eq(use.sign(use.context, &term, "text", 4, &signature), CKR_DEVICE_ERROR);
	ck_assert_uint_eq(signature.size, 0);
	authority_signer_free(&signer);
	ck_assert_uint_eq(buffer_set(&token->authority_id, "none", 4), CKR_OK);
	ck_assert_uint_eq(authority_signer_new(kms, 5000, token, &signer), CKR_OK);
	use = authority_signer_use(signer);
	ck_assert_uint_eq(use.sign(use.context, &term, "text", 4, &signature), CKR_KEY_HANDLE_INVALID);
	authority_signer_free(&signer);
	token_record_free(&token);
	authority_free(&authority);
}
END_TEST

/* An HSM without elliptic curves. */
static CK_RV
info_without_ec(CK_SLOT_ID slot, CK_MECHANISM_TYPE type, CK_MECHANISM_INFO *info)
{
	if (type == CKM_EC_KEY_PAIR_GEN || type == CKM_ECDSA)
		return CKR_MECHANISM_INVALID;
	return softhsm_original.C_GetMechanismInfo(slot, type, info);
}

START_TEST(uses_rsa_where_there_is_no_ecdsa)
{
	struct version *version;

	softhsm_functions()->C_GetMechanismInfo = info_without_ec;
	ck_assert_uint_eq(init(), CKR_OK);
	lifecycle_begin();
	ck_assert(!token_record_has(lifecycle->token, CKM_ECDSA));
	ck_assert_uint_gt(authority_spki(authority)->size, 400); /* 3072 bits */
	version = make("job", "rsa-2048", USAGE_SIGN);
	version_free(&version);
	lifecycle_end();
}
END_TEST

Suite *
unit_suite(void)
{
	Suite *suite = suite_create("lifecycle-init");
	TCase *tests = tcase_create("init");

	tcase_add_checked_fixture(tests, bare_setup, teardown);
	tcase_set_timeout(tests, 60);
	tcase_add_test(tests, sets_a_token_up);
	tcase_add_test(tests, does_nothing_twice);
	tcase_add_test(tests, makes_a_registry_that_is_missing);
	tcase_add_test(tests, writes_a_token_record_that_is_missing);
	tcase_add_test(tests, takes_up_the_only_pair);
	tcase_add_test(tests, makes_its_own_beside_another_host);
	tcase_add_test(tests, refuses_to_begin_a_lost_registry_anew);
	tcase_add_test(tests, begins_beside_another_token);
	tcase_add_test(tests, finds_the_authority_of_a_renamed_token);
	tcase_add_test(tests, refuses_a_registry_without_its_authority);
	tcase_add_test(tests, refuses_the_log_of_another_registry);
	tcase_add_test(tests, refuses_missing_folders);
	tcase_add_test(tests, refuses_a_kms_without_the_authority);
	tcase_add_test(tests, fails_without_the_kms);
	tcase_add_test(tests, opens_with_the_pinned_authority_only);
	tcase_add_test(tests, opens_not_without_the_kms);
	tcase_add_test(tests, signs_with_the_pinned_authority_only);
	tcase_add_test(tests, uses_rsa_where_there_is_no_ecdsa);
	suite_add_tcase(suite, tests);
	return suite;
}
