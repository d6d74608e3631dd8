/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buffer.h"

#include <openssl/crypto.h>
#include <openssl/err.h>

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define CAPACITY_FIRST 64

/* What grew out of its place is wiped there: realloc would leave a copy behind. */
static CK_RV
reserve(struct buffer *buffer, size_t size)
{
	size_t capacity = buffer->capacity < CAPACITY_FIRST ? CAPACITY_FIRST : buffer->capacity;
	unsigned char *data;

	if (size <= buffer->capacity)
		return CKR_OK;
	if (size > PTRDIFF_MAX)
		return CKR_HOST_MEMORY; /* no object is that large */
	while (capacity < size)
		capacity = capacity > PTRDIFF_MAX / 2 ? size : capacity * 2;
	data = malloc(capacity);
	if (data == NULL)
		return CKR_HOST_MEMORY;
	if (buffer->size > 0)
		memcpy(data, buffer->data, buffer->size);
	if (buffer->data != NULL)
		OPENSSL_cleanse(buffer->data, buffer->capacity);
	free(buffer->data);
	buffer->data = data;
	buffer->capacity = capacity;
	return CKR_OK;
}

CK_RV
buffer_append(struct buffer *buffer, const void *data, size_t size)
{
	CK_RV rv;

	if (size == 0)
		return CKR_OK;
	if (size > SIZE_MAX - buffer->size)
		return CKR_HOST_MEMORY;
	rv = reserve(buffer, buffer->size + size);
	if (rv != CKR_OK)
		return rv;
	memcpy(buffer->data + buffer->size, data, size);
	buffer->size += size;
	return CKR_OK;
}

CK_RV
buffer_set(struct buffer *buffer, const void *data, size_t size)
{
	struct buffer copy = BUFFER_INIT;
	CK_RV rv;

	rv = buffer_append(&copy, data, size);
	if (rv != CKR_OK)
		return rv;
	buffer_clear(buffer);
	*buffer = copy;
	return CKR_OK;
}

CK_RV
buffer_resize(struct buffer *buffer, size_t size)
{
	CK_RV rv;

	if (size == 0) {
		buffer_clear(buffer);
		return CKR_OK;
	}
	rv = reserve(buffer, size);
	if (rv != CKR_OK)
		return rv;
	if (size > buffer->size)
		memset(buffer->data + buffer->size, 0, size - buffer->size);
	else
		OPENSSL_cleanse(buffer->data + size, buffer->size - size);
	buffer->size = size;
	return CKR_OK;
}

bool
buffer_equal(const struct buffer *a, const void *data, size_t size)
{
	return a->size == size && (size == 0 || memcmp(a->data, data, size) == 0);
}

void
buffer_clear(struct buffer *buffer)
{
	if (buffer->data != NULL)
		OPENSSL_cleanse(buffer->data, buffer->capacity);
	free(buffer->data);
	*buffer = (struct buffer)BUFFER_INIT;
}

char *
hex_dup(const void *data, size_t size)
{
	char *text;

	if (size > (SIZE_MAX - 1) / 2)
		return NULL;
	text = malloc(size * 2 + 1);
	if (text == NULL)
		return NULL;
	text[0] = '\0';
	if (size > 0 && OPENSSL_buf2hexstr_ex(text, size * 2 + 1, NULL, data, size, '\0') != 1) {
		free(text);
		return NULL;
	}
	/* OpenSSL writes upper case. */
	for (char *at = text; *at != '\0'; at++)
		if (*at >= 'A' && *at <= 'F')
			*at = (char)(*at - 'A' + 'a');
	return text;
}

bool
hex_parse(const char *text, struct buffer *ret_data)
{
	struct buffer data = BUFFER_INIT;
	size_t digits = strlen(text);
	size_t size = 0;
	int parsed = 1;

	if (digits % 2 != 0)
		return false;
	if (digits > 0) {
		if (buffer_resize(&data, digits / 2) != CKR_OK)
			return false;
		ERR_set_mark();
		parsed = OPENSSL_hexstr2buf_ex(data.data, data.size, &size, text, '\0');
		ERR_pop_to_mark();
	}
	if (parsed != 1 || size != data.size) {
		buffer_clear(&data);
		return false;
	}
	buffer_clear(ret_data);
	*ret_data = data;
	return true;
}
