/* SPDX-License-Identifier: Apache-2.0 */
#include "kms/kmip-login.h"

#include "base/file.h"
#include "base/text.h"

#include <stdlib.h>
#include <string.h>

#define PASSWORD_SIZE_MAX 1024

bool
kmip_password_is_pin(const struct kmip *kmip)
{
	return kmip->config->kmip_username != NULL && kmip->config->kmip_password_source == NULL;
}

/* A file that is being replaced, or has gone, leaves what was known of it. */
static enum kmip_tls_key
look_at_key(struct kmip *kmip)
{
	struct file_edition edition = file_edition(kmip->config->tls_key);
	enum kmip_tls_key known, key;
	bool same;

	monitor_lock(&kmip->monitor);
	known = kmip->key;
	same = file_edition_equal(&kmip->key_edition, &edition);
	monitor_unlock(&kmip->monitor);
	if (known != KMIP_KEY_UNKNOWN && same)
		return known;
	key = kmip_tls_key(kmip->config);
	if (key == KMIP_KEY_UNKNOWN)
		return known;
	monitor_lock(&kmip->monitor);
	kmip->key = key;
	kmip->key_edition = edition;
	monitor_unlock(&kmip->monitor);
	return key;
}

enum kms_pin_need
kmip_pin_need(struct kmip *kmip)
{
	if (kmip_password_is_pin(kmip))
		return KMS_PIN_NEEDED;
	switch (look_at_key(kmip)) {
	case KMIP_KEY_OPEN:
		return KMS_PIN_NONE;
	case KMIP_KEY_ENCRYPTED:
		return KMS_PIN_NEEDED;
	case KMIP_KEY_UNKNOWN:
		break;
	}
	return KMS_PIN_UNKNOWN;
}

/* Said once for as long as it lasts. */
static void
complain(struct kmip *kmip, char *why)
{
	char *text = text_format("token %s: %s", kmip->config->name,
	                         why != NULL ? why : "memory is short");

	monitor_lock(&kmip->monitor);
	complaint_raise(&kmip->complaint, text);
	monitor_unlock(&kmip->monitor);
	free(why);
}

static CK_RV
find_password(struct kmip *kmip, const struct secret *pin, struct secret **ret_password)
{
	const struct config_token *config = kmip->config;
	char *why = NULL;

	if (config->kmip_username == NULL)
		return CKR_OK;
	if (kmip_password_is_pin(kmip))
		return secret_dup(secret_bytes(pin), secret_size(pin), ret_password);
	if (file_read_secret(config->kmip_password_source, PASSWORD_SIZE_MAX, ret_password, &why))
		return CKR_OK;
	complain(kmip, why);
	return CKR_DEVICE_ERROR;
}

/* pin: NULL where none is needed; opens the key if that is encrypted. */
static CK_RV
make(struct kmip *kmip, const struct secret *pin, const struct kmip_tls_edition *edition,
     struct kmip_login *ret_login)
{
	struct kmip_login login = { .edition = *edition };
	char *why = NULL;
	CK_RV rv;

	rv = find_password(kmip, pin, &login.password);
	if (rv != CKR_OK)
		return rv;
	rv = kmip_tls_new(kmip->config, pin, &login.tls, &why);
	if (rv != CKR_OK) {
		secret_free(&login.password);
		if (rv != CKR_HOST_MEMORY && rv != CKR_PIN_INCORRECT)
			complain(kmip, why);
		else
			free(why);
		return rv;
	}
	*ret_login = login;
	return CKR_OK;
}

char *
kmip_login_file_why(const struct config_token *config)
{
	struct secret *password = NULL;
	SSL_CTX *tls = NULL;
	char *why = NULL;
	CK_RV rv;

	if (config->kmip_password_source != NULL &&
	    !file_read_secret(config->kmip_password_source, PASSWORD_SIZE_MAX, &password, &why))
		return why;
	secret_free(&password);
	rv = kmip_tls_new(config, NULL, &tls, &why);
	SSL_CTX_free(tls);
	if (rv == CKR_DEVICE_ERROR)
		return why;
	free(why);
	return NULL;
}

void
kmip_login_clear(struct kmip_login *login)
{
	SSL_CTX_free(login->tls);
	secret_free(&login->password);
	*login = (struct kmip_login){ .tls = NULL };
}

/* A reference and a copy. */
static CK_RV
share_locked(const struct kmip *kmip, struct kmip_login *ret_login)
{
	struct secret *password = NULL;
	CK_RV rv;

	if (kmip->password != NULL) {
		rv = secret_dup(secret_bytes(kmip->password), secret_size(kmip->password), &password);
		if (rv != CKR_OK)
			return rv;
	}
	SSL_CTX_up_ref(kmip->tls);
	*ret_login = (struct kmip_login){ kmip->tls, password, kmip->edition, kmip->proven };
	return CKR_OK;
}

static bool
is_current_locked(const struct kmip *kmip, const struct kmip_tls_edition *edition)
{
	return kmip->tls != NULL && kmip_tls_edition_equal(&kmip->edition, edition) &&
	       !kmip_tls_has_expired(kmip->tls);
}

/* Takes login over as the one in use; proven: servers took it. */
static void
install(struct kmip *kmip, struct kmip_login *login, bool proven)
{
	struct kmip_login old;

	monitor_lock(&kmip->monitor);
	/* Another call was quicker with the same. */
	if (!proven && is_current_locked(kmip, &login->edition)) {
		monitor_unlock(&kmip->monitor);
		kmip_login_clear(login);
		return;
	}
	old = (struct kmip_login){ .tls = kmip->tls, .password = kmip->password };
	kmip->tls = login->tls;
	kmip->password = login->password;
	kmip->edition = login->edition;
	kmip->proven = proven;
	complaint_clear(&kmip->complaint);
	monitor_unlock(&kmip->monitor);
	*login = (struct kmip_login){ .tls = NULL };
	/* What was connected with the old one ends with it. */
	if (old.tls != NULL)
		kmip_connections_close(kmip);
	kmip_login_clear(&old);
}

/* The PIN at hand. One that is not to be kept is, as a password, nevertheless in use. */
static CK_RV
find_pin(struct kmip *kmip, struct secret **ret_pin)
{
	CK_RV rv;

	if (kmip_pin_need(kmip) != KMS_PIN_NEEDED)
		return CKR_OK;
	rv = pin_get(kmip->pin, ret_pin);
	if (rv != CKR_USER_NOT_LOGGED_IN || !kmip_password_is_pin(kmip) ||
	    pin_has_source(kmip->pin))
		return rv;
	monitor_lock(&kmip->monitor);
	if (kmip->password != NULL)
		rv = secret_dup(secret_bytes(kmip->password), secret_size(kmip->password), ret_pin);
	monitor_unlock(&kmip->monitor);
	return rv;
}

static CK_RV
log_in(struct kmip *kmip, const struct kmip_tls_edition *edition)
{
	struct kmip_login login = { .tls = NULL };
	struct secret *pin = NULL;
	CK_RV rv;

	rv = find_pin(kmip, &pin);
	if (rv == CKR_OK)
		rv = make(kmip, pin, edition, &login);
	secret_free(&pin);
	if (rv == CKR_PIN_INCORRECT) {
		pin_rejected(kmip->pin);
		rv = CKR_USER_NOT_LOGGED_IN;
	}
	if (rv == CKR_OK)
		install(kmip, &login, false);
	return rv;
}

/* A password in a file was rejected, and the file is the same. */
static bool
is_latched_locked(const struct kmip *kmip, const struct kmip_tls_edition *edition)
{
	return kmip->latched && kmip_tls_edition_equal(&kmip->rejected, edition);
}

/* The login in use, or why none is to be made. False: it is to be made anew. */
static bool
share_current(struct kmip *kmip, const struct kmip_tls_edition *edition,
              struct kmip_login *ret_login, CK_RV *ret_rv)
{
	bool known = true;

	monitor_lock(&kmip->monitor);
	if (is_latched_locked(kmip, edition))
		*ret_rv = CKR_USER_NOT_LOGGED_IN;
	else if (is_current_locked(kmip, edition))
		*ret_rv = share_locked(kmip, ret_login);
	else
		known = false;
	monitor_unlock(&kmip->monitor);
	return known;
}

CK_RV
kmip_login_get(struct kmip *kmip, struct kms_attempt *attempt, struct kmip_login *ret_login)
{
	struct kmip_tls_edition edition = kmip_tls_edition(kmip->config);
	CK_RV rv = CKR_OK;

	while (rv == CKR_OK && !share_current(kmip, &edition, ret_login, &rv))
		rv = log_in(kmip, &edition);
	if (rv != CKR_OK) {
		attempt->final = true;
		attempt->unasked = true;
	}
	return rv;
}

CK_RV
kmip_login_try(struct kmip *kmip, const void *pin, size_t pin_size, struct kms_attempt *attempt,
               struct kmip_login *ret_login)
{
	struct kmip_tls_edition edition = kmip_tls_edition(kmip->config);
	struct secret *secret = NULL;
	bool latched;
	CK_RV rv;

	monitor_lock(&kmip->monitor);
	latched = is_latched_locked(kmip, &edition);
	monitor_unlock(&kmip->monitor);
	rv = latched ? CKR_DEVICE_ERROR : secret_dup(pin, pin_size, &secret);
	if (rv == CKR_OK)
		rv = make(kmip, secret, &edition, ret_login);
	secret_free(&secret);
	if (rv != CKR_OK) {
		attempt->final = true;
		attempt->unasked = true;
	}
	return rv;
}

CK_RV
kmip_login_keep(struct kmip *kmip, const struct kmip_login *login)
{
	struct kmip_login copy = { .edition = login->edition };
	CK_RV rv = CKR_OK;

	if (login->password != NULL)
		rv = secret_dup(secret_bytes(login->password), secret_size(login->password),
		                &copy.password);
	if (rv != CKR_OK)
		return rv;
	SSL_CTX_up_ref(login->tls);
	copy.tls = login->tls;
	install(kmip, &copy, true);
	return CKR_OK;
}

void
kmip_logout(struct kmip *kmip)
{
	struct kmip_login old;

	if (kmip_pin_need(kmip) == KMS_PIN_NONE)
		return;
	monitor_lock(&kmip->monitor);
	old = (struct kmip_login){ .tls = kmip->tls, .password = kmip->password };
	kmip->tls = NULL;
	kmip->password = NULL;
	monitor_unlock(&kmip->monitor);
	kmip_connections_close(kmip);
	kmip_login_clear(&old);
}

/* Is it, as far as is known by now? */
static bool
is_proven_locked(const struct kmip *kmip, struct kmip_login *login)
{
	login->proven |= kmip->tls == login->tls && kmip->proven;
	return login->proven;
}

CK_RV
kmip_login_prove(struct kmip *kmip, struct kmip_login *login, struct deadline deadline,
                 bool *ret_alone)
{
	bool ready = true, alone = false;
	CK_RV rv = CKR_OK;

	if (login->password == NULL)
		login->proven = true;
	monitor_lock(&kmip->monitor);
	while (ready && kmip->proving && kmip->tls == login->tls && !is_proven_locked(kmip, login))
		ready = monitor_wait(&kmip->monitor, deadline);
	alone = ready && !is_proven_locked(kmip, login);
	if (!ready)
		rv = CKR_DEVICE_ERROR;
	else if (is_latched_locked(kmip, &login->edition) || (alone && kmip->tls != login->tls))
		rv = CKR_USER_NOT_LOGGED_IN;
	else
		kmip->proving |= alone;
	monitor_unlock(&kmip->monitor);
	if (rv == CKR_OK)
		*ret_alone = alone;
	return rv;
}

void
kmip_login_proved(struct kmip *kmip, struct kmip_login *login, bool taken)
{
	login->proven = taken;
	monitor_lock(&kmip->monitor);
	kmip->proving = false;
	if (taken && kmip->tls == login->tls)
		kmip->proven = true;
	monitor_announce(&kmip->monitor);
	monitor_unlock(&kmip->monitor);
}

/* False: another login is in use by now, which is not at fault. */
static bool
latch(struct kmip *kmip, const struct kmip_login *login)
{
	struct kmip_tls_edition now;
	bool current;

	monitor_lock(&kmip->monitor);
	current = kmip->tls == login->tls;
	/* One that is not in its file any more is not sent again anyhow; a newer one may be latched. */
	now = kmip_tls_edition(kmip->config);
	if (kmip->config->kmip_password_source != NULL &&
	    kmip_tls_edition_equal(&login->edition, &now)) {
		kmip->latched = true;
		kmip->rejected = login->edition;
	}
	monitor_unlock(&kmip->monitor);
	return current;
}

CK_RV
kmip_login_rejected(struct kmip *kmip, const struct kmip_login *login, const char *server,
                    const char *message)
{
	const struct config_token *config = kmip->config;

	if (message == NULL)
		message = "no reason given";
	if (config->kmip_username == NULL) {
		complain(kmip, text_format("KMIP server %s does not accept the client's certificate: %s",
		                           server, message));
		return CKR_DEVICE_ERROR;
	}
	complain(kmip, text_format("KMIP server %s does not accept the user and its password: %s%s%s",
	                           server, message, kmip_password_is_pin(kmip) ? "" :
	                           "; it is not tried again before one of the files changes: correct ",
	                           kmip_password_is_pin(kmip) ? "" : config->kmip_password_source));
	if (latch(kmip, login) && kmip_password_is_pin(kmip)) {
		pin_rejected(kmip->pin);
		kmip_logout(kmip);
	}
	return CKR_USER_NOT_LOGGED_IN;
}
