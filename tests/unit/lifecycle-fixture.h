/* SPDX-License-Identifier: Apache-2.0 */
/* A token that is set up: SoftHSM2, registry, authority; and its lifecycle, open. */
#ifndef P11_KMS_TESTS_LIFECYCLE_FIXTURE_H
#define P11_KMS_TESTS_LIFECYCLE_FIXTURE_H

#include "kms-fixture.h"
#include "lifecycle/lifecycle.h"

extern struct authority *authority;
extern struct registry *registry;
extern struct lifecycle *lifecycle;

/* The KMS and the configuration only: init was not run. */
void bare_setup(void);
void bare_teardown(void);
/* And init, and all open. */
void lifecycle_setup(void);
void lifecycle_teardown(void);
/* Opens, and closes, what lifecycle_setup opens. */
void lifecycle_begin(void);
void lifecycle_end(void);

/* For the making of RSA keys, which takes long where valgrind looks on. */
struct deadline patiently(void);
/* Ends the test when it fails. Caller frees. */
struct version *make(const char *name, const char *algorithm, unsigned usage);
struct version *make_by(const struct create_request *request);
/* As `p11-kms policy NAME --set SETTING`. */
void set_policy(const char *name, const char *setting);
/* Reads it again; caller frees. */
struct version *reread(const struct version *version);
enum version_state state_of(const struct version *version);
/* The current version's number, 0: none. */
int64_t current_number(const char *name);
size_t intent_count(void);
/* Private keys in the KMS. */
size_t pair_count(void);
/*
 * Another host with the same KMS, authority and configuration, and a registry of its own: a copy of
 * what the first one has now. From then on registry and lifecycle are that of the host which was
 * turned to last, the first one being 0. All end with the test.
 */
#define HOSTS_MAX 3
void host_copy(size_t host);
void host_turn(size_t host);

/* Runs SQL on the registry's file, as no program of ours would. */
void meddle(const char *sql);

#endif
