/* SPDX-License-Identifier: Apache-2.0 */
#include "command/pem.h"

#include <openssl/bio.h>
#include <openssl/pem.h>

CK_RV
pem_write(const char *label, const struct buffer *der, struct buffer *ret_text)
{
	BIO *bio = BIO_new(BIO_s_mem());
	CK_RV rv = CKR_HOST_MEMORY;
	char *text;
	long size;

	if (bio != NULL && PEM_write_bio(bio, label, "", der->data, (long)der->size) > 0) {
		size = BIO_get_mem_data(bio, &text);
		rv = buffer_append(ret_text, text, (size_t)size);
	}
	BIO_free(bio);
	return rv;
}
