/* SPDX-License-Identifier: Apache-2.0 */
#include "mechanism/certificate-draft.h"

#include "base/openssl.h"
#include "mechanism/certificate-name.h"
#include "mechanism/rsa.h"

#include <openssl/rand.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>

#include <stdlib.h>

#define SERIAL_SIZE 16 /* random bytes; RFC 5280, section 4.1.2.2 allows 20 */
#define VERSION_3 2

struct certificate_draft {
	const struct mechanism_use *use; /* borrowed */
	X509 *certificate;               /* owned: one of both */
	X509_REQ *request;
};

/* keyUsage of RFC 5280, section 4.2.1.3: its bits' numbers. */
enum { DIGITAL_SIGNATURE = 0, KEY_ENCIPHERMENT = 2, KEY_AGREEMENT = 4 };

static bool
add(STACK_OF(X509_EXTENSION) **list, int nid, void *value, bool critical)
{
	return value != NULL && X509V3_add1_i2d(list, nid, value, critical, X509V3_ADD_APPEND) == 1;
}

static bool
add_key_usage(STACK_OF(X509_EXTENSION) **list, unsigned uses)
{
	ASN1_BIT_STRING *bits = ASN1_BIT_STRING_new();
	bool done = bits != NULL &&
	            ASN1_BIT_STRING_set_bit(bits, DIGITAL_SIGNATURE,
	                                    (uses & CERTIFICATE_SIGNS) != 0) == 1 &&
	            ASN1_BIT_STRING_set_bit(bits, KEY_ENCIPHERMENT,
	                                    (uses & CERTIFICATE_ENCIPHERS) != 0) == 1 &&
	            ASN1_BIT_STRING_set_bit(bits, KEY_AGREEMENT,
	                                    (uses & CERTIFICATE_AGREES) != 0) == 1 &&
	            add(list, NID_key_usage, bits, true);

	ASN1_BIT_STRING_free(bits);
	return done;
}

/* An end entity's: no certificate is issued under it. */
static bool
add_basic_constraints(STACK_OF(X509_EXTENSION) **list)
{
	BASIC_CONSTRAINTS *constraints = BASIC_CONSTRAINTS_new();
	bool done = add(list, NID_basic_constraints, constraints, true);

	BASIC_CONSTRAINTS_free(constraints);
	return done;
}

/* RFC 5280, section 4.2.1.2, method 1. */
static bool
add_key_identifier(STACK_OF(X509_EXTENSION) **list, X509 *certificate)
{
	ASN1_OCTET_STRING *identifier = ASN1_OCTET_STRING_new();
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned size = 0;
	bool done = identifier != NULL &&
	            X509_pubkey_digest(certificate, openssl_digest(CKM_SHA_1), digest, &size) == 1 &&
	            ASN1_OCTET_STRING_set(identifier, digest, (int)size) == 1 &&
	            add(list, NID_subject_key_identifier, identifier, false);

	ASN1_OCTET_STRING_free(identifier);
	return done;
}

static CK_RV
add_other_names(STACK_OF(X509_EXTENSION) **list, const struct certificate_wish *wish,
                char **ret_why)
{
	GENERAL_NAMES *names = NULL;
	CK_RV rv;

	if (wish->dns_count == 0 && wish->ip_count == 0)
		return CKR_OK;
	rv = certificate_other_names(wish, &names, ret_why);
	if (rv == CKR_OK && !add(list, NID_subject_alt_name, names, false))
		rv = openssl_failure(CKR_HOST_MEMORY);
	GENERAL_NAMES_free(names);
	return rv;
}

static CK_RV
extend(struct certificate_draft *draft, const struct certificate_wish *wish, char **ret_why)
{
	STACK_OF(X509_EXTENSION) *list = NULL;
	CK_RV rv = CKR_OK;

	if (!add_basic_constraints(&list) || !add_key_usage(&list, wish->uses) ||
	    (draft->certificate != NULL && !add_key_identifier(&list, draft->certificate)))
		rv = openssl_failure(CKR_HOST_MEMORY);
	if (rv == CKR_OK)
		rv = add_other_names(&list, wish, ret_why);
	if (rv != CKR_OK)
		goto out;
	if (draft->request != NULL && X509_REQ_add_extensions(draft->request, list) != 1)
		rv = openssl_failure(CKR_HOST_MEMORY);
	for (int i = 0; rv == CKR_OK && draft->certificate != NULL &&
	                i < sk_X509_EXTENSION_num(list); i++)
		if (X509_add_ext(draft->certificate, sk_X509_EXTENSION_value(list, i), -1) != 1)
			rv = openssl_failure(CKR_HOST_MEMORY);
out:
	sk_X509_EXTENSION_pop_free(list, X509_EXTENSION_free);
	return rv;
}

/* Positive, and not 0. */
static CK_RV
set_serial(X509 *certificate)
{
	unsigned char random[SERIAL_SIZE];
	ASN1_INTEGER *serial = NULL;
	BIGNUM *number = NULL;
	CK_RV rv = CKR_OK;

	if (RAND_bytes_ex(openssl_context(), random, sizeof random, 0) != 1)
		return openssl_failure(CKR_FUNCTION_FAILED);
	random[0] = (unsigned char)((random[0] & 0x7f) | 0x40);
	number = BN_bin2bn(random, sizeof random, NULL);
	if (number != NULL)
		serial = BN_to_ASN1_INTEGER(number, NULL);
	if (serial == NULL || X509_set_serialNumber(certificate, serial) != 1)
		rv = openssl_failure(CKR_HOST_MEMORY);
	ASN1_INTEGER_free(serial);
	BN_free(number);
	return rv;
}

static CK_RV
fill_certificate(X509 *certificate, const struct certificate_wish *wish, X509_NAME *name,
                 EVP_PKEY *key)
{
	if (X509_set_version(certificate, VERSION_3) != 1 ||
	    X509_set_subject_name(certificate, name) != 1 ||
	    X509_set_issuer_name(certificate, name) != 1 || X509_set_pubkey(certificate, key) != 1 ||
	    ASN1_TIME_set(X509_getm_notBefore(certificate), (time_t)wish->from) == NULL ||
	    ASN1_TIME_set(X509_getm_notAfter(certificate), (time_t)wish->until) == NULL)
		return openssl_failure(CKR_HOST_MEMORY);
	return set_serial(certificate);
}

static CK_RV
fill_request(X509_REQ *request, X509_NAME *name, EVP_PKEY *key)
{
	if (X509_REQ_set_version(request, X509_REQ_VERSION_1) != 1 ||
	    X509_REQ_set_subject_name(request, name) != 1 || X509_REQ_set_pubkey(request, key) != 1)
		return openssl_failure(CKR_HOST_MEMORY);
	return CKR_OK;
}

/* RFC 4055, section 3.1: the hash of MGF1 as parameter of its AlgorithmIdentifier. */
static CK_RV
set_pss(X509_ALGOR *algorithm, const struct mechanism_use *use)
{
	const EVP_MD *hash = openssl_digest(use->digest);
	const EVP_MD *mgf_hash = openssl_digest(rsa_mgf_digest(use->mgf));
	RSA_PSS_PARAMS *pss = RSA_PSS_PARAMS_new();
	ASN1_STRING *inner = NULL, *whole = NULL;
	X509_ALGOR *mgf_algorithm = X509_ALGOR_new();
	CK_RV rv = CKR_HOST_MEMORY;

	if (pss == NULL || mgf_algorithm == NULL || hash == NULL || mgf_hash == NULL)
		goto out;
	pss->hashAlgorithm = X509_ALGOR_new();
	pss->maskGenAlgorithm = X509_ALGOR_new();
	pss->saltLength = ASN1_INTEGER_new();
	if (pss->hashAlgorithm == NULL || pss->maskGenAlgorithm == NULL || pss->saltLength == NULL ||
	    ASN1_INTEGER_set(pss->saltLength, (long)use->salt_size) != 1)
		goto out;
	X509_ALGOR_set_md(pss->hashAlgorithm, hash);
	X509_ALGOR_set_md(mgf_algorithm, mgf_hash);
	inner = ASN1_item_pack(mgf_algorithm, ASN1_ITEM_rptr(X509_ALGOR), NULL);
	if (inner == NULL || X509_ALGOR_set0(pss->maskGenAlgorithm, OBJ_nid2obj(NID_mgf1),
	                                     V_ASN1_SEQUENCE, inner) != 1)
		goto out;
	inner = NULL;
	whole = ASN1_item_pack(pss, ASN1_ITEM_rptr(RSA_PSS_PARAMS), NULL);
	if (whole == NULL || X509_ALGOR_set0(algorithm, OBJ_nid2obj(NID_rsassaPss),
	                                     V_ASN1_SEQUENCE, whole) != 1)
		goto out;
	whole = NULL;
	rv = CKR_OK;
out:
	if (rv != CKR_OK)
		rv = openssl_failure(rv);
	ASN1_STRING_free(whole);
	ASN1_STRING_free(inner);
	X509_ALGOR_free(mgf_algorithm);
	RSA_PSS_PARAMS_free(pss);
	return rv;
}

/* RFC 3279 and 4055: RSA's has a NULL parameter; RFC 5758 and 8410: the others' have none. */
static CK_RV
set_algorithm(X509_ALGOR *algorithm, const struct mechanism_use *use)
{
	static const struct {
		CK_MECHANISM_TYPE type;
		int nid, parameter;
	} known[] = {
		{ CKM_SHA256_RSA_PKCS, NID_sha256WithRSAEncryption, V_ASN1_NULL },
		{ CKM_ECDSA_SHA256, NID_ecdsa_with_SHA256, V_ASN1_UNDEF },
		{ CKM_ECDSA_SHA384, NID_ecdsa_with_SHA384, V_ASN1_UNDEF },
		{ CKM_ECDSA_SHA512, NID_ecdsa_with_SHA512, V_ASN1_UNDEF },
		{ CKM_EDDSA, NID_ED25519, V_ASN1_UNDEF },
	};

	if (use->mechanism->type == CKM_SHA256_RSA_PKCS_PSS)
		return set_pss(algorithm, use);
	for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
		if (known[i].type != use->mechanism->type)
			continue;
		if (X509_ALGOR_set0(algorithm, OBJ_nid2obj(known[i].nid), known[i].parameter,
		                    NULL) != 1)
			return openssl_failure(CKR_HOST_MEMORY);
		return CKR_OK;
	}
	return CKR_MECHANISM_INVALID;
}

/*
 * It stands inside of what is signed as well as outside. OpenSSL has setters for requests; of
 * a certificate it gives the members themselves, which are not constant.
 */
static CK_RV
name_algorithm(struct certificate_draft *draft)
{
	X509_ALGOR *algorithm = X509_ALGOR_new();
	const X509_ALGOR *outer = NULL, *inner;
	CK_RV rv;

	if (algorithm == NULL)
		return openssl_failure(CKR_HOST_MEMORY);
	rv = set_algorithm(algorithm, draft->use);
	if (rv != CKR_OK)
		goto out;
	if (draft->request != NULL) {
		if (X509_REQ_set1_signature_algo(draft->request, algorithm) != 1)
			rv = openssl_failure(CKR_HOST_MEMORY);
		goto out;
	}
	inner = X509_get0_tbs_sigalg(draft->certificate);
	X509_get0_signature(NULL, &outer, draft->certificate);
	if (X509_ALGOR_copy((X509_ALGOR *)inner, algorithm) != 1 ||
	    X509_ALGOR_copy((X509_ALGOR *)outer, algorithm) != 1)
		rv = openssl_failure(CKR_HOST_MEMORY);
out:
	X509_ALGOR_free(algorithm);
	return rv;
}

CK_RV
certificate_draft_new(const struct certificate_wish *wish, const struct public_key *key,
                      const struct mechanism_use *use, struct certificate_draft **ret_draft,
                      char **ret_why)
{
	struct certificate_draft *draft = calloc(1, sizeof *draft);
	X509_NAME *name = NULL;
	CK_RV rv;

	if (draft == NULL)
		return CKR_HOST_MEMORY;
	draft->use = use;
	rv = certificate_name(wish, &name, ret_why);
	if (rv != CKR_OK)
		goto out;
	if (wish->request)
		draft->request = X509_REQ_new_ex(openssl_context(), NULL);
	else
		draft->certificate = X509_new_ex(openssl_context(), NULL);
	if (draft->request == NULL && draft->certificate == NULL)
		rv = openssl_failure(CKR_HOST_MEMORY);
	else if (wish->request)
		rv = fill_request(draft->request, name, public_key_evp(key));
	else
		rv = fill_certificate(draft->certificate, wish, name, public_key_evp(key));
	if (rv == CKR_OK)
		rv = extend(draft, wish, ret_why);
	if (rv == CKR_OK)
		rv = name_algorithm(draft);
	if (rv != CKR_OK)
		goto out;
	*ret_draft = draft;
	draft = NULL;
out:
	X509_NAME_free(name);
	certificate_draft_free(&draft);
	return rv;
}

void
certificate_draft_free(struct certificate_draft **draft)
{
	if (*draft == NULL)
		return;
	X509_free((*draft)->certificate);
	X509_REQ_free((*draft)->request);
	free(*draft);
	*draft = NULL;
}

/* size: what the i2d function that made der returned. Frees der. */
static CK_RV
take(unsigned char *der, int size, struct buffer *ret_value)
{
	CK_RV rv = size <= 0 ? openssl_failure(CKR_HOST_MEMORY)
	                     : buffer_set(ret_value, der, (size_t)size);

	OPENSSL_free(der);
	return rv;
}

CK_RV
certificate_draft_message(const struct certificate_draft *draft, struct buffer *ret_message)
{
	unsigned char *der = NULL;
	int size = draft->request != NULL ? i2d_re_X509_REQ_tbs(draft->request, &der)
	                                  : i2d_re_X509_tbs(draft->certificate, &der);

	return take(der, size, ret_message);
}

/* X.509 wants an ECDSA signature as a SEQUENCE of r and s (RFC 3279, section 2.2.3). */
static CK_RV
signature_value(const struct certificate_draft *draft, const unsigned char *signature,
                size_t size, struct buffer *ret_value)
{
	unsigned char der[OPENSSL_ECDSA_DER_MAX];
	size_t der_size = 0;
	CK_RV rv;

	if (draft->use->mechanism->key_type != CKK_EC)
		return buffer_set(ret_value, signature, size);
	rv = openssl_ecdsa_der(signature, size, der, &der_size);
	return rv == CKR_OK ? buffer_set(ret_value, der, der_size) : rv;
}

/* All of its bits count: without the flag OpenSSL would leave zeros at the end out. */
static bool
set_bits(ASN1_BIT_STRING *bits, const struct buffer *value)
{
	if (ASN1_STRING_set(bits, value->data, (int)value->size) != 1)
		return false;
	bits->flags &= ~(ASN1_STRING_FLAG_BITS_LEFT | 7);
	bits->flags |= ASN1_STRING_FLAG_BITS_LEFT;
	return true;
}

static CK_RV
sign_request(X509_REQ *request, const struct buffer *value, struct buffer *ret_der)
{
	ASN1_BIT_STRING *bits = ASN1_BIT_STRING_new();
	unsigned char *der = NULL;
	int size;

	if (bits == NULL || !set_bits(bits, value)) {
		ASN1_BIT_STRING_free(bits);
		return openssl_failure(CKR_HOST_MEMORY);
	}
	X509_REQ_set0_signature(request, bits);
	size = i2d_X509_REQ(request, &der);
	return take(der, size, ret_der);
}

static CK_RV
sign_certificate(X509 *certificate, const struct buffer *value, struct buffer *ret_der)
{
	const ASN1_BIT_STRING *bits = NULL;
	unsigned char *der = NULL;
	int size;

	X509_get0_signature(&bits, NULL, certificate);
	if (!set_bits((ASN1_BIT_STRING *)bits, value))
		return openssl_failure(CKR_HOST_MEMORY);
	size = i2d_X509(certificate, &der);
	return take(der, size, ret_der);
}

CK_RV
certificate_draft_sign(struct certificate_draft *draft, const void *signature,
                       size_t signature_size, struct buffer *ret_der)
{
	struct buffer value = BUFFER_INIT;
	CK_RV rv;

	rv = signature_value(draft, signature, signature_size, &value);
	if (rv == CKR_OK)
		rv = draft->request != NULL ? sign_request(draft->request, &value, ret_der)
		                            : sign_certificate(draft->certificate, &value, ret_der);
	buffer_clear(&value);
	return rv;
}
