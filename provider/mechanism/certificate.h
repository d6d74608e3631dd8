/* SPDX-License-Identifier: Apache-2.0 */
/* X.509 certificates, as far as their attributes repeat what they say. PKCS#11 3.0, section 4.6.3. */
#ifndef P11_KMS_MECHANISM_CERTIFICATE_H
#define P11_KMS_MECHANISM_CERTIFICATE_H

#include "base/buffer.h"
#include "base/compiler.h"
#include "base/pkcs11.h"

struct certificate_parts {
	struct buffer subject, issuer, serial; /* DER: CKA_SUBJECT, CKA_ISSUER, CKA_SERIAL_NUMBER */
	struct buffer spki;                    /* DER SubjectPublicKeyInfo */
};

/* CKR_ATTRIBUTE_VALUE_INVALID: not one certificate in DER. CKR_HOST_MEMORY. */
MUST_USE CK_RV certificate_parse(const void *der, size_t size,
                                 struct certificate_parts *ret_parts);
void certificate_parts_clear(struct certificate_parts *parts);

/*
 * The DER of the one certificate that a file holds, in DER or in PEM (RFC 7468), there with
 * whatever text around it. CKR_ATTRIBUTE_VALUE_INVALID: none; CKR_DATA_LEN_RANGE: several.
 */
MUST_USE CK_RV certificate_decode(const void *data, size_t size, struct buffer *ret_der);

#endif
