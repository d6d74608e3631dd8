/* SPDX-License-Identifier: Apache-2.0 */
#include "command/ssh.h"

#include "base/openssl.h"
#include "mechanism/public-key.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>

#include <stdlib.h>
#include <string.h>

/* RFC 4251 section 5: the length in four bytes, then the bytes. */
static CK_RV
put_string(struct buffer *blob, const void *data, size_t size)
{
	unsigned char length[4] = {
		(unsigned char)(size >> 24), (unsigned char)(size >> 16), (unsigned char)(size >> 8),
		(unsigned char)size,
	};
	CK_RV rv;

	rv = buffer_append(blob, length, sizeof length);
	return rv == CKR_OK ? buffer_append(blob, data, size) : rv;
}

/* A positive mpint: a zero byte before one whose highest bit is set. */
static CK_RV
put_integer(struct buffer *blob, const struct public_key *key, CK_ATTRIBUTE_TYPE type)
{
	struct buffer value = BUFFER_INIT, integer = BUFFER_INIT;
	const unsigned char zero = 0;
	CK_RV rv;

	rv = public_key_attribute(key, type, &value);
	if (rv == CKR_OK && value.size != 0 && (value.data[0] & 0x80) != 0)
		rv = buffer_append(&integer, &zero, 1);
	if (rv == CKR_OK)
		rv = buffer_append(&integer, value.data, value.size);
	if (rv == CKR_OK)
		rv = put_string(blob, integer.data, integer.size);
	buffer_clear(&integer);
	buffer_clear(&value);
	return rv;
}

static CK_RV
put_rsa(struct buffer *blob, const struct public_key *key)
{
	CK_RV rv;

	rv = put_integer(blob, key, CKA_PUBLIC_EXPONENT);
	return rv == CKR_OK ? put_integer(blob, key, CKA_MODULUS) : rv;
}

static CK_RV
put_point(struct buffer *blob, const struct public_key *key)
{
	unsigned char point[1 + 2 * 66]; /* of P-521 */
	size_t size;

	if (EVP_PKEY_get_octet_string_param(public_key_evp(key), OSSL_PKEY_PARAM_PUB_KEY, point,
	                                    sizeof point, &size) != 1)
		return openssl_failure(CKR_FUNCTION_FAILED);
	return put_string(blob, point, size);
}

/* The type's name, and the curve's where it is told again. */
static const char *
ssh_type(const struct public_key *key, const char **ret_curve)
{
	*ret_curve = NULL;
	switch (public_key_type(key)) {
	case CKK_RSA:
		return "ssh-rsa";
	case CKK_EC_EDWARDS:
		return public_key_bits(key) == 255 ? "ssh-ed25519" : NULL;
	case CKK_EC:
		break;
	default:
		return NULL;
	}
	switch (public_key_bits(key)) {
	case 256:
		*ret_curve = "nistp256";
		return "ecdsa-sha2-nistp256";
	case 384:
		*ret_curve = "nistp384";
		return "ecdsa-sha2-nistp384";
	case 521:
		*ret_curve = "nistp521";
		return "ecdsa-sha2-nistp521";
	default:
		return NULL;
	}
}

static CK_RV
write_line(const char *type, const struct buffer *blob, const char *comment, struct buffer *line)
{
	struct buffer text = BUFFER_INIT;
	CK_RV rv;

	/* RFC 4648: four characters for three bytes, and EVP_EncodeBlock's zero. */
	rv = buffer_resize(&text, 4 * ((blob->size + 2) / 3) + 1);
	if (rv == CKR_OK) {
		EVP_EncodeBlock(text.data, blob->data, (int)blob->size);
		rv = buffer_append(line, type, strlen(type));
	}
	if (rv == CKR_OK)
		rv = buffer_append(line, " ", 1);
	if (rv == CKR_OK)
		rv = buffer_append(line, text.data, text.size - 1);
	if (rv == CKR_OK)
		rv = buffer_append(line, " ", 1);
	if (rv == CKR_OK)
		rv = buffer_append(line, comment, strlen(comment));
	if (rv == CKR_OK)
		rv = buffer_append(line, "\n", 1);
	buffer_clear(&text);
	return rv;
}

CK_RV
ssh_public_key(const struct buffer *spki, const char *comment, struct buffer *ret_line)
{
	struct buffer blob = BUFFER_INIT;
	struct public_key *key = NULL;
	const char *type, *curve;
	CK_RV rv;

	rv = public_key_new(spki->data, spki->size, &key);
	if (rv != CKR_OK)
		return rv;
	type = ssh_type(key, &curve);
	rv = CKR_MECHANISM_INVALID;
	if (type == NULL)
		goto out;
	rv = put_string(&blob, type, strlen(type));
	if (rv == CKR_OK && curve != NULL)
		rv = put_string(&blob, curve, strlen(curve));
	if (rv == CKR_OK)
		rv = public_key_type(key) == CKK_RSA ? put_rsa(&blob, key) : put_point(&blob, key);
	if (rv == CKR_OK)
		rv = write_line(type, &blob, comment, ret_line);
out:
	buffer_clear(&blob);
	public_key_free(&key);
	return rv;
}
