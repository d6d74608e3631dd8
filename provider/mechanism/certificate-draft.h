/* SPDX-License-Identifier: Apache-2.0 */
/*
 * X.509 certificates (RFC 5280) and certificate requests (RFC 2986) for a key that lives
 * elsewhere: OpenSSL builds and encodes them, the signature comes from outside.
 */
#ifndef P11_KMS_MECHANISM_CERTIFICATE_DRAFT_H
#define P11_KMS_MECHANISM_CERTIFICATE_DRAFT_H

#include "base/buffer.h"
#include "base/compiler.h"
#include "base/pkcs11.h"
#include "mechanism/mechanism.h"

#include <stdbool.h>
#include <stdint.h>

/* What the key is for; the extension keyUsage. */
enum certificate_use {
	CERTIFICATE_SIGNS = 1,
	CERTIFICATE_ENCIPHERS = 2,
	CERTIFICATE_AGREES = 4,
};

/* "Without end" (RFC 5280, section 4.1.2.5): 9999-12-31T23:59:59Z. */
#define CERTIFICATE_NEVER INT64_C(253402300799)

struct certificate_wish {
	bool request;               /* a certificate request, else a self-signed certificate */
	/* "/C=DE/O=Example/CN=web", or a common name alone, whose end is cut off when it is too long; NULL: name. */
	const char *subject;
	const struct buffer *name;  /* DER Name */
	unsigned uses;              /* enum certificate_use, ored */
	int64_t from, until;        /* seconds since 1970; of certificates only */
	const char *const *dns, *const *ip; /* subject alternative names */
	int dns_count, ip_count;
};

struct certificate_draft; /* opaque */

/*
 * use: how it will be signed (CKM_SHA256_RSA_PKCS, CKM_SHA256_RSA_PKCS_PSS, CKM_ECDSA_SHA256
 * and its like, CKM_EDDSA); borrowed, as the key, until the draft is freed.
 * CKR_ARGUMENTS_BAD: the wish; *ret_why (caller frees) says what is wrong with it.
 * CKR_MECHANISM_INVALID: not a use that certificates know.
 */
MUST_USE CK_RV certificate_draft_new(const struct certificate_wish *wish,
                                     const struct public_key *key, const struct mechanism_use *use,
                                     struct certificate_draft **ret_draft, char **ret_why);
void certificate_draft_free(struct certificate_draft **draft);

/* What is to be signed. */
MUST_USE CK_RV certificate_draft_message(const struct certificate_draft *draft,
                                         struct buffer *ret_message);
/* signature: in PKCS#11's form, already verified. ret_der: the whole. */
MUST_USE CK_RV certificate_draft_sign(struct certificate_draft *draft, const void *signature,
                                      size_t signature_size, struct buffer *ret_der);

#endif
