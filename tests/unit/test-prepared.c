/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "base/openssl.h"
#include "mechanism/prepared.h"
#include "pair.h"

#include <stdlib.h>
#include <string.h>

static struct pair pair;
static struct prepared_store *store;

static void
setup(void)
{
	ck_assert_uint_eq(openssl_start(), CKR_OK);
	pair_make("p-256", &pair);
	store = aligned_alloc(_Alignof(struct prepared_store), sizeof *store);
	ck_assert_ptr_nonnull(store);
	memset(store, 0, sizeof *store);
}

static void
teardown(void)
{
	prepared_store_clear(store);
	free(store);
	pair_clear(&pair);
	openssl_stop();
}

static struct prepared *
made_for(uint64_t use)
{
	EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_pkey(openssl_context(),
	                                                   public_key_evp(pair.key), NULL);
	struct prepared *prepared = NULL;

	ck_assert_ptr_nonnull(context);
	ck_assert_uint_eq(prepared_new(use, context, &prepared), CKR_OK);
	return prepared;
}

static unsigned
kept(void)
{
	unsigned count = 0;

	for (int i = 0; i < PREPARED_SLOTS; i++)
		count += atomic_load(&store->slots[i].item) != NULL;
	return count;
}

START_TEST(comes_back_for_its_use_only)
{
	struct prepared *prepared = made_for(7), *same = prepared;

	ck_assert_ptr_null(prepared_take(store, 7));
	prepared_put(store, &prepared);
	ck_assert_ptr_null(prepared);
	ck_assert_ptr_null(prepared_take(store, 8));
	prepared = prepared_take(store, 7);
	ck_assert_ptr_eq(prepared, same);
	ck_assert_ptr_null(prepared_take(store, 7)); /* it is out */
	prepared_put(store, &prepared);
	ck_assert_uint_eq(kept(), 1);
}
END_TEST

/* What a thread wrote late: the slot says one use, the context in it is for another. */
START_TEST(old_hint_misleads_nobody)
{
	struct prepared *prepared = made_for(7), *same = prepared;

	prepared_put(store, &prepared);
	for (int i = 0; i < PREPARED_SLOTS; i++)
		atomic_store(&store->slots[i].use, 8);
	ck_assert_ptr_null(prepared_take(store, 8));
	ck_assert_uint_eq(kept(), 1);
	prepared = prepared_take(store, 7); /* found again: the hint was mended */
	ck_assert_ptr_eq(prepared, same);
	prepared_free(&prepared);
	ck_assert_ptr_null(prepared);
	prepared_free(&prepared);
}
END_TEST

START_TEST(full_store_makes_room)
{
	struct prepared *prepared;

	for (uint64_t use = 1; use <= 100; use++) {
		prepared = made_for(use);
		prepared_put(store, &prepared);
		ck_assert_ptr_null(prepared);
		ck_assert_uint_eq(kept(), use < PREPARED_SLOTS ? use : PREPARED_SLOTS);
		prepared = prepared_take(store, use); /* the last one is never the one that goes */
		ck_assert_ptr_nonnull(prepared);
		prepared_put(store, &prepared);
	}
}
END_TEST

START_TEST(use_0_is_not_kept)
{
	struct prepared *prepared = made_for(0);

	prepared_put(store, &prepared);
	ck_assert_ptr_null(prepared);
	ck_assert_uint_eq(kept(), 0);
}
END_TEST

Suite *
unit_suite(void)
{
	Suite *suite = suite_create("prepared");
	TCase *tests = tcase_create("prepared");

	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_test(tests, comes_back_for_its_use_only);
	tcase_add_test(tests, old_hint_misleads_nobody);
	tcase_add_test(tests, full_store_makes_room);
	tcase_add_test(tests, use_0_is_not_kept);
	suite_add_tcase(suite, tests);
	return suite;
}
