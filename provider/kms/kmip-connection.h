/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The connections of one token to its KMIP servers. The servers stand for one another: a
 * connection is made to the first that can be reached, and one that can't is passed over for
 * a while. No lock is held while a server is waited for.
 */
#ifndef P11_KMS_KMS_KMIP_CONNECTION_H
#define P11_KMS_KMS_KMIP_CONNECTION_H

#include "base/compiler.h"
#include "base/config.h"
#include "base/endpoint.h"
#include "base/pkcs11.h"
#include "base/secret.h"
#include "kms/backend.h"
#include "kms/complaint.h"
#include "kms/kmip-stream.h"
#include "kms/kmip-tls.h"
#include "kms/monitor.h"
#include "kms/pin.h"

#include <stdbool.h>
#include <stdint.h>

/* Connections at a time, and how many of them are kept when nobody uses them. */
#define KMIP_CONNECTIONS_MAX 32
#define KMIP_IDLE_MAX 8

struct kmip_names;

struct kmip_server {
	const struct endpoint *endpoint; /* borrowed */
	char *name;                      /* owned: "HOST:PORT" */

	/* Guarded by the monitor. */
	int minor;            /* of the KMIP version to speak, 0: not asked yet */
	SSL_SESSION *session; /* owned, to be resumed */
	int64_t session_ms;   /* when the certificate was verified for it */
	int64_t retry_at_ms;  /* passed over until then */
	int64_t pause_ms;     /* … and how long that was */
	int64_t probe_ms;     /* what the next try after that may take while another server answers */
	int64_t probed_until_ms; /* one call tries it: the others pass it over until then */
	struct kmip_stream *idle[KMIP_IDLE_MAX]; /* owned, the last used last */
	size_t idle_count;
	struct complaint complaint;
	char *why;            /* owned: why it was passed over last, NULL: it was not */
};

struct kmip {
	const struct config_token *config; /* borrowed */
	struct pin *pin;                   /* borrowed */
	struct endpoint *endpoints;        /* owned */
	struct kmip_server *servers;       /* owned */
	size_t server_count;
	struct kmip_names *names;          /* owned: kmip-names.h */
	struct kmip_descriptors descriptors; /* of all connections */

	struct monitor monitor;            /* guards what follows */
	unsigned lent;                     /* connections in use */
	enum kmip_tls_key key;             /* the client's, as it was when … */
	struct file_edition key_edition;   /* … its file could be read last */
	SSL_CTX *tls;                      /* owned; NULL: not logged in */
	struct kmip_tls_edition edition;   /* what tls was made from */
	struct secret *password;           /* owned: sent with each request, NULL: none */
	bool proven;                       /* a server has taken that password */
	bool proving;                      /* … one call finds out: the others wait */
	bool latched;                      /* a password from a file was rejected … */
	struct kmip_tls_edition rejected;  /* … when the files were these */
	struct complaint complaint;        /* of the login */
	unsigned sealing;                  /* how much of it servers understand: kmip-pair.c */
};

MUST_USE CK_RV kmip_new(const struct config_token *config, struct pin *pin,
                        struct kmip **ret_kmip);
void kmip_free(struct kmip **kmip);
void kmip_forked(struct kmip *kmip);

/* What a connection is made with; see kmip-login.h. */
struct kmip_login {
	SSL_CTX *tls;            /* a reference */
	struct secret *password; /* owned, NULL: none */
	struct kmip_tls_edition edition; /* of the files, before they were read for it */
	bool proven;             /* a server has taken the password */
};

/*
 * A connection, lent to the caller: one that was idle, or a new one. only: to this server and
 * no other (NULL: to the first that can be reached). It is to be used until
 * *ret_deadline, which leaves time to ask the next server. CKR_DEVICE_ERROR: no server can
 * be reached (logged). CKR_SESSION_COUNT: all connections are in use until the deadline; no
 * server was asked.
 */
MUST_USE CK_RV kmip_connection_take(struct kmip *kmip, const struct kmip_login *login,
                                    struct kmip_server *only, struct deadline deadline,
                                    struct kmip_server **ret_server,
                                    struct kmip_stream **ret_stream, bool *ret_reused,
                                    struct deadline *ret_deadline);
/* Sound: it is kept for the next, unless it is of another login than the one now in use. */
void kmip_connection_put(struct kmip *kmip, struct kmip_server *server,
                         struct kmip_stream **stream);
/*
 * It failed, for the reason why (taken, may be NULL). Others that are idle are suspected of
 * the same and closed. blamed: the server is passed over for a while.
 */
void kmip_connection_drop(struct kmip *kmip, struct kmip_server *server,
                          struct kmip_stream **stream, bool blamed, char *why);
/* Not to be asked now while there is another: it has failed, or one call finds out if it still does. */
bool kmip_server_is_passed_over(struct kmip *kmip, const struct kmip_server *server);
/* Why a server was passed over last; caller frees. NULL: it was not, or memory is short. */
char *kmip_server_why(struct kmip *kmip, const struct kmip_server *server);
/* Logged out, or with other files: none is kept. */
void kmip_connections_close(struct kmip *kmip);

#endif
