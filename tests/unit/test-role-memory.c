/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "base/openssl.h"
#include "token/attribute-rule.h"
#include "token/role-memory.h"

static struct role_memory *memory;
static struct secret *value, *other;

static void
setup(void)
{
	ck_assert_uint_eq(openssl_start(), CKR_OK);
	ck_assert_uint_eq(role_memory_new(&memory), CKR_OK);
	ck_assert_uint_eq(secret_dup("a value", 7, &value), CKR_OK);
	ck_assert_uint_eq(secret_dup("another", 7, &other), CKR_OK);
}

static void
teardown(void)
{
	secret_free(&value);
	secret_free(&other);
	role_memory_free(&memory);
	openssl_stop();
}

static void
set(struct attributes *list, CK_ATTRIBUTE_TYPE type, bool to)
{
	ck_assert_uint_eq(attributes_set_bool(list, type, to), CKR_OK);
}

/* An object with one attribute; expects what comes of it. */
static struct role *
take(const struct secret *of, CK_ATTRIBUTE_TYPE type, bool to, unsigned waived, CK_RV expected)
{
	struct attributes list = ATTRIBUTES_INIT;
	struct role *role = NULL;

	set(&list, type, to);
	ck_assert_uint_eq(role_memory_take(memory, of, waived, &list, &role), expected);
	attributes_clear(&list);
	return role;
}

/* Does an object of the value that comes now have to be sensitive? */
static bool
is_sensitive(void)
{
	struct attributes list = ATTRIBUTES_INIT;
	struct role *role = NULL;
	bool sensitive;

	ck_assert_uint_eq(role_memory_take(memory, value, 0, &list, &role), CKR_OK);
	sensitive = attributes_bool(&list, CKA_SENSITIVE, false);
	attributes_clear(&list);
	role_drop(&role);
	return sensitive;
}

START_TEST(roles)
{
	struct role *one = take(value, CKA_DECRYPT, true, 0, CKR_OK);
	struct role *two = take(value, CKA_SIGN, true, 0, CKR_OK);
	struct role *apart = take(other, CKA_WRAP, true, 0, CKR_OK);

	/* For as long as anything has the value, be it in another role by now. */
	take(value, CKA_WRAP, true, 0, CKR_TEMPLATE_INCONSISTENT);
	role_drop(&one);
	ck_assert_ptr_null(one);
	take(value, CKA_UNWRAP, true, 0, CKR_TEMPLATE_INCONSISTENT);
	role_drop(&two);
	one = take(value, CKA_WRAP, true, 0, CKR_OK);
	take(value, CKA_DECRYPT, true, 0, CKR_TEMPLATE_INCONSISTENT);
	/* What has wrapped is remembered. */
	role_drop(&one);
	take(value, CKA_ENCRYPT, true, 0, CKR_TEMPLATE_INCONSISTENT);
	role_drop(&apart);
	take(other, CKA_ENCRYPT, true, 0, CKR_TEMPLATE_INCONSISTENT);
	role_drop(&one); /* nothing is there any more */
}
END_TEST

START_TEST(taken_over)
{
	struct role *one = take(value, CKA_DECRYPT, true, 0, CKR_OK), *two = NULL;
	struct attributes list = ATTRIBUTES_INIT;

	set(&list, CKA_WRAP, true);
	ck_assert_uint_eq(role_take_over(one, &list, &two), CKR_TEMPLATE_INCONSISTENT);
	ck_assert_ptr_null(two);
	set(&list, CKA_WRAP, false);
	set(&list, CKA_SENSITIVE, true);
	ck_assert_uint_eq(role_take_over(one, &list, &two), CKR_OK);
	role_drop(&one);
	take(value, CKA_WRAP, true, 0, CKR_TEMPLATE_INCONSISTENT);
	role_drop(&two);
	ck_assert(is_sensitive());
	/* An object that was there before the value was protected keeps what it has. */
	one = take(other, CKA_SENSITIVE, false, 0, CKR_OK);
	role_drop(&one);
	attributes_clear(&list);
}
END_TEST

START_TEST(protection)
{
	static const CK_ATTRIBUTE_TYPE guards[] = { CKA_SENSITIVE, CKA_EXTRACTABLE,
		                                    CKA_WRAP_WITH_TRUSTED };
	bool safe = guards[_i] != CKA_EXTRACTABLE;
	struct attributes list = ATTRIBUTES_INIT;
	struct role *one, *two = NULL;
	unsigned bit;

	set(&list, guards[_i], safe);
	bit = protection_of(&list);
	ck_assert_uint_ne(bit, 0);
	ck_assert_uint_eq(protection_waived(&list), 0);
	set(&list, guards[_i], !safe);
	ck_assert_uint_eq(protection_of(&list), 0);
	ck_assert_uint_eq(protection_waived(&list), bit);
	/* Nothing is forced on a value that nobody has protected. */
	one = take(value, guards[_i], !safe, bit, CKR_OK);
	role_drop(&one);
	one = take(value, guards[_i], safe, 0, CKR_OK);
	ck_assert_uint_eq(role_memory_take(memory, value, 0, &list, &two), CKR_OK);
	ck_assert_int_eq(attributes_bool(&list, guards[_i], !safe), safe);
	role_drop(&one);
	role_drop(&two);
	take(value, guards[_i], !safe, bit, CKR_TEMPLATE_INCONSISTENT);
	one = take(value, guards[_i], !safe, 0, CKR_OK);
	role_drop(&one);
	attributes_clear(&list);
}
END_TEST

/* Who is refused leaves nothing behind. */
START_TEST(refused)
{
	struct attributes list = ATTRIBUTES_INIT;
	struct role *one = take(value, CKA_DECRYPT, true, 0, CKR_OK), *two = NULL;

	set(&list, CKA_WRAP, true);
	set(&list, CKA_SENSITIVE, true);
	ck_assert_uint_eq(role_memory_take(memory, value, 0, &list, &two), CKR_TEMPLATE_INCONSISTENT);
	ck_assert_ptr_null(two);
	ck_assert(!is_sensitive());
	role_drop(&one);
	one = take(value, CKA_WRAP, true, 0, CKR_OK);
	role_drop(&one);
	attributes_clear(&list);
}
END_TEST

/* A program that makes keys for years does not grow for ever; the values used last are known. */
START_TEST(bounded)
{
	struct role *role = take(value, CKA_SENSITIVE, true, 0, CKR_OK), *kept;
	struct attributes list = ATTRIBUTES_INIT;
	struct secret *passing = NULL;

	kept = take(other, CKA_SENSITIVE, true, 0, CKR_OK);
	role_drop(&role);
	for (size_t i = 0; i < ROLE_MEMORY_MAX; i++) {
		/* As one that is there again, it is among the last. */
		if (i == ROLE_MEMORY_MAX / 2)
			ck_assert(is_sensitive());
		ck_assert_uint_eq(secret_dup(&i, sizeof i, &passing), CKR_OK);
		role = take(passing, CKA_SENSITIVE, true, 0, CKR_OK);
		role_drop(&role);
		secret_free(&passing);
	}
	ck_assert(is_sensitive());
	for (size_t i = 0; i < ROLE_MEMORY_MAX; i++) {
		size_t number = ROLE_MEMORY_MAX + i;

		ck_assert_uint_eq(secret_dup(&number, sizeof number, &passing), CKR_OK);
		role = take(passing, CKA_SENSITIVE, true, 0, CKR_OK);
		role_drop(&role);
		secret_free(&passing);
	}
	ck_assert(!is_sensitive());
	/* What an object has is not among those that are counted. */
	set(&list, CKA_SENSITIVE, false);
	take(other, CKA_SENSITIVE, false, protection_waived(&list), CKR_TEMPLATE_INCONSISTENT);
	attributes_clear(&list);
	role_drop(&kept);
}
END_TEST

/* A value that was made here and never left is not remembered for nothing. */
START_TEST(forgotten)
{
	static const struct {
		bool local, never_extractable, remembered;
	} cases[] = { { true, true, false }, { true, false, true }, { false, true, true },
		      { false, false, true } };
	struct attributes list = ATTRIBUTES_INIT;
	struct role *role = NULL;

	set(&list, CKA_SENSITIVE, true);
	set(&list, CKA_LOCAL, cases[_i].local);
	set(&list, CKA_NEVER_EXTRACTABLE, cases[_i].never_extractable);
	ck_assert_uint_eq(role_memory_take(memory, value, 0, &list, &role), CKR_OK);
	attributes_clear(&list);
	role_drop(&role);
	ck_assert_int_eq(is_sensitive(), cases[_i].remembered);
}
END_TEST

Suite *
unit_suite(void)
{
	Suite *suite = suite_create("role-memory");
	TCase *tcase = tcase_create("role-memory");

	tcase_set_timeout(tcase, 60);
	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, roles);
	tcase_add_test(tcase, taken_over);
	tcase_add_test(tcase, bounded);
	tcase_add_loop_test(tcase, protection, 0, 3);
	tcase_add_test(tcase, refused);
	tcase_add_loop_test(tcase, forgotten, 0, 4);
	suite_add_tcase(suite, tcase);
	return suite;
}
