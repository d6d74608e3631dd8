/* SPDX-License-Identifier: Apache-2.0 */
/* Certificates: read from files, and drafts that OpenSSL verifies once they are signed. */
#include "unit.h"

#include "base/openssl.h"
#include "mechanism/certificate-draft.h"
#include "mechanism/certificate.h"
#include "pair.h"

#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>

static struct pair p256, ed25519, rsa;

static void
setup(void)
{
	ck_assert_uint_eq(openssl_start(), CKR_OK);
	pair_make("p-256", &p256);
	pair_make("ed25519", &ed25519);
	pair_make("rsa-2048", &rsa);
}

static void
teardown(void)
{
	pair_clear(&p256);
	pair_clear(&ed25519);
	pair_clear(&rsa);
	openssl_stop();
}

static struct mechanism_use
use_of(CK_MECHANISM_TYPE type, const struct pair *pair)
{
	CK_MECHANISM mechanism = { type, NULL, 0 };
	struct mechanism_use use;

	ck_assert_uint_eq(mechanism_use_init(&mechanism, CKF_SIGN, pair->key, &use), CKR_OK);
	return use;
}

static struct certificate_wish
wish_of(const char *subject)
{
	return (struct certificate_wish){
		.subject = subject, .uses = CERTIFICATE_SIGNS, .from = 1000000000, .until = CERTIFICATE_NEVER
	};
}

/* Signed by the P-256 pair. */
static void
make(const struct certificate_wish *wish, struct buffer *ret_der)
{
	struct mechanism_use use = use_of(CKM_ECDSA_SHA256, &p256);
	struct buffer message = BUFFER_INIT;
	struct certificate_draft *draft = NULL;
	unsigned char digest[DIGEST_SIZE_MAX], signature[64];
	char *why = NULL;

	ck_assert_uint_eq(certificate_draft_new(wish, p256.key, &use, &draft, &why), CKR_OK);
	ck_assert_ptr_null(why);
	ck_assert_uint_eq(certificate_draft_message(draft, &message), CKR_OK);
	ck_assert_uint_eq(digest_once(CKM_SHA256, message.data, message.size, digest), CKR_OK);
	pair_ecdsa(&p256, digest, 32, signature);
	ck_assert_uint_eq(certificate_draft_sign(draft, signature, sizeof signature, ret_der), CKR_OK);
	certificate_draft_free(&draft);
	certificate_draft_free(&draft);
	buffer_clear(&message);
	mechanism_use_clear(&use);
}

static X509 *
read_certificate(const struct buffer *der)
{
	const unsigned char *at = der->data;
	X509 *certificate = d2i_X509(NULL, &at, (long)der->size);

	ck_assert_ptr_nonnull(certificate);
	ck_assert_ptr_eq(at, der->data + der->size);
	return certificate;
}

START_TEST(certificate_is_good)
{
	const char *dns[] = { "a.example", "*.b.example" }, *ip[] = { "192.0.2.7", "2001:db8::7" };
	struct certificate_wish wish = wish_of("/C=DE/CN=web");
	struct certificate_parts parts;
	struct buffer der = BUFFER_INIT;
	X509 *certificate;
	char text[64];

	wish.dns = dns;
	wish.ip = ip;
	wish.dns_count = wish.ip_count = 2;
	make(&wish, &der);
	certificate = read_certificate(&der);
	ck_assert_int_eq(X509_verify(certificate, p256.evp), 1);
	ck_assert_int_eq(X509_get_version(certificate), 2);
	ck_assert_int_eq(X509_check_host(certificate, "x.b.example", 0, 0, NULL), 1);
	ck_assert_int_eq(X509_check_ip_asc(certificate, "2001:db8:0::7", 0), 1);
	ck_assert_int_eq(X509_check_host(certificate, "c.example", 0, 0, NULL), 0);
	ck_assert_uint_eq(X509_get_key_usage(certificate), KU_DIGITAL_SIGNATURE);
	ck_assert_int_eq(X509_check_ca(certificate), 0);
	ck_assert_str_eq(X509_NAME_oneline(X509_get_subject_name(certificate), text, sizeof text),
	                 "/C=DE/CN=web");
	ck_assert_uint_eq(certificate_parse(der.data, der.size, &parts), CKR_OK);
	ck_assert(buffer_equal(&parts.spki, p256.spki.data, p256.spki.size));
	ck_assert(buffer_equal(&parts.subject, parts.issuer.data, parts.issuer.size));
	certificate_parts_clear(&parts);
	X509_free(certificate);
	buffer_clear(&der);
}
END_TEST

/* The DER of a name that was made elsewhere, and one's length in UTF-8. */
START_TEST(names)
{
	const unsigned char der[] = { 0x30, 0x0c, 0x31, 0x0a, 0x30, 0x08, 0x06, 0x03, 0x55,
		                      0x04, 0x03, 0x0c, 0x01, 'x' };
	struct buffer name = { (unsigned char *)der, sizeof der, 0 };
	struct certificate_wish wish = { .name = &name, .uses = CERTIFICATE_AGREES };
	struct buffer made = BUFFER_INIT;
	char text[512] = "";
	X509 *certificate;

	make(&wish, &made);
	certificate = read_certificate(&made);
	ck_assert_str_eq(X509_NAME_oneline(X509_get_subject_name(certificate), text, sizeof text),
	                 "/CN=x");
	ck_assert_uint_eq(X509_get_key_usage(certificate), KU_KEY_AGREEMENT);
	X509_free(certificate);
	for (int i = 0; i < 100; i++)
		memcpy(text + 2 * i, "\303\274", 3);
	wish = wish_of(text);
	make(&wish, &made);
	certificate = read_certificate(&made);
	ck_assert_int_eq(ASN1_STRING_length(X509_NAME_ENTRY_get_data(X509_NAME_get_entry(
	                         X509_get_subject_name(certificate), 0))), 128);
	X509_free(certificate);
	buffer_clear(&made);
}
END_TEST

START_TEST(request_is_good)
{
	struct certificate_wish wish = wish_of("a \303\274mlaut");
	struct buffer der = BUFFER_INIT;
	const unsigned char *at;
	X509_REQ *request;

	wish.request = true;
	make(&wish, &der);
	at = der.data;
	request = d2i_X509_REQ(NULL, &at, (long)der.size);
	ck_assert_ptr_nonnull(request);
	ck_assert_int_eq(X509_REQ_verify(request, p256.evp), 1);
	X509_REQ_free(request);
	buffer_clear(&der);
}
END_TEST

/* Zeros at a signature's end are part of it. */
START_TEST(signature_keeps_its_zeros)
{
	struct certificate_wish wish = wish_of("x");
	struct mechanism_use use = use_of(CKM_EDDSA, &ed25519);
	struct certificate_draft *draft = NULL;
	unsigned char signature[64] = { 1 };
	struct buffer der = BUFFER_INIT;
	const ASN1_BIT_STRING *bits;
	X509 *certificate;
	char *why = NULL;

	for (int request = 0; request < 2; request++) {
		wish.request = request == 1;
		ck_assert_uint_eq(certificate_draft_new(&wish, ed25519.key, &use, &draft, &why),
		                  CKR_OK);
		ck_assert_uint_eq(certificate_draft_sign(draft, signature, 64, &der), CKR_OK);
		certificate_draft_free(&draft);
		ck_assert_mem_eq(der.data + der.size - 64, signature, 64);
		if (request == 1)
			break;
		certificate = read_certificate(&der);
		X509_get0_signature(&bits, NULL, certificate);
		ck_assert_int_eq(bits->length, 64);
		X509_free(certificate);
	}
	buffer_clear(&der);
	mechanism_use_clear(&use);
}
END_TEST

static void
refuse(const struct certificate_wish *wish, const char *part)
{
	struct mechanism_use use = use_of(CKM_ECDSA_SHA256, &p256);
	struct certificate_draft *draft = NULL;
	char *why = NULL;

	ck_assert_uint_eq(certificate_draft_new(wish, p256.key, &use, &draft, &why),
	                  CKR_ARGUMENTS_BAD);
	ck_assert_ptr_null(draft);
	ck_assert_ptr_nonnull(why);
	ck_assert_msg(strstr(why, part) != NULL, "'%s' does not say '%s'", why, part);
	free(why);
	mechanism_use_clear(&use);
}

START_TEST(wishes_refused)
{
	static const char *const subjects[] = { "", "/", "//", "/x", "/CN=", "/CN", "/=x", "/CN=a/b",
		                                "/C=Germany", "/nonsense=x", "/CN=\377", "\377",
		                                "/CN=0123456789012345678901234567890123456789"
		                                "012345678901234567890123456789" };
	static const char *const hosts[] = { "", ".a", "-a", "a..b", "*", "*.", "a*.b", "*.*.a", "a b",
		                             "a,b", "\303\274.example", "a/b", "a:b" };
	static const char *const addresses[] = { "", "1.2.3", "1.2.3.4.5", "::g", "1.2.3.4/8", "a" };
	struct buffer name = { (unsigned char *)"0000", 4, 0 };
	struct certificate_wish wish;

	for (size_t i = 0; i < sizeof subjects / sizeof *subjects; i++) {
		wish = wish_of(subjects[i]);
		refuse(&wish, "subject");
	}
	wish = wish_of("x");
	wish.dns_count = 1;
	for (size_t i = 0; i < sizeof hosts / sizeof *hosts; i++) {
		wish.dns = &hosts[i];
		refuse(&wish, "is no DNS name");
	}
	wish.dns_count = 0;
	wish.ip_count = 1;
	for (size_t i = 0; i < sizeof addresses / sizeof *addresses; i++) {
		wish.ip = &addresses[i];
		refuse(&wish, "is no IP address");
	}
	wish = (struct certificate_wish){ .name = &name };
	refuse(&wish, "no Name in DER");
}
END_TEST

START_TEST(mechanism_refused)
{
	struct certificate_wish wish = wish_of("x");
	struct mechanism_use use = use_of(CKM_RSA_PKCS, &rsa);
	struct certificate_draft *draft = NULL;
	char *why = NULL;

	ck_assert_uint_eq(certificate_draft_new(&wish, rsa.key, &use, &draft, &why),
	                  CKR_MECHANISM_INVALID);
	ck_assert_ptr_null(draft);
	ck_assert_ptr_null(why);
	mechanism_use_clear(&use);
}
END_TEST

static CK_RV
decode(const char *data, size_t size, const struct buffer *expected)
{
	struct buffer der = BUFFER_INIT;
	CK_RV rv = certificate_decode(data, size, &der);

	if (rv == CKR_OK)
		ck_assert(buffer_equal(&der, expected->data, expected->size));
	else
		ck_assert_uint_eq(der.size, 0);
	buffer_clear(&der);
	return rv;
}

START_TEST(decodes_files)
{
	static const char other[] = "Subject: x\n-----BEGIN PUBLIC KEY-----\nAAAA\n"
	                            "-----END PUBLIC KEY-----\n";
	struct certificate_wish wish = wish_of("x");
	struct buffer der = BUFFER_INIT, file = BUFFER_INIT;
	BIO *bio = BIO_new(BIO_s_mem());
	char *pem;
	long size;

	make(&wish, &der);
	ck_assert_uint_eq(decode((char *)der.data, der.size, &der), CKR_OK);
	ck_assert_uint_eq(decode((char *)der.data, der.size - 1, &der), CKR_ATTRIBUTE_VALUE_INVALID);
	ck_assert_uint_eq(decode("", 0, &der), CKR_ATTRIBUTE_VALUE_INVALID);
	ck_assert_uint_eq(decode("nothing\n", 8, &der), CKR_ATTRIBUTE_VALUE_INVALID);
	ck_assert_int_eq(PEM_write_bio(bio, "CERTIFICATE", "", der.data, (long)der.size) > 0, 1);
	size = BIO_get_mem_data(bio, &pem);
	ck_assert_uint_eq(decode(pem, (size_t)size, &der), CKR_OK);
	ck_assert_uint_eq(decode(pem, (size_t)size - 30, &der), CKR_ATTRIBUTE_VALUE_INVALID);
	/* Other things and text around it. */
	ck_assert_uint_eq(buffer_set(&file, other, sizeof other - 1), CKR_OK);
	ck_assert_uint_eq(decode((char *)file.data, file.size, &der), CKR_ATTRIBUTE_VALUE_INVALID);
	ck_assert_uint_eq(buffer_append(&file, pem, (size_t)size), CKR_OK);
	ck_assert_uint_eq(buffer_append(&file, "the end\n", 8), CKR_OK);
	ck_assert_uint_eq(decode((char *)file.data, file.size, &der), CKR_OK);
	ck_assert_uint_eq(buffer_append(&file, pem, (size_t)size), CKR_OK);
	ck_assert_uint_eq(decode((char *)file.data, file.size, &der), CKR_DATA_LEN_RANGE);
	/* What calls itself one. */
	ck_assert_uint_eq(decode("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", 59,
	                         &der), CKR_ATTRIBUTE_VALUE_INVALID);
	BIO_free(bio);
	buffer_clear(&file);
	buffer_clear(&der);
}
END_TEST

Suite *
unit_suite(void)
{
	Suite *suite = suite_create("certificate");
	TCase *tests = tcase_create("certificate");

	tcase_add_unchecked_fixture(tests, setup, teardown);
	tcase_set_timeout(tests, 120);
	tcase_add_test(tests, certificate_is_good);
	tcase_add_test(tests, names);
	tcase_add_test(tests, request_is_good);
	tcase_add_test(tests, signature_keeps_its_zeros);
	tcase_add_test(tests, wishes_refused);
	tcase_add_test(tests, mechanism_refused);
	tcase_add_test(tests, decodes_files);
	suite_add_tcase(suite, tests);
	return suite;
}
