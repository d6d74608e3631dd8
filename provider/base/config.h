/* SPDX-License-Identifier: Apache-2.0 */
/* The configuration file: see p11-kms.conf(5). */
#ifndef P11_KMS_BASE_CONFIG_H
#define P11_KMS_BASE_CONFIG_H

#include "base/compiler.h"
#include "base/log.h"
#include "base/pkcs11.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The port of KMIP that IANA has assigned. */
#define CONFIG_KMIP_PORT "5696"

/* One [token NAME] section. Strings are owned by the struct config, NULL when not given. */
struct config_token {
	char *name;            /* 1 to 32 bytes: the token's label */
	unsigned line;         /* where its section begins */
	char *kms;             /* PKCS#11 URI with module-path, or kmip://…; NULL on a host without a KMS */
	char *pin_source;      /* path; NULL: C_Login's PIN goes to the KMS */
	char *registry;        /* path; required */
	char *authority;       /* path of the pinned authority (PEM); required */
	char *algorithm;       /* default algorithm of new keys; "rsa-3072" */
	int64_t rotate_every;  /* seconds, 0 never; default 90d */
	int64_t destroy_after; /* seconds; default 30d */
	int64_t overlap;       /* seconds; default 0 */
	int64_t keep_versions; /* 0 (the default): all */
	int64_t keep_for;      /* seconds; 0 (the default): for ever */
	int64_t expires_after; /* seconds; default 7d: how long a head is fresh */
	int64_t deadline_ms;   /* default 5000 */
	bool keep_pin;         /* default yes */
	bool legacy_decrypt;   /* default no */
	bool self_signed;       /* certificates = self-signed (default: stored) */
	bool refuse_same_label; /* same-label = refuse (default: rotate) */

	/* For kmip:// only; paths. */
	char *tls_ca;          /* PEM certificates; required */
	char *tls_certificate; /* PEM, the client's and what leads up to its CA; required */
	char *tls_key;         /* PEM, perhaps encrypted; required */
	char *tls_crl;         /* PEM revocation lists; NULL: none are looked at */
	char *kmip_username;   /* NULL: the certificate alone says who we are */
	char *kmip_password_source; /* NULL: the PIN is the password */
};

struct config {
	char *path;                  /* the file, NULL when none was found */
	enum log_level log;          /* default warning */
	bool log_to_syslog;          /* log-to = stderr | syslog */
	struct config_token *tokens; /* owned */
	size_t token_count;
};

/* The path that would be read: P11_KMS_CONFIG, XDG, sysconfdir. Caller frees. NULL: none exists. */
char *config_path(void);

/* "there is no A and no B": where config_path looked when it found none. Caller frees; NULL: out of memory. */
char *config_paths(void);

/*
 * Reads path. On failure *ret_why (caller frees) is "FILE:LINE: what is wrong; what to do".
 * A file that breaks a rule is refused whole.
 */
MUST_USE bool config_read(const char *path, struct config **ret_config, char **ret_why);
void config_free(struct config **config);

/* Is its KMS a KMIP server? */
bool config_token_is_kmip(const struct config_token *token);

/* By name; name NULL takes the only one. NULL when there is none such. Borrowed. */
const struct config_token *config_token_find(const struct config *config, const char *name);

#endif
