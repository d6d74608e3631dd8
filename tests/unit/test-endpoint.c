/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "base/endpoint.h"

#include <openssl/err.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct endpoint *endpoints;
static size_t count;
static const char *fault;

static void
setup(void)
{
	endpoints = NULL;
	count = 0;
	fault = NULL;
}

static void
teardown(void)
{
	endpoints_free(endpoints, count);
}

static void
expect(size_t index, const char *host, const char *port)
{
	ck_assert_uint_lt(index, count);
	ck_assert_str_eq(endpoints[index].host, host);
	ck_assert_str_eq(endpoints[index].port, port);
}

static void
refuses(const char *uri, const char *what)
{
	ck_assert(!endpoints_parse(uri, "kmip", "5696", &endpoints, &count, &fault));
	ck_assert_msg(strstr(fault, what) != NULL, "%s: %s", uri, fault);
	ck_assert_uint_eq(ERR_peek_error(), 0);
	ck_assert_ptr_null(endpoints);
}

START_TEST(hosts_come_in_their_order)
{
	ck_assert(endpoints_parse("kmip://kms1.example:5697,kms2.example,192.0.2.1:1", "kmip", "5696",
	                          &endpoints, &count, &fault));
	ck_assert_uint_eq(count, 3);
	expect(0, "kms1.example", "5697");
	expect(1, "kms2.example", "5696");
	expect(2, "192.0.2.1", "1");
}
END_TEST

START_TEST(ipv6_addresses_lose_their_brackets)
{
	ck_assert(endpoints_parse("kmip://[2001:db8::1]:5697,[::1]", "kmip", "5696", &endpoints,
	                          &count, &fault));
	ck_assert_uint_eq(count, 2);
	expect(0, "2001:db8::1", "5697");
	expect(1, "::1", "5696");
}
END_TEST

START_TEST(what_is_not_a_list_of_servers_is_refused)
{
	refuses("http://host", "scheme");
	refuses("kmip:host", "scheme");
	refuses("kmi", "scheme");
	refuses("kmip://", "neither");
	refuses("kmip://a,", "neither");
	refuses("kmip://,a", "neither");
	refuses("kmip://a,,b", "neither");
	refuses("kmip://a b", "neither");
	refuses("kmip://[::g]", "neither");
	refuses("kmip://::1", "well-formed");
	refuses("kmip://[::1", "well-formed");
	refuses("kmip://a:99999", "well-formed");
	refuses("kmip://a:", "well-formed");
	refuses("kmip://a:x", "well-formed");
	refuses("kmip://user@a", "user");
	refuses("kmip://user:secret@a", "user");
	refuses("kmip://a/path", "path");
	refuses("kmip://a?query", "path");
	refuses("kmip://a#fragment", "path");
	refuses("kmip://1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17", "too many");
}
END_TEST

Suite *
unit_suite(void)
{
	Suite *suite = suite_create("endpoint");
	TCase *tests = tcase_create("endpoint");

	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_test(tests, hosts_come_in_their_order);
	tcase_add_test(tests, ipv6_addresses_lose_their_brackets);
	tcase_add_test(tests, what_is_not_a_list_of_servers_is_refused);
	suite_add_tcase(suite, tests);
	return suite;
}
