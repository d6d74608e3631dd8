/* SPDX-License-Identifier: Apache-2.0 */
#include "kms/pin.h"

#include "base/file.h"
#include "base/text.h"
#include "kms/complaint.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* PKCS#11 sets no limit; the longest known ones are passphrases. */
#define PIN_SIZE_MAX 1024

struct pin {
	const struct config_token *config;
	pthread_mutex_t lock;
	struct secret *kept;       /* without a pin-source */
	struct file_edition given; /* of the file, when pin_get last read it */
	bool latched;              /* that edition was rejected */
	struct complaint complaint;
};

CK_RV
pin_new(const struct config_token *config, struct pin **ret_pin)
{
	struct pin *pin;

	pin = calloc(1, sizeof *pin);
	if (pin == NULL)
		return CKR_HOST_MEMORY;
	pin->config = config;
	pthread_mutex_init(&pin->lock, NULL);
	*ret_pin = pin;
	return CKR_OK;
}

void
pin_free(struct pin **pin)
{
	if (*pin == NULL)
		return;
	secret_free(&(*pin)->kept);
	complaint_clear(&(*pin)->complaint);
	pthread_mutex_destroy(&(*pin)->lock);
	free(*pin);
	*pin = NULL;
}

void
pin_forked(struct pin *pin)
{
	pthread_mutex_init(&pin->lock, NULL);
}

bool
pin_has_source(const struct pin *pin)
{
	return pin->config->pin_source != NULL;
}

static CK_RV
read_source_locked(struct pin *pin, struct secret **ret_pin)
{
	char *why = NULL;

	if (!file_read_secret(pin->config->pin_source, PIN_SIZE_MAX, ret_pin, &why)) {
		complaint_raise(&pin->complaint,
		                text_format("token %s: no login: %s", pin->config->name,
		                            why != NULL ? why : "memory is short"));
		free(why);
		return CKR_USER_NOT_LOGGED_IN;
	}
	if (secret_size(*ret_pin) == 0) {
		secret_free(ret_pin);
		complaint_raise(&pin->complaint,
		                text_format("token %s: no login: %s is empty; write the PIN of the KMS "
		                            "into it", pin->config->name, pin->config->pin_source));
		return CKR_USER_NOT_LOGGED_IN;
	}
	complaint_clear(&pin->complaint);
	return CKR_OK;
}

static CK_RV
get_from_source_locked(struct pin *pin, struct secret **ret_pin)
{
	/* Before reading: a change in between makes one try more, not a latch on a new PIN. */
	struct file_edition edition = file_edition(pin->config->pin_source);

	if (pin->latched && file_edition_equal(&edition, &pin->given))
		return CKR_USER_NOT_LOGGED_IN;
	pin->latched = false;
	pin->given = edition;
	return read_source_locked(pin, ret_pin);
}

CK_RV
pin_get(struct pin *pin, struct secret **ret_pin)
{
	CK_RV rv;

	pthread_mutex_lock(&pin->lock);
	if (pin_has_source(pin))
		rv = get_from_source_locked(pin, ret_pin);
	else if (pin->kept != NULL)
		rv = secret_dup(secret_bytes(pin->kept), secret_size(pin->kept), ret_pin);
	else
		rv = CKR_USER_NOT_LOGGED_IN;
	pthread_mutex_unlock(&pin->lock);
	return rv;
}

CK_RV
pin_compare(struct pin *pin, const void *data, size_t size)
{
	struct secret *secret = NULL;
	CK_RV rv;

	pthread_mutex_lock(&pin->lock);
	rv = read_source_locked(pin, &secret);
	if (rv == CKR_OK && !secret_equal(secret, data, size))
		rv = CKR_PIN_INCORRECT;
	pthread_mutex_unlock(&pin->lock);
	secret_free(&secret);
	return rv;
}

CK_RV
pin_keep(struct pin *pin, const void *data, size_t size)
{
	struct secret *secret = NULL;
	CK_RV rv;

	if (!pin->config->keep_pin || pin_has_source(pin))
		return CKR_OK;
	rv = secret_dup(data, size, &secret);
	if (rv != CKR_OK)
		return rv;
	pthread_mutex_lock(&pin->lock);
	secret_free(&pin->kept);
	pin->kept = secret;
	pthread_mutex_unlock(&pin->lock);
	return CKR_OK;
}

CK_RV
pin_replace(struct pin *pin, const void *data, size_t size)
{
	bool kept;

	pthread_mutex_lock(&pin->lock);
	kept = pin->kept != NULL;
	pthread_mutex_unlock(&pin->lock);
	return kept ? pin_keep(pin, data, size) : CKR_OK;
}

void
pin_rejected(struct pin *pin)
{
	pthread_mutex_lock(&pin->lock);
	if (pin_has_source(pin))
		pin->latched = true;
	else
		secret_free(&pin->kept);
	complaint_raise(&pin->complaint,
	                text_format("token %s: the KMS rejects the PIN%s%s; correct it before anything else "
	                            "tries it: a few wrong ones may lock the KMS's token. This process "
	                            "does not try it again",
	                            pin->config->name, pin_has_source(pin) ? " in " : "",
	                            pin_has_source(pin) ? pin->config->pin_source : ""));
	pthread_mutex_unlock(&pin->lock);
}

void
pin_forget(struct pin *pin)
{
	pthread_mutex_lock(&pin->lock);
	secret_free(&pin->kept);
	pthread_mutex_unlock(&pin->lock);
}
