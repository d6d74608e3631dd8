/* SPDX-License-Identifier: Apache-2.0 */
#include "kms/hsm-mutex.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

struct hsm_mutex {
	pthread_mutex_t lock;
	atomic_uint life; /* of the process that last made it */
};

/* Counts the forks between the first process and this one. */
static atomic_uint current_life;
static pthread_mutex_t renew_lock = PTHREAD_MUTEX_INITIALIZER;

static CK_RV
create(void **ret_mutex)
{
	struct hsm_mutex *mutex;

	if (ret_mutex == NULL)
		return CKR_ARGUMENTS_BAD;
	mutex = malloc(sizeof *mutex);
	if (mutex == NULL)
		return CKR_HOST_MEMORY;
	pthread_mutex_init(&mutex->lock, NULL);
	atomic_init(&mutex->life, atomic_load(&current_life));
	*ret_mutex = mutex;
	return CKR_OK;
}

static CK_RV
destroy(void *object)
{
	struct hsm_mutex *mutex = object;

	if (mutex == NULL)
		return CKR_MUTEX_BAD;
	/* What another life left locked can't be destroyed, only forgotten. */
	if (atomic_load(&mutex->life) == atomic_load(&current_life))
		pthread_mutex_destroy(&mutex->lock);
	free(mutex);
	return CKR_OK;
}

static void
renew(struct hsm_mutex *mutex, unsigned life)
{
	pthread_mutex_lock(&renew_lock);
	if (atomic_load(&mutex->life) != life) {
		pthread_mutex_init(&mutex->lock, NULL);
		atomic_store(&mutex->life, life);
	}
	pthread_mutex_unlock(&renew_lock);
}

static CK_RV
lock(void *object)
{
	unsigned life = atomic_load(&current_life);
	struct hsm_mutex *mutex = object;

	if (mutex == NULL)
		return CKR_MUTEX_BAD;
	if (atomic_load(&mutex->life) != life)
		renew(mutex, life);
	return pthread_mutex_lock(&mutex->lock) == 0 ? CKR_OK : CKR_MUTEX_BAD;
}

static CK_RV
unlock(void *object)
{
	struct hsm_mutex *mutex = object;

	if (mutex == NULL)
		return CKR_MUTEX_BAD;
	return pthread_mutex_unlock(&mutex->lock) == 0 ? CKR_OK : CKR_MUTEX_NOT_LOCKED;
}

void
hsm_mutex_arguments(CK_C_INITIALIZE_ARGS *ret_arguments)
{
	memset(ret_arguments, 0, sizeof *ret_arguments);
	ret_arguments->CreateMutex = create;
	ret_arguments->DestroyMutex = destroy;
	ret_arguments->LockMutex = lock;
	ret_arguments->UnlockMutex = unlock;
	/* A module that prefers the system's own may take those. */
	ret_arguments->flags = CKF_OS_LOCKING_OK;
}

void
hsm_mutex_forked(void)
{
	pthread_mutex_init(&renew_lock, NULL);
	atomic_fetch_add(&current_life, 1);
}
