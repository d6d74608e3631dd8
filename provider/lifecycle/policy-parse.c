/* SPDX-License-Identifier: Apache-2.0 */
/* "rotate-every=30d" and the like. */
#include "lifecycle/policy.h"

#include "base/file.h"
#include "base/openssl.h"
#include "base/text.h"
#include "lifecycle/usage.h"
#include "mechanism/mechanism.h"
#include "mechanism/public-key.h"

#include <openssl/bio.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define RECOVERY_FILE_MAX 65536
#define RECOVERY_BITS_MIN 2048
#define VERSIONS_MAX 1000000

struct setting {
	const char *name;
	enum policy_setting bit;
	bool (*take)(const struct setting *setting, const char *value, struct policy_change *change,
	             char **ret_why);
	size_t offset;    /* of a duration in struct policy_change */
	const char *none; /* the word for 0; NULL: 0s is written */
};

/* False, as callers return it. */
static bool
refuse(char **ret_why, const struct setting *setting, const char *what)
{
	*ret_why = text_format("%s %s", setting->name, what);
	return false;
}

static bool
take_algorithm(const struct setting *setting, const char *value, struct policy_change *change,
               char **ret_why)
{
	change->algorithm = algorithm_by_name(value);
	return change->algorithm != NULL ||
	       refuse(ret_why, setting, "is not known; write rsa-3072, p-256, ed25519 or another that "
	                                "p11-kms(1) lists");
}

static bool
take_usage(const struct setting *setting, const char *value, struct policy_change *change,
           char **ret_why)
{
	return usage_parse(value, &change->usage) ||
	       refuse(ret_why, setting, "is made of decrypt, sign, unwrap and derive, with commas between");
}

static bool
take_duration(const struct setting *setting, const char *value, struct policy_change *change,
              char **ret_why)
{
	int64_t *field = (int64_t *)(void *)((char *)change + setting->offset);

	if (setting->none != NULL && strcmp(value, setting->none) == 0) {
		*field = 0;
		return true;
	}
	if (strcmp(value, "never") != 0 && duration_parse(value, field) &&
	    (*field != 0 || setting->none == NULL))
		return true;
	*ret_why = text_format("%s is a whole number%s and s, m, h, d, w or y, such as 30d%s%s",
	                       setting->name, setting->none != NULL ? " from 1" : "",
	                       setting->none != NULL ? "; or " : "",
	                       setting->none != NULL ? setting->none : "");
	return false;
}

static bool
take_count(const struct setting *setting, const char *value, struct policy_change *change,
           char **ret_why)
{
	char *end;
	long long count = 0;

	if (strcmp(value, setting->none) != 0) {
		count = strtoll(value, &end, 10);
		if (value[0] < '1' || value[0] > '9' || *end != '\0' || count > VERSIONS_MAX)
			return refuse(ret_why, setting, "is a number from 1, or all");
	}
	change->keep_versions = count;
	return true;
}

/* By the table's names; CKM_RSA_PKCS_OAEP, as the standard writes it, is one too. */
static const struct mechanism *
mechanism_by_name(const char *name, size_t size)
{
	const struct mechanism *row;

	if (size > 4 && strncmp(name, "CKM_", 4) == 0) {
		name += 4;
		size -= 4;
	}
	for (size_t i = 0; (row = mechanism_at(i)) != NULL; i++) {
		size_t at = 0;

		while (at < size && row->name[at] != '\0' &&
		       (row->name[at] == name[at] || (row->name[at] == '-' && name[at] == '_')))
			at++;
		if (at == size && row->name[at] == '\0')
			return row;
	}
	return NULL;
}

static bool
take_mechanisms(const struct setting *setting, const char *value, struct policy_change *change,
                char **ret_why)
{
	CK_MECHANISM_TYPE types[64];
	size_t count = 0;

	mechanism_list_clear(&change->mechanisms);
	if (strcmp(value, setting->none) == 0)
		return true;
	for (;;) {
		size_t size = strcspn(value, ",");
		const struct mechanism *row = mechanism_by_name(value, size);

		if (row == NULL || count == sizeof types / sizeof types[0]) {
			*ret_why = text_format("%.*s is no mechanism of keys; write names as pkcs11-tool "
			                       "--list-mechanisms does, with commas between, or all",
			                       (int)(size > 60 ? 60 : size), value);
			return false;
		}
		types[count++] = row->type;
		if (value[size] == '\0')
			break;
		value += size + 1;
	}
	return mechanism_list_set(&change->mechanisms, types, count) == CKR_OK;
}

static EVP_PKEY *
pem_parse(const struct buffer *pem)
{
	BIO *bio = BIO_new_mem_buf(pem->data, (int)pem->size);
	EVP_PKEY *key = NULL;

	if (bio != NULL)
		key = PEM_read_bio_PUBKEY_ex(bio, NULL, NULL, NULL, openssl_context(), NULL);
	if (key == NULL)
		(void)openssl_failure(CKR_OK);
	BIO_free(bio);
	return key;
}

/* A bad key would be found out when it is needed, which is too late. */
static const char *
recovery_fault(EVP_PKEY *key, const unsigned char *der, size_t size)
{
	const struct algorithm *algorithm;
	const char *why = NULL;

	if (EVP_PKEY_get_base_id(key) != EVP_PKEY_RSA || EVP_PKEY_get_bits(key) < RECOVERY_BITS_MIN)
		return "is not an RSA key of at least 2048 bits";
	algorithm = algorithm_rsa((CK_ULONG)EVP_PKEY_get_bits(key));
	if (algorithm == NULL)
		return "is not an RSA key of 2048, 3072 or 4096 bits";
	return public_key_check(der, size, algorithm, &why) == CKR_OK ? NULL : why;
}

static bool
take_recovery(const struct setting *setting, const char *value, struct policy_change *change,
              char **ret_why)
{
	struct buffer pem = BUFFER_INIT;
	unsigned char *der = NULL;
	EVP_PKEY *key = NULL;
	const char *fault;
	bool done = false;
	int size;

	buffer_clear(&change->recovery);
	if (strcmp(value, setting->none) == 0)
		return true;
	if (*value == '\0') {
		*ret_why = text_format("recovery is the FILE of a public key, or %s", setting->none);
		return false;
	}
	if (!file_read(value, FILE_PUBLIC, RECOVERY_FILE_MAX, &pem, ret_why))
		return false;
	key = pem_parse(&pem);
	if (key == NULL) {
		*ret_why = text_format("%s holds no public key in PEM (BEGIN PUBLIC KEY); openssl pkey "
		                       "-pubout makes one of the private key", value);
		goto out;
	}
	size = i2d_PUBKEY(key, &der);
	if (size <= 0)
		goto out;
	fault = recovery_fault(key, der, (size_t)size);
	if (fault != NULL) {
		*ret_why = text_format("the recovery key in %s %s", value, fault);
		goto out;
	}
	done = buffer_set(&change->recovery, der, (size_t)size) == CKR_OK;
out:
	OPENSSL_free(der);
	EVP_PKEY_free(key);
	buffer_clear(&pem);
	return done;
}

#define FIELD(field) offsetof(struct policy_change, field)

static const struct setting settings[] = {
	{ "algorithm", POLICY_ALGORITHM, take_algorithm, 0, NULL },
	{ "usage", POLICY_USAGE, take_usage, 0, NULL },
	{ "rotate-every", POLICY_ROTATE_EVERY, take_duration, FIELD(rotate_every), "never" },
	{ "overlap", POLICY_OVERLAP, take_duration, FIELD(overlap), NULL },
	{ "keep-versions", POLICY_KEEP_VERSIONS, take_count, 0, "all" },
	{ "keep-for", POLICY_KEEP_FOR, take_duration, FIELD(keep_for), "forever" },
	{ "destroy-after", POLICY_DESTROY_AFTER, take_duration, FIELD(destroy_after), NULL },
	{ "mechanisms", POLICY_MECHANISMS, take_mechanisms, 0, "all" },
	{ "recovery", POLICY_RECOVERY, take_recovery, 0, "none" },
};

bool
policy_parse(const char *text, struct policy_change *change, char **ret_why)
{
	size_t size = strcspn(text, "=");

	*ret_why = NULL;
	for (size_t i = 0; text[size] == '=' && i < sizeof settings / sizeof settings[0]; i++) {
		const struct setting *setting = &settings[i];

		if (strlen(setting->name) != size || strncmp(setting->name, text, size) != 0)
			continue;
		if ((change->given & setting->bit) != 0)
			return refuse(ret_why, setting, "is given twice; leave one out");
		change->given |= setting->bit;
		return setting->take(setting, text + size + 1, change, ret_why);
	}
	*ret_why = text_format("%s is no setting of a policy: write NAME=VALUE, with algorithm, usage, "
	                       "rotate-every, overlap, keep-versions, keep-for, destroy-after, "
	                       "mechanisms or recovery as the NAME", text);
	return false;
}

void
policy_change_clear(struct policy_change *change)
{
	mechanism_list_clear(&change->mechanisms);
	buffer_clear(&change->recovery);
	*change = (struct policy_change){ .given = 0 };
}
