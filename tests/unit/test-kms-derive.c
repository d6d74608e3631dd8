/* SPDX-License-Identifier: Apache-2.0 */
/* kms_derive: against OpenSSL, and what an HSM may do wrong. */
#include "base/openssl.h"
#include "kms-fixture.h"
#include "pair.h"

#include <openssl/core_names.h>
#include <openssl/x509.h>
#include <string.h>

#define POINT_SIZE_MAX 133
#define TRIES 20000

static struct kms_key key = KMS_KEY;
static EVP_PKEY *ours; /* the HSM's public half */

static CK_ECDH1_DERIVE_PARAMS parameter;
static CK_MECHANISM mechanism = { CKM_ECDH1_DERIVE, &parameter, sizeof parameter };
static unsigned char point[POINT_SIZE_MAX];
static unsigned faults;

static void
make_ours(const char *algorithm)
{
	struct buffer spki = BUFFER_INIT;
	const unsigned char *data;

	ck_assert_uint_eq(kms_try_generate(algorithm, &spki), CKR_OK);
	data = spki.data;
	ours = d2i_PUBKEY_ex(NULL, &data, (long)spki.size, openssl_context(), NULL);
	ck_assert_ptr_nonnull(ours);
	buffer_clear(&spki);
}

static void
setup(void)
{
	kms_setup();
	ck_assert_uint_eq(openssl_start(), CKR_OK);
	key = (struct kms_key)KMS_KEY;
	faults = 0;
}

static void
teardown(void)
{
	EVP_PKEY_free(ours);
	ours = NULL;
	openssl_stop();
	kms_teardown();
}

/* Sets the parameter to the peer's point, and computes Z with the peer's private half. */
static void
meet(const struct pair *peer, struct buffer *ret_shared)
{
	EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_pkey(openssl_context(), peer->evp, NULL);
	size_t size = 0;

	ck_assert_int_eq(EVP_PKEY_get_octet_string_param(peer->evp, OSSL_PKEY_PARAM_PUB_KEY, point,
	                                                 sizeof point, &size),
	                 1);
	memset(&parameter, 0, sizeof parameter);
	parameter.kdf = CKD_NULL;
	parameter.pPublicData = point;
	parameter.ulPublicDataLen = size;
	ck_assert_int_eq(EVP_PKEY_derive_init(context), 1);
	ck_assert_int_eq(EVP_PKEY_derive_set_peer(context, ours), 1);
	ck_assert_int_eq(EVP_PKEY_derive(context, NULL, &size), 1);
	ck_assert_uint_eq(buffer_resize(ret_shared, size), CKR_OK);
	ck_assert_int_eq(EVP_PKEY_derive(context, ret_shared->data, &size), 1);
	ck_assert_uint_eq(size, ret_shared->size);
	EVP_PKEY_CTX_free(context);
}

static void
expect_shared(const struct buffer *expected)
{
	struct secret *shared = NULL;

	ck_assert_uint_eq(kms_derive(kms, &key, &mechanism, soon(), &shared), CKR_OK);
	ck_assert_uint_eq(secret_size(shared), expected->size);
	ck_assert(secret_equal(shared, expected->data, expected->size));
	secret_free(&shared);
}

static void
expect_failure(CK_RV expected)
{
	struct secret *shared = NULL;

	ck_assert_uint_eq(kms_derive(kms, &key, &mechanism, soon(), &shared), expected);
	ck_assert_ptr_null(shared);
}

/* How many secret keys this program has in the HSM. */
static CK_ULONG
count_secrets(void)
{
	CK_FUNCTION_LIST *functions = softhsm_functions();
	CK_OBJECT_CLASS class = CKO_SECRET_KEY;
	CK_ATTRIBUTE search = { CKA_CLASS, &class, sizeof class };
	CK_SESSION_HANDLE session;
	CK_OBJECT_HANDLE objects[8];
	CK_ULONG count = 0;

	ck_assert_uint_eq(softhsm_original.C_OpenSession(softhsm_slot(SOFTHSM_LABEL),
	                                                 CKF_SERIAL_SESSION, NULL, NULL, &session),
	                  CKR_OK);
	ck_assert_uint_eq(functions->C_FindObjectsInit(session, &search, 1), CKR_OK);
	ck_assert_uint_eq(functions->C_FindObjects(session, objects, 8, &count), CKR_OK);
	ck_assert_uint_eq(functions->C_FindObjectsFinal(session), CKR_OK);
	ck_assert_uint_eq(functions->C_CloseSession(session), CKR_OK);
	return count;
}

static const char *const curves[] = { "p-256", "p-384", "p-521", "x25519" };

START_TEST(derives_as_openssl_does)
{
	struct buffer expected = BUFFER_INIT;
	struct pair peer;

	if (SOFTHSM_LEAKS_X25519 && strcmp(curves[_i], "x25519") == 0)
		return;
	make_ours(curves[_i]);
	for (int i = 0; i < 4; i++) {
		pair_make(curves[_i], &peer);
		meet(&peer, &expected);
		expect_shared(&expected);
		pair_clear(&peer);
	}
	ck_assert_uint_eq(count_secrets(), 0);
	buffer_clear(&expected);
}
END_TEST

/* Makes peers until Z begins with a zero, or the point with what could be a length. */
static void
meet_special(bool zero, unsigned char first, struct buffer *ret_shared)
{
	struct pair peer;
	bool found;
	int tries;

	for (tries = 0; tries < TRIES; tries++) {
		pair_make("p-256", &peer);
		meet(&peer, ret_shared);
		found = zero ? ret_shared->data[0] == 0 : point[1] == first;
		pair_clear(&peer);
		if (found)
			return;
	}
	ck_abort_msg("no such peer in %d", TRIES);
}

static CK_RV
strip_zeros(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object, CK_ATTRIBUTE *template,
            CK_ULONG count)
{
	CK_RV rv = softhsm_original.C_GetAttributeValue(session, object, template, count);
	unsigned char *value = template->pValue;

	if (rv != CKR_OK || template->type != CKA_VALUE)
		return rv;
	while (template->ulValueLen > 0 && value[0] == 0) {
		memmove(value, value + 1, --template->ulValueLen);
		faults++;
	}
	return rv;
}

START_TEST(keeps_leading_zeros)
{
	struct buffer expected = BUFFER_INIT;

	make_ours("p-256");
	meet_special(true, 0, &expected);
	expect_shared(&expected);
	softhsm_functions()->C_GetAttributeValue = strip_zeros;
	expect_shared(&expected);
	ck_assert_uint_gt(faults, 0);
	buffer_clear(&expected);
}
END_TEST

START_TEST(takes_a_point_that_looks_like_an_octet_string)
{
	struct buffer expected = BUFFER_INIT;

	make_ours("p-256");
	meet_special(false, 0x3f, &expected);
	expect_shared(&expected);
	buffer_clear(&expected);
}
END_TEST

static CK_RV
refuse_length(CK_SESSION_HANDLE session, CK_MECHANISM *with, CK_OBJECT_HANDLE base,
              CK_ATTRIBUTE *template, CK_ULONG count, CK_OBJECT_HANDLE *ret_object)
{
	CK_ULONG size = 32;
	CK_ATTRIBUTE all[16];

	for (CK_ULONG i = 0; i < count; i++) {
		if (template[i].type == CKA_VALUE_LEN) {
			faults++;
			return CKR_TEMPLATE_INCONSISTENT;
		}
		all[i] = template[i];
	}
	all[count] = (CK_ATTRIBUTE){ CKA_VALUE_LEN, &size, sizeof size };
	return softhsm_original.C_DeriveKey(session, with, base, all, count + 1, ret_object);
}

START_TEST(does_without_a_length)
{
	struct buffer expected = BUFFER_INIT;
	struct pair peer;

	make_ours("p-256");
	pair_make("p-256", &peer);
	meet(&peer, &expected);
	softhsm_functions()->C_DeriveKey = refuse_length;
	expect_shared(&expected);
	ck_assert_uint_eq(faults, 1);
	pair_clear(&peer);
	buffer_clear(&expected);
}
END_TEST

static CK_RV
lose_once(CK_SESSION_HANDLE session, CK_MECHANISM *with, CK_OBJECT_HANDLE base,
          CK_ATTRIBUTE *template, CK_ULONG count, CK_OBJECT_HANDLE *ret_object)
{
	if (faults++ == 0)
		return CKR_SESSION_HANDLE_INVALID;
	return softhsm_original.C_DeriveKey(session, with, base, template, count, ret_object);
}

START_TEST(hides_a_loss)
{
	struct buffer expected = BUFFER_INIT;
	struct pair peer;

	make_ours("p-256");
	pair_make("p-256", &peer);
	meet(&peer, &expected);
	softhsm_functions()->C_DeriveKey = lose_once;
	expect_shared(&expected);
	ck_assert_uint_eq(faults, 2);
	pair_clear(&peer);
	buffer_clear(&expected);
}
END_TEST

static CK_RV
no_value(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object, CK_ATTRIBUTE *template,
         CK_ULONG count)
{
	if (template->type != CKA_VALUE)
		return softhsm_original.C_GetAttributeValue(session, object, template, count);
	faults++;
	return CKR_ATTRIBUTE_SENSITIVE;
}

static CK_RV
empty_value(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object, CK_ATTRIBUTE *template,
            CK_ULONG count)
{
	if (template->type != CKA_VALUE)
		return softhsm_original.C_GetAttributeValue(session, object, template, count);
	template->ulValueLen = 0;
	return CKR_OK;
}

static CK_RV
long_value(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object, CK_ATTRIBUTE *template,
           CK_ULONG count)
{
	if (template->type != CKA_VALUE)
		return softhsm_original.C_GetAttributeValue(session, object, template, count);
	template->ulValueLen = CK_UNAVAILABLE_INFORMATION;
	return CKR_OK;
}

START_TEST(leaves_nothing_behind_when_it_fails)
{
	struct buffer expected = BUFFER_INIT;
	struct pair peer;

	make_ours("p-256");
	pair_make("p-256", &peer);
	meet(&peer, &expected);
	softhsm_functions()->C_GetAttributeValue = no_value;
	expect_failure(CKR_ATTRIBUTE_SENSITIVE);
	ck_assert_uint_eq(faults, 1);
	softhsm_functions()->C_GetAttributeValue = empty_value;
	expect_failure(CKR_DEVICE_ERROR);
	softhsm_functions()->C_GetAttributeValue = long_value;
	expect_failure(CKR_DEVICE_ERROR);
	softhsm_functions()->C_GetAttributeValue = softhsm_original.C_GetAttributeValue;
	ck_assert_uint_eq(count_secrets(), 0);
	expect_shared(&expected);
	pair_clear(&peer);
	buffer_clear(&expected);
}
END_TEST

static CK_RV
keep_object(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object)
{
	(void)session;
	(void)object;
	faults++;
	return CKR_FUNCTION_FAILED;
}

START_TEST(closes_the_session_of_what_it_cannot_destroy)
{
	struct buffer expected = BUFFER_INIT;
	struct pair peer;

	make_ours("p-256");
	pair_make("p-256", &peer);
	meet(&peer, &expected);
	softhsm_functions()->C_DestroyObject = keep_object;
	expect_shared(&expected);
	ck_assert_uint_eq(faults, 1);
	ck_assert_uint_eq(count_secrets(), 0);
	pair_clear(&peer);
	buffer_clear(&expected);
}
END_TEST

START_TEST(refuses_other_parameters)
{
	static unsigned char info[4];
	struct buffer expected = BUFFER_INIT;
	CK_MECHANISM other = { CKM_ECDH1_COFACTOR_DERIVE, &parameter, sizeof parameter };
	struct secret *shared = NULL;
	struct pair peer;

	make_ours("p-256");
	pair_make("p-256", &peer);
	meet(&peer, &expected);
	ck_assert_uint_eq(kms_derive(kms, &key, &other, soon(), &shared), CKR_MECHANISM_INVALID);
	mechanism.ulParameterLen--;
	expect_failure(CKR_MECHANISM_PARAM_INVALID);
	mechanism.ulParameterLen++;
	parameter.kdf = CKD_SHA256_KDF;
	expect_failure(CKR_MECHANISM_PARAM_INVALID);
	parameter.kdf = CKD_NULL;
	parameter.pSharedData = info;
	parameter.ulSharedDataLen = sizeof info;
	expect_failure(CKR_MECHANISM_PARAM_INVALID);
	parameter.pSharedData = NULL;
	parameter.ulSharedDataLen = 0;
	parameter.ulPublicDataLen--;
	expect_failure(CKR_MECHANISM_PARAM_INVALID);
	parameter.ulPublicDataLen++;
	point[0] = 2;
	expect_failure(CKR_MECHANISM_PARAM_INVALID);
	point[0] = 4;
	parameter.pPublicData = NULL;
	expect_failure(CKR_MECHANISM_PARAM_INVALID);
	parameter.pPublicData = point;
	expect_shared(&expected);
	pair_clear(&peer);
	buffer_clear(&expected);
}
END_TEST

START_TEST(finds_no_key_and_no_kms)
{
	struct buffer expected = BUFFER_INIT;
	struct pair peer;

	make_ours("p-256");
	pair_make("p-256", &peer);
	meet(&peer, &expected);
	key.id_size = 1;
	expect_failure(CKR_KEY_HANDLE_INVALID);
	softhsm_unplug();
	kms_reopen(true);
	expect_failure(CKR_DEVICE_ERROR);
	softhsm_plug();
	pair_clear(&peer);
	buffer_clear(&expected);
}
END_TEST

Suite *
unit_suite(void)
{
	Suite *suite = suite_create("kms-derive");
	TCase *tcase = tcase_create("softhsm");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_set_timeout(tcase, 120);
	tcase_add_loop_test(tcase, derives_as_openssl_does, 0, 4);
	tcase_add_test(tcase, keeps_leading_zeros);
	tcase_add_test(tcase, takes_a_point_that_looks_like_an_octet_string);
	tcase_add_test(tcase, does_without_a_length);
	tcase_add_test(tcase, hides_a_loss);
	tcase_add_test(tcase, leaves_nothing_behind_when_it_fails);
	tcase_add_test(tcase, closes_the_session_of_what_it_cannot_destroy);
	tcase_add_test(tcase, refuses_other_parameters);
	tcase_add_test(tcase, finds_no_key_and_no_kms);
	suite_add_tcase(suite, tcase);
	return suite;
}
