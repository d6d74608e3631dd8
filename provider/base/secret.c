/* SPDX-License-Identifier: Apache-2.0 */
#include "base/secret.h"

#include <openssl/crypto.h>

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/*
 * The bytes are in pages of their own: a lock or a MADV_DONTDUMP covers whole pages, so
 * two secrets in one page would unlock each other. The handle is on the heap, where leak
 * checkers see it.
 */
struct secret {
	unsigned char *data; /* owned mapping */
	size_t size;
	size_t mapped; /* whole pages */
};

/* 0 when it overflows. At least one page, so that data is never NULL. */
static size_t
round_to_pages(size_t size)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	if (size == 0)
		return page;
	if (size > SIZE_MAX - (page - 1))
		return 0;
	return (size + page - 1) / page * page;
}

CK_RV
secret_new(size_t size, struct secret **ret_secret)
{
	struct secret *secret;
	size_t mapped = round_to_pages(size);
	void *data;

	if (mapped == 0)
		return CKR_HOST_MEMORY;
	secret = malloc(sizeof *secret);
	if (secret == NULL)
		return CKR_HOST_MEMORY;
	data = mmap(NULL, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (data == MAP_FAILED) {
		free(secret);
		return CKR_HOST_MEMORY;
	}
	/* Both are best effort: RLIMIT_MEMLOCK is small for ordinary users. */
	(void)madvise(data, mapped, MADV_DONTDUMP);
	(void)mlock(data, mapped);

	secret->data = data;
	secret->size = size;
	secret->mapped = mapped;
	*ret_secret = secret;
	return CKR_OK;
}

CK_RV
secret_dup(const void *data, size_t size, struct secret **ret_secret)
{
	CK_RV rv = secret_new(size, ret_secret);

	if (rv != CKR_OK)
		return rv;
	if (size > 0)
		memcpy((*ret_secret)->data, data, size);
	return CKR_OK;
}

void
secret_free(struct secret **secret)
{
	if (*secret == NULL)
		return;
	OPENSSL_cleanse((*secret)->data, (*secret)->mapped);
	(void)munmap((*secret)->data, (*secret)->mapped); /* unlocks as well */
	free(*secret);
	*secret = NULL;
}

unsigned char *
secret_data(struct secret *secret)
{
	return secret->data;
}

const unsigned char *
secret_bytes(const struct secret *secret)
{
	return secret->data;
}

size_t
secret_size(const struct secret *secret)
{
	return secret->size;
}

void
secret_truncate(struct secret *secret, size_t size)
{
	if (size >= secret->size)
		return;
	OPENSSL_cleanse(secret->data + size, secret->size - size);
	secret->size = size;
}

bool
secret_equal(const struct secret *secret, const void *data, size_t size)
{
	if (secret->size != size)
		return false;
	return size == 0 || CRYPTO_memcmp(secret->data, data, size) == 0;
}
