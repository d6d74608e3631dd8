/* SPDX-License-Identifier: Apache-2.0 */
#include "kms/kms.h"

#include "base/log.h"
#include "base/openssl.h"
#include "kms/backend.h"
#include "kms/breaker.h"
#include "kms/pin.h"

#include <errno.h>
#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* How often a KMS that has no room is asked, and the first pause; the next are twice as long each. */
#define THROTTLE_TRIES 3
#define BACK_OFF_MS 100

struct kms {
	const struct config_token *config; /* borrowed */
	const struct kms_backend *backend;
	void *state;
	struct pin *pin;
	struct breaker breaker;
	_Atomic CK_ULONG device_error;
};

CK_RV
kms_new(const struct config_token *config, struct kms **ret_kms)
{
	struct kms *kms;
	CK_RV rv;

	rv = openssl_start();
	if (rv != CKR_OK)
		return rv;
	kms = calloc(1, sizeof *kms);
	if (kms == NULL) {
		openssl_stop();
		return CKR_HOST_MEMORY;
	}
	kms->config = config;
	kms->backend = config_token_is_kmip(config) ? &kmip_backend : &hsm_backend;
	breaker_init(&kms->breaker);
	rv = pin_new(config, &kms->pin);
	if (rv == CKR_OK)
		rv = kms->backend->open(config, kms->pin, &kms->state);
	if (rv != CKR_OK) {
		kms_free(&kms);
		return rv;
	}
	*ret_kms = kms;
	return CKR_OK;
}

void
kms_free(struct kms **kms)
{
	if (*kms == NULL)
		return;
	if ((*kms)->state != NULL)
		(*kms)->backend->close(&(*kms)->state);
	pin_free(&(*kms)->pin);
	breaker_destroy(&(*kms)->breaker);
	free(*kms);
	*kms = NULL;
	openssl_stop();
}

void
kms_forked(struct kms *kms)
{
	breaker_init(&kms->breaker);
	pin_forked(kms->pin);
	kms->backend->forked(kms->state);
}

char *
kms_file_why(const struct config_token *config)
{
	const struct kms_backend *backend = config_token_is_kmip(config) ? &kmip_backend : &hsm_backend;

	return backend->file_why != NULL ? backend->file_why(config) : NULL;
}

/* Something was lost that the next attempt makes anew. */
static bool
is_lost(CK_RV rv)
{
	switch (rv) {
	case CKR_SESSION_HANDLE_INVALID:
	case CKR_SESSION_CLOSED:
	case CKR_USER_NOT_LOGGED_IN:
	case CKR_CRYPTOKI_NOT_INITIALIZED:
	case CKR_DEVICE_ERROR:
	case CKR_DEVICE_REMOVED:
	case CKR_TOKEN_NOT_PRESENT:
	case CKR_SLOT_ID_INVALID:
		return true;
	default:
		return false;
	}
}

/* The server did not answer, or not as one that is well. */
static bool
is_failure(CK_RV rv)
{
	if (rv == CKR_USER_NOT_LOGGED_IN)
		return false;
	return is_lost(rv) || rv == CKR_GENERAL_ERROR || rv == CKR_FUNCTION_FAILED ||
	       rv == CKR_TOKEN_NOT_RECOGNIZED || rv == CKR_SESSION_COUNT ||
	       rv >= CKR_VENDOR_DEFINED;
}

static enum breaker_outcome
outcome_of(CK_RV rv, const struct kms_attempt *attempt)
{
	if (rv == CKR_HOST_MEMORY || (rv != CKR_OK && attempt->unasked))
		return BREAKER_UNASKED;
	if (!is_failure(rv) || attempt->alive || rv == CKR_SESSION_COUNT)
		return BREAKER_ANSWERED;
	return deadline_passed(attempt->deadline) ? BREAKER_TOO_LATE : BREAKER_FAILED;
}

static void
report(struct kms *kms, CK_RV rv, const struct kms_attempt *attempt)
{
	enum breaker_outcome outcome = outcome_of(rv, attempt);

	if (!breaker_report(&kms->breaker, outcome, clock_monotonic_ms()))
		return;
	if (outcome == BREAKER_ANSWERED)
		log_warning("token %s: the KMS answers again", kms->config->name);
	else
		log_warning("token %s: the KMS does not answer (%s); calls fail at once until it does",
		            kms->config->name, ckr_name(attempt->own != CKR_OK ? attempt->own : rv));
}

/*
 * It has no room for the call just now: HSMs say so with these two codes, KMIP servers with Server
 * Limit Exceeded (see kmip_answer_failure). Of a pair that was asked for, CKR_DEVICE_MEMORY says
 * that there is no room for it, which lasts: the backend has made the attempt final.
 */
static bool
is_throttled(CK_RV rv, const struct kms_attempt *attempt)
{
	return rv == CKR_SESSION_COUNT || (rv == CKR_DEVICE_MEMORY && !attempt->final);
}

/* Before the next try, longer each time. False: there is none, or no time for one. */
static bool
back_off(unsigned tries, struct deadline deadline)
{
	int64_t pause = (int64_t)BACK_OFF_MS << (tries - 1);
	struct timespec left = { pause / 1000, pause % 1000 * 1000000 };

	if (tries == THROTTLE_TRIES || pause >= deadline_left_ms(deadline))
		return false;
	while (nanosleep(&left, &left) != 0 && errno == EINTR)
		;
	return true;
}

/* One try, and one more when the first lost something that can be made anew. */
static CK_RV
try_call(struct kms *kms, kms_operation operation, void *request, struct deadline deadline,
         struct kms_attempt *ret_attempt)
{
	struct kms_attempt attempt = { .deadline = deadline };
	CK_RV rv;

	rv = operation(kms->state, request, &attempt);
	if (is_lost(rv) && !attempt.final && !deadline_passed(deadline)) {
		log_debug("token %s: %s; once more", kms->config->name, ckr_name(rv));
		memset(&attempt, 0, sizeof attempt);
		attempt.deadline = deadline;
		rv = operation(kms->state, request, &attempt);
	}
	*ret_attempt = attempt;
	return rv;
}

static CK_RV
call(struct kms *kms, kms_operation operation, void *request, struct deadline deadline)
{
	struct kms_attempt attempt;
	unsigned tries = 0;
	bool throttled;
	CK_RV rv;

	if (deadline_passed(deadline) || !breaker_admit(&kms->breaker, clock_monotonic_ms()))
		return CKR_DEVICE_ERROR;
	do {
		rv = try_call(kms, operation, request, deadline, &attempt);
		throttled = is_throttled(rv, &attempt);
	} while (throttled && back_off(++tries, deadline));
	report(kms, rv, &attempt);
	if (!throttled && !is_failure(rv))
		return rv;
	kms->device_error = attempt.own != CKR_OK ? attempt.own : rv;
	if (!throttled)
		return CKR_DEVICE_ERROR;
	log_warning("token %s: the KMS, or the number of its connections, has no room for a call (%s)",
	            kms->config->name, ckr_name(rv));
	return CKR_FUNCTION_FAILED;
}

static enum kms_pin_need
pin_need(const struct kms *kms)
{
	return kms->backend->pin_need == NULL ? KMS_PIN_NEEDED : kms->backend->pin_need(kms->state);
}

CK_RV
kms_login(struct kms *kms, const void *pin, size_t pin_size, struct deadline deadline)
{
	struct kms_login_request request = { pin, pin_size, false };
	CK_RV rv;

	if (pin_has_source(kms->pin))
		return pin_compare(kms->pin, pin, pin_size);
	if (pin_need(kms) == KMS_PIN_NONE)
		return CKR_OK;
	rv = call(kms, kms->backend->login, &request, deadline);
	if (rv != CKR_OK)
		return rv;
	/* What was not proven must not be tried later, when it would count as a wrong PIN. */
	return request.ret_unproven ? CKR_OK : pin_keep(kms->pin, pin, pin_size);
}

CK_RV
kms_set_pin(struct kms *kms, const void *old_pin, size_t old_size, const void *new_pin,
            size_t new_size, struct deadline deadline)
{
	struct kms_set_pin_request request = { old_pin, old_size, new_pin, new_size };
	CK_RV rv;

	/* Others read the file too: changing the PIN under it would lock them out. */
	if (pin_has_source(kms->pin)) {
		log_warning("token %s: the PIN is not changed by an application while it stands in "
		            "%s: change it with the KMS's own tools, and in the file",
		            kms->config->name, kms->config->pin_source);
		return CKR_FUNCTION_NOT_SUPPORTED;
	}
	if (kms->backend->set_pin == NULL)
		return CKR_FUNCTION_NOT_SUPPORTED;
	rv = call(kms, kms->backend->set_pin, &request, deadline);
	if (rv != CKR_OK)
		return rv;
	return pin_replace(kms->pin, new_pin, new_size);
}

CK_RV
kms_logout(struct kms *kms, struct deadline deadline)
{
	/* Also one that was needed when it was given, and is not any more. */
	pin_forget(kms->pin);
	if (kms_logs_in_itself(kms))
		return CKR_OK;
	kms->backend->logout(kms->state, deadline);
	return CKR_OK;
}

bool
kms_logs_in_itself(const struct kms *kms)
{
	return pin_has_source(kms->pin) || pin_need(kms) != KMS_PIN_NEEDED;
}

CK_RV
kms_describe(struct kms *kms, struct deadline deadline, struct kms_description *ret_description)
{
	return call(kms, kms->backend->describe, ret_description, deadline);
}

void
kms_description_clear(struct kms_description *description)
{
	for (size_t i = 0; i < description->lack_count; i++)
		free(description->lacks[i]);
	free(description->lacks);
	free(description->primitives);
	memset(description, 0, sizeof *description);
}

CK_RV
kms_report(struct kms *kms, struct deadline deadline, kms_remarked remarked, void *context)
{
	struct kms_report_request request = { remarked, context };

	if (kms->backend->report == NULL)
		return CKR_OK;
	return call(kms, kms->backend->report, &request, deadline);
}

CK_RV
kms_ping(struct kms *kms, struct deadline deadline)
{
	return call(kms, kms->backend->ping, NULL, deadline);
}

CK_RV
kms_generate_pair(struct kms *kms, const struct kms_pair *pair, struct deadline deadline,
                  struct buffer *ret_spki)
{
	struct kms_generate_request request = { pair, ret_spki };

	return call(kms, kms->backend->generate, &request, deadline);
}

CK_RV
kms_generate_session_pair(struct kms *kms, const struct kms_pair *pair, struct deadline deadline,
                          struct buffer *ret_spki, struct kms_session_key **ret_key)
{
	struct kms_generate_session_request request = { pair, NULL, ret_spki };
	struct kms_session_key *key;
	CK_RV rv;

	if (kms->backend->generate_session == NULL)
		return CKR_MECHANISM_INVALID;
	if (pair->algorithm->key_type == CKK_RSA && pair->bits != 0 &&
	    pair->bits < KMS_SESSION_RSA_MIN)
		return CKR_KEY_SIZE_RANGE;
	key = calloc(1, sizeof *key);
	if (key == NULL)
		return CKR_HOST_MEMORY;
	key->kms = kms;
	key->key.id = key->id;
	key->key.id_size = sizeof key->id;
	key->key.session = true;
	request.key = key;
	rv = RAND_bytes_ex(openssl_context(), key->id, sizeof key->id, 0) == 1 ?
	             call(kms, kms->backend->generate_session, &request, deadline) :
	             openssl_failure(CKR_FUNCTION_FAILED);
	if (rv != CKR_OK)
		free(key);
	else
		*ret_key = key;
	return rv;
}

struct kms_key *
kms_session_key_use(struct kms_session_key *key)
{
	return &key->key;
}

void
kms_session_key_free(struct kms_session_key **key)
{
	struct kms_session_key *gone = *key;

	if (gone == NULL)
		return;
	*key = NULL;
	gone->kms->backend->release(gone->kms->state, gone);
	free(gone);
}

CK_RV
kms_public_key(struct kms *kms, const void *id, size_t id_size, struct deadline deadline,
               struct buffer *ret_spki)
{
	struct kms_id_request request = { .id = id, .id_size = id_size, .ret_spki = ret_spki };

	return call(kms, kms->backend->public_key, &request, deadline);
}

CK_RV
kms_check_private(struct kms *kms, const void *id, size_t id_size, struct deadline deadline)
{
	struct kms_id_request request = { .id = id, .id_size = id_size };

	if (kms->backend->check_private == NULL)
		return CKR_OK;
	return call(kms, kms->backend->check_private, &request, deadline);
}

CK_RV
kms_find_pair(struct kms *kms, const void *id, size_t id_size, const char *label,
              struct deadline deadline)
{
	struct kms_id_request request = { .id = id, .id_size = id_size, .label = label };

	return call(kms, kms->backend->find_pair, &request, deadline);
}

CK_RV
kms_pair_start(struct kms *kms, const void *id, size_t id_size, struct deadline deadline,
               int64_t *ret_start)
{
	struct kms_id_request request = { .id = id, .id_size = id_size, .ret_start = ret_start };
	CK_RV rv;

	*ret_start = 0;
	if (kms->backend->pair_start == NULL)
		return CKR_OK;
	rv = call(kms, kms->backend->pair_start, &request, deadline);
	return rv == CKR_KEY_HANDLE_INVALID ? CKR_OK : rv;
}

CK_RV
kms_label_used(struct kms *kms, const char *label, struct deadline deadline, bool *ret_used)
{
	struct kms_id_request request = { .label = label };
	CK_RV rv;

	*ret_used = false;
	if (kms->backend->label_used == NULL)
		return CKR_OK;
	rv = call(kms, kms->backend->label_used, &request, deadline);
	*ret_used = rv == CKR_OK;
	return rv == CKR_KEY_HANDLE_INVALID ? CKR_OK : rv;
}

bool
kms_makes_versions(const struct kms *kms)
{
	return kms->backend->makes_versions;
}

CK_RV
kms_destroy_pair(struct kms *kms, const void *id, size_t id_size, struct deadline deadline)
{
	return kms_destroy_labelled(kms, id, id_size, NULL, deadline);
}

CK_RV
kms_destroy_labelled(struct kms *kms, const void *id, size_t id_size, const char *label,
                     struct deadline deadline)
{
	struct kms_id_request request = { .id = id, .id_size = id_size, .label = label };

	return call(kms, kms->backend->destroy, &request, deadline);
}

void
kms_listed_free(struct kms_listed *keys, size_t count)
{
	size_t i;

	for (i = 0; i < count; i++) {
		buffer_clear(&keys[i].id);
		free(keys[i].label);
	}
	free(keys);
}

CK_RV
kms_walk(struct kms *kms, struct deadline deadline, kms_found found, void *context)
{
	struct kms_list_request request = { NULL, 0 };
	CK_RV rv;
	size_t i;

	/* The list is complete before the first is told, so that found may call the KMS. */
	rv = call(kms, kms->backend->list, &request, deadline);
	for (i = 0; rv == CKR_OK && i < request.ret_count; i++)
		rv = found(context, request.ret_keys[i].id.data, request.ret_keys[i].id.size,
		           request.ret_keys[i].label, request.ret_keys[i].key_type);
	kms_listed_free(request.ret_keys, request.ret_count);
	return rv;
}

CK_RV
kms_sign(struct kms *kms, struct kms_key *key, CK_MECHANISM *primitive, const void *data,
         size_t data_size, struct deadline deadline, unsigned char *ret_signature,
         size_t *ret_signature_size)
{
	struct kms_sign_request request = {
		key, primitive, data, data_size, ret_signature, ret_signature_size,
	};

	return call(kms, kms->backend->sign, &request, deadline);
}

CK_RV
kms_decrypt(struct kms *kms, struct kms_key *key, CK_MECHANISM *primitive, const void *data,
            size_t data_size, struct deadline deadline, struct secret **ret_plaintext)
{
	struct kms_decrypt_request request = { key, primitive, data, data_size, ret_plaintext };

	return call(kms, kms->backend->decrypt, &request, deadline);
}

CK_RV
kms_derive(struct kms *kms, struct kms_key *key, CK_MECHANISM *primitive,
           struct deadline deadline, struct secret **ret_shared)
{
	struct kms_derive_request request = { key, primitive, ret_shared };

	if (kms->backend->derive == NULL)
		return CKR_MECHANISM_INVALID;
	return call(kms, kms->backend->derive, &request, deadline);
}

CK_ULONG
kms_device_error(const struct kms *kms)
{
	return kms->device_error;
}
