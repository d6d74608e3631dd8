/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Takes OAEP off a raw block. OpenSSL 3 has no function of its EVP family for it, for there
 * only a private key decrypts; what it has, in constant time, is deprecated but not
 * replaced. This file and rejection.c alone ask for it.
 */
#define OPENSSL_SUPPRESS_DEPRECATED

#include "base/openssl.h"
#include "mechanism/mechanism.h"
#include "mechanism/rsa.h"

#include <openssl/err.h>
#include <openssl/rsa.h>
#include <string.h>

/* Some HSMs leave leading zeros away. */
static CK_RV
whole_block(size_t size, const struct secret *block, struct secret **ret_whole)
{
	struct secret *whole = NULL;
	CK_RV rv = secret_new(size, &whole);

	if (rv != CKR_OK)
		return rv;
	memcpy(secret_data(whole) + (size - secret_size(block)), secret_bytes(block),
	       secret_size(block));
	*ret_whole = whole;
	return CKR_OK;
}

/*
 * One CKR for every cause, told apart by no branch of ours (Manger's attack, 2001). OpenSSL
 * leaves its error only for bad padding: it is taken off the queue unread both times, and
 * not logged.
 */
CK_RV
mechanism_unpad(const struct mechanism_use *use, const struct public_key *key,
                const struct secret *block, struct secret **ret_plaintext)
{
	int size = (int)public_key_signature_size(key);
	struct secret *plaintext = NULL;
	int length;
	CK_RV rv;

	if (use->mechanism->padding != PADDING_RSA_OAEP &&
	    use->mechanism->padding != PADDING_RSA_RAW)
		return CKR_MECHANISM_INVALID;
	if (secret_size(block) == 0 || secret_size(block) > (size_t)size)
		return CKR_ENCRYPTED_DATA_INVALID;
	if (use->mechanism->padding == PADDING_RSA_RAW)
		return whole_block((size_t)size, block, ret_plaintext);
	rv = secret_new((size_t)size, &plaintext);
	if (rv != CKR_OK)
		return rv;
	ERR_set_mark();
	/* A block shorter than the modulus is padded with zeros, in constant time, by it. */
	length = RSA_padding_check_PKCS1_OAEP_mgf1(
		secret_data(plaintext), size, secret_bytes(block), (int)secret_size(block), size,
		use->label.data, (int)use->label.size, openssl_digest(use->digest),
		openssl_digest(rsa_mgf_digest(use->mgf)));
	ERR_pop_to_mark();
	if (length < 0) {
		secret_free(&plaintext);
		return CKR_ENCRYPTED_DATA_INVALID;
	}
	secret_truncate(plaintext, (size_t)length);
	*ret_plaintext = plaintext;
	return CKR_OK;
}
