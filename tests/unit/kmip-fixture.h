/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A KMIP server inside of the test's process, with TLS and certificates of its own, and a
 * token that uses it. It does what it is asked, with one RSA and one EC pair for all; and
 * what the test tells it to do instead.
 */
#ifndef P11_KMS_TESTS_KMIP_FIXTURE_H
#define P11_KMS_TESTS_KMIP_FIXTURE_H

#include "base/config.h"
#include "kms/kmip-number.h"
#include "kms/kms.h"

#include <openssl/evp.h>
#include <stdbool.h>

#define KMIP_OPERATIONS 64

enum kmip_told { KMIP_TOLD_RIGHT, KMIP_TOLD_SWAPPED, KMIP_TOLD_PRIVATE_TWICE };
/* What becomes of the client's certificate: it is taken; refused by an alert; by silence. */
enum kmip_trust { KMIP_TRUST, KMIP_DISTRUST_ALERT, KMIP_DISTRUST_SILENTLY };

enum kmip_plaintext { KMIP_PLAINTEXT_DATA, KMIP_PLAINTEXT_ABSENT, KMIP_PLAINTEXT_TEXT };

struct kmip_fixture {
	struct config_token config;
	EVP_PKEY *rsa, *ec;

	/* What the test may change, when no request is under way. */
	int minor;                         /* the newest version, 4 */
	uint32_t reasons[KMIP_OPERATIONS]; /* of an operation: refused so, when not 0 */
	uint32_t mistaken;                 /* the operation that answers about another object, 0: none */
	uint32_t surplus;                  /* the operation that is answered twice, 0: none */
	int versions;                      /* told more often than once, 0 */
	unsigned hang_up;                  /* requests until the connection is ended, 0: never */
	bool digested;                     /* Digested Data are taken, true */
	bool sealing;                      /* Sensitive and Extractable are known, true */
	bool groups;                       /* Object Groups are known, true */
	uint32_t unknown;                  /* the reason for what is not, KMIP_INVALID_FIELD */
	enum kmip_plaintext plaintext;     /* how Decrypt tells it, as Data */
	unsigned failing;                  /* Signs and Decrypts to come that are General Failures, 0 */
	bool idle;                         /* Destroy succeeds and does nothing, false */
	const char *sacred;                /* the identifier of what may not be destroyed, NULL: none */
	bool remembers;                    /* Get Attributes tells of destroyed objects, false */
	enum kmip_told told;               /* the unique identifiers of a new pair, as they are */
	enum kmip_trust trust;             /* KMIP_TRUST */
	unsigned handshake_ms;             /* how long it waits before it shakes hands, 0 */
	const char *username, *password;   /* must be sent, NULL: not */

	/* What it has seen. */
	unsigned requests[KMIP_OPERATIONS]; /* by operation */
	unsigned private_gets;              /* Get of a private key */
	unsigned connections, resumed;      /* TLS connections, and how many of them were resumed */
	bool sealed;                        /* the last pair that was made: Sensitive, not Extractable */
	int32_t last_salt;                  /* of the last Sign, -1: none */
};

extern struct kmip_fixture kmip_fixture;

/* openssl_start and everything else; end the test when it fails. */
void kmip_fixture_start(void);
void kmip_fixture_stop(void);
/* Ends the connections that are open, as a restart does; forgets no keys. */
void kmip_fixture_disconnect(void);
/* Takes no more connections, or takes them again on the same port. */
void kmip_fixture_listen(bool listen);
/* See kmip-objects.h. */
void kmip_fixture_rekey(void);
void kmip_fixture_disown(void);
void kmip_fixture_destroy(const char *identifier);
/* The server's objects lose their unique identifiers and get others. */
void kmip_fixture_rename(void);
/* Objects that are there, of any type and state but destroyed. */
unsigned kmip_fixture_objects(void);
/* The client's certificate is renewed, and good for so long. */
void kmip_fixture_certify_client(long seconds);
/* The client's private key from now on encrypted under this passphrase. */
void kmip_fixture_encrypt_key(const char *passphrase);

#endif
