/* SPDX-License-Identifier: Apache-2.0 */
#include "mechanism/certificate.h"

#include "base/openssl.h"

#include <limits.h>

#include <openssl/pem.h>
#include <openssl/x509.h>

#include <string.h>

/* size: what the i2d function that made der returned. Frees der. */
static CK_RV
take(unsigned char *der, int size, struct buffer *ret_value)
{
	CK_RV rv = size <= 0 ? openssl_failure(CKR_HOST_MEMORY)
	                     : buffer_set(ret_value, der, (size_t)size);

	OPENSSL_free(der);
	return rv;
}

static CK_RV
parts_of(X509 *certificate, struct certificate_parts *parts)
{
	unsigned char *der = NULL;
	int size = i2d_X509_NAME(X509_get_subject_name(certificate), &der);
	CK_RV rv = take(der, size, &parts->subject);

	if (rv != CKR_OK)
		return rv;
	der = NULL;
	size = i2d_X509_NAME(X509_get_issuer_name(certificate), &der);
	rv = take(der, size, &parts->issuer);
	if (rv != CKR_OK)
		return rv;
	der = NULL;
	size = i2d_ASN1_INTEGER(X509_get0_serialNumber(certificate), &der);
	rv = take(der, size, &parts->serial);
	if (rv != CKR_OK)
		return rv;
	der = NULL;
	size = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate), &der);
	return take(der, size, &parts->spki);
}

CK_RV
certificate_parse(const void *der, size_t size, struct certificate_parts *ret_parts)
{
	struct certificate_parts parts = { .subject = BUFFER_INIT };
	const unsigned char *at = der;
	X509 *certificate = NULL;
	CK_RV rv = CKR_ATTRIBUTE_VALUE_INVALID;

	if (size == 0 || size > LONG_MAX)
		return rv;
	certificate = X509_new_ex(openssl_context(), NULL);
	if (certificate == NULL)
		return openssl_failure(CKR_HOST_MEMORY);
	if (d2i_X509(&certificate, &at, (long)size) == NULL ||
	    at != (const unsigned char *)der + size)
		rv = openssl_failure(CKR_ATTRIBUTE_VALUE_INVALID);
	else
		rv = parts_of(certificate, &parts);
	X509_free(certificate);
	if (rv == CKR_OK)
		*ret_parts = parts;
	else
		certificate_parts_clear(&parts);
	return rv;
}

void
certificate_parts_clear(struct certificate_parts *parts)
{
	buffer_clear(&parts->subject);
	buffer_clear(&parts->issuer);
	buffer_clear(&parts->serial);
	buffer_clear(&parts->spki);
}

/* Other things in the file are passed over: keys, what belongs to the certificate's issuer. */
static CK_RV
decode_pem(BIO *bio, struct buffer *ret_der)
{
	CK_RV rv = CKR_ATTRIBUTE_VALUE_INVALID;
	char *label = NULL, *header = NULL;
	unsigned char *data = NULL;
	long size = 0;
	bool is_certificate;

	while (PEM_read_bio(bio, &label, &header, &data, &size) == 1) {
		is_certificate = strcmp(label, PEM_STRING_X509) == 0 ||
		                 strcmp(label, PEM_STRING_X509_OLD) == 0;
		if (is_certificate && rv == CKR_OK)
			rv = CKR_DATA_LEN_RANGE;
		else if (is_certificate && rv == CKR_ATTRIBUTE_VALUE_INVALID)
			rv = buffer_set(ret_der, data, (size_t)size);
		OPENSSL_free(label);
		OPENSSL_free(header);
		OPENSSL_clear_free(data, (size_t)size);
	}
	(void)openssl_failure(rv); /* the end of the file is a failure to OpenSSL */
	return rv;
}

CK_RV
certificate_decode(const void *data, size_t size, struct buffer *ret_der)
{
	struct certificate_parts parts;
	struct buffer der = BUFFER_INIT;
	BIO *bio = NULL;
	CK_RV rv;

	rv = certificate_parse(data, size, &parts);
	if (rv == CKR_OK) {
		certificate_parts_clear(&parts);
		return buffer_set(ret_der, data, size);
	}
	if (size > INT_MAX)
		return rv;
	bio = BIO_new_mem_buf(data, (int)size);
	if (bio == NULL)
		return openssl_failure(CKR_HOST_MEMORY);
	rv = decode_pem(bio, &der);
	BIO_free(bio);
	if (rv == CKR_OK)
		rv = certificate_parse(der.data, der.size, &parts);
	if (rv == CKR_OK) {
		certificate_parts_clear(&parts);
		*ret_der = der;
		return CKR_OK;
	}
	buffer_clear(&der);
	return rv;
}
