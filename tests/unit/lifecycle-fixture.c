/* SPDX-License-Identifier: Apache-2.0 */
#include "lifecycle-fixture.h"

#include "base/openssl.h"
#include "lifecycle/commit.h"
#include "lifecycle/policy.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DAY INT64_C(86400)

struct authority *authority;
struct registry *registry;
struct lifecycle *lifecycle;

void
bare_setup(void)
{
	ck_assert_uint_eq(openssl_start(), CKR_OK);
	kms_setup();
	kms_config.registry = strdup(softhsm_path("registry.db"));
	kms_config.authority = strdup(softhsm_path("authority.pem"));
	kms_config.algorithm = strdup("p-256");
	kms_config.rotate_every = 90 * DAY;
	kms_config.destroy_after = 30 * DAY;
	kms_config.expires_after = 7 * DAY;
	kms_config.deadline_ms = 5000;
}

void
bare_teardown(void)
{
	kms_teardown();
	free(kms_config.registry);
	free(kms_config.authority);
	free(kms_config.algorithm);
	openssl_stop();
}

void
lifecycle_begin(void)
{
	char *why = NULL;

	ck_assert(authority_read(kms_config.authority, &authority, &why));
	ck_assert_uint_eq(registry_open(kms_config.registry, authority, REGISTRY_WRITE, &registry,
	                                &why), CKR_OK);
	ck_assert_uint_eq(lifecycle_open(&kms_config, kms, registry, authority, &lifecycle), CKR_OK);
}

static struct host {
	char *path; /* of the registry; NULL: the host is not there */
	struct registry *registry;
	struct lifecycle *lifecycle;
} hosts[HOSTS_MAX];
static size_t host_now;

void
host_turn(size_t host)
{
	hosts[host_now].registry = registry;
	hosts[host_now].lifecycle = lifecycle;
	host_now = host;
	registry = hosts[host].registry;
	lifecycle = hosts[host].lifecycle;
}

void
host_copy(size_t host)
{
	char *why = NULL, name[32], sql[256];
	struct host *copy = &hosts[host];

	snprintf(name, sizeof name, "host-%zu.db", host);
	copy->path = strdup(softhsm_path(name));
	snprintf(sql, sizeof sql, "VACUUM INTO '%s'", copy->path);
	meddle(sql);
	ck_assert_uint_eq(registry_open(copy->path, authority, REGISTRY_WRITE, &copy->registry, &why),
	                  CKR_OK);
	ck_assert_uint_eq(lifecycle_open(&kms_config, kms, copy->registry, authority,
	                                 &copy->lifecycle), CKR_OK);
}

static void
hosts_end(void)
{
	host_turn(0);
	for (size_t i = 1; i < HOSTS_MAX; i++) {
		lifecycle_free(&hosts[i].lifecycle);
		registry_free(&hosts[i].registry);
		free(hosts[i].path);
		hosts[i].path = NULL;
	}
}

void
lifecycle_end(void)
{
	hosts_end();
	lifecycle_free(&lifecycle);
	registry_free(&registry);
	authority_free(&authority);
}

void
lifecycle_setup(void)
{
	bool made = false;
	char *why = NULL;

	bare_setup();
	ck_assert_uint_eq(lifecycle_init(&kms_config, kms, false, patiently(), &made, &why), CKR_OK);
	ck_assert(made);
	lifecycle_begin();
}

void
lifecycle_teardown(void)
{
	lifecycle_end();
	bare_teardown();
}

struct deadline
patiently(void)
{
	return deadline_in(120000);
}

struct version *
make_by(const struct create_request *request)
{
	struct version *version = NULL;

	ck_assert_uint_eq(lifecycle_create(lifecycle, request, patiently(), &version), CKR_OK);
	return version;
}

struct version *
make(const char *name, const char *algorithm, unsigned usage)
{
	struct create_request request = {
		.name = name, .algorithm = algorithm_by_name(algorithm), .usage = usage,
		.rotate_every = -1,
	};

	return make_by(&request);
}

struct version *
reread(const struct version *version)
{
	struct version *now = NULL;

	ck_assert_uint_eq(registry_version(registry, version->object, &now), CKR_OK);
	return now;
}

enum version_state
state_of(const struct version *version)
{
	struct version *now = reread(version);
	enum version_state state = now->state;

	version_free(&now);
	return state;
}

int64_t
current_number(const char *name)
{
	struct version *current = NULL;
	int64_t number;

	ck_assert_uint_eq(version_current(registry, name, &current), CKR_OK);
	number = current == NULL ? 0 : current->number;
	version_free(&current);
	return number;
}

size_t
intent_count(void)
{
	struct intent *intents = NULL;
	size_t count;

	ck_assert_uint_eq(registry_intents(registry, &intents, &count), CKR_OK);
	intents_free(intents, count);
	return count;
}

static CK_RV
count_one(void *context, const void *id, size_t id_size, const char *label, CK_KEY_TYPE key_type)
{
	(void)id;
	(void)id_size;
	(void)label;
	(void)key_type;
	++*(size_t *)context;
	return CKR_OK;
}

size_t
pair_count(void)
{
	size_t count = 0;

	ck_assert_uint_eq(kms_walk(kms, soon(), count_one, &count), CKR_OK);
	return count;
}

void
meddle(const char *sql)
{
	sqlite3 *database;
	char *why = NULL;

	ck_assert_int_eq(sqlite3_open(host_now == 0 ? kms_config.registry : hosts[host_now].path,
	                              &database), SQLITE_OK);
	ck_assert_msg(sqlite3_exec(database, sql, NULL, NULL, &why) == SQLITE_OK, "%s", why);
	ck_assert_int_eq(sqlite3_close(database), SQLITE_OK);
}

void
set_policy(const char *name, const char *setting)
{
	struct policy_change change = { .given = 0 };
	char *why = NULL;

	ck_assert(policy_parse(setting, &change, &why));
	ck_assert_uint_eq(lifecycle_set_policy(lifecycle, name, &change), CKR_OK);
	policy_change_clear(&change);
}
