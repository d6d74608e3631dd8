/* SPDX-License-Identifier: Apache-2.0 */
#include "kms/hsm-module.h"

#include "base/log.h"
#include "base/text.h"
#include "kms/complaint.h"
#include "kms/hsm-mutex.h"
#include "kms/kms.h"
#include "kms/monitor.h"

#include <dlfcn.h>
#include <p11-kit/p11-kit.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct hsm_module {
	struct hsm_module *next;
	char *path;
	unsigned references; /* modules_lock */
	pid_t process;

	struct monitor monitor; /* guards what follows */
	unsigned inside;
	bool changing;          /* one thread loads, initialises or restarts */
	pthread_t changer;
	bool initialised;
	uint32_t epoch;

	/* Only the changing thread writes these. */
	CK_FUNCTION_LIST *functions; /* the module's own: what calls go through */
	CK_FUNCTION_LIST *managed;   /* p11-kit's view of it: only to initialise and finalise */
	bool claimed;                /* p11-kit initialised it, as far as it knows, for us or another */
	bool ours;                   /* this epoch began with our initialising it */
	bool inherited;              /* forked: the parent's state may still be in memory */
	struct complaint complaint;
};

static pthread_mutex_t modules_lock = PTHREAD_MUTEX_INITIALIZER;
static struct hsm_module *modules;

static struct hsm_module *
find_locked(const char *path)
{
	struct hsm_module *module;

	for (module = modules; module != NULL; module = module->next)
		if (strcmp(module->path, path) == 0)
			return module;
	return NULL;
}

static struct hsm_module *
add_locked(const char *path)
{
	struct hsm_module *module;

	module = calloc(1, sizeof *module);
	if (module == NULL)
		return NULL;
	module->path = strdup(path);
	if (module->path == NULL) {
		free(module);
		return NULL;
	}
	module->process = getpid();
	monitor_init(&module->monitor);
	module->next = modules;
	modules = module;
	return module;
}

CK_RV
hsm_module_get(const char *path, struct hsm_module **ret_module)
{
	struct hsm_module *module;

	pthread_mutex_lock(&modules_lock);
	module = find_locked(path);
	if (module == NULL)
		module = add_locked(path);
	if (module != NULL)
		module->references++;
	pthread_mutex_unlock(&modules_lock);
	if (module == NULL)
		return CKR_HOST_MEMORY;
	*ret_module = module;
	return CKR_OK;
}

static void
remove_locked(struct hsm_module *module)
{
	struct hsm_module **link = &modules;

	while (*link != module)
		link = &(*link)->next;
	*link = module->next;
}

/*
 * May managed->C_Finalize be called? p11-kit finalises only what it initialised, and only
 * when nobody else that it knows needs it. Left alone is what an unmanaged module was found
 * as, and one that somebody finalised and initialised again behind p11-kit's back.
 */
static bool
may_finalise(const struct hsm_module *module)
{
	bool counted = module->managed != module->functions;

	return module->ours || (counted && !module->claimed);
}

static void
finalise(struct hsm_module *module)
{
	(void)module->managed->C_Finalize(NULL);
	module->claimed = false;
	module->ours = false;
}

void
hsm_module_put(struct hsm_module **module, bool shared)
{
	struct hsm_module *gone = *module;
	bool left;

	if (gone == NULL)
		return;
	*module = NULL;
	pthread_mutex_lock(&modules_lock);
	if (--gone->references > 0) {
		pthread_mutex_unlock(&modules_lock);
		return;
	}
	remove_locked(gone);
	pthread_mutex_unlock(&modules_lock);

	left = gone->initialised && gone->ours && shared;
	if (gone->initialised && may_finalise(gone) && !left)
		finalise(gone);
	/* p11-kit holds on to what it initialised. */
	if (gone->managed != NULL && !left)
		p11_kit_module_release(gone->managed);
	if (gone->functions != NULL)
		p11_kit_module_release(gone->functions);
	complaint_clear(&gone->complaint);
	monitor_destroy(&gone->monitor);
	free(gone->path);
	free(gone);
}

void
hsm_module_forked(struct hsm_module *module)
{
	if (module->process == getpid())
		return;
	pthread_mutex_init(&modules_lock, NULL);
	hsm_mutex_forked();
	monitor_init(&module->monitor);
	module->process = getpid();
	module->inside = 0;
	module->changing = false;
	module->epoch++;
	module->inherited = module->initialised && module->ours;
	module->initialised = false;
}

/* A module-path that names this very module would make us our own HSM. */
static bool
is_ourselves(const char *path)
{
	struct stat own, other;
	Dl_info info;

	if (dladdr((void *)(uintptr_t)&kms_new, &info) == 0 || info.dli_fname == NULL)
		return false;
	return stat(info.dli_fname, &own) == 0 && stat(path, &other) == 0 &&
	       own.st_dev == other.st_dev && own.st_ino == other.st_ino;
}

static CK_RV
load(struct hsm_module *module)
{
	const char *why, *again; /* p11-kit and glibc both begin with the path, which is told already */

	if (is_ourselves(module->path)) {
		complaint_raise(&module->complaint,
		                text_format("module-path %s is p11-kms itself; name the HSM's module",
		                            module->path));
		return CKR_DEVICE_ERROR;
	}
	if (module->functions == NULL)
		module->functions = p11_kit_module_load(module->path, P11_KIT_MODULE_UNMANAGED);
	if (module->functions != NULL && module->managed == NULL)
		module->managed = p11_kit_module_load(module->path, 0);
	if (module->functions == NULL || module->managed == NULL) {
		why = p11_kit_message();
		while (why != NULL && (again = strstr(why, module->path)) != NULL)
			why = again + strlen(module->path);
		if (why != NULL)
			why += strspn(why, ": ");
		complaint_raise(&module->complaint,
		                text_format("the HSM's module %s can't be loaded: %s; install it or "
		                            "correct module-path",
		                            module->path, why != NULL ? why : "no reason given"));
		return CKR_DEVICE_ERROR;
	}
	return CKR_OK;
}

static bool
answers_initialised(const struct hsm_module *module)
{
	CK_INFO info;

	return module->functions->C_GetInfo(&info) != CKR_CRYPTOKI_NOT_INITIALIZED;
}

/*
 * A child of a fork must call C_Initialize (PKCS#11 3.0, section 5.1.1), but SoftHSM keeps
 * the parent's state, with mutexes that threads of the parent may hold, and answers that it
 * is initialised. When it was we who initialised it there, that state is dropped here first.
 * What a thread of the parent was changing at the very moment of the fork is half changed in
 * the child; only a program that does not fork meanwhile is safe from that.
 */
static void
drop_inherited(struct hsm_module *module)
{
	if (module->inherited && answers_initialised(module))
		(void)module->functions->C_Finalize(NULL);
	module->inherited = false;
}

static CK_RV
initialise(struct hsm_module *module)
{
	CK_C_INITIALIZE_ARGS arguments;
	bool before;
	CK_RV rv;

	hsm_mutex_arguments(&arguments);
	drop_inherited(module);
	before = answers_initialised(module);
	/* Refused by the standard when it is called twice; by p11-kit when it has done so for us. */
	rv = module->managed->C_Initialize(&arguments);
	if (rv == CKR_CRYPTOKI_ALREADY_INITIALIZED)
		rv = CKR_OK;
	/* Somebody finalised it behind p11-kit's back: make true what p11-kit believes. */
	if (rv == CKR_OK && !answers_initialised(module))
		rv = module->functions->C_Initialize(&arguments);
	if (rv == CKR_CRYPTOKI_ALREADY_INITIALIZED)
		rv = CKR_OK;
	if (rv != CKR_OK) {
		complaint_raise(&module->complaint,
		                text_format("the HSM's module %s can't be initialised: %s",
		                            module->path, ckr_name(rv)));
		return CKR_DEVICE_ERROR;
	}
	module->ours = !before;
	module->claimed = module->claimed || module->ours;
	complaint_clear(&module->complaint);
	return CKR_OK;
}

static void
end_change_locked(struct hsm_module *module)
{
	module->changing = false;
	monitor_announce(&module->monitor);
}

/*
 * Makes this thread the one that changes the module. False when the deadline passes, or
 * when the HSM's module has led back to us: an OpenSSL configuration that loads us into the
 * HSM's module, a proxy that shows our own tokens.
 */
static bool
begin_change_locked(struct hsm_module *module, struct deadline deadline)
{
	while (module->changing) {
		if (pthread_equal(module->changer, pthread_self())) {
			log_error("the HSM's module %s leads back to p11-kms", module->path);
			return false;
		}
		if (!monitor_wait(&module->monitor, deadline) && module->changing)
			return false;
	}
	module->changing = true;
	module->changer = pthread_self();
	return true;
}

static CK_RV
start_locked(struct hsm_module *module)
{
	CK_RV rv;

	monitor_unlock(&module->monitor);
	rv = load(module);
	if (rv == CKR_OK)
		rv = initialise(module);
	monitor_lock(&module->monitor);
	if (rv != CKR_OK)
		return rv;
	module->initialised = true;
	module->epoch++;
	return CKR_OK;
}

CK_RV
hsm_module_enter(struct hsm_module *module, struct deadline deadline, uint32_t *ret_epoch)
{
	CK_RV rv = CKR_OK;

	monitor_lock(&module->monitor);
	while (rv == CKR_OK && (module->changing || !module->initialised)) {
		if (!begin_change_locked(module, deadline)) {
			rv = CKR_DEVICE_ERROR;
			break;
		}
		if (!module->initialised)
			rv = start_locked(module);
		end_change_locked(module);
	}
	if (rv == CKR_OK) {
		module->inside++;
		*ret_epoch = module->epoch;
	}
	monitor_unlock(&module->monitor);
	return rv;
}

void
hsm_module_leave(struct hsm_module *module)
{
	monitor_lock(&module->monitor);
	if (--module->inside == 0)
		monitor_announce(&module->monitor);
	monitor_unlock(&module->monitor);
}

bool
hsm_module_is_current(struct hsm_module *module, uint32_t epoch)
{
	bool current;

	monitor_lock(&module->monitor);
	current = module->initialised && module->epoch == epoch;
	monitor_unlock(&module->monitor);
	return current;
}

CK_FUNCTION_LIST *
hsm_module_functions(const struct hsm_module *module)
{
	return module->functions;
}

void
hsm_module_lost(struct hsm_module *module, uint32_t epoch)
{
	monitor_lock(&module->monitor);
	if (module->epoch == epoch)
		module->initialised = false;
	monitor_unlock(&module->monitor);
}

static CK_RV
restart_locked(struct hsm_module *module, struct deadline deadline)
{
	/* A call that is still inside would have its state taken away. */
	while (module->inside > 0)
		if (!monitor_wait(&module->monitor, deadline) && module->inside > 0)
			return CKR_DEVICE_ERROR;
	module->initialised = false;
	monitor_unlock(&module->monitor);
	finalise(module);
	monitor_lock(&module->monitor);
	return start_locked(module);
}

CK_RV
hsm_module_restart(struct hsm_module *module, uint32_t epoch, struct deadline deadline)
{
	CK_RV rv = CKR_OK;

	monitor_lock(&module->monitor);
	if (!begin_change_locked(module, deadline)) {
		monitor_unlock(&module->monitor);
		return CKR_DEVICE_ERROR;
	}
	if (module->initialised && module->epoch == epoch && may_finalise(module))
		rv = restart_locked(module, deadline);
	end_change_locked(module);
	monitor_unlock(&module->monitor);
	return rv;
}
