/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes that grow. Not for secrets: see secret.h. */
#ifndef P11_KMS_BASE_BUFFER_H
#define P11_KMS_BASE_BUFFER_H

#include "base/compiler.h"
#include "base/pkcs11.h"

#include <stdbool.h>
#include <stddef.h>

struct buffer {
	unsigned char *data; /* owned, NULL while size is 0 */
	size_t size;
	size_t capacity;
};

#define BUFFER_INIT { NULL, 0, 0 }

/* Each fails with CKR_HOST_MEMORY and then leaves the buffer as it was. */
MUST_USE CK_RV buffer_append(struct buffer *buffer, const void *data, size_t size);
MUST_USE CK_RV buffer_set(struct buffer *buffer, const void *data, size_t size);
/* Makes size bytes, zeroed where new. */
MUST_USE CK_RV buffer_resize(struct buffer *buffer, size_t size);
bool buffer_equal(const struct buffer *a, const void *data, size_t size);
/* Wipes, frees, leaves BUFFER_INIT. */
void buffer_clear(struct buffer *buffer);

/* Lower-case hexadecimal, caller frees; NULL when memory is short. */
char *hex_dup(const void *data, size_t size);
/* False when text is not an even number of hexadecimal digits. CKR_HOST_MEMORY also reads as false. */
MUST_USE bool hex_parse(const char *text, struct buffer *ret_data);

#endif
