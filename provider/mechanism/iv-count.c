/* SPDX-License-Identifier: Apache-2.0 */
#include "mechanism/iv-count.h"

#include "base/openssl.h"
#include "mechanism/fingerprint.h"

#include <openssl/rand.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LISTS 4096
/* More than the generators, fixed bits and IVs of any sensible program. */
#define BASES_MAX 16

struct iv_count {
	unsigned char fingerprint[FINGERPRINT_SIZE];
	unsigned char start[IV_COUNT_START_SIZE];
	pid_t process; /* that start was made in: its child has another */
	struct iv_count *next_value;

	_Atomic uint64_t numbers; /* that have been given */
	/* The ends of the bases. One more is written under lock, and then counted. */
	uint32_t bases[BASES_MAX];
	_Atomic unsigned base_count;
};

/* Guards what follows, and the writing of bases. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct secret *salt;
/* By the first bytes of the fingerprint. One store puts a value in: a fork finds all lists whole. */
static struct iv_count *lists[LISTS];

static CK_RV
find_locked(const unsigned char *fingerprint, struct iv_count **ret_count)
{
	struct iv_count **list = &lists[(fingerprint[0] << 8 | fingerprint[1]) % LISTS];
	struct iv_count *count;

	for (count = *list; count != NULL; count = count->next_value)
		if (memcmp(count->fingerprint, fingerprint, FINGERPRINT_SIZE) == 0)
			break;
	if (count == NULL) {
		count = calloc(1, sizeof *count);
		if (count == NULL)
			return CKR_HOST_MEMORY;
		memcpy(count->fingerprint, fingerprint, FINGERPRINT_SIZE);
		count->next_value = *list;
		*list = count;
	}
	*ret_count = count;
	return CKR_OK;
}

CK_RV
iv_count_of(const struct secret *key, struct iv_count **ret_count)
{
	unsigned char fingerprint[FINGERPRINT_SIZE];
	struct iv_count *count = NULL;
	CK_RV rv = CKR_OK;

	pthread_mutex_lock(&lock);
	if (salt == NULL)
		rv = fingerprint_salt_new(&salt);
	if (rv == CKR_OK)
		rv = fingerprint_of(salt, key, fingerprint);
	if (rv == CKR_OK)
		rv = find_locked(fingerprint, &count);
	if (rv == CKR_OK && count->process != getpid()) {
		if (RAND_priv_bytes_ex(openssl_context(), count->start, sizeof count->start, 0) == 1)
			count->process = getpid();
		else
			rv = openssl_failure(CKR_FUNCTION_FAILED);
	}
	pthread_mutex_unlock(&lock);
	if (rv == CKR_OK)
		*ret_count = count;
	return rv;
}

const unsigned char *
iv_count_start(const struct iv_count *count)
{
	return count->start;
}

/* Is this the end of a base, or of what a number below `below` has made of one? */
static bool
base_find(struct iv_count *count, uint32_t end, uint64_t below, uint32_t *ret_base)
{
	unsigned bases = atomic_load(&count->base_count);

	for (unsigned i = 0; i < bases; i++)
		if (end == count->bases[i] || (end ^ count->bases[i]) < below) {
			*ret_base = count->bases[i];
			return true;
		}
	return false;
}

static CK_RV
base_add(struct iv_count *count, uint32_t end)
{
	CK_RV rv = CKR_OK;
	unsigned bases;
	uint32_t there;

	pthread_mutex_lock(&lock);
	bases = atomic_load(&count->base_count);
	if (!base_find(count, end, 0, &there)) {
		if (bases == BASES_MAX) {
			rv = CKR_MECHANISM_PARAM_INVALID;
		} else {
			count->bases[bases] = end;
			atomic_store(&count->base_count, bases + 1);
		}
	}
	pthread_mutex_unlock(&lock);
	return rv;
}

/*
 * May another base have led to what this one and number lead to? Of two threads at one time, that
 * with the higher number sees the other's base, which was there before its lower number.
 */
static bool
taken(struct iv_count *count, uint32_t base, uint32_t number)
{
	unsigned bases = atomic_load(&count->base_count);
	uint64_t numbers = atomic_load(&count->numbers);

	for (unsigned i = 0; i < bases; i++)
		if (count->bases[i] != base && (base ^ number ^ count->bases[i]) < numbers)
			return true;
	return false;
}

CK_RV
iv_count_next(struct iv_count *count, uint32_t end, bool result, uint32_t most,
              uint32_t *ret_end, uint32_t *ret_number)
{
	uint64_t number = atomic_load(&count->numbers), below = 0;
	uint32_t base = end;
	CK_RV rv;

	/* Bits above those of `most` are not the count's to change. */
	if (result)
		below = number <= most ? number : (uint64_t)most + 1;
	if (!base_find(count, end, below, &base)) {
		rv = base_add(count, end);
		if (rv != CKR_OK)
			return rv;
	}
	do {
		if (atomic_load(&count->numbers) > most)
			return CKR_DATA_LEN_RANGE;
		number = atomic_fetch_add(&count->numbers, 1);
		if (number > most)
			return CKR_DATA_LEN_RANGE;
	} while (taken(count, base, (uint32_t)number));
	*ret_end = base;
	*ret_number = (uint32_t)number;
	return CKR_OK;
}

void
iv_count_forked(void)
{
	pthread_mutex_init(&lock, NULL);
}
