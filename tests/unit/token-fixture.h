/* SPDX-License-Identifier: Apache-2.0 */
/* A token without a KMS over a registry of a test's own: what a reader host has. */
#ifndef P11_KMS_TESTS_TOKEN_FIXTURE_H
#define P11_KMS_TESTS_TOKEN_FIXTURE_H

#include "registry-fixture.h"

#include "token/token.h"

struct fixture_token_host {
	struct fixture_authority authority;
	struct registry *registry; /* opened to write */
	struct config_token config;
	struct role_memory *roles;
	struct token *token;       /* not opened yet */
	char registry_path[256], authority_path[256];
};

/* openssl_start is made here and ended by clear. name keeps its files apart from others'. */
void fixture_host_new(const char *name, struct fixture_token_host *ret_host);
void fixture_host_clear(struct fixture_token_host *host);

/* The next version of a key, in the given state; the one before is not touched. Returns its object. */
int64_t fixture_host_version(struct fixture_token_host *host, const char *name, int64_t number,
                             uint64_t seed, enum version_state state);

#endif
