/* SPDX-License-Identifier: Apache-2.0 */
#include "token/provider.h"

#include "base/config.h"
#include "base/log.h"
#include "base/openssl.h"
#include "mechanism/cipher.h"
#include "token/session.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static pthread_mutex_t provider_lock = PTHREAD_MUTEX_INITIALIZER;

/* Those who wait for the end of this start: guarded by provider_lock. */
static pthread_cond_t provider_stopped = PTHREAD_COND_INITIALIZER;
static unsigned long start_count;

static struct {
	struct config *config;
	struct role_memory *roles; /* of the secret values in all tokens */
	struct token **tokens;
	CK_ULONG token_count;
} provider;

/*
 * One byte in a page that the kernel wipes in the child of a fork: 1 while the module is
 * initialised in this process. Reading it costs a load, where getpid() costs a system call,
 * and nothing needs to run in the fork.
 */
static _Atomic unsigned char *alive;

static CK_RV
alive_map(void)
{
	void *page;

	if (alive != NULL)
		return CKR_OK;
	page = mmap(NULL, (size_t)sysconf(_SC_PAGESIZE), PROT_READ | PROT_WRITE,
	            MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (page == MAP_FAILED)
		return CKR_HOST_MEMORY;
	if (madvise(page, (size_t)sysconf(_SC_PAGESIZE), MADV_WIPEONFORK) != 0) {
		log_error("this kernel can't wipe a page on fork (Linux 4.14 can)");
		return CKR_GENERAL_ERROR;
	}
	alive = page;
	return CKR_OK;
}

CK_RV
provider_enter(void)
{
	return alive != NULL && *alive != 0 ? CKR_OK : CKR_CRYPTOKI_NOT_INITIALIZED;
}

/*
 * Section 5.4.1: the callbacks come all or none; with callbacks alone, only they may be used
 * for locking, and this module locks with the system's primitives.
 */
static CK_RV
args_check(const CK_C_INITIALIZE_ARGS *args)
{
	int given;

	if (args == NULL)
		return CKR_OK;
	if (args->pReserved != NULL)
		return CKR_ARGUMENTS_BAD;
	given = (args->CreateMutex != NULL) + (args->DestroyMutex != NULL) +
	        (args->LockMutex != NULL) + (args->UnlockMutex != NULL);
	if (given != 0 && given != 4)
		return CKR_ARGUMENTS_BAD;
	if (given == 4 && (args->flags & CKF_OS_LOCKING_OK) == 0)
		return CKR_CANT_LOCK;
	return CKR_OK;
}

/* Without a configuration there are no slots: a module that is merely installed must not disturb. */
static CK_RV
config_load(struct config **ret_config)
{
	char *path = config_path();
	char *why = NULL;
	CK_RV rv = CKR_OK;

	if (path == NULL) {
		log_configure(LOG_LEVEL_WARNING, false);
		log_warning("no configuration, so no tokens: neither P11_KMS_CONFIG is set nor is "
		            "there a p11-kms/p11-kms.conf; see p11-kms.conf(5)");
		return CKR_OK;
	}
	if (!config_read(path, ret_config, &why)) {
		log_configure(LOG_LEVEL_WARNING, false);
		log_error("%s", why != NULL ? why : "out of memory");
		rv = why != NULL ? CKR_GENERAL_ERROR : CKR_HOST_MEMORY;
	} else {
		log_configure((*ret_config)->log, (*ret_config)->log_to_syslog);
	}
	free(why);
	free(path);
	return rv;
}

static void
tokens_free(void)
{
	for (CK_ULONG i = 0; i < provider.token_count; i++)
		token_free(&provider.tokens[i]);
	free(provider.tokens);
	provider.tokens = NULL;
	provider.token_count = 0;
	role_memory_free(&provider.roles);
}

static CK_RV
tokens_make(const struct config *config)
{
	size_t count = config != NULL ? config->token_count : 0;
	CK_RV rv;

	provider.tokens = calloc(count + 1, sizeof(struct token *));
	rv = provider.tokens != NULL ? role_memory_new(&provider.roles) : CKR_HOST_MEMORY;
	if (rv != CKR_OK) {
		tokens_free();
		return rv;
	}
	for (size_t i = 0; i < count; i++) {
		rv = token_new(&config->tokens[i], i, provider.roles, &provider.tokens[i]);
		if (rv != CKR_OK) {
			tokens_free();
			return rv == CKR_ARGUMENTS_BAD ? CKR_GENERAL_ERROR : rv;
		}
		provider.token_count++;
	}
	return CKR_OK;
}

/* In the child of a fork: what the parent had is left alone, never freed. */
static void
provider_abandon_locked(void)
{
	for (CK_ULONG i = 0; i < provider.token_count; i++)
		token_abandon(&provider.tokens[i]);
	memset(&provider, 0, sizeof provider);
	pthread_cond_init(&provider_stopped, NULL); /* the parent's threads may wait on it */
	session_table_reset();
	cipher_forked();
}

static CK_RV
provider_start_locked(void)
{
	CK_RV rv = alive_map();

	if (rv != CKR_OK)
		return rv;
	if (*alive != 0)
		return CKR_CRYPTOKI_ALREADY_INITIALIZED;
	if (provider.tokens != NULL)
		provider_abandon_locked();
	rv = openssl_start();
	if (rv != CKR_OK)
		return rv;
	rv = config_load(&provider.config);
	if (rv == CKR_OK)
		rv = tokens_make(provider.config);
	if (rv != CKR_OK) {
		config_free(&provider.config);
		openssl_stop();
		return rv;
	}
	*alive = 1;
	start_count++;
	return CKR_OK;
}

CK_RV
provider_start(const CK_C_INITIALIZE_ARGS *args)
{
	CK_RV rv = args_check(args);

	if (rv != CKR_OK)
		return rv;
	pthread_mutex_lock(&provider_lock);
	rv = provider_start_locked();
	pthread_mutex_unlock(&provider_lock);
	return rv;
}

CK_RV
provider_stop(void)
{
	pthread_mutex_lock(&provider_lock);
	if (provider_enter() != CKR_OK) {
		pthread_mutex_unlock(&provider_lock);
		return CKR_CRYPTOKI_NOT_INITIALIZED;
	}
	*alive = 0;
	session_close_all(NULL);
	tokens_free();
	config_free(&provider.config);
	openssl_stop();
	pthread_cond_broadcast(&provider_stopped);
	pthread_mutex_unlock(&provider_lock);
	return CKR_OK;
}

CK_RV
provider_await_stop(void)
{
	unsigned long began;

	pthread_mutex_lock(&provider_lock);
	/* Somebody may stop and start it again before this thread wakes up. */
	began = start_count;
	while (provider_enter() == CKR_OK && start_count == began)
		pthread_cond_wait(&provider_stopped, &provider_lock);
	pthread_mutex_unlock(&provider_lock);
	return CKR_CRYPTOKI_NOT_INITIALIZED;
}

CK_ULONG
provider_slot_count(void)
{
	return provider.token_count;
}

CK_RV
provider_token(CK_SLOT_ID slot, struct token **ret_token)
{
	if (slot >= provider.token_count)
		return CKR_SLOT_ID_INVALID;
	*ret_token = provider.tokens[slot];
	return CKR_OK;
}
