/* SPDX-License-Identifier: Apache-2.0 */
#include "token-fixture.h"

#include "unit.h"

#include "base/openssl.h"

#include <stdio.h>
#include <unistd.h>

void
fixture_host_new(const char *name, struct fixture_token_host *ret_host)
{
	char *why = NULL;

	*ret_host = (struct fixture_token_host) { 0 };
	ck_assert_uint_eq(openssl_start(), CKR_OK);
	fixture_authority_new("P-256", &ret_host->authority);
	/* Each test runs in a child of its own. */
	snprintf(ret_host->registry_path, sizeof ret_host->registry_path, "%s-%d.db",
	         unit_path(name), (int)getpid());
	snprintf(ret_host->authority_path, sizeof ret_host->authority_path, "%s-%d.pem",
	         unit_path(name), (int)getpid());
	ck_assert_msg(authority_write(ret_host->authority.authority, ret_host->authority_path,
	                              &why), "%s", why);
	ret_host->registry = fixture_registry(ret_host->registry_path, &ret_host->authority);
	ret_host->config = (struct config_token) {
		.name = "unit",
		.registry = ret_host->registry_path,
		.authority = ret_host->authority_path,
		.deadline_ms = 5000,
		.expires_after = 3600,
	};
	ck_assert_uint_eq(role_memory_new(&ret_host->roles), CKR_OK);
	ck_assert_uint_eq(token_new(&ret_host->config, 3, ret_host->roles, &ret_host->token), CKR_OK);
}

void
fixture_host_clear(struct fixture_token_host *host)
{
	token_free(&host->token);
	role_memory_free(&host->roles);
	registry_free(&host->registry);
	fixture_authority_clear(&host->authority);
	openssl_stop();
}

struct added {
	const char *name;
	int64_t number;
	uint64_t seed;
	enum version_state state;
	const struct buffer *spki;
	int64_t object;
};

static CK_RV
add_version(struct registry *registry, struct change *change, void *context)
{
	struct added *added = context;
	struct key_record *key = fixture_key(added->name);
	struct version *version = fixture_version(added->name, added->number, added->seed,
	                                          added->spki);
	CK_RV rv;

	(void)registry;
	version->state = added->state;
	rv = change_add_key(change, key);
	if (rv == CKR_OK)
		rv = change_add_version(change, version);
	added->object = version->object;
	version_free(&version);
	key_record_free(&key);
	return rv;
}

int64_t
fixture_host_version(struct fixture_token_host *host, const char *name, int64_t number,
                     uint64_t seed, enum version_state state)
{
	struct added added = { name, number, seed, state,
		               authority_spki(host->authority.authority), 0 };

	ck_assert_uint_eq(registry_change(host->registry, &host->authority.signer, 3600,
	                                  add_version, &added), CKR_OK);
	return added.object;
}
