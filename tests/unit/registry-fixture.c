/* SPDX-License-Identifier: Apache-2.0 */
#include "registry-fixture.h"

#include "base/openssl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/ec.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include <sqlite3.h>

#define MUST(good) must((good), #good, __LINE__)

static void
must(bool good, const char *what, int line)
{
	if (good)
		return;
	fprintf(stderr, "registry-fixture.c:%d: %s\n", line, what);
	exit(99);
}

void
fixture_authority_new(const char *algorithm, struct fixture_authority *ret_authority)
{
	unsigned char *der = NULL;
	int size;

	memset(ret_authority, 0, sizeof *ret_authority);
	if (strncmp(algorithm, "rsa-", 4) == 0)
		ret_authority->key = EVP_PKEY_Q_keygen(openssl_context(), NULL, "RSA",
		                                       (size_t)strtoul(algorithm + 4, NULL, 10));
	else
		ret_authority->key = EVP_PKEY_Q_keygen(openssl_context(), NULL, "EC", algorithm);
	MUST(ret_authority->key != NULL);
	size = i2d_PUBKEY(ret_authority->key, &der);
	MUST(size > 0);
	MUST(authority_new(der, (size_t)size, &ret_authority->authority) == CKR_OK);
	OPENSSL_free(der);
	ret_authority->signer.sign = fixture_sign;
	ret_authority->signer.context = ret_authority;
}

void
fixture_authority_clear(struct fixture_authority *authority)
{
	authority_free(&authority->authority);
	EVP_PKEY_free(authority->key);
	memset(authority, 0, sizeof *authority);
}

/* DER to r and s of 32 bytes each. */
static size_t
ecdsa_raw(unsigned char *signature, size_t size)
{
	const unsigned char *at = signature;
	ECDSA_SIG *pair = d2i_ECDSA_SIG(NULL, &at, (long)size);

	MUST(pair != NULL);
	MUST(BN_bn2binpad(ECDSA_SIG_get0_r(pair), signature, 32) == 32);
	MUST(BN_bn2binpad(ECDSA_SIG_get0_s(pair), signature + 32, 32) == 32);
	ECDSA_SIG_free(pair);
	return 64;
}

/* The one of that term, among those that came after. */
static struct fixture_authority *
authority_of(struct fixture_authority *authority, const struct term *term)
{
	for (; term != NULL && authority->next != NULL; authority = authority->next) {
		if (strcmp(authority_fingerprint(authority->authority),
		           authority_fingerprint(term->authority)) == 0)
			break;
	}
	return authority;
}

CK_RV
fixture_sign(void *context, const struct term *term, const void *message, size_t size,
             struct buffer *ret_signature)
{
	struct fixture_authority *authority = authority_of(context, term);
	unsigned char signature[2048];
	size_t length = sizeof signature;
	EVP_MD_CTX *digest;

	if (authority->fail != CKR_OK)
		return authority->fail;
	authority->signatures++;
	digest = EVP_MD_CTX_new();
	MUST(digest != NULL);
	MUST(EVP_DigestSignInit_ex(digest, NULL, "SHA256", openssl_context(), NULL, authority->key,
	                           NULL) == 1);
	MUST(EVP_DigestSign(digest, signature, &length, message, size) == 1);
	EVP_MD_CTX_free(digest);
	if (EVP_PKEY_is_a(authority->key, "EC"))
		length = ecdsa_raw(signature, length);
	return buffer_append(ret_signature, signature, length);
}

struct version *
fixture_version(const char *name, int64_t number, uint64_t seed, const struct buffer *spki)
{
	unsigned char id[16] = { 0xc0, 0xde };
	struct version *version = NULL;

	memcpy(id + 8, &seed, sizeof seed);
	MUST(version_new(&version) == CKR_OK);
	version->name = strdup(name);
	MUST(version->name != NULL);
	version->number = number;
	MUST(buffer_set(&version->id, id, sizeof id) == CKR_OK);
	version->algorithm = algorithm_by_name("p-256");
	version->state = STATE_ACTIVE;
	version->usage = USAGE_SIGN;
	version->local = true;
	version->created = 1767225600; /* 2026-01-01 */
	version->protect_from = 1767225600;
	version->protect_until = 1798761600;
	version->state_since = 1767225600;
	MUST(buffer_set(&version->spki, spki->data, spki->size) == CKR_OK);
	return version;
}

struct key_record *
fixture_key(const char *name)
{
	struct key_record *key = NULL;

	MUST(key_record_new(&key) == CKR_OK);
	key->name = strdup(name);
	MUST(key->name != NULL);
	key->algorithm = algorithm_by_name("p-256");
	key->usage = USAGE_SIGN;
	key->created = 1767225600;
	key->rotate_every = 90 * 86400;
	key->destroy_after = 30 * 86400;
	return key;
}

struct token_record *
fixture_token(void)
{
	static const CK_MECHANISM_TYPE primitives[] = {
		CKM_RSA_PKCS_KEY_PAIR_GEN, CKM_RSA_PKCS, CKM_RSA_X_509, CKM_RSA_PKCS_OAEP,
		CKM_RSA_PKCS_PSS, CKM_EC_KEY_PAIR_GEN, CKM_ECDSA, CKM_ECDH1_DERIVE,
		CKM_EC_EDWARDS_KEY_PAIR_GEN, CKM_EDDSA,
	};
	struct token_record *token = NULL;

	MUST(token_record_new(&token) == CKR_OK);
	token->created = 1767225600;
	token->manufacturer = strdup("Test");
	token->model = strdup("fixture");
	token->serial = strdup("1");
	MUST(token->manufacturer != NULL && token->model != NULL && token->serial != NULL);
	MUST(buffer_set(&token->authority_id, "authority", 9) == CKR_OK);
	token->primitives = malloc(sizeof primitives);
	MUST(token->primitives != NULL);
	memcpy(token->primitives, primitives, sizeof primitives);
	token->primitive_count = sizeof primitives / sizeof *primitives;
	return token;
}

static CK_RV
build_token(struct registry *registry, struct change *change, void *context)
{
	struct token_record *token = fixture_token();
	CK_RV rv = change_add_token(change, token);

	(void)registry;
	(void)context;
	token_record_free(&token);
	return rv;
}

struct registry *
fixture_registry(const char *path, struct fixture_authority *authority)
{
	struct registry *registry = NULL;
	char *why = NULL;
	CK_RV rv;

	rv = registry_create(path, authority->authority, &registry, &why);
	if (rv != CKR_OK)
		fprintf(stderr, "%s\n", why);
	MUST(rv == CKR_OK);
	MUST(registry_change(registry, &authority->signer, 3600, build_token, NULL) == CKR_OK);
	return registry;
}

struct key_to_add {
	const char *name;
	uint64_t seed;
	const struct buffer *spki;
	int64_t object;
};

static CK_RV
build_key(struct registry *registry, struct change *change, void *context)
{
	struct key_to_add *add = context;
	struct key_record *key = fixture_key(add->name);
	struct version *version = fixture_version(add->name, 1, add->seed, add->spki);
	CK_RV rv;

	(void)registry;
	rv = change_add_key(change, key);
	if (rv == CKR_OK)
		rv = change_add_version(change, version);
	add->object = version->object;
	key_record_free(&key);
	version_free(&version);
	return rv;
}

int64_t
fixture_add_key(struct registry *registry, struct fixture_authority *authority, const char *name,
                uint64_t seed)
{
	struct key_to_add add = { name, seed, authority_spki(authority->authority), 0 };

	MUST(registry_change(registry, &authority->signer, 3600, build_key, &add) == CKR_OK);
	return add.object;
}

static sqlite3 *
file_open(const char *path)
{
	int persist = 1;
	sqlite3 *db = NULL;

	MUST(sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, "unix") == SQLITE_OK);
	MUST(sqlite3_busy_timeout(db, 5000) == SQLITE_OK);
	MUST(sqlite3_exec(db, "PRAGMA synchronous = OFF", NULL, NULL, NULL) == SQLITE_OK);
	MUST(sqlite3_file_control(db, "main", SQLITE_FCNTL_PERSIST_WAL, &persist) == SQLITE_OK);
	return db;
}

void
fixture_sql(const char *path, const char *format, ...)
{
	sqlite3 *db = file_open(path);
	char *message = NULL;
	va_list arguments;
	char *sql;

	va_start(arguments, format);
	sql = sqlite3_vmprintf(format, arguments);
	va_end(arguments);
	MUST(sql != NULL);
	if (sqlite3_exec(db, sql, NULL, NULL, &message) != SQLITE_OK) {
		fprintf(stderr, "%s: %s\n", sql, message);
		MUST(false);
	}
	sqlite3_free(sql);
	MUST(sqlite3_close(db) == SQLITE_OK);
}

int64_t
fixture_sql_number(const char *path, const char *sql)
{
	sqlite3 *db = file_open(path);
	sqlite3_stmt *statement = NULL;
	int64_t number = 0;

	MUST(sqlite3_prepare_v2(db, sql, -1, &statement, NULL) == SQLITE_OK);
	if (sqlite3_step(statement) == SQLITE_ROW)
		number = sqlite3_column_int64(statement, 0);
	MUST(sqlite3_finalize(statement) == SQLITE_OK);
	MUST(sqlite3_close(db) == SQLITE_OK);
	return number;
}
